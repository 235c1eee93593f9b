//! Webhooks: programs that are called with a signed body when there is an alert.

use actix_web::HttpRequest;
use actix_web::http::Method;
use serde::Serialize;

use super::io::{Body, Named, Page, Paging, Query, created, done, if_match, ok, versioned};
use super::operators::time;
use super::problem::Problem;
use super::{Answer, Api};
use crate::domain::alert::Kind;
use crate::domain::ids::{DeliveryId, WebhookId};
use crate::domain::operator::{Deed, Module};
use crate::domain::secret::ExposeSecret as _;
use crate::domain::webhook::{Tried, Webhook, WebhookDraft};
use crate::flow::administration::webhooks as administration;
use crate::http::guard::Program;
use crate::storage::webhooks::{self, Delivery};

/// A webhook.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "Webhook")]
struct WebhookView {
    /// Its identifier.
    id: String,
    /// What it is called.
    name: String,
    /// Where it is.
    url: String,
    /// What it hears of.
    kinds: Vec<Kind>,
    /// Whether it is called at all.
    enabled: bool,
    /// When it was made.
    created_at: String,
    /// The first failure after the last success.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing_since: Option<String>,
    /// When it was switched off because it failed too long.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<String>,
    /// What came of the last call.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<TriedView>,
}

/// What came of a call.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "WebhookCall")]
struct TriedView {
    /// When.
    at: String,
    /// Whether the status of the answer was one of 200 to 299.
    arrived: bool,
    /// The status of the answer, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// The beginning of what it said, or why there was none.
    answer: String,
}

/// The secret of a webhook, which is shown only now.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "WebhookSecret")]
struct Made {
    /// The identifier of the webhook.
    id: String,
    /// The secret that calls are signed with.
    secret: String,
}

/// Something that was sent, or is on its way.
#[derive(Debug, Serialize, schemars::JsonSchema)]
#[schemars(rename = "WebhookDelivery")]
struct DeliveryView {
    /// Its identifier, the `webhook-id` of every try.
    id: String,
    /// The kind of alert.
    kind: String,
    /// When it was put in.
    created_at: String,
    /// `waiting`, `delivered` or `failed`.
    state: String,
    /// How often it was tried.
    tries: i64,
    /// When it is tried next, if it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_try_at: Option<String>,
    /// The status of the last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// What it said, or why there was none.
    answer: String,
}

/// Registers the routes.
pub fn routes(api: &mut Api) {
    let needs = |deed| Module::Alerts.needs(deed);
    api.get("webhooks", needs(Deed::Access), "All webhooks, by name", list).gives::<Page<WebhookView>>(200);
    api.route(Method::POST, "webhooks", needs(Deed::Add), "Make a webhook", make)
        .takes::<WebhookDraft>()
        .gives::<Made>(201);
    api.get("webhooks/{webhook}", needs(Deed::Access), "A webhook", show).gives::<WebhookView>(200).versioned();
    api.route(Method::PUT, "webhooks/{webhook}", needs(Deed::Edit), "Change a webhook", put)
        .takes::<WebhookDraft>()
        .gives::<WebhookView>(200)
        .versioned();
    api.route(Method::DELETE, "webhooks/{webhook}", needs(Deed::Delete), "Remove a webhook", remove)
        .gives_nothing()
        .versioned();
    api.route(Method::POST, "webhooks/{webhook}/test", needs(Deed::Edit), "Send a test now", test)
        .gives::<TriedView>(200);
    api.route(
        Method::POST,
        "webhooks/{webhook}/secret",
        needs(Deed::Edit),
        "Give a webhook a new secret; the one before signs nothing any more",
        secret,
    )
    .gives::<Made>(200)
    .versioned();
    api.get("webhooks/{webhook}/deliveries", needs(Deed::Access), "What was sent, the newest first", deliveries)
        .query::<Paging>()
        .gives::<Page<DeliveryView>>(200);
}

fn tried(tried: &Tried) -> TriedView {
    TriedView { at: tried.at.rfc3339(), arrived: tried.is_good(), status: tried.status, answer: tried.answer.clone() }
}

