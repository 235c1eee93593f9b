//! When somebody came into the rollout, and what keeps enrollment at the login from being anybody's who has a stolen
//! password (T-01): the gates.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::provisioning::{Refusal, SelfProvisioning, TargetUsers};
use crate::domain::ids::GroupId;
use crate::domain::timestamp::Timestamp;

const DAY: u64 = 86_400;
/// The longest window, in days. Changes that are older say nothing any more.
pub const LONGEST_WINDOW: u32 = 365;
/// The longest time without a login that may be asked for, in days.
pub const LONGEST_DORMANCY: u32 = 3650;
/// How many earlier settings are remembered; the oldest are forgotten first, which closes a window rather than opens it.
const MOST_EARLIER: usize = 32;

/// What an operator's pass is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum HelpDeskPass {
    /// There are none.
    #[default]
    None,
    /// One opens whatever gate is closed.
    OpensGates,
    /// Nobody enrolls without one.
    Required,
}

/// What must be so besides the target users, or nobody enrolls at the login. All of it is off unless it is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gates {
    /// For how many days after somebody came into the rollout enrollment is open: 1 to 365; 0 for ever.
    pub enrollment_window_days: u32,
    /// Without a login for this many days an account is dormant and does not enroll: 1 to 3650; 0 never.
    pub dormant_days: u32,
    /// Networks that enrollment is possible from; none means everywhere.
    pub enrollment_networks: Vec<IpNet>,
    /// What an operator's pass is good for.
    pub help_desk_pass: HelpDeskPass,
    /// How long a pass is good for, in minutes: 1 to 120.
    pub help_desk_pass_minutes: u32,
    /// Whether a second operator must confirm a pass before it works.
    pub help_desk_pass_confirmed: bool,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            enrollment_window_days: 0,
            dormant_days: 0,
            enrollment_networks: Vec::new(),
            help_desk_pass: HelpDeskPass::None,
            help_desk_pass_minutes: 15,
            help_desk_pass_confirmed: false,
        }
    }
}

/// The target users of earlier settings, and until when they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    until: Timestamp,
    target_users: TargetUsers,
    groups: Vec<GroupId>,
}

/// Something that may have moved a person into the rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The person was in other groups before.
    Groups {
        /// Until then.
        at: Timestamp,
        /// In these.
        before: Vec<GroupId>,
    },
    /// An operator opened enrollment again.
    Reopened {
        /// When.
        at: Timestamp,
    },
}

/// What is known of a person's past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// When the account was made.
    pub created_at: Timestamp,
    /// The last completed login.
    pub last_login_at: Option<Timestamp>,
    /// Changes of the last year.
    pub changes: Vec<Change>,
    /// There was an authenticator at some time: whoever has none now is recovering, not enrolling (AC-03).
    pub ever_enrolled: bool,
    /// What an operator said of it when the last one was revoked; nothing leaves it to the rules.
    pub may_enroll_again: Option<bool>,
}

/// What the gates ask.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The time of the request.
    pub now: Timestamp,
    /// Where it came from.
    pub address: IpAddr,
    /// The groups the person is in.
    pub groups: &'a [GroupId],
    /// What is known of the past.
    pub past: &'a Past,
    /// A pass or a recovery code was taken in this login.
    pub vouched: bool,
    /// When the person's turn came in a wave: until then nobody was asked, and no window ran.
    pub turn_at: Option<Timestamp>,
}

impl Past {
    /// The last time an operator opened enrollment again.
    fn reopened_at(&self) -> Option<Timestamp> {
        let of = |change: &Change| match change {
            Change::Reopened { at } => Some(*at),
            Change::Groups { .. } => None,
        };
        self.changes.iter().filter_map(of).max()
    }

    /// The groups just before `at`; `now` are today's.
    fn groups_before<'a>(&'a self, at: Timestamp, now: &'a [GroupId]) -> &'a [GroupId] {
        let of = |change: &'a Change| match change {
            Change::Groups { at: changed, before } if *changed >= at => Some((*changed, before.as_slice())),
            _ => None,
        };
        self.changes.iter().filter_map(of).min_by_key(|(changed, _)| *changed).map_or(now, |(_, before)| before)
    }
}

impl SelfProvisioning {
    /// These settings, remembering what `before` them was, so that whoever comes into the rollout by this change has a
    /// whole window.
    #[must_use]
    pub fn after(mut self, before: &Self, now: Timestamp) -> Self {
        self.earlier.clone_from(&before.earlier);
        if self.target_users != before.target_users || self.groups != before.groups {
            let earlier = Earlier { until: now, target_users: before.target_users, groups: before.groups.clone() };
            self.earlier.push(earlier);
            let oldest = now.minus(Duration::from_secs(u64::from(LONGEST_WINDOW) * DAY));
            self.earlier.retain(|earlier| earlier.until >= oldest);
            let surplus = self.earlier.len().saturating_sub(MOST_EARLIER);
            self.earlier.drain(..surplus);
        }
        self
    }

