//! Calls of an authenticator app after its activation (part E): each is authenticated with the key that only the device of
//! that authenticator has, and counted, so that none can be made up or made twice.

use super::house::window_start;
use super::lifecycle::{self, By, Ending};
use super::{House, Realm, Result, Visit, activation, letters};
use crate::domain::activation::call::Call;
use crate::domain::activation::handshake::MAC_LENGTH;
use crate::domain::audit::Actor;
use crate::domain::authenticator::lifecycle::{LockReason, Move, State};
use crate::domain::ids::{EnrollmentId, TenantId, TokenId, UserId};
use crate::domain::letter::Letter;
use crate::domain::secret::SecretBytes;
use crate::domain::timestamp::Timestamp;
use crate::keys::sealing::Place;
use crate::storage::tokens::{self, Moved, Token};
use crate::storage::{self, Connection, call_keys, throttle, users};

/// The window of the limit per address, in seconds.
const WINDOW: i64 = 600;
/// What a device calls that has seen too many wrong PINs.
pub const PIN_LOCKED: &str = "token/pin-locked";
/// What a device calls that wants to know how its authenticator is.
pub const STATUS: &str = "token/status";
/// What a device calls whose owner has removed the authenticator there.
pub const TOKEN_REMOVED: &str = "token/removed";
/// Why a token is suspended that was removed there, for operators.
pub const REMOVED: &str = "removed on device";

/// Why a call is refused; each has its own code in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such authenticator, its device has no key for calls, or the MAC is wrong: all alike.
    #[error("the call could not be authenticated")]
    Denied,
    /// A call with this counter or a higher one was made before.
    #[error("a call with this counter or a higher one was made before; the last one had {last}")]
    Counter {
        /// The highest one that was used.
        last: i64,
    },
    /// Too many calls from one address.
    #[error("too many attempts from this network: wait ten minutes")]
    TooMany,
    /// The authenticator moved on at the same moment: call again.
    #[error("the authenticator was changed at the same moment: call again")]
    Overtaken,
}

fn place(tenant: TenantId, token: TokenId) -> Place {
    Place::new(tenant, "token_call_key", "key_sealed", token)
}

/// Keeps the key for the calls of the device that made the enrollment of a token that is born now, sealed for its row. A
/// device that was activated before there were such calls has none.
pub(super) async fn adopt(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    enrollment: EnrollmentId,
    token: &Token,
) -> storage::Result<Result<()>> {
    let Some(device_key) = &token.device_key else { return Ok(Ok(())) };
    let key = match activation::take_calls_key(connection, house, realm, enrollment, device_key).await? {
        Ok(Some(key)) => key,
        Ok(None) => return Ok(Ok(())),
        Err(error) => return Ok(Err(error)),
    };
    let sealed = house.sealer.seal(place(token.tenant, token.id), &key);
    call_keys::insertion(token.tenant, token.id, &sealed).run(connection).await?;
    Ok(Ok(()))
}

/// A device tells that too many wrong PINs have locked it: the token is locked for good, unless it is revoked
/// already. Gives its state then; telling it twice says the same again.
///
/// # Errors
/// If the database fails or a key does not open.
pub async fn pin_locked(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    made: (&Call, &[u8]),
) -> Result<std::result::Result<State, Refused>> {
    let done = house.db.write(async |connection| {
        let (token, _) = match admitted(connection, house, realm, visit, made).await? {
            Ok(Ok(known)) => known,
            Ok(Err(refused)) => return Ok(Ok(Err(refused))),
            Err(error) => return Ok(Err(error)),
        };
        let step = (Move::Lock(LockReason::Pin), "wrong PINs");
        moved(connection, house, visit, &token, step).await.map(|moved| Ok(moved.map(|(state, _)| state)))
    });
    done.await?
}

/// An answer that the device can check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// JSON, to be checked as it is.
    pub answer: String,
    /// The MAC of [`Call::answer_mac`].
    pub mac: [u8; MAC_LENGTH],
}

/// A device asks how its authenticator is.
///
/// # Errors
/// If the database fails or a key does not open.
pub async fn status(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    made: (&Call, &[u8]),
) -> Result<std::result::Result<Told, Refused>> {
    // Nothing is changed but the counter: a question that is asked again after a power failure does no harm.
    let done = house.db.write_soon(async |connection| {
        let known = admitted(connection, house, realm, visit, made).await?;
        Ok(known.map(|known| known.map(|(token, key)| told(made.0, &key, token.state, visit.now))))
    });
    done.await?
}

