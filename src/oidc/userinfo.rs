//! UserInfo: claims for whoever holds an access token (OIDC Core 5.3, RFC 6750).

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE,
};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value};

use super::access_token::AccessToken;
use super::authorize::Details;
use super::claims::{about, subject};
use super::error::BearerError;
use super::parameters::Parameters;
use super::person;
use crate::domain::application::Protocol;
use crate::domain::user::Status;
use crate::http::{Call, Fault};
use crate::storage::grants;

/// `GET` and `POST {base}/oidc/userinfo`.
pub(super) async fn answer(call: Call, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    let refusal = match bearer(&request, &body) {
        Ok(token) => match claims(&call, &token).await? {
            Some(claims) => {
                return Ok(HttpResponse::Ok()
                    .insert_header((CACHE_CONTROL, "no-store"))
                    .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
                    .json(claims));
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

/// The claims that the token opens; `None` if it opens nothing any more.
async fn claims(call: &Call, token: &str) -> Result<Option<Map<String, Value>>, Fault> {
    let (house, realm) = (&call.site.house, &call.realm);
    let tenant = realm.tenant();
    let Some(token) = AccessToken::open(token, tenant, &house.derived.access_tokens, call.visit.now) else {
        return Ok(None);
    };
    let found = house.db.read(async |connection| grants::with_id(connection, tenant, token.grant).await).await?;
    let Some((grant, member)) = found.filter(|(_, member)| member.user.id == token.user) else { return Ok(None) };
    if grant.revoked_at.is_some() || grant.redeemed_at.is_none() || member.user.status != Status::Enabled {
        return Ok(None);
    }
    let application = realm.config.application(token.application);
    let Some(Protocol::Oidc(client)) = application.map(|application| &application.protocol) else { return Ok(None) };
    let details: Details = serde_json::from_str(&grant.details).map_err(|error| Fault::Internal(error.to_string()))?;
    let groups = person::groups(realm, &member);
    let mut claims = about(&person::of(&member.user, &groups), client, &token.scopes, &details.claims.userinfo);
    let sub = subject(client, tenant, member.user.id, &house.derived.pairwise);
    claims.insert("sub".to_owned(), Value::String(sub));
    Ok(Some(claims))
}
