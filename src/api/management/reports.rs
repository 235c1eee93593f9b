//! Logs, the enrollment history and the state of the audit trail, as the console shows them.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::{HttpRequest, web};
use serde::{Deserialize, Serialize};

use super::io::{Named, Page, ok};
use super::operators::time;
use super::problem::Problem;
use super::{Answer, Api};
use crate::domain::operator::{Deed, Module};
use crate::flow::administration::lists;
use crate::flow::administration::reports::{self, Activity, Asked, Kind, Wrong};
use crate::flow::audit_trail::{self, Pace};
use crate::http::files;
use crate::http::guard::Program;
use crate::storage::{Connection, audit_chain};

/// An entry: the columns of the table by their stable names; times are RFC 3339, and what is not known is empty.
type Entry = BTreeMap<String, String>;

/// What a list is narrowed by, and which page.
#[derive(Debug, Clone, Default, Deserialize, schemars::JsonSchema)]
#[expect(dead_code, reason = "it describes the query; which filters there are depends on the list")]
struct Filters {
    /// The `next` of the page before.
    after: Option<String>,
    /// How many there are on a page, 1 to 200; 50 if it is not said.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u16>,
    /// At this time or later: a day, or RFC 3339.
    from: Option<String>,
    /// Before this time.
    to: Option<String>,
    /// A user name, or the identifier of an account.
    user: Option<String>,
    /// The name of an application (access log).
    application: Option<String>,
    /// `success`, `failure`, `denied` (access log); `success`, `failure` (authentication log); `completed`, `open`, `abandoned`,
    /// `failed`, `superseded` (enrollment history).
    result: Option<String>,
    /// A published reason (access log).
    reason: Option<String>,
    /// What was shown (authentication log), such as `passcode`.
    credential: Option<String>,
    /// Whose deeds (audit log): `operators`, `user`, `stranger`, `device` or `system`.
    by: Option<String>,
    /// By or about whom or what (audit log): a user name or an identifier.
    subject: Option<String>,
    /// The published name of what happened (audit log).
    action: Option<String>,
    /// A kind of object (audit log), such as `application`.
    object: Option<String>,
    /// The name of a group (enrollment history).
    group: Option<String>,
    /// `self_provisioning`, `email_link` or `portal` (enrollment history).
    method: Option<String>,
    /// A platform (enrollment history), such as `ios`.
    platform: Option<String>,
    /// The correlation of a login.
    correlation: Option<String>,
}

/// The state of the chain over the audit trail.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Chain {
    /// How many events are sealed; those that were removed because of their age count, too.
    rows: i64,
    /// Up to which row a signed checkpoint stands.
    signed: i64,
    /// When the whole chain was last checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    checked_at: Option<String>,
    /// What is wrong with it, naming the first bad row; absent if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

/// What happened over time.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Activity")]
struct ActivityView {
    /// Steps, the oldest first.
    steps: Vec<Step>,
}

/// What happened in one step.
#[derive(Debug, Serialize, schemars::JsonSchema)]
struct Step {
    /// When it begins.
    at: String,
    /// Logins that succeeded.
    succeeded: i64,
    /// Logins that failed.
    failed: i64,
    /// Logins that were denied.
    denied: i64,
    /// Accounts that were locked.
    locked: i64,
    /// Enrollments that were completed.
    enrolled: i64,
}

