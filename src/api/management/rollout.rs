//! The rollout and its funnel: what the pages of the console show and do, for programs.

use actix_web::http::Method;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpRequest, HttpResponse};
use schemars::JsonSchema;
use serde::Deserialize;

use super::io::{Body, Named, Query, done, if_match, ok, versioned};
use super::problem::{FieldProblem, Problem};
use super::saved::Anyway;
use super::{Answer, Api};
use crate::domain::ids::WaveId;
use crate::domain::name::key_of;
use crate::domain::operator::{Deed, Module};
use crate::domain::policy::staging::{Staging, Wave};
use crate::flow::administration::rollout;
use crate::flow::administration::rollout_told::{
    CountingTold, EffectTold, FunnelTold, RolloutDraft, RolloutTold, parts_table, table as steps_table,
};
use crate::flow::administration::tally::{Asked, Pace, Reply};
use crate::http::files;
use crate::http::guard::Program;
use crate::storage::Connection;
use crate::storage::rollout_funnel::By;

/// How a wave is paused.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct PauseWanted {
    /// People who were asked already are let in as before, too.
    everybody: bool,
}

/// Which attempts a funnel counts.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FunnelAsked {
    /// In parts: `wave`, `group`, `platform`, `language` or `all`; `wave` if it is not said.
    by: Option<String>,
    /// Of so many days, 1 to 400; 30 if it is not said.
    #[schemars(range(min = 1, max = 400))]
    days: Option<u32>,
    /// The identifier of a wave.
    wave: Option<String>,
    /// The name of a group.
    group: Option<String>,
    /// A platform.
    platform: Option<String>,
    /// A language tag.
    language: Option<String>,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let needs = |deed| Module::Rollout.needs(deed);
    api.get("rollout", needs(Deed::Access), "The waves with state and progress, and what was observed", show)
        .gives::<RolloutTold>(200);
    api.get("rollout/settings", needs(Deed::Access), "How the rollout goes on", settings)
        .gives::<RolloutDraft>(200)
        .versioned();
    api.route(Method::PUT, "rollout/settings", needs(Deed::Edit), "Change how the rollout goes on", save)
        .query::<Anyway>()
        .takes::<RolloutDraft>()
        .gives_nothing()
        .versioned();
    api.route(Method::POST, "rollout/effect", needs(Deed::Access), "What settings would do, in numbers", effect)
        .takes::<RolloutDraft>()
        .gives::<EffectTold>(200)
        .or_gives::<CountingTold>(202);
    api.route(Method::POST, "rollout/count", needs(Deed::Access), "Have people counted anew", count).gives_nothing();
    api.route(Method::POST, "rollout/waves/{wave}/pause", needs(Deed::Edit), "Pause a wave", pause)
        .takes::<PauseWanted>()
        .gives_nothing();
    api.route(Method::POST, "rollout/waves/{wave}/resume", needs(Deed::Edit), "Let a wave go on", resume)
        .gives_nothing();
    api.get(
        "funnel",
        Module::Funnel.needs(Deed::Access),
        "How far people come, where they stop, how long it takes",
        funnel,
    )
    .query::<FunnelAsked>()
    .gives::<FunnelTold>(200)
    .or_gives::<CountingTold>(202);
    for (path, summary, steps) in [
        ("funnel/steps.csv", "The funnel step by step, as a file", true),
        ("funnel/parts.csv", "Its parts, as a file", false),
    ] {
        let handler = move |program: Program, asked: Query<FunnelAsked>| funnel_file(program, asked, steps);
        api.get(path, Module::Funnel.needs(Deed::Export), summary, handler)
            .query::<FunnelAsked>()
            .gives_file(&["text/csv"])
            .or_gives::<CountingTold>(202);
    }
    api.route(
        Method::POST,
        "funnel/count",
        Module::Funnel.needs(Deed::Access),
        "Have the funnel counted anew",
        count_funnel,
    )
    .query::<FunnelAsked>()
    .gives_nothing();
}

async fn show(program: Program) -> Answer {
    let (config, now) = (&program.call.realm.config, program.call.visit.now);
    let state = rollout::state(&program.call.site.house, config, Pace::AtOnce).await?;
    Ok(ok(&RolloutTold::of(&state, config, now)))
}

async fn settings(program: Program) -> Answer {
    let config = &program.call.realm.config;
    Ok(versioned(rollout::mark(config), &RolloutDraft::of(config)))
}

/// The settings that a draft means, or a problem that names each field.
fn staging(program: &Program, draft: &RolloutDraft) -> Result<Staging, Problem> {
    let meant = draft.settings(&program.call.realm.config, &program.call.site.house.entropy);
    meant.map_err(|faults| {
        Problem::invalid(faults.into_iter().map(|(field, message)| FieldProblem { field, message }).collect())
    })
}

