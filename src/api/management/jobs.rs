//! Work on many people or tokens: begun here and there, watched here; and the import of people.

use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::io::{Named, Page, Paging, Query, done, ok};
use super::operators::time;
use super::problem::{FieldProblem, Problem};
use super::{Answer, Api};
use crate::domain::ids::JobId;
use crate::domain::job::{Import, ImportTokens, Job, Work};
use crate::domain::operator::{Deed, Module};
use crate::domain::secret::SecretString;
use crate::exchange::Unreadable;
use crate::exchange::pskc::{Protection, key_of_hex};
use crate::flow::administration::jobs::{self as work, NewRow};
use crate::http::guard::{Needs, Program};
use crate::http::{Fault, files, intake, upload};
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
    /// `import_people`, `people`, `tokens`, `provision` or `import_tokens`.
    work: &'static str,
    /// What is done, in words.
    title: &'static str,
    /// `loading`, `running`, `done`, `cancelled`, or `stopped` by the service.
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
    /// Why the service stopped it: whoever began it may not do it any more, or it failed again and again.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What is to be said of a file that was read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
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
    /// What is done where there is an account: `update` (the default), which wants the permission to change users, or `keep`.
    existing: Option<String>,
    /// What is done with groups that are not there: `refuse` (the default) or `create`.
    groups: Option<String>,
}

/// Tokens of a maker's file.
#[derive(Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct TokensWanted {
    /// The contents of the file.
    file: String,
    /// The pre-shared key that opens it: 128, 192 or 256 bits in hexadecimal digits.
    key: Option<String>,
    /// The password that opens it; never together with a key.
    password: Option<String>,
    /// `true`: nothing is stored, it is only looked what would be.
    #[serde(default)]
    dry_run: bool,
    /// `true`: people whom the file names get their tokens, which wants the permission to change tokens, too; else everything
    /// goes into the inventory.
    #[serde(default)]
    assign: bool,
    /// `true`: tokens of people are only reserved, and do not work yet.
    #[serde(default)]
    reserve: bool,
    /// `true`: tokens that were revoked and come back with a new secret are taken.
    #[serde(default)]
    reinitialize: bool,
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
    api.get("jobs/{job}/results.csv", Needs::Any, "What became of each, as a file", results_file)
        .gives_file(&["text/csv"]);
    api.route(
        Method::DELETE,
        "jobs/{job}",
        Needs::Any,
        "Stop a job that this key has begun; what was done stays",
        cancel,
    )
    .gives_nothing();
    let summary =
        "Import people from a table (CSV, in the body), with the permissions for what it does; the lines become a job";
    api.route(Method::POST, "import/users", Module::Users.needs(Deed::Import), summary, import)
        .query::<ImportHow>()
        .takes_text("text/csv")
        .gives::<Begun>(202);
    let summary =
        "Import tokens from a maker's file: a key container (PSKC, RFC 6030) or a table; the records become a job";
    api.route(Method::POST, "import/tokens", Module::Tokens.needs(Deed::Import), summary, import_tokens)
        .takes::<TokensWanted>()
        .gives::<Begun>(202);
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
        error: job.error.clone(),
        notes: match &job.work {
            Work::ImportTokens(how) => how.notes.clone(),
            Work::ImportPeople(_) | Work::People(_) | Work::Tokens(_) | Work::Provision(_) => Vec::new(),
        },
    }
}

async fn list(program: Program, Query(paging): Query<Paging>) -> Answer {
    let (limit, tenant) = (u32::from(paging.limit()?), program.call.realm.tenant());
    let wrong = || Problem::new(400, "malformed", "after must be the `next` of a page before");
    let after = paging.after.as_deref().map(|after| after.parse::<JobId>().map_err(|_| wrong())).transpose()?;
    let question = async |connection: &mut Connection| jobs::newest(tenant, after, limit).ask(connection).await;
    let found = program.call.site.house.db.look(question).await?;
    let next = found.last().filter(|_| found.len() == limit as usize).map(|job| job.id.to_string());
    let seen = found.iter().filter(|job| program.permissions.may(job.work.module().needs(Deed::Access)));
    Ok(ok(&Page { items: seen.map(view).collect(), next }))
}

/// The job, if this key may see it.
async fn job(program: &Program, id: JobId) -> Result<Job, Problem> {
    let tenant = program.call.realm.tenant();
    let question = async |connection: &mut Connection| jobs::one(tenant, id).ask(connection).await;
    let found = program.call.site.house.db.look(question).await?;
    let seen = found.filter(|job| program.permissions.may(job.work.module().needs(Deed::Access)));
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
    let rows = program.call.site.house.db.look(question).await?;
    let next = rows.last().filter(|_| rows.len() == limit as usize).map(|row| row.number.to_string());
    let item =
        |row: jobs::JobRow| JobResult { number: row.number, name: row.name, result: row.outcome, detail: row.detail };
    Ok(ok(&Page { items: rows.into_iter().map(item).collect(), next }))
}

