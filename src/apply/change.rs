//! One difference between what is there and what the file wants, and how it is carried out.

use std::fmt;

use crate::domain::application::Application;
use crate::domain::group::Group;
use crate::domain::ids::{GroupId, UserId};
use crate::domain::message::Message;
use crate::domain::name::key_of;
use crate::domain::operator::{OwnRole, Permissions, Refused, Role};
use crate::domain::policy::access::AccessPolicies;
use crate::domain::policy::test_case::{TestCase, TestCaseDraft};
use crate::domain::secret::SecretBytes;
use crate::domain::tenant::TenantConfig;
use crate::domain::user::User;
use crate::flow::administration::{Desk, keys, messages, operators, people, tenants, test_cases};
use crate::storage::tokens::Token;
use crate::storage::{self, Connection, users};

/// One change.
#[derive(Debug, Clone)]
pub(super) enum Change {
    CreateTenant { config: Box<TenantConfig>, keys: Vec<keys::NewKey> },
    UpdateTenant { before: Box<TenantConfig>, after: Box<TenantConfig>, what: Vec<String> },
    CreateGroup(Group),
    RemoveGroup(Group),
    CreateUser { user: Box<User>, hash: Option<String>, groups: Vec<GroupId> },
    UpdateUser { before: Box<User>, after: Box<User>, version: i64, what: Vec<&'static str> },
    SetPassword { user: Box<User>, hash: String },
    SetGroups { user: Box<User>, groups: Vec<GroupId> },
    RemoveUser(Box<User>),
    ImportToken { username: String, token: Box<Token>, secret: SecretBytes },
    PutApplication { application: Box<Application>, new: bool },
    RemoveApplication(Box<Application>),
    SetPolicies { policies: Box<AccessPolicies>, what: Vec<String> },
    PutRole(Box<OwnRole>),
    RemoveRole(Box<OwnRole>),
    SetOperator { username: String, user: UserId, role: Option<Role>, name: String },
    PutTestCase { case: Box<TestCase>, draft: Box<TestCaseDraft>, new: bool },
    RemoveTestCase(Box<TestCase>),
    PutMessage(Box<Message>),
    RemoveMessage(Box<Message>),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateTenant { config, .. } => write!(f, "create tenant {}", config.tenant.code),
            Self::UpdateTenant { what, .. } => write!(f, "change tenant: {}", what.join(", ")),
            Self::CreateGroup(group) => write!(f, "create group {}", group.name),
            Self::RemoveGroup(group) => write!(f, "remove group {}", group.name),
            Self::CreateUser { user, .. } => write!(f, "create user {}", user.username),
            Self::UpdateUser { after, what, .. } => write!(f, "change user {}: {}", after.username, what.join(", ")),
            Self::SetPassword { user, .. } => write!(f, "change user {}: password", user.username),
            Self::SetGroups { user, .. } => write!(f, "change user {}: groups", user.username),
            Self::RemoveUser(user) => write!(f, "remove user {}", user.username),
            Self::ImportToken { username, token, .. } => write!(f, "import token {} of user {username}", token.serial),
            Self::PutApplication { application, new: true } => write!(f, "create application {}", application.name),
            Self::PutApplication { application, new: false } => write!(f, "change application {}", application.name),
            Self::RemoveApplication(application) => write!(f, "remove application {}", application.name),
            Self::PutTestCase { case, new: true, .. } => write!(f, "create test case \"{}\"", case.name),
            Self::PutTestCase { case, new: false, .. } => write!(f, "change test case \"{}\"", case.name),
            Self::RemoveTestCase(case) => write!(f, "remove test case \"{}\"", case.name),
            Self::PutMessage(message) => write!(f, "set message {} in {}", message.name, message.language),
            Self::RemoveMessage(message) => write!(f, "remove message {} in {}", message.name, message.language),
            Self::SetPolicies { what, .. } => write!(f, "change access policies: {}", what.join(", ")),
            Self::PutRole(role) => write!(f, "set role {}", role.name),
            Self::RemoveRole(role) => write!(f, "remove role {}", role.name),
            Self::SetOperator { username, role: Some(_), name, .. } => write!(f, "make {username} an operator: {name}"),
            Self::SetOperator { username, role: None, .. } => write!(f, "make {username} no operator any more"),
        }
    }
}

impl Change {
    /// The configuration that it makes, where it makes one.
    pub(super) fn configuration(&self) -> Option<&TenantConfig> {
        match self {
            Self::UpdateTenant { after, .. } => Some(after),
            _ => None,
        }
    }

