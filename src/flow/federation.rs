//! The end of a login for the application: what was proven is computed once more, and the answer is given
//! out once (architecture.md, rule 5).

use super::case::{Case, Scene, decision, session_cookie_hash};
use super::login::{deadline, event, hold};
use super::{Browser, Error, House, Realm, Result, Visit, rollout};
use crate::domain::application::Application;
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::{ApplicationId, CorrelationId, GrantId, LoginId, SessionId, TenantId, TokenId, UserId};
use crate::domain::lockout::Lock;
use crate::domain::login::evidence::{Authenticator, Evidence};
use crate::domain::login::outcome::{Ending, Refusal, Unanswered};
use crate::domain::login::step::{Account, Facts, Step, counted, met, next_step};
use crate::domain::login::wishes::Wishes;
use crate::domain::login::{LONGEST, Login, Stage, origin::Origin};
use crate::domain::logout::Participant;
use crate::domain::policy::access::{Decision, Method, Verdict};
use crate::domain::policy::provisioning::{self, Offer};
use crate::domain::policy::staging::Spared;
use crate::domain::service_provider::NameIdFormat;
use crate::domain::session::Session;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{Member, Status};
use crate::storage::grants::{Family, Grant};
use crate::storage::statement::{self, Statement};
use crate::storage::{self, Connection, access_log, grants, identifiers, logins, logouts, sessions};

/// What a door may tell its application: who it is and what was proven, computed from the evidence at the
/// moment of the answer.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The person.
    pub member: Member,
    /// The application.
    pub application: ApplicationId,
    /// The single sign-on session: `sid`, and what each SessionIndex is made of.
    pub session: SessionId,
    /// Whether the password was proven.
    pub password: bool,
    /// Whether a passcode was proven.
    pub otp: bool,
    /// The authenticator that gave it.
    pub token: Option<TokenId>,
    /// Whether a recovery code or a temporary code stood in for a passcode in this login.
    pub recovery: bool,
    /// The authenticator that gave the passcode, if one did and it is still there.
    pub authenticator: Option<Authenticator>,
    /// The oldest of the proofs that are told of: `auth_time`, AuthnInstant.
    pub authenticated_at: Timestamp,
    /// Names of the person's groups.
    pub groups: Vec<String>,
}

/// What a door gives out and leaves behind.
#[derive(Debug, Clone)]
pub enum Receipt {
    /// An authorization code: stored under its hash, redeemed once.
    Code {
        /// The grant's identifier.
        id: GrantId,
        /// The keyed hash of the code.
        hash: String,
        /// The door's own.
        details: String,
        /// When the code stops being valid.
        expires_at: Timestamp,
        /// When everything that is issued for it has expired.
        ends_at: Timestamp,
    },
    /// An assertion: it lives on its own, the audit trail remembers it.
    Assertion {
        /// Its identifier.
        id: String,
        /// The kind of name that its service provider gets; it will be told by it when the session ends.
        format: NameIdFormat,
        /// The name.
        name: String,
    },
    /// Nothing: our own portal needs no more than the session.
    Nothing,
    /// Nothing, because it asked for something else: that is no success, and it has heard of nobody.
    Refused(Unanswered),
}

/// Whether a session alone is enough.
#[derive(Debug)]
pub enum Silent {
    /// It is; the receipt is stored.
    Complete(Box<Proven>),
    /// This is lacking; a login must begin, or a silent request is refused.
    Lacking(Step),
}

/// A request of an application that is answered once: who asked and what it called the request. A copy of it
/// finds the place taken, whichever instance it comes to (R-500, T-34).
#[derive(Debug, Clone)]
pub struct Once {
    /// Keyed hash of who asked and of the request's name.
    pub subject: String,
    /// Until when a copy could still pass for fresh; the request is remembered that long.
    pub until: Timestamp,
}

