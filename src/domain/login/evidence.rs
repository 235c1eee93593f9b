//! What has been proven, when, and where: the only thing that a login's result is computed from.
//!
//! A label such as "step 4" can be wrong; two identity providers were bypassed in 2026 because a note
//! said more than had happened (security.md finding 16). So rows are written when something was
//! proven, and everything else is derived from them, again at each request and once more just before
//! a code or an assertion is issued.

use crate::domain::ids::TokenId;
use crate::domain::login::wishes::Freshness;
use crate::domain::policy::access::{Frequency, Method, Requirement};
use crate::domain::timestamp::Timestamp;

/// One thing that was proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// When.
    pub at: Timestamp,
    /// Whether it was in this very login, not in an earlier one of the same session.
    pub here: bool,
}

/// What applications are told about the authenticator that gave a passcode, so that they can be careful with a login
/// right after an enrollment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authenticator {
    /// Since when it is the person's.
    pub enrolled_at: Timestamp,
    /// Whether the person enrolled it alone, proving no more than password and mailbox; an operator brought it along
    /// from another system otherwise.
    pub by_mailbox: bool,
}

/// Everything that was proven by the person at this browser.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The password.
    pub password: Option<Proof>,
    /// A one-time passcode.
    pub otp: Option<Proof>,
    /// The authenticator that gave the passcode.
    pub token: Option<TokenId>,
    /// The authenticator that gave a passcode, in this login, beside a PIN that was right and must be changed: good for
    /// choosing another one and for nothing else.
    pub old_pin: Option<(TokenId, Timestamp)>,
    /// The mailbox, in this login. Confirms an enrollment; never an authentication factor.
    pub mailbox: Option<Timestamp>,
}

impl Evidence {
    /// The proof of `method`, if there is one.
    #[must_use]
    pub const fn of(&self, method: Method) -> Option<Proof> {
        match method {
            Method::Password => self.password,
            Method::Otp => self.otp,
        }
    }

    /// Whether `requirement` is met at `now`, given how recent the application wants proofs to be.
    #[must_use]
    pub fn meets(&self, requirement: Requirement, freshness: Freshness, now: Timestamp) -> bool {
        let Some(proof) = self.of(requirement.method) else { return false };
        if proof.here {
            return true;
        }
        let young_enough = |longest: std::time::Duration| now.since(proof.at) < longest;
        requirement.frequency != Frequency::EveryAttempt
            && requirement.longest_age().is_none_or(young_enough)
            && freshness.longest_age().is_none_or(young_enough)
    }

    /// When the person last proved all of `requirements`: the oldest of the proofs, so that an
    /// application is never told of a fresher login than there was (`auth_time`, AuthnInstant).
    #[must_use]
    pub fn authenticated_at(&self, requirements: &[Requirement]) -> Option<Timestamp> {
        requirements.iter().filter_map(|requirement| self.of(requirement.method)).map(|proof| proof.at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(10_000);

    fn proof(age: i64, here: bool) -> Evidence {
        Evidence { password: Some(Proof { at: Timestamp::from_seconds(10_000 - age), here }), ..Evidence::default() }
    }

    ///
    #[test]
    fn how_long_a_proof_counts() {
        let every = Frequency::EveryAttempt;
        let session = Frequency::OncePerSession;
        let hour = Frequency::Every { seconds: 3600 };
        let any = Freshness::Any;
        for (frequency, freshness, age, here, met) in [
            (session, any, 5000, false, true),
            (every, any, 1, false, false),
            (every, any, 1, true, true),
            (hour, any, 3599, false, true),
            (hour, any, 3600, false, false),
            (session, Freshness::ThisLogin, 1, false, false),
            (session, Freshness::ThisLogin, 1, true, true),
            (session, Freshness::Within { seconds: 60 }, 59, false, true),
            (session, Freshness::Within { seconds: 60 }, 60, false, false),
            (session, Freshness::Within { seconds: 0 }, 0, false, false),
        ] {
            let requirement = Requirement { method: Method::Password, frequency };
            let evidence = proof(age, here);
            assert_eq!(evidence.meets(requirement, freshness, NOW), met, "{frequency:?} {freshness:?} {age} {here}");
        }
    }

    ///
    #[test]
    fn a_mail_code_meets_nothing() {
        let evidence = Evidence { mailbox: Some(NOW), ..Evidence::default() };
        for method in [Method::Password, Method::Otp] {
            assert!(!evidence.meets(Requirement::once_per_session(method), Freshness::Any, NOW));
        }
    }
}
