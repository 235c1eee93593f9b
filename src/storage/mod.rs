//! Storage: the only floor with SQL in it. One file for each noun, one function for each question.
//!
//! Every function takes a connection, so that the use case above decides what is one transaction.
//! Single use and limits are conditions inside one UPDATE whose affected rows are checked; a read
//! followed by a write decides nothing (T-07). Every statement on a tenant's table names its tenant
//! (T-56). Secrets arrive here sealed.
//!
//! `engine` runs transactions on either engine, `sqlite` and `mysql` are all that differs between them,
//! `statement` and `row` carry values in and out.

pub mod access_log;
pub mod account_locks;
pub mod activations;
pub mod address_changes;
pub mod alerts;
pub mod audit;
pub mod audit_chain;
pub mod audit_list;
pub mod call_keys;
pub mod challenges;
pub mod clock_doubts;
pub mod consents;
pub mod devices;
pub mod email_codes;
pub mod engine;
pub mod enrollment_history;
pub mod enrollment_links;
pub mod enrollments;
pub mod failures;
pub mod grants;
pub mod groups;
pub mod help_desk_codes;
pub mod identifiers;
pub mod installation;
pub mod jobs;
pub mod leases;
pub mod log_positions;
pub mod logins;
pub mod logout_notices;
pub mod logouts;
pub mod messages;
mod migrations;
mod mysql;
pub mod operators;
pub mod outbox;
pub mod parked;
pub mod parts;
pub mod people;
pub mod pictures;
pub mod preflight;
pub mod provisioning_tasks;
pub mod purge;
pub mod pushed;
pub mod recovery_codes;
pub mod registrations;
pub mod report_schedules;
pub mod reservations;
pub mod restored;
pub mod rollout;
pub mod rollout_attempts;
pub mod rollout_effect;
pub mod rollout_funnel;
pub mod rollout_observed;
pub mod rollout_pauses;
pub mod rollout_places;
pub mod roster;
mod row;
pub mod rule_members;
pub mod saml_notices;
pub mod sealed;
pub mod server_pins;
pub mod sessions;
pub mod signing_keys;
mod sqlite;
pub mod statement;
mod sync;
pub mod tallies;
pub mod template_changes;
pub mod tenants;
pub mod test_cases;
pub mod throttle;
pub mod token_exports;
pub mod tokens;
pub mod users;
pub mod webhooks;

pub use engine::{Connection, Db, Engine};

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// SQLite refused, or its file could not be read or written.
    #[error("the database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// MySQL or MariaDB refused or could not be reached.
    #[error("the database failed: {0}")]
    MySql(#[from] sqlx::Error),
    /// What was committed could not be brought to the disk.
    #[error("the database's file could not be written to the disk: {0}")]
    Disk(String),
    /// The schema could not be brought up to date, or is newer than this program.
    #[error("the schema could not be migrated: {0}")]
    Migration(String),
    /// It was others' turn for five seconds; whoever asks again later may be served.
    #[error("the database was busy for five seconds")]
    Busy,
    /// Other requests kept changing the same row; the whole transaction may be tried again.
    #[error("other requests kept changing the same row")]
    Contended,
    /// Another account is called so at the login.
    #[error("the name is another account's")]
    Taken,
    /// A question that always has an answer had none.
    #[error("the database gave no answer to a question that always has one")]
    Nothing,
    /// It cannot be done with this engine.
    #[error("{0}")]
    Unsupported(&'static str),
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
        match self {
            Self::Contended | Self::Busy => true,
            Self::Sqlite(error) => sqlite::is_busy(error),
            Self::MySql(error) => mysql::is_passing(error),
            _ => false,
        }
    }

    /// Whether the database cannot be reached, or takes no work at this moment: the same may be asked again later, by whoever
    /// asked. It is not run again by itself, because nobody knows how far it came.
    #[must_use]
    pub fn is_away(&self) -> bool {
        matches!(self, Self::MySql(error) if mysql::is_away(error))
    }

    /// Whether there is no such table: before the first migration there is none.
    #[must_use]
    pub fn is_no_table(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.to_string().starts_with("no such table"),
            Self::MySql(error) => mysql::is_no_table(error),
            _ => false,
        }
    }

    /// Whether it was not what was asked that failed: the same may go well in a moment.
    #[must_use]
    pub fn is_of_the_moment(&self) -> bool {
        self.is_passing() || self.is_away()
    }

    /// Whether a unique key was already taken.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        match self {
            Self::Sqlite(error) => sqlite::is_duplicate(error),
            Self::MySql(error) => mysql::is_duplicate(error),
            Self::Taken => true,
            _ => false,
        }
    }
}

/// The result of a question to the database.
pub type Result<T> = std::result::Result<T, Error>;

/// `true` if an insert was done, `false` if its key was taken: for things that count once.
fn inserted(result: Result<u64>) -> Result<bool> {
    match result {
        Ok(_) => Ok(true),
        Err(error) if error.is_duplicate() => Ok(false),
        Err(error) => Err(error),
    }
}