async fn save(
    program: Program,
    request: HttpRequest,
    Query(anyway): Query<Anyway>,
    Body(draft): Body<RolloutDraft>,
) -> Answer {
    let read = if_match(&request)?;
    let staging = staging(&program, &draft)?;
    rollout::save(&program.desk(), program.call.realm.code(), read, &staging, anyway.despite()).await?;
    Ok(done())
}

async fn effect(program: Program, Body(draft): Body<RolloutDraft>) -> Answer {
    let config = &program.call.realm.config;
    let mut provisioning = config.settings.self_provisioning.clone();
    provisioning.staging = staging(&program, &draft)?;
    let effect = rollout::effect(&program.call.site.house, config, &provisioning, Pace::AtOnce).await?;
    Ok(replied(effect, |effect| EffectTold::from(&effect)))
}

/// 200 with an answer, or 202 while it is counted.
pub(super) fn replied<T, U: serde::Serialize>(reply: Reply<T>, told: impl FnOnce(T) -> U) -> HttpResponse {
    match reply {
        Reply::Counted { value, .. } => ok(&told(value)),
        Reply::Counting { looked_at } => {
            HttpResponse::Accepted().insert_header((RETRY_AFTER, "2")).json(CountingTold { looked_at })
        }
    }
}

async fn count(program: Program) -> Answer {
    rollout::count_again(&program.call.site.house, &program.call.realm.config).await?;
    Ok(done())
}

fn wave(program: &Program, id: WaveId) -> Result<Wave, Problem> {
    let staging = &program.call.realm.config.settings.self_provisioning.staging;
    staging.with_id(id).cloned().ok_or_else(Problem::not_found)
}

async fn pause(program: Program, Named(id): Named<WaveId>, Body(wanted): Body<PauseWanted>) -> Answer {
    let wave = wave(&program, id)?;
    let (desk, tenant, everybody) = (program.desk(), program.call.realm.tenant(), wanted.everybody);
    let work = async |connection: &mut Connection| rollout::pause(&desk, connection, tenant, &wave, everybody).await;
    desk.house.db.write(work).await?;
    Ok(done())
}

async fn resume(program: Program, Named(id): Named<WaveId>) -> Answer {
    let wave = wave(&program, id)?;
    let (desk, tenant) = (program.desk(), program.call.realm.tenant());
    let work = async |connection: &mut Connection| rollout::resume(&desk, connection, tenant, &wave).await;
    desk.house.db.write(work).await?;
    Ok(done())
}

/// What is asked for, or what is wrong with it.
pub(super) fn asked_for(program: &Program, asked: FunnelAsked) -> Result<Asked, Problem> {
    let config = &program.call.realm.config;
    let wrong = |words: &str| Problem::new(400, "malformed", words.to_owned());
    let by = match &asked.by {
        None => By::Wave,
        Some(text) => By::named(text).ok_or_else(|| wrong("by must be wave, group, platform, language or all"))?,
    };
    let days = asked.days.unwrap_or(30);
    if !(1..=400).contains(&days) {
        return Err(wrong("days must be from 1 to 400"));
    }
    let wave = match &asked.wave {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| wrong("wave must be the identifier of a wave"))?),
    };
    let group = match &asked.group {
        None => None,
        Some(name) => {
            let found = config.groups.iter().find(|group| key_of(&group.name) == key_of(name));
            Some(found.ok_or_else(|| wrong("there is no such group"))?.id)
        }
    };
    Ok(Asked { by, days, group, platform: asked.platform, language: asked.language, wave })
}

async fn funnel(program: Program, Query(asked): Query<FunnelAsked>) -> Answer {
    let asked = asked_for(&program, asked)?;
    let (house, config) = (&program.call.site.house, &program.call.realm.config);
    let found = rollout::funnel(house, config, &asked, Pace::AtOnce).await?;
    Ok(replied(found, |found| FunnelTold::of(&found, asked.by.id())))
}

async fn funnel_file(program: Program, Query(asked): Query<FunnelAsked>, steps: bool) -> Answer {
    let asked = asked_for(&program, asked)?;
    let (house, config) = (&program.call.site.house, &program.call.realm.config);
    Ok(match rollout::funnel(house, config, &asked, Pace::AtOnce).await? {
        Reply::Counted { value, .. } => {
            let (name, rows) = if steps {
                ("funnel-steps", steps_table(&value))
            } else {
                ("funnel-parts", parts_table(&value, asked.by.id()))
            };
            let columns: Vec<&str> = rows.iter().take(1).flatten().map(String::as_str).collect();
            files::whole(files::Kind::Csv, name, &columns, rows.get(1..).unwrap_or_default())
        }
        counting @ Reply::Counting { .. } => replied(counting, |_| ()),
    })
}

async fn count_funnel(program: Program, Query(asked): Query<FunnelAsked>) -> Answer {
    let asked = asked_for(&program, asked)?;
    rollout::count_funnel_again(&program.call.site.house, &program.call.realm.config, &asked).await?;
    Ok(done())
}
