//! The token endpoint: a code or a refresh token for an ID Token and an access token (RFC 6749 4.1.3 and 6, OIDC Core
//! 3.1.3 and 12), and tokens for applications themselves (4.4).

use std::collections::BTreeSet;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use super::access_token::{self, About, AccessToken, Authenticated};
use super::claims::{by_name, subject};
use super::client::authenticate;
use super::code::{self, Details};
use super::dpop::{self, ProvenKey};
use super::endpoint::{broken, failed, json, read, refusal, unproven};
use super::error::{TokenError, TokenErrorCode as Code};
use super::id_token::{self, AuthenticatorClaim, IdTokenClaims, at_hash};
use super::refresh_token::RefreshToken;
use super::standing::{is_unchanged, may_refresh, still, still_of_apis};
use super::token_request::{GrantRequest, verifier_fits};
use super::{acr, target};
use crate::domain::application::Application;
use crate::domain::oidc_client::{OidcClient, Scope};
use crate::domain::release::Person;
use crate::domain::resource::{Resource, TokenFormat};
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::flow::device::Polled;
use crate::flow::refresh::{Shown, Turn};
use crate::flow::{Realm, device, federation, refresh, repeats};
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
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    scope: String,
}

/// `POST {base}/oidc/token`.
pub(super) async fn post(call: Call, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    match exchange(&call, &request, &body).await {
        Ok(tokens) => {
            let mut response = json(StatusCode::OK);
            if request.headers().contains_key(dpop::PROOF) {
                let nonce = dpop::nonce(&call.site.house, call.realm.tenant(), call.visit.now);
                response.insert_header((dpop::NONCE, nonce));
            }
            response.json(tokens)
        }
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
    let key = dpop::proven(call, request, None).await.map_err(unproven)?;
    if client.dpop_bound_access_tokens && key.is_none() {
        let why = "this client must prove possession of a key: the DPoP header is missing";
        return Err(TokenError::new(Code::InvalidDpopProof, why));
    }
    let asking = Asking { call, application, client, key, resources: parameters.all("resource") };
    match asked {
        GrantRequest::AuthorizationCode { code, redirect_uri, code_verifier } => {
            asking.redeem(&code, redirect_uri.as_deref(), code_verifier.as_ref()).await
        }
        GrantRequest::RefreshToken { token, scope } => asking.refresh(&token, scope.as_deref()).await,
        GrantRequest::DeviceCode { code } => asking.of_device(&code).await,
        GrantRequest::ClientCredentials { scope } => asking.for_itself(scope.as_deref()),
    }
}

/// A client that has proven that it is itself.
struct Asking<'a> {
    call: &'a Call,
    application: &'a Application,
    client: &'a OidcClient,
    /// The key that it has proven to have.
    key: Option<ProvenKey>,
    /// The parameters `resource`.
    resources: Vec<&'a str>,
}

