//! The audit trail at the roof: the jobs that seal, sign, check and cut it, and `vestibule audit`.

pub mod offline;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actix_web::{rt, web};
use anyhow::Context as _;

use super::commands::{desk, tenant};
use super::doubt;
use super::helpdesk::Said;
use super::{Nature, Schema, open};
use crate::config::Settings;
use crate::domain::audit::chain::LATEST;
use crate::domain::ids::{CorrelationId, TenantId};
use crate::domain::tenant::TenantCode;
use crate::domain::timestamp::Timestamp;
use crate::flow::audit_trail::{self, Pace};
use crate::flow::round::Round;
use crate::http::Site;
use crate::storage::{self, leases, tenants};

/// How often new events are sealed.
const SEAL: Duration = Duration::from_secs(1);
/// How often events that came a little late are looked for, and how far back.
const SWEEP: Duration = Duration::from_secs(60);
/// See [`SWEEP`].
const SWEPT: Duration = Duration::from_secs(10 * 60);
/// How often events that came very late are looked for, what is too old is removed, and the chains are due to be checked.
const LOOK: Duration = Duration::from_secs(60 * 60);
/// How often every chain is checked from its beginning.
const CHECK: Duration = Duration::from_secs(24 * 60 * 60);
/// Not while the service starts.
const FIRST_LOOK: Duration = Duration::from_secs(3 * 60);

/// Seals events, in one instance at a time.
pub(super) async fn seal_forever(site: web::Data<Site>, owner: CorrelationId) {
    let mut swept = site.house.clock.now();
    loop {
        rt::time::sleep(SEAL).await;
        let now = site.house.clock.now();
        let sweep = is_due(swept, now);
        if sweep {
            swept = now;
        }
        if let Err(error) = seal_once(&site, owner, sweep).await {
            tracing::warn!(error = format!("{error:#}"), "audit events could not be sealed");
        }
    }
}

/// Whether it is time to look for late events again. A clock that was set back does not keep them waiting until it is as late again.
fn is_due(swept: Timestamp, now: Timestamp) -> bool {
    now < swept || now.since(swept) >= SWEEP
}

/// Seals what has settled, if no other instance does; with `sweep` what came late, too, and signs checkpoints that are due.
///
/// # Errors
/// If the database fails or a key does not open.
pub async fn seal_once(site: &Site, owner: CorrelationId, sweep: bool) -> anyhow::Result<()> {
    let house = &site.house;
    let now = house.clock.now();
    let until = now.minus(audit_trail::SETTLED);
    let question = async |connection: &mut storage::Connection| {
        storage::audit_chain::waiting(until).ask(connection).await.map(|waiting| !waiting.is_empty())
    };
    if !house.db.look(question).await? && !sweep {
        return Ok(());
    }
    if !lease(site, "audit", owner, Duration::from_secs(10)).await? {
        return Ok(());
    }
    let mut round = Round::<anyhow::Error>::default();
    round.of("sealing", audit_trail::seal(house, now).await.map_err(Into::into));
    if sweep {
        round.of("late events", audit_trail::seal_late(house, now, SWEPT).await.map_err(Into::into));
        round.of("checkpoints", audit_trail::sign_due(house, now).await.map_err(Into::into));
    }
    round.end(())
}

async fn lease(site: &Site, name: &str, owner: CorrelationId, span: Duration) -> storage::Result<bool> {
    let now = site.house.clock.now();
    site.house.db.write_soon(async |connection| leases::acquire(connection, name, owner, now, span).await).await
}

/// Looks for what came very late, removes what is too old, and checks the chains.
pub(super) async fn look_forever(site: web::Data<Site>, owner: CorrelationId) {
    rt::time::sleep(FIRST_LOOK).await;
    loop {
        if let Err(error) = look_once(&site, owner).await {
            tracing::warn!(error = format!("{error:#}"), "the audit trail could not be looked after");
        }
        rt::time::sleep(LOOK).await;
    }
}

