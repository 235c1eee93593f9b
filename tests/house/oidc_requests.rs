//! Authorization requests in every form, what is answered to them, and consent.

use futures_util::future::join_all;
use serde_json::json;

use crate::relying_party::{CALLBACK, Rp, SECRET, Told, answer, application, challenge, encoded, linus, log_in};
use crate::story::{after_password, authorize, passcode_of_linus};
use crate::visitor::{Seen, Visitor};
use crate::world::{ACME, BOTH, On, World};

/// OIDC Core 3.1.2.1, R-479: a request may be posted by the application's page, which comes without our cookies; whoever
/// is logged in is known all the same.
#[actix_web::test]
async fn a_posted_request_finds_the_session() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&application("app", SECRET)).await;
        let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
        let address = format!("{}/oidc/authorize", world.base());
        let fields = |more: &[(&str, &str)]| -> Vec<(String, String)> {
            let usual = [
                ("client_id", "app"),
                ("response_type", "code"),
                ("scope", "openid"),
                ("state", "a b&c"),
                ("redirect_uri", CALLBACK),
                ("code_challenge_method", "S256"),
            ];
            let all = usual.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            all.chain([("code_challenge".to_owned(), challenge())]).collect()
        };
        let seen = linus.post_from_elsewhere(&address, &fields(&[])).await;
        assert_eq!(answer(&seen, "state"), "a b&c", "{on:?}");
        assert_eq!(app.redeem(&answer(&seen, "code")).await.status, 200, "{on:?}");
        let silent = linus.post_from_elsewhere(&address, &fields(&[("prompt", "none")])).await;
        assert!(!answer(&silent, "code").is_empty(), "{on:?}");
        // The address alone is of no use in another browser (T-21).
        let parked = linus.once(reqwest::Method::POST, &address, Some(fields(&[]))).await;
        let location = parked.headers["location"].to_str().unwrap().to_owned();
        assert_eq!(parked.status, 303);
        let other = Visitor::new(&world.url).get(&location).await;
        assert_eq!((other.status, other.leaves_to), (400, None), "{on:?}");
        // Errors are told as for a GET, without waiting anywhere.
        let bad = linus.post_from_elsewhere(&address, &fields(&[("prompt", "create")])).await;
        assert_eq!(answer(&bad, "error"), "invalid_request");
        let json = Told::of(reqwest::Client::new().post(&address).json(&json!({}))).await;
        assert_eq!(json.status, 415);
        world.stop().await;
    }
}

/// OIDC Core 3.1.2.6, RFC 6749 4.1.2.1, RFC 9207: each mistake has its code, its description, state and iss.
#[actix_web::test]
async fn every_mistake_is_named() {
    let world = World::new(On::Sqlite).await;
    world.apply(&application("app", SECRET)).await;
    let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
    let good = app.url("openid", "");
    for (url, error, description) in [
        (good.replace("response_type=code", ""), "invalid_request", "response_type is missing"),
        (good.replace("response_type=code", "response_type=id_token"), "unsupported_response_type", "must be code"),
        (app.url("profile", ""), "invalid_scope", "must contain openid"),
        (app.url("openid", "&response_mode=fragment"), "invalid_request", "response_mode=fragment"),
        (app.url("openid", "&response_mode=web_message"), "invalid_request", "response_mode must be"),
        (app.url("openid", "&prompt=create"), "invalid_request", "prompt=create"),
        (app.url("openid", "&prompt=none%20consent"), "invalid_request", "prompt=none"),
        (app.url("openid", "&prompt=wink"), "invalid_request", "prompt may be"),
        (app.url("openid", "&max_age=-1"), "invalid_request", "max_age"),
        (app.url("openid", "&max_age=1.5"), "invalid_request", "max_age"),
        (app.url("openid", "&claims=%7B"), "invalid_request", "claims"),
        (app.url("openid", "&claims=%5B%5D"), "invalid_request", "claims"),
        (app.url("openid", "&scope=openid"), "invalid_request", "scope is given more than once"),
        (app.url("openid", &format!("&nonce2=x&state={}", "x")), "invalid_request", "state is given more than once"),
        (app.url("openid", "&request_uri=https%3A%2F%2Fevil.example%2Fr"), "request_uri_not_supported", "request_uri"),
        (app.url("openid", "&registration=%7B%7D"), "registration_not_supported", "registration"),
        (
            app.url("openid", "&claims=%7B%22id_token%22%3A%7B%22acr%22%3A%7B%22essential%22%3Atrue%2C%22values%22%3A%5B%22x%22%5D%7D%7D%7D"),
            "unmet_authentication_requirements",
            "acr",
        ),
    ] {
        let seen = linus.get(&url).await;
        assert_eq!(answer(&seen, "error"), error, "{url}");
        assert!(answer(&seen, "error_description").contains(description), "{}", answer(&seen, "error_description"));
        assert_eq!(answer(&seen, "iss"), world.base(), "R-512, T-49");
        assert!(answer(&seen, "code").is_empty());
    }
    for harmless in
        ["&display=popup", "&claims_locales=se", "&unknown=%25%25", "&ui_locales=se%20de-DE", "&acr_values=1%202"]
    {
        assert!(!answer(&linus.get(&app.url("openid", harmless)).await, "code").is_empty(), "{harmless}");
    }
    world.stop().await;
}

