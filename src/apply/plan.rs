//! What an apply file changes: each entry is checked and compared with what is there.

use std::path::Path;

use super::change::Change;
use super::current::Current;
use super::{applications, file, messages, operators, people, policies, rules, settings, test_cases, waves};
use crate::config::document::Document;
use crate::domain::application::{Application, Protocol};
use crate::domain::authenticator::kinds::differences as differences_of;
use crate::domain::authenticator::lifecycle::Kind;
use crate::domain::authenticator::template::TokenTemplate;
use crate::domain::fault::Faults;
use crate::domain::group::{Group, uses_of_group};
use crate::domain::ids::GroupId;
use crate::domain::name::{Names, checked, key_of};
use crate::domain::policy::platform::{Platform, Rule};
use crate::domain::policy::{draft, test_case};
use crate::domain::settings::{template_faults, unknown_roles};
use crate::domain::tenant::{Status, TenantCode, TenantConfig, TenantSettings};
use crate::flow::administration::{Desk, keys, tenants};
use crate::i18n::Language;

/// What is to be done in one virtual server.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The virtual server.
    pub code: TenantCode,
    /// Its configuration when the plan was made.
    pub(super) config: TenantConfig,
    /// Whether it is there already.
    pub(super) exists: bool,
    /// What is done, in order.
    pub(super) changes: Vec<Change>,
    /// What is allowed in it and still unwise, one line each.
    pub(super) warnings: Vec<String>,
    /// Whether there are cases to hold it against.
    pub(super) has_cases: bool,
}

impl Plan {
    /// The changes, one line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.changes.iter().map(ToString::to_string).collect()
    }
}

/// What each of `listed` stands for; a name that is not known is a fault at `path`.
pub(super) fn find_all<T: Copy + PartialEq>(
    document: &mut Document<'_>,
    names: &Names<T>,
    path: &str,
    kind: &str,
    listed: &[String],
) -> Vec<T> {
    let mut faults = Faults::default();
    let found = names.find_all(&mut faults, path, kind, listed);
    faults.0.into_iter().for_each(|fault| document.fault(&fault.key, fault.words));
    found
}

/// Whether things that the file does not name are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prune {
    /// They stay.
    Keep,
    /// They go.
    Remove,
}

