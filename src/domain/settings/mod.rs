//! Changing a virtual server's settings, section by section: what the console, the management API and the apply file have in
//! common. A section is laid over with some values, every fault is found at once, and what comes out can be stored.

mod fields;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

pub use fields::{Choice, Field, Kind as FieldKind, fields};

pub use crate::domain::fault::Fault;

use crate::domain::authenticator::lifecycle::Kind;
use crate::domain::authenticator::template::{Mode, TokenTemplate};
use crate::domain::group::Group;
use crate::domain::name::key_of;
use crate::domain::operator::{Module, Role};
use crate::domain::policy::platform::{Platform, PlatformMatrix, Rule};
use crate::domain::tenant::{TenantConfig, TenantSettings};
use crate::domain::timestamp::Timestamp;

/// A part of the settings that is changed as one. The identifiers are the tables of the apply file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Who is offered to enroll at the login.
    SelfProvisioning,
    /// The platform matrix.
    Platforms,
    /// The template of a kind of token.
    Template(Kind),
    /// The policy of PINs that the server checks.
    ServerSidePin,
    /// What people may type to say who they are.
    Login,
    /// When accounts lock.
    Lockout,
    /// How many tokens somebody may have, and what people do with them themselves.
    Tokens,
    /// How long single sign-on lasts.
    Session,
    /// The codes that prove a mailbox.
    EmailCode,
    /// How far a clock or counter may be off.
    Windows,
    /// How enrollment by mail goes on.
    EnrollmentMail,
    /// Who hears at once of what.
    Alerts,
    /// How long logs are kept.
    Logs,
    /// Title and colours of the pages.
    Branding,
}

impl Section {
    /// Every section.
    pub const ALL: [Self; 16] = [
        Self::SelfProvisioning,
        Self::Platforms,
        Self::Template(Kind::App),
        Self::Template(Kind::OathApp),
        Self::Template(Kind::Oath),
        Self::ServerSidePin,
        Self::Login,
        Self::Lockout,
        Self::Tokens,
        Self::Session,
        Self::EmailCode,
        Self::Windows,
        Self::EnrollmentMail,
        Self::Alerts,
        Self::Logs,
        Self::Branding,
    ];

    /// Its name in addresses.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::SelfProvisioning => "self_provisioning",
            Self::Platforms => "platforms",
            Self::Template(Kind::App) => "token_template_app",
            Self::Template(Kind::OathApp) => "token_template_oath_app",
            Self::Template(Kind::Oath) => "token_template_oath",
            Self::ServerSidePin => "server_side_pin",
            Self::Login => "login",
            Self::Lockout => "lockout",
            Self::Tokens => "tokens",
            Self::Session => "session",
            Self::EmailCode => "email_code",
            Self::Windows => "windows",
            Self::EnrollmentMail => "enrollment_mail",
            Self::Alerts => "alerts",
            Self::Logs => "logs",
            Self::Branding => "branding",
        }
    }

    /// The section with this name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|section| section.id() == id)
    }

    /// Its title for operators.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::SelfProvisioning => "Self-provisioning",
            Self::Platforms => "Allowed target and push notification settings",
            Self::Template(Kind::App) => "Authenticator app",
            Self::Template(Kind::OathApp) => "Standard TOTP apps",
            Self::Template(Kind::Oath) => "Hardware and imported tokens",
            Self::ServerSidePin => "Server-side PIN policy",
            Self::Login => "Names at the login",
            Self::Lockout => "Account lockout and unlock",
            Self::Tokens => "Tokens of a user",
            Self::Session => "Single sign-on session",
            Self::EmailCode => "Verification code by email",
            Self::Windows => "Synchronization and passcode processing",
            Self::EnrollmentMail => "Enrollment by email",
            Self::Alerts => "Alerts",
            Self::Logs => "Retention of logs",
            Self::Branding => "Branding",
        }
    }

    /// The module whose permissions count for it.
    #[must_use]
    pub const fn module(self) -> Module {
        match self {
            Self::SelfProvisioning => Module::SelfProvisioning,
            Self::Platforms => Module::Platforms,
            Self::Template(_) => Module::TokenTemplates,
            Self::ServerSidePin => Module::ServerSidePin,
            Self::Login | Self::Lockout | Self::Tokens => Module::UserPolicies,
            Self::Branding => Module::Branding,
            Self::Alerts => Module::Alerts,
            Self::Session | Self::EmailCode | Self::Windows | Self::EnrollmentMail | Self::Logs => Module::Settings,
        }
    }

    /// What it says in these settings, as JSON; groups by their names.
    #[must_use]
    pub fn of(self, settings: &TenantSettings, groups: &[Group]) -> Map<String, Value> {
        let mut values = match self {
            Self::SelfProvisioning => object(&settings.self_provisioning),
            Self::Platforms => Platform::ALL
                .into_iter()
                .map(|platform| (platform.id().to_owned(), Value::Object(row(&settings.platforms.rule(platform)))))
                .collect(),
            Self::Template(kind) => object(settings.token_templates.of_kind(kind)),
            Self::ServerSidePin => object(&settings.server_side_pin),
            Self::Login => object(&settings.login),
            Self::Lockout => object(&settings.lockout),
            Self::Tokens => object(&settings.tokens),
            Self::Session => object(&settings.session),
            Self::EmailCode => object(&settings.email_code),
            Self::Windows => object(&settings.windows),
            Self::EnrollmentMail => object(&settings.enrollment_mail),
            Self::Alerts => object(&settings.alerts),
            Self::Logs => object(&settings.logs),
            Self::Branding => object(&settings.branding),
        };
        if self == Self::Branding {
            values.remove(PICTURES);
        }
        if self == Self::SelfProvisioning {
            values.remove("earlier");
            for key in OF_THE_ROLLOUT {
                values.remove(key);
            }
            let names = settings.self_provisioning.groups.iter().filter_map(|id| {
                groups.iter().find(|group| group.id == *id).map(|group| Value::from(group.name.clone()))
            });
            values.insert("groups".to_owned(), names.collect());
        }
        values
    }
}

