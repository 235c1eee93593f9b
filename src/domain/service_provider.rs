//! SAML service providers: what an operator registers, and what a request is held against.

pub mod draft;
pub mod preset;

pub use draft::{AcsUrl, Described, ServiceProviderDraft, ServiceProviderFault};

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::ids::SigningKeyId;
use crate::domain::release::Source;
use crate::domain::signing_key::SignatureAlgorithm;
use crate::domain::timestamp::Timestamp;

/// How a service provider knows a person (SAML core 8.3, R-493).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameIdFormat {
    /// An identifier that differs from one service provider to the next and never changes.
    #[default]
    Persistent,
    /// A new identifier for each session.
    Transient,
    /// The mail address.
    Email,
    /// The user name.
    Unspecified,
}

impl NameIdFormat {
    /// Every format, with its identifier.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Persistent, "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"),
        (Self::Transient, "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"),
        (Self::Email, "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"),
        (Self::Unspecified, "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"),
    ];

    /// The identifier in the protocol.
    #[must_use]
    pub fn urn(self) -> &'static str {
        Self::ALL.iter().find(|(format, _)| *format == self).map_or("", |(_, urn)| urn)
    }

    /// The format with this identifier.
    #[must_use]
    pub fn of_urn(urn: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == urn).map(|(format, _)| *format)
    }
}

/// Which elements of an answer carry a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Signed {
    /// The assertion, which is what most service providers check.
    #[default]
    Assertion,
    /// The response around it.
    Response,
    /// Both.
    Both,
}

/// An address that takes our answers by HTTP-POST.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcsEndpoint {
    /// The number that a request may name it by.
    pub index: u32,
    /// The address.
    pub url: String,
}

/// What kind of name an attribute has (core 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NameFormat {
    /// A plain word.
    Basic,
    /// A URI.
    Uri,
    /// Whatever the two of them have agreed on.
    Unspecified,
}

impl NameFormat {
    /// The identifier in the protocol.
    #[must_use]
    pub const fn urn(self) -> &'static str {
        match self {
            Self::Basic => "urn:oasis:names:tc:SAML:2.0:attrname-format:basic",
            Self::Uri => "urn:oasis:names:tc:SAML:2.0:attrname-format:uri",
            Self::Unspecified => "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified",
        }
    }
}

/// One attribute that a service provider gets (R-494).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// The name under which the service provider gets it.
    pub name: String,
    /// What it is made of.
    #[schemars(with = "String")]
    pub source: Source,
    /// What kind of name it is; unless given, a URI if there is a colon in it, and a plain word otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_format: Option<NameFormat>,
    /// A name for people who read logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub friendly_name: Option<String>,
}

impl Attribute {
    /// The kind of its name.
    #[must_use]
    pub fn format(&self) -> NameFormat {
        let guessed = if self.name.contains(':') { NameFormat::Uri } else { NameFormat::Basic };
        self.name_format.unwrap_or(guessed)
    }
}

/// How the content of an assertion is encrypted: authenticated modes only, since the others can be read by whoever
/// may ask the service provider often enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ContentCipher {
    /// AES with 256 bits in Galois/Counter mode.
    #[default]
    Aes256Gcm,
    /// AES with 128 bits in Galois/Counter mode.
    Aes128Gcm,
}

/// How the key of the content is encrypted: RSA-OAEP only, for the same reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyTransport {
    /// `rsa-oaep-mgf1p`: what every library knows. The hash in it need not resist collisions.
    #[default]
    OaepMgf1p,
    /// `rsa-oaep` of XML Encryption 1.1 with SHA-256 throughout.
    OaepSha256,
}

/// How assertions are encrypted for a service provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// Its certificate with an RSA key, X.509 in base64 of DER.
    pub certificate: String,
    /// The content.
    #[serde(default)]
    pub content: ContentCipher,
    /// The content's key.
    #[serde(default)]
    pub transport: KeyTransport,
}

/// How a browser brings a logout message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogoutBinding {
    /// In an address.
    #[default]
    Redirect,
    /// In a form.
    Post,
}

