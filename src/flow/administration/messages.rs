//! Texts of a virtual server's own, in the place of ours.

use serde_json::json;

use super::Desk;
use super::configuration::{Despite, Saved, Unsaved, save};
use crate::domain::audit::Action;
use crate::domain::message::{MOST, Message, Slot, Words};
use crate::domain::tenant::{TenantCode, TenantConfig};
use crate::storage::{self, Connection, messages};

/// Stores words for a slot in a language, provided that what is there is still of the version `read`; 0: nothing was there.
///
/// # Errors
/// [`Unsaved`]; then nothing was stored.
pub async fn set(
    desk: &Desk<'_>,
    code: &TenantCode,
    (slot, language): (&Slot, &str),
    read: i64,
    words: &Words,
) -> Saved<Message> {
    let words = words.tidied();
    let faults = slot.faults(&words);
    if !faults.is_empty() {
        return Err(Unsaved::Wrong(faults));
    }
    let draft = |before: &TenantConfig| {
        let there = before.messages.get(language, &slot.name);
        let version = there.map_or(0, |message| message.version);
        if version != read {
            return Err(Unsaved::ChangedMeanwhile);
        }
        if there.is_none() && before.messages.count() >= MOST {
            return Err(Unsaved::Never("there are 5000 texts of its own already"));
        }
        let (name, language) = (slot.name.clone(), language.to_owned());
        // What says that already stays as it is. Otherwise the version is that of the whole configuration, which never comes
        // again: words that were taken back and given anew are not taken for those of before.
        let same = there.is_some_and(|message| message.words == words);
        let version = if same { version } else { before.version + 1 };
        Ok((before.clone(), Message { name, language, words: words.clone(), version }))
    };
    let store = async |connection: &mut Connection, before: &TenantConfig, _: &TenantConfig, message: &Message| {
        put(desk, connection, before, message).await
    };
    save(desk, code, Despite::BrokenCases, draft, store).await
}

/// Stores a text that was checked, in the transaction of whoever has taken the configuration's version; nothing, if it says
/// that already.
///
/// # Errors
/// If the database fails.
pub async fn put(
    desk: &Desk<'_>,
    connection: &mut Connection,
    before: &TenantConfig,
    message: &Message,
) -> storage::Result<()> {
    let old = before.messages.get(&message.language, &message.name).map(|message| &message.words);
    if old == Some(&message.words) {
        return Ok(());
    }
    messages::put(connection, before.tenant.id, message, desk.now).await?;
    record(desk, connection, before, (&message.language, &message.name), Some(&message.words)).await
}

/// Takes own words away, so that ours are used again.
///
/// # Errors
/// [`Unsaved::Gone`] if there are none; [`Unsaved::ChangedMeanwhile`] if they are of another version than `read`.
pub async fn restore(desk: &Desk<'_>, code: &TenantCode, language: &str, name: &str, read: i64) -> Saved<()> {
    let draft = |before: &TenantConfig| {
        let there = before.messages.get(language, name).ok_or(Unsaved::Gone)?;
        if there.version == read { Ok((before.clone(), ())) } else { Err(Unsaved::ChangedMeanwhile) }
    };
    let store = async |connection: &mut Connection, before: &TenantConfig, _: &TenantConfig, (): &()| {
        remove(desk, connection, before, language, name).await
    };
    save(desk, code, Despite::BrokenCases, draft, store).await
}

/// Removes a text in the transaction of whoever has taken the configuration's version.
///
/// # Errors
/// If the database fails.
pub async fn remove(
    desk: &Desk<'_>,
    connection: &mut Connection,
    before: &TenantConfig,
    language: &str,
    name: &str,
) -> storage::Result<()> {
    messages::remove(connection, before.tenant.id, language, name).await?;
    record(desk, connection, before, (language, name), None).await
}

async fn record(
    desk: &Desk<'_>,
    connection: &mut Connection,
    before: &TenantConfig,
    (language, name): (&str, &str),
    new: Option<&Words>,
) -> storage::Result<()> {
    let old = before.messages.get(language, name).map(|message| &message.words);
    let action = if new.is_some() { Action::MessageChanged } else { Action::MessageRestored };
    let detail = json!({ "language": language, "old": old, "new": new });
    desk.record(connection, before.tenant.id, action, ("message", name.to_owned()), detail).await
}
