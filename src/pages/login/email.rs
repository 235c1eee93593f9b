//! U9: the code from the mail.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::view::{self, Login};
use crate::domain::email_code::Format;
use crate::domain::ids::LoginId;
use crate::domain::login::complaint::Complaint;
use crate::flow::case::Case;
use crate::flow::enrollment;
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, page};
use crate::storage::outbox::Progress;

#[derive(Template)]
#[template(path = "login/email.html")]
struct Page {
    frame: Frame,
    login: Login,
    email: String,
    failed: bool,
    slow: bool,
    digits: bool,
}

/// The page.
pub async fn page(call: &Call, case: &Case, complaint: Option<Complaint>) -> Result<HttpResponse, Fault> {
    let progress = enrollment::mail_progress(&call.site.house, &call.realm, case.login().id).await?;
    let email = case.member.as_ref().and_then(|member| member.user.masked_email()).unwrap_or_default();
    let login = Login::of(call, case, "email-title", 1, complaint);
    page::page(&Page {
        frame: login.frame.clone(),
        login,
        email,
        failed: progress == Some(Progress::Failed),
        slow: matches!(progress, Some(Progress::Waiting { tries: 1.. })),
        digits: call.realm.config.settings.email_code.format == Format::Digits,
    })
}

/// `POST …/code`.
pub async fn post(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let typed = form.text("code");
    let posted = enrollment::redeem(&call.site.house, &call.realm, &call.visit, &call.browser, id, typed).await;
    view::answer(&mut call, id, posted).await
}

/// `POST …/resend-code`.
pub async fn resend(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let posted = enrollment::resend(&call.site.house, &call.realm, &call.visit, &call.browser, id).await;
    view::answer(&mut call, id, posted).await
}
