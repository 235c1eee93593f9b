//! A login from its beginning to its completion: name, password, cancel, more time, done.

use super::case::{self, Case, browser_hash, load, login_cookie_hash, session_cookie_hash};
use super::federation::Once;
use super::{Browser, Error, House, Posted, Realm, Result, Visit, attempts, letters, rollout};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::{ApplicationId, LoginId, SessionId, UserId};
use crate::domain::letter::Letter;
use crate::domain::lockout::MOST_FAILURES;
use crate::domain::login::complaint::Complaint;
use crate::domain::login::evidence::Evidence;
use crate::domain::login::origin::Origin;
use crate::domain::login::outcome::Ending;
use crate::domain::login::step::Step;
use crate::domain::login::wishes::Wishes;
use crate::domain::login::{LONGEST, Login, Stage, extended, page_deadline};
use crate::domain::name::key_of;
use crate::domain::secret::SecretString;
use crate::domain::session::Session;
use crate::storage::logins::{LoginRow, Proven};
use crate::storage::statement::{self, Statement};
use crate::storage::{self, Connection, enrollments, failures, logins, sessions, users};

/// The longest user name that is looked at, in characters.
const LONGEST_NAME: usize = 200;

/// What a door asks for.
#[derive(Debug, Clone)]
pub struct NewLogin {
    /// The door.
    pub origin: Origin,
    /// What is to be reached.
    pub application: ApplicationId,
    /// How the application wants the login to be.
    pub wishes: Wishes,
    /// The door's own request, for the door's own answer.
    pub request: String,
    /// Set if that request may begin only one login.
    pub once: Option<Once>,
}

/// A login that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Its identifier, for the desk's address.
    pub login: LoginId,
    /// The cookie that binds it to this browser.
    pub cookie: SecretString,
}

/// Begins a login. Who is logged in at this browser already is taken over, unless the application wants the
/// person to choose.
///
/// # Errors
/// [`Error::Used`] if the request has begun a login or was answered before; if the database fails.
pub async fn begin(house: &House, realm: &Realm, visit: &Visit, browser: &Browser, new: &NewLogin) -> Result<Begun> {
    let (id, cookie) = (house.new_id(visit.now), house.new_cookie());
    let cookie_hash = login_cookie_hash(house, realm.tenant(), id, &cookie);
    let begun = house.db.write_soon(async |connection| {
        if let Some(once) = &new.once
            && !once.take(connection, realm.tenant()).await?
        {
            return Ok(Err(Error::Used));
        }
        let member =
            if new.wishes.choose_account { None } else { somebody(connection, house, realm, visit, browser).await? };
        let login = Login {
            id,
            tenant: realm.tenant(),
            origin: new.origin,
            application: new.application,
            wishes: new.wishes.clone(),
            request: new.request.clone(),
            stage: Stage::Open,
            user: member.as_ref().map(|user| user.id),
            named: member.as_ref().map(|user| user.username.clone()),
            security_version: member.as_ref().map_or(0, |user| user.security_version),
            language: None,
            correlation: visit.correlation,
            created_at: visit.now,
            expires_at: page_deadline(visit.now, false, visit.now.plus(LONGEST)),
            absolute_expires_at: visit.now.plus(LONGEST),
        };
        let row = LoginRow {
            login,
            cookie_hash: cookie_hash.clone(),
            previous_cookie: None,
            resync: None,
            address: visit.address.to_string(),
            user_agent: visit.user_agent.clone(),
        };
        logins::insert(connection, &row).await?;
        let event = Event::new(visit.now, realm.tenant(), Actor::Stranger, Action::LoginStarted).on("login", id);
        let detail = serde_json::json!({ "origin": new.origin.id(), "application": new.application.to_string() });
        let event = event.from_address(visit.address).in_login(visit.correlation).with(detail);
        house.record(connection, event).await?;
        Ok(Ok(()))
    });
    begun.await??;
    Ok(Begun { login: id, cookie })
}

/// Who is logged in at this browser.
async fn somebody(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
) -> storage::Result<Option<crate::domain::user::User>> {
    let Some(cookie) = &browser.session else { return Ok(None) };
    let hash = session_cookie_hash(house, realm.tenant(), cookie);
    let Some(session) = sessions::with_cookie(realm.tenant(), &hash).ask(connection).await? else { return Ok(None) };
    let user = users::with_id(connection, realm.tenant(), session.user).await?;
    let settings = realm.config.settings.session;
    Ok(user.filter(|user| session.alive(settings, user.security_version, visit.now)))
}

