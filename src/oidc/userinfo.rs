//! UserInfo: claims for whoever holds an access token (OIDC Core 5.3, RFC 6750, RFC 9449 7).

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE,
    WWW_AUTHENTICATE,
};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value};

use super::access_token::AccessToken;
use super::claims::{about, subject};
use super::code::Details;
use super::dpop::{self, DpopError};
use super::error::BearerError;
use super::id_token::AuthenticatorClaim;
use super::parameters::Parameters;
use super::standing::is_good;
use crate::domain::application::Protocol;
use crate::domain::oidc_client::Scope;
use crate::domain::release::Person;
use crate::http::{Call, Fault, form};
use crate::storage::grants::{self, Standing};

/// `GET` and `POST {base}/oidc/userinfo`.
pub(super) async fn answer(call: Call, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    let refusal = match tell(&call, &request, &body).await? {
        Ok(told) => {
            let mut response = HttpResponse::Ok();
            response.insert_header((CACHE_CONTROL, "no-store")).insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
            return Ok(match told {
                Told::Plain(claims) => response.json(claims),
                Told::Signed(jwt) => response.insert_header((CONTENT_TYPE, "application/jwt")).body(jwt),
            });
        }
        Err(refusal) => refusal,
    };
    tracing::info!(correlation = %call.visit.correlation, path = call.path, error = %refusal, "an access token is refused");
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    let mut response = HttpResponse::build(status);
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let dpop = header.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("dpop "));
    for challenge in refusal.challenges(dpop) {
        response.append_header((WWW_AUTHENTICATE, challenge));
    }
    if refusal == BearerError::UseNonce {
        response.insert_header((dpop::NONCE, dpop::nonce(&call.site.house, call.realm.tenant(), call.visit.now)));
    }
    response.insert_header((CACHE_CONTROL, "no-store")).insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
    Ok(response.insert_header((ACCESS_CONTROL_EXPOSE_HEADERS, "WWW-Authenticate, DPoP-Nonce")).finish())
}

/// How a token comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Dpop,
}

/// The access token: in the header or in a posted form, once, and never in the query, where logs and
/// histories would keep it (RFC 6750 2.3, RFC 9700 4.3.2).
fn presented(request: &HttpRequest, body: &[u8]) -> Result<(Scheme, String), BearerError> {
    let invalid = BearerError::InvalidRequest;
    if request.query_string().contains("access_token=") {
        return Err(invalid("the access token does not belong into the query"));
    }
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let header = headers.next().and_then(|value| value.to_str().ok());
    if headers.next().is_some() {
        return Err(invalid("the header Authorization is given more than once"));
    }
    let by_header = header.and_then(|value| value.split_once(' ')).and_then(|(scheme, token)| {
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Scheme::Bearer,
            "dpop" => Scheme::Dpop,
            _ => return None,
        };
        Some((scheme, token.trim().to_owned()))
    });
    let form = form::is_form(request.headers()).then(|| Parameters::parse(body)).transpose();
    let form = form.map_err(|_| invalid("the form cannot be read"))?;
    let by_form = match &form {
        Some(form) => form.one("access_token").map_err(|_| invalid("the access token is given more than once"))?,
        None => None,
    };
    match (by_header, by_form) {
        (Some(_), Some(_)) => Err(invalid("the access token is given in the header and in the form")),
        (Some(presented), None) => Ok(presented),
        (None, Some(token)) => Ok((Scheme::Bearer, token.to_owned())),
        (None, None) => Err(BearerError::Missing),
    }
}

/// What is told, in the form that the client is registered for.
enum Told {
    Plain(Map<String, Value>),
    Signed(String),
}

