//! A token as files of other systems describe it: an imported hardware or software token.

use super::Spot;
use crate::domain::oath::Algorithm;
use crate::domain::oath::alphabet::Alphabet;
use crate::domain::secret::SecretBytes;

/// Octets of an imported secret: 80 bits are what many systems have given out, RFC 4226 wants 128 for new ones.
pub const SECRET_LENGTHS: std::ops::RangeInclusive<usize> = 10..=128;
/// The longest serial number.
pub const LONGEST_SERIAL: usize = 64;

/// How its passcodes come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// HOTP (RFC 4226).
    Event {
        /// The counter of the next passcode.
        counter: i64,
    },
    /// TOTP (RFC 6238).
    Time {
        /// Seconds of a step.
        step_seconds: u32,
        /// So many steps its clock is ahead.
        drift_steps: i64,
    },
    /// OCRA (RFC 6287).
    Challenge {
        /// The suite.
        suite: String,
        /// The counter of the next response, for a suite with one.
        counter: i64,
    },
}

/// A token.
#[derive(Debug, Clone)]
pub struct Described {
    /// Where it stands in its file.
    pub spot: Spot,
    /// Its serial number, as it is stored: capital letters, digits and a few signs.
    pub serial: String,
    /// The user name of the person who has it, where the file tells.
    pub user: Option<String>,
    /// How its passcodes come about.
    pub method: Method,
    /// The hash function.
    pub algorithm: Algorithm,
    /// Characters of a passcode.
    pub length: u8,
    /// What they are written in.
    pub alphabet: Alphabet,
    /// The OTP secret.
    pub secret: SecretBytes,
    /// Who made it.
    pub manufacturer: Option<String>,
    /// As whoever made it calls it.
    pub model: Option<String>,
}

/// A serial number as it is stored and looked for.
///
/// # Errors
/// What is wrong with it, as the end of a sentence.
pub fn checked_serial(text: &str) -> Result<String, &'static str> {
    let serial = text.trim().to_uppercase();
    if serial.is_empty() {
        return Err("has no serial number");
    }
    if serial.len() > LONGEST_SERIAL {
        return Err("has a serial number of more than 64 characters");
    }
    if !serial.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:/".contains(c)) {
        return Err("has a serial number with other characters than letters, digits and - _ . : /");
    }
    Ok(serial)
}

/// A secret of a length that is taken.
///
/// # Errors
/// What is wrong with it, as the end of a sentence.
pub fn checked_secret(octets: Vec<u8>) -> Result<SecretBytes, String> {
    let secret = SecretBytes::new(octets);
    if SECRET_LENGTHS.contains(&secret.expose().len()) {
        Ok(secret)
    } else {
        let (least, most) = (SECRET_LENGTHS.start(), SECRET_LENGTHS.end());
        Err(format!("has a secret of {} octets; {least} to {most} are taken", secret.expose().len()))
    }
}

/// The name of a maker or a model as it is kept: at most 100 characters, no control characters.
#[must_use]
pub fn kept(text: &str) -> Option<String> {
    let text: String = text.trim().chars().filter(|c| !c.is_control()).take(100).collect();
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_folded_and_checked() {
        assert_eq!(checked_serial(" aladdin-12.3 ").as_deref(), Ok("ALADDIN-12.3"));
        for bad in ["", " ", "a b", "a\nb", "ä", "<x>", &"a".repeat(65)] {
            assert!(checked_serial(bad).is_err(), "{bad:?}");
        }
    }

    /// RFC 4226 section 4, R4.
    #[test]
    fn short_secrets_are_refused() {
        assert!(checked_secret(vec![0; 9]).is_err() && checked_secret(vec![0; 129]).is_err());
        assert!(checked_secret(vec![0; 10]).is_ok() && checked_secret(vec![0; 128]).is_ok());
    }
}
