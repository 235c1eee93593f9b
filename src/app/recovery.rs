//! Help desk actions from the shell for somebody who cannot enroll, or has lost the authenticator (docs/help-desk.md).

use std::net::IpAddr;

use serde_json::{Value, json};

use super::commands::desk;
use super::helpdesk::Place;
use crate::config::Settings;
use crate::domain::login::step::Tokens;
use crate::domain::policy::provisioning::Offer;
use crate::domain::policy::rollout::HelpDeskPass;
use crate::domain::secret::ExposeSecret as _;
use crate::flow::administration::recovery;
use crate::storage::{Connection, audit_list};

/// What a command says: to people, and to programs.
#[derive(Debug)]
pub struct Said {
    /// Lines for people.
    pub lines: Vec<String>,
    /// The same for `--json`.
    pub json: Value,
}

impl Said {
    /// As it is printed.
    #[must_use]
    pub fn printed(self, json: bool) -> Vec<String> {
        if json { vec![self.json.to_string()] } else { self.lines }
    }
}

/// `vestibule user reopen-enrollment`.
///
/// # Errors
/// If there is no such virtual server or account, or what the database says.
pub async fn reopen(settings: &Settings, code: Option<&str>, name: &str) -> anyhow::Result<Said> {
    let place = Place::of(settings, code).await?;
    let user = place.user(name).await?;
    let desk = desk(&place.site);
    let work = async |connection: &mut Connection| recovery::reopen(&desk, connection, &user).await;
    place.site.house.db.write(work).await?;
    let name = &user.username;
    Ok(Said {
        lines: vec![format!("enrollment is open again for {name}")],
        json: json!({ "user": name, "reopened_at": desk.now.rfc3339() }),
    })
}

/// `vestibule user pass`.
///
/// # Errors
/// If passes are not taken or would not help, there is no such virtual server or account, or what the database says.
pub async fn pass(settings: &Settings, code: Option<&str>, name: &str) -> anyhow::Result<Said> {
    let place = Place::of(settings, code).await?;
    let user = place.user(name).await?;
    let gates = &place.config.settings.self_provisioning.gates;
    anyhow::ensure!(
        gates.help_desk_pass != HelpDeskPass::None,
        "passes are not taken here; set self_provisioning.help_desk_pass to \"opens_gates\" or \"required\""
    );
    let desk = desk(&place.site);
    let here = IpAddr::from([0, 0, 0, 0]);
    let question =
        async |connection: &mut Connection| recovery::prospect(&desk, connection, &place.config, &user, here).await;
    let prospect = place.site.house.db.look(question).await?;
    if let Offer::Refused(refusal) = prospect.vouched {
        anyhow::bail!(
            "a pass would not help {}: enrollment is not offered ({}); `vestibule user explain` tells more",
            user.username,
            refusal.reason()
        );
    }
    let work = async |connection: &mut Connection| recovery::pass(&desk, connection, &place.config, &user).await;
    let pass = place.site.house.db.write(work).await??;
    let (name, until) = (&user.username, pass.expires_at.rfc3339());
    let code = pass.code.expose_secret();
    let second = if pass.waits {
        format!("another operator must confirm it before {until}: vestibule user confirm-pass {name}")
    } else {
        format!("it works once, for {name}, until {until}")
    };
    Ok(Said {
        lines: vec![code.to_owned(), second],
        json: json!({ "user": name, "pass": code, "waits": pass.waits, "expires_at": until }),
    })
}

/// `vestibule user confirm-pass`.
///
/// # Errors
/// If no pass waits that this operator may confirm, there is no such virtual server or account, or what the database says.
pub async fn confirm_pass(settings: &Settings, code: Option<&str>, name: &str) -> anyhow::Result<Said> {
    let place = Place::of(settings, code).await?;
    let user = place.user(name).await?;
    let desk = desk(&place.site);
    let work =
        async |connection: &mut Connection| recovery::confirm_pass(&desk, connection, &place.config, &user).await;
    let until = place.site.house.db.write(work).await??;
    let name = &user.username;
    let Some(until) = until else {
        anyhow::bail!("no pass of {name} waits for you: none was made, its time is over, or you made it yourself");
    };
    let until = until.rfc3339();
    Ok(Said {
        lines: vec![format!("the pass of {name} works once, until {until}")],
        json: json!({ "user": name, "expires_at": until }),
    })
}