/// What `look_forever` does each time, if no other instance does.
///
/// # Errors
/// If the database fails or a key does not open.
pub async fn look_once(site: &Site, owner: CorrelationId) -> anyhow::Result<()> {
    let house = &site.house;
    let now = house.clock.now();
    if !lease(site, "audit look", owner, LOOK).await? {
        return Ok(());
    }
    let mut round = Round::<anyhow::Error>::default();
    let span = Duration::from_micros(LATEST.unsigned_abs());
    round.of("late events", audit_trail::seal_late(house, now, span).await.map_err(Into::into));
    let removed = round.of("retention", retain(site, owner).await.map_err(Into::into)).unwrap_or(0);
    if removed > 0 {
        tracing::info!(removed, "log entries that are older than their virtual servers keep them were removed");
    }
    // By nobody twice: whoever has a lease may keep it, and would check with every look.
    let turn = house.entropy.id();
    if lease(site, "audit check", turn, CHECK).await? {
        match audit_trail::verify_all(house, now).await {
            Ok(found) => {
                for (tenant, fault) in found {
                    tracing::error!(%tenant, %fault, "the audit trail was tampered with");
                }
            }
            Err(error) => {
                // Not only tomorrow.
                house.db.write_soon(async |connection| leases::release(connection, "audit check", turn).await).await?;
                return Err(error.into());
            }
        }
    }
    round.end(())
}

/// Removes what is older than virtual servers keep it, if the clock can be believed. Says how many rows.
async fn retain(site: &Site, owner: CorrelationId) -> storage::Result<u64> {
    let Some(now) = doubt::believed(site, "retention", owner).await? else { return Ok(0) };
    // A lease of its own, shorter than the look that it is part of: it tells when this was done last.
    let mine = async |connection: &mut storage::Connection| {
        leases::acquire(connection, "retention", owner, now, LOOK / 2).await
    };
    if site.house.db.write_soon(mine).await? { audit_trail::purge_all(&site.house, now).await } else { Ok(0) }
}

/// The virtual server that a command works in.
async fn place(settings: &Settings, code: Option<&str>) -> anyhow::Result<(Site, TenantId, TenantCode)> {
    let site = open(settings, Schema::Expect, Nature::default()).await?;
    let code = tenant(&site.house.db, code).await?;
    let config = site.house.db.look(async |connection| tenants::config(connection, &code).await).await?;
    let config = config.with_context(|| format!("there is no tenant \"{code}\""))?;
    Ok((site, config.tenant.id, code))
}

/// `vestibule audit export`.
///
/// # Errors
/// If there is no such virtual server, it has no key that signs, or nothing can be written.
pub async fn export(
    settings: &Settings,
    code: Option<&str>,
    span: (Option<Timestamp>, Option<Timestamp>),
) -> anyhow::Result<()> {
    let (site, tenant, code) = place(settings, code).await?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let exported = audit_trail::export(&desk(&site), (tenant, &code), span, &mut |line| {
        serde_json::to_writer(&mut out, line)?;
        out.write_all(b"\n")
    })
    .await;
    let written = exported.and_then(|events| Ok(out.flush().map(|()| events)?));
    drop(out);
    match written {
        Ok(events) => drop(writeln!(std::io::stderr(), "{events} events")),
        // Whoever reads it may stop in the middle (`| head`).
        Err(audit_trail::ExportError::Write(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        Err(error) => return Err(error.into()),
    }
    site.house.db.close().await;
    Ok(())
}

/// `vestibule audit keys`.
///
/// # Errors
/// If there is no such virtual server, or a key does not open.
pub async fn keys(settings: &Settings, code: Option<&str>) -> anyhow::Result<String> {
    let (site, tenant, _) = place(settings, code).await?;
    let keys = audit_trail::public_keys(&site.house, tenant).await?;
    site.house.db.close().await;
    Ok(keys.to_string())
}

/// `vestibule audit verify` with the database: against itself, and against what exports say.
///
/// # Errors
/// If there is no such virtual server, or the database fails.
pub async fn verify(
    settings: &Settings,
    code: Option<&str>,
    files: &[PathBuf],
    keys: Option<&Path>,
) -> anyhow::Result<Said> {
    let (site, tenant, code) = place(settings, code).await?;
    let now = site.house.clock.now();
    let (mut said, known) = if files.is_empty() {
        (Said { lines: Vec::new(), notes: Vec::new(), good: true }, Default::default())
    } else {
        offline::verify_of(files, keys, Some(tenant))
    };
    match audit_trail::verify(&site.house, tenant, &known, Pace::Quick, now).await? {
        Ok(found) => said.lines.push(offline::words(&format!("database, {code}"), &found)),
        Err(fault) => {
            said.good = false;
            said.lines.push(format!("database, {code}: {fault}"));
        }
    }
    site.house.db.close().await;
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_events_are_looked_for_each_minute_whatever_the_clock_does() {
        let at = Timestamp::from_seconds;
        for (now, due) in [(1000, false), (1059, false), (1060, true), (999, true), (0, true)] {
            assert_eq!(is_due(at(1000), at(now)), due, "{now}");
        }
    }
}
