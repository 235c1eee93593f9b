//! Who is asked when: observing without asking, waves with a daily cap, postponing, and the brake.
//!
//! Where a company had no passcodes before, everybody who lacks an authenticator is *spared* until the turn has come: the
//! policy's passcode is not demanded, and whatever else the policy asks for is. Nobody is spared who has or ever had an
//! authenticator, nothing is spared that an application asks for itself, and nobody ever gets in with nothing: see
//! [`may_be_spared`].

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::ids::{GroupId, UserId, WaveId};
use crate::domain::login::origin::Origin;
use crate::domain::login::step::Tokens;
use crate::domain::login::wishes::Wishes;
use crate::domain::name::key_of;
use crate::domain::policy::access::{Decision, Method, Verdict};
use crate::domain::timestamp::Timestamp;

/// How long a postponement lasts: the working day, so that the first login of the next one asks again.
pub const POSTPONED_FOR: Duration = Duration::from_secs(16 * 3600);
/// The most waves.
pub const MOST_WAVES: usize = 20;
/// The most groups of a wave.
pub const MOST_GROUPS: usize = 64;
/// The most postponements that can be allowed by number.
pub const MOST_POSTPONEMENTS: u32 = 100;
/// The highest daily cap.
pub const MOST_PER_DAY: u32 = 10_000_000;
/// The longest window of the brake, in minutes: a week.
pub const LONGEST_BRAKE: u32 = 7 * 24 * 60;
/// How many parts a wave's share is counted in: three characters of five bits.
const PARTS: u32 = 32 * 32 * 32;
/// The characters of identifiers, in the order in which both databases compare them.
const ORDER: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
/// Where in the text of an identifier the three characters stand that a share is told by: the last whole ones, which are
/// drawn at random.
const TAIL: std::ops::Range<usize> = 22..25;

/// How the rollout goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All target users are asked, as ever.
    #[default]
    Everybody,
    /// Nobody is asked; who would have been is written down.
    Observe,
    /// Wave by wave.
    Waves,
}

impl Mode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Everybody, Self::Observe, Self::Waves];

    /// Its word in the apply file.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Everybody => "everybody",
            Self::Observe => "observe",
            Self::Waves => "waves",
        }
    }
}

/// A part of the people, and from when on they are asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wave {
    /// Its identifier; it stays when the wave is renamed.
    pub id: WaveId,
    /// Unique among the waves.
    pub name: String,
    /// From then on its people are asked. The days of its cap begin at this time of the day, too.
    pub starts_at: Timestamp,
    /// Members of any of these; empty means everybody.
    pub groups: Vec<GroupId>,
    /// This share of them, 1 to 100. Who is in a share is in every larger one.
    pub percent: u8,
    /// How many new people are asked in a day; 0 sets no limit.
    pub most_per_day: u32,
    /// How often somebody may put it off; `None` sets no number.
    pub postponements: Option<u32>,
    /// Until when it may be put off; `None` sets no date. With neither a number nor a date nothing may be put off.
    pub deadline: Option<Timestamp>,
}

/// When a wave pauses by itself. Both shares are of people in the last [`Brake::window_minutes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Brake {
    /// Failed enrollments among those that came to an end, in percent, 1 to 100; 0 does not look at them.
    pub failed_percent: u8,
    /// People whom the help desk had to help among those who were asked, in percent, 1 to 100; 0 does not look at them.
    pub help_desk_percent: u8,
    /// With fewer than this many people failed or helped nothing is braked: 1 to 10 000.
    pub at_least: u32,
    /// How far it looks back, in minutes: 10 to 10 080, which is a week.
    pub window_minutes: u32,
}

impl Default for Brake {
    fn default() -> Self {
        Self { failed_percent: 25, help_desk_percent: 20, at_least: 10, window_minutes: 240 }
    }
}

/// How people come into the rollout.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Staging {
    /// How it goes on.
    pub rollout: Mode,
    /// The waves; the first that somebody belongs to is that person's.
    pub wave: Vec<Wave>,
    /// What pauses a wave.
    pub brake: Brake,
}

/// A person who was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Since when: the first time.
    pub asked_at: Timestamp,
    /// Whether an enrollment was ever begun since.
    pub begun: bool,
    /// How often it was put off.
    pub postponed: u32,
    /// Until when it is put off.
    pub postponed_until: Option<Timestamp>,
}

/// A wave that stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Since when.
    pub at: Timestamp,
    /// Whether an operator said that people who were asked already are let in as before, too.
    pub everybody: bool,
}

