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
    /// Whether it counts time, not events or challenges.
    pub by_time: bool,
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
    /// A recovery code of the person, in this very login: it stands in for a passcode where the virtual server's own policy
    /// asks for one, is never told to be one, and vouches for the enrollment of another authenticator.
    pub recovery: Option<Proof>,
    /// A temporary code of the help desk, in this very login: it stands in for a passcode, too, and vouches for nothing.
    pub temporary: Option<Proof>,
    /// A pass of the help desk, in this login. Opens the gates of enrollment; proves nothing.
    pub pass: Option<Timestamp>,
    /// A password, right or wrong, was given in this login while the account was locked. It proves nothing; the lock may be
    /// told from then on.
    pub knocked: Option<Timestamp>,
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

    /// Whether anything was proven that tells who the person is.
    #[must_use]
    pub fn of_anybody(&self) -> bool {
        self.password.is_some() || self.otp.is_some() || self.stand_in().is_some()
    }

    /// What stands in for a passcode in this login.
    #[must_use]
    pub fn stand_in(&self) -> Option<Proof> {
        self.recovery.or(self.temporary)
    }

    /// Whether an operator or a recovery code vouches for an enrollment in this login.
    #[must_use]
    pub const fn vouched(&self) -> bool {
        self.pass.is_some() || self.recovery.is_some()
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

    /// What an application may be told of at `now`: what is as recent as it wants it, and no earlier passcode where something
    /// `stands_in` for one. A passcode of the morning is no factor of a login that was to be a new one.
    #[must_use]
    pub fn counted(self, freshness: Freshness, stands_in: bool, now: Timestamp) -> Self {
        let recent =
            |proof: &Proof| proof.here || freshness.longest_age().is_none_or(|longest| now.since(proof.at) < longest);
        let otp = self.otp.filter(recent).filter(|proof| proof.here || !stands_in);
        Self { password: self.password.filter(recent), otp, token: self.token.filter(|_| otp.is_some()), ..self }
    }

    /// When the person was authenticated: the oldest of the proofs that tell who it is, so that an application is never told
    /// of a fresher login than there was (`auth_time`, AuthnInstant). Of what [`Self::counted`] gives.
    #[must_use]
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        // What stood in for a passcode is not asked for where one was given after all.
        let proofs = [self.password, self.otp.or(self.stand_in())];
        proofs.into_iter().flatten().map(|proof| proof.at).min()
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

    /// A login is told to be as old as the recovery code that was used in it, not as an earlier passcode.
    #[test]
    fn a_recovery_code_dates_the_login_that_it_is_used_in() {
        let at = |seconds, here| Some(Proof { at: Timestamp::from_seconds(seconds), here });
        let evidence = Evidence { otp: at(50, false), recovery: at(90, true), ..Evidence::default() };
        let told = evidence.counted(Freshness::Any, true, NOW);
        assert_eq!((told.otp, told.authenticated_at()), (None, Some(Timestamp::from_seconds(90))));
        let enrolled = Evidence { otp: at(95, true), ..evidence }.counted(Freshness::Any, true, NOW);
        assert_eq!(enrolled.authenticated_at(), Some(Timestamp::from_seconds(95)));
    }

    /// R-507, RFC 9470: a factor is told only with its own age, and not at all where it is older than the application wants.
    #[test]
    fn an_old_factor_makes_no_new_login() {
        let at = |age: i64, here| Some(Proof { at: Timestamp::from_seconds(10_000 - age), here });
        let token = Some(TokenId::from_bits(1));
        let stepped_up = Evidence { password: at(5, true), otp: at(7000, false), token, ..Evidence::default() };
        for (freshness, stands_in, otp, age) in [
            (Freshness::Any, false, true, 7000),
            (Freshness::Any, true, false, 5),
            (Freshness::ThisLogin, false, false, 5),
            (Freshness::Within { seconds: 7000 }, false, false, 5),
            (Freshness::Within { seconds: 7001 }, false, true, 7000),
        ] {
            let told = stepped_up.counted(freshness, stands_in, NOW);
            assert_eq!((told.otp.is_some(), told.token.is_some()), (otp, otp), "{freshness:?} {stands_in}");
            assert_eq!(told.authenticated_at(), Some(Timestamp::from_seconds(10_000 - age)), "{freshness:?}");
        }
    }

    ///
    #[test]
    fn a_mail_code_meets_nothing() {
        let evidence = Evidence { mailbox: Some(NOW), pass: Some(NOW), ..Evidence::default() };
        for method in [Method::Password, Method::Otp] {
            assert!(!evidence.meets(Requirement::once_per_session(method), Freshness::Any, NOW));
        }
    }
}
