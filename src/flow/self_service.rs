//! What people see to themselves in the portal, besides their authenticators: where they are logged in, what was not them, and
//! the language that they are written to in (part D2, P4, P6, P7).

use std::time::Duration;

use serde_json::json;

use super::lifecycle::{self, By, Ending};
use super::owner::{self, Wish};
use super::{House, Realm, Result, Visit, alerts, recovery, session};
use crate::domain::alert::{Alert, Kind};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::authenticator::lifecycle::{Move, State};
use crate::domain::ids::{EnrollmentId, SessionId, UserId};
use crate::domain::session::Session;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::User;
use crate::storage::audit_list::Place;
use crate::storage::enrollment_history::{self, Filter, Outcome, Told};
use crate::storage::tokens::Token;
use crate::storage::{self, Connection, access_log, sessions, tokens, users};

/// How far back people see what was done with their account.
const HISTORY: Duration = Duration::from_secs(90 * 86_400);
/// More enrollments than this in that time are not looked at.
const ENROLLMENTS: usize = 50;

/// The moment from which on people see what was done with their account.
#[must_use]
pub fn history_from(now: Timestamp) -> Timestamp {
    now.minus(HISTORY)
}

/// The enrollments of a person since [`history_from`] that were finished, the newest first.
///
/// # Errors
/// If the database fails.
pub async fn enrollments(
    connection: &mut Connection,
    realm: &Realm,
    user: UserId,
    now: Timestamp,
) -> storage::Result<Vec<Told>> {
    let filter = Filter {
        user: Some(user),
        outcome: Some(Outcome::Completed),
        from: Some(history_from(now)),
        ..Filter::default()
    };
    Ok(enrollment_history::page(connection, realm.tenant(), &filter, None, ENROLLMENTS, now).await?.rows)
}

/// Which of their sessions a person ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// This one.
    One(SessionId),
    /// All but this one.
    AllBut(SessionId),
}

/// Ends sessions of a person, with everything that was granted in them; whoever heard of them is told. With all but one end
/// the logins that are under way, too. Says how many were alive.
///
/// # Errors
/// If the database fails.
pub async fn end_sessions(house: &House, realm: &Realm, visit: &Visit, user: UserId, which: Which) -> Result<usize> {
    let tenant = realm.tenant();
    let ended = house.db.write(async |connection| {
        session::long_over(connection, tenant, user, visit.now).await?;
        if let Which::AllBut(kept) = which {
            // What is under way elsewhere is to lead to no session any more, nor what an application holds from there for longer.
            users::raise_security_version(connection, tenant, user, visit.now).await?;
            sessions::follow(tenant, user, kept).run(connection).await?;
        }
        let wanted = |one: &Session| match which {
            Which::One(id) => one.id == id,
            Which::AllBut(id) => one.id != id,
        };
        let living = sessions::living_of(tenant, user).ask(connection).await?;
        let mut ended = 0;
        for one in living.iter().filter(|one| wanted(one)) {
            if session::one_ended(connection, one, "ended by its owner", visit.now).await? {
                let event = Event::new(visit.now, tenant, Actor::User(user), Action::SessionEnded);
                house.record(connection, event.on("session", one.id).from_address(visit.address)).await?;
                ended += 1;
            }
        }
        Ok(ended)
    });
    let ended = ended.await?;
    house.wake_notices();
    Ok(ended)
}

/// Whether somebody has proven to be the person in an access. Whoever knows a user name can begin a login with it, and what came to
/// nothing is no reason to log everybody out.
#[must_use]
pub fn is_disputable(told: &access_log::Told) -> bool {
    told.result == "success" || !told.methods.is_empty()
}

/// What a person says was not them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disputed {
    /// An access, by its key in the access log.
    Access(Place),
    /// An enrollment that was finished.
    Enrollment(EnrollmentId),
}

