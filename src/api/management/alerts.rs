//! Alerts that there were. Who is told of what is a section of the settings: `settings/alerts`.

use serde::Serialize;

use super::io::{Page, Paging, Query, ok};
use super::problem::Problem;
use super::{Answer, Api};
use crate::domain::alert::Kind;
use crate::domain::operator::{Deed, Module};
use crate::http::guard::Program;
use crate::storage::alerts::{self, Written};
use crate::storage::audit_list::{place_of, place_text};

/// An alert; what is not known is empty.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Alert")]
struct AlertView {
    /// Its identifier.
    id: String,
    /// When it happened.
    at: String,
    /// What it is about.
    kind: Kind,
    /// The user name of the person whom it concerns.
    username: String,
    /// The serial number of the authenticator.
    serial: String,
    /// The application that was to be reached.
    application: String,
    /// The client's address.
    address: String,
    /// The correlation of the login in which it happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<String>,
    /// What else is known.
    detail: String,
    /// `mailed` (by mail or to webhooks), `withheld` (there were many), `gathered` (told together with others) or `nobody` (who
    /// asked to be told).
    told: &'static str,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    api.get("alerts", Module::Alerts.needs(Deed::Access), "Alerts, the newest first", list)
        .query::<Paging>()
        .gives::<Page<AlertView>>(200);
}

fn view(written: Written) -> AlertView {
    let alert = written.alert;
    AlertView {
        id: written.id.to_string(),
        at: alert.at.rfc3339(),
        kind: alert.kind,
        username: alert.username,
        serial: alert.serial,
        application: alert.application,
        address: alert.address,
        correlation: alert.correlation.map(|id| id.to_string()),
        detail: alert.detail,
        told: written.told.id(),
    }
}

async fn list(program: Program, Query(paging): Query<Paging>) -> Answer {
    let (tenant, limit) = (program.call.realm.tenant(), usize::from(paging.limit()?));
    let place = match &paging.after {
        None => (i64::MAX, String::new()),
        Some(text) => {
            place_of(text).ok_or_else(|| Problem::new(400, "malformed", "after is no place that a page gave"))?
        }
    };
    let most = i64::try_from(limit).unwrap_or(i64::MAX) + 1;
    let read =
        program.call.site.house.db.look(async |connection| alerts::page(tenant, &place, most).ask(connection).await);
    let mut found = read.await?;
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| place_text(&(last.alert.at.micros(), last.id.to_string())));
    Ok(ok(&Page { items: found.into_iter().map(view).collect(), next }))
}