/// Keys of the table of self-provisioning that have a page, a call and a permission of their own.
const OF_THE_ROLLOUT: [&str; 3] = ["rollout", "wave", "brake"];

/// The key of the branding that has calls of its own.
const PICTURES: &str = "pictures";

/// What tells two states of a section apart: 26 characters that change with any of its values. Other sections may change
/// without disturbing whoever edits this one.
#[must_use]
pub fn tag(values: &Map<String, Value>) -> String {
    let digest = Sha256::digest(Value::Object(values.clone()).to_string());
    let text = data_encoding::BASE32_NOPAD.encode(&digest);
    text.chars().take(26).collect::<String>().to_lowercase()
}

fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(values)) => values,
        _ => Map::new(),
    }
}

/// A row of the platform matrix with every key.
fn row(rule: &Rule) -> Map<String, Value> {
    let mut row = object(rule);
    row.entry("minimum_os").or_insert(Value::Null);
    row
}

/// `base` with the values of `entries` laid over it; `table` is the name of the table in the apply file, whose numbers have
/// ranges. Values that cannot be are left out and told.
pub fn overlaid<T: Serialize + DeserializeOwned + Clone>(
    table: &str,
    base: &T,
    entries: &Map<String, Value>,
) -> (T, Vec<Fault>) {
    let Ok(Value::Object(mut values)) = serde_json::to_value(base) else { return (base.clone(), Vec::new()) };
    let (mut result, mut faults) = (base.clone(), Vec::new());
    let known: Vec<String> = values.keys().map(|key| format!("`{key}`")).collect();
    for (key, entry) in entries {
        if !values.contains_key(key) {
            faults.push(Fault::new(key, format!("unknown field `{key}`, expected one of {}", known.join(", "))));
            continue;
        }
        if let Some(range) =
            fields::range(table, key).filter(|range| entry.as_i64().is_none_or(|n| !range.contains(&n)))
        {
            faults.push(Fault::new(key, format!("must be from {} to {}", range.start(), range.end())));
            continue;
        }
        let before = values.insert(key.clone(), entry.clone());
        match serde_json::from_value(Value::Object(values.clone())) {
            Ok(value) => result = value,
            Err(error) => {
                faults.push(Fault::new(key, error.to_string()));
                values.insert(key.clone(), before.unwrap_or_default());
            }
        }
    }
    (result, faults)
}

