//! Floor 0: the rules. Pure: no HTTP, no SQL, no mail; time and randomness are arguments.

pub mod activation;
pub mod application;
pub mod audit;
pub mod authenticator;
pub mod email_code;
pub mod enrollment;
pub mod group;
pub mod ids;
pub mod letter;
pub mod lockout;
pub mod login;
pub mod logout;
pub mod name;
pub mod oath;
pub mod oidc_client;
pub mod policy;
pub mod redirect_uri;
pub mod release;
pub mod resource;
pub mod secret;
pub mod service_provider;
pub mod session;
pub mod signing_key;
pub mod tenant;
pub mod timestamp;
pub mod user;
