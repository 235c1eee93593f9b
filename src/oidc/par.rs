//! Pushed authorization requests (RFC 9126): the application sends its request server to server, proves who it is, and
//! the browser brings only a reference that nobody can read anything from or change.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::authorize::{Stored, only_subject, unpacked};
use super::client::authenticate;
use super::dpop;
use super::endpoint::{broken, failed, invalid, json, one, read, refusal, unproven};
use super::error::{AuthorizationError, AuthorizationErrorCode, TokenError, TokenErrorCode as Code};
use super::request::{self, RequestError};
use crate::domain::secret::ExposeSecret as _;
use crate::flow::pushed;
use crate::http::Call;

/// What a reference begins with (RFC 9126, 2.2).
pub(super) const URN: &str = "urn:ietf:params:oauth:request_uri:";

#[derive(Serialize)]
struct Reference {
    request_uri: String,
    expires_in: u64,
}

/// The answer to a request that is not good: the words of the authorization endpoint, in JSON (RFC 9126, 2.3).
#[derive(Serialize)]
struct Refusal<'a> {
    error: &'static str,
    error_description: &'a str,
}

enum Refused {
    Request(AuthorizationError),
    Client(TokenError),
}

impl From<TokenError> for Refused {
    fn from(error: TokenError) -> Self {
        Self::Client(error)
    }
}

/// `POST {base}/oidc/par`.
pub(super) async fn post(call: Call, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    match push(&call, &request, &body).await {
        Ok(reference) => json(StatusCode::CREATED).json(reference),
        Err(Refused::Client(error)) => refusal(&call, &request, &error),
        Err(Refused::Request(error)) => {
            tracing::info!(correlation = %call.visit.correlation, %error, "a pushed request is refused");
            let description = error.description.as_ref();
            json(StatusCode::BAD_REQUEST).json(Refusal { error: error.code.name(), error_description: description })
        }
    }
}

async fn push(call: &Call, http: &HttpRequest, body: &[u8]) -> Result<Reference, Refused> {
    let (presented, parameters) = read(http, body)?;
    let (application, client) = authenticate(call, &presented).await?;
    if one(&parameters, "request_uri")?.is_some() {
        return Err(invalid("request_uri does not belong into a pushed request").into());
    }
    let key = dpop::proven(call, http, None).await.map_err(unproven)?;
    let object = |why: &'static str| {
        let words = format!("the parameter request: {why}");
        Refused::Request(AuthorizationError::new(AuthorizationErrorCode::InvalidRequestObject, words))
    };
    if client.require_signed_request_object && one(&parameters, "request")?.is_none() {
        let why = "this client must sign its requests: the parameter request is missing";
        return Err(Refused::Request(AuthorizationError::new(AuthorizationErrorCode::InvalidRequest, why)));
    }
    let parameters = unpacked(call, client, parameters).await.map_err(object)?;
    // Who asks was proven; what stands in the request must not be somebody else's.
    if one(&parameters, "client_id")?.is_some_and(|id| id != client.client_id) {
        return Err(invalid("client_id is not the one that authenticated").into());
    }
    let mut request =
        request::parse(&parameters, client, &call.realm.config.settings.resources, true).map_err(|error| {
            Refused::Request(match error {
                RequestError::SentBack { error, .. } => error,
                RequestError::Shown(error) => {
                    AuthorizationError::new(AuthorizationErrorCode::InvalidRequest, error.to_string())
                }
            })
        })?;
    if let Some(key) = key {
        if request.dpop_jkt.as_ref().is_some_and(|jkt| *jkt != key.jkt) {
            let why = "dpop_jkt is not the key of the DPoP proof";
            return Err(TokenError::new(Code::InvalidDpopProof, why).into());
        }
        request.dpop_jkt = Some(key.jkt);
    }
    let only_subject = only_subject(call, &request).map_err(Refused::Request)?;
    let stored = Stored { request, only_subject };
    let kept = serde_json::to_string(&stored).map_err(broken)?;
    let (house, tenant) = (&call.site.house, call.realm.tenant());
    let reference = pushed::push(house, tenant, &call.visit, application.id, kept).await.map_err(failed)?;
    let request_uri = format!("{URN}{}", reference.expose_secret());
    Ok(Reference { request_uri, expires_in: pushed::LIFETIME.as_secs() })
}