/// "This was not me": every session and open login of the person ends, the one that says it included, an authenticator
/// that somebody else enrolled stops, recovery codes are worthless, and operators are alerted. Says `false` if the person has no such entry.
///
/// # Errors
/// If the database fails.
pub async fn dispute(house: &House, realm: &Realm, visit: &Visit, user: &User, what: &Disputed) -> Result<bool> {
    let done = house.db.write(async |connection| {
        users::hold(connection, realm.tenant(), user.id).await?;
        let Some(entry) = entry(connection, realm, visit, user, what).await? else { return Ok(false) };
        carry_out(connection, house, realm, visit, user, &entry).await?;
        Ok(true)
    });
    let done = done.await?;
    house.wake_notices();
    house.mail_waits.notify_one();
    Ok(done)
}

/// What is known of something that was disputed.
struct Entry {
    at: Timestamp,
    application: String,
    address: String,
    serial: String,
}

async fn entry(
    connection: &mut Connection,
    realm: &Realm,
    visit: &Visit,
    user: &User,
    what: &Disputed,
) -> storage::Result<Option<Entry>> {
    let called = |id| realm.config.application(id).map(|application| application.name.clone()).unwrap_or_default();
    Ok(match what {
        Disputed::Access(place) => {
            let found = access_log::of_user_at(realm.tenant(), user.id, place).ask(connection).await?;
            found.filter(is_disputable).map(|told| Entry {
                at: told.at,
                application: called(told.application),
                address: told.address,
                serial: String::new(),
            })
        }
        Disputed::Enrollment(id) => {
            let all = enrollments(connection, realm, user.id, visit.now).await?;
            all.into_iter().find(|told| told.id == *id).map(|told| Entry {
                at: told.begun_at,
                application: told.application.map(called).unwrap_or_default(),
                address: told.address,
                serial: told.serial.unwrap_or_default(),
            })
        }
    })
}

async fn carry_out(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    user: &User,
    entry: &Entry,
) -> storage::Result<()> {
    let tenant = realm.tenant();
    let mine = tokens::of_user(tenant, user.id).ask(connection).await?;
    let stoppable = |token: &&Token| matches!(token.state, State::Active | State::Locked);
    let stopped = match mine.iter().filter(stoppable).find(|token| token.serial == entry.serial) {
        Some(token) => {
            let by = By::visitor(Actor::User(user.id), visit);
            let step = (Move::Suspend, "not me");
            let moved = lifecycle::carry_out(connection, house, &by, token, step, Ending::All).await?.done();
            if moved {
                // Whoever says so may be the stranger, and the authenticator the owner's.
                owner::tell(connection, house, realm, visit, (token, user.id), Wish::Lost).await?;
            }
            moved && token.state == State::Active
        }
        None => false,
    };
    if !stopped {
        users::raise_security_version(connection, tenant, user.id, visit.now).await?;
        session::all_ended(connection, tenant, user.id, "not the person", visit.now).await?;
    }
    recovery::disowned(connection, house, visit, (tenant, user.id), Actor::User(user.id)).await?;
    let event = Event::new(visit.now, tenant, Actor::User(user.id), Action::AccessDisputed);
    let detail = json!({
        "at": entry.at.rfc3339(), "application": entry.application, "from": entry.address, "serial": entry.serial,
    });
    house.record(connection, event.on("user", user.id).from_address(visit.address).with(detail)).await?;
    let alert = Alert {
        kind: Kind::AccessDisputed,
        at: visit.now,
        user: Some(user.id),
        username: user.username.clone(),
        serial: entry.serial.clone(),
        application: entry.application.clone(),
        address: entry.address.clone(),
        correlation: Some(visit.correlation),
        detail: entry.at.rfc3339(),
    };
    alerts::raise(connection, house, &realm.config, &alert).await
}

/// Stores the language that a person wants pages and mails in, by its tag.
///
/// # Errors
/// If the database fails.
pub async fn speak(house: &House, realm: &Realm, visit: &Visit, user: &User, language: &'static str) -> Result<()> {
    let tenant = realm.tenant();
    let stored = house.db.write(async |connection| {
        if users::set_language(connection, tenant, user.id, language, visit.now).await? {
            let event = Event::new(visit.now, tenant, Actor::User(user.id), Action::UserChanged);
            let detail = json!({
                "username": user.username,
                "old": { "language": user.language }, "new": { "language": language },
            });
            house.record(connection, event.on("user", user.id).from_address(visit.address).with(detail)).await?;
        }
        Ok(())
    });
    Ok(stored.await?)
}