impl Once {
    /// Takes the request for this transaction. Says `false` if it was taken before.
    pub(super) async fn take(&self, connection: &mut Connection, tenant: TenantId) -> storage::Result<bool> {
        identifiers::first_use(connection, tenant, &self.subject, self.until).await
    }
}

/// Takes a request that is refused without a login: that is an answer, too.
///
/// # Errors
/// [`Error::Used`] if it was taken before.
pub async fn spend(house: &House, realm: &Realm, once: &Once) -> Result<()> {
    let taken = house.db.write(async |connection| once.take(connection, realm.tenant()).await);
    if taken.await? { Ok(()) } else { Err(Error::Used) }
}

/// What an application asks of a session.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The application.
    pub application: ApplicationId,
    /// How it wants the login to be.
    pub wishes: &'a Wishes,
    /// Set if its request may be answered only once.
    pub once: Option<&'a Once>,
}

/// Answers from the session of this browser alone, without a page and without a login (single sign-on again).
///
/// # Errors
/// [`Error::Used`] if the session is enough and the request was taken before; if the database fails.
pub async fn from_session(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    asked: Asked<'_>,
    receipt: impl Fn(&Proven) -> Receipt,
) -> Result<Silent> {
    let Some(cookie) = &browser.session else { return Ok(Silent::Lacking(Step::Identify)) };
    let Some(application) = realm.config.application(asked.application) else {
        return Ok(Silent::Lacking(Step::Identify));
    };
    let hash = session_cookie_hash(house, realm.tenant(), cookie);
    let answered = house.db.write_soon(async |connection| {
        let tenant = realm.tenant();
        let Some(worth) = worth(connection, realm, visit, application, asked.wishes, &hash).await? else {
            return Ok(Ok(Silent::Lacking(Step::Identify)));
        };
        let Worth { session, member, authenticator, decision, login, step } = worth;
        if step != Step::Complete {
            return Ok(Ok(Silent::Lacking(step)));
        }
        let evidence = counted(&login, session.evidence(), visit.now);
        let proven = proven(realm, &login, member, (session.id, evidence, authenticator));
        let receipt = receipt(&proven);
        // Ended at this moment, it gives nothing out any more: nobody would be told of it.
        if !matches!(receipt, Receipt::Nothing) && !sessions::hold(connection, tenant, session.id).await? {
            return Ok(Ok(Silent::Lacking(Step::Identify)));
        }
        if let Some(once) = asked.once
            && !once.take(connection, tenant).await?
        {
            return Ok(Err(Error::Used));
        }
        let who = Who { user: Some(session.user), application: application.id, correlation: visit.correlation };
        let mut writes = Vec::new();
        if session.touch_due(realm.config.settings.session, visit.now) {
            writes.push(sessions::touched(tenant, session.id, visit.now));
        }
        let outcome = outcome(&receipt, &decision);
        // A page of ours gives nothing out: once the person was let in to it from this address since the session began, looking on
        // is no access of its own. Somebody who has the cookie and comes from elsewhere is seen.
        let looks = matches!(receipt, Receipt::Nothing) && {
            let (whose, address) = ((session.user, application.id), visit.address.to_string());
            access_log::was_let_in(tenant, whose, (&address, session.started_at)).ask(connection).await?
        };
        writes.extend(stored(house, realm, visit, &proven, receipt, visit.correlation));
        if !looks {
            writes.push(accessed(house, realm, visit, &who, &decision, evidence, outcome));
        }
        statement::run_all(connection, writes).await?;
        Ok(Ok(Silent::Complete(Box::new(proven))))
    });
    answered.await?
}

/// What the session of a browser is worth for an application at one moment.
pub(super) struct Worth {
    /// The session; it is alive.
    pub(super) session: Session,
    /// The person whose it is.
    pub(super) member: Member,
    authenticator: Option<Authenticator>,
    /// What the policies say.
    pub(super) decision: Decision,
    login: Login,
    /// What is lacking; [`Step::Complete`] if nothing is.
    pub(super) step: Step,
}

