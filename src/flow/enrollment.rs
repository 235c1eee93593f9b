//! Self-provisioning within a login (A4 to A8): the offer, the mailed code, the platform, the activation.
//!
//! Everything here hangs on the login that began it and ends with it; nothing here is a token. Whoever is
//! not entitled at this very moment is refused, however the request came about (AC-04, AC-22).

use std::time::Duration;

use super::case::{Case, enrollment_lockout, enrollment_subject};
use super::login::{deadline, end, event, hold, stepped_up};
use super::{Browser, Error, House, Posted, Realm, Result, Visit, alerts, attempts, house, letters, owner, rollout};
use crate::domain::activation::string::SECRET_LENGTH;
use crate::domain::alert;
use crate::domain::audit::Action;
use crate::domain::email_code::{self, Sending, TRIES};
use crate::domain::enrollment::{Enrollment, State};
use crate::domain::ids::{ActivationId, EnrollmentId, LoginId, TokenId};
use crate::domain::letter::Letter;
use crate::domain::lockout::Lock;
use crate::domain::login::addition::Addition;
use crate::domain::login::complaint::Complaint;
use crate::domain::login::origin::Origin;
use crate::domain::login::outcome::Ending;
use crate::domain::login::step::Step;
use crate::domain::oath::uri::{Kind, OtpAuth};
use crate::domain::policy::platform::Platform;
use crate::domain::secret::{ExposeSecret as _, SecretBytes};
use crate::domain::timestamp::Timestamp;
use crate::domain::user::User;
use crate::keys::sealing::Place;
use crate::storage::activations::{self, Activation};
use crate::storage::email_codes::{self, EmailCode};
use crate::storage::enrollments::{self, Ready};
use crate::storage::logins::Proven;
use crate::storage::outbox::{self, Progress};
use crate::storage::rollout_attempts::Reached;
use crate::storage::statement;
use crate::storage::{self, Connection, failures, tokens, users};

/// How long an activation waits for a device (part B3).
pub const ACTIVATION_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Activations of one person in an hour and in a day (part B3).
const MOST_IN_HOUR: i64 = 5;
const MOST_IN_DAY: i64 = 20;

/// Whether the posted action fits the step; if not, what it is answered.
fn at(case: &Case, wanted: impl Fn(Step) -> bool) -> std::result::Result<(), Error> {
    match case.step {
        step if wanted(step) => Ok(()),
        // Somewhere else in the same enrollment: a second tab, a back button. The desk shows where.
        Step::Offer
        | Step::Addition(_)
        | Step::EmailCode
        | Step::ChoosePlatform
        | Step::Install(_)
        | Step::Activate(_)
        | Step::FirstPasscode(_)
        | Step::RecoveryCodes
        | Step::Complete
        | Step::Granted
        | Step::Answered
        | Step::Expired
        | Step::Ended(_)
        | Step::LinkClosed(_)
        | Step::Identify => Err(Error::WrongMoment),
        // Finished in another browser meanwhile; the desk says so.
        Step::Passcode if case.enrolled_elsewhere() => Err(Error::WrongMoment),
        // The password is lacking, there is an authenticator already, or enrollment is not offered.
        Step::Password | Step::Passcode | Step::NewPin(_) | Step::Pass(_) | Step::Refused(_) => Err(Error::Forbidden),
    }
}

/// Add Authenticator: begins the enrollment and sends the first code.
///
/// # Errors
/// [`Error::Forbidden`] if enrollment is not offered; [`Error::WrongMoment`]; [`Error::NotThisBrowser`].
pub async fn begin(house: &House, realm: &Realm, visit: &Visit, browser: &Browser, id: LoginId) -> Result<Posted> {
    let begun = house.db.write(async |connection| {
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        if let Err(error) = at(&case, |step| matches!(step, Step::Offer | Step::Addition(_))) {
            return Ok(Err(error));
        }
        // The desk takes the person's place first.
        if rollout::is_due(&case) {
            return Ok(Err(Error::WrongMoment));
        }
        let Some(member) = &case.member else { return Ok(Err(Error::Forbidden)) };
        if case.step == Step::Addition(Addition::Another)
            && !owner::may_have_more(connection, realm, member.user.id).await?
        {
            return Ok(Err(Error::Forbidden));
        }
        open(connection, house, realm, visit, &case).await?;
        Ok(Ok(Posted::accepted()))
    });
    let begun = begun.await?;
    house.mail_waits.notify_one();
    begun
}

