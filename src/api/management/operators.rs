//! Operators and roles.

use std::collections::BTreeMap;

use actix_web::HttpRequest;
use actix_web::http::Method;
use serde::{Deserialize, Serialize};

use super::io::{Body, Named, Page, created, done, if_match, ok, versioned};
use super::problem::Problem;
use super::{Answer, Api};
use crate::domain::ids::{RoleId, UserId};
use crate::domain::operator::{Deed, Module, OwnRole, Permissions, Role};
use crate::domain::timestamp::Timestamp;
use crate::flow::administration::operators;
use crate::http::guard::Program;
use crate::storage::Connection;

/// Somebody who operates the virtual server.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Operator")]
struct OperatorView {
    /// The identifier of the account.
    user: String,
    /// The user name.
    username: String,
    /// `operator`, `help_desk`, `auditor`, or the identifier of an own role.
    role: String,
    /// The name of the role.
    role_name: String,
    /// Since when.
    since: String,
}

/// The role that an account gets.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct RoleGiven {
    /// `operator`, `help_desk`, `auditor`, or the identifier of an own role.
    #[schemars(with = "String")]
    role: Role,
}

/// A role.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Role")]
struct RoleView {
    /// `operator`, `help_desk`, `auditor`, or the identifier of an own role.
    id: String,
    /// Its name.
    name: String,
    /// Whether it is built in and stays as it is.
    built_in: bool,
    /// For each module its deeds.
    #[schemars(with = "BTreeMap<String, Vec<String>>")]
    permissions: Permissions,
}

/// A role that is to be made or changed.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct RoleDraft {
    /// Its name, 1 to 100 characters.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// For each module its deeds.
    #[schemars(with = "BTreeMap<String, Vec<String>>")]
    permissions: Permissions,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let needs = |deed| Module::Operators.needs(deed);
    api.get("operators", needs(Deed::Access), "Everybody who operates the virtual server", list)
        .gives::<Page<OperatorView>>(200);
    api.route(
        Method::PUT,
        "operators/{user}",
        needs(Deed::Edit),
        "Make an account an operator, which needs Add, too, or change the role",
        put,
    )
    .takes::<RoleGiven>()
    .gives_nothing();
    api.route(Method::DELETE, "operators/{user}", needs(Deed::Delete), "Take the status of an operator away", remove)
        .gives_nothing();
    api.get("roles", needs(Deed::Access), "All roles", roles).gives::<Page<RoleView>>(200);
    api.route(Method::POST, "roles", needs(Deed::Add), "Make a role", make_role)
        .takes::<RoleDraft>()
        .gives::<RoleView>(201);
    api.get("roles/{role}", needs(Deed::Access), "One role", show_role).gives::<RoleView>(200).versioned();
    api.route(Method::PUT, "roles/{role}", needs(Deed::Edit), "Change an own role", put_role)
        .takes::<RoleDraft>()
        .gives::<RoleView>(200)
        .versioned();
    api.route(Method::DELETE, "roles/{role}", needs(Deed::Delete), "Remove an own role that nobody holds", remove_role)
        .gives_nothing();
}

async fn list(program: Program) -> Answer {
    let config = &program.call.realm.config;
    let view = |operator: &crate::domain::operator::Operator| OperatorView {
        user: operator.user.to_string(),
        username: operator.username.clone(),
        role: operator.role.to_string(),
        role_name: config.role_name(operator.role).to_owned(),
        since: operator.since.rfc3339(),
    };
    Ok(ok(&Page { items: config.operators.iter().map(view).collect(), next: None }))
}

async fn put(program: Program, Named(user): Named<UserId>, Body(given): Body<RoleGiven>) -> Answer {
    set(&program, user, Some(given.role)).await
}

async fn remove(program: Program, Named(user): Named<UserId>) -> Answer {
    set(&program, user, None).await
}

async fn set(program: &Program, user: UserId, role: Option<Role>) -> Answer {
    let (desk, tenant, held) = (program.desk(), program.call.realm.tenant(), &program.permissions);
    let work =
        async |connection: &mut Connection| operators::set_operator(&desk, connection, tenant, held, user, role).await;
    desk.house.db.write(work).await??;
    desk.house.forget_realms();
    Ok(done())
}

fn role_view(id: Role, name: &str, permissions: Permissions) -> RoleView {
    RoleView { id: id.to_string(), name: name.to_owned(), built_in: id.built_in_name().is_some(), permissions }
}

async fn roles(program: Program) -> Answer {
    let config = &program.call.realm.config;
    let own = config.roles.iter().map(|role| Role::Own(role.id));
    let all = Role::BUILT_IN.into_iter().chain(own);
    let items = all.filter_map(|role| Some(role_view(role, config.role_name(role), config.permissions(role)?)));
    Ok(ok(&Page { items: items.collect(), next: None }))
}

/// A role with its mark as entity tag.
fn marked(view: &RoleView) -> Answer {
    Ok(versioned(operators::mark(&view.name, &view.permissions), view))
}

async fn show_role(program: Program, Named(role): Named<Role>) -> Answer {
    let config = &program.call.realm.config;
    let permissions = config.permissions(role).ok_or_else(Problem::not_found)?;
    marked(&role_view(role, config.role_name(role), permissions))
}

async fn make_role(program: Program, Body(draft): Body<RoleDraft>) -> Answer {
    let id = program.call.site.house.entropy.id();
    store(&program, id, draft, None).await.map(|view| created(&view))
}

async fn put_role(
    program: Program,
    request: HttpRequest,
    Named(role): Named<Role>,
    Body(draft): Body<RoleDraft>,
) -> Answer {
    let Role::Own(id) = role else { return Err(crate::domain::operator::Refused::BuiltIn.into()) };
    if !program.call.realm.config.roles.iter().any(|own| own.id == id) {
        return Err(Problem::not_found());
    }
    let read = if_match(&request)?;
    marked(&store(&program, id, draft, Some(read)).await?)
}

async fn store(program: &Program, id: RoleId, draft: RoleDraft, read: Option<i64>) -> Result<RoleView, Problem> {
    let name = draft.name.trim().to_owned();
    if !(1..=100).contains(&name.chars().count()) {
        return Err(Problem::field("name", "1 to 100 characters"));
    }
    let role = OwnRole { id, name, permissions: draft.permissions };
    let (desk, tenant, held) = (program.desk(), program.call.realm.tenant(), &program.permissions);
    let work =
        async |connection: &mut Connection| operators::put_role(&desk, connection, tenant, held, &role, read).await;
    desk.house.db.write(work).await??;
    desk.house.forget_realms();
    Ok(role_view(Role::Own(id), &role.name, role.permissions.clone()))
}

async fn remove_role(program: Program, Named(role): Named<Role>) -> Answer {
    let Role::Own(id) = role else { return Err(crate::domain::operator::Refused::BuiltIn.into()) };
    let (desk, tenant, held) = (program.desk(), program.call.realm.tenant(), &program.permissions);
    let work = async |connection: &mut Connection| operators::remove_role(&desk, connection, tenant, held, id).await;
    desk.house.db.write(work).await??;
    desk.house.forget_realms();
    Ok(done())
}

/// A time of the API.
pub fn time(at: Option<Timestamp>) -> Option<String> {
    at.map(Timestamp::rfc3339)
}
