//! The funnel, counted by the database from the attempts to enroll.

use serde::{Deserialize, Serialize};

use super::parts::Part;
use super::row::Row;
use super::statement::{Statement, Value};
use super::{Connection, Result};
use crate::domain::funnel::{Reached, Stage, Times};
use crate::domain::ids::{GroupId, TenantId, WaveId};
use crate::domain::timestamp::Timestamp;

/// What people are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// All together.
    Nothing,
    /// Each group; somebody in several counts in each.
    Group,
    /// The platform that was chosen last; empty before one is.
    Platform,
    /// The language of the page.
    Language,
    /// The wave; empty where none asked.
    Wave,
}

impl By {
    /// The dimensions that a report can be broken down by.
    pub const ALL: [Self; 4] = [Self::Wave, Self::Group, Self::Platform, Self::Language];

    /// The name in addresses and commands.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Nothing => "all",
            Self::Group => "group",
            Self::Platform => "platform",
            Self::Language => "language",
            Self::Wave => "wave",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().chain([Self::Nothing]).find(|by| by.id() == text)
    }
}

/// Which attempts are counted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// That began at or after this.
    pub since: Option<Timestamp>,
    /// Of members of this group.
    pub group: Option<GroupId>,
    /// On this platform.
    pub platform: Option<String>,
    /// In this language.
    pub language: Option<String>,
    /// Of this wave.
    pub wave: Option<WaveId>,
}

impl Filter {
    /// The conditions, and their values, for the people of a part.
    fn conditions(&self, tenant: TenantId, part: &Part) -> (Vec<&'static str>, Vec<Value>) {
        // The sign keeps an engine from the index of times: a part is a small piece of the key.
        let mut parts = vec!["WHERE a.tenant_id = ? AND a.user_id > ? AND a.user_id <= ? AND +a.at >= ?"];
        let since = self.since.map_or(0, Timestamp::micros);
        let mut values = vec![Value::Text(tenant.to_string())];
        values.extend(part.bounds());
        values.push(Value::Number(since));
        let mut add = |part, value: Option<String>| {
            if let Some(value) = value {
                parts.push(part);
                values.push(Value::Text(value));
            }
        };
        add(" AND a.wave_id = ?", self.wave.map(|wave| wave.to_string()));
        add(" AND a.platform = ?", self.platform.clone());
        add(" AND a.language = ?", self.language.clone());
        add(
            " AND EXISTS (SELECT 1 FROM group_member f WHERE f.tenant_id = a.tenant_id AND f.user_id = a.user_id \
             AND f.group_id = ?)",
            self.group.map(|group| group.to_string()),
        );
        (parts, values)
    }
}

/// The columns with the times of the steps after the first, in the order of [`Stage::ALL`].
const COUNTS: &str = "COUNT(*) AS s0, COUNT(CASE WHEN s1 = 1 THEN 1 END) AS s1, COUNT(CASE WHEN s2 = 1 THEN 1 END) AS s2, \
     COUNT(CASE WHEN s3 = 1 THEN 1 END) AS s3, COUNT(CASE WHEN s4 = 1 THEN 1 END) AS s4, \
     COUNT(CASE WHEN s5 = 1 THEN 1 END) AS s5, COUNT(CASE WHEN s6 = 1 THEN 1 END) AS s6, \
     COUNT(CASE WHEN s7 = 1 THEN 1 END) AS s7, COUNT(CASE WHEN s8 = 1 THEN 1 END) AS s8, \
     COUNT(CASE WHEN s7 = 0 AND failed = 1 THEN 1 END) AS failed FROM (SELECT ";
const STEPS: &str = " AS item, a.user_id AS user_id, \
     MAX(CASE WHEN a.offered_at IS NULL THEN 0 ELSE 1 END) AS s1, MAX(CASE WHEN a.started_at IS NULL THEN 0 ELSE 1 END) AS s2, \
     MAX(CASE WHEN a.mail_at IS NULL THEN 0 ELSE 1 END) AS s3, MAX(CASE WHEN a.platform_at IS NULL THEN 0 ELSE 1 END) AS s4, \
     MAX(CASE WHEN a.app_at IS NULL THEN 0 ELSE 1 END) AS s5, MAX(CASE WHEN a.activated_at IS NULL THEN 0 ELSE 1 END) AS s6, \
     MAX(CASE WHEN a.passcode_at IS NULL THEN 0 ELSE 1 END) AS s7, MAX(CASE WHEN a.returned_at IS NULL THEN 0 ELSE 1 END) AS s8, \
     MAX(CASE WHEN a.started_at IS NOT NULL AND a.passcode_at IS NULL AND (a.ended_at IS NOT NULL OR a.started_at < ?) \
     THEN 1 ELSE 0 END) AS failed FROM rollout_attempt a ";

/// People of a part by step, for each value of `by`; what was begun before `abandoned` and has not come to an end has failed.
///
/// # Errors
/// If the database fails.
pub async fn reached(
    connection: &mut Connection,
    (tenant, part): (TenantId, &Part),
    (by, filter): (By, &Filter),
    abandoned: Timestamp,
) -> Result<Vec<(String, Reached)>> {
    let read = |row| {
        let row = Row::of("rollout_attempt", row);
        let number = |column| Ok::<_, super::Error>(u64::try_from(row.integer(column)?).unwrap_or(0));
        let mut people = [0; 9];
        for (place, column) in people.iter_mut().zip(["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"]) {
            *place = number(column)?;
        }
        Ok((row.text("item")?, Reached { people, failed: number("failed")? }))
    };
    let statement = reached_statement((tenant, part), (by, filter), abandoned);
    statement.rows(connection).await?.into_iter().map(read).collect()
}

