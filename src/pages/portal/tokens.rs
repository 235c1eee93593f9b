//! P2 and P3: one of the person's own authenticators, and the way to another one.

use actix_web::web;
use askama::Template;

use super::{TokenEntry, begin, csrf, day, entry, portal, speak};
use crate::domain::audit::Actor;
use crate::domain::authenticator::lifecycle::{Kind, State};
use crate::domain::ids::TokenId;
use crate::domain::login::addition::Intent;
use crate::domain::login::wishes::{Freshness, Wishes};
use crate::domain::policy::access::Method;
use crate::flow::federation::{self, Asked, Proven, Receipt, Silent};
use crate::flow::lifecycle::By;
use crate::flow::owner::{self, NotThatName, Wish};
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, page};
use crate::storage::Connection;
use crate::storage::tokens::{self, Token};

/// How old the proofs of a session may be for something that cannot be undone, a passcode among them; see [`here`].
const FRESH: Freshness = Freshness::Within { seconds: 10 * 60 };

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/portal/tokens/add", web::post().to(add))
        .route("/portal/tokens/{token}", web::get().to(show))
        .route("/portal/tokens/{token}/rename", web::post().to(rename))
        .route("/portal/tokens/{token}/replace", web::post().to(replace))
        .route("/portal/tokens/{token}/lost", web::get().to(ask_lost))
        .route("/portal/tokens/{token}/lost", web::post().to(lost))
        .route("/portal/tokens/{token}/remove", web::get().to(ask_remove))
        .route("/portal/tokens/{token}/remove", web::post().to(remove));
}

#[derive(Template)]
#[template(path = "portal/token.html")]
struct TokenPage {
    frame: Frame,
    token: TokenEntry,
    /// What was wrong with a name, or that it was saved; the keys of texts, or empty.
    complaint: &'static str,
    good: &'static str,
    enrolled: String,
    /// Forms post below it.
    path: String,
    home: String,
    active: bool,
    replaceable: bool,
    last: bool,
}

/// The question before a token is stopped or removed, and afterwards what was done to it.
#[derive(Template)]
#[template(path = "portal/token_end.html")]
struct EndPage {
    frame: Frame,
    /// The token that is asked about; `None` once it is done.
    token: Option<TokenEntry>,
    /// What will happen, or has; the keys of texts.
    lines: Vec<&'static str>,
    /// Whether it is the only one that works.
    last: bool,
    wish: &'static str,
    /// The key of the words of the button that says yes.
    yes: &'static str,
    /// The page of the token.
    path: String,
    home: String,
}

/// The path of a token's page.
pub fn path_of(call: &Call, token: TokenId) -> String {
    format!("/t/{}/portal/tokens/{token}", call.realm.code())
}

/// Who is here, as the policy of the portal wants it proven; `None` leads to the portal, which asks for what is lacking. Where
/// fresh proofs are wanted there is a passcode among them, whatever that policy says: whoever has a password alone would get rid
/// of the authenticator, and could enroll another one with the mailbox where an application asks for a passcode (T-09).
pub(super) async fn here(call: &Call, freshness: Freshness) -> Result<Option<Proven>, Fault> {
    let methods = if freshness == Freshness::Any { Vec::new() } else { vec![Method::Otp] };
    let (wishes, application) = (Wishes { freshness, methods, ..Wishes::default() }, portal(call)?.id);
    let asked = Asked { application, wishes: &wishes, once: None };
    let nothing = |_: &Proven| Receipt::Nothing;
    let (house, realm) = (&call.site.house, &call.realm);
    Ok(match federation::from_session(house, realm, &call.visit, &call.browser, asked, nothing).await? {
        Silent::Complete(proven) => Some(*proven),
        Silent::Lacking(_) => None,
    })
}

/// As [`here`], for a form of a page of ours.
pub(super) async fn posting(call: &Call, form: &Form, freshness: Freshness) -> Result<Option<Proven>, Fault> {
    let Some(proven) = here(call, freshness).await? else { return Ok(None) };
    form.check(&call.site, &[b"session", &call.realm.tenant().to_bytes(), &proven.session.to_bytes()])?;
    Ok(Some(proven))
}

