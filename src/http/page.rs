//! Pages: the frame around each of them, and the answer that carries it.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, LOCATION};
use askama::Template;
use askama::filters::HtmlSafe;

use super::brand::Brand;
use super::{Call, Fault, assets, headers};
use crate::domain::ids::CorrelationId;
use crate::flow::Realm;
use crate::i18n::{Language, Texts, Value, Words};

/// What every page shows besides its own content.
#[derive(Debug, Clone)]
pub struct Frame {
    texts: Texts,
    /// The language of the page.
    pub language: Language,
    /// The organization, or the product where none is known.
    pub organization: String,
    /// How the virtual server wants its pages to look; none where they look like ours.
    pub brand: Option<Brand>,
    /// What the page title begins with: the name of the step.
    pub title: String,
    /// The current path, for the language selector.
    pub path: String,
    /// How to reach the help desk; may be empty.
    pub help_contact: String,
    /// What the help desk asks for.
    pub correlation: CorrelationId,
    /// The hidden field of forms.
    pub csrf: String,
}

impl Frame {
    /// The frame of a page in a virtual server, titled by the text `title`.
    #[must_use]
    pub fn of(call: &Call, title: &str) -> Self {
        let texts = call.texts();
        Self {
            language: call.language,
            organization: call.realm.config.title().to_owned(),
            brand: Brand::of(&call.realm.config),
            title: texts.plain(call.language, title, &[]),
            texts,
            path: call.path.clone(),
            help_contact: call.realm.config.settings.help_contact.clone(),
            correlation: call.visit.correlation,
            csrf: String::new(),
        }
    }

    /// The frame of a page of the operator console, which speaks English.
    #[must_use]
    pub fn of_console(call: &Call, title: &str) -> Self {
        Self {
            language: Language::English,
            organization: call.realm.config.tenant.name.clone(),
            title: title.to_owned(),
            path: String::new(),
            ..Self::bare(&call.site.texts, Language::English, "", call.visit.correlation)
        }
    }

    /// The frame of a page outside any virtual server; where `title` is empty, it has none yet.
    #[must_use]
    pub fn bare(texts: &Texts, language: Language, title: &str, correlation: CorrelationId) -> Self {
        Self {
            texts: texts.clone(),
            language,
            organization: "Vestibule".to_owned(),
            brand: None,
            title: if title.is_empty() { String::new() } else { texts.plain(language, title, &[]) },
            path: String::new(),
            help_contact: String::new(),
            correlation,
            csrf: String::new(),
        }
    }

    /// With name, looks, texts and help desk of a virtual server, where one is known (R-465).
    #[must_use]
    pub fn in_realm(self, realm: Option<&Realm>) -> Self {
        match realm {
            Some(realm) => Self {
                organization: realm.config.title().to_owned(),
                brand: Brand::of(&realm.config),
                texts: self.texts.with(&realm.config.messages),
                help_contact: realm.config.settings.help_contact.clone(),
                ..self
            },
            None => self,
        }
    }

    /// With forms that carry this token.
    #[must_use]
    pub fn with_csrf(self, csrf: String) -> Self {
        Self { csrf, ..self }
    }

    /// With the language selector leading to another path, where the current one takes forms only.
    #[must_use]
    pub fn at(self, path: String) -> Self {
        Self { path, ..self }
    }

    /// A text of the page, marked where it is not in the page's language (R-530).
    #[must_use]
    pub fn t(&self, key: impl AsRef<str>) -> Marked {
        Marked(self.texts.words(self.language, key.as_ref(), &[]))
    }

    /// A text that mentions a value.
    #[must_use]
    pub fn v(&self, key: impl AsRef<str>, name: &'static str, value: impl Into<Value>) -> Marked {
        Marked(self.texts.words(self.language, key.as_ref(), &[(name, value.into())]))
    }

