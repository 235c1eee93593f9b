//! "This was not me": the page behind the link in the mail after an enrollment.

use actix_web::web;
use askama::Template;

use crate::flow::undo;
use crate::http::page::Frame;
use crate::http::{Answer, Call, Form, form, head, page};

#[derive(Template)]
#[template(path = "not_me.html")]
struct NotMePage {
    frame: Frame,
    state: State,
    /// Whether there are recovery codes here, which stop working with it.
    codes: bool,
    action: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ask,
    Done,
    Invalid,
}

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config.route("/not-me/{statement}", head::readable().to(ask)).route("/not-me/{statement}", web::post().to(stop));
}

/// `GET`: asks, because mail scanners open links (security.md finding 5).
async fn ask(call: Call, path: web::Path<(String, String)>) -> Answer {
    let statement = path.into_inner().1;
    let known = undo::token_of(&call.site.house, &call.realm, &statement, call.visit.now).is_some();
    show(&call, &statement, if known { State::Ask } else { State::Invalid })
}

/// `POST`: suspends the authenticator.
async fn stop(call: Call, path: web::Path<(String, String)>, form: Form) -> Answer {
    let statement = path.into_inner().1;
    form.check(&call.site, &[b"not me", &call.realm.tenant().to_bytes(), statement.as_bytes()])?;
    let Some(token) = undo::token_of(&call.site.house, &call.realm, &statement, call.visit.now) else {
        return show(&call, &statement, State::Invalid);
    };
    undo::not_me(&call.site.house, &call.realm, &call.visit, token).await?;
    show(&call, &statement, State::Done)
}

fn show(call: &Call, statement: &str, state: State) -> Answer {
    let csrf = form::token(&call.site, &[b"not me", &call.realm.tenant().to_bytes(), statement.as_bytes()]);
    let frame = Frame::of(call, "not-me-title").with_csrf(csrf);
    let codes = call.realm.config.settings.self_provisioning.recovery_codes;
    page::page(&NotMePage { action: call.path.clone(), frame, state, codes })
}
