//! The authentication log: what the audit trail tells of passwords, passcodes and whatever stands in for them.

use super::Action;

/// How an authentication ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was accepted.
    Success,
    /// It was not.
    Failure,
}

impl Outcome {
    /// The published name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
        }
    }
}

/// What was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// The password.
    Password,
    /// A passcode, or the response to a challenge.
    Passcode,
    /// The PIN beside a passcode.
    Pin,
    /// A recovery code.
    RecoveryCode,
    /// A temporary code of the help desk.
    TemporaryCode,
    /// A one-time pass of the help desk.
    Pass,
    /// A code that was mailed.
    MailedCode,
}

impl Credential {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Password,
        Self::Passcode,
        Self::Pin,
        Self::RecoveryCode,
        Self::TemporaryCode,
        Self::Pass,
        Self::MailedCode,
    ];

    /// The published name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Passcode => "passcode",
            Self::Pin => "pin",
            Self::RecoveryCode => "recovery_code",
            Self::TemporaryCode => "temporary_code",
            Self::Pass => "pass",
            Self::MailedCode => "mailed_code",
        }
    }
}

/// Every event that is an authentication: what it is called, how it ended, what was shown, and what that means.
pub const ALL: [(Action, Outcome, Credential, &str); 20] = {
    use Credential::{MailedCode, Pass, Passcode, Password, Pin, RecoveryCode, TemporaryCode};
    use Outcome::{Failure, Success};
    [
        (Action::PasswordAccepted, Success, Password, "The password was right."),
        (Action::PasswordRejected, Failure, Password, "The password was wrong, or there is no such account."),
        (
            Action::PasswordIgnored,
            Failure,
            Password,
            "The password was not looked at: the account is locked, or waits after failures by another name.",
        ),
        (Action::PasscodeAccepted, Success, Passcode, "The passcode was right."),
        (Action::PasscodeRejected, Failure, Passcode, "The passcode was not one of an active token of this person."),
        (Action::PasscodeReused, Failure, Passcode, "The passcode was used before."),
        (
            Action::PasscodeOutOfSync,
            Failure,
            Passcode,
            "The passcode was right for another time: the next one is asked for.",
        ),
        (Action::ClockOff, Failure, Passcode, "The passcode belongs to another time: the clock of the device is off."),
        (Action::TokenTested, Success, Passcode, "The person tried the token in the portal; it works."),
        (
            Action::TokenSynchronized,
            Success,
            Passcode,
            "Two passcodes in a row were right: the token was synchronized.",
        ),
        (
            Action::TokenSynchronizationFailed,
            Failure,
            Passcode,
            "Two passcodes in a row did not synchronize the token.",
        ),
        (Action::PinRejected, Failure, Pin, "The PIN beside the passcode was wrong."),
        (Action::RecoveryCodeUsed, Success, RecoveryCode, "The recovery code was right and is used up."),
        (Action::RecoveryCodeRejected, Failure, RecoveryCode, "The recovery code, temporary code or pass was wrong."),
        (Action::TemporaryCodeUsed, Success, TemporaryCode, "The temporary code was right and is used up."),
        (Action::HelpDeskPassUsed, Success, Pass, "The one-time pass of the help desk was right and is used up."),
        (Action::CodeVerified, Success, MailedCode, "The mailed code was right: the mailbox is proven."),
        (Action::CodeRejected, Failure, MailedCode, "The mailed code was wrong."),
        (Action::CodeExpired, Failure, MailedCode, "The mailed code was too old, used or replaced."),
        (Action::CodeExhausted, Failure, MailedCode, "Five mailed codes were wrong: the login was ended."),
    ]
};

/// What an event with this published name means as an authentication, if it is one.
#[must_use]
pub fn of(action: &str) -> Option<(Outcome, Credential, &'static str)> {
    let found = ALL.iter().find(|(known, ..)| known.text() == action);
    found.map(|(_, outcome, credential, message)| (*outcome, *credential, *message))
}

/// The published names of the events that fit.
#[must_use]
pub fn actions(outcome: Option<Outcome>, credential: Option<Credential>) -> Vec<String> {
    let fits = |(_, how, what, _): &&(Action, Outcome, Credential, &str)| {
        outcome.is_none_or(|wanted| wanted == *how) && credential.is_none_or(|wanted| wanted == *what)
    };
    ALL.iter().filter(fits).map(|(action, ..)| action.text()).collect()
}
