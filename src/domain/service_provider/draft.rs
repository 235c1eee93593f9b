//! A service provider as an operator types it, and as its metadata describes it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::preset::Preset;
use super::{
    AcsEndpoint, Attribute, ContentCipher, Encryption, Feed, Follows, KeyTransport, LogoutAddress, LogoutBinding,
    LogoutService, NameIdFormat, ServiceProvider, Signed,
};
use crate::domain::ids::SigningKeyId;
use crate::domain::release::Source;
use crate::domain::signing_key::SignatureAlgorithm;
use crate::domain::timestamp::Timestamp;

/// The longest RelayState that an operator can give, in octets (bindings 3.5.3).
const LONGEST_RELAY_STATE: usize = 1024;

/// The table `[tenant.application.saml]` of an apply file. What is written there counts more than the preset, and
/// that more than the metadata.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceProviderDraft {
    /// A file with metadata; relative to the apply file.
    pub metadata_file: Option<String>,
    /// The metadata itself.
    pub metadata: Option<String>,
    /// Where the metadata is.
    pub metadata_url: Option<String>,
    /// The certificate of the key that signs the metadata; PEM or base64. With it, metadata at an address is fetched
    /// again and again.
    pub metadata_certificate: Option<String>,
    /// What a common application wants.
    pub preset: Option<Preset>,
    /// See [`ServiceProvider::entity_id`]; chooses one, if the metadata describes several.
    pub entity_id: Option<String>,
    /// See [`ServiceProvider::acs`]; the default first. Without a number, each gets the lowest that is left.
    pub acs_urls: Vec<AcsUrl>,
    /// See [`ServiceProvider::name_id_format`].
    pub name_id_format: Option<NameIdFormat>,
    /// Other formats that it may ask for.
    pub other_name_id_formats: Vec<NameIdFormat>,
    /// See [`ServiceProvider::name_id_source`].
    #[schemars(with = "Option<String>")]
    pub name_id_source: Option<Source>,
    /// See [`ServiceProvider::attributes`]; beside those of the preset.
    pub attributes: Vec<Attribute>,
    /// See [`ServiceProvider::certificates`]; PEM or base64.
    pub certificates: Vec<String>,
    /// See [`ServiceProvider::require_signed_requests`]; as the metadata says unless given.
    pub require_signed_requests: Option<bool>,
    /// See [`ServiceProvider::signed`].
    pub signed: Option<Signed>,
    /// See [`ServiceProvider::algorithm`].
    pub algorithm: SignatureAlgorithm,
    /// See [`ServiceProvider::signing_key`].
    #[schemars(with = "Option<String>")]
    pub signing_key: Option<SigningKeyId>,
    /// See [`Encryption::certificate`]; PEM or base64.
    pub encryption_certificate: Option<String>,
    /// Whether assertions are encrypted; unless given, if there is a certificate in this file, or if the metadata names
    /// a way to encrypt that we accept.
    pub encrypt_assertions: Option<bool>,
    /// See [`Encryption::content`].
    pub encryption_content: Option<ContentCipher>,
    /// See [`Encryption::transport`].
    pub encryption_key_transport: Option<KeyTransport>,
    /// See [`LogoutAddress::url`].
    pub logout_url: Option<String>,
    /// See [`LogoutAddress::response_url`].
    pub logout_response_url: Option<String>,
    /// See [`LogoutAddress::binding`].
    pub logout_binding: LogoutBinding,
    /// See [`LogoutService::soap`].
    pub logout_soap_url: Option<String>,
    /// See [`ServiceProvider::idp_initiated`].
    pub idp_initiated: bool,
    /// See [`ServiceProvider::relay_state`].
    pub relay_state: Option<String>,
}

/// An address for answers, as it is typed: by itself, or with the number that requests name it by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "must be an address or { url = \"https://…\", index = 1 }")]
pub enum AcsUrl {
    /// The address alone.
    Plain(String),
    /// With its number.
    Numbered(AcsEndpoint),
}

