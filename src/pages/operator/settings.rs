//! Pages of sections of the settings that are forms and nothing else: templates (T6), the server-side PIN policy (T8), windows
//! (T9), lockout (T10), sessions, codes by mail.

use actix_web::HttpRequest;
use askama::Template;
use serde_json::{Map, Value};

use super::menu::page as page_of;
use super::saved::despite;
use super::shell::{FieldFault, Shell, time};
use super::{alerts, codes, labels, organization};
use crate::domain::authenticator::lifecycle::Kind;
use crate::domain::authenticator::template::TokenTemplate;
use crate::domain::operator::{Deed, Module};
use crate::domain::settings::{self, FieldKind, Section, fields, tag};
use crate::domain::tenant::{Organization, TenantConfig};
use crate::flow::administration::configuration::Unsaved;
use crate::flow::administration::settings::change;
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, page};
use crate::storage::{audit_list, template_changes};

/// How many changes a change log shows.
const LOGGED: u32 = 5;
/// What is said after a change.
pub const DONE: [(&str, &str); 2] = [("saved", "Saved."), ("same", "Everything was like that already.")];

/// The pages and their sections.
const PAGES: [(Module, &[Section]); 4] = [
    (
        Module::Settings,
        &[Section::Session, Section::EmailCode, Section::Windows, Section::EnrollmentMail, Section::Logs],
    ),
    (
        Module::TokenTemplates,
        &[Section::Template(Kind::App), Section::Template(Kind::OathApp), Section::Template(Kind::Oath)],
    ),
    (Module::ServerSidePin, &[Section::ServerSidePin]),
    (Module::UserPolicies, &[Section::Login, Section::Lockout, Section::Tokens]),
];

/// Registers the routes.
pub fn routes(table: &mut Table) {
    for (module, sections) in PAGES {
        let address = page_of(module).unwrap_or_default();
        table.get(address, module.needs(Deed::Access), show);
        for section in sections {
            let address = format!("{address}/{}", section.id());
            table.get(&address, module.needs(Deed::Access), edit);
            table.post(&address, module.needs(Deed::Edit), save);
            table.get(&format!("{address}/log"), module.needs(Deed::ViewLog), log);
        }
    }
}

struct SectionEntry {
    title: &'static str,
    address: String,
    /// Label and value, as people read them.
    values: Vec<(&'static str, String)>,
    may_log: bool,
}

#[derive(Template)]
#[template(path = "operator/settings.html")]
struct SettingsPage {
    shell: Shell,
    sections: Vec<SectionEntry>,
    may_edit: bool,
}

/// The page that a request is for.
fn asked(request: &HttpRequest) -> Result<(Module, Option<Section>), Fault> {
    let below = request.path().split_once("/operator/").map_or("", |(_, below)| below);
    let mut steps = below.split('/');
    let first = steps.next().unwrap_or_default();
    let (module, sections) = PAGES.iter().find(|(module, _)| page_of(*module) == Some(first)).ok_or(Fault::NotFound)?;
    let section = steps.next().and_then(Section::named).filter(|section| sections.contains(section));
    Ok((*module, section))
}

/// A value as people read it.
fn read(kind: &FieldKind, value: Option<&Value>) -> String {
    match (kind, value) {
        (FieldKind::Flag, Some(Value::Bool(on))) => if *on { "yes" } else { "no" }.to_owned(),
        (FieldKind::Choice(of), Some(Value::String(word))) => {
            of.iter().find(|(known, _)| known == word).map_or_else(|| word.clone(), |(_, label)| (*label).to_owned())
        }
        (_, Some(value)) => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        (_, None) => "–".to_owned(),
    }
}

/// `GET …/operator/<page>`: what is set.
async fn show(seat: Seat, request: HttpRequest) -> Answer {
    let (module, _) = asked(&request)?;
    let config = &seat.call.realm.config;
    let sections = PAGES.iter().find(|(known, _)| *known == module).map_or(&[][..], |(_, sections)| sections);
    let entry = |section: &Section| {
        let values = section.of(&config.settings, &config.groups);
        let idle = idle(*section, config);
        let shown = fields(*section).into_iter().filter(|field| !idle.iter().any(|(key, _)| *key == field.key));
        SectionEntry {
            title: section.title(),
            address: seat.path(&format!("{}/{}", page_of(module).unwrap_or_default(), section.id())),
            values: shown.map(|field| (field.label, read(&field.kind, values.get(field.key)))).collect(),
            may_log: seat.may(module, Deed::ViewLog),
        }
    };
    let organization = (module == Module::Settings).then(|| SectionEntry {
        title: organization::TITLE,
        address: seat.path(organization::ADDRESS),
        values: organization::told(&Organization::of(config)),
        may_log: false,
    });
    page::page(&SettingsPage {
        sections: organization.into_iter().chain(sections.iter().map(entry)).collect(),
        may_edit: seat.may(module, Deed::Edit),
        shell: Shell::of(&seat, module).with_done(request.query_string(), &DONE),
    })
}

/// The keys that do not apply to what else is set, and why.
fn idle(section: Section, config: &TenantConfig) -> Vec<(&'static str, &'static str)> {
    match section {
        Section::Template(kind) => config.settings.token_templates.of_kind(kind).idle(),
        _ => Vec::new(),
    }
}

/// A field of a form, as it is drawn.
pub(super) struct Drawn {
    pub(super) key: &'static str,
    pub(super) label: &'static str,
    pub(super) note: String,
    /// `flag`, `number`, `choice` or `text`.
    pub(super) kind: &'static str,
    pub(super) value: String,
    pub(super) choices: &'static [settings::Choice],
    pub(super) least: i64,
    pub(super) most: i64,
    pub(super) fault: String,
    /// Why it does not apply to what else is set; empty if it does.
    pub(super) idle: &'static str,
}

impl Drawn {
    fn on(&self) -> bool {
        self.value == "true"
    }

