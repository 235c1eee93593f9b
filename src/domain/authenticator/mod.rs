//! Authenticators as rules: templates, PINs, life cycle.
pub mod pin;
pub mod template;
