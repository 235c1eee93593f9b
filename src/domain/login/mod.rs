//! One login, from the application's request to its answer.
//!
//! Evidence is stored, progress is not: [`step::next_step`] computes on every request what is still
//! lacking, so that a back button, a second tab, a policy changed or a token revoked in mid-flight
//! need no code of their own.

pub mod addition;
pub mod complaint;
pub mod evidence;
pub mod names;
pub mod origin;
pub mod outcome;
pub mod step;
pub mod wishes;

use std::time::Duration;

use crate::domain::ids::{ApplicationId, CorrelationId, LoginId, ReservationId, SessionId, TenantId, UserId};
use crate::domain::timestamp::Timestamp;
use origin::Origin;
use outcome::Ending;
use wishes::Wishes;

/// How long a page of the login may stay open (part B1).
pub const IDLE: Duration = Duration::from_secs(10 * 60);
/// How long a page of an enrollment may stay open: installing an app takes its time.
pub const IDLE_ENROLLING: Duration = Duration::from_secs(20 * 60);
/// How long a login may take when nobody asks for more time.
pub const LONGEST: Duration = Duration::from_secs(60 * 60);
/// How long a login may take at all, however often the time is extended.
pub const LONGEST_EXTENDED: Duration = Duration::from_secs(8 * 60 * 60);

/// One login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Its identifier; it stands in the desk's address and is useless without the browser's cookie (T-08).
    pub id: LoginId,
    /// The virtual server in which it happens.
    pub tenant: TenantId,
    /// The door that asked.
    pub origin: Origin,
    /// What the person wants to reach.
    pub application: ApplicationId,
    /// How the application wants the login to be.
    pub wishes: Wishes,
    /// The door's own request, as the door stored it; nobody else reads it.
    pub request: String,
    /// Whether it is still open.
    pub stage: Stage,
    /// The account, once a name was given that has one.
    pub user: Option<UserId>,
    /// The name as typed, whether or not it has an account.
    pub named: Option<String>,
    /// The account's security version when the account was named (T-11).
    pub security_version: i64,
    /// The language that was chosen on a page of this login.
    pub language: Option<String>,
    /// Joins all log entries of this login.
    pub correlation: CorrelationId,
    /// When the request came.
    pub created_at: Timestamp,
    /// When the page that is open now is too old.
    pub expires_at: Timestamp,
    /// When the login is too old, whatever happens.
    pub absolute_expires_at: Timestamp,
}

/// The life cycle of a login. Its progress is computed, see [`step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Something is still lacking.
    Open,
    /// Everything required was proven; the door may answer once.
    Granted {
        /// The session that holds the proofs.
        session: SessionId,
    },
    /// The door has answered; the login cannot be used again.
    Answered,
    /// It ended without access.
    Ended(Ending),
}

impl Login {
    /// The place in a provisioning task, where a link from a mail began the login: it is the request of that door.
    #[must_use]
    pub fn reservation(&self) -> Option<ReservationId> {
        if self.origin == Origin::Mail { self.request.parse().ok() } else { None }
    }

    /// Whether the time is over, of the page or of the login.
    #[must_use]
    pub fn expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at || now >= self.absolute_expires_at
    }
}

/// The moment at which a page that is shown at `now` is too old.
#[must_use]
pub fn page_deadline(now: Timestamp, enrolling: bool, absolute: Timestamp) -> Timestamp {
    now.plus(if enrolling { IDLE_ENROLLING } else { IDLE }).min(absolute)
}

/// The deadlines `(page, login)` after the person asked for more time (R-482, WCAG 2.2.1).
#[must_use]
pub fn extended(now: Timestamp, created_at: Timestamp) -> (Timestamp, Timestamp) {
    let absolute = now.plus(LONGEST).min(created_at.plus(LONGEST_EXTENDED));
    (page_deadline(now, true, absolute), absolute)
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn time_can_be_extended_ten_times_and_never_past_eight_hours() {
        let start = Timestamp::from_seconds(1_000_000);
        let mut now = start;
        for _ in 0..10 {
            let (page, absolute) = extended(now, start);
            assert!(page > now && absolute >= page);
            now = page.minus(Duration::from_secs(60));
        }
        let (page, absolute) = extended(start.plus(Duration::from_secs(8 * 3600 - 5)), start);
        assert_eq!((page, absolute), (start.plus(LONGEST_EXTENDED), start.plus(LONGEST_EXTENDED)));
    }
}
