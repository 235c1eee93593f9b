//! Refusals as problem documents (RFC 9457), each with a stable code.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;

use crate::domain::operator::{Deed, Module, Permission, Refused};
use crate::flow;
use crate::http::Fault;
use crate::http::headers::PROBLEM;
use crate::storage;

/// What is wrong with one value of a request.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct FieldProblem {
    /// The place of the value, such as `settings.length`.
    pub field: String,
    /// What is wrong, and what is allowed.
    pub message: String,
}

/// Why a request is not carried out (RFC 9457).
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Problem")]
pub struct Document {
    /// Always `about:blank`: the status and the code say what kind it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// What happened, in English.
    title: String,
    /// The status of the answer.
    status: u16,
    /// A stable code.
    code: &'static str,
    /// What is wrong with which value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    errors: Vec<FieldProblem>,
}

/// A refusal.
#[derive(Debug)]
pub struct Problem {
    document: Box<Document>,
    header: Option<(HeaderName, &'static str)>,
}

impl Problem {
    /// A refusal with this status and stable code.
    #[must_use]
    pub fn new(status: u16, code: &'static str, title: impl Into<String>) -> Self {
        let document = Document { kind: "about:blank", title: title.into(), status, code, errors: Vec::new() };
        Self { document: Box::new(document), header: None }
    }

    /// There is no such thing, or it is another virtual server's: both look the same.
    #[must_use]
    pub fn not_found() -> Self {
        Self::new(404, "not_found", "there is none with this identifier here")
    }

    /// The role of the key does not permit it.
    #[must_use]
    pub fn not_permitted(permission: Permission) -> Self {
        let (module, deed) = (permission.module.title(), permission.deed.title());
        Self::new(403, "key.not_permitted", format!("the role of this key does not permit it: {module}, {deed}"))
    }

    /// Values that cannot be stored.
    #[must_use]
    pub fn invalid(errors: Vec<FieldProblem>) -> Self {
        let mut problem = Self::new(422, "invalid", "some values cannot be stored");
        problem.document.errors = errors;
        problem
    }

    /// One value that cannot be stored.
    #[must_use]
    pub fn field(field: &str, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldProblem { field: field.to_owned(), message: message.into() }])
    }

    /// Somebody else changed it meanwhile.
    #[must_use]
    pub fn changed_meanwhile() -> Self {
        Self::new(412, "changed_meanwhile", "somebody changed it meanwhile: read it again, then change it")
    }

    /// With what is wrong with which value, or what stands against it.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<FieldProblem>) -> Self {
        self.document.errors = errors;
        self
    }

    /// With a header.
    #[must_use]
    pub fn with_header(self, name: HeaderName, value: &'static str) -> Self {
        Self { header: Some((name, value)), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.document.status, self.document.code, self.document.title)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.document.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code()).json(&self.document);
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        if let Some((name, value)) = &self.header {
            headers.insert(name.clone(), HeaderValue::from_static(value));
        }
        answer
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let (status, code) = match &fault {
            Fault::NotFound => return Self::not_found(),
            Fault::Forbidden => (403, "forbidden"),
            Fault::Busy => return Self::new(503, "busy", fault.to_string()).with_header(RETRY_AFTER, "5"),
            Fault::TooLarge => (413, "too_large"),
            _ => (500, "internal"),
        };
        if status == 500 {
            // The reason is for the log, not for a stranger (T-75).
            tracing::error!(reason = %fault, "a call of the management API failed");
            return Self::new(status, code, "the server could not answer");
        }
        Self::new(status, code, fault.to_string())
    }
}

impl From<flow::Error> for Problem {
    fn from(error: flow::Error) -> Self {
        Fault::from(error).into()
    }
}

impl From<storage::Error> for Problem {
    fn from(error: storage::Error) -> Self {
        match error {
            storage::Error::Contended => Self::changed_meanwhile(),
            error => flow::Error::from(error).into(),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let (status, code) = match refused {
            Refused::BeyondOwn => (403, "operator.beyond_own"),
            Refused::MayNotAdd => return Self::not_permitted(Module::Operators.needs(Deed::Add)),
            Refused::LastOperator => (409, "operator.last"),
            Refused::BuiltIn => (409, "role.built_in"),
            Refused::InUse => (409, "role.in_use"),
            Refused::NameTaken => (409, "role.name_taken"),
            Refused::Overtaken => return Self::changed_meanwhile(),
            Refused::Unknown => return Self::not_found(),
        };
        Self::new(status, code, refused.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T-68: a program that is sent away because the machine or the database is busy is told when to come again.
    #[test]
    fn who_is_sent_away_is_told_when_to_come_again() {
        let answer = Problem::from(Fault::Busy).error_response();
        let again = answer.headers().get(RETRY_AFTER).map(HeaderValue::as_bytes);
        assert_eq!((answer.status().as_u16(), again), (503, Some(b"5".as_slice())));
    }
}
