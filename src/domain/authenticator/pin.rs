//! PIN rules, one for the app and the server (R-232 to; test vectors of part G4).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::authenticator::template::{PinComplexity, TokenTemplate};
use crate::domain::secret::SecretString;

/// The longest PIN that an app takes.
pub const LONGEST: u8 = 16;

/// How complex a PIN must be at least. A template knows the first and the last only; the policy of server-side
/// PINs has all three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Complexity {
    /// Digits suffice; letters are welcome.
    Decimal,
    /// A letter and a digit.
    Alphanumeric,
    /// A capital letter, a small letter and a digit.
    StrongAlphanumeric,
}

/// What a PIN must be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Characters at least.
    pub min_length: u8,
    /// Characters at most.
    pub max_length: u8,
    /// How complex it must be.
    pub complexity: Complexity,
    /// Whether it may be a plain sequence or one repeated character.
    pub allow_trivial: bool,
}

/// One rule, as it is told to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Letters and digits of ASCII only: what every keyboard has, and what can stand beside a passcode.
    Characters,
    /// At least so many characters.
    AtLeast(u8),
    /// At most so many characters.
    AtMost(u8),
    /// No plain sequence, no repeated character.
    NotTrivial,
    /// A letter and a digit.
    LetterAndDigit,
    /// A capital letter, a small letter and a digit.
    Strong,
    /// None of the PINs before it, the present one among them.
    NotUsedBefore,
}

impl fmt::Display for Rule {
    /// What to do, without a capital letter or a full stop, in English: for terminals. Pages have texts of their own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Characters => f.write_str("use letters from A to Z and digits only"),
            Self::AtLeast(least) => write!(f, "use at least {least} characters"),
            Self::AtMost(most) => write!(f, "use at most {most} characters"),
            Self::NotTrivial => f.write_str("do not use a simple sequence or one repeated character"),
            Self::LetterAndDigit => f.write_str("use at least one letter and one digit"),
            Self::Strong => f.write_str("use at least one capital letter, one small letter and one digit"),
            Self::NotUsedBefore => f.write_str("do not use a PIN that you had before"),
        }
    }
}

/// The rules that a PIN breaks: all of them, so that the next try can be right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Broken([Option<Rule>; 6]);

impl Broken {
    /// This one rule.
    #[must_use]
    pub const fn one(rule: Rule) -> Self {
        Self([Some(rule), None, None, None, None, None])
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules().next().is_none()
    }

    /// Each of them.
    pub fn rules(&self) -> impl Iterator<Item = Rule> {
        self.0.into_iter().flatten()
    }
}

impl Rules {
    /// The rules that came with an authenticator, for a PIN that its app asks for.
    #[must_use]
    pub const fn of_template(template: &TokenTemplate) -> Self {
        Self {
            min_length: template.pin_min_length,
            max_length: LONGEST,
            complexity: match template.pin_complexity {
                PinComplexity::Decimal => Complexity::Decimal,
                PinComplexity::StrongAlphanumeric => Complexity::StrongAlphanumeric,
            },
            allow_trivial: template.allow_trivial_pins,
        }
    }

    /// Every rule that applies, to be shown before somebody chooses a PIN.
    #[must_use]
    pub fn all(&self) -> Vec<Rule> {
        let mut all = vec![Rule::Characters, Rule::AtLeast(self.min_length), Rule::AtMost(self.max_length)];
        if !self.allow_trivial {
            all.push(Rule::NotTrivial);
        }
        match self.complexity {
            Complexity::Decimal => {}
            Complexity::Alphanumeric => all.push(Rule::LetterAndDigit),
            Complexity::StrongAlphanumeric => all.push(Rule::Strong),
        }
        all
    }

    /// Every rule that `pin` breaks.
    #[must_use]
    pub fn broken_by(&self, pin: &str) -> Broken {
        let mut broken = Broken::default();
        let kept = |rule: &Rule| !keeps(pin, *rule);
        for (place, rule) in broken.0.iter_mut().zip(self.all().into_iter().filter(kept)) {
            *place = Some(rule);
        }
        broken
    }

