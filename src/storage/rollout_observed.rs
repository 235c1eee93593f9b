//! People who would have been asked to enroll and were let in as before: a row for each person and day.

use serde::{Deserialize, Serialize};

use super::parts::Part;
use super::row::Row;
use super::statement::{Question, Record, Statement};
use super::{Engine, Result};
use crate::domain::ids::{ApplicationId, TenantId, UserId};
use crate::domain::policy::staging::Spared;
use crate::domain::timestamp::Timestamp;

/// One of them.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The person.
    pub user: UserId,
    /// When, for the first time of that day.
    pub at: Timestamp,
    /// What was to be reached.
    pub application: ApplicationId,
    /// The policy that asked for a passcode.
    pub policy: String,
    /// Why the person was not asked.
    pub spared: Spared,
    /// What would have stopped the enrollment; empty if nothing.
    pub obstacle: String,
}

/// The day that rows of this time are filed under, since 1970, in UTC.
#[must_use]
pub const fn day(at: Timestamp) -> i64 {
    at.seconds().div_euclid(86_400)
}

/// The statement that writes it down, unless the day has a row of that person.
pub fn insertion(engine: Engine, tenant: TenantId, observed: &Observed) -> Statement {
    let statement = match engine {
        Engine::Sqlite => {
            "INSERT INTO rollout_observed (tenant_id, day, user_id, at, application_id, policy, spared, obstacle) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        }
        Engine::MySql => {
            "INSERT IGNORE INTO rollout_observed (tenant_id, day, user_id, at, application_id, policy, spared, obstacle) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        }
    };
    Statement::new(statement)
        .shown(tenant)
        .bind(day(observed.at))
        .shown(observed.user)
        .bind(observed.at.micros())
        .shown(observed.application)
        .shown(&observed.policy)
        .bind(observed.spared.reason())
        .shown(&observed.obstacle)
}

/// What was observed, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// What it is counted by: a day, an application, a policy, a reason or an obstacle.
    pub key: String,
    /// How many people.
    pub people: i64,
}

fn counted(rows: Vec<Record>) -> Result<Vec<Counted>> {
    let read = |row| {
        let row = Row::of("rollout_observed", row);
        Ok(Counted { key: row.text("item")?, people: row.integer("people")? })
    };
    rows.into_iter().map(read).collect()
}

/// What rows are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The application that was reached first that day.
    Application,
    /// The policy that asked for a passcode.
    Policy,
    /// Why the person was not asked.
    Spared,
    /// What would have stopped the enrollment.
    Obstacle,
}

/// The days of a report, today included: those of the last 30 times 24 hours.
pub const REPORTED: i64 = 31;

/// The people of a part on one of these days.
const WHERE: &str = " FROM rollout_observed WHERE tenant_id = ? AND user_id > ? AND user_id <= ? AND day IN (?, ?, ?, ?, ?, ?, ?, ?, \
     ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

fn of_part(head: &'static str, (tenant, part): (TenantId, &Part), now: Timestamp, tail: &'static str) -> Statement {
    let statement = Statement::composed(&[head, WHERE, tail]).shown(tenant).with(part.bounds().into());
    (0..REPORTED).fold(statement, |statement, back| statement.bind(day(now) - back))
}

/// Different people of a part in the days of a report, by something.
pub fn people(of: (TenantId, &Part), now: Timestamp, by: By) -> Question<Vec<Counted>> {
    let (head, tail) = match by {
        By::Application => {
            ("SELECT application_id AS item, COUNT(DISTINCT user_id) AS people", " GROUP BY application_id")
        }
        By::Policy => ("SELECT policy AS item, COUNT(DISTINCT user_id) AS people", " GROUP BY policy"),
        By::Spared => ("SELECT spared AS item, COUNT(DISTINCT user_id) AS people", " GROUP BY spared"),
        By::Obstacle => ("SELECT obstacle AS item, COUNT(DISTINCT user_id) AS people", " GROUP BY obstacle"),
    };
    Question::new(of_part(head, of, now, tail), counted)
}

/// Different people of a part in the days of a report, altogether.
pub fn people_altogether(of: (TenantId, &Part), now: Timestamp) -> Question<i64> {
    Question::new(of_part("SELECT COUNT(DISTINCT user_id) AS people", of, now, ""), |rows| {
        rows.into_iter().next().map_or(Ok(0), |row| Row::of("rollout_observed", row).integer("people"))
    })
}

/// People of a part on each of the days of a report: days since 1970 in UTC, and how many.
pub fn days(of: (TenantId, &Part), now: Timestamp) -> Question<Vec<(i64, i64)>> {
    Question::new(of_part("SELECT day, COUNT(*) AS people", of, now, " GROUP BY day"), |rows| {
        let read = |row| {
            let row = Row::of("rollout_observed", row);
            Ok((row.integer("day")?, row.integer("people")?))
        };
        rows.into_iter().map(read).collect()
    })
}

/// A question of [`people`] for tests that look at an engine's plans.
pub fn explained(of: (TenantId, &Part), now: Timestamp) -> Statement {
    of_part("SELECT application_id AS item, COUNT(DISTINCT user_id) AS people", of, now, " GROUP BY application_id")
}

/// How many days are kept, today included.
pub const KEPT: i64 = 35;

/// The statement that forgets a person, with the account: one row for each day that is kept.
pub fn forgotten(tenant: TenantId, user: UserId, now: Timestamp) -> Statement {
    // Five more days than are kept, for the time between two rounds of the job that forgets.
    let mut statement = Statement::new(
        "DELETE FROM rollout_observed WHERE tenant_id = ? AND user_id = ? AND day IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, \
         ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(user);
    for back in 0..KEPT + 5 {
        statement = statement.bind(day(now) - back);
    }
    statement
}

/// The statement that forgets the days that are not kept any more.
pub fn outdated(tenant: TenantId, now: Timestamp) -> Statement {
    Statement::new("DELETE FROM rollout_observed WHERE tenant_id = ? AND day <= ?").shown(tenant).bind(day(now) - KEPT)
}
