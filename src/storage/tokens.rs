//! Enrolled authenticators.

mod search;

use super::row::{Row, document, micros};
use super::statement::{Question, Record, Statement};
use super::{Connection, Result, people};
use crate::domain::authenticator::lifecycle::{Disposition, EnrolledBy, Kind, LockReason, Move, after};
use crate::domain::authenticator::template::TokenTemplate;
use crate::domain::ids::{TenantId, TokenId, UserId};
use crate::domain::login::step::Tokens;
use crate::domain::policy::platform::Platform;
use crate::domain::timestamp::Timestamp;

pub use crate::domain::authenticator::lifecycle::State;
pub use search::{Filter, LONGEST_PAGE, Listed, Name, Page, counts, ever_of, list_texts, outdated, search};

/// An enrolled or imported authenticator.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its identifier.
    pub id: TokenId,
    /// The virtual server.
    pub tenant: TenantId,
    /// The serial number that people and reports see.
    pub serial: String,
    /// Its owner; nobody while it is in the inventory.
    pub user: Option<UserId>,
    /// What it is.
    pub kind: Kind,
    /// As the owner calls it.
    pub name: String,
    /// Where it is in its life.
    pub state: State,
    /// Why.
    pub state_reason: String,
    /// Since when.
    pub state_at: Timestamp,
    /// Why it is locked, while it is.
    pub lock: Option<LockReason>,
    /// What became of it, once it is revoked.
    pub disposition: Option<Disposition>,
    /// Frozen at enrollment; its version is 0 where no template of the virtual server was used.
    pub template: TokenTemplate,
    /// The OTP secret, sealed for this row in table `token`; gone once revoked.
    pub secret_sealed: Option<Vec<u8>>,
    /// Last accepted time step or counter; -1 before the first. It only grows (INV-4).
    pub last_position: i64,
    /// Learned clock drift in time steps.
    pub drift_steps: i64,
    /// Consecutive wrong passcodes.
    pub failed_count: i64,
    /// The platform it was enrolled on; none for imported tokens.
    pub platform: Option<Platform>,
    /// What the device told about itself.
    pub device: serde_json::Value,
    /// The device's public key, where it speaks our protocol.
    pub device_key: Option<Vec<u8>>,
    /// Last counter of an authenticated call of the device.
    pub device_counter: i64,
    /// How its owner came to it.
    pub enrolled_by: EnrolledBy,
    /// From which address; empty where there was none.
    pub enrolled_address: String,
    /// When, or when it was imported.
    pub enrolled_at: Timestamp,
    /// The provisioning rule by which its owner got it.
    pub rule: Option<String>,
    /// The provisioning task by which its owner got it.
    pub task: Option<String>,
    /// When a passcode of it was first accepted: its provisioning is completed since then.
    pub first_used_at: Option<Timestamp>,
    /// When a passcode of it was last accepted.
    pub last_used_at: Option<Timestamp>,
    /// Its owner is asked to enroll anew while the template's version is lower than this; 0 asks for nothing.
    pub renew_before: u32,
    /// Its owner is not asked before this.
    pub renew_after: Timestamp,
}

impl Token {
    /// A token that is nobody's and has no secret yet, to be filled in by whoever makes one.
    #[must_use]
    pub fn blank(id: TokenId, tenant: TenantId, kind: Kind, serial: String, template: TokenTemplate) -> Self {
        Self {
            id,
            tenant,
            name: serial.clone(),
            serial,
            user: None,
            kind,
            state: State::Inventory,
            state_reason: String::new(),
            state_at: Timestamp::from_micros(0),
            lock: None,
            disposition: None,
            template,
            secret_sealed: None,
            last_position: -1,
            drift_steps: 0,
            failed_count: 0,
            platform: None,
            device: serde_json::json!({}),
            device_key: None,
            device_counter: 0,
            enrolled_by: EnrolledBy::Import,
            enrolled_address: String::new(),
            enrolled_at: Timestamp::from_micros(0),
            rule: None,
            task: None,
            first_used_at: None,
            last_used_at: None,
            renew_before: 0,
            renew_after: Timestamp::from_micros(0),
        }
    }
}

