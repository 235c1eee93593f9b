//! Access policies.

use actix_web::HttpRequest;
use actix_web::http::Method;
use serde::{Deserialize, Serialize};

use super::io::{Body, Named, Query, done, if_match, versioned};
use super::problem::Problem;
use super::saved::Anyway;
use super::{Answer, Api};
use crate::domain::ids::PolicyId;
use crate::domain::operator::{Deed, Module};
use crate::domain::policy::access::AccessPolicy;
use crate::domain::policy::draft::PolicyDraft;
use crate::domain::tenant::TenantConfig;
use crate::flow::administration::configuration::current;
use crate::flow::administration::policies::{self, Move, mark, order_mark};
use crate::http::guard::Program;

/// A policy with its identifier.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "AccessPolicy")]
struct PolicyView {
    /// Its identifier.
    id: String,
    /// Whether it is the global one.
    global: bool,
    /// What it says.
    #[serde(flatten)]
    says: PolicyDraft,
}

/// All policies; the `ETag` is that of their order.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "AccessPolicies")]
struct PoliciesView {
    /// The ranked ones, the first match decides.
    ranked: Vec<PolicyView>,
    /// What applies where none of them does.
    global: PolicyView,
}

/// Where a policy is ranked.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rank {
    /// The place from now on; 1 is the first.
    #[schemars(range(min = 1, max = 500))]
    rank: usize,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let needs = |deed| Module::AccessPolicies.needs(deed);
    api.get("access-policies", needs(Deed::Access), "All access policies, in order", list)
        .gives::<PoliciesView>(200)
        .versioned();
    api.route(Method::POST, "access-policies", needs(Deed::Add), "Add a policy after the ranked ones", make)
        .query::<Anyway>()
        .takes::<PolicyDraft>()
        .gives::<PolicyView>(201);
    api.get("access-policies/{policy}", needs(Deed::Access), "A policy", show).gives::<PolicyView>(200).versioned();
    api.route(Method::PUT, "access-policies/{policy}", needs(Deed::Edit), "Change a policy", put)
        .query::<Anyway>()
        .takes::<PolicyDraft>()
        .gives::<PolicyView>(200)
        .versioned();
    api.route(Method::DELETE, "access-policies/{policy}", needs(Deed::Delete), "Remove a ranked policy", remove)
        .query::<Anyway>()
        .gives_nothing()
        .versioned();
    api.route(
        Method::PUT,
        "access-policies/{policy}/rank",
        needs(Deed::Edit),
        "Rank a policy elsewhere; If-Match is the ETag of all policies",
        rank,
    )
    .query::<Anyway>()
    .takes::<Rank>()
    .gives_nothing()
    .versioned();
}

fn view(policy: &AccessPolicy, config: &TenantConfig) -> PolicyView {
    let global = policy.id == config.policies.global.id;
    PolicyView { id: policy.id.to_string(), global, says: PolicyDraft::of(policy, config) }
}

async fn configured(program: &Program) -> Result<TenantConfig, Problem> {
    Ok(current(&program.desk(), program.call.realm.code()).await?)
}

async fn list(program: Program) -> Answer {
    let config = configured(&program).await?;
    let ranked = config.policies.exceptions.iter().map(|policy| view(policy, &config)).collect();
    let global = view(&config.policies.global, &config);
    Ok(versioned(order_mark(&config.policies), &PoliciesView { ranked, global }))
}

async fn show(program: Program, Named(id): Named<PolicyId>) -> Answer {
    let config = configured(&program).await?;
    let policy = policies::find(&config.policies, id).ok_or_else(Problem::not_found)?;
    Ok(versioned(mark(policy), &view(policy, &config)))
}

async fn make(program: Program, Query(anyway): Query<Anyway>, Body(draft): Body<PolicyDraft>) -> Answer {
    let code = program.call.realm.code();
    let policy = policies::create(&program.desk(), code, &draft, anyway.despite()).await?;
    Ok(super::io::created(&view(&policy, &configured(&program).await?)))
}

async fn put(
    program: Program,
    request: HttpRequest,
    Named(id): Named<PolicyId>,
    Query(anyway): Query<Anyway>,
    Body(draft): Body<PolicyDraft>,
) -> Answer {
    let (code, version) = (program.call.realm.code(), if_match(&request)?);
    let policy = policies::change(&program.desk(), code, (id, version), &draft, anyway.despite()).await?;
    Ok(versioned(mark(&policy), &view(&policy, &configured(&program).await?)))
}

async fn remove(
    program: Program,
    request: HttpRequest,
    Named(id): Named<PolicyId>,
    Query(anyway): Query<Anyway>,
) -> Answer {
    let (code, version) = (program.call.realm.code(), if_match(&request)?);
    policies::remove(&program.desk(), code, (id, version), anyway.despite()).await?;
    Ok(done())
}

async fn rank(
    program: Program,
    request: HttpRequest,
    Named(id): Named<PolicyId>,
    Query(anyway): Query<Anyway>,
    Body(Rank { rank }): Body<Rank>,
) -> Answer {
    if rank == 0 || rank > policies::MOST {
        return Err(Problem::field("rank", "from 1 to 500"));
    }
    let (code, version) = (program.call.realm.code(), if_match(&request)?);
    policies::rank(&program.desk(), code, (id, version), Move::To(rank), anyway.despite()).await?;
    Ok(done())
}