/// Where a service provider takes logout messages from browsers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutAddress {
    /// How they are brought.
    pub binding: LogoutBinding,
    /// Requests, and answers unless there is another address for them.
    pub url: String,
    /// Answers.
    #[serde(default)]
    pub response_url: Option<String>,
}

impl LogoutAddress {
    /// Where answers go.
    #[must_use]
    pub fn for_responses(&self) -> &str {
        self.response_url.as_deref().unwrap_or(&self.url)
    }
}

/// Single logout, as far as a service provider takes part (R-497).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LogoutService {
    /// By the browser.
    pub front: Option<LogoutAddress>,
    /// From server to server.
    pub soap: Option<String>,
}

impl LogoutService {
    /// Whether it takes part at all.
    #[must_use]
    pub const fn is_offered(&self) -> bool {
        self.front.is_some() || self.soap.is_some()
    }
}

/// Metadata that is fetched again and again (R-483). Only signed metadata is: whoever could put something else at the
/// address would otherwise decide where answers go (T-39).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// Where it is.
    pub url: String,
    /// The certificate of the key that signs it, in base64 of DER.
    pub certificate: String,
    /// What is taken from it; the rest stands in the apply file.
    pub follows: Follows,
    /// Until when what was taken is good, if it says so (metadata 2.3.1). It is told when that is over; logins go on.
    #[serde(default)]
    pub valid_until: Option<Timestamp>,
}

impl Feed {
    /// How near its end a later one is written down: many are made anew every hour with an end of their own, and each
    /// would be a change of the registration. They are looked at every six hours.
    const NEAR: Duration = Duration::from_secs(2 * 24 * 60 * 60);

    /// Takes the end that newer metadata names: at once if it is earlier, else when the known one is near.
    fn extend(&mut self, valid_until: Option<Timestamp>, now: Timestamp) {
        let known = self.valid_until;
        let earlier = valid_until.is_some_and(|until| known.is_none_or(|known| until < known));
        if earlier || known.is_some_and(|known| known <= now.plus(Self::NEAR)) {
            self.valid_until = valid_until;
        }
    }
}

/// What is taken from metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Follows {
    /// Where answers go.
    pub acs: bool,
    /// Its signing certificates.
    pub certificates: bool,
    /// The certificate that assertions are encrypted to, if they are.
    pub encryption: bool,
    /// How their content is encrypted.
    #[serde(default)]
    pub content: bool,
    /// How the content's key is.
    #[serde(default)]
    pub transport: bool,
    /// Single logout by browsers.
    pub logout: bool,
    /// Single logout from server to server.
    pub soap: bool,
}

/// A service provider, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceProvider {
    /// Its name in the protocol, unique in the virtual server.
    pub entity_id: String,
    /// Where answers may go; the first is the default.
    pub acs: Vec<AcsEndpoint>,
    /// How it knows people.
    pub name_id_format: NameIdFormat,
    /// Other formats that its metadata names, and that it may ask for.
    #[serde(default)]
    pub other_name_id_formats: Vec<NameIdFormat>,
    /// What a name identifier in the formats `email` and `unspecified` is made of, if not of the mail address and the
    /// user name.
    #[serde(default)]
    pub name_id_source: Option<Source>,
    /// What it is told about them.
    pub attributes: Vec<Attribute>,
    /// Its signing certificates, X.509 in base64 of DER.
    pub certificates: Vec<String>,
    /// Whether a request without a signature is refused (R-501).
    pub require_signed_requests: bool,
    /// What we sign.
    pub signed: Signed,
    /// How we sign: RS256 or ES256.
    #[serde(default)]
    pub algorithm: SignatureAlgorithm,
    /// The key that signs for it, whatever the others get: for one that cannot change over in time (R-499).
    #[serde(default)]
    pub signing_key: Option<SigningKeyId>,
    /// How its assertions are encrypted; not at all, if none.
    #[serde(default)]
    pub encryption: Option<Encryption>,
    /// Single logout.
    #[serde(default)]
    pub logout: LogoutService,
    /// Whether it takes answers that it did not ask for: from the portal, or by a link (R-495).
    #[serde(default)]
    pub idp_initiated: bool,
    /// What goes with such an answer as RelayState, unless the link says something else.
    #[serde(default)]
    pub relay_state: Option<String>,
    /// Where its metadata is fetched again and again.
    #[serde(default)]
    pub feed: Option<Feed>,
}

