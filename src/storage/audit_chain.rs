//! The chain over the audit trail: links, checkpoints and where each chain stands. Only one instance at a time writes here,
//! and nothing in a login waits for it.

use super::row::Row;
use super::statement::{Question, Record, Statement};
use super::{Connection, Result, statement};
use crate::domain::audit::chain::{Entry, Hash, Head, Link, REMOVAL_ACTION};
use crate::domain::ids::TenantId;
use crate::domain::timestamp::Timestamp;

/// Where a chain stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The last link.
    pub head: Head,
    /// The key of the last event that was sealed in the order of time.
    pub seen: (i64, String),
    /// Links up to this number were purged, or are just being removed.
    pub base: i64,
    /// The number of the last checkpoint, and when it was signed.
    pub signed: (i64, Timestamp),
    /// When the whole chain was last looked at, and what was wrong then.
    pub checked: Option<(Timestamp, Option<String>)>,
}

impl State {
    /// Before the first event.
    #[must_use]
    pub fn beginning(tenant: TenantId) -> Self {
        Self {
            head: Head::beginning(tenant),
            seen: (-1, String::new()),
            base: 0,
            signed: (0, Timestamp::from_micros(0)),
            checked: None,
        }
    }
}

/// A signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Up to this number.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// The JWT.
    pub jwt: String,
}

/// A link with its event, where that is still there.
#[derive(Debug, Clone)]
pub struct Linked {
    /// The link.
    pub link: Link,
    /// The time in the event's key.
    pub at: i64,
    /// The identifier in the event's key.
    pub event_id: String,
    /// The event.
    pub event: Option<Entry>,
}

fn hash(row: &Row, column: &'static str) -> Result<Hash> {
    row.bytes(column)?.try_into().map(Hash).map_err(|_| row.broken(column))
}

/// An event, every column as it is.
pub(super) fn entry(row: &Row) -> Result<Entry> {
    Ok(Entry {
        id: row.text("id")?,
        at: row.integer("at")?,
        actor_kind: row.text("actor_kind")?,
        actor: row.text("actor")?,
        actor_name: row.text_or_none("actor_name")?,
        address: row.text("address")?,
        action: row.text("action")?,
        object: row.text("object")?,
        object_id: row.text("object_id")?,
        correlation_id: row.text_or_none("correlation_id")?,
        detail: row.text("detail")?,
    })
}

/// Events, every column as it is.
pub(super) fn entries(rows: Vec<Record>) -> Result<Vec<Entry>> {
    rows.into_iter().map(|row| entry(&Row::of("audit_event", row))).collect()
}

/// The virtual servers that have events after what was sealed, not younger than `until`.
// every tenant's: one question instead of one for each
pub fn waiting(until: Timestamp) -> Question<Vec<TenantId>> {
    let statement = Statement::new(
        "SELECT tenant.id AS id FROM tenant LEFT JOIN audit_chain ON audit_chain.tenant_id = tenant.id \
         WHERE EXISTS (SELECT 1 FROM audit_event WHERE audit_event.tenant_id = tenant.id \
         AND audit_event.at > COALESCE(audit_chain.seen_at, -1) AND audit_event.at <= ?)",
    );
    Question::new(statement.bind(until.micros()), ids)
}

/// Every virtual server.
pub fn tenants() -> Question<Vec<TenantId>> {
    Question::new(Statement::new("SELECT id FROM tenant ORDER BY id"), ids)
}

fn ids(rows: Vec<Record>) -> Result<Vec<TenantId>> {
    rows.into_iter().map(|row| Row::of("tenant", row).parsed("id")).collect()
}

/// Where a chain stands; `None` before anything was sealed.
pub fn state(tenant: TenantId) -> Question<Option<State>> {
    let statement = Statement::new(
        "SELECT number, hash, seen_at, seen_id, base, signed, signed_at, checked_at, checked_fault FROM audit_chain \
         WHERE tenant_id = ?",
    );
    Question::new(statement.shown(tenant), |rows| {
        let Some(row) = rows.into_iter().next() else { return Ok(None) };
        let row = Row::of("audit_chain", row);
        let checked = match row.time_or_none("checked_at")? {
            Some(at) => Some((at, row.text_or_none("checked_fault")?)),
            None => None,
        };
        Ok(Some(State {
            head: Head { number: row.integer("number")?, hash: hash(&row, "hash")? },
            seen: (row.integer("seen_at")?, row.text("seen_id")?),
            base: row.integer("base")?,
            signed: (row.integer("signed")?, row.time("signed_at")?),
            checked,
        }))
    })
}

