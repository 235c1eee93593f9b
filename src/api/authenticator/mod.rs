//! The device API, version 1: what authenticator apps call. `docs/activation-protocol.md` describes it.

mod activation;
mod problem;
mod token;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};

use crate::http::{Call, head};

/// The description of this API.
const OPENAPI: &str = include_str!("openapi.json");

/// Registers the routes below `/t/{tenant}`.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/api/authenticator/v1/openapi.json", head::readable().to(openapi))
        .route("/api/authenticator/v1/info", head::readable().to(info))
        .route("/api/authenticator/v1/activation/claim", web::post().to(activation::claim))
        .route("/api/authenticator/v1/activation/confirm", web::post().to(activation::confirm))
        .route("/api/authenticator/v1/token/pin-locked", web::post().to(token::pin_locked))
        .route("/api/authenticator/v1/token/status", web::post().to(token::status))
        .route("/api/authenticator/v1/token/removed", web::post().to(token::removed));
}

async fn openapi() -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(OPENAPI)
}

/// Who answers here, and what time it is: an app shows it before it sends anything, and warns when its own
/// clock is off.
async fn info(call: Call) -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({
        "protocol_versions": [crate::domain::activation::handshake::VERSION],
        "organization": call.realm.config.tenant.name,
        "server_time": call.visit.now.seconds(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_json_and_names_every_route() {
        let api: serde_json::Value = serde_json::from_str(OPENAPI).expect("JSON");
        let paths = api["paths"].as_object().expect("paths");
        let source = include_str!("mod.rs");
        for path in paths.keys() {
            assert!(source.contains(&format!("/api/authenticator/v1{path}")), "{path}");
        }
        assert_eq!(paths.len(), source.matches(".route(\"").count(), "every route is described");
    }
}
