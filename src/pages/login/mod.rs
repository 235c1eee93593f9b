//! The pages of a login. The desk shows what is lacking; every form is answered "see the desk".

mod activation;
mod desk;
mod email;
mod events;
mod offer;
mod password;
mod platform;
mod refused;
mod second_factor;
mod username;
mod view;

use actix_web::web;

/// Registers the routes below `/t/{tenant}`.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/login/{login}", web::get().to(desk::show))
        .route("/login/{login}/events", web::get().to(events::stream))
        .route("/login/{login}/username", web::post().to(username::post))
        .route("/login/{login}/forget-user", web::post().to(username::forget))
        .route("/login/{login}/password", web::post().to(password::post))
        .route("/login/{login}/switch-user", web::post().to(username::switch))
        .route("/login/{login}/passcode", web::post().to(second_factor::post))
        .route("/login/{login}/add-authenticator", web::post().to(offer::post))
        .route("/login/{login}/code", web::post().to(email::post))
        .route("/login/{login}/resend-code", web::post().to(email::resend))
        .route("/login/{login}/platform", web::post().to(platform::post))
        .route("/login/{login}/change-platform", web::post().to(platform::change))
        .route("/login/{login}/installed", web::post().to(activation::installed))
        .route("/login/{login}/renew", web::post().to(activation::renew))
        .route("/login/{login}/extend", web::post().to(desk::extend))
        .route("/login/{login}/cancel", web::post().to(desk::cancel))
        .route("/activate", web::get().to(activation::opened));
}
