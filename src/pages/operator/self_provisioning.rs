//! Settings > Self-Provisioning (A5): read-only until Edit; target users, target platforms (read-only), the Windows link.

use actix_web::HttpRequest;
use askama::Template;
use serde_json::{Map, Value, json};

use super::labels::{label as label_of, sentence};
use super::saved::despite;
use super::settings::{DONE, log_of};
use super::shell::{FieldFault, Shell};
use crate::domain::operator::{Deed, Module};
use crate::domain::policy::platform::Platform;
use crate::domain::policy::provisioning::{TargetUsers, WindowsLink};
use crate::domain::settings::{Section, tag};
use crate::flow::administration::configuration::Unsaved;
use crate::flow::administration::rollout;
use crate::flow::administration::rollout_told::EffectTold;
use crate::flow::administration::settings::change;
use crate::http::guard::{LongForm, Seat, Table};
use crate::http::{Answer, Form, page};
use crate::storage::{Connection, users};

const PAGE: &str = "self-provisioning";
const SECTION: Section = Section::SelfProvisioning;

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::SelfProvisioning.needs(deed);
    table.get(PAGE, needs(Deed::Access), show);
    table.get("self-provisioning/edit", needs(Deed::Edit), edit);
    table.post("self-provisioning/edit", needs(Deed::Edit), save);
    table.get("self-provisioning/log", needs(Deed::ViewLog), log);
}

/// The four values of Target Users, in the order of the screen.
const TARGETS: [(&str, &str); 4] = [
    ("all", "All users"),
    ("members_of", "Members of these groups only"),
    ("all_except", "All users except members of these groups"),
    ("none", "No users"),
];

/// The three values of the Windows link, in the order of the screen.
const LINKS: [(&str, &str); 3] = [
    ("none", "Do not display a link"),
    ("store", "Display a link to the app in the Microsoft Store"),
    ("installer", "Display a link to the installer (.exe)"),
];

struct PlatformEntry {
    name: &'static str,
    device: &'static str,
}

/// The rows of the matrix as people know them.
#[must_use]
pub const fn row_of(platform: Platform) -> (&'static str, &'static str) {
    match platform {
        Platform::Android => ("Android", "mobile/tablet"),
        Platform::Ios => ("iOS", "mobile/tablet"),
        Platform::WindowsMobile => ("Windows 10 Mobile", "mobile"),
        Platform::Windows => ("Windows 10", "desktop/tablet"),
        Platform::Web => ("Web authenticator", "browser"),
        Platform::CommandLine => ("Command line", "computer"),
        Platform::OathApp => ("Standard TOTP app", "any"),
    }
}

fn allowed(seat: &Seat) -> Vec<PlatformEntry> {
    let allowed = seat.call.realm.config.settings.platforms.allowed();
    allowed
        .into_iter()
        .map(|platform| {
            let (name, device) = row_of(platform);
            PlatformEntry { name, device }
        })
        .collect()
}

#[derive(Template)]
#[template(path = "operator/self_provisioning.html")]
struct ShowPage {
    shell: Shell,
    target: &'static str,
    groups: Vec<String>,
    /// Whether the groups count for the target.
    grouped: bool,
    /// The user name of whoever tries the pages out; empty for nobody.
    preview_user: String,
    platforms: Vec<PlatformEntry>,
    windows: bool,
    link: &'static str,
    link_value: String,
    installer_sha256: String,
    require_password: bool,
    wait: u32,
    recovery_codes: bool,
    warnings: Vec<String>,
    may_edit: bool,
    may_log: bool,
    may_platforms: bool,
    may_templates: bool,
}

fn label<'a>(of: &[(&str, &'a str)], word: &str) -> &'a str {
    of.iter().find(|(known, _)| *known == word).map_or("", |(_, label)| label)
}

/// What is allowed and still unwise, in words for the screen.
fn warnings(seat: &Seat) -> Vec<String> {
    let config = &seat.call.realm.config;
    let settings = &config.settings.self_provisioning;
    let mut warnings: Vec<String> = settings
        .warnings()
        .into_iter()
        .map(|(key, words)| format!("{}: {words}", label_of(Module::SelfProvisioning, key)))
        .collect();
    if config.settings.platforms.allowed().is_empty() {
        warnings.push("No platform is allowed, so self-provisioning is offered to nobody.".to_owned());
    }
    warnings
}

fn word(link: WindowsLink) -> &'static str {
    match link {
        WindowsLink::None => "none",
        WindowsLink::Store => "store",
        WindowsLink::Installer => "installer",
    }
}

/// `GET …/operator/self-provisioning`: read-only.
async fn show(seat: Seat, request: HttpRequest) -> Answer {
    let config = &seat.call.realm.config;
    let settings = &config.settings.self_provisioning;
    let mut warnings = warnings(&seat);
    if let Some(name) = &settings.preview_user {
        let question = async |connection: &mut Connection| users::named(connection, config.tenant.id, name).await;
        if seat.call.site.house.db.look(question).await?.is_none() {
            warnings.push(format!("There is no user \"{name}\", who is to try it out."));
        }
    }
    let names = config.group_names(&settings.groups).map(str::to_owned);
    page::page(&ShowPage {
        target: label(&TARGETS, settings.target_users.id()),
        groups: names.collect(),
        grouped: matches!(settings.target_users, TargetUsers::MembersOf | TargetUsers::AllExcept),
        preview_user: settings.preview_user.clone().unwrap_or_default(),
        platforms: allowed(&seat),
        windows: config.settings.platforms.rule(Platform::Windows).allowed,
        link: label(&LINKS, word(settings.windows_link)),
        link_value: match settings.windows_link {
            WindowsLink::None => String::new(),
            WindowsLink::Store => settings.store_product_id.clone().unwrap_or_default(),
            WindowsLink::Installer => settings.installer_url.clone().unwrap_or_default(),
        },
        installer_sha256: settings.installer_sha256.clone().unwrap_or_default(),
        require_password: settings.require_password,
        wait: settings.wait_after_address_change_seconds,
        recovery_codes: settings.recovery_codes,
        warnings,
        may_edit: seat.may(Module::SelfProvisioning, Deed::Edit),
        may_log: seat.may(Module::SelfProvisioning, Deed::ViewLog),
        may_platforms: seat.may(Module::Platforms, Deed::Access),
        may_templates: seat.may(Module::TokenTemplates, Deed::Access),
        shell: Shell::of(&seat, Module::SelfProvisioning).with_done(request.query_string(), &DONE),
    })
}

