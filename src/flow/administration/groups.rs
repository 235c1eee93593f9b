//! Groups as operators keep them: a new name keeps what refers to the group, and none goes that something
//! refers to.

use serde_json::json;

use super::{Desk, tenants as virtual_servers};
use crate::domain::audit::Action;
use crate::domain::group::{Group, uses_of_group};
use crate::domain::name::{NotAName, checked};
use crate::domain::tenant::{TenantCode, TenantConfig};
use crate::storage::groups::Listed;
use crate::storage::{self, Connection, groups, tenants};

/// Why a group is not made, changed or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// That is no name.
    Name(NotAName),
    /// Another group is called so.
    Taken,
    /// Somebody else changed it meanwhile.
    Overtaken,
    /// These refer to it.
    InUse(Vec<String>),
}

/// Makes a group.
///
/// # Errors
/// If the database fails.
pub async fn create(desk: &Desk<'_>, config: &TenantConfig, name: &str) -> storage::Result<Result<Group, Refused>> {
    let tenant = config.tenant.id;
    let group = match checked(name) {
        Ok(name) => Group { id: desk.house.entropy.id(), name: name.to_owned() },
        Err(fault) => return Ok(Err(Refused::Name(fault))),
    };
    let work = async |connection: &mut Connection| {
        virtual_servers::add_group(desk, connection, tenant, &group).await?;
        tenants::raise_version(connection, tenant, desk.now).await
    };
    told(desk, desk.house.db.write(work).await.map(|()| Ok(group.clone())))
}

/// Gives a group another name, provided that it has still the version that `group` shows.
///
/// # Errors
/// If the database fails.
pub async fn rename(
    desk: &Desk<'_>,
    config: &TenantConfig,
    group: &Listed,
    name: &str,
) -> storage::Result<Result<Group, Refused>> {
    let tenant = config.tenant.id;
    let new = match checked(name) {
        Ok(name) => Group { id: group.group.id, name: name.to_owned() },
        Err(fault) => return Ok(Err(Refused::Name(fault))),
    };
    let work = async |connection: &mut Connection| {
        if !groups::rename(connection, tenant, &new, group.version).await? {
            return Ok(Err(Refused::Overtaken));
        }
        tenants::raise_version(connection, tenant, desk.now).await?;
        let detail = json!({ "old": { "name": group.group.name }, "new": { "name": new.name } });
        desk.record(connection, tenant, Action::GroupChanged, ("group", new.id.to_string()), detail).await?;
        Ok(Ok(new.clone()))
    };
    told(desk, desk.house.db.write(work).await)
}

/// Removes a group with its memberships, provided that it has still the version that `group` shows and nothing refers to it.
///
/// # Errors
/// If the database fails.
pub async fn remove(desk: &Desk<'_>, code: &TenantCode, group: &Listed) -> storage::Result<Result<(), Refused>> {
    let id = group.group.id;
    let work = async |connection: &mut Connection| {
        // What is configured is read here, and must be so until the group is gone.
        let Some(config) = tenants::config(connection, code).await? else { return Ok(Err(Refused::Overtaken)) };
        let tenant = config.tenant.id;
        let used = uses_of_group(&config, id);
        if !used.is_empty() {
            return Ok(Err(Refused::InUse(used)));
        }
        if !groups::take_version(connection, tenant, id, group.version).await? {
            return Ok(Err(Refused::Overtaken));
        }
        if !tenants::take_version(connection, tenant, config.version, desk.now).await? {
            return Err(storage::Error::Contended);
        }
        tenants::remove_group(connection, tenant, id).await?;
        let detail = json!({ "name": group.group.name, "members": group.members });
        desk.record(connection, tenant, Action::GroupRemoved, ("group", id.to_string()), detail).await?;
        Ok(Ok(()))
    };
    told(desk, desk.house.db.write(work).await)
}

fn told<T>(desk: &Desk<'_>, done: storage::Result<Result<T, Refused>>) -> storage::Result<Result<T, Refused>> {
    match done {
        Err(error) if error.is_duplicate() => Ok(Err(Refused::Taken)),
        done => {
            desk.house.forget_realms();
            done
        }
    }
}
