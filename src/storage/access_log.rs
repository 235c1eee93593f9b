//! The access log: one entry for each access attempt.

use super::audit_list::Place;
use super::row::Row;
use super::statement::{Question, Record, Statement};
use super::{Connection, Result};
use crate::domain::ids::{ApplicationId, CorrelationId, EventId, TenantId, UserId};
use crate::domain::timestamp::Timestamp;

/// How an access attempt ended.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The virtual server.
    pub tenant: TenantId,
    /// When it ended.
    pub at: Timestamp,
    /// The login it belongs to.
    pub correlation: CorrelationId,
    /// The person, if known.
    pub user: Option<UserId>,
    /// What was to be reached.
    pub application: ApplicationId,
    /// `success`, `failure` or `denied`.
    pub result: &'static str,
    /// A published reason.
    pub reason: String,
    /// The policy that decided.
    pub policy: String,
    /// The scenario of it that decided.
    pub scenario: Option<String>,
    /// What was proven, such as `password otp`.
    pub methods: String,
    /// Where it came from.
    pub address: String,
}

/// The statement that writes an entry.
pub fn entry(id: EventId, entry: &Entry) -> Statement {
    Statement::new(
        "INSERT INTO access_log (tenant_id, id, at, correlation_id, user_id, application_id, result, reason, policy, \
         scenario, methods, address) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(entry.tenant)
    .shown(id)
    .bind(entry.at.micros())
    .shown(entry.correlation)
    .bind(entry.user.map(|id| id.to_string()))
    .shown(entry.application)
    .shown(entry.result)
    .shown(&entry.reason)
    .shown(&entry.policy)
    .bind(entry.scenario.clone())
    .shown(&entry.methods)
    .shown(&entry.address)
}

/// One access attempt of a person, by its key.
pub fn of_user_at(tenant: TenantId, user: UserId, (at, id): &Place) -> Question<Option<Told>> {
    let statement = Statement::composed(&ONE_OF_USER).shown(tenant).bind(*at).bind(id).shown(user);
    Question::new(statement, |rows| rows.into_iter().next().map(told).transpose())
}

/// Whether a person was let in to an application from an address since.
pub fn was_let_in(
    tenant: TenantId,
    (user, application): (UserId, ApplicationId),
    (address, since): (&str, Timestamp),
) -> Question<bool> {
    let statement = Statement::new(
        "SELECT 1 AS n FROM access_log WHERE tenant_id = ? AND user_id = ? AND at >= ? AND application_id = ? \
         AND address = ? AND result = 'success' LIMIT 1",
    );
    let statement =
        statement.shown(tenant).bind(user.to_string()).bind(since.micros()).shown(application).shown(address);
    Question::new(statement, |rows| Ok(!rows.is_empty()))
}

/// Removes some entries that ended before `old`: at most those of one day, so that nobody waits long. Says how many; 0 when
/// there is none left.
///
/// # Errors
/// If the database fails.
pub async fn remove_before(connection: &mut Connection, tenant: TenantId, old: Timestamp) -> Result<u64> {
    let oldest = Statement::new("SELECT MIN(at) AS low FROM access_log WHERE tenant_id = ?");
    let oldest = oldest.shown(tenant).only(&mut *connection).await?;
    let Ok(Some(oldest)) = oldest.number("low") else { return Ok(0) };
    let day = Timestamp::from_micros(oldest).plus(std::time::Duration::from_secs(86_400));
    Statement::new("DELETE FROM access_log WHERE tenant_id = ? AND at < ?")
        .shown(tenant)
        .bind(day.min(old).micros())
        .run(connection)
        .await
}

/// What the list of entries is narrowed by; nothing shows everything.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this person.
    pub user: Option<UserId>,
    /// To this application.
    pub application: Option<ApplicationId>,
    /// `success`, `failure` or `denied`.
    pub result: Option<String>,
    /// A published reason.
    pub reason: Option<String>,
    /// Of this login.
    pub correlation: Option<CorrelationId>,
    /// Ended at this time or later.
    pub from: Option<Timestamp>,
    /// Ended before this time.
    pub to: Option<Timestamp>,
}

