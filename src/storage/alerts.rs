//! Alerts to operators: rows are added, and nothing else.

use super::row::{Row, document};
use super::statement::{Question, Statement};
use super::{Connection, Result};
use crate::domain::alert::{Alert, Kind};
use crate::domain::ids::{AlertId, MailId, TenantId};

/// Whether somebody was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Mails were put into the outbox.
    Mailed,
    /// There were many such alerts shortly before; a mail told of one of them.
    Withheld,
    /// Nobody asked to be told of this kind.
    Nobody,
}

impl Told {
    /// The name in the database and on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Mailed => "mailed",
            Self::Withheld => "withheld",
            Self::Nobody => "nobody",
        }
    }

    fn named(text: &str) -> Option<Self> {
        [Self::Mailed, Self::Withheld, Self::Nobody].into_iter().find(|told| told.id() == text)
    }
}

/// An alert as it was written down.
#[derive(Debug, Clone)]
pub struct Written {
    /// Its identifier.
    pub id: AlertId,
    /// What it tells.
    pub alert: Alert,
    /// Whether somebody was told.
    pub told: Told,
    /// The mails that told of it.
    pub mails: Vec<MailId>,
}

/// Writes an alert down.
///
/// # Errors
/// If the database fails.
pub async fn insert(connection: &mut Connection, tenant: TenantId, written: &Written) -> Result<()> {
    let Written { id, alert, told, mails } = written;
    Statement::new(
        "INSERT INTO alert (tenant_id, id, at, kind, user_id, username, serial, application, address, correlation_id, told, \
         mails) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(id)
    .bind(alert.at.micros())
    .bind(alert.kind.id())
    .bind(alert.user)
    .bind(&alert.username)
    .bind(&alert.serial)
    .bind(&alert.application)
    .bind(&alert.address)
    .bind(alert.correlation)
    .bind(told.id())
    .bind(document(mails))
    .run(connection)
    .await?;
    Ok(())
}

/// The newest alerts of a virtual server, at most `most`.
pub fn newest(tenant: TenantId, most: i64) -> Question<Vec<Written>> {
    let statement = Statement::new(
        "SELECT id, at, kind, user_id, username, serial, application, address, correlation_id, told, mails FROM alert \
         WHERE tenant_id = ? ORDER BY at DESC, id DESC LIMIT ?",
    );
    Question::new(statement.shown(tenant).bind(most), |rows| rows.into_iter().map(written).collect())
}

fn written(row: super::statement::Record) -> Result<Written> {
    let row = Row::of("alert", row);
    let alert = Alert {
        kind: row.named("kind", Kind::named)?,
        at: row.time("at")?,
        user: row.parsed_or_none("user_id")?,
        username: row.text("username")?,
        serial: row.text("serial")?,
        application: row.text("application")?,
        address: row.text("address")?,
        correlation: row.parsed_or_none("correlation_id")?,
    };
    Ok(Written { id: row.parsed("id")?, alert, told: row.named("told", Told::named)?, mails: row.document("mails")? })
}

/// How far the mails of an alert are: `waiting`, `sent` or `failed`; what the outbox has forgotten is left out.
///
/// # Errors
/// If the database fails.
pub async fn delivery(connection: &mut Connection, tenant: TenantId, mails: &[MailId]) -> Result<Vec<String>> {
    let mut states = Vec::with_capacity(mails.len());
    for mail in mails {
        let statement = Statement::new("SELECT state FROM outbox WHERE tenant_id = ? AND id = ?");
        if let Some(row) = statement.shown(tenant).shown(mail).first(&mut *connection).await? {
            states.push(Row::of("outbox", row).text("state")?);
        }
    }
    Ok(states)
}
