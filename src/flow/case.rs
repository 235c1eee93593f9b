//! Everything about one login at one moment, read in one go, and the step that follows from it.

use std::net::IpAddr;
use std::time::Duration;

use super::house::text;
use super::{Browser, Error, House, Realm, Result, Visit, rollout as rollout_of};
use crate::domain::application::{Application, Protocol};
use crate::domain::authenticator::lifecycle::EnrolledBy;
use crate::domain::email_code;
use crate::domain::enrollment::{Enrollment, Progress};
use crate::domain::ids::{LoginId, ParkedId, TenantId, UserId};
use crate::domain::lockout::{Failures, Lock, LockoutSettings};
use crate::domain::login::addition::{Addition, Intent};
use crate::domain::login::evidence::Evidence;
use crate::domain::login::origin::Origin;
use crate::domain::login::step::{Account, Facts, Step, Tokens, next_step};
use crate::domain::login::{Login, Stage};
use crate::domain::name::key_of;
use crate::domain::policy::access::{Attempt, Decision, Method, decide};
use crate::domain::policy::platform::Platform;
use crate::domain::policy::provisioning::{self, Offer};
use crate::domain::policy::rollout::Asked;
use crate::domain::policy::staging::Turn;
use crate::domain::reservation::{Closed, Reservation};
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::session::Session;
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{Member, User, checked_email};
use crate::storage::logins::LoginRow;
use crate::storage::tokens::{State, Token, summary};
use crate::storage::{
    self, Connection, address_changes, enrollments, failures, logins, recovery_codes, reservations, rollout, sessions,
    tokens, users,
};

/// How long the cookie before a step up is still good, for an answer that was lost on the way (K03).
const LOST_ANSWER: Duration = Duration::from_secs(30);

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
    /// The place in a provisioning task, where a link from a mail began it (A9).
    pub reservation: Option<Reservation>,
    /// Which counter failed attempts go to, and what it shows.
    pub lane: Lane,
    /// Whether the person is offered to enroll.
    pub offer: Offer,
    /// Where the person stands in the rollout. Where a passcode is spared, `decision` is without it.
    pub turn: Turn,
    /// Why, line by line.
    pub trace: Vec<String>,
    /// What is lacking.
    pub step: Step,
    /// Whether the browser came with the cookie from before the last step up: it did not get the answer, or not yet (K03).
    pub late: bool,
}

/// The counter of failed attempts that applies.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Its keyed hash.
    pub subject: String,
    /// What is remembered.
    pub failures: Failures,
    /// Whether it is that of a browser in which the person has logged in before (T-17).
    pub known: bool,
    /// Where an account has several names, the counter above is that of the one that was typed and decides what pages show:
    /// nobody learns by a lock which names are one person's. This is the account's own, with its keyed hash, of all of its names. It
    /// decides whether anything that is right counts. A name without an account has one as well, which costs the same (T-19).
    pub account: Option<(String, Failures)>,
}

impl Lane {
    /// The lock that is told. What failures under other names have done is told only to whoever has `proven` to be the person.
    fn lock(&self, proven: bool, now: Timestamp) -> Lock {
        match &self.account {
            Some((_, account)) if proven && account.lock().refusal(now).is_some() => account.lock(),
            _ => self.failures.lock(),
        }
    }

    /// The wait that is told, as [`Self::lock`].
    fn wait(&self, proven: bool, attacked: bool, now: Timestamp) -> Duration {
        let wait = self.failures.wait(attacked, now);
        match &self.account {
            Some((_, account)) if proven => wait.max(account.wait(attacked, now)),
            _ => wait,
        }
    }
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

    /// Whether nothing is looked at now, and the page says so.
    #[must_use]
    pub fn is_locked(&self, now: Timestamp) -> bool {
        self.lane.lock(self.evidence.of_anybody(), now).refusal(now).is_some()
    }

    /// How long the next attempt must wait, as the page says.
    pub(super) fn wait(&self, attacked: bool, now: Timestamp) -> Duration {
        self.lane.wait(self.evidence.of_anybody(), attacked, now)
    }