/// The settings of `config` with `entries` laid over one section.
///
/// # Errors
/// Everything that is wrong.
pub fn changed(
    config: &TenantConfig,
    section: Section,
    entries: &Map<String, Value>,
    now: Timestamp,
) -> Result<TenantSettings, Vec<Fault>> {
    let mut after = config.settings.clone();
    let mut faults = Vec::new();
    let remarks = |found: Vec<(&'static str, &'static str)>| {
        found.into_iter().map(|(key, words)| Fault::new(key, words)).collect::<Vec<_>>()
    };
    lay_over(section, &mut after, entries, &mut faults, &config.groups);
    match section {
        Section::SelfProvisioning => {
            faults.extend(remarks(after.self_provisioning.faults()));
            let earlier = config.settings.self_provisioning.earlier.clone();
            after.self_provisioning.earlier = earlier;
            let wanted = after.self_provisioning.clone();
            after.self_provisioning = wanted.after(&config.settings.self_provisioning, now);
        }
        Section::Template(kind) => {
            let wanted = after.token_templates.of_kind(kind).clone();
            faults.extend(remarks(template_faults(kind, &wanted)));
            *after.token_templates.of_kind_mut(kind) = config.settings.token_templates.of_kind(kind).changed_to(wanted);
        }
        Section::ServerSidePin => faults.extend(remarks(after.server_side_pin.faults())),
        Section::Login => faults.extend(remarks(after.login.faults())),
        Section::Branding => {
            faults.extend(after.branding.faults().into_iter().map(|(key, words)| Fault::new(key, words)));
        }
        Section::Alerts => faults.extend(unknown_roles(&after, config.roles.iter().map(|role| role.name.as_str()))),
        _ => {}
    }
    if faults.is_empty() { Ok(after) } else { Err(faults) }
}

/// Roles that are told of alerts and are neither built in nor among `own`.
pub fn unknown_roles<'a>(settings: &TenantSettings, own: impl Iterator<Item = &'a str>) -> Vec<Fault> {
    let known: Vec<&str> = Role::BUILT_IN.iter().filter_map(|role| role.built_in_name()).chain(own).collect();
    let words = |name: &str| format!("there is no role \"{name}\"; there are {}", known.join(", "));
    settings.alerts.unknown_roles(&known).map(|name| Fault::new("roles", words(name))).collect()
}

/// What a template of this kind cannot be.
#[must_use]
pub fn template_faults(kind: Kind, template: &TokenTemplate) -> Vec<(&'static str, &'static str)> {
    let mut faults = template.faults();
    faults.extend(template.faults_of(kind));
    if kind == Kind::OathApp && template.mode == Mode::ChallengeResponse {
        faults.push(("mode", "must be \"quick_log\": standard apps answer no challenges"));
    }
    faults
}

/// Lays `entries` over one section of `after`.
fn lay_over(
    section: Section,
    after: &mut TenantSettings,
    entries: &Map<String, Value>,
    faults: &mut Vec<Fault>,
    groups: &[Group],
) {
    fn lay<T: Serialize + DeserializeOwned + Clone>(
        section: Section,
        target: &mut T,
        entries: &Map<String, Value>,
        faults: &mut Vec<Fault>,
    ) {
        let (value, found) = overlaid(section.table(), target, entries);
        *target = value;
        faults.extend(found);
    }
    match section {
        Section::SelfProvisioning => {
            let mut entries = entries.clone();
            for key in OF_THE_ROLLOUT {
                if entries.remove(key).is_some() {
                    faults.push(Fault::new(key, "is changed with the rollout, by whoever may do that"));
                }
            }
            if let Some(listed) = entries.remove("groups") {
                after.self_provisioning.groups = named_groups(&listed, groups, faults);
            }
            lay(section, &mut after.self_provisioning, &entries, faults);
        }
        Section::Platforms => lay_platforms(&mut after.platforms, entries, faults),
        Section::Template(kind) => {
            if entries.contains_key("version") {
                faults.push(Fault::new("version", "must not be given: the service counts the versions"));
            }
            lay(section, after.token_templates.of_kind_mut(kind), entries, faults);
        }
        Section::ServerSidePin => lay(section, &mut after.server_side_pin, entries, faults),
        Section::Login => lay(section, &mut after.login, entries, faults),
        Section::Lockout => lay(section, &mut after.lockout, entries, faults),
        Section::Tokens => lay(section, &mut after.tokens, entries, faults),
        Section::Session => lay(section, &mut after.session, entries, faults),
        Section::EmailCode => lay(section, &mut after.email_code, entries, faults),
        Section::Windows => lay(section, &mut after.windows, entries, faults),
        Section::EnrollmentMail => lay(section, &mut after.enrollment_mail, entries, faults),
        Section::Alerts => lay(section, &mut after.alerts, entries, faults),
        Section::Logs => lay(section, &mut after.logs, entries, faults),
        Section::Branding => {
            let mut entries = entries.clone();
            if entries.remove(PICTURES).is_some() {
                faults.push(Fault::new(PICTURES, "are changed one by one, with their files"));
            }
            let pictures = std::mem::take(&mut after.branding.pictures);
            lay(section, &mut after.branding, &entries, faults);
            after.branding.pictures = pictures;
            after.branding.title = after.branding.title.trim().to_owned();
        }
    }
}

impl Section {
    /// The table of the apply file whose ranges count.
    const fn table(self) -> &'static str {
        match self {
            Self::Template(_) => "token_template",
            other => other.id(),
        }
    }
}

