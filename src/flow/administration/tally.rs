//! What is counted over everybody: the effect of a rollout, how it goes, the funnel. It is counted part by part, so that
//! nobody waits for longer than a part takes. Among few people the answer is there at once; among many a job counts, and
//! whoever asks is shown the last answer with its time.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::funnel::{self, Bar, Reached, Stage};
use crate::domain::ids::{CorrelationId, GroupId, TenantId, WaveId};
use crate::domain::login::LONGEST;
use crate::domain::policy::provisioning::SelfProvisioning;
use crate::domain::policy::staging::{Staging, Wave};
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::flow::House;
use crate::flow::round::Round;
use crate::storage::parts::{self, Part};
use crate::storage::rollout_effect::{self, People};
use crate::storage::rollout_funnel::{self, By, Filter, Members};
use crate::storage::rollout_observed::{self, Counted as Observed};
use crate::storage::tallies::{self, Answer, Tally};
use crate::storage::{self, Connection, leases, rollout_places as places, tenants};

/// So many people are looked at with one set of questions.
const PART: u32 = 1000;
/// So many parts are counted while somebody waits; a virtual server with more people is counted by the job.
const AT_ONCE: usize = 3;
/// The parts of a funnel that are shown, at most.
pub const MOST_SLICES: usize = 200;
/// An answer is not counted anew before it is this old …
const FRESH: Duration = Duration::from_secs(30);
/// … and so many times as old as counting it took.
const PATIENCE: i64 = 20;
/// Whoever only glances at an answer has it counted anew when it is this old: it stands on the first page that operators see.
const GLANCED: Duration = Duration::from_secs(60 * 60);
/// How long an instance counts before another may take over; it says so again and again.
const SHIFT: Duration = Duration::from_secs(30);
/// After so many parts it is written down how far a count has come.
const TOLD: usize = 20;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "question", rename_all = "snake_case")]
pub enum Question {
    /// What settings would do: the answer is a [`Vec`] of [`People`], of each wave and then of none.
    Effect {
        /// Only what it depends on.
        settings: Box<SelfProvisioning>,
    },
    /// How the rollout goes: a [`Progress`].
    Progress,
    /// How far people came: a [`Told`].
    Funnel(Asked),
}

/// Which attempts a funnel counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// In parts of what.
    pub by: By,
    /// Of so many days.
    pub days: u32,
    /// Of members of this group.
    pub group: Option<GroupId>,
    /// On this platform.
    pub platform: Option<String>,
    /// In this language.
    pub language: Option<String>,
    /// Of this wave.
    pub wave: Option<WaveId>,
}

impl Question {
    /// The effect of settings.
    #[must_use]
    pub fn effect(settings: &SelfProvisioning) -> Self {
        let from = |(number, wave): (u128, &Wave)| Wave {
            // A draft's wave has another identifier each time that it is read.
            id: WaveId::from_bits(number),
            name: String::new(),
            starts_at: Timestamp::from_seconds(0),
            groups: wave.groups.clone(),
            percent: wave.percent,
            most_per_day: 0,
            postponements: None,
            deadline: None,
        };
        let staging = Staging {
            rollout: settings.staging.rollout,
            wave: (1..).zip(&settings.staging.wave).map(from).collect(),
            ..Staging::default()
        };
        let depends = SelfProvisioning {
            target_users: settings.target_users,
            groups: settings.groups.clone(),
            staging,
            ..SelfProvisioning::default()
        };
        Self::Effect { settings: Box::new(depends) }
    }

    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// How the rollout goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// How many people each wave asked first.
    pub asked: Vec<(WaveId, u64)>,
    /// How far people came whom it asked; by its identifier, empty for none.
    pub reached: Vec<(String, Reached)>,
    /// What was observed in the last 30 days.
    pub observed: Observations,
}

/// What was observed: different people, who would have been asked and were let in as before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observations {
    /// All of them.
    pub people: i64,
    /// By the application that they came for: its identifier.
    pub applications: Vec<Observed>,
    /// By the policy that asked for a passcode.
    pub policies: Vec<Observed>,
    /// By why they were not asked.
    pub reasons: Vec<Observed>,
    /// By what would have stopped the enrollment; empty for those whom nothing would have.
    pub obstacles: Vec<Observed>,
    /// By day, since 1970 in UTC, the newest first.
    pub days: Vec<(i64, i64)>,
}