    /// Whether all that is right is answered as if it were wrong: failures under the account's other names have locked it or make it
    /// wait, and who asks has not proven to be its person. What is tried then is no guess at the account.
    #[must_use]
    pub fn is_shut(&self, now: Timestamp) -> bool {
        let account = self.lane.account.as_ref().filter(|_| !self.evidence.of_anybody());
        account.is_some_and(|(_, account)| account.lock().refusal(now).is_some() || !account.wait(false, now).is_zero())
    }

    /// The login's cookie after a step up by this visit.
    pub(super) fn next_cookie(&self, house: &House, visit: &Visit) -> SecretString {
        next_cookie(house, self.login(), &self.row.cookie_hash, visit.now, visit)
    }

    /// The login's cookie, as long as it can be made again: no browser has shown it yet, and this is the one that it was made
    /// for, as far as can be told.
    pub(super) fn unseen_cookie(&self, house: &House, visit: &Visit) -> Option<SecretString> {
        unseen(house, &self.row, visit)
    }

    /// The platforms on which this person may enroll now: those that are allowed and, by mail, of the type that the task
    /// is for.
    #[must_use]
    pub fn platforms(&self, realm: &Realm) -> Vec<Platform> {
        platforms(realm, self.reservation.as_ref())
    }

    /// Whether the person has enrolled an authenticator elsewhere since this login began: in another browser, or from a mail (R-094,
    /// Whoever has proven nothing here is not told.
    #[must_use]
    pub fn enrolled_elsewhere(&self) -> bool {
        let pin = self.evidence.old_pin.map(|(token, _)| token);
        let elsewhere = |token: &Token| {
            token.state == State::Active
                && token.enrolled_at > self.login().created_at
                && !matches!(token.enrolled_by, EnrolledBy::Operator | EnrolledBy::Import)
                && ![self.evidence.token, pin].contains(&Some(token.id))
        };
        self.evidence.of_anybody() && self.tokens.iter().any(elsewhere)
    }

    /// The name of what is to be reached.
    #[must_use]
    pub fn application_name(&self) -> &str {
        self.application.as_ref().map_or("", |application| application.name.as_str())
    }
}

fn platforms(realm: &Realm, reservation: Option<&Reservation>) -> Vec<Platform> {
    let matrix = &realm.config.settings.platforms;
    reservation.map_or_else(|| matrix.allowed(), |reservation| reservation.token_type.platforms(matrix))
}

/// The keyed hash of a login's cookie.
pub(super) fn login_cookie_hash(house: &House, tenant: TenantId, login: LoginId, cookie: &SecretString) -> String {
    let value = cookie.expose_secret().as_bytes();
    text(&house.derived.cookies.of(&[b"login", &tenant.to_bytes(), &login.to_bytes(), value]))
}

/// The cookie that follows the one with this hash at the step up of `at`. It is made and not drawn, so that an answer that was
/// lost can be given again, the same to every tab that asks (K03); without our key nobody makes it. Address and browser are part
/// of it: whoever has planted or read the cookie before and asks from elsewhere, in the moment before the answer arrives, makes
/// another one, which opens nothing (T-21).
fn next_cookie(house: &House, login: &Login, before: &str, at: Timestamp, visit: &Visit) -> SecretString {
    let (tenant, id, address) = (login.tenant.to_bytes(), login.id.to_bytes(), visit.address.to_string());
    let moment = at.micros().to_be_bytes();
    let of_login: [&[u8]; 5] = [b"next login", &tenant, &id, before.as_bytes(), &moment];
    let of_visit: [&[u8]; 2] = [address.as_bytes(), visit.user_agent.as_bytes()];
    SecretString::from(text(&house.derived.cookies.of(&[of_login.as_slice(), &of_visit].concat())))
}

