//! Exports of tokens with their secrets: one operator asks, another approves, and the first takes the encrypted file, once.
//! Each of the three wants a fresh passcode.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde_json::{Value, json};

use super::jobs::protection;
use super::shell::{FieldFault, Shell, time};
use super::step_up;
use super::users::id_of;
use crate::domain::authenticator::lifecycle::{Kind, State};
use crate::domain::ids::TokenExportId;
use crate::domain::operator::{Deed, Module};
use crate::flow::administration::token_exports;
use crate::http::guard::{Seat, Table};
use crate::http::{Answer, Fault, Form, handout, page};
use crate::storage::Connection;
use crate::storage::token_exports::{Export, newest};

const PAGE: &str = "tokens/exports";
/// So many requests are on the page.
const SHOWN: u32 = 50;
const DONE: [(&str, &str); 2] = [
    ("asked", "It was asked for. Another operator must approve it within a day."),
    ("approved", "It was approved. Whoever asked for it has an hour to take the file."),
];

/// Registers the routes.
pub fn routes(table: &mut Table) {
    let needs = Module::Tokens.needs(Deed::Export);
    table.get(PAGE, needs, show);
    table.post(PAGE, needs, ask);
    table.post("tokens/exports/{export}/approve", needs, approve);
    table.post("tokens/exports/{export}/file", needs, file);
}

/// A request as the page shows it.
struct Entry {
    id: TokenExportId,
    scope: String,
    asked_by: String,
    asked_at: String,
    approved_by: String,
    state: &'static str,
    may_approve: bool,
    may_take: bool,
}

fn entry(export: &Export, seat: &Seat) -> Entry {
    let (now, me) = (seat.call.visit.now, seat.seated.operator.username.trim().to_lowercase());
    let (over, mine) = (export.expires_at <= now, export.asked_by == me);
    let state = match export {
        Export { used_at: Some(_), .. } => "taken",
        _ if over => "its time is over",
        Export { approved_by: Some(_), .. } => "approved",
        Export { .. } => "waits for another operator",
    };
    let open = export.used_at.is_none() && !over;
    let named = |key: &str| {
        let value = export.scope.get(key).and_then(Value::as_str).filter(|value| !value.is_empty())?;
        Some(format!("{key} {value}"))
    };
    let parts: Vec<String> = ["state", "kind", "serial", "user"].into_iter().filter_map(named).collect();
    Entry {
        id: export.id,
        scope: if parts.is_empty() { "all".to_owned() } else { parts.join(", ") },
        asked_by: export.asked_by.clone(),
        asked_at: time(export.asked_at),
        approved_by: export.approved_by.clone().unwrap_or_else(|| "–".to_owned()),
        state,
        may_approve: open && !mine && export.approved_by.is_none(),
        may_take: open && mine && export.approved_by.is_some(),
    }
}

/// What was typed into the form.
#[derive(Default)]
struct Typed {
    state: String,
    kind: String,
    serial: String,
    user: String,
}

#[derive(Template)]
#[template(path = "operator/token_exports.html")]
struct ExportsPage {
    shell: Shell,
    typed: Typed,
    states: Vec<&'static str>,
    kinds: Vec<&'static str>,
    exports: Vec<Entry>,
}

async fn exports_page(seat: &Seat, shell: Shell, typed: Typed) -> Answer {
    let tenant = seat.call.realm.tenant();
    let question = async |connection: &mut Connection| newest(tenant, SHOWN).ask(connection).await;
    let found = seat.call.site.house.db.look(question).await?;
    page::page(&ExportsPage {
        shell,
        typed,
        states: State::ALL.map(State::id).into(),
        // The secret of an app never leaves its device.
        kinds: vec![Kind::OathApp.id(), Kind::Oath.id()],
        exports: found.iter().map(|export| entry(export, seat)).collect(),
    })
}

fn shell(seat: &Seat) -> Shell {
    Shell::titled(seat, Module::Tokens, "Export tokens with their secrets")
}

/// `GET …/operator/tokens/exports`.
async fn show(seat: Seat, request: HttpRequest) -> Answer {
    let shell = shell(&seat).with_done(request.query_string(), &DONE);
    exports_page(&seat, shell, Typed::default()).await
}

