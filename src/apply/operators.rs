//! The operators and roles of an apply file.

use std::collections::HashSet;

use super::change::Change;
use super::file;
use super::plan::find_all;
use crate::clock::Entropy;
use crate::config::document::Document;
use crate::domain::ids::UserId;
use crate::domain::name::Names;
use crate::domain::name::{checked, key_of};
use crate::domain::operator::{OwnRole, Role};
use crate::domain::tenant::TenantConfig;

/// The accounts that cannot be used.
pub(super) struct Idle {
    /// As it is.
    pub(super) before: HashSet<UserId>,
    /// After what the file changes about people.
    pub(super) after: HashSet<UserId>,
}

/// What changes in the operators and roles of a virtual server.
pub(super) fn plan(
    document: &mut Document<'_>,
    path: &str,
    typed: &file::Tenant,
    current: &TenantConfig,
    (users, idle): (&Names<UserId>, &Idle),
    entropy: &Entropy,
    remove: bool,
) -> Vec<Change> {
    let (mut changes, mut removals) = (Vec::new(), Vec::new());
    let mut roles = current.roles.clone();
    for (index, entry) in typed.role.iter().enumerate() {
        let place = format!("{path}.role[{index}].name");
        let name = match checked(&entry.name) {
            Ok(name) => name.to_owned(),
            Err(error) => {
                document.fault(&place, error.to_string());
                continue;
            }
        };
        if Role::BUILT_IN.iter().any(|role| role.built_in_name().is_some_and(|known| key_of(known) == key_of(&name))) {
            document.fault(&place, format!("\"{name}\" is built in and stays as it is"));
            continue;
        }
        let before = roles.iter().position(|role| key_of(&role.name) == key_of(&name));
        let id = before.and_then(|at| roles.get(at)).map_or_else(|| entropy.id(), |role| role.id);
        let role = OwnRole { id, name, permissions: entry.permissions.clone() };
        if before.and_then(|at| roles.get(at)) != Some(&role) {
            changes.push(Change::PutRole(Box::new(role.clone())));
        }
        roles.retain(|other| other.id != id);
        roles.push(role);
    }
    if remove {
        let unnamed = |role: &&OwnRole| typed.role.iter().all(|entry| key_of(&entry.name) != key_of(&role.name));
        removals.extend(current.roles.iter().filter(unnamed).map(|role| Change::RemoveRole(Box::new(role.clone()))));
    }
    let before: Vec<(UserId, Role)> = current.operators.iter().map(|operator| (operator.user, operator.role)).collect();
    let mut operators = before.clone();
    let mut named = Vec::new();
    for (index, entry) in typed.operator.iter().enumerate() {
        let place = format!("{path}.operator[{index}]");
        let username = std::slice::from_ref(&entry.username);
        let Some(user) = find_all(document, users, &format!("{place}.username"), "user", username).first().copied()
        else {
            continue;
        };
        let built_in = Role::BUILT_IN.into_iter().find(|role| role.built_in_name() == Some(entry.role.as_str()));
        let own = roles.iter().find(|role| key_of(&role.name) == key_of(&entry.role)).map(|role| Role::Own(role.id));
        let Some(role) = built_in.or(own) else {
            let fault =
                format!("there is no role \"{}\": `Operator`, `Help desk`, `Auditor` or an own one", entry.role);
            document.fault(&format!("{place}.role"), fault);
            continue;
        };
        named.push(user);
        let (username, name) = (entry.username.clone(), entry.role.clone());
        if !operators.contains(&(user, role)) {
            changes.push(Change::SetOperator { username, user, role: Some(role), name });
        }
        operators.retain(|(other, _)| *other != user);
        operators.push((user, role));
    }
    if remove && !typed.operator.is_empty() {
        for operator in current.operators.iter().filter(|operator| !named.contains(&operator.user)) {
            let (username, user) = (operator.username.clone(), operator.user);
            changes.push(Change::SetOperator { username, user, role: None, name: String::new() });
            operators.retain(|(other, _)| *other != user);
        }
    }
    let some = |operators: &[(UserId, Role)], idle: &HashSet<UserId>| {
        operators.iter().any(|(user, role)| *role == Role::Operator && !idle.contains(user))
    };
    let nobody = HashSet::new();
    let lost = |was: &HashSet<UserId>, is: &HashSet<UserId>| some(&before, was) && !some(&operators, is);
    if lost(&idle.before, &idle.after) || lost(&nobody, &nobody) {
        let is_operator = |name: &str| {
            let mut operators = current.operators.iter().filter(|operator| operator.role == Role::Operator);
            operators.any(|operator| key_of(&operator.username) == key_of(name))
        };
        let disabled = |entry: &file::User| entry.enabled == Some(false) && is_operator(&entry.username);
        let place = match typed.user.iter().position(disabled) {
            Some(index) => format!("{path}.user[{index}].enabled"),
            None => format!("{path}.operator"),
        };
        document.fault(&place, "somebody who can log in must keep the role `Operator`");
    }
    for role in current.roles.iter().filter(|_| remove) {
        let gone = typed.role.iter().all(|entry| key_of(&entry.name) != key_of(&role.name));
        let holder = operators.iter().find(|(_, held)| *held == Role::Own(role.id)).filter(|_| gone);
        if let Some((user, _)) = holder {
            let operator = current.operators.iter().find(|operator| operator.user == *user);
            let who = operator.map_or("an operator", |operator| operator.username.as_str());
            let fault = format!(
                "\"{}\" is not named and would be removed, but {who} has it: name it, or another one for {who}",
                role.name
            );
            document.fault(&format!("{path}.role"), fault);
        }
    }
    // Whoever becomes one comes first: one is left at every moment (AC-51).
    changes.sort_by_key(|change| !matches!(change, Change::SetOperator { role: Some(Role::Operator), .. }));
    changes.extend(removals);
    changes
}
