//! Token introspection (RFC 7662): what a token is worth at this moment, for those who may ask.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::access_token::AccessToken;
use super::claims::subject;
use super::client::{self, authenticate};
use super::code::Details;
use super::endpoint::{broken, failed, json, needed, one, read, refusal};
use super::error::{TokenError, TokenErrorCode as Code};
use super::id_token::AuthenticatorClaim;
use super::refresh_token::RefreshToken;
use super::standing::{is_good, may_refresh, still, still_of_apis};
use super::target;
use crate::domain::application::{Application, Protocol};
use crate::domain::ids::GrantId;
use crate::domain::oidc_client::{OidcClient, Scope};
use crate::domain::timestamp::Timestamp;
use crate::flow::federation;
use crate::http::Call;
use crate::storage::grants::{self, Standing};

/// `POST {base}/oidc/introspect`.
pub(super) async fn post(call: Call, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    match introspect(&call, &request, &body).await {
        Ok(Some(token)) => json(StatusCode::OK).json(token),
        Ok(None) => json(StatusCode::OK).json(Inactive { active: false }),
        Err(error) => refusal(&call, &request, &error),
    }
}

/// What is told of a token that is good (RFC 7662, 2.2). Members that are `None` are left out.
#[derive(Debug, Serialize)]
struct Active<'a> {
    /// Always `true`.
    active: bool,
    iss: String,
    client_id: &'a str,
    /// The person, as the token's client knows them; the client itself where there is none.
    sub: Cow<'a, str>,
    #[serde(flatten)]
    grant: Option<Granted>,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
}

/// What is told of a token that a person's grant stands behind.
#[derive(Debug, Serialize)]
struct Granted {
    /// The session.
    sid: String,
    /// When the person was authenticated and how: so that an API can ask for more (RFC 9470, 6.2).
    auth_time: i64,
    acr: String,
    amr: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authenticator: Option<AuthenticatorClaim>,
}

/// The key without which a token is worth nothing (RFC 9449, 6.2).
#[derive(Debug, Serialize)]
struct Confirmation {
    jkt: String,
}

/// What is told of every other token (RFC 7662, 2.2).
#[derive(Debug, Serialize)]
struct Inactive {
    active: bool,
}

type Told<'a> = Option<Active<'a>>;

/// What is told of a token; `None` if it is worth nothing, or nothing to whoever asks (RFC 7662, 2.2 and 4).
async fn introspect<'a>(call: &'a Call, request: &HttpRequest, body: &[u8]) -> Result<Told<'a>, TokenError> {
    let (presented, parameters) = read(request, body)?;
    let (application, client) = authenticate(call, &presented).await?;
    if client.is_public() {
        let why = "introspection is for clients that can prove who they are";
        return Err(TokenError::new(Code::InvalidClient, why));
    }
    one(&parameters, "token_type_hint")?;
    let token = needed(&parameters, "token")?;
    let asking = Asking { call, application, client };
    if let Some(token) = access_token(call, token) {
        return asking.access(token).await;
    }
    match RefreshToken::open(token, call.realm.tenant(), &call.site.house.derived.refresh_tokens) {
        Some(token) => asking.refresh(token).await,
        None => Ok(None),
    }
}

/// The access token of ours in a text, opaque or a JWT, that has not expired.
pub(super) fn access_token(call: &Call, text: &str) -> Option<AccessToken> {
    let (realm, now) = (&call.realm, call.visit.now);
    let opaque = AccessToken::open(text, realm.tenant(), &call.site.house.derived.access_tokens, now);
    opaque.or_else(|| {
        let issuer = call.site.urls.base(realm.code());
        let application = |id: &str| client::client_of(call, id).map(|(application, _)| application.id);
        super::access_token::read_jwt(text, &issuer, &realm.oidc_keys, now, application)
    })
}

/// A client that has proven that it is itself.
struct Asking<'a> {
    call: &'a Call,
    application: &'a Application,
    client: &'a OidcClient,
}

impl<'a> Asking<'a> {
    /// Whether this token concerns whoever asks: its own application, or the API that it is for.
    fn concerns(&self, token: &AccessToken) -> bool {
        let resources = &self.call.realm.config.settings.resources;
        let api = resources.iter().find(|resource| token.resource.as_ref() == Some(&resource.identifier));
        let asks = |client_id: &String| *client_id == self.client.client_id;
        token.application == self.application.id || api.is_some_and(|api| api.introspected_by.iter().any(asks))
    }

