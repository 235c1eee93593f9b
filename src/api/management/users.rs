//! People.

use actix_web::HttpRequest;
use actix_web::http::Method;
use serde::{Deserialize, Serialize};

use super::io::{Body, Named, Page, Query, created, done, if_match, ok, versioned};
use super::jobs::{Begun, begun};
use super::operators::time;
use super::problem::{FieldProblem, Problem};
use super::{Answer, Api};
use crate::domain::authenticator::standing::Standing;
use crate::domain::ids::{GroupId, SessionId, UserId};
use crate::domain::job::{LARGEST_SELECTION, PeopleDeed, Work};
use crate::domain::operator::{Deed, Module};
use crate::domain::policy::rollout::HelpDeskPass;
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{Status, User};
use crate::flow::administration::accounts::{self, Outcome, Typed};
use crate::flow::administration::jobs::{self, NewRow};
use crate::flow::administration::{lists, people as desk_of_people, recovery};
use crate::flow::session;
use crate::http::files;
use crate::http::guard::Program;
use crate::i18n::Language;
use crate::storage::people::{self, AccountState, Filter, Listed, Pattern, Sort};
use crate::storage::{Connection, audit, sessions, users};

/// An account.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "User")]
struct UserView {
    /// Its identifier.
    id: String,
    /// The user ID.
    username: String,
    /// Where codes and enrollment mails go.
    email: Option<String>,
    /// The second name for the login.
    alias: Option<String>,
    /// The given name.
    first_name: String,
    /// The family name.
    last_name: String,
    /// The preferred language, as a tag.
    language: Option<String>,
    /// The telephone number.
    phone: Option<String>,
    /// `enabled`, `disabled`, or `locked` after failures.
    account: &'static str,
    /// How the person stands with authenticators: `none`, `assigned`, `suspended`, `locked` or `active`.
    authenticators: &'static str,
    /// When it was made.
    created_at: String,
    /// The last completed login.
    last_login_at: Option<String>,
    /// The identifiers of the groups that the person is in; not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<String>>,
}

/// What the list is narrowed by. Texts are the beginning, unless they have `*` (any characters) or `?` (one) in them.
#[derive(Debug, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// The user ID.
    username: Option<String>,
    /// The given or the family name.
    name: Option<String>,
    /// The mail address.
    email: Option<String>,
    /// `true`: accounts without a mail address.
    without_email: Option<bool>,
    /// The identifier of a group.
    #[schemars(with = "Option<String>")]
    group: Option<GroupId>,
    /// `enabled`, `disabled` or `locked`.
    account: Option<String>,
    /// `none`, `assigned`, `suspended`, `locked` or `active`.
    authenticators: Option<String>,
    /// `username`, `email`, `last_name` or `first_name`.
    sort: Option<String>,
    /// The `next` of the page before.
    after: Option<String>,
    /// How many there are on a page, 1 to 200; 50 if it is not said. A page may be short, or empty, while there is more.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u16>,
}

/// An account that is to be made or changed.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct UserDraft {
    /// The user ID, unique.
    #[schemars(length(min = 1, max = 200))]
    username: String,
    /// Where codes and enrollment mails go.
    #[serde(default)]
    email: Option<String>,
    /// The given name.
    #[serde(default)]
    first_name: String,
    /// The family name.
    #[serde(default)]
    last_name: String,
    /// The preferred language, as a tag.
    #[serde(default)]
    language: Option<String>,
    /// The telephone number, beginning with `+`.
    #[serde(default)]
    phone: Option<String>,
    /// The second name for the login, unique among user IDs and aliases.
    #[serde(default)]
    alias: Option<String>,
}

/// An account that is to be made.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewUser {
    /// The user ID, unique.
    #[schemars(length(min = 1, max = 200))]
    username: String,
    /// Where codes and enrollment mails go.
    email: String,
    /// The given name.
    #[schemars(length(min = 1, max = 200))]
    first_name: String,
    /// The family name.
    #[schemars(length(min = 1, max = 200))]
    last_name: String,
    /// The preferred language, as a tag.
    #[serde(default)]
    language: Option<String>,
    /// The telephone number, beginning with `+`.
    #[serde(default)]
    phone: Option<String>,
    /// The second name for the login, unique among user IDs and aliases.
    #[serde(default)]
    alias: Option<String>,
    /// The identifiers of groups; wants the permission to change memberships.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    groups: Vec<GroupId>,
    /// The first password.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    password: Option<SecretString>,
}