/// R-507: acr_values steps up, essential acr is a condition, login_hint fills in, ui_locales chooses the language.
#[actix_web::test]
async fn wishes_are_honoured() {
    let world = World::new(On::Sqlite).await;
    world.apply(&application("app", SECRET)).await;
    world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.global_policy]\nrequire = [\"password\"]\n").await;
    let app = Rp::new(&world, "app");
    let mut visitor = Visitor::new(&world.url);
    let seen = visitor.get(&app.url("openid", "&login_hint=linus&ui_locales=xx%20de")).await;
    assert!(seen.body.contains("value=\"linus\"") && seen.body.contains("<html lang=\"de\""), "{}", seen.body);
    let seen = visitor.press(&seen, "continue", &[("username", "linus")]).await;
    let seen = visitor.press(&seen, "continue", &[("password", "has a token already")]).await;
    let one = app.redeem(&answer(&seen, "code")).await.claims();
    assert_eq!((one["acr"].clone(), one["amr"].clone()), (json!("urn:vestibule:acr:password"), json!(["pwd"])));
    // RFC 9470: the resource wants more, so the application asks for it.
    let wanted = "&acr_values=https%3A%2F%2Frefeds.org%2Fprofile%2Fmfa";
    let silent = visitor.get(&app.url("openid", &format!("{wanted}&prompt=none"))).await;
    assert_eq!(answer(&silent, "error"), "interaction_required");
    let seen = visitor.get(&app.url("openid", wanted)).await;
    assert_eq!(seen.title(), "Enter your passcode", "{}", seen.body);
    let code = crate::story::passcode_of_linus(&world);
    let seen = visitor.press(&seen, "continue", &[("code", &code)]).await;
    let two = app.redeem(&answer(&seen, "code")).await.claims();
    assert_eq!(
        (two["acr"].clone(), two["amr"].clone()),
        (json!("https://refeds.org/profile/mfa"), json!(["pwd", "otp", "mfa"]))
    );
    // The hint of the person who is logged in is answered at once, another person's is not.
    let hint = app.tokens(&mut visitor, "openid", "").await.text("id_token");
    let seen = visitor.get(&app.url("openid", &format!("&prompt=none&id_token_hint={hint}"))).await;
    assert!(!answer(&seen, "code").is_empty());
    let claims = encoded("{\"id_token\":{\"sub\":{\"value\":\"somebody\"}}}");
    let seen = visitor.get(&app.url("openid", &format!("&prompt=none&claims={claims}"))).await;
    assert_eq!(answer(&seen, "error"), "login_required");
    // Claims one by one, in the ID Token and from UserInfo.
    let claims = encoded(
        "{\"id_token\":{\"email\":null,\"phone\":null},\"userinfo\":{\"preferred_username\":{\"essential\":true}}}",
    );
    let told = app.tokens(&mut visitor, "openid", &format!("&claims={claims}")).await;
    assert_eq!(told.claims()["email"], "linus@acme.test");
    let person = app.userinfo(&told.text("access_token")).await;
    assert_eq!(
        (person.body["preferred_username"].as_str(), person.body["email"].clone()),
        (Some("linus"), json!(null))
    );
    world.stop().await;
}

/// OIDC Core 3.1.2.1 and 3.1.2.2, R-507: a hint that we did not sign, or that is another application's, names nobody, and nobody
/// is let in instead of the person whom it may have been for.
#[actix_web::test]
async fn a_hint_that_names_nobody_lets_nobody_in() {
    let world = World::new(On::Sqlite).await;
    for name in ["app", "other"] {
        world.apply(&application(name, SECRET)).await;
    }
    let (app, other, mut linus) = (Rp::new(&world, "app"), Rp::new(&world, "other"), linus(&world).await);
    let tokens = app.tokens(&mut linus, "openid", "").await;
    let (hint, sub) = (tokens.text("id_token"), tokens.claims()["sub"].as_str().unwrap().to_owned());
    let foreign = other.tokens(&mut linus, "openid", "").await.text("id_token");
    let message = hint.rsplit_once('.').unwrap().0;
    for bad in [foreign.as_str(), "garbage", &format!("{message}.AAAA"), &"x".repeat(9000)] {
        for silence in ["", "&prompt=none"] {
            let seen = linus.get(&app.url("openid", &format!("&id_token_hint={bad}{silence}"))).await;
            assert_eq!(answer(&seen, "error"), "login_required", "{bad} {silence}");
            assert!(answer(&seen, "error_description").contains("id_token_hint is not"), "{bad} {silence}");
            assert!(answer(&seen, "code").is_empty());
        }
    }
    let both = |wanted: &str| {
        let claims = encoded(&json!({ "id_token": { "sub": { "value": wanted } } }).to_string());
        app.url("openid", &format!("&id_token_hint={hint}&claims={claims}"))
    };
    assert_eq!(answer(&linus.get(&both("somebody")).await, "error"), "login_required", "two people at once");
    assert!(!answer(&linus.get(&both(&sub)).await, "code").is_empty());
    // One that has expired is as good as on the first day.
    world.advance(660);
    let late = linus.get(&app.url("openid", &format!("&prompt=none&id_token_hint={hint}"))).await;
    assert!(!answer(&late, "code").is_empty());
    world.stop().await;
}

