//! PIN rules, frozen into a token with its template (R-232 to R-246; test vectors of part G4).

use crate::domain::authenticator::template::{PinComplexity, TokenTemplate};

/// The longest PIN.
const LONGEST: usize = 16;

/// Every rule that `pin` breaks, in words.
#[must_use]
pub fn faults(pin: &str, template: &TokenTemplate) -> Vec<String> {
    let mut faults = Vec::new();
    let length = pin.chars().count();
    if !pin.chars().all(|c| c.is_ascii_alphanumeric()) {
        faults.push("use letters and digits only".to_owned());
    }
    if length < usize::from(template.pin_min_length) {
        faults.push(format!("use at least {} characters", template.pin_min_length));
    }
    if length > LONGEST {
        faults.push(format!("use at most {LONGEST} characters"));
    }
    if !template.allow_trivial_pins && is_trivial(pin) {
        faults.push("do not use a simple sequence or one repeated character".to_owned());
    }
    let has = |kind: fn(&char) -> bool| pin.chars().any(|c| kind(&c));
    let strong = has(char::is_ascii_uppercase) && has(char::is_ascii_lowercase) && has(char::is_ascii_digit);
    if template.pin_complexity == PinComplexity::StrongAlphanumeric && !strong {
        faults.push("use at least one capital letter, one small letter and one digit".to_owned());
    }
    faults
}

/// One character repeated, or each the neighbour of the one before, upwards or downwards.
fn is_trivial(pin: &str) -> bool {
    let codes: Vec<i64> = pin.chars().map(|c| i64::from(u32::from(c))).collect();
    let mut steps = codes.iter().zip(codes.iter().skip(1)).map(|(one, next)| next - one);
    let Some(first) = steps.next() else { return false };
    (-1..=1).contains(&first) && steps.all(|step| step == first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(template: &TokenTemplate, pin: &str) -> bool {
        faults(pin, template).is_empty()
    }

    ///
    #[test]
    fn the_vectors_of_part_g4() {
        let open = TokenTemplate { allow_trivial_pins: true, ..TokenTemplate::app() };
        for pin in ["1111", "1234", "2222", "6543", "abcd", "aaaa"] {
            assert!(accepted(&open, pin), "{pin}");
        }
        assert!(!accepted(&open, "123"));
        let closed = TokenTemplate::app();
        for pin in ["9946", "123682", "321aaa", "i6gfaa"] {
            assert!(accepted(&closed, pin), "{pin}");
        }
        for pin in ["aaaa", "1234", "1111", "2222", "6543", "abcd", "4321", "dcba"] {
            assert!(!accepted(&closed, pin), "{pin}");
        }
        let strong = TokenTemplate { pin_complexity: PinComplexity::StrongAlphanumeric, ..TokenTemplate::app() };
        for pin in ["1Qazxs8", "ajUys36"] {
            assert!(accepted(&strong, pin), "{pin}");
        }
        for pin in ["9946", "1234", "i6gfaa", "abcdefgh", "ABCD1234", "abcd1234", "Abcdefgh"] {
            assert!(!accepted(&strong, pin), "{pin}");
        }
    }

    ///
    #[test]
    fn the_minimum_length_counts() {
        for least in 4..=8_u8 {
            let template = TokenTemplate { pin_min_length: least, ..TokenTemplate::app() };
            let pin: String = "9146270358".chars().take(usize::from(least)).collect();
            assert!(accepted(&template, &pin) && !accepted(&template, &pin[1..]), "{least}");
        }
    }
}