pub(super) fn home(call: &Call) -> Answer {
    Ok(page::see(&call.site.urls.portal(call.realm.code())))
}

/// Every token of the person that is not revoked.
async fn owned(call: &Call, proven: &Proven) -> Result<Vec<Token>, Fault> {
    let (tenant, user) = (call.realm.tenant(), proven.member.user.id);
    let question = async |connection: &mut Connection| tokens::of_user(tenant, user).ask(connection).await;
    Ok(call.site.house.db.read(question).await.map_err(crate::flow::Error::from)?)
}

/// `GET …/portal/tokens/{token}`.
async fn show(mut call: Call, path: web::Path<(String, TokenId)>) -> Answer {
    let Some(proven) = here(&call, Freshness::Any).await? else { return home(&call) };
    speak(&mut call, &proven);
    shown(&call, &proven, path.into_inner().1, "", "").await
}

async fn shown(call: &Call, proven: &Proven, id: TokenId, complaint: &'static str, good: &'static str) -> Answer {
    let all = owned(call, proven).await?;
    let Some(token) = all.iter().find(|token| token.id == id && token.state.counts()) else {
        return home(call);
    };
    let active = token.state == State::Active;
    let others = all.iter().any(|other| other.id != id && other.state == State::Active);
    let path = path_of(call, id);
    let frame = Frame::of(call, "token-title").with_csrf(csrf(call, proven.session)).at(path.clone());
    page::page(&TokenPage {
        token: entry(call, token),
        complaint,
        good,
        enrolled: day(token.enrolled_at),
        home: call.site.urls.portal(call.realm.code()),
        path,
        active,
        replaceable: active && token.kind != Kind::Oath && call.realm.config.settings.tokens.replace_in_portal,
        last: active && !others,
        frame,
    })
}

/// `POST …/rename`.
async fn rename(mut call: Call, path: web::Path<(String, TokenId)>, form: Form) -> Answer {
    let Some(proven) = posting(&call, &form, Freshness::Any).await? else { return home(&call) };
    speak(&mut call, &proven);
    let id = path.into_inner().1;
    let all = owned(&call, &proven).await?;
    let Some(token) = all.iter().find(|token| token.id == id) else { return home(&call) };
    let house = &call.site.house;
    let by = By::visitor(Actor::User(proven.member.user.id), &call.visit);
    let work =
        async |connection: &mut Connection| owner::rename(connection, house, &by, token, form.text("name")).await;
    let renamed = house.db.write(work).await.map_err(crate::flow::Error::from)?;
    let (complaint, good) = match renamed {
        Ok(_) => ("", "token-renamed"),
        Err(NotThatName::Taken) => ("token-name-taken", ""),
        Err(NotThatName::Fault(_)) => ("token-name-bad", ""),
    };
    shown(&call, &proven, id, complaint, good).await
}

/// A login that proves the person anew, and then does what is intended.
async fn anew(call: &Call, request: &actix_web::HttpRequest, intent: Intent) -> Answer {
    let wishes = Wishes { freshness: Freshness::ThisLogin, methods: vec![Method::Otp], ..Wishes::default() };
    begin(call, request, portal(call)?.id, wishes, intent.text()).await
}

/// `POST …/portal/tokens/add`.
async fn add(call: Call, request: actix_web::HttpRequest, form: Form) -> Answer {
    let Some(_) = posting(&call, &form, Freshness::Any).await? else { return home(&call) };
    if !call.realm.config.settings.tokens.add_in_portal {
        return home(&call);
    }
    anew(&call, &request, Intent::Add).await
}

/// `POST …/replace`.
async fn replace(
    call: Call,
    request: actix_web::HttpRequest,
    path: web::Path<(String, TokenId)>,
    form: Form,
) -> Answer {
    let Some(proven) = posting(&call, &form, Freshness::Any).await? else { return home(&call) };
    let id = path.into_inner().1;
    let mine = owned(&call, &proven).await?.iter().any(|token| token.id == id && token.kind != Kind::Oath);
    if !mine || !call.realm.config.settings.tokens.replace_in_portal {
        return home(&call);
    }
    anew(&call, &request, Intent::Replace(id)).await
}

