//! The audit trail: rows are added, and nothing else.

use super::audit_chain::{entries, subject_mark};
use super::row::document;
use super::statement::{Question, Statement};
use super::{Connection, Result};
use crate::domain::audit::Event;
use crate::domain::audit::chain::Entry;
use crate::domain::ids::{CorrelationId, EventId, TenantId};
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
    /// By whom: what they were called, or their identifier where they have no name.
    pub actor: String,
    /// The settings before and after, as JSON: `old` and `new`.
    pub detail: serde_json::Value,
}

/// Events by or about somebody or something, the oldest first, after a place: those that have been sealed.
pub fn about_subject(
    tenant: TenantId,
    subject: &str,
    after: Option<&(i64, String)>,
    most: i64,
) -> Question<Vec<Entry>> {
    let (at, id) = after.map_or((i64::MIN, ""), |(at, id)| (*at, id.as_str()));
    let statement = Statement::new(
        "SELECT id, audit_event.at AS at, actor_kind, actor, actor_name, address, action, object, object_id, \
         correlation_id, detail FROM audit_mark JOIN audit_event ON audit_event.tenant_id = audit_mark.tenant_id \
         AND audit_event.at = audit_mark.at AND audit_event.id = audit_mark.event_id \
         WHERE audit_mark.tenant_id = ? AND mark = ? AND audit_mark.at >= ? AND (audit_mark.at > ? OR event_id > ?) \
         ORDER BY audit_mark.at, event_id LIMIT ?",
    );
    let statement = statement.shown(tenant).bind(subject_mark(subject)).bind(at).bind(at).bind(id).bind(most);
    Question::new(statement, entries)
}

/// The last events by or about somebody or something, the newest first: those that have been sealed.
pub fn newest_about(tenant: TenantId, subject: &str, most: i64) -> Question<Vec<Entry>> {
    let statement = Statement::new(
        "SELECT id, audit_event.at AS at, actor_kind, actor, actor_name, address, action, object, object_id, \
         correlation_id, detail FROM audit_mark JOIN audit_event ON audit_event.tenant_id = audit_mark.tenant_id \
         AND audit_event.at = audit_mark.at AND audit_event.id = audit_mark.event_id \
         WHERE audit_mark.tenant_id = ? AND mark = ? ORDER BY audit_mark.at DESC, event_id DESC LIMIT ?",
    );
    Question::new(statement.shown(tenant).bind(subject_mark(subject)).bind(most), entries)
}

/// The longest that something can happen to a login after it began, in microseconds: a page may stay open for hours.
const LONGEST_LOGIN: i64 = 24 * 60 * 60 * 1_000_000;

/// When something can have happened in a login, in microseconds: its identifier begins with its time.
pub(super) fn span_of(login: CorrelationId) -> (i64, i64) {
    let begun = login.made_at().micros();
    (begun.saturating_sub(1_000_000), begun.saturating_add(LONGEST_LOGIN))
}

/// Everything that happened in one login, the oldest first, at most 1000 events. Its identifier begins with its time, so
/// there is no index for this.
pub fn of_login(tenant: TenantId, correlation: CorrelationId) -> Question<Vec<Entry>> {
    let (first, last) = span_of(correlation);
    let statement = Statement::new(
        "SELECT id, at, actor_kind, actor, actor_name, address, action, object, object_id, correlation_id, detail \
         FROM audit_event WHERE tenant_id = ? AND at >= ? AND at <= ? AND correlation_id = ? ORDER BY at, id LIMIT 1000",
    );
    let statement = statement.shown(tenant).bind(first).bind(last).shown(correlation);
    Question::new(statement, entries)
}
