//! The protocol's words for what went wrong, and the two ways to say them at the authorization endpoint.

use std::borrow::Cow;

use serde::Serialize;

use crate::keys::jose::JwsAlgorithm;

/// An error of the authorization endpoint (RFC 6749, 4.1.2.1; OIDC Core 3.1.2.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationErrorCode {
    /// Something is missing, given twice or malformed.
    InvalidRequest,
    /// This client may not use this.
    UnauthorizedClient,
    /// The person or a policy said no.
    AccessDenied,
    /// Another `response_type` than `code`.
    UnsupportedResponseType,
    /// `openid` is missing in the scope.
    InvalidScope,
    /// We failed.
    ServerError,
    /// We are too busy, or closed for maintenance.
    TemporarilyUnavailable,
    /// `prompt=none`, but a page would be needed (such as the enrollment of an authenticator, R-092).
    InteractionRequired,
    /// `prompt=none`, but nobody is logged in, or not recently enough.
    LoginRequired,
    /// Consent was asked for and cannot be taken down.
    ConsentRequired,
    /// `request` was given, and the application has no key registered that could have signed it.
    RequestNotSupported,
    /// `request` is not an object that its application signed.
    InvalidRequestObject,
    /// `resource` names an API that is not there, or not for this application.
    InvalidTarget,
    /// `request_uri` was given; nothing is ever fetched from an address in a request (T-52).
    RequestUriNotSupported,
    /// `registration` was given.
    RegistrationNotSupported,
    /// An essential `acr` that cannot be reached here.
    UnmetAuthenticationRequirements,
}

impl AuthorizationErrorCode {
    /// The registered word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::AccessDenied => "access_denied",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::InteractionRequired => "interaction_required",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::RequestNotSupported => "request_not_supported",
            Self::InvalidRequestObject => "invalid_request_object",
            Self::InvalidTarget => "invalid_target",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::RegistrationNotSupported => "registration_not_supported",
            Self::UnmetAuthenticationRequirements => "unmet_authentication_requirements",
        }
    }
}

/// An error that goes back to the application's proven address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {description}", code.name())]
pub struct AuthorizationError {
    /// What.
    pub code: AuthorizationErrorCode,
    /// Which parameter and why, for the application's developer; in ASCII without quotes (RFC 6749).
    pub description: Cow<'static, str>,
}

impl AuthorizationError {
    /// An error with a sentence for the developer.
    pub fn new(code: AuthorizationErrorCode, description: impl Into<Cow<'static, str>>) -> Self {
        Self { code, description: description.into() }
    }
}

/// An error that is only ever shown, because the address to return to is not proven (R-514, T-46).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShownError {
    /// The parameters cannot be read, or one of the two that lead back is given twice.
    #[error(transparent)]
    Parameters(#[from] super::parameters::ParameterError),
    /// `client_id` is missing.
    #[error("the parameter client_id is missing")]
    ClientMissing,
    /// No application has this `client_id`.
    #[error("no application is registered under this client_id")]
    ClientUnknown,
    /// `redirect_uri` is missing.
    #[error("the parameter redirect_uri is missing")]
    RedirectUriMissing,
    /// `request` is not an object that its application signed, and the address stands in it alone (RFC 9101, 5).
    #[error("the parameter request: {0}")]
    RequestObject(&'static str),
    /// `redirect_uri` is not one of the registered ones.
    #[error("this redirect_uri is not registered for the application")]
    RedirectUriUnknown,
}

/// An error of the token endpoint and its neighbours (RFC 6749, 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenErrorCode {
    /// Something is missing, given twice or malformed.
    InvalidRequest,
    /// The same word for a body that is longer than anybody reads, with a status of its own (RFC 9126, 2.3).
    #[serde(rename = "invalid_request")]
    TooLong,
    /// The client did not prove who it is.
    InvalidClient,
    /// The code or the refresh token is unknown, used, expired, another client's, or its verifier does not fit.
    InvalidGrant,
    /// More is asked for than was granted.
    InvalidScope,
    /// `resource` names an API that is not there, or was not granted (RFC 8707).
    InvalidTarget,
    /// The proof of possession is wrong or missing (RFC 9449).
    InvalidDpopProof,
    /// The proof of possession needs the nonce that comes with this answer (RFC 9449, 8).
    UseDpopNonce,
    /// Nobody has let the device in yet (RFC 8628, 3.5).
    AuthorizationPending,
    /// The device asks too often, and must wait five seconds longer from now on.
    SlowDown,
    /// The person said no.
    AccessDenied,
    /// Nobody came in time.
    ExpiredToken,
    /// This client may not use this grant type.
    UnauthorizedClient,
    /// Another `grant_type` than those announced.
    UnsupportedGrantType,
    /// We are too busy.
    TemporarilyUnavailable,
    /// We failed.
    ServerError,
}

impl TokenErrorCode {
    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidClient => 401,
            Self::TooLong => 413,
            Self::TemporarilyUnavailable => 503,
            Self::ServerError => 500,
            Self::InvalidRequest
            | Self::InvalidGrant
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::InvalidDpopProof
            | Self::UseDpopNonce
            | Self::AuthorizationPending
            | Self::SlowDown
            | Self::AccessDenied
            | Self::ExpiredToken
            | Self::UnauthorizedClient
            | Self::UnsupportedGrantType => 400,
        }
    }
}

