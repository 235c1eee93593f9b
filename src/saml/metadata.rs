//! Metadata: ours, and what service providers say about themselves (saml-metadata-2.0).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::tree::{Element, XmlError};
use super::write::{METADATA, SIGNATURE, Tag};
use crate::domain::service_provider::{AcsEndpoint, Described, NameIdFormat};

const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
const SAML2: &str = "urn:oasis:names:tc:SAML:2.0:protocol";

/// Our metadata (R-486): the certificates that sign now and next, the addresses, the formats.
#[must_use]
pub fn ours(entity_id: &str, sso: &str, certificates: &[&[u8]]) -> String {
    let key = |der: &[u8]| {
        let certificate = Tag::new(SIGNATURE, "X509Certificate").text(STANDARD.encode(der));
        let info = Tag::new(SIGNATURE, "KeyInfo").child(Tag::new(SIGNATURE, "X509Data").child(certificate));
        Tag::new(METADATA, "KeyDescriptor").with("use", "signing").child(info)
    };
    let service = |binding| Tag::new(METADATA, "SingleSignOnService").with("Binding", binding).with("Location", sso);
    let formats = NameIdFormat::ALL.into_iter().map(|(_, urn)| Tag::new(METADATA, "NameIDFormat").text(urn));
    let provider = Tag::new(METADATA, "IDPSSODescriptor")
        .with("WantAuthnRequestsSigned", "false")
        .with("protocolSupportEnumeration", SAML2)
        .children(certificates.iter().map(|der| key(der)))
        .children(formats)
        .children([service(REDIRECT), service(POST)]);
    Tag::new(METADATA, "EntityDescriptor").with("entityID", entity_id).child(provider).canonical()
}

/// Why metadata cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// It cannot be read.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// It is not an EntityDescriptor, or not of a service provider.
    #[error("has no EntityDescriptor with an SPSSODescriptor for SAML 2.0")]
    NotAServiceProvider,
}

/// Reads the metadata of a service provider. Comments and the like, which many tools write, are allowed here:
/// an operator hands it in, nobody else.
///
/// # Errors
/// What is wrong with it.
pub fn described(text: &str) -> Result<Described, MetadataError> {
    let root = Element::parse(without_comments(text).as_bytes())?;
    let md = METADATA.1;
    let root = if root.is(md, "EntitiesDescriptor") { root.one(md, "EntityDescriptor").cloned() } else { Some(root) };
    let root = root.filter(|root| root.is(md, "EntityDescriptor")).ok_or(MetadataError::NotAServiceProvider)?;
    let speaks = |role: &&Element| {
        role.attribute("protocolSupportEnumeration").is_some_and(|list| list.split_whitespace().any(|one| one == SAML2))
    };
    let role = root.all(md, "SPSSODescriptor").find(speaks).ok_or(MetadataError::NotAServiceProvider)?;
    let certificates = role.all(md, "KeyDescriptor").filter(|key| key.attribute("use") != Some("encryption"));
    let certificates = certificates.filter_map(|key| {
        let data = key.one(SIGNATURE.1, "KeyInfo")?.one(SIGNATURE.1, "X509Data")?;
        let text = &data.one(SIGNATURE.1, "X509Certificate")?.text;
        Some(text.chars().filter(|c| !c.is_whitespace()).collect::<String>())
    });
    Ok(Described {
        entity_id: root.attribute("entityID").unwrap_or_default().to_owned(),
        acs: acs(role),
        name_id_formats: role.all(md, "NameIDFormat").filter_map(|f| NameIdFormat::of_urn(f.text.trim())).collect(),
        certificates: certificates.collect(),
        signs_requests: matches!(role.attribute("AuthnRequestsSigned"), Some("true" | "1")),
    })
}

/// The addresses that take answers by HTTP-POST, the default first (metadata 2.2.3).
fn acs(role: &Element) -> Vec<AcsEndpoint> {
    let mut found: Vec<(bool, AcsEndpoint)> = role
        .all(METADATA.1, "AssertionConsumerService")
        .filter(|service| service.attribute("Binding") == Some(POST))
        .filter_map(|service| {
            let default = matches!(service.attribute("isDefault"), Some("true" | "1"));
            let index = service.attribute("index").and_then(|index| index.parse().ok()).unwrap_or(0);
            let url = service.attribute("Location")?.to_owned();
            Some((default, AcsEndpoint { index, url }))
        })
        .collect();
    found.sort_by_key(|(default, endpoint)| (!default, endpoint.index));
    found.into_iter().map(|(_, endpoint)| endpoint).collect()
}

/// Takes comments out; whatever looks like one inside a value cannot stand there in well-formed XML.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<!--") {
        out.push_str(before);
        rest = after.split_once("-->").map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SP: &str = r#"<?xml version="1.0"?>
<!-- made by a tool -->
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="https://wiki.example.com/sp">
  <md:SPSSODescriptor AuthnRequestsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>
      MIIB
      AAAA</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>
    <md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact" Location="https://wiki.example.com/artifact" index="0"/>
    <md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://wiki.example.com/a" index="1"/>
    <md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://wiki.example.com/b" index="2" isDefault="true"/>
  </md:SPSSODescriptor>
</md:EntityDescriptor>"#;

    /// R-488.
    #[test]
    fn metadata_of_a_service_provider_is_read() {
        let described = described(SP).expect("metadata");
        assert_eq!(described.entity_id, "https://wiki.example.com/sp");
        let acs: Vec<(u32, &str)> = described.acs.iter().map(|acs| (acs.index, acs.url.as_str())).collect();
        assert_eq!(acs, [(2, "https://wiki.example.com/b"), (1, "https://wiki.example.com/a")]);
        assert_eq!(described.certificates, ["MIIBAAAA"]);
        assert_eq!(
            (described.name_id_formats.as_slice(), described.signs_requests),
            (&[NameIdFormat::Email][..], true)
        );
    }

    /// R-486.
    #[test]
    fn ours_is_read_by_a_foreign_library() {
        let text = ours(
            "https://login.example.com/t/acme/saml/metadata",
            "https://login.example.com/t/acme/saml/sso",
            &[b"a", b"b"],
        );
        let read: samael::metadata::EntityDescriptor =
            samael::metadata::EntityDescriptor::from_str(&text).expect("metadata");
        assert_eq!(read.entity_id.as_deref(), Some("https://login.example.com/t/acme/saml/metadata"));
        let role = read.idp_sso_descriptors.expect("a role").remove(0);
        assert_eq!((role.key_descriptors.len(), role.single_sign_on_services.len()), (2, 2));
    }

    use std::str::FromStr as _;

    #[test]
    fn what_is_no_service_provider_is_refused() {
        for text in
            ["", "<a/>", "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\"/>", "<!DOCTYPE x><a/>"]
        {
            assert!(described(text).is_err(), "{text}");
        }
    }
}
