//! Access policies, one change at a time (A22): the ranked ones and the global one.

use serde_json::json;

use super::Desk;
use super::configuration::{Despite, Saved, Unsaved, mark_of, save};
use crate::domain::audit::Action;
use crate::domain::fault::Fault;
use crate::domain::ids::{ApplicationId, GroupId, PolicyId, TenantId};
use crate::domain::name::{Names, key_of};
use crate::domain::policy::access::{AccessPolicies, AccessPolicy};
use crate::domain::policy::draft::{Known, PolicyDraft};
use crate::domain::tenant::{TenantCode, TenantConfig};
use crate::storage::{self, Connection, tenants};

/// The most ranked policies: each login looks at all of them in the worst case.
pub const MOST: usize = 500;

/// Where a policy moves to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// One place up.
    Up,
    /// One place down.
    Down,
    /// To this place, the first being 1.
    To(usize),
}

/// The mark of a policy as it is now, see [`mark_of`].
#[must_use]
pub fn mark(policy: &AccessPolicy) -> i64 {
    mark_of(policy)
}

/// The mark of the order of the ranked policies.
#[must_use]
pub fn order_mark(policies: &AccessPolicies) -> i64 {
    mark_of(&policies.exceptions.iter().map(|policy| policy.id).collect::<Vec<_>>())
}

/// Names of groups, and of applications.
pub(super) fn names(config: &TenantConfig) -> (Names<GroupId>, Names<ApplicationId>) {
    let groups = config.groups.iter().map(|group| (group.name.as_str(), group.id));
    let all = config.applications.iter().chain([&config.console]);
    let applications = all.map(|application| (application.name.as_str(), application.id));
    (groups.collect(), applications.collect())
}

/// Reads a ranked policy; its name must be nobody else's.
fn read(config: &TenantConfig, draft: &PolicyDraft, id: PolicyId) -> Saved<AccessPolicy> {
    let (groups, applications) = names(config);
    let (policy, mut faults) = draft.check(id, Known { groups: &groups, applications: &applications });
    let taken = |other: &AccessPolicy| other.id != id && key_of(&other.name) == key_of(&policy.name);
    if config.policies.exceptions.iter().chain([&config.policies.global]).any(taken) {
        faults.push(Fault::new("name", format!("\"{}\" is another policy's", policy.name)));
    }
    if faults.is_empty() { Ok(policy) } else { Err(Unsaved::Wrong(faults)) }
}

/// Adds a policy at the end of the ranked ones.
///
/// # Errors
/// [`Unsaved`].
pub async fn create(desk: &Desk<'_>, code: &TenantCode, draft: &PolicyDraft, despite: Despite) -> Saved<AccessPolicy> {
    let id: PolicyId = desk.house.entropy.id();
    let change = |config: &TenantConfig| {
        let policy = read(config, draft, id)?;
        if config.policies.exceptions.len() >= MOST {
            return Err(Unsaved::Never("there are 500 ranked policies already"));
        }
        let mut after = config.clone();
        after.policies.exceptions.push(policy.clone());
        Ok((after, policy))
    };
    let store = async |connection: &mut Connection, _: &TenantConfig, after: &TenantConfig, policy: &AccessPolicy| {
        let detail = json!({ "name": policy.name, "old": null, "new": PolicyDraft::of(policy, after) });
        put(desk, connection, after, Action::PolicyCreated, policy.id, detail).await
    };
    save(desk, code, despite, change, store).await
}

/// Changes a policy, ranked or global, that still has the `mark` that was read.
///
/// # Errors
/// [`Unsaved`].
pub async fn change(
    desk: &Desk<'_>,
    code: &TenantCode,
    (id, mark): (PolicyId, i64),
    draft: &PolicyDraft,
    despite: Despite,
) -> Saved<AccessPolicy> {
    let change = |config: &TenantConfig| {
        let mut after = config.clone();
        let policy = if config.policies.global.id == id {
            let (groups, applications) = names(config);
            let before = &config.policies.global;
            unchanged(before, mark)?;
            let known = Known { groups: &groups, applications: &applications };
            let (policy, faults) = draft.check_global(before, known);
            if !faults.is_empty() {
                return Err(Unsaved::Wrong(faults));
            }
            after.policies.global = policy.clone();
            policy
        } else {
            let place = after.policies.exceptions.iter_mut().find(|policy| policy.id == id).ok_or(Unsaved::Gone)?;
            unchanged(place, mark)?;
            *place = read(config, draft, id)?;
            place.clone()
        };
        Ok((after, policy))
    };
    let store = async |connection: &mut Connection, before: &TenantConfig, after: &TenantConfig, new: &AccessPolicy| {
        let old = find(&before.policies, id).map(|old| PolicyDraft::of(old, before));
        let detail = json!({ "name": new.name, "old": old, "new": PolicyDraft::of(new, after) });
        put(desk, connection, after, Action::PolicyChanged, id, detail).await
    };
    save(desk, code, despite, change, store).await
}

