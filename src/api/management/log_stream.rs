//! Logs as streams of JSON objects, one on each line, the oldest first. Whoever has read a line goes on after its cursor,
//! at any time and from anywhere: nothing is missed and nothing comes twice.

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::io::Query;
use super::problem::Problem;
use super::spec::LINES;
use super::{Answer, Api};
use crate::domain::operator::{Deed, Module};
use crate::domain::timestamp::Timestamp;
use crate::flow::administration::log_stream::{self, MOST};
use crate::flow::administration::reports::{self, Asked, Kind};
use crate::http::guard::Program;

/// Where to begin, and how much.
#[derive(Debug, Clone, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Span {
    /// The `cursor` of the last line that was read, or the `next` of the last line of an answer; without it the stream begins with
    /// the oldest entry.
    after: Option<String>,
    /// Without `after`: begins at this time, a day or RFC 3339.
    from: Option<String>,
    /// How many entries at most, 1 to 10000; 1000 if it is not said.
    #[schemars(range(min = 1, max = 10_000))]
    limit: Option<u32>,
}

/// A line: an entry, or the last line of an answer.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "LogLine")]
struct Entry {
    /// Of an entry: where it is.
    cursor: Option<String>,
    /// Of the last line: where to go on.
    next: Option<String>,
    /// Of the last line: whether there is more at this moment. If not, ask again later.
    more: Option<bool>,
    /// Of an entry: its columns by their stable names, as `access-log`, `authentication-log` and `audit-log` have them; empty ones
    /// are left out.
    #[serde(flatten)]
    columns: Map<String, Value>,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let access = Module::AccessLog.needs(Deed::Export);
    api.get("logs/access", access, "The access log as a stream", of_access).query::<Span>().gives_lines::<Entry>();
    api.get("logs/authentication", access, "The authentication log as a stream", of_authentication)
        .query::<Span>()
        .gives_lines::<Entry>();
    api.get("logs/audit", Module::AuditLog.needs(Deed::Export), "The audit log as a stream", of_audit)
        .query::<Span>()
        .gives_lines::<Entry>();
}

async fn of_access(program: Program, Query(span): Query<Span>) -> Answer {
    stream(&program, &span, Kind::Access).await
}

async fn of_authentication(program: Program, Query(span): Query<Span>) -> Answer {
    stream(&program, &span, Kind::Authentication).await
}

async fn of_audit(program: Program, Query(span): Query<Span>) -> Answer {
    stream(&program, &span, Kind::Audit).await
}

async fn stream(program: &Program, span: &Span, kind: Kind) -> Answer {
    let malformed = |words: &str| Problem::new(400, "malformed", format!("the query cannot be read: {words}"));
    let limit = match span.limit {
        None => 1000,
        Some(limit) => {
            let limit = usize::try_from(limit).ok().filter(|limit| (1..=MOST).contains(limit));
            limit.ok_or_else(|| malformed("limit must be from 1 to 10000"))?
        }
    };
    let from = match span.from.as_deref() {
        None => None,
        Some(text) => {
            let from = Timestamp::parsed(text);
            Some(from.ok_or_else(|| {
                malformed("from must be a day such as 2026-11-24, or a time such as 2026-11-24T08:15")
            })?)
        }
    };
    let (config, house, now) = (&program.call.realm.config, &program.call.site.house, program.now());
    let place = (span.after.as_deref(), from);
    let read =
        house.db.look(async |connection| log_stream::read(connection, config, kind, place, limit, now).await).await?;
    let lines = read.map_err(|_| malformed("after is no cursor of this log"))?;
    if span.after.is_none() {
        // Once, and not at every call: the audit log would grow by being read.
        let asked = Asked(span.from.iter().map(|from| ("from".to_owned(), from.clone())).collect());
        reports::exported(&program.desk(), config.tenant.id, kind, &asked).await?;
    }
    let mut body = String::new();
    for line in lines.lines {
        let mut says = line.says;
        if let Some(says) = says.as_object_mut() {
            says.insert("cursor".to_owned(), Value::String(line.cursor));
        }
        body.push_str(&says.to_string());
        body.push('\n');
    }
    body.push_str(&json!({ "next": lines.next, "more": lines.more }).to_string());
    body.push('\n');
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, LINES)).body(body))
}
