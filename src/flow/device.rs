//! Letting in a device that has no browser (RFC 8628): it shows a short code, and a person who is logged in elsewhere types
//! it and says yes or no.

use std::collections::BTreeSet;
use std::time::Duration;

use super::federation::{self, Proven, Receipt};
use super::house::{text, window_start};
use super::{Browser, Error, House, Realm, Result, Visit, consent};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::{ApplicationId, GrantId, LoginId, TenantId};
use crate::domain::login::origin::Origin;
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::timestamp::Timestamp;
use crate::storage::devices::{self, Device, State};
use crate::storage::{self, throttle};

/// How long a person may take to come: short, since a code that is sent to a victim must be typed within it.
pub const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// How long a device must wait between two questions, in seconds (RFC 8628, 3.2).
pub const INTERVAL: i64 = 5;
/// The letters of a code that people type: none that look or sound alike, and no words can be made of them.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a code: 34 bits, of which a stranger may try twenty in ten minutes.
const LENGTH: usize = 8;
/// Wrong codes from one address in ten minutes.
const MOST_WRONG: i64 = 20;
const WINDOW: i64 = 600;
/// Why a word on a device is not kept.
const TOO_LATE: &str = "somebody has said something before, or the time is over";

/// What a device is told.
#[derive(Debug)]
pub struct Begun {
    /// Its secret.
    pub device_code: SecretString,
    /// What it shows.
    pub user_code: String,
}

/// The hash under which a device's secret code is kept, and the grant that the person makes of it.
#[must_use]
pub fn device_hash(house: &House, tenant: TenantId, code: &SecretString) -> String {
    text(&house.derived.codes.of(&[b"device", &tenant.to_bytes(), code.expose_secret().as_bytes()]))
}

fn user_hash(house: &House, tenant: TenantId, code: &str) -> String {
    text(&house.derived.codes.of(&[b"device user", &tenant.to_bytes(), code.as_bytes()]))
}

/// The letters of a code as a person typed it: case, blanks and hyphens do not count.
fn letters(typed: &str) -> String {
    let known = typed.chars().map(|c| c.to_ascii_uppercase()).filter(char::is_ascii_alphanumeric);
    known.take(LENGTH + 1).collect()
}

fn drawn(house: &House) -> String {
    let octets = house.entropy.bytes::<32>();
    // 240 is the largest multiple of 20 below 256: above it, some letters would come more often.
    let letters = octets.iter().filter(|octet| **octet < 240);
    letters
        .filter_map(|octet| LETTERS.get(usize::from(octet % 20)))
        .take(LENGTH)
        .map(|octet| char::from(*octet))
        .collect()
}

