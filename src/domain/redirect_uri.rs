//! Addresses that a browser may be sent to with an answer: registered once, then compared exactly.
//!
//! Most takeovers of the last years at this door came from *understanding* an address instead of
//! comparing it (T-46). So registration understands and refuses, and comparison only compares.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An address that an operator registered for an application.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedirectUri(String);

/// Why an address cannot be registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectUriError {
    /// It is empty or longer than 2000 characters.
    #[error("an address has 1 to 2000 characters")]
    Length,
    /// It has blanks, control characters, backslashes or letters beyond ASCII.
    #[error("an address has printable ASCII characters only, no blanks and no backslashes; encode others with %")]
    Characters,
    /// It cannot be read as an absolute address.
    #[error("this is not an absolute address")]
    NotAbsolute,
    /// It has a fragment.
    #[error("an address must not have a fragment (#…)")]
    Fragment,
    /// It has a user name or a password in it.
    #[error("an address must not carry a user name or password")]
    UserInfo,
    /// It is not https, nor http on the loopback interface, nor an app's own scheme.
    #[error(
        "an address begins with https://, with http:// on 127.0.0.1, [::1] or localhost, or with an app's own scheme such as com.example.app:"
    )]
    Scheme,
}

impl RedirectUri {
    const LONGEST: usize = 2000;

    /// Checks an address for registration.
    ///
    /// # Errors
    /// [`RedirectUriError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, RedirectUriError> {
        if text.is_empty() || text.len() > Self::LONGEST {
            return Err(RedirectUriError::Length);
        }
        if !text.bytes().all(|b| b.is_ascii_graphic() && !b"\\\"<>`{}|^".contains(&b)) {
            return Err(RedirectUriError::Characters);
        }
        if text.contains('#') {
            return Err(RedirectUriError::Fragment);
        }
        let url = url::Url::parse(text).map_err(|_| RedirectUriError::NotAbsolute)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RedirectUriError::UserInfo);
        }
        let allowed = match url.scheme() {
            "https" => text.starts_with("https://"),
            "http" => loopback_rest(text).is_some(),
            // RFC 8252, 7.1: an app's own scheme is a reversed domain name; that also keeps out
            // `javascript:` and its kin.
            scheme => scheme.contains('.') && text.starts_with(scheme),
        };
        if allowed { Ok(Self(text.to_owned())) } else { Err(RedirectUriError::Scheme) }
    }

    /// The address as registered.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `presented` is this address: octet by octet, apart from the port of a loopback
    /// address, which an app on a desktop cannot know in advance (RFC 8252, 7.3; R-504).
    #[must_use]
    pub fn admits(&self, presented: &str) -> bool {
        if presented == self.0 {
            return true;
        }
        match (loopback_rest(&self.0), loopback_rest(presented)) {
            (Some((host, rest)), Some((other_host, other_rest))) => host == other_host && rest == other_rest,
            _ => false,
        }
    }
}

