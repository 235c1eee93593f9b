//! How far each log was sent to the syslog server.

use super::row::Row;
use super::statement::{Question, Statement};
use super::{Connection, Result, inserted};
use crate::domain::ids::TenantId;
use crate::domain::timestamp::Timestamp;

/// Up to where a log was sent; `None` if nothing of it ever was.
pub fn of(tenant: TenantId, log: &str) -> Question<Option<String>> {
    let statement = Statement::new("SELECT position FROM log_position WHERE tenant_id = ? AND log = ?");
    Question::new(statement.shown(tenant).bind(log), |rows| {
        rows.into_iter().next().map(|row| Row::of("log_position", row).text("position")).transpose()
    })
}

/// Begins at a place. Says `false` if somebody else has begun.
///
/// # Errors
/// If the database fails.
pub async fn begin(
    connection: &mut Connection,
    tenant: TenantId,
    log: &str,
    position: &str,
    now: Timestamp,
) -> Result<bool> {
    let insert = Statement::new("INSERT INTO log_position (tenant_id, log, position, updated_at) VALUES (?, ?, ?, ?)");
    inserted(insert.shown(tenant).bind(log).bind(position).bind(now.micros()).run(connection).await)
}

/// Moves on from one place to another; changes nothing if it is not there any more.
pub fn moved(tenant: TenantId, log: &str, from: &str, to: &str, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE log_position SET position = ?, updated_at = ? WHERE tenant_id = ? AND log = ? AND position = ?",
    )
    .bind(to)
    .bind(now.micros())
    .shown(tenant)
    .bind(log)
    .bind(from)
}
