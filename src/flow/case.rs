//! Everything about one login at one moment, read in one go, and the step that follows from it.

use super::house::text;
use super::{Browser, Error, House, Realm, Result, Visit};
use crate::domain::application::Application;
use crate::domain::email_code;
use crate::domain::enrollment::{Enrollment, Progress};
use crate::domain::ids::{LoginId, ParkedId, TenantId, UserId};
use crate::domain::lockout::{Failures, LockoutSettings};
use crate::domain::login::evidence::Evidence;
use crate::domain::login::step::{Account, Facts, Step, next_step};
use crate::domain::login::{Login, Stage};
use crate::domain::name::key_of;
use crate::domain::policy::access::{Attempt, Decision, Method, decide};
use crate::domain::policy::provisioning::{self, Offer};
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::session::Session;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::Member;
use crate::storage::logins::LoginRow;
use crate::storage::tokens::{Token, summary};
use crate::storage::{self, Connection, enrollments, failures, logins, sessions, tokens, users};

/// How long the cookie before a step up is still good, for an answer that was lost on the way (K03).
const LOST_ANSWER: std::time::Duration = std::time::Duration::from_secs(30);

/// One login at one moment.
#[derive(Debug)]
pub struct Case {
    /// The login.
    pub row: LoginRow,
    /// What is to be reached; `None` if an operator removed it meanwhile.
    pub application: Option<Application>,
    /// The person, if the name given has an account.
    pub member: Option<Member>,
    /// The single sign-on session of this browser, if it is alive and the person's.
    pub session: Option<Session>,
    /// What the access policies say.
    pub decision: Decision,
    /// What has been proven.
    pub evidence: Evidence,
    /// The person's authenticators that are not revoked.
    pub tokens: Vec<Token>,
    /// The open enrollment of this login.
    pub enrollment: Option<Enrollment>,
    /// Which counter failed attempts go to, and what it shows.
    pub lane: Lane,
    /// What is lacking.
    pub step: Step,
}

/// The counter of failed attempts that applies.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Its keyed hash.
    pub subject: String,
    /// What is remembered.
    pub failures: Failures,
}

impl Case {
    /// The login itself.
    #[must_use]
    pub const fn login(&self) -> &Login {
        &self.row.login
    }

    /// The account's identifier, if there is one.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        self.member.as_ref().map(|member| member.user.id)
    }

    /// The name of what is to be reached.
    #[must_use]
    pub fn application_name(&self) -> &str {
        self.application.as_ref().map_or("", |application| application.name.as_str())
    }
}

/// The keyed hash of a login's cookie.
pub(super) fn login_cookie_hash(house: &House, tenant: TenantId, login: LoginId, cookie: &SecretString) -> String {
    let value = cookie.expose_secret().as_bytes();
    text(&house.derived.cookies.of(&[b"login", &tenant.to_bytes(), &login.to_bytes(), value]))
}

/// The keyed hash of the cookie of a request that waits.
pub(super) fn parked_cookie_hash(house: &House, tenant: TenantId, parked: ParkedId, cookie: &SecretString) -> String {
    let value = cookie.expose_secret().as_bytes();
    text(&house.derived.cookies.of(&[b"parked", &tenant.to_bytes(), &parked.to_bytes(), value]))
}

/// The keyed hash of a session's cookie.
pub(super) fn session_cookie_hash(house: &House, tenant: TenantId, cookie: &SecretString) -> String {
    text(&house.derived.cookies.of(&[b"session", &tenant.to_bytes(), cookie.expose_secret().as_bytes()]))
}

/// The keyed hash of a known browser's cookie.
pub(super) fn browser_hash(house: &House, tenant: TenantId, cookie: &SecretString) -> String {
    text(&house.derived.cookies.of(&[b"browser", &tenant.to_bytes(), cookie.expose_secret().as_bytes()]))
}

/// The counter of a person's wrong mail codes (R-132: they never lock the account).
pub(crate) fn enrollment_subject(house: &House, tenant: TenantId, user: UserId) -> String {
    text(&house.derived.throttle.of(&[b"mail codes", &tenant.to_bytes(), &user.to_bytes()]))
}

