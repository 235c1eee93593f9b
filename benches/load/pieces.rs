//! What a login is made of besides cryptography, each part by itself and with the very libraries that the house uses: a row
//! written to SQLite, a row read, a mail handed over. No login can cost less than its parts.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use rusqlite::Connection;

use crate::crypto::median;

/// Rows of the table before anything is measured.
const ROWS: i64 = 20_000;

/// Milliseconds of processor time of one operation each, the median of the repeats.
#[derive(Debug, Clone, Copy)]
pub struct Pieces {
    /// One insert of 300 octets with an index, committed, `synchronous = NORMAL`.
    pub commit: f64,
    /// The same with `synchronous = FULL`.
    pub durable_commit: f64,
    /// One row by its key.
    pub lookup: f64,
    /// One mail over a connection that is kept: the sender's side of it.
    pub mail: f64,
}

/// Measures all of them; mails go to the mail server at `mail_at`, which is not counted.
pub fn measure(repeats: usize, mail_at: std::net::SocketAddr) -> Result<Pieces> {
    let folder = tempfile::tempdir()?;
    let connection = Connection::open(folder.path().join("parts.db"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE t (id TEXT PRIMARY KEY, body TEXT) WITHOUT ROWID;
         CREATE TABLE u (id INTEGER PRIMARY KEY, name TEXT, body TEXT); CREATE INDEX u_name ON u (name);",
    )?;
    let body = "x".repeat(300);
    let key = |number: i64| format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64.cast_signed()));
    connection.execute_batch("BEGIN")?;
    for number in 0..ROWS {
        connection.execute("INSERT INTO t VALUES (?, ?)", (key(number), &body))?;
    }
    connection.execute_batch("COMMIT")?;
    let next = std::cell::Cell::new(0);
    let insert = || {
        next.set(next.get() + 1);
        let mut insert = connection.prepare_cached("INSERT INTO u (name, body) VALUES (?, ?)")?;
        insert.execute((key(next.get()), &body)).map(drop).context("inserts")
    };
    let look = || {
        next.set((next.get() + 7919) % ROWS);
        let mut look = connection.prepare_cached("SELECT body FROM t WHERE id = ?")?;
        look.query_row([key(next.get())], |row| row.get::<_, String>(0)).map(drop).context("finds")
    };
    connection.execute_batch("PRAGMA synchronous = NORMAL")?;
    let commit = median(repeats, insert)?;
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    let durable_commit = median(repeats, insert)?;
    let lookup = median(repeats, look)?;
    Ok(Pieces { commit, durable_commit, lookup, mail: mail(mail_at)? })
}

fn mail(at: std::net::SocketAddr) -> Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let transport =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(at.ip().to_string()).port(at.port()).build();
        let message = Message::builder()
            .from("no-reply@bench.test".parse()?)
            .to("somebody@parts.test".parse()?)
            .subject("Your code")
            .body("x".repeat(1500))?;
        transport.send(message.clone()).await?;
        let (begun, before, mut sent) = (Instant::now(), own_thread_ms()?, 0.0);
        while begun.elapsed() < Duration::from_secs(1) {
            transport.send(message.clone()).await?;
            sent += 1.0;
        }
        Ok((own_thread_ms()? - before) / sent)
    })
}

/// Processor time of this thread so far: the mail server of the bench runs in another one, and does not count.
fn own_thread_ms() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos: f64 = text.split_whitespace().next().context("schedstat is empty")?.parse()?;
    Ok(nanos / 1e6)
}
