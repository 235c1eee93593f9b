//! Self-signed certificates: the form in which SAML publishes a signing key.
//!
//! A service provider trusts the key because it stands in our metadata, not because of who signed
//! the certificate; so no authority is involved and no name in it is checked by anyone.

use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, KeyUsagePurpose, SerialNumber};
use rustls_pki_types::PrivatePkcs8KeyDer;

use super::signing::SigningKey;
use crate::clock::Entropy;
use crate::domain::timestamp::Timestamp;

/// Ten years: some service providers refuse a key whose certificate has run out, whatever the
/// metadata says, and the rotation of keys does not wait for certificates.
pub const LIFETIME: Duration = Duration::from_secs(3650 * 24 * 60 * 60);

/// Why a certificate cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The private key cannot be handed to the certificate library.
    #[error(transparent)]
    Key(#[from] super::signing::SigningKeyError),
    /// The certificate library refused.
    #[error("the certificate cannot be made: {0}")]
    Library(#[from] rcgen::Error),
    /// The time is beyond what a certificate can carry.
    #[error("the certificate's time is out of range")]
    Time,
}

/// A self-signed certificate of `key` in DER, valid from one hour before `now` (clocks differ) for
/// [`LIFETIME`], with `common_name` as its subject.
///
/// # Errors
/// [`CertificateError`]; no ordinary input causes one.
pub fn self_signed(
    key: &SigningKey,
    common_name: &str,
    now: Timestamp,
    entropy: &Entropy,
) -> Result<Vec<u8>, CertificateError> {
    let pkcs8 = key.to_pkcs8()?;
    let pair = KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8.expose()))?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = at(now.minus(Duration::from_secs(60 * 60)))?;
    params.not_after = at(now.plus(LIFETIME))?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Sixteen octets, the first bit clear: positive as RFC 5280, 4.1.2.2 wants it.
    let mut serial = entropy.bytes::<16>();
    if let Some(first) = serial.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params.self_signed(&pair)?.der().to_vec())
}

fn at(time: Timestamp) -> Result<time::OffsetDateTime, CertificateError> {
    time::OffsetDateTime::from_unix_timestamp(time.seconds()).map_err(|_| CertificateError::Time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::SigningKeyId;
    use crate::domain::signing_key::SignatureAlgorithm;
    use crate::keys::signing::RsaSize;

    ///
    #[test]
    fn a_certificate_carries_the_public_key_of_its_signing_key() {
        for algorithm in SignatureAlgorithm::ALL {
            let key =
                SigningKey::generate(SigningKeyId::from_bits(1), algorithm, RsaSize::Bits2048).expect("generates");
            let now = Timestamp::from_seconds(1_795_508_100);
            let der = self_signed(&key, "acme", now, &Entropy::seeded(1)).expect("a certificate");
            let jwk = key.public_jwk();
            let member = if algorithm == SignatureAlgorithm::Rs256 { "n" } else { "x" };
            let number =
                data_encoding::BASE64URL_NOPAD.decode(jwk[member].as_str().expect("text").as_bytes()).expect("base64");
            assert!(der.windows(number.len()).any(|window| window == number), "{algorithm:?}");
            assert!(der.windows(4).any(|window| window == b"acme"));
        }
    }
}
