//! An access policy as an operator types it: the table `[[tenant.access_policy]]` of an apply file, the page of the console,
//! the document of the management API; and everything that can be wrong with it.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::access::{AccessPolicy, Condition, Frequency, Method, Requirement, Scenario, Verdict};
use crate::domain::fault::{Fault, Faults};
use crate::domain::ids::{ApplicationId, GroupId, PolicyId};
use crate::domain::name::{Names, checked};
use crate::domain::tenant::TenantConfig;

/// The shortest and the longest time that a proof may count for, in seconds.
pub const SECONDS: std::ops::RangeInclusive<u32> = 60..=2_592_000;

/// A policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyDraft {
    /// Unique in the virtual server; required for a ranked one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Names of applications; none means all.
    pub applications: Vec<String>,
    /// Names of groups; none means everybody.
    pub groups: Vec<String>,
    /// Client networks; none means everywhere.
    pub networks: Vec<String>,
    /// Grant unless given.
    pub decision: Decides,
    /// What must be proven.
    pub require: Vec<Required>,
    /// Exceptions inside the policy, in order.
    pub scenario: Vec<ScenarioDraft>,
}

/// An exception inside a policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ScenarioDraft {
    /// Shown in logs; required.
    pub name: String,
    /// Applies inside these networks.
    pub inside_networks: Vec<String>,
    /// Applies outside these networks.
    pub outside_networks: Vec<String>,
    /// Grant unless given.
    pub decision: Decides,
    /// What must be proven.
    pub require: Vec<Required>,
}

/// What a policy says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decides {
    /// Access, once everything required is proven.
    #[default]
    Grant,
    /// No access.
    Deny,
}

impl Decides {
    /// Its word.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Deny => "deny",
        }
    }

    /// What a verdict says.
    #[must_use]
    pub const fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Grant(_) => Self::Grant,
            Verdict::Deny => Self::Deny,
        }
    }
}

/// One thing that must be proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(
    untagged,
    expecting = "must be \"password\", \"otp\" or { method = \"otp\", frequency = \"every_attempt\" | \"once_per_session\" } or { method = \"otp\", every_seconds = 3600 }"
)]
pub enum Required {
    /// Once in a session.
    Plain(Method),
    /// With a frequency.
    Often(Often),
}

/// A method and how often it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Often {
    /// What must be proven.
    pub method: Method,
    /// How long the proof counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<FrequencyWord>,
    /// It counts this many seconds: 60 to 2592000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_seconds: Option<u32>,
}

/// How long a proof counts, as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FrequencyWord {
    /// In this login only.
    EveryAttempt,
    /// As long as the session.
    OncePerSession,
}

/// The names that policies refer to.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Groups.
    pub groups: &'a Names<GroupId>,
    /// Applications.
    pub applications: &'a Names<ApplicationId>,
}

impl PolicyDraft {
    /// The draft of a policy that is there, as it would be typed.
    #[must_use]
    pub fn of(policy: &AccessPolicy, config: &TenantConfig) -> Self {
        let application = |id: &ApplicationId| config.application(*id).map(|it| it.name.clone());
        let group = |id: &GroupId| config.group_name(*id).map(str::to_owned);
        let (decision, require) = said(&policy.verdict);
        Self {
            name: Some(policy.name.clone()),
            applications: policy.applications.iter().filter_map(application).collect(),
            groups: policy.groups.iter().filter_map(group).collect(),
            networks: policy.networks.iter().map(ToString::to_string).collect(),
            decision,
            require,
            scenario: policy.scenarios.iter().map(ScenarioDraft::of).collect(),
        }
    }

    /// The ranked policy that is meant; what is wrong with it goes into the faults, and the rest is read all the same.
    #[must_use]
    pub fn check(&self, id: PolicyId, known: Known<'_>) -> (AccessPolicy, Vec<Fault>) {
        let mut faults = Faults::default();
        let name = match checked(self.name.as_deref().unwrap_or_default()) {
            Ok(name) => name.to_owned(),
            Err(error) => {
                faults.add("name", error.to_string());
                String::new()
            }
        };
        let policy = self.policy(&mut faults, name, id, known);
        (policy, faults.0)
    }

