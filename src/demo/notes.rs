//! The demo's OpenID Connect application. It is built on a relying-party library that others wrote, so
//! that the demo shows what any application would see.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};
use anyhow::{Context as _, anyhow};
use askama::Template;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata, CoreUserInfoClaims};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse as Answer,
    IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    TokenResponse as _,
};
use serde::Deserialize;

/// The client as the apply file of the demo registers it.
pub(super) const CLIENT_ID: &str = "notes";
/// Its secret; everybody who has this program has it.
pub(super) const CLIENT_SECRET: &str = "demo-notes-secret";

/// The application.
#[derive(Debug)]
pub(super) struct Notes {
    issuer: String,
    address: String,
    client: reqwest::Client,
    begun: Mutex<HashMap<String, (Nonce, PkceCodeVerifier)>>,
}

impl Notes {
    /// The application at `address`, which logs people in by `issuer`.
    pub(super) fn new(issuer: String, address: String) -> anyhow::Result<Self> {
        // A redirect at the token endpoint would hand the code to somebody else.
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self { issuer, address, client, begun: Mutex::default() })
    }

    fn callback(&self) -> anyhow::Result<RedirectUrl> {
        Ok(RedirectUrl::new(format!("{}/notes/callback", self.address))?)
    }

    async fn call(&self, request: HttpRequest) -> Result<Answer, reqwest::Error> {
        let answer = self.client.execute(request.try_into()?).await?;
        let mut response = openidconnect::http::Response::new(Vec::new());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        *response.body_mut() = answer.bytes().await?.to_vec();
        Ok(response)
    }

    async fn provider(&self) -> anyhow::Result<CoreProviderMetadata> {
        let issuer = IssuerUrl::new(self.issuer.clone())?;
        let metadata = CoreProviderMetadata::discover_async(issuer, &|request| self.call(request)).await;
        metadata.context("the provider's metadata")
    }
}

/// `GET /notes/login`: off to the identity provider.
pub(super) async fn login(notes: web::Data<Notes>) -> HttpResponse {
    match begin(&notes).await {
        Ok(address) => HttpResponse::SeeOther().insert_header((LOCATION, address)).finish(),
        Err(error) => super::failed(&error),
    }
}

async fn begin(notes: &Notes) -> anyhow::Result<String> {
    let client = CoreClient::from_provider_metadata(
        notes.provider().await?,
        ClientId::new(CLIENT_ID.to_owned()),
        Some(ClientSecret::new(CLIENT_SECRET.to_owned())),
    )
    .set_redirect_uri(notes.callback()?);
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (address, state, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(["profile", "email", "groups"].map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    let mut begun = notes.begun.lock().unwrap_or_else(PoisonError::into_inner);
    begun.insert(state.secret().clone(), (nonce, verifier));
    Ok(address.to_string())
}

/// What the identity provider sends back.
#[derive(Debug, Deserialize)]
pub(super) struct Callback {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
}

#[derive(Template)]
#[template(path = "demo/claims.html")]
struct ClaimsPage {
    application: &'static str,
    name: String,
    claims: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "demo/refused.html")]
struct RefusedPage {
    application: &'static str,
    error: String,
    description: String,
}

/// `GET /notes/callback`: checks the answer and shows the claims.
pub(super) async fn callback(notes: web::Data<Notes>, query: web::Query<Callback>) -> HttpResponse {
    let query = query.into_inner();
    if let Some(error) = query.error {
        let description = query.error_description.unwrap_or_default();
        return super::html(&RefusedPage { application: "Notes", error, description });
    }
    match claims(&notes, query).await {
        Ok(page) => super::html(&page),
        Err(error) => super::failed(&error),
    }
}

async fn claims(notes: &Notes, query: Callback) -> anyhow::Result<ClaimsPage> {
    let state = query.state.unwrap_or_default();
    let begun = notes.begun.lock().unwrap_or_else(PoisonError::into_inner).remove(&state);
    let (nonce, verifier) = begun.ok_or_else(|| anyhow!("this login was not begun here"))?;
    let client = CoreClient::from_provider_metadata(
        notes.provider().await?,
        ClientId::new(CLIENT_ID.to_owned()),
        Some(ClientSecret::new(CLIENT_SECRET.to_owned())),
    )
    .set_redirect_uri(notes.callback()?);
    let code = AuthorizationCode::new(query.code.ok_or_else(|| anyhow!("there is no code in the answer"))?);
    let http = |request| notes.call(request);
    let tokens = client.exchange_code(code)?.set_pkce_verifier(verifier).request_async(&http).await?;
    let id_token = tokens.id_token().ok_or_else(|| anyhow!("there is no ID Token in the answer"))?;
    let verified = client.id_token_verifier();
    let claims = id_token.claims(&verified, &nonce)?;
    if let Some(expected) = claims.access_token_hash() {
        let key = id_token.signing_key(&verified)?;
        if AccessTokenHash::from_token(tokens.access_token(), id_token.signing_alg()?, key)? != *expected {
            return Err(anyhow!("the access token does not belong to the ID Token"));
        }
    }
    let subject = claims.subject().clone();
    let person: CoreUserInfoClaims =
        client.user_info(tokens.access_token().clone(), Some(subject))?.request_async(&http).await?;
    let mut shown = listed("ID Token", &serde_json::to_value(claims)?);
    shown.extend(listed("UserInfo", &serde_json::to_value(&person)?));
    let name = person.preferred_username().map(|name| name.to_string()).unwrap_or_default();
    Ok(ClaimsPage { application: "Notes", name, claims: shown })
}

fn listed(from: &str, claims: &serde_json::Value) -> Vec<(String, String)> {
    let members = claims.as_object().into_iter().flatten();
    members
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (format!("{from}: {name}"), value)
        })
        .collect()
}