/// What the token opens.
async fn tell(call: &Call, request: &HttpRequest, body: &[u8]) -> Result<Result<Told, BearerError>, Fault> {
    let (house, realm) = (&call.site.house, &call.realm);
    let tenant = realm.tenant();
    let (scheme, text) = match presented(request, body) {
        Ok(presented) => presented,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let token = AccessToken::open(&text, tenant, &house.derived.access_tokens, call.visit.now);
    // A token for an API is none for us, and one that nobody gave tells of nobody.
    let token = token.filter(|token| token.resource.is_none());
    let Some((token, grant)) = token.and_then(|token| token.grant.map(|grant| (token, grant))) else {
        return Ok(Err(BearerError::InvalidToken));
    };
    if let Some(refusal) = bound(call, request, scheme, &token, &text).await? {
        return Ok(Err(refusal));
    }
    let found = house.db.read(async |connection| grants::with_id(tenant, grant).ask(connection).await).await?;
    let Some(application) = realm.config.application(token.application) else {
        return Ok(Err(BearerError::InvalidToken));
    };
    let good = |found: &Standing| token.user == Some(found.member.user.id) && is_good(found, application);
    let (Some(standing), Protocol::Oidc(client)) = (found.filter(good), &application.protocol) else {
        return Ok(Err(BearerError::InvalidToken));
    };
    // Who leaves it out at a refresh wants a token that tells of nobody (OIDC Core 5.3, RFC 6749, 6).
    if !token.scopes.contains(&Scope::Openid) {
        return Ok(Err(BearerError::InsufficientScope));
    }
    let Standing { grant, member, .. } = standing;
    let details: Details = serde_json::from_str(&grant.details).map_err(|error| Fault::Internal(error.to_string()))?;
    let groups: Vec<String> = realm.config.group_names(&member.groups).map(str::to_owned).collect();
    let authenticator = details.authenticator(call.visit.now);
    let person = Person::of(&member.user, &groups, authenticator);
    let mut claims = about(&person, client, &token.scopes, &details.claims.userinfo);
    // It stands in the ID Token by itself; here for whoever asks, since it says something of a login, not of a person.
    if let Some(authenticator) = authenticator.filter(|_| details.claims.userinfo.contains("authenticator")) {
        let claim = serde_json::to_value(AuthenticatorClaim::from(authenticator));
        claims.insert("authenticator".to_owned(), claim.map_err(|error| Fault::Internal(error.to_string()))?);
    }
    let sub = subject(client, tenant, member.user.id, &house.derived.pairwise);
    claims.insert("sub".to_owned(), Value::String(sub));
    let Some(algorithm) = client.userinfo_algorithm else { return Ok(Ok(Told::Plain(claims))) };
    // OIDC Core 5.3.2: whoever reads it sees from whom it is and for whom.
    claims.insert("iss".to_owned(), Value::String(call.site.urls.base(realm.code())));
    claims.insert("aud".to_owned(), Value::String(client.client_id.clone()));
    let internal = |error: String| Fault::Internal(error);
    let key = realm.oidc_keys.signing(algorithm).ok_or_else(|| internal(format!("no key for {}", algorithm.name())))?;
    let octets = serde_json::to_vec(&claims).map_err(|error| internal(error.to_string()))?;
    Ok(Ok(Told::Signed(key.sign_jwt(&octets).map_err(|error| internal(error.to_string()))?)))
}

/// Why a token that is bound to a key is not taken, or one that is not bound comes as if it were (RFC 9449, 7.1 and 7.2).
async fn bound(
    call: &Call,
    request: &HttpRequest,
    scheme: Scheme,
    token: &AccessToken,
    text: &str,
) -> Result<Option<BearerError>, Fault> {
    let Some(jkt) = &token.jkt else {
        return Ok((scheme == Scheme::Dpop).then_some(BearerError::InvalidToken));
    };
    if scheme == Scheme::Bearer {
        return Ok(Some(BearerError::InvalidProof("the access token is bound to a key and needs a DPoP proof")));
    }
    Ok(match dpop::proven(call, request, Some(text)).await {
        Ok(Some(key)) if key.jkt == *jkt => None,
        Ok(Some(_)) => Some(BearerError::InvalidProof("the proof is by another key than the token is bound to")),
        Ok(None) => Some(BearerError::InvalidProof("the DPoP header is missing")),
        Err(DpopError::Nonce) => Some(BearerError::UseNonce),
        Err(DpopError::Proof(why)) => Some(BearerError::InvalidProof(why)),
        Err(DpopError::Failed(fault)) => return Err(fault),
    })
}