/// The counter of wrong secrets for a name.
pub(crate) fn name_subject(house: &House, tenant: TenantId, name: &str) -> String {
    text(&house.derived.throttle.of(&[b"name", &tenant.to_bytes(), key_of(name).as_bytes()]))
}

/// How wrong mail codes lock enrollment.
pub(super) fn enrollment_lockout() -> LockoutSettings {
    LockoutSettings {
        threshold: u32::try_from(email_code::FAILURES_PER_DAY - 1).unwrap_or(9),
        lock_seconds: u32::try_from(email_code::FAILURE_WINDOW.as_secs()).unwrap_or(86_400),
        ..LockoutSettings::default()
    }
}

/// Reads a login that belongs to this browser and computes its step.
///
/// # Errors
/// [`Error::NotThisBrowser`] if there is no such login or the cookie is not its own.
pub async fn load(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
) -> std::result::Result<Option<Case>, storage::Error> {
    let tenant = realm.tenant();
    let Some(row) = logins::with_id(connection, tenant, id).await? else { return Ok(None) };
    if !belongs(house, &row, browser.login.as_ref(), visit.now) {
        return Ok(None);
    }
    of_row(connection, house, realm, visit, browser, row).await.map(Some)
}

/// As [`load`], outside a transaction.
///
/// # Errors
/// [`Error::NotThisBrowser`] if there is no such login or the cookie is not its own.
pub async fn look(house: &House, realm: &Realm, visit: &Visit, browser: &Browser, id: LoginId) -> Result<Case> {
    let case = house.db.read(async |connection| load(connection, house, realm, visit, browser, id).await).await?;
    case.ok_or(Error::NotThisBrowser)
}

/// The first of these logins that belongs to this browser, waits for its answer and is `wanted`.
///
/// # Errors
/// If the database fails.
pub async fn unanswered(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    logins: &[(LoginId, SecretString)],
    wanted: impl Fn(&Login) -> bool,
) -> Result<Option<LoginId>> {
    let found = house.db.read(async |connection| {
        for (id, cookie) in logins {
            let Some(row) = logins::with_id(connection, realm.tenant(), *id).await? else { continue };
            let waits = matches!(row.login.stage, Stage::Open | Stage::Granted { .. }) && !row.login.expired(visit.now);
            if waits && belongs(house, &row, Some(cookie), visit.now) && wanted(&row.login) {
                return Ok(Some(*id));
            }
        }
        Ok(None)
    });
    Ok(found.await?)
}

fn belongs(house: &House, row: &LoginRow, cookie: Option<&SecretString>, now: Timestamp) -> bool {
    let Some(cookie) = cookie else { return false };
    let hash = login_cookie_hash(house, row.login.tenant, row.login.id, cookie);
    let previous = row.previous_cookie.as_ref();
    // Hashes under a key that nobody outside has: comparing them leaks nothing about the cookie.
    hash == row.cookie_hash || previous.is_some_and(|(old, at)| hash == *old && now.since(*at) < LOST_ANSWER)
}

async fn of_row(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    row: LoginRow,
) -> std::result::Result<Case, storage::Error> {
    let tenant = realm.tenant();
    let login = &row.login;
    let member = match login.user {
        Some(id) => users::member(connection, tenant, id).await?,
        None => None,
    };
    let session = session_of(connection, house, realm, visit, browser, member.as_ref()).await?;
    let mut evidence = logins::evidence(connection, tenant, login.id).await?;
    if let Some(session) = &session {
        let earlier = session.evidence();
        evidence.password = evidence.password.or(earlier.password);
        if evidence.otp.is_none() {
            (evidence.otp, evidence.token) = (earlier.otp, earlier.token);
        }
    }
    let tokens = match login.user {
        Some(id) => tokens::of_user(connection, tenant, id).await?,
        None => Vec::new(),
    };
    let enrollment = enrollments::open_of(connection, tenant, login.id).await?;
    let lane = lane(connection, house, tenant, browser, login).await?;
    let application = realm.config.application(login.application).cloned();
    let decision = decision(realm, visit, application.as_ref(), member.as_ref());
    let offer = offer(connection, house, realm, visit, member.as_ref(), &decision, evidence).await?;
    let step = next_step(&Facts {
        now: visit.now,
        login,
        account: account(login, member.as_ref(), &lane),
        decision: &decision,
        evidence,
        tokens: summary(&tokens),
        offer,
        enrollment: enrollment.as_ref().map(Enrollment::progress),
    });
    Ok(Case { row, application, member, session, decision, evidence, tokens, enrollment, lane, step })
}

