//! Names that people type to say who they are, and the one form in which they are compared.
//!
//! Databases disagree about what is equal: MariaDB's default collation folds accents, trailing blanks
//! and a dotless i, SQLite folds nothing (security.md finding 9). So equality is decided here, once,
//! and both engines compare octets of the result.

use std::collections::HashMap;

use unicode_normalization::UnicodeNormalization;

use super::fault::Faults;

/// The form in which user names, group names and application names are compared: NFKC, trimmed,
/// lower case. `JULIAN@cure53.de` equals `julian@cure53.de`; `julian@cüre53.de` does not (AC-08).
#[must_use]
pub fn key_of(name: &str) -> String {
    name.trim().nfkc().collect::<String>().to_lowercase().nfkc().collect()
}

/// Why a text cannot be a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAName {
    /// Nothing but white space.
    #[error("is empty")]
    Empty,
    /// Longer than the column holds.
    #[error("has more than {0} characters")]
    TooLong(usize),
    /// Its [`key_of`] is longer than the column holds: some characters are written as many there.
    #[error("has characters that stand for more than {0}")]
    Expands(usize),
    /// Control characters could forge log lines or mail headers (T-26, T-61).
    #[error("has a control character")]
    ControlCharacter,
}

/// Checks a user name, group name or application name: 1 to 200 characters, as typed and as compared, no control characters.
///
/// # Errors
/// What is wrong with it, as the end of a sentence that begins with the key.
pub fn checked(name: &str) -> Result<&str, NotAName> {
    const MOST: usize = 200;
    let name = name.trim();
    if name.is_empty() {
        return Err(NotAName::Empty);
    }
    if name.chars().count() > MOST {
        return Err(NotAName::TooLong(MOST));
    }
    if key_of(name).chars().count() > MOST {
        return Err(NotAName::Expands(MOST));
    }
    if name.chars().any(char::is_control) {
        return Err(NotAName::ControlCharacter);
    }
    Ok(name)
}

/// Names of one kind and what they stand for, compared by [`key_of`].
#[derive(Debug, Clone)]
pub struct Names<T> {
    known: HashMap<String, T>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { known: HashMap::new() }
    }
}

impl<T: Copy + PartialEq> Names<T> {
    /// Adds a name.
    pub fn add(&mut self, name: &str, id: T) {
        self.known.insert(key_of(name), id);
    }

    /// Forgets a name.
    pub fn remove(&mut self, name: &str) {
        self.known.remove(&key_of(name));
    }

    /// What a name stands for.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<T> {
        self.known.get(&key_of(name)).copied()
    }

    /// What each of `names` stands for; a name that is not known is a fault at `key`.
    pub fn find_all(&self, faults: &mut Faults, key: &str, kind: &str, names: &[String]) -> Vec<T> {
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            match self.find(name) {
                Some(id) if !found.contains(&id) => found.push(id),
                Some(_) => faults.add(key, format!("names \"{name}\" twice")),
                None => faults.add(key, format!("there is no {kind} \"{name}\"")),
            }
        }
        found
    }
}

impl<'a, T: Copy + PartialEq> FromIterator<(&'a str, T)> for Names<T> {
    fn from_iter<I: IntoIterator<Item = (&'a str, T)>>(names: I) -> Self {
        let mut all = Self::default();
        for (name, id) in names {
            all.add(name, id);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// AC-08.
    #[test]
    fn case_is_folded_and_accents_are_not() {
        let julian = key_of("julian@cure53.de");
        for same in ["JULIAN@cure53.de", " julian@cure53.de ", "ｊulian@cure53.de", "\u{212a}" /* Kelvin sign */] {
            if same == "\u{212a}" {
                assert_eq!(key_of(same), "k");
            } else {
                assert_eq!(key_of(same), julian, "{same}");
            }
        }
        for other in ["julian@cüre53.de", "julıan@cure53.de", "julian@cure53.de.", "julian@ cure53.de"] {
            assert_ne!(key_of(other), julian, "{other}");
        }
        assert_ne!(key_of("straße"), key_of("strasse"));
    }

    /// a name that would not fit into the column in which names are compared is none.
    #[test]
    fn what_is_compared_is_no_longer_than_the_column() {
        let honorific = "\u{fdfa}";
        assert_eq!(key_of(honorific).chars().count(), 18);
        assert_eq!(checked(&honorific.repeat(12)), Err(NotAName::Expands(200)));
        assert!(checked(&honorific.repeat(11)).is_ok());
    }

    /// T-26.
    #[test]
    fn control_characters_are_no_names() {
        assert_eq!(checked("ada\r\nBcc: x"), Err(NotAName::ControlCharacter));
        assert_eq!(checked("  "), Err(NotAName::Empty));
        assert_eq!(checked(&"a".repeat(201)), Err(NotAName::TooLong(200)));
        assert_eq!(checked(" ada "), Ok("ada"));
    }
}
