//! Work on many people or tokens at once, as a job that goes on by itself. What is done to one of them and what
//! became of it are stored in one transaction, so nothing is done twice, whatever stops in between.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::accounts::{self, Beyond};
use super::provisioning::{self, Order};
use super::roster::{self, Existing, Line, Storing};
use super::stock::{self, How, Outcome, Wanted};
use super::{Desk, people, token_states};
use crate::domain::audit::{Action, Actor};
use crate::domain::authenticator::template::TokenTemplate;
use crate::domain::group::Group;
use crate::domain::ids::{GroupId, JobId, TenantId, TokenId, UserId};
use crate::domain::job::{Import, ImportTokens, Job, PeopleDeed, Provision, State, TokenDeed, TokenStep, Work};
use crate::domain::name::key_of;
use crate::domain::provisioning_task::TaskNumber;
use crate::domain::reservation;
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{Status, User};
use crate::flow::House;
use crate::flow::round::Round;
use crate::keys::sealing::Place;
use crate::storage::jobs::{self, JobRow};
use crate::storage::statement::insert_all;
use crate::storage::{self, Connection, operators, provisioning_tasks, reservations, tenants, tokens, users};

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
            Err(error) if error.is_passing() => {}
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

/// What became of a row.
struct Told {
    good: bool,
    outcome: &'static str,
    detail: String,
}

impl Told {
    const fn good(outcome: &'static str) -> Self {
        Self { good: true, outcome, detail: String::new() }
    }

    fn failed(detail: impl Into<String>) -> Self {
        Self { good: false, outcome: "failed", detail: detail.into() }
    }
}