/// Which span.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Span {
    /// `day` (24 hours), `week` or `month`; `day` if it is not said.
    span: Option<String>,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    api.get("access-log", Module::AccessLog.needs(Deed::Access), "Access attempts, the newest first", access)
        .query::<Filters>()
        .gives::<Page<Entry>>(200);
    api.get(
        "authentication-log",
        Module::AccessLog.needs(Deed::Access),
        "Credentials that were shown, the newest first",
        authentication,
    )
    .query::<Filters>()
    .gives::<Page<Entry>>(200);
    api.get("audit-log", Module::AuditLog.needs(Deed::Access), "Audit events, the newest first", audit)
        .query::<Filters>()
        .gives::<Page<Entry>>(200);
    api.get(
        "enrollment-history",
        Module::EnrollmentHistory.needs(Deed::Access),
        "Enrollments that people began, the newest first",
        enrollment,
    )
    .query::<Filters>()
    .gives::<Page<Entry>>(200);
    let summary = "A list as a file: csv or json";
    for (path, module, kind) in [
        ("access-log", Module::AccessLog, Kind::Access),
        ("authentication-log", Module::AccessLog, Kind::Authentication),
        ("audit-log", Module::AuditLog, Kind::Audit),
        ("enrollment-history", Module::EnrollmentHistory, Kind::Enrollment),
    ] {
        let handler = move |program: Program, request: HttpRequest, form: Named<String>| {
            export(program, request, form, (path, kind))
        };
        api.get(&format!("{path}/export/{{form}}"), module.needs(Deed::Export), summary, handler)
            .query::<Filters>()
            .gives_file(files::KINDS);
    }
    let summary = "A report that counts (tokens, logins or operators) as a file: csv or json";
    api.get("reports/{report}/{form}", Module::Reports.needs(Deed::Export), summary, report).gives_file(files::KINDS);
    api.get("audit-chain", Module::AuditLog.needs(Deed::Access), "The state of the chain over the audit trail", chain)
        .gives::<Chain>(200);
    api.route(
        Method::POST,
        "audit-chain/check",
        Module::AuditLog.needs(Deed::ViewLog),
        "Check the whole chain now",
        check,
    )
    .gives::<Chain>(200);
    api.get(
        "audit-chain/keys",
        Module::AuditLog.needs(Deed::Access),
        "The public keys that sign checkpoints, a JWK set",
        keys,
    )
    .gives::<BTreeMap<String, serde_json::Value>>(200);
    api.get("activity", Module::Dashboard.needs(Deed::Access), "Logins, lockouts and enrollments over time", activity)
        .query::<Span>()
        .gives::<ActivityView>(200);
    api.get("token-counts", Module::Reports.needs(Deed::Access), "Tokens by type and state", tokens)
        .gives::<Page<Entry>>(200);
    api.get(
        "operator-activity",
        Module::Reports.needs(Deed::Access),
        "What operators and keys did in the last 30 days",
        operators,
    )
    .gives::<Page<Entry>>(200);
}

async fn access(program: Program, request: HttpRequest) -> Answer {
    list(&program, &request, Kind::Access).await
}

async fn authentication(program: Program, request: HttpRequest) -> Answer {
    list(&program, &request, Kind::Authentication).await
}

async fn audit(program: Program, request: HttpRequest) -> Answer {
    list(&program, &request, Kind::Audit).await
}

async fn enrollment(program: Program, request: HttpRequest) -> Answer {
    list(&program, &request, Kind::Enrollment).await
}

async fn list(program: &Program, request: &HttpRequest, kind: Kind) -> Answer {
    let mut query: BTreeMap<String, String> =
        form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let after = query.remove("after");
    let limit = match query.remove("limit") {
        None => 50,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| (1..=200).contains(limit));
            limit.ok_or_else(|| Problem::new(400, "malformed", "limit must be from 1 to 200"))?
        }
    };
    let (config, now) = (&program.call.realm.config, program.now());
    let asked = known(kind, query)?;
    let read =
        program.call.site.house.db.look(async |connection| {
            reports::page(connection, config, kind, &asked, after.as_deref(), limit, now).await
        });
    match read.await? {
        Ok(page) => {
            let ids = kind.columns().iter().map(|(id, _)| (*id).to_owned());
            let item = |row: Vec<String>| ids.clone().zip(row).collect::<Entry>();
            Ok(ok(&Page { items: page.rows.into_iter().map(item).collect(), next: page.next }))
        }
        Err(wrong) => Err(unreadable(&wrong)),
    }
}

