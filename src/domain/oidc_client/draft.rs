//! A relying party as an operator types it, and everything that can be wrong with it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{
    ClientAuthentication, ClientSecret, Consent, OidcClient, RefreshRules, Scope, SecretDigest, SubjectType, host_of,
};
use crate::domain::redirect_uri::{RedirectUri, RedirectUriError};
use crate::domain::release::Rule;
use crate::domain::secret::{ExposeSecret, SecretString};
use crate::domain::signing_key::SignatureAlgorithm;

/// A relying party as an operator types it: the table `[tenant.application.oidc]` of an apply file.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OidcClientDraft {
    /// See [`OidcClient::client_id`]. The console and the management API draw one where none is given.
    #[serde(default)]
    pub client_id: String,
    /// The secret; none for a public client, or to keep the one that is stored.
    #[serde(default, skip_serializing)]
    #[schemars(with = "Option<String>")]
    pub client_secret: Option<SecretString>,
    /// See [`OidcClient::redirect_uris`].
    #[serde(default)]
    pub redirect_uris: Vec<String>,
    /// See [`OidcClient::post_logout_redirect_uris`].
    #[serde(default)]
    pub post_logout_redirect_uris: Vec<String>,
    /// See [`OidcClient::backchannel_logout_uri`].
    #[serde(default)]
    pub backchannel_logout_uri: Option<String>,
    /// See [`OidcClient::frontchannel_logout_uri`].
    #[serde(default)]
    pub frontchannel_logout_uri: Option<String>,
    /// See [`OidcClient::authentication`].
    #[serde(default)]
    pub token_endpoint_auth_method: ClientAuthentication,
    /// See [`OidcClient::scopes`]; all of them unless given.
    #[serde(default = "all_scopes")]
    pub scopes: Vec<Scope>,
    /// See [`OidcClient::claims`].
    #[serde(default)]
    pub claims: Vec<Rule>,
    /// See [`OidcClient::id_token_algorithm`].
    #[serde(default)]
    pub id_token_signed_response_alg: SignatureAlgorithm,
    /// See [`OidcClient::require_pkce`].
    #[serde(default = "yes")]
    pub require_pkce: bool,
    /// See [`OidcClient::subject_type`].
    #[serde(default)]
    pub subject_type: SubjectType,
    /// See [`OidcClient::jwks`]: the set itself, as a text.
    #[serde(default)]
    pub jwks: Option<String>,
    /// The same in a file beside the apply file.
    #[serde(default)]
    pub jwks_file: Option<String>,
    /// See [`OidcClient::jwks_uri`].
    #[serde(default)]
    pub jwks_uri: Option<String>,
    /// Whether it gets refresh tokens, see [`OidcClient::refresh`].
    #[serde(default)]
    pub refresh_tokens: bool,
    /// See [`RefreshRules::grace_seconds`].
    #[serde(default = "ten_seconds")]
    pub refresh_token_grace_seconds: u32,
    /// See [`RefreshRules::idle_seconds`].
    #[serde(default = "thirty_days")]
    pub refresh_token_idle_seconds: u32,
    /// See [`RefreshRules::longest_seconds`].
    #[serde(default = "ninety_days")]
    pub refresh_token_longest_seconds: u32,
    /// See [`OidcClient::consent`].
    #[serde(default)]
    pub consent: Consent,
    /// See [`OidcClient::userinfo_algorithm`].
    #[serde(default)]
    pub userinfo_signed_response_alg: Option<SignatureAlgorithm>,
    /// See [`OidcClient::sector_identifier`].
    #[serde(default)]
    pub sector_identifier: Option<String>,
    /// See [`OidcClient::resources`].
    #[serde(default)]
    pub resources: Vec<String>,
    /// See [`OidcClient::client_credentials`].
    #[serde(default)]
    pub client_credentials: bool,
    /// See [`OidcClient::device_authorization`].
    #[serde(default)]
    pub device_authorization: bool,
    /// See [`OidcClient::require_pushed_authorization_requests`].
    #[serde(default)]
    pub require_pushed_authorization_requests: bool,
    /// See [`OidcClient::require_signed_request_object`].
    #[serde(default)]
    pub require_signed_request_object: bool,
    /// See [`OidcClient::dpop_bound_access_tokens`].
    #[serde(default)]
    pub dpop_bound_access_tokens: bool,
}

