//! Pushed and signed requests, tokens for APIs and for applications themselves, proof of possession.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sha2::Digest as _;
use vestibule::domain::ids::SigningKeyId;
use vestibule::domain::signing_key::SignatureAlgorithm;
use vestibule::keys::signing::{RsaSize, SigningKey};

use crate::relying_party::{CALLBACK, Rp, SECRET, Told, answer, application, code_grant, encoded, linus};
use crate::visitor::Visitor;
use crate::world::{BOTH, On, World};

fn key(algorithm: SignatureAlgorithm) -> SigningKey {
    SigningKey::generate(SigningKeyId::from_bits(1), algorithm, RsaSize::Bits2048).unwrap()
}

fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).unwrap()))
}

fn part(jwt: &str, at: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(jwt.split('.').nth(at).unwrap()).unwrap()).unwrap()
}

fn fields(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

async fn push(app: &Rp<'_>, more: &str) -> Told {
    let fields = fields(&app.query("openid", more));
    let borrowed: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    app.post("par", &borrowed).await
}

fn visit(app: &Rp<'_>, told: &Told, more: &str) -> String {
    format!(
        "{}/oidc/authorize?client_id={}&request_uri={}{more}",
        app.world.base(),
        app.id,
        encoded(&told.text("request_uri"))
    )
}

/// RFC 9126, T-53: a pushed request is complete, secret, and used once, whatever comes of it.
#[actix_web::test]
async fn a_pushed_request_is_used_once() {
    for on in BOTH {
        let world = World::new(on).await;
        for (name, more) in [("app", ""), ("other", ""), ("strict", "require_pushed_authorization_requests = true\n")] {
            world.apply(&application(name, &format!("{SECRET}{more}"))).await;
        }
        let (app, strict, mut linus) = (Rp::new(&world, "app"), Rp::new(&world, "strict"), linus(&world).await);
        let told = push(&app, "").await;
        assert_eq!((told.status, told.header("cache-control")), (201, "no-store"), "{on:?}: {}", told.text);
        assert!(
            told.text("request_uri").starts_with("urn:ietf:params:oauth:request_uri:") && told.body["expires_in"] == 90
        );
        // What the browser brings beside the reference counts for nothing (RFC 9126, 4).
        let seen =
            linus.get(&visit(&app, &told, "&state=other&redirect_uri=https%3A%2F%2Fevil.example%2F&scope=x")).await;
        assert_eq!(answer(&seen, "state"), "xyz", "{on:?}");
        assert_eq!(app.redeem(&answer(&seen, "code")).await.status, 200, "{on:?}");
        let again = linus.get(&visit(&app, &told, "")).await;
        assert_eq!((again.status, again.leaves_to.clone()), (400, None), "{on:?}");
        // T-53: prompt=none uses it up as well.
        let told = push(&app, "&prompt=none").await;
        let silent = Visitor::new(&world.url).get(&visit(&app, &told, "")).await;
        assert_eq!(answer(&silent, "error"), "login_required", "{on:?}");
        assert_eq!(linus.get(&visit(&app, &told, "")).await.status, 400, "{on:?}");
        // Another application's reference, one that is too old, and one that never was.
        let told = push(&app, "").await;
        let foreign = linus.get(&visit(&app, &told, "").replace("client_id=app", "client_id=other")).await;
        assert_eq!((foreign.status, foreign.leaves_to), (400, None), "{on:?}");
        world.advance(91);
        assert_eq!(linus.get(&visit(&app, &told, "")).await.status, 400, "{on:?}: too old");
        let mut made_up = told.clone();
        made_up.body["request_uri"] = json!("urn:ietf:params:oauth:request_uri:x");
        assert_eq!(linus.get(&visit(&app, &made_up, "")).await.status, 400, "{on:?}");
        // RFC 9126, 6: an application that must push.
        let direct = linus.get(&strict.url("openid", "")).await;
        assert_eq!(answer(&direct, "error"), "invalid_request", "{on:?}");
        assert!(answer(&direct, "error_description").contains("must push"), "{on:?}");
        let told = push(&strict, "").await;
        assert!(!answer(&linus.get(&visit(&strict, &told, "")).await, "code").is_empty(), "{on:?}");
        // Sixteen browsers with one reference, at two instances: one of them goes on.
        let (second, _) = world.second().await;
        let told = push(&app, "").await;
        let tabs = (0..16).map(|number| {
            let (mut tab, url) = (linus.clone(), visit(&app, &told, ""));
            let url = if number % 2 == 0 { url } else { url.replace(&world.url, &second) };
            async move { tab.once(reqwest::Method::GET, &url, None).await.status }
        });
        let answers = join_all(tabs).await;
        assert_eq!(answers.iter().filter(|status| **status == 303).count(), 1, "{on:?}: {answers:?}");
        world.stop().await;
    }
}

/// RFC 9126, 2.3: what is wrong with a pushed request is said at once, in JSON.
#[actix_web::test]
async fn a_bad_pushed_request_is_refused_in_json() {
    let world = World::new(On::Sqlite).await;
    world.apply(&application("app", SECRET)).await;
    let app = Rp::new(&world, "app");
    for (more, error) in [
        ("&prompt=none%20login", "invalid_request"),
        ("&request_uri=urn%3Ax", "invalid_request"),
        ("&response_mode=fragment", "invalid_request"),
        ("&resource=https%3A%2F%2Fapi.example%2F", "invalid_target"),
        ("&dpop_jkt=x", "invalid_request"),
        ("&id_token_hint=x", "login_required"),
    ] {
        let told = push(&app, more).await;
        assert_eq!((told.status, told.error()), (400, error), "{more}: {}", told.text);
        assert_eq!(told.header("cache-control"), "no-store");
    }
    let query = app.query("openid", "").replace(&encoded(CALLBACK), "https%3A%2F%2Fevil.example%2F");
    let all = fields(&query);
    let borrowed: Vec<(&str, &str)> = all.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let told = app.post("par", &borrowed).await;
    assert_eq!((told.status, told.error()), (400, "invalid_request"));
    assert_eq!(app.post_bare("par", &borrowed).await.status, 401);
    let other: Vec<(&str, &str)> =
        borrowed.iter().copied().filter(|(name, _)| *name != "client_id").chain([("client_id", "x")]).collect();
    assert_eq!(app.post("par", &other).await.error(), "invalid_request");
    world.stop().await;
}

/// RFC 9101, OIDC Core 6.1, T-51, T-52: a request that its application signed, and nothing beside it.
#[actix_web::test]
async fn a_signed_request_counts_alone() {
    let world = World::new(On::Sqlite).await;
    let (mine, other) = (key(SignatureAlgorithm::Es256), key(SignatureAlgorithm::Es256));
    let keys = json!({ "keys": [mine.public_jwk()] });
    world.apply(&application("app", &format!("{SECRET}jwks = '{keys}'\n"))).await;
    world
        .apply(&application("strict", &format!("{SECRET}jwks = '{keys}'\nrequire_signed_request_object = true\n")))
        .await;
    world.apply(&application("plain", SECRET)).await;
    let pushed = push(&Rp::new(&world, "strict"), "").await;
    assert_eq!(
        (pushed.status, pushed.error()),
        (400, "invalid_request"),
        "RFC 9101, 10.5: pushed ones are signed, too"
    );
    let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
    let header = json!({ "alg": "ES256", "kid": mine.id().to_string(), "typ": "oauth-authz-req+jwt" });
    let good = json!({
        "iss": "app", "aud": world.base(), "client_id": "app", "response_type": "code", "scope": "openid",
        "redirect_uri": CALLBACK, "state": "signed", "code_challenge": crate::relying_party::challenge(),
        "code_challenge_method": "S256", "max_age": 3600, "exp": world.clock_now().seconds() + 60,
        "claims": { "id_token": { "email": null } },
    });
    let url = |object: &str| format!("{}&request={object}", app.url("openid", ""));
    let seen = linus.get(&url(&signed(&mine, &header, &good))).await;
    assert_eq!(answer(&seen, "state"), "signed", "what stands beside it counts for nothing");
    let claims = app.redeem(&answer(&seen, "code")).await.claims();
    assert_eq!(claims["email"], "linus@acme.test", "its claims count");
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        signed(&mine, &header, &claims)
    };
    for (object, why) in [
        (signed(&other, &header, &good), "no registered key"),
        (signed(&mine, &json!({ "alg": "none" }), &good), "not signed"),
        (signed(&mine, &json!({ "alg": "ES256", "typ": "at+jwt" }), &good), "typ"),
        (signed(&mine, &json!({ "alg": "ES256", "jwk": other.public_jwk() }), &good), "jwk"),
        (with("iss", json!("other")), "iss"),
        (with("client_id", json!("other")), "client_id"),
        (with("aud", json!("https://login.example/t/blue")), "aud"),
        (with("sub", json!("app")), "sub"),
        (with("exp", json!(1)), "expired"),
        (with("exp", json!("1")), "JSON type"),
        (with("nbf", json!(9_999_999_999_i64)), "future"),
        (with("request_uri", json!("https://evil.example/")), "another request"),
        (with("prompt", json!(["none"])), "JSON type"),
        (with("nonce", json!(5)), "JSON type"),
        (with("scope", json!({ "openid": true })), "JSON type"),
        (with("state", json!(null)), "JSON type"),
        (with("resource", json!([1])), "JSON type"),
        ("garbage".to_owned(), "compact"),
    ] {
        let seen = linus.get(&url(&object)).await;
        assert_eq!(answer(&seen, "error"), "invalid_request_object", "{why}");
        assert!(answer(&seen, "error_description").contains(why), "{why}: {}", answer(&seen, "error_description"));
        assert!(answer(&seen, "code").is_empty());
    }
    // RFC 6749, 3.1: nobody reads these, so they may be anything.
    for unknown in [json!(true), json!(["x"]), json!({ "a": 1 }), json!(null)] {
        let seen = linus.get(&url(&with("something_else", unknown.clone()))).await;
        assert!(!answer(&seen, "code").is_empty(), "{unknown}");
    }
    // RFC 9101, 5: nothing but the object, whose address cannot be believed if it is bad; the page does not blame the address.
    let alone = |object: String| format!("{}/oidc/authorize?client_id=app&request={object}", world.base());
    let seen = linus.get(&alone(with("exp", json!(world.clock_now().seconds() + 60)))).await;
    assert!(!answer(&seen, "code").is_empty());
    let seen = linus.get(&alone(with("exp", json!(1)))).await;
    assert_eq!((seen.status, seen.leaves_to.clone()), (400, None));
    assert!(seen.body.contains("too old") && !seen.body.contains("not registered"), "{}", seen.body);
    let evil = linus.get(&url("x").replace(&encoded(CALLBACK), "https%3A%2F%2Fevil.example%2F")).await;
    assert_eq!((evil.status, evil.leaves_to), (400, None), "R-514");
    let bad = linus.get(&url(&with("redirect_uri", json!("https://evil.example/")))).await;
    assert_eq!((bad.status, bad.leaves_to), (400, None), "R-514");
    let unsigned = linus.get(&Rp::new(&world, "strict").url("openid", "")).await;
    assert!(answer(&unsigned, "error_description").contains("must sign"));
    let unknown = linus.get(&Rp::new(&world, "plain").url("openid", "&request=e30.e30.e30")).await;
    assert_eq!(answer(&unknown, "error"), "request_not_supported");
    // By PAR as well.
    let told = app.post("par", &[("client_id", "app"), ("request", &signed(&mine, &header, &good))]).await;
    assert_eq!(answer(&linus.get(&visit(&app, &told, "")).await, "state"), "signed");
    assert_eq!(app.post("par", &[("client_id", "app"), ("request", "x")]).await.error(), "invalid_request_object");
    world.stop().await;
}

