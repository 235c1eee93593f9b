//! Enrollment by mail: tasks, the people in them, and rules.

use std::collections::HashSet;

use actix_web::HttpRequest;
use actix_web::http::Method;
use serde::{Deserialize, Serialize};

use super::io::{Body, Named, Page, Paging, Query, created, done, if_match, ok, versioned};
use super::jobs::{Begun, begun};
use super::problem::Problem;
use super::{Answer, Api, users};
use crate::domain::ids::{GroupId, ReservationId, RuleId, UserId};
use crate::domain::job::{Provision, Work};
use crate::domain::operator::{Deed, Module};
use crate::domain::provisioning_rule::ProvisioningRule;
use crate::domain::provisioning_task::{Task, TaskNumber, TokenType};
use crate::domain::reservation::Status;
use crate::domain::timestamp::Timestamp;
use crate::flow::administration::accounts;
use crate::flow::administration::jobs::{self, NewRow};
use crate::flow::administration::provisioning::{self, LONGEST_COMMENT};
use crate::flow::administration::rules::{self, Refused};
use crate::http::guard::Program;
use crate::storage::{Connection, groups, provisioning_tasks, reservations};

/// A provisioning task.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "ProvisioningTask")]
struct TaskView {
    /// Its number.
    number: String,
    /// `app` or `oath_app`.
    token_type: &'static str,
    /// Who made it.
    operator: String,
    /// What was noted.
    comment: String,
    /// When it was made.
    started_at: String,
    /// Until when its people may enroll.
    stop_at: String,
    /// How many people stand how in it.
    people: Vec<StatusCount>,
}

/// How many people stand so.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct StatusCount {
    /// `active`, `completed`, `locked`, `expired` or `removed`.
    status: &'static str,
    /// How many.
    count: i64,
}

/// Somebody's place in a task.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct PlaceView {
    /// Its identifier.
    id: String,
    /// The account.
    user: String,
    /// The user ID; absent if the account is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    /// `active`, `completed`, `locked`, `expired` or `removed`.
    status: &'static str,
    /// Where the mail went.
    emailed_to: String,
    /// When it was sent last.
    sent_at: String,
    /// How often.
    sends: i64,
    /// Until when.
    stop_at: String,
}

/// A task that is to be made: at least one person, or a group.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct TaskDraft {
    /// `app` (the default) or `oath_app`.
    token_type: Option<String>,
    /// The identifiers of accounts.
    #[serde(default)]
    #[schemars(with = "Vec<String>", length(max = 10_000))]
    users: Vec<UserId>,
    /// The identifier of a group, whose members get a mail as well.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    group: Option<GroupId>,
    /// Days until it stops, 1 to 90; absent: as configured.
    #[serde(default)]
    #[schemars(range(min = 1, max = 90))]
    days: Option<u32>,
    /// A note, one line of at most 500 characters.
    #[serde(default)]
    #[schemars(length(max = 500))]
    comment: String,
    /// Whether people get one who have an authenticator of that type.
    #[serde(default)]
    issue_duplicates: bool,
}

/// Another stop date.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct StopWanted {
    /// A day, such as `2027-02-28`: the end of it in UTC, at most 90 days on.
    stop: String,
}

/// A provisioning rule.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "ProvisioningRule")]
struct RuleView {
    /// Its identifier.
    id: String,
    /// Its name.
    name: String,
    /// Whether it is looked at.
    enabled: bool,
    /// `app` or `oath_app`.
    token_type: &'static str,
    /// The identifiers of its groups.
    groups: Vec<String>,
    /// Whether somebody gets one who has an authenticator of that type.
    issue_duplicates: bool,
    /// Whether what it issued is revoked when its owner leaves the groups.
    auto_revoke: bool,
}