fn all_scopes() -> Vec<Scope> {
    Scope::ALL.to_vec()
}

const fn yes() -> bool {
    true
}

const fn ten_seconds() -> u32 {
    10
}

const fn thirty_days() -> u32 {
    30 * 86_400
}

const fn ninety_days() -> u32 {
    90 * 86_400
}

/// What is wrong with a draft.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidcClientFault {
    /// The client id has a wrong length or wrong characters.
    #[error("client_id has 1 to 255 printable ASCII characters")]
    ClientId,
    /// The secret is too short, too long or not typable.
    #[error("client_secret has 8 to 256 printable ASCII characters")]
    ClientSecret,
    /// There is a secret, and the client proves itself in another way.
    #[error("client_secret belongs to token_endpoint_auth_method = \"client_secret_basic\" or \"client_secret_post\"")]
    SecretWithoutUse,
    /// There is nowhere to go with a code.
    #[error("redirect_uris needs at least one address")]
    NoRedirectUri,
    /// An address cannot be registered.
    #[error("{field}: \"{address}\": {cause}")]
    Address {
        /// The key in the apply file.
        field: &'static str,
        /// The address as typed.
        address: String,
        /// What is wrong with it.
        cause: RedirectUriError,
    },
    /// An address that we or the browser must call is not one of the web.
    #[error("{0} must begin with https://")]
    NotCallable(&'static str),
    /// A public client tries to do without PKCE.
    #[error("require_pkce cannot be false for a public client: its codes would be worth stealing")]
    PublicWithoutPkce,
    /// A time is out of its range.
    #[error("{key} must be from {least} to {most}")]
    Seconds {
        /// The key in the apply file.
        key: &'static str,
        /// The smallest value.
        least: u32,
        /// The largest value.
        most: u32,
    },
    /// A public client wants tokens for itself.
    #[error("client_credentials needs a client that can prove who it is")]
    PublicForItself,
    /// Two claims have one name, or a name is one that the protocol uses itself.
    #[error("claims: \"{0}\" is given twice or belongs to the protocol")]
    Claim(String),
    /// Pairwise identifiers need one host to belong to.
    #[error("subject_type = \"pairwise\" needs redirect_uris that all have the same host, or a sector_identifier")]
    Sector,
    /// A sector is not a host.
    #[error("sector_identifier must be a host name in lower case, such as example.com")]
    SectorIdentifier,
}

/// Claims that only the protocol itself may set.
const PROTOCOL_CLAIMS: [&str; 18] = [
    "authenticator",
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "azp",
    "sid",
    "at_hash",
    "c_hash",
    "s_hash",
    "events",
];

impl Default for OidcClientDraft {
    fn default() -> Self {
        Self {
            client_id: String::new(),
            client_secret: None,
            redirect_uris: Vec::new(),
            post_logout_redirect_uris: Vec::new(),
            backchannel_logout_uri: None,
            frontchannel_logout_uri: None,
            token_endpoint_auth_method: ClientAuthentication::default(),
            scopes: all_scopes(),
            claims: Vec::new(),
            id_token_signed_response_alg: SignatureAlgorithm::default(),
            require_pkce: true,
            subject_type: SubjectType::default(),
            jwks: None,
            jwks_file: None,
            jwks_uri: None,
            refresh_tokens: false,
            refresh_token_grace_seconds: ten_seconds(),
            refresh_token_idle_seconds: thirty_days(),
            refresh_token_longest_seconds: ninety_days(),
            consent: Consent::default(),
            userinfo_signed_response_alg: None,
            sector_identifier: None,
            resources: Vec::new(),
            client_credentials: false,
            device_authorization: false,
            require_pushed_authorization_requests: false,
            require_signed_request_object: false,
            dpop_bound_access_tokens: false,
        }
    }
}

