//! What the virtual server is called, its language, and its help desk.

use actix_web::HttpRequest;
use actix_web::http::Method;
use serde::{Deserialize, Serialize};

use super::io::{Body, Query, if_match, versioned};
use super::problem::Problem;
use super::saved::Anyway;
use super::{Answer, Api};
use crate::domain::operator::{Deed, Module};
use crate::domain::tenant::Organization;
use crate::flow::administration::configuration::mark_of;
use crate::flow::administration::organization;
use crate::http::guard::Program;
use crate::i18n::Language;

/// The organization.
#[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "Organization")]
#[serde(deny_unknown_fields)]
struct OrganizationView {
    /// Its name, as pages and mails show it.
    #[schemars(length(min = 1, max = 200))]
    name: String,
    /// The tag of the language where nothing better is known: `en`, `de`, `fr`, `it`, `nl`, `es`, `zh-Hans` or `zh-Hant`.
    default_language: String,
    /// How people reach the help desk.
    #[schemars(length(max = 300))]
    help_contact: String,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let needs = |deed| Module::Settings.needs(deed);
    api.get("organization", needs(Deed::Access), "Name, language and help desk", show)
        .gives::<OrganizationView>(200)
        .versioned();
    api.route(Method::PUT, "organization", needs(Deed::Edit), "Change name, language and help desk", put)
        .query::<Anyway>()
        .takes::<OrganizationView>()
        .gives::<OrganizationView>(200)
        .versioned();
}

fn shown(organization: Organization) -> Answer {
    let mark = mark_of(&organization);
    let Organization { name, default_language, help_contact } = organization;
    Ok(versioned(mark, &OrganizationView { name, default_language, help_contact }))
}

async fn show(program: Program) -> Answer {
    shown(Organization::of(&program.call.realm.config))
}

async fn put(
    program: Program,
    request: HttpRequest,
    Query(anyway): Query<Anyway>,
    Body(view): Body<OrganizationView>,
) -> Answer {
    let read = if_match(&request)?;
    let language = view.default_language.parse::<Language>();
    let language = language.map_err(|error| Problem::field("default_language", error.to_string()))?;
    let wanted =
        Organization { name: view.name, default_language: language.tag().to_owned(), help_contact: view.help_contact };
    let code = program.call.realm.code();
    shown(organization::change(&program.desk(), code, read, &wanted, anyway.despite()).await?)
}