    /// The global policy that is meant, in the place of `before`: it concerns everybody, everywhere.
    #[must_use]
    pub fn check_global(&self, before: &AccessPolicy, known: Known<'_>) -> (AccessPolicy, Vec<Fault>) {
        let mut faults = Faults::default();
        for (key, given) in [
            ("name", self.name.as_ref().is_some_and(|name| *name != before.name)),
            ("applications", !self.applications.is_empty()),
            ("groups", !self.groups.is_empty()),
            ("networks", !self.networks.is_empty()),
        ] {
            if given {
                faults.add(key, "must not be given: the global policy concerns everybody, everywhere");
            }
        }
        let policy = self.policy(&mut faults, before.name.clone(), before.id, known);
        (policy, faults.0)
    }

    fn policy(&self, faults: &mut Faults, name: String, id: PolicyId, known: Known<'_>) -> AccessPolicy {
        let mut scenarios = Vec::with_capacity(self.scenario.len());
        for (index, draft) in self.scenario.iter().enumerate() {
            let (scenario, wrong) = draft.check();
            faults.add_all(&format!("scenario[{index}]"), wrong);
            scenarios.push(scenario);
        }
        AccessPolicy {
            id,
            name,
            applications: known.applications.find_all(faults, "applications", "application", &self.applications),
            groups: known.groups.find_all(faults, "groups", "group", &self.groups),
            networks: networks(faults, "networks", &self.networks),
            scenarios,
            verdict: verdict(faults, self.decision, &self.require),
        }
    }
}

impl ScenarioDraft {
    fn of(scenario: &Scenario) -> Self {
        let (decision, require) = said(&scenario.verdict);
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        for condition in &scenario.conditions {
            match condition {
                Condition::InsideNetworks(ranges) => inside.extend(ranges.iter().map(ToString::to_string)),
                Condition::OutsideNetworks(ranges) => outside.extend(ranges.iter().map(ToString::to_string)),
            }
        }
        Self { name: scenario.name.clone(), inside_networks: inside, outside_networks: outside, decision, require }
    }

    fn check(&self) -> (Scenario, Vec<Fault>) {
        let mut faults = Faults::default();
        if let Err(error) = checked(&self.name) {
            faults.add("name", error.to_string());
        }
        let inside = networks(&mut faults, "inside_networks", &self.inside_networks);
        let outside = networks(&mut faults, "outside_networks", &self.outside_networks);
        if self.inside_networks.is_empty() && self.outside_networks.is_empty() {
            faults.add("inside_networks", "is missing: a scenario needs inside_networks or outside_networks");
        }
        let mut conditions = Vec::new();
        if !inside.is_empty() {
            conditions.push(Condition::InsideNetworks(inside));
        }
        if !outside.is_empty() {
            conditions.push(Condition::OutsideNetworks(outside));
        }
        let name = self.name.trim().to_owned();
        let scenario = Scenario { name, conditions, verdict: verdict(&mut faults, self.decision, &self.require) };
        (scenario, faults.0)
    }
}

/// A verdict as it would be typed.
fn said(verdict: &Verdict) -> (Decides, Vec<Required>) {
    let required = |requirement: &Requirement| {
        let Requirement { method, frequency } = *requirement;
        match frequency {
            Frequency::OncePerSession => Required::Plain(method),
            Frequency::EveryAttempt => {
                let frequency = Some(FrequencyWord::EveryAttempt);
                Required::Often(Often { method, frequency, every_seconds: None })
            }
            Frequency::Every { seconds } => {
                Required::Often(Often { method, frequency: None, every_seconds: Some(seconds) })
            }
        }
    };
    match verdict {
        Verdict::Deny => (Decides::Deny, Vec::new()),
        Verdict::Grant(requirements) => (Decides::Grant, requirements.iter().map(required).collect()),
    }
}

fn verdict(faults: &mut Faults, decision: Decides, require: &[Required]) -> Verdict {
    match decision {
        Decides::Deny if require.is_empty() => Verdict::Deny,
        Decides::Deny => {
            faults.add("require", "must not be given together with decision = \"deny\"");
            Verdict::Deny
        }
        Decides::Grant => {
            if require.is_empty() {
                faults.add("require", "must name at least one of \"password\", \"otp\"");
            }
            let requirements: Vec<Requirement> = require.iter().map(|typed| requirement(faults, *typed)).collect();
            let twice = requirements
                .iter()
                .enumerate()
                .any(|(index, one)| requirements.iter().skip(index + 1).any(|other| other.method == one.method));
            if twice {
                faults.add("require", "names a method twice");
            }
            Verdict::Grant(requirements)
        }
    }
}

