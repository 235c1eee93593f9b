//! The activation string: one line of printable ASCII that is the activation link itself.
//!
//! What stands after `#` never reaches a server, so no log and no Referer header has it. A
//! checksum tells a truncated or mistyped copy before any request is made.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use sha2::{Digest as _, Sha256};

use crate::domain::ids::{ActivationId, Id};
use crate::domain::secret::SecretBytes;

/// Octets of an activation secret: 128 bits.
pub const SECRET_LENGTH: usize = 16;
const ID_LENGTH: usize = 16;
const CHECKSUM_LENGTH: usize = 3;
const LENGTH: usize = ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH;

/// What an activation string says.
#[derive(Debug, Clone)]
pub struct ActivationString {
    /// The virtual server's base address, such as `https://login.example.com/t/acme`.
    pub base: String,
    /// Which activation.
    pub id: ActivationId,
    /// The activation secret; never sent to anybody.
    pub secret: SecretBytes,
}

/// Why a text is not an activation string. Each says what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnActivationString {
    /// No `https://…/activate#…`.
    #[error("is not an activation string: it begins with https:// and has /activate# in it")]
    NotALink,
    /// The server that it is typed with has no certificate.
    #[error("is for a server whose address does not begin with https://")]
    NotSecure,
    /// Made for a later version of the protocol.
    #[error("was made for a newer app: update the authenticator")]
    Version,
    /// Cut off or with a character too many.
    #[error("is incomplete or too long: copy the whole of it")]
    Length,
    /// A character is wrong.
    #[error("is mistyped: compare it character by character")]
    Checksum,
}

impl ActivationString {
    /// The link, which is what a QR code holds.
    #[must_use]
    pub fn to_link(&self) -> String {
        format!("{}/activate#1.{}", self.base, BASE64URL_NOPAD.encode(&self.octets()))
    }

    /// The same in groups of four letters and digits, to be typed together with the server's address.
    #[must_use]
    pub fn to_short(&self) -> String {
        let text = BASE32_NOPAD.encode(&self.octets());
        text.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join("-")
    }

    /// Reads a link.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NotAnActivationString> {
        let (base, fragment) = text.trim().split_once("/activate#").ok_or(NotAnActivationString::NotALink)?;
        if !is_secure(base) {
            return Err(NotAnActivationString::NotALink);
        }
        let (version, body) = fragment.split_once('.').ok_or(NotAnActivationString::Length)?;
        if version != "1" {
            return Err(NotAnActivationString::Version);
        }
        let octets = BASE64URL_NOPAD.decode(body.as_bytes()).map_err(|error| match error.kind {
            data_encoding::DecodeKind::Symbol => NotAnActivationString::Checksum,
            _ => NotAnActivationString::Length,
        })?;
        Self::of_octets(base, &octets)
    }

    /// Reads the typed form. Blanks, hyphens and small letters are understood; 0, 1 and 8 are taken for the
    /// letters that they look like.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse_short(base: &str, text: &str) -> Result<Self, NotAnActivationString> {
        if !is_secure(base) {
            return Err(NotAnActivationString::NotSecure);
        }
        let plain = text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| match c.to_ascii_uppercase() {
            '0' => 'O',
            '1' => 'I',
            '8' => 'B',
            other => other,
        });
        let octets = BASE32_NOPAD.decode(plain.collect::<String>().as_bytes()).map_err(|error| match error.kind {
            data_encoding::DecodeKind::Symbol => NotAnActivationString::Checksum,
            _ => NotAnActivationString::Length,
        })?;
        Self::of_octets(base, &octets)
    }

    fn of_octets(base: &str, octets: &[u8]) -> Result<Self, NotAnActivationString> {
        if octets.len() != LENGTH {
            return Err(NotAnActivationString::Length);
        }
        let (id, rest) = octets.split_at(ID_LENGTH);
        let (secret, sum) = rest.split_at(SECRET_LENGTH);
        if checksum(id, secret) != sum {
            return Err(NotAnActivationString::Checksum);
        }
        let id: [u8; ID_LENGTH] = id.try_into().map_err(|_| NotAnActivationString::Length)?;
        let id = Id::from_bits(u128::from_be_bytes(id));
        Ok(Self { base: base.to_owned(), id, secret: SecretBytes::new(secret.to_vec()) })
    }

    fn octets(&self) -> Vec<u8> {
        let (id, secret) = (self.id.to_bytes(), self.secret.expose());
        [id.as_slice(), secret, &checksum(&id, secret)].concat()
    }
}

