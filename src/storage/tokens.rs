//! Enrolled authenticators.

use super::row::{Row, document, micros};
use super::statement::{Question, Record, Statement};
use super::{Connection, Result};
use crate::domain::authenticator::template::TokenTemplate;
use crate::domain::ids::{TenantId, TokenId, UserId};
use crate::domain::login::step::Tokens;
use crate::domain::policy::platform::Platform;
use crate::domain::timestamp::Timestamp;

/// Where a token is in its life (part B2, as far as self-provisioning and the help desk move it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It works.
    Active,
    /// Stopped by an operator, its owner or the device.
    Suspended,
    /// Stopped after too many failures.
    Locked,
    /// Ended for ever; its secret is erased.
    Revoked,
}

impl State {
    /// The name in the database, on the command line and in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Locked => "locked",
            Self::Revoked => "revoked",
        }
    }

    fn named(text: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Locked, Self::Revoked].into_iter().find(|state| state.id() == text)
    }
}

/// An enrolled authenticator.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its identifier.
    pub id: TokenId,
    /// The virtual server.
    pub tenant: TenantId,
    /// The serial number that people and reports see.
    pub serial: String,
    /// Its owner.
    pub user: UserId,
    /// As the owner calls it.
    pub name: String,
    /// Where it is in its life.
    pub state: State,
    /// Why.
    pub state_reason: String,
    /// Frozen at enrollment.
    pub template: TokenTemplate,
    /// The OTP secret, sealed for this row in table `token`; gone once revoked.
    pub secret_sealed: Option<Vec<u8>>,
    /// Last accepted time step or counter; -1 before the first. It only grows (INV-4).
    pub last_position: i64,
    /// Learned clock drift in time steps.
    pub drift_steps: i64,
    /// Consecutive wrong passcodes.
    pub failed_count: i64,
    /// The platform it was enrolled on.
    pub platform: Platform,
    /// What the device told about itself.
    pub device: serde_json::Value,
    /// The device's public key, where it speaks our protocol.
    pub device_key: Option<Vec<u8>>,
    /// Last counter of an authenticated call of the device.
    pub device_counter: i64,
    /// `self` or `import`.
    pub enrolled_by: String,
    /// When.
    pub enrolled_at: Timestamp,
    /// When a passcode of it was last accepted.
    pub last_used_at: Option<Timestamp>,
}

fn token(row: Record) -> Result<Token> {
    let row = Row::of("token", row);
    Ok(Token {
        id: row.parsed("id")?,
        tenant: row.parsed("tenant_id")?,
        serial: row.text("serial")?,
        user: row.parsed("user_id")?,
        name: row.text("name")?,
        state: row.named("state", State::named)?,
        state_reason: row.text("state_reason")?,
        template: row.document("template")?,
        secret_sealed: row.bytes_or_none("secret_sealed")?,
        last_position: row.integer("last_position")?,
        drift_steps: row.integer("drift_steps")?,
        failed_count: row.integer("failed_count")?,
        platform: row.parsed("platform")?,
        device: row.document("device")?,
        device_key: row.bytes_or_none("device_key")?,
        device_counter: row.integer("device_counter")?,
        enrolled_by: row.text("enrolled_by")?,
        enrolled_at: row.time("enrolled_at")?,
        last_used_at: row.time_or_none("last_used_at")?,
    })
}

