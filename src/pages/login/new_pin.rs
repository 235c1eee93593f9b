//! U7: a new server-side PIN, when the one that was typed is due for change.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::view::{self, Login, pin_rules};
use crate::domain::authenticator::server_pin::Due;
use crate::domain::ids::LoginId;
use crate::domain::login::complaint::Complaint;
use crate::flow::case::Case;
use crate::flow::server_pin;
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, page};

#[derive(Template)]
#[template(path = "login/new_pin.html")]
struct Page {
    frame: Frame,
    login: Login,
    /// The key of the words that say why.
    reason: &'static str,
    rules: Vec<String>,
}

/// The page.
pub fn page(call: &Call, case: &Case, due: Due, complaint: Option<Complaint>) -> Result<HttpResponse, Fault> {
    let reason = match due {
        Due::FirstUse => "new-pin-first",
        Due::Expired => "new-pin-expired",
    };
    let login = Login::of(call, case, "new-pin-title", 0, complaint);
    page::page(&Page { frame: login.frame.clone(), login, reason, rules: pin_rules(call) })
}

/// `POST …/new-pin`.
pub async fn post(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let (new, again) = (form.secret("pin"), form.secret("again"));
    let posted =
        server_pin::submit_new(&call.site.house, &call.realm, &call.visit, &call.browser, id, (&new, &again)).await;
    view::answer(&mut call, id, posted).await
}
