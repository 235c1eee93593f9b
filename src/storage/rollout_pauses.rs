//! Waves of the rollout that stand still.

use super::row::{Row, document};
use super::statement::{Question, Record, Statement};
use super::{Connection, Engine, Result, inserted};
use crate::domain::ids::{TenantId, WaveId};
use crate::domain::policy::staging::Pause;
use crate::domain::timestamp::Timestamp;

/// A pause with its reason.
#[derive(Debug, Clone)]
pub struct Written {
    /// The wave.
    pub wave: WaveId,
    /// The pause.
    pub pause: Pause,
    /// `by_hand`, `enrollments_failed` or `help_desk_needed`.
    pub reason: String,
    /// The numbers that pulled the brake, or who paused it.
    pub detail: serde_json::Value,
}

fn pause(row: Record) -> Result<Written> {
    let row = Row::of("rollout_pause", row);
    Ok(Written {
        wave: row.parsed("wave_id")?,
        pause: Pause { at: row.time("at")?, everybody: row.flag("everybody")? },
        reason: row.text("reason")?,
        detail: row.document("detail")?,
    })
}

/// The pause of a wave, if it stands still.
pub fn of(tenant: TenantId, wave: WaveId) -> Question<Option<Pause>> {
    let statement = Statement::new(
        "SELECT wave_id, at, reason, detail, everybody FROM rollout_pause WHERE tenant_id = ? AND wave_id = ?",
    );
    Question::new(statement.shown(tenant).shown(wave), |rows| {
        Ok(rows.into_iter().next().map(pause).transpose()?.map(|written| written.pause))
    })
}

/// All pauses of a virtual server.
pub fn all(tenant: TenantId) -> Question<Vec<Written>> {
    let statement =
        Statement::new("SELECT wave_id, at, reason, detail, everybody FROM rollout_pause WHERE tenant_id = ?");
    Question::new(statement.shown(tenant), |rows| rows.into_iter().map(pause).collect())
}

/// Pauses a wave. Says whether it went on before.
///
/// # Errors
/// If the database fails.
pub async fn insert(connection: &mut Connection, tenant: TenantId, written: &Written) -> Result<bool> {
    let insert = Statement::new(
        "INSERT INTO rollout_pause (tenant_id, wave_id, at, reason, detail, everybody) VALUES (?, ?, ?, ?, ?, ?)",
    );
    let insert = insert
        .shown(tenant)
        .shown(written.wave)
        .bind(written.pause.at.micros())
        .shown(&written.reason)
        .bind(document(&written.detail))
        .bind(i64::from(written.pause.everybody));
    inserted(insert.run(connection).await)
}

/// Changes whom a pause that is there lets in. Says whether that changed.
///
/// # Errors
/// If the database fails.
pub async fn set_everybody(
    connection: &mut Connection,
    tenant: TenantId,
    wave: WaveId,
    everybody: bool,
) -> Result<bool> {
    let changed =
        Statement::new("UPDATE rollout_pause SET everybody = ? WHERE tenant_id = ? AND wave_id = ? AND everybody <> ?");
    let everybody = i64::from(everybody);
    Ok(changed.bind(everybody).shown(tenant).shown(wave).bind(everybody).run(connection).await? == 1)
}

/// Lets a wave go on. Says whether it stood still.
///
/// # Errors
/// If the database fails.
pub async fn remove(connection: &mut Connection, tenant: TenantId, wave: WaveId, now: Timestamp) -> Result<bool> {
    let removed = Statement::new("DELETE FROM rollout_pause WHERE tenant_id = ? AND wave_id = ?");
    if removed.shown(tenant).shown(wave).run(&mut *connection).await? != 1 {
        return Ok(false);
    }
    let statement = match connection.engine() {
        Engine::Sqlite => {
            "INSERT INTO rollout_resumption (tenant_id, wave_id, at) VALUES (?, ?, ?) \
             ON CONFLICT (tenant_id, wave_id) DO UPDATE SET at = excluded.at"
        }
        Engine::MySql => {
            "INSERT INTO rollout_resumption (tenant_id, wave_id, at) VALUES (?, ?, ?) \
             ON DUPLICATE KEY UPDATE at = VALUES(at)"
        }
    };
    Statement::new(statement).shown(tenant).shown(wave).bind(now.micros()).run(connection).await?;
    Ok(true)
}

/// When a wave was last resumed.
pub fn resumed_at(tenant: TenantId, wave: WaveId) -> Question<Option<Timestamp>> {
    let statement = Statement::new("SELECT wave_id, at FROM rollout_resumption WHERE tenant_id = ? AND wave_id = ?");
    Question::new(statement.shown(tenant).shown(wave), |rows| {
        rows.into_iter().next().map(|row| Row::of("rollout_resumption", row).time("at")).transpose()
    })
}
