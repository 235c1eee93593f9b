//! Dynamic client registration (RFC 7591) and its management (RFC 7592, OpenID Connect Dynamic Client Registration 1.0),
//! for whoever holds a token that an operator has handed out.

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json as value};

use super::client::secret_digest;
use super::endpoint::json;
use crate::domain::application::{Application, Assignment, Protocol};
use crate::domain::ids::ApplicationId;
use crate::domain::name::checked;
use crate::domain::oidc_client::{ClientAuthentication, OidcClient, OidcClientDraft, OidcClientFault, Scope};
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::signing_key::SignatureAlgorithm;
use crate::flow::{self, registration};
use crate::http::{Call, Fault};
use crate::keys::jose::KeySet;

/// The longest document that is read, in octets.
const LONGEST: usize = 32 * 1024;

/// Client metadata (RFC 7591, 2). What is not named here is ignored, as the standard says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    client_id: Option<String>,
    client_secret: Option<SecretString>,
    #[serde(deserialize_with = "left_out_if_null")]
    redirect_uris: Vec<String>,
    token_endpoint_auth_method: Option<ClientAuthentication>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    client_name: Option<String>,
    scope: Option<String>,
    jwks: Option<Value>,
    jwks_uri: Option<String>,
    subject_type: Option<String>,
    sector_identifier_uri: Option<String>,
    id_token_signed_response_alg: Option<String>,
    userinfo_signed_response_alg: Option<String>,
    #[serde(deserialize_with = "left_out_if_null")]
    post_logout_redirect_uris: Vec<String>,
    backchannel_logout_uri: Option<String>,
    frontchannel_logout_uri: Option<String>,
    #[serde(deserialize_with = "left_out_if_null")]
    require_pushed_authorization_requests: bool,
    #[serde(deserialize_with = "left_out_if_null")]
    dpop_bound_access_tokens: bool,
}

/// A list or a flag; null counts as left out (RFC 7592, 2.2).
fn left_out_if_null<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(value: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(value)?.unwrap_or_default())
}

/// Why a registration is refused (RFC 7591, 3.2.2).
enum Refused {
    RedirectUri(String),
    Metadata(String),
    /// No token at all, which is no error yet (RFC 6750, 3.1).
    NoToken,
    Token,
    /// An operator has stopped the application (RFC 7592, 2.2: the client is not allowed to).
    Stopped,
    Failed(Fault),
}

impl From<flow::Error> for Refused {
    fn from(error: flow::Error) -> Self {
        match error {
            flow::Error::Forbidden => Self::Token,
            flow::Error::WrongMoment => Self::Stopped,
            flow::Error::Used => Self::Metadata("client_name is taken by another application".to_owned()),
            error => Self::Failed(error.into()),
        }
    }
}

fn answered(call: &Call, result: Result<HttpResponse, Refused>) -> Result<HttpResponse, Fault> {
    let (error, description) = match result {
        Ok(response) => return Ok(response),
        Err(Refused::Failed(fault)) => return Err(fault),
        Err(Refused::NoToken) => return Ok(challenged(call, "Bearer realm=\"registration\"")),
        Err(Refused::Token) => {
            let why = "the token is unknown, used up or expired";
            return Ok(challenged(call, &format!("Bearer error=\"invalid_token\", error_description=\"{why}\"")));
        }
        Err(Refused::Stopped) => {
            let why = "an operator has stopped this application";
            tracing::info!(correlation = %call.visit.correlation, why, "a registration is refused");
            return Ok(json(StatusCode::FORBIDDEN).json(value!({ "error": "access_denied", "error_description": why })));
        }
        Err(Refused::RedirectUri(why)) => ("invalid_redirect_uri", why),
        Err(Refused::Metadata(why)) => ("invalid_client_metadata", why),
    };
    let description = ascii(&description);
    tracing::info!(correlation = %call.visit.correlation, error, description, "a registration is refused");
    Ok(json(StatusCode::BAD_REQUEST).json(value!({ "error": error, "error_description": description })))
}

