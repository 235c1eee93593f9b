//! Mails waiting to be sent. A flow puts them here in its own transaction; a worker sends them.

use std::time::Duration;

use super::row::Row;
use super::statement::{Question, Statement};
use super::{Connection, Result};
use crate::domain::ids::{CorrelationId, LoginId, MailId, TenantId};
use crate::domain::timestamp::Timestamp;

/// A mail to be put into the outbox.
#[derive(Debug, Clone)]
pub struct NewMail {
    /// Its identifier; the Message-ID derives from it.
    pub id: MailId,
    /// The virtual server.
    pub tenant: TenantId,
    /// Which letter it is, for operators.
    pub kind: &'static str,
    /// The login whose page waits for it.
    pub login: Option<LoginId>,
    /// The receiver's domain.
    pub domain: String,
    /// Receiver, subject, text and HTML, sealed for this row in table `outbox`, column `body_sealed`.
    pub body_sealed: Vec<u8>,
    /// When it is of no use any more, such as a code that has expired.
    pub useful_until: Timestamp,
    /// Now.
    pub created_at: Timestamp,
}

/// A mail that a worker has taken.
#[derive(Debug, Clone)]
pub struct Leased {
    /// Its identifier.
    pub id: MailId,
    /// The virtual server.
    pub tenant: TenantId,
    /// Which letter it is.
    pub kind: String,
    /// The receiver's domain.
    pub domain: String,
    /// The sealed body.
    pub body_sealed: Vec<u8>,
    /// Tries before this one.
    pub tries: i64,
    /// When it is of no use any more.
    pub useful_until: Timestamp,
}

/// How far the mail that a page waits for is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// On its way.
    Waiting {
        /// Tries that failed so far; from the first on the page says that it may take a minute. One that is under way
        /// is none of them.
        tries: i64,
    },
    /// The mail server has taken it.
    Sent,
    /// Given up.
    Failed,
}

