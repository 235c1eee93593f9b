//! MySQL, MariaDB and what speaks like them.
//!
//! Lends connections, and takes them back without asking whether they still live. The library's pool asks each connection
//! that is given back, which is one more round trip to the engine for every transaction and every question. Here a
//! connection whose work has come to its end waits for the next borrower as it is; one whose work was abandoned is closed,
//! and the server rolls back what was open.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::mysql::{MySqlArguments, MySqlConnection, MySqlDatabaseError, MySqlPool, MySqlPoolOptions, MySqlRow};
use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Executor as _, MySql};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::statement::{Statement, Value};
use super::{Connection, Error, Result};

/// How long somebody waits for a connection.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A connection that waited longer than this is asked whether it still lives before it is lent.
const UNASKED: Duration = Duration::from_secs(30);
/// A connection that nobody wanted for this long goes back to the library, which closes it in its time.
const UNWANTED: Duration = Duration::from_secs(600);
/// Connections of one instance.
const MOST: u32 = 16;
/// How long a connection that is asked whether it still lives may take to answer.
const LONGEST_PING: Duration = Duration::from_secs(2);
/// How long one statement may take. No connection ends by itself when the server's machine goes without a word, and a job that
/// waited for its answer would wait for ever.
const LONGEST_STATEMENT: Duration = Duration::from_secs(300);

const SESSION: &str = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', \
    time_zone = '+00:00', innodb_lock_wait_timeout = 5, group_concat_max_len = 16777216";

// A statement of its own: MySQL 8 and MariaDB 11 call the variable by another name than MariaDB 10.
const ISOLATION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// A server and the connections to it.
#[derive(Debug)]
pub(super) struct Server {
    pool: MySqlPool,
    /// One for each connection that the pool may have: whoever holds a turn finds a connection.
    turns: Arc<Semaphore>,
    /// Who came back last is lent first, so that in quiet times the others become unwanted.
    ready: Arc<Mutex<Shelf>>,
}

/// Connections that wait, the longest waiting first.
#[derive(Debug, Default)]
struct Shelf(Vec<Ready>);

/// A connection that waits.
#[derive(Debug)]
struct Ready {
    connection: PoolConnection<MySql>,
    since: Instant,
}

impl Drop for Shelf {
    /// The library would start a task to take them back, and there may be no runtime any more.
    fn drop(&mut self) {
        for ready in self.0.drain(..) {
            drop(ready.connection.detach());
        }
    }
}

