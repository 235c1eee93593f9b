//! Signing keys: made, and rotated with overlap.

use std::time::Duration;

use serde_json::json;

use super::Desk;
use crate::domain::application::Protocol;
use crate::domain::audit::Action;
use crate::domain::ids::TenantId;
use crate::domain::signing_key::{
    KeyPurpose, KeyStage, Overlap, RotationStep, SignatureAlgorithm, StoredSigningKey, next_rotation_step,
};
use crate::domain::tenant::{TenantCode, TenantConfig};
use crate::domain::timestamp::Timestamp;
use crate::keys::certificate;
use crate::keys::signing::{RsaSize, SigningKey};
use crate::storage::{self, Connection, signing_keys, tenants};

/// A key that was made but not stored yet. Making an RSA key takes a tenth of a second, which is too long
/// for a transaction.
#[derive(Debug, Clone)]
pub struct NewKey(StoredSigningKey);

/// Why a key cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The cryptographic library refused.
    #[error(transparent)]
    Key(#[from] crate::keys::signing::SigningKeyError),
    /// The certificate cannot be made.
    #[error(transparent)]
    Certificate(#[from] crate::keys::certificate::CertificateError),
}

/// Why keys cannot be rotated.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    /// There is no such virtual server.
    #[error("there is no tenant \"{0}\"")]
    NoTenant(TenantCode),
    /// The next key cannot be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

/// What every virtual server signs with.
pub const KINDS: [(KeyPurpose, SignatureAlgorithm); 6] = [
    (KeyPurpose::Oidc, SignatureAlgorithm::Rs256),
    (KeyPurpose::Oidc, SignatureAlgorithm::Es256),
    (KeyPurpose::Oidc, SignatureAlgorithm::EdDsa),
    (KeyPurpose::Saml, SignatureAlgorithm::Rs256),
    (KeyPurpose::Saml, SignatureAlgorithm::Es256),
    (KeyPurpose::Audit, SignatureAlgorithm::Es256),
];

/// Makes the first keys of a new virtual server.
///
/// # Errors
/// If a key or certificate cannot be made.
pub fn first(desk: &Desk<'_>, code: &TenantCode) -> Result<Vec<NewKey>, KeyError> {
    let tenant = desk.house.entropy.id();
    KINDS.into_iter().map(|kind| make(desk, tenant, code, kind, KeyStage::Current)).collect()
}

/// Makes a key.
///
/// # Errors
/// If the key or its certificate cannot be made.
pub fn make(
    desk: &Desk<'_>,
    tenant: TenantId,
    code: &TenantCode,
    (purpose, algorithm): (KeyPurpose, SignatureAlgorithm),
    stage: KeyStage,
) -> Result<NewKey, KeyError> {
    let key = SigningKey::generate(desk.house.entropy.id(), algorithm, RsaSize::default())?;
    let certificate = match purpose {
        KeyPurpose::Saml => Some(certificate::self_signed(&key, code.as_ref(), desk.now, &desk.house.entropy)?),
        KeyPurpose::Oidc | KeyPurpose::Audit => None,
    };
    Ok(NewKey(StoredSigningKey {
        id: key.id(),
        tenant,
        purpose,
        algorithm,
        stage,
        created_at: desk.now,
        private_key: key.sealed(tenant, &desk.house.sealer)?,
        certificate,
    }))
}

/// The virtual server that keys were made for.
pub(super) fn tenant_of(keys: &[NewKey]) -> Option<TenantId> {
    keys.first().map(|key| key.0.tenant)
}

/// Stores a key.
///
/// # Errors
/// If the database fails.
pub async fn store(desk: &Desk<'_>, connection: &mut Connection, key: NewKey) -> storage::Result<()> {
    let NewKey(key) = key;
    signing_keys::insert(connection, &key).await?;
    let detail = json!({ "purpose": key.purpose.name(), "algorithm": key.algorithm.name(), "stage": key.stage.name() });
    desk.record(connection, key.tenant, Action::KeyCreated, ("signing_key", key.id.to_string()), detail).await
}

/// Replaces every signing key of a virtual server at once, without any overlap: an operator thinks that one was stolen.
/// What the old ones signed is believed nowhere any more as soon as others have fetched the new key set or metadata (T-67).
///
/// # Errors
/// If the database fails or a key cannot be made.
pub async fn replace(desk: &Desk<'_>, code: &TenantCode) -> Result<Vec<String>, RotationError> {
    let db = &desk.house.db;
    let Some(config) = db.look(async |connection| tenants::config(connection, code).await).await? else {
        return Err(RotationError::NoTenant(code.clone()));
    };
    let tenant = config.tenant.id;
    let made = KINDS.into_iter().map(|kind| make(desk, tenant, code, kind, KeyStage::Current));
    let made = made.collect::<Result<Vec<_>, _>>()?;
    let replaced = db.write(async |connection| {
        // Whoever moves keys of this virtual server on at the same moment waits here: the keys below are all that there are.
        tenants::raise_version(connection, tenant, desk.now).await?;
        for key in signing_keys::of_tenant(connection, tenant).await? {
            signing_keys::set_stage(connection, tenant, key.id, key.stage, key.withdrawn(desk.now)).await?;
            let object = ("signing_key", key.id.to_string());
            desk.record(connection, tenant, Action::KeyRotated, object, json!({ "emergency": true })).await?;
        }
        for key in &made {
            store(desk, connection, key.clone()).await?;
        }
        Ok(())
    });
    replaced.await?;
    desk.house.forget_realms();
    let kinds = KINDS.into_iter().map(|(purpose, algorithm)| (purpose.name(), algorithm.name()));
    let lines = kinds
        .map(|(purpose, algorithm)| format!("{purpose} {algorithm}: replaced; the old ones are not believed any more"));
    Ok(lines.chain(held(&config)).collect())
}

/// The service providers that are still answered with a key of before, because they believe no other: nobody but an operator can
/// bring them the new certificate.
fn held(config: &TenantConfig) -> impl Iterator<Item = String> {
    let held = config.applications.iter().filter(
        |application| matches!(&application.protocol, Protocol::Saml(provider) if provider.signing_key.is_some()),
    );
    held.map(|application| {
        format!(
            "application \"{}\": still gets signatures of the old key that its signing_key names; bring it the new certificate and \
             take signing_key away",
            application.name
        )
    })
}

/// Which keys a run of [`rotate`] moves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All kinds: an operator asked for it.
    All,
    /// Those whose rotation has begun and whose next key may sign by now, and those that get too old: the timer.
    Due {
        /// How long a key may sign; for ever, if none.
        every: Option<Duration>,
    },
}

