//! What the endpoints that applications call have in common: reading a form, answering in JSON, errors with their
//! status and headers (RFC 6749, 5), and the permission for pages of other sites to ask.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE,
    HeaderMap, ORIGIN, PRAGMA, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};

use super::client::{PresentedClient, presented};
use super::dpop::{self, DpopError};
use super::error::{TokenError, TokenErrorCode as Code};
use super::parameters::{ParameterError, Parameters};
use crate::http::Call;

/// `OPTIONS`: applications in a browser ask first. No cookie counts here, so any page may ask.
pub(super) async fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, dpop"))
        .insert_header((ACCESS_CONTROL_MAX_AGE, "3600"))
        .finish()
}

/// Whoever comes by another method than POST (RFC 9110, 15.5.6).
pub(super) async fn wrong_method() -> HttpResponse {
    other_method("this endpoint is called by POST", "POST, OPTIONS")
}

/// Whoever comes to UserInfo by another method than GET or POST.
pub(super) async fn wrong_method_of_userinfo() -> HttpResponse {
    other_method("this endpoint is called by GET or POST", "GET, POST, OPTIONS")
}

fn other_method(description: &'static str, allowed: &'static str) -> HttpResponse {
    json(StatusCode::METHOD_NOT_ALLOWED).insert_header((ALLOW, allowed)).json(invalid(description))
}

/// The beginning of a JSON answer that nobody keeps.
pub(super) fn json(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response.insert_header((CACHE_CONTROL, "no-store")).insert_header((PRAGMA, "no-cache"));
    response.insert_header((ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
    response.insert_header((ACCESS_CONTROL_EXPOSE_HEADERS, "WWW-Authenticate, DPoP-Nonce"));
    response
}

/// The answer to a bad request; the reason is in the log, too.
pub(super) fn refusal(call: &Call, request: &HttpRequest, error: &TokenError) -> HttpResponse {
    let path = &call.path;
    tracing::info!(correlation = %call.visit.correlation, path, %error, "an application's request is refused");
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = json(status);
    if status == StatusCode::UNAUTHORIZED && is_challenged(request.headers()) {
        response.insert_header((WWW_AUTHENTICATE, "Basic realm=\"token\""));
    }
    if error.error == Code::UseDpopNonce {
        response.insert_header((dpop::NONCE, dpop::nonce(&call.site.house, call.realm.tenant(), call.visit.now)));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE || error.wait.is_some() {
        response.insert_header((RETRY_AFTER, error.wait.unwrap_or(5).to_string()));
    }
    response.json(error)
}

/// Whether a 401 tells how to authenticate, as every one should (RFC 9110, 15.5.2). Where `Authorization` was used it must (RFC 6749,
/// 5.2). A browser that used none would open a dialog of its own and ask a person for a name and a password, for a page of our host or
/// because another site sends a form here; so it is told by the error alone. No page can take these two headers away.
fn is_challenged(headers: &HeaderMap) -> bool {
    let by_browser = headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site");
    headers.contains_key(AUTHORIZATION) || !by_browser
}

/// Reads the form of a request and who sends it.
///
/// # Errors
/// [`TokenError`] with what is wrong.
pub(super) fn read(request: &HttpRequest, body: &[u8]) -> Result<(PresentedClient, Parameters), TokenError> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if request.headers().get_all(AUTHORIZATION).count() > 1 {
        return Err(invalid("the header Authorization is given more than once"));
    }
    let parameters = form(header(CONTENT_TYPE), body)?;
    let client = presented(header(AUTHORIZATION), &parameters)?;
    Ok((client, parameters))
}

/// The parameters in a body of this content type.
///
/// # Errors
/// `invalid_request`.
pub(super) fn form(content_type: Option<&str>, body: &[u8]) -> Result<Parameters, TokenError> {
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(invalid("the content type must be application/x-www-form-urlencoded"));
    }
    Parameters::parse(body).map_err(|error| match error {
        ParameterError::TooLong => TokenError::new(Code::TooLong, "the body is too long"),
        ParameterError::NotUtf8 | ParameterError::Twice(_) => invalid("the body is not UTF-8"),
    })
}

/// `invalid_request` with a sentence for the developer.
pub(super) fn invalid(description: impl Into<std::borrow::Cow<'static, str>>) -> TokenError {
    TokenError::new(Code::InvalidRequest, description)
}

/// The value of a parameter that may be there once.
///
/// # Errors
/// `invalid_request`.
pub(super) fn one<'p>(parameters: &'p Parameters, name: &'static str) -> Result<Option<&'p str>, TokenError> {
    parameters.one(name).map_err(|_| invalid(format!("the parameter {name} is given more than once")))
}

/// As [`one`], for a parameter that must be there.
///
/// # Errors
/// `invalid_request`.
pub(super) fn needed<'p>(parameters: &'p Parameters, name: &'static str) -> Result<&'p str, TokenError> {
    one(parameters, name)?.ok_or_else(|| invalid(format!("the parameter {name} is missing")))
}

/// Why a proof of possession is not taken.
pub(super) fn unproven(error: DpopError) -> TokenError {
    match error {
        DpopError::Nonce => {
            TokenError::new(Code::UseDpopNonce, "the proof needs the nonce that comes with this answer")
        }
        DpopError::Proof(why) => TokenError::new(Code::InvalidDpopProof, why),
        DpopError::Failed(fault) => broken(fault),
    }
}

/// Our own fault.
pub(super) fn failed(error: impl Into<crate::flow::Error>) -> TokenError {
    let error = error.into();
    if let crate::flow::Error::Storage(storage) = &error
        && storage.is_of_the_moment()
    {
        if storage.is_away() {
            tracing::error!(error = %storage, "the database cannot be reached");
        }
        return TokenError::new(Code::TemporarilyUnavailable, "the server is busy; try again in some seconds");
    }
    broken(&error)
}

/// Our own fault, and trying again will hardly help.
pub(super) fn broken(error: impl std::fmt::Display) -> TokenError {
    tracing::error!(%error, "an application's request failed");
    TokenError::new(Code::ServerError, "the server failed; try again")
}
