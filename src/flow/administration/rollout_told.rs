//! The rollout as programs read it: one form for the command line and the management API. The names are stable;
//! `docs/rollout.md` lists them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rollout::{Effect, Funnel, Rollout, Slice, State};
use super::tally::Observations;
use crate::clock::Entropy;
use crate::domain::funnel::{Bar, Reached, Stage, per_mille};
use crate::domain::name::{checked, key_of};
use crate::domain::policy::access::Demand;
use crate::domain::policy::staging::{Brake, Mode, Staging, Trouble, Wave};
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::storage::rollout_effect::People;
use crate::storage::rollout_observed::Counted;

/// People, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RolloutPeople")]
pub struct PeopleTold {
    /// Target users whose account may be used.
    pub targeted: u64,
    /// Of these: have an authenticator.
    pub with_authenticator: u64,
    /// Of these: have none, and would be asked.
    pub asked: u64,
    /// Of those who would be asked: have no mail address.
    pub without_mail: u64,
    /// Of those who would be asked: had an authenticator once, and are asked whatever the waves say.
    pub recovering: u64,
    /// Target users whose account is disabled.
    pub disabled: u64,
}

impl PeopleTold {
    /// None at all.
    pub const NOBODY: Self =
        Self { targeted: 0, with_authenticator: 0, asked: 0, without_mail: 0, recovering: 0, disabled: 0 };
}

impl From<People> for PeopleTold {
    fn from(people: People) -> Self {
        let People { targeted, with_authenticator, asked, without_mail, recovering, disabled } = people;
        Self { targeted, with_authenticator, asked, without_mail, recovering, disabled }
    }
}

/// How far people came, and in what tenths of a percent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FunnelStep")]
pub struct StepTold {
    /// The step.
    pub step: String,
    /// People who reached it.
    pub people: u64,
    /// Of those who were asked, in tenths of a percent.
    pub share_per_mille: u64,
    /// Reached the step before and not this one.
    pub stopped: u64,
    /// From the step before, in seconds: half of the people were quicker.
    pub median_seconds: Option<u64>,
    /// Nineteen of twenty people were quicker.
    pub p95_seconds: Option<u64>,
}

impl From<&Bar> for StepTold {
    fn from(bar: &Bar) -> Self {
        Self {
            step: bar.stage.id().to_owned(),
            people: bar.people,
            share_per_mille: bar.share,
            stopped: bar.stopped,
            median_seconds: bar.median_seconds,
            p95_seconds: bar.p95_seconds,
        }
    }
}

/// A part of the funnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FunnelPart")]
pub struct SliceTold {
    /// The wave, group, platform or language.
    pub name: String,
    /// People who were asked.
    pub asked: u64,
    /// Enrollment was offered.
    pub offered: u64,
    /// Started.
    pub started: u64,
    /// Gave the first passcode.
    pub completed: u64,
    /// Started and failed.
    pub failed: u64,
    /// Logged in with it on another day.
    pub second_day: u64,
    /// Completed of those who were asked, in tenths of a percent.
    pub completed_per_mille: u64,
    /// Members whose account may be used, where it is a group.
    pub members: Option<u64>,
    /// Members who have an authenticator.
    pub enrolled: Option<u64>,
    /// Members who have none and were never asked for one.
    pub untouched: Option<u64>,
}

impl From<&Slice> for SliceTold {
    fn from(slice: &Slice) -> Self {
        let at = |stage| slice.reached.at(stage);
        Self {
            name: slice.name.clone(),
            asked: at(Stage::Asked),
            offered: at(Stage::Offered),
            started: at(Stage::Started),
            completed: at(Stage::Passcode),
            failed: slice.reached.failed,
            second_day: at(Stage::Returned),
            completed_per_mille: per_mille(at(Stage::Passcode), at(Stage::Asked)),
            members: slice.members.map(|members| members.people),
            enrolled: slice.members.map(|members| members.enrolled),
            untouched: slice.members.map(|members| members.untouched),
        }
    }
}

