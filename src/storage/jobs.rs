//! Work on many people or tokens, with a row for each of them.

use super::row::{Row, document, micros};
use super::statement::{Question, Record, Statement};
use super::{Connection, Result};
use crate::domain::audit::Actor;
use crate::domain::ids::{JobId, TenantId};
use crate::domain::job::{Job, State};
use crate::domain::timestamp::Timestamp;

/// One of the people or tokens of a job.
#[derive(Debug, Clone)]
pub struct JobRow {
    /// From 1.
    pub number: i64,
    /// What people know it by.
    pub name: String,
    /// What is to be done, as a document; gone once it is done.
    pub input: Option<serde_json::Value>,
    /// What became of it; `None` while it is open.
    pub outcome: Option<String>,
    /// The rest, in words.
    pub detail: String,
}

fn job(row: Record) -> Result<Job> {
    let row = Row::of("job", row);
    Ok(Job {
        id: row.parsed("id")?,
        tenant: row.parsed("tenant_id")?,
        work: row.document("options")?,
        actor: Actor::stored(&row.text("actor_kind")?, &row.text("actor")?, &row.text("actor_name")?)
            .ok_or_else(|| row.broken("actor"))?,
        address: row.text("address")?,
        state: row.named("state", State::named)?,
        total: row.integer("total")?,
        position: row.integer("position")?,
        done: row.integer("done")?,
        failed: row.integer("failed")?,
        created_at: row.time("created_at")?,
        ended_at: row.time_or_none("ended_at")?,
        error: row.text_or_none("error")?,
    })
}

fn job_row(row: Record) -> Result<JobRow> {
    let row = Row::of("job_row", row);
    Ok(JobRow {
        number: row.integer("number")?,
        name: row.text("name")?,
        input: row.document_or_none("input")?,
        outcome: row.text_or_none("outcome")?,
        detail: row.text("detail")?,
    })
}

