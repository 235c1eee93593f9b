//! `vestibule token new-pin`: a new server-side PIN from the help desk.

use anyhow::Context as _;

use super::commands::{desk, tenant};
use super::{Nature, Schema, open};
use crate::config::Settings;
use crate::domain::authenticator::pin::Rule;
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::flow::administration::pins::{self, Refused};
use crate::storage::{Connection, tenants, tokens};

/// What is asked for.
#[derive(Debug)]
pub struct NewPin<'a> {
    /// The serial number.
    pub serial: &'a str,
    /// Whether the PIN is on the first line of standard input, instead of being drawn.
    pub from_stdin: bool,
    /// Whether it must be changed at the next login, whatever the policy says.
    pub must_change: bool,
    /// Whether the answer is for programs.
    pub json: bool,
}

/// Gives an authenticator a new PIN; says it, unless the operator has chosen it.
///
/// # Errors
/// If there is no such virtual server or authenticator, the policy does not allow it, or what the database says.
pub async fn new_pin(settings: &Settings, code: Option<&str>, wanted: NewPin<'_>) -> anyhow::Result<String> {
    let site = open(settings, Schema::Expect, Nature::default()).await?;
    let code = tenant(&site.house.db, code).await?;
    let config = site.house.db.look(async |connection| tenants::config(connection, &code).await).await?;
    let config = config.with_context(|| format!("there is no tenant \"{code}\""))?;
    let serial = wanted.serial.trim().to_uppercase();
    let question = async |connection: &mut Connection| tokens::with_serial(connection, config.tenant.id, &serial).await;
    let token = site.house.db.look(question).await?;
    let token =
        token.with_context(|| format!("there is no authenticator {serial}; `vestibule token list` shows them"))?;
    let policy = config.settings.server_side_pin;
    let chosen = if wanted.from_stdin { Some(typed()?) } else { None };
    let given = pins::set(&desk(&site), policy, &token, chosen, wanted.must_change).await;
    let given = given.with_context(|| format!("{serial} has no new PIN"))?;
    let pin = given.map_err(|refused| anyhow::anyhow!("{serial} {}", words(refused)))?;
    let must_change = wanted.must_change || policy.change_on_first_use;
    let shown = (!wanted.from_stdin).then(|| pin.expose_secret());
    if wanted.json {
        let answer = serde_json::json!({ "serial": serial, "pin": shown, "must_change": must_change });
        return Ok(answer.to_string());
    }
    let then = if must_change { "; it must be changed at the next login" } else { "" };
    Ok(match shown {
        Some(pin) => format!("the new PIN of {serial} is {pin}{then}. It is not shown again"),
        None => format!("{serial} has the new PIN{then}"),
    })
}

fn typed() -> anyhow::Result<SecretString> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).context("standard input cannot be read")?;
    Ok(SecretString::from(line.trim_end_matches(['\r', '\n']).to_owned()))
}

fn words(refused: Refused) -> String {
    match refused {
        Refused::NoPin => "has no server-side PIN: its template has another pin_type, or it is revoked".to_owned(),
        Refused::Random => {
            "gets PINs that are drawn: the policy has force_random = true, so leave out --pin-stdin".to_owned()
        }
        Refused::Rules(broken) => {
            let rules: Vec<String> = broken.rules().map(|rule: Rule| rule.to_string()).collect();
            format!("cannot have this PIN: {}", rules.join("; "))
        }
    }
}
