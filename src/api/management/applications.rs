//! Applications.

use actix_web::HttpRequest;
use actix_web::http::Method;
use serde::{Deserialize, Serialize};

use super::io::{Body, Named, Page, Query, created, done, if_match, ok, versioned};
use super::problem::Problem;
use super::saved::Anyway;
use super::{Answer, Api};
use crate::domain::application::{Application, ApplicationDraft, Protocol};
use crate::domain::ids::ApplicationId;
use crate::domain::name::key_of;
use crate::domain::operator::{Deed, Module};
use crate::domain::secret::ExposeSecret as _;
use crate::domain::tenant::TenantConfig;
use crate::flow::administration::applications::{self, mark};
use crate::flow::administration::configuration::{Despite, current};
use crate::http::guard::Program;

/// An application with its identifier; its secret is never shown again.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Application")]
struct ApplicationView {
    /// Its identifier.
    id: String,
    /// `oidc`, `saml` or `portal`.
    protocol: &'static str,
    /// Everything else.
    #[serde(flatten)]
    says: ApplicationDraft,
}

/// An application of a list.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct ApplicationListed {
    /// Its identifier.
    id: String,
    /// Its name.
    name: String,
    /// `oidc`, `saml` or `portal`.
    protocol: &'static str,
    /// The client identifier or the entity ID.
    key: String,
    /// Whether people can log in to it.
    active: bool,
}

/// An application that was made.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct ApplicationMade {
    /// Its identifier.
    id: String,
    /// Its client identifier, if it speaks OpenID Connect.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    /// The secret that was made for it; it is not shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
}

/// Which applications.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Search {
    /// A part of the name, the client identifier or the entity ID.
    q: String,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many there are on a page, 1 to 200; 50 if it is not said.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u16>,
}

/// How an application is removed.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Removal {
    /// `true`: it is taken out of the policies and test cases that name it; what named nothing else goes with it.
    clean_up: bool,
    /// `true`: it is removed although a test case that held would not hold any more.
    anyway: bool,
}

/// Whether an application is active.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct State {
    /// Whether people can log in to it.
    active: bool,
}

/// How a secret is replaced.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct NewSecret {
    /// `true`: the one before ends at once, not after a day.
    at_once: bool,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let needs = |deed| Module::Applications.needs(deed);
    api.get("applications", needs(Deed::Access), "Applications, by name", list)
        .query::<Search>()
        .gives::<Page<ApplicationListed>>(200);
    api.route(Method::POST, "applications", needs(Deed::Add), "Add an application; inactive unless it is said", make)
        .query::<Anyway>()
        .takes::<ApplicationDraft>()
        .gives::<ApplicationMade>(201);
    api.get("applications/{application}", needs(Deed::Access), "An application", show)
        .gives::<ApplicationView>(200)
        .versioned();
    api.route(Method::PUT, "applications/{application}", needs(Deed::Edit), "Change an application", put)
        .query::<Anyway>()
        .takes::<ApplicationDraft>()
        .gives::<ApplicationView>(200)
        .versioned();
    api.route(Method::PUT, "applications/{application}/state", needs(Deed::Edit), "Activate or stop it", state)
        .query::<Anyway>()
        .takes::<State>()
        .gives::<ApplicationView>(200)
        .versioned();
    api.route(Method::POST, "applications/{application}/secret", needs(Deed::Edit), "Make a new secret", secret)
        .takes::<NewSecret>()
        .gives::<ApplicationMade>(201)
        .versioned();
    api.route(Method::DELETE, "applications/{application}", needs(Deed::Delete), "Remove an application", remove)
        .query::<Removal>()
        .gives_nothing()
        .versioned();
}

async fn configured(program: &Program) -> Result<TenantConfig, Problem> {
    Ok(current(&program.desk(), program.call.realm.code()).await?)
}

const fn protocol(application: &Application) -> &'static str {
    match application.protocol {
        Protocol::Oidc(_) => "oidc",
        Protocol::Saml(_) => "saml",
        Protocol::Portal | Protocol::Console => "portal",
    }
}

async fn view(program: &Program, application: &Application) -> Result<ApplicationView, Problem> {
    let config = configured(program).await?;
    let house = &program.call.site.house;
    let says = house.db.look(async |connection| applications::draft_of(connection, &config, application).await).await?;
    Ok(ApplicationView { id: application.id.to_string(), protocol: protocol(application), says })
}

