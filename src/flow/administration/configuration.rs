//! A change of what is configured, as pages and programs make it: checked against what is there now, held against the
//! operators' own cases, and stored with its audit event on condition that nothing came in between.

use sha2::{Digest as _, Sha256};

use super::{Desk, tenants as kept};
use crate::domain::fault::Fault;
use crate::domain::tenant::{TenantCode, TenantConfig, TenantSettings};
use crate::flow::test_cases::{self, Outcome};
use crate::storage::{self, Connection, tenants};

/// How often a change is judged anew because something else was changed at the same moment.
const TRIES: u32 = 5;

/// Whether a change is stored although a case that held before would not hold after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Despite {
    /// It is not; what breaks is told.
    Nothing,
    /// The operator has seen what breaks and wants it so.
    BrokenCases,
}

/// Why a change was not stored.
#[derive(Debug, thiserror::Error)]
pub enum Unsaved {
    /// What was typed is wrong.
    #[error("what was given is wrong")]
    Wrong(Vec<Fault>),
    /// There is no such thing, or not any more.
    #[error("there is no such thing")]
    Gone,
    /// Somebody else changed it since it was read.
    #[error("somebody else changed it meanwhile")]
    ChangedMeanwhile,
    /// These cases held and would not hold any more.
    #[error("test cases would not hold any more")]
    Breaks(Vec<Outcome>),
    /// It is used, by what these sentences say; it can be cleaned up with it.
    #[error("it is in use")]
    InUse(Vec<String>),
    /// It cannot be removed or changed in this way at all.
    #[error("{0}")]
    Never(&'static str),
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
}

impl From<Fault> for Unsaved {
    fn from(fault: Fault) -> Self {
        Self::Wrong(vec![fault])
    }
}

/// The result of a change.
pub type Saved<T> = Result<T, Unsaved>;

/// A number that is another one whenever `value` is, for telling whether something was changed since it was read. Several
/// things are one value in the database; so two people who change different ones are not in each other's way.
#[must_use]
pub fn mark_of(value: &impl serde::Serialize) -> i64 {
    let digest = Sha256::digest(serde_json::to_vec(value).unwrap_or_default());
    let bits = digest.iter().take(8).fold(0_u64, |bits, octet| (bits << 8) | u64::from(*octet));
    i64::try_from(bits >> 1).unwrap_or(0)
}

/// The configuration as it is stored at this moment.
///
/// # Errors
/// [`Unsaved::Gone`] if there is no such virtual server; if the database fails.
pub async fn current(desk: &Desk<'_>, code: &TenantCode) -> Saved<TenantConfig> {
    let config = desk.house.db.look(async |connection| tenants::config(connection, code).await).await?;
    config.ok_or(Unsaved::Gone)
}

/// Makes a change: `draft` gives the configuration afterwards and what else `store` needs to know; `store` writes it, and
/// the event.
///
/// # Errors
/// [`Unsaved`]; then nothing was stored.
pub(super) async fn save<T>(
    desk: &Desk<'_>,
    code: &TenantCode,
    despite: Despite,
    draft: impl Fn(&TenantConfig) -> Saved<(TenantConfig, T)>,
    store: impl AsyncFn(&mut Connection, &TenantConfig, &TenantConfig, &T) -> storage::Result<()>,
) -> Saved<T> {
    let house = desk.house;
    for _ in 0..TRIES {
        let before = current(desk, code).await?;
        let (after, told) = draft(&before)?;
        if despite == Despite::Nothing {
            let broken = test_cases::broken(house, &before, &after, desk.now).await?;
            if !broken.is_empty() {
                return Err(Unsaved::Breaks(broken));
            }
        }
        let stored = house.db.write(async |connection| {
            // What was judged is good only for what it was judged against.
            if !tenants::take_version(connection, before.tenant.id, before.version, desk.now).await? {
                return Ok(false);
            }
            store(connection, &before, &after, &told).await?;
            Ok(true)
        });
        if stored.await? {
            house.forget_realms();
            return Ok(told);
        }
    }
    Err(Unsaved::Storage(storage::Error::Contended))
}

/// What a change of settings left.
#[derive(Debug)]
pub struct Settled {
    /// The configuration as it is now.
    pub config: TenantConfig,
    /// Whether anything was changed at all; nothing is written down otherwise.
    pub changed: bool,
}

/// As [`save`], for settings.
///
/// # Errors
/// [`Unsaved`]; then nothing was stored.
pub(super) async fn save_settings(
    desk: &Desk<'_>,
    code: &TenantCode,
    despite: Despite,
    draft: impl Fn(&TenantConfig) -> Saved<TenantSettings>,
) -> Saved<Settled> {
    let change = |before: &TenantConfig| {
        let settings = draft(before)?;
        let changed = settings != before.settings;
        let config = TenantConfig { settings, ..before.clone() };
        Ok((config.clone(), Settled { config, changed }))
    };
    let store = async |connection: &mut Connection, before: &TenantConfig, after: &TenantConfig, told: &Settled| {
        if !told.changed {
            return Ok(());
        }
        // The version that was judged has been taken a moment ago, in this transaction.
        let taken = TenantConfig { version: before.version + 1, ..before.clone() };
        kept::change(desk, connection, &taken, after).await
    };
    save(desk, code, despite, change, store).await
}
