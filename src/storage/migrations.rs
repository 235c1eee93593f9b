//! The schema: which steps there are, and how they are run on each engine.
//!
//! Both keep the same table of what was run, so that the same library may read it.

use std::borrow::Cow;

use rusqlite::OptionalExtension as _;
use sqlx::migrate::Migrator;

use super::mysql::Server;
use super::{Engine, Error, Result, leases};

/// The steps that were run.
pub(super) const APPLIED: &str = "SELECT version FROM _sqlx_migrations";

const TABLE: &str = "CREATE TABLE IF NOT EXISTS _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, checksum BLOB NOT NULL, \
    execution_time BIGINT NOT NULL)";

fn steps(engine: Engine) -> Migrator {
    let mut steps = match engine {
        Engine::Sqlite => sqlx::migrate!("migrations/sqlite"),
        Engine::MySql => sqlx::migrate!("migrations/mysql"),
    };
    // The library's own lock is per node on a cluster; see `run_on_mysql`.
    steps.set_locking(false);
    steps
}

/// How many steps this program knows.
pub(super) fn known(engine: Engine) -> usize {
    steps(engine).iter().count()
}

/// Runs the steps that are missing, all in one transaction: either the schema is new or nothing has happened.
pub(super) fn run_on_sqlite(connection: &mut rusqlite::Connection) -> Result<()> {
    let steps = steps(Engine::Sqlite);
    // Another instance that starts at the same moment waits here until this one is done.
    connection.busy_timeout(std::time::Duration::from_secs(60))?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLE)?;
    transaction.execute_batch(leases::TABLE)?;
    let newest: Option<i64> =
        transaction.query_row("SELECT MAX(version) FROM _sqlx_migrations", [], |row| row.get(0))?;
    let known = steps.iter().map(|step| step.version).max();
    if newest > known {
        return Err(Error::Migration(format!(
            "step {} was run by a newer version of this program",
            newest.unwrap_or_default()
        )));
    }
    for step in steps.iter() {
        let run: Option<Vec<u8>> = transaction
            .query_row("SELECT checksum FROM _sqlx_migrations WHERE version = ?", [step.version], |row| row.get(0))
            .optional()?;
        match run {
            Some(checksum) if Cow::Borrowed(checksum.as_slice()) == step.checksum => {}
            Some(_) => {
                return Err(Error::Migration(format!("step {} was run, but read otherwise then", step.version)));
            }
            None => {
                let failed = |error| Error::Migration(format!("step {} failed: {error}", step.version));
                transaction.execute_batch(step.sql.as_str()).map_err(failed)?;
                transaction.execute(
                    "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                     VALUES (?, ?, TRUE, ?, 0)",
                    rusqlite::params![step.version, step.description, step.checksum],
                )?;
            }
        }
    }
    transaction.commit()?;
    connection.busy_timeout(std::time::Duration::ZERO)?;
    Ok(())
}

/// Runs the steps that are missing. MySQL commits after each change of a table, so every step can be run twice; and
/// instances that start at the same moment are kept apart by a row of ours, because the library's lock is good for one
/// node of a cluster only (security.md finding 11).
pub(super) async fn run_on_mysql(server: &Server) -> Result<()> {
    server
        .read(async |connection| {
            sqlx::query(leases::TABLE).execute(connection.server()?).await?;
            leases::wait_for_migration(connection).await?;
            let result = steps(Engine::MySql).run(connection.server()?).await;
            leases::release_migration(connection).await?;
            result.map_err(|error| Error::Migration(error.to_string()))
        })
        .await
}
