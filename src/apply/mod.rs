//! Virtual servers as code: reads apply files, shows what differs from what is there, and makes it so.
//!
//! [`file`](mod@file) is what operators type; [`plan`](mod@plan) checks it against what is there and lists the changes;
//! [`run`] carries them out in one transaction for each virtual server; [`export`] writes such a file.

pub(crate) mod applications;
mod change;
mod current;
pub mod export;
pub mod file;
mod messages;
mod operators;
mod people;
pub mod plan;
mod policies;
mod rules;
pub mod run;
mod settings;
mod test_cases;
mod waves;
