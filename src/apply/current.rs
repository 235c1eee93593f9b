//! What is there before a file is applied.

use std::collections::{HashMap, HashSet};

use crate::domain::ids::{GroupId, UserId};
use crate::domain::name::key_of;
use crate::domain::policy::test_case::TestCase;
use crate::domain::signing_key::StoredSigningKey;
use crate::domain::tenant::{TenantCode, TenantConfig};
use crate::domain::user::User;
use crate::storage::{self, Connection, signing_keys, tenants, test_cases, users};

/// A virtual server with its people.
#[derive(Debug, Clone)]
pub(super) struct Current {
    /// The configuration; that of a new virtual server if it is to be created.
    pub(super) config: TenantConfig,
    /// Its people by the form in which names are compared.
    pub(super) people: HashMap<String, User>,
    /// The version of each account: a change is good only for what it was made from.
    pub(super) versions: HashMap<UserId, i64>,
    /// Who is in which groups.
    pub(super) memberships: HashMap<UserId, HashSet<GroupId>>,
    /// The cases that its policies are held against.
    pub(super) test_cases: Vec<TestCase>,
    /// Its signing keys.
    pub(super) keys: Vec<StoredSigningKey>,
}

impl Current {
    /// A virtual server that does not exist yet.
    pub(super) fn new(config: TenantConfig) -> Self {
        let (people, versions) = (HashMap::new(), HashMap::new());
        Self { config, people, versions, memberships: HashMap::new(), test_cases: Vec::new(), keys: Vec::new() }
    }

    /// The virtual server with this code, if there is one.
    pub(super) async fn of(connection: &mut Connection, code: &TenantCode) -> storage::Result<Option<Self>> {
        let Some(config) = tenants::config(connection, code).await? else { return Ok(None) };
        let all = users::all_versions(connection, config.tenant.id).await?;
        let versions = all.iter().map(|(user, version)| (user.id, *version)).collect();
        let people = all.into_iter().map(|(user, _)| (key_of(&user.username), user)).collect();
        let mut memberships: HashMap<UserId, HashSet<GroupId>> = HashMap::new();
        for (user, group) in users::memberships(connection, config.tenant.id).await? {
            memberships.entry(user).or_default().insert(group);
        }
        let test_cases = test_cases::all(config.tenant.id).ask(connection).await?;
        let keys = signing_keys::of_tenant(connection, config.tenant.id).await?;
        Ok(Some(Self { config, people, versions, memberships, test_cases, keys }))
    }
}
