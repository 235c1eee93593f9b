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
use crate::domain::timestamp::Timestamp;
use crate::flow::administration::rollout_told::{EffectTold, FunnelTold, PeopleTold, RolloutTold, parts_table};
use crate::flow::administration::{Desk, rollout};
use crate::http::Site;
use crate::storage::rollout_funnel::{By, Filter};
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
    let desk = Desk { house, actor: Actor::System, now: house.clock.now() };
    let mut paused = 0;
    for code in house.db.read(async |connection| tenants::codes(connection).await).await? {
        let realm = match house.realm(&code).await {
            Ok(Some(realm)) => realm,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(tenant = %code, %error, "a virtual server cannot be read");
                continue;
            }
        };
        paused += rollout::brake(&desk, &realm).await?.len();
        rollout::tidy(&desk, realm.tenant()).await?;
    }
    Ok(paused)
}

/// Carries out a command.
///
/// # Errors
/// If there is no such virtual server, wave or group, what is wrong in a file, or what the database says.
pub async fn run(settings: &Settings, asked: Rollout) -> anyhow::Result<Said> {
    match asked {
        Rollout::Show { tenant, shape } => show(settings, &tenant, shape).await,
        Rollout::Effect { file, tenant, shape } => effect(settings, file, &tenant, shape).await,
        Rollout::Pause { wave, everybody, tenant } => {
            let place = Place::of(settings, tenant.tenant.as_deref()).await?;
            let wave = find(&place, &wave)?;
            let desk = super::commands::desk(&place.site);
            let work = async |connection: &mut Connection| {
                rollout::pause(&desk, connection, place.tenant, wave, everybody).await
            };
            let changed = place.site.house.db.write(work).await?;
            let words = if changed { "paused" } else { "was paused already" };
            Ok(Said::line(format!("{}: {words}", wave.name)))
        }
        Rollout::Resume { wave, tenant } => {
            let place = Place::of(settings, tenant.tenant.as_deref()).await?;
            let wave = find(&place, &wave)?;
            let desk = super::commands::desk(&place.site);
            let work = async |connection: &mut Connection| rollout::resume(&desk, connection, place.tenant, wave).await;
            let changed = place.site.house.db.write(work).await?;
            let words = if changed { "goes on" } else { "was not paused" };
            Ok(Said::line(format!("{}: {words}", wave.name)))
        }
        Rollout::Funnel { by, days, group, wave, platform, language, tenant, shape } => {
            let place = Place::of(settings, tenant.tenant.as_deref()).await?;
            let now = place.site.house.clock.now();
            let group = match group {
                Some(name) => {
                    let found = place.config.groups.iter().find(|group| key_of(&group.name) == key_of(&name));
                    Some(found.with_context(|| format!("there is no group \"{name}\""))?.id)
                }
                None => None,
            };
            let wave = wave.map(|name| find(&place, &name).map(|wave| wave.id)).transpose()?;
            let since = Some(now.minus(Duration::from_secs(u64::from(days) * 86_400)));
            let filter = Filter { since, group, platform, language, wave };
            funnel(&place, by, &filter, now, shape).await
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

fn printed(told: &impl serde::Serialize) -> anyhow::Result<Said> {
    Ok(Said::line(serde_json::to_string_pretty(told)?))
}

fn people(told: &PeopleTold) -> String {
    let PeopleTold { targeted, with_authenticator, asked, without_mail, recovering, disabled } = told;
    format!(
        "{targeted} people: {with_authenticator} have an authenticator, {asked} would be asked, of these {without_mail} have no \
         mail address and {recovering} had an authenticator before; besides, {disabled} accounts are disabled"
    )
}

async fn show(settings: &Settings, tenant: &OfTenant, shape: Shape) -> anyhow::Result<Said> {
    let place = Place::of(settings, tenant.tenant.as_deref()).await?;
    let now = place.site.house.clock.now();
    let look = async |connection: &mut Connection| rollout::state(connection, &place.config, now).await;
    let told = RolloutTold::of(&place.site.house.db.read(look).await?, &place.config, now);
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
            wave.was_asked,
            wave.asked_today,
            wave.started,
            wave.completed,
            wave.failed
        ));
        lines.push(format!("  {}", people(&wave.people)));
        if let Some(pause) = &wave.pause {
            let everybody = if pause.everybody { ", everybody goes on as before" } else { "" };
            lines.push(format!("  paused since {}: {}{everybody}", pause.since, pause.reason));
        }
    }
    lines.push(format!("in no wave: {}", people(&told.in_no_wave)));
    lines.push(format!("let in as before in the last 30 days: {} people", told.observed.people));
    for obstacle in told.observed.obstacles.iter().filter(|obstacle| !obstacle.item.is_empty()) {
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
    let look = async |connection: &mut Connection| {
        rollout::effect(connection, &config, &config.settings.self_provisioning).await
    };
    let told = EffectTold::from(&place.site.house.db.read(look).await?);
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

async fn funnel(place: &Place, by: By, filter: &Filter, now: Timestamp, shape: Shape) -> anyhow::Result<Said> {
    let look = async |connection: &mut Connection| rollout::funnel(connection, &place.config, (by, filter), now).await;
    let funnel = place.site.house.db.read(look).await?;
    if shape.json {
        return printed(&FunnelTold::of(&funnel, by.id(), now));
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