/// The answer of the token endpoint to a bad request, as its JSON body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{error:?}: {error_description}")]
pub struct TokenError {
    /// What.
    pub error: TokenErrorCode,
    /// Which parameter and why, for the application's developer.
    pub error_description: Cow<'static, str>,
    /// Set if the address has tried too often: after so many seconds it may try again.
    #[serde(skip)]
    pub wait: Option<u64>,
}

impl TokenError {
    /// An error with a sentence for the developer.
    #[must_use]
    pub fn new(error: TokenErrorCode, error_description: impl Into<Cow<'static, str>>) -> Self {
        Self { error, error_description: error_description.into(), wait: None }
    }

    /// The answer to an address that has tried too many secrets.
    #[must_use]
    pub fn wait(seconds: u64) -> Self {
        let why = "too many wrong client secrets came from this address";
        Self { wait: Some(seconds), ..Self::new(TokenErrorCode::TemporarilyUnavailable, why) }
    }

    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(&self) -> u16 {
        if self.wait.is_some() { 429 } else { self.error.status() }
    }
}

/// Why UserInfo is refused (RFC 6750, 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BearerError {
    /// No token at all: the challenge alone, without an error (RFC 6750, 3.1).
    #[error("no access token was given")]
    Missing,
    /// Given twice, or in a way that is not accepted, such as in the query (T-54, RFC 9700 4.3.2).
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// Unknown, altered, expired or revoked.
    #[error("the access token is invalid, expired or revoked")]
    InvalidToken,
    /// Good, but narrowed to less than this needs (RFC 6750, 3.1).
    #[error("the access token does not have the scope openid")]
    InsufficientScope,
    /// The proof of possession is wrong or missing (RFC 9449, 7.1).
    #[error("{0}")]
    InvalidProof(&'static str),
    /// The proof of possession needs a nonce of ours (RFC 9449, 9).
    #[error("the proof needs the nonce that comes with this answer")]
    UseNonce,
}

impl BearerError {
    /// The HTTP status that goes with it.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest(_) => 400,
            Self::Missing | Self::InvalidToken | Self::InvalidProof(_) | Self::UseNonce => 401,
            Self::InsufficientScope => 403,
        }
    }

    /// The values of the header `WWW-Authenticate`: one for each way in which a token may come, or for the one in which it
    /// came; `dpop` says which that is (RFC 9449, 7.1).
    #[must_use]
    pub fn challenges(self, dpop: bool) -> Vec<String> {
        let algorithms = JwsAlgorithm::ALL.map(JwsAlgorithm::name).join(" ");
        let with = |scheme: &str, error: &str| format!("{scheme} error=\"{error}\", error_description=\"{self}\"");
        let own = |error: &str| {
            let bound = || format!("{}, algs=\"{algorithms}\"", with("DPoP", error));
            vec![if dpop { bound() } else { with("Bearer", error) }]
        };
        match self {
            // RFC 6750, 3: something must follow the word, and without a token that is no error.
            Self::Missing => vec!["Bearer realm=\"userinfo\"".to_owned(), format!("DPoP algs=\"{algorithms}\"")],
            Self::InvalidRequest(_) => own("invalid_request"),
            Self::InvalidToken => own("invalid_token"),
            Self::InsufficientScope => {
                let challenges = own("insufficient_scope").into_iter();
                challenges.map(|challenge| format!("{challenge}, scope=\"openid\"")).collect()
            }
            Self::InvalidProof(_) => vec![format!("{}, algs=\"{algorithms}\"", with("DPoP", "invalid_dpop_proof"))],
            Self::UseNonce => vec![format!("{}, algs=\"{algorithms}\"", with("DPoP", "use_dpop_nonce"))],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_their_status_and_their_words_rfc_6749_rfc_6750() {
        let error = TokenError::new(TokenErrorCode::InvalidClient, "why");
        assert_eq!(
            serde_json::to_string(&error).expect("JSON"),
            r#"{"error":"invalid_client","error_description":"why"}"#
        );
        assert_eq!((error.status(), TokenError::wait(7).status()), (401, 429));
        assert_eq!(TokenErrorCode::InvalidGrant.status(), 400);
        let error = TokenError::new(TokenErrorCode::TooLong, "why");
        let body = serde_json::to_string(&error).expect("JSON");
        assert_eq!((error.status(), body.contains("\"invalid_request\"")), (413, true), "RFC 9126, 2.3: {body}");
        let bare = BearerError::Missing.challenges(false);
        assert_eq!(bare.first().map(String::as_str), Some("Bearer realm=\"userinfo\""), "RFC 6750, 3");
        assert!(BearerError::InvalidToken.challenges(false).concat().starts_with("Bearer error=\"invalid_token\""));
        assert!(BearerError::InvalidToken.challenges(true).concat().starts_with("DPoP error=\"invalid_token\""));
    }
}
