//! The access policies of an apply file.

use super::change::Change;
use super::file;
use crate::clock::Entropy;
use crate::config::document::Document;
use crate::domain::name::key_of;
use crate::domain::policy::access::{AccessPolicies, AccessPolicy};
use crate::domain::policy::draft::Known;

/// The policies afterwards. Those of the file come first, in its order; others stay behind them, or go with `prune`.
pub(super) fn wanted(
    document: &mut Document<'_>,
    path: &str,
    typed: &file::Tenant,
    current: &AccessPolicies,
    known: Known<'_>,
    entropy: &Entropy,
    prune: bool,
) -> AccessPolicies {
    let mut global = current.global.clone();
    if let Some(entry) = &typed.global_policy {
        let (policy, faults) = entry.check_global(&current.global, known);
        document.faults(&format!("{path}.global_policy"), faults);
        global = policy;
    }
    let mut exceptions: Vec<AccessPolicy> = Vec::new();
    for (index, entry) in typed.access_policy.iter().enumerate() {
        let place = format!("{path}.access_policy[{index}]");
        let name = entry.name.as_deref().unwrap_or_default();
        if exceptions.iter().any(|other| key_of(&other.name) == key_of(name)) {
            document.fault(&format!("{place}.name"), format!("\"{name}\" is given twice"));
        }
        let before = current.exceptions.iter().find(|other| key_of(&other.name) == key_of(name));
        let id = before.map_or_else(|| entropy.id(), |before| before.id);
        let (policy, faults) = entry.check(id, known);
        let named = !policy.name.is_empty();
        document.faults(&place, faults);
        exceptions.extend(named.then_some(policy));
    }
    if !prune {
        let others = current.exceptions.iter().filter(|other| exceptions.iter().all(|policy| policy.id != other.id));
        let others: Vec<AccessPolicy> = others.cloned().collect();
        exceptions.extend(others);
    }
    AccessPolicies { exceptions, global }
}

/// The change from `before` to `after`, if they differ.
pub(super) fn change(before: &AccessPolicies, after: AccessPolicies) -> Option<Change> {
    let mut what = Vec::new();
    if before.global != after.global {
        what.push("the global policy".to_owned());
    }
    for policy in &after.exceptions {
        match before.exceptions.iter().find(|other| other.id == policy.id) {
            None => what.push(format!("create \"{}\"", policy.name)),
            Some(other) if other != policy => what.push(format!("change \"{}\"", policy.name)),
            Some(_) => {}
        }
    }
    let gone = before.exceptions.iter().filter(|policy| after.exceptions.iter().all(|other| other.id != policy.id));
    what.extend(gone.map(|policy| format!("remove \"{}\"", policy.name)));
    if what.is_empty() && before != &after {
        what.push("their order".to_owned());
    }
    (before != &after).then(|| Change::SetPolicies { policies: Box::new(after), what })
}
