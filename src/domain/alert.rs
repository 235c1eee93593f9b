//! Alerts: what operators want to hear of at once, and who of them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::ids::{CorrelationId, UserId};
use crate::domain::name::key_of;
use crate::domain::operator::Role;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::checked_email;

/// What an alert is about. The names are those of the settings, the database and the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "AlertKind")]
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
    /// Somebody became an operator, is none any more, or has another role.
    OperatorChanged,
    /// A mail was given up, or mails wait for a server that does not take them.
    MailFailure,
    /// The chain over the audit trail is broken: somebody changed it behind the service's back.
    AuditChainBroken,
    /// A certificate that somebody relies on runs out.
    CertificateExpiring,
    /// A webhook was switched off because it failed too long.
    WebhookDisabled,
    /// More codes by mail were asked for in an hour than may be sent, so some were not.
    CodesWithheld,
    /// A person says of a login or an authenticator of theirs that it was not them.
    AccessDisputed,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::PasscodeReuse,
        Self::EnrollmentLockout,
        Self::ExpiredReservation,
        Self::AccountLockout,
        Self::TokenLockout,
        Self::EnrollmentWithheld,
        Self::AttackSuspected,
        Self::RolloutPaused,
        Self::OperatorChanged,
        Self::MailFailure,
        Self::AuditChainBroken,
        Self::CertificateExpiring,
        Self::WebhookDisabled,
        Self::CodesWithheld,
        Self::AccessDisputed,
    ];
    /// What the role Operator hears of where nobody has said anything else: what is seldom and cannot wait.
    pub const SERIOUS: [Self; 8] = [
        Self::AttackSuspected,
        Self::RolloutPaused,
        Self::MailFailure,
        Self::AuditChainBroken,
        Self::CertificateExpiring,
        Self::WebhookDisabled,
        Self::CodesWithheld,
        Self::AccessDisputed,
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
            Self::OperatorChanged => "operator_changed",
            Self::MailFailure => "mail_failure",
            Self::AuditChainBroken => "audit_chain_broken",
            Self::CertificateExpiring => "certificate_expiring",
            Self::WebhookDisabled => "webhook_disabled",
            Self::CodesWithheld => "codes_withheld",
            Self::AccessDisputed => "access_disputed",
        }
    }

    /// What it is called at the console.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::PasscodeReuse => "A passcode was tried a second time",
            Self::EnrollmentLockout => "Enrollment of a user is locked",
            Self::ExpiredReservation => "An enrollment was not finished by its stop date",
            Self::AccountLockout => "An account is locked",
            Self::TokenLockout => "A token is locked for good",
            Self::EnrollmentWithheld => "Enrollment was withheld at a gate",
            Self::AttackSuspected => "So many wrong secrets that it is an attack",
            Self::RolloutPaused => "The brake of a wave was pulled",
            Self::OperatorChanged => "An operator was added, removed or got another role",
            Self::MailFailure => "A mail was given up, or mails wait",
            Self::AuditChainBroken => "The chain of the audit trail is broken",
            Self::CertificateExpiring => "A certificate runs out",
            Self::WebhookDisabled => "A webhook was switched off because it failed",
            Self::CodesWithheld => "Codes by mail are withheld: too many were asked for",
            Self::AccessDisputed => "A user says that a login was not theirs",
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

/// Alerts of one kind in an hour that are told one by one where nobody has said anything else.
const MOST_PER_HOUR: u32 = 10;

/// Who hears of what by mail. Webhooks say for themselves what they hear of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertSettings {
    /// Mail addresses that alerts go to, beside those of operators.
    pub recipients: Vec<Recipient>,
    /// What these addresses are told of. Every alert is written down, whether somebody is told or not.
    pub kinds: Vec<Kind>,
    /// What the operators of each role are told of, by the name of the role.
    pub roles: BTreeMap<String, Vec<Kind>>,
    /// Alerts of one kind in an hour that are told one by one, 1 to 100; the others are told together when the hour is over.
    pub most_per_hour: u32,
}

impl Default for AlertSettings {
    /// Locked accounts are everyday business where many people log in; whoever wants to hear of them says so.
    fn default() -> Self {
        let kinds = Kind::ALL.into_iter().filter(|kind| *kind != Kind::AccountLockout).collect();
        let operator = Role::Operator.built_in_name().unwrap_or_default().to_owned();
        let roles = BTreeMap::from([(operator, Kind::SERIOUS.to_vec())]);
        Self { recipients: Vec::new(), kinds, roles, most_per_hour: MOST_PER_HOUR }
    }
}

impl AlertSettings {
    /// Which of the fixed addresses are told of an alert of this kind.
    #[must_use]
    pub fn told_of(&self, kind: Kind) -> &[Recipient] {
        if self.kinds.contains(&kind) { &self.recipients } else { &[] }
    }

    /// Whether the operators of the role with this name are told of it.
    #[must_use]
    pub fn tells_role(&self, role: &str, kind: Kind) -> bool {
        let mut of = self.roles.iter().filter(|(name, _)| key_of(name) == key_of(role));
        of.any(|(_, kinds)| kinds.contains(&kind))
    }

    /// The names under `roles` that are none of `known`.
    pub fn unknown_roles<'a>(&'a self, known: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
        let is_known = |name: &str| known.iter().any(|known| key_of(known) == key_of(name));
        self.roles.keys().map(String::as_str).filter(move |name| !is_known(name))
    }

    /// What a role that is called otherwise from now on was told of, it is told of under its new name.
    pub fn rename_role(&mut self, before: &str, after: &str) {
        let old = self.roles.keys().find(|name| key_of(name) == key_of(before)).cloned();
        if let Some(kinds) = old.and_then(|old| self.roles.remove(&old)) {
            self.roles.insert(after.to_owned(), kinds);
        }
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
    /// What else is known, in English, at most 500 characters: what the mail server said, which row of the chain is broken.
    pub detail: String,
}

impl Alert {
    /// An alert about the service itself, and nobody.
    #[must_use]
    pub fn of_the_service(kind: Kind, at: Timestamp, detail: impl Into<String>) -> Self {
        Self {
            kind,
            at,
            user: None,
            username: String::new(),
            serial: String::new(),
            application: String::new(),
            address: String::new(),
            correlation: None,
            detail: detail.into(),
        }
    }
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
        assert!(
            settings.tells_role("operator", Kind::AuditChainBroken)
                && !settings.tells_role("Auditor", Kind::MailFailure)
        );
        assert!(!settings.tells_role("Operator", Kind::PasscodeReuse));
        assert!(Recipient::try_from("soc\r\nBcc: x@y.test".to_owned()).is_err());
    }

    /// a role keeps what it hears of when it is renamed, and one that is not there is found.
    #[test]
    fn roles_are_known_by_their_names() {
        let mut settings = AlertSettings::default();
        settings.roles.insert("Night watch".to_owned(), vec![Kind::TokenLockout]);
        assert_eq!(settings.unknown_roles(&["Operator"]).collect::<Vec<_>>(), ["Night watch"]);
        settings.rename_role("night WATCH", "Day watch");
        assert!(settings.tells_role("Day watch", Kind::TokenLockout) && !settings.roles.contains_key("Night watch"));
    }
}
