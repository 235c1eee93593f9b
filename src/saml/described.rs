//! What service providers say about themselves: their metadata, read and told (saml-metadata-2.0, R-483).

use std::collections::BTreeSet;

use super::encrypt::{self, AES_128, AES_256, OAEP, OAEP_MGF1P};
use super::message::{POST, REDIRECT, SOAP, instant};
use super::metadata::SAML2;
use super::verify::{self, SignatureError};
use super::write::{METADATA, SIGNATURE};
use crate::domain::service_provider::draft::bare;
use crate::domain::service_provider::{
    AcsEndpoint, ContentCipher, Described, Encryption, KeyTransport, LogoutAddress, LogoutBinding, LogoutService,
    NameIdFormat,
};
use crate::domain::timestamp::Timestamp;
use crate::keys::x509::Certificate;
use crate::xml::{Element, Limits, XmlError, without_comments};

const ENCRYPTION_METHOD: &str = "EncryptionMethod";

/// Why metadata cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// It cannot be read.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// It is not signed as it must be.
    #[error("is not signed with the key of metadata_certificate: {0}")]
    Signature(SignatureError),
    /// It is not an EntityDescriptor, or not of a service provider.
    #[error("has no EntityDescriptor with an SPSSODescriptor for SAML 2.0")]
    NotAServiceProvider,
    /// It describes many, and nobody says which is meant.
    #[error("describes {0} service providers; say with entity_id which of them is meant")]
    Many(usize),
    /// The one that is meant is not there.
    #[error("does not describe a service provider with the entity ID \"{0}\"")]
    Missing(String),
    /// It says itself that it is not good any more.
    #[error("was valid until {0} only; get it anew")]
    Expired(String),
}

/// Reads the metadata of a service provider: the one named `entity_id`, or the only one. Comments and the like, which
/// many tools write, are allowed here: an operator hands it in, or its signature was checked, and nobody else.
///
/// # Errors
/// What is wrong with it.
pub fn described(text: &str, entity_id: Option<&str>, now: Timestamp) -> Result<Described, MetadataError> {
    let root = Element::parse_within(without_comments(text).as_bytes(), Limits::METADATA)?;
    let mut found = Vec::new();
    collect(&root, &[], &mut found);
    let named = |wanted: &str| found.iter().find(|one| one.entity.attribute("entityID") == Some(wanted));
    let found = match (entity_id, found.as_slice()) {
        (_, []) => return Err(MetadataError::NotAServiceProvider),
        // The operator may give the one that is described another name; what is written counts more.
        (_, [one]) => one,
        (None, many) => return Err(MetadataError::Many(many.len())),
        (Some(wanted), _) => named(wanted).ok_or_else(|| MetadataError::Missing(wanted.to_owned()))?,
    };
    let mut valid_until: Option<Timestamp> = None;
    let inside = [found.entity, found.role];
    for text in found.around.iter().copied().chain(inside).filter_map(|element| element.attribute("validUntil")) {
        let until = instant(text).filter(|until| *until > now);
        let until = until.ok_or_else(|| MetadataError::Expired(text.to_owned()))?;
        valid_until = Some(valid_until.map_or(until, |known| known.min(until)));
    }
    Ok(Described { valid_until, ..read(found.entity, found.role) })
}

/// As [`described`], of metadata that must be signed with the key of `certificate`, in base64 of DER.
///
/// # Errors
/// What is wrong with it.
pub fn signed(
    text: &str,
    certificate: &str,
    entity_id: Option<&str>,
    now: Timestamp,
) -> Result<Described, MetadataError> {
    let certificates = [certificate.to_owned()];
    let signed = verify::metadata(&without_comments(text), &certificates).map_err(MetadataError::Signature)?;
    described(&signed, entity_id, now)
}

/// As [`described`], or as [`signed`] where the certificate of the signer is given, in PEM or base64.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read_metadata(
    text: &str,
    entity_id: Option<&str>,
    certificate: Option<&str>,
    now: Timestamp,
) -> Result<Described, String> {
    let read = match certificate {
        Some(certificate) => signed(text, &bare(certificate), entity_id, now),
        None => described(text, entity_id, now),
    };
    read.map_err(|error| error.to_string())
}

/// A service provider in metadata.
struct Found<'a> {
    /// What it is part of: how long that is good holds for it as well (metadata 2.3.1).
    around: Vec<&'a Element>,
    entity: &'a Element,
    role: &'a Element,
}

