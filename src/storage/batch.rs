//! Statements and questions that are sent together.
//!
//! Every statement is a message to the engine and one back, which costs more than what it does. SQLite takes several in
//! one text, with the values of all of them; MySQL does not, and gets them one after another. They run in the
//! transaction of their connection, in their order, and the first that fails ends it, just as if each were awaited by
//! itself. Should the library stop taking several in one text, SQLite can be served as MySQL is.

use futures_util::TryStreamExt as _;
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Either, Executor as _};

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
    joined(statements).execute(connection).await?;
    Ok(())
}

/// A question with the way to read its answer. Made by the file of its noun.
#[derive(Debug)]
#[must_use = "a question does nothing until it is asked"]
pub struct Question<T> {
    statement: Statement,
    read: fn(Vec<AnyRow>) -> Result<T>,
}

impl<T> Question<T> {
    /// This statement, whose rows `read` understands.
    pub(super) const fn new(statement: Statement, read: fn(Vec<AnyRow>) -> Result<T>) -> Self {
        Self { statement, read }
    }

    /// Asks it by itself.
    ///
    /// # Errors
    /// If the database fails or a row is broken.
    pub async fn ask(self, connection: &mut Connection) -> Result<T> {
        let Statement { sql, values } = self.statement;
        (self.read)(bound(sqlx::query(sql), values).fetch_all(connection).await?)
    }
}

/// Questions to be asked together.
#[derive(Debug, Default)]
pub struct Questions(Vec<Statement>);

/// Which of the questions it was.
#[derive(Debug)]
pub struct Asked<T> {
    at: usize,
    read: fn(Vec<AnyRow>) -> Result<T>,
}

/// What the engine said to each of them.
pub struct Answers(Vec<Vec<AnyRow>>);

impl Questions {
    /// Adds one.
    pub fn add<T>(&mut self, question: Question<T>) -> Asked<T> {
        let asked = Asked { at: self.0.len(), read: question.read };
        self.0.push(question.statement);
        asked
    }

    /// Asks all of them.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn ask(self, connection: &mut Connection, engine: Engine) -> Result<Answers> {
        let asked = self.0.len();
        let mut answers: Vec<Vec<AnyRow>> = Vec::with_capacity(asked);
        if engine == Engine::MySql {
            for Statement { sql, values } in self.0 {
                answers.push(bound(sqlx::query(sql), values).fetch_all(&mut *connection).await?);
            }
            return Ok(Answers(answers));
        }
        let mut rows = Vec::new();
        let mut stream = connection.fetch_many(joined(self.0));
        while let Some(found) = stream.try_next().await? {
            match found {
                Either::Right(row) => rows.push(row),
                // The end of one statement.
                Either::Left(_) => answers.push(std::mem::take(&mut rows)),
            }
        }
        // An answer that is missing would read as "nothing there": no lock, no token, no failure. The driver calls
        // several statements in one text deprecated, so a newer one may stop after the first.
        if answers.len() != asked {
            let why = format!("{} answers to {asked} questions", answers.len());
            return Err(sqlx::Error::Protocol(why).into());
        }
        Ok(Answers(answers))
    }
}

impl Answers {
    /// What was said to this question. It can be taken once; then, and where it was not asked, there is nothing.
    ///
    /// # Errors
    /// If a row is broken.
    pub fn take<T>(&mut self, asked: &Asked<T>) -> Result<T> {
        (asked.read)(self.0.get_mut(asked.at).map(std::mem::take).unwrap_or_default())
    }

    /// As [`Answers::take`], where the question was asked at all.
    ///
    /// # Errors
    /// If a row is broken.
    pub fn take_if<T: Default>(&mut self, asked: Option<&Asked<T>>) -> Result<T> {
        asked.map_or_else(|| Ok(T::default()), |asked| self.take(asked))
    }
}

/// One text with the values of all.
fn joined(statements: Vec<Statement>) -> Query<'static> {
    let text = statements.iter().map(|statement| statement.sql).collect::<Vec<_>>().join("; ");
    let values = statements.into_iter().flat_map(|statement| statement.values).collect();
    // Each part is a constant of ours; every value is bound.
    bound(sqlx::query(AssertSqlSafe(text)), values)
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