/// The login's cookie, if this visit can make it again.
fn unseen(house: &House, row: &LoginRow, visit: &Visit) -> Option<SecretString> {
    let (before, at) = row.previous_cookie.as_ref().filter(|(_, at)| visit.now.since(*at) < LOST_ANSWER)?;
    let cookie = next_cookie(house, &row.login, before, *at, visit);
    (login_cookie_hash(house, row.login.tenant, row.login.id, &cookie) == row.cookie_hash).then_some(cookie)
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

/// The counter of wrong secrets for what somebody typed who is nobody. Where user names are not taken, one that is typed is
/// nobody's as well, and has nothing to do with the counter of the account that is called so.
fn nobodys_subject(house: &House, realm: &Realm, typed: &str) -> String {
    let tenant = realm.tenant();
    if realm.config.settings.login.username {
        return name_subject(house, tenant, typed);
    }
    text(&house.derived.throttle.of(&[b"nobody", &tenant.to_bytes(), key_of(typed).as_bytes()]))
}

/// The counter of what pages show to whoever types this name, somebody's or nobody's, where an account has several. However an
/// address is written, it is one name.
pub(crate) fn typed_subject(house: &House, tenant: TenantId, typed: &str) -> String {
    let key = checked_email(typed).map_or_else(|_| key_of(typed), |address| key_of(&address));
    text(&house.derived.throttle.of(&[b"typed", &tenant.to_bytes(), key.as_bytes()]))
}

/// The counters of the names that an account has.
pub(crate) fn typed_subjects(house: &House, user: &User) -> [String; 3] {
    let names = [None, user.alias.as_deref(), user.email.as_deref()];
    names.map(|name| typed_subject(house, user.tenant, name.unwrap_or(&user.username)))
}

/// The counter of wrong secrets for a person in a browser that the person has used before (T-17).
pub(crate) fn browser_subject(house: &House, tenant: TenantId, user: UserId, browser_hash: &str) -> String {
    text(&house.derived.throttle.of(&[b"browser", &tenant.to_bytes(), &user.to_bytes(), browser_hash.as_bytes()]))
}

/// Whether the cookie is the one that this browser got when the person of the login logged in with it before.
pub(super) fn knows(house: &House, case: &Case, user: UserId, cookie: &SecretString) -> bool {
    let tenant = case.login().tenant;
    case.lane.subject == browser_subject(house, tenant, user, &browser_hash(house, tenant, cookie))
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
    let Some(late) = belongs(house, &row, browser.login.as_ref(), visit) else { return Ok(None) };
    of_row(connection, house, realm, visit, browser, (row, late)).await.map(Some)
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
            if waits && belongs(house, &row, Some(cookie), visit).is_some() && wanted(&row.login) {
                return Ok(Some(*id));
            }
        }
        Ok(None)
    });
    Ok(found.await?)
}

/// Whether the cookie is this login's and, if so, whether it is the one from before the last step up. That one opens the login only
/// to whom the answer with the new one may have been lost (K03), and who gets it now: to anybody else it is worth nothing, or
/// whoever had planted or read it would go on with what the person has just proven (T-21, AC-35).
fn belongs(house: &House, row: &LoginRow, cookie: Option<&SecretString>, visit: &Visit) -> Option<bool> {
    let cookie = cookie?;
    let hash = login_cookie_hash(house, row.login.tenant, row.login.id, cookie);
    // Hashes under a key that nobody outside has: comparing them leaks nothing about the cookie.
    if hash == row.cookie_hash {
        return Some(false);
    }
    let old = row.previous_cookie.as_ref().is_some_and(|(old, _)| hash == *old);
    (old && unseen(house, row, visit).is_some()).then_some(true)
}