/// The funnel as it was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Everybody that the filter lets through.
    pub reached: Reached,
    /// Step by step.
    pub bars: Vec<Bar>,
    /// The parts: what each is, how far its people came, and the whole group, where it is one.
    pub slices: Vec<(String, Reached, Option<Members>)>,
}

/// What somebody who asks is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply<T> {
    /// The answer.
    Counted {
        /// As it was at this time.
        at: Timestamp,
        /// What it is.
        value: T,
        /// Whether it is being counted anew.
        again: bool,
    },
    /// There is none yet.
    Counting {
        /// How many people were looked at.
        looked_at: u64,
    },
}

impl<T> Reply<T> {
    /// Whether it is being counted, for the first time or anew.
    pub const fn is_counting(&self) -> bool {
        matches!(self, Self::Counting { .. } | Self::Counted { again: true, .. })
    }

    /// How many people were looked at, while there is no answer yet.
    pub const fn looked_at(&self) -> u64 {
        match self {
            Self::Counting { looked_at } => *looked_at,
            Self::Counted { .. } => 0,
        }
    }

    /// The same with another form of the answer.
    pub fn map<U>(self, into: impl FnOnce(Timestamp, T) -> U) -> Reply<U> {
        match self {
            Self::Counted { at, value, again } => Reply::Counted { at, value: into(at, value), again },
            Self::Counting { looked_at } => Reply::Counting { looked_at },
        }
    }

    /// The answer, and its time; `None` while there is none.
    pub fn value(self) -> Option<(Timestamp, T)> {
        match self {
            Self::Counted { at, value, .. } => Some((at, value)),
            Self::Counting { .. } => None,
        }
    }
}

/// Whether somebody can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A page must be there at once: what takes longer is counted by the job.
    AtOnce,
    /// As [`Self::AtOnce`], beside other things: an answer of the last hour will do.
    Glance,
    /// Whoever asks waits until everybody is counted.
    ToTheEnd,
}

/// The sums while a count goes on.
struct Sums<'a> {
    question: &'a Question,
    config: &'a TenantConfig,
    now: Timestamp,
    effect: Vec<People>,
    asked: BTreeMap<WaveId, u64>,
    all: Reached,
    reached: BTreeMap<String, Reached>,
    times: BTreeMap<Stage, BTreeMap<u64, u64>>,
    members: BTreeMap<GroupId, Members>,
    altogether: i64,
    /// By what, and by which value of it.
    observed: [BTreeMap<String, i64>; 4],
    days: BTreeMap<i64, i64>,
}

const OBSERVED_BY: [rollout_observed::By; 4] = [
    rollout_observed::By::Application,
    rollout_observed::By::Policy,
    rollout_observed::By::Spared,
    rollout_observed::By::Obstacle,
];

impl<'a> Sums<'a> {
    fn new(question: &'a Question, config: &'a TenantConfig, now: Timestamp) -> Self {
        Self {
            question,
            config,
            now,
            effect: Vec::new(),
            asked: BTreeMap::new(),
            all: Reached::default(),
            reached: BTreeMap::new(),
            times: BTreeMap::new(),
            members: BTreeMap::new(),
            altogether: 0,
            observed: Default::default(),
            days: BTreeMap::new(),
        }
    }

    /// Adds the people of a part.
    async fn add(&mut self, connection: &mut Connection, part: &Part) -> storage::Result<()> {
        let tenant = self.config.tenant.id;
        let (of, abandoned) = ((tenant, part), self.now.minus(LONGEST));
        match self.question {
            Question::Effect { settings } => {
                let found = rollout_effect::effect(connection, tenant, settings, part).await?;
                self.effect.resize(found.len(), People::default());
                for (sum, more) in self.effect.iter_mut().zip(found) {
                    *sum = sum.and(more);
                }
            }
            Question::Progress => {
                for (wave, people) in places::asked(tenant, part).ask(connection).await? {
                    *self.asked.entry(wave).or_default() += u64::try_from(people).unwrap_or(0);
                }
                let by_wave = (By::Wave, &Filter::default());
                self.reach(rollout_funnel::reached(connection, of, by_wave, abandoned).await?);
                self.observe(connection, of).await?;
            }
            Question::Funnel(asked) => {
                let filter = asked.filter(self.now);
                let nothing = (By::Nothing, &filter);
                let all = rollout_funnel::reached(connection, of, nothing, abandoned).await?;
                // Among people of whom none was asked there is nothing else to see.
                if let Some((_, reached)) = all.into_iter().next() {
                    self.all = self.all.and(reached);
                    for (stage, times) in rollout_funnel::times(connection, of, &filter).await? {
                        let sums = self.times.entry(stage).or_default();
                        for (seconds, people) in times {
                            *sums.entry(seconds).or_default() += people;
                        }
                    }
                    if asked.by != By::Nothing {
                        self.reach(rollout_funnel::reached(connection, of, (asked.by, &filter), abandoned).await?);
                    }
                }
                if asked.by == By::Group {
                    for (group, members) in rollout_funnel::members(connection, of).await? {
                        let sum = self.members.entry(group).or_default();
                        *sum = sum.and(members);
                    }
                }
            }
        }
        Ok(())
    }

