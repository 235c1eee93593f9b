//! Devices without a browser, and those who would like to let theirs in by somebody else's hand.

use futures_util::future::join_all;

use crate::relying_party::{Rp, SECRET, Told, application, linus, log_in};
use crate::visitor::Visitor;
use crate::world::{BOTH, On, World};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn with_device(on: On) -> World {
    let world = World::new(on).await;
    let device = "device_authorization = true\nrefresh_tokens = true\n";
    world.apply(&application("tv", &format!("client_secret = \"a secret of the application\"\n{device}"))).await;
    world.apply(&application("radio", &format!("{SECRET}{device}"))).await;
    world.apply(&application("app", SECRET)).await;
    world
}

async fn begin(tv: &Rp<'_>) -> Told {
    let told = tv.post("device_authorization", &[("scope", "openid email")]).await;
    assert_eq!((told.status, told.header("cache-control")), (200, "no-store"), "{}", told.text);
    told
}

async fn poll(tv: &Rp<'_>, told: &Told) -> Told {
    tv.post("token", &[("grant_type", GRANT), ("device_code", &told.text("device_code"))]).await
}

/// RFC 8628, 3: the device waits, the person lets it in, and the tokens come once.
#[actix_web::test]
async fn a_person_lets_a_device_in() {
    for on in BOTH {
        let world = with_device(on).await;
        let tv = Rp::new(&world, "tv");
        let told = begin(&tv).await;
        assert_eq!((told.body["interval"].clone(), told.body["expires_in"].clone()), (5.into(), 600.into()));
        assert_eq!(told.text("verification_uri"), format!("{}/oidc/device", world.base()));
        assert!(told.body["verification_uri_complete"].is_null(), "5.4: no link that carries the code");
        world.advance(5);
        assert_eq!(poll(&tv, &told).await.error(), "authorization_pending", "{on:?}");
        world.advance(2);
        assert_eq!(poll(&tv, &told).await.error(), "slow_down", "{on:?}");
        world.advance(5);
        assert_eq!(poll(&tv, &told).await.error(), "slow_down", "{on:?}: five seconds more");
        // Somebody who is not logged in types the code, as people type.
        let mut linus = Visitor::new(&world.url);
        let page = linus.get(&told.text("verification_uri")).await;
        assert_eq!(page.title(), "Connect a device");
        let wrong = linus.press(&page, "continue", &[("code", "BCDF-BCDF")]).await;
        assert!(wrong.complaint().contains("not known"), "{}", wrong.body);
        let typed = told.text("user_code").to_lowercase().replace('-', " ");
        let page = linus.press(&wrong, "continue", &[("code", &typed)]).await;
        assert_eq!(page.title(), "Log in", "{}", page.body);
        let page = linus.press(&page, "continue", &[("username", "linus")]).await;
        let page = linus.press(&page, "continue", &[("password", "has a token already")]).await;
        let code = crate::story::passcode_of_linus(&world);
        let page = linus.press(&page, "continue", &[("code", &code)]).await;
        assert_eq!(page.title(), "Connect this device?", "{}", page.body);
        assert!(page.body.contains("127.0.0.1") && page.body.contains("Your email address"), "{}", page.body);
        world.advance(30);
        assert_eq!(poll(&tv, &told).await.error(), "authorization_pending", "{on:?}: seeing the page is no yes");
        // Without the tick nothing happens, and another page cannot press the button.
        let again = linus.press(&page, "allow", &[]).await;
        assert!(again.complaint().contains("Tick the box") || again.body.contains("Tick the box"), "{}", again.body);
        let (action, mut fields) = again.form("allow");
        fields.push(("mine".to_owned(), "yes".to_owned()));
        let mut forged = fields.clone();
        forged.retain(|(name, _)| name != "csrf");
        assert_eq!(linus.clone().post(&action, &forged).await.status, 403, "{on:?}");
        assert_eq!(Visitor::new(&world.url).post(&action, &fields).await.status, 400, "{on:?}");
        let done = linus.post(&action, &fields).await;
        assert_eq!(done.title(), "The device is connected", "{}", done.body);
        world.advance(30);
        // Sixteen questions at once, at two instances: one gets tokens.
        let (second, _) = world.second().await;
        let asks = (0..16).map(|number| {
            let at = if number % 2 == 0 { world.url.clone() } else { second.clone() };
            let request = reqwest::Client::new().post(format!("{at}/t/acme/oidc/token"));
            let fields = [("grant_type", GRANT.to_owned()), ("device_code", told.text("device_code"))];
            Told::of(request.basic_auth("tv", Some("a%20secret%20of%20the%20application")).form(&fields))
        });
        let answers = join_all(asks).await;
        let good = answers.iter().filter(|told| told.status == 200).count();
        assert_eq!(good, 1, "{on:?}: {answers:?}");
        assert!(
            answers.iter().all(|told| told.status == 200 || told.error() == "invalid_grant"),
            "{on:?}: {answers:?}"
        );
        assert_eq!(world.events("device_allowed").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// RFC 8628, 3.5: the tokens of a device are as good as others, and bound to whoever let it in.
#[actix_web::test]
async fn a_device_gets_tokens_of_the_person() {
    let world = with_device(On::Sqlite).await;
    let tv = Rp::new(&world, "tv");
    let told = begin(&tv).await;
    let mut linus = linus(&world).await;
    let page = linus.get(&told.text("verification_uri")).await;
    let page = linus.press(&page, "continue", &[("code", &told.text("user_code"))]).await;
    assert_eq!(page.title(), "Connect this device?", "single sign-on: {}", page.body);
    let done = linus.press(&page, "allow", &[("mine", "yes")]).await;
    assert_eq!(done.title(), "The device is connected", "{}", done.body);
    for (other, error) in [("radio", "invalid_grant"), ("app", "unauthorized_client")] {
        assert_eq!(poll(&Rp::new(&world, other), &told).await.error(), error, "another client");
    }
    let tokens = poll(&tv, &told).await;
    assert_eq!(tokens.status, 200, "{}", tokens.text);
    assert_eq!((tokens.text("scope"), tokens.claims()["aud"].clone()), ("openid email".to_owned(), "tv".into()));
    assert_eq!(tokens.claims()["acr"], "urn:vestibule:acr:mfa");
    assert_eq!(tv.userinfo(&tokens.text("access_token")).await.body["email"], "linus@acme.test");
    assert_eq!(tv.refresh(&tokens.text("refresh_token")).await.status, 200);
    // The second time is theft, as with a code (T-47).
    assert_eq!(poll(&tv, &told).await.error(), "invalid_grant");
    assert_eq!(tv.userinfo(&tokens.text("access_token")).await.status, 401);
    world.stop().await;
}

/// RFC 8628, 5.4, ASVS 10.7: "until you take it back" is true: what a device has, and what an application has where the
/// organization consents, stands in the portal and ends there.
#[actix_web::test]
async fn access_without_the_person_is_taken_back_in_the_portal() {
    for on in BOTH {
        let world = with_device(on).await;
        world.apply(&application("implied", &format!("{SECRET}refresh_tokens = true\n"))).await;
        let (tv, implied, mut linus) = (Rp::new(&world, "tv"), Rp::new(&world, "implied"), linus(&world).await);
        let home = format!("{}/", world.base());
        assert!(!linus.get(&home).await.has_action("withdraw-consent"), "{on:?}");
        let told = tv.post("device_authorization", &[("scope", "openid email offline_access")]).await;
        let page = linus.get(&told.text("verification_uri")).await;
        let page = linus.press(&page, "continue", &[("code", &told.text("user_code"))]).await;
        linus.press(&page, "allow", &[("mine", "yes")]).await;
        let device = poll(&tv, &told).await;
        let portal = linus.get(&home).await;
        assert!(portal.body.contains("<strong>tv</strong><span>allowed on"), "{on:?}: {}", portal.body);
        let portal = linus.press(&portal, "withdraw-consent", &[]).await;
        assert!(!portal.has_action("withdraw-consent"), "{on:?}: {}", portal.body);
        assert_eq!(tv.refresh(&device.text("refresh_token")).await.error(), "invalid_grant", "{on:?}");
        // Nobody asked the person here; what ends with the session needs no entry.
        let bound = implied.tokens(&mut linus, "openid", "").await;
        assert!(!linus.get(&home).await.has_action("withdraw-consent"), "{on:?}");
        let away = implied.tokens(&mut linus, "openid offline_access", "").await;
        let portal = linus.get(&home).await;
        let named = portal.body.contains("<strong>implied</strong><span>has access while you are not logged in");
        assert!(named, "{on:?}: {}", portal.body);
        let portal = linus.press(&portal, "withdraw-consent", &[]).await;
        assert!(!portal.has_action("withdraw-consent"), "{on:?}: {}", portal.body);
        for tokens in [&bound, &away] {
            assert_eq!(implied.refresh(&tokens.text("refresh_token")).await.error(), "invalid_grant", "{on:?}");
        }
        assert_eq!(world.events("consent_withdrawn").await, 2, "{on:?}");
        // What the application gave up itself is not there any more either.
        let away = implied.tokens(&mut linus, "openid offline_access", "").await;
        implied.post("revoke", &[("token", &away.text("refresh_token"))]).await;
        assert!(!linus.get(&home).await.has_action("withdraw-consent"), "{on:?}");
        world.stop().await;
    }
}

/// RFC 8628, 3.5 and 5: no, too late, nobody's, and by trying.
#[actix_web::test]
async fn a_device_that_is_not_let_in_gets_nothing() {
    for on in BOTH {
        let world = with_device(on).await;
        let (tv, app) = (Rp::new(&world, "tv"), Rp::new(&world, "app"));
        let told = begin(&tv).await;
        let mut linus = Visitor::new(&world.url);
        let page = linus.get(&told.text("verification_uri")).await;
        let (action, mut fields) = page.form("continue");
        fields.retain(|(name, _)| name == "csrf");
        fields.push(("code".to_owned(), told.text("user_code")));
        let page = linus.post(&action, &fields).await;
        let page = log_in(&world, &mut linus, &page.url).await;
        let done = linus.press(&page, "deny", &[]).await;
        assert_eq!(done.title(), "The device is not connected", "{on:?}");
        assert_eq!(poll(&tv, &told).await.error(), "access_denied", "{on:?}");
        // the log tells of a no as one, and nothing was allowed with it.
        let (result, reason) = (
            world.text("SELECT result AS t FROM access_log ORDER BY at DESC LIMIT 1").await,
            world.text("SELECT reason AS t FROM access_log ORDER BY at DESC LIMIT 1").await,
        );
        assert_eq!((result.as_str(), reason.as_str()), ("denied", "declined"), "{on:?}");
        assert_eq!((world.events("device_denied").await, world.events("consent_given").await), (1, 0), "{on:?}");
        let late = begin(&tv).await;
        world.advance(601);
        assert_eq!(poll(&tv, &late).await.error(), "expired_token", "{on:?}");
        let page = linus.get(&late.text("verification_uri")).await;
        let page = linus.press(&page, "continue", &[("code", &late.text("user_code"))]).await;
        assert!(page.complaint().contains("not known"), "{on:?}");
        for (told, error) in [
            (app.post("device_authorization", &[("scope", "openid")]).await, "unauthorized_client"),
            (tv.post("device_authorization", &[("scope", "email")]).await, "invalid_scope"),
            (tv.post("device_authorization", &[("scope", "openid"), ("resource", "urn:x")]).await, "invalid_target"),
            (tv.post_bare("device_authorization", &[("client_id", "tv"), ("scope", "openid")]).await, "invalid_client"),
            (tv.post("token", &[("grant_type", GRANT)]).await, "invalid_request"),
            (tv.post("token", &[("grant_type", GRANT), ("device_code", "x")]).await, "invalid_grant"),
        ] {
            assert_eq!(told.error(), error, "{on:?}: {}", told.text);
        }
        // Nobody finds a device by trying: after twenty wrong codes the address waits, even with the right one.
        let told = begin(&tv).await;
        let mut page = linus.get(&told.text("verification_uri")).await;
        for number in 0..20 {
            page = linus.press(&page, "continue", &[("code", &format!("BBBB-BB{number:02}"))]).await;
            if page.status != 200 {
                break;
            }
        }
        let (action, mut fields) = linus.get(&told.text("verification_uri")).await.form("continue");
        fields.push(("code".to_owned(), told.text("user_code")));
        assert_eq!(linus.post(&action, &fields).await.status, 429, "{on:?}");
        world.stop().await;
    }
}

/// RFC 6749 5.2, ASVS 8.3.2: where the permission for devices was taken away, those that wait get nothing any more.
#[actix_web::test]
async fn devices_that_wait_end_with_the_permission() {
    let world = with_device(On::Sqlite).await;
    let (tv, mut linus) = (Rp::new(&world, "tv"), linus(&world).await);
    let (allowed, waiting) = (begin(&tv).await, begin(&tv).await);
    let page = linus.get(&allowed.text("verification_uri")).await;
    let page = linus.press(&page, "continue", &[("code", &allowed.text("user_code"))]).await;
    let done = linus.press(&page, "allow", &[("mine", "yes")]).await;
    assert_eq!(done.title(), "The device is connected", "{}", done.body);
    world.apply(&application("tv", SECRET)).await;
    for told in [&allowed, &waiting] {
        let told = poll(&tv, told).await;
        assert_eq!((told.status, told.error()), (400, "unauthorized_client"), "{}", told.text);
    }
    let page = linus.get(&waiting.text("verification_uri")).await;
    let page = linus.press(&page, "continue", &[("code", &waiting.text("user_code"))]).await;
    assert!(page.complaint().contains("not known"), "{}", page.body);
    world.stop().await;
}

/// RFC 8628, 3.5: who says yes in the last seconds has said it in time, and the device has a minute to hear of it; a grant that
/// nobody fetched has expired, and that is nobody's theft.
#[actix_web::test]
async fn a_yes_in_the_last_seconds_counts() {
    for on in BOTH {
        let world = with_device(on).await;
        let tv = Rp::new(&world, "tv");
        let mut linus = linus(&world).await;
        let (heard, missed) = (begin(&tv).await, begin(&tv).await);
        world.advance(590);
        for told in [&heard, &missed] {
            let page = linus.get(&told.text("verification_uri")).await;
            let page = linus.press(&page, "continue", &[("code", &told.text("user_code"))]).await;
            let done = linus.press(&page, "allow", &[("mine", "yes")]).await;
            assert_eq!(done.title(), "The device is connected", "{on:?}: {}", done.body);
        }
        world.advance(15);
        assert_eq!(poll(&tv, &heard).await.status, 200, "{on:?}: after the end of the ten minutes");
        world.advance(46);
        assert_eq!(poll(&tv, &missed).await.error(), "expired_token", "{on:?}");
        assert_eq!(world.events("grant_revoked").await, 0, "{on:?}: nothing was stolen");
        // A grant that is gone is not waited for.
        world.execute("DELETE FROM oidc_grant WHERE redeemed_at IS NULL AND application_id <> ?", "").await;
        assert_eq!(poll(&tv, &missed).await.error(), "expired_token", "{on:?}");
        world.stop().await;
    }
}

/// RFC 8628, 3.3: the word on a device and what is granted by it are one; without the grant the device still waits.
#[actix_web::test]
async fn a_yes_that_gives_nothing_is_not_written_down() {
    for on in BOTH {
        let world = with_device(on).await;
        let tv = Rp::new(&world, "tv");
        let mut linus = linus(&world).await;
        let told = begin(&tv).await;
        let page = linus.get(&told.text("verification_uri")).await;
        let page = linus.press(&page, "continue", &[("code", &told.text("user_code"))]).await;
        // The same grant exists already: the second half of the work fails.
        let grant = world.text("SELECT grant_id AS t FROM oidc_device").await;
        let taken = "INSERT INTO oidc_grant (tenant_id, id, code_hash, application_id, user_id, session_id, details, created_at, \
                     expires_at, ends_at) SELECT tenant_id, ?, 'x', application_id, 'x', 'x', '{}', 0, 0, 0 FROM oidc_device";
        world.execute(taken, &grant).await;
        let failed = linus.press(&page, "allow", &[("mine", "yes")]).await;
        assert_eq!(failed.status, 500, "{on:?}: {}", failed.body);
        assert_eq!(world.text("SELECT state AS t FROM oidc_device").await, "waiting", "{on:?}");
        assert_eq!(world.events("device_allowed").await, 0, "{on:?}");
        world.execute("DELETE FROM oidc_grant WHERE id = ?", &grant).await;
        let done = linus.press(&page, "allow", &[("mine", "yes")]).await;
        assert_eq!(done.title(), "The device is connected", "{on:?}: {}", done.body);
        assert_eq!(poll(&tv, &told).await.status, 200, "{on:?}");
        world.stop().await;
    }
}

/// RFC 8628 3.3, INV-1: what was proven may not be enough any more when the person says yes. It is proven once more, and the device goes
/// on waiting meanwhile; who says no proves nothing.
#[actix_web::test]
async fn a_yes_with_too_little_proof_is_asked_for_again() {
    const POLICY: &str = "[[tenant]]\ncode = \"acme\"\n[tenant.global_policy]\nrequire = ";
    for on in BOTH {
        let world = with_device(on).await;
        let tv = Rp::new(&world, "tv");
        world.apply(&format!("{POLICY}[\"password\"]\n")).await;
        world.advance(3);
        let (told, other) = (begin(&tv).await, begin(&tv).await);
        let mut linus = Visitor::new(&world.url);
        let mut pages = Vec::new();
        for told in [&told, &other] {
            let page = linus.get(&told.text("verification_uri")).await;
            let mut page = linus.press(&page, "continue", &[("code", &told.text("user_code"))]).await;
            if pages.is_empty() {
                page = linus.press(&page, "continue", &[("username", "linus")]).await;
                page = linus.press(&page, "continue", &[("password", "has a token already")]).await;
            }
            assert_eq!(page.title(), "Connect this device?", "{on:?}: {}", page.body);
            pages.push(page);
        }
        world.apply(&format!("{POLICY}[\"password\", \"otp\"]\n")).await;
        world.advance(3);
        let lacking = linus.press(&pages[0], "allow", &[("mine", "yes")]).await;
        assert_eq!(lacking.title(), "Enter your passcode", "{on:?}: {}", lacking.body);
        assert_eq!(world.text("SELECT MIN(state) AS t FROM oidc_device").await, "waiting", "{on:?}");
        assert_eq!((world.events("login_reopened").await, world.events("device_allowed").await), (1, 0), "{on:?}");
        let code = crate::story::passcode_of_linus(&world);
        let page = linus.press(&lacking, "continue", &[("code", &code)]).await;
        assert_eq!(page.title(), "Connect this device?", "{on:?}: {}", page.body);
        let done = linus.press(&page, "allow", &[("mine", "yes")]).await;
        assert_eq!(done.title(), "The device is connected", "{on:?}: {}", done.body);
        let tokens = poll(&tv, &told).await;
        assert_eq!((tokens.status, tokens.claims()["acr"].clone()), (200, "urn:vestibule:acr:mfa".into()), "{on:?}");
        let done = linus.press(&pages[1], "deny", &[]).await;
        assert_eq!(done.title(), "The device is not connected", "{on:?}: {}", done.body);
        world.stop().await;
    }
}

/// RFC 8628 3.3, INV-7: of two who say yes to one device at the same moment, in two browsers, one is believed, and the other one
/// has given nothing out and lost nothing.
#[actix_web::test]
async fn of_two_who_say_yes_one_counts() {
    for on in BOTH {
        let world = with_device(on).await;
        let tv = Rp::new(&world, "tv");
        let told = begin(&tv).await;
        let mut browsers = vec![linus(&world).await];
        world.advance(31);
        browsers.push(linus(&world).await);
        let mut pages = Vec::new();
        for browser in &mut browsers {
            let page = browser.get(&told.text("verification_uri")).await;
            pages.push(browser.press(&page, "continue", &[("code", &told.text("user_code"))]).await);
        }
        let [one, other] = browsers.as_mut_slice() else { unreachable!("two") };
        let yes: &[(&str, &str)] = &[("mine", "yes")];
        let (first, second) = tokio::join!(one.press(&pages[0], "allow", yes), other.press(&pages[1], "allow", yes));
        let connected = [&first, &second].iter().filter(|seen| seen.title() == "The device is connected").count();
        assert_eq!(connected, 1, "{on:?}: {} / {}", first.body, second.body);
        assert_eq!(world.events("device_allowed").await, 1, "{on:?}");
        // The consent stands and falls with the yes that it was given by.
        assert_eq!(world.events("consent_given").await, 1, "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM oidc_consent").await, 1, "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM oidc_grant").await, 1, "{on:?}");
        assert_eq!(poll(&tv, &told).await.status, 200, "{on:?}");
        world.stop().await;
    }
}