/// R-514, T-46, ASVS 8.3.2: an address that is taken away from an application gets nothing any more, also for a request that came
/// before: not at the end of a login, not after consent, and not for one that was pushed or posted.
#[actix_web::test]
async fn an_address_that_was_taken_away_gets_nothing() {
    for on in BOTH {
        let world = World::new(on).await;
        let secret = "client_secret = \"a secret of the application\"\nconsent = \"ask\"\n";
        let with =
            |path: &str| application("app", &format!("{secret}redirect_uris = [\"https://rp.example/{path}\"]\n"));
        world.apply(&with("cb")).await;
        let app = Rp::new(&world, "app");
        let mut slow = Visitor::new(&world.url);
        let password = slow.get(&app.url("openid", "")).await;
        let password = slow.press(&password, "continue", &[("username", "linus")]).await;
        let mut linus = linus(&world).await;
        let asked = linus.get(&app.url("openid", "")).await;
        assert!(asked.has_action("allow"), "{on:?}: {}", asked.body);
        let fields: Vec<(String, String)> =
            form_urlencoded::parse(app.query("openid", "").as_bytes()).into_owned().collect();
        let borrowed: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let pushed = encoded(&app.post("par", &borrowed).await.text("request_uri"));
        let pushed = format!("{}/oidc/authorize?client_id=app&request_uri={pushed}", world.base());
        let posted = linus.once(reqwest::Method::POST, &format!("{}/oidc/authorize", world.base()), Some(fields)).await;
        let posted = posted.headers["location"].to_str().unwrap().to_owned();
        world.apply(&with("other")).await;
        let passcode = slow.press(&password, "continue", &[("password", "has a token already")]).await;
        let ends = [
            slow.press(&passcode, "continue", &[("code", &passcode_of_linus(&world))]).await,
            linus.press(&asked, "allow", &[]).await,
            linus.press(&asked, "deny", &[]).await,
            linus.get(&posted).await,
            linus.get(&pushed).await,
        ];
        for (number, seen) in ends.into_iter().enumerate() {
            assert_eq!((seen.status, seen.leaves_to.clone()), (400, None), "{on:?} {number}: {}", seen.body);
            assert!(seen.body.contains("not registered"), "{on:?} {number}: {}", seen.body);
        }
        assert_eq!(world.events("grant_issued").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// OIDC Core 3.1.2.4, ASVS 10.7, R-568: the person is asked, once, and can take it back; a no is a no, in the log, too.
#[actix_web::test]
async fn consent_is_asked_remembered_and_taken_back() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&application("app", &format!("{SECRET}refresh_tokens = true\nconsent = \"ask\"\n"))).await;
        let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
        let silent = linus.get(&app.url("openid email", "&prompt=none")).await;
        assert_eq!(answer(&silent, "error"), "consent_required", "{on:?}");
        let page = linus.get(&app.url("openid email offline_access", "")).await;
        assert_eq!(page.title(), "Allow access to your data?", "{}", page.body);
        assert!(page.body.contains("Your email address") && !page.body.contains("The groups"), "{}", page.body);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("form-action 'self' https://rp.example"), "{policy}");
        // Nobody else answers for Linus: not a foreign page, not another browser.
        let (action, fields) = page.form("allow");
        let mut forged = fields.clone();
        forged.retain(|(name, _)| name != "csrf");
        assert_eq!(linus.clone().post(&action, &forged).await.status, 403, "{on:?}");
        assert_eq!(Visitor::new(&world.url).post(&action, &fields).await.status, 400, "{on:?}");
        world.advance(1);
        let denied = linus.press(&page, "deny", &[]).await;
        assert_eq!(answer(&denied, "error"), "access_denied", "{on:?}");
        // R-568: the log tells of a no as one.
        let (result, reason) = (
            world.text("SELECT result AS t FROM access_log ORDER BY at DESC LIMIT 1").await,
            world.text("SELECT reason AS t FROM access_log ORDER BY at DESC LIMIT 1").await,
        );
        assert_eq!((result.as_str(), reason.as_str()), ("denied", "declined"), "{on:?}");
        assert_eq!(world.events("consent_given").await, 0, "{on:?}");
        let page = linus.get(&app.url("openid email offline_access", "")).await;
        let seen = linus.press(&page, "allow", &[]).await;
        let tokens = app.redeem(&answer(&seen, "code")).await;
        assert_eq!(tokens.text("scope"), "openid email offline_access", "{on:?}");
        // Less or as much is not asked again, more is, and so is whoever wants to be sure.
        assert!(!answer(&linus.get(&app.url("openid email", "&prompt=none")).await, "code").is_empty(), "{on:?}");
        let more = linus.get(&app.url("openid email groups", "")).await;
        assert!(more.has_action("allow") && more.body.contains("The groups"), "{on:?}");
        assert!(linus.get(&app.url("openid", "&prompt=consent")).await.has_action("allow"), "{on:?}");
        let claims = encoded("{\"userinfo\":{\"given_name\":null}}");
        assert!(linus.get(&app.url("openid", &format!("&claims={claims}"))).await.has_action("allow"), "{on:?}");
        // In the portal it is taken back, and with it what was granted.
        let portal = linus.get(&format!("{}/", world.base())).await;
        assert!(portal.body.contains("Access you have allowed"), "{}", portal.body);
        let portal = linus.press(&portal, "withdraw-consent", &[]).await;
        assert!(!portal.body.contains("Access you have allowed"), "{on:?}");
        assert_eq!(app.userinfo(&tokens.text("access_token")).await.status, 401, "{on:?}");
        assert_eq!(app.refresh(&tokens.text("refresh_token")).await.error(), "invalid_grant", "{on:?}");
        assert_eq!(answer(&linus.get(&app.url("openid", "&prompt=none")).await, "error"), "consent_required");
        assert_eq!((world.events("consent_given").await, world.events("consent_withdrawn").await), (1, 1), "{on:?}");
        world.stop().await;
    }
}

/// R-507: whoever hesitates at the question for consent until what was proven is older than `max_age` proves it once more and goes on.
/// Nobody is told that the account had changed, and the new proof is what the application hears of.
#[actix_web::test]
async fn what_grew_too_old_before_the_answer_is_proven_again() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&application("app", &format!("{SECRET}consent = \"ask\"\n"))).await;
        let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
        let page = linus.get(&app.url("openid email", "&max_age=60")).await;
        assert!(page.has_action("allow"), "{on:?}: {}", page.body);
        world.advance(45);
        let seen = linus.press(&page, "allow", &[]).await;
        assert_eq!(seen.title(), "Enter your password", "{on:?}: {}", seen.body);
        assert_eq!((world.events("login_reopened").await, world.events("login_ended").await), (1, 0), "{on:?}");
        assert_eq!(world.events("grant_issued").await, 0, "{on:?}");
        let seen = linus.press(&seen, "continue", &[("password", "has a token already")]).await;
        let seen = linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
        let claims = app.redeem(&answer(&seen, "code")).await.claims();
        assert_eq!(claims["auth_time"], world.clock_now().seconds(), "{on:?}: {claims}");
        let told = "SELECT COUNT(*) AS n FROM access_log WHERE reason = 'account_changed'";
        assert_eq!(world.number(told).await, 0, "{on:?}");
        world.stop().await;
    }
}

