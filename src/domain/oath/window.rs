//! Which passcodes a server accepts: around the expected position, never twice, never backwards.
//!
//! A *position* is a counter (event-based) or a time step (time-based). This function only judges; that
//! a position is taken at most once is a condition in an UPDATE (INV-4), because two instances may judge
//! the same passcode at the same moment.

use serde::{Deserialize, Serialize};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use super::alphabet::Alphabet;
use super::{Algorithm, totp};
use crate::domain::secret::SecretBytes;
use crate::domain::timestamp::Timestamp;

/// How far a clock or a counter may be off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WindowSettings {
    /// Time steps to either side that are accepted at once: 0 to 3.
    pub time_steps: u8,
    /// Time steps to either side in which two passcodes in a row are accepted: up to 100.
    pub outer_time_steps: u8,
    /// Counters ahead that are accepted at once: 1 to 25. The template's clicks override it.
    pub event_look_ahead: u8,
    /// Counters ahead in which two passcodes in a row are accepted: up to 250.
    pub outer_event_look_ahead: u8,
    /// Whether small letters are taken for capital ones in hexadecimal and base32 passcodes.
    pub ignore_case: bool,
}

impl Default for WindowSettings {
    fn default() -> Self {
        Self {
            time_steps: 1,
            outer_time_steps: 10,
            event_look_ahead: 3,
            outer_event_look_ahead: 100,
            ignore_case: false,
        }
    }
}

/// What a token's passcodes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moving {
    /// Time steps of this many seconds; the token's clock was last off by this many steps.
    Time {
        /// Length of a step.
        step_seconds: u32,
        /// Learned drift; positive if the device's clock is ahead.
        drift_steps: i64,
    },
    /// Presses of a button.
    Event {
        /// The token's own look-ahead from its template, if it has one.
        look_ahead: Option<u8>,
    },
}

/// A token, as far as judging its passcodes needs it.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// The OTP secret.
    pub secret: &'a SecretBytes,
    /// The hash function.
    pub algorithm: Algorithm,
    /// 6 or 8.
    pub digits: u8,
    /// What its passcodes are written in.
    pub alphabet: Alphabet,
    /// What its passcodes count.
    pub moving: Moving,
    /// The last accepted position; -1 before the first.
    pub last_position: i64,
    /// The position that was right but far off in this login: the one after it settles the matter.
    pub pending: Option<i64>,
}

/// What a typed passcode is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Right, at this position; the clock is off by so many steps.
    Accepted {
        /// The position to take.
        position: i64,
        /// The drift to remember.
        drift_steps: i64,
    },
    /// Right, but far off: the following passcode must be right too.
    OutOfSync {
        /// The position.
        position: i64,
    },
    /// The passcode of a position that was accepted before.
    Reused,
    /// Not right.
    Wrong,
}

/// Judges what was typed. Every candidate is computed and compared, whatever the outcome.
#[must_use]
pub fn judge(token: Judged<'_>, settings: WindowSettings, typed: &str, now: Timestamp) -> Verdict {
    let Some(code) = token.alphabet.normalized(typed, token.digits, settings.ignore_case) else {
        return Verdict::Wrong;
    };
    let (expected, range, inner_low, inner_high) = positions(token, settings, now);
    let mut found = -1_i64;
    for position in range {
        let Ok(counter) = u64::try_from(position) else { continue };
        let candidate = token.alphabet.passcode(token.secret, token.algorithm, token.digits, counter);
        let same: Choice = candidate.as_bytes().ct_eq(code.as_bytes());
        // The nearest to what is expected wins where two positions have the same passcode.
        let nearer = found < 0 || (position - expected).abs() < (found - expected).abs();
        found.conditional_assign(&position, same & Choice::from(u8::from(nearer)));
    }
    if found < 0 {
        return Verdict::Wrong;
    }
    if found <= token.last_position {
        return Verdict::Reused;
    }
    let settled = token.pending.is_some_and(|pending| found == pending + 1);
    if settled || (inner_low..=inner_high).contains(&found) {
        let drift_steps = match token.moving {
            Moving::Time { step_seconds, .. } => found - totp::step_at(now, step_seconds),
            Moving::Event { .. } => 0,
        };
        return Verdict::Accepted { position: found, drift_steps };
    }
    Verdict::OutOfSync { position: found }
}

