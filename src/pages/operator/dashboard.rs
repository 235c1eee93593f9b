//! The dashboard and the reports: what is to be done, logins, lockouts and enrollments over time, tokens, what operators
//! did.

use std::time::Duration;

use actix_web::{HttpRequest, web};
use askama::Template;

use super::chart::Chart;
use super::overview::Overview;
use super::shell::Shell;
use crate::domain::operator::{Deed, Module};
use crate::domain::timestamp::Timestamp;
use crate::flow::administration::lists;
use crate::flow::administration::reports::{self, Activity, REPORTS, Report};
use crate::http::files::{self, Kind};
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, page};
use crate::storage::audit_chain;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Registers the routes.
pub fn routes(table: &mut Table) {
    table.get("dashboard", Module::Dashboard.needs(Deed::Access), dashboard);
    table.get("reports", Module::Reports.needs(Deed::Access), list);
    table.get("reports/{report}/{form}", Module::Reports.needs(Deed::Export), export);
}

/// The spans that can be looked at: the name in the address, what it is called, the length of a step, and how many steps.
const SPANS: [(&str, &str, Duration, usize); 3] =
    [("day", "24 hours", HOUR, 24), ("week", "7 days", DAY, 7), ("month", "30 days", DAY, 30)];

struct Tile {
    number: i64,
    what: &'static str,
}

struct Span {
    id: &'static str,
    title: &'static str,
    current: bool,
}

#[derive(Template)]
#[template(path = "operator/dashboard.html")]
struct DashboardPage {
    shell: Shell,
    spans: Vec<Span>,
    /// What the span is called that is looked at.
    span_title: &'static str,
    overview: Overview,
    tiles: Vec<Tile>,
    charts: Vec<Chart>,
    /// What is wrong with the audit trail; empty if nothing is, or if the role may not see it.
    broken: String,
}

fn parameter(request: &HttpRequest, wanted: &str) -> Option<String> {
    let mut parameters = form_urlencoded::parse(request.query_string().as_bytes());
    parameters.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
}

fn chosen(request: &HttpRequest) -> (&'static str, &'static str, Duration, usize) {
    let asked = parameter(request, "span");
    let found = SPANS.iter().find(|(id, ..)| Some(*id) == asked.as_deref()).unwrap_or(&SPANS[0]);
    *found
}

/// The name of a step: its hour or its day.
fn step_name(at: Timestamp, step: Duration) -> String {
    let text = at.rfc3339();
    let part = if step < DAY { text.get(11..16) } else { text.get(5..10) };
    part.unwrap_or(&text).to_owned()
}

fn charts(activity: &Activity) -> Vec<Chart> {
    let what = if activity.step < DAY { "Hour (UTC)" } else { "Day (UTC)" };
    let names: Vec<String> = activity.steps.iter().map(|at| step_name(*at, activity.step)).collect();
    vec![
        Chart::stacked(("logins", "Logins", what), &names, &["succeeded", "failed", "denied"], &activity.logins),
        Chart::stacked(
            ("enrollments", "Enrollments completed", what),
            &names,
            &["completed"],
            std::slice::from_ref(&activity.enrollments),
        ),
        Chart::stacked(
            ("lockouts", "Accounts locked", what),
            &names,
            &["locked"],
            std::slice::from_ref(&activity.lockouts),
        ),
    ]
}

/// `GET …/operator/dashboard`.
async fn dashboard(seat: Seat, request: HttpRequest) -> Answer {
    let (span, span_title, step, steps) = chosen(&request);
    let (tenant, now) = (seat.call.realm.tenant(), seat.call.visit.now);
    let may_see = seat.may(Module::AuditLog, Deed::Access);
    let read = seat.call.site.house.db.look(async |connection| {
        let activity = reports::activity(connection, tenant, (step, steps), now).await?;
        Ok((activity, audit_chain::state(tenant).ask(connection).await?))
    });
    let (activity, state) = read.await?;
    let sum = |line: &[i64]| line.iter().sum::<i64>();
    let [good, failed, denied] = &activity.logins;
    let tile = |line: &[i64], one: &'static str, many: &'static str| {
        let number = sum(line);
        Tile { number, what: if number == 1 { one } else { many } }
    };
    let tiles = vec![
        tile(good, "login", "logins"),
        tile(failed, "failed", "failed"),
        tile(denied, "denied", "denied"),
        tile(&activity.lockouts, "account locked", "accounts locked"),
        tile(&activity.enrollments, "enrollment", "enrollments"),
    ];
    let since = activity.steps.first().copied().unwrap_or(now);
    let overview = Overview::of(&seat, since, (sum(failed), sum(denied))).await?;
    let broken = state.filter(|_| may_see).and_then(|state| state.checked).and_then(|(_, fault)| fault);
    let page = DashboardPage {
        shell: Shell::of(&seat, Module::Dashboard),
        spans: SPANS.iter().map(|(id, title, ..)| Span { id, title, current: *id == span }).collect(),
        span_title,
        overview,
        tiles,
        charts: charts(&activity),
        broken: broken.unwrap_or_default(),
    };
    page::page(&page)
}

async fn rows_of(seat: &Seat, report: &Report) -> Result<Vec<Vec<String>>, Fault> {
    let (tenant, now) = (seat.call.realm.tenant(), seat.call.visit.now);
    let read = seat.call.site.house.db.look(async |connection| reports::report(connection, tenant, report, now).await);
    Ok(read.await?)
}

#[derive(Template)]
#[template(path = "operator/reports.html")]
struct ReportsPage {
    shell: Shell,
    tabs: Vec<Span>,
    report: &'static Report,
    rows: Vec<Vec<String>>,
    may_export: bool,
}

/// `GET …/operator/reports`: one of them, as each is counted when it is looked at.
async fn list(seat: Seat, request: HttpRequest) -> Answer {
    let asked = parameter(&request, "report");
    let report = asked.and_then(|id| reports::report_named(&id)).unwrap_or(&REPORTS[0]);
    let tabs = REPORTS.iter().map(|one| Span { id: one.id, title: one.title, current: one.id == report.id }).collect();
    let rows = rows_of(&seat, report).await?;
    let may_export = seat.may(Module::Reports, Deed::Export);
    page::page(&ReportsPage { shell: Shell::of(&seat, Module::Reports), tabs, report, rows, may_export })
}

/// `GET …/operator/reports/{report}/{form}`: a report as a file.
async fn export(seat: Seat, path: web::Path<(String, String, String)>) -> Answer {
    let (_, id, form) = path.into_inner();
    let report = reports::report_named(&id).ok_or(Fault::NotFound)?;
    let kind = Kind::named(&form).ok_or(Fault::NotFound)?;
    let rows = rows_of(&seat, report).await?;
    lists::exported(&seat.desk(), seat.call.realm.tenant(), report.id, &[]).await?;
    Ok(files::whole(kind, report.id, report.columns, &rows))
}
