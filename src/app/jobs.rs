//! What runs beside the doors: mail is sent, expired rows are removed, signing keys are moved on.
//!
//! Every instance runs every job; a lease in the database makes one of them do what needs doing once.

use std::time::Duration;

use actix_web::rt;
use actix_web::web;

use super::{audit, doubt, feeds, provisioning, rollout, syslog};
use crate::config::{Rotation, Settings};
use crate::domain::audit::Actor;
use crate::domain::ids::CorrelationId;
use crate::exchange::csv::Written;
use crate::flow::administration::{Desk, jobs as work, keys, rollout as waves, schedules};
use crate::flow::round::Round;
use crate::flow::{alerts, watch, webhooks};
use crate::http::Site;
use crate::mail::outbox::Worker;
use crate::mail::transport::Transport;
use crate::oidc::backchannel;
use crate::saml::notices;
use crate::storage::{self, audit_chain, leases, purge, tenants};

/// How often expired rows are removed.
const PURGE: Duration = Duration::from_secs(5 * 60);
/// How often signing keys are looked at.
const ROTATION: Duration = Duration::from_secs(60 * 60);

/// Starts the jobs. They end when their tasks are aborted.
pub fn start(settings: &Settings, site: &web::Data<Site>, transport: Transport) -> Vec<rt::task::JoinHandle<()>> {
    let house = &site.house;
    let worker = Worker::new(
        house.db.clone(),
        house.sealer.clone(),
        transport,
        site.texts.clone(),
        site.urls.clone(),
        house.clock.clone(),
        house.mail_waits.clone(),
        &house.entropy,
    );
    let owner = house.entropy.id();
    let mut jobs = vec![
        rt::spawn(worker.run()),
        rt::spawn(tell_forever(site.clone())),
        rt::spawn(tell_by_saml_forever(site.clone())),
        rt::spawn(purge_forever(site.clone(), owner)),
        rt::spawn(rotate_forever(site.clone(), owner, settings.rotation)),
        rt::spawn(look_forever(site.clone(), owner)),
        rt::spawn(provisioning::forever(site.clone(), owner)),
        rt::spawn(audit::seal_forever(site.clone(), owner)),
        rt::spawn(audit::look_forever(site.clone(), owner)),
        rt::spawn(work_forever(site.clone(), owner)),
        rt::spawn(rollout::forever(site.clone(), owner)),
        rt::spawn(rollout::count_forever(site.clone(), owner)),
        rt::spawn(call_forever(site.clone())),
        rt::spawn(watch_forever(site.clone(), owner)),
        rt::spawn(report_forever(site.clone(), owner)),
    ];
    if let Some(settings) = &settings.syslog {
        jobs.push(rt::spawn(syslog::forever(site.clone(), owner, settings.clone())));
    }
    jobs
}

/// Tells applications of the ends of sessions.
async fn tell_forever(site: web::Data<Site>) {
    backchannel::run(&site).await;
}

/// Tells service providers of the ends of sessions.
async fn tell_by_saml_forever(site: web::Data<Site>) {
    notices::run(&site).await;
}

async fn purge_forever(site: web::Data<Site>, owner: CorrelationId) {
    loop {
        rt::time::sleep(PURGE).await;
        site.house.passwords.rest();
        match purge_once(&site, owner).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "expired rows were removed"),
            Err(error) => tracing::warn!(%error, "expired rows could not be removed"),
        }
    }
}

/// Ends jobs that nobody loads any more and removes what has expired, if no other instance does and the clock can be believed. Says
/// how many rows.
///
/// # Errors
/// If the database fails.
pub async fn purge_once(site: &Site, owner: CorrelationId) -> storage::Result<u64> {
    let Some(now) = doubt::believed(site, "purge", owner).await? else { return Ok(0) };
    let db = &site.house.db;
    let mine =
        async |connection: &mut storage::Connection| leases::acquire(connection, "purge", owner, now, PURGE).await;
    if !db.write(mine).await? {
        return Ok(0);
    }
    let mut round = Round::default();
    round.of("jobs", work::end_abandoned(&site.house).await);
    let removed = round.of("expired rows", purge::run(db, now).await).unwrap_or(0);
    let desk = Desk { house: &site.house, actor: Actor::System, address: String::new(), now };
    for tenant in db.look(async |connection| audit_chain::tenants().ask(connection).await).await? {
        round.of(tenant, waves::tidy(&desk, tenant).await);
    }
    round.end(removed)
}

async fn rotate_forever(site: web::Data<Site>, owner: CorrelationId, rotation: Rotation) {
    loop {
        if let Err(error) = rotate_once(&site, owner, rotation).await {
            tracing::warn!(error = format!("{error:#}"), "signing keys could not be moved on");
        }
        rt::time::sleep(ROTATION).await;
    }
}

