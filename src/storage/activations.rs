//! Activations: what the login page shows and a device redeems, once.

use super::row::{Row, document};
use super::statement::{Record, Statement};
use super::{Connection, Result};
use crate::domain::ids::{ActivationId, EnrollmentId, LoginId, ReservationId, TenantId, UserId};
use crate::domain::policy::platform::Platform;
use crate::domain::timestamp::Timestamp;

/// The life cycle of an activation (part B3; expiry is a time, not a state).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Shown to the person's browser.
    Issued,
    /// A device has presented the secret and its key.
    Claimed,
    /// The device has confirmed.
    Completed,
    /// Replaced, cancelled, or its enrollment is over.
    Void,
    /// Too many failed presentations.
    Locked,
}

impl State {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Issued, "issued"),
        (Self::Claimed, "claimed"),
        (Self::Completed, "completed"),
        (Self::Void, "void"),
        (Self::Locked, "locked"),
    ];

    fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name)| *name == text).map(|(state, _)| state)
    }
}

/// An activation.
#[derive(Debug, Clone)]
pub struct Activation {
    /// The activation id of the protocol.
    pub id: ActivationId,
    /// The enrollment that it is for.
    pub enrollment: EnrollmentId,
    /// The login that shows it.
    pub login: LoginId,
    /// The person.
    pub user: UserId,
    /// The platform it was issued for; no other may redeem it (AC-17). One whose string stands in a mail is for any that
    /// is allowed: nobody was asked.
    pub platform: Option<Platform>,
    /// Where it is in its life.
    pub state: State,
    /// The activation secret, sealed for this row in table `activation`, column `secret_sealed`.
    pub secret_sealed: Vec<u8>,
    /// Failed presentations.
    pub tries: i64,
    /// The public key of the device that claimed it.
    pub device_key: Option<Vec<u8>>,
    /// What the server needs to give the same answer again (K13), sealed for column `handshake_sealed`.
    pub handshake_sealed: Option<Vec<u8>>,
    /// What the device told about itself.
    pub device: Option<serde_json::Value>,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When a device claimed it.
    pub claimed_at: Option<Timestamp>,
    /// When it stops being valid.
    pub expires_at: Timestamp,
}

/// What stands in the column of an activation for any platform.
const ANY: &str = "any";

fn activation(row: Record) -> Result<Activation> {
    let row = Row::of("activation", row);
    Ok(Activation {
        id: row.parsed("id")?,
        enrollment: row.parsed("enrollment_id")?,
        login: row.parsed("login_id")?,
        user: row.parsed("user_id")?,
        platform: match row.text("platform")?.as_str() {
            ANY => None,
            _ => Some(row.parsed("platform")?),
        },
        state: row.named("state", State::named)?,
        secret_sealed: row.bytes("secret_sealed")?,
        tries: row.integer("tries")?,
        device_key: row.bytes_or_none("device_key")?,
        handshake_sealed: row.bytes_or_none("handshake_sealed")?,
        device: row.document_or_none("device")?,
        created_at: row.time("created_at")?,
        claimed_at: row.time_or_none("claimed_at")?,
        expires_at: row.time("expires_at")?,
    })
}

