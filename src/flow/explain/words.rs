//! The words of an explanation. Settings are called as in apply files, so that whoever reads them knows what to change.

use super::{Asked, Explanation, Held, Looked, Needed, Outlook, Person};
use crate::domain::authenticator::lifecycle::State;
use crate::domain::ids::{GroupId, Id};
use crate::domain::login::outcome::Refusal;
use crate::domain::login::step::{Step, Tokens};
use crate::domain::policy::access::{AccessPolicy, Asks, Attempt, Frequency, Method, Requirement, Scenario, Verdict};
use crate::domain::policy::provisioning::{self, Offer, TargetUsers};
use crate::domain::user::Status;
use crate::storage::tokens::summary;

pub(super) fn needed(requirement: &Requirement) -> Needed {
    let frequency = match requirement.frequency {
        Frequency::EveryAttempt => "every attempt".to_owned(),
        Frequency::OncePerSession => "once per session".to_owned(),
        Frequency::Every { seconds } => format!("every {seconds} seconds"),
    };
    Needed { method: requirement.method.id().to_owned(), frequency }
}

/// The policies that a decision looks at: the ranked ones up to the first that applies, or the global one after all.
pub(super) fn policies(asked: Asked<'_>, person: &Person) -> Vec<Looked> {
    let policies = &asked.config.policies;
    let mut found = Vec::new();
    for policy in policies.exceptions.iter().chain(std::iter::once(&policies.global)) {
        let looked = policy_looked_at(asked, person, policy);
        let applies = looked.applies;
        found.push(looked);
        if applies {
            break;
        }
    }
    found
}

fn attempt<'a>(asked: Asked<'_>, person: &'a Person) -> Attempt<'a> {
    let member = &person.member;
    Attempt {
        application: asked.application.id,
        assigned: asked.application.assignment.includes(member.user.id, &member.groups),
        groups: &member.groups,
        address: asked.address,
    }
}

fn policy_looked_at(asked: Asked<'_>, person: &Person, policy: &AccessPolicy) -> Looked {
    let conditions: Vec<Held> = policy.asks().map(|asks| held(asked, person, asks)).collect();
    let applies = conditions.iter().all(|held| held.holds);
    let mut scenarios = Vec::new();
    for scenario in policy.scenarios.iter().filter(|_| applies) {
        scenarios.push(scenario_looked_at(asked, person, scenario));
        if scenario.applies(attempt(asked, person)) {
            break;
        }
    }
    Looked { name: policy.name.clone(), applies, conditions, scenarios }
}

fn scenario_looked_at(asked: Asked<'_>, person: &Person, scenario: &Scenario) -> Looked {
    Looked {
        name: scenario.name.clone(),
        applies: scenario.applies(attempt(asked, person)),
        conditions: scenario.asks().map(|asks| held(asked, person, asks)).collect(),
        scenarios: Vec::new(),
    }
}

fn held(asked: Asked<'_>, person: &Person, asks: Asks<'_>) -> Held {
    let (name, address) = (&person.member.user.username, asked.address);
    let words = match asks {
        Asks::Applications(ids) => {
            let names = ids.iter().filter_map(|id| asked.config.application(*id)).map(|it| it.name.clone());
            format!("the application is one of {}", listed(names))
        }
        Asks::Groups(ids) => format!("{name} is in one of the groups {}", groups(asked, ids)),
        Asks::Inside(ranges) => format!("{address} is in one of {}", listed(ranges.iter().map(ToString::to_string))),
        Asks::Outside(ranges) => format!("{address} is in none of {}", listed(ranges.iter().map(ToString::to_string))),
    };
    Held { asks: words, holds: asks.holds(attempt(asked, person)) }
}

fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

fn groups(asked: Asked<'_>, ids: &[GroupId]) -> String {
    let name = |id: &Id<_>| asked.config.group_name(*id).unwrap_or("(removed)").to_owned();
    listed(ids.iter().map(name))
}

/// A stable word for why enrollment is offered or not.
pub(super) fn reason(outlook: &Outlook, person: &Person) -> &'static str {
    match (outlook.then, outlook.without, outlook.offer) {
        (Step::Offer, ..) => "offered",
        (Step::Refused(Refusal::NotOffered(refusal)) | Step::Pass(refusal), ..) => refusal.reason(),
        (Step::Refused(refusal), ..) => refusal.reason(),
        _ if !outlook.decision.verdict.requires(Method::Otp) => "no_passcode_required",
        (Step::Password, ..) if !person.has_password => "no_password",
        _ if summary(&person.tokens) != Tokens::None => "has_authenticator",
        (.., Offer::Refused(refusal) | Offer::Gated(refusal)) => refusal.reason(),
        (.., Offer::AfterPassword) => "after_password",
        (.., Offer::Offered) => "offered",
    }
}

