//! The schema: which steps there are, and how they are run on each engine.
//!
//! Both keep the same table of what was run, so that the same library may read it.

use std::borrow::Cow;

use rusqlite::OptionalExtension as _;
use sqlx::MySqlConnection;
use sqlx::migrate::{MigrateError, Migrator};

use super::mysql::Server;
use super::{Engine, Error, Result, leases, people};

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

/// The step that adds keys to accounts.
const PEOPLE_LIST: i64 = 100;

/// Folds letters beyond ASCII in the keys that step 100 has made: SQLite's own LOWER leaves them as they are.
fn fold_keys(transaction: &rusqlite::Transaction<'_>) -> Result<()> {
    let mut found = transaction.prepare(
        "SELECT tenant_id, id, first_name, last_name, username_key FROM user_account \
         WHERE first_name GLOB '*[^ -~]*' OR last_name GLOB '*[^ -~]*'",
    )?;
    let mut change = transaction
        .prepare("UPDATE user_account SET first_name_key = ?, last_name_key = ? WHERE tenant_id = ? AND id = ?")?;
    let read = |row: &rusqlite::Row<'_>| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?]);
    let people: Vec<[String; 5]> = found.query_map([], read)?.collect::<rusqlite::Result<_>>()?;
    for [tenant, id, first, last, name] in people {
        change.execute([people::key(&first, &name), people::key(&last, &name), tenant, id])?;
    }
    Ok(())
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
                if step.version == PEOPLE_LIST {
                    fold_keys(&transaction)?;
                }
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
            let mut result = steps(Engine::MySql).run(connection.server()?).await;
            if let Err(MigrateError::Dirty(step)) = result {
                tracing::warn!(step, "a step of the schema was begun and not finished; it is run again");
                result = again(connection.server()?).await;
            }
            leases::release_migration(connection).await?;
            result.map_err(|error| Error::Migration(error.to_string()))
        })
        .await
}

/// Runs a step again in whose middle the program or the server was ended, and those after it. The library notes a step before it
/// runs it, and without this it would refuse to start from then on.
async fn again(connection: &mut MySqlConnection) -> std::result::Result<(), MigrateError> {
    sqlx::query("DELETE FROM _sqlx_migrations WHERE success = FALSE").execute(&mut *connection).await?;
    steps(Engine::MySql).run(connection).await
}
