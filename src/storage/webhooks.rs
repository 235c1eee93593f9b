//! Webhooks, and what is on its way to them.

use super::row::{Row, document};
use super::statement::{Question, Record, Statement};
use super::{Connection, Result};
use crate::domain::ids::{DeliveryId, TenantId, WebhookId};
use crate::domain::timestamp::Timestamp;
use crate::domain::webhook::{Tried, Webhook, WebhookDraft};

/// All webhooks of a virtual server, by name.
pub fn all(tenant: TenantId) -> Question<Vec<Webhook>> {
    let statement = Statement::new(
        "SELECT id, name, url, kinds, enabled, version, created_at, failing_since, disabled_at, last_at, last_status, \
         last_answer FROM webhook WHERE tenant_id = ? ORDER BY name_key",
    );
    Question::new(statement.shown(tenant), |rows| rows.into_iter().map(webhook).collect())
}

/// The webhook with this identifier.
pub fn with_id(tenant: TenantId, id: WebhookId) -> Question<Option<Webhook>> {
    let statement = Statement::new(
        "SELECT id, name, url, kinds, enabled, version, created_at, failing_since, disabled_at, last_at, last_status, \
         last_answer FROM webhook WHERE tenant_id = ? AND id = ?",
    );
    Question::new(statement.shown(tenant).shown(id), |rows| rows.into_iter().next().map(webhook).transpose())
}

fn webhook(row: Record) -> Result<Webhook> {
    let row = Row::of("webhook", row);
    let says = WebhookDraft {
        name: row.text("name")?,
        url: row.text("url")?,
        kinds: row.document("kinds")?,
        enabled: row.flag("enabled")?,
    };
    let last = match row.time_or_none("last_at")? {
        None => None,
        Some(at) => Some(Tried {
            at,
            status: status(&row, "last_status")?,
            answer: row.text_or_none("last_answer")?.unwrap_or_default(),
        }),
    };
    Ok(Webhook {
        id: row.parsed("id")?,
        says,
        version: row.integer("version")?,
        created_at: row.time("created_at")?,
        failing_since: row.time_or_none("failing_since")?,
        disabled_at: row.time_or_none("disabled_at")?,
        last,
    })
}

fn status(row: &Row, column: &'static str) -> Result<Option<u16>> {
    Ok(row.integer_or_none(column)?.and_then(|status| u16::try_from(status).ok()))
}

/// The sealed secret of a webhook.
pub fn secret(tenant: TenantId, id: WebhookId) -> Question<Option<Vec<u8>>> {
    let statement = Statement::new("SELECT id, secret_sealed FROM webhook WHERE tenant_id = ? AND id = ?");
    Question::new(statement.shown(tenant).shown(id), |rows| {
        rows.into_iter().next().map(|row| Row::of("webhook", row).bytes("secret_sealed")).transpose()
    })
}

/// Stores a new webhook; a duplicate if the name is taken.
pub fn insertion(tenant: TenantId, id: WebhookId, says: &WebhookDraft, sealed: Vec<u8>, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO webhook (tenant_id, id, name, name_key, url, kinds, enabled, secret_sealed, version, created_at, \
         updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?)",
    )
    .shown(tenant)
    .shown(id)
    .bind(&says.name)
    .bind(says.name_key())
    .bind(&says.url)
    .bind(document(&says.kinds))
    .bind(i64::from(says.enabled))
    .bind(sealed)
    .bind(now.micros())
    .bind(now.micros())
}

/// Changes a webhook that is still of `version`; a duplicate if the name is taken. Whoever switches it on, or sends it
/// elsewhere, begins anew with its failures.
pub fn change(tenant: TenantId, (id, version): (WebhookId, i64), says: &WebhookDraft, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE webhook SET failing_since = CASE WHEN url = ? AND enabled = ? THEN failing_since ELSE NULL END, \
         disabled_at = CASE WHEN ? = 1 THEN NULL ELSE disabled_at END, name = ?, name_key = ?, url = ?, kinds = ?, \
         enabled = ?, version = version + 1, updated_at = ? WHERE tenant_id = ? AND id = ? AND version = ?",
    )
    .bind(&says.url)
    .bind(i64::from(says.enabled))
    .bind(i64::from(says.enabled))
    .bind(&says.name)
    .bind(says.name_key())
    .bind(&says.url)
    .bind(document(&says.kinds))
    .bind(i64::from(says.enabled))
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .bind(version)
}

