//! Whoever does not have the authenticator at hand: the page that takes a code, the closed gate, and the sheet of new
//! recovery codes.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpResponse, web};
use askama::Template;

use super::view::{self, Login};
use crate::domain::ids::LoginId;
use crate::domain::login::complaint::Complaint;
use crate::domain::login::step::{Step, Tokens};
use crate::domain::policy::provisioning::Refusal;
use crate::domain::recovery_code::HelpDeskCode;
use crate::flow;
use crate::flow::case::Case;
use crate::flow::recovery::{self, Then};
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, page};
use crate::storage::{help_desk_codes, tokens};
use crate::urls::desk_path;

#[derive(Template)]
#[template(path = "login/recovery.html")]
struct Page {
    frame: Frame,
    login: Login,
    /// The person's own recovery codes are taken.
    own: bool,
    /// Passes of the help desk are taken.
    pass: bool,
    /// A code may let the person in without another authenticator …
    log_in: bool,
    /// … or with one.
    replace: bool,
}

#[derive(Template)]
#[template(path = "login/pass.html")]
struct GatePage {
    frame: Frame,
    login: Login,
    gate: &'static str,
    recover: bool,
}

#[derive(Template)]
#[template(path = "login/codes.html")]
struct CodesPage {
    frame: Frame,
    login: Login,
    codes: Vec<String>,
}

/// Stands in the desk's address while the person looks for another way.
pub const RECOVER: &str = "?recover=yes";

/// Whether the page has a way for people without their authenticator. Before anything is proven it depends on the virtual
/// server alone: it tells nothing of anybody.
pub async fn is_open(call: &Call, case: &Case) -> Result<bool, Fault> {
    if !recovery::takes_codes(case) {
        return Ok(false);
    }
    let settings = &call.realm.config.settings.self_provisioning;
    if settings.recovery_codes || settings.gates.take_passes() {
        return Ok(true);
    }
    has_temporary(call, case).await
}

/// Whether the person, who has proven something, has a temporary code of the help desk.
pub async fn has_temporary(call: &Call, case: &Case) -> Result<bool, Fault> {
    let Some(user) = case.user().filter(|_| case.evidence.of_anybody()) else { return Ok(false) };
    if tokens::summary(&case.tokens) == Tokens::Usable {
        return Ok(false);
    }
    let (tenant, now) = (call.realm.tenant(), call.visit.now);
    let open = call.site.house.db.read(async |connection| {
        help_desk_codes::open_of(tenant, user, HelpDeskCode::Temporary, now).ask(connection).await
    });
    let open = open.await;
    Ok(open.map_err(flow::Error::from)? > 0)
}

/// The page that takes a code.
pub fn page(call: &Call, case: &Case, complaint: Option<Complaint>) -> Result<HttpResponse, Fault> {
    let settings = &call.realm.config.settings.self_provisioning;
    let login = Login::of(call, case, "recovery-title", 0, complaint);
    let blocked = matches!(case.step, Step::Refused(crate::domain::login::outcome::Refusal::AuthenticatorsBlocked));
    let own = settings.recovery_codes && !blocked;
    page::page(&Page {
        frame: login.frame.clone(),
        login,
        own,
        pass: settings.gates.take_passes(),
        log_in: recovery::is_enough(case) || !own,
        replace: own && recovery::may_replace(case),
    })
}

/// The page of a closed gate, where the help desk's pass opens it.
pub fn gate_page(call: &Call, case: &Case, gate: Refusal, complaint: Option<Complaint>) -> Result<HttpResponse, Fault> {
    let recover = call.realm.config.settings.self_provisioning.recovery_codes;
    let login = Login::of(call, case, "not-offered-title", 0, complaint);
    page::page(&GatePage { frame: login.frame.clone(), login, gate: gate_text(gate), recover })
}

/// The key of the text about a closed gate.
pub const fn gate_text(gate: Refusal) -> &'static str {
    match gate {
        Refusal::Dormant => "gate-dormant-text",
        Refusal::WindowClosed => "gate-window-text",
        Refusal::UnknownNetwork => "gate-network-text",
        Refusal::PassNeeded => "gate-pass-text",
        Refusal::RecoveryNeeded => "gate-recovery-text",
        Refusal::NoEmail => "no-email-text",
        Refusal::NoPlatform => "no-platform-text",
        Refusal::Locked => "enrollment-locked-text",
        Refusal::AddressIsNew => "address-is-new-text",
        Refusal::NotTargeted | Refusal::NoPassword => "not-offered-text",
    }
}

/// The sheet of new recovery codes.
pub async fn codes_page(call: &Call, case: &Case) -> Result<HttpResponse, Fault> {
    let (house, realm) = (&call.site.house, &call.realm);
    let codes = recovery::sheet(house, realm, &call.visit, case.user(), case.login().id).await?;
    let login = Login::of(call, case, "codes-title", 0, None);
    page::page(&CodesPage { frame: login.frame.clone(), login, codes: codes.unwrap_or_default() })
}

/// `POST …/recovery-code`.
pub async fn post(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let then = if form.text("then") == "replace" { Then::Replace } else { Then::LogIn };
    let typed = (form.text("code"), then);
    let posted = recovery::submit(&call.site.house, &call.realm, &call.visit, &call.browser, id, typed).await;
    // The gate asks for its pass on a page of its own; any other code is asked for on the page of codes.
    let complaint = posted.as_ref().ok().and_then(|posted| posted.complaint);
    if complaint.is_some() {
        let case = view::look(&mut call, id).await?;
        let of_gate = form.text("from") == "gate" && matches!(case.step, Step::Pass(_));
        if recovery::takes_codes(&case) && !of_gate {
            let response = page(&call, &case, complaint)?;
            return Ok(page::leading_to(response, view::form_targets(case.application.as_ref())));
        }
    }
    view::answer(&mut call, id, posted).await
}

/// `POST …/codes-kept`.
pub async fn kept(call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let result = recovery::kept(&call.site.house, &call.realm, &call.visit, &call.browser, id).await;
    view::done(&call, id, result)
}

/// `GET …/recovery-codes.txt`: the sheet as a file.
pub async fn file(mut call: Call, path: web::Path<(String, LoginId)>) -> Answer {
    let id = path.into_inner().1;
    let case = view::look(&mut call, id).await?;
    if case.step != Step::RecoveryCodes {
        return Ok(page::see(&desk_path(call.realm.code(), id)));
    }
    let codes = recovery::sheet(&call.site.house, &call.realm, &call.visit, case.user(), id).await?;
    Ok(text_of(&call, case.login().named.as_deref().unwrap_or_default(), &codes.unwrap_or_default()))
}

/// The codes as a text to keep.
pub fn text_of(call: &Call, username: &str, codes: &[String]) -> HttpResponse {
    let organization = call.realm.config.tenant.name.clone();
    let values = [("organization", organization.into()), ("name", username.to_owned().into())];
    let head = call.texts().plain(call.language, "codes-file", &values);
    let body = format!("{head}\r\n\r\n{}\r\n", codes.join("\r\n"));
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, "attachment; filename=\"recovery-codes.txt\""))
        .body(body)
}
