//! "This was not me": the link in the mail after an enrollment suspends the new authenticator.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{House, Realm, Result, Visit};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::TokenId;
use crate::domain::timestamp::Timestamp;
use crate::storage::{grants, logout_notices, sessions, tokens, users};

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

/// Suspends the token and ends every session and login of its owner. Says whether there was a token to stop.
///
/// # Errors
/// If the database fails.
pub async fn not_me(house: &House, realm: &Realm, visit: &Visit, token: TokenId) -> Result<bool> {
    let stopped = house.db.write(async |connection| {
        let tenant = realm.tenant();
        let all = tokens::all(connection, tenant).await?;
        let Some(token) = all.into_iter().find(|candidate| candidate.id == token) else { return Ok(false) };
        let suspended = tokens::State::Suspended;
        if !tokens::set_state(connection, tenant, token.id, tokens::State::Active, suspended, "not me", visit.now)
            .await?
        {
            return Ok(false);
        }
        users::raise_security_version(connection, tenant, token.user, visit.now).await?;
        logout_notices::of_user(tenant, token.user, visit.now).run(connection).await?;
        sessions::end_all_of(connection, tenant, token.user, "not me", visit.now).await?;
        grants::revoke_all_of(connection, tenant, token.user, visit.now).await?;
        let event = Event::new(visit.now, tenant, Actor::Stranger, Action::TokenSuspended).on("token", token.id);
        let detail = serde_json::json!({ "serial": token.serial, "reason": "not me" });
        house.record(connection, event.from_address(visit.address).with(detail)).await?;
        Ok(true)
    });
    let stopped = stopped.await?;
    house.notices_wait.notify_one();
    Ok(stopped)
}
