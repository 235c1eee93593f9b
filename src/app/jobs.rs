//! What runs beside the doors: mail is sent, expired rows are removed, signing keys are moved on.
//!
//! Every instance runs every job; a lease in the database makes one of them do what needs doing once.

use std::time::Duration;

use actix_web::rt;
use actix_web::web;

use crate::config::{Rotation, Settings};
use crate::domain::audit::Actor;
use crate::domain::ids::CorrelationId;
use crate::flow::administration::{Desk, keys};
use crate::http::Site;
use crate::mail::outbox::Worker;
use crate::mail::transport::Transport;
use crate::storage::{self, leases, purge, tenants};

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
        site.texts,
        site.urls.clone(),
        house.clock.clone(),
        house.mail_waits.clone(),
        &house.entropy,
    );
    let owner = house.entropy.id();
    vec![
        rt::spawn(worker.run()),
        rt::spawn(purge_forever(site.clone(), owner)),
        rt::spawn(rotate_forever(site.clone(), owner, settings.rotation)),
    ]
}

async fn purge_forever(site: web::Data<Site>, owner: CorrelationId) {
    loop {
        rt::time::sleep(PURGE).await;
        match purge_once(&site, owner).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "expired rows were removed"),
            Err(error) => tracing::warn!(%error, "expired rows could not be removed"),
        }
    }
}

/// Removes what has expired, if no other instance does. Says how many rows.
///
/// # Errors
/// If the database fails.
pub async fn purge_once(site: &Site, owner: CorrelationId) -> storage::Result<u64> {
    let now = site.house.clock.now();
    let work = async |connection: &mut storage::Connection| {
        if !leases::acquire(connection, "purge", owner, now, PURGE).await? {
            return Ok(0);
        }
        purge::run(connection, now).await
    };
    site.house.db.write(work).await
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
    let codes = house.db.read(async |connection| tenants::codes(connection).await).await?;
    let desk = Desk { house, actor: Actor::System, now };
    for code in codes {
        for line in keys::rotate(&desk, &code, rotation.overlap, keys::Which::Due { every: rotation.every }).await? {
            tracing::info!(tenant = %code, "{line}");
        }
    }
    Ok(())
}
