//! Virtual servers and what their operators configure: groups, applications, policies, settings.
//!
//! Every change here raises the tenant's version, which is what the caches of all instances compare.

use std::sync::Arc;

use super::row::{Row, document};
use super::statement::{Question, Record, Statement};
use super::{Connection, Error, Result, messages, operators, registrations};
use crate::domain::application::Application;
use crate::domain::group::Group;
use crate::domain::ids::{ApplicationId, GroupId, PolicyId, TenantId};
use crate::domain::name::key_of;
use crate::domain::policy::access::{AccessPolicies, AccessPolicy};
use crate::domain::tenant::{Status, Tenant, TenantCode, TenantConfig, TenantSettings};
use crate::domain::timestamp::Timestamp;

/// The codes of all virtual servers.
pub async fn codes(connection: &mut Connection) -> Result<Vec<TenantCode>> {
    let rows = Statement::new("SELECT code FROM tenant ORDER BY code").rows(connection).await?;
    rows.into_iter().map(|row| Row::of("tenant", row).parsed("code")).collect()
}

/// The code of the virtual server with this identifier.
// the tenant itself is asked for
pub fn code_of(tenant: TenantId) -> Question<Option<TenantCode>> {
    Question::new(Statement::new("SELECT id, code FROM tenant WHERE id = ?").shown(tenant), |rows| {
        rows.into_iter().next().map(|row| Row::of("tenant", row).parsed("code")).transpose()
    })
}

/// The version of a virtual server's configuration, if there is one with this code.
pub async fn version(connection: &mut Connection, code: &TenantCode) -> Result<Option<i64>> {
    let row = Statement::new("SELECT version FROM tenant WHERE code = ?").bind(code.as_ref()).first(connection).await?;
    row.map(|row| Row::of("tenant", row).integer("version")).transpose()
}

/// Everything that is configured in the virtual server with this code.
pub async fn config(connection: &mut Connection, code: &TenantCode) -> Result<Option<TenantConfig>> {
    let row = Statement::new(
        "SELECT id, code, name, status, default_language, settings, version, created_at FROM tenant WHERE code = ?",
    )
    .bind(code.as_ref())
    .first(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let row = Row::of("tenant", row);
    let tenant = Tenant {
        id: row.parsed("id")?,
        code: row.parsed("code")?,
        name: row.text("name")?,
        status: row.named("status", |text| match text {
            "enabled" => Some(Status::Enabled),
            "disabled" => Some(Status::Disabled),
            _ => None,
        })?,
        default_language: row.text("default_language")?,
        created_at: row.time("created_at")?,
    };
    let id = tenant.id;
    let settings = row.document("settings")?;
    let version = row.integer("version")?;
    let groups = groups(connection, id).await?;
    let applications = applications(connection, id).await?;
    let Some(policies) = policies(connection, id).await? else { return Err(row.broken("policies")) };
    let operators = operators::all(id).ask(connection).await?;
    let roles = operators::roles(id).ask(connection).await?;
    let messages = Arc::new(messages::all(id).ask(connection).await?);
    let console = Application::console(id, &operators);
    Ok(Some(TenantConfig {
        tenant,
        settings,
        groups,
        applications,
        policies,
        operators,
        roles,
        messages,
        console,
        version,
    }))
}

/// The settings of the virtual server with this identifier, as they stand in this transaction.
pub fn settings_of(tenant: TenantId) -> Question<Option<TenantSettings>> {
    // the tenant itself is asked for
    Question::new(Statement::new("SELECT id, settings FROM tenant WHERE id = ?").shown(tenant), |rows| {
        rows.into_iter().next().map(|row| Row::of("tenant", row).document("settings")).transpose()
    })
}

/// Stores a new virtual server. Fails with a duplicate if the code is taken.
pub async fn insert(
    connection: &mut Connection,
    tenant: &Tenant,
    settings: &TenantSettings,
    now: Timestamp,
) -> Result<()> {
    Statement::new(
        "INSERT INTO tenant (id, code, name, status, default_language, settings, created_from, version, created_at, \
         updated_at) VALUES (?, ?, ?, ?, ?, ?, 'new', 1, ?, ?)",
    )
    .shown(tenant.id)
    .bind(tenant.code.as_ref())
    .bind(&tenant.name)
    .bind(status(tenant.status))
    .bind(&tenant.default_language)
    .bind(document(settings))
    .bind(now.micros())
    .bind(now.micros())
    .run(connection)
    .await?;
    Ok(())
}

const fn status(status: Status) -> &'static str {
    match status {
        Status::Enabled => "enabled",
        Status::Disabled => "disabled",
    }
}