/// Compares one virtual server of the file with what is there. Faults go into `document`; `None` if the virtual
/// server itself cannot be told.
///
/// # Errors
/// If the database fails or keys cannot be made.
pub(super) async fn plan(
    desk: &Desk<'_>,
    document: &mut Document<'_>,
    path: &str,
    typed: &file::Tenant,
    folder: &Path,
    prune: Prune,
) -> anyhow::Result<Option<Plan>> {
    let code: TenantCode = match typed.code.parse() {
        Ok(code) => code,
        Err(error) => {
            document.fault(&format!("{path}.code"), format!("{error}"));
            return Ok(None);
        }
    };
    let current = desk.house.db.read(async |connection| Current::of(connection, &code).await).await?;
    let exists = current.is_some();
    let mut changes = Vec::new();
    let current = match current {
        Some(current) => current,
        None => {
            let keys = keys::first(desk, &code)?;
            let name = checked(typed.name.as_deref().unwrap_or_default()).unwrap_or_default();
            let config = tenants::draft(desk, &code, name, Language::English.tag(), &keys);
            changes.push(Change::CreateTenant { config: Box::new(config.clone()), keys });
            Current::new(config)
        }
    };
    let remove = prune == Prune::Remove;
    let mut after = current.config.clone();
    let removed_groups = plan_groups(desk, document, path, typed, &current, &mut after, remove, &mut changes);
    let mut groups = Names::default();
    for group in &after.groups {
        groups.add(&group.name, group.id);
    }
    let of_templates = plan_settings(desk, document, path, typed, &mut after, &groups);
    if exists {
        let provisioning = std::mem::take(&mut after.settings.self_provisioning);
        after.settings.self_provisioning = provisioning.after(&current.config.settings.self_provisioning, desk.now);
    }
    after.settings.provisioning_rules =
        rules::wanted(document, path, typed, &current.config.settings.provisioning_rules, &groups, &desk.house.entropy);
    let crowd = people::plan(desk, document, path, &typed.user, &current, &groups).await?;
    let mut removals = Vec::new();
    let mut users = crowd.names;
    if remove {
        for user in people::unnamed(&typed.user, &current) {
            users.remove(&user.username);
            removals.push(Change::RemoveUser(Box::new(user.clone())));
        }
    }
    let idle = operators::Idle {
        before: people::idle(&current, []),
        after: people::idle(&current, crowd.changes.iter().chain(&removals)),
    };
    let of_operators =
        operators::plan(document, path, typed, &current.config, (&users, &idle), &desk.house.entropy, remove);
    // Whoever is an operator, and is disabled, goes after others have become operators: one is left at every moment (AC-51).
    let (of_leaving, of_people): (Vec<_>, Vec<_>) = crowd.changes.into_iter().partition(|change| {
        let is_operator = |user| current.config.permissions_of(user).is_some();
        change
            .account()
            .is_some_and(|user| is_operator(user) && !idle.before.contains(&user) && idle.after.contains(&user))
    });
    let fetched = applications::fetched(desk, &typed.application).await;
    let resources = after.settings.resources.clone();
    let known = applications::Known {
        groups: &groups,
        users: &users,
        resources: &resources,
        keys: &current.keys,
        folder,
        fetched: &fetched,
    };
    let wanted = applications::wanted(desk, document, path, &typed.application, &current.config, known);
    let put = plan_applications(&mut after, wanted, remove, &mut removals);
    let mut names = Names::default();
    for application in after.applications.iter().chain([&after.console]) {
        names.add(&application.name, application.id);
    }
    let known = draft::Known { groups: &groups, applications: &names };
    let entropy = &desk.house.entropy;
    after.policies = policies::wanted(document, path, typed, &current.config.policies, known, entropy, remove);
    for group in &removed_groups {
        let uses = uses_of_group(&after, group.id);
        if !uses.is_empty() {
            let (name, uses) = (&group.name, uses.join(", "));
            document.fault(path, format!("group \"{name}\" is not named any more, but settings refer to it: {uses}"));
        }
    }
    let known = test_case::Known { users: &users, applications: &names };
    let cases = test_cases::plan(document, path, typed, &current.test_cases, known, entropy, remove);
    let of_messages =
        messages::plan(document, path, typed, (&current.config.messages, current.config.version + 1), remove);
    let has_cases = !current.test_cases.is_empty() || !cases.is_empty();
    let warnings = warnings(&after.settings).into_iter().chain(of_templates).collect();
    let what = differences(&current.config, &after);
    if !what.is_empty() {
        // Where it exists, its version is taken first, in the same transaction.
        let version = current.config.version + i64::from(exists);
        let before = Box::new(TenantConfig { version, ..current.config.clone() });
        let after = Box::new(after.clone());
        changes.push(Change::UpdateTenant { before, after, what });
    }
    changes.extend(of_people);
    changes.extend(of_operators);
    changes.extend(of_leaving);
    changes.extend(put);
    changes.extend(policies::change(&current.config.policies, after.policies));
    changes.extend(cases);
    changes.extend(of_messages);
    changes.extend(removals);
    changes.extend(removed_groups.into_iter().map(Change::RemoveGroup));
    Ok(Some(Plan { code, config: current.config, exists, changes, warnings, has_cases }))
}

/// New groups become changes; those that are not named any more are returned, for the end.
#[expect(clippy::too_many_arguments, reason = "one step of the plan, cut out to be read on its own")]
fn plan_groups(
    desk: &Desk<'_>,
    document: &mut Document<'_>,
    path: &str,
    typed: &file::Tenant,
    current: &Current,
    after: &mut TenantConfig,
    remove: bool,
    changes: &mut Vec<Change>,
) -> Vec<Group> {
    let mut named: Vec<String> = Vec::new();
    for (index, entry) in typed.group.iter().enumerate() {
        let place = format!("{path}.group[{index}].name");
        let name = match checked(&entry.name) {
            Ok(name) => name,
            Err(error) => {
                document.fault(&place, error.to_string());
                continue;
            }
        };
        if named.contains(&key_of(name)) {
            document.fault(&place, format!("\"{name}\" is given twice"));
            continue;
        }
        named.push(key_of(name));
        if current.config.groups.iter().all(|group| key_of(&group.name) != key_of(name)) {
            let group = Group { id: desk.house.entropy.id(), name: name.to_owned() };
            after.groups.push(group.clone());
            changes.push(Change::CreateGroup(group));
        }
    }
    if !remove {
        return Vec::new();
    }
    let (kept, removed) = after.groups.drain(..).partition(|group| named.contains(&key_of(&group.name)));
    after.groups = kept;
    removed
}

