//! Server-side PINs: one row for each token that has one. What is stored is sealed hashes: a PIN of four digits is
//! found in minutes by whoever has its hash, however slow that is.

use super::row::Row;
use super::statement::{Question, Statement};
use super::{Connection, Result};
use crate::domain::ids::{TenantId, TokenId};
use crate::domain::timestamp::Timestamp;

/// A PIN as it is stored.
#[derive(Debug, Clone)]
pub struct ServerPin {
    /// Hashes of it and of those before it, sealed for column `pin_sealed` of the row that the token's identifier names.
    pub sealed: Vec<u8>,
    /// Whether its owner must choose another.
    pub must_change: bool,
    /// Since when it is the PIN.
    pub changed_at: Timestamp,
    /// Grows with every change.
    pub version: i64,
}

/// The PIN of a token, if it has one.
pub fn of(tenant: TenantId, token: TokenId) -> Question<Option<ServerPin>> {
    let statement = Statement::new(
        "SELECT id, pin_sealed, must_change, changed_at, version FROM token_server_pin WHERE tenant_id = ? AND id = ?",
    );
    Question::new(statement.shown(tenant).shown(token), |rows| {
        let Some(row) = rows.into_iter().next() else { return Ok(None) };
        let row = Row::of("token_server_pin", row);
        Ok(Some(ServerPin {
            sealed: row.bytes("pin_sealed")?,
            must_change: row.flag("must_change")?,
            changed_at: row.time("changed_at")?,
            version: row.integer("version")?,
        }))
    })
}

/// Stores the first PIN of a token.
///
/// # Errors
/// If the database fails, or the token has a PIN already.
pub async fn insert(
    connection: &mut Connection,
    tenant: TenantId,
    token: TokenId,
    sealed: &[u8],
    must_change: bool,
    now: Timestamp,
) -> Result<()> {
    Statement::new(
        "INSERT INTO token_server_pin (tenant_id, id, pin_sealed, must_change, changed_at, version) \
         VALUES (?, ?, ?, ?, ?, 1)",
    )
    .shown(tenant)
    .shown(token)
    .bind(sealed)
    .bind(i64::from(must_change))
    .bind(now.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// Replaces the PIN, provided that it is still the one of `version`. Says whether it was.
///
/// # Errors
/// If the database fails.
pub async fn replace(
    connection: &mut Connection,
    tenant: TenantId,
    token: TokenId,
    version: i64,
    (sealed, must_change, changed_at): (&[u8], bool, Timestamp),
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE token_server_pin SET pin_sealed = ?, must_change = ?, changed_at = ?, version = version + 1 \
         WHERE tenant_id = ? AND id = ? AND version = ?",
    )
    .bind(sealed)
    .bind(i64::from(must_change))
    .bind(changed_at.micros())
    .shown(tenant)
    .shown(token)
    .bind(version)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// The statement that forgets the PIN, when its token is revoked.
pub fn forgotten(tenant: TenantId, token: TokenId) -> Statement {
    Statement::new("DELETE FROM token_server_pin WHERE tenant_id = ? AND id = ?").shown(tenant).shown(token)
}