/// A rule that is to be made or changed.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct RuleDraft {
    /// Its name, unique.
    #[schemars(length(min = 1, max = 200))]
    name: String,
    /// Whether it is looked at.
    enabled: bool,
    /// `app` or `oath_app`.
    token_type: String,
    /// The identifiers of its groups, at least one.
    #[schemars(with = "Vec<String>", length(min = 1))]
    groups: Vec<GroupId>,
    /// Whether somebody gets one who has an authenticator of that type.
    #[serde(default)]
    issue_duplicates: bool,
    /// Whether what it issued is revoked when its owner leaves the groups.
    #[serde(default)]
    auto_revoke: bool,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let task = |deed| Module::Provisioning.needs(deed);
    let rule = |deed| Module::ProvisioningRules.needs(deed);
    api.get("provisioning-tasks", task(Deed::Access), "Tasks, the newest first", list)
        .query::<Paging>()
        .gives::<Page<TaskView>>(200);
    let summary = "Send enrollment mails; a job makes the task and says what became of each";
    api.route(Method::POST, "provisioning-tasks", task(Deed::Add), summary, make)
        .takes::<TaskDraft>()
        .gives::<Begun>(202);
    api.get("provisioning-tasks/{task}", task(Deed::Access), "One task", show).gives::<TaskView>(200);
    api.get("provisioning-tasks/{task}/people", task(Deed::Access), "The people of a task", people)
        .query::<Paging>()
        .gives::<Page<PlaceView>>(200);
    api.route(Method::PUT, "provisioning-tasks/{task}/stop", task(Deed::Edit), "Move the stop date", set_stop)
        .takes::<StopWanted>()
        .gives::<TaskView>(200);
    api.route(Method::DELETE, "provisioning-tasks/{task}", task(Deed::Delete), "Remove a task", remove).gives_nothing();
    api.route(Method::POST, "places/{place}/resend", task(Deed::Edit), "Send somebody's mail again", resend)
        .gives_nothing();
    api.route(Method::DELETE, "places/{place}", task(Deed::Delete), "Take somebody out of a task", withdraw)
        .gives_nothing();
    api.get("provisioning-rules", rule(Deed::Access), "Rules", list_rules).gives::<Page<RuleView>>(200).versioned();
    api.route(Method::POST, "provisioning-rules", rule(Deed::Add), "Make a rule", make_rule)
        .takes::<RuleDraft>()
        .gives::<RuleView>(201)
        .versioned();
    api.route(Method::PUT, "provisioning-rules/{rule}", rule(Deed::Edit), "Change a rule", put_rule)
        .takes::<RuleDraft>()
        .gives::<RuleView>(200)
        .versioned();
    api.route(Method::DELETE, "provisioning-rules/{rule}", rule(Deed::Delete), "Remove a rule", remove_rule)
        .gives_nothing()
        .versioned();
}

fn view(task: &Task, counts: &[(Status, i64)]) -> TaskView {
    TaskView {
        number: task.number.to_string(),
        token_type: task.token_type.id(),
        operator: task.operator.clone(),
        comment: task.comment.clone(),
        started_at: task.started_at.rfc3339(),
        stop_at: task.stop_at.rfc3339(),
        people: counts.iter().map(|(status, count)| StatusCount { status: status.id(), count: *count }).collect(),
    }
}

fn not_a_cursor() -> Problem {
    Problem::new(400, "malformed", "after must be the `next` of a page before")
}

async fn list(program: Program, Query(paging): Query<Paging>) -> Answer {
    let (limit, tenant) = (u32::from(paging.limit()?), program.call.realm.tenant());
    let read = |text: &str| {
        let (at, number) = text.split_once('-')?;
        Some((Timestamp::from_micros(at.parse().ok()?), number.parse::<TaskNumber>().ok()?))
    };
    let after = paging.after.as_deref().map(|text| read(text).ok_or_else(not_a_cursor)).transpose()?;
    let question = async |connection: &mut Connection| {
        let mut found = Vec::new();
        for task in provisioning_tasks::newest(connection, tenant, after, limit).await? {
            let counts = provisioning_tasks::counts_of(connection, tenant, task.number).await?;
            found.push((task, counts));
        }
        Ok(found)
    };
    let found = program.call.site.house.db.look(question).await?;
    let last = found.last().filter(|_| found.len() == limit as usize);
    let next = last.map(|(task, _)| format!("{}-{}", task.started_at.micros(), task.number));
    Ok(ok(&Page { items: found.iter().map(|(task, counts)| view(task, counts)).collect(), next }))
}

async fn task(program: &Program, number: TaskNumber) -> Result<(Task, Vec<(Status, i64)>), Problem> {
    let tenant = program.call.realm.tenant();
    let question = async |connection: &mut Connection| {
        let Some(task) = provisioning_tasks::with_number(connection, tenant, number).await? else { return Ok(None) };
        let counts = provisioning_tasks::counts_of(connection, tenant, number).await?;
        Ok(Some((task, counts)))
    };
    program.call.site.house.db.look(question).await?.ok_or_else(Problem::not_found)
}

async fn show(program: Program, Named(number): Named<TaskNumber>) -> Answer {
    let (task, counts) = task(&program, number).await?;
    Ok(ok(&view(&task, &counts)))
}

