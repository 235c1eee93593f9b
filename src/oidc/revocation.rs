//! Token revocation (RFC 7009): an application gives up what it was granted.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::client::authenticate;
use super::endpoint::{failed, json, needed, one, read, refusal};
use super::error::{TokenError, TokenErrorCode as Code};
use super::introspection::{access_token, revoked};
use super::refresh_token::RefreshToken;
use crate::domain::ids::GrantId;
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

fn foreign() -> TokenError {
    TokenError::new(Code::InvalidGrant, "the token was issued to another client")
}

/// Takes back the grant of a token: access and refresh tokens of one login end together, so nothing is left over that
/// the application has forgotten. A text that is no token of ours is as good as revoked (RFC 7009, 2.2).
async fn revoke(call: &Call, request: &HttpRequest, body: &[u8]) -> Result<(), TokenError> {
    let (presented, parameters) = read(request, body)?;
    let (application, _) = authenticate(call, &presented).await?;
    // Our tokens tell themselves what they are, so a wrong hint does no harm.
    one(&parameters, "token_type_hint")?;
    let text = needed(&parameters, "token")?;
    let (house, tenant) = (&call.site.house, call.realm.tenant());
    let grant: GrantId = match RefreshToken::open(text, tenant, &house.derived.refresh_tokens) {
        Some(token) => token.grant,
        None => {
            let Some(token) = access_token(call, text) else { return Ok(()) };
            if token.application != application.id {
                return Err(foreign());
            }
            match token.grant {
                Some(grant) => grant,
                None => {
                    let fields = revoked(&token, tenant);
                    let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
                    federation::first_use(house, tenant, &fields, token.expires_at).await.map_err(failed)?;
                    return Ok(());
                }
            }
        }
    };
    let found = house.db.read(async |connection| grants::with_id(tenant, grant).ask(connection).await);
    let Some(found) = found.await.map_err(failed)? else { return Ok(()) };
    if found.grant.application != application.id {
        return Err(foreign());
    }
    federation::give_up(house, tenant, &call.visit, grant).await.map_err(failed)
}
