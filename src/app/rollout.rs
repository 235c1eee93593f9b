//! The rollout beside the doors: the brake as a job, and `vestibule rollout …`.

pub mod arguments;

use std::path::PathBuf;
use std::time::Duration;

use actix_web::{rt, web};
use anyhow::Context as _;

use self::arguments::Rollout;
use super::helpdesk::arguments::{OfTenant, Shape};
use super::helpdesk::{Place, Said};
use crate::apply::run;
use crate::config::Settings;
use crate::domain::audit::Actor;
use crate::domain::funnel::spoken;
use crate::domain::ids::CorrelationId;
use crate::domain::name::key_of;
use crate::domain::policy::staging::Wave;
use crate::flow::administration::rollout_told::{EffectTold, FunnelTold, PeopleTold, RolloutTold, parts_table};
use crate::flow::administration::tally::{self, Asked, Pace};
use crate::flow::administration::{Desk, rollout};
use crate::flow::round::Round;
use crate::http::Site;
use crate::storage::rollout_funnel::By;
use crate::storage::{self, Connection, leases, tenants};

/// How often the brake looks.
const EVERY: Duration = Duration::from_secs(60);

/// Looks until the task is aborted.
pub async fn forever(site: web::Data<Site>, owner: CorrelationId) {
    loop {
        rt::time::sleep(EVERY).await;
        match once(&site, owner).await {
            Ok(0) => {}
            Ok(paused) => tracing::warn!(paused, "waves of the rollout pause"),
            Err(error) => tracing::warn!(%error, "the rollout could not be looked at"),
        }
    }
}

/// How often it is looked whether there is something to count.
const COUNT: Duration = Duration::from_millis(500);

/// Counts what is to be counted over everybody, until the task is aborted.
pub async fn count_forever(site: web::Data<Site>, owner: CorrelationId) {
    loop {
        match tally::round(&site.house, owner).await {
            Ok(true) => {}
            Ok(false) => rt::time::sleep(COUNT).await,
            Err(error) => {
                tracing::warn!(%error, "people could not be counted");
                rt::time::sleep(20 * COUNT).await;
            }
        }
    }
}

/// One round, if no other instance does it. A wave is paused once all the same. Says how many were.
///
/// # Errors
/// If the database fails.
pub async fn once(site: &Site, owner: CorrelationId) -> storage::Result<usize> {
    let house = &site.house;
    let now = house.clock.now();
    let mine = async |connection: &mut Connection| leases::acquire(connection, "rollout", owner, now, EVERY).await;
    if !house.db.write(mine).await? {
        return Ok(0);
    }
    round(site).await
}

/// One round, whoever else does one. Says how many waves were paused.
///
/// # Errors
/// If the database fails.
pub async fn round(site: &Site) -> storage::Result<usize> {
    let house = &site.house;
    let desk = Desk { house, actor: Actor::System, address: String::new(), now: house.clock.now() };
    let (mut paused, mut round) = (0, Round::default());
    for code in house.db.look(async |connection| tenants::codes(connection).await).await? {
        let realm = match house.realm(&code).await {
            Ok(Some(realm)) => realm,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(tenant = %code, %error, "a virtual server cannot be read");
                continue;
            }
        };
        paused += round.of(&code, rollout::brake(&desk, &realm).await).map_or(0, |waves| waves.len());
    }
    round.end(paused)
}

