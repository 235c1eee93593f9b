//! U8: an authenticator is needed; add one.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::recovery;
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
    /// Whether a code of the help desk is a way, too.
    recover: bool,
}

/// The page.
pub async fn page(call: &Call, case: &Case, complaint: Option<Complaint>) -> Result<HttpResponse, Fault> {
    let email = case.member.as_ref().and_then(|member| member.user.masked_email()).unwrap_or_default();
    let login = Login::of(call, case, "offer-title", 0, complaint);
    // Only where the person has such a code: everybody else adds an authenticator.
    let recover = case.tokens.is_empty() && recovery::has_temporary(call, case).await?;
    page::page(&Page { frame: login.frame.clone(), login, email, recover })
}

/// `POST …/add-authenticator`.
pub async fn post(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let posted = enrollment::begin(&call.site.house, &call.realm, &call.visit, &call.browser, id).await;
    view::answer(&mut call, id, posted).await
}
