//! Enrollment by mail, from the person's side: the link that is opened, and the authenticator that comes of it (A9, B7).
//!
//! A link proves nothing: it never leads to a session, and what is enrolled by it is another thing to have, never a thing
//! that was proven. Opening it uses nothing up, because mail scanners open links and press buttons (T-29); the one
//! authenticator does.

use super::case::login_cookie_hash;
use super::house::{text, window_start};
use super::login::Begun;
use super::server_pin::has_pin;
use super::{House, Realm, Result, Visit, alerts, app_calls, case, enrollment, letters, owner, second_factor, undo};
use crate::domain::alert::{Alert, Kind};
use crate::domain::application::Protocol;
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::authenticator::lifecycle::EnrolledBy;
use crate::domain::authenticator::template::TokenTemplate;
use crate::domain::enrollment::{Enrollment, State};
use crate::domain::ids::{LinkId, ReservationId, TenantId, TokenId, UserId};
use crate::domain::letter::Letter;
use crate::domain::login::origin::Origin;
use crate::domain::login::outcome::Ending;
use crate::domain::login::wishes::Wishes;
use crate::domain::login::{LONGEST, Login, Stage, page_deadline};
use crate::domain::policy::platform::Platform;
use crate::domain::reservation::{Closed, Reservation};
use crate::domain::secret::SecretBytes;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{Status, User};
use crate::storage::activations::Activation;
use crate::storage::enrollments::Ready;
use crate::storage::logins::LoginRow;
use crate::storage::statement::Statement;
use crate::storage::tokens::Token;
use crate::storage::{
    self, Connection, activations, enrollment_links, enrollments, logins, provisioning_tasks, reservations, throttle,
    tokens, users,
};

/// Octets of a link's secret.
pub(super) const SECRET: usize = 20;
/// Links that one address opens in [`WINDOW`] seconds; then it waits.
const MOST_OPENED: i64 = 60;
/// The window of that limit, in seconds.
const WINDOW: i64 = 600;

/// What became of a link that was opened.
#[derive(Debug)]
pub enum Opened {
    /// It works: the desk goes on.
    Begun(Begun),
    /// There is no such link, or the code is not its own.
    Wrong,
    /// It is that link, and it does not work any more.
    Closed(Closed),
    /// Too many were opened from this address; so many seconds help.
    Wait {
        /// How long.
        seconds: u64,
    },
}

/// What somebody typed, copied or followed, as it is hashed: blanks, hyphens and capital letters do not matter.
fn normalized(typed: &str) -> String {
    typed.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).take(200).collect()
}

/// The keyed hash of a link's secret, bound to the link.
pub(super) fn secret_hash(house: &House, tenant: TenantId, link: LinkId, secret: &str) -> String {
    let secret = normalized(secret);
    let fields: [&[u8]; 4] = [b"enrollment link", &tenant.to_bytes(), &link.to_bytes(), secret.as_bytes()];
    text(&house.derived.codes.of(&fields))
}

