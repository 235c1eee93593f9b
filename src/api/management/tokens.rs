//! Authenticators.

use actix_web::http::Method;
use serde::{Deserialize, Serialize};

use super::io::{Body, Named, Page, Query, done, ok};
use super::jobs::{Begun, begun};
use super::operators::time;
use super::problem::Problem;
use super::users::beyond;
use super::{Answer, Api};
use crate::domain::authenticator::lifecycle::{Disposition, Kind, LockReason, State};
use crate::domain::ids::{TokenId, UserId};
use crate::domain::job::{LARGEST_SELECTION, TokenDeed, TokenStep, Work};
use crate::domain::operator::{Deed, Module};
use crate::domain::policy::platform::Platform;
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::flow::administration::jobs::{self, NewRow};
use crate::flow::administration::{accounts, lists, pins, synchronize, token_states};
use crate::flow::lifecycle::By;
use crate::flow::{self, owner};
use crate::http::files;
use crate::http::guard::Program;
use crate::storage::tokens::{self, Filter, Listed, Name, Token};
use crate::storage::{Connection, users};

/// An authenticator. Neither its secret nor its PIN can be read (T-58, T-62).
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Token")]
struct TokenView {
    /// Its identifier.
    id: String,
    /// Its serial number.
    serial: String,
    /// `app`, `oath_app` or `oath`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// `inventory`, `assigned`, `active`, `suspended`, `locked` or `revoked`.
    state: &'static str,
    /// Why it is locked.
    locked_by: Option<&'static str>,
    /// What became of it, once it is revoked.
    disposition: Option<&'static str>,
    /// The identifier of its owner.
    user: Option<String>,
    /// The user ID of its owner.
    username: Option<String>,
    /// As its owner calls it.
    name: String,
    /// The platform it was enrolled on.
    platform: Option<&'static str>,
    /// When it was enrolled or imported.
    enrolled_at: String,
    /// When a passcode of it was last accepted.
    last_used_at: Option<String>,
    /// The rest; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
}

/// What else is known of an authenticator.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Details {
    /// Since when it is in its state.
    state_since: String,
    /// Why.
    state_reason: String,
    /// What the device told about itself.
    device: serde_json::Value,
    /// `self`, `email`, `portal`, `operator`, `rule` or `import`.
    enrolled_by: &'static str,
    /// From which address.
    enrolled_address: String,
    /// The provisioning rule.
    rule: Option<String>,
    /// The provisioning task.
    task: Option<String>,
    /// When a passcode of it was first accepted.
    first_used_at: Option<String>,
    /// Wrong passcodes in a row.
    failed_count: i64,
    /// Steps that its clock is ahead.
    drift_steps: i64,
    /// The version of the template.
    template_version: u32,
}

/// What the list is narrowed by.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// The beginning of the serial number.
    serial: Option<String>,
    /// The beginning of the owner's user ID.
    user: Option<String>,
    /// The state.
    state: Option<String>,
    /// The type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The platform.
    platform: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many there are on a page, 1 to 200; 50 if it is not said. A page may be short, or empty, while there is more.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u16>,
}

/// How many there are.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Count {
    /// The type.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The state.
    state: &'static str,
    /// How many.
    count: i64,
}

/// A change of the state.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Change {
    /// Why, at most 40 characters.
    #[serde(default)]
    #[schemars(length(max = 40))]
    reason: String,
    /// What became of it: `returned`, `lost`, `faulty` or `for_cause`; for `revoke` alone.
    #[serde(default)]
    disposition: Option<String>,
}

/// A change of the state of many.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Selection {
    /// The identifiers of the authenticators.
    #[schemars(with = "Vec<String>", length(max = 10_000))]
    tokens: Vec<TokenId>,
    /// Why, at most 40 characters.
    #[serde(default)]
    #[schemars(length(max = 40))]
    reason: String,
    /// What became of them: for `revoke` alone.
    #[serde(default)]
    disposition: Option<String>,
}

/// Another name.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct NameWanted {
    /// The name, unique among the owner's.
    #[schemars(length(min = 1, max = 200))]
    name: String,
}

/// Two passcodes, one after the other.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Passcodes {
    /// The first.
    #[schemars(with = "String")]
    first: SecretString,
    /// The second.
    #[schemars(with = "String")]
    second: SecretString,
}

/// A PIN that was given; it is not shown again.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct PinMade {
    /// The PIN.
    pin: String,
}