/// Moves on the signing keys that are due, if no other instance does: those whose rotation has begun, and
/// those that are older than the settings allow.
///
/// # Errors
/// If the database fails or a key cannot be made.
pub async fn rotate_once(site: &Site, owner: CorrelationId, rotation: Rotation) -> anyhow::Result<()> {
    let house = &site.house;
    let now = house.clock.now();
    let mine = house.db.write(async |connection| leases::acquire(connection, "rotation", owner, now, ROTATION).await);
    if !mine.await? {
        return Ok(());
    }
    let codes = house.db.look(async |connection| tenants::codes(connection).await).await?;
    let desk = Desk { house, actor: Actor::System, address: String::new(), now };
    let mut round = Round::default();
    for code in codes {
        let due = keys::Which::Due { every: rotation.every };
        for line in round.of(&code, keys::rotate(&desk, &code, rotation.overlap, due).await).unwrap_or_default() {
            tracing::info!(tenant = %code, "{line}");
        }
    }
    Ok(round.end(())?)
}

/// How often it is looked whether there is work on many people or tokens.
const WORK: Duration = Duration::from_secs(1);
/// How long an instance does it before another may take over.
const SHIFT: Duration = Duration::from_secs(30);

async fn work_forever(site: web::Data<Site>, owner: CorrelationId) {
    loop {
        match work_once(&site, owner).await {
            Ok(0) => rt::time::sleep(WORK).await,
            // Others have their turn: SQLite serves whoever asks next.
            Ok(_) => rt::time::sleep(Duration::from_millis(5)).await,
            Err(error) => {
                tracing::warn!(%error, "work on many people or tokens does not go on");
                rt::time::sleep(5 * WORK).await;
            }
        }
    }
}

/// One turn of every job that goes on, if no other instance does them. Says how many rows were done.
///
/// # Errors
/// If the database fails.
pub async fn work_once(site: &Site, owner: CorrelationId) -> storage::Result<usize> {
    let house = &site.house;
    if house.db.look(async |connection| storage::jobs::running().ask(connection).await).await?.is_empty() {
        return Ok(0);
    }
    let now = house.clock.now();
    let mine =
        async |connection: &mut storage::Connection| leases::acquire(connection, "jobs", owner, now, SHIFT).await;
    if house.db.write(mine).await? { work::round(house).await } else { Ok(0) }
}

/// How often it is looked whether webhooks are to be called: operators want to hear of things at once.
const CALL: Duration = Duration::from_secs(2);

/// Calls webhooks. Every instance does: what one has taken, no other sends.
async fn call_forever(site: web::Data<Site>) {
    loop {
        match webhooks::round(&site.house).await {
            Ok(0) => rt::time::sleep(CALL).await,
            Ok(_) => {}
            Err(error) => {
                tracing::error!(%error, "webhooks cannot be called");
                rt::time::sleep(5 * CALL).await;
            }
        }
    }
}

/// How often it is looked whether there is something to tell operators of.
const WATCH: Duration = Duration::from_secs(20);

async fn watch_forever(site: web::Data<Site>, owner: CorrelationId) {
    loop {
        rt::time::sleep(WATCH).await;
        if let Err(error) = watch_once(&site, owner).await {
            tracing::warn!(%error, "operators cannot be told what is wrong");
        }
    }
}

/// Tells operators of mail that does not arrive, and together what was held back, if no other instance does.
///
/// # Errors
/// If the database fails.
pub async fn watch_once(site: &Site, owner: CorrelationId) -> storage::Result<()> {
    let house = &site.house;
    let now = house.clock.now();
    let mine =
        async |connection: &mut storage::Connection| leases::acquire(connection, "watch", owner, now, WATCH).await;
    if !house.db.write_soon(mine).await? {
        return Ok(());
    }
    let mut round = Round::default();
    round.of("mails", watch::mail(house, now).await);
    round.of("alerts", alerts::gather(house, now).await);
    round.end(())
}

/// How often it is looked whether a report is due.
const REPORT: Duration = Duration::from_secs(60);

async fn report_forever(site: web::Data<Site>, owner: CorrelationId) {
    loop {
        rt::time::sleep(REPORT).await;
        if let Err(error) = report_once(&site, owner).await {
            tracing::warn!(%error, "reports cannot be made");
        }
    }
}

/// Makes and mails the reports that are due, if no other instance does. Says how many.
///
/// # Errors
/// If the database fails.
pub async fn report_once(site: &Site, owner: CorrelationId) -> storage::Result<usize> {
    let house = &site.house;
    let now = house.clock.now();
    let mine =
        async |connection: &mut storage::Connection| leases::acquire(connection, "reports", owner, now, REPORT).await;
    if house.db.write_soon(mine).await? { schedules::make_due(house, csv, now).await } else { Ok(0) }
}

/// A table for spreadsheets (T-73).
fn csv(columns: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Written::new(columns);
    for row in rows {
        table.row(row.iter().map(String::as_str));
    }
    table.text()
}