/// Opens a link: the person's browser gets a login that can end with an authenticator and with nothing else. It can be
/// opened again, in other browsers too, until an authenticator came of it.
///
/// # Errors
/// If the database fails.
pub async fn open(house: &House, realm: &Realm, visit: &Visit, link: LinkId, typed: &str) -> Result<Opened> {
    let (id, cookie) = (house.new_id(visit.now), house.new_cookie());
    let tenant = realm.tenant();
    let cookie_hash = login_cookie_hash(house, tenant, id, &cookie);
    let hash = secret_hash(house, tenant, link, typed);
    let subject = house.address_subject(tenant, "enrollment links", visit.address);
    let opened = house.db.write(async |connection| {
        let start = window_start(visit.now, WINDOW);
        if throttle::hit(connection, tenant, &subject, start).await? > MOST_OPENED {
            let over = start.plus(std::time::Duration::from_secs(WINDOW.unsigned_abs()));
            return Ok(Opened::Wait { seconds: over.since(visit.now).as_secs().max(1) });
        }
        let Some(known) = enrollment_links::with_id(connection, tenant, link).await? else { return Ok(Opened::Wrong) };
        let place = reservations::with_id(tenant, known.reservation).ask(connection).await?;
        let Some(place) = place else { return Ok(Opened::Wrong) };
        let about = |action| event(visit, tenant, action).on("reservation", place.id);
        // Hashes under a key that nobody outside has: comparing them leaks nothing about the secret.
        if hash != known.secret_hash {
            house.record(connection, about(Action::LinkRefused).with(serde_json::json!({ "reason": "wrong" }))).await?;
            failed(connection, house, realm, visit, &place).await?;
            return Ok(Opened::Wrong);
        }
        let user = users::with_id(connection, tenant, place.user).await?;
        let user = user.filter(|user| user.status == Status::Enabled);
        let Some(user) = user else { return refused(connection, house, about, Closed::Removed).await };
        if let Err(closed) = place.open(user.email.as_deref(), visit.now) {
            return refused(connection, house, about, closed).await;
        }
        if known.void {
            return refused(connection, house, about, Closed::Void).await;
        }
        enrollment_links::opened(connection, tenant, link, visit.now).await?;
        let login = login(realm, visit, id, &user, place.id);
        let row = LoginRow {
            login,
            cookie_hash: cookie_hash.clone(),
            previous_cookie: None,
            resync: None,
            address: visit.address.to_string(),
            user_agent: visit.user_agent.clone(),
        };
        logins::insert(connection, &row).await?;
        let begun = begin(house, visit, tenant, id, &place);
        enrollments::insert(connection, &begun).await?;
        let from = enrollments::Begun {
            method: "email_link",
            address: visit.address.to_string(),
            application: None,
            correlation: Some(visit.correlation),
        };
        enrollments::began(connection, tenant, begun.id, &from).await?;
        house.record(connection, about(Action::LinkOpened).in_login(visit.correlation)).await?;
        let started = event(visit, tenant, Action::EnrollmentStarted).on("enrollment", begun.id);
        house.record(connection, started.in_login(visit.correlation)).await?;
        // Where there is one platform there is nothing to choose.
        if let [only] = place.token_type.platforms(&realm.config.settings.platforms).as_slice() {
            let browser = super::Browser { login: Some(cookie.clone()), ..super::Browser::default() };
            if let Some(case) = case::load(connection, house, realm, visit, &browser, id).await? {
                let _ = enrollment::start(connection, house, realm, visit, &case, begun.id, *only).await?;
            }
        }
        Ok(Opened::Begun(Begun { login: id, cookie: cookie.clone() }))
    });
    let opened = opened.await?;
    house.mail_waits.notify_one();
    Ok(opened)
}

async fn refused(
    connection: &mut Connection,
    house: &House,
    about: impl Fn(Action) -> Event,
    closed: Closed,
) -> storage::Result<Opened> {
    let detail = serde_json::json!({ "reason": closed.id() });
    house.record(connection, about(Action::LinkRefused).with(detail)).await?;
    Ok(Opened::Closed(closed))
}

fn event(visit: &Visit, tenant: TenantId, action: Action) -> Event {
    Event::new(visit.now, tenant, Actor::Stranger, action).from_address(visit.address)
}

fn login(realm: &Realm, visit: &Visit, id: crate::domain::ids::LoginId, user: &User, place: ReservationId) -> Login {
    // The login's application is our own portal; it is not what is reached, for nothing is.
    let portal = realm.config.applications.iter().find(|application| application.protocol == Protocol::Portal);
    let application = portal.map_or(crate::domain::ids::Id::from_bits(0), |application| application.id);
    Login {
        id,
        tenant: realm.tenant(),
        origin: Origin::Mail,
        application,
        wishes: Wishes::default(),
        request: place.to_string(),
        stage: Stage::Open,
        user: Some(user.id),
        named: Some(user.username.clone()),
        security_version: user.security_version,
        language: None,
        correlation: visit.correlation,
        created_at: visit.now,
        expires_at: page_deadline(visit.now, true, visit.now.plus(LONGEST)),
        absolute_expires_at: visit.now.plus(LONGEST),
    }
}

fn begin(
    house: &House,
    visit: &Visit,
    tenant: TenantId,
    login: crate::domain::ids::LoginId,
    place: &Reservation,
) -> Enrollment {
    Enrollment {
        beside: false,
        replaces: None,
        id: house.new_id(visit.now),
        tenant,
        login,
        reservation: Some(place.id),
        user: place.user,
        state: State::Open,
        platform: None,
        installed: false,
        activated: false,
        created_at: visit.now,
    }
}

/// Counts a failed attempt at a place in a task; too many lock it and end what was begun for it.
pub(super) async fn failed(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    place: &Reservation,
) -> storage::Result<()> {
    let tenant = realm.tenant();
    let most = i64::from(realm.config.settings.enrollment_mail.attempts);
    if !reservations::fail(connection, tenant, place.id, most, visit.now).await? {
        return Ok(());
    }
    shut(connection, tenant, place, visit.now).await?;
    house.record(connection, event(visit, tenant, Action::ReservationLocked).on("reservation", place.id)).await?;
    let user = users::with_id(connection, tenant, place.user).await?;
    let alert = alert(Kind::EnrollmentLockout, visit.now, place, user.as_ref(), visit.address.to_string());
    alerts::raise(connection, house, &realm.config, &alert).await
}

