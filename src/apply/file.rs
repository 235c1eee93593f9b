//! The apply file as operators type it. Every key is optional here, so that all faults are found at once; what
//! must be there is asked for by [`super::plan`].

use std::collections::BTreeMap;

use serde::Deserialize;

use super::messages::MessageDraft;
use crate::domain::application::ApplicationDraft;
use crate::domain::authenticator::template::Mode;
use crate::domain::oath::alphabet::Alphabet;
use crate::domain::operator::Permissions;
use crate::domain::policy::draft::PolicyDraft;
use crate::domain::policy::test_case::TestCaseDraft;
use crate::domain::provisioning_task::TokenType;
use crate::domain::resource::Resource;
use crate::domain::secret::SecretString;

/// A whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    /// The virtual servers.
    pub tenant: Vec<Tenant>,
}

/// A virtual server. What is not named stays as it is, or becomes the default of a new one.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tenant {
    /// Its code in addresses; required.
    pub code: String,
    /// The organization; required for a new one.
    pub name: Option<String>,
    /// A language tag.
    pub default_language: Option<String>,
    /// How people reach the help desk.
    pub help_contact: Option<String>,
    /// Whether it answers at all.
    pub enabled: Option<bool>,
    /// Groups.
    pub group: Vec<Group>,
    /// People.
    pub user: Vec<User>,
    /// APIs that access tokens can be for; named, they are all there are.
    pub resource: Option<Vec<Resource>>,
    /// Applications.
    pub application: Vec<ApplicationDraft>,
    /// What applies where no ranked policy does.
    pub global_policy: Option<PolicyDraft>,
    /// Ranked policies, the first match wins.
    pub access_policy: Vec<PolicyDraft>,
    /// [`crate::domain::policy::provisioning::SelfProvisioning`], key by key.
    pub self_provisioning: toml::Table,
    /// Rows of the platform matrix, key by key.
    pub platforms: BTreeMap<String, toml::Table>,
    /// `app`, `oath_app` and `oath`, key by key.
    pub token_template: BTreeMap<String, toml::Table>,
    /// [`crate::domain::authenticator::server_pin::ServerSidePin`], key by key.
    pub server_side_pin: toml::Table,
    /// [`crate::domain::authenticator::rules::TokenRules`], key by key.
    pub tokens: toml::Table,
    /// [`crate::domain::email_code::EmailCodeSettings`], key by key.
    pub email_code: toml::Table,
    /// [`crate::domain::login::names::LoginNames`], key by key.
    pub login: toml::Table,
    /// [`crate::domain::lockout::LockoutSettings`], key by key.
    pub lockout: toml::Table,
    /// [`crate::domain::session::SessionSettings`], key by key.
    pub session: toml::Table,
    /// [`crate::domain::oath::window::WindowSettings`], key by key.
    pub windows: toml::Table,
    /// [`crate::domain::alert::AlertSettings`], key by key.
    pub alerts: toml::Table,
    /// [`crate::domain::provisioning_task::EnrollmentMail`], key by key.
    pub enrollment_mail: toml::Table,
    /// [`crate::domain::audit::LogSettings`], key by key.
    pub logs: toml::Table,
    /// [`crate::domain::branding::Branding`], key by key; its pictures are set at the console or by the management API.
    pub branding: toml::Table,
    /// Own words for mails and texts of pages.
    pub message: Vec<MessageDraft>,
    /// Cases that policies, applications and self-provisioning are held against before they are changed.
    pub test_case: Vec<TestCaseDraft>,
    /// Rules by which groups get authenticators; named, they are all there are.
    pub provisioning_rule: Option<Vec<ProvisioningRule>>,
    /// Roles of operators, beside the built-in ones.
    pub role: Vec<Role>,
    /// Who operates the virtual server.
    pub operator: Vec<Operator>,
}

/// A role of operators.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Role {
    /// Unique in the virtual server; required.
    pub name: String,
    /// For each module its deeds.
    pub permissions: Permissions,
}

/// Somebody who operates the virtual server.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Operator {
    /// The account; required.
    pub username: String,
    /// `Operator`, `Help desk`, `Auditor`, or the name of an own role.
    pub role: String,
}

/// A provisioning rule.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProvisioningRule {
    /// Unique in the virtual server; required.
    pub name: String,
    /// Whether it is looked at; it is unless given.
    pub enabled: Option<bool>,
    /// `app` unless given, or `oath_app`.
    pub token_type: TokenType,
    /// Names of groups; at least one.
    pub groups: Vec<String>,
    /// Whether people get one who have an authenticator of that type.
    pub issue_duplicates: bool,
    /// Whether what it issued is revoked when people leave its groups.
    pub auto_revoke: bool,
}

/// A group.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Group {
    /// Unique in the virtual server.
    pub name: String,
}

/// A person.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct User {
    /// Unique in the virtual server; required.
    pub username: String,
    /// Where codes go.
    pub email: Option<String>,
    /// A second name for the login.
    pub alias: Option<String>,
    /// The telephone number, international.
    pub phone: Option<String>,
    /// Whether the organization has proven that the number is the person's; not unless it is said.
    pub phone_verified: Option<bool>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// A language tag.
    pub language: Option<String>,
    /// Whether the account may be used.
    pub enabled: Option<bool>,
    /// The password; a stored one that is the same stays as it is.
    pub password: Option<SecretString>,
    /// Its Argon2id hash instead, as a PHC string.
    pub password_hash: Option<String>,
    /// Names of groups; the person is then in these and no others.
    pub groups: Option<Vec<String>>,
    /// Tokens brought along from another system.
    pub token: Vec<Token>,
}

/// A token brought along from another system.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Token {
    /// `oath_app`, or `oath` for a hardware token: tokens of the activation protocol are bound to a device's key.
    pub r#type: Option<String>,
    /// The secret, base32, with or without blanks and padding; required.
    pub secret_base32: Option<SecretString>,
    /// `SHA1` (default), `SHA256` or `SHA512`.
    pub algorithm: Option<String>,
    /// 6 (default) or 8.
    pub digits: Option<u8>,
    /// Seconds of a time step; 30 unless given.
    pub period_seconds: Option<u32>,
    /// The next counter of an event-based token.
    pub counter: Option<i64>,
    /// What passcodes are written in; decimal unless given.
    pub alphabet: Option<Alphabet>,
    /// `challenge_response` if it answers challenges (OCRA).
    pub mode: Option<Mode>,
    /// As the person calls it.
    pub name: Option<String>,
}
