//! U8: an authenticator is needed; add one.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::view::{self, Login};
use crate::domain::ids::LoginId;
use crate::domain::login::complaint::Complaint;
use crate::flow::case::Case;
use crate::flow::enrollment;
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, page};

#[derive(Template)]
#[template(path = "login/offer.html")]
struct Page {
    frame: Frame,
    login: Login,
    email: String,
}

/// The page.
pub fn page(call: &Call, case: &Case, complaint: Option<Complaint>) -> Result<HttpResponse, Fault> {
    let email = case.member.as_ref().and_then(|member| member.user.masked_email()).unwrap_or_default();
    let login = Login::of(call, case, "offer-title", 0, complaint);
    page::page(&Page { frame: login.frame.clone(), login, email })
}

/// `POST …/add-authenticator`.
pub async fn post(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let posted = enrollment::begin(&call.site.house, &call.realm, &call.visit, &call.browser, id).await;
    view::answer(&mut call, id, posted).await
}