impl OidcClientDraft {
    /// The draft of a client that is there, as it would be typed; without its secret, which nobody knows any more.
    #[must_use]
    pub fn of(client: &OidcClient) -> Self {
        let typed = |uris: &[RedirectUri]| uris.iter().map(|uri| uri.as_str().to_owned()).collect();
        let base = Self::default();
        Self {
            client_id: client.client_id.clone(),
            redirect_uris: typed(&client.redirect_uris),
            post_logout_redirect_uris: typed(&client.post_logout_redirect_uris),
            backchannel_logout_uri: client.backchannel_logout_uri.clone(),
            frontchannel_logout_uri: client.frontchannel_logout_uri.clone(),
            token_endpoint_auth_method: client.authentication,
            scopes: client.scopes.iter().copied().collect(),
            claims: client.claims.clone(),
            id_token_signed_response_alg: client.id_token_algorithm,
            require_pkce: client.require_pkce,
            subject_type: client.subject_type,
            jwks: client.jwks.clone(),
            jwks_uri: client.jwks_uri.clone(),
            refresh_tokens: client.refresh.is_some(),
            refresh_token_grace_seconds: client.refresh.map_or(ten_seconds(), |rules| rules.grace_seconds),
            refresh_token_idle_seconds: client.refresh.map_or(thirty_days(), |rules| rules.idle_seconds),
            refresh_token_longest_seconds: client.refresh.map_or(ninety_days(), |rules| rules.longest_seconds),
            consent: client.consent,
            userinfo_signed_response_alg: client.userinfo_algorithm,
            sector_identifier: client.sector_identifier.clone(),
            resources: client.resources.clone(),
            client_credentials: client.client_credentials,
            device_authorization: client.device_authorization,
            require_pushed_authorization_requests: client.require_pushed_authorization_requests,
            require_signed_request_object: client.require_signed_request_object,
            dpop_bound_access_tokens: client.dpop_bound_access_tokens,
            ..base
        }
    }
}