const APIS: &str = r#"
[[tenant]]
code = "acme"
[[tenant.resource]]
identifier = "https://orders.example/"
access_token_signed_response_alg = "ES256"
access_token_seconds = 300
scopes = ["read", "write"]
introspected_by = ["orders"]
[[tenant.resource]]
identifier = "https://vault.example/"
access_token = "opaque"
scopes = ["open"]
introspected_by = ["vault"]
"#;

async fn with_apis(on: On) -> World {
    let world = World::new(on).await;
    world.apply(APIS).await;
    let both = "resources = [\"https://orders.example/\", \"https://vault.example/\"]\nrefresh_tokens = true\n";
    world.apply(&application("app", &format!("{SECRET}{both}"))).await;
    for name in ["orders", "vault"] {
        world.apply(&application(name, SECRET)).await;
    }
    let robot = "client_secret = \"a secret of the application\"\nclient_credentials = true\n";
    world.apply(&application("robot", &format!("{robot}resources = [\"https://orders.example/\"]\n"))).await;
    world.apply(&application("safe", &format!("{robot}resources = [\"https://vault.example/\"]\n"))).await;
    world
}

/// RFC 8707, RFC 9068, RFC 9470: a token for each API in its form, that says how the person was authenticated.
#[actix_web::test]
async fn a_token_is_for_one_api_in_its_form() {
    for on in BOTH {
        let world = with_apis(on).await;
        let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
        let (orders, vault) = ("&resource=https%3A%2F%2Forders.example%2F", "&resource=https%3A%2F%2Fvault.example%2F");
        let tokens = app.tokens(&mut linus, "openid read open nonsense", orders).await;
        assert_eq!((tokens.text("scope"), tokens.body["expires_in"].clone()), ("openid read".to_owned(), json!(300)));
        let jwt = tokens.text("access_token");
        let (header, claims) = (part(&jwt, 0), part(&jwt, 1));
        assert_eq!((header["typ"].clone(), header["alg"].clone()), (json!("at+jwt"), json!("ES256")));
        assert_eq!(claims["aud"], "https://orders.example/");
        assert_eq!((claims["scope"].clone(), claims["client_id"].clone()), (json!("read"), json!("app")));
        for name in ["iss", "sub", "auth_time", "acr", "amr"] {
            assert_eq!(claims[name], tokens.claims()[name], "{on:?}: {name}");
        }
        // 9.2.3: for its API and nothing else.
        assert_eq!(app.userinfo(&jwt).await.status, 401, "{on:?}");
        let asked = Rp::new(&world, "orders").post("introspect", &[("token", &jwt)]).await;
        assert_eq!(
            (asked.body["active"].clone(), asked.body["client_id"].clone()),
            (json!(true), json!("app")),
            "{on:?}"
        );
        let stranger = Rp::new(&world, "vault").post("introspect", &[("token", &jwt)]).await;
        assert_eq!(stranger.body, json!({ "active": false }), "{on:?}");
        // Several: one token for each, and UserInfo by the issuer's name.
        let seen = linus.get(&app.url("openid email read open", &format!("{orders}{vault}"))).await;
        let code = answer(&seen, "code");
        let unclear = app.redeem(&code).await;
        assert_eq!((unclear.status, unclear.error()), (400, "invalid_target"), "{on:?}");
        let named = |resource: &'static str| [&code_grant(&code)[..], &[("resource", resource)]].concat();
        assert_eq!(app.post("token", &named("https://other.example/")).await.error(), "invalid_target", "{on:?}");
        let tokens = app.post("token", &named("https://vault.example/")).await;
        let (opaque, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
        assert!(opaque.starts_with("vat_") && app.userinfo(&opaque).await.status == 401, "{on:?}");
        let asked = Rp::new(&world, "vault").post("introspect", &[("token", &opaque)]).await;
        assert_eq!(
            (asked.body["aud"].clone(), asked.body["scope"].clone()),
            (json!("https://vault.example/"), json!("open"))
        );
        assert!(asked.body["acr"].is_string() && asked.body["auth_time"].is_i64(), "RFC 9470: {}", asked.text);
        // RFC 6749, 3.3 and 5.1: the answer tells what this token opens, not what another one could.
        assert_eq!(tokens.text("scope"), "openid email open", "{on:?}");
        let base = world.base();
        let renew = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        for (resource, scope) in [
            ("https://orders.example/", "open"),
            ("https://orders.example/", "openid open"),
            ("https://vault.example/", "read"),
            (base.as_str(), "read"),
        ] {
            let told = app.post("token", &[&renew[..], &[("resource", resource), ("scope", scope)]].concat()).await;
            assert_eq!((told.status, told.error()), (400, "invalid_scope"), "{on:?} {resource} {scope}");
        }
        let narrow = [&renew[..], &[("resource", "https://orders.example/"), ("scope", "read")]].concat();
        let next = app.post("token", &narrow).await;
        assert_eq!((next.status, next.text("scope")), (200, "read".to_owned()), "{on:?}: {}", next.text);
        assert_eq!(part(&next.text("access_token"), 1)["scope"], "read", "{on:?}");
        let refresh = next.text("refresh_token");
        let next = app
            .post("token", &[("grant_type", "refresh_token"), ("refresh_token", &refresh), ("resource", &base)])
            .await;
        assert_eq!(next.text("scope"), "openid email", "{on:?}: {}", next.text);
        assert_eq!(app.userinfo(&next.text("access_token")).await.body["email"], "linus@acme.test", "{on:?}");
        app.post("revoke", &[("token", &opaque)]).await;
        assert_eq!(Rp::new(&world, "vault").post("introspect", &[("token", &opaque)]).await.body["active"], false);
        let seen = linus.get(&app.url("openid", "&resource=https%3A%2F%2Fother.example%2F")).await;
        assert_eq!(answer(&seen, "error"), "invalid_target", "{on:?}");
        world.stop().await;
    }
}

/// RFC 6749, 4.4: a service account: no person, no ID Token, no refresh token, no UserInfo.
#[actix_web::test]
async fn an_application_gets_tokens_for_itself() {
    for on in BOTH {
        let world = with_apis(on).await;
        let (robot, safe) = (Rp::new(&world, "robot"), Rp::new(&world, "safe"));
        let ask = [("grant_type", "client_credentials")];
        let tokens = robot.post("token", &ask).await;
        assert_eq!((tokens.status, tokens.text("scope")), (200, "read write".to_owned()), "{on:?}: {}", tokens.text);
        assert!(tokens.body["id_token"].is_null() && tokens.body["refresh_token"].is_null());
        let claims = part(&tokens.text("access_token"), 1);
        assert_eq!((claims["sub"].clone(), claims["auth_time"].clone()), (json!("robot"), json!(null)));
        let narrow = robot.post("token", &[ask[0], ("scope", "read")]).await;
        assert_eq!(narrow.text("scope"), "read");
        for (fields, error) in [
            (vec![ask[0], ("scope", "read openid")], "invalid_scope"),
            (vec![ask[0], ("scope", "admin")], "invalid_scope"),
            (vec![ask[0], ("resource", "https://vault.example/")], "invalid_target"),
            (vec![ask[0], ("resource", &world.base())], "invalid_target"),
        ] {
            let told = robot.post("token", &fields.iter().map(|(n, v)| (*n, *v)).collect::<Vec<_>>()).await;
            assert_eq!(told.error(), error, "{on:?} {fields:?}");
        }
        assert_eq!(Rp::new(&world, "app").post("token", &ask).await.error(), "unauthorized_client", "{on:?}");
        let opaque = safe.post("token", &ask).await.text("access_token");
        assert_eq!(safe.userinfo(&opaque).await.status, 401, "{on:?}");
        let vault = Rp::new(&world, "vault");
        let asked = vault.post("introspect", &[("token", &opaque)]).await;
        assert_eq!((asked.body["active"].clone(), asked.body["sub"].clone()), (json!(true), json!("safe")), "{on:?}");
        assert_eq!(robot.post("revoke", &[("token", &opaque)]).await.error(), "invalid_grant", "{on:?}");
        assert_eq!(safe.post("revoke", &[("token", &opaque)]).await.status, 200, "{on:?}");
        assert_eq!(vault.post("introspect", &[("token", &opaque)]).await.body["active"], false, "{on:?}: T-55");
        // What an operator takes away from the application ends with what it has.
        let opaque = safe.post("token", &ask).await.text("access_token");
        assert_eq!(vault.post("introspect", &[("token", &opaque)]).await.body["active"], true, "{on:?}");
        world.apply(&application("safe", &format!("{SECRET}resources = [\"https://vault.example/\"]\n"))).await;
        assert_eq!(safe.post("token", &ask).await.error(), "unauthorized_client", "{on:?}");
        assert_eq!(vault.post("introspect", &[("token", &opaque)]).await.body["active"], false, "{on:?}: ASVS 8.3.2");
        world.stop().await;
    }
}

/// A client that proves possession of its key.
struct Prover {
    key: SigningKey,
    nonce: std::cell::RefCell<String>,
    jti: std::cell::Cell<u32>,
}

impl Prover {
    fn new() -> Self {
        Self { key: key(SignatureAlgorithm::Es256), nonce: Default::default(), jti: Default::default() }
    }

    fn claims(&self, world: &World, method: &str, path: &str, token: Option<&str>) -> Value {
        self.jti.set(self.jti.get() + 1);
        let mut claims = json!({ "jti": self.jti.get().to_string(), "htm": method, "htu": format!("{}{path}", world.base()),
            "iat": world.clock_now().seconds(), "nonce": *self.nonce.borrow() });
        if let Some(token) = token {
            claims["ath"] = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(token)).into();
        }
        claims
    }

    fn proof(&self, claims: &Value) -> String {
        let mut jwk = self.key.public_jwk().clone();
        jwk.as_object_mut().unwrap().retain(|name, _| matches!(name.as_str(), "kty" | "crv" | "x" | "y"));
        signed(&self.key, &json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk }), claims)
    }

    /// A token request with this proof; keeps the nonce of the answer.
    async fn token(&self, world: &World, proof: &str, fields: &[(&str, &str)]) -> Told {
        let request = reqwest::Client::new().post(format!("{}/oidc/token", world.base())).header("DPoP", proof);
        let told = Told::of(request.form(fields)).await;
        if told.headers.contains_key("dpop-nonce") {
            self.nonce.replace(told.header("dpop-nonce").to_owned());
        }
        told
    }
}

