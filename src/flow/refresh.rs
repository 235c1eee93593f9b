//! Refresh tokens: each is good once, and using one twice ends all that follow from the same login (T-50, RFC 9700
//! 4.14). What is good is decided by one UPDATE, so neither a race nor a restart nor a second instance changes it.

use std::time::Duration;

use super::house::text;
use super::{House, Result, Visit};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::{GrantId, TenantId, UserId};
use crate::domain::oidc_client::RefreshRules;
use crate::storage::grants;

/// A refresh token that somebody shows.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The grant that it belongs to.
    pub grant: GrantId,
    /// Whose grant that is.
    pub user: UserId,
    /// Which of the grant's tokens it is.
    pub generation: i64,
    /// What else stood in the request: a repetition after a lost answer has the same.
    pub request: &'a [&'a [u8]],
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It was good and is not any more; the token of this generation takes its place.
    Next(i64),
    /// It was good a moment ago, and the very same request comes again: its answer was lost. The token of this
    /// generation is given out once more.
    Again(i64),
    /// It was used before: either this one or the earlier user is a thief. Nothing of the grant is good any more.
    Stolen,
    /// It has expired, or the grant was taken back.
    Over,
}

/// Takes a refresh token for its one use.
///
/// # Errors
/// If the database fails.
pub async fn rotate(
    house: &House,
    tenant: TenantId,
    visit: &Visit,
    shown: Shown<'_>,
    rules: RefreshRules,
) -> Result<Turn> {
    let retry_key = retry_key(house, tenant, visit, shown);
    let idle_until = visit.now.plus(Duration::from_secs(u64::from(rules.idle_seconds)));
    let grace = Duration::from_secs(u64::from(rules.grace_seconds));
    let turn = house.db.write(async |connection| {
        let next = (retry_key.as_str(), idle_until);
        if grants::rotate(connection, tenant, shown.grant, shown.generation, next, visit.now).await? {
            let event = Event::new(visit.now, tenant, Actor::User(shown.user), Action::GrantRefreshed);
            house.record(connection, event.on("grant", shown.grant).from_address(visit.address)).await?;
            return Ok(Turn::Next(shown.generation + 1));
        }
        let Some(good) = grants::rotated(tenant, shown.grant).ask(connection).await? else { return Ok(Turn::Over) };
        if good.generation <= shown.generation {
            return Ok(Turn::Over);
        }
        let repeated = good.generation == shown.generation + 1 && good.retry_key == retry_key;
        if repeated && visit.now.since(good.at) < grace {
            return Ok(Turn::Again(good.generation));
        }
        if grants::revoke(connection, tenant, shown.grant, visit.now).await? {
            let event = Event::new(visit.now, tenant, Actor::Stranger, Action::GrantRevoked).on("grant", shown.grant);
            let detail = serde_json::json!({ "reason": "refresh token used twice" });
            house.record(connection, event.from_address(visit.address).with(detail)).await?;
        }
        Ok(Turn::Stolen)
    });
    Ok(turn.await?)
}

/// What must be the same in a repetition: the request, and where it comes from. A hash under a key that nobody outside
/// has, so comparing it leaks nothing.
fn retry_key(house: &House, tenant: TenantId, visit: &Visit, shown: Shown<'_>) -> String {
    let address = visit.address.to_string();
    let (tenant, grant) = (tenant.to_bytes(), shown.grant.to_bytes());
    let mut fields: Vec<&[u8]> = vec![b"refresh", &tenant, &grant, address.as_bytes(), visit.user_agent.as_bytes()];
    fields.extend(shown.request);
    text(&house.derived.once.of(&fields))
}
