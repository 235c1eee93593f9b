//! When the mail address of somebody was last changed: a row only for those whose address ever was.

use super::row::Row;
use super::statement::{Question, Statement};
use super::{Connection, Engine, Result};
use crate::domain::ids::{TenantId, UserId};
use crate::domain::timestamp::Timestamp;

/// When the address of this account was last changed, as far as it is remembered.
pub fn last_of(tenant: TenantId, user: UserId) -> Question<Option<Timestamp>> {
    let statement = Statement::new("SELECT changed_at FROM address_change WHERE tenant_id = ? AND user_id = ?");
    Question::new(statement.shown(tenant).shown(user), |rows| {
        let row = rows.into_iter().next();
        row.map(|row| Row::of("address_change", row).time("changed_at")).transpose()
    })
}

/// Remembers a change of address.
///
/// # Errors
/// If the database fails.
pub async fn remember(connection: &mut Connection, tenant: TenantId, user: UserId, now: Timestamp) -> Result<()> {
    let statement = match connection.engine() {
        Engine::Sqlite => {
            "INSERT INTO address_change (tenant_id, user_id, changed_at) VALUES (?, ?, ?) \
             ON CONFLICT (tenant_id, user_id) DO UPDATE SET changed_at = excluded.changed_at"
        }
        Engine::MySql => {
            "INSERT INTO address_change (tenant_id, user_id, changed_at) VALUES (?, ?, ?) \
             ON DUPLICATE KEY UPDATE changed_at = VALUES(changed_at)"
        }
    };
    Statement::new(statement).shown(tenant).shown(user).bind(now.micros()).run(connection).await?;
    Ok(())
}

/// The statement that forgets it, with the account.
pub fn forgotten(tenant: TenantId, user: UserId) -> Statement {
    Statement::new("DELETE FROM address_change WHERE tenant_id = ? AND user_id = ?").shown(tenant).shown(user)
}
