//! Liveness and readiness: whether the process runs, and whether it should get requests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde_json::json;

use crate::clock::Clock;
use crate::flow::preflight::{CLOCK_OFF_SECONDS, MAIL_LATE};
use crate::http::{Site, head};
use crate::storage::outbox;

/// Whether the service is being stopped.
#[derive(Debug, Default)]
pub struct Health {
    stopping: AtomicBool,
}

impl Health {
    /// From now on the service is not ready.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }
}

/// Registers `/healthz` and `/readyz`.
pub fn configure(config: &mut web::ServiceConfig) {
    config.route("/healthz", head::readable().to(alive)).route("/readyz", head::readable().to(ready));
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("alive\n")
}

/// 200 if this instance should get requests, 503 if not. A mail server that is away is told of but does not make an
/// instance unready: everybody who has an authenticator can still log in, and no other instance would do better.
async fn ready(site: web::Data<Site>, health: web::Data<Health>) -> HttpResponse {
    let db = &site.house.db;
    let running = !health.stopping.load(Ordering::SeqCst);
    let database = db.answers().await;
    // A newer one is fine: each version works on the schema of the next, so that instances are replaced one after the other.
    let schema = database && db.migrations().await.is_ok_and(|(known, applied)| known <= applied);
    let clock = !database || clock_agrees(&site).await;
    let mail = if database { oldest_mail(&site).await } else { Duration::ZERO };
    let word = |good: bool, otherwise: &'static str| if good { "ok" } else { otherwise };
    let body = json!({
        "status": word(running && database && schema && clock, "not ready"),
        "service": word(running, "stopping"),
        "database": word(database, "does not answer"),
        "schema": word(schema, "not up to date"),
        "clock": word(clock, "differs from the database's"),
        "mail": word(mail < MAIL_LATE, "late"),
        "oldest_mail_seconds": mail.as_secs(),
    });
    let mut answer =
        if running && database && schema && clock { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(body)
}

/// Whether our clock and the database's show the same. A test's clock is not compared.
async fn clock_agrees(site: &Site) -> bool {
    let Clock::System = site.house.clock else { return true };
    match site.house.db.clock_seconds().await {
        Ok(theirs) => agree(theirs, site.house.clock.now().seconds()),
        Err(_) => false,
    }
}

/// Whether two clocks show the same, in seconds since 1970.
const fn agree(theirs: i64, ours: i64) -> bool {
    (theirs - ours).abs() <= CLOCK_OFF_SECONDS
}

async fn oldest_mail(site: &Site) -> Duration {
    let oldest = site.house.db.look(async |connection| outbox::oldest_waiting(connection).await).await;
    oldest.ok().flatten().map_or(Duration::ZERO, |at| site.house.clock.now().since(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// clocks may differ by five seconds, to either side, and by no more.
    #[test]
    fn clocks_may_differ_by_five_seconds() {
        for (theirs, good) in [(100, true), (105, true), (95, true), (106, false), (94, false)] {
            assert_eq!(agree(theirs, 100), good, "{theirs}");
        }
    }
}
