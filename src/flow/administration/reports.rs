//! What operators read: access log, authentication log, audit trail, enrollment history, and counts, each as a table with columns
//! of stable names. The console, its exports and the management API show the same.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::Desk;
use crate::domain::audit::Action;
use crate::domain::audit::authentication::{self, Credential, Outcome as Proof};
use crate::domain::audit::chain::Entry;
use crate::domain::enrollment::Brought;
use crate::domain::ids::{ApplicationId, CorrelationId, EnrollmentId, GroupId, TenantId, UserId};
use crate::domain::name::key_of;
use crate::domain::policy::platform::Platform;
pub use crate::domain::report::{Asked, FilterField, Kind, Wrong};
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::storage::audit_list::{self, Place, place_of, place_text};
use crate::storage::enrollment_history::{self, Outcome};
use crate::storage::{self, Connection, access_log, tokens, users};

/// A page of a table.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The rows, each with a value for every column; the newest first.
    pub rows: Vec<Vec<String>>,
    /// The keys of the rows: where each can be looked at alone.
    pub keys: Vec<String>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

/// The filters, understood.
enum Understood {
    Access(access_log::Filter),
    Audit(audit_list::Filter),
    Enrollment(enrollment_history::Filter),
    /// Something was named that is not there: nothing fits.
    Nothing,
}

/// A page of a table, after the place that an earlier page gave.
///
/// # Errors
/// If the database fails. What is wrong with the filters is the inner error.
pub async fn page(
    connection: &mut Connection,
    config: &TenantConfig,
    kind: Kind,
    asked: &Asked,
    after: Option<&str>,
    limit: usize,
    now: Timestamp,
) -> storage::Result<std::result::Result<Page, Vec<Wrong>>> {
    let tenant = config.tenant.id;
    let place = |wrong: &mut Vec<Wrong>| {
        let place = after.map(place_of);
        if place == Some(None) {
            wrong.push(Wrong { filter: "after", message: "is no place that a page gave".to_owned() });
        }
        place.flatten()
    };
    let mut wrong = Vec::new();
    let understood = understand(connection, config, kind, asked, &mut wrong).await?;
    let page = match understood {
        Understood::Nothing => Page::default(),
        Understood::Access(filter) => {
            let place = place(&mut wrong);
            if !wrong.is_empty() {
                return Ok(Err(wrong));
            }
            access(config, access_log::page(connection, tenant, &filter, place.as_ref(), limit).await?)
        }
        Understood::Audit(filter) => {
            let place = place(&mut wrong);
            if !wrong.is_empty() {
                return Ok(Err(wrong));
            }
            let page = audit_list::page(connection, tenant, &filter, place.as_ref(), limit).await?;
            events(connection, tenant, kind, page).await?
        }
        Understood::Enrollment(filter) => {
            let place = after.map(str::parse::<EnrollmentId>);
            if matches!(place, Some(Err(_))) {
                wrong.push(Wrong { filter: "after", message: "is no place that a page gave".to_owned() });
            }
            if !wrong.is_empty() {
                return Ok(Err(wrong));
            }
            let place = place.and_then(std::result::Result::ok);
            let page = enrollment_history::page(connection, tenant, &filter, place, limit, now).await?;
            enrollments(config, page)
        }
    };
    if wrong.is_empty() { Ok(Ok(page)) } else { Ok(Err(wrong)) }
}