    fn reach(&mut self, found: Vec<(String, Reached)>) {
        for (item, reached) in found {
            let sum = self.reached.entry(item).or_default();
            *sum = sum.and(reached);
        }
    }

    async fn observe(&mut self, connection: &mut Connection, of: (TenantId, &Part)) -> storage::Result<()> {
        let altogether = rollout_observed::people_altogether(of, self.now).ask(connection).await?;
        if altogether == 0 {
            return Ok(());
        }
        self.altogether += altogether;
        for (by, sums) in OBSERVED_BY.into_iter().zip(&mut self.observed) {
            for counted in rollout_observed::people(of, self.now, by).ask(connection).await? {
                *sums.entry(counted.key).or_default() += counted.people;
            }
        }
        for (day, people) in rollout_observed::days(of, self.now).ask(connection).await? {
            *self.days.entry(day).or_default() += people;
        }
        Ok(())
    }

    /// The answer, as a document.
    fn answer(self) -> serde_json::Value {
        let value = match self.question {
            Question::Effect { .. } => serde_json::to_value(&self.effect),
            Question::Progress => serde_json::to_value(self.progress()),
            Question::Funnel(asked) => serde_json::to_value(self.funnel(asked)),
        };
        value.unwrap_or_default()
    }

    fn progress(self) -> Progress {
        let [applications, policies, reasons, obstacles] = self.observed.map(most_first);
        Progress {
            asked: self.asked.into_iter().collect(),
            reached: self.reached.into_iter().collect(),
            observed: Observations {
                people: self.altogether,
                applications,
                policies,
                reasons,
                obstacles,
                days: self.days.into_iter().rev().collect(),
            },
        }
    }

    fn funnel(self, asked: &Asked) -> Told {
        let times: Vec<(Stage, funnel::Times)> =
            self.times.into_iter().map(|(stage, times)| (stage, times.into_iter().collect())).collect();
        let mut found: Vec<(String, Reached)> = self.reached.into_iter().collect();
        found.sort_by(|(a, one), (b, other)| other.at(Stage::Asked).cmp(&one.at(Stage::Asked)).then_with(|| a.cmp(b)));
        let slices = if asked.by == By::Group {
            // The groups that the settings name, whether anybody of them was asked or not; then the others.
            let settings = &self.config.settings.self_provisioning;
            let mut listed: Vec<GroupId> = settings.groups.clone();
            listed.extend(settings.staging.wave.iter().flat_map(|wave| wave.groups.iter().copied()));
            listed.extend(found.iter().filter_map(|(id, _)| id.parse::<GroupId>().ok()));
            let mut seen = HashSet::new();
            listed.retain(|group| seen.insert(*group));
            let found: BTreeMap<String, Reached> = found.into_iter().collect();
            let slice = |group: GroupId| {
                let reached = found.get(&group.to_string()).copied().unwrap_or_default();
                (group.to_string(), reached, Some(self.members.get(&group).copied().unwrap_or_default()))
            };
            listed.into_iter().take(MOST_SLICES).map(slice).collect()
        } else {
            found.into_iter().take(MOST_SLICES).map(|(id, reached)| (id, reached, None)).collect()
        };
        Told { reached: self.all, bars: funnel::bars(&self.all, &times), slices }
    }
}

impl Asked {
    fn filter(&self, now: Timestamp) -> Filter {
        Filter {
            since: Some(now.minus(Duration::from_secs(u64::from(self.days) * 86_400))),
            group: self.group,
            platform: self.platform.clone(),
            language: self.language.clone(),
            wave: self.wave,
        }
    }
}

