//! SQLite, in this process and in the thread that asks.
//!
//! A look-up in a file that is in memory takes a few microseconds, less than handing it to another thread and waiting
//! for the answer; so a question is answered where it is asked, and nothing here ever waits but for its turn. One
//! connection writes; whoever finds it free reads with it too, because what it has just written is in its memory.
//! Others read beside it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, OpenFlags, ffi};
use tokio::sync::Notify;

use super::statement::{Cells, Record, Statement, Value};
use super::sync::Syncer;
use super::{Connection, Error, Result};

/// How long somebody waits for the turn to write.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long somebody lets those go first who come while nobody has the turn. Whoever waits sleeps, and must be woken: were the
/// turn kept for them meanwhile, everybody who comes would have to sleep, too, however short each turn is.
const PATIENCE: Duration = Duration::from_millis(5);
/// How long somebody who finds another process writing waits before looking again.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// Statements that a connection keeps ready: more than this program has.
const STATEMENTS: usize = 512;

/// `NORMAL`: see `sync`. The log is moved into the file by the thread there; whoever writes does it, and everybody waits for that,
/// only where the thread does not get far enough in some 33 MB, as when many people are imported at once.
const WRITER: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; \
    PRAGMA cache_size = -8000; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 8000;";

const READER: &str = "PRAGMA query_only = ON; PRAGMA cache_size = -1000;";

/// How often the log is moved while others write, before they wait for the rest of it …
const MOVES: u32 = 3;
/// … unless no more pages than these are left.
const FEW: i64 = 400;
/// How long whoever moves the log tries for the turn to write: others wait for the disk meanwhile …
const LONGEST_TRY: Duration = Duration::from_millis(20);
/// … how often …
const TRY_PAUSE: Duration = Duration::from_micros(100);
/// … and how long they wait, with the turn, for who reads.
const READERS_WAIT: Duration = Duration::from_millis(2);

/// An SQLite file and the connections to it.
#[derive(Debug)]
pub(super) struct Sqlite {
    path: PathBuf,
    writer: Arc<Writer>,
    readers: Mutex<Vec<Connection>>,
    /// `None` once closed.
    syncer: Mutex<Option<Arc<Syncer>>>,
}

/// The connection that writes, and the turn to have it.
#[derive(Debug)]
struct Writer {
    /// `None` once closed.
    connection: tokio::sync::Mutex<Option<Connection>>,
    /// Tells one of those who wait that it was given back.
    given_back: Notify,
}

/// One connection.
pub struct SqliteConnection {
    inner: rusqlite::Connection,
    /// The names of the columns of each statement, by where its text lies: texts are constants.
    columns: HashMap<(usize, usize), Arc<[Box<str>]>>,
    /// Set while it is lent to somebody who only reads.
    reading: bool,
}

impl std::fmt::Debug for SqliteConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqliteConnection")
    }
}

