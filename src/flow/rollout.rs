//! The rollout in a login: whose turn it is, who puts it off, and what is written down of it.
//!
//! See [`crate::domain::policy::staging`] for what is decided, and `docs/rollout.md` for what it means.

use super::case::{Case, Scene};
use super::login::{event, hold, one_by_one};
use super::{Browser, Error, House, Realm, Result, Visit};
use crate::domain::application::Application;
use crate::domain::audit::Action;
use crate::domain::ids::{LoginId, UserId};
use crate::domain::login::Stage;
use crate::domain::login::outcome::Refusal;
use crate::domain::login::step::{Step, Tokens};
use crate::domain::login::wishes::Wishes;
use crate::domain::login::{Login, origin::Origin};
use crate::domain::policy::access::Decision;
use crate::domain::policy::provisioning::Offer;
use crate::domain::policy::staging::{Claim, Place, Standing, Turn, may_be_spared};
use crate::domain::timestamp::Timestamp;
use crate::domain::user::Member;
use crate::storage::rollout_attempts::{self as attempts, Asked, Key, Reached};
use crate::storage::rollout_observed::{self as observed, Observed};
use crate::storage::statement::{self, Statement};
use crate::storage::tokens::Token;
use crate::storage::{self, Connection, rollout_pauses as pauses, rollout_places as places};

/// What a login is, as far as the rollout asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Of<'a> {
    pub(super) login: &'a Login,
    /// All that the application wishes, whatever of it the login looks at.
    pub(super) wishes: &'a Wishes,
    pub(super) member: &'a Member,
    pub(super) decision: &'a Decision,
    pub(super) tokens: Tokens,
    pub(super) password_proven: bool,
    /// An enrollment of this login is open.
    pub(super) enrolling: bool,
}

/// Where a person stands.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) turn: Turn,
    /// Since when the person is asked, if ever.
    pub(super) asked_at: Option<Timestamp>,
    pub(super) trace: Vec<String>,
}

impl Found {
    pub(super) const PLAIN: Self = Self { turn: Turn::PLAIN, asked_at: None, trace: Vec::new() };

    /// From when on a window of enrollment runs for somebody whom a wave asks: not while nobody was asked.
    pub(super) fn turn_at(&self, now: Timestamp) -> Option<Timestamp> {
        match self.turn {
            Turn::Asked { wave: Some(_), .. } => self.asked_at,
            Turn::Asked { wave: None, .. } => None,
            Turn::Due { .. } | Turn::Spared(_) => Some(now),
        }
    }
}

/// Where the person of a login stands. Nothing is read where there is no rollout, for nobody who could not be spared, and for
/// the one who tries the pages out.
pub(super) async fn stands(connection: &mut Connection, scene: Scene<'_>, of: Of<'_>) -> storage::Result<Found> {
    let settings = &scene.config.settings.self_provisioning;
    let Member { user, groups } = of.member;
    let claim = Claim {
        origin: of.login.origin,
        wishes: of.wishes,
        decision: of.decision,
        tokens: of.tokens,
        ever_enrolled: user.first_enrolled_at.is_some(),
        targeted: settings.targets(groups),
        password_proven: of.password_proven,
    };
    if !settings.staging.is_on() || settings.previews(&user.username) || !may_be_spared(&claim) {
        return Ok(Found::PLAIN);
    }
    let (tenant, now) = (scene.config.tenant.id, scene.now);
    let place = places::of(tenant, user.id).ask(connection).await?;
    let (mut pause, mut full) = (None, false);
    if let Some(wave) = settings.staging.wave_of(user.id, groups).filter(|wave| wave.starts_at <= now) {
        pause = pauses::of(tenant, wave.id).ask(connection).await?;
        if place.is_none() && pause.is_none() && wave.most_per_day > 0 {
            let taken = places::taken(tenant, wave.id, wave.day(now)).ask(connection).await?;
            full = taken.iter().map(|(_, taken)| taken).sum::<i64>() >= i64::from(wave.most_per_day);
        }
    }
    let (turn, trace) = settings.staging.turn(Standing {
        now,
        person: user.id,
        groups,
        place,
        pause,
        full,
        enrolling: of.enrolling,
        granted: matches!(of.login.stage, Stage::Granted { .. }),
    });
    Ok(Found { turn, asked_at: place.map(|Place { asked_at, .. }| asked_at), trace })
}

/// Asks the person whose turn has come, if the day has a place left; says whether one was taken. The same person in two
/// browsers takes one.
///
/// # Errors
/// [`Error::NotThisBrowser`]; if the database fails.
pub async fn admit(house: &House, realm: &Realm, visit: &Visit, browser: &Browser, id: LoginId) -> Result<bool> {
    let case = super::case::look(house, realm, visit, browser, id).await?;
    let person = case.user();
    let admitted = house.db.write_soon(async |connection| {
        let tenant = realm.tenant();
        one_by_one(connection, realm, person).await?;
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        let (Turn::Due { wave }, Some(user)) = (case.turn, case.user().filter(|user| Some(*user) == person)) else {
            return Ok(Ok(false));
        };
        let Some(wave) = realm.config.settings.self_provisioning.staging.with_id(wave) else { return Ok(Ok(false)) };
        let day = (wave.id, wave.day(visit.now));
        if wave.most_per_day > 0 && !places::take(connection, tenant, day, user, wave.most_per_day).await? {
            return Ok(Ok(false));
        }
        let asked = event(&case, visit, Action::RolloutAsked).on("user", user);
        let detail = serde_json::json!({ "wave": wave.name, "wave_id": wave.id, "day": day.1 });
        let writes = vec![places::insertion(tenant, user, wave.id, visit.now), house.entry(&asked.with(detail))];
        statement::run_all(connection, writes).await?;
        Ok(Ok(true))
    });
    admitted.await?
}

