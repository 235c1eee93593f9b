//! Which accounts are locked after failures, for lists: the counters themselves are found by a keyed hash only.

use super::statement::Statement;
use super::{Connection, Engine, Result};
use crate::domain::ids::TenantId;
use crate::domain::lockout::Lock;
use crate::domain::name::key_of;
use crate::domain::timestamp::Timestamp;

/// Stands for "until an operator acts".
pub(super) const FOR_EVER: i64 = i64::MAX;

/// Notes that the account with this name is locked.
///
/// # Errors
/// If the database fails.
pub async fn note(connection: &mut Connection, tenant: TenantId, username: &str, lock: Lock) -> Result<()> {
    let until = match lock {
        Lock::Open => return Ok(()),
        Lock::Until(end) => end.micros(),
        Lock::Operator => FOR_EVER,
    };
    let statement = match connection.engine() {
        Engine::Sqlite => {
            "INSERT INTO account_lock (tenant_id, username_key, locked_until) VALUES (?, ?, ?) \
             ON CONFLICT (tenant_id, username_key) DO UPDATE SET locked_until = excluded.locked_until"
        }
        Engine::MySql => {
            "INSERT INTO account_lock (tenant_id, username_key, locked_until) VALUES (?, ?, ?) \
             ON DUPLICATE KEY UPDATE locked_until = VALUES(locked_until)"
        }
    };
    Statement::new(statement).shown(tenant).bind(key_of(username)).bind(until).run(connection).await?;
    Ok(())
}

/// The statement that forgets it.
pub fn forgotten(tenant: TenantId, username: &str) -> Statement {
    Statement::new("DELETE FROM account_lock WHERE tenant_id = ? AND username_key = ?")
        .shown(tenant)
        .bind(key_of(username))
}

/// Until when a number in the column means.
pub(super) fn until(number: Option<i64>) -> Option<Lock> {
    number.map(|until| if until == FOR_EVER { Lock::Operator } else { Lock::Until(Timestamp::from_micros(until)) })
}
