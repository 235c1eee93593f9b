//! Single sign-on sessions.

use super::row::{Row, micros};
use super::{Connection, Result};
use crate::domain::ids::{SessionId, TenantId, UserId};
use crate::domain::session::Session;
use crate::domain::timestamp::Timestamp;

fn session(row: sqlx::any::AnyRow) -> Result<Session> {
    let row = Row::of("sso_session", row);
    Ok(Session {
        id: row.parsed("id")?,
        tenant: row.parsed("tenant_id")?,
        user: row.parsed("user_id")?,
        security_version: row.integer("security_version")?,
        password_at: row.time_or_none("password_at")?,
        otp_at: row.time_or_none("otp_at")?,
        token: row.parsed_or_none("token_id")?,
        started_at: row.time("started_at")?,
        last_seen_at: row.time("last_seen_at")?,
        ended_at: row.time_or_none("ended_at")?,
    })
}

/// The session of the browser with this hashed cookie.
pub async fn with_cookie(connection: &mut Connection, tenant: TenantId, cookie_hash: &str) -> Result<Option<Session>> {
    let row = sqlx::query(
        "SELECT id, tenant_id, user_id, security_version, password_at, otp_at, token_id, started_at, last_seen_at, ended_at \
         FROM sso_session WHERE tenant_id = ? AND cookie_hash = ?",
    )
    .bind(tenant.to_string())
    .bind(cookie_hash)
    .fetch_optional(connection)
    .await?;
    row.map(session).transpose()
}

/// The session with this identifier.
pub async fn with_id(connection: &mut Connection, tenant: TenantId, id: SessionId) -> Result<Option<Session>> {
    let row = sqlx::query(
        "SELECT id, tenant_id, user_id, security_version, password_at, otp_at, token_id, started_at, last_seen_at, ended_at \
         FROM sso_session WHERE tenant_id = ? AND id = ?",
    )
    .bind(tenant.to_string())
    .bind(id.to_string())
    .fetch_optional(connection)
    .await?;
    row.map(session).transpose()
}

/// Stores a new session.
pub async fn insert(
    connection: &mut Connection,
    session: &Session,
    cookie_hash: &str,
    address: &str,
    user_agent: &str,
) -> Result<()> {
    sqlx::query(
        "INSERT INTO sso_session (tenant_id, id, cookie_hash, user_id, security_version, password_at, otp_at, token_id, \
         started_at, last_seen_at, address, user_agent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(session.tenant.to_string())
    .bind(session.id.to_string())
    .bind(cookie_hash)
    .bind(session.user.to_string())
    .bind(session.security_version)
    .bind(micros(session.password_at))
    .bind(micros(session.otp_at))
    .bind(session.token.map(|id| id.to_string()))
    .bind(session.started_at.micros())
    .bind(session.last_seen_at.micros())
    .bind(address)
    .bind(user_agent)
    .execute(connection)
    .await?;
    Ok(())
}

/// Stores stronger proofs and a new cookie. The old cookie is dead from then on (AC-35).
pub async fn strengthen(connection: &mut Connection, session: &Session, cookie_hash: &str) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE sso_session SET cookie_hash = ?, security_version = ?, password_at = ?, otp_at = ?, token_id = ?, \
         last_seen_at = ? WHERE tenant_id = ? AND id = ? AND ended_at IS NULL",
    )
    .bind(cookie_hash)
    .bind(session.security_version)
    .bind(micros(session.password_at))
    .bind(micros(session.otp_at))
    .bind(session.token.map(|id| id.to_string()))
    .bind(session.last_seen_at.micros())
    .bind(session.tenant.to_string())
    .bind(session.id.to_string())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Remembers an access attempt, which keeps the session from ending idle.
pub async fn touch(connection: &mut Connection, tenant: TenantId, id: SessionId, now: Timestamp) -> Result<()> {
    sqlx::query("UPDATE sso_session SET last_seen_at = ? WHERE tenant_id = ? AND id = ? AND ended_at IS NULL")
        .bind(now.micros())
        .bind(tenant.to_string())
        .bind(id.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends a session. Says whether it was alive.
pub async fn end(
    connection: &mut Connection,
    tenant: TenantId,
    id: SessionId,
    reason: &str,
    now: Timestamp,
) -> Result<bool> {
    let done = sqlx::query(
        "UPDATE sso_session SET ended_at = ?, end_reason = ? WHERE tenant_id = ? AND id = ? AND ended_at IS NULL",
    )
    .bind(now.micros())
    .bind(reason)
    .bind(tenant.to_string())
    .bind(id.to_string())
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends every session of a person. Says how many there were.
pub async fn end_all_of(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    reason: &str,
    now: Timestamp,
) -> Result<u64> {
    let done = sqlx::query(
        "UPDATE sso_session SET ended_at = ?, end_reason = ? WHERE tenant_id = ? AND user_id = ? AND ended_at IS NULL",
    )
    .bind(now.micros())
    .bind(reason)
    .bind(tenant.to_string())
    .bind(user.to_string())
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
