//! Reports that are mailed again and again, and those that were mailed.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, web};
use askama::Template;

use super::saved::field as field_of;
use super::shell::{FieldFault, Shell, time};
use super::sure;
use super::users::id_of;
use crate::domain::ids::ScheduleId;
use crate::domain::operator::{Deed, Module};
use crate::domain::report_schedule::{Every, Report, Schedule, ScheduleDraft};
use crate::flow::administration::configuration::Unsaved;
use crate::flow::administration::schedules;
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, page};
use crate::storage::report_schedules::{self as stored, Run};

const PAGE: &str = "report-schedules";
const DONE: [(&str, &str); 2] = [("saved", "Saved."), ("removed", "The report is not mailed any more.")];
/// How many reports that were mailed a page shows.
const ROWS: usize = 25;

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::Reports.needs(deed);
    table.get(PAGE, needs(Deed::Access), list);
    table.get("report-schedules/new", needs(Deed::Add), new);
    table.post("report-schedules/new", needs(Deed::Add), make);
    table.get("report-schedules/{schedule}", needs(Deed::Access), show);
    table.post("report-schedules/{schedule}", needs(Deed::Edit), change);
    table.post("report-schedules/{schedule}/remove", needs(Deed::Delete), remove);
}

struct Entry {
    id: String,
    name: String,
    report: &'static str,
    every: &'static str,
    author: String,
    next: String,
    /// Why it is not made; empty if it is.
    paused: String,
}

struct Made {
    at: String,
    name: String,
    report: &'static str,
    span: String,
    rows: i64,
    receivers: i64,
    /// The page that shows it; empty if the role may not see it.
    page: String,
}

#[derive(Template)]
#[template(path = "operator/report_schedules.html")]
struct ListPage {
    shell: Shell,
    entries: Vec<Entry>,
    runs: Vec<Made>,
    next: Option<String>,
    later: bool,
    may_add: bool,
    reports: Vec<(&'static str, &'static str)>,
}

/// The reports that the operator may see.
fn reports(seat: &Seat) -> Vec<Report> {
    Report::ALL.into_iter().filter(|report| report.is_for(&seat.seated.permissions, false)).collect()
}

fn entry(schedule: &Schedule) -> Entry {
    Entry {
        id: schedule.id.to_string(),
        name: schedule.name.clone(),
        report: schedule.says.report.title(),
        every: schedule.says.every.title(),
        author: schedule.author_name.clone(),
        next: time(schedule.next_at),
        paused: schedule.paused.clone(),
    }
}

fn made(seat: &Seat, run: &Run, schedules: &[Schedule]) -> Made {
    let report = Report::named(&run.report);
    let visible = report.filter(|report| report.is_for(&seat.seated.permissions, false));
    // What it was narrowed by is what its schedule says, where that is still there.
    let says = schedules.iter().find(|schedule| schedule.id == run.schedule).map(|schedule| &schedule.says);
    let page = match (visible, says) {
        (Some(report), Some(says)) if says.report == report => says.page(run.span),
        (Some(report), _) => report.page().to_owned(),
        (None, _) => String::new(),
    };
    Made {
        at: time(run.at),
        name: run.name.clone(),
        report: report.map_or("", Report::title),
        span: format!("{} to {}", time(run.span.0), time(run.span.1)),
        rows: run.rows,
        receivers: run.receivers,
        page,
    }
}

/// `GET …/operator/report-schedules`.
async fn list(seat: Seat, request: HttpRequest) -> Answer {
    let tenant = seat.call.realm.tenant();
    let after = form_urlencoded::parse(request.query_string().as_bytes()).find(|(name, _)| name == "after");
    let after = after.map(|(_, value)| value.into_owned()).filter(|after| !after.is_empty());
    let place = after.as_deref().map(|text| text.parse().map_err(|_| Fault::NotFound)).transpose()?;
    let most = i64::try_from(ROWS).unwrap_or(i64::MAX) + 1;
    let read = seat.call.site.house.db.look(async |connection| {
        Ok((stored::all(tenant).ask(connection).await?, stored::runs(tenant, place, most).ask(connection).await?))
    });
    let (all, mut runs) = read.await?;
    let next = (runs.len() > ROWS).then(|| {
        runs.truncate(ROWS);
        runs.last().map(|last| last.id.to_string())
    });
    page::page(&ListPage {
        entries: all.iter().map(entry).collect(),
        runs: runs.iter().map(|run| made(&seat, run, &all)).collect(),
        next: next.flatten(),
        later: after.is_some(),
        may_add: seat.may(Module::Reports, Deed::Add),
        reports: reports(&seat).into_iter().map(|report| (report.id(), report.title())).collect(),
        shell: Shell::titled(&seat, Module::Reports, "Reports by mail").with_done(request.query_string(), &DONE),
    })
}

