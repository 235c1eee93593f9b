//! The database: how a transaction and a question are run, whatever the engine.
//!
//! One SQL text serves both engines as long as columns are BIGINT, VARCHAR, TEXT or BLOB.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{MySql, MySqlConnection};

use super::mysql::Server;
use super::sqlite::{Sqlite, SqliteConnection};
use super::statement::{Record, Statement};
use super::{Error, Result, migrations, mysql};

/// How often a transaction is tried before a passing fault is reported (security.md 5.2, F4).
const TRIES: u32 = 5;

/// The engine behind a [`Db`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// An embedded file.
    Sqlite,
    /// MySQL, MariaDB or something that speaks like them.
    MySql,
}

/// A connection, inside or outside a transaction.
#[derive(Debug)]
pub enum Connection {
    /// To an embedded file.
    Sqlite(SqliteConnection),
    /// To a server.
    MySql(PoolConnection<MySql>),
}

impl Connection {
    /// The engine behind it.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::MySql(_) => Engine::MySql,
        }
    }

    // The library's futures are boxed: they are kilobytes, and would make every use case, and everything that is moved
    // with it, as large, with SQLite too.

    /// Runs a statement; says how many rows it changed.
    pub(super) async fn run(&mut self, statement: Statement) -> Result<u64> {
        match self {
            Self::Sqlite(connection) => connection.run(&statement),
            Self::MySql(connection) => Box::pin(mysql::run(connection, statement)).await,
        }
    }

    /// Every row of a statement's answer.
    pub(super) async fn rows(&mut self, statement: Statement) -> Result<Vec<Record>> {
        match self {
            Self::Sqlite(connection) => connection.rows(&statement),
            Self::MySql(connection) => {
                Ok(Box::pin(mysql::rows(connection, statement)).await?.into_iter().map(Record::MySql).collect())
            }
        }
    }

    /// The connection to a server.
    ///
    /// # Errors
    /// If it is one to a file.
    pub(super) fn server(&mut self) -> Result<&mut MySqlConnection> {
        match self {
            Self::MySql(connection) => Ok(connection),
            Self::Sqlite(_) => Err(Error::Unsupported("this is a connection to SQLite")),
        }
    }
}

/// The database.
#[derive(Debug, Clone)]
pub struct Db(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    Sqlite(Box<Sqlite>),
    MySql(Server),
}

impl Db {
    /// Connects to `url`: `sqlite://path` (created where it is missing) or `mysql://user:password@host/database`.
    ///
    /// # Errors
    /// If the database cannot be reached or opened.
    pub async fn connect(url: &str) -> Result<Self> {
        let kind = match url.strip_prefix("sqlite:") {
            Some(path) => {
                let path = path.trim_start_matches("//");
                Kind::Sqlite(Box::new(Sqlite::open(Path::new(path.split('?').next().unwrap_or(path)))?))
            }
            None => Kind::MySql(Server::connect(url).await?),
        };
        Ok(Self(Arc::new(kind)))
    }