fn challenged(call: &Call, challenge: &str) -> HttpResponse {
    tracing::info!(correlation = %call.visit.correlation, challenge, "a registration is refused");
    json(StatusCode::UNAUTHORIZED).insert_header((WWW_AUTHENTICATE, challenge)).finish()
}

/// A description may repeat what was sent, but it is ASCII (RFC 7591, 3.2.2): other characters are written by their numbers.
fn ascii(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => written.push(c),
            '…' => written.push_str("..."),
            other => written.extend(other.escape_unicode()),
        }
    }
    written
}

fn bearer(request: &HttpRequest) -> Result<SecretString, Refused> {
    let header = request.headers().get(AUTHORIZATION).ok_or(Refused::NoToken)?;
    let token = header.to_str().ok().and_then(|value| value.split_once(' '));
    let token = token.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    token.map(|token| SecretString::from(token.to_owned())).ok_or(Refused::Token)
}

fn read(request: &HttpRequest, body: &[u8]) -> Result<Metadata, Refused> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/json") {
        return Err(Refused::Metadata("the content type must be application/json".to_owned()));
    }
    if body.len() > LONGEST {
        return Err(Refused::Metadata("the document is too long".to_owned()));
    }
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err(Refused::Metadata("the document must be a JSON object".to_owned()));
    }
    serde_json::from_slice(body).map_err(|error| Refused::Metadata(error.to_string()))
}

/// The client that the metadata describes. Only what an application may decide about itself: it cannot give itself APIs,
/// tokens of its own or the right to do without PKCE.
fn client(call: &Call, metadata: &Metadata, client_id: &str, secret: &SecretString) -> Result<OidcClient, Refused> {
    let method = metadata.token_endpoint_auth_method.unwrap_or_default();
    let grants = metadata.grant_types.clone().unwrap_or_else(|| vec!["authorization_code".to_owned()]);
    if let Some(other) = grants.iter().find(|grant| !matches!(grant.as_str(), "authorization_code" | "refresh_token")) {
        return Err(Refused::Metadata(format!("grant_types: {other} cannot be registered")));
    }
    if metadata.response_types.as_ref().is_some_and(|types| types.iter().any(|one| one != "code")) {
        return Err(Refused::Metadata("response_types: only code can be registered".to_owned()));
    }
    if metadata.sector_identifier_uri.is_some() {
        return Err(Refused::Metadata("sector_identifier_uri is not fetched; ask the operator".to_owned()));
    }
    let mut table = Map::new();
    let mut set = |name: &str, value: Value| {
        if !value.is_null() {
            table.insert(name.to_owned(), value);
        }
    };
    set("client_id", value!(client_id));
    if method.has_secret() {
        set("client_secret", value!(secret.expose_secret()));
    }
    // Nobody has looked at it, so nobody consents in the place of the people.
    set("consent", value!("ask"));
    set("redirect_uris", value!(metadata.redirect_uris));
    set("post_logout_redirect_uris", value!(metadata.post_logout_redirect_uris));
    set("token_endpoint_auth_method", value!(method));
    set("backchannel_logout_uri", value!(metadata.backchannel_logout_uri));
    set("frontchannel_logout_uri", value!(metadata.frontchannel_logout_uri));
    set("jwks_uri", value!(metadata.jwks_uri));
    set("jwks", value!(metadata.jwks.as_ref().map(Value::to_string)));
    set("subject_type", value!(metadata.subject_type));
    set("id_token_signed_response_alg", value!(metadata.id_token_signed_response_alg));
    set("userinfo_signed_response_alg", value!(metadata.userinfo_signed_response_alg));
    set("require_pushed_authorization_requests", value!(metadata.require_pushed_authorization_requests));
    set("dpop_bound_access_tokens", value!(metadata.dpop_bound_access_tokens));
    set("refresh_tokens", value!(grants.iter().any(|grant| grant == "refresh_token")));
    if let Some(scope) = &metadata.scope {
        let known: Vec<Scope> = scope.split(' ').filter_map(|word| word.parse().ok()).collect();
        set("scopes", value!(known));
    }
    let draft: OidcClientDraft =
        serde_json::from_value(Value::Object(table)).map_err(|error| Refused::Metadata(error.to_string()))?;
    if let Some(keys) = &draft.jwks {
        KeySet::parse(keys).map_err(|fault| Refused::Metadata(format!("jwks: {fault}")))?;
    }
    let hash = &call.site.house.derived.client_secrets;
    let client = draft.check(|id, secret| secret_digest(hash, call.realm.tenant(), id, secret)).map_err(|faults| {
        let words = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let of_redirects = |fault: &OidcClientFault| {
            matches!(fault, OidcClientFault::NoRedirectUri | OidcClientFault::Address { field: "redirect_uris", .. })
        };
        if faults.iter().any(of_redirects) { Refused::RedirectUri(words) } else { Refused::Metadata(words) }
    })?;
    check_together(&client)?;
    Ok(client)
}

