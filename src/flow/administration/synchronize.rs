//! Synchronizing an authenticator with two passcodes that its owner reads out.

use serde_json::json;

use super::Desk;
use crate::domain::audit::Action;
use crate::domain::oath::window::pair;
use crate::domain::tenant::TenantConfig;
use crate::flow::challenge::answers;
use crate::flow::second_factor::{judged, used};
use crate::flow::{Error, Result};
use crate::keys::sealing::Place;
use crate::storage::statement;
use crate::storage::tokens::{self, Token};

/// Synchronizes an active authenticator. Says whether the two passcodes were what they should be: one after the other,
/// within reach, and neither used.
///
/// # Errors
/// [`Error::Forbidden`] if it has no secret or answers challenges; if the secret does not open or the database fails.
pub async fn synchronize(desk: &Desk<'_>, config: &TenantConfig, token: &Token, typed: (&str, &str)) -> Result<bool> {
    let Some(sealed) = token.secret_sealed.as_ref().filter(|_| !answers(&token.template)) else {
        return Err(Error::Forbidden);
    };
    let (house, tenant) = (desk.house, config.tenant.id);
    let secret = house.sealer.open(Place::new(tenant, "token", "secret_sealed", token.id), sealed)?;
    let judged = judged(&token.template, &secret, token.drift_steps, token.last_position, None);
    let found = pair(judged, config.settings.windows, typed, desk.now);
    let done = house.db.write(async |connection| {
        let done = match found {
            Some((position, drift)) => tokens::accept(connection, tenant, token.id, position, drift, desk.now).await?,
            None => false,
        };
        if done {
            statement::run_all(connection, used(token, desk.now).collect()).await?;
        }
        let action = if done { Action::TokenSynchronized } else { Action::TokenSynchronizationFailed };
        let detail = json!({ "serial": token.serial, "drift_steps": found.filter(|_| done).map(|(_, drift)| drift) });
        desk.record(connection, tenant, action, ("token", token.id.to_string()), detail).await?;
        Ok(done)
    });
    Ok(done.await?)
}
