//! Challenge and response: the page shows eight digits, the authenticator answers them (OCRA, RFC 6287).
//!
//! A challenge belongs to one login, is answered once, lives for five minutes and is replaced after a wrong response.

use std::time::Duration;

use super::case::Case;
use super::login::{event, hold, one_by_one, stepped_up};
use super::second_factor::{about, finished, forgiven, may_end, refused, token, used};
use super::server_pin::has_pin;
use super::{Browser, Error, House, Posted, Realm, Result, Visit, attempts};
use crate::clock::Entropy;
use crate::domain::audit::Action;
use crate::domain::authenticator::template::{Mode, TokenTemplate};
use crate::domain::ids::{Id, LoginId, TenantId, UserId};
use crate::domain::login::complaint::Complaint;
use crate::domain::login::step::Step;
use crate::domain::oath::alphabet::Alphabet;
use crate::domain::oath::ocra::{Input, Suite};
use crate::domain::secret::SecretBytes;
use crate::domain::timestamp::Timestamp;
use crate::keys::sealing::Place;
use crate::storage::challenges::{self, Challenge};
use crate::storage::logins::Proven;
use crate::storage::tokens::{self, State, Token};
use crate::storage::{self, Connection, enrollments, statement, users};

/// How long a challenge can be answered.
const LIFE: Duration = Duration::from_secs(300);
/// How often a person may ask for another challenge in one login.
pub const MOST_ASKED: i64 = 5;

/// Whether authenticators of this template answer challenges.
#[must_use]
pub fn answers(template: &TokenTemplate) -> bool {
    template.mode == Mode::ChallengeResponse
}

/// By which ways an authenticator that exists is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ways {
    /// By a passcode.
    pub passcode: bool,
    /// By the response to a challenge.
    pub challenge: bool,
}

/// By which ways the person of `case` shows an authenticator. Before anything is proven somebody's own would tell a stranger
/// that there is such an account: then the virtual server's template says it, for everybody. Only whoever has nothing
/// but authenticators that answer challenges, where the template makes none such, sees the challenge all the same: there is
/// no other way in.
#[must_use]
pub fn ways(realm: &Realm, case: &Case) -> Ways {
    let active = || case.tokens.iter().filter(|token| token.state == State::Active);
    let challenge = active().any(|token| answers(&token.template));
    let passcode = active().any(|token| !answers(&token.template));
    if case.evidence.of_anybody() {
        return Ways { passcode, challenge };
    }
    let usual = answers(&realm.config.settings.token_templates.app);
    Ways { passcode: usual || passcode || !challenge, challenge: usual || !passcode && challenge }
}

/// Whether the person of `case` last used an authenticator that answers challenges, so that one is offered first. Before
/// anything is proven the page is everybody's, and tells nothing.
#[must_use]
pub fn was_last(case: &Case) -> bool {
    let used = case.tokens.iter().filter(|token| token.state == State::Active && token.last_used_at.is_some());
    case.evidence.of_anybody()
        && used.max_by_key(|token| token.last_used_at).is_some_and(|token| answers(&token.template))
}

/// A challenge of `asked` wishes for another one, made at `now`.
pub(super) fn fresh(entropy: &Entropy, asked: i64, now: Timestamp) -> Challenge {
    let number = entropy.below(100_000_000);
    Challenge { digits: format!("{number:08}"), asked, used: false, expires_at: now.plus(LIFE) }
}

/// The challenge that is open for a login or session; makes one where there is none.
pub(super) async fn open<Of>(
    connection: &mut Connection,
    house: &House,
    tenant: TenantId,
    owner: Id<Of>,
    now: Timestamp,
) -> storage::Result<Challenge> {
    let known = challenges::of(tenant, owner).ask(connection).await?;
    if let Some(challenge) = known.as_ref().filter(|challenge| !challenge.used && now < challenge.expires_at) {
        return Ok(challenge.clone());
    }
    let challenge = fresh(&house.entropy, known.map_or(0, |challenge| challenge.asked), now);
    challenges::replace(connection, tenant, owner, &challenge).await?;
    Ok(challenge)
}

/// Makes the challenge that is open void and another one.
pub(super) async fn again<Of>(
    connection: &mut Connection,
    house: &House,
    tenant: TenantId,
    owner: Id<Of>,
    now: Timestamp,
) -> storage::Result<()> {
    let asked = challenges::of(tenant, owner).ask(connection).await?.map_or(0, |challenge| challenge.asked);
    challenges::replace(connection, tenant, owner, &fresh(&house.entropy, asked, now)).await
}

