//! U1: who are you?

use actix_web::{HttpResponse, web};
use askama::Template;

use super::view::{self, Login};
use crate::domain::ids::LoginId;
use crate::domain::login::complaint::Complaint;
use crate::flow::case::Case;
use crate::flow::login;
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, page};

#[derive(Template)]
#[template(path = "login/username.html")]
struct Page {
    frame: Frame,
    login: Login,
    hint: String,
}

/// The page.
pub fn page(call: &Call, case: &Case, complaint: Option<Complaint>) -> Result<HttpResponse, Fault> {
    let hint = case.login().wishes.hint.clone().unwrap_or_default();
    let login = Login::of(call, case, "username-title", 0, complaint);
    page::page(&Page { frame: login.frame.clone(), login, hint })
}

/// `POST …/username`.
pub async fn post(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let name = form.text("username");
    let posted = login::submit_username(&call.site.house, &call.realm, &call.visit, &call.browser, id, name).await;
    view::answer(&mut call, id, posted).await
}

/// `POST …/switch-user`: somebody else.
pub async fn switch(call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let result = login::switch_user(&call.site.house, &call.realm, &call.visit, &call.browser, id).await;
    view::done(&call, id, result)
}
