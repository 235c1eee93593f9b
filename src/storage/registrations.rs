//! Tokens of dynamic client registration (RFC 7591, 7592).

use super::row::Row;
use super::statement::{Question, Statement};
use super::{Connection, Result};
use crate::domain::ids::{ApplicationId, TenantId};
use crate::domain::timestamp::Timestamp;

/// The statement that keeps a token to register with, under its keyed hash.
pub fn initial(tenant: TenantId, token_hash: &str, uses: i64, expires_at: Timestamp, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO registration_token (tenant_id, token_hash, application_id, uses_left, expires_at, created_at) \
         VALUES (?, ?, NULL, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(token_hash)
    .bind(uses)
    .bind(expires_at.micros())
    .bind(now.micros())
}

/// The statement that keeps the token by which a registered application is managed.
pub fn managing(tenant: TenantId, token_hash: &str, application: ApplicationId, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO registration_token (tenant_id, token_hash, application_id, uses_left, expires_at, created_at) \
         VALUES (?, ?, ?, 0, NULL, ?)",
    )
    .shown(tenant)
    .shown(token_hash)
    .shown(application)
    .bind(now.micros())
}

/// Uses a token to register with once. Says `false` if it is not one, is used up or has expired.
pub async fn take(connection: &mut Connection, tenant: TenantId, token_hash: &str, now: Timestamp) -> Result<bool> {
    let taken = Statement::new(
        "UPDATE registration_token SET uses_left = uses_left - 1 WHERE tenant_id = ? AND token_hash = ? \
         AND application_id IS NULL AND uses_left > 0 AND expires_at > ?",
    );
    Ok(taken.shown(tenant).shown(token_hash).bind(now.micros()).run(connection).await? == 1)
}

/// The application that a token manages.
pub fn managed(tenant: TenantId, token_hash: &str) -> Question<Option<ApplicationId>> {
    let statement = Statement::new(
        "SELECT application_id FROM registration_token WHERE tenant_id = ? AND token_hash = ? \
         AND application_id IS NOT NULL",
    );
    Question::new(statement.shown(tenant).shown(token_hash), |rows| {
        rows.into_iter().next().map(|row| Row::of("registration_token", row).parsed("application_id")).transpose()
    })
}

/// The statement that forgets the tokens of an application that is gone.
pub fn forgotten(tenant: TenantId, application: ApplicationId) -> Statement {
    let forgotten = Statement::new("DELETE FROM registration_token WHERE tenant_id = ? AND application_id = ?");
    forgotten.shown(tenant).shown(application)
}
