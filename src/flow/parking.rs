//! Requests that come by cross-site POST. A browser leaves our `SameSite=Lax` cookies at home on such a request,
//! so whoever is logged in looks like a stranger. The checked request waits in a row, the browser is sent to an
//! address of ours, and there it comes with its cookies (R-479, T-21).

use std::time::Duration;

use super::case::parked_cookie_hash;
use super::{Error, House, Realm, Result, Visit};
use crate::domain::ids::ParkedId;
use crate::domain::login::origin::Origin;
use crate::domain::secret::SecretString;
use crate::storage::parked;

/// How long the browser may take to follow the redirect.
pub const LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Where a request waits.
#[derive(Debug)]
pub struct Parked {
    /// Its identifier, for the address.
    pub id: ParkedId,
    /// The cookie that binds it to this browser: the address alone is of no use in another one, so nobody can
    /// plant a request by passing the address on.
    pub cookie: SecretString,
}

/// Puts a checked request aside. It leaves no audit event: nothing has begun before the browser comes back, and then
/// the login or its answer has one.
///
/// # Errors
/// If the database fails.
pub async fn park(house: &House, realm: &Realm, visit: &Visit, origin: Origin, request: &str) -> Result<Parked> {
    let (id, cookie) = (house.new_id(visit.now), house.new_cookie());
    let row = parked::Parked {
        id,
        origin,
        request: request.to_owned(),
        cookie_hash: parked_cookie_hash(house, realm.tenant(), id, &cookie),
        expires_at: visit.now.plus(LIFETIME),
    };
    house.db.write_soon(async |connection| parked::insert(connection, realm.tenant(), &row).await).await?;
    Ok(Parked { id, cookie })
}

/// The request that waits for this browser. It stays until it is too old: whether it is used once is not decided
/// here, but where it is answered.
///
/// # Errors
/// [`Error::NotThisBrowser`] if there is none, it is another door's, or the cookie is not its own.
pub async fn parked(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    origin: Origin,
    id: ParkedId,
    cookie: Option<&SecretString>,
) -> Result<String> {
    let cookie = cookie.ok_or(Error::NotThisBrowser)?;
    let row = house.db.read(async |connection| parked::with_id(connection, realm.tenant(), id).await).await?;
    let hash = parked_cookie_hash(house, realm.tenant(), id, cookie);
    let row = row.filter(|row| row.origin == origin && row.cookie_hash == hash && visit.now < row.expires_at);
    row.map(|row| row.request).ok_or(Error::NotThisBrowser)
}
