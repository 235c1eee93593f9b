//! `vestibule explain`: what a person would meet at a login, and why.

use std::net::IpAddr;

use anyhow::Context as _;

use super::helpdesk::{Place, Said};
use crate::config::Settings;
use crate::domain::name::key_of;
use crate::domain::tenant::TenantConfig;
use crate::flow::explain::{Asked, Explanation, Person, explain};
use crate::storage::Connection;

/// Explains a login of `user` at `application` from `address`.
///
/// # Errors
/// If there is no such virtual server, account or application, or what the database says.
pub async fn run(
    settings: &Settings,
    tenant: Option<&str>,
    (user, application): (&str, &str),
    address: IpAddr,
    json: bool,
) -> anyhow::Result<Said> {
    let place = Place::of(settings, tenant).await?;
    let house = &place.site.house;
    let config = &place.config;
    let application =
        config.applications.iter().chain([&config.console]).find(|it| key_of(&it.name) == key_of(application));
    let application =
        application.with_context(|| format!("there is no such application; there are: {}", names(config)))?;
    let asked = Asked { config, application, address, at: house.clock.now() };
    let question = async |connection: &mut Connection| match Person::named(house, connection, config, user).await? {
        Some(person) => explain(connection, asked, &person).await.map(Some),
        None => Ok(None),
    };
    let told: Option<Explanation> = house.db.look(question).await?;
    let told =
        told.with_context(|| format!("there is no user \"{user}\"; `vestibule user list` shows who there is"))?;
    Ok(Said::lines(if json { vec![serde_json::to_string_pretty(&told)?] } else { told.lines() }))
}

fn names(config: &TenantConfig) -> String {
    config.applications.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", ")
}