/// The question of [`reached`]; for tests that look at an engine's plans, too.
pub fn reached_statement(
    (tenant, part): (TenantId, &Part),
    (by, filter): (By, &Filter),
    abandoned: Timestamp,
) -> Statement {
    let (item, join) = match by {
        By::Nothing => ("''", ""),
        By::Platform => ("COALESCE(a.platform, '')", ""),
        By::Language => ("a.language", ""),
        By::Wave => ("COALESCE(a.wave_id, '')", ""),
        By::Group => ("m.group_id", "JOIN group_member m ON m.tenant_id = a.tenant_id AND m.user_id = a.user_id "),
    };
    let (conditions, values) = filter.conditions(tenant, part);
    let mut parts = vec!["SELECT item, ", COUNTS, item, STEPS, join];
    parts.extend(conditions);
    parts.extend([" GROUP BY a.user_id, ", item, ") people GROUP BY item"]);
    if by == By::Nothing {
        // A constant is nothing to group by.
        parts.truncate(parts.len() - 3);
        parts.push(" GROUP BY a.user_id) people GROUP BY item");
    }
    Statement::composed(&parts).bind(abandoned.micros()).with(values)
}

/// The time that a step took since the one before, in microseconds of whole seconds.
const fn span(stage: Stage) -> Option<&'static str> {
    Some(match stage {
        Stage::Asked => return None,
        Stage::Offered => "a.offered_at - a.at",
        Stage::Started => "a.started_at - a.offered_at",
        Stage::Mail => "a.mail_at - a.started_at",
        Stage::Platform => "a.platform_at - a.mail_at",
        Stage::App => "a.app_at - a.platform_at",
        Stage::Activated => "a.activated_at - a.app_at",
        Stage::Passcode => "a.passcode_at - a.activated_at",
        Stage::Returned => "a.returned_at - a.passcode_at",
    })
}

/// How long each step took for the people of a part, counted by whole seconds.
///
/// # Errors
/// If the database fails.
pub async fn times(
    connection: &mut Connection,
    (tenant, part): (TenantId, &Part),
    filter: &Filter,
) -> Result<Vec<(Stage, Times)>> {
    let mut found = Vec::with_capacity(Stage::ALL.len());
    for stage in Stage::ALL {
        let Some(span) = span(stage) else { continue };
        let (conditions, values) = filter.conditions(tenant, part);
        // Whole seconds without a division, which the engines do differently.
        let mut parts = vec![
            "SELECT micros - micros % 1000000 AS span, COUNT(*) AS people FROM (SELECT ",
            span,
            " AS micros FROM rollout_attempt a ",
        ];
        parts.extend(conditions);
        parts.push(") spans WHERE micros >= 0 GROUP BY micros - micros % 1000000 ORDER BY span");
        let statement = Statement::composed(&parts).with(values);
        let mut times = Times::new();
        for row in statement.rows(connection).await? {
            let row = Row::of("rollout_attempt", row);
            let number = |column| Ok::<_, super::Error>(u64::try_from(row.integer(column)?).unwrap_or(0));
            times.push((number("span")? / 1_000_000, number("people")?));
        }
        found.push((stage, times));
    }
    Ok(found)
}

/// The people of a group, whether they were asked or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Members {
    /// Members whose account may be used.
    pub people: u64,
    /// Of these: have an authenticator.
    pub enrolled: u64,
    /// Of these: have none and were never asked for one.
    pub untouched: u64,
}

impl Members {
    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            people: self.people + other.people,
            enrolled: self.enrolled + other.enrolled,
            untouched: self.untouched + other.untouched,
        }
    }
}

/// The people of every group: those in a part of all people.
///
/// # Errors
/// If the database fails.
pub async fn members(
    connection: &mut Connection,
    (tenant, part): (TenantId, &Part),
) -> Result<Vec<(GroupId, Members)>> {
    let read = |row| {
        let row = Row::of("group_member", row);
        let number = |column| Ok::<_, super::Error>(u64::try_from(row.integer(column)?).unwrap_or(0));
        let members =
            Members { people: number("people")?, enrolled: number("enrolled")?, untouched: number("untouched")? };
        Ok((row.parsed("group_id")?, members))
    };
    members_statement((tenant, part)).rows(connection).await?.into_iter().map(read).collect()
}

/// The question of [`members`]; for tests that look at an engine's plans, too.
pub fn members_statement((tenant, part): (TenantId, &Part)) -> Statement {
    let statement = Statement::new(
        "SELECT group_id, COUNT(*) AS people, COUNT(CASE WHEN has_token = 1 THEN 1 END) AS enrolled, \
         COUNT(CASE WHEN has_token = 0 AND touched = 0 THEN 1 END) AS untouched FROM (SELECT m.group_id AS group_id, \
         CASE WHEN u.first_enrolled_at IS NOT NULL AND u.token_state IN ('active', 'suspended', 'locked') \
         THEN 1 ELSE 0 END AS has_token, \
         CASE WHEN EXISTS (SELECT 1 FROM rollout_attempt a WHERE a.tenant_id = u.tenant_id AND a.user_id = u.id) \
         THEN 1 ELSE 0 END AS touched FROM user_account u CROSS JOIN group_member m ON m.tenant_id = u.tenant_id \
         AND m.user_id = u.id WHERE u.tenant_id = ? AND u.id > ? AND u.id <= ? AND u.status = 'enabled') people \
         GROUP BY group_id",
    );
    statement.shown(tenant).with(part.bounds().into())
}