/// What was typed, with what is wrong noted.
async fn understand(
    connection: &mut Connection,
    config: &TenantConfig,
    kind: Kind,
    asked: &Asked,
    wrong: &mut Vec<Wrong>,
) -> storage::Result<Understood> {
    let tenant = config.tenant.id;
    let text = |id: &str| asked.0.get(id).map(|value| value.trim()).filter(|value| !value.is_empty());
    for filter in kind.filters() {
        if let Some(value) = text(filter.id)
            && !filter.choices.is_empty()
            && !filter.choices.contains(&value)
        {
            wrong.push(Wrong { filter: filter.id, message: format!("must be one of {}", filter.choices.join(", ")) });
        }
    }
    let mut time = |id: &'static str| {
        let value = text(id)?;
        let time = Timestamp::parsed(value);
        if time.is_none() {
            let message = "must be a day such as 2026-11-24, or a time such as 2026-11-24T08:15".to_owned();
            wrong.push(Wrong { filter: id, message });
        }
        time
    };
    let (from, to) = (time("from"), time("to"));
    let correlation = match text("correlation").map(str::parse::<CorrelationId>) {
        None => None,
        Some(Ok(correlation)) => Some(correlation),
        Some(Err(_)) => return Ok(Understood::Nothing),
    };
    let user = match text("user") {
        None => None,
        Some(name) => match users::named(connection, tenant, name).await? {
            Some(user) => Some(user.id),
            // An identifier finds whoever is gone, too.
            None => match name.parse::<UserId>() {
                Ok(id) => Some(id),
                Err(_) => return Ok(Understood::Nothing),
            },
        },
    };
    let application = match text("application") {
        None => None,
        Some(name) => match application_named(config, name) {
            Some(id) => Some(id),
            None => return Ok(Understood::Nothing),
        },
    };
    let owned = |id: &str| text(id).map(str::to_owned);
    Ok(match kind {
        Kind::Access => Understood::Access(access_log::Filter {
            user,
            application,
            result: owned("result"),
            reason: owned("reason"),
            correlation,
            from,
            to,
        }),
        Kind::Authentication => {
            let result = match text("result") {
                Some("success") => Some(Proof::Success),
                Some("failure") => Some(Proof::Failure),
                _ => None,
            };
            let credential = text("credential");
            let credential = Credential::ALL.into_iter().find(|known| Some(known.id()) == credential);
            Understood::Audit(audit_list::Filter {
                subject: user.map(|user| user.to_string()),
                actions: authentication::actions(result, credential),
                correlation,
                from,
                to,
                ..audit_list::Filter::default()
            })
        }
        Kind::Audit => {
            let kinds: &[&str] = match text("by") {
                Some("operators") => &["operator", "api_key", "shell"],
                Some("user") => &["user"],
                Some("stranger") => &["stranger"],
                Some("device") => &["device"],
                Some("system") => &["system"],
                _ => &[],
            };
            let subject = match text("subject") {
                None => None,
                Some(name) => Some(match users::named(connection, tenant, name).await? {
                    Some(user) => user.id.to_string(),
                    None => name.to_owned(),
                }),
            };
            Understood::Audit(audit_list::Filter {
                subject,
                kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
                actions: owned("action").into_iter().collect(),
                object: owned("object"),
                correlation,
                from,
                to,
            })
        }
        Kind::Enrollment => {
            let group: Option<GroupId> = match text("group") {
                None => None,
                Some(name) => match config.groups.iter().find(|group| key_of(&group.name) == key_of(name)) {
                    Some(group) => Some(group.id),
                    None => return Ok(Understood::Nothing),
                },
            };
            let platform = match text("platform").map(str::parse::<Platform>) {
                None => None,
                Some(Ok(platform)) => Some(platform),
                Some(Err(_)) => return Ok(Understood::Nothing),
            };
            let outcome = text("result").and_then(Outcome::named);
            Understood::Enrollment(enrollment_history::Filter {
                user,
                group,
                outcome,
                method: owned("method"),
                platform,
                from,
                to,
            })
        }
    })
}

fn application_named(config: &TenantConfig, name: &str) -> Option<ApplicationId> {
    let all = config.applications.iter().chain([&config.console]);
    let named = all.clone().find(|application| key_of(&application.name) == key_of(name));
    named
        .or_else(|| all.clone().find(|application| application.id.to_string() == name))
        .map(|application| application.id)
}

fn application_name(config: &TenantConfig, id: ApplicationId) -> (String, &'static str) {
    let mut all = config.applications.iter().chain([&config.console]);
    match all.find(|application| application.id == id) {
        Some(application) => (application.name.clone(), application.protocol.origin().id()),
        None => (id.to_string(), ""),
    }
}

pub(super) fn access(config: &TenantConfig, page: access_log::Page) -> Page {
    let keys = page.rows.iter().map(|row| place_text(&(row.at.micros(), row.id.clone()))).collect();
    let rows = page.rows.into_iter().map(|row| {
        let (application, kind) = application_name(config, row.application);
        let user = row.username.or_else(|| row.user.map(|user| user.to_string())).unwrap_or_default();
        vec![
            row.at.rfc3339(),
            user,
            row.email.unwrap_or_default(),
            row.alias.unwrap_or_default(),
            application,
            kind.to_owned(),
            row.result,
            row.reason,
            row.policy,
            row.scenario.unwrap_or_default(),
            row.methods,
            row.address,
            row.correlation.to_string(),
        ]
    });
    Page { keys, rows: rows.collect(), next: page.next.as_ref().map(place_text) }
}

