//! Keys: those that sign for a tenant, those that seal secrets at rest, and password hashes.

pub mod certificate;
pub mod derived;
pub mod password;
pub mod ring;
pub mod sealing;
pub mod signing;
