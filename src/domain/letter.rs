//! Letters: what we write to people, as values. `mail::render` turns one into words in a language.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::alert;
use crate::domain::ids::{ActivationId, LinkId};
use crate::domain::policy::platform::Platform;
use crate::domain::provisioning_task::TokenType;
use crate::domain::timestamp::Timestamp;

/// A letter to one person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Letter {
    /// The code that proves a mailbox. It contains no link.
    VerificationCode {
        /// The code.
        code: String,
        /// The application that the person wants to reach.
        application: String,
        /// How long the code is valid.
        valid_minutes: u64,
        /// Whether the subject may show the code.
        in_subject: bool,
    },
    /// An authenticator was added, and what to do if it was not by you.
    Enrolled {
        /// What the device calls itself.
        device: String,
        /// Where it lives.
        platform: Platform,
        /// Its serial number.
        serial: String,
        /// When.
        at: Timestamp,
        /// From which address.
        address: String,
        /// The sealed statement "this token", for the link "this was not me".
        undo: String,
    },
    /// The account is locked for a while.
    AccountLocked {
        /// When it unlocks by itself; never, if an operator must act.
        until: Option<Timestamp>,
        /// Whether the login page may call a right password wrong until then: it tells nobody which names are one account's.
        #[serde(default)]
        hidden: bool,
    },
    /// The account was locked and works again.
    AccountUnlocked,
    /// Somebody tried a passcode a second time.
    PasscodeReused {
        /// The application at whose login it was tried.
        application: String,
        /// When.
        at: Timestamp,
        /// From which address.
        address: String,
    },
    /// An app has told that an authenticator was removed in it: it is suspended.
    RemovedOnDevice {
        /// What its owner calls it.
        device: String,
        /// Its serial number.
        serial: String,
        /// When.
        at: Timestamp,
        /// From which address.
        address: String,
    },
    /// An authenticator was removed in the portal, by whoever was logged in there: maybe not its owner (NIST SP 800-63B 4.6).
    RemovedInPortal {
        /// What its owner calls it.
        device: String,
        /// Its serial number.
        serial: String,
        /// When.
        at: Timestamp,
        /// From which address.
        address: String,
    },
    /// An authenticator was reported lost in the portal, and is stopped (R-359, NIST SP 800-63B 4.6).
    LostInPortal {
        /// What its owner calls it.
        device: String,
        /// Its serial number.
        serial: String,
        /// When.
        at: Timestamp,
        /// From which address.
        address: String,
    },
    /// The address of the account is another one from now on; goes to the one before.
    AddressChanged {
        /// When.
        at: Timestamp,
    },
    /// What operators asked to hear of at once.
    Alert {
        /// What it is about.
        kind: alert::Kind,
        /// When.
        at: Timestamp,
        /// The person's user name; empty if it is about nobody.
        person: String,
        /// The authenticator's serial number, if it is about one.
        serial: String,
        /// The application that was to be reached.
        application: String,
        /// From which address.
        address: String,
        /// What else is known, in English.
        #[serde(default)]
        detail: String,
    },
    /// Alerts of one kind that came in a burst and were not told one by one.
    AlertsGathered {
        /// What they are about.
        kind: alert::Kind,
        /// How many.
        count: u64,
        /// When the first of them was.
        from: Timestamp,
        /// When the last of them was.
        until: Timestamp,
        /// The user names that are most often among them, at most ten.
        people: Vec<String>,
    },
    /// A report that somebody set up.
    Report {
        /// What it is called.
        name: String,
        /// The page of the console that shows it, below `/operator/`.
        page: String,
        /// The span that it is about.
        from: Timestamp,
        /// See `from`.
        until: Timestamp,
        /// How many rows it has.
        rows: u64,
        /// The table as CSV, where it is attached: the name of the file, and the text.
        table: Option<(String, String)>,
        /// Whether it was to be attached and is too long.
        too_long: bool,
    },
    /// New recovery codes were made; those before no longer work.
    RecoveryCodesMade {
        /// When.
        at: Timestamp,
        /// From which address.
        address: String,
    },
    /// A recovery code was used.
    RecoveryCodeUsed {
        /// When.
        at: Timestamp,
        /// From which address.
        address: String,
        /// How many are left.
        left: u64,
    },
    /// The help desk gave out a pass or temporary codes.
    HelpDeskCode {
        /// When.
        at: Timestamp,
    },
    /// How to enroll: the link, and what to do with it.
    Enrollment(Invitation),
    /// The same shortly before the stop date.
    EnrollmentReminder(Invitation),
    /// A test by an operator.
    Test,
}

/// What a mail about an enrollment says.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The link in the mail.
    pub link: LinkId,
    /// Its secret.
    pub secret: String,
    /// Until when it works.
    pub until: Timestamp,
    /// What is enrolled.
    pub token_type: TokenType,
    /// Whether it replaces an earlier mail.
    pub again: bool,
    /// The activation itself, where the operators want it in mails: identifier and secret, in base32.
    pub activation: Option<(ActivationId, String)>,
}

impl Letter {
    /// The stable name of the kind of letter, in the outbox and in template folders.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::VerificationCode { .. } => "verification_code",
            Self::Enrolled { .. } => "enrolled",
            Self::AccountLocked { .. } => "account_locked",
            Self::AccountUnlocked => "account_unlocked",
            Self::PasscodeReused { .. } => "passcode_reused",
            Self::RemovedOnDevice { .. } => "removed_on_device",
            Self::RemovedInPortal { .. } => "removed_in_portal",
            Self::LostInPortal { .. } => "lost_in_portal",
            Self::AddressChanged { .. } => "address_changed",
            Self::Alert { .. } => "alert",
            Self::AlertsGathered { .. } => "alerts_gathered",
            Self::Report { .. } => "report",
            Self::RecoveryCodesMade { .. } => "recovery_codes_made",
            Self::RecoveryCodeUsed { .. } => "recovery_code_used",
            Self::HelpDeskCode { .. } => "help_desk_code",
            Self::Enrollment(_) => "enrollment",
            Self::EnrollmentReminder(_) => "enrollment_reminder",
            Self::Test => "test",
        }
    }
}

/// A letter in words, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The subject: one line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same in HTML, without pictures and without anything to load.
    pub html: String,
    /// A table that is attached as CSV: the name of the file, and the text.
    pub table: Option<(String, String)>,
}

impl fmt::Debug for Letter {
    /// The kind only: a letter may hold a code (T-74).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Letter({})", self.kind())
    }
}

/// A letter with everything that is needed to render and send it later; sealed in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The receiver's address, as it stood in the directory in the same transaction (T-03).
    pub to: String,
    /// The receiver's name, for the greeting.
    pub name: String,
    /// The user name of the account that it is about; empty if it is about nobody.
    #[serde(default)]
    pub account: String,
    /// The language of the flow that causes the letter.
    pub language: String,
    /// The tenant's code, for links.
    pub tenant_code: String,
    /// The organization's name.
    pub organization: String,
    /// How to reach the help desk.
    pub help_contact: String,
    /// What is written.
    pub letter: Letter,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T-74.
    #[test]
    fn a_letter_does_not_print_its_code() {
        let letter = Letter::VerificationCode {
            code: "314159".to_owned(),
            application: "Notes".to_owned(),
            valid_minutes: 10,
            in_subject: false,
        };
        assert_eq!(format!("{letter:?}"), "Letter(verification_code)");
    }
}