impl ServiceProvider {
    /// The address that a request asks for, by address, by number or not at all. Nothing but what is
    /// registered ever gets an answer (T-36).
    #[must_use]
    pub fn acs(&self, url: Option<&str>, index: Option<u32>) -> Option<&AcsEndpoint> {
        match (url, index) {
            (Some(url), None) => self.acs.iter().find(|endpoint| endpoint.url == url),
            (None, Some(index)) => self.acs.iter().find(|endpoint| endpoint.index == index),
            (None, None) => self.acs.first(),
            // The two exclude each other (SAML core 3.4.1).
            (Some(_), Some(_)) => None,
        }
    }

    /// The same service provider as newer metadata of its feed describes it at `now`. Whether requests must be signed is not
    /// for metadata to change (T-42).
    ///
    /// # Errors
    /// What is wrong with the new one; then the old one stays.
    pub fn refreshed(&self, described: &Described, now: Timestamp) -> Result<Self, Vec<ServiceProviderFault>> {
        let mut new = self.clone();
        let Some(feed) = &mut new.feed else { return Ok(new) };
        feed.extend(described.valid_until, now);
        let follows = feed.follows;
        if follows.acs {
            new.acs.clone_from(&described.acs);
        }
        if follows.certificates {
            new.certificates.clone_from(&described.certificates);
        }
        if follows.encryption
            && let Some(known) = &self.encryption
        {
            // What the operator wrote stays: a service provider that knows AES-128 alone need not say so.
            new.encryption = described.encryption.as_ref().map(|found| Encryption {
                certificate: found.certificate.clone(),
                content: if follows.content { found.content } else { known.content },
                transport: if follows.transport { found.transport } else { known.transport },
            });
        }
        if follows.logout {
            new.logout.front.clone_from(&described.logout.front);
        }
        if follows.soap {
            new.logout.soap.clone_from(&described.logout.soap);
        }
        let mut faults = draft::faults_of(&new);
        if described.entity_id != self.entity_id {
            faults.push(ServiceProviderFault { key: "entity_id", words: "is another one".to_owned() });
        }
        if self.encryption.is_some() && new.encryption.is_none() {
            faults.push(ServiceProviderFault {
                key: "encryption_certificate",
                words: "is not there any more".to_owned(),
            });
        }
        if faults.is_empty() { Ok(new) } else { Err(faults) }
    }

    /// Keeps the end of its metadata that is known from `before`, unless it matters that there is another one now: a file that
    /// is applied again is no change because its metadata was made anew.
    pub fn keep_end_of(&mut self, before: &Self, now: Timestamp) {
        if let (Some(feed), Some(known)) = (&mut self.feed, &before.feed)
            && feed.url == known.url
        {
            let newer = std::mem::replace(&mut feed.valid_until, known.valid_until);
            feed.extend(newer, now);
        }
    }

