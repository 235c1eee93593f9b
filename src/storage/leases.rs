//! Leases: which instance does a job that must run in one place.

use std::time::Duration;

use super::row::Row;
use super::statement::Statement;
use super::{Connection, Result, inserted};
use crate::domain::ids::CorrelationId;
use crate::domain::timestamp::Timestamp;

/// The table, made before the first migration because the migration itself needs it.
pub(super) const TABLE: &str = "CREATE TABLE IF NOT EXISTS lease (name VARCHAR(40) NOT NULL PRIMARY KEY, \
    owner VARCHAR(26) NOT NULL, fence BIGINT NOT NULL, leased_until BIGINT NOT NULL)";

/// A lease that ends so much later than one that is taken now was taken by a clock that was wrong. Instances' clocks differ by far
/// less, or none of this works.
const NEVER_SO_LATE: Duration = Duration::from_secs(60 * 60);

/// A clock that shows so much more than when something was done last that is done all the time may be wrong.
const LEAP: Duration = Duration::from_secs(24 * 60 * 60);
/// For so long somebody may notice it and set it right.
const NOTICED: Duration = LEAP;
/// A doubt that is over by so much was another one, of an earlier time.
const FORGOTTEN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// Takes or keeps the lease `name` for `owner` until `span` after `now`. Says whether `owner` has it.
///
/// One that ends in a future that no right clock has written is taken as well: an instance whose machine began in the wrong year and
/// was ended since would keep everybody from the job until that year.
///
/// # Errors
/// If the database fails.
pub async fn acquire(
    connection: &mut Connection,
    name: &str,
    owner: CorrelationId,
    now: Timestamp,
    span: Duration,
) -> Result<bool> {
    let until = now.plus(span).micros();
    let taken = Statement::new(
        "UPDATE lease SET owner = ?, fence = fence + 1, leased_until = ? \
         WHERE name = ? AND (owner = ? OR leased_until <= ? OR leased_until > ?)",
    )
    .shown(owner)
    .bind(until)
    .bind(name)
    .shown(owner)
    .bind(now.micros())
    .bind(now.plus(span).plus(NEVER_SO_LATE).micros())
    .run(&mut *connection)
    .await?;
    if taken == 1 {
        return Ok(true);
    }
    let insert = Statement::new("INSERT INTO lease (name, owner, fence, leased_until) VALUES (?, ?, 1, ?)")
        .bind(name)
        .shown(owner)
        .bind(until)
        .run(&mut *connection)
        .await;
    inserted(insert)
}

/// What is to be thought of the time that a clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belief {
    /// It is right.
    Now,
    /// It may be far ahead, but it is at least this late: the clock of an earlier day that was not waited for said so, and this one
    /// agrees.
    AtLeast(Timestamp),
    /// It may be far ahead; it is believed from then on.
    From(Timestamp),
}

/// Whether the clock may be far ahead, so that it is better to wait with what cannot be undone: it shows more than a day after the
/// lease `name` was held last. Either nothing was done for so long, or a machine began in the wrong year; a day later, if nobody
/// has set it right, it is believed.
///
/// A service that never runs for a whole day would wait for ever. So where the clock was in doubt more than a week ago and never set
/// right since, the time that it showed then is taken, once.
///
/// The lease must not be taken while the clock is in doubt, and with [`Belief::AtLeast`] for that time only.
///
/// # Errors
/// If the database fails.
pub async fn belief(connection: &mut Connection, name: &str, owner: CorrelationId, now: Timestamp) -> Result<Belief> {
    let doubt = format!("{name} in doubt");
    let last = end_of(connection, name).await?;
    if last.is_none_or(|last| now <= last.plus(LEAP)) {
        // Set right, or never wrong: the next doubt is a new one.
        Statement::new("DELETE FROM lease WHERE name = ?").bind(&doubt).run(connection).await?;
        return Ok(Belief::Now);
    }
    match end_of(connection, &doubt).await? {
        Some(end) if end <= now && now <= end.plus(FORGOTTEN) => Ok(Belief::Now),
        Some(end) if now < end && end <= now.plus(NOTICED).plus(NEVER_SO_LATE) => Ok(Belief::From(end)),
        earlier => {
            let until = now.plus(NOTICED);
            if !acquire(connection, &doubt, owner, now, NOTICED).await? {
                return Ok(Belief::From(until));
            }
            Ok(earlier.filter(|end| *end <= now).map_or(Belief::From(until), |end| Belief::AtLeast(end.minus(NOTICED))))
        }
    }
}

/// Until when a lease is or was held.
async fn end_of(connection: &mut Connection, name: &str) -> Result<Option<Timestamp>> {
    let row = Statement::new("SELECT leased_until FROM lease WHERE name = ?").bind(name).first(connection).await?;
    row.map(|row| Row::of("lease", row).time("leased_until")).transpose()
}

/// Gives the lease back, if `owner` still has it.
///
/// # Errors
/// If the database fails.
pub async fn release(connection: &mut Connection, name: &str, owner: CorrelationId) -> Result<()> {
    Statement::new("UPDATE lease SET leased_until = 0 WHERE name = ? AND owner = ?")
        .bind(name)
        .shown(owner)
        .run(connection)
        .await?;
    Ok(())
}

/// Waits, at most a minute, until no other instance migrates. After a minute its holder counts as dead:
/// every migration can be run twice, so going on is safe.
pub(super) async fn wait_for_migration(connection: &mut Connection) -> Result<()> {
    const CLAIM: &str = "INSERT INTO lease (name, owner, fence, leased_until) VALUES ('migration', '', 1, 1)";
    for _ in 0..600 {
        if inserted(Statement::new(CLAIM).run(&mut *connection).await)? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tracing::warn!("another instance has been migrating for a minute; going on without it");
    Ok(())
}

/// Ends the claim of [`wait_for_migration`].
pub(super) async fn release_migration(connection: &mut Connection) -> Result<()> {
    Statement::new("DELETE FROM lease WHERE name = 'migration'").run(connection).await?;
    Ok(())
}