    /// Draws a PIN of `length` characters that keeps the rules; `below(n)` gives a random number from 0 to n - 1, each
    /// equally likely. Letters are drawn only where the rules want some, and none that look like a digit.
    #[must_use]
    pub fn draw(&self, length: u8, mut below: impl FnMut(u64) -> u64) -> SecretString {
        let alphabet: &[u8] = match self.complexity {
            Complexity::Decimal => b"0123456789",
            Complexity::Alphanumeric => b"abcdefghjkmnpqrstuvwxyz23456789",
            Complexity::StrongAlphanumeric => b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789",
        };
        let length = usize::from(length.clamp(self.min_length, self.max_length));
        let most = u64::try_from(alphabet.len()).unwrap_or(u64::MAX);
        loop {
            let drawn = std::iter::repeat_with(|| usize::try_from(below(most)).ok().and_then(|at| alphabet.get(at)));
            let pin: String = drawn.flatten().take(length).map(|octet| char::from(*octet)).collect();
            // Of four random digits one in three hundred is trivial; of three characters one in six has all kinds.
            if self.broken_by(&pin).is_empty() {
                return SecretString::from(pin);
            }
        }
    }
}

fn keeps(pin: &str, rule: Rule) -> bool {
    let length = pin.chars().count();
    let has = |kind: fn(&char) -> bool| pin.chars().any(|c| kind(&c));
    match rule {
        Rule::Characters => pin.chars().all(|c| c.is_ascii_alphanumeric()),
        Rule::AtLeast(least) => length >= usize::from(least),
        Rule::AtMost(most) => length <= usize::from(most),
        Rule::NotTrivial => !is_trivial(pin),
        Rule::LetterAndDigit => has(char::is_ascii_alphabetic) && has(char::is_ascii_digit),
        Rule::Strong => has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit),
        // Only whoever keeps the earlier ones can tell.
        Rule::NotUsedBefore => true,
    }
}

