//! Where the worth of a grant ends: in time, with what happens to its person, and at the border of its virtual server.

use std::net::IpAddr;

use serde_json::json;
use vestibule::domain::ids::SigningKeyId;
use vestibule::domain::signing_key::SignatureAlgorithm;
use vestibule::keys::signing::{RsaSize, SigningKey};
use vestibule::storage::Db;
use vestibule::storage::statement::Statement;

use crate::relying_party::{CALLBACK, Rp, SECRET, Told, answer, application, code_grant, encoded, linus};
use crate::visitor::Visitor;
use crate::world::{ACME, BOTH, On, World};

/// a code lives for sixty seconds; that one came too late is not written down as theft.
#[actix_web::test]
async fn a_code_lives_for_a_minute() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&application("app", SECRET)).await;
        let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
        for (seconds, good) in [(59, true), (60, false), (3600, false)] {
            let code = answer(&linus.get(&app.url("openid", "")).await, "code");
            world.advance(seconds);
            let told = app.redeem(&code).await;
            assert_eq!(told.status == 200, good, "{on:?} {seconds}: {}", told.text);
            assert!(good || told.error() == "invalid_grant", "{on:?}: {}", told.text);
        }
        assert_eq!(world.events("grant_revoked").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// a secret that is made here is shown once, and both are good while one replaces the other.
#[actix_web::test]
async fn a_secret_can_be_made_here() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        world.apply(&application("app", SECRET)).await;
        let address = format!("{}/oidc/introspect", world.base());
        let good = async |secret: &str| {
            let request = reqwest::Client::new().post(&address).basic_auth("app", Some(encoded(secret)));
            Told::of(request.form(&[("token", "x")])).await.status == 200
        };
        let before = "a secret of the application";
        let printed = world.command(&["client", "secret", "app", "--tenant", "acme"]);
        let made = printed.trim();
        assert_eq!(made.len(), 43, "{printed}");
        // A running instance looks for changes every few seconds.
        world.advance(10);
        assert!(good(before).await && good(made).await, "{on:?}");
        // A file that does not name a secret keeps what is there.
        let without = SECRET.lines().filter(|line| !line.starts_with("client_secret")).collect::<Vec<_>>().join("\n");
        world.apply(&application("app", &without)).await;
        assert!(good(before).await && good(made).await, "{on:?}");
        let last = world.command(&["client", "secret", "app", "--tenant", "acme", "--at-once"]);
        world.advance(10);
        assert!(!good(before).await && !good(made).await && good(last.trim()).await, "{on:?}");
        let kept = world.number("SELECT COUNT(*) AS n FROM audit_event WHERE action = 'application_changed'").await;
        assert!(kept >= 2, "{on:?}: {kept}");
        world.stop().await;
    }
}

/// the languages that the application wishes count after the one that the person has chosen, and before the
/// browser's.
#[actix_web::test]
async fn the_persons_choice_of_language_comes_first() {
    let world = World::new(On::Sqlite).await;
    world.apply(&application("app", SECRET)).await;
    let url = Rp::new(&world, "app").url("openid", "&ui_locales=xx%20nl%20fr");
    let mut visitor = Visitor::new(&world.url);
    assert!(visitor.get(&url).await.body.contains("<html lang=\"nl\""));
    visitor.get(&format!("{}/?language=it", world.base())).await;
    let page = visitor.get(&url).await;
    assert!(page.body.contains("<html lang=\"it\""), "{}", page.body);
    world.stop().await;
}

