//! Our signatures: enveloped, over what [`super::write`] wrote (XML Signature, SAML core 5), and over the query of a
//! redirect (bindings 3.4.4.1).

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::write::{SIGNATURE, Tag};
use crate::domain::signing_key::SignatureAlgorithm;
use crate::keys::signing::{SigningKey, SigningKeyError};

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
/// RSA with SHA-256.
pub const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
/// ECDSA with SHA-256.
pub const ECDSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
/// SHA-256.
pub const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
/// What stands in a query as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A key with its certificate.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    /// The key.
    pub key: &'a SigningKey,
    /// Its certificate in DER.
    pub certificate: &'a [u8],
}

impl Signer<'_> {
    /// The name of the key's algorithm.
    const fn algorithm(&self) -> &'static str {
        match self.key.algorithm() {
            SignatureAlgorithm::Es256 => ECDSA_SHA256,
            // EdDSA keys never sign SAML; configuration and keys see to that.
            SignatureAlgorithm::Rs256 | SignatureAlgorithm::EdDsa => RSA_SHA256,
        }
    }

    /// Signs `tag`, whose attribute `ID` is `id`, and puts the signature behind its first `position` children, where the
    /// schema wants it. Gives the canonical XML with the signature in it.
    ///
    /// # Errors
    /// If the key refuses.
    pub fn signed(&self, tag: &Tag, id: &str, position: usize) -> Result<String, SigningKeyError> {
        // Written once: what is hashed is what is sent, and the signature is put into it.
        let (mut xml, place) = tag.canonical_with_place(position);
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, xml.as_bytes());
        let info = self.signed_info(id, digest.as_ref());
        let value = self.key.sign(info.canonical().as_bytes())?;
        let signature = Tag::new(SIGNATURE, "Signature")
            .child(info)
            .child(Tag::new(SIGNATURE, "SignatureValue").octets(&value))
            .child(key_info(self.certificate));
        xml.insert_str(place, &signature.canonical());
        Ok(xml)
    }

    fn signed_info(&self, id: &str, digest: &[u8]) -> Tag {
        let transform = |algorithm: &str| Tag::new(SIGNATURE, "Transform").with("Algorithm", algorithm);
        let reference = Tag::new(SIGNATURE, "Reference")
            .with("URI", format!("#{id}"))
            .child(Tag::new(SIGNATURE, "Transforms").child(transform(ENVELOPED)).child(transform(EXCLUSIVE)))
            .child(Tag::new(SIGNATURE, "DigestMethod").with("Algorithm", SHA256))
            .child(Tag::new(SIGNATURE, "DigestValue").octets(digest));
        Tag::new(SIGNATURE, "SignedInfo")
            .child(Tag::new(SIGNATURE, "CanonicalizationMethod").with("Algorithm", EXCLUSIVE))
            .child(Tag::new(SIGNATURE, "SignatureMethod").with("Algorithm", self.algorithm()))
            .child(reference)
    }

    /// The query that carries `xml` as the parameter `name`, signed.
    ///
    /// # Errors
    /// If the key refuses.
    pub fn query(&self, name: &str, xml: &str, relay_state: Option<&str>) -> Result<String, SigningKeyError> {
        let encoded = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
        let mut query = format!("{name}={}", encoded(&deflated(xml)));
        if let Some(state) = relay_state {
            query.push_str("&RelayState=");
            query.push_str(&encoded(state));
        }
        query.push_str("&SigAlg=");
        query.push_str(&encoded(self.algorithm()));
        let signature = self.key.sign(query.as_bytes())?;
        query.push_str("&Signature=");
        query.push_str(&encoded(&STANDARD.encode(signature)));
        Ok(query)
    }
}

/// A certificate as signatures and metadata carry it.
#[must_use]
pub fn key_info(certificate: &[u8]) -> Tag {
    let certificate = Tag::new(SIGNATURE, "X509Certificate").octets(certificate);
    Tag::new(SIGNATURE, "KeyInfo").child(Tag::new(SIGNATURE, "X509Data").child(certificate))
}

/// A message as a redirect carries it.
fn deflated(xml: &str) -> String {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    // Writing to memory fails never; an empty message would be refused by whoever gets it.
    let packed = encoder.write_all(xml.as_bytes()).and_then(|()| encoder.finish()).unwrap_or_default();
    STANDARD.encode(packed)
}
