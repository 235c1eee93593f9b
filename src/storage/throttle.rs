//! How many requests of one kind came in a window of time.

use super::engine::Engine;
use super::row::Row;
use super::statement::Statement;
use super::{Connection, Result};
use crate::domain::ids::TenantId;
use crate::domain::timestamp::Timestamp;

/// Counts one more hit of `subject`, a keyed hash, in the window that began at `window_start`, and says
/// how many there are now.
///
/// # Errors
/// If the database fails.
pub async fn hit(connection: &mut Connection, tenant: TenantId, subject: &str, window_start: Timestamp) -> Result<i64> {
    let statement = match connection.engine() {
        Engine::Sqlite => {
            "INSERT INTO throttle (tenant_id, subject, window_start, hits) VALUES (?, ?, ?, 1) \
             ON CONFLICT (tenant_id, subject, window_start) DO UPDATE SET hits = hits + 1"
        }
        Engine::MySql => {
            "INSERT INTO throttle (tenant_id, subject, window_start, hits) VALUES (?, ?, ?, 1) \
             ON DUPLICATE KEY UPDATE hits = hits + 1"
        }
    };
    Statement::new(statement).shown(tenant).bind(subject).bind(window_start.micros()).run(&mut *connection).await?;
    hits(connection, tenant, subject, window_start).await
}

/// How many hits there are in the window.
///
/// # Errors
/// If the database fails.
pub async fn hits(
    connection: &mut Connection,
    tenant: TenantId,
    subject: &str,
    window_start: Timestamp,
) -> Result<i64> {
    let row = Statement::new("SELECT hits FROM throttle WHERE tenant_id = ? AND subject = ? AND window_start = ?")
        .shown(tenant)
        .bind(subject)
        .bind(window_start.micros())
        .first(connection)
        .await?;
    row.map_or(Ok(0), |row| Row::of("throttle", row).integer("hits"))
}

/// How many hits of sixteen subjects there are in the window, together.
///
/// # Errors
/// If the database fails.
pub async fn sum(
    connection: &mut Connection,
    tenant: TenantId,
    subjects: &[String],
    window_start: Timestamp,
) -> Result<i64> {
    let mut statement = Statement::new(
        "SELECT hits FROM throttle WHERE tenant_id = ? AND window_start = ? \
         AND subject IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .bind(window_start.micros());
    for number in 0..16 {
        statement = statement.bind(subjects.get(number).map_or("", String::as_str));
    }
    let rows = statement.rows(connection).await?;
    rows.into_iter().map(|row| Row::of("throttle", row).integer("hits")).sum()
}