/// Puts a mail into the outbox.
pub async fn put(connection: &mut Connection, mail: &NewMail) -> Result<()> {
    Statement::new(
        "INSERT INTO outbox (tenant_id, id, kind, login_id, domain, body_sealed, state, tries, next_try_at, useful_until, \
         leased_until, created_at) VALUES (?, ?, ?, ?, ?, ?, 'waiting', 0, ?, ?, 0, ?)",
    )
    .shown(mail.tenant)
    .shown(mail.id)
    .bind(mail.kind)
    .bind(mail.login.map(|id| id.to_string()))
    .bind(&mail.domain)
    .bind(mail.body_sealed.clone())
    .bind(mail.created_at.micros())
    .bind(mail.useful_until.micros())
    .bind(mail.created_at.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// Mails of all tenants that are due and free, newest first, at most `most`.
// every tenant's: one worker sends for all
pub async fn due(connection: &mut Connection, now: Timestamp, most: i64) -> Result<Vec<(TenantId, MailId, String)>> {
    let rows = Statement::new(
        "SELECT tenant_id, id, domain FROM outbox WHERE state = 'waiting' AND next_try_at <= ? AND leased_until <= ? \
         ORDER BY created_at DESC LIMIT ?",
    )
    .bind(now.micros())
    .bind(now.micros())
    .bind(most)
    .rows(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let row = Row::of("outbox", row);
            Ok((row.parsed("tenant_id")?, row.parsed("id")?, row.text("domain")?))
        })
        .collect()
}

/// Takes a mail for `owner`, so that no other instance sends it too. `None` if another was faster.
pub async fn lease(
    connection: &mut Connection,
    tenant: TenantId,
    id: MailId,
    owner: CorrelationId,
    now: Timestamp,
    span: Duration,
) -> Result<Option<Leased>> {
    let taken = Statement::new(
        "UPDATE outbox SET lease_owner = ?, leased_until = ?, tries = tries + 1 \
         WHERE tenant_id = ? AND id = ? AND state = 'waiting' AND leased_until <= ?",
    )
    .shown(owner)
    .bind(now.plus(span).micros())
    .shown(tenant)
    .shown(id)
    .bind(now.micros())
    .run(&mut *connection)
    .await?;
    if taken != 1 {
        return Ok(None);
    }
    let row = Statement::new(
        "SELECT id, kind, domain, body_sealed, tries, useful_until FROM outbox WHERE tenant_id = ? AND id = ?",
    )
    .shown(tenant)
    .shown(id)
    .only(connection)
    .await?;
    let row = Row::of("outbox", row);
    Ok(Some(Leased {
        id,
        tenant,
        kind: row.text("kind")?,
        domain: row.text("domain")?,
        body_sealed: row.bytes("body_sealed")?,
        tries: row.integer("tries")? - 1,
        useful_until: row.time("useful_until")?,
    }))
}

/// Marks a mail as sent and erases its body.
pub async fn sent(connection: &mut Connection, tenant: TenantId, id: MailId, owner: CorrelationId) -> Result<bool> {
    let done = Statement::new(
        "UPDATE outbox SET state = 'sent', body_sealed = NULL, leased_until = 0 \
         WHERE tenant_id = ? AND id = ? AND lease_owner = ? AND state = 'waiting'",
    )
    .shown(tenant)
    .shown(id)
    .shown(owner)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Gives a mail back to be tried again at `next_try_at`, with what the mail server said.
pub async fn retry(
    connection: &mut Connection,
    tenant: TenantId,
    id: MailId,
    owner: CorrelationId,
    error: &str,
    next_try_at: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE outbox SET error = ?, next_try_at = ?, leased_until = 0 \
         WHERE tenant_id = ? AND id = ? AND lease_owner = ? AND state = 'waiting'",
    )
    .bind(error.chars().take(500).collect::<String>())
    .bind(next_try_at.micros())
    .shown(tenant)
    .shown(id)
    .shown(owner)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Gives a mail up for good, with what the mail server said, and erases its body.
pub async fn failed(
    connection: &mut Connection,
    tenant: TenantId,
    id: MailId,
    owner: CorrelationId,
    error: &str,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE outbox SET state = 'failed', error = ?, body_sealed = NULL, leased_until = 0 \
         WHERE tenant_id = ? AND id = ? AND lease_owner = ? AND state = 'waiting'",
    )
    .bind(error.chars().take(500).collect::<String>())
    .shown(tenant)
    .shown(id)
    .shown(owner)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// How far the newest mail of a login is.
pub async fn progress_of(connection: &mut Connection, tenant: TenantId, login: LoginId) -> Result<Option<Progress>> {
    let row = Statement::new(
        "SELECT id, state, CASE WHEN error IS NULL THEN 0 ELSE tries END AS tries FROM outbox \
         WHERE tenant_id = ? AND login_id = ? ORDER BY created_at DESC LIMIT 1",
    )
    .shown(tenant)
    .shown(login)
    .first(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let row = Row::of("outbox", row);
    let tries = row.integer("tries")?;
    row.named("state", |text| match text {
        "waiting" => Some(Progress::Waiting { tries }),
        "sent" => Some(Progress::Sent),
        "failed" => Some(Progress::Failed),
        _ => None,
    })
    .map(Some)
}

/// When the oldest waiting mail was put in: readiness looks at its age.
// every tenant's: one outbox serves all
pub async fn oldest_waiting(connection: &mut Connection) -> Result<Option<Timestamp>> {
    // Not the one that is tried next: while a mail server is away, that is the newest.
    let row =
        Statement::new("SELECT MIN(created_at) AS oldest FROM outbox WHERE state = 'waiting'").only(connection).await?;
    Row::of("outbox", row).time_or_none("oldest")
}

/// When the oldest waiting mail of a virtual server was put in.
pub fn oldest_waiting_of(tenant: TenantId) -> Question<Option<Timestamp>> {
    // By what waits, which is little, and not by all that the virtual server ever sent.
    let statement =
        Statement::new("SELECT MIN(created_at) AS oldest FROM outbox WHERE +tenant_id = ? AND state = 'waiting'");
    Question::new(statement.shown(tenant), |rows| {
        rows.into_iter().next().map_or(Ok(None), |row| Row::of("outbox", row).time_or_none("oldest"))
    })
}

/// A mail that was given up and that nobody was told of.
#[derive(Debug, Clone)]
pub struct Lost {
    /// The virtual server.
    pub tenant: TenantId,
    /// Its identifier.
    pub id: MailId,
    /// Which letter it was.
    pub kind: String,
    /// The receiver's domain.
    pub domain: String,
    /// What the mail server said.
    pub error: String,
}

/// Mails put in since `from` that were given up and that nobody was told of, at most `most`.
// every tenant's: one job looks for all
pub fn untold(from: Timestamp, most: i64) -> Question<Vec<Lost>> {
    // The lease of a mail that was given up means nothing any more: 1 in its place says that it was told of.
    let statement = Statement::new(
        "SELECT tenant_id, id, kind, domain, error FROM outbox WHERE state = 'failed' AND leased_until = 0 AND created_at >= ? \
         ORDER BY next_try_at LIMIT ?",
    );
    Question::new(statement.bind(from.micros()).bind(most), |rows| {
        let read = |row| {
            let row = Row::of("outbox", row);
            Ok(Lost {
                tenant: row.parsed("tenant_id")?,
                id: row.parsed("id")?,
                kind: row.text("kind")?,
                domain: row.text("domain")?,
                error: row.text_or_none("error")?.unwrap_or_default(),
            })
        };
        rows.into_iter().map(read).collect()
    })
}

/// Notes that somebody was told of a mail that was given up, once.
pub fn told(tenant: TenantId, id: MailId) -> Statement {
    Statement::new(
        "UPDATE outbox SET leased_until = 1 WHERE tenant_id = ? AND id = ? AND state = 'failed' AND leased_until = 0",
    )
    .shown(tenant)
    .shown(id)
}

/// The virtual servers whose mail waits since before a time, and since when.
// every tenant's: one job looks for all
pub fn late(before: Timestamp) -> Question<Vec<(TenantId, Timestamp)>> {
    let statement = Statement::new(
        "SELECT tenant_id, MIN(created_at) AS since FROM outbox WHERE state = 'waiting' AND created_at < ? \
         GROUP BY tenant_id ORDER BY tenant_id",
    );
    Question::new(statement.bind(before.micros()), |rows| {
        let read = |row| {
            let row = Row::of("outbox", row);
            Ok((row.parsed("tenant_id")?, row.time("since")?))
        };
        rows.into_iter().map(read).collect()
    })
}