/// What is known of a person in a login that needs a passcode which the person cannot give.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The time of the request.
    pub now: Timestamp,
    /// The person.
    pub person: UserId,
    /// The groups the person is in.
    pub groups: &'a [GroupId],
    /// Whether and when the person was asked.
    pub place: Option<Place>,
    /// Whether the person's wave stands still.
    pub pause: Option<Pause>,
    /// Whether the wave's cap of this day is reached.
    pub full: bool,
    /// An enrollment of this very login is open: who has begun can finish.
    pub enrolling: bool,
    /// The login was granted already and waits to be answered.
    pub granted: bool,
}

/// Why a passcode is not demanded although the policy asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spared {
    /// Everybody is only observed.
    Observed,
    /// The person is in none of the waves.
    NoWave,
    /// The person's wave has not begun.
    BeforeWave,
    /// Enough people were asked today.
    DayFull,
    /// The person's wave is paused.
    Paused,
    /// The person put it off.
    Postponed,
}

impl Spared {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Observed, Self::NoWave, Self::BeforeWave, Self::DayFull, Self::Paused, Self::Postponed];

    /// The stable name in the access log, the audit trail and reports.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Observed => "otp_observed",
            Self::NoWave => "otp_no_wave",
            Self::BeforeWave => "otp_before_wave",
            Self::DayFull => "otp_day_full",
            Self::Paused => "otp_paused",
            Self::Postponed => "otp_postponed",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|spared| spared.reason() == text)
    }
}

/// How somebody who is asked may put it off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Later {
    /// How often, still; `None` if only the date counts.
    pub left: Option<u32>,
    /// Until when; `None` if only the number counts.
    pub until: Option<Timestamp>,
}

/// Where a person stands in the rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The policy applies as it stands.
    Asked {
        /// The person's wave; none where there are no waves.
        wave: Option<WaveId>,
        /// Whether the person may put it off.
        later: Option<Later>,
    },
    /// It would be the person's turn now: the desk takes a place of the day before it asks.
    Due {
        /// The person's wave.
        wave: WaveId,
    },
    /// The person goes on as before.
    Spared(Spared),
}

impl Turn {
    /// The policy applies as it stands, and no wave is involved.
    pub const PLAIN: Self = Self::Asked { wave: None, later: None };

    /// Why the passcode is not demanded, if it is not.
    #[must_use]
    pub const fn spared(self) -> Option<Spared> {
        match self {
            Self::Spared(spared) => Some(spared),
            Self::Asked { .. } | Self::Due { .. } => None,
        }
    }

    /// The wave that asks.
    #[must_use]
    pub const fn wave(self) -> Option<WaveId> {
        match self {
            Self::Asked { wave, .. } => wave,
            Self::Due { wave } => Some(wave),
            Self::Spared(_) => None,
        }
    }
}

/// What decides whether anybody is spared at all, whatever the waves say.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The door that asked.
    pub origin: Origin,
    /// What the application asks for itself.
    pub wishes: &'a Wishes,
    /// What the policies say.
    pub decision: &'a Decision,
    /// The authenticators there are.
    pub tokens: Tokens,
    /// There was an authenticator at some time.
    pub ever_enrolled: bool,
    /// The person is among the target users.
    pub targeted: bool,
    /// The password has been proven.
    pub password_proven: bool,
}

/// Whether the passcode could be spared: only for somebody who never had an authenticator and is among the target users, at
/// the door of an application or of the user's own portal, where the policy asks for a password besides and the
/// application does not ask for a passcode itself, in whatever order of preference.
#[must_use]
pub fn may_be_spared(claim: &Claim<'_>) -> bool {
    let door = matches!(claim.origin, Origin::Oidc | Origin::Saml | Origin::Portal);
    let verdict = &claim.decision.verdict;
    let named = claim.wishes.ways().any(|methods| methods.contains(&Method::Otp));
    door && !named
        && claim.tokens == Tokens::None
        && !claim.ever_enrolled
        && claim.targeted
        && claim.password_proven
        && verdict.requires(Method::Password)
        && verdict.requires(Method::Otp)
}

impl Decision {
    /// The decision without the passcode, and why; what else the policy asks for stays.
    #[must_use]
    pub fn sparing(mut self, spared: Spared) -> Self {
        if let Verdict::Grant(requirements) = &mut self.verdict {
            let rest: Vec<_> = requirements.iter().copied().filter(|one| one.method != Method::Otp).collect();
            if rest.is_empty() {
                return self;
            }
            *requirements = rest;
            self.spared = Some(spared);
            self.trace.push(format!("the passcode is not demanded: {}", spared.reason()));
        }
        self
    }
}