/// The statement that stores a new job.
pub fn insertion(job: &Job) -> Statement {
    Statement::new(
        "INSERT INTO job (tenant_id, id, kind, actor_kind, actor, actor_name, address, state, options, total, position, done, failed, created_at, \
         ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(job.tenant)
    .shown(job.id)
    .bind(job.work.id())
    .bind(job.actor.kind())
    .bind(job.actor.name())
    .bind(job.actor.called().unwrap_or_default())
    .bind(&job.address)
    .bind(job.state.id())
    .bind(document(&job.work))
    .bind(job.total)
    .bind(job.position)
    .bind(job.done)
    .bind(job.failed)
    .bind(job.created_at.micros())
    .bind(micros(job.ended_at))
}

/// The statement that stores a row of a job.
pub fn row_insertion(tenant: TenantId, id: JobId, row: &JobRow) -> Statement {
    let name: String = row.name.chars().take(200).collect();
    Statement::new(
        "INSERT INTO job_row (tenant_id, job_id, number, name, input, outcome, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(id)
    .bind(row.number)
    .bind(name)
    .bind(row.input.as_ref().map(document))
    .bind(&row.outcome)
    .bind(&row.detail)
}

/// The job with this identifier.
pub fn one(tenant: TenantId, id: JobId) -> Question<Option<Job>> {
    let statement = Statement::new(
        "SELECT tenant_id, id, actor_kind, actor, actor_name, address, state, options, total, position, done, failed, created_at, ended_at, error \
         FROM job WHERE tenant_id = ? AND id = ?",
    );
    Question::new(statement.shown(tenant).shown(id), |rows| rows.into_iter().next().map(job).transpose())
}

/// A page of the jobs of a virtual server, newest first, after the one that an earlier page ended with: identifiers begin
/// with the time.
pub fn newest(tenant: TenantId, after: Option<JobId>, limit: u32) -> Question<Vec<Job>> {
    let statement = Statement::new(
        "SELECT tenant_id, id, actor_kind, actor, actor_name, address, state, options, total, position, done, failed, created_at, ended_at, error \
         FROM job WHERE tenant_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
    );
    let before = after.map_or_else(|| "~".to_owned(), |id| id.to_string());
    Question::new(statement.shown(tenant).bind(before).bind(i64::from(limit)), |rows| {
        rows.into_iter().map(job).collect()
    })
}

/// Every job that goes on, of all virtual servers: they take turns. One that cannot be read is a fault of its own.
// every tenant's: the worker asks for all of them
pub fn running() -> Question<Vec<Result<Job>>> {
    let statement = Statement::new(
        "SELECT tenant_id, id, actor_kind, actor, actor_name, address, state, options, total, position, done, failed, created_at, ended_at, error \
         FROM job WHERE state = 'running' ORDER BY id LIMIT 100",
    );
    Question::new(statement, |rows| Ok(rows.into_iter().map(job).collect()))
}

/// Jobs of all virtual servers that are still being loaded and were begun before a time.
// every tenant's: the job that ends them asks for all of them
pub fn loading(before: Timestamp) -> Question<Vec<Result<Job>>> {
    let statement = Statement::new(
        "SELECT tenant_id, id, actor_kind, actor, actor_name, address, state, options, total, position, done, failed, created_at, ended_at, error \
         FROM job WHERE state = 'loading' AND created_at < ? ORDER BY id LIMIT 100",
    );
    Question::new(statement.bind(before.micros()), |rows| Ok(rows.into_iter().map(job).collect()))
}

/// Whether a job is still being loaded; nobody stops it until the transaction ends.
///
/// # Errors
/// If the database fails.
pub async fn hold_loading(connection: &mut Connection, tenant: TenantId, id: JobId) -> Result<bool> {
    let done = Statement::new("UPDATE job SET state = state WHERE tenant_id = ? AND id = ? AND state = 'loading'")
        .shown(tenant)
        .shown(id)
        .run(connection)
        .await?;
    Ok(done == 1)
}

/// The rows of a job after the one with the number `after`.
///
/// # Errors
/// If the database fails.
pub async fn rows(
    connection: &mut Connection,
    tenant: TenantId,
    id: JobId,
    after: i64,
    limit: u32,
) -> Result<Vec<JobRow>> {
    let rows = Statement::new(
        "SELECT number, name, input, outcome, detail, job_id AS id FROM job_row WHERE tenant_id = ? AND job_id = ? \
         AND number > ? ORDER BY number LIMIT ?",
    )
    .shown(tenant)
    .shown(id)
    .bind(after)
    .bind(i64::from(limit))
    .rows(connection)
    .await?;
    rows.into_iter().map(job_row).collect()
}

/// Stores what became of a row, once; its document goes. Says whether it was open.
///
/// # Errors
/// If the database fails.
pub async fn finish_row(
    connection: &mut Connection,
    tenant: TenantId,
    id: JobId,
    number: i64,
    (outcome, detail): (&str, &str),
) -> Result<bool> {
    let detail: String = detail.chars().take(500).collect();
    let done = Statement::new(
        "UPDATE job_row SET outcome = ?, detail = ?, input = NULL \
         WHERE tenant_id = ? AND job_id = ? AND number = ? AND outcome IS NULL",
    )
    .bind(outcome)
    .bind(detail)
    .shown(tenant)
    .shown(id)
    .bind(number)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Takes the rows of a job up to `to`, on condition that it goes on and stands where `job` shows it: whoever comes second, or
/// after it was stopped, gets `false`, and must do none of them.
///
/// # Errors
/// If the database fails.
pub async fn take(connection: &mut Connection, job: &Job, to: i64) -> Result<bool> {
    let done = Statement::new(
        "UPDATE job SET position = ? WHERE tenant_id = ? AND id = ? AND state = 'running' AND position = ?",
    )
    .bind(to)
    .shown(job.tenant)
    .shown(job.id)
    .bind(job.position)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// The statement that counts rows that are done.
pub fn counted(job: &Job, (done, failed): (i64, i64)) -> Statement {
    Statement::new("UPDATE job SET done = done + ?, failed = failed + ? WHERE tenant_id = ? AND id = ?")
        .bind(done)
        .bind(failed)
        .shown(job.tenant)
        .shown(job.id)
}

/// Moves a job from one state to another. Says whether it was in that.
///
/// # Errors
/// If the database fails.
pub async fn set_state(
    connection: &mut Connection,
    tenant: TenantId,
    id: JobId,
    (from, to): (State, State),
    ended_at: Option<Timestamp>,
) -> Result<bool> {
    let done = Statement::new("UPDATE job SET state = ?, ended_at = ? WHERE tenant_id = ? AND id = ? AND state = ?")
        .bind(to.id())
        .bind(micros(ended_at))
        .shown(tenant)
        .shown(id)
        .bind(from.id())
        .run(connection)
        .await?;
    Ok(done == 1)
}

/// Stops a job that is still in the state in which `job` shows it, because of `why`. Says whether it was.
///
/// # Errors
/// If the database fails.
pub async fn stop(connection: &mut Connection, job: &Job, why: &str, now: Timestamp) -> Result<bool> {
    let done = Statement::new(
        "UPDATE job SET state = ?, error = ?, ended_at = ? WHERE tenant_id = ? AND id = ? AND state = ?",
    )
    .bind(State::Stopped.id())
    .bind(why)
    .bind(now.micros())
    .shown(job.tenant)
    .shown(job.id)
    .bind(job.state.id())
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// The statement that forgets what the open rows of a job would have done.
pub fn emptied(tenant: TenantId, id: JobId) -> Statement {
    Statement::new("UPDATE job_row SET input = NULL WHERE tenant_id = ? AND job_id = ? AND input IS NOT NULL")
        .shown(tenant)
        .shown(id)
}
