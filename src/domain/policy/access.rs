//! Access policies (A22): an ordered list, the first match decides, the global policy is the last word.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::domain::ids::{ApplicationId, GroupId, PolicyId};
use crate::domain::policy::staging::Spared;

/// A way to prove who one is, as policies name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The password of the account.
    Password,
    /// A one-time passcode of an enrolled authenticator.
    Otp,
}

impl Method {
    /// Its word in apply files, forms and answers.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Otp => "otp",
        }
    }
}

/// How long a proof counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frequency {
    /// It must be given in this very login.
    EveryAttempt,
    /// Once in a single sign-on session.
    OncePerSession,
    /// Again after this many seconds.
    Every {
        /// From 60 seconds to 30 days.
        seconds: u32,
    },
}

/// One method and how often it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// What must be proven.
    pub method: Method,
    /// How long the proof counts.
    pub frequency: Frequency,
}

impl Requirement {
    /// `method`, once per session: the default of the apply file and of a new virtual server.
    #[must_use]
    pub const fn once_per_session(method: Method) -> Self {
        Self { method, frequency: Frequency::OncePerSession }
    }

    /// The longest age that a proof may have, where the frequency gives one.
    #[must_use]
    pub fn longest_age(&self) -> Option<Duration> {
        match self.frequency {
            Frequency::EveryAttempt | Frequency::OncePerSession => None,
            Frequency::Every { seconds } => Some(Duration::from_secs(u64::from(seconds))),
        }
    }
}

/// What a policy or scenario says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Access, once all of these are proven. Never empty.
    Grant(Vec<Requirement>),
    /// No access.
    Deny,
}

impl Verdict {
    /// Whether this verdict asks for `method`.
    #[must_use]
    pub fn requires(&self, method: Method) -> bool {
        self.requirements().iter().any(|requirement| requirement.method == method)
    }

    /// What must be proven, the password first; empty for a denial.
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        match self {
            Self::Grant(requirements) => requirements,
            Self::Deny => &[],
        }
    }
}

/// A condition of a scenario.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The client's address is in one of these ranges.
    InsideNetworks(Vec<IpNet>),
    /// The client's address is in none of these ranges.
    OutsideNetworks(Vec<IpNet>),
}

/// One thing that a policy or one of its scenarios asks of an attempt, before it applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks<'a> {
    /// That it is for one of these applications.
    Applications(&'a [ApplicationId]),
    /// That the person is in one of these groups.
    Groups(&'a [GroupId]),
    /// That it comes from one of these networks.
    Inside(&'a [IpNet]),
    /// That it comes from none of these networks.
    Outside(&'a [IpNet]),
}

impl Asks<'_> {
    /// Whether it is so.
    #[must_use]
    pub fn holds(self, attempt: Attempt<'_>) -> bool {
        match self {
            Self::Applications(applications) => applications.contains(&attempt.application),
            Self::Groups(groups) => groups.iter().any(|group| attempt.groups.contains(group)),
            Self::Inside(ranges) => contains(ranges, attempt.address),
            Self::Outside(ranges) => !contains(ranges, attempt.address),
        }
    }

    /// What is said of an attempt of which it is not so.
    const fn lacking(self) -> &'static str {
        match self {
            Self::Applications(_) => "another application",
            Self::Groups(_) => "not a member of its groups",
            Self::Inside(_) => "address outside its networks",
            Self::Outside(_) => "address inside its networks",
        }
    }
}

/// An exception inside a policy; the first whose conditions all hold decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// Shown in logs and traces.
    pub name: String,
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// What then applies.
    pub verdict: Verdict,
}

/// A policy: whom it concerns and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessPolicy {
    /// The policy's identifier.
    pub id: PolicyId,
    /// Unique in the virtual server; named in each access log entry.
    pub name: String,
    /// Applications it concerns; empty means all.
    pub applications: Vec<ApplicationId>,
    /// Groups it concerns; empty means everybody.
    pub groups: Vec<GroupId>,
    /// Client networks it concerns; empty means everywhere.
    #[serde(default)]
    pub networks: Vec<IpNet>,
    /// Exceptions, in order.
    #[serde(default)]
    pub scenarios: Vec<Scenario>,
    /// What applies when no scenario does.
    pub verdict: Verdict,
}