/// Whether `typed` is the response to `challenge`.
pub(super) fn is_response(secret: &SecretBytes, template: &TokenTemplate, challenge: &str, typed: &str) -> bool {
    let suite = Suite::of_token(template.algorithm, template.length);
    let right = suite.response(secret, Input { question: challenge, ..Input::default() });
    let typed = Alphabet::Decimal.normalized(typed, template.length, false);
    match (right, typed) {
        (Ok(right), Some(typed)) => SecretBytes::new(right.into_bytes()).same_as(typed.as_bytes()),
        _ => false,
    }
}

/// Whether a response is asked for at the step of `case`, of an authenticator that exists or of a new one.
async fn is_asked(connection: &mut Connection, realm: &Realm, case: &Case) -> storage::Result<bool> {
    match (case.step, &case.enrollment) {
        (Step::Passcode, _) => Ok(ways(realm, case).challenge),
        (Step::FirstPasscode(_), Some(enrollment)) => {
            let ready = enrollments::ready(connection, realm.tenant(), enrollment.id).await?;
            Ok(ready.is_some_and(|ready| answers(&ready.template)))
        }
        _ => Ok(false),
    }
}

/// The challenge that the page of a login shows; `None` if no response is asked for.
///
/// # Errors
/// [`Error::NotThisBrowser`]; if the database fails.
pub async fn shown(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
) -> Result<Option<Challenge>> {
    let tenant = realm.tenant();
    let known = house.db.read(async |connection| challenges::of(tenant, id).ask(connection).await).await?;
    if let Some(open) = known.filter(|challenge| !challenge.used && visit.now < challenge.expires_at) {
        return Ok(Some(open));
    }
    // Whoever loses the answer to this loads the page again.
    let made = house.db.write_soon(async |connection| {
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        if !is_asked(connection, realm, &case).await? {
            return Ok(Ok(None));
        }
        Ok(Ok(Some(open(connection, house, tenant, id, visit.now).await?)))
    });
    made.await?
}

/// Shows another challenge because the person asks for one.
///
/// # Errors
/// [`Error::WrongMoment`] if no response is asked for; [`Error::NotThisBrowser`].
pub async fn renew(house: &House, realm: &Realm, visit: &Visit, browser: &Browser, id: LoginId) -> Result<Posted> {
    let tenant = realm.tenant();
    let renewed = house.db.write(async |connection| {
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        if !is_asked(connection, realm, &case).await? {
            return Ok(Err(Error::WrongMoment));
        }
        let asked = challenges::of(tenant, id).ask(connection).await?.map_or(0, |challenge| challenge.asked);
        if asked >= MOST_ASKED {
            return Ok(Ok(Posted::complaint(Complaint::ChallengeLimit)));
        }
        challenges::replace(connection, tenant, id, &fresh(&house.entropy, asked + 1, visit.now)).await?;
        Ok(Ok(Posted::accepted()))
    });
    renewed.await?
}

/// Takes the response to `challenge`, which the form names: what a page shows that is too old is no attempt.
///
/// # Errors
/// [`Error::WrongMoment`] if no response is asked for; [`Error::NotThisBrowser`]; if a secret does not open.
pub async fn submit(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
    (challenge, typed): (&str, &str),
) -> Result<Posted> {
    let case = super::case::look(house, realm, visit, browser, id).await?;
    if !matches!(case.step, Step::Passcode | Step::FirstPasscode(_)) {
        return Err(Error::WrongMoment);
    }
    if typed.trim().is_empty() {
        return Ok(Posted::complaint(Complaint::ResponseEmpty));
    }
    if let Some(complaint) = attempts::must_wait(house, realm, visit, &case).await? {
        return Ok(Posted::complaint(complaint));
    }
    let posted = match case.step {
        Step::Passcode => existing(house, realm, visit, (browser, case.user()), id, (challenge, typed)).await?,
        _ => first(house, realm, visit, browser, id, (challenge, typed)).await?,
    };
    house.mail_waits.notify_one();
    Ok(posted)
}

/// The open challenge, if it is the one that was answered.
async fn answered<Of>(
    connection: &mut Connection,
    tenant: TenantId,
    owner: Id<Of>,
    challenge: &str,
    now: Timestamp,
) -> storage::Result<Option<Challenge>> {
    let known = challenges::of(tenant, owner).ask(connection).await?;
    Ok(known.filter(|known| known.digits == challenge && !known.used && now < known.expires_at))
}