/// Why enrollment is offered or not.
pub(super) fn because(asked: Asked<'_>, person: &Person, outlook: &Outlook) -> Vec<String> {
    let settings = &asked.config.settings.self_provisioning;
    let member = &person.member;
    let name = &member.user.username;
    let mut lines = Vec::new();
    match &outlook.decision.verdict {
        Verdict::Deny if outlook.decision.unassigned => {
            lines.push(format!("{} is not assigned to {name}: access is denied", asked.application.name));
        }
        Verdict::Deny => lines.push(format!("the policy \"{}\" denies access", outlook.decision.policy_name)),
        Verdict::Grant(_) if !outlook.decision.verdict.requires(Method::Otp) => {
            lines.push(format!("the policy \"{}\" requires no otp", outlook.decision.policy_name));
        }
        Verdict::Grant(_) => lines.push(format!("the policy \"{}\" requires otp", outlook.decision.policy_name)),
    }
    if member.user.status == Status::Disabled {
        lines.push(format!("the account of {name} is disabled"));
    }
    for token in person.tokens.iter().filter(|token| token.state.counts()) {
        lines.push(format!("{name} has the authenticator {}, which is {}", token.serial, token.state.id()));
    }
    let of = groups(asked, &settings.groups);
    let inside: Vec<GroupId> = settings.groups.iter().copied().filter(|id| member.groups.contains(id)).collect();
    let inside = groups(asked, &inside);
    lines.push(match (settings.target_users, inside.is_empty()) {
        (TargetUsers::All, _) => "target_users is all".to_owned(),
        (TargetUsers::NoUsers, _) => "target_users is none".to_owned(),
        (TargetUsers::MembersOf, true) => {
            format!("target_users is members_of; {name} is in none of the groups {of}")
        }
        (TargetUsers::MembersOf, false) => format!("target_users is members_of; {name} is in {inside}"),
        (TargetUsers::AllExcept, true) => {
            format!("target_users is all_except; {name} is in none of the groups {of}")
        }
        (TargetUsers::AllExcept, false) => format!("target_users is all_except; {name} is in {inside}"),
    });
    lines.extend(outlook.trace.iter().cloned());
    lines
}

/// What the person meets.
pub(super) fn steps(outlook: &Outlook) -> Vec<String> {
    let first = format!("after the user name: {}", step(outlook.first));
    if outlook.first == outlook.then {
        return vec![first];
    }
    vec![first, format!("once the password is proven: {}", step(outlook.then))]
}

fn step(step: Step) -> String {
    match step {
        Step::Identify => "the user name is asked for".to_owned(),
        Step::Password => "the password is asked for".to_owned(),
        Step::Passcode => "a passcode is asked for".to_owned(),
        Step::NewPin(_) => "a new PIN is asked for".to_owned(),
        Step::Offer => "an authenticator is needed, and adding one is offered".to_owned(),
        Step::Pass(gate) => {
            format!("an authenticator is needed; the gate {} asks for a help desk's pass", gate.reason())
        }
        Step::Addition(_) => "another authenticator is to be added".to_owned(),
        Step::EmailCode => "the code from the mail is asked for".to_owned(),
        Step::ChoosePlatform | Step::Install(_) | Step::Activate(_) | Step::FirstPasscode(_) => {
            "an authenticator is being added".to_owned()
        }
        Step::RecoveryCodes => "recovery codes are shown".to_owned(),
        Step::Complete | Step::Granted | Step::Answered => "access".to_owned(),
        Step::Refused(Refusal::NotOffered(refusal)) => {
            format!("an authenticator is needed, and adding one is not offered: {}", refusal.reason())
        }
        Step::Refused(refusal) => format!("no access: {}", refusal.reason()),
        Step::LinkClosed(_) | Step::Expired | Step::Ended(_) => "the login is over".to_owned(),
    }
}

/// What would change it.
pub(super) fn advice(asked: Asked<'_>, person: &Person, outlook: &Outlook) -> Vec<String> {
    let (decision, user) = (&outlook.decision, &person.member.user);
    let name = &user.username;
    let mut lines = Vec::new();
    if decision.unassigned {
        lines.push(format!("assign {} to {name} or to a group of {name}'s", asked.application.name));
    } else if decision.verdict == Verdict::Deny {
        let policy = &decision.policy_name;
        lines.push(format!("let the policy \"{policy}\" grant access, or rank one before it that does for {name}"));
    } else if !decision.verdict.requires(Method::Otp) {
        let policy = &decision.policy_name;
        lines
            .push(format!("enrollment is offered only where a passcode is needed: add otp to require of \"{policy}\""));
    }
    if user.status == Status::Disabled {
        lines.push(format!("enable the account of {name}"));
    }
    if person.name.lock().refusal(asked.at).is_some() {
        lines.push(format!("unlock the account of {name}, or wait until the lock is over"));
    }
    match summary(&person.tokens) {
        Tokens::None => {}
        Tokens::Usable => lines.push(format!("{name} needs no enrollment; to enroll anew, revoke what there is first")),
        Tokens::Blocked => {
            let blocked = person.tokens.iter().filter(|it| matches!(it.state, State::Suspended | State::Locked));
            let serials = listed(blocked.map(|token| token.serial.clone()));
            lines.push(format!("reactivate {serials}, or revoke it so that {name} can enroll anew"));
        }
    }
    if let Offer::Refused(refusal) | Offer::Gated(refusal) = outlook.offer {
        lines.extend(opens(asked, person, refusal));
    }
    lines
}