/// OIDC Core 3.1.2.4, ASVS 10.7: a person who says the first yes in several windows at the same moment gets on in each of them, and
/// everything that was allowed is remembered.
#[actix_web::test]
async fn several_first_consents_at_once_all_count() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&application("app", &format!("{SECRET}consent = \"ask\"\n"))).await;
        let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
        let mut pages = Vec::new();
        for scope in ["email", "profile", "groups", "phone"] {
            pages.push(linus.get(&app.url(&format!("openid {scope}"), "")).await);
        }
        let yeses = pages.iter().map(|page| {
            let mut window = linus.clone();
            async move { window.press(page, "allow", &[]).await }
        });
        for seen in join_all(yeses).await {
            assert!(!answer(&seen, "code").is_empty(), "{on:?}: {} {}", seen.status, seen.body);
        }
        let all = linus.get(&app.url("openid email profile groups phone", "&prompt=none")).await;
        assert_eq!((answer(&all, "error").as_str(), answer(&all, "code").is_empty()), ("", false), "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM oidc_consent").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// ASVS 10.7, RFC 8707: a yes counts for the API that it was said to; what two of them call by one word is not the same.
#[actix_web::test]
async fn consent_is_for_one_api() {
    for on in BOTH {
        let world = World::new(on).await;
        let api = |name: &str| {
            format!("[[tenant.resource]]\nidentifier = \"https://{name}.example/\"\nscopes = [\"read\", \"write\"]\n")
        };
        world.apply(&format!("[[tenant]]\ncode = \"acme\"\n{}{}", api("calendar"), api("payroll"))).await;
        let both = "resources = [\"https://calendar.example/\", \"https://payroll.example/\"]\nconsent = \"ask\"\n";
        world.apply(&application("app", &format!("{SECRET}{both}device_authorization = true\n"))).await;
        let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
        let at = |name: &str| format!("&resource=https%3A%2F%2F{name}.example%2F");
        let page = linus.get(&app.url("openid read", &at("calendar"))).await;
        let named = page.body.contains("https://calendar.example/") && page.body.contains("<code>read</code>");
        assert!(named && !page.body.contains("payroll"), "{on:?}: {}", page.body);
        linus.press(&page, "allow", &[]).await;
        let silent = async |visitor: &mut Visitor, scope: &str, more: &str| {
            let seen = visitor.get(&app.url(scope, &format!("{more}&prompt=none"))).await;
            answer(&seen, "error")
        };
        assert_eq!(silent(&mut linus, "openid read", &at("calendar")).await, "", "{on:?}: remembered");
        assert_eq!(silent(&mut linus, "openid", &at("calendar")).await, "", "{on:?}: less");
        for (scope, more) in [
            ("openid read", at("payroll")),
            ("openid", at("payroll")),
            ("openid write", at("calendar")),
            ("openid read", format!("{}{}", at("calendar"), at("payroll"))),
        ] {
            assert_eq!(silent(&mut linus, scope, &more).await, "consent_required", "{on:?} {scope} {more}");
        }
        let page = linus.get(&app.url("openid read", &at("payroll"))).await;
        assert!(page.has_action("allow") && page.body.contains("https://payroll.example/"), "{on:?}: {}", page.body);
        let seen = linus.press(&page, "allow", &[]).await;
        assert_eq!(app.redeem(&answer(&seen, "code")).await.text("scope"), "openid read", "{on:?}");
        // Each has its own words: what was allowed here is not allowed there.
        assert_eq!(silent(&mut linus, "openid write", &at("payroll")).await, "consent_required", "{on:?}");
        let fields = [("scope", "openid read"), ("resource", "https://payroll.example/")];
        let told = app.post("device_authorization", &fields).await;
        let page = linus.get(&told.text("verification_uri")).await;
        let page = linus.press(&page, "continue", &[("code", &told.text("user_code"))]).await;
        assert!(page.has_action("allow") && page.body.contains("https://payroll.example/"), "{on:?}: {}", page.body);
        world.stop().await;
    }
}

