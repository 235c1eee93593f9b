//! Who sits at the operator console, and which program calls the management API: what they may do is judged anew at every
//! request, by the configuration as it is then.

use std::time::Duration;

use super::case::session_cookie_hash;
use super::federation::{Worth, worth};
use super::house::text;
use super::{Browser, House, Realm, Result, Visit};
use crate::domain::ids::{ApiKeyId, TenantId};
use crate::domain::login::step::Step;
use crate::domain::login::wishes::Wishes;
use crate::domain::operator::{FRESH_SECONDS, Operator, Permissions};
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::session::Session;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::User;
use crate::storage::operators::{self, ApiKey};
use crate::storage::sessions;

/// How often it is written down that a key is used.
const USE_NOTED: Duration = Duration::from_secs(60);

/// An operator at the console.
#[derive(Debug, Clone)]
pub struct Seated {
    /// The single sign-on session; password and passcode were proven in it.
    pub session: Session,
    /// The account.
    pub user: User,
    /// The status as an operator.
    pub operator: Operator,
    /// What the role permits.
    pub permissions: Permissions,
}

impl Seated {
    /// Whether the passcode is recent enough for deeds that want a fresh one.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        let longest = Duration::from_secs(FRESH_SECONDS);
        self.session.otp_at.is_some_and(|at| now.since(at) < longest)
    }
}

/// The operator in this browser; `None` if a login must come first, which also tells people who are none.
///
/// # Errors
/// If the database fails.
pub async fn seated(house: &House, realm: &Realm, visit: &Visit, browser: &Browser) -> Result<Option<Seated>> {
    let Some(cookie) = &browser.session else { return Ok(None) };
    let hash = session_cookie_hash(house, realm.tenant(), cookie);
    let (console, wishes) = (&realm.config.console, Wishes::default());
    let looked = house.db.read(async |connection| worth(connection, realm, visit, console, &wishes, &hash).await);
    let Some(Worth { session, member, step: Step::Complete, .. }) = looked.await? else { return Ok(None) };
    let Some((operator, permissions)) = realm.config.permissions_of(member.user.id) else { return Ok(None) };
    if session.touch_due(realm.config.settings.session, visit.now) {
        let touched = async |connection: &mut crate::storage::Connection| {
            sessions::touched(realm.tenant(), session.id, visit.now).run(connection).await
        };
        house.db.write_soon(touched).await?;
    }
    Ok(Some(Seated { session, user: member.user, operator: operator.clone(), permissions }))
}

/// The keyed hash of a key's secret.
fn hash(house: &House, tenant: TenantId, id: ApiKeyId, secret: &SecretString) -> String {
    let secret = secret.expose_secret().as_bytes();
    text(&house.derived.codes.of(&[b"management key", &tenant.to_bytes(), &id.to_bytes(), secret]))
}

/// What precedes a key, so that scanners of leaked secrets can tell what they have found.
const PREFIX: &str = "vbk_";

/// A new key to the management API: what is shown once, its identifier, and the keyed hash that is kept.
#[must_use]
pub fn new_key(house: &House, tenant: TenantId) -> (SecretString, ApiKeyId, String) {
    let (id, secret): (ApiKeyId, _) = (house.entropy.id(), house.new_cookie());
    let hash = hash(house, tenant, id, &secret);
    (SecretString::from(format!("{PREFIX}{id}_{}", secret.expose_secret())), id, hash)
}

/// The key that a program shows, if it works, and what it may do.
///
/// # Errors
/// If the database fails.
pub async fn with_key(
    house: &House,
    realm: &Realm,
    now: Timestamp,
    shown: &SecretString,
) -> Result<Option<(ApiKey, Permissions)>> {
    let tenant = realm.tenant();
    let parts = shown.expose_secret().strip_prefix(PREFIX).and_then(|rest| rest.split_once('_'));
    let Some((id, secret)) = parts else { return Ok(None) };
    let Ok(id) = id.parse::<ApiKeyId>() else { return Ok(None) };
    let found = house.db.read(async |connection| operators::key_with_id(connection, tenant, id).await).await?;
    let presented = hash(house, tenant, id, &SecretString::from(secret.to_owned()));
    // Hashes under a key that nobody outside has: comparing them leaks nothing about the secret.
    let Some(key) = found.filter(|key| key.works(now) && key.secret_hash == presented) else { return Ok(None) };
    let Some(permissions) = realm.config.permissions(key.role) else { return Ok(None) };
    if key.last_used_at.is_none_or(|at| now.since(at) >= USE_NOTED) {
        let used = async |connection: &mut crate::storage::Connection| {
            operators::key_used(tenant, id, now).run(connection).await
        };
        house.db.write_soon(used).await?;
    }
    Ok(Some((key, permissions)))
}
