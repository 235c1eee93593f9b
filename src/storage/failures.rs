//! Failed attempts, by the keyed hash of what is counted.

use super::engine::Engine;
use super::row::{Row, micros};
use super::statement::{Question, Statement};
use super::{Connection, Result};
use crate::domain::ids::TenantId;
use crate::domain::lockout::Failures;

/// What is remembered about `subject`; nothing at all reads as no failures.
pub fn of(tenant: TenantId, subject: &str) -> Question<Failures> {
    let statement = Statement::new(
        "SELECT subject, failed_count, failed_total, last_at, locked_until, locked_by_operator \
         FROM failure WHERE tenant_id = ? AND subject = ?",
    );
    Question::new(statement.shown(tenant).shown(subject), |rows| {
        let Some(row) = rows.into_iter().next() else { return Ok(Failures::default()) };
        let row = Row::of("failure", row);
        Ok(Failures {
            count: row.integer("failed_count")?,
            total: row.integer("failed_total")?,
            last_at: row.time_or_none("last_at")?,
            locked_until: row.time_or_none("locked_until")?,
            locked_by_operator: row.flag("locked_by_operator")?,
        })
    })
}

/// Replaces what is remembered, provided that nobody counted in between: `before` is what was read.
/// Says whether it was replaced; if not, the caller reads and decides again (INV-5).
///
/// # Errors
/// If the database fails.
pub async fn replace(
    connection: &mut Connection,

    tenant: TenantId,
    subject: &str,
    before: Failures,
    after: Failures,
) -> Result<bool> {
    let locks = after.locked_until.is_some() || after.locked_by_operator;
    let statement = match (before == Failures::default(), connection.engine()) {
        (true, Engine::Sqlite) => {
            "INSERT INTO failure (failed_count, failed_total, last_at, locked_until, locked_by_operator, alert_due, \
             tenant_id, subject) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        }
        (true, Engine::MySql) => {
            "INSERT IGNORE INTO failure (failed_count, failed_total, last_at, locked_until, locked_by_operator, \
             alert_due, tenant_id, subject) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        }
        (false, _) => {
            "UPDATE failure SET failed_count = ?, failed_total = ?, last_at = ?, locked_until = ?, \
             locked_by_operator = ?, alert_due = CASE WHEN ? = 1 THEN 1 ELSE alert_due END \
             WHERE tenant_id = ? AND subject = ? AND failed_total = ? AND failed_count = ?"
        }
    };
    let mut query = Statement::new(statement)
        .bind(after.count)
        .bind(after.total)
        .bind(after.last_at.map_or(0, |at| at.micros()))
        .bind(micros(after.locked_until))
        .bind(i64::from(after.locked_by_operator))
        .bind(i64::from(locks))
        .shown(tenant)
        .bind(subject);
    if before != Failures::default() {
        query = query.bind(before.total).bind(before.count);
    }
    Ok(query.run(connection).await? == 1)
}

/// Forgets all failures of `subject` after a success or an operator's unlock. Says whether a lock had been
/// told of, so that the person can be told that it is over.
///
/// # Errors
/// If the database fails.
pub async fn forget(connection: &mut Connection, tenant: TenantId, subject: &str) -> Result<bool> {
    let row = Statement::new("SELECT alert_due FROM failure WHERE tenant_id = ? AND subject = ?")
        .shown(tenant)
        .bind(subject)
        .first(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(false) };
    let due = Row::of("failure", row).flag("alert_due")?;
    Statement::new("DELETE FROM failure WHERE tenant_id = ? AND subject = ?")
        .shown(tenant)
        .bind(subject)
        .run(connection)
        .await?;
    Ok(due)
}

/// The statement that forgets what is remembered about an account's names at the login.
pub fn names_forgotten(tenant: TenantId, subjects: &[String; 3]) -> Statement {
    let statement = Statement::new("DELETE FROM failure WHERE tenant_id = ? AND subject IN (?, ?, ?)").shown(tenant);
    subjects.iter().fold(statement, |statement, subject| statement.bind(subject.as_str()))
}

/// The statement after a success in a browser that the person is known in: failures elsewhere are not consecutive any more
/// so strangers do not add up to the hundred over the months. Locks and delays stay as they are.
pub fn not_consecutive(tenant: TenantId, subject: &str, most: i64) -> Statement {
    Statement::new(
        "UPDATE failure SET failed_total = failed_count WHERE tenant_id = ? AND subject = ? \
         AND failed_total > failed_count AND failed_total < ?",
    )
    .shown(tenant)
    .bind(subject)
    .bind(most)
}