/// RFC 9449, 10.4.14: tokens that are bound to a key are worth nothing without it.
#[actix_web::test]
async fn a_bound_token_needs_its_key() {
    for on in BOTH {
        let world = World::new(on).await;
        let public = "token_endpoint_auth_method = \"none\"\nredirect_uris = [\"https://rp.example/cb\"]\nrefresh_tokens = true\n";
        world.apply(&application("app", public)).await;
        world.apply(&application("bound", &format!("{public}dpop_bound_access_tokens = true\n"))).await;
        let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
        let (mine, thief) = (Prover::new(), Prover::new());
        let code = answer(&linus.get(&app.url("openid email", "")).await, "code");
        let fields = [&code_grant(&code)[..], &[("client_id", "app")]].concat();
        // Without a nonce of ours the proof is not taken; the answer brings one, and the code is still good.
        let first = mine.token(&world, &mine.proof(&mine.claims(&world, "POST", "/oidc/token", None)), &fields).await;
        assert_eq!((first.status, first.error()), (400, "use_dpop_nonce"), "{on:?}: {}", first.text);
        for (name, value) in
            [("htm", json!("GET")), ("htu", json!("https://evil.example/")), ("iat", json!(1)), ("jti", json!(""))]
        {
            let mut claims = mine.claims(&world, "POST", "/oidc/token", None);
            claims[name] = value;
            let told = mine.token(&world, &mine.proof(&claims), &fields).await;
            assert_eq!((told.status, told.error()), (400, "invalid_dpop_proof"), "{on:?} {name}");
        }
        let used = mine.proof(&mine.claims(&world, "POST", "/oidc/token", None));
        let tokens = mine.token(&world, &used, &fields).await;
        assert_eq!((tokens.status, tokens.body["token_type"].clone()), (200, json!("DPoP")), "{on:?}: {}", tokens.text);
        let again = mine.token(&world, &used, &fields).await;
        assert_eq!(again.error(), "invalid_dpop_proof", "{on:?}: a proof counts once");
        // UserInfo: as Bearer, without a proof, by another key, and right.
        let (access, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
        let address = format!("{}/oidc/userinfo", world.base());
        let get = async |proof: Option<String>, scheme: &str| {
            let mut request =
                reqwest::Client::new().get(&address).header("authorization", format!("{scheme} {access}"));
            if let Some(proof) = proof {
                request = request.header("DPoP", proof);
            }
            Told::of(request).await
        };
        let of = |prover: &Prover| {
            prover.nonce.replace(mine.nonce.borrow().clone());
            Some(prover.proof(&prover.claims(&world, "GET", "/oidc/userinfo", Some(&access))))
        };
        let nonce = mine.nonce.borrow().clone();
        assert_eq!(get(of_nonce(&mine, &nonce, &world, &access), "Bearer").await.status, 401, "{on:?}");
        assert_eq!(get(None, "DPoP").await.status, 401, "{on:?}");
        let stolen = get(of(&thief), "DPoP").await;
        assert_eq!(stolen.status, 401, "{on:?}");
        assert!(
            stolen.header("www-authenticate").starts_with("DPoP error=\"invalid_dpop_proof\""),
            "{:?}",
            stolen.headers
        );
        let good = get(of_nonce(&mine, &nonce, &world, &access), "DPoP").await;
        assert_eq!(
            (good.status, good.body["email"].clone()),
            (200, json!("linus@acme.test")),
            "{on:?}: {:?}",
            good.headers
        );
        world.advance(601);
        let late = get(of_nonce(&mine, &nonce, &world, &access), "DPoP").await;
        assert!(late.status == 401 && !late.header("dpop-nonce").is_empty(), "{on:?}");
        assert!(late.header("www-authenticate").contains("use_dpop_nonce"), "{on:?}");
        // The refresh token of a public client is bound as well.
        let renew = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str()), ("client_id", "app")];
        mine.nonce.replace(late.header("dpop-nonce").to_owned());
        thief.nonce.replace(late.header("dpop-nonce").to_owned());
        let stolen =
            thief.token(&world, &thief.proof(&thief.claims(&world, "POST", "/oidc/token", None)), &renew).await;
        assert_eq!((stolen.status, stolen.error()), (400, "invalid_grant"), "{on:?}");
        assert_eq!(app.post_bare("token", &renew).await.error(), "invalid_grant", "{on:?}: without a proof");
        let next = mine.token(&world, &mine.proof(&mine.claims(&world, "POST", "/oidc/token", None)), &renew).await;
        assert_eq!((next.status, next.body["token_type"].clone()), (200, json!("DPoP")), "{on:?}: {}", next.text);
        // A client that must, and a code that names its key.
        let bound = Rp::new(&world, "bound");
        let code = answer(&linus.get(&bound.url("openid", "")).await, "code");
        let fields = [&code_grant(&code)[..], &[("client_id", "bound")]].concat();
        assert_eq!(bound.post_bare("token", &fields).await.error(), "invalid_dpop_proof", "{on:?}");
        let seen = linus.get(&app.url("openid", &format!("&dpop_jkt={}", "A".repeat(43)))).await;
        let code = answer(&seen, "code");
        let fields = [&code_grant(&code)[..], &[("client_id", "app")]].concat();
        let told = mine.token(&world, &mine.proof(&mine.claims(&world, "POST", "/oidc/token", None)), &fields).await;
        assert_eq!((told.status, told.error()), (400, "invalid_grant"), "{on:?}: another key than dpop_jkt");
        world.stop().await;
    }
}

