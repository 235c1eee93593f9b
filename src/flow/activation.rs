//! The device's side of an activation: claim and confirm (part B3). No token is made here: that is for the
//! first passcode, in the login that began the enrollment.

use serde::{Deserialize, Serialize};

use super::house::window_start;
use super::server_pin::has_pin;
use super::{House, Realm, Result, Visit, alerts, enrollment, mailed};
use crate::domain::activation::handshake::{
    Hello, MAC_LENGTH, NONCE_LENGTH, Pair, Parameters, claim_is_right, transcript,
};
use crate::domain::alert::{Alert, Kind};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::authenticator::template::TokenTemplate;
use crate::domain::enrollment::{Brought, State as EnrollmentState};
use crate::domain::ids::{ActivationId, EnrollmentId, TenantId};
use crate::domain::login::Stage;
use crate::domain::login::step::Tokens;
use crate::domain::policy::platform::Platform;
use crate::domain::secret::SecretBytes;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::Status;
use crate::keys::sealing::Place;
use crate::storage::activations::{self, Activation, State};
use crate::storage::enrollments::{self, Ready};
use crate::storage::rollout_attempts::{Key, Reached};
use crate::storage::statement::Statement;
use crate::storage::{self, Connection, logins, reservations, rollout_attempts, throttle, tokens, users};

/// How long a device has between claim and confirmation (part B3).
const CONFIRM_WITHIN: std::time::Duration = std::time::Duration::from_secs(5 * 60);
/// Failed presentations that lock an activation.
const MOST_FAILURES: i64 = 10;
/// The window of the limit per address, in seconds.
const WINDOW: i64 = 600;

/// The word for the page when a device of a kind that is not allowed was refused (part D1, U12).
pub const WRONG_DEVICE: &str = "platform";
/// The word for the page when a device with too old an operating system was refused.
pub const OLD_SYSTEM: &str = "os_old";

/// Why a device is refused; each has its own code in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No such activation.
    #[error("there is no such activation")]
    Unknown,
    /// Its time is over, or it was replaced.
    #[error("the activation has expired: get a new one")]
    Expired,
    /// It was used by another device, or for another claim.
    #[error("the activation was already used")]
    Used,
    /// Too many failed presentations.
    #[error("the activation is locked after too many failed attempts")]
    Locked,
    /// The MAC is wrong.
    #[error("the activation secret is wrong: copy the whole string")]
    Secret,
    /// The person may not enroll any more.
    #[error("this account may not add an authenticator now")]
    NotEntitled,
    /// The platform is not allowed, or is not the one that was chosen.
    #[error("this kind of device is not allowed, or is not the one that was chosen")]
    Platform,
    /// The operating system is too old.
    #[error("the operating system of the device is too old")]
    OldSystem,
    /// The keys do not fit.
    #[error("the device could not confirm the keys")]
    Confirm,
    /// The public key or nonce is malformed.
    #[error("the public key or the nonce is malformed")]
    Malformed,
    /// The template was changed since the claim: the device claims anew and gets the present values.
    #[error("the settings of this kind of authenticator have just been changed: claim the activation again")]
    TemplateChanged,
    /// Too many claims from one address.
    #[error("too many attempts from this network: wait ten minutes")]
    TooMany,
}

/// What the server answers to a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claimed {
    /// The server's public key.
    pub server_key: Vec<u8>,
    /// The server's nonce.
    pub nonce: Vec<u8>,
    /// [`Parameters`] as JSON, to be hashed as it is.
    pub parameters: String,
}

/// What is kept, sealed, between claim and confirmation; then without the OTP secret and, once the token is born, without the
/// key for calls.
#[derive(Serialize, Deserialize)]
struct Kept {
    answer: Claimed,
    claim: [u8; MAC_LENGTH],
    transcript: [u8; MAC_LENGTH],
    device_mac: [u8; MAC_LENGTH],
    server_mac: [u8; MAC_LENGTH],
    otp_secret: Vec<u8>,
    /// Empty in what was kept before devices had one.
    #[serde(default)]
    calls: Vec<u8>,
    template: TokenTemplate,
    serial: String,
}

type Outcome<T> = std::result::Result<T, Refused>;

