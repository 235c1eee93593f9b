//! Operators, their roles, and the keys of programs. Each change raises the virtual server's version, so that every instance
//! judges by it at once.

use super::row::{Row, document};
use super::statement::{Question, Statement};
use super::{Connection, Result};
use crate::domain::ids::{ApiKeyId, RoleId, TenantId, UserId};
use crate::domain::name::key_of;
use crate::domain::operator::{Operator, OwnRole, Role};
use crate::domain::timestamp::Timestamp;

/// Everybody who operates a virtual server, by user name. The operators come first and then their accounts: the other way round,
/// which an engine would choose for the sake of the order, all accounts are read whenever the configuration is.
pub fn all(tenant: TenantId) -> Question<Vec<Operator>> {
    let statement = Statement::new(
        "SELECT user_id, username, role, operator.created_at AS since FROM operator CROSS JOIN user_account \
         ON user_account.tenant_id = operator.tenant_id AND user_account.id = user_id WHERE operator.tenant_id = ? \
         ORDER BY username_key",
    );
    Question::new(statement.shown(tenant), |rows| {
        let read = |row| {
            let row = Row::of("operator", row);
            Ok(Operator {
                user: row.parsed("user_id")?,
                username: row.text("username")?,
                role: row.parsed("role")?,
                since: row.time("since")?,
            })
        };
        rows.into_iter().map(read).collect()
    })
}

/// Everybody who has this role, each with whether the account may be used.
pub fn with_role(tenant: TenantId, role: Role) -> Question<Vec<(UserId, bool)>> {
    let statement = Statement::new(
        "SELECT user_id, CASE WHEN status = 'enabled' THEN 1 ELSE 0 END AS enabled FROM operator \
         CROSS JOIN user_account ON user_account.tenant_id = operator.tenant_id AND user_account.id = user_id \
         WHERE operator.tenant_id = ? AND role = ?",
    );
    Question::new(statement.shown(tenant).shown(role), |rows| {
        let read = |row| {
            let row = Row::of("operator", row);
            Ok((row.parsed("user_id")?, row.flag("enabled")?))
        };
        rows.into_iter().map(read).collect()
    })
}

/// An operator who can be written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// The account.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
    /// Where they are written to.
    pub email: String,
    /// The language they prefer.
    pub language: Option<String>,
}

/// Everybody who operates a virtual server, has a mail address and may use the account, by user name.
pub fn reached(tenant: TenantId) -> Question<Vec<Reached>> {
    let statement = Statement::new(
        "SELECT user_id, role, email, language FROM operator CROSS JOIN user_account \
         ON user_account.tenant_id = operator.tenant_id AND user_account.id = user_id WHERE operator.tenant_id = ? \
         AND status = 'enabled' AND email IS NOT NULL ORDER BY username_key",
    );
    Question::new(statement.shown(tenant), |rows| {
        let read = |row| {
            let row = Row::of("operator", row);
            Ok(Reached {
                user: row.parsed("user_id")?,
                role: row.parsed("role")?,
                email: row.text("email")?,
                language: row.text_or_none("language")?,
            })
        };
        rows.into_iter().map(read).collect()
    })
}

/// The roles that a virtual server made, by name.
pub fn roles(tenant: TenantId) -> Question<Vec<OwnRole>> {
    let statement =
        Statement::new("SELECT id, name, permissions FROM operator_role WHERE tenant_id = ? ORDER BY name_key");
    Question::new(statement.shown(tenant), |rows| {
        let read = |row| {
            let row = Row::of("operator_role", row);
            Ok(OwnRole { id: row.parsed("id")?, name: row.text("name")?, permissions: row.document("permissions")? })
        };
        rows.into_iter().map(read).collect()
    })
}

/// Gives an account that is not an operator this role; a duplicate if it is one.
pub fn added(tenant: TenantId, user: UserId, role: Role, now: Timestamp) -> Statement {
    Statement::new("INSERT INTO operator (tenant_id, user_id, role, created_at) VALUES (?, ?, ?, ?)")
        .shown(tenant)
        .shown(user)
        .shown(role)
        .bind(now.micros())
}

/// Gives an operator another role, provided that it is still the one before.
pub fn moved(tenant: TenantId, user: UserId, before: Role, after: Role) -> Statement {
    Statement::new("UPDATE operator SET role = ? WHERE tenant_id = ? AND user_id = ? AND role = ?")
        .shown(after)
        .shown(tenant)
        .shown(user)
        .shown(before)
}