    async fn access(&self, mut token: AccessToken) -> Result<Told<'a>, TokenError> {
        let realm = &self.call.realm;
        let Some(application) = realm.config.application(token.application) else { return Ok(None) };
        let Protocol::Oidc(client) = &application.protocol else { return Ok(None) };
        if !self.concerns(&token) {
            return Ok(None);
        }
        // What it opens is what its client may have at this moment.
        token.scopes = still(&token.scopes, client);
        if let Some(identifier) = &token.resource {
            let Some(api) = target::resource(realm, client, identifier) else { return Ok(None) };
            token.more_scopes.retain(|scope| api.scopes.contains(scope));
        }
        let opens = (token.scope(), token.expires_at);
        let told = match token.grant {
            Some(grant) => {
                let standing = self.standing(grant).await?;
                let same = |found: &Standing| token.user.is_none_or(|user| user == found.member.user.id);
                let good = |found: &Standing| same(found) && is_good(found, application);
                let standing = standing.filter(|found| found.grant.application == application.id && good(found));
                let Some(standing) = standing else { return Ok(None) };
                let details = details(&standing)?;
                self.of_grant(standing, details, client, opens)
            }
            None => {
                if !client.client_credentials {
                    return Ok(None);
                }
                let (house, tenant) = (&self.call.site.house, realm.tenant());
                if federation::is_used(house, tenant, &revoked(&token, tenant)).await.map_err(failed)? {
                    return Ok(None);
                }
                self.of_client(client, opens)
            }
        };
        Ok(Some(Active {
            token_type: Some(if token.jkt.is_some() { "DPoP" } else { "Bearer" }),
            iat: Some(token.issued_at.seconds()),
            jti: Some(token.id.to_string()),
            aud: token.resource,
            cnf: token.jkt.map(|jkt| Confirmation { jkt }),
            ..told
        }))
    }

    async fn refresh(&self, token: RefreshToken) -> Result<Told<'a>, TokenError> {
        let (settings, now) = (self.call.realm.config.settings.session, self.call.visit.now);
        let standing = self.standing(token.grant).await?;
        let Some(standing) = standing.filter(|found| found.grant.application == self.application.id) else {
            return Ok(None);
        };
        let Some(family) = standing.family.filter(|family| family.generation == token.generation) else {
            return Ok(None);
        };
        if !may_refresh(&standing, &family, (self.application, self.client), settings, now) {
            return Ok(None);
        }
        let details = details(&standing)?;
        let scopes = still(&details.scopes, self.client);
        let more = still_of_apis(&details.more_scopes, &details.resources, &self.call.realm, self.client);
        let words = scopes.iter().map(|scope| scope.name());
        let words = words.chain(more.iter().map(String::as_str)).collect::<Vec<_>>().join(" ");
        let opens = (words, family.idle_until.min(family.ends_at));
        Ok(Some(self.of_grant(standing, details, self.client, opens)))
    }

    async fn standing(&self, grant: GrantId) -> Result<Option<Standing>, TokenError> {
        let tenant = self.call.realm.tenant();
        let db = &self.call.site.house.db;
        db.read(async |connection| grants::with_id(tenant, grant).ask(connection).await).await.map_err(failed)
    }

    /// What is true of every token of a grant that opens this so long.
    fn of_grant(
        &self,
        standing: Standing,
        details: Details,
        client: &'a OidcClient,
        opens: (String, Timestamp),
    ) -> Active<'a> {
        let (house, realm) = (&self.call.site.house, &self.call.realm);
        let authenticator = details.authenticator(self.call.visit.now).map(AuthenticatorClaim::from);
        let user = standing.member.user;
        // Who may not know what the person is called does not learn it here either (RFC 7662, 5).
        let named = details.scopes.contains(&Scope::Profile) && client.may_have(Scope::Profile);
        let sub = subject(client, realm.tenant(), user.id, &house.derived.pairwise);
        let granted = Granted {
            sid: standing.grant.session.to_string(),
            auth_time: details.auth_time.seconds(),
            acr: details.acr,
            amr: super::acr::methods(details.password, details.otp, details.recovery),
            username: named.then_some(user.username),
            authenticator,
        };
        Active { sub: Cow::Owned(sub), grant: Some(granted), ..self.of_client(client, opens) }
    }

    /// What is true of every token of a client that opens this so long.
    fn of_client(&self, client: &'a OidcClient, (scope, ends_at): (String, Timestamp)) -> Active<'a> {
        Active {
            active: true,
            iss: self.call.site.urls.base(self.call.realm.code()),
            client_id: &client.client_id,
            sub: Cow::Borrowed(&client.client_id),
            grant: None,
            scope,
            token_type: None,
            iat: None,
            exp: ends_at.seconds(),
            jti: None,
            aud: None,
            cnf: None,
        }
    }
}

/// The name under which a token without a grant is remembered once it was revoked.
pub(super) fn revoked(token: &AccessToken, tenant: crate::domain::ids::TenantId) -> [Vec<u8>; 3] {
    [b"revoked".to_vec(), tenant.to_bytes().to_vec(), token.id.to_bytes().to_vec()]
}

fn details(standing: &Standing) -> Result<Details, TokenError> {
    serde_json::from_str(&standing.grant.details).map_err(broken)
}