impl OidcClientDraft {
    /// Checks the draft. `digest` hashes the secret for its client id; the draft itself knows no keys.
    ///
    /// The result has no secret if none was given; use [`OidcClient::is_complete`] before activating it.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn check(
        &self,
        digest: impl FnOnce(&str, &SecretString) -> SecretDigest,
    ) -> Result<OidcClient, Vec<OidcClientFault>> {
        let mut faults = Vec::new();
        self.check_names(&mut faults);
        let redirect_uris = addresses("redirect_uris", &self.redirect_uris, &mut faults);
        let after_logout = addresses("post_logout_redirect_uris", &self.post_logout_redirect_uris, &mut faults);
        web_address("backchannel_logout_uri", self.backchannel_logout_uri.as_ref(), &mut faults);
        web_address("jwks_uri", self.jwks_uri.as_ref(), &mut faults);
        web_address("frontchannel_logout_uri", self.frontchannel_logout_uri.as_ref(), &mut faults);
        if self.redirect_uris.is_empty() && !self.client_credentials && !self.device_authorization {
            faults.push(OidcClientFault::NoRedirectUri);
        }
        let hosts: BTreeSet<String> = redirect_uris.iter().map(host_of).collect();
        let named = self.sector_identifier.as_deref();
        if named.is_some_and(|host| !matches!(url::Host::parse(host), Ok(url::Host::Domain(good)) if good == host)) {
            faults.push(OidcClientFault::SectorIdentifier);
        }
        // Devices need no address. Without a host all such applications would be one sector, and see one subject.
        let homeless = self.redirect_uris.is_empty() && self.device_authorization;
        if self.subject_type == SubjectType::Pairwise && (hosts.len() > 1 || homeless) && named.is_none() {
            faults.push(OidcClientFault::Sector);
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        let secret = self.client_secret.as_ref().map(|secret| digest(&self.client_id, secret));
        let mut scopes: BTreeSet<Scope> = self.scopes.iter().copied().collect();
        scopes.insert(Scope::Openid);
        Ok(OidcClient {
            client_id: self.client_id.clone(),
            secrets: secret.map(|digest| ClientSecret { digest, expires_at: None }).into_iter().collect(),
            redirect_uris,
            post_logout_redirect_uris: after_logout,
            backchannel_logout_uri: self.backchannel_logout_uri.clone(),
            frontchannel_logout_uri: self.frontchannel_logout_uri.clone(),
            authentication: self.token_endpoint_auth_method,
            scopes,
            claims: self.claims.clone(),
            id_token_algorithm: self.id_token_signed_response_alg,
            require_pkce: self.require_pkce,
            subject_type: self.subject_type,
            jwks: self.jwks.clone(),
            jwks_uri: self.jwks_uri.clone(),
            refresh: self.refresh_tokens.then_some(RefreshRules {
                grace_seconds: self.refresh_token_grace_seconds,
                idle_seconds: self.refresh_token_idle_seconds,
                longest_seconds: self.refresh_token_longest_seconds,
            }),
            consent: self.consent,
            userinfo_algorithm: self.userinfo_signed_response_alg,
            sector_identifier: self.sector_identifier.clone(),
            resources: self.resources.clone(),
            client_credentials: self.client_credentials,
            device_authorization: self.device_authorization,
            require_pushed_authorization_requests: self.require_pushed_authorization_requests,
            require_signed_request_object: self.require_signed_request_object,
            dpop_bound_access_tokens: self.dpop_bound_access_tokens,
        })
    }

    fn check_times(&self, faults: &mut Vec<OidcClientFault>) {
        let longest = RefreshRules::LONGEST;
        for (key, seconds, least, most) in [
            ("refresh_token_grace_seconds", self.refresh_token_grace_seconds, 0, 60),
            ("refresh_token_idle_seconds", self.refresh_token_idle_seconds, 60, longest),
            ("refresh_token_longest_seconds", self.refresh_token_longest_seconds, 60, longest),
        ] {
            if !(least..=most).contains(&seconds) {
                faults.push(OidcClientFault::Seconds { key, least, most });
            }
        }
    }

    fn check_names(&self, faults: &mut Vec<OidcClientFault>) {
        let printable = |text: &str| text.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if !(1..=255).contains(&self.client_id.len()) || !printable(&self.client_id) {
            faults.push(OidcClientFault::ClientId);
        }
        let public = self.token_endpoint_auth_method == ClientAuthentication::None;
        if let Some(secret) = self.client_secret.as_ref().map(ExposeSecret::expose_secret) {
            if !self.token_endpoint_auth_method.has_secret() {
                faults.push(OidcClientFault::SecretWithoutUse);
            } else if !(8..=256).contains(&secret.len()) || !printable(secret) {
                faults.push(OidcClientFault::ClientSecret);
            }
        }
        self.check_times(faults);
        if public && self.client_credentials {
            faults.push(OidcClientFault::PublicForItself);
        }
        if public && !self.require_pkce {
            faults.push(OidcClientFault::PublicWithoutPkce);
        }
        let mut names = BTreeSet::new();
        for rule in &self.claims {
            let taken = PROTOCOL_CLAIMS.contains(&rule.name.as_str()) || rule.name.is_empty();
            if taken || !names.insert(rule.name.as_str()) {
                faults.push(OidcClientFault::Claim(rule.name.clone()));
            }
        }
    }
}

/// Checks an address that is called and not redirected to: an app's own scheme is of no use there.
fn web_address(field: &'static str, typed: Option<&String>, faults: &mut Vec<OidcClientFault>) {
    let Some(typed) = typed else { return };
    addresses(field, std::slice::from_ref(typed), faults);
    if url::Url::parse(typed).is_ok_and(|url| !matches!(url.scheme(), "https" | "http")) {
        faults.push(OidcClientFault::NotCallable(field));
    }
}

