//! Requirements that hold everywhere and had no story of their own.

use vestibule::domain::policy::provisioning::TargetUsers;
use vestibule::domain::tenant::TenantSettings;

use crate::story::{PASSWORD, after_password, authorize, code_of, passcode_of_linus};
use crate::visitor::Visitor;
use crate::world::{ACME, BOTH, On, World};

/// R-341: an authenticator works until somebody revokes it: ten years later, too, and not a moment longer.
#[actix_web::test]
async fn an_authenticator_has_no_hidden_end() {
    for on in BOTH {
        let world = World::new(on).await;
        world.advance(10 * 366 * 86_400);
        let mut linus = Visitor::new(&world.url);
        let seen = after_password(&world, &mut linus, "linus", "has a token already").await;
        let seen = linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        let serial = world.text("SELECT serial AS t FROM token").await;
        world.command(&["token", "revoke", &serial, "--disposition", "lost"]);
        world.advance(60);
        let mut linus = Visitor::new(&world.url);
        let seen = after_password(&world, &mut linus, "linus", "has a token already").await;
        assert_ne!(seen.title(), "Enter your passcode", "{on:?}: {}", seen.body);
        world.stop().await;
    }
}

/// R-001, R-003, R-004: two virtual servers of one deployment with the same people: each offers enrollment by its own target users
/// and on its own platforms, and a new one offers it to everybody.
#[actix_web::test]
async fn every_virtual_server_decides_for_itself() {
    for on in BOTH {
        let world = World::new(on).await;
        let blue = ACME
            .replace("code = \"acme\"", "code = \"blue\"")
            .replace("target_users = \"members_of\"", "target_users = \"none\"");
        world.apply(&blue).await;
        let green = "[[tenant]]\ncode = \"green\"\nname = \"Green\"\n";
        world.apply(green).await;
        let targets = async |code: &str| {
            let realm = world.site.house.realm(&code.parse().unwrap()).await.unwrap().unwrap();
            realm.config.settings.self_provisioning.target_users
        };
        let found = [targets("acme").await, targets("blue").await, targets("green").await];
        assert_eq!(found, [TargetUsers::MembersOf, TargetUsers::NoUsers, TargetUsers::All], "{on:?}");
        let seen = after_password(&world, &mut Visitor::new(&world.url), "ada", PASSWORD).await;
        assert!(seen.has_action("add-authenticator"), "{on:?}: {}", seen.body);
        let mut ada = Visitor::new(&world.url);
        let seen = ada.get(&format!("{}/t/blue/", world.url)).await;
        let seen = ada.press(&seen, "continue", &[("username", "ada")]).await;
        let seen = ada.press(&seen, "continue", &[("password", PASSWORD)]).await;
        assert!(!seen.has_action("add-authenticator"), "{on:?}: {}", seen.body);
        world.stop().await;
    }
}

/// R-005: settings that were written before there was self-provisioning offer it to nobody.
#[test]
fn settings_of_before_offer_enrollment_to_nobody() {
    let older: TenantSettings = serde_json::from_str(r#"{ "help_contact": "help@acme.test" }"#).unwrap();
    assert_eq!(older.self_provisioning.target_users, TargetUsers::NoUsers);
    assert_eq!(TenantSettings::default().self_provisioning.target_users, TargetUsers::All, "R-004");
    let written = serde_json::to_string(&TenantSettings::default()).unwrap();
    let read: TenantSettings = serde_json::from_str(&written).unwrap();
    assert_eq!(read, TenantSettings::default());
}

/// R-009: a virtual server that is switched off takes no logins and no activations, says so in neutral words, and has everything
/// when it is switched on again, sessions too.
#[actix_web::test]
async fn a_virtual_server_that_is_switched_off_keeps_its_data() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut linus = Visitor::new(&world.url);
        crate::portal_tokens::portal(&world, &mut linus).await;
        world.apply("[[tenant]]\ncode = \"acme\"\nenabled = false\n").await;
        world.advance(10);
        for address in
            ["/", "/portal/activity", "/oidc/userinfo", "/saml/metadata", "/.well-known/openid-configuration"]
        {
            let seen = linus.get(&format!("{}{address}", world.base())).await;
            assert_eq!(seen.status, 403, "{on:?} {address}: {}", seen.body);
        }
        let seen = linus.get(&format!("{}/", world.base())).await;
        assert_eq!(seen.title(), "Not available", "{on:?}: {}", seen.body);
        assert!(seen.body.contains("switched off at present"), "{on:?}: {}", seen.body);
        let claim = reqwest::Client::new().post(format!("{}/api/authenticator/v1/activation/claim", world.base()));
        assert_eq!(claim.json(&serde_json::json!({})).send().await.unwrap().status(), 403, "{on:?}");
        world.apply("[[tenant]]\ncode = \"acme\"\nenabled = true\n").await;
        world.advance(10);
        let seen = linus.get(&format!("{}/portal/activity", world.base())).await;
        assert_eq!(seen.title(), "Your logins", "{on:?}: {}", seen.body);
        world.stop().await;
    }
}

