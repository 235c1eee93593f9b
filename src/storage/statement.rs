//! Statements with their values, questions with the way to read their answers, and the rows that come back.

use sqlx::mysql::MySqlRow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Connection, Result};
use crate::domain::ids::Id;

/// One statement with its values. Made by the file of its noun; the text is a constant of ours, so nothing that a
/// stranger sends can become part of it.
#[derive(Debug, Clone)]
#[must_use = "a statement does nothing until it is run"]
pub struct Statement {
    pub(super) sql: &'static str,
    pub(super) values: Vec<Value>,
    pub(super) at_length: bool,
}

/// A value in a statement or a row: both engines have numbers, texts and octets in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// BIGINT.
    Number(i64),
    /// VARCHAR or TEXT.
    Text(String),
    /// BLOB.
    Octets(Vec<u8>),
}

/// How many values a statement has room for at first.
const USUAL: usize = 12;

impl Statement {
    /// This text, as yet without values; each `?` in it wants one.
    pub const fn new(sql: &'static str) -> Self {
        Self { sql, values: Vec::new(), at_length: false }
    }

    /// The text that these parts make, one after the other, as yet without values. Where a list or a filter decides which
    /// parts there are: each of them is a constant of ours all the same. A text that was made once is kept, so there must
    /// be few different ones.
    pub fn composed(parts: &[&'static str]) -> Self {
        static MADE: Mutex<BTreeMap<String, &'static str>> = Mutex::new(BTreeMap::new());
        let text = parts.concat();
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.get(&text) {
            return Self::new(known);
        }
        let kept: &'static str = Box::leak(text.clone().into_boxed_str());
        made.insert(text, kept);
        Self::new(kept)
    }

    /// The server may take as long for it as it wants. For what nobody waits for but an operator at the shell, who sees that it goes
    /// on and can end it: what is broken off in the middle of a large table is all to be done again.
    pub const fn at_length(mut self) -> Self {
        self.at_length = true;
        self
    }

    /// The next value.
    pub fn bind(mut self, value: impl Into<Value>) -> Self {
        if self.values.capacity() == 0 {
            // Most have no more, and grow no further.
            self.values.reserve(USUAL);
        }
        self.values.push(value.into());
        self
    }

    /// The next values, in this order.
    pub fn with(mut self, values: Vec<Value>) -> Self {
        self.values.extend(values);
        self
    }

    /// The next value is the text of something.
    pub fn shown(self, value: impl std::fmt::Display) -> Self {
        self.bind(value.to_string())
    }

    /// The question how an engine would answer it; for tests that look at plans. The text is kept for ever.
    pub fn explained(self, sqlite: bool) -> Self {
        let head = if sqlite { "EXPLAIN QUERY PLAN " } else { "EXPLAIN " };
        Self { sql: Box::leak(format!("{head}{}", self.sql).into_boxed_str()), ..self }
    }

    /// Runs it; says how many rows it changed. A row that is set to what it was counts, on both engines.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn run(self, connection: &mut Connection) -> Result<u64> {
        connection.run(self).await
    }

    /// Every row of its answer.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn rows(self, connection: &mut Connection) -> Result<Vec<Record>> {
        connection.rows(self).await
    }

    /// The first row of its answer, if there is one.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn first(self, connection: &mut Connection) -> Result<Option<Record>> {
        Ok(connection.rows(self).await?.into_iter().next())
    }

    /// The first row of an answer that always has one, such as a count.
    ///
    /// # Errors
    /// What the engine says; [`super::Error::Nothing`] if there is no row.
    pub async fn only(self, connection: &mut Connection) -> Result<Record> {
        self.first(connection).await?.ok_or(super::Error::Nothing)
    }
}

/// Runs all of them, in this order; the first that fails ends it, and then the transaction must not be committed.
///
/// # Errors
/// What the engine says of the first that fails.
pub async fn run_all(connection: &mut Connection, statements: Vec<Statement>) -> Result<()> {
    for statement in statements {
        statement.run(connection).await?;
    }
    Ok(())
}