/// Who is behind an actor: what was written down with it, or the user name that the account has now.
async fn called(
    connection: &mut Connection,
    tenant: TenantId,
    names: &mut BTreeMap<String, String>,
    event: &Entry,
) -> storage::Result<String> {
    if let Some(name) = &event.actor_name {
        return Ok(name.clone());
    }
    if event.actor_kind != "user" && event.actor_kind != "operator" {
        return Ok(event.actor.clone());
    }
    if let Some(known) = names.get(&event.actor) {
        return Ok(known.clone());
    }
    let found = match event.actor.parse() {
        Ok(id) => users::with_id(connection, tenant, id).await?.map(|user| user.username),
        Err(_) => None,
    };
    let name = found.unwrap_or_else(|| event.actor.clone());
    names.insert(event.actor.clone(), name.clone());
    Ok(name)
}

pub(super) async fn events(
    connection: &mut Connection,
    tenant: TenantId,
    kind: Kind,
    page: audit_list::Page,
) -> storage::Result<Page> {
    let mut names = BTreeMap::new();
    let mut told = Page { next: page.next.as_ref().map(place_text), ..Page::default() };
    for event in page.events {
        let who = called(connection, tenant, &mut names, &event).await?;
        told.keys.push(place_text(&(event.at, event.id.clone())));
        let time = Timestamp::from_micros(event.at).rfc3339();
        let correlation = event.correlation_id.clone().unwrap_or_default();
        let detail: Value = serde_json::from_str(&event.detail).unwrap_or_default();
        told.rows.push(if kind == Kind::Authentication {
            let (outcome, credential, message) =
                authentication::of(&event.action).unwrap_or((Proof::Failure, Credential::Password, ""));
            let serial = detail.get("serial").and_then(Value::as_str).unwrap_or_default().to_owned();
            vec![
                time,
                who,
                serial,
                credential.id().to_owned(),
                event.action,
                outcome.id().to_owned(),
                message.to_owned(),
                event.address,
                correlation,
            ]
        } else {
            let (old, new, rest) = values(detail);
            vec![
                time,
                event.actor_kind,
                who,
                event.action,
                event.object,
                event.object_id,
                event.address,
                old,
                new,
                rest,
                correlation,
                event.id,
            ]
        });
    }
    Ok(told)
}

/// Old values, new values and the rest of an event's detail, as texts; of the first two only what differs.
#[must_use]
pub fn values(detail: Value) -> (String, String, String) {
    let Value::Object(mut detail) = detail else {
        return (String::new(), String::new(), if detail.is_null() { String::new() } else { detail.to_string() });
    };
    let (mut old, mut new) = (detail.remove("old").unwrap_or_default(), detail.remove("new").unwrap_or_default());
    differing(&mut old, &mut new);
    let text = |value: Value| if value.is_null() { String::new() } else { value.to_string() };
    let rest = if detail.is_empty() { String::new() } else { Value::Object(detail).to_string() };
    (text(old), text(new), rest)
}

/// Leaves in two documents what is not the same in both.
pub fn differing(old: &mut Value, new: &mut Value) {
    if let (Value::Object(old), Value::Object(new)) = (&mut *old, &mut *new) {
        let both: Vec<String> = old.keys().filter(|key| new.contains_key(*key)).cloned().collect();
        for key in both {
            if let (Some(before), Some(after)) = (old.get_mut(&key), new.get_mut(&key)) {
                if before == after {
                    old.remove(&key);
                    new.remove(&key);
                } else {
                    differing(before, after);
                }
            }
        }
    }
}

