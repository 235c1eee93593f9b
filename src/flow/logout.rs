//! Single logout: sessions end here at once, whatever becomes of the service providers that heard of them.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::case::browser_hash;
use super::federation::Once;
use super::house::text;
use super::notices::GONE;
use super::{Browser, Error, House, Realm, Result, Visit, session};
use crate::domain::application::Protocol;
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::{LogoutId, UserId};
use crate::domain::logout::{Asker, Logout, Told};
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::session::Session;
use crate::storage::{logouts, saml_notices, users};

/// How long a browser may take on its way through the service providers.
pub const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// A service provider that can be told from server to server is told when the browser begins its way. If it never does, or
/// the call fails, it is told after this time, and again and again.
const GRACE: Duration = Duration::from_secs(30);

/// What happens when everybody was told.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// This service provider is answered, once.
    Answer(&'a Asker, &'a Once),
    /// The browser goes to this address, which was checked, or to the portal.
    GoTo(Option<&'a str>),
}

/// A logout that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Its identifier, for the address where the browser goes on.
    pub id: LogoutId,
    /// The cookie that binds it to that browser.
    pub cookie: SecretString,
}

/// Ends sessions and begins to tell everybody who heard of them, except the one that asked. None if there is nobody to be
/// told and nobody to be answered. A request is used up with what it ends: if that fails, it may come again.
///
/// # Errors
/// [`Error::Used`] if the request was used before; if the database fails.
pub async fn begin(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    sessions: &[Session],
    end: End<'_>,
) -> Result<Option<Begun>> {
    let (tenant, id) = (realm.tenant(), house.entropy.id());
    let begun = house.db.write(async |connection| {
        if let End::Answer(_, once) = end
            && !once.take(connection, tenant).await?
        {
            return Ok(Err(Error::Used));
        }
        let (asker, then) = match end {
            End::Answer(asker, _) => (Some(asker), None),
            End::GoTo(then) => (None, then),
        };
        let mut logout = Logout { asker: asker.cloned(), then: then.map(str::to_owned), ..Logout::default() };
        for ended in sessions {
            // One that had ended before was told of then.
            if !session::ended(connection, house, visit, ended).await? {
                continue;
            }
            // Not before: an answer that is given in it at this moment is waited for, and nobody else gets one.
            let participants = logouts::participants(tenant, ended.id).ask(connection).await?;
            for participant in participants {
                if asker.is_some_and(|asker| asker.application == participant.application) {
                    continue;
                }
                let application = realm.config.application(participant.application);
                let Some(Protocol::Saml(provider)) = application.map(|application| &application.protocol) else {
                    // Deactivated or removed, it may hold a session all the same (core 3.7.3.2).
                    logout.untold = true;
                    let event = Event::new(visit.now, tenant, Actor::System, Action::LogoutUndelivered);
                    let detail = json!({ "application": participant.application.to_string(), "reason": GONE });
                    house.record(connection, event.on("session", ended.id).with(detail)).await?;
                    continue;
                };
                if provider.logout.soap.is_some() {
                    let due = visit.now.plus(GRACE);
                    let engine = connection.engine();
                    saml_notices::insertion(engine, tenant, ended.id, &participant, due).run(connection).await?;
                }
                logout.heard(participant, ended.user, ended.id, provider.logout.is_offered());
            }
        }
        if logout.asker.is_none() && logout.stops.is_empty() {
            return Ok(Ok(None));
        }
        logouts::insertion(tenant, id, &logout, visit.now.plus(LIFETIME)).run(connection).await?;
        Ok(Ok(Some(id)))
    });
    let begun = begun.await??;
    // Relying parties are told server to server.
    house.wake_notices();
    Ok(begun.map(|id| {
        let digest = house.derived.cookies.of(&of_cookie(realm, id).each_ref().map(Vec::as_slice));
        Begun { id, cookie: SecretString::from(text(&digest)) }
    }))
}

/// What the cookie of a logout is computed from: with it nothing has to be stored.
fn of_cookie(realm: &Realm, id: LogoutId) -> [Vec<u8>; 3] {
    [b"logout".to_vec(), realm.tenant().to_bytes().to_vec(), id.to_bytes().to_vec()]
}

/// Whether this is the cookie of the browser that the logout goes through. A service provider that answers by its own server
/// has none: it would be sent on to the next one with that one's name for the person (T-45).
#[must_use]
pub fn is_of(house: &House, realm: &Realm, id: LogoutId, cookie: Option<&SecretString>) -> bool {
    let cookie = cookie.and_then(|cookie| URL_SAFE_NO_PAD.decode(cookie.expose_secret()).ok());
    let fields = of_cookie(realm, id);
    cookie.is_some_and(|cookie| house.derived.cookies.matches(&fields.each_ref().map(Vec::as_slice), &cookie))
}

/// Whether the person has logged in with this browser before.
///
/// # Errors
/// If the database fails.
pub async fn knows(house: &House, realm: &Realm, browser: &Browser, user: UserId) -> Result<bool> {
    let Some(cookie) = &browser.known else { return Ok(false) };
    let (tenant, hash) = (realm.tenant(), browser_hash(house, realm.tenant(), cookie));
    Ok(house.db.read(async |connection| users::knows_browser(tenant, user, &hash).ask(connection).await).await?)
}

/// A logout on its way, with the version that [`advance`] wants.
///
/// # Errors
/// If the database fails.
pub async fn look(house: &House, realm: &Realm, visit: &Visit, id: LogoutId) -> Result<Option<(i64, Logout)>> {
    let question = async |connection: &mut _| logouts::with_id(realm.tenant(), id, visit.now).ask(connection).await;
    Ok(house.db.read(question).await?)
}

/// Stores how far a logout is; whoever has done it needs no call any more. Says `false` if another request was faster; then the caller looks again. It leaves no
/// audit event: the sessions ended when it began, and that has one.
///
/// # Errors
/// If the database fails.
pub async fn advance(house: &House, realm: &Realm, id: LogoutId, version: i64, logout: &Logout) -> Result<bool> {
    let tenant = realm.tenant();
    let work = async |connection: &mut _| {
        if !logouts::advance(connection, tenant, id, version, logout).await? {
            return Ok(false);
        }
        for stop in logout.stops.iter().filter(|stop| stop.told == Told::Done) {
            for session in &stop.sessions {
                saml_notices::done(tenant, *session, (stop.application, stop.format)).run(connection).await?;
            }
        }
        Ok(true)
    };
    Ok(house.db.write(work).await?)
}
