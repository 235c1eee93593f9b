//! Single logout: sessions end here at once, whatever becomes of the service providers that heard of them.

use std::time::Duration;

use super::{House, Realm, Result, Visit, session};
use crate::domain::application::Protocol;
use crate::domain::ids::LogoutId;
use crate::domain::logout::{Asker, Logout, Told};
use crate::domain::session::Session;
use crate::storage::{logouts, saml_notices};

/// How long a browser may take on its way through the service providers.
const LIFETIME: Duration = Duration::from_secs(10 * 60);
/// A service provider that can be told from server to server is told when the browser begins its way. If it never does, or
/// the call fails, it is told after this time, and again and again.
const GRACE: Duration = Duration::from_secs(30);

/// What happens when everybody was told.
#[derive(Debug, Clone, Copy)]
pub enum End<'a> {
    /// This service provider is answered.
    Answer(&'a Asker),
    /// The browser goes to this address, which was checked, or to the portal.
    GoTo(Option<&'a str>),
}

/// Ends sessions and begins to tell everybody who heard of them, except the one that asked. Gives the identifier of
/// the logout; none if there is nobody to be told and nobody to be answered.
///
/// # Errors
/// If the database fails.
pub async fn begin(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    sessions: &[Session],
    end: End<'_>,
) -> Result<Option<LogoutId>> {
    let (tenant, id) = (realm.tenant(), house.entropy.id());
    let begun = house.db.write(async |connection| {
        let (asker, then) = match end {
            End::Answer(asker) => (Some(asker), None),
            End::GoTo(then) => (None, then),
        };
        let mut logout = Logout { asker: asker.cloned(), then: then.map(str::to_owned), ..Logout::default() };
        for ended in sessions {
            let participants = logouts::participants(tenant, ended.id).ask(connection).await?;
            // One that had ended before was told of then.
            if !session::ended(connection, house, visit, ended).await? {
                continue;
            }
            for participant in participants {
                let is_asker = asker.is_some_and(|asker| asker.application == participant.application);
                let application = realm.config.application(participant.application);
                let Some(application) = application.filter(|_| !is_asker) else { continue };
                let Protocol::Saml(provider) = &application.protocol else { continue };
                if provider.logout.soap.is_some() {
                    let due = visit.now.plus(GRACE);
                    saml_notices::insertion(tenant, ended.id, &participant, due).run(connection).await?;
                }
                logout.heard(participant, ended.user, ended.id, provider.logout.is_offered());
            }
        }
        if logout.asker.is_none() && logout.stops.is_empty() {
            return Ok(None);
        }
        logouts::insertion(tenant, id, &logout, visit.now.plus(LIFETIME)).run(connection).await?;
        Ok(Some(id))
    });
    let begun = begun.await?;
    // Relying parties are told server to server.
    house.wake_notices();
    Ok(begun)
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
