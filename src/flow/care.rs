//! A person's own authenticators, in the portal: trying one out and synchronizing it, without logging in anew and under
//! the limits of a login.

use super::case::{name_subject, typed_subject};
use super::challenge::{again, answers, is_response, open};
use super::house::window_start;
use super::second_factor::{judged, used};
use super::{Error, House, Realm, Result, Visit, alerts, attempts, letters};
use crate::domain::alert::{Alert, Kind};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::TokenId;
use crate::domain::lockout::MOST_FAILURES;
use crate::domain::login::complaint::Complaint;
use crate::domain::oath::window::{Verdict, judge, pair};
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::keys::sealing::Place;
use crate::storage::challenges::{self, Challenge};
use crate::storage::tokens::{self, State, Token};
use crate::storage::{self, Connection, account_locks, failures, identifiers, statement, throttle, users};

/// What was typed to try an authenticator out, or to synchronize it.
#[derive(Debug, Clone, Copy)]
pub enum Typed<'a> {
    /// One passcode.
    Passcode(&'a str),
    /// The challenge that the page showed, and the response to it.
    Response(&'a str, &'a str),
    /// Two passcodes, one after the other.
    Pair(&'a str, &'a str),
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It works.
    Works,
    /// It is synchronized.
    Synchronized,
    /// The passcode is right, but clock or counter are far off: it has to be synchronized.
    OutOfSync,
    /// Not accepted.
    Refused(Complaint),
    /// The account is locked; nothing is looked at.
    Locked,
}

const WRONG: Outcome = Outcome::Refused(Complaint::PasscodeWrong);

/// A person's active authenticator, with its owner.
async fn own(
    connection: &mut Connection,
    realm: &Realm,
    session: &Session,
    token: TokenId,
) -> storage::Result<Option<(User, Token)>> {
    let tenant = realm.tenant();
    let Some(user) = users::with_id(connection, tenant, session.user).await? else { return Ok(None) };
    let tokens = tokens::of_user(tenant, session.user).ask(connection).await?;
    let token = tokens.into_iter().find(|found| found.id == token && found.state == State::Active);
    Ok(token.map(|token| (user, token)))
}

/// The active authenticator that a page of the session is about, and the challenge to show if it answers one.
///
/// # Errors
/// [`Error::Forbidden`] if the person has no such authenticator, or it is not active.
pub async fn shown(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    session: &Session,
    token: TokenId,
) -> Result<(Token, Option<Challenge>)> {
    let found = house.db.read(async |connection| own(connection, realm, session, token).await).await?;
    let Some((_, token)) = found else { return Err(Error::Forbidden) };
    if !answers(&token.template) {
        return Ok((token, None));
    }
    let (tenant, owner) = (realm.tenant(), session.id);
    let made = house.db.write_soon(async |connection| open(connection, house, tenant, owner, visit.now).await);
    Ok((token, Some(made.await?)))
}

