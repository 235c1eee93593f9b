//! Identifiers that count once: the second use is a replay.

use super::statement::{Question, Statement};
use super::{Connection, Result, inserted};
use crate::domain::ids::TenantId;
use crate::domain::timestamp::Timestamp;

/// Remembers `subject`, a keyed hash, until `expires_at`. Says whether it is new.
///
/// # Errors
/// If the database fails.
pub async fn first_use(
    connection: &mut Connection,
    tenant: TenantId,
    subject: &str,
    expires_at: Timestamp,
) -> Result<bool> {
    let insert = Statement::new("INSERT INTO used_identifier (tenant_id, subject, expires_at) VALUES (?, ?, ?)")
        .shown(tenant)
        .bind(subject)
        .bind(expires_at.micros())
        .run(connection)
        .await;
    inserted(insert)
}

/// Whether `subject` is remembered.
pub fn is_used(tenant: TenantId, subject: &str) -> Question<bool> {
    let statement = Statement::new("SELECT subject FROM used_identifier WHERE tenant_id = ? AND subject = ?");
    Question::new(statement.shown(tenant).shown(subject), |rows| Ok(!rows.is_empty()))
}
