//! The code that proves a mailbox (A7): its shape, its life and its limits.
//!
//! A code, never a link: mail scanners open links and even press buttons (security.md finding 5).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::secret::SecretString;
use crate::domain::timestamp::Timestamp;

/// Wrong entries that a code survives; the next one closes the login (R-128, AC-09).
pub const TRIES: i64 = 5;
/// Mails of one login (AC-10).
pub const MAILS_PER_LOGIN: i64 = 3;
/// Mails to one person in an hour …
pub const MAILS_PER_HOUR: i64 = 5;
/// … and in a day (T-28).
pub const MAILS_PER_DAY: i64 = 6;
/// How long the next mail must wait (T-28; never less than R-130 asks).
pub const COOLDOWN: Duration = Duration::from_secs(60);
/// Wrong codes of one person in 24 hours that lock enrollment.
pub const FAILURES_PER_DAY: i64 = 10;
/// The window of [`FAILURES_PER_DAY`], and how long the lock lasts.
pub const FAILURE_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// Unambiguous letters and digits: no I, L, O, U, 0 or 1.
const ALPHABET: &[u8] = b"ABCDEFGHJKMNPQRSTVWXYZ23456789";

/// What codes look like and how long they live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EmailCodeSettings {
    /// Digits or unambiguous letters and digits.
    pub format: Format,
    /// From 6 to 8 characters.
    pub length: u8,
    /// From 120 to 600 seconds.
    pub lifetime_seconds: u32,
    /// Whether the subject of the mail may show the code.
    pub in_subject: bool,
}

/// The characters of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Decimal digits.
    Digits,
    /// Capital letters and digits that cannot be taken for one another.
    Alphanumeric,
}

impl Default for EmailCodeSettings {
    /// Six digits are what people know from everywhere; five tries and three mails a login keep the
    /// chance of guessing one below 2 in 100,000 a login, and ten failures a day end it (T-04).
    fn default() -> Self {
        Self { format: Format::Digits, length: 6, lifetime_seconds: 600, in_subject: false }
    }
}

impl EmailCodeSettings {
    /// Draws a code; `below(n)` gives a random number from 0 to n - 1, each equally likely.
    #[must_use]
    pub fn draw(&self, below: impl Fn(u64) -> u64) -> SecretString {
        let alphabet: &[u8] = match self.format {
            Format::Digits => b"0123456789",
            Format::Alphanumeric => ALPHABET,
        };
        let most = u64::try_from(alphabet.len()).unwrap_or(u64::MAX);
        let drawn = (0..self.length.clamp(6, 8)).filter_map(|_| {
            let at = usize::try_from(below(most)).ok()?;
            alphabet.get(at).map(|byte| char::from(*byte))
        });
        SecretString::from(drawn.collect::<String>())
    }

    /// How long a code lives; never outside 2 to 10 minutes.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        Duration::from_secs(u64::from(self.lifetime_seconds.clamp(120, 600)))
    }
}

/// What a person typed, as it is compared: spaces and hyphens dropped, capital letters.
#[must_use]
pub fn normalized(typed: &str) -> String {
    typed.chars().filter(|c| !c.is_whitespace() && *c != '-').flat_map(char::to_uppercase).take(16).collect()
}

/// Whether the next mail may go out, given when earlier ones of this person did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// It may.
    Now,
    /// Only after this many seconds.
    Wait {
        /// At least 1.
        seconds: u64,
    },
    /// A limit is reached: nothing is sent and the page looks as if it were (AC-10, R-131).
    Silently,
}

/// Mails that were sent for a person, as counted in the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// In this login.
    pub in_login: i64,
    /// In the last hour.
    pub in_hour: i64,
    /// In the last day.
    pub in_day: i64,
    /// The last one of this login.
    pub last_at: Option<Timestamp>,
}

/// Decides whether the next mail may go out.
#[must_use]
pub fn sending(sent: Sent, now: Timestamp) -> Sending {
    if sent.in_login >= MAILS_PER_LOGIN || sent.in_hour >= MAILS_PER_HOUR || sent.in_day >= MAILS_PER_DAY {
        return Sending::Silently;
    }
    let wait = sent.last_at.map_or(Duration::ZERO, |last| last.plus(COOLDOWN).since(now));
    if wait.is_zero() { Sending::Now } else { Sending::Wait { seconds: wait.as_secs().max(1) } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::ExposeSecret;

    ///
    #[test]
    fn codes_have_the_chosen_shape_and_enough_entropy() {
        let code = EmailCodeSettings::default().draw(|bound| 7 % bound);
        assert!(code.expose_secret().len() == 6 && code.expose_secret().bytes().all(|b| b.is_ascii_digit()));
        let letters = EmailCodeSettings { format: Format::Alphanumeric, length: 8, ..EmailCodeSettings::default() };
        assert!(letters.draw(|bound| bound - 1).expose_secret().bytes().all(|b| ALPHABET.contains(&b)));
        // 20 bits are asked for: 10^6 is just short of 2^20, so the tries below are what protects six digits.
        assert!(10_f64.powi(6).log2() > 19.9 && 30_f64.powi(6).log2() > 20.0);
    }

    /// T-04.
    #[test]
    fn guessing_stays_below_the_budget() {
        // An attacker with the password gets ten wrong codes in a day, then enrollment is locked.
        let per_day = f64::from(u32::try_from(FAILURES_PER_DAY).expect("small")) / 1e6;
        assert!(per_day <= 1.1e-5, "{per_day}");
    }

    ///
    #[test]
    fn a_lifetime_outside_two_to_ten_minutes_is_pulled_in() {
        for (asked, given) in [(0, 120), (300, 300), (86_400, 600)] {
            let settings = EmailCodeSettings { lifetime_seconds: asked, ..EmailCodeSettings::default() };
            assert_eq!(settings.lifetime().as_secs(), given);
        }
    }

    ///
    #[test]
    fn what_people_paste_is_understood() {
        assert_eq!(normalized(" 123 456\n"), "123456");
        assert_eq!(normalized("ab-cd-ef"), "ABCDEF");
    }

    /// R-130, T-28, AC-10.
    #[test]
    fn mails_are_spaced_and_limited() {
        let now = Timestamp::from_seconds(1000);
        let at = |seconds| Some(Timestamp::from_seconds(seconds));
        for (sent, expected) in [
            (Sent::default(), Sending::Now),
            (Sent { in_login: 1, last_at: at(990), ..Sent::default() }, Sending::Wait { seconds: 50 }),
            (Sent { in_login: 2, last_at: at(940), ..Sent::default() }, Sending::Now),
            (Sent { in_login: 3, last_at: at(1), ..Sent::default() }, Sending::Silently),
            (Sent { in_hour: 5, ..Sent::default() }, Sending::Silently),
            (Sent { in_day: 6, ..Sent::default() }, Sending::Silently),
        ] {
            assert_eq!(sending(sent, now), expected, "{sent:?}");
        }
    }
}