/// R-597, RFC 9110 9.3.2: whoever asks by `HEAD`, as load balancers and mail scanners do, gets what `GET` answers without the body;
/// where a `GET` begins something, nothing begins, and the methods that are answered are told.
#[actix_web::test]
async fn head_answers_as_get_does_and_begins_nothing() {
    let world = World::new(On::Sqlite).await;
    let mut visitor = Visitor::new(&world.url);
    let page = visitor.get(&authorize(&world, "")).await;
    let style = page.find_link("link[rel=stylesheet]").expect("a style sheet");
    for path in [
        "/healthz",
        "/readyz",
        "/.well-known/apple-app-site-association",
        "/.well-known/assetlinks.json",
        "/.well-known/oauth-authorization-server/t/acme",
        "/t/acme/.well-known/openid-configuration",
        "/t/acme/oidc/jwks",
        "/t/acme/oidc/device",
        "/t/acme/saml/metadata",
        "/t/acme/saml/metadata/file",
        "/t/acme/api/authenticator/v1/info",
        "/t/acme/api/authenticator/v1/openapi.json",
        "/t/acme/activate",
        "/t/acme/not-me/x",
        style.as_str(),
    ] {
        let got = visitor.once(reqwest::Method::GET, path, None).await;
        let asked = visitor.once(reqwest::Method::HEAD, path, None).await;
        assert_eq!((got.status, asked.status), (200, 200), "{path}");
        for name in ["content-type", "cache-control", "content-length"] {
            assert_eq!(got.headers.get(name), asked.headers.get(name), "{path}: {name}");
        }
        assert!(!got.body.is_empty() && asked.body.is_empty(), "{path}");
    }
    let logins = "SELECT COUNT(*) AS n FROM login";
    let before = world.number(logins).await;
    let (begins, events) = (authorize(&world, ""), format!("{}/events", page.url));
    for (path, allowed) in [
        (begins.as_str(), "GET, POST"),
        ("/t/acme/oidc/logout", "GET, POST"),
        ("/t/acme/oidc/resume/x", "GET"),
        ("/t/acme/saml/sso", "GET, POST"),
        ("/t/acme/saml/slo", "GET, POST"),
        ("/t/acme/saml/start", "GET"),
        ("/t/acme/", "GET"),
        ("/t/acme/portal/activity", "GET"),
        (page.url.as_str(), "GET"),
        (events.as_str(), "GET"),
    ] {
        let asked = Visitor::new(&world.url).once(reqwest::Method::HEAD, path, None).await;
        assert_eq!(asked.status, 405, "{path}");
        assert_eq!(asked.headers["allow"], allowed, "{path}");
    }
    let console = Visitor::new(&world.url).once(reqwest::Method::HEAD, "/t/acme/operator/", None).await;
    assert_eq!((console.status, world.number(logins).await), (405, before));
    let nowhere = Visitor::new(&world.url).once(reqwest::Method::HEAD, "/t/acme/nowhere", None).await;
    assert_eq!(nowhere.status, 404, "what is not there is not there");
    world.stop().await;
}
