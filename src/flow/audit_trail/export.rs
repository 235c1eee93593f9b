//! The trail as lines that can be checked without us.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{PAGE, SETTLED, keys, opened, seal_until, sign};
use crate::domain::audit::Action;
use crate::domain::audit::chain::{CHECKPOINT_TYPE, Checkpoint, FORM, Head, Line, REMOVAL_TYPE, Removal, RemovalNote};
use crate::domain::ids::TenantId;
use crate::domain::tenant::TenantCode;
use crate::domain::timestamp::Timestamp;
use crate::flow::administration::Desk;
use crate::flow::{Error, House};
use crate::keys::jose::KeySet;
use crate::storage;
use crate::storage::audit_chain::{self, Signed, State};

/// Why the trail was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The virtual server has no key for checkpoints yet.
    #[error("the tenant has no key that signs checkpoints yet; `vestibule keys rotate --tenant CODE` makes one")]
    NoKey,
    /// The lines could not be written.
    #[error("it could not be written: {0}")]
    Write(#[from] std::io::Error),
    /// The database failed, or a key does not open.
    #[error(transparent)]
    House(#[from] Error),
}

impl From<storage::Error> for ExportError {
    fn from(error: storage::Error) -> Self {
        Self::House(error.into())
    }
}

/// Writes the trail of a virtual server, line by line, so that it can be checked without us. `from` and `to` narrow the
/// events by time; the chain is written from the checkpoint before the first of them to the one after the last, where events
/// outside of that time are links only. Notes that tell which of the events had personal data removed later are written
/// whole, however much later. Says how many events.
///
/// # Errors
/// [`ExportError`].
pub async fn export(
    desk: &Desk<'_>,
    (tenant, code): (TenantId, &TenantCode),
    (from, to): (Option<Timestamp>, Option<Timestamp>),
    write: &mut (dyn FnMut(&Line) -> std::io::Result<()> + '_),
) -> std::result::Result<u64, ExportError> {
    let (house, now) = (desk.house, desk.now);
    seal_until(house, tenant, now.minus(SETTLED), now).await?;
    if !sign(house, tenant, now).await? {
        return Err(ExportError::NoKey);
    }
    let state = house.db.look(async |connection| audit_chain::state(tenant).ask(connection).await).await?;
    let state = state.unwrap_or_else(|| State::beginning(tenant));
    let (_, public) = keys(house, tenant).await?;
    let keys = KeySet::parse_published(&public.to_string()).unwrap_or_default();
    let open = |typ: &str, text: &str| opened(&keys, typ, text);
    let (from, to) = (from.map_or(i64::MIN, Timestamp::micros), to.map_or(i64::MAX, Timestamp::micros));
    let range = house.db.look(async |connection| audit_chain::numbers_between(tenant, from, to).ask(connection).await);
    // What was cut off is not part of the chain any more, although some of it may still be there.
    let range = range.await?.filter(|(_, high)| *high > state.base).map(|(low, high)| (low.max(state.base + 1), high));
    let (low, high) = range.unwrap_or((state.head.number + 1, state.head.number));
    // Without the note of it, an event that somebody's name was taken out of looks like one that was tampered with.
    let notes = notes(house, tenant, (low, high), &open).await?;
    let last = notes.last().map_or(high, |note| high.max(*note));
    let (start, up_to) = house
        .db
        .look(async |connection| {
            let start = audit_chain::checkpoint_before(tenant, low - 1).ask(connection).await?;
            let end = audit_chain::checkpoints(tenant, last - 1, i64::MAX, 1).ask(connection).await?;
            Ok((start, end.first().map_or(state.head.number, |signed| signed.number)))
        })
        .await?;
    let start = start.filter(|start| start.number >= state.base);
    let claims = start.as_ref().and_then(|signed| open(CHECKPOINT_TYPE, &signed.jwt));
    let checkpoint = claims.and_then(|claims| serde_json::from_value::<Checkpoint>(claims).ok());
    let after = match checkpoint {
        Some(checkpoint) => Head { number: checkpoint.number, hash: checkpoint.hash },
        None => Head::beginning(tenant),
    };
    write(&Line::Head {
        form: FORM.to_owned(),
        tenant: tenant.to_string(),
        code: code.to_string(),
        after,
        checkpoint: start.map(|signed| signed.jwt),
        keys: public,
    })?;
    let (mut number, mut events) = (after.number, 0);
    while number < up_to {
        let (links, signed) = house
            .db
            .look(async |connection| {
                let links = audit_chain::links(tenant, number, up_to, PAGE).ask(connection).await?;
                let last = links.last().map_or(number, |last| last.link.number);
                Ok((links, audit_chain::checkpoints(tenant, number, last, PAGE).ask(connection).await?))
            })
            .await?;
        let Some(last) = links.last() else { break };
        number = last.link.number;
        let mut signed: BTreeMap<i64, Signed> = signed.into_iter().map(|signed| (signed.number, signed)).collect();
        for row in links {
            match row.event {
                // An event that is gone is told by whoever checks: a link without it says it was left out on purpose.
                Some(event) if (from..to).contains(&event.at) || notes.contains(&row.link.number) => {
                    events += 1;
                    write(&Line::Event { link: row.link, event })?;
                }
                None if (from..to).contains(&row.at) => {}
                _ => write(&Line::Link(row.link))?,
            }
            if let Some(signed) = signed.remove(&row.link.number) {
                write(&Line::Checkpoint { number: signed.number, jwt: signed.jwt })?;
            }
        }
        tokio::task::yield_now().await;
    }
    write(&Line::End { number, events })?;
    let detail = json!({ "events": events, "from": bound(from), "to": bound(to), "through": number });
    house
        .db
        .write(async |connection| {
            let object = ("tenant", tenant.to_string());
            desk.record(connection, tenant, Action::AuditExported, object, detail.clone()).await
        })
        .await?;
    Ok(events)
}

/// The numbers of the notes that tell of rows of a range.
async fn notes(
    house: &House,
    tenant: TenantId,
    (low, high): (i64, i64),
    open: &(dyn Fn(&str, &str) -> Option<Value> + '_),
) -> storage::Result<BTreeSet<i64>> {
    /// A note names some hundred rows.
    const SOME: i64 = 50;
    let (mut telling, mut after) = (BTreeSet::new(), low);
    if low > high {
        return Ok(telling);
    }
    loop {
        let some =
            house.db.look(async |connection| audit_chain::notes(tenant, after, SOME).ask(connection).await).await?;
        let Some((last, _)) = some.last() else { return Ok(telling) };
        after = *last;
        for (number, detail) in some {
            let note = serde_json::from_str::<RemovalNote>(&detail).ok();
            let claims = note.and_then(|note| open(REMOVAL_TYPE, &note.note));
            let removal = claims.and_then(|claims| serde_json::from_value::<Removal>(claims).ok());
            if removal.is_some_and(|removal| removal.rows.range(low..=high).next().is_some()) {
                telling.insert(number);
            }
        }
    }
}

fn bound(micros: i64) -> Option<String> {
    (micros != i64::MIN && micros != i64::MAX).then(|| Timestamp::from_micros(micros).rfc3339())
}