/// The next events in the order of time, not younger than `until`.
pub fn unsealed(tenant: TenantId, (at, id): &(i64, String), until: Timestamp, most: i64) -> Question<Vec<Entry>> {
    let statement = Statement::new(
        "SELECT id, at, actor_kind, actor, actor_name, address, action, object, object_id, correlation_id, detail \
         FROM audit_event WHERE tenant_id = ? AND at >= ? AND (at > ? OR id > ?) AND at <= ? ORDER BY at, id LIMIT ?",
    );
    Question::new(statement.shown(tenant).bind(*at).bind(*at).bind(id).bind(until.micros()).bind(most), entries)
}

/// Events that came late: `from` this time on, before what was sealed in the order of time, and without a link.
pub fn late(tenant: TenantId, from: i64, seen: i64, most: i64) -> Question<Vec<Entry>> {
    let statement = Statement::new(
        "SELECT id, audit_event.at AS at, actor_kind, actor, actor_name, address, action, object, object_id, correlation_id, \
         detail FROM audit_event LEFT JOIN audit_link ON audit_link.tenant_id = audit_event.tenant_id \
         AND audit_link.at = audit_event.at AND audit_link.event_id = audit_event.id \
         WHERE audit_event.tenant_id = ? AND audit_event.at >= ? AND audit_event.at < ? AND audit_link.number IS NULL \
         ORDER BY audit_event.at, audit_event.id LIMIT ?",
    );
    Question::new(statement.shown(tenant).bind(from).bind(seen).bind(most), entries)
}

