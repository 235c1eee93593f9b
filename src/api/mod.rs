//! The doors that programs come through: the device API and the management API.

pub mod authenticator;
pub mod management;

use actix_web::web;

/// Registers the routes below `/t/{tenant}`.
pub fn configure(config: &mut web::ServiceConfig) {
    authenticator::configure(config);
    management::configure(config);
}
