//! Faults: why a request cannot be answered as asked, as a page that says what happened and what to do.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};

use crate::flow;

/// Why a request cannot be answered as asked. The middleware in [`super::headers`] turns it into a page in
/// the person's language, with the correlation identifier that the log has.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// There is nothing at this address.
    #[error("there is nothing at this address")]
    NotFound,
    /// The virtual server is switched off.
    #[error("the virtual server is switched off")]
    Closed,
    /// The address knows other methods.
    #[error("the method is not allowed here")]
    MethodNotAllowed,
    /// The request's `Host` is not ours (T-25).
    #[error("the request is for another host")]
    WrongHost,
    /// The body is longer than this address reads.
    #[error("the request is too long")]
    TooLarge,
    /// The body is not a form.
    #[error("the body is not a form")]
    NotAForm,
    /// A form that was not made by a page of ours (T-18).
    #[error("the form is not one of ours")]
    Forged,
    /// The login is not known in this browser: another browser's, too old, or cookies are off (T-08).
    #[error("the login is not known in this browser")]
    NotThisBrowser,
    /// The application's request was used before: it is answered once (R-500, T-34).
    #[error("the application's request was used before")]
    Used,
    /// The person may not do this (AC-04, AC-22).
    #[error("not allowed")]
    Forbidden,
    /// Too many attempts from this address.
    #[error("too many attempts; again in {seconds} seconds")]
    TooMany {
        /// When to try again.
        seconds: u64,
    },
    /// The machine is at its limit; it will have room in a moment (T-68).
    #[error("too busy")]
    Busy,
    /// A fault that a door has its own words for: a status and the key of its texts, `<key>-title` and `<key>-text`.
    #[error("{status}: {key}")]
    Shown {
        /// The status.
        status: StatusCode,
        /// The key.
        key: &'static str,
    },
    /// Our own fault; the log has the reason and the page does not.
    #[error("internal: {0}")]
    Internal(String),
}

impl Fault {
    /// A fault that a door has its own words for, shown with status 400.
    #[must_use]
    pub const fn shown(key: &'static str) -> Self {
        Self::Shown { status: StatusCode::BAD_REQUEST, key }
    }

    /// The key of its texts.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::NotFound => "error-not-found",
            Self::Closed => "error-closed",
            Self::MethodNotAllowed => "error-method",
            Self::WrongHost => "error-host",
            Self::TooLarge => "error-too-large",
            Self::NotAForm => "error-not-a-form",
            Self::Forged => "error-forged",
            Self::NotThisBrowser => "error-browser",
            Self::Used => "error-used",
            Self::Forbidden => "error-forbidden",
            Self::TooMany { .. } => "error-too-many",
            Self::Busy => "error-busy",
            Self::Shown { key, .. } => key,
            Self::Internal(_) => "error-internal",
        }
    }

    /// The fault behind a bare status, such as one of the framework's own.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        match status.as_u16() {
            403 => Self::Forbidden,
            404 => Self::NotFound,
            405 => Self::MethodNotAllowed,
            408 | 503 => Self::Busy,
            413 => Self::TooLarge,
            415 => Self::NotAForm,
            421 => Self::WrongHost,
            429 => Self::TooMany { seconds: 60 },
            400..=499 => Self::Shown { status, key: "error-request" },
            _ => Self::Internal(format!("status {status}")),
        }
    }
}

impl From<flow::Error> for Fault {
    fn from(error: flow::Error) -> Self {
        match error {
            flow::Error::Busy => Self::Busy,
            // The desk shows the right page; a door that has a desk handles this before it comes here.
            flow::Error::NotThisBrowser | flow::Error::WrongMoment => Self::NotThisBrowser,
            flow::Error::Used => Self::Used,
            flow::Error::Forbidden => Self::Forbidden,
            flow::Error::Storage(error) if error.is_away() => {
                // The page says that it is busy, and that is all that the log would have.
                tracing::error!(%error, "the database cannot be reached");
                Self::Busy
            }
            flow::Error::Storage(error) if error.is_passing() => Self::Busy,
            error => Self::Internal(error.to_string()),
        }
    }
}

impl From<crate::storage::Error> for Fault {
    fn from(error: crate::storage::Error) -> Self {
        flow::Error::from(error).into()
    }
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Closed | Self::Forged | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotAForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotThisBrowser | Self::Used => StatusCode::BAD_REQUEST,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Shown { status, .. } => *status,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::Busy => response.insert_header((RETRY_AFTER, "5")),
            Self::TooMany { seconds } => response.insert_header((RETRY_AFTER, seconds.to_string())),
            _ => &mut response,
        };
        response.insert_header((CONTENT_TYPE, "text/plain; charset=utf-8")).body("")
    }
}
