//! Single sign-on sessions.

use super::row::{Row, micros};
use super::statement::{Question, Record, Statement};
use super::{Connection, Engine, Result, users};
use crate::domain::authenticator::lifecycle::EnrolledBy;
use crate::domain::authenticator::template::TokenTemplate;
use crate::domain::ids::{SessionId, TenantId, TokenId, UserId};
use crate::domain::login::evidence::Authenticator;
use crate::domain::login::step::Tokens;
use crate::domain::session::Session;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::Member;

fn session(row: Record) -> Result<Session> {
    session_of(&Row::of("sso_session", row), "security_version")
}

/// The session in a row that may hold more; `version` is the column with the security version that it was begun with.
fn session_of(row: &Row, version: &'static str) -> Result<Session> {
    Ok(Session {
        id: row.parsed("id")?,
        tenant: row.parsed("tenant_id")?,
        user: row.parsed("user_id")?,
        security_version: row.integer(version)?,
        password_at: row.time_or_none("password_at")?,
        otp_at: row.time_or_none("otp_at")?,
        token: row.parsed_or_none("token_id")?,
        started_at: row.time("started_at")?,
        last_seen_at: row.time("last_seen_at")?,
        ended_at: row.time_or_none("ended_at")?,
    })
}

/// The session of the browser with this hashed cookie.
pub fn with_cookie(tenant: TenantId, cookie_hash: &str) -> Question<Option<Session>> {
    let statement = Statement::new(
        "SELECT id, tenant_id, user_id, security_version, password_at, otp_at, token_id, started_at, last_seen_at, ended_at \
         FROM sso_session WHERE tenant_id = ? AND cookie_hash = ?",
    );
    Question::new(statement.shown(tenant).shown(cookie_hash), |rows| rows.into_iter().next().map(session).transpose())
}

/// What single sign-on asks about a browser.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its session.
    pub session: Session,
    /// The person whose it is.
    pub member: Member,
    /// Whether the person has authenticators.
    pub tokens: Tokens,
    /// The one that gave the session's passcode.
    pub authenticator: Option<Authenticator>,
}

