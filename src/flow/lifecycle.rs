//! What is done to a token in its life (part B2): the move, what follows from it, and its audit event, in the transaction
//! of the caller. Operators, owners, devices and rules all come through here.

use serde_json::json;

use super::administration::Desk;
use super::{House, Visit, session};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::authenticator::lifecycle::{Move, State};
use crate::domain::ids::{CorrelationId, TenantId, TokenId, UserId};
use crate::domain::timestamp::Timestamp;
use crate::storage::tokens::{self, Moved, Token};
use crate::storage::{self, Connection, grants, rollout, server_pins, sessions, users};

/// Who does it, from where and when: every move says so (part B2).
#[derive(Debug, Clone)]
pub struct By {
    /// Who.
    pub actor: Actor,
    /// From which address; empty for the service itself and the shell.
    pub address: String,
    /// When.
    pub now: Timestamp,
    /// In which login.
    pub correlation: Option<CorrelationId>,
}

impl By {
    /// An operator at `desk`.
    #[must_use]
    pub fn desk(desk: &Desk<'_>) -> Self {
        Self { actor: desk.actor.clone(), address: desk.address.clone(), now: desk.now, correlation: None }
    }

    /// Somebody who came by the network.
    #[must_use]
    pub fn visitor(actor: Actor, visit: &Visit) -> Self {
        let address = visit.address.to_string();
        Self { actor, address, now: visit.now, correlation: Some(visit.correlation) }
    }
}

/// Which sessions of its owner end with a token that stops working.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ending {
    /// All, and every open login (INV-11).
    #[default]
    All,
    /// Those that a passcode of this token opened, with everything that was granted in them. In open logins its passcodes
    /// count for nothing any more, either.
    ItsOwn,
    /// None: this token took its place, and the sessions are its own now.
    HandedTo(TokenId),
}

/// Moves `token` along an edge of its life.
///
/// # Errors
/// If the database fails.
pub async fn carry_out(
    connection: &mut Connection,
    house: &House,
    by: &By,
    token: &Token,
    (step, reason): (Move, &str),
    ending: Ending,
) -> storage::Result<Moved> {
    let moved = tokens::carry_out(connection, token, step, reason, by.now).await?;
    let Moved::To(to) = moved else { return Ok(moved) };
    if let (Some(user), true) = (token.user, token.state == State::Active && to != State::Active) {
        end_sessions(connection, by, token.tenant, (user, token.id), ending).await?;
    }
    if matches!(step, Move::Revoke(_) | Move::Release) {
        // Whoever has it next gets a PIN that its last owner does not know.
        server_pins::forgotten(token.tenant, token.id).run(connection).await?;
    }
    if let (Some(user), Move::Activate) = (token.user, step) {
        users::remember_enrollment(connection, token.tenant, user, by.now).await?;
    }
    record(connection, house, by, token, (step, to), reason).await?;
    Ok(moved)
}

/// Reserves an imported token for a person; with `active` it works at once.
///
/// # Errors
/// If the database fails.
pub async fn assign(
    connection: &mut Connection,
    house: &House,
    by: &By,
    token: &Token,
    user: UserId,
    active: bool,
) -> storage::Result<Moved> {
    let moved = tokens::assign(connection, token, user, by.now).await?;
    let Moved::To(state) = moved else { return Ok(moved) };
    let token = Token { user: Some(user), state, ..token.clone() };
    record(connection, house, by, &token, (Move::Assign, state), "").await?;
    if active {
        return carry_out(connection, house, by, &token, (Move::Activate, ""), Ending::All).await;
    }
    Ok(moved)
}

/// Sets whether somebody may enroll again by self-provisioning (T-01); nothing is written where it is as wanted.
///
/// # Errors
/// If the database fails.
pub async fn set_may_enroll_again(
    connection: &mut Connection,
    house: &House,
    by: &By,
    (tenant, user): (TenantId, UserId),
    allowed: Option<bool>,
) -> storage::Result<()> {
    let Some(before) = users::with_id(connection, tenant, user).await? else { return Ok(()) };
    if !users::set_may_enroll_again(connection, tenant, user, allowed, by.now).await? {
        return Ok(());
    }
    if allowed == Some(true) {
        // Who lets somebody enroll again means it now, however long ago the person came into the rollout.
        rollout::reopened(connection, tenant, user, by.now).await?;
    }
    let event = event(by, tenant, Action::UserChanged).on("user", user);
    let word = |allowed: Option<bool>| json!({ "may_enroll_again": allowed });
    let (old, new) = (word(before.may_enroll_again), word(allowed));
    house.record(connection, event.with(json!({ "username": before.username, "old": old, "new": new }))).await
}

/// Ends what a token that works no more has opened, or everything of its owner.
async fn end_sessions(
    connection: &mut Connection,
    by: &By,
    tenant: TenantId,
    (user, token): (UserId, TokenId),
    ending: Ending,
) -> storage::Result<()> {
    const REASON: &str = "authenticator stopped";
    match ending {
        Ending::All => {
            users::raise_security_version(connection, tenant, user, by.now).await?;
            session::all_ended(connection, tenant, user, REASON, by.now).await?;
        }
        Ending::HandedTo(new) => {
            sessions::hand_over(connection, tenant, user, (token, new)).await?;
        }
        Ending::ItsOwn => {
            session::long_over(connection, tenant, user, by.now).await?;
            let living = sessions::living_of(tenant, user).ask(connection).await?;
            for its in living.into_iter().filter(|session| session.token == Some(token)) {
                session::one_ended(connection, &its, REASON, by.now).await?;
            }
            // What was to outlive those sessions rests on a passcode of it, too, and so does what outlives earlier ones.
            grants::revoke_by_token(connection, tenant, (user, token), by.now).await?;
        }
    }
    Ok(())
}

const fn action(step: Move) -> Action {
    match step {
        Move::Assign => Action::TokenAssigned,
        Move::Release => Action::TokenReleased,
        Move::Activate => Action::TokenActivated,
        Move::Suspend => Action::TokenSuspended,
        Move::Reactivate => Action::TokenReactivated,
        Move::Lock(_) => Action::TokenLocked,
        Move::Unlock => Action::TokenUnlocked,
        Move::Revoke(_) => Action::TokenRevoked,
        Move::Reinitialize => Action::TokenReinitialized,
    }
}

fn event(by: &By, tenant: TenantId, action: Action) -> Event {
    let event = Event::new(by.now, tenant, by.actor.clone(), action).from_address(&by.address);
    match by.correlation {
        Some(correlation) => event.in_login(correlation),
        None => event,
    }
}

async fn record(
    connection: &mut Connection,
    house: &House,
    by: &By,
    token: &Token,
    (step, to): (Move, State),
    reason: &str,
) -> storage::Result<()> {
    let (lock, disposition) = match step {
        Move::Lock(reason) => (Some(reason.id()), None),
        Move::Revoke(disposition) => (None, Some(disposition.id())),
        _ => (None, None),
    };
    let detail = json!({ "serial": token.serial, "user": token.user, "from": token.state.id(), "to": to.id(),
        "reason": reason, "lock": lock, "disposition": disposition });
    house.record(connection, event(by, token.tenant, action(step)).on("token", token.id).with(detail)).await
}
