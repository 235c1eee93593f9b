//! What becomes of provisioning tasks by themselves: reminders, stop dates, rules.

use std::sync::Arc;
use std::time::Duration;

use actix_web::{rt, web};

use crate::domain::audit::Actor;
use crate::domain::ids::CorrelationId;
use crate::flow::Realm;
use crate::flow::administration::{Desk, provisioning, rules};
use crate::flow::round::Round;
use crate::http::Site;
use crate::storage::{self, Connection, leases, reservations, tenants};

/// How often tasks and rules are looked at.
const EVERY: Duration = Duration::from_secs(60);
/// People of one virtual server who are looked at in one round, of each kind.
const BATCH: i64 = 500;

/// Looks until the task is aborted.
pub async fn forever(site: web::Data<Site>, owner: CorrelationId) {
    loop {
        rt::time::sleep(EVERY).await;
        match once(&site, owner).await {
            Ok(Done { reminded: 0, expired: 0, provisioned: 0 }) => {}
            Ok(done) => tracing::info!(done.reminded, done.expired, done.provisioned, "provisioning tasks moved on"),
            Err(error) => tracing::warn!(%error, "provisioning tasks could not be looked at"),
        }
    }
}

/// What one round did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// Reminders that were written.
    pub reminded: usize,
    /// People whose time has passed.
    pub expired: usize,
    /// People whom rules sent a mail.
    pub provisioned: usize,
}

/// One round, if no other instance does it. Each step can be done by two all the same: it is done once.
///
/// # Errors
/// If the database fails.
pub async fn once(site: &Site, owner: CorrelationId) -> storage::Result<Done> {
    let house = &site.house;
    let now = house.clock.now();
    let mine = async |connection: &mut Connection| leases::acquire(connection, "provisioning", owner, now, EVERY).await;
    if !house.db.write(mine).await? {
        return Ok(Done::default());
    }
    round(site).await
}

/// One round, whoever else does one.
///
/// # Errors
/// If the database fails.
pub async fn round(site: &Site) -> storage::Result<Done> {
    let house = &site.house;
    let desk = Desk { house, actor: Actor::System, address: String::new(), now: house.clock.now() };
    let (mut done, mut round) = (Done::default(), Round::default());
    for code in house.db.look(async |connection| tenants::codes(connection).await).await? {
        let realm = match house.realm(&code).await {
            Ok(Some(realm)) => realm,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(tenant = %code, %error, "a virtual server cannot be read");
                continue;
            }
        };
        done.reminded += round.of(&code, remind(&desk, &realm).await).unwrap_or(0);
        done.expired += round.of(&code, expire(&desk, &realm).await).unwrap_or(0);
        done.provisioned += round.of(&code, rules::look_at_all(&desk, &realm).await).unwrap_or(0);
    }
    if done.reminded > 0 {
        house.mail_waits.notify_one();
    }
    round.end(done)
}

async fn remind(desk: &Desk<'_>, realm: &Arc<Realm>) -> storage::Result<usize> {
    let Some(before) = realm.config.settings.enrollment_mail.reminder() else { return Ok(0) };
    let (db, tenant, now) = (&desk.house.db, realm.tenant(), desk.now);
    let until = now.plus(before);
    let due = db.look(async |connection| reservations::unreminded(connection, tenant, now, until, BATCH).await).await?;
    let mut reminded = 0;
    for place in due {
        let sent =
            db.write(async |connection| provisioning::remind(desk, connection, &realm.config, &place).await).await?;
        reminded += usize::from(sent);
    }
    Ok(reminded)
}

async fn expire(desk: &Desk<'_>, realm: &Arc<Realm>) -> storage::Result<usize> {
    let (db, tenant, now) = (&desk.house.db, realm.tenant(), desk.now);
    let due = db.look(async |connection| reservations::overdue(connection, tenant, now, BATCH).await).await?;
    let mut expired = 0;
    for place in due {
        let over =
            db.write(async |connection| provisioning::expire(desk, connection, &realm.config, &place).await).await?;
        expired += usize::from(over);
    }
    Ok(expired)
}
