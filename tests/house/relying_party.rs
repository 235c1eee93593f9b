//! An application of our own making that speaks OpenID Connect by hand, so that it can also do it wrong.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::Digest as _;

use crate::story::oathtool;
use crate::visitor::{Seen, Visitor};
use crate::world::World;

/// A PKCE verifier, and by S256 its challenge.
pub const VERIFIER: &str = "a-verifier-that-is-long-enough-for-the-rules-of-rfc-7636";
pub const CALLBACK: &str = "https://rp.example/cb";

pub fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(VERIFIER))
}

pub fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// An application of the tenant `acme` with this table in its `[tenant.application.oidc]`.
pub fn application(name: &str, table: &str) -> String {
    format!(
        "[[tenant]]\ncode = \"acme\"\n[[tenant.application]]\nname = \"{name}\"\nassigned_to = \"everyone\"\n\
         [tenant.application.oidc]\nclient_id = \"{name}\"\n{table}"
    )
}

/// The usual table: a secret and one address.
pub const SECRET: &str =
    "client_secret = \"a secret of the application\"\nredirect_uris = [\"https://rp.example/cb\"]\n";

/// One application, which proves itself by `client_secret_basic` unless told otherwise.
#[derive(Clone, Copy)]
pub struct Rp<'w> {
    pub world: &'w World,
    pub id: &'static str,
}

impl<'w> Rp<'w> {
    pub const fn new(world: &'w World, id: &'static str) -> Self {
        Self { world, id }
    }

    /// The address of an authorization request; `more` begins with `&`.
    pub fn url(&self, scope: &str, more: &str) -> String {
        format!("{}/oidc/authorize?{}", self.world.base(), self.query(scope, more))
    }

    pub fn query(&self, scope: &str, more: &str) -> String {
        format!(
            "client_id={}&response_type=code&scope={}&state=xyz&nonce=n-1&redirect_uri={}&code_challenge={}\
             &code_challenge_method=S256{more}",
            encoded(self.id),
            encoded(scope),
            encoded(CALLBACK),
            challenge()
        )
    }

    /// A POST to an endpoint, as this application.
    pub async fn post(&self, endpoint: &str, fields: &[(&str, &str)]) -> Told {
        let request = reqwest::Client::new().post(format!("{}/oidc/{endpoint}", self.world.base()));
        let secret = encoded("a secret of the application");
        Told::of(request.basic_auth(encoded(self.id), Some(secret)).form(fields)).await
    }

    /// A POST to an endpoint without any proof.
    pub async fn post_bare(&self, endpoint: &str, fields: &[(&str, &str)]) -> Told {
        Told::of(reqwest::Client::new().post(format!("{}/oidc/{endpoint}", self.world.base())).form(fields)).await
    }

    pub async fn redeem(&self, code: &str) -> Told {
        self.post("token", &code_grant(code)).await
    }

    pub async fn refresh(&self, token: &str) -> Told {
        self.post("token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    pub async fn userinfo(&self, token: &str) -> Told {
        Told::of(reqwest::Client::new().get(format!("{}/oidc/userinfo", self.world.base())).bearer_auth(token)).await
    }

    /// Tokens for somebody who is logged in at this browser.
    pub async fn tokens(&self, visitor: &mut Visitor, scope: &str, more: &str) -> Told {
        let seen = visitor.get(&self.url(scope, more)).await;
        let told = self.redeem(&answer(&seen, "code")).await;
        assert_eq!(told.status, 200, "{}", told.body);
        told
    }
}

pub fn code_grant(code: &str) -> [(&'static str, &str); 4] {
    [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)]
}

/// What an endpoint answers.
#[derive(Debug, Clone)]
pub struct Told {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Told {
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, body, text }
    }

    pub fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name}: {} {}", self.status, self.text)).to_owned()
    }

    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    pub fn claims(&self) -> Value {
        crate::story::claims_of(&self.body)
    }
}

/// A parameter of the answer that a browser is sent back with, by a redirect or by a page in between; empty if there is none.
pub fn answer(seen: &Seen, name: &str) -> String {
    let refresh = seen.headers.get("refresh").and_then(|value| value.to_str().ok()?.strip_prefix("0; url="));
    let url = seen.leaves_to.as_deref().or(refresh);
    let url = url.unwrap_or_else(|| panic!("no way back: {} {}", seen.status, seen.body));
    let url = url::Url::parse(url).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Linus, logged in with password and passcode.
pub async fn linus(world: &World) -> Visitor {
    let mut linus = Visitor::new(&world.url);
    log_in(world, &mut linus, &format!("{}/", world.base())).await;
    linus
}

/// Linus logs in wherever `url` leads to.
pub async fn log_in(world: &World, visitor: &mut Visitor, url: &str) -> Seen {
    let seen = visitor.get(url).await;
    let seen = visitor.press(&seen, "continue", &[("username", "linus")]).await;
    let seen = visitor.press(&seen, "continue", &[("password", "has a token already")]).await;
    let code = oathtool(world, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "--totp=sha1", "6");
    let seen = visitor.press(&seen, "continue", &[("code", &code)]).await;
    // A passcode counts once, so the next login has another one.
    world.advance(30);
    seen
}
