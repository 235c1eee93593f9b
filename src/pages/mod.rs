//! The pages that people see: the login's and the user portal's.

pub mod association;
pub mod branding;
pub mod enroll;
pub mod login;
pub mod not_me;
pub mod operator;
pub mod portal;

use actix_web::web;

/// Registers every page of a virtual server, below `/t/{tenant}`.
pub fn configure(config: &mut web::ServiceConfig) {
    branding::configure(config);
    login::configure(config);
    enroll::configure(config);
    not_me::configure(config);
    operator::configure(config);
    portal::configure(config);
}