fn unchanged(policy: &AccessPolicy, mark: i64) -> Saved<()> {
    if self::mark(policy) == mark { Ok(()) } else { Err(Unsaved::ChangedMeanwhile) }
}

/// Ranks a policy elsewhere, provided that the order still has the `mark` that was read.
///
/// # Errors
/// [`Unsaved`].
pub async fn rank(
    desk: &Desk<'_>,
    code: &TenantCode,
    (id, mark): (PolicyId, i64),
    to: Move,
    despite: Despite,
) -> Saved<()> {
    let change = |config: &TenantConfig| {
        if order_mark(&config.policies) != mark {
            return Err(Unsaved::ChangedMeanwhile);
        }
        let mut after = config.clone();
        let ranked = &mut after.policies.exceptions;
        let at = ranked.iter().position(|policy| policy.id == id).ok_or(Unsaved::Gone)?;
        let last = ranked.len().saturating_sub(1);
        let to = match to {
            Move::Up => at.saturating_sub(1),
            Move::Down => (at + 1).min(last),
            Move::To(place) => place.saturating_sub(1).min(last),
        };
        let policy = ranked.remove(at);
        ranked.insert(to, policy);
        Ok((after, ()))
    };
    let store = async |connection: &mut Connection, before: &TenantConfig, after: &TenantConfig, (): &()| {
        let order = |config: &TenantConfig| -> Vec<String> {
            config.policies.exceptions.iter().map(|policy| policy.name.clone()).collect()
        };
        let detail = json!({ "old": { "order": order(before) }, "new": { "order": order(after) } });
        put(desk, connection, after, Action::PolicyChanged, id, detail).await
    };
    save(desk, code, despite, change, store).await
}

/// Removes a ranked policy that still has the `mark` that was read. The global one stays for ever.
///
/// # Errors
/// [`Unsaved`].
pub async fn remove(desk: &Desk<'_>, code: &TenantCode, (id, mark): (PolicyId, i64), despite: Despite) -> Saved<()> {
    let change = |config: &TenantConfig| {
        if config.policies.global.id == id {
            return Err(Unsaved::Never("the global policy cannot be removed"));
        }
        let policy = config.policies.exceptions.iter().find(|policy| policy.id == id).ok_or(Unsaved::Gone)?;
        unchanged(policy, mark)?;
        let mut after = config.clone();
        after.policies.exceptions.retain(|policy| policy.id != id);
        Ok((after, ()))
    };
    let store = async |connection: &mut Connection, before: &TenantConfig, after: &TenantConfig, (): &()| {
        let old = find(&before.policies, id);
        let name = old.map(|old| old.name.as_str());
        let detail = json!({ "name": name, "old": old.map(|old| PolicyDraft::of(old, before)), "new": null });
        put(desk, connection, after, Action::PolicyRemoved, id, detail).await
    };
    save(desk, code, despite, change, store).await
}

/// The policy with this identifier, ranked or global.
#[must_use]
pub fn find(policies: &AccessPolicies, id: PolicyId) -> Option<&AccessPolicy> {
    policies.exceptions.iter().chain([&policies.global]).find(|policy| policy.id == id)
}

async fn put(
    desk: &Desk<'_>,
    connection: &mut Connection,
    after: &TenantConfig,
    action: Action,
    id: PolicyId,
    detail: serde_json::Value,
) -> storage::Result<()> {
    let tenant: TenantId = after.tenant.id;
    tenants::set_policies(connection, tenant, &after.policies, desk.now).await?;
    desk.record(connection, tenant, action, ("policy", id.to_string()), detail).await
}
