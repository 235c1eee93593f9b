//! Alerts: what operators want to hear of at once, and who of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::ids::{CorrelationId, UserId};
use crate::domain::timestamp::Timestamp;
use crate::domain::user::checked_email;

/// What an alert is about. The names are those of the settings, the database and the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A passcode was tried that had been accepted before.
    PasscodeReuse,
    /// Enrollment of a person is locked after too many wrong codes.
    EnrollmentLockout,
    /// An enrollment was not finished by its stop date.
    ExpiredReservation,
    /// An account is locked after too many wrong attempts.
    AccountLockout,
    /// An authenticator is locked for good after too many wrong passcodes.
    TokenLockout,
    /// Somebody with the password wanted to enroll and met a closed gate (AC-02).
    EnrollmentWithheld,
    /// There are so many wrong secrets in the whole virtual server that it is an attack.
    AttackSuspected,
    /// A wave of the rollout pauses: too many people got stuck or needed the help desk.
    RolloutPaused,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::PasscodeReuse,
        Self::EnrollmentLockout,
        Self::ExpiredReservation,
        Self::AccountLockout,
        Self::TokenLockout,
        Self::EnrollmentWithheld,
        Self::AttackSuspected,
        Self::RolloutPaused,
    ];

    /// The published name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::PasscodeReuse => "passcode_reuse",
            Self::EnrollmentLockout => "enrollment_lockout",
            Self::ExpiredReservation => "expired_reservation",
            Self::AccountLockout => "account_lockout",
            Self::TokenLockout => "token_lockout",
            Self::EnrollmentWithheld => "enrollment_withheld",
            Self::AttackSuspected => "attack_suspected",
            Self::RolloutPaused => "rollout_paused",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.id() == text)
    }
}

/// A mail address that alerts go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient(String);

impl TryFrom<String> for Recipient {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        checked_email(&text).map(Self).map_err(|words| format!("\"{text}\" {words}"))
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> Self {
        recipient.0
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who hears of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertSettings {
    /// The mail addresses that alerts go to.
    pub recipients: Vec<Recipient>,
    /// What they are told of. Every alert is written down, whether somebody is told or not.
    pub kinds: Vec<Kind>,
}

impl Default for AlertSettings {
    /// Locked accounts are everyday business where many people log in; whoever wants to hear of them says so.
    fn default() -> Self {
        let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::AccountLockout).collect();
        Self { recipients: Vec::new(), kinds }
    }
}

impl AlertSettings {
    /// Who is told of an alert of this kind.
    #[must_use]
    pub fn told_of(&self, kind: Kind) -> &[Recipient] {
        if self.kinds.contains(&kind) { &self.recipients } else { &[] }
    }
}

/// One alert. What is not known stays empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub kind: Kind,
    /// When it happened.
    pub at: Timestamp,
    /// The person whom it concerns.
    pub user: Option<UserId>,
    /// The person's user name.
    pub username: String,
    /// The serial number of the authenticator.
    pub serial: String,
    /// The application that was to be reached.
    pub application: String,
    /// The client's address.
    pub address: String,
    /// The login in which it happened.
    pub correlation: Option<CorrelationId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// names are stable, and are the same in settings, database and command line.
    #[test]
    fn every_kind_has_one_name() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("a word"), kind.id());
            assert_eq!(Kind::named(kind.id()), Some(kind));
        }
    }

    #[test]
    fn nobody_is_told_of_what_they_did_not_ask_for() {
        let recipient = Recipient::try_from("soc@acme.test".to_owned()).expect("an address");
        let settings = AlertSettings { recipients: vec![recipient], ..AlertSettings::default() };
        assert_eq!(settings.told_of(Kind::PasscodeReuse).len(), 1);
        assert!(settings.told_of(Kind::AccountLockout).is_empty());
        assert!(Recipient::try_from("soc\r\nBcc: x@y.test".to_owned()).is_err());
    }
}
