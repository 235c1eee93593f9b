//! The end of a session as applications learn of it.

use super::{House, Result};
use crate::domain::audit::{Action, Actor, Event};
use crate::storage::logout_notices::{self, Notice};

/// Closes a notice: the application was told, or will not be.
///
/// # Errors
/// If the database fails.
pub async fn told(house: &House, notice: &Notice, action: Action, reason: Option<&str>) -> Result<()> {
    let closed = house.db.write(async |connection| {
        logout_notices::done(notice).run(connection).await?;
        let event = Event::new(house.clock.now(), notice.tenant, Actor::System, action).on("session", notice.session);
        let detail = serde_json::json!({ "application": notice.application.to_string(), "reason": reason });
        house.record(connection, event.with(detail)).await
    });
    Ok(closed.await?)
}