async fn of_row(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    (row, late): (LoginRow, bool),
) -> std::result::Result<Case, storage::Error> {
    let tenant = realm.tenant();
    let login = &row.login;
    let found = Found::of(connection, house, realm, browser, login).await?;
    let Found { member, mut evidence, tokens, enrollment, reservation, lane, .. } = found;
    let session = found.session.filter(|session| belongs_to(session, realm, member.as_ref(), visit.now));
    if let Some(session) = &session {
        let earlier = session.evidence();
        evidence.password = evidence.password.or(earlier.password);
        if evidence.otp.is_none() {
            (evidence.otp, evidence.token) = (earlier.otp, earlier.token);
        }
    }
    // A passcode of a token that was stopped since counts for nothing (INV-11), whatever else goes on.
    let works = |id| tokens.iter().any(|token| token.id == id && token.state == State::Active);
    if evidence.token.is_some_and(|id| !works(id)) {
        (evidence.otp, evidence.token) = (None, None);
    }
    let application = realm.config.application(login.application).cloned();
    let scene = Scene::of(realm, visit);
    let decision = decision(scene, application.as_ref(), member.as_ref());
    let stands = match &member {
        Some(member) => {
            let of = rollout_of::Of {
                login,
                wishes: &login.wishes,
                member,
                decision: &decision,
                tokens: summary(&tokens),
                password_proven: evidence.password.is_some(),
                enrolling: enrollment.is_some(),
            };
            rollout_of::stands(connection, scene, of).await?
        }
        None => rollout_of::Found::PLAIN,
    };
    let (offer, mut trace) = offer(
        connection,
        scene,
        member.as_ref(),
        Standing {
            asks_password: decision.verdict.requires(Method::Password),
            evidence,
            tokens: summary(&tokens),
            codes: found.codes,
            operator: console(application.as_ref()),
            turn_at: stands.turn_at(visit.now),
        },
    )
    .await?;
    trace.extend(stands.trace);
    let turn = stands.turn;
    let decision = match turn.spared() {
        Some(spared) => decision.sparing(spared),
        None => decision,
    };
    let sheet = realm.config.settings.self_provisioning.recovery_codes
        && evidence.otp.is_some_and(|proof| proof.here)
        && recovery_codes::sheet_of(tenant, login.id, visit.now).ask(connection).await?.is_some();
    let new_pin = super::server_pin::due(connection, realm, visit, evidence, &tokens).await?;
    let step = next_step(&Facts {
        now: visit.now,
        login,
        account: account(login, member.as_ref(), lane.lock(evidence.of_anybody(), visit.now)),
        decision: &decision,
        evidence,
        tokens: summary(&tokens),
        new_pin,
        offer,
        enrollment: enrollment.as_ref().map(|enrollment| still_allowed(realm, enrollment, reservation.as_ref())),
        sheet,
        link: link(member.as_ref(), reservation.as_ref(), visit.now),
        addition: addition(realm, visit, login, evidence, &tokens),
    });
    Ok(Case {
        offer,
        turn,
        trace,
        row,
        application,
        member,
        session,
        decision,
        evidence,
        tokens,
        enrollment,
        reservation,
        lane,
        step,
        late,
    })
}

/// Why the person is to enroll another token, if a token was proven in this very login and was not enrolled in it.
fn addition(realm: &Realm, visit: &Visit, login: &Login, evidence: Evidence, tokens: &[Token]) -> Option<Addition> {
    let settings = &realm.config.settings;
    let here = evidence.otp.is_some_and(|proof| proof.here);
    let used = tokens.iter().find(|token| Some(token.id) == evidence.token).filter(|_| here)?;
    if used.enrolled_at >= login.created_at || settings.platforms.allowed().is_empty() {
        return None;
    }
    match Intent::of(login) {
        Intent::Replace(of) => {
            let there = tokens.iter().any(|token| token.id == of && token.state.counts());
            return (there && settings.tokens.replace_in_portal).then_some(Addition::Replacement { of });
        }
        Intent::Add => return settings.tokens.add_in_portal.then_some(Addition::Another),
        Intent::None | Intent::Show(_) => {}
    }
    let due = used.renew_before > used.template.version && used.renew_after <= visit.now;
    due.then_some(Addition::Renewal { of: used.id, may_wait: settings.tokens.renewal_may_wait })
}

/// How far an enrollment is. A platform that was withdrawn after it was chosen counts as not chosen (T-10).
fn still_allowed(realm: &Realm, enrollment: &Enrollment, reservation: Option<&Reservation>) -> Progress {
    let platforms = platforms(realm, reservation);
    let allowed = |platform: &_| platforms.contains(platform);
    let progress = enrollment.progress();
    Progress { platform: progress.platform.filter(allowed), ..progress }
}

/// Whether the link from the mail still works, where one began the login.
fn link(member: Option<&Member>, reservation: Option<&Reservation>, now: Timestamp) -> std::result::Result<(), Closed> {
    let email = member.and_then(|member| member.user.email.as_deref());
    reservation.map_or(Ok(()), |reservation| reservation.open(email, now))
}

