//! Groups: what rollouts, policies and assignments are staged by.

use crate::domain::application::{Application, Assignment};
use crate::domain::ids::GroupId;
use crate::domain::tenant::TenantConfig;

/// A group of users in one virtual server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The identifier; settings refer to it, so that renaming a group keeps them.
    pub id: GroupId,
    /// Unique in the virtual server, compared by [`crate::domain::name::key_of`].
    pub name: String,
}

/// What refers to a group, one sentence's end each.
#[must_use]
pub fn uses_of_group(config: &TenantConfig, group: GroupId) -> Vec<String> {
    let mut uses = Vec::new();
    if config.settings.self_provisioning.groups.contains(&group) {
        uses.push("self-provisioning".to_owned());
    }
    let waves = config.settings.self_provisioning.staging.wave.iter().filter(|wave| wave.groups.contains(&group));
    uses.extend(waves.map(|wave| format!("the wave \"{}\"", wave.name)));
    let rules = config.settings.provisioning_rules.iter().filter(|rule| rule.groups.contains(&group));
    uses.extend(rules.map(|rule| format!("the provisioning rule \"{}\"", rule.name)));
    let all = config.policies.exceptions.iter().chain(std::iter::once(&config.policies.global));
    let policies = all.filter(|policy| policy.groups.contains(&group));
    uses.extend(policies.map(|policy| format!("the policy \"{}\"", policy.name)));
    let assigned = |application: &&Application| match &application.assignment {
        Assignment::Everyone => false,
        Assignment::Chosen { groups, .. } => groups.contains(&group),
    };
    let applications = config.applications.iter().filter(assigned);
    uses.extend(applications.map(|application| format!("the application \"{}\"", application.name)));
    uses
}
