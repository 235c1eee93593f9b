//! Where a request comes from.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::http::header::{HeaderMap, USER_AGENT};
use ipnet::IpNet;

use crate::i18n::Language;

/// The client's address: that of the connection or, where that is one of our own proxies, the last
/// address in `X-Forwarded-For` that is not a proxy of ours. Whatever else stands in front of it was
/// written by the client and may be a lie (R-456, T-25).
#[must_use]
pub fn address(request: &HttpRequest, proxies: &[IpNet]) -> IpAddr {
    // A connection without an address exists only in tests without a network.
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |peer| peer.ip().to_canonical());
    believed(peer, request.headers(), proxies)
}

fn believed(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let ours = |address: IpAddr| proxies.iter().any(|range| range.contains(&address));
    if !ours(peer) {
        return peer;
    }
    let mut address = peer;
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").filter_map(|value| value.to_str().ok()).collect();
    for hop in lines.iter().flat_map(|line| line.split(',')).rev() {
        let Some(hop) = parsed(hop) else { break };
        address = hop;
        if !ours(hop) {
            break;
        }
    }
    address
}

/// An address as proxies write it: with or without port, IPv6 with or without brackets.
fn parsed(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let plain = hop.trim_start_matches('[').split(']').next().unwrap_or(hop);
    let address = plain.parse().ok().or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

/// What the browser calls itself, cut to 300 characters and without control characters, so that it can
/// stand in a log line and in an operator's table (T-61).
#[must_use]
pub fn user_agent(headers: &HeaderMap) -> String {
    let text = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

/// The language that the selector of a page asks for: `?language=…` in a GET request.
#[must_use]
pub fn asked_language(method: &Method, query: &str) -> Option<Language> {
    if method != Method::GET || !query.contains("language") {
        return None;
    }
    let asked = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "language");
    asked.and_then(|(_, tag)| Language::of_tag(&tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn seen(peer: &str, forwarded: &[&'static str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_static(line));
        }
        let proxies = ["10.0.0.0/8".parse().expect("a range"), "fd00::/8".parse().expect("a range")];
        believed(peer.parse().expect("an address"), &headers, &proxies).to_string()
    }

    /// R-456, T-25, T-60.
    #[test]
    fn only_our_own_proxies_are_believed() {
        for (peer, forwarded, expected) in [
            ("203.0.113.9", &["198.51.100.1"][..], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.1:4711"], "198.51.100.1"),
            ("10.0.0.1", &["[2001:db8::1]:443"], "2001:db8::1"),
            ("10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("10.0.0.1", &["nonsense"], "10.0.0.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("fd00::1", &["::ffff:198.51.100.1"], "198.51.100.1"),
        ] {
            assert_eq!(seen(peer, forwarded), expected, "{peer} {forwarded:?}");
        }
    }
}
