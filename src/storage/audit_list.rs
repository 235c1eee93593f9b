//! The audit trail as a list: narrowed by who, what, to what, in which login and when, the newest first.
//!
//! What an operator looks for by name is found by the marks that were written when an event was sealed; what happens in every
//! login is found by reading on. A page is never the work of more than some thousand rows: it may be short while there is more.

use std::collections::{BTreeMap, BTreeSet};

use super::audit::SettingsChange;
use super::audit_chain::{
    self, action_mark, entries, is_kind_marked, is_marked, is_object_marked, kind_mark, object_mark, subject_mark,
};
use super::row::Row;
use super::statement::{Question, Statement};
use super::{Connection, Error, Result, audit};
use crate::domain::audit::chain::Entry;
use crate::domain::ids::{CorrelationId, TenantId};
use crate::domain::timestamp::Timestamp;

/// How many rows are read with one question.
const CHUNK: i64 = 500;
/// How many such questions a page may take.
const CHUNKS: usize = 8;

/// What the list is narrowed by; nothing shows everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// By, or about, whoever or whatever has this identifier or name.
    pub subject: Option<String>,
    /// By actors of one of these kinds; empty for all.
    pub kinds: Vec<String>,
    /// One of these published names; empty for all.
    pub actions: Vec<String>,
    /// About objects of this kind.
    pub object: Option<String>,
    /// In this login.
    pub correlation: Option<CorrelationId>,
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub to: Option<Timestamp>,
}

impl Filter {
    fn lets_through(&self, event: &Entry) -> bool {
        let of = |wanted: &[String], found: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == found);
        of(&self.kinds, &event.actor_kind)
            && of(&self.actions, &event.action)
            && self.object.as_ref().is_none_or(|object| *object == event.object)
            && self.subject.as_ref().is_none_or(|subject| event.actor == *subject || event.object_id == *subject)
            && self.from.is_none_or(|from| event.at >= from.micros())
            && self.to.is_none_or(|to| event.at < to.micros())
    }

    /// The marks that together hold everything that fits, if there are such: those that are fewest first.
    fn marks(&self) -> Option<Vec<String>> {
        if let Some(subject) = &self.subject {
            return Some(vec![subject_mark(subject)]);
        }
        let all = |wanted: &[String], marked: fn(&str) -> bool, mark: fn(&str) -> String| {
            let fit = !wanted.is_empty() && wanted.iter().all(|wanted| marked(wanted));
            fit.then(|| wanted.iter().map(|wanted| mark(wanted)).collect::<Vec<_>>())
        };
        let object = self.object.iter().cloned().collect::<Vec<_>>();
        all(&self.actions, is_marked, action_mark)
            .or_else(|| all(&object, is_object_marked, object_mark))
            .or_else(|| all(&self.kinds, is_kind_marked, kind_mark))
    }
}

/// A page of the list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The events, the newest first.
    pub events: Vec<Entry>,
    /// Where the next page begins, to be given back; `None` at the end.
    pub next: Option<Place>,
}

/// The key of an event: the list goes on after it.
pub type Place = (i64, String);

/// A place as text, for addresses.
#[must_use]
pub fn place_text((at, id): &Place) -> String {
    format!("{at}.{id}")
}

/// A place from its text.
#[must_use]
pub fn place_of(text: &str) -> Option<Place> {
    let (at, id) = text.split_once('.')?;
    Some((at.parse().ok()?, id.to_owned()))
}

/// A page of the events that `filter` lets through, after the place that an earlier page gave.
///
/// # Errors
/// If the database fails.
pub async fn page(
    connection: &mut Connection,
    tenant: TenantId,
    filter: &Filter,
    after: Option<&Place>,
    limit: usize,
) -> Result<Page> {
    if let Some(login) = filter.correlation {
        let mut events = audit::of_login(tenant, login).ask(connection).await?;
        events.reverse();
        events.retain(|event| filter.lets_through(event));
        events.retain(|event| after.is_none_or(|(at, id)| (event.at, &event.id) < (*at, id)));
        return Ok(cut(events, limit));
    }
    let start = after.cloned().unwrap_or((filter.to.map_or(i64::MAX, Timestamp::micros), String::new()));
    match filter.marks() {
        None => scanned(connection, tenant, filter, start, i64::MIN, limit).await,
        Some(marks) => {
            // What is not sealed yet has no marks.
            let state = audit_chain::state(tenant).ask(connection).await?;
            let seen = state.map_or(i64::MIN, |state| state.seen.0);
            let fresh = scanned(connection, tenant, filter, start.clone(), seen, limit).await?;
            if fresh.next.is_some() {
                return Ok(fresh);
            }
            marked(connection, tenant, filter, &marks, start, fresh.events, limit).await
        }
    }
}

