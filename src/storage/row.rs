//! From a row to a value: one place that names table, column and row when a stored text is broken.

use std::str::FromStr;

use super::statement::{Misfit, Record};
use super::{Error, Result};
use crate::domain::timestamp::Timestamp;

/// A row together with the table it is from.
pub(super) struct Row {
    table: &'static str,
    row: Record,
}

impl Row {
    /// Names the table that `row` is from.
    pub(super) const fn of(table: &'static str, row: Record) -> Self {
        Self { table, row }
    }

    /// A number.
    pub(super) fn integer(&self, column: &'static str) -> Result<i64> {
        self.integer_or_none(column)?.ok_or_else(|| self.broken(column))
    }

    /// A point in time.
    pub(super) fn time(&self, column: &'static str) -> Result<Timestamp> {
        self.integer(column).map(Timestamp::from_micros)
    }

    /// A point in time that may be null.
    pub(super) fn time_or_none(&self, column: &'static str) -> Result<Option<Timestamp>> {
        Ok(self.integer_or_none(column)?.map(Timestamp::from_micros))
    }

    /// A number that may be null.
    pub(super) fn integer_or_none(&self, column: &'static str) -> Result<Option<i64>> {
        self.row.number(column).map_err(|Misfit| self.broken(column))
    }

    /// A yes or no, stored as 1 or 0.
    pub(super) fn flag(&self, column: &'static str) -> Result<bool> {
        Ok(self.integer(column)? != 0)
    }

    /// A text.
    pub(super) fn text(&self, column: &'static str) -> Result<String> {
        Ok(self.words(column)?.to_owned())
    }

    /// A text that may be null.
    pub(super) fn text_or_none(&self, column: &'static str) -> Result<Option<String>> {
        Ok(self.words_or_none(column)?.map(str::to_owned))
    }

    fn words(&self, column: &'static str) -> Result<&str> {
        self.words_or_none(column)?.ok_or_else(|| self.broken(column))
    }

    fn words_or_none(&self, column: &'static str) -> Result<Option<&str>> {
        self.row.text(column).map_err(|Misfit| self.broken(column))
    }

    /// Octets.
    pub(super) fn bytes(&self, column: &'static str) -> Result<Vec<u8>> {
        self.bytes_or_none(column)?.ok_or_else(|| self.broken(column))
    }

    /// Octets that may be null.
    pub(super) fn bytes_or_none(&self, column: &'static str) -> Result<Option<Vec<u8>>> {
        Ok(self.row.octets(column).map_err(|Misfit| self.broken(column))?.map(<[u8]>::to_vec))
    }

    /// A text that names something: an identifier, a platform, a code.
    pub(super) fn parsed<T: FromStr>(&self, column: &'static str) -> Result<T> {
        self.words(column)?.parse().map_err(|_| self.broken(column))
    }

    /// A text that names something and may be null.
    pub(super) fn parsed_or_none<T: FromStr>(&self, column: &'static str) -> Result<Option<T>> {
        match self.words_or_none(column)? {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|_| self.broken(column)),
        }
    }

    /// A text that `read` understands.
    pub(super) fn named<T>(&self, column: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<T> {
        read(self.words(column)?).ok_or_else(|| self.broken(column))
    }

    /// A JSON document.
    pub(super) fn document<T: serde::de::DeserializeOwned>(&self, column: &'static str) -> Result<T> {
        serde_json::from_str(self.words(column)?).map_err(|_| self.broken(column))
    }

    /// A JSON document that may be null.
    pub(super) fn document_or_none<T: serde::de::DeserializeOwned>(&self, column: &'static str) -> Result<Option<T>> {
        match self.words_or_none(column)? {
            None => Ok(None),
            Some(text) => serde_json::from_str(text).map(Some).map_err(|_| self.broken(column)),
        }
    }

    /// The error that this column does not hold what it should.
    pub(super) fn broken(&self, column: &'static str) -> Error {
        let row = ["id", "login_id", "user_id", "subject"]
            .into_iter()
            .find_map(|key| self.row.text(key).ok().flatten())
            .unwrap_or_default()
            .to_owned();
        Error::Broken { table: self.table, column, row }
    }
}

/// A document as it is stored. Our own types always serialize.
pub(super) fn document(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("our documents have string keys and no failing serializer")
}

/// A point in time as it is stored, or null.
pub(super) fn micros(at: Option<Timestamp>) -> Option<i64> {
    at.map(Timestamp::micros)
}