/// An event of this login, by its person or by a stranger.
pub(super) fn event(case: &Case, visit: &Visit, action: Action) -> Event {
    let actor = match case.user() {
        Some(user) if case.evidence.of_anybody() => Actor::User(user),
        _ => Actor::Stranger,
    };
    let event = Event::new(visit.now, case.login().tenant, actor, action).on("login", case.login().id);
    event.from_address(visit.address).in_login(case.login().correlation)
}

/// The deadline of the page that follows now.
pub(super) fn deadline(case: &Case, visit: &Visit) -> crate::domain::timestamp::Timestamp {
    let enrolling = case.enrollment.is_some()
        || matches!(case.step, Step::Offer | Step::Addition(_) | Step::Pass(_) | Step::RecoveryCodes);
    page_deadline(visit.now, enrolling, case.login().absolute_expires_at)
}

/// Takes the user name. Whether there is such an account is neither said nor visible.
///
/// # Errors
/// [`Error::WrongMoment`] once the password is proven; [`Error::NotThisBrowser`].
pub async fn submit_username(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
    name: &str,
) -> Result<Posted> {
    let name: String = name.trim().chars().filter(|c| !c.is_control()).take(LONGEST_NAME).collect();
    let taken = house.db.write_soon(async |connection| {
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        // A link from a mail is one person's.
        if !matches!(case.step, Step::Identify | Step::Password) || case.login().origin == Origin::Mail {
            return Ok(Err(Error::WrongMoment));
        }
        if key_of(&name).is_empty() {
            return Ok(Ok(Posted::complaint(Complaint::NameEmpty)));
        }
        let user = users::meant(connection, realm.tenant(), &name, realm.config.settings.login).await?;
        let person = user.as_ref().map(|user| (user.id, user.security_version));
        rename(connection, house, realm, visit, &case, Some(&name), person).await?;
        house.record(connection, event(&case, visit, Action::LoginNamed)).await?;
        Ok(Ok(Posted::accepted()))
    });
    taken.await?
}

/// Locks the login's row, so that two requests of one login run one after the other, and reads the case.
pub(super) async fn hold(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
) -> storage::Result<Option<Case>> {
    logins::hold(connection, realm.tenant(), id).await?;
    load(connection, house, realm, visit, browser, id).await
}

/// Locks the row of the account that a secret is tried at, before anything about it is read: logins of one person in
/// many browsers run one after the other, so that no burst of guesses is judged by one state of the counter (INV-5). A
/// name without an account costs the same statement (T-19).
pub(super) async fn one_by_one(
    connection: &mut Connection,
    realm: &Realm,
    user: Option<UserId>,
) -> storage::Result<()> {
    users::hold(connection, realm.tenant(), user.unwrap_or(UserId::from_bits(0))).await
}

/// Takes the password.
///
/// Right and wrong, known and unknown take the same way and the same time: one hash, one transaction (T-19).
///
/// # Errors
/// [`Error::Busy`]; [`Error::WrongMoment`]; [`Error::NotThisBrowser`].
pub async fn submit_password(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
    password: &SecretString,
) -> Result<Posted> {
    let case = case::look(house, realm, visit, browser, id).await?;
    if case.step != Step::Password {
        return Err(Error::WrongMoment);
    }
    if let Some(complaint) = attempts::must_wait(house, realm, visit, &case).await? {
        return Ok(Posted::complaint(complaint));
    }
    let stored = match case.user() {
        Some(user) => {
            house.db.read(async |connection| users::password_hash(connection, realm.tenant(), user).await).await?
        }
        None => None,
    };
    let verdict = house.passwords.verify(password, stored.as_deref()).await?;
    // Another hash would tell that it was right (R-460, T-19).
    let renews = verdict.outdated && !case.is_shut(visit.now) && !case.is_locked(visit.now);
    let renewed = if renews { Some(house.passwords.hash(password, &house.entropy).await?) } else { None };
    let (named, version) = (case.user(), case.login().security_version);
    let judged = house.db.write(async |connection| {
        one_by_one(connection, realm, named).await?;
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        // A password that was set while this one was checked leaves nothing of the verdict, even if the name was given again
        // meanwhile (INV-11, T-11).
        if case.step != Step::Password || case.user() != named || case.login().security_version != version {
            return Ok(Err(Error::WrongMoment));
        }
        if case.is_locked(visit.now) {
            // Right and wrong are answered alike, and are no tries.
            attempts::count_address(connection, house, realm, visit).await?;
            let ignored = event(&case, visit, Action::PasswordIgnored);
            let mut writes = logins::proven(realm.tenant(), id, Proven::Knocked, visit.now).to_vec();
            writes.push(house.entry(&ignored));
            statement::run_all(connection, writes).await?;
            return Ok(Ok(Posted::accepted()));
        }
        let shut = case.is_shut(visit.now);
        let (true, Some(user)) = (verdict.right && !shut, case.user()) else {
            let counts = realm.config.settings.lockout.count_passwords;
            if !attempts::count(connection, house, realm, visit, &case, counts).await? {
                return Ok(Err(Error::WrongMoment));
            }
            let action = if shut { Action::PasswordIgnored } else { Action::PasswordRejected };
            house.record(connection, event(&case, visit, action)).await?;
            return Ok(Ok(Posted::complaint(Complaint::PasswordWrong)));
        };
        if let (Some(old), Some(new)) = (&stored, &renewed) {
            users::rehash_password(connection, realm.tenant(), user, (old, new)).await?;
        }
        let mut writes = stepped_up(house, realm, visit, &case, Proven::Password);
        let accepted = Event { actor: Actor::User(user), ..event(&case, visit, Action::PasswordAccepted) };
        writes.push(house.entry(&accepted));
        statement::run_all(connection, writes).await?;
        Ok(Ok(Posted::stepped_up(house, visit, &case)))
    });
    judged.await?
}

