//! Attempts that may fail: the wait before the next one, the count of those that did (A16).

use super::case::Case;
use super::house::{text, window_start};
use super::login::event;
use super::{House, Realm, Result, Visit, alerts, letters};
use crate::domain::alert::{Alert, Kind};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::letter::Letter;
use crate::domain::lockout::{Failures, Lock, LockoutSettings};
use crate::domain::login::complaint::Complaint;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::User;
use crate::storage::logins::Proven;
use crate::storage::{self, Connection, account_locks, failures, logins, statement, throttle};

/// The window in which wrong secrets from one address are counted, in seconds (part B1).
pub(super) const WINDOW: i64 = 600;

/// The window in which codes by mail are counted, in seconds.
const CODES: i64 = 3600;

/// Rows in which the wrong secrets of a whole virtual server are counted: one row would be every failing login's turn.
const SHARDS: u8 = 16;

/// Whether the next attempt must wait, because of the name, of the address, or because the whole virtual server is under
/// attack. In a browser that the person is known in only the person's own failures there count (T-17).
pub(super) async fn must_wait(house: &House, realm: &Realm, visit: &Visit, case: &Case) -> Result<Option<Complaint>> {
    let start = window_start(visit.now, WINDOW);
    let attacked = !case.lane.known && under_attack(house, realm, start).await?;
    let wait = case.wait(attacked, visit.now);
    if !wait.is_zero() {
        return Ok(Some(Complaint::Wait { seconds: wait.as_secs().max(1) }));
    }
    let subject = house.address_subject(realm.tenant(), "wrong secrets", visit.address);
    let hits =
        house.db.read(async |connection| throttle::hits(connection, realm.tenant(), &subject, start).await).await?;
    let over = start.plus(std::time::Duration::from_secs(WINDOW.unsigned_abs())).since(visit.now);
    // Guesses that come from many addresses come a few from each.
    let most = house.settings.wrong_secrets_per_address;
    let most = if attacked { (most / 10).max(1) } else { most };
    Ok((hits >= most).then(|| Complaint::Wait { seconds: over.as_secs().max(1) }))
}

fn shard(house: &House, realm: &Realm, what: &str, number: u8) -> String {
    let parts: [&[u8]; 3] = [what.as_bytes(), &realm.tenant().to_bytes(), &[number % SHARDS]];
    text(&house.derived.throttle.of(&parts))
}

/// The row of a whole virtual server in which this visit counts.
fn shard_of(visit: &Visit) -> u8 {
    visit.correlation.to_bytes().last().copied().unwrap_or_default() % SHARDS
}

const WRONG: &str = "wrong secrets of all";
const CODES_OF_ALL: &str = "codes of all";

/// Whether there were so many wrong secrets in the window that began at `start` that it is an attack.
async fn under_attack(house: &House, realm: &Realm, start: Timestamp) -> Result<bool> {
    let subjects: Vec<String> = (0..SHARDS).map(|number| shard(house, realm, WRONG, number)).collect();
    let question =
        async |connection: &mut Connection| throttle::sum(connection, realm.tenant(), &subjects, start).await;
    Ok(house.db.read(question).await? >= house.settings.wrong_secrets_per_tenant)
}

/// Counts a wrong secret for the address and the virtual server, and for nobody: there is no name that it was a guess at.
pub(super) async fn count_address(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
) -> storage::Result<()> {
    let subject = house.address_subject(realm.tenant(), "wrong secrets", visit.address);
    let start = window_start(visit.now, WINDOW);
    throttle::hit(connection, realm.tenant(), &subject, start).await?;
    let number = shard_of(visit);
    let hits = throttle::hit(connection, realm.tenant(), &shard(house, realm, WRONG, number), start).await?;
    // One of the rows stands for all of them, so this is said once in a window.
    if number == 0 && hits == (house.settings.wrong_secrets_per_tenant / i64::from(SHARDS)).max(1) {
        let event = Event::new(visit.now, realm.tenant(), Actor::System, Action::AttackSuspected);
        house.record(connection, event.on("tenant", realm.tenant())).await?;
        alerts::raise(connection, house, &realm.config, &of_nobody(Kind::AttackSuspected, visit, "")).await?;
    }
    Ok(())
}

/// Counts a code that is about to be sent by mail; `false` if there were as many as may be, from this address or of the whole
/// virtual server: with a list of stolen passwords somebody could have very many sent. The operators hear of it once
/// in the window.
pub(super) async fn code_may_go(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
) -> storage::Result<bool> {
    let (tenant, start) = (realm.tenant(), window_start(visit.now, CODES));
    let subject = house.address_subject(tenant, "codes", visit.address);
    let of_address = throttle::hit(connection, tenant, &subject, start).await?;
    throttle::hit(connection, tenant, &shard(house, realm, CODES_OF_ALL, shard_of(visit)), start).await?;
    let subjects: Vec<String> = (0..SHARDS).map(|number| shard(house, realm, CODES_OF_ALL, number)).collect();
    let of_tenant = throttle::sum(connection, tenant, &subjects, start).await?;
    let mut allowed = true;
    for (hits, most, limit) in [
        (of_address, house.settings.codes_per_address, "codes_per_address"),
        (of_tenant, house.settings.codes_per_tenant, "codes_per_tenant"),
    ] {
        if hits <= most {
            continue;
        }
        allowed = false;
        // Of several who pass the limit at the same moment one tells of it.
        let told = text(&house.derived.throttle.of(&[b"codes withheld", &tenant.to_bytes(), limit.as_bytes()]));
        if throttle::hit(connection, tenant, &told, start).await? == 1 {
            let detail = format!("more codes by mail were asked for in an hour than limits.{limit} allows: {most}");
            let address = if limit == "codes_per_address" { visit.address.to_string() } else { String::new() };
            let alert = Alert { address, ..of_nobody(Kind::CodesWithheld, visit, &detail) };
            alerts::raise(connection, house, &realm.config, &alert).await?;
        }
    }
    Ok(allowed)
}

