//! Keys to the management API (A10): made and shown once, listed, revoked.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::shell::{FieldFault, Shell, time, time_or_dash};
use super::{kept, sure};
use crate::domain::ids::ApiKeyId;
use crate::domain::operator::{Deed, Module, Role};
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::timestamp::Timestamp;
use crate::flow::administration::operators::{self, KeyDraft};
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, page};
use crate::storage::operators::{self as stored, ApiKey};

const PAGE: &str = "api-keys";
const DONE: [(&str, &str); 1] = [("revoked", "The key was revoked. It opens nothing any more.")];
/// How many days a key may live.
const LONGEST_DAYS: u64 = 3650;

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = |deed| Module::ApiKeys.needs(deed);
    table.get("api-keys", needs(Deed::Access), show);
    table.post("api-keys", needs(Deed::Add), make);
    table.post("api-keys/{key}/revoke", needs(Deed::Delete), revoke);
}

struct KeyEntry {
    id: ApiKeyId,
    name: String,
    role: String,
    made: String,
    used: String,
    ends: String,
    works: bool,
    state: &'static str,
}

#[derive(Template)]
#[template(path = "operator/api_keys.html")]
struct KeysPage {
    shell: Shell,
    keys: Vec<KeyEntry>,
    roles: Vec<(String, String)>,
    may_add: bool,
    may_revoke: bool,
    /// The key that was made a moment ago, shown this once.
    made: Option<SecretString>,
    typed: Typed,
    /// The base address of the API.
    api: String,
}

impl KeysPage {
    /// The text of the key that is shown this once.
    fn shown(&self) -> &str {
        self.made.as_ref().map_or("", |key| key.expose_secret())
    }
}

/// What was typed.
#[derive(Default)]
struct Typed {
    name: String,
    days: String,
    role: String,
}

fn entry(seat: &Seat, key: &ApiKey) -> KeyEntry {
    let now = seat.call.visit.now;
    let role = seat.call.realm.config.role_name(key.role);
    KeyEntry {
        id: key.id,
        name: key.name.clone(),
        role: if role.is_empty() { "a role that was removed".to_owned() } else { role.to_owned() },
        made: format!("{} by {}", time(key.created_at), key.created_by),
        used: time_or_dash(key.last_used_at),
        ends: time_or_dash(key.expires_at),
        works: key.works(now),
        state: match (key.revoked_at, key.works(now)) {
            (Some(_), _) => "revoked",
            (None, false) => "expired",
            (None, true) => "works",
        },
    }
}

async fn keys_page(seat: &Seat, shell: Shell, made: Option<SecretString>, typed: Typed) -> Answer {
    let (config, tenant) = (&seat.call.realm.config, seat.call.realm.tenant());
    let keys = seat.call.site.house.db.look(async |connection| stored::keys(connection, tenant).await).await?;
    let own = config.roles.iter().map(|role| Role::Own(role.id));
    let mine = |role: &Role| config.permissions(*role).is_some_and(|its| its.within(&seat.seated.permissions));
    let roles = Role::BUILT_IN.into_iter().chain(own).filter(mine);
    page::page(&KeysPage {
        keys: keys.iter().map(|key| entry(seat, key)).collect(),
        roles: roles.map(|role| (role.to_string(), config.role_name(role).to_owned())).collect(),
        may_add: seat.may(Module::ApiKeys, Deed::Add),
        may_revoke: seat.may(Module::ApiKeys, Deed::Delete),
        api: format!("{}/api/management/v1", seat.call.site.urls.base(seat.call.realm.code())),
        made,
        typed,
        shell,
    })
}

/// `GET …/operator/api-keys`.
async fn show(seat: Seat, request: HttpRequest) -> Answer {
    let shell = Shell::of(&seat, Module::ApiKeys).with_done(request.query_string(), &DONE);
    let Some(form) = kept::form_of(&seat, &request) else {
        return keys_page(&seat, shell, None, Typed::default()).await;
    };
    keys_page(&seat, kept::told(shell, Some(&form)), None, typed(&form)).await
}

/// What a form says.
fn typed(form: &Form) -> Typed {
    Typed {
        name: form.text("name").trim().chars().take(100).collect(),
        days: form.text("days").trim().to_owned(),
        role: form.text("role").to_owned(),
    }
}

