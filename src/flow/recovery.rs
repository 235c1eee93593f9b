//! Whoever does not have the authenticator at hand: recovery codes, temporary codes and passes of the help desk, and the
//! sheet on which new recovery codes are shown. The mailbox alone never replaces an authenticator.

use super::case::{Case, load};
use super::lifecycle::{self, By, Ending};
use super::login::{deadline, event, hold, one_by_one, stepped_up};
use super::{
    Browser, Error, House, Posted, Realm, Result, Visit, alerts, attempts, enrollment, house, letters, session,
};
use crate::domain::alert::Kind;
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::authenticator::lifecycle::Move;
use crate::domain::ids::{Id, LoginId, TenantId, UserId};
use crate::domain::letter::Letter;
use crate::domain::login::complaint::Complaint;
use crate::domain::login::outcome::Refusal;
use crate::domain::login::step::{Step, Tokens};
use crate::domain::policy::access::Method;
use crate::domain::policy::provisioning::Offer;
use crate::domain::recovery_code::{self, HelpDeskCode, RECOVERY_CODES};
use crate::domain::secret::{ExposeSecret as _, SecretBytes};
use crate::domain::session::Session;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::User;
use crate::keys::sealing::Place;
use crate::storage::logins::Proven;
use crate::storage::recovery_codes::Sheet;
use crate::storage::tokens::{self, State};
use crate::storage::{self, Connection, help_desk_codes, logins, recovery_codes, statement, users};

/// How old the passcode may be with which somebody makes new recovery codes, in seconds.
pub const STEP_UP_SECONDS: u64 = 300;

/// What a person wants who has a recovery code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// To go on.
    LogIn,
    /// To add another authenticator in place of the one that is gone.
    Replace,
}

/// What a code was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Recovery,
    Temporary,
    Pass,
}

/// The keyed hash of a recovery code.
fn hash_of(house: &House, tenant: TenantId, user: UserId, code: &str) -> String {
    house::text(&house.derived.codes.of(&[b"recovery", &tenant.to_bytes(), &user.to_bytes(), code.as_bytes()]))
}

/// The keyed hash of a code of the help desk.
pub(super) fn help_desk_hash(house: &House, tenant: TenantId, user: UserId, kind: HelpDeskCode, code: &str) -> String {
    let fields: [&[u8]; 5] =
        [b"help desk", kind.id().as_bytes(), &tenant.to_bytes(), &user.to_bytes(), code.as_bytes()];
    house::text(&house.derived.codes.of(&fields))
}

/// Whether a code is taken where the login is now: wherever a passcode or an authenticator is lacking.
#[must_use]
pub fn takes_codes(case: &Case) -> bool {
    matches!(
        case.step,
        Step::Passcode
            | Step::Offer
            | Step::Pass(_)
            | Step::Refused(Refusal::AuthenticatorsBlocked | Refusal::NotOffered(_))
    )
}

/// Whether a recovery code alone would be enough to go on: an application that names a level wants a passcode.
#[must_use]
pub fn is_enough(case: &Case) -> bool {
    !case.login().wishes.methods.contains(&Method::Otp)
}

/// Whether somebody with a recovery code may add another authenticator in this login.
#[must_use]
pub fn may_replace(case: &Case) -> bool {
    let blocked = case.step == Step::Refused(Refusal::AuthenticatorsBlocked);
    let gate = matches!(case.offer, Offer::Refused(refusal) if refusal.is_a_gate());
    !blocked && (gate || matches!(case.offer, Offer::Offered | Offer::Gated(_)))
}