/// The groups with these names; one that is not there is named in the fault.
fn named_groups(listed: &Value, groups: &[Group], faults: &mut Vec<Fault>) -> Vec<crate::domain::ids::GroupId> {
    let Ok(names) = serde_json::from_value::<Vec<String>>(listed.clone()) else {
        faults.push(Fault::new("groups", "must be a list of names of groups"));
        return Vec::new();
    };
    let mut found = Vec::new();
    for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        match groups.iter().find(|group| key_of(&group.name) == key_of(name)) {
            Some(group) if !found.contains(&group.id) => found.push(group.id),
            Some(_) => {}
            None => faults.push(Fault::new("groups", format!("there is no group \"{name}\""))),
        }
    }
    found
}

fn lay_platforms(matrix: &mut PlatformMatrix, entries: &Map<String, Value>, faults: &mut Vec<Fault>) {
    /// A row with every key, so that one that is not set is known all the same.
    #[derive(Clone, Serialize, serde::Deserialize)]
    struct Row {
        allowed: bool,
        push: bool,
        minimum_os: Option<String>,
    }
    for (name, entry) in entries {
        let (Ok(platform), Value::Object(entry)) = (name.parse::<Platform>(), entry) else {
            faults.push(Fault::new(
                name,
                "is not a row of the matrix: use ios, android, windows_mobile, windows, web, command_line or oath_app",
            ));
            continue;
        };
        let Rule { allowed, push, minimum_os } = matrix.rule(platform);
        let (row, found) = overlaid("platforms", &Row { allowed, push, minimum_os }, entry);
        faults.extend(found.into_iter().map(|fault| Fault::new(format!("{name}.{}", fault.key), fault.words)));
        if row.push && !row.allowed && entry.contains_key("push") {
            faults.push(Fault::new(format!("{name}.push"), "needs allowed = true"));
        }
        if row.minimum_os.as_deref().is_some_and(|version| !version.starts_with(|c: char| c.is_ascii_digit())) {
            faults.push(Fault::new(format!("{name}.minimum_os"), "must be a version such as 10.0.16299"));
        }
        let rule = Rule { allowed: row.allowed, push: row.push, minimum_os: row.minimum_os };
        if rule != matrix.rule(platform) {
            matrix.set(platform, rule);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn laid(section: Section, entries: Value) -> Result<TenantSettings, Vec<String>> {
        let (mut after, mut faults) = (TenantSettings::default(), Vec::new());
        let Value::Object(entries) = entries else { panic!("an object") };
        lay_over(section, &mut after, &entries, &mut faults, &[]);
        let words = faults.into_iter().map(|fault| format!("{} {}", fault.key, fault.words)).collect::<Vec<_>>();
        if words.is_empty() { Ok(after) } else { Err(words) }
    }

    /// what the screens refuse is refused here, for every door.
    #[test]
    fn every_fault_is_told_with_its_key() {
        for (section, entries, told) in [
            (Section::Lockout, json!({ "threshold": 101 }), "threshold must be from 0 to 100"),
            (Section::Lockout, json!({ "treshold": 1 }), "treshold unknown field"),
            (Section::Platforms, json!({ "ios": { "allowed": false, "push": true } }), "ios.push needs allowed"),
            (Section::Platforms, json!({ "ios": { "minimum_os": "new" } }), "ios.minimum_os must be a version"),
            (Section::Platforms, json!({ "symbian": {} }), "symbian is not a row"),
            (Section::SelfProvisioning, json!({ "groups": ["nobody"] }), "groups there is no group \"nobody\""),
            (Section::SelfProvisioning, json!({ "rollout": "observe" }), "rollout is changed with the rollout"),
            (Section::Template(Kind::App), json!({ "version": 7 }), "version must not be given"),
        ] {
            let faults = laid(section, entries.clone()).expect_err("a fault");
            assert!(faults.iter().any(|fault| fault.contains(told)), "{entries}: {faults:?}");
        }
        let settings = laid(Section::Lockout, json!({ "threshold": 5 })).expect("settings");
        assert_eq!((settings.lockout.threshold, settings.lockout.lock_seconds), (5, 900));
    }

    /// Every field that pages show is a value of its section, and the other way round.
    #[test]
    fn the_fields_are_those_of_the_settings() {
        for section in Section::ALL {
            let values = section.of(&TenantSettings::default(), &[]);
            for field in fields(section) {
                assert!(values.contains_key(field.key), "{section:?} has no {}", field.key);
            }
            if fields(section).is_empty() {
                continue;
            }
            for key in values.keys().filter(|key| *key != "version") {
                assert!(fields(section).iter().any(|field| field.key == key), "no page shows {key} of {section:?}");
            }
        }
    }
}