/// What must fit together, where nobody looks at it who knows better.
fn check_together(client: &OidcClient) -> Result<(), Refused> {
    let refused = |why: &str| Err(Refused::Metadata(why.to_owned()));
    if !client.is_complete() {
        return refused("private_key_jwt needs jwks or jwks_uri");
    }
    if client.jwks.is_some() && client.jwks_uri.is_some() {
        return refused("jwks and jwks_uri: one of them, not both");
    }
    let origin = |address: &str| url::Url::parse(address).ok().map(|url| url.origin());
    if let Some(address) = &client.frontchannel_logout_uri
        && !client.redirect_uris.iter().any(|uri| origin(uri.as_str()) == origin(address))
    {
        // Front-Channel Logout 1.0, 2: nobody has the browsers of others open somebody else's address.
        return refused("frontchannel_logout_uri must have the scheme, host and port of one of redirect_uris");
    }
    Ok(())
}

fn name_of(metadata: &Metadata, client_id: &str) -> Result<String, Refused> {
    let name = metadata.client_name.as_deref().unwrap_or(client_id);
    // Signs that turn the direction of a text, or cannot be seen: a name of somebody else's could be made of them.
    let hidden =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    if name.chars().any(hidden) {
        return Err(Refused::Metadata("client_name has characters that cannot be seen".to_owned()));
    }
    checked(name).map(str::to_owned).map_err(|error| Refused::Metadata(format!("client_name: {error}")))
}

#[derive(Serialize)]
struct Registered<'a> {
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_access_token: Option<&'a str>,
    registration_client_uri: String,
    client_name: &'a str,
    redirect_uris: Vec<&'a str>,
    token_endpoint_auth_method: &'static str,
    grant_types: Vec<&'static str>,
    response_types: [&'static str; 1],
    scope: String,
    id_token_signed_response_alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    userinfo_signed_response_alg: Option<&'static str>,
    subject_type: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    post_logout_redirect_uris: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backchannel_logout_uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frontchannel_logout_uri: Option<&'a str>,
    require_pushed_authorization_requests: bool,
    dpop_bound_access_tokens: bool,
}

