//! The page that lets a browser post an answer to an application: at once, or by its button without scripts
//! (U25; SAML HTTP-POST binding, OAuth 2.0 Form Post Response Mode).

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
    action: String,
    fields: Vec<Field>,
}

/// The page. Its policy lets the form lead to `action` and nowhere else (T-22).
///
/// # Errors
/// As [`page::page`].
pub fn page(call: &Call, action: String, fields: Vec<Field>) -> Answer {
    let targets = url::Url::parse(&action).map(|url| match url.scheme() {
        "http" | "https" => url.origin().ascii_serialization(),
        scheme => format!("{scheme}:"),
    });
    let frame = Frame::of(call, "post-title").at(String::new());
    let response = page::page(&PostPage { frame, action, fields })?;
    // Redirects that the application makes afterwards are its own; browsers hold them against our policy as
    // well, so its whole origin is allowed, not only the one address.
    Ok(page::leading_to(response, targets.into_iter().collect()))
}
