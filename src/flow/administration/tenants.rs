//! Virtual servers and what is configured in them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Desk, keys, templates};
use crate::domain::application::{Application, Assignment, Protocol};
use crate::domain::audit::Action;
use crate::domain::group::Group;
use crate::domain::ids::{ApplicationId, GroupId, TenantId};
use crate::domain::policy::access::{AccessPolicies, AccessPolicy, Method, Requirement, Verdict};
use crate::domain::tenant::{Status, Tenant, TenantCode, TenantConfig, TenantSettings};
use crate::storage::{self, Connection, tenants};

/// A virtual server that is about to be created: the user portal, the settings of a new one, and a policy that
/// asks for password and passcode.
#[must_use]
pub fn draft(desk: &Desk<'_>, code: &TenantCode, name: &str, language: &str, keys: &[keys::NewKey]) -> TenantConfig {
    let entropy = &desk.house.entropy;
    let tenant = Tenant {
        id: keys::tenant_of(keys).unwrap_or_else(|| entropy.id()),
        code: code.clone(),
        name: name.to_owned(),
        status: Status::Enabled,
        default_language: language.to_owned(),
        created_at: desk.now,
    };
    let portal = Application {
        id: entropy.id(),
        name: "Portal".to_owned(),
        active: true,
        launch_url: None,
        assignment: Assignment::Everyone,
        protocol: Protocol::Portal,
    };
    let both = [Method::Password, Method::Otp].map(Requirement::once_per_session).to_vec();
    let global = AccessPolicy {
        id: entropy.id(),
        name: "Global policy".to_owned(),
        applications: Vec::new(),
        groups: Vec::new(),
        networks: Vec::new(),
        scenarios: Vec::new(),
        verdict: Verdict::Grant(both),
    };
    let policies = AccessPolicies { exceptions: Vec::new(), global };
    let settings = TenantSettings::default();
    TenantConfig {
        console: Application::console(tenant.id, &[]),
        tenant,
        settings,
        groups: Vec::new(),
        applications: vec![portal],
        policies,
        operators: Vec::new(),
        roles: Vec::new(),
        messages: Arc::default(),
        version: 1,
    }
}

/// Creates the virtual server that [`draft`] made, with its signing keys.
///
/// # Errors
/// If the database fails or the code is taken.
pub async fn create(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    keys: &[keys::NewKey],
) -> storage::Result<()> {
    let id = config.tenant.id;
    tenants::insert(connection, &config.tenant, &config.settings, desk.now).await?;
    let detail = json!({ "code": config.tenant.code.as_ref() });
    desk.record(connection, id, Action::TenantCreated, ("tenant", id.to_string()), detail).await?;
    for key in keys {
        keys::store(desk, connection, key.clone()).await?;
    }
    for application in &config.applications {
        put_application(desk, connection, id, application, true).await?;
    }
    set_policies(desk, connection, id, &config.policies).await
}

/// Stores name, language and settings.
///
/// # Errors
/// If the database fails, or somebody else changed the virtual server meanwhile.
pub async fn change(
    desk: &Desk<'_>,
    connection: &mut Connection,
    before: &TenantConfig,
    after: &TenantConfig,
) -> storage::Result<()> {
    let (tenant, settings) = (&after.tenant, &after.settings);
    if !tenants::update(connection, tenant, settings, before.version, desk.now).await? {
        return Err(storage::Error::Contended);
    }
    let (old, new) = (&before.settings.token_templates, &settings.token_templates);
    templates::record(desk, connection, tenant.id, old, new).await?;
    let detail = json!({ "old": told(&before.tenant, &before.settings), "new": told(tenant, settings) });
    desk.record(connection, tenant.id, Action::TenantChanged, ("tenant", tenant.id.to_string()), detail).await
}

/// Name, language, state and settings of a virtual server, for the audit trail.
fn told(tenant: &Tenant, settings: &TenantSettings) -> Value {
    let mut told = serde_json::to_value(settings).unwrap_or_default();
    if let Some(told) = told.as_object_mut() {
        told.insert("name".to_owned(), json!(tenant.name));
        told.insert("default_language".to_owned(), json!(tenant.default_language));
        told.insert("enabled".to_owned(), json!(tenant.status == Status::Enabled));
    }
    told
}

/// Stores a new group.
///
/// # Errors
/// If the database fails or the name is taken.
pub async fn add_group(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    group: &Group,
) -> storage::Result<()> {
    tenants::insert_group(connection, tenant, group, desk.now).await?;
    let object = ("group", group.id.to_string());
    let detail = json!({ "name": group.name, "old": null, "new": { "name": group.name } });
    desk.record(connection, tenant, Action::GroupCreated, object, detail).await
}

/// Removes a group that nothing refers to.
///
/// # Errors
/// If the database fails.
pub async fn remove_group(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    group: GroupId,
) -> storage::Result<()> {
    let name = tenants::group_name(tenant, group).ask(connection).await?;
    tenants::remove_group(connection, tenant, group).await?;
    let detail = json!({ "name": name, "old": { "name": name }, "new": null });
    desk.record(connection, tenant, Action::GroupRemoved, ("group", group.to_string()), detail).await
}

/// Stores an application, new or changed.
///
/// # Errors
/// If the database fails, its name or protocol identifier is taken, or it is changed and is gone.
pub async fn put_application(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    application: &Application,
    new: bool,
) -> storage::Result<()> {
    let before = tenants::application(connection, tenant, application.id).await?;
    let action = if new {
        tenants::add_application(connection, tenant, application, desk.now).await?;
        Action::ApplicationCreated
    } else {
        tenants::put_application(connection, tenant, application, desk.now).await?;
        Action::ApplicationChanged
    };
    let object = ("application", application.id.to_string());
    let detail = json!({
        "name": application.name,
        "key": application.protocol.key(),
        "old": before.as_ref().map(Application::without_secrets),
        "new": application.without_secrets(),
        "secret_changed": before.is_some_and(|before| before.secrets() != application.secrets()),
    });
    desk.record(connection, tenant, action, object, detail).await
}

/// Removes an application.
///
/// # Errors
/// If the database fails.
pub async fn remove_application(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    id: ApplicationId,
) -> storage::Result<()> {
    let before = tenants::application(connection, tenant, id).await?;
    tenants::remove_application(connection, tenant, id).await?;
    let detail = json!({
        "name": before.as_ref().map(|before| &before.name),
        "old": before.as_ref().map(Application::without_secrets),
        "new": null,
    });
    desk.record(connection, tenant, Action::ApplicationRemoved, ("application", id.to_string()), detail).await
}

/// Makes `policies` the only policies of a virtual server.
///
/// # Errors
/// If the database fails.
pub async fn set_policies(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    policies: &AccessPolicies,
) -> storage::Result<()> {
    let before = tenants::policies(connection, tenant).await?;
    tenants::set_policies(connection, tenant, policies, desk.now).await?;
    let names: Vec<&str> = policies.exceptions.iter().map(|policy| policy.name.as_str()).collect();
    let object = ("policies", policies.global.id.to_string());
    let detail = json!({ "ranked": names, "old": before, "new": policies });
    desk.record(connection, tenant, Action::PolicyChanged, object, detail).await
}
