//! Work on many people or tokens at once, as a job that goes on by itself. What is done to one of them and what
//! became of it are stored in one transaction, so nothing is done twice, whatever stops in between.

mod deeds;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;

use super::Desk;
use super::accounts::Beyond;
use super::roster::Line;
use crate::domain::audit::{Action, Actor};
use crate::domain::ids::{JobId, TenantId, TokenId, UserId};
use crate::domain::job::{Job, State, Work};
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::Status;
use crate::flow::House;
use crate::flow::round::Round;
use crate::storage::jobs::{self, JobRow};
use crate::storage::statement::insert_all;
use crate::storage::{self, Connection, operators, tenants, users};
use deeds::{Known, groups, some};

/// Rows that are stored in one transaction while a job is begun.
const LOAD: usize = 1000;
/// Rows of one turn; others wait some hundredths of a second meanwhile.
const TURN: u32 = 50;
/// The same, of an import, whose rows are made together.
const IMPORT_TURN: u32 = 250;

/// Why nothing is done to somebody. Doors reject whom they know of when a job is begun; roles may change while it goes on.
const BEYOND: &str = "belongs to an operator with more permissions than whoever began it";

/// What one row of a new job is: the name it goes by, and what is done or why it is rejected.
#[derive(Debug, Clone)]
pub struct NewRow {
    /// What people know it by.
    pub name: String,
    /// The document that the job understands, or why nothing is done.
    pub input: Result<serde_json::Value, String>,
}

impl NewRow {
    /// A person of a selection.
    #[must_use]
    pub fn person(id: UserId, username: &str) -> Self {
        Self { name: username.to_owned(), input: Ok(json!(id)) }
    }

    /// An authenticator of a selection.
    #[must_use]
    pub fn token(id: TokenId, serial: &str) -> Self {
        Self { name: serial.to_owned(), input: Ok(json!(id)) }
    }

    /// A line of a table of people.
    #[must_use]
    pub fn line(line: &Line) -> Self {
        Self { name: line.username.clone(), input: serde_json::to_value(line).map_err(|error| error.to_string()) }
    }

    /// Whether it is a line that says which groups somebody is in.
    #[must_use]
    pub fn names_groups(&self) -> bool {
        self.input.as_ref().is_ok_and(|line| line.get("groups").is_some())
    }
}

/// Begins a job.
///
/// # Errors
/// If the database fails.
pub async fn begin(desk: &Desk<'_>, tenant: TenantId, work: &Work, rows: &[NewRow]) -> storage::Result<JobId> {
    let rejected = rows.iter().filter(|row| row.input.is_err()).count();
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let job = Job {
        id: desk.house.new_id(desk.now),
        tenant,
        work: work.clone(),
        actor: desk.actor.clone(),
        address: desk.address.clone(),
        state: State::Loading,
        total: number(rows.len()),
        position: 0,
        done: number(rejected),
        failed: number(rejected),
        // Not when the request came: what is handed in may have taken long to arrive.
        created_at: desk.house.clock.now(),
        ended_at: None,
        error: None,
    };
    let db = &desk.house.db;
    db.write(async |connection| jobs::insertion(&job).run(connection).await.map(drop)).await?;
    for (step, some) in rows.chunks(LOAD).enumerate() {
        let stored = some.iter().enumerate().map(|(at, row)| {
            let (input, outcome, detail) = match &row.input {
                Ok(input) => (Some(input.clone()), None, String::new()),
                Err(reason) => (None, Some("rejected".to_owned()), reason.chars().take(500).collect()),
            };
            let row = JobRow { number: number(step * LOAD + at + 1), name: row.name.clone(), input, outcome, detail };
            jobs::row_insertion(tenant, job.id, &row)
        });
        let statements: Vec<_> = stored.collect();
        let load = async |connection: &mut Connection| {
            // Once it is stopped nothing more is brought in, which nobody would clear away.
            if !jobs::hold_loading(connection, tenant, job.id).await? {
                return Ok(false);
            }
            insert_all(connection, statements.clone()).await.map(|()| true)
        };
        if !db.write(load).await? {
            return Ok(job.id);
        }
    }
    let begun = async |connection: &mut Connection| {
        if !jobs::set_state(connection, tenant, job.id, (State::Loading, State::Running), None).await? {
            return Ok(());
        }
        let detail = json!({ "work": work, "rows": rows.len(), "rejected": rejected });
        desk.record(connection, tenant, Action::JobStarted, ("job", job.id.to_string()), detail).await
    };
    db.write(begun).await?;
    Ok(job.id)
}

/// The columns of a table of results.
pub const RESULTS: &[&str] = &["number", "name", "result", "detail"];

/// Some results of a job after a place, and where they go on.
///
/// # Errors
/// If the database fails.
pub async fn results(
    house: &House,
    (tenant, id): (TenantId, JobId),
    after: Option<&str>,
) -> storage::Result<(Vec<Vec<String>>, Option<String>)> {
    const PAGE: usize = 1000;
    let after = after.and_then(|after| after.parse().ok()).unwrap_or(0);
    let rows = house.db.look(async |connection| jobs::rows(connection, tenant, id, after, 1000).await).await?;
    let next = rows.last().filter(|_| rows.len() == PAGE).map(|row| row.number.to_string());
    let row = |row: JobRow| {
        let outcome = row.outcome.unwrap_or_else(|| "open".to_owned());
        vec![row.number.to_string(), row.name, outcome, row.detail]
    };
    Ok((rows.into_iter().map(row).collect(), next))
}

