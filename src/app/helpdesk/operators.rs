//! `vestibule operator …`: who operates a virtual server. Whoever has the shell can make the first one: there is no
//! default password and no page for it.

use anyhow::Context as _;
use serde_json::json;

use super::arguments::Operators;
use super::{Place, Said};
use crate::config::Settings;
use crate::domain::name::key_of;
use crate::domain::operator::{Permissions, Role};
use crate::flow::administration::operators;
use crate::storage::Connection;

/// Carries out a command.
///
/// # Errors
/// If there is no such account or role, the change is refused, or the database fails.
pub async fn run(settings: &Settings, command: Operators) -> anyhow::Result<Said> {
    match command {
        Operators::List { tenant, shape } => list(settings, tenant.tenant.as_deref(), shape.json).await,
        Operators::Add { username, role, tenant, shape } => {
            let place = Place::of(settings, tenant.tenant.as_deref()).await?;
            let role = named(&place, &role)?;
            set(&place, &username, Some(role)).await?;
            let urls = &place.site.urls;
            let console = format!("{}/operator/", urls.base(&place.config.tenant.code));
            let name = place.config.role_name(role);
            let mut said = Said::line(if shape.json {
                serde_json::to_string_pretty(&json!({ "username": username, "role": name, "console": console }))?
            } else {
                format!("{username} is an operator now: {name}; the console is at {console}")
            });
            let user = place.user(&username).await?;
            if user.email.is_none() {
                said.notes.push(format!(
                    "{username} has no mail address: without one nobody enrolls an authenticator at the login"
                ));
            }
            Ok(said)
        }
        Operators::Remove { username, tenant, shape } => {
            let place = Place::of(settings, tenant.tenant.as_deref()).await?;
            set(&place, &username, None).await?;
            Ok(Said::line(if shape.json {
                serde_json::to_string_pretty(&json!({ "username": username, "role": null }))?
            } else {
                format!("{username} is not an operator any more; the account stays")
            }))
        }
    }
}

async fn list(settings: &Settings, code: Option<&str>, as_json: bool) -> anyhow::Result<Said> {
    let place = Place::of(settings, code).await?;
    let operators = &place.config.operators;
    if as_json {
        let entries: Vec<_> = operators
            .iter()
            .map(|operator| {
                json!({ "username": operator.username, "role": place.config.role_name(operator.role),
                    "since": operator.since.rfc3339() })
            })
            .collect();
        return Ok(Said::line(serde_json::to_string_pretty(&entries)?));
    }
    let line = |operator: &crate::domain::operator::Operator| {
        let role = place.config.role_name(operator.role);
        format!("{}\t{role}\tsince {}", operator.username, operator.since.rfc3339())
    };
    Ok(Said::lines(operators.iter().map(line).collect()))
}

/// The role with this name.
fn named(place: &Place, name: &str) -> anyhow::Result<Role> {
    let own = place.config.roles.iter().map(|role| (Role::Own(role.id), role.name.as_str()));
    let built_in = Role::BUILT_IN.into_iter().filter_map(|role| Some((role, role.built_in_name()?)));
    let known: Vec<(Role, &str)> = built_in.chain(own).collect();
    let found = known.iter().find(|(_, known)| key_of(known) == key_of(name)).map(|(role, _)| *role);
    found.with_context(|| {
        let names: Vec<String> = known.iter().map(|(_, name)| format!("\"{name}\"")).collect();
        format!("there is no role \"{name}\"; there are {}", names.join(", "))
    })
}

async fn set(place: &Place, username: &str, role: Option<Role>) -> anyhow::Result<()> {
    let user = place.user(username).await?;
    let (desk, held) = (place.desk(), Permissions::all());
    let work = async |connection: &mut Connection| {
        operators::set_operator(&desk, connection, place.tenant, &held, user.id, role).await
    };
    let changed = place.site.house.db.write(work).await?;
    changed.with_context(|| format!("{username}: nothing was changed"))
}
