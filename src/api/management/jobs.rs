//! Work on many people or tokens: begun here and there, watched here; and the import of people.

use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::io::{Named, Page, Paging, Query, done, ok};
use super::operators::time;
use super::problem::Problem;
use super::{Answer, Api};
use crate::domain::ids::JobId;
use crate::domain::job::{Import, Job, Work};
use crate::domain::operator::{Deed, Module};
use crate::flow::administration::jobs as work;
use crate::http::guard::{Needs, Program};
use crate::http::{intake, upload};
use crate::storage::Connection;
use crate::storage::jobs;

/// A job that has begun.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct Begun {
    /// Its identifier: `jobs/{job}` tells how far it is.
    pub job: String,
}

/// 202 with the job.
pub fn begun(job: JobId) -> HttpResponse {
    HttpResponse::Accepted().json(Begun { job: job.to_string() })
}

/// Work on many people or tokens.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Job")]
struct JobView {
    /// Its identifier.
    id: String,
    /// `import_people`, `people`, `tokens` or `provision`.
    work: &'static str,
    /// What is done, in words.
    title: &'static str,
    /// `loading`, `running`, `done` or `cancelled`.
    state: &'static str,
    /// How many there are.
    total: i64,
    /// How many are done.
    done: i64,
    /// How many of those failed or were rejected.
    failed: i64,
    /// Who began it.
    by: String,
    /// When it was begun.
    created_at: String,
    /// When it ended.
    ended_at: Option<String>,
}

/// What became of one of them.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct JobResult {
    /// Its number, from 1.
    number: i64,
    /// What people know it by.
    name: String,
    /// What became of it; absent while it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<String>,
    /// The rest, in words.
    detail: String,
}

/// How people are imported.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct ImportHow {
    /// `true`: nothing is stored, it is only looked what would be.
    #[serde(default)]
    dry_run: bool,
    /// What is done where there is an account: `update` (the default) or `keep`.
    existing: Option<String>,
    /// What is done with groups that are not there: `refuse` (the default) or `create`.
    groups: Option<String>,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    api.get("jobs", Needs::Any, "Work on many people or tokens, the newest first", list)
        .query::<Paging>()
        .gives::<Page<JobView>>(200);
    api.get("jobs/{job}", Needs::Any, "How far a job is", show).gives::<JobView>(200);
    api.get("jobs/{job}/results", Needs::Any, "What became of each", results)
        .query::<Paging>()
        .gives::<Page<JobResult>>(200);
    api.route(
        Method::DELETE,
        "jobs/{job}",
        Needs::Any,
        "Stop a job that this key has begun; what was done stays",
        cancel,
    )
    .gives_nothing();
    let summary = "Import people from a table (CSV, in the body); the lines become a job";
    api.route(Method::POST, "import/users", Module::Users.needs(Deed::Import), summary, import)
        .query::<ImportHow>()
        .takes_text("text/csv")
        .gives::<Begun>(202);
}

const fn module(work: &Work) -> Module {
    match work {
        Work::ImportPeople(_) | Work::People(_) => Module::Users,
        Work::Tokens(_) => Module::Tokens,
        Work::Provision(_) => Module::Provisioning,
    }
}

fn view(job: &Job) -> JobView {
    JobView {
        id: job.id.to_string(),
        work: job.work.id(),
        title: job.work.words(),
        state: job.state.id(),
        total: job.total,
        done: job.done,
        failed: job.failed,
        by: job.actor.called().map_or_else(|| job.actor.name(), str::to_owned),
        created_at: job.created_at.rfc3339(),
        ended_at: time(job.ended_at),
    }
}