fn token(row: Record) -> Result<Token> {
    token_of(&Row::of("token", row))
}

/// The token in a row that may hold more.
pub(super) fn token_of(row: &Row) -> Result<Token> {
    let state = row.parsed("state")?;
    Ok(Token {
        id: row.parsed("id")?,
        tenant: row.parsed("tenant_id")?,
        serial: row.text("serial")?,
        user: row.parsed_or_none("user_id")?,
        kind: row.parsed("kind")?,
        name: row.text("name")?,
        state,
        state_reason: row.text("state_reason")?,
        state_at: row.time("state_at")?,
        lock: row.parsed_or_none("lock_reason")?.filter(|_| state == State::Locked),
        disposition: row.parsed_or_none("disposition")?,
        template: row.document("template")?,
        secret_sealed: row.bytes_or_none("secret_sealed")?,
        last_position: row.integer("last_position")?,
        drift_steps: row.integer("drift_steps")?,
        failed_count: row.integer("failed_count")?,
        platform: row.parsed_or_none("platform")?,
        device: row.document("device")?,
        device_key: row.bytes_or_none("device_key")?,
        device_counter: row.integer("device_counter")?,
        enrolled_by: row.parsed("enrolled_by")?,
        enrolled_address: row.text("enrolled_address")?,
        enrolled_at: row.time("enrolled_at")?,
        rule: row.text_or_none("rule_id")?,
        task: row.text_or_none("task_id")?,
        first_used_at: row.time_or_none("first_used_at")?,
        last_used_at: row.time_or_none("last_used_at")?,
        renew_before: u32::try_from(row.integer("renew_before")?).map_err(|_| row.broken("renew_before"))?,
        renew_after: row.time("renew_after")?,
    })
}

/// Stores a new token. Fails with a duplicate if the serial number was ever used.
pub async fn insert(connection: &mut Connection, token: &Token) -> Result<()> {
    insertion(token).run(&mut *connection).await?;
    stands_anew(connection, token.tenant, token.user).await
}

/// Counts anew how the owner of a token stands with authenticators.
async fn stands_anew(connection: &mut Connection, tenant: TenantId, user: Option<UserId>) -> Result<()> {
    if let Some(user) = user {
        people::counted(tenant, user).run(connection).await?;
    }
    Ok(())
}

