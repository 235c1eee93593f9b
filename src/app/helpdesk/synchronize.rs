//! `vestibule token resync`: two passcodes that the owner of an authenticator reads out.

use std::io::BufRead as _;

use anyhow::Context as _;

use super::Place;
use crate::app::commands::desk;
use crate::config::Settings;
use crate::domain::authenticator::template::Synchronization;
use crate::flow::administration::synchronize::synchronize;
use crate::flow::challenge::answers;
use crate::storage::tokens::{self, State};
use crate::storage::{Connection, tenants};

/// Reads two passcodes, one a line, and synchronizes the authenticator with this serial number. Gives that as it is stored.
///
/// # Errors
/// If there is no such authenticator, it is not active or answers challenges, or the passcodes are not right.
pub async fn resync(settings: &Settings, code: Option<&str>, serial: &str) -> anyhow::Result<String> {
    let place = Place::of(settings, code).await?;
    let serial = serial.trim().to_uppercase();
    let db = &place.site.house.db;
    let found = db.look(async |connection: &mut Connection| {
        let code = tenants::code_of(place.tenant).ask(connection).await?;
        let config = match &code {
            Some(code) => tenants::config(connection, code).await?,
            None => None,
        };
        Ok((tokens::with_serial(connection, place.tenant, &serial).await?, config))
    });
    let (token, config) = found.await?;
    let token =
        token.with_context(|| format!("there is no authenticator {serial}; `vestibule token list` shows them"))?;
    let config = config.context("the tenant is gone")?;
    anyhow::ensure!(
        token.state == State::Active,
        "{serial} is {}; only an active one is synchronized",
        token.state.id()
    );
    anyhow::ensure!(!answers(&token.template), "{serial} answers challenges: there is nothing to synchronize");
    let mut lines = std::io::stdin().lock().lines();
    let mut next = |which: &str| -> anyhow::Result<String> {
        let line = lines.next().transpose()?.unwrap_or_default();
        anyhow::ensure!(!line.trim().is_empty(), "the {which} passcode is missing: type two of them, one a line");
        Ok(line)
    };
    let (first, second) = (next("first")?, next("second")?);
    let done = synchronize(&desk(&place.site), &config, &token, (&first, &second)).await?;
    let far = match token.template.synchronization {
        Synchronization::Time => "a clock that is off by more than 100 time steps has to be set right first",
        Synchronization::Event => "one that was pressed more than 1000 times without a login cannot be found any more",
    };
    anyhow::ensure!(done, "these are not two passcodes of {serial}, one after the other and neither used; {far}");
    Ok(serial)
}
