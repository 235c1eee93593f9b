//! Who asks: the client of a request to the token endpoint and its neighbours, and the proof that it is itself.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::endpoint::{failed, invalid, one};
use super::error::{TokenError, TokenErrorCode as Code};
use super::parameters::{Parameters, form_decoded};
use crate::domain::application::{Application, Protocol};
use crate::domain::ids::TenantId;
use crate::domain::oidc_client::{ClientAuthentication, OidcClient, SecretDigest};
use crate::domain::secret::{ExposeSecret, SecretString};
use crate::domain::timestamp::Timestamp;
use crate::flow::{client_secrets, federation};
use crate::http::Call;
use crate::keys::derived::KeyedHash;
use crate::keys::jose::{Audience, Jws, KeySet, NumericDate, present};

/// The only type of assertion that there is (RFC 7523, 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The longest assertion that is looked at, in octets.
const LONGEST_ASSERTION: usize = 8 * 1024;
/// The longest token whose key is looked for, in octets.
const LONGEST_SIGNED: usize = 24 * 1024;
/// How far an assertion may reach into the future; it is remembered that long.
const LONGEST_LIFE: Duration = Duration::from_secs(60 * 60);
/// How much clocks may differ (RFC 8725 wants at most some minutes).
const LEEWAY: Duration = Duration::from_secs(60);

/// Who the client says it is, and how it proves that.
#[derive(Debug)]
pub struct PresentedClient {
    /// The client id.
    pub client_id: String,
    proof: Proof,
}

#[derive(Debug)]
enum Proof {
    None,
    Secret { method: ClientAuthentication, secret: SecretString },
    Assertion(SecretString),
}

impl Proof {
    const fn method(&self) -> ClientAuthentication {
        match self {
            Self::None => ClientAuthentication::None,
            Self::Secret { method, .. } => *method,
            Self::Assertion(_) => ClientAuthentication::PrivateKeyJwt,
        }
    }
}

/// An assertion that was right; it is still to be seen whether it comes for the first time.
#[derive(Debug, PartialEq, Eq)]
pub struct Assertion {
    jti: String,
    until: Timestamp,
}

/// What a proof is held against.
#[derive(Debug, Clone, Copy)]
pub struct Measure<'a> {
    /// The virtual server.
    pub tenant: TenantId,
    /// Hashes secrets.
    pub secrets: &'a KeyedHash,
    /// Whom an assertion may be addressed to: the issuer or the endpoint that was called.
    pub audiences: &'a [String],
    /// Now.
    pub now: Timestamp,
}

/// Finds the one way in which the client proves itself; two at once are refused (RFC 6749, 2.3).
///
/// # Errors
/// `invalid_client` or `invalid_request`.
pub fn presented(authorization: Option<&str>, parameters: &Parameters) -> Result<PresentedClient, TokenError> {
    let in_body = one(parameters, "client_id")?;
    let secret = one(parameters, "client_secret")?;
    let assertion = assertion_in(parameters)?;
    if usize::from(authorization.is_some()) + usize::from(secret.is_some()) + usize::from(assertion.is_some()) > 1 {
        return Err(invalid("the client authenticates in two ways at once"));
    }
    if let Some(authorization) = authorization {
        let (client_id, secret) = basic(authorization).ok_or(TokenError::new(
            Code::InvalidClient,
            "the Authorization header is not as RFC 6749 2.3.1 describes it",
        ))?;
        if in_body.is_some_and(|other| other != client_id) {
            return Err(invalid("client_id differs from the one in the Authorization header"));
        }
        let proof = Proof::Secret { method: ClientAuthentication::ClientSecretBasic, secret };
        return Ok(PresentedClient { client_id, proof });
    }
    if let Some(assertion) = assertion {
        let subject = subject_of(assertion)
            .ok_or(TokenError::new(Code::InvalidClient, "client_assertion is not a JWT with the claim sub"))?;
        if in_body.is_some_and(|other| other != subject) {
            return Err(invalid("client_id differs from the subject of client_assertion"));
        }
        let proof = Proof::Assertion(SecretString::from(assertion.to_owned()));
        return Ok(PresentedClient { client_id: subject, proof });
    }
    let client_id = in_body.ok_or(TokenError::new(Code::InvalidClient, "the client does not say who it is"))?;
    let proof = match secret {
        Some(secret) => Proof::Secret {
            method: ClientAuthentication::ClientSecretPost,
            secret: SecretString::from(secret.to_owned()),
        },
        None => Proof::None,
    };
    Ok(PresentedClient { client_id: client_id.to_owned(), proof })
}