/// The last changes of a virtual server's settings, the newest first, at most so many.
///
/// # Errors
/// If the database fails or a row is broken.
pub async fn settings_changes(
    connection: &mut Connection,
    tenant: TenantId,
    most: usize,
) -> Result<Vec<SettingsChange>> {
    let filter = Filter { actions: vec!["tenant_changed".to_owned()], ..Filter::default() };
    let found = page(connection, tenant, &filter, None, most).await?;
    let read = |event: Entry| {
        let broken = |_| Error::Broken { table: "audit_event", column: "detail", row: event.id.clone() };
        let detail = serde_json::from_str(&event.detail).map_err(broken)?;
        let actor = event.actor_name.unwrap_or(event.actor);
        Ok(SettingsChange { at: Timestamp::from_micros(event.at), actor, detail })
    };
    found.events.into_iter().map(read).collect()
}

fn cut(mut events: Vec<Entry>, limit: usize) -> Page {
    let more = events.len() > limit;
    events.truncate(limit);
    let next = events.last().filter(|_| more).map(|last| (last.at, last.id.clone()));
    Page { events, next }
}

/// Reads the trail itself, from `place` back to `oldest`.
async fn scanned(
    connection: &mut Connection,
    tenant: TenantId,
    filter: &Filter,
    mut place: Place,
    oldest: i64,
    limit: usize,
) -> Result<Page> {
    let from = filter.from.map_or(i64::MIN, Timestamp::micros).max(oldest);
    let mut events = Vec::new();
    for _ in 0..CHUNKS {
        let chunk = before(tenant, &place, from, CHUNK).ask(connection).await?;
        let whole = i64::try_from(chunk.len()).unwrap_or(i64::MAX) < CHUNK;
        if let Some(last) = chunk.last() {
            place = (last.at, last.id.clone());
        }
        events.extend(chunk.into_iter().filter(|event| filter.lets_through(event)));
        if events.len() > limit || whole {
            return Ok(cut(events, limit));
        }
    }
    Ok(Page { events, next: Some(place) })
}

/// Reads along marks, the newest first.
async fn marked(
    connection: &mut Connection,
    tenant: TenantId,
    filter: &Filter,
    marks: &[String],
    start: Place,
    fresh: Vec<Entry>,
    limit: usize,
) -> Result<Page> {
    let from = filter.from.map_or(i64::MIN, Timestamp::micros);
    // Sorted by key; an event with two of the marks is there once.
    let mut found: BTreeMap<Place, Entry> =
        fresh.into_iter().map(|event| ((event.at, event.id.clone()), event)).collect();
    // Up to where everything is known: the youngest end of what was read along each mark.
    let mut known = i64::MIN;
    let mut ended: BTreeSet<&String> = BTreeSet::new();
    let mut places: BTreeMap<&String, Place> = marks.iter().map(|mark| (mark, start.clone())).collect();
    let rounds = (CHUNKS / marks.len()).max(1);
    for _ in 0..rounds {
        known = i64::MIN;
        for mark in marks {
            if ended.contains(mark) {
                continue;
            }
            let Some(place) = places.get_mut(mark) else { continue };
            let chunk = along(tenant, mark, place, from, CHUNK / 2).ask(connection).await?;
            if i64::try_from(chunk.len()).unwrap_or(i64::MAX) < CHUNK / 2 {
                ended.insert(mark);
            }
            if let Some(last) = chunk.last() {
                *place = (last.at, last.id.clone());
                if !ended.contains(mark) {
                    known = known.max(last.at);
                }
            }
            for event in chunk.into_iter().filter(|event| filter.lets_through(event)) {
                found.insert((event.at, event.id.clone()), event);
            }
        }
        let certain = found.keys().filter(|(at, _)| *at > known).count();
        if certain > limit || ended.len() == marks.len() {
            break;
        }
    }
    let events: Vec<Entry> =
        found.into_iter().rev().filter(|((at, _), _)| *at > known).map(|(_, event)| event).collect();
    let mut page = cut(events, limit);
    if page.next.is_none() && ended.len() < marks.len() {
        // The place after which nothing is known: the page is short, and the next one goes on there.
        page.next = Some((known, LAST.to_owned()));
    }
    Ok(page)
}

/// Sorts after every identifier.
const LAST: &str = "~";

