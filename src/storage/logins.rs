//! Logins and what was proven in them.

use super::row::{Row, document};
use super::statement::{Question, Statement};
use super::{Connection, Engine, Result};
use crate::domain::ids::{LoginId, SessionId, TenantId, TokenId, UserId};
use crate::domain::login::evidence::{Evidence, Proof};
use crate::domain::login::outcome::Ending;
use crate::domain::login::{Login, Stage};
use crate::domain::timestamp::Timestamp;

/// A login together with what binds it to its browser and what a passcode left open.
#[derive(Debug, Clone)]
pub struct LoginRow {
    /// The login.
    pub login: Login,
    /// Keyed hash of the browser's cookie.
    pub cookie_hash: String,
    /// The hash before the last rotation, and when that was (K03).
    pub previous_cookie: Option<(String, Timestamp)>,
    /// The authenticator and position that were right but far off.
    pub resync: Option<(TokenId, i64)>,
    /// The client's address when the login began.
    pub address: String,
    /// The browser's name for itself when the login began.
    pub user_agent: String,
}

/// Stores a new login.
pub async fn insert(connection: &mut Connection, row: &LoginRow) -> Result<()> {
    let login = &row.login;
    Statement::new(
        "INSERT INTO login (tenant_id, id, origin, application_id, wishes, request, stage, user_id, named, security_version, \
         language, cookie_hash, cookie_rotated_at, address, user_agent, correlation_id, created_at, expires_at, \
         absolute_expires_at) VALUES (?, ?, ?, ?, ?, ?, 'open', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(login.tenant)
    .shown(login.id)
    .bind(login.origin.id())
    .shown(login.application)
    .bind(document(&login.wishes))
    .bind(&login.request)
    .bind(login.user.map(|id| id.to_string()))
    .bind(&login.named)
    .bind(login.security_version)
    .bind(&login.language)
    .bind(&row.cookie_hash)
    .bind(login.created_at.micros())
    .bind(&row.address)
    .bind(&row.user_agent)
    .shown(login.correlation)
    .bind(login.created_at.micros())
    .bind(login.expires_at.micros())
    .bind(login.absolute_expires_at.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// The login with this identifier.
pub async fn with_id(connection: &mut Connection, tenant: TenantId, id: LoginId) -> Result<Option<LoginRow>> {
    let row = Statement::new(
        "SELECT id, tenant_id, origin, application_id, wishes, request, stage, ending, session_id, user_id, named, \
         security_version, language, cookie_hash, previous_cookie_hash, cookie_rotated_at, resync_token_id, \
         resync_position, address, user_agent, correlation_id, created_at, expires_at, absolute_expires_at \
         FROM login WHERE tenant_id = ? AND id = ?",
    )
    .shown(tenant)
    .shown(id)
    .first(connection)
    .await?;
    row.map(|row| login(&Row::of("login", row))).transpose()
}

fn login(row: &Row) -> Result<LoginRow> {
    let rotated_at = row.time("cookie_rotated_at")?;
    let resync_token = row.parsed_or_none("resync_token_id")?;
    let login = Login {
        id: row.parsed("id")?,
        tenant: row.parsed("tenant_id")?,
        origin: row.parsed("origin")?,
        application: row.parsed("application_id")?,
        wishes: row.document("wishes")?,
        request: row.text("request")?,
        stage: stage(row)?,
        user: row.parsed_or_none("user_id")?,
        named: row.text_or_none("named")?,
        security_version: row.integer("security_version")?,
        language: row.text_or_none("language")?,
        correlation: row.parsed("correlation_id")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
        absolute_expires_at: row.time("absolute_expires_at")?,
    };
    Ok(LoginRow {
        login,
        cookie_hash: row.text("cookie_hash")?,
        previous_cookie: row.text_or_none("previous_cookie_hash")?.map(|hash| (hash, rotated_at)),
        resync: resync_token.zip(row.integer_or_none("resync_position")?),
        address: row.text("address")?,
        user_agent: row.text("user_agent")?,
    })
}

fn stage(row: &Row) -> Result<Stage> {
    match row.text("stage")?.as_str() {
        "open" => Ok(Stage::Open),
        "granted" => {
            let session: Option<SessionId> = row.parsed_or_none("session_id")?;
            session.map(|session| Stage::Granted { session }).ok_or_else(|| row.broken("session_id"))
        }
        "answered" => Ok(Stage::Answered),
        "ended" => {
            let ending = row.text_or_none("ending")?.and_then(|reason| Ending::named(&reason));
            ending.map(Stage::Ended).ok_or_else(|| row.broken("ending"))
        }
        _ => Err(row.broken("stage")),
    }
}

/// Sets who the login is about, and forgets everything that was proven in it: evidence has no name, and what one person
/// proved must never count for another (INV-2). Only an open login can be changed; says whether it was.
pub async fn name(
    connection: &mut Connection,
    tenant: TenantId,
    id: LoginId,
    named: Option<&str>,
    user: Option<(UserId, i64)>,
    expires_at: Timestamp,
) -> Result<bool> {
    Statement::new("DELETE FROM evidence WHERE tenant_id = ? AND login_id = ?")
        .shown(tenant)
        .shown(id)
        .run(&mut *connection)
        .await?;
    let done = Statement::new(
        "UPDATE login SET named = ?, user_id = ?, security_version = ?, expires_at = ?, resync_token_id = NULL \
         WHERE tenant_id = ? AND id = ? AND stage = 'open'",
    )
    .bind(named)
    .bind(user.map(|(id, _)| id.to_string()))
    .bind(user.map_or(0, |(_, version)| version))
    .bind(expires_at.micros())
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Moves the deadlines. Only an open login can be extended; says whether it was.
pub async fn extend(
    connection: &mut Connection,
    tenant: TenantId,
    id: LoginId,
    expires_at: Timestamp,
    absolute_expires_at: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE login SET expires_at = ?, absolute_expires_at = ? WHERE tenant_id = ? AND id = ? AND stage = 'open'",
    )
    .bind(expires_at.micros())
    .bind(absolute_expires_at.micros())
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Remembers the language chosen on a page.
pub async fn set_language(connection: &mut Connection, tenant: TenantId, id: LoginId, language: &str) -> Result<()> {
    Statement::new("UPDATE login SET language = ? WHERE tenant_id = ? AND id = ? AND stage = 'open'")
        .bind(language)
        .shown(tenant)
        .shown(id)
        .run(connection)
        .await?;
    Ok(())
}

/// The statement that gives the login a new cookie and a later deadline at a step up. The cookie before it stays
/// good for a short while, for an answer that was lost on the way (K03).
pub fn stepped_up(
    tenant: TenantId,
    id: LoginId,
    cookie_hash: &str,
    now: Timestamp,
    expires_at: Timestamp,
) -> Statement {
    // MySQL assigns from left to right: the old value is copied before it is replaced.
    Statement::new(
        "UPDATE login SET previous_cookie_hash = cookie_hash, cookie_hash = ?, cookie_rotated_at = ?, expires_at = ?, \
         resync_token_id = NULL WHERE tenant_id = ? AND id = ? AND stage = 'open'",
    )
    .shown(cookie_hash)
    .bind(now.micros())
    .bind(expires_at.micros())
    .shown(tenant)
    .shown(id)
}

/// Makes that the login's cookie cannot be made again: the moment that it was made of is another one now, by a microsecond.
/// A browser has shown it, so the answer that brought it was not lost.
pub async fn cookie_seen(
    connection: &mut Connection,
    tenant: TenantId,
    id: LoginId,
    cookie_hash: &str,
    rotated_at: Timestamp,
) -> Result<()> {
    Statement::new(
        "UPDATE login SET cookie_rotated_at = cookie_rotated_at - 1 WHERE tenant_id = ? AND id = ? AND cookie_hash = ? \
         AND cookie_rotated_at = ?",
    )
    .shown(tenant)
    .shown(id)
    .shown(cookie_hash)
    .bind(rotated_at.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// The statement that lets a login go on which has itself changed its account: every other one ends (T-11).
pub fn follow(tenant: TenantId, id: LoginId, security_version: i64) -> Statement {
    Statement::new("UPDATE login SET security_version = ? WHERE tenant_id = ? AND id = ? AND stage = 'open'")
        .bind(security_version)
        .shown(tenant)
        .shown(id)
}

/// Moves the page's deadline of an open login.
pub async fn touch(connection: &mut Connection, tenant: TenantId, id: LoginId, expires_at: Timestamp) -> Result<()> {
    Statement::new("UPDATE login SET expires_at = ? WHERE tenant_id = ? AND id = ? AND stage = 'open'")
        .bind(expires_at.micros())
        .shown(tenant)
        .shown(id)
        .run(connection)
        .await?;
    Ok(())
}

/// Remembers that a passcode was right but far off, so that the following one settles it.
pub async fn set_resync(
    connection: &mut Connection,
    tenant: TenantId,
    id: LoginId,
    resync: Option<(TokenId, i64)>,
) -> Result<()> {
    Statement::new("UPDATE login SET resync_token_id = ?, resync_position = ? WHERE tenant_id = ? AND id = ?")
        .bind(resync.map(|(token, _)| token.to_string()))
        .bind(resync.map(|(_, position)| position))
        .shown(tenant)
        .shown(id)
        .run(connection)
        .await?;
    Ok(())
}

/// Grants an open login, once. Says `false` if it was not open any more.
pub async fn grant(
    connection: &mut Connection,
    tenant: TenantId,
    id: LoginId,
    session: SessionId,
    expires_at: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE login SET stage = 'granted', session_id = ?, expires_at = ? WHERE tenant_id = ? AND id = ? AND stage = 'open'",
    )
    .shown(session)
    .bind(expires_at.micros())
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Takes a granted login for its one answer. Says `false` if it was answered already (INV-10).
pub async fn answer(connection: &mut Connection, tenant: TenantId, id: LoginId) -> Result<bool> {
    let done =
        Statement::new("UPDATE login SET stage = 'answered' WHERE tenant_id = ? AND id = ? AND stage = 'granted'")
            .shown(tenant)
            .shown(id)
            .run(connection)
            .await?;
    Ok(done == 1)
}

/// Opens a granted login again. Says `false` if it was answered already.
pub async fn reopen(connection: &mut Connection, tenant: TenantId, id: LoginId, expires_at: Timestamp) -> Result<bool> {
    let done = Statement::new(
        "UPDATE login SET stage = 'open', session_id = NULL, expires_at = ? WHERE tenant_id = ? AND id = ? AND stage = 'granted'",
    )
    .bind(expires_at.micros())
    .shown(tenant)
    .shown(id)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Ends a granted login without an answer. Says `false` if it was answered already.
pub async fn withdraw(connection: &mut Connection, tenant: TenantId, id: LoginId, ending: Ending) -> Result<bool> {
    ended(connection, (tenant, id), "granted", ending).await
}

/// Ends an open login without access. Says `false` if it was not open any more.
pub async fn end(connection: &mut Connection, tenant: TenantId, id: LoginId, ending: Ending) -> Result<bool> {
    ended(connection, (tenant, id), "open", ending).await
}

/// Ends a login if it is at this stage; says whether it was.
async fn ended(
    connection: &mut Connection,
    (tenant, id): (TenantId, LoginId),
    stage: &'static str,
    ending: Ending,
) -> Result<bool> {
    let done =
        Statement::new("UPDATE login SET stage = 'ended', ending = ? WHERE tenant_id = ? AND id = ? AND stage = ?")
            .bind(ending.reason())
            .shown(tenant)
            .shown(id)
            .shown(stage)
            .run(connection)
            .await?;
    Ok(done == 1)
}

/// What was proven in this login.
pub fn evidence(tenant: TenantId, id: LoginId) -> Question<Evidence> {
    let statement =
        Statement::new("SELECT login_id, kind, at, token_id FROM evidence WHERE tenant_id = ? AND login_id = ?");
    Question::new(statement.shown(tenant).shown(id), |rows| {
        let mut evidence = Evidence::default();
        for row in rows {
            let row = Row::of("evidence", row);
            let at = row.time("at")?;
            match row.text("kind")?.as_str() {
                "password" => evidence.password = Some(Proof { at, here: true }),
                "otp" => {
                    evidence.otp = Some(Proof { at, here: true });
                    evidence.token = row.parsed_or_none("token_id")?;
                }
                "pin" => evidence.old_pin = row.parsed_or_none("token_id")?.map(|token| (token, at)),
                "mailbox" => evidence.mailbox = Some(at),
                "recovery" => evidence.recovery = Some(Proof { at, here: true }),
                "temporary" => evidence.temporary = Some(Proof { at, here: true }),
                "knocked" => evidence.knocked = Some(at),
                "pass" => evidence.pass = Some(at),
                _ => return Err(row.broken("kind")),
            }
        }
        Ok(evidence)
    })
}

/// What can be proven in a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proven {
    /// The password.
    Password,
    /// A passcode of this authenticator.
    Otp(TokenId),
    /// A passcode of this authenticator beside a PIN that must be changed.
    OldPin(TokenId),
    /// The mailbox.
    Mailbox,
    /// A recovery code.
    Recovery,
    /// A temporary code of the help desk.
    Temporary,
    /// A pass of the help desk.
    Pass,
    /// Nothing: a password was given while the account was locked.
    Knocked,
}

/// The statements that write down that something was proven. A second proof of the same kind replaces the first.
pub fn proven(tenant: TenantId, id: LoginId, proven: Proven, now: Timestamp) -> [Statement; 2] {
    let (kind, token) = match proven {
        Proven::Password => ("password", None),
        Proven::Otp(token) => ("otp", Some(token.to_string())),
        Proven::OldPin(token) => ("pin", Some(token.to_string())),
        Proven::Mailbox => ("mailbox", None),
        Proven::Recovery => ("recovery", None),
        Proven::Temporary => ("temporary", None),
        Proven::Pass => ("pass", None),
        Proven::Knocked => ("knocked", None),
    };
    [
        Statement::new("DELETE FROM evidence WHERE tenant_id = ? AND login_id = ? AND kind = ?")
            .shown(tenant)
            .shown(id)
            .shown(kind),
        Statement::new("INSERT INTO evidence (tenant_id, login_id, kind, at, token_id) VALUES (?, ?, ?, ?, ?)")
            .shown(tenant)
            .shown(id)
            .shown(kind)
            .bind(now.micros())
            .bind(token),
    ]
}

/// Locks the login's row until the transaction ends, so that requests of one login run one after the other.
/// SQLite's transactions do that by themselves.
pub async fn hold(connection: &mut Connection, tenant: TenantId, id: LoginId) -> Result<()> {
    if connection.engine() == Engine::MySql {
        Statement::new("UPDATE login SET security_version = security_version WHERE tenant_id = ? AND id = ?")
            .shown(tenant)
            .shown(id)
            .run(connection)
            .await?;
    }
    Ok(())
}
