//! Logs as streams: the oldest entry first, each with a cursor, so that whoever reads goes on where they were, without gaps and
//! without doubles.
//!
//! Entries of the audit trail, and with it of the authentication log, are numbered when they are sealed, one after the other; the
//! number is the cursor, and an event that came late has a later one. Entries of the access log lie in the order of the time at
//! which their request began. No request takes longer than half a minute, so an entry that is a minute old has none before it
//! that is still to come: younger ones are not given.

use std::time::Duration;

use serde_json::{Map, Value};

use super::reports::{self, Kind, Wrong};
use crate::domain::audit::authentication;
use crate::domain::ids::TenantId;
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::storage::audit_list::{self, Place, place_of, place_text};
use crate::storage::{self, Connection, access_log, audit_chain};

/// How old an entry of the access log is before it is given.
pub const SETTLED: Duration = Duration::from_secs(60);
/// How many rows are read with one question.
const CHUNK: i64 = 1000;
/// How many such questions one answer may take: what is seldom may need some more answers.
const CHUNKS: usize = 20;
/// The most entries in one answer.
pub const MOST: usize = 10_000;

/// The logs there are streams of.
pub const LOGS: [Kind; 3] = [Kind::Access, Kind::Authentication, Kind::Audit];

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it is: whoever has read it goes on after it.
    pub cursor: String,
    /// When it happened.
    pub at: Timestamp,
    /// Its columns, by their stable names. Old and new values and details are objects.
    pub says: Value,
}

/// Some entries, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    /// The entries.
    pub lines: Vec<Line>,
    /// Where to go on: after the last one, or after what was looked at and does not belong to this log.
    pub next: String,
    /// Whether there is more at this moment.
    pub more: bool,
}

fn wrong(message: &str) -> Vec<Wrong> {
    vec![Wrong { filter: "after", message: message.to_owned() }]
}

/// Where a stream begins that shall have nothing of what was before: at what happens from now on.
///
/// # Errors
/// If the database fails.
pub async fn end(connection: &mut Connection, tenant: TenantId, kind: Kind, now: Timestamp) -> storage::Result<String> {
    Ok(match kind {
        Kind::Access => place_text(&(now.minus(SETTLED).micros(), LAST.to_owned())),
        _ => {
            let state = audit_chain::state(tenant).ask(connection).await?;
            state.map_or(0, |state| state.head.number).to_string()
        }
    })
}

/// Sorts after every identifier.
const LAST: &str = "~";

/// The entries after the cursor `after`, or without one from the time `from` on, at most `limit`.
///
/// # Errors
/// If the database fails. What is wrong with the cursor is the inner error.
pub async fn read(
    connection: &mut Connection,
    config: &TenantConfig,
    kind: Kind,
    (after, from): (Option<&str>, Option<Timestamp>),
    limit: usize,
    now: Timestamp,
) -> storage::Result<Result<Lines, Vec<Wrong>>> {
    let limit = limit.clamp(1, MOST);
    if kind == Kind::Access {
        let begin = (from.map_or(-1, |from| from.micros() - 1), LAST.to_owned());
        let place = match after {
            None => begin,
            Some(text) => match place_of(text) {
                Some(place) => place,
                None => return Ok(Err(wrong("is no cursor of this log"))),
            },
        };
        return access(connection, config, place, limit, now).await.map(Ok);
    }
    let number = match after {
        Some(text) => match text.parse::<i64>() {
            Ok(number) if number >= 0 => number,
            _ => return Ok(Err(wrong("is no cursor of this log"))),
        },
        None => first(connection, config.tenant.id, from).await?,
    };
    audit(connection, config, kind, number, limit).await.map(Ok)
}

/// The number before the first event from a time on.
async fn first(connection: &mut Connection, tenant: TenantId, from: Option<Timestamp>) -> storage::Result<i64> {
    let Some(from) = from else { return Ok(0) };
    let found = audit_chain::numbers_between(tenant, from.micros(), i64::MAX).ask(connection).await?;
    match found {
        Some((low, _)) => Ok(low - 1),
        // Nothing is that young yet.
        None => Ok(audit_chain::state(tenant).ask(connection).await?.map_or(0, |state| state.head.number)),
    }
}

async fn access(
    connection: &mut Connection,
    config: &TenantConfig,
    place: Place,
    limit: usize,
    now: Timestamp,
) -> storage::Result<Lines> {
    let most = i64::try_from(limit).unwrap_or(i64::MAX) + 1;
    let until = now.minus(SETTLED);
    let mut rows = access_log::after(config.tenant.id, &place, until, most).ask(connection).await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let places: Vec<(Timestamp, String)> =
        rows.iter().map(|row| (row.at, place_text(&(row.at.micros(), row.id.clone())))).collect();
    let table = reports::access(config, access_log::Page { rows, next: None });
    let lines: Vec<Line> = table
        .rows
        .into_iter()
        .zip(places)
        .map(|(row, (at, cursor))| Line { cursor, at, says: says(Kind::Access, row) })
        .collect();
    let next = lines.last().map_or_else(|| place_text(&place), |last| last.cursor.clone());
    Ok(Lines { lines, next, more })
}

async fn audit(
    connection: &mut Connection,
    config: &TenantConfig,
    kind: Kind,
    mut number: i64,
    limit: usize,
) -> storage::Result<Lines> {
    let tenant = config.tenant.id;
    let mut lines = Vec::new();
    for _ in 0..CHUNKS {
        let links = audit_chain::links(tenant, number, i64::MAX, CHUNK).ask(connection).await?;
        let whole = i64::try_from(links.len()).unwrap_or(i64::MAX) < CHUNK;
        let belongs = |action: &str| kind == Kind::Audit || authentication::of(action).is_some();
        let mut numbers = Vec::new();
        let mut events = Vec::new();
        let mut full = false;
        for linked in links {
            let event = linked.event.filter(|event| belongs(&event.action));
            if event.is_some() && lines.len() + events.len() == limit {
                full = true;
                break;
            }
            number = linked.link.number;
            if let Some(event) = event {
                numbers.push((linked.link.number, event.at));
                events.push(event);
            }
        }
        let page = audit_list::Page { events, next: None };
        let table = reports::events(connection, tenant, kind, page).await?;
        lines.extend(table.rows.into_iter().zip(numbers).map(|(row, (number, at))| Line {
            cursor: number.to_string(),
            at: Timestamp::from_micros(at),
            says: says(kind, row),
        }));
        if full || whole {
            return Ok(Lines { lines, next: number.to_string(), more: full });
        }
    }
    Ok(Lines { lines, next: number.to_string(), more: true })
}

/// The columns of a row by their names; empty ones are left out, and what is JSON is JSON.
fn says(kind: Kind, row: Vec<String>) -> Value {
    let columns = kind.columns().iter().map(|(id, _)| *id);
    let named = columns.zip(row).filter(|(_, text)| !text.is_empty()).map(|(id, text)| {
        let object = matches!(id, "old" | "new" | "detail").then(|| serde_json::from_str(&text).ok()).flatten();
        (id.to_owned(), object.unwrap_or(Value::String(text)))
    });
    Value::Object(named.collect::<Map<_, _>>())
}