/// The funnel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Funnel")]
pub struct FunnelTold {
    /// When it was counted.
    pub at: String,
    /// Whether it is being counted anew.
    pub counting: bool,
    /// Step by step.
    pub steps: Vec<StepTold>,
    /// People who started and failed.
    pub failed: u64,
    /// What the parts are: `wave`, `group`, `platform`, `language`; `all` if there are none.
    pub by: String,
    /// The parts.
    pub parts: Vec<SliceTold>,
}

impl FunnelTold {
    /// The funnel in this form.
    #[must_use]
    pub fn of(funnel: &Funnel, by: &str) -> Self {
        Self {
            at: funnel.at.rfc3339(),
            counting: funnel.again,
            steps: funnel.bars.iter().map(StepTold::from).collect(),
            failed: funnel.reached.failed,
            by: by.to_owned(),
            parts: funnel.slices.iter().map(SliceTold::from).collect(),
        }
    }
}

/// What the brake sees of a wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WaveTrouble")]
pub struct TroubleTold {
    /// People who were asked in its window.
    pub asked: u64,
    /// People who enrolled.
    pub completed: u64,
    /// People whose enrollment failed.
    pub failed: u64,
    /// People whom the help desk had to help.
    pub helped: u64,
}

impl From<Trouble> for TroubleTold {
    fn from(Trouble { asked, completed, failed, helped }: Trouble) -> Self {
        Self { asked, completed, failed, helped }
    }
}

/// A wave that stands still.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WavePause")]
pub struct PauseTold {
    /// Since when.
    pub since: String,
    /// `by_hand`, `enrollments_failed` or `help_desk_needed`.
    pub reason: String,
    /// The numbers that pulled the brake.
    pub numbers: serde_json::Value,
    /// Whether people who were asked already go on as before, too.
    pub everybody: bool,
}

/// A wave and how it goes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Wave")]
pub struct WaveTold {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `waits`, `runs` or `paused`.
    pub state: String,
    /// From then on its people are asked.
    pub starts_at: String,
    /// Names of its groups; empty means everybody.
    pub groups: Vec<String>,
    /// The share of them.
    pub percent: u8,
    /// New people in a day; 0 sets no limit.
    pub most_per_day: u32,
    /// How often somebody may put it off.
    pub postponements: Option<u32>,
    /// Until when.
    pub deadline: Option<String>,
    /// Of the day's cap.
    pub asked_today: u64,
    /// What is counted over everybody; null while it is counted for the first time.
    #[serde(flatten)]
    pub counts: WaveCountsTold,
    /// What the brake sees.
    pub brake: TroubleTold,
    /// Why it stands still, if it does.
    pub pause: Option<PauseTold>,
}

/// What is counted of a wave over everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WaveCounts")]
pub struct WaveCountsTold {
    /// Whom it is about.
    pub people: Option<PeopleTold>,
    /// People who were asked, ever.
    pub was_asked: Option<u64>,
    /// People who started.
    pub started: Option<u64>,
    /// People who enrolled.
    pub completed: Option<u64>,
    /// People who started and failed.
    pub failed: Option<u64>,
}

impl WaveTold {
    fn of(state: &State, config: &TenantConfig, now: Timestamp) -> Self {
        let (wave, counted) = (&state.wave, state.counted.as_ref());
        Self {
            id: wave.id.to_string(),
            name: wave.name.clone(),
            state: state.word(now).to_owned(),
            starts_at: wave.starts_at.rfc3339(),
            groups: config.group_names(&wave.groups).map(str::to_owned).collect(),
            percent: wave.percent,
            most_per_day: wave.most_per_day,
            postponements: wave.postponements,
            deadline: wave.deadline.map(Timestamp::rfc3339),
            asked_today: state.today,
            counts: WaveCountsTold {
                people: counted.map(|counted| counted.people.into()),
                was_asked: counted.map(|counted| counted.asked),
                started: counted.map(|counted| counted.reached.at(Stage::Started)),
                completed: counted.map(|counted| counted.reached.at(Stage::Passcode)),
                failed: counted.map(|counted| counted.reached.failed),
            },
            brake: state.trouble.into(),
            pause: state.pause.as_ref().map(|written| PauseTold {
                since: written.pause.at.rfc3339(),
                reason: written.reason.clone(),
                numbers: written.detail.clone(),
                everybody: written.pause.everybody,
            }),
        }
    }
}

