//! Storage: the only floor with SQL in it. One file for each noun, one function for each question.
//!
//! Every function takes a connection, so that the use case above decides what is one transaction.
//! Single use and limits are conditions inside one UPDATE whose affected rows are checked; a read
//! followed by a write decides nothing (T-07). Every statement on a tenant's table names its tenant
//! (T-56). Secrets arrive here sealed.

pub mod access_log;
pub mod activations;
pub mod audit;
pub mod batch;
pub mod email_codes;
pub mod engine;
pub mod enrollments;
pub mod failures;
pub mod grants;
pub mod identifiers;
pub mod installation;
pub mod leases;
mod lending;
pub mod logins;
pub mod outbox;
pub mod parked;
pub mod purge;
pub mod restored;
mod row;
pub mod sealed;
pub mod sessions;
pub mod signing_keys;
pub mod tenants;
pub mod throttle;
pub mod tokens;
pub mod users;

pub use engine::{Connection, Db, Engine};

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or could not be reached.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date, or is newer than this program.
    #[error("the schema could not be migrated: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// Other requests kept changing the same row; the whole transaction may be tried again.
    #[error("other requests kept changing the same row")]
    Contended,
    /// A row does not hold what this program writes; somebody else changed it.
    #[error("table {table}, row {row}: column {column} does not hold what it should")]
    Broken {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row's identifier.
        row: String,
    },
}

impl Error {
    /// Whether the whole transaction may simply be tried again: a deadlock, a failed certification on a
    /// cluster, a busy file (architecture.md, growing past one machine).
    #[must_use]
    pub fn is_passing(&self) -> bool {
        if matches!(self, Self::Contended) {
            return true;
        }
        let Self::Database(error) = self else { return false };
        let Some(error) = error.as_database_error() else { return false };
        // SQLite: 5 busy, 6 locked and their extended forms. MariaDB: 1213 deadlock or certification
        // failure, 1205 lock wait, 1047 node not ready; the driver gives the SQLSTATE and puts the number
        // into the message.
        let code = error.code().unwrap_or_default();
        let message = error.message();
        matches!(code.as_ref(), "5" | "6" | "261" | "262" | "517" | "40001")
            || ["Deadlock found", "Lock wait timeout", "WSREP", "database is locked"]
                .iter()
                .any(|sign| message.contains(sign))
    }

    /// Whether a unique key was already taken.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        let Self::Database(error) = self else { return false };
        error.as_database_error().is_some_and(|e| e.kind() == sqlx::error::ErrorKind::UniqueViolation)
    }
}

/// The result of a question to the database.
pub type Result<T> = std::result::Result<T, Error>;

/// `true` if an insert was done, `false` if its key was taken: for things that count once.
fn inserted<T>(result: std::result::Result<T, sqlx::Error>) -> Result<bool> {
    match result.map_err(Error::from) {
        Ok(_) => Ok(true),
        Err(error) if error.is_duplicate() => Ok(false),
        Err(error) => Err(error),
    }
}
