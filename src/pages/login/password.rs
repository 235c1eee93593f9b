//! U2: the password.

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
#[template(path = "login/password.html")]
struct Page {
    frame: Frame,
    login: Login,
}

/// The page.
pub fn page(call: &Call, case: &Case, complaint: Option<Complaint>) -> Result<HttpResponse, Fault> {
    let login = Login::of(call, case, "password-title", 0, complaint);
    page::page(&Page { frame: login.frame.clone(), login })
}

/// `POST …/password`.
pub async fn post(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let password = form.secret("password");
    let posted = login::submit_password(&call.site.house, &call.realm, &call.visit, &call.browser, id, &password).await;
    view::answer(&mut call, id, posted).await
}
