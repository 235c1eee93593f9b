//! Many tokens at once, from a maker's file: into the inventory, or to the people who have them.

use std::collections::HashMap;

use serde_json::json;

use super::Desk;
use super::roster::Storing;
use crate::domain::audit::{Action, Event};
use crate::domain::authenticator::lifecycle::{EnrolledBy, Kind, State};
use crate::domain::authenticator::template::TokenTemplate;
use crate::domain::ids::{TenantId, TokenId};
use crate::domain::name::key_of;
use crate::domain::secret::SecretBytes;
use crate::flow::lifecycle::{self, By};
use crate::keys::sealing::Place;
use crate::storage::statement::{Statement, insert_all};
use crate::storage::tokens::{self, Moved, Token};
use crate::storage::{self, Connection, roster};

/// A token as the file describes it, checked.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its serial number.
    pub serial: String,
    /// What it is like.
    pub template: TokenTemplate,
    /// Its OTP secret.
    pub secret: SecretBytes,
    /// The position before the first that is accepted; -1 for every one.
    pub last_position: i64,
    /// Steps that its clock is ahead.
    pub drift_steps: i64,
    /// Maker and model, as far as the file tells.
    pub device: serde_json::Value,
    /// The user name of the person who has it.
    pub user: Option<String>,
}

/// How tokens are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct How {
    /// Whether anything is stored.
    pub storing: Storing,
    /// Tokens of named people work at once; else they are reserved for them only.
    pub active: bool,
    /// Tokens that were revoked and come back with a new secret are taken (part B2).
    pub reinitialize: bool,
    /// As many tokens as one person may have at most.
    pub most: i64,
}

/// What became of one, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the inventory.
    Stocked,
    /// It is this person's.
    Given(String),
    /// It is not taken: the end of a sentence says why.
    Refused(&'static str),
}

const THERE: &str = "is there already: a serial number is never used twice";
const NOBODY: &str = "is for somebody who has no account here";
const TOO_MANY: &str = "is for somebody who has as many tokens as anybody may have";

/// Stores tokens, in the transaction of the caller. No two of `wanted` may have the same serial number. Says what became of
/// each, in the same order.
///
/// # Errors
/// If the database fails; a duplicate if somebody else took a serial number at the same moment: then try again.
pub async fn import(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    wanted: &[Wanted],
    how: How,
) -> storage::Result<Vec<Outcome>> {
    let serials: Vec<String> = wanted.iter().map(|it| it.serial.clone()).collect();
    let known = roster::tokens(connection, tenant, &serials).await?;
    let names: Vec<String> = wanted.iter().filter_map(|it| it.user.as_deref()).map(key_of).collect();
    let people = roster::people(connection, tenant, &names).await?;
    // How many tokens each of them has by now.
    let mut held: HashMap<_, i64> = HashMap::new();
    let (mut outcomes, mut inserts, mut given) = (Vec::with_capacity(wanted.len()), Vec::new(), Vec::new());
    for it in wanted {
        let before = known.get(&it.serial);
        let returns = before
            .is_some_and(|before| how.reinitialize && before.kind == Kind::Oath && before.state == State::Revoked);
        if before.is_some() && !returns {
            outcomes.push(Outcome::Refused(THERE));
            continue;
        }
        let owner = match &it.user {
            None => None,
            Some(name) => match people.get(&key_of(name)) {
                Some((owner, _)) => Some(owner),
                None => {
                    outcomes.push(Outcome::Refused(NOBODY));
                    continue;
                }
            },
        };
        if let Some(owner) = owner {
            let has = match held.get(&owner.id) {
                Some(has) => *has,
                None => tokens::held_by(connection, tenant, owner.id).await?,
            };
            if has >= how.most {
                outcomes.push(Outcome::Refused(TOO_MANY));
                continue;
            }
            held.insert(owner.id, has + 1);
        }
        let token = token(desk, tenant, it, before.map(|before| before.id));
        if how.storing == Storing::Really {
            match before {
                Some(before) if !reinitialized(desk, connection, before, &token).await? => {
                    outcomes.push(Outcome::Refused("was changed by somebody else at the same moment"));
                    continue;
                }
                Some(_) => {}
                None => inserts.extend(stored(desk, &token)),
            }
        }
        outcomes.push(owner.map_or(Outcome::Stocked, |owner| Outcome::Given(owner.username.clone())));
        given.extend(owner.map(|owner| (token, owner.id)));
    }
    if how.storing == Storing::Really {
        insert_all(connection, inserts).await?;
        let by = By::desk(desk);
        for (token, owner) in given {
            let moved = lifecycle::assign(connection, desk.house, &by, &token, owner, how.active).await?;
            if !moved.done() {
                // It was stored in this transaction and is in the inventory.
                return Err(storage::Error::Contended);
            }
        }
    }
    Ok(outcomes)
}

/// The token, in the inventory, its secret sealed for its own row (T-63).
fn token(desk: &Desk<'_>, tenant: TenantId, wanted: &Wanted, id: Option<TokenId>) -> Token {
    let id = id.unwrap_or_else(|| desk.house.new_id(desk.now));
    let place = Place::new(tenant, "token", "secret_sealed", id);
    Token {
        state_reason: "imported".to_owned(),
        state_at: desk.now,
        secret_sealed: Some(desk.house.sealer.seal(place, &wanted.secret)),
        last_position: wanted.last_position,
        drift_steps: wanted.drift_steps,
        device: wanted.device.clone(),
        enrolled_by: EnrolledBy::Import,
        enrolled_at: desk.now,
        ..Token::blank(id, tenant, Kind::Oath, wanted.serial.clone(), wanted.template.clone())
    }
}

fn event(desk: &Desk<'_>, token: &Token, action: Action) -> Event {
    let event = desk.event(token.tenant, action).on("token", token.id);
    event.with(json!({ "serial": token.serial }))
}

fn stored(desk: &Desk<'_>, token: &Token) -> [Statement; 2] {
    [tokens::insertion(token), desk.house.entry(&event(desk, token, Action::TokenImported))]
}

/// A revoked token comes back with a new secret. Says whether it was still revoked.
async fn reinitialized(
    desk: &Desk<'_>,
    connection: &mut Connection,
    before: &Token,
    token: &Token,
) -> storage::Result<bool> {
    if !matches!(tokens::reinitialize(connection, before, token, desk.now).await?, Moved::To(_)) {
        return Ok(false);
    }
    desk.house.record(connection, event(desk, token, Action::TokenReinitialized)).await?;
    Ok(true)
}
