//! Brings what SQLite has committed to the disk, several transactions with one call.
//!
//! SQLite could wait for the disk in each transaction by itself (`synchronous = FULL`), and everybody else would wait
//! with it. Here it commits without waiting (`NORMAL`, which keeps the file consistent whatever happens), and a thread
//! brings its log to the disk: whoever must not answer before that waits for it, together with everybody who has
//! committed meanwhile; what may be lost with the electricity is on the disk within a second. The same thread moves the
//! log into the database file now and then, so that no request has to.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Error, Result};

/// How long a transaction that nobody waits for may be in memory only.
const LATEST: Duration = Duration::from_secs(1);
/// After so many transactions the log is moved into the database file, whether or not anybody waits for the disk.
const CHECKPOINT: u64 = 500;

/// The thread, from the side of those who commit.
#[derive(Debug)]
pub(super) struct Syncer {
    shared: Arc<Shared>,
    done: watch::Receiver<Done>,
    thread: Option<JoinHandle<()>>,
}

/// How far the disk is.
#[derive(Debug, Clone)]
struct Done {
    /// Every transaction up to this one is on the disk.
    upto: u64,
    /// The disk failed; what was committed since then is not known to be on it, and nothing is taken any more.
    failed: Option<String>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Transactions that were committed.
    committed: u64,
    /// Somebody waits for this one.
    wanted: u64,
    /// On the disk.
    done: u64,
    /// In the database file, too, but for what is left to the next time.
    moved: u64,
    /// When the oldest that is not on the disk was committed.
    since: Option<Instant>,
    sleep: Sleep,
    stop: bool,
}

/// Whether the thread sleeps. Waking it costs whoever does it more than a row, so it is woken only when it must be, and once.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Sleep {
    /// It is at work, and looks again before it sleeps.
    #[default]
    No,
    /// For [`LATEST`] at most: soon enough for a transaction that nobody waits for.
    Short,
    /// Until somebody comes: nothing happens on this machine.
    Long,
}