/// Applications that differ become changes; `after` gets all of them.
fn plan_applications(
    after: &mut TenantConfig,
    wanted: Vec<Application>,
    remove: bool,
    removals: &mut Vec<Change>,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let before = std::mem::take(&mut after.applications);
    for application in before.iter().filter(|before| wanted.iter().all(|wanted| wanted.id != before.id)) {
        if remove && application.protocol != Protocol::Portal {
            removals.push(Change::RemoveApplication(Box::new(application.clone())));
        } else {
            after.applications.push(application.clone());
        }
    }
    for application in wanted {
        let known = before.iter().find(|before| before.id == application.id);
        if known != Some(&application) {
            changes.push(Change::PutApplication { application: Box::new(application.clone()), new: known.is_none() });
        }
        after.applications.push(application);
    }
    changes
}

fn plan_settings(
    desk: &Desk<'_>,
    document: &mut Document<'_>,
    path: &str,
    typed: &file::Tenant,
    after: &mut TenantConfig,
    groups: &Names<GroupId>,
) -> Vec<String> {
    match &typed.name {
        Some(name) => match checked(name) {
            Ok(name) => name.clone_into(&mut after.tenant.name),
            Err(error) => document.fault(&format!("{path}.name"), error.to_string()),
        },
        None if after.tenant.name.is_empty() => document.fault(&format!("{path}.name"), "is missing"),
        None => {}
    }
    if let Some(tag) = &typed.default_language {
        match tag.parse::<Language>() {
            Ok(language) => language.tag().clone_into(&mut after.tenant.default_language),
            Err(error) => document.fault(&format!("{path}.default_language"), error.to_string()),
        }
    }
    if let Some(enabled) = typed.enabled {
        after.tenant.status = if enabled { Status::Enabled } else { Status::Disabled };
    }
    let settings = &mut after.settings;
    if let Some(contact) = &typed.help_contact {
        if contact.chars().count() > 300 || contact.chars().any(char::is_control) {
            document
                .fault(&format!("{path}.help_contact"), "must have at most 300 characters and no control characters");
        }
        contact.trim().clone_into(&mut settings.help_contact);
    }
    plan_self_provisioning(desk, document, path, typed, settings, groups);
    plan_resources(document, path, typed, settings);
    plan_platforms(document, path, typed, settings);
    let warnings = plan_templates(document, path, typed, settings);
    let place = |table: &str| format!("{path}.{table}");
    plan_server_side_pin(document, &place("server_side_pin"), typed, settings);
    settings.email_code = settings::overlaid(document, &place("email_code"), &settings.email_code, &typed.email_code);
    settings.login = settings::overlaid(document, &place("login"), &settings.login, &typed.login);
    for (key, words) in settings.login.faults() {
        document.fault(&format!("{}.{key}", place("login")), words);
    }
    settings.lockout = settings::overlaid(document, &place("lockout"), &settings.lockout, &typed.lockout);
    settings.session = settings::overlaid(document, &place("session"), &settings.session, &typed.session);
    settings.windows = settings::overlaid(document, &place("windows"), &settings.windows, &typed.windows);
    settings.alerts = settings::overlaid(document, &place("alerts"), &settings.alerts, &typed.alerts);
    let own = after.roles.iter().map(|role| role.name.as_str()).chain(typed.role.iter().map(|role| role.name.as_str()));
    document.faults(&place("alerts"), unknown_roles(settings, own));
    settings.tokens = settings::overlaid(document, &place("tokens"), &settings.tokens, &typed.tokens);
    settings.enrollment_mail =
        settings::overlaid(document, &place("enrollment_mail"), &settings.enrollment_mail, &typed.enrollment_mail);
    settings.logs = settings::overlaid(document, &place("logs"), &settings.logs, &typed.logs);
    plan_branding(document, &place("branding"), typed, settings);
    warnings
}

