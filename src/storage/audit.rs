//! The audit trail: rows are added, and nothing else.

use super::row::document;
use super::statement::Statement;
use super::{Connection, Result};
use crate::domain::audit::Event;
use crate::domain::ids::EventId;

/// Writes an event down, in the transaction of the change that it tells of (INV-8).
pub async fn record(connection: &mut Connection, id: EventId, event: &Event) -> Result<()> {
    entry(id, event).run(connection).await.map(drop)
}

/// The statement of [`record`].
pub fn entry(id: EventId, event: &Event) -> Statement {
    Statement::new(
        "INSERT INTO audit_event (tenant_id, id, at, actor_kind, actor, address, action, object, object_id, correlation_id, \
         detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(event.tenant)
    .shown(id)
    .bind(event.at.micros())
    .shown(event.actor.kind())
    .shown(event.actor.name())
    .shown(&event.address)
    .shown(event.action.text())
    .shown(event.object)
    .shown(&event.object_id)
    .bind(event.correlation.map(|id| id.to_string()))
    .bind(document(&event.detail))
}
