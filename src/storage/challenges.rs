//! Challenges that were shown, one open at a time for a login or a session.

use super::row::Row;
use super::statement::{Question, Statement};
use super::{Connection, Engine, Result};
use crate::domain::ids::{Id, TenantId};
use crate::domain::timestamp::Timestamp;

/// A challenge that was shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Eight decimal digits.
    pub digits: String,
    /// How often the person asked for another one in this login or session.
    pub asked: i64,
    /// Whether a response to it was accepted.
    pub used: bool,
    /// Until when it can be answered.
    pub expires_at: Timestamp,
}

/// The challenge of a login or a session, whatever its state.
pub fn of<Of>(tenant: TenantId, owner: Id<Of>) -> Question<Option<Challenge>> {
    let statement = Statement::new(
        "SELECT owner_id, challenge, asked, used, expires_at FROM ocra_challenge WHERE tenant_id = ? AND owner_id = ?",
    );
    Question::new(statement.shown(tenant).shown(owner), |rows| {
        let row = rows.into_iter().next().map(|row| Row::of("ocra_challenge", row));
        let challenge = |row: Row| {
            Ok(Challenge {
                digits: row.text("challenge")?,
                asked: row.integer("asked")?,
                used: row.flag("used")?,
                expires_at: row.time("expires_at")?,
            })
        };
        row.map(challenge).transpose()
    })
}

/// Shows another challenge; the one before it is void.
///
/// # Errors
/// If the database fails.
pub async fn replace<Of>(
    connection: &mut Connection,
    tenant: TenantId,
    owner: Id<Of>,
    challenge: &Challenge,
) -> Result<()> {
    let statement = match connection.engine() {
        Engine::Sqlite => {
            "INSERT INTO ocra_challenge (tenant_id, owner_id, challenge, asked, used, expires_at) \
             VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT (tenant_id, owner_id) DO UPDATE SET challenge = excluded.challenge, \
             asked = excluded.asked, used = 0, expires_at = excluded.expires_at"
        }
        Engine::MySql => {
            "INSERT INTO ocra_challenge (tenant_id, owner_id, challenge, asked, used, expires_at) \
             VALUES (?, ?, ?, ?, 0, ?) ON DUPLICATE KEY UPDATE challenge = VALUES(challenge), asked = VALUES(asked), \
             used = 0, expires_at = VALUES(expires_at)"
        }
    };
    Statement::new(statement)
        .shown(tenant)
        .shown(owner)
        .bind(&challenge.digits)
        .bind(challenge.asked)
        .bind(challenge.expires_at.micros())
        .run(connection)
        .await?;
    Ok(())
}

/// Takes a challenge for the one response that is accepted. Says `false` if it is another one by now, was used or is too
/// old.
///
/// # Errors
/// If the database fails.
pub async fn take<Of>(
    connection: &mut Connection,
    tenant: TenantId,
    owner: Id<Of>,
    digits: &str,
    now: Timestamp,
) -> Result<bool> {
    let statement = Statement::new(
        "UPDATE ocra_challenge SET used = 1 WHERE tenant_id = ? AND owner_id = ? AND challenge = ? AND used = 0 \
         AND expires_at > ?",
    );
    let taken = statement.shown(tenant).shown(owner).bind(digits).bind(now.micros()).run(connection).await?;
    Ok(taken == 1)
}
