//! Access logs, authentication log, audit log and enrollment history: filters, a page of rows, exports (A7, A8, T14).

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use askama::Template;

use super::codes;
use super::shell::{FieldFault, Shell, time};
use crate::domain::operator::{Deed, Module};
use crate::domain::timestamp::Timestamp;
use crate::flow::administration::reports::{self, Asked, FilterField, Kind, Page, Wrong};
use crate::flow::audit_trail::{self, Pace};
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, files, page};
use crate::storage::audit_chain;
use crate::storage::audit_list::place_of;

/// How many rows a page has.
const ROWS: usize = 50;

/// A table of the console: its address, what it needs, and what it shows.
struct View {
    path: &'static str,
    title: &'static str,
    module: Module,
    kind: Kind,
}

const VIEWS: [View; 4] = [
    View { path: "access-log", title: "Access logs", module: Module::AccessLog, kind: Kind::Access },
    View {
        path: "authentication-log",
        title: "Authentication log",
        module: Module::AccessLog,
        kind: Kind::Authentication,
    },
    View { path: "audit-log", title: "Audit log", module: Module::AuditLog, kind: Kind::Audit },
    View {
        path: "enrollment-history",
        title: "Enrollment history",
        module: Module::EnrollmentHistory,
        kind: Kind::Enrollment,
    },
];

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let [access, authentication, audit, enrollment] = &VIEWS;
    for view in [access, authentication, audit, enrollment] {
        table.get(view.path, view.module.needs(Deed::Access), show);
    }
    table.get("access-log/export/{form}", Module::AccessLog.needs(Deed::Export), export);
    table.get("authentication-log/export/{form}", Module::AccessLog.needs(Deed::Export), export);
    table.get("audit-log/export/{form}", Module::AuditLog.needs(Deed::Export), export);
    table.get("enrollment-history/export/{form}", Module::EnrollmentHistory.needs(Deed::Export), export);
    table.get("audit-log/event/{event}", Module::AuditLog.needs(Deed::Access), event);
    table.post("audit-log/check", Module::AuditLog.needs(Deed::ViewLog), check);
}

/// A filter as the page shows it.
struct Field {
    id: &'static str,
    label: &'static str,
    choices: &'static [&'static str],
    value: String,
    /// Whether it is a time.
    time: bool,
}

struct Tab {
    path: &'static str,
    title: &'static str,
    current: bool,
}

struct Cell {
    text: String,
    /// The stable word that the text is the meaning of, which filters ask for; empty where the text is not.
    code: String,
    /// How a result is coloured.
    state: &'static str,
    /// Whether it is a time, which stays in one line.
    time: bool,
    /// Where it leads, below `/operator/`.
    link: String,
}

/// What is known of the chain.
#[derive(Default)]
struct Chain {
    /// What is wrong; empty if nothing is.
    broken: String,
    /// When the whole of it was last checked, and how far it is signed.
    told: String,
}

#[derive(Template)]
#[template(path = "operator/log.html")]
struct LogPage {
    shell: Shell,
    path: &'static str,
    tabs: Vec<Tab>,
    fields: Vec<Field>,
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    /// Whether it is the audit log, which has a chain.
    audit: bool,
    chain: Chain,
    may_check: bool,
    may_export: bool,
    may_schedule: bool,
    /// Its published name.
    report: &'static str,
    /// The query of the filters, for exports and the next page.
    query: String,
    next: Option<String>,
    /// Whether this is not the first page.
    later: bool,
}

fn view_of(request: &HttpRequest) -> Result<&'static View, Fault> {
    let page = request.path().split_once("/operator/").map_or("", |(_, page)| page);
    let first = page.split('/').next().unwrap_or_default();
    VIEWS.iter().find(|view| view.path == first).ok_or(Fault::NotFound)
}

fn asked(request: &HttpRequest, kind: Kind) -> (Asked, Option<String>) {
    let query: BTreeMap<String, String> =
        form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let known = |id: &String| kind.filters().iter().any(|filter| filter.id == id);
    let after = query.get("after").cloned().filter(|after| !after.is_empty());
    let filters = query.into_iter().filter(|(id, value)| known(id) && !value.is_empty()).collect();
    (Asked(filters), after)
}

fn query_of(asked: &Asked) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (id, value) in &asked.0 {
        query.append_pair(id, value);
    }
    query.finish()
}

