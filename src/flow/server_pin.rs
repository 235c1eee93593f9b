//! Server-side PINs (A12): made at enrollment, checked beside a passcode, changed by their owners when they are due and
//! whenever they like.
//!
//! The hash of a PIN costs as much as a password's, so it is computed outside transactions, in the same bounded queue, and
//! for every attempt of a virtual server or person with such PINs exactly once, whether there is a PIN to compare with or
//! not: neither the answer nor its time tells a right passcode with a wrong PIN from anything else that is wrong.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

use super::case::Case;
use super::challenge::answers;
use super::login::{event, hold};
use super::second_factor::best;
use super::{Browser, Error, House, Posted, Realm, Result, Visit};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::authenticator::pin::{Broken, Rule};
use crate::domain::authenticator::server_pin::{CHANGE_WITHIN, Due, ServerSidePin, split};
use crate::domain::authenticator::template::{PinType, TokenTemplate};
use crate::domain::ids::{EnrollmentId, LoginId, TenantId, TokenId, UserId};
use crate::domain::login::complaint::Complaint;
use crate::domain::login::evidence::Evidence;
use crate::domain::login::step::Step;
use crate::domain::secret::{ExposeSecret as _, SecretBytes, SecretString};
use crate::domain::timestamp::Timestamp;
use crate::keys::sealing::Place;
use crate::storage::server_pins::{self, ServerPin};
use crate::storage::tokens::{State, Token};
use crate::storage::{self, Connection, enrollments, tokens};

/// What somebody typed, as each token reads it: with a server-side PIN the passcode is a part of it.
#[derive(Clone, Copy)]
pub(super) struct Typed<'a> {
    /// All of it.
    pub(super) text: &'a str,
    policy: ServerSidePin,
}

impl<'a> Typed<'a> {
    pub(super) const fn new(realm: &Realm, text: &'a str) -> Self {
        Self { text, policy: realm.config.settings.server_side_pin }
    }

    /// The passcode or response in it; empty if it is too short to have one.
    pub(super) fn passcode(&self, template: &TokenTemplate) -> Cow<'a, str> {
        if has_pin(template) {
            let parts = split(self.text, template.length, self.policy.order);
            Cow::Owned(parts.map(|parts| parts.passcode).unwrap_or_default())
        } else {
            Cow::Borrowed(self.text)
        }
    }

    /// The PIN in it; empty where there is none.
    fn pin(&self, template: &TokenTemplate) -> SecretString {
        let parts = if has_pin(template) { split(self.text, template.length, self.policy.order) } else { None };
        parts.map(|parts| parts.pin).unwrap_or_default()
    }

    /// Whether it is no more than a passcode although every token wants a PIN beside it. Its length alone tells, so to say
    /// so costs nothing, and it is no attempt.
    pub(super) fn lacks_pin<'t>(&self, mut templates: impl Iterator<Item = &'t TokenTemplate>) -> bool {
        let mut any = false;
        templates.all(|template| {
            any = true;
            let parts = split(self.text, template.length, self.policy.order);
            has_pin(template) && parts.is_none_or(|parts| parts.pin.expose_secret().is_empty())
        }) && any
    }
}

/// Whether the server asks for a PIN beside the passcodes of such tokens.
pub fn has_pin(template: &TokenTemplate) -> bool {
    template.pin_type == PinType::ServerSide
}

/// What is stored of a PIN, sealed.
#[derive(Serialize, Deserialize)]
struct Content {
    /// Its hash, as a PHC string.
    hash: String,
    /// The hashes of those before it, the youngest first.
    former: Vec<String>,
}

fn place(tenant: TenantId, token: TokenId) -> Place {
    Place::new(tenant, "token_server_pin", "pin_sealed", token)
}

impl Content {
    fn sealed(&self, house: &House, tenant: TenantId, token: TokenId) -> Vec<u8> {
        let octets = serde_json::to_vec(self).expect("texts have a JSON form");
        house.sealer.seal(place(tenant, token), &SecretBytes::new(octets))
    }

    fn opened(house: &House, tenant: TenantId, token: TokenId, stored: &ServerPin) -> Result<Self> {
        let octets = house.sealer.open(place(tenant, token), &stored.sealed)?;
        let broken =
            |_| storage::Error::Broken { table: "token_server_pin", column: "pin_sealed", row: token.to_string() };
        Ok(serde_json::from_slice(octets.expose()).map_err(broken)?)
    }

    /// The content after `hash` has become the PIN; as many earlier ones are kept as the policy compares with.
    fn followed_by(self, hash: String, policy: ServerSidePin) -> Self {
        let earlier = usize::from(policy.history.max(1)) - 1;
        Self { hash, former: std::iter::once(self.hash).chain(self.former).take(earlier).collect() }
    }
}

