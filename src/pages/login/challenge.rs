//! U6: a challenge, and the response to it; of an authenticator that exists or the first one of a new authenticator.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::view::{self, Login};
use crate::domain::ids::LoginId;
use crate::domain::login::complaint::Complaint;
use crate::domain::login::step::Step;
use crate::flow::case::Case;
use crate::flow::challenge::{self, MOST_ASKED, answers, ways};
use crate::flow::{self, Posted};
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, page};
use crate::storage::tokens::State;

/// The value of `with` in the desk's address that asks for this page where a passcode would do, too.
pub const WITH: &str = "challenge";

#[derive(Template)]
#[template(path = "login/challenge.html")]
struct Page {
    frame: Frame,
    login: Login,
    challenge: String,
    /// The one authenticator that answers; empty if there are several.
    name: String,
    first: bool,
    /// Whether the person may ask for another challenge.
    may_renew: bool,
    /// Whether a passcode of another authenticator would do, too.
    or_passcode: bool,
}

/// The page. After an enrollment it says that the authenticator is connected.
pub async fn page(call: &Call, case: &Case, complaint: Option<Complaint>) -> Result<HttpResponse, Fault> {
    let id = case.login().id;
    let shown = challenge::shown(&call.site.house, &call.realm, &call.visit, &call.browser, id).await?;
    // An operator may have stopped the authenticator in this very moment.
    let Some(shown) = shown else { return Ok(view::to_desk(call, id)) };
    let first = matches!(case.step, Step::FirstPasscode(_));
    // Before anything is proven nobody's authenticator is named.
    let told = first || case.evidence.of_anybody();
    let active = || case.tokens.iter().filter(|token| told && token.state == State::Active);
    let mut answering = active().filter(|token| answers(&token.template));
    let name = match (answering.next(), answering.next()) {
        (Some(only), None) => only.name.clone(),
        _ => String::new(),
    };
    let (title, step) = if first { ("first-passcode-title", 4) } else { ("challenge-title", 0) };
    let login = Login::of(call, case, title, step, complaint);
    page::page(&Page {
        frame: login.frame.clone(),
        login,
        challenge: shown.digits,
        name,
        first,
        may_renew: shown.asked < MOST_ASKED,
        or_passcode: ways(&call.realm, case).passcode,
    })
}

/// `POST …/response`.
pub async fn post(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let entered = (form.text("challenge"), form.text("response"));
    let posted = challenge::submit(&call.site.house, &call.realm, &call.visit, &call.browser, id, entered).await;
    answer(&mut call, id, posted).await
}

/// `POST …/new-challenge`.
pub async fn renew(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let posted = challenge::renew(&call.site.house, &call.realm, &call.visit, &call.browser, id).await;
    if posted.as_ref().is_ok_and(|posted| posted.complaint.is_none()) {
        return Ok(page::see(&format!("{}?with={WITH}", crate::urls::desk_path(call.realm.code(), id))));
    }
    answer(&mut call, id, posted).await
}

/// The desk, or this page again with the complaint, which the desk would not choose where a passcode would do, too.
async fn answer(call: &mut Call, id: LoginId, posted: flow::Result<Posted>) -> Answer {
    let complaint = posted.as_ref().ok().and_then(|posted| posted.complaint);
    if complaint.is_none() {
        return view::answer(call, id, posted).await;
    }
    let case = view::look(call, id).await?;
    if matches!(case.step, Step::Passcode | Step::FirstPasscode(_)) {
        let response = page(call, &case, complaint).await?;
        return Ok(page::leading_to(response, view::form_targets(case.application.as_ref())));
    }
    super::desk::page_of(call, &case, complaint).await
}
