//! U1: who are you?

use actix_web::cookie::Cookie;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::view::{self, Login};
use crate::domain::ids::LoginId;
use crate::domain::login::complaint::Complaint;
use crate::domain::name;
use crate::flow::case::Case;
use crate::flow::login;
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, cookies, page, remembered};

#[derive(Template)]
#[template(path = "login/username.html")]
struct Page {
    frame: Frame,
    login: Login,
    /// The text that names what may be typed.
    label: &'static str,
    hint: String,
    /// Whether this browser remembers a name.
    remembered: bool,
}

/// The page.
pub fn page(call: &Call, case: &Case, complaint: Option<Complaint>) -> Result<HttpResponse, Fault> {
    // What the application knows about the person is newer than what the browser remembers.
    let hint = case.login().wishes.hint.clone().or_else(|| call.remembered.clone()).unwrap_or_default();
    let login = Login::of(call, case, "username-title", 0, complaint);
    let label = call.realm.config.settings.login.label();
    page::page(&Page { frame: login.frame.clone(), login, label, hint, remembered: call.remembered.is_some() })
}

/// `POST …/username`.
pub async fn post(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let name = form.text("username");
    let posted = login::submit_username(&call.site.house, &call.realm, &call.visit, &call.browser, id, name).await;
    let accepted = posted.as_ref().is_ok_and(|posted| posted.complaint.is_none());
    let mut response = view::answer(&mut call, id, posted).await?;
    if accepted && let Some(cookie) = remember(&call, &form) {
        response.add_cookie(&cookie).map_err(|error| Fault::Internal(error.to_string()))?;
    }
    Ok(response)
}

/// The cookie that follows from the box "remember my user name": one that remembers, or one that forgets what was
/// remembered. Whether there is such an account makes no difference.
fn remember(call: &Call, form: &Form) -> Option<Cookie<'static>> {
    let code = call.realm.code();
    if form.text("remember") == "yes" {
        let name = name::checked(form.text("username")).ok()?;
        return Some(remembered::cookie(&call.site, code, call.realm.tenant(), name));
    }
    call.remembered.is_some().then(|| cookies::gone(&call.site.urls, cookies::Kind::Name(code)))
}

/// `POST …/forget-user`: the browser remembers no name any more.
pub async fn forget(call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let mut response = view::to_desk(&call, id);
    let gone = cookies::gone(&call.site.urls, cookies::Kind::Name(call.realm.code()));
    response.add_cookie(&gone).map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(response)
}

/// `POST …/switch-user`: somebody else.
pub async fn switch(call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let result = login::switch_user(&call.site.house, &call.realm, &call.visit, &call.browser, id).await;
    view::done(&call, id, result)
}
