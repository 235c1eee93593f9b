//! Provisioning tasks.

use super::row::{Row, micros};
use super::statement::{Record, Statement};
use super::{Connection, Result};
use crate::domain::ids::TenantId;
use crate::domain::provisioning_task::{Task, TaskNumber, TokenType};
use crate::domain::reservation::Status;
use crate::domain::timestamp::Timestamp;

fn task(row: Record) -> Result<Task> {
    let row = Row::of("provisioning_task", row);
    Ok(Task {
        number: number(&row, "number")?,
        tenant: row.parsed("tenant_id")?,
        token_type: row.named("token_type", TokenType::named)?,
        operator: row.text("operator")?,
        comment: row.text("comment")?,
        rule: row.parsed_or_none("rule_id")?,
        started_at: row.time("started_at")?,
        stop_at: row.time("stop_at")?,
        removed_at: row.time_or_none("removed_at")?,
    })
}

/// The number of a task in a column.
pub(super) fn number(row: &Row, column: &'static str) -> Result<TaskNumber> {
    row.integer(column)?.to_string().parse().map_err(|_| row.broken(column))
}

/// Stores a new task. Fails with a duplicate if its number is taken.
pub async fn insert(connection: &mut Connection, task: &Task) -> Result<()> {
    Statement::new(
        "INSERT INTO provisioning_task (tenant_id, number, token_type, operator, comment, rule_id, started_at, stop_at, \
         removed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(task.tenant)
    .bind(task.number.value())
    .bind(task.token_type.id())
    .bind(&task.operator)
    .bind(&task.comment)
    .bind(task.rule.map(|id| id.to_string()))
    .bind(task.started_at.micros())
    .bind(task.stop_at.micros())
    .bind(micros(task.removed_at))
    .run(connection)
    .await?;
    Ok(())
}

/// The task with this number.
pub async fn with_number(connection: &mut Connection, tenant: TenantId, number: TaskNumber) -> Result<Option<Task>> {
    let row = Statement::new(
        "SELECT tenant_id, number, token_type, operator, comment, rule_id, started_at, stop_at, removed_at \
         FROM provisioning_task WHERE tenant_id = ? AND number = ?",
    )
    .shown(tenant)
    .bind(number.value())
    .first(connection)
    .await?;
    row.map(task).transpose()
}

/// Every task of the virtual server, newest first.
pub async fn all(connection: &mut Connection, tenant: TenantId) -> Result<Vec<Task>> {
    let rows = Statement::new(
        "SELECT tenant_id, number, token_type, operator, comment, rule_id, started_at, stop_at, removed_at \
         FROM provisioning_task WHERE tenant_id = ? ORDER BY started_at DESC, number",
    )
    .shown(tenant)
    .rows(connection)
    .await?;
    rows.into_iter().map(task).collect()
}

/// A page of the tasks that were not removed, newest first, after the one that an earlier page ended with; and where the next
/// begins.
pub async fn newest(
    connection: &mut Connection,
    tenant: TenantId,
    after: Option<(Timestamp, TaskNumber)>,
    limit: u32,
) -> Result<Vec<Task>> {
    let (at, number) = after.map_or((i64::MAX, i64::MAX), |(at, number)| (at.micros(), number.value()));
    let rows = Statement::new(
        "SELECT tenant_id, number, token_type, operator, comment, rule_id, started_at, stop_at, removed_at \
         FROM provisioning_task WHERE tenant_id = ? AND started_at <= ? AND (started_at < ? OR number < ?) \
         AND removed_at IS NULL ORDER BY started_at DESC, number DESC LIMIT ?",
    )
    .shown(tenant)
    .bind(at)
    .bind(at)
    .bind(number)
    .bind(i64::from(limit))
    .rows(connection)
    .await?;
    rows.into_iter().map(task).collect()
}

/// How many people of one task are where.
pub async fn counts_of(connection: &mut Connection, tenant: TenantId, of: TaskNumber) -> Result<Vec<(Status, i64)>> {
    let rows = Statement::new(
        "SELECT status, COUNT(*) AS people FROM reservation WHERE tenant_id = ? AND task_number = ? GROUP BY status",
    )
    .shown(tenant)
    .bind(of.value())
    .rows(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let row = Row::of("reservation", row);
            Ok((row.named("status", Status::named)?, row.integer("people")?))
        })
        .collect()
}

/// How many people of each task are where.
pub async fn counts(connection: &mut Connection, tenant: TenantId) -> Result<Vec<(TaskNumber, Status, i64)>> {
    let rows = Statement::new(
        "SELECT task_number, status, COUNT(*) AS people FROM reservation WHERE tenant_id = ? GROUP BY task_number, status",
    )
    .shown(tenant)
    .rows(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let row = Row::of("reservation", row);
            Ok((number(&row, "task_number")?, row.named("status", Status::named)?, row.integer("people")?))
        })
        .collect()
}

/// Moves the stop date of a task that was not removed. Says whether it was there.
pub async fn set_stop(
    connection: &mut Connection,
    tenant: TenantId,
    number: TaskNumber,
    stop_at: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE provisioning_task SET stop_at = ? WHERE tenant_id = ? AND number = ? AND removed_at IS NULL",
    )
    .bind(stop_at.micros())
    .shown(tenant)
    .bind(number.value())
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Removes a task, once. Says `false` if it was removed before.
pub async fn remove(connection: &mut Connection, tenant: TenantId, number: TaskNumber, now: Timestamp) -> Result<bool> {
    let done = Statement::new(
        "UPDATE provisioning_task SET removed_at = ? WHERE tenant_id = ? AND number = ? AND removed_at IS NULL",
    )
    .bind(now.micros())
    .shown(tenant)
    .bind(number.value())
    .run(connection)
    .await?;
    Ok(done == 1)
}
