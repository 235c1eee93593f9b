//! SAML service providers: what an operator registers, and what a request is held against.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::release::Rule;

/// How a service provider knows a person (SAML core 8.3, R-493).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AcsEndpoint {
    /// The number that a request may name it by.
    pub index: u32,
    /// The address.
    pub url: String,
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
    /// What it is told about them.
    pub attributes: Vec<Rule>,
    /// Its signing certificates, X.509 in base64 of DER.
    pub certificates: Vec<String>,
    /// Whether a request without a signature is refused.
    pub require_signed_requests: bool,
    /// What we sign.
    pub signed: Signed,
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
}

/// A service provider as an operator types it: the table `[tenant.application.saml]` of an apply file.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceProviderDraft {
    /// A file with metadata; relative to the apply file.
    pub metadata_file: Option<String>,
    /// The metadata itself.
    pub metadata: Option<String>,
    /// See [`ServiceProvider::entity_id`].
    pub entity_id: Option<String>,
    /// See [`ServiceProvider::acs`]; numbered in this order.
    pub acs_urls: Vec<String>,
    /// See [`ServiceProvider::name_id_format`].
    pub name_id_format: Option<NameIdFormat>,
    /// See [`ServiceProvider::attributes`].
    pub attributes: Vec<Rule>,
    /// See [`ServiceProvider::certificates`]; PEM or base64.
    pub certificates: Vec<String>,
    /// See [`ServiceProvider::require_signed_requests`]; as the metadata says unless given.
    pub require_signed_requests: Option<bool>,
    /// See [`ServiceProvider::signed`].
    pub signed: Signed,
}

/// What metadata says, as far as we use it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// The entity ID.
    pub entity_id: String,
    /// Addresses with binding HTTP-POST, the default first.
    pub acs: Vec<AcsEndpoint>,
    /// Formats of name identifiers, the most wanted first.
    pub name_id_formats: Vec<NameIdFormat>,
    /// Signing certificates in base64.
    pub certificates: Vec<String>,
    /// Whether it signs its requests.
    pub signs_requests: bool,
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

impl ServiceProviderDraft {
    /// Checks the draft; `described` is what its metadata says, if it has any. What is written in the file
    /// counts more than the metadata.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn check(&self, described: Option<&Described>) -> Result<ServiceProvider, Vec<ServiceProviderFault>> {
        let mut faults = Vec::new();
        let mut fault = |key, words: &str| faults.push(ServiceProviderFault { key, words: words.to_owned() });
        let entity_id = self.entity_id.clone().or_else(|| described.map(|it| it.entity_id.clone())).unwrap_or_default();
        if entity_id.is_empty() || entity_id.len() > 1024 || entity_id.chars().any(char::is_control) {
            fault("entity_id", "has 1 to 1024 characters and no control characters (SAML core 8.3.6)");
        }
        let acs = if self.acs_urls.is_empty() {
            described.map(|it| it.acs.clone()).unwrap_or_default()
        } else {
            let numbered = (0_u32..).zip(&self.acs_urls);
            numbered.map(|(index, url)| AcsEndpoint { index, url: url.clone() }).collect()
        };
        if acs.is_empty() {
            fault("acs_urls", "needs at least one address that takes answers by HTTP-POST");
        }
        for endpoint in &acs {
            if let Err(words) = checked_address(&endpoint.url) {
                fault("acs_urls", &format!("\"{}\" {words}", endpoint.url));
            }
        }
        let certificates = if self.certificates.is_empty() {
            described.map(|it| it.certificates.clone()).unwrap_or_default()
        } else {
            self.certificates.iter().map(|text| bare(text)).collect()
        };
        let require_signed_requests =
            self.require_signed_requests.unwrap_or_else(|| described.is_some_and(|it| it.signs_requests));
        if require_signed_requests && certificates.is_empty() {
            fault("require_signed_requests", "needs a certificate to check signatures with");
        }
        let preferred = described.and_then(|it| it.name_id_formats.first().copied());
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(ServiceProvider {
            entity_id,
            acs,
            name_id_format: self.name_id_format.or(preferred).unwrap_or_default(),
            attributes: self.attributes.clone(),
            certificates,
            require_signed_requests,
            signed: self.signed,
        })
    }
}

/// The base64 inside a PEM text, or the text without its white space.
fn bare(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("-----")).flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
}

/// Answers go over HTTPS, or to this very machine.
fn checked_address(address: &str) -> Result<(), &'static str> {
    let url = url::Url::from_str(address).map_err(|_| "is not an address")?;
    let local = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match url.scheme() {
        "https" => {}
        "http" if local => {}
        _ => return Err("must begin with https:// (http:// is for this machine only)"),
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
            acs_urls: vec!["https://wiki.example.com/acs".to_owned(), "https://wiki.example.com/acs2".to_owned()],
            ..ServiceProviderDraft::default()
        }
    }

    /// T-36.
    #[test]
    fn answers_go_to_registered_addresses_only() {
        let provider = draft().check(None).expect("good");
        assert_eq!(provider.acs(None, None).map(|acs| acs.index), Some(0));
        assert_eq!(provider.acs(None, Some(1)).map(|acs| acs.url.as_str()), Some("https://wiki.example.com/acs2"));
        assert!(provider.acs(Some("https://wiki.example.com/acs"), None).is_some());
        for url in ["https://wiki.example.com/acs/", "https://wiki.example.com/ACS", "https://evil.example/acs", ""] {
            assert!(provider.acs(Some(url), None).is_none(), "{url}");
        }
        assert!(provider.acs(Some("https://wiki.example.com/acs"), Some(0)).is_none());
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let bad = ServiceProviderDraft {
            acs_urls: vec!["http://wiki.example.com/acs".to_owned(), "javascript:alert(1)".to_owned()],
            require_signed_requests: Some(true),
            ..ServiceProviderDraft::default()
        };
        let faults = bad.check(None).expect_err("bad");
        let keys: Vec<&str> = faults.iter().map(|fault| fault.key).collect();
        assert_eq!(keys, ["entity_id", "acs_urls", "acs_urls", "require_signed_requests"]);
    }

    #[test]
    fn what_the_operator_writes_counts_more_than_metadata() {
        let described = Described {
            entity_id: "urn:other".to_owned(),
            name_id_formats: vec![NameIdFormat::Email],
            certificates: vec!["MIIB".to_owned()],
            signs_requests: true,
            ..Described::default()
        };
        let provider = draft().check(Some(&described)).expect("good");
        assert_eq!(provider.entity_id, "https://wiki.example.com");
        assert_eq!((provider.name_id_format, provider.require_signed_requests), (NameIdFormat::Email, true));
    }
}