/// For `http://` on a loopback host: the host, and what follows the port.
fn loopback_rest(address: &str) -> Option<(&'static str, &str)> {
    let after_scheme = address.strip_prefix("http://")?;
    ["127.0.0.1", "[::1]", "localhost"].into_iter().find_map(|host| {
        let rest = after_scheme.strip_prefix(host)?;
        let rest = match rest.strip_prefix(':') {
            None => rest,
            Some(port_and_rest) => {
                let digits = port_and_rest.bytes().take_while(u8::is_ascii_digit).count();
                let (port, rest) = port_and_rest.split_at_checked(digits)?;
                let port_is_one = !port.starts_with('0') && port.parse::<u16>().is_ok();
                port_is_one.then_some(rest)?
            }
        };
        // Otherwise `127.0.0.1.evil.example` or `127.0.0.1@evil.example` would begin alike.
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((host, rest))
    })
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RedirectUri {
    type Error = RedirectUriError;
    fn try_from(text: String) -> Result<Self, RedirectUriError> {
        Self::parse(&text)
    }
}

impl From<RedirectUri> for String {
    fn from(uri: RedirectUri) -> Self {
        uri.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::parse(text).expect("registrable")
    }

    /// R-504, T-46.
    #[test]
    fn only_addresses_that_are_safe_to_return_to_are_registered() {
        for good in [
            "https://rp.example/cb",
            "https://rp.example:8443/cb?tenant=1&x=%20",
            "http://127.0.0.1:9000/callback",
            "http://[::1]/cb",
            "http://localhost",
            "com.example.app:/oauth2redirect",
        ] {
            assert!(RedirectUri::parse(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", RedirectUriError::Length),
            (&"https://rp.example/".repeat(200), RedirectUriError::Length),
            ("https://rp.example/c b", RedirectUriError::Characters),
            ("https://rp.example\\@evil.example/", RedirectUriError::Characters),
            ("https://rp.exämple/", RedirectUriError::Characters),
            ("https://rp.example/\r\nSet-Cookie:x", RedirectUriError::Characters),
            ("/cb", RedirectUriError::NotAbsolute),
            ("rp.example/cb", RedirectUriError::NotAbsolute),
            ("https://rp.example/#x", RedirectUriError::Fragment),
            ("https://a@rp.example/", RedirectUriError::UserInfo),
            ("https://a:b@rp.example/", RedirectUriError::UserInfo),
            ("http://rp.example/cb", RedirectUriError::Scheme),
            ("http://127.0.0.1.evil.example/cb", RedirectUriError::Scheme),
            ("HTTPS://rp.example/cb", RedirectUriError::Scheme),
            ("https:rp.example/cb", RedirectUriError::Scheme),
            ("javascript:alert(1)", RedirectUriError::Scheme),
            ("data:text/html,x", RedirectUriError::Scheme),
            ("myapp:/cb", RedirectUriError::Scheme),
        ] {
            assert_eq!(RedirectUri::parse(bad), Err(why), "{bad}");
        }
    }

    ///
    #[test]
    fn the_port_of_a_loopback_address_is_free_and_nothing_else() {
        let registered = uri("http://127.0.0.1:9000/callback?x=1");
        for good in [
            "http://127.0.0.1:9000/callback?x=1",
            "http://127.0.0.1:51004/callback?x=1",
            "http://127.0.0.1/callback?x=1",
        ] {
            assert!(registered.admits(good), "{good}");
        }
        for bad in [
            "http://localhost:9000/callback?x=1",
            "http://[::1]:9000/callback?x=1",
            "https://127.0.0.1:9000/callback?x=1",
            "http://127.0.0.1:9000/callback",
            "http://127.0.0.1:9000/callback?x=2",
            "http://127.0.0.1:/callback?x=1",
            "http://127.0.0.1:09000/callback?x=1",
            "http://127.0.0.1:99999/callback?x=1",
            "http://127.0.0.1:9000@evil.example/callback?x=1",
            "http://127.0.0.1:9000.evil.example/callback?x=1",
            "http://127.0.0.1.evil.example/callback?x=1",
            "http://127.0.0.1@evil.example/callback?x=1",
            "http://127.1:9000/callback?x=1",
            "http://127.0.0.1:9000/callback?x=1#f",
            "http://127.0.0.1:9000/callback?x=1 ",
        ] {
            assert!(!registered.admits(bad), "{bad}");
        }
        assert!(!uri("https://rp.example/cb").admits("https://rp.example:443/cb"));
    }

    /// AUTH-08 of the acceptance checks: near misses, each of which some server once let pass.
    fn near_misses(base: &str) -> Vec<String> {
        let mut misses: Vec<String> =
            ["?x=1", "/", "/../evil", "x", "#f", "%00", "%2e", "?", "\\@evil.example", " ", "\t", "\0", ";", "&"]
                .iter()
                .map(|tail| format!("{base}{tail}"))
                .collect();
        for (from, to) in [
            ("/cb", "/CB"),
            ("/cb", "//cb"),
            ("/cb", "/./cb"),
            ("/cb", "/x/../cb"),
            ("/cb", "/%63b"),
            ("/cb", ""),
            ("https:", "HTTPS:"),
            ("https:", "http:"),
            ("https:", ""),
            ("https://", "https:/"),
            ("https://", "https:///"),
            ("rp.example", "rp.example:443"),
            ("rp.example", "RP.example"),
            ("rp.example", "rp.example."),
            ("rp.example", "a@rp.example"),
            ("rp.example", "rp.example@evil.example"),
            ("rp.example", "rp.example.evil.example"),
            ("rp.example", "sub.rp.example"),
            ("rp.example", "rp%2eexample"),
            ("rp.example", "evil.example"),
            ("rp.example", "rp.exampl\u{435}"),
        ] {
            misses.push(base.replacen(from, to, 1));
        }
        misses.push(format!(" {base}"));
        misses.push(format!("{base},{base}"));
        misses
    }

    /// AC-34, T-46.
    #[test]
    fn near_misses_are_refused() {
        let base = "https://rp.example/cb";
        for miss in near_misses(base) {
            assert!(!uri(base).admits(&miss), "{miss:?}");
        }
    }

    proptest! {
        /// T-46, AC-34: whatever is one edit away from a registered address is another address.
        #[test]
        fn every_neighbour_of_an_address_is_refused(at in 0usize..30, insert in any::<char>(), kind in 0u8..3) {
            for base in ["https://rp.example/cb?a=b", "com.example.app:/redirect"] {
                let mut neighbour: Vec<char> = base.chars().collect();
                let at = at % neighbour.len();
                match kind {
                    0 => neighbour.insert(at, insert),
                    1 => drop(neighbour.remove(at)),
                    _ => neighbour[at] = insert,
                }
                let neighbour: String = neighbour.into_iter().collect();
                prop_assume!(neighbour != base);
                prop_assert!(!uri(base).admits(&neighbour), "{}", neighbour);
            }
        }
    }
}
