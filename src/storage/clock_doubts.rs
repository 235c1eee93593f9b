//! What the last refused passcode of a login showed of the device's clock.

use super::row::Row;
use super::statement::{Question, Statement};
use super::{Connection, Engine, Result};
use crate::domain::ids::{LoginId, TenantId, TokenId};
use crate::domain::oath::doctor::Symptom;
use crate::domain::timestamp::Timestamp;

/// What the last refused passcode of a login showed, and of which token.
pub fn of(tenant: TenantId, login: LoginId) -> Question<Option<(TokenId, Symptom)>> {
    let statement = Statement::new(
        "SELECT login_id, token_id, position, ahead_seconds FROM clock_doubt WHERE tenant_id = ? AND login_id = ?",
    );
    Question::new(statement.shown(tenant).shown(login), |rows| {
        let Some(row) = rows.into_iter().next() else { return Ok(None) };
        let row = Row::of("clock_doubt", row);
        let symptom = Symptom { position: row.integer("position")?, ahead_seconds: row.integer("ahead_seconds")? };
        Ok((symptom.position >= 0).then_some((row.parsed("token_id")?, symptom)))
    })
}

/// Remembers what a refused passcode showed. Nothing takes as long to remember as something: nobody can tell by the time.
///
/// # Errors
/// If the database fails.
pub async fn remember(
    connection: &mut Connection,
    tenant: TenantId,
    login: LoginId,
    shown: Option<(TokenId, Symptom)>,
    now: Timestamp,
) -> Result<()> {
    let statement = match connection.engine() {
        Engine::Sqlite => {
            "INSERT INTO clock_doubt (tenant_id, login_id, token_id, position, ahead_seconds, at) \
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, login_id) DO UPDATE SET token_id = excluded.token_id, \
             position = excluded.position, ahead_seconds = excluded.ahead_seconds, at = excluded.at"
        }
        Engine::MySql => {
            "INSERT INTO clock_doubt (tenant_id, login_id, token_id, position, ahead_seconds, at) \
             VALUES (?, ?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE token_id = VALUES(token_id), \
             position = VALUES(position), ahead_seconds = VALUES(ahead_seconds), at = VALUES(at)"
        }
    };
    let nothing = (TokenId::from_bits(0), Symptom { position: -1, ahead_seconds: 0 });
    let (token, symptom) = shown.unwrap_or(nothing);
    Statement::new(statement)
        .shown(tenant)
        .shown(login)
        .shown(token)
        .bind(symptom.position)
        .bind(symptom.ahead_seconds)
        .bind(now.micros())
        .run(connection)
        .await?;
    Ok(())
}