async fn people(program: Program, Named(number): Named<TaskNumber>, Query(paging): Query<Paging>) -> Answer {
    let (task, _) = task(&program, number).await?;
    let limit = u32::from(paging.limit()?);
    let read = |text: &str| {
        let (status, id) = text.split_once('-')?;
        Some((Status::named(status)?, id.parse::<ReservationId>().ok()?))
    };
    let after = paging.after.as_deref().map(|text| read(text).ok_or_else(not_a_cursor)).transpose()?;
    let question = async |connection: &mut Connection| {
        reservations::page_of_task(connection, task.tenant, task.number, after, limit).await
    };
    let found = program.call.site.house.db.look(question).await?;
    let last = found.last().filter(|_| found.len() == limit as usize);
    let next = last.map(|(place, _)| format!("{}-{}", place.status.id(), place.id));
    let items = found
        .into_iter()
        .map(|(place, username)| PlaceView {
            id: place.id.to_string(),
            user: place.user.to_string(),
            username,
            status: place.status.id(),
            emailed_to: place.emailed_to,
            sent_at: place.sent_at.rfc3339(),
            sends: place.sends,
            stop_at: place.stop_at.rfc3339(),
        })
        .collect();
    Ok(ok(&Page { items, next }))
}

fn token_type(text: Option<&str>) -> Result<TokenType, Problem> {
    let wrong = || Problem::field("token_type", "must be app or oath_app");
    text.map_or(Ok(TokenType::App), |text| TokenType::named(text).ok_or_else(wrong))
}

async fn make(program: Program, Body(draft): Body<TaskDraft>) -> Answer {
    let (config, tenant) = (&program.call.realm.config, program.call.realm.tenant());
    let token_type = token_type(draft.token_type.as_deref())?;
    if draft.days.is_some_and(|days| !(1..=90).contains(&days)) {
        return Err(Problem::field("days", "from 1 to 90"));
    }
    if draft.comment.chars().count() > LONGEST_COMMENT || draft.comment.chars().any(char::is_control) {
        return Err(Problem::field("comment", format!("one line of at most {LONGEST_COMMENT} characters")));
    }
    let mut rows = if draft.users.is_empty() { Vec::new() } else { users::rows(&program, &draft.users).await? };
    if let Some(group) = draft.group {
        if config.group_name(group).is_none() {
            return Err(Problem::field("group", "is none that there is"));
        }
        let mut seen: HashSet<UserId> = draft.users.iter().copied().collect();
        let mut after = None;
        loop {
            let question = async |connection: &mut Connection| {
                groups::members_after(tenant, group, after, 2000).ask(connection).await
            };
            let some = program.call.site.house.db.look(question).await?;
            let Some((last, _)) = some.last() else { break };
            after = Some(*last);
            for (id, name) in some.into_iter().filter(|(id, _)| seen.insert(*id)) {
                let beyond = accounts::is_beyond(config, &program.permissions, id);
                let why = || Err("is an operator with more permissions than this key has".to_owned());
                let row = NewRow::person(id, &name);
                rows.push(if beyond { NewRow { input: why(), ..row } } else { row });
            }
        }
    }
    if rows.is_empty() {
        return Err(Problem::field("users", "name somebody, or a group with members"));
    }
    let desk = program.desk();
    let work = Work::Provision(Provision {
        number: TaskNumber::drawn(desk.house.entropy.below(TaskNumber::COUNT)).value(),
        token_type,
        stop_at: config.settings.enrollment_mail.stop_at(desk.now, draft.days).micros(),
        comment: draft.comment,
        issue_duplicates: draft.issue_duplicates,
    });
    Ok(begun(jobs::begin(&desk, tenant, &work, &rows).await?))
}

async fn set_stop(program: Program, Named(number): Named<TaskNumber>, Body(wanted): Body<StopWanted>) -> Answer {
    let (before, _) = task(&program, number).await?;
    let (desk, config) = (program.desk(), &program.call.realm.config);
    let end = Timestamp::end_of_day(&wanted.stop).filter(|end| *end > desk.now);
    let end = end.filter(|end| end.since(desk.now) <= std::time::Duration::from_secs(91 * 86_400));
    let stop_at = end.ok_or_else(|| Problem::field("stop", "a day from today to 90 days on, such as 2027-02-28"))?;
    let work = async |connection: &mut Connection| {
        provisioning::set_stop(&desk, connection, config, before.number, stop_at).await
    };
    let gone = || Problem::new(409, "task.removed", "the task was removed");
    desk.house.db.write(work).await?.ok_or_else(gone)?;
    show(program, Named(number)).await
}