/// Whether an account may be used.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct StatusWanted {
    /// Whether it may.
    enabled: bool,
}

/// A new password.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct PasswordWanted {
    /// The password, at most 1024 octets.
    #[schemars(with = "String")]
    password: SecretString,
}

/// Groups.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct GroupsWanted {
    /// The identifiers of all groups that the person is in afterwards.
    #[schemars(with = "Vec<String>")]
    groups: Vec<GroupId>,
}

/// Something for many accounts.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Selection {
    /// The identifiers of the accounts.
    #[schemars(with = "Vec<String>", length(max = 10_000))]
    users: Vec<UserId>,
    /// The group, for `enter` and `leave`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    group: Option<GroupId>,
}

/// Temporary codes that are to be made.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct CodesWanted {
    /// How many, 1 to 20.
    #[schemars(range(min = 1, max = 20))]
    count: u8,
    /// Good for so many hours, 1 to 72.
    #[schemars(range(min = 1, max = 72))]
    hours: u8,
}

/// Who may enroll the next authenticator of somebody who had one.
#[derive(Debug, Clone, Copy, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Again {
    /// The person, at the login.
    Allow,
    /// Nobody without the help desk.
    Forbid,
    /// As the rules of the virtual server say.
    Default,
}

/// What is decided of the next authenticator.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct AgainWanted {
    /// Who may enroll it.
    again: Again,
}

/// Codes that were made; they are not shown again.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Codes {
    /// The codes.
    codes: Vec<String>,
    /// Until when they are good.
    expires_at: String,
    /// Whether another operator must confirm it first.
    waits: bool,
}

/// A session.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Session")]
struct SessionView {
    /// Its identifier.
    id: String,
    /// When it was begun.
    started_at: String,
    /// The last access attempt.
    last_seen_at: String,
    /// The address that it was begun from.
    address: String,
    /// What the browser calls itself.
    user_agent: String,
}

