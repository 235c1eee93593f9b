//! Levels of authentication in the protocol's words: `acr` and `amr`.
//!
//! Three levels exist: a password, a one-time passcode, or both. An `acr` is only ever claimed
//! when the evidence for it is there; the mailed code of an enrollment is not a factor.

use serde::{Deserialize, Serialize};

use crate::domain::policy::access::Method;

/// How surely the person is known, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A password. Stored with logins by the name that it had when there was no other single factor.
    #[serde(rename = "single")]
    Password,
    /// A one-time passcode alone, where a policy asks for nothing else.
    Passcode,
    /// Password and one-time passcode.
    MultiFactor,
}

impl Level {
    /// What must be proven for it.
    #[must_use]
    pub const fn needs(self) -> &'static [Method] {
        match self {
            Self::Password => &[Method::Password],
            Self::Passcode => &[Method::Otp],
            Self::MultiFactor => &[Method::Password, Method::Otp],
        }
    }

    /// Whether these proofs reach it.
    #[must_use]
    pub fn is_reached(self, password: bool, passcode: bool) -> bool {
        self.needs().iter().all(|method| match method {
            Method::Password => password,
            Method::Otp => passcode,
        })
    }
}

/// The `acr` of a password.
pub const PASSWORD: &str = "urn:vestibule:acr:password";
/// The `acr` of a one-time passcode alone.
pub const PASSCODE: &str = "urn:vestibule:acr:otp";
/// The `acr` of password and one-time passcode.
pub const MULTI_FACTOR: &str = "urn:vestibule:acr:mfa";
/// The name that research and education use for the same.
pub const REFEDS_MULTI_FACTOR: &str = "https://refeds.org/profile/mfa";
/// The `acr` of a recovery code alone, where a policy asks for a passcode and nothing else: no level at all (OIDC Core 2).
const NONE: &str = "0";

/// Every value that is announced, the strongest first.
pub const ALL: [&str; 4] = [MULTI_FACTOR, REFEDS_MULTI_FACTOR, PASSCODE, PASSWORD];

/// The level that an `acr` stands for; `None` if it is none of ours.
#[must_use]
pub fn level_of(acr: &str) -> Option<Level> {
    match acr {
        PASSWORD => Some(Level::Password),
        PASSCODE => Some(Level::Passcode),
        MULTI_FACTOR | REFEDS_MULTI_FACTOR => Some(Level::MultiFactor),
        _ => None,
    }
}

/// What is claimed of what was proven: the first wanted value that was really reached, else our own name of what was
/// reached. Never more than was proven, whatever was wanted.
#[must_use]
pub fn claimed(wanted: &[String], password: bool, passcode: bool) -> &str {
    let reached = |acr: &&str| level_of(acr).is_some_and(|level| level.is_reached(password, passcode));
    wanted.iter().map(String::as_str).chain(ALL).find(reached).unwrap_or(NONE)
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
        let (password, passcode, both) = ((true, false), (false, true), (true, true));
        for (list, (proven_password, proven_passcode), acr) in [
            (&[][..], password, PASSWORD),
            (&[], passcode, PASSCODE),
            (&[], both, MULTI_FACTOR),
            (&[], (false, false), "0"),
            (&["urn:conf:impossible"], both, MULTI_FACTOR),
            (&[MULTI_FACTOR], password, PASSWORD),
            (&[PASSWORD], passcode, PASSCODE),
            (&[PASSCODE], password, PASSWORD),
            (&[REFEDS_MULTI_FACTOR, MULTI_FACTOR], both, REFEDS_MULTI_FACTOR),
            (&["x", PASSWORD], both, PASSWORD),
            (&[PASSCODE], both, PASSCODE),
        ] {
            let told = claimed(&wanted(list), proven_password, proven_passcode).to_owned();
            assert_eq!(told, acr, "{list:?} {proven_password} {proven_passcode}");
        }
        assert_eq!(methods(true, true, false), ["pwd", "otp", "mfa"]);
        assert_eq!(methods(true, false, false), ["pwd"]);
        assert_eq!(methods(true, false, true), ["pwd", RECOVERY]);
        assert!(ALL.iter().all(|acr| level_of(acr).is_some()));
    }
}
