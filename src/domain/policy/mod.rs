//! Policies: pure decisions, each with a trace that explains it to an operator.

pub mod access;
pub mod draft;
pub mod platform;
pub mod provisioning;
pub mod rollout;
pub mod staging;
pub mod test_case;
