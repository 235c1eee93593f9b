//! Authenticators as rules: templates, PINs, life cycle.