/// Takes a code: one of the person's recovery codes, or what the help desk gave out.
///
/// # Errors
/// [`Error::WrongMoment`] if no code is taken now; [`Error::NotThisBrowser`].
pub async fn submit(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
    (typed, then): (&str, Then),
) -> Result<Posted> {
    let case = super::case::look(house, realm, visit, browser, id).await?;
    if !takes_codes(&case) {
        return Err(Error::WrongMoment);
    }
    let typed = recovery_code::normalized(typed);
    if typed.is_empty() {
        return Ok(Posted::complaint(Complaint::RecoveryCodeEmpty));
    }
    if let Some(complaint) = attempts::must_wait(house, realm, visit, &case).await? {
        return Ok(Posted::complaint(complaint));
    }
    let named = case.user();
    let done = house.db.write(async |connection| {
        one_by_one(connection, realm, named).await?;
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        if !takes_codes(&case) || case.user() != named {
            return Ok(Err(Error::WrongMoment));
        }
        let (Some(taken), Some(member)) = (take(connection, house, realm, visit, &case, &typed).await?, &case.member)
        else {
            return refused(connection, house, realm, visit, &case).await;
        };
        let (proven, action) = match taken {
            Taken::Recovery => (Proven::Recovery, Action::RecoveryCodeUsed),
            Taken::Temporary => (Proven::Temporary, Action::TemporaryCodeUsed),
            Taken::Pass => (Proven::Pass, Action::HelpDeskPassUsed),
        };
        let left = recovery_codes::left(realm.tenant(), member.user.id).ask(connection).await?;
        let used = event(&case, visit, action).on("user", member.user.id);
        let used = if taken == Taken::Recovery { used.with(serde_json::json!({ "left": left })) } else { used };
        let mut writes = stepped_up(house, realm, visit, &case, proven);
        writes.push(house.entry(&used));
        statement::run_all(connection, writes).await?;
        if taken == Taken::Recovery {
            let left = u64::try_from(left).unwrap_or_default();
            let letter = Letter::RecoveryCodeUsed { at: visit.now, address: visit.address.to_string(), left };
            letters::send(connection, house, realm, visit, &case, letter).await?;
            if then == Then::Replace || !is_enough(&case) {
                replace(connection, house, realm, visit, browser, id).await?;
            }
        }
        Ok(Ok(Posted::stepped_up(house, visit, &case)))
    });
    let done = done.await?;
    house.mail_waits.notify_one();
    done
}

/// Uses the code, whatever it is. A name without an account costs the same statements (T-19), and so does one whose account takes
/// nothing now.
async fn take(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    typed: &str,
) -> storage::Result<Option<Taken>> {
    let (tenant, login, now) = (realm.tenant(), case.login().id, visit.now);
    let user = case.user().filter(|_| !case.is_shut(now)).unwrap_or(UserId::from_bits(0));
    let settings = &realm.config.settings.self_provisioning;
    let blocked = case.step == Step::Refused(Refusal::AuthenticatorsBlocked);
    // Where enrollment is offered anyway a pass would be spent for nothing.
    if settings.gates.take_passes() && (blocked || matches!(case.step, Step::Passcode | Step::Pass(_))) {
        let hash = help_desk_hash(house, tenant, user, HelpDeskCode::Pass, typed);
        if help_desk_codes::take(connection, tenant, (user, HelpDeskCode::Pass), &hash, login, now).await? {
            return Ok(Some(Taken::Pass));
        }
    }
    // Whoever has an authenticator that works uses it.
    if tokens::summary(&case.tokens) != Tokens::Usable {
        let hash = help_desk_hash(house, tenant, user, HelpDeskCode::Temporary, typed);
        if help_desk_codes::take(connection, tenant, (user, HelpDeskCode::Temporary), &hash, login, now).await? {
            return Ok(Some(Taken::Temporary));
        }
    }
    // What an operator has stopped is not gone around by a sheet of paper; and no code is spent that leads nowhere.
    if settings.recovery_codes && !blocked && (is_enough(case) || may_replace(case)) {
        let hash = hash_of(house, tenant, user, typed);
        if recovery_codes::take(connection, tenant, user, &hash, login, now).await? {
            return Ok(Some(Taken::Recovery));
        }
    }
    Ok(None)
}

/// Counts a code that was not accepted, for the name and the address (A16).
async fn refused(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
) -> storage::Result<Result<Posted>> {
    let counts = realm.config.settings.lockout.count_recovery_codes;
    if !attempts::count(connection, house, realm, visit, case, counts).await? {
        return Ok(Err(Error::WrongMoment));
    }
    house.record(connection, event(case, visit, Action::RecoveryCodeRejected)).await?;
    Ok(Ok(Posted::complaint(Complaint::RecoveryCodeWrong)))
}

/// Begins the enrollment of another authenticator, if that is offered now that a code vouches for it. The cookie that the
/// browser sent is the one before by now, which counts for a short while (K03).
async fn replace(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
) -> storage::Result<()> {
    let Some(case) = load(connection, house, realm, visit, browser, id).await? else { return Ok(()) };
    if case.offer == Offer::Offered && case.enrollment.is_none() {
        enrollment::open(connection, house, realm, visit, &case).await?;
    }
    Ok(())
}