/// Every entity with a service provider's role, in whatever depth.
fn collect<'a>(element: &'a Element, around: &[&'a Element], found: &mut Vec<Found<'a>>) {
    let md = METADATA.1;
    if element.is(md, "EntityDescriptor") {
        let speaks = |role: &&Element| {
            let list = role.attribute("protocolSupportEnumeration").unwrap_or_default();
            list.split_whitespace().any(|one| one == SAML2)
        };
        let role = element.all(md, "SPSSODescriptor").find(speaks);
        found.extend(role.map(|role| Found { around: around.to_vec(), entity: element, role }));
    } else if element.is(md, "EntitiesDescriptor") {
        let around = [around, &[element]].concat();
        element.children.iter().for_each(|child| collect(child, &around, found));
    }
}

fn read(entity: &Element, role: &Element) -> Described {
    let md = METADATA.1;
    let mut unused = Vec::new();
    let keys = |purpose: &'static str| {
        role.all(md, "KeyDescriptor").filter(move |key| key.attribute("use").is_none_or(|named| named == purpose))
    };
    let mut certificates: Vec<String> = Vec::new();
    for certificate in keys("signing").flat_map(certificates_in) {
        if !certificates.contains(&certificate) {
            certificates.push(certificate);
        }
    }
    let (encryption, names_encryption) = encryption(keys("encryption"), &mut unused);
    let formats: Vec<&str> = role.all(md, "NameIDFormat").map(|format| format.text.trim()).collect();
    for other in formats.iter().filter(|urn| NameIdFormat::of_urn(urn).is_none()) {
        unused.push(format!("name identifiers in the format {other} are not made here"));
    }
    for asked in role.all(md, "AttributeConsumingService").flat_map(|set| set.all(md, "RequestedAttribute")) {
        let name = asked.attribute("Name").unwrap_or_default();
        let friendly = asked.attribute("FriendlyName").map(|name| format!(" ({name})")).unwrap_or_default();
        unused.push(format!("it asks for the attribute {name}{friendly}; add it to attributes if it shall get it"));
    }
    Described {
        entity_id: entity.attribute("entityID").unwrap_or_default().to_owned(),
        display_name: display_name(role),
        acs: acs(role, &mut unused),
        name_id_formats: formats.into_iter().filter_map(NameIdFormat::of_urn).collect(),
        certificates,
        encryption,
        names_encryption,
        signs_requests: matches!(role.attribute("AuthnRequestsSigned"), Some("true" | "1")),
        logout: logout(role, &mut unused),
        valid_until: None,
        unused,
    }
}

/// What it calls itself, in English or else in the first language.
fn display_name(role: &Element) -> Option<String> {
    let mdui = "urn:oasis:names:tc:SAML:metadata:ui";
    let extensions = role.one(METADATA.1, "Extensions")?;
    let name = extensions.one(mdui, "UIInfo")?.all(mdui, "DisplayName").next()?;
    Some(name.text.trim().to_owned()).filter(|name| !name.is_empty())
}

/// All certificates of a key descriptor, in base64 without blanks.
fn certificates_in(key: &Element) -> Vec<String> {
    let info = key.all(SIGNATURE.1, "KeyInfo").flat_map(|info| info.all(SIGNATURE.1, "X509Data"));
    let texts = info.flat_map(|data| data.all(SIGNATURE.1, "X509Certificate"));
    texts.map(|found| found.text.chars().filter(|c| !c.is_whitespace()).collect()).collect()
}

/// How assertions can be encrypted, and whether the service provider itself names that way. Of several keys, which may be of
/// several kinds, the first counts that can be encrypted to, rather one that names a way that we accept.
fn encryption<'a>(keys: impl Iterator<Item = &'a Element>, unused: &mut Vec<String>) -> (Option<Encryption>, bool) {
    let mut found: Vec<(Encryption, bool)> = Vec::new();
    for key in keys {
        let methods: Vec<&Element> = key.all(METADATA.1, ENCRYPTION_METHOD).collect();
        let named: Vec<&str> = methods.iter().filter_map(|method| method.attribute("Algorithm")).collect();
        let has = |algorithm: &str| named.contains(&algorithm);
        let content = if has(AES_256) || !has(AES_128) { ContentCipher::Aes256Gcm } else { ContentCipher::Aes128Gcm };
        let transport = match methods.iter().find(|method| method.attribute("Algorithm") == Some(OAEP)) {
            Some(method) if !has(OAEP_MGF1P) && is_sha256(method) => KeyTransport::OaepSha256,
            _ => KeyTransport::OaepMgf1p,
        };
        let gcm = has(AES_256) || has(AES_128);
        let blocks = named.iter().any(|name| name.ends_with("-cbc"));
        if blocks && !gcm {
            unused.push("it can decrypt CBC modes only, which are not safe: assertions are not encrypted".to_owned());
            continue;
        }
        let Some(certificate) = certificates_in(key).into_iter().next() else { continue };
        found.push((Encryption { certificate, content, transport }, gcm));
    }
    // Where none can be used, whoever registers it is told why.
    let unusable = |encryption: &Encryption| encrypt::key_of(&encryption.certificate).is_err();
    let best = found.into_iter().min_by_key(|(encryption, gcm)| (unusable(encryption), !gcm));
    best.map_or((None, false), |(encryption, gcm)| (Some(encryption), gcm))
}