impl Sqlite {
    /// Opens the file at `path`, and makes it where it is missing.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| Error::Disk(format!("cannot make the folder {}: {error}", folder.display())))?;
        }
        let writer = SqliteConnection::open(path, WRITER)?;
        // The log is there from the first question on.
        writer.inner.query_row("SELECT COUNT(*) FROM sqlite_master", [], |_| Ok(()))?;
        let connection = tokio::sync::Mutex::new(Some(Connection::Sqlite(writer)));
        let writer = Arc::new(Writer { connection, given_back: Notify::new() });
        let mover = SqliteConnection::open(path, "PRAGMA synchronous = NORMAL;")?;
        mover.inner.busy_timeout(READERS_WAIT)?;
        let turns = Arc::clone(&writer);
        let syncer = Syncer::start(path, move || {
            if let Err(error) = move_log(&mover.inner, &turns) {
                tracing::warn!(%error, "the database's log could not be moved into its file");
            }
        })?;
        Ok(Self {
            path: path.to_owned(),
            writer,
            readers: Mutex::default(),
            syncer: Mutex::new(Some(Arc::new(syncer))),
        })
    }

    /// Runs `work` in one transaction. A transaction whose future is dropped or whose work fails is rolled back.
    pub(super) async fn write<T>(&self, work: &impl AsyncFn(&mut Connection) -> Result<T>, durably: bool) -> Result<T> {
        let syncer = self.syncer()?;
        syncer.healthy()?;
        let mut turn = self.writer.turn().await?;
        let connection = turn.connection()?;
        begin(connection).await?;
        let open = Open(connection);
        let value = work(&mut *open.0).await?;
        open.commit()?;
        let mine = syncer.committed(durably);
        drop(turn);
        if durably {
            syncer.wait(mine).await?;
        }
        Ok(value)
    }

    /// Runs `question` on a connection that does not write.
    pub(super) async fn read<T>(&self, question: impl AsyncFnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        if let Some(mut turn) = self.writer.turn_at_once() {
            let connection = turn.connection()?;
            sqlite(connection)?.reading = true;
            return question(connection).await;
        }
        self.look(question).await
    }

    /// Runs `question` beside the connection that writes.
    pub(super) async fn look<T>(&self, question: impl AsyncFnOnce(&mut Connection) -> Result<T>) -> Result<T> {
        self.syncer()?;
        let waiting = self.shelf().pop();
        let mut reader = match waiting {
            Some(reader) => reader,
            None => {
                let mut reader = SqliteConnection::open(&self.path, READER)?;
                reader.reading = true;
                Connection::Sqlite(reader)
            }
        };
        let answer = question(&mut reader).await;
        self.shelf().push(reader);
        answer
    }

    /// Runs statements that are no transaction: of the schema, or `VACUUM INTO`.
    pub(super) async fn alone<T>(&self, work: impl FnOnce(&mut rusqlite::Connection) -> Result<T>) -> Result<T> {
        let mut turn = self.writer.turn().await?;
        let done = work(&mut sqlite(turn.connection()?)?.inner)?;
        let syncer = self.syncer()?;
        syncer.wait(syncer.committed(true)).await?;
        Ok(done)
    }

    /// Whether what is written can be kept: the file is open, and the disk has not failed.
    pub(super) fn takes_writes(&self) -> bool {
        self.syncer().is_ok_and(|syncer| syncer.healthy().is_ok())
    }

    /// Closes every connection, once the one that writes is free.
    pub(super) async fn close(&self) {
        let syncer = self.syncer.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.writer.connection.lock().await.take();
        self.shelf().clear();
        // Ends the thread, unless somebody still waits for it, who ends it then.
        drop(syncer);
    }

    fn syncer(&self) -> Result<Arc<Syncer>> {
        let syncer = self.syncer.lock().unwrap_or_else(PoisonError::into_inner);
        syncer.as_ref().map(Arc::clone).ok_or(CLOSED)
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        // Pushing and taking are single steps: a panic leaves nothing half done.
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    /// The turn to write. Whoever comes while nobody has it takes it; whoever has waited long is served in the order of coming.
    async fn turn(&self) -> Result<Turn<'_>> {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            if let Some(turn) = self.turn_at_once() {
                return Ok(turn);
            }
            // Given back in between, it has told so, and this does not wait.
            let _ = tokio::time::timeout(PATIENCE, self.given_back.notified()).await;
        }
        let waiting = tokio::time::timeout(LONGEST_WAIT, self.connection.lock());
        let held = waiting.await.map_err(|_| Error::Busy)?;
        Ok(Turn { held: Some(held), given_back: &self.given_back })
    }

    /// The turn to write, if nobody has it.
    fn turn_at_once(&self) -> Option<Turn<'_>> {
        let held = self.connection.try_lock().ok()?;
        Some(Turn { held: Some(held), given_back: &self.given_back })
    }
}