/// What follows when somebody who had authenticators has enrolled another one by a pass or a recovery code: the ones before
/// are suspended, and what was open anywhere else ends (INV-11). The login that did it goes on.
pub(super) async fn replaced(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    user: UserId,
) -> storage::Result<()> {
    let tenant = realm.tenant();
    let active: Vec<_> = case.tokens.iter().filter(|token| token.state == State::Active).collect();
    if active.is_empty() {
        return Ok(());
    }
    let by = By::visitor(Actor::User(user), visit);
    for token in active {
        lifecycle::carry_out(connection, house, &by, token, (Move::Suspend, "replaced"), Ending::ItsOwn).await?;
    }
    session::all_ended(connection, tenant, user, "authenticator replaced", visit.now).await?;
    users::raise_security_version(connection, tenant, user, visit.now).await?;
    logins::follow(tenant, case.login().id, case.login().security_version + 1).run(connection).await?;
    Ok(())
}

/// Makes new recovery codes for a person, in place of those before, and puts them on the sheet of `owner`: a login or a
/// session. Tells the person.
pub(super) async fn issue<Of>(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    user: &User,
    owner: Id<Of>,
    expires_at: Timestamp,
) -> storage::Result<()> {
    let tenant = realm.tenant();
    let codes: Vec<_> = (0..RECOVERY_CODES).map(|_| recovery_code::draw(|bound| house.entropy.below(bound))).collect();
    let hashes: Vec<String> = codes
        .iter()
        .map(|code| hash_of(house, tenant, user.id, &recovery_code::normalized(code.expose_secret())))
        .collect();
    recovery_codes::replace(connection, tenant, user.id, &hashes, visit.now).await?;
    let words: Vec<&str> = codes.iter().map(|code| code.expose_secret()).collect();
    let place = Place::new(tenant, "recovery_sheet", "codes_sealed", owner);
    let codes_sealed = house.sealer.seal(place, &SecretBytes::new(words.join("\n").into_bytes()));
    let sheet = Sheet { user: user.id, codes_sealed };
    recovery_codes::show(connection, tenant, owner, &sheet, expires_at).await?;
    let made = Event::new(visit.now, tenant, Actor::User(user.id), Action::RecoveryCodesMade).on("user", user.id);
    let made = made.from_address(visit.address).in_login(visit.correlation);
    house.record(connection, made.with(serde_json::json!({ "codes": codes.len() }))).await?;
    let letter = Letter::RecoveryCodesMade { at: visit.now, address: visit.address.to_string() };
    letters::send_until(connection, house, realm, visit, user, None, letter, visit.now.plus(letters::NOTICE)).await
}

/// Makes the recovery codes of a person worthless of whom it was said that somebody else was there: whoever that was may have made
/// them, or read them. Where there are none nothing is written.
pub(super) async fn disowned(
    connection: &mut Connection,
    house: &House,
    visit: &Visit,
    (tenant, user): (TenantId, UserId),
    actor: Actor,
) -> storage::Result<()> {
    let left = recovery_codes::left(tenant, user).ask(connection).await?;
    if left == 0 {
        return Ok(());
    }
    recovery_codes::void_of(tenant, user).run(connection).await?;
    let voided = Event::new(visit.now, tenant, actor, Action::RecoveryCodesVoided).on("user", user);
    let voided = voided.from_address(visit.address).in_login(visit.correlation);
    house.record(connection, voided.with(serde_json::json!({ "recovery_codes": left, "reason": "not me" }))).await
}

/// The codes on the sheet of a login or a session of `user`.
///
/// # Errors
/// If the database fails or the sheet does not open.
pub async fn sheet<Of>(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    user: Option<UserId>,
    owner: Id<Of>,
) -> Result<Option<Vec<String>>> {
    let tenant = realm.tenant();
    let question =
        async |connection: &mut Connection| recovery_codes::sheet_of(tenant, owner, visit.now).ask(connection).await;
    let Some(sheet) = house.db.read(question).await? else { return Ok(None) };
    if Some(sheet.user) != user {
        return Ok(None);
    }
    let place = Place::new(tenant, "recovery_sheet", "codes_sealed", owner);
    let opened = house.sealer.open(place, &sheet.codes_sealed)?;
    let words = String::from_utf8_lossy(opened.expose()).into_owned();
    Ok(Some(words.lines().map(str::to_owned).collect()))
}

