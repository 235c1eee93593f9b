//! The settings, section by section: the same values as in the apply file.

use actix_web::HttpRequest;
use actix_web::http::Method;
use serde_json::{Map, Value};

use super::io::{Body, Query, if_match_tag, ok, tagged};
use super::problem::Problem;
use super::saved::Anyway;
use super::{Answer, Api};
use crate::domain::operator::{Deed, Module};
use crate::domain::settings::{Section, tag};
use crate::domain::tenant::TenantConfig;
use crate::flow::administration::rollout_told::{CountingTold, EffectTold};
use crate::flow::administration::{rollout, settings};
use crate::http::guard::{Needs, Program};

/// The values of a section. The keys and values are those of the apply file; groups are given by their names.
#[derive(schemars::JsonSchema)]
#[schemars(rename = "SettingsSection", transparent)]
#[expect(dead_code, reason = "it is the name of the type in the description")]
struct Values(Map<String, Value>);

/// Registers the routes.
pub fn routes(api: &mut Api) {
    api.get("settings", Needs::Any, "Every section that the key may see", all).gives::<Values>(200);
    for section in Section::ALL {
        let path = format!("settings/{}", section.id());
        let needs = |deed| section.module().needs(deed);
        api.get(&path, needs(Deed::Access), "A section of the settings", one).gives::<Values>(200).versioned();
        api.route(Method::PATCH, &path, needs(Deed::Edit), "Lay values over a section of the settings", change)
            .query::<Anyway>()
            .takes::<Values>()
            .gives::<Values>(200)
            .versioned();
    }
    let needs = Module::SelfProvisioning.needs(Deed::Access);
    let summary = "What values of the self-provisioning section would do, in numbers; nothing is stored";
    api.route(Method::POST, "settings/self_provisioning/effect", needs, summary, effect)
        .takes::<Values>()
        .gives::<EffectTold>(200)
        .or_gives::<CountingTold>(202);
}

async fn effect(program: Program, Body(entries): Body<Map<String, Value>>) -> Answer {
    let (house, config) = (&program.call.site.house, &program.call.realm.config);
    let effect = rollout::effect_of(house, config, &entries, program.now()).await?;
    Ok(super::rollout::replied(effect, |effect| EffectTold::from(&effect)))
}

async fn all(program: Program) -> Answer {
    let config = &program.call.realm.config;
    let seen = |section: &Section| program.permissions.may(section.module().needs(Deed::Access));
    let values =
        |section: Section| (section.id().to_owned(), Value::Object(section.of(&config.settings, &config.groups)));
    Ok(ok(&Section::ALL.into_iter().filter(seen).map(values).collect::<Map<_, _>>()))
}

/// The section that the address names.
fn named(request: &HttpRequest) -> Result<Section, Problem> {
    let last = request.path().rsplit('/').next().unwrap_or_default();
    Section::named(last).ok_or_else(Problem::not_found)
}

fn shown(config: &TenantConfig, section: Section) -> Answer {
    let values = section.of(&config.settings, &config.groups);
    Ok(tagged(&tag(&values), &values))
}

async fn one(program: Program, request: HttpRequest) -> Answer {
    shown(&program.call.realm.config, named(&request)?)
}

async fn change(
    program: Program,
    request: HttpRequest,
    Query(anyway): Query<Anyway>,
    Body(entries): Body<Map<String, Value>>,
) -> Answer {
    let (section, read) = (named(&request)?, if_match_tag(&request)?);
    let config = &program.call.realm.config;
    let settled =
        settings::change(&program.desk(), &config.tenant.code, &read, section, &entries, anyway.despite()).await?;
    shown(&settled.config, section)
}
