//! What is read off other people's certificates: their key, until when they say they are good, whom they name.
//!
//! In SAML a certificate is a wrapping for a key that an operator has registered; nobody checks who signed it, and
//! version 1 is as good as version 3. So nothing more is read than that, and whatever cannot be read is no certificate.

use aws_lc_rs::rsa::{OaepPublicEncryptingKey, PublicEncryptingKey};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::der::{element, value};
use crate::domain::timestamp::Timestamp;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The object identifier 2.5.4.3 of a common name.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// A certificate, as far as anybody here looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// From when on it says it is good.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
    /// The common name of its subject, if there is one.
    pub common_name: Option<String>,
    /// Its key: a SubjectPublicKeyInfo in DER.
    pub public_key: Vec<u8>,
}

/// A way to sign that is believed (T-31).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// RSA with SHA-256.
    RsaSha256,
    /// RSA with SHA-512.
    RsaSha512,
    /// ECDSA on P-256 with SHA-256, its two numbers in DER.
    EcdsaSha256,
}

impl Certificate {
    /// Reads a certificate in DER.
    #[must_use]
    pub fn of_der(der: &[u8]) -> Option<Self> {
        let (certificate, after) = value(der, SEQUENCE)?;
        let (body, _) = value(certificate, SEQUENCE)?;
        let rest = value(body, VERSION).map_or(body, |(_, rest)| rest);
        let (_, rest) = value(rest, INTEGER)?;
        let (_, rest) = value(rest, SEQUENCE)?;
        let (_, rest) = value(rest, SEQUENCE)?;
        let (validity, rest) = value(rest, SEQUENCE)?;
        let (subject, rest) = value(rest, SEQUENCE)?;
        let (_, behind) = value(rest, SEQUENCE)?;
        let public_key = rest.get(..rest.len() - behind.len())?.to_vec();
        let (not_before, validity) = time(validity)?;
        let (not_after, _) = time(validity)?;
        let common_name = common_name(subject);
        after.is_empty().then_some(Self { not_before, not_after, common_name, public_key })
    }

    /// Reads a certificate in base64 of DER, as metadata has it.
    #[must_use]
    pub fn of_base64(text: &str) -> Option<Self> {
        Self::of_der(&STANDARD.decode(text).ok()?)
    }

    /// Whether `signature` over `message` was made with the key of this certificate.
    #[must_use]
    pub fn verifies(&self, scheme: Scheme, message: &[u8], signature: &[u8]) -> bool {
        let key = &self.public_key;
        let verified = match scheme {
            Scheme::RsaSha256 => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(message, signature),
            Scheme::RsaSha512 => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA512, key).verify(message, signature),
            Scheme::EcdsaSha256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(message, signature),
        };
        verified.is_ok()
    }
}

/// The first common name of a subject, as far as it is UTF-8.
fn common_name(mut subject: &[u8]) -> Option<String> {
    while let Some((set, rest)) = value(subject, SET) {
        subject = rest;
        let Some((pair, _)) = value(set, SEQUENCE) else { continue };
        let Some((oid, text)) = value(pair, 0x06) else { continue };
        if oid == COMMON_NAME {
            let (_, octets, _) = element(text)?;
            return String::from_utf8(octets.to_vec()).ok();
        }
    }
    None
}

fn time(der: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (tag, text, rest) = element(der)?;
    let text = std::str::from_utf8(text).ok()?;
    let text = match tag {
        // Two digits are of this century until 2049 (RFC 5280, 4.1.2.5.1).
        UTC_TIME => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u8>().ok();
    let month = time::Month::try_from(number(4, 6)?).ok()?;
    let date = time::Date::from_calendar_date(text.get(..4)?.parse().ok()?, month, number(6, 8)?).ok()?;
    let clock = time::Time::from_hms(number(8, 10)?, number(10, 12)?, number(12, 14)?).ok()?;
    let at = time::PrimitiveDateTime::new(date, clock).assume_utc();
    (text.get(14..) == Some("Z")).then_some((Timestamp::from_seconds(at.unix_timestamp()), rest))
}

/// The shortest RSA key that is encrypted to, in octets.
const SHORTEST: usize = 256;

/// The RSA key of a certificate in base64 of DER, if it is one of at least 2048 bits: what can be encrypted to.
#[must_use]
pub fn encryption_key(certificate: &str) -> Option<OaepPublicEncryptingKey> {
    let certificate = Certificate::of_base64(certificate)?;
    let key = PublicEncryptingKey::from_der(&certificate.public_key).ok()?;
    OaepPublicEncryptingKey::new(key).ok().filter(|key| key.key_size_bytes() >= SHORTEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Entropy;
    use crate::domain::ids::SigningKeyId;
    use crate::domain::signing_key::SignatureAlgorithm;
    use crate::keys::certificate::{LIFETIME, self_signed};
    use crate::keys::signing::{RsaSize, SigningKey};

    /// T-41: what another library wrote is read, and a signature of that key is believed.
    #[test]
    fn a_certificate_is_read_and_its_key_verifies() {
        let now = Timestamp::from_seconds(1_795_508_100);
        let id = SigningKeyId::from_bits(1);
        let key = SigningKey::generate(id, SignatureAlgorithm::Rs256, RsaSize::Bits2048).expect("generates");
        let der = self_signed(&key, "acme", now, &Entropy::seeded(1)).expect("a certificate");
        let read = Certificate::of_der(&der).expect("reads");
        assert_eq!(read.common_name.as_deref(), Some("acme"));
        assert_eq!((read.not_before.seconds(), read.not_after), (now.seconds() - 3600, now.plus(LIFETIME)));
        let signature = key.sign(b"message").expect("signs");
        assert!(read.verifies(Scheme::RsaSha256, b"message", &signature));
        assert!(!read.verifies(Scheme::RsaSha256, b"massage", &signature));
        assert!(!read.verifies(Scheme::RsaSha512, b"message", &signature));
        assert!(!read.verifies(Scheme::EcdsaSha256, b"message", &signature));
    }

    #[test]
    fn what_is_no_certificate_is_not_read() {
        let key = SigningKey::generate(SigningKeyId::from_bits(1), SignatureAlgorithm::Es256, RsaSize::Bits2048);
        let now = Timestamp::from_seconds(1_795_508_100);
        let der = self_signed(&key.expect("generates"), "acme", now, &Entropy::seeded(1)).expect("a certificate");
        for length in 0..der.len() {
            assert_eq!(Certificate::of_der(der.get(..length).expect("shorter")), None, "{length} octets of it");
        }
        let longer = [der.as_slice(), b"x"].concat();
        assert_eq!(Certificate::of_der(&longer), None);
        assert_eq!(Certificate::of_base64("not base64!"), None);
        // Every octet changed: no panic, whatever is read.
        for at in 0..der.len() {
            let mut changed = der.clone();
            changed[at] ^= 0xff;
            let _ = Certificate::of_der(&changed);
        }
    }
}
