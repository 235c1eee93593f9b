//! Calls of an authenticator app after its activation (part E): each is authenticated with the key that only the device of
//! that authenticator has, and counted, so that none can be made up or made twice.

use super::house::window_start;
use super::lifecycle::{self, By, Ending};
use super::{House, Realm, Result, Visit, activation};
use crate::domain::activation::call::Call;
use crate::domain::audit::Actor;
use crate::domain::authenticator::lifecycle::{LockReason, Move, State};
use crate::domain::ids::{EnrollmentId, TenantId, TokenId};
use crate::domain::secret::SecretBytes;
use crate::keys::sealing::Place;
use crate::storage::tokens::{self, Moved, Token};
use crate::storage::{self, Connection, call_keys, throttle};

/// The window of the limit per address, in seconds.
const WINDOW: i64 = 600;
/// What a device calls that has seen too many wrong PINs.
pub const PIN_LOCKED: &str = "token/pin-locked";

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
    let key = match activation::calls_key(connection, house, realm, enrollment, device_key).await? {
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
    (call, mac): (&Call, &[u8]),
) -> Result<std::result::Result<State, Refused>> {
    let subject = house.address_subject(realm.tenant(), "calls", visit.address);
    let done = house.db.write(async |connection| {
        let hits = throttle::hit(connection, realm.tenant(), &subject, window_start(visit.now, WINDOW)).await?;
        if hits > house.settings.claims_per_address {
            return Ok(Ok(Err(Refused::TooMany)));
        }
        let token = match caller(connection, house, realm, (call, mac)).await? {
            Ok(Ok(token)) => token,
            Ok(Err(refused)) => return Ok(Ok(Err(refused))),
            Err(error) => return Ok(Err(error)),
        };
        let by = By::visitor(Actor::Device, visit);
        let step = (Move::Lock(LockReason::Pin), "wrong PINs");
        // What the device gave before was given with the right PIN: its sessions end, those of other authenticators do not.
        let moved = lifecycle::carry_out(connection, house, &by, &token, step, Ending::ItsOwn).await?;
        Ok(Ok(match moved {
            Moved::To(state) => Ok(state),
            // Locked by its PIN or revoked before.
            Moved::Refused => Ok(token.state),
            Moved::Overtaken => Err(Refused::Overtaken),
        }))
    });
    done.await?
}

/// The token whose device makes this call, and the call counted.
async fn caller(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    (call, mac): (&Call, &[u8]),
) -> storage::Result<Result<std::result::Result<Token, Refused>>> {
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
    Ok(Ok(Ok(token)))
}
