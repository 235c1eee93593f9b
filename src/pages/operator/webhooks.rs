//! Webhooks: where alerts go, the secret that is shown once, a test, and what was sent.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::shell::{Shell, time, time_or_dash};
use super::users::id_of;
use super::{menu, sure};
use crate::domain::alert::Kind;
use crate::domain::ids::WebhookId;
use crate::domain::operator::{Deed, Module};
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::webhook::{Webhook, WebhookDraft};
use crate::flow::administration::configuration::{Saved, Unsaved};
use crate::flow::administration::webhooks as administration;
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, page};
use crate::storage::webhooks::{self, Delivery};

/// What is said after a change, also by the page of alerts.
pub(super) const DONE: [(&str, &str); 2] = [("saved", "Saved."), ("removed", "The webhook was removed.")];
/// How many deliveries a page has.
const ROWS: usize = 25;

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::Alerts.needs(deed);
    table.get("webhooks/new", needs(Deed::Add), new);
    table.post("webhooks/new", needs(Deed::Add), make);
    table.get("webhooks/{webhook}", needs(Deed::Access), show);
    table.post("webhooks/{webhook}", needs(Deed::Edit), change);
    table.post("webhooks/{webhook}/test", needs(Deed::Edit), test);
    table.post("webhooks/{webhook}/secret", needs(Deed::Edit), secret);
    table.post("webhooks/{webhook}/remove", needs(Deed::Delete), remove);
}

/// The state of a webhook in words.
pub(super) fn state(webhook: &Webhook) -> &'static str {
    match (webhook.says.enabled, webhook.disabled_at, webhook.failing_since) {
        (false, Some(_), _) => "switched off: it failed too long",
        (false, None, _) => "switched off",
        (true, _, Some(_)) => "fails",
        (true, _, None) => "works",
    }
}

/// How the state is coloured.
pub(super) fn class(webhook: &Webhook) -> &'static str {
    match (webhook.says.enabled, webhook.disabled_at, webhook.failing_since) {
        (true, _, None) => "good",
        (false, None, _) => "plain",
        _ => "bad",
    }
}

/// The last answer in words.
pub(super) fn last(webhook: &Webhook) -> String {
    webhook
        .last
        .as_ref()
        .map_or_else(|| "never called".to_owned(), |last| format!("{}: {}", time(last.at), last.words()))
}

struct Choice {
    id: &'static str,
    title: &'static str,
    chosen: bool,
}

struct DeliveryRow {
    at: String,
    kind: String,
    state: String,
    class: &'static str,
    tries: i64,
    answer: String,
}

#[derive(Template)]
#[template(path = "operator/webhook.html")]
struct WebhookPage {
    shell: Shell,
    /// Where it is saved; empty if it cannot be.
    save: String,
    /// Its own address; empty for a new one.
    address: String,
    typed: WebhookDraft,
    kinds: Vec<Choice>,
    version: i64,
    may_edit: bool,
    may_remove: bool,
    state: &'static str,
    class: &'static str,
    last: String,
    failing: String,
    made: Option<SecretString>,
    deliveries: Vec<DeliveryRow>,
    next: Option<String>,
}

impl WebhookPage {
    /// The secret, on the one page that shows it.
    fn shown(&self) -> &str {
        self.made.as_ref().map_or("", |made| made.expose_secret())
    }
}

fn choices(typed: &WebhookDraft) -> Vec<Choice> {
    let choice = |kind: Kind| Choice { id: kind.id(), title: kind.title(), chosen: typed.kinds.contains(&kind) };
    Kind::ALL.into_iter().map(choice).collect()
}

fn new_page(seat: &Seat, shell: Shell, typed: WebhookDraft) -> Answer {
    page::page(&WebhookPage {
        save: seat.path("webhooks/new"),
        address: String::new(),
        kinds: choices(&typed),
        typed,
        version: 0,
        may_edit: true,
        may_remove: false,
        state: "",
        class: "",
        last: String::new(),
        failing: String::new(),
        made: None,
        deliveries: Vec::new(),
        next: None,
        shell,
    })
}