fn most_first(sums: BTreeMap<String, i64>) -> Vec<Observed> {
    let mut found: Vec<Observed> = sums.into_iter().map(|(key, people)| Observed { key, people }).collect();
    found.sort_by(|one, other| other.people.cmp(&one.people).then_with(|| one.key.cmp(&other.key)));
    found
}

/// Counts a question, at most so many parts; `None` if there are more people than that. `told` hears of each part how many
/// people were looked at, and says whether to go on.
async fn count(
    house: &House,
    config: &TenantConfig,
    question: &Question,
    (most, now): (usize, Timestamp),
    told: impl AsyncFn(usize, u64) -> storage::Result<bool>,
) -> storage::Result<Option<serde_json::Value>> {
    let mut sums = Sums::new(question, config, now);
    let (mut before, mut people): (Option<Part>, u64) = (None, 0);
    for number in 1..=most {
        let part = house
            .db
            .look(async |connection| {
                let part = parts::next(connection, config.tenant.id, before.as_ref(), PART).await?;
                sums.add(connection, &part).await?;
                Ok(part)
            })
            .await?;
        people += part.people;
        if part.last {
            return Ok(Some(sums.answer()));
        }
        before = Some(part);
        if !told(number, people).await? {
            return Ok(None);
        }
        // Others have their turn.
        tokio::task::yield_now().await;
    }
    Ok(None)
}

fn read<T: DeserializeOwned + Default>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap_or_default()
}

fn hash(text: &str) -> String {
    BASE64URL_NOPAD.encode(&Sha256::digest(text))
}

/// Asks a question whose answer is a `T`.
///
/// # Errors
/// If the database fails.
pub async fn ask<T: DeserializeOwned + Default>(
    house: &House,
    config: &TenantConfig,
    question: &Question,
    pace: Pace,
) -> storage::Result<Reply<T>> {
    let now = house.clock.now();
    let on = async |_, _| Ok(true);
    if pace == Pace::ToTheEnd {
        let value = count(house, config, question, (usize::MAX, now), on).await?.unwrap_or_default();
        return Ok(Reply::Counted { at: now, value: read(value), again: false });
    }
    let (tenant, text) = (config.tenant.id, question.text());
    let id = hash(&text);
    let known = house.db.look(async |connection| tallies::one(tenant, &id).ask(connection).await).await?;
    let Some(known) = known else {
        if let Some(value) = count(house, config, question, (AT_ONCE, now), on).await? {
            return Ok(Reply::Counted { at: now, value: read(value), again: false });
        }
        begin(house, tenant, question).await?;
        return Ok(Reply::Counting { looked_at: 0 });
    };
    let reply = match &known.answer {
        Some(answer) => {
            let age = now.micros().saturating_sub(answer.at.micros());
            let fresh = if pace == Pace::Glance { GLANCED } else { FRESH };
            let old = now.since(answer.at) >= fresh && age / PATIENCE >= answer.took;
            if known.begun_at.is_none() && old {
                begin(house, tenant, question).await?;
            }
            let value = read(serde_json::from_str(&answer.text).unwrap_or_default());
            Reply::Counted { at: answer.at, value, again: known.begun_at.is_some() || old }
        }
        None => Reply::Counting { looked_at: known.looked_at },
    };
    if now.since(known.asked_at) >= Duration::from_secs(60 * 60) {
        house
            .db
            .write_soon(async |connection| tallies::wanted(tenant, &id, now).run(connection).await.map(drop))
            .await?;
    }
    Ok(reply)
}

/// Has a question counted anew, unless it is being counted. Among few people that happens whenever it is asked.
///
/// # Errors
/// If the database fails.
pub async fn again(house: &House, config: &TenantConfig, question: &Question) -> storage::Result<()> {
    let (tenant, id) = (config.tenant.id, hash(&question.text()));
    let known = house.db.look(async |connection| tallies::one(tenant, &id).ask(connection).await).await?;
    if known.is_some() { begin(house, tenant, question).await } else { Ok(()) }
}

