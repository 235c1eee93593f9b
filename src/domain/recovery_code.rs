//! Codes for whoever does not have the authenticator at hand: the person's own recovery codes, and what the help desk gives
//! out. Each is used once, and all of them are random: whoever guesses is counted and has to wait (A16).

use crate::domain::secret::SecretString;

/// How many recovery codes a person has when they are new.
pub const RECOVERY_CODES: usize = 10;
/// Characters of a recovery code: 49 random bits.
const LENGTH: usize = 10;
/// Unambiguous letters and digits: no I, L, O, U, 0 or 1.
const LETTERS: &[u8] = b"ABCDEFGHJKMNPQRSTVWXYZ23456789";
/// What the help desk says over the telephone: ten digits, 33 random bits for as long as they are good.
const DIGITS: &[u8] = b"0123456789";

/// What the help desk gives out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HelpDeskCode {
    /// Opens the gates of enrollment in one login.
    Pass,
    /// Stands in for a passcode in one login.
    Temporary,
}

impl HelpDeskCode {
    /// The name in the database.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Temporary => "temporary",
        }
    }
}

/// A recovery code as it is shown, such as `K7MZQ-4TRWX`; `below(n)` gives a random number from 0 to n - 1, each equally
/// likely.
#[must_use]
pub fn draw(below: impl Fn(u64) -> u64) -> SecretString {
    drawn(LETTERS, below)
}

/// A code of the help desk as it is shown, such as `40917-22856`.
#[must_use]
pub fn draw_digits(below: impl Fn(u64) -> u64) -> SecretString {
    drawn(DIGITS, below)
}

fn drawn(alphabet: &[u8], below: impl Fn(u64) -> u64) -> SecretString {
    let most = u64::try_from(alphabet.len()).unwrap_or(u64::MAX);
    let mut code = String::with_capacity(LENGTH + 1);
    for place in 0..LENGTH {
        if place == LENGTH / 2 {
            code.push('-');
        }
        let at = usize::try_from(below(most)).unwrap_or_default();
        code.extend(alphabet.get(at).map(|byte| char::from(*byte)));
    }
    SecretString::from(code)
}

/// What a person typed, as it is compared: without blanks and hyphens, in capital letters.
#[must_use]
pub fn normalized(typed: &str) -> String {
    typed.chars().filter(|c| !c.is_whitespace() && *c != '-').flat_map(char::to_uppercase).take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::ExposeSecret as _;

    #[test]
    fn codes_are_grouped_to_be_read_and_typed_in_any_way() {
        let code = draw(|most| most - 1);
        assert_eq!(code.expose_secret(), "99999-99999");
        assert_eq!(draw_digits(|_| 4).expose_secret(), "44444-44444");
        for typed in ["k7mzq-4trwx", "K7MZQ4TRWX", " k7mzq 4trwx\t"] {
            assert_eq!(normalized(typed), "K7MZQ4TRWX");
        }
        assert_eq!(normalized(&"x".repeat(5000)).len(), 40);
    }

    /// R-333, T-04: with the hundred tries that there ever are, guessing any of ten codes, or the one that the
    /// help desk gave out, is hopeless.
    #[test]
    fn guessing_is_hopeless() {
        let codes = f64::from(u32::try_from(RECOVERY_CODES).expect("small"));
        let spaces = [(codes, 30_f64.powi(10)), (20.0, 10_f64.powi(10))];
        assert!(spaces.iter().all(|(good, all)| good / all * 100.0 < 1e-6), "{spaces:?}");
    }
}