/// Something that happened to the person, or that the person did.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct HistoryView {
    /// When.
    at: String,
    /// What: a published name.
    action: String,
    /// What kind of actor.
    actor_kind: String,
    /// What the actor was called, or its identifier.
    actor: String,
    /// From where.
    address: String,
    /// The rest.
    detail: serde_json::Value,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let user = |deed| Module::Users.needs(deed);
    let care = Module::AccountCare.needs(Deed::Edit);
    let codes = |deed| Module::HelpDeskCodes.needs(deed);
    api.get("users", user(Deed::Access), "People, searched and in pages", list)
        .query::<Search>()
        .gives::<Page<UserView>>(200);
    let summary = "People that were searched for, all of them, as a file: csv or json";
    api.get("users/export/{form}", user(Deed::Export), summary, export).query::<Search>().gives_file(files::KINDS);
    api.route(Method::POST, "users", user(Deed::Add), "Make an account", make)
        .takes::<NewUser>()
        .gives::<UserView>(201);
    api.get("users/{user}", user(Deed::Access), "One account", show).gives::<UserView>(200).versioned();
    api.route(Method::PUT, "users/{user}", user(Deed::Edit), "Change the fields of an account", edit)
        .takes::<UserDraft>()
        .gives::<UserView>(200)
        .versioned();
    api.route(Method::DELETE, "users/{user}", user(Deed::Delete), "Erase a person", erase).gives_nothing();
    api.route(Method::POST, "users/{user}/status", user(Deed::Edit), "Enable or disable an account", set_status)
        .takes::<StatusWanted>()
        .gives_nothing();
    api.route(Method::POST, "users/{user}/password", user(Deed::Edit), "Set a password", set_password)
        .takes::<PasswordWanted>()
        .gives_nothing();
    api.route(
        Method::PUT,
        "users/{user}/groups",
        Module::Groups.needs(Deed::Edit),
        "Set the groups of a person",
        set_groups,
    )
    .takes::<GroupsWanted>()
    .gives_nothing();
    api.route(Method::POST, "users/{user}/unlock", care, "Unlock an account", unlock).gives_nothing();
    api.get("users/{user}/sessions", user(Deed::Access), "The sessions of a person", list_sessions)
        .gives::<Page<SessionView>>(200);
    api.get("users/{user}/history", user(Deed::ViewLog), "The last hundred events about a person", history)
        .gives::<Page<HistoryView>>(200);
    api.route(Method::DELETE, "users/{user}/sessions", care, "End every session of a person", end_sessions)
        .gives_nothing();
    api.route(Method::DELETE, "sessions/{session}", care, "End one session", end_session).gives_nothing();
    api.route(Method::POST, "users/{user}/data", user(Deed::Export), "Export what is kept of a person", data)
        .gives::<serde_json::Value>(200);
    api.route(Method::POST, "users/{user}/reopen", codes(Deed::Add), "Open enrollment again", reopen).gives_nothing();
    api.route(
        Method::POST,
        "users/{user}/enroll-again",
        codes(Deed::Add),
        "Decide whether a person who had an authenticator may enroll another at the login; refused where passes take two operators",
        enroll_again,
    )
    .takes::<AgainWanted>()
    .gives_nothing();
    api.route(
        Method::POST,
        "users/{user}/pass",
        codes(Deed::Add),
        "Make a one-time pass; refused where a second operator must confirm it: a key is no operator",
        pass,
    )
    .gives::<Codes>(201);
    api.route(
        Method::POST,
        "users/{user}/pass-confirmation",
        codes(Deed::Add),
        "Confirm a pass of somebody else; refused: a key is no second operator",
        confirm,
    )
    .gives_nothing();
    api.route(Method::POST, "users/{user}/codes", codes(Deed::Add), "Make temporary codes", temporary)
        .takes::<CodesWanted>()
        .gives::<Codes>(201);
    api.route(Method::DELETE, "users/{user}/codes", codes(Deed::Delete), "Void every code and pass", void_codes)
        .gives_nothing();
    for (deed, needs, summary) in [
        ("unlock", care, "Unlock many accounts"),
        ("end_sessions", care, "End the sessions of many people"),
        ("enable", user(Deed::Edit), "Enable many accounts"),
        ("disable", user(Deed::Edit), "Disable many accounts"),
        ("enter", Module::Groups.needs(Deed::Edit), "Put many people into a group"),
        ("leave", Module::Groups.needs(Deed::Edit), "Take many people out of a group"),
        ("resend", Module::Provisioning.needs(Deed::Edit), "Send enrollment mails again to many people"),
    ] {
        let handler = move |program: Program, body: Body<Selection>| selection(program, body, deed);
        api.route(Method::POST, &format!("user-jobs/{deed}"), needs, summary, handler)
            .takes::<Selection>()
            .gives::<Begun>(202);
    }
}

fn view(listed: &Listed, program: &Program, groups: Option<Vec<GroupId>>) -> UserView {
    let user = &listed.user;
    UserView {
        id: user.id.to_string(),
        username: user.username.clone(),
        email: user.email.clone(),
        alias: user.alias.clone(),
        first_name: user.first_name.clone(),
        last_name: user.last_name.clone(),
        language: user.language.clone(),
        phone: user.phone.as_ref().map(|phone| phone.number.clone()),
        account: listed.state(program.now()).id(),
        authenticators: listed.authenticators.id(),
        created_at: listed.created_at.rfc3339(),
        last_login_at: time(listed.last_login_at),
        groups: groups.map(|groups| groups.iter().map(ToString::to_string).collect()),
    }
}

/// A word of a list of words.
fn word<T>(field: &str, text: Option<&str>, find: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
    let wrong = || Problem::new(400, "malformed", format!("{field}: no such value"));
    text.map(|text| find(text).ok_or_else(wrong)).transpose()
}

/// What is searched for.
fn filter_of(search: &Search) -> Result<Filter, Problem> {
    let pattern = |text: &Option<String>| text.as_deref().and_then(Pattern::typed);
    Ok(Filter {
        username: pattern(&search.username),
        name: pattern(&search.name),
        email: pattern(&search.email),
        without_email: search.without_email.unwrap_or(false),
        group: search.group,
        account: word("account", search.account.as_deref(), AccountState::named)?,
        authenticators: word("authenticators", search.authenticators.as_deref(), |text| text.parse::<Standing>().ok())?,
        sort: word("sort", search.sort.as_deref(), Sort::named)?.unwrap_or_default(),
    })
}