/// Stores name, status, language and settings, provided that the version is still `version`; raises it.
/// Says `false` if somebody changed the virtual server meanwhile.
pub async fn update(
    connection: &mut Connection,
    tenant: &Tenant,
    settings: &TenantSettings,
    version: i64,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE tenant SET name = ?, status = ?, default_language = ?, settings = ?, version = version + 1, \
         updated_at = ? WHERE id = ? AND version = ?",
    )
    .bind(&tenant.name)
    .bind(status(tenant.status))
    .bind(&tenant.default_language)
    .bind(document(settings))
    .bind(now.micros())
    .shown(tenant.id)
    .bind(version)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Raises the version after a change of groups, applications, policies or keys.
pub async fn raise_version(connection: &mut Connection, tenant: TenantId, now: Timestamp) -> Result<()> {
    Statement::new("UPDATE tenant SET version = version + 1, updated_at = ? WHERE id = ?")
        .bind(now.micros())
        .shown(tenant)
        .run(connection)
        .await?;
    Ok(())
}

/// Raises the version for a change that was decided by what `version` shows. Says `false` if somebody changed the virtual
/// server meanwhile.
pub async fn take_version(connection: &mut Connection, tenant: TenantId, version: i64, now: Timestamp) -> Result<bool> {
    let done = Statement::new("UPDATE tenant SET version = version + 1, updated_at = ? WHERE id = ? AND version = ?")
        .bind(now.micros())
        .shown(tenant)
        .bind(version)
        .run(connection)
        .await?;
    Ok(done == 1)
}

async fn groups(connection: &mut Connection, tenant: TenantId) -> Result<Vec<Group>> {
    let rows = Statement::new("SELECT id, name FROM user_group WHERE tenant_id = ? ORDER BY name_key")
        .shown(tenant)
        .rows(connection)
        .await?;
    rows.into_iter()
        .map(|row| {
            let row = Row::of("user_group", row);
            Ok(Group { id: row.parsed("id")?, name: row.text("name")? })
        })
        .collect()
}

/// Stores a new group.
pub async fn insert_group(connection: &mut Connection, tenant: TenantId, group: &Group, now: Timestamp) -> Result<()> {
    Statement::new("INSERT INTO user_group (tenant_id, id, name, name_key, created_at) VALUES (?, ?, ?, ?, ?)")
        .shown(tenant)
        .shown(group.id)
        .bind(&group.name)
        .bind(key_of(&group.name))
        .bind(now.micros())
        .run(connection)
        .await?;
    Ok(())
}

/// Removes a group and its memberships. The caller makes sure that no setting refers to it.
pub async fn remove_group(connection: &mut Connection, tenant: TenantId, group: GroupId) -> Result<()> {
    for statement in [
        "DELETE FROM group_member WHERE tenant_id = ? AND group_id = ?",
        "DELETE FROM user_group WHERE tenant_id = ? AND id = ?",
    ] {
        Statement::new(statement).shown(tenant).shown(group).run(&mut *connection).await?;
    }
    Ok(())
}

/// The name of a group.
pub fn group_name(tenant: TenantId, group: GroupId) -> Question<Option<String>> {
    let statement = Statement::new("SELECT name FROM user_group WHERE tenant_id = ? AND id = ?");
    Question::new(statement.shown(tenant).shown(group), |rows| {
        rows.into_iter().next().map(|row| Row::of("user_group", row).text("name")).transpose()
    })
}

/// The application with this identifier, as it is stored.
pub async fn application(
    connection: &mut Connection,
    tenant: TenantId,
    id: ApplicationId,
) -> Result<Option<Application>> {
    let row = Statement::new(
        "SELECT id, name, active, protocol, assignment, launch_url FROM application WHERE tenant_id = ? AND id = ?",
    )
    .shown(tenant)
    .shown(id)
    .first(connection)
    .await?;
    row.map(application_of).transpose()
}

fn application_of(row: Record) -> Result<Application> {
    let row = Row::of("application", row);
    Ok(Application {
        id: row.parsed("id")?,
        name: row.text("name")?,
        active: row.integer("active")? != 0,
        launch_url: row.text_or_none("launch_url")?,
        assignment: row.document("assignment")?,
        protocol: row.document("protocol")?,
    })
}

