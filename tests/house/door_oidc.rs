//! The OpenID Connect door, seen by an application and by somebody who means no good.

use crate::story::{after_password, authorize, claims_of, code_of, passcode_of_linus, redeem};
use crate::visitor::Visitor;
use crate::world::{On, World};

async fn logged_in(world: &World) -> (Visitor, String) {
    let mut linus = Visitor::new(&world.url);
    let seen = after_password(world, &mut linus, "linus", "has a token already").await;
    let code = passcode_of_linus(world);
    let seen = linus.press(&seen, "continue", &[("code", &code)]).await;
    (linus, code_of(&seen).0)
}

/// T-46, R-514: an address that is not registered never gets anything.
/// R-514, T-20, T-46.
#[actix_web::test]
async fn a_bad_return_address_is_shown_and_never_answered() {
    let world = World::new(On::Sqlite).await;
    let good = authorize(&world, "");
    for bad in [
        "http%3A%2F%2Fevil.example%2Fcallback",
        "http%3A%2F%2F127.0.0.1%3A9000%2Fcallback%2F",
        "http%3A%2F%2F127.0.0.1%3A9000%2Fcallback%3Fx",
        "http%3A%2F%2F127.0.0.1%3A9000%40evil.example%2Fcallback",
        "javascript%3Aalert(1)",
        "",
    ] {
        let url = good.replace("http%3A%2F%2F127.0.0.1%3A9000%2Fcallback", bad);
        let seen = Visitor::new(&world.url).get(&url).await;
        assert_eq!((seen.status, seen.leaves_to.clone()), (400, None), "{bad}");
        assert!(!seen.body.contains("evil") && seen.title() == "This login request cannot be used", "{}", seen.body);
    }
    let unknown = Visitor::new(&world.url).get(&good.replace("client_id=notes", "client_id=nobody")).await;
    assert_eq!(unknown.status, 400);
    world.stop().await;
}

/// errors go back to the application; a silent request never shows a page.
///
#[actix_web::test]
async fn errors_go_back_and_silence_is_kept() {
    let world = World::new(On::Sqlite).await;
    let (mut linus, _) = logged_in(&world).await;
    for (request, error) in [
        (
            authorize(&world, "&prompt=none").replace("code_challenge_method=S256", "code_challenge_method=plain"),
            "invalid_request",
        ),
        (authorize(&world, "").replace("response_type=code", "response_type=token"), "unsupported_response_type"),
        (authorize(&world, "").replace("scope=openid%20", "scope="), "invalid_scope"),
        (authorize(&world, "&request=abc"), "request_not_supported"),
        (authorize(&world, "&prompt=none%20login"), "invalid_request"),
    ] {
        let seen = Visitor::new(&world.url).get(&request).await;
        let back = seen.leaves_to.clone().unwrap_or_else(|| panic!("{request}: {}", seen.body));
        assert!(
            back.contains(&format!("error={error}")) && back.contains("state=xyz") && back.contains("iss="),
            "{back}"
        );
    }
    let silent = Visitor::new(&world.url).get(&authorize(&world, "&prompt=none")).await;
    assert!(silent.leaves_to.unwrap().contains("error=login_required"));
    let silent = linus.get(&authorize(&world, "&prompt=none")).await;
    assert!(!code_of(&silent).0.is_empty());
    world.advance(120);
    let old = linus.get(&authorize(&world, "&prompt=none&max_age=60")).await;
    assert!(old.leaves_to.unwrap().contains("error=login_required"), "R-507: max_age");
    let again = linus.get(&authorize(&world, "&prompt=login")).await;
    assert_eq!(again.title(), "Enter your password", "prompt=login asks again: {}", again.body);
    world.stop().await;
}