/// Whether a server at this address has a certificate, or is this very machine, for development. The host is looked at as a whole:
/// `http://localhost.example.com` and `http://127.0.0.1@example.com` are other machines.
fn is_secure(base: &str) -> bool {
    let local = |host: Option<&str>| matches!(host, Some("127.0.0.1" | "localhost"));
    base.starts_with("https://")
        || base.starts_with("http://") && url::Url::parse(base).is_ok_and(|url| local(url.host_str()))
}

/// The first three octets of SHA-256 over a name, the identifier and the secret. They tell an outsider
/// nothing: whoever has them has the secret next to them.
fn checksum(id: &[u8], secret: &[u8]) -> [u8; CHECKSUM_LENGTH] {
    let digest = Sha256::new().chain_update(b"vestibule activation 1").chain_update(id).chain_update(secret).finalize();
    let mut sum = [0; CHECKSUM_LENGTH];
    sum.iter_mut().zip(digest.iter()).for_each(|(sum, octet)| *sum = *octet);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> ActivationString {
        ActivationString {
            base: "https://login.example.com/t/acme".to_owned(),
            id: ActivationId::from_bits(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
            secret: SecretBytes::new((0..16).collect()),
        }
    }

    ///
    #[test]
    fn a_string_is_read_back() {
        let link = example().to_link();
        assert!(link.is_ascii() && link.starts_with("https://login.example.com/t/acme/activate#1."), "{link}");
        let read = ActivationString::parse(&format!("  {link}\n")).expect("a link");
        assert_eq!((read.id, read.base.as_str()), (example().id, "https://login.example.com/t/acme"));
        assert!(read.secret.same_as(example().secret.expose()));
        let short = example().to_short();
        assert_eq!(short.len(), 56 + 13, "{short}");
        let typed = short.to_lowercase().replace('-', " ");
        assert!(ActivationString::parse_short(&read.base, &typed).is_ok_and(|read| read.id == example().id));
    }

    /// no other machine is called without a certificate, whatever its name looks like.
    #[test]
    fn only_this_machine_needs_no_certificate() {
        let read = |base: &str| {
            let string = ActivationString { base: base.to_owned(), ..example() };
            let short = ActivationString::parse_short(base, &string.to_short());
            (ActivationString::parse(&string.to_link()).err(), short.err())
        };
        for base in ["https://login.example.com/t/acme", "http://127.0.0.1:8080/t/acme", "http://localhost/t/acme"] {
            assert_eq!(read(base), (None, None), "{base}");
        }
        let refused = (Some(NotAnActivationString::NotALink), Some(NotAnActivationString::NotSecure));
        for base in [
            "http://login.example.com/t/acme",
            "http://localhost.example.com/t/acme",
            "http://127.0.0.1.example.com/t/acme",
            "http://127.0.0.1@example.com/t/acme",
            "http://localhost:80@example.com/t/acme",
            "login.example.com/t/acme",
            "",
        ] {
            assert_eq!(read(base), refused, "{base}");
        }
    }

    ///
    #[test]
    fn every_truncation_and_every_mistake_is_noticed() {
        let link = example().to_link();
        for end in 0..link.len() {
            assert!(ActivationString::parse(&link[..end]).is_err(), "{}", &link[..end]);
        }
        let start = link.find("#1.").expect("a fragment") + 3;
        for at in start..link.len() {
            let other = if &link[at..=at] == "A" { "B" } else { "A" };
            let mistyped = format!("{}{other}{}", &link[..at], &link[at + 1..]);
            assert!(ActivationString::parse(&mistyped).is_err(), "{mistyped}");
        }
        for (text, fault) in [
            ("http://login.example.com/t/acme/activate#1.AA", NotAnActivationString::NotALink),
            ("otpauth://totp/x", NotAnActivationString::NotALink),
            ("https://login.example.com/t/acme/activate#2.AA", NotAnActivationString::Version),
            ("https://login.example.com/t/acme/activate#1.AA", NotAnActivationString::Length),
        ] {
            assert_eq!(ActivationString::parse(text).expect_err("not a string"), fault, "{text}");
        }
    }
}