/// What is registered (RFC 7591, 3.2.1: all of it).
fn told<'a>(call: &Call, application: &'a Application, client: &'a OidcClient) -> Registered<'a> {
    let mut grant_types = vec!["authorization_code"];
    if client.refresh.is_some() {
        grant_types.push("refresh_token");
    }
    let base = call.site.urls.base(call.realm.code());
    Registered {
        client_id: &client.client_id,
        client_secret: None,
        client_secret_expires_at: None,
        registration_access_token: None,
        registration_client_uri: format!("{base}/oidc/register/{}", application.id),
        client_name: &application.name,
        redirect_uris: client.redirect_uris.iter().map(|uri| uri.as_str()).collect(),
        token_endpoint_auth_method: client.authentication.name(),
        grant_types,
        response_types: ["code"],
        scope: client.scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(" "),
        id_token_signed_response_alg: client.id_token_algorithm.name(),
        userinfo_signed_response_alg: client.userinfo_algorithm.map(SignatureAlgorithm::name),
        subject_type: value!(client.subject_type),
        jwks: client.jwks.as_deref().and_then(|keys| serde_json::from_str(keys).ok()),
        jwks_uri: client.jwks_uri.as_deref(),
        post_logout_redirect_uris: client.post_logout_redirect_uris.iter().map(|uri| uri.as_str()).collect(),
        backchannel_logout_uri: client.backchannel_logout_uri.as_deref(),
        frontchannel_logout_uri: client.frontchannel_logout_uri.as_deref(),
        require_pushed_authorization_requests: client.require_pushed_authorization_requests,
        dpop_bound_access_tokens: client.dpop_bound_access_tokens,
    }
}

/// `POST {base}/oidc/register`.
pub(super) async fn post(call: Call, request: HttpRequest, body: web::Bytes) -> Result<HttpResponse, Fault> {
    let result = register(&call, &request, &body).await;
    answered(&call, result)
}

async fn register(call: &Call, request: &HttpRequest, body: &[u8]) -> Result<HttpResponse, Refused> {
    let token = bearer(request)?;
    let metadata = read(request, body)?;
    let house = &call.site.house;
    let id = house.entropy.id();
    // Identifiers and secrets are ours to choose: nobody registers a name that looks like another application's.
    let client_id = format!("dyn-{}", house.entropy.id::<()>());
    let secret = registration::new_secret(house);
    let client = client(call, &metadata, &client_id, &secret)?;
    let application = Application {
        id,
        name: name_of(&metadata, &client_id)?,
        active: true,
        launch_url: None,
        assignment: Assignment::Everyone,
        protocol: Protocol::Oidc(Box::new(client.clone())),
    };
    let managing = registration::register(house, &call.realm, &call.visit, &token, &application).await?;
    let has_secret = client.authentication.has_secret();
    Ok(json(StatusCode::CREATED).json(Registered {
        client_secret: has_secret.then(|| secret.expose_secret()),
        client_secret_expires_at: has_secret.then_some(0),
        registration_access_token: Some(managing.expose_secret()),
        ..told(call, &application, &client)
    }))
}

/// The application at this address, if the token is its own.
async fn own(call: &Call, request: &HttpRequest, id: ApplicationId) -> Result<Application, Refused> {
    let token = bearer(request)?;
    Ok(registration::managed(&call.site.house, &call.realm, &token, id).await?)
}

fn client_in(application: &Application) -> Result<&OidcClient, Refused> {
    match &application.protocol {
        Protocol::Oidc(client) => Ok(client),
        _ => Err(Refused::Token),
    }
}

type Place = web::Path<(String, ApplicationId)>;

/// `GET {base}/oidc/register/{application}` (RFC 7592, 2.1).
pub(super) async fn get(call: Call, request: HttpRequest, path: Place) -> Result<HttpResponse, Fault> {
    let result = read_own(&call, &request, path.into_inner().1).await;
    answered(&call, result)
}

async fn read_own(call: &Call, request: &HttpRequest, id: ApplicationId) -> Result<HttpResponse, Refused> {
    let application = own(call, request, id).await?;
    let token = bearer(request)?;
    Ok(json(StatusCode::OK).json(Registered {
        registration_access_token: Some(token.expose_secret()),
        ..told(call, &application, client_in(&application)?)
    }))
}

/// `PUT {base}/oidc/register/{application}` (RFC 7592, 2.2): what is sent replaces what was registered; the secret stays.
pub(super) async fn put(
    call: Call,
    request: HttpRequest,
    path: Place,
    body: web::Bytes,
) -> Result<HttpResponse, Fault> {
    let result = change(&call, &request, path.into_inner().1, &body).await;
    answered(&call, result)
}

