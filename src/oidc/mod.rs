//! The OpenID Connect door: what relying parties and their browsers ask, and what they are answered.
//!
//! Owns the protocol: requests are parsed and checked here, codes and tokens are made here. It does
//! not know how a person logs in; it begins a login, and is asked for the answer when that is granted.

pub mod access_token;
pub mod acr;
pub mod answer;
mod authorize;
pub mod claims;
mod code;
mod documents;
pub mod error;
pub mod id_token;
pub mod metadata;
pub mod parameters;
mod person;
pub mod request;
mod respond;
mod token;
pub mod token_request;
mod userinfo;

use actix_web::web;

/// Registers the routes below `/t/{tenant}`.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .app_data(web::Data::new(documents::Documents::default()))
        .route("/.well-known/openid-configuration", web::get().to(documents::configuration))
        .route("/oidc/jwks", web::get().to(documents::jwks))
        .route("/oidc/authorize", web::get().to(authorize::get))
        .route("/oidc/authorize", web::post().to(authorize::post))
        .route("/oidc/resume/{login}", web::get().to(respond::resume))
        .service(
            web::resource("/oidc/token")
                .route(web::post().to(token::post))
                .route(web::method(actix_web::http::Method::OPTIONS).to(token::preflight)),
        )
        .service(
            web::resource("/oidc/userinfo")
                .route(web::get().to(userinfo::answer))
                .route(web::post().to(userinfo::answer))
                .route(web::method(actix_web::http::Method::OPTIONS).to(token::preflight)),
        );
}
