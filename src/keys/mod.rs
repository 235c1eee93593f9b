//! Keys: those that sign for a tenant, those that seal secrets at rest, and password hashes.

mod argon2id;
pub mod certificate;
mod der;
pub mod derived;
pub mod jose;
pub mod password;
pub mod ring;
pub mod sealing;
pub mod signing;
pub mod webhook;
pub mod x509;
