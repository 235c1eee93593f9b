//! `vestibule provision`: enrollment by mail from the shell (A9).

pub mod arguments;

use std::collections::HashMap;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::commands::{desk, tenant};
use super::{Nature, Schema, open};
use crate::config::Settings;
use crate::domain::ids::{GroupId, UserId};
use crate::domain::name::key_of;
use crate::domain::provisioning_task::{Task, TaskNumber, TokenType};
use crate::domain::reservation::{Reservation, Status};
use crate::domain::tenant::TenantConfig;
use crate::domain::user::User;
use crate::flow::administration::provisioning::{self, Created, Order, Skipped};
use crate::flow::administration::{Desk, rules};
use crate::http::Site;
use crate::storage::{Connection, provisioning_tasks, reservations, tenants, tokens, users};

/// People who are put into a task in one transaction.
const STEP: usize = 200;

/// What a command prints: lines for people, or one JSON document.
#[derive(Debug)]
pub struct Report {
    /// For people.
    pub lines: Vec<String>,
    /// For programs.
    pub json: Value,
}

impl Report {
    /// The lines to print.
    #[must_use]
    pub fn printed(self, as_json: bool) -> Vec<String> {
        if as_json { vec![format!("{:#}", self.json)] } else { self.lines }
    }
}

/// Whom `vestibule provision create` is about, and how.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// User names.
    pub users: Vec<String>,
    /// Names of groups.
    pub groups: Vec<String>,
    /// Days until it stops.
    pub days: Option<u32>,
    /// What is noted.
    pub comment: String,
    /// What is enrolled.
    pub token_type: TokenType,
    /// Whether people get one who have an authenticator of that type.
    pub issue_duplicates: bool,
}

struct Place {
    site: Site,
    config: TenantConfig,
}

impl Place {
    async fn of(settings: &Settings, code: Option<&str>) -> anyhow::Result<Self> {
        let site = open(settings, Schema::Expect, Nature::default()).await?;
        let code = tenant(&site.house.db, code).await?;
        let config = site.house.db.look(async |connection| tenants::config(connection, &code).await).await?;
        let config = config.with_context(|| format!("there is no tenant \"{code}\""))?;
        Ok(Self { site, config })
    }

    async fn user(&self, name: &str) -> anyhow::Result<User> {
        let tenant = self.config.tenant.id;
        let db = &self.site.house.db;
        let user = db.look(async |connection| users::named(connection, tenant, name).await).await?;
        user.with_context(|| format!("there is no user \"{name}\"; `vestibule user list` shows who there is"))
    }

    fn group(&self, name: &str) -> anyhow::Result<GroupId> {
        let found = self.config.groups.iter().find(|group| key_of(&group.name) == key_of(name));
        Ok(found.with_context(|| format!("there is no group \"{name}\""))?.id)
    }

    async fn task(&self, number: TaskNumber) -> anyhow::Result<Task> {
        let tenant = self.config.tenant.id;
        let db = &self.site.house.db;
        let task =
            db.look(async |connection| provisioning_tasks::with_number(connection, tenant, number).await).await?;
        task.with_context(|| {
            format!("there is no provisioning task {number}; `vestibule provision list --all` shows them")
        })
    }

    /// Everybody's user name.
    async fn names(&self) -> anyhow::Result<HashMap<UserId, String>> {
        let tenant = self.config.tenant.id;
        let people = self.site.house.db.look(async |connection| users::all(connection, tenant).await).await?;
        Ok(people.into_iter().map(|user| (user.id, user.username)).collect())
    }
}

