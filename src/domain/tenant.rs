//! Virtual servers, and everything their operators configure.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::alert::AlertSettings;
use crate::domain::application::Application;
use crate::domain::audit::LogSettings;
use crate::domain::authenticator::lifecycle::Kind;
use crate::domain::authenticator::rules::TokenRules;
use crate::domain::authenticator::server_pin::ServerSidePin;
use crate::domain::authenticator::template::TokenTemplate;
use crate::domain::branding::Branding;
use crate::domain::email_code::EmailCodeSettings;
use crate::domain::group::Group;
use crate::domain::ids::{ApplicationId, GroupId, TenantId, UserId};
use crate::domain::lockout::LockoutSettings;
use crate::domain::login::names::LoginNames;
use crate::domain::message::Messages;
use crate::domain::oath::window::WindowSettings;
use crate::domain::operator::{Operator, OwnRole, Permissions, Role};
use crate::domain::policy::access::AccessPolicies;
use crate::domain::policy::platform::{Platform, PlatformMatrix};
use crate::domain::policy::provisioning::SelfProvisioning;
use crate::domain::provisioning_rule::ProvisioningRule;
use crate::domain::provisioning_task::EnrollmentMail;
use crate::domain::resource::Resource;
use crate::domain::session::SessionSettings;
use crate::domain::timestamp::Timestamp;

/// The stable code of a virtual server, as it stands in every address of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TenantCode(String);

/// A text that cannot be a tenant's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a tenant code: 1 to 40 lower-case letters, digits and hyphens, beginning with a letter or digit")]
pub struct NotATenantCode;

impl FromStr for TenantCode {
    type Err = NotATenantCode;
    fn from_str(text: &str) -> Result<Self, NotATenantCode> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=40).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotATenantCode)
        }
    }
}

impl TryFrom<String> for TenantCode {
    type Error = NotATenantCode;
    fn try_from(text: String) -> Result<Self, NotATenantCode> {
        text.parse()
    }
}

impl From<TenantCode> for String {
    fn from(code: TenantCode) -> Self {
        code.0
    }
}

impl AsRef<str> for TenantCode {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a virtual server answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Enabled,
    /// It refuses logins, enrollments and devices with a neutral page and keeps its data.
    Disabled,
}

/// A virtual server: one customer's isolated environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its identifier; every row and every sealed secret carries it.
    pub id: TenantId,
    /// Its code in addresses.
    pub code: TenantCode,
    /// The organization's name, as pages and mails show it.
    pub name: String,
    /// Whether it answers.
    pub status: Status,
    /// The language of pages and mails when nothing better is known.
    pub default_language: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// What a virtual server tells of itself in words: name, language, help desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Organization {
    /// The organization's name, as pages and mails show it.
    pub name: String,
    /// The tag of the language of pages and mails when nothing better is known.
    pub default_language: String,
    /// How people reach the help desk.
    pub help_contact: String,
}

impl Organization {
    /// That of a virtual server.
    #[must_use]
    pub fn of(config: &TenantConfig) -> Self {
        Self {
            name: config.tenant.name.clone(),
            default_language: config.tenant.default_language.clone(),
            help_contact: config.settings.help_contact.clone(),
        }
    }
}

/// The settings of a virtual server, stored as one document and changed as one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TenantSettings {
    /// How people reach the help desk: a mail address, a telephone number or a sentence.
    pub help_contact: String,
    /// Who is offered to enroll at the login. Settings that were written before there was self-provisioning offer it to nobody
    ///
    #[serde(default = "SelfProvisioning::of_before")]
    pub self_provisioning: SelfProvisioning,
    /// On which platforms.
    pub platforms: PlatformMatrix,
    /// What the authenticators then are like.
    pub token_templates: TokenTemplates,
    /// The PINs that are typed beside a passcode.
    pub server_side_pin: ServerSidePin,
    /// How many tokens somebody may have, and what people do with them themselves.
    pub tokens: TokenRules,
    /// The codes that prove a mailbox.
    pub email_code: EmailCodeSettings,
    /// What people may type to say who they are.
    pub login: LoginNames,
    /// How often somebody may be wrong.
    pub lockout: LockoutSettings,
    /// How long single sign-on lasts.
    pub session: SessionSettings,
    /// How far a clock or counter may be off.
    pub windows: WindowSettings,
    /// Who hears at once of what.
    pub alerts: AlertSettings,
    /// The APIs that access tokens can be for.
    pub resources: Vec<Resource>,
    /// How enrollment by mail goes on.
    pub enrollment_mail: EnrollmentMail,
    /// Who gets an authenticator by entering a group.
    pub provisioning_rules: Vec<ProvisioningRule>,
    /// How long logs are kept.
    pub logs: LogSettings,
    /// How its pages look.
    pub branding: Branding,
}