/// T-55, T-11: whatever ends what somebody granted ends it at every endpoint, and nothing brings it back.
#[actix_web::test]
async fn what_was_ended_is_ended_everywhere() {
    for on in BOTH {
        let world = World::new(on).await;
        let api = "[[tenant.resource]]\nidentifier = \"https://api.example/\"\nscopes = [\"read\"]\nintrospected_by = [\"app\"]\n";
        world.apply(&format!("[[tenant]]\ncode = \"acme\"\n{api}")).await;
        let table = format!("{SECRET}refresh_tokens = true\nresources = [\"https://api.example/\"]\n");
        world.apply(&application("app", &table)).await;
        let app = Rp::new(&world, "app");
        let of_linus = |what: &str| {
            format!(
                "[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"linus\"\ngroups = [\"pilot\"]\n{what}\n"
            )
        };
        for (what, then) in [
            ("password = \"another password\"", "password = \"has a token already\""),
            ("email = \"moved@acme.test\"", "email = \"linus@acme.test\""),
            ("enabled = false", "enabled = true"),
        ] {
            let mut linus = linus(&world).await;
            let tokens = app.tokens(&mut linus, "openid offline_access", "").await;
            let more = app.tokens(&mut linus, "openid read", "&resource=https%3A%2F%2Fapi.example%2F").await;
            let (access, jwt) = (tokens.text("access_token"), more.text("access_token"));
            assert_eq!(app.userinfo(&access).await.status, 200, "{on:?}");
            assert_eq!(app.post("introspect", &[("token", &jwt)]).await.body["active"], true, "{on:?}");
            let waiting = answer(&linus.get(&app.url("openid", "")).await, "code");
            for change in [what, then] {
                world.apply(&of_linus(change)).await;
                assert_eq!(app.userinfo(&access).await.status, 401, "{on:?} {change}");
                for token in [&access, &jwt, &tokens.text("refresh_token"), &more.text("refresh_token")] {
                    let told = app.post("introspect", &[("token", token)]).await;
                    assert_eq!(told.body, json!({ "active": false }), "{on:?} {change}");
                }
                for token in [&tokens, &more] {
                    let told = app.refresh(&token.text("refresh_token")).await;
                    assert_eq!(told.error(), "invalid_grant", "{on:?} {change}");
                }
                assert_eq!(app.redeem(&waiting).await.error(), "invalid_grant", "{on:?} {change}");
            }
            let silent = linus.get(&app.url("openid", "&prompt=none")).await;
            assert_eq!(answer(&silent, "error"), "login_required", "{on:?} {what}");
        }
        world.stop().await;
    }
}