/// `vestibule provision create`.
///
/// # Errors
/// If somebody or a group is not there, nobody is named, or what the database says.
pub async fn create(settings: &Settings, code: Option<&str>, wanted: &Wanted) -> anyhow::Result<Report> {
    anyhow::ensure!(
        !wanted.users.is_empty() || !wanted.groups.is_empty(),
        "say who: --user NAME or --group NAME, as often as you like"
    );
    let place = Place::of(settings, code).await?;
    let (db, tenant) = (&place.site.house.db, place.config.tenant.id);
    let mut people: Vec<User> = Vec::new();
    for name in &wanted.users {
        people.push(place.user(name).await?);
    }
    if !wanted.groups.is_empty() {
        let groups = wanted.groups.iter().map(|name| place.group(name)).collect::<anyhow::Result<Vec<_>>>()?;
        let memberships = db.look(async |connection| users::memberships(connection, tenant).await).await?;
        let members: std::collections::HashSet<UserId> =
            memberships.into_iter().filter(|(_, group)| groups.contains(group)).map(|(user, _)| user).collect();
        let all = db.look(async |connection| users::all(connection, tenant).await).await?;
        people.extend(all.into_iter().filter(|user| members.contains(&user.id)));
    }
    let mut seen = std::collections::HashSet::new();
    people.retain(|user| seen.insert(user.id));
    let desk = desk(&place.site);
    let operator = match desk.actor.name() {
        name if name.is_empty() => "shell".to_owned(),
        name => name,
    };
    let order = Order {
        token_type: wanted.token_type,
        stop_at: place.config.settings.enrollment_mail.stop_at(desk.now, wanted.days),
        comment: wanted.comment.clone(),
        operator,
        rule: None,
        issue_duplicates: wanted.issue_duplicates,
        number: None,
    };
    let created = carry_out(&place, &desk, &order, &people).await?;
    Ok(created_report(&people, &created))
}

async fn carry_out(place: &Place, desk: &Desk<'_>, order: &Order, people: &[User]) -> anyhow::Result<Created> {
    let db = &place.site.house.db;
    let mut all = Created { task: None, people: Vec::new(), skipped: Vec::new() };
    for step in people.chunks(STEP) {
        let into = all.task.clone();
        let work = async |connection: &mut Connection| {
            provisioning::create(desk, connection, &place.config, order, step, into.as_ref()).await
        };
        let mut made = db.write(work).await;
        // The number that was drawn was taken: another one is drawn.
        for _ in 0..3 {
            match &made {
                Err(error) if error.is_duplicate() => made = db.write(work).await,
                _ => break,
            }
        }
        let made = made?;
        all.task = made.task.or(all.task);
        all.people.extend(made.people);
        all.skipped.extend(made.skipped);
    }
    Ok(all)
}

fn created_report(people: &[User], created: &Created) -> Report {
    let name_of = |id: UserId| people.iter().find(|user| user.id == id).map_or("", |user| user.username.as_str());
    let mut lines = Vec::new();
    if let Some(task) = &created.task {
        let (number, stop) = (task.number, task.stop_at.rfc3339());
        lines.push(format!("task {number}: mails on their way: {}, stop date {stop}", created.people.len()));
    } else {
        lines.push("nobody was provisioned, so there is no task".to_owned());
    }
    for place in &created.people {
        lines.push(format!("{}\t{}\tmailed to {}", name_of(place.user), place.status.id(), place.emailed_to));
    }
    for (user, why) in &created.skipped {
        lines.push(format!("{}\tskipped\t{}", user.username, why.words()));
    }
    let provisioned: Vec<Value> = created
        .people
        .iter()
        .map(|place| json!({ "username": name_of(place.user), "emailed_to": place.emailed_to }))
        .collect();
    let skipped: Vec<Value> = created.skipped.iter().map(skipped_entry).collect();
    let task = created.task.as_ref().map(|task| task.number);
    let stop = created.task.as_ref().map(|task| task.stop_at.rfc3339());
    Report { lines, json: json!({ "task": task, "stop_at": stop, "provisioned": provisioned, "skipped": skipped }) }
}

fn skipped_entry((user, why): &(User, Skipped)) -> Value {
    json!({ "username": user.username, "reason": why.id() })
}

