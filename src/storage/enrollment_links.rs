//! Links that were mailed for self-enrollment. Their secrets are keyed hashes here.

use super::row::Row;
use super::statement::Statement;
use super::{Connection, Result};
use crate::domain::ids::{LinkId, ReservationId, TenantId};
use crate::domain::timestamp::Timestamp;

/// A link.
#[derive(Debug, Clone)]
pub struct Link {
    /// Its identifier, which stands in the address.
    pub id: LinkId,
    /// The place in a task that it is for.
    pub reservation: ReservationId,
    /// The keyed hash of its secret, bound to this row.
    pub secret_hash: String,
    /// Whether a newer mail replaces it.
    pub void: bool,
}

/// Stores a new link.
pub async fn insert(connection: &mut Connection, tenant: TenantId, link: &Link, now: Timestamp) -> Result<()> {
    Statement::new(
        "INSERT INTO enrollment_link (tenant_id, id, reservation_id, secret_hash, created_at) VALUES (?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(link.id)
    .shown(link.reservation)
    .bind(&link.secret_hash)
    .bind(now.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// The link with this identifier.
pub async fn with_id(connection: &mut Connection, tenant: TenantId, id: LinkId) -> Result<Option<Link>> {
    let row = Statement::new(
        "SELECT id, reservation_id, secret_hash, void_at FROM enrollment_link WHERE tenant_id = ? AND id = ?",
    )
    .shown(tenant)
    .shown(id)
    .first(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let row = Row::of("enrollment_link", row);
    Ok(Some(Link {
        id: row.parsed("id")?,
        reservation: row.parsed("reservation_id")?,
        secret_hash: row.text("secret_hash")?,
        void: row.integer_or_none("void_at")?.is_some(),
    }))
}

/// Notes when a link was opened first.
pub async fn opened(connection: &mut Connection, tenant: TenantId, id: LinkId, now: Timestamp) -> Result<()> {
    Statement::new("UPDATE enrollment_link SET opened_at = ? WHERE tenant_id = ? AND id = ? AND opened_at IS NULL")
        .bind(now.micros())
        .shown(tenant)
        .shown(id)
        .run(connection)
        .await?;
    Ok(())
}

/// Voids every link of a place in a task: a newer mail is on its way.
pub async fn void_of(
    connection: &mut Connection,
    tenant: TenantId,
    reservation: ReservationId,
    now: Timestamp,
) -> Result<u64> {
    Statement::new(
        "UPDATE enrollment_link SET void_at = ? WHERE tenant_id = ? AND reservation_id = ? AND void_at IS NULL",
    )
    .bind(now.micros())
    .shown(tenant)
    .shown(reservation)
    .run(connection)
    .await
}