struct Filter {
    /// The name and identifier of the field.
    field: String,
    label: &'static str,
    choices: &'static [&'static str],
    value: String,
    fault: String,
}

struct Receiver {
    name: String,
    chosen: bool,
}

#[derive(Template)]
#[template(path = "operator/report_schedule.html")]
struct SchedulePage {
    shell: Shell,
    /// Where it is saved; empty if it cannot be.
    save: String,
    /// Where it is removed; empty if it cannot be.
    remove: String,
    version: i64,
    typed: ScheduleDraft,
    report_title: &'static str,
    every: Vec<(&'static str, &'static str, bool)>,
    filters: Vec<Filter>,
    receivers: Vec<Receiver>,
    /// Whether tables may be attached at all.
    attachments: bool,
    paused: String,
    author: String,
}

fn schedule_page(
    seat: &Seat,
    shell: Shell,
    typed: ScheduleDraft,
    (before, version): (Option<&Schedule>, i64),
) -> Answer {
    let config = &seat.call.realm.config;
    let report = Report::named(&typed.report).ok_or(Fault::NotFound)?;
    let may = |deed| seat.may(Module::Reports, deed);
    let address = before.map_or_else(|| "new".to_owned(), |before| before.id.to_string());
    let can = may(if before.is_some() { Deed::Edit } else { Deed::Add });
    let kind = report.table();
    let fields =
        kind.map_or(&[][..], |kind| kind.filters()).iter().filter(|it| !matches!(it.id, "from" | "to" | "correlation"));
    let filters = fields.map(|it| {
        let field = format!("filters-{}", it.id);
        Filter {
            label: it.label,
            choices: it.choices,
            value: typed.filters.get(it.id).cloned().unwrap_or_default(),
            fault: shell.fault(&field).to_owned(),
            field,
        }
    });
    // Whoever was chosen stays visible, also when they may not see it any more: the fault names them.
    let mut names = schedules::possible(config, report, false);
    names.extend(typed.receivers.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
    let receivers = names.into_iter().map(|name| Receiver { chosen: typed.receivers.contains(&name), name });
    page::page(&SchedulePage {
        save: if can { seat.path(&format!("{PAGE}/{address}")) } else { String::new() },
        remove: match before {
            Some(_) if may(Deed::Delete) => seat.path(&format!("{PAGE}/{address}/remove")),
            _ => String::new(),
        },
        version,
        report_title: report.title(),
        every: Every::ALL.map(|every| (every.id(), every.title(), every == typed.every)).to_vec(),
        filters: filters.collect(),
        receivers: receivers.collect(),
        attachments: config.settings.logs.report_attachments,
        paused: before.map(|before| before.paused.clone()).unwrap_or_default(),
        author: before.map(|before| before.author_name.clone()).unwrap_or_default(),
        typed,
        shell,
    })
}

/// `GET …/operator/report-schedules/new?report=…`, with the filters of a list.
async fn new(seat: Seat, request: HttpRequest) -> Answer {
    let query: BTreeMap<String, String> =
        form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let report = query.get("report").and_then(|id| Report::named(id)).ok_or(Fault::NotFound)?;
    if !report.is_for(&seat.seated.permissions, false) {
        return Err(Fault::Forbidden);
    }
    let known = |id: &str| report.table().is_some_and(|kind| kind.filters().iter().any(|filter| filter.id == id));
    let filters =
        query.into_iter().filter(|(id, _)| known(id) && !matches!(id.as_str(), "from" | "to" | "correlation"));
    let typed = ScheduleDraft {
        report: report.id().to_owned(),
        filters: filters.collect(),
        hour: 6,
        receivers: vec![seat.seated.operator.username.clone()],
        ..ScheduleDraft::default()
    };
    schedule_page(&seat, Shell::titled(&seat, Module::Reports, "New report by mail"), typed, (None, 0))
}

/// What was typed; an hour that is none becomes one that the check refuses.
fn draft(form: &Form, report: &str) -> ScheduleDraft {
    let kind = Report::named(report).and_then(Report::table);
    let fields = kind.map_or(&[][..], |kind| kind.filters()).iter();
    let filters = fields.map(|it| (it.id.to_owned(), form.text(&format!("filters-{}", it.id)).trim().to_owned()));
    ScheduleDraft {
        name: form.text("name").to_owned(),
        report: report.to_owned(),
        filters: filters.filter(|(_, value)| !value.is_empty()).collect(),
        every: Every::named(form.text("every")).unwrap_or_default(),
        hour: form.text("hour").trim().parse().unwrap_or(u8::MAX),
        attach: form.text("attach") == "yes",
        receivers: form.all("receivers").map(str::to_owned).collect(),
    }
}

/// What is wrong, beside its field.
fn refusing(shell: Shell, unsaved: Unsaved) -> Result<Shell, Fault> {
    let Unsaved::Wrong(faults) = unsaved else { return shell.refusing(unsaved) };
    let told = |fault: crate::domain::fault::Fault| {
        let label = match fault.key.as_str() {
            "name" => "Name",
            "report" => "Report",
            "hour" => "Hour",
            "attach" => "Attachment",
            "receivers" => "Receivers",
            _ => "Filter",
        };
        FieldFault::new(field_of(&fault.key), format!("{label}: {}.", fault.words))
    };
    Ok(shell.with_faults(faults.into_iter().map(told).collect()))
}

/// `POST …/operator/report-schedules/new`.
async fn make(seat: Seat, form: Form) -> Answer {
    seat.check(&form)?;
    let typed = draft(&form, form.text("report"));
    let held = &seat.seated.permissions;
    match schedules::create(&seat.desk(), &seat.call.realm.config, held, &typed).await {
        Ok(_) => Ok(page::see(&seat.path(&format!("{PAGE}?done=saved")))),
        Err(unsaved) => {
            let shell = refusing(Shell::titled(&seat, Module::Reports, "New report by mail"), unsaved)?;
            schedule_page(&seat, shell, typed, (None, 0))
        }
    }
}

async fn found(seat: &Seat, path: web::Path<(String, String)>) -> Result<Schedule, Fault> {
    let (id, tenant) = (id_of::<ScheduleId>(path)?, seat.call.realm.tenant());
    let read = seat.call.site.house.db.look(async |connection| stored::with_id(tenant, id).ask(connection).await);
    read.await?.ok_or(Fault::NotFound)
}

fn titled(seat: &Seat, schedule: &Schedule) -> Shell {
    Shell::titled(seat, Module::Reports, &format!("Report by mail: {}", schedule.name))
}

/// `GET …/operator/report-schedules/{schedule}`.
async fn show(seat: Seat, path: web::Path<(String, String)>) -> Answer {
    let schedule = found(&seat, path).await?;
    let typed = schedules::draft_of(&seat.call.realm.config, &schedule);
    schedule_page(&seat, titled(&seat, &schedule), typed, (Some(&schedule), schedule.version))
}

/// `POST …/operator/report-schedules/{schedule}`.
async fn change(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let before = found(&seat, path).await?;
    let version = form.text("version").parse().unwrap_or(-1);
    let typed = draft(&form, before.says.report.id());
    let held = &seat.seated.permissions;
    match schedules::change(&seat.desk(), &seat.call.realm.config, held, (before.id, version), &typed).await {
        Ok(()) => Ok(page::see(&seat.path(&format!("{PAGE}?done=saved")))),
        Err(unsaved) => {
            let shell = refusing(titled(&seat, &before), unsaved)?;
            schedule_page(&seat, shell, typed, (Some(&before), version))
        }
    }
}

/// The page that asks before a report is not mailed any more.
fn ask_first(seat: &Seat, schedule: &Schedule, form: &Form) -> Answer {
    let (says, to) = (&schedule.says, schedules::draft_of(&seat.call.realm.config, schedule).receivers);
    let mut lines = vec![format!("{}. {}.", says.report.title(), says.every.title())];
    if !to.is_empty() {
        lines.push(format!("It goes to: {}.", to.join(", ")));
    }
    lines.push("The list of what was mailed stays, for as long as the settings say.".to_owned());
    let shell = Shell::titled(seat, Module::Reports, &format!("Remove the report by mail {}?", schedule.name));
    let page = seat.path(&format!("{PAGE}/{}", schedule.id));
    sure::ask(shell, form, (lines, "Yes, remove"), (format!("{page}/remove"), page))
}

/// `POST …/operator/report-schedules/{schedule}/remove`.
async fn remove(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let before = found(&seat, path).await?;
    if !sure::said(&form) {
        return ask_first(&seat, &before, &form);
    }
    let version = form.text("version").parse().unwrap_or(-1);
    match schedules::remove(&seat.desk(), &seat.call.realm.config, (before.id, version)).await {
        Ok(()) => Ok(page::see(&seat.path(&format!("{PAGE}?done=removed")))),
        Err(unsaved) => {
            let shell = refusing(titled(&seat, &before), unsaved)?;
            let typed = schedules::draft_of(&seat.call.realm.config, &before);
            schedule_page(&seat, shell, typed, (Some(&before), version))
        }
    }
}
