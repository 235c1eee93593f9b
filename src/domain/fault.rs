//! What is wrong with something that an operator typed, and where: shown beside the field of a form, after the key of a
//! file, and as a member of an answer of the management API.

use std::fmt;

use serde::Serialize;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The key, as an apply file writes it: `require`, `scenario[0].name`.
    pub key: String,
    /// What is wrong with it, as the end of a sentence that begins with the key.
    pub words: String,
}

impl Fault {
    /// This is wrong there.
    #[must_use]
    pub fn new(key: impl Into<String>, words: impl Into<String>) -> Self {
        Self { key: key.into(), words: words.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.key, self.words)
    }
}

/// The faults that were found so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Adds one.
    pub fn add(&mut self, key: impl Into<String>, words: impl Into<String>) {
        self.0.push(Fault::new(key, words));
    }

    /// Adds those of a part, whose keys begin with `place`.
    pub fn add_all(&mut self, place: &str, faults: impl IntoIterator<Item = Fault>) {
        self.0.extend(faults.into_iter().map(|fault| Fault { key: format!("{place}.{}", fault.key), ..fault }));
    }
}
