//! Authenticators as rules: templates, PINs, life cycle.
pub mod lifecycle;
pub mod pin;
pub mod server_pin;
pub mod template;