/// Something and how many people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RolloutCount")]
pub struct CountTold {
    /// What is counted.
    pub item: String,
    /// Different people.
    pub people: u64,
}

/// What was observed in the last 30 days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RolloutObserved")]
pub struct ObservedTold {
    /// Different people who would have been asked.
    pub people: u64,
    /// By the application that they came for.
    pub applications: Vec<CountTold>,
    /// By the policy that asked for a passcode.
    pub policies: Vec<CountTold>,
    /// By why they were not asked.
    pub reasons: Vec<CountTold>,
    /// By what would have stopped the enrollment; an empty item for those whom nothing would have.
    pub obstacles: Vec<CountTold>,
    /// By day, the newest first.
    pub days: Vec<CountTold>,
}

fn counts(counted: &[Counted]) -> Vec<CountTold> {
    let told = |one: &Counted| CountTold { item: one.key.clone(), people: u64::try_from(one.people).unwrap_or(0) };
    counted.iter().map(told).collect()
}

impl From<&Observations> for ObservedTold {
    fn from(seen: &Observations) -> Self {
        let day = |(day, people): &(i64, i64)| {
            let date = Timestamp::from_seconds(day * 86_400).rfc3339();
            let date = date.split('T').next().unwrap_or_default().to_owned();
            CountTold { item: date, people: u64::try_from(*people).unwrap_or(0) }
        };
        Self {
            people: u64::try_from(seen.people).unwrap_or(0),
            applications: counts(&seen.applications),
            policies: counts(&seen.policies),
            reasons: counts(&seen.reasons),
            obstacles: counts(&seen.obstacles),
            days: seen.days.iter().map(day).collect(),
        }
    }
}

/// The rollout as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Rollout")]
pub struct RolloutTold {
    /// `everybody`, `observe` or `waves`.
    pub rollout: String,
    /// The waves, in their order.
    pub waves: Vec<WaveTold>,
    /// When people were counted; null while they are counted for the first time, and then so is every number of people.
    pub counted_at: Option<String>,
    /// Whether they are being counted, for the first time or anew.
    pub counting: bool,
    /// Target users who are in none of the waves.
    pub in_no_wave: Option<PeopleTold>,
    /// What was observed.
    pub observed: Option<ObservedTold>,
}

/// The answer is being counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Counting")]
pub struct CountingTold {
    /// How many people were looked at until now.
    pub looked_at: u64,
}

impl RolloutTold {
    /// The rollout in this form.
    #[must_use]
    pub fn of(rollout: &Rollout, config: &TenantConfig, now: Timestamp) -> Self {
        Self {
            rollout: rollout.mode.id().to_owned(),
            waves: rollout.waves.iter().map(|state| WaveTold::of(state, config, now)).collect(),
            counted_at: rollout.counted.as_ref().map(|counted| counted.at.rfc3339()),
            counting: rollout.counting,
            in_no_wave: rollout.counted.as_ref().map(|counted| counted.rest.into()),
            observed: rollout.counted.as_ref().map(|counted| (&counted.observed).into()),
        }
    }
}

/// What an application asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ApplicationAsks")]
pub struct ApplicationTold {
    /// Its name.
    pub name: String,
    /// Whether it asks for a passcode: `always`, `sometimes` or `never`.
    pub asks: String,
    /// Where it asks some: the policies that do.
    pub policies: Vec<String>,
}

/// People of a wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "WaveEffect")]
pub struct WaveEffectTold {
    /// The wave's name.
    pub wave: String,
    /// Its people.
    pub people: PeopleTold,
}

/// What settings would do, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RolloutEffect")]
pub struct EffectTold {
    /// When people were counted.
    pub counted_at: String,
    /// All target users.
    pub all: PeopleTold,
    /// By wave, in their order.
    pub waves: Vec<WaveEffectTold>,
    /// In none of the waves.
    pub in_no_wave: PeopleTold,
    /// The applications.
    pub applications: Vec<ApplicationTold>,
}

