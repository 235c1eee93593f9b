//! One of one's own authenticators: trying it out and synchronizing it.

use actix_web::web;
use askama::Template;

use crate::domain::ids::{TokenId, of};
use crate::domain::policy::platform::Platform;
use crate::domain::session::Session;
use crate::flow::care::{self, Outcome, Typed};
use crate::flow::challenge::answers;
use crate::flow::session;
use crate::http::page::Frame;
use crate::http::{Answer, Call, Form, page};

#[derive(Template)]
#[template(path = "portal/care.html")]
struct TokenPage {
    frame: Frame,
    name: String,
    serial: String,
    /// This page's path; the forms post to paths below it.
    base: String,
    portal: String,
    /// The challenge, if it answers one.
    challenge: String,
    /// What became of what was entered.
    good: &'static str,
    complaint: String,
    /// Whether the complaint is about the two passcodes.
    about_pair: bool,
    nonce: String,
}

/// `GET …/portal/authenticators/{token}`.
pub async fn show(mut call: Call, path: web::Path<(String, TokenId)>) -> Answer {
    let Some(session) = current(&mut call).await? else { return Ok(home(&call)) };
    render(&call, &session, path.into_inner().1, None, false).await
}

/// `POST …/portal/authenticators/{token}/test`.
pub async fn test(mut call: Call, path: web::Path<(String, TokenId)>, form: Form) -> Answer {
    let typed = if form.has("response") {
        Typed::Response(form.text("challenge"), form.text("response"))
    } else {
        Typed::Passcode(form.text("code"))
    };
    submit(&mut call, path.into_inner().1, &form, typed).await
}

/// `POST …/portal/authenticators/{token}/synchronize`.
pub async fn synchronize(mut call: Call, path: web::Path<(String, TokenId)>, form: Form) -> Answer {
    submit(&mut call, path.into_inner().1, &form, Typed::Pair(form.text("first"), form.text("second"))).await
}

async fn submit(call: &mut Call, token: TokenId, form: &Form, typed: Typed<'_>) -> Answer {
    let Some(session) = current(call).await? else { return Ok(home(call)) };
    let site = &call.site;
    form.check(site, &[b"session", &call.realm.tenant().to_bytes(), &session.id.to_bytes()])?;
    let entered = (typed, form.text("nonce"));
    let outcome = care::submit(&site.house, &call.realm, &call.visit, &session, token, entered).await?;
    render(call, &session, token, Some(outcome), matches!(typed, Typed::Pair(..))).await
}

/// The session of this browser; from here on the page speaks to its person.
async fn current(call: &mut Call) -> Result<Option<Session>, crate::http::Fault> {
    let session = session::current(&call.site.house, &call.realm, &call.visit, &call.browser).await?;
    if let Some(session) = &session {
        super::speak_to(call, session.user).await?;
    }
    Ok(session)
}

fn home(call: &Call) -> actix_web::HttpResponse {
    page::see(&call.site.urls.portal(call.realm.code()))
}

async fn render(call: &Call, session: &Session, token: TokenId, outcome: Option<Outcome>, about_pair: bool) -> Answer {
    let site = &call.site;
    let (token, challenge) = care::shown(&site.house, &call.realm, &call.visit, session, token).await?;
    let base = format!("/t/{}/portal/authenticators/{}", call.realm.code(), token.id);
    // Not at the address of the form that it may be the answer to: nothing can be loaded there.
    let frame = Frame::of(call, "portal-token-title").with_csrf(super::csrf(call, session.id)).at(base.clone());
    let (good, complaint) = match outcome {
        None => ("", String::new()),
        Some(Outcome::Works) => ("portal-token-works", String::new()),
        Some(Outcome::Synchronized) => ("portal-token-synchronized", String::new()),
        Some(Outcome::OutOfSync) => ("", frame.plain("portal-token-out-of-sync")),
        Some(Outcome::Locked) => ("", frame.plain("locked-title")),
        Some(Outcome::Refused(complaint)) => ("", crate::pages::login::words(call, complaint)),
    };
    let kind = format!("platform-{}-name", token.platform.map_or("hardware", Platform::id).replace('_', "-"));
    page::page(&TokenPage {
        name: if token.name.is_empty() { frame.plain(&kind) } else { token.name.clone() },
        serial: token.serial.clone(),
        base,
        portal: format!("/t/{}/", call.realm.code()),
        challenge: challenge.filter(|_| answers(&token.template)).map(|it| it.digits).unwrap_or_default(),
        good,
        complaint,
        about_pair,
        nonce: site.house.entropy.id::<of::Login>().to_string(),
        frame,
    })
}