fn account(login: &Login, member: Option<&Member>, lock: Lock) -> Account {
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

/// By what, when and from where something is judged: the configuration that a login finds, or one that is only a draft.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) config: &'a TenantConfig,
    pub(super) now: Timestamp,
    pub(super) address: IpAddr,
}

impl<'a> Scene<'a> {
    /// That of a request.
    pub(super) const fn of(realm: &'a Realm, visit: &Visit) -> Self {
        Self { config: &realm.config, now: visit.now, address: visit.address }
    }
}

/// What the policies say. A name without an account is judged like somebody in no group, who may use what
/// everybody may: so the same page follows.
pub(super) fn decision(scene: Scene<'_>, application: Option<&Application>, member: Option<&Member>) -> Decision {
    let groups = member.map_or(&[][..], |member| member.groups.as_slice());
    let assigned = application.is_some_and(|application| {
        member.is_none_or(|member| application.assignment.includes(member.user.id, &member.groups))
    });
    let attempt = Attempt {
        application: application.map_or(crate::domain::ids::Id::from_bits(0), |application| application.id),
        assigned,
        groups,
        address: scene.address,
    };
    let decision = decide(&scene.config.policies, attempt);
    match application.map(|application| &application.protocol) {
        Some(Protocol::Console) => decision.for_console(),
        Some(Protocol::Portal) => decision.for_portal(),
        Some(Protocol::Oidc(_) | Protocol::Saml(_)) | None => decision,
    }
}

/// Whether it is the operator console that somebody wants to reach.
fn console(application: Option<&Application>) -> bool {
    application.is_some_and(|application| application.protocol == Protocol::Console)
}

/// Whether this session says anything about this person now. An existing session never advances somebody else's login
/// (T-08).
fn belongs_to(session: &Session, realm: &Realm, member: Option<&Member>, now: Timestamp) -> bool {
    let settings = realm.config.settings.session;
    member.is_some_and(|member| {
        session.user == member.user.id && session.alive(settings, member.user.security_version, now)
    })
}

/// What the database holds about a login and its person, found in one go.
struct Found {
    member: Option<Member>,
    /// The session of this browser, whosesoever it is.
    session: Option<Session>,
    evidence: Evidence,
    tokens: Vec<Token>,
    enrollment: Option<Enrollment>,
    reservation: Option<Reservation>,
    lane: Lane,
    /// Wrong mail codes of the person.
    codes: Failures,
}

impl Found {
    async fn of(
        connection: &mut Connection,
        house: &House,
        realm: &Realm,
        browser: &Browser,
        login: &Login,
    ) -> storage::Result<Self> {
        let tenant = realm.tenant();
        // Wrong passwords of strangers must not keep anybody from enrolling by mail: that has a counter of its own.
        let named = login.named.as_deref().filter(|_| login.origin != Origin::Mail);
        let member = match login.user {
            Some(user) => users::member(tenant, user).ask(connection).await?,
            None => None,
        };
        // An account has one counter, whichever of its names was typed, and each name has one for the pages.
        let name = named.map(|typed| match &member {
            Some(member) => name_subject(house, tenant, &member.user.username),
            None => nobodys_subject(house, realm, typed),
        });
        let known = login.user.zip(browser.known.as_ref());
        let known = known.map(|(user, cookie)| (user, browser_hash(house, tenant, cookie)));
        let allowance = known.as_ref().map(|(user, hash)| browser_subject(house, tenant, *user, hash));
        let cookie = browser.session.as_ref().filter(|_| login.user.is_some());
        let cookie = cookie.map(|cookie| session_cookie_hash(house, tenant, cookie));

        let is_known = match &known {
            Some((user, hash)) => users::knows_browser(tenant, *user, hash).ask(connection).await?,
            None => false,
        };
        let allowance = allowance.filter(|_| named.is_some() && is_known);
        let known = allowance.is_some();
        let typed = named.filter(|_| realm.config.settings.login.several() && !known);
        let (name, account) = match (name, typed) {
            (Some(name), Some(typed)) => {
                let account = failures::of(tenant, &name).ask(connection).await?;
                (Some(typed_subject(house, tenant, typed)), Some((name, account)))
            }
            (name, _) => (name, None),
        };
        let lane = match (name, allowance) {
            (_, Some(subject)) | (Some(subject), None) => {
                Lane { failures: failures::of(tenant, &subject).ask(connection).await?, subject, known, account }
            }
            (None, None) => Lane { subject: String::new(), failures: Failures::default(), known, account },
        };
        let session = match cookie {
            Some(hash) => sessions::with_cookie(tenant, &hash).ask(connection).await?,
            None => None,
        };
        let (tokens, codes) = match login.user {
            Some(user) => (
                tokens::of_user(tenant, user).ask(connection).await?,
                failures::of(tenant, &enrollment_subject(house, tenant, user)).ask(connection).await?,
            ),
            None => (Vec::new(), Failures::default()),
        };
        Ok(Self {
            member,
            session,
            evidence: logins::evidence(tenant, login.id).ask(connection).await?,
            tokens,
            enrollment: enrollments::open_of(tenant, login.id).ask(connection).await?,
            reservation: match login.reservation() {
                Some(id) => reservations::with_id(tenant, id).ask(connection).await?,
                None => None,
            },
            lane,
            codes,
        })
    }
}

