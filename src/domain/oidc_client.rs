//! An application's OpenID Connect side: as typed by an operator ([`OidcClientDraft`]), and as needed by the doors.

mod draft;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::redirect_uri::RedirectUri;
use super::release::Rule;
use super::signing_key::{SignatureAlgorithm, UnknownWord};
use super::timestamp::Timestamp;

pub use draft::{OidcClientDraft, OidcClientFault};

/// A group of claims that an application may ask for (OIDC Core 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// That this is OpenID Connect at all: `sub`.
    Openid,
    /// Names and language.
    Profile,
    /// The mail address.
    Email,
    /// The telephone number.
    Phone,
    /// The names of the groups.
    Groups,
    /// Access when the person is away: a refresh token that outlives the session (OIDC Core 11).
    OfflineAccess,
}

impl Scope {
    /// All of them, in the order in which they are written.
    pub const ALL: [Self; 6] =
        [Self::Openid, Self::Profile, Self::Email, Self::Phone, Self::Groups, Self::OfflineAccess];

    /// The word in the parameter `scope`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Openid => "openid",
            Self::Profile => "profile",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Groups => "groups",
            Self::OfflineAccess => "offline_access",
        }
    }
}

impl FromStr for Scope {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|scope| scope.name() == text).ok_or(UnknownWord)
    }
}

/// How a client proves at the token endpoint that it is itself (OIDC Core 9, R-510).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// Its secret in the header `Authorization`.
    #[default]
    ClientSecretBasic,
    /// Its secret in the body.
    ClientSecretPost,
    /// A JWT signed with a key of its own (RFC 7523): no secret that could leak from us or on the way.
    PrivateKeyJwt,
    /// Not at all: a public client, whose code is worth nothing without the PKCE verifier.
    None,
}

impl ClientAuthentication {
    /// All of them, in the order in which they are announced.
    pub const ALL: [Self; 4] = [Self::ClientSecretBasic, Self::ClientSecretPost, Self::PrivateKeyJwt, Self::None];

    /// Whether a secret that both sides know is part of it.
    #[must_use]
    pub const fn has_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }

    /// The registered word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::None => "none",
        }
    }
}

/// Whether two applications see the same `sub` for one person (OIDC Core 8, R-515).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// Every application sees the same one.
    #[default]
    Public,
    /// Each sector (the host of the redirect addresses) sees another one.
    Pairwise,
}

/// The keyed hash of a client secret: HMAC-SHA-256 over tenant, client and secret.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretDigest(pub [u8; 32]);

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest")
    }
}

impl From<SecretDigest> for String {
    fn from(digest: SecretDigest) -> Self {
        data_encoding::HEXLOWER.encode(&digest.0)
    }
}

impl TryFrom<String> for SecretDigest {
    type Error = UnknownWord;
    fn try_from(text: String) -> Result<Self, UnknownWord> {
        let octets = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| UnknownWord)?;
        octets.try_into().map(Self).map_err(|_| UnknownWord)
    }
}

/// A client secret as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSecret {
    /// Its keyed hash.
    pub digest: SecretDigest,
    /// When it ends, for one that is being replaced; the newest never ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Who says that an application may learn about a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// The organization, by assigning the application. A person is asked only where the request wants it
    /// (`prompt=consent`).
    #[default]
    Implied,
    /// The person, who is asked the first time and whenever more is asked for.
    Ask,
}

/// How long refresh tokens live (R-511, RFC 9700 4.14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshRules {
    /// How long the same request may be repeated after its answer was lost, in seconds: 0 to 60.
    pub grace_seconds: u32,
    /// How long one may stay unused, in seconds.
    pub idle_seconds: u32,
    /// How long all that follow from one login live together, in seconds.
    pub longest_seconds: u32,
}

impl RefreshRules {
    /// The most that an operator may set, in seconds: 0 to 60 for the grace, and a year and a day.
    pub const LONGEST: u32 = 366 * 86_400;
}