/// The statements that write down that something was proven and give the login a new cookie.
pub(super) fn stepped_up(house: &House, realm: &Realm, visit: &Visit, case: &Case, proven: Proven) -> Vec<Statement> {
    let id = case.login().id;
    let hash = login_cookie_hash(house, realm.tenant(), id, &case.next_cookie(house, visit));
    let deadline = page_deadline(visit.now, true, case.login().absolute_expires_at);
    let mut writes = vec![logins::stepped_up(realm.tenant(), id, &hash, visit.now, deadline)];
    writes.extend(logins::proven(realm.tenant(), id, proven, visit.now));
    writes
}

/// What a browser that looks at its login is told of the cookie: whoever came with the one from before a step up, because the
/// answer was lost, gets the new one once more (K03, R-114), if they come from where it was made for. Once a browser has shown it
/// from there it is given to nobody any more, and the old one opens nothing.
///
/// # Errors
/// If the database fails.
pub async fn cookie_again(house: &House, realm: &Realm, visit: &Visit, case: &Case) -> Result<Option<SecretString>> {
    // A login that is complete goes on to its answer at once.
    if case.login().stage != Stage::Open || !case.late && case.step == Step::Complete {
        return Ok(None);
    }
    let Some(cookie) = case.unseen_cookie(house, visit) else { return Ok(None) };
    if case.late {
        return Ok(Some(cookie));
    }
    let Some((_, at)) = case.row.previous_cookie else { return Ok(None) };
    let (tenant, id, hash) = (realm.tenant(), case.login().id, case.row.cookie_hash.as_str());
    house.db.write_soon(async |connection| logins::cookie_seen(connection, tenant, id, hash, at).await).await?;
    Ok(None)
}

/// Ends a login without access: the person cancelled, or was refused and goes back to the application.
///
/// # Errors
/// [`Error::NotThisBrowser`]; [`Error::WrongMoment`] if it has ended or was granted already.
pub async fn leave(house: &House, realm: &Realm, visit: &Visit, browser: &Browser, id: LoginId) -> Result<()> {
    let left = house.db.write(async |connection| {
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        let ending = match case.step {
            Step::Refused(refusal) => Ending::Refused(refusal),
            Step::Ended(Ending::AccountChanged) => Ending::AccountChanged,
            Step::Granted | Step::Answered | Step::Ended(_) => return Ok(Err(Error::WrongMoment)),
            _ => Ending::Cancelled,
        };
        end(connection, house, realm, visit, &case, ending).await?;
        Ok(Ok(()))
    });
    left.await?
}