/// Whether an OAEP of XML Encryption 1.1 is the one with SHA-256 throughout.
fn is_sha256(method: &Element) -> bool {
    let of =
        |name: &str| method.children.iter().find(|child| child.name == name).and_then(|it| it.attribute("Algorithm"));
    of("DigestMethod").is_some_and(|name| name.ends_with("#sha256"))
        && of("MGF").is_some_and(|name| name.ends_with("#mgf1sha256"))
}

/// The addresses that take answers by HTTP-POST, the default first: the first one that is said to be, else the first one that is
/// not said not to be, else the first (metadata 2.2.3). Numbers are names there, and no order.
fn acs(role: &Element, unused: &mut Vec<String>) -> Vec<AcsEndpoint> {
    let mut found: Vec<(u8, AcsEndpoint)> = Vec::new();
    for service in role.all(METADATA.1, "AssertionConsumerService") {
        let binding = service.attribute("Binding").unwrap_or_default();
        let Some(url) = location(service, "Location") else { continue };
        if binding != POST {
            unused.push(format!("answers by {} to {url} are not given", last(binding)));
            continue;
        }
        let rank = match service.attribute("isDefault") {
            Some("true" | "1") => 0,
            Some("false" | "0") => 2,
            _ => 1,
        };
        let index = service.attribute("index").and_then(|index| index.parse().ok()).unwrap_or(0);
        found.push((rank, AcsEndpoint { index, url: url.to_owned() }));
    }
    // A number means one address (metadata 2.2.3): the first that has it keeps it.
    let mut taken: BTreeSet<u32> = BTreeSet::new();
    let given: BTreeSet<u32> = found.iter().map(|(_, endpoint)| endpoint.index).collect();
    // One after the other, so that metadata of thousands of addresses takes no longer for each.
    let mut free = (0..).filter(|number| !given.contains(number));
    for (_, endpoint) in &mut found {
        let asked = endpoint.index;
        if !taken.insert(asked) {
            endpoint.index = free.next().unwrap_or(u32::MAX);
            let AcsEndpoint { index, url } = &*endpoint;
            unused.push(format!("the index {asked} of {url} is another's: it gets {index}"));
        }
    }
    // Those of one rank stay as they stand there.
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, endpoint)| endpoint).collect()
}

/// An address in an attribute; blanks around it mean nothing (XML Schema, anyURI), and would not be in the requests.
fn location<'a>(service: &'a Element, name: &str) -> Option<&'a str> {
    service.attribute(name).map(str::trim)
}

/// Single logout: the first address of each kind, for browsers rather by redirect than by form.
fn logout(role: &Element, unused: &mut Vec<String>) -> LogoutService {
    let all: Vec<&Element> = role.all(METADATA.1, "SingleLogoutService").collect();
    let with = |binding: &str| all.iter().find(|service| service.attribute("Binding") == Some(binding));
    let front = |name, binding| {
        let service = with(name)?;
        let response_url = location(service, "ResponseLocation").map(str::to_owned);
        Some(LogoutAddress { binding, url: location(service, "Location")?.to_owned(), response_url })
    };
    for other in all.iter().filter_map(|service| service.attribute("Binding")) {
        if ![REDIRECT, POST, SOAP].contains(&other) {
            unused.push(format!("single logout by {} is not done", last(other)));
        }
    }
    LogoutService {
        front: front(REDIRECT, LogoutBinding::Redirect).or_else(|| front(POST, LogoutBinding::Post)),
        soap: with(SOAP).and_then(|service| location(service, "Location")).map(str::to_owned),
    }
}

