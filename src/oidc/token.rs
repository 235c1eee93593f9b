//! The token endpoint: a code or a refresh token for an ID Token and an access token (RFC 6749 4.1.3 and 6, OIDC Core
//! 3.1.3 and 12).

use std::collections::BTreeSet;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::access_token::{self, AccessToken};
use super::claims::{by_name, subject};
use super::client::authenticate;
use super::code::{self, Details};
use super::endpoint::{broken, failed, json, read, refusal};
use super::error::{TokenError, TokenErrorCode as Code};
use super::id_token::{self, IdTokenClaims, at_hash};
use super::refresh_token::RefreshToken;
use super::standing::{is_unchanged, may_refresh};
use super::token_request::{GrantRequest, verifier_fits};
use super::{acr, person};
use crate::domain::application::Application;
use crate::domain::oidc_client::{OidcClient, Scope};
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::flow::refresh::{Shown, Turn};
use crate::flow::{federation, refresh};
use crate::http::Call;
use crate::storage::grants::{self, Family, Standing};

/// The answer to a good request.
#[derive(Debug, Serialize)]
struct Tokens {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    id_token: String,
    scope: String,
}

/// `POST {base}/oidc/token`.
pub(super) async fn post(call: Call, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    match exchange(&call, &request, &body).await {
        Ok(tokens) => json(StatusCode::OK).json(tokens),
        Err(error) => refusal(&call, &request, &error),
    }
}

fn invalid_grant(description: &'static str) -> TokenError {
    TokenError::new(Code::InvalidGrant, description)
}

async fn exchange(call: &Call, request: &HttpRequest, body: &[u8]) -> Result<Tokens, TokenError> {
    let (presented, parameters) = read(request, body)?;
    let asked = GrantRequest::parse(&parameters)?;
    let (application, client) = authenticate(call, &presented).await?;
    let asking = Asking { call, application, client };
    match asked {
        GrantRequest::AuthorizationCode { code, redirect_uri, code_verifier } => {
            asking.redeem(&code, redirect_uri.as_deref(), code_verifier.as_ref()).await
        }
        GrantRequest::RefreshToken { token, scope } => asking.refresh(&token, scope.as_deref()).await,
    }
}

/// A client that has proven that it is itself.
struct Asking<'a> {
    call: &'a Call,
    application: &'a Application,
    client: &'a OidcClient,
}