/// `vestibule user temporary-code`.
///
/// # Errors
/// If the person has an authenticator that works, there is no such virtual server or account, or what the database says.
pub async fn temporary(
    settings: &Settings,
    code: Option<&str>,
    name: &str,
    (hours, count): (u8, u8),
) -> anyhow::Result<Said> {
    let place = Place::of(settings, code).await?;
    let user = place.user(name).await?;
    let desk = desk(&place.site);
    let here = IpAddr::from([0, 0, 0, 0]);
    let question =
        async |connection: &mut Connection| recovery::prospect(&desk, connection, &place.config, &user, here).await;
    let prospect = place.site.house.db.look(question).await?;
    anyhow::ensure!(
        prospect.tokens != Tokens::Usable,
        "{} has an authenticator that works; suspend or revoke it first, `vestibule token list --user {0}` shows it",
        user.username
    );
    let work = async |connection: &mut Connection| {
        recovery::temporary(&desk, connection, &place.config, &user, (hours, count)).await
    };
    let codes = place.site.house.db.write(work).await?;
    let name = &user.username;
    let mut lines: Vec<String> = codes.iter().map(|code| code.expose_secret().to_owned()).collect();
    let json = json!({ "user": name, "codes": lines, "hours": hours });
    lines.push(format!("each works once in place of a passcode, for {name}, in the next {hours} hours"));
    Ok(Said { lines, json })
}

/// `vestibule user void-codes`.
///
/// # Errors
/// If there is no such virtual server or account, or what the database says.
pub async fn void(settings: &Settings, code: Option<&str>, name: &str) -> anyhow::Result<Said> {
    let place = Place::of(settings, code).await?;
    let user = place.user(name).await?;
    let desk = desk(&place.site);
    let work = async |connection: &mut Connection| recovery::void(&desk, connection, &user).await;
    place.site.house.db.write(work).await?;
    let name = &user.username;
    Ok(Said {
        lines: vec![format!("recovery codes, temporary codes and passes of {name} no longer work")],
        json: json!({ "user": name, "voided": true }),
    })
}

/// `vestibule user explain`: what the person would meet at a login that asks for a passcode, and why.
///
/// # Errors
/// If there is no such virtual server or account, or what the database says.
pub async fn explain(settings: &Settings, code: Option<&str>, name: &str, address: IpAddr) -> anyhow::Result<Said> {
    let place = Place::of(settings, code).await?;
    let user = place.user(name).await?;
    let desk = desk(&place.site);
    let question =
        async |connection: &mut Connection| recovery::prospect(&desk, connection, &place.config, &user, address).await;
    let found = place.site.house.db.look(question).await?;
    let offer = match found.offer {
        Offer::Offered => "offered".to_owned(),
        Offer::AfterPassword => "offered once the password is proven".to_owned(),
        Offer::Gated(gate) => format!("offered with a pass of the help desk; closed gate: {}", gate.reason()),
        Offer::Refused(refusal) => format!("not offered: {}", refusal.reason()),
    };
    let tokens = match found.tokens {
        Tokens::None => "none",
        Tokens::Usable => "works",
        Tokens::Blocked => "suspended or locked",
    };
    let account = match (found.disabled, found.locked) {
        (true, _) => "disabled",
        (false, true) => "locked",
        (false, false) => "enabled",
    };
    let name = &user.username;
    let mut lines = vec![
        format!("{name}: account {account}; authenticator: {tokens}; recovery codes left: {}", found.recovery_codes),
        format!("enrollment at the login, from {address}: {offer}"),
    ];
    lines.extend(found.trace.iter().map(|line| format!("  {line}")));
    let json = json!({
        "user": name,
        "account": account,
        "authenticator": tokens,
        "recovery_codes_left": found.recovery_codes,
        "enrollment": offer,
        "trace": found.trace,
    });
    Ok(Said { lines, json })
}

/// `vestibule changes`: the last changes of a table of the settings, such as `lockout`, with what was before and after.
///
/// # Errors
/// If there is no such virtual server, or what the database says.
pub async fn changes(settings: &Settings, code: Option<&str>, table: &str, count: u8) -> anyhow::Result<Said> {
    let place = Place::of(settings, code).await?;
    let tenant = place.config.tenant.id;
    let question = async |connection: &mut Connection| audit_list::settings_changes(connection, tenant, 200).await;
    let found = place.site.house.db.look(question).await?;
    let (mut lines, mut entries) = (Vec::new(), Vec::new());
    for change in found {
        let of = |side: &str| change.detail.get(side).and_then(|settings| settings.get(table)).cloned();
        let (old, new) = (of("old").unwrap_or_default(), of("new").unwrap_or_default());
        if old == new {
            continue;
        }
        let keys = old.as_object().into_iter().chain(new.as_object()).flat_map(serde_json::Map::keys);
        let mut keys: Vec<&String> = keys.filter(|key| old.get(*key) != new.get(*key)).collect();
        keys.sort_unstable();
        keys.dedup();
        let shown = |value: Option<&Value>| value.map_or_else(|| "-".to_owned(), ToString::to_string);
        let words: Vec<String> =
            keys.iter().map(|key| format!("{key}: {} -> {}", shown(old.get(*key)), shown(new.get(*key)))).collect();
        let at = change.at.rfc3339();
        lines.push(format!("{at}\t{}\t{}", change.actor, words.join(", ")));
        entries.push(json!({ "at": at, "by": change.actor, "old": old, "new": new }));
        if entries.len() >= usize::from(count) {
            break;
        }
    }
    Ok(Said { lines, json: json!({ "table": table, "changes": entries }) })
}