fn requirement(faults: &mut Faults, typed: Required) -> Requirement {
    match typed {
        Required::Plain(method) => Requirement::once_per_session(method),
        Required::Often(often) => {
            let frequency = match (often.frequency, often.every_seconds) {
                (Some(FrequencyWord::EveryAttempt), None) => Frequency::EveryAttempt,
                (Some(FrequencyWord::OncePerSession) | None, None) => Frequency::OncePerSession,
                (None, Some(seconds)) if SECONDS.contains(&seconds) => Frequency::Every { seconds },
                (None, Some(_)) => {
                    faults.add("require", "every_seconds must be from 60 to 2592000");
                    Frequency::EveryAttempt
                }
                (Some(_), Some(_)) => {
                    faults.add("require", "has both frequency and every_seconds; one of them is enough");
                    Frequency::EveryAttempt
                }
            };
            Requirement { method: often.method, frequency }
        }
    }
}

fn networks(faults: &mut Faults, key: &str, entries: &[String]) -> Vec<IpNet> {
    let mut networks = Vec::with_capacity(entries.len());
    for entry in entries {
        match entry.parse().or_else(|_| entry.parse::<std::net::IpAddr>().map(IpNet::from)) {
            Ok(network) => networks.push(network),
            Err(_) => faults.add(key, format!("\"{entry}\" is not a network such as 10.0.0.0/8 or fd00::/8")),
        }
    }
    networks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(draft: &PolicyDraft) -> (AccessPolicy, Vec<Fault>) {
        let groups: Names<_> = [("pilot", GroupId::from_bits(1))].into_iter().collect();
        let applications: Names<_> = [("Notes", ApplicationId::from_bits(2))].into_iter().collect();
        draft.check(PolicyId::from_bits(3), Known { groups: &groups, applications: &applications })
    }

    /// each fault names the field of the form that it belongs to, and all are told at once.
    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let often = |frequency, every_seconds| Required::Often(Often { method: Method::Otp, frequency, every_seconds });
        let scenario = ScenarioDraft { require: vec![often(None, Some(59))], ..ScenarioDraft::default() };
        let draft = PolicyDraft {
            applications: vec!["notes".to_owned(), "Wiki".to_owned()],
            groups: vec!["Pilot".to_owned(), "pilot".to_owned()],
            networks: vec!["10.0.0.0/33".to_owned()],
            scenario: vec![scenario],
            ..PolicyDraft::default()
        };
        let keys: Vec<String> = check(&draft).1.into_iter().map(|fault| fault.key).collect();
        let expected = [
            "name",
            "scenario[0].name",
            "scenario[0].inside_networks",
            "scenario[0].require",
            "applications",
            "groups",
            "networks",
            "require",
        ];
        assert_eq!(keys, expected);
        for (decision, require) in [
            (Decides::Deny, vec![Required::Plain(Method::Otp)]),
            (Decides::Grant, vec![Required::Plain(Method::Otp); 2]),
            (Decides::Grant, vec![often(Some(FrequencyWord::EveryAttempt), Some(60))]),
        ] {
            let draft = PolicyDraft { name: Some("A".to_owned()), decision, require, ..PolicyDraft::default() };
            let faults = check(&draft).1;
            assert!(faults.len() == 1 && faults.iter().all(|fault| fault.key == "require"), "{faults:?}");
        }
    }

    /// what is there is typed again in its words, and gives the same policy.
    #[test]
    fn a_policy_survives_being_typed() {
        let require = [
            Required::Plain(Method::Password),
            Required::Often(Often { method: Method::Otp, frequency: None, every_seconds: Some(3600) }),
        ];
        let draft = PolicyDraft {
            name: Some("Office".to_owned()),
            networks: vec!["10.0.0.0/8".to_owned()],
            require: require.to_vec(),
            scenario: vec![ScenarioDraft {
                name: "Abroad".to_owned(),
                outside_networks: vec!["192.0.2.0/24".to_owned()],
                decision: Decides::Deny,
                ..ScenarioDraft::default()
            }],
            ..PolicyDraft::default()
        };
        let (policy, faults) = check(&draft);
        assert_eq!(faults, []);
        assert_eq!(said(&policy.verdict).1, require);
        assert_eq!(ScenarioDraft::of(&policy.scenarios[0]), draft.scenario[0]);
        let (global, faults) =
            draft.check_global(&policy, Known { groups: &Names::default(), applications: &Names::default() });
        assert_eq!((global.id, faults.len()), (policy.id, 1), "the global policy concerns every network");
    }
}
