//! Files that other systems write and read: key containers of tokens (PSKC, RFC 6030) and tables (CSV).
//!
//! What is read here is checked record by record, and nothing is stored: whoever reads a file gets each record, or the
//! reason why it is none. Use cases store what is good.

pub mod csv;
pub mod oath_csv;
pub mod people;
pub mod picture;
pub mod pskc;
pub mod token;

use std::fmt;

/// Where a record stands in its file, for people to find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// The line, from 1.
    Line(u64),
    /// The number of the record, from 1.
    Record(usize),
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Record(number) => write!(f, "record {number}"),
        }
    }
}

/// A record that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Where it stands.
    pub spot: Spot,
    /// How it names itself: a serial number or a user name; empty if it does not.
    pub name: String,
    /// Why, as the end of a sentence. No secret stands in it.
    pub reason: String,
}

impl Rejected {
    /// The record at `spot` that calls itself `name`. What is shown of the name is short and has no control characters.
    #[must_use]
    pub fn new(spot: Spot, name: &str, reason: impl Into<String>) -> Self {
        let name = name.trim().chars().filter(|c| !c.is_control()).take(64).collect();
        Self { spot, name, reason: reason.into() }
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            write!(f, "{}: {}", self.spot, self.reason)
        } else {
            write!(f, "{} ({}): {}", self.spot, self.name, self.reason)
        }
    }
}

/// A record, or why it is none.
pub type Read<T> = std::result::Result<T, Rejected>;

/// Why a file as a whole cannot be read; then nothing of it is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);
