//! Reports that are mailed again and again: set up by operators and keys, made as long as whoever set them up may see them,
//! and mailed to operators who may see them at that moment.

use serde_json::{Value, json};

use super::Desk;
use super::configuration::{Saved, Unsaved};
use super::reports::{self, Asked};
use crate::domain::audit::{Action, Actor};
use crate::domain::fault::Fault;
use crate::domain::ids::{ScheduleId, TenantId, UserId};
use crate::domain::letter::{Envelope, Letter};
use crate::domain::operator::Permissions;
use crate::domain::report_schedule::{Author, Known, MOST, Report, Schedule, ScheduleDraft};
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::flow::House;
use crate::flow::letters::NOTICE;
use crate::flow::round::Round;
use crate::storage::operators::{self, Reached};
use crate::storage::report_schedules::{self as stored, Run};
use crate::storage::{self, Connection, tenants};

/// The longest table that is attached, in octets; a longer one is at the console.
pub const LONGEST_TABLE: usize = 512 * 1024;
/// So many reports are made with one look.
const BATCH: i64 = 20;

/// Who sets it up.
fn author(desk: &Desk<'_>) -> Option<(Author, String)> {
    match &desk.actor {
        Actor::Operator(id, name) => Some((Author::Operator(*id), name.clone())),
        Actor::Key(id, name) => Some((Author::Key(*id), name.clone())),
        _ => None,
    }
}

/// Every operator with what they may do.
fn everybody(config: &TenantConfig) -> Vec<(String, UserId, Permissions)> {
    let operators = config.operators.iter();
    let known = operators.filter_map(|it| Some((it.username.clone(), it.user, config.permissions(it.role)?)));
    known.collect()
}

/// The operators who may get a report, by user name.
#[must_use]
pub fn possible(config: &TenantConfig, report: Report, file: bool) -> Vec<String> {
    let may = |(name, _, permissions): (String, UserId, Permissions)| report.is_for(&permissions, file).then_some(name);
    everybody(config).into_iter().filter_map(may).collect()
}

/// A schedule as it would be typed.
#[must_use]
pub fn draft_of(config: &TenantConfig, schedule: &Schedule) -> ScheduleDraft {
    let names = schedule.says.receivers.iter().filter_map(|user| {
        let operator = config.operators.iter().find(|operator| operator.user == *user)?;
        Some(operator.username.clone())
    });
    ScheduleDraft {
        name: schedule.name.clone(),
        report: schedule.says.report.id().to_owned(),
        filters: schedule.says.filters.clone(),
        every: schedule.says.every,
        hour: schedule.says.hour,
        attach: schedule.says.attach,
        receivers: names.collect(),
    }
}

fn checked(
    desk: &Desk<'_>,
    config: &TenantConfig,
    held: &Permissions,
    id: ScheduleId,
    (draft, version): (&ScheduleDraft, i64),
) -> Saved<Schedule> {
    let operators = everybody(config);
    let attachments = config.settings.logs.report_attachments;
    let (name, says) =
        draft.check(&Known { operators: &operators, author: held, attachments }).map_err(Unsaved::Wrong)?;
    let Some((author, author_name)) = author(desk) else {
        return Err(Unsaved::Never("only operators and keys set reports up"));
    };
    let next_at = says.every.next(desk.now, says.hour);
    Ok(Schedule { id, name, says, author, author_name, paused: String::new(), next_at, version })
}

fn taken<T>(result: storage::Result<Saved<T>>, name: &str) -> Saved<T> {
    match result {
        Err(error) if error.is_duplicate() => Err(Fault::new("name", format!("\"{name}\" is another report's")).into()),
        other => other?,
    }
}

/// Sets a report up.
///
/// # Errors
/// [`Unsaved`]; then nothing was stored.
pub async fn create(
    desk: &Desk<'_>,
    config: &TenantConfig,
    held: &Permissions,
    draft: &ScheduleDraft,
) -> Saved<Schedule> {
    let schedule = checked(desk, config, held, desk.house.entropy.id(), (draft, 1))?;
    let tenant = config.tenant.id;
    let made = desk.house.db.write(async |connection| {
        if stored::all(tenant).ask(connection).await?.len() >= MOST {
            return Ok(Err(Unsaved::Never("there are 100 such reports already")));
        }
        stored::insertion(tenant, &schedule, desk.now).run(connection).await?;
        let detail = json!({ "name": schedule.name, "old": null, "new": draft_of(config, &schedule) });
        record(desk, connection, tenant, Action::ReportScheduleCreated, schedule.id, detail).await?;
        Ok(Ok(()))
    });
    taken(made.await, &schedule.name)?;
    Ok(schedule)
}

