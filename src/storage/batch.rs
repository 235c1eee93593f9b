//! Statements of which no answer is needed, sent together.
//!
//! Every statement is a message to the engine and one back. SQLite takes several in one text, with the values of all of
//! them; MySQL does not, and gets them one after another. They run in the transaction of their connection, in their
//! order, and the first that fails ends it, just as if each were awaited by itself.

use sqlx::{Any, AssertSqlSafe};

use super::{Connection, Engine, Result};

/// One statement with its values. Made by the file of its noun.
#[derive(Debug, Clone)]
#[must_use = "a statement does nothing until it is run"]
pub struct Statement {
    sql: &'static str,
    values: Vec<Value>,
}

/// A value: storage has texts and numbers in what is written in batches.
#[derive(Debug, Clone)]
enum Value {
    Text(Option<String>),
    Number(Option<i64>),
}

impl Statement {
    /// This text, as yet without values.
    pub(super) const fn new(sql: &'static str) -> Self {
        Self { sql, values: Vec::new() }
    }

    /// The next value is a text, or null.
    pub(super) fn text(mut self, text: impl Into<Option<String>>) -> Self {
        self.values.push(Value::Text(text.into()));
        self
    }

    /// The next value is the text of something.
    pub(super) fn shown(self, value: impl std::fmt::Display) -> Self {
        self.text(value.to_string())
    }

    /// The next value is a number, or null.
    pub(super) fn number(mut self, number: impl Into<Option<i64>>) -> Self {
        self.values.push(Value::Number(number.into()));
        self
    }

    /// Runs it by itself; says how many rows it changed.
    pub async fn run(self, connection: &mut Connection) -> Result<u64> {
        let query = bound(sqlx::query(self.sql), self.values);
        Ok(query.execute(connection).await?.rows_affected())
    }
}

/// Runs all of them, in this order.
///
/// # Errors
/// What the engine says of the first that fails; then the transaction must not be committed.
pub async fn run(connection: &mut Connection, engine: Engine, statements: Vec<Statement>) -> Result<()> {
    if engine == Engine::MySql {
        for statement in statements {
            statement.run(connection).await?;
        }
        return Ok(());
    }
    let text = statements.iter().map(|statement| statement.sql).collect::<Vec<_>>().join("; ");
    let values = statements.into_iter().flat_map(|statement| statement.values).collect();
    // Each part is a constant of ours; every value is bound.
    bound(sqlx::query(AssertSqlSafe(text)), values).execute(connection).await?;
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, Any, sqlx::any::AnyArguments>;

fn bound(mut query: Query<'_>, values: Vec<Value>) -> Query<'_> {
    for value in values {
        query = match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
        };
    }
    query
}