/// Events before a place and not before a time, the newest first.
fn before(tenant: TenantId, (at, id): &Place, from: i64, most: i64) -> Question<Vec<Entry>> {
    let statement = Statement::new(
        "SELECT id, at, actor_kind, actor, actor_name, address, action, object, object_id, correlation_id, detail \
         FROM audit_event WHERE tenant_id = ? AND at <= ? AND at >= ? AND (at < ? OR id < ?) \
         ORDER BY at DESC, id DESC LIMIT ?",
    );
    Question::new(statement.shown(tenant).bind(*at).bind(from).bind(*at).bind(id).bind(most), entries)
}

/// Events with a mark before a place and not before a time, the newest first.
fn along(tenant: TenantId, mark: &str, (at, id): &Place, from: i64, most: i64) -> Question<Vec<Entry>> {
    let statement = Statement::new(
        "SELECT id, audit_event.at AS at, actor_kind, actor, actor_name, address, action, object, object_id, \
         correlation_id, detail FROM audit_mark JOIN audit_event ON audit_event.tenant_id = audit_mark.tenant_id \
         AND audit_event.at = audit_mark.at AND audit_event.id = audit_mark.event_id \
         WHERE audit_mark.tenant_id = ? AND mark = ? AND audit_mark.at <= ? AND audit_mark.at >= ? \
         AND (audit_mark.at < ? OR event_id < ?) ORDER BY audit_mark.at DESC, event_id DESC LIMIT ?",
    );
    let statement = statement.shown(tenant).bind(mark).bind(*at).bind(from).bind(*at).bind(id);
    Question::new(statement.bind(most), entries)
}

/// One event by its key.
pub fn event(tenant: TenantId, (at, id): &Place) -> Question<Option<Entry>> {
    let statement = Statement::new(
        "SELECT id, at, actor_kind, actor, actor_name, address, action, object, object_id, correlation_id, detail \
         FROM audit_event WHERE tenant_id = ? AND at = ? AND id = ?",
    );
    Question::new(statement.shown(tenant).bind(*at).bind(id), |rows| Ok(entries(rows)?.into_iter().next()))
}

/// How often something that has a mark happened in each step of a span of time: when the step begins, and how often. `step` is in
/// microseconds.
pub fn counted(
    tenant: TenantId,
    action: &str,
    (from, to): (Timestamp, Timestamp),
    step: i64,
) -> Question<Vec<(Timestamp, i64)>> {
    let statement = Statement::new(
        "SELECT at - at % ? AS slot, COUNT(*) AS n FROM audit_mark WHERE tenant_id = ? AND mark = ? AND at >= ? AND at < ? \
         GROUP BY slot ORDER BY slot",
    );
    let statement = statement.bind(step).shown(tenant).bind(action_mark(action)).bind(from.micros()).bind(to.micros());
    Question::new(statement, |rows| {
        let read = |row| {
            let row = Row::of("audit_mark", row);
            Ok((row.time("slot")?, row.integer("n")?))
        };
        rows.into_iter().map(read).collect()
    })
}

/// Of operators, keys and shell accounts: kind, identifier, what they were called, what they did, how often.
pub type ByOperators = Vec<(String, String, Option<String>, String, i64)>;

/// What operators, keys and shell accounts have done from a time on, before another where one is given.
pub fn by_operators(tenant: TenantId, from: Timestamp, until: Option<Timestamp>) -> Question<ByOperators> {
    let statement = Statement::new(
        // CROSS: SQLite would begin at the events, which are everybody's.
        "SELECT actor_kind, actor, actor_name, action, COUNT(*) AS n \
         FROM audit_mark CROSS JOIN audit_event ON audit_event.tenant_id = audit_mark.tenant_id \
         AND audit_event.at = audit_mark.at AND audit_event.id = audit_mark.event_id \
         WHERE audit_mark.tenant_id = ? AND mark IN ('as:operator', 'as:api_key', 'as:shell') AND audit_mark.at >= ? \
         AND audit_mark.at < ? \
         GROUP BY actor_kind, actor, actor_name, action",
    );
    let until = until.map_or(i64::MAX, Timestamp::micros);
    Question::new(statement.shown(tenant).bind(from.micros()).bind(until), |rows| {
        let read = |row| {
            let row = Row::of("audit_event", row);
            let who = (row.text("actor_kind")?, row.text("actor")?, row.text_or_none("actor_name")?);
            Ok((who.0, who.1, who.2, row.text("action")?, row.integer("n")?))
        };
        rows.into_iter().map(read).collect()
    })
}