/// Changes a report that is still of `version`; whoever does is its author from now on, and it goes on if it was paused.
///
/// # Errors
/// [`Unsaved`]; then nothing was stored.
pub async fn change(
    desk: &Desk<'_>,
    config: &TenantConfig,
    held: &Permissions,
    (id, version): (ScheduleId, i64),
    draft: &ScheduleDraft,
) -> Saved<()> {
    let schedule = checked(desk, config, held, id, (draft, version))?;
    let tenant = config.tenant.id;
    let changed = desk.house.db.write(async |connection| {
        let Some(before) = stored::with_id(tenant, id).ask(connection).await? else { return Ok(Err(Unsaved::Gone)) };
        if stored::change(tenant, &schedule, desk.now).run(connection).await? != 1 {
            return Ok(Err(Unsaved::ChangedMeanwhile));
        }
        let (old, new) = (draft_of(config, &before), draft_of(config, &schedule));
        let detail = json!({ "name": schedule.name, "old": old, "new": new });
        record(desk, connection, tenant, Action::ReportScheduleChanged, id, detail).await?;
        Ok(Ok(()))
    });
    taken(changed.await, &schedule.name)
}

/// Ends a report that is still of `version`.
///
/// # Errors
/// [`Unsaved`]; then nothing was removed.
pub async fn remove(desk: &Desk<'_>, config: &TenantConfig, (id, version): (ScheduleId, i64)) -> Saved<()> {
    let tenant = config.tenant.id;
    let removed = desk.house.db.write(async |connection| {
        let Some(before) = stored::with_id(tenant, id).ask(connection).await? else { return Ok(Err(Unsaved::Gone)) };
        if stored::removal(tenant, (id, version)).run(connection).await? != 1 {
            return Ok(Err(Unsaved::ChangedMeanwhile));
        }
        let detail = json!({ "name": before.name, "old": draft_of(config, &before), "new": null });
        record(desk, connection, tenant, Action::ReportScheduleRemoved, id, detail).await?;
        Ok(Ok(()))
    });
    removed.await?
}

async fn record(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    action: Action,
    id: ScheduleId,
    detail: Value,
) -> storage::Result<()> {
    desk.record(connection, tenant, action, ("report_schedule", id.to_string()), detail).await
}