/// Gives a webhook another secret, provided that it is still of `version`.
pub fn secret_changed(tenant: TenantId, (id, version): (WebhookId, i64), sealed: Vec<u8>, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE webhook SET secret_sealed = ?, version = version + 1, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND version = ?",
    )
    .bind(sealed)
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .bind(version)
}

/// Removes a webhook that is still of `version`. Says `false` if it is not.
///
/// # Errors
/// If the database fails.
pub async fn remove(connection: &mut Connection, tenant: TenantId, (id, version): (WebhookId, i64)) -> Result<bool> {
    let statement = Statement::new("DELETE FROM webhook WHERE tenant_id = ? AND id = ? AND version = ?");
    if statement.shown(tenant).shown(id).bind(version).run(&mut *connection).await? != 1 {
        return Ok(false);
    }
    let statement = Statement::new("DELETE FROM webhook_delivery WHERE tenant_id = ? AND webhook_id = ?");
    statement.shown(tenant).shown(id).run(connection).await?;
    Ok(true)
}

/// Notes what came of a try; the version stays, because nobody has changed anything.
pub fn tried(tenant: TenantId, id: WebhookId, tried: &Tried) -> Statement {
    let failing = (!tried.is_good()).then_some(tried.at.micros());
    Statement::new(
        "UPDATE webhook SET failing_since = CASE WHEN ? IS NULL THEN NULL ELSE COALESCE(failing_since, ?) END, last_at = ?, \
         last_status = ?, last_answer = ? WHERE tenant_id = ? AND id = ?",
    )
    .bind(failing)
    .bind(failing)
    .bind(tried.at.micros())
    .bind(tried.status.map(i64::from))
    .bind(&tried.answer)
    .shown(tenant)
    .shown(id)
}

/// Switches a webhook off that has failed since `since` or longer, once.
pub fn disabled(tenant: TenantId, id: WebhookId, since: Timestamp, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE webhook SET enabled = 0, disabled_at = ?, version = version + 1, updated_at = ? \
         WHERE tenant_id = ? AND id = ? AND enabled = 1 AND failing_since <= ?",
    )
    .bind(now.micros())
    .bind(now.micros())
    .shown(tenant)
    .shown(id)
    .bind(since.micros())
}

/// Something on its way to a webhook, or that was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The virtual server.
    pub tenant: TenantId,
    /// To which webhook.
    pub webhook: WebhookId,
    /// Its identifier: the `webhook-id` of every try.
    pub id: DeliveryId,
    /// What it is about: the kind of alert.
    pub kind: String,
    /// What is sent.
    pub body: String,
    /// `waiting`, `delivered` or `failed`.
    pub state: String,
    /// How often it was tried.
    pub tries: i64,
    /// When it is due.
    pub next_try_at: Timestamp,
    /// When it was put in.
    pub created_at: Timestamp,
    /// The status of the last answer.
    pub status: Option<u16>,
    /// What it said, or why there was none.
    pub answer: String,
}

fn delivery(row: Record) -> Result<Delivery> {
    let row = Row::of("webhook_delivery", row);
    Ok(Delivery {
        tenant: row.parsed("tenant_id")?,
        webhook: row.parsed("webhook_id")?,
        id: row.parsed("id")?,
        kind: row.text("kind")?,
        body: row.text("body")?,
        state: row.text("state")?,
        tries: row.integer("tries")?,
        next_try_at: row.time("next_try_at")?,
        created_at: row.time("created_at")?,
        status: status(&row, "status")?,
        answer: row.text_or_none("answer")?.unwrap_or_default(),
    })
}