/// The response of an authenticator that exists. All that answer challenges are tried.
async fn existing(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    (browser, named): (&Browser, Option<UserId>),
    id: LoginId,
    (challenge, typed): (&str, &str),
) -> Result<Posted> {
    let tenant = realm.tenant();
    let done = house.db.write(async |connection| {
        one_by_one(connection, realm, named).await?;
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        if case.step != Step::Passcode || case.user() != named || !is_asked(connection, realm, &case).await? {
            return Ok(Err(Error::WrongMoment));
        }
        let Some(open) = answered(connection, tenant, id, challenge, visit.now).await? else {
            return Ok(Ok(Posted::complaint(Complaint::ChallengeExpired)));
        };
        let mut right = None;
        for token in case.tokens.iter().filter(|token| token.state == State::Active && answers(&token.template)) {
            match responds(house, token, &open.digits, typed) {
                Ok(true) => right = Some(token),
                Ok(false) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        if let Some(token) = right.filter(|_| !case.is_shut(visit.now))
            && challenges::take(connection, tenant, id, &open.digits, visit.now).await?
            && tokens::responded(connection, tenant, token.id, visit.now).await?
        {
            let mut writes = stepped_up(house, realm, visit, &case, Proven::Otp(token.id));
            writes.push(house.entry(&about(&case, visit, token, Action::PasscodeAccepted)));
            writes.extend(used(token, visit.now));
            writes.extend(forgiven(&case, token));
            statement::run_all(connection, writes).await?;
            return Ok(Ok(Posted::stepped_up(house, visit, &case)));
        }
        let detail = serde_json::json!({ "challenge": true });
        house.record(connection, event(&case, visit, Action::PasscodeRejected).with(detail)).await?;
        let counts = realm.config.settings.lockout.count_passcodes;
        refused(connection, house, realm, visit, &case, counts).await?;
        again(connection, house, tenant, id, visit.now).await?;
        Ok(Ok(Posted::complaint(Complaint::ResponseWrong)))
    });
    done.await?
}

/// Whether `typed` is the token's response to `challenge`.
fn responds(house: &House, token: &Token, challenge: &str, typed: &str) -> Result<bool> {
    // No PIN is typed beside a response: templates that would want one are refused.
    let Some(sealed) = token.secret_sealed.as_ref().filter(|_| !has_pin(&token.template)) else { return Ok(false) };
    let place = Place::new(token.tenant, "token", "secret_sealed", token.id);
    let secret = house.sealer.open(place, sealed)?;
    Ok(is_response(&secret, &token.template, challenge, typed))
}

/// The first response of a new authenticator: only now a token is made.
async fn first(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
    (challenge, typed): (&str, &str),
) -> Result<Posted> {
    let tenant = realm.tenant();
    let done = house.db.write(async |connection| {
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
        if !matches!(case.step, Step::FirstPasscode(_)) {
            return Ok(Err(Error::WrongMoment));
        }
        let (Some(enrollment), Some(member)) = (&case.enrollment, &case.member) else {
            return Ok(Err(Error::Forbidden));
        };
        if let Err(error) = may_end(connection, realm, &case, enrollment).await? {
            return Ok(Err(error));
        }
        let ready = enrollments::ready(connection, tenant, enrollment.id).await?;
        let Some(ready) = ready.filter(|ready| answers(&ready.template) && !has_pin(&ready.template)) else {
            return Ok(Err(Error::WrongMoment));
        };
        let Some(open) = answered(connection, tenant, id, challenge, visit.now).await? else {
            return Ok(Ok(Posted::complaint(Complaint::ChallengeExpired)));
        };
        let place = Place::new(tenant, "enrollment", "secret_sealed", enrollment.id);
        let secret = match house.sealer.open(place, &ready.secret_sealed) {
            Ok(secret) => secret,
            Err(error) => return Ok(Err(error.into())),
        };
        if is_response(&secret, &ready.template, &open.digits, typed)
            && challenges::take(connection, tenant, id, &open.digits, visit.now).await?
        {
            let new = token(house, visit, member.user.id, enrollment, &ready, &secret, (-1, 0));
            return finished(connection, house, realm, visit, &case, enrollment, new).await;
        }
        house.record(connection, event(&case, visit, Action::PasscodeRejected)).await?;
        enrollments::stumbled(tenant, enrollment.id, "passcode_rejected").run(connection).await?;
        attempts::count(connection, house, realm, visit, &case, false).await?;
        again(connection, house, tenant, id, visit.now).await?;
        Ok(Ok(Posted::complaint(Complaint::ResponseWrong)))
    });
    done.await?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// eight digits, zeros in front among them, and each its own.
    #[test]
    fn challenges_are_eight_digits() {
        let now = Timestamp::from_seconds(1_000);
        let made: std::collections::BTreeSet<String> =
            (0..200).map(|_| fresh(&Entropy::System, 0, now).digits).collect();
        assert!(made.len() > 195, "{made:?}");
        assert!(made.iter().all(|digits| digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit())));
        assert!(made.iter().any(|digits| digits.starts_with(['0', '1'])), "{made:?}");
    }
}