    /// The account that it changes, where it was there before.
    pub(super) fn account(&self) -> Option<UserId> {
        match self {
            Self::UpdateUser { after: user, .. } | Self::SetPassword { user, .. } | Self::SetGroups { user, .. } => {
                Some(user.id)
            }
            _ => None,
        }
    }

    /// Gives up, in the transaction of `connection`, what another change may want that is carried out before this one: an alias.
    pub(super) async fn give_way(&self, connection: &mut Connection) -> storage::Result<()> {
        let alias = |user: &User| user.alias.as_deref().map(key_of);
        match self {
            Self::UpdateUser { before, after, .. } if alias(before) != alias(after) => {
                users::leave_alias(connection, before).await
            }
            _ => Ok(()),
        }
    }

    /// Carries it out in the transaction of `connection`.
    pub(super) async fn carry_out(
        &self,
        desk: &Desk<'_>,
        connection: &mut Connection,
        config: &TenantConfig,
    ) -> storage::Result<()> {
        let tenant = config.tenant.id;
        match self {
            Self::CreateTenant { config, keys } => tenants::create(desk, connection, config, keys).await,
            Self::UpdateTenant { before, after, .. } => tenants::change(desk, connection, before, after).await,
            Self::CreateGroup(group) => tenants::add_group(desk, connection, tenant, group).await,
            Self::RemoveGroup(group) => tenants::remove_group(desk, connection, tenant, group.id).await,
            Self::CreateUser { user, hash, groups } => {
                people::create(desk, connection, user).await?;
                if let Some(hash) = hash {
                    people::set_password(desk, connection, tenant, user.id, hash).await?;
                }
                if groups.is_empty() {
                    Ok(())
                } else {
                    people::set_groups(desk, connection, tenant, user.id, groups).await
                }
            }
            Self::UpdateUser { before, after, version, .. } => {
                // All of the row is written, as it was when the plan was made: that may be minutes ago.
                match people::change_if(desk, connection, config, (before, Some(*version)), after).await? {
                    Ok(true) => Ok(()),
                    // The plan has looked at operators, too.
                    Ok(false) | Err(_) => Err(storage::Error::Contended),
                }
            }
            Self::SetPassword { user, hash } => people::set_password(desk, connection, tenant, user.id, hash).await,
            Self::SetGroups { user, groups } => people::set_groups(desk, connection, tenant, user.id, groups).await,
            Self::RemoveUser(user) => {
                let removed = people::remove(desk, connection, tenant, user.id).await?;
                removed.map_err(|_| storage::Error::Contended)
            }
            Self::ImportToken { token, secret, .. } => {
                people::import_token(desk, connection, (**token).clone(), secret).await.map(drop)
            }
            Self::PutApplication { application, new } => {
                tenants::put_application(desk, connection, tenant, application, *new).await
            }
            Self::RemoveApplication(application) => {
                tenants::remove_application(desk, connection, tenant, application.id).await
            }
            Self::PutTestCase { case, draft, new: true } => {
                test_cases::put_new(desk, connection, tenant, case, draft).await
            }
            Self::PutTestCase { case, draft, new: false } => {
                match test_cases::put(desk, connection, config, case, draft).await? {
                    true => Ok(()),
                    false => Err(storage::Error::Contended),
                }
            }
            Self::RemoveTestCase(case) => match test_cases::take_away(desk, connection, config, case).await? {
                true => Ok(()),
                false => Err(storage::Error::Contended),
            },
            Self::PutMessage(message) => messages::put(desk, connection, config, message).await,
            Self::RemoveMessage(message) => {
                messages::remove(desk, connection, config, &message.language, &message.name).await
            }
            Self::SetPolicies { policies, .. } => tenants::set_policies(desk, connection, tenant, policies).await,
            Self::PutRole(role) => {
                done(operators::put_role(desk, connection, tenant, &Permissions::all(), role, None).await?)
            }
            Self::RemoveRole(role) => {
                match operators::remove_role(desk, connection, tenant, &Permissions::all(), role.id).await? {
                    // Operators were looked at before.
                    Err(Refused::InUse) => Err(storage::Error::Unsupported(
                        "a key of the management API has a role that the file does not name: name it, or revoke the key",
                    )),
                    removed => done(removed),
                }
            }
            Self::SetOperator { user, role, .. } => {
                done(operators::set_operator(desk, connection, tenant, &Permissions::all(), *user, *role).await?)
            }
        }
    }
}

/// What the plan has looked at before: if it is refused now, somebody changed it meanwhile.
fn done(changed: Result<(), Refused>) -> storage::Result<()> {
    changed.map_err(|_| storage::Error::Contended)
}
