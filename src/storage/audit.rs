//! The audit trail: rows are added, and nothing else.

use super::row::{Row, document};
use super::statement::{Question, Statement};
use super::{Connection, Result};
use crate::domain::audit::Event;
use crate::domain::ids::{EventId, TenantId};
use crate::domain::timestamp::Timestamp;

/// Writes an event down, in the transaction of the change that it tells of (INV-8).
pub async fn record(connection: &mut Connection, id: EventId, event: &Event) -> Result<()> {
    entry(id, event).run(connection).await.map(drop)
}

/// The statement of [`record`].
pub fn entry(id: EventId, event: &Event) -> Statement {
    Statement::new(
        "INSERT INTO audit_event (tenant_id, id, at, actor_kind, actor, actor_name, address, action, object, object_id, \
         correlation_id, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(event.tenant)
    .shown(id)
    .bind(event.at.micros())
    .shown(event.actor.kind())
    .shown(event.actor.name())
    .bind(event.actor.called())
    .shown(&event.address)
    .shown(event.action.text())
    .shown(event.object)
    .shown(&event.object_id)
    .bind(event.correlation.map(|id| id.to_string()))
    .bind(document(&event.detail))
}

/// A change of a virtual server's settings.
#[derive(Debug, Clone)]
pub struct SettingsChange {
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: String,
    /// The settings before and after, as JSON: `old` and `new`.
    pub detail: serde_json::Value,
}

/// The last changes of a virtual server's settings, the newest first.
pub fn settings_changes(tenant: TenantId, most: i64) -> Question<Vec<SettingsChange>> {
    let statement = Statement::new(
        "SELECT id, at, actor, detail FROM audit_event WHERE tenant_id = ? AND action = 'tenant_changed' \
         ORDER BY at DESC, id DESC LIMIT ?",
    );
    Question::new(statement.shown(tenant).bind(most), |rows| {
        let read = |row| {
            let row = Row::of("audit_event", row);
            Ok(SettingsChange { at: row.time("at")?, actor: row.text("actor")?, detail: row.document("detail")? })
        };
        rows.into_iter().map(read).collect()
    })
}
