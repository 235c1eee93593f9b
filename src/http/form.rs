//! Forms: what a page of ours posts, and the proof that it was a page of ours (T-18).

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, ORIGIN};
use actix_web::{FromRequest, HttpRequest, web};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::LocalBoxFuture;
use zeroize::Zeroizing;

use super::{Fault, Site};
use crate::domain::secret::SecretString;

/// The longest form that is read, in octets.
pub const LONGEST: usize = 16 * 1024;

/// The fields of a posted form. A field that is there twice counts as not there: which of them would be
/// meant is exactly what an attacker would like to decide.
pub struct Form(Vec<(String, Zeroizing<String>)>);

impl std::fmt::Debug for Form {
    /// The names only: values may be passwords (T-74).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Form {
    /// Reads the fields of an encoded form.
    #[must_use]
    pub fn parse(body: &[u8]) -> Self {
        let fields = form_urlencoded::parse(body);
        Self(fields.map(|(name, value)| (name.into_owned(), Zeroizing::new(value.into_owned()))).collect())
    }

    /// A form with these fields, however they were sent.
    #[must_use]
    pub fn of(fields: Vec<(String, String)>) -> Self {
        Self(fields.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect())
    }

    /// The value of the one field `name`; empty if there is none or more than one.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        let mut values = self.0.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str());
        match (values.next(), values.next()) {
            (Some(value), None) => value,
            _ => "",
        }
    }

    /// Every value of a field that may be there several times, such as boxes that are ticked, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Every field, in order, for a page that asks once more before it is done.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there is such a field at all.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| field == name)
    }

    /// How often a field is there.
    #[must_use]
    pub fn times(&self, name: &str) -> usize {
        self.0.iter().filter(|(field, _)| field == name).count()
    }

    /// The value of a field that nobody else may see.
    #[must_use]
    pub fn secret(&self, name: &str) -> SecretString {
        SecretString::from(self.text(name).to_owned())
    }

    /// Checks that the form was made by a page of ours for `purpose`, see [`token`].
    ///
    /// # Errors
    /// [`Fault::Forged`].
    pub fn check(&self, site: &Site, purpose: &[&[u8]]) -> Result<(), Fault> {
        let sent = URL_SAFE_NO_PAD.decode(self.text("csrf")).map_err(|_| Fault::Forged)?;
        if site.house.derived.csrf.matches(purpose, &sent) { Ok(()) } else { Err(Fault::Forged) }
    }
}

/// The value of the hidden field `csrf` for `purpose`: the virtual server and the login or session that the
/// form belongs to. It is a keyed hash, so nobody else can make one for somebody else's login (R-469).
#[must_use]
pub fn token(site: &Site, purpose: &[&[u8]]) -> String {
    URL_SAFE_NO_PAD.encode(site.house.derived.csrf.of(purpose))
}

/// Whether a request that changes something may come from where it says it comes from.
///
/// `Origin: null` is what browsers send for our own forms, because our pages send no referrer (R-601); the
/// form's own token decides then. Browsers that know `Sec-Fetch-Site` tell the truth in it.
fn comes_from_us(headers: &HeaderMap, public: &str) -> bool {
    let text = |value: &actix_web::http::header::HeaderValue| value.to_str().unwrap_or("?").to_owned();
    let site = headers.get("sec-fetch-site").map(text);
    if site.is_some_and(|site| site != "same-origin") {
        return false;
    }
    headers.get(ORIGIN).map(text).is_none_or(|origin| origin == "null" || origin == public)
}

/// Whether a request brings a form, as its content type says.
#[must_use]
pub fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

impl FromRequest for Form {
    type Error = Fault;
    type Future = LocalBoxFuture<'static, Result<Self, Fault>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        Box::pin(read(request, payload, LONGEST))
    }
}

/// Reads a form of at most `longest` octets that may come from where it says it comes from.
pub(super) fn read(
    request: &HttpRequest,
    payload: &mut Payload,
    longest: usize,
) -> impl Future<Output = Result<Form, Fault>> + use<> {
    let headers = request.headers();
    let site = request.app_data::<web::Data<Site>>();
    let ours = site.is_some_and(|site| comes_from_us(headers, site.urls.public()));
    let is_form = is_form(headers);
    let body = web::Bytes::from_request(request, payload);
    async move {
        if !ours {
            return Err(Fault::Forged);
        }
        if !is_form {
            return Err(Fault::NotAForm);
        }
        let body = body.await.map_err(|_| Fault::TooLarge)?;
        if body.len() > longest { Err(Fault::TooLarge) } else { Ok(Form::parse(&body)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::ExposeSecret as _;
    use actix_web::http::header::{HeaderName, HeaderValue};

    #[test]
    fn a_field_that_is_there_twice_is_not_there() {
        let form = Form::parse(b"code=1&code=2&platform=ios&password=p%26w+x");
        assert_eq!((form.text("code"), form.text("platform"), form.text("none")), ("", "ios", ""));
        assert_eq!(form.secret("password").expose_secret(), "p&w x");
        assert_eq!(format!("{form:?}"), r#"["code", "code", "platform", "password"]"#);
    }

    #[test]
    fn a_form_is_told_by_its_content_type() {
        for (kind, is) in [
            ("application/x-www-form-urlencoded", true),
            ("Application/X-WWW-Form-Urlencoded ; charset=UTF-8", true),
            ("application/x-www-form-urlencoded-not", false),
            ("multipart/form-data; boundary=application/x-www-form-urlencoded", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(is_form(&headers), is, "{kind}");
        }
        assert!(!is_form(&HeaderMap::new()));
    }

    /// T-18.
    #[test]
    fn a_post_from_elsewhere_is_refused() {
        let ours = "https://login.example.com";
        for (origin, site, accepted) in [
            (None, None, true),
            (Some(ours), None, true),
            (Some(ours), Some("same-origin"), true),
            (Some("null"), Some("same-origin"), true),
            (Some("null"), Some("cross-site"), false),
            (Some("https://evil.example"), None, false),
            (Some("https://login.example.com.evil.example"), None, false),
            (None, Some("cross-site"), false),
            (None, Some("same-site"), false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
                if let Some(value) = value {
                    headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
                }
            }
            assert_eq!(comes_from_us(&headers, ours), accepted, "{origin:?} {site:?}");
        }
    }
}
