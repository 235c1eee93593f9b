//! Refresh tokens, revocation, introspection, and how applications prove who they are.

use futures_util::future::join_all;
use serde_json::json;

use crate::relying_party::{CALLBACK, Rp, SECRET, Told, VERIFIER, answer, application, code_grant, encoded, linus};
use crate::world::{BOTH, On, World};

async fn with_refresh(on: On, more: &str) -> World {
    let world = World::new(on).await;
    world.apply(&application("app", &format!("{SECRET}refresh_tokens = true\n{more}"))).await;
    world
}

/// R-511, T-50, AC-48: a refresh token works once; the second use ends everything, and a restart changes nothing.
#[actix_web::test]
async fn a_refresh_token_used_twice_ends_its_family() {
    for on in BOTH {
        let world = with_refresh(on, "").await;
        let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
        let first = app.tokens(&mut linus, "openid email", "").await;
        assert_eq!(first.body["scope"], "openid email");
        let second = app.refresh(&first.text("refresh_token")).await;
        assert_eq!(second.status, 200, "{on:?}: {}", second.text);
        assert_eq!(second.header("cache-control"), "no-store");
        // OIDC Core 12.2: the same person, client and time of authentication, and no nonce.
        let (before, after) = (first.claims(), second.claims());
        for name in ["iss", "sub", "aud", "auth_time", "sid", "acr", "amr"] {
            assert_eq!(before[name], after[name], "{name}");
        }
        assert_eq!(after["nonce"], json!(null));
        assert_ne!(first.text("access_token"), second.text("access_token"));
        // The one before is worthless once the grace for a lost answer is over, and takes the others with it. The
        // second instance knows as much as the first: nothing lives in a process (AC-48: a restart).
        world.advance(11);
        let (other, _) = world.second().await;
        let stolen = Told::of(
            reqwest::Client::new()
                .post(format!("{other}/t/acme/oidc/token"))
                .basic_auth("app", Some("a%20secret%20of%20the%20application"))
                .form(&[("grant_type", "refresh_token"), ("refresh_token", &first.text("refresh_token"))]),
        );
        let stolen = stolen.await;
        assert_eq!((stolen.status, stolen.error()), (400, "invalid_grant"), "{on:?}");
        let dead = app.refresh(&second.text("refresh_token")).await;
        assert_eq!((dead.status, dead.error()), (400, "invalid_grant"), "{on:?}: the whole family");
        assert_eq!(app.userinfo(&second.text("access_token")).await.status, 401, "{on:?}");
        assert_eq!(world.events("grant_revoked").await, 1, "{on:?}");
        assert_eq!(world.events("grant_refreshed").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// T-50: an answer may get lost; the same request from the same place is answered again for a moment, and only that.
#[actix_web::test]
async fn a_lost_answer_may_be_asked_for_again() {
    let world = with_refresh(On::Sqlite, "").await;
    let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
    let first = app.tokens(&mut linus, "openid email", "").await.text("refresh_token");
    let lost = app.refresh(&first).await;
    world.advance(9);
    let again = app.refresh(&first).await;
    assert_eq!((lost.status, again.status), (200, 200), "{}", again.text);
    // Both are the same generation: whichever is used, the next one follows.
    let next = app.refresh(&again.text("refresh_token")).await;
    assert_eq!(next.status, 200);
    // Another request with an old token is theft, however soon it comes.
    let other = app
        .post(
            "token",
            &[("grant_type", "refresh_token"), ("refresh_token", &again.text("refresh_token")), ("scope", "openid")],
        )
        .await;
    assert_eq!((other.status, other.error()), (400, "invalid_grant"), "not the identical request");
    assert_eq!(app.refresh(&next.text("refresh_token")).await.status, 400);
    world.stop().await;
}

/// T-50: sixteen at once, at two instances: the token is used once, and without a grace nothing survives.
#[actix_web::test]
async fn sixteen_at_once_turn_one_refresh_token_once() {
    for on in BOTH {
        for grace in [0, 10] {
            let world = with_refresh(on, &format!("refresh_token_grace_seconds = {grace}\n")).await;
            let (second, _) = world.second().await;
            let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
            let token = app.tokens(&mut linus, "openid", "").await.text("refresh_token");
            let tries = (0..16).map(|number| {
                let at = if number % 2 == 0 { world.url.clone() } else { second.clone() };
                let fields = [("grant_type", "refresh_token".to_owned()), ("refresh_token", token.clone())];
                let request = reqwest::Client::new().post(format!("{at}/t/acme/oidc/token"));
                Told::of(request.basic_auth("app", Some("a%20secret%20of%20the%20application")).form(&fields))
            });
            let answers = join_all(tries).await;
            assert!(answers.iter().all(|told| matches!(told.status, 200 | 400)), "{on:?}: {answers:?}");
            assert_eq!(world.events("grant_refreshed").await, 1, "{on:?}: one turn");
            let good = answers.iter().filter(|told| told.status == 200).count();
            assert_eq!(good, if grace == 0 { 1 } else { 16 }, "{on:?} {grace}");
            let winner = answers.iter().find(|told| told.status == 200).unwrap();
            let after = app.refresh(&winner.text("refresh_token")).await.status;
            assert_eq!(after, if grace == 0 { 400 } else { 200 }, "{on:?} {grace}");
            world.stop().await;
        }
    }
}

/// R-511, OIDC Core 11: without `offline_access` the end of the session is the end; with it, it is not. Both end in time.
#[actix_web::test]
async fn refresh_tokens_end_with_the_session_or_in_their_time() {
    let world =
        with_refresh(On::Sqlite, "refresh_token_idle_seconds = 86400\nrefresh_token_longest_seconds = 200000\n").await;
    let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
    let bound = app.tokens(&mut linus, "openid", "").await.text("refresh_token");
    let away = app.tokens(&mut linus, "openid offline_access", "").await;
    assert_eq!(away.body["scope"], "openid offline_access");
    let portal = linus.get(&format!("{}/", world.base())).await;
    linus.press(&portal, "log-out", &[]).await;
    assert_eq!(app.refresh(&bound).await.error(), "invalid_grant", "the session is over");
    let mut token = away.text("refresh_token");
    // Each use gives another idle time, up to the end of the family.
    for _ in 0..2 {
        world.advance(86_000);
        let told = app.refresh(&token).await;
        assert_eq!(told.status, 200, "{}", told.text);
        token = told.text("refresh_token");
    }
    world.advance(30_000);
    assert_eq!(app.refresh(&token).await.error(), "invalid_grant", "10.4.8: an absolute end");
    let idle = app.tokens(&mut crate::relying_party::linus(&world).await, "openid offline_access", "").await;
    world.advance(86_401);
    assert_eq!(app.refresh(&idle.text("refresh_token")).await.error(), "invalid_grant", "unused for too long");
    // Whoever is disabled has nothing left, offline or not (T-55).
    let mut linus = crate::relying_party::linus(&world).await;
    let token = app.tokens(&mut linus, "openid offline_access", "").await.text("refresh_token");
    world.command(&["user", "disable", "linus"]);
    assert_eq!(app.refresh(&token).await.error(), "invalid_grant");
    world.stop().await;
}

/// ASVS 8.3.2: whoever loses the application loses its tokens, also those that outlive the session; and a scope
/// that is taken away from the application is missing from then on.
#[actix_web::test]
async fn tokens_follow_what_was_taken_away() {
    for on in BOTH {
        let world = World::new(on).await;
        let table = |more: &str| application("app", &format!("{SECRET}refresh_tokens = true\n{more}"));
        let for_whom = |whom: &str| table("").replace("\"everyone\"", whom);
        let in_groups = |groups: &str| {
            format!("[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"linus\"\ngroups = {groups}\n")
        };
        let pilots = "{ groups = [\"pilot\"], users = [] }";
        world.apply(&in_groups("[\"pilot\"]")).await;
        world.apply(&for_whom(pilots)).await;
        let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
        let first = app.tokens(&mut linus, "openid email offline_access", "").await;
        let (access, refresh) = (first.text("access_token"), first.text("refresh_token"));
        let worth = async |refresh: &str| {
            let told = app.post("introspect", &[("token", &access)]).await.body["active"] == true;
            let again = app.post("introspect", &[("token", refresh)]).await.body["active"] == true;
            (app.userinfo(&access).await.status, told, again)
        };
        assert_eq!(worth(&refresh).await, (200, true, true), "{on:?}");
        // Out of the group, and out of the application.
        for (gone, back) in [
            (in_groups("[]"), in_groups("[\"pilot\"]")),
            (for_whom("{ groups = [], users = [\"ada\"] }"), for_whom(pilots)),
        ] {
            let code = answer(&linus.get(&app.url("openid", "")).await, "code");
            world.apply(&gone).await;
            assert_eq!(worth(&refresh).await, (401, false, false), "{on:?}");
            assert_eq!(app.refresh(&refresh).await.error(), "invalid_grant", "{on:?}");
            assert_eq!(app.redeem(&code).await.error(), "invalid_grant", "{on:?}: a code of a moment before");
            world.apply(&back).await;
            assert_eq!(worth(&refresh).await, (200, true, true), "{on:?}: nothing was spent");
        }
        // The application may know less from now on.
        world.apply(&table("scopes = [\"openid\", \"offline_access\"]\n")).await;
        assert_eq!(app.userinfo(&access).await.body["email"], json!(null), "{on:?}");
        let told = app.post("introspect", &[("token", &access)]).await;
        assert_eq!(told.text("scope"), "openid offline_access", "{on:?}");
        let told = app.post("introspect", &[("token", &refresh)]).await;
        assert_eq!(told.text("scope"), "openid offline_access", "{on:?}");
        let next = app
            .post("token", &[("grant_type", "refresh_token"), ("refresh_token", &refresh), ("scope", "openid email")])
            .await;
        assert_eq!((next.status, next.text("scope")), (200, "openid".to_owned()), "{on:?}: {}", next.text);
        let next = app.refresh(&next.text("refresh_token")).await;
        assert_eq!(next.text("scope"), "openid offline_access", "{on:?}");
        // Nothing outlives the session of an application that may not have that.
        let portal = linus.get(&format!("{}/", world.base())).await;
        linus.press(&portal, "log-out", &[]).await;
        world.apply(&table("scopes = [\"openid\"]\n")).await;
        assert_eq!(app.refresh(&next.text("refresh_token")).await.error(), "invalid_grant", "{on:?}");
        world.apply(&table("")).await;
        assert_eq!(app.refresh(&next.text("refresh_token")).await.status, 200, "{on:?}");
        world.stop().await;
    }
}

/// opt-in for each application; fewer scopes may be asked for, more may not.
#[actix_web::test]
async fn refresh_tokens_are_opt_in_and_never_grow() {
    let world = with_refresh(On::Sqlite, "").await;
    world.apply(&application("plain", SECRET)).await;
    let mut linus = linus(&world).await;
    let plain = Rp::new(&world, "plain").tokens(&mut linus, "openid offline_access", "").await;
    assert_eq!((plain.body["refresh_token"].clone(), plain.text("scope")), (json!(null), "openid".to_owned()));
    let app = Rp::new(&world, "app");
    let token = app.tokens(&mut linus, "openid email", "").await.text("refresh_token");
    let with =
        |scope: &'static str| [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", scope)];
    for more in ["openid profile", "openid nonsense", " "] {
        assert_eq!(app.post("token", &with(more)).await.error(), "invalid_scope", "{more}");
    }
    let narrow = app.post("token", &with("openid")).await;
    assert_eq!(narrow.text("scope"), "openid");
    let person = app.userinfo(&narrow.text("access_token")).await;
    assert_eq!((person.status, person.body["email"].clone()), (200, json!(null)));
    // OIDC Core 5.3, RFC 6750, 3.1: a token without openid tells of nobody, not even the subject.
    let other = app.tokens(&mut linus, "openid email", "").await.text("refresh_token");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", other.as_str()), ("scope", "email")];
    let less = app.post("token", &fields).await;
    assert_eq!((less.status, less.text("scope")), (200, "email".to_owned()), "{}", less.text);
    let person = app.userinfo(&less.text("access_token")).await;
    let challenge = person.header("www-authenticate");
    assert_eq!((person.status, person.text.as_str()), (403, ""), "{challenge}");
    assert!(
        challenge.starts_with("Bearer error=\"insufficient_scope\"") && challenge.ends_with("scope=\"openid\""),
        "{challenge}"
    );
    // Another application has no use for it, and it is not spent by trying.
    let stolen = Rp::new(&world, "plain").refresh(&narrow.text("refresh_token")).await;
    assert_eq!(stolen.error(), "invalid_grant");
    assert_eq!(app.refresh(&narrow.text("refresh_token")).await.status, 200);
    for garbage in ["x", "vrt_", &format!("{}A", narrow.text("refresh_token")), &narrow.text("access_token")] {
        assert_eq!(app.refresh(garbage).await.error(), "invalid_grant", "{garbage}");
    }
    world.stop().await;
}

/// RFC 7009: an application gives up its tokens, whichever it shows and whatever the hint says; nobody else can.
#[actix_web::test]
async fn tokens_are_revoked_by_their_application_only() {
    for on in BOTH {
        let world = with_refresh(on, "").await;
        world.apply(&application("other", SECRET)).await;
        let (app, other, mut linus) = (Rp::new(&world, "app"), Rp::new(&world, "other"), linus(&world).await);
        assert_eq!(app.post("revoke", &[("token", "bogus")]).await.status, 200, "RFC 7009, 2.2");
        assert_eq!(app.post("revoke", &[]).await.error(), "invalid_request");
        for (shown, hint) in
            [("refresh_token", "access_token"), ("access_token", "refresh_token"), ("access_token", "x")]
        {
            let tokens = app.tokens(&mut linus, "openid", "").await;
            let token = tokens.text(shown);
            let foreign = other.post("revoke", &[("token", &token)]).await;
            assert_eq!((foreign.status, foreign.error()), (400, "invalid_grant"));
            let bare = app.post_bare("revoke", &[("token", &token), ("client_id", "app")]).await;
            assert_eq!((bare.status, bare.error()), (401, "invalid_client"));
            assert_eq!(app.userinfo(&tokens.text("access_token")).await.status, 200, "nobody else ends it");
            let told = app.post("revoke", &[("token", &token), ("token_type_hint", hint)]).await;
            assert_eq!((told.status, told.text.as_str(), told.header("cache-control")), (200, "", "no-store"));
            assert_eq!(app.userinfo(&tokens.text("access_token")).await.status, 401, "{on:?}");
            assert_eq!(app.refresh(&tokens.text("refresh_token")).await.error(), "invalid_grant", "{on:?}");
            assert_eq!(app.post("revoke", &[("token", &token)]).await.status, 200, "twice does no harm");
        }
        world.stop().await;
    }
}

/// RFC 7662: what a token is worth now; nothing to those whom it does not concern.
#[actix_web::test]
async fn introspection_tells_its_own_client_the_truth() {
    let world = with_refresh(On::Sqlite, "").await;
    world.apply(&application("other", SECRET)).await;
    world
        .apply(&application(
            "spa",
            "token_endpoint_auth_method = \"none\"\nredirect_uris = [\"https://rp.example/cb\"]\n",
        ))
        .await;
    let (app, other, mut linus) = (Rp::new(&world, "app"), Rp::new(&world, "other"), linus(&world).await);
    let tokens = app.tokens(&mut linus, "openid email", "").await;
    let (access, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
    let told = app.post("introspect", &[("token", &access), ("token_type_hint", "refresh_token")]).await;
    assert_eq!(told.header("cache-control"), "no-store");
    let now = world.clock_now().seconds();
    let claims = tokens.claims();
    for (name, value) in [
        ("active", json!(true)),
        ("client_id", json!("app")),
        ("scope", json!("openid email")),
        ("token_type", json!("Bearer")),
        ("username", json!(null)),
        ("sub", claims["sub"].clone()),
        ("sid", claims["sid"].clone()),
        ("iss", claims["iss"].clone()),
        ("acr", claims["acr"].clone()),
        ("iat", json!(now)),
        ("exp", json!(now + 900)),
    ] {
        assert_eq!(told.body[name], value, "{name}");
    }
    assert_eq!(app.post("introspect", &[("token", &refresh)]).await.body["active"], true);
    // RFC 7662, 5: what the person is called is for whoever may know it, at this moment.
    world.apply(&application("narrow", &format!("{SECRET}scopes = [\"openid\", \"profile\"]\n"))).await;
    let narrow = Rp::new(&world, "narrow");
    let named = narrow.tokens(&mut linus, "openid profile", "").await.text("access_token");
    assert_eq!(narrow.post("introspect", &[("token", &named)]).await.body["username"], "linus");
    world.apply(&application("narrow", &format!("{SECRET}scopes = [\"openid\"]\n"))).await;
    let told = narrow.post("introspect", &[("token", &named)]).await;
    assert_eq!((&told.body["active"], &told.body["username"]), (&json!(true), &json!(null)));
    let inactive = json!({ "active": false });
    for token in [&access, &refresh] {
        assert_eq!(other.post("introspect", &[("token", token)]).await.body, inactive, "RFC 7662, 4");
    }
    assert_eq!(app.post("introspect", &[("token", "garbage")]).await.body, inactive);
    assert_eq!(app.post("introspect", &[]).await.error(), "invalid_request");
    for told in [
        app.post_bare("introspect", &[("token", &access)]).await,
        app.post_bare("introspect", &[("token", &access), ("client_id", "spa")]).await,
    ] {
        assert_eq!((told.status, told.error()), (401, "invalid_client"));
    }
    // A refresh token that was used is not active, but asking does not end its family.
    let next = app.refresh(&refresh).await;
    assert_eq!(app.post("introspect", &[("token", &refresh)]).await.body, inactive);
    assert_eq!(app.post("introspect", &[("token", &next.text("refresh_token"))]).await.body["active"], true);
    world.advance(901);
    assert_eq!(app.post("introspect", &[("token", &access)]).await.body, inactive, "expired");
    app.post("revoke", &[("token", &refresh)]).await;
    assert_eq!(app.post("introspect", &[("token", &next.text("refresh_token"))]).await.body, inactive, "T-55");
    world.stop().await;
}

/// R-510, AC-49: a client with a key of its own; an assertion counts once, for us, and at every endpoint.
#[actix_web::test]
async fn an_assertion_by_a_registered_key_counts_once() {
    use vestibule::domain::ids::SigningKeyId;
    use vestibule::domain::signing_key::SignatureAlgorithm;
    use vestibule::keys::signing::{RsaSize, SigningKey};
    for on in BOTH {
        let world = World::new(on).await;
        let key =
            SigningKey::generate(SigningKeyId::from_bits(1), SignatureAlgorithm::Rs256, RsaSize::Bits2048).unwrap();
        let keys = json!({ "keys": [key.public_jwk()] });
        let table = format!(
            "token_endpoint_auth_method = \"private_key_jwt\"\nredirect_uris = [\"{CALLBACK}\"]\njwks = '{keys}'\n"
        );
        world.apply(&application("robot", &table)).await;
        let robot = Rp::new(&world, "robot");
        let mut linus = linus(&world).await;
        let seen = linus.get(&robot.url("openid", "")).await;
        let code = answer(&seen, "code");
        let assertion = |jti: &str, audience: &str| {
            let now = world.clock_now().seconds();
            let claims =
                json!({ "iss": "robot", "sub": "robot", "aud": audience, "jti": jti, "iat": now, "exp": now + 60 });
            key.sign_jwt(claims.to_string().as_bytes()).unwrap()
        };
        let proof = |assertion: &str| {
            [
                ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
                ("client_assertion", assertion.to_owned()),
            ]
        };
        let redeem = async |assertion: &str| {
            let mut fields = code_grant(&code).map(|(name, value)| (name, value.to_owned())).to_vec();
            fields.extend(proof(assertion));
            Told::of(reqwest::Client::new().post(format!("{}/oidc/token", world.base())).form(&fields)).await
        };
        let bare = robot.post_bare("token", &[&code_grant(&code)[..], &[("client_id", "robot")]].concat()).await;
        assert_eq!((bare.status, bare.error()), (401, "invalid_client"), "{on:?}");
        let foreign = redeem(&assertion("0", "https://login.example/t/blue")).await;
        assert_eq!((foreign.status, foreign.error()), (401, "invalid_client"), "{on:?}");
        let good = assertion("1", &format!("{}/oidc/token", world.base()));
        let tokens = redeem(&good).await;
        assert_eq!(tokens.status, 200, "{on:?}: {}", tokens.text);
        // The same assertion at another endpoint.
        let token = tokens.text("access_token");
        let mut fields = proof(&good).to_vec();
        fields.push(("token", token.clone()));
        let address = format!("{}/oidc/introspect", world.base());
        let again = Told::of(reqwest::Client::new().post(&address).form(&fields)).await;
        assert_eq!((again.status, again.error()), (401, "invalid_client"), "{on:?}: used before");
        let mut fields = proof(&assertion("2", &address)).to_vec();
        fields.push(("token", token));
        let told = Told::of(reqwest::Client::new().post(&address).form(&fields)).await;
        assert_eq!(told.body["active"], true, "{on:?}: {}", told.text);
        // Sixteen copies of one assertion: one counts.
        let copy = assertion("3", &world.base());
        let copies = (0..16).map(|_| {
            let mut fields = proof(&copy).to_vec();
            fields.push(("token", "x".to_owned()));
            Told::of(reqwest::Client::new().post(&address).form(&fields))
        });
        let good = join_all(copies).await.iter().filter(|told| told.status == 200).count();
        assert_eq!(good, 1, "{on:?}");
        world.stop().await;
    }
}

/// AC-47, T-48: challenge, verifier and method in every combination.
#[actix_web::test]
async fn a_verifier_and_a_challenge_belong_together() {
    let world = World::new(On::Sqlite).await;
    world.apply(&application("strict", SECRET)).await;
    world.apply(&application("lax", &format!("{SECRET}require_pkce = false\n"))).await;
    let mut linus = linus(&world).await;
    for id in ["strict", "lax"] {
        let app = Rp::new(&world, id);
        let with = app.url("openid", "");
        let without = with.split("&code_challenge=").next().unwrap().to_owned();
        for (url, verifier, good) in [
            (with.clone(), Some(VERIFIER), true),
            (with.clone(), None, false),
            (with.clone(), Some("another-verifier-that-is-long-enough-for-the-rules"), false),
            (with.replace("S256", "plain"), Some(VERIFIER), false),
            (with.replace("&code_challenge_method=S256", ""), Some(VERIFIER), false),
            (without.clone(), None, id == "lax"),
            (without, Some(VERIFIER), false),
        ] {
            let seen = linus.get(&url).await;
            let code = answer(&seen, "code");
            let mut fields = code_grant(&code).to_vec();
            fields.retain(|(name, _)| *name != "code_verifier");
            if let Some(verifier) = verifier {
                fields.push(("code_verifier", verifier));
            }
            let issued = !code.is_empty() && app.post("token", &fields).await.status == 200;
            assert_eq!(issued, good, "{id} {url} {verifier:?}");
            assert!(good || code.is_empty() || answer(&seen, "iss") == world.base(), "{}", encoded(&code));
        }
    }
    world.stop().await;
}

/// AC-46, T-47, T-56: a code is worth nothing to another client, another tenant or with another address, and its second
/// use takes back what the first one gave.
#[actix_web::test]
async fn a_code_is_for_its_client_alone_and_once() {
    for on in BOTH {
        let world = with_refresh(on, "").await;
        world.apply(&application("other", SECRET)).await;
        let twin = application("app", SECRET).replace("code = \"acme\"", "code = \"blue\"\nname = \"Blue\"");
        world.apply(&twin).await;
        let (app, other, mut linus) = (Rp::new(&world, "app"), Rp::new(&world, "other"), linus(&world).await);
        let code = answer(&linus.get(&app.url("openid", "")).await, "code");
        assert_eq!(other.redeem(&code).await.error(), "invalid_grant", "{on:?}: another client");
        let blue = reqwest::Client::new().post(format!("{}/t/blue/oidc/token", world.url));
        let blue = blue.basic_auth("app", Some("a%20secret%20of%20the%20application")).form(&code_grant(&code));
        assert_eq!(Told::of(blue).await.error(), "invalid_grant", "{on:?}: another tenant");
        let tokens = app.redeem(&code).await;
        assert_eq!(tokens.status, 200, "{on:?}: trying has not burnt it");
        assert_eq!(app.redeem(&code).await.error(), "invalid_grant", "{on:?}: twice");
        assert_eq!(app.userinfo(&tokens.text("access_token")).await.status, 401, "{on:?}");
        assert_eq!(app.refresh(&tokens.text("refresh_token")).await.error(), "invalid_grant", "{on:?}");
        // Access and refresh tokens of one tenant are nothing in another (T-56).
        let tokens = app.tokens(&mut linus, "openid", "").await;
        let foreign = reqwest::Client::new().get(format!("{}/t/blue/oidc/userinfo", world.url));
        assert_eq!(Told::of(foreign.bearer_auth(tokens.text("access_token"))).await.status, 401, "{on:?}");
        world.stop().await;
    }
}

/// RFC 6749 5.2, RFC 8725, RFC 9110 15.5.2: what is not a request gets a clear answer at every endpoint, and never a 500.
#[actix_web::test]
async fn nonsense_gets_a_clear_answer_at_every_endpoint() {
    let world = with_refresh(On::Sqlite, "device_authorization = true\n").await;
    let client = reqwest::Client::new();
    let long = format!("token={}", "x".repeat(70 * 1024));
    for endpoint in ["token", "revoke", "introspect", "par", "device_authorization"] {
        let address = format!("{}/oidc/{endpoint}", world.base());
        let form = "application/x-www-form-urlencoded";
        for (kind, body, status) in [
            (form, "", 401),
            (form, "client_id=app&client_id=app", 400),
            (form, "client_id=nobody", 401),
            (form, "client_id=%ff", 400),
            (form, "client_id=app&client_secret=wrong", 401),
            (form, "client_assertion=x", 400),
            (form, "client_assertion=a.b.c&client_assertion_type=x", 400),
            (form, &long, 400),
            ("application/json", "{}", 400),
            ("text/plain", "client_id=app", 400),
            ("", "client_id=app", 400),
        ] {
            let told = Told::of(client.post(&address).header("content-type", kind).body(body.to_owned())).await;
            let good = told.status == status
                || (body.len() > 60_000 && told.status == 413)
                || (status == 401 && told.status == 400);
            let short = body.chars().take(60).collect::<String>();
            assert!(good, "{endpoint} {kind} {short}: {} {}", told.status, told.text);
            if told.status != 413 {
                assert!(
                    !told.error().is_empty() && told.body["error_description"].is_string(),
                    "{endpoint}: {}",
                    told.text
                );
                assert_eq!(told.header("cache-control"), "no-store", "{endpoint}");
            }
        }
        for header in ["Basic", "Basic !!", "Basic YQ", "Bearer x", "Digest a=b", "Basic \u{7f}"] {
            let request = client.post(&address).header("authorization", header.replace('\u{7f}', "x"));
            let told = Told::of(request.form(&[("token", "x")])).await;
            assert!(matches!(told.status, 400 | 401), "{endpoint} {header}: {}", told.status);
            if told.status == 401 {
                assert!(told.header("www-authenticate").starts_with("Basic"), "{endpoint}");
            }
        }
        // RFC 9110, 15.5.2: every 401 says how to authenticate. A browser that sent nothing would ask a person for a password.
        for (name, value, challenge) in [
            ("accept", "application/json", "Basic realm=\"token\""),
            ("origin", "https://spa.example.com", ""),
            ("origin", "null", ""),
            ("sec-fetch-site", "same-origin", ""),
        ] {
            let fields = [("client_id", "nobody"), ("grant_type", "client_credentials")];
            let told = Told::of(client.post(&address).header(name, value).form(&fields)).await;
            assert_eq!((told.status, told.error()), (401, "invalid_client"), "{endpoint} {name}: {}", told.text);
            assert_eq!(told.header("www-authenticate"), challenge, "{endpoint} {name}");
        }
        let page = client.post(&address).header("origin", "https://spa.example.com").basic_auth("app", Some("wrong"));
        let told = Told::of(page.form(&[("grant_type", "client_credentials")])).await;
        assert_eq!((told.status, told.header("www-authenticate")), (401, "Basic realm=\"token\""), "{endpoint}");
        let get = Told::of(client.get(format!("{address}?client_id=app"))).await;
        assert!(matches!(get.status, 404 | 405), "{endpoint}: {}", get.status);
    }
    for path in ["oidc/authorize/x", "oidc/logout/x", "oidc/consent/x", "oidc/device/confirm/x", "oidc/register/x"] {
        let told = Told::of(client.post(format!("{}/{path}", world.base())).form(&[("a", "b")])).await;
        assert!((400..500).contains(&told.status), "{path}: {}", told.status);
    }
    world.stop().await;
}