impl Wave {
    /// Whether somebody in `groups` belongs to it.
    #[must_use]
    pub fn includes(&self, person: UserId, groups: &[GroupId]) -> bool {
        (self.groups.is_empty() || self.groups.iter().any(|group| groups.contains(group)))
            && self.threshold().is_none_or(|threshold| person.to_string()[TAIL] < *threshold)
    }

    /// Who is in its share has an identifier whose three characters from the 23rd on are less than this, in every database
    /// as here; `None` means that everybody is. The last characters of an identifier are drawn at random, so they are as
    /// good as a hash, and one that a database can compare.
    #[must_use]
    pub fn threshold(&self) -> Option<String> {
        if self.percent >= 100 {
            return None;
        }
        let mut part = u32::from(self.percent) * PARTS / 100;
        let mut text = [0; 3];
        for place in text.iter_mut().rev() {
            *place = ORDER.get((part % 32) as usize).copied().unwrap_or_default();
            part /= 32;
        }
        Some(text.into_iter().map(char::from).collect())
    }

    /// Which day of the wave it is; days begin at the hour at which it began.
    #[must_use]
    pub fn day(&self, now: Timestamp) -> i64 {
        (now.micros().saturating_sub(self.starts_at.micros())).div_euclid(86_400_000_000)
    }

    /// How somebody who put it off `postponed` times may do so at `now`, if at all.
    #[must_use]
    pub fn later(&self, postponed: u32, now: Timestamp) -> Option<Later> {
        let left = self.postponements.map(|most| most.saturating_sub(postponed));
        let limited = left.is_some() || self.deadline.is_some();
        let open = left != Some(0) && self.deadline.is_none_or(|deadline| now < deadline);
        (limited && open).then_some(Later { left, until: self.deadline })
    }

    /// Until when it is put off that somebody puts off at `now`: never past the deadline.
    #[must_use]
    pub fn postponed_until(&self, now: Timestamp) -> Timestamp {
        let until = now.plus(POSTPONED_FOR);
        self.deadline.map_or(until, |deadline| until.min(deadline))
    }
}

