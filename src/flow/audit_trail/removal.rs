//! What is taken out of the trail: events that are too old, and what tells who somebody was. What is left can still be checked.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::BitOr as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::{BATCH, ExportError, PAGE, keys, seal_until, signed_text};
use crate::domain::audit::chain::{Entry, REMOVAL_TYPE, Removal, RemovalNote};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::{TenantId, UserId};
use crate::domain::timestamp::Timestamp;
use crate::flow::House;
use crate::flow::administration::Desk;
use crate::flow::round::Round;
use crate::storage::audit_chain::{self, State};
use crate::storage::{self, Connection, access_log, audit, report_schedules};

/// How many rows one note tells of.
const ROWS_OF_NOTE: usize = 500;
/// What stands where personal data was.
const REMOVED: &str = "removed";

/// Removes events that are older than `days`, up to a signed checkpoint, so that what is left can still be checked. Says how
/// many.
///
/// # Errors
/// If the database fails.
pub async fn purge(house: &House, tenant: TenantId, days: u32, now: Timestamp) -> storage::Result<u64> {
    let old = now.minus(Duration::from_secs(u64::from(days) * 86_400));
    let (state, signed) = house
        .db
        .look(async |connection| {
            let state = audit_chain::state(tenant).ask(connection).await?;
            Ok((state, audit_chain::checkpoint_at(tenant, old).ask(connection).await?))
        })
        .await?;
    let Some(State { mut base, .. }) = state else { return Ok(0) };
    if let Some(signed) = signed.filter(|signed| signed.number > base) {
        base = signed.number;
        // The chain begins behind the checkpoint from here on, whether or not what lies before it is gone yet: whoever checks it
        // while the rows are removed, or after that was interrupted, does not miss them.
        let cut = async |connection: &mut Connection| {
            if audit_chain::cut(connection, tenant, base).await? {
                // The time that what is old is reckoned from may lie behind: the trail says when it was done.
                let at = house.clock.now();
                let event = Event::new(at, tenant, Actor::System, Action::AuditPurged).on("tenant", tenant);
                house.record(connection, event.with(json!({ "through": base, "days": days }))).await?;
            }
            Ok(())
        };
        house.db.write(cut).await?;
    }
    let mut removed = 0;
    loop {
        let rows = house.db.look(async |connection| audit_chain::links(tenant, 0, base, BATCH).ask(connection).await);
        let rows = rows.await?;
        if rows.is_empty() {
            return Ok(removed);
        }
        house.db.write(async |connection| audit_chain::remove(connection, tenant, &rows).await).await?;
        removed += u64::try_from(rows.len()).unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Removes what is older than each virtual server keeps it: audit events and entries of the access log, and what is kept
/// of reports.
///
/// # Errors
/// If the database fails.
pub async fn purge_all(house: &House, now: Timestamp) -> storage::Result<u64> {
    let tenants = house.db.look(async |connection| audit_chain::tenants().ask(connection).await).await?;
    let (mut removed, mut round) = (0, Round::default());
    for tenant in tenants {
        removed += round.of(tenant, purge_of(house, tenant, now).await).unwrap_or(0);
    }
    round.end(removed)
}

async fn purge_of(house: &House, tenant: TenantId, now: Timestamp) -> storage::Result<u64> {
    let settings =
        house.db.look(async |connection| storage::tenants::settings_of(tenant).ask(connection).await).await?;
    let Some(settings) = settings else { return Ok(0) };
    let mut removed = purge(house, tenant, settings.logs.audit_days, now).await?;
    let old = now.minus(Duration::from_secs(u64::from(settings.logs.access_days) * 86_400));
    loop {
        let some = house.db.write(async |connection| access_log::remove_before(connection, tenant, old).await);
        let some = some.await?;
        removed += some;
        if some == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let old = now.minus(Duration::from_secs(u64::from(settings.logs.report_days) * 86_400));
    let reports = async |connection: &mut Connection| report_schedules::remove_before(connection, tenant, old).await;
    removed += house.db.write(reports).await?;
    Ok(removed)
}

/// Removes what tells who somebody was from the events that are about them: addresses, and `names` (user name, mail
/// address, alias, first and last name, telephone number) and what the account was called before, wherever they stand. The identifier of
/// the account stays: it names nobody once the account is gone. The chain stays whole, because a signed note in it tells which rows have changed, and how. Says
/// how many rows.
///
/// # Errors
/// [`ExportError::NoKey`] if the virtual server has no key to sign the note with; if the database fails.
pub async fn pseudonymize(
    desk: &Desk<'_>,
    tenant: TenantId,
    user: UserId,
    names: &[String],
) -> std::result::Result<u64, ExportError> {
    let (house, now) = (desk.house, desk.now);
    seal_until(house, tenant, now, now).await?;
    let (Some(key), _) = keys(house, tenant).await? else { return Err(ExportError::NoKey) };
    let rows = house.db.look(async |connection| all_about(connection, tenant, user).await).await?;
    let names = ever(names, &rows, user);
    let mut changed = 0;
    for some in rows.chunks(ROWS_OF_NOTE) {
        let mut left = Vec::new();
        let mut noted = BTreeMap::new();
        for (number, event) in some {
            let without = without_names(event, user, &names);
            if without != *event {
                noted.insert(*number, without.content(tenant));
                left.push(without);
            }
        }
        if left.is_empty() {
            continue;
        }
        let rows = left.len();
        let note = signed_text(&key, REMOVAL_TYPE, &Removal { tenant: tenant.to_string(), rows: noted })?;
        let detail = serde_json::to_value(RemovalNote { rows, note }).unwrap_or_default();
        house
            .db
            .write(async |connection| {
                for event in &left {
                    audit_chain::strip(connection, tenant, event).await?;
                }
                let object = ("user", user.to_string());
                desk.record(connection, tenant, Action::AuditPseudonymized, object, detail.clone()).await
            })
            .await?;
        changed += u64::try_from(rows).unwrap_or_default();
    }
    // Whoever checks or exports the trail right after this needs the notes.
    seal_until(house, tenant, now, now).await?;
    Ok(changed)
}

/// Every sealed event by or about somebody, and those of the logins in which they were not known yet, with their numbers.
async fn all_about(connection: &mut Connection, tenant: TenantId, user: UserId) -> storage::Result<Vec<(i64, Entry)>> {
    let mut events: BTreeMap<(i64, String), Entry> = BTreeMap::new();
    let mut logins = BTreeSet::new();
    let mut after = None;
    loop {
        let page = audit::about_subject(tenant, &user.to_string(), after.as_ref(), PAGE).ask(connection).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.at, last.id.clone()));
        for event in page {
            logins.extend(event.correlation_id.clone());
            events.insert((event.at, event.id.clone()), event);
        }
    }
    for login in logins {
        let Ok(login) = login.parse() else { continue };
        for event in audit::of_login(tenant, login).ask(connection).await? {
            // Two people may try at one page; what another did there is not theirs.
            if event.actor.is_empty() || event.actor == user.to_string() {
                events.insert((event.at, event.id.clone()), event);
            }
        }
    }
    let mut numbered = Vec::with_capacity(events.len());
    for ((at, id), event) in events {
        if let Some(link) = audit_chain::link_of(tenant, at, &id).ask(connection).await? {
            numbered.push((link.number, event));
        }
    }
    Ok(numbered)
}

/// Names as they are compared, with those that the account had before: its own events tell them, and who a name that was given up
/// belonged to is known as well.
fn ever(names: &[String], rows: &[(i64, Entry)], user: UserId) -> Vec<String> {
    const FIELDS: [&str; 4] = ["username", "alias", "first_name", "last_name"];
    let id = user.to_string();
    let mut all: BTreeSet<String> = names.iter().map(|name| name.trim().to_lowercase()).collect();
    for (_, event) in rows.iter().filter(|(_, event)| event.object == "user" && event.object_id == id) {
        let Ok(detail) = serde_json::from_str::<Value>(&event.detail) else { continue };
        for part in [Some(&detail), detail.get("old"), detail.get("new")].into_iter().flatten() {
            let texts = FIELDS.iter().filter_map(|field| part.get(*field).and_then(Value::as_str));
            all.extend(texts.map(|text| text.trim().to_lowercase()));
        }
    }
    all.into_iter().filter(|name| !name.is_empty() && name != REMOVED).collect()
}

/// An event without what tells who somebody was.
fn without_names(event: &Entry, user: UserId, names: &[String]) -> Entry {
    let mut left = event.clone();
    let by_them = event.actor.is_empty() || event.actor == user.to_string();
    if by_them {
        left.address = String::new();
        left.actor_name = event.actor_name.as_ref().map(|_| REMOVED.to_owned());
    }
    let is_name = |text: &str| {
        let text = text.to_lowercase();
        names.iter().any(|name| text == *name || (name.chars().count() > 3 && text.contains(name.as_str())))
    };
    if is_name(&left.object_id) {
        left.object_id = REMOVED.to_owned();
    }
    if let Ok(mut detail) = serde_json::from_str::<Value>(&event.detail)
        && forget(&mut detail, &is_name)
    {
        left.detail = detail.to_string();
    }
    left
}

/// Puts something else in the place of every text that is a name. Says whether there was one.
fn forget(value: &mut Value, is_name: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) if is_name(text) => {
            REMOVED.clone_into(text);
            true
        }
        Value::Array(items) => items.iter_mut().map(|item| forget(item, is_name)).fold(false, bool::bitor),
        Value::Object(members) => members.values_mut().map(|item| forget(item, is_name)).fold(false, bool::bitor),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