impl From<&Effect> for EffectTold {
    fn from(effect: &Effect) -> Self {
        let application = |(name, asks): &(String, Demand)| {
            let (word, policies) = match asks {
                Demand::Always => ("always", Vec::new()),
                Demand::Sometimes(policies) => ("sometimes", policies.clone()),
                Demand::Never => ("never", Vec::new()),
            };
            ApplicationTold { name: name.clone(), asks: word.to_owned(), policies }
        };
        let wave = |(name, people): &(String, People)| WaveEffectTold { wave: name.clone(), people: (*people).into() };
        Self {
            counted_at: effect.at.rfc3339(),
            all: effect.all.into(),
            waves: effect.waves.iter().map(wave).collect(),
            in_no_wave: effect.rest.into(),
            applications: effect.applications.iter().map(application).collect(),
        }
    }
}

/// A wave as somebody wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaveDraft {
    /// The identifier of a wave that is there and stays the same one; a new wave has none, or is the one with its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Unique among the waves.
    pub name: String,
    /// From then on its people are asked: RFC 3339.
    pub starts_at: String,
    /// Names of groups; none means everybody.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The share of them, 1 to 100.
    #[serde(default = "whole")]
    pub percent: u8,
    /// How many new people are asked in a day; 0 sets no limit.
    #[serde(default)]
    pub most_per_day: u32,
    /// How often somebody may put it off; left out, no number is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postponements: Option<u32>,
    /// Until when it may be put off: RFC 3339; left out, no date is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
}

const fn whole() -> u8 {
    100
}

/// When a wave pauses by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BrakeDraft {
    /// Failed enrollments among those that came to an end, in percent; 0 does not look at them.
    pub failed_percent: u8,
    /// People whom the help desk had to help among those who were asked, in percent; 0 does not look at them.
    pub help_desk_percent: u8,
    /// With fewer than this many people nothing is braked.
    pub at_least: u32,
    /// How far it looks back, in minutes.
    pub window_minutes: u32,
}

/// The rollout as somebody wants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RolloutDraft {
    /// `everybody`, `observe` or `waves`.
    pub rollout: String,
    /// The waves; the first that somebody belongs to is that person's.
    #[serde(default)]
    pub waves: Vec<WaveDraft>,
    /// What pauses a wave.
    #[serde(default)]
    pub brake: BrakeDraft,
}

impl Default for BrakeDraft {
    fn default() -> Self {
        Brake::default().into()
    }
}

impl From<Brake> for BrakeDraft {
    fn from(Brake { failed_percent, help_desk_percent, at_least, window_minutes }: Brake) -> Self {
        Self { failed_percent, help_desk_percent, at_least, window_minutes }
    }
}

impl From<BrakeDraft> for Brake {
    fn from(BrakeDraft { failed_percent, help_desk_percent, at_least, window_minutes }: BrakeDraft) -> Self {
        Self { failed_percent, help_desk_percent, at_least, window_minutes }
    }
}

impl RolloutDraft {
    /// What is stored, to be changed.
    #[must_use]
    pub fn of(config: &TenantConfig) -> Self {
        let staging = &config.settings.self_provisioning.staging;
        let wave = |wave: &Wave| WaveDraft {
            id: Some(wave.id.to_string()),
            name: wave.name.clone(),
            starts_at: wave.starts_at.rfc3339(),
            groups: config.group_names(&wave.groups).map(str::to_owned).collect(),
            percent: wave.percent,
            most_per_day: wave.most_per_day,
            postponements: wave.postponements,
            deadline: wave.deadline.map(Timestamp::rfc3339),
        };
        Self {
            rollout: staging.rollout.id().to_owned(),
            waves: staging.wave.iter().map(wave).collect(),
            brake: staging.brake.into(),
        }
    }

