//! Groups with how many are in them, and who.

use super::row::Row;
use super::statement::{Question, Record, Statement, run_all};
use super::{Connection, Result};
use crate::domain::group::Group;
use crate::domain::ids::{GroupId, TenantId, UserId};
use crate::domain::name::key_of;

/// A group, as a list shows it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The group.
    pub group: Group,
    /// How many are in it.
    pub members: i64,
    /// Grows with every new name.
    pub version: i64,
}

fn listed(row: Record) -> Result<Listed> {
    let row = Row::of("user_group", row);
    Ok(Listed {
        group: Group { id: row.parsed("id")?, name: row.text("name")? },
        members: row.integer("members")?,
        version: row.integer("version")?,
    })
}

/// A page of the groups whose name begins so, by name, after the place that an earlier page gave; and where the next begins.
///
/// # Errors
/// If the database fails.
pub async fn search(
    connection: &mut Connection,
    tenant: TenantId,
    start: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<(Vec<Listed>, Option<String>)> {
    let (start, after) = (key_of(start), after.unwrap_or_default());
    let rows = Statement::new(
        "SELECT id, name, name_key, members, version FROM user_group WHERE tenant_id = ? AND name_key >= ? \
         AND name_key <> ? AND name_key < ? ORDER BY name_key LIMIT ?",
    )
    .shown(tenant)
    .bind(after.max(start.as_str()))
    .bind(after)
    .bind(format!("{start}\u{10ffff}"))
    .bind(i64::from(limit) + 1)
    .rows(connection)
    .await?;
    let mut found: Vec<Listed> = rows.into_iter().map(listed).collect::<Result<_>>()?;
    let mut next = None;
    if found.len() > usize::try_from(limit).unwrap_or(usize::MAX) {
        found.pop();
        next = found.last().map(|last| key_of(&last.group.name));
    }
    Ok((found, next))
}

/// The group with this identifier.
pub fn one(tenant: TenantId, id: GroupId) -> Question<Option<Listed>> {
    let statement = Statement::new("SELECT id, name, members, version FROM user_group WHERE tenant_id = ? AND id = ?");
    Question::new(statement.shown(tenant).shown(id), |rows| rows.into_iter().next().map(listed).transpose())
}

/// Gives a group another name, provided that it has still this version. Says whether it was so; settings refer to
/// its identifier, and keep doing so. Fails with a duplicate if the name is taken.
///
/// # Errors
/// If the database fails.
pub async fn rename(connection: &mut Connection, tenant: TenantId, group: &Group, version: i64) -> Result<bool> {
    let done = Statement::new(
        "UPDATE user_group SET name = ?, name_key = ?, version = version + 1 \
         WHERE tenant_id = ? AND id = ? AND version = ?",
    )
    .bind(&group.name)
    .bind(key_of(&group.name))
    .shown(tenant)
    .shown(group.id)
    .bind(version)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Takes the version that a group has for the change that is made now. Says whether it was still that.
///
/// # Errors
/// If the database fails.
pub async fn take_version(connection: &mut Connection, tenant: TenantId, id: GroupId, version: i64) -> Result<bool> {
    let done =
        Statement::new("UPDATE user_group SET version = version + 1 WHERE tenant_id = ? AND id = ? AND version = ?")
            .shown(tenant)
            .shown(id)
            .bind(version)
            .run(connection)
            .await?;
    Ok(done == 1)
}

/// Some members of a group with their user names, in the order of their identifiers, after one of them.
pub fn members_after(
    tenant: TenantId,
    id: GroupId,
    after: Option<UserId>,
    limit: u32,
) -> Question<Vec<(UserId, String)>> {
    let statement = Statement::new(
        "SELECT user_id, username FROM group_member JOIN user_account ON user_account.tenant_id = group_member.tenant_id \
         AND user_account.id = user_id WHERE group_member.tenant_id = ? AND group_id = ? AND user_id > ? \
         ORDER BY user_id LIMIT ?",
    );
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    Question::new(statement.shown(tenant).shown(id).bind(after).bind(i64::from(limit)), |rows| {
        rows.into_iter()
            .map(|row| {
                let row = Row::of("group_member", row);
                Ok((row.parsed("user_id")?, row.text("username")?))
            })
            .collect()
    })
}

/// Counts who entered groups and who left them; the order is always the same, so that two at once do not wait for each
/// other.
///
/// # Errors
/// If the database fails.
pub async fn count(connection: &mut Connection, tenant: TenantId, mut changes: Vec<(GroupId, i64)>) -> Result<()> {
    changes.retain(|(_, by)| *by != 0);
    changes.sort_unstable_by_key(|(group, _)| group.to_bytes());
    let statement = |(group, by): (GroupId, i64)| {
        Statement::new("UPDATE user_group SET members = members + ? WHERE tenant_id = ? AND id = ?")
            .bind(by)
            .shown(tenant)
            .shown(group)
    };
    run_all(connection, changes.into_iter().map(statement).collect()).await
}