/// Ends an open login and everything that hangs on it.
pub(super) async fn end(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    ending: Ending,
) -> storage::Result<()> {
    let id = case.login().id;
    if !logins::end(connection, realm.tenant(), id, ending).await? {
        return Ok(());
    }
    if let Some(enrollment) = &case.enrollment {
        storage::activations::void_of(connection, realm.tenant(), enrollment.id).await?;
        let reason = if ending == Ending::Cancelled { Some("cancelled") } else { None };
        enrollments::cancel_of(connection, realm.tenant(), id, reason, visit.now).await?;
        house
            .record(connection, event(case, visit, Action::EnrollmentCancelled).on("enrollment", enrollment.id))
            .await?;
    }
    if let Some(ended) =
        rollout::ended(case, ending.reason(), visit.now).filter(|_| case.login().origin != Origin::Mail)
    {
        ended.run(connection).await?;
    }
    let action = if ending == Ending::Cancelled { Action::LoginCancelled } else { Action::LoginEnded };
    let detail = serde_json::json!({ "reason": ending.reason() });
    house.record(connection, event(case, visit, action).with(detail)).await?;
    if case.login().origin == Origin::Mail {
        // Nobody asked for access: there is nothing for the access log.
        return Ok(());
    }
    let result = if matches!(ending, Ending::Refused(_)) { "denied" } else { "failure" };
    super::federation::access(house, realm, visit, case, result, ending.reason()).run(connection).await.map(drop)
}

/// Lets somebody else log in: forgets the name and all that was proven in this login.
///
/// # Errors
/// [`Error::NotThisBrowser`]; [`Error::WrongMoment`] if it has ended or was granted already.
pub async fn switch_user(house: &House, realm: &Realm, visit: &Visit, browser: &Browser, id: LoginId) -> Result<()> {
    let switched = house.db.write_soon(async |connection| {
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        // A link from a mail is one person's.
        if case.login().stage != Stage::Open || case.step == Step::Expired || case.login().origin == Origin::Mail {
            return Ok(Err(Error::WrongMoment));
        }
        rename(connection, house, realm, visit, &case, None, None).await?;
        Ok(Ok(()))
    });
    switched.await?
}

/// Makes the login one of somebody else, or of the same person anew: nothing that was proven or begun in it goes on. The
/// password page takes another name, too, and a password that only the session proved leads back there (T-08).
async fn rename(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    named: Option<&str>,
    person: Option<(UserId, i64)>,
) -> storage::Result<()> {
    let (tenant, id) = (realm.tenant(), case.login().id);
    if let Some(enrollment) = &case.enrollment {
        storage::activations::void_of(connection, tenant, enrollment.id).await?;
        enrollments::cancel_of(connection, tenant, id, Some("user_switched"), visit.now).await?;
        house.record(connection, event(case, visit, Action::EnrollmentCancelled)).await?;
    }
    logins::name(connection, tenant, id, named, person, deadline(case, visit)).await.map(drop)
}

/// Gives the person more time.
///
/// # Errors
/// [`Error::NotThisBrowser`]; [`Error::WrongMoment`] if the time is over already.
pub async fn extend(house: &House, realm: &Realm, visit: &Visit, browser: &Browser, id: LoginId) -> Result<()> {
    let given = house.db.write_soon(async |connection| {
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        if case.login().stage != Stage::Open || case.step == Step::Expired {
            return Ok(Err(Error::WrongMoment));
        }
        let (page, absolute) = extended(visit.now, case.login().created_at);
        logins::extend(connection, realm.tenant(), id, page, absolute).await?;
        house.record(connection, event(&case, visit, Action::LoginExtended)).await?;
        Ok(Ok(()))
    });
    given.await?
}

/// Remembers the language that was chosen on a page of this login.
///
/// # Errors
/// [`Error::NotThisBrowser`].
pub async fn set_language(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
    tag: &str,
) -> Result<()> {
    let set = house.db.write_soon(async |connection| {
        if load(connection, house, realm, visit, browser, id).await?.is_none() {
            return Ok(Err(Error::NotThisBrowser));
        }
        logins::set_language(connection, realm.tenant(), id, tag).await?;
        Ok(Ok(()))
    });
    set.await?
}

/// A completed login: the cookies that the browser gets.
#[derive(Debug)]
pub struct Completed {
    /// Finds the session.
    pub session: SecretString,
    /// Tells this browser as one that this person uses.
    pub known: SecretString,
}