/// The day on which a key ends; `None` for never.
fn ends(days: &str, now: Timestamp) -> Result<Option<Timestamp>, FieldFault> {
    if days.is_empty() {
        return Ok(None);
    }
    let days = days.parse::<u64>().ok().filter(|days| (1..=LONGEST_DAYS).contains(days));
    let wrong = || FieldFault::new("days", format!("A whole number from 1 to {LONGEST_DAYS}, or nothing."));
    days.map(|days| Some(now.plus(std::time::Duration::from_secs(days * 86_400)))).ok_or_else(wrong)
}

/// `POST …/operator/api-keys`: makes a key. The page that answers shows it; no other ever does.
async fn make(seat: Seat, request: HttpRequest, form: Form) -> Answer {
    seat.check(&form)?;
    if let Some(first) = kept::step_up_with(&seat, &request, PAGE, (&form, &["name", "days", "role"][..])).await? {
        return Ok(first);
    }
    let typed = typed(&form);
    let name = typed.name.clone();
    let shell = Shell::of(&seat, Module::ApiKeys);
    let mut faults = Vec::new();
    if name.is_empty() {
        faults.push(FieldFault::new("name", "Say what the key is for."));
    }
    let expires_at = ends(&typed.days, seat.call.visit.now).unwrap_or_else(|fault| {
        faults.push(fault);
        None
    });
    let role = form.text("role").parse::<Role>().map_err(|_| Fault::NotFound)?;
    if !faults.is_empty() {
        return keys_page(&seat, shell.with_faults(faults), None, typed).await;
    }
    let draft = KeyDraft { name, role, expires_at, made_by: seat.seated.operator.username.clone() };
    let (desk, tenant, held) = (seat.desk(), seat.call.realm.tenant(), &seat.seated.permissions);
    let work = async |connection: &mut crate::storage::Connection| {
        operators::make_key(&desk, connection, tenant, held, &draft).await
    };
    match desk.house.db.write(work).await? {
        Ok((shown, _)) => keys_page(&seat, shell, Some(shown), Typed::default()).await,
        Err(refused) => keys_page(&seat, shell.with_complaint(format!("{refused}.")), None, typed).await,
    }
}

/// The page that asks before a key that works is revoked.
fn ask_first(seat: &Seat, key: &ApiKey, form: &Form) -> Answer {
    let used = match key.last_used_at {
        Some(at) => format!("It was last used on {}.", time(at)),
        None => "It was never used.".to_owned(),
    };
    let stops = "The program that uses it is refused from then on, and a key that was revoked never works again.";
    let shell = Shell::titled(seat, Module::ApiKeys, &format!("Revoke the key {}?", key.name));
    let places = (seat.path(&format!("{PAGE}/{}/revoke", key.id)), seat.path(PAGE));
    sure::ask(shell, form, (vec![used, stops.to_owned()], "Yes, revoke"), places)
}

/// `POST …/operator/api-keys/{key}/revoke`.
async fn revoke(seat: Seat, path: web::Path<(String, ApiKeyId)>, form: Form) -> Answer {
    seat.check(&form)?;
    let id = path.into_inner().1;
    let (desk, tenant, held) = (seat.desk(), seat.call.realm.tenant(), &seat.seated.permissions);
    if !sure::said(&form) {
        let look =
            async |connection: &mut crate::storage::Connection| stored::key_with_id(connection, tenant, id).await;
        let key = desk.house.db.look(look).await?;
        if let Some(key) = key.filter(|key| key.works(desk.now)) {
            return ask_first(&seat, &key, &form);
        }
    }
    let work = async |connection: &mut crate::storage::Connection| {
        operators::revoke_key(&desk, connection, tenant, held, id).await
    };
    match desk.house.db.write(work).await? {
        Ok(()) => Ok(page::see(&format!("{}?done=revoked", seat.path(PAGE)))),
        Err(refused) => {
            let shell = Shell::of(&seat, Module::ApiKeys).with_complaint(format!("Nothing was changed: {refused}."));
            keys_page(&seat, shell, None, Typed::default()).await
        }
    }
}
