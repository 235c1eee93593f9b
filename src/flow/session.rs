//! Single sign-on sessions: who is logged in here, and logging out.

use super::case::session_cookie_hash;
use super::{Browser, House, Realm, Result, Visit};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::session::Session;
use crate::storage::{self, Connection, grants, logout_notices, sessions, users};

/// The living session of this browser.
///
/// # Errors
/// If the database fails.
pub async fn current(house: &House, realm: &Realm, visit: &Visit, browser: &Browser) -> Result<Option<Session>> {
    let Some(cookie) = &browser.session else { return Ok(None) };
    let (tenant, hash) = (realm.tenant(), session_cookie_hash(house, realm.tenant(), cookie));
    let found = house.db.read(async |connection| {
        let Some(session) = sessions::with_cookie(tenant, &hash).ask(connection).await? else { return Ok(None) };
        let user = users::with_id(connection, tenant, session.user).await?;
        let settings = realm.config.settings.session;
        Ok(user.filter(|user| session.alive(settings, user.security_version, visit.now)).map(|_| session))
    });
    Ok(found.await?)
}

/// Ends a session in the transaction of `connection` and takes back what was granted in it. Says whether it was alive.
pub(super) async fn ended(
    connection: &mut Connection,
    house: &House,
    visit: &Visit,
    session: &Session,
) -> storage::Result<bool> {
    let tenant = session.tenant;
    if !sessions::end(connection, tenant, session.id, "logout", visit.now).await? {
        return Ok(false);
    }
    logout_notices::of_session(tenant, session.user, session.id, visit.now).run(connection).await?;
    grants::revoke_in_session(connection, tenant, (session.user, session.id), visit.now).await?;
    let event = Event::new(visit.now, tenant, Actor::User(session.user), Action::SessionEnded);
    house.record(connection, event.on("session", session.id).from_address(visit.address)).await?;
    Ok(true)
}
