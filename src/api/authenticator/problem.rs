//! Refusals as problem documents (RFC 9457), each with a code that apps and their documentation know.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;

use crate::flow::activation::Refused;

/// The answer to a device that is refused.
pub(super) fn refused(refused: Refused) -> HttpResponse {
    let (status, code) = match refused {
        Refused::Unknown => (404, "act.unknown"),
        Refused::Expired => (410, "act.expired"),
        Refused::Used => (409, "act.used"),
        Refused::Locked => (423, "act.locked"),
        Refused::Secret => (403, "act.secret"),
        Refused::NotEntitled => (403, "act.not_entitled"),
        Refused::Platform => (403, "act.platform"),
        Refused::OldSystem => (403, "act.os_old"),
        Refused::Confirm => (403, "act.confirm_failed"),
        Refused::Malformed => (400, "act.malformed"),
        Refused::TooMany => (429, "act.too_many"),
    };
    problem(status, code, &refused.to_string())
}

/// The answer to a body that cannot be read.
pub(super) fn malformed(why: &str) -> HttpResponse {
    problem(400, "act.malformed", why)
}

/// The answer to an app that speaks another version.
pub(super) fn version() -> HttpResponse {
    problem(400, "act.version", "this server speaks version 1 of the activation protocol: update the app or the server")
}

fn problem(status: u16, code: &str, title: &str) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let body = serde_json::json!({ "type": "about:blank", "status": status.as_u16(), "code": code, "title": title });
    let mut response = HttpResponse::build(status);
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.insert_header(("retry-after", "600"));
    }
    response.insert_header((CONTENT_TYPE, "application/problem+json")).body(body.to_string())
}