/// Title and colours; pictures are files, which are set at the console or by the management API.
fn plan_branding(document: &mut Document<'_>, place: &str, typed: &file::Tenant, settings: &mut TenantSettings) {
    let pictures = std::mem::take(&mut settings.branding.pictures);
    settings.branding = settings::overlaid(document, place, &settings.branding, &typed.branding);
    settings.branding.pictures = pictures;
    for (key, words) in settings.branding.faults() {
        document.fault(&format!("{place}.{key}"), words);
    }
}

fn plan_self_provisioning(
    desk: &Desk<'_>,
    document: &mut Document<'_>,
    path: &str,
    typed: &file::Tenant,
    settings: &mut TenantSettings,
    groups: &Names<GroupId>,
) {
    let place = format!("{path}.self_provisioning");
    let mut table = typed.self_provisioning.clone();
    // The service writes down what was before; no file says so.
    let earlier = std::mem::take(&mut settings.self_provisioning.earlier);
    // The file names groups; the settings hold their identifiers, so that renaming a group keeps them.
    if let Some(listed) = table.remove("groups") {
        let key = format!("{place}.groups");
        match listed.try_into::<Vec<String>>() {
            Ok(names) => settings.self_provisioning.groups = find_all(document, groups, &key, "group", &names),
            Err(_) => document.fault(&key, "must be a list of names of groups"),
        }
    }
    let entries = table.remove("wave");
    let waves = std::mem::take(&mut settings.self_provisioning.staging.wave);
    settings.self_provisioning = settings::overlaid(document, &place, &settings.self_provisioning, &table);
    settings.self_provisioning.earlier = earlier;
    settings.self_provisioning.staging.wave = match entries {
        Some(entries) => waves::wanted(document, &place, entries, &waves, groups, &desk.house.entropy),
        None => waves,
    };
    for (key, words) in settings.self_provisioning.staging.faults() {
        document.fault(&format!("{place}.{key}"), words);
    }
    for (key, words) in settings.self_provisioning.faults() {
        document.fault(&format!("{place}.{key}"), words);
    }
}

/// The APIs that the file names replace those that are known; a file that names none leaves them.
fn plan_resources(document: &mut Document<'_>, path: &str, typed: &file::Tenant, settings: &mut TenantSettings) {
    let Some(resources) = &typed.resource else { return };
    for (index, resource) in resources.iter().enumerate() {
        let place = format!("{path}.resource[{index}]");
        for (key, words) in resource.faults() {
            document.fault(&format!("{place}.{key}"), words);
        }
        if resources.iter().take(index).any(|other| other.identifier == resource.identifier) {
            document.fault(&format!("{place}.identifier"), "is given twice");
        }
    }
    settings.resources.clone_from(resources);
}

fn plan_platforms(document: &mut Document<'_>, path: &str, typed: &file::Tenant, settings: &mut TenantSettings) {
    for (name, table) in &typed.platforms {
        let place = format!("{path}.platforms.{name}");
        let platform: Platform = match name.parse() {
            Ok(platform) => platform,
            Err(error) => {
                document.fault(&place, format!("{error}"));
                continue;
            }
        };
        // A rule without a minimum is written without that key; here it must be known all the same.
        #[derive(Clone, serde::Serialize, serde::Deserialize)]
        struct Row {
            allowed: bool,
            push: bool,
            minimum_os: Option<String>,
        }
        let Rule { allowed, push, minimum_os } = settings.platforms.rule(platform);
        let row = settings::overlaid(document, &place, &Row { allowed, push, minimum_os }, table);
        if row.push && !row.allowed && table.contains_key("push") {
            document.fault(&format!("{place}.push"), "needs allowed = true");
        }
        if row.minimum_os.as_deref().is_some_and(|version| !version.starts_with(|c: char| c.is_ascii_digit())) {
            document.fault(&format!("{place}.minimum_os"), "must be a version such as 10.0.16299");
        }
        let rule = Rule { allowed: row.allowed, push: row.push, minimum_os: row.minimum_os };
        // A row that was never set is not written down only to say what it says anyway.
        if rule != settings.platforms.rule(platform) {
            settings.platforms.set(platform, rule);
        }
    }
}

