//! The policy of server-side PINs (A12), and the way to tell a PIN from the passcode or response beside it.
//!
//! The policy is the virtual server's and holds for tokens that exist, too: it says how a PIN is chosen and typed, not what
//! a token is like.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::pin::{Complexity, Rules};
use crate::domain::secret::SecretString;
use crate::domain::timestamp::Timestamp;

/// How long the proof of a PIN that is due for change counts: as long as a page may stay open.
pub const CHANGE_WITHIN: Duration = crate::domain::login::IDLE;

/// On which side of the passcode the PIN is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// First the PIN.
    Prepend,
    /// First the passcode.
    Append,
}

/// The policy. The names of the fields are the keys of the apply file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerSidePin {
    /// Whether the initial PIN must be replaced at the first login.
    pub change_on_first_use: bool,
    /// Whether initial PINs are always drawn, never chosen by operators.
    pub force_random: bool,
    /// On which side of the passcode it is typed.
    pub order: Order,
    /// Characters at least: 3 to 15.
    pub min_length: u8,
    /// Characters at most: 4 to 16.
    pub max_length: u8,
    /// Characters of a PIN that is drawn.
    pub generated_length: u8,
    /// Days after which a PIN must be changed: 0 for never, up to 3650.
    pub change_every_days: u16,
    /// How complex it must be.
    pub complexity: Complexity,
    /// Whether it may be a plain sequence or one repeated character.
    pub allow_trivial_pins: bool,
    /// Earlier PINs, the present one among them, that cannot be chosen again: 1 to 10.
    pub history: u8,
}

impl Default for ServerSidePin {
    fn default() -> Self {
        Self {
            change_on_first_use: true,
            force_random: true,
            order: Order::Prepend,
            min_length: 4,
            max_length: 16,
            generated_length: 4,
            change_every_days: 0,
            complexity: Complexity::Decimal,
            allow_trivial_pins: false,
            history: 3,
        }
    }
}

/// Why a PIN must be changed (part D1, U7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It is not the person's own yet.
    FirstUse,
    /// It is too old.
    Expired,
}

impl ServerSidePin {
    /// What a PIN must be like.
    #[must_use]
    pub const fn rules(&self) -> Rules {
        Rules {
            min_length: self.min_length,
            max_length: self.max_length,
            complexity: self.complexity,
            allow_trivial: self.allow_trivial_pins,
        }
    }

    /// Every rule that the policy breaks beside the ranges of its numbers, as `(key, sentence's end)`.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        if self.max_length < self.min_length {
            faults.push(("max_length", "must not be less than min_length"));
        }
        if !(self.min_length..=self.max_length).contains(&self.generated_length) {
            faults.push(("generated_length", "must be from min_length to max_length"));
        }
        faults
    }

    /// Whether a PIN must be changed before it counts, and why.
    #[must_use]
    pub fn due(&self, must_change: bool, changed_at: Timestamp, now: Timestamp) -> Option<Due> {
        let lifetime = Duration::from_secs(u64::from(self.change_every_days) * 86_400);
        if must_change {
            Some(Due::FirstUse)
        } else {
            (!lifetime.is_zero() && now.since(changed_at) >= lifetime).then_some(Due::Expired)
        }
    }
}

/// What somebody typed into one field: the PIN, and the passcode or response beside it.
#[derive(Debug)]
pub struct Parts {
    /// The PIN; empty if only a passcode was typed.
    pub pin: SecretString,
    /// The rest.
    pub passcode: String,
}