/// What the session that a cookie finds is worth; `None` if there is none that is alive.
pub(super) async fn worth(
    connection: &mut Connection,
    realm: &Realm,
    visit: &Visit,
    application: &Application,
    wishes: &Wishes,
    hash: &str,
) -> storage::Result<Option<Worth>> {
    let Some(found) = sessions::standing(connection, realm.tenant(), hash).await? else { return Ok(None) };
    let sessions::Found { session, member, tokens, authenticator } = found;
    if !session.alive(realm.config.settings.session, member.user.security_version, visit.now) {
        return Ok(None);
    }
    let decision = decision(Scene::of(realm, visit), Some(application), Some(&member));
    let login = imagined(realm, visit, application, wishes, &member);
    let of = rollout::Of {
        login: &login,
        wishes,
        member: &member,
        decision: &decision,
        tokens,
        password_proven: session.evidence().password.is_some(),
        enrolling: false,
    };
    // Whoever was let in without a passcode is let in here, too, until the turn comes.
    let turn = rollout::stands(connection, Scene::of(realm, visit), of).await?.turn;
    let decision = match turn.spared() {
        Some(spared) => decision.sparing(spared),
        None => decision,
    };
    let step = next_step(&Facts {
        now: visit.now,
        login: &login,
        account: Account::Known { status: member.user.status, lock: Lock::Open, unchanged: true },
        decision: &decision,
        evidence: session.evidence(),
        tokens,
        new_pin: None,
        // Nobody enrolls without a page; what would be offered there is not asked here.
        offer: Offer::Refused(provisioning::Refusal::NotTargeted),
        enrollment: None,
        sheet: false,
        link: Ok(()),
        addition: None,
    });
    Ok(Some(Worth { session, member, authenticator, decision, login, step }))
}

/// A login that is not stored, so that the one function that decides logins decides this, too.
fn imagined(realm: &Realm, visit: &Visit, application: &Application, wishes: &Wishes, member: &Member) -> Login {
    Login {
        id: LoginId::from_bits(0),
        tenant: realm.tenant(),
        origin: application.protocol.origin(),
        application: application.id,
        // What would do for people who cannot do what is wanted: whether they can is seen on the pages.
        wishes: Wishes {
            otherwise: wishes.otherwise.iter().filter(|_| wishes.silent).cloned().collect(),
            ..wishes.clone()
        },
        request: String::new(),
        stage: Stage::Open,
        user: Some(member.user.id),
        named: Some(member.user.username.clone()),
        security_version: member.user.security_version,
        language: None,
        correlation: visit.correlation,
        created_at: visit.now,
        expires_at: visit.now.plus(LONGEST),
        absolute_expires_at: visit.now.plus(LONGEST),
    }
}

/// Takes a granted login for its one answer and stores the receipt. Gives the door's own request back.
///
/// # Errors
/// [`Error::WrongMoment`] if the login was not granted, was answered already, or what was proven is not enough
/// any more; [`Error::NotThisBrowser`] if it belongs to another browser or another door.
pub async fn from_login(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    (origin, id): (Origin, LoginId),
    receipt: impl Fn(&Proven, &str) -> Receipt,
) -> Result<(Proven, String)> {
    let answered = house
        .db
        .write_soon(async |connection| answer(connection, house, realm, visit, (browser, origin, id), &receipt).await);
    answered.await?
}