/// What the token endpoint refuses, in the words of RFC 6749.
/// R-510, T-47, T-48.
#[actix_web::test]
async fn the_token_endpoint_refuses_in_the_standards_words() {
    let world = World::new(On::Sqlite).await;
    let (_, code) = logged_in(&world).await;
    let client = reqwest::Client::new();
    let address = format!("{}/oidc/token", world.base());
    let form = |more: &[(&str, &str)]| {
        let mut form =
            vec![("grant_type".to_owned(), "authorization_code".to_owned()), ("code".to_owned(), code.clone())];
        form.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        form
    };
    let right = ("redirect_uri", "http://127.0.0.1:9000/callback");
    for (secret, fields, status, error) in [
        ("wrong", form(&[right]), 401, "invalid_client"),
        ("a%20secret%20of%20notes", form(&[right]), 400, "invalid_grant"),
        ("a%20secret%20of%20notes", form(&[right, ("code_verifier", &"x".repeat(50))]), 400, "invalid_grant"),
        ("a%20secret%20of%20notes", form(&[("redirect_uri", "http://127.0.0.1:9000/other")]), 400, "invalid_grant"),
        (
            "a%20secret%20of%20notes",
            vec![("grant_type".to_owned(), "password".to_owned())],
            400,
            "unsupported_grant_type",
        ),
        ("a%20secret%20of%20notes", vec![], 400, "invalid_request"),
    ] {
        let answer = client.post(&address).basic_auth("notes", Some(secret)).form(&fields).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{fields:?}");
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.headers().contains_key("www-authenticate"), status == 401);
        let body: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(body["error"], error, "{body}");
    }
    // None of that burnt the code.
    let (status, tokens) = redeem(&world, &code).await;
    assert_eq!(status, 200, "{tokens}");
    let claims = claims_of(&tokens);
    assert_eq!(claims["aud"], "notes");
    let exp = claims["exp"].as_i64().unwrap();
    assert!(exp > world.clock_now().seconds(), "{claims}");
    // UserInfo: good, altered, missing, in the query.
    let userinfo = format!("{}/oidc/userinfo", world.base());
    let token = tokens["access_token"].as_str().unwrap();
    let person: serde_json::Value =
        client.get(&userinfo).bearer_auth(token).send().await.unwrap().json().await.unwrap();
    assert_eq!((person["sub"].clone(), person["email"].as_str()), (claims["sub"].clone(), Some("linus@acme.test")));
    for (request, status, error) in [
        (client.get(&userinfo), 401, ""),
        (client.get(&userinfo).bearer_auth(format!("{token}x")), 401, "invalid_token"),
        (client.get(format!("{userinfo}?access_token={token}")), 400, "invalid_request"),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        let challenge = answer.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.starts_with("Bearer") && challenge.contains(error), "{challenge}");
    }
    world.advance(16 * 60);
    let late = client.get(&userinfo).bearer_auth(token).send().await.unwrap();
    assert_eq!(late.status().as_u16(), 401, "an access token ends");
    world.stop().await;
}

/// T-22, T-23, T-24, T-25: headers on every answer, and only our own host.
/// R-601, T-22, T-23, T-24, T-25.
#[actix_web::test]
async fn every_answer_has_its_headers_and_other_hosts_get_none() {
    let world = World::new(On::Sqlite).await;
    let mut visitor = Visitor::new(&world.url);
    let login = visitor.get(&authorize(&world, "")).await;
    assert!(
        login.headers["content-security-policy"].to_str().unwrap().contains("form-action 'self' http://127.0.0.1:*")
    );
    for path in [
        "/",
        "/t/acme/",
        "/t/none/",
        "/t/acme/login/x",
        "/static/none",
        "/t/acme/oidc/jwks",
        "/t/acme/api/authenticator/v1/info",
        "/healthz",
    ] {
        let seen = visitor.once(reqwest::Method::GET, path, None).await;
        let policy = seen.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(!policy.contains("unsafe"), "{path}");
        for (name, value) in
            [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("x-frame-options", "DENY")]
        {
            assert_eq!(seen.headers[name], value, "{path}");
        }
        assert!(seen.headers.contains_key("cache-control"), "{path}");
    }
    for host in ["evil.example", "127.0.0.1", "login.example.com:443"] {
        let answer =
            reqwest::Client::new().get(format!("{}/t/acme/", world.url)).header("host", host).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 421, "{host}");
        assert!(!answer.text().await.unwrap().contains("evil"));
    }
    let forwarded = reqwest::Client::new()
        .get(format!("{}/.well-known/openid-configuration", world.base()))
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "host=evil.example")
        .send()
        .await
        .unwrap();
    assert!(!forwarded.text().await.unwrap().contains("evil"));
    world.stop().await;
}

/// Bad input gets a clear answer, never a 500.
///
#[actix_web::test]
async fn nonsense_gets_a_clear_answer() {
    let world = World::new(On::Sqlite).await;
    let client = reqwest::Client::new();
    let base = world.base();
    let long = "x".repeat(70 * 1024);
    for request in [
        client.get(format!("{base}/oidc/authorize?%ff=%fe&client_id=%00")),
        client.get(format!("{base}/oidc/authorize?client_id=notes&client_id=notes")),
        client.get(format!("{base}/saml/sso?SAMLRequest=%%%")),
        client.get(format!("{base}/saml/sso")),
        client
            .post(format!("{base}/saml/sso"))
            .body("SAMLRequest=AAAA")
            .header("content-type", "application/x-www-form-urlencoded"),
        client.post(format!("{base}/saml/sso")).body("{}").header("content-type", "application/json"),
        client
            .post(format!("{base}/oidc/token"))
            .body(long.clone())
            .header("content-type", "application/x-www-form-urlencoded"),
        client.post(format!("{base}/api/authenticator/v1/activation/claim")).body("{\"version\":1}"),
        client.post(format!("{base}/api/authenticator/v1/activation/claim")).body(long),
        client.post(format!("{base}/api/authenticator/v1/activation/confirm")).body("[]"),
        client.delete(format!("{base}/oidc/token")),
        client.post(format!("{base}/login/aaaaaaaaaaaaaaaaaaaaaaaaaa/password")).body("\u{0}"),
        client.get(format!("{base}/login/..%2f..%2f")),
        client.get(format!("{base}/not-me/%00%ff")),
    ] {
        let answer = request.send().await.unwrap();
        let (url, status) = (answer.url().clone(), answer.status().as_u16());
        assert!((400..500).contains(&status) || (url.path().contains("not-me") && status == 200), "{url}: {status}");
    }
    world.stop().await;
}