async fn export(program: Program, Named(form): Named<String>, Query(search): Query<Search>) -> Answer {
    let kind = files::Kind::named(&form).ok_or_else(Problem::not_found)?;
    if search.after.is_some() || search.limit.is_some() {
        return Err(Problem::new(400, "malformed", "a file has everything: leave out after and limit"));
    }
    let filter = filter_of(&search)?;
    let (tenant, now) = (program.call.realm.tenant(), program.now());
    let named = [
        ("username", filter.username.is_some()),
        ("name", filter.name.is_some()),
        ("email", filter.email.is_some()),
        ("without_email", filter.without_email),
        ("group", filter.group.is_some()),
        ("account", filter.account.is_some()),
        ("authenticators", filter.authenticators.is_some()),
    ];
    let filters: Vec<&str> = named.into_iter().filter(|(_, is_there)| *is_there).map(|(name, _)| name).collect();
    lists::exported(&program.desk(), tenant, "users", &filters).await?;
    let (site, name) = (program.call.site.clone(), format!("users-{}", program.call.realm.code()));
    Ok(files::streamed(kind, &name, lists::PEOPLE, move |after| {
        let (site, filter) = (site.clone(), filter.clone());
        async move { lists::people(&site.house, tenant, &filter, after.as_deref(), now).await }
    }))
}

async fn list(program: Program, Query(search): Query<Search>) -> Answer {
    let filter = filter_of(&search)?;
    let paging = super::io::Paging { after: search.after, limit: search.limit };
    let (limit, tenant, now) = (u32::from(paging.limit()?), program.call.realm.tenant(), program.now());
    let question = async |connection: &mut Connection| {
        people::search(connection, tenant, &filter, paging.after.as_deref(), limit, now).await
    };
    let found = program.call.site.house.db.look(question).await?;
    Ok(ok(&Page { items: found.entries.iter().map(|one| view(one, &program, None)).collect(), next: found.next }))
}

async fn seen(program: &Program, id: UserId) -> Result<(i64, UserView), Problem> {
    let tenant = program.call.realm.tenant();
    let question = async |connection: &mut Connection| {
        let Some(listed) = people::one(tenant, id).ask(connection).await? else { return Ok(None) };
        Ok(Some((listed, users::groups_of(connection, tenant, id).await?)))
    };
    let found = program.call.site.house.db.look(question).await?;
    let (listed, groups) = found.ok_or_else(Problem::not_found)?;
    Ok((listed.version, view(&listed, program, Some(groups))))
}

async fn show(program: Program, Named(id): Named<UserId>) -> Answer {
    let (version, view) = seen(&program, id).await?;
    Ok(versioned(version, &view))
}

/// Why an account of an operator cannot be changed (T-57).
pub fn beyond() -> Problem {
    Problem::new(403, "operator.beyond_own", "the account is an operator's with more permissions than this key has")
}

/// The account, if this key may change it.
async fn account(program: &Program, id: UserId) -> Result<User, Problem> {
    let tenant = program.call.realm.tenant();
    let found = program.call.site.house.db.look(async |connection| users::with_id(connection, tenant, id).await);
    let user = found.await?.ok_or_else(Problem::not_found)?;
    if accounts::is_beyond(&program.call.realm.config, &program.permissions, id) { Err(beyond()) } else { Ok(user) }
}

fn invalid(faults: Vec<accounts::Fault>) -> Problem {
    let field = |fault: accounts::Fault| FieldProblem { field: fault.field.to_owned(), message: fault.words };
    Problem::invalid(faults.into_iter().map(field).collect())
}

/// The tag of a language that we have; nothing for none.
fn language(tag: Option<&str>) -> Result<String, Problem> {
    let Some(tag) = tag.filter(|tag| !tag.is_empty()) else { return Ok(String::new()) };
    let known = Language::of_tag(tag).ok_or_else(|| Problem::field("language", "is none that there is"))?;
    Ok(known.tag().to_owned())
}