/// As [`from_login`], in a transaction that does more.
pub(super) async fn answer(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    (browser, origin, id): (&Browser, Origin, LoginId),
    receipt: &impl Fn(&Proven, &str) -> Receipt,
) -> storage::Result<Result<(Proven, String)>> {
    let tenant = realm.tenant();
    let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
        return Ok(Err(Error::NotThisBrowser));
    };
    if case.login().origin != origin {
        return Ok(Err(Error::NotThisBrowser));
    }
    let (Step::Granted, Stage::Granted { session }) = (case.step, case.login().stage) else {
        return Ok(Err(Error::WrongMoment));
    };
    // Ended at this moment, it gives nothing any more: nobody would be told of it.
    let proven = match sessions::hold(connection, tenant, session).await? {
        true => proven_again(connection, realm, visit, &case, session).await?,
        false => Err(Lost::Standing),
    };
    let proven = match proven {
        Ok(proven) => proven,
        Err(lost) => {
            match lost {
                Lost::Standing => withdraw(connection, house, realm, visit, &case).await?,
                Lost::Proofs => reopen(connection, house, realm, visit, &case).await?,
            }
            return Ok(Err(Error::WrongMoment));
        }
    };
    if !logins::answer(connection, tenant, id).await? {
        return Ok(Err(Error::WrongMoment));
    }
    let receipt = receipt(&proven, &case.login().request);
    let (result, reason) = outcome(&receipt, &case.decision);
    let mut writes = stored(house, realm, visit, &proven, receipt, case.login().correlation);
    writes.push(access(house, realm, visit, &case, result, reason));
    statement::run_all(connection, writes).await?;
    Ok(Ok((proven, case.login().request.clone())))
}

/// Ends a login that was granted and that nobody can answer any more: its session has ended since, the account has changed, or the
/// policies say no by now. The door tells the application; otherwise it and the desk would send the browser to each other, again and
/// again.
async fn withdraw(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
) -> storage::Result<()> {
    let ending = match case.decision.verdict {
        Verdict::Deny if case.decision.unassigned => Ending::Refused(Refusal::Unassigned),
        Verdict::Deny => Ending::Refused(Refusal::Denied),
        Verdict::Grant(_) => Ending::AccountChanged,
    };
    if !logins::withdraw(connection, realm.tenant(), case.login().id, ending).await? {
        return Ok(());
    }
    let detail = serde_json::json!({ "reason": ending.reason() });
    house.record(connection, event(case, visit, Action::LoginEnded).with(detail)).await?;
    let result = if matches!(ending, Ending::Refused(_)) { "denied" } else { "failure" };
    access(house, realm, visit, case, result, ending.reason()).run(connection).await.map(drop)
}

/// Lets a login that was granted go on where only a proof is lacking by now: while a page of ours waited for the person, it has
/// become older than the application or the policy takes it, or the policy wants another one. The desk asks for it.
async fn reopen(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
) -> storage::Result<()> {
    if logins::reopen(connection, realm.tenant(), case.login().id, deadline(case, visit)).await? {
        house.record(connection, event(case, visit, Action::LoginReopened)).await?;
    }
    Ok(())
}

/// Why a login that was granted cannot be answered.
enum Lost {
    /// Its session has ended, the account is another by now, or the policies say no.
    Standing,
    /// What was proven is not enough any more.
    Proofs,
}

/// What was proven, computed from the evidence of the login and the session it was granted with (INV-1).
async fn proven_again(
    connection: &mut Connection,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    session: SessionId,
) -> storage::Result<std::result::Result<Proven, Lost>> {
    let (Some(member), Some(_)) = (&case.member, &case.application) else { return Ok(Err(Lost::Standing)) };
    let session = sessions::with_id(connection, realm.tenant(), session).await?;
    let Some(session) = session else { return Ok(Err(Lost::Standing)) };
    let version = member.user.security_version;
    let unchanged = case.login().security_version == version && member.user.status == Status::Enabled;
    if session.user != member.user.id
        || !unchanged
        || !session.alive(realm.config.settings.session, version, visit.now)
        || case.decision.verdict == Verdict::Deny
    {
        return Ok(Err(Lost::Standing));
    }
    if met(case.login(), &case.decision, case.evidence, visit.now).is_none() {
        return Ok(Err(Lost::Proofs));
    }
    let evidence = counted(case.login(), case.evidence, visit.now);
    let token = case.tokens.iter().find(|token| Some(token.id) == evidence.token);
    let authenticator = token.map(|token| Authenticator {
        enrolled_at: token.enrolled_at,
        by_mailbox: token.enrolled_by.by_mailbox(),
        by_time: token.template.is_by_time(),
    });
    Ok(Ok(proven(realm, case.login(), member.clone(), (session.id, evidence, authenticator))))
}