    /// The engine behind it.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match &*self.0 {
            Kind::Sqlite(_) => Engine::Sqlite,
            Kind::MySql(_) => Engine::MySql,
        }
    }

    /// Runs `work` in one transaction and commits it if `work` says `Ok`. It is on the disk when this returns.
    ///
    /// The whole of `work` is run again, up to five times, when the engine reports a deadlock, a failed
    /// certification or a busy file; so `work` must have no effect but on its connection. Mail and
    /// answers come after the commit.
    ///
    /// # Errors
    /// What `work` reports, or what the engine does.
    pub async fn write<T>(&self, work: impl AsyncFn(&mut Connection) -> Result<T>) -> Result<T> {
        self.transact(work, true).await
    }

    /// As [`Db::write`], for what may be lost together with the answer to it when the electricity fails: on SQLite it
    /// is on the disk within a second. The end of the program, however sudden, loses nothing.
    ///
    /// For what somebody does again then: a login that began, a session, an authorization code, which is good for a minute
    /// and for its client. Not for a passcode or a mailed code, an attempt that was counted, an authenticator, a refresh
    /// token, anything that was taken back, or whatever else would be missed.
    ///
    /// # Errors
    /// What `work` reports, or what the engine does.
    pub async fn write_soon<T>(&self, work: impl AsyncFn(&mut Connection) -> Result<T>) -> Result<T> {
        self.transact(work, false).await
    }

    async fn transact<T>(&self, work: impl AsyncFn(&mut Connection) -> Result<T>, durably: bool) -> Result<T> {
        let mut tries = 1;
        loop {
            let done = match &*self.0 {
                Kind::Sqlite(file) => file.write(&work, durably).await,
                Kind::MySql(server) => Box::pin(server.write(&work)).await,
            };
            match done {
                // Whoever has waited for the turn for five seconds does not wait five times.
                Err(error) if error.is_passing() && !matches!(error, Error::Busy) && tries < TRIES => {
                    tracing::debug!(tries, error = %error, "a transaction is tried again");
                    // Different instances pause differently, so that the same two do not meet again.
                    let pause = u64::from(tries) * 7 + u64::from(std::process::id() % 13);
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    tries += 1;
                }
                result => return result,
            }
        }
    }

    /// Runs `question` on a connection that only reads.
    ///
    /// # Errors
    /// What `question` reports, or what the engine does.
    pub async fn read<T>(&self, question: impl AsyncFnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        match &*self.0 {
            Kind::Sqlite(file) => file.read(question).await,
            Kind::MySql(server) => Box::pin(server.read(question)).await,
        }
    }

    /// As [`Db::read`], for questions that may take a while: lists, counts, reports, what jobs look for. On SQLite they never have
    /// the connection that writes, which a question of [`Db::read`] has where it finds it free: whoever looks through a list
    /// must not keep people from logging in.
    ///
    /// # Errors
    /// What `question` reports, or what the engine does.
    pub async fn look<T>(&self, question: impl AsyncFnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        match &*self.0 {
            Kind::Sqlite(file) => file.look(question).await,
            Kind::MySql(server) => Box::pin(server.read(question)).await,
        }
    }

    /// Whether the database answers within two seconds, and its disk has not failed.
    pub async fn answers(&self) -> bool {
        if let Kind::Sqlite(file) = &*self.0
            && !file.takes_writes()
        {
            return false;
        }
        let ping = self.read(async |connection| Statement::new("SELECT 1").rows(connection).await);
        matches!(tokio::time::timeout(Duration::from_secs(2), ping).await, Ok(Ok(_)))
    }

    /// What the database's clock shows, in seconds since 1970.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn clock_seconds(&self) -> Result<i64> {
        let question = match self.engine() {
            Engine::Sqlite => "SELECT CAST(strftime('%s', 'now') AS INTEGER) AS seconds",
            Engine::MySql => "SELECT CAST(UNIX_TIMESTAMP() AS SIGNED) AS seconds",
        };
        let record = self.read(async |connection| Statement::new(question).only(connection).await).await?;
        record.number("seconds").ok().flatten().ok_or(Error::Nothing)
    }

    /// Brings the schema up to date. Refuses a schema that is newer than this program. Instances that start at
    /// the same moment wait for each other, and every step can be run twice.
    ///
    /// # Errors
    /// If a step fails or the schema is newer.
    pub async fn migrate(&self) -> Result<()> {
        match &*self.0 {
            Kind::Sqlite(file) => file.alone(migrations::run_on_sqlite).await,
            Kind::MySql(server) => migrations::run_on_mysql(server).await,
        }
    }

    /// How many migrations this program knows and how many the database has: equal when it is up to date.
    ///
    /// # Errors
    /// If the database fails; a database without a schema counts as having none.
    pub async fn migrations(&self) -> Result<(usize, usize)> {
        let known = migrations::known(self.engine());
        let applied = self.read(async |connection| Statement::new(migrations::APPLIED).rows(connection).await).await;
        match applied {
            Ok(rows) => Ok((known, rows.len())),
            Err(error) if error.is_no_table() => Ok((known, 0)),
            Err(error) => Err(error),
        }
    }

    /// Closes all connections; waits until those in use are given back.
    pub async fn close(&self) {
        match &*self.0 {
            Kind::Sqlite(file) => file.close().await,
            Kind::MySql(server) => server.close().await,
        }
    }

    /// Copies the whole of an SQLite database, consistently, to a new file at `path`.
    ///
    /// # Errors
    /// If the engine is not SQLite, the file exists, or it cannot be written.
    pub async fn copy_to(&self, path: &str) -> Result<()> {
        let Kind::Sqlite(file) = &*self.0 else {
            let reason = "only an SQLite database is copied by this program; use mariadb-dump --single-transaction";
            return Err(Error::Unsupported(reason));
        };
        file.alone(|connection| Ok(connection.execute("VACUUM INTO ?", [path]).map(drop)?)).await
    }
}
