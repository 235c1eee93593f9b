//! `vestibule token …`.

use anyhow::Context as _;
use serde_json::{Value, json};

use super::arguments::{List, OfTenant, Revoke, Several, Shape, Token as Asked};
use super::{Place, Said, synchronize, told};
use crate::app::exchange;
use crate::app::token_pin::{self, NewPin};
use crate::config::Settings;
use crate::domain::authenticator::lifecycle::{LockReason, Move, State};
use crate::flow::administration::people;
use crate::flow::lifecycle::{self, Ending};
use crate::storage::tokens::{self, Filter, Listed, Moved, Name, Page, Token};
use crate::storage::{self, Connection, users};

/// Carries out a command.
///
/// # Errors
/// If there is no such virtual server, authenticator or account, it cannot be done, or what the database says.
pub async fn run(settings: &Settings, asked: Asked) -> anyhow::Result<Said> {
    let plain = |step| move |_: &Token| step;
    match asked {
        Asked::List(list) => self::list(settings, list).await,
        Asked::Show(one) => show(settings, &one.tenant, &one.serial, one.shape).await,
        Asked::States { tenant, shape } => states(settings, &tenant, shape).await,
        Asked::Suspend(several) => each(settings, &several, plain(Move::Suspend), "is suspended", None).await,
        Asked::Reactivate(several) => {
            let step = |token: &Token| if token.state == State::Locked { Move::Unlock } else { Move::Reactivate };
            each(settings, &several, step, "works again", None).await
        }
        Asked::Lock(several) => {
            each(settings, &several, plain(Move::Lock(LockReason::Operator)), "is locked", None).await
        }
        Asked::Unlock(several) => each(settings, &several, plain(Move::Unlock), "works again", None).await,
        Asked::Activate(several) => each(settings, &several, plain(Move::Activate), "works now", None).await,
        Asked::Release(several) => {
            each(settings, &several, plain(Move::Release), "is in the inventory, and nobody's", None).await
        }
        Asked::NewPin { one, pin_stdin: from_stdin, must_change } => {
            let wanted = NewPin { serial: &one.serial, from_stdin, must_change, json: one.shape.json };
            let tenant = one.tenant.tenant.as_deref();
            Ok(Said::line(token_pin::new_pin(settings, tenant, wanted).await?))
        }
        Asked::Resync(one) => {
            let tenant = one.tenant.tenant.as_deref();
            let serial = synchronize::resync(settings, tenant, &one.serial).await?;
            Ok(match one.shape.json {
                true => Said::lines(told::printed(&json!({ "serial": serial, "synchronized": true }))),
                false => Said::line(format!("{serial} is synchronized")),
            })
        }
        Asked::Revoke(revoke) => self::revoke(settings, &revoke).await,
        Asked::Rename { one, name } => rename(settings, &one.tenant, &one.serial, &name, one.shape).await,
        Asked::Assign { one, username, reserve } => {
            assign(settings, &one.tenant, &one.serial, &username, reserve, one.shape).await
        }
        Asked::Import(asked) => exchange::import_tokens(settings, &asked).await,
        Asked::Export(asked) => exchange::export_tokens(settings, &asked).await,
        Asked::ApproveExport(asked) => exchange::approve(settings, &asked).await,
    }
}

async fn list(settings: &Settings, asked: List) -> anyhow::Result<Said> {
    let place = Place::of(settings, asked.tenant.tenant.as_deref()).await?;
    let user = match asked.user {
        None => None,
        Some(name) => match name.strip_suffix('*') {
            Some(start) => Some(Name::Begins(start.to_owned())),
            None => Some(Name::Is(place.user(&name).await?.username)),
        },
    };
    let serial = asked.serial.unwrap_or_default().trim().trim_end_matches('*').to_uppercase();
    let filter = Filter { state: asked.state, kind: asked.kind, platform: asked.platform, serial, user };
    let mut page = Page { next: asked.part.after.clone(), ..Page::default() };
    let limit = if asked.part.all { tokens::LONGEST_PAGE } else { asked.part.limit };
    // A page by name may be short, or empty, while there is more.
    loop {
        let question = async |connection: &mut Connection| {
            tokens::search(connection, place.tenant, &filter, page.next.as_deref(), limit).await
        };
        let found = place.site.house.db.look(question).await?;
        page.entries.extend(found.entries);
        page.next = found.next;
        let enough = !asked.part.all && page.entries.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        if page.next.is_none() || enough {
            break;
        }
    }
    let locked = locked_accounts(&place, &page.entries).await?;
    Ok(told_list(&page.entries, &locked, page.next, asked.shape))
}

