//! Reports that are mailed again and again, and those that were mailed.

use actix_web::HttpRequest;
use actix_web::http::Method;
use serde::Serialize;

use super::io::{Body, Named, Page, Paging, Query, created, done, if_match, ok, versioned};
use super::problem::Problem;
use super::{Answer, Api};
use crate::domain::ids::{EventId, ScheduleId};
use crate::domain::operator::{Deed, Module};
use crate::domain::report_schedule::{Schedule, ScheduleDraft};
use crate::flow::administration::schedules;
use crate::http::guard::Program;
use crate::storage::report_schedules::{self as stored, Run};

/// A report that is mailed again and again.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "ReportSchedule")]
struct ScheduleView {
    /// Its identifier.
    id: String,
    /// What it is.
    #[serde(flatten)]
    says: ScheduleDraft,
    /// Who set it up, or changed it last, as they were called then.
    author: String,
    /// Why it is not made at the moment; absent if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    paused: Option<String>,
    /// When it is made next, unless it is paused.
    next_at: String,
}

/// A report that was mailed.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "ReportRun")]
struct RunView {
    /// Its identifier.
    id: String,
    /// The schedule.
    schedule: String,
    /// What the schedule was called then.
    name: String,
    /// Which report.
    report: String,
    /// When it was made.
    at: String,
    /// The span that it is about.
    from: String,
    /// See `from`.
    to: String,
    /// How many rows it had.
    rows: i64,
    /// How many operators got it.
    receivers: i64,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let needs = |deed| Module::Reports.needs(deed);
    api.get("report-schedules", needs(Deed::Access), "Reports that are mailed regularly, by name", list)
        .gives::<Page<ScheduleView>>(200);
    api.route(Method::POST, "report-schedules", needs(Deed::Add), "Set a report up", make)
        .takes::<ScheduleDraft>()
        .gives::<ScheduleView>(201);
    api.get("report-schedules/{schedule}", needs(Deed::Access), "A report that is mailed regularly", show)
        .gives::<ScheduleView>(200)
        .versioned();
    api.route(
        Method::PUT,
        "report-schedules/{schedule}",
        needs(Deed::Edit),
        "Change a report that is mailed regularly; one that is paused goes on",
        put,
    )
    .takes::<ScheduleDraft>()
    .gives::<ScheduleView>(200)
    .versioned();
    api.route(Method::DELETE, "report-schedules/{schedule}", needs(Deed::Delete), "Mail a report no more", remove)
        .gives_nothing()
        .versioned();
    api.get("report-runs", needs(Deed::Access), "Reports that were mailed, the newest first", runs)
        .query::<Paging>()
        .gives::<Page<RunView>>(200);
}

fn view(program: &Program, schedule: &Schedule) -> ScheduleView {
    ScheduleView {
        id: schedule.id.to_string(),
        says: schedules::draft_of(&program.call.realm.config, schedule),
        author: schedule.author_name.clone(),
        paused: Some(schedule.paused.clone()).filter(|paused| !paused.is_empty()),
        next_at: schedule.next_at.rfc3339(),
    }
}

async fn found(program: &Program, id: ScheduleId) -> Result<Schedule, Problem> {
    let tenant = program.call.realm.tenant();
    let read = program.call.site.house.db.look(async |connection| stored::with_id(tenant, id).ask(connection).await);
    read.await?.ok_or_else(Problem::not_found)
}

async fn list(program: Program) -> Answer {
    let tenant = program.call.realm.tenant();
    let read = program.call.site.house.db.look(async |connection| stored::all(tenant).ask(connection).await);
    Ok(ok(&Page { items: read.await?.iter().map(|schedule| view(&program, schedule)).collect(), next: None }))
}

async fn make(program: Program, Body(draft): Body<ScheduleDraft>) -> Answer {
    let config = &program.call.realm.config;
    let schedule = schedules::create(&program.desk(), config, &program.permissions, &draft).await?;
    Ok(created(&view(&program, &schedule)))
}

async fn show(program: Program, Named(id): Named<ScheduleId>) -> Answer {
    let schedule = found(&program, id).await?;
    Ok(versioned(schedule.version, &view(&program, &schedule)))
}

async fn put(
    program: Program,
    request: HttpRequest,
    Named(id): Named<ScheduleId>,
    Body(draft): Body<ScheduleDraft>,
) -> Answer {
    let (config, version) = (&program.call.realm.config, if_match(&request)?);
    schedules::change(&program.desk(), config, &program.permissions, (id, version), &draft).await?;
    let schedule = found(&program, id).await?;
    Ok(versioned(schedule.version, &view(&program, &schedule)))
}

async fn remove(program: Program, request: HttpRequest, Named(id): Named<ScheduleId>) -> Answer {
    let version = if_match(&request)?;
    schedules::remove(&program.desk(), &program.call.realm.config, (id, version)).await?;
    Ok(done())
}

async fn runs(program: Program, Query(paging): Query<Paging>) -> Answer {
    let (tenant, limit) = (program.call.realm.tenant(), usize::from(paging.limit()?));
    let after = match &paging.after {
        None => None,
        Some(text) => {
            let wrong = |_| Problem::new(400, "malformed", "after is no place that a page gave");
            Some(text.parse::<EventId>().map_err(wrong)?)
        }
    };
    let most = i64::try_from(limit).unwrap_or(i64::MAX) + 1;
    let read =
        program.call.site.house.db.look(async |connection| stored::runs(tenant, after, most).ask(connection).await);
    let mut found: Vec<Run> = read.await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| last.id.to_string());
    let view = |run: Run| RunView {
        id: run.id.to_string(),
        schedule: run.schedule.to_string(),
        name: run.name,
        report: run.report,
        at: run.at.rfc3339(),
        from: run.span.0.rfc3339(),
        to: run.span.1.rfc3339(),
        rows: run.rows,
        receivers: run.receivers,
    };
    Ok(ok(&Page { items: found.into_iter().map(view).collect(), next }))
}