async fn export(
    program: Program,
    request: HttpRequest,
    Named(form): Named<String>,
    (path, kind): (&'static str, Kind),
) -> Answer {
    let form = files::Kind::named(&form).ok_or_else(Problem::not_found)?;
    let query: BTreeMap<String, String> =
        form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let asked = known(kind, query)?;
    let (site, realm, now) = (program.call.site.clone(), Arc::clone(&program.call.realm), program.now());
    let look = site
        .house
        .db
        .look(async |connection| reports::page(connection, &realm.config, kind, &asked, None, 1, now).await);
    look.await?.map_err(|wrong| unreadable(&wrong))?;
    reports::exported(&program.desk(), realm.tenant(), kind, &asked).await?;
    let name = format!("{path}-{}", realm.code());
    Ok(files::streamed(form, &name, kind.column_ids(), move |after| {
        let (site, realm, asked) = (site.clone(), Arc::clone(&realm), asked.clone());
        async move { reports::part(&site.house, &realm.config, kind, &asked, after.as_deref(), now).await }
    }))
}

/// A report and what it is written as, from its address.
async fn report(program: Program, path: web::Path<(String, String, String)>) -> Answer {
    let (_, id, form) = path.into_inner();
    let report = reports::report_named(&id).ok_or_else(Problem::not_found)?;
    let kind = files::Kind::named(&form).ok_or_else(Problem::not_found)?;
    let (tenant, now) = (program.call.realm.tenant(), program.now());
    let read =
        program.call.site.house.db.look(async |connection| reports::report(connection, tenant, report, now).await);
    let rows = read.await?;
    lists::exported(&program.desk(), tenant, report.id, &[]).await?;
    Ok(files::whole(kind, report.id, report.columns, &rows))
}

/// The filters of a list, if it has all of them.
fn known(kind: Kind, query: BTreeMap<String, String>) -> Result<Asked, Problem> {
    if let Some(unknown) = query.keys().find(|id| !kind.filters().iter().any(|filter| filter.id == **id)) {
        let known: Vec<&str> = kind.filters().iter().map(|filter| filter.id).collect();
        let words = format!("the query cannot be read: there is no filter `{unknown}`, but {}", known.join(", "));
        return Err(Problem::new(400, "malformed", words));
    }
    Ok(Asked(query))
}

fn unreadable(wrong: &[Wrong]) -> Problem {
    let words: Vec<String> = wrong.iter().map(|wrong| format!("{} {}", wrong.filter, wrong.message)).collect();
    Problem::new(400, "malformed", format!("the query cannot be read: {}", words.join("; ")))
}

async fn state(program: &Program) -> Answer {
    let tenant = program.call.realm.tenant();
    let read = program.call.site.house.db.look(async |connection| audit_chain::state(tenant).ask(connection).await);
    let state = read.await?.unwrap_or_else(|| audit_chain::State::beginning(tenant));
    let (checked_at, fault) = match state.checked {
        Some((at, fault)) => (time(Some(at)), fault),
        None => (None, None),
    };
    Ok(ok(&Chain { rows: state.head.number, signed: state.signed.0, checked_at, fault }))
}

async fn chain(program: Program) -> Answer {
    state(&program).await
}

async fn check(program: Program) -> Answer {
    let house = &program.call.site.house;
    let _ = audit_trail::verify_and_remember(house, program.call.realm.tenant(), Pace::Gentle, program.now()).await?;
    state(&program).await
}

async fn keys(program: Program) -> Answer {
    let keys = audit_trail::public_keys(&program.call.site.house, program.call.realm.tenant()).await?;
    Ok(ok(&keys))
}

async fn activity(program: Program, super::io::Query(span): super::io::Query<Span>) -> Answer {
    let hour = std::time::Duration::from_secs(60 * 60);
    let span = match span.span.as_deref() {
        None | Some("day") => (hour, 24),
        Some("week") => (hour * 24, 7),
        Some("month") => (hour * 24, 30),
        Some(_) => return Err(Problem::new(400, "malformed", "span must be day, week or month")),
    };
    let (tenant, now) = (program.call.realm.tenant(), program.now());
    let read =
        program.call.site.house.db.look(async |connection| reports::activity(connection, tenant, span, now).await);
    let Activity { steps, logins: [good, failed, denied], lockouts, enrollments, .. } = read.await?;
    let number = |line: &[i64], at: usize| line.get(at).copied().unwrap_or(0);
    let step = |(at, begins): (usize, &crate::domain::timestamp::Timestamp)| Step {
        at: begins.rfc3339(),
        succeeded: number(&good, at),
        failed: number(&failed, at),
        denied: number(&denied, at),
        locked: number(&lockouts, at),
        enrolled: number(&enrollments, at),
    };
    Ok(ok(&ActivityView { steps: steps.iter().enumerate().map(step).collect() }))
}

fn named(columns: &[&str], rows: Vec<Vec<String>>) -> Page<Entry> {
    let item = |row: Vec<String>| columns.iter().map(|id| (*id).to_owned()).zip(row).collect();
    Page { items: rows.into_iter().map(item).collect(), next: None }
}

async fn tokens(program: Program) -> Answer {
    let tenant = program.call.realm.tenant();
    let read = program.call.site.house.db.look(async |connection| reports::tokens_by_state(connection, tenant).await);
    Ok(ok(&named(&["type", "state", "tokens"], read.await?)))
}

async fn operators(program: Program) -> Answer {
    let (tenant, from) =
        (program.call.realm.tenant(), program.now().minus(std::time::Duration::from_secs(30 * 86_400)));
    let question = async |connection: &mut Connection| reports::operators(connection, tenant, (from, None)).await;
    let read = program.call.site.house.db.look(question);
    Ok(ok(&named(&["who", "kind", "action", "times"], read.await?)))
}
