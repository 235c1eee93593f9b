//! `HEAD` (RFC 9110, 9.3.2): documents answer it as they answer `GET`, and where a `GET` begins something it does nothing.

use std::future::ready;

use actix_web::http::header::ALLOW;
use actix_web::{HttpResponse, Route, guard, web};

/// The route of what can be read without changing anything: whoever asks by `HEAD` gets what `GET` answers, without the body,
/// which the server leaves out.
#[must_use]
pub fn readable() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// The route for `HEAD` where a `GET` begins something, uses it up or wants a login: none of that happens. `allowed` are the
/// methods that are answered there.
#[must_use]
pub fn refused(allowed: &'static str) -> Route {
    web::head().to(move || ready(HttpResponse::MethodNotAllowed().insert_header((ALLOW, allowed)).finish()))
}
