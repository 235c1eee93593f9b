//! Audit events: every change of state leaves one, in the transaction that makes the change (INV-8).

pub mod authentication;
pub mod chain;

use serde::{Deserialize, Serialize};

use crate::domain::ids::{ApiKeyId, CorrelationId, TenantId, UserId};
use crate::domain::timestamp::Timestamp;

/// How long logs are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogSettings {
    /// The audit trail, in days, from 30 to 3650.
    pub audit_days: u32,
    /// The access log, in days, from 7 to 3650.
    pub access_days: u32,
    /// What is kept of reports that were mailed, in days, from 1 to 1826.
    pub report_days: u32,
    /// Whether tables may be attached to mails with reports: without, a mail has a link and nothing of what is behind it.
    pub report_attachments: bool,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { audit_days: 400, access_days: 180, report_days: 365, report_attachments: false }
    }
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The person whom it concerns.
    User(UserId),
    /// Somebody at a login page who has not proven to be anybody.
    Stranger,
    /// A device, by its activation or key.
    Device,
    /// An operator at the command line; the name of the system account, for what it is worth.
    Shell(String),
    /// An operator in the console, with the user name: it is shown when the account is long gone.
    Operator(UserId, String),
    /// A program that uses the management API with this key; the name of the key, for the same reason.
    Key(ApiKeyId, String),
    /// The service itself: expiry, purge, retries.
    System,
}

impl Actor {
    /// The kind, as stored.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Stranger => "stranger",
            Self::Device => "device",
            Self::Shell(_) => "shell",
            Self::Operator(..) => "operator",
            Self::Key(..) => "api_key",
            Self::System => "system",
        }
    }

    /// Who is stored so.
    #[must_use]
    pub fn stored(kind: &str, name: &str, called: &str) -> Option<Self> {
        match kind {
            "operator" => name.parse().ok().map(|id| Self::Operator(id, called.to_owned())),
            "api_key" => name.parse().ok().map(|id| Self::Key(id, called.to_owned())),
            "user" => name.parse().ok().map(Self::User),
            "stranger" => Some(Self::Stranger),
            "device" => Some(Self::Device),
            "shell" => Some(Self::Shell(name.to_owned())),
            "system" => Some(Self::System),
            _ => None,
        }
    }

    /// The name or identifier, as stored.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::User(id) | Self::Operator(id, _) => id.to_string(),
            Self::Key(id, _) => id.to_string(),
            Self::Shell(name) => name.clone(),
            Self::Stranger | Self::Device | Self::System => String::new(),
        }
    }

    /// Whether both are the same one, whatever it was called then and is called now.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.name() == other.name()
    }

    /// What people call whoever it is, where an identifier is stored; `None` where there is nothing else to say.
    #[must_use]
    pub fn called(&self) -> Option<&str> {
        match self {
            Self::Operator(_, name) | Self::Key(_, name) => Some(name),
            Self::User(_) | Self::Shell(_) | Self::Stranger | Self::Device | Self::System => None,
        }
    }
}