/// Opens the enrollment of a login whose person is offered one, and sends the first code.
pub(super) async fn open(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
) -> storage::Result<()> {
    let Some(member) = &case.member else { return Ok(()) };
    let login = case.login().id;
    let addition = match case.step {
        Step::Addition(addition) => Some(addition),
        _ => None,
    };
    let enrollment = Enrollment {
        id: house.new_id(visit.now),
        tenant: realm.tenant(),
        login,
        reservation: None,
        user: member.user.id,
        state: State::Open,
        platform: None,
        installed: false,
        activated: false,
        beside: addition.is_some(),
        replaces: addition.and_then(Addition::replaces),
        created_at: visit.now,
    };
    enrollments::insert(connection, &enrollment).await?;
    let begun = enrollments::Begun {
        method: if case.login().origin == Origin::Portal { "portal" } else { "self_provisioning" },
        address: visit.address.to_string(),
        application: Some(case.login().application),
        correlation: Some(case.login().correlation),
    };
    enrollments::began(connection, realm.tenant(), enrollment.id, &begun).await?;
    storage::logins::touch(connection, realm.tenant(), login, deadline(case, visit)).await?;
    house.record(connection, event(case, visit, Action::EnrollmentStarted).on("enrollment", enrollment.id)).await?;
    if addition.is_none() {
        statement::run_all(connection, rollout::begins(case, visit.now)).await?;
        send_code(connection, house, realm, visit, case, &member.user, Action::CodeSent).await?;
    } else if let [only] = realm.config.settings.platforms.allowed().as_slice() {
        let _ = start(connection, house, realm, visit, case, enrollment.id, *only).await?;
    }
    Ok(())
}

/// Whoever is asked to renew an authenticator, or to enroll the first one, does it another day, where operators allow it.
///
/// # Errors
/// [`Error::WrongMoment`] if that is not asked; [`Error::Forbidden`] if it may not wait; [`Error::NotThisBrowser`].
pub async fn postpone(house: &House, realm: &Realm, visit: &Visit, browser: &Browser, id: LoginId) -> Result<()> {
    const A_DAY: Duration = Duration::from_secs(86_400);
    let done = house.db.write(async |connection| {
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        let Step::Addition(Addition::Renewal { of, may_wait }) = case.step else {
            return rollout::postpone(connection, house, realm, visit, &case).await;
        };
        if !may_wait {
            return Ok(Err(Error::Forbidden));
        }
        tokens::postpone_renewal(connection, realm.tenant(), of, visit.now.plus(A_DAY)).await?;
        house.record(connection, event(&case, visit, Action::RenewalPostponed).on("token", of)).await?;
        Ok(Ok(()))
    });
    done.await?
}

/// Sends another code; the one before it stops working.
///
/// # Errors
/// As [`begin`].
pub async fn resend(house: &House, realm: &Realm, visit: &Visit, browser: &Browser, id: LoginId) -> Result<Posted> {
    let sent = house.db.write(async |connection| {
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        if let Err(error) = at(&case, |step| step == Step::EmailCode) {
            return Ok(Err(error));
        }
        let Some(member) = &case.member else { return Ok(Err(Error::Forbidden)) };
        storage::logins::touch(connection, realm.tenant(), id, deadline(&case, visit)).await?;
        let complaint = send_code(connection, house, realm, visit, &case, &member.user, Action::CodeResent).await?;
        Ok(Ok(Posted { complaint, login_cookie: None }))
    });
    let sent = sent.await?;
    house.mail_waits.notify_one();
    sent
}

