//! Dynamic client registration (RFC 7591, 7592): applications that register themselves with a token that an operator has
//! handed out. Without such a token nothing is possible, so it is off until somebody makes one (ASVS 10.4.7).

use std::time::Duration;

use serde_json::json;

use super::administration::{Desk, tenants};
use super::house::text;
use super::{Error, House, Realm, Result, Visit};
use crate::domain::application::{Application, Protocol};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::{ApplicationId, TenantId};
use crate::domain::oidc_client::SecretDigest;
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::storage::{self, registrations};

fn hash(house: &House, tenant: TenantId, token: &SecretString) -> String {
    text(&house.derived.codes.of(&[b"registration", &tenant.to_bytes(), token.expose_secret().as_bytes()]))
}

/// A new secret for an application: 256 random bits.
#[must_use]
pub fn new_secret(house: &House) -> SecretString {
    house.new_cookie()
}

/// Makes a token that lets applications register, `uses` times within `life`. It is shown once.
///
/// # Errors
/// If the database fails.
pub async fn permit(desk: &Desk<'_>, tenant: TenantId, uses: i64, life: Duration) -> Result<SecretString> {
    let house = desk.house;
    let token = house.new_cookie();
    let hash = hash(house, tenant, &token);
    house
        .db
        .write(async |connection| {
            registrations::initial(tenant, &hash, uses, desk.now.plus(life), desk.now).run(connection).await?;
            let event = Event::new(desk.now, tenant, desk.actor.clone(), Action::RegistrationPermitted);
            house.record(connection, event.with(json!({ "uses": uses, "seconds": life.as_secs() }))).await
        })
        .await?;
    Ok(token)
}

/// Registers an application. Gives back the token by which it is managed.
///
/// # Errors
/// [`Error::Forbidden`] if the token is not good; [`Error::Used`] if the name or the identifier is taken.
pub async fn register(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    token: &SecretString,
    application: &Application,
) -> Result<SecretString> {
    let tenant = realm.tenant();
    let managing = house.new_cookie();
    let (presented, kept) = (hash(house, tenant, token), hash(house, tenant, &managing));
    let desk = Desk { house, actor: Actor::Stranger, now: visit.now };
    let registered = house.db.write(async |connection| {
        if !registrations::take(connection, tenant, &presented, visit.now).await? {
            return Ok(Err(Error::Forbidden));
        }
        tenants::put_application(&desk, connection, tenant, application, true).await?;
        registrations::managing(tenant, &kept, application.id, visit.now).run(connection).await?;
        storage::tenants::raise_version(connection, tenant, visit.now).await?;
        Ok(Ok(()))
    });
    taken(registered.await)??;
    house.forget_realms();
    Ok(managing)
}

fn taken<T>(result: storage::Result<T>) -> Result<T> {
    result.map_err(|error| if error.is_duplicate() { Error::Used } else { error.into() })
}

/// The application that a token manages.
///
/// # Errors
/// If the database fails.
pub async fn managed(house: &House, tenant: TenantId, token: &SecretString) -> Result<Option<ApplicationId>> {
    let hash = hash(house, tenant, token);
    Ok(house.db.read(async |connection| registrations::managed(tenant, &hash).ask(connection).await).await?)
}

/// Changes an application that manages itself.
///
/// # Errors
/// [`Error::Used`] if the name is taken; if the database fails.
pub async fn change(house: &House, realm: &Realm, visit: &Visit, application: &Application) -> Result<()> {
    let tenant = realm.tenant();
    let desk = Desk { house, actor: Actor::Stranger, now: visit.now };
    let changed = house.db.write(async |connection| {
        tenants::put_application(&desk, connection, tenant, application, false).await?;
        storage::tenants::raise_version(connection, tenant, visit.now).await
    });
    taken(changed.await)?;
    house.forget_realms();
    Ok(())
}

/// Gives an application another secret, known here by its digest; the one before stays valid for `grace`.
/// Says `false` if there is no application with this `client_id` that proves itself by a secret.
///
/// # Errors
/// If the database fails.
pub async fn replace_secret(
    desk: &Desk<'_>,
    tenant: TenantId,
    client_id: &str,
    digest: SecretDigest,
    grace: Duration,
) -> Result<bool> {
    let house = desk.house;
    let replaced = house.db.write(async |connection| {
        let code = storage::tenants::code_of(tenant).ask(connection).await?;
        let config = match code {
            Some(code) => storage::tenants::config(connection, &code).await?,
            None => None,
        };
        let found = config.into_iter().flat_map(|config| config.applications).find_map(|application| match application
            .protocol
            .clone()
        {
            Protocol::Oidc(client) if client.client_id == client_id && client.authentication.has_secret() => {
                Some((application, client))
            }
            _ => None,
        });
        let Some((application, mut client)) = found else { return Ok(false) };
        client.replace_secret(digest, grace, desk.now);
        let application = Application { protocol: Protocol::Oidc(client), ..application };
        tenants::put_application(desk, connection, tenant, &application, false).await?;
        storage::tenants::raise_version(connection, tenant, desk.now).await?;
        Ok(true)
    });
    let replaced = replaced.await?;
    house.forget_realms();
    Ok(replaced)
}

/// Removes an application that manages itself.
///
/// # Errors
/// If the database fails.
pub async fn remove(house: &House, realm: &Realm, visit: &Visit, application: ApplicationId) -> Result<()> {
    let tenant = realm.tenant();
    let desk = Desk { house, actor: Actor::Stranger, now: visit.now };
    house
        .db
        .write(async |connection| {
            tenants::remove_application(&desk, connection, tenant, application).await?;
            registrations::forgotten(tenant, application).run(connection).await?;
            storage::tenants::raise_version(connection, tenant, visit.now).await
        })
        .await?;
    house.forget_realms();
    Ok(())
}
