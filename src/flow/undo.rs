//! "This was not me": the link in the mail after an enrollment suspends the new authenticator. The recovery codes that came
//! with it are worthless, too.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::lifecycle::{self, By, Ending};
use super::{House, Realm, Result, Visit, recovery, session};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::authenticator::lifecycle::{Move, State};
use crate::domain::ids::TokenId;
use crate::domain::timestamp::Timestamp;
use crate::storage::{tokens, users};

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

/// Suspends the token, ends every session and login of its owner and voids the recovery codes; what has stopped the token before
/// spares none of the rest. Says whether it was stopped by this.
///
/// # Errors
/// If the database fails.
pub async fn not_me(house: &House, realm: &Realm, visit: &Visit, token: TokenId) -> Result<bool> {
    let stopped = house.db.write(async |connection| {
        let tenant = realm.tenant();
        let Some(token) = tokens::with_id(tenant, token).ask(connection).await? else { return Ok(false) };
        let Some(user) = token.user else { return Ok(false) };
        let by = By::visitor(Actor::Stranger, visit);
        let step = (Move::Suspend, "not me");
        let stopped = matches!(token.state, State::Active | State::Locked)
            && lifecycle::carry_out(connection, house, &by, &token, step, Ending::All).await?.done();
        // What had stopped it has ended less than everything, and whoever enrolled it may have stopped it for that: a lock is taken
        // away again, and the codes would count with the next authenticator.
        if !stopped || token.state == State::Locked {
            users::raise_security_version(connection, tenant, user, visit.now).await?;
            session::all_ended(connection, tenant, user, "not the person", visit.now).await?;
        }
        if !stopped {
            let disputed = Event::new(visit.now, tenant, Actor::Stranger, Action::AccessDisputed).on("user", user);
            let disputed = disputed.from_address(visit.address).in_login(visit.correlation);
            house.record(connection, disputed.with(json!({ "serial": token.serial }))).await?;
        }
        recovery::disowned(connection, house, visit, (tenant, user), Actor::Stranger).await?;
        Ok(stopped)
    });
    let stopped = stopped.await?;
    house.wake_notices();
    Ok(stopped)
}
