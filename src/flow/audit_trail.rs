//! The audit trail after it was written: sealed, signed, checked, exported, and cut where it is too old.
//!
//! An event is written by the use case that it tells of. What happens here happens a little later, in one instance at a time
//! (`app::jobs`), and can be run twice.

mod export;
mod removal;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::round::Round;
use super::{Error, House, Result, watch};
use crate::domain::audit::chain::{
    CHECKPOINT_TYPE, Checkpoint, Entry, Fault, Found, Hash, Head, LATEST, Link, Verifier, Wrong,
};
use crate::domain::ids::TenantId;
use crate::domain::signing_key::{KeyPurpose, KeyStage};
use crate::domain::timestamp::Timestamp;
use crate::keys::jose::{Jws, KeySet};
use crate::keys::signing::SigningKey;
use crate::storage::audit_chain::{self, Linked, Signed, State};
use crate::storage::{self, Connection, signing_keys};

/// Events are sealed in the order of time once they are so old: transactions that began together end together.
pub const SETTLED: Duration = Duration::from_secs(2);
/// How many events are sealed in one transaction.
const BATCH: i64 = 250;
/// How many rows are read at once when a chain is checked.
const PAGE: i64 = 1000;
/// A checkpoint is signed after so many events …
const EVENTS_SIGNED: i64 = 1000;
/// … and after so long, if there were any.
const TIME_SIGNED: Duration = Duration::from_secs(60 * 60);
/// The longest signed text that is looked at: a note of removed personal data names some hundred rows.
const LONGEST: usize = 1 << 20;

pub use export::{ExportError, export};
pub use removal::{pseudonymize, purge, purge_all};

/// What was found when a chain was checked.
pub type Verdict = std::result::Result<Found, Fault>;

/// Seals what has settled, in every virtual server. Says how many events.
///
/// # Errors
/// If the database fails.
pub async fn seal(house: &House, now: Timestamp) -> storage::Result<u64> {
    let until = now.minus(SETTLED);
    let waiting = house.db.look(async |connection| audit_chain::waiting(until).ask(connection).await).await?;
    let (mut sealed, mut round) = (0, Round::default());
    for tenant in waiting {
        sealed += round.of(tenant, seal_until(house, tenant, until, now).await).unwrap_or(0);
    }
    round.end(sealed)
}

/// Seals the events of one virtual server up to a time. Says how many.
///
/// # Errors
/// If the database fails.
pub async fn seal_until(house: &House, tenant: TenantId, until: Timestamp, now: Timestamp) -> storage::Result<u64> {
    let mut sealed = 0;
    loop {
        let (state, events) = house
            .db
            .look(async |connection| {
                let state = audit_chain::state(tenant).ask(connection).await?;
                let seen = state.as_ref().map_or((-1, String::new()), |state| state.seen.clone());
                let events = audit_chain::unsealed(tenant, &seen, until, BATCH).ask(connection).await?;
                Ok((state, events))
            })
            .await?;
        let Some(last) = events.last() else { return Ok(sealed) };
        let seen = (last.at, last.id.clone());
        if !append(house, tenant, state.as_ref(), &events, seen, now).await? {
            return Ok(sealed);
        }
        sealed += u64::try_from(events.len()).unwrap_or_default();
    }
}

/// Seals events that came late: not longer ago than `span`, and before what was sealed in the order of time. Says how many.
///
/// # Errors
/// If the database fails.
pub async fn seal_late(house: &House, now: Timestamp, span: Duration) -> storage::Result<u64> {
    let tenants = house.db.look(async |connection| audit_chain::tenants().ask(connection).await).await?;
    let (mut sealed, mut round) = (0, Round::default());
    for tenant in tenants {
        sealed += round.of(tenant, seal_late_of(house, tenant, now, span).await).unwrap_or(0);
    }
    round.end(sealed)
}

async fn seal_late_of(house: &House, tenant: TenantId, now: Timestamp, span: Duration) -> storage::Result<u64> {
    let mut sealed = 0;
    loop {
        let (state, events) = house
            .db
            .look(async |connection| {
                let Some(state) = audit_chain::state(tenant).ask(connection).await? else {
                    return Ok((None, Vec::new()));
                };
                let from = now.minus(span).micros().max(now.micros().saturating_sub(LATEST));
                let events = audit_chain::late(tenant, from, state.seen.0, BATCH).ask(connection).await?;
                Ok((Some(state), events))
            })
            .await?;
        let Some(state) = state.filter(|_| !events.is_empty()) else { return Ok(sealed) };
        let seen = state.seen.clone();
        if !append(house, tenant, Some(&state), &events, seen, now).await? {
            return Ok(sealed);
        }
        sealed += u64::try_from(events.len()).unwrap_or_default();
    }
}