/// Stores a new token, active from now on.
pub async fn insert(connection: &mut Connection, token: &Token, address: &str) -> Result<()> {
    Statement::new(
        "INSERT INTO token (tenant_id, id, serial, user_id, kind, name, state, state_reason, template, secret_sealed, \
         last_position, drift_steps, failed_count, platform, device, device_key, device_counter, enrolled_by, \
         enrolled_address, enrolled_at, last_used_at, updated_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, 0, ?, ?, ?, ?, ?)",
    )
    .shown(token.tenant)
    .shown(token.id)
    .bind(&token.serial)
    .shown(token.user)
    .bind(if token.platform.speaks_our_protocol() { "app" } else { "oath_app" })
    .bind(&token.name)
    .bind(token.state.id())
    .bind(&token.state_reason)
    .bind(document(&token.template))
    .bind(token.secret_sealed.clone())
    .bind(token.last_position)
    .bind(token.drift_steps)
    .bind(token.platform.id())
    .bind(document(&token.device))
    .bind(token.device_key.clone())
    .bind(&token.enrolled_by)
    .bind(address)
    .bind(token.enrolled_at.micros())
    .bind(micros(token.last_used_at))
    .bind(token.enrolled_at.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// Every token of a person that is not revoked, oldest first.
pub fn of_user(tenant: TenantId, user: UserId) -> Question<Vec<Token>> {
    let statement = Statement::new(
        "SELECT id, tenant_id, serial, user_id, name, state, state_reason, template, secret_sealed, last_position, \
         drift_steps, failed_count, platform, device, device_key, device_counter, enrolled_by, enrolled_at, last_used_at \
         FROM token WHERE tenant_id = ? AND user_id = ? AND state <> 'revoked' ORDER BY enrolled_at, id",
    );
    Question::new(statement.shown(tenant).shown(user), |rows| rows.into_iter().map(token).collect())
}

/// Every token of the virtual server, revoked ones too; for the help desk's shell.
pub async fn all(connection: &mut Connection, tenant: TenantId) -> Result<Vec<Token>> {
    let rows = Statement::new(
        "SELECT id, tenant_id, serial, user_id, name, state, state_reason, template, secret_sealed, last_position, \
         drift_steps, failed_count, platform, device, device_key, device_counter, enrolled_by, enrolled_at, last_used_at \
         FROM token WHERE tenant_id = ? ORDER BY enrolled_at, id",
    )
    .shown(tenant)
    .rows(connection)
    .await?;
    rows.into_iter().map(token).collect()
}

/// The token with this serial number, revoked or not.
pub async fn with_serial(connection: &mut Connection, tenant: TenantId, serial: &str) -> Result<Option<Token>> {
    let row = Statement::new(
        "SELECT id, tenant_id, serial, user_id, name, state, state_reason, template, secret_sealed, last_position, \
         drift_steps, failed_count, platform, device, device_key, device_counter, enrolled_by, enrolled_at, last_used_at \
         FROM token WHERE tenant_id = ? AND serial = ?",
    )
    .shown(tenant)
    .bind(serial)
    .first(connection)
    .await?;
    row.map(token).transpose()
}

/// What kind of tokens a person has, for the next step of a login.
#[must_use]
pub fn summary(tokens: &[Token]) -> Tokens {
    if tokens.iter().any(|token| token.state == State::Active) {
        Tokens::Usable
    } else if tokens.iter().any(|token| token.state != State::Revoked) {
        Tokens::Blocked
    } else {
        Tokens::None
    }
}

/// Accepts a position of an active token, once: a position at or before the last is refused by the condition,
/// whatever another instance does at the same moment (R-296, R-297, T-13).
pub async fn accept(
    connection: &mut Connection,
    tenant: TenantId,
    id: TokenId,
    position: i64,
    drift_steps: i64,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE token SET last_position = ?, drift_steps = ?, failed_count = 0, last_used_at = ?, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND state = 'active' AND last_position < ?",
    )
    .bind(position)
    .bind(drift_steps)
    .bind(now.micros())
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .bind(position)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Counts a wrong passcode against the active tokens of a person; at `most` a token locks, and only recovery
/// helps (AC-25). Says how many are locked by this.
pub async fn fail(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    most: i64,
    now: Timestamp,
) -> Result<u64> {
    Statement::new(
        "UPDATE token SET failed_count = failed_count + 1 WHERE tenant_id = ? AND user_id = ? AND state = 'active'",
    )
    .shown(tenant)
    .shown(user)
    .run(&mut *connection)
    .await?;
    let locked = Statement::new(
        "UPDATE token SET state = 'locked', state_reason = 'attempts', updated_at = ? \
         WHERE tenant_id = ? AND user_id = ? AND state = 'active' AND failed_count >= ?",
    )
    .bind(now.micros())
    .shown(tenant)
    .shown(user)
    .bind(most)
    .run(connection)
    .await?;
    Ok(locked)
}

/// Moves a token from one state to another. Says `false` if it was not in `from` any more (INV-10). Revoking
/// erases the secret; becoming active forgets the failures.
pub async fn set_state(
    connection: &mut Connection,
    tenant: TenantId,
    id: TokenId,
    from: State,
    to: State,
    reason: &str,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE token SET state = ?, state_reason = ?, failed_count = 0, updated_at = ?, \
         secret_sealed = CASE WHEN ? = 'revoked' THEN NULL ELSE secret_sealed END \
         WHERE tenant_id = ? AND id = ? AND state = ?",
    )
    .bind(to.id())
    .bind(reason)
    .bind(now.micros())
    .bind(to.id())
    .shown(tenant)
    .shown(id)
    .bind(from.id())
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Accepts the counter of a device's call, once: it must be higher than the last (part E, device protocol).
pub async fn accept_call(connection: &mut Connection, tenant: TenantId, id: TokenId, counter: i64) -> Result<bool> {
    let done =
        Statement::new("UPDATE token SET device_counter = ? WHERE tenant_id = ? AND id = ? AND device_counter < ?")
            .bind(counter)
            .shown(tenant)
            .shown(id)
            .bind(counter)
            .run(connection)
            .await?;
    Ok(done == 1)
}

/// Renames a token.
pub async fn rename(connection: &mut Connection, tenant: TenantId, id: TokenId, name: &str) -> Result<()> {
    Statement::new("UPDATE token SET name = ? WHERE tenant_id = ? AND id = ?")
        .bind(name)
        .shown(tenant)
        .shown(id)
        .run(connection)
        .await?;
    Ok(())
}
