//! Mailed verification codes.

use std::time::Duration;

use super::row::Row;
use super::statement::Statement;
use super::{Connection, Result};
use crate::domain::email_code::Sent;
use crate::domain::ids::{EmailCodeId, LoginId, MailId, TenantId, UserId};
use crate::domain::timestamp::Timestamp;

/// A mailed code.
#[derive(Debug, Clone)]
pub struct EmailCode {
    /// Its identifier; the code's hash is bound to it.
    pub id: EmailCodeId,
    /// Keyed hash of the code.
    pub code_hash: String,
    /// Keyed hash of the address it went to.
    pub address_hash: String,
    /// Whether it can still be redeemed.
    pub pending: bool,
    /// Tries that were reserved.
    pub tries: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops being valid.
    pub expires_at: Timestamp,
}

/// Stores a new code and voids the earlier ones of the login.
pub async fn issue(
    connection: &mut Connection,
    tenant: TenantId,
    login: LoginId,
    user: UserId,
    code: &EmailCode,
) -> Result<()> {
    Statement::new("UPDATE email_code SET state = 'void' WHERE tenant_id = ? AND login_id = ? AND state = 'pending'")
        .shown(tenant)
        .shown(login)
        .run(&mut *connection)
        .await?;
    Statement::new(
        "INSERT INTO email_code (tenant_id, id, login_id, user_id, code_hash, address_hash, state, tries, created_at, \
         expires_at) VALUES (?, ?, ?, ?, ?, ?, 'pending', 0, ?, ?)",
    )
    .shown(tenant)
    .shown(code.id)
    .shown(login)
    .shown(user)
    .bind(&code.code_hash)
    .bind(&code.address_hash)
    .bind(code.created_at.micros())
    .bind(code.expires_at.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// The newest code of a login; only that one can be right (AC-12). Earlier ones are void; clocks of instances differ, so
/// that a void one can look younger.
pub async fn newest_of(connection: &mut Connection, tenant: TenantId, login: LoginId) -> Result<Option<EmailCode>> {
    let row = Statement::new(
        "SELECT id, code_hash, address_hash, state, tries, created_at, expires_at FROM email_code \
         WHERE tenant_id = ? AND login_id = ? ORDER BY CASE state WHEN 'pending' THEN 0 ELSE 1 END, \
         created_at DESC LIMIT 1",
    )
    .shown(tenant)
    .shown(login)
    .first(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let row = Row::of("email_code", row);
    Ok(Some(EmailCode {
        id: row.parsed("id")?,
        code_hash: row.text("code_hash")?,
        address_hash: row.text("address_hash")?,
        pending: row.text("state")? == "pending",
        tries: row.integer("tries")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
    }))
}

/// Reserves a try before anything is compared, so that parallel guesses cannot pass the limit (T-04, K07).
/// Says whether there was one left.
pub async fn reserve_try(connection: &mut Connection, tenant: TenantId, id: EmailCodeId, most: i64) -> Result<bool> {
    let done = Statement::new(
        "UPDATE email_code SET tries = tries + 1 WHERE tenant_id = ? AND id = ? AND state = 'pending' AND tries < ?",
    )
    .shown(tenant)
    .shown(id)
    .bind(most)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Redeems a code, once. Says `false` if it was redeemed or voided meanwhile.
pub async fn redeem(connection: &mut Connection, tenant: TenantId, id: EmailCodeId, now: Timestamp) -> Result<bool> {
    let done = Statement::new(
        "UPDATE email_code SET state = 'verified' WHERE tenant_id = ? AND id = ? AND state = 'pending' AND expires_at > ?",
    )
    .shown(tenant)
    .shown(id)
    .bind(now.micros())
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// The code of a mail that was given up has reached nobody: it is void, and counts for no limit (part B5, R-141). The letter
/// was put in at the moment at which its code was made.
pub async fn unsent(connection: &mut Connection, tenant: TenantId, mail: MailId) -> Result<()> {
    let row = Statement::new("SELECT login_id, created_at FROM outbox WHERE tenant_id = ? AND id = ?");
    let Some(row) = row.shown(tenant).shown(mail).first(&mut *connection).await? else { return Ok(()) };
    let row = Row::of("outbox", row);
    let Some(login) = row.parsed_or_none::<LoginId>("login_id")? else { return Ok(()) };
    Statement::new(
        "UPDATE email_code SET state = 'unsent' WHERE tenant_id = ? AND login_id = ? AND created_at = ? \
         AND state IN ('pending', 'void')",
    )
    .shown(tenant)
    .shown(login)
    .bind(row.time("created_at")?.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// How many mails went out, in this login and to this person.
pub async fn sent(
    connection: &mut Connection,
    tenant: TenantId,
    login: LoginId,
    user: UserId,
    now: Timestamp,
) -> Result<Sent> {
    let day = now.minus(Duration::from_secs(24 * 60 * 60));
    let hour = now.minus(Duration::from_secs(60 * 60));
    // A login lives at most eight hours, so the mails of a day hold all mails of the login.
    let rows = Statement::new(
        "SELECT id, login_id, created_at FROM email_code WHERE tenant_id = ? AND user_id = ? AND created_at > ? \
         AND state <> 'unsent'",
    )
    .shown(tenant)
    .shown(user)
    .bind(day.micros())
    .rows(connection)
    .await?;
    let mut sent = Sent::default();
    for row in rows {
        let row = Row::of("email_code", row);
        let at = row.time("created_at")?;
        sent.in_day += 1;
        sent.in_hour += i64::from(at > hour);
        if row.parsed::<LoginId>("login_id")? == login {
            sent.in_login += 1;
            sent.last_at = sent.last_at.max(Some(at));
        }
    }
    Ok(sent)
}