fn known(config: &TenantConfig, groups: &[GroupId]) -> Result<(), Problem> {
    let unknown = groups.iter().any(|id| config.group_name(*id).is_none());
    if unknown { Err(Problem::field("groups", "names a group that is not there")) } else { Ok(()) }
}

async fn make(program: Program, Body(new): Body<NewUser>) -> Answer {
    let config = &program.call.realm.config;
    if !new.groups.is_empty() && !program.permissions.may(Module::Groups.needs(Deed::Edit)) {
        return Err(Problem::new(
            403,
            "key.not_permitted",
            "the role of this key does not permit to change memberships",
        ));
    }
    known(config, &new.groups)?;
    let typed = Typed {
        username: new.username,
        email: new.email,
        first_name: new.first_name,
        last_name: new.last_name,
        language: language(new.language.as_deref())?,
        phone: new.phone.unwrap_or_default(),
        alias: new.alias.unwrap_or_default(),
    };
    let made = accounts::create(&program.desk(), config, &typed, &new.groups, new.password.as_ref()).await?;
    let id = made.map_err(invalid)?;
    Ok(created(&seen(&program, id).await?.1))
}

async fn edit(
    program: Program,
    request: HttpRequest,
    Named(id): Named<UserId>,
    Body(draft): Body<UserDraft>,
) -> Answer {
    let user = account(&program, id).await?;
    let version = if_match(&request)?;
    let typed = Typed {
        username: draft.username,
        email: draft.email.unwrap_or_default(),
        first_name: draft.first_name,
        last_name: draft.last_name,
        language: language(draft.language.as_deref())?,
        phone: draft.phone.unwrap_or_default(),
        alias: draft.alias.unwrap_or_default(),
    };
    match accounts::edit(&program.desk(), &program.call.realm.config, user.id, version, &typed).await? {
        Outcome::Done => {
            let (version, view) = seen(&program, id).await?;
            Ok(versioned(version, &view))
        }
        Outcome::Wrong(faults) => Err(invalid(faults)),
        Outcome::Overtaken => Err(Problem::changed_meanwhile()),
    }
}

/// Something that an account is protected from.
fn protected(why: impl std::fmt::Display) -> Problem {
    Problem::new(409, "user.protected", format!("the account {why}"))
}

async fn erase(program: Program, Named(id): Named<UserId>) -> Answer {
    let user = account(&program, id).await?;
    accounts::erase(&program.desk(), &user).await?.map_err(protected)?;
    Ok(done())
}

async fn set_status(program: Program, Named(id): Named<UserId>, Body(wanted): Body<StatusWanted>) -> Answer {
    let user = account(&program, id).await?;
    let status = if wanted.enabled { Status::Enabled } else { Status::Disabled };
    let desk = program.desk();
    let work = async |connection: &mut Connection| accounts::set_status(&desk, connection, (&user, None), status).await;
    desk.house.db.write(work).await?.map_err(protected)?;
    Ok(done())
}

async fn set_password(program: Program, Named(id): Named<UserId>, Body(wanted): Body<PasswordWanted>) -> Answer {
    let user = account(&program, id).await?;
    let set = accounts::set_password(&program.desk(), &user, &wanted.password).await?;
    set.map_err(|fault| invalid(vec![fault]))?;
    Ok(done())
}

async fn set_groups(program: Program, Named(id): Named<UserId>, Body(wanted): Body<GroupsWanted>) -> Answer {
    let user = account(&program, id).await?;
    known(&program.call.realm.config, &wanted.groups)?;
    let mut groups = wanted.groups;
    groups.sort_unstable();
    groups.dedup();
    let desk = program.desk();
    let work = async |connection: &mut Connection| {
        users::hold(connection, user.tenant, user.id).await?;
        desk_of_people::set_groups(&desk, connection, user.tenant, user.id, &groups).await
    };
    desk.house.db.write(work).await?;
    Ok(done())
}

async fn unlock(program: Program, Named(id): Named<UserId>) -> Answer {
    let user = account(&program, id).await?;
    let desk = program.desk();
    desk.house.db.write(async |connection| desk_of_people::unlock(&desk, connection, &user).await).await?;
    Ok(done())
}