/// OIDC Core 5.3.2, 8.1, R-515: UserInfo signed, by POST as well; subjects by sector; each client its algorithm.
#[actix_web::test]
async fn answers_have_the_form_that_the_client_is_registered_for() {
    let world = World::new(On::Sqlite).await;
    let signed = "userinfo_signed_response_alg = \"ES256\"\nid_token_signed_response_alg = \"EdDSA\"\n";
    world.apply(&application("signed", &format!("{SECRET}{signed}subject_type = \"pairwise\"\n"))).await;
    let sector = "subject_type = \"pairwise\"\nsector_identifier = \"example.com\"\n";
    world.apply(&application("sector", &format!("{SECRET}{sector}"))).await;
    world.apply(&application("twin", &format!("{SECRET}{sector}"))).await;
    let mut linus = linus(&world).await;
    let app = Rp::new(&world, "signed");
    let tokens = app.tokens(&mut linus, "openid email", "").await;
    let algorithm = |jwt: &str| {
        use base64::Engine as _;
        let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(jwt.split('.').next().unwrap()).unwrap();
        serde_json::from_slice::<serde_json::Value>(&header).unwrap()["alg"].clone()
    };
    assert_eq!(algorithm(&tokens.text("id_token")), "EdDSA");
    let told = app.userinfo(&tokens.text("access_token")).await;
    assert_eq!((told.header("content-type"), algorithm(&told.text)), ("application/jwt", json!("ES256")));
    let claims = crate::story::claims_of(&json!({ "id_token": told.text }));
    assert_eq!((claims["iss"].clone(), claims["aud"].clone()), (json!(world.base()), json!("signed")));
    assert_eq!(
        (claims["sub"].clone(), claims["email"].clone()),
        (tokens.claims()["sub"].clone(), json!("linus@acme.test"))
    );
    let (sector, twin) = (Rp::new(&world, "sector"), Rp::new(&world, "twin"));
    let sector = sector.tokens(&mut linus, "openid", "").await;
    let twin = twin.tokens(&mut linus, "openid", "").await;
    assert_eq!(sector.claims()["sub"], twin.claims()["sub"], "one sector");
    assert_ne!(sector.claims()["sub"], claims["sub"], "another sector");
    let address = format!("{}/oidc/userinfo", world.base());
    let client = reqwest::Client::new();
    let token = sector.text("access_token");
    let by_form = Told::of(client.post(&address).form(&[("access_token", &token)])).await;
    let by_header = Told::of(client.post(&address).bearer_auth(&token)).await;
    assert_eq!((by_form.status, by_header.status), (200, 200));
    assert_eq!(by_form.body["sub"], sector.claims()["sub"]);
    let both = Told::of(client.post(&address).bearer_auth(&token).form(&[("access_token", &token)])).await;
    assert_eq!((both.status, both.header("cache-control")), (400, "no-store"));
    world.stop().await;
}

/// AUTH-33, T-22: the answer by a form, with everything that a state may contain.
#[actix_web::test]
async fn the_answer_by_form_is_escaped_and_leads_to_the_application_only() {
    let world = World::new(On::Sqlite).await;
    world.apply(&application("app", SECRET)).await;
    let app = Rp::new(&world, "app");
    let url =
        app.url("openid", "&response_mode=form_post").replace("state=xyz", &format!("state={}", encoded("a\"'><b>&")));
    let mut linus = Visitor::new(&world.url);
    let page = log_in(&world, &mut linus, &url).await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("form-action 'self' https: http://127.0.0.1:*"), "{policy}");
    assert!(!page.body.contains("<b>") && page.body.contains("action=\"https://rp.example/cb\""), "{}", page.body);
    let document = scraper::Html::parse_document(&page.body);
    let field = |name: &str| {
        let selector = scraper::Selector::parse(&format!("input[name={name}]")).unwrap();
        document.select(&selector).next().unwrap().attr("value").unwrap().to_owned()
    };
    assert_eq!((field("state"), field("iss")), ("a\"'><b>&".to_owned(), world.base()));
    assert_eq!(app.redeem(&field("code")).await.status, 200);
    world.stop().await;
}

/// R-506, R-507, RFC 9470: where the policy asks for a password only, a new login or `max_age` tells of the new password, not of a
/// passcode that is hours old; single sign-on tells of both, and since when.
#[actix_web::test]
async fn an_old_factor_is_not_told_with_a_new_time() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&application("app", SECRET)).await;
        let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.global_policy]\nrequire = [\"password\"]\n").await;
        let morning = world.clock_now().seconds();
        for wish in ["&prompt=login", "&max_age=60"] {
            world.advance(1500);
            let seen = linus.get(&app.url("openid", wish)).await;
            let seen = linus.press(&seen, "continue", &[("password", "has a token already")]).await;
            let claims = app.redeem(&answer(&seen, "code")).await.claims();
            assert_eq!(claims["acr"], "urn:vestibule:acr:password", "{on:?} {wish}: {claims}");
            assert_eq!(claims["amr"], json!(["pwd"]), "{on:?} {wish}: {claims}");
            assert_eq!(claims["auth_time"], world.clock_now().seconds(), "{on:?} {wish}: {claims}");
        }
        let both = app.tokens(&mut linus, "openid", "").await.claims();
        assert_eq!(both["acr"], "urn:vestibule:acr:mfa", "{on:?}: {both}");
        assert!(both["auth_time"].as_i64().unwrap() <= morning, "{on:?}: {both}");
        world.stop().await;
    }
}