/// An alert that is about nobody.
fn of_nobody(kind: Kind, visit: &Visit, detail: &str) -> Alert {
    Alert {
        kind,
        at: visit.now,
        user: None,
        username: String::new(),
        serial: String::new(),
        application: String::new(),
        address: String::new(),
        correlation: None,
        detail: detail.to_owned(),
    }
}

/// Counts a wrong secret for the address and for the name; tells the person when it locks. A kind that the settings do not
/// count (`counts`, R-328) still counts for the hundred that there are at all. `false` if another request has locked
/// the name at the same moment: then this one was no try any more (INV-5). Where an account has several names it counts for
/// the one that was typed and for the account.
pub(super) async fn count(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    counts: bool,
) -> storage::Result<bool> {
    count_address(connection, house, realm, visit).await?;
    if case.lane.subject.is_empty() {
        return Ok(true);
    }
    let settings = realm.config.settings.lockout;
    let next = |before: Failures| {
        if counts { before.after_failure(settings, visit.now) } else { before.after_uncounted(visit.now) }
    };
    let (before, after) = change(connection, realm, visit, &case.lane.subject, &next).await?;
    if before.lock().refusal(visit.now).is_some() {
        return Ok(false);
    }
    // A lock that is over says when it was.
    let shown = after.lock().refusal(visit.now).is_some();
    let account = match &case.lane.account {
        None => shown.then(|| after.lock()),
        Some(_) => count_account(connection, realm, visit, case, next).await?,
    };
    if shown {
        let knocked = logins::proven(realm.tenant(), case.login().id, Proven::Knocked, visit.now);
        statement::run_all(connection, knocked.to_vec()).await?;
    } else if account.is_none() {
        return Ok(true);
    }
    // Whose account was locked already, by another name, is not told again; the operators are, as they are of a name that is nobody's.
    let member = case.member.as_ref().filter(|_| account.is_some());
    let lock = account.unwrap_or_else(|| after.lock());
    if let (false, Some(member)) = (case.lane.known, member) {
        account_locks::note(connection, realm.tenant(), &member.user.username, lock).await?;
    }
    let owner = member.map(|member| &member.user);
    let alert = alerts::about(case, visit, Kind::AccountLockout, "");
    let told = (event(case, visit, Action::AccountLocked), alert);
    let hidden = case.lane.account.is_some();
    locked(connection, house, realm, &letters::speaking(visit, case), (owner, lock, hidden), told).await?;
    Ok(true)
}

/// Counts a wrong secret for the account, beside the name that was typed. Gives the lock, if this has locked it.
async fn count_account(
    connection: &mut Connection,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    next: impl Fn(Failures) -> Failures,
) -> storage::Result<Option<Lock>> {
    let Some((subject, read)) = &case.lane.account else { return Ok(None) };
    if case.is_shut(visit.now) {
        // Nothing was looked at, so this was no try at the account. It costs what a try costs (T-19).
        failures::of(realm.tenant(), subject).ask(connection).await?;
        failures::replace(connection, realm.tenant(), subject, *read, *read).await?;
        return Ok(None);
    }
    let (before, after) = change(connection, realm, visit, subject, next).await?;
    let locks = before.lock().refusal(visit.now).is_none() && after.lock().refusal(visit.now).is_some();
    Ok(locks.then(|| after.lock()))
}

/// Tells that failures have locked an account: the audit trail, the operators, and its owner, if there is one. Where the lock
/// is `hidden` from whoever types another name of it, the letter says what the pages do not.
pub(super) async fn locked(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    (user, lock, hidden): (Option<&User>, Lock, bool),
    (event, alert): (Event, Alert),
) -> storage::Result<()> {
    house.record(connection, event).await?;
    alerts::raise(connection, house, &realm.config, &alert).await?;
    let Some(user) = user.filter(|_| realm.config.settings.lockout.alert_on_lock) else { return Ok(()) };
    let until = match lock {
        Lock::Until(end) => Some(end),
        Lock::Open | Lock::Operator => None,
    };
    let letter = Letter::AccountLocked { until, hidden };
    letters::send_until(connection, house, realm, visit, user, None, letter, visit.now.plus(letters::NOTICE)).await
}

/// Adds one failure to the counter of `subject`, unless it is locked. Says what it showed before and shows now.
pub(super) async fn add(
    connection: &mut Connection,
    realm: &Realm,
    visit: &Visit,
    subject: &str,
    settings: LockoutSettings,
) -> storage::Result<(Failures, Failures)> {
    change(connection, realm, visit, subject, |before| before.after_failure(settings, visit.now)).await
}

/// Changes the counter of `subject` to what is `next`, unless it is locked.
async fn change(
    connection: &mut Connection,
    realm: &Realm,
    visit: &Visit,
    subject: &str,
    next: impl Fn(Failures) -> Failures,
) -> storage::Result<(Failures, Failures)> {
    let tenant = realm.tenant();
    let mut before = failures::of(tenant, subject).ask(connection).await?;
    // Another request may count at the same moment; then what it wrote is read and counted on. Every round
    // somebody succeeds, so this ends; sixteen rounds are more than a burst of parallel guesses needs.
    for _ in 0..16 {
        if before.lock().refusal(visit.now).is_some() {
            return Ok((before, before));
        }
        let after = next(before);
        if failures::replace(connection, tenant, subject, before, after).await? {
            return Ok((before, after));
        }
        before = failures::of(tenant, subject).ask(connection).await?;
    }
    Err(storage::Error::Contended)
}
