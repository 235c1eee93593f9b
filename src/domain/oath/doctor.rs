//! The clock doctor: a passcode that is refused, and is right at a time far away, says that the device's clock is off.
//!
//! Such a passcode is never accepted. What is told must not help whoever guesses: of a whole day's passcodes one guess in a
//! few hundred hits some, and whoever heard "that one comes in two hours" would only have to wait. So a passcode of the past
//! is told of at once, and one of the future only together with another one that is off by the same. A passcode that was
//! used, or is older than one that was, is never told of.

use std::time::Duration;

use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use super::alphabet::Alphabet;
use super::{Algorithm, totp};
use crate::domain::secret::SecretBytes;
use crate::domain::timestamp::Timestamp;

/// How far away a time is looked at, to either side.
pub const REACH: Duration = Duration::from_secs(86_400);
/// How often one person is told something in an hour.
pub const PER_HOUR: i64 = 4;

/// A time-based token, as far as its clock is concerned.
#[derive(Debug, Clone)]
pub struct Patient {
    /// The OTP secret.
    pub secret: SecretBytes,
    /// The hash function.
    pub algorithm: Algorithm,
    /// 6 or 8.
    pub length: u8,
    /// What passcodes are written in.
    pub alphabet: Alphabet,
    /// Seconds of a time step.
    pub step_seconds: u32,
    /// The last accepted time step; -1 before the first.
    pub last_position: i64,
}

/// A passcode of a time far away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Symptom {
    /// The time step whose passcode it is.
    pub position: i64,
    /// By how many seconds the device's clock is ahead; negative if it is behind.
    pub ahead_seconds: i64,
}

/// Looks for the time that a passcode belongs to, up to [`REACH`] away. The work is the same whatever is found.
#[must_use]
pub fn examine(patient: &Patient, typed: &str, ignore_case: bool, now: Timestamp) -> Option<Symptom> {
    let code = patient.alphabet.normalized(typed, patient.length, ignore_case)?;
    let step = i64::from(patient.step_seconds.max(1));
    let here = totp::step_at(now, patient.step_seconds);
    let reach = i64::try_from(REACH.as_secs()).unwrap_or(86_400) / step;
    let mut found = -1_i64;
    // From far away to near: the nearest that fits is what is left.
    for away in (1..=reach).rev() {
        for position in [here + away, here - away] {
            let Ok(counter) = u64::try_from(position) else { continue };
            let candidate = patient.alphabet.passcode(&patient.secret, patient.algorithm, patient.length, counter);
            let same: Choice = candidate.as_bytes().ct_eq(code.as_bytes());
            found.conditional_assign(&position, same);
        }
    }
    // What was used, and what is older than that, tells nothing.
    (found > patient.last_position).then(|| Symptom { position: found, ahead_seconds: (found - here) * step })
}

impl Symptom {
    /// Whether the person may be told, given what the passcode of the same token before it in the same login showed: one
    /// that is typed twice confirms nothing.
    #[must_use]
    pub fn may_be_told(self, before: Option<Self>, step_seconds: u32) -> bool {
        let confirmed = match before {
            Some(before) => {
                let differ = (self.ahead_seconds - before.ahead_seconds).unsigned_abs();
                before.ahead_seconds > 0 && self.position > before.position && differ <= u64::from(step_seconds)
            }
            None => false,
        };
        self.ahead_seconds < 0 || confirmed
    }

    /// About how many minutes that is; at least one.
    #[must_use]
    pub const fn minutes(self) -> u64 {
        let minutes = (self.ahead_seconds.unsigned_abs() + 30) / 60;
        if minutes == 0 { 1 } else { minutes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn patient(last_position: i64) -> Patient {
        Patient {
            secret: SecretBytes::new(b"12345678901234567890".to_vec()),
            algorithm: Algorithm::Sha1,
            length: 8,
            alphabet: Alphabet::Decimal,
            step_seconds: 30,
            last_position,
        }
    }

    fn code(seconds_ahead: i64) -> String {
        let step = totp::step_at(Timestamp::from_seconds(NOW.seconds() + seconds_ahead), 30);
        Alphabet::Decimal.passcode(&patient(-1).secret, Algorithm::Sha1, 8, step.unsigned_abs())
    }

    fn ahead(typed: &str, last_position: i64) -> Option<i64> {
        examine(&patient(last_position), typed, false, NOW).map(|symptom| symptom.ahead_seconds)
    }

    #[test]
    fn a_clock_that_is_off_by_up_to_a_day_is_found() {
        for off in [-86_400, -3600, -600, 600, 7200, 86_400] {
            assert_eq!(ahead(&code(off), -1), Some(off));
        }
        assert_eq!((ahead(&code(86_430), -1), ahead(&code(-86_430), -1), ahead("", -1)), (None, None, None));
    }

    /// nothing is said of what was used or is older.
    #[test]
    fn used_passcodes_tell_nothing() {
        let used = totp::step_at(NOW, 30) - 20;
        assert_eq!(ahead(&code(-600), used), None, "the used one");
        assert_eq!(ahead(&code(-900), used), None, "an older one");
        assert_eq!(ahead(&code(-570), used), Some(-570), "a later one");
    }

    /// A guess never learns which passcode will be right.
    #[test]
    fn the_future_is_told_of_only_to_whoever_has_two_of_it() {
        let symptom = |position, ahead_seconds| Symptom { position, ahead_seconds };
        let (past, future) = (symptom(980, -600), symptom(1020, 600));
        assert!(past.may_be_told(None, 30) && !future.may_be_told(None, 30));
        for (next, told) in [
            (symptom(1021, 600), true),
            (symptom(1021, 630), true),
            (symptom(1022, 570), true),
            (symptom(1020, 570), false), // the same one again, half a minute later
            (symptom(1019, 600), false),
            (symptom(1030, 660), false),
        ] {
            assert_eq!(next.may_be_told(Some(future), 30), told, "{next:?}");
        }
        assert!(!symptom(1001, 30).may_be_told(Some(symptom(999, -30)), 60), "the past confirms no future");
    }

    #[test]
    fn minutes_are_about_right() {
        let minutes = |ahead_seconds| Symptom { position: 0, ahead_seconds }.minutes();
        assert_eq!((minutes(-20), minutes(330), minutes(3600), minutes(-86_400)), (1, 6, 60, 1440));
    }
}
