//! What operators gave out: passes that open enrollment, and temporary codes.

use super::row::Row;
use super::statement::{Question, Statement};
use super::{Connection, Result};
use crate::domain::ids::{LoginId, TenantId, UserId};
use crate::domain::recovery_code::HelpDeskCode;
use crate::domain::timestamp::Timestamp;

/// Stores a code. One that `waits` does not work before another operator has confirmed it.
#[derive(Debug, Clone)]
pub struct New<'a> {
    /// Its person.
    pub user: UserId,
    /// The keyed hash of the code.
    pub hash: &'a str,
    /// What it is good for.
    pub kind: HelpDeskCode,
    /// Whether a second operator must confirm it.
    pub waits: bool,
    /// The operator.
    pub by: &'a str,
    /// Until when it works, or waits.
    pub expires_at: Timestamp,
}

/// Stores a code.
pub async fn insert(connection: &mut Connection, tenant: TenantId, new: &New<'_>, now: Timestamp) -> Result<()> {
    Statement::new(
        "INSERT INTO help_desk_code (tenant_id, user_id, code_hash, kind, state, created_by, created_at, expires_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(new.user)
    .bind(new.hash)
    .bind(new.kind.id())
    .bind(if new.waits { "waiting" } else { "open" })
    .bind(new.by)
    .bind(now.micros())
    .bind(new.expires_at.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// Who made the pass that waits for a second operator.
pub fn waiting_of(tenant: TenantId, user: UserId, now: Timestamp) -> Question<Option<String>> {
    let statement = Statement::new(
        "SELECT user_id, created_by FROM help_desk_code WHERE tenant_id = ? AND user_id = ? AND kind = 'pass' \
         AND state = 'waiting' AND expires_at > ? ORDER BY created_at DESC",
    );
    Question::new(statement.shown(tenant).shown(user).bind(now.micros()), |rows| {
        rows.into_iter().next().map(|row| Row::of("help_desk_code", row).text("created_by")).transpose()
    })
}

/// Confirms the pass that waits, by another operator than the one who made it; its time begins now. Says whether there
/// was one.
pub async fn confirm(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    by: &str,
    expires_at: Timestamp,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE help_desk_code SET state = 'open', confirmed_by = ?, expires_at = ? WHERE tenant_id = ? AND user_id = ? \
         AND kind = 'pass' AND state = 'waiting' AND created_by <> ? AND expires_at > ?",
    )
    .bind(by)
    .bind(expires_at.micros())
    .shown(tenant)
    .shown(user)
    .bind(by)
    .bind(now.micros())
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Uses a code, once. Says `false` if there is none like it that is open now.
pub async fn take(
    connection: &mut Connection,
    tenant: TenantId,
    (user, kind): (UserId, HelpDeskCode),
    hash: &str,
    login: LoginId,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE help_desk_code SET state = 'used', used_at = ?, login_id = ? WHERE tenant_id = ? AND user_id = ? \
         AND code_hash = ? AND kind = ? AND state = 'open' AND expires_at > ?",
    )
    .bind(now.micros())
    .shown(login)
    .shown(tenant)
    .shown(user)
    .bind(hash)
    .bind(kind.id())
    .bind(now.micros())
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// The statement that voids what of a kind is unused.
pub fn void_of(tenant: TenantId, user: UserId, kind: HelpDeskCode) -> Statement {
    Statement::new(
        "UPDATE help_desk_code SET state = 'void' WHERE tenant_id = ? AND user_id = ? AND kind = ? \
         AND state IN ('waiting', 'open')",
    )
    .shown(tenant)
    .shown(user)
    .bind(kind.id())
}

/// How many codes of a kind work now.
pub fn open_of(tenant: TenantId, user: UserId, kind: HelpDeskCode, now: Timestamp) -> Question<i64> {
    let statement = Statement::new(
        "SELECT COUNT(*) AS codes FROM help_desk_code WHERE tenant_id = ? AND user_id = ? AND kind = ? AND state = 'open' \
         AND expires_at > ?",
    );
    Question::new(statement.shown(tenant).shown(user).bind(kind.id()).bind(now.micros()), |rows| {
        rows.into_iter().next().map_or(Ok(0), |row| Row::of("help_desk_code", row).integer("codes"))
    })
}

/// The statement that forgets all of them, with the account.
pub fn forgotten(tenant: TenantId, user: UserId) -> Statement {
    Statement::new("DELETE FROM help_desk_code WHERE tenant_id = ? AND user_id = ?").shown(tenant).shown(user)
}
