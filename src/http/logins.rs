//! A login's beginning and a session's end, as every door shows them to a browser.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use url::Url;

use super::page::Frame;
use super::{Answer, Call, Fault, cookies, page};
use crate::domain::application::Protocol;
use crate::domain::session::Session;
use crate::flow::login::{self, Begun, NewLogin};
use crate::flow::logout;
use crate::storage::{Connection, logout_notices};

/// Begins a login, bound to this browser by a cookie, and sends the browser to the desk.
///
/// # Errors
/// As [`login::begin`].
pub async fn begin(call: &Call, request: &HttpRequest, new: &NewLogin) -> Answer {
    let begun = login::begin(&call.site.house, &call.realm, &call.visit, &call.browser, new).await?;
    to_desk(call, request, &begun)
}

/// Sends the browser to the desk of a login that has begun, with its cookie; cookies of logins beyond what anybody needs go.
///
/// # Errors
/// [`Fault::Internal`] if a cookie cannot be written, which no value of ours causes.
pub fn to_desk(call: &Call, request: &HttpRequest, begun: &Begun) -> Answer {
    let urls = &call.site.urls;
    let mut response = page::see(&urls.desk(call.realm.code(), begun.login));
    let cookie = cookies::secret(urls, cookies::Kind::Login(begun.login), &begun.cookie);
    for cookie in cookies::surplus(request, urls).into_iter().chain([cookie]) {
        add(&mut response, &cookie)?;
    }
    Ok(response)
}

/// Ends this browser's session. The browser tells the applications that want to hear of it from there, goes around the service
/// providers that heard of the session, and ends at `target`, which was checked.
///
/// # Errors
/// If the database fails; as [`to_desk`].
pub async fn log_out(call: &Call, session: &Session, target: Option<&str>) -> Answer {
    let frames = frames(call, session).await?;
    let (house, realm) = (&call.site.house, &call.realm);
    let ended = std::slice::from_ref(session);
    let told = logout::begin(house, realm, &call.visit, ended, logout::End::GoTo(target)).await?;
    let way = told.as_ref().map(|told| call.site.urls.single_logout(realm.code(), told.id));
    let mut response = logged_out(call, way.as_deref().or(target), &frames)?;
    if let Some(told) = &told {
        on_its_way(call, &mut response, told)?;
    }
    Ok(response)
}

/// The addresses that this browser opens in frames to tell applications of the end of `session`, with issuer and session
/// (Front-Channel Logout 2).
///
/// # Errors
/// If the database fails.
pub async fn frames(call: &Call, session: &Session) -> Result<Vec<String>, Fault> {
    let (tenant, db) = (call.realm.tenant(), &call.site.house.db);
    let found = async |connection: &mut Connection| {
        logout_notices::applications(tenant, session.user, session.id).ask(connection).await
    };
    let applications = db.read(found).await?;
    let (issuer, sid) = (call.site.urls.base(call.realm.code()), session.id.to_string());
    let address = |id| match &call.realm.config.application(id)?.protocol {
        Protocol::Oidc(client) => {
            let mut url = Url::parse(client.frontchannel_logout_uri.as_deref()?).ok()?;
            url.query_pairs_mut().append_pair("iss", &issuer).append_pair("sid", &sid);
            Some(url.to_string())
        }
        _ => None,
    };
    Ok(applications.into_iter().filter_map(address).collect())
}

#[derive(Template)]
#[template(path = "logged_out.html")]
struct LoggedOutPage<'a> {
    frame: Frame,
    frames: &'a [String],
    target: &'a str,
    /// The key of the words that lead there.
    on: &'static str,
}

/// Where a person is who is logged out: at `target`, or at a page of ours, which has the `frames` and leads there.
///
/// # Errors
/// As [`page::page`].
pub fn after(call: &Call, target: Option<&str>, frames: &[String]) -> Answer {
    let target = match target {
        Some(target) if frames.is_empty() => return Ok(page::see(target)),
        target => target.unwrap_or_default(),
    };
    let response = page::page(&LoggedOutPage {
        frame: Frame::of(call, "logged-out-title").at(String::new()),
        frames,
        target,
        on: if target.starts_with(call.site.urls.public()) { "continue" } else { "logged-out-back" },
    })?;
    Ok(page::framing(response, frames.iter().filter_map(|frame| page::policy_source(frame)).collect()))
}

/// [`after`] the end of a session: nothing of the pages that were seen stays in the browser (T-24).
///
/// # Errors
/// As [`to_desk`].
pub fn logged_out(call: &Call, target: Option<&str>, frames: &[String]) -> Answer {
    let mut response = after(call, target, frames)?;
    add(&mut response, &cookies::gone(&call.site.urls, cookies::Kind::Session(call.realm.code())))?;
    let (name, value) = (HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\""));
    response.headers_mut().insert(name, value);
    Ok(response)
}

/// Binds a logout to the browser that gets this response: nobody else goes on with it, and learns whom it leads to (T-45).
///
/// # Errors
/// As [`to_desk`].
pub fn on_its_way(call: &Call, response: &mut HttpResponse, begun: &logout::Begun) -> Result<(), Fault> {
    add(response, &cookies::secret(&call.site.urls, cookies::Kind::Logout(begun.id), &begun.cookie))
}

fn add(response: &mut HttpResponse, cookie: &actix_web::cookie::Cookie<'_>) -> Result<(), Fault> {
    response.add_cookie(cookie).map_err(|error| Fault::Internal(error.to_string()))
}
