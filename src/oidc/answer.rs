//! The way back: where the answer to an authorization request goes, and in which form.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::error::AuthorizationError;

/// How the answer is delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    /// In the query of a redirect.
    #[default]
    Query,
    /// By a form that the browser posts (OAuth 2.0 Form Post Response Mode).
    FormPost,
}

/// A proven address and what must be sent along to it. Made only by the request's checks, so holding
/// one means that the address is registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnAddress {
    /// The address, exactly as the request gave it.
    pub(super) redirect_uri: String,
    /// How to deliver.
    pub(super) mode: ResponseMode,
    /// Given back unchanged.
    pub(super) state: Option<String>,
}

/// An answer, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Redirect the browser here, by 303 so that nothing is ever posted again (RFC 9700, 4.12).
    Redirect(String),
    /// Let the browser post these fields there.
    Form {
        /// Where.
        action: String,
        /// Names and values, not escaped.
        fields: Vec<(&'static str, String)>,
    },
}

impl ReturnAddress {
    /// The address, exactly as the request gave it.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The answer that carries a code.
    #[must_use]
    pub fn code(&self, issuer: &str, code: &str) -> Answer {
        self.answer(issuer, vec![("code", code.to_owned())])
    }

    /// The answer that carries an error.
    #[must_use]
    pub fn error(&self, issuer: &str, error: &AuthorizationError) -> Answer {
        let description = error.description.to_string();
        self.answer(issuer, vec![("error", error.code.name().to_owned()), ("error_description", description)])
    }

    /// Adds `state`, and `iss` so that the application notices an answer from somebody else (RFC 9207).
    fn answer(&self, issuer: &str, mut fields: Vec<(&'static str, String)>) -> Answer {
        if let Some(state) = &self.state {
            fields.push(("state", state.clone()));
        }
        fields.push(("iss", issuer.to_owned()));
        match self.mode {
            ResponseMode::Query => Answer::Redirect(with_query(&self.redirect_uri, &fields)),
            ResponseMode::FormPost => Answer::Form { action: self.redirect_uri.clone(), fields },
        }
    }
}

/// An address with more in its query. A registered query is kept (RFC 6749, 3.1.2), and the address is not touched
/// otherwise.
#[must_use]
pub(super) fn with_query(address: &str, fields: &[(&'static str, String)]) -> String {
    let mut url = address.to_owned();
    let mut separator = match url.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    for (name, value) in fields {
        url.push_str(separator);
        url.push_str(name);
        url.push('=');
        url.extend(utf8_percent_encode(value, ENCODED));
        separator = "&";
    }
    url
}

/// Everything but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oidc::error::AuthorizationErrorCode;
    use proptest::prelude::*;

    fn address(redirect_uri: &str, state: Option<&str>) -> ReturnAddress {
        ReturnAddress {
            redirect_uri: redirect_uri.to_owned(),
            mode: ResponseMode::Query,
            state: state.map(str::to_owned),
        }
    }

    const ISSUER: &str = "https://login.example/t/acme";

    #[test]
    fn every_answer_has_state_and_iss_and_keeps_the_registered_query_t_49_auth_09() {
        let issuer = "iss=https%3A%2F%2Flogin.example%2Ft%2Facme";
        for (uri, expected) in [
            ("https://rp.example/cb", "https://rp.example/cb?code=c&state=s"),
            ("https://rp.example/cb?", "https://rp.example/cb?code=c&state=s"),
            ("https://rp.example/cb?tenant=a", "https://rp.example/cb?tenant=a&code=c&state=s"),
            ("com.example.app:/cb", "com.example.app:/cb?code=c&state=s"),
        ] {
            assert_eq!(address(uri, Some("s")).code(ISSUER, "c"), Answer::Redirect(format!("{expected}&{issuer}")));
        }
        let denied = AuthorizationError::new(AuthorizationErrorCode::AccessDenied, "no");
        let expected = format!("https://rp.example/cb?error=access_denied&error_description=no&{issuer}");
        assert_eq!(address("https://rp.example/cb", None).error(ISSUER, &denied), Answer::Redirect(expected));
    }

    #[test]
    fn a_form_has_the_same_fields_and_nothing_in_its_address_auth_33() {
        let form =
            ReturnAddress { mode: ResponseMode::FormPost, ..address("https://rp.example/cb", Some("a\"'><b>&")) };
        let fields = vec![("code", "c".to_owned()), ("state", "a\"'><b>&".to_owned()), ("iss", ISSUER.to_owned())];
        assert_eq!(form.code(ISSUER, "c"), Answer::Form { action: "https://rp.example/cb".to_owned(), fields });
    }

    proptest! {
        /// AC-34, AUTH-01: whatever the state is, it arrives unchanged, and the address stays the registered one.
        #[test]
        fn any_state_arrives_and_nothing_else_changes(state in ".{1,60}") {
            let Answer::Redirect(url) = address("https://rp.example/cb?x=1", Some(&state)).code(ISSUER, "c") else {
                panic!("a redirect was asked for");
            };
            let parsed = url::Url::parse(&url).expect("a URL");
            prop_assert!(url.is_ascii() && url.starts_with("https://rp.example/cb?x=1&code=c&state="));
            let arrived: Vec<String> = parsed.query_pairs().filter(|(name, _)| name == "state").map(|(_, v)| v.into_owned()).collect();
            prop_assert_eq!(arrived, vec![state]);
        }
    }
}
