//! The rollout as operators see and hold it: its state, its effect in numbers, pausing, resuming, and the brake.

use serde_json::json;

use super::Desk;
use super::configuration::{Despite, Saved, Settled, Unsaved, mark_of, save_settings};
use super::tally::{self, Asked, Observations, Pace, Progress, Question, Reply, Told};
use crate::domain::alert::{Alert, Kind};
use crate::domain::audit::{Action, Actor};
use crate::domain::funnel::{self, Bar, Reached};
use crate::domain::ids::{GroupId, TenantId, WaveId};
use crate::domain::login::LONGEST;
use crate::domain::policy::access::{Demand, Method, demand};
use crate::domain::policy::provisioning::SelfProvisioning;
use crate::domain::policy::staging::{Mode, Pause, Pulled, Staging, Trouble, Wave};
use crate::domain::settings::{Section, changed};
use crate::domain::tenant::{TenantCode, TenantConfig};
use crate::domain::timestamp::Timestamp;
use crate::flow::{House, Realm, alerts};
use crate::storage::rollout_effect::People;
use crate::storage::rollout_funnel::{By, Members};
use crate::storage::rollout_observed;
use crate::storage::rollout_pauses::{self as pauses, Written};
use crate::storage::{self, Connection, rollout_attempts as attempts, rollout_places as places};

/// The reason of a pause that an operator made.
pub const BY_HAND: &str = "by_hand";

/// Pauses a wave: nobody new is asked. With `everybody`, people who were asked already go on as before, too. Says whether
/// anything changed.
///
/// # Errors
/// If the database fails.
pub async fn pause(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    wave: &Wave,
    everybody: bool,
) -> storage::Result<bool> {
    let written = Written {
        wave: wave.id,
        pause: Pause { at: desk.now, everybody },
        reason: BY_HAND.to_owned(),
        detail: json!({}),
    };
    let before = pauses::of(tenant, wave.id).ask(connection).await?;
    let changed = match before {
        Some(_) => pauses::set_everybody(connection, tenant, wave.id, everybody).await?,
        None => pauses::insert(connection, tenant, &written).await?,
    };
    if changed {
        let old = before.map(|pause| json!({ "everybody": pause.everybody }));
        let detail = json!({ "wave": wave.name, "reason": BY_HAND, "old": old, "new": { "everybody": everybody } });
        desk.record(connection, tenant, Action::RolloutPaused, ("wave", wave.id.to_string()), detail).await?;
    }
    Ok(changed)
}

/// Lets a wave go on. What went wrong before does not pull the brake again. Says whether it stood still.
///
/// # Errors
/// If the database fails.
pub async fn resume(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    wave: &Wave,
) -> storage::Result<bool> {
    let before = pauses::of(tenant, wave.id).ask(connection).await?;
    let resumed = pauses::remove(connection, tenant, wave.id, desk.now).await?;
    if resumed {
        let since = before.map(|pause| pause.at.rfc3339());
        let detail = json!({ "wave": wave.name, "paused_since": since });
        desk.record(connection, tenant, Action::RolloutResumed, ("wave", wave.id.to_string()), detail).await?;
    }
    Ok(resumed)
}

/// How it goes with the people of a wave, as the brake sees it.
async fn trouble(
    connection: &mut Connection,
    config: &TenantConfig,
    wave: WaveId,
    now: Timestamp,
) -> storage::Result<Trouble> {
    let window = config.settings.self_provisioning.staging.brake.window();
    // What went wrong before it was resumed does not count again, not even if it shows only now.
    let resumed = pauses::resumed_at(config.tenant.id, wave).ask(connection).await?;
    let back_to = |at: Timestamp| resumed.map_or(at, |resumed| resumed.max(at));
    let over = now.minus(LONGEST);
    let looked_at =
        attempts::Window { since: back_to(now.minus(window)), hour_since: back_to(over.minus(window)), over };
    attempts::trouble(config.tenant.id, wave, looked_at).ask(connection).await
}

