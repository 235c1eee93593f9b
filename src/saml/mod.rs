//! The SAML 2.0 door: what service providers and their browsers ask, and what they are answered.
//!
//! What comes in is read by one strict parser; what goes out is written in canonical form from the start.
//! `verify` alone lets a library look at a foreign signature, after it has the one shape that SAML has.

pub mod context;
pub mod described;
mod door;
pub mod encrypt;
pub mod incoming;
pub mod logout;
pub mod message;
pub mod metadata;
pub mod name_id;
pub mod notices;
pub mod request;
pub mod response;
pub mod sign;
mod slo;
pub mod soap;
pub mod verify;
pub mod write;

use actix_web::web;

use crate::http::head;

/// Registers the routes below `/t/{tenant}`.
pub fn configure(config: &mut web::ServiceConfig) {
    // Fixed addresses first: whatever stands before a route is compared before it.
    let door = web::scope("/saml")
        .route("/metadata", head::readable().to(door::our_metadata))
        .route("/metadata/file", head::readable().to(door::our_metadata_as_a_file))
        .route("/sso", web::get().to(door::by_redirect))
        .route("/sso", web::post().to(door::by_form))
        .route("/slo", web::get().to(slo::by_redirect))
        .route("/slo", web::post().to(slo::by_form))
        .route("/slo/soap", web::post().to(slo::by_soap))
        .route("/start", web::get().to(door::unsolicited))
        .route("/sso/{parked}", web::get().to(door::from_form))
        .route("/slo/{parked}", web::get().to(slo::from_form))
        .route("/logout/{logout}", web::get().to(slo::goes_on))
        .route("/resume/{login}", web::get().to(door::resume))
        .route("/sso", head::refused("GET, POST"))
        .route("/slo", head::refused("GET, POST"))
        .route("/start", head::refused("GET"))
        .route("/sso/{parked}", head::refused("GET"))
        .route("/slo/{parked}", head::refused("GET"))
        .route("/logout/{logout}", head::refused("GET"))
        .route("/resume/{login}", head::refused("GET"));
    config.service(door);
}