/// Appends events to a chain. `false` if another instance has done so meanwhile.
async fn append(
    house: &House,
    tenant: TenantId,
    state: Option<&State>,
    events: &[Entry],
    seen: (i64, String),
    now: Timestamp,
) -> storage::Result<bool> {
    let mut head = state.map_or_else(|| Head::beginning(tenant), |state| state.head);
    let mut links: Vec<(Link, &Entry)> = Vec::with_capacity(events.len());
    for event in events {
        let link = head.next(now.micros(), event.content(tenant));
        head = link.into();
        links.push((link, event));
    }
    let before = state.map(|state| state.head);
    let done = house
        .db
        .write(async |connection| {
            if audit_chain::append(connection, tenant, before, &links, &seen).await? {
                Ok(())
            } else {
                // Rolls back what was written before it was noticed.
                Err(storage::Error::Contended)
            }
        })
        .await;
    match done {
        Ok(()) => Ok(true),
        Err(storage::Error::Contended) => Ok(false),
        Err(error) if error.is_duplicate() => Ok(false),
        Err(error) => Err(error),
    }
}

/// The keys with which a virtual server signs checkpoints: the one that signs now, and all of them in public, for checking.
async fn keys(house: &House, tenant: TenantId) -> Result<(Option<SigningKey>, Value)> {
    let stored = house.db.look(async |connection| signing_keys::of_tenant(connection, tenant).await).await?;
    let mut current = None;
    let mut public = Vec::new();
    for row in stored.iter().filter(|row| row.purpose == KeyPurpose::Audit) {
        let key = SigningKey::open(row, &house.sealer).map_err(Error::SigningKey)?;
        public.push(key.public_jwk().clone());
        if row.stage == KeyStage::Current {
            current = Some(key);
        }
    }
    Ok((current, json!({ "keys": public })))
}

/// The public keys that sign a virtual server's checkpoints, as a JWK set: whoever keeps it elsewhere need not believe the one
/// in an export.
///
/// # Errors
/// If the database fails or a key does not open.
pub async fn public_keys(house: &House, tenant: TenantId) -> Result<Value> {
    Ok(keys(house, tenant).await?.1)
}

/// What a signed text of this type says, if one of `keys` signed it.
#[must_use]
pub fn opened(keys: &KeySet, typ: &str, text: &str) -> Option<Value> {
    let jws = Jws::split(text, LONGEST).ok()?;
    if jws.typ().as_deref() == Some(typ) { jws.claims(keys).ok() } else { None }
}

/// Signs checkpoints that are due in every virtual server.
///
/// # Errors
/// If the database fails or a key does not open.
pub async fn sign_due(house: &House, now: Timestamp) -> Result<()> {
    let tenants = house.db.look(async |connection| audit_chain::tenants().ask(connection).await).await?;
    let mut round = Round::default();
    for tenant in tenants {
        round.of(tenant, sign_if_due(house, tenant, now).await);
    }
    round.end(())
}

async fn sign_if_due(house: &House, tenant: TenantId, now: Timestamp) -> Result<()> {
    let state = house.db.look(async |connection| audit_chain::state(tenant).ask(connection).await).await?;
    let Some(state) = state else { return Ok(()) };
    let (signed, at) = state.signed;
    let new = state.head.number - signed;
    if new >= EVENTS_SIGNED || (new > 0 && now.since(at) >= TIME_SIGNED) {
        sign(house, tenant, now).await?;
    }
    Ok(())
}

/// Signs a checkpoint for the place where a chain stands, unless there is one. `false` if the virtual server has no key for
/// it yet: the hourly job makes one.
///
/// # Errors
/// If the database fails or a key does not open.
pub async fn sign(house: &House, tenant: TenantId, now: Timestamp) -> Result<bool> {
    let state = house.db.look(async |connection| audit_chain::state(tenant).ask(connection).await).await?;
    let Some(state) = state.filter(|state| state.head.number > state.signed.0) else { return Ok(true) };
    let (Some(key), _) = keys(house, tenant).await? else { return Ok(false) };
    let claims =
        Checkpoint { tenant: tenant.to_string(), number: state.head.number, hash: state.head.hash, at: now.micros() };
    let jwt = signed_text(&key, CHECKPOINT_TYPE, &claims)?;
    let signed = Signed { number: state.head.number, at: now, jwt };
    house.db.write(async |connection| audit_chain::sign(connection, tenant, &signed).await).await?;
    Ok(true)
}