/// What a check of the PIN in an attempt has found.
#[derive(Default)]
pub(super) struct Checked {
    /// Whose PIN was right, and which version of it.
    right: Option<(TokenId, i64)>,
    /// Its hash by today's settings, sealed, where it was made by others.
    renewed: Option<Vec<u8>>,
}

/// What a PIN is to the transaction that judges the passcode beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pin {
    /// Right, or the token has none.
    Right,
    /// Right, and no good any more but for choosing another.
    Due,
    /// Wrong, missing, or changed by somebody else at this moment.
    Wrong,
}

/// Checks the PIN in what was typed, outside of any transaction: the one of the token that likes the passcode best, or
/// nobody's.
///
/// # Errors
/// [`Error::Busy`]; if the database fails or a secret does not open.
pub(super) async fn check(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    case: &Case,
    typed: Typed<'_>,
) -> Result<Checked> {
    let shows = |token: &&Token| token.state == State::Active && !answers(&token.template);
    let active: Vec<&Token> = case.tokens.iter().filter(shows).collect();
    let templates = &realm.config.settings.token_templates;
    let used = has_pin(&templates.app) || has_pin(&templates.oath_app);
    if !used && !active.iter().any(|token| has_pin(&token.template)) {
        return Ok(Checked::default());
    }
    let (liked, _) = best(house, realm, visit, case, &active, typed)?;
    let Some(token) = liked.filter(|token| has_pin(&token.template)) else {
        house.passwords.verify(&SecretString::default(), None).await?;
        return Ok(Checked::default());
    };
    let tenant = realm.tenant();
    let stored = house.db.read(async |connection| server_pins::of(tenant, token.id).ask(connection).await).await?;
    let content = stored.as_ref().map(|stored| Content::opened(house, tenant, token.id, stored)).transpose()?;
    let pin = typed.pin(&token.template);
    let verdict = house.passwords.verify(&pin, content.as_ref().map(|content| content.hash.as_str())).await?;
    let (Some(stored), Some(content), true) = (stored, content, verdict.right) else {
        return Ok(Checked::default());
    };
    let renewed = if verdict.outdated && !case.is_shut(visit.now) {
        let hash = house.passwords.hash(&pin, &house.entropy).await?;
        Some(Content { hash, former: content.former }.sealed(house, tenant, token.id))
    } else {
        None
    };
    Ok(Checked { right: Some((token.id, stored.version)), renewed })
}

impl Checked {
    /// What the PIN beside a passcode of `token` is, in the transaction that judges the passcode.
    pub(super) async fn of(
        &self,
        connection: &mut Connection,
        realm: &Realm,
        visit: &Visit,
        token: &Token,
    ) -> storage::Result<Pin> {
        if !has_pin(&token.template) {
            return Ok(Pin::Right);
        }
        let Some((_, version)) = self.right.filter(|(id, _)| *id == token.id) else { return Ok(Pin::Wrong) };
        let stored = server_pins::of(realm.tenant(), token.id).ask(connection).await?;
        let Some(stored) = stored.filter(|stored| stored.version == version) else { return Ok(Pin::Wrong) };
        if let Some(sealed) = &self.renewed {
            let same = (sealed.as_slice(), stored.must_change, stored.changed_at);
            server_pins::replace(connection, realm.tenant(), token.id, version, same).await?;
        }
        let policy = realm.config.settings.server_side_pin;
        Ok(match policy.due(stored.must_change, stored.changed_at, visit.now) {
            Some(_) => Pin::Due,
            None => Pin::Right,
        })
    }
}

/// Why the PIN that was proven in this login must be changed before it counts; `None` if none was, or it was changed since.
pub(super) async fn due(
    connection: &mut Connection,
    realm: &Realm,
    visit: &Visit,
    evidence: Evidence,
    tokens: &[Token],
) -> storage::Result<Option<Due>> {
    let Some((token, at)) = evidence.old_pin else { return Ok(None) };
    let usable = tokens.iter().any(|known| known.id == token && known.state == State::Active);
    if !usable || visit.now.since(at) >= CHANGE_WITHIN {
        return Ok(None);
    }
    let stored = server_pins::of(realm.tenant(), token).ask(connection).await?;
    let policy = realm.config.settings.server_side_pin;
    Ok(stored.and_then(|stored| policy.due(stored.must_change, stored.changed_at, visit.now)))
}

/// The initial PIN of an enrollment. It is not stored: it follows from the installation's root secret and
/// the enrollment, so that its page may be looked at again, and is gone with the enrollment.
fn initial_pin(house: &House, realm: &Realm, enrollment: EnrollmentId) -> SecretString {
    let policy = realm.config.settings.server_side_pin;
    let mut drawn = 0_u64;
    policy.rules().draw(policy.generated_length, |below| {
        drawn += 1;
        let fields: [&[u8]; 4] =
            [b"initial pin", &realm.tenant().to_bytes(), &enrollment.to_bytes(), &drawn.to_be_bytes()];
        let digest = house.derived.codes.of(&fields);
        // The remainder favours nobody noticeably: 64 bits against 56 characters.
        digest.iter().take(8).fold(0_u64, |number, octet| number << 8 | u64::from(*octet)) % below.max(1)
    })
}