/// R-001, T-56, AC-50 as far as applications and browsers can reach: two virtual servers with the same people, applications and
/// secrets; whatever one of them gave out is nothing in any place of the other, and is none the worse for having been shown.
#[actix_web::test]
async fn what_one_virtual_server_gave_is_nothing_in_another() {
    for on in BOTH {
        let world = World::new(on).await;
        let blue_of = |file: &str| file.replace("code = \"acme\"", "code = \"blue\"");
        world.apply(&blue_of(ACME)).await;
        let key =
            SigningKey::generate(SigningKeyId::from_bits(1), SignatureAlgorithm::Es256, RsaSize::Bits2048).unwrap();
        let keys = json!({ "keys": [key.public_jwk()] });
        let robot = format!(
            "token_endpoint_auth_method = \"private_key_jwt\"\nclient_credentials = true\njwks = '{keys}'\n\
             resources = [\"https://api.example/\"]\n"
        );
        let api = "[[tenant]]\ncode = \"acme\"\n[[tenant.resource]]\nidentifier = \"https://api.example/\"\n\
                   scopes = [\"read\"]\nintrospected_by = [\"app\"]\n";
        let app_table = format!(
            "{SECRET}refresh_tokens = true\ndevice_authorization = true\n\
                                 post_logout_redirect_uris = [\"https://rp.example/out\"]\n"
        );
        for file in [api.to_owned(), application("app", &app_table), application("robot", &robot)] {
            world.apply(&file).await;
            world.apply(&blue_of(&file)).await;
        }
        let (app, client) = (Rp::new(&world, "app"), reqwest::Client::new());
        let blue = format!("{}/t/blue", world.url);
        let at_blue = async |endpoint: &str, fields: &[(&str, &str)]| {
            let request = reqwest::Client::new().post(format!("{blue}/oidc/{endpoint}"));
            Told::of(request.basic_auth("app", Some("a%20secret%20of%20the%20application")).form(fields)).await
        };
        let mut linus = linus(&world).await;
        let tokens = app.tokens(&mut linus, "openid", "").await;
        let (access, refresh, hint) =
            (tokens.text("access_token"), tokens.text("refresh_token"), tokens.text("id_token"));
        let code = answer(&linus.get(&app.url("openid", "")).await, "code");
        let device = app.post("device_authorization", &[("scope", "openid")]).await;
        let pushed = form_urlencoded::parse(app.query("openid", "").as_bytes()).into_owned().collect::<Vec<_>>();
        let pushed: Vec<(&str, &str)> = pushed.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let pushed = app.post("par", &pushed).await.text("request_uri");
        let assertion = |issuer: &str, jti: &str| {
            let claims = json!({ "iss": "robot", "sub": "robot", "aud": issuer, "jti": jti,
                "exp": world.clock_now().seconds() + 60 });
            key.sign_jwt(claims.to_string().as_bytes()).unwrap()
        };
        let for_itself = async |base: &str, assertion: &str| {
            let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
            let fields = [
                ("grant_type", "client_credentials"),
                ("client_assertion_type", kind),
                ("client_assertion", assertion),
            ];
            Told::of(reqwest::Client::new().post(format!("{base}/oidc/token")).form(&fields)).await
        };
        // The endpoints that applications call.
        assert_eq!(
            Told::of(client.get(format!("{blue}/oidc/userinfo")).bearer_auth(&access)).await.status,
            401,
            "{on:?}"
        );
        for token in [&access, &refresh, &hint] {
            assert_eq!(at_blue("introspect", &[("token", token)]).await.body, json!({ "active": false }), "{on:?}");
            assert_eq!(at_blue("revoke", &[("token", token)]).await.status, 200, "{on:?}: as for any text");
        }
        assert_eq!(at_blue("token", &code_grant(&code)).await.error(), "invalid_grant", "{on:?}");
        let renew = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        assert_eq!(at_blue("token", &renew).await.error(), "invalid_grant", "{on:?}");
        let poll = device.text("device_code");
        let poll = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", poll.as_str())];
        assert_eq!(at_blue("token", &poll).await.error(), "invalid_grant", "{on:?}");
        let foreign = for_itself(&blue, &assertion(&world.base(), "1")).await;
        assert_eq!((foreign.status, foreign.error()), (401, "invalid_client"), "{on:?}");
        let robots = for_itself(&world.base(), &assertion(&world.base(), "2")).await.text("access_token");
        assert_eq!(at_blue("introspect", &[("token", &robots)]).await.body, json!({ "active": false }), "{on:?}");
        assert_eq!(app.post("introspect", &[("token", &robots)]).await.body["active"], true, "{on:?}");
        let permit = world.command(&["client", "permit", "--tenant", "acme"]);
        let metadata = json!({ "client_name": "Self-made", "redirect_uris": [CALLBACK] });
        let register = client.post(format!("{blue}/oidc/register")).bearer_auth(permit.trim()).json(&metadata);
        assert_eq!(Told::of(register).await.status, 401, "{on:?}");
        // The browser of somebody who is logged in at acme.
        let authorize = |more: &str| app.url("openid", more).replace("/t/acme/", "/t/blue/");
        let silent = linus.get(&authorize(&format!("&prompt=none&id_token_hint={hint}"))).await;
        assert_eq!(answer(&silent, "error"), "login_required", "{on:?}");
        assert_eq!(answer(&silent, "iss"), blue, "{on:?}: T-49");
        let by_reference = format!("{blue}/oidc/authorize?client_id=app&request_uri={}", encoded(&pushed));
        let seen = linus.get(&by_reference).await;
        assert_eq!((seen.status, seen.leaves_to), (400, None), "{on:?}");
        let out = format!(
            "{blue}/oidc/logout?id_token_hint={hint}&post_logout_redirect_uri={}",
            encoded("https://rp.example/out")
        );
        let seen = linus.get(&out).await;
        assert_eq!((seen.status, seen.leaves_to), (400, None), "{on:?}");
        let page = linus.get(&format!("{blue}/oidc/device")).await;
        let page = linus.press(&page, "continue", &[("code", &device.text("user_code"))]).await;
        assert!(page.complaint().contains("not known"), "{on:?}: {}", page.body);
        // A login that began here does not go on there.
        let mut other = Visitor::new(&world.url);
        let begun = other.get(&app.url("openid", "")).await;
        let (action, mut fields) = begun.form("continue");
        fields.push(("username".to_owned(), "linus".to_owned()));
        for place in [
            action.replace("/t/acme/", "/t/blue/"),
            begun.url.replace("/login/", "/oidc/resume/").replace("/t/acme/", "/t/blue/"),
        ] {
            let moved = other.clone().once(reqwest::Method::POST, &place, Some(fields.clone())).await;
            assert!((400..500).contains(&moved.status), "{on:?} {place}: {}", moved.status);
        }
        // Nothing of all that has hurt anything at home.
        assert_eq!(app.userinfo(&access).await.status, 200, "{on:?}");
        assert_eq!(app.redeem(&code).await.status, 200, "{on:?}");
        assert_eq!(app.refresh(&refresh).await.status, 200, "{on:?}");
        world.advance(5);
        assert_eq!(app.post("token", &poll).await.error(), "authorization_pending", "{on:?}");
        let home = linus.get(&by_reference.replace("/t/blue/", "/t/acme/")).await;
        assert!(!answer(&home, "code").is_empty(), "{on:?}");
        assert!(!answer(&linus.get(&app.url("openid", "&prompt=none")).await, "code").is_empty(), "{on:?}");
        world.stop().await;
    }
}