/// How far off a time-based token may be that is synchronized by hand, in time steps: as far as drift is remembered.
const LONGEST_DRIFT: i64 = 100;
/// How far ahead an event-based token may be that is synchronized by hand.
const LONGEST_LEAD: i64 = 1000;

/// Two passcodes in a row, given to synchronize a token: the position of the second and the drift, if they are what
/// they should be. Positions that were accepted before never count. Every candidate is computed, whatever is found.
#[must_use]
pub fn pair(token: Judged<'_>, settings: WindowSettings, typed: (&str, &str), now: Timestamp) -> Option<(i64, i64)> {
    let normalized = |typed| token.alphabet.normalized(typed, token.digits, settings.ignore_case);
    let (first, second) = (normalized(typed.0)?, normalized(typed.1)?);
    let (here, range) = match token.moving {
        Moving::Time { step_seconds, .. } => {
            let here = totp::step_at(now, step_seconds);
            (here, here - LONGEST_DRIFT..=here + LONGEST_DRIFT)
        }
        Moving::Event { .. } => (token.last_position + 1, token.last_position + 1..=token.last_position + LONGEST_LEAD),
    };
    let mut found = -1_i64;
    let mut before = Choice::from(0);
    for position in range {
        let Ok(counter) = u64::try_from(position) else { continue };
        let candidate = token.alphabet.passcode(token.secret, token.algorithm, token.digits, counter);
        let same = before & candidate.as_bytes().ct_eq(second.as_bytes());
        let nearer = found < 0 || (position - here).abs() < (found - here).abs();
        // The one before it must be new, too: it may have been seen by others.
        let new = position - 1 > token.last_position;
        found.conditional_assign(&position, same & Choice::from(u8::from(nearer && new)));
        before = candidate.as_bytes().ct_eq(first.as_bytes());
    }
    (found >= 0).then(|| match token.moving {
        Moving::Time { .. } => (found, found - here),
        Moving::Event { .. } => (found, 0),
    })
}

