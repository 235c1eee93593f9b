//! One section of the settings at a time, as the console and the management API change it.

use serde_json::{Map, Value};

use super::Desk;
use super::configuration::{Despite, Saved, Settled, Unsaved, save_settings};
use crate::domain::settings::{Section, changed, tag};
use crate::domain::tenant::{TenantCode, TenantConfig};

/// Lays `entries` over a section of the settings, provided that it is still as it was `read`: its [`tag`].
///
/// # Errors
/// [`Unsaved`]; then nothing was stored.
pub async fn change(
    desk: &Desk<'_>,
    code: &TenantCode,
    read: &str,
    section: Section,
    entries: &Map<String, Value>,
    despite: Despite,
) -> Saved<Settled> {
    let draft = |before: &TenantConfig| {
        if tag(&section.of(&before.settings, &before.groups)) != read {
            return Err(Unsaved::ChangedMeanwhile);
        }
        changed(before, section, entries, desk.now).map_err(Unsaved::Wrong)
    };
    save_settings(desk, code, despite, draft).await
}
