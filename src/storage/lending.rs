//! Lends connections, and takes them back without asking whether they still live.
//!
//! The library's pool asks each connection that is given back, which is one more round trip to the engine for every
//! transaction and every question. Here a connection whose work has come to its end waits for the next borrower as it
//! is; one whose work failed or was abandoned goes back to the library, which asks it and rolls back what is open.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Result;

/// How long somebody waits for a connection.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A connection that waited longer than this is asked whether it still lives before it is lent.
const UNASKED: Duration = Duration::from_secs(30);
/// A connection that nobody wanted for this long goes back to the library, which closes it in its time.
const UNWANTED: Duration = Duration::from_secs(600);

/// Lends the connections of one pool.
#[derive(Debug, Clone)]
pub(super) struct Lender {
    pool: AnyPool,
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
    connection: PoolConnection<Any>,
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

/// A connection on loan. Dropped without [`Lent::give_back`], it goes to the library.
#[derive(Debug)]
pub(super) struct Lent {
    connection: PoolConnection<Any>,
    lender: Lender,
    _turn: OwnedSemaphorePermit,
}

impl Lender {
    /// Lends the connections of `pool`, and nobody else uses it.
    pub(super) fn new(pool: AnyPool) -> Self {
        let most = usize::try_from(pool.options().get_max_connections()).unwrap_or(1);
        Self { pool, turns: Arc::new(Semaphore::new(most)), ready: Arc::default() }
    }

    /// A connection, once one is free; first come, first served.
    ///
    /// # Errors
    /// If none becomes free in time, or a new one cannot be made.
    pub(super) async fn lend(&self) -> Result<Lent> {
        let turn = tokio::time::timeout(LONGEST_WAIT, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        loop {
            let waiting = self.ready().0.pop();
            let Some(Ready { mut connection, since }) = waiting else { break };
            if since.elapsed() < UNASKED || connection.ping().await.is_ok() {
                return Ok(Lent { connection, lender: self.clone(), _turn: turn });
            }
        }
        Ok(Lent { connection: self.pool.acquire().await?, lender: self.clone(), _turn: turn })
    }

    /// Closes all connections; waits until those on loan are given back.
    pub(super) async fn close(&self) {
        // From this call on the pool is closed, and nothing is put on the shelf any more.
        let closing = self.pool.close();
        self.ready().0.clear();
        closing.await;
    }

    fn ready(&self) -> MutexGuard<'_, Shelf> {
        // A panic while it is held cannot leave half an entry: pushing and taking are single steps.
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent {
    /// Gives the connection back after work that has come to its end: nothing is open, nothing is unread.
    pub(super) fn give_back(self) {
        let Self { connection, lender, _turn } = self;
        let mut ready = lender.ready();
        if lender.pool.is_closed() {
            return;
        }
        let unwanted = ready.0.first().is_some_and(|oldest| oldest.since.elapsed() > UNWANTED);
        let unwanted = unwanted.then(|| ready.0.remove(0));
        ready.0.push(Ready { connection, since: Instant::now() });
        drop(ready);
        drop(unwanted);
    }
}

impl Deref for Lent {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.connection
    }
}