/// The initial PIN that the last page of an enrollment shows, if its token will have one.
///
/// # Errors
/// If the database fails.
pub async fn shown(house: &House, realm: &Realm, case: &Case) -> Result<Option<SecretString>> {
    let Some(enrollment) = &case.enrollment else { return Ok(None) };
    let question =
        async |connection: &mut Connection| enrollments::ready(connection, realm.tenant(), enrollment.id).await;
    let ready = house.db.read(question).await?;
    Ok(ready.filter(|ready| has_pin(&ready.template)).map(|_| initial_pin(house, realm, enrollment.id)))
}

/// The first PIN of a token that is about to be made.
pub(super) struct Initial {
    pin: SecretString,
    hash: String,
}

/// The initial PIN of this login's enrollment with its hash, if its token will have one; outside of any transaction.
///
/// # Errors
/// [`Error::Busy`]; if the database fails.
pub(super) async fn initial(house: &House, realm: &Realm, case: &Case) -> Result<Option<Initial>> {
    let Some(pin) = shown(house, realm, case).await? else { return Ok(None) };
    let hash = house.passwords.hash(&pin, &house.entropy).await?;
    Ok(Some(Initial { pin, hash }))
}

impl Initial {
    /// Whether the PIN in what was typed is this one.
    pub(super) fn is_in(&self, typed: Typed<'_>, template: &TokenTemplate) -> bool {
        let pin = typed.pin(template);
        pin.expose_secret().as_bytes().ct_eq(self.pin.expose_secret().as_bytes()).into()
    }

    /// Stores it for the token that was made.
    pub(super) async fn store(
        &self,
        connection: &mut Connection,
        house: &House,
        realm: &Realm,
        visit: &Visit,
        token: TokenId,
    ) -> storage::Result<()> {
        let content = Content { hash: self.hash.clone(), former: Vec::new() };
        let sealed = content.sealed(house, realm.tenant(), token);
        let must_change = realm.config.settings.server_side_pin.change_on_first_use;
        server_pins::insert(connection, realm.tenant(), token, &sealed, must_change, visit.now).await
    }
}

/// A PIN that somebody has chosen and that may be used: ready to be stored.
struct Chosen {
    token: TokenId,
    version: i64,
    sealed: Vec<u8>,
}

/// Holds a PIN that somebody has chosen for a token against the rules and the PINs before it; outside of any transaction.
async fn chosen(
    house: &House,
    realm: &Realm,
    token: TokenId,
    (new, again): (&SecretString, &SecretString),
) -> Result<std::result::Result<Chosen, Complaint>> {
    let (tenant, policy) = (realm.tenant(), realm.config.settings.server_side_pin);
    if new.expose_secret() != again.expose_secret() {
        return Ok(Err(Complaint::PinMismatch));
    }
    let broken = policy.rules().broken_by(new.expose_secret());
    if !broken.is_empty() {
        return Ok(Err(Complaint::PinRules(broken)));
    }
    let stored = house.db.read(async |connection| server_pins::of(tenant, token).ask(connection).await).await?;
    let Some(stored) = stored else { return Err(Error::WrongMoment) };
    let content = Content::opened(house, tenant, token, &stored)?;
    let earlier = usize::from(policy.history.max(1)) - 1;
    for hash in std::iter::once(&content.hash).chain(content.former.iter().take(earlier)) {
        if house.passwords.verify(new, Some(hash)).await?.right {
            return Ok(Err(Complaint::PinRules(Broken::one(Rule::NotUsedBefore))));
        }
    }
    let hash = house.passwords.hash(new, &house.entropy).await?;
    let sealed = content.followed_by(hash, policy).sealed(house, tenant, token);
    Ok(Ok(Chosen { token, version: stored.version, sealed }))
}

impl Chosen {
    /// Stores it as its owner's own. Says `false` if the PIN was changed meanwhile.
    async fn store(&self, connection: &mut Connection, tenant: TenantId, now: Timestamp) -> storage::Result<bool> {
        server_pins::replace(connection, tenant, self.token, self.version, (&self.sealed, false, now)).await
    }
}