/// What happened. The names are stable: reports and people's scripts ask for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant's name is its documentation; Action::text gives the published name")]
pub enum Action {
    LoginStarted,
    LoginNamed,
    LoginCompleted,
    LoginCancelled,
    LoginEnded,
    LoginExtended,
    LoginReopened,
    PasswordAccepted,
    PasswordRejected,
    PasswordIgnored,
    PasscodeAccepted,
    PasscodeRejected,
    PasscodeReused,
    PasscodeOutOfSync,
    PinRejected,
    PinChanged,
    PinReset,
    ClockOff,
    TokenTested,
    TokenSynchronized,
    TokenSynchronizationFailed,
    AccountLocked,
    AccountUnlocked,
    AttackSuspected,
    EnrollmentStarted,
    EnrollmentCancelled,
    EnrollmentCompleted,
    EnrollmentLocked,
    EnrollmentWithheld,
    EnrollmentReopened,
    EnrollmentPostponed,
    RolloutAsked,
    RolloutPaused,
    RolloutResumed,
    RecoveryCodesMade,
    RecoveryCodesKept,
    RecoveryCodeUsed,
    RecoveryCodeRejected,
    RecoveryCodesVoided,
    TemporaryCodesMade,
    TemporaryCodeUsed,
    HelpDeskPassMade,
    HelpDeskPassConfirmed,
    HelpDeskPassUsed,
    CodeSent,
    CodeResent,
    CodeWithheld,
    CodeVerified,
    CodeRejected,
    CodeExpired,
    CodeExhausted,
    PlatformChosen,
    PlatformRefused,
    AppInstalled,
    ActivationIssued,
    ActivationClaimed,
    ActivationConfirmed,
    ActivationRefused,
    ActivationReused,
    ActivationLocked,
    TokenEnrolled,
    TokenImported,
    TokenExportRequested,
    TokenExportApproved,
    TokensExported,
    TokenReinitialized,
    TokenAssigned,
    TokenReleased,
    TokenActivated,
    TokenSuspended,
    TokenReactivated,
    TokenRevoked,
    TokenLocked,
    TokenUnlocked,
    TokenRenamed,
    TokenRemovedOnDevice,
    SessionStarted,
    SessionStrengthened,
    SessionEnded,
    AccessDisputed,
    GrantIssued,
    GrantRedeemed,
    GrantRefreshed,
    GrantRevoked,
    LogoutDelivered,
    LogoutUndelivered,
    ClientSecretRejected,
    ParameterRepeated,
    RegistrationPermitted,
    DeviceStarted,
    DeviceAllowed,
    DeviceDenied,
    ConsentGiven,
    ConsentWithdrawn,
    AssertionIssued,
    MailFailed,
    MailTested,
    AlertRaised,
    AlertsGathered,
    WebhookCreated,
    WebhookChanged,
    WebhookRemoved,
    WebhookTested,
    WebhookDisabled,
    TenantCreated,
    TenantChanged,
    TemplateChanged,
    RenewalAsked,
    RenewalPostponed,
    GroupCreated,
    GroupChanged,
    GroupRemoved,
    UserCreated,
    UserChanged,
    UserRemoved,
    UserErased,
    UserExported,
    JobStarted,
    JobCancelled,
    JobEnded,
    ApplicationCreated,
    ApplicationChanged,
    ApplicationRemoved,
    PolicyCreated,
    PolicyChanged,
    PolicyRemoved,
    TestCaseCreated,
    TestCaseChanged,
    TestCaseRemoved,
    MessageChanged,
    MessageRestored,
    PictureChanged,
    KeyCreated,
    KeyRotated,
    DatabaseRestored,
    OperatorCreated,
    OperatorChanged,
    OperatorRemoved,
    RoleCreated,
    RoleChanged,
    RoleRemoved,
    ApiKeyCreated,
    ApiKeyRevoked,
    ProvisioningCreated,
    ProvisioningChanged,
    ProvisioningRemoved,
    ReservationSent,
    ReservationReminded,
    ReservationCompleted,
    ReservationExpired,
    ReservationLocked,
    ReservationRemoved,
    LinkOpened,
    LinkRefused,
    ReportScheduleCreated,
    ReportScheduleChanged,
    ReportScheduleRemoved,
    ReportSchedulePaused,
    ReportMailed,
    AuditExported,
    ListExported,
    AuditPseudonymized,
    AuditPurged,
}

impl Action {
    /// The published name: the variant in snake case.
    #[must_use]
    pub fn text(self) -> String {
        let mut text = String::new();
        for c in format!("{self:?}").chars() {
            if c.is_ascii_uppercase() && !text.is_empty() {
                text.push('_');
            }
            text.push(c.to_ascii_lowercase());
        }
        text
    }
}

/// One event. Secrets, codes and full addresses never stand in it.
#[derive(Debug, Clone)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// In which virtual server.
    pub tenant: TenantId,
    /// Who did it.
    pub actor: Actor,
    /// From where: the client's address, empty for the service itself.
    pub address: String,
    /// What happened.
    pub action: Action,
    /// What it happened to, such as `user`, `token`, `login`.
    pub object: &'static str,
    /// Its identifier.
    pub object_id: String,
    /// The login in which it happened.
    pub correlation: Option<CorrelationId>,
    /// The rest, as JSON: old and new values, reason, platform, serial number.
    pub detail: serde_json::Value,
}

impl Event {
    /// An event of the service itself or of the shell; add what else is known with the methods below.
    #[must_use]
    pub fn new(at: Timestamp, tenant: TenantId, actor: Actor, action: Action) -> Self {
        Self {
            at,
            tenant,
            actor,
            address: String::new(),
            action,
            object: "",
            object_id: String::new(),
            correlation: None,
            detail: serde_json::Value::Null,
        }
    }

    /// Names what it happened to.
    #[must_use]
    pub fn on(mut self, object: &'static str, id: impl ToString) -> Self {
        self.object = object;
        self.object_id = id.to_string();
        self
    }

    /// Adds where it came from.
    #[must_use]
    pub fn from_address(mut self, address: impl ToString) -> Self {
        self.address = address.to_string();
        self
    }

    /// Adds the login it belongs to.
    #[must_use]
    pub const fn in_login(mut self, correlation: CorrelationId) -> Self {
        self.correlation = Some(correlation);
        self
    }

    /// Adds details.
    #[must_use]
    pub fn with(mut self, detail: impl Serialize) -> Self {
        self.detail = serde_json::to_value(detail).unwrap_or_default();
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// who has another user name since is still who began a job, and somebody else of that name is not.
    #[test]
    fn an_actor_is_known_by_the_identifier() {
        let ada = Actor::Operator(UserId::from_bits(1), "ada".to_owned());
        assert!(ada.is(&Actor::Operator(UserId::from_bits(1), "countess".to_owned())));
        assert!(!ada.is(&Actor::Operator(UserId::from_bits(2), "ada".to_owned())));
        assert!(!ada.is(&Actor::User(UserId::from_bits(1))) && !ada.is(&Actor::Shell("ada".to_owned())));
    }

    ///
    #[test]
    fn actions_have_stable_names() {
        assert_eq!(Action::LoginStarted.text(), "login_started");
        assert_eq!(Action::TokenRemovedOnDevice.text(), "token_removed_on_device");
    }
}