impl Scenario {
    /// Everything that it asks.
    pub fn asks(&self) -> impl Iterator<Item = Asks<'_>> {
        self.conditions.iter().map(|condition| match condition {
            Condition::InsideNetworks(ranges) => Asks::Inside(ranges),
            Condition::OutsideNetworks(ranges) => Asks::Outside(ranges),
        })
    }

    /// Whether all of it is so.
    #[must_use]
    pub fn applies(&self, attempt: Attempt<'_>) -> bool {
        self.asks().all(|asks| asks.holds(attempt))
    }
}

impl AccessPolicy {
    /// Everything that it asks, in the order in which it is looked at. What it does not name it does not ask.
    pub fn asks(&self) -> impl Iterator<Item = Asks<'_>> {
        let applications = (!self.applications.is_empty()).then_some(Asks::Applications(&self.applications));
        let groups = (!self.groups.is_empty()).then_some(Asks::Groups(&self.groups));
        let networks = (!self.networks.is_empty()).then_some(Asks::Inside(&self.networks));
        applications.into_iter().chain(groups).chain(networks)
    }
}

/// All policies of a virtual server: ranked exceptions and the one global policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccessPolicies {
    /// In rank order; the first match applies.
    pub exceptions: Vec<AccessPolicy>,
    /// Applies to everybody and every application that no exception names.
    pub global: AccessPolicy,
}

/// One attempt to reach an application.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The application asked for.
    pub application: ApplicationId,
    /// Whether the application is assigned to this person.
    pub assigned: bool,
    /// The groups the person is in.
    pub groups: &'a [GroupId],
    /// Where the request comes from, forwarded headers believed only from our proxies.
    pub address: IpAddr,
}

/// What applies to an attempt, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The policy that decided.
    pub policy: PolicyId,
    /// Its name, for the access log.
    pub policy_name: String,
    /// The scenario of it that decided, if one did.
    pub scenario: Option<String>,
    /// What must be proven, or that access is denied.
    pub verdict: Verdict,
    /// Whether the denial is because the application is not assigned.
    pub unassigned: bool,
    /// Why the passcode that the policy asks for is not demanded of this person yet, if it is not; `verdict` is then what is
    /// left of it.
    pub spared: Option<Spared>,
    /// One line per rule that was looked at, for the operator's simulator and `explain`.
    pub trace: Vec<String>,
}

/// How long an attempt at the portal lasts, in seconds: it has several pages and gives no answer that would end one.
const PORTAL_ATTEMPT: u32 = 300;

impl Decision {
    /// The decision for the user portal: a proof that every attempt asks for is good for the pages of one, and no longer. Asked
    /// for at each page, it would be asked for again right after it was given, and nobody would ever arrive.
    #[must_use]
    pub fn for_portal(mut self) -> Self {
        if let Verdict::Grant(requirements) = &mut self.verdict {
            for requirement in requirements.iter_mut().filter(|it| it.frequency == Frequency::EveryAttempt) {
                requirement.frequency = Frequency::Every { seconds: PORTAL_ATTEMPT };
            }
        }
        self
    }

    /// The decision for the operator console: whoever may come in proves password and passcode once in a session, whatever less
    /// or more the policy asks for; deeds that want more ask for it themselves.
    #[must_use]
    pub fn for_console(mut self) -> Self {
        if self.verdict != Verdict::Deny {
            self.trace.push("the operator console asks for password and passcode".to_owned());
            self.verdict = Verdict::Grant([Method::Password, Method::Otp].map(Requirement::once_per_session).to_vec());
        }
        self
    }
}

