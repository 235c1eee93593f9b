//! Reports that are mailed again and again, and what was made of them.

use super::row::{Row, document};
use super::statement::{Question, Record, Statement};
use super::{Connection, Result};
use crate::domain::ids::{EventId, ScheduleId, TenantId};
use crate::domain::name::key_of;
use crate::domain::report_schedule::{Author, Schedule};
use crate::domain::timestamp::Timestamp;

/// All schedules of a virtual server, by name.
pub fn all(tenant: TenantId) -> Question<Vec<Schedule>> {
    let statement = Statement::new(
        "SELECT id, name, says, author_kind, author, author_name, paused, next_at, version FROM report_schedule \
         WHERE tenant_id = ? ORDER BY name_key",
    );
    Question::new(statement.shown(tenant), |rows| rows.into_iter().map(schedule).collect())
}

/// The schedule with this identifier.
pub fn with_id(tenant: TenantId, id: ScheduleId) -> Question<Option<Schedule>> {
    let statement = Statement::new(
        "SELECT id, name, says, author_kind, author, author_name, paused, next_at, version FROM report_schedule \
         WHERE tenant_id = ? AND id = ?",
    );
    Question::new(statement.shown(tenant).shown(id), |rows| rows.into_iter().next().map(schedule).transpose())
}

fn schedule(row: Record) -> Result<Schedule> {
    let row = Row::of("report_schedule", row);
    let kind = row.text("author_kind")?;
    Ok(Schedule {
        id: row.parsed("id")?,
        name: row.text("name")?,
        says: row.document("says")?,
        author: row.named("author", |name| Author::stored(&kind, name))?,
        author_name: row.text("author_name")?,
        paused: row.text("paused")?,
        next_at: row.time("next_at")?,
        version: row.integer("version")?,
    })
}

/// The statement that stores a new schedule; a duplicate if the name is taken.
pub fn insertion(tenant: TenantId, schedule: &Schedule, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO report_schedule (tenant_id, id, name, name_key, says, author_kind, author, author_name, paused, next_at, \
         version, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', ?, 1, ?, ?)",
    )
    .shown(tenant)
    .shown(schedule.id)
    .bind(&schedule.name)
    .bind(key_of(&schedule.name))
    .bind(document(&schedule.says))
    .bind(schedule.author.kind())
    .bind(schedule.author.name())
    .bind(&schedule.author_name)
    .bind(schedule.next_at.micros())
    .bind(now.micros())
    .bind(now.micros())
}

/// Changes a schedule that is still of its version; a duplicate if the name is taken. Whoever changes it is its author from now
/// on, and it goes on if it was paused.
pub fn change(tenant: TenantId, schedule: &Schedule, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE report_schedule SET name = ?, name_key = ?, says = ?, author_kind = ?, author = ?, author_name = ?, \
         paused = '', next_at = ?, version = version + 1, updated_at = ? WHERE tenant_id = ? AND id = ? AND version = ?",
    )
    .bind(&schedule.name)
    .bind(key_of(&schedule.name))
    .bind(document(&schedule.says))
    .bind(schedule.author.kind())
    .bind(schedule.author.name())
    .bind(&schedule.author_name)
    .bind(schedule.next_at.micros())
    .bind(now.micros())
    .shown(tenant)
    .shown(schedule.id)
    .bind(schedule.version)
}

/// Removes a schedule that is still of `version`; what was made of it stays.
pub fn removal(tenant: TenantId, (id, version): (ScheduleId, i64)) -> Statement {
    Statement::new("DELETE FROM report_schedule WHERE tenant_id = ? AND id = ? AND version = ?")
        .shown(tenant)
        .shown(id)
        .bind(version)
}

/// The virtual servers and schedules that are due, at most `most`.
// every tenant's: one job makes all reports
pub fn due(now: Timestamp, most: i64) -> Question<Vec<(TenantId, ScheduleId)>> {
    let statement = Statement::new(
        "SELECT tenant_id, id FROM report_schedule WHERE paused = '' AND next_at <= ? ORDER BY next_at, tenant_id, id LIMIT ?",
    );
    Question::new(statement.bind(now.micros()).bind(most), |rows| {
        let read = |row| {
            let row = Row::of("report_schedule", row);
            Ok((row.parsed("tenant_id")?, row.parsed("id")?))
        };
        rows.into_iter().map(read).collect()
    })
}

/// Moves a schedule that is due on to its next time, once: whoever changes the row sends the report.
pub fn taken(tenant: TenantId, schedule: &Schedule, next: Timestamp) -> Statement {
    Statement::new(
        "UPDATE report_schedule SET next_at = ? WHERE tenant_id = ? AND id = ? AND version = ? AND next_at = ? AND paused = ''",
    )
    .bind(next.micros())
    .shown(tenant)
    .shown(schedule.id)
    .bind(schedule.version)
    .bind(schedule.next_at.micros())
}

/// Pauses a schedule that is still of its version, once.
pub fn paused(tenant: TenantId, schedule: &Schedule, why: &str, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE report_schedule SET paused = ?, version = version + 1, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND version = ? AND paused = ''",
    )
    .bind(why)
    .bind(now.micros())
    .shown(tenant)
    .shown(schedule.id)
    .bind(schedule.version)
}

/// A report that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its identifier.
    pub id: EventId,
    /// Of which schedule.
    pub schedule: ScheduleId,
    /// When it was made.
    pub at: Timestamp,
    /// What the schedule was called then.
    pub name: String,
    /// Which report.
    pub report: String,
    /// The span that it is about.
    pub span: (Timestamp, Timestamp),
    /// How many rows it had.
    pub rows: i64,
    /// How many got it.
    pub receivers: i64,
}

/// The statement that writes down that a report was made.
pub fn made(tenant: TenantId, run: &Run) -> Statement {
    Statement::new(
        "INSERT INTO report_run (tenant_id, id, schedule_id, at, name, report, from_at, to_at, row_count, receivers) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(run.id)
    .shown(run.schedule)
    .bind(run.at.micros())
    .bind(&run.name)
    .bind(&run.report)
    .bind(run.span.0.micros())
    .bind(run.span.1.micros())
    .bind(run.rows)
    .bind(run.receivers)
}

/// Reports that were made before the one with the identifier `after`, the newest first.
pub fn runs(tenant: TenantId, after: Option<EventId>, most: i64) -> Question<Vec<Run>> {
    // Sorts after every identifier: theirs are lower-case base32.
    let after = after.map_or_else(|| "~".to_owned(), |id| id.to_string());
    let statement = Statement::new(
        "SELECT id, schedule_id, at, name, report, from_at, to_at, row_count, receivers FROM report_run \
         WHERE tenant_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
    );
    Question::new(statement.shown(tenant).bind(after).bind(most), |rows| {
        let read = |row| {
            let row = Row::of("report_run", row);
            Ok(Run {
                id: row.parsed("id")?,
                schedule: row.parsed("schedule_id")?,
                at: row.time("at")?,
                name: row.text("name")?,
                report: row.text("report")?,
                span: (row.time("from_at")?, row.time("to_at")?),
                rows: row.integer("row_count")?,
                receivers: row.integer("receivers")?,
            })
        };
        rows.into_iter().map(read).collect()
    })
}

/// Removes what is kept of reports that were made before `old`. Says how many.
///
/// # Errors
/// If the database fails.
pub async fn remove_before(connection: &mut Connection, tenant: TenantId, old: Timestamp) -> Result<u64> {
    Statement::new("DELETE FROM report_run WHERE tenant_id = ? AND at < ?")
        .shown(tenant)
        .bind(old.micros())
        .run(connection)
        .await
}