/// The expected position, all that are tried, and the first and last that are accepted at once. Positions
/// just before the last accepted one are tried as well, so that a reuse is known as one.
fn positions(
    token: Judged<'_>,
    settings: WindowSettings,
    now: Timestamp,
) -> (i64, std::ops::RangeInclusive<i64>, i64, i64) {
    match token.moving {
        Moving::Time { step_seconds, drift_steps } => {
            let expected = totp::step_at(now, step_seconds) + drift_steps.clamp(-LONGEST_DRIFT, LONGEST_DRIFT);
            let inner = i64::from(settings.time_steps.min(3));
            let outer = i64::from(settings.outer_time_steps.min(100)).max(inner);
            (expected, expected - outer..=expected + outer, expected - inner, expected + inner)
        }
        Moving::Event { look_ahead } => {
            let next = token.last_position + 1;
            let inner = i64::from(look_ahead.unwrap_or(settings.event_look_ahead).clamp(1, 25));
            let outer = i64::from(settings.outer_event_look_ahead).max(inner);
            (next, next - 10..=next + outer, next, next + inner - 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hotp;
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(3_000_000);

    fn secret() -> SecretBytes {
        SecretBytes::new(b"12345678901234567890".to_vec())
    }

    fn token(secret: &SecretBytes, moving: Moving, last_position: i64) -> Judged<'_> {
        Judged {
            secret,
            algorithm: Algorithm::Sha1,
            digits: 6,
            alphabet: Alphabet::Decimal,
            moving,
            last_position,
            pending: None,
        }
    }

    fn code(position: i64) -> String {
        hotp::passcode(&secret(), Algorithm::Sha1, 6, position.unsigned_abs())
    }

    ///
    #[test]
    fn a_time_step_to_either_side_is_accepted_and_drift_is_learned() {
        let secret = secret();
        let step = totp::step_at(NOW, 30);
        let moving = Moving::Time { step_seconds: 30, drift_steps: 0 };
        for off in -1..=1 {
            let verdict = judge(token(&secret, moving, -1), WindowSettings::default(), &code(step + off), NOW);
            assert_eq!(verdict, Verdict::Accepted { position: step + off, drift_steps: off });
        }
        let slow = Moving::Time { step_seconds: 30, drift_steps: -4 };
        let verdict = judge(token(&secret, slow, -1), WindowSettings::default(), &code(step - 5), NOW);
        assert_eq!(verdict, Verdict::Accepted { position: step - 5, drift_steps: -5 });
    }

    ///
    #[test]
    fn a_position_is_never_accepted_again_or_before_the_last() {
        let secret = secret();
        let step = totp::step_at(NOW, 30);
        let moving = Moving::Time { step_seconds: 30, drift_steps: 0 };
        for (last, expected) in [
            (step, Verdict::Reused),
            (step + 1, Verdict::Reused),
            (step - 1, Verdict::Accepted { position: step, drift_steps: 0 }),
        ] {
            assert_eq!(judge(token(&secret, moving, last), WindowSettings::default(), &code(step), NOW), expected);
        }
        let event = Moving::Event { look_ahead: None };
        assert_eq!(judge(token(&secret, event, 5), WindowSettings::default(), &code(5), NOW), Verdict::Reused);
    }

    ///
    #[test]
    fn far_off_needs_the_next_passcode_too() {
        let secret = secret();
        let step = totp::step_at(NOW, 30);
        let moving = Moving::Time { step_seconds: 30, drift_steps: 0 };
        let far = token(&secret, moving, -1);
        let settings = WindowSettings::default();
        assert_eq!(judge(far, settings, &code(step + 7), NOW), Verdict::OutOfSync { position: step + 7 });
        assert_eq!(judge(far, settings, &code(step + 11), NOW), Verdict::Wrong);
        let pending = Judged { pending: Some(step + 7), ..far };
        assert_eq!(
            judge(pending, settings, &code(step + 8), NOW),
            Verdict::Accepted { position: step + 8, drift_steps: 8 }
        );
        assert_eq!(judge(pending, settings, &code(step + 6), NOW), Verdict::OutOfSync { position: step + 6 });
    }

    ///
    #[test]
    fn an_event_token_looks_ahead_by_its_window() {
        let secret = secret();
        let settings = WindowSettings::default();
        let judged = |look_ahead, position| {
            judge(token(&secret, Moving::Event { look_ahead }, 9), settings, &code(position), NOW)
        };
        assert_eq!(judged(None, 12), Verdict::Accepted { position: 12, drift_steps: 0 });
        assert_eq!(judged(None, 13), Verdict::OutOfSync { position: 13 });
        assert_eq!(judged(Some(10), 19), Verdict::Accepted { position: 19, drift_steps: 0 });
        assert_eq!(judged(None, 111), Verdict::Wrong);
    }

    /// two in a row, wherever they are within reach, and neither of them used.
    #[test]
    fn two_passcodes_in_a_row_synchronize() {
        let secret = secret();
        let settings = WindowSettings::default();
        let step = totp::step_at(NOW, 30);
        let clock = Moving::Time { step_seconds: 30, drift_steps: 0 };
        let of = |moving, last, first: i64, second: i64| {
            pair(token(&secret, moving, last), settings, (&code(first), &code(second)), NOW)
        };
        for (first, second, found) in [
            (step, step + 1, Some((step + 1, 1))),
            (step - 60, step - 59, Some((step - 59, -59))),
            (step + 99, step + 100, Some((step + 100, 100))),
            (step + 100, step + 101, None),
            (step + 1, step, None),
            (step, step, None),
            (step, step + 2, None),
        ] {
            assert_eq!(of(clock, -1, first, second), found, "{first} {second}");
        }
        assert_eq!(of(clock, step, step, step + 1), None, "the first was used");
        assert_eq!(of(clock, step, step + 1, step + 2), Some((step + 2, 2)));
        let event = Moving::Event { look_ahead: None };
        assert_eq!(of(event, 9, 800, 801), Some((801, 0)), "far beyond the outer window");
        assert_eq!((of(event, 9, 9, 10), of(event, 9, 8, 9), of(event, 9, 1009, 1010)), (None, None, None));
        assert_eq!(pair(token(&secret, event, 9), settings, ("", ""), NOW), None);
    }

    proptest::proptest! {
        /// INV-4.
        #[test]
        fn positions_only_grow(presses in proptest::collection::vec(0_i64..40, 1..60)) {
            let secret = secret();
            let mut last = -1;
            for press in presses {
                let judged = token(&secret, Moving::Event { look_ahead: None }, last);
                if let Verdict::Accepted { position, .. } = judge(judged, WindowSettings::default(), &code(press), NOW) {
                    proptest::prop_assert!(position > last && position == press);
                    last = position;
                }
            }
        }
    }
}