impl AcsUrl {
    /// Endpoints as they are typed: with their numbers, unless these are the ones that they get without. Their order
    /// alone would not do: the default stands first, whatever its number (R-488).
    #[must_use]
    pub fn of_all(endpoints: &[AcsEndpoint]) -> Vec<Self> {
        let in_order = (0_u32..).zip(endpoints).all(|(place, endpoint)| endpoint.index == place);
        let typed = |endpoint: &AcsEndpoint| {
            if in_order { Self::Plain(endpoint.url.clone()) } else { Self::Numbered(endpoint.clone()) }
        };
        endpoints.iter().map(typed).collect()
    }

    /// What a line of a form says: an address, and behind a blank its number if it has one.
    #[must_use]
    pub fn of_line(line: &str) -> Self {
        let numbered = line
            .rsplit_once(char::is_whitespace)
            .and_then(|(url, index)| Some(AcsEndpoint { index: index.parse().ok()?, url: url.trim_end().to_owned() }));
        numbered.map_or_else(|| Self::Plain(line.to_owned()), Self::Numbered)
    }

    /// What is typed, with a number for each.
    fn numbered(typed: &[Self]) -> Vec<AcsEndpoint> {
        let given = |number: u32| typed.iter().any(|it| matches!(it, Self::Numbered(known) if known.index == number));
        let mut left = (0_u32..).filter(|number| !given(*number));
        let endpoint = |one: &Self| match one {
            Self::Plain(url) => AcsEndpoint { index: left.next().unwrap_or(u32::MAX), url: url.clone() },
            Self::Numbered(endpoint) => endpoint.clone(),
        };
        typed.iter().map(endpoint).collect()
    }
}

impl fmt::Display for AcsUrl {
    /// As [`AcsUrl::of_line`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(url) => f.write_str(url),
            Self::Numbered(endpoint) => write!(f, "{} {}", endpoint.url, endpoint.index),
        }
    }
}

impl From<&str> for AcsUrl {
    fn from(url: &str) -> Self {
        Self::Plain(url.to_owned())
    }
}

/// What metadata says, as far as we use it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// The entity ID.
    pub entity_id: String,
    /// What it calls itself.
    pub display_name: Option<String>,
    /// Addresses with binding HTTP-POST, the default first.
    pub acs: Vec<AcsEndpoint>,
    /// Formats of name identifiers, the most wanted first.
    pub name_id_formats: Vec<NameIdFormat>,
    /// Signing certificates in base64.
    pub certificates: Vec<String>,
    /// How assertions can be encrypted.
    pub encryption: Option<Encryption>,
    /// Whether it names a way to encrypt that we accept; otherwise it may know none.
    pub names_encryption: bool,
    /// Whether it signs its requests.
    pub signs_requests: bool,
    /// Until when it may be relied on, if it says so: it, and everything that it is part of.
    pub valid_until: Option<Timestamp>,
    /// Single logout.
    pub logout: LogoutService,
    /// What was found and is not used, in words for an operator.
    pub unused: Vec<String>,
}

/// What is wrong with a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceProviderFault {
    /// The key.
    pub key: &'static str,
    /// What is wrong with it, as the end of a sentence.
    pub words: String,
}

impl fmt::Display for ServiceProviderFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.words)
    }
}

/// The faults that were found so far.
#[derive(Default)]
struct Faults(Vec<ServiceProviderFault>);

impl Faults {
    fn add(&mut self, key: &'static str, words: impl Into<String>) {
        self.0.push(ServiceProviderFault { key, words: words.into() });
    }

    fn check_address(&mut self, key: &'static str, address: &str) {
        if let Err(words) = checked_address(address) {
            self.add(key, format!("\"{address}\" {words}"));
        }
    }
}

