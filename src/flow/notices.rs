//! The end of a session as applications learn of it.

use std::time::Duration;

use super::{House, Result};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::{ApplicationId, SessionId, TenantId};
use crate::storage::logout_notices::{self, Notice};
use crate::storage::saml_notices;
use crate::storage::statement::Statement;

/// After so many tries, about a day, an application is not told any more.
pub const MOST_TRIES: u32 = 10;

/// Why a service provider is not told that is none any more.
pub const GONE: &str = "it was deactivated or removed";

/// The pause after so many tries: 5 seconds, then three times as long each time, at most six hours.
#[must_use]
pub fn pause(tries: i64) -> Duration {
    let tries = u32::try_from(tries).unwrap_or(u32::MAX).min(MOST_TRIES);
    Duration::from_secs(5_u64.saturating_mul(3_u64.saturating_pow(tries)).min(6 * 3600))
}

/// Closes a notice: the application was told, or will not be.
///
/// # Errors
/// If the database fails.
pub async fn told(house: &House, notice: &Notice, action: Action, reason: Option<&str>) -> Result<()> {
    let about = (notice.tenant, notice.session, notice.application);
    close(house, logout_notices::done(notice), about, (action, reason)).await
}

/// Closes a notice for a service provider.
///
/// # Errors
/// If the database fails.
pub async fn told_by_saml(
    house: &House,
    notice: &saml_notices::Notice,
    action: Action,
    reason: Option<&str>,
) -> Result<()> {
    let participant = &notice.participant;
    let done = saml_notices::done(notice.tenant, notice.session, (participant.application, participant.format));
    close(house, done, (notice.tenant, notice.session, participant.application), (action, reason)).await
}

async fn close(
    house: &House,
    done: Statement,
    (tenant, session, application): (TenantId, SessionId, ApplicationId),
    (action, reason): (Action, Option<&str>),
) -> Result<()> {
    let closed = house.db.write(async |connection| {
        done.clone().run(connection).await?;
        let event = Event::new(house.clock.now(), tenant, Actor::System, action).on("session", session);
        let detail = serde_json::json!({ "application": application.to_string(), "reason": reason });
        house.record(connection, event.with(detail)).await
    });
    Ok(closed.await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_about_a_day() {
        let all: u64 = (0..i64::from(MOST_TRIES)).map(|tries| pause(tries).as_secs()).sum();
        assert!(pause(0) == Duration::from_secs(5) && (12 * 3600..30 * 3600).contains(&all), "{all}");
        assert_eq!(pause(i64::MAX), Duration::from_secs(6 * 3600));
    }
}