/// An alert about somebody's place in a task.
pub(super) fn alert(kind: Kind, at: Timestamp, place: &Reservation, user: Option<&User>, address: String) -> Alert {
    Alert {
        kind,
        at,
        user: Some(place.user),
        username: user.map(|user| user.username.clone()).unwrap_or_default(),
        serial: String::new(),
        application: String::new(),
        address,
        correlation: None,
        detail: String::new(),
    }
}

/// Ends what was begun for a place in a task: enrollments and activations, in browsers and in mails.
pub(super) async fn shut(
    connection: &mut Connection,
    tenant: TenantId,
    place: &Reservation,
    now: Timestamp,
) -> storage::Result<()> {
    activations::void_of_reservation(connection, tenant, place.user, place.id).await?;
    enrollments::cancel_of_reservation(connection, tenant, place.user, place.id, now).await?;
    Ok(())
}

/// Counts a device's failed presentation for the place in a task that its activation is for, if it is for one.
pub(super) async fn device_failed(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    activation: &Activation,
) -> storage::Result<()> {
    let tenant = realm.tenant();
    let enrollment = enrollments::with_id(connection, tenant, activation.enrollment).await?;
    let Some(id) = enrollment.and_then(|enrollment| enrollment.reservation) else { return Ok(()) };
    match reservations::with_id(tenant, id).ask(connection).await? {
        Some(place) => failed(connection, house, realm, visit, &place).await,
        None => Ok(()),
    }
}

/// What a device has brought to its confirmation, besides the secret.
pub(super) struct Brought<'a> {
    /// The activation, claimed by it.
    pub(super) activation: &'a Activation,
    /// The template that was agreed on.
    pub(super) kept: &'a TokenTemplate,
    /// The serial number that was agreed on.
    pub(super) serial: &'a str,
    /// What is kept of the handshake, sealed.
    pub(super) rest: &'a [u8],
}

/// What a confirmation is for a place in a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByMail {
    /// It is for none: a login began the enrollment.
    No,
    /// The authenticator is enrolled.
    Enrolled,
    /// Another one was faster, or the place was taken back.
    Refused,
}

/// A device has confirmed its keys. Where a mail began the enrollment the authenticator counts from now on: there
/// may be no page that could ask for a passcode, and the link proves no more than the mailbox in any case.
pub(super) async fn device_confirmed(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    brought: &Brought<'_>,
    secret: &SecretBytes,
) -> storage::Result<ByMail> {
    let (tenant, activation) = (realm.tenant(), brought.activation);
    let Some(begun) = enrollments::with_id(connection, tenant, activation.enrollment).await? else {
        return Ok(ByMail::No);
    };
    let Some(place) = begun.reservation else { return Ok(ByMail::No) };
    // A PIN that the server makes is shown once, on the page that asks for the first passcode.
    if has_pin(brought.kept) {
        return Ok(ByMail::No);
    }
    // The person may be finishing an enrollment on another way at this moment.
    users::hold(connection, tenant, activation.user).await?;
    let begun = enrollments::with_id(connection, tenant, activation.enrollment).await?;
    let place = reservations::with_id(tenant, place).ask(connection).await?;
    let user = users::with_id(connection, tenant, activation.user).await?;
    let (Some(begun), Some(place), Some(user)) = (begun, place, user) else { return Ok(ByMail::Refused) };
    let open = place.open(user.email.as_deref(), visit.now).is_ok() && user.status == Status::Enabled;
    if !open || begun.state != State::Open {
        return Ok(ByMail::Refused);
    }
    let ready = Ready {
        template: brought.kept.clone(),
        serial: brought.serial.to_owned(),
        secret_sealed: Vec::new(),
        device: activation.device.clone().unwrap_or_default(),
        device_key: activation.device_key.clone(),
    };
    let new = second_factor::token(house, visit, user.id, &begun, &ready, secret, (-1, 0));
    let owned = tokens::of_user(tenant, user.id).ask(connection).await?;
    let new = Token { name: owner::free_name(&new.name, &owned), ..new };
    if !enrolled(connection, house, realm, visit, (&begun, &place), &new).await? {
        return Ok(ByMail::Refused);
    }
    // Nothing can have changed it since it was read: the person's row is held.
    if !activations::complete(connection, tenant, activation.id, brought.rest, visit.now).await? {
        return Err(storage::Error::Contended);
    }
    match app_calls::adopt(connection, house, realm, begun.id, &new).await? {
        Ok(()) => Ok(ByMail::Enrolled),
        // What was sealed a moment ago does not open: nothing of all this is kept.
        Err(_) => Err(storage::Error::Contended),
    }
}

