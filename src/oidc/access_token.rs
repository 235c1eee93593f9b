//! Access tokens: opaque ones, sealed so that UserInfo need not look them up, and JWTs for APIs that check them by
//! themselves (RFC 9068).
//!
//! A token says which grant it comes from; whether the grant was taken back is asked of the database. The opaque kind is
//! no JWT on purpose: nobody shall be tempted to read it. The JWT kind has a type of its own, so neither can pass as an
//! ID Token, nor an ID Token as one of them (T-51).

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::id_token::{AuthenticatorClaim, verified};
use crate::domain::ids::{ApplicationId, GrantId, Id, TenantId, UserId};
use crate::domain::oidc_client::Scope;
use crate::domain::timestamp::Timestamp;
use crate::keys::derived::TokenSealer;
use crate::keys::ring::KeyRing;
use crate::keys::signing::{SigningKey, SigningKeyError};

/// How long an access token lives: long enough to call UserInfo after a login, short enough to lose.
pub const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// Lets secret scanners and people recognise a leaked one.
const PREFIX: &str = "vat_";
/// Another layout would get another number.
const FORMAT: u8 = 3;
/// Format, grant, application, user, scopes, issue, expiry, identifier; then what has no fixed length.
const LENGTH: usize = 1 + 16 + 16 + 16 + 1 + 8 + 8 + 16;
/// The longest text that is looked at, in characters: two addresses and many scopes fit.
const LONGEST: usize = 8 * 1024;
/// The type in the header of a JWT (RFC 9068, 2.1).
const TYPE: &str = "at+jwt";

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// Its own name.
    pub id: Id<()>,
    /// The grant that it was issued for; none if an application got it for itself.
    pub grant: Option<GrantId>,
    /// The application that it was issued to.
    pub application: ApplicationId,
    /// The person; none if an application got it for itself.
    pub user: Option<UserId>,
    /// What it opens at UserInfo.
    pub scopes: BTreeSet<Scope>,
    /// What it opens at an API.
    pub more_scopes: BTreeSet<String>,
    /// The API that it is for; none for UserInfo.
    pub resource: Option<String>,
    /// The key without which it is worth nothing (RFC 9449).
    pub jkt: Option<String>,
    /// When it was made.
    pub issued_at: Timestamp,
    /// From then on it opens nothing.
    pub expires_at: Timestamp,
}

impl AccessToken {
    /// The opaque token as it is given to the application.
    #[must_use]
    pub fn seal(&self, tenant: TenantId, sealer: &TokenSealer) -> String {
        let mut content = Vec::with_capacity(LENGTH + 2);
        content.push(FORMAT);
        content.extend(self.grant.map_or([0; 16], Id::to_bytes));
        content.extend(self.application.to_bytes());
        content.extend(self.user.map_or([0; 16], Id::to_bytes));
        content.push(bits_of(&self.scopes));
        content.extend(self.issued_at.micros().to_be_bytes());
        content.extend(self.expires_at.micros().to_be_bytes());
        content.extend(self.id.to_bytes());
        // None of the three contains a line break.
        content.extend(self.jkt.as_deref().unwrap_or_default().as_bytes());
        content.push(b'\n');
        content.extend(self.resource.as_deref().unwrap_or_default().as_bytes());
        content.push(b'\n');
        content.extend(self.more_scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ").as_bytes());
        let mut text = PREFIX.to_owned();
        URL_SAFE_NO_PAD.encode_string(sealer.seal(&tenant.to_bytes(), &content), &mut text);
        text
    }

    /// Reads an opaque token of `tenant` that has not expired at `now`. `None` for everything else: shorter,
    /// longer, altered, another tenant's, expired (T-54).
    #[must_use]
    pub fn open(text: &str, tenant: TenantId, sealer: &TokenSealer, now: Timestamp) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let content = sealer.open(&tenant.to_bytes(), &sealed)?;
        let (format, rest) = content.split_first()?;
        let (grant, rest) = id(rest)?;
        let (application, rest) = id(rest)?;
        let (user, rest) = id(rest)?;
        let (bits, rest) = rest.split_first()?;
        let (issue, rest) = rest.split_first_chunk::<8>()?;
        let (expiry, rest) = rest.split_first_chunk::<8>()?;
        let (own, rest) = id(rest)?;
        let mut tail = std::str::from_utf8(rest).ok()?.split('\n');
        let (jkt, resource, more) = (tail.next()?, tail.next()?, tail.next()?);
        let there = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let token = Self {
            id: own,
            grant: nonzero(grant),
            application,
            user: nonzero(user),
            scopes: scopes_of(*bits),
            more_scopes: more.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
            resource: there(resource),
            jkt: there(jkt),
            issued_at: Timestamp::from_micros(i64::from_be_bytes(*issue)),
            expires_at: Timestamp::from_micros(i64::from_be_bytes(*expiry)),
        };
        (*format == FORMAT && now < token.expires_at).then_some(token)
    }

