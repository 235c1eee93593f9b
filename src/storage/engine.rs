//! All that differs between SQLite and MySQL or MariaDB, and how a transaction is run.
//!
//! One SQL text serves both engines as long as columns are BIGINT, VARCHAR, TEXT or BLOB. SQLite gets
//! one writing connection, so that writers queue in this program instead of failing with "database is
//! locked", and several reading ones.

use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use super::lending::Lender;
use super::{Error, Result, leases};

/// A connection, inside or outside a transaction.
pub type Connection = sqlx::AnyConnection;

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

/// The database.
#[derive(Debug, Clone)]
pub struct Db {
    engine: Engine,
    writer: Lender,
    reader: Lender,
}

impl Db {
    /// Connects to `url`: `sqlite://path` (created where it is missing) or `mysql://user:password@host/database`.
    ///
    /// # Errors
    /// If the database cannot be reached or opened.
    pub async fn connect(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        if url.starts_with("sqlite:") { Self::open_sqlite(url).await } else { Self::connect_mysql(url).await }
    }

    async fn open_sqlite(url: &str) -> Result<Self> {
        let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
        let path = path.split('?').next().unwrap_or(path);
        if let Some(folder) = std::path::Path::new(path).parent() {
            std::fs::create_dir_all(folder).map_err(sqlx::Error::Io)?;
        }
        let options: AnyConnectOptions = format!("sqlite://{path}?mode=rwc").parse()?;
        let writer = pool(1)
            .after_connect(|connection, _| Box::pin(async move { connection.execute(SQLITE_WRITER).await.map(drop) }))
            .connect_with(options.clone())
            .await?;
        let reader = pool(4)
            .after_connect(|connection, _| Box::pin(async move { connection.execute(SQLITE_READER).await.map(drop) }))
            .connect_lazy_with(options);
        Ok(Self { engine: Engine::Sqlite, writer: Lender::new(writer), reader: Lender::new(reader) })
    }

