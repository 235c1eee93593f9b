//! Dynamic client registration (RFC 7591, 7592): applications that register themselves with a token that an operator has
//! handed out. Without such a token nothing is possible, so it is off until somebody makes one (ASVS 10.4.7).

use std::time::Duration;

use serde_json::json;

use super::administration::{Desk, tenants};
use super::house::text;
use super::{Error, House, Realm, Result, Visit};
use crate::domain::application::{Application, Protocol};
use crate::domain::audit::{Action, Actor};
use crate::domain::ids::{ApplicationId, TenantId};
use crate::domain::oidc_client::SecretDigest;
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::timestamp::Timestamp;
use crate::storage::{self, Connection, registrations};

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
            let event = desk.event(tenant, Action::RegistrationPermitted);
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
    let desk = Desk { house, actor: Actor::Stranger, address: visit.address.to_string(), now: visit.now };
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

/// The application that a token manages, as it is stored at this moment, and the version of the configuration that says so.
/// What the request was checked against at its beginning may be long over: its body comes when its sender pleases.
async fn own(
    connection: &mut Connection,
    realm: &Realm,
    hash: &str,
    id: ApplicationId,
) -> storage::Result<Result<(i64, Application)>> {
    let tenant = realm.tenant();
    let version = storage::tenants::version(connection, realm.code()).await?;
    if registrations::managed(tenant, hash).ask(connection).await? != Some(id) {
        return Ok(Err(Error::Forbidden));
    }
    let found = storage::tenants::application(connection, tenant, id).await?;
    Ok(match (version, found) {
        (Some(version), Some(application)) if application.active => Ok((version, application)),
        (Some(_), Some(_)) => Err(Error::WrongMoment),
        _ => Err(Error::Forbidden),
    })
}

/// The application that a token manages, as it is stored at this moment: what is in memory knows nothing of those that an operator
/// has stopped.
///
/// # Errors
/// As [`change`].
pub async fn managed(house: &House, realm: &Realm, token: &SecretString, id: ApplicationId) -> Result<Application> {
    let hash = hash(house, realm.tenant(), token);
    let own = house.db.read(async |connection| own(connection, realm, &hash, id).await).await?;
    Ok(own?.1)
}

/// Makes the version the next one; whatever somebody else changed since it was read, this is tried again after it.
async fn next_version(
    connection: &mut Connection,
    tenant: TenantId,
    version: i64,
    now: Timestamp,
) -> storage::Result<()> {
    let taken = storage::tenants::take_version(connection, tenant, version, now).await?;
    if taken { Ok(()) } else { Err(storage::Error::Contended) }
}

/// Changes an application that manages itself by `token`: `change` makes of it, as it is stored at this moment, what it wants
/// to be. What an operator has done to it meanwhile stands.
///
/// # Errors
/// [`Error::Forbidden`] if it is gone or the token is; [`Error::WrongMoment`] if an operator has stopped it; [`Error::Used`] if
/// the name is taken; if the database fails. Within that, why `change` refuses.
pub async fn change<T, E>(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    (token, id): (&SecretString, ApplicationId),
    change: impl Fn(&Application) -> std::result::Result<(Application, T), E>,
) -> Result<std::result::Result<(Application, T), E>> {
    let tenant = realm.tenant();
    let hash = hash(house, tenant, token);
    let desk = Desk { house, actor: Actor::Stranger, address: visit.address.to_string(), now: visit.now };
    let changed = house.db.write(async |connection| {
        let (version, before) = match own(connection, realm, &hash, id).await? {
            Ok(own) => own,
            Err(error) => return Ok(Err(error)),
        };
        let changed = match change(&before) {
            Ok(changed) => changed,
            Err(refused) => return Ok(Ok(Err(refused))),
        };
        next_version(connection, tenant, version, visit.now).await?;
        tenants::put_application(&desk, connection, tenant, &changed.0, false).await?;
        Ok(Ok(Ok(changed)))
    });
    let changed = taken(changed.await)??;
    house.forget_realms();
    Ok(changed)
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
        let version = config.as_ref().map_or(0, |config| config.version);
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
        next_version(connection, tenant, version, desk.now).await?;
        tenants::put_application(desk, connection, tenant, &application, false).await?;
        Ok(true)
    });
    let replaced = replaced.await?;
    house.forget_realms();
    Ok(replaced)
}

/// Removes an application that manages itself by `token`.
///
/// # Errors
/// As [`change`].
pub async fn remove(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    (token, id): (&SecretString, ApplicationId),
) -> Result<()> {
    let tenant = realm.tenant();
    let hash = hash(house, tenant, token);
    let desk = Desk { house, actor: Actor::Stranger, address: visit.address.to_string(), now: visit.now };
    let removed = house.db.write(async |connection| {
        let version = match own(connection, realm, &hash, id).await? {
            Ok((version, _)) => version,
            Err(error) => return Ok(Err(error)),
        };
        next_version(connection, tenant, version, visit.now).await?;
        tenants::remove_application(&desk, connection, tenant, id).await?;
        Ok(Ok(()))
    });
    removed.await??;
    house.forget_realms();
    Ok(())
}