/// Separates a PIN from a passcode or response of `passcode_length` characters; `None` if what was typed is too short to be
/// one (R-269: the length tells, so that a PIN may begin or end with digits). White space around it and up to two blanks or
/// hyphens inside, between the two and in the middle of the passcode, are dropped.
#[must_use]
pub fn split(typed: &str, passcode_length: u8, order: Order) -> Option<Parts> {
    let typed = typed.trim().replacen([' ', '-'], "", 2);
    let characters: Vec<char> = typed.chars().collect();
    let pin_length = characters.len().checked_sub(usize::from(passcode_length))?;
    let (first, last) = match order {
        Order::Prepend => characters.split_at_checked(pin_length)?,
        Order::Append => characters.split_at_checked(usize::from(passcode_length))?,
    };
    let (pin, passcode) = match order {
        Order::Prepend => (first, last),
        Order::Append => (last, first),
    };
    Some(Parts { pin: SecretString::from(pin.iter().collect::<String>()), passcode: passcode.iter().collect() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::secret::ExposeSecret as _;

    fn parts(typed: &str, length: u8, order: Order) -> Option<(String, String)> {
        split(typed, length, order).map(|parts| (parts.pin.expose_secret().to_owned(), parts.passcode))
    }

    fn both(pin: &str, passcode: &str) -> Option<(String, String)> {
        Some((pin.to_owned(), passcode.to_owned()))
    }

    ///
    #[test]
    fn the_length_of_the_passcode_tells_where_the_pin_is() {
        assert_eq!(parts("ABCD12345678", 8, Order::Prepend), both("ABCD", "12345678"));
        assert_eq!(parts("12345678ABCD", 8, Order::Append), both("ABCD", "12345678"));
        // Each order takes the other's for something else.
        assert_eq!(parts("12345678ABCD", 8, Order::Prepend), both("1234", "5678ABCD"));
        assert_eq!(parts("12345678", 8, Order::Prepend), both("", "12345678"));
        assert_eq!(parts("99465123456", 6, Order::Prepend), both("99465", "123456"));
        assert_eq!(parts("1234", 6, Order::Append), None);
    }

    ///
    #[test]
    fn people_may_put_a_blank_between_and_one_into_the_passcode() {
        for typed in [" ABCD 123456 ", "ABCD 123 456", "ABCD-123-456", "ABCD123 456\n"] {
            assert_eq!(parts(typed, 6, Order::Prepend), both("ABCD", "123456"), "{typed:?}");
        }
        assert_eq!(parts("A B C D 123456", 6, Order::Prepend), both("ABC D ", "123456"));
    }

    ///
    #[test]
    fn the_defaults_of_a_new_virtual_server() {
        let policy = ServerSidePin::default();
        assert!(policy.change_on_first_use && policy.force_random && policy.faults().is_empty());
        assert_eq!((policy.min_length, policy.max_length, policy.generated_length), (4, 16, 4));
        assert_eq!((policy.order, policy.change_every_days, policy.history), (Order::Prepend, 0, 3));
    }

    ///
    #[test]
    fn lengths_must_fit_together() {
        let keys = |policy: ServerSidePin| policy.faults().into_iter().map(|(key, _)| key).collect::<Vec<_>>();
        let base = ServerSidePin::default();
        assert_eq!(keys(ServerSidePin { min_length: 8, max_length: 6, ..base }), ["max_length", "generated_length"]);
        assert_eq!(keys(ServerSidePin { generated_length: 17, ..base }), ["generated_length"]);
        assert!(keys(ServerSidePin { min_length: 6, generated_length: 6, ..base }).is_empty());
    }

    ///
    #[test]
    fn a_pin_is_due_at_first_use_and_when_it_is_old() {
        let start = Timestamp::from_seconds(1_000_000);
        let base = ServerSidePin::default();
        let later = start.plus(Duration::from_secs(30 * 86_400));
        assert_eq!(base.due(true, start, start), Some(Due::FirstUse));
        assert_eq!(base.due(false, start, later), None, "0 means never");
        let monthly = ServerSidePin { change_every_days: 30, ..base };
        assert_eq!(monthly.due(false, start, later), Some(Due::Expired));
        assert_eq!(monthly.due(false, start, later.minus(Duration::from_secs(1))), None);
    }

    proptest! {
        /// whatever PIN and passcode stand beside each other, both are found again.
        #[test]
        fn what_is_put_together_is_found_again(pin in "[0-9A-Za-z]{0,16}", passcode in "[0-9A-Z]{4,10}") {
            let length = u8::try_from(passcode.len()).expect("short");
            let typed = format!("{pin}{passcode}");
            prop_assert_eq!(parts(&typed, length, Order::Prepend), both(&pin, &passcode));
            let typed = format!("{passcode}{pin}");
            prop_assert_eq!(parts(&typed, length, Order::Append), both(&pin, &passcode));
        }

        #[test]
        fn any_text_can_be_separated(typed in "\\PC{0,60}", length in 0_u8..20) {
            for order in [Order::Prepend, Order::Append] {
                if let Some(parts) = split(&typed, length, order) {
                    prop_assert_eq!(parts.passcode.chars().count(), usize::from(length));
                }
            }
        }
    }
}