    async fn connect_mysql(url: &str) -> Result<Self> {
        let pool = pool(16)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection.execute(MYSQL_SESSION).await?;
                    connection.execute(MYSQL_ISOLATION).await?;
                    // On a Galera node reads wait for what other nodes have committed; elsewhere the
                    // variable does not exist and there is nothing to wait for.
                    let _ = connection.execute("SET SESSION wsrep_sync_wait = 1").await;
                    Ok(())
                })
            })
            .connect_with(url.parse()?)
            .await?;
        let lender = Lender::new(pool);
        Ok(Self { engine: Engine::MySql, writer: lender.clone(), reader: lender })
    }

    /// The engine behind it.
    #[must_use]
    pub const fn engine(&self) -> Engine {
        self.engine
    }

    /// Runs `work` in one transaction and commits it if `work` says `Ok`.
    ///
    /// The whole of `work` is run again, up to five times, when the engine reports a deadlock, a failed
    /// certification or a busy file; so `work` must have no effect but on its connection. Mail and
    /// answers come after the commit.
    ///
    /// # Errors
    /// What `work` reports, or what the engine does.
    pub async fn write<T>(&self, work: impl AsyncFn(&mut Connection) -> Result<T>) -> Result<T> {
        let mut tries = 1;
        loop {
            match self.write_once(&work).await {
                Err(error) if error.is_passing() && tries < TRIES => {
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

    async fn write_once<T>(&self, work: &impl AsyncFn(&mut Connection) -> Result<T>) -> Result<T> {
        let mut lent = self.writer.lend().await?;
        let mut transaction = match self.engine {
            // A transaction that reads first and then writes must hold the write lock from the start:
            // SQLite cannot upgrade it while somebody else writes.
            Engine::Sqlite => lent.begin_with("BEGIN IMMEDIATE").await?,
            Engine::MySql => lent.begin().await?,
        };
        let value = work(&mut transaction).await?;
        transaction.commit().await?;
        lent.give_back();
        Ok(value)
    }

    /// Runs `question` on a connection that only reads.
    ///
    /// # Errors
    /// What `question` reports, or what the engine does.
    pub async fn read<T>(&self, question: impl AsyncFnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let mut lent = self.reader.lend().await?;
        let answer = question(&mut lent).await?;
        lent.give_back();
        Ok(answer)
    }

    /// Whether the database answers within two seconds.
    pub async fn answers(&self) -> bool {
        let ping = self.read(async |connection| Ok(connection.execute("SELECT 1").await?));
        matches!(tokio::time::timeout(Duration::from_secs(2), ping).await, Ok(Ok(_)))
    }

    /// What the database's clock shows, in seconds since 1970.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn clock_seconds(&self) -> Result<i64> {
        let question = match self.engine {
            Engine::Sqlite => "SELECT CAST(strftime('%s', 'now') AS INTEGER) AS seconds",
            Engine::MySql => "SELECT CAST(UNIX_TIMESTAMP() AS SIGNED) AS seconds",
        };
        let mut connection = self.reader.lend().await?;
        let row = sqlx::query(question).fetch_one(&mut *connection).await?;
        Ok(sqlx::Row::try_get(&row, "seconds")?)
    }

    /// Brings the schema up to date. Refuses a schema that is newer than this program.
    ///
    /// The library's own lock is per node on a cluster and absent on SQLite, so instances that start at
    /// the same moment are kept apart by a row of ours (security.md finding 11), and every step can be
    /// run twice.
    ///
    /// # Errors
    /// If a step fails or the schema is newer.
    pub async fn migrate(&self) -> Result<()> {
        let mut connection = self.writer.lend().await?;
        connection.execute(leases::TABLE).await?;
        leases::wait_for_migration(&mut connection).await?;
        let result = self.migrator().run(&mut *connection).await;
        leases::release_migration(&mut connection).await?;
        Ok(result?)
    }

    fn migrator(&self) -> sqlx::migrate::Migrator {
        let mut migrator = match self.engine {
            Engine::Sqlite => sqlx::migrate!("migrations/sqlite"),
            Engine::MySql => sqlx::migrate!("migrations/mysql"),
        };
        migrator.set_locking(false);
        migrator
    }

    /// How many migrations this program knows and how many the database has: equal when it is up to date.
    ///
    /// # Errors
    /// If the database fails; a database without a schema counts as having none.
    pub async fn migrations(&self) -> Result<(usize, usize)> {
        let known = self.migrator().iter().count();
        let mut connection = self.reader.lend().await?;
        let applied = sqlx::query("SELECT version FROM _sqlx_migrations").fetch_all(&mut *connection).await;
        Ok((known, applied.map_or(0, |rows| rows.len())))
    }

    /// Closes all connections; waits until those in use are given back.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Copies the whole of an SQLite database, consistently, to a new file at `path`.
    ///
    /// # Errors
    /// If the engine is not SQLite, the file exists, or it cannot be written.
    pub async fn copy_to(&self, path: &str) -> Result<()> {
        if self.engine != Engine::Sqlite {
            let reason = "only an SQLite database is copied by this program; use mariadb-dump --single-transaction";
            return Err(Error::Database(sqlx::Error::Configuration(reason.into())));
        }
        let quoted = path.replace('\'', "''");
        // VACUUM INTO takes no parameters in this library; the path is the operator's own, and quoted.
        let statement = AssertSqlSafe(format!("VACUUM INTO '{quoted}'"));
        self.writer.lend().await?.execute(sqlx::query(statement)).await?;
        Ok(())
    }
}

const SQLITE_WRITER: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
    PRAGMA foreign_keys = ON; PRAGMA cache_size = -2000; PRAGMA temp_store = MEMORY;";

const SQLITE_READER: &str = "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON; PRAGMA cache_size = -2000;";

const MYSQL_SESSION: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
    time_zone = '+00:00', group_concat_max_len = 1048576, innodb_lock_wait_timeout = 5, \
    group_concat_max_len = 16777216";

// A statement of its own: MySQL 8 and MariaDB 11 call the variable by another name than MariaDB 10.
const MYSQL_ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

fn pool(most: u32) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(Duration::from_secs(600))
        .test_before_acquire(false)
}
