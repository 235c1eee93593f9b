//! APIs that access tokens can be for (RFC 8707): what they are called, what kind of token they take, and what one may do
//! there.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::oidc_client::Scope;
use super::signing_key::SignatureAlgorithm;

/// What kind of access token an API takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenFormat {
    /// A JWT that the API checks by itself (RFC 9068).
    #[default]
    Jwt,
    /// A reference that the API asks us about (RFC 7662): revoking it counts at once.
    Opaque,
}

/// An API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// Its name in the parameter `resource` and in `aud`: an absolute URI without a fragment.
    pub identifier: String,
    /// What it takes.
    #[serde(default)]
    pub access_token: TokenFormat,
    /// The algorithm of its JWTs.
    #[serde(default)]
    pub access_token_signed_response_alg: SignatureAlgorithm,
    /// How long its tokens live, in seconds.
    #[serde(default = "quarter_of_an_hour")]
    pub access_token_seconds: u32,
    /// What one may do there.
    #[serde(default)]
    pub scopes: BTreeSet<String>,
    /// The client identifiers under which it asks about tokens.
    #[serde(default)]
    pub introspected_by: Vec<String>,
}

const fn quarter_of_an_hour() -> u32 {
    15 * 60
}

/// The most that a token's life may be, in seconds: a day.
const LONGEST: u32 = 86_400;

impl Resource {
    /// What is wrong with it: key and words.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let good = url::Url::parse(&self.identifier)
            .is_ok_and(|url| url.fragment().is_none() && self.identifier.len() <= 255 && !url.cannot_be_a_base());
        let urn = self.identifier.starts_with("urn:") && self.identifier.len() <= 255 && !self.identifier.contains('#');
        if !(good || urn) || !self.identifier.bytes().all(|b| b.is_ascii_graphic()) {
            faults.push((
                "identifier",
                "must be an absolute URI without a fragment, such as https://api.example.com/".to_owned(),
            ));
        }
        if !(60..=LONGEST).contains(&self.access_token_seconds) {
            faults.push(("access_token_seconds", format!("must be from 60 to {LONGEST}")));
        }
        for scope in &self.scopes {
            let words = |b: u8| b.is_ascii_graphic() && b != b'"' && b != b'\\';
            if scope.is_empty() || scope.len() > 100 || !scope.bytes().all(words) {
                faults.push((
                    "scopes",
                    format!("\"{scope}\" is not a scope: 1 to 100 printable ASCII characters without quotes"),
                ));
            } else if scope.parse::<Scope>().is_ok() {
                faults.push(("scopes", format!("\"{scope}\" belongs to OpenID Connect itself")));
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(identifier: &str, scopes: &[&str]) -> Resource {
        let scopes: Vec<String> = scopes.iter().map(|scope| format!("\"{scope}\"")).collect();
        toml::from_str(&format!("identifier = '{identifier}'\nscopes = [{}]", scopes.join(","))).expect("a resource")
    }

    #[test]
    fn a_resource_has_a_name_and_scopes_of_its_own() {
        assert!(resource("https://api.example.com/v1", &["read", "orders:write"]).faults().is_empty());
        assert!(resource("urn:example:api", &[]).faults().is_empty());
        for (identifier, scopes) in [
            ("api", &[][..]),
            ("https://api.example.com/#x", &[]),
            ("https://api.example.com/ä", &[]),
            ("mailto:x", &[]),
            ("https://api.example.com/", &["openid"]),
            ("https://api.example.com/", &["a b"]),
            ("https://api.example.com/", &[""]),
        ] {
            assert_eq!(resource(identifier, scopes).faults().len(), 1, "{identifier} {scopes:?}");
        }
        let short = Resource { access_token_seconds: 59, ..resource("urn:x:y", &[]) };
        assert_eq!(short.faults().len(), 1);
    }
}