/// How many rows stand in one INSERT of [`insert_all`].
const TOGETHER: usize = 32;

/// Runs INSERTs of one row each; where there are many of one text, several rows go into one statement, because a server
/// wants as long for a message as for the rows in it. Their order among each other means nothing.
///
/// # Errors
/// What the engine says of the first that fails.
pub async fn insert_all(connection: &mut Connection, statements: Vec<Statement>) -> Result<()> {
    let mut texts: Vec<(&'static str, Vec<Vec<Value>>)> = Vec::new();
    for statement in statements {
        match texts.iter_mut().find(|(sql, _)| *sql == statement.sql) {
            Some((_, rows)) => rows.push(statement.values),
            None => texts.push((statement.sql, vec![statement.values])),
        }
    }
    for (sql, rows) in texts {
        let mut rows = rows.into_iter().peekable();
        let many = together(sql);
        while rows.peek().is_some() {
            let chunk: Vec<Vec<Value>> = rows.by_ref().take(TOGETHER).collect();
            match many {
                Some(many) if chunk.len() == TOGETHER => {
                    let values = chunk.into_iter().flatten().collect();
                    Statement::new(many).with(values).run(&mut *connection).await?;
                }
                _ => {
                    for values in chunk {
                        Statement::new(sql).with(values).run(&mut *connection).await?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// The text of an INSERT of one row for [`TOGETHER`] rows; made once for each text, which are ours and few.
fn together(sql: &'static str) -> Option<&'static str> {
    static MADE: Mutex<BTreeMap<&'static str, &'static str>> = Mutex::new(BTreeMap::new());
    let (_, row) = sql.rsplit_once(" VALUES ")?;
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let many = made.entry(sql).or_insert_with(|| {
        let mut many = sql.to_owned();
        for _ in 1..TOGETHER {
            many.push_str(", ");
            many.push_str(row);
        }
        Box::leak(many.into_boxed_str())
    });
    Some(many)
}

/// A question with the way to read its answer. Made by the file of its noun.
#[derive(Debug)]
#[must_use = "a question does nothing until it is asked"]
pub struct Question<T> {
    statement: Statement,
    read: fn(Vec<Record>) -> Result<T>,
}

impl<T> Question<T> {
    /// This statement, whose rows `read` understands.
    pub(super) const fn new(statement: Statement, read: fn(Vec<Record>) -> Result<T>) -> Self {
        Self { statement, read }
    }

    /// Asks it.
    ///
    /// # Errors
    /// If the database fails or a row is broken.
    pub async fn ask(self, connection: &mut Connection) -> Result<T> {
        (self.read)(self.statement.rows(connection).await?)
    }
}

/// A row of an answer.
#[derive(Debug)]
pub enum Record {
    /// Of an SQLite statement.
    Sqlite(Cells),
    /// Of a MySQL statement.
    MySql(MySqlRow),
}

/// A row of an SQLite statement.
#[derive(Debug)]
pub struct Cells {
    /// The columns' names, which all rows of a statement share.
    columns: Arc<[Box<str>]>,
    cells: Vec<Cell>,
    /// All texts, one after the other: one piece of memory for a row, and not one for each text.
    texts: String,
    octets: Vec<u8>,
    /// Where the next column is looked for: rows are read mostly in the order in which they were asked for.
    next: std::cell::Cell<usize>,
}

/// One value of a row; texts and octets lie between two places.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Null,
    Number(i64),
    Text(usize, usize),
    Octets(usize, usize),
}

impl Cells {
    /// A row of these columns, as yet without values.
    pub(super) fn of(columns: &Arc<[Box<str>]>) -> Self {
        Self {
            columns: Arc::clone(columns),
            cells: Vec::with_capacity(columns.len()),
            texts: String::new(),
            octets: Vec::new(),
            next: std::cell::Cell::new(0),
        }
    }

    /// The next column holds nothing.
    pub(super) fn null(&mut self) {
        self.cells.push(Cell::Null);
    }

    /// The next column holds a number.
    pub(super) fn number(&mut self, number: i64) {
        self.cells.push(Cell::Number(number));
    }

    /// The next column holds a text.
    pub(super) fn text(&mut self, text: &str) {
        if self.texts.capacity() == 0 {
            // What most rows need.
            self.texts.reserve(512);
        }
        let from = self.texts.len();
        self.texts.push_str(text);
        self.cells.push(Cell::Text(from, self.texts.len()));
    }

    /// The next column holds octets.
    pub(super) fn octets(&mut self, octets: &[u8]) {
        let from = self.octets.len();
        self.octets.extend_from_slice(octets);
        self.cells.push(Cell::Octets(from, self.octets.len()));
    }

    fn cell(&self, column: &str) -> std::result::Result<Cell, Misfit> {
        let next = self.next.get();
        let named = |at: usize| self.columns.get(at).is_some_and(|name| **name == *column);
        let at = if named(next) { next } else { (0..self.columns.len()).find(|at| named(*at)).ok_or(Misfit)? };
        self.next.set(at + 1);
        self.cells.get(at).copied().ok_or(Misfit)
    }
}

/// A column is not there, or holds another type than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misfit;

impl Record {
    /// The number in a column, or `None` where there is null.
    ///
    /// # Errors
    /// [`Misfit`] if there is no such column or it holds something else.
    pub fn number(&self, column: &str) -> std::result::Result<Option<i64>, Misfit> {
        match self {
            Self::Sqlite(row) => match row.cell(column)? {
                Cell::Null => Ok(None),
                Cell::Number(number) => Ok(Some(number)),
                Cell::Text(..) | Cell::Octets(..) => Err(Misfit),
            },
            Self::MySql(row) => sqlx::Row::try_get(row, column).map_err(|_| Misfit),
        }
    }

    /// The text in a column, or `None` where there is null.
    ///
    /// # Errors
    /// [`Misfit`] if there is no such column or it holds something else.
    pub fn text(&self, column: &str) -> std::result::Result<Option<&str>, Misfit> {
        match self {
            Self::Sqlite(row) => match row.cell(column)? {
                Cell::Null => Ok(None),
                Cell::Text(from, to) => row.texts.get(from..to).map(Some).ok_or(Misfit),
                Cell::Number(_) | Cell::Octets(..) => Err(Misfit),
            },
            Self::MySql(row) => sqlx::Row::try_get(row, column).map_err(|_| Misfit),
        }
    }

    /// The octets in a column, or `None` where there is null.
    ///
    /// # Errors
    /// [`Misfit`] if there is no such column or it holds something else.
    pub fn octets(&self, column: &str) -> std::result::Result<Option<&[u8]>, Misfit> {
        match self {
            Self::Sqlite(row) => match row.cell(column)? {
                Cell::Null => Ok(None),
                Cell::Octets(from, to) => row.octets.get(from..to).map(Some).ok_or(Misfit),
                Cell::Number(_) | Cell::Text(..) => Err(Misfit),
            },
            Self::MySql(row) => sqlx::Row::try_get(row, column).map_err(|_| Misfit),
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<Vec<u8>> for Value {
    fn from(octets: Vec<u8>) -> Self {
        Self::Octets(octets)
    }
}

impl From<&[u8]> for Value {
    fn from(octets: &[u8]) -> Self {
        Self::Octets(octets.to_vec())
    }
}

impl<Of> From<Id<Of>> for Value {
    fn from(id: Id<Of>) -> Self {
        Self::Text(id.to_string())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<'a, T> From<&'a Option<T>> for Value
where
    Self: From<&'a T>,
{
    fn from(value: &'a Option<T>) -> Self {
        value.as_ref().map_or(Self::Null, Into::into)
    }
}
