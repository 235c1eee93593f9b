//! Refusals as problem documents (RFC 9457), each with a code that apps and their documentation know.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;

use crate::flow::activation::Refused;
use crate::flow::app_calls;

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
        Refused::TemplateChanged => (409, "act.template_changed"),
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

/// The answer to a call of an authenticator that is refused.
pub(super) fn refused_call(refused: app_calls::Refused) -> HttpResponse {
    let (status, code) = match refused {
        app_calls::Refused::Denied => (403, "call.denied"),
        app_calls::Refused::Counter { last } => {
            // Whoever is told this has shown the key.
            let more = serde_json::json!({ "last_counter": last });
            return with(409, "call.counter", &refused.to_string(), more);
        }
        app_calls::Refused::TooMany => (429, "call.too_many"),
        app_calls::Refused::Overtaken => (503, "call.again"),
    };
    problem(status, code, &refused.to_string())
}

/// The answer to a call that cannot be read.
pub(super) fn bad_call(why: &str) -> HttpResponse {
    problem(400, "call.malformed", why)
}

fn problem(status: u16, code: &str, title: &str) -> HttpResponse {
    with(status, code, title, serde_json::json!({}))
}

fn with(status: u16, code: &str, title: &str, more: serde_json::Value) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    let mut body =
        serde_json::json!({ "type": "about:blank", "status": status.as_u16(), "code": code, "title": title });
    if let (Some(body), serde_json::Value::Object(more)) = (body.as_object_mut(), more) {
        body.extend(more);
    }
    let mut response = HttpResponse::build(status);
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.insert_header(("retry-after", "600"));
    }
    response.insert_header((CONTENT_TYPE, "application/problem+json")).body(body.to_string())
}