/// Decides an attempt: assignment first, then the exceptions in rank order, then the global policy.
#[must_use]
pub fn decide(policies: &AccessPolicies, attempt: Attempt<'_>) -> Decision {
    let mut trace = Vec::new();
    let policy =
        policies.exceptions.iter().find(|policy| matches(policy, attempt, &mut trace)).unwrap_or(&policies.global);
    let scenario = policy.scenarios.iter().find(|scenario| scenario.applies(attempt));
    let verdict = scenario.map_or(&policy.verdict, |scenario| &scenario.verdict);
    trace.push(match scenario {
        Some(scenario) => format!("policy \"{}\" applies, scenario \"{}\"", policy.name, scenario.name),
        None => format!("policy \"{}\" applies", policy.name),
    });
    if !attempt.assigned {
        trace.push("the application is not assigned to this person: denied whatever the policy says".to_owned());
    }
    Decision {
        policy: policy.id,
        policy_name: policy.name.clone(),
        scenario: scenario.map(|scenario| scenario.name.clone()),
        verdict: if attempt.assigned { ordered(verdict) } else { Verdict::Deny },
        unassigned: !attempt.assigned,
        spared: None,
        trace,
    }
}

/// The password is always judged before anything is said about tokens (part B1, ordering rule).
fn ordered(verdict: &Verdict) -> Verdict {
    match verdict {
        Verdict::Grant(requirements) => {
            let mut requirements = requirements.clone();
            requirements.sort_by_key(|requirement| requirement.method);
            Verdict::Grant(requirements)
        }
        Verdict::Deny => Verdict::Deny,
    }
}

fn matches(policy: &AccessPolicy, attempt: Attempt<'_>, trace: &mut Vec<String>) -> bool {
    let Some(lacking) = policy.asks().find(|asks| !asks.holds(attempt)).map(Asks::lacking) else { return true };
    trace.push(format!("policy \"{}\" does not apply: {lacking}", policy.name));
    false
}

/// Whether one of `ranges` holds `address`; an IPv4 address written as IPv6 counts as IPv4.
#[must_use]
pub fn contains(ranges: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    ranges.iter().any(|range| range.contains(&address))
}

/// Whether an application asks for something of the people who come to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// Whoever comes, from wherever.
    Always,
    /// Some people, or from some networks: these policies do.
    Sometimes(Vec<String>),
    /// Nobody.
    Never,
}

