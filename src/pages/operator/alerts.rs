//! Alerts: who hears of what by which way, and the alerts that there were.

use actix_web::HttpRequest;
use askama::Template;
use serde_json::{Map, Value, json};

use super::saved;
use super::settings::{DONE, log_of};
use super::shell::{FieldFault, Shell, time};
use crate::domain::alert::{Alert, AlertSettings, Kind};
use crate::domain::operator::{Deed, Module, Role};
use crate::domain::settings::{Section, tag};
use crate::domain::tenant::TenantConfig;
use crate::flow::administration::configuration::Unsaved;
use crate::flow::administration::settings::change;
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, page};
use crate::storage::alerts::{self, Written};
use crate::storage::audit_list::{place_of, place_text};
use crate::storage::webhooks;

const PAGE: &str = "alerts";
/// How many alerts a page has.
const ROWS: usize = 25;

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::Alerts.needs(deed);
    table.get(PAGE, needs(Deed::Access), show);
    table.post(PAGE, needs(Deed::Edit), save);
    table.get("alerts/log", needs(Deed::ViewLog), log);
}

/// A cell of the matrix: a box, or what cannot be changed here.
struct Cell {
    /// The name of the box.
    name: String,
    value: &'static str,
    label: String,
    chosen: bool,
}

struct KindRow {
    title: &'static str,
    cells: Vec<Cell>,
    /// The names of the webhooks that hear of it.
    hooks: String,
}

struct HookRow {
    id: String,
    name: String,
    url: String,
    state: &'static str,
    class: &'static str,
    last: String,
}

struct AlertRow {
    at: String,
    kind: &'static str,
    about: String,
    detail: String,
    told: &'static str,
}

#[derive(Template)]
#[template(path = "operator/alerts.html")]
struct AlertsPage {
    shell: Shell,
    /// The heads of the columns of the matrix: the roles, then the fixed addresses.
    heads: Vec<String>,
    rows: Vec<KindRow>,
    recipients: String,
    most_per_hour: String,
    read: String,
    may_edit: bool,
    may_add: bool,
    may_log: bool,
    hooks: Vec<HookRow>,
    alerts: Vec<AlertRow>,
    next: Option<String>,
    later: bool,
}

/// The names of all roles; those of settings that are not there any more come last, so that they can be taken out.
fn roles(config: &TenantConfig, settings: &AlertSettings) -> Vec<String> {
    let built_in = Role::BUILT_IN.iter().filter_map(|role| role.built_in_name());
    let known: Vec<&str> = built_in.chain(config.roles.iter().map(|role| role.name.as_str())).collect();
    let gone: Vec<String> = settings.unknown_roles(&known).map(str::to_owned).collect();
    known.into_iter().map(str::to_owned).chain(gone).collect()
}

/// The field of a role: named by it and not by its place, which another one has as soon as somebody makes a role.
fn column(role: &str) -> String {
    format!("role-{role}")
}

/// What was typed and cannot be kept as settings: the addresses and the number, as they were typed.
struct Typed {
    recipients: String,
    most_per_hour: String,
}

async fn alerts_page(
    seat: &Seat,
    shell: Shell,
    settings: &AlertSettings,
    typed: Option<Typed>,
    read: String,
    after: Option<&str>,
) -> Answer {
    let (config, tenant) = (&seat.call.realm.config, seat.call.realm.tenant());
    let place = match after {
        None => (i64::MAX, String::new()),
        Some(text) => place_of(text).ok_or(Fault::NotFound)?,
    };
    let most = i64::try_from(ROWS).unwrap_or(i64::MAX) + 1;
    let found = seat.call.site.house.db.look(async |connection| {
        Ok((webhooks::all(tenant).ask(connection).await?, alerts::page(tenant, &place, most).ask(connection).await?))
    });
    let (hooks, mut listed) = found.await?;
    let next = (listed.len() > ROWS).then(|| {
        listed.truncate(ROWS);
        listed.last().map(|last| place_text(&(last.alert.at.micros(), last.id.to_string())))
    });
    let roles = roles(config, settings);
    let row = |kind: Kind| {
        let of_roles = roles.iter().map(|role| Cell {
            name: column(role),
            value: kind.id(),
            label: format!("{}: by mail to operators with the role {role}", kind.title()),
            chosen: settings.tells_role(role, kind),
        });
        let addresses = Cell {
            name: "kinds".to_owned(),
            value: kind.id(),
            label: format!("{}: by mail to the addresses below", kind.title()),
            chosen: settings.kinds.contains(&kind),
        };
        let listen = hooks.iter().filter(|hook| hook.says.kinds.contains(&kind)).map(|hook| hook.says.name.as_str());
        KindRow {
            title: kind.title(),
            cells: of_roles.chain([addresses]).collect(),
            hooks: listen.collect::<Vec<_>>().join(", "),
        }
    };
    let typed = typed.unwrap_or_else(|| Typed {
        recipients: settings.recipients.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        most_per_hour: settings.most_per_hour.to_string(),
    });
    let page = AlertsPage {
        rows: Kind::ALL.into_iter().map(row).collect(),
        heads: roles.iter().cloned().chain(["Addresses below".to_owned()]).collect(),
        recipients: typed.recipients,
        most_per_hour: typed.most_per_hour,
        read,
        may_edit: seat.may(Module::Alerts, Deed::Edit),
        may_add: seat.may(Module::Alerts, Deed::Add),
        may_log: seat.may(Module::Alerts, Deed::ViewLog),
        hooks: hooks
            .iter()
            .map(|hook| HookRow {
                id: hook.id.to_string(),
                name: hook.says.name.clone(),
                url: hook.says.url.clone(),
                state: super::webhooks::state(hook),
                class: super::webhooks::class(hook),
                last: super::webhooks::last(hook),
            })
            .collect(),
        alerts: listed.into_iter().map(alert_row).collect(),
        next: next.flatten(),
        later: after.is_some(),
        shell,
    };
    page::page(&page)
}