fn assertion_in(parameters: &Parameters) -> Result<Option<&str>, TokenError> {
    match (one(parameters, "client_assertion_type")?, one(parameters, "client_assertion")?) {
        (None, None) => Ok(None),
        (Some(ASSERTION_TYPE), Some(assertion)) => Ok(Some(assertion)),
        (Some(ASSERTION_TYPE), None) => Err(invalid("the parameter client_assertion is missing")),
        (Some(_), _) => Err(invalid("client_assertion_type must be that of RFC 7523, 2.2")),
        (None, Some(_)) => Err(invalid("the parameter client_assertion_type is missing")),
    }
}

/// Whose assertion it says it is; nothing of it is believed before its signature is checked.
fn subject_of(assertion: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    if assertion.len() > LONGEST_ASSERTION {
        return None;
    }
    let payload = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Claims>(&payload).ok().map(|claims| claims.sub)
}

/// `Basic` with both parts form-urlencoded before base64 (RFC 6749, 2.3.1), which many forget: only so
/// can an id with a colon or a secret with a percent sign be told apart.
fn basic(authorization: &str) -> Option<(String, SecretString)> {
    let (scheme, credentials) = authorization.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = SecretString::from(String::from_utf8(STANDARD.decode(credentials.trim()).ok()?).ok()?);
    let (id, secret) = decoded.expose_secret().split_once(':')?;
    Some((form_decoded(id.as_bytes())?, SecretString::from(form_decoded(secret.as_bytes())?)))
}

/// The hash under which a client secret is stored and looked for.
#[must_use]
pub fn secret_digest(hash: &KeyedHash, tenant: TenantId, client_id: &str, secret: &SecretString) -> SecretDigest {
    SecretDigest(hash.of(&[&tenant.to_bytes(), client_id.as_bytes(), secret.expose_secret().as_bytes()]))
}

/// Whether the client proved that it is `client`, in the way it was registered with. An assertion must also be
/// new, which `authenticate` sees to.
///
/// # Errors
/// `invalid_client`.
pub fn check(
    presented: &PresentedClient,
    client: &OidcClient,
    keys: &KeySet,
    measure: &Measure<'_>,
) -> Result<Option<Assertion>, TokenError> {
    if presented.client_id != client.client_id || presented.proof.method() != client.authentication {
        let why = format!("the client must authenticate by {}, as it is registered", client.authentication.name());
        return Err(TokenError::new(Code::InvalidClient, why));
    }
    match &presented.proof {
        Proof::None => Ok(None),
        Proof::Secret { secret, .. } => {
            let digest = secret_digest(measure.secrets, measure.tenant, &client.client_id, secret);
            // All are compared, in constant time, so that the answer's time does not tell which one is near.
            let matches = client.valid_secrets(measure.now).fold(false, |found, valid| {
                use subtle::ConstantTimeEq as _;
                found | bool::from(valid.0.ct_eq(&digest.0))
            });
            let wrong = TokenError::new(Code::InvalidClient, "the client secret is wrong");
            if matches { Ok(None) } else { Err(wrong) }
        }
        Proof::Assertion(assertion) => read_assertion(assertion.expose_secret(), client, keys, measure).map(Some),
    }
}

/// The claims of an assertion (RFC 7523, 3). What is missing or of another type is an error, never "absent" (AC-49).
#[derive(Deserialize)]
struct AssertionClaims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: NumericDate,
    jti: String,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<NumericDate>,
    #[serde(default, deserialize_with = "present")]
    iat: Option<NumericDate>,
}

fn read_assertion(
    assertion: &str,
    client: &OidcClient,
    keys: &KeySet,
    measure: &Measure<'_>,
) -> Result<Assertion, TokenError> {
    let refused = |why: &'static str| TokenError::new(Code::InvalidClient, format!("client_assertion: {why}"));
    let jws = Jws::split(assertion, LONGEST_ASSERTION).map_err(|fault| refused(fault.0))?;
    if !matches!(jws.typ().as_deref(), None | Some("jwt" | "client-authentication+jwt")) {
        return Err(refused("its typ is that of another kind of token"));
    }
    let claims: AssertionClaims = jws.claims(keys).map_err(|fault| refused(fault.0))?;
    if claims.iss != client.client_id || claims.sub != client.client_id {
        return Err(refused("iss and sub must both be the client_id"));
    }
    if !measure.audiences.iter().any(|audience| claims.aud.has(audience)) {
        return Err(refused("aud must be the issuer or the address of this endpoint"));
    }
    let until = Timestamp::from_seconds(claims.exp.seconds());
    if until.plus(LEEWAY) <= measure.now {
        return Err(refused("it has expired"));
    }
    if until > measure.now.plus(LONGEST_LIFE) {
        return Err(refused("exp is more than an hour away"));
    }
    let early =
        |at: Option<NumericDate>| at.is_some_and(|at| Timestamp::from_seconds(at.seconds()) > measure.now.plus(LEEWAY));
    if early(claims.nbf) || early(claims.iat) {
        return Err(refused("it is from the future"));
    }
    if !(1..=255).contains(&claims.jti.len()) {
        return Err(refused("jti must have 1 to 255 octets"));
    }
    Ok(Assertion { jti: claims.jti, until: until.plus(LEEWAY) })
}