/// `GET …/lost`: whether it is meant.
async fn ask_lost(mut call: Call, path: web::Path<(String, TokenId)>) -> Answer {
    let Some(proven) = here(&call, Freshness::Any).await? else { return home(&call) };
    speak(&mut call, &proven);
    ask(&call, &proven, path.into_inner().1, Wish::Lost).await
}

/// `GET …/remove`: whether it is meant. The proofs are made fresh first, so that nobody is asked twice.
async fn ask_remove(mut call: Call, request: actix_web::HttpRequest, path: web::Path<(String, TokenId)>) -> Answer {
    let id = path.into_inner().1;
    let Some(proven) = here(&call, FRESH).await? else {
        return match here(&call, Freshness::Any).await? {
            Some(_) => anew(&call, &request, Intent::Show(id)).await,
            None => home(&call),
        };
    };
    speak(&mut call, &proven);
    ask(&call, &proven, id, Wish::Remove).await
}

/// What will happen to a token, and the button that says yes.
async fn ask(call: &Call, proven: &Proven, id: TokenId, wish: Wish) -> Answer {
    let all = owned(call, proven).await?;
    let Some(token) = all.iter().find(|token| token.id == id && token.state.counts()) else {
        return home(call);
    };
    let active = token.state == State::Active;
    if wish == Wish::Lost && !active {
        return Ok(page::see(&path_of(call, id)));
    }
    let others = all.iter().any(|other| other.id != id && other.state == State::Active);
    let (title, name, yes) = match wish {
        Wish::Lost => ("token-lost-question", "lost", "token-lost-yes"),
        Wish::Remove => ("token-remove-question", "remove", "token-remove-yes"),
    };
    let lines = match wish {
        Wish::Lost => vec!["token-lost-note"],
        Wish::Remove if active => vec!["token-remove-note", "token-remove-session"],
        Wish::Remove => vec!["token-remove-note"],
    };
    page::page(&EndPage {
        frame: Frame::of(call, title).with_csrf(csrf(call, proven.session)),
        token: Some(entry(call, token)),
        lines,
        last: active && !others,
        wish: name,
        yes,
        path: path_of(call, id),
        home: call.site.urls.portal(call.realm.code()),
    })
}

/// What was done: the session may have ended with it, so that the portal would be a login that says nothing of it.
fn ended(call: &Call, id: TokenId, line: &'static str) -> Answer {
    let home = call.site.urls.portal(call.realm.code());
    page::page(&EndPage {
        frame: Frame::of(call, "token-title").at(format!("/t/{}/", call.realm.code())),
        token: None,
        lines: vec![line],
        last: false,
        wish: "",
        yes: "",
        path: path_of(call, id),
        home,
    })
}

/// `POST …/lost`: it stops at once; whoever has lost it cannot be asked for a passcode of it first.
async fn lost(mut call: Call, path: web::Path<(String, TokenId)>, form: Form) -> Answer {
    let Some(proven) = posting(&call, &form, Freshness::Any).await? else { return home(&call) };
    speak(&mut call, &proven);
    let id = path.into_inner().1;
    let whose = (proven.member.user.id, id);
    if !owner::act(&call.site.house, &call.realm, &call.visit, whose, Wish::Lost).await? {
        return home(&call);
    }
    ended(&call, id, "token-lost-done")
}

/// `POST …/remove`: with fresh proofs only.
async fn remove(
    mut call: Call,
    request: actix_web::HttpRequest,
    path: web::Path<(String, TokenId)>,
    form: Form,
) -> Answer {
    let id = path.into_inner().1;
    let Some(proven) = posting(&call, &form, FRESH).await? else {
        return match posting(&call, &form, Freshness::Any).await? {
            Some(_) => anew(&call, &request, Intent::Show(id)).await,
            None => home(&call),
        };
    };
    speak(&mut call, &proven);
    let whose = (proven.member.user.id, id);
    if !owner::act(&call.site.house, &call.realm, &call.visit, whose, Wish::Remove).await? {
        return home(&call);
    }
    ended(&call, id, "token-remove-done")
}
