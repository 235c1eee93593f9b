//! The OpenID Connect door: what relying parties and their browsers ask, and what they are answered.
//!
//! Owns the protocol: requests are parsed and checked here, codes and tokens are made here. It does
//! not know how a person logs in; it begins a login, and is asked for the answer when that is granted.

pub mod access_token;
pub mod acr;
pub mod answer;
pub mod claims;
pub mod error;
pub mod id_token;
pub mod metadata;
pub mod parameters;
pub mod request;
pub mod token_request;