/// As a whole one character repeated, or each the neighbour of the one before, upwards or downwards; capital and
/// small letters are the same, and nothing follows 9 or Z.
fn is_trivial(pin: &str) -> bool {
    let codes: Vec<i64> = pin.chars().map(|c| i64::from(u32::from(c.to_ascii_lowercase()))).collect();
    let mut steps = codes.iter().zip(codes.iter().skip(1)).map(|(one, next)| next - one);
    let Some(first) = steps.next() else { return false };
    (-1..=1).contains(&first) && steps.all(|step| step == first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::secret::ExposeSecret as _;

    const OPEN: Rules = Rules { min_length: 4, max_length: 16, complexity: Complexity::Decimal, allow_trivial: true };
    const CLOSED: Rules = Rules { allow_trivial: false, ..OPEN };
    const STRONG: Rules = Rules { complexity: Complexity::StrongAlphanumeric, ..CLOSED };

    fn accepted(rules: Rules, pin: &str) -> bool {
        rules.broken_by(pin).is_empty()
    }

    ///
    #[test]
    fn the_vectors_of_part_g4() {
        for pin in ["1111", "1234", "2222", "6543", "abcd", "aaaa"] {
            assert!(accepted(OPEN, pin), "R-243: {pin}");
        }
        assert!(!accepted(OPEN, "123"));
        for pin in ["9946", "123682", "321aaa", "i6gfaa"] {
            assert!(accepted(CLOSED, pin), "R-244: {pin}");
        }
        for pin in ["aaaa", "1234", "1111", "2222", "6543", "abcd", "4321", "dcba"] {
            assert!(!accepted(CLOSED, pin), "R-244: {pin}");
        }
        for pin in ["1Qazxs8", "ajUys36"] {
            assert!(accepted(STRONG, pin), "R-246: {pin}");
        }
        for pin in ["9946", "1234", "i6gfaa", "abcdefgh", "ABCD1234", "abcd1234", "Abcdefgh"] {
            assert!(!accepted(STRONG, pin), "R-247: {pin}");
        }
    }

    ///
    #[test]
    fn case_does_not_hide_a_sequence_and_nothing_wraps_around() {
        for pin in ["aBcD", "AAaa", "ZyXw", "7654", "0000"] {
            assert!(!accepted(CLOSED, pin), "{pin}");
        }
        for pin in ["7890", "8901", "xyza", "zabc", "1359", "1212", "1223"] {
            assert!(accepted(CLOSED, pin), "{pin}");
        }
    }

    ///
    #[test]
    fn the_minimum_length_counts_and_sixteen_are_the_most() {
        for least in 4..=8_u8 {
            let rules = Rules::of_template(&TokenTemplate { pin_min_length: least, ..TokenTemplate::app() });
            let pin: String = "9146270358".chars().take(usize::from(least)).collect();
            assert!(accepted(rules, &pin) && !accepted(rules, &pin[1..]), "{least}");
            assert!(accepted(rules, "9146270358914627") && !accepted(rules, "91462703589146270"));
        }
    }

    ///
    #[test]
    fn alphanumeric_wants_a_letter_and_a_digit() {
        let rules = Rules { complexity: Complexity::Alphanumeric, ..CLOSED };
        assert!(accepted(rules, "a94b") && accepted(rules, "A946"));
        assert!(!accepted(rules, "9946") && !accepted(rules, "bzqx"));
    }

    ///
    #[test]
    fn every_broken_rule_is_named() {
        let broken: Vec<Rule> = STRONG.broken_by("ab\u{e9}").rules().collect();
        assert_eq!(broken, [Rule::Characters, Rule::AtLeast(4), Rule::Strong]);
        let broken: Vec<Rule> = STRONG.broken_by("aaaaaaaaaaaaaaaaa").rules().collect();
        assert_eq!(broken, [Rule::AtMost(16), Rule::NotTrivial, Rule::Strong]);
        assert_eq!(STRONG.all().len(), 5, "all that apply fit into what is told");
    }

    proptest! {
        /// a PIN is trivial exactly if it is one character and its followers, in steps of one kind.
        #[test]
        fn whoever_builds_a_sequence_is_refused(start in 0_u8..26, length in 4_usize..9, step in -1_i16..=1, capitals: u32) {
            let letters: Vec<i16> = (0..length).map(|at| i16::from(start) + step * i16::try_from(at).expect("small")).collect();
            prop_assume!(letters.iter().all(|letter| (0..26).contains(letter)));
            let pin: String = letters.iter().enumerate().map(|(at, letter)| {
                let letter = char::from(b'a' + u8::try_from(*letter).expect("a letter"));
                if capitals >> at & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
            }).collect();
            prop_assert!(!accepted(CLOSED, &pin) && accepted(OPEN, &pin), "{}", pin);
            // One other character at its end, and it is none any more.
            let longer = pin + "7";
            prop_assert!(accepted(CLOSED, &longer));
        }

        /// what differs by anything else than one kind of step is accepted.
        #[test]
        fn only_sequences_are_trivial(pin in "[0-9a-zA-Z]{4,16}") {
            let codes: Vec<i32> = pin.to_ascii_lowercase().bytes().map(i32::from).collect();
            let steps: std::collections::BTreeSet<i32> = codes.windows(2).map(|two| two[1] - two[0]).collect();
            let sequence = steps.len() == 1 && steps.iter().all(|step| step.abs() <= 1);
            prop_assert_eq!(accepted(CLOSED, &pin), !sequence);
        }

        /// what the server draws keeps the rules that people have to keep.
        #[test]
        fn a_drawn_pin_keeps_the_rules(seed: u64, min in 3_u8..=15, more in 0_u8..=13, complexity in 0_usize..3, length in 0_u8..=20) {
            use rand::{RngExt as _, SeedableRng as _};
            let complexity = [Complexity::Decimal, Complexity::Alphanumeric, Complexity::StrongAlphanumeric][complexity];
            let max_length = (min + more).clamp(4, 16);
            let rules = Rules { min_length: min, max_length, complexity, allow_trivial: false };
            let mut random = rand::rngs::StdRng::seed_from_u64(seed);
            let pin = rules.draw(length, |below| random.random_range(0..below));
            prop_assert!(accepted(rules, pin.expose_secret()));
        }

        /// Nothing that somebody types makes the rules stumble.
        #[test]
        fn any_text_can_be_judged(pin in "\\PC{0,40}") {
            let broken = STRONG.broken_by(&pin);
            prop_assert!(broken.is_empty() || broken.rules().count() <= 6);
        }
    }
}
