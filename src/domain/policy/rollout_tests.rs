//! T-01 as a table, and when somebody came into the rollout.

use super::*;
use crate::domain::policy::provisioning::{Facts, Offer, decide};

const PILOT: GroupId = GroupId::from_bits(1);
const SALES: GroupId = GroupId::from_bits(2);

/// This many days after the beginning of the story.
fn day(number: u64) -> Timestamp {
    Timestamp::from_seconds(1_800_000_000).plus(Duration::from_secs(number * DAY))
}

fn newcomer() -> Past {
    Past { created_at: day(0), last_login_at: None, changes: vec![], ever_enrolled: false, may_enroll_again: None }
}

fn pilot() -> SelfProvisioning {
    SelfProvisioning { target_users: TargetUsers::MembersOf, groups: vec![PILOT], ..SelfProvisioning::default() }
}

/// What the person of a cell of the table is.
struct Cell {
    name: &'static str,
    past: Past,
    groups: &'static [GroupId],
    locked: bool,
}

/// T-01: {never enrolled in and out of window, dormant, token revoked, token deleted by an operator who says no} x {gate on
/// or off} x {network in or out} x {pass or none}. Accounts that are disabled or locked, and enrollments that are pending,
/// never come this far: `step` has them.
#[test]
fn the_decision_table_of_first_enrollment() {
    let cell = |name, past| Cell { name, past, groups: &[PILOT], locked: false };
    let long_ago = Past { created_at: day(0).minus(Duration::from_secs(400 * DAY)), ..newcomer() };
    let cells = [
        cell("new, in the window", newcomer()),
        cell("new, after the window", Past { last_login_at: Some(day(29)), ..newcomer() }),
        cell("dormant", long_ago.clone()),
        cell("dormant, opened again", Past { changes: vec![Change::Reopened { at: day(29) }], ..long_ago }),
        cell("revoked", Past { ever_enrolled: true, last_login_at: Some(day(29)), ..newcomer() }),
        cell(
            "deleted by an operator",
            Past { ever_enrolled: true, may_enroll_again: Some(false), last_login_at: Some(day(29)), ..newcomer() },
        ),
        Cell { groups: &[SALES], ..cell("not in the rollout", newcomer()) },
        Cell { locked: true, ..cell("enrollment locked", newcomer()) },
    ];
    let inside: IpAddr = "10.1.2.3".parse().expect("an address");
    let outside: IpAddr = "192.0.2.7".parse().expect("an address");
    for cell in &cells {
        for (now, on, address, vouched) in [5, 30].into_iter().flat_map(|now| {
            let rest = [false, true].into_iter().flat_map(|on| [(on, inside), (on, outside)]);
            rest.flat_map(move |(on, address)| [(now, on, address, false), (now, on, address, true)])
        }) {
            let gates = Gates {
                enrollment_window_days: 14,
                dormant_days: 30,
                enrollment_networks: vec!["10.0.0.0/8".parse().expect("a network")],
                help_desk_pass: HelpDeskPass::OpensGates,
                ..Gates::default()
            };
            let settings = SelfProvisioning { gates: if on { gates } else { Gates::default() }, ..pilot() };
            let asked = Asked { now: day(now), address, groups: cell.groups, past: &cell.past, vouched, turn_at: None };
            let (gate, lines) = settings.closed_gate(asked);
            let facts = Facts {
                operator: false,
                previewed: false,
                groups: cell.groups,
                any_platform: true,
                has_email: true,
                enrollment_locked: cell.locked,
                address_is_new: false,
                password_proven: true,
                has_password: true,
                gate,
            };
            let (offer, trace) = decide(&settings, facts);
            let expected = match cell.name {
                "not in the rollout" => Some(Refusal::NotTargeted),
                "enrollment locked" => Some(Refusal::Locked),
                _ if vouched => None,
                "deleted by an operator" => Some(Refusal::RecoveryNeeded),
                _ if !on => None,
                "dormant" => Some(Refusal::Dormant),
                "new, in the window" if now == 30 => Some(Refusal::Dormant),
                "dormant, opened again" if now == 5 => (address == outside).then_some(Refusal::UnknownNetwork),
                "new, after the window" | "revoked" if now == 30 => Some(Refusal::WindowClosed),
                _ => (address == outside).then_some(Refusal::UnknownNetwork),
            };
            let gated = expected.is_some_and(Refusal::is_a_gate);
            let expected = match expected {
                None => Offer::Offered,
                Some(refusal) if gated && settings.gates.take_passes() => Offer::Gated(refusal),
                Some(refusal) => Offer::Refused(refusal),
            };
            let note = format!("{}, day {now}, gates {on}, {address}, pass {vouched}", cell.name);
            assert_eq!(offer, expected, "{note}: {lines:?} {trace:?}");
            if let Offer::Gated(refusal) = offer {
                assert!(
                    lines.iter().any(|line| line.contains(refusal.reason())),
                    "{note}: the trace names it: {lines:?}"
                );
            }
        }
    }
}