impl Asking<'_> {
    async fn redeem(
        &self,
        code: &SecretString,
        redirect_uri: Option<&str>,
        code_verifier: Option<&SecretString>,
    ) -> Result<Tokens, TokenError> {
        let (house, tenant) = (&self.call.site.house, self.call.realm.tenant());
        let unknown = || invalid_grant("the code is unknown");
        let (id, hash) = (code::grant_of(code).ok_or_else(unknown)?, code::hash(house, tenant, code));
        let found = house.db.read(async |connection| grants::with_code(tenant, id, &hash).ask(connection).await);
        let found = found.await.map_err(failed)?.filter(|found| found.grant.application == self.application.id);
        let standing = found.ok_or_else(unknown)?;
        let details = details(&standing)?;
        if redirect_uri != Some(details.redirect_uri.as_str()) {
            return Err(invalid_grant("redirect_uri is not the one of the authorization request"));
        }
        if !verifier_fits(details.code_challenge.as_deref(), code_verifier) {
            return Err(invalid_grant("code_verifier does not fit the code_challenge"));
        }
        if standing.session.is_none() || !is_unchanged(&standing) {
            return Err(invalid_grant("the account has changed since the login"));
        }
        let family = self.family(&details.scopes);
        let redeemed = federation::redeem(house, tenant, &self.call.visit, &standing.grant, family.as_ref());
        if !redeemed.await.map_err(failed)? {
            return Err(invalid_grant("the code was used before, or it has expired"));
        }
        let first = family.map(|family| family.generation);
        self.issue(&standing, &details, &details.scopes, details.nonce.as_deref(), first)
    }

    /// The refresh tokens that begin now, if this client gets any.
    fn family(&self, scopes: &BTreeSet<Scope>) -> Option<Family> {
        let (rules, now) = (self.client.refresh?, self.call.visit.now);
        Some(Family {
            generation: 0,
            offline: scopes.contains(&Scope::OfflineAccess),
            idle_until: now.plus(Duration::from_secs(u64::from(rules.idle_seconds))),
            ends_at: now.plus(Duration::from_secs(u64::from(rules.longest_seconds))),
        })
    }

    async fn refresh(&self, token: &SecretString, scope: Option<&str>) -> Result<Tokens, TokenError> {
        let (house, realm, visit) = (&self.call.site.house, &self.call.realm, &self.call.visit);
        let tenant = realm.tenant();
        let over = || invalid_grant("the refresh token is unknown, was used before, has expired or was revoked");
        let token =
            RefreshToken::open(token.expose_secret(), tenant, &house.derived.refresh_tokens).ok_or_else(over)?;
        let found = house.db.read(async |connection| grants::with_id(tenant, token.grant).ask(connection).await);
        let found = found.await.map_err(failed)?.filter(|found| found.grant.application == self.application.id);
        let standing = found.ok_or_else(over)?;
        let (Some(family), Some(rules)) = (standing.family, self.client.refresh) else { return Err(over()) };
        if !may_refresh(&standing, &family, realm.config.settings.session, visit.now) {
            return Err(over());
        }
        let details = details(&standing)?;
        let scopes = narrowed(&details.scopes, scope)?;
        let request = [scope.unwrap_or_default().as_bytes()];
        let shown =
            Shown { grant: token.grant, user: standing.grant.user, generation: token.generation, request: &request };
        match refresh::rotate(house, tenant, visit, shown, rules).await.map_err(failed)? {
            Turn::Next(generation) | Turn::Again(generation) => {
                self.issue(&standing, &details, &scopes, None, Some(generation))
            }
            Turn::Stolen => {
                Err(invalid_grant("the refresh token was used before; everything issued with it is revoked"))
            }
            Turn::Over => Err(over()),
        }
    }

    /// Makes the tokens.
    fn issue(
        &self,
        standing: &Standing,
        details: &Details,
        scopes: &BTreeSet<Scope>,
        nonce: Option<&str>,
        generation: Option<i64>,
    ) -> Result<Tokens, TokenError> {
        let (house, realm, now) = (&self.call.site.house, &self.call.realm, self.call.visit.now);
        let (grant, member) = (&standing.grant, &standing.member);
        let access = AccessToken {
            grant: grant.id,
            application: self.application.id,
            user: member.user.id,
            scopes: scopes.clone(),
            issued_at: now,
            expires_at: now.plus(access_token::LIFETIME),
        };
        let access_token = access.seal(realm.tenant(), &house.derived.access_tokens);
        let algorithm = self.client.id_token_algorithm;
        let key = realm.oidc_keys.signing(algorithm);
        let key = key.ok_or_else(|| broken(format!("no key for {}", algorithm.name())))?;
        let (iss, sid) = (self.call.site.urls.base(realm.code()), grant.session.to_string());
        let groups = person::groups(realm, member);
        let claims = IdTokenClaims {
            iss: &iss,
            sub: &subject(self.client, realm.tenant(), member.user.id, &house.derived.pairwise),
            aud: &self.client.client_id,
            exp: now.plus(id_token::LIFETIME).seconds(),
            iat: now.seconds(),
            auth_time: details.auth_time.seconds(),
            nonce,
            acr: &details.acr,
            amr: &acr::methods(details.password, details.otp),
            sid: &sid,
            at_hash: at_hash(&access_token, algorithm),
            others: by_name(&person::of(&member.user, &groups), self.client, &details.claims.id_token),
        };
        let refresh = generation.map(|generation| RefreshToken { grant: grant.id, generation });
        Ok(Tokens {
            id_token: claims.sign(key).map_err(broken)?,
            access_token,
            token_type: "Bearer",
            expires_in: access_token::LIFETIME.as_secs(),
            refresh_token: refresh.map(|token| token.seal(realm.tenant(), &house.derived.refresh_tokens)),
            scope: words(scopes),
        })
    }
}

/// What of a grant was remembered for this endpoint.
fn details(standing: &Standing) -> Result<Details, TokenError> {
    serde_json::from_str(&standing.grant.details).map_err(broken)
}

/// Scopes as the parameter `scope` writes them.
pub(super) fn words(scopes: &BTreeSet<Scope>) -> String {
    scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" ")
}

/// The scopes of a renewed token: those that were granted, or fewer of them (RFC 6749, 6).
fn narrowed(granted: &BTreeSet<Scope>, asked: Option<&str>) -> Result<BTreeSet<Scope>, TokenError> {
    let Some(asked) = asked else { return Ok(granted.clone()) };
    let asked = asked.split(' ').filter(|word| !word.is_empty());
    let found: Option<BTreeSet<Scope>> =
        asked.map(|word| word.parse().ok().filter(|scope| granted.contains(scope))).collect();
    let more = TokenError::new(Code::InvalidScope, "scope names something that was not granted");
    found.filter(|found| !found.is_empty()).ok_or(more)
}
