//! The cookies of the house: names, flags, lives (T-21).

use std::str::FromStr;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration as Span;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::COOKIE;

use crate::domain::ids::{LoginId, LogoutId, ParkedId};
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::tenant::TenantCode;
use crate::flow::{Browser, logout, parking};
use crate::urls::Urls;

/// How long a browser stays known to a person who logged in with it.
const KNOWN_FOR: Duration = Duration::from_secs(400 * 86_400);
/// How long a user name is remembered.
const NAMED_FOR: Duration = Duration::from_secs(30 * 86_400);
/// How long a login's cookie stays: as long as the longest login.
const LOGIN_FOR: Duration = Duration::from_secs(8 * 3600);
/// More open logins in one browser than anybody needs: beyond it the others' cookies are removed, so that
/// the header does not grow until servers refuse it.
const MOST_LOGINS: usize = 8;
/// The longest cookie value that is looked at.
const LONGEST: usize = 100;
/// The longest cookie value with a name in it: two hundred characters of four octets, and the signature.
const LONGEST_NAME: usize = 1200;

/// What a cookie is for.
#[derive(Debug, Clone, Copy)]
pub enum Kind<'a> {
    /// Binds one login to this browser (INV-12). One for each login, so that two tabs do not disturb each other.
    Login(LoginId),
    /// Binds a request that waits to this browser, from the POST that brought it to the address that answers it.
    Parked(ParkedId),
    /// Binds a logout to the browser that goes from one service provider to the next (T-45).
    Logout(LogoutId),
    /// Finds the single sign-on session of this browser in a virtual server.
    Session(&'a TenantCode),
    /// Tells a browser in which somebody logged in before (T-17).
    Known(&'a TenantCode),
    /// The user name that somebody wants to be remembered in this browser, signed.
    Name(&'a TenantCode),
    /// The language chosen in this browser; not a secret.
    Language,
}

impl Kind<'_> {
    /// The cookie's name. `__Host-` keeps neighbours under the same domain from setting it (T-21); browsers
    /// accept that prefix only over HTTPS.
    fn name(self, urls: &Urls) -> String {
        let plain = match self {
            Self::Login(login) => format!("vl-{login}"),
            Self::Parked(parked) => format!("vp-{parked}"),
            Self::Logout(logout) => format!("vo-{logout}"),
            Self::Session(tenant) => format!("vs-{tenant}"),
            Self::Known(tenant) => format!("vk-{tenant}"),
            Self::Name(tenant) => format!("vn-{tenant}"),
            Self::Language => "lang".to_owned(),
        };
        if urls.secure() { format!("__Host-{plain}") } else { plain }
    }

    /// `None`: until the browser is closed.
    const fn life(self) -> Option<Duration> {
        match self {
            Self::Login(_) => Some(LOGIN_FOR),
            Self::Parked(_) => Some(parking::LIFETIME),
            Self::Logout(_) => Some(logout::LIFETIME),
            Self::Session(_) => None,
            Self::Name(_) => Some(NAMED_FOR),
            Self::Known(_) | Self::Language => Some(KNOWN_FOR),
        }
    }
}

/// A cookie that sets `value`. Lax, because an application's redirect to us must bring it along.
#[must_use]
pub fn set(urls: &Urls, kind: Kind<'_>, value: &str) -> Cookie<'static> {
    let mut cookie = Cookie::build(kind.name(urls), value.to_owned())
        .path("/")
        .http_only(true)
        .secure(urls.secure())
        .same_site(SameSite::Lax)
        .finish();
    if let Some(life) = kind.life() {
        cookie.set_max_age(Span::seconds(i64::try_from(life.as_secs()).unwrap_or(i64::MAX)));
    }
    cookie
}

/// As [`set`], for a value that nobody else may see.
#[must_use]
pub fn secret(urls: &Urls, kind: Kind<'_>, value: &SecretString) -> Cookie<'static> {
    set(urls, kind, value.expose_secret())
}

/// A cookie that removes the one of this kind.
#[must_use]
pub fn gone(urls: &Urls, kind: Kind<'_>) -> Cookie<'static> {
    let mut cookie = set(urls, kind, "");
    cookie.make_removal();
    cookie
}

/// The value of the cookie of this kind, if the browser sent one of a sensible length.
#[must_use]
pub fn value(request: &HttpRequest, urls: &Urls, kind: Kind<'_>) -> Option<SecretString> {
    if !request.headers().contains_key(COOKIE) {
        // Programs send none, and ask most often.
        return None;
    }
    let cookie = request.cookie(&kind.name(urls))?;
    let value = cookie.value();
    let longest = if matches!(kind, Kind::Name(_)) { LONGEST_NAME } else { LONGEST };
    (1..=longest).contains(&value.len()).then(|| SecretString::from(value.to_owned()))
}

/// The language chosen in this browser, from the line of its cookies.
#[must_use]
pub fn language(line: &str, urls: &Urls) -> Option<String> {
    let name = Kind::Language.name(urls);
    let mut cookies = line.split(';').filter_map(|cookie| cookie.trim().split_once('='));
    let (_, chosen) = cookies.find(|(of, _)| *of == name)?;
    (1..=LONGEST).contains(&chosen.len()).then(|| chosen.to_owned())
}

/// What use cases want to know of the cookies.
#[must_use]
pub fn browser(request: &HttpRequest, urls: &Urls, tenant: &TenantCode, login: Option<LoginId>) -> Browser {
    Browser {
        login: login.and_then(|login| value(request, urls, Kind::Login(login))),
        session: value(request, urls, Kind::Session(tenant)),
        known: value(request, urls, Kind::Known(tenant)),
    }
}

/// The logins that this browser has cookies of, the youngest first: browsers send older cookies before younger
/// ones (RFC 6265 5.4). Not more of them than we let a browser keep, so that a made-up header costs little.
#[must_use]
pub fn logins(request: &HttpRequest, urls: &Urls) -> Vec<(LoginId, SecretString)> {
    let logins = named::<LoginId>(request, urls, "vl-").into_iter().rev();
    let logins = logins.filter_map(|login| Some((login, value(request, urls, Kind::Login(login))?)));
    logins.take(MOST_LOGINS + 1).collect()
}

/// What the browser's cookies name whose names begin with `prefix`, in the order in which they came.
fn named<Id: FromStr>(request: &HttpRequest, urls: &Urls, prefix: &str) -> Vec<Id> {
    let Ok(cookies) = request.cookies() else { return Vec::new() };
    let host = if urls.secure() { "__Host-" } else { "" };
    let of = |name: &str| name.strip_prefix(host)?.strip_prefix(prefix)?.parse().ok();
    cookies.iter().filter_map(|cookie| of(cookie.name())).collect()
}

/// Cookies that remove the oldest of those of other logins and requests, once there are too many of them.
#[must_use]
pub fn surplus(request: &HttpRequest, urls: &Urls) -> Vec<Cookie<'static>> {
    let logins = named(request, urls, "vl-").into_iter().map(Kind::Login).collect::<Vec<_>>();
    let parked = named(request, urls, "vp-").into_iter().map(Kind::Parked).collect::<Vec<_>>();
    let oldest = |kinds: Vec<Kind<'static>>| {
        let surplus = kinds.len().saturating_sub(MOST_LOGINS);
        kinds.into_iter().take(surplus)
    };
    oldest(logins).chain(oldest(parked)).map(|kind| gone(urls, kind)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T-21.
    #[test]
    fn every_cookie_has_its_flags() {
        let urls = Urls::new(&"https://login.example.com".parse().expect("an address"));
        let acme: TenantCode = "acme".parse().expect("a code");
        for kind in [
            Kind::Login(LoginId::from_bits(1)),
            Kind::Parked(ParkedId::from_bits(1)),
            Kind::Logout(LogoutId::from_bits(1)),
            Kind::Session(&acme),
            Kind::Known(&acme),
            Kind::Name(&acme),
            Kind::Language,
        ] {
            let text = set(&urls, kind, "x").to_string();
            assert!(text.starts_with("__Host-"), "{text}");
            for flag in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
                assert!(text.contains(flag), "{text} has no {flag}");
            }
            assert!(!text.contains("Domain"), "{text}");
        }
        let local = Urls::new(&"http://127.0.0.1:8080".parse().expect("an address"));
        let text = set(&local, Kind::Session(&acme), "x").to_string();
        assert!(text.starts_with("vs-acme=x") && !text.contains("Secure"), "{text}");
    }
}
