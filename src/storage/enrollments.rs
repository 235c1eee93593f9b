//! Pending enrollments.

use super::row::{Row, document};
use super::statement::{Question, Record, Statement};
use super::{Connection, Result};
use crate::domain::authenticator::template::TokenTemplate;
use crate::domain::enrollment::{Enrollment, Reached, State};
use crate::domain::ids::{ApplicationId, CorrelationId, EnrollmentId, LoginId, ReservationId, TenantId, UserId};
use crate::domain::policy::platform::Platform;
use crate::domain::timestamp::Timestamp;

/// What an enrollment holds once a device has confirmed, or a standard app's secret is waiting.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The template, frozen.
    pub template: TokenTemplate,
    /// The serial number that the token will have.
    pub serial: String,
    /// The OTP secret, sealed for the row in table `enrollment`.
    pub secret_sealed: Vec<u8>,
    /// What the device told about itself.
    pub device: serde_json::Value,
    /// The device's public key, where it speaks our protocol.
    pub device_key: Option<Vec<u8>>,
}

fn enrollment(row: Record) -> Result<Enrollment> {
    let row = Row::of("enrollment", row);
    Ok(Enrollment {
        id: row.parsed("id")?,
        tenant: row.parsed("tenant_id")?,
        login: row.parsed("login_id")?,
        reservation: row.parsed_or_none("reservation_id")?,
        user: row.parsed("user_id")?,
        state: row.named("state", State::named)?,
        platform: row.parsed_or_none("platform")?,
        installed: row.flag("installed")?,
        activated: row.flag("activated")?,
        beside: row.flag("beside")?,
        replaces: row.parsed_or_none("replaces")?,
        created_at: row.time("created_at")?,
    })
}

