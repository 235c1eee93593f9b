//! The rollout as operators see and hold it: its state, its effect in numbers, pausing, resuming, and the brake.

use std::time::Duration;

use serde_json::json;

use super::Desk;
use super::configuration::{Despite, Saved, Settled, Unsaved, mark_of, save_settings};
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
use crate::storage::rollout_effect::{self, People};
use crate::storage::rollout_funnel::{self, By, Filter, Members};
use crate::storage::rollout_observed::{self, Counted};
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

/// From when on the trouble of a wave counts: the window of the brake, and not before it was resumed.
async fn looks_back_to(
    connection: &mut Connection,
    config: &TenantConfig,
    wave: WaveId,
    now: Timestamp,
) -> storage::Result<Timestamp> {
    let window = config.settings.self_provisioning.staging.brake.window();
    let resumed = pauses::resumed_at(config.tenant.id, wave).ask(connection).await?;
    Ok(resumed.map_or_else(|| now.minus(window), |resumed| resumed.max(now.minus(window))))
}

/// How it goes with the people of a wave, as the brake sees it.
async fn trouble(
    connection: &mut Connection,
    config: &TenantConfig,
    wave: WaveId,
    now: Timestamp,
) -> storage::Result<Trouble> {
    let since = looks_back_to(connection, config, wave, now).await?;
    attempts::trouble(config.tenant.id, wave, since, now.minus(LONGEST)).ask(connection).await
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
        let Some(found) = house.db.read(look).await? else { continue };
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
    let system = Desk { actor: Actor::System, ..desk.clone() };
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
    /// People who belong to it and have an account that may be used.
    pub people: People,
    /// People who were asked, ever.
    pub asked: u64,
    /// People who were asked today, and the day's cap is for.
    pub today: u64,
    /// How far people came who were asked.
    pub reached: Reached,
    /// What the brake sees.
    pub trouble: Trouble,
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
    /// Target users who are in none of the waves; without waves, all target users.
    pub rest: People,
    /// What was observed in the last 30 days.
    pub observed: Observations,
}

/// What was observed: different people, who would have been asked and were let in as before.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    /// All of them.
    pub people: i64,
    /// By the application that they came for.
    pub applications: Vec<Counted>,
    /// By the policy that asked for a passcode.
    pub policies: Vec<Counted>,
    /// By why they were not asked.
    pub reasons: Vec<Counted>,
    /// By what would have stopped the enrollment; empty for those whom nothing would have.
    pub obstacles: Vec<Counted>,
    /// By day, since 1970 in UTC, the newest first.
    pub days: Vec<(i64, i64)>,
}

/// How far back observations are counted.
pub const OBSERVED: Duration = Duration::from_secs(30 * 86_400);

/// What was observed since a day.
///
/// # Errors
/// If the database fails.
pub async fn observations(
    connection: &mut Connection,
    config: &TenantConfig,
    since: Timestamp,
) -> storage::Result<Observations> {
    use rollout_observed::{By, days, people, people_altogether};
    let tenant = config.tenant.id;
    let mut applications = people(tenant, since, By::Application).ask(connection).await?;
    for counted in &mut applications {
        let name = counted.key.parse().ok().and_then(|id| config.application(id));
        if let Some(application) = name {
            counted.key.clone_from(&application.name);
        }
    }
    Ok(Observations {
        people: people_altogether(tenant, since).ask(connection).await?,
        applications,
        policies: people(tenant, since, By::Policy).ask(connection).await?,
        reasons: people(tenant, since, By::Spared).ask(connection).await?,
        obstacles: people(tenant, since, By::Obstacle).ask(connection).await?,
        days: days(tenant, since).ask(connection).await?,
    })
}

/// The rollout as it is.
///
/// # Errors
/// If the database fails.
pub async fn state(connection: &mut Connection, config: &TenantConfig, now: Timestamp) -> storage::Result<Rollout> {
    let (tenant, settings) = (config.tenant.id, &config.settings.self_provisioning);
    let effect = rollout_effect::effect(connection, tenant, settings).await?;
    let paused = pauses::all(tenant).ask(connection).await?;
    let asked = places::asked(tenant).ask(connection).await?;
    let reached =
        rollout_funnel::reached(connection, tenant, (By::Wave, &Filter::default()), now.minus(LONGEST)).await?;
    let mut waves = Vec::with_capacity(settings.staging.wave.len());
    for wave in &settings.staging.wave {
        let of = |id: &str| id == wave.id.to_string();
        let taken = places::taken(tenant, wave.id, wave.day(now)).ask(connection).await?;
        waves.push(State {
            wave: wave.clone(),
            pause: paused.iter().find(|pause| pause.wave == wave.id).cloned(),
            people: effect.iter().find(|(id, _)| *id == Some(wave.id)).map(|(_, people)| *people).unwrap_or_default(),
            asked: asked
                .iter()
                .find(|(id, _)| *id == wave.id)
                .map_or(0, |(_, people)| u64::try_from(*people).unwrap_or(0)),
            today: taken.iter().map(|(_, taken)| u64::try_from(*taken).unwrap_or(0)).sum(),
            reached: reached.iter().find(|(id, _)| of(id)).map(|(_, reached)| *reached).unwrap_or_default(),
            trouble: trouble(connection, config, wave.id, now).await?,
        });
    }
    Ok(Rollout {
        mode: settings.staging.rollout,
        waves,
        rest: effect.iter().find(|(id, _)| id.is_none()).map(|(_, people)| *people).unwrap_or_default(),
        observed: observations(connection, config, now.minus(OBSERVED)).await?,
    })
}