/// A list with its filters.
async fn show(seat: Seat, request: HttpRequest) -> Answer {
    let view = view_of(&request)?;
    let (asked, after) = asked(&request, view.kind);
    let config = &seat.call.realm.config;
    let now = seat.call.visit.now;
    let read = seat.call.site.house.db.look(async |connection| {
        let page = reports::page(connection, config, view.kind, &asked, after.as_deref(), ROWS, now).await?;
        let state =
            if view.kind == Kind::Audit { audit_chain::state(config.tenant.id).ask(connection).await? } else { None };
        Ok((page, state))
    });
    let (found, state) = read.await?;
    const DONE: [(&str, &str); 1] = [("checked", "The whole chain was checked.")];
    let shell = Shell::titled(&seat, view.module, view.title).with_done(request.query_string(), &DONE);
    let (page, shell) = match found {
        Ok(page) => (page, shell),
        Err(wrong) => (Page::default(), shell.with_wrong_question(faults(wrong))),
    };
    let log = LogPage {
        path: view.path,
        tabs: tabs(view),
        fields: view.kind.filters().iter().map(|filter| field(*filter, &asked)).collect(),
        columns: shown(view.kind).map(|(_, title)| title).collect(),
        rows: page.rows.into_iter().zip(page.keys).map(|(row, key)| cells(view.kind, row, &key)).collect(),
        audit: view.kind == Kind::Audit,
        chain: chain(state.as_ref()),
        may_check: seat.may(view.module, Deed::ViewLog),
        may_export: seat.may(view.module, Deed::Export),
        may_schedule: seat.may(Module::Reports, Deed::Add),
        report: view.kind.id(),
        query: query_of(&asked),
        next: page.next,
        later: after.is_some(),
        shell,
    };
    let refused = !log.shell.faults.is_empty();
    page::page_with_status(if refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, &log)
}

fn faults(wrong: Vec<Wrong>) -> Vec<FieldFault> {
    wrong.into_iter().map(|wrong| FieldFault::new(wrong.filter, wrong.message)).collect()
}

fn tabs(view: &View) -> Vec<Tab> {
    let of_module = VIEWS.iter().filter(|other| other.module == view.module);
    let tabs: Vec<Tab> =
        of_module.map(|other| Tab { path: other.path, title: other.title, current: other.path == view.path }).collect();
    if tabs.len() > 1 { tabs } else { Vec::new() }
}

fn field(filter: FilterField, asked: &Asked) -> Field {
    let value = asked.0.get(filter.id).cloned().unwrap_or_default();
    let time = matches!(filter.id, "from" | "to");
    Field { id: filter.id, label: filter.label, choices: filter.choices, value, time }
}

/// The columns that the page has room for; exports have all.
fn shown(kind: Kind) -> impl Iterator<Item = (usize, &'static str)> {
    let hidden: &[&str] = match kind {
        Kind::Audit => &["old", "new", "event"],
        Kind::Access => &["email", "alias", "type", "scenario"],
        Kind::Authentication => &["action"],
        Kind::Enrollment => &["app_version", "template_version", "address", "task", "rule"],
    };
    let columns = kind.columns().iter().enumerate();
    columns.filter(|(_, (id, _))| !hidden.contains(id)).map(|(at, (_, title))| (at, *title))
}

fn cells(kind: Kind, row: Vec<String>, key: &str) -> Vec<Cell> {
    let columns = kind.columns();
    let cell = |(at, _): (usize, &str)| {
        let text = row.get(at).cloned().unwrap_or_default();
        let id = columns.get(at).map_or("", |(id, _)| id);
        let state = match (id, text.as_str()) {
            ("result", "success" | "completed") => "good",
            ("result", "failure" | "denied" | "failed") => "bad",
            ("result", _) => "plain",
            _ => "",
        };
        let link = match (id, kind) {
            ("time", Kind::Audit) => format!("audit-log/event/{key}"),
            ("correlation", _) if !text.is_empty() => format!("audit-log?correlation={text}"),
            _ => String::new(),
        };
        let meaning = codes::meaning(id, &text).filter(|words| *words != text);
        let code = if meaning.is_some() { text.clone() } else { String::new() };
        let text = match (id, meaning) {
            (_, Some(words)) => words.to_owned(),
            ("time", _) => Timestamp::parsed(&text).map_or(text, time),
            ("correlation", _) => text.chars().take(8).collect(),
            ("detail", _) => text.chars().take(120).collect(),
            _ => text,
        };
        Cell { text, code, state, time: id == "time", link }
    };
    shown(kind).map(cell).collect()
}