/// How far the person has come, as far as an offer to enroll depends on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// Whether the policy asks for the password.
    pub(super) asks_password: bool,
    pub(super) evidence: Evidence,
    pub(super) tokens: Tokens,
    /// Wrong mail codes.
    pub(super) codes: Failures,
    /// Whether an operator is on the way to the console.
    pub(super) operator: bool,
    /// When the person's turn came in a wave.
    pub(super) turn_at: Option<Timestamp>,
}

/// Whether a person is offered to enroll, and why, line by line.
pub(super) async fn offer(
    connection: &mut Connection,
    scene: Scene<'_>,
    member: Option<&Member>,
    Standing { asks_password, evidence, tokens, codes, operator, turn_at }: Standing,
) -> storage::Result<(Offer, Vec<String>)> {
    let Some(member) = member else { return Ok((Offer::AfterPassword, Vec::new())) };
    let tenant = scene.config.tenant.id;
    let has_password = asks_password || users::password_hash(connection, tenant, member.user.id).await?.is_some();
    let settings = &scene.config.settings.self_provisioning;
    let changed_at = if settings.wait_after_address_change_seconds == 0 {
        None
    } else {
        address_changes::last_of(tenant, member.user.id).ask(connection).await?
    };
    // Whoever has an authenticator is not offered another one, unless somebody vouches for it.
    let asked = tokens == Tokens::None || evidence.vouched();
    let (gate, mut trace) =
        if asked { gate(connection, scene, member, (evidence, turn_at)).await? } else { (None, Vec::new()) };
    let facts = provisioning::Facts {
        groups: &member.groups,
        operator,
        previewed: settings.previews(&member.user.username),
        any_platform: !scene.config.settings.platforms.allowed().is_empty(),
        has_email: member.user.email.is_some(),
        enrollment_locked: codes.lock().refusal(scene.now).is_some(),
        address_is_new: settings.must_wait(changed_at, scene.now),
        password_proven: evidence.password.is_some(),
        has_password,
        gate,
    };
    let (offer, lines) = provisioning::decide(settings, facts);
    trace.extend(lines);
    Ok((offer, trace))
}

/// The gate that is closed for this person at this moment, and a line about each (T-01).
async fn gate(
    connection: &mut Connection,
    scene: Scene<'_>,
    member: &Member,
    (evidence, turn_at): (Evidence, Option<Timestamp>),
) -> storage::Result<(Option<provisioning::Refusal>, Vec<String>)> {
    let settings = &scene.config.settings.self_provisioning;
    // Most virtual servers have none, and most people never had an authenticator: nothing is read then.
    if !settings.gates.any() && member.user.first_enrolled_at.is_none() {
        return Ok((None, Vec::new()));
    }
    let Some(past) = rollout::past(connection, scene.config.tenant.id, member.user.id).await? else {
        return Ok((None, Vec::new()));
    };
    let (now, address, groups) = (scene.now, scene.address, member.groups.as_slice());
    Ok(settings.closed_gate(Asked { now, address, groups, past: &past, vouched: evidence.vouched(), turn_at }))
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
