//! What is asked before a rollout begins.

use super::row::Row;
use super::statement::{Question, Statement};
use crate::domain::ids::{GroupId, TenantId, UserId};

/// Whether nobody is in a group.
pub fn has_no_member(tenant: TenantId, group: GroupId) -> Question<bool> {
    let statement = Statement::new("SELECT user_id FROM group_member WHERE tenant_id = ? AND group_id = ? LIMIT 1");
    Question::new(statement.shown(tenant).shown(group), |rows| Ok(rows.is_empty()))
}

/// Enabled accounts without a mail address, at most so many.
pub fn without_address(tenant: TenantId, most: i64) -> Question<Vec<(UserId, String)>> {
    let statement = Statement::new(
        "SELECT id, username FROM user_account WHERE tenant_id = ? AND email IS NULL AND status = 'enabled' LIMIT ?",
    );
    Question::new(statement.shown(tenant).bind(most), |rows| {
        rows.into_iter()
            .map(|row| {
                let row = Row::of("user_account", row);
                Ok((row.parsed("id")?, row.text("username")?))
            })
            .collect()
    })
}

/// How far the clocks of authenticators that were used are off, in time steps; of at most so many.
pub fn drifts(tenant: TenantId, most: i64) -> Question<Vec<i64>> {
    let statement = Statement::new(
        "SELECT drift_steps FROM token WHERE tenant_id = ? AND state = 'active' AND last_used_at IS NOT NULL LIMIT ?",
    );
    Question::new(statement.shown(tenant).bind(most), |rows| {
        rows.into_iter().map(|row| Row::of("token", row).integer("drift_steps")).collect()
    })
}