impl Which {
    /// Whether keys of one kind, whose next step is `step`, are moved on at `now`.
    fn includes(self, keys: &[StoredSigningKey], step: RotationStep, overlap: Overlap, now: Timestamp) -> bool {
        let Self::Due { every } = self else { return true };
        match step {
            RotationStep::CreateCurrent | RotationStep::Promote { .. } => true,
            RotationStep::Wait { .. } => false,
            RotationStep::CreateNext => every.is_some_and(|every| {
                let current = keys.iter().find(|key| key.stage == KeyStage::Current);
                current.is_some_and(|key| key.created_at.plus(every) <= now.plus(overlap.lead))
            }),
        }
    }
}

/// Moves the keys of a virtual server on by one step. Says what was done, one line for each kind of key.
///
/// # Errors
/// If the database fails or a key cannot be made.
pub async fn rotate(
    desk: &Desk<'_>,
    code: &TenantCode,
    overlap: Overlap,
    which: Which,
) -> Result<Vec<String>, RotationError> {
    let db = &desk.house.db;
    let Some(config) = db.look(async |connection| tenants::config(connection, code).await).await? else {
        return Err(RotationError::NoTenant(code.clone()));
    };
    let tenant = config.tenant.id;
    let all = db.look(async |connection| signing_keys::of_tenant(connection, tenant).await).await?;
    let mut lines = Vec::new();
    for (purpose, algorithm) in KINDS {
        let kind = format!("{} {}", purpose.name(), algorithm.name());
        let these = of_kind(&all, (purpose, algorithm));
        let step = next_rotation_step(&these, overlap, desk.now);
        if !which.includes(&these, step, overlap, desk.now) {
            continue;
        }
        let made = match step {
            RotationStep::CreateCurrent => Some(make(desk, tenant, code, (purpose, algorithm), KeyStage::Current)?),
            RotationStep::CreateNext => Some(make(desk, tenant, code, (purpose, algorithm), KeyStage::Next)?),
            RotationStep::Promote { .. } | RotationStep::Wait { .. } => None,
        };
        let taken = async |connection: &mut Connection| {
            // Whoever moves keys of this virtual server on at the same moment waits here, and then finds what was done: two next
            // keys of a kind would both be published, and neither of the two would know which is to sign.
            tenants::raise_version(connection, tenant, desk.now).await?;
            let now = of_kind(&signing_keys::of_tenant(connection, tenant).await?, (purpose, algorithm));
            if next_rotation_step(&now, overlap, desk.now) != step {
                return Ok(false);
            }
            carry_out(desk, connection, tenant, (step, made.clone()), &kind).await
        };
        let waits = matches!(step, RotationStep::Wait { .. });
        if !waits && !db.write(taken).await? {
            lines.push(format!("{kind}: somebody else moves it on at this moment; it was not done twice"));
            continue;
        }
        lines.push(match step {
            RotationStep::CreateCurrent => format!("{kind}: made a key; it signs from now on"),
            RotationStep::CreateNext => {
                format!("{kind}: published the next key; run this again after {} hours", overlap.lead.as_secs() / 3600)
            }
            RotationStep::Promote { .. } => format!("{kind}: the next key signs from now on"),
            RotationStep::Wait { until } => format!("{kind}: the next key may sign from {}", until.rfc3339()),
        });
    }
    if !lines.is_empty() {
        desk.house.forget_realms();
    }
    Ok(lines)
}

/// The keys of one kind.
fn of_kind(all: &[StoredSigningKey], (purpose, algorithm): (KeyPurpose, SignatureAlgorithm)) -> Vec<StoredSigningKey> {
    all.iter().filter(|key| key.purpose == purpose && key.algorithm == algorithm).cloned().collect()
}

/// Carries out a step with the key that was made for it. Says `false`, and has changed nothing, if the key that it is about is not
/// where it was.
async fn carry_out(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    (step, made): (RotationStep, Option<NewKey>),
    kind: &str,
) -> storage::Result<bool> {
    if let Some(key) = made {
        store(desk, connection, key).await?;
    }
    if let RotationStep::Promote { next, current, published_until } = step {
        if !signing_keys::set_stage(connection, tenant, next, KeyStage::Next, KeyStage::Current).await? {
            return Ok(false);
        }
        if let Some(current) = current {
            let old = KeyStage::Old { published_until };
            signing_keys::set_stage(connection, tenant, current, KeyStage::Current, old).await?;
        }
        let object = ("signing_key", next.to_string());
        desk.record(connection, tenant, Action::KeyRotated, object, json!({ "kind": kind })).await?;
    }
    Ok(true)
}