/// A device presents the activation secret and its key. A lost answer is given again to the same device with
/// the same claim (K13); everybody else is refused (AC-15).
///
/// # Errors
/// If the database fails or a secret does not open.
pub async fn claim(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    base: &str,
    (hello, mac, brought): (&Hello, &[u8], Option<Brought>),
) -> Result<Outcome<Claimed>> {
    let subject = house.address_subject(realm.tenant(), "claims", visit.address);
    let claimed = house.db.write(async |connection| {
        let tenant = realm.tenant();
        let start = window_start(visit.now, WINDOW);
        let hits = throttle::hit(connection, tenant, &subject, start).await?;
        if hits > house.settings.claims_per_address {
            return Ok(Ok(Err(Refused::TooMany)));
        }
        let Some(activation) = held(connection, realm, hello.activation).await? else {
            return Ok(Ok(Err(Refused::Unknown)));
        };
        if let Err(refused) = usable(visit, &activation) {
            return refuse(connection, house, realm, visit, &activation, refused).await;
        }
        let secret = match opened(house, realm, "secret_sealed", activation.id, &activation.secret_sealed) {
            Ok(secret) => secret,
            Err(error) => return Ok(Err(error)),
        };
        if !claim_is_right(base, hello, &secret, mac) {
            // A place in a task that is shut takes its activation with it, and is told of by itself.
            mailed::device_failed(connection, house, realm, visit, &activation).await?;
            if activations::fail(connection, tenant, activation.id, MOST_FAILURES).await? {
                locked(connection, house, realm, visit, &activation).await?;
            }
            return refuse(connection, house, realm, visit, &activation, Refused::Secret).await;
        }
        // A device that was sent back to claim anew is the only one that may.
        if activation.state == State::Issued
            && activation.device_key.as_ref().is_some_and(|key| *key != hello.device_key)
        {
            return refuse(connection, house, realm, visit, &activation, Refused::Used).await;
        }
        if activation.state == State::Claimed {
            return again(connection, house, realm, visit, &activation, hello, mac).await;
        }
        if let Err(refused) = entitled(connection, realm, visit, &activation, hello).await? {
            // Whoever waits at the page must hear of it there, too: the device may be in another room.
            let why = match refused {
                Refused::Platform => Some(WRONG_DEVICE),
                Refused::OldSystem => Some(OLD_SYSTEM),
                _ => None,
            };
            if let Some(why) = why {
                activations::refusal_noted(tenant, activation.id, why).run(connection).await?;
            }
            return refuse(connection, house, realm, visit, &activation, refused).await;
        }
        let Some(kept) =
            agreed(house, realm, visit, base, hello, (&secret, mac), &account(connection, realm, &activation).await?)
        else {
            return refuse(connection, house, realm, visit, &activation, Refused::Malformed).await;
        };
        let sealed = sealed(house, realm, activation.id, &kept);
        let until = visit.now.plus(CONFIRM_WITHIN);
        let device = device_of(hello, brought);
        if !activations::claim(connection, tenant, activation.id, &hello.device_key, &sealed, &device, visit.now, until)
            .await?
        {
            return refuse(connection, house, realm, visit, &activation, Refused::Used).await;
        }
        // Where the string stood in a mail, the device says only now what it is.
        if activation.platform.is_none()
            && let Ok(platform) = hello.platform.parse()
        {
            enrollments::choose(connection, tenant, activation.enrollment, Some(platform), visit.now).await?;
        }
        progressed(&activation, tenant, Reached::App, visit.now).run(connection).await?;
        record(connection, house, realm, visit, &activation, (Action::ActivationClaimed, "")).await?;
        Ok(Ok(Ok(kept.answer)))
    });
    claimed.await?
}

