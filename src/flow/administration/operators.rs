//! Operators, roles, and keys to the management API.
//!
//! Whoever changes them holds all that is given and taken (T-57): the caller says what they hold, and each change looks at the
//! configuration as it stands in its own transaction.

use serde_json::json;

use super::configuration::mark_of;
use super::{Desk, people, tenants as kept};
use crate::domain::alert::{self, Alert};
use crate::domain::audit::Action;
use crate::domain::ids::{ApiKeyId, RoleId, TenantId, UserId};
use crate::domain::operator::{Deed, Module, OwnRole, Permissions, Refused, Role, may_give};
use crate::domain::secret::SecretString;
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::flow::alerts;
use crate::flow::console::new_key;
use crate::storage::operators::{self, ApiKey};
use crate::storage::tenants::raise_version;
use crate::storage::{self, Connection, tenants, users};

/// What a change of operators comes to.
pub type Changed<T = ()> = storage::Result<Result<T, Refused>>;

/// Takes the virtual server's row before anything is read: of two operators who take each other's role away at the same moment,
/// one sees what the other did.
pub(super) async fn first(desk: &Desk<'_>, connection: &mut Connection, tenant: TenantId) -> storage::Result<()> {
    raise_version(connection, tenant, desk.now).await
}

/// What `role` permits at this moment of the transaction.
async fn permissions(
    connection: &mut Connection,
    tenant: TenantId,
    role: Role,
) -> storage::Result<Option<Permissions>> {
    let Role::Own(id) = role else { return Ok(role.built_in()) };
    let roles = operators::roles(tenant).ask(connection).await?;
    Ok(roles.into_iter().find(|own| own.id == id).map(|own| own.permissions))
}

/// Makes somebody an operator, gives an operator another role, or with `None` takes the status away; the account stays.
///
/// # Errors
/// If the database fails. Inside: [`Refused`].
pub async fn set_operator(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    held: &Permissions,
    user: UserId,
    role: Option<Role>,
) -> Changed {
    first(desk, connection, tenant).await?;
    let everybody = operators::all(tenant).ask(connection).await?;
    let before = everybody.iter().find(|operator| operator.user == user).map(|operator| operator.role);
    if before == role {
        return Ok(if role.is_some() { Ok(()) } else { Err(Refused::Unknown) });
    }
    if before.is_none() && !held.may(Module::Operators.needs(Deed::Add)) {
        return Ok(Err(Refused::MayNotAdd));
    }
    let Some(account) = users::with_id(connection, tenant, user).await? else { return Ok(Err(Refused::Unknown)) };
    let old = match before {
        Some(role) => permissions(connection, tenant, role).await?,
        None => None,
    };
    let new = match role {
        Some(role) => match permissions(connection, tenant, role).await? {
            Some(new) => Some(new),
            None => return Ok(Err(Refused::Unknown)),
        },
        None => None,
    };
    if let Err(refused) = may_give(held, old.as_ref(), new.as_ref()) {
        return Ok(Err(refused));
    }
    if people::is_last_operator(connection, tenant, user).await? {
        return Ok(Err(Refused::LastOperator));
    }
    let (statement, action) = match (before, role) {
        (None, Some(role)) => (operators::added(tenant, user, role, desk.now), Action::OperatorCreated),
        (Some(before), Some(role)) => (operators::moved(tenant, user, before, role), Action::OperatorChanged),
        (_, None) => (operators::removed(tenant, user), Action::OperatorRemoved),
    };
    if statement.run(connection).await? != 1 {
        return Err(storage::Error::Contended);
    }
    let detail = json!({ "username": account.username, "old": before, "new": role });
    desk.record(connection, tenant, action, ("user", user.to_string()), detail).await?;
    tell(desk, connection, tenant, (user, account.username), (before, role)).await?;
    Ok(Ok(()))
}

/// Takes the status of an operator away from an account that is about to be removed, where it has it. Whoever may not go was
/// looked at before. The event names the account as that of its removal does: by its identifier.
pub(super) async fn dismissed(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
) -> storage::Result<()> {
    let everybody = operators::all(tenant).ask(connection).await?;
    let Some(before) = everybody.into_iter().find(|operator| operator.user == user) else { return Ok(()) };
    first(desk, connection, tenant).await?;
    if operators::removed(tenant, user).run(connection).await? != 1 {
        return Ok(());
    }
    let detail = json!({ "old": before.role, "new": null });
    desk.record(connection, tenant, Action::OperatorRemoved, ("user", user.to_string()), detail).await?;
    tell(desk, connection, tenant, (user, before.username), (Some(before.role), None)).await
}

/// Tells whoever wants to hear of it that somebody has another role now.
async fn tell(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    (user, username): (UserId, String),
    (before, after): (Option<Role>, Option<Role>),
) -> storage::Result<()> {
    let Some(config) = config_of(connection, tenant).await? else { return Ok(()) };
    let name = |role: Option<Role>| role.map_or("no operator", |role| config.role_name(role));
    let who = desk.actor.called().map_or_else(|| desk.actor.name(), str::to_owned);
    let words = format!("{} before, {} now; by {who}", name(before), name(after));
    let alert =
        Alert { user: Some(user), username, ..Alert::of_the_service(alert::Kind::OperatorChanged, desk.now, words) };
    alerts::raise(connection, desk.house, &config, &alert).await
}

/// The configuration at this moment of the transaction.
async fn config_of(connection: &mut Connection, tenant: TenantId) -> storage::Result<Option<TenantConfig>> {
    match tenants::code_of(tenant).ask(connection).await? {
        Some(code) => tenants::config(connection, &code).await,
        None => Ok(None),
    }
}