/// R-506: a passcode alone is told to be one, and is no password for an application that must have that.
#[actix_web::test]
async fn a_passcode_alone_has_its_own_level() {
    let world = World::new(On::Sqlite).await;
    world.apply(&application("app", SECRET)).await;
    world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.global_policy]\nrequire = [\"otp\"]\n").await;
    let (app, mut linus) = (Rp::new(&world, "app"), Visitor::new(&world.url));
    let seen = linus.get(&app.url("openid", "&acr_values=urn%3Avestibule%3Aacr%3Apassword")).await;
    let seen = linus.press(&seen, "continue", &[("username", "linus")]).await;
    let code = crate::story::passcode_of_linus(&world);
    let seen = linus.press(&seen, "continue", &[("code", &code)]).await;
    let claims = app.redeem(&answer(&seen, "code")).await.claims();
    assert_eq!((claims["acr"].clone(), claims["amr"].clone()), (json!("urn:vestibule:acr:otp"), json!(["otp"])));
    let essential = encoded(r#"{"id_token":{"acr":{"essential":true,"value":"urn:vestibule:acr:password"}}}"#);
    let silent = linus.get(&app.url("openid", &format!("&prompt=none&claims={essential}"))).await;
    assert!(!answer(&silent, "error").is_empty());
    let values = r#"["urn:vestibule:acr:password","urn:vestibule:acr:otp"]"#;
    let either = encoded(&format!(r#"{{"id_token":{{"acr":{{"essential":true,"values":{values}}}}}}}"#));
    let silent = linus.get(&app.url("openid", &format!("&prompt=none&claims={either}"))).await;
    let claims = app.redeem(&answer(&silent, "code")).await.claims();
    assert_eq!(claims["acr"], json!("urn:vestibule:acr:otp"), "either will do");
    let seen = linus.get(&app.url("openid", &format!("&claims={essential}"))).await;
    let seen = linus.press(&seen, "continue", &[("password", "has a token already")]).await;
    let claims = app.redeem(&answer(&seen, "code")).await.claims();
    assert_eq!(
        (claims["acr"].clone(), claims["amr"].clone()),
        (json!("urn:vestibule:acr:password"), json!(["pwd", "otp", "mfa"]))
    );
    world.stop().await;
}

/// OIDC Core 5.5.1.1, R-507: an application that takes either factor gets the one that the policy asks for, whichever it names
/// first; and nothing where a code of the help desk stood in for the only one.
#[actix_web::test]
async fn either_factor_is_enough_and_none_is_not() {
    let either = |values: &str| {
        let claims = encoded(&format!(r#"{{"id_token":{{"acr":{{"essential":true,"values":{values}}}}}}}"#));
        format!("&claims={claims}")
    };
    let orders = [
        r#"["urn:vestibule:acr:otp","urn:vestibule:acr:password"]"#,
        r#"["urn:vestibule:acr:password","urn:vestibule:acr:otp"]"#,
    ];
    let world = World::at_this_time(On::Sqlite).await;
    world.apply(&application("app", SECRET)).await;
    world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.global_policy]\nrequire = [\"password\"]\n").await;
    let (app, mut linus) = (Rp::new(&world, "app"), Visitor::new(&world.url));
    let seen = linus.get(&app.url("openid", &either(orders[0]))).await;
    let seen = linus.press(&seen, "continue", &[("username", "linus")]).await;
    let seen = linus.press(&seen, "continue", &[("password", "has a token already")]).await;
    let claims = app.redeem(&answer(&seen, "code")).await.claims();
    assert_eq!(claims["acr"], json!("urn:vestibule:acr:password"));
    for order in orders {
        let silent = linus.get(&app.url("openid", &format!("&prompt=none{}", either(order)))).await;
        let claims = app.redeem(&answer(&silent, "code")).await.claims();
        assert_eq!(claims["acr"], json!("urn:vestibule:acr:password"), "{order}");
    }
    let otp_only = "[tenant.global_policy]\nrequire = [\"otp\"]\n[tenant.self_provisioning]\nrecovery_codes = true\n";
    world.apply(&format!("[[tenant]]\ncode = \"acme\"\n{otp_only}")).await;
    world.execute("UPDATE token SET state = ? WHERE enrolled_by = 'import'", "suspended").await;
    let made = world.command(&["user", "temporary-code", "linus", "--hours", "2", "--count", "2", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    for (order, code) in orders.iter().zip(made["codes"].as_array().unwrap()) {
        let mut away = Visitor::new(&world.url);
        let seen = away.get(&app.url("openid", &either(order))).await;
        let seen = away.press(&seen, "continue", &[("username", "linus")]).await;
        let page = away.get(&format!("{}?recover=yes", seen.url)).await;
        let seen = away.press(&page, "continue", &[("code", code.as_str().unwrap())]).await;
        assert_eq!(answer(&seen, "error"), "unmet_authentication_requirements", "{order}");
        assert_eq!(answer(&seen, "code"), "", "{order}");
    }
    assert_eq!(world.number("SELECT COUNT(*) AS n FROM access_log WHERE reason = 'context_not_reached'").await, 2);
    world.stop().await;
}

/// Issue part 6, R-143: the ID Token tells how old the authenticator is and how it was bound; a refresh does not make it
/// older than it is, and the mail code never appears as a factor.
#[actix_web::test]
async fn the_authenticators_story_stands_in_the_token() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&application("app", &format!("{SECRET}refresh_tokens = true\n"))).await;
        let app = Rp::new(&world, "app");
        let mut ada = Visitor::new(&world.url);
        let seen = crate::story::to_platforms(&world, &mut ada).await;
        let seen = ada.press(&seen, "platform-oath_app", &[]).await;
        let secret = seen.find("[data-activation-string]").unwrap().replace(' ', "");
        let code = crate::story::oathtool(&world, &secret, "--totp=sha1", "6");
        ada.press(&seen, "continue", &[("code", &code)]).await;
        world.advance(90);
        let tokens = app.tokens(&mut ada, "openid", "").await;
        let claims = tokens.claims();
        assert_eq!(claims["amr"], json!(["pwd", "otp", "mfa"]), "R-143: no mail");
        let story = &claims["authenticator"];
        assert_eq!(
            (story["age"].clone(), story["bound_by"].clone()),
            (json!(90), json!("mailbox")),
            "{on:?}: {claims}"
        );
        let enrolled = story["enrolled_at"].as_i64().unwrap();
        assert_eq!(enrolled, world.clock_now().seconds() - 90);
        world.advance(10);
        let later = app.refresh(&tokens.text("refresh_token")).await.claims();
        assert_eq!(
            (later["authenticator"]["age"].clone(), later["authenticator"]["enrolled_at"].clone()),
            (json!(100), json!(enrolled))
        );
        // The same to whoever introspects, in tokens for APIs, from UserInfo for whoever asks, and under names of one's own.
        let told = app.post("introspect", &[("token", &tokens.text("access_token"))]).await;
        assert_eq!((&told.body["authenticator"]["age"], &told.body["acr"]), (&json!(100), &claims["acr"]), "{on:?}");
        let person = app.userinfo(&tokens.text("access_token")).await;
        assert_eq!(person.body["authenticator"], json!(null), "{on:?}: nobody asked");
        let own = "claims = [{ name = \"https://rp.example/age\", source = \"authenticator_age\" }, \
                   { name = \"proven_by\", source = \"authenticator_bound_by\" }]\nresources = [\"https://api.example/\"]\n";
        let resource = "[[tenant.resource]]\nidentifier = \"https://api.example/\"\nscopes = [\"read\"]\n";
        world.apply(&format!("[[tenant]]\ncode = \"acme\"\n{resource}")).await;
        world.apply(&application("own", &format!("{SECRET}{own}"))).await;
        let (own, wanted) = (Rp::new(&world, "own"), json!({ "authenticator": null, "proven_by": null }));
        let wanted = json!({ "userinfo": wanted, "id_token": wanted }).to_string();
        let tokens = own.tokens(&mut ada, "openid", &format!("&claims={}", encoded(&wanted))).await;
        let person = own.userinfo(&tokens.text("access_token")).await.body;
        assert_eq!(
            (&person["https://rp.example/age"], &person["proven_by"]),
            (&json!(100), &json!("mailbox")),
            "{on:?}"
        );
        assert_eq!(person["authenticator"], later["authenticator"], "{on:?}");
        assert_eq!(tokens.claims()["proven_by"], "mailbox", "{on:?}");
        let api = own.tokens(&mut ada, "openid read", "&resource=https%3A%2F%2Fapi.example%2F").await;
        let api = crate::story::claims_of(&json!({ "id_token": api.text("access_token") }));
        assert_eq!(api["authenticator"], later["authenticator"], "{on:?}: {api}");
        let mut linus = linus(&world).await;
        let tokens = own.tokens(&mut linus, "openid", "").await;
        assert_eq!(tokens.claims()["authenticator"]["bound_by"], "operator", "{on:?}");
        assert_eq!(own.userinfo(&tokens.text("access_token")).await.body["proven_by"], "operator", "{on:?}");
        world.stop().await;
    }
}

/// R-509, OIDC Core 5.4: the telephone number by its scope or by name, with the truth about its proof.
#[actix_web::test]
async fn the_telephone_number_is_told_to_whoever_may_know_it() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&application("app", SECRET)).await;
        world.apply(&application("narrow", &format!("{SECRET}scopes = [\"openid\", \"email\"]\n"))).await;
        let (app, narrow, mut linus) = (Rp::new(&world, "app"), Rp::new(&world, "narrow"), linus(&world).await);
        let with = |more: &str| {
            format!(
                "[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"linus\"\ngroups = [\"pilot\"]\n{more}\n"
            )
        };
        let told = async |app: &Rp<'_>, visitor: &mut Visitor, scope: &str, more: &str| {
            let tokens = app.tokens(visitor, scope, more).await;
            let person = app.userinfo(&tokens.text("access_token")).await.body;
            (person["phone_number"].clone(), person["phone_number_verified"].clone(), tokens)
        };
        let (none, unknown, _) = told(&app, &mut linus, "openid phone", "").await;
        assert_eq!((none, unknown), (json!(null), json!(null)), "{on:?}: what is not known is left out");
        world.apply(&with("phone = \"+358 (9) 123-4567\"")).await;
        let (number, verified, tokens) = told(&app, &mut linus, "openid phone", "").await;
        assert_eq!((number, verified), (json!("+35891234567"), json!(false)), "{on:?}");
        assert_eq!((tokens.text("scope"), &tokens.claims()["phone_number"]), ("openid phone".to_owned(), &json!(null)));
        world.apply(&with("phone_verified = true")).await;
        assert_eq!(told(&app, &mut linus, "openid phone", "").await.1, json!(true), "{on:?}");
        world.apply(&with("phone = \"+358 9 123 4567\"")).await;
        assert_eq!(told(&app, &mut linus, "openid phone", "").await.1, json!(true), "{on:?}: the same number");
        world.apply(&with("phone = \"+358 9 123 4568\"")).await;
        assert_eq!(told(&app, &mut linus, "openid phone", "").await.1, json!(false), "{on:?}: another number");
        let claims = encoded("{\"id_token\":{\"phone_number\":null},\"userinfo\":{\"phone_number\":null}}");
        let single = format!("&claims={claims}");
        let (number, verified, tokens) = told(&app, &mut linus, "openid", &single).await;
        assert_eq!((&number, verified), (&json!("+35891234568"), json!(null)), "{on:?}");
        assert_eq!(tokens.claims()["phone_number"], number, "{on:?}");
        for scope in ["openid phone", "openid"] {
            let (number, _, tokens) = told(&narrow, &mut linus, scope, &single).await;
            assert_eq!((number, tokens.text("scope")), (json!(null), "openid".to_owned()), "{on:?}: it may not know");
        }
        let bad = world.try_apply(&with("phone = \"09 123 4567\"")).await.unwrap_err();
        assert!(bad.contains("phone") && bad.contains("begin with +"), "{bad}");
        world.apply(&with("phone = \"\"")).await;
        let bad = world.try_apply(&with("phone_verified = true")).await.unwrap_err();
        assert!(bad.contains("needs a phone"), "{bad}");
        world.stop().await;
    }
}