fn signed_text(key: &SigningKey, typ: &str, claims: &impl serde::Serialize) -> Result<String> {
    let claims = serde_json::to_vec(claims).expect("claims have string keys and no failing serializer");
    key.sign_typed(typ, &claims).map_err(Error::SigningKey)
}

/// How a chain is read: at once, or with pauses for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Somebody waits for it.
    Quick,
    /// In the background.
    Gentle,
}

/// Checks the whole chain of a virtual server against the database. `known` are places of the chain that somebody kept
/// elsewhere.
///
/// # Errors
/// If the database fails or a key does not open.
pub async fn verify(
    house: &House,
    tenant: TenantId,
    known: &BTreeMap<i64, Hash>,
    pace: Pace,
    now: Timestamp,
) -> Result<Verdict> {
    let base = async |connection: &mut Connection| {
        Ok(audit_chain::state(tenant).ask(connection).await?.map_or(0, |state| state.base))
    };
    let before = house.db.look(base).await?;
    let first = verify_once(house, tenant, known, pace, now).await?;
    let again = match &first {
        Ok(_) => false,
        // Personal data that is removed at this very moment: the note that tells of it is sealed now.
        Err(Fault { wrong: Wrong::Edited, .. }) => true,
        // The rows that were about to be read were cut off meanwhile.
        Err(_) => house.db.look(base).await? != before,
    };
    if again { verify_once(house, tenant, known, pace, now).await } else { Ok(first) }
}