/// Appends links for events, and says where the chain stands then. `false` if somebody else has sealed meanwhile; then
/// nothing of it may be committed.
///
/// # Errors
/// If the database fails.
pub async fn append(
    connection: &mut Connection,
    tenant: TenantId,
    before: Option<Head>,
    links: &[(Link, &Entry)],
    seen: &(i64, String),
) -> Result<bool> {
    let Some((last, _)) = links.last() else { return Ok(true) };
    let moved = match before {
        Some(before) => Statement::new(
            "UPDATE audit_chain SET number = ?, hash = ?, seen_at = ?, seen_id = ? WHERE tenant_id = ? AND number = ?",
        )
        .bind(last.number)
        .bind(last.hash.0.as_slice())
        .bind(seen.0)
        .bind(&seen.1)
        .shown(tenant)
        .bind(before.number)
        .run(connection)
        .await
        .map(|rows| rows == 1)?,
        None => super::inserted(
            Statement::new(
                "INSERT INTO audit_chain (tenant_id, number, hash, seen_at, seen_id, base, signed, signed_at) \
                 VALUES (?, ?, ?, ?, ?, 0, 0, 0)",
            )
            .shown(tenant)
            .bind(last.number)
            .bind(last.hash.0.as_slice())
            .bind(seen.0)
            .bind(&seen.1)
            .run(connection)
            .await,
        )?,
    };
    if !moved {
        return Ok(false);
    }
    let mut inserts = Vec::with_capacity(links.len() * 3);
    for (link, event) in links {
        inserts.push(
            Statement::new(
                "INSERT INTO audit_link (tenant_id, number, at, event_id, sealed_at, content, hash) \
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )
            .shown(tenant)
            .bind(link.number)
            .bind(event.at)
            .bind(&event.id)
            .bind(link.sealed_at)
            .bind(link.content.0.as_slice())
            .bind(link.hash.0.as_slice()),
        );
        for mark in marks(event) {
            inserts.push(
                Statement::new("INSERT INTO audit_mark (tenant_id, mark, at, event_id) VALUES (?, ?, ?, ?)")
                    .shown(tenant)
                    .bind(mark)
                    .bind(event.at)
                    .bind(&event.id),
            );
        }
    }
    statement::insert_all(connection, inserts).await?;
    Ok(true)
}

/// What happens in every login and is found by reading on: an index would be as large as the trail.
const FREQUENT: [&str; 16] = [
    "login_started",
    "login_named",
    "login_completed",
    "login_ended",
    "login_extended",
    "password_accepted",
    "passcode_accepted",
    "session_started",
    "session_strengthened",
    "session_ended",
    "grant_issued",
    "grant_redeemed",
    "grant_refreshed",
    "assertion_issued",
    "logout_delivered",
    "code_sent",
];

/// Whether events with this published name have a mark of their own.
pub(super) fn is_marked(action: &str) -> bool {
    !FREQUENT.contains(&action)
}

/// The mark of an action.
pub(super) fn action_mark(action: &str) -> String {
    format!("do:{action}")
}

/// The mark of who or what an event is about, or by whom: an identifier or a name.
pub(super) fn subject_mark(subject: &str) -> String {
    format!("by:{}", subject.chars().take(200).collect::<String>())
}

/// Whether events about objects of this kind have a mark of their own: the others hang on logins or are as many.
pub(super) fn is_object_marked(object: &str) -> bool {
    !matches!(object, "" | "login" | "grant" | "session" | "assertion" | "user" | "token" | "enrollment" | "activation")
}

/// The mark of a kind of object.
pub(super) fn object_mark(object: &str) -> String {
    format!("on:{object}")
}

/// Whether events of this kind of actor have a mark of their own.
pub(super) fn is_kind_marked(kind: &str) -> bool {
    matches!(kind, "operator" | "api_key" | "shell")
}

/// The mark of a kind of actor.
pub(super) fn kind_mark(kind: &str) -> String {
    format!("as:{kind}")
}

/// What an event is found by. What hangs on one login is found by its correlation.
fn marks(event: &Entry) -> Vec<String> {
    let mut marks = Vec::with_capacity(4);
    if is_object_marked(&event.object) {
        marks.push(object_mark(&event.object));
    }
    if is_kind_marked(&event.actor_kind) {
        marks.push(kind_mark(&event.actor_kind));
    }
    if is_marked(&event.action) {
        marks.push(action_mark(&event.action));
    }
    let mut subjects: Vec<&str> = Vec::with_capacity(2);
    if !event.actor.is_empty() {
        subjects.push(&event.actor);
    }
    let passing = matches!(event.object.as_str(), "" | "login" | "grant" | "session" | "assertion");
    if !passing && !event.object_id.is_empty() && event.object_id != event.actor {
        subjects.push(&event.object_id);
    }
    marks.extend(subjects.into_iter().map(subject_mark));
    marks
}

/// Stores a checkpoint for the place where the chain stands.
///
/// # Errors
/// If the database fails.
pub async fn sign(connection: &mut Connection, tenant: TenantId, signed: &Signed) -> Result<()> {
    let done = Statement::new("INSERT INTO audit_checkpoint (tenant_id, number, at, jwt) VALUES (?, ?, ?, ?)")
        .shown(tenant)
        .bind(signed.number)
        .bind(signed.at.micros())
        .bind(&signed.jwt)
        .run(&mut *connection)
        .await;
    // Another instance signed the same; its checkpoint is as good.
    super::inserted(done)?;
    Statement::new("UPDATE audit_chain SET signed = ?, signed_at = ? WHERE tenant_id = ? AND signed < ?")
        .bind(signed.number)
        .bind(signed.at.micros())
        .shown(tenant)
        .bind(signed.number)
        .run(connection)
        .await?;
    Ok(())
}

/// Remembers that the whole chain was looked at, and what was wrong.
///
/// # Errors
/// If the database fails.
pub async fn checked(connection: &mut Connection, tenant: TenantId, now: Timestamp, fault: Option<&str>) -> Result<()> {
    Statement::new("UPDATE audit_chain SET checked_at = ?, checked_fault = ? WHERE tenant_id = ?")
        .bind(now.micros())
        .bind(fault)
        .shown(tenant)
        .run(connection)
        .await?;
    Ok(())
}

const SIGNED: &str = "SELECT number, at, jwt FROM audit_checkpoint WHERE tenant_id = ? AND number > ? AND number <= ? \
     ORDER BY number LIMIT ?";

fn signed(row: Record) -> Result<Signed> {
    let row = Row::of("audit_checkpoint", row);
    Ok(Signed { number: row.integer("number")?, at: row.time("at")?, jwt: row.text("jwt")? })
}

/// The checkpoints after one number and up to another, at most `most`.
pub fn checkpoints(tenant: TenantId, after: i64, up_to: i64, most: i64) -> Question<Vec<Signed>> {
    let statement = Statement::new(SIGNED).shown(tenant).bind(after).bind(up_to).bind(most);
    Question::new(statement, |rows| rows.into_iter().map(signed).collect())
}

/// The last checkpoint for a number up to `number`.
pub fn checkpoint_before(tenant: TenantId, number: i64) -> Question<Option<Signed>> {
    let statement = Statement::new(
        "SELECT number, at, jwt FROM audit_checkpoint WHERE tenant_id = ? AND number <= ? ORDER BY number DESC LIMIT 1",
    );
    Question::new(statement.shown(tenant).bind(number), |rows| rows.into_iter().next().map(signed).transpose())
}

/// The last checkpoint that was signed at `at` or before.
pub fn checkpoint_at(tenant: TenantId, at: Timestamp) -> Question<Option<Signed>> {
    let statement = Statement::new(
        "SELECT number, at, jwt FROM audit_checkpoint WHERE tenant_id = ? AND at <= ? ORDER BY number DESC LIMIT 1",
    );
    Question::new(statement.shown(tenant).bind(at.micros()), |rows| rows.into_iter().next().map(signed).transpose())
}

/// The links after one number and up to another, at most `most`, with their events.
pub fn links(tenant: TenantId, after: i64, up_to: i64, most: i64) -> Question<Vec<Linked>> {
    let statement = Statement::new(
        "SELECT number, audit_link.at AS link_at, audit_link.event_id AS event_id, sealed_at, content, hash, \
         audit_event.id AS id, audit_event.at AS at, actor_kind, actor, actor_name, address, action, object, object_id, \
         correlation_id, detail \
         FROM audit_link LEFT JOIN audit_event ON audit_event.tenant_id = audit_link.tenant_id \
         AND audit_event.at = audit_link.at AND audit_event.id = audit_link.event_id \
         WHERE audit_link.tenant_id = ? AND number > ? AND number <= ? ORDER BY number LIMIT ?",
    );
    Question::new(statement.shown(tenant).bind(after).bind(up_to).bind(most), |rows| {
        let read = |row| {
            let row = Row::of("audit_link", row);
            Ok(Linked {
                link: link(&row)?,
                at: row.integer("link_at")?,
                event_id: row.text("event_id")?,
                event: if row.text_or_none("id")?.is_some() { Some(entry(&row)?) } else { None },
            })
        };
        rows.into_iter().map(read).collect()
    })
}

fn link(row: &Row) -> Result<Link> {
    Ok(Link {
        number: row.integer("number")?,
        sealed_at: row.integer("sealed_at")?,
        content: hash(row, "content")?,
        hash: hash(row, "hash")?,
    })
}

/// The link of one event.
pub fn link_of(tenant: TenantId, at: i64, event: &str) -> Question<Option<Link>> {
    let statement = Statement::new(
        "SELECT number, sealed_at, content, hash FROM audit_link WHERE tenant_id = ? AND at = ? AND event_id = ?",
    );
    Question::new(statement.shown(tenant).bind(at).bind(event), |rows| {
        rows.into_iter().next().map(|row| link(&Row::of("audit_link", row))).transpose()
    })
}

/// The lowest and the highest number of events from one time on, before another.
pub fn numbers_between(tenant: TenantId, from: i64, before: i64) -> Question<Option<(i64, i64)>> {
    let statement = Statement::new(
        "SELECT MIN(number) AS low, MAX(number) AS high FROM audit_link WHERE tenant_id = ? AND at >= ? AND at < ?",
    );
    Question::new(statement.shown(tenant).bind(from).bind(before), |rows| {
        let Some(row) = rows.into_iter().next() else { return Ok(None) };
        let row = Row::of("audit_link", row);
        Ok(row.integer_or_none("low")?.zip(row.integer_or_none("high")?))
    })
}

/// Notes of removed personal data after one number, at most `most`: the number and the detail of each.
pub fn notes(tenant: TenantId, after: i64, most: i64) -> Question<Vec<(i64, String)>> {
    let statement = Statement::new(
        // CROSS: SQLite would begin at the links, which are everything.
        "SELECT number, detail FROM audit_mark CROSS JOIN audit_link ON audit_link.tenant_id = audit_mark.tenant_id \
         AND audit_link.at = audit_mark.at AND audit_link.event_id = audit_mark.event_id \
         CROSS JOIN audit_event ON audit_event.tenant_id = audit_mark.tenant_id \
         AND audit_event.at = audit_mark.at AND audit_event.id = audit_mark.event_id \
         WHERE audit_mark.tenant_id = ? AND mark = ? AND number > ? ORDER BY number LIMIT ?",
    );
    let statement = statement.shown(tenant).bind(action_mark(REMOVAL_ACTION)).bind(after).bind(most);
    Question::new(statement, |rows| {
        let read = |row| {
            let row = Row::of("audit_event", row);
            Ok((row.integer("number")?, row.text("detail")?))
        };
        rows.into_iter().map(read).collect()
    })
}

/// The time of the oldest event that has a link.
pub fn oldest(tenant: TenantId) -> Question<Option<i64>> {
    let statement = Statement::new("SELECT MIN(at) AS low FROM audit_link WHERE tenant_id = ?");
    Question::new(statement.shown(tenant), |rows| {
        rows.into_iter().next().map_or(Ok(None), |row| Row::of("audit_link", row).integer_or_none("low"))
    })
}

/// Writes down what is left of an event whose personal data is removed.
///
/// # Errors
/// If the database fails.
pub async fn strip(connection: &mut Connection, tenant: TenantId, left: &Entry) -> Result<()> {
    Statement::new(
        "UPDATE audit_event SET actor = ?, actor_name = ?, address = ?, object_id = ?, detail = ? \
         WHERE tenant_id = ? AND at = ? AND id = ?",
    )
    .bind(&left.actor)
    .bind(left.actor_name.clone())
    .bind(&left.address)
    .bind(&left.object_id)
    .bind(&left.detail)
    .shown(tenant)
    .bind(left.at)
    .bind(&left.id)
    .run(connection)
    .await?;
    Ok(())
}

/// Moves the base of the chain to a number that has a checkpoint, and forgets the checkpoints before. `false` if it is there
/// already. What lies before it is not part of the chain any more, and can be removed without haste.
///
/// # Errors
/// If the database fails.
pub async fn cut(connection: &mut Connection, tenant: TenantId, base: i64) -> Result<bool> {
    let moved = Statement::new("UPDATE audit_chain SET base = ? WHERE tenant_id = ? AND base < ?")
        .bind(base)
        .shown(tenant)
        .bind(base)
        .run(&mut *connection)
        .await?;
    if moved == 0 {
        return Ok(false);
    }
    Statement::new("DELETE FROM audit_checkpoint WHERE tenant_id = ? AND number < ?")
        .shown(tenant)
        .bind(base)
        .run(connection)
        .await?;
    Ok(true)
}

/// Removes links that the chain was cut behind, with their events and marks.
///
/// # Errors
/// If the database fails.
pub async fn remove(connection: &mut Connection, tenant: TenantId, gone: &[Linked]) -> Result<()> {
    let Some(last) = gone.last() else { return Ok(()) };
    for gone in gone {
        if let Some(event) = &gone.event {
            for mark in marks(event) {
                Statement::new("DELETE FROM audit_mark WHERE tenant_id = ? AND mark = ? AND at = ? AND event_id = ?")
                    .shown(tenant)
                    .bind(mark)
                    .bind(gone.at)
                    .bind(&gone.event_id)
                    .run(&mut *connection)
                    .await?;
            }
        }
        Statement::new("DELETE FROM audit_event WHERE tenant_id = ? AND at = ? AND id = ?")
            .shown(tenant)
            .bind(gone.at)
            .bind(&gone.event_id)
            .run(&mut *connection)
            .await?;
    }
    Statement::new("DELETE FROM audit_link WHERE tenant_id = ? AND number <= ?")
        .shown(tenant)
        .bind(last.link.number)
        .run(connection)
        .await?;
    Ok(())
}
