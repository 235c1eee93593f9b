//! Lockout and growing delays (A16): how often somebody may be wrong.
//!
//! One counter serves known and unknown names alike, keyed by a hash of the name, so that neither the
//! answer nor its timing tells whether an account exists. Where an account has several names
//! each of them has such a counter for what is shown, and the account one for what counts. A browser that has logged this
//! person in before has a counter of its own, so that strangers cannot lock the person out (T-17).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::login::outcome::Refusal;
use crate::domain::timestamp::Timestamp;

/// The absolute bound of consecutive failures, whatever the settings say.
pub const MOST_FAILURES: i64 = 100;

/// When an account locks and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LockoutSettings {
    /// Failures that are forgiven; one more locks. 0 disables locking by count.
    pub threshold: u32,
    /// How long a lock lasts, in seconds; from 1 to 30 days.
    pub lock_seconds: u32,
    /// Whether only an operator unlocks.
    pub until_operator: bool,
    /// Whether a wrong password counts.
    pub count_passwords: bool,
    /// Whether a wrong passcode counts.
    pub count_passcodes: bool,
    /// Whether a right passcode with a wrong server-side PIN counts.
    pub count_pins: bool,
    /// Whether a wrong recovery code, temporary code or pass counts.
    pub count_recovery_codes: bool,
    /// Whether the person gets a mail when the account locks.
    pub alert_on_lock: bool,
    /// Whether the person gets a mail at the next success after a lock.
    pub alert_on_unlock: bool,
}

impl Default for LockoutSettings {
    fn default() -> Self {
        Self {
            threshold: 3,
            lock_seconds: 15 * 60,
            until_operator: false,
            count_passwords: true,
            count_passcodes: true,
            count_pins: true,
            count_recovery_codes: true,
            alert_on_lock: true,
            alert_on_unlock: true,
        }
    }
}

impl LockoutSettings {
    /// What is allowed and still unwise, as `(key, sentence's end)`.
    #[must_use]
    pub fn warnings(&self) -> Vec<(&'static str, &'static str)> {
        match self.threshold {
            0 => vec![(
                "threshold",
                "is 0: no number of wrong attempts locks an account; card payment rules allow 6 at most",
            )],
            1..=6 => Vec::new(),
            _ => vec![("threshold", "is more than 6, which card payment rules (PCI DSS) do not allow")],
        }
    }
}

/// What is remembered about failures of one name, or of one name in one known browser.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failures {
    /// Consecutive failures since the last success or the end of the last lock.
    pub count: i64,
    /// Consecutive failures since the last success, locks or not.
    pub total: i64,
    /// When the last failure was.
    pub last_at: Option<Timestamp>,
    /// Locked until then.
    pub locked_until: Option<Timestamp>,
    /// Locked until an operator acts.
    pub locked_by_operator: bool,
}

/// Whether attempts are possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// They are.
    Open,
    /// Not until then.
    Until(Timestamp),
    /// Not until an operator acts.
    Operator,
}

impl Lock {
    /// The refusal that a page shows, if the lock holds at `now`.
    #[must_use]
    pub fn refusal(self, now: Timestamp) -> Option<Refusal> {
        match self {
            Self::Open => None,
            Self::Until(end) => (now < end).then_some(Refusal::Locked),
            Self::Operator => Some(Refusal::LockedByOperator),
        }
    }
}

impl Failures {
    /// Whether attempts are possible.
    #[must_use]
    pub fn lock(&self) -> Lock {
        if self.locked_by_operator || self.total >= MOST_FAILURES {
            Lock::Operator
        } else {
            self.locked_until.map_or(Lock::Open, Lock::Until)
        }
    }

    /// How long the next attempt must wait: 0, 0, 1, 2, 4 … 30 seconds after the last failure (part B1). While the whole
    /// virtual server is `under_attack` the delays begin with the first failure, at two seconds.
    #[must_use]
    pub fn wait(&self, under_attack: bool, now: Timestamp) -> Duration {
        let Some(last) = self.last_at else { return Duration::ZERO };
        let sooner = if under_attack && self.count > 0 { 3 } else { 0 };
        let seconds = match self.count + sooner {
            ..=2 => 0,
            n => 1_u64.checked_shl(u32::try_from(n - 3).unwrap_or(u32::MAX)).unwrap_or(30).min(30),
        };
        last.plus(Duration::from_secs(seconds)).since(now)
    }