fn view(webhook: &Webhook) -> WebhookView {
    WebhookView {
        id: webhook.id.to_string(),
        name: webhook.says.name.clone(),
        url: webhook.says.url.clone(),
        kinds: webhook.says.kinds.clone(),
        enabled: webhook.says.enabled,
        created_at: webhook.created_at.rfc3339(),
        failing_since: time(webhook.failing_since),
        disabled_at: time(webhook.disabled_at),
        last: webhook.last.as_ref().map(tried),
    }
}

async fn found(program: &Program, id: WebhookId) -> Result<Webhook, Problem> {
    let tenant = program.call.realm.tenant();
    let read = program.call.site.house.db.look(async |connection| webhooks::with_id(tenant, id).ask(connection).await);
    read.await?.ok_or_else(Problem::not_found)
}

async fn list(program: Program) -> Answer {
    let tenant = program.call.realm.tenant();
    let read = program.call.site.house.db.look(async |connection| webhooks::all(tenant).ask(connection).await);
    Ok(ok(&Page { items: read.await?.iter().map(view).collect(), next: None }))
}

async fn make(program: Program, Body(draft): Body<WebhookDraft>) -> Answer {
    let (id, secret) = administration::create(&program.desk(), program.call.realm.tenant(), &draft).await?;
    Ok(created(&Made { id: id.to_string(), secret: secret.expose_secret().to_owned() }))
}

async fn show(program: Program, Named(id): Named<WebhookId>) -> Answer {
    let webhook = found(&program, id).await?;
    Ok(versioned(webhook.version, &view(&webhook)))
}

async fn put(
    program: Program,
    request: HttpRequest,
    Named(id): Named<WebhookId>,
    Body(draft): Body<WebhookDraft>,
) -> Answer {
    let version = if_match(&request)?;
    administration::change(&program.desk(), program.call.realm.tenant(), (id, version), &draft).await?;
    let webhook = found(&program, id).await?;
    Ok(versioned(webhook.version, &view(&webhook)))
}

async fn remove(program: Program, request: HttpRequest, Named(id): Named<WebhookId>) -> Answer {
    let version = if_match(&request)?;
    administration::remove(&program.desk(), program.call.realm.tenant(), (id, version)).await?;
    Ok(done())
}

async fn test(program: Program, Named(id): Named<WebhookId>) -> Answer {
    let sent = administration::test(&program.desk(), &program.call.realm.config, id).await?;
    Ok(ok(&tried(&sent.ok_or_else(Problem::not_found)?)))
}

async fn secret(program: Program, request: HttpRequest, Named(id): Named<WebhookId>) -> Answer {
    let version = if_match(&request)?;
    let secret = administration::new_secret(&program.desk(), program.call.realm.tenant(), (id, version)).await?;
    Ok(ok(&Made { id: id.to_string(), secret: secret.expose_secret().to_owned() }))
}

async fn deliveries(program: Program, Named(id): Named<WebhookId>, Query(paging): Query<Paging>) -> Answer {
    let (tenant, limit) = (program.call.realm.tenant(), usize::from(paging.limit()?));
    let after = match &paging.after {
        None => None,
        Some(text) => {
            let wrong = |_| Problem::new(400, "malformed", "after is no place that a page gave");
            Some(text.parse::<DeliveryId>().map_err(wrong)?)
        }
    };
    found(&program, id).await?;
    let most = i64::try_from(limit).unwrap_or(i64::MAX) + 1;
    let read = program
        .call
        .site
        .house
        .db
        .look(async |connection| webhooks::of_webhook(tenant, id, after, most).ask(connection).await);
    let mut sent: Vec<Delivery> = read.await?;
    let more = sent.len() > limit;
    sent.truncate(limit);
    let next = sent.last().filter(|_| more).map(|last| last.id.to_string());
    let view = |delivery: Delivery| DeliveryView {
        id: delivery.id.to_string(),
        kind: delivery.kind,
        created_at: delivery.created_at.rfc3339(),
        next_try_at: time((delivery.state == "waiting").then_some(delivery.next_try_at)),
        state: delivery.state,
        tries: delivery.tries,
        status: delivery.status,
        answer: delivery.answer,
    };
    Ok(ok(&Page { items: sent.into_iter().map(view).collect(), next }))
}
