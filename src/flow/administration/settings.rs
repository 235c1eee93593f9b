//! One section of the settings at a time, as the console and the management API change it.

use serde_json::{Map, Value};

use super::configuration::Despite;
use super::{Desk, tenants};
use crate::domain::settings::{Fault, Section, changed, tag};
use crate::domain::tenant::{TenantCode, TenantConfig};
use crate::flow::test_cases;
use crate::storage::{self, Connection, tenants as stored, test_cases as cases};

/// What a change comes to.
#[derive(Debug)]
pub enum Outcome {
    /// It is stored; the configuration as it is now.
    Stored(Box<TenantConfig>),
    /// Everything was as it was wanted already.
    Same,
    /// Somebody changed the section since it was read.
    Stale,
    /// Everything that is wrong; nothing was changed.
    Wrong(Vec<Fault>),
    /// These test cases hold and would not hold any more; nothing was changed.
    Breaks(Vec<test_cases::Outcome>),
}

/// Lays `entries` over a section of the settings, provided that it is still as it was `read`: its [`tag`].
///
/// # Errors
/// If the database fails.
pub async fn change(
    desk: &Desk<'_>,
    code: &TenantCode,
    read: &str,
    section: Section,
    entries: &Map<String, Value>,
    despite: Despite,
) -> storage::Result<Outcome> {
    let work = async |connection: &mut Connection| {
        let Some(before) = stored::config(connection, code).await? else { return Ok(Outcome::Stale) };
        if tag(&section.of(&before.settings, &before.groups)) != read {
            return Ok(Outcome::Stale);
        }
        let settings = match changed(&before, section, entries, desk.now) {
            Ok(settings) => settings,
            Err(faults) => return Ok(Outcome::Wrong(faults)),
        };
        if settings == before.settings {
            return Ok(Outcome::Same);
        }
        let after = TenantConfig { settings, ..before.clone() };
        if despite == Despite::Nothing {
            let cases = cases::all(after.tenant.id).ask(connection).await?;
            let judged = test_cases::judge(desk.house, connection, &cases, Some(&before), &after, desk.now).await?;
            let broken: Vec<_> = judged.into_iter().filter(test_cases::Outcome::is_broken).collect();
            if !broken.is_empty() {
                return Ok(Outcome::Breaks(broken));
            }
        }
        tenants::change(desk, connection, &before, &after).await?;
        Ok(Outcome::Stored(Box::new(TenantConfig { version: before.version + 1, ..after })))
    };
    let outcome = match desk.house.db.write(work).await {
        // Somebody was faster by a moment.
        Err(storage::Error::Contended) => Outcome::Stale,
        outcome => outcome?,
    };
    desk.house.forget_realms();
    Ok(outcome)
}
