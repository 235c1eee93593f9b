//! Requests that came by cross-site POST and wait for their browser to come back with its cookies.

use super::row::Row;
use super::statement::Statement;
use super::{Connection, Result};
use crate::domain::ids::{ParkedId, TenantId};
use crate::domain::login::origin::Origin;
use crate::domain::timestamp::Timestamp;

/// A request that waits.
#[derive(Debug, Clone)]
pub struct Parked {
    /// Its identifier.
    pub id: ParkedId,
    /// The door that may read it.
    pub origin: Origin,
    /// The door's own request.
    pub request: String,
    /// Keyed hash of the browser's cookie.
    pub cookie_hash: String,
    /// Until when the browser may come.
    pub expires_at: Timestamp,
}

/// Stores a request.
///
/// # Errors
/// If the database fails.
pub async fn insert(connection: &mut Connection, tenant: TenantId, parked: &Parked) -> Result<()> {
    Statement::new(
        "INSERT INTO parked_request (tenant_id, id, origin, request, cookie_hash, expires_at) VALUES (?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(parked.id)
    .bind(parked.origin.id())
    .bind(&parked.request)
    .bind(&parked.cookie_hash)
    .bind(parked.expires_at.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// The request with this identifier.
///
/// # Errors
/// If the database fails.
pub async fn with_id(connection: &mut Connection, tenant: TenantId, id: ParkedId) -> Result<Option<Parked>> {
    let row = Statement::new(
        "SELECT id, origin, request, cookie_hash, expires_at FROM parked_request WHERE tenant_id = ? AND id = ?",
    )
    .shown(tenant)
    .shown(id)
    .first(connection)
    .await?;
    row.map(|row| {
        let row = Row::of("parked_request", row);
        Ok(Parked {
            id: row.parsed("id")?,
            origin: row.parsed("origin")?,
            request: row.text("request")?,
            cookie_hash: row.text("cookie_hash")?,
            expires_at: row.time("expires_at")?,
        })
    })
    .transpose()
}