/// What is known while the rows of a turn are done.
struct Known {
    config: TenantConfig,
    /// By [`key_of`] of their names.
    groups: HashMap<String, GroupId>,
    beyond: Beyond,
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
        Err(error) if error.is_passing() => return Err(error),
        // One of them cannot be done: each for itself, so that the others are.
        Err(_) => {
            let mut job = job.clone();
            for row in &rows {
                let one = std::slice::from_ref(row);
                let alone =
                    async |connection: &mut Connection| some(&desk, connection, &known, &job, (one, row.number)).await;
                let done = match db.write(alone).await {
                    Err(error) if !error.is_passing() => {
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

/// Does some rows, in the transaction of the caller; nothing, if another instance was faster or the job was stopped.
async fn some(
    desk: &Desk<'_>,
    connection: &mut Connection,
    known: &Known,
    job: &Job,
    (rows, last): (&[JobRow], i64),
) -> storage::Result<()> {
    if !jobs::take(connection, job, last).await? {
        return Ok(());
    }
    let open: Vec<(i64, &serde_json::Value)> = rows
        .iter()
        .filter(|row| row.outcome.is_none())
        .filter_map(|row| Some((row.number, row.input.as_ref()?)))
        .collect();
    let told = match &job.work {
        Work::ImportPeople(how) => import(desk, connection, known, &open, *how).await?,
        Work::People(deed) => {
            let mut told = Vec::with_capacity(open.len());
            for (number, input) in &open {
                let id = serde_json::from_value::<UserId>((*input).clone()).ok();
                told.push((*number, person(desk, connection, known, id, deed).await?));
            }
            told
        }
        Work::Provision(order) => provision(desk, connection, known, &open, order).await?,
        Work::ImportTokens(how) => import_tokens(desk, connection, known, &open, how).await?,
        Work::Tokens(deed) => {
            let mut told = Vec::with_capacity(open.len());
            for (number, input) in &open {
                let id = serde_json::from_value::<TokenId>((*input).clone()).ok();
                told.push((*number, token(desk, connection, known, id, deed).await?));
            }
            told
        }
    };
    let (mut done, mut failed) = (0, 0);
    for (number, told) in told {
        done += 1;
        failed += i64::from(!told.good);
        jobs::finish_row(connection, job.tenant, job.id, number, (told.outcome, &told.detail)).await?;
    }
    jobs::counted(job, (done, failed)).run(connection).await.map(drop)
}

/// The groups that there are, with those that these rows want and that are made for them.
async fn groups(
    desk: &Desk<'_>,
    config: &TenantConfig,
    rows: &[JobRow],
    how: Import,
) -> storage::Result<HashMap<String, GroupId>> {
    let mut known: HashMap<String, GroupId> =
        config.groups.iter().map(|group| (key_of(&group.name), group.id)).collect();
    if !how.make_groups {
        return Ok(known);
    }
    let lines = rows.iter().filter_map(|row| serde_json::from_value::<Line>(row.input.clone()?).ok());
    let mut new: Vec<Group> = Vec::new();
    for name in lines.flat_map(|line| line.groups.unwrap_or_default()) {
        known.entry(key_of(&name)).or_insert_with(|| {
            let group = Group { id: desk.house.entropy.id(), name: name.clone() };
            new.push(group.clone());
            group.id
        });
    }
    if !how.dry_run && !new.is_empty() {
        match made(desk, config, &new).await {
            Err(error) if !error.is_passing() => {
                // One of them cannot be made: each for itself, so that only the rows which name it fail.
                for group in &new {
                    match made(desk, config, std::slice::from_ref(group)).await {
                        Err(error) if !error.is_passing() => {
                            tracing::warn!(%error, group = group.name, "a group of a table cannot be made");
                            known.remove(&key_of(&group.name));
                        }
                        done => done?,
                    }
                }
            }
            done => done?,
        }
        desk.house.forget_realms();
    }
    Ok(known)
}

/// Makes groups, all or none of them.
async fn made(desk: &Desk<'_>, config: &TenantConfig, groups: &[Group]) -> storage::Result<()> {
    let work = async |connection: &mut Connection| {
        for group in groups {
            super::tenants::add_group(desk, connection, config.tenant.id, group).await?;
        }
        tenants::raise_version(connection, config.tenant.id, desk.now).await
    };
    // Somebody else makes one of them at the same moment: they are there at the next turn.
    desk.house.db.write(work).await.map_err(|error| match error {
        error if error.is_duplicate() => storage::Error::Contended,
        error => error,
    })
}

async fn import(
    desk: &Desk<'_>,
    connection: &mut Connection,
    known: &Known,
    rows: &[(i64, &serde_json::Value)],
    how: Import,
) -> storage::Result<Vec<(i64, Told)>> {
    let (mut told, mut numbers, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
    for (number, input) in rows {
        let line = serde_json::from_value::<Line>((*input).clone()).unwrap_or_default();
        if known.beyond.has_named(&line.username) {
            told.push((*number, Told::failed(BEYOND)));
            continue;
        }
        match line.wanted(&known.groups) {
            Ok(it) => {
                numbers.push(*number);
                wanted.push(it);
            }
            Err(name) => told.push((*number, Told::failed(format!("there is no group \"{name}\"")))),
        }
    }
    let existing = if how.update { Existing::Update } else { Existing::Keep };
    let storing = if how.dry_run { Storing::Dry } else { Storing::Really };
    let outcomes = roster::import(desk, connection, &known.config, &wanted, (existing, storing)).await?;
    told.extend(numbers.into_iter().zip(outcomes).map(|(number, outcome)| {
        let detail = match &outcome {
            roster::Outcome::Refused(why) => return (number, Told::failed(*why)),
            roster::Outcome::Changed(fields) => fields.join(", "),
            _ => String::new(),
        };
        (number, Told { good: true, outcome: outcome.id(), detail })
    }));
    Ok(told)
}

/// A token of a file as a row of a job keeps it: its secret is sealed like every other (T-63).
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    /// What the secret is sealed for.
    id: TokenId,
    serial: String,
    template: TokenTemplate,
    secret_sealed: String,
    last_position: i64,
    drift_steps: i64,
    device: serde_json::Value,
    user: Option<String>,
}

impl NewRow {
    /// A token of a maker's file.
    #[must_use]
    pub fn wanted(house: &House, tenant: TenantId, wanted: &Wanted) -> Self {
        let id: TokenId = house.entropy.id();
        let sealed = house.sealer.seal(Place::new(tenant, "job_row", "input", id), &wanted.secret);
        let kept = Kept {
            id,
            serial: wanted.serial.clone(),
            template: wanted.template.clone(),
            secret_sealed: BASE64.encode(&sealed),
            last_position: wanted.last_position,
            drift_steps: wanted.drift_steps,
            device: wanted.device.clone(),
            user: wanted.user.clone(),
        };
        Self { name: wanted.serial.clone(), input: serde_json::to_value(&kept).map_err(|error| error.to_string()) }
    }
}

/// The token of a row with its secret; `None` if it does not open.
fn opened(house: &House, tenant: TenantId, input: &serde_json::Value) -> Option<Wanted> {
    let kept = serde_json::from_value::<Kept>(input.clone()).ok()?;
    let sealed = BASE64.decode(kept.secret_sealed.as_bytes()).ok()?;
    let secret = house.sealer.open(Place::new(tenant, "job_row", "input", kept.id), &sealed).ok()?;
    Some(Wanted {
        serial: kept.serial,
        template: kept.template,
        secret,
        last_position: kept.last_position,
        drift_steps: kept.drift_steps,
        device: kept.device,
        user: kept.user,
    })
}

async fn import_tokens(
    desk: &Desk<'_>,
    connection: &mut Connection,
    known: &Known,
    rows: &[(i64, &serde_json::Value)],
    how: &ImportTokens,
) -> storage::Result<Vec<(i64, Told)>> {
    let config = &known.config;
    let is_beyond = |owner: &str| known.beyond.has_named(owner);
    let (mut told, mut numbers, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
    for (number, input) in rows {
        match opened(desk.house, config.tenant.id, input) {
            Some(it) if it.user.as_deref().is_some_and(is_beyond) => told.push((*number, Told::failed(BEYOND))),
            Some(it) => {
                numbers.push(*number);
                wanted.push(it);
            }
            None => told.push((*number, Told::failed("the key that its secret is sealed with is gone"))),
        }
    }
    let how = How {
        storing: if how.dry_run { Storing::Dry } else { Storing::Really },
        active: !how.reserve,
        reinitialize: how.reinitialize,
        most: i64::from(config.settings.tokens.max_per_user),
    };
    let outcomes = stock::import(desk, connection, config.tenant.id, &wanted, how).await?;
    told.extend(numbers.into_iter().zip(outcomes).map(|(number, outcome)| {
        let became = match outcome {
            Outcome::Stocked => Told::good("stocked"),
            Outcome::Given(user) => Told { good: true, outcome: "given", detail: user },
            Outcome::Refused(why) => Told::failed(why),
        };
        (number, became)
    }));
    Ok(told)
}

async fn person(
    desk: &Desk<'_>,
    connection: &mut Connection,
    known: &Known,
    id: Option<UserId>,
    deed: &PeopleDeed,
) -> storage::Result<Told> {
    let (config, tenant) = (&known.config, known.config.tenant.id);
    let user = match id {
        Some(id) => {
            // So that nobody changes it between the look and the deed.
            users::hold(connection, tenant, id).await?;
            users::with_id(connection, tenant, id).await?
        }
        None => None,
    };
    let Some(user) = user else { return Ok(Told::failed("there is no such account any more")) };
    if known.beyond.has(user.id) {
        return Ok(Told::failed(BEYOND));
    }
    let told = |done: bool, outcome: &'static str, already: &str| {
        if done { Told::good(outcome) } else { Told { good: true, outcome: "unchanged", detail: already.to_owned() } }
    };
    match deed {
        PeopleDeed::Unlock => {
            people::unlock(desk, connection, &user).await?;
            Ok(Told::good("unlocked"))
        }
        PeopleDeed::Enable | PeopleDeed::Disable => {
            let enable = *deed == PeopleDeed::Enable;
            let status = if enable { Status::Enabled } else { Status::Disabled };
            if user.status != status {
                let done = accounts::set_status(desk, connection, (&user, None), status).await?;
                if let Err(why) = done {
                    return Ok(Told::failed(why));
                }
            }
            let outcome = if enable { "enabled" } else { "disabled" };
            Ok(told(user.status != status, outcome, &format!("is {outcome} already")))
        }
        PeopleDeed::EndSessions => {
            people::end_sessions(desk, connection, &user).await?;
            Ok(Told::good("sessions ended"))
        }
        PeopleDeed::Enter { group } | PeopleDeed::Leave { group } => {
            if config.groups.iter().all(|known| known.id != *group) {
                return Ok(Told::failed("there is no such group any more"));
            }
            let enter = matches!(deed, PeopleDeed::Enter { .. });
            let done = people::set_membership(desk, connection, &user, *group, enter).await?;
            let (outcome, already) =
                if enter { ("added", "is in the group already") } else { ("removed", "is not in the group") };
            Ok(told(done, outcome, already))
        }
        PeopleDeed::Resend => resend(desk, connection, config, user.id).await,
    }
}

/// Puts people into the task of the job, which the first of them makes.
async fn provision(
    desk: &Desk<'_>,
    connection: &mut Connection,
    known: &Known,
    rows: &[(i64, &serde_json::Value)],
    order: &Provision,
) -> storage::Result<Vec<(i64, Told)>> {
    let (config, tenant) = (&known.config, known.config.tenant.id);
    let (mut told, mut found) = (Vec::new(), Vec::new());
    for (number, input) in rows {
        let user = match serde_json::from_value::<UserId>((*input).clone()) {
            Ok(id) => users::with_id(connection, tenant, id).await?,
            Err(_) => None,
        };
        match user {
            Some(user) if known.beyond.has(user.id) => told.push((*number, Told::failed(BEYOND))),
            Some(user) => found.push((*number, user)),
            None => told.push((*number, Told::failed("there is no such account any more"))),
        }
    }
    let number = order.number.to_string().parse::<TaskNumber>().ok();
    let into = match number {
        Some(number) => provisioning_tasks::with_number(connection, tenant, number).await?,
        None => None,
    };
    if into.as_ref().is_some_and(|task| task.removed_at.is_some()) {
        told.extend(found.into_iter().map(|(number, _)| (number, Told::failed("the task was removed meanwhile"))));
        return Ok(told);
    }
    let order = Order {
        token_type: order.token_type,
        stop_at: into.as_ref().map_or(Timestamp::from_micros(order.stop_at), |task| task.stop_at),
        comment: order.comment.clone(),
        operator: desk.actor.called().map_or_else(|| desk.actor.name(), str::to_owned),
        rule: None,
        issue_duplicates: order.issue_duplicates,
        number,
    };
    let people: Vec<User> = found.iter().map(|(_, user)| user.clone()).collect();
    let created = provisioning::create(desk, connection, config, &order, &people, into.as_ref()).await?;
    told.extend(found.into_iter().map(|(number, user)| {
        let skipped = created.skipped.iter().find(|(other, _)| other.id == user.id);
        (number, skipped.map_or(Told::good("sent"), |(_, why)| Told::failed(why.words())))
    }));
    Ok(told)
}

/// Sends the mails of everything that is open for a person again.
async fn resend(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    user: UserId,
) -> storage::Result<Told> {
    let stop_at = config.settings.enrollment_mail.stop_at(desk.now, None);
    let places = reservations::of_user(connection, config.tenant.id, user).await?;
    let open = places.into_iter().filter(|place| {
        use reservation::Status::{Active, Expired, Locked};
        matches!(place.status, Active | Expired | Locked) && place.token.is_none()
    });
    let mut sent = 0;
    for place in open {
        match provisioning::resend(desk, connection, config, &place, stop_at).await? {
            Ok(()) => sent += 1,
            Err(why) => return Ok(Told::failed(why.to_string())),
        }
    }
    Ok(if sent > 0 { Told::good("sent") } else { Told::failed("is in no open provisioning task") })
}

async fn token(
    desk: &Desk<'_>,
    connection: &mut Connection,
    known: &Known,
    id: Option<TokenId>,
    deed: &TokenDeed,
) -> storage::Result<Told> {
    let token = match id {
        Some(id) => tokens::with_id(known.config.tenant.id, id).ask(connection).await?,
        None => None,
    };
    let Some(token) = token else { return Ok(Told::failed("there is no such authenticator")) };
    if token.user.is_some_and(|user| known.beyond.has(user)) {
        return Ok(Told::failed(BEYOND));
    }
    let outcome = match deed.step {
        TokenStep::Suspend => "suspended",
        TokenStep::Reactivate => "reactivated",
        TokenStep::Unlock => "unlocked",
        TokenStep::Revoke { .. } => "revoked",
    };
    let moved = token_states::carry_out(desk, connection, &token, deed).await?;
    Ok(moved.map_or_else(Told::failed, |_| Told::good(outcome)))
}
