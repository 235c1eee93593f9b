//! Alerts: written down in the transaction of what they tell of, and told to whoever asked to be told: fixed addresses, the
//! operators of a role, webhooks. What comes in bursts is gathered, so that nobody is flooded.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::case::Case;
use super::house::{text, window_start};
use super::letters::NOTICE;
use super::round::Round;
use super::{House, Visit};
use crate::domain::alert::{Alert, Kind};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::{DeliveryId, MailId, TenantId};
use crate::domain::letter::{Envelope, Letter};
use crate::domain::name::key_of;
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::storage::alerts::{HeldBack, Told, Written};
use crate::storage::{self, Connection, alerts, audit_chain, operators, tenants, throttle, webhooks};

/// One alert tells of what happens to one person in this many seconds: whoever tries the same passcode all night must not
/// bury what else happens.
const QUIET: i64 = 600;
/// What is held back is told together when this many seconds are over.
const GATHERED: i64 = 3600;
/// What was held back longer ago than this is not told any more: the service did not run.
const STALE: Duration = Duration::from_secs(2 * 86_400);
/// So many names stand in what is told together.
const NAMES: i64 = 10;

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
        detail: String::new(),
    }
}

/// Raises an alert: it is always written down, and told unless nobody asked for it or there were many just before.
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
    let listeners = listeners(connection, config, alert.kind).await?;
    let id = house.new_id(alert.at);
    let mut mails = Vec::with_capacity(listeners.mail.len());
    let told = if listeners.is_nobody() {
        Told::Nobody
    } else if is_news(connection, house, config, alert).await? {
        for (to, language) in &listeners.mail {
            let letter = Letter::Alert {
                kind: alert.kind,
                at: alert.at,
                person: alert.username.clone(),
                serial: alert.serial.clone(),
                application: alert.application.clone(),
                address: alert.address.clone(),
                detail: alert.detail.clone(),
            };
            mails.push(mail(connection, house, config, (to, language), letter, alert.at).await?);
        }
        let body = json!({
            "type": "alert",
            "kind": alert.kind,
            "at": alert.at.rfc3339(),
            "tenant": config.tenant.code,
            "alert": id.to_string(),
            "username": alert.username,
            "serial": alert.serial,
            "application": alert.application,
            "address": alert.address,
            "correlation": alert.correlation.map(|id| id.to_string()),
            "detail": alert.detail,
        });
        call(connection, house, tenant, &listeners, (alert.kind, &body), alert.at).await?;
        Told::Mailed
    } else {
        Told::Withheld
    };
    alerts::insert(connection, tenant, &Written { id, alert: alert.clone(), told, mails }).await?;
    let mut event = Event::new(alert.at, tenant, Actor::System, Action::AlertRaised).on("alert", id);
    event.correlation = alert.correlation;
    let detail = json!({
        "kind": alert.kind,
        "told": told.id(),
        "recipients": listeners.mail.len(),
        "webhooks": listeners.hooks.len(),
    });
    house.record(connection, event.from_address(&alert.address).with(detail)).await
}

/// As [`raise`], for what the service itself notices, in a transaction of its own; wakes whoever sends mail.
///
/// # Errors
/// If the database fails.
pub async fn raise_alone(house: &House, config: &TenantConfig, alert: &Alert) -> storage::Result<()> {
    house.db.write(async |connection| raise(connection, house, config, alert).await).await?;
    house.mail_waits.notify_one();
    Ok(())
}

/// Who is told of a kind of alert.
struct Listeners {
    /// Addresses with the languages they are written to in, each once.
    mail: Vec<(String, String)>,
    hooks: Vec<crate::domain::ids::WebhookId>,
}

impl Listeners {
    fn is_nobody(&self) -> bool {
        self.mail.is_empty() && self.hooks.is_empty()
    }
}

async fn listeners(connection: &mut Connection, config: &TenantConfig, kind: Kind) -> storage::Result<Listeners> {
    let (tenant, settings) = (config.tenant.id, &config.settings.alerts);
    let standard = &config.tenant.default_language;
    let mut mail: Vec<(String, String)> =
        settings.told_of(kind).iter().map(|to| (to.to_string(), standard.clone())).collect();
    if settings.roles.values().any(|kinds| kinds.contains(&kind)) {
        for operator in operators::reached(tenant).ask(connection).await? {
            if settings.tells_role(config.role_name(operator.role), kind) {
                mail.push((operator.email, operator.language.unwrap_or_else(|| standard.clone())));
            }
        }
    }
    let mut seen = BTreeSet::new();
    mail.retain(|(to, _)| seen.insert(key_of(to)));
    let hooks = webhooks::all(tenant).ask(connection).await?;
    let hooks = hooks.into_iter().filter(|hook| hook.says.enabled && hook.says.kinds.contains(&kind));
    Ok(Listeners { mail, hooks: hooks.map(|hook| hook.id).collect() })
}