/// Carries out a command.
///
/// # Errors
/// If there is no such virtual server, wave or group, what is wrong in a file, or what the database says.
pub async fn run(settings: &Settings, asked: Rollout) -> anyhow::Result<Said> {
    match asked {
        Rollout::Show { tenant, shape } => show(settings, &tenant, shape).await,
        Rollout::Effect { file, tenant, shape } => effect(settings, file, &tenant, shape).await,
        Rollout::Pause { wave, everybody, tenant, shape } => {
            let place = Place::of(settings, tenant.tenant.as_deref()).await?;
            let wave = find(&place, &wave)?;
            let desk = super::commands::desk(&place.site);
            let work = async |connection: &mut Connection| {
                rollout::pause(&desk, connection, place.tenant, wave, everybody).await
            };
            let changed = place.site.house.db.write(work).await?;
            told(&wave.name, (true, changed), shape)
        }
        Rollout::Resume { wave, tenant, shape } => {
            let place = Place::of(settings, tenant.tenant.as_deref()).await?;
            let wave = find(&place, &wave)?;
            let desk = super::commands::desk(&place.site);
            let work = async |connection: &mut Connection| rollout::resume(&desk, connection, place.tenant, wave).await;
            let changed = place.site.house.db.write(work).await?;
            told(&wave.name, (false, changed), shape)
        }
        Rollout::Funnel { by, days, group, wave, platform, language, tenant, shape } => {
            let place = Place::of(settings, tenant.tenant.as_deref()).await?;
            let group = match group {
                Some(name) => {
                    let found = place.config.groups.iter().find(|group| key_of(&group.name) == key_of(&name));
                    Some(found.with_context(|| format!("there is no group \"{name}\""))?.id)
                }
                None => None,
            };
            let wave = wave.map(|name| find(&place, &name).map(|wave| wave.id)).transpose()?;
            funnel(&place, &Asked { by, days, group, platform, language, wave }, shape).await
        }
    }
}

/// The wave with this name.
fn find<'a>(place: &'a Place, name: &str) -> anyhow::Result<&'a Wave> {
    let waves = &place.config.settings.self_provisioning.staging.wave;
    let found = waves.iter().find(|wave| key_of(&wave.name) == key_of(name));
    found.with_context(|| {
        let names: Vec<&str> = waves.iter().map(|wave| wave.name.as_str()).collect();
        format!("there is no wave \"{name}\"; there are: {}", names.join(", "))
    })
}

/// How a wave is now, and whether that is new.
fn told(wave: &str, (paused, changed): (bool, bool), shape: Shape) -> anyhow::Result<Said> {
    if shape.json {
        return printed(&serde_json::json!({ "wave": wave, "paused": paused, "changed": changed }));
    }
    let words = match (paused, changed) {
        (true, true) => "paused",
        (true, false) => "was paused already",
        (false, true) => "goes on",
        (false, false) => "was not paused",
    };
    Ok(Said::line(format!("{wave}: {words}")))
}

fn printed(told: &impl serde::Serialize) -> anyhow::Result<Said> {
    Ok(Said::line(serde_json::to_string_pretty(told)?))
}

fn people(told: &PeopleTold) -> String {
    let PeopleTold { targeted, with_authenticator, asked, without_mail, recovering, disabled } = told;
    let people = if *targeted == 1 { "person" } else { "people" };
    let have = |number: u64| if number == 1 { "has" } else { "have" };
    let (with, without) = (have(*with_authenticator), have(*without_mail));
    let accounts = if *disabled == 1 { "account is" } else { "accounts are" };
    format!(
        "{targeted} {people}: {with_authenticator} {with} an authenticator, {asked} would be asked, of these {without_mail} \
         {without} no mail address and {recovering} had an authenticator before; besides, {disabled} {accounts} disabled"
    )
}