async fn applications(connection: &mut Connection, tenant: TenantId) -> Result<Vec<Application>> {
    let rows = Statement::new(
        "SELECT id, name, active, protocol, assignment, launch_url FROM application WHERE tenant_id = ? ORDER BY name",
    )
    .shown(tenant)
    .rows(connection)
    .await?;
    rows.into_iter().map(application_of).collect()
}

/// Stores what was changed of an application.
///
/// # Errors
/// [`Error::Contended`] if it is gone: whoever removes one is not undone by a change that was on its way.
pub async fn put_application(
    connection: &mut Connection,
    tenant: TenantId,
    application: &Application,
    now: Timestamp,
) -> Result<()> {
    let changed = Statement::new(
        "UPDATE application SET name = ?, active = ?, protocol_key = ?, protocol = ?, assignment = ?, launch_url = ?, updated_at = ? \
         WHERE tenant_id = ? AND id = ?",
    )
    .bind(&application.name)
    .bind(i64::from(application.active))
    .bind(application.protocol.key())
    .bind(document(&application.protocol))
    .bind(document(&application.assignment))
    .bind(&application.launch_url)
    .bind(now.micros())
    .shown(tenant)
    .shown(application.id)
    .run(connection)
    .await?;
    if changed == 1 { Ok(()) } else { Err(Error::Contended) }
}

/// Stores a new application.
pub async fn add_application(
    connection: &mut Connection,
    tenant: TenantId,
    application: &Application,
    now: Timestamp,
) -> Result<()> {
    Statement::new(
        "INSERT INTO application (tenant_id, id, name, active, protocol_key, protocol, assignment, launch_url, created_at, \
         updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(application.id)
    .bind(&application.name)
    .bind(i64::from(application.active))
    .bind(application.protocol.key())
    .bind(document(&application.protocol))
    .bind(document(&application.assignment))
    .bind(&application.launch_url)
    .bind(now.micros())
    .bind(now.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// Removes an application, and the tokens by which it managed itself.
pub async fn remove_application(connection: &mut Connection, tenant: TenantId, id: ApplicationId) -> Result<()> {
    Statement::new("DELETE FROM application WHERE tenant_id = ? AND id = ?")
        .shown(tenant)
        .shown(id)
        .run(&mut *connection)
        .await?;
    registrations::forgotten(tenant, id).run(connection).await?;
    Ok(())
}

/// The policies of a virtual server, as they are stored; `None` before it has any.
pub async fn policies(connection: &mut Connection, tenant: TenantId) -> Result<Option<AccessPolicies>> {
    let rows = Statement::new("SELECT id, position, policy FROM access_policy WHERE tenant_id = ? ORDER BY position")
        .shown(tenant)
        .rows(connection)
        .await?;
    let mut global = None;
    let mut exceptions = Vec::new();
    for row in rows {
        let row = Row::of("access_policy", row);
        let policy: AccessPolicy = row.document("policy")?;
        if row.integer("position")? == 0 { global = Some(policy) } else { exceptions.push(policy) }
    }
    Ok(global.map(|global| AccessPolicies { exceptions, global }))
}

/// Makes `policies` the only policies of a virtual server, in their order.
pub async fn set_policies(
    connection: &mut Connection,
    tenant: TenantId,
    policies: &AccessPolicies,
    now: Timestamp,
) -> Result<()> {
    Statement::new("DELETE FROM access_policy WHERE tenant_id = ?").shown(tenant).run(&mut *connection).await?;
    for (position, policy) in std::iter::once(&policies.global).chain(&policies.exceptions).enumerate() {
        Statement::new(
            "INSERT INTO access_policy (tenant_id, id, position, policy, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .shown(tenant)
        .shown(policy.id)
        .bind(i64::try_from(position).unwrap_or(i64::MAX))
        .bind(document(policy))
        .bind(now.micros())
        .bind(now.micros())
        .run(&mut *connection)
        .await?;
    }
    Ok(())
}

/// The identifier of a policy, for a new one with the same name to keep.
#[must_use]
pub fn policy_named(policies: &AccessPolicies, name: &str) -> Option<PolicyId> {
    policies.exceptions.iter().find(|policy| policy.name == name).map(|policy| policy.id)
}