    fn is(&self, word: &str) -> bool {
        self.value == word
    }
}

#[derive(Template)]
#[template(path = "operator/settings_edit.html")]
pub(super) struct EditPage {
    pub(super) shell: Shell,
    pub(super) fields: Vec<Drawn>,
    pub(super) address: String,
    pub(super) back: String,
    pub(super) read: String,
    pub(super) may_edit: bool,
    /// Whether what is greyed out depends on other fields.
    pub(super) depends: bool,
}

fn edit_page(seat: &Seat, module: Module, section: Section, typed: &Map<String, Value>, read: &str) -> EditPage {
    let shell = Shell::titled(seat, module, section.title());
    let idle = match section {
        Section::Template(kind) => {
            let template: TokenTemplate = seat.call.realm.config.settings.token_templates.of_kind(kind).clone();
            settings::overlaid("", &template, typed).0.idle()
        }
        _ => Vec::new(),
    };
    let drawn = fields(section).into_iter().map(|field| {
        let value = typed.get(field.key);
        let (kind, choices, range) = match field.kind {
            FieldKind::Flag => ("flag", &[][..], 0..=0),
            FieldKind::Number(range) => ("number", &[][..], range),
            FieldKind::Choice(of) => ("choice", of, 0..=0),
        };
        // Some notes say the range in words of their own.
        let least = range.start();
        let own = [format!("{least} to "), format!("{least} or ")].iter().any(|begins| field.note.starts_with(begins));
        let note = match kind {
            "number" if !own => format!("{} to {}. {}", range.start(), range.end(), field.note).trim().to_owned(),
            _ => field.note.to_owned(),
        };
        Drawn {
            key: field.key,
            label: field.label,
            note,
            kind,
            value: value
                .map_or_else(String::new, |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
            choices,
            least: *range.start(),
            most: *range.end(),
            fault: String::new(),
            idle: idle.iter().find(|(key, _)| *key == field.key).map_or("", |(_, why)| why),
        }
    });
    EditPage {
        fields: drawn.collect(),
        address: seat.path(&format!("{}/{}", page_of(module).unwrap_or_default(), section.id())),
        back: seat.path(page_of(module).unwrap_or_default()),
        read: read.to_owned(),
        may_edit: seat.may(module, Deed::Edit),
        depends: matches!(section, Section::Template(_)),
        shell,
    }
}

/// `GET …/operator/<page>/<section>`: the form.
async fn edit(seat: Seat, request: HttpRequest) -> Answer {
    let (module, section) = asked(&request)?;
    let section = section.ok_or(Fault::NotFound)?;
    let config = &seat.call.realm.config;
    let values = section.of(&config.settings, &config.groups);
    page::page(&edit_page(&seat, module, section, &values, &tag(&values)))
}

/// The values of a form. A number that is none is passed on as it was typed, so that its fault is told.
fn typed(section: Section, form: &Form) -> Map<String, Value> {
    let value = |field: settings::Field| {
        let text = form.text(field.key).trim();
        let value = match field.kind {
            FieldKind::Flag => Value::Bool(form.has(field.key)),
            FieldKind::Number(_) => text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from),
            FieldKind::Choice(_) => Value::from(text),
        };
        // What is greyed out is not sent; it stays as it is.
        let sent =
            form.has(field.key) || (matches!(field.kind, FieldKind::Flag) && form.has(&format!("{}-shown", field.key)));
        sent.then(|| (field.key.to_owned(), value))
    };
    fields(section).into_iter().filter_map(value).collect()
}

/// `POST …/operator/<page>/<section>`.
async fn save(seat: Seat, request: HttpRequest, form: Form) -> Answer {
    seat.check(&form)?;
    let (module, section) = asked(&request)?;
    let section = section.ok_or(Fault::NotFound)?;
    let (config, read) = (&seat.call.realm.config, form.text("read"));
    let entries = typed(section, &form);
    let mut whole = section.of(&config.settings, &config.groups);
    whole.extend(entries.clone());
    if form.has("look") {
        // Nothing is stored: the form is shown again with what applies to what was chosen.
        return page::page(&edit_page(&seat, module, section, &whole, read));
    }
    let mut again = edit_page(&seat, module, section, &whole, read);
    let back = again.back.clone();
    match change(&seat.desk(), &config.tenant.code, read, section, &entries, despite(&form)).await {
        Ok(settled) => {
            let done = if settled.changed { "saved" } else { "same" };
            return Ok(page::see(&format!("{}?done={done}", back)));
        }
        Err(Unsaved::Wrong(mut faults)) => {
            let called = |name: &str| fields(section).into_iter().find(|it| it.key == name).map(|field| field.label);
            for fault in &mut faults {
                fault.words = labels::spoken(&fault.words, called);
            }
            for field in &mut again.fields {
                let words = faults.iter().filter(|fault| fault.key == field.key).map(|fault| fault.words.as_str());
                field.fault = words.collect::<Vec<_>>().join("; ");
            }
            let labels = |key: &str| again.fields.iter().find(|field| field.key == key).map_or("", |field| field.label);
            let faults = faults
                .iter()
                .map(|fault| FieldFault::new(fault.key.clone(), format!("{}: {}", labels(&fault.key), fault.words)))
                .collect();
            again.shell = again.shell.with_faults(faults);
        }
        Err(unsaved) => again.shell = again.shell.refusing(unsaved)?,
    }
    page::page(&again)
}

struct LogEntry {
    at: String,
    actor: String,
    changes: Vec<Changed>,
}

/// A value that was changed.
struct Changed {
    /// What its page calls it.
    label: String,
    /// What the apply file and the management API call it.
    key: String,
    old: String,
    new: String,
}

impl Changed {
    fn of(section: Section, key: &str, old: Option<&Value>, new: Option<&Value>) -> Self {
        let field = fields(section).into_iter().find(|field| field.key == key);
        let label = match (&field, section) {
            (Some(field), _) => field.label.to_owned(),
            (None, Section::Alerts) => alerts::label(key).to_owned(),
            (None, Section::Platforms) => match key.parse() {
                Ok(platform) => codes::platform(platform).to_owned(),
                Err(_) => key.to_owned(),
            },
            (None, section) => labels::label(section.module(), key),
        };
        let text = |value: Option<&Value>| match &field {
            Some(field) => read(&field.kind, value),
            None => value.map_or_else(
                || "–".to_owned(),
                |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            ),
        };
        Self { label, key: key.to_owned(), old: text(old), new: text(new) }
    }
}

#[derive(Template)]
#[template(path = "operator/change_log.html")]
struct LogPage {
    shell: Shell,
    entries: Vec<LogEntry>,
    back: String,
}

/// The last changes of a section.
pub async fn log_of(seat: &Seat, module: Module, section: Section, back: &str) -> Answer {
    let tenant = seat.call.realm.tenant();
    let db = &seat.call.site.house.db;
    let entries = if let Section::Template(kind) = section {
        let changes =
            db.look(async |connection| template_changes::last_of(tenant, kind, LOGGED).ask(connection).await).await?;
        changes
            .into_iter()
            .map(|change| LogEntry {
                at: time(change.at),
                actor: change.actor,
                changes: change
                    .changed
                    .into_iter()
                    .filter_map(|(key, changed)| serde_json::to_value(changed).ok().map(|changed| (key, changed)))
                    .map(|(key, changed)| Changed::of(section, &key, changed.get("old"), changed.get("new")))
                    .collect(),
            })
            .collect()
    } else {
        // Other sections change as well: so many changes are looked at.
        let changes = db.look(async |connection| audit_list::settings_changes(connection, tenant, 200).await).await?;
        let groups = &seat.call.realm.config.groups;
        let of = |detail: &Value, side: &str| {
            let settings = serde_json::from_value(detail.get(side).cloned().unwrap_or_default()).ok()?;
            Some(section.of(&settings, groups))
        };
        let entries = changes.into_iter().filter_map(|change| {
            let (old, new) = (of(&change.detail, "old")?, of(&change.detail, "new")?);
            let changes = differences(section, &old, &new);
            (!changes.is_empty()).then(|| LogEntry { at: time(change.at), actor: change.actor, changes })
        });
        entries.take(usize::try_from(LOGGED).unwrap_or(5)).collect()
    };
    let shell = Shell::titled(seat, module, &format!("Change log: {}", section.title()));
    page::page(&LogPage { shell, entries, back: back.to_owned() })
}

fn differences(section: Section, old: &Map<String, Value>, new: &Map<String, Value>) -> Vec<Changed> {
    let mut keys: Vec<&String> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let differs = keys.into_iter().filter(|key| old.get(*key) != new.get(*key));
    differs.map(|key| Changed::of(section, key, old.get(key), new.get(key))).collect()
}

/// `GET …/operator/<page>/<section>/log`.
async fn log(seat: Seat, request: HttpRequest) -> Answer {
    let (module, section) = asked(&request)?;
    let back = seat.path(page_of(module).unwrap_or_default());
    log_of(&seat, module, section.ok_or(Fault::NotFound)?, &back).await
}