/// The session that a browser's cookie finds, the person whose it is, and whether there are authenticators: all that
/// single sign-on asks, in one question.
pub async fn standing(connection: &mut Connection, tenant: TenantId, cookie_hash: &str) -> Result<Option<Found>> {
    // One look at all authenticators of the person and one at the session's: this is asked with every single sign-on. States are
    // told apart one by one, because SQLite makes a table of a list of three, each time.
    let row = Statement::new(
        "SELECT sso_session.id AS id, sso_session.tenant_id AS tenant_id, sso_session.user_id AS user_id, \
         sso_session.security_version AS session_version, password_at, otp_at, token_id, started_at, last_seen_at, \
         ended_at, username, email, alias, phone, phone_verified, first_name, last_name, language, status, \
         user_account.security_version AS security_version, first_enrolled_at, may_enroll_again, \
         (SELECT GROUP_CONCAT(group_id) FROM group_member WHERE group_member.tenant_id = user_account.tenant_id \
         AND group_member.user_id = user_account.id) AS group_ids, \
         (SELECT MAX(CASE WHEN token.state = 'active' THEN 2 WHEN token.state = 'suspended' OR token.state = 'locked' \
         THEN 1 ELSE 0 END) FROM token WHERE token.tenant_id = user_account.tenant_id \
         AND token.user_id = user_account.id) AS tokens, \
         used.enrolled_at AS enrolled_at, used.enrolled_by AS enrolled_by, used.template AS template \
         FROM sso_session JOIN user_account ON user_account.tenant_id = sso_session.tenant_id \
         AND user_account.id = sso_session.user_id LEFT JOIN token AS used ON used.tenant_id = sso_session.tenant_id \
         AND used.id = sso_session.token_id WHERE sso_session.tenant_id = ? AND cookie_hash = ?",
    )
    .shown(tenant)
    .bind(cookie_hash)
    .first(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let row = Row::of("sso_session", row);
    let tokens = match row.integer_or_none("tokens")? {
        None | Some(0) => Tokens::None,
        Some(1) => Tokens::Blocked,
        Some(_) => Tokens::Usable,
    };
    let enrolled = (row.time_or_none("enrolled_at")?, row.parsed_or_none::<EnrolledBy>("enrolled_by")?);
    let authenticator = match (enrolled, row.document_or_none::<TokenTemplate>("template")?) {
        ((Some(enrolled_at), Some(by)), Some(template)) => {
            Some(Authenticator { enrolled_at, by_mailbox: by.by_mailbox(), by_time: template.is_by_time() })
        }
        _ => None,
    };
    let (session, member) = (session_of(&row, "session_version")?, users::member_of(&row, "user_id")?);
    Ok(Some(Found { session, member, tokens, authenticator }))
}

/// The session with this identifier.
pub async fn with_id(connection: &mut Connection, tenant: TenantId, id: SessionId) -> Result<Option<Session>> {
    let row = Statement::new(
        "SELECT id, tenant_id, user_id, security_version, password_at, otp_at, token_id, started_at, last_seen_at, ended_at \
         FROM sso_session WHERE tenant_id = ? AND id = ?",
    )
    .shown(tenant)
    .shown(id)
    .first(connection)
    .await?;
    row.map(session).transpose()
}

/// Every session of a person that was not ended; some of them may be too old to count.
pub fn living_of(tenant: TenantId, user: UserId) -> Question<Vec<Session>> {
    let statement = Statement::new(
        "SELECT id, tenant_id, user_id, security_version, password_at, otp_at, token_id, started_at, last_seen_at, ended_at \
         FROM sso_session WHERE tenant_id = ? AND user_id = ? AND ended_at IS NULL",
    );
    Question::new(statement.shown(tenant).shown(user), |rows| rows.into_iter().map(session).collect())
}

/// A session with where it was begun.
#[derive(Debug, Clone)]
pub struct Described {
    /// The session.
    pub session: Session,
    /// The address that it was begun from.
    pub address: String,
    /// What the browser calls itself.
    pub user_agent: String,
}

/// As [`living_of`], with where each was begun.
pub fn described_of(tenant: TenantId, user: UserId) -> Question<Vec<Described>> {
    let statement = Statement::new(
        "SELECT id, tenant_id, user_id, security_version, password_at, otp_at, token_id, started_at, last_seen_at, ended_at, \
         address, user_agent FROM sso_session WHERE tenant_id = ? AND user_id = ? AND ended_at IS NULL",
    );
    Question::new(statement.shown(tenant).shown(user), |rows| {
        let read = |row| {
            let row = Row::of("sso_session", row);
            let (address, user_agent) = (row.text("address")?, row.text("user_agent")?);
            Ok(Described { session: session_of(&row, "security_version")?, address, user_agent })
        };
        rows.into_iter().map(read).collect()
    })
}

/// The statement that stores a new session under the keyed hash of its cookie.
pub fn insertion(session: &Session, cookie_hash: &str, address: &str, user_agent: &str) -> Statement {
    Statement::new(
        "INSERT INTO sso_session (tenant_id, id, cookie_hash, user_id, security_version, password_at, otp_at, token_id, \
         started_at, last_seen_at, address, user_agent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(session.tenant)
    .shown(session.id)
    .shown(cookie_hash)
    .shown(session.user)
    .bind(session.security_version)
    .bind(micros(session.password_at))
    .bind(micros(session.otp_at))
    .bind(session.token.map(|id| id.to_string()))
    .bind(session.started_at.micros())
    .bind(session.last_seen_at.micros())
    .shown(address)
    .shown(user_agent)
}

/// The statement that stores stronger proofs and a new cookie. The old cookie is dead from then on (AC-35).
pub fn strengthening(session: &Session, cookie_hash: &str) -> Statement {
    Statement::new(
        "UPDATE sso_session SET cookie_hash = ?, security_version = ?, password_at = ?, otp_at = ?, token_id = ?, \
         last_seen_at = ? WHERE tenant_id = ? AND id = ? AND ended_at IS NULL",
    )
    .shown(cookie_hash)
    .bind(session.security_version)
    .bind(micros(session.password_at))
    .bind(micros(session.otp_at))
    .bind(session.token.map(|id| id.to_string()))
    .bind(session.last_seen_at.micros())
    .shown(session.tenant)
    .shown(session.id)
}

/// The statement that remembers an access attempt, which keeps the session from ending idle.
pub fn touched(tenant: TenantId, id: SessionId, now: Timestamp) -> Statement {
    Statement::new("UPDATE sso_session SET last_seen_at = ? WHERE tenant_id = ? AND id = ? AND ended_at IS NULL")
        .bind(now.micros())
        .shown(tenant)
        .shown(id)
}

/// Locks the row of a session, so that whoever ends it waits until it is written down who heard of it, and tells all of them.
/// Says whether it was not ended in the meantime. With SQLite, transactions run one after the other anyway.
///
/// A microsecond is added and not nothing: nodes of a cluster compare the rows that were changed, and a row that is written as it was
/// is none of them.
///
/// # Errors
/// If the database fails.
pub async fn hold(connection: &mut Connection, tenant: TenantId, id: SessionId) -> Result<bool> {
    if connection.engine() == Engine::Sqlite {
        return Ok(true);
    }
    let held = Statement::new(
        "UPDATE sso_session SET last_seen_at = last_seen_at + 1 WHERE tenant_id = ? AND id = ? AND ended_at IS NULL",
    );
    Ok(held.shown(tenant).shown(id).run(connection).await? == 1)
}

/// The statement that lets a session go on whose person has ended everything else of the account by its version (T-11).
pub fn follow(tenant: TenantId, user: UserId, id: SessionId) -> Statement {
    let statement = Statement::new(
        "UPDATE sso_session SET security_version = (SELECT user_account.security_version FROM user_account \
         WHERE user_account.tenant_id = ? AND user_account.id = ?) \
         WHERE tenant_id = ? AND id = ? AND user_id = ? AND ended_at IS NULL",
    );
    statement.shown(tenant).shown(user).shown(tenant).shown(id).shown(user)
}

/// Locks every session of a person that was not ended, to be run before it is noted who heard of them, see [`hold`].
///
/// # Errors
/// If the database fails.
pub async fn hold_all_of(connection: &mut Connection, tenant: TenantId, user: UserId) -> Result<()> {
    if connection.engine() == Engine::MySql {
        Statement::new(
            "UPDATE sso_session SET last_seen_at = last_seen_at + 1 WHERE tenant_id = ? AND user_id = ? AND ended_at IS NULL",
        )
        .shown(tenant)
        .shown(user)
        .run(connection)
        .await?;
    }
    Ok(())
}

/// Ends a session. Says whether it was alive.
pub async fn end(
    connection: &mut Connection,
    tenant: TenantId,
    id: SessionId,
    reason: &str,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE sso_session SET ended_at = ?, end_reason = ? WHERE tenant_id = ? AND id = ? AND ended_at IS NULL",
    )
    .bind(now.micros())
    .bind(reason)
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Ends every session of a person. Says how many there were.
pub async fn end_all_of(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    reason: &str,
    now: Timestamp,
) -> Result<u64> {
    let done = Statement::new(
        "UPDATE sso_session SET ended_at = ?, end_reason = ? WHERE tenant_id = ? AND user_id = ? AND ended_at IS NULL",
    )
    .bind(now.micros())
    .bind(reason)
    .shown(tenant)
    .shown(user)
    .run(connection)
    .await?;
    Ok(done)
}

/// The statement that writes down which sessions of a person were over by their age since long: those that began before `earliest`.
pub fn long_over(tenant: TenantId, user: UserId, earliest: Timestamp, now: Timestamp) -> Statement {
    let statement = Statement::new(
        "UPDATE sso_session SET ended_at = ?, end_reason = 'over' WHERE tenant_id = ? AND user_id = ? \
         AND ended_at IS NULL AND started_at < ?",
    );
    statement.bind(now.micros()).shown(tenant).shown(user).bind(earliest.micros())
}

/// Hands the sessions that a token opened over to the token that took its place. Says how many there were.
pub async fn hand_over(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    (old, new): (TokenId, TokenId),
) -> Result<u64> {
    Statement::new(
        "UPDATE sso_session SET token_id = ? WHERE tenant_id = ? AND user_id = ? AND token_id = ? AND ended_at IS NULL",
    )
    .shown(new)
    .shown(tenant)
    .shown(user)
    .shown(old)
    .run(connection)
    .await
}
