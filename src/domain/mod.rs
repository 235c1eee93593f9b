//! Floor 0: the rules. Pure: no HTTP, no SQL, no mail; time and randomness are arguments.

pub mod activation;
pub mod authenticator;
pub mod ids;
pub mod oath;
pub mod secret;
pub mod timestamp;
