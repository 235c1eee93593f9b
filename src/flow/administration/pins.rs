//! New server-side PINs from the help desk.

use serde_json::json;

use super::Desk;
use crate::domain::audit::Action;
use crate::domain::authenticator::pin::Broken;
use crate::domain::authenticator::server_pin::ServerSidePin;
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::flow::server_pin::{given, has_pin};
use crate::flow::{self, Error};
use crate::storage::tokens::{State, Token};

/// Why an operator cannot give this PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// The token has no server-side PIN, or is revoked.
    NoPin,
    /// The policy draws PINs; operators do not choose them.
    Random,
    /// The PIN breaks these rules.
    Rules(Broken),
}

/// Gives a token a new PIN and says it: `chosen`, or one that is drawn. It must be changed at the next login where the
/// policy says so or `must_change` does; an operator can demand more than the policy, never less.
///
/// # Errors
/// [`Error::WrongMoment`] if the PIN was changed at the same moment; [`Error::Busy`]; if the database fails.
pub async fn set(
    desk: &Desk<'_>,
    policy: ServerSidePin,
    token: &Token,
    chosen: Option<SecretString>,
    must_change: bool,
) -> flow::Result<Result<SecretString, Refused>> {
    if !has_pin(&token.template) || token.state == State::Revoked {
        return Ok(Err(Refused::NoPin));
    }
    if chosen.is_some() && policy.force_random {
        return Ok(Err(Refused::Random));
    }
    let entropy = &desk.house.entropy;
    let pin = chosen.unwrap_or_else(|| policy.rules().draw(policy.generated_length, |below| entropy.below(below)));
    let broken = policy.rules().broken_by(pin.expose_secret());
    if !broken.is_empty() {
        return Ok(Err(Refused::Rules(broken)));
    }
    let must_change = must_change || policy.change_on_first_use;
    let new = given(desk.house, policy, token, &pin).await?;
    let stored = desk.house.db.write(async |connection| {
        if !new.store(connection, token, must_change, desk.now).await? {
            return Ok(false);
        }
        let detail = json!({ "serial": token.serial, "must_change": must_change });
        desk.record(connection, token.tenant, Action::PinReset, ("token", token.id.to_string()), detail).await?;
        Ok(true)
    });
    if stored.await? { Ok(Ok(pin)) } else { Err(Error::WrongMoment) }
}