impl Server {
    /// Connects to `url`: `mysql://user:password@host/database`.
    pub(super) async fn connect(url: &str) -> Result<Self> {
        let pool = MySqlPoolOptions::new()
            .max_connections(MOST)
            .acquire_timeout(LONGEST_WAIT)
            .idle_timeout(UNWANTED)
            .test_before_acquire(false)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    connection.execute(SESSION).await?;
                    connection.execute(ISOLATION).await?;
                    // On a Galera node reads wait for what other nodes have committed; elsewhere the
                    // variable does not exist and there is nothing to wait for.
                    let _ = connection.execute("SET SESSION wsrep_sync_wait = 1").await;
                    Ok(())
                })
            })
            .connect(url)
            .await?;
        let turns = usize::try_from(MOST).unwrap_or(1);
        Ok(Self { pool, turns: Arc::new(Semaphore::new(turns)), ready: Arc::default() })
    }

    /// Runs `work` in one transaction. A transaction whose future is dropped or whose work fails is rolled back.
    pub(super) async fn write<T>(&self, work: &impl AsyncFn(&mut Connection) -> Result<T>) -> Result<T> {
        let done = self.transact(work).await;
        self.learn_from(&done);
        done
    }

    async fn transact<T>(&self, work: &impl AsyncFn(&mut Connection) -> Result<T>) -> Result<T> {
        let (mut lent, _turn) = self.begin().await?;
        let value = work(lent.connection()?).await;
        // What is broken is not asked to roll back: the server does that by itself.
        if value.as_ref().is_err_and(Error::is_away) {
            return value;
        }
        let word = if value.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let end = in_time(Some(LONGEST_STATEMENT), lent.server()?.execute(word)).await;
        // Work that failed, or lost to somebody else's, has come to its end as well once it is rolled back.
        if end.is_ok()
            && let Some(connection) = lent.0.take()
        {
            self.take_back(connection);
        }
        let (value, _) = (value?, end?);
        Ok(value)
    }

    /// A connection with an open transaction. One that has waited may be dead, because the server was started again: then
    /// nothing has happened yet, and another is taken.
    async fn begin(&self) -> Result<(Lent, OwnedSemaphorePermit)> {
        let mut first = true;
        loop {
            let (mut lent, turn) = self.lend().await?;
            let begun = in_time(Some(LONGEST_STATEMENT), lent.server()?.execute("BEGIN")).await;
            match begun {
                Ok(_) => return Ok((lent, turn)),
                Err(error) if first && error.is_away() => {
                    self.forget();
                    first = false;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs `question` outside a transaction.
    pub(super) async fn read<T>(&self, question: impl AsyncFnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        let (mut lent, _turn) = self.lend().await?;
        let answer = question(lent.connection()?).await;
        self.learn_from(&answer);
        let answer = answer?;
        if let Some(connection) = lent.0.take() {
            self.take_back(connection);
        }
        Ok(answer)
    }

    /// Where a connection broke, those that wait are not trusted any more: a server that was started again knows none of them,
    /// and each would fail somebody else.
    fn learn_from<T>(&self, done: &Result<T>) {
        if done.as_ref().is_err_and(Error::is_away) {
            self.forget();
        }
    }

    /// Closes the connections that wait, without asking them anything.
    fn forget(&self) {
        drop(std::mem::take(&mut *self.ready()));
    }

    /// Closes all connections; waits until those on loan are given back.
    pub(super) async fn close(&self) {
        // From this call on the pool is closed, and nothing is put on the shelf any more.
        let closing = self.pool.close();
        self.ready().0.clear();
        closing.await;
    }

    /// A connection, once one is free; first come, first served.
    async fn lend(&self) -> Result<(Lent, OwnedSemaphorePermit)> {
        let turn = tokio::time::timeout(LONGEST_WAIT, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| Error::Busy)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let waiting = self.ready().0.pop();
        if let Some(Ready { connection, since }) = waiting {
            let mut lent = Lent(Some(Connection::MySql(connection)));
            if since.elapsed() < UNASKED || lives(lent.server()?).await {
                return Ok((lent, turn));
            }
            // The others have waited longer still.
            self.forget();
        }
        Ok((Lent(Some(Connection::MySql(self.pool.acquire().await?))), turn))
    }

    /// Takes a connection back after work that has come to its end: nothing is open, nothing is unread.
    fn take_back(&self, connection: Connection) {
        let Connection::MySql(connection) = connection else { return };
        let mut ready = self.ready();
        if self.pool.is_closed() {
            return;
        }
        let unwanted = ready.0.first().is_some_and(|oldest| oldest.since.elapsed() > UNWANTED);
        let unwanted = unwanted.then(|| ready.0.remove(0));
        ready.0.push(Ready { connection, since: Instant::now() });
        drop(ready);
        // Not to the library: it would keep it for another while and lend it unasked, dead or alive.
        drop(unwanted.map(|ready| ready.connection.detach()));
    }

    fn ready(&self) -> MutexGuard<'_, Shelf> {
        // A panic while it is held cannot leave half an entry: pushing and taking are single steps.
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection on loan. Dropped in the middle, because whoever asked has gone or the connection broke, it is closed: no
/// other borrower may find half a transaction or half an answer on it. The library would ask it whether it still lives, and
/// one whose server is silent would keep its place in the pool while it waits.
struct Lent(Option<Connection>);

impl Lent {
    fn connection(&mut self) -> Result<&mut Connection> {
        self.0.as_mut().ok_or(Error::Nothing)
    }

    fn server(&mut self) -> Result<&mut MySqlConnection> {
        self.connection()?.server()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(Connection::MySql(connection)) = self.0.take() {
            drop(connection.detach());
        }
    }
}

/// Whether a connection answers.
async fn lives(connection: &mut MySqlConnection) -> bool {
    matches!(tokio::time::timeout(LONGEST_PING, connection.ping()).await, Ok(Ok(())))
}

/// How long a statement may take; as long as it wants, if none.
fn longest(statement: &Statement) -> Option<Duration> {
    (!statement.at_length).then_some(LONGEST_STATEMENT)
}

/// What the server answers, unless it is silent for too long.
async fn in_time<T>(
    longest: Option<Duration>,
    answer: impl Future<Output = std::result::Result<T, sqlx::Error>>,
) -> Result<T> {
    let Some(longest) = longest else { return Ok(answer.await?) };
    match tokio::time::timeout(longest, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()).into()),
    }
}

/// Runs a statement; says how many rows it found to change, changed or not.
pub(super) async fn run(connection: &mut MySqlConnection, statement: Statement) -> Result<u64> {
    Ok(in_time(longest(&statement), query(statement).execute(connection)).await?.rows_affected())
}

/// Every row of a statement's answer.
pub(super) async fn rows(connection: &mut MySqlConnection, statement: Statement) -> Result<Vec<MySqlRow>> {
    in_time(longest(&statement), query(statement).fetch_all(connection)).await
}

fn query(statement: Statement) -> sqlx::query::Query<'static, MySql, MySqlArguments> {
    let mut query = sqlx::query(statement.sql);
    for value in statement.values {
        query = match value {
            Value::Null => query.bind(None::<String>),
            Value::Number(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
            Value::Octets(octets) => query.bind(octets),
        };
    }
    query
}

/// Whether the whole transaction may be tried again: 1213 deadlock or certification failure, 1205 lock wait, 1047 node
/// not ready. The driver gives the SQLSTATE and puts the number into the message.
pub(super) fn is_passing(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    let signs = ["Deadlock found", "Lock wait timeout", "WSREP"];
    error.code().as_deref() == Some("40001") || signs.iter().any(|sign| error.message().contains(sign))
}

/// What a server says that takes no work at this moment: 1040 and 1203 too many connections, 1047 node not ready, 1053, 1077 and
/// 1079 it is being stopped, 1927 it has ended the connection.
const TAKES_NO_WORK: [u16; 7] = [1040, 1203, 1047, 1053, 1077, 1079, 1927];

/// Whether the server cannot be reached, or takes no work: whatever was asked, it has not failed because of that.
pub(super) fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
        sqlx::Error::Database(error) => {
            let known = error.try_downcast_ref::<MySqlDatabaseError>();
            known.is_some_and(|error| TAKES_NO_WORK.contains(&error.number()))
        }
        _ => false,
    }
}