/// Stops a job; what was done stays. Says whether it went on.
///
/// # Errors
/// If the database fails.
pub async fn cancel(desk: &Desk<'_>, tenant: TenantId, id: JobId) -> storage::Result<bool> {
    let work = async |connection: &mut Connection| {
        let mut stopped = false;
        // In this order: what is being loaded goes on next, and not the other way round.
        for from in [State::Loading, State::Running] {
            let states = (from, State::Cancelled);
            stopped = stopped || jobs::set_state(connection, tenant, id, states, Some(desk.now)).await?;
        }
        if !stopped {
            return Ok(false);
        }
        jobs::emptied(tenant, id).run(connection).await?;
        desk.record(connection, tenant, Action::JobCancelled, ("job", id.to_string()), json!({})).await?;
        Ok(true)
    };
    desk.house.db.write(work).await
}

/// Whom whoever began a job may not touch, or why they may not go on with it. Roles, keys and accounts are taken away at once,
/// and work that goes on by itself must not outlive them (T-57).
async fn permitted(
    connection: &mut Connection,
    config: &TenantConfig,
    job: &Job,
    now: Timestamp,
) -> storage::Result<Result<Beyond, &'static str>> {
    let permissions = match &job.actor {
        Actor::Operator(user, _) => {
            let account = users::with_id(connection, job.tenant, *user).await?;
            if !account.is_some_and(|account| account.status == Status::Enabled) {
                return Ok(Err("the account of whoever began it may not be used any more"));
            }
            config.permissions_of(*user).map(|(_, permissions)| permissions)
        }
        Actor::Key(id, _) => {
            let key = operators::key_with_id(connection, job.tenant, *id).await?;
            if !key.as_ref().is_some_and(|key| key.works(now)) {
                return Ok(Err("the key with which it was begun was revoked or has ended"));
            }
            key.and_then(|key| config.permissions(key.role))
        }
        // Whoever has the shell may do everything.
        Actor::Shell(_) | Actor::System => return Ok(Ok(Beyond::default())),
        Actor::User(_) | Actor::Stranger | Actor::Device => None,
    };
    let Some(permissions) = permissions else { return Ok(Err("whoever began it is not an operator any more")) };
    if job.work.lacking(&permissions).is_some() {
        return Ok(Err("the role of whoever began it does not permit it any more"));
    }
    Ok(Ok(Beyond::of(config, &permissions)))
}

/// Stops a job whose author may not go on with it; what was done stays.
async fn stop(house: &House, job: &Job, why: &'static str) -> storage::Result<()> {
    let desk = Desk { house, actor: Actor::System, address: String::new(), now: house.clock.now() };
    let work = async |connection: &mut Connection| {
        if !jobs::stop(connection, job, why, desk.now).await? {
            return Ok(());
        }
        jobs::emptied(job.tenant, job.id).run(connection).await?;
        let by = job.actor.called().map_or_else(|| job.actor.name(), str::to_owned);
        let detail = json!({ "reason": why, "begun_by": by, "done": job.done, "rows": job.total });
        desk.record(connection, job.tenant, Action::JobCancelled, ("job", job.id.to_string()), detail).await
    };
    house.db.write(work).await
}

/// For how long a job is loaded: nobody does it any more then.
const LOADED: Duration = Duration::from_secs(15 * 60);

/// Stops the jobs that nobody loads any more, because the service ended in the middle of it: what they would have done, such as
/// secrets of tokens, is forgotten. Says how many.
///
/// # Errors
/// If the database fails.
pub async fn end_abandoned(house: &House) -> storage::Result<usize> {
    let before = house.clock.now().minus(LOADED);
    let (mut ended, mut round) = (0, Round::default());
    for job in house.db.look(async |connection| jobs::loading(before).ask(connection).await).await? {
        let Some(job) = round.of("a job", job) else { continue };
        let why = "it was not handed in to its end; begin it again";
        ended += usize::from(round.of(job.id, stop(house, &job, why).await).is_some());
    }
    round.end(ended)
}

/// For how long a job may fail at the same place before the service stops it.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Where jobs fail, and since when.
#[derive(Debug, Default)]
pub struct Stumbles(Mutex<HashMap<JobId, (i64, Timestamp)>>);

impl Stumbles {
    fn all(&self) -> MutexGuard<'_, HashMap<JobId, (i64, Timestamp)>> {
        // A panic while it is held cannot leave half an entry.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a job that fails now has been failing at the same place for too long.
    fn is_enough(&self, job: &Job, now: Timestamp) -> bool {
        let mut all = self.all();
        let (place, since) = all.entry(job.id).or_insert((job.position, now));
        if *place != job.position {
            (*place, *since) = (job.position, now);
        }
        now.since(*since) >= PATIENCE
    }