/// Registers each address; those that cannot be become faults.
fn addresses(field: &'static str, typed: &[String], faults: &mut Vec<OidcClientFault>) -> Vec<RedirectUri> {
    let mut good = Vec::with_capacity(typed.len());
    for address in typed {
        match RedirectUri::parse(address) {
            Ok(uri) => good.push(uri),
            Err(cause) => faults.push(OidcClientFault::Address { field, address: address.clone(), cause }),
        }
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::timestamp::Timestamp;
    use std::time::Duration;

    fn draft(toml: &str) -> OidcClientDraft {
        toml::from_str(toml).expect("the keys are those of the apply file")
    }

    fn digest(_: &str, secret: &SecretString) -> SecretDigest {
        let mut octets = [0; 32];
        octets[0] = u8::try_from(secret.expose_secret().len()).expect("short");
        SecretDigest(octets)
    }

    const NOTES: &str = r#"
        client_id = "notes"
        client_secret = "a secret of Notes"
        redirect_uris = ["http://127.0.0.1:9000/callback"]
    "#;

    /// R-501, R-503.
    #[test]
    fn a_short_draft_gets_safe_defaults_and_survives_storage() {
        let client = draft(NOTES).check(digest).expect("nothing is wrong");
        assert!(client.require_pkce && client.is_complete() && !client.is_public());
        assert_eq!(client.id_token_algorithm, SignatureAlgorithm::Rs256);
        assert_eq!(client.scopes.len(), 6);
        assert!(!client.may_have(Scope::OfflineAccess), "R-511: opt-in");
        let stored = serde_json::to_string(&client).expect("JSON");
        assert!(!stored.contains("a secret of Notes"), "secrets are stored hashed (R-516)");
        assert_eq!(serde_json::from_str::<OidcClient>(&stored).expect("reads back"), client);
    }

    /// R-501.
    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let faults = draft(
            r#"
            client_id = "bäd"
            client_secret = "short"
            redirect_uris = ["http://rp.example/cb"]
            claims = [{ name = "sub", source = "username" }]
        "#,
        )
        .check(digest)
        .expect_err("four things are wrong");
        assert_eq!(faults.len(), 4, "{faults:?}");
        let public = r#"client_id = "spa"
            token_endpoint_auth_method = "none""#;
        let faults = draft(&format!("{public}\nclient_secret = \"12345678\"\nrequire_pkce = false")).check(digest);
        assert_eq!(
            faults.expect_err("three"),
            [OidcClientFault::SecretWithoutUse, OidcClientFault::PublicWithoutPkce, OidcClientFault::NoRedirectUri]
        );
        assert!(toml::from_str::<OidcClientDraft>("client_id = \"x\"\nscope = [\"openid\"]").is_err(), "unknown key");
    }

    /// R-516.
    #[test]
    fn two_secrets_are_valid_while_one_replaces_the_other() {
        let mut client = draft(NOTES).check(digest).expect("nothing is wrong");
        let at = Timestamp::from_seconds;
        let (new, newer) = (SecretDigest([7; 32]), SecretDigest([8; 32]));
        client.replace_secret(new, Duration::from_secs(60), at(0));
        assert_eq!(client.valid_secrets(at(59)).count(), 2);
        assert_eq!(client.valid_secrets(at(60)).collect::<Vec<_>>(), [new]);
        client.replace_secret(newer, Duration::from_secs(60), at(10));
        assert_eq!(client.valid_secrets(at(11)).collect::<Vec<_>>(), [newer, new], "never more than two");
        client.replace_secret(newer, Duration::ZERO, at(12));
        assert_eq!(client.valid_secrets(at(12)).collect::<Vec<_>>(), [newer]);
    }

    /// R-515.
    #[test]
    fn pairwise_subjects_need_one_sector() {
        let two_hosts = r#"client_id = "x"
            redirect_uris = ["https://a.example/cb", "https://b.example/cb"]
            subject_type = "pairwise""#;
        assert_eq!(draft(two_hosts).check(digest), Err(vec![OidcClientFault::Sector]));
        let one = draft(&two_hosts.replace("b.example", "a.example")).check(digest).expect("one host");
        assert_eq!(one.sector(), "a.example");
        let named = draft(&format!("{two_hosts}\nsector_identifier = \"example.com\"")).check(digest).expect("named");
        assert_eq!(named.sector(), "example.com");
        // Applications on devices that have no address at all would see one subject otherwise.
        let device = "client_id = \"tv\"\ndevice_authorization = true\nsubject_type = \"pairwise\"";
        assert_eq!(draft(device).check(digest), Err(vec![OidcClientFault::Sector]));
        let named = draft(&format!("{device}\nsector_identifier = \"tv.example\"")).check(digest).expect("named");
        assert_eq!(named.sector(), "tv.example");
        for bad in ["https://example.com", "Example.com", "a/b", "127.0.0.1", ""] {
            let bad = draft(&format!("{two_hosts}\nsector_identifier = \"{bad}\"")).check(digest);
            assert_eq!(bad, Err(vec![OidcClientFault::SectorIdentifier]));
        }
    }
}