/// T-01: a window opens with the account, with its groups, with the settings, and by an operator; nothing else opens it.
#[test]
fn when_somebody_came_into_the_rollout() {
    let settings = pilot();
    assert_eq!(settings.entered_at(&[PILOT], &newcomer()), day(0), "with the account");
    let moved = |at, before: &[GroupId]| Change::Groups { at, before: before.to_vec() };
    let with = |changes| Past { changes, ..newcomer() };
    assert_eq!(settings.entered_at(&[PILOT], &with(vec![moved(day(9), &[SALES])])), day(9), "with the group");
    let past = with(vec![moved(day(9), &[]), moved(day(12), &[PILOT])]);
    assert_eq!(settings.entered_at(&[PILOT, SALES], &past), day(9), "another group moves nobody");
    let past = with(vec![moved(day(9), &[PILOT]), moved(day(12), &[])]);
    assert_eq!(settings.entered_at(&[PILOT], &past), day(12), "out and in again");
    assert_eq!(settings.entered_at(&[PILOT], &with(vec![Change::Reopened { at: day(20) }])), day(20), "by an operator");
    // The settings name another group: who is in it comes in now, who was in the first one stays where he was.
    let wider = SelfProvisioning { groups: vec![PILOT, SALES], ..pilot() }.after(&settings, day(40));
    assert_eq!(wider.entered_at(&[SALES], &newcomer()), day(40));
    assert_eq!(wider.entered_at(&[PILOT], &newcomer()), day(0));
    assert_eq!(wider.entered_at(&[SALES], &Past { created_at: day(50), ..newcomer() }), day(50));
    // Everything at once: into sales at day 30, which counts from day 40 on.
    assert_eq!(wider.entered_at(&[SALES], &with(vec![moved(day(30), &[])])), day(40));
    // The kind of target users changes.
    let everybody = SelfProvisioning { target_users: TargetUsers::All, ..wider.clone() }.after(&wider, day(60));
    assert_eq!(everybody.entered_at(&[], &newcomer()), day(60));
    assert_eq!(everybody.entered_at(&[SALES], &newcomer()), day(40));
    let same = everybody.clone().after(&everybody, day(70));
    assert_eq!(same, everybody, "nothing changed, nothing is written down");
    let later = SelfProvisioning { groups: vec![], ..same.clone() }.after(&same, day(60 + 366));
    assert_eq!(later.entered_at(&[], &newcomer()), day(0), "what is older than the longest window is forgotten");
}

/// A thousand changes do not make the settings grow without bound.
#[test]
fn earlier_settings_are_bounded() {
    let mut settings = pilot();
    for number in 0..100_u32 {
        let groups = vec![GroupId::from_bits(u128::from(number))];
        let next = SelfProvisioning { groups, ..settings.clone() };
        settings = next.after(&settings, day(1).plus(Duration::from_secs(u64::from(number))));
    }
    assert_eq!(settings.earlier.len(), MOST_EARLIER);
}

#[test]
fn faults_of_gates_name_their_key() {
    let broken = Gates {
        enrollment_window_days: LONGEST_WINDOW + 1,
        dormant_days: LONGEST_DORMANCY + 1,
        help_desk_pass_minutes: 0,
        ..Gates::default()
    };
    let keys: Vec<_> = broken.faults().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["enrollment_window_days", "dormant_days", "help_desk_pass_minutes"]);
    assert!(Gates::default().faults().is_empty() && !Gates::default().any());
}
