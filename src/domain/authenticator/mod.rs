//! Authenticators as rules: templates, PINs, life cycle.
pub mod template;