impl Staging {
    /// Whether anybody may be spared at all.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        !matches!(self.rollout, Mode::Everybody)
    }

    /// The first wave that somebody in `groups` belongs to.
    #[must_use]
    pub fn wave_of(&self, person: UserId, groups: &[GroupId]) -> Option<&Wave> {
        self.wave.iter().find(|wave| wave.includes(person, groups))
    }

    /// The wave with this identifier.
    #[must_use]
    pub fn with_id(&self, id: WaveId) -> Option<&Wave> {
        self.wave.iter().find(|wave| wave.id == id)
    }

    /// Where somebody stands who could be spared, and a line that explains it.
    #[must_use]
    pub fn turn(&self, standing: Standing<'_>) -> (Turn, Vec<String>) {
        let line = |turn: Turn, words: String| (turn, vec![format!("rollout: {words}")]);
        let Standing { now, .. } = standing;
        match self.rollout {
            Mode::Everybody => return (Turn::PLAIN, Vec::new()),
            Mode::Observe if standing.enrolling => {
                return line(Turn::PLAIN, "only observed, but this enrollment has begun".to_owned());
            }
            Mode::Observe => return line(Turn::Spared(Spared::Observed), "only observed: nobody is asked".to_owned()),
            Mode::Waves => {}
        }
        let Some(wave) = self.wave_of(standing.person, standing.groups) else {
            return line(Turn::Spared(Spared::NoWave), "in none of the waves".to_owned());
        };
        let name = &wave.name;
        let asked = |later| Turn::Asked { wave: Some(wave.id), later };
        if standing.enrolling {
            return line(asked(None), format!("wave \"{name}\": this enrollment has begun"));
        }
        if now < wave.starts_at {
            let words = format!("wave \"{name}\" begins at {}", wave.starts_at.rfc3339());
            return line(Turn::Spared(Spared::BeforeWave), words);
        }
        let Some(place) = standing.place else {
            return match (standing.pause, standing.full) {
                (Some(_), _) => line(Turn::Spared(Spared::Paused), format!("wave \"{name}\" is paused")),
                (None, true) => {
                    line(Turn::Spared(Spared::DayFull), format!("wave \"{name}\": enough people were asked today"))
                }
                // It was granted a moment before the turn came: that login is answered, the next one asks.
                (None, false) if standing.granted => {
                    line(Turn::Spared(Spared::BeforeWave), format!("wave \"{name}\": granted before the turn came"))
                }
                (None, false) => line(Turn::Due { wave: wave.id }, format!("wave \"{name}\": the turn has come")),
            };
        };
        if let Some(pause) = standing.pause {
            // A pause takes nothing back that was demanded already: whoever could make a wave pause, by failing on
            // purpose, would open accounts by it.
            let demanded = place.begun || wave.later(place.postponed, pause.at).is_none();
            if pause.everybody || !demanded {
                return line(Turn::Spared(Spared::Paused), format!("wave \"{name}\" is paused"));
            }
        }
        if place.postponed_until.is_some_and(|until| now < until) && wave.deadline.is_none_or(|end| now < end) {
            return line(Turn::Spared(Spared::Postponed), format!("wave \"{name}\": put off by the person"));
        }
        let later = wave.later(place.postponed, now);
        let words = if later.is_some() { "asked, and may put it off" } else { "asked" };
        line(asked(later), format!("wave \"{name}\": {words}"))
    }

    /// Every fault as `(key, sentence's end)`.
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults: Vec<(String, String)> = Vec::new();
        let mut fault = |key: String, words: &str| faults.push((key, words.to_owned()));
        if self.rollout == Mode::Waves && self.wave.is_empty() {
            fault("wave".to_owned(), "is empty, but rollout is \"waves\"");
        }
        if self.wave.len() > MOST_WAVES {
            fault("wave".to_owned(), "has more than 20 entries");
        }
        for (index, wave) in self.wave.iter().enumerate() {
            let key = |name: &str| format!("wave[{index}].{name}");
            if self.wave.iter().take(index).any(|other| key_of(&other.name) == key_of(&wave.name)) {
                fault(key("name"), "is given twice");
            }
            if !(1..=100).contains(&wave.percent) {
                fault(key("percent"), "must be from 1 to 100");
            }
            if wave.groups.len() > MOST_GROUPS {
                fault(key("groups"), "has more than 64 groups");
            }
            if wave.most_per_day > MOST_PER_DAY {
                fault(key("most_per_day"), "must be from 0 to 10000000");
            }
            if wave.postponements.is_some_and(|most| most > MOST_POSTPONEMENTS) {
                fault(key("postponements"), "must be from 0 to 100");
            }
            if wave.deadline.is_some_and(|deadline| deadline <= wave.starts_at) {
                fault(key("deadline"), "must be later than starts_at");
            }
        }
        for (key, percent) in
            [("failed_percent", self.brake.failed_percent), ("help_desk_percent", self.brake.help_desk_percent)]
        {
            if percent > 100 {
                fault(format!("brake.{key}"), "must be from 0 to 100");
            }
        }
        if !(1..=10_000).contains(&self.brake.at_least) {
            fault("brake.at_least".to_owned(), "must be from 1 to 10000");
        }
        if !(10..=LONGEST_BRAKE).contains(&self.brake.window_minutes) {
            fault("brake.window_minutes".to_owned(), "must be from 10 to 10080, which is a week");
        }
        faults
    }
}

/// How it went with the people of a wave in the window of the brake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trouble {
    /// People who were asked.
    pub asked: u64,
    /// People who enrolled.
    pub completed: u64,
    /// People whose enrollment failed: not finished in time, locked, or the mail was refused.
    pub failed: u64,
    /// People whom the help desk unlocked or gave a code.
    pub helped: u64,
}

/// What pulled the brake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulled {
    /// Too many enrollments failed: so many in a hundred.
    Failed(u64),
    /// Too many people needed help: so many in a hundred.
    Helped(u64),
}

impl Pulled {
    /// The stable name in the audit trail.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Failed(_) => "enrollments_failed",
            Self::Helped(_) => "help_desk_needed",
        }
    }
}

impl Brake {
    /// How far it looks back.
    #[must_use]
    pub fn window(&self) -> Duration {
        Duration::from_secs(u64::from(self.window_minutes) * 60)
    }

    /// Whether this much trouble pulls it.
    #[must_use]
    pub fn pulled(&self, trouble: Trouble) -> Option<Pulled> {
        let reaches = |some: u64, of: u64, percent: u8| {
            percent > 0 && some >= u64::from(self.at_least) && some * 100 >= of * u64::from(percent) && of > 0
        };
        let ended = trouble.failed + trouble.completed;
        if reaches(trouble.failed, ended, self.failed_percent) {
            return Some(Pulled::Failed(trouble.failed * 100 / ended));
        }
        let asked = trouble.asked.max(trouble.helped);
        reaches(trouble.helped, asked, self.help_desk_percent).then(|| Pulled::Helped(trouble.helped * 100 / asked))
    }
}

#[cfg(test)]
#[path = "staging_tests.rs"]
mod tests;