/// Puts a body on its way to every webhook that listens.
async fn call(
    connection: &mut Connection,
    house: &House,
    tenant: TenantId,
    listeners: &Listeners,
    (kind, body): (Kind, &serde_json::Value),
    now: Timestamp,
) -> storage::Result<()> {
    for hook in &listeners.hooks {
        let id: DeliveryId = house.new_id(now);
        webhooks::delivery_insertion(tenant, *hook, id, (kind.id(), body.to_string()), now).run(connection).await?;
    }
    Ok(())
}

/// Whether this alert deserves to be told by itself.
async fn is_news(
    connection: &mut Connection,
    house: &House,
    config: &TenantConfig,
    alert: &Alert,
) -> storage::Result<bool> {
    let tenant = config.tenant.id;
    let of = |whose: &[u8]| {
        let parts: [&[u8]; 4] = [b"alerts", &tenant.to_bytes(), alert.kind.id().as_bytes(), whose];
        text(&house.derived.throttle.of(&parts))
    };
    // Where it is about nobody, what is known tells one from another.
    let subject = if alert.username.is_empty() { &alert.detail } else { &alert.username };
    let person = of(subject.as_bytes());
    if throttle::hit(connection, tenant, &person, window_start(alert.at, QUIET)).await? > 1 {
        return Ok(false);
    }
    let hits = throttle::hit(connection, tenant, &of(b"\0everybody"), window_start(alert.at, GATHERED)).await?;
    Ok(hits <= i64::from(config.settings.alerts.most_per_hour))
}

async fn mail(
    connection: &mut Connection,
    house: &House,
    config: &TenantConfig,
    (to, language): (&str, &str),
    letter: Letter,
    now: Timestamp,
) -> storage::Result<MailId> {
    let envelope = Envelope {
        to: to.to_owned(),
        name: config.tenant.name.clone(),
        account: String::new(),
        language: language.to_owned(),
        tenant_code: config.tenant.code.to_string(),
        organization: config.tenant.name.clone(),
        help_contact: String::new(),
        letter,
    };
    house.post(connection, config.tenant.id, None, &envelope, now, now.plus(NOTICE)).await
}

/// Tells together what was held back in hours that are over: one mail and one call for each kind, however many there were. Says
/// how many alerts that were.
///
/// # Errors
/// If the database fails.
pub async fn gather(house: &House, now: Timestamp) -> storage::Result<u64> {
    let tenants = house.db.read(async |connection| audit_chain::tenants().ask(connection).await).await?;
    let (mut told, mut round) = (0, Round::default());
    for tenant in tenants {
        told += round.of(tenant, gather_of(house, tenant, now).await).unwrap_or(0);
    }
    if told > 0 {
        house.mail_waits.notify_one();
    }
    round.end(told)
}

async fn gather_of(house: &House, tenant: TenantId, now: Timestamp) -> storage::Result<u64> {
    let (from, before) = (now.minus(STALE), window_start(now, GATHERED));
    let held = house.db.read(async |connection| alerts::held_back(tenant, from, before).ask(connection).await).await?;
    if held.is_empty() {
        return Ok(0);
    }
    let found = house.db.read(async |connection| match tenants::code_of(tenant).ask(connection).await? {
        Some(code) => tenants::config(connection, &code).await,
        None => Ok(None),
    });
    let Some(config) = found.await? else { return Ok(0) };
    let mut told = 0;
    for held in held {
        told += house.db.write(async |connection| tell_together(connection, house, &config, &held, now).await).await?;
    }
    Ok(told)
}

async fn tell_together(
    connection: &mut Connection,
    house: &House,
    config: &TenantConfig,
    held: &HeldBack,
    now: Timestamp,
) -> storage::Result<u64> {
    let tenant = config.tenant.id;
    let people = alerts::people_of(tenant, held, NAMES).ask(connection).await?;
    // Whoever changes these rows tells of them: another instance changes none any more.
    let count = alerts::gathered(tenant, held).run(connection).await?;
    if count == 0 {
        return Ok(0);
    }
    let listeners = listeners(connection, config, held.kind).await?;
    for (to, language) in &listeners.mail {
        let letter = Letter::AlertsGathered {
            kind: held.kind,
            count,
            from: held.first,
            until: held.last,
            people: people.clone(),
        };
        mail(connection, house, config, (to, language), letter, now).await?;
    }
    let body = json!({
        "type": "alerts_gathered",
        "kind": held.kind,
        "at": now.rfc3339(),
        "tenant": config.tenant.code,
        "count": count,
        "from": held.first.rfc3339(),
        "until": held.last.rfc3339(),
        "usernames": people,
    });
    call(connection, house, tenant, &listeners, (held.kind, &body), now).await?;
    let event = Event::new(now, tenant, Actor::System, Action::AlertsGathered).on("tenant", tenant);
    house.record(connection, event.with(json!({ "kind": held.kind, "count": count }))).await?;
    Ok(count)
}