async fn begin(house: &House, tenant: TenantId, question: &Question) -> storage::Result<()> {
    let (text, now) = (question.text(), house.clock.now());
    let id = hash(&text);
    let work = async |connection: &mut Connection| {
        tallies::beginning(connection.engine(), (tenant, &id), &text, now).run(connection).await.map(drop)
    };
    house.db.write_soon(work).await
}

/// Counts what waits longest, if no other instance counts; what cannot be counted keeps nothing else waiting, which may be another
/// virtual server's. Says whether there was anything.
///
/// # Errors
/// If the database fails, or if nothing could be counted.
pub async fn round(house: &House, owner: CorrelationId) -> storage::Result<bool> {
    let waiting = house.db.look(async |connection| tallies::begun().ask(connection).await).await?;
    if waiting.is_empty() {
        return Ok(false);
    }
    let mine = async || {
        let now = house.clock.now();
        house.db.write_soon(async |connection| leases::acquire(connection, "tally", owner, now, SHIFT).await).await
    };
    if !mine().await? {
        return Ok(false);
    }
    let (mut done, mut round) = (false, Round::default());
    for tally in &waiting {
        done = round.of(format_args!("a count of {}", tally.tenant), counted(house, tally, &mine).await).is_some();
        if done {
            break;
        }
    }
    // Whoever has less to do may go on with the next.
    house.db.write_soon(async |connection| leases::release(connection, "tally", owner).await).await?;
    if done { Ok(true) } else { round.end(false) }
}

/// Counts one question, for as long as it is this instance's turn.
async fn counted(house: &House, tally: &Tally, mine: impl AsyncFn() -> storage::Result<bool>) -> storage::Result<()> {
    let question = serde_json::from_str::<Question>(&tally.question).ok();
    let config = house
        .db
        .look(async |connection| match tenants::code_of(tally.tenant).ask(connection).await? {
            Some(code) => tenants::config(connection, &code).await,
            None => Ok(None),
        })
        .await?;
    let (Some(question), Some(config)) = (question, config) else {
        // An older version of this program asked, or the virtual server is gone.
        return house.db.write_soon(async |connection| tallies::dropped(tally).run(connection).await.map(drop)).await;
    };
    let began = house.clock.now();
    let told = async |number: usize, people: u64| {
        if number.is_multiple_of(TOLD) {
            came(house, tally, people).await?;
            return mine().await;
        }
        Ok(true)
    };
    let Some(value) = count(house, &config, &question, (usize::MAX, began), told).await? else { return Ok(()) };
    let took = house.clock.now().micros().saturating_sub(began.micros());
    let answer = Answer { at: began, took, text: value.to_string() };
    house.db.write_soon(async |connection| tallies::end(connection, tally, &answer).await.map(drop)).await
}

async fn came(house: &House, tally: &Tally, people: u64) -> storage::Result<()> {
    house.db.write_soon(async |connection| tallies::came(tally, people).run(connection).await.map(drop)).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::policy::staging::Mode;

    /// a draft is the same question whenever it is read, and whatever its waves are called.
    #[test]
    fn a_question_is_what_its_answer_depends_on() {
        let wave = |bits, name: &str, percent| Wave {
            id: WaveId::from_bits(bits),
            name: name.to_owned(),
            starts_at: Timestamp::from_seconds(i64::try_from(bits).unwrap_or(0)),
            groups: Vec::new(),
            percent,
            most_per_day: 0,
            postponements: None,
            deadline: None,
        };
        let with = |rollout, waves| {
            let staging = Staging { rollout, wave: waves, ..Staging::default() };
            hash(&Question::effect(&SelfProvisioning { staging, ..SelfProvisioning::default() }).text())
        };
        let one = with(Mode::Waves, vec![wave(7, "Pilot", 10)]);
        assert_eq!(one, with(Mode::Waves, vec![wave(8, "The first", 10)]));
        assert_ne!(one, with(Mode::Waves, vec![wave(7, "Pilot", 11)]));
        assert_ne!(one, with(Mode::Observe, vec![wave(7, "Pilot", 10)]));
        assert!(one.len() <= 43);
    }

    #[test]
    fn questions_read_back() {
        let funnel = Asked { by: By::Group, days: 7, group: None, platform: None, language: None, wave: None };
        for question in [Question::effect(&SelfProvisioning::default()), Question::Progress, Question::Funnel(funnel)] {
            let text = question.text();
            assert_eq!(serde_json::from_str::<Question>(&text).expect("a question"), question, "{text}");
        }
    }
}