async fn list(program: Program, Query(paging): Query<Paging>) -> Answer {
    let (limit, tenant) = (u32::from(paging.limit()?), program.call.realm.tenant());
    let wrong = || Problem::new(400, "malformed", "after must be the `next` of a page before");
    let after = paging.after.as_deref().map(|after| after.parse::<JobId>().map_err(|_| wrong())).transpose()?;
    let question = async |connection: &mut Connection| jobs::newest(tenant, after, limit).ask(connection).await;
    let found = program.call.site.house.db.read(question).await?;
    let next = found.last().filter(|_| found.len() == limit as usize).map(|job| job.id.to_string());
    let seen = found.iter().filter(|job| program.permissions.may(module(&job.work).needs(Deed::Access)));
    Ok(ok(&Page { items: seen.map(view).collect(), next }))
}

/// The job, if this key may see it.
async fn job(program: &Program, id: JobId) -> Result<Job, Problem> {
    let tenant = program.call.realm.tenant();
    let question = async |connection: &mut Connection| jobs::one(tenant, id).ask(connection).await;
    let found = program.call.site.house.db.read(question).await?;
    let seen = found.filter(|job| program.permissions.may(module(&job.work).needs(Deed::Access)));
    seen.ok_or_else(Problem::not_found)
}

async fn show(program: Program, Named(id): Named<JobId>) -> Answer {
    Ok(ok(&view(&job(&program, id).await?)))
}

async fn results(program: Program, Named(id): Named<JobId>, Query(paging): Query<Paging>) -> Answer {
    let job = job(&program, id).await?;
    let limit = u32::from(paging.limit()?);
    let wrong = || Problem::new(400, "malformed", "after must be the `next` of a page before");
    let after = paging.after.as_deref().map(|after| after.parse::<i64>().map_err(|_| wrong())).transpose()?;
    let question =
        async |connection: &mut Connection| jobs::rows(connection, job.tenant, job.id, after.unwrap_or(0), limit).await;
    let rows = program.call.site.house.db.read(question).await?;
    let next = rows.last().filter(|_| rows.len() == limit as usize).map(|row| row.number.to_string());
    let item =
        |row: jobs::JobRow| JobResult { number: row.number, name: row.name, result: row.outcome, detail: row.detail };
    Ok(ok(&Page { items: rows.into_iter().map(item).collect(), next }))
}

async fn cancel(program: Program, Named(id): Named<JobId>) -> Answer {
    let job = job(&program, id).await?;
    let desk = program.desk();
    if job.actor != desk.actor {
        return Err(Problem::new(403, "job.not_yours", "this key has not begun it"));
    }
    if !work::cancel(&desk, job.tenant, job.id).await? {
        return Err(Problem::new(409, "job.over", "the job is over"));
    }
    Ok(done())
}

/// A word of two.
fn either(field: &str, text: Option<&str>, [usual, other]: [&str; 2]) -> Result<bool, Problem> {
    match text {
        None => Ok(false),
        Some(text) if text == usual => Ok(false),
        Some(text) if text == other => Ok(true),
        Some(_) => Err(Problem::new(400, "malformed", format!("{field} must be {usual} or {other}"))),
    }
}

async fn import(program: Program, Query(how): Query<ImportHow>, body: web::Payload) -> Answer {
    let keep = either("existing", how.existing.as_deref(), ["update", "keep"])?;
    let create = either("groups", how.groups.as_deref(), ["refuse", "create"])?;
    if create && !program.permissions.may(Module::Groups.needs(Deed::Add)) {
        return Err(Problem::new(403, "key.not_permitted", "the role of this key does not permit to make groups"));
    }
    let octets = upload::whole(body).await?;
    let rows = intake::rows(&octets, &program.call.realm.config, &program.permissions);
    let rows = rows.map_err(|error| Problem::new(422, "unreadable", error.to_string()))?;
    if rows.is_empty() {
        return Err(Problem::new(422, "unreadable", "the table has no lines"));
    }
    let import = Import { dry_run: how.dry_run, update: !keep, make_groups: create };
    let (tenant, address) = (program.call.realm.tenant(), program.call.visit.address.to_string());
    let id = work::begin(&program.desk(), tenant, &address, &Work::ImportPeople(import), &rows).await?;
    Ok(begun(id))
}
