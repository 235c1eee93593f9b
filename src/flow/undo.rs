//! "This was not me": the link in the mail after an enrollment suspends the new authenticator. The recovery codes that came
//! with it are worthless, too.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::lifecycle::{self, By, Ending};
use super::{House, Realm, Result, Visit, recovery, session};
use crate::domain::audit::Actor;
use crate::domain::authenticator::lifecycle::{Move, State};
use crate::domain::ids::TokenId;
use crate::domain::timestamp::Timestamp;
use crate::storage::tokens::{self, Token};
use crate::storage::users;

/// How long the link works: who is on holiday reads mail late.
const LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// The statement "this token", which only this installation can make.
pub(super) fn statement(house: &House, realm: &Realm, token: TokenId, now: Timestamp) -> String {
    let until = now.plus(LIFETIME).seconds();
    let content = format!("{token} {until}");
    URL_SAFE_NO_PAD.encode(house.derived.access_tokens.seal(&context(realm), content.as_bytes()))
}

fn context(realm: &Realm) -> Vec<u8> {
    [b"not me".as_slice(), &realm.tenant().to_bytes()].concat()
}

/// The token that a statement is about, if the statement is ours and not too old.
#[must_use]
pub fn token_of(house: &House, realm: &Realm, statement: &str, now: Timestamp) -> Option<TokenId> {
    let sealed = URL_SAFE_NO_PAD.decode(statement).ok()?;
    let content = String::from_utf8(house.derived.access_tokens.open(&context(realm), &sealed)?).ok()?;
    let (token, until) = content.split_once(' ')?;
    let until: i64 = until.parse().ok()?;
    if now.seconds() < until { token.parse().ok() } else { None }
}

/// Suspends the token, ends every session and login of its owner and voids the recovery codes. Says whether there was a token to stop.
///
/// # Errors
/// If the database fails.
pub async fn not_me(house: &House, realm: &Realm, visit: &Visit, token: TokenId) -> Result<bool> {
    let stopped = house.db.write(async |connection| {
        let tenant = realm.tenant();
        let token = tokens::with_id(tenant, token).ask(connection).await?;
        let stoppable = |token: &Token| matches!(token.state, State::Active | State::Locked);
        let Some(token) = token.filter(stoppable) else { return Ok(false) };
        let by = By::visitor(Actor::Stranger, visit);
        let moved =
            lifecycle::carry_out(connection, house, &by, &token, (Move::Suspend, "not me"), Ending::All).await?;
        if let (true, Some(user)) = (moved.done(), token.user) {
            // A lock has ended nothing that was open, and it is taken away again.
            if token.state == State::Locked {
                users::raise_security_version(connection, tenant, user, visit.now).await?;
                session::all_ended(connection, tenant, user, "not the person", visit.now).await?;
            }
            recovery::disowned(connection, house, visit, (tenant, user), Actor::Stranger).await?;
        }
        Ok(moved.done())
    });
    let stopped = stopped.await?;
    house.wake_notices();
    Ok(stopped)
}