/// The device shows that it has the keys; the server shows the same. Then the enrollment waits for its first
/// passcode, and the login page moves on by itself.
///
/// # Errors
/// If the database fails or a secret does not open.
pub async fn confirm(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    id: ActivationId,
    mac: &[u8],
) -> Result<Outcome<[u8; MAC_LENGTH]>> {
    let confirmed = house.db.write(async |connection| {
        let tenant = realm.tenant();
        let Some(activation) = held(connection, realm, id).await? else { return Ok(Ok(Err(Refused::Unknown))) };
        if activation.state != State::Completed
            && let Err(refused) = usable(visit, &activation)
        {
            return refuse(connection, house, realm, visit, &activation, refused).await;
        }
        let Some(handshake) = &activation.handshake_sealed else {
            // The device that is to claim anew did not hear of it, and asks again.
            let is_reopened = activation.state == State::Issued && activation.device_key.is_some();
            return Ok(Ok(Err(if is_reopened { Refused::TemplateChanged } else { Refused::Unknown })));
        };
        let mut kept: Kept = match opened(house, realm, "handshake_sealed", id, handshake)
            .map(|kept| serde_json::from_slice(kept.expose()))
        {
            Ok(Ok(kept)) => kept,
            Ok(Err(_)) => return Ok(Ok(Err(Refused::Unknown))),
            Err(error) => return Ok(Err(error)),
        };
        use subtle::ConstantTimeEq as _;
        if !bool::from(kept.device_mac.as_slice().ct_eq(mac)) {
            // A place in a task that is shut takes its activation with it, and is told of by itself.
            mailed::device_failed(connection, house, realm, visit, &activation).await?;
            if activations::fail(connection, tenant, id, MOST_FAILURES).await? {
                locked(connection, house, realm, visit, &activation).await?;
            }
            return refuse(connection, house, realm, visit, &activation, Refused::Confirm).await;
        }
        // The answer was lost on the way; the same device asks again.
        if activation.state == State::Completed {
            return Ok(Ok(Ok(kept.server_mac)));
        }
        // What counts is the template at the moment at which the device completes the activation.
        if kept.template != realm.config.settings.token_templates.app {
            activations::reopen(connection, tenant, id).await?;
            return refuse(connection, house, realm, visit, &activation, Refused::TemplateChanged).await;
        }
        let secret = SecretBytes::new(std::mem::take(&mut kept.otp_secret));
        let rest = sealed(house, realm, id, &kept);
        let brought =
            mailed::Brought { activation: &activation, kept: &kept.template, serial: &kept.serial, rest: &rest };
        match mailed::device_confirmed(connection, house, realm, visit, &brought, &secret).await? {
            mailed::ByMail::No => {}
            mailed::ByMail::Refused => {
                return refuse(connection, house, realm, visit, &activation, Refused::NotEntitled).await;
            }
            mailed::ByMail::Enrolled => {
                record(connection, house, realm, visit, &activation, (Action::ActivationConfirmed, "")).await?;
                return Ok(Ok(Ok(kept.server_mac)));
            }
        }
        let place = Place::new(tenant, "enrollment", "secret_sealed", activation.enrollment);
        let ready = Ready {
            template: kept.template.clone(),
            serial: kept.serial.clone(),
            secret_sealed: house.sealer.seal(place, &secret),
            device: activation.device.clone().unwrap_or_default(),
            device_key: activation.device_key.clone(),
        };
        // First of all: whoever has enrolled in another browser meanwhile has this device refused however often it asks.
        if !enrollments::set_ready(connection, tenant, activation.enrollment, &ready, true, visit.now).await? {
            return refuse(connection, house, realm, visit, &activation, Refused::Expired).await;
        }
        // Whatever has ended it since it was read: nothing of all this is kept, and the device hears of that.
        if !activations::complete(connection, tenant, id, &rest, visit.now).await? {
            return Err(storage::Error::Contended);
        }
        progressed(&activation, tenant, Reached::Activated, visit.now).run(connection).await?;
        record(connection, house, realm, visit, &activation, (Action::ActivationConfirmed, "")).await?;
        Ok(Ok(Ok(kept.server_mac)))
    });
    confirmed.await?
}

/// The activation, with its login's row locked: device and page then run one after the other.
/// The statement that writes down how far the person of an activation has come.
fn progressed(activation: &Activation, tenant: TenantId, step: Reached, now: Timestamp) -> Statement {
    rollout_attempts::reached(Key { tenant, user: activation.user, login: activation.login }, step, now)
}

async fn held(connection: &mut Connection, realm: &Realm, id: ActivationId) -> storage::Result<Option<Activation>> {
    let Some(seen) = activations::with_id(connection, realm.tenant(), id).await? else { return Ok(None) };
    logins::hold(connection, realm.tenant(), seen.login).await?;
    // One whose string stands in a mail has no login: there the person's row keeps its devices apart.
    if logins::with_id(connection, realm.tenant(), seen.login).await?.is_none() {
        users::hold(connection, realm.tenant(), seen.user).await?;
    }
    activations::with_id(connection, realm.tenant(), id).await
}

/// What follows when failed presentations lock an activation: it is written down, and the operators hear of it.
async fn locked(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    activation: &Activation,
) -> storage::Result<()> {
    let tenant = realm.tenant();
    record(connection, house, realm, visit, activation, (Action::ActivationLocked, "")).await?;
    let key = Key { tenant, user: activation.user, login: activation.login };
    rollout_attempts::ended(key, "activation_locked", visit.now).run(connection).await?;
    let login = logins::with_id(connection, tenant, activation.login).await?;
    let alert = Alert {
        kind: Kind::EnrollmentLockout,
        at: visit.now,
        user: Some(activation.user),
        username: account(connection, realm, activation).await?,
        serial: String::new(),
        application: String::new(),
        address: visit.address.to_string(),
        correlation: login.map(|row| row.login.correlation),
        detail: String::new(),
    };
    alerts::raise(connection, house, &realm.config, &alert).await
}