impl Filter {
    fn lets_through(&self, row: &Told) -> bool {
        self.user.is_none_or(|user| row.user == Some(user))
            && self.application.is_none_or(|application| row.application == application)
            && self.result.as_ref().is_none_or(|result| *result == row.result)
            && self.reason.as_ref().is_none_or(|reason| *reason == row.reason)
            && self.correlation.is_none_or(|correlation| row.correlation == correlation)
    }
}

/// An entry, with what its person is called.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its key.
    pub at: Timestamp,
    /// See [`Told::at`].
    pub id: String,
    /// The login.
    pub correlation: CorrelationId,
    /// The person, if known.
    pub user: Option<UserId>,
    /// The user name; `None` where the account is gone.
    pub username: Option<String>,
    /// The mail address; `None` where the account is gone or has none.
    pub email: Option<String>,
    /// The second name for the login; `None` where the account is gone or has none.
    pub alias: Option<String>,
    /// What was to be reached.
    pub application: ApplicationId,
    /// `success`, `failure` or `denied`.
    pub result: String,
    /// A published reason.
    pub reason: String,
    /// The policy that decided.
    pub policy: String,
    /// The scenario of it that decided.
    pub scenario: Option<String>,
    /// What was proven.
    pub methods: String,
    /// From where.
    pub address: String,
}

/// A page of the list.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The entries, the newest first.
    pub rows: Vec<Told>,
    /// Where the next page begins, to be given back; `None` at the end.
    pub next: Option<Place>,
}

/// How many rows are read with one question …
const CHUNK: i64 = 500;
/// … and how many such questions a page may take: a page of which little fits is short, and says where the next begins.
const CHUNKS: usize = 6;

const COLUMNS: &str = "SELECT access_log.at AS at, access_log.id AS id, correlation_id, access_log.user_id AS user_id, username, \
     email, alias, application_id, result, reason, policy, scenario, methods, address FROM ";
const PERSON: &str = "LEFT JOIN user_account ON user_account.tenant_id = access_log.tenant_id \
     AND user_account.id = access_log.user_id ";
/// Entries that were found in an index alone, and are read then: asked for in one go, SQLite looks through everybody's.
const FOUND: &str = "ORDER BY at DESC, id DESC LIMIT ?) AS few JOIN access_log ON access_log.tenant_id = few.tenant_id \
     AND access_log.at = few.at AND access_log.id = few.id ";
const NEWEST: &str = "ORDER BY access_log.at DESC, access_log.id DESC";

const OF_ALL: [&str; 4] = [
    COLUMNS,
    "access_log ",
    PERSON,
    "WHERE access_log.tenant_id = ? AND at <= ? AND at >= ? AND (at < ? OR access_log.id < ?) \
     ORDER BY at DESC, access_log.id DESC LIMIT ?",
];
const OF_USER: [&str; 5] = [
    COLUMNS,
    "(SELECT tenant_id, at, id FROM access_log WHERE tenant_id = ? AND user_id = ? AND at <= ? AND at >= ? \
     AND (at < ? OR id < ?) ",
    FOUND,
    PERSON,
    NEWEST,
];
const ONE_OF_USER: [&str; 4] = [
    COLUMNS,
    "access_log ",
    PERSON,
    "WHERE access_log.tenant_id = ? AND at = ? AND access_log.id = ? AND access_log.user_id = ?",
];
// The condition is said twice: an engine that has an index of a part of the table must see that the part is enough.
const REFUSED: [&str; 5] = [
    COLUMNS,
    "(SELECT tenant_id, at, id FROM access_log WHERE tenant_id = ? AND result = ? AND result <> 'success' AND at <= ? \
     AND at >= ? AND (at < ? OR id < ?) ",
    FOUND,
    PERSON,
    NEWEST,
];
const FROM: [&str; 4] = [
    COLUMNS,
    "access_log ",
    PERSON,
    "WHERE access_log.tenant_id = ? AND at >= ? AND (at > ? OR access_log.id > ?) AND at <= ? \
     ORDER BY at, access_log.id LIMIT ?",
];

