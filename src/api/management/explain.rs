//! What a person would meet at a login, the test cases that policies are held against, and preflight.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::Method;
use serde::{Deserialize, Serialize};

use super::io::{Body, Named, Page, Query, created, done, if_match, ok, versioned};
use super::problem::{FieldProblem, Problem};
use super::{Answer, Api};
use crate::domain::ids::TestCaseId;
use crate::domain::name::key_of;
use crate::domain::operator::{Deed, Module};
use crate::domain::policy::test_case::{TestCase, TestCaseDraft};
use crate::domain::preflight::Finding;
use crate::domain::tenant::TenantConfig;
use crate::flow::administration::configuration::current;
use crate::flow::administration::test_cases;
use crate::flow::explain::{Asked, Explanation, Person, explain};
use crate::flow::preflight;
use crate::flow::test_cases::{Outcome, judge};
use crate::http::Look;
use crate::http::guard::Program;
use crate::storage::{Connection, test_cases as stored};

/// What is asked.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// A user name.
    user: String,
    /// The name of an application.
    application: String,
    /// Where the person comes from.
    #[schemars(with = "String")]
    address: IpAddr,
}

/// A test case with what comes out now.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct TestCaseView {
    /// Its identifier.
    id: String,
    /// What it says.
    #[serde(flatten)]
    says: TestCaseDraft,
    /// What comes out of it now.
    outcome: Outcome,
}

/// What was found before people come.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct PreflightView {
    /// About this virtual server.
    tenant: Vec<Finding>,
    /// About what is around it.
    surroundings: Vec<Finding>,
}

/// Where a test mail goes.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct TestMail {
    /// One address.
    #[schemars(length(min = 3, max = 254))]
    address: String,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let needs = |deed| Module::Explain.needs(deed);
    api.get("explain", needs(Deed::Access), "What a person would meet at a login, and why", show)
        .query::<Wanted>()
        .gives::<Explanation>(200);
    api.get("test-cases", needs(Deed::Access), "All test cases, and what comes out of each now", cases)
        .gives::<Page<TestCaseView>>(200);
    api.route(Method::POST, "test-cases", needs(Deed::Add), "Add a test case", make)
        .takes::<TestCaseDraft>()
        .gives::<TestCaseView>(201);
    api.get("test-cases/{case}", needs(Deed::Access), "A test case", case).gives::<TestCaseView>(200).versioned();
    api.route(Method::PUT, "test-cases/{case}", needs(Deed::Edit), "Change a test case", put)
        .takes::<TestCaseDraft>()
        .gives::<TestCaseView>(200)
        .versioned();
    api.route(Method::DELETE, "test-cases/{case}", needs(Deed::Delete), "Remove a test case", remove)
        .gives_nothing()
        .versioned();
    api.get("preflight", Module::Preflight.needs(Deed::Access), "Whether everything is right", before)
        .gives::<PreflightView>(200);
    api.route(
        Method::POST,
        "preflight/test-mail",
        Module::Preflight.needs(Deed::Edit),
        "Send a test mail, and see what the mail server answers",
        mail,
    )
    .takes::<TestMail>()
    .gives::<Finding>(200);
}

async fn configured(program: &Program) -> Result<TenantConfig, Problem> {
    Ok(current(&program.desk(), program.call.realm.code()).await?)
}

async fn show(program: Program, Query(wanted): Query<Wanted>) -> Answer {
    let config = configured(&program).await?;
    let house = &program.call.site.house;
    let mut all = config.applications.iter().chain([&config.console]);
    let application = all.find(|it| key_of(&it.name) == key_of(&wanted.application));
    let question = async |connection: &mut Connection| {
        let person = Person::named(house, connection, &config, &wanted.user).await?;
        match (person, application) {
            (Some(person), Some(application)) => {
                let (address, at) = (wanted.address, program.now());
                let asked = Asked { config: &config, application, address, at };
                explain(connection, asked, &person).await.map(Ok)
            }
            (person, _) => Ok(Err(person.is_some())),
        }
    };
    match house.db.look(question).await? {
        Ok(told) => Ok(ok(&told)),
        Err(known) => {
            let problem = |field: &str| FieldProblem { field: field.to_owned(), message: "there is none".to_owned() };
            let user = (!known).then(|| problem("user"));
            let application = application.is_none().then(|| problem("application"));
            Err(Problem::invalid(user.into_iter().chain(application).collect()))
        }
    }
}

async fn views(program: &Program, cases: Vec<TestCase>) -> Result<Vec<TestCaseView>, Problem> {
    let config = configured(program).await?;
    let (house, now) = (&program.call.site.house, program.now());
    let question = async |connection: &mut Connection| {
        let outcomes = judge(house, connection, &cases, None, &config, now).await?;
        let mut views = Vec::with_capacity(cases.len());
        for (case, outcome) in cases.iter().zip(outcomes) {
            let says = test_cases::draft_of(connection, &config, case).await?;
            views.push(TestCaseView { id: case.id.to_string(), says, outcome });
        }
        Ok(views)
    };
    Ok(house.db.look(question).await?)
}

async fn view(program: &Program, case: TestCase) -> Result<TestCaseView, Problem> {
    views(program, vec![case]).await?.pop().ok_or_else(Problem::not_found)
}

async fn cases(program: Program) -> Answer {
    let tenant = program.call.realm.tenant();
    let all = program.call.site.house.db.look(async |connection| stored::all(tenant).ask(connection).await).await?;
    Ok(ok(&Page { items: views(&program, all).await?, next: None }))
}

async fn case(program: Program, Named(id): Named<TestCaseId>) -> Answer {
    let tenant = program.call.realm.tenant();
    let house = &program.call.site.house;
    let found = house.db.look(async |connection| stored::with_id(tenant, id).ask(connection).await).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    Ok(versioned(found.version, &view(&program, found).await?))
}

async fn make(program: Program, Body(draft): Body<TestCaseDraft>) -> Answer {
    let case = test_cases::create(&program.desk(), &configured(&program).await?, &draft).await?;
    Ok(created(&view(&program, case).await?))
}

async fn put(
    program: Program,
    request: HttpRequest,
    Named(id): Named<TestCaseId>,
    Body(draft): Body<TestCaseDraft>,
) -> Answer {
    let target = (id, if_match(&request)?);
    let case = test_cases::change(&program.desk(), &configured(&program).await?, target, &draft).await?;
    Ok(versioned(case.version, &view(&program, case).await?))
}

async fn remove(program: Program, request: HttpRequest, Named(id): Named<TestCaseId>) -> Answer {
    let target = (id, if_match(&request)?);
    test_cases::remove(&program.desk(), &configured(&program).await?, target).await?;
    Ok(done())
}

async fn before(program: Program) -> Answer {
    let config = configured(&program).await?;
    let site = &program.call.site;
    let tenant = preflight::of_tenant(&site.house, &config, program.now()).await?;
    Ok(ok(&PreflightView { tenant, surroundings: site.look(Look::Surroundings).await }))
}

async fn mail(program: Program, Body(TestMail { address }): Body<TestMail>) -> Answer {
    if let Err(words) = crate::domain::user::checked_email(&address) {
        return Err(Problem::field("address", words));
    }
    let found = program.call.site.look(Look::TestMail { to: address.clone(), letter: None }).await.into_iter().next();
    preflight::mail_tested(&program.desk(), program.call.realm.tenant(), &address, found.as_ref()).await?;
    Ok(ok(&found.ok_or_else(Problem::not_found)?))
}
