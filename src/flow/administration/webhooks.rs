//! Webhooks as operators make and change them: the secret is shown once and is sealed at rest.

use serde_json::{Value, json};

use super::Desk;
use super::configuration::{Saved, Unsaved};
use crate::domain::audit::Action;
use crate::domain::fault::Fault;
use crate::domain::ids::{TenantId, WebhookId};
use crate::domain::secret::SecretString;
use crate::domain::tenant::TenantConfig;
use crate::domain::webhook::{MOST, Tried, Webhook, WebhookDraft};
use crate::flow::{self, webhooks as calls};
use crate::keys::webhook as signature;
use crate::storage::{self, Connection, webhooks};

/// What was typed, as it is stored.
fn checked(desk: &Desk<'_>, draft: &WebhookDraft) -> Saved<WebhookDraft> {
    let checked = draft.check();
    // Everything that is wrong is told at once: the address is looked at by the rules of calls, too.
    let refused = desk
        .house
        .egress
        .check(draft.url.trim())
        .err()
        .map(|error| Fault::new("url", format!("cannot be called: {error}")));
    match (checked, refused) {
        (Ok(checked), None) => Ok(checked),
        (Ok(_), Some(fault)) => Err(Unsaved::Wrong(vec![fault])),
        (Err(faults), refused) => {
            let twice = faults.iter().any(|fault| fault.key == "url");
            Err(Unsaved::Wrong(faults.into_iter().chain(refused.filter(|_| !twice)).collect()))
        }
    }
}

fn taken<T>(result: storage::Result<Saved<T>>, draft: &WebhookDraft) -> Saved<T> {
    match result {
        Err(error) if error.is_duplicate() => {
            Err(Fault::new("name", format!("\"{}\" is another webhook's", draft.name)).into())
        }
        other => other?,
    }
}

/// Makes a webhook. Gives its identifier, and the secret that is shown once.
///
/// # Errors
/// [`Unsaved`]; then nothing was stored.
pub async fn create(desk: &Desk<'_>, tenant: TenantId, draft: &WebhookDraft) -> Saved<(WebhookId, SecretString)> {
    let says = checked(desk, draft)?;
    let (house, id) = (desk.house, desk.house.entropy.id());
    let secret = signature::new_secret(&house.entropy);
    let sealed = house.sealer.seal(calls::place(tenant, id), &secret);
    let made = house.db.write(async |connection| {
        if webhooks::all(tenant).ask(connection).await?.len() >= MOST {
            return Ok(Err(Unsaved::Never("there are 20 webhooks already")));
        }
        webhooks::insertion(tenant, id, &says, sealed.clone(), desk.now).run(connection).await?;
        record(
            desk,
            connection,
            tenant,
            Action::WebhookCreated,
            id,
            json!({ "name": says.name, "old": null, "new": says }),
        )
        .await?;
        Ok(Ok(()))
    });
    taken(made.await, &says)?;
    Ok((id, signature::shown(&secret)))
}

/// Changes a webhook that is still of `version`.
///
/// # Errors
/// [`Unsaved`]; then nothing was stored.
pub async fn change(
    desk: &Desk<'_>,
    tenant: TenantId,
    (id, version): (WebhookId, i64),
    draft: &WebhookDraft,
) -> Saved<()> {
    let says = checked(desk, draft)?;
    let changed = desk.house.db.write(async |connection| {
        let Some(before) = webhooks::with_id(tenant, id).ask(connection).await? else { return Ok(Err(Unsaved::Gone)) };
        if webhooks::change(tenant, (id, version), &says, desk.now).run(connection).await? != 1 {
            return Ok(Err(Unsaved::ChangedMeanwhile));
        }
        let detail = json!({ "name": says.name, "old": before.says, "new": says });
        record(desk, connection, tenant, Action::WebhookChanged, id, detail).await?;
        Ok(Ok(()))
    });
    taken(changed.await, &says)
}

/// Gives a webhook another secret, which is shown once; the one before signs nothing any more.
///
/// # Errors
/// [`Unsaved`]; then nothing was stored.
pub async fn new_secret(desk: &Desk<'_>, tenant: TenantId, (id, version): (WebhookId, i64)) -> Saved<SecretString> {
    let house = desk.house;
    let secret = signature::new_secret(&house.entropy);
    let sealed = house.sealer.seal(calls::place(tenant, id), &secret);
    let changed = house.db.write(async |connection| {
        let Some(before) = webhooks::with_id(tenant, id).ask(connection).await? else { return Ok(Err(Unsaved::Gone)) };
        if webhooks::secret_changed(tenant, (id, version), sealed.clone(), desk.now).run(connection).await? != 1 {
            return Ok(Err(Unsaved::ChangedMeanwhile));
        }
        let detail = json!({ "name": before.says.name, "secret_changed": true });
        record(desk, connection, tenant, Action::WebhookChanged, id, detail).await?;
        Ok(Ok(()))
    });
    changed.await??;
    Ok(signature::shown(&secret))
}

/// Removes a webhook that is still of `version`, with what waits for it.
///
/// # Errors
/// [`Unsaved`]; then nothing was removed.
pub async fn remove(desk: &Desk<'_>, tenant: TenantId, (id, version): (WebhookId, i64)) -> Saved<()> {
    let removed = desk.house.db.write(async |connection| {
        let Some(before) = webhooks::with_id(tenant, id).ask(connection).await? else { return Ok(Err(Unsaved::Gone)) };
        if !webhooks::remove(connection, tenant, (id, version)).await? {
            return Ok(Err(Unsaved::ChangedMeanwhile));
        }
        let detail = json!({ "name": before.says.name, "old": before.says, "new": null });
        record(desk, connection, tenant, Action::WebhookRemoved, id, detail).await?;
        Ok(Ok(()))
    });
    removed.await?
}

/// Sends a test to a webhook at once, also to one that is switched off, and says what it answers. `None` if there is none.
///
/// # Errors
/// If the database fails, or the secret does not open.
pub async fn test(desk: &Desk<'_>, config: &TenantConfig, id: WebhookId) -> flow::Result<Option<Tried>> {
    let (house, tenant) = (desk.house, config.tenant.id);
    let found: Option<Webhook> =
        house.db.look(async |connection| webhooks::with_id(tenant, id).ask(connection).await).await?;
    let Some(webhook) = found else { return Ok(None) };
    let body =
        json!({ "type": "test", "at": desk.now.rfc3339(), "tenant": config.tenant.code, "webhook": id.to_string() });
    let call: crate::domain::ids::DeliveryId = house.new_id(desk.now);
    let tried = calls::call(house, tenant, &webhook, &call.to_string(), &body.to_string()).await?;
    let detail = json!({ "name": webhook.says.name, "url": webhook.says.url, "answer": tried.words() });
    house
        .db
        .write(async |connection| {
            // A test that fails does not count as a failure, and one that arrives ends a row of them.
            if tried.is_good() {
                webhooks::tried(tenant, id, &tried).run(connection).await?;
            }
            record(desk, connection, tenant, Action::WebhookTested, id, detail.clone()).await
        })
        .await?;
    Ok(Some(tried))
}

async fn record(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    action: Action,
    id: WebhookId,
    detail: Value,
) -> storage::Result<()> {
    desk.record(connection, tenant, action, ("webhook", id.to_string()), detail).await
}
