//! Attempts that may fail: the wait before the next one, the count of those that did (A16).

use super::case::Case;
use super::house::window_start;
use super::login::event;
use super::{House, Realm, Result, Visit, alerts, letters};
use crate::domain::alert::Kind;
use crate::domain::audit::Action;
use crate::domain::letter::Letter;
use crate::domain::lockout::{Failures, Lock, LockoutSettings};
use crate::domain::login::complaint::Complaint;
use crate::storage::{self, Connection, failures, throttle};

/// The window in which wrong secrets from one address are counted, in seconds (part B1).
const WINDOW: i64 = 600;

/// Whether the next attempt must wait, because of the name or because of the address.
pub(super) async fn must_wait(house: &House, realm: &Realm, visit: &Visit, case: &Case) -> Result<Option<Complaint>> {
    let wait = case.lane.failures.wait(visit.now);
    if !wait.is_zero() {
        return Ok(Some(Complaint::Wait { seconds: wait.as_secs().max(1) }));
    }
    let subject = house.address_subject(realm.tenant(), "wrong secrets", visit.address);
    let start = window_start(visit.now, WINDOW);
    let hits =
        house.db.read(async |connection| throttle::hits(connection, realm.tenant(), &subject, start).await).await?;
    let over = start.plus(std::time::Duration::from_secs(WINDOW.unsigned_abs())).since(visit.now);
    let many = hits >= house.settings.wrong_secrets_per_address;
    Ok(many.then(|| Complaint::Wait { seconds: over.as_secs().max(1) }))
}

/// Counts a wrong secret for the address and, if `for_name`, for the name; tells the person when it locks. `false` if
/// another request has locked the name at the same moment: then this one was no try any more (INV-5).
pub(super) async fn count(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    for_name: bool,
) -> storage::Result<bool> {
    let subject = house.address_subject(realm.tenant(), "wrong secrets", visit.address);
    let start = window_start(visit.now, WINDOW);
    throttle::hit(connection, realm.tenant(), &subject, start).await?;
    if !for_name || case.lane.subject.is_empty() {
        return Ok(true);
    }
    let settings = realm.config.settings.lockout;
    let (before, after) = add(connection, realm, visit, &case.lane.subject, settings).await?;
    if before.lock().refusal(visit.now).is_some() {
        return Ok(false);
    }
    if after.lock() == Lock::Open {
        return Ok(true);
    }
    house.record(connection, event(case, visit, Action::AccountLocked)).await?;
    let alert = alerts::about(case, visit, Kind::AccountLockout, "");
    alerts::raise(connection, house, &realm.config, &alert).await?;
    if !settings.alert_on_lock {
        return Ok(true);
    }
    let until = match after.lock() {
        Lock::Until(end) => Some(end),
        Lock::Open | Lock::Operator => None,
    };
    letters::send(connection, house, realm, visit, case, Letter::AccountLocked { until }).await?;
    Ok(true)
}

/// Adds one failure to the counter of `subject`, unless it is locked. Says what it showed before and shows now.
pub(super) async fn add(
    connection: &mut Connection,
    realm: &Realm,
    visit: &Visit,
    subject: &str,
    settings: LockoutSettings,
) -> storage::Result<(Failures, Failures)> {
    let tenant = realm.tenant();
    let mut before = failures::of(tenant, subject).ask(connection).await?;
    // Another request may count at the same moment; then what it wrote is read and counted on. Every round
    // somebody succeeds, so this ends; sixteen rounds are more than a burst of parallel guesses needs.
    for _ in 0..16 {
        if before.lock().refusal(visit.now).is_some() {
            return Ok((before, before));
        }
        let after = before.after_failure(settings, visit.now);
        if failures::replace(connection, tenant, subject, before, after).await? {
            return Ok((before, after));
        }
        before = failures::of(tenant, subject).ask(connection).await?;
    }
    Err(storage::Error::Contended)
}
