//! Who was asked in the rollout, and the places of each day.

use super::parts::Part;
use super::row::Row;
use super::statement::{Question, Statement};
use super::{Connection, Result, inserted};
use crate::domain::ids::{TenantId, UserId, WaveId};
use crate::domain::policy::staging::Place;
use crate::domain::timestamp::Timestamp;

/// A day's places are counted in this many rows, so that many logins at once do not wait for one.
pub const PARTS: i64 = 16;

/// The place of a person, if the person was ever asked.
pub fn of(tenant: TenantId, user: UserId) -> Question<Option<Place>> {
    let statement = Statement::new(
        "SELECT user_id, asked_at, begun_at, postponed, postponed_until FROM rollout_place \
         WHERE tenant_id = ? AND user_id = ?",
    );
    Question::new(statement.shown(tenant).shown(user), |rows| {
        let Some(row) = rows.into_iter().next() else { return Ok(None) };
        let row = Row::of("rollout_place", row);
        Ok(Some(Place {
            asked_at: row.time("asked_at")?,
            begun: row.time_or_none("begun_at")?.is_some(),
            postponed: u32::try_from(row.integer("postponed")?).unwrap_or(u32::MAX),
            postponed_until: row.time_or_none("postponed_until")?,
        }))
    })
}

/// How many places of a day are taken, by part.
pub fn taken(tenant: TenantId, wave: WaveId, day: i64) -> Question<Vec<(i64, i64)>> {
    let statement =
        Statement::new("SELECT part, taken FROM rollout_quota WHERE tenant_id = ? AND wave_id = ? AND day = ?");
    Question::new(statement.shown(tenant).shown(wave).bind(day), |rows| {
        let read = |row| {
            let row = Row::of("rollout_quota", row);
            Ok((row.integer("part")?, row.integer("taken")?))
        };
        rows.into_iter().map(read).collect()
    })
}

/// How many of `most` places a part has.
const fn room(most: i64, part: i64) -> i64 {
    most / PARTS + if part < most % PARTS { 1 } else { 0 }
}

/// Takes one of the `most` places of a day. Exact, whoever else takes one at the same moment: each part is counted up by
/// a condition. Says whether there was one left.
///
/// # Errors
/// If the database fails.
pub async fn take(
    connection: &mut Connection,
    tenant: TenantId,
    (wave, day): (WaveId, i64),
    user: UserId,
    most: u32,
) -> Result<bool> {
    let most = i64::from(most);
    let known = taken(tenant, wave, day).ask(connection).await?;
    // The cap may have been lowered since the morning.
    if known.iter().map(|(_, taken)| taken).sum::<i64>() >= most {
        return Ok(false);
    }
    let first = i64::from(user.to_bytes()[15]) % PARTS;
    for part in (first..PARTS).chain(0..first) {
        let room = room(most, part);
        let taken = known.iter().find(|(known, _)| *known == part).map(|(_, taken)| *taken);
        if room <= taken.unwrap_or(0) {
            continue;
        }
        if taken.is_none() && begun(connection, tenant, wave, day, part).await? {
            return Ok(true);
        }
        let counted = Statement::new(
            "UPDATE rollout_quota SET taken = taken + 1 \
             WHERE tenant_id = ? AND wave_id = ? AND day = ? AND part = ? AND taken < ?",
        );
        let counted = counted.shown(tenant).shown(wave).bind(day).bind(part).bind(room).run(&mut *connection).await?;
        if counted == 1 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes the first place of a part, unless somebody else just did.
async fn begun(connection: &mut Connection, tenant: TenantId, wave: WaveId, day: i64, part: i64) -> Result<bool> {
    let insert =
        Statement::new("INSERT INTO rollout_quota (tenant_id, wave_id, day, part, taken) VALUES (?, ?, ?, ?, 1)");
    inserted(insert.shown(tenant).shown(wave).bind(day).bind(part).run(connection).await)
}

/// The statement that gives a person a place.
pub fn insertion(tenant: TenantId, user: UserId, wave: WaveId, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO rollout_place (tenant_id, user_id, wave_id, asked_at, postponed) VALUES (?, ?, ?, ?, 0)",
    )
    .shown(tenant)
    .shown(user)
    .shown(wave)
    .bind(now.micros())
}

/// The statement that remembers that a person has begun to enroll.
pub fn begins(tenant: TenantId, user: UserId, now: Timestamp) -> Statement {
    Statement::new("UPDATE rollout_place SET begun_at = ? WHERE tenant_id = ? AND user_id = ? AND begun_at IS NULL")
        .bind(now.micros())
        .shown(tenant)
        .shown(user)
}

/// Puts it off until `until`, once for each number: `seen` is how often it was put off when that was allowed. Says
/// whether it was.
///
/// # Errors
/// If the database fails.
pub async fn postpone(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    seen: u32,
    (now, until): (Timestamp, Timestamp),
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE rollout_place SET postponed = postponed + 1, postponed_until = ? WHERE tenant_id = ? AND user_id = ? \
         AND postponed = ? AND (postponed_until IS NULL OR postponed_until <= ?)",
    )
    .bind(until.micros())
    .shown(tenant)
    .shown(user)
    .bind(i64::from(seen))
    .bind(now.micros())
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// The statement that remembers that the help desk had to help somebody who was asked.
pub fn helped(tenant: TenantId, user: UserId, now: Timestamp) -> Statement {
    Statement::new("UPDATE rollout_place SET helped_at = ? WHERE tenant_id = ? AND user_id = ?")
        .bind(now.micros())
        .shown(tenant)
        .shown(user)
}

/// How many people of a part were asked first by each wave.
pub fn asked(tenant: TenantId, part: &Part) -> Question<Vec<(WaveId, i64)>> {
    let statement = Statement::new(
        "SELECT wave_id, COUNT(*) AS people FROM rollout_place WHERE tenant_id = ? AND user_id > ? AND user_id <= ? \
         GROUP BY wave_id",
    );
    Question::new(statement.shown(tenant).with(part.bounds().into()), |rows| {
        let read = |row| {
            let row = Row::of("rollout_place", row);
            Ok((row.parsed("wave_id")?, row.integer("people")?))
        };
        rows.into_iter().map(read).collect()
    })
}

/// The statement that forgets a person's place, with the account.
pub fn forgotten(tenant: TenantId, user: UserId) -> Statement {
    Statement::new("DELETE FROM rollout_place WHERE tenant_id = ? AND user_id = ?").shown(tenant).shown(user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_day_are_the_day() {
        for most in [0, 1, 5, 16, 17, 500, 9_999_999] {
            assert_eq!((0..PARTS).map(|part| room(most, part)).sum::<i64>(), most);
        }
    }
}