impl ServiceProviderDraft {
    /// The draft of a service provider that is there, as it would be typed. What comes from metadata that is fetched again
    /// and again is not written down: then it would not be fetched any more.
    #[must_use]
    pub fn of(provider: &ServiceProvider) -> Self {
        let follows = |of: fn(&Follows) -> bool| provider.feed.as_ref().is_some_and(|feed| of(&feed.follows));
        let front = provider.logout.front.as_ref().filter(|_| !follows(|it| it.logout));
        let encryption = provider.encryption.as_ref();
        Self {
            metadata_url: provider.feed.as_ref().map(|feed| feed.url.clone()),
            metadata_certificate: provider.feed.as_ref().map(|feed| feed.certificate.clone()),
            entity_id: Some(provider.entity_id.clone()),
            acs_urls: if follows(|it| it.acs) { Vec::new() } else { AcsUrl::of_all(&provider.acs) },
            name_id_format: Some(provider.name_id_format),
            other_name_id_formats: provider.other_name_id_formats.clone(),
            name_id_source: provider.name_id_source.clone(),
            attributes: provider.attributes.clone(),
            certificates: if follows(|it| it.certificates) { Vec::new() } else { provider.certificates.clone() },
            require_signed_requests: Some(provider.require_signed_requests),
            signed: Some(provider.signed),
            algorithm: provider.algorithm,
            signing_key: provider.signing_key,
            encryption_certificate: encryption
                .filter(|_| !follows(|it| it.encryption))
                .map(|it| it.certificate.clone()),
            encrypt_assertions: Some(encryption.is_some()),
            encryption_content: encryption.filter(|_| !follows(|it| it.content)).map(|it| it.content),
            encryption_key_transport: encryption.filter(|_| !follows(|it| it.transport)).map(|it| it.transport),
            logout_url: front.map(|front| front.url.clone()),
            logout_response_url: front.and_then(|front| front.response_url.clone()),
            logout_binding: front.map(|front| front.binding).unwrap_or_default(),
            logout_soap_url: provider.logout.soap.clone().filter(|_| !follows(|it| it.soap)),
            idp_initiated: provider.idp_initiated,
            relay_state: provider.relay_state.clone(),
            ..Self::default()
        }
    }
}