impl State {
    /// Whether the log has become long: however little is awaited, it is moved now, or whoever writes would have to do it.
    const fn is_long(&self) -> bool {
        self.committed - self.moved >= CHECKPOINT
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics between changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Syncer {
    /// Starts the thread for the log of the database at `path`, which must exist.
    ///
    /// # Errors
    /// If the log cannot be opened.
    pub(super) fn start(path: &Path, mut checkpoint: impl FnMut() + Send + 'static) -> Result<Self> {
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        let log = File::open(&log).map_err(|error| Error::Disk(format!("{}: {error}", log.display())))?;
        let shared = Arc::new(Shared::default());
        let (tell, done) = watch::channel(Done { upto: 0, failed: None });
        let mine = Arc::clone(&shared);
        let run = move || work(&mine, &log, &tell, &mut checkpoint);
        let thread = std::thread::Builder::new().name("sqlite-sync".to_owned()).spawn(run);
        let thread = thread.map_err(|error| Error::Disk(error.to_string()))?;
        Ok(Self { shared, done, thread: Some(thread) })
    }

    /// A transaction was committed; it is on the disk within a second, or as soon as it can be if it is `awaited`. Says which
    /// one it was.
    pub(super) fn committed(&self, awaited: bool) -> u64 {
        let mut state = self.shared.state();
        state.committed += 1;
        state.since.get_or_insert_with(Instant::now);
        if awaited {
            state.wanted = state.committed;
        }
        let wakes = state.sleep == Sleep::Long || ((awaited || state.is_long()) && state.sleep == Sleep::Short);
        if wakes {
            state.sleep = Sleep::No;
        }
        let mine = state.committed;
        // Whoever wakes up wants this.
        drop(state);
        if wakes {
            self.shared.wake.notify_one();
        }
        mine
    }

    /// Waits until the transaction `mine`, which was committed as an awaited one, is on the disk.
    ///
    /// # Errors
    /// If the disk failed.
    pub(super) async fn wait(&self, mine: u64) -> Result<()> {
        let mut done = self.done.clone();
        let reached = done.wait_for(|done| done.upto >= mine || done.failed.is_some()).await;
        match reached.map(|done| done.failed.clone()) {
            Ok(None) => Ok(()),
            Ok(Some(error)) => Err(Error::Disk(error)),
            Err(_) => Err(Error::Disk("the thread that writes to the disk has ended".to_owned())),
        }
    }

    /// Whether the disk has failed since the start.
    ///
    /// # Errors
    /// If it has: nothing may be committed any more, for nobody knows what a failed disk holds.
    pub(super) fn healthy(&self) -> Result<()> {
        match &self.done.borrow().failed {
            None => Ok(()),
            Some(error) => Err(Error::Disk(error.clone())),
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.shared.state().stop = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn work(shared: &Shared, log: &File, tell: &watch::Sender<Done>, checkpoint: &mut impl FnMut()) {
    while let Some(target) = next(shared) {
        if let Err(error) = log.sync_data() {
            tracing::error!(%error, "the database's log could not be written to the disk; nothing is taken any more");
            tell.send_modify(|done| done.failed = Some(error.to_string()));
            return;
        }
        {
            let mut state = shared.state();
            state.done = target;
            state.since = (state.committed > target).then(Instant::now);
        }
        tell.send_modify(|done| done.upto = target);
        let long = {
            let state = shared.state();
            state.is_long().then_some(state.committed)
        };
        if let Some(moved) = long {
            checkpoint();
            shared.state().moved = moved;
        }
    }
}

/// Waits until something is to be brought to the disk, and says up to which transaction. `None` at the end.
fn next(shared: &Shared) -> Option<u64> {
    let mut state = shared.state();
    let mut quiet = false;
    loop {
        if state.wanted > state.done || state.is_long() {
            return Some(state.committed);
        }
        let left = state.since.map(|since| LATEST.saturating_sub(since.elapsed()));
        let pause = match left {
            Some(left) if left.is_zero() || state.stop => return Some(state.committed),
            Some(left) => Some(left),
            None if state.stop => return None,
            None => (!quiet).then_some(LATEST),
        };
        state.sleep = if pause.is_some() { Sleep::Short } else { Sleep::Long };
        state = match pause {
            Some(pause) => shared.wake.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0,
            None => shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
        };
        state.sleep = Sleep::No;
        quiet = state.since.is_none();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_goes_on_when_the_disk_has_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("v.db");
        std::fs::write(folder.path().join("v.db-wal"), "a log").expect("written");
        let moved = Arc::new(Mutex::new(0));
        let counted = Arc::clone(&moved);
        let syncer = Syncer::start(&path, move || *counted.lock().expect("not poisoned") += 1).expect("starts");
        for _ in 1..CHECKPOINT {
            syncer.committed(false);
        }
        let last = syncer.committed(true);
        assert_eq!(last, CHECKPOINT);
        syncer.wait(last).await.expect("on the disk");
        assert!(syncer.healthy().is_ok());
        syncer.committed(false);
        drop(syncer);
        assert_eq!(*moved.lock().expect("not poisoned"), 1, "the log was moved once");
    }

    /// Also where nothing has happened for so long that the thread sleeps for good, and for a transaction that nobody waits for.
    #[tokio::test]
    async fn what_nobody_waits_for_is_on_the_disk_soon() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("v.db");
        std::fs::write(folder.path().join("v.db-wal"), "a log").expect("written");
        let syncer = Syncer::start(&path, || ()).expect("starts");
        let sleeps = |how| {
            let begun = Instant::now();
            while syncer.shared.state().sleep != how {
                assert!(begun.elapsed() < LATEST * 20, "it never sleeps {how:?}");
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        for before in [Sleep::Short, Sleep::Long] {
            sleeps(before);
            let mine = syncer.committed(false);
            tokio::time::timeout(LATEST * 20, syncer.wait(mine)).await.expect("soon").expect("on the disk");
        }
        // Awaited, it wakes the thread: so many would take twice as long if each slept until the others' time.
        let awaited = async {
            for _ in 0..20 {
                sleeps(Sleep::Short);
                syncer.wait(syncer.committed(true)).await.expect("on the disk");
            }
        };
        tokio::time::timeout(LATEST * 10, awaited).await.expect("at once");
    }

    /// A log that grows is moved, also if nobody waits for the disk: so many moves would take twice as long if each came only when
    /// what was committed must be on the disk.
    #[tokio::test]
    async fn a_long_log_is_moved_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("v.db");
        std::fs::write(folder.path().join("v.db-wal"), "a log").expect("written");
        let (moved, moves) = std::sync::mpsc::channel();
        let syncer = Syncer::start(&path, move || moved.send(()).expect("somebody listens")).expect("starts");
        let begun = Instant::now();
        for _ in 0..20 {
            for _ in 0..CHECKPOINT {
                syncer.committed(false);
            }
            moves.recv_timeout(LATEST * 10).expect("moved");
        }
        assert!(begun.elapsed() < LATEST * 10, "{:?}", begun.elapsed());
        drop(syncer);
        assert!(moves.try_recv().is_err(), "and no more often than that");
    }

    /// A disk that fails takes nothing any more: neither the waiting transaction nor a later one (security.md 5.2).
    #[tokio::test]
    async fn a_disk_that_fails_stops_everything() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("v.db");
        // This device opens, and cannot be synchronized.
        std::os::unix::fs::symlink("/dev/null", folder.path().join("v.db-wal")).expect("linked");
        let syncer = Syncer::start(&path, || ()).expect("starts");
        let mine = syncer.committed(true);
        assert!(matches!(syncer.wait(mine).await, Err(Error::Disk(_))));
        assert!(matches!(syncer.healthy(), Err(Error::Disk(_))));
    }
}
