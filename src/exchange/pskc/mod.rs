//! Portable symmetric key containers (PSKC, RFC 6030): how makers deliver the secrets of hardware tokens.
//!
//! Plain, encrypted under a pre-shared key, and encrypted under a password. What is encrypted must carry a MAC, and the MAC
//! is compared before anything is decrypted: AES in CBC mode hides a secret and does not protect it. We write encrypted
//! ones only.

mod cipher;
mod read;
mod write;

pub use cipher::{DERIVATIONS, Protection, WRITTEN_ITERATIONS, key_of_hex};
pub use read::{Container, read};
pub use write::write;

/// The namespace of RFC 6030.
const PSKC: &str = "urn:ietf:params:xml:ns:keyprov:pskc";
/// The namespace of its drafts, in which some still write.
const PSKC_DRAFT: &str = "urn:ietf:params:xml:ns:keyprov:pskc:1.0";
const HOTP: &str = "urn:ietf:params:xml:ns:keyprov:pskc:hotp";
const TOTP: &str = "urn:ietf:params:xml:ns:keyprov:pskc:totp";
const OCRA: &str = "urn:ietf:params:xml:ns:keyprov:pskc:OCRA-1";
const HMAC_SHA1: &str = "http://www.w3.org/2000/09/xmldsig#hmac-sha1";
const AES_128: &str = "http://www.w3.org/2001/04/xmlenc#aes128-cbc";
const AES_192: &str = "http://www.w3.org/2001/04/xmlenc#aes192-cbc";
const AES_256: &str = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
const PBKDF2: &str = "http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#pbkdf2";
const PBKDF2_DRAFT: &str = "http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5#pbkdf2";
