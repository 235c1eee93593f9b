//! The doors that programs come through: the device API.

pub mod authenticator;

use actix_web::web;

/// Registers the routes below `/t/{tenant}`.
pub fn configure(config: &mut web::ServiceConfig) {
    authenticator::configure(config);
}