/// What settings would do, in numbers.
#[derive(Debug, Clone)]
pub struct Effect {
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
    connection: &mut Connection,
    config: &TenantConfig,
    draft: &SelfProvisioning,
) -> storage::Result<Effect> {
    let found = rollout_effect::effect(connection, config.tenant.id, draft).await?;
    let name = |id| draft.staging.with_id(id).map(|wave| wave.name.clone());
    let application = |application: &crate::domain::application::Application| {
        (application.name.clone(), demand(&config.policies, application.id, Method::Otp))
    };
    Ok(Effect {
        all: found.iter().fold(People::default(), |all, (_, people)| all.and(*people)),
        waves: found.iter().filter_map(|(id, people)| Some((name((*id)?)?, *people))).collect(),
        rest: found.iter().find(|(id, _)| id.is_none()).map(|(_, people)| *people).unwrap_or_default(),
        applications: config.applications.iter().map(application).collect(),
    })
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
    /// Everybody that the filter lets through.
    pub reached: Reached,
    /// Step by step.
    pub bars: Vec<Bar>,
    /// The parts.
    pub slices: Vec<Slice>,
}

/// The parts of a funnel that are shown, at most.
const MOST_SLICES: usize = 200;

/// The funnel of the attempts that `filter` lets through, in parts.
///
/// # Errors
/// If the database fails.
pub async fn funnel(
    connection: &mut Connection,
    config: &TenantConfig,
    (by, filter): (By, &Filter),
    now: Timestamp,
) -> storage::Result<Funnel> {
    let tenant = config.tenant.id;
    let abandoned = now.minus(LONGEST);
    let all = rollout_funnel::reached(connection, tenant, (By::Nothing, filter), abandoned).await?;
    let reached = all.into_iter().next().map(|(_, reached)| reached).unwrap_or_default();
    let times = rollout_funnel::times(connection, tenant, filter).await?;
    let mut slices = Vec::new();
    if by == By::Group {
        // The groups that the settings name, whether anybody of them was asked or not; then the others.
        let settings = &config.settings.self_provisioning;
        let mut listed: Vec<GroupId> = settings.groups.clone();
        listed.extend(settings.staging.wave.iter().flat_map(|wave| wave.groups.iter().copied()));
        let found = rollout_funnel::reached(connection, tenant, (by, filter), abandoned).await?;
        listed.extend(found.iter().filter_map(|(id, _)| id.parse::<GroupId>().ok()));
        let mut seen = std::collections::HashSet::new();
        listed.retain(|group| seen.insert(*group));
        listed.truncate(MOST_SLICES);
        for group in listed {
            let id = group.to_string();
            slices.push(Slice {
                name: config.group_name(group).unwrap_or(&id).to_owned(),
                reached: found.iter().find(|(known, _)| *known == id).map(|(_, reached)| *reached).unwrap_or_default(),
                members: Some(rollout_funnel::members(connection, tenant, group).await?),
            });
        }
    } else if by != By::Nothing {
        let found = rollout_funnel::reached(connection, tenant, (by, filter), abandoned).await?;
        slices.extend(found.into_iter().take(MOST_SLICES).map(|(id, reached)| Slice {
            name: named(config, by, id),
            reached,
            members: None,
        }));
    }
    Ok(Funnel { reached, bars: funnel::bars(&reached, &times), slices })
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
    let wave = (by == By::Wave).then(|| value.parse::<WaveId>().ok()).flatten();
    match wave {
        Some(id) => config
            .settings
            .self_provisioning
            .staging
            .with_id(id)
            .map_or_else(|| format!("removed wave {id}"), |wave| wave.name.clone()),
        None => value,
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
) -> Saved<Effect> {
    let draft = changed(config, Section::SelfProvisioning, entries, now).map_err(Unsaved::Wrong)?;
    let look = async |connection: &mut Connection| effect(connection, config, &draft.self_provisioning).await;
    Ok(house.db.read(look).await?)
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