    /// When somebody who is in `groups` came into the rollout: when the account was made, the groups or the settings changed
    /// so that the person became one of the target users, or an operator opened enrollment again; whichever was last.
    #[must_use]
    pub fn entered_at(&self, groups: &[GroupId], past: &Past) -> Timestamp {
        let moved = past.changes.iter().filter_map(|change| match change {
            Change::Groups { at, .. } => Some(*at),
            Change::Reopened { .. } => None,
        });
        let moments = self.earlier.iter().map(|earlier| earlier.until).chain(moved);
        let was_out = |at: &Timestamp| {
            let groups = past.groups_before(*at, groups);
            let then = self.earlier.iter().filter(|earlier| earlier.until >= *at).min_by_key(|earlier| earlier.until);
            match then {
                Some(then) => !then.target_users.includes(&then.groups, groups),
                None => !self.targets(groups),
            }
        };
        let entered = moments.filter(|at| *at > past.created_at).filter(was_out).max();
        past.created_at.max(entered.unwrap_or(past.created_at)).max(past.reopened_at().unwrap_or(past.created_at))
    }

    /// The gate that is closed, if one is, and a line about each that was looked at (T-01).
    #[must_use]
    pub fn closed_gate(&self, asked: Asked<'_>) -> (Option<Refusal>, Vec<String>) {
        let Asked { now, past, .. } = asked;
        let gates = &self.gates;
        let mut trace = Vec::new();
        let mut closed = None;
        let mut close = |refusal, line: String| {
            trace.push(format!("gate {}: closed, {line}", Refusal::reason(refusal)));
            closed = closed.or(Some(refusal));
        };
        if past.ever_enrolled && past.may_enroll_again == Some(false) {
            close(Refusal::RecoveryNeeded, "there was an authenticator, and an operator has to help".to_owned());
        }
        let seen = past.last_login_at.unwrap_or(past.created_at).max(past.reopened_at().unwrap_or(past.created_at));
        if gates.dormant_days > 0 && is_over(seen, gates.dormant_days, now) {
            close(Refusal::Dormant, format!("no login since {}", seen.rfc3339()));
        }
        if gates.enrollment_window_days > 0 {
            let entered = self.entered_at(asked.groups, past);
            let entered = asked.turn_at.map_or(entered, |turn| entered.max(turn));
            if is_over(entered, gates.enrollment_window_days, now) {
                close(Refusal::WindowClosed, format!("in the rollout since {}", entered.rfc3339()));
            }
        }
        let address = asked.address.to_canonical();
        let networks = &gates.enrollment_networks;
        if !networks.is_empty() && !networks.iter().any(|network| network.contains(&address)) {
            close(Refusal::UnknownNetwork, "the address is in none of the networks".to_owned());
        }
        if gates.help_desk_pass == HelpDeskPass::Required {
            close(Refusal::PassNeeded, "the help desk has to let everybody in".to_owned());
        }
        if asked.vouched && closed.is_some() {
            trace.push("opened for this login by a pass or a recovery code".to_owned());
            closed = None;
        }
        (closed, trace)
    }
}

impl Gates {
    /// Whether any of them is on.
    #[must_use]
    pub fn any(&self) -> bool {
        self.enrollment_window_days > 0
            || self.dormant_days > 0
            || !self.enrollment_networks.is_empty()
            || self.help_desk_pass == HelpDeskPass::Required
    }

    /// Whether operators' passes are taken.
    #[must_use]
    pub fn take_passes(&self) -> bool {
        self.help_desk_pass != HelpDeskPass::None
    }

    /// How long a pass is good for.
    #[must_use]
    pub fn pass_lifetime(&self) -> Duration {
        Duration::from_secs(u64::from(self.help_desk_pass_minutes) * 60)
    }

    /// Every fault as `(key, sentence's end)`.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        if self.enrollment_window_days > LONGEST_WINDOW {
            faults.push(("enrollment_window_days", "must be from 0 to 365"));
        }
        if self.dormant_days > LONGEST_DORMANCY {
            faults.push(("dormant_days", "must be from 0 to 3650"));
        }
        if !(1..=120).contains(&self.help_desk_pass_minutes) {
            faults.push(("help_desk_pass_minutes", "must be from 1 to 120"));
        }
        if self.enrollment_networks.len() > 1000 {
            faults.push(("enrollment_networks", "has more than 1000 networks"));
        }
        faults
    }
}

/// Whether `days` have passed since `since`.
fn is_over(since: Timestamp, days: u32, now: Timestamp) -> bool {
    now >= since.plus(Duration::from_secs(u64::from(days) * DAY))
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