/// The checks that need nothing but the activation, in the order of part B3.
fn usable(visit: &Visit, activation: &Activation) -> Outcome<()> {
    match activation.state {
        State::Completed => Err(Refused::Used),
        State::Locked => Err(Refused::Locked),
        State::Void => Err(Refused::Expired),
        State::Issued | State::Claimed if visit.now >= activation.expires_at => Err(Refused::Expired),
        State::Issued | State::Claimed => Ok(()),
    }
}

/// The checks that ask about the person and the device, once the secret is right.
async fn entitled(
    connection: &mut Connection,
    realm: &Realm,
    visit: &Visit,
    activation: &Activation,
    hello: &Hello,
) -> storage::Result<Outcome<()>> {
    let tenant = realm.tenant();
    let user = users::with_id(connection, tenant, activation.user).await?;
    let enrollment = enrollments::with_id(connection, tenant, activation.enrollment).await?;
    let login = logins::with_id(connection, tenant, activation.login).await?;
    let owned = tokens::of_user(tenant, activation.user).ask(connection).await?;
    let no_login = login.is_none();
    let login_open = login.is_some_and(|row| {
        let unchanged = user.as_ref().is_some_and(|user| user.security_version == row.login.security_version);
        row.login.stage == Stage::Open && !row.login.expired(visit.now) && unchanged
    });
    let beside = enrollment.as_ref().is_some_and(|enrollment| enrollment.beside);
    let expected = if beside { Tokens::Usable } else { Tokens::None };
    let reservation = enrollment.as_ref().and_then(|enrollment| enrollment.reservation);
    let open = enrollment.is_some_and(|enrollment| enrollment.state == EnrollmentState::Open && !enrollment.activated);
    let enabled = user.as_ref().is_some_and(|user| user.status == Status::Enabled);
    // Where an operator has sent a mail, there may be another authenticator already; in a login only if a recovery code or a
    // pass vouches for this one (T-09).
    let may = match reservation {
        Some(id) => {
            let email = user.as_ref().and_then(|user| user.email.as_deref());
            let place = reservations::with_id(tenant, id).ask(connection).await?;
            // Without a page there is nowhere to show a PIN that the server makes.
            let no_page = no_login && !has_pin(&realm.config.settings.token_templates.app);
            (login_open || no_page) && place.is_some_and(|place| place.open(email, visit.now).is_ok())
        }
        None if tokens::summary(&owned) == expected => login_open,
        None => login_open && !beside && logins::evidence(tenant, activation.login).ask(connection).await?.vouched(),
    };
    if !may || !open || !enabled {
        return Ok(Err(Refused::NotEntitled));
    }
    let platforms = &realm.config.settings.platforms;
    let told = hello.platform.parse::<Platform>().ok().filter(|platform| platform.speaks_our_protocol());
    let Some(platform) = told.filter(|told| activation.platform.is_none_or(|issued| issued == *told)) else {
        return Ok(Err(Refused::Platform));
    };
    if !platforms.rule(platform).allowed {
        return Ok(Err(Refused::Platform));
    }
    Ok(if platforms.new_enough(platform, &hello.os_version) { Ok(()) } else { Err(Refused::OldSystem) })
}

async fn account(connection: &mut Connection, realm: &Realm, activation: &Activation) -> storage::Result<String> {
    let user = users::with_id(connection, realm.tenant(), activation.user).await?;
    Ok(user.map(|user| user.username).unwrap_or_default())
}

/// The server's half of the handshake; `None` if the device's key or nonce is malformed.
fn agreed(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    base: &str,
    hello: &Hello,
    (secret, mac): (&SecretBytes, &[u8]),
    account: &str,
) -> Option<Kept> {
    if hello.nonce.len() != NONCE_LENGTH {
        return None;
    }
    let pair = (0..8).find_map(|_| Pair::of_random(&house.entropy.bytes()))?;
    let template = realm.config.settings.token_templates.app.clone();
    let parameters = Parameters {
        serial: enrollment::new_serial(house),
        template: template.clone(),
        organization: realm.config.tenant.name.clone(),
        account: account.to_owned(),
        server_time: visit.now.seconds(),
    };
    let answer = Claimed {
        server_key: pair.public(),
        nonce: house.entropy.bytes::<NONCE_LENGTH>().to_vec(),
        parameters: serde_json::to_string(&parameters).ok()?,
    };
    let transcript = transcript(base, hello, &answer.server_key, &answer.nonce, &answer.parameters);
    let keys = pair.keys(&hello.device_key, secret, &transcript, template.secret_length()).ok()?;
    Some(Kept {
        claim: mac.try_into().ok()?,
        device_mac: keys.device_mac(&transcript),
        server_mac: keys.server_mac(&transcript),
        otp_secret: keys.otp_secret.expose().to_vec(),
        calls: keys.calls.expose().to_vec(),
        serial: parameters.serial,
        transcript,
        template,
        answer,
    })
}