async fn verify_once(
    house: &House,
    tenant: TenantId,
    known: &BTreeMap<i64, Hash>,
    pace: Pace,
    now: Timestamp,
) -> Result<Verdict> {
    seal_until(house, tenant, now, now).await?;
    let (_, public) = keys(house, tenant).await?;
    // A virtual server without a key has no checkpoints.
    let keys = KeySet::parse_published(&public.to_string()).unwrap_or_default();
    let open = |typ: &str, text: &str| opened(&keys, typ, text);
    let db = &house.db;
    let (state, last) = db
        .look(async |connection| {
            let state = audit_chain::state(tenant).ask(connection).await?;
            Ok((state, audit_chain::checkpoint_before(tenant, i64::MAX).ask(connection).await?))
        })
        .await?;
    let state = state.unwrap_or_else(|| State::beginning(tenant));
    let start = match base(house, tenant, state.base, &open).await? {
        Ok(start) => start,
        Err(fault) => return Ok(Err(fault)),
    };
    let mut verifier = Verifier::new(tenant, start, &open);
    loop {
        let after = verifier.head().number;
        let (links, signed) = db
            .look(async |connection| {
                let links = audit_chain::links(tenant, after, i64::MAX, PAGE).ask(connection).await?;
                let up_to = links.last().map_or(after, |last| last.link.number);
                let signed = audit_chain::checkpoints(tenant, after, up_to, PAGE).ask(connection).await?;
                Ok((links, signed))
            })
            .await?;
        if links.is_empty() {
            break;
        }
        let signed: BTreeMap<i64, Signed> = signed.into_iter().map(|signed| (signed.number, signed)).collect();
        for row in links {
            if let Err(fault) = step(&mut verifier, &row, &signed, known) {
                return Ok(Err(verifier.earliest(fault)));
            }
        }
        match pace {
            Pace::Quick => tokio::task::yield_now().await,
            Pace::Gentle => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    let end = verifier.head();
    // What was there when this began must be there now; what was sealed since has come on top.
    let promised = last.map_or(0, |last| last.number).max(state.head.number);
    if end.number < promised {
        let fault = Fault { number: end.number + 1, event: None, wrong: Wrong::CutOff };
        return Ok(Err(verifier.earliest(fault)));
    }
    if let Some((number, _)) = known.range(end.number + 1..).next() {
        let fault = Fault { number: *number, event: None, wrong: Wrong::CutOff };
        return Ok(Err(verifier.earliest(fault)));
    }
    let found = match verifier.end() {
        Ok(found) => found,
        Err(fault) => return Ok(Err(fault)),
    };
    let before = now.micros().saturating_sub(LATEST).min(state.seen.0.saturating_add(1));
    let strangers = db.look(async |connection| {
        let Some(stranger) = audit_chain::late(tenant, i64::MIN, before, 1).ask(connection).await?.pop() else {
            return Ok(None);
        };
        let next = audit_chain::numbers_between(tenant, stranger.at, i64::MAX).ask(connection).await?;
        Ok(Some((stranger, next)))
    });
    Ok(match strangers.await? {
        None => Ok(found),
        Some((stranger, next)) => {
            let number = next.map_or(end.number + 1, |(low, _)| low);
            Err(Fault { number, event: Some(stranger.id), wrong: Wrong::Inserted })
        }
    })
}

/// One row of a chain, with what is known of that place.
fn step(
    verifier: &mut Verifier<'_>,
    row: &Linked,
    signed: &BTreeMap<i64, Signed>,
    known: &BTreeMap<i64, Hash>,
) -> std::result::Result<(), Fault> {
    verifier
        .event(row.link, row.event.as_ref())
        .map_err(|fault| Fault { event: fault.event.or_else(|| Some(row.event_id.clone())), ..fault })?;
    if let Some(signed) = signed.get(&row.link.number) {
        verifier.checkpoint(&signed.jwt)?;
    }
    if known.get(&row.link.number).is_some_and(|hash| *hash != row.link.hash) {
        let wrong = Wrong::Rewritten { since: 0 };
        return Err(Fault { number: row.link.number, event: Some(row.event_id.clone()), wrong });
    }
    Ok(())
}

/// Where what is left of a chain begins: at the very beginning, or at the checkpoint where it was cut.
async fn base(
    house: &House,
    tenant: TenantId,
    base: i64,
    open: &(dyn Fn(&str, &str) -> Option<Value> + '_),
) -> Result<std::result::Result<Head, Fault>> {
    if base == 0 {
        return Ok(Ok(Head::beginning(tenant)));
    }
    let signed = house.db.look(async |connection| audit_chain::checkpoint_before(tenant, base).ask(connection).await);
    let signed = signed.await?.filter(|signed| signed.number == base);
    let claims = signed.and_then(|signed| open(CHECKPOINT_TYPE, &signed.jwt));
    let checkpoint = claims.and_then(|claims| serde_json::from_value::<Checkpoint>(claims).ok());
    let good = checkpoint.filter(|it| it.tenant == tenant.to_string() && it.number == base);
    Ok(match good {
        Some(checkpoint) => Ok(Head { number: base, hash: checkpoint.hash }),
        None => Err(Fault { number: base, event: None, wrong: Wrong::BadSignature }),
    })
}

/// Checks every chain, and remembers what was found for the console. Says what is wrong, by virtual server; a chain that cannot be
/// checked stands in the log.
///
/// # Errors
/// If the database fails, also for one of them: then not every chain was checked.
pub async fn verify_all(house: &House, now: Timestamp) -> Result<Vec<(TenantId, Fault)>> {
    let tenants = house.db.look(async |connection| audit_chain::tenants().ask(connection).await).await?;
    let (mut wrong, mut round) = (Vec::new(), Round::default());
    for tenant in tenants {
        let verdict = round.of(tenant, verify_and_remember(house, tenant, Pace::Gentle, now).await);
        if let Some(Err(fault)) = verdict {
            wrong.push((tenant, fault));
        }
    }
    round.end(wrong)
}

/// Checks the chain of one virtual server, and remembers what was found.
///
/// # Errors
/// If the database fails or a key does not open.
pub async fn verify_and_remember(house: &House, tenant: TenantId, pace: Pace, now: Timestamp) -> Result<Verdict> {
    let verdict = verify(house, tenant, &BTreeMap::new(), pace, now).await?;
    let fault = verdict.as_ref().err().map(ToString::to_string);
    let known = house.db.look(async |connection| audit_chain::state(tenant).ask(connection).await).await?;
    let known = known.and_then(|state| state.checked).and_then(|(_, fault)| fault);
    house.db.write(async |connection| audit_chain::checked(connection, tenant, now, fault.as_deref()).await).await?;
    // What was wrong at the look before has been told of.
    if let Err(wrong) = &verdict
        && known != fault
    {
        watch::broken_chain(house, tenant, wrong, now).await?;
    }
    Ok(verdict)
}