async fn change(call: &Call, request: &HttpRequest, id: ApplicationId, body: &[u8]) -> Result<HttpResponse, Refused> {
    // Nothing of the document is judged for a stranger.
    own(call, request, id).await?;
    let token = bearer(request)?;
    let metadata = read(request, body)?;
    let secret = registration::new_secret(&call.site.house);
    let merged = |application: &Application| merged(call, application, &metadata, &secret);
    let (changed, renewed) =
        registration::change(&call.site.house, &call.realm, &call.visit, (&token, id), merged).await??;
    Ok(json(StatusCode::OK).json(Registered {
        client_secret: renewed.then(|| secret.expose_secret()),
        client_secret_expires_at: renewed.then_some(0),
        registration_access_token: Some(token.expose_secret()),
        ..told(call, &changed, client_in(&changed)?)
    }))
}

/// What the metadata make of an application, and whether it has got its first secret by that.
fn merged(
    call: &Call,
    application: &Application,
    metadata: &Metadata,
    secret: &SecretString,
) -> Result<(Application, bool), Refused> {
    let before = client_in(application)?;
    check_identity(call, metadata, before)?;
    let mut after = client(call, metadata, &before.client_id, secret)?;
    let renewed = after.authentication.has_secret() && before.secrets.is_empty();
    if after.authentication.has_secret() && !before.secrets.is_empty() {
        after.secrets.clone_from(&before.secrets);
    }
    // What an operator has added stays: an application cannot take it away by leaving it out, nor get it by naming it.
    after.resources.clone_from(&before.resources);
    after.claims.clone_from(&before.claims);
    after.sector_identifier.clone_from(&before.sector_identifier);
    after.consent = before.consent;
    after.require_pkce = before.require_pkce || after.is_public();
    after.client_credentials = before.client_credentials && !after.is_public();
    after.device_authorization = before.device_authorization;
    after.require_signed_request_object = before.require_signed_request_object;
    // Nor does it undo what an operator has narrowed: it may ask for less, and be stricter with itself.
    after.scopes.retain(|scope| before.scopes.contains(scope));
    after.refresh = after.refresh.and(before.refresh);
    after.dpop_bound_access_tokens |= before.dpop_bound_access_tokens;
    after.require_pushed_authorization_requests |= before.require_pushed_authorization_requests;
    let name = name_of(metadata, &application.name)?;
    Ok((Application { name, protocol: Protocol::Oidc(Box::new(after)), ..application.clone() }, renewed))
}

/// Whoever names itself must be itself, and cannot choose its secret (RFC 7592, 2.2).
fn check_identity(call: &Call, metadata: &Metadata, before: &OidcClient) -> Result<(), Refused> {
    if metadata.client_id.as_ref().is_some_and(|id| *id != before.client_id) {
        return Err(Refused::Metadata("client_id is not the one of this application".to_owned()));
    }
    let Some(secret) = &metadata.client_secret else { return Ok(()) };
    let hash = &call.site.house.derived.client_secrets;
    let digest = secret_digest(hash, call.realm.tenant(), &before.client_id, secret);
    if before.valid_secrets(call.visit.now).any(|valid| valid == digest) {
        return Ok(());
    }
    Err(Refused::Metadata("client_secret is not the one of this application; it cannot be chosen".to_owned()))
}

/// `DELETE {base}/oidc/register/{application}` (RFC 7592, 2.3).
pub(super) async fn delete(call: Call, request: HttpRequest, path: Place) -> Result<HttpResponse, Fault> {
    let result = remove(&call, &request, path.into_inner().1).await;
    answered(&call, result)
}

async fn remove(call: &Call, request: &HttpRequest, id: ApplicationId) -> Result<HttpResponse, Refused> {
    let token = bearer(request)?;
    registration::remove(&call.site.house, &call.realm, &call.visit, (&token, id)).await?;
    Ok(json(StatusCode::NO_CONTENT).finish())
}
