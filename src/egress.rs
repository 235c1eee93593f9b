//! Calls that the service itself makes to addresses which somebody registered: ends of sessions that are announced, and
//! key sets of clients. Whoever can register an address could otherwise reach what only this machine can (T-52).
//!
//! A name is resolved here and every address that it has is held against the rules before a connection is made, so a
//! name that answers differently the second time gains nothing. Redirects are not followed, proxies are not asked,
//! answers are short and must come soon.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// How long a call may take altogether.
const LONGEST: Duration = Duration::from_secs(3);
/// The longest answer that is read, in octets.
const LARGEST: usize = 64 * 1024;

/// Why a call was not made, or came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// The address is one that may not be called.
    #[error("{0}")]
    Refused(&'static str),
    /// The other side cannot be reached or does not answer in time.
    #[error("the call failed: {0}")]
    Failed(String),
    /// The answer is not what was asked for.
    #[error("the answer is too long or not text")]
    Answer,
}

/// An answer, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// The beginning of its body; octets that are no UTF-8 are replaced.
    pub text: String,
}

/// Makes calls within the rules.
#[derive(Debug, Clone)]
pub struct Egress {
    /// Made for the first call: it holds the certificates of all authorities, megabytes that most installations never need.
    client: Arc<OnceLock<reqwest::Client>>,
    rules: Arc<Rules>,
}

#[derive(Debug)]
struct Rules {
    allow: Vec<IpNet>,
}

impl Egress {
    /// Calls public addresses and those in `allow`.
    #[must_use]
    pub fn new(allow: Vec<IpNet>) -> Self {
        Self { client: Arc::default(), rules: Arc::new(Rules { allow }) }
    }

    fn client(&self) -> Result<&reqwest::Client, EgressError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let client = reqwest::Client::builder()
            .dns_resolver(Arc::new(Resolver(Arc::clone(&self.rules))))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(LONGEST)
            .connect_timeout(LONGEST)
            // Nothing is kept, so every connection goes to an address that was just looked at.
            .pool_max_idle_per_host(0)
            .user_agent("Vestibule")
            .build()
            .map_err(|error| EgressError::Failed(error.to_string()))?;
        Ok(self.client.get_or_init(|| client))
    }

    /// Posts a form. Says the status of the answer.
    ///
    /// # Errors
    /// [`EgressError`].
    pub async fn post(&self, address: &str, fields: &[(&str, &str)]) -> Result<u16, EgressError> {
        let url = self.rules.checked(address)?;
        let answer = self.client()?.post(url).form(fields).send().await;
        let answer = answer.map_err(|error| EgressError::Failed(told(&error)))?;
        Ok(answer.status().as_u16())
    }

    /// Whether this address may be called, as far as can be seen without resolving its name.
    ///
    /// # Errors
    /// [`EgressError::Refused`] with the reason.
    pub fn check(&self, address: &str) -> Result<(), EgressError> {
        self.rules.checked(address).map(drop)
    }

    /// Posts a text with these headers, whatever the status of the answer; of the answer the first `most` octets are read.
    ///
    /// # Errors
    /// [`EgressError`] if there is no answer.
    pub async fn send(
        &self,
        address: &str,
        headers: &[(&'static str, String)],
        body: String,
        most: usize,
    ) -> Result<Answered, EgressError> {
        let mut request = self.client()?.post(self.rules.checked(address)?).body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let mut answer = request.send().await.map_err(|error| EgressError::Failed(told(&error)))?;
        let mut text = Vec::new();
        // What is wrong with the rest of an answer does not change that there was one.
        while let Ok(Some(part)) = answer.chunk().await {
            text.extend_from_slice(part.get(..part.len().min(most.saturating_sub(text.len()))).unwrap_or_default());
            if text.len() >= most {
                break;
            }
        }
        Ok(Answered { status: answer.status().as_u16(), text: String::from_utf8_lossy(&text).into_owned() })
    }

    /// Fetches a text.
    ///
    /// # Errors
    /// [`EgressError`], also if the status is not 200.
    pub async fn get(&self, address: &str) -> Result<String, EgressError> {
        let url = self.rules.checked(address)?;
        read(self.client()?.get(url).header("accept", "application/json"), LARGEST).await
    }

    /// Fetches a document of at most `largest` octets.
    ///
    /// # Errors
    /// [`EgressError`], also if the status is not 200.
    pub async fn document(&self, address: &str, largest: usize) -> Result<String, EgressError> {
        let url = self.rules.checked(address)?;
        read(self.client()?.get(url), largest).await
    }

    /// Posts a text with these headers, and reads the answer.
    ///
    /// # Errors
    /// [`EgressError`], also if the status is not 200.
    pub async fn exchange(
        &self,
        address: &str,
        headers: &[(&'static str, &'static str)],
        body: String,
    ) -> Result<String, EgressError> {
        let mut request = self.client()?.post(self.rules.checked(address)?).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request, LARGEST).await
    }
}