fn enrollments(config: &TenantConfig, page: enrollment_history::Page) -> Page {
    let keys = page.rows.iter().map(|row| row.id.to_string()).collect();
    let rows = page.rows.into_iter().map(|row| {
        let rule = row.rule.map(|id| {
            let rules = &config.settings.provisioning_rules;
            rules.iter().find(|rule| rule.id.to_string() == id).map_or(id, |rule| rule.name.clone())
        });
        vec![
            row.begun_at.rfc3339(),
            row.username.unwrap_or_else(|| row.user.to_string()),
            row.name,
            row.method.unwrap_or_default(),
            row.reached.to_owned(),
            row.outcome.id().to_owned(),
            row.reason.unwrap_or_default(),
            row.platform.map(Platform::id).unwrap_or_default().to_owned(),
            row.device,
            row.app_version,
            row.serial.unwrap_or_default(),
            row.template_version.map(|version| version.to_string()).unwrap_or_default(),
            row.address,
            row.application.map(|id| application_name(config, id).0).unwrap_or_default(),
            row.task.map(|task| task.to_string()).unwrap_or_default(),
            rule.unwrap_or_default(),
            row.took.as_secs().to_string(),
            row.correlation.map(|id| id.to_string()).unwrap_or_default(),
            row.brought.map(Brought::id).unwrap_or_default().to_owned(),
        ]
    });
    Page { keys, rows: rows.collect(), next: page.next.map(|id| id.to_string()) }
}

/// So many rows of an export are read at once.
const EXPORTED: usize = 500;

/// Some rows of a table after a place, for a file, and where it goes on. Filters that are wrong find nothing: they were looked at
/// before the file was begun.
///
/// # Errors
/// If the database fails.
pub async fn part(
    house: &crate::flow::House,
    config: &TenantConfig,
    kind: Kind,
    asked: &Asked,
    after: Option<&str>,
    now: Timestamp,
) -> storage::Result<(Vec<Vec<String>>, Option<String>)> {
    let read = house.db.look(async |connection| page(connection, config, kind, asked, after, EXPORTED, now).await);
    Ok(read.await?.map_or_else(|_| (Vec::new(), None), |page| (page.rows, page.next)))
}

/// Writes down that a table was taken out, by whom and narrowed by what: it may hold what somebody did all year.
///
/// # Errors
/// If the database fails.
pub async fn exported(desk: &Desk<'_>, tenant: TenantId, kind: Kind, asked: &Asked) -> storage::Result<()> {
    let detail = json!({ "table": kind.id(), "filters": asked.0 });
    let work = async |connection: &mut Connection| {
        let object = ("report", kind.id().to_owned());
        desk.record(connection, tenant, Action::AuditExported, object, detail.clone()).await
    };
    desk.house.db.write(work).await
}

/// One event with its place in the chain, and whether it is what was sealed.
#[derive(Debug, Clone)]
pub struct Event {
    /// The event.
    pub entry: Entry,
    /// Who did it.
    pub who: String,
    /// Its number in the chain; `None` while it is not sealed.
    pub number: Option<i64>,
    /// Whether it is what was sealed. One whose personal data was removed is not, and the chain as a whole explains it.
    pub unchanged: bool,
}

/// One event of the audit trail.
///
/// # Errors
/// If the database fails.
pub async fn event(connection: &mut Connection, tenant: TenantId, place: &Place) -> storage::Result<Option<Event>> {
    let Some(entry) = audit_list::event(tenant, place).ask(connection).await? else { return Ok(None) };
    let link = storage::audit_chain::link_of(tenant, entry.at, &entry.id).ask(connection).await?;
    let who = called(connection, tenant, &mut BTreeMap::new(), &entry).await?;
    let unchanged = link.is_none_or(|link| link.content == entry.content(tenant));
    Ok(Some(Event { entry, who, number: link.map(|link| link.number), unchanged }))
}

/// A report that counts: its name, its title and its columns.
#[derive(Debug)]
pub struct Report {
    /// The name in addresses.
    pub id: &'static str,
    /// What it is called.
    pub title: &'static str,
    /// What it tells.
    pub columns: &'static [&'static str],
}

/// Every report that counts.
pub const REPORTS: [Report; 3] = [
    Report { id: "tokens", title: "Tokens by type and state", columns: &["type", "state", "tokens"] },
    Report { id: "logins", title: "Logins of the last 30 days", columns: &["day", "succeeded", "failed", "denied"] },
    Report {
        id: "operators",
        title: "What operators did in the last 30 days",
        columns: &["who", "kind", "action", "times"],
    },
];

/// The report with this name.
#[must_use]
pub fn report_named(id: &str) -> Option<&'static Report> {
    REPORTS.iter().find(|report| report.id == id)
}

