//! What people do with their own tokens in the portal (part D2, P2): rename, stop a lost one, remove.

use serde_json::json;

use super::lifecycle::{self, By, Ending};
use super::{Error, House, Realm, Result, Visit, letters};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::authenticator::lifecycle::{Disposition, Move, State};
use crate::domain::ids::{TokenId, UserId};
use crate::domain::letter::Letter;
use crate::domain::name::{NotAName, checked, key_of};
use crate::storage::tokens::{self, Token};
use crate::storage::{self, Connection, users};

/// Why a token cannot be called so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotThatName {
    /// It is no name at all.
    #[error("that name {0}")]
    Fault(NotAName),
    /// The person calls another token so.
    #[error("another authenticator of the same person is called so")]
    Taken,
}

/// Gives a token another name, unique among its owner's. Says the name as it is stored.
///
/// # Errors
/// If the database fails.
pub async fn rename(
    connection: &mut Connection,
    house: &House,
    by: &By,
    token: &Token,
    name: &str,
) -> storage::Result<std::result::Result<String, NotThatName>> {
    let name = match checked(name) {
        Ok(name) => name.to_owned(),
        Err(fault) => return Ok(Err(NotThatName::Fault(fault))),
    };
    if let Some(user) = token.user {
        users::hold(connection, token.tenant, user).await?;
        let others = tokens::of_user(token.tenant, user).ask(connection).await?;
        if others.iter().any(|other| other.id != token.id && key_of(&other.name) == key_of(&name)) {
            return Ok(Err(NotThatName::Taken));
        }
    }
    if name != token.name {
        tokens::rename(connection, token.tenant, token.id, &name, by.now).await?;
        let event = Event::new(by.now, token.tenant, by.actor.clone(), Action::TokenRenamed).on("token", token.id);
        let detail = json!({ "serial": token.serial, "old": token.name, "new": name });
        house.record(connection, event.from_address(&by.address).with(detail)).await?;
    }
    Ok(Ok(name))
}

/// A name for a new token that none of its owner's others has: the device's own, or that with a number. A standard app says
/// no name, and needs no number: pages say what it is.
#[must_use]
pub fn free_name(wanted: &str, others: &[Token]) -> String {
    let taken = |name: &str| others.iter().any(|other| key_of(&other.name) == key_of(name));
    let wanted = checked(wanted).unwrap_or_default();
    if wanted.is_empty() || !taken(wanted) {
        return wanted.to_owned();
    }
    let short: String = wanted.chars().take(190).collect();
    let numbered = (2..).map(|number: u32| format!("{short} ({number})"));
    numbered.into_iter().find(|name| !taken(name)).unwrap_or_default()
}

/// Whether a person may have one more token.
///
/// # Errors
/// If the database fails.
pub(super) async fn may_have_more(connection: &mut Connection, realm: &Realm, user: UserId) -> storage::Result<bool> {
    let most = i64::from(realm.config.settings.tokens.max_per_user);
    Ok(tokens::held_by(connection, realm.tenant(), user).await? < most)
}

/// What an owner does to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// It is lost: nobody may use it, and the help desk decides what follows.
    Lost,
    /// It is not wanted any more.
    Remove,
}

/// Stops or removes a token of the person. Says `false` if there is nothing to be done to it.
///
/// Whoever removes the last token enrolls again where a passcode is asked for, if the tenant's rules offer it, and
/// needs an operator otherwise. Because of the first the door lets nobody remove one without a passcode (T-09).
///
/// # Errors
/// [`Error::Forbidden`] if it is somebody else's.
pub async fn act(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    (user, id): (UserId, TokenId),
    wish: Wish,
) -> Result<bool> {
    let by = By::visitor(Actor::User(user), visit);
    let done = house.db.write(async |connection| {
        let tenant = realm.tenant();
        let token = tokens::with_id(tenant, id).ask(connection).await?;
        let Some(token) = token.filter(|token| token.user == Some(user)) else { return Ok(Err(Error::Forbidden)) };
        let (step, reason) = match wish {
            Wish::Lost => (Move::Suspend, "lost by its owner"),
            Wish::Remove => (Move::Revoke(Disposition::Returned), "removed by its owner"),
        };
        if wish == Wish::Lost && token.state == State::Suspended {
            return Ok(Ok(false));
        }
        // Whoever has the device may be logged in with whatever it was used for.
        let ending = if wish == Wish::Lost { Ending::All } else { Ending::ItsOwn };
        let moved = lifecycle::carry_out(connection, house, &by, &token, (step, reason), ending).await?;
        if moved.done() {
            tell(connection, house, realm, visit, (&token, user), wish).await?;
        }
        Ok(Ok(moved.done()))
    });
    let done = done.await?;
    house.mail_waits.notify_one();
    house.notices_wait.notify_one();
    done
}

/// Tells the owner: whoever was logged in may have been somebody else (NIST SP 800-63B 4.6).
pub(super) async fn tell(
    connection: &mut Connection,
    house: &House,
    realm: &Realm,
    visit: &Visit,
    (token, user): (&Token, UserId),
    wish: Wish,
) -> storage::Result<()> {
    let Some(user) = users::with_id(connection, realm.tenant(), user).await? else { return Ok(()) };
    let (device, serial) = (token.name.clone(), token.serial.clone());
    let (at, address) = (visit.now, visit.address.to_string());
    let letter = match wish {
        Wish::Lost => Letter::LostInPortal { device, serial, at, address },
        Wish::Remove => Letter::RemovedInPortal { device, serial, at, address },
    };
    let visit = &letters::at_portal(visit, &user);
    letters::send_until(connection, house, realm, visit, &user, None, letter, visit.now.plus(letters::NOTICE)).await
}
