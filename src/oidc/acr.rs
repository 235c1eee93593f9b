//! Levels of authentication in the protocol's words: `acr` and `amr`.
//!
//! Two levels exist: a password, or a password and a one-time passcode. An `acr` is only ever claimed
//! when the evidence for it is there; the mailed code of an enrollment is not a factor.

use serde::{Deserialize, Serialize};

/// How surely the person is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// One factor: a password, or a passcode alone where a policy asks for nothing else.
    Single,
    /// Password and one-time passcode.
    MultiFactor,
}

/// The `acr` of one factor.
pub const SINGLE: &str = "urn:vestibule:acr:password";
/// The `acr` of password and one-time passcode.
pub const MULTI_FACTOR: &str = "urn:vestibule:acr:mfa";
/// The name that research and education use for the same.
pub const REFEDS_MULTI_FACTOR: &str = "https://refeds.org/profile/mfa";

/// Every value that is announced, the strongest first.
pub const ALL: [&str; 3] = [MULTI_FACTOR, REFEDS_MULTI_FACTOR, SINGLE];

/// The level that an `acr` stands for; `None` if it is none of ours.
#[must_use]
pub fn level_of(acr: &str) -> Option<Level> {
    match acr {
        SINGLE => Some(Level::Single),
        MULTI_FACTOR | REFEDS_MULTI_FACTOR => Some(Level::MultiFactor),
        _ => None,
    }
}

/// What is claimed: the first wanted value that was really reached, else our own name of what was
/// reached. Never more than was proven, whatever was wanted.
#[must_use]
pub fn claimed(wanted: &[String], reached: Level) -> &str {
    let own = match reached {
        Level::Single => SINGLE,
        Level::MultiFactor => MULTI_FACTOR,
    };
    wanted.iter().map(String::as_str).find(|acr| level_of(acr).is_some_and(|level| level <= reached)).unwrap_or(own)
}

/// The `amr` of a recovery code or a temporary code of the help desk; RFC 8176 has no name for it. It is never told to be a
/// passcode, and raises no `acr`.
pub const RECOVERY: &str = "urn:vestibule:amr:recovery";

/// What was done, in the words of RFC 8176.
#[must_use]
pub fn methods(password: bool, passcode: bool, recovery: bool) -> Vec<&'static str> {
    let mut amr = Vec::with_capacity(3);
    if password {
        amr.push("pwd");
    }
    if passcode {
        amr.push("otp");
    }
    if recovery {
        amr.push(RECOVERY);
    }
    if password && passcode {
        amr.push("mfa");
    }
    amr
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_level_is_claimed_that_was_not_reached_idt_09() {
        let wanted = |list: &[&str]| list.iter().map(|acr| (*acr).to_owned()).collect::<Vec<_>>();
        for (list, reached, acr) in [
            (&[][..], Level::Single, SINGLE),
            (&[], Level::MultiFactor, MULTI_FACTOR),
            (&["urn:conf:impossible"], Level::MultiFactor, MULTI_FACTOR),
            (&[MULTI_FACTOR], Level::Single, SINGLE),
            (&[REFEDS_MULTI_FACTOR, MULTI_FACTOR], Level::MultiFactor, REFEDS_MULTI_FACTOR),
            (&["x", SINGLE], Level::MultiFactor, SINGLE),
        ] {
            assert_eq!(claimed(&wanted(list), reached), acr, "{list:?} {reached:?}");
        }
        assert_eq!(methods(true, true, false), ["pwd", "otp", "mfa"]);
        assert_eq!(methods(true, false, false), ["pwd"]);
        assert_eq!(methods(true, false, true), ["pwd", RECOVERY]);
        assert!(ALL.iter().all(|acr| level_of(acr).is_some()));
    }
}