/// Stores a new enrollment.
pub async fn insert(connection: &mut Connection, enrollment: &Enrollment) -> Result<()> {
    Statement::new(
        "INSERT INTO enrollment (tenant_id, id, login_id, reservation_id, user_id, state, platform, installed, activated, \
         beside, replaces, created_at, updated_at) VALUES (?, ?, ?, ?, ?, 'open', ?, 0, 0, ?, ?, ?, ?)",
    )
    .shown(enrollment.tenant)
    .shown(enrollment.id)
    .shown(enrollment.login)
    .bind(enrollment.reservation.map(|id| id.to_string()))
    .shown(enrollment.user)
    .bind(enrollment.platform.map(Platform::id))
    .bind(i64::from(enrollment.beside))
    .bind(enrollment.replaces)
    .bind(enrollment.created_at.micros())
    .bind(enrollment.created_at.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// The open enrollment of a login.
pub fn open_of(tenant: TenantId, login: LoginId) -> Question<Option<Enrollment>> {
    let statement = Statement::new(
        "SELECT id, tenant_id, login_id, reservation_id, user_id, state, platform, installed, activated, beside, replaces, created_at \
         FROM enrollment WHERE tenant_id = ? AND login_id = ? AND state = 'open'",
    );
    Question::new(statement.shown(tenant).shown(login), |rows| rows.into_iter().next().map(enrollment).transpose())
}

/// The enrollment with this identifier.
pub async fn with_id(connection: &mut Connection, tenant: TenantId, id: EnrollmentId) -> Result<Option<Enrollment>> {
    let row = Statement::new(
        "SELECT id, tenant_id, login_id, reservation_id, user_id, state, platform, installed, activated, beside, replaces, created_at \
         FROM enrollment WHERE tenant_id = ? AND id = ?",
    )
    .shown(tenant)
    .shown(id)
    .first(connection)
    .await?;
    row.map(enrollment).transpose()
}

/// Chooses, changes or clears the platform of an open enrollment; what was activated before is forgotten.
pub async fn choose(
    connection: &mut Connection,
    tenant: TenantId,
    id: EnrollmentId,
    platform: Option<Platform>,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE enrollment SET platform = ?, installed = 0, activated = 0, template = NULL, serial = NULL, \
         secret_sealed = NULL, device = NULL, device_key = NULL, \
         reached = CASE WHEN COALESCE(reached, 0) < ? THEN ? ELSE reached END, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND state = 'open'",
    )
    .bind(platform.map(Platform::id))
    .bind(if platform.is_some() { Reached::Platform.number() } else { 0 })
    .bind(Reached::Platform.number())
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Where an enrollment came from, for its history.
#[derive(Debug, Clone)]
pub struct Begun {
    /// `self_provisioning`, `email_link` or `portal`.
    pub method: &'static str,
    /// The address that began it; empty where nobody has opened the mail yet.
    pub address: String,
    /// What the person was on the way to.
    pub application: Option<ApplicationId>,
    /// The login.
    pub correlation: Option<CorrelationId>,
}

/// Writes down where an enrollment came from.
///
/// # Errors
/// If the database fails.
pub async fn began(connection: &mut Connection, tenant: TenantId, id: EnrollmentId, begun: &Begun) -> Result<()> {
    Statement::new(
        "UPDATE enrollment SET method = ?, address = ?, application_id = ?, correlation_id = ? \
         WHERE tenant_id = ? AND id = ?",
    )
    .bind(begun.method)
    .bind(&begun.address)
    .bind(begun.application)
    .bind(begun.correlation)
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(())
}

/// The mailbox was proven.
pub fn proven(tenant: TenantId, id: EnrollmentId) -> Statement {
    Statement::new(
        "UPDATE enrollment SET reached = ?, reason = NULL WHERE tenant_id = ? AND id = ? AND COALESCE(reached, 0) < ?",
    )
    .bind(Reached::Mailbox.number())
    .shown(tenant)
    .shown(id)
    .bind(Reached::Mailbox.number())
}

/// Something went wrong that may be tried again: the history tells what went wrong last.
pub fn stumbled(tenant: TenantId, id: EnrollmentId, reason: &'static str) -> Statement {
    Statement::new("UPDATE enrollment SET reason = ? WHERE tenant_id = ? AND id = ? AND state = 'open'")
        .bind(reason)
        .shown(tenant)
        .shown(id)
}

/// Remembers that the app is installed.
pub async fn installed(
    connection: &mut Connection,
    tenant: TenantId,
    id: EnrollmentId,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE enrollment SET installed = 1, reached = CASE WHEN COALESCE(reached, 0) < ? THEN ? ELSE reached END, \
         updated_at = ? WHERE tenant_id = ? AND id = ? AND state = 'open'",
    )
    .bind(Reached::Installed.number())
    .bind(Reached::Installed.number())
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Stores what a confirmed device (`activated`) or a standard app's secret (not yet) has brought.
pub async fn set_ready(
    connection: &mut Connection,
    tenant: TenantId,
    id: EnrollmentId,
    ready: &Ready,
    activated: bool,
    now: Timestamp,
) -> Result<bool> {
    let reached = if activated { Reached::Activated } else { Reached::Secret };
    let done = Statement::new(
        "UPDATE enrollment SET template = ?, serial = ?, secret_sealed = ?, device = ?, device_key = ?, activated = ?, \
         reached = CASE WHEN COALESCE(reached, 0) < ? THEN ? ELSE reached END, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND state = 'open' AND activated = 0",
    )
    .bind(document(&ready.template))
    .bind(&ready.serial)
    .bind(ready.secret_sealed.clone())
    .bind(document(&ready.device))
    .bind(ready.device_key.clone())
    .bind(i64::from(activated))
    .bind(reached.number())
    .bind(reached.number())
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// What an open enrollment holds, if a secret is there yet.
pub async fn ready(connection: &mut Connection, tenant: TenantId, id: EnrollmentId) -> Result<Option<Ready>> {
    let row = Statement::new(
        "SELECT id, template, serial, secret_sealed, device, device_key FROM enrollment \
         WHERE tenant_id = ? AND id = ? AND state = 'open' AND secret_sealed IS NOT NULL",
    )
    .shown(tenant)
    .shown(id)
    .first(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let row = Row::of("enrollment", row);
    Ok(Some(Ready {
        template: row.document("template")?,
        serial: row.text("serial")?,
        secret_sealed: row.bytes("secret_sealed")?,
        device: row.document("device")?,
        device_key: row.bytes_or_none("device_key")?,
    }))
}

/// Completes an open enrollment, once, and erases its copy of the secret.
pub async fn complete(connection: &mut Connection, tenant: TenantId, id: EnrollmentId, now: Timestamp) -> Result<bool> {
    let done = Statement::new(
        "UPDATE enrollment SET state = 'completed', secret_sealed = NULL, reached = ?, ended_at = ?, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND state = 'open'",
    )
    .bind(Reached::Completed.number())
    .bind(now.micros())
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Cancels the open enrollment of a login: because of `reason`, or of what went wrong last.
pub async fn cancel_of(
    connection: &mut Connection,
    tenant: TenantId,
    login: LoginId,
    reason: Option<&'static str>,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE enrollment SET state = 'cancelled', secret_sealed = NULL, reason = COALESCE(?, reason), ended_at = ?, updated_at = ? \
         WHERE tenant_id = ? AND login_id = ? AND state = 'open'",
    )
    .bind(reason)
    .bind(now.micros())
    .bind(now.micros())
    .shown(tenant)
    .shown(login)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Cancels every open enrollment of a person but `keep`: completing one ends the others.
pub async fn cancel_others_of(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    keep: EnrollmentId,
    now: Timestamp,
) -> Result<u64> {
    let done = Statement::new(
        "UPDATE enrollment SET state = 'cancelled', secret_sealed = NULL, reason = COALESCE(?, reason), ended_at = ?, updated_at = ? \
         WHERE tenant_id = ? AND user_id = ? AND id <> ? AND state = 'open'",
    )
    .bind("superseded")
    .bind(now.micros())
    .bind(now.micros())
    .shown(tenant)
    .shown(user)
    .shown(keep)
    .run(connection)
    .await?;
    Ok(done)
}

/// Cancels every open enrollment of a person but `keep` that was begun in a login, and the others of the same place in a
/// task: whoever has enrolled by mail needs none of them any more.
pub async fn cancel_besides(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    (keep, reservation): (EnrollmentId, ReservationId),
    now: Timestamp,
) -> Result<u64> {
    Statement::new(
        "UPDATE enrollment SET state = 'cancelled', secret_sealed = NULL, reason = COALESCE(?, reason), ended_at = ?, updated_at = ? WHERE tenant_id = ? \
         AND user_id = ? AND id <> ? AND state = 'open' AND (reservation_id IS NULL OR reservation_id = ?)",
    )
    .bind("superseded")
    .bind(now.micros())
    .bind(now.micros())
    .shown(tenant)
    .shown(user)
    .shown(keep)
    .shown(reservation)
    .run(connection)
    .await
}

/// Cancels every open enrollment of a place in a task, in browsers and in mails.
pub async fn cancel_of_reservation(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    reservation: ReservationId,
    now: Timestamp,
) -> Result<u64> {
    Statement::new(
        "UPDATE enrollment SET state = 'cancelled', secret_sealed = NULL, reason = COALESCE(?, reason), ended_at = ?, updated_at = ? \
         WHERE tenant_id = ? AND user_id = ? AND reservation_id = ? AND state = 'open'",
    )
    .bind("reservation_closed")
    .bind(now.micros())
    .bind(now.micros())
    .shown(tenant)
    .shown(user)
    .shown(reservation)
    .run(connection)
    .await
}

/// Cancels every open enrollment of a person.
pub async fn cancel_all_of(connection: &mut Connection, tenant: TenantId, user: UserId, now: Timestamp) -> Result<u64> {
    Statement::new(
        "UPDATE enrollment SET state = 'cancelled', secret_sealed = NULL, reason = COALESCE(?, reason), ended_at = ?, updated_at = ? \
         WHERE tenant_id = ? AND user_id = ? AND state = 'open'",
    )
    .bind("account_removed")
    .bind(now.micros())
    .bind(now.micros())
    .shown(tenant)
    .shown(user)
    .run(connection)
    .await
}