/// Whom and what an alert is about.
pub(super) fn about(alert: &Alert) -> String {
    let about = [&alert.username, &alert.serial, &alert.application, &alert.address];
    about.map(String::as_str).into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(", ")
}

fn alert_row(written: Written) -> AlertRow {
    let alert = written.alert;
    AlertRow {
        at: time(alert.at),
        kind: alert.kind.title(),
        about: about(&alert),
        detail: alert.detail,
        told: match written.told {
            alerts::Told::Mailed => "told",
            alerts::Told::Withheld => "held back: there were many",
            alerts::Told::Gathered => "told together with others",
            alerts::Told::Nobody => "nobody asked to be told",
        },
    }
}

/// `GET …/operator/alerts`.
async fn show(seat: Seat, request: HttpRequest) -> Answer {
    let config = &seat.call.realm.config;
    let shell = Shell::of(&seat, Module::Alerts).with_done(request.query_string(), &DONE);
    let shell = shell.with_done(request.query_string(), &super::webhooks::DONE);
    let read = tag(&Section::Alerts.of(&config.settings, &config.groups));
    let after = form_urlencoded::parse(request.query_string().as_bytes()).find(|(name, _)| name == "after");
    let after = after.map(|(_, value)| value.into_owned()).filter(|after| !after.is_empty());
    alerts_page(&seat, shell, &config.settings.alerts, None, read, after.as_deref()).await
}

/// The values of the form.
fn typed(config: &TenantConfig, form: &Form) -> Map<String, Value> {
    let kinds = |name: &str| {
        let chosen: Vec<&str> = form.all(name).filter(|word| Kind::named(word).is_some()).collect();
        json!(chosen)
    };
    let roles = roles(config, &config.settings.alerts);
    let told: Map<String, Value> = roles
        .iter()
        .map(|role| (role.clone(), kinds(&column(role))))
        .filter(|(_, kinds)| kinds.as_array().is_some_and(|kinds| !kinds.is_empty()))
        .collect();
    let number = form.text("most_per_hour").trim();
    let number = number.parse::<i64>().map_or_else(|_| Value::from(number), Value::from);
    let values = [
        ("recipients", json!(saved::lines(form.text("recipients")))),
        ("kinds", kinds("kinds")),
        ("roles", Value::Object(told)),
        ("most_per_hour", number),
    ];
    values.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// What the page calls a value.
pub(super) fn label(key: &str) -> &'static str {
    match key {
        "recipients" => "Mail addresses",
        "most_per_hour" => "Told one by one in an hour",
        "roles" => "Roles",
        _ => "Kinds of alerts",
    }
}

/// `POST …/operator/alerts`.
async fn save(seat: Seat, form: Form) -> Answer {
    seat.check(&form)?;
    let (config, read) = (&seat.call.realm.config, form.text("read"));
    let entries = typed(config, &form);
    // Test cases are about logins; no alert can break one.
    let despite = crate::flow::administration::configuration::Despite::BrokenCases;
    let changed = change(&seat.desk(), &config.tenant.code, read, Section::Alerts, &entries, despite).await;
    let shell = Shell::of(&seat, Module::Alerts);
    let shell = match changed {
        Ok(settled) => {
            let done = if settled.changed { "saved" } else { "same" };
            return Ok(page::see(&format!("{}?done={done}", seat.path(PAGE))));
        }
        Err(Unsaved::Wrong(faults)) => {
            let told = |fault: crate::domain::fault::Fault| {
                let field = if fault.key == "roles" { "matrix".to_owned() } else { fault.key.clone() };
                FieldFault::new(field, format!("{}: {}.", label(&fault.key), fault.words))
            };
            shell.with_faults(faults.into_iter().map(told).collect())
        }
        Err(unsaved) => shell.refusing(unsaved)?,
    };
    // What was chosen is shown again; what cannot be kept as settings, as it was typed.
    let mut chosen = entries;
    chosen.remove("recipients");
    chosen.remove("most_per_hour");
    let (settings, _) = crate::domain::settings::overlaid("alerts", &config.settings.alerts, &chosen);
    let typed = Typed {
        recipients: form.text("recipients").to_owned(),
        most_per_hour: form.text("most_per_hour").trim().to_owned(),
    };
    alerts_page(&seat, shell, &settings, Some(typed), read.to_owned(), None).await
}

/// `GET …/operator/alerts/log`.
async fn log(seat: Seat) -> Answer {
    log_of(&seat, Module::Alerts, Section::Alerts, &seat.path(PAGE)).await
}