/// RFC 8414, 3.1: the metadata of the authorization server, where a library that knows no more than OAuth looks for it.
#[actix_web::test]
async fn the_metadata_is_where_oauth_looks_for_it() {
    let world = World::new(On::Sqlite).await;
    let get =
        async |url: String, tag: &str| Told::of(reqwest::Client::new().get(url).header("if-none-match", tag)).await;
    let oidc = get(format!("{}/.well-known/openid-configuration", world.base()), "").await;
    let address = format!("{}/.well-known/oauth-authorization-server/t/acme", world.url);
    let oauth = get(address.clone(), "").await;
    assert_eq!((oauth.status, &oauth.body["issuer"]), (200, &json!(world.base())), "{}", oauth.text);
    assert_eq!(oauth.text, oidc.text);
    for name in ["content-type", "cache-control", "etag", "access-control-allow-origin"] {
        assert_eq!((oauth.header(name), oauth.header(name).is_empty()), (oidc.header(name), false), "{name}");
    }
    assert!(oauth.body["scopes_supported"].as_array().unwrap().contains(&json!("phone")));
    assert!(oauth.body["claims_supported"].as_array().unwrap().contains(&json!("phone_number_verified")));
    assert_eq!(get(address.clone(), oauth.header("etag")).await.status, 304);
    for other in ["nobody", "acme/x", ""] {
        let told = get(address.replace("/t/acme", &format!("/t/{other}")), "").await;
        assert_eq!(told.status, 404, "{other}");
    }
    world.stop().await;
}