/// Takes the new PIN of a login whose PIN is due. After it the login asks for a fresh passcode.
///
/// # Errors
/// [`Error::WrongMoment`] if no PIN is due; [`Error::NotThisBrowser`]; [`Error::Busy`]; if a secret does not open.
pub async fn submit_new(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    browser: &Browser,
    id: LoginId,
    typed: (&SecretString, &SecretString),
) -> Result<Posted> {
    let case = super::case::look(house, realm, visit, browser, id).await?;
    let (Step::NewPin(_), Some((token, _))) = (case.step, case.evidence.old_pin) else {
        return Err(Error::WrongMoment);
    };
    let chosen = match chosen(house, realm, token, typed).await? {
        Ok(chosen) => chosen,
        Err(complaint) => return Ok(Posted::complaint(complaint)),
    };
    let done = house.db.write(async |connection| {
        let Some(case) = hold(connection, house, realm, visit, browser, id).await? else {
            return Ok(Err(Error::NotThisBrowser));
        };
        let same = case.evidence.old_pin.is_some_and(|(proven, _)| proven == token);
        if !matches!(case.step, Step::NewPin(_))
            || !same
            || !chosen.store(connection, realm.tenant(), visit.now).await?
        {
            return Ok(Err(Error::WrongMoment));
        }
        house.record(connection, event(&case, visit, Action::PinChanged).on("token", token)).await?;
        Ok(Ok(Posted::accepted()))
    });
    done.await?
}

/// The person's token with this identifier, if its PIN can be changed: for the portal.
///
/// # Errors
/// If the database fails.
pub async fn changeable(house: &House, realm: &Realm, user: UserId, token: TokenId) -> Result<Option<Token>> {
    let owned = house.db.read(async |connection| tokens::of_user(realm.tenant(), user).ask(connection).await).await?;
    Ok(owned.into_iter().find(|owned| owned.id == token && can_change(owned)))
}

/// Whether its owner can change its PIN in the portal.
#[must_use]
pub fn can_change(token: &Token) -> bool {
    token.state == State::Active && has_pin(&token.template)
}

/// Changes the PIN of one's own token in the portal, after a step-up. Gives what was wrong with it, if
/// something was.
///
/// # Errors
/// [`Error::Forbidden`] if it is not one's own, or not usable; [`Error::WrongMoment`] if it was changed at the same moment;
/// [`Error::Busy`]; if a secret does not open.
pub async fn change(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    user: UserId,
    token: TokenId,
    typed: (&SecretString, &SecretString),
) -> Result<Option<Complaint>> {
    if changeable(house, realm, user, token).await?.is_none() {
        return Err(Error::Forbidden);
    }
    let chosen = match chosen(house, realm, token, typed).await? {
        Ok(chosen) => chosen,
        Err(complaint) => return Ok(Some(complaint)),
    };
    let done = house.db.write(async |connection| {
        let owned = tokens::of_user(realm.tenant(), user).ask(connection).await?;
        if !owned.iter().any(|owned| owned.id == token && can_change(owned)) {
            return Ok(Err(Error::Forbidden));
        }
        if !chosen.store(connection, realm.tenant(), visit.now).await? {
            return Ok(Err(Error::WrongMoment));
        }
        let event = Event::new(visit.now, realm.tenant(), Actor::User(user), Action::PinChanged).on("token", token);
        house.record(connection, event.from_address(visit.address)).await?;
        Ok(Ok(None))
    });
    done.await?
}

/// Gives a token a PIN, chosen or drawn, in place of whatever PIN it had; for operators. Gives the statement's parts for
/// [`Given::store`]; outside of any transaction.
///
/// # Errors
/// [`Error::Busy`]; if the database fails or a secret does not open.
pub(super) async fn given(house: &House, policy: ServerSidePin, token: &Token, pin: &SecretString) -> Result<Given> {
    let (tenant, id) = (token.tenant, token.id);
    let stored = house.db.read(async |connection| server_pins::of(tenant, id).ask(connection).await).await?;
    let hash = house.passwords.hash(pin, &house.entropy).await?;
    let content = match &stored {
        Some(stored) => Content::opened(house, tenant, id, stored)?.followed_by(hash, policy),
        None => Content { hash, former: Vec::new() },
    };
    Ok(Given { version: stored.map(|stored| stored.version), sealed: content.sealed(house, tenant, id) })
}

/// A PIN that an operator gives, ready to be stored.
pub(super) struct Given {
    version: Option<i64>,
    sealed: Vec<u8>,
}

impl Given {
    /// Stores it. Says `false` if the PIN was changed meanwhile.
    pub(super) async fn store(
        &self,
        connection: &mut Connection,
        token: &Token,
        must_change: bool,
        now: Timestamp,
    ) -> storage::Result<bool> {
        let (tenant, id, sealed) = (token.tenant, token.id, self.sealed.as_slice());
        match self.version {
            Some(version) => server_pins::replace(connection, tenant, id, version, (sealed, must_change, now)).await,
            None if server_pins::of(tenant, id).ask(connection).await?.is_some() => Ok(false),
            None => server_pins::insert(connection, tenant, id, sealed, must_change, now).await.map(|()| true),
        }
    }
}