async fn list_sessions(program: Program, Named(id): Named<UserId>) -> Answer {
    let tenant = program.call.realm.tenant();
    let question = async |connection: &mut Connection| {
        let Some(user) = users::with_id(connection, tenant, id).await? else { return Ok(None) };
        Ok(Some((user, sessions::described_of(tenant, id).ask(connection).await?)))
    };
    let found = program.call.site.house.db.look(question).await?;
    let (user, found) = found.ok_or_else(Problem::not_found)?;
    let settings = program.call.realm.config.settings.session;
    let alive = found.iter().filter(|one| one.session.alive(settings, user.security_version, program.now()));
    let view = |one: &sessions::Described| SessionView {
        id: one.session.id.to_string(),
        started_at: one.session.started_at.rfc3339(),
        last_seen_at: one.session.last_seen_at.rfc3339(),
        address: one.address.clone(),
        user_agent: one.user_agent.clone(),
    };
    Ok(ok(&Page { items: alive.map(view).collect(), next: None }))
}

async fn history(program: Program, Named(id): Named<UserId>) -> Answer {
    let tenant = program.call.realm.tenant();
    let question =
        async |connection: &mut Connection| audit::newest_about(tenant, &id.to_string(), 100).ask(connection).await;
    let found = program.call.site.house.db.look(question).await?;
    let view = |event: crate::domain::audit::chain::Entry| HistoryView {
        at: Timestamp::from_micros(event.at).rfc3339(),
        action: event.action,
        actor_kind: event.actor_kind,
        actor: event.actor_name.unwrap_or(event.actor),
        address: event.address,
        detail: serde_json::from_str(&event.detail).unwrap_or_default(),
    };
    Ok(ok(&Page { items: found.into_iter().map(view).collect(), next: None }))
}

async fn end_sessions(program: Program, Named(id): Named<UserId>) -> Answer {
    let user = account(&program, id).await?;
    let desk = program.desk();
    desk.house.db.write(async |connection| desk_of_people::end_sessions(&desk, connection, &user).await).await?;
    Ok(done())
}

async fn end_session(program: Program, Named(id): Named<SessionId>) -> Answer {
    let (desk, tenant) = (program.desk(), program.call.realm.tenant());
    let found = desk.house.db.look(async |connection| sessions::with_id(connection, tenant, id).await).await?;
    let session = found.ok_or_else(Problem::not_found)?;
    account(&program, session.user).await?;
    desk.house.db.write(async |connection| session::ended_by(&desk, connection, &session).await).await?;
    Ok(done())
}

async fn data(program: Program, Named(id): Named<UserId>) -> Answer {
    let user = account(&program, id).await?;
    let (desk, config) = (program.desk(), &program.call.realm.config);
    let work = async |connection: &mut Connection| accounts::personal_data(&desk, connection, config, user.id).await;
    Ok(ok(&desk.house.db.write(work).await?.ok_or_else(Problem::not_found)?))
}

async fn reopen(program: Program, Named(id): Named<UserId>) -> Answer {
    let user = account(&program, id).await?;
    let desk = program.desk();
    desk.house.db.write(async |connection| recovery::reopen(&desk, connection, &user).await).await?;
    Ok(done())
}

async fn enroll_again(program: Program, Named(id): Named<UserId>, Body(wanted): Body<AgainWanted>) -> Answer {
    let user = account(&program, id).await?;
    let (desk, config) = (program.desk(), &program.call.realm.config);
    let allowed = match wanted.again {
        Again::Allow => Some(true),
        Again::Forbid => Some(false),
        Again::Default => None,
    };
    let work =
        async |connection: &mut Connection| recovery::enroll_again(&desk, connection, config, &user, allowed).await;
    let two = |why: recovery::TakesTwo| Problem::new(409, "enrollment.two_operators", why.to_string());
    desk.house.db.write(work).await?.map_err(two)?;
    Ok(done())
}

async fn pass(program: Program, Named(id): Named<UserId>) -> Answer {
    let user = account(&program, id).await?;
    let (desk, config) = (program.desk(), &program.call.realm.config);
    if config.settings.self_provisioning.gates.help_desk_pass == HelpDeskPass::None {
        return Err(Problem::new(409, "pass.off", "passes are switched off in the self-provisioning settings"));
    }
    let work = async |connection: &mut Connection| recovery::pass(&desk, connection, config, &user).await;
    let made = desk.house.db.write(work).await?.map_err(two_operators)?;
    let codes = vec![made.code.expose_secret().to_owned()];
    Ok(created(&Codes { codes, expires_at: made.expires_at.rfc3339(), waits: made.waits }))
}

