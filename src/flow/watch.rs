//! What the service notices by itself and operators want to hear of: mail that does not arrive, certificates that run out, a chain
//! that is broken. What is told of once is not told of again at every look.

use std::time::Duration;

use serde_json::json;

use super::certificates::{self, Dated};
use super::house::{text, window_start};
use super::round::Round;
use super::{House, alerts};
use crate::domain::alert::{Alert, Kind};
use crate::domain::audit::chain::Fault;
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::TenantId;
use crate::domain::tenant::{TenantCode, TenantConfig};
use crate::domain::timestamp::Timestamp;
use crate::storage::outbox::Lost;
use crate::storage::{self, Connection, outbox, tenants, throttle};

/// Mail that was given up longer ago than this is not told of any more.
const STALE: Duration = Duration::from_secs(86_400);
/// Mail that waits longer than this is told of …
const LATE: Duration = Duration::from_secs(15 * 60);
/// … once in this many seconds.
const LATE_QUIET: i64 = 6 * 3600;
/// So many mails that were given up are looked at with one question.
const BATCH: i64 = 100;
/// On how many days before its end a certificate is told of; and on each day after it.
const DAYS: [i64; 7] = [21, 14, 7, 4, 2, 1, 0];

/// The configuration of a virtual server; `None` if it is gone.
async fn config_of(house: &House, tenant: TenantId) -> storage::Result<Option<TenantConfig>> {
    let read = house.db.read(async |connection| match tenants::code_of(tenant).ask(connection).await? {
        Some(code) => tenants::config(connection, &code).await,
        None => Ok(None),
    });
    read.await
}

/// Whether nobody has said this in the window of `seconds`; from now on somebody has.
async fn is_new(
    connection: &mut Connection,
    house: &House,
    tenant: TenantId,
    what: &str,
    (seconds, now): (i64, Timestamp),
) -> storage::Result<bool> {
    let subject = text(&house.derived.throttle.of(&[b"watch", &tenant.to_bytes(), what.as_bytes()]));
    Ok(throttle::hit(connection, tenant, &subject, window_start(now, seconds)).await? == 1)
}

/// Writes down which mails were given up, each once, and tells operators of them and of mail that waits too long. Says how many
/// were given up.
///
/// # Errors
/// If the database fails.
pub async fn mail(house: &House, now: Timestamp) -> storage::Result<usize> {
    let lost = house.db.read(async |connection| outbox::untold(now.minus(STALE), BATCH).ask(connection).await).await?;
    let mut round = Round::default();
    for mail in &lost {
        round.of(mail.tenant, given_up(house, mail, now).await);
    }
    let late = house.db.read(async |connection| outbox::late(now.minus(LATE)).ask(connection).await).await?;
    for (tenant, since) in late {
        round.of(tenant, waiting(house, tenant, since, now).await);
    }
    if !lost.is_empty() {
        house.mail_waits.notify_one();
    }
    round.end(lost.len())
}

async fn given_up(house: &House, mail: &Lost, now: Timestamp) -> storage::Result<()> {
    let Some(config) = config_of(house, mail.tenant).await? else { return Ok(()) };
    let tell = house.db.write(async |connection| {
        if outbox::told(mail.tenant, mail.id).run(connection).await? != 1 {
            return Ok(());
        }
        let event = Event::new(now, mail.tenant, Actor::System, Action::MailFailed).on("mail", mail.id);
        let reason = without_addresses(&mail.error);
        let detail = json!({ "kind": mail.kind, "domain": mail.domain, "reason": reason });
        house.record(connection, event.with(detail)).await?;
        // A mail about a mail that does not arrive would not arrive, either, and be told of again.
        if mail.kind.starts_with("alert") {
            return Ok(());
        }
        let words = format!("{} to {}: {reason}", mail.kind, mail.domain);
        alerts::raise(connection, house, &config, &Alert::of_the_service(Kind::MailFailure, now, words)).await
    });
    tell.await
}

