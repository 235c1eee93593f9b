//! What is known of a person's past: when the account was made and last used, and what moved it into the rollout (T-01).

use super::row::{Row, document};
use super::statement::{Question, Statement};
use super::{Connection, Engine, Result};
use crate::domain::ids::{GroupId, TenantId, UserId};
use crate::domain::policy::rollout::{Change, Past};
use crate::domain::timestamp::Timestamp;

/// What is known of an account's past; `None` if there is no such account.
pub async fn past(connection: &mut Connection, tenant: TenantId, user: UserId) -> Result<Option<Past>> {
    let row = Statement::new(
        "SELECT id, created_at, last_login_at, first_enrolled_at, may_enroll_again FROM user_account WHERE tenant_id = ? AND id = ?",
    )
    .shown(tenant)
    .shown(user)
    .first(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let row = Row::of("user_account", row);
    Ok(Some(Past {
        created_at: row.time("created_at")?,
        last_login_at: row.time_or_none("last_login_at")?,
        ever_enrolled: row.time_or_none("first_enrolled_at")?.is_some(),
        may_enroll_again: row.integer_or_none("may_enroll_again")?.map(|allowed| allowed != 0),
        changes: changes(tenant, user).ask(connection).await?,
    }))
}

fn changes(tenant: TenantId, user: UserId) -> Question<Vec<Change>> {
    let statement = Statement::new(
        "SELECT user_id, at, kind, groups_before FROM rollout_change WHERE tenant_id = ? AND user_id = ? ORDER BY at",
    );
    Question::new(statement.shown(tenant).shown(user), |rows| {
        let read = |row| {
            let row = Row::of("rollout_change", row);
            let at = row.time("at")?;
            match row.text("kind")?.as_str() {
                "groups" => Ok(Change::Groups { at, before: row.document("groups_before")? }),
                "reopened" => Ok(Change::Reopened { at }),
                _ => Err(row.broken("kind")),
            }
        };
        rows.into_iter().map(read).collect()
    })
}

/// Remembers that somebody was in these groups until `now`. The groups that an account is made with move nobody.
pub async fn moved(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    before: &[GroupId],
    now: Timestamp,
) -> Result<()> {
    let row = Statement::new("SELECT created_at FROM user_account WHERE tenant_id = ? AND id = ?")
        .shown(tenant)
        .shown(user)
        .first(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(()) };
    if Row::of("user_account", row).time("created_at")? == now {
        return Ok(());
    }
    // Twice at the same moment: what was before the first of them counts.
    remember(connection, tenant, user, ("groups", document(&before)), now).await
}

/// Remembers that an operator opened enrollment again.
pub async fn reopened(connection: &mut Connection, tenant: TenantId, user: UserId, now: Timestamp) -> Result<()> {
    remember(connection, tenant, user, ("reopened", String::new()), now).await
}

async fn remember(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    (kind, groups): (&'static str, String),
    now: Timestamp,
) -> Result<()> {
    let statement = match connection.engine() {
        Engine::Sqlite => {
            "INSERT INTO rollout_change (tenant_id, user_id, at, kind, groups_before) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT DO NOTHING"
        }
        Engine::MySql => {
            "INSERT IGNORE INTO rollout_change (tenant_id, user_id, at, kind, groups_before) VALUES (?, ?, ?, ?, ?)"
        }
    };
    let statement = Statement::new(statement).shown(tenant).shown(user).bind(now.micros()).bind(kind).bind(groups);
    statement.run(connection).await?;
    Ok(())
}

/// The statement that forgets it, with the account.
pub fn forgotten(tenant: TenantId, user: UserId) -> Statement {
    Statement::new("DELETE FROM rollout_change WHERE tenant_id = ? AND user_id = ?").shown(tenant).shown(user)
}
