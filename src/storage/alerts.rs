//! Alerts to operators: rows are added, and of those that were held back it is noted that they were told together.

use super::audit_list::Place;
use super::row::{Row, document};
use super::statement::{Question, Statement};
use super::{Connection, Result};
use crate::domain::alert::{Alert, Kind};
use crate::domain::ids::{AlertId, MailId, TenantId};
use crate::domain::timestamp::Timestamp;

/// Whether somebody was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Mails were put into the outbox, or calls of webhooks on their way.
    Mailed,
    /// There were many such alerts shortly before; a mail told of one of them. When the hour is over, the rest is told together.
    Withheld,
    /// It was told together with others when the hour was over.
    Gathered,
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
            Self::Gathered => "gathered",
            Self::Nobody => "nobody",
        }
    }

    fn named(text: &str) -> Option<Self> {
        [Self::Mailed, Self::Withheld, Self::Gathered, Self::Nobody].into_iter().find(|told| told.id() == text)
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
        "INSERT INTO alert (tenant_id, id, at, kind, user_id, username, serial, application, address, correlation_id, detail, told, \
         mails) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
    .bind(alert.detail.chars().take(500).collect::<String>())
    .bind(told.id())
    .bind(document(mails))
    .run(connection)
    .await?;
    Ok(())
}

/// The newest alerts of a virtual server, at most `most`.
pub fn newest(tenant: TenantId, most: i64) -> Question<Vec<Written>> {
    page(tenant, &(i64::MAX, String::new()), most)
}

/// The alerts before a place, the newest first.
pub fn page(tenant: TenantId, (at, id): &Place, most: i64) -> Question<Vec<Written>> {
    let statement = Statement::new(
        "SELECT id, at, kind, user_id, username, serial, application, address, correlation_id, detail, told, mails FROM alert \
         WHERE tenant_id = ? AND at <= ? AND (at < ? OR id < ?) ORDER BY at DESC, id DESC LIMIT ?",
    );
    let statement = statement.shown(tenant).bind(*at).bind(*at).bind(id).bind(most);
    Question::new(statement, |rows| rows.into_iter().map(written).collect())
}

/// Alerts of one kind that were held back.
#[derive(Debug, Clone)]
pub struct HeldBack {
    /// The kind.
    pub kind: Kind,
    /// When the first of them was.
    pub first: Timestamp,
    /// When the last of them was.
    pub last: Timestamp,
    /// How many there are.
    pub count: i64,
}

/// What was held back from one time on and before another, by kind.
pub fn held_back(tenant: TenantId, from: Timestamp, before: Timestamp) -> Question<Vec<HeldBack>> {
    let statement = Statement::new(
        "SELECT kind, MIN(at) AS first_at, MAX(at) AS last_at, COUNT(*) AS n FROM alert \
         WHERE tenant_id = ? AND at >= ? AND at < ? AND told = 'withheld' GROUP BY kind ORDER BY kind",
    );
    let statement = statement.shown(tenant).bind(from.micros()).bind(before.micros());
    Question::new(statement, |rows| {
        let read = |row| {
            let row = Row::of("alert", row);
            Ok(HeldBack {
                kind: row.named("kind", Kind::named)?,
                first: row.time("first_at")?,
                last: row.time("last_at")?,
                count: row.integer("n")?,
            })
        };
        rows.into_iter().map(read).collect()
    })
}

/// Whom alerts that were held back are about, each once, at most `most`.
pub fn people_of(tenant: TenantId, held: &HeldBack, most: i64) -> Question<Vec<String>> {
    let statement = Statement::new(
        "SELECT username, COUNT(*) AS n FROM alert WHERE tenant_id = ? AND at >= ? AND at <= ? AND kind = ? \
         AND told = 'withheld' AND username <> '' GROUP BY username ORDER BY n DESC, username LIMIT ?",
    );
    let statement = statement.shown(tenant).bind(held.first.micros()).bind(held.last.micros()).bind(held.kind.id());
    Question::new(statement.bind(most), |rows| {
        rows.into_iter().map(|row| Row::of("alert", row).text("username")).collect()
    })
}

/// Notes that alerts that were held back are told together now, each once: how many it changes is how many are to be told.
pub fn gathered(tenant: TenantId, held: &HeldBack) -> Statement {
    Statement::new(
        "UPDATE alert SET told = 'gathered' WHERE tenant_id = ? AND at >= ? AND at <= ? AND kind = ? AND told = 'withheld'",
    )
    .shown(tenant)
    .bind(held.first.micros())
    .bind(held.last.micros())
    .bind(held.kind.id())
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
        detail: row.text_or_none("detail")?.unwrap_or_default(),
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