/// The same claim of the same device once more: its answer was lost (K13).
async fn again(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    activation: &Activation,
    hello: &Hello,
    mac: &[u8],
) -> storage::Result<Result<Outcome<Claimed>>> {
    let Some(sealed) = &activation.handshake_sealed else {
        return refuse(connection, house, realm, visit, activation, Refused::Used).await;
    };
    let kept = match opened(house, realm, "handshake_sealed", activation.id, sealed) {
        Ok(kept) => serde_json::from_slice::<Kept>(kept.expose()).ok(),
        Err(error) => return Ok(Err(error)),
    };
    let same_key = activation.device_key.as_deref() == Some(hello.device_key.as_slice());
    match kept {
        Some(kept) if same_key && kept.claim.as_slice() == mac => Ok(Ok(Ok(kept.answer))),
        _ => refuse(connection, house, realm, visit, activation, Refused::Used).await,
    }
}

fn sealed(house: &House, realm: &Realm, id: ActivationId, kept: &Kept) -> Vec<u8> {
    let place = Place::new(realm.tenant(), "activation", "handshake_sealed", id);
    house.sealer.seal(place, &SecretBytes::new(serde_json::to_vec(kept).unwrap_or_default()))
}

/// Takes the key for the calls of the device that has completed the activation of an enrollment, if that device is this one.
pub(super) async fn take_calls_key(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    enrollment: EnrollmentId,
    device_key: &[u8],
) -> storage::Result<Result<Option<SecretBytes>>> {
    let newest = activations::newest_of(connection, realm.tenant(), enrollment).await?;
    let newest = newest.filter(|it| it.state == State::Completed && it.device_key.as_deref() == Some(device_key));
    let Some((id, handshake)) = newest.and_then(|it| Some((it.id, it.handshake_sealed?))) else { return Ok(Ok(None)) };
    let kept = match opened(house, realm, "handshake_sealed", id, &handshake) {
        Ok(kept) => serde_json::from_slice::<Kept>(kept.expose()).ok(),
        Err(error) => return Ok(Err(error)),
    };
    let Some(mut kept) = kept.filter(|kept| !kept.calls.is_empty()) else { return Ok(Ok(None)) };
    let key = SecretBytes::new(std::mem::take(&mut kept.calls));
    // What was completed before secrets were left out may still hold one.
    kept.otp_secret.clear();
    activations::keep(connection, realm.tenant(), id, &sealed(house, realm, id, &kept)).await?;
    Ok(Ok(Some(key)))
}

fn opened(house: &House, realm: &Realm, column: &'static str, id: ActivationId, sealed: &[u8]) -> Result<SecretBytes> {
    Ok(house.sealer.open(Place::new(realm.tenant(), "activation", column, id), sealed)?)
}

/// What a device told about itself, cut to what an operator's table can show.
fn device_of(hello: &Hello, brought: Option<Brought>) -> serde_json::Value {
    let short = |text: &str| text.chars().filter(|c| !c.is_control()).take(100).collect::<String>();
    serde_json::json!({ "name": short(&hello.device_name), "platform": hello.platform,
        "os_version": short(&hello.os_version), "app_version": short(&hello.app_version),
        "brought_by": brought.map(Brought::id) })
}

async fn record(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    activation: &Activation,
    (action, reason): (Action, &str),
) -> storage::Result<()> {
    let login = logins::with_id(connection, realm.tenant(), activation.login).await?;
    let event = Event::new(visit.now, realm.tenant(), Actor::Device, action).on("activation", activation.id);
    let event = event.from_address(visit.address).with(serde_json::json!({ "reason": reason }));
    let event = match login {
        Some(row) => event.in_login(row.login.correlation),
        None => event,
    };
    house.record(connection, event).await
}

async fn refuse<T>(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    activation: &Activation,
    refused: Refused,
) -> storage::Result<Result<Outcome<T>>> {
    let action = if refused == Refused::Used { Action::ActivationReused } else { Action::ActivationRefused };
    record(connection, house, realm, visit, activation, (action, &refused.to_string())).await?;
    Ok(Ok(Err(refused)))
}