/// Takes the status of an operator away; the account stays.
pub fn removed(tenant: TenantId, user: UserId) -> Statement {
    Statement::new("DELETE FROM operator WHERE tenant_id = ? AND user_id = ?").shown(tenant).shown(user)
}

/// Stores a new role; a duplicate if the name is taken.
pub fn role_added(tenant: TenantId, role: &OwnRole, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO operator_role (tenant_id, id, name, name_key, permissions, created_at, updated_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(role.id)
    .bind(&role.name)
    .bind(key_of(&role.name))
    .bind(document(&role.permissions))
    .bind(now.micros())
    .bind(now.micros())
}

/// Stores name and permissions of a role; a duplicate if the name is taken.
pub fn role_changed(tenant: TenantId, role: &OwnRole, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE operator_role SET name = ?, name_key = ?, permissions = ?, updated_at = ? WHERE tenant_id = ? AND id = ?",
    )
    .bind(&role.name)
    .bind(key_of(&role.name))
    .bind(document(&role.permissions))
    .bind(now.micros())
    .shown(tenant)
    .shown(role.id)
}

/// Removes a role that nobody holds.
pub fn role_removed(tenant: TenantId, role: RoleId) -> Statement {
    Statement::new(
        "DELETE FROM operator_role WHERE tenant_id = ? AND id = ? AND NOT EXISTS (SELECT 1 FROM operator \
         WHERE operator.tenant_id = operator_role.tenant_id AND role = operator_role.id) AND NOT EXISTS (SELECT 1 \
         FROM api_key WHERE api_key.tenant_id = operator_role.tenant_id AND role = operator_role.id \
         AND revoked_at IS NULL)",
    )
    .shown(tenant)
    .shown(role)
}

/// A key to the management API.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its identifier, which is part of the key.
    pub id: ApiKeyId,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The keyed hash of its secret.
    pub secret_hash: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// By whom, as they were called then.
    pub created_by: String,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Whether it opens anything.
    #[must_use]
    pub fn works(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

const KEY: &str = "SELECT id, name, role, secret_hash, created_at, created_by, expires_at, last_used_at, revoked_at \
                   FROM api_key WHERE tenant_id = ?";

fn key(row: super::statement::Record) -> Result<ApiKey> {
    let row = Row::of("api_key", row);
    Ok(ApiKey {
        id: row.parsed("id")?,
        name: row.text("name")?,
        role: row.parsed("role")?,
        secret_hash: row.text("secret_hash")?,
        created_at: row.time("created_at")?,
        created_by: row.text("created_by")?,
        expires_at: row.time_or_none("expires_at")?,
        last_used_at: row.time_or_none("last_used_at")?,
        revoked_at: row.time_or_none("revoked_at")?,
    })
}

/// The keys of a virtual server, the newest first.
pub async fn keys(connection: &mut Connection, tenant: TenantId) -> Result<Vec<ApiKey>> {
    static SQL: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| format!("{KEY} ORDER BY created_at DESC, id DESC"));
    let rows = Statement::new(SQL.as_str()).shown(tenant).rows(connection).await?;
    rows.into_iter().map(key).collect()
}

/// The key with this identifier.
pub async fn key_with_id(connection: &mut Connection, tenant: TenantId, id: ApiKeyId) -> Result<Option<ApiKey>> {
    static SQL: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| format!("{KEY} AND id = ?"));
    Statement::new(SQL.as_str()).shown(tenant).shown(id).first(connection).await?.map(key).transpose()
}

/// Stores a new key.
pub fn key_added(tenant: TenantId, key: &ApiKey) -> Statement {
    Statement::new(
        "INSERT INTO api_key (tenant_id, id, name, role, secret_hash, created_at, created_by, expires_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(key.id)
    .bind(&key.name)
    .shown(key.role)
    .bind(&key.secret_hash)
    .bind(key.created_at.micros())
    .bind(&key.created_by)
    .bind(key.expires_at.map(Timestamp::micros))
}

/// Notes that a key was used.
pub fn key_used(tenant: TenantId, id: ApiKeyId, now: Timestamp) -> Statement {
    Statement::new("UPDATE api_key SET last_used_at = ? WHERE tenant_id = ? AND id = ?")
        .bind(now.micros())
        .shown(tenant)
        .shown(id)
}

/// Revokes a key, once.
pub fn key_revoked(tenant: TenantId, id: ApiKeyId, now: Timestamp) -> Statement {
    Statement::new("UPDATE api_key SET revoked_at = ? WHERE tenant_id = ? AND id = ? AND revoked_at IS NULL")
        .bind(now.micros())
        .shown(tenant)
        .shown(id)
}
