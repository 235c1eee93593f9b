//! What was counted over everybody, and what is being counted.

use super::row::Row;
use super::statement::{Question, Record, Statement};
use super::{Connection, Engine, Result};
use crate::domain::ids::TenantId;
use crate::domain::timestamp::Timestamp;

/// A question about everybody, with its last answer.
#[derive(Debug, Clone)]
pub struct Tally {
    /// The virtual server.
    pub tenant: TenantId,
    /// The hash of the question.
    pub id: String,
    /// The question, a document.
    pub question: String,
    /// When somebody last wanted to know.
    pub asked_at: Timestamp,
    /// When the count that goes on was begun.
    pub begun_at: Option<Timestamp>,
    /// How many people it has looked at.
    pub looked_at: u64,
    /// The last answer.
    pub answer: Option<Answer>,
}

/// What came of a count.
#[derive(Debug, Clone)]
pub struct Answer {
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in microseconds.
    pub took: i64,
    /// What came of it, a document.
    pub text: String,
}

fn tally(row: Record) -> Result<Tally> {
    let row = Row::of("tally", row);
    let answer = match (row.time_or_none("counted_at")?, row.text_or_none("answer")?) {
        (Some(at), Some(text)) => Some(Answer { at, took: row.integer("took")?, text }),
        _ => None,
    };
    Ok(Tally {
        tenant: row.parsed("tenant_id")?,
        id: row.text("id")?,
        question: row.text("question")?,
        asked_at: row.time("asked_at")?,
        begun_at: row.time_or_none("begun_at")?,
        looked_at: u64::try_from(row.integer("looked_at")?).unwrap_or(0),
        answer,
    })
}

/// The question with this hash.
pub fn one(tenant: TenantId, id: &str) -> Question<Option<Tally>> {
    let statement = Statement::new(
        "SELECT tenant_id, id, question, asked_at, begun_at, looked_at, counted_at, took, answer FROM tally \
         WHERE tenant_id = ? AND id = ?",
    );
    Question::new(statement.shown(tenant).bind(id), |rows| rows.into_iter().next().map(tally).transpose())
}

/// What is to be counted, of all virtual servers, the oldest first.
// every tenant's: the worker asks for all of them
pub fn begun() -> Question<Vec<Tally>> {
    let statement = Statement::new(
        "SELECT tenant_id, id, question, asked_at, begun_at, looked_at, counted_at, took, answer FROM tally \
         WHERE begun_at > 0 ORDER BY begun_at LIMIT 20",
    );
    Question::new(statement, |rows| rows.into_iter().map(tally).collect())
}

/// The statement that begins a count, unless one goes on.
pub fn beginning(engine: Engine, (tenant, id): (TenantId, &str), question: &str, now: Timestamp) -> Statement {
    let statement = match engine {
        Engine::Sqlite => {
            "INSERT INTO tally (tenant_id, id, question, asked_at, begun_at, looked_at, took) VALUES (?, ?, ?, ?, ?, 0, 0) \
             ON CONFLICT (tenant_id, id) DO UPDATE SET asked_at = excluded.asked_at, \
             looked_at = CASE WHEN begun_at IS NULL THEN 0 ELSE looked_at END, \
             begun_at = COALESCE(begun_at, excluded.begun_at)"
        }
        // Its columns are set one after the other: what the second looks at must not be set before it.
        Engine::MySql => {
            "INSERT INTO tally (tenant_id, id, question, asked_at, begun_at, looked_at, took) VALUES (?, ?, ?, ?, ?, 0, 0) \
             ON DUPLICATE KEY UPDATE asked_at = VALUES(asked_at), \
             looked_at = CASE WHEN begun_at IS NULL THEN 0 ELSE looked_at END, \
             begun_at = COALESCE(begun_at, VALUES(begun_at))"
        }
    };
    let now = now.micros();
    Statement::new(statement).shown(tenant).bind(id).bind(question).bind(now).bind(now)
}

/// The statement that remembers that somebody wanted to know.
pub fn wanted(tenant: TenantId, id: &str, now: Timestamp) -> Statement {
    Statement::new("UPDATE tally SET asked_at = ? WHERE tenant_id = ? AND id = ?")
        .bind(now.micros())
        .shown(tenant)
        .bind(id)
}

/// The statement that remembers how many people a count has looked at.
pub fn came(tally: &Tally, people: u64) -> Statement {
    Statement::new("UPDATE tally SET looked_at = ? WHERE tenant_id = ? AND id = ?")
        .bind(i64::try_from(people).unwrap_or(i64::MAX))
        .shown(tally.tenant)
        .bind(&tally.id)
}

/// Stores the answer of a count, once. Says whether it was still going on.
///
/// # Errors
/// If the database fails.
pub async fn end(connection: &mut Connection, tally: &Tally, answer: &Answer) -> Result<bool> {
    let done = Statement::new(
        "UPDATE tally SET begun_at = NULL, counted_at = ?, took = ?, answer = ? \
         WHERE tenant_id = ? AND id = ? AND begun_at = ?",
    )
    .bind(answer.at.micros())
    .bind(answer.took)
    .bind(&answer.text)
    .shown(tally.tenant)
    .bind(&tally.id)
    .bind(tally.begun_at.map(Timestamp::micros))
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// The statement that drops a question that cannot be answered.
pub fn dropped(tally: &Tally) -> Statement {
    Statement::new("DELETE FROM tally WHERE tenant_id = ? AND id = ?").shown(tally.tenant).bind(&tally.id)
}
