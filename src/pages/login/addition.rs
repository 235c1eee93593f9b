//! Another authenticator for somebody who has one: asked for by operators, or wanted in the portal.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::view::{self, Login};
use crate::domain::ids::LoginId;
use crate::domain::login::addition::Addition;
use crate::domain::login::complaint::Complaint;
use crate::flow::case::Case;
use crate::flow::enrollment;
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, page};

#[derive(Template)]
#[template(path = "login/addition.html")]
struct Page {
    frame: Frame,
    login: Login,
    /// The keys of what is said, and of the button.
    lead: &'static str,
    add: &'static str,
    /// What the authenticator is called whose place the new one takes; empty where it takes none.
    old: String,
    may_wait: bool,
}

/// The page.
pub fn page(call: &Call, case: &Case, why: Addition, complaint: Option<Complaint>) -> Result<HttpResponse, Fault> {
    let (title, lead, add, may_wait) = match why {
        Addition::Renewal { may_wait, .. } => ("renew-title", "renew-lead", "renew-now", may_wait),
        Addition::Replacement { .. } => ("replace-title", "replace-lead", "replace-now", false),
        Addition::Another => ("another-title", "another-lead", "offer-add", false),
    };
    let old = case.tokens.iter().find(|token| Some(token.id) == why.replaces());
    let old = old.map(|token| if token.name.is_empty() { token.serial.clone() } else { token.name.clone() });
    let login = Login::of(call, case, title, 0, complaint);
    page::page(&Page { frame: login.frame.clone(), login, lead, add, old: old.unwrap_or_default(), may_wait })
}

/// `POST …/later`.
pub async fn later(call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let result = enrollment::postpone(&call.site.house, &call.realm, &call.visit, &call.browser, id).await;
    view::done(&call, id, result)
}