/// A page of the entries that `filter` lets through, after the place that an earlier page gave.
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
    let mut place = after.cloned().unwrap_or((filter.to.map_or(i64::MAX, Timestamp::micros), String::new()));
    let mut from = filter.from.map_or(i64::MIN, Timestamp::micros);
    if let Some(login) = filter.correlation {
        // Its identifier begins with its time.
        let (first, last) = super::audit::span_of(login);
        from = from.max(first);
        place = place.min((last, String::new()));
    }
    let mut rows: Vec<Told> = Vec::new();
    // Where all fit, one page is enough.
    let mut most = CHUNK.min(i64::try_from(limit).unwrap_or(CHUNK).saturating_add(1));
    for _ in 0..CHUNKS {
        let statement = match (&filter.user, filter.result.as_deref()) {
            (Some(user), _) => Statement::composed(&OF_USER).shown(tenant).shown(user),
            (None, Some(result @ ("failure" | "denied"))) => Statement::composed(&REFUSED).shown(tenant).bind(result),
            (None, _) => Statement::composed(&OF_ALL).shown(tenant),
        };
        let found = statement.bind(place.0).bind(from).bind(place.0).bind(&place.1).bind(most).rows(connection).await?;
        let whole = i64::try_from(found.len()).unwrap_or(i64::MAX) < most;
        most = CHUNK;
        for row in found {
            let row = told(row)?;
            place = (row.at.micros(), row.id.clone());
            if filter.lets_through(&row) {
                rows.push(row);
            }
        }
        if rows.len() > limit || whole {
            let more = rows.len() > limit;
            rows.truncate(limit);
            let next = rows.last().filter(|_| more).map(|last| (last.at.micros(), last.id.clone()));
            return Ok(Page { rows, next });
        }
    }
    Ok(Page { rows, next: Some(place) })
}

/// Entries after a place that ended no later than `until`, the oldest first, at most `most`.
pub fn after(tenant: TenantId, (at, id): &Place, until: Timestamp, most: i64) -> Question<Vec<Told>> {
    let statement =
        Statement::composed(&FROM).shown(tenant).bind(*at).bind(*at).bind(id).bind(until.micros()).bind(most);
    Question::new(statement, |rows| rows.into_iter().map(told).collect())
}

fn told(row: Record) -> Result<Told> {
    let row = Row::of("access_log", row);
    Ok(Told {
        at: row.time("at")?,
        id: row.text("id")?,
        correlation: row.parsed("correlation_id")?,
        user: row.parsed_or_none("user_id")?,
        username: row.text_or_none("username")?,
        email: row.text_or_none("email")?,
        alias: row.text_or_none("alias")?,
        application: row.parsed("application_id")?,
        result: row.text("result")?,
        reason: row.text("reason")?,
        policy: row.text("policy")?,
        scenario: row.text_or_none("scenario")?,
        methods: row.text("methods")?,
        address: row.text("address")?,
    })
}

/// How many entries of each result ended in each of the steps of a span of time: when the step begins, the result, how many.
/// Counting a range needs a tenth of the time that looking at the result of each entry does, and most of them are successes.
///
/// # Errors
/// If the database fails.
pub async fn counted(
    connection: &mut Connection,
    tenant: TenantId,
    steps: &[Timestamp],
    step: std::time::Duration,
) -> Result<Vec<(Timestamp, &'static str, i64)>> {
    let mut counted = Vec::with_capacity(steps.len() * 3);
    for begin in steps {
        let end = begin.plus(step);
        let mut refused = 0;
        for result in ["failure", "denied"] {
            let some = "SELECT COUNT(*) AS n FROM access_log WHERE tenant_id = ? AND result = ? AND result <> 'success' \
                AND at >= ? AND at < ?";
            let n = number(connection, Statement::new(some).shown(tenant).bind(result), *begin, end).await?;
            refused += n;
            counted.push((*begin, result, n));
        }
        // Last: what is refused meanwhile is in this number, not in those before, and never makes it smaller than they are.
        let all = "SELECT COUNT(*) AS n FROM access_log WHERE tenant_id = ? AND at >= ? AND at < ?";
        let all = number(connection, Statement::new(all).shown(tenant), *begin, end).await?;
        counted.push((*begin, "success", (all - refused).max(0)));
    }
    Ok(counted)
}

async fn number(connection: &mut Connection, asked: Statement, begin: Timestamp, end: Timestamp) -> Result<i64> {
    let row = asked.bind(begin.micros()).bind(end.micros()).only(connection).await?;
    Row::of("access_log", row).integer("n")
}