/// RFC 9449, 11.1, T-53 in spirit: one identifier of one key counts once, also where two instances are asked at the same moment.
#[actix_web::test]
async fn a_proof_counts_once_wherever_it_comes() {
    for on in BOTH {
        let world = World::new(on).await;
        let public = "token_endpoint_auth_method = \"none\"\nredirect_uris = [\"https://rp.example/cb\"]\n";
        world.apply(&application("app", public)).await;
        let (app, mut linus, mine) = (Rp::new(&world, "app"), linus(&world).await, Prover::new());
        let code = answer(&linus.get(&app.url("openid", "")).await, "code");
        let fields = [&code_grant(&code)[..], &[("client_id", "app")]].concat();
        let ask =
            async || mine.token(&world, &mine.proof(&mine.claims(&world, "POST", "/oidc/token", None)), &fields).await;
        assert_eq!(ask().await.error(), "use_dpop_nonce", "{on:?}");
        let access = ask().await.text("access_token");
        let (second, _) = world.second().await;
        let claims = mine.claims(&world, "GET", "/oidc/userinfo", Some(&access));
        let calls = (0..16).map(|number| {
            let at = if number % 2 == 0 { &world.url } else { &second };
            let (mut claims, address) = (claims.clone(), format!("{at}/t/acme/oidc/userinfo"));
            claims["htu"] = address.as_str().into();
            let request = reqwest::Client::new().get(address).header("authorization", format!("DPoP {access}"));
            Told::of(request.header("DPoP", mine.proof(&claims)))
        });
        let answers = join_all(calls).await;
        assert_eq!(answers.iter().filter(|told| told.status == 200).count(), 1, "{on:?}: {answers:?}");
        let used = |told: &&Told| told.header("www-authenticate").contains("invalid_dpop_proof");
        assert_eq!(answers.iter().filter(used).count(), 15, "{on:?}: {answers:?}");
        world.stop().await;
    }
}

fn of_nonce(prover: &Prover, nonce: &str, world: &World, access: &str) -> Option<String> {
    prover.nonce.replace(nonce.to_owned());
    Some(prover.proof(&prover.claims(world, "GET", "/oidc/userinfo", Some(access))))
}
