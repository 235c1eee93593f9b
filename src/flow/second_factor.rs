//! Passcodes: of an authenticator that exists, and the first one of a new authenticator.

use std::time::Duration;

use super::case::Case;
use super::challenge::{Ways, answers, ways};
use super::lifecycle::{self as lifecycle_of, By, Ending};
use super::login::{event, hold, one_by_one, stepped_up};
use super::server_pin::{self, Checked, Initial, Pin, Typed, has_pin};
use super::{
    Browser, Error, House, Posted, Realm, Result, Visit, alerts, app_calls, attempts, clock_doctor, house, letters,
    mailed, owner, recovery, rollout, undo,
};
use crate::domain::alert::Kind;
use crate::domain::audit::{Action, Actor};
use crate::domain::authenticator::lifecycle::{self, Disposition, EnrolledBy, Move};
use crate::domain::authenticator::template::{Synchronization, TokenTemplate};
use crate::domain::enrollment::Enrollment;
use crate::domain::ids::{LoginId, TokenId, UserId};
use crate::domain::letter::Letter;
use crate::domain::lockout::MOST_FAILURES;
use crate::domain::login::complaint::Complaint;
use crate::domain::login::step::{Step, Tokens};
use crate::domain::oath::window::{Judged, Moving, Verdict, judge};
use crate::domain::policy::platform::Platform;
use crate::domain::secret::SecretBytes;
use crate::domain::timestamp::Timestamp;
use crate::keys::sealing::Place;
use crate::storage::enrollments::{self, Ready};
use crate::storage::logins::Proven;
use crate::storage::rollout_attempts::Reached;
use crate::storage::statement::{self, Statement};
use crate::storage::tokens::{self, State, Token};
use crate::storage::{self, Connection, activations, identifiers, logins, throttle, users};

/// What a form brings.
#[derive(Debug, Clone, Copy)]
pub struct Entered<'a> {
    /// What was typed.
    pub passcode: &'a str,
    /// The random value in the page that was sent: the same form sent twice is one attempt.
    pub nonce: &'a str,
}

/// Takes a passcode: of an authenticator that exists or, at the end of an enrollment, the first of a new one.
///
/// # Errors
/// [`Error::WrongMoment`] if no passcode is asked for; [`Error::NotThisBrowser`]; if a secret does not open.
pub async fn submit(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
    entered: Entered<'_>,
) -> Result<Posted> {
    let case = super::case::look(house, realm, visit, browser, id).await?;
    let first = match case.step {
        Step::Passcode => false,
        Step::FirstPasscode(_) | Step::Activate(Platform::OathApp) => true,
        _ => return Err(Error::WrongMoment),
    };
    if entered.passcode.trim().is_empty() {
        return Ok(Posted::complaint(Complaint::PasscodeEmpty));
    }
    if let Some(complaint) = attempts::must_wait(house, realm, visit, &case).await? {
        return Ok(Posted::complaint(complaint));
    }
    let typed = Typed::new(realm, entered.passcode);
    let mut posted = if first {
        let initial = server_pin::initial(house, realm, &case).await?;
        first_passcode(house, realm, visit, browser, id, (typed, initial.as_ref())).await?
    } else {
        let shows = |token: &&Token| token.state == State::Active && !answers(&token.template);
        let active = case.tokens.iter().filter(shows);
        // Before anything is proven a hint would tell that there is such an account.
        if case.evidence.of_anybody() && typed.lacks_pin(active.map(|token| &token.template)) {
            return Ok(Posted::complaint(Complaint::PinMissing));
        }
        let pin = server_pin::check(house, realm, visit, &case, typed).await?;
        passcode(house, realm, visit, (browser, case.user()), (id, entered), (typed, &pin)).await?
    };
    if posted.complaint == Some(Complaint::PasscodeWrong)
        && let Some(advice) = clock_doctor::advise(house, realm, visit, &case, entered.passcode).await?
    {
        posted.complaint = Some(advice);
    }
    house.mail_waits.notify_one();
    Ok(posted)
}

/// How long the same form that comes twice is one attempt.
const TWICE: Duration = Duration::from_secs(10);