fn last(binding: &str) -> &str {
    binding.rsplit(':').next().unwrap_or(binding)
}

/// What was understood, one line each, for an operator to read before anything is registered.
#[must_use]
pub fn report(described: &Described, now: Timestamp) -> Vec<String> {
    let mut lines = vec![format!("entity ID: {}", described.entity_id)];
    lines.extend(described.display_name.iter().map(|name| format!("name: {name}")));
    lines.extend(described.valid_until.map(|until| format!("valid until: {}", until.rfc3339())));
    for (at, endpoint) in described.acs.iter().enumerate() {
        let default = if at == 0 { ", the default" } else { "" };
        lines.push(format!("answers go to: {} (number {}{default})", endpoint.url, endpoint.index));
    }
    if described.acs.is_empty() {
        lines.push("answers go to: nowhere; it has no address that takes them by HTTP-POST".to_owned());
    }
    let formats: Vec<&str> = described.name_id_formats.iter().map(|format| last(format.urn())).collect();
    lines.push(format!("name identifiers: {}", if formats.is_empty() { "any".to_owned() } else { formats.join(", ") }));
    let signs =
        if described.signs_requests { "it signs its requests" } else { "it does not say that it signs requests" };
    lines.push(format!("requests: {signs}"));
    lines.extend(described.certificates.iter().map(|text| format!("signing certificate: {}", certificate(text, now))));
    lines.push(match &described.encryption {
        None => "encryption: none".to_owned(),
        Some(encryption) => {
            let when = if described.names_encryption {
                "assertions are encrypted"
            } else {
                "only with encrypt_assertions = true"
            };
            format!("encryption: {when}; {}", certificate(&encryption.certificate, now))
        }
    });
    if let Some(front) = &described.logout.front {
        let how = if front.binding == LogoutBinding::Post { "HTTP-POST" } else { "HTTP-Redirect" };
        lines.push(format!("single logout: {how} to {}", front.url));
    }
    lines.extend(described.logout.soap.iter().map(|url| format!("single logout: SOAP to {url}")));
    if !described.logout.is_offered() {
        lines.push("single logout: none; a logout is told to be partial where it was used".to_owned());
    }
    lines.extend(described.unused.iter().map(|words| format!("not used: {words}")));
    lines
}

