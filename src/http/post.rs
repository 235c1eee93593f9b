//! The page that lets a browser post an answer to an application: at once, or by its button without scripts
//! (U25; SAML HTTP-POST binding, OAuth 2.0 Form Post Response Mode).

use actix_web::http::header::{HeaderName, HeaderValue};
use askama::Template;
use askama::filters::HtmlSafe;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::page::{self, Frame};
use super::{Answer, Call};

/// A hidden field.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: Content,
}

/// The value of a hidden field, which writes itself as HTML.
#[derive(Debug, Clone)]
pub enum Content {
    /// Any text. It is escaped.
    Text(String),
    /// Octets, written in base64, which has nothing that could be escaped: in a long message it is not looked for.
    Octets(Vec<u8>),
}

impl std::fmt::Display for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => {
                let escaped = askama::filters::escape(text, askama::filters::Html).map_err(|_| std::fmt::Error)?;
                write!(f, "{escaped}")
            }
            Self::Octets(octets) => f.write_str(&STANDARD.encode(octets)),
        }
    }
}

impl HtmlSafe for Content {}

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

/// The page. It has one form, whose one address was registered and is escaped (T-22).
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
    // Chromium and WebKit hold every redirect that the application makes behind its address against our policy, and it may
    // lead to any other origin of its people, which nobody registers. So the policy names no more than the scheme here, and
    // with it programs on the person's own computer (RFC 8252 7.3).
    let targets = match url::Url::parse(&action).ok().as_ref().map(url::Url::scheme) {
        Some("https") => vec!["https:".to_owned(), "http://127.0.0.1:*".to_owned(), "http://localhost:*".to_owned()],
        Some("http") => vec!["https:".to_owned(), "http:".to_owned()],
        scheme => scheme.map(|scheme| format!("{scheme}:")).into_iter().collect(),
    };
    let frame = Frame::of(call, title).at(String::new());
    let response = page::page(&PostPage { frame, text, action, fields })?;
    Ok(page::leading_to(response, targets))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// T-22.
    #[test]
    fn no_value_of_a_field_is_markup() {
        let text = Content::Text("\"><script>&'".to_owned());
        assert_eq!(text.to_string(), "&#34;&#62;&#60;script&#62;&#38;&#39;");
        let octets: Vec<u8> = (0..=255).collect();
        let written = Content::Octets(octets.clone()).to_string();
        assert!(written.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+/=".contains(&octet)), "{written}");
        assert_eq!(STANDARD.decode(written).expect("base64"), octets);
    }
}