/// Whether the policies ask for `method` of people who come to an application. A denial asks for nothing and counts for
/// neither side.
#[must_use]
pub fn demand(policies: &AccessPolicies, application: ApplicationId, method: Method) -> Demand {
    let concerns =
        |policy: &&AccessPolicy| policy.applications.is_empty() || policy.applications.contains(&application);
    let (mut asking, mut others) = (Vec::new(), false);
    let mut last = None;
    for policy in policies.exceptions.iter().filter(concerns).chain(std::iter::once(&policies.global)) {
        // Behind one that concerns everybody everywhere, nothing is ever looked at.
        if last.is_some() {
            break;
        }
        let verdicts = policy.scenarios.iter().map(|scenario| &scenario.verdict).chain([&policy.verdict]);
        for verdict in verdicts.filter(|verdict| **verdict != Verdict::Deny) {
            if !verdict.requires(method) {
                others = true;
            } else if asking.last() != Some(&policy.name) {
                asking.push(policy.name.clone());
            }
        }
        last = (policy.groups.is_empty() && policy.networks.is_empty()).then_some(());
    }
    match (asking.is_empty(), others) {
        (true, _) => Demand::Never,
        (false, false) => Demand::Always,
        (false, true) => Demand::Sometimes(asking),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(bits: u128, name: &str, verdict: Verdict) -> AccessPolicy {
        AccessPolicy {
            id: PolicyId::from_bits(bits),
            name: name.to_owned(),
            applications: vec![],
            groups: vec![],
            networks: vec![],
            scenarios: vec![],
            verdict,
        }
    }

    fn grant(methods: &[Method]) -> Verdict {
        Verdict::Grant(methods.iter().map(|m| Requirement::once_per_session(*m)).collect())
    }

    fn house() -> AccessPolicies {
        let wiki = AccessPolicy {
            applications: vec![ApplicationId::from_bits(2)],
            networks: vec!["10.0.0.0/8".parse().expect("a range")],
            ..policy(2, "Wiki from the office", grant(&[Method::Password]))
        };
        let contractors =
            AccessPolicy { groups: vec![GroupId::from_bits(9)], ..policy(3, "Contractors", Verdict::Deny) };
        AccessPolicies {
            exceptions: vec![wiki, contractors],
            global: policy(1, "Global", grant(&[Method::Otp, Method::Password])),
        }
    }

    fn attempt(application: u128, groups: &[GroupId], address: &str) -> Decision {
        let attempt = Attempt {
            application: ApplicationId::from_bits(application),
            assigned: true,
            groups,
            address: address.parse().expect("an address"),
        };
        decide(&house(), attempt)
    }

    /// what operators are told before a rollout.
    #[test]
    fn an_application_asks_always_sometimes_or_never() {
        let of = |policies: &AccessPolicies, application: u128| {
            demand(policies, ApplicationId::from_bits(application), Method::Otp)
        };
        let house = house();
        assert_eq!(of(&house, 1), Demand::Always, "the denial of contractors asks for nothing");
        assert_eq!(of(&house, 2), Demand::Sometimes(vec!["Global".to_owned()]), "not from the office");
        let mut open = house.clone();
        open.exceptions.insert(0, policy(9, "Open", grant(&[Method::Password])));
        assert_eq!(of(&open, 1), Demand::Never, "nothing behind it is ever looked at");
    }

    ///
    #[test]
    fn the_first_match_applies_else_the_global_policy() {
        let nine = [GroupId::from_bits(9)];
        for (application, groups, address, policy) in [
            (2, &[][..], "10.1.2.3", "Wiki from the office"),
            (2, &nine[..], "10.1.2.3", "Wiki from the office"),
            (2, &[][..], "192.0.2.1", "Global"),
            (1, &nine[..], "10.1.2.3", "Contractors"),
            (1, &[][..], "10.1.2.3", "Global"),
            (2, &[][..], "::ffff:10.1.2.3", "Wiki from the office"),
        ] {
            assert_eq!(attempt(application, groups, address).policy_name, policy, "{application} {address}");
        }
    }

    ///
    #[test]
    fn the_password_comes_first_whatever_the_order_in_the_policy() {
        let decision = attempt(1, &[], "192.0.2.1");
        let methods: Vec<_> = decision.verdict.requirements().iter().map(|r| r.method).collect();
        assert_eq!(methods, [Method::Password, Method::Otp]);
    }

    ///
    #[test]
    fn an_unassigned_application_is_denied_whatever_the_policy() {
        let attempt = Attempt {
            application: ApplicationId::from_bits(1),
            assigned: false,
            groups: &[],
            address: "192.0.2.1".parse().expect("an address"),
        };
        let decision = decide(&house(), attempt);
        assert_eq!(decision.verdict, Verdict::Deny);
        assert!(decision.unassigned && decision.trace.iter().any(|line| line.contains("not assigned")));
    }

    ///
    #[test]
    fn a_scenario_overrides_its_policy_and_is_named() {
        let mut policies = house();
        policies.global.scenarios.push(Scenario {
            name: "Abroad".to_owned(),
            conditions: vec![Condition::OutsideNetworks(vec!["192.0.2.0/24".parse().expect("a range")])],
            verdict: Verdict::Deny,
        });
        let from = |address: &str| {
            let address = address.parse().expect("an address");
            decide(
                &policies,
                Attempt { application: ApplicationId::from_bits(1), assigned: true, groups: &[], address },
            )
        };
        assert_eq!(from("192.0.2.7").scenario, None);
        assert_eq!(from("198.51.100.7").scenario.as_deref(), Some("Abroad"));
        assert_eq!(from("198.51.100.7").verdict, Verdict::Deny);
    }
}