/// What makes an enrollment possible that is refused.
fn opens(asked: Asked<'_>, person: &Person, refusal: provisioning::Refusal) -> Vec<String> {
    use provisioning::Refusal as No;
    let settings = &asked.config.settings.self_provisioning;
    let name = &person.member.user.username;
    let of = groups(asked, &settings.groups);
    let pass = || {
        if settings.gates.take_passes() {
            format!("or give a pass: vestibule user pass {name}")
        } else {
            "or let passes open gates: help_desk_pass = \"opens_gates\"".to_owned()
        }
    };
    match refusal {
        No::NotTargeted => vec![match settings.target_users {
            TargetUsers::MembersOf if settings.groups.len() == 1 => format!("add {name} to the group {of}"),
            TargetUsers::MembersOf => format!("add {name} to one of the groups {of}"),
            TargetUsers::AllExcept => {
                let listed = settings.groups.iter().copied();
                let inside: Vec<GroupId> = listed.filter(|id| person.member.groups.contains(id)).collect();
                format!("take {name} out of {}", groups(asked, &inside))
            }
            TargetUsers::NoUsers | TargetUsers::All => {
                "set target_users to all or members_of, or send an enrollment mail".to_owned()
            }
        }],
        No::NoPlatform => vec!["allow a platform: [tenant.platforms.…] allowed = true".to_owned()],
        No::NoEmail => vec![format!("give {name} a mail address")],
        No::Locked => {
            vec![format!("unlock {name}: vestibule user unlock {name}, or wait until 24 hours are over")]
        }
        No::AddressIsNew => vec![format!(
            "wait: the mail address of {name} is younger than wait_after_address_change_seconds = {}",
            settings.wait_after_address_change_seconds
        )],
        No::NoPassword => vec![format!("give {name} a password, or set require_password to false")],
        No::RecoveryNeeded => {
            vec![format!("decide that {name} may enroll again: vestibule user enrollment {name} --again allow"), pass()]
        }
        No::Dormant => vec![
            format!("open enrollment again: vestibule user reopen-enrollment {name}"),
            format!("or raise dormant_days from {}", settings.gates.dormant_days),
            pass(),
        ],
        No::WindowClosed => vec![
            format!("open enrollment again: vestibule user reopen-enrollment {name}"),
            format!("or raise enrollment_window_days from {}", settings.gates.enrollment_window_days),
            pass(),
        ],
        No::UnknownNetwork => {
            vec![format!("add a network with {} to enrollment_networks", asked.address), pass()]
        }
        No::PassNeeded => vec![format!("give a pass: vestibule user pass {name}")],
    }
}

/// The whole answer, for eyes.
pub(super) fn lines(told: &Explanation) -> Vec<String> {
    let mut lines = vec![format!("{} at {} from {}, {}", told.user, told.application, told.address, told.at)];
    for policy in &told.policies {
        looked_lines(&mut lines, "policy", policy, 1);
    }
    let scenario = told.scenario.as_ref().map_or(String::new(), |name| format!(", scenario \"{name}\""));
    lines.push(format!("decision: {} by the policy \"{}\"{scenario}", told.decision, told.policy));
    if told.unassigned {
        lines.push("  the application is not assigned: denied whatever the policies say".to_owned());
    }
    for needed in &told.methods {
        lines.push(format!("  requires {}, {}", needed.method, needed.frequency));
    }
    let until = told.account.locked_until.as_ref().map_or(String::new(), |until| format!(" until {until}"));
    let groups = if told.account.groups.is_empty() { "none".to_owned() } else { told.account.groups.join(", ") };
    lines.push(format!("account: {}{until}; groups: {groups}", told.account.state));
    lines.push(match told.authenticators.as_slice() {
        [] => "authenticators: none".to_owned(),
        all => {
            let words = all.iter().map(|it| format!("{} ({}, {})", it.serial, it.kind, it.state));
            format!("authenticators: {}", listed(words))
        }
    });
    let offered = if told.enrollment.offered { "offered" } else { "not offered" };
    let why = if told.enrollment.offered { String::new() } else { format!(": {}", told.enrollment.reason) };
    lines.push(format!("enrollment at the login: {offered}{why}"));
    lines.extend(told.enrollment.because.iter().map(|line| format!("  {line}")));
    lines.extend(told.steps.iter().cloned());
    if !told.advice.is_empty() {
        lines.push("what would change it:".to_owned());
        lines.extend(told.advice.iter().map(|line| format!("  {line}")));
    }
    lines
}

fn looked_lines(lines: &mut Vec<String>, kind: &str, looked: &Looked, depth: usize) {
    let indent = "  ".repeat(depth);
    let applies = if looked.applies { "applies" } else { "does not apply" };
    lines.push(format!("{indent}{kind} \"{}\" {applies}", looked.name));
    for held in &looked.conditions {
        let mark = if held.holds { "yes" } else { "no " };
        lines.push(format!("{indent}  {mark} {}", held.asks));
    }
    for scenario in &looked.scenarios {
        looked_lines(lines, "scenario", scenario, depth + 1);
    }
}