/// Whether the desk must ask for the person's place first: the policy's passcode is the next thing, and the turn has come.
#[must_use]
pub const fn is_due(case: &Case) -> bool {
    matches!(case.turn, Turn::Due { .. }) && waits(case.step)
}

/// Whether an authenticator is what is lacking.
const fn waits(step: Step) -> bool {
    matches!(step, Step::Offer | Step::Pass(_) | Step::Refused(Refusal::NotOffered(_)))
}

/// The person does it another day, if the wave lets people put it off.
///
/// # Errors
/// If the database fails.
pub(super) async fn postpone(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
) -> storage::Result<Result<()>> {
    let tenant = realm.tenant();
    let (true, Turn::Asked { wave: Some(wave), later }, Some(user)) = (waits(case.step), case.turn, case.user()) else {
        return Ok(Err(Error::WrongMoment));
    };
    let wave = realm.config.settings.self_provisioning.staging.with_id(wave);
    let (Some(wave), Some(_)) = (wave, later) else { return Ok(Err(Error::Forbidden)) };
    let Some(place) = places::of(tenant, user).ask(connection).await? else { return Ok(Err(Error::WrongMoment)) };
    let until = wave.postponed_until(visit.now);
    if wave.later(place.postponed, visit.now).is_none()
        || !places::postpone(connection, tenant, user, place.postponed, (visit.now, until)).await?
    {
        return Ok(Err(Error::WrongMoment));
    }
    let detail = serde_json::json!({ "wave": wave.name, "number": place.postponed + 1, "until": until.rfc3339() });
    let postponed = event(case, visit, Action::EnrollmentPostponed).on("user", user).with(detail);
    let key = Key { tenant, user, login: case.login().id };
    let writes = vec![house.entry(&postponed), attempts::ended(key, "postponed", visit.now)];
    statement::run_all(connection, writes).await?;
    Ok(Ok(()))
}

/// What would stop an enrollment of the person; empty if nothing would.
fn obstacle(offer: Offer) -> Option<&'static str> {
    match offer {
        Offer::Offered => None,
        Offer::AfterPassword => Some("no_password"),
        Offer::Gated(refusal) | Offer::Refused(refusal) => Some(refusal.reason()),
    }
}

/// The statement that writes down that somebody was let in without being asked, once a day.
pub(super) fn observation(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    (user, application): (UserId, &Application),
    decision: &Decision,
    offer: Offer,
) -> Option<Statement> {
    let seen = Observed {
        user,
        at: visit.now,
        application: application.id,
        policy: decision.policy_name.clone(),
        spared: decision.spared?,
        obstacle: obstacle(offer).unwrap_or_default().to_owned(),
    };
    Some(observed::insertion(house.db.engine(), realm.tenant(), &seen))
}

/// Writes down, once in a login, that an authenticator was asked for, and what stood in the way if something did.
///
/// # Errors
/// If the database fails.
pub async fn tell_asked(house: &House, realm: &Realm, visit: &Visit, case: &Case, language: &str) -> Result<()> {
    let offered = case.step == Step::Offer;
    let (true, Some(user), true) = (waits(case.step), case.user(), case.login().origin != Origin::Mail) else {
        return Ok(());
    };
    let key = Key { tenant: realm.tenant(), user, login: case.login().id };
    let obstacle = if offered { None } else { obstacle(case.offer) };
    let asked = Asked { key, at: visit.now, wave: case.turn.wave(), language, obstacle };
    let writes = attempts::asked(house.db.engine(), &asked);
    house.db.write_soon(async |connection| statement::run_all(connection, writes.clone()).await).await?;
    Ok(())
}

/// The statement that writes down a step of the person of a login.
pub(super) fn reached(case: &Case, step: Reached, now: Timestamp) -> Option<Statement> {
    let user = case.user()?;
    Some(attempts::reached(Key { tenant: case.login().tenant, user, login: case.login().id }, step, now))
}

/// The statements that write down that the person has begun to enroll.
pub(super) fn begins(case: &Case, now: Timestamp) -> Vec<Statement> {
    let place = case.user().map(|user| places::begins(case.login().tenant, user, now));
    reached(case, Reached::Started, now).into_iter().chain(place).collect()
}

/// The statement that writes down that it ended without an authenticator.
pub(super) fn ended(case: &Case, reason: &str, now: Timestamp) -> Option<Statement> {
    let user = case.user()?;
    Some(attempts::ended(Key { tenant: case.login().tenant, user, login: case.login().id }, reason, now))
}

/// The statement that writes down that the person is back with a new authenticator, where `token` is accepted for the first
/// time on another day than that of the enrollment.
pub(super) fn returned(token: &Token, now: Timestamp) -> Option<Statement> {
    let day = |at: Timestamp| at.seconds().div_euclid(86_400);
    let enrolled = day(token.enrolled_at);
    let is_the_first = day(now) > enrolled && token.last_used_at.is_none_or(|last| day(last) <= enrolled);
    let user = token.user.filter(|_| is_the_first)?;
    Some(attempts::returned(token.tenant, user, now))
}