    /// What is remembered after a failure of a kind that does not count. It counts only for the hundred that there are
    /// at all, whatever the settings say, and makes nobody wait.
    #[must_use]
    pub const fn after_uncounted(self, now: Timestamp) -> Self {
        let last_at = match self.last_at {
            // What makes the next attempt wait is the last failure that counted.
            Some(at) => Some(at),
            None => Some(now),
        };
        Self { total: self.total + 1, last_at, ..self }
    }

    /// What is remembered after one more failure at `now`. Counting starts anew after a lock (part B6).
    #[must_use]
    pub fn after_failure(self, settings: LockoutSettings, now: Timestamp) -> Self {
        let lock_is_over = self.locked_until.is_some_and(|end| end <= now);
        let count = if lock_is_over { 1 } else { self.count + 1 };
        let locks = settings.threshold > 0 && count > i64::from(settings.threshold);
        Self {
            count,
            total: self.total + 1,
            last_at: Some(now),
            locked_until: (locks && !settings.until_operator)
                .then(|| now.plus(Duration::from_secs(u64::from(settings.lock_seconds)))),
            locked_by_operator: self.locked_by_operator || (locks && settings.until_operator),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_000);

    fn after(failures: u32, settings: LockoutSettings) -> Failures {
        (0..failures).fold(Failures::default(), |f, _| f.after_failure(settings, START))
    }

    ///
    #[test]
    fn the_fourth_failure_locks_for_fifteen_minutes() {
        let settings = LockoutSettings::default();
        assert_eq!(after(3, settings).lock(), Lock::Open);
        let locked = after(4, settings);
        assert_eq!(locked.lock(), Lock::Until(START.plus(Duration::from_secs(900))));
        assert_eq!(locked.lock().refusal(START), Some(Refusal::Locked));
        let later = START.plus(Duration::from_secs(900));
        assert_eq!(locked.lock().refusal(later), None, "R-323: it unlocks by itself");
        assert_eq!(locked.after_failure(settings, later).count, 1, "counting starts anew");
    }

    ///
    #[test]
    fn zero_disables_locking_and_a_hundred_still_stops() {
        let never = LockoutSettings { threshold: 0, ..LockoutSettings::default() };
        assert_eq!(after(99, never).lock(), Lock::Open);
        assert_eq!(after(100, never).lock(), Lock::Operator);
        let by_hand = LockoutSettings { until_operator: true, ..LockoutSettings::default() };
        assert_eq!(after(4, by_hand).lock(), Lock::Operator);
    }

    /// what does not count locks nobody, until it is the hundredth.
    #[test]
    fn what_does_not_count_is_still_bounded() {
        let uncounted = |times: u32| (0..times).fold(Failures::default(), |f, _| f.after_uncounted(START));
        let many = uncounted(99);
        assert_eq!((many.lock(), many.wait(false, START), many.count), (Lock::Open, Duration::ZERO, 0));
        assert_eq!(uncounted(100).lock(), Lock::Operator);
        let mixed = after(2, LockoutSettings::default()).after_uncounted(START);
        assert_eq!((mixed.count, mixed.total), (2, 3));
    }

    ///
    #[test]
    fn the_wait_doubles_and_stops_at_thirty_seconds() {
        let never = LockoutSettings { threshold: 0, ..LockoutSettings::default() };
        let waits = |attack| (0..10).map(|n| after(n, never).wait(attack, START).as_secs()).collect::<Vec<_>>();
        assert_eq!(waits(false), [0, 0, 0, 1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(waits(true), [0, 2, 4, 8, 16, 30, 30, 30, 30, 30], "nobody waits who was never wrong");
        assert_eq!(after(4, never).wait(false, START.plus(Duration::from_secs(2))), Duration::ZERO);
    }
}