/// Makes the authenticator of an enrollment that a mail began, once, and tells its owner. Says `false`, and has
/// changed nothing, if the place was taken already. The person's row is held by the caller.
pub(super) async fn enrolled(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    (begun, place): (&Enrollment, &Reservation),
    new: &Token,
) -> storage::Result<bool> {
    let tenant = realm.tenant();
    // It was not used yet, whatever was typed to enroll it: being used is what completes the task.
    let rule = provisioning_tasks::with_number(connection, tenant, place.task).await?.and_then(|task| task.rule);
    let new = Token {
        enrolled_by: if rule.is_some() { EnrolledBy::Rule } else { EnrolledBy::Email },
        rule: rule.map(|rule| rule.to_string()),
        task: Some(place.task.to_string()),
        first_used_at: None,
        last_used_at: None,
        ..new.clone()
    };
    if !reservations::take(connection, tenant, place.id, new.id, visit.now).await? {
        return Ok(false);
    }
    if !enrollments::complete(connection, tenant, begun.id, visit.now).await? {
        return Err(storage::Error::Contended);
    }
    tokens::insert(connection, &new).await?;
    enrollments::cancel_besides(connection, tenant, place.user, (begun.id, place.id), visit.now).await?;
    users::remember_enrollment(connection, tenant, place.user, visit.now).await?;
    let browser = logins::with_id(connection, tenant, begun.login).await?;
    logins::end(connection, tenant, begun.login, Ending::Enrolled).await?;
    let correlation = browser.as_ref().map_or(visit.correlation, |row| row.login.correlation);
    let platform = begun.platform.unwrap_or(Platform::OathApp);
    let detail = serde_json::json!({
        "serial": new.serial, "platform": platform.id(), "by": new.enrolled_by.id(), "task": place.task.value(),
    });
    for (action, object, id) in [
        (Action::TokenEnrolled, "token", new.id.to_string()),
        (Action::EnrollmentCompleted, "enrollment", begun.id.to_string()),
    ] {
        let event = Event::new(visit.now, tenant, Actor::User(place.user), action).on(object, id);
        house.record(connection, event.from_address(visit.address).in_login(correlation).with(&detail)).await?;
    }
    let Some(user) = users::with_id(connection, tenant, place.user).await? else { return Ok(true) };
    let letter = Letter::Enrolled {
        device: new.name.clone(),
        platform,
        serial: new.serial.clone(),
        at: visit.now,
        address: visit.address.to_string(),
        undo: undo::statement(house, realm, new.id, visit.now),
    };
    // The language of the page, if there is one; a device's call has none.
    let chosen = browser.and_then(|row| row.login.language).or_else(|| user.language.clone());
    let language = chosen.unwrap_or_else(|| realm.config.tenant.default_language.clone());
    let speaking = Visit { language, ..visit.clone() };
    let until = visit.now.plus(letters::NOTICE);
    letters::send_until(connection, house, realm, &speaking, &user, None, letter, until).await?;
    Ok(true)
}

/// Closes the open places in tasks of a person who has enrolled in a login.
pub(super) async fn close_of(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    (user, token): (UserId, TokenId),
) -> storage::Result<()> {
    let tenant = realm.tenant();
    if reservations::close_of(connection, tenant, user, token, visit.now).await? == 0 {
        return Ok(());
    }
    let event = Event::new(visit.now, tenant, Actor::User(user), Action::ReservationCompleted).on("user", user);
    house.record(connection, event.from_address(visit.address).with(serde_json::json!({ "by": "self" }))).await
}

/// The statement that completes the place in a task when its authenticator is used. It changes nothing where
/// that was done before; that the token was used before does not say it.
pub(super) fn first_use(token: &Token, now: Timestamp) -> Option<Statement> {
    let by_mail = matches!(token.enrolled_by, EnrolledBy::Email | EnrolledBy::Rule);
    let user = token.user.filter(|_| by_mail)?;
    Some(reservations::completed(token.tenant, user, token.id, now))
}

/// What the last page of an enrollment by mail shows: name and serial number of the authenticator that came of it.
///
/// # Errors
/// If the database fails.
pub async fn outcome(house: &House, realm: &Realm, place: &Reservation) -> Result<Option<(String, String)>> {
    let tenant = realm.tenant();
    let owned = house.db.read(async |connection| tokens::of_user(tenant, place.user).ask(connection).await).await?;
    let token = owned.into_iter().find(|token| Some(token.id) == place.token);
    Ok(token.map(|token| (token.name, token.serial)))
}