/// A list of tokens with the place where it goes on.
pub(super) fn told_list(entries: &[Listed], locked: &[bool], next: Option<String>, shape: Shape) -> Said {
    let both = entries.iter().zip(locked);
    if shape.json {
        let all: Vec<Value> = both.map(|(listed, locked)| told::token(listed, *locked)).collect();
        return Said::lines(told::printed(&json!({ "tokens": all, "next": next })));
    }
    let lines = both.map(|(listed, locked)| told::line(listed, *locked)).collect();
    let note = next.map(|place| format!("there is more: --after '{place}'"));
    Said { notes: note.into_iter().collect(), ..Said::lines(lines) }
}

/// Which of these tokens have owners whose accounts are locked.
pub(super) async fn locked_accounts(place: &Place, entries: &[Listed]) -> anyhow::Result<Vec<bool>> {
    let house = &place.site.house;
    let now = house.clock.now();
    let question = async |connection: &mut Connection| {
        let mut locked = Vec::with_capacity(entries.len());
        for listed in entries {
            locked.push(match &listed.username {
                Some(name) if listed.token.state == State::Active => {
                    people::is_name_locked(house, connection, place.tenant, name, now).await?
                }
                _ => false,
            });
        }
        Ok(locked)
    };
    Ok(house.db.look(question).await?)
}

async fn show(settings: &Settings, tenant: &OfTenant, serial: &str, shape: Shape) -> anyhow::Result<Said> {
    let place = Place::of(settings, tenant.tenant.as_deref()).await?;
    let token = place.token(serial).await?;
    let owner = match token.user {
        Some(id) => {
            let question = async |connection: &mut Connection| users::with_id(connection, place.tenant, id).await;
            place.site.house.db.look(question).await?
        }
        None => None,
    };
    let listed = Listed { username: owner.as_ref().map(|user| user.username.clone()), token };
    let locked = locked_accounts(&place, std::slice::from_ref(&listed)).await?.contains(&true);
    let whole = told::whole_token(&listed, locked, owner.as_ref());
    Ok(Said::lines(if shape.json { told::printed(&whole) } else { told::lines(&whole) }))
}

///
async fn states(settings: &Settings, tenant: &OfTenant, shape: Shape) -> anyhow::Result<Said> {
    let place = Place::of(settings, tenant.tenant.as_deref()).await?;
    let question = async |connection: &mut Connection| tokens::counts(connection, place.tenant).await;
    let counts = place.site.house.db.look(question).await?;
    if shape.json {
        let all: Vec<Value> = counts
            .iter()
            .map(|(kind, state, count)| json!({ "type": kind.id(), "state": state.id(), "count": count }))
            .collect();
        return Ok(Said::lines(told::printed(&json!({ "states": all }))));
    }
    Ok(Said::lines(counts.iter().map(|(kind, state, count)| format!("{kind}\t{state}\t{count}")).collect()))
}

async fn revoke(settings: &Settings, revoke: &Revoke) -> anyhow::Result<Said> {
    let again = match (revoke.allow_enrollment, revoke.no_enrollment) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => revoke.disposition.may_enroll_again(),
    };
    let step = Move::Revoke(revoke.disposition);
    let step = move |_: &Token| step;
    each(settings, &revoke.several, step, "is revoked; its secret is erased", again).await
}

/// Does one thing to each of the authenticators, each in a transaction of its own, and says what became of it.
async fn each(
    settings: &Settings,
    several: &Several,
    step: impl Fn(&Token) -> Move,
    done: &str,
    may_enroll_again: Option<bool>,
) -> anyhow::Result<Said> {
    let place = Place::of(settings, several.tenant.tenant.as_deref()).await?;
    let ending = if several.keep_sessions { Ending::ItsOwn } else { Ending::All };
    let mut results = Vec::with_capacity(several.serials.len());
    for serial in &several.serials {
        let result = one(&place, serial, &step, &several.reason, ending, may_enroll_again).await;
        results.push((serial.trim().to_uppercase(), result));
    }
    told_results(results, done, several.shape)
}

async fn one(
    place: &Place,
    serial: &str,
    step: &impl Fn(&Token) -> Move,
    reason: &str,
    ending: Ending,
    may_enroll_again: Option<bool>,
) -> anyhow::Result<State> {
    let token = place.token(serial).await?;
    let (house, by) = (&place.site.house, place.by());
    let step = step(&token);
    let work = async |connection: &mut Connection| -> storage::Result<Moved> {
        let moved = lifecycle::carry_out(connection, house, &by, &token, (step, reason), ending).await?;
        if let (true, Some(user), Some(allowed)) = (moved.done(), token.user, may_enroll_again) {
            let whose = (token.tenant, user);
            lifecycle::set_may_enroll_again(connection, house, &by, whose, Some(allowed)).await?;
        }
        Ok(moved)
    };
    state_after(&token, house.db.write(work).await?)
}