async fn confirm(program: Program, Named(id): Named<UserId>) -> Answer {
    let user = account(&program, id).await?;
    let (desk, config) = (program.desk(), &program.call.realm.config);
    let work = async |connection: &mut Connection| recovery::confirm_pass(&desk, connection, config, &user).await;
    let none = || Problem::new(409, "pass.none", "there is no pass that this key may confirm");
    desk.house.db.write(work).await?.map_err(two_operators)?.ok_or_else(none)?;
    Ok(done())
}

/// Somebody with a key and an account is one person (T-62).
fn two_operators(why: recovery::Nameless) -> Problem {
    Problem::new(409, "pass.two_operators", why.to_string())
}

async fn temporary(program: Program, Named(id): Named<UserId>, Body(wanted): Body<CodesWanted>) -> Answer {
    let user = account(&program, id).await?;
    if !(1..=recovery::MOST_CODES).contains(&wanted.count) {
        return Err(Problem::field("count", format!("1 to {}", recovery::MOST_CODES)));
    }
    if !(1..=recovery::LONGEST_HOURS).contains(&wanted.hours) {
        return Err(Problem::field("hours", format!("1 to {}", recovery::LONGEST_HOURS)));
    }
    let (desk, config) = (program.desk(), &program.call.realm.config);
    let work = async |connection: &mut Connection| {
        recovery::temporary(&desk, connection, config, &user, (wanted.hours, wanted.count)).await
    };
    let made = desk.house.db.write(work).await?;
    let until = desk.now.plus(std::time::Duration::from_secs(u64::from(wanted.hours) * 3600));
    let codes = made.iter().map(|code| code.expose_secret().to_owned()).collect();
    Ok(created(&Codes { codes, expires_at: until.rfc3339(), waits: false }))
}

async fn void_codes(program: Program, Named(id): Named<UserId>) -> Answer {
    let user = account(&program, id).await?;
    let desk = program.desk();
    desk.house.db.write(async |connection| recovery::void(&desk, connection, &user).await).await?;
    Ok(done())
}

/// Accounts as rows of a job; whoever is an operator with more permissions is left out, with the reason (T-57).
pub async fn rows(program: &Program, ids: &[UserId]) -> Result<Vec<NewRow>, Problem> {
    if ids.is_empty() || ids.len() > LARGEST_SELECTION {
        return Err(Problem::field("users", format!("1 to {LARGEST_SELECTION}")));
    }
    let tenant = program.call.realm.tenant();
    let question = async |connection: &mut Connection| {
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            let row = match users::with_id(connection, tenant, *id).await? {
                None => NewRow { name: id.to_string(), input: Err("there is no such account".to_owned()) },
                Some(user) if accounts::is_beyond(&program.call.realm.config, &program.permissions, *id) => NewRow {
                    name: user.username,
                    input: Err("is an operator with more permissions than this key has".to_owned()),
                },
                Some(user) => NewRow::person(*id, &user.username),
            };
            rows.push(row);
        }
        Ok(rows)
    };
    Ok(program.call.site.house.db.look(question).await?)
}

async fn selection(program: Program, Body(wanted): Body<Selection>, deed: &'static str) -> Answer {
    let group = || {
        let group = wanted.group.filter(|id| program.call.realm.config.group_name(*id).is_some());
        group.ok_or_else(|| Problem::field("group", "is none that there is"))
    };
    let deed = match deed {
        "unlock" => PeopleDeed::Unlock,
        "end_sessions" => PeopleDeed::EndSessions,
        "enable" => PeopleDeed::Enable,
        "disable" => PeopleDeed::Disable,
        "enter" => PeopleDeed::Enter { group: group()? },
        "leave" => PeopleDeed::Leave { group: group()? },
        _ => PeopleDeed::Resend,
    };
    let rows = rows(&program, &wanted.users).await?;
    let tenant = program.call.realm.tenant();
    let job = jobs::begin(&program.desk(), tenant, &Work::People(deed), &rows).await?;
    Ok(begun(job))
}