/// `vestibule provision list`: the open tasks, or all of them. Completed ones leave the list.
///
/// # Errors
/// If there is no such virtual server, or what the database says.
pub async fn list(settings: &Settings, code: Option<&str>, all: bool) -> anyhow::Result<Report> {
    let place = Place::of(settings, code).await?;
    let (db, tenant) = (&place.site.house.db, place.config.tenant.id);
    let tasks = db.look(async |connection| provisioning_tasks::all(connection, tenant).await).await?;
    let counts = db.look(async |connection| provisioning_tasks::counts(connection, tenant).await).await?;
    let (mut lines, mut entries) = (Vec::new(), Vec::new());
    for task in tasks {
        let count = |status| {
            let of = counts.iter().filter(|(number, at, _)| *number == task.number && *at == status);
            of.map(|(_, _, people)| *people).sum::<i64>()
        };
        let total: i64 = Status::ALL.into_iter().map(count).sum();
        let open = task.removed_at.is_none() && total > count(Status::Completed) + count(Status::Removed);
        if !open && !all {
            continue;
        }
        let people: Vec<String> = Status::ALL
            .into_iter()
            .filter(|status| count(*status) > 0)
            .map(|status| format!("{} {}", count(status), status.id()))
            .collect();
        lines.push(format!(
            "{}\t{}\tpeople: {total} ({})\tstop date {}\tby {}\t{}",
            task.number,
            task.token_type.id(),
            people.join(", "),
            task.stop_at.rfc3339(),
            task.operator,
            task.comment
        ));
        let statuses: serde_json::Map<String, Value> =
            Status::ALL.into_iter().map(|status| (status.id().to_owned(), count(status).into())).collect();
        let mut entry = task_entry(&task);
        entry.insert("people".to_owned(), json!(total));
        entry.insert("statuses".to_owned(), Value::Object(statuses));
        entries.push(Value::Object(entry));
    }
    Ok(Report { lines, json: json!({ "tasks": entries }) })
}