async fn results_file(program: Program, path: web::Path<(String, JobId)>) -> Answer {
    let job = job(&program, path.into_inner().1).await?;
    let site = program.call.site.clone();
    Ok(files::streamed(files::Kind::Csv, "results", work::RESULTS, move |after| {
        let site = site.clone();
        async move { work::results(&site.house, (job.tenant, job.id), after.as_deref()).await }
    }))
}

async fn cancel(program: Program, Named(id): Named<JobId>) -> Answer {
    let job = job(&program, id).await?;
    let desk = program.desk();
    if !job.actor.is(&desk.actor) {
        return Err(Problem::new(403, "job.not_yours", "this key has not begun it"));
    }
    if !work::cancel(&desk, job.tenant, job.id).await? {
        return Err(Problem::new(409, "job.over", "the job is over"));
    }
    Ok(done())
}

/// That this key may do all of it.
fn permitted(program: &Program, work: &Work) -> Result<(), Problem> {
    work.lacking(&program.permissions).map_or(Ok(()), |lacking| Err(Problem::not_permitted(lacking)))
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
    let octets = upload::whole(body).await?;
    let rows = intake::rows(&octets, &program.call.realm.config, &program.permissions);
    let rows = rows.map_err(|error| Problem::new(422, "unreadable", error.to_string()))?;
    if rows.is_empty() {
        return Err(Problem::new(422, "unreadable", "the table has no lines"));
    }
    let memberships = rows.iter().any(NewRow::names_groups);
    let import = Import { dry_run: how.dry_run, update: !keep, make_groups: create, memberships };
    permitted(&program, &Work::ImportPeople(import))?;
    let tenant = program.call.realm.tenant();
    let id = work::begin(&program.desk(), tenant, &Work::ImportPeople(import), &rows).await?;
    Ok(begun(id))
}

/// What opens a key container.
fn protection(wanted: &mut TokensWanted) -> Result<Option<Protection>, Problem> {
    let wrong = |field: &str, message: &str| {
        Problem::invalid(vec![FieldProblem { field: field.to_owned(), message: message.to_owned() }])
    };
    match (wanted.key.take(), wanted.password.take()) {
        (None, None) => Ok(None),
        (None, Some(password)) => Ok(Some(Protection::Password(SecretString::from(password)))),
        (Some(key), None) => {
            let key = zeroize::Zeroizing::new(key);
            let found = key_of_hex(key.as_bytes());
            let words = "must have 128, 192 or 256 bits, in hexadecimal digits";
            Ok(Some(Protection::Key(found.ok_or_else(|| wrong("key", words))?)))
        }
        (Some(_), Some(_)) => Err(wrong("key", "must not be given together with a password")),
    }
}

/// `POST import/tokens`.
async fn import_tokens(program: Program, payload: web::Payload) -> Answer {
    let body = zeroize::Zeroizing::new(upload::whole(payload).await?);
    let read = serde_json::from_slice::<TokensWanted>(&body);
    let mut wanted =
        read.map_err(|error| Problem::new(400, "malformed", format!("the body cannot be read: {error}")))?;
    let protection = protection(&mut wanted)?;
    let (assign, now, file) = (wanted.assign, program.now(), zeroize::Zeroizing::new(std::mem::take(&mut wanted.file)));
    // Keys that are made of passwords take their time.
    let read = web::block(move || intake::tokens(file.as_bytes(), protection.as_ref(), assign, now)).await;
    let read = read.map_err(|_| Fault::Internal("a file was not read to its end".to_owned()))?;
    let unreadable = |error: Unreadable| {
        let message = format!("cannot be read: {error}");
        Problem::invalid(vec![FieldProblem { field: "file".to_owned(), message }])
    };
    let (records, notes) = read.map_err(unreadable)?;
    let work = Work::ImportTokens(ImportTokens {
        dry_run: wanted.dry_run,
        assign,
        reserve: wanted.reserve,
        reinitialize: wanted.reinitialize,
        notes,
    });
    permitted(&program, &work)?;
    let tenant = program.call.realm.tenant();
    let rows = intake::token_rows(&program.call.site.house, &program.call.realm.config, &program.permissions, records);
    let job = work::begin(&program.desk(), tenant, &work, &rows).await?;
    Ok(begun(job))
}