fn chain(state: Option<&audit_chain::State>) -> Chain {
    let Some(state) = state else {
        return Chain { told: "Nothing was sealed yet.".to_owned(), broken: String::new() };
    };
    let broken = state.checked.as_ref().and_then(|(_, fault)| fault.clone()).unwrap_or_default();
    let checked = match &state.checked {
        Some((at, _)) => format!("The whole chain was last checked {}.", time(*at)),
        None => "The whole chain was not checked yet.".to_owned(),
    };
    let signed = match state.signed {
        (0, _) => "There is no signed checkpoint yet.".to_owned(),
        (number, at) => format!("The last checkpoint was signed {} for row {number}.", time(at)),
    };
    Chain { broken, told: format!("{} rows are sealed. {signed} {checked}", state.head.number - state.base) }
}

/// A list as a file: `csv`, safe for spreadsheets (T-73), or `json`.
async fn export(seat: Seat, request: HttpRequest, path: web::Path<(String, String)>) -> Answer {
    let view = view_of(&request)?;
    let form = files::Kind::named(&path.into_inner().1).ok_or(Fault::NotFound)?;
    let (asked, _) = asked(&request, view.kind);
    let (site, realm, now) = (seat.call.site.clone(), Arc::clone(&seat.call.realm), seat.call.visit.now);
    let look = site.house.db.look(async |connection| {
        reports::page(connection, &realm.config, view.kind, &asked, None, 1, now).await.map(|page| page.is_ok())
    });
    if !look.await? {
        return Err(Fault::NotFound);
    }
    reports::exported(&seat.desk(), realm.tenant(), view.kind, &asked).await?;
    let (name, kind) = (format!("{}-{}", view.path, realm.code()), view.kind);
    Ok(files::streamed(form, &name, kind.column_ids(), move |after| {
        let (site, realm, asked) = (site.clone(), Arc::clone(&realm), asked.clone());
        async move { reports::part(&site.house, &realm.config, kind, &asked, after.as_deref(), now).await }
    }))
}

#[derive(Template)]
#[template(path = "operator/audit_event.html")]
struct EventPage {
    shell: Shell,
    pairs: Vec<(&'static str, String)>,
    old: String,
    new: String,
    rest: String,
    /// Whether it is not what was sealed.
    changed: bool,
    correlation: String,
}

/// `GET …/operator/audit-log/event/{event}`: one event with old and new values side by side.
async fn event(seat: Seat, path: web::Path<(String, String)>) -> Answer {
    let place = place_of(&path.into_inner().1).ok_or(Fault::NotFound)?;
    let tenant = seat.call.realm.tenant();
    let read = seat.call.site.house.db.look(async |connection| reports::event(connection, tenant, &place).await);
    let found = read.await?.ok_or(Fault::NotFound)?;
    let entry = found.entry;
    let number = found.number.map_or_else(|| "not sealed yet".to_owned(), |number| number.to_string());
    let (old, new, rest) = reports::values(serde_json::from_str(&entry.detail).unwrap_or_default());
    let pretty = |text: String| {
        let value = serde_json::from_str::<serde_json::Value>(&text);
        value.ok().and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or(text)
    };
    let page = EventPage {
        pairs: vec![
            ("Time", time(Timestamp::from_micros(entry.at))),
            (
                "Who",
                format!("{} ({})", if found.who.is_empty() { "nobody known" } else { &found.who }, entry.actor_kind),
            ),
            ("Address", entry.address),
            ("Action", entry.action),
            ("Object", format!("{} {}", entry.object, entry.object_id)),
            ("Row of the chain", number),
            ("Event", entry.id),
        ],
        old: pretty(old),
        new: pretty(new),
        rest: pretty(rest),
        changed: !found.unchanged,
        correlation: entry.correlation_id.unwrap_or_default(),
        shell: Shell::titled(&seat, Module::AuditLog, "Audit event"),
    };
    page::page(&page)
}

/// `POST …/operator/audit-log/check`: checks the whole chain now.
async fn check(seat: Seat, form: Form) -> Answer {
    seat.check(&form)?;
    let tenant = seat.call.realm.tenant();
    let house = &seat.call.site.house;
    // What is wrong is shown by the page, as it is for everybody who looks at it later.
    let _ = audit_trail::verify_and_remember(house, tenant, Pace::Gentle, seat.call.visit.now).await?;
    Ok(page::see(&format!("{}?done=checked", seat.path("audit-log"))))
}