/// "I have kept them": the sheet of the login is put away, and the login goes on.
///
/// # Errors
/// [`Error::WrongMoment`] if no codes are shown; [`Error::NotThisBrowser`].
pub async fn kept(house: &House, realm: &Realm, visit: &Visit, browser: &Browser, id: LoginId) -> Result<()> {
    let kept = house.db.write_soon(async |connection| {
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        if case.step != Step::RecoveryCodes {
            return Ok(Err(Error::WrongMoment));
        }
        recovery_codes::put_away(realm.tenant(), id).run(connection).await?;
        logins::touch(connection, realm.tenant(), id, deadline(&case, visit)).await?;
        house.record(connection, event(&case, visit, Action::RecoveryCodesKept)).await?;
        Ok(Ok(()))
    });
    kept.await?
}

/// Whether a session has seen a passcode so lately that new codes can be made in it.
#[must_use]
pub fn is_fresh(session: &Session, now: Timestamp) -> bool {
    let longest = std::time::Duration::from_secs(STEP_UP_SECONDS);
    session.otp_at.is_some_and(|at| now.since(at) < longest)
}

/// Makes new recovery codes at the portal.
///
/// # Errors
/// [`Error::Forbidden`] if the virtual server gives out none, or the session has not seen a passcode lately.
pub async fn renew(house: &House, realm: &Realm, visit: &Visit, session: &Session) -> Result<()> {
    if !realm.config.settings.self_provisioning.recovery_codes || !is_fresh(session, visit.now) {
        return Err(Error::Forbidden);
    }
    let expires_at = visit.now.plus(std::time::Duration::from_secs(600));
    let made = house.db.write(async |connection| {
        let Some(user) = users::with_id(connection, realm.tenant(), session.user).await? else {
            return Ok(Err(Error::Forbidden));
        };
        let visit = &letters::at_portal(visit, &user);
        issue(connection, house, realm, visit, &user, session.id, expires_at).await.map(Ok)
    });
    let made = made.await?;
    house.mail_waits.notify_one();
    made
}

/// Puts the sheet of a session away.
///
/// # Errors
/// If the database fails.
pub async fn put_away(house: &House, realm: &Realm, visit: &Visit, session: &Session) -> Result<()> {
    let work = async |connection: &mut Connection| {
        if recovery_codes::put_away(realm.tenant(), session.id).run(connection).await? > 0 {
            let event = Event::new(visit.now, realm.tenant(), Actor::User(session.user), Action::RecoveryCodesKept);
            house.record(connection, event.on("user", session.user).from_address(visit.address)).await?;
        }
        Ok(())
    };
    Ok(house.db.write_soon(work).await?)
}

/// Writes down, once in a login, that enrollment was needed and not offered, and why (AC-02, R-090).
///
/// # Errors
/// If the database fails.
pub async fn tell_withheld(house: &House, realm: &Realm, visit: &Visit, case: &Case) -> Result<()> {
    let (Step::Pass(refusal) | Step::Refused(Refusal::NotOffered(refusal))) = case.step else { return Ok(()) };
    let reason = refusal.reason();
    let (tenant, login) = (realm.tenant(), case.login());
    let fields: [&[u8]; 4] = [b"withheld", &tenant.to_bytes(), &login.id.to_bytes(), reason.as_bytes()];
    let subject = house::text(&house.derived.once.of(&fields));
    let told = house.db.write_soon(async |connection| {
        if !storage::identifiers::first_use(connection, tenant, &subject, login.absolute_expires_at).await? {
            return Ok(());
        }
        let withheld = event(case, visit, Action::EnrollmentWithheld);
        let withheld = match case.user() {
            Some(user) => withheld.on("user", user),
            None => withheld,
        };
        house.record(connection, withheld.with(serde_json::json!({ "reason": reason, "trace": case.trace }))).await?;
        if !refusal.is_a_gate() {
            return Ok(());
        }
        let alert = alerts::about(case, visit, Kind::EnrollmentWithheld, "");
        alerts::raise(connection, house, &realm.config, &alert).await
    });
    told.await?;
    house.mail_waits.notify_one();
    Ok(())
}