async fn waiting(house: &House, tenant: TenantId, since: Timestamp, now: Timestamp) -> storage::Result<()> {
    let Some(config) = config_of(house, tenant).await? else { return Ok(()) };
    let tell = house.db.write(async |connection| {
        if !is_new(connection, house, tenant, "late mail", (LATE_QUIET, now)).await? {
            return Ok(());
        }
        let words = format!("mails have been waiting since {}", since.rfc3339());
        alerts::raise(connection, house, &config, &Alert::of_the_service(Kind::MailFailure, now, words)).await
    });
    tell.await
}

/// What a mail server said without the mail addresses in it: it may repeat the receiver's.
fn without_addresses(answer: &str) -> String {
    let plain = |word: &str| if word.contains('@') { "…".to_owned() } else { word.to_owned() };
    answer.split_whitespace().map(plain).collect::<Vec<_>>().join(" ")
}

/// Tells operators of certificates of applications, and of ours for SAML, that run out.
///
/// # Errors
/// If the database fails.
pub async fn certificates(house: &House, now: Timestamp) -> storage::Result<()> {
    let codes = house.db.read(async |connection| tenants::codes(connection).await).await?;
    let mut round = Round::default();
    for code in codes {
        round.of(&code, ending_of(house, &code, now).await);
    }
    round.end(())
}

async fn ending_of(house: &House, code: &TenantCode, now: Timestamp) -> storage::Result<()> {
    let read = house.db.read(async |connection| {
        let Some(config) = tenants::config(connection, code).await? else { return Ok(None) };
        let dated = certificates::of_tenant(connection, &config, now).await?;
        Ok(Some((config, dated)))
    });
    let Some((config, dated)) = read.await? else { return Ok(()) };
    for dated in dated {
        if dated.is_ending(now) {
            tracing::warn!("{code}: {}", dated.words(now));
        }
        ending(house, &config, &dated, now).await?;
    }
    Ok(())
}

/// Tells the operators of every virtual server of the certificate that browsers are shown, if it runs out.
///
/// # Errors
/// If the database fails.
pub async fn own_certificate(house: &House, dated: &Dated, now: Timestamp) -> storage::Result<()> {
    let codes = house.db.read(async |connection| tenants::codes(connection).await).await?;
    let mut round = Round::default();
    for code in codes {
        let config = house.db.read(async |connection| tenants::config(connection, &code).await).await;
        if let Some(config) = round.of(&code, config).flatten() {
            round.of(&code, ending(house, &config, dated, now).await);
        }
    }
    round.end(())
}

async fn ending(house: &House, config: &TenantConfig, dated: &Dated, now: Timestamp) -> storage::Result<()> {
    let left = (dated.not_after.seconds() - now.seconds()).div_euclid(86_400);
    if left >= 0 && !DAYS.contains(&left) {
        return Ok(());
    }
    let words = dated.words(now);
    let tell = house.db.write(async |connection| {
        let what = format!("certificate {left} {words}");
        // A day is a day of the calendar here, and not 24 hours after the last look: at worst it is told twice.
        if !is_new(connection, house, config.tenant.id, &what, (86_400, now)).await? {
            return Ok(());
        }
        let alert = Alert::of_the_service(Kind::CertificateExpiring, now, words.clone());
        alerts::raise(connection, house, config, &alert).await
    });
    tell.await?;
    house.mail_waits.notify_one();
    Ok(())
}

/// Tells operators that the chain of their audit trail is broken.
///
/// # Errors
/// If the database fails.
pub(super) async fn broken_chain(
    house: &House,
    tenant: TenantId,
    fault: &Fault,
    now: Timestamp,
) -> storage::Result<()> {
    let Some(config) = config_of(house, tenant).await? else { return Ok(()) };
    let alert = Alert::of_the_service(Kind::AuditChainBroken, now, fault.to_string());
    alerts::raise_alone(house, &config, &alert).await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// no full address stands in an event or an alert.
    #[test]
    fn an_answer_of_a_mail_server_loses_its_addresses() {
        let answer = "550 5.1.1 <ada@acme.test>: no such user ada@acme.test here";
        assert_eq!(without_addresses(answer), "550 5.1.1 … no such user … here");
    }
}