/// Issues a code and puts its mail into the outbox, if the limits allow it. Where a limit of the day is
/// reached nothing is sent, and the page looks as if it were: the limit would tell an attacker that others
/// try as well (AC-10, R-131).
async fn send_code(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    user: &User,
    action: Action,
) -> storage::Result<Option<Complaint>> {
    let (tenant, login) = (realm.tenant(), case.login().id);
    let Some(email) = &user.email else { return Ok(None) };
    // Other logins of the same person may ask at this moment, too, and each would count the mails of before (AC-01, R-130).
    users::hold(connection, tenant, user.id).await?;
    let sent = email_codes::sent(connection, tenant, login, user.id, visit.now).await?;
    // A mail that could not be sent makes nobody wait for the next (part B5).
    let failed = outbox::progress_of(connection, tenant, login).await? == Some(Progress::Failed);
    match email_code::sending(sent, visit.now) {
        Sending::Wait { seconds } if !failed => return Ok(Some(Complaint::CodeCooldown { seconds })),
        Sending::Silently => {
            house.record(connection, event(case, visit, Action::CodeWithheld)).await?;
            return Ok(None);
        }
        Sending::Now | Sending::Wait { .. } => {}
    }
    if !attempts::code_may_go(connection, house, realm, visit).await? {
        house.record(connection, event(case, visit, Action::CodeWithheld)).await?;
        return Ok(None);
    }
    let settings = &realm.config.settings.email_code;
    let id = house.new_id(visit.now);
    let code = settings.draw(|bound| house.entropy.below(bound));
    let expires_at = visit.now.plus(settings.lifetime());
    let typed = email_code::normalized(code.expose_secret());
    let row = EmailCode {
        id,
        code_hash: house::text(&house.derived.codes.of(&[
            b"mail",
            &tenant.to_bytes(),
            &id.to_bytes(),
            typed.as_bytes(),
        ])),
        address_hash: address_hash(house, realm, email),
        pending: true,
        tries: 0,
        created_at: visit.now,
        expires_at,
    };
    email_codes::issue(connection, tenant, login, user.id, &row).await?;
    let letter = Letter::VerificationCode {
        code: code.expose_secret().to_owned(),
        application: case.application_name().to_owned(),
        valid_minutes: settings.lifetime().as_secs() / 60,
        in_subject: settings.in_subject,
    };
    let visit = &letters::speaking(visit, case);
    letters::send_until(connection, house, realm, visit, user, Some(login), letter, expires_at).await?;
    house.record(connection, event(case, visit, action)).await?;
    Ok(None)
}

/// Binds a code to the address it went to: a changed address makes it worthless (T-03).
fn address_hash(house: &House, realm: &Realm, email: &str) -> String {
    house::text(&house.derived.codes.of(&[b"address", &realm.tenant().to_bytes(), email.as_bytes()]))
}

/// Takes a mailed code (A7).
///
/// A code that is too old, used or replaced gets the same answer whether or not it was right: otherwise it
/// could be guessed at leisure (AC-13).
///
/// # Errors
/// As [`begin`].
pub async fn redeem(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
    typed: &str,
) -> Result<Posted> {
    let typed = email_code::normalized(typed);
    let redeemed = house.db.write(async |connection| {
        let tenant = realm.tenant();
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        if let Err(error) = at(&case, |step| step == Step::EmailCode) {
            return Ok(Err(error));
        }
        let (Some(member), Some(enrollment)) = (&case.member, &case.enrollment) else {
            return Ok(Err(Error::Forbidden));
        };
        if typed.is_empty() {
            return Ok(Ok(Posted::complaint(Complaint::CodeEmpty)));
        }
        // Codes of other logins of the same person may be guessed at at this moment, too: ten wrong ones in a day are ten.
        users::hold(connection, tenant, member.user.id).await?;
        let wrong = failures::of(tenant, &enrollment_subject(house, tenant, member.user.id)).ask(connection).await?;
        if wrong.lock().refusal(visit.now).is_some() {
            return Ok(Err(Error::WrongMoment));
        }
        let code = email_codes::newest_of(connection, tenant, id).await?;
        let Some(code) = code.filter(|code| code.pending && visit.now < code.expires_at) else {
            house.record(connection, event(&case, visit, Action::CodeExpired)).await?;
            enrollments::stumbled(tenant, enrollment.id, "code_expired").run(connection).await?;
            return Ok(Ok(Posted::complaint(Complaint::CodeExpired)));
        };
        if !email_codes::reserve_try(connection, tenant, code.id, TRIES).await? {
            return Ok(Ok(Posted::complaint(Complaint::CodeExpired)));
        }
        let fields: [&[u8]; 4] = [b"mail", &tenant.to_bytes(), &code.id.to_bytes(), typed.as_bytes()];
        let email = member.user.email.as_deref().unwrap_or_default();
        let right = house::text(&house.derived.codes.of(&fields)) == code.code_hash;
        if !right || address_hash(house, realm, email) != code.address_hash {
            return wrong_code(connection, house, realm, visit, &case, member.user.id, code.tries + 1).await.map(Ok);
        }
        if !email_codes::redeem(connection, tenant, code.id, visit.now).await? {
            return Ok(Ok(Posted::complaint(Complaint::CodeExpired)));
        }
        failures::forget(connection, tenant, &enrollment_subject(house, tenant, member.user.id)).await?;
        let mut writes = stepped_up(house, realm, visit, &case, Proven::Mailbox);
        writes.push(house.entry(&event(&case, visit, Action::CodeVerified)));
        writes.extend(rollout::reached(&case, Reached::Mail, visit.now));
        writes.push(enrollments::proven(tenant, enrollment.id));
        statement::run_all(connection, writes).await?;
        // Where there is one platform there is nothing to choose (part B1).
        if let ([only], None) = (realm.config.settings.platforms.allowed().as_slice(), enrollment.platform) {
            let _ = start(connection, house, realm, visit, &case, enrollment.id, *only).await?;
        }
        Ok(Ok(Posted::stepped_up(house, visit, &case)))
    });
    let redeemed = redeemed.await?;
    // Operators may be told that it is locked now.
    house.mail_waits.notify_one();
    redeemed
}