impl Asking<'_> {
    fn issuer(&self) -> String {
        self.call.site.urls.base(self.call.realm.code())
    }

    fn jkt(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.jkt.as_str())
    }

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
        if details.dpop_jkt.is_some() && details.dpop_jkt.as_deref() != self.jkt() {
            return Err(invalid_grant("the DPoP key is not the one that dpop_jkt named"));
        }
        let tokens = self.give(&standing, &details).await?;
        let drawn = [("code_challenge", details.code_challenge.as_deref()), ("nonce", details.nonce.as_deref())];
        repeats::seen(house, &self.call.realm, &self.call.visit, self.application, drawn).await;
        Ok(tokens)
    }

    /// Tokens for a device, once a person has let it in (RFC 8628, 3.4 and 3.5).
    async fn of_device(&self, code: &SecretString) -> Result<Tokens, TokenError> {
        if !self.client.device_authorization {
            let why = "this client may not use the device authorization grant";
            return Err(TokenError::new(Code::UnauthorizedClient, why));
        }
        let (house, tenant) = (&self.call.site.house, self.call.realm.tenant());
        let hash = device::device_hash(house, tenant, code);
        let polled = device::poll(house, tenant, &self.call.visit, self.application.id, &hash).await.map_err(failed)?;
        let expired = || TokenError::new(Code::ExpiredToken, "nobody came in time: begin again");
        let (id, until) = match polled {
            Polled::Allowed { grant, until } => (grant, until),
            Polled::Unknown => return Err(invalid_grant("the device_code is unknown")),
            Polled::Pending => {
                return Err(TokenError::new(Code::AuthorizationPending, "nobody has typed the code yet"));
            }
            Polled::TooOften => {
                return Err(TokenError::new(Code::SlowDown, "ask less often: five seconds more from now on"));
            }
            Polled::Denied => return Err(TokenError::new(Code::AccessDenied, "the person did not let the device in")),
            Polled::Expired => return Err(expired()),
        };
        let found = house.db.read(async |connection| grants::with_code(tenant, id, &hash).ask(connection).await);
        let found = found.await.map_err(failed)?.filter(|found| found.grant.application == self.application.id);
        let now = self.call.visit.now;
        let standing = match found {
            Some(standing) if standing.grant.redeemed_at.is_none() && now >= standing.grant.expires_at => {
                return Err(TokenError::new(Code::ExpiredToken, "the device came too late: begin again"));
            }
            Some(standing) => standing,
            // An instance that has not been renewed yet writes the person's yes a moment before what is granted by it.
            None if now < until => return Err(TokenError::new(Code::AuthorizationPending, "a moment more")),
            None => return Err(expired()),
        };
        let details = details(&standing)?;
        self.give(&standing, &details).await
    }

    /// Redeems a grant for its tokens, once.
    async fn give(&self, standing: &Standing, details: &Details) -> Result<Tokens, TokenError> {
        let (house, tenant) = (&self.call.site.house, self.call.realm.tenant());
        if standing.session.is_none() || !is_unchanged(standing, self.application) {
            return Err(invalid_grant(
                "the account has changed since the login, or may not use the application any more",
            ));
        }
        let resource = self.resource(&details.resources)?;
        let (scopes, more) = narrowed(details, &self.call.realm, self.client, (resource, None))?;
        let family = self.family(&scopes);
        let redeemed = federation::redeem(house, tenant, &self.call.visit, &standing.grant, family.as_ref());
        if !redeemed.await.map_err(failed)? {
            return Err(invalid_grant("the code was used before, or it has expired"));
        }
        let nonce = details.nonce.as_deref();
        let granted = Granted { scopes, more, resource };
        self.issue(standing, details, granted, nonce, family.map(|family| family.generation))
    }

    fn resource(&self, granted: &[String]) -> Result<Option<&Resource>, TokenError> {
        target::chosen(&self.call.realm, self.client, &self.issuer(), granted, &self.resources)
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

    /// The key that the refresh tokens of a public client are bound to. A confidential client proves itself anyway
    /// (RFC 9449, 5).
    fn bound_to(&self) -> Option<[u8; 32]> {
        let jkt = self.jkt().filter(|_| self.client.is_public())?;
        URL_SAFE_NO_PAD.decode(jkt).ok()?.try_into().ok()
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
        let to = (self.application, self.client);
        if !may_refresh(&standing, &family, to, realm.config.settings.session, visit.now) {
            return Err(over());
        }
        if token.jkt.is_some() && token.jkt != self.bound_to() {
            return Err(invalid_grant("the refresh token is bound to another DPoP key"));
        }
        let details = details(&standing)?;
        let resource = self.resource(&details.resources)?;
        let (scopes, more) = narrowed(&details, &self.call.realm, self.client, (resource, scope))?;
        let named = self.resources.join(" ");
        let request =
            [scope.unwrap_or_default().as_bytes(), named.as_bytes(), self.jkt().unwrap_or_default().as_bytes()];
        let shown =
            Shown { grant: token.grant, user: standing.grant.user, generation: token.generation, request: &request };
        match refresh::rotate(house, tenant, visit, shown, rules).await.map_err(failed)? {
            Turn::Next(generation) | Turn::Again(generation) => {
                self.issue(&standing, &details, Granted { scopes, more, resource }, None, Some(generation))
            }
            Turn::Stolen => {
                Err(invalid_grant("the refresh token was used before; everything issued with it is revoked"))
            }
            Turn::Over => Err(over()),
        }
    }

    /// A token for the application itself (RFC 6749, 4.4): nobody has logged in, so there is no ID Token, and UserInfo
    /// has nothing to tell.
    fn for_itself(&self, scope: Option<&str>) -> Result<Tokens, TokenError> {
        if !self.client.client_credentials || self.client.is_public() {
            let why = "this client may not use grant_type=client_credentials";
            return Err(TokenError::new(Code::UnauthorizedClient, why));
        }
        let resource = self.resource(&self.client.resources)?;
        let resource =
            resource.ok_or(TokenError::new(Code::InvalidTarget, "a token for an application needs a resource"))?;
        let more: BTreeSet<String> = match scope {
            None => resource.scopes.clone(),
            Some(scope) => scope.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        };
        if !more.is_subset(&resource.scopes) {
            return Err(TokenError::new(Code::InvalidScope, "scope names something that the resource does not have"));
        }
        let (house, now) = (&self.call.site.house, self.call.visit.now);
        let lifetime = Duration::from_secs(u64::from(resource.access_token_seconds));
        let access = AccessToken {
            id: house.entropy.id(),
            grant: None,
            application: self.application.id,
            user: None,
            scopes: BTreeSet::new(),
            more_scopes: more,
            resource: Some(resource.identifier.clone()),
            jkt: self.jkt().map(str::to_owned),
            issued_at: now,
            expires_at: now.plus(lifetime),
        };
        tracing::info!(correlation = %self.call.visit.correlation, client_id = self.client.client_id,
            resource = resource.identifier, "an application got a token for itself");
        let id = self.client.client_id.as_str();
        Ok(Tokens {
            access_token: self.written(&access, Some(resource), id, None)?,
            token_type: self.token_type(),
            expires_in: lifetime.as_secs(),
            refresh_token: None,
            id_token: None,
            scope: access.scope(),
        })
    }

    const fn token_type(&self) -> &'static str {
        if self.key.is_some() { "DPoP" } else { "Bearer" }
    }

    /// The access token in the form that its API takes.
    fn written(
        &self,
        access: &AccessToken,
        resource: Option<&Resource>,
        subject: &str,
        authenticated: Option<Authenticated<'_>>,
    ) -> Result<String, TokenError> {
        let (house, realm) = (&self.call.site.house, &self.call.realm);
        let Some(resource) = resource.filter(|resource| resource.access_token == TokenFormat::Jwt) else {
            return Ok(access.seal(realm.tenant(), &house.derived.access_tokens));
        };
        let algorithm = resource.access_token_signed_response_alg;
        let key = realm.oidc_keys.signing(algorithm);
        let key = key.ok_or_else(|| broken(format!("no key for {}", algorithm.name())))?;
        let issuer = self.issuer();
        let about = About { issuer: &issuer, subject, client_id: &self.client.client_id, authenticated };
        access.sign(about, key).map_err(broken)
    }

    /// Makes the tokens.
    fn issue(
        &self,
        standing: &Standing,
        details: &Details,
        granted: Granted<'_>,
        nonce: Option<&str>,
        generation: Option<i64>,
    ) -> Result<Tokens, TokenError> {
        let (house, realm, now) = (&self.call.site.house, &self.call.realm, self.call.visit.now);
        let (grant, member) = (&standing.grant, &standing.member);
        let Granted { scopes, more, resource } = granted;
        let lifetime = resource
            .map_or(access_token::LIFETIME, |resource| Duration::from_secs(u64::from(resource.access_token_seconds)));
        let told = scopes.iter().map(|scope| scope.name()).chain(more.iter().map(String::as_str));
        let scope = told.collect::<Vec<_>>().join(" ");
        // A token says as little as its audience needs: an API learns nothing of what UserInfo would tell.
        let access = AccessToken {
            id: house.entropy.id(),
            grant: Some(grant.id),
            application: self.application.id,
            user: Some(member.user.id),
            more_scopes: more,
            scopes: if resource.is_some() { BTreeSet::new() } else { scopes },
            resource: resource.map(|resource| resource.identifier.clone()),
            jkt: self.jkt().map(str::to_owned),
            issued_at: now,
            expires_at: now.plus(lifetime),
        };
        let sub = subject(self.client, realm.tenant(), member.user.id, &house.derived.pairwise);
        let amr = acr::methods(details.password, details.otp, details.recovery);
        let (auth_time, authenticator) = (details.auth_time.seconds(), details.authenticator(now));
        let login = Authenticated {
            auth_time,
            acr: &details.acr,
            amr: &amr,
            authenticator: authenticator.map(AuthenticatorClaim::from),
        };
        let access_token = self.written(&access, resource, &sub, Some(login))?;
        let algorithm = self.client.id_token_algorithm;
        let key = realm.oidc_keys.signing(algorithm);
        let key = key.ok_or_else(|| broken(format!("no key for {}", algorithm.name())))?;
        let (iss, sid) = (self.issuer(), grant.session.to_string());
        let groups: Vec<String> = realm.config.group_names(&member.groups).map(str::to_owned).collect();
        let claims = IdTokenClaims {
            iss: &iss,
            sub: &sub,
            aud: &self.client.client_id,
            exp: now.plus(id_token::LIFETIME).seconds(),
            iat: now.seconds(),
            auth_time,
            nonce,
            acr: &details.acr,
            amr: &amr,
            authenticator: authenticator.map(AuthenticatorClaim::from),
            sid: &sid,
            at_hash: at_hash(&access_token, algorithm),
            others: by_name(&Person::of(&member.user, &groups, authenticator), self.client, &details.claims.id_token),
        };
        let refresh = generation.map(|generation| RefreshToken { grant: grant.id, generation, jkt: self.bound_to() });
        Ok(Tokens {
            id_token: Some(claims.sign(key).map_err(broken)?),
            access_token,
            token_type: self.token_type(),
            expires_in: lifetime.as_secs(),
            refresh_token: refresh.map(|token| token.seal(realm.tenant(), &house.derived.refresh_tokens)),
            scope,
        })
    }
}