    /// A text that mentions two values.
    #[must_use]
    pub fn v2(
        &self,
        key: impl AsRef<str>,
        first: (&'static str, &dyn ToString),
        second: (&'static str, &dyn ToString),
    ) -> Marked {
        let values = [(first.0, Value::Text(first.1.to_string())), (second.0, Value::Text(second.1.to_string()))];
        Marked(self.texts.words(self.language, key.as_ref(), &values))
    }

    /// A text for an attribute, where nothing can be marked.
    #[must_use]
    pub fn plain(&self, key: impl AsRef<str>) -> String {
        self.texts.plain(self.language, key.as_ref(), &[])
    }

    /// The path of a file.
    #[must_use]
    pub fn asset(&self, name: &str) -> &'static str {
        assets::path(name)
    }

    /// Every language, for the selector.
    #[must_use]
    pub fn languages(&self) -> [Language; 8] {
        Language::ALL
    }

    /// Every text, for words that a page composes itself.
    #[must_use]
    pub const fn texts(&self) -> &Texts {
        &self.texts
    }
}

/// A text in HTML: escaped, and marked as English where the page is in another language.
#[derive(Debug, Clone)]
pub struct Marked(Words);

impl std::fmt::Display for Marked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Words { text, fallback } = &self.0;
        let escaped = askama::filters::escape(text, askama::filters::Html).map_err(|_| std::fmt::Error)?;
        if *fallback { write!(f, r#"<span lang="en">{escaped}</span>"#) } else { write!(f, "{escaped}") }
    }
}

impl HtmlSafe for Marked {}

/// A page, with status 200.
///
/// # Errors
/// [`Fault::Internal`] if the template fails, which only a full memory can cause.
pub fn page(template: &impl Template) -> super::Answer {
    page_with_status(StatusCode::OK, template)
}

/// A page with another status.
///
/// # Errors
/// As [`page`].
pub fn page_with_status(status: StatusCode, template: &impl Template) -> super::Answer {
    let body = template.render().map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(HttpResponse::build(status).insert_header((CONTENT_TYPE, "text/html; charset=utf-8")).body(body))
}

/// A page whose forms lead, at the end of a chain of redirects, to one of `targets` outside of us.
#[must_use]
pub fn leading_to(mut response: HttpResponse, targets: Vec<String>) -> HttpResponse {
    response.extensions_mut().insert(headers::FormTargets(targets));
    response
}

/// An address as a content security policy names it: scheme, host and port; or a scheme alone, for native apps.
#[must_use]
pub fn policy_source(address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok()?;
    match (url.scheme(), url.host_str()) {
        // RFC 8252 7.3: a native app's loopback listener picks its port at the last moment.
        ("http", Some(host @ ("127.0.0.1" | "[::1]" | "localhost"))) => Some(format!("http://{host}:*")),
        ("http" | "https", Some(_)) => Some(url.origin().ascii_serialization()),
        (scheme, _) => Some(format!("{scheme}:")),
    }
}

/// A page that opens `sources` in frames: applications that are told of a logout by the browser.
#[must_use]
pub fn framing(mut response: HttpResponse, sources: Vec<String>) -> HttpResponse {
    response.extensions_mut().insert(headers::FrameSources(sources));
    response
}

/// "See there": the answer to every form (architecture.md, rule 6).
#[must_use]
pub fn see(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, location)).finish()
}

/// The page of a fault.
#[derive(Template)]
#[template(path = "error.html")]
pub struct FaultPage {
    /// The frame.
    pub frame: Frame,
    /// The key of its texts.
    pub key: &'static str,
}

impl FaultPage {
    /// The key of what happened and what to do.
    fn text(&self) -> String {
        format!("{}-text", self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T-22.
    #[test]
    fn a_policy_names_origins_and_schemes_only() {
        for (address, expected) in [
            ("https://app.example.com/callback?x=1", Some("https://app.example.com")),
            ("http://127.0.0.1:9000/callback", Some("http://127.0.0.1:*")),
            ("com.example.app:/callback", Some("com.example.app:")),
            ("https://app.example.com:8443/", Some("https://app.example.com:8443")),
            ("nonsense", None),
        ] {
            assert_eq!(policy_source(address).as_deref(), expected, "{address}");
        }
    }
}