/// What the operators of a role are told of, they are told of when it has another name.
async fn keep_alerts(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    before: &str,
    after: &str,
) -> storage::Result<()> {
    let Some(config) = config_of(connection, tenant).await? else { return Ok(()) };
    let mut renamed = config.clone();
    renamed.settings.alerts.rename_role(before, after);
    if renamed.settings == config.settings { Ok(()) } else { kept::change(desk, connection, &config, &renamed).await }
}

/// The mark of a role as it is now, see [`mark_of`].
#[must_use]
pub fn mark(name: &str, permissions: &Permissions) -> i64 {
    mark_of(&(name, permissions))
}

/// Stores a role, new or changed; changed only if it is still as it was `read`, where its [`mark`] is given: a permission
/// that somebody took out of it meanwhile must not come back with an old page.
///
/// # Errors
/// If the database fails. Inside: [`Refused`].
pub async fn put_role(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    held: &Permissions,
    role: &OwnRole,
    read: Option<i64>,
) -> Changed {
    first(desk, connection, tenant).await?;
    let roles = operators::roles(tenant).ask(connection).await?;
    let before = roles.iter().find(|other| other.id == role.id);
    if let Some(read) = read {
        let Some(before) = before else { return Ok(Err(Refused::Unknown)) };
        if mark(&before.name, &before.permissions) != read {
            return Ok(Err(Refused::Overtaken));
        }
    }
    let same = |name: &str| crate::domain::name::key_of(name) == crate::domain::name::key_of(&role.name);
    let taken = roles.iter().any(|other| other.id != role.id && same(&other.name))
        || Role::BUILT_IN.iter().any(|built_in| built_in.built_in_name().is_some_and(same));
    if taken {
        return Ok(Err(Refused::NameTaken));
    }
    if let Err(refused) = may_give(held, before.map(|before| &before.permissions), Some(&role.permissions)) {
        return Ok(Err(refused));
    }
    let (statement, action) = match before {
        Some(_) => (operators::role_changed(tenant, role, desk.now), Action::RoleChanged),
        None => (operators::role_added(tenant, role, desk.now), Action::RoleCreated),
    };
    statement.run(connection).await?;
    if let Some(before) = before.filter(|before| before.name != role.name) {
        keep_alerts(desk, connection, tenant, &before.name, &role.name).await?;
    }
    let old = before.map(|before| json!({ "name": before.name, "permissions": before.permissions }));
    let detail = json!({ "old": old, "new": { "name": role.name, "permissions": role.permissions } });
    desk.record(connection, tenant, action, ("role", role.id.to_string()), detail).await?;
    Ok(Ok(()))
}

/// Removes a role that nobody holds.
///
/// # Errors
/// If the database fails. Inside: [`Refused`].
pub async fn remove_role(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    held: &Permissions,
    id: RoleId,
) -> Changed {
    first(desk, connection, tenant).await?;
    let roles = operators::roles(tenant).ask(connection).await?;
    let Some(before) = roles.into_iter().find(|role| role.id == id) else { return Ok(Err(Refused::Unknown)) };
    if let Err(refused) = may_give(held, Some(&before.permissions), None) {
        return Ok(Err(refused));
    }
    if operators::role_removed(tenant, id).run(connection).await? != 1 {
        return Ok(Err(Refused::InUse));
    }
    let detail = json!({ "old": { "name": before.name, "permissions": before.permissions } });
    desk.record(connection, tenant, Action::RoleRemoved, ("role", id.to_string()), detail).await?;
    Ok(Ok(()))
}

/// A key that is to be made.
#[derive(Debug, Clone)]
pub struct KeyDraft {
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Who makes it, as they are called.
    pub made_by: String,
}

/// Makes a key to the management API. What it gives is shown once.
///
/// # Errors
/// If the database fails. Inside: [`Refused`].
pub async fn make_key(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    held: &Permissions,
    draft: &KeyDraft,
) -> Changed<(SecretString, ApiKeyId)> {
    let Some(permissions) = permissions(connection, tenant, draft.role).await? else {
        return Ok(Err(Refused::Unknown));
    };
    if let Err(refused) = may_give(held, None, Some(&permissions)) {
        return Ok(Err(refused));
    }
    let (shown, id, secret_hash) = new_key(desk.house, tenant);
    let key = ApiKey {
        id,
        name: draft.name.clone(),
        role: draft.role,
        secret_hash,
        created_at: desk.now,
        created_by: draft.made_by.clone(),
        expires_at: draft.expires_at,
        last_used_at: None,
        revoked_at: None,
    };
    operators::key_added(tenant, &key).run(connection).await?;
    let detail =
        json!({ "new": { "name": key.name, "role": key.role, "expires_at": key.expires_at.map(Timestamp::rfc3339) } });
    desk.record(connection, tenant, Action::ApiKeyCreated, ("api_key", id.to_string()), detail).await?;
    Ok(Ok((shown, id)))
}

/// Revokes a key: it opens nothing from now on.
///
/// # Errors
/// If the database fails. Inside: [`Refused::Unknown`] if there is none that works, [`Refused::BeyondOwn`].
pub async fn revoke_key(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    held: &Permissions,
    id: ApiKeyId,
) -> Changed {
    let Some(key) = operators::key_with_id(connection, tenant, id).await? else { return Ok(Err(Refused::Unknown)) };
    let permissions = permissions(connection, tenant, key.role).await?;
    if let Err(refused) = may_give(held, permissions.as_ref(), None) {
        return Ok(Err(refused));
    }
    if operators::key_revoked(tenant, id, desk.now).run(connection).await? != 1 {
        return Ok(Err(Refused::Unknown));
    }
    let detail = json!({ "old": { "name": key.name, "role": key.role } });
    desk.record(connection, tenant, Action::ApiKeyRevoked, ("api_key", id.to_string()), detail).await?;
    Ok(Ok(()))
}
