//! Token revocation (RFC 7009): an application gives up what it was granted.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::access_token::AccessToken;
use super::client::authenticate;
use super::endpoint::{failed, json, needed, one, read, refusal};
use super::error::{TokenError, TokenErrorCode as Code};
use super::refresh_token::RefreshToken;
use crate::domain::ids::GrantId;
use crate::domain::timestamp::Timestamp;
use crate::flow::federation;
use crate::http::Call;
use crate::storage::grants;

/// `POST {base}/oidc/revoke`.
pub(super) async fn post(call: Call, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    match revoke(&call, &request, &body).await {
        Ok(()) => json(StatusCode::OK).finish(),
        Err(error) => refusal(&call, &request, &error),
    }
}

/// Takes back the grant of a token: access and refresh tokens of one login end together, so nothing is left over that
/// the application has forgotten. A text that is no token of ours is as good as revoked (RFC 7009, 2.2).
async fn revoke(call: &Call, request: &HttpRequest, body: &[u8]) -> Result<(), TokenError> {
    let (presented, parameters) = read(request, body)?;
    let (application, _) = authenticate(call, &presented).await?;
    // Our tokens tell themselves what they are, so a wrong hint does no harm.
    one(&parameters, "token_type_hint")?;
    let Some(grant) = grant_of(call, needed(&parameters, "token")?) else { return Ok(()) };
    let (house, tenant) = (&call.site.house, call.realm.tenant());
    let found = house.db.read(async |connection| grants::with_id(tenant, grant).ask(connection).await);
    let Some(found) = found.await.map_err(failed)? else { return Ok(()) };
    if found.grant.application != application.id {
        return Err(TokenError::new(Code::InvalidGrant, "the token was issued to another client"));
    }
    federation::give_up(house, tenant, &call.visit, grant).await.map_err(failed)
}

/// The grant that a token belongs to, whether the token is still good or not.
fn grant_of(call: &Call, token: &str) -> Option<GrantId> {
    let (derived, tenant) = (&call.site.house.derived, call.realm.tenant());
    let refresh = RefreshToken::open(token, tenant, &derived.refresh_tokens).map(|token| token.grant);
    let access = || AccessToken::open(token, tenant, &derived.access_tokens, Timestamp::from_seconds(0));
    refresh.or_else(|| access().map(|token| token.grant))
}
