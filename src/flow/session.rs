//! Single sign-on sessions: who is logged in here, and logging out.

use super::administration::Desk;
use super::case::session_cookie_hash;
use super::{Browser, House, Realm, Result, Visit};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::{TenantId, UserId};
use crate::domain::session::Session;
use crate::domain::timestamp::Timestamp;
use crate::storage::{self, Connection, grants, logout_notices, saml_notices, sessions, tenants, users};

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
    logout_notices::of_session(connection.engine(), tenant, session.user, session.id, visit.now)
        .run(connection)
        .await?;
    grants::revoke_in_session(connection, tenant, (session.user, session.id), visit.now).await?;
    let event = Event::new(visit.now, tenant, Actor::User(session.user), Action::SessionEnded);
    house.record(connection, event.on("session", session.id).from_address(visit.address)).await?;
    Ok(true)
}

/// Ends every session of a person in the transaction of `connection`, notes who is to be told of it, and takes back what
/// applications were given in them: an access token opened UserInfo for its quarter of an hour otherwise (INV-11, T-11).
pub(super) async fn all_ended(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    reason: &str,
    now: Timestamp,
) -> storage::Result<()> {
    long_over(connection, tenant, user, now).await?;
    sessions::hold_all_of(connection, tenant, user).await?;
    logout_notices::of_user(connection.engine(), tenant, user, now).run(connection).await?;
    saml_notices::of_user(connection.engine(), tenant, user, now).run(connection).await?;
    sessions::end_all_of(connection, tenant, user, reason, now).await?;
    grants::revoke_all_of(connection, tenant, user, now).await?;
    Ok(())
}

/// Writes down which sessions of a person have ended by their age, to be run before others are ended: the rows stay for a
/// month, and each would be a call to everybody who heard of it and an audit event.
pub(super) async fn long_over(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    now: Timestamp,
) -> storage::Result<()> {
    let Some(settings) = tenants::settings_of(tenant).ask(connection).await? else { return Ok(()) };
    sessions::long_over(tenant, user, settings.session.earliest(now), now).run(connection).await?;
    Ok(())
}

/// Ends a session because an operator says so.
///
/// # Errors
/// If the database fails.
pub async fn ended_by(desk: &Desk<'_>, connection: &mut Connection, session: &Session) -> storage::Result<()> {
    let _ = one_ended(connection, session, "ended by an operator", desk.now).await?;
    let event = desk.event(session.tenant, Action::SessionEnded);
    desk.house.record(connection, event.on("session", session.id)).await
}

/// Ends one session as [`all_ended`] does all of them, if it is alive. Says whether it was.
pub(super) async fn one_ended(
    connection: &mut Connection,
    session: &Session,
    reason: &str,
    now: Timestamp,
) -> storage::Result<bool> {
    let Session { tenant, id, user, .. } = *session;
    let alive = sessions::end(connection, tenant, id, reason, now).await?;
    if alive {
        logout_notices::of_session(connection.engine(), tenant, user, id, now).run(connection).await?;
        saml_notices::of_session(connection.engine(), tenant, id, now).run(connection).await?;
        grants::revoke_in_session(connection, tenant, (user, id), now).await?;
    }
    Ok(alive)
}