async fn webhook_page(
    seat: &Seat,
    id: WebhookId,
    shell: impl FnOnce(&Webhook) -> Result<Shell, Fault>,
    typed: Option<(WebhookDraft, i64)>,
    made: Option<SecretString>,
    after: Option<&str>,
) -> Answer {
    let tenant = seat.call.realm.tenant();
    let after = after.map(|text| text.parse().map_err(|_| Fault::NotFound)).transpose()?;
    let most = i64::try_from(ROWS).unwrap_or(i64::MAX) + 1;
    let found = seat.call.site.house.db.look(async |connection| {
        let webhook = webhooks::with_id(tenant, id).ask(connection).await?;
        Ok((webhook, webhooks::of_webhook(tenant, id, after, most).ask(connection).await?))
    });
    let (webhook, mut deliveries) = found.await?;
    let webhook = webhook.ok_or(Fault::NotFound)?;
    let next = (deliveries.len() > ROWS).then(|| {
        deliveries.truncate(ROWS);
        deliveries.last().map(|last| last.id.to_string())
    });
    let shell = shell(&webhook)?;
    let address = seat.path(&format!("webhooks/{id}"));
    let may_edit = seat.may(Module::Alerts, Deed::Edit);
    let (typed, version) = typed.unwrap_or_else(|| (webhook.says.clone(), webhook.version));
    page::page(&WebhookPage {
        save: if may_edit { address.clone() } else { String::new() },
        address,
        kinds: choices(&typed),
        typed,
        version,
        may_edit,
        may_remove: seat.may(Module::Alerts, Deed::Delete),
        state: state(&webhook),
        class: class(&webhook),
        last: last(&webhook),
        failing: time_or_dash(webhook.failing_since),
        made,
        deliveries: deliveries.into_iter().map(row).collect(),
        next: next.flatten(),
        shell,
    })
}

fn row(delivery: Delivery) -> DeliveryRow {
    let answer = match (delivery.status, delivery.answer) {
        (Some(status), answer) if answer.is_empty() => format!("status {status}"),
        (Some(status), answer) => format!("status {status}: {answer}"),
        (None, answer) => answer,
    };
    DeliveryRow {
        at: time(delivery.created_at),
        kind: Kind::named(&delivery.kind).map_or(delivery.kind, |kind| kind.title().to_owned()),
        class: match delivery.state.as_str() {
            "delivered" => "good",
            "failed" => "bad",
            _ => "plain",
        },
        state: delivery.state,
        tries: delivery.tries,
        answer,
    }
}

fn titled(seat: &Seat, webhook: &Webhook) -> Shell {
    Shell::titled(seat, Module::Alerts, &format!("Webhook {}", webhook.says.name))
}

fn draft(form: &Form) -> WebhookDraft {
    WebhookDraft {
        name: form.text("name").to_owned(),
        url: form.text("url").to_owned(),
        kinds: form.all("kinds").filter_map(Kind::named).collect(),
        enabled: form.text("enabled") == "yes",
    }
}

fn version(form: &Form) -> i64 {
    form.text("version").parse().unwrap_or(-1)
}

/// `GET …/operator/webhooks/new`.
async fn new(seat: Seat) -> Answer {
    let typed = WebhookDraft { enabled: true, ..WebhookDraft::default() };
    new_page(&seat, Shell::titled(&seat, Module::Alerts, "New webhook"), typed)
}

/// `POST …/operator/webhooks/new`: the page that answers shows the secret; no other ever does.
async fn make(seat: Seat, form: Form) -> Answer {
    seat.check(&form)?;
    let typed = draft(&form);
    match administration::create(&seat.desk(), seat.call.realm.tenant(), &typed).await {
        Ok((id, secret)) => webhook_page(&seat, id, |it| Ok(titled(&seat, it)), None, Some(secret), None).await,
        Err(unsaved) => {
            let shell = Shell::titled(&seat, Module::Alerts, "New webhook").refusing(unsaved)?;
            new_page(&seat, shell, typed)
        }
    }
}