/// Completes a login of which nothing is lacking: a session with a new cookie, and the grant, once.
///
/// # Errors
/// [`Error::WrongMoment`] if something is lacking or another request was faster; [`Error::NotThisBrowser`].
pub async fn complete(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
) -> Result<Completed> {
    let cookie = house.new_cookie();
    let fresh = house.new_cookie();
    let (session_id, hash) = (house.new_id(visit.now), session_cookie_hash(house, realm.tenant(), &cookie));
    let done = house.db.write_soon(async |connection| {
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        let (Step::Complete, Some(user)) = (case.step, case.user()) else { return Ok(Err(Error::WrongMoment)) };
        let session = strengthened(&case, visit, user, session_id);
        // The grant comes first: it decides a race, and whoever loses it has written nothing.
        if !logins::grant(connection, realm.tenant(), id, session.id, deadline(&case, visit)).await? {
            return Ok(Err(Error::WrongMoment));
        }
        let begun = case.session.is_none();
        let (write, action) = if begun {
            let write = sessions::insertion(&session, &hash, &visit.address.to_string(), &visit.user_agent);
            (write, Action::SessionStarted)
        } else {
            (sessions::strengthening(&session, &hash), Action::SessionStrengthened)
        };
        // A value that somebody else may have put there does not become this person's browser (T-21).
        let known = browser.known.as_ref().filter(|cookie| case::knows(house, &case, user, cookie));
        let known = known.unwrap_or(&fresh).clone();
        let mut writes = vec![write];
        writes.extend(after_success(connection, house, realm, visit, &case, user, &known).await?);
        writes.push(house.entry(&event(&case, visit, action).on("session", session.id)));
        let completed = event(&case, visit, Action::LoginCompleted);
        writes.push(house.entry(&match case.decision.spared {
            Some(spared) => completed.with(serde_json::json!({ "spared": spared.reason() })),
            None => completed,
        }));
        let application = case.application.as_ref();
        writes.extend(application.and_then(|application| {
            rollout::observation(house, realm, visit, (user, application), &case.decision, case.offer)
        }));
        statement::run_all(connection, writes).await?;
        Ok(Ok(known))
    });
    let known = done.await??;
    Ok(Completed { session: cookie, known })
}

/// The session after this login: what was proven here replaces what was proven earlier.
fn strengthened(case: &Case, visit: &Visit, user: UserId, new: SessionId) -> Session {
    let Evidence { password, otp, token, .. } = case.evidence;
    let version = case.member.as_ref().map_or(0, |member| member.user.security_version);
    let earlier = case.session.as_ref();
    Session {
        id: earlier.map_or(new, |session| session.id),
        tenant: case.login().tenant,
        user,
        security_version: version,
        password_at: password.map(|proof| proof.at),
        otp_at: otp.map(|proof| proof.at),
        token,
        started_at: earlier.map_or(visit.now, |session| session.started_at),
        last_seen_at: visit.now,
        ended_at: None,
    }
}

/// What a success does for the next login: failures are forgotten, the browser is remembered.
async fn after_success(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    user: UserId,
    known: &SecretString,
) -> storage::Result<Vec<Statement>> {
    let tenant = realm.tenant();
    // Only somebody who proved something in this very login shows that the person is back.
    let here = [case.evidence.password, case.evidence.otp, case.evidence.stand_in()];
    if !here.into_iter().flatten().any(|proof| proof.here) {
        return Ok(Vec::new());
    }
    let names = case.member.as_ref().filter(|_| realm.config.settings.login.several());
    let names = names.map(|member| case::typed_subjects(house, &member.user));
    let account = case.lane.account.as_ref().map_or(&case.lane.subject, |(subject, _)| subject);
    // First the names, then the account: in the order in which they are counted.
    if let (false, Some(names)) = (case.lane.known, &names) {
        failures::names_forgotten(tenant, names).run(&mut *connection).await?;
    }
    let was_locked = failures::forget(connection, tenant, account).await?;
    if was_locked {
        house.record(connection, event(case, visit, Action::AccountUnlocked)).await?;
        if realm.config.settings.lockout.alert_on_unlock {
            letters::send(connection, house, realm, visit, case, Letter::AccountUnlocked).await?;
        }
    }
    let browser = browser_hash(house, tenant, known);
    let mut writes = vec![
        users::login_remembered(tenant, user, visit.now),
        users::browser_remembered(connection.engine(), tenant, user, &browser, visit.now),
    ];
    if let (true, Some(member)) = (case.lane.known, &case.member) {
        let subject = case::name_subject(house, tenant, &member.user.username);
        let subjects = names.iter().flatten().chain([&subject]);
        writes.extend(subjects.map(|subject| failures::not_consecutive(tenant, subject, MOST_FAILURES)));
    }
    Ok(writes)
}
