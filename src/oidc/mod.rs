//! The OpenID Connect door: what relying parties and their browsers ask, and what they are answered.
//!
//! Owns the protocol: requests are parsed and checked here, codes and tokens are made here. It does
//! not know how a person logs in; it begins a login, and is asked for the answer when that is granted.

pub mod access_token;
pub mod acr;
pub mod answer;
mod authorize;
pub mod backchannel;
pub mod claims;
pub mod client;
mod code;
mod consent;
mod device;
mod documents;
mod dpop;
mod endpoint;
pub mod error;
pub mod id_token;
mod introspection;
mod logout;
pub mod metadata;
mod par;
pub mod parameters;
mod person;
pub mod refresh_token;
mod register;
pub mod request;
mod request_object;
mod respond;
mod revocation;
mod standing;
mod target;
mod token;
pub mod token_request;
mod userinfo;

use actix_web::http::Method;
use actix_web::web;

/// Registers the routes below `/t/{tenant}`.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .app_data(web::Data::new(documents::Documents::default()))
        .route("/.well-known/openid-configuration", web::get().to(documents::configuration))
        .route("/oidc/jwks", web::get().to(documents::jwks))
        .route("/oidc/authorize", web::get().to(authorize::get))
        .route("/oidc/authorize", web::post().to(authorize::post))
        .route("/oidc/authorize/{parked}", web::get().to(authorize::parked))
        .route("/oidc/consent/{login}", web::post().to(consent::post))
        .route("/oidc/resume/{login}", web::get().to(respond::resume))
        .service(
            web::resource("/oidc/token")
                .route(web::post().to(token::post))
                .route(web::method(Method::OPTIONS).to(endpoint::preflight)),
        )
        .service(
            web::resource("/oidc/revoke")
                .route(web::post().to(revocation::post))
                .route(web::method(Method::OPTIONS).to(endpoint::preflight)),
        )
        .route("/oidc/logout", web::get().to(logout::get))
        .route("/oidc/logout", web::post().to(logout::post))
        .route("/oidc/logout/confirm", web::post().to(logout::confirm))
        .route("/oidc/logout/{parked}", web::get().to(logout::parked))
        .route("/oidc/device_authorization", web::post().to(device::authorization))
        .route("/oidc/device", web::get().to(device::enter))
        .route("/oidc/device", web::post().to(device::typed))
        .route("/oidc/device/confirm/{login}", web::post().to(device::confirm))
        .route("/oidc/register", web::post().to(register::post))
        .route("/oidc/register/{application}", web::get().to(register::get))
        .route("/oidc/register/{application}", web::put().to(register::put))
        .route("/oidc/register/{application}", web::delete().to(register::delete))
        .route("/oidc/par", web::post().to(par::post))
        .route("/oidc/introspect", web::post().to(introspection::post))
        .service(
            web::resource("/oidc/userinfo")
                .route(web::get().to(userinfo::answer))
                .route(web::post().to(userinfo::answer))
                .route(web::method(Method::OPTIONS).to(endpoint::preflight)),
        );
}