/// The state after a move, or why there was none.
pub(super) fn state_after(token: &Token, moved: Moved) -> anyhow::Result<State> {
    let serial = &token.serial;
    match moved {
        Moved::To(state) => Ok(state),
        Moved::Refused if token.lock == Some(LockReason::Pin) => {
            anyhow::bail!("{serial} is locked after too many wrong PINs: revoke it, and let its owner enroll again")
        }
        Moved::Refused => anyhow::bail!("{serial} is {}; that cannot be done to it", token.state),
        Moved::Overtaken => anyhow::bail!("somebody else changed {serial} at the same moment; look at it again"),
    }
}

/// What became of several: a line each and a summary; of one, its line or its error.
fn told_results(results: Vec<(String, anyhow::Result<State>)>, done: &str, shape: Shape) -> anyhow::Result<Said> {
    let failed = results.iter().filter(|(_, result)| result.is_err()).count();
    let good = results.len() - failed;
    if shape.json {
        let all: Vec<Value> = results
            .iter()
            .map(|(serial, result)| match result {
                Ok(state) => json!({ "serial": serial, "done": true, "state": state.id() }),
                Err(error) => json!({ "serial": serial, "done": false, "error": format!("{error:#}") }),
            })
            .collect();
        let whole = json!({ "results": all, "done": good, "failed": failed });
        return Ok(Said { good: failed == 0, ..Said::lines(told::printed(&whole)) });
    }
    if results.len() == 1 {
        let (serial, result) = results.into_iter().next().context("nothing was asked for")?;
        return result.map(|_| Said::line(format!("{serial} {done}")));
    }
    let (mut lines, mut notes) = (Vec::new(), Vec::new());
    for (serial, result) in results {
        match result {
            Ok(_) => lines.push(format!("{serial} {done}")),
            Err(error) => notes.push(format!("vestibule: {error:#}")),
        }
    }
    lines.push(format!("{good} done, {failed} failed"));
    Ok(Said { lines, notes, good: failed == 0 })
}

async fn rename(
    settings: &Settings,
    tenant: &OfTenant,
    serial: &str,
    name: &str,
    shape: Shape,
) -> anyhow::Result<Said> {
    let place = Place::of(settings, tenant.tenant.as_deref()).await?;
    let token = place.token(serial).await?;
    let (house, by) = (&place.site.house, place.by());
    let work =
        async |connection: &mut Connection| crate::flow::owner::rename(connection, house, &by, &token, name).await;
    match house.db.write(work).await? {
        Ok(name) if shape.json => Ok(Said::lines(told::printed(&json!({ "serial": token.serial, "name": name })))),
        Ok(name) => Ok(Said::line(format!("{} is called \"{name}\" now", token.serial))),
        Err(why) => anyhow::bail!("{}: {why}", token.serial),
    }
}

async fn assign(
    settings: &Settings,
    tenant: &OfTenant,
    serial: &str,
    username: &str,
    reserve: bool,
    shape: Shape,
) -> anyhow::Result<Said> {
    let place = Place::of(settings, tenant.tenant.as_deref()).await?;
    let (token, user) = (place.token(serial).await?, place.user(username).await?);
    let most = place.config.settings.tokens.max_per_user;
    let (house, by) = (&place.site.house, place.by());
    let work = async |connection: &mut Connection| -> storage::Result<Option<Moved>> {
        users::hold(connection, place.tenant, user.id).await?;
        if tokens::held_by(connection, place.tenant, user.id).await? >= i64::from(most) {
            return Ok(None);
        }
        lifecycle::assign(connection, house, &by, &token, user.id, !reserve).await.map(Some)
    };
    let Some(moved) = house.db.write(work).await? else {
        anyhow::bail!("{} has {most} authenticators already, and that is as many as anybody may have", user.username);
    };
    let state = state_after(&token, moved)?;
    if shape.json {
        let whole = json!({ "serial": token.serial, "user": user.username, "state": state.id() });
        return Ok(Said::lines(told::printed(&whole)));
    }
    let how = if reserve { "is reserved for" } else { "works now, for" };
    Ok(Said::line(format!("{} {how} {}", token.serial, user.username)))
}