/// Begins: makes the two codes.
///
/// # Errors
/// If the database fails.
pub async fn begin(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    application: ApplicationId,
    request: String,
) -> Result<Begun> {
    let tenant = realm.tenant();
    let device_code = house.new_cookie();
    loop {
        let code = drawn(house);
        // 32 octets give eight letters but once in a billion times.
        if code.len() != LENGTH {
            continue;
        }
        let device = Device {
            device_hash: device_hash(house, tenant, &device_code),
            application,
            grant: house.new_id(visit.now),
            request: request.clone(),
            state: State::Waiting,
            address: visit.address.to_string(),
            interval_seconds: INTERVAL,
            polled_at: visit.now,
            created_at: visit.now,
            expires_at: visit.now.plus(LIFETIME),
        };
        let hash = user_hash(house, tenant, &code);
        let kept = house.db.write(async |connection| {
            devices::insertion(tenant, &hash, &device).run(connection).await?;
            let event = Event::new(visit.now, tenant, Actor::Device, Action::DeviceStarted);
            house.record(connection, event.on("application", application).from_address(visit.address)).await
        });
        match kept.await {
            Ok(()) => {
                let (left, right) = code.split_at(LENGTH / 2);
                return Ok(Begun { device_code, user_code: format!("{left}-{right}") });
            }
            // Another device has the same code at this moment.
            Err(error) if error.is_duplicate() => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The device whose code a person typed, if it still waits. Wrong codes are counted by address, so that nobody finds
/// somebody else's device by trying.
///
/// # Errors
/// [`Error::Forbidden`] after too many wrong ones; if the database fails.
pub async fn find(house: &House, realm: &Realm, visit: &Visit, typed: &str) -> Result<Option<Device>> {
    let tenant = realm.tenant();
    let subject = house.address_subject(tenant, "device codes", visit.address);
    let start = window_start(visit.now, WINDOW);
    let hash = user_hash(house, tenant, &letters(typed));
    let found = house.db.write(async |connection| {
        if throttle::hits(connection, tenant, &subject, start).await? >= MOST_WRONG {
            return Ok(Err(Error::Forbidden));
        }
        let device = devices::with_user_code(tenant, &hash).ask(connection).await?;
        let device = device.filter(|device| device.state == State::Waiting && visit.now < device.expires_at);
        if device.is_none() {
            throttle::hit(connection, tenant, &subject, start).await?;
        }
        Ok(Ok(device))
    });
    found.await?
}

/// The device with this hash, if it still waits.
///
/// # Errors
/// If the database fails.
pub async fn waiting(house: &House, realm: &Realm, hash: &str, now: Timestamp) -> Result<Option<Device>> {
    let tenant = realm.tenant();
    let found = house.db.read(async |connection| devices::with_device_code(tenant, hash).ask(connection).await);
    Ok(found.await?.filter(|device| device.state == State::Waiting && now < device.expires_at))
}

/// Writes down what the person says, once, and in the same breath gives out what is granted by a yes, and ends the login in
/// which it was said. `allowed` is what the person allows, if it is a yes. Says `false` if it was said before or the time is over; then
/// nothing was written.
///
/// # Errors
/// [`Error::WrongMoment`] if the login is not enough any more, so that the device still waits: the desk says what is lacking;
/// [`Error::NotThisBrowser`] if the login is another browser's; if the database fails.
pub async fn decide(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    (browser, login): (&Browser, LoginId),
    (device, allowed): (&Device, Option<&BTreeSet<String>>),
    receipt: impl Fn(&Proven, &str) -> Receipt,
) -> Result<bool> {
    let tenant = realm.tenant();
    let (state, action) =
        if allowed.is_some() { (State::Allowed, Action::DeviceAllowed) } else { (State::Denied, Action::DeviceDenied) };
    let from = (browser, Origin::Oidc, login);
    let decided = house.db.write(async |connection| {
        let (proven, _) = match federation::answer(connection, house, realm, visit, from, &receipt).await? {
            Ok(answered) => answered,
            Err(error) => return Ok(Err(error)),
        };
        // Who is later than somebody else gives nothing out, and undoes what was written a moment ago.
        if !devices::decide(connection, tenant, &device.device_hash, state, visit.now).await? {
            return Err(storage::Error::Unsupported(TOO_LATE));
        }
        let user = Actor::User(proven.member.user.id);
        let event = Event::new(visit.now, tenant, user, action).on("application", device.application);
        let detail = serde_json::json!({ "device_address": device.address });
        house.record(connection, event.from_address(visit.address).with(detail)).await?;
        if let Some(scopes) = allowed {
            // So that it stands in the portal and can be taken back there, as the page has said.
            let whose = (proven.member.user.id, device.application);
            consent::given(connection, house, realm, visit, whose, scopes).await?;
        }
        Ok(Ok(()))
    });
    match decided.await {
        Err(storage::Error::Unsupported(TOO_LATE)) => Ok(false),
        decided => decided?.map(|()| true),
    }
}

/// What a device is told when it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Polled {
    /// Nobody has said anything.
    Pending,
    /// It asks too often, and must wait longer from now on.
    TooOften,
    /// Somebody said yes.
    Allowed {
        /// The grant.
        grant: GrantId,
        /// Until when a person could have come.
        until: Timestamp,
    },
    /// Somebody said no.
    Denied,
    /// Nobody came in time.
    Expired,
    /// There is no such device.
    Unknown,
}

/// Answers a device's question.
///
/// # Errors
/// If the database fails.
pub async fn poll(
    house: &House,
    tenant: TenantId,
    visit: &Visit,
    application: ApplicationId,
    hash: &str,
) -> Result<Polled> {
    let polled = house.db.write(async |connection| -> storage::Result<Polled> {
        let device = devices::with_device_code(tenant, hash).ask(connection).await?;
        let Some(device) = device.filter(|device| device.application == application) else {
            return Ok(Polled::Unknown);
        };
        match device.state {
            State::Allowed => return Ok(Polled::Allowed { grant: device.grant, until: device.expires_at }),
            State::Denied => return Ok(Polled::Denied),
            State::Waiting if visit.now >= device.expires_at => return Ok(Polled::Expired),
            State::Waiting => {}
        }
        // A second of tolerance: clocks and networks are not exact.
        let wanted = Duration::from_secs(device.interval_seconds.unsigned_abs().saturating_sub(1));
        let early = visit.now.since(device.polled_at) < wanted;
        let interval = device.interval_seconds + if early { 5 } else { 0 };
        devices::polled(tenant, hash, interval, visit.now).run(connection).await?;
        Ok(if early { Polled::TooOften } else { Polled::Pending })
    });
    Ok(polled.await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_type_it() {
        for typed in ["BCDF-GHJK", "bcdfghjk", " bcdf ghjk ", "b-c-d-f-g-h-j-k", "BCDF–GHJK"] {
            assert_eq!(letters(typed), "BCDFGHJK", "{typed}");
        }
        assert_ne!(letters("BCDFGHJKL"), "BCDFGHJK", "one letter too many is another code");
    }
}