/// Looks at every wave that goes on, and pauses those in which too many people got stuck: once, with an alert and an audit
/// event. Says which.
///
/// # Errors
/// If the database fails.
pub async fn brake(desk: &Desk<'_>, realm: &Realm) -> storage::Result<Vec<(String, Pulled)>> {
    let (house, config, tenant) = (desk.house, &realm.config, realm.tenant());
    let staging = &config.settings.self_provisioning.staging;
    let mut paused = Vec::new();
    if staging.rollout != Mode::Waves {
        return Ok(paused);
    }
    for wave in staging.wave.iter().filter(|wave| wave.starts_at <= desk.now) {
        // Asked outside of a transaction: hardly ever is there anything to write.
        let look = async |connection: &mut Connection| {
            if pauses::of(tenant, wave.id).ask(connection).await?.is_some() {
                return Ok(None);
            }
            trouble(connection, config, wave.id, desk.now).await.map(Some)
        };
        let Some(found) = house.db.look(look).await? else { continue };
        let Some(pulled) = staging.brake.pulled(found) else { continue };
        let done = house.db.write(async |connection| pull(desk, connection, config, wave, (found, pulled)).await);
        if done.await? {
            house.mail_waits.notify_one();
            paused.push((wave.name.clone(), pulled));
        }
    }
    Ok(paused)
}

/// Pauses a wave because of trouble. Says whether it went on before.
async fn pull(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    wave: &Wave,
    (found, pulled): (Trouble, Pulled),
) -> storage::Result<bool> {
    let tenant = config.tenant.id;
    let (Pulled::Failed(percent) | Pulled::Helped(percent)) = pulled;
    let numbers = json!({ "percent": percent, "asked": found.asked, "completed": found.completed,
        "failed": found.failed, "helped": found.helped });
    let written = Written {
        wave: wave.id,
        pause: Pause { at: desk.now, everybody: false },
        reason: pulled.reason().to_owned(),
        detail: numbers.clone(),
    };
    if !pauses::insert(connection, tenant, &written).await? {
        return Ok(false);
    }
    let detail = json!({ "wave": wave.name, "reason": pulled.reason(), "numbers": numbers });
    let system = Desk { actor: Actor::System, address: String::new(), ..desk.clone() };
    system.record(connection, tenant, Action::RolloutPaused, ("wave", wave.id.to_string()), detail).await?;
    let alert = Alert {
        kind: Kind::RolloutPaused,
        at: desk.now,
        user: None,
        // An alert names what it is about in the person's place; there are many here, and they are a wave.
        username: wave.name.clone(),
        serial: String::new(),
        application: String::new(),
        address: String::new(),
        correlation: None,
        detail: format!("{}: {numbers}", pulled.reason()),
    };
    alerts::raise(connection, desk.house, config, &alert).await?;
    Ok(true)
}

/// Forgets what is not kept any more.
///
/// # Errors
/// If the database fails.
pub async fn tidy(desk: &Desk<'_>, tenant: TenantId) -> storage::Result<()> {
    let forget = async |connection: &mut Connection| {
        rollout_observed::outdated(tenant, desk.now).run(&mut *connection).await?;
        attempts::outdated(tenant, desk.now).run(connection).await.map(drop)
    };
    desk.house.db.write_soon(forget).await
}

/// A wave and how it goes.
#[derive(Debug, Clone)]
pub struct State {
    /// The wave.
    pub wave: Wave,
    /// Whether and why it stands still.
    pub pause: Option<Written>,
    /// What is counted over everybody; `None` while it is counted for the first time.
    pub counted: Option<WaveCounts>,
    /// People who were asked today, and the day's cap is for.
    pub today: u64,
    /// What the brake sees.
    pub trouble: Trouble,
}

/// What is counted over everybody, of a wave.
#[derive(Debug, Clone, Copy, Default)]
pub struct WaveCounts {
    /// People who belong to it and have an account that may be used.
    pub people: People,
    /// People who were asked, ever.
    pub asked: u64,
    /// How far people came who were asked.
    pub reached: Reached,
}

impl State {
    /// In a word: `waits`, `runs` or `paused`.
    #[must_use]
    pub fn word(&self, now: Timestamp) -> &'static str {
        match &self.pause {
            Some(_) => "paused",
            None if now < self.wave.starts_at => "waits",
            None => "runs",
        }
    }
}

/// The rollout as it is.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// How it goes on.
    pub mode: Mode,
    /// Its waves, in their order.
    pub waves: Vec<State>,
    /// What is counted over everybody; `None` while it is counted for the first time.
    pub counted: Option<Counts>,
    /// How many people were looked at by a count that goes on for the first time.
    pub looked_at: u64,
    /// Whether it is counted, for the first time or anew.
    pub counting: bool,
}

