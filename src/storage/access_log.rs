//! The access log: one entry for each access attempt.

use super::statement::Statement;
use super::{Connection, Result};
use crate::domain::ids::{ApplicationId, CorrelationId, EventId, TenantId, UserId};
use crate::domain::timestamp::Timestamp;

/// How an access attempt ended.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The virtual server.
    pub tenant: TenantId,
    /// When it ended.
    pub at: Timestamp,
    /// The login it belongs to.
    pub correlation: CorrelationId,
    /// The person, if known.
    pub user: Option<UserId>,
    /// What was to be reached.
    pub application: ApplicationId,
    /// `success`, `failure` or `denied`.
    pub result: &'static str,
    /// A published reason.
    pub reason: String,
    /// The policy that decided.
    pub policy: String,
    /// The scenario of it that decided.
    pub scenario: Option<String>,
    /// What was proven, such as `password otp`.
    pub methods: String,
    /// Where it came from.
    pub address: String,
}

/// The statement that writes an entry.
pub fn entry(id: EventId, entry: &Entry) -> Statement {
    Statement::new(
        "INSERT INTO access_log (tenant_id, id, at, correlation_id, user_id, application_id, result, reason, policy, \
         scenario, methods, address) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(entry.tenant)
    .shown(id)
    .bind(entry.at.micros())
    .shown(entry.correlation)
    .bind(entry.user.map(|id| id.to_string()))
    .shown(entry.application)
    .shown(entry.result)
    .shown(&entry.reason)
    .shown(&entry.policy)
    .bind(entry.scenario.clone())
    .shown(&entry.methods)
    .shown(&entry.address)
}

/// Removes some entries that ended before `old`: at most those of one day, so that nobody waits long. Says how many; 0 when
/// there is none left.
///
/// # Errors
/// If the database fails.
pub async fn remove_before(connection: &mut Connection, tenant: TenantId, old: Timestamp) -> Result<u64> {
    let oldest = Statement::new("SELECT MIN(at) AS low FROM access_log WHERE tenant_id = ?");
    let oldest = oldest.shown(tenant).only(&mut *connection).await?;
    let Ok(Some(oldest)) = oldest.number("low") else { return Ok(0) };
    let day = Timestamp::from_micros(oldest).plus(std::time::Duration::from_secs(86_400));
    Statement::new("DELETE FROM access_log WHERE tenant_id = ? AND at < ?")
        .shown(tenant)
        .bind(day.min(old).micros())
        .run(connection)
        .await
}