/// A certificate in words.
#[must_use]
pub fn certificate(text: &str, now: Timestamp) -> String {
    let Some(read) = Certificate::of_base64(text) else { return "cannot be read".to_owned() };
    let name = read.common_name.unwrap_or_else(|| "without a name".to_owned());
    let day: String = read.not_after.rfc3339().chars().take(10).collect();
    let state = if read.not_after <= now { "expired" } else { "good until" };
    format!("{name}, {state} {day}")
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;
    use crate::clock::Entropy;
    use crate::domain::ids::SigningKeyId;
    use crate::domain::service_provider::ServiceProviderDraft;
    use crate::domain::signing_key::SignatureAlgorithm;
    use crate::keys::certificate::self_signed;
    use crate::keys::signing::{RsaSize, SigningKey};

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    const SP: &str = r#"<?xml version="1.0"?>
<!-- made by a tool -->
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="https://wiki.example.com/sp">
  <md:SPSSODescriptor AuthnRequestsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:Extensions><mdui:UIInfo xmlns:mdui="urn:oasis:names:tc:SAML:metadata:ui"><mdui:DisplayName xml:lang="en">Wiki</mdui:DisplayName></mdui:UIInfo></md:Extensions>
    <md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>
      MIIB
      AAAA</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:KeyDescriptor use="encryption"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>MIIC</ds:X509Certificate></ds:X509Data></ds:KeyInfo>
      <md:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/><md:EncryptionMethod Algorithm="http://www.w3.org/2009/xmlenc11#aes128-gcm"/></md:KeyDescriptor>
    <md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:SOAP" Location="https://wiki.example.com/soap"/>
    <md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://wiki.example.com/slo" ResponseLocation="https://wiki.example.com/slo2"/>
    <md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>
    <md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:X509SubjectName</md:NameIDFormat>
    <md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact" Location="https://wiki.example.com/artifact" index="0"/>
    <md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://wiki.example.com/a" index="1"/>
    <md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://wiki.example.com/b" index="2" isDefault="true"/>
  </md:SPSSODescriptor>
</md:EntityDescriptor>"#;

    /// R-483, R-488, R-497.
    #[test]
    fn metadata_of_a_service_provider_is_read() {
        let described = described(SP, None, NOW).expect("metadata");
        assert_eq!(described.entity_id, "https://wiki.example.com/sp");
        let acs: Vec<(u32, &str)> = described.acs.iter().map(|acs| (acs.index, acs.url.as_str())).collect();
        assert_eq!(acs, [(2, "https://wiki.example.com/b"), (1, "https://wiki.example.com/a")]);
        assert_eq!(described.certificates, ["MIIBAAAA"]);
        assert_eq!((&described.name_id_formats[..], described.signs_requests), (&[NameIdFormat::Email][..], true));
        let encryption = described.encryption.as_ref().expect("a key");
        assert_eq!((encryption.certificate.as_str(), encryption.content), ("MIIC", ContentCipher::Aes128Gcm));
        assert!(described.names_encryption);
        let front = described.logout.front.as_ref().expect("an address");
        assert_eq!((front.binding, front.for_responses()), (LogoutBinding::Post, "https://wiki.example.com/slo2"));
        let told = report(&described, NOW).join("\n");
        for words in
            ["name: Wiki", "number 2, the default", "HTTP-Artifact", "X509SubjectName", "SOAP to", "cannot be read"]
        {
            assert!(told.contains(words), "{words}: {told}");
        }
    }

    /// R-488, metadata 2.2.3: a number that is missing or another's is made one that nobody has, so that what is registered can be
    /// exported, and applied again.
    #[test]
    fn addresses_without_a_number_of_their_own_get_one() {
        for (text, expected) in [
            (SP.replace("index=\"1\"", "").replace("index=\"2\"", ""), [(1, "b"), (0, "a")]),
            (SP.replace("index=\"2\"", "index=\"1\""), [(0, "b"), (1, "a")]),
        ] {
            let described = described(&text, None, NOW).expect("metadata");
            let acs: Vec<(u32, String)> = described.acs.iter().map(|acs| (acs.index, acs.url.clone())).collect();
            let expected = expected.map(|(index, name)| (index, format!("https://wiki.example.com/{name}")));
            assert_eq!(acs, expected);
            assert!(described.unused.iter().any(|words| words.contains("/b is another's")), "{:?}", described.unused);
            let known = ServiceProviderDraft::default().check(Some(&described)).expect("good");
            let shown = ServiceProviderDraft::of(&known);
            assert_eq!(shown.check(None).expect("what is shown can be typed").acs, described.acs);
        }
    }

    /// R-488, metadata 2.2.3: a request that names no address is answered at the default one, and that is not the one with the
    /// lowest number.
    #[test]
    fn the_default_address_is_the_one_that_metadata_means() {
        let with = |first: &str, second: &str| {
            let text = SP.replace("index=\"1\"", first).replace("index=\"2\" isDefault=\"true\"", second);
            let described = described(&text, None, NOW).expect("metadata");
            described.acs.first().map(|acs| acs.url.clone()).expect("an address")
        };
        for (first, second, default) in [
            ("index=\"7\"", "index=\"3\"", "a"),
            ("index=\"1\" isDefault=\"false\"", "index=\"2\"", "b"),
            ("index=\"1\" isDefault=\"0\"", "index=\"2\" isDefault=\"false\"", "a"),
            ("index=\"9\" isDefault=\"1\"", "index=\"2\" isDefault=\"true\"", "a"),
            ("index=\"1\"", "index=\"2\" isDefault=\"true\"", "b"),
        ] {
            assert_eq!(with(first, second), format!("https://wiki.example.com/{default}"), "{first}, {second}");
        }
    }

    /// R-488, T-39: an address is what stands between the blanks; otherwise no request would name it, and each would be refused.
    #[test]
    fn blanks_around_an_address_are_none_of_it() {
        let text = SP.replace("Location=\"", "Location=\"\n  ").replace("com/b\"", "com/b \"");
        let read = described(&text, None, NOW).expect("metadata");
        assert_eq!(read.acs, described(SP, None, NOW).expect("metadata").acs);
        assert_eq!(read.logout, described(SP, None, NOW).expect("metadata").logout);
    }

    /// CBC modes and other ciphers are not a way to encrypt.
    #[test]
    fn unsafe_ciphers_are_told_and_not_used() {
        let cbc = SP.replace("xmlenc11#aes128-gcm", "xmlenc#tripledes-cbc").replace("2009/xmlenc#", "2001/04/xmlenc#");
        let described = described(&cbc, None, NOW).expect("metadata");
        assert_eq!((described.encryption, described.names_encryption), (None, false));
        assert!(described.unused.iter().any(|words| words.contains("CBC")));
    }

    /// R-490, metadata 2.4.1.1: a key whose use is not said may be of a kind that nothing can be encrypted to, and a service provider
    /// that has another one shall get encrypted assertions all the same.
    #[test]
    fn of_several_keys_one_is_taken_that_can_be_encrypted_to() {
        let generate = |algorithm| {
            SigningKey::generate(SigningKeyId::from_bits(1), algorithm, RsaSize::Bits2048).expect("generates")
        };
        let of = |key: &SigningKey, name: &str| {
            STANDARD.encode(self_signed(key, name, NOW, &Entropy::seeded(1)).expect("a certificate"))
        };
        let (rsa, curve) = (generate(SignatureAlgorithm::Rs256), generate(SignatureAlgorithm::Es256));
        let (rsa, other, curve) = (of(&rsa, "wiki"), of(&rsa, "another"), of(&curve, "wiki"));
        let descriptor = |(certificate, method): &(&String, &str)| {
            format!(
                "<md:KeyDescriptor><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate>\
                 </ds:X509Data></ds:KeyInfo>{method}</md:KeyDescriptor>"
            )
        };
        let gcm = "<md:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes128-gcm\"/>";
        for (keys, expected) in [
            (&[(&curve, ""), (&rsa, gcm)][..], (&rsa, true)),
            (&[(&curve, gcm), (&rsa, "")], (&rsa, false)),
            (&[(&rsa, ""), (&other, gcm)], (&other, true)),
            (&[(&other, gcm), (&rsa, gcm)], (&other, true)),
            (&[(&curve, gcm)], (&curve, true)),
        ] {
            let keys: String = keys.iter().map(descriptor).collect();
            let place = "<md:KeyDescriptor use=\"encryption\">";
            let text = SP.replace(place, &format!("{keys}<md:KeyDescriptor use=\"other\">"));
            let described = described(&text, None, NOW).expect("metadata");
            let encryption = described.encryption.expect("a key");
            assert_eq!((&encryption.certificate, described.names_encryption), expected, "{text}");
        }
    }

    #[test]
    fn one_of_many_is_named() {
        let other = SP.split_once("-->").expect("a comment").1;
        let second = other.replace("wiki.example.com/sp", "other.example.com/sp");
        let many = format!(
            "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\"><md:EntitiesDescriptor>{other}</md:EntitiesDescriptor>{second}</md:EntitiesDescriptor>"
        );
        assert_eq!(described(&many, None, NOW), Err(MetadataError::Many(2)));
        let id = "https://other.example.com/sp";
        assert_eq!(described(&many, Some(id), NOW).map(|found| found.entity_id).as_deref(), Ok(id));
        assert_eq!(described(&many, Some("urn:x"), NOW), Err(MetadataError::Missing("urn:x".to_owned())));
    }

    #[test]
    fn what_has_expired_or_is_no_service_provider_is_refused() {
        let until = |at: &str| SP.replace("entityID=", &format!("validUntil=\"{at}\" entityID="));
        let good = described(&until("2028-01-01T00:00:00Z"), None, NOW).expect("metadata");
        assert_eq!(good.valid_until, instant("2028-01-01T00:00:00Z"));
        for at in ["2027-01-01T00:00:00Z", "tomorrow"] {
            assert_eq!(described(&until(at), None, NOW), Err(MetadataError::Expired(at.to_owned())));
        }
        // Everything around it counts, the earliest most (metadata 2.3.1).
        let entity = until("2030-01-01T00:00:00Z");
        let entity = entity.split_once("-->").expect("a comment").1;
        let within = |outer: &str, inner: &str| {
            let open = |at: &str| {
                format!("<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" validUntil=\"{at}\">")
            };
            let close = "</md:EntitiesDescriptor>";
            let text = format!("{}{}{entity}{close}{close}", open(outer), open(inner));
            described(&text, None, NOW).map(|found| found.valid_until)
        };
        let (early, late, over) = ("2028-01-01T00:00:00Z", "2029-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
        assert_eq!(within(late, early), Ok(instant(early)));
        assert_eq!(within(late, over), Err(MetadataError::Expired(over.to_owned())));
        assert_eq!(within(over, late), Err(MetadataError::Expired(over.to_owned())));
        for text in
            ["", "<a/>", "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\"/>", "<!DOCTYPE x><a/>"]
        {
            assert!(described(text, None, NOW).is_err(), "{text}");
        }
    }
}
