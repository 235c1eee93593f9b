//! OpenID Connect grants: an authorization code and everything that was issued for it.

use super::row::Row;
use super::statement::Statement;
use super::{Connection, Result, users};
use crate::domain::ids::{ApplicationId, GrantId, SessionId, TenantId, UserId};
use crate::domain::timestamp::Timestamp;
use crate::domain::user::Member;

/// A grant.
#[derive(Debug, Clone)]
pub struct Grant {
    /// Its identifier.
    pub id: GrantId,
    /// The application it was given to.
    pub application: ApplicationId,
    /// The person who gave it.
    pub user: UserId,
    /// The session in which it was given.
    pub session: SessionId,
    /// The door's own: redirect address, PKCE challenge, nonce, scope, times.
    pub details: String,
    /// When the code stops being valid.
    pub expires_at: Timestamp,
    /// When the code was redeemed.
    pub redeemed_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When the last thing that was issued for it expires, and the row may go.
    pub ends_at: Timestamp,
}

fn grant(row: &Row) -> Result<Grant> {
    Ok(Grant {
        id: row.parsed("grant_id")?,
        application: row.parsed("application_id")?,
        user: row.parsed("user_id")?,
        session: row.parsed("session_id")?,
        details: row.text("details")?,
        expires_at: row.time("expires_at")?,
        redeemed_at: row.time_or_none("redeemed_at")?,
        revoked_at: row.time_or_none("revoked_at")?,
        ends_at: row.time("ends_at")?,
    })
}

/// The grant in a row, and its person.
fn with_member(row: &Row) -> Result<(Grant, Member)> {
    Ok((grant(row)?, users::member_of(row, "user_id")?))
}

/// The statement that stores a new grant under the keyed hash of its code.
pub fn insertion(tenant: TenantId, grant: &Grant, code_hash: &str, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO oidc_grant (tenant_id, id, code_hash, application_id, user_id, session_id, details, created_at, \
         expires_at, ends_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(grant.id)
    .shown(code_hash)
    .shown(grant.application)
    .shown(grant.user)
    .shown(grant.session)
    .shown(&grant.details)
    .bind(now.micros())
    .bind(grant.expires_at.micros())
    .bind(grant.ends_at.micros())
}

/// The grant with this identifier and hashed code, and its person.
pub async fn with_code(
    connection: &mut Connection,
    tenant: TenantId,
    id: GrantId,
    code_hash: &str,
) -> Result<Option<(Grant, Member)>> {
    let row = Statement::new(
        "SELECT oidc_grant.id AS grant_id, application_id, user_id, session_id, details, expires_at, redeemed_at, \
         revoked_at, ends_at, user_account.tenant_id AS tenant_id, username, email, first_name, last_name, language, \
         status, security_version, first_enrolled_at, (SELECT GROUP_CONCAT(group_id) FROM group_member WHERE \
         group_member.tenant_id = user_account.tenant_id AND group_member.user_id = user_account.id) AS group_ids \
         FROM oidc_grant JOIN user_account ON user_account.tenant_id = oidc_grant.tenant_id \
         AND user_account.id = oidc_grant.user_id WHERE oidc_grant.tenant_id = ? AND oidc_grant.id = ? AND oidc_grant.code_hash = ?",
    )
    .shown(tenant)
    .shown(id)
    .bind(code_hash)
    .first(connection)
    .await?;
    row.map(|row| with_member(&Row::of("oidc_grant", row))).transpose()
}

/// The grant with this identifier, and its person.
pub async fn with_id(connection: &mut Connection, tenant: TenantId, id: GrantId) -> Result<Option<(Grant, Member)>> {
    let row = Statement::new(
        "SELECT oidc_grant.id AS grant_id, application_id, user_id, session_id, details, expires_at, redeemed_at, \
         revoked_at, ends_at, user_account.tenant_id AS tenant_id, username, email, first_name, last_name, language, \
         status, security_version, first_enrolled_at, (SELECT GROUP_CONCAT(group_id) FROM group_member WHERE \
         group_member.tenant_id = user_account.tenant_id AND group_member.user_id = user_account.id) AS group_ids \
         FROM oidc_grant JOIN user_account ON user_account.tenant_id = oidc_grant.tenant_id \
         AND user_account.id = oidc_grant.user_id WHERE oidc_grant.tenant_id = ? AND oidc_grant.id = ?",
    )
    .shown(tenant)
    .shown(id)
    .first(connection)
    .await?;
    row.map(|row| with_member(&Row::of("oidc_grant", row))).transpose()
}

/// Redeems a code, once. Says `false` if it was redeemed before, was revoked or has expired (T-47).
pub async fn redeem(connection: &mut Connection, tenant: TenantId, id: GrantId, now: Timestamp) -> Result<bool> {
    let done = Statement::new(
        "UPDATE oidc_grant SET redeemed_at = ? WHERE tenant_id = ? AND id = ? AND redeemed_at IS NULL \
         AND revoked_at IS NULL AND expires_at > ?",
    )
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .bind(now.micros())
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Takes a grant back. Says whether it was good before.
pub async fn revoke(connection: &mut Connection, tenant: TenantId, id: GrantId, now: Timestamp) -> Result<bool> {
    let done =
        Statement::new("UPDATE oidc_grant SET revoked_at = ? WHERE tenant_id = ? AND id = ? AND revoked_at IS NULL")
            .bind(now.micros())
            .shown(tenant)
            .shown(id)
            .run(connection)
            .await?;
    Ok(done == 1)
}

/// Takes back everything that was granted by a person, or in one of the person's sessions.
pub async fn revoke_all_of(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    session: Option<SessionId>,
    now: Timestamp,
) -> Result<u64> {
    let only = session.map(|id| id.to_string());
    let done = Statement::new(
        "UPDATE oidc_grant SET revoked_at = ? WHERE tenant_id = ? AND user_id = ? AND revoked_at IS NULL \
         AND (? IS NULL OR session_id = ?)",
    )
    .bind(now.micros())
    .shown(tenant)
    .shown(user)
    .bind(only.clone())
    .bind(only)
    .run(connection)
    .await?;
    Ok(done)
}
