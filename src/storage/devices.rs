//! Devices without a browser that wait for a person to let them in (RFC 8628).

use super::row::Row;
use super::statement::{Question, Record, Statement};
use super::{Connection, Result};
use crate::domain::ids::{ApplicationId, GrantId, TenantId};
use crate::domain::timestamp::Timestamp;

/// What a person has said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing yet.
    Waiting,
    /// Yes.
    Allowed,
    /// No.
    Denied,
}

impl State {
    const fn id(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }

    fn named(text: &str) -> Option<Self> {
        [Self::Waiting, Self::Allowed, Self::Denied].into_iter().find(|state| state.id() == text)
    }
}

/// A device.
#[derive(Debug, Clone)]
pub struct Device {
    /// The keyed hash of its secret code.
    pub device_hash: String,
    /// The application that runs on it.
    pub application: ApplicationId,
    /// The grant that a person's yes makes.
    pub grant: GrantId,
    /// What was asked for: the door's own.
    pub request: String,
    /// What was said.
    pub state: State,
    /// Where it asked from.
    pub address: String,
    /// How long it must wait between two questions, in seconds.
    pub interval_seconds: i64,
    /// When it asked last.
    pub polled_at: Timestamp,
    /// When it began.
    pub created_at: Timestamp,
    /// Until when a person may come.
    pub expires_at: Timestamp,
}

fn device(row: Record) -> Result<Device> {
    let row = Row::of("oidc_device", row);
    Ok(Device {
        device_hash: row.text("device_hash")?,
        application: row.parsed("application_id")?,
        grant: row.parsed("grant_id")?,
        request: row.text("request")?,
        state: row.named("state", State::named)?,
        address: row.text("address")?,
        interval_seconds: row.integer("interval_seconds")?,
        polled_at: row.time("polled_at")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
    })
}

fn first(rows: Vec<Record>) -> Result<Option<Device>> {
    rows.into_iter().next().map(device).transpose()
}

/// The statement that keeps a new device under the keyed hash of what the person types. Fails with a duplicate if
/// another device has the same.
pub fn insertion(tenant: TenantId, user_hash: &str, device: &Device) -> Statement {
    Statement::new(
        "INSERT INTO oidc_device (tenant_id, device_hash, user_hash, application_id, grant_id, request, state, address, \
         interval_seconds, polled_at, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(&device.device_hash)
    .shown(user_hash)
    .shown(device.application)
    .shown(device.grant)
    .shown(&device.request)
    .shown(device.state.id())
    .shown(&device.address)
    .bind(device.interval_seconds)
    .bind(device.polled_at.micros())
    .bind(device.created_at.micros())
    .bind(device.expires_at.micros())
}

/// The device whose code a person types.
pub fn with_user_code(tenant: TenantId, user_hash: &str) -> Question<Option<Device>> {
    let statement = Statement::new(
        "SELECT device_hash, application_id, grant_id, request, state, address, interval_seconds, polled_at, created_at, \
         expires_at FROM oidc_device WHERE tenant_id = ? AND user_hash = ?",
    );
    Question::new(statement.shown(tenant).shown(user_hash), first)
}

/// The device with this secret code.
pub fn with_device_code(tenant: TenantId, device_hash: &str) -> Question<Option<Device>> {
    let statement = Statement::new(
        "SELECT device_hash, application_id, grant_id, request, state, address, interval_seconds, polled_at, created_at, \
         expires_at FROM oidc_device WHERE tenant_id = ? AND device_hash = ?",
    );
    Question::new(statement.shown(tenant).shown(device_hash), first)
}

/// Writes down what the person said, once. Says `false` if somebody said something before, or the time is over.
pub async fn decide(
    connection: &mut Connection,
    tenant: TenantId,
    device_hash: &str,
    state: State,
    now: Timestamp,
) -> Result<bool> {
    let decided = Statement::new(
        "UPDATE oidc_device SET state = ? WHERE tenant_id = ? AND device_hash = ? AND state = 'waiting' \
         AND expires_at > ?",
    );
    let decided = decided.shown(state.id()).shown(tenant).shown(device_hash).bind(now.micros());
    Ok(decided.run(connection).await? == 1)
}

/// The statement that remembers a question of the device, and how long it must wait for the next.
pub fn polled(tenant: TenantId, device_hash: &str, interval_seconds: i64, now: Timestamp) -> Statement {
    Statement::new("UPDATE oidc_device SET polled_at = ?, interval_seconds = ? WHERE tenant_id = ? AND device_hash = ?")
        .bind(now.micros())
        .bind(interval_seconds)
        .shown(tenant)
        .shown(device_hash)
}