/// How often metadata of service providers is fetched, and certificates are looked at.
const LOOK: Duration = Duration::from_secs(6 * 60 * 60);
/// Not at the very start: a service that is started again and again would call others just as often.
const FIRST_LOOK: Duration = Duration::from_secs(5 * 60);

async fn look_forever(site: web::Data<Site>, owner: CorrelationId) {
    rt::time::sleep(FIRST_LOOK).await;
    loop {
        if let Err(error) = look_once(&site, owner).await {
            tracing::warn!(error = format!("{error:#}"), "service providers could not be looked at");
        }
        rt::time::sleep(LOOK).await;
    }
}

/// Fetches the metadata of service providers and tells of certificates that run out, if no other instance does.
///
/// # Errors
/// If the database fails.
pub async fn look_once(site: &Site, owner: CorrelationId) -> anyhow::Result<()> {
    let house = &site.house;
    let now = house.clock.now();
    let mine = house.db.write(async |connection| leases::acquire(connection, "metadata", owner, now, LOOK).await);
    if !mine.await? {
        return Ok(());
    }
    let mut round = Round::default();
    round.of("feeds", feeds::refresh(&Desk { house, actor: Actor::System, address: String::new(), now }).await);
    round.of("certificates", watch::certificates(house, now).await.map_err(Into::into));
    round.end(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Nature, Schema, commands, open};
    use crate::apply::plan::Prune;
    use crate::apply::run::{self, Run};
    use crate::clock::{Clock, Entropy, TestClock};
    use crate::domain::ids::SigningKeyId;
    use crate::domain::signing_key::SignatureAlgorithm;
    use crate::domain::timestamp::Timestamp;

    const DAY: Duration = Duration::from_secs(86_400);

    async fn site(folder: &tempfile::TempDir, clock: TestClock) -> Site {
        let file = format!(
            "[database]\nurl = \"sqlite://{0}/v.db\"\n[keys]\nkey_encryption_key_file = \"{0}/kek\"\n\
             [passwords]\nmemory_kib = 64\npasses = 1\n",
            folder.path().display()
        );
        let settings = Settings::read(Some(("v.toml", &file)), []).expect("valid");
        let nature = Nature { clock: Clock::Test(clock), entropy: Entropy::System };
        let site = open(&settings, Schema::Migrate, nature).await.expect("opens");
        let acme = "[[tenant]]\ncode = \"acme\"\nname = \"Acme\"\n";
        let desk = commands::desk(&site);
        run::text(&desk, ("acme.toml", acme), folder.path(), Run::Real, Prune::Keep).await.expect("applies");
        site
    }

    /// The key that signs, and how many are published.
    async fn keys_of(site: &Site) -> (SigningKeyId, usize) {
        let code = "acme".parse().expect("a code");
        let realm = site.house.realm(&code).await.expect("reads").expect("is there");
        let signing = realm.oidc_keys.signing(SignatureAlgorithm::Rs256).expect("signs").id();
        let published = realm.oidc_keys.keys().filter(|(_, key)| key.algorithm() == SignatureAlgorithm::Rs256).count();
        (signing, published)
    }

    ///
    #[actix_web::test]
    async fn old_signing_keys_are_replaced_with_overlap_and_only_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = TestClock::at(Timestamp::from_seconds(1_800_000_000));
        let site = site(&folder, clock.clone()).await;
        let owner = site.house.entropy.id();
        let rotation = Rotation { every: Some(DAY * 30), overlap: Default::default() };
        let (first, _) = keys_of(&site).await;
        let mut seen = Vec::new();
        for _ in 0..34 {
            // Three looks a day: none of them may begin a second rotation.
            for _ in 0..3 {
                rotate_once(&site, owner, rotation).await.expect("rotates");
                clock.advance(DAY / 3);
            }
            seen.push(keys_of(&site).await);
        }
        assert!(seen[..28].iter().all(|found| *found == (first, 1)), "{seen:?}");
        assert_eq!(seen[29], (first, 2), "published a day before it signs");
        let (second, published) = seen[30];
        assert!(second != first && published == 2, "it signs, and the old one is still published: {seen:?}");
        assert_eq!(seen[33], (second, 2), "no third key");
    }

    #[actix_web::test]
    async fn a_job_is_done_by_one_instance_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = TestClock::at(Timestamp::from_seconds(1_800_000_000));
        let site = site(&folder, clock.clone()).await;
        let (one, other) = (site.house.entropy.id(), site.house.entropy.id());
        let now = site.house.clock.now();
        let lease = async |owner| {
            let work = async |connection: &mut _| leases::acquire(connection, "purge", owner, now, PURGE).await;
            site.house.db.write(work).await.expect("asks")
        };
        assert!(purge_once(&site, one).await.is_ok());
        assert!(lease(one).await && !lease(other).await, "R-598");
    }
}