    /// All its scopes as the parameter `scope` writes them.
    #[must_use]
    pub fn scope(&self) -> String {
        let known = self.scopes.iter().map(|scope| scope.name());
        known.chain(self.more_scopes.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
    }
}

fn id<Of>(octets: &[u8]) -> Option<(Id<Of>, &[u8])> {
    let (id, rest) = octets.split_first_chunk::<16>()?;
    Some((Id::from_bits(u128::from_be_bytes(*id)), rest))
}

/// An identifier that is not drawn is nobody's.
fn nonzero<Of>(id: Id<Of>) -> Option<Id<Of>> {
    (id != Id::from_bits(0)).then_some(id)
}

/// The bit of each scope; appended to, never renumbered while tokens are out.
const fn bit_of(scope: Scope) -> u8 {
    match scope {
        Scope::Openid => 1,
        Scope::Profile => 2,
        Scope::Email => 4,
        Scope::Groups => 8,
        Scope::OfflineAccess => 16,
        Scope::Phone => 32,
    }
}

fn bits_of(scopes: &BTreeSet<Scope>) -> u8 {
    scopes.iter().fold(0, |bits, scope| bits | bit_of(*scope))
}

fn scopes_of(bits: u8) -> BTreeSet<Scope> {
    Scope::ALL.into_iter().filter(|scope| bits & bit_of(*scope) != 0).collect()
}

/// What a JWT says besides what the token itself knows (RFC 9068, 2.2).
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// The person, as this client knows them, or the client itself.
    pub subject: &'a str,
    /// The client.
    pub client_id: &'a str,
    /// The person's login; none if there is no person.
    pub authenticated: Option<Authenticated<'a>>,
}

/// When a person was authenticated, how surely and by what (RFC 9068, 2.2.1; RFC 9470, 6.1).
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Authenticated<'a> {
    /// In seconds.
    pub auth_time: i64,
    /// The level.
    pub acr: &'a str,
    /// What was done.
    pub amr: &'a [&'static str],
    /// The authenticator that gave the passcode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticator: Option<AuthenticatorClaim>,
}

#[derive(Serialize)]
struct JwtClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    exp: i64,
    iat: i64,
    jti: String,
    scope: String,
    /// The grant, by which we find it again when we are asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    gid: Option<String>,
    #[serde(flatten)]
    authenticated: Option<Authenticated<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Confirmation {
    jkt: String,
}

impl AccessToken {
    /// The token as a JWT, for the API that it names.
    ///
    /// # Errors
    /// If the cryptographic library fails.
    pub fn sign(&self, about: About<'_>, key: &SigningKey) -> Result<String, SigningKeyError> {
        let claims = JwtClaims {
            iss: about.issuer,
            sub: about.subject,
            aud: self.resource.as_deref().unwrap_or(about.issuer),
            client_id: about.client_id,
            exp: self.expires_at.seconds(),
            iat: self.issued_at.seconds(),
            jti: self.id.to_string(),
            scope: self.scope(),
            gid: self.grant.map(|grant| grant.to_string()),
            authenticated: about.authenticated,
            cnf: self.jkt.clone().map(|jkt| Confirmation { jkt }),
        };
        let claims = serde_json::to_vec(&claims).map_err(|_| SigningKeyError::Library("write claims"))?;
        key.sign_typed(TYPE, &claims)
    }
}

/// What we read of a JWT of ours when we are asked about it.
#[derive(Debug, Deserialize)]
struct OwnJwt {
    iss: String,
    aud: String,
    client_id: String,
    exp: i64,
    iat: i64,
    jti: Id<()>,
    scope: String,
    #[serde(default)]
    gid: Option<GrantId>,
    #[serde(default)]
    cnf: Option<Confirmation>,
}

