//! P5: the server-side PIN of one's own authenticator, after a step-up.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::{begin, csrf, portal, speak};
use crate::domain::ids::TokenId;
use crate::domain::login::wishes::{Freshness, Wishes};
use crate::domain::policy::access::Method;
use crate::flow::federation::{self, Asked, Proven, Receipt, Silent};
use crate::flow::{self, server_pin};
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, page};
use crate::pages::login::view;
use crate::storage::tokens::Token;

/// How old the proofs may be with which somebody changes a PIN, in seconds.
const FRESH: u64 = 300;

#[derive(Template)]
#[template(path = "portal/pin.html")]
struct PinPage {
    frame: Frame,
    name: String,
    username: String,
    complaint: String,
    rules: Vec<String>,
    action: String,
    back: String,
}

/// Where the PIN of a token is changed.
pub fn path(call: &Call, token: TokenId) -> String {
    format!("/t/{}/portal/pin/{token}", call.realm.code())
}

/// `GET …/portal/pin/{token}`: the form, or the login that leads to it.
pub async fn show(mut call: Call, request: HttpRequest, path: web::Path<(String, TokenId)>) -> Answer {
    let id = path.into_inner().1;
    let proven = match stepped_up(&call, &request, id).await? {
        Ok(proven) => proven,
        Err(login) => return Ok(login),
    };
    speak(&mut call, &proven);
    form_page(&call, &proven, &token(&call, &proven, id).await?, String::new())
}

/// `POST …/portal/pin/{token}`: another PIN.
pub async fn change(mut call: Call, request: HttpRequest, path: web::Path<(String, TokenId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    // Whoever was away for too long logs in again first, and then finds the form empty.
    let proven = match stepped_up(&call, &request, id).await? {
        Ok(proven) => proven,
        Err(login) => return Ok(login),
    };
    form.check(&call.site, &[b"session", &call.realm.tenant().to_bytes(), &proven.session.to_bytes()])?;
    speak(&mut call, &proven);
    let token = token(&call, &proven, id).await?;
    let typed = (&form.secret("pin"), &form.secret("again"));
    let user = proven.member.user.id;
    match server_pin::change(&call.site.house, &call.realm, &call.visit, user, id, typed).await {
        Ok(None) => Ok(page::see(&format!("{}?pin=changed", call.site.urls.portal(call.realm.code())))),
        Ok(Some(complaint)) => form_page(&call, &proven, &token, view::words(&call, complaint)),
        // Changed at the same moment, in another window: the portal shows what there is.
        Err(flow::Error::WrongMoment) => Ok(page::see(&call.site.urls.portal(call.realm.code()))),
        Err(error) => Err(error.into()),
    }
}

/// The person, with proofs that are fresh; or the login that freshens them.
async fn stepped_up(
    call: &Call,
    request: &HttpRequest,
    token: TokenId,
) -> Result<Result<Box<Proven>, HttpResponse>, Fault> {
    let application = portal(call)?.id;
    let wishes =
        Wishes { methods: vec![Method::Otp], freshness: Freshness::Within { seconds: FRESH }, ..Wishes::default() };
    let asked = Asked { application, wishes: &wishes, once: None };
    let nothing = |_: &Proven| Receipt::Nothing;
    let silent =
        federation::from_session(&call.site.house, &call.realm, &call.visit, &call.browser, asked, nothing).await?;
    match silent {
        Silent::Complete(proven) => Ok(Ok(proven)),
        Silent::Lacking(_) => Ok(Err(begin(call, request, application, wishes, format!("pin/{token}")).await?)),
    }
}

async fn token(call: &Call, proven: &Proven, id: TokenId) -> Result<Token, Fault> {
    let user = proven.member.user.id;
    server_pin::changeable(&call.site.house, &call.realm, user, id).await?.ok_or(Fault::NotFound)
}

fn form_page(call: &Call, proven: &Proven, token: &Token, complaint: String) -> Answer {
    let frame = Frame::of(call, "new-pin-title").with_csrf(csrf(call, proven.session));
    page::page(&PinPage {
        name: if token.name.is_empty() { token.serial.clone() } else { token.name.clone() },
        username: proven.member.user.username.clone(),
        complaint,
        rules: view::pin_rules(call),
        action: path(call, token.id),
        back: call.site.urls.portal(call.realm.code()),
        frame,
    })
}
