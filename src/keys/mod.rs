//! Keys: those that sign for a tenant, those that seal secrets at rest, and password hashes.

pub mod derived;
pub mod sealing;
