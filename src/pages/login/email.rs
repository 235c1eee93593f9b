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
use crate::urls::desk_path;

#[derive(Template)]
#[template(path = "login/email.html")]
struct Page {
    frame: Frame,
    login: Login,
    email: String,
    failed: bool,
    slow: bool,
    /// Whether another code was asked for just now.
    resent: bool,
    digits: bool,
}

/// Stands in the address after another code was asked for. Whether a mail was sent or a limit kept it back, the address
/// is the same (AC-10).
pub const AGAIN: &str = "?again=yes";

/// The page; `resent` after another code was asked for.
pub async fn page(call: &Call, case: &Case, complaint: Option<Complaint>, resent: bool) -> Result<HttpResponse, Fault> {
    let progress = enrollment::mail_progress(&call.site.house, &call.realm, case.login().id).await?;
    let email = case.member.as_ref().and_then(|member| member.user.masked_email()).unwrap_or_default();
    let login = Login::of(call, case, "email-title", 1, complaint);
    page::page(&Page {
        frame: login.frame.clone(),
        login,
        email,
        failed: progress == Some(Progress::Failed),
        resent,
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
    if posted.as_ref().is_ok_and(|posted| posted.complaint.is_none()) {
        return Ok(page::see(&format!("{}{AGAIN}", desk_path(call.realm.code(), id))));
    }
    view::answer(&mut call, id, posted).await
}