    /// The settings that it means, or everything that is wrong with it: the field, such as `waves[0].name`, and what is
    /// wrong.
    ///
    /// # Errors
    /// What is wrong.
    pub fn settings(&self, config: &TenantConfig, entropy: &Entropy) -> Result<Staging, Vec<(String, String)>> {
        let before = &config.settings.self_provisioning.staging.wave;
        let mut faults = Vec::new();
        let mode = Mode::ALL.into_iter().find(|mode| mode.id() == self.rollout);
        if mode.is_none() {
            faults.push(("rollout".to_owned(), "must be everybody, observe or waves".to_owned()));
        }
        let mut waves = Vec::with_capacity(self.waves.len());
        for (index, draft) in self.waves.iter().enumerate() {
            let mut fault = |key: &str, words: String| faults.push((format!("waves[{index}].{key}"), words));
            let name = match checked(&draft.name) {
                Ok(name) => name.to_owned(),
                Err(error) => {
                    fault("name", error.to_string());
                    draft.name.clone()
                }
            };
            let mut time = |key: &str, text: &str| match text.parse::<Timestamp>() {
                Ok(at) => Some(at),
                Err(error) => {
                    fault(key, error.to_string());
                    None
                }
            };
            let starts_at = time("starts_at", &draft.starts_at);
            let deadline = draft.deadline.as_deref().and_then(|text| time("deadline", text));
            let mut groups = Vec::with_capacity(draft.groups.len());
            for wanted in &draft.groups {
                match config.groups.iter().find(|group| key_of(&group.name) == key_of(wanted)) {
                    Some(group) if !groups.contains(&group.id) => groups.push(group.id),
                    Some(_) => {}
                    None => fault("groups", format!("there is no group \"{wanted}\"")),
                }
            }
            let same = |wave: &&Wave| match &draft.id {
                Some(id) => wave.id.to_string() == *id,
                None => key_of(&wave.name) == key_of(&name),
            };
            if draft.id.is_some() && !before.iter().any(|wave| same(&wave)) {
                fault("id", "there is no such wave".to_owned());
            }
            waves.push(Wave {
                id: before.iter().find(same).map_or_else(|| entropy.id(), |wave| wave.id),
                name,
                starts_at: starts_at.unwrap_or(Timestamp::from_seconds(0)),
                groups,
                percent: draft.percent,
                most_per_day: draft.most_per_day,
                postponements: draft.postponements,
                deadline: deadline.filter(|_| starts_at.is_some()),
            });
            let twice = waves.iter().rev().skip(1).any(|other| waves.last().is_some_and(|wave| wave.id == other.id));
            if twice {
                fault("id", "is given twice".to_owned());
            }
        }
        let staging = Staging { rollout: mode.unwrap_or_default(), wave: waves, brake: self.brake.into() };
        faults.extend(staging.faults().into_iter().map(|(key, words)| (key.replace("wave[", "waves["), words)));
        if faults.is_empty() { Ok(staging) } else { Err(faults) }
    }
}

/// The rows of the funnel as a table: its head first.
#[must_use]
pub fn table(funnel: &Funnel) -> Vec<Vec<String>> {
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let mut rows = vec![
        ["step", "people", "share_per_mille", "stopped", "median_seconds", "p95_seconds"].map(str::to_owned).to_vec(),
    ];
    rows.extend(funnel.bars.iter().map(|bar| {
        vec![
            bar.stage.id().to_owned(),
            bar.people.to_string(),
            bar.share.to_string(),
            bar.stopped.to_string(),
            number(bar.median_seconds),
            number(bar.p95_seconds),
        ]
    }));
    rows
}

/// The rows of the funnel's parts as a table: its head first.
#[must_use]
pub fn parts_table(funnel: &Funnel, by: &str) -> Vec<Vec<String>> {
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    let head =
        [by, "asked", "offered", "started", "completed", "failed", "second_day", "members", "enrolled", "untouched"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(funnel.slices.iter().map(SliceTold::from).map(|part| {
        let mut row = vec![part.name];
        let counts = [part.asked, part.offered, part.started, part.completed, part.failed, part.second_day];
        row.extend(counts.map(|count| count.to_string()));
        row.extend([part.members, part.enrolled, part.untouched].map(number));
        row
    }));
    rows
}

/// How far a wave's people came, for a line.
#[must_use]
pub fn progress(reached: &Reached) -> String {
    let at = |stage| reached.at(stage);
    format!(
        "{} asked, {} started, {} enrolled, {} failed",
        at(Stage::Asked),
        at(Stage::Started),
        at(Stage::Passcode),
        reached.failed
    )
}