/// Whether there is no such table.
pub(super) fn is_no_table(error: &sqlx::Error) -> bool {
    let known = error.as_database_error().and_then(|error| error.try_downcast_ref::<MySqlDatabaseError>());
    known.is_some_and(|error| error.number() == 1146)
}

/// Whether a unique key was already taken.
pub(super) fn is_duplicate(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.kind() == sqlx::error::ErrorKind::UniqueViolation)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// what goes over whole tables, and an operator waits for, is not broken off; everything else is.
    #[tokio::test]
    async fn only_what_may_take_its_time_is_waited_for_without_an_end() {
        assert_eq!(longest(&Statement::new("SELECT 1")), Some(LONGEST_STATEMENT));
        assert_eq!(longest(&Statement::new("DELETE FROM evidence").at_length().bind(1)), None);
        let silent =
            in_time(Some(Duration::ZERO), std::future::pending::<std::result::Result<(), sqlx::Error>>()).await;
        assert!(silent.is_err_and(|error| error.is_away()));
        assert!(matches!(in_time(None, async { Ok(7) }).await, Ok(7)));
    }

    /// F5: whether a commit was done is not known when the connection breaks, so nothing is run again by itself; whoever asked may.
    #[test]
    fn a_server_that_is_away_is_nobodys_fault_and_nothing_is_run_again() {
        let broken = sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into());
        for away in [broken, sqlx::Error::PoolTimedOut, sqlx::Error::PoolClosed] {
            let error = Error::from(away);
            assert!(error.is_away() && error.is_of_the_moment() && !error.is_passing(), "{error}");
        }
        for other in [Error::from(sqlx::Error::RowNotFound), Error::Nothing, Error::Unsupported("x")] {
            assert!(!other.is_away() && !other.is_of_the_moment(), "{other}");
        }
        assert!(Error::Contended.is_of_the_moment() && !Error::Contended.is_away());
    }
}
