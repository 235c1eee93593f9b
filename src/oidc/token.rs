//! The token endpoint: a code for an ID Token and an access token (RFC 6749 4.1.3, OIDC Core 3.1.3).

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE,
    AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, WWW_AUTHENTICATE,
};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::access_token::{self, AccessToken};
use super::authorize::{Details, client_of};
use super::claims::{by_name, subject};
use super::code;
use super::error::{TokenError, TokenErrorCode as Code};
use super::id_token::{self, IdTokenClaims, at_hash};
use super::token_request::{self, GrantRequest, authenticate, verifier_fits};
use super::{acr, person};
use crate::domain::application::Application;
use crate::domain::oidc_client::OidcClient;
use crate::domain::secret::SecretString;
use crate::domain::user::{Member, Status};
use crate::flow::federation;
use crate::http::Call;
use crate::storage::grants::{self, Grant};
use crate::storage::sessions;

/// The answer to a good request.
#[derive(Debug, Serialize)]
struct Tokens {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    id_token: String,
    scope: String,
}

/// `POST {base}/oidc/token`.
pub(super) async fn post(call: Call, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let by_header = request.headers().contains_key(AUTHORIZATION);
    match exchange(&call, &request, &body).await {
        Ok(tokens) => json(StatusCode::OK).json(tokens),
        Err(error) => {
            tracing::info!(correlation = %call.visit.correlation, %error, "a token request is refused");
            let status = StatusCode::from_u16(error.error.status()).unwrap_or(StatusCode::BAD_REQUEST);
            let mut response = json(status);
            if status == StatusCode::UNAUTHORIZED && by_header {
                response.insert_header((WWW_AUTHENTICATE, "Basic realm=\"token\""));
            }
            if status == StatusCode::SERVICE_UNAVAILABLE {
                response.insert_header((actix_web::http::header::RETRY_AFTER, "5"));
            }
            response.json(error)
        }
    }
}

/// `OPTIONS`: applications in a browser ask first. No cookie counts here, so any page may ask.
pub(super) async fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type"))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "3600"))
        .finish()
}

fn json(status: StatusCode) -> actix_web::HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((CACHE_CONTROL, "no-store")).insert_header((PRAGMA, "no-cache"));
    response.insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
    response
}

fn failed(error: impl std::fmt::Display) -> TokenError {
    tracing::error!(%error, "the token endpoint failed");
    TokenError::new(Code::ServerError, "the server failed; try again")
}

async fn exchange(call: &Call, request: &HttpRequest, body: &[u8]) -> Result<Tokens, TokenError> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let asked = token_request::parse(header(CONTENT_TYPE), header(AUTHORIZATION), body)?;
    let unknown = TokenError::new(Code::InvalidClient, "no application is registered under this client_id");
    let (application, client) = client_of(call, &asked.client.client_id).ok_or(unknown)?;
    let secrets = &call.site.house.derived.client_secrets;
    authenticate(&asked.client, client, call.realm.tenant(), secrets, call.visit.now)?;
    let GrantRequest::AuthorizationCode { code, redirect_uri, code_verifier } = asked.grant;
    let grant = grant_of(call, &code).await?;
    let grant = grant.filter(|(grant, _)| grant.application == application.id);
    let (grant, member) = grant.ok_or(TokenError::new(Code::InvalidGrant, "the code is unknown"))?;
    let details: Details = serde_json::from_str(&grant.details).map_err(failed)?;
    if redirect_uri.as_deref() != Some(details.redirect_uri.as_str()) {
        return Err(TokenError::new(Code::InvalidGrant, "redirect_uri is not the one of the authorization request"));
    }
    if !verifier_fits(details.code_challenge.as_deref(), code_verifier.as_ref()) {
        return Err(TokenError::new(Code::InvalidGrant, "code_verifier does not fit the code_challenge"));
    }
    if member.user.status != Status::Enabled {
        return Err(TokenError::new(Code::InvalidGrant, "the account is not enabled any more"));
    }
    if !unchanged(call, &grant, &member).await? {
        return Err(TokenError::new(Code::InvalidGrant, "the account has changed since the login"));
    }
    let redeemed =
        federation::redeem(&call.site.house, call.realm.tenant(), &call.visit, &grant).await.map_err(failed)?;
    if !redeemed {
        return Err(TokenError::new(Code::InvalidGrant, "the code was used before, or it has expired"));
    }
    tokens(call, application, client, &grant, &details, &member)
}

/// Whether the account is still the one that logged in: nobody gets tokens with a password or an authenticator that was
/// taken away in the meantime (T-11, INV-11).
async fn unchanged(call: &Call, grant: &Grant, member: &Member) -> Result<bool, TokenError> {
    let tenant = call.realm.tenant();
    let session =
        call.site.house.db.read(async |connection| sessions::with_id(connection, tenant, grant.session).await);
    let session = session.await.map_err(failed)?;
    Ok(session.is_some_and(|session| session.security_version == member.user.security_version))
}

async fn grant_of(call: &Call, code: &SecretString) -> Result<Option<(Grant, Member)>, TokenError> {
    let (house, tenant) = (&call.site.house, call.realm.tenant());
    let Some(id) = code::grant_of(code) else { return Ok(None) };
    let hash = code::hash(house, tenant, code);
    house.db.read(async |connection| grants::with_code(connection, tenant, id, &hash).await).await.map_err(failed)
}

fn tokens(
    call: &Call,
    application: &Application,
    client: &OidcClient,
    grant: &Grant,
    details: &Details,
    member: &Member,
) -> Result<Tokens, TokenError> {
    let (house, realm, now) = (&call.site.house, &call.realm, call.visit.now);
    let access = AccessToken {
        grant: grant.id,
        application: application.id,
        user: member.user.id,
        scopes: details.scopes.clone(),
        expires_at: now.plus(access_token::LIFETIME),
    };
    let access_token = access.seal(realm.tenant(), &house.derived.access_tokens);
    let algorithm = client.id_token_algorithm;
    let key = realm.oidc_keys.signing(algorithm).ok_or_else(|| failed(format!("no key for {}", algorithm.name())))?;
    let (iss, sid) = (call.site.urls.base(realm.code()), grant.session.to_string());
    let groups = person::groups(realm, member);
    let claims = IdTokenClaims {
        iss: &iss,
        sub: &subject(client, realm.tenant(), member.user.id, &house.derived.pairwise),
        aud: &client.client_id,
        exp: now.plus(id_token::LIFETIME).seconds(),
        iat: now.seconds(),
        auth_time: details.auth_time.seconds(),
        nonce: details.nonce.as_deref(),
        acr: &details.acr,
        amr: &acr::methods(details.password, details.otp),
        sid: &sid,
        at_hash: at_hash(&access_token, algorithm),
        others: by_name(&person::of(&member.user, &groups), client, &details.claims.id_token),
    };
    Ok(Tokens {
        id_token: claims.sign(key).map_err(failed)?,
        access_token,
        token_type: "Bearer",
        expires_in: access_token::LIFETIME.as_secs(),
        scope: details.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" "),
    })
}
