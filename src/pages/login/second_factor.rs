//! U4 and U16: the passcode, of an authenticator that exists or the first one of a new authenticator.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::view::{self, Login};
use crate::domain::ids::LoginId;
use crate::domain::login::complaint::Complaint;
use crate::domain::policy::platform::Platform;
use crate::flow::case::Case;
use crate::flow::second_factor;
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, page};
use crate::storage::tokens::State;

#[derive(Template)]
#[template(path = "login/second_factor.html")]
struct Page {
    frame: Frame,
    login: Login,
    name: String,
    /// Where there are several: their names, and the key of the text of their state. Any passcode of an active one
    /// will do, so nothing need be chosen first.
    several: Vec<(String, String)>,
    first: bool,
}

/// The page. After an enrollment it says that the authenticator is connected.
pub async fn page(
    call: &Call,
    case: &Case,
    complaint: Option<Complaint>,
    first: Option<Platform>,
) -> Result<HttpResponse, Fault> {
    let mut active = case.tokens.iter().filter(|token| token.state == State::Active);
    // With several authenticators any of them will do, and none is named.
    let name = match (active.next(), active.next()) {
        (Some(only), None) => only.name.clone(),
        _ => String::new(),
    };
    let owned = case.tokens.iter().filter(|token| token.state.counts());
    let mut several: Vec<_> = owned.map(|token| (token.name.clone(), format!("token-{}", token.state.id()))).collect();
    if several.len() < 2 || first.is_some() {
        several.clear();
    }
    let (title, step) = if first.is_some() { ("first-passcode-title", 4) } else { ("passcode-title", 0) };
    let login = Login::of(call, case, title, step, complaint);
    page::page(&Page { frame: login.frame.clone(), login, name, several, first: first.is_some() })
}

/// `POST …/passcode`.
pub async fn post(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let typed = form.text("code");
    let posted = second_factor::submit(&call.site.house, &call.realm, &call.visit, &call.browser, id, typed).await;
    view::answer(&mut call, id, posted).await
}
