//! Alerts: written down in the transaction of what they tell of, and mailed to whoever asked to be told.

use super::case::Case;
use super::house::{text, window_start};
use super::letters::NOTICE;
use super::{House, Visit};
use crate::domain::alert::{Alert, Kind};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::{MailId, TenantId};
use crate::domain::letter::{Envelope, Letter};
use crate::domain::tenant::TenantConfig;
use crate::storage::alerts::{Told, Written};
use crate::storage::{self, Connection, alerts, throttle};

/// One mail tells of what happens to one person in this many seconds: whoever tries the same passcode all night must not
/// bury what else happens.
const QUIET: i64 = 600;
/// Mails of one kind in an hour, whomever they are about.
const MOST_PER_HOUR: i64 = 30;

/// The alert of this kind about the person of a login; `serial` is empty if it is about no authenticator.
#[must_use]
pub fn about(case: &Case, visit: &Visit, kind: Kind, serial: &str) -> Alert {
    let named = || case.login().named.clone().unwrap_or_default();
    Alert {
        kind,
        at: visit.now,
        user: case.user(),
        username: case.member.as_ref().map_or_else(named, |member| member.user.username.clone()),
        serial: serial.to_owned(),
        application: case.application_name().to_owned(),
        address: visit.address.to_string(),
        correlation: Some(case.login().correlation),
    }
}

/// Raises an alert: it is always written down, and mailed unless nobody asked for it or there were many just before.
/// Whoever calls this wakes `house.mail_waits` after the commit.
///
/// # Errors
/// If the database fails.
pub async fn raise(
    connection: &mut Connection,
    house: &House,
    config: &TenantConfig,
    alert: &Alert,
) -> storage::Result<()> {
    let tenant = config.tenant.id;
    let recipients = config.settings.alerts.told_of(alert.kind);
    let mut mails = Vec::with_capacity(recipients.len());
    let told = if recipients.is_empty() {
        Told::Nobody
    } else if is_news(connection, house, tenant, alert).await? {
        for recipient in recipients {
            mails.push(mail(connection, house, config, alert, recipient.to_string()).await?);
        }
        Told::Mailed
    } else {
        Told::Withheld
    };
    let id = house.new_id(alert.at);
    alerts::insert(connection, tenant, &Written { id, alert: alert.clone(), told, mails }).await?;
    let mut event = Event::new(alert.at, tenant, Actor::System, Action::AlertRaised).on("alert", id);
    event.correlation = alert.correlation;
    let detail = serde_json::json!({ "kind": alert.kind, "told": told.id(), "recipients": recipients.len() });
    house.record(connection, event.from_address(&alert.address).with(detail)).await
}

/// Whether this alert deserves mails.
async fn is_news(connection: &mut Connection, house: &House, tenant: TenantId, alert: &Alert) -> storage::Result<bool> {
    let of = |whose: &[u8]| {
        let parts: [&[u8]; 4] = [b"alerts", &tenant.to_bytes(), alert.kind.id().as_bytes(), whose];
        text(&house.derived.throttle.of(&parts))
    };
    let person = of(alert.username.as_bytes());
    if throttle::hit(connection, tenant, &person, window_start(alert.at, QUIET)).await? > 1 {
        return Ok(false);
    }
    let hits = throttle::hit(connection, tenant, &of(b"\0everybody"), window_start(alert.at, 3600)).await?;
    Ok(hits <= MOST_PER_HOUR)
}

async fn mail(
    connection: &mut Connection,
    house: &House,
    config: &TenantConfig,
    alert: &Alert,
    to: String,
) -> storage::Result<MailId> {
    let letter = Letter::Alert {
        kind: alert.kind,
        at: alert.at,
        person: alert.username.clone(),
        serial: alert.serial.clone(),
        application: alert.application.clone(),
        address: alert.address.clone(),
    };
    let envelope = Envelope {
        to,
        name: config.tenant.name.clone(),
        account: alert.username.clone(),
        language: config.tenant.default_language.clone(),
        tenant_code: config.tenant.code.to_string(),
        organization: config.tenant.name.clone(),
        help_contact: String::new(),
        letter,
    };
    house.post(connection, config.tenant.id, None, &envelope, alert.at, alert.at.plus(NOTICE)).await
}