/// A table: its columns, and its rows.
pub type Rows = (Vec<&'static str>, Vec<Vec<String>>);

/// Writes a table as a file: floors below know no CSV.
pub type WritesTable = fn(&[&str], &[Vec<String>]) -> String;

/// Makes the reports that are due. Says how many were mailed.
///
/// # Errors
/// If the database fails.
pub async fn make_due(house: &House, writes: WritesTable, now: Timestamp) -> storage::Result<usize> {
    let due = house.db.look(async |connection| stored::due(now, BATCH).ask(connection).await).await?;
    let (mut mailed, mut round) = (0, Round::default());
    for (tenant, id) in due {
        mailed += round.of(tenant, make_one(house, (tenant, id), writes, now).await).map_or(0, usize::from);
    }
    if mailed > 0 {
        house.mail_waits.notify_one();
    }
    round.end(mailed)
}

/// Makes one report, if it is still due. Says whether this instance mailed it.
async fn make_one(
    house: &House,
    (tenant, id): (TenantId, ScheduleId),
    writes: WritesTable,
    now: Timestamp,
) -> storage::Result<bool> {
    let read = house.db.look(async |connection| {
        let Some(code) = tenants::code_of(tenant).ask(connection).await? else { return Ok(None) };
        let Some(config) = tenants::config(connection, &code).await? else { return Ok(None) };
        // Another instance may have moved it on since: then it is not due any more.
        let schedule = stored::with_id(tenant, id).ask(connection).await?;
        let due = schedule.filter(|schedule| schedule.paused.is_empty() && schedule.next_at <= now);
        Ok(due.map(|schedule| (config, schedule)))
    });
    match read.await? {
        Some((config, schedule)) => make(house, &config, &schedule, writes, now).await,
        None => Ok(false),
    }
}

/// What the author of a report may do now; `None` if they are gone.
async fn held(
    connection: &mut Connection,
    config: &TenantConfig,
    author: Author,
    now: Timestamp,
) -> storage::Result<Option<Permissions>> {
    Ok(match author {
        Author::Operator(user) => config.permissions_of(user).map(|(_, permissions)| permissions),
        Author::Key(id) => {
            let key = operators::key_with_id(connection, config.tenant.id, id).await?;
            key.filter(|key| key.works(now)).and_then(|key| config.permissions(key.role))
        }
    })
}

/// Makes one report. Says whether this instance mailed it.
async fn make(
    house: &House,
    config: &TenantConfig,
    schedule: &Schedule,
    writes: WritesTable,
    now: Timestamp,
) -> storage::Result<bool> {
    let (tenant, says) = (config.tenant.id, &schedule.says);
    let attach = says.attach && config.settings.logs.report_attachments;
    let desk = Desk { house, actor: Actor::System, address: String::new(), now };
    let looked = house.db.look(async |connection| {
        let held = held(connection, config, schedule.author, now).await?;
        Ok((held, operators::reached(tenant).ask(connection).await?))
    });
    let (held, reached) = looked.await?;
    let may = held.is_some_and(|held| says.report.is_for(&held, attach));
    // Who may see it is judged now, and not when it was set up.
    let gets = |operator: &Reached| {
        let permissions = config.permissions(operator.role);
        says.receivers.contains(&operator.user) && permissions.is_some_and(|it| says.report.is_for(&it, attach))
    };
    let receivers: Vec<Reached> = reached.into_iter().filter(gets).collect();
    let why = match (may, receivers.is_empty()) {
        (false, _) => Some("whoever set it up may not see it any more"),
        (true, true) => Some("nobody is left who gets it and may see it"),
        (true, false) => None,
    };
    if let Some(why) = why {
        house
            .db
            .write(async |connection| {
                if stored::paused(tenant, schedule, why, now).run(connection).await? == 1 {
                    let detail = json!({ "name": schedule.name, "reason": why });
                    record(&desk, connection, tenant, Action::ReportSchedulePaused, schedule.id, detail).await?;
                }
                Ok(())
            })
            .await?;
        return Ok(false);
    }
    let span = says.every.span(now);
    let (columns, rows) = table(house, config, schedule, span, now).await?;
    let text = attach.then(|| writes(&columns, &rows));
    let too_long = text.as_ref().is_some_and(|text| text.len() > LONGEST_TABLE);
    let file = format!("{}-{}.csv", says.report.id(), span.0.rfc3339().get(..10).unwrap_or_default());
    let letter = Letter::Report {
        name: schedule.name.clone(),
        page: says.page(span),
        from: span.0,
        until: span.1,
        rows: rows.len() as u64,
        table: text.filter(|_| !too_long).map(|text| (file, text)),
        too_long,
    };
    let run = Run {
        id: house.new_id(now),
        schedule: schedule.id,
        at: now,
        name: schedule.name.clone(),
        report: says.report.id().to_owned(),
        span,
        rows: i64::try_from(rows.len()).unwrap_or(i64::MAX),
        receivers: i64::try_from(receivers.len()).unwrap_or(i64::MAX),
    };
    let next = says.every.next(now, says.hour);
    let sent = house.db.write(async |connection| {
        // Whoever moves it on sends it.
        if stored::taken(tenant, schedule, next).run(connection).await? != 1 {
            return Ok(false);
        }
        for receiver in &receivers {
            let envelope = Envelope {
                to: receiver.email.clone(),
                name: config.tenant.name.clone(),
                account: String::new(),
                language: receiver.language.clone().unwrap_or_else(|| config.tenant.default_language.clone()),
                tenant_code: config.tenant.code.to_string(),
                organization: config.tenant.name.clone(),
                help_contact: String::new(),
                letter: letter.clone(),
            };
            house.post(connection, tenant, None, &envelope, now, now.plus(NOTICE)).await?;
        }
        stored::made(tenant, &run).run(connection).await?;
        let names = draft_of(config, schedule).receivers;
        let detail =
            json!({ "name": schedule.name, "rows": run.rows, "attached": attach && !too_long, "receivers": names });
        record(&desk, connection, tenant, Action::ReportMailed, schedule.id, detail).await?;
        Ok(true)
    });
    sent.await
}

/// How many rows of a report are looked at for a mail; who wants more takes them out of the console as a file.
const MOST_ROWS: usize = 100_000;

/// The rows of a report.
async fn table(
    house: &House,
    config: &TenantConfig,
    schedule: &Schedule,
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
) -> storage::Result<Rows> {
    let (tenant, says) = (config.tenant.id, &schedule.says);
    if let Some(kind) = says.report.table() {
        let mut asked = Asked(says.filters.clone());
        asked.0.insert("from".to_owned(), from.rfc3339());
        asked.0.insert("to".to_owned(), to.rfc3339());
        let columns = kind.columns().iter().map(|(id, _)| *id).collect();
        // What was checked when it was set up cannot be wrong now; something that is gone since fits nothing.
        let (mut rows, mut after) = (Vec::new(), None::<String>);
        loop {
            let (part, next) = reports::part(house, config, kind, &asked, after.as_deref(), now).await?;
            rows.extend(part);
            after = next;
            if after.is_none() || rows.len() >= MOST_ROWS {
                break;
            }
            tokio::task::yield_now().await;
        }
        rows.truncate(MOST_ROWS);
        return Ok((columns, rows));
    }
    let read = house.db.look(async |connection| match says.report {
        Report::TokenCounts => reports::tokens_by_state(connection, tenant).await,
        _ => reports::operators(connection, tenant, (from, Some(to))).await,
    });
    let columns = match says.report {
        Report::TokenCounts => vec!["type", "state", "tokens"],
        _ => vec!["who", "kind", "action", "times"],
    };
    Ok((columns, read.await?))
}