/// `POST …/operator/tokens/exports`: asks for one.
async fn ask(seat: Seat, request: HttpRequest, form: Form) -> Answer {
    seat.check(&form)?;
    if let Some(first) = step_up(&seat, &request, PAGE).await? {
        return Ok(first);
    }
    let text = |name: &str| form.text(name).trim().chars().take(200).collect::<String>();
    let typed = Typed { state: text("state"), kind: text("kind"), serial: text("serial"), user: text("user") };
    let some = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let scope = json!({ "state": some(&typed.state), "kind": some(&typed.kind), "serial": some(&typed.serial),
        "user": some(&typed.user) });
    let (house, tenant) = (&seat.call.site.house, seat.call.realm.tenant());
    match handout::movable(house, tenant, &scope).await {
        Ok(0) => {
            let words = "None of these tokens has a secret that can be exported; those of our apps have none.";
            let shell = shell(&seat).with_faults(vec![FieldFault::new("serial", words.to_owned())]);
            return exports_page(&seat, shell, typed).await;
        }
        Ok(_) => {}
        Err(handout::Fault::Storage(error)) => return Err(error.into()),
        Err(error) => {
            let shell = shell(&seat).with_complaint(format!("{error}."));
            return exports_page(&seat, shell, typed).await;
        }
    }
    let desk = seat.desk();
    let work = async |connection: &mut Connection| token_exports::ask(&desk, connection, tenant, &scope).await;
    match house.db.write(work).await? {
        Ok(_) => Ok(page::see(&format!("{}?done=asked", seat.path(PAGE)))),
        Err(refusal) => exports_page(&seat, shell(&seat).with_complaint(format!("{refusal}.")), typed).await,
    }
}

/// `POST …/operator/tokens/exports/{export}/approve`: by another operator than who asked.
async fn approve(seat: Seat, request: HttpRequest, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let id: TokenExportId = id_of(path)?;
    if let Some(first) = step_up(&seat, &request, PAGE).await? {
        return Ok(first);
    }
    let (desk, tenant) = (seat.desk(), seat.call.realm.tenant());
    let work = async |connection: &mut Connection| token_exports::approve(&desk, connection, tenant, id).await;
    match desk.house.db.write(work).await? {
        Ok(_) => Ok(page::see(&format!("{}?done=approved", seat.path(PAGE)))),
        Err(refusal) => exports_page(&seat, shell(&seat).with_complaint(format!("{refusal}.")), Typed::default()).await,
    }
}

/// `POST …/operator/tokens/exports/{export}/file`: the encrypted container, once, for who asked.
async fn file(seat: Seat, request: HttpRequest, path: web::Path<(String, String)>, form: Form) -> Answer {
    seat.check(&form)?;
    let id: TokenExportId = id_of(path)?;
    if let Some(first) = step_up(&seat, &request, PAGE).await? {
        return Ok(first);
    }
    let protection = match protection(&form) {
        Ok(Some(protection)) => protection,
        Ok(None) => {
            let words = "Secrets are exported encrypted only: give a key or a password.".to_owned();
            return exports_page(&seat, shell(&seat).with_complaint(words), Typed::default()).await;
        }
        Err(fault) => {
            return exports_page(&seat, shell(&seat).with_complaint(fault.message), Typed::default()).await;
        }
    };
    let (desk, tenant) = (seat.desk(), seat.call.realm.tenant());
    let work = async |connection: &mut Connection| token_exports::consume(&desk, connection, tenant, id).await;
    let export = match desk.house.db.write(work).await? {
        Ok(export) => export,
        Err(refusal) => {
            return exports_page(&seat, shell(&seat).with_complaint(format!("{refusal}.")), Typed::default()).await;
        }
    };
    let made = handout::container(desk.house, tenant, &export.scope, &protection).await;
    let (text, _) = made.map_err(|error| match error {
        handout::Fault::Storage(error) => Fault::from(error),
        error => Fault::Internal(error.to_string()),
    })?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/pskc+xml"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"tokens.pskc.xml\""))
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(text))
}