/// What is told of `evidence`, of which only what counts is left.
fn proven(
    realm: &Realm,
    login: &Login,
    member: Member,
    (session, evidence, authenticator): (SessionId, Evidence, Option<Authenticator>),
) -> Proven {
    let groups = realm.config.group_names(&member.groups).map(str::to_owned).collect();
    Proven {
        groups,
        application: login.application,
        session,
        password: evidence.password.is_some(),
        otp: evidence.otp.is_some(),
        recovery: evidence.stand_in().is_some(),
        token: evidence.token,
        authenticator: authenticator.filter(|_| evidence.otp.is_some()),
        authenticated_at: evidence.authenticated_at().unwrap_or(login.created_at),
        member,
    }
}

/// The statements that store a receipt and its audit event.
fn stored(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    proven: &Proven,
    receipt: Receipt,
    correlation: CorrelationId,
) -> Vec<Statement> {
    let mut writes = Vec::new();
    let user = proven.member.user.id;
    let new = |action| Event::new(visit.now, realm.tenant(), Actor::User(user), action);
    let about = match receipt {
        Receipt::Code { id, hash, details, expires_at, ends_at } => {
            let grant = Grant {
                id,
                application: proven.application,
                user,
                session: proven.session,
                details,
                expires_at,
                redeemed_at: None,
                revoked_at: None,
                ends_at,
            };
            writes.push(grants::insertion(realm.tenant(), &grant, &hash, visit.now));
            new(Action::GrantIssued).on("grant", id)
        }
        Receipt::Assertion { id, format, name } => {
            let participant = Participant { application: proven.application, format, name };
            let tenant = realm.tenant();
            let engine = house.db.engine();
            writes.push(logouts::participation(engine, tenant, proven.session, &participant, visit.now));
            new(Action::AssertionIssued).on("assertion", id)
        }
        Receipt::Nothing | Receipt::Refused(_) => return writes,
    };
    let detail = serde_json::json!({ "application": proven.application.to_string() });
    writes.push(house.entry(&about.from_address(visit.address).in_login(correlation).with(detail)));
    writes
}

/// How the access log tells of an answer: result and reason.
fn outcome(receipt: &Receipt, decision: &Decision) -> (&'static str, &'static str) {
    match receipt {
        Receipt::Refused(unanswered) => ("denied", unanswered.reason()),
        Receipt::Code { .. } | Receipt::Assertion { .. } | Receipt::Nothing => ("success", granted(decision)),
    }
}

/// The reason that the access log gives for a success: that a passcode was not demanded yet is told there.
fn granted(decision: &Decision) -> &'static str {
    decision.spared.map_or("granted", Spared::reason)
}

/// Who tried to reach what.
struct Who {
    user: Option<UserId>,
    application: ApplicationId,
    correlation: CorrelationId,
}

/// The statement that writes the one entry of an access attempt.
pub(super) fn access(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    result: &'static str,
    reason: &str,
) -> Statement {
    let login = case.login();
    let who = Who { user: case.user(), application: login.application, correlation: login.correlation };
    let evidence = counted(login, case.evidence, visit.now);
    accessed(house, realm, visit, &who, &case.decision, evidence, (result, reason))
}