/// Whether this very form, with this very passcode, was refused just before: somebody pressed the button twice, or the
/// browser sent it again. What it says is known already, so nobody learns anything by it.
async fn sent_twice(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    entered: Entered<'_>,
) -> storage::Result<bool> {
    if entered.nonce.is_empty() {
        return Ok(false);
    }
    let (tenant, login) = (realm.tenant(), case.login().id);
    // Two windows: one that began just before the change to the next is as old as it is.
    let subject = |window: Timestamp| {
        let parts: [&[u8]; 6] = [
            b"form",
            &tenant.to_bytes(),
            &login.to_bytes(),
            entered.nonce.as_bytes(),
            entered.passcode.trim().as_bytes(),
            &window.micros().to_be_bytes(),
        ];
        house::text(&house.derived.throttle.of(&parts))
    };
    let this = house::window_start(visit.now, TWICE.as_secs().cast_signed());
    if identifiers::is_used(tenant, &subject(this.minus(TWICE))).ask(connection).await? {
        return Ok(true);
    }
    let new = identifiers::first_use(connection, tenant, &subject(this), visit.now.plus(TWICE * 2)).await?;
    Ok(!new)
}

/// What a passcode of `template` counts.
const fn moving(template: &TokenTemplate, drift_steps: i64) -> Moving {
    match template.synchronization {
        Synchronization::Time => Moving::Time { step_seconds: template.time_step_seconds, drift_steps },
        // One that was brought along has no template of the virtual server: there the virtual server's own window counts.
        Synchronization::Event => {
            Moving::Event { look_ahead: if template.version == 0 { None } else { Some(template.event_window) } }
        }
    }
}

/// A token, as far as judging its passcodes needs it.
pub(super) const fn judged<'a>(
    template: &TokenTemplate,
    secret: &'a SecretBytes,
    drift_steps: i64,
    last_position: i64,
    pending: Option<i64>,
) -> Judged<'a> {
    Judged {
        secret,
        algorithm: template.algorithm,
        digits: template.length,
        alphabet: template.alphabet,
        moving: moving(template, drift_steps),
        last_position,
        pending,
    }
}

/// Characters that people type who put spaces into a passcode or miss a digit get a hint that costs nothing.
fn wrong_length<'t>(typed: Typed<'_>, templates: impl Iterator<Item = &'t TokenTemplate> + Clone) -> Option<Complaint> {
    // How long the PIN beside it is, nobody is told.
    if templates.clone().any(has_pin) {
        return None;
    }
    let digits = typed.text.chars().filter(|c| !c.is_whitespace() && *c != '-').count();
    let mut lengths: Vec<usize> = templates.map(|template| usize::from(template.length)).collect();
    lengths.sort_unstable();
    lengths.dedup();
    match lengths.as_slice() {
        [one] if *one != digits => Some(Complaint::PasscodeLength { expected: u32::try_from(*one).unwrap_or(6) }),
        _ => None,
    }
}

/// The statements that write down what the use of an authenticator is to its enrollment, whatever showed that it works: a
/// login, its owner at the portal, the help desk.
pub(super) fn used(token: &Token, now: Timestamp) -> impl Iterator<Item = Statement> {
    mailed::first_use(token, now).into_iter().chain(rollout::returned(token, now))
}

/// What is to be forgotten of the person's other authenticators when this one was used.
pub(super) fn forgiven(case: &Case, used: &Token) -> Option<Statement> {
    let count = |token: &Token| token.id != used.id && token.state == State::Active && token.failed_count > 0;
    let user = case.user().filter(|_| case.tokens.iter().any(count))?;
    Some(tokens::forgive(case.login().tenant, user))
}

