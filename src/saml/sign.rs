//! Enveloped signatures over what [`super::write`] wrote (XML Signature, SAML core 5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::write::{SIGNATURE, Tag};
use crate::keys::signing::{SigningKey, SigningKeyError};

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

/// Signs `tag`, whose attribute `ID` is `id`, and puts the signature after its issuer, where the schema
/// wants it. Gives the canonical XML with the signature in it.
///
/// # Errors
/// If the key refuses.
pub fn signed(tag: Tag, id: &str, key: &SigningKey, certificate: &[u8]) -> Result<String, SigningKeyError> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, tag.canonical().as_bytes());
    let info = signed_info(id, &STANDARD.encode(digest.as_ref()));
    let value = STANDARD.encode(key.sign(info.canonical().as_bytes())?);
    let certificate = Tag::new(SIGNATURE, "X509Certificate").text(STANDARD.encode(certificate));
    let signature = Tag::new(SIGNATURE, "Signature")
        .child(info)
        .child(Tag::new(SIGNATURE, "SignatureValue").text(value))
        .child(Tag::new(SIGNATURE, "KeyInfo").child(Tag::new(SIGNATURE, "X509Data").child(certificate)));
    Ok(tag.ready_at(1, signature.canonical()).canonical())
}

fn signed_info(id: &str, digest: &str) -> Tag {
    let transform = |algorithm: &str| Tag::new(SIGNATURE, "Transform").with("Algorithm", algorithm);
    let reference = Tag::new(SIGNATURE, "Reference")
        .with("URI", format!("#{id}"))
        .child(Tag::new(SIGNATURE, "Transforms").child(transform(ENVELOPED)).child(transform(EXCLUSIVE)))
        .child(Tag::new(SIGNATURE, "DigestMethod").with("Algorithm", SHA256))
        .child(Tag::new(SIGNATURE, "DigestValue").text(digest));
    Tag::new(SIGNATURE, "SignedInfo")
        .child(Tag::new(SIGNATURE, "CanonicalizationMethod").with("Algorithm", EXCLUSIVE))
        .child(Tag::new(SIGNATURE, "SignatureMethod").with("Algorithm", RSA_SHA256))
        .child(reference)
}
