//! The audit trail: rows are added, and nothing else.

use super::row::document;
use super::{Connection, Result};
use crate::domain::audit::Event;
use crate::domain::ids::EventId;

/// Writes an event down, in the transaction of the change that it tells of (INV-8).
pub async fn record(connection: &mut Connection, id: EventId, event: &Event) -> Result<()> {
    sqlx::query(
        "INSERT INTO audit_event (tenant_id, id, at, actor_kind, actor, address, action, object, object_id, correlation_id, \
         detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(event.tenant.to_string())
    .bind(id.to_string())
    .bind(event.at.micros())
    .bind(event.actor.kind())
    .bind(event.actor.name())
    .bind(&event.address)
    .bind(event.action.text())
    .bind(event.object)
    .bind(&event.object_id)
    .bind(event.correlation.map(|id| id.to_string()))
    .bind(document(&event.detail))
    .execute(connection)
    .await?;
    Ok(())
}