/// A passcode of an authenticator that exists (A14, A15). All that are active are tried.
async fn passcode(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    (browser, named): (&Browser, Option<UserId>),
    (id, entered): (LoginId, Entered<'_>),
    (typed, checked): (Typed<'_>, &Checked),
) -> Result<Posted> {
    let done = house.db.write(async |connection| {
        one_by_one(connection, realm, named).await?;
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        if case.step != Step::Passcode || case.user() != named {
            return Ok(Err(Error::WrongMoment));
        }
        let active = case.tokens.iter().filter(|token| token.state == State::Active);
        let active: Vec<&Token> = active.filter(|token| !answers(&token.template)).collect();
        if ways(realm, &case) == (Ways { passcode: false, challenge: true }) {
            // All of them answer challenges; the desk shows one.
            return Ok(Err(Error::WrongMoment));
        }
        let hint = wrong_length(typed, active.iter().map(|token| &token.template));
        if let Some(complaint) = hint.filter(|_| case.evidence.of_anybody()) {
            return Ok(Ok(Posted::complaint(complaint)));
        }
        let (token, verdict) = match best(house, realm, visit, &case, &active, typed) {
            // Whatever it is, it is answered like somebody's who has none.
            Ok(_) if case.is_shut(visit.now) => (None, Verdict::Wrong),
            Ok(best) => best,
            Err(error) => return Ok(Err(error)),
        };
        let pin = match token {
            Some(token) => checked.of(connection, realm, visit, token).await?,
            None => Pin::Right,
        };
        let good = matches!(verdict, Verdict::Accepted { .. } | Verdict::OutOfSync { .. }) && pin != Pin::Wrong;
        if !good && sent_twice(connection, house, realm, visit, &case, entered).await? {
            return Ok(Ok(Posted::complaint(Complaint::PasscodeWrong)));
        }
        match (token, verdict) {
            // used up, counted, and answered like a wrong passcode.
            (Some(token), Verdict::Accepted { position, .. } | Verdict::OutOfSync { position })
                if pin == Pin::Wrong =>
            {
                tokens::spend(connection, realm.tenant(), token.id, position).await?;
                house.record(connection, about(&case, visit, token, Action::PinRejected)).await?;
                let counts = realm.config.settings.lockout.count_pins;
                refused(connection, house, realm, visit, &case, counts).await.map(Ok)
            }
            (Some(token), Verdict::Accepted { position, drift_steps })
                if tokens::accept(connection, realm.tenant(), token.id, position, drift_steps, visit.now).await? =>
            {
                let proven = if pin == Pin::Due { Proven::OldPin(token.id) } else { Proven::Otp(token.id) };
                let mut writes = stepped_up(house, realm, visit, &case, proven);
                writes.push(house.entry(&about(&case, visit, token, Action::PasscodeAccepted)));
                writes.extend(used(token, visit.now));
                writes.extend(forgiven(&case, token));
                statement::run_all(connection, writes).await?;
                Ok(Ok(Posted::stepped_up(house, visit, &case)))
            }
            (Some(token), Verdict::OutOfSync { position }) => {
                logins::set_resync(connection, realm.tenant(), id, Some((token.id, position))).await?;
                house.record(connection, about(&case, visit, token, Action::PasscodeOutOfSync)).await?;
                Ok(Ok(Posted::complaint(Complaint::PasscodeNext)))
            }
            // Accepted, but another request has taken the position at the same moment: a reuse (T-13).
            (Some(token), Verdict::Accepted { .. } | Verdict::Reused) => {
                house.record(connection, about(&case, visit, token, Action::PasscodeReused)).await?;
                tell_of_reuse(connection, house, realm, visit, &case).await?;
                let alert = alerts::about(&case, visit, Kind::PasscodeReuse, &token.serial);
                alerts::raise(connection, house, &realm.config, &alert).await?;
                let counts = realm.config.settings.lockout.count_passcodes;
                refused(connection, house, realm, visit, &case, counts).await.map(Ok)
            }
            _ => {
                house.record(connection, event(&case, visit, Action::PasscodeRejected)).await?;
                let counts = realm.config.settings.lockout.count_passcodes;
                refused(connection, house, realm, visit, &case, counts).await.map(Ok)
            }
        }
    });
    done.await?
}

/// Tells the person of a passcode that was tried again, at most once in an hour: whoever tries it again and again
/// must not fill the mailbox.
async fn tell_of_reuse(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
) -> storage::Result<()> {
    const HOUR: i64 = 3600;
    let Some(user) = case.user() else { return Ok(()) };
    let tenant = realm.tenant();
    let subject = house::text(&house.derived.throttle.of(&[b"letters of reuse", &tenant.to_bytes(), &user.to_bytes()]));
    let this = house::window_start(visit.now, HOUR);
    // A letter of the hour before may be only minutes old.
    let before = this.minus(Duration::from_secs(HOUR.unsigned_abs()));
    for window in [before, this] {
        if throttle::hits(connection, tenant, &subject, window).await? > 0 {
            return Ok(());
        }
    }
    if throttle::hit(connection, tenant, &subject, this).await? > 1 {
        return Ok(());
    }
    let letter = Letter::PasscodeReused {
        application: case.application_name().to_owned(),
        at: visit.now,
        address: visit.address.to_string(),
    };
    letters::send(connection, house, realm, visit, case, letter).await
}

/// What the typed passcode is to the token that likes it best.
pub(super) fn best<'a>(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    active: &[&'a Token],
    typed: Typed<'_>,
) -> Result<(Option<&'a Token>, Verdict)> {
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Accepted { .. } => 3,
        Verdict::OutOfSync { .. } => 2,
        Verdict::Reused => 1,
        Verdict::Wrong => 0,
    };
    let mut found = (None, Verdict::Wrong);
    if active.is_empty() {
        // A name without an account costs as much as one with an authenticator.
        let nobodys = SecretBytes::new(vec![0; 32]);
        let judged = judged(&TokenTemplate::app(), &nobodys, 0, -1, None);
        std::hint::black_box(judge(judged, realm.config.settings.windows, typed.text, visit.now));
    }
    for token in active {
        let Some(sealed) = &token.secret_sealed else { continue };
        let secret = house.sealer.open(Place::new(realm.tenant(), "token", "secret_sealed", token.id), sealed)?;
        let pending = case.row.resync.filter(|(id, _)| *id == token.id).map(|(_, position)| position);
        let judged = judged(&token.template, &secret, token.drift_steps, token.last_position, pending);
        let verdict = judge(judged, realm.config.settings.windows, &typed.passcode(&token.template), visit.now);
        if rank(&verdict) > rank(&found.1) {
            found = (Some(*token), verdict);
        }
    }
    Ok(found)
}