fn task_entry(task: &Task) -> serde_json::Map<String, Value> {
    let fields = [
        ("number", json!(task.number)),
        ("type", json!(task.token_type.id())),
        ("operator", json!(task.operator)),
        ("comment", json!(task.comment)),
        ("rule", json!(task.rule.map(|id| id.to_string()))),
        ("started_at", json!(task.started_at.rfc3339())),
        ("stop_at", json!(task.stop_at.rfc3339())),
        ("removed_at", json!(task.removed_at.map(|at| at.rfc3339()))),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// `vestibule provision show`: a task and everybody in it.
///
/// # Errors
/// If there is no such task, or what the database says.
pub async fn show(settings: &Settings, code: Option<&str>, number: TaskNumber) -> anyhow::Result<Report> {
    let place = Place::of(settings, code).await?;
    let (db, tenant) = (&place.site.house.db, place.config.tenant.id);
    let task = place.task(number).await?;
    let people = db.look(async |connection| reservations::of_task(connection, tenant, number).await).await?;
    let names = place.names().await?;
    let mut lines = vec![
        format!("task\t{number}"),
        format!("type\t{}", task.token_type.id()),
        format!("operator\t{}", task.operator),
        format!("started\t{}", task.started_at.rfc3339()),
        format!("stop date\t{}", task.stop_at.rfc3339()),
    ];
    if !task.comment.is_empty() {
        lines.push(format!("comment\t{}", task.comment));
    }
    if let Some(at) = task.removed_at {
        lines.push(format!("removed\t{}", at.rfc3339()));
    }
    let mut entries = Vec::with_capacity(people.len());
    for person in people {
        let name = names.get(&person.user).map_or("(removed)", String::as_str);
        let serial = serial(&place, &person).await?;
        let enrolled = serial.as_ref().map_or_else(String::new, |serial| format!("\tenrolled {serial}"));
        let status = person.status.id();
        let (address, sent, sends) = (&person.emailed_to, person.sent_at.rfc3339(), person.sends);
        let stop = person.stop_at.rfc3339();
        lines.push(format!("{name}\t{status}\t{address}\tsent {sent} ({sends})\tuntil {stop}{enrolled}"));
        entries.push(json!({
            "username": name,
            "status": status,
            "emailed_to": address,
            "sent_at": sent,
            "sends": sends,
            "stop_at": stop,
            "reminded_at": person.reminded_at.map(|at| at.rfc3339()),
            "failed_attempts": person.failed_count,
            "serial": serial,
        }));
    }
    let mut json = task_entry(&task);
    json.insert("people".to_owned(), Value::Array(entries));
    Ok(Report { lines, json: Value::Object(json) })
}

async fn serial(place: &Place, person: &Reservation) -> anyhow::Result<Option<String>> {
    let Some(token) = person.token else { return Ok(None) };
    let (db, tenant) = (&place.site.house.db, place.config.tenant.id);
    let owned = db.look(async |connection| tokens::of_user(tenant, person.user).ask(connection).await).await?;
    Ok(owned.into_iter().find(|owned| owned.id == token).map(|token| token.serial))
}

/// `vestibule provision resend`: to the named people of a task, or to all who have not enrolled.
///
/// # Errors
/// If there is no such task or somebody is not in it, or what the database says.
pub async fn resend(
    settings: &Settings,
    code: Option<&str>,
    number: TaskNumber,
    named: &[String],
    days: Option<u32>,
) -> anyhow::Result<Report> {
    let place = Place::of(settings, code).await?;
    let (db, tenant) = (&place.site.house.db, place.config.tenant.id);
    let task = place.task(number).await?;
    anyhow::ensure!(task.removed_at.is_none(), "task {number} was removed; make a new one");
    let names = place.names().await?;
    let mut people = db.look(async |connection| reservations::of_task(connection, tenant, number).await).await?;
    if named.is_empty() {
        people.retain(|person| person.token.is_none() && person.status != Status::Removed);
        people.retain(|person| person.status != Status::Completed);
    } else {
        let mut wanted = Vec::with_capacity(named.len());
        for name in named {
            wanted.push((name, place.user(name).await?.id));
        }
        if let Some((name, _)) = wanted.iter().find(|(_, id)| people.iter().all(|person| person.user != *id)) {
            anyhow::bail!("{name} is not in task {number}");
        }
        people.retain(|person| wanted.iter().any(|(_, id)| *id == person.user));
    }
    let desk = desk(&place.site);
    let stop_at = place.config.settings.enrollment_mail.stop_at(desk.now, days);
    let (mut lines, mut sent, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for person in &people {
        let name = names.get(&person.user).map_or("(removed)", String::as_str);
        let work = async |connection: &mut Connection| {
            provisioning::resend(&desk, connection, &place.config, person, stop_at).await
        };
        match db.write(work).await? {
            Ok(()) => {
                lines.push(format!("{name}\tis sent a new mail, until {}", stop_at.rfc3339()));
                sent.push(json!(name));
            }
            Err(why) => {
                lines.push(format!("{name}\t{why}"));
                refused.push(json!({ "username": name, "reason": why.to_string() }));
            }
        }
    }
    if people.is_empty() {
        lines.push(format!("nobody in task {number} may still enroll"));
    }
    Ok(Report { lines, json: json!({ "task": number, "sent": sent, "refused": refused }) })
}

/// `vestibule provision stop-date`: another stop date, so many days from now.
///
/// # Errors
/// If there is no such task, or what the database says.
pub async fn stop_date(
    settings: &Settings,
    code: Option<&str>,
    number: TaskNumber,
    days: u32,
) -> anyhow::Result<Report> {
    let place = Place::of(settings, code).await?;
    place.task(number).await?;
    let desk = desk(&place.site);
    let stop_at = place.config.settings.enrollment_mail.stop_at(desk.now, Some(days));
    let work = async |connection: &mut Connection| {
        provisioning::set_stop(&desk, connection, &place.config, number, stop_at).await
    };
    let moved = place.site.house.db.write(work).await?;
    let moved = moved.with_context(|| format!("task {number} was removed; make a new one"))?;
    let stop = stop_at.rfc3339();
    let line = format!("task {number} stops {stop} now; people who have not enrolled yet: {moved}");
    Ok(Report { lines: vec![line], json: json!({ "task": number, "stop_at": stop, "people": moved }) })
}

/// `vestibule provision remove`.
///
/// # Errors
/// If there is no such task or it was removed before, or what the database says.
pub async fn remove(settings: &Settings, code: Option<&str>, number: TaskNumber) -> anyhow::Result<Report> {
    let place = Place::of(settings, code).await?;
    place.task(number).await?;
    let (desk, tenant) = (desk(&place.site), place.config.tenant.id);
    let work = async |connection: &mut Connection| provisioning::remove(&desk, connection, tenant, number).await;
    let removed = place.site.house.db.write(work).await?;
    let removed = removed.with_context(|| format!("task {number} was removed before"))?;
    let line = format!("task {number} is removed; people who cannot enroll with it any more: {removed}");
    Ok(Report { lines: vec![line], json: json!({ "task": number, "people": removed }) })
}

/// `vestibule provision rules`: the rules and whom they skip; with `run` they are looked at now.
///
/// # Errors
/// If there is no such virtual server, or what the database says.
pub async fn list_rules(settings: &Settings, code: Option<&str>, run: bool) -> anyhow::Result<Report> {
    let place = Place::of(settings, code).await?;
    let db = &place.site.house.db;
    let mut lines = Vec::new();
    let mut sent = None;
    if run {
        let realm = place.site.house.realm(&place.config.tenant.code).await?.context("the tenant was removed")?;
        let written = rules::look_at_all(&desk(&place.site), &realm).await?;
        lines.push(format!("mails on their way: {written}"));
        sent = Some(written);
    }
    let standing = db.look(async |connection| rules::standing(connection, &place.config).await).await?;
    let names = place.names().await?;
    let mail = &place.config.settings.enrollment_mail;
    let mut entries = Vec::new();
    for (rule, standing) in place.config.settings.provisioning_rules.iter().zip(standing) {
        let groups: Vec<&str> = place.config.group_names(&rule.groups).collect();
        let without: Vec<&str> =
            standing.no_address.iter().filter_map(|id| names.get(id)).map(String::as_str).collect();
        let flags = [
            (!rule.enabled, "off"),
            (rule.issue_duplicates, "issues duplicate types"),
            (rule.auto_revoke, "revokes automatically"),
        ];
        let flags: Vec<&str> = flags.iter().filter(|(set, _)| *set).map(|(_, words)| *words).collect();
        lines.push(format!(
            "{}\t{}\tgroups {}\t{} provisioned, {} had one\t{}",
            rule.name,
            rule.token_type.id(),
            groups.join(", "),
            standing.provisioned,
            standing.had_one,
            flags.join(", ")
        ));
        lines.extend(without.iter().map(|name| format!("{}\tskips {name}: has no email address", rule.name)));
        entries.push(json!({
            "name": rule.name,
            "enabled": rule.enabled,
            "type": rule.token_type.id(),
            "groups": groups,
            "issue_duplicates": rule.issue_duplicates,
            "auto_revoke": rule.auto_revoke,
            "provisioned": standing.provisioned,
            "had_one": standing.had_one,
            "skipped_without_address": without,
        }));
    }
    lines.extend(mail.warnings().iter().map(|(key, words)| format!("warning: enrollment_mail.{key} {words}")));
    let warnings: Vec<&str> = mail.warnings().iter().map(|(_, words)| *words).collect();
    Ok(Report { lines, json: json!({ "rules": entries, "sent": sent, "warnings": warnings }) })
}
