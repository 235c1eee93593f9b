//! The waves of the rollout, as the apply file names them: `[[tenant.self_provisioning.wave]]`.

use serde::Deserialize;

use super::plan::find_all;
use crate::clock::Entropy;
use crate::config::document::Document;
use crate::domain::ids::GroupId;
use crate::domain::name::{Names, checked, key_of};
use crate::domain::policy::staging::Wave;
use crate::domain::timestamp::Timestamp;

/// A wave as operators type it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Entry {
    name: String,
    /// A time of TOML or the same as a text.
    starts_at: Option<toml::Value>,
    groups: Vec<String>,
    percent: Option<u8>,
    most_per_day: u32,
    postponements: Option<u32>,
    deadline: Option<toml::Value>,
}

/// The waves that the file wants; one that keeps its name stays the same wave.
pub(super) fn wanted(
    document: &mut Document<'_>,
    path: &str,
    entries: toml::Value,
    current: &[Wave],
    groups: &Names<GroupId>,
    entropy: &Entropy,
) -> Vec<Wave> {
    let place = format!("{path}.wave");
    let Ok(entries) = entries.try_into::<Vec<toml::Table>>() else {
        document.fault(&place, "must be a list of tables");
        return current.to_vec();
    };
    let mut waves = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        let place = format!("{place}[{index}]");
        let entry: Entry = match entry.try_into() {
            Ok(entry) => entry,
            Err(error) => {
                document.fault(&place, error.message().to_owned());
                continue;
            }
        };
        let name = match checked(&entry.name) {
            Ok(name) => name.to_owned(),
            Err(error) => {
                document.fault(&format!("{place}.name"), error.to_string());
                continue;
            }
        };
        let starts_at = time(document, &format!("{place}.starts_at"), entry.starts_at.as_ref());
        if entry.starts_at.is_none() {
            document.fault(&format!("{place}.starts_at"), "is missing");
        }
        let before = current.iter().find(|other| key_of(&other.name) == key_of(&name));
        waves.push(Wave {
            id: before.map_or_else(|| entropy.id(), |before| before.id),
            name,
            starts_at: starts_at.unwrap_or(Timestamp::from_seconds(0)),
            groups: find_all(document, groups, &format!("{place}.groups"), "group", &entry.groups),
            percent: entry.percent.unwrap_or(100),
            most_per_day: entry.most_per_day,
            postponements: entry.postponements,
            deadline: time(document, &format!("{place}.deadline"), entry.deadline.as_ref()),
        });
    }
    waves
}

fn time(document: &mut Document<'_>, place: &str, value: Option<&toml::Value>) -> Option<Timestamp> {
    let text = match value? {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.parse() {
        Ok(at) => Some(at),
        Err(error) => {
            document.fault(place, format!("{error}"));
            None
        }
    }
}