/// Tries an authenticator out, or synchronizes it. `nonce` is the page's: the same page sent twice is one attempt.
///
/// # Errors
/// [`Error::Forbidden`] if the person has no such authenticator, it is not active, or does not answer in this way.
pub async fn submit(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    session: &Session,
    token: TokenId,
    (typed, nonce): (Typed<'_>, &str),
) -> Result<Outcome> {
    let empty = match typed {
        Typed::Passcode(text) | Typed::Response(_, text) => text.trim().is_empty(),
        Typed::Pair(first, second) => first.trim().is_empty() || second.trim().is_empty(),
    };
    if empty {
        return Ok(Outcome::Refused(Complaint::PasscodeEmpty));
    }
    let done = house.db.write(async |connection| {
        users::hold(connection, realm.tenant(), session.user).await?;
        let Some((user, token)) = own(connection, realm, session, token).await? else {
            return Ok(Err(Error::Forbidden));
        };
        if answers(&token.template) != matches!(typed, Typed::Response(..)) {
            return Ok(Err(Error::Forbidden));
        }
        if !nonce.is_empty() && !first_time(connection, house, realm, visit, session, nonce).await? {
            return Ok(Ok(Outcome::Refused(Complaint::PasscodeWrong)));
        }
        let limits =
            Limits { house, realm, visit, user: &user, subject: name_subject(house, user.tenant, &user.username) };
        if let Some(outcome) = limits.hold_back(connection).await? {
            return Ok(Ok(outcome));
        }
        let (outcome, action) = match look(connection, house, realm, visit, session, &token, typed).await? {
            Ok(outcome) => outcome,
            Err(error) => return Ok(Err(error)),
        };
        if matches!(outcome, Outcome::Works | Outcome::Synchronized) {
            statement::run_all(connection, used(&token, visit.now).collect()).await?;
        }
        let detail = serde_json::json!({ "serial": token.serial, "portal": true });
        house.record(connection, limits.event(action).on("token", token.id).with(detail)).await?;
        if let Outcome::Refused(complaint) = outcome
            && complaint != Complaint::ChallengeExpired
        {
            limits.count(connection).await?;
        }
        Ok(Ok(outcome))
    });
    let outcome = done.await?;
    house.mail_waits.notify_one();
    outcome
}

/// Whether this page is sent for the first time.
async fn first_time(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    session: &Session,
    nonce: &str,
) -> storage::Result<bool> {
    let (tenant, id) = (realm.tenant(), session.id.to_bytes());
    let subject = house.derived.throttle.of(&[b"portal form", &tenant.to_bytes(), &id, nonce.as_bytes()]);
    let until = visit.now.plus(std::time::Duration::from_secs(3600));
    identifiers::first_use(connection, tenant, &super::house::text(&subject), until).await
}

/// What was typed is to the authenticator.
async fn look(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    session: &Session,
    token: &Token,
    typed: Typed<'_>,
) -> storage::Result<Result<(Outcome, Action)>> {
    let (tenant, now) = (realm.tenant(), visit.now);
    let Some(sealed) = &token.secret_sealed else { return Ok(Err(Error::Forbidden)) };
    let secret = match house.sealer.open(Place::new(tenant, "token", "secret_sealed", token.id), sealed) {
        Ok(secret) => secret,
        Err(error) => return Ok(Err(error.into())),
    };
    let windows = realm.config.settings.windows;
    let judged = judged(&token.template, &secret, token.drift_steps, token.last_position, None);
    let outcome = match typed {
        Typed::Passcode(typed) => match judge(judged, windows, typed, now) {
            Verdict::Accepted { position, drift_steps }
                if tokens::accept(connection, tenant, token.id, position, drift_steps, now).await? =>
            {
                (Outcome::Works, Action::TokenTested)
            }
            Verdict::OutOfSync { .. } => (Outcome::OutOfSync, Action::PasscodeOutOfSync),
            // Who has just logged in with it tries it here: written down, and no alarm.
            Verdict::Accepted { .. } | Verdict::Reused => (WRONG, Action::PasscodeReused),
            Verdict::Wrong => (WRONG, Action::PasscodeRejected),
        },
        Typed::Pair(first, second) => match pair(judged, windows, (first, second), now) {
            Some((position, drift)) if tokens::accept(connection, tenant, token.id, position, drift, now).await? => {
                (Outcome::Synchronized, Action::TokenSynchronized)
            }
            _ => (WRONG, Action::TokenSynchronizationFailed),
        },
        Typed::Response(challenge, typed) => {
            let known = challenges::of(tenant, session.id).ask(connection).await?;
            let usable = known.filter(|known| known.digits == challenge && !known.used && now < known.expires_at);
            match usable {
                None => (Outcome::Refused(Complaint::ChallengeExpired), Action::PasscodeRejected),
                Some(known)
                    if is_response(&secret, &token.template, &known.digits, typed)
                        && challenges::take(connection, tenant, session.id, &known.digits, now).await?
                        && tokens::responded(connection, tenant, token.id, now).await? =>
                {
                    (Outcome::Works, Action::TokenTested)
                }
                Some(_) => {
                    again(connection, house, tenant, session.id, now).await?;
                    (Outcome::Refused(Complaint::ResponseWrong), Action::PasscodeRejected)
                }
            }
        }
    };
    Ok(Ok(outcome))
}

/// The limits of a login, for somebody who is logged in.
struct Limits<'a> {
    house: &'a House,
    realm: &'a Realm,
    visit: &'a Visit,
    user: &'a User,
    subject: String,
}