/// The text that a request is answered with.
async fn read(request: reqwest::RequestBuilder, largest: usize) -> Result<String, EgressError> {
    let mut answer = request.send().await.map_err(|error| EgressError::Failed(told(&error)))?;
    if answer.status() != reqwest::StatusCode::OK {
        return Err(EgressError::Failed(format!("status {}", answer.status().as_u16())));
    }
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(|error| EgressError::Failed(told(&error)))? {
        if body.len() + part.len() > largest {
            return Err(EgressError::Answer);
        }
        body.extend_from_slice(&part);
    }
    String::from_utf8(body).map_err(|_| EgressError::Answer)
}

/// The innermost reason, which tells most.
fn told(error: &reqwest::Error) -> String {
    let mut reason: &dyn std::error::Error = error;
    while let Some(source) = reason.source() {
        reason = source;
    }
    reason.to_string()
}

impl Rules {
    /// The address, if it may be called as far as can be seen without resolving its name.
    fn checked(&self, address: &str) -> Result<Url, EgressError> {
        let url = Url::parse(address).map_err(|_| EgressError::Refused("the address is not a URL"))?;
        let literal = match url.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) => None,
            None => return Err(EgressError::Refused("the address has no host")),
        };
        // Without TLS only this very machine can be called, and only where that is allowed below.
        let loopback = literal.is_some_and(|ip| ip.is_loopback());
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            return Err(EgressError::Refused("the address does not begin with https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EgressError::Refused("the address contains a user name"));
        }
        if literal.is_some_and(|ip| !self.admits(ip)) {
            return Err(EgressError::Refused("the address is not public, and [egress] allow does not name it"));
        }
        Ok(url)
    }

    fn admits(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        is_public(ip) || self.allow.iter().any(|network| network.contains(&ip))
    }
}

