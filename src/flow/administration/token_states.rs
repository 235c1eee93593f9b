//! What operators do with one token: stop it, let it work again, end it, give it to somebody.

use super::Desk;
use crate::domain::authenticator::lifecycle::{LockReason, Move, State};
use crate::domain::job::{TokenDeed, TokenStep};
use crate::domain::tenant::TenantConfig;
use crate::domain::user::User;
use crate::flow::lifecycle::{self, By, Ending};
use crate::storage::tokens::{self, Moved, Token};
use crate::storage::{self, Connection, users};

/// Carries out a deed. Says the state that the token is in afterwards, or why nothing was done, as the end of a sentence.
///
/// # Errors
/// If the database fails.
pub async fn carry_out(
    desk: &Desk<'_>,
    connection: &mut Connection,
    token: &Token,
    deed: &TokenDeed,
) -> storage::Result<Result<State, String>> {
    let step = match deed.step {
        TokenStep::Suspend => Move::Suspend,
        TokenStep::Reactivate => Move::Reactivate,
        TokenStep::Unlock => Move::Unlock,
        TokenStep::Revoke { disposition } => Move::Revoke(disposition),
    };
    moved(desk, connection, token, step, &deed.reason).await
}

/// Takes an imported token back into the inventory.
///
/// # Errors
/// If the database fails.
pub async fn release(
    desk: &Desk<'_>,
    connection: &mut Connection,
    token: &Token,
) -> storage::Result<Result<State, String>> {
    moved(desk, connection, token, Move::Release, "").await
}

async fn moved(
    desk: &Desk<'_>,
    connection: &mut Connection,
    token: &Token,
    step: Move,
    reason: &str,
) -> storage::Result<Result<State, String>> {
    let by = By::desk(desk);
    let moved = lifecycle::carry_out(connection, desk.house, &by, token, (step, reason), Ending::All).await?;
    if let (true, Move::Revoke(disposition), Some(user)) = (moved.done(), step, token.user) {
        let allowed = disposition.may_enroll_again();
        if allowed.is_some() {
            // Somebody else may have what was lost (T-01).
            lifecycle::set_may_enroll_again(connection, desk.house, &by, (token.tenant, user), allowed).await?;
        }
    }
    Ok(told(token, moved))
}

fn told(token: &Token, moved: Moved) -> Result<State, String> {
    match moved {
        Moved::To(state) => Ok(state),
        Moved::Refused if token.lock == Some(LockReason::Pin) => {
            Err("is locked after too many wrong PINs: it can only be revoked".to_owned())
        }
        Moved::Refused => Err(format!("is {}; that cannot be done to it", token.state)),
        Moved::Overtaken => Err("was changed by somebody else at the same moment: look at it again".to_owned()),
    }
}

/// Gives an imported token to somebody; it works at once.
///
/// # Errors
/// If the database fails.
pub async fn assign(
    desk: &Desk<'_>,
    connection: &mut Connection,
    config: &TenantConfig,
    token: &Token,
    user: &User,
) -> storage::Result<Result<State, String>> {
    users::hold(connection, user.tenant, user.id).await?;
    let most = i64::from(config.settings.tokens.max_per_user);
    if tokens::held_by(connection, user.tenant, user.id).await? >= most {
        return Ok(Err(format!(
            "cannot be given to {}: {most} authenticators are as many as anybody may have",
            user.username
        )));
    }
    let moved = lifecycle::assign(connection, desk.house, &By::desk(desk), token, user.id, true).await?;
    Ok(told(token, moved))
}