/// Counts a passcode that was not accepted, for the name, the address and the authenticators (A16).
pub(super) async fn refused(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    counts: bool,
) -> storage::Result<Posted> {
    if case.row.resync.is_some() {
        logins::set_resync(connection, realm.tenant(), case.login().id, None).await?;
    }
    attempts::count(connection, house, realm, visit, case, counts).await?;
    if let Some(user) = case.user().filter(|_| !case.is_shut(visit.now)) {
        let locked = tokens::fail(connection, realm.tenant(), user, MOST_FAILURES, visit.now).await?;
        if locked > 0 {
            house.record(connection, event(case, visit, Action::TokenLocked)).await?;
            let alert = alerts::about(case, visit, Kind::TokenLockout, "");
            alerts::raise(connection, house, &realm.config, &alert).await?;
        }
    }
    Ok(Posted::complaint(Complaint::PasscodeWrong))
}

pub(super) fn about(case: &Case, visit: &Visit, token: &Token, action: Action) -> crate::domain::audit::Event {
    event(case, visit, action).on("token", token.id).with(serde_json::json!({ "serial": token.serial }))
}

/// The first passcode of a new authenticator, in the login that began the enrollment: only now a token is
/// made (R-111, architecture.md rule 7). Failures here do not count for the account: there is nothing yet
/// that a stranger could guess at.
async fn first_passcode(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
    (typed, initial): (Typed<'_>, Option<&Initial>),
) -> Result<Posted> {
    let done = house.db.write(async |connection| {
        let tenant = realm.tenant();
        let Some(before) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        // Another enrollment of the same person may be ending at this moment, in another browser (T-09).
        if let Some(user) = before.user() {
            users::hold(connection, tenant, user).await?;
        }
        let Some(case) = super::case::load(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        let (Some(enrollment), Some(member)) = (&case.enrollment, &case.member) else {
            return Ok(Err(Error::WrongMoment));
        };
        if !matches!(case.step, Step::FirstPasscode(_) | Step::Activate(Platform::OathApp)) {
            return Ok(Err(Error::WrongMoment));
        }
        if let Err(error) = may_end(connection, realm, &case, enrollment).await? {
            return Ok(Err(error));
        }
        let ready = enrollments::ready(connection, tenant, enrollment.id).await?;
        let Some(ready) = ready.filter(|ready| !answers(&ready.template)) else {
            return Ok(Err(Error::WrongMoment));
        };
        if has_pin(&ready.template) != initial.is_some() {
            return Ok(Err(Error::WrongMoment));
        }
        if typed.lacks_pin(std::iter::once(&ready.template)) {
            return Ok(Ok(Posted::complaint(Complaint::PinMissing)));
        }
        if let Some(complaint) = wrong_length(typed, std::iter::once(&ready.template)) {
            return Ok(Ok(Posted::complaint(complaint)));
        }
        let place = Place::new(tenant, "enrollment", "secret_sealed", enrollment.id);
        let secret = match house.sealer.open(place, &ready.secret_sealed) {
            Ok(secret) => secret,
            Err(error) => return Ok(Err(error.into())),
        };
        // Of this one: in a login in which an older token was proven, too.
        let pending = case.row.resync.filter(|(id, _)| *id == TokenId::from_bits(0)).map(|(_, position)| position);
        let judged = judged(&ready.template, &secret, 0, -1, pending);
        let verdict = judge(judged, realm.config.settings.windows, &typed.passcode(&ready.template), visit.now);
        let verdict = match initial {
            Some(initial) if !initial.is_in(typed, &ready.template) => Verdict::Wrong,
            _ => verdict,
        };
        match verdict {
            Verdict::Accepted { position, drift_steps } => {
                let new = token(house, visit, member.user.id, enrollment, &ready, &secret, (position, drift_steps));
                let id = new.id;
                let done = finished(connection, house, realm, visit, &case, enrollment, new).await?;
                if let (Ok(_), Some(initial)) = (&done, initial) {
                    initial.store(connection, house, realm, visit, id).await?;
                }
                Ok(done)
            }
            Verdict::OutOfSync { position } => {
                let waiting = TokenId::from_bits(0);
                logins::set_resync(connection, tenant, id, Some((waiting, position))).await?;
                Ok(Ok(Posted::complaint(Complaint::PasscodeNext)))
            }
            Verdict::Reused | Verdict::Wrong => {
                house.record(connection, event(&case, visit, Action::PasscodeRejected)).await?;
                enrollments::stumbled(tenant, enrollment.id, "passcode_rejected").run(connection).await?;
                attempts::count_address(connection, house, realm, visit).await?;
                if let Some(reservation) = &case.reservation {
                    mailed::failed(connection, house, realm, visit, reservation).await?;
                }
                Ok(Ok(Posted::complaint(Complaint::PasscodeWrong)))
            }
        }
    });
    done.await?
}

/// Whether an enrollment may end with a token: whoever has one adds another one beside it only (T-09), and not more than
/// a person may have.
pub(super) async fn may_end(
    connection: &mut Connection,
    realm: &Realm,
    case: &Case,
    enrollment: &Enrollment,
) -> storage::Result<Result<()>> {
    let expected = if enrollment.beside { Tokens::Usable } else { Tokens::None };
    if case.reservation.is_none()
        && tokens::summary(&case.tokens) != expected
        && (enrollment.beside || !case.evidence.vouched())
    {
        return Ok(Err(Error::WrongMoment));
    }
    let more = enrollment.replaces.is_none() && enrollment.beside;
    if more && !owner::may_have_more(connection, realm, enrollment.user).await? {
        return Ok(Err(Error::Forbidden));
    }
    Ok(Ok(()))
}

/// Ends an enrollment with its token: in a login, or where a link from a mail began.
pub(super) async fn finished(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    enrollment: &Enrollment,
    new: Token,
) -> storage::Result<Result<Posted>> {
    let new = Token { name: owner::free_name(&new.name, &case.tokens), ..new };
    let done = match &case.reservation {
        Some(place) => {
            let taken = mailed::enrolled(connection, house, realm, visit, (enrollment, place), &new).await?;
            if taken { Ok(Posted::accepted()) } else { Err(Error::WrongMoment) }
        }
        None => enrolled(connection, house, realm, visit, case, enrollment, &new).await?,
    };
    if done.is_ok()
        && let Err(error) = app_calls::adopt(connection, house, realm, enrollment.id, &new).await?
    {
        return Ok(Err(error));
    }
    Ok(done)
}

/// The token that an enrollment becomes; its secret is sealed anew, for its own row (T-63).
pub(super) fn token(
    house: &House,
    visit: &Visit,
    user: UserId,
    enrollment: &Enrollment,
    ready: &Ready,
    secret: &SecretBytes,
    (position, drift_steps): (i64, i64),
) -> Token {
    let id: TokenId = house.entropy.id();
    let place = Place::new(enrollment.tenant, "token", "secret_sealed", id);
    let told = ready.device.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
    let platform = enrollment.platform.unwrap_or(Platform::OathApp);
    let kind = if platform.speaks_our_protocol() { lifecycle::Kind::App } else { lifecycle::Kind::OathApp };
    Token {
        user: Some(user),
        name: told.to_owned(),
        state: State::Active,
        secret_sealed: Some(house.sealer.seal(place, secret)),
        last_position: position,
        drift_steps,
        platform: Some(platform),
        device: ready.device.clone(),
        device_key: ready.device_key.clone(),
        enrolled_by: if enrollment.beside { EnrolledBy::Portal } else { EnrolledBy::Itself },
        enrolled_address: visit.address.to_string(),
        enrolled_at: visit.now,
        first_used_at: Some(visit.now),
        last_used_at: Some(visit.now),
        ..Token::blank(id, enrollment.tenant, kind, ready.serial.clone(), ready.template.clone())
    }
}

/// Makes the token of an enrollment, once, and tells its owner.
pub(super) async fn enrolled(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    enrollment: &Enrollment,
    token: &Token,
) -> storage::Result<Result<Posted>> {
    let tenant = realm.tenant();
    if !enrollments::complete(connection, tenant, enrollment.id, visit.now).await? {
        return Ok(Err(Error::WrongMoment));
    }
    tokens::insert(connection, token).await?;
    // Beside an older one nothing is recovered: whoever has proven that one keeps it, and the codes.
    if !enrollment.beside {
        recovery::replaced(connection, house, realm, visit, case, enrollment.user).await?;
        if realm.config.settings.self_provisioning.recovery_codes
            && let Some(member) = &case.member
        {
            let until = case.login().absolute_expires_at;
            let visit = &letters::speaking(visit, case);
            recovery::issue(connection, house, realm, visit, &member.user, case.login().id, until).await?;
        }
    }
    enrollments::cancel_others_of(connection, tenant, enrollment.user, enrollment.id, visit.now).await?;
    mailed::close_of(connection, house, realm, visit, (enrollment.user, token.id)).await?;
    activations::void_of(connection, tenant, enrollment.id).await?;
    users::remember_enrollment(connection, tenant, enrollment.user, visit.now).await?;
    // A PIN that was made by us is good for choosing another one, and for nothing else.
    let old_pin = has_pin(&token.template) && realm.config.settings.server_side_pin.change_on_first_use;
    let proven = if old_pin { Proven::OldPin(token.id) } else { Proven::Otp(token.id) };
    let mut writes = stepped_up(house, realm, visit, case, proven);
    writes.push(house.entry(&about(case, visit, token, Action::TokenEnrolled)));
    writes.extend(rollout::reached(case, Reached::Passcode, visit.now));
    let completed = event(case, visit, Action::EnrollmentCompleted).on("enrollment", enrollment.id);
    let detail = serde_json::json!({ "platform": token.platform.map(Platform::id), "serial": token.serial });
    writes.push(house.entry(&completed.with(detail)));
    statement::run_all(connection, writes).await?;
    let replaced = case.tokens.iter().find(|old| Some(old.id) == enrollment.replaces);
    if let Some(old) = replaced {
        let by = By { correlation: Some(case.login().correlation), ..By::visitor(Actor::User(enrollment.user), visit) };
        let step = (Move::Revoke(Disposition::Returned), "replaced");
        lifecycle_of::carry_out(connection, house, &by, old, step, Ending::HandedTo(token.id)).await?;
    }
    let letter = Letter::Enrolled {
        device: token.name.clone(),
        platform: enrollment.platform.unwrap_or(Platform::OathApp),
        serial: token.serial.clone(),
        at: visit.now,
        address: visit.address.to_string(),
        undo: undo::statement(house, realm, token.id, visit.now),
    };
    letters::send(connection, house, realm, visit, case, letter).await?;
    Ok(Ok(Posted::stepped_up(house, visit, case)))
}
