//! The access policies of an apply file.

use ipnet::IpNet;

use super::change::Change;
use super::file::{self, Decision, FrequencyWord, Required};
use super::plan::Names;
use crate::clock::Entropy;
use crate::config::document::Document;
use crate::domain::ids::{ApplicationId, GroupId, PolicyId};
use crate::domain::name::{checked, key_of};
use crate::domain::policy::access::{
    AccessPolicies, AccessPolicy, Condition, Frequency, Requirement, Scenario, Verdict,
};

/// The names that policies refer to.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) groups: &'a Names<GroupId>,
    pub(super) applications: &'a Names<ApplicationId>,
}

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
        let place = format!("{path}.global_policy");
        for (key, given) in [
            ("name", entry.name.is_some()),
            ("applications", !entry.applications.is_empty()),
            ("groups", !entry.groups.is_empty()),
            ("networks", !entry.networks.is_empty()),
        ] {
            if given {
                document.fault(
                    &format!("{place}.{key}"),
                    "must not be given: the global policy concerns everybody, everywhere",
                );
            }
        }
        global = policy(document, &place, entry, global.name.clone(), global.id, known);
    }
    let mut exceptions: Vec<AccessPolicy> = Vec::new();
    for (index, entry) in typed.access_policy.iter().enumerate() {
        let place = format!("{path}.access_policy[{index}]");
        let name = match checked(entry.name.as_deref().unwrap_or_default()) {
            Ok(name) => name.to_owned(),
            Err(error) => {
                document.fault(&format!("{place}.name"), error.to_string());
                continue;
            }
        };
        if exceptions.iter().any(|other| key_of(&other.name) == key_of(&name)) {
            document.fault(&format!("{place}.name"), format!("\"{name}\" is given twice"));
        }
        let before = current.exceptions.iter().find(|other| key_of(&other.name) == key_of(&name));
        let id = before.map_or_else(|| entropy.id(), |before| before.id);
        exceptions.push(policy(document, &place, entry, name, id, known));
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

fn policy(
    document: &mut Document<'_>,
    place: &str,
    entry: &file::Policy,
    name: String,
    id: PolicyId,
    known: Known<'_>,
) -> AccessPolicy {
    let mut scenarios = Vec::with_capacity(entry.scenario.len());
    for (index, entry) in entry.scenario.iter().enumerate() {
        scenarios.push(scenario(document, &format!("{place}.scenario[{index}]"), entry));
    }
    AccessPolicy {
        id,
        name,
        applications: known.applications.find_all(
            document,
            &format!("{place}.applications"),
            "application",
            &entry.applications,
        ),
        groups: known.groups.find_all(document, &format!("{place}.groups"), "group", &entry.groups),
        networks: networks(document, &format!("{place}.networks"), &entry.networks),
        scenarios,
        verdict: verdict(document, place, entry.decision, &entry.require),
    }
}

fn scenario(document: &mut Document<'_>, place: &str, entry: &file::Scenario) -> Scenario {
    if let Err(error) = checked(&entry.name) {
        document.fault(&format!("{place}.name"), error.to_string());
    }
    let inside = networks(document, &format!("{place}.inside_networks"), &entry.inside_networks);
    let outside = networks(document, &format!("{place}.outside_networks"), &entry.outside_networks);
    if entry.inside_networks.is_empty() && entry.outside_networks.is_empty() {
        document.fault(
            &format!("{place}.inside_networks"),
            "is missing: a scenario needs inside_networks or outside_networks",
        );
    }
    let mut conditions = Vec::new();
    if !inside.is_empty() {
        conditions.push(Condition::InsideNetworks(inside));
    }
    if !outside.is_empty() {
        conditions.push(Condition::OutsideNetworks(outside));
    }
    let name = entry.name.trim().to_owned();
    Scenario { name, conditions, verdict: verdict(document, place, entry.decision, &entry.require) }
}

fn verdict(document: &mut Document<'_>, place: &str, decision: Decision, require: &[Required]) -> Verdict {
    let key = format!("{place}.require");
    match decision {
        Decision::Deny if require.is_empty() => Verdict::Deny,
        Decision::Deny => {
            document.fault(&key, "must not be given together with decision = \"deny\"");
            Verdict::Deny
        }
        Decision::Grant => {
            if require.is_empty() {
                document.fault(&key, "must name at least one of \"password\", \"otp\" (R-450)");
            }
            let requirements: Vec<Requirement> =
                require.iter().map(|typed| requirement(document, &key, *typed)).collect();
            let twice = requirements
                .iter()
                .enumerate()
                .any(|(index, one)| requirements.iter().skip(index + 1).any(|other| other.method == one.method));
            if twice {
                document.fault(&key, "names a method twice");
            }
            Verdict::Grant(requirements)
        }
    }
}

fn requirement(document: &mut Document<'_>, key: &str, typed: Required) -> Requirement {
    match typed {
        Required::Plain(method) => Requirement::once_per_session(method),
        Required::Often(often) => {
            let frequency = match (often.frequency, often.every_seconds) {
                (Some(FrequencyWord::EveryAttempt), None) => Frequency::EveryAttempt,
                (Some(FrequencyWord::OncePerSession) | None, None) => Frequency::OncePerSession,
                (None, Some(seconds)) if (60..=2_592_000).contains(&seconds) => Frequency::Every { seconds },
                (None, Some(_)) => {
                    document.fault(key, "every_seconds must be from 60 to 2592000");
                    Frequency::EveryAttempt
                }
                (Some(_), Some(_)) => {
                    document.fault(key, "has both frequency and every_seconds; one of them is enough");
                    Frequency::EveryAttempt
                }
            };
            Requirement { method: often.method, frequency }
        }
    }
}

fn networks(document: &mut Document<'_>, key: &str, entries: &[String]) -> Vec<IpNet> {
    let mut networks = Vec::with_capacity(entries.len());
    for entry in entries {
        match entry.parse().or_else(|_| entry.parse::<std::net::IpAddr>().map(IpNet::from)) {
            Ok(network) => networks.push(network),
            Err(_) => document.fault(key, format!("\"{entry}\" is not a network such as 10.0.0.0/8 or fd00::/8")),
        }
    }
    networks
}