/// One template for each kind of token (A10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenTemplates {
    /// For apps that speak our activation protocol.
    pub app: TokenTemplate,
    /// For standard TOTP apps.
    pub oath_app: TokenTemplate,
    /// For hardware and other tokens that are imported.
    pub oath: TokenTemplate,
}

impl Default for TokenTemplates {
    fn default() -> Self {
        Self { app: TokenTemplate::app(), oath_app: TokenTemplate::oath_app(), oath: TokenTemplate::oath() }
    }
}

impl TokenTemplates {
    /// The template that a token on `platform` gets.
    #[must_use]
    pub const fn of(&self, platform: Platform) -> &TokenTemplate {
        if platform.speaks_our_protocol() { &self.app } else { &self.oath_app }
    }

    /// The template of a kind of token.
    #[must_use]
    pub const fn of_kind(&self, kind: Kind) -> &TokenTemplate {
        match kind {
            Kind::App => &self.app,
            Kind::OathApp => &self.oath_app,
            Kind::Oath => &self.oath,
        }
    }

    /// The template of a kind of token, to be changed.
    #[must_use]
    pub const fn of_kind_mut(&mut self, kind: Kind) -> &mut TokenTemplate {
        match kind {
            Kind::App => &mut self.app,
            Kind::OathApp => &mut self.oath_app,
            Kind::Oath => &mut self.oath,
        }
    }
}

/// Everything an operator configures in a virtual server, as one value with a version.
///
/// Doors and use cases read this, never single rows: it is loaded as a whole, kept in memory and
/// at most 2 seconds stale (architecture.md, growing past one machine).
#[derive(Debug, Clone)]
pub struct TenantConfig {
    /// The virtual server itself.
    pub tenant: Tenant,
    /// Its settings.
    pub settings: TenantSettings,
    /// Its groups.
    pub groups: Vec<Group>,
    /// Its applications, our own portal among them.
    pub applications: Vec<Application>,
    /// Its access policies.
    pub policies: AccessPolicies,
    /// Who operates it.
    pub operators: Vec<Operator>,
    /// Roles of its own, beside the built-in ones.
    pub roles: Vec<OwnRole>,
    /// Texts of its own, in the place of ours.
    pub messages: Arc<Messages>,
    /// The operator console, as an application that logins lead to.
    pub console: Application,
    /// Grows with every change of any of these.
    pub version: i64,
}

impl TenantConfig {
    /// What pages show beside the logo: the title that was chosen, or the organization's name.
    #[must_use]
    pub fn title(&self) -> &str {
        let title = self.settings.branding.title.as_str();
        if title.is_empty() { &self.tenant.name } else { title }
    }

    /// The application with this identifier.
    #[must_use]
    pub fn application(&self, id: ApplicationId) -> Option<&Application> {
        self.applications.iter().chain([&self.console]).find(|application| application.id == id)
    }

    /// What somebody may do at the console; `None` for whoever is not an operator.
    #[must_use]
    pub fn permissions_of(&self, user: UserId) -> Option<(&Operator, Permissions)> {
        let operator = self.operators.iter().find(|operator| operator.user == user)?;
        Some((operator, self.permissions(operator.role)?))
    }

    /// What a role may do; `None` if it was removed.
    #[must_use]
    pub fn permissions(&self, role: Role) -> Option<Permissions> {
        role.built_in().or_else(|| {
            let own = self.roles.iter().find(|own| Role::Own(own.id) == role);
            own.map(|own| own.permissions.clone())
        })
    }

    /// The name of a role; empty if it was removed.
    #[must_use]
    pub fn role_name(&self, role: Role) -> &str {
        role.built_in_name().unwrap_or_else(|| {
            self.roles.iter().find(|own| Role::Own(own.id) == role).map_or("", |own| own.name.as_str())
        })
    }

    /// The name of a group, for reports and the apply file.
    #[must_use]
    pub fn group_name(&self, id: GroupId) -> Option<&str> {
        self.groups.iter().find(|group| group.id == id).map(|group| group.name.as_str())
    }

    /// The names of groups, in their order; those that are gone have none.
    pub fn group_names<'a>(&'a self, ids: impl IntoIterator<Item = &'a GroupId>) -> impl Iterator<Item = &'a str> {
        ids.into_iter().filter_map(|id| self.group_name(*id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn a_code_is_safe_in_an_address() {
        for good in ["acme", "a", "7up", "acme-eu-1"] {
            assert!(good.parse::<TenantCode>().is_ok(), "{good}");
        }
        for bad in ["", "-acme", "Acme", "ac me", "acme/..", "ä", &"a".repeat(41)] {
            assert_eq!(bad.parse::<TenantCode>(), Err(NotATenantCode), "{bad}");
        }
    }
}