/// Moves what is in the log into the database file, and lets the log begin anew. While others write, some of it is always left; so
/// in the end, when that is little, they wait for a moment. What cannot be moved now is moved the next time.
fn move_log(mover: &rusqlite::Connection, writer: &Writer) -> rusqlite::Result<()> {
    for _ in 0..MOVES {
        let (pages, moved): (i64, i64) =
            mover.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(1)?, row.get(2)?)))?;
        if pages - moved <= FEW {
            break;
        }
    }
    let since = Instant::now();
    while since.elapsed() < LONGEST_TRY {
        if let Some(_turn) = writer.turn_at_once() {
            return mover.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()));
        }
        std::thread::sleep(TRY_PAUSE);
    }
    Ok(())
}

/// The connection that writes, as long as somebody has it.
struct Turn<'a> {
    /// `None` while it is given back.
    held: Option<tokio::sync::MutexGuard<'a, Option<Connection>>>,
    given_back: &'a Notify,
}

impl Turn<'_> {
    fn connection(&mut self) -> Result<&mut Connection> {
        self.held.as_mut().and_then(|held| held.as_mut()).ok_or(CLOSED)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        drop(self.held.take());
        self.given_back.notify_one();
    }
}

const CLOSED: Error = Error::Unsupported("the database was closed");

fn sqlite(connection: &mut Connection) -> Result<&mut SqliteConnection> {
    match connection {
        Connection::Sqlite(connection) => Ok(connection),
        Connection::MySql(_) => Err(Error::Unsupported("this is a connection to MySQL")),
    }
}

/// Takes the write lock from the start: a transaction that reads first and then writes could not get it later if
/// somebody else wrote in between. Another process, such as `vestibule apply`, may have it; then this waits without
/// keeping its thread from others.
async fn begin(connection: &mut Connection) -> Result<()> {
    let connection = sqlite(connection)?;
    connection.reading = false;
    let since = Instant::now();
    loop {
        match connection.inner.prepare_cached("BEGIN IMMEDIATE")?.execute([]) {
            Ok(_) => return Ok(()),
            Err(error) if is_busy(&error) && since.elapsed() < LONGEST_WAIT => tokio::time::sleep(BUSY_PAUSE).await,
            Err(error) if is_busy(&error) => return Err(Error::Busy),
            Err(error) => return Err(error.into()),
        }
    }
}

/// An open transaction; dropped without a commit, it is rolled back.
struct Open<'a>(&'a mut Connection);

impl Open<'_> {
    fn commit(self) -> Result<()> {
        sqlite(self.0)?.inner.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Connection::Sqlite(connection) = &mut *self.0
            && !connection.inner.is_autocommit()
            && let Err(error) = connection.inner.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }
}

impl SqliteConnection {
    fn open(path: &Path, settings: &str) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let inner = rusqlite::Connection::open_with_flags(path, flags)?;
        inner.busy_timeout(LONGEST_WAIT)?;
        inner.execute_batch(settings)?;
        inner.set_prepared_statement_cache_capacity(STATEMENTS);
        // `begin` waits in its own way. Questions never wait: a log has room for readers beside the writer.
        inner.busy_timeout(Duration::ZERO)?;
        Ok(Self { inner, columns: HashMap::new(), reading: false })
    }

    /// Runs a statement; says how many rows it changed.
    pub(super) fn run(&mut self, statement: &Statement) -> Result<u64> {
        let mut prepared = self.inner.prepare_cached(statement.sql)?;
        if self.reading && !prepared.readonly() {
            return Err(Error::Unsupported("a question tried to change something"));
        }
        bind(&mut prepared, &statement.values)?;
        Ok(u64::try_from(prepared.raw_execute()?).unwrap_or(0))
    }

    /// Every row of a statement's answer.
    pub(super) fn rows(&mut self, statement: &Statement) -> Result<Vec<Record>> {
        let mut prepared = self.inner.prepare_cached(statement.sql)?;
        if self.reading && !prepared.readonly() {
            return Err(Error::Unsupported("a question tried to change something"));
        }
        let text = (statement.sql.as_ptr().addr(), statement.sql.len());
        let names = || prepared.column_names().into_iter().map(Box::from).collect::<Arc<[Box<str>]>>();
        let columns = Arc::clone(self.columns.entry(text).or_insert_with(names));
        bind(&mut prepared, &statement.values)?;
        let mut rows = prepared.raw_query();
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let mut cells = Cells::of(&columns);
            for at in 0..columns.len() {
                keep(row.get_ref(at)?, &mut cells)?;
            }
            found.push(Record::Sqlite(cells));
        }
        Ok(found)
    }
}

