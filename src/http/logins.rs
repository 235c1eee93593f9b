//! A login's beginning and a session's end, as every door shows them to a browser.

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use super::{Answer, Call, Fault, cookies, page};
use crate::flow::login::{self, Begun, NewLogin};

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

/// The end of a session at a page of ours: the browser goes to `next`, and nothing of the pages that were seen stays in it (T-24).
///
/// # Errors
/// As [`to_desk`].
pub fn logged_out(call: &Call, next: &str) -> Answer {
    let mut response = page::see(next);
    add(&mut response, &cookies::gone(&call.site.urls, cookies::Kind::Session(call.realm.code())))?;
    let (name, value) = (HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"cache\""));
    response.headers_mut().insert(name, value);
    Ok(response)
}

fn add(response: &mut HttpResponse, cookie: &actix_web::cookie::Cookie<'_>) -> Result<(), Fault> {
    response.add_cookie(cookie).map_err(|error| Fault::Internal(error.to_string()))
}
