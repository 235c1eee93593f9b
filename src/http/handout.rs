//! Authenticators with their secrets as files for other servers: which of them a request means, and the encrypted container.

use serde_json::Value;

use crate::domain::authenticator::lifecycle::{Kind, State};
use crate::domain::authenticator::template::{Mode, Synchronization};
use crate::domain::ids::TenantId;
use crate::domain::oath::ocra::Suite;
use crate::exchange::Spot;
use crate::exchange::pskc::{self, Protection};
use crate::exchange::token::{Described, Method};
use crate::flow::House;
use crate::keys::sealing::Place;
use crate::storage::tokens::{self, Filter, LONGEST_PAGE, Listed, Name};
use crate::storage::{self, Connection};

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The scope of the request does not read.
    #[error("\"{given}\" is no {what} of a token")]
    Scope {
        /// What it should be.
        what: &'static str,
        /// What it is.
        given: String,
    },
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// A secret does not open: its key is gone.
    #[error("the secret of {0} does not open")]
    Sealed(String),
    /// The container cannot be written.
    #[error("{0}")]
    Container(String),
}

/// Which authenticators a scope means.
///
/// # Errors
/// [`Fault::Scope`].
pub fn filter(scope: &Value) -> Result<Filter, Fault> {
    let text = |key: &str| scope.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    let wrong = |what, given: &str| Fault::Scope { what, given: given.to_owned() };
    let state = text("state").map(|it| it.parse::<State>().map_err(|_| wrong("state", it))).transpose()?;
    let kind = text("kind").map(|it| it.parse::<Kind>().map_err(|_| wrong("kind", it))).transpose()?;
    let serial = text("serial").unwrap_or_default().trim().to_uppercase();
    Ok(Filter { state, kind, platform: None, serial, user: text("user").map(|name| Name::Is(name.to_owned())) })
}

/// Every authenticator that a filter lets through.
///
/// # Errors
/// If the database fails.
pub async fn entries(house: &House, tenant: TenantId, filter: &Filter) -> storage::Result<Vec<Listed>> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let from = after.as_deref();
        let question =
            async |connection: &mut Connection| tokens::search(connection, tenant, filter, from, LONGEST_PAGE).await;
        let page = house.db.read(question).await?;
        all.extend(page.entries);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
        tokio::task::yield_now().await;
    }
}

/// Whether there is a secret that another server can use: what belongs to a device of our protocol cannot be moved.
#[must_use]
pub const fn is_movable(entry: &Listed) -> bool {
    !matches!(entry.token.kind, Kind::App) && entry.token.secret_sealed.is_some()
}

/// How many authenticators of a scope have a secret that can be moved.
///
/// # Errors
/// [`Fault`].
pub async fn movable(house: &House, tenant: TenantId, scope: &Value) -> Result<usize, Fault> {
    Ok(entries(house, tenant, &filter(scope)?).await?.iter().filter(|entry| is_movable(entry)).count())
}

/// The encrypted container of the authenticators of a scope, and how many they are. Whoever calls it has used an approval up.
///
/// # Errors
/// [`Fault`].
pub async fn container(
    house: &House,
    tenant: TenantId,
    scope: &Value,
    protection: &Protection,
) -> Result<(String, usize), Fault> {
    let mut described = Vec::new();
    for entry in entries(house, tenant, &filter(scope)?).await?.into_iter().filter(is_movable) {
        described.push(opened(house, entry)?);
    }
    let text = pskc::write(&described, protection, &house.entropy).map_err(Fault::Container)?;
    Ok((text, described.len()))
}

/// An authenticator with its secret, for another server.
fn opened(house: &House, entry: Listed) -> Result<Described, Fault> {
    let token = entry.token;
    let template = &token.template;
    let gone = || Fault::Sealed(token.serial.clone());
    let sealed = token.secret_sealed.as_deref().ok_or_else(gone)?;
    let place = Place::new(token.tenant, "token", "secret_sealed", token.id);
    let secret = house.sealer.open(place, sealed).map_err(|_| gone())?;
    let counter = token.last_position + 1;
    let method = match (template.mode, template.synchronization) {
        (Mode::ChallengeResponse, _) => {
            Method::Challenge { suite: Suite::of_token(template.algorithm, template.length).to_string(), counter: 0 }
        }
        (_, Synchronization::Event) => Method::Event { counter },
        (_, Synchronization::Time) => {
            Method::Time { step_seconds: template.time_step_seconds, drift_steps: token.drift_steps }
        }
    };
    let device = |key: &str| token.device.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok(Described {
        spot: Spot::Record(0),
        serial: token.serial.clone(),
        user: entry.username,
        method,
        algorithm: template.algorithm,
        length: template.length,
        alphabet: template.alphabet,
        secret,
        manufacturer: device("manufacturer"),
        model: device("model"),
    })
}
