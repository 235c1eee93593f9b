//! Pushed authorization requests (RFC 9126): kept for a moment, and used once, whatever comes of it (T-53).

use std::time::Duration;

use super::house::text;
use super::{Error, House, Result, Visit};
use crate::domain::ids::{ApplicationId, TenantId};
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::storage::pushed::{self, Pushed};

/// How long the browser may take to come.
pub const LIFETIME: Duration = Duration::from_secs(90);

fn hash(house: &House, tenant: TenantId, reference: &SecretString) -> String {
    text(&house.derived.codes.of(&[b"pushed", &tenant.to_bytes(), reference.expose_secret().as_bytes()]))
}

/// Keeps a checked request. Its reference is a secret of 256 bits. It leaves no audit event: nothing has begun before the
/// browser comes, and then the login or its answer has one.
///
/// # Errors
/// If the database fails.
pub async fn push(
    house: &House,
    tenant: TenantId,
    visit: &Visit,
    application: ApplicationId,
    request: String,
) -> Result<SecretString> {
    let reference = house.new_cookie();
    let hash = hash(house, tenant, &reference);
    let pushed = Pushed { application, request, expires_at: visit.now.plus(LIFETIME) };
    house.db.write(async |connection| pushed::insertion(tenant, &hash, &pushed).run(connection).await).await?;
    Ok(reference)
}

/// Takes a request for its one use.
///
/// # Errors
/// [`Error::Used`] if there is none, it was used, it is too old or another application's: all read alike.
pub async fn take(
    house: &House,
    tenant: TenantId,
    visit: &Visit,
    application: ApplicationId,
    reference: &SecretString,
) -> Result<String> {
    let hash = hash(house, tenant, reference);
    let taken = house.db.write(async |connection| {
        let Some(found) = pushed::with_reference(tenant, &hash).ask(connection).await? else { return Ok(None) };
        if found.application != application || found.expires_at <= visit.now {
            return Ok(None);
        }
        let mine = pushed::take(connection, tenant, &hash).await?;
        Ok(mine.then_some(found.request))
    });
    taken.await?.ok_or(Error::Used)
}