/// A relying party, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OidcClient {
    /// Its name in the protocol: 1 to 255 printable ASCII characters, unique in the tenant.
    pub client_id: String,
    /// The newest secret first; at most two. Empty for a public client.
    pub secrets: Vec<ClientSecret>,
    /// Where codes may go; at least one.
    pub redirect_uris: Vec<RedirectUri>,
    /// Where a browser may go after logging out.
    pub post_logout_redirect_uris: Vec<RedirectUri>,
    /// Where the end of a session is announced, server to server.
    pub backchannel_logout_uri: Option<String>,
    /// Where the end of a session is announced by the person's browser, in a frame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontchannel_logout_uri: Option<String>,
    /// How it proves who it is.
    pub authentication: ClientAuthentication,
    /// The scopes it may be granted; always `openid`.
    pub scopes: BTreeSet<Scope>,
    /// Further claims, given whenever `openid` is.
    pub claims: Vec<Rule>,
    /// The algorithm of its ID Tokens.
    pub id_token_algorithm: SignatureAlgorithm,
    /// Whether a request without PKCE is refused; always so for a public client.
    pub require_pkce: bool,
    /// Which `sub` it sees.
    pub subject_type: SubjectType,
    /// Its public keys, a JSON Web Key Set that was checked when it was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks: Option<String>,
    /// Where it publishes its keys instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// How long its refresh tokens live, if it gets any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<RefreshRules>,
    /// Who consents.
    #[serde(default)]
    pub consent: Consent,
    /// The algorithm of UserInfo answers, if they are to be signed (OIDC Core 5.3.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub userinfo_algorithm: Option<SignatureAlgorithm>,
    /// The host that pairwise subjects belong to, where it is not that of the redirect addresses (OIDC Core 8.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_identifier: Option<String>,
    /// The APIs that it may have access tokens for (RFC 8707).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Whether it may have access tokens for itself (RFC 6749, 4.4).
    #[serde(default)]
    pub client_credentials: bool,
    /// Whether devices without a browser may be let in for it (RFC 8628).
    #[serde(default)]
    pub device_authorization: bool,
    /// Whether a request that was not pushed is refused (RFC 9126, 6).
    #[serde(default)]
    pub require_pushed_authorization_requests: bool,
    /// Whether a request that is not signed is refused (RFC 9101, 10.5).
    #[serde(default)]
    pub require_signed_request_object: bool,
    /// Whether its tokens are always bound to a key (RFC 9449, 5.2).
    #[serde(default)]
    pub dpop_bound_access_tokens: bool,
}

impl OidcClient {
    /// How many secrets may be valid at once while one replaces the other.
    pub const MOST_SECRETS: usize = 2;
    /// How long a secret that was replaced stays valid, so that the application can be changed over without an outage
    ///
    pub const SECRET_GRACE: Duration = Duration::from_secs(24 * 60 * 60);

    /// The registered address that `presented` is, if any.
    #[must_use]
    pub fn redirect_uri(&self, presented: &str) -> Option<&RedirectUri> {
        self.redirect_uris.iter().find(|uri| uri.admits(presented))
    }

    /// Whether the client has no secret to keep.
    #[must_use]
    pub const fn is_public(&self) -> bool {
        matches!(self.authentication, ClientAuthentication::None)
    }

    /// Whether everything is there that a login needs; without a secret or a key a confidential
    /// client could never fetch its tokens.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        let proof = match self.authentication {
            ClientAuthentication::None => true,
            ClientAuthentication::PrivateKeyJwt => self.jwks.is_some() || self.jwks_uri.is_some(),
            ClientAuthentication::ClientSecretBasic | ClientAuthentication::ClientSecretPost => {
                !self.secrets.is_empty()
            }
        };
        let elsewhere = self.client_credentials || self.device_authorization;
        (elsewhere || !self.redirect_uris.is_empty()) && proof
    }

    /// Whether it may be granted this scope.
    #[must_use]
    pub fn may_have(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) && (scope != Scope::OfflineAccess || self.refresh.is_some())
    }

    /// The digests that a presented secret may match at `now`.
    pub fn valid_secrets(&self, now: Timestamp) -> impl Iterator<Item = SecretDigest> {
        let valid = self.secrets.iter().filter(move |secret| secret.expires_at.is_none_or(|end| now < end));
        valid.map(|secret| secret.digest)
    }

    /// Takes `digest` as the new secret; the one before stays valid for `grace`, so that the
    /// application can be changed over without an outage. Older ones end at once.
    pub fn replace_secret(&mut self, digest: SecretDigest, grace: Duration, now: Timestamp) {
        let before = self.secrets.first().filter(|secret| secret.digest != digest).copied();
        self.secrets = vec![ClientSecret { digest, expires_at: None }];
        if let Some(before) = before.filter(|_| !grace.is_zero()) {
            self.secrets.push(ClientSecret { expires_at: Some(now.plus(grace)), ..before });
        }
    }

    /// The sector for pairwise identifiers: the one that the operator named, or the host of the redirect
    /// addresses. A draft with several hosts, none named and pairwise subjects is refused, so the first one
    /// speaks for all (OIDC Core 8.1).
    #[must_use]
    pub fn sector(&self) -> String {
        if let Some(sector) = &self.sector_identifier {
            return sector.clone();
        }
        self.redirect_uris.first().map(host_of).unwrap_or_default()
    }
}

fn host_of(uri: &RedirectUri) -> String {
    let url = url::Url::parse(uri.as_str()).ok();
    // An app's own scheme has no host; the scheme is its name.
    url.map(|url| url.host_str().unwrap_or_else(|| url.scheme()).to_owned()).unwrap_or_default()
}