    /// Whether it may ask for names in this format. Names that say nothing are for everybody; mail addresses are for
    /// those whom the operator lets have them.
    #[must_use]
    pub fn may_ask_for(&self, format: NameIdFormat) -> bool {
        let says_nothing = matches!(format, NameIdFormat::Persistent | NameIdFormat::Transient);
        let known = || self.attributes.iter().any(|attribute| attribute.source == Source::Email);
        says_nothing
            || format == self.name_id_format
            || self.other_name_id_formats.contains(&format)
            || (format == NameIdFormat::Email && known())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn provider() -> ServiceProvider {
        let draft = ServiceProviderDraft {
            entity_id: Some("https://wiki.example.com".to_owned()),
            acs_urls: vec!["https://wiki.example.com/acs".into(), "https://wiki.example.com/acs2".into()],
            ..ServiceProviderDraft::default()
        };
        draft.check(None).expect("good")
    }

    /// T-36, T-39.
    #[test]
    fn answers_go_to_registered_addresses_only() {
        let provider = provider();
        assert_eq!(provider.acs(None, None).map(|acs| acs.index), Some(0));
        assert_eq!(provider.acs(None, Some(1)).map(|acs| acs.url.as_str()), Some("https://wiki.example.com/acs2"));
        assert!(provider.acs(Some("https://wiki.example.com/acs"), None).is_some());
        for url in ["https://wiki.example.com/acs/", "https://wiki.example.com/ACS", "https://evil.example/acs", ""] {
            assert!(provider.acs(Some(url), None).is_none(), "{url}");
        }
        assert!(provider.acs(Some("https://wiki.example.com/acs"), Some(0)).is_none());
    }

    /// T-39, AC-44: a hundred addresses that are nearly the registered one, and are not.
    #[test]
    fn near_misses_of_a_registered_address_are_misses() {
        let provider = provider();
        let good = "https://wiki.example.com/acs";
        assert!(provider.acs(Some(good), None).is_some());
        let mut misses: Vec<String> = Vec::new();
        for at in 0..=good.len() {
            let (before, after) = good.split_at(at);
            misses.push(format!("{before}.{after}"));
            misses.push(format!("{before}%{after}"));
            misses.push(format!("{before}{}", after.get(1..).unwrap_or("x")));
        }
        for end in [
            "/",
            "?",
            "#",
            "?x=1",
            "#x",
            "/../acs",
            "/.",
            "%2f",
            "\\",
            "\t",
            "\n",
            "\0",
            " ",
            ";x",
            "&",
            "@evil.example",
            ".evil.example",
        ] {
            misses.push(format!("{good}{end}"));
        }
        for near in [
            "http://wiki.example.com/acs",
            "HTTPS://wiki.example.com/acs",
            "https://WIKI.example.com/acs",
            "https://wiki.example.com:443/acs",
            "https://wiki.example.com:8443/acs",
            "https://wiki.example.com@evil.example/acs",
            "https://evil.example/?https://wiki.example.com/acs",
            "https://wiki.example.com//acs",
            "https://wiki.example.com/./acs",
            "https://wiki.example.com/%61cs",
            "https://wiki.example.com/acS",
            "//wiki.example.com/acs",
            "javascript:alert(1)//https://wiki.example.com/acs",
            "data:text/html,https://wiki.example.com/acs",
            "https://wiki.ex\u{430}mple.com/acs",
            "",
        ] {
            misses.push(near.to_owned());
        }
        assert!(misses.len() > 100);
        for miss in misses {
            assert!(provider.acs(Some(&miss), None).is_none(), "{miss:?}");
        }
    }

    /// R-493: mail addresses are told to those who were meant to have them.
    #[test]
    fn a_service_provider_may_ask_for_formats_that_say_nothing_or_were_allowed() {
        let mut provider = provider();
        let may = |provider: &ServiceProvider| NameIdFormat::ALL.map(|(format, _)| provider.may_ask_for(format));
        assert_eq!(may(&provider), [true, true, false, false]);
        provider.name_id_format = NameIdFormat::Email;
        assert_eq!(may(&provider), [true, true, true, false]);
        provider.name_id_format = NameIdFormat::Persistent;
        provider.other_name_id_formats = vec![NameIdFormat::Unspecified];
        assert_eq!(may(&provider), [true, true, false, true]);
    }

    /// T-39, T-42: a feed changes what it is followed in, and makes nothing weaker.
    #[test]
    fn newer_metadata_changes_addresses_and_keys_and_nothing_else() {
        let follows = Follows {
            acs: true,
            certificates: true,
            encryption: true,
            content: true,
            transport: true,
            logout: true,
            soap: false,
        };
        let url = "https://wiki.example.com/md".to_owned();
        let feed = Feed { url, certificate: String::new(), follows, valid_until: None };
        let old = ServiceProvider {
            feed: Some(feed),
            certificates: vec!["old".to_owned()],
            require_signed_requests: true,
            ..provider()
        };
        let described = Described {
            entity_id: old.entity_id.clone(),
            acs: vec![AcsEndpoint { index: 7, url: "https://wiki.example.com/new".to_owned() }],
            certificates: vec!["new".to_owned()],
            signs_requests: false,
            logout: LogoutService { front: None, soap: Some("https://wiki.example.com/soap".to_owned()) },
            ..Described::default()
        };
        let new = old.refreshed(&described, NOW).expect("good");
        assert_eq!((new.acs.len(), new.certificates[0].as_str(), new.require_signed_requests), (1, "new", true));
        assert_eq!(new.logout.soap, None, "not followed");
        let evil = |change: fn(&mut Described)| {
            let mut described = described.clone();
            change(&mut described);
            old.refreshed(&described, NOW).is_err()
        };
        assert!(evil(|it| it.acs.clear()) && evil(|it| it.certificates.clear()));
        assert!(evil(|it| it.acs[0].url = "javascript:alert(1)".to_owned()));
        assert!(evil(|it| it.entity_id = "urn:other".to_owned()));
    }

    /// R-483: a new certificate counts; how to encrypt to it is the feed's only where the operator did not write it.
    #[test]
    fn newer_metadata_leaves_alone_how_the_operator_wants_assertions_encrypted() {
        let found = |certificate: &str, content, transport| Described {
            entity_id: "https://wiki.example.com".to_owned(),
            encryption: Some(Encryption { certificate: certificate.to_owned(), content, transport }),
            ..Described::default()
        };
        let first = found("old", ContentCipher::Aes256Gcm, KeyTransport::OaepMgf1p);
        let later = found("new", ContentCipher::Aes256Gcm, KeyTransport::OaepSha256);
        let draft = ServiceProviderDraft {
            acs_urls: vec!["https://wiki.example.com/acs".into()],
            metadata_url: Some("https://wiki.example.com/md".to_owned()),
            metadata_certificate: Some("MIIB".to_owned()),
            encrypt_assertions: Some(true),
            encryption_content: Some(ContentCipher::Aes128Gcm),
            ..ServiceProviderDraft::default()
        };
        let provider = draft.check(Some(&first)).expect("good");
        // Shown and typed again, what was not written is not written.
        let again = ServiceProviderDraft::of(&provider).check(Some(&first)).expect("good");
        assert_eq!(again, provider);
        let kept = again.refreshed(&later, NOW).expect("good").encryption;
        let expected = Encryption {
            certificate: "new".to_owned(),
            content: ContentCipher::Aes128Gcm,
            transport: KeyTransport::OaepSha256,
        };
        assert_eq!(kept, Some(expected));
    }

    /// Metadata 2.3.1: the end of what was taken is known, an earlier one at once; a later one is a change only when it matters.
    #[test]
    fn the_end_of_metadata_is_known_and_moves_without_noise() {
        let day = |days: i64| Timestamp::from_seconds(1_800_000_000 + days * 86_400);
        let after = |known: Option<i64>, newer: Option<i64>| {
            let url = "https://wiki.example.com/md".to_owned();
            let (certificate, follows) = (String::new(), Follows::default());
            let feed = Some(Feed { url, certificate, follows, valid_until: known.map(day) });
            let old = ServiceProvider { feed, ..provider() };
            let entity_id = old.entity_id.clone();
            let described = Described { entity_id, valid_until: newer.map(day), ..Described::default() };
            old.refreshed(&described, NOW).expect("good").feed.expect("a feed").valid_until
        };
        for (known, newer, expected) in [
            (None, Some(14), Some(14)),
            (Some(14), Some(7), Some(7)),
            (Some(7), Some(14), Some(7)),
            (Some(2), Some(14), Some(14)),
            (Some(-1), Some(14), Some(14)),
            (Some(7), None, Some(7)),
            (Some(1), None, None),
        ] {
            assert_eq!(after(known, newer), expected.map(day), "{known:?} {newer:?}");
        }
    }

    /// A provider that an earlier version stored is read as it was meant.
    #[test]
    fn what_was_stored_before_is_still_read() {
        let old = r#"{"entity_id":"a","acs":[{"index":0,"url":"https://a/acs"}],"name_id_format":"email","attributes":
            [{"name":"mail","source":"email"}],"certificates":[],"require_signed_requests":false,"signed":"both"}"#;
        let read: ServiceProvider = serde_json::from_str(old).expect("reads");
        assert_eq!((read.algorithm, read.encryption, read.idp_initiated), (SignatureAlgorithm::Rs256, None, false));
    }
}
