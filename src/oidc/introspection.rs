//! Token introspection (RFC 7662): what a token is worth at this moment, for those who may ask.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json as value};

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
use crate::flow::federation;
use crate::http::Call;
use crate::storage::grants::{self, Standing};

/// `POST {base}/oidc/introspect`.
pub(super) async fn post(call: Call, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    match introspect(&call, &request, &body).await {
        Ok(answer) => {
            let inactive = || Map::from_iter([("active".to_owned(), Value::Bool(false))]);
            json(StatusCode::OK).json(answer.unwrap_or_else(inactive))
        }
        Err(error) => refusal(&call, &request, &error),
    }
}

type Told = Option<Map<String, Value>>;

/// What is told of a token; `None` if it is worth nothing, or nothing to whoever asks (RFC 7662, 2.2 and 4).
async fn introspect(call: &Call, request: &HttpRequest, body: &[u8]) -> Result<Told, TokenError> {
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
        return asking.access(&token).await;
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

impl Asking<'_> {
    /// Whether this token concerns whoever asks: its own application, or the API that it is for.
    fn concerns(&self, token: &AccessToken) -> bool {
        let resources = &self.call.realm.config.settings.resources;
        let api = resources.iter().find(|resource| token.resource.as_ref() == Some(&resource.identifier));
        let asks = |client_id: &String| *client_id == self.client.client_id;
        token.application == self.application.id || api.is_some_and(|api| api.introspected_by.iter().any(asks))
    }

    async fn access(&self, token: &AccessToken) -> Result<Told, TokenError> {
        let realm = &self.call.realm;
        let Some(application) = realm.config.application(token.application) else { return Ok(None) };
        let Protocol::Oidc(client) = &application.protocol else { return Ok(None) };
        if !self.concerns(token) {
            return Ok(None);
        }
        // What it opens is what its client may have at this moment.
        let mut token = token.clone();
        token.scopes = still(&token.scopes, client);
        if let Some(identifier) = &token.resource {
            let Some(api) = target::resource(realm, client, identifier) else { return Ok(None) };
            token.more_scopes.retain(|scope| api.scopes.contains(scope));
        }
        let mut answer = match token.grant {
            Some(grant) => {
                let standing = self.standing(grant).await?;
                let same = |found: &Standing| token.user.is_none_or(|user| user == found.member.user.id);
                let good = |found: &Standing| same(found) && is_good(found, application);
                let standing = standing.filter(|found| found.grant.application == application.id && good(found));
                let Some(standing) = standing else { return Ok(None) };
                self.about(&standing, client)?
            }
            None => {
                if !client.client_credentials {
                    return Ok(None);
                }
                let (house, tenant) = (&self.call.site.house, realm.tenant());
                if federation::is_used(house, tenant, &revoked(&token, tenant)).await.map_err(failed)? {
                    return Ok(None);
                }
                self.of_client(client)
            }
        };
        for (name, value) in [
            ("scope", value!(token.scope())),
            ("token_type", value!(if token.jkt.is_some() { "DPoP" } else { "Bearer" })),
            ("iat", value!(token.issued_at.seconds())),
            ("exp", value!(token.expires_at.seconds())),
            ("jti", value!(token.id.to_string())),
        ] {
            answer.insert(name.to_owned(), value);
        }
        if let Some(resource) = &token.resource {
            answer.insert("aud".to_owned(), value!(resource));
        }
        if let Some(jkt) = &token.jkt {
            answer.insert("cnf".to_owned(), value!({ "jkt": jkt }));
        }
        Ok(Some(answer))
    }

    async fn refresh(&self, token: RefreshToken) -> Result<Told, TokenError> {
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
        let mut answer = self.about(&standing, self.client)?;
        answer.insert("scope".to_owned(), value!(words));
        answer.insert("exp".to_owned(), value!(family.idle_until.min(family.ends_at).seconds()));
        Ok(Some(answer))
    }

    async fn standing(&self, grant: GrantId) -> Result<Option<Standing>, TokenError> {
        let tenant = self.call.realm.tenant();
        let db = &self.call.site.house.db;
        db.read(async |connection| grants::with_id(tenant, grant).ask(connection).await).await.map_err(failed)
    }

    /// What is true of every token of a grant.
    fn about(&self, standing: &Standing, client: &OidcClient) -> Result<Map<String, Value>, TokenError> {
        let (house, realm) = (&self.call.site.house, &self.call.realm);
        let details = details(standing)?;
        let user = &standing.member.user;
        let mut answer = self.of_client(client);
        for (name, value) in [
            ("sub", value!(subject(client, realm.tenant(), user.id, &house.derived.pairwise))),
            ("sid", value!(standing.grant.session.to_string())),
            // RFC 9470, 6.2: so that an API can ask for more.
            ("auth_time", value!(details.auth_time.seconds())),
            ("acr", value!(details.acr)),
            ("amr", value!(super::acr::methods(details.password, details.otp, details.recovery))),
        ] {
            answer.insert(name.to_owned(), value);
        }
        // Who may not know what the person is called does not learn it here either (RFC 7662, 5).
        if details.scopes.contains(&Scope::Profile) && client.may_have(Scope::Profile) {
            answer.insert("username".to_owned(), value!(user.username));
        }
        if let Some(authenticator) = details.authenticator(self.call.visit.now) {
            answer.insert("authenticator".to_owned(), value!(AuthenticatorClaim::from(authenticator)));
        }
        Ok(answer)
    }

    /// What is true of every token of a client.
    fn of_client(&self, client: &OidcClient) -> Map<String, Value> {
        let issuer = self.call.site.urls.base(self.call.realm.code());
        let members = [
            ("active", value!(true)),
            ("iss", value!(issuer)),
            ("client_id", value!(client.client_id)),
            ("sub", value!(client.client_id)),
        ];
        members.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
    }
}

/// The name under which a token without a grant is remembered once it was revoked.
pub(super) fn revoked(token: &AccessToken, tenant: crate::domain::ids::TenantId) -> [Vec<u8>; 3] {
    [b"revoked".to_vec(), tenant.to_bytes().to_vec(), token.id.to_bytes().to_vec()]
}

fn details(standing: &Standing) -> Result<Details, TokenError> {
    serde_json::from_str(&standing.grant.details).map_err(broken)
}