/// Counts a wrong code: five close the login, ten in a day lock enrollment (AC-09, R-133).
async fn wrong_code(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    user: crate::domain::ids::UserId,
    tries: i64,
) -> storage::Result<Posted> {
    house.record(connection, event(case, visit, Action::CodeRejected)).await?;
    if let Some(enrollment) = &case.enrollment {
        let reason = if tries >= TRIES { "code_exhausted" } else { "code_rejected" };
        enrollments::stumbled(realm.tenant(), enrollment.id, reason).run(connection).await?;
    }
    let subject = enrollment_subject(house, realm.tenant(), user);
    let (before, after) = attempts::add(connection, realm, visit, &subject, enrollment_lockout()).await?;
    attempts::count_address(connection, house, realm, visit).await?;
    if after.lock() != Lock::Open && before.lock().refusal(visit.now).is_none() {
        house.record(connection, event(case, visit, Action::EnrollmentLocked)).await?;
        let alert = alerts::about(case, visit, alert::Kind::EnrollmentLockout, "");
        alerts::raise(connection, house, &realm.config, &alert).await?;
    }
    let left = u32::try_from(TRIES - tries).unwrap_or(0);
    if left == 0 {
        house.record(connection, event(case, visit, Action::CodeExhausted)).await?;
        end(connection, house, realm, visit, case, Ending::TooManyCodes).await?;
        return Ok(Posted::accepted());
    }
    Ok(Posted::complaint(Complaint::CodeWrong { left }))
}

/// Chooses the platform, or another one.
///
/// # Errors
/// As [`begin`].
pub async fn choose_platform(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
    platform: &str,
) -> Result<Posted> {
    let wanted = |step| matches!(step, Step::ChoosePlatform | Step::Install(_) | Step::Activate(_));
    let platform = platform.parse::<Platform>().ok();
    in_enrollment(house, realm, visit, browser, id, wanted, async |connection, case, enrollment| {
        let allowed = platform.filter(|platform| case.platforms(realm).contains(platform));
        let Some(platform) = allowed else {
            let detail = serde_json::json!({ "platform": platform.map(Platform::id) });
            house.record(connection, event(case, visit, Action::PlatformRefused).with(detail)).await?;
            enrollments::stumbled(realm.tenant(), enrollment, "platform_refused").run(connection).await?;
            return Ok(Posted::complaint(Complaint::PlatformNotAllowed));
        };
        start(connection, house, realm, visit, case, enrollment, platform).await
    })
    .await
}

/// "I have installed it": on to the activation.
///
/// # Errors
/// As [`begin`].
pub async fn confirm_installed(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
) -> Result<Posted> {
    let wanted = |step| matches!(step, Step::Install(_));
    in_enrollment(house, realm, visit, browser, id, wanted, async |connection, case, enrollment| {
        let Step::Install(platform) = case.step else { return Ok(Posted::accepted()) };
        enrollments::installed(connection, realm.tenant(), enrollment, visit.now).await?;
        if let Some(app) = rollout::reached(case, Reached::App, visit.now) {
            app.run(&mut *connection).await?;
        }
        house.record(connection, event(case, visit, Action::AppInstalled).on("enrollment", enrollment)).await?;
        issue(connection, house, realm, visit, case, enrollment, platform).await
    })
    .await
}