impl Limits<'_> {
    fn event(&self, action: Action) -> Event {
        let actor = Actor::User(self.user.id);
        Event::new(self.visit.now, self.user.tenant, actor, action).from_address(self.visit.address)
    }

    /// Whether nothing is looked at now.
    async fn hold_back(&self, connection: &mut Connection) -> storage::Result<Option<Outcome>> {
        let now = self.visit.now;
        let known = failures::of(self.user.tenant, &self.subject).ask(connection).await?;
        if known.lock().refusal(now).is_some() {
            return Ok(Some(Outcome::Locked));
        }
        // Whoever is logged in is no stranger: an attack on the virtual server does not slow them.
        let wait = known.wait(false, now);
        if !wait.is_zero() {
            return Ok(Some(Outcome::Refused(Complaint::Wait { seconds: wait.as_secs().max(1) })));
        }
        let (subject, start) = self.address();
        let hits = throttle::hits(connection, self.user.tenant, &subject, start).await?;
        let many = hits >= self.house.settings.wrong_secrets_per_address;
        let over = start.plus(std::time::Duration::from_secs(attempts::WINDOW.unsigned_abs())).since(now);
        Ok(many.then(|| Outcome::Refused(Complaint::Wait { seconds: over.as_secs().max(1) })))
    }

    fn address(&self) -> (String, crate::domain::timestamp::Timestamp) {
        let subject = self.house.address_subject(self.user.tenant, "wrong secrets", self.visit.address);
        (subject, window_start(self.visit.now, attempts::WINDOW))
    }

    /// Counts a failure for the address, the name and the authenticators (A16).
    async fn count(&self, connection: &mut Connection) -> storage::Result<()> {
        let (tenant, now) = (self.user.tenant, self.visit.now);
        let (subject, start) = self.address();
        throttle::hit(connection, tenant, &subject, start).await?;
        let settings = self.realm.config.settings.lockout;
        if settings.count_passcodes {
            let several = self.realm.config.settings.login.several();
            if several {
                // What the login shows to whoever types the user name.
                let name = typed_subject(self.house, tenant, &self.user.username);
                attempts::add(connection, self.realm, self.visit, &name, settings).await?;
            }
            let (before, after) = attempts::add(connection, self.realm, self.visit, &self.subject, settings).await?;
            if before.lock().refusal(now).is_none() && after.lock().refusal(now).is_some() {
                account_locks::note(connection, tenant, &self.user.username, after.lock()).await?;
                let told = (self.event(Action::AccountLocked), self.alert(Kind::AccountLockout));
                let who = (Some(self.user), after.lock(), several);
                let visit = &letters::at_portal(self.visit, self.user);
                attempts::locked(connection, self.house, self.realm, visit, who, told).await?;
            }
        }
        if tokens::fail(connection, tenant, self.user.id, MOST_FAILURES, now).await? > 0 {
            self.house.record(connection, self.event(Action::TokenLocked)).await?;
            alerts::raise(connection, self.house, &self.realm.config, &self.alert(Kind::TokenLockout)).await?;
        }
        Ok(())
    }

    fn alert(&self, kind: Kind) -> Alert {
        Alert {
            kind,
            at: self.visit.now,
            user: Some(self.user.id),
            username: self.user.username.clone(),
            serial: String::new(),
            application: String::new(),
            address: self.visit.address.to_string(),
            correlation: None,
            detail: String::new(),
        }
    }
}
