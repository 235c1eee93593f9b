//! Encrypted assertions (core 2.3.4, XML Encryption): AES in Galois/Counter mode with a key of its own for each,
//! which RSA-OAEP carries. Nothing else is offered: whoever may ask a service provider often enough reads what is
//! encrypted in the other modes.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey};
use zeroize::Zeroizing;

use super::write::{ASSERTION, ENCRYPTION, SIGNATURE, Tag};
use crate::clock::Entropy;
use crate::domain::service_provider::{ContentCipher, Encryption, KeyTransport};
use crate::keys::x509;

/// AES-128 in Galois/Counter mode.
pub const AES_128: &str = "http://www.w3.org/2009/xmlenc11#aes128-gcm";
/// AES-256 in Galois/Counter mode.
pub const AES_256: &str = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
/// RSA-OAEP as XML Encryption 1.0 has it.
pub const OAEP_MGF1P: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
/// RSA-OAEP as XML Encryption 1.1 has it.
pub const OAEP: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";
const ELEMENT: &str = "http://www.w3.org/2001/04/xmlenc#Element";
const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
const MGF1_SHA256: &str = "http://www.w3.org/2009/xmlenc11#mgf1sha256";

/// Why nothing can be encrypted for a service provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionError {
    /// The certificate is none, or has no RSA key of 2048 bits or more.
    #[error("is not a certificate with an RSA key of at least 2048 bits")]
    Certificate,
    /// The cryptographic library refused.
    #[error("the cryptographic library could not encrypt")]
    Library,
}

/// The key of a certificate in base64 of DER.
///
/// # Errors
/// [`EncryptionError::Certificate`].
pub fn key_of(certificate: &str) -> Result<OaepPublicEncryptingKey, EncryptionError> {
    x509::encryption_key(certificate).ok_or(EncryptionError::Certificate)
}

/// `xml`, which declares its own namespaces, as an `EncryptedAssertion`.
///
/// # Errors
/// [`EncryptionError`].
pub fn encrypted(xml: &str, how: &Encryption, entropy: &Entropy) -> Result<Tag, EncryptionError> {
    let key = key_of(&how.certificate)?;
    let failed = |_| EncryptionError::Library;
    let secret = Zeroizing::new(entropy.bytes::<32>());
    let (algorithm, name) = match how.content {
        ContentCipher::Aes256Gcm => (&AES_256_GCM, AES_256),
        ContentCipher::Aes128Gcm => (&AES_128_GCM, AES_128),
    };
    let secret = secret.get(..algorithm.key_len()).ok_or(EncryptionError::Library)?;
    // The nonce stands before what is encrypted, the tag behind it (xmlenc-core1 5.2.4).
    let nonce = entropy.bytes::<12>();
    let mut content = xml.as_bytes().to_vec();
    let cipher = LessSafeKey::new(UnboundKey::new(algorithm, secret).map_err(failed)?);
    let nonce_once = Nonce::assume_unique_for_key(nonce);
    cipher.seal_in_place_append_tag(nonce_once, Aad::empty(), &mut content).map_err(failed)?;
    let content = [nonce.as_slice(), &content].concat();

    let (padding, transport) = match how.transport {
        KeyTransport::OaepMgf1p => {
            let digest = Tag::new(SIGNATURE, "DigestMethod").with("Algorithm", SHA1);
            (&OAEP_SHA1_MGF1SHA1, method(OAEP_MGF1P).child(digest))
        }
        KeyTransport::OaepSha256 => {
            let digest = Tag::new(SIGNATURE, "DigestMethod").with("Algorithm", SHA256);
            let mask = Tag::new(ENCRYPTION_11, "MGF").with("Algorithm", MGF1_SHA256);
            (&OAEP_SHA256_MGF1SHA256, method(OAEP).child(digest).child(mask))
        }
    };
    let mut wrapped = vec![0; key.ciphertext_size()];
    let wrapped = key.encrypt(padding, secret, &mut wrapped, None).map_err(failed)?;
    let certificate = Tag::new(SIGNATURE, "X509Certificate").text(&how.certificate);
    let whose = Tag::new(SIGNATURE, "KeyInfo").child(Tag::new(SIGNATURE, "X509Data").child(certificate));
    let wrapped = Tag::new(ENCRYPTION, "EncryptedKey").child(transport).child(whose).child(value(wrapped));
    let data = Tag::new(ENCRYPTION, "EncryptedData")
        .with("Type", ELEMENT)
        .child(method(name))
        .child(Tag::new(SIGNATURE, "KeyInfo").child(wrapped))
        .child(value(&content));
    Ok(Tag::new(ASSERTION, "EncryptedAssertion").child(data))
}

const ENCRYPTION_11: (&str, &str) = ("xenc11", "http://www.w3.org/2009/xmlenc11#");

fn method(algorithm: &str) -> Tag {
    Tag::new(ENCRYPTION, "EncryptionMethod").with("Algorithm", algorithm)
}

fn value(octets: &[u8]) -> Tag {
    Tag::new(ENCRYPTION, "CipherData").child(Tag::new(ENCRYPTION, "CipherValue").octets(octets))
}
