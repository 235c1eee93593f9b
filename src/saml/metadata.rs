//! Our metadata (R-486, saml-metadata-2.0): who we are, where we are, which certificates sign now and next.

use std::time::Duration;

use super::message::{POST, REDIRECT, SOAP, written};
use super::sign::{ECDSA_SHA256, RSA_SHA256, SHA256, Signer, key_info};
use super::write::{METADATA, Tag};
use crate::domain::service_provider::NameIdFormat;
use crate::domain::timestamp::Timestamp;
use crate::keys::signing::SigningKeyError;

/// The protocol that everybody here speaks.
pub const SAML2: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
/// How long what was fetched is good. Whoever fetches it again and again hears of a new certificate in time; who never
/// does would go on believing a key that was stolen.
pub const GOOD_FOR: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// How often service providers shall look; shorter than a new key is published before it signs.
const CACHE: &str = "PT6H";
const ALGORITHMS: (&str, &str) = ("alg", "urn:oasis:names:tc:SAML:metadata:algsupport");
const INTERFACE: (&str, &str) = ("mdui", "urn:oasis:names:tc:SAML:metadata:ui");

/// What our metadata says.
#[derive(Debug, Clone, Copy)]
pub struct Ours<'a> {
    /// Our entity ID, which is also where the metadata is.
    pub entity_id: &'a str,
    /// Where requests come to.
    pub sso: &'a str,
    /// Where logout messages come to.
    pub slo: &'a str,
    /// Where servers bring them.
    pub slo_soap: &'a str,
    /// What people call us, and the tag of its language.
    pub display_name: (&'a str, &'a str),
    /// Certificates in DER, the one that signs now first: some service providers look at no other.
    pub certificates: &'a [&'a [u8]],
    /// When it was made, for those who fetch it again; a file that somebody puts somewhere by hand does not expire.
    pub fetched_at: Option<Timestamp>,
}

impl Ours<'_> {
    /// The document, signed. `id` is its XML identifier.
    ///
    /// # Errors
    /// If the key refuses.
    pub fn signed(&self, signer: &Signer<'_>, id: &str) -> Result<String, SigningKeyError> {
        let algorithm = |name, algorithm: &str| Tag::new(ALGORITHMS, name).with("Algorithm", algorithm);
        let extensions = Tag::new(METADATA, "Extensions").children([
            algorithm("DigestMethod", SHA256),
            algorithm("DigestMethod", "http://www.w3.org/2001/04/xmlenc#sha512"),
            algorithm("SigningMethod", RSA_SHA256),
            algorithm("SigningMethod", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"),
            algorithm("SigningMethod", ECDSA_SHA256),
        ]);
        let entity = Tag::new(METADATA, "EntityDescriptor")
            .with("ID", id)
            .with("entityID", self.entity_id)
            .with_some("cacheDuration", self.fetched_at.map(|_| CACHE))
            .with_some("validUntil", self.fetched_at.map(|at| written(at.plus(GOOD_FOR))))
            .child(extensions)
            .child(self.role());
        signer.signed(&entity, id, 0)
    }

    fn role(&self) -> Tag {
        let (name, language) = self.display_name;
        let name = Tag::new(INTERFACE, "DisplayName").with("xml:lang", language).text(name);
        let interface = Tag::new(METADATA, "Extensions").child(Tag::new(INTERFACE, "UIInfo").child(name));
        let key = |der: &&[u8]| Tag::new(METADATA, "KeyDescriptor").with("use", "signing").child(key_info(der));
        let service = |name, binding, location: &str| {
            Tag::new(METADATA, name).with("Binding", binding).with("Location", location)
        };
        let formats = NameIdFormat::ALL.into_iter().map(|(_, urn)| Tag::new(METADATA, "NameIDFormat").text(urn));
        let both = |name, location| [REDIRECT, POST].map(|binding| service(name, binding, location));
        Tag::new(METADATA, "IDPSSODescriptor")
            .with("WantAuthnRequestsSigned", "false")
            .with("protocolSupportEnumeration", SAML2)
            .child(interface)
            .children(self.certificates.iter().map(key))
            .children(both("SingleLogoutService", self.slo))
            .child(service("SingleLogoutService", SOAP, self.slo_soap))
            .children(formats)
            .children(both("SingleSignOnService", self.sso))
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;
    use crate::domain::ids::SigningKeyId;
    use crate::domain::signing_key::SignatureAlgorithm;
    use crate::keys::signing::{RsaSize, SigningKey};

    ///
    #[test]
    fn ours_is_read_by_a_foreign_library() {
        let key = SigningKey::generate(SigningKeyId::from_bits(1), SignatureAlgorithm::Rs256, RsaSize::Bits2048);
        let ours = Ours {
            entity_id: "https://login.example.com/t/acme/saml/metadata",
            sso: "https://login.example.com/t/acme/saml/sso",
            slo: "https://login.example.com/t/acme/saml/slo",
            slo_soap: "https://login.example.com/t/acme/saml/slo/soap",
            display_name: ("Acme & <Söhne>", "de"),
            certificates: &[b"a", b"b"],
            fetched_at: Some(Timestamp::from_seconds(1_800_000_000)),
        };
        let signer = Signer { key: &key.expect("generates"), certificate: b"a" };
        let text = ours.signed(&signer, "_m").expect("signs");
        let read = samael::metadata::EntityDescriptor::from_str(&text).expect("metadata");
        assert_eq!(read.entity_id.as_deref(), Some("https://login.example.com/t/acme/saml/metadata"));
        assert_eq!(read.valid_until.map(|at| at.timestamp()), Some(1_800_000_000 + 14 * 86_400));
        let role = read.idp_sso_descriptors.expect("a role").remove(0);
        assert_eq!((role.key_descriptors.len(), role.single_sign_on_services.len()), (2, 2));
        assert_eq!(role.single_logout_services.len(), 3);
        let by_hand = Ours { fetched_at: None, ..ours }.signed(&signer, "_m").expect("signs");
        assert!(!by_hand.contains("validUntil") && !by_hand.contains("cacheDuration"));
    }
}
