//! Consent: what a person allows an application to learn, asked once, remembered, and taken back in the portal.

use std::collections::BTreeSet;

use super::{House, Realm, Result, Visit};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::{ApplicationId, UserId};
use crate::storage::consents::{self, Consent};
use crate::storage::{self, Connection, grants, statement, users};

/// Whether the person has allowed all of this before.
///
/// # Errors
/// If the database fails.
pub async fn is_given(
    house: &House,
    realm: &Realm,
    user: UserId,
    application: ApplicationId,
    scopes: &BTreeSet<String>,
) -> Result<bool> {
    let tenant = realm.tenant();
    let given = house.db.read(async |connection| consents::to(tenant, user, application).ask(connection).await).await?;
    let given = given.map(|consent| consent.scopes).unwrap_or_default();
    Ok(scopes.iter().all(|scope| given.split(' ').any(|word| word == scope)))
}

/// Writes down that the person allows this, besides what was allowed before.
///
/// # Errors
/// If the database fails.
pub async fn give(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    user: UserId,
    application: ApplicationId,
    scopes: &BTreeSet<String>,
) -> Result<()> {
    let given =
        house.db.write(async |connection| given(connection, house, realm, visit, (user, application), scopes).await);
    Ok(given.await?)
}

/// As [`give`], in a transaction that does more.
pub(super) async fn given(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    (user, application): (UserId, ApplicationId),
    scopes: &BTreeSet<String>,
) -> storage::Result<()> {
    let tenant = realm.tenant();
    // Where nothing was allowed before, there is no row that a second yes at this moment would wait for; and what it allows must
    // be read after it is written.
    users::hold(connection, tenant, user).await?;
    let before = consents::to(tenant, user, application).ask(connection).await?;
    let before = before.map(|consent| consent.scopes).unwrap_or_default();
    let before = before.split(' ').filter(|word| !word.is_empty());
    let all: BTreeSet<&str> = before.chain(scopes.iter().map(String::as_str)).collect();
    let words = all.into_iter().collect::<Vec<_>>().join(" ");
    let event = Event::new(visit.now, tenant, Actor::User(user), Action::ConsentGiven);
    let detail = serde_json::json!({ "scopes": words });
    let event = event.on("application", application).from_address(visit.address).with(detail);
    let mut writes = consents::given(tenant, user, &Consent { application, scopes: words, given_at: visit.now });
    writes.push(house.entry(&event));
    statement::run_all(connection, writes).await
}

/// Takes back what a person allowed an application, and with it everything that was granted to it for this person, also
/// where the organization consented in their place.
///
/// # Errors
/// If the database fails.
pub async fn withdraw(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    user: UserId,
    application: ApplicationId,
) -> Result<()> {
    let tenant = realm.tenant();
    let withdrawn = house.db.write(async |connection| {
        // A yes at this moment must not bring back what it has read before.
        users::hold(connection, tenant, user).await?;
        let given = consents::withdraw(connection, tenant, user, application).await?;
        let grants = grants::revoke_for(connection, tenant, user, application, visit.now).await?;
        if given || grants > 0 {
            let event = Event::new(visit.now, tenant, Actor::User(user), Action::ConsentWithdrawn);
            let detail = serde_json::json!({ "grants": grants });
            let event = event.on("application", application).from_address(visit.address).with(detail);
            house.record(connection, event).await?;
        }
        Ok(())
    });
    Ok(withdrawn.await?)
}