/// R-517, T-67: the key set has a tag and an age; in an emergency all keys change at once, and what the old ones signed is
/// worth nothing.
#[actix_web::test]
async fn keys_are_replaced_at_once_in_an_emergency() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&application("app", SECRET)).await;
        let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
        let address = format!("{}/oidc/jwks", world.base());
        let get = async |tag: &str| Told::of(reqwest::Client::new().get(&address).header("if-none-match", tag)).await;
        let before = get("").await;
        assert_eq!((before.status, before.header("cache-control")), (200, "public, max-age=3600"), "{on:?}");
        let tag = before.header("etag").to_owned();
        assert_eq!(get(&tag).await.status, 304, "{on:?}");
        let hint = app.tokens(&mut linus, "openid", "").await.text("id_token");
        let printed = world.command(&["keys", "rotate", "--emergency", "--tenant", "acme"]);
        let kinds = vestibule::flow::administration::keys::KINDS.len();
        assert_eq!(printed.lines().filter(|line| line.contains("replaced")).count(), kinds, "{printed}");
        world.advance(3);
        let after = get(&tag).await;
        assert_eq!(after.status, 200, "{on:?}");
        let names = |told: &Told| -> Vec<String> {
            told.body["keys"].as_array().unwrap().iter().map(|key| key["kid"].to_string()).collect()
        };
        assert!(names(&after).len() == 3 && names(&after).iter().all(|kid| !names(&before).contains(kid)), "{on:?}");
        let page = linus.get(&format!("{}/oidc/logout?id_token_hint={hint}", world.base())).await;
        assert_eq!(page.status, 400, "{on:?}: signed with a key that may be stolen");
        assert_eq!(app.tokens(&mut linus, "openid", "").await.status, 200, "{on:?}: people go on");
        world.stop().await;
    }
}

/// R-514, INV-11, T-42: whoever has proven everything, and is locked out before the application is told, is refused, and an
/// application that was deactivated by then gets nothing; no browser is sent round and round.
#[actix_web::test]
async fn whoever_is_locked_out_before_the_code_is_refused() {
    for deactivated in [false, true] {
        let world = World::new(On::Sqlite).await;
        let mut linus = Visitor::new(&world.url);
        let seen = after_password(&world, &mut linus, "linus", "has a token already").await;
        let (address, mut fields) = seen.form("continue");
        fields.push(("code".to_owned(), passcode_of_linus(&world)));
        let to = |seen: &Seen| seen.headers["location"].to_str().unwrap().to_owned();
        let desk = to(&linus.once(reqwest::Method::POST, &address, Some(fields)).await);
        let resume = to(&linus.once(reqwest::Method::GET, &desk, None).await);
        assert!(resume.contains("/oidc/resume/"), "{resume}");
        if deactivated {
            world.apply(&ACME.replace("name = \"Notes\"\n", "name = \"Notes\"\nactive = false\n")).await;
            assert_eq!(linus.get(&resume).await.title(), "This login request cannot be used");
        } else {
            world.command(&["user", "disable", "linus"]);
            let seen = linus.get(&resume).await;
            assert_eq!(answer(&seen, "error"), "access_denied", "{:?}", seen.headers.get("location"));
            assert_eq!(world.events("login_ended").await, 1);
        }
        assert_eq!(world.events("grant_issued").await, 0);
        world.stop().await;
    }
}

/// R-503, T-22: browsers hold what an application does behind its address against the policy of the page with the last form.
/// So a page in between leads to an application on another host, and only there: programs on the person's own device get
/// their answer at once.
#[actix_web::test]
async fn a_page_in_between_leads_to_an_application_on_another_host() {
    for on in BOTH {
        let world = World::new(on).await;
        let far = "[[tenant]]\ncode = \"acme\"\n[[tenant.application]]\nname = \"Far\"\nassigned_to = \"everyone\"\n\
            [tenant.application.oidc]\nclient_id = \"far\"\nclient_secret = \"a secret of far\"\n\
            redirect_uris = [\"https://far.test/callback\"]\n";
        world.apply(far).await;
        let address = authorize(&world, "")
            .replace("client_id=notes", "client_id=far")
            .replace("http%3A%2F%2F127.0.0.1%3A9000%2Fcallback", "https%3A%2F%2Ffar.test%2Fcallback");
        let mut linus = Visitor::new(&world.url);
        let seen = linus.get(&address).await;
        let seen = linus.press(&seen, "continue", &[("username", "linus")]).await;
        let seen = linus.press(&seen, "continue", &[("password", "has a token already")]).await;
        let seen = linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert_eq!((seen.status, seen.title().as_str(), &seen.leaves_to), (200, "You are logged in", &None), "{on:?}");
        let to = seen.link("continue");
        assert!(to.starts_with("https://far.test/callback?") && to.contains("code="), "{on:?}: {to}");
        assert_eq!(seen.headers["refresh"].to_str().unwrap(), format!("0; url={to}"), "{on:?}");
        assert_eq!(seen.headers["cache-control"].to_str().unwrap(), "no-store", "{on:?}");
        // Once it is known who is there, no form comes before: the redirect leads there by itself.
        let seen = linus.get(&address).await;
        assert!(seen.leaves_to.is_some_and(|to| to.starts_with("https://far.test/callback?")), "{on:?}");
        world.stop().await;
    }
}