fn accessed(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    who: &Who,
    decision: &Decision,
    evidence: Evidence,
    (result, reason): (&'static str, &str),
) -> Statement {
    let proven = [(Method::Password, "password"), (Method::Otp, "otp")];
    let given = proven.iter().filter(|(m, _)| evidence.of(*m).is_some()).map(|(_, name)| *name);
    let methods: Vec<&str> = given.chain(evidence.stand_in().map(|_| "recovery")).collect();
    let entry = access_log::Entry {
        tenant: realm.tenant(),
        at: visit.now,
        correlation: who.correlation,
        user: who.user,
        application: who.application,
        result,
        reason: reason.to_owned(),
        policy: decision.policy_name.clone(),
        scenario: decision.scenario.clone(),
        methods: methods.join(" "),
        address: visit.address.to_string(),
    };
    access_log::entry(house.new_id(visit.now), &entry)
}

/// Redeems an authorization code, once, and begins a family of refresh tokens if there is to be one. A second time
/// means that somebody has stolen it: everything that was issued for it is taken back (RFC 6749 4.1.2, T-47).
///
/// # Errors
/// If the database fails.
pub async fn redeem(
    house: &House,
    tenant: TenantId,
    visit: &Visit,
    grant: &Grant,
    family: Option<&Family>,
) -> Result<bool> {
    let longer = family.map(|family| family.ends_at).filter(|ends_at| *ends_at > grant.ends_at);
    let work = async |connection: &mut Connection| {
        if !grants::redeem(connection, tenant, grant.id, longer, visit.now).await? {
            return Ok(false);
        }
        let event = Event::new(visit.now, tenant, Actor::User(grant.user), Action::GrantRedeemed);
        let event = event.on("grant", grant.id).from_address(visit.address);
        let begun = family.map(|family| grants::family(tenant, grant.id, family, visit.now));
        let writes = begun.into_iter().chain([house.entry(&event)]).collect();
        statement::run_all(connection, writes).await?;
        Ok(true)
    };
    // Refresh tokens live for months and would be missed; a code alone is fetched again.
    let redeemed = if family.is_some() { house.db.write(work).await? } else { house.db.write_soon(work).await? };
    if !redeemed {
        // On the disk before the answer: a thief's tokens do not come back with the electricity. A code that came too late
        // was no theft: nothing was issued for it.
        let taken_back = house.db.write(async |connection| {
            if grants::revoke_redeemed(connection, tenant, grant.id, visit.now).await? {
                house.record(connection, revoked(tenant, visit, grant.id, "code used twice")).await?;
            }
            Ok(())
        });
        taken_back.await?;
    }
    Ok(redeemed)
}

fn revoked(tenant: TenantId, visit: &Visit, grant: GrantId, reason: &str) -> Event {
    let event = Event::new(visit.now, tenant, Actor::Stranger, Action::GrantRevoked).on("grant", grant);
    event.from_address(visit.address).with(serde_json::json!({ "reason": reason }))
}

/// Takes a grant back because its application gives it up (RFC 7009).
///
/// # Errors
/// If the database fails.
pub async fn give_up(house: &House, tenant: TenantId, visit: &Visit, grant: GrantId) -> Result<()> {
    let given_up = house.db.write(async |connection| {
        if grants::revoke(connection, tenant, grant, visit.now).await? {
            house.record(connection, revoked(tenant, visit, grant, "revoked by the application")).await?;
        }
        Ok(())
    });
    Ok(given_up.await?)
}

/// Uses up an identifier that counts once, such as the `jti` of an assertion. Says `false` if it was used before.
/// It leaves no audit event: what it was used for has one.
///
/// # Errors
/// If the database fails.
pub async fn first_use(house: &House, tenant: TenantId, fields: &[&[u8]], until: Timestamp) -> Result<bool> {
    let subject = super::house::text(&house.derived.once.of(fields));
    let taken = house.db.write(async |connection| identifiers::first_use(connection, tenant, &subject, until).await);
    Ok(taken.await?)
}

/// Whether an identifier that counts once was used.
///
/// # Errors
/// If the database fails.
pub async fn is_used(house: &House, tenant: TenantId, fields: &[Vec<u8>]) -> Result<bool> {
    let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
    let subject = super::house::text(&house.derived.once.of(&fields));
    Ok(house.db.read(async |connection| identifiers::is_used(tenant, &subject).ask(connection).await).await?)
}
