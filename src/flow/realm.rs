//! One virtual server as the doors need it: its configuration and its keys, from memory.
//!
//! Holds versioned data only and looks at the version again when it is older than two seconds, so that
//! several instances agree within that time (architecture.md, growing past one machine).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::domain::application::Protocol;
use crate::domain::ids::{SigningKeyId, TenantId};
use crate::domain::signing_key::{KeyPurpose, KeyStage};
use crate::domain::tenant::{TenantCode, TenantConfig};
use crate::domain::timestamp::Timestamp;
use crate::keys::ring::KeyRing;
use crate::keys::sealing::Sealer;
use crate::storage::{self, Db, signing_keys, tenants};

/// How old what is in memory may be.
const FRESH: Duration = Duration::from_secs(2);

/// A virtual server: configuration and keys.
#[derive(Debug)]
pub struct Realm {
    /// What its operators configured.
    pub config: TenantConfig,
    /// The keys that sign ID tokens.
    pub oidc_keys: KeyRing,
    /// The keys that sign assertions.
    pub saml_keys: KeyRing,
    /// The certificates of the latter, in DER.
    pub certificates: Vec<Certificate>,
    /// Our SAML metadata, signed.
    pub metadata: Kept,
}

/// A text that is made of a realm, and costs too much to be made for every request.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Option<(Timestamp, Arc<str>)>>);

impl Kept {
    /// The text, not older than `good_for` at `now`; or a new one. Two requests at once may both make one.
    ///
    /// # Errors
    /// What `make` says.
    pub fn get_or<E>(
        &self,
        now: Timestamp,
        good_for: Duration,
        make: impl FnOnce() -> Result<String, E>,
    ) -> Result<Arc<str>, E> {
        let kept = self.locked().clone();
        if let Some((made_at, text)) = kept
            && now >= made_at
            && now.since(made_at) < good_for
        {
            return Ok(text);
        }
        let text: Arc<str> = make()?.into();
        *self.locked() = Some((now, Arc::clone(&text)));
        Ok(text)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<(Timestamp, Arc<str>)>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The certificate of a SAML signing key.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The key.
    pub key: SigningKeyId,
    /// Where the key stands in its life.
    pub stage: KeyStage,
    /// X.509 in DER.
    pub der: Vec<u8>,
    /// Whether others may believe it: not where the key was replaced in an emergency, although somebody is held to it (T-44).
    pub shown: bool,
}

impl Realm {
    /// The virtual server's identifier.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.config.tenant.id
    }

    /// The virtual server's code in addresses.
    #[must_use]
    pub const fn code(&self) -> &TenantCode {
        &self.config.tenant.code
    }
}

/// The realms in memory.
#[derive(Debug, Default)]
pub(super) struct Realms {
    known: Mutex<HashMap<TenantCode, (Timestamp, Arc<Realm>)>>,
}

impl Realms {
    /// The realm with this code, if there is one.
    pub(super) async fn realm(
        &self,
        db: &Db,
        sealer: &Sealer,
        code: &TenantCode,
        now: Timestamp,
    ) -> super::Result<Option<Arc<Realm>>> {
        let known = self.locked().get(code).cloned();
        // A clock that was set back does not make it fresh until it is as late again.
        if let Some((checked_at, realm)) = &known
            && now >= *checked_at
            && now.since(*checked_at) < FRESH
        {
            return Ok(Some(Arc::clone(realm)));
        }
        let asked = Instant::now();
        let version = db.read(async |connection| tenants::version(connection, code).await).await;
        if let (Err(error), Some((_, realm))) = (&version, &known)
            && (error.is_away() || matches!(error, storage::Error::Busy))
        {
            // What needs no database goes on without it: key sets, discovery, metadata. Whatever begins or issues something asks it
            // again, and fails.
            tracing::warn!(%error, tenant = %code, "the database cannot be reached; what is known of the virtual server stands");
            // From when it was found to be away: whoever waited for that would wait again at once.
            self.locked().insert(code.clone(), (now.plus(asked.elapsed()), Arc::clone(realm)));
            return Ok(Some(Arc::clone(realm)));
        }
        let Some(version) = version? else {
            self.locked().remove(code);
            return Ok(None);
        };
        let realm = match known {
            Some((_, realm)) if realm.config.version == version => realm,
            _ => match load(db, sealer, code, now).await? {
                Some(realm) => Arc::new(realm),
                None => return Ok(None),
            },
        };
        self.locked().insert(code.clone(), (now, Arc::clone(&realm)));
        Ok(Some(realm))
    }

    /// The realm with this code, if it is in memory, however old.
    pub(super) fn remembered(&self, code: &TenantCode) -> Option<Arc<Realm>> {
        self.locked().get(code).map(|(_, realm)| Arc::clone(realm))
    }

    /// Forgets what is known, after a change by this very instance.
    pub(super) fn forget(&self) {
        self.locked().clear();
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<TenantCode, (Timestamp, Arc<Realm>)>> {
        // A panic while it is held cannot leave half an entry: inserting is the last thing done.
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

async fn load(db: &Db, sealer: &Sealer, code: &TenantCode, now: Timestamp) -> super::Result<Option<Realm>> {
    let loaded = db
        .read(async |connection| {
            let Some(config) = tenants::config(connection, code).await? else { return Ok(None) };
            let keys = signing_keys::of_tenant(connection, config.tenant.id).await?;
            Ok(Some((config, keys)))
        })
        .await?;
    let Some((mut config, keys)) = loaded else { return Ok(None) };
    // No door knows of an application that is not active.
    config.applications.retain(|application| application.active);
    let (oidc, others): (Vec<_>, Vec<_>) = keys.into_iter().partition(|key| key.purpose == KeyPurpose::Oidc);
    let saml: Vec<_> = others.into_iter().filter(|key| key.purpose == KeyPurpose::Saml).collect();
    let pinned = pinned(&config);
    let certificates = saml
        .iter()
        .filter(|key| key.stage.is_published(now) || pinned.contains(&key.id))
        .filter_map(|key| {
            let (der, shown) = (key.certificate.clone()?, !key.is_withdrawn());
            Some(Certificate { key: key.id, stage: key.stage, der, shown })
        })
        .collect();
    Ok(Some(Realm {
        config,
        oidc_keys: KeyRing::open(&oidc, &[], sealer, now)?,
        saml_keys: KeyRing::open(&saml, &pinned, sealer, now)?,
        certificates,
        metadata: Kept::default(),
    }))
}

/// The keys that service providers are held to which cannot change over in time.
fn pinned(config: &TenantConfig) -> Vec<SigningKeyId> {
    let pinned = config.applications.iter().filter_map(|application| match &application.protocol {
        Protocol::Saml(provider) => provider.signing_key,
        Protocol::Oidc(_) | Protocol::Portal | Protocol::Console => None,
    });
    pinned.collect()
}