/// The application with this `client_id`.
#[must_use]
pub(super) fn client_of<'a>(call: &'a Call, client_id: &str) -> Option<(&'a Application, &'a OidcClient)> {
    call.realm.config.applications.iter().find_map(|application| match &application.protocol {
        Protocol::Oidc(client) if client.client_id == client_id => Some((application, client.as_ref())),
        _ => None,
    })
}

/// The application that asks, once it has proven that it is itself. An assertion counts once (RFC 7523, 3), and an address that
/// tries secrets must wait (RFC 6749, 2.3.1).
///
/// # Errors
/// `invalid_client`; `temporarily_unavailable`; `server_error`.
pub(super) async fn authenticate<'a>(
    call: &'a Call,
    presented: &PresentedClient,
) -> Result<(&'a Application, &'a OidcClient), TokenError> {
    let unknown = TokenError::new(Code::InvalidClient, "no application is registered under this client_id");
    let (application, client) = client_of(call, &presented.client_id).ok_or(unknown)?;
    let (house, realm, visit) = (&call.site.house, &call.realm, &call.visit);
    let tenant = realm.tenant();
    if matches!(presented.proof, Proof::Secret { .. })
        && let Some(seconds) = client_secrets::must_wait(house, realm, visit, application.id)
    {
        return Err(TokenError::wait(seconds));
    }
    let audiences = match &presented.proof {
        Proof::Assertion(_) => audiences(call),
        Proof::None | Proof::Secret { .. } => Vec::new(),
    };
    let secrets = &house.derived.client_secrets;
    let measure = Measure { tenant, secrets, audiences: &audiences, now: call.visit.now };
    let keys = match &presented.proof {
        Proof::Assertion(assertion) => keys_for(call, client, assertion.expose_secret()).await,
        Proof::None | Proof::Secret { .. } => None,
    };
    let checked = check(presented, client, &keys.unwrap_or_default(), &measure);
    // Not what comes by another way than the registered one: it is refused whatever it is.
    if let (Err(_), Proof::Secret { method, secret }) = (&checked, &presented.proof)
        && *method == client.authentication
    {
        let digest = secret_digest(secrets, tenant, &client.client_id, secret);
        let counted = client_secrets::rejected(house, realm, visit, application, digest).await;
        if let Some(seconds) = counted.map_err(failed)? {
            return Err(TokenError::wait(seconds));
        }
    }
    if let Some(Assertion { jti, until }) = checked? {
        let fields: [&[u8]; 4] = [b"assertion", &tenant.to_bytes(), client.client_id.as_bytes(), jti.as_bytes()];
        if !federation::first_use(house, tenant, &fields, until).await.map_err(failed)? {
            return Err(TokenError::new(Code::InvalidClient, "client_assertion: its jti was used before"));
        }
    }
    Ok((application, client))
}

/// To whom an assertion may be addressed. Many libraries address it to the token endpoint, wherever they send it.
fn audiences(call: &Call) -> Vec<String> {
    let base = call.site.urls.base(call.realm.code());
    let token = format!("{base}/oidc/token");
    vec![base, token, format!("{}{}", call.site.urls.public(), call.path)]
}

/// The keys that may have signed `jws` for the client: those registered, or those that it publishes. `None` if there are
/// none or they cannot be had.
pub(super) async fn keys_for(call: &Call, client: &OidcClient, jws: &str) -> Option<Arc<KeySet>> {
    if let Some(set) = &client.jwks {
        return KeySet::parse(set).ok().map(Arc::new);
    }
    let kid = Jws::split(jws, LONGEST_SIGNED).ok().and_then(|jws| jws.kid().map(str::to_owned));
    let (site, address) = (&call.site, client.jwks_uri.as_deref()?);
    site.key_sets.at(&site.house.egress, address, kid.as_deref(), call.visit.now).await
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