/// What is counted over everybody.
#[derive(Debug, Clone)]
pub struct Counts {
    /// As it was then.
    pub at: Timestamp,
    /// Target users who are in none of the waves; without waves, all target users.
    pub rest: People,
    /// What was observed in the last 30 days.
    pub observed: Observations,
}

/// The questions of [`state`].
fn questions(config: &TenantConfig) -> [Question; 2] {
    [Question::effect(&config.settings.self_provisioning), Question::Progress]
}

/// The rollout as it is.
///
/// # Errors
/// If the database fails.
pub async fn state(house: &House, config: &TenantConfig, pace: Pace) -> storage::Result<Rollout> {
    let (tenant, settings, now) = (config.tenant.id, &config.settings.self_provisioning, house.clock.now());
    let [effect, progress] = questions(config);
    let effect: Reply<Vec<People>> = tally::ask(house, config, &effect, pace).await?;
    let progress: Reply<Progress> = tally::ask(house, config, &progress, pace).await?;
    let counting = effect.is_counting() || progress.is_counting();
    let looked_at = effect.looked_at().max(progress.looked_at());
    let counted = effect.value().zip(progress.value());
    let counted = counted.map(|((one, effect), (other, progress))| (one.min(other), effect, progress));
    let look = async |connection: &mut Connection| {
        let paused = pauses::all(tenant).ask(connection).await?;
        let mut waves = Vec::with_capacity(settings.staging.wave.len());
        for (number, wave) in settings.staging.wave.iter().enumerate() {
            let taken = places::taken(tenant, wave.id, wave.day(now)).ask(connection).await?;
            waves.push(State {
                wave: wave.clone(),
                pause: paused.iter().find(|pause| pause.wave == wave.id).cloned(),
                counted: counted.as_ref().map(|(_, effect, progress)| counts_of(wave.id, (number, effect), progress)),
                today: taken.iter().map(|(_, taken)| u64::try_from(*taken).unwrap_or(0)).sum(),
                trouble: trouble(connection, config, wave.id, now).await?,
            });
        }
        Ok(waves)
    };
    let waves = house.db.look(look).await?;
    let counted = counted.map(|(at, effect, progress)| Counts {
        at,
        rest: effect.last().copied().unwrap_or_default(),
        observed: called(config, progress.observed),
    });
    Ok(Rollout { mode: settings.staging.rollout, waves, counted, looked_at, counting })
}

fn counts_of(wave: WaveId, (number, effect): (usize, &[People]), progress: &Progress) -> WaveCounts {
    let id = wave.to_string();
    // The last are those of no wave: all of them, unless the rollout goes wave by wave.
    let people = if number + 1 < effect.len() { effect.get(number).copied() } else { None };
    WaveCounts {
        people: people.unwrap_or_default(),
        asked: progress.asked.iter().find(|(known, _)| *known == wave).map_or(0, |(_, people)| *people),
        reached: progress.reached.iter().find(|(known, _)| *known == id).map(|(_, it)| *it).unwrap_or_default(),
    }
}

/// Applications by their names.
fn called(config: &TenantConfig, mut observed: Observations) -> Observations {
    for counted in &mut observed.applications {
        let known = counted.key.parse().ok().and_then(|id| config.application(id));
        if let Some(application) = known {
            counted.key.clone_from(&application.name);
        }
    }
    observed
}

/// Has everything that is counted for [`state`] counted anew.
///
/// # Errors
/// If the database fails.
pub async fn count_again(house: &House, config: &TenantConfig) -> storage::Result<()> {
    for question in questions(config) {
        tally::again(house, config, &question).await?;
    }
    Ok(())
}

/// What settings would do, in numbers.
#[derive(Debug, Clone)]
pub struct Effect {
    /// As it was then.
    pub at: Timestamp,
    /// All target users.
    pub all: People,
    /// Of each wave, by name, in their order.
    pub waves: Vec<(String, People)>,
    /// Of none of the waves.
    pub rest: People,
    /// What each application asks of people who come to it.
    pub applications: Vec<(String, Demand)>,
}

/// What a draft of the settings would do. Nothing is changed.
///
/// # Errors
/// If the database fails.
pub async fn effect(
    house: &House,
    config: &TenantConfig,
    draft: &SelfProvisioning,
    pace: Pace,
) -> storage::Result<Reply<Effect>> {
    let reply: Reply<Vec<People>> = tally::ask(house, config, &Question::effect(draft), pace).await?;
    let application = |application: &crate::domain::application::Application| {
        (application.name.clone(), demand(&config.policies, application.id, Method::Otp))
    };
    Ok(reply.map(|at, mut found| Effect {
        at,
        all: found.iter().fold(People::default(), |all, people| all.and(*people)),
        rest: found.pop().unwrap_or_default(),
        waves: draft.staging.wave.iter().map(|wave| wave.name.clone()).zip(found).collect(),
        applications: config.applications.iter().map(application).collect(),
    }))
}