    fn forget(&self, job: &Job) {
        self.all().remove(&job.id);
    }

    /// Forgets all but the jobs that still go on.
    fn keep(&self, running: &[JobId]) {
        self.all().retain(|id, _| running.contains(id));
    }
}

/// Gives every job that goes on one turn; what goes wrong with one keeps no other waiting, which may be another virtual server's
/// . Says how many rows were done.
///
/// # Errors
/// If the database fails, or if nothing but failures came of it.
pub async fn round(house: &House) -> storage::Result<usize> {
    let (mut done, mut round) = (0, Round::default());
    let running = house.db.look(async |connection| jobs::running().ask(connection).await).await?;
    house.stumbles.keep(&running.iter().flatten().map(|job| job.id).collect::<Vec<_>>());
    for job in running {
        let Some(job) = round.of("a job", job) else { continue };
        let turn = turn(house, &job).await;
        match &turn {
            Ok(_) => house.stumbles.forget(&job),
            Err(error) if error.is_of_the_moment() => {}
            Err(_) if !house.stumbles.is_enough(&job, house.clock.now()) => {}
            Err(_) => {
                let why = "it failed at the same place again and again; the log of the service says why";
                if round.of(job.id, stop(house, &job, why).await).is_some() {
                    house.stumbles.forget(&job);
                }
            }
        }
        done += round.of(job.id, turn).unwrap_or(0);
    }
    if done > 0 { Ok(done) } else { round.end(done) }
}

/// One turn of a job.
async fn turn(house: &House, job: &Job) -> storage::Result<usize> {
    let (db, tenant) = (&house.db, job.tenant);
    let import = matches!(job.work, Work::ImportPeople(_) | Work::ImportTokens(_));
    let (most, now) = (if import { IMPORT_TURN } else { TURN }, house.clock.now());
    let question = async |connection: &mut Connection| {
        let rows = jobs::rows(connection, tenant, job.id, job.position, most).await?;
        let code = tenants::code_of(tenant).ask(connection).await?;
        let config = match code {
            Some(code) => tenants::config(connection, &code).await?,
            None => None,
        };
        let permitted = match &config {
            Some(config) if !rows.is_empty() => permitted(connection, config, job, now).await?,
            _ => Ok(Beyond::default()),
        };
        Ok((rows, config, permitted))
    };
    let (rows, config, permitted) = db.look(question).await?;
    let beyond = match permitted {
        Ok(beyond) => beyond,
        Err(why) => {
            tracing::warn!(job = %job.id, why, "a job was stopped");
            return stop(house, job, why).await.map(|()| 0);
        }
    };
    let (Some(config), Some(last)) = (config, rows.last().map(|row| row.number)) else {
        return db.write(async |connection| end(house, connection, job).await).await.map(|()| 0);
    };
    let desk = Desk { house, actor: job.actor.clone(), address: job.address.clone(), now: house.clock.now() };
    let groups = match &job.work {
        Work::ImportPeople(how) => groups(&desk, &config, &rows, *how).await?,
        Work::People(_) | Work::Tokens(_) | Work::Provision(_) | Work::ImportTokens(_) => HashMap::new(),
    };
    let known = Known { config, groups, beyond };
    let together = async |connection: &mut Connection| some(&desk, connection, &known, job, (&rows, last)).await;
    match db.write(together).await {
        Ok(()) => {}
        Err(error) if error.is_of_the_moment() => return Err(error),
        // One of them cannot be done: each for itself, so that the others are.
        Err(_) => {
            let mut job = job.clone();
            for row in &rows {
                let one = std::slice::from_ref(row);
                let alone =
                    async |connection: &mut Connection| some(&desk, connection, &known, &job, (one, row.number)).await;
                let done = match db.write(alone).await {
                    Err(error) if !error.is_of_the_moment() => {
                        tracing::warn!(%error, job = %job.id, row = row.number, "a row of a job cannot be done");
                        let told = if error.is_duplicate() {
                            "somebody else made it at the same moment"
                        } else {
                            "the database refused it; the log of the service says why"
                        };
                        let failed = async |connection: &mut Connection| {
                            if jobs::take(connection, &job, row.number).await? {
                                let outcome = ("failed", told);
                                jobs::finish_row(connection, tenant, job.id, row.number, outcome).await?;
                                jobs::counted(&job, (1, 1)).run(connection).await?;
                            }
                            Ok(())
                        };
                        db.write(failed).await
                    }
                    done => done,
                };
                done?;
                job.position = row.number;
            }
        }
    }
    house.mail_waits.notify_one();
    Ok(rows.len())
}

async fn end(house: &House, connection: &mut Connection, job: &Job) -> storage::Result<()> {
    let now = house.clock.now();
    if jobs::set_state(connection, job.tenant, job.id, (State::Running, State::Done), Some(now)).await? {
        let desk = Desk { house, actor: Actor::System, address: String::new(), now };
        let detail = json!({ "rows": job.total, "failed": job.failed });
        desk.record(connection, job.tenant, Action::JobEnded, ("job", job.id.to_string()), detail).await?;
    }
    Ok(())
}