async fn remove(program: Program, Named(number): Named<TaskNumber>) -> Answer {
    let (task, _) = task(&program, number).await?;
    let desk = program.desk();
    let work =
        async |connection: &mut Connection| provisioning::remove(&desk, connection, task.tenant, task.number).await;
    let gone = || Problem::new(409, "task.removed", "the task was removed before");
    desk.house.db.write(work).await?.ok_or_else(gone)?;
    Ok(done())
}

/// The place with this identifier, if this key may change it.
async fn place(program: &Program, id: ReservationId) -> Result<crate::domain::reservation::Reservation, Problem> {
    let tenant = program.call.realm.tenant();
    let question = async |connection: &mut Connection| reservations::with_id(tenant, id).ask(connection).await;
    let found = program.call.site.house.db.look(question).await?.ok_or_else(Problem::not_found)?;
    let beyond = accounts::is_beyond(&program.call.realm.config, &program.permissions, found.user);
    if beyond { Err(users::beyond()) } else { Ok(found) }
}

async fn resend(program: Program, Named(id): Named<ReservationId>) -> Answer {
    let place = place(&program, id).await?;
    let (desk, config) = (program.desk(), &program.call.realm.config);
    let stop_at = config.settings.enrollment_mail.stop_at(desk.now, None);
    let work =
        async |connection: &mut Connection| provisioning::resend(&desk, connection, config, &place, stop_at).await;
    let refused = |why: provisioning::Refused| Problem::new(409, "place.refused", format!("the person {why}"));
    desk.house.db.write(work).await?.map_err(refused)?;
    desk.house.mail_waits.notify_one();
    Ok(done())
}

async fn withdraw(program: Program, Named(id): Named<ReservationId>) -> Answer {
    let place = place(&program, id).await?;
    let desk = program.desk();
    let work = async |connection: &mut Connection| {
        provisioning::withdraw(&desk, connection, &place, "taken out by an operator").await
    };
    if !desk.house.db.write(work).await? {
        return Err(Problem::new(409, "place.refused", "it was completed or removed before"));
    }
    Ok(done())
}

fn rule_view(rule: &ProvisioningRule) -> RuleView {
    RuleView {
        id: rule.id.to_string(),
        name: rule.name.clone(),
        enabled: rule.enabled,
        token_type: rule.token_type.id(),
        groups: rule.groups.iter().map(ToString::to_string).collect(),
        issue_duplicates: rule.issue_duplicates,
        auto_revoke: rule.auto_revoke,
    }
}

async fn list_rules(program: Program) -> Answer {
    let config = &program.call.realm.config;
    let items = config.settings.provisioning_rules.iter().map(rule_view).collect();
    Ok(versioned(config.version, &Page { items, next: None }))
}

fn refusal(refused: Refused) -> Problem {
    match refused {
        Refused::Name(fault) => Problem::field("name", fault.to_string()),
        Refused::Taken => Problem::field("name", "is taken: there is a rule of this name"),
        Refused::NoGroup => Problem::field("groups", "must name at least one"),
        Refused::UnknownGroup => Problem::field("groups", "names a group that is not there"),
        Refused::Unknown => Problem::not_found(),
        Refused::Overtaken => Problem::changed_meanwhile(),
    }
}

async fn store(program: &Program, seen: i64, id: RuleId, draft: RuleDraft) -> Result<RuleView, Problem> {
    let rule = ProvisioningRule {
        id,
        name: draft.name,
        enabled: draft.enabled,
        token_type: token_type(Some(&draft.token_type))?,
        groups: draft.groups,
        issue_duplicates: draft.issue_duplicates,
        auto_revoke: draft.auto_revoke,
    };
    rules::put(&program.desk(), program.call.realm.code(), seen, &rule).await?.map_err(refusal)?;
    Ok(rule_view(&rule))
}

async fn make_rule(program: Program, request: HttpRequest, Body(draft): Body<RuleDraft>) -> Answer {
    let (seen, id) = (if_match(&request)?, program.call.site.house.entropy.id());
    Ok(created(&store(&program, seen, id, draft).await?))
}

async fn put_rule(
    program: Program,
    request: HttpRequest,
    Named(id): Named<RuleId>,
    Body(draft): Body<RuleDraft>,
) -> Answer {
    let rules = &program.call.realm.config.settings.provisioning_rules;
    if rules.iter().all(|rule| rule.id != id) {
        return Err(Problem::not_found());
    }
    let seen = if_match(&request)?;
    Ok(ok(&store(&program, seen, id, draft).await?))
}

async fn remove_rule(program: Program, request: HttpRequest, Named(id): Named<RuleId>) -> Answer {
    let seen = if_match(&request)?;
    rules::remove(&program.desk(), program.call.realm.code(), seen, id).await?.map_err(refusal)?;
    Ok(done())
}