/// Stores a new activation and voids the earlier ones of the enrollment (AC-18).
pub async fn issue(connection: &mut Connection, tenant: TenantId, activation: &Activation) -> Result<()> {
    void_of(connection, tenant, activation.enrollment).await?;
    Statement::new(
        "INSERT INTO activation (tenant_id, id, enrollment_id, login_id, user_id, platform, state, secret_sealed, tries, \
         created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, 'issued', ?, 0, ?, ?)",
    )
    .shown(tenant)
    .shown(activation.id)
    .shown(activation.enrollment)
    .shown(activation.login)
    .shown(activation.user)
    .bind(activation.platform.map_or(ANY, Platform::id))
    .bind(activation.secret_sealed.clone())
    .bind(activation.created_at.micros())
    .bind(activation.expires_at.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// The activation with this identifier.
pub async fn with_id(connection: &mut Connection, tenant: TenantId, id: ActivationId) -> Result<Option<Activation>> {
    let row = Statement::new(
        "SELECT id, enrollment_id, login_id, user_id, platform, state, secret_sealed, tries, device_key, handshake_sealed, \
         device, created_at, claimed_at, expires_at FROM activation WHERE tenant_id = ? AND id = ?",
    )
    .shown(tenant)
    .shown(id)
    .first(connection)
    .await?;
    row.map(activation).transpose()
}

/// The newest activation of an enrollment: the one that a device can still use, if there is one. Clocks of instances
/// differ, so that one that was replaced can look younger.
pub async fn newest_of(
    connection: &mut Connection,
    tenant: TenantId,
    enrollment: EnrollmentId,
) -> Result<Option<Activation>> {
    let row = Statement::new(
        "SELECT id, enrollment_id, login_id, user_id, platform, state, secret_sealed, tries, device_key, handshake_sealed, \
         device, created_at, claimed_at, expires_at FROM activation WHERE tenant_id = ? AND enrollment_id = ? \
         ORDER BY CASE WHEN state IN ('issued', 'claimed') THEN 0 ELSE 1 END, created_at DESC LIMIT 1",
    )
    .shown(tenant)
    .shown(enrollment)
    .first(connection)
    .await?;
    row.map(activation).transpose()
}

/// Activations of a person since a point in time, for the limits of part B3.
pub async fn issued_since(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    since: Timestamp,
) -> Result<i64> {
    let row = Statement::new(
        "SELECT COUNT(*) AS issued FROM activation WHERE tenant_id = ? AND user_id = ? AND created_at > ?",
    )
    .shown(tenant)
    .shown(user)
    .bind(since.micros())
    .only(connection)
    .await?;
    Row::of("activation", row).integer("issued")
}

/// Claims an issued activation for a device, once (AC-15). Says `false` if another was faster.
#[expect(clippy::too_many_arguments, reason = "each is one column of the one statement that makes a claim single-use")]
pub async fn claim(
    connection: &mut Connection,
    tenant: TenantId,
    id: ActivationId,
    device_key: &[u8],
    handshake_sealed: &[u8],
    device: &serde_json::Value,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE activation SET state = 'claimed', device_key = ?, handshake_sealed = ?, device = ?, claimed_at = ?, \
         expires_at = ? WHERE tenant_id = ? AND id = ? AND state = 'issued' AND expires_at > ?",
    )
    .bind(device_key.to_vec())
    .bind(handshake_sealed.to_vec())
    .bind(document(device))
    .bind(now.micros())
    .bind(expires_at.micros())
    .shown(tenant)
    .shown(id)
    .bind(now.micros())
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// The statement that notes why a device was refused, for the page that waits for it. The next device may be a better one.
pub fn refusal_noted(tenant: TenantId, id: ActivationId, why: &str) -> Statement {
    Statement::new("UPDATE activation SET device = ? WHERE tenant_id = ? AND id = ? AND state = 'issued'")
        .bind(serde_json::json!({ "refused": why }).to_string())
        .shown(tenant)
        .shown(id)
}

impl Activation {
    /// Why the last device that came was refused, see [`refusal_noted`]; `None` once one was taken.
    #[must_use]
    pub fn refused(&self) -> Option<&str> {
        self.device.as_ref()?.get("refused")?.as_str()
    }
}

/// Lets the device that claimed an activation claim it anew: what it was told counts no more. Only that device may; its key
/// stays. Says `false` if it is not claimed any more.
pub async fn reopen(connection: &mut Connection, tenant: TenantId, id: ActivationId) -> Result<bool> {
    let done = Statement::new(
        "UPDATE activation SET state = 'issued', handshake_sealed = NULL, claimed_at = NULL \
         WHERE tenant_id = ? AND id = ? AND state = 'claimed'",
    )
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Completes a claimed activation, once. `handshake_sealed` is what is kept from now on: enough to give the same answer again
/// (K13), without the OTP secret, which must not outlive its token there.
pub async fn complete(
    connection: &mut Connection,
    tenant: TenantId,
    id: ActivationId,
    handshake_sealed: &[u8],
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE activation SET state = 'completed', handshake_sealed = ? WHERE tenant_id = ? AND id = ? \
         AND state = 'claimed' AND expires_at > ?",
    )
    .bind(handshake_sealed.to_vec())
    .shown(tenant)
    .shown(id)
    .bind(now.micros())
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Keeps less of the handshake of a completed activation.
pub async fn keep(connection: &mut Connection, tenant: TenantId, id: ActivationId, sealed: &[u8]) -> Result<()> {
    Statement::new("UPDATE activation SET handshake_sealed = ? WHERE tenant_id = ? AND id = ? AND state = 'completed'")
        .bind(sealed.to_vec())
        .shown(tenant)
        .shown(id)
        .run(connection)
        .await?;
    Ok(())
}

/// Counts a failed presentation; at `most` the activation locks and forgets what was agreed with a device. Says whether it
/// is locked now.
pub async fn fail(connection: &mut Connection, tenant: TenantId, id: ActivationId, most: i64) -> Result<bool> {
    // MySQL assigns from left to right: the state is decided on the count before this failure.
    Statement::new(
        "UPDATE activation SET handshake_sealed = CASE WHEN tries + 1 >= ? THEN NULL ELSE handshake_sealed END, \
         state = CASE WHEN tries + 1 >= ? THEN 'locked' ELSE state END, tries = tries + 1 \
         WHERE tenant_id = ? AND id = ? AND state IN ('issued', 'claimed')",
    )
    .bind(most)
    .bind(most)
    .shown(tenant)
    .shown(id)
    .run(&mut *connection)
    .await?;
    Ok(with_id(connection, tenant, id).await?.is_some_and(|activation| activation.state == State::Locked))
}

/// Voids every activation of an enrollment that is not completed, and forgets what was agreed with a device.
pub async fn void_of(connection: &mut Connection, tenant: TenantId, enrollment: EnrollmentId) -> Result<()> {
    Statement::new(
        "UPDATE activation SET state = 'void', handshake_sealed = NULL WHERE tenant_id = ? AND enrollment_id = ? \
         AND state IN ('issued', 'claimed')",
    )
    .shown(tenant)
    .shown(enrollment)
    .run(connection)
    .await?;
    Ok(())
}

/// Moves the end of an activation whose string stands in a mail, with the stop date.
pub async fn set_end_in_mail(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    reservation: ReservationId,
    expires_at: Timestamp,
) -> Result<u64> {
    Statement::new(
        "UPDATE activation SET expires_at = ? WHERE tenant_id = ? AND user_id = ? AND login_id = ? AND state = 'issued'",
    )
    .bind(expires_at.micros())
    .shown(tenant)
    .shown(user)
    .shown(reservation)
    .run(connection)
    .await
}

/// Voids what was issued to a person for a place in a task, in browsers and in mails.
pub async fn void_of_reservation(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    reservation: ReservationId,
) -> Result<u64> {
    Statement::new(
        "UPDATE activation SET state = 'void', handshake_sealed = NULL WHERE tenant_id = ? AND user_id = ? \
         AND state IN ('issued', 'claimed') \
         AND enrollment_id IN (SELECT id FROM enrollment WHERE enrollment.tenant_id = activation.tenant_id \
         AND enrollment.user_id = activation.user_id AND enrollment.reservation_id = ?)",
    )
    .shown(tenant)
    .shown(user)
    .shown(reservation)
    .run(connection)
    .await
}

/// Makes every open activation of a person void.
pub async fn void_all_of(connection: &mut Connection, tenant: TenantId, user: UserId) -> Result<()> {
    Statement::new(
        "UPDATE activation SET state = 'void', handshake_sealed = NULL WHERE tenant_id = ? AND user_id = ? \
         AND state IN ('issued', 'claimed')",
    )
    .shown(tenant)
    .shown(user)
    .run(connection)
    .await?;
    Ok(())
}