/// Reads a JWT that `issuer` signed for an API and that has not expired at `now`. `application_of` finds the application
/// with a client identifier. Whose token it is, the grant tells.
#[must_use]
pub fn read_jwt(
    text: &str,
    issuer: &str,
    ring: &KeyRing,
    now: Timestamp,
    application_of: impl Fn(&str) -> Option<ApplicationId>,
) -> Option<AccessToken> {
    let claims: OwnJwt = serde_json::from_slice(&verified(text, TYPE, ring, now)?).ok()?;
    let expires_at = Timestamp::from_seconds(claims.exp);
    if claims.iss != issuer || now >= expires_at {
        return None;
    }
    let words = || claims.scope.split(' ').filter(|word| !word.is_empty());
    Some(AccessToken {
        id: claims.jti,
        grant: claims.gid,
        application: application_of(&claims.client_id)?,
        user: None,
        scopes: words().filter_map(|word| word.parse().ok()).collect(),
        more_scopes: words().filter(|word| word.parse::<Scope>().is_err()).map(str::to_owned).collect(),
        resource: Some(claims.aud),
        jkt: claims.cnf.map(|cnf| cnf.jkt),
        issued_at: Timestamp::from_seconds(claims.iat),
        expires_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::SigningKeyId;
    use crate::domain::secret::SecretBytes;
    use crate::domain::signing_key::{KeyStage, SignatureAlgorithm};
    use crate::keys::derived::DerivedKeys;
    use crate::keys::signing::RsaSize;
    use proptest::prelude::*;
    use std::sync::Arc;

    const TENANT: TenantId = TenantId::from_bits(1);
    const NOW: Timestamp = Timestamp::from_seconds(1000);

    fn token() -> AccessToken {
        AccessToken {
            id: Id::from_bits(9),
            grant: Some(GrantId::from_bits(2)),
            application: ApplicationId::from_bits(3),
            user: Some(UserId::from_bits(4)),
            scopes: BTreeSet::from([Scope::Openid, Scope::Groups]),
            more_scopes: BTreeSet::from(["read".to_owned(), "write".to_owned()]),
            resource: Some("https://api.example.com/".to_owned()),
            jkt: Some("thumbprint".to_owned()),
            issued_at: NOW,
            expires_at: NOW.plus(LIFETIME),
        }
    }

    fn keys() -> DerivedKeys {
        DerivedKeys::from_root(&SecretBytes::new(vec![1; 32]))
    }

    #[test]
    fn a_token_says_what_it_was_sealed_with_in_its_tenant_and_time_only() {
        let sealer = &keys().access_tokens;
        let bare = AccessToken {
            grant: None,
            user: None,
            resource: None,
            jkt: None,
            more_scopes: BTreeSet::new(),
            scopes: BTreeSet::new(),
            ..token()
        };
        for token in [token(), bare] {
            let text = token.seal(TENANT, sealer);
            assert_eq!(AccessToken::open(&text, TENANT, sealer, NOW), Some(token));
            assert_eq!(AccessToken::open(&text, TenantId::from_bits(2), sealer, NOW), None, "T-56");
            assert_eq!(AccessToken::open(&text, TENANT, sealer, NOW.plus(LIFETIME)), None, "expired");
        }
        assert_eq!(token().scope(), "openid groups read write");
    }

    /// RFC 9068, T-51: a JWT for an API is read back by us, and is no ID Token.
    #[test]
    fn a_jwt_is_for_its_api_and_is_no_id_token() {
        const ISSUER: &str = "https://login.example/t/acme";
        let key = SigningKey::generate(SigningKeyId::from_bits(1), SignatureAlgorithm::Es256, RsaSize::Bits2048);
        let key = Arc::new(key.expect("generates"));
        let ring = KeyRing::of(vec![(KeyStage::Current, Arc::clone(&key))]);
        let login = Authenticated { auth_time: 900, acr: "x", amr: &["pwd"], authenticator: None };
        let about = About { issuer: ISSUER, subject: "s", client_id: "app", authenticated: Some(login) };
        let jwt = token().sign(about, &key).expect("signs");
        let application = |id: &str| (id == "app").then_some(ApplicationId::from_bits(3));
        let read = |jwt: &str, now| read_jwt(jwt, ISSUER, &ring, now, application);
        assert_eq!(read(&jwt, NOW), Some(AccessToken { user: None, ..token() }));
        assert_eq!(read(&jwt, NOW.plus(LIFETIME)), None, "expired");
        assert_eq!(read_jwt(&jwt, "https://login.example/t/blue", &ring, NOW, application), None, "T-56");
        assert!(super::super::id_token::read_hint(&jwt, ISSUER, &ring, NOW).is_none());
        let claims = serde_json::json!({ "iss": ISSUER, "aud": "https://api.example.com/", "client_id": "app",
            "exp": 9999, "iat": 1, "jti": Id::<()>::from_bits(1).to_string(), "scope": "" });
        let id_token = key.sign_jwt(claims.to_string().as_bytes()).expect("signs");
        assert_eq!(read(&id_token, NOW), None, "another type");
        assert_eq!(read(&format!("{jwt}A"), NOW), None);
    }

    proptest! {
        /// T-54: any edit, truncation or extension is refused.
        #[test]
        fn no_other_text_is_a_token(at in 0usize..200, other in "[A-Za-z0-9_=-]", cut in 0usize..200) {
            let sealer = &keys().access_tokens;
            let text = token().seal(TENANT, sealer);
            let (at, cut) = (at % text.len(), cut % text.len());
            let mut edited = text.clone();
            edited.replace_range(at..=at, &other);
            prop_assume!(edited != text);
            prop_assert_eq!(AccessToken::open(&edited, TENANT, sealer, NOW), None);
            prop_assert_eq!(AccessToken::open(&text[..cut], TENANT, sealer, NOW), None);
            prop_assert_eq!(AccessToken::open(&format!("{text}A"), TENANT, sealer, NOW), None);
        }
    }
}
