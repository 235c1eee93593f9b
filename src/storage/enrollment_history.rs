//! Every enrollment that somebody began, the newest first: finished, abandoned and failed ones alike.
//!
//! Identifiers of enrollments begin with their time, so the list needs no index of its own.

use std::time::Duration;

use serde_json::Value;

use super::row::Row;
use super::statement::{Question, Record, Statement};
use super::{Connection, Result};
use crate::domain::enrollment::{Brought, Reached, State};
use crate::domain::ids::{ApplicationId, CorrelationId, EnrollmentId, GroupId, TenantId, UserId};
use crate::domain::policy::platform::Platform;
use crate::domain::timestamp::Timestamp;

/// How many rows are read with one question.
const CHUNK: i64 = 500;
/// How many such questions a page may take.
const CHUNKS: usize = 6;
/// An open enrollment in which nothing happened for so long was left.
const LEFT: Duration = Duration::from_secs(60 * 60);

/// How an enrollment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There is a token.
    Completed,
    /// The person is at it.
    Open,
    /// The person stopped, or said so.
    Abandoned,
    /// It ended because of what went wrong.
    Failed,
    /// Another one came first.
    Superseded,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Completed, Self::Open, Self::Abandoned, Self::Failed, Self::Superseded];

    /// The published name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Open => "open",
            Self::Abandoned => "abandoned",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }

    /// The outcome with this name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.id() == id)
    }

    fn of(state: State, reason: Option<&str>, quiet: bool) -> Self {
        match (state, reason) {
            (State::Completed, _) => Self::Completed,
            (State::Open, _) if !quiet => Self::Open,
            (State::Cancelled, Some("superseded")) => Self::Superseded,
            (State::Open | State::Cancelled, None | Some("cancelled" | "user_switched")) => Self::Abandoned,
            (State::Open | State::Cancelled, Some(_)) => Self::Failed,
        }
    }
}

/// What the list is narrowed by; nothing shows everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this person.
    pub user: Option<UserId>,
    /// Of people who are in this group now.
    pub group: Option<GroupId>,
    /// That ended so.
    pub outcome: Option<Outcome>,
    /// `self_provisioning`, `email_link` or `portal`.
    pub method: Option<String>,
    /// On this platform.
    pub platform: Option<Platform>,
    /// Begun at this time or later.
    pub from: Option<Timestamp>,
    /// Begun before this time.
    pub to: Option<Timestamp>,
}

/// One enrollment.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its identifier.
    pub id: EnrollmentId,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// The person.
    pub user: UserId,
    /// The user name; `None` where the account is gone.
    pub username: Option<String>,
    /// First and last name.
    pub name: String,
    /// How it came about; `None` where it was begun before this was written down.
    pub method: Option<String>,
    /// How the activation came to the device, as its app says; `None` where it does not.
    pub brought: Option<Brought>,
    /// The furthest step, by its published name.
    pub reached: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong last, or why it ended; a published name.
    pub reason: Option<String>,
    /// The platform.
    pub platform: Option<Platform>,
    /// What the device calls itself.
    pub device: String,
    /// The version of the app.
    pub app_version: String,
    /// The serial number that the token has, or would have had.
    pub serial: Option<String>,
    /// The version of the template.
    pub template_version: Option<u64>,
    /// From where it was begun.
    pub address: String,
    /// What the person was on the way to.
    pub application: Option<ApplicationId>,
    /// The number of the provisioning task that it is for.
    pub task: Option<i64>,
    /// The rule that made the task.
    pub rule: Option<String>,
    /// The login.
    pub correlation: Option<CorrelationId>,
    /// From the beginning to the end, or to what happened last.
    pub took: Duration,
}

/// A page of the list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The enrollments, the newest first.
    pub rows: Vec<Told>,
    /// Where the next page begins, to be given back; `None` at the end.
    pub next: Option<EnrollmentId>,
}

