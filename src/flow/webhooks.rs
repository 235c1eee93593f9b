//! Calls of webhooks: what waits in the database is sent, tried again with growing pauses, and given up in the end; a webhook
//! that fails too long is switched off, and operators hear of it by mail.

use serde_json::json;

use super::{House, Result, alerts, notices};
use crate::domain::alert::{Alert, Kind};
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::{TenantId, WebhookId};
use crate::domain::timestamp::Timestamp;
use crate::domain::webhook::{ANSWER_KEPT, MOST_TRIES, TOO_LONG, Tried, Webhook};
use crate::keys::sealing::Place;
use crate::keys::webhook as signature;
use crate::storage::webhooks::{self, Delivery};
use crate::storage::{self, Connection, tenants};

/// Deliveries that are taken at once.
const BATCH: i64 = 20;
/// The status by which a receiver says that it will never come back (RFC 9110 15.5.11).
const GONE: u16 = 410;

/// Sends what is due. Says how many deliveries arrived or were given up.
///
/// # Errors
/// If the database fails.
pub async fn round(house: &House) -> Result<usize> {
    let now = house.clock.now();
    let due = house.db.read(async |connection| webhooks::due(now, BATCH).ask(connection).await).await?;
    let sent = due.iter().map(|delivery| deliver(house, delivery));
    let mut done = 0;
    // At the same time: one receiver that does not answer keeps no other waiting.
    for outcome in futures_util::future::join_all(sent).await {
        done += usize::from(outcome?);
    }
    Ok(done)
}

/// Sends one delivery. Says whether that is over and done with.
async fn deliver(house: &House, delivery: &Delivery) -> Result<bool> {
    let (tenant, id) = (delivery.tenant, delivery.webhook);
    let again = house.clock.now().plus(notices::pause(delivery.tries));
    let taken = house.db.write(async |connection| {
        if !webhooks::take(connection, delivery, again).await? {
            return Ok(None);
        }
        webhooks::with_id(tenant, id).ask(connection).await
    });
    let Some(webhook) = taken.await? else { return Ok(false) };
    if !webhook.says.enabled {
        let why = "the webhook is switched off";
        let now = house.clock.now();
        house.db.write(async |connection| webhooks::given_up(tenant, id, why, now).run(connection).await).await?;
        return Ok(true);
    }
    let tried = call(house, tenant, &webhook, &delivery.id.to_string(), &delivery.body).await?;
    let last = delivery.tries + 1 >= MOST_TRIES || tried.status == Some(GONE);
    let state = if tried.is_good() {
        "delivered"
    } else if last {
        "failed"
    } else {
        "waiting"
    };
    let off = house.db.write(async |connection| {
        webhooks::answered(delivery, state, &tried).run(connection).await?;
        webhooks::tried(tenant, id, &tried).run(connection).await?;
        if state == "failed" { switch_off(connection, house, (tenant, &webhook), &tried).await } else { Ok(false) }
    });
    if off.await? {
        house.forget_realms();
        house.mail_waits.notify_one();
    }
    if state != "delivered" {
        tracing::warn!(
            webhook = webhook.says.name,
            answer = tried.words(),
            state,
            "a webhook does not answer as it should"
        );
    }
    Ok(state != "waiting")
}

/// Calls a webhook once, signed, and says what came of it.
///
/// # Errors
/// If the database fails.
pub async fn call(house: &House, tenant: TenantId, webhook: &Webhook, id: &str, body: &str) -> Result<Tried> {
    let sealed = house.db.read(async |connection| webhooks::secret(tenant, webhook.id).ask(connection).await).await?;
    let now = house.clock.now();
    let Some(sealed) = sealed else { return Ok(Tried::new(now, None, "the webhook was removed")) };
    // It ends like a receiver that does not answer: tried for ever, it would end every round with an error.
    let secret = match house.sealer.open(place(tenant, webhook.id), &sealed) {
        Ok(secret) => secret,
        Err(error) => return Ok(Tried::new(now, None, &format!("its secret does not open: {error}"))),
    };
    let mut headers = signature::headers(&secret, id, now, body).to_vec();
    headers.push(("content-type", "application/json".to_owned()));
    let answer = house.egress.send(&webhook.says.url, &headers, body.to_owned(), 4 * ANSWER_KEPT).await;
    let now = house.clock.now();
    Ok(match answer {
        Ok(answer) => Tried::new(now, Some(answer.status), &answer.text),
        Err(error) => Tried::new(now, None, &error.to_string()),
    })
}

/// Where the secret of a webhook is sealed for.
pub(super) const fn place(tenant: TenantId, id: WebhookId) -> Place {
    Place::new(tenant, "webhook", "secret_sealed", id)
}

/// Switches a webhook off that has not answered well for too long, or says that it is gone. Says whether it did.
async fn switch_off(
    connection: &mut Connection,
    house: &House,
    (tenant, webhook): (TenantId, &Webhook),
    tried: &Tried,
) -> storage::Result<bool> {
    let now: Timestamp = tried.at;
    let since = if tried.status == Some(GONE) { now } else { now.minus(TOO_LONG) };
    if webhooks::disabled(tenant, webhook.id, since, now).run(connection).await? != 1 {
        return Ok(false);
    }
    webhooks::given_up(tenant, webhook.id, "the webhook was switched off", now).run(connection).await?;
    let event = Event::new(now, tenant, Actor::System, Action::WebhookDisabled).on("webhook", webhook.id);
    let detail = json!({ "name": webhook.says.name, "answer": tried.words() });
    house.record(connection, event.with(detail)).await?;
    let Some(code) = tenants::code_of(tenant).ask(connection).await? else { return Ok(true) };
    let Some(config) = tenants::config(connection, &code).await? else { return Ok(true) };
    let words = format!("{}: {}", webhook.says.name, tried.words());
    alerts::raise(connection, house, &config, &Alert::of_the_service(Kind::WebhookDisabled, now, words)).await?;
    Ok(true)
}
