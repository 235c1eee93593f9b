//! Many people, and many serial numbers, asked for at once: imports look at thousands of rows, and a question for each
//! would take a server longer than the answer.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::row::Row;
use super::statement::{Record, Statement};
use super::tokens::{Token, token_of};
use super::users::user_of;
use super::{Connection, Result};
use crate::domain::ids::{GroupId, TenantId, UserId};
use crate::domain::timestamp::Timestamp;
use crate::domain::user::User;

/// How many are asked for with one question.
const AT_ONCE: usize = 50;

/// The text of a question that ends in a list of so many values.
fn listed(head: &str) -> String {
    format!("{head} IN ({})", vec!["?"; AT_ONCE].join(", "))
}

/// Asks for `values`, some at a time; where there are fewer the last stands in the list again.
async fn ask(
    connection: &mut Connection,
    sql: &'static str,
    tenant: TenantId,
    values: &[String],
) -> Result<Vec<Record>> {
    let mut found = Vec::new();
    for some in values.chunks(AT_ONCE) {
        let Some(last) = some.last() else { continue };
        let padding = std::iter::repeat_n(last, AT_ONCE - some.len());
        let statement = Statement::new(sql).shown(tenant);
        let statement = some.iter().chain(padding).fold(statement, |statement, value| statement.bind(value));
        found.extend(statement.rows(&mut *connection).await?);
    }
    Ok(found)
}

/// The accounts with these names, which are given as [`crate::domain::name::key_of`] has them, each with its version; by
/// that key.
///
/// # Errors
/// If the database fails.
pub async fn people(
    connection: &mut Connection,
    tenant: TenantId,
    keys: &[String],
) -> Result<HashMap<String, (User, i64)>> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        listed(
            "SELECT id, tenant_id, username, username_key, email, alias, phone, phone_verified, first_name, last_name, language, \
             status, security_version, first_enrolled_at, may_enroll_again, version FROM user_account \
             WHERE tenant_id = ? AND username_key",
        )
    });
    let rows = ask(connection, &SQL, tenant, keys).await?;
    rows.into_iter()
        .map(|row| {
            let row = Row::of("user_account", row);
            Ok((row.text("username_key")?, (user_of(&row, "id")?, row.integer("version")?)))
        })
        .collect()
}

/// Whose these names are at the login, user names and aliases alike, given and told as
/// [`crate::domain::name::key_of`] has them; and those of which something stands there that is nobody's any more, see
/// [`super::users::forget_left`].
///
/// # Errors
/// If the database fails.
pub async fn owners(
    connection: &mut Connection,
    tenant: TenantId,
    keys: &[String],
) -> Result<(HashMap<String, UserId>, Vec<String>)> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        listed(
            "SELECT n.name_key AS name_key, n.user_id AS user_id, CASE WHEN u.id IS NULL OR (n.kind = 'username' \
             AND u.username_key <> n.name_key) THEN 1 ELSE 0 END AS is_left FROM login_name AS n LEFT JOIN user_account AS u \
             ON u.tenant_id = n.tenant_id AND u.id = n.user_id WHERE n.tenant_id = ? AND n.name_key",
        )
    });
    let rows = ask(connection, &SQL, tenant, keys).await?;
    let (mut owners, mut left) = (HashMap::new(), Vec::new());
    for row in rows {
        let row = Row::of("login_name", row);
        let name = row.text("name_key")?;
        if row.flag("is_left")? {
            left.push(name);
        } else {
            owners.insert(name, row.parsed("user_id")?);
        }
    }
    Ok((owners, left))
}

/// Which groups these accounts are in.
///
/// # Errors
/// If the database fails.
pub async fn groups(
    connection: &mut Connection,
    tenant: TenantId,
    users: &[UserId],
) -> Result<HashMap<UserId, HashSet<GroupId>>> {
    static SQL: LazyLock<String> =
        LazyLock::new(|| listed("SELECT group_id, user_id FROM group_member WHERE tenant_id = ? AND user_id"));
    let ids: Vec<String> = users.iter().map(ToString::to_string).collect();
    let mut found: HashMap<UserId, HashSet<GroupId>> = HashMap::new();
    for row in ask(connection, &SQL, tenant, &ids).await? {
        let row = Row::of("group_member", row);
        found.entry(row.parsed("user_id")?).or_default().insert(row.parsed("group_id")?);
    }
    Ok(found)
}

/// The hashes of the passwords of these accounts.
///
/// # Errors
/// If the database fails.
pub async fn password_hashes(
    connection: &mut Connection,
    tenant: TenantId,
    users: &[UserId],
) -> Result<HashMap<UserId, String>> {
    static SQL: LazyLock<String> =
        LazyLock::new(|| listed("SELECT hash, user_id FROM password WHERE tenant_id = ? AND user_id"));
    let ids: Vec<String> = users.iter().map(ToString::to_string).collect();
    let rows = ask(connection, &SQL, tenant, &ids).await?;
    rows.into_iter()
        .map(|row| {
            let row = Row::of("password", row);
            Ok((row.parsed("user_id")?, row.text("hash")?))
        })
        .collect()
}

/// The tokens with these serial numbers, revoked or not; by serial number.
///
/// # Errors
/// If the database fails.
pub async fn tokens(
    connection: &mut Connection,
    tenant: TenantId,
    serials: &[String],
) -> Result<HashMap<String, Token>> {
    static SQL: LazyLock<String> = LazyLock::new(|| listed("SELECT * FROM token WHERE tenant_id = ? AND serial"));
    let rows = ask(connection, &SQL, tenant, serials).await?;
    rows.into_iter()
        .map(|row| {
            let token = token_of(&Row::of("token", row))?;
            Ok((token.serial.clone(), token))
        })
        .collect()
}

/// The tokens that these accounts have or ever had.
///
/// # Errors
/// If the database fails.
pub async fn tokens_of(
    connection: &mut Connection,
    tenant: TenantId,
    users: &[UserId],
) -> Result<HashMap<UserId, Vec<Token>>> {
    static SQL: LazyLock<String> = LazyLock::new(|| listed("SELECT * FROM token WHERE tenant_id = ? AND user_id"));
    let ids: Vec<String> = users.iter().map(ToString::to_string).collect();
    let mut found: HashMap<UserId, Vec<Token>> = HashMap::new();
    for row in ask(connection, &SQL, tenant, &ids).await? {
        let token = token_of(&Row::of("token", row))?;
        if let Some(user) = token.user {
            found.entry(user).or_default().push(token);
        }
    }
    Ok(found)
}

/// The statement that puts an account into a group.
pub fn membership(tenant: TenantId, group: GroupId, user: UserId) -> Statement {
    Statement::new("INSERT INTO group_member (tenant_id, group_id, user_id) VALUES (?, ?, ?)")
        .shown(tenant)
        .shown(group)
        .shown(user)
}

/// The statement that gives an account without a password one, by its hash.
pub fn first_password(tenant: TenantId, user: UserId, hash: &str, now: Timestamp) -> Statement {
    Statement::new("INSERT INTO password (tenant_id, user_id, hash, changed_at) VALUES (?, ?, ?, ?)")
        .shown(tenant)
        .shown(user)
        .bind(hash)
        .bind(now.micros())
}
