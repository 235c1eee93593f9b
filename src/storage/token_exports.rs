//! Exports of tokens with their secrets, which one operator asks for and another approves.

use super::row::{Row, document};
use super::statement::{Question, Record, Statement};
use super::{Connection, Result};
use crate::domain::ids::{TenantId, TokenExportId};
use crate::domain::timestamp::Timestamp;

/// An export that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// Its identifier.
    pub id: TokenExportId,
    /// Which tokens.
    pub scope: serde_json::Value,
    /// Who asked.
    pub asked_by: String,
    /// When.
    pub asked_at: Timestamp,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// When it was carried out.
    pub used_at: Option<Timestamp>,
    /// It is void from then on.
    pub expires_at: Timestamp,
}

/// Stores what somebody asked for.
///
/// # Errors
/// If the database fails.
pub async fn insert(connection: &mut Connection, tenant: TenantId, export: &Export) -> Result<()> {
    Statement::new(
        "INSERT INTO token_export (tenant_id, id, scope, asked_by, asked_at, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(export.id)
    .bind(document(&export.scope))
    .bind(&export.asked_by)
    .bind(export.asked_at.micros())
    .bind(export.expires_at.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// The export with this identifier.
pub fn with_id(tenant: TenantId, id: TokenExportId) -> Question<Option<Export>> {
    let statement = Statement::new(
        "SELECT id, scope, asked_by, asked_at, approved_by, used_at, expires_at FROM token_export \
         WHERE tenant_id = ? AND id = ?",
    );
    Question::new(statement.shown(tenant).shown(id), |rows| rows.into_iter().next().map(export).transpose())
}

fn export(row: Record) -> Result<Export> {
    let row = Row::of("token_export", row);
    Ok(Export {
        id: row.parsed("id")?,
        scope: row.document("scope")?,
        asked_by: row.text("asked_by")?,
        asked_at: row.time("asked_at")?,
        approved_by: row.text_or_none("approved_by")?,
        used_at: row.time_or_none("used_at")?,
        expires_at: row.time("expires_at")?,
    })
}

/// The newest exports that somebody asked for, at most `most`.
pub fn newest(tenant: TenantId, most: u32) -> Question<Vec<Export>> {
    let statement = Statement::new(
        "SELECT id, scope, asked_by, asked_at, approved_by, used_at, expires_at FROM token_export \
         WHERE tenant_id = ? ORDER BY asked_at DESC, id LIMIT ?",
    );
    Question::new(statement.shown(tenant).bind(i64::from(most)), |rows| rows.into_iter().map(export).collect())
}

/// Approves an export, once, by somebody else than who asked for it. Says whether it did; from now on it is good until
/// `until`.
///
/// # Errors
/// If the database fails.
pub async fn approve(
    connection: &mut Connection,
    tenant: TenantId,
    id: TokenExportId,
    by: &str,
    (now, until): (Timestamp, Timestamp),
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE token_export SET approved_by = ?, approved_at = ?, expires_at = ? WHERE tenant_id = ? AND id = ? \
         AND approved_by IS NULL AND used_at IS NULL AND expires_at > ? AND asked_by <> ?",
    )
    .bind(by)
    .bind(now.micros())
    .bind(until.micros())
    .shown(tenant)
    .shown(id)
    .bind(now.micros())
    .bind(by)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Uses an approved export up, by who asked for it. Says whether it was there to be used.
///
/// # Errors
/// If the database fails.
pub async fn consume(
    connection: &mut Connection,
    tenant: TenantId,
    id: TokenExportId,
    by: &str,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE token_export SET used_at = ? WHERE tenant_id = ? AND id = ? AND approved_by IS NOT NULL \
         AND used_at IS NULL AND expires_at > ? AND asked_by = ?",
    )
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .bind(now.micros())
    .bind(by)
    .run(connection)
    .await?;
    Ok(done == 1)
}
