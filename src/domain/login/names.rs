//! What people may type to say who they are.

use serde::{Deserialize, Serialize};

/// By what an account is found at the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoginNames {
    /// By its user name.
    pub username: bool,
    /// By its alias.
    pub alias: bool,
    /// By its mail address, where no other account has the same.
    pub email: bool,
}

impl Default for LoginNames {
    fn default() -> Self {
        Self { username: true, alias: false, email: false }
    }
}

impl LoginNames {
    /// What cannot be.
    #[must_use]
    pub fn faults(self) -> Vec<(&'static str, &'static str)> {
        if self.username || self.alias || self.email {
            Vec::new()
        } else {
            vec![("username", "must be on where nothing else is taken: nobody could log in")]
        }
    }

    /// What is allowed and unwise.
    #[must_use]
    pub fn warnings(self) -> Vec<(&'static str, &'static str)> {
        if self.username {
            Vec::new()
        } else {
            vec![(
                "username",
                "is off: an account that has nothing else that is taken, or a mail address that is another account's as well, cannot \
                 log in",
            )]
        }
    }

    /// Whether an account can have more than one of the names that are taken.
    #[must_use]
    pub const fn several(self) -> bool {
        matches!((self.username, self.alias, self.email), (true, true, _) | (true, _, true) | (_, true, true))
    }

    /// The key of the text that names what may be typed.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match (self.username, self.alias, self.email) {
            (_, false, false) => "username-label",
            (true, true, false) => "username-label-alias",
            (true, false, true) => "username-label-email",
            (true, true, true) => "username-label-any",
            (false, true, false) => "username-label-only-alias",
            (false, false, true) => "username-label-only-email",
            (false, true, true) => "username-label-alias-email",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// unless somebody says otherwise the user name is taken and nothing else, and there is always something.
    #[test]
    fn something_is_always_taken() {
        let plain = LoginNames::default();
        assert_eq!((plain.username, plain.alias, plain.email, plain.label()), (true, false, false, "username-label"));
        assert!(plain.faults().is_empty() && plain.warnings().is_empty() && !plain.several());
        let nothing = LoginNames { username: false, ..plain };
        assert_eq!(nothing.faults().first().map(|(key, _)| *key), Some("username"));
        let email = LoginNames { email: true, ..nothing };
        assert!(email.faults().is_empty() && !email.several());
        assert!(LoginNames { alias: true, ..plain }.several() && LoginNames { alias: true, ..email }.several());
        assert_eq!(email.warnings().first().map(|(key, _)| *key), Some("username"));
        let of_before: LoginNames = serde_json::from_str("{}").expect("settings");
        assert_eq!(of_before, plain);
    }
}