impl ServiceProviderDraft {
    /// Checks the draft; `described` is what its metadata says, if it has any.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn check(&self, described: Option<&Described>) -> Result<ServiceProvider, Vec<ServiceProviderFault>> {
        let mut faults = Faults::default();
        let nothing = Described::default();
        let metadata = described.unwrap_or(&nothing);
        let entity_id = self.entity_id.clone().unwrap_or_else(|| metadata.entity_id.clone());
        if entity_id.is_empty() || entity_id.len() > 1024 || entity_id.chars().any(char::is_control) {
            faults.add("entity_id", "has 1 to 1024 characters and no control characters (SAML core 8.3.6)");
        }
        // What is fetched again must be about the same one, see [`ServiceProvider::refreshed`].
        let is_fetched_again = self.metadata_url.is_some() && self.metadata_certificate.is_some();
        if let Some(found) = described.filter(|found| is_fetched_again && found.entity_id != entity_id) {
            faults.add("entity_id", format!("is another one than metadata_url leads to: {}", found.entity_id));
        }
        let acs = self.acs(metadata, &mut faults);
        let certificates = if self.certificates.is_empty() {
            metadata.certificates.clone()
        } else {
            self.certificates.iter().map(|text| bare(text)).collect()
        };
        let require_signed_requests = self.require_signed_requests.unwrap_or(metadata.signs_requests);
        if require_signed_requests && certificates.is_empty() {
            faults.add("require_signed_requests", "needs a certificate to check signatures with");
        }
        if self.algorithm == SignatureAlgorithm::EdDsa {
            faults.add("algorithm", "must be \"RS256\" or \"ES256\"");
        }
        let encryption = self.encryption(metadata, &mut faults);
        let logout = self.logout(metadata, &mut faults);
        if self.metadata_certificate.is_some() && described.is_none() {
            faults.add("metadata_certificate", "needs metadata_url, metadata_file or metadata");
        }
        if let Some(url) = &self.metadata_url {
            faults.check_address("metadata_url", url);
        }
        if self.relay_state.as_ref().is_some_and(|state| state.len() > LONGEST_RELAY_STATE) {
            faults.add("relay_state", "has at most 1024 octets");
        }
        let preset = self.preset.map(Preset::wants);
        let mut attributes = preset.as_ref().map(|preset| preset.attributes.clone()).unwrap_or_default();
        // What the operator writes takes the place of what the preset has under the same name.
        attributes.retain(|given| !self.attributes.iter().any(|own| own.name == given.name));
        attributes.extend(self.attributes.iter().cloned());
        for attribute in &attributes {
            if attribute.name.is_empty() || attributes.iter().filter(|other| other.name == attribute.name).count() > 1 {
                faults.add("attributes", format!("has a name that is empty or given twice: \"{}\"", attribute.name));
                break;
            }
        }
        if !faults.0.is_empty() {
            return Err(faults.0);
        }
        // A preset is about this very application; metadata often lists whatever its library could read.
        let preferred = metadata.name_id_formats.first().copied();
        let name_id_format = self.name_id_format.or(preset.as_ref().map(|it| it.name_id_format)).or(preferred);
        let others = self.other_name_id_formats.iter().chain(&metadata.name_id_formats).copied();
        let mut other_name_id_formats: Vec<NameIdFormat> = Vec::new();
        for format in others.filter(|format| Some(*format) != name_id_format) {
            if !other_name_id_formats.contains(&format) {
                other_name_id_formats.push(format);
            }
        }
        Ok(ServiceProvider {
            entity_id,
            acs,
            name_id_format: name_id_format.unwrap_or_default(),
            other_name_id_formats,
            name_id_source: self.name_id_source.clone().or(preset.as_ref().and_then(|it| it.name_id_source.clone())),
            attributes,
            certificates,
            require_signed_requests,
            signed: self.signed.or(preset.map(|preset| preset.signed)).unwrap_or_default(),
            algorithm: self.algorithm,
            signing_key: self.signing_key,
            encryption,
            logout,
            idp_initiated: self.idp_initiated,
            relay_state: self.relay_state.clone().filter(|state| !state.is_empty()),
            feed: self.feed(metadata),
        })
    }

    /// What newer metadata leaves as it is, unless something is written about it: that requests must be signed, and that assertions
    /// are encrypted (T-42).
    #[must_use]
    pub fn no_less_safe_than(mut self, before: &ServiceProvider) -> Self {
        self.require_signed_requests = self.require_signed_requests.or(before.require_signed_requests.then_some(true));
        self.encrypt_assertions = self.encrypt_assertions.or(before.encryption.is_some().then_some(true));
        self
    }

    /// Where the metadata is fetched again, and what of it counts: what the operator does not write.
    fn feed(&self, metadata: &Described) -> Option<Feed> {
        let (url, certificate) = self.metadata_url.as_ref().zip(self.metadata_certificate.as_ref())?;
        let follows = Follows {
            acs: self.acs_urls.is_empty(),
            certificates: self.certificates.is_empty(),
            encryption: self.encryption_certificate.is_none(),
            content: self.encryption_certificate.is_none() && self.encryption_content.is_none(),
            transport: self.encryption_certificate.is_none() && self.encryption_key_transport.is_none(),
            logout: self.logout_url.is_none(),
            soap: self.logout_soap_url.is_none(),
        };
        let (url, certificate) = (url.clone(), bare(certificate));
        Some(Feed { url, certificate, follows, valid_until: metadata.valid_until })
    }

    fn acs(&self, metadata: &Described, faults: &mut Faults) -> Vec<AcsEndpoint> {
        let acs = if self.acs_urls.is_empty() { metadata.acs.clone() } else { AcsUrl::numbered(&self.acs_urls) };
        if acs.is_empty() {
            faults.add("acs_urls", "needs at least one address that takes answers by HTTP-POST");
        }
        for endpoint in &acs {
            faults.check_address("acs_urls", &endpoint.url);
        }
        let numbers: std::collections::BTreeSet<_> = acs.iter().map(|endpoint| endpoint.index).collect();
        if !self.acs_urls.is_empty() && numbers.len() < acs.len() {
            faults.add("acs_urls", "must not have the same index twice");
        }
        acs
    }

    fn encryption(&self, metadata: &Described, faults: &mut Faults) -> Option<Encryption> {
        let own = self.encryption_certificate.as_ref().map(|text| Encryption {
            certificate: bare(text),
            content: ContentCipher::default(),
            transport: KeyTransport::default(),
        });
        let default = own.is_some() || metadata.names_encryption;
        if !self.encrypt_assertions.unwrap_or(default) {
            return None;
        }
        let Some(found) = own.or_else(|| metadata.encryption.clone()) else {
            faults.add("encrypt_assertions", "needs encryption_certificate, or metadata with a key for encryption");
            return None;
        };
        Some(Encryption {
            content: self.encryption_content.unwrap_or(found.content),
            transport: self.encryption_key_transport.unwrap_or(found.transport),
            certificate: found.certificate,
        })
    }

    fn logout(&self, metadata: &Described, faults: &mut Faults) -> LogoutService {
        let front = self.logout_url.as_ref().map(|url| LogoutAddress {
            binding: self.logout_binding,
            url: url.clone(),
            response_url: self.logout_response_url.clone(),
        });
        if front.is_none() && self.logout_response_url.is_some() {
            faults.add("logout_response_url", "needs logout_url");
        }
        let logout = LogoutService {
            front: front.or_else(|| metadata.logout.front.clone()),
            soap: self.logout_soap_url.clone().or_else(|| metadata.logout.soap.clone()),
        };
        if let Some(front) = &logout.front {
            faults.check_address("logout_url", &front.url);
            if let Some(url) = &front.response_url {
                faults.check_address("logout_response_url", url);
            }
        }
        if let Some(url) = &logout.soap {
            faults.check_address("logout_soap_url", url);
        }
        logout
    }
}

