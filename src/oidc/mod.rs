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
pub mod refresh_token;
mod register;
pub mod request;
pub mod request_object;
mod respond;
mod revocation;
mod standing;
mod target;
mod token;
pub mod token_request;
mod userinfo;

use actix_web::http::Method;
use actix_web::{Resource, web};

use crate::http::head;

/// Registers what stands above the virtual servers: a library that knows no more than OAuth puts the well-known path
/// between the issuer's host and path (RFC 8414, 3.1).
pub fn configure_above(config: &mut web::ServiceConfig) {
    config
        .app_data(web::Data::new(documents::Documents::default()))
        .route("/.well-known/oauth-authorization-server/t/{tenant}", head::readable().to(documents::configuration));
}

/// An endpoint that applications call: pages of other sites may ask first, and other methods are told so.
fn called(path: &str) -> Resource {
    let other = web::route().to(endpoint::wrong_method);
    web::resource(path).route(web::method(Method::OPTIONS).to(endpoint::preflight)).default_service(other)
}

/// Registers the routes below `/t/{tenant}`.
pub fn configure(config: &mut web::ServiceConfig) {
    // Fixed addresses first, the busiest before the others: whatever stands before a route is compared before it.
    let door = web::scope("/oidc")
        .service(called("/token").route(web::post().to(token::post)))
        .route("/authorize", web::get().to(authorize::get))
        .service(
            web::resource("/userinfo")
                .route(web::get().to(userinfo::answer))
                .route(web::post().to(userinfo::answer))
                .route(web::method(Method::OPTIONS).to(endpoint::preflight))
                .default_service(web::route().to(endpoint::wrong_method_of_userinfo)),
        )
        .service(called("/introspect").route(web::post().to(introspection::post)))
        .route("/jwks", head::readable().to(documents::jwks))
        .route("/authorize", web::post().to(authorize::post))
        .service(called("/revoke").route(web::post().to(revocation::post)))
        .service(called("/par").route(web::post().to(par::post)))
        .route("/logout", web::get().to(logout::get))
        .route("/logout", web::post().to(logout::post))
        .route("/logout/confirm", web::post().to(logout::confirm))
        .service(called("/device_authorization").route(web::post().to(device::authorization)))
        .route("/device", head::readable().to(device::enter))
        .route("/device", web::post().to(device::typed))
        .route("/register", web::post().to(register::post))
        .route("/register/{application}", head::readable().to(register::get))
        .route("/register/{application}", web::put().to(register::put))
        .route("/register/{application}", web::delete().to(register::delete))
        .route("/resume/{login}", web::get().to(respond::resume))
        .route("/authorize/{parked}", web::get().to(authorize::parked))
        .route("/consent/{login}", web::post().to(consent::post))
        .route("/device/confirm/{login}", web::post().to(device::confirm))
        .route("/logout/{parked}", web::get().to(logout::parked))
        .route("/authorize", head::refused("GET, POST"))
        .route("/logout", head::refused("GET, POST"))
        .route("/resume/{login}", head::refused("GET"))
        .route("/authorize/{parked}", head::refused("GET"))
        .route("/logout/{parked}", head::refused("GET"));
    config.service(door).route("/.well-known/openid-configuration", head::readable().to(documents::configuration));
}
