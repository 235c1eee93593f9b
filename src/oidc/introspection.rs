//! Token introspection (RFC 7662): what a token is worth at this moment, for those who may ask.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json as value};

use super::access_token::AccessToken;
use super::claims::subject;
use super::client::authenticate;
use super::code::Details;
use super::endpoint::{broken, failed, json, needed, one, read, refusal};
use super::error::{TokenError, TokenErrorCode as Code};
use super::refresh_token::RefreshToken;
use super::standing::{is_good, may_refresh};
use super::token::words;
use crate::domain::application::Application;
use crate::domain::ids::GrantId;
use crate::domain::oidc_client::OidcClient;
use crate::http::Call;
use crate::storage::grants::{self, Standing};

/// `POST {base}/oidc/introspect`.
pub(super) async fn post(call: Call, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    match introspect(&call, &request, &body).await {
        Ok(answer) => json(StatusCode::OK)
            .json(answer.unwrap_or_else(|| Map::from_iter([("active".to_owned(), Value::Bool(false))]))),
        Err(error) => refusal(&call, &request, &error),
    }
}

/// What is told of a token; `None` if it is worth nothing, or nothing to whoever asks (RFC 7662, 2.2 and 4).
async fn introspect(call: &Call, request: &HttpRequest, body: &[u8]) -> Result<Option<Map<String, Value>>, TokenError> {
    let (presented, parameters) = read(request, body)?;
    let (application, client) = authenticate(call, &presented).await?;
    if client.is_public() {
        let why = "introspection is for clients that can prove who they are";
        return Err(TokenError::new(Code::InvalidClient, why));
    }
    one(&parameters, "token_type_hint")?;
    let token = needed(&parameters, "token")?;
    let asking = Asking { call, application, client };
    let (derived, tenant) = (&call.site.house.derived, call.realm.tenant());
    if let Some(token) = AccessToken::open(token, tenant, &derived.access_tokens, call.visit.now) {
        return asking.access(&token).await;
    }
    match RefreshToken::open(token, tenant, &derived.refresh_tokens) {
        Some(token) => asking.refresh(token).await,
        None => Ok(None),
    }
}

/// A client that has proven that it is itself.
struct Asking<'a> {
    call: &'a Call,
    application: &'a Application,
    client: &'a OidcClient,
}

impl Asking<'_> {
    async fn access(&self, token: &AccessToken) -> Result<Option<Map<String, Value>>, TokenError> {
        if token.application != self.application.id {
            return Ok(None);
        }
        let standing = self.standing(token.grant).await?;
        let standing = standing.filter(|found| found.member.user.id == token.user && is_good(found));
        let Some(standing) = standing else { return Ok(None) };
        let mut answer = self.about(&standing)?;
        answer.insert("scope".to_owned(), words(&token.scopes).into());
        answer.insert("token_type".to_owned(), "Bearer".into());
        answer.insert("iat".to_owned(), token.issued_at.seconds().into());
        answer.insert("exp".to_owned(), token.expires_at.seconds().into());
        Ok(Some(answer))
    }

    async fn refresh(&self, token: RefreshToken) -> Result<Option<Map<String, Value>>, TokenError> {
        let (settings, now) = (self.call.realm.config.settings.session, self.call.visit.now);
        let standing = self.standing(token.grant).await?;
        let Some(standing) = standing.filter(|found| found.grant.application == self.application.id) else {
            return Ok(None);
        };
        let Some(family) = standing.family.filter(|family| family.generation == token.generation) else {
            return Ok(None);
        };
        if !may_refresh(&standing, &family, settings, now) {
            return Ok(None);
        }
        let details = details(&standing)?;
        let mut answer = self.about(&standing)?;
        answer.insert("scope".to_owned(), words(&details.scopes).into());
        answer.insert("exp".to_owned(), family.idle_until.min(family.ends_at).seconds().into());
        Ok(Some(answer))
    }

    async fn standing(&self, grant: GrantId) -> Result<Option<Standing>, TokenError> {
        let tenant = self.call.realm.tenant();
        let db = &self.call.site.house.db;
        db.read(async |connection| grants::with_id(tenant, grant).ask(connection).await).await.map_err(failed)
    }

    /// What is true of every token of a grant.
    fn about(&self, standing: &Standing) -> Result<Map<String, Value>, TokenError> {
        let (house, realm) = (&self.call.site.house, &self.call.realm);
        let details = details(standing)?;
        let user = &standing.member.user;
        let subject = subject(self.client, realm.tenant(), user.id, &house.derived.pairwise);
        let members = [
            ("active", value!(true)),
            ("iss", value!(self.call.site.urls.base(realm.code()))),
            ("client_id", value!(self.client.client_id)),
            ("sub", value!(subject)),
            ("username", value!(user.username)),
            ("sid", value!(standing.grant.session.to_string())),
            ("auth_time", value!(details.auth_time.seconds())),
            ("acr", value!(details.acr)),
        ];
        Ok(members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect())
    }
}

fn details(standing: &Standing) -> Result<Details, TokenError> {
    serde_json::from_str(&standing.grant.details).map_err(broken)
}