/// A part of the funnel: people of one wave, group, platform or language.
#[derive(Debug, Clone)]
pub struct Slice {
    /// What it is; a name that people know.
    pub name: String,
    /// How far they came.
    pub reached: Reached,
    /// The whole group, where it is one.
    pub members: Option<Members>,
}

/// The funnel, as page, CSV and JSON show it.
#[derive(Debug, Clone)]
pub struct Funnel {
    /// As it was then.
    pub at: Timestamp,
    /// Whether it is being counted anew.
    pub again: bool,
    /// Everybody that the filter lets through.
    pub reached: Reached,
    /// Step by step.
    pub bars: Vec<Bar>,
    /// The parts.
    pub slices: Vec<Slice>,
}

/// The funnel of the attempts that are asked for, in parts.
///
/// # Errors
/// If the database fails.
pub async fn funnel(house: &House, config: &TenantConfig, asked: &Asked, pace: Pace) -> storage::Result<Reply<Funnel>> {
    let reply: Reply<Told> = tally::ask(house, config, &Question::Funnel(asked.clone()), pace).await?;
    let again = reply.is_counting();
    Ok(reply.map(|at, told| Funnel {
        at,
        again,
        reached: told.reached,
        bars: if told.bars.is_empty() { funnel::bars(&told.reached, &[]) } else { told.bars },
        slices: told
            .slices
            .into_iter()
            .map(|(id, reached, members)| Slice { name: named(config, asked.by, id), reached, members })
            .collect(),
    }))
}

/// Has a funnel counted anew.
///
/// # Errors
/// If the database fails.
pub async fn count_funnel_again(house: &House, config: &TenantConfig, asked: &Asked) -> storage::Result<()> {
    tally::again(house, config, &Question::Funnel(asked.clone())).await
}

/// What a value of a dimension is called.
fn named(config: &TenantConfig, by: By, value: String) -> String {
    if value.is_empty() {
        return match by {
            By::Wave => "in no wave",
            By::Platform => "none chosen yet",
            By::Nothing | By::Group | By::Language => "unknown",
        }
        .to_owned();
    }
    match by {
        By::Wave => match value.parse::<WaveId>() {
            Ok(id) => config
                .settings
                .self_provisioning
                .staging
                .with_id(id)
                .map_or_else(|| format!("removed wave {id}"), |wave| wave.name.clone()),
            Err(_) => value,
        },
        By::Group => {
            let name = value.parse::<GroupId>().ok().and_then(|id| config.group_name(id)).map(str::to_owned);
            name.unwrap_or(value)
        }
        By::Nothing | By::Platform | By::Language => value,
    }
}

/// What a draft of the self-provisioning section would do, in numbers. Nothing is stored.
///
/// # Errors
/// [`Unsaved::Wrong`] with everything that is wrong; if the database fails.
pub async fn effect_of(
    house: &House,
    config: &TenantConfig,
    entries: &serde_json::Map<String, serde_json::Value>,
    now: Timestamp,
) -> Saved<Reply<Effect>> {
    let draft = changed(config, Section::SelfProvisioning, entries, now).map_err(Unsaved::Wrong)?;
    Ok(effect(house, config, &draft.self_provisioning, Pace::AtOnce).await?)
}

/// What tells two states of waves, brake and mode apart.
#[must_use]
pub fn mark(config: &TenantConfig) -> i64 {
    mark_of(&config.settings.self_provisioning.staging)
}

/// Stores waves, brake and mode, provided that they are still those with the `read` [`mark`].
///
/// # Errors
/// [`Unsaved`]; then nothing was stored.
pub async fn save(
    desk: &Desk<'_>,
    code: &TenantCode,
    read: i64,
    staging: &Staging,
    despite: Despite,
) -> Saved<Settled> {
    let draft = |before: &TenantConfig| {
        if mark(before) != read {
            return Err(Unsaved::ChangedMeanwhile);
        }
        let mut settings = before.settings.clone();
        settings.self_provisioning.staging = staging.clone();
        Ok(settings)
    };
    save_settings(desk, code, despite, draft).await
}