/// RFC 6749 4.1.2.1 and 5.2, RFC 9126 2.3, RFC 9110: what the framework itself refuses has the protocol's form, too, and
/// when we fail the application hears of it.
#[actix_web::test]
async fn even_our_own_failures_speak_the_protocol() {
    let world = World::new(On::Sqlite).await;
    world.apply(&application("app", SECRET)).await;
    let (app, client, mut linus) = (Rp::new(&world, "app"), reqwest::Client::new(), linus(&world).await);
    for endpoint in ["token", "revoke", "introspect", "par", "device_authorization"] {
        let address = format!("{}/oidc/{endpoint}", world.base());
        let get = Told::of(client.get(&address)).await;
        assert_eq!(
            (get.status, get.header("allow"), get.error()),
            (405, "POST, OPTIONS", "invalid_request"),
            "{endpoint}"
        );
        // Longer than we read, and longer than the framework reads.
        let long = async |kilobytes: usize| {
            let long = client.post(&address).header("content-type", "application/x-www-form-urlencoded");
            let long = Told::of(long.body("x".repeat(kilobytes * 1024))).await;
            let told = (long.status, long.error());
            assert_eq!(told, (413, "invalid_request"), "{endpoint} {kilobytes}: {}", long.text);
            long
        };
        for told in [get, long(40).await, long(300).await] {
            assert!(told.body["error_description"].is_string(), "{endpoint}: {}", told.text);
            assert_eq!((told.header("cache-control"), told.header("access-control-allow-origin")), ("no-store", "*"));
        }
        let preflight = Told::of(client.request(reqwest::Method::OPTIONS, &address)).await;
        assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, "*"), "{endpoint}");
    }
    let put = Told::of(client.put(format!("{}/oidc/userinfo", world.base()))).await;
    assert_eq!((put.status, put.header("allow"), put.error()), (405, "GET, POST, OPTIONS", "invalid_request"));
    // RFC 9449, 7.1: whoever comes with DPoP is answered in its words.
    let userinfo = client.get(format!("{}/oidc/userinfo", world.base())).header("authorization", "DPoP nonsense");
    let told = Told::of(userinfo).await;
    assert!(told.header("www-authenticate").starts_with("DPoP error=\"invalid_token\""), "{:?}", told.headers);
    let db = Db::connect(&world.database).await.unwrap();
    let run = async |statement: &'static str| {
        db.write(async |connection| Statement::new(statement).run(connection).await).await.unwrap();
    };
    run("ALTER TABLE sso_session RENAME TO gone_for_a_while").await;
    let seen = linus.get(&app.url("openid", "&prompt=none")).await;
    assert_eq!((answer(&seen, "error"), answer(&seen, "state")), ("server_error".to_owned(), "xyz".to_owned()));
    assert_eq!(answer(&seen, "iss"), world.base());
    run("ALTER TABLE gone_for_a_while RENAME TO sso_session").await;
    // A posted request as well, which waits in a row of its own.
    let fields: Vec<_> = form_urlencoded::parse(app.query("openid", "").as_bytes()).into_owned().collect();
    run("ALTER TABLE parked_request RENAME TO gone_for_a_while").await;
    let seen = linus.post_from_elsewhere(&format!("{}/oidc/authorize", world.base()), &fields).await;
    assert_eq!((answer(&seen, "error"), answer(&seen, "state")), ("server_error".to_owned(), "xyz".to_owned()));
    run("ALTER TABLE gone_for_a_while RENAME TO parked_request").await;
    db.close().await;
    assert!(!answer(&linus.get(&app.url("openid", "&prompt=none")).await, "code").is_empty(), "nobody noticed");
    world.stop().await;
}