/// The rows of a report.
///
/// # Errors
/// If the database fails.
pub async fn report(
    connection: &mut Connection,
    tenant: TenantId,
    report: &Report,
    now: Timestamp,
) -> storage::Result<Vec<Vec<String>>> {
    const DAY: Duration = Duration::from_secs(86_400);
    match report.id {
        "tokens" => tokens_by_state(connection, tenant).await,
        "operators" => operators(connection, tenant, (now.minus(DAY * 30), None)).await,
        _ => {
            let activity = activity(connection, tenant, (DAY, 30), now).await?;
            let row = |(at, day): (usize, &Timestamp)| {
                let number = |line: &Vec<i64>| line.get(at).copied().unwrap_or(0).to_string();
                let day = day.rfc3339().get(..10).unwrap_or_default().to_owned();
                std::iter::once(day).chain(activity.logins.iter().map(number)).collect()
            };
            Ok(activity.steps.iter().enumerate().map(row).collect())
        }
    }
}

/// What happened in each step of a span of time.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    /// When each step begins.
    pub steps: Vec<Timestamp>,
    /// How long a step is.
    pub step: Duration,
    /// Logins that succeeded, failed and were denied, in each step.
    pub logins: [Vec<i64>; 3],
    /// Accounts that were locked.
    pub lockouts: Vec<i64>,
    /// Enrollments that were completed.
    pub enrollments: Vec<i64>,
}

/// Counts what happened in `steps` steps up to `now`.
///
/// # Errors
/// If the database fails.
pub async fn activity(
    connection: &mut Connection,
    tenant: TenantId,
    (step, steps): (Duration, usize),
    now: Timestamp,
) -> storage::Result<Activity> {
    let width = i64::try_from(step.as_micros()).unwrap_or(i64::MAX).max(1);
    let last = now.micros() - now.micros().rem_euclid(width);
    let first = last - width * i64::try_from(steps.saturating_sub(1)).unwrap_or(0);
    let span = (Timestamp::from_micros(first), Timestamp::from_micros(last.saturating_add(width)));
    let mut told = Activity {
        steps: (0..steps).map(|n| Timestamp::from_micros(first + width * i64::try_from(n).unwrap_or(0))).collect(),
        step,
        logins: [vec![0; steps], vec![0; steps], vec![0; steps]],
        lockouts: vec![0; steps],
        enrollments: vec![0; steps],
    };
    let slot = |at: i64| usize::try_from((at - first).div_euclid(width)).ok();
    for (at, result, n) in access_log::counted(connection, tenant, &told.steps, step).await? {
        let line = match result {
            "success" => &mut told.logins[0],
            "failure" => &mut told.logins[1],
            _ => &mut told.logins[2],
        };
        if let Some(cell) = slot(at.micros()).and_then(|slot| line.get_mut(slot)) {
            *cell += n;
        }
    }
    for (action, line) in [("account_locked", &mut told.lockouts), ("enrollment_completed", &mut told.enrollments)] {
        for (at, n) in audit_list::counted(tenant, action, span, width).ask(connection).await? {
            if let Some(cell) = slot(at.micros()).and_then(|slot| line.get_mut(slot)) {
                *cell += n;
            }
        }
    }
    Ok(told)
}

/// How many tokens there are of each kind in each state.
///
/// # Errors
/// If the database fails.
pub async fn tokens_by_state(connection: &mut Connection, tenant: TenantId) -> storage::Result<Vec<Vec<String>>> {
    let counts = tokens::counts(connection, tenant).await?;
    let row = |(kind, state, n): (crate::domain::authenticator::lifecycle::Kind, _, i64)| {
        let state: crate::domain::authenticator::lifecycle::State = state;
        vec![kind.id().to_owned(), state.id().to_owned(), n.to_string()]
    };
    Ok(counts.into_iter().map(row).collect())
}

/// What each operator and key has done from a time on, before another where one is given: who, what, how often.
///
/// # Errors
/// If the database fails.
pub async fn operators(
    connection: &mut Connection,
    tenant: TenantId,
    (from, until): (Timestamp, Option<Timestamp>),
) -> storage::Result<Vec<Vec<String>>> {
    let mut counted: BTreeMap<(String, String, String), i64> = BTreeMap::new();
    for (kind, actor, name, action, n) in audit_list::by_operators(tenant, from, until).ask(connection).await? {
        let who = name.unwrap_or(actor);
        *counted.entry((who, kind, action)).or_default() += n;
    }
    Ok(counted.into_iter().map(|((who, kind, action), n)| vec![who, kind, action, n.to_string()]).collect())
}
