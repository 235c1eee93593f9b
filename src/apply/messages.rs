//! The texts of its own that an apply file gives a virtual server.

use serde::Deserialize;

use super::change::Change;
use super::file;
use crate::config::document::Document;
use crate::domain::message::{MOST, Message, Messages, Words};
use crate::i18n::{Language, slot};

/// Own words for a mail or a text of pages.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MessageDraft {
    /// `mail.<kind>` or `page.<key>`.
    pub name: String,
    /// The tag of the language.
    pub language: String,
    /// The subject of a mail.
    pub subject: String,
    /// The mail, or the text.
    pub body: String,
}

/// The changes that make the texts of the file be there; with `prune`, only those. What changes gets this `version`.
pub(super) fn plan(
    document: &mut Document<'_>,
    path: &str,
    typed: &file::Tenant,
    (current, version): (&Messages, i64),
    prune: bool,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut named: Vec<(String, String)> = Vec::new();
    for (index, draft) in typed.message.iter().enumerate() {
        let place = format!("{path}.message[{index}]");
        let Some(slot) = slot(&draft.name) else {
            let words = format!("\"{}\" is no text of ours: the console lists them under Messages", draft.name);
            document.fault(&format!("{place}.name"), words);
            continue;
        };
        let Some(language) = Language::ALL.into_iter().find(|known| known.tag() == draft.language) else {
            document.fault(&format!("{place}.language"), crate::i18n::NotALanguage.to_string());
            continue;
        };
        let words = Words { subject: draft.subject.clone(), body: draft.body.clone() }.tidied();
        let faults = slot.faults(&words);
        if !faults.is_empty() {
            document.faults(&place, faults);
            continue;
        }
        let key = (language.tag().to_owned(), slot.name.clone());
        if named.contains(&key) {
            document.fault(&format!("{place}.name"), format!("\"{}\" is given twice in this language", slot.name));
            continue;
        }
        let there = current.get(language.tag(), &slot.name);
        if there.is_none_or(|there| there.words != words) {
            let message = Message { name: slot.name, language: language.tag().to_owned(), words, version };
            changes.push(Change::PutMessage(Box::new(message)));
        }
        named.push(key);
    }
    let others = current.iter().filter(|there| !named.contains(&(there.language.clone(), there.name.clone())));
    if prune {
        changes.extend(others.map(|there| Change::RemoveMessage(Box::new(there.clone()))));
    } else if named.len() + others.count() > MOST {
        document.fault(&format!("{path}.message"), format!("would be more than {MOST}, with those that are there"));
    }
    changes
}
