//! People who would have been asked to enroll and were let in as before: a row for each person and day.

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
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// Different people since a day, by something.
pub fn people(tenant: TenantId, since: Timestamp, by: By) -> Question<Vec<Counted>> {
    let statement = match by {
        By::Application => {
            "SELECT application_id AS item, COUNT(DISTINCT user_id) AS people FROM rollout_observed \
             WHERE tenant_id = ? AND day >= ? GROUP BY application_id ORDER BY people DESC, item"
        }
        By::Policy => {
            "SELECT policy AS item, COUNT(DISTINCT user_id) AS people FROM rollout_observed \
             WHERE tenant_id = ? AND day >= ? GROUP BY policy ORDER BY people DESC, item"
        }
        By::Spared => {
            "SELECT spared AS item, COUNT(DISTINCT user_id) AS people FROM rollout_observed \
             WHERE tenant_id = ? AND day >= ? GROUP BY spared ORDER BY people DESC, item"
        }
        By::Obstacle => {
            "SELECT obstacle AS item, COUNT(DISTINCT user_id) AS people FROM rollout_observed \
             WHERE tenant_id = ? AND day >= ? GROUP BY obstacle ORDER BY people DESC, item"
        }
    };
    Question::new(Statement::new(statement).shown(tenant).bind(day(since)), counted)
}

/// Different people since a day, altogether.
pub fn people_altogether(tenant: TenantId, since: Timestamp) -> Question<i64> {
    let statement = Statement::new(
        "SELECT COUNT(DISTINCT user_id) AS people FROM rollout_observed WHERE tenant_id = ? AND day >= ?",
    );
    Question::new(statement.shown(tenant).bind(day(since)), |rows| {
        rows.into_iter().next().map_or(Ok(0), |row| Row::of("rollout_observed", row).integer("people"))
    })
}

/// People on each day since one, the newest first: days since 1970 in UTC, and how many.
pub fn days(tenant: TenantId, since: Timestamp) -> Question<Vec<(i64, i64)>> {
    let statement = Statement::new(
        "SELECT day, COUNT(*) AS people FROM rollout_observed WHERE tenant_id = ? AND day >= ? GROUP BY day ORDER BY day DESC",
    );
    Question::new(statement.shown(tenant).bind(day(since)), |rows| {
        let read = |row| {
            let row = Row::of("rollout_observed", row);
            Ok((row.integer("day")?, row.integer("people")?))
        };
        rows.into_iter().map(read).collect()
    })
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
