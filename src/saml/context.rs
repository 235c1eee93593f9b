//! Authentication contexts: what was done, in SAML's words.

/// Password over TLS.
pub const PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";
/// Password and one-time passcode.
pub const MULTI_FACTOR: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract";
/// The same, as research and education name it.
pub const REFEDS: &str = "https://refeds.org/profile/mfa";
/// The same, as others name it.
pub const TIME_SYNC: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:TimeSyncToken";
/// Password alone, in older requests.
const PLAIN_PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password";
/// As you like.
const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified";

/// Whether a class means more than one factor; `None` if we do not know it.
#[must_use]
pub fn level_of(class: &str) -> Option<bool> {
    match class {
        MULTI_FACTOR | REFEDS | TIME_SYNC => Some(true),
        PASSWORD | PLAIN_PASSWORD | UNSPECIFIED => Some(false),
        _ => None,
    }
}

/// What is claimed: the first wanted class that was reached, else our own name of what was reached. Never more
/// than was proven (T-43).
#[must_use]
pub fn claimed(wanted: &[String], multi: bool) -> &str {
    let reached = |class: &&str| level_of(class).is_some_and(|level| multi || !level) && **class != *UNSPECIFIED;
    let own = if multi { MULTI_FACTOR } else { PASSWORD };
    wanted.iter().map(String::as_str).find(reached).unwrap_or(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn never_more_is_claimed_than_was_proven() {
        let wanted = [REFEDS.to_owned(), PASSWORD.to_owned()];
        assert_eq!(claimed(&wanted, true), REFEDS);
        assert_eq!(claimed(&wanted, false), PASSWORD);
        assert_eq!(claimed(&[], true), MULTI_FACTOR);
        assert_eq!(claimed(&[REFEDS.to_owned()], false), PASSWORD);
    }
}