/// RFC 9700, 2.1.1: an application whose challenge or nonce is always the same is found out, once, and goes on; one that draws them
/// anew is not.
#[actix_web::test]
async fn a_value_that_never_changes_is_noticed() {
    let world = World::new(On::Sqlite).await;
    world.apply(&application("app", SECRET)).await;
    let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
    for (number, events) in [(1, 0), (2, 0), (3, 2), (4, 2)] {
        app.tokens(&mut linus, "openid", "").await;
        assert_eq!(world.events("parameter_repeated").await, events, "{number}");
    }
    for name in ["code_challenge", "nonce"] {
        let told = world.column("SELECT detail AS it FROM audit_event WHERE action = 'parameter_repeated'").await;
        assert_eq!(told.iter().filter(|detail| detail.contains(name)).count(), 1, "{name}: {told:?}");
    }
    for number in 2..7 {
        let url = app.url("openid", "").replace("nonce=n-1", &format!("nonce=n-{number}"));
        let told = app.redeem(&answer(&linus.get(&url).await, "code")).await;
        assert_eq!(told.status, 200, "{}", told.text);
    }
    assert_eq!(
        world.events("parameter_repeated").await,
        2,
        "each value is told of once, and the nonce is a new one now"
    );
    world.stop().await;
}

/// R-516, T-19 in spirit, RFC 6749 2.3.1: nobody finds a client secret by trying; one wrong secret is one mistake however often it
/// comes, and who tries keeps nobody else from being right.
#[actix_web::test]
async fn client_secrets_are_not_found_by_trying() {
    for on in BOTH {
        let world = World::new(on).await;
        for name in ["app", "other"] {
            world.apply(&application(name, SECRET)).await;
        }
        // The beginning of a window, so that none ends meanwhile.
        world.advance(600 - u64::try_from(world.clock_now().seconds().rem_euclid(600)).unwrap());
        let (second, _) = world.second().await;
        let from =
            |address: &str| reqwest::Client::builder().local_address(address.parse::<IpAddr>().ok()).build().unwrap();
        let (here, there) = (from("127.0.0.1"), from("127.0.0.2"));
        let ask = async |client: &reqwest::Client, at: &str, id: &str, secret: &str| {
            let request = client.post(format!("{at}/t/acme/oidc/introspect"));
            Told::of(request.basic_auth(id, Some(encoded(secret))).form(&[("token", "x")])).await
        };
        let right = "a secret of the application";
        for _ in 0..30 {
            assert_eq!(ask(&here, &world.url, "app", "an old secret").await.status, 401, "{on:?}");
        }
        assert_eq!(world.events("client_secret_rejected").await, 1, "{on:?}");
        assert_eq!(ask(&here, &world.url, "app", right).await.status, 200, "{on:?}");
        for number in 1..20 {
            let wrong = ask(&here, &world.url, "app", &format!("wrong secret {number}")).await;
            assert_eq!((wrong.status, wrong.error()), (401, "invalid_client"), "{on:?} {number}");
        }
        for secret in [right, "another wrong secret"] {
            let told = ask(&here, &world.url, "app", secret).await;
            assert_eq!((told.status, told.error()), (429, "temporarily_unavailable"), "{on:?} {secret}");
            assert!((1..=600).contains(&told.header("retry-after").parse::<i64>().unwrap()), "{on:?}");
        }
        // The other instance hears of it by the first wrong secret.
        assert_eq!(ask(&here, &second, "app", "a wrong secret there").await.status, 429, "{on:?}");
        assert_eq!(ask(&here, &second, "app", right).await.status, 429, "{on:?}");
        assert_eq!(ask(&there, &world.url, "app", right).await.status, 200, "{on:?}: another address");
        assert_eq!(ask(&here, &world.url, "other", right).await.status, 200, "{on:?}: another application");
        assert_eq!(world.events("client_secret_rejected").await, 20, "{on:?}: and no more");
        let alerts = "SELECT COUNT(*) AS n FROM alert WHERE kind = 'attack_suspected' AND application = 'app'";
        assert_eq!(world.number(alerts).await, 1, "{on:?}");
        world.advance(600);
        assert_eq!(ask(&here, &world.url, "app", right).await.status, 200, "{on:?}");
        world.stop().await;
    }
}