/// Who gets it.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct OwnerWanted {
    /// The identifier of the account.
    #[schemars(with = "String")]
    user: UserId,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let see = Module::Tokens.needs(Deed::Access);
    let states = Module::TokenStates.needs(Deed::Edit);
    let care = Module::TokenCare.needs(Deed::Edit);
    let give = Module::Tokens.needs(Deed::Edit);
    api.get("tokens", see, "Authenticators, searched and in pages", list)
        .query::<Search>()
        .gives::<Page<TokenView>>(200);
    let summary = "Authenticators that were searched for, all of them without secrets, as a file: csv or json";
    let export_needs = Module::Tokens.needs(Deed::Export);
    api.get("tokens/export/{form}", export_needs, summary, export).query::<Search>().gives_file(files::KINDS);
    api.get("tokens/counts", see, "How many there are of each type in each state", counts).gives::<Page<Count>>(200);
    api.get("tokens/{serial}", see, "One authenticator, with everything that is known of it", show)
        .gives::<TokenView>(200);
    for (deed, one, many) in [
        ("suspend", "Suspend an authenticator", "Suspend many authenticators"),
        ("reactivate", "Let a suspended authenticator work again", "Let many suspended authenticators work again"),
        ("unlock", "Unlock an authenticator", "Unlock many authenticators"),
        ("revoke", "Revoke an authenticator", "Revoke many authenticators"),
    ] {
        let handler =
            move |program: Program, serial: Named<String>, body: Body<Change>| change(program, serial, body, deed);
        api.route(Method::POST, &format!("tokens/{{serial}}/{deed}"), states, one, handler)
            .takes::<Change>()
            .gives::<TokenView>(200);
        let handler = move |program: Program, body: Body<Selection>| selection(program, body, deed);
        api.route(Method::POST, &format!("token-jobs/{deed}"), states, many, handler)
            .takes::<Selection>()
            .gives::<Begun>(202);
    }
    api.route(Method::PUT, "tokens/{serial}/name", care, "Give an authenticator another name", rename)
        .takes::<NameWanted>()
        .gives_nothing();
    api.route(Method::POST, "tokens/{serial}/synchronize", care, "Synchronize with two passcodes", synchronize_it)
        .takes::<Passcodes>()
        .gives_nothing();
    api.route(Method::POST, "tokens/{serial}/pin", care, "Give a new server-side PIN", new_pin).gives::<PinMade>(201);
    api.route(Method::PUT, "tokens/{serial}/owner", give, "Give an imported authenticator to somebody", assign)
        .takes::<OwnerWanted>()
        .gives::<TokenView>(200);
    api.route(Method::DELETE, "tokens/{serial}/owner", give, "Take an imported authenticator back", release)
        .gives::<TokenView>(200);
}

fn view(listed: &Listed, whole: bool) -> TokenView {
    let token = &listed.token;
    let details = || Details {
        state_since: token.state_at.rfc3339(),
        state_reason: token.state_reason.clone(),
        device: token.device.clone(),
        enrolled_by: token.enrolled_by.id(),
        enrolled_address: token.enrolled_address.clone(),
        rule: token.rule.clone(),
        task: token.task.clone(),
        first_used_at: time(token.first_used_at),
        failed_count: token.failed_count,
        drift_steps: token.drift_steps,
        template_version: token.template.version,
    };
    TokenView {
        id: token.id.to_string(),
        serial: token.serial.clone(),
        kind: token.kind.id(),
        state: token.state.id(),
        locked_by: token.lock.map(LockReason::id),
        disposition: token.disposition.map(Disposition::id),
        user: token.user.map(|id| id.to_string()),
        username: listed.username.clone(),
        name: token.name.clone(),
        platform: token.platform.map(Platform::id),
        enrolled_at: token.enrolled_at.rfc3339(),
        last_used_at: time(token.last_used_at),
        details: whole.then(details),
    }
}

fn word<T: std::str::FromStr>(field: &str, text: Option<&str>) -> Result<Option<T>, Problem> {
    let wrong = || Problem::new(400, "malformed", format!("{field}: no such value"));
    text.map(|text| text.parse().map_err(|_| wrong())).transpose()
}

/// What is searched for.
fn filter_of(search: &Search) -> Result<Filter, Problem> {
    Ok(Filter {
        state: word::<State>("state", search.state.as_deref())?,
        kind: word::<Kind>("type", search.kind.as_deref())?,
        platform: word::<Platform>("platform", search.platform.as_deref())?,
        serial: search.serial.as_deref().unwrap_or_default().trim().trim_end_matches('*').to_uppercase(),
        user: search
            .user
            .as_deref()
            .filter(|name| !name.is_empty())
            .map(|name| Name::Begins(name.trim_end_matches('*').to_owned())),
    })
}