fn bind(prepared: &mut rusqlite::Statement<'_>, values: &[Value]) -> Result<()> {
    for (at, value) in values.iter().enumerate() {
        prepared.raw_bind_parameter(at + 1, value)?;
    }
    Ok(())
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Octets(octets) => ValueRef::Blob(octets),
        }))
    }
}

fn keep(found: ValueRef<'_>, row: &mut Cells) -> Result<()> {
    match found {
        ValueRef::Null => row.null(),
        ValueRef::Integer(number) => row.number(number),
        ValueRef::Text(_) => row.text(found.as_str().map_err(rusqlite::Error::from)?),
        ValueRef::Blob(octets) => row.octets(octets),
        ValueRef::Real(_) => return Err(Error::Unsupported("the database holds a fraction, which no column does")),
    }
    Ok(())
}

/// Whether another process was just writing.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Whether a unique key was already taken.
pub(super) fn is_duplicate(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY))
}

#[cfg(test)]
mod tests {
    use crate::storage::statement::Statement;
    use crate::storage::{Db, Error};

    const INSERT: &str = "INSERT INTO lease (name, owner, fence, leased_until) VALUES ('x', '', 1, 1)";
    const COUNT: &str = "SELECT COUNT(*) AS n FROM lease";

    async fn database() -> (tempfile::TempDir, std::path::PathBuf, Db) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("v.db");
        let db = Db::connect(&format!("sqlite://{}", path.display())).await.expect("opens");
        db.migrate().await.expect("migrates");
        (folder, path, db)
    }

    async fn leases(db: &Db) -> i64 {
        let row = db.read(async |connection| Statement::new(COUNT).only(connection).await).await.expect("a row");
        row.number("n").expect("a number").expect("a count")
    }

    /// What `.cargo/config.toml` asks for has reached the library. (The third of it cannot be asked for.)
    #[tokio::test]
    async fn the_library_is_compiled_as_it_should_be() {
        let (_folder, _, db) = database().await;
        let options = async |connection: &mut crate::storage::Connection| {
            Statement::new("SELECT compile_options AS option FROM pragma_compile_options").rows(connection).await
        };
        let options = db.read(options).await.expect("told");
        let options: Vec<&str> =
            options.iter().map(|row| row.text("option").expect("a text").expect("an option")).collect();
        assert!(options.contains(&"DEFAULT_MEMSTATUS=0"), "{options:?}");
        assert!(!options.contains(&"ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
        db.close().await;
    }

    /// Whichever connection a question gets, the one that writes or another beside it, it changes nothing.
    #[tokio::test]
    async fn a_question_cannot_change_anything() {
        let (_folder, _, db) = database().await;
        let asked = db.read(async |connection| Statement::new(INSERT).run(connection).await).await;
        assert!(matches!(asked, Err(Error::Unsupported(_))), "{asked:?}");
        let beside = db.write(async |_| {
            let asked = db.read(async |connection| Statement::new(INSERT).rows(connection).await).await;
            Ok(asked.is_err())
        });
        assert!(beside.await.expect("commits"), "a reader beside the writer");
        assert_eq!(leases(&db).await, 0);
        assert!(db.answers().await);
        db.close().await;
        assert!(matches!(db.write(async |_| Ok(())).await, Err(Error::Unsupported(_))), "closed is closed");
        assert!(!db.answers().await, "and not ready (R-597)");
    }

    /// A browser that goes away in the middle of a transaction leaves nothing of it, and nothing locked.
    #[tokio::test]
    async fn a_transaction_that_is_dropped_is_rolled_back() {
        let (_folder, _, db) = database().await;
        let abandoned = db.write(async |connection| {
            Statement::new(INSERT).run(connection).await?;
            std::future::pending::<()>().await;
            Ok(())
        });
        assert!(tokio::time::timeout(std::time::Duration::from_millis(50), abandoned).await.is_err());
        assert_eq!(leases(&db).await, 0);
        db.write(async |connection| Statement::new(INSERT).run(connection).await).await.expect("goes on");
        assert_eq!(leases(&db).await, 1);
        db.close().await;
    }

    /// Whoever looks through a list, however long, keeps nobody from writing, and sees what was written before.
    #[tokio::test]
    async fn a_look_never_has_the_turn_to_write() {
        let (_folder, _, db) = database().await;
        let looked = db.look(async |connection| {
            db.write(async |connection| Statement::new(INSERT).run(connection).await).await?;
            Statement::new(COUNT).only(connection).await
        });
        let row = looked.await.expect("somebody wrote meanwhile");
        assert_eq!(row.number("n").expect("a number").expect("a count"), 1);
        let asked = db.look(async |connection| Statement::new(INSERT).run(connection).await).await;
        assert!(matches!(asked, Err(Error::Unsupported(_))), "{asked:?}");
        db.close().await;
        assert!(db.look(async |connection| Statement::new(COUNT).rows(connection).await).await.is_err(), "closed");
    }

    /// What is written comes into the file by and by, also while somebody writes for long and somebody else reads for long; and
    /// then the log begins anew.
    #[tokio::test]
    async fn a_long_log_is_moved_into_the_file() {
        let (_folder, path, db) = database().await;
        let log = path.with_extension("db-wal");
        let long = |path: &std::path::Path| std::fs::metadata(path).expect("there").len();
        // The log says how often it has begun anew.
        let begun = || std::fs::read(&log).expect("read")[12..16].to_vec();
        let (before, first) = (long(&path), begun());
        let some = async |number: u32| {
            for at in 0..600 {
                let row = Statement::new("INSERT INTO lease (name, owner, fence, leased_until) VALUES (?, ?, 1, 1)")
                    .bind(format!("{number} {at}"))
                    .bind("o".repeat(3000));
                db.write_soon(async |connection| row.clone().run(connection).await).await.expect("written");
            }
        };
        let moved = async |upto: u64| {
            for _ in 0..500 {
                if long(&path) > upto {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            panic!("{} octets in the file, {} in the log", long(&path), long(&log));
        };
        some(1).await;
        moved(before + 1_500_000).await;
        let reader = rusqlite::Connection::open(&path).expect("opens");
        reader.execute_batch("BEGIN; SELECT COUNT(*) FROM lease").expect("reads");
        let writing = db.write(async |connection| {
            Statement::new("DELETE FROM lease WHERE name = '1 1'").run(connection).await?;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            Ok(())
        });
        writing.await.expect("written");
        some(2).await;
        reader.execute_batch("COMMIT").expect("has read");
        some(3).await;
        moved(before + 5_000_000).await;
        for _ in 0..500 {
            let written = db.write(async |connection| {
                Statement::new("UPDATE lease SET fence = fence + 1 WHERE name = '1 2'").run(connection).await
            });
            assert_eq!(written.await.expect("written"), 1);
            if begun() != first {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_ne!(begun(), first);
        assert_eq!(leases(&db).await, 1799);
        db.close().await;
    }

    /// Another process that writes, such as `vestibule apply`, is waited for, and meanwhile the thread does other work.
    #[tokio::test]
    async fn another_process_that_writes_is_waited_for() {
        let (_folder, path, db) = database().await;
        let other = rusqlite::Connection::open(path).expect("opens");
        other.execute_batch("BEGIN IMMEDIATE").expect("begins");
        let (written, ()) =
            tokio::join!(db.write(async |connection| Statement::new(INSERT).run(connection).await), async {
                assert_eq!(leases(&db).await, 0, "questions are answered meanwhile");
                tokio::time::sleep(std::time::Duration::from_millis(60)).await;
                other.execute_batch("COMMIT").expect("commits");
            });
        assert_eq!(written.expect("written"), 1);
        db.close().await;
    }
}
