//! Authenticators as rules: templates, PINs, life cycle.
pub mod kinds;
pub mod lifecycle;
pub mod pin;
pub mod rules;
pub mod server_pin;
pub mod standing;
pub mod template;