/// A device tells that its owner has removed the authenticator there: it is suspended, and its owner hears of it by
/// mail, because it may have been somebody else who had the device in hand. What works no more already stays as it is.
///
/// # Errors
/// If the database fails or a key does not open.
pub async fn removed(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    made: (&Call, &[u8]),
) -> Result<std::result::Result<Told, Refused>> {
    let done = house.db.write(async |connection| {
        let (token, key) = match admitted(connection, house, realm, visit, made).await? {
            Ok(Ok(known)) => known,
            Ok(Err(refused)) => return Ok(Ok(Err(refused))),
            Err(error) => return Ok(Err(error)),
        };
        let (state, done) = match moved(connection, house, visit, &token, (Move::Suspend, REMOVED)).await? {
            Ok(moved) => moved,
            Err(refused) => return Ok(Ok(Err(refused))),
        };
        if done && let Some(user) = token.user {
            tell_of_removal(connection, house, realm, visit, (&token, user)).await?;
        }
        Ok(Ok(Ok(told(made.0, &key, state, visit.now))))
    });
    let done = done.await?;
    house.mail_waits.notify_one();
    house.notices_wait.notify_one();
    done
}

/// What the device hears.
fn told(call: &Call, key: &SecretBytes, state: State, now: Timestamp) -> Told {
    let answer = serde_json::json!({ "state": state.id(), "server_time": now.seconds() }).to_string();
    Told { mac: call.answer_mac(key, &answer), answer }
}

/// Moves a token because its device says so. Gives its state then, and whether it was moved: it may be where it was to go,
/// or further, already.
async fn moved(
    connection: &mut Connection,
    house: &House,
    visit: &Visit,
    token: &Token,
    step: (Move, &str),
) -> storage::Result<std::result::Result<(State, bool), Refused>> {
    let by = By::visitor(Actor::Device, visit);
    // What the device gave before was given with the right PIN, and by its owner: its sessions end, those of other
    // authenticators do not.
    Ok(match lifecycle::carry_out(connection, house, &by, token, step, Ending::ItsOwn).await? {
        Moved::To(state) => Ok((state, true)),
        Moved::Refused => Ok((token.state, false)),
        Moved::Overtaken => Err(Refused::Overtaken),
    })
}

async fn tell_of_removal(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    (token, user): (&Token, UserId),
) -> storage::Result<()> {
    let Some(user) = users::with_id(connection, realm.tenant(), user).await? else { return Ok(()) };
    let letter = Letter::RemovedOnDevice {
        device: token.name.clone(),
        serial: token.serial.clone(),
        at: visit.now,
        address: visit.address.to_string(),
    };
    // The device's language is whose hand it is in; the letter goes to the owner.
    let language = user.language.clone().unwrap_or_else(|| realm.config.tenant.default_language.clone());
    let visit = Visit { language, ..visit.clone() };
    letters::send_until(connection, house, realm, &visit, &user, None, letter, visit.now.plus(letters::NOTICE)).await
}

/// The token whose device makes this call and its key, unless too many calls from its address were refused.
async fn admitted(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    made: (&Call, &[u8]),
) -> storage::Result<Result<std::result::Result<(Token, SecretBytes), Refused>>> {
    let subject = house.address_subject(realm.tenant(), "calls", visit.address);
    let window = window_start(visit.now, WINDOW);
    // Only refused calls count: behind one address there may be a company full of devices.
    if throttle::hits(connection, realm.tenant(), &subject, window).await? >= house.settings.claims_per_address {
        return Ok(Ok(Err(Refused::TooMany)));
    }
    let known = caller(connection, house, realm, made).await?;
    if matches!(known, Ok(Err(_))) {
        throttle::hit(connection, realm.tenant(), &subject, window).await?;
    }
    Ok(known)
}

/// The token whose device makes this call, and the call counted.
async fn caller(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    (call, mac): (&Call, &[u8]),
) -> storage::Result<Result<std::result::Result<(Token, SecretBytes), Refused>>> {
    let tenant = realm.tenant();
    let token = tokens::with_serial(connection, tenant, &call.serial).await?;
    let sealed = match &token {
        Some(token) => call_keys::of(tenant, token.id).ask(connection).await?,
        None => None,
    };
    let (Some(token), Some(sealed)) = (token, sealed) else { return Ok(Ok(Err(Refused::Denied))) };
    let key: SecretBytes = match house.sealer.open(place(tenant, token.id), &sealed) {
        Ok(key) => key,
        Err(error) => return Ok(Err(error.into())),
    };
    if !call.is_right(&key, mac) {
        return Ok(Ok(Err(Refused::Denied)));
    }
    let counter = i64::try_from(call.counter).unwrap_or(i64::MAX);
    if !tokens::accept_call(connection, tenant, token.id, counter).await? {
        return Ok(Ok(Err(Refused::Counter { last: token.device_counter })));
    }
    Ok(Ok(Ok((token, key))))
}