/// Changes templates; a key that is given and does not apply to what else is set is told, unless it says the default.
fn plan_templates(
    document: &mut Document<'_>,
    path: &str,
    typed: &file::Tenant,
    settings: &mut TenantSettings,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for (name, table) in &typed.token_template {
        let place = format!("{path}.token_template.{name}");
        let kind: Kind = match name.parse() {
            Ok(kind) => kind,
            Err(_) => {
                document.fault(&place, "unknown field, expected `app`, `oath_app` or `oath`");
                continue;
            }
        };
        let template = settings.token_templates.of_kind_mut(kind);
        if table.contains_key("version") {
            document.fault(&format!("{place}.version"), "must not be given: the service counts the versions");
        }
        let wanted = settings::overlaid(document, &place, template, table);
        for (key, words) in template_faults(kind, &wanted) {
            document.fault(&format!("{place}.{key}"), words);
        }
        let told = |(key, words): (&str, &str)| format!("token_template.{name}.{key} {words}");
        let unusual = differences_of(&TokenTemplate::shipped(kind), &wanted);
        let idle = wanted.idle().into_iter().filter(|(key, _)| table.contains_key(*key) && unusual.contains_key(*key));
        warnings.extend(idle.map(told));
        warnings.extend(wanted.warnings_of(kind).into_iter().map(told));
        *template = template.changed_to(wanted);
    }
    warnings
}

fn plan_server_side_pin(document: &mut Document<'_>, place: &str, typed: &file::Tenant, settings: &mut TenantSettings) {
    settings.server_side_pin = settings::overlaid(document, place, &settings.server_side_pin, &typed.server_side_pin);
    for (key, words) in settings.server_side_pin.faults() {
        document.fault(&format!("{place}.{key}"), words);
    }
}

/// What is allowed and still unwise, one line each.
fn warnings(settings: &TenantSettings) -> Vec<String> {
    let of = |section: &str, found: Vec<(&'static str, &'static str)>| {
        found.into_iter().map(|(key, words)| format!("{section}.{key} {words}")).collect::<Vec<_>>()
    };
    let provisioning = of("self_provisioning", settings.self_provisioning.warnings());
    let mail = of("enrollment_mail", settings.enrollment_mail.warnings());
    let login = of("login", settings.login.warnings());
    let lockout = of("lockout", settings.lockout.warnings());
    provisioning.into_iter().chain(login).chain(lockout).chain(mail).collect()
}

/// What differs in name, language, status and settings.
fn differences(before: &TenantConfig, after: &TenantConfig) -> Vec<String> {
    let (old, new) = (&before.settings, &after.settings);
    [
        ("name", before.tenant.name != after.tenant.name),
        ("default_language", before.tenant.default_language != after.tenant.default_language),
        ("enabled", before.tenant.status != after.tenant.status),
        ("help_contact", old.help_contact != new.help_contact),
        ("self_provisioning", old.self_provisioning != new.self_provisioning),
        ("platforms", old.platforms != new.platforms),
        ("token_template", old.token_templates != new.token_templates),
        ("server_side_pin", old.server_side_pin != new.server_side_pin),
        ("tokens", old.tokens != new.tokens),
        ("email_code", old.email_code != new.email_code),
        ("login", old.login != new.login),
        ("lockout", old.lockout != new.lockout),
        ("session", old.session != new.session),
        ("windows", old.windows != new.windows),
        ("alerts", old.alerts != new.alerts),
        ("resource", old.resources != new.resources),
        ("enrollment_mail", old.enrollment_mail != new.enrollment_mail),
        ("provisioning_rule", old.provisioning_rules != new.provisioning_rules),
        ("logs", old.logs != new.logs),
        ("branding", old.branding != new.branding),
    ]
    .into_iter()
    .filter(|(_, differs)| *differs)
    .map(|(what, _)| what.to_owned())
    .collect()
}