/// Issues a new activation in place of one that has expired (part B3).
///
/// # Errors
/// As [`begin`].
pub async fn renew(house: &House, realm: &Realm, visit: &Visit, browser: &Browser, id: LoginId) -> Result<Posted> {
    let wanted = |step| matches!(step, Step::Activate(_));
    in_enrollment(house, realm, visit, browser, id, wanted, async |connection, case, enrollment| {
        let Step::Activate(platform) = case.step else { return Ok(Posted::accepted()) };
        issue(connection, house, realm, visit, case, enrollment, platform).await
    })
    .await
}

/// Back to the choice of a platform; the activation shown so far is void.
///
/// # Errors
/// As [`begin`].
pub async fn change_platform(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
) -> Result<Posted> {
    let wanted = |step| matches!(step, Step::Install(_) | Step::Activate(_) | Step::FirstPasscode(_));
    in_enrollment(house, realm, visit, browser, id, wanted, async |connection, case, enrollment| {
        activations::void_of(connection, realm.tenant(), enrollment).await?;
        enrollments::choose(connection, realm.tenant(), enrollment, None, visit.now).await?;
        house.record(connection, event(case, visit, Action::PlatformChosen).on("enrollment", enrollment)).await?;
        Ok(Posted::accepted())
    })
    .await
}

/// One transaction of an open enrollment at one of the `wanted` steps.
async fn in_enrollment(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
    wanted: impl Fn(Step) -> bool,
    work: impl AsyncFn(&mut Connection, &Case, EnrollmentId) -> storage::Result<Posted>,
) -> Result<Posted> {
    let done = house.db.write(async |connection| {
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        if let Err(error) = at(&case, &wanted) {
            return Ok(Err(error));
        }
        let Some(enrollment) = case.enrollment.as_ref().map(|enrollment| enrollment.id) else {
            return Ok(Err(Error::Forbidden));
        };
        storage::logins::touch(connection, realm.tenant(), id, deadline(&case, visit)).await?;
        work(connection, &case, enrollment).await.map(Ok)
    });
    done.await?
}

/// Sets the platform and, where nothing must be installed first, issues what the device needs.
pub(super) async fn start(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    enrollment: EnrollmentId,
    platform: Platform,
) -> storage::Result<Posted> {
    activations::void_of(connection, realm.tenant(), enrollment).await?;
    enrollments::choose(connection, realm.tenant(), enrollment, Some(platform), visit.now).await?;
    if let Some(chosen) = rollout::reached(case, Reached::Platform(platform), visit.now) {
        chosen.run(&mut *connection).await?;
    }
    let detail = serde_json::json!({ "platform": platform.id() });
    house
        .record(connection, event(case, visit, Action::PlatformChosen).on("enrollment", enrollment).with(detail))
        .await?;
    if platform.installs_first() {
        return Ok(Posted::accepted());
    }
    issue(connection, house, realm, visit, case, enrollment, platform).await
}

/// Issues what the device needs: an activation, or the secret of a standard app.
async fn issue(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    enrollment: EnrollmentId,
    platform: Platform,
) -> storage::Result<Posted> {
    let tenant = realm.tenant();
    let Some(user) = case.user() else { return Ok(Posted::accepted()) };
    if !platform.speaks_our_protocol() {
        return standard_app(connection, house, realm, visit, enrollment).await;
    }
    // As with codes: the limit is the person's, not the login's.
    users::hold(connection, tenant, user).await?;
    let hour = activations::issued_since(connection, tenant, user, visit.now.minus(Duration::from_secs(3600))).await?;
    let day = activations::issued_since(connection, tenant, user, visit.now.minus(Duration::from_secs(86_400))).await?;
    if hour >= MOST_IN_HOUR || day >= MOST_IN_DAY {
        house.record(connection, event(case, visit, Action::ActivationRefused).on("enrollment", enrollment)).await?;
        enrollments::stumbled(tenant, enrollment, "activation_limit").run(connection).await?;
        let seconds = if day >= MOST_IN_DAY { 86_400 } else { 3600 };
        return Ok(Posted::complaint(Complaint::Wait { seconds }));
    }
    let id: ActivationId = house.new_id(visit.now);
    let secret = house.entropy.secret(SECRET_LENGTH);
    let activation = Activation {
        id,
        enrollment,
        login: case.login().id,
        user,
        platform: Some(platform),
        state: activations::State::Issued,
        secret_sealed: house.sealer.seal(Place::new(tenant, "activation", "secret_sealed", id), &secret),
        tries: 0,
        device_key: None,
        handshake_sealed: None,
        device: None,
        created_at: visit.now,
        claimed_at: None,
        expires_at: visit.now.plus(ACTIVATION_LIFETIME),
    };
    activations::issue(connection, tenant, &activation).await?;
    house.record(connection, event(case, visit, Action::ActivationIssued).on("activation", id)).await?;
    Ok(Posted::accepted())
}