/// The statement that stores a new token.
pub fn insertion(token: &Token) -> Statement {
    Statement::new(
        "INSERT INTO token (tenant_id, id, serial, user_id, kind, name, state, state_reason, state_at, lock_reason, \
         disposition, template, template_version, secret_sealed, last_position, drift_steps, failed_count, platform, \
         device, device_key, device_counter, enrolled_by, enrolled_address, enrolled_at, rule_id, task_id, first_used_at, \
         last_used_at, renew_before, updated_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(token.tenant)
    .shown(token.id)
    .bind(&token.serial)
    .bind(token.user)
    .bind(token.kind.id())
    .bind(&token.name)
    .bind(token.state.id())
    .bind(&token.state_reason)
    .bind(token.enrolled_at.micros())
    .bind(token.lock.map(LockReason::id))
    .bind(token.disposition.map(Disposition::id))
    .bind(document(&token.template))
    .bind(i64::from(token.template.version))
    .bind(token.secret_sealed.clone())
    .bind(token.last_position)
    .bind(token.drift_steps)
    .bind(token.failed_count)
    .bind(token.platform.map(Platform::id))
    .bind(document(&token.device))
    .bind(token.device_key.clone())
    .bind(token.device_counter)
    .bind(token.enrolled_by.id())
    .bind(&token.enrolled_address)
    .bind(token.enrolled_at.micros())
    .bind(&token.rule)
    .bind(&token.task)
    .bind(micros(token.first_used_at))
    .bind(micros(token.last_used_at))
    .bind(i64::from(token.renew_before))
    .bind(token.enrolled_at.micros())
}

/// Every token of a person that is not revoked, oldest first.
pub fn of_user(tenant: TenantId, user: UserId) -> Question<Vec<Token>> {
    let statement = Statement::new(
        "SELECT id, tenant_id, serial, user_id, kind, name, state, state_reason, state_at, lock_reason, disposition, \
         template, secret_sealed, last_position, drift_steps, failed_count, platform, device, device_key, device_counter, \
         enrolled_by, enrolled_address, enrolled_at, rule_id, task_id, first_used_at, last_used_at, renew_before, renew_after \
         FROM token WHERE tenant_id = ? AND user_id = ? AND state <> 'revoked' ORDER BY enrolled_at, id",
    );
    Question::new(statement.shown(tenant).shown(user), |rows| rows.into_iter().map(token).collect())
}

/// Every token of the virtual server, revoked ones too; for the help desk's shell.
pub async fn all(connection: &mut Connection, tenant: TenantId) -> Result<Vec<Token>> {
    let rows = Statement::new(
        "SELECT id, tenant_id, serial, user_id, kind, name, state, state_reason, state_at, lock_reason, disposition, \
         template, secret_sealed, last_position, drift_steps, failed_count, platform, device, device_key, device_counter, \
         enrolled_by, enrolled_address, enrolled_at, rule_id, task_id, first_used_at, last_used_at, renew_before, renew_after \
         FROM token WHERE tenant_id = ? ORDER BY enrolled_at, id",
    )
    .shown(tenant)
    .at_length()
    .rows(connection)
    .await?;
    rows.into_iter().map(token).collect()
}

/// The token with this serial number, revoked or not.
pub async fn with_serial(connection: &mut Connection, tenant: TenantId, serial: &str) -> Result<Option<Token>> {
    let row = Statement::new(
        "SELECT id, tenant_id, serial, user_id, kind, name, state, state_reason, state_at, lock_reason, disposition, \
         template, secret_sealed, last_position, drift_steps, failed_count, platform, device, device_key, device_counter, \
         enrolled_by, enrolled_address, enrolled_at, rule_id, task_id, first_used_at, last_used_at, renew_before, renew_after \
         FROM token WHERE tenant_id = ? AND serial = ?",
    )
    .shown(tenant)
    .bind(serial)
    .first(connection)
    .await?;
    row.map(token).transpose()
}

/// The token with this identifier, revoked or not.
pub fn with_id(tenant: TenantId, id: TokenId) -> Question<Option<Token>> {
    let statement = Statement::new(
        "SELECT id, tenant_id, serial, user_id, kind, name, state, state_reason, state_at, lock_reason, disposition, \
         template, secret_sealed, last_position, drift_steps, failed_count, platform, device, device_key, device_counter, \
         enrolled_by, enrolled_address, enrolled_at, rule_id, task_id, first_used_at, last_used_at, renew_before, renew_after \
         FROM token WHERE tenant_id = ? AND id = ?",
    );
    Question::new(statement.shown(tenant).shown(id), |rows| rows.into_iter().next().map(token).transpose())
}

/// What kind of tokens a person has, for the next step of a login.
#[must_use]
pub fn summary(tokens: &[Token]) -> Tokens {
    if tokens.iter().any(|token| token.state == State::Active) {
        Tokens::Usable
    } else if tokens.iter().any(|token| token.state.counts()) {
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
        "UPDATE token SET last_position = ?, drift_steps = ?, failed_count = 0, \
         first_used_at = COALESCE(first_used_at, ?), last_used_at = ?, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND state = 'active' AND last_position < ?",
    )
    .bind(position)
    .bind(drift_steps)
    .bind(now.micros())
    .bind(now.micros())
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .bind(position)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Uses up a position of an active token without accepting it: its passcode was right and what was typed beside it wrong
/// . Says whether it was still free.
pub async fn spend(connection: &mut Connection, tenant: TenantId, id: TokenId, position: i64) -> Result<bool> {
    let done = Statement::new(
        "UPDATE token SET last_position = ? WHERE tenant_id = ? AND id = ? AND state = 'active' AND last_position < ?",
    )
    .bind(position)
    .shown(tenant)
    .shown(id)
    .bind(position)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Remembers that an active token answered a challenge, which is used up by itself. Says `false` if it is not active any
/// more.
pub async fn responded(connection: &mut Connection, tenant: TenantId, id: TokenId, now: Timestamp) -> Result<bool> {
    let done = Statement::new(
        "UPDATE token SET failed_count = 0, first_used_at = COALESCE(first_used_at, ?), last_used_at = ?, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND state = 'active'",
    )
    .bind(now.micros())
    .bind(now.micros())
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// The statement that forgets the wrong passcodes of a person's active tokens, as one of them was used: those that lie in a drawer
/// would collect them over the years (AC-25: a hundred, one after the other).
pub fn forgive(tenant: TenantId, user: UserId) -> Statement {
    Statement::new(
        "UPDATE token SET failed_count = 0 WHERE tenant_id = ? AND user_id = ? AND +state = 'active' AND failed_count > 0",
    )
    .shown(tenant)
    .shown(user)
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
        "UPDATE token SET failed_count = failed_count + 1 WHERE tenant_id = ? AND user_id = ? AND +state = 'active'",
    )
    .shown(tenant)
    .shown(user)
    .run(&mut *connection)
    .await?;
    let locked = Statement::new(
        "UPDATE token SET state = 'locked', state_reason = 'attempts', lock_reason = 'attempts', state_at = ?, \
         updated_at = ? WHERE tenant_id = ? AND user_id = ? AND +state = 'active' AND failed_count >= ?",
    )
    .bind(now.micros())
    .bind(now.micros())
    .shown(tenant)
    .shown(user)
    .bind(most)
    .run(&mut *connection)
    .await?;
    if locked > 0 {
        stands_anew(connection, tenant, Some(user)).await?;
    }
    Ok(locked)
}

/// What became of a [`Move`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// The token is in this state now.
    To(State),
    /// That cannot be done to a token in its state (part B2).
    Refused,
    /// Somebody else moved it at the same moment.
    Overtaken,
}

impl Moved {
    /// Whether the token was moved.
    #[must_use]
    pub const fn done(self) -> bool {
        matches!(self, Self::To(_))
    }
}

/// Moves a token along an edge of its life, on condition that it is still where `token` shows it (INV-10). Revoking erases
/// the secret; every move but a suspension forgets the failures; what
/// returns to the inventory is nobody's.
///
/// The caller writes the audit event; see `flow::lifecycle`.
pub async fn carry_out(
    connection: &mut Connection,
    token: &Token,
    step: Move,
    reason: &str,
    now: Timestamp,
) -> Result<Moved> {
    let Some(to) = after(token.kind, token.state, token.lock, step) else { return Ok(Moved::Refused) };
    let lock = match step {
        Move::Lock(reason) => Some(reason.id()),
        _ => None,
    };
    let disposition = match step {
        Move::Revoke(disposition) => Some(disposition.id()),
        _ => None,
    };
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(40).collect();
    let done = Statement::new(
        "UPDATE token SET state = ?, state_reason = ?, state_at = ?, lock_reason = ?, disposition = ?, updated_at = ?, \
         failed_count = CASE WHEN ? = 'suspended' THEN failed_count ELSE 0 END, \
         secret_sealed = CASE WHEN ? = 'revoked' THEN NULL ELSE secret_sealed END, \
         user_id = CASE WHEN ? = 'inventory' THEN NULL ELSE user_id END \
         WHERE tenant_id = ? AND id = ? AND state = ? AND COALESCE(lock_reason, '') = ?",
    )
    .bind(to.id())
    .bind(reason)
    .bind(now.micros())
    .bind(lock)
    .bind(disposition)
    .bind(now.micros())
    .bind(to.id())
    .bind(to.id())
    .bind(to.id())
    .shown(token.tenant)
    .shown(token.id)
    .bind(token.state.id())
    .bind(token.lock.map_or("", LockReason::id))
    .run(&mut *connection)
    .await?;
    if done != 1 {
        return Ok(Moved::Overtaken);
    }
    stands_anew(connection, token.tenant, token.user).await?;
    Ok(Moved::To(to))
}

/// Reserves an imported token for a person, on condition that it is in the inventory.
pub async fn assign(connection: &mut Connection, token: &Token, user: UserId, now: Timestamp) -> Result<Moved> {
    let Some(to) = after(token.kind, token.state, token.lock, Move::Assign) else { return Ok(Moved::Refused) };
    let done = Statement::new(
        "UPDATE token SET state = ?, state_reason = '', state_at = ?, user_id = ?, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND state = 'inventory'",
    )
    .bind(to.id())
    .bind(now.micros())
    .shown(user)
    .bind(now.micros())
    .shown(token.tenant)
    .shown(token.id)
    .run(&mut *connection)
    .await?;
    if done != 1 {
        return Ok(Moved::Overtaken);
    }
    stands_anew(connection, token.tenant, Some(user)).await?;
    Ok(Moved::To(to))
}

/// Gives a revoked imported token its new secret and what goes with it, on condition that it is still revoked: it is
/// imported again (part B2), and nobody's.
pub async fn reinitialize(connection: &mut Connection, before: &Token, new: &Token, now: Timestamp) -> Result<Moved> {
    let Some(to) = after(before.kind, before.state, before.lock, Move::Reinitialize) else {
        return Ok(Moved::Refused);
    };
    let done = Statement::new(
        "UPDATE token SET state = ?, state_reason = '', state_at = ?, lock_reason = NULL, disposition = NULL, \
         user_id = NULL, name = ?, template = ?, template_version = ?, secret_sealed = ?, last_position = ?, \
         drift_steps = 0, failed_count = 0, enrolled_at = ?, first_used_at = NULL, last_used_at = NULL, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND state = 'revoked'",
    )
    .bind(to.id())
    .bind(now.micros())
    .bind(&new.name)
    .bind(document(&new.template))
    .bind(i64::from(new.template.version))
    .bind(new.secret_sealed.clone())
    .bind(new.last_position)
    .bind(now.micros())
    .bind(now.micros())
    .shown(before.tenant)
    .shown(before.id)
    .run(connection)
    .await?;
    Ok(if done == 1 { Moved::To(to) } else { Moved::Overtaken })
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

/// How many tokens a person holds, reserved ones too.
pub async fn held_by(connection: &mut Connection, tenant: TenantId, user: UserId) -> Result<i64> {
    let row =
        Statement::new("SELECT COUNT(*) AS n FROM token WHERE tenant_id = ? AND user_id = ? AND state <> 'revoked'")
            .shown(tenant)
            .shown(user)
            .only(connection)
            .await?;
    Row::of("token", row).integer("n")
}

/// Sets below which version of its template the token's owner is asked to enroll anew; 0 asks for nothing. Says `false` if
/// the token is revoked.
pub async fn ask_again(
    connection: &mut Connection,
    tenant: TenantId,
    id: TokenId,
    before: u32,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE token SET renew_before = ?, updated_at = ? WHERE tenant_id = ? AND id = ? AND state <> 'revoked'",
    )
    .bind(i64::from(before))
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Remembers that the token's owner wants to be asked to renew it after `until` only.
pub async fn postpone_renewal(
    connection: &mut Connection,
    tenant: TenantId,
    id: TokenId,
    until: Timestamp,
) -> Result<()> {
    Statement::new("UPDATE token SET renew_after = ? WHERE tenant_id = ? AND id = ?")
        .bind(until.micros())
        .shown(tenant)
        .shown(id)
        .run(connection)
        .await?;
    Ok(())
}

/// Renames a token.
pub async fn rename(
    connection: &mut Connection,
    tenant: TenantId,
    id: TokenId,
    name: &str,
    now: Timestamp,
) -> Result<()> {
    Statement::new("UPDATE token SET name = ?, updated_at = ? WHERE tenant_id = ? AND id = ?")
        .bind(name)
        .bind(now.micros())
        .shown(tenant)
        .shown(id)
        .run(connection)
        .await?;
    Ok(())
}
