//! `vestibule alert list`: what operators were to hear of at once.

use serde_json::json;

use super::Place;
use crate::config::Settings;
use crate::storage::{Connection, alerts};

/// The newest alerts, newest first: one line for each, or one JSON document.
///
/// # Errors
/// If there is no such virtual server, or what the database says.
pub async fn list(settings: &Settings, code: Option<&str>, most: u32, as_json: bool) -> anyhow::Result<Vec<String>> {
    let place = Place::of(settings, code).await?;
    let question = async |connection: &mut Connection| {
        let found = alerts::newest(place.tenant, i64::from(most)).ask(connection).await?;
        let mut with_delivery = Vec::with_capacity(found.len());
        for written in found {
            let mails = alerts::delivery(connection, place.tenant, &written.mails).await?;
            with_delivery.push((written, mails));
        }
        Ok(with_delivery)
    };
    let found = place.site.house.db.look(question).await?;
    if as_json {
        let all: Vec<_> = found
            .iter()
            .map(|(written, mails)| {
                let alert = &written.alert;
                json!({
                    "id": written.id.to_string(),
                    "at": alert.at.rfc3339(),
                    "kind": alert.kind,
                    "username": alert.username,
                    "serial": alert.serial,
                    "application": alert.application,
                    "address": alert.address,
                    "correlation": alert.correlation.map(|id| id.to_string()),
                    "told": written.told.id(),
                    "detail": alert.detail,
                    "mails": mails,
                })
            })
            .collect();
        return Ok(vec![serde_json::to_string_pretty(&all)?]);
    }
    let lines = found.into_iter().map(|(written, mails)| {
        let alert = written.alert;
        let told = if mails.is_empty() { written.told.id().to_owned() } else { mails.join(" ") };
        let (kind, at) = (alert.kind.id(), alert.at.rfc3339());
        let (person, serial) = (dash(&alert.username), dash(&alert.serial));
        format!("{at}\t{kind}\t{person}\t{serial}\t{}\t{}\t{told}", dash(&alert.application), dash(&alert.address))
    });
    Ok(lines.collect())
}

fn dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