async fn export(program: Program, Named(form): Named<String>, Query(search): Query<Search>) -> Answer {
    let kind = files::Kind::named(&form).ok_or_else(Problem::not_found)?;
    if search.after.is_some() || search.limit.is_some() {
        return Err(Problem::new(400, "malformed", "a file has everything: leave out after and limit"));
    }
    let (filter, tenant) = (filter_of(&search)?, program.call.realm.tenant());
    let named = [
        ("serial", !filter.serial.is_empty()),
        ("user", filter.user.is_some()),
        ("state", filter.state.is_some()),
        ("type", filter.kind.is_some()),
        ("platform", filter.platform.is_some()),
    ];
    let filters: Vec<&str> = named.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect();
    lists::exported(&program.desk(), tenant, "tokens", &filters).await?;
    let (site, name) = (program.call.site.clone(), format!("tokens-{}", program.call.realm.code()));
    Ok(files::streamed(kind, &name, lists::TOKENS, move |after| {
        let (site, filter) = (site.clone(), filter.clone());
        async move { lists::tokens(&site.house, tenant, &filter, after.as_deref()).await }
    }))
}

async fn list(program: Program, Query(search): Query<Search>) -> Answer {
    let filter = filter_of(&search)?;
    let paging = super::io::Paging { after: search.after, limit: search.limit };
    let (limit, tenant) = (u32::from(paging.limit()?), program.call.realm.tenant());
    let question = async |connection: &mut Connection| {
        tokens::search(connection, tenant, &filter, paging.after.as_deref(), limit).await
    };
    let found = program.call.site.house.db.look(question).await?;
    Ok(ok(&Page { items: found.entries.iter().map(|one| view(one, false)).collect(), next: found.next }))
}

async fn counts(program: Program) -> Answer {
    let tenant = program.call.realm.tenant();
    let question = async |connection: &mut Connection| tokens::counts(connection, tenant).await;
    let found = program.call.site.house.db.look(question).await?;
    let count = |(kind, state, count): (Kind, State, i64)| Count { kind: kind.id(), state: state.id(), count };
    Ok(ok(&Page { items: found.into_iter().map(count).collect(), next: None }))
}

async fn token(program: &Program, serial: &str) -> Result<Listed, Problem> {
    let (tenant, serial) = (program.call.realm.tenant(), serial.trim().to_uppercase());
    let question = async |connection: &mut Connection| {
        let Some(token) = tokens::with_serial(connection, tenant, &serial).await? else { return Ok(None) };
        let owner = match token.user {
            Some(id) => users::with_id(connection, tenant, id).await?,
            None => None,
        };
        Ok(Some(Listed { token, username: owner.map(|user| user.username) }))
    };
    program.call.site.house.db.look(question).await?.ok_or_else(Problem::not_found)
}

fn is_beyond(program: &Program, user: UserId) -> bool {
    accounts::is_beyond(&program.call.realm.config, &program.permissions, user)
}

/// As [`token`], if this key may change it (T-57).
async fn changeable(program: &Program, serial: &str) -> Result<Token, Problem> {
    let listed = token(program, serial).await?;
    if listed.token.user.is_some_and(|user| is_beyond(program, user)) { Err(beyond()) } else { Ok(listed.token) }
}

async fn show(program: Program, Named(serial): Named<String>) -> Answer {
    Ok(ok(&view(&token(&program, &serial).await?, true)))
}

/// What is asked for.
fn deed(deed: &str, reason: &str, disposition: Option<&str>) -> Result<TokenDeed, Problem> {
    let wrong = || Problem::field("disposition", "must be returned, lost, faulty or for_cause");
    let step = match deed {
        "suspend" => TokenStep::Suspend,
        "reactivate" => TokenStep::Reactivate,
        "unlock" => TokenStep::Unlock,
        _ => TokenStep::Revoke { disposition: disposition.ok_or_else(wrong)?.parse().map_err(|_| wrong())? },
    };
    if reason.chars().count() > 40 || reason.chars().any(char::is_control) {
        return Err(Problem::field("reason", "must have at most 40 characters, none of them a control character"));
    }
    Ok(TokenDeed { step, reason: reason.to_owned() })
}

fn refused(token: &Token, why: &str) -> Problem {
    Problem::new(409, "token.refused", format!("{} {why}", token.serial))
}

