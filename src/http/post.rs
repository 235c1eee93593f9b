//! The page that lets a browser post an answer to an application: at once, or by its button without scripts
//! (U25; SAML HTTP-POST binding, OAuth 2.0 Form Post Response Mode).

use actix_web::http::header::{HeaderName, HeaderValue};
use askama::Template;

use super::page::{self, Frame};
use super::{Answer, Call};

/// A hidden field.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its value, not escaped; the template does that.
    pub value: String,
}

#[derive(Template)]
#[template(path = "post.html")]
struct PostPage {
    frame: Frame,
    text: &'static str,
    action: String,
    fields: Vec<Field>,
}

#[derive(Template)]
#[template(path = "passage.html")]
struct PassagePage {
    frame: Frame,
    text: &'static str,
    address: String,
}

/// The page. Its policy lets the form lead to `action` and nowhere else (T-22).
///
/// # Errors
/// As [`page::page`].
pub fn page(call: &Call, action: String, fields: Vec<Field>) -> Answer {
    page_with(call, ("post-title", "post-text"), action, fields)
}

/// As [`page()`], with other words: the keys of a title and a text.
///
/// # Errors
/// As [`page::page`].
pub fn page_with(call: &Call, (title, text): (&str, &'static str), action: String, fields: Vec<Field>) -> Answer {
    let targets = url::Url::parse(&action).map(|url| match url.scheme() {
        "http" | "https" => url.origin().ascii_serialization(),
        scheme => format!("{scheme}:"),
    });
    let frame = Frame::of(call, title).at(String::new());
    let response = page::page(&PostPage { frame, text, action, fields })?;
    // Redirects that the application makes afterwards are its own; browsers hold them against our policy as
    // well, so its whole origin is allowed, not only the one address.
    Ok(page::leading_to(response, targets.into_iter().collect()))
}

/// A page that leads to `address` by itself. Where the browser comes from a form of ours, it holds every redirect after
/// it against that page's policy, through all servers in between; a page in the middle begins anew.
///
/// # Errors
/// As [`page::page`].
pub fn passage(call: &Call, (title, text): (&str, &'static str), address: &str) -> Answer {
    let frame = Frame::of(call, title).at(String::new());
    let mut response = page::page(&PassagePage { frame, text, address: address.to_owned() })?;
    if let Ok(value) = HeaderValue::from_str(&format!("0; url={address}")) {
        response.headers_mut().insert(HeaderName::from_static("refresh"), value);
    }
    Ok(response)
}