/// What tokens are made for.
struct Granted<'a> {
    scopes: BTreeSet<Scope>,
    /// Scopes of the API.
    more: BTreeSet<String>,
    resource: Option<&'a Resource>,
}

/// What of a grant was remembered for this endpoint.
fn details(standing: &Standing) -> Result<Details, TokenError> {
    serde_json::from_str(&standing.grant.details).map_err(broken)
}

/// The scopes of a token for `resource`: those that were granted, or fewer of them (RFC 6749, 6), without those that were
/// taken away from the client since, and without those of other APIs: the answer tells what the token opens (5.1).
fn narrowed(
    details: &Details,
    realm: &Realm,
    client: &OidcClient,
    (resource, asked): (Option<&Resource>, Option<&str>),
) -> Result<(BTreeSet<Scope>, BTreeSet<String>), TokenError> {
    let now = |more: &BTreeSet<String>| still_of_apis(more, &details.resources, realm, client);
    let there = |more: &BTreeSet<String>| -> BTreeSet<String> {
        let those = resource.into_iter().flat_map(|resource| more.intersection(&resource.scopes));
        those.cloned().collect()
    };
    let Some(asked) = asked else { return Ok((still(&details.scopes, client), there(&now(&details.more_scopes)))) };
    let (mut scopes, mut more) = (BTreeSet::new(), BTreeSet::new());
    for word in asked.split(' ').filter(|word| !word.is_empty()) {
        match word.parse::<Scope>() {
            Ok(scope) if details.scopes.contains(&scope) => drop(scopes.insert(scope)),
            Err(_) if details.more_scopes.contains(word) => drop(more.insert(word.to_owned())),
            _ => return Err(TokenError::new(Code::InvalidScope, "scope names something that was not granted")),
        }
    }
    let (scopes, named) = (still(&scopes, client), now(&more));
    if scopes.is_empty() && named.is_empty() {
        return Err(TokenError::new(Code::InvalidScope, "scope is empty"));
    }
    let more = there(&named);
    // UserInfo, and an API without scopes of its own, want none of these.
    let wanted = !named.is_empty() && resource.is_some_and(|resource| !resource.scopes.is_empty());
    if more.is_empty() && (wanted || scopes.is_empty()) {
        return Err(TokenError::new(Code::InvalidScope, "scope names nothing that the resource of the token has"));
    }
    Ok((scopes, more))
}
