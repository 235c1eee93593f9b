//! The pages of a login. The desk shows what is lacking; every form is answered "see the desk".

mod activation;
mod addition;
mod challenge;
mod desk;
mod email;
mod events;
pub(super) mod mailed;
mod new_pin;
mod offer;
mod password;
mod platform;
pub mod recovery;
mod refused;
mod second_factor;
mod username;
pub(super) mod view;

use actix_web::web;

use crate::http::head;

pub(super) use view::words;

/// Registers the routes below `/t/{tenant}`.
pub fn configure(config: &mut web::ServiceConfig) {
    // One place that is looked for before its parts, so that a request for something else passes by at once.
    let of_login = web::scope("/login/{login}")
        .route("", web::get().to(desk::show))
        .route("/events", web::get().to(events::stream))
        .route("/username", web::post().to(username::post))
        .route("/forget-user", web::post().to(username::forget))
        .route("/password", web::post().to(password::post))
        .route("/switch-user", web::post().to(username::switch))
        .route("/passcode", web::post().to(second_factor::post))
        .route("/new-pin", web::post().to(new_pin::post))
        .route("/response", web::post().to(challenge::post))
        .route("/new-challenge", web::post().to(challenge::renew))
        .route("/add-authenticator", web::post().to(offer::post))
        .route("/later", web::post().to(addition::later))
        .route("/code", web::post().to(email::post))
        .route("/resend-code", web::post().to(email::resend))
        .route("/platform", web::post().to(platform::post))
        .route("/change-platform", web::post().to(platform::change))
        .route("/installed", web::post().to(activation::installed))
        .route("/renew", web::post().to(activation::renew))
        .route("/recovery-code", web::post().to(recovery::post))
        .route("/codes-kept", web::post().to(recovery::kept))
        .route("/recovery-codes.txt", web::get().to(recovery::file))
        .route("/extend", web::post().to(desk::extend))
        .route("/cancel", web::post().to(desk::cancel))
        .route("", head::refused("GET"))
        .route("/events", head::refused("GET"))
        .route("/recovery-codes.txt", head::refused("GET"));
    config.service(of_login).route("/activate", head::readable().to(activation::opened));
}
