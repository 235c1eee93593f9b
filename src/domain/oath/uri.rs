//! `otpauth://` addresses: what a standard app's QR code holds (R-173, the Key URI format).

use data_encoding::BASE32_NOPAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::Algorithm;
use crate::domain::secret::SecretBytes;

/// Everything that is not unreserved is encoded, so that a colon or an ampersand in a name stays a name.
const LABEL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// What moves a standard app's passcodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Time steps of this many seconds.
    Totp {
        /// Length of a step.
        period: u32,
    },
    /// A counter that begins here; the format demands it.
    Hotp {
        /// The next counter.
        counter: u64,
    },
}

/// The content of an `otpauth://` address.
#[derive(Debug, Clone)]
pub struct OtpAuth {
    /// The organization.
    pub issuer: String,
    /// The account, such as a user name.
    pub account: String,
    /// The OTP secret.
    pub secret: SecretBytes,
    /// The hash function.
    pub algorithm: Algorithm,
    /// 6 to 8.
    pub digits: u8,
    /// Time-based or event-based.
    pub kind: Kind,
}

/// Why a text is not a usable `otpauth://` address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOtpAuth {
    /// Another scheme, or no `totp` or `hotp` after it.
    #[error("is not an otpauth://totp or otpauth://hotp address")]
    Scheme,
    /// The secret is missing or not base32.
    #[error("has no base32 secret")]
    Secret,
    /// An algorithm that is not SHA1, SHA256 or SHA512.
    #[error("names an algorithm other than SHA1, SHA256 and SHA512")]
    Algorithm,
    /// Digits outside 6 to 8.
    #[error("asks for a number of digits other than 6 to 8")]
    Digits,
    /// A period outside 5 to 300 seconds.
    #[error("asks for a period outside 5 to 300 seconds")]
    Period,
    /// `hotp` without its counter.
    #[error("is event-based but has no counter")]
    Counter,
}

impl OtpAuth {
    /// The address, with an unpadded base32 secret and the issuer both as prefix and as parameter.
    #[must_use]
    pub fn to_uri(&self) -> String {
        let encode = |text: &str| utf8_percent_encode(text, LABEL).to_string();
        let (kind, moving) = match self.kind {
            Kind::Totp { period } => ("totp", format!("period={period}")),
            Kind::Hotp { counter } => ("hotp", format!("counter={counter}")),
        };
        format!(
            "otpauth://{kind}/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm={algorithm}&digits={digits}&{moving}",
            issuer = encode(&self.issuer),
            account = encode(&self.account),
            secret = BASE32_NOPAD.encode(self.secret.expose()),
            algorithm = self.algorithm.name(),
            digits = self.digits,
        )
    }

    /// Reads an address, forgiving what apps forgive: lower case, padding, a missing issuer (G7).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NotOtpAuth> {
        let url = url::Url::parse(text.trim()).map_err(|_| NotOtpAuth::Scheme)?;
        let kind = url.host_str().unwrap_or_default().to_ascii_lowercase();
        if url.scheme() != "otpauth" || !matches!(kind.as_str(), "totp" | "hotp") {
            return Err(NotOtpAuth::Scheme);
        }
        let parameter =
            |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let label = percent_decode_str(url.path().trim_start_matches('/')).decode_utf8_lossy().into_owned();
        let (prefix, account) = label.split_once(':').unwrap_or(("", &label));
        let number = |name: &str| parameter(name).map(|value| value.parse::<u64>().ok());
        let kind = if kind == "totp" {
            let period = number("period").unwrap_or(Some(30)).ok_or(NotOtpAuth::Period)?;
            let period = u32::try_from(period).ok().filter(|p| (5..=300).contains(p)).ok_or(NotOtpAuth::Period)?;
            Kind::Totp { period }
        } else {
            Kind::Hotp { counter: number("counter").flatten().ok_or(NotOtpAuth::Counter)? }
        };
        Ok(Self {
            issuer: parameter("issuer").unwrap_or_else(|| prefix.trim().to_owned()),
            account: account.trim().to_owned(),
            secret: base32(&parameter("secret").unwrap_or_default()).ok_or(NotOtpAuth::Secret)?,
            algorithm: algorithm(parameter("algorithm").as_deref())?,
            digits: match number("digits") {
                None => 6,
                Some(Some(digits @ 6..=8)) => u8::try_from(digits).map_err(|_| NotOtpAuth::Digits)?,
                Some(_) => return Err(NotOtpAuth::Digits),
            },
            kind,
        })
    }
}

/// A base32 text as people write it: any case, spaces, padding. `None` if it is empty or not base32.
#[must_use]
pub fn base32(text: &str) -> Option<SecretBytes> {
    let text: String = text.chars().filter(|c| !c.is_whitespace() && *c != '=' && *c != '-').collect();
    let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?;
    (!bytes.is_empty()).then(|| SecretBytes::new(bytes))
}

fn algorithm(name: Option<&str>) -> Result<Algorithm, NotOtpAuth> {
    match name.unwrap_or("SHA1").to_ascii_uppercase().replace('-', "").as_str() {
        "SHA1" => Ok(Algorithm::Sha1),
        "SHA256" => Ok(Algorithm::Sha256),
        "SHA512" => Ok(Algorithm::Sha512),
        _ => Err(NotOtpAuth::Algorithm),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn an_address_survives_its_text() {
        let written = OtpAuth {
            issuer: "ACME Co".to_owned(),
            account: "john:doe@email.com".to_owned(),
            secret: base32("HXDMVJECJJWSRB3HWIZR4IFUGFTMXBOZ").expect("base32"),
            algorithm: Algorithm::Sha1,
            digits: 6,
            kind: Kind::Totp { period: 30 },
        };
        let uri = written.to_uri();
        assert_eq!(
            uri,
            "otpauth://totp/ACME%20Co:john%3Adoe@email.com?secret=HXDMVJECJJWSRB3HWIZR4IFUGFTMXBOZ\
             &issuer=ACME%20Co&algorithm=SHA1&digits=6&period=30"
        );
        let read = OtpAuth::parse(&uri).expect("our own address");
        assert_eq!((read.issuer, read.account), (written.issuer, written.account));
        assert!(read.secret.same_as(written.secret.expose()) && read.kind == written.kind);
    }

    #[test]
    fn what_other_apps_write_is_read_and_the_rest_is_refused_g7() {
        let read = OtpAuth::parse("otpauth://totp/Example%3Aalice@google.com?secret=jbswy3dpehpk3pxp").expect("fine");
        assert_eq!((read.issuer.as_str(), read.account.as_str()), ("Example", "alice@google.com"));
        for (text, fault) in [
            ("https://totp/x?secret=JBSWY3DP", NotOtpAuth::Scheme),
            ("otpauth://steam/x?secret=JBSWY3DP", NotOtpAuth::Scheme),
            ("otpauth://hotp/x?secret=JBSWY3DP", NotOtpAuth::Counter),
            ("otpauth://totp/x?secret=", NotOtpAuth::Secret),
            ("otpauth://totp/x?secret=JB1", NotOtpAuth::Secret),
            ("otpauth://totp/x?secret=JBSWY3DP&algorithm=MD5", NotOtpAuth::Algorithm),
            ("otpauth://totp/x?secret=JBSWY3DP&digits=4", NotOtpAuth::Digits),
            ("otpauth://totp/x?secret=JBSWY3DP&period=0", NotOtpAuth::Period),
        ] {
            assert_eq!(OtpAuth::parse(text).err(), Some(fault), "{text}");
        }
    }
}