const COLUMNS: &str = "SELECT enrollment.id AS id, enrollment.created_at AS created_at, enrollment.updated_at AS updated_at, \
     enrollment.user_id AS user_id, username, first_name, last_name, method, reached, enrollment.state AS state, reason, \
     enrollment.platform AS platform, device, serial, template, enrollment.address AS address, application_id, \
     enrollment.correlation_id AS correlation_id, ended_at, reservation.task_number AS task_number, \
     provisioning_task.rule_id AS rule_id FROM ";
const MORE: &str = "LEFT JOIN user_account ON user_account.tenant_id = enrollment.tenant_id \
     AND user_account.id = enrollment.user_id \
     LEFT JOIN reservation ON reservation.tenant_id = enrollment.tenant_id AND reservation.id = enrollment.reservation_id \
     LEFT JOIN provisioning_task ON provisioning_task.tenant_id = enrollment.tenant_id \
     AND provisioning_task.number = reservation.task_number ";

/// Whose enrollments, and those of them before one and not before another.
type Whose = [&'static str; 4];

const OF_ALL: Whose = [
    COLUMNS,
    "enrollment ",
    MORE,
    "WHERE enrollment.tenant_id = ? AND enrollment.id < ? AND enrollment.id >= ? ORDER BY enrollment.id DESC LIMIT ?",
];

// The plus keeps an engine from going through the enrollments of everybody in their order, which looks cheaper and is not.
const OF_USER: Whose = [
    COLUMNS,
    "enrollment ",
    MORE,
    "WHERE enrollment.tenant_id = ? AND enrollment.user_id = ? AND +enrollment.id < ? AND +enrollment.id >= ? \
     ORDER BY +enrollment.id DESC LIMIT ?",
];

const OF_MANY: Whose = [
    COLUMNS,
    "enrollment JOIN group_member ON group_member.tenant_id = enrollment.tenant_id \
     AND group_member.user_id = enrollment.user_id AND group_member.group_id = ? ",
    MORE,
    "WHERE enrollment.tenant_id = ? AND enrollment.id < ? AND enrollment.id >= ? ORDER BY enrollment.id DESC LIMIT ?",
];

// Members of a small group are few among everybody: they come first, and then what each of them did.
const OF_FEW: Whose = [
    COLUMNS,
    "group_member CROSS JOIN enrollment ",
    MORE,
    "WHERE group_member.group_id = ? AND group_member.tenant_id = ? \
     AND enrollment.tenant_id = group_member.tenant_id AND enrollment.user_id = group_member.user_id \
     AND +enrollment.id < ? AND +enrollment.id >= ? ORDER BY +enrollment.id DESC LIMIT ?",
];

/// A group with so many members at most is small.
pub const SMALL: i64 = 10_000;
/// Of the members of a large group so many rows are read with one question: they are sought among everybody's, so each costs more.
const CHUNK_OF_MANY: i64 = 100;

/// How many members a group has, counted no further than `most`.
fn members_up_to(tenant: TenantId, group: GroupId, most: i64) -> Question<i64> {
    let statement = Statement::new(
        "SELECT COUNT(*) AS members FROM (SELECT user_id FROM group_member WHERE tenant_id = ? AND group_id = ? LIMIT ?) AS found",
    );
    Question::new(statement.shown(tenant).shown(group).bind(most), |rows| {
        rows.into_iter().next().map_or(Ok(0), |row| Row::of("group_member", row).integer("members"))
    })
}

/// A page of the enrollments that `filter` lets through, after the place that an earlier page gave.
///
/// # Errors
/// If the database fails.
pub async fn page(
    connection: &mut Connection,
    tenant: TenantId,
    filter: &Filter,
    after: Option<EnrollmentId>,
    limit: usize,
    now: Timestamp,
) -> Result<Page> {
    let bound = |at: Timestamp| EnrollmentId::made(at, [0; 10]).to_string();
    let mut place = match (after, filter.to) {
        (Some(after), _) => after.to_string(),
        (None, Some(to)) => bound(to),
        (None, None) => "~".to_owned(),
    };
    let oldest = filter.from.map(bound).unwrap_or_default();
    let mut rows: Vec<Told> = Vec::new();
    let (whose, group, chunk) = match (filter.user, filter.group) {
        (Some(_), _) => (OF_USER, None, CHUNK),
        (None, Some(group)) if members_up_to(tenant, group, SMALL + 1).ask(connection).await? <= SMALL => {
            (OF_FEW, Some(group), CHUNK)
        }
        (None, Some(group)) => (OF_MANY, Some(group), CHUNK_OF_MANY),
        (None, None) => (OF_ALL, None, CHUNK),
    };
    for _ in 0..CHUNKS {
        let mut statement = Statement::composed(&whose);
        if let Some(group) = group {
            statement = statement.shown(group);
        }
        statement = statement.shown(tenant);
        if let Some(user) = filter.user {
            statement = statement.shown(user);
        }
        let found = statement.bind(&place).bind(&oldest).bind(chunk).rows(connection).await?;
        let whole = i64::try_from(found.len()).unwrap_or(i64::MAX) < chunk;
        for row in found {
            let told = told(row, now)?;
            place = told.id.to_string();
            if filter.lets_through(&told) {
                rows.push(told);
            }
        }
        if rows.len() > limit || whole {
            let more = rows.len() > limit;
            rows.truncate(limit);
            let next = rows.last().filter(|_| more).map(|last| last.id);
            return Ok(Page { rows, next });
        }
    }
    Ok(Page { rows, next: place.parse().ok() })
}

impl Filter {
    fn lets_through(&self, told: &Told) -> bool {
        self.outcome.is_none_or(|wanted| wanted == told.outcome)
            && self.method.as_ref().is_none_or(|wanted| told.method.as_ref() == Some(wanted))
            && self.platform.is_none_or(|wanted| told.platform == Some(wanted))
            && self.from.is_none_or(|from| told.begun_at >= from)
            && self.to.is_none_or(|to| told.begun_at < to)
    }
}

fn told(row: Record, now: Timestamp) -> Result<Told> {
    let row = Row::of("enrollment", row);
    let (begun_at, updated_at) = (row.time("created_at")?, row.time("updated_at")?);
    let state = row.named("state", State::named)?;
    let reason = row.text_or_none("reason")?;
    let device: Value = row.document_or_none("device")?.unwrap_or_default();
    let template: Value = row.document_or_none("template")?.unwrap_or_default();
    let platform: Option<Platform> = row.parsed_or_none("platform")?;
    let number = row.integer_or_none("reached")?;
    // Rows that were begun before this was written down tell less.
    let number = number.unwrap_or(match (state, platform) {
        (State::Completed, _) => Reached::Completed.number(),
        (_, Some(_)) => Reached::Platform.number(),
        (_, None) => Reached::Started.number(),
    });
    let reached = Reached::ALL.into_iter().find(|reached| reached.number() == number);
    let said = |names: [&str; 2]| {
        names.iter().find_map(|name| device.get(name).and_then(Value::as_str)).unwrap_or_default().to_owned()
    };
    let name = [row.text_or_none("first_name")?, row.text_or_none("last_name")?];
    Ok(Told {
        id: row.parsed("id")?,
        begun_at,
        user: row.parsed("user_id")?,
        username: row.text_or_none("username")?,
        name: name.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
        method: row.text_or_none("method")?,
        brought: device.get("brought_by").and_then(Value::as_str).and_then(Brought::named),
        reached: reached.unwrap_or(Reached::Started).id(),
        outcome: Outcome::of(state, reason.as_deref(), now.since(updated_at) >= LEFT),
        reason,
        platform,
        device: said(["name", "model"]),
        app_version: said(["app_version", "version"]),
        serial: row.text_or_none("serial")?,
        template_version: template.get("version").and_then(Value::as_u64),
        address: row.text_or_none("address")?.unwrap_or_default(),
        application: row.parsed_or_none("application_id")?,
        task: row.integer_or_none("task_number")?,
        rule: row.text_or_none("rule_id")?,
        correlation: row.parsed_or_none("correlation_id")?,
        took: row.time_or_none("ended_at")?.unwrap_or(updated_at).since(begun_at),
    })
}