fn account(login: &Login, member: Option<&Member>, lane: &Lane) -> Account {
    let lock = lane.failures.lock();
    match (member, &login.named) {
        (Some(member), _) => Account::Known {
            status: member.user.status,
            lock,
            unchanged: member.user.security_version == login.security_version,
        },
        (None, Some(_)) => Account::Unknown { lock },
        (None, None) => Account::NotNamed,
    }
}

/// What the policies say. A name without an account is judged like somebody in no group, who may use what
/// everybody may: so the same page follows.
pub(super) fn decision(
    realm: &Realm,
    visit: &Visit,
    application: Option<&Application>,
    member: Option<&Member>,
) -> Decision {
    let groups = member.map_or(&[][..], |member| member.groups.as_slice());
    let assigned = application.is_some_and(|application| {
        member.is_none_or(|member| application.assignment.includes(member.user.id, &member.groups))
    });
    let attempt = Attempt {
        application: application.map_or(crate::domain::ids::Id::from_bits(0), |application| application.id),
        assigned,
        groups,
        address: visit.address,
    };
    decide(&realm.config.policies, attempt)
}

async fn session_of(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    member: Option<&Member>,
) -> storage::Result<Option<Session>> {
    let (Some(cookie), Some(member)) = (&browser.session, member) else { return Ok(None) };
    let hash = session_cookie_hash(house, realm.tenant(), cookie);
    let session = sessions::with_cookie(connection, realm.tenant(), &hash).await?;
    let settings = realm.config.settings.session;
    Ok(session.filter(|session| {
        // An existing session never advances somebody else's login (T-08).
        session.user == member.user.id && session.alive(settings, member.user.security_version, visit.now)
    }))
}

async fn lane(
    connection: &mut Connection,
    house: &House,
    tenant: TenantId,
    browser: &Browser,
    login: &Login,
) -> storage::Result<Lane> {
    let Some(name) = &login.named else {
        return Ok(Lane { subject: String::new(), failures: Failures::default() });
    };
    let mut subject = name_subject(house, tenant, name);
    if let (Some(user), Some(cookie)) = (login.user, &browser.known) {
        let hash = browser_hash(house, tenant, cookie);
        if users::knows_browser(connection, tenant, user, &hash).await? {
            let fields: [&[u8]; 4] = [b"browser", &tenant.to_bytes(), &user.to_bytes(), hash.as_bytes()];
            subject = text(&house.derived.throttle.of(&fields));
        }
    }
    let failures = failures::of(connection, tenant, &subject).await?;
    Ok(Lane { subject, failures })
}

async fn offer(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    member: Option<&Member>,
    decision: &Decision,
    evidence: Evidence,
) -> storage::Result<Offer> {
    let Some(member) = member else { return Ok(Offer::AfterPassword) };
    let tenant = realm.tenant();
    let subject = enrollment_subject(house, tenant, member.user.id);
    let codes = failures::of(connection, tenant, &subject).await?;
    let has_password = decision.verdict.requires(Method::Password)
        || users::password_hash(connection, tenant, member.user.id).await?.is_some();
    let facts = provisioning::Facts {
        groups: &member.groups,
        any_platform: !realm.config.settings.platforms.allowed().is_empty(),
        has_email: member.user.email.is_some(),
        enrollment_locked: codes.lock().refusal(visit.now).is_some(),
        password_proven: evidence.password.is_some(),
        has_password,
    };
    Ok(provisioning::decide(&realm.config.settings.self_provisioning, facts).0)
}

/// How far an enrollment is, for pages.
#[must_use]
pub fn progress(case: &Case) -> Option<Progress> {
    case.enrollment.as_ref().map(Enrollment::progress)
}

/// Whether the login is still open.
#[must_use]
pub fn is_open(case: &Case) -> bool {
    case.row.login.stage == Stage::Open
}