/// Resolves names to addresses that may be called.
struct Resolver(Arc<Rules>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.filter(|address| rules.admits(address.ip())).collect();
            if found.is_empty() {
                return Err("the name has no address that may be called".into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether everybody on the Internet could call this address as well.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19));
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    let [first, second, ..] = s;
    // NAT64 leads to the IPv4 address at its end.
    if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = s {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    // Only 2000::/3 is given out; of that, not documentation, Teredo, 6to4 and other special ranges.
    let special = first == 0x2002 || (first == 0x2001 && (second < 0x200 || second == 0xdb8)) || first == 0x3fff;
    (first & 0xe000) == 0x2000 && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T-52.
    #[test]
    fn only_public_addresses_are_public() {
        for (address, public) in [
            ("8.8.8.8", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("172.32.0.1", true),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("255.255.255.255", false),
            ("224.0.0.1", false),
            ("198.18.0.1", false),
            ("192.0.2.1", false),
            ("240.0.0.1", false),
            ("2a00:1450::1", true),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("ff02::1", false),
            ("2001:db8::1", false),
            ("2002:7f00:1::", false),
            ("2001::1", false),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b::808:808", true),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
        ] {
            let rules = Rules { allow: Vec::new() };
            assert_eq!(rules.admits(address.parse().expect("an address")), public, "{address}");
        }
        let rules = Rules { allow: vec!["127.0.0.2/32".parse().expect("a network")] };
        assert!(rules.admits("127.0.0.2".parse().expect("an address")));
        assert!(!rules.admits("127.0.0.1".parse().expect("an address")));
    }

    /// T-52.
    #[test]
    fn addresses_are_looked_at_before_anything_is_sent() {
        let rules = Rules { allow: vec!["127.0.0.2/32".parse().expect("a network")] };
        for good in ["https://rp.example/x", "http://127.0.0.2:9/x", "https://127.0.0.2/"] {
            assert!(rules.checked(good).is_ok(), "{good}");
        }
        for bad in [
            "http://rp.example/x",
            "http://127.0.0.1/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://[::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://169.254.169.254/latest/meta-data",
            "https://user@rp.example/",
            "ftp://rp.example/",
            "file:///etc/passwd",
            "gopher://127.0.0.2/",
            "nonsense",
            "",
        ] {
            assert!(rules.checked(bad).is_err(), "{bad}");
        }
    }

    /// T-52: a name that leads to this machine is not called, whatever stands in front of it.
    #[actix_web::test]
    async fn a_name_is_resolved_before_it_is_called() {
        let egress = Egress::new(Vec::new());
        let error = egress.get("https://localhost:1/jwks").await.expect_err("refused").to_string();
        assert!(error.contains("no address that may be called"), "{error}");
    }

    /// T-52: what is read of an answer has its limit, and nobody is sent anywhere else.
    #[actix_web::test]
    async fn documents_and_exchanges_have_their_limits() {
        use actix_web::{App, HttpResponse, web};
        let server = actix_web::HttpServer::new(|| {
            let away = async || HttpResponse::Found().insert_header(("location", "/long")).finish();
            App::new()
                .route("/long", web::get().to(async || "x".repeat(100_000)))
                .route("/away", web::get().to(away))
                .route("/echo", web::post().to(async |body: String| body))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").expect("a port");
        let base = format!("http://{}", server.addrs().first().expect("an address"));
        let running = actix_web::rt::spawn(server.run());
        let egress = Egress::new(vec!["127.0.0.0/8".parse().expect("a network")]);
        let long = format!("{base}/long");
        assert_eq!(egress.document(&long, 100_000).await.expect("an answer").len(), 100_000);
        assert!(matches!(egress.document(&long, 99_999).await, Err(EgressError::Answer)));
        assert!(matches!(egress.get(&long).await, Err(EgressError::Answer)), "64 KiB");
        assert!(egress.document(&format!("{base}/away"), 100).await.is_err());
        let headers = [("content-type", "text/xml")];
        let echo = egress.exchange(&format!("{base}/echo"), &headers, "hello".to_owned()).await;
        assert_eq!(echo.expect("an answer"), "hello");
        let said = egress.send(&format!("{base}/echo"), &[("webhook-id", "x".to_owned())], "hello".to_owned(), 4).await;
        assert_eq!(said.expect("an answer"), Answered { status: 200, text: "hell".to_owned() });
        let said = egress.send(&format!("{base}/nowhere"), &[], String::new(), 10).await;
        assert_eq!(said.expect("an answer").status, 404);
        let strict = Egress::new(Vec::new());
        assert!(strict.check(&base).is_err() && egress.check(&base).is_ok());
        assert!(matches!(strict.send(&base, &[], String::new(), 10).await, Err(EgressError::Refused(_))));
        assert!(matches!(strict.exchange(&base, &headers, String::new()).await, Err(EgressError::Refused(_))));
        running.abort();
    }
}
