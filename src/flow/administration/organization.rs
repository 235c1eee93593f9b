//! What a virtual server is called, which language it speaks where nothing better is known, and how people reach its help desk.

use super::configuration::{Despite, Saved, Unsaved, mark_of, save};
use super::{Desk, tenants};
use crate::domain::fault::{Fault, Faults};
use crate::domain::name::checked;
use crate::domain::tenant::{Organization, TenantCode, TenantConfig};
use crate::storage::Connection;

/// Changes it, provided that it is still as it was `read`: its [`mark_of`]. Whether the language is one of ours is known where
/// languages are.
///
/// # Errors
/// [`Unsaved`]; then nothing was stored.
pub async fn change(
    desk: &Desk<'_>,
    code: &TenantCode,
    read: i64,
    wanted: &Organization,
    despite: Despite,
) -> Saved<Organization> {
    let mut faults = Faults::default();
    let name = checked(&wanted.name).map(str::to_owned).unwrap_or_else(|error| {
        faults.0.push(Fault::new("name", error.to_string()));
        String::new()
    });
    let help_contact = wanted.help_contact.trim().to_owned();
    if help_contact.chars().count() > 300 || help_contact.chars().any(char::is_control) {
        faults.add("help_contact", "must have at most 300 characters and no control characters");
    }
    if !faults.0.is_empty() {
        return Err(Unsaved::Wrong(faults.0));
    }
    let wanted = Organization { name, help_contact, default_language: wanted.default_language.clone() };
    let draft = |before: &TenantConfig| {
        if mark_of(&Organization::of(before)) != read {
            return Err(Unsaved::ChangedMeanwhile);
        }
        let mut after = before.clone();
        after.tenant.name.clone_from(&wanted.name);
        after.tenant.default_language.clone_from(&wanted.default_language);
        after.settings.help_contact.clone_from(&wanted.help_contact);
        Ok((after, wanted.clone()))
    };
    let store =
        async |connection: &mut Connection, before: &TenantConfig, after: &TenantConfig, wanted: &Organization| {
            if Organization::of(before) == *wanted {
                return Ok(());
            }
            // The version that was judged has been taken a moment ago, in this transaction.
            let taken = TenantConfig { version: before.version + 1, ..before.clone() };
            tenants::change(desk, connection, &taken, after).await
        };
    save(desk, code, despite, draft, store).await
}