/// `GET …/operator/webhooks/{webhook}`.
async fn show(seat: Seat, path: web::Path<(String, String)>, request: HttpRequest) -> Answer {
    let id = id_of::<WebhookId>(path)?;
    let query = request.query_string();
    let after = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "after");
    let after = after.map(|(_, value)| value.into_owned()).filter(|after| !after.is_empty());
    let shell = |it: &Webhook| Ok(titled(&seat, it).with_done(query, &DONE));
    webhook_page(&seat, id, shell, None, None, after.as_deref()).await
}

/// `POST …/operator/webhooks/{webhook}`.
async fn change(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let (id, typed, version) = (id_of::<WebhookId>(path)?, draft(&form), version(&form));
    match administration::change(&seat.desk(), seat.call.realm.tenant(), (id, version), &typed).await {
        Ok(()) => Ok(page::see(&seat.path(&format!("webhooks/{id}?done=saved")))),
        Err(unsaved) => refused(&seat, id, unsaved, Some((typed, version))).await,
    }
}

async fn refused(seat: &Seat, id: WebhookId, unsaved: Unsaved, typed: Option<(WebhookDraft, i64)>) -> Answer {
    let mut unsaved = Some(unsaved);
    let shell = |it: &Webhook| match unsaved.take() {
        Some(unsaved) => titled(seat, it).refusing(unsaved),
        None => Ok(titled(seat, it)),
    };
    webhook_page(seat, id, shell, typed, None, None).await
}

/// `POST …/operator/webhooks/{webhook}/test`: sends a test at once and shows what is answered.
async fn test(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let id = id_of::<WebhookId>(path)?;
    let tried = administration::test(&seat.desk(), &seat.call.realm.config, id).await?.ok_or(Fault::NotFound)?;
    let shell = |it: &Webhook| {
        let shell = titled(&seat, it);
        Ok(if tried.is_good() {
            Shell { good: format!("The test arrived: {}.", tried.words()), ..shell }
        } else {
            shell.with_complaint(format!("The test did not arrive: {}.", tried.words()))
        })
    };
    webhook_page(&seat, id, shell, None, None, None).await
}

/// `POST …/operator/webhooks/{webhook}/secret`: a new secret, which the page that answers shows.
async fn secret(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let (id, version) = (id_of::<WebhookId>(path)?, version(&form));
    let made: Saved<SecretString> =
        administration::new_secret(&seat.desk(), seat.call.realm.tenant(), (id, version)).await;
    match made {
        Ok(secret) => webhook_page(&seat, id, |it| Ok(titled(&seat, it)), None, Some(secret), None).await,
        Err(unsaved) => refused(&seat, id, unsaved, None).await,
    }
}

/// `POST …/operator/webhooks/{webhook}/remove`.
async fn remove(seat: Seat, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let (id, version) = (id_of::<WebhookId>(path)?, version(&form));
    if !sure::said(&form) {
        let (house, tenant) = (&seat.call.site.house, seat.call.realm.tenant());
        let found = house.db.look(async |connection| webhooks::with_id(tenant, id).ask(connection).await);
        let webhook = found.await?.ok_or(Fault::NotFound)?;
        let lines = vec![
            format!("Nothing is sent to {} any more, and what waits to be sent there is not sent.", webhook.says.url),
            "The list of its calls and its secret are gone for good; made again, it has another secret.".to_owned(),
        ];
        let shell = Shell::titled(&seat, Module::Alerts, &format!("Remove the webhook {}?", webhook.says.name));
        let page = seat.path(&format!("webhooks/{id}"));
        return sure::ask(shell, &form, (lines, "Yes, remove"), (format!("{page}/remove"), page));
    }
    match administration::remove(&seat.desk(), seat.call.realm.tenant(), (id, version)).await {
        Ok(()) => {
            let alerts = seat.path(menu::page(Module::Alerts).unwrap_or_default());
            Ok(page::see(&format!("{alerts}?done=removed")))
        }
        Err(unsaved) => refused(&seat, id, unsaved, None).await,
    }
}