async fn list(program: Program, Query(search): Query<Search>) -> Answer {
    let limit = super::io::Paging { after: None, limit: search.limit }.limit()?;
    let config = configured(&program).await?;
    let wanted = |application: &&Application| {
        key_of(&format!("{} {}", application.name, application.protocol.key())).contains(&key_of(&search.q))
    };
    let mut found: Vec<&Application> = config.applications.iter().filter(wanted).collect();
    found.sort_by_key(|application| key_of(&application.name));
    let after = search.after.as_deref().map(key_of);
    let rest = found.into_iter().filter(|it| after.as_ref().is_none_or(|after| key_of(&it.name) > *after));
    let mut part: Vec<&Application> = rest.take(usize::from(limit) + 1).collect();
    let more = part.len() > usize::from(limit);
    part.truncate(usize::from(limit));
    let next = part.last().filter(|_| more).map(|last| last.name.clone());
    let listed = |application: &&Application| ApplicationListed {
        id: application.id.to_string(),
        name: application.name.clone(),
        protocol: protocol(application),
        key: application.protocol.key().split_once(':').map_or(String::new(), |(_, key)| key.to_owned()),
        active: application.active,
    };
    Ok(ok(&Page { items: part.iter().map(listed).collect(), next }))
}

async fn known(program: &Program, id: ApplicationId) -> Result<Application, Problem> {
    let config = configured(program).await?;
    config.applications.into_iter().find(|application| application.id == id).ok_or_else(Problem::not_found)
}

async fn show(program: Program, Named(id): Named<ApplicationId>) -> Answer {
    let application = known(&program, id).await?;
    Ok(versioned(mark(&application), &view(&program, &application).await?))
}

fn made(stored: applications::Stored) -> ApplicationMade {
    ApplicationMade {
        id: stored.application.id.to_string(),
        client_id: match &stored.application.protocol {
            Protocol::Oidc(client) => Some(client.client_id.clone()),
            Protocol::Saml(_) | Protocol::Portal | Protocol::Console => None,
        },
        client_secret: stored.secret.map(|secret| secret.expose_secret().to_owned()),
    }
}

async fn make(program: Program, Query(anyway): Query<Anyway>, Body(draft): Body<ApplicationDraft>) -> Answer {
    let (code, reads) = (program.call.realm.code(), program.call.site.reads_metadata);
    let stored = applications::create(&program.desk(), code, &draft, reads, anyway.despite()).await?;
    Ok(created(&made(stored)))
}

async fn put(
    program: Program,
    request: HttpRequest,
    Named(id): Named<ApplicationId>,
    Query(anyway): Query<Anyway>,
    Body(draft): Body<ApplicationDraft>,
) -> Answer {
    let target = (id, if_match(&request)?);
    let (code, reads) = (program.call.realm.code(), program.call.site.reads_metadata);
    let changed = applications::change(&program.desk(), code, target, &draft, reads, anyway.despite()).await?;
    Ok(versioned(mark(&changed), &view(&program, &changed).await?))
}

async fn state(
    program: Program,
    request: HttpRequest,
    Named(id): Named<ApplicationId>,
    Query(anyway): Query<Anyway>,
    Body(State { active }): Body<State>,
) -> Answer {
    let target = (id, if_match(&request)?);
    let code = program.call.realm.code();
    let changed = applications::activate(&program.desk(), code, target, active, anyway.despite()).await?;
    Ok(versioned(mark(&changed), &view(&program, &changed).await?))
}

async fn secret(
    program: Program,
    request: HttpRequest,
    Named(id): Named<ApplicationId>,
    Body(NewSecret { at_once }): Body<NewSecret>,
) -> Answer {
    let target = (id, if_match(&request)?);
    let stored = applications::replace_secret(&program.desk(), program.call.realm.code(), target, at_once).await?;
    Ok(created(&made(stored)))
}

async fn remove(
    program: Program,
    request: HttpRequest,
    Named(id): Named<ApplicationId>,
    Query(Removal { clean_up, anyway }): Query<Removal>,
) -> Answer {
    let target = (id, if_match(&request)?);
    let despite = if anyway { Despite::BrokenCases } else { Despite::Nothing };
    applications::remove(&program.desk(), program.call.realm.code(), target, clean_up, despite).await?;
    Ok(done())
}