#[derive(Template)]
#[template(path = "operator/self_provisioning_edit.html")]
struct EditPage {
    shell: Shell,
    targets: [(&'static str, &'static str); 4],
    links: [(&'static str, &'static str); 3],
    platforms: Vec<PlatformEntry>,
    windows: bool,
    values: Map<String, Value>,
    groups: String,
    known: Vec<String>,
    read: String,
    /// What the values would do, where that was asked for.
    effect: Option<EffectTold>,
    /// How many people were looked at, while that is being counted.
    looked_at: Option<u64>,
}

impl EditPage {
    /// The text of a value, for a field.
    fn text(&self, key: &str) -> String {
        match self.values.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(value) => value.to_string(),
        }
    }

    fn is(&self, key: &str, word: &str) -> bool {
        self.text(key) == word
    }

    fn on(&self, key: &str) -> bool {
        self.values.get(key) == Some(&Value::Bool(true))
    }
}

fn edit_page(seat: &Seat, values: Map<String, Value>, read: String) -> EditPage {
    let config = &seat.call.realm.config;
    let groups = values.get("groups").and_then(Value::as_array).into_iter().flatten();
    EditPage {
        groups: groups.filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
        targets: TARGETS,
        links: LINKS,
        platforms: allowed(seat),
        windows: config.settings.platforms.rule(Platform::Windows).allowed,
        known: config.groups.iter().map(|group| group.name.clone()).collect(),
        values,
        read,
        effect: None,
        looked_at: None,
        shell: Shell::titled(seat, Module::SelfProvisioning, "Edit self-provisioning"),
    }
}

/// `GET …/operator/self-provisioning/edit`.
async fn edit(seat: Seat) -> Answer {
    let config = &seat.call.realm.config;
    let values = SECTION.of(&config.settings, &config.groups);
    let read = tag(&values);
    page::page(&edit_page(&seat, values, read))
}

/// The values of the form. Fields that the screen does not show are not sent and stay as they are.
fn typed(form: &Form) -> Map<String, Value> {
    let mut entries = Map::new();
    let text = |key: &str| form.text(key).trim().to_owned();
    let mut put = |key: &str, value: Value| drop(entries.insert(key.to_owned(), value));
    put("target_users", Value::from(text("target_users")));
    if form.has("groups") {
        let names = form.text("groups").lines().map(str::trim).filter(|name| !name.is_empty());
        put("groups", names.map(Value::from).collect());
    }
    for key in ["preview_user", "store_product_id", "installer_url", "installer_sha256"] {
        if form.has(key) {
            let text = text(key);
            put(key, if text.is_empty() { Value::Null } else { Value::from(text) });
        }
    }
    if form.has("windows_link") {
        put("windows_link", Value::from(text("windows_link")));
    }
    put("require_password", json!(form.has("require_password")));
    put("recovery_codes", json!(form.has("recovery_codes")));
    let wait = text("wait_after_address_change_seconds");
    put("wait_after_address_change_seconds", wait.parse::<i64>().map_or_else(|_| Value::from(wait), Value::from));
    entries
}

/// `POST …/operator/self-provisioning/edit`: the whole form in one transaction, or what it would do.
async fn save(seat: Seat, LongForm(form): LongForm) -> Answer {
    seat.check(&form)?;
    let (config, read) = (&seat.call.realm.config, form.text("read"));
    let entries = typed(&form);
    let mut values = SECTION.of(&config.settings, &config.groups);
    values.extend(entries.clone());
    let mut again = edit_page(&seat, values, read.to_owned());
    let saved = if form.text("do") == "effect" {
        let effect = rollout::effect_of(&seat.call.site.house, config, &entries, seat.call.visit.now).await;
        effect.map(|effect| {
            again.looked_at = effect.is_counting().then(|| effect.looked_at());
            again.effect = effect.value().map(|(_, effect)| EffectTold::from(&effect));
            again.looked_at = again.looked_at.filter(|_| again.effect.is_none());
        })
    } else {
        let settled = change(&seat.desk(), &config.tenant.code, read, SECTION, &entries, despite(&form)).await;
        match settled {
            Ok(settled) => {
                let done = if settled.changed { "saved" } else { "same" };
                return Ok(page::see(&format!("{}?done={done}", seat.path(PAGE))));
            }
            Err(unsaved) => Err(unsaved),
        }
    };
    match saved {
        Ok(()) => {}
        Err(Unsaved::Wrong(faults)) => {
            let fault = |fault: crate::domain::settings::Fault| {
                let message = sentence(Module::SelfProvisioning, &fault);
                FieldFault::new(fault.key, message)
            };
            again.shell = again.shell.with_faults(faults.into_iter().map(fault).collect());
        }
        Err(unsaved) => again.shell = again.shell.refusing(unsaved)?,
    }
    page::page(&again)
}

/// `GET …/operator/self-provisioning/log`.
async fn log(seat: Seat) -> Answer {
    log_of(&seat, Module::SelfProvisioning, SECTION, &seat.path(PAGE)).await
}
