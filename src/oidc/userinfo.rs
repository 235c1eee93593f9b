//! UserInfo: claims for whoever holds an access token (OIDC Core 5.3, RFC 6750).

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE,
};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value};

use super::access_token::AccessToken;
use super::claims::{about, subject};
use super::code::Details;
use super::error::BearerError;
use super::parameters::Parameters;
use super::person;
use super::standing::is_good;
use crate::domain::application::Protocol;
use crate::http::{Call, Fault};
use crate::storage::grants::{self, Standing};

/// `GET` and `POST {base}/oidc/userinfo`.
pub(super) async fn answer(call: Call, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    let refusal = match bearer(&request, &body) {
        Ok(token) => match claims(&call, &token).await? {
            Some(told) => {
                let mut response = HttpResponse::Ok();
                response.insert_header((CACHE_CONTROL, "no-store"));
                response.insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
                return Ok(match told {
                    Told::Plain(claims) => response.json(claims),
                    Told::Signed(jwt) => response.insert_header((CONTENT_TYPE, "application/jwt")).body(jwt),
                });
            }
            None => BearerError::InvalidToken,
        },
        Err(error) => error,
    };
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::UNAUTHORIZED);
    Ok(HttpResponse::build(status)
        .insert_header((WWW_AUTHENTICATE, refusal.challenge()))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .finish())
}

/// The access token: in the header or in a posted form, once, and never in the query, where logs and
/// histories would keep it (RFC 6750 2.3, RFC 9700 4.3.2).
fn bearer(request: &HttpRequest, body: &[u8]) -> Result<String, BearerError> {
    let invalid = BearerError::InvalidRequest;
    if request.query_string().contains("access_token=") {
        return Err(invalid("the access token does not belong into the query"));
    }
    let mut headers = request.headers().get_all(AUTHORIZATION);
    let header = headers.next().and_then(|value| value.to_str().ok());
    if headers.next().is_some() {
        return Err(invalid("the header Authorization is given more than once"));
    }
    let by_header = header.and_then(|value| value.split_once(' '));
    let by_header =
        by_header.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form =
        kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded").then(|| Parameters::parse(body));
    let form = form.transpose().map_err(|_| invalid("the form cannot be read"))?;
    let by_form = match &form {
        Some(form) => form.one("access_token").map_err(|_| invalid("the access token is given more than once"))?,
        None => None,
    };
    match (by_header, by_form) {
        (Some(_), Some(_)) => Err(invalid("the access token is given in the header and in the form")),
        (Some(token), None) | (None, Some(token)) => Ok(token.to_owned()),
        (None, None) => Err(BearerError::Missing),
    }
}

/// What is told, in the form that the client is registered for.
enum Told {
    Plain(Map<String, Value>),
    Signed(String),
}

/// The claims that the token opens; `None` if it opens nothing any more.
async fn claims(call: &Call, token: &str) -> Result<Option<Told>, Fault> {
    let (house, realm) = (&call.site.house, &call.realm);
    let tenant = realm.tenant();
    let Some(token) = AccessToken::open(token, tenant, &house.derived.access_tokens, call.visit.now) else {
        return Ok(None);
    };
    let found = house.db.read(async |connection| grants::with_id(tenant, token.grant).ask(connection).await).await?;
    let Some(standing) = found.filter(|found| found.member.user.id == token.user && is_good(found)) else {
        return Ok(None);
    };
    let Standing { grant, member, .. } = standing;
    let application = realm.config.application(token.application);
    let Some(Protocol::Oidc(client)) = application.map(|application| &application.protocol) else { return Ok(None) };
    let details: Details = serde_json::from_str(&grant.details).map_err(|error| Fault::Internal(error.to_string()))?;
    let groups = person::groups(realm, &member);
    let mut claims = about(&person::of(&member.user, &groups), client, &token.scopes, &details.claims.userinfo);
    let sub = subject(client, tenant, member.user.id, &house.derived.pairwise);
    claims.insert("sub".to_owned(), Value::String(sub));
    let Some(algorithm) = client.userinfo_algorithm else { return Ok(Some(Told::Plain(claims))) };
    // OIDC Core 5.3.2: whoever reads it sees from whom it is and for whom.
    claims.insert("iss".to_owned(), Value::String(call.site.urls.base(realm.code())));
    claims.insert("aud".to_owned(), Value::String(client.client_id.clone()));
    let internal = |error: String| Fault::Internal(error);
    let key = realm.oidc_keys.signing(algorithm).ok_or_else(|| internal(format!("no key for {}", algorithm.name())))?;
    let octets = serde_json::to_vec(&claims).map_err(|error| internal(error.to_string()))?;
    Ok(Some(Told::Signed(key.sign_jwt(&octets).map_err(|error| internal(error.to_string()))?)))
}