/// Puts something on its way.
pub fn delivery_insertion(
    tenant: TenantId,
    webhook: WebhookId,
    id: DeliveryId,
    (kind, body): (&str, String),
    now: Timestamp,
) -> Statement {
    Statement::new(
        "INSERT INTO webhook_delivery (tenant_id, webhook_id, id, kind, body, state, tries, next_try_at, created_at) \
         VALUES (?, ?, ?, ?, ?, 'waiting', 0, ?, ?)",
    )
    .shown(tenant)
    .shown(webhook)
    .shown(id)
    .bind(kind)
    .bind(body)
    .bind(now.micros())
    .bind(now.micros())
}

/// What is due, of all tenants, at most `most`.
// every tenant's: one worker calls for all
pub fn due(now: Timestamp, most: i64) -> Question<Vec<Delivery>> {
    let statement = Statement::new(
        "SELECT tenant_id, webhook_id, id, kind, body, state, tries, next_try_at, created_at, status, answer \
         FROM webhook_delivery WHERE state = 'waiting' AND next_try_at <= ? ORDER BY next_try_at LIMIT ?",
    );
    Question::new(statement.bind(now.micros()).bind(most), |rows| rows.into_iter().map(delivery).collect())
}

/// The deliveries of a webhook before the one with the identifier `after`, the newest first.
pub fn of_webhook(
    tenant: TenantId,
    webhook: WebhookId,
    after: Option<DeliveryId>,
    most: i64,
) -> Question<Vec<Delivery>> {
    // Sorts after every identifier: theirs are lower-case base32.
    let after = after.map_or_else(|| "~".to_owned(), |id| id.to_string());
    let statement = Statement::new(
        "SELECT tenant_id, webhook_id, id, kind, body, state, tries, next_try_at, created_at, status, answer \
         FROM webhook_delivery WHERE tenant_id = ? AND webhook_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
    );
    let statement = statement.shown(tenant).shown(webhook).bind(after).bind(most);
    Question::new(statement, |rows| rows.into_iter().map(delivery).collect())
}

/// Takes a delivery for one try, and puts it off to `again` in case that fails or this instance dies. Says `false` if another
/// instance was faster.
///
/// # Errors
/// If the database fails.
pub async fn take(connection: &mut Connection, delivery: &Delivery, again: Timestamp) -> Result<bool> {
    let taken = Statement::new(
        "UPDATE webhook_delivery SET tries = tries + 1, next_try_at = ? \
         WHERE tenant_id = ? AND webhook_id = ? AND id = ? AND tries = ? AND state = 'waiting'",
    );
    let taken = taken.bind(again.micros()).shown(delivery.tenant).shown(delivery.webhook).shown(delivery.id);
    Ok(taken.bind(delivery.tries).run(connection).await? == 1)
}

/// Notes what came of a try: `state` is `waiting` for one that is tried again. What is over and done with needs its body no more.
pub fn answered(delivery: &Delivery, state: &str, tried: &Tried) -> Statement {
    Statement::new(
        "UPDATE webhook_delivery SET body = CASE WHEN ? = 'waiting' THEN body ELSE '' END, state = ?, status = ?, answer = ?, \
         ended_at = ? WHERE tenant_id = ? AND webhook_id = ? AND id = ? AND state = 'waiting'",
    )
    .bind(state)
    .bind(state)
    .bind(tried.status.map(i64::from))
    .bind(&tried.answer)
    .bind((state != "waiting").then_some(tried.at.micros()))
    .shown(delivery.tenant)
    .shown(delivery.webhook)
    .shown(delivery.id)
}

/// Gives up everything that waits for a webhook.
pub fn given_up(tenant: TenantId, webhook: WebhookId, why: &str, now: Timestamp) -> Statement {
    Statement::new(
        "UPDATE webhook_delivery SET state = 'failed', body = '', answer = ?, ended_at = ? \
         WHERE tenant_id = ? AND webhook_id = ? AND state = 'waiting'",
    )
    .bind(why)
    .bind(now.micros())
    .shown(tenant)
    .shown(webhook)
}
