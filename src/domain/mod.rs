//! Floor 0: the rules. Pure: no HTTP, no SQL, no mail; time and randomness are arguments.

pub mod activation;
pub mod authenticator;
pub mod ids;
pub mod oath;
pub mod oidc_client;
pub mod redirect_uri;
pub mod release;
pub mod secret;
pub mod signing_key;
pub mod timestamp;
