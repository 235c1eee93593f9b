//! Token templates (A10, A11): what an authenticator is like, decided by operators, frozen at enrollment.

use serde::{Deserialize, Serialize};

use crate::domain::oath::Algorithm;
use crate::domain::oath::alphabet::Alphabet;

/// How passcodes come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A passcode without a challenge.
    QuickLog,
    /// A response to a challenge shown at the login.
    ChallengeResponse,
}

/// What moves passcodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Synchronization {
    /// The clock.
    Time,
    /// Presses of a button.
    Event,
}

/// Who knows the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinType {
    /// There is none.
    None,
    /// The app: it asks before it shows a passcode.
    UserSelected,
    /// The server: it is typed with the passcode.
    ServerSide,
}

/// How complex a PIN must be at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PinComplexity {
    /// Digits suffice; letters are welcome.
    Decimal,
    /// A capital letter, a small letter and a digit.
    StrongAlphanumeric,
}

/// A token template. The names of the fields are the keys of the apply file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenTemplate {
    /// Grows with every change; a token says which version it was enrolled with.
    pub version: u32,
    /// Passcode or response to a challenge.
    pub mode: Mode,
    /// Characters of a passcode: 6 or 8.
    pub length: u8,
    /// Time-based or event-based.
    pub synchronization: Synchronization,
    /// Seconds that a time-based passcode is shown: 20 to 120 in steps of 10.
    pub time_step_seconds: u32,
    /// Generated and unused passcodes that an event-based token may be ahead: 1 to 25.
    pub event_window: u8,
    /// The hash function.
    pub algorithm: Algorithm,
    /// What passcodes are written in: decimal, but for imported tokens. Apps are not told what goes without saying.
    #[serde(skip_serializing_if = "Alphabet::is_decimal")]
    pub alphabet: Alphabet,
    /// Who knows the PIN.
    pub pin_type: PinType,
    /// Characters of a PIN at least: 4 to 8.
    pub pin_min_length: u8,
    /// Whether a PIN may be a plain sequence or one repeated character.
    pub allow_trivial_pins: bool,
    /// How complex a PIN must be.
    pub pin_complexity: PinComplexity,
    /// Wrong PINs in a row that lock the token in the app: 1 to 10.
    pub max_pin_attempts: u8,
    /// Whether the device's fingerprint or face may stand in for the PIN.
    pub allow_biometric_pin: bool,
}

impl Default for TokenTemplate {
    fn default() -> Self {
        Self::app()
    }
}

impl TokenTemplate {
    /// Whether passcodes come from the clock alone, neither from presses nor from challenges.
    #[must_use]
    pub fn is_by_time(&self) -> bool {
        self.synchronization == Synchronization::Time && self.mode == Mode::QuickLog
    }

    /// For apps that speak our protocol, in a new virtual server.
    #[must_use]
    pub const fn app() -> Self {
        Self {
            version: 1,
            mode: Mode::QuickLog,
            length: 6,
            synchronization: Synchronization::Time,
            time_step_seconds: 30,
            event_window: 10,
            algorithm: Algorithm::Sha256,
            alphabet: Alphabet::Decimal,
            pin_type: PinType::None,
            pin_min_length: 4,
            allow_trivial_pins: false,
            pin_complexity: PinComplexity::Decimal,
            max_pin_attempts: 5,
            allow_biometric_pin: false,
        }
    }

    /// For standard apps: what every one of them understands.
    #[must_use]
    pub const fn oath_app() -> Self {
        Self { algorithm: Algorithm::Sha1, ..Self::app() }
    }

    /// Octets of the OTP secret: as many as the hash function gives.
    #[must_use]
    pub const fn secret_length(&self) -> usize {
        match self.algorithm {
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 => 32,
            Algorithm::Sha512 => 64,
        }
    }

    /// Every rule that the template breaks, as `(key, sentence's end)`.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        let mut rule = |holds: bool, key, words| {
            if !holds {
                faults.push((key, words));
            }
        };
        rule(matches!(self.length, 6 | 8), "length", "must be 6 or 8");
        rule(
            (20..=120).contains(&self.time_step_seconds) && self.time_step_seconds.is_multiple_of(10),
            "time_step_seconds",
            "must be 20 to 120 in steps of 10",
        );
        rule((1..=25).contains(&self.event_window), "event_window", "must be 1 to 25");
        rule((4..=8).contains(&self.pin_min_length), "pin_min_length", "must be 4 to 8");
        rule((1..=10).contains(&self.max_pin_attempts), "max_pin_attempts", "must be 1 to 10");
        rule(
            !self.allow_biometric_pin || self.pin_type == PinType::UserSelected,
            "allow_biometric_pin",
            "needs pin_type = \"user_selected\"",
        );
        rule(
            self.mode == Mode::QuickLog || self.pin_type != PinType::ServerSide,
            "pin_type",
            "must not be \"server_side\" where challenges are answered",
        );
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn the_defaults_of_a_new_virtual_server() {
        let app = TokenTemplate::default();
        assert_eq!((app.length, app.time_step_seconds, app.secret_length()), (6, 30, 32));
        assert_eq!((app.mode, app.pin_type), (Mode::QuickLog, PinType::None));
        assert!(!app.allow_trivial_pins && !app.allow_biometric_pin && app.faults().is_empty());
        assert_eq!(TokenTemplate::oath_app().secret_length(), 20);
    }

    ///
    #[test]
    fn every_broken_rule_is_named() {
        let broken = TokenTemplate {
            length: 7,
            time_step_seconds: 45,
            event_window: 0,
            pin_min_length: 9,
            max_pin_attempts: 11,
            allow_biometric_pin: true,
            ..TokenTemplate::app()
        };
        let keys: Vec<_> = broken.faults().into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            [
                "length",
                "time_step_seconds",
                "event_window",
                "pin_min_length",
                "max_pin_attempts",
                "allow_biometric_pin"
            ]
        );
    }
}