async fn show(settings: &Settings, tenant: &OfTenant, shape: Shape) -> anyhow::Result<Said> {
    let place = Place::of(settings, tenant.tenant.as_deref()).await?;
    let now = place.site.house.clock.now();
    let state = rollout::state(&place.site.house, &place.config, Pace::ToTheEnd).await?;
    let told = RolloutTold::of(&state, &place.config, now);
    if shape.json {
        return printed(&told);
    }
    let mut lines = vec![format!("rollout: {}", told.rollout)];
    for wave in &told.waves {
        let cap = if wave.most_per_day == 0 { String::new() } else { format!(" of {}", wave.most_per_day) };
        lines.push(format!(
            "wave {}: {}, from {}: {} asked ({}{cap} today), {} started, {} enrolled, {} failed",
            wave.name,
            wave.state,
            wave.starts_at,
            wave.counts.was_asked.unwrap_or(0),
            wave.asked_today,
            wave.counts.started.unwrap_or(0),
            wave.counts.completed.unwrap_or(0),
            wave.counts.failed.unwrap_or(0)
        ));
        lines.extend(wave.counts.people.iter().map(|counted| format!("  {}", people(counted))));
        if let Some(pause) = &wave.pause {
            let everybody = if pause.everybody { ", everybody goes on as before" } else { "" };
            lines.push(format!("  paused since {}: {}{everybody}", pause.since, pause.reason));
        }
    }
    lines.extend(told.in_no_wave.iter().map(|rest| format!("in no wave: {}", people(rest))));
    let observed = told.observed.iter();
    lines.extend(observed.map(|seen| format!("let in as before in the last 30 days: {} people", seen.people)));
    let obstacles = told.observed.iter().flat_map(|seen| &seen.obstacles);
    for obstacle in obstacles.filter(|obstacle| !obstacle.item.is_empty()) {
        lines.push(format!("  {} of them could not have enrolled: {}", obstacle.people, obstacle.item));
    }
    Ok(Said::lines(lines))
}

async fn effect(settings: &Settings, file: Option<PathBuf>, tenant: &OfTenant, shape: Shape) -> anyhow::Result<Said> {
    let place = Place::of(settings, tenant.tenant.as_deref()).await?;
    let config = match &file {
        None => place.config.clone(),
        Some(file) => {
            let drafts = run::draft(&super::commands::desk(&place.site), file).await?;
            let mine = drafts.into_iter().find(|(code, _, _)| *code == place.config.tenant.code);
            mine.with_context(|| format!("the file says nothing of tenant \"{}\"", place.config.tenant.code))?.2
        }
    };
    let (house, draft) = (&place.site.house, &config.settings.self_provisioning);
    let effect = rollout::effect(house, &config, draft, Pace::ToTheEnd).await?.value();
    let told = EffectTold::from(&effect.context("everybody was counted")?.1);
    if shape.json {
        return printed(&told);
    }
    let mut lines = vec![people(&told.all)];
    lines.extend(told.waves.iter().map(|wave| format!("wave {}: {}", wave.wave, people(&wave.people))));
    if !told.waves.is_empty() {
        lines.push(format!("in no wave: {}", people(&told.in_no_wave)));
    }
    for application in &told.applications {
        let policies = if application.policies.is_empty() {
            String::new()
        } else {
            format!(" ({})", application.policies.join(", "))
        };
        lines.push(format!("application {} asks for a passcode: {}{policies}", application.name, application.asks));
    }
    Ok(Said::lines(lines))
}

async fn funnel(place: &Place, asked: &Asked, shape: Shape) -> anyhow::Result<Said> {
    let by = asked.by;
    let funnel = rollout::funnel(&place.site.house, &place.config, asked, Pace::ToTheEnd).await?.value();
    let funnel = funnel.context("everybody was counted")?.1;
    if shape.json {
        return printed(&FunnelTold::of(&funnel, by.id()));
    }
    let mut lines = Vec::new();
    for bar in &funnel.bars {
        let time = |seconds: Option<u64>| seconds.map_or_else(|| "-".to_owned(), |it| spoken(Duration::from_secs(it)));
        lines.push(format!(
            "{:<28} {:>8} {:>5}.{}% {:>8} stopped   median {}, 95 % {}",
            bar.stage.words(),
            bar.people,
            bar.share / 10,
            bar.share % 10,
            bar.stopped,
            time(bar.median_seconds),
            time(bar.p95_seconds)
        ));
    }
    if by != By::Nothing {
        lines.push(String::new());
        lines.extend(parts_table(&funnel, by.id()).into_iter().map(|row| row.join("\t")));
    }
    Ok(Said::lines(lines))
}