/// What keeps a service provider, as newer metadata describes it, from being used.
pub(super) fn faults_of(provider: &ServiceProvider) -> Vec<ServiceProviderFault> {
    let mut faults = Faults::default();
    if provider.acs.is_empty() {
        faults.add("acs_urls", "are not there any more");
    }
    for endpoint in &provider.acs {
        faults.check_address("acs_urls", &endpoint.url);
    }
    if provider.require_signed_requests && provider.certificates.is_empty() {
        faults.add("certificates", "are not there any more");
    }
    if let Some(front) = &provider.logout.front {
        faults.check_address("logout_url", &front.url);
        faults.check_address("logout_response_url", front.for_responses());
    }
    if let Some(url) = &provider.logout.soap {
        faults.check_address("logout_soap_url", url);
    }
    faults.0
}

/// The base64 inside a PEM text, or the text without its white space.
pub fn bare(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("-----")).flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
}

/// Answers go over HTTPS, or to this very machine (T-40).
fn checked_address(address: &str) -> Result<(), &'static str> {
    let url = url::Url::from_str(address).map_err(|_| "is not an address")?;
    let local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match url.scheme() {
        "https" => {}
        "http" if local => {}
        _ => return Err("must begin with https:// (http:// is for this machine only)"),
    }
    // The parser reads over them, and whoever compares or follows the address does not.
    if address.trim() != address || address.contains(char::is_control) {
        return Err("must not begin or end with blanks");
    }
    if url.fragment().is_some() || !url.username().is_empty() {
        return Err("must not have a fragment or a user name");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft() -> ServiceProviderDraft {
        ServiceProviderDraft {
            entity_id: Some("https://wiki.example.com".to_owned()),
            acs_urls: vec!["https://wiki.example.com/acs".into()],
            ..ServiceProviderDraft::default()
        }
    }

    /// T-40.
    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let bad = ServiceProviderDraft {
            acs_urls: vec!["http://wiki.example.com/acs".into(), "javascript:alert(1)".into()],
            require_signed_requests: Some(true),
            algorithm: SignatureAlgorithm::EdDsa,
            encrypt_assertions: Some(true),
            logout_url: Some("data:text/html,x".to_owned()),
            logout_soap_url: Some("gopher://x".to_owned()),
            ..ServiceProviderDraft::default()
        };
        let faults = bad.check(None).expect_err("bad");
        let keys: Vec<&str> = faults.iter().map(|fault| fault.key).collect();
        let expected = [
            "entity_id",
            "acs_urls",
            "acs_urls",
            "require_signed_requests",
            "algorithm",
            "encrypt_assertions",
            "logout_url",
            "logout_soap_url",
        ];
        assert_eq!(keys, expected);
    }

    /// T-39, T-40: what our parser reads over would be no address that any request names.
    #[test]
    fn an_address_has_no_blanks() {
        for address in
            [" https://wiki.example.com/acs", "https://wiki.example.com/acs\n", "https://wiki.exam\tple.com/acs"]
        {
            let bad = ServiceProviderDraft { acs_urls: vec![address.into()], ..draft() };
            let faults = bad.check(None).expect_err("bad");
            assert!(faults.iter().any(|fault| fault.key == "acs_urls" && fault.words.contains("blanks")), "{faults:?}");
        }
    }

    #[test]
    fn what_the_operator_writes_counts_more_than_metadata() {
        let described = Described {
            entity_id: "urn:other".to_owned(),
            name_id_formats: vec![NameIdFormat::Email, NameIdFormat::Persistent],
            certificates: vec!["MIIB".to_owned()],
            signs_requests: true,
            ..Described::default()
        };
        let provider = draft().check(Some(&described)).expect("good");
        assert_eq!(provider.entity_id, "https://wiki.example.com");
        assert_eq!((provider.name_id_format, provider.require_signed_requests), (NameIdFormat::Email, true));
        assert_eq!(provider.other_name_id_formats, [NameIdFormat::Persistent]);
    }

    /// R-483, R-493: what the operator writes counts most, then what the preset knows of the application, then its metadata.
    #[test]
    fn a_preset_counts_more_than_metadata() {
        let described =
            Described { name_id_formats: vec![NameIdFormat::Transient, NameIdFormat::Email], ..Described::default() };
        let preset = ServiceProviderDraft { preset: Some(Preset::Aws), ..draft() };
        let provider = preset.check(Some(&described)).expect("good");
        assert_eq!(provider.name_id_format, NameIdFormat::Persistent);
        assert_eq!(provider.other_name_id_formats, [NameIdFormat::Transient, NameIdFormat::Email]);
        let written = ServiceProviderDraft { name_id_format: Some(NameIdFormat::Email), ..preset };
        assert_eq!(written.check(Some(&described)).expect("good").name_id_format, NameIdFormat::Email);
    }

    /// R-483: with another name than its metadata has, each look at a feed would be in vain; that is said at once. What is read once
    /// may be called otherwise.
    #[test]
    fn a_feed_is_about_the_one_that_is_registered() {
        let described = Described { entity_id: "urn:other".to_owned(), ..Described::default() };
        let feed = ServiceProviderDraft {
            metadata_url: Some("https://wiki.example.com/metadata".to_owned()),
            metadata_certificate: Some("MIIB".to_owned()),
            ..draft()
        };
        let faults = feed.check(Some(&described)).expect_err("another one");
        assert_eq!(faults.iter().map(|fault| fault.key).collect::<Vec<_>>(), ["entity_id"]);
        let once = ServiceProviderDraft { metadata_certificate: None, ..feed.clone() };
        assert!(once.check(Some(&described)).is_ok());
        let same = ServiceProviderDraft { entity_id: Some("urn:other".to_owned()), ..feed };
        assert!(same.check(Some(&described)).is_ok_and(|known| known.feed.is_some()));
    }

    /// R-488: a number that a request names an address by is the same after it was shown, typed and stored again.
    #[test]
    fn addresses_keep_their_numbers_when_they_are_typed_again() {
        let endpoint = |index, url: &str| AcsEndpoint { index, url: format!("https://wiki.example.com/{url}") };
        let described = Described { acs: vec![endpoint(2, "b"), endpoint(1, "a")], ..Described::default() };
        let from_metadata = ServiceProviderDraft { acs_urls: Vec::new(), ..draft() };
        let known = from_metadata.check(Some(&described)).expect("good");
        let shown = ServiceProviderDraft::of(&known);
        assert_eq!(shown.check(None).expect("good").acs, described.acs);
        let lines: Vec<String> = shown.acs_urls.iter().map(ToString::to_string).collect();
        assert_eq!(lines, ["https://wiki.example.com/b 2", "https://wiki.example.com/a 1"]);
        let typed = lines.iter().map(|line| AcsUrl::of_line(line)).chain(["https://wiki.example.com/c".into()]);
        let typed = ServiceProviderDraft { acs_urls: typed.collect(), ..draft() };
        let expected = [endpoint(2, "b"), endpoint(1, "a"), endpoint(0, "c")];
        assert_eq!(typed.check(None).expect("good").acs, expected, "one without a number gets what is left");
        let plain = AcsUrl::of_all(&[endpoint(0, "a"), endpoint(1, "b")]);
        assert!(matches!(plain.as_slice(), [AcsUrl::Plain(_), AcsUrl::Plain(_)]), "who needs no numbers sees none");
        let read: Vec<AcsUrl> =
            serde_json::from_str(r#"["https://a/acs", {"url": "https://b/acs", "index": 7}]"#).expect("both");
        assert_eq!(read[1], AcsUrl::Numbered(AcsEndpoint { index: 7, url: "https://b/acs".to_owned() }));
    }

    /// A way to encrypt that nobody named may be one that the service provider does not know.
    #[test]
    fn assertions_are_encrypted_where_that_is_wanted() {
        let key = Encryption {
            certificate: "MIIB".to_owned(),
            content: ContentCipher::Aes128Gcm,
            transport: KeyTransport::OaepMgf1p,
        };
        let mut described = Described { encryption: Some(key.clone()), ..Described::default() };
        assert_eq!(draft().check(Some(&described)).expect("good").encryption, None, "not named");
        let wanted = ServiceProviderDraft { encrypt_assertions: Some(true), ..draft() };
        assert_eq!(wanted.check(Some(&described)).expect("good").encryption, Some(key.clone()));
        described.names_encryption = true;
        assert_eq!(draft().check(Some(&described)).expect("good").encryption, Some(key));
        let never = ServiceProviderDraft { encrypt_assertions: Some(false), ..draft() };
        assert_eq!(never.check(Some(&described)).expect("good").encryption, None);
        let own =
            ServiceProviderDraft { encryption_certificate: Some("-----BEGIN X-----\nMI\nIC\n".to_owned()), ..draft() };
        assert_eq!(own.check(None).expect("good").encryption.expect("a key").certificate, "MIIC");
    }

    /// R-494: a preset is a start, not a cage.
    #[test]
    fn attributes_stand_beside_those_of_a_preset() {
        let attribute =
            |name: &str, source| Attribute { name: name.to_owned(), source, name_format: None, friendly_name: None };
        let draft = ServiceProviderDraft {
            preset: Some(Preset::Gitlab),
            attributes: vec![attribute("email", Source::Username), attribute("team", Source::Constant("x".to_owned()))],
            ..draft()
        };
        let provider = draft.check(None).expect("good");
        let names: Vec<&str> = provider.attributes.iter().map(|attribute| attribute.name.as_str()).collect();
        assert!(names.contains(&"first_name") && names.contains(&"team"), "{names:?}");
        let email: Vec<_> = provider.attributes.iter().filter(|attribute| attribute.name == "email").collect();
        assert!(matches!(email.as_slice(), [one] if one.source == Source::Username));
    }
}