async fn change(
    program: Program,
    Named(serial): Named<String>,
    Body(wanted): Body<Change>,
    what: &'static str,
) -> Answer {
    let token = changeable(&program, &serial).await?;
    let deed = deed(what, &wanted.reason, wanted.disposition.as_deref())?;
    let desk = program.desk();
    let work = async |connection: &mut Connection| token_states::carry_out(&desk, connection, &token, &deed).await;
    desk.house.db.write(work).await?.map_err(|why| refused(&token, &why))?;
    show(program, Named(serial)).await
}

async fn selection(program: Program, Body(wanted): Body<Selection>, what: &'static str) -> Answer {
    let deed = deed(what, &wanted.reason, wanted.disposition.as_deref())?;
    if wanted.tokens.is_empty() || wanted.tokens.len() > LARGEST_SELECTION {
        return Err(Problem::field("tokens", format!("1 to {LARGEST_SELECTION}")));
    }
    let tenant = program.call.realm.tenant();
    let question = async |connection: &mut Connection| {
        let mut rows = Vec::with_capacity(wanted.tokens.len());
        for id in &wanted.tokens {
            rows.push(match tokens::with_id(tenant, *id).ask(connection).await? {
                None => NewRow { name: id.to_string(), input: Err("there is no such authenticator".to_owned()) },
                Some(token) if token.user.is_some_and(|user| is_beyond(&program, user)) => NewRow {
                    name: token.serial,
                    input: Err("is an operator's with more permissions than this key has".to_owned()),
                },
                Some(token) => NewRow::token(token.id, &token.serial),
            });
        }
        Ok(rows)
    };
    let rows = program.call.site.house.db.look(question).await?;
    let job = jobs::begin(&program.desk(), tenant, &Work::Tokens(deed), &rows).await?;
    Ok(begun(job))
}

async fn rename(program: Program, Named(serial): Named<String>, Body(wanted): Body<NameWanted>) -> Answer {
    let token = changeable(&program, &serial).await?;
    let desk = program.desk();
    let by = By::desk(&desk);
    let work =
        async |connection: &mut Connection| owner::rename(connection, desk.house, &by, &token, &wanted.name).await;
    desk.house.db.write(work).await?.map_err(|why| Problem::field("name", why.to_string()))?;
    Ok(done())
}

async fn synchronize_it(program: Program, Named(serial): Named<String>, Body(typed): Body<Passcodes>) -> Answer {
    let token = changeable(&program, &serial).await?;
    if token.state != State::Active {
        return Err(refused(&token, "is not active"));
    }
    let typed = (typed.first.expose_secret(), typed.second.expose_secret());
    match synchronize::synchronize(&program.desk(), &program.call.realm.config, &token, typed).await {
        Ok(true) => Ok(done()),
        Ok(false) => {
            let words = "are not two passcodes of it, one after the other and neither used";
            Err(Problem::field("first", words))
        }
        Err(flow::Error::Forbidden) => Err(refused(&token, "answers challenges: there is nothing to synchronize")),
        Err(error) => Err(error.into()),
    }
}

async fn new_pin(program: Program, Named(serial): Named<String>) -> Answer {
    let token = changeable(&program, &serial).await?;
    let policy = program.call.realm.config.settings.server_side_pin;
    match pins::set(&program.desk(), policy, &token, None, true).await {
        Ok(Ok(pin)) => Ok(super::io::created(&PinMade { pin: pin.expose_secret().to_owned() })),
        Ok(Err(_)) => Err(refused(&token, "has no server-side PIN")),
        Err(flow::Error::WrongMoment) => Err(refused(&token, "got another PIN at the same moment")),
        Err(error) => Err(error.into()),
    }
}

async fn assign(program: Program, Named(serial): Named<String>, Body(wanted): Body<OwnerWanted>) -> Answer {
    let token = changeable(&program, &serial).await?;
    let tenant = program.call.realm.tenant();
    let found =
        program.call.site.house.db.look(async |connection| users::with_id(connection, tenant, wanted.user).await);
    let user = found.await?.ok_or_else(|| Problem::field("user", "is none that there is"))?;
    if is_beyond(&program, user.id) {
        return Err(beyond());
    }
    let (desk, config) = (program.desk(), &program.call.realm.config);
    let work = async |connection: &mut Connection| token_states::assign(&desk, connection, config, &token, &user).await;
    desk.house.db.write(work).await?.map_err(|why| refused(&token, &why))?;
    show(program, Named(serial)).await
}

async fn release(program: Program, Named(serial): Named<String>) -> Answer {
    let token = changeable(&program, &serial).await?;
    let desk = program.desk();
    let work = async |connection: &mut Connection| token_states::release(&desk, connection, &token).await;
    desk.house.db.write(work).await?.map_err(|why| refused(&token, &why))?;
    show(program, Named(serial)).await
}
