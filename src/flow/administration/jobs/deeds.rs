//! What a job does with a row: one account, one authenticator, one enrollment by mail.

use std::collections::HashMap;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::{BEYOND, NewRow};
use crate::domain::authenticator::template::TokenTemplate;
use crate::domain::group::Group;
use crate::domain::ids::{GroupId, TenantId, TokenId, UserId};
use crate::domain::job::{Import, ImportTokens, Job, PeopleDeed, Provision, TokenDeed, TokenStep, Work};
use crate::domain::name::key_of;
use crate::domain::provisioning_task::TaskNumber;
use crate::domain::reservation;
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{Status, User};
use crate::flow::House;
use crate::flow::administration::accounts::{self, Beyond};
use crate::flow::administration::provisioning::{self, Order};
use crate::flow::administration::roster::{self, Existing, Line, Storing};
use crate::flow::administration::stock::{self, How, Outcome, Wanted};
use crate::flow::administration::{Desk, people, token_states};
use crate::keys::sealing::Place;
use crate::storage::jobs::{self, JobRow};
use crate::storage::{self, Connection, provisioning_tasks, reservations, tenants, tokens, users};

/// What became of a row.
pub(super) struct Told {
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
pub(super) struct Known {
    pub(super) config: TenantConfig,
    /// By [`key_of`] of their names.
    pub(super) groups: HashMap<String, GroupId>,
    pub(super) beyond: Beyond,
}

/// Does some rows, in the transaction of the caller; nothing, if another instance was faster or the job was stopped.
pub(super) async fn some(
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
pub(super) async fn groups(
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
            Err(error) if !error.is_of_the_moment() => {
                // One of them cannot be made: each for itself, so that only the rows which name it fail.
                for group in &new {
                    match made(desk, config, std::slice::from_ref(group)).await {
                        Err(error) if !error.is_of_the_moment() => {
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
            crate::flow::administration::tenants::add_group(desk, connection, config.tenant.id, group).await?;
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