/// Makes the secret of a standard app. It waits in the enrollment for its first passcode.
async fn standard_app(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    enrollment: EnrollmentId,
) -> storage::Result<Posted> {
    let template = realm.config.settings.token_templates.oath_app.clone();
    let secret = house.entropy.secret(template.secret_length());
    let place = Place::new(realm.tenant(), "enrollment", "secret_sealed", enrollment);
    let ready = Ready {
        serial: new_serial(house),
        secret_sealed: house.sealer.seal(place, &secret),
        template,
        device: serde_json::json!({}),
        device_key: None,
    };
    enrollments::set_ready(connection, realm.tenant(), enrollment, &ready, false, visit.now).await?;
    Ok(Posted::accepted())
}

/// A serial number: `VE` and ten unambiguous characters, never used twice; 50 random bits, and the
/// database refuses the rest.
#[must_use]
pub fn new_serial(house: &House) -> String {
    let id: TokenId = house.entropy.id();
    let tail: String = id.to_string().to_uppercase().chars().rev().take(10).collect();
    format!("VE{tail}")
}

/// What the activation page shows.
#[derive(Debug)]
pub struct Shown {
    /// The activation.
    pub id: ActivationId,
    /// Its secret; it stands in the QR code and in the activation string only.
    pub secret: SecretBytes,
    /// Where it is in its life.
    pub state: activations::State,
    /// When it stops being valid.
    pub expires_at: Timestamp,
    /// Why the last device that came was refused, see [`crate::flow::activation`].
    pub refused: Option<String>,
}

/// The newest activation of the login's enrollment.
///
/// # Errors
/// If the database fails or the secret does not open.
pub async fn shown(house: &House, realm: &Realm, case: &Case) -> Result<Option<Shown>> {
    let Some(enrollment) = &case.enrollment else { return Ok(None) };
    let tenant = realm.tenant();
    let newest =
        house.db.read(async |connection| activations::newest_of(connection, tenant, enrollment.id).await).await?;
    let Some(activation) = newest else { return Ok(None) };
    let place = Place::new(tenant, "activation", "secret_sealed", activation.id);
    let secret = house.sealer.open(place, &activation.secret_sealed)?;
    let refused = activation.refused().map(str::to_owned);
    Ok(Some(Shown { id: activation.id, secret, state: activation.state, expires_at: activation.expires_at, refused }))
}

/// What a standard app scans, if the login's enrollment waits for one.
///
/// # Errors
/// If the database fails or the secret does not open.
pub async fn standard_app_of(house: &House, realm: &Realm, case: &Case) -> Result<Option<OtpAuth>> {
    let (Some(enrollment), Some(member)) = (&case.enrollment, &case.member) else { return Ok(None) };
    let tenant = realm.tenant();
    let ready = house.db.read(async |connection| enrollments::ready(connection, tenant, enrollment.id).await).await?;
    let Some(ready) = ready else { return Ok(None) };
    let place = Place::new(tenant, "enrollment", "secret_sealed", enrollment.id);
    Ok(Some(OtpAuth {
        issuer: realm.config.tenant.name.clone(),
        account: member.user.username.clone(),
        secret: house.sealer.open(place, &ready.secret_sealed)?,
        algorithm: ready.template.algorithm,
        digits: ready.template.length,
        kind: Kind::Totp { period: ready.template.time_step_seconds },
    }))
}

/// How far the mail with the code is, for the page that asks for it.
///
/// # Errors
/// If the database fails.
pub async fn mail_progress(house: &House, realm: &Realm, id: LoginId) -> Result<Option<Progress>> {
    Ok(house.db.read(async |connection| outbox::progress_of(connection, realm.tenant(), id).await).await?)
}
