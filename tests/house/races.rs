//! Sixteen at once at everything that counts once, on both databases, and two instances on one database.

use futures_util::future::join_all;
use vestibule::domain::signing_key::Overlap;
use vestibule::domain::tenant::TenantCode;
use vestibule::flow::administration::{Desk, keys};

use crate::story::{PASSWORD, after_password, authorize, code_of, passcode_of_linus, redeem_at, to_platforms};
use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, World};

const WAYS: usize = 16;

/// Sixteen tabs of the same browser press the same button at the same moment.
async fn at_once(visitor: &Visitor, seen: &Seen, action: &str, fields: &[(&str, &str)]) -> Vec<Seen> {
    let tabs = (0..WAYS).map(|_| {
        let mut tab = visitor.clone();
        async move { tab.press(seen, action, fields).await }
    });
    join_all(tabs).await
}

/// T-13: one passcode, sixteen logins: one of them gets in.
/// T-13, R-296, R-314.
#[actix_web::test]
async fn one_passcode_opens_one_login() {
    for on in BOTH {
        let world = World::new(on).await;
        let (second, _) = world.second().await;
        let mut waiting = Vec::new();
        for number in 0..WAYS {
            // Every other login at the other instance: the database decides, not a process.
            let mut visitor = Visitor::new(&world.url);
            let seen = after_password(&world, &mut visitor, "linus", "has a token already").await;
            let elsewhere = number % 2 == 1;
            waiting.push((visitor, seen, elsewhere));
        }
        let code = passcode_of_linus(&world);
        let tries = waiting.into_iter().map(|(mut visitor, seen, elsewhere)| {
            let (code, second) = (code.clone(), second.clone());
            async move {
                let (address, mut fields) = seen.form("continue");
                fields.push(("code".to_owned(), code));
                let address = if elsewhere { format!("{second}{address}") } else { address };
                visitor.once(reqwest::Method::POST, &address, Some(fields)).await.status
            }
        });
        let answers = join_all(tries).await;
        assert!(answers.iter().all(|status| matches!(status, 200 | 303)), "{on:?}: {answers:?}");
        assert_eq!(world.events("passcode_accepted").await, 1, "{on:?}: INV-4");
        world.stop().await;
    }
}

/// A mailed code proves a mailbox once, and the tries are counted however many come at once (T-04, K07).
/// R-125, T-04.
#[actix_web::test]
async fn a_mailed_code_is_redeemed_once() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
        let page = ada.press(&seen, "add-authenticator", &[]).await;
        let right = world.mail("ada@acme.test", 1).await.code().unwrap();
        let answers = at_once(&ada, &page, "continue", &[("code", &right)]).await;
        assert!(answers.iter().all(|seen| seen.status < 500), "{on:?}");
        let events = world.events("code_verified").await;
        assert_eq!(events, 1, "{on:?}: verified once");
        // Sixteen wrong codes at once are five tries, not sixteen.
        let mut other = Visitor::new(&world.url);
        let seen = after_password(&world, &mut other, "ada", PASSWORD).await;
        let page = other.press(&seen, "add-authenticator", &[]).await;
        world.mail("ada@acme.test", 2).await;
        let before = world.events("code_rejected").await;
        at_once(&other, &page, "continue", &[("code", "not it")]).await;
        assert_eq!(world.events("code_rejected").await - before, 5, "{on:?}: AC-09");
        world.stop().await;
    }
}

/// As far as the offer, in so many logins of ada.
async fn offered(world: &World, logins: usize) -> Vec<(Visitor, Seen)> {
    let mut waiting = Vec::new();
    for _ in 0..logins {
        let mut visitor = Visitor::new(&world.url);
        let seen = after_password(world, &mut visitor, "ada", PASSWORD).await;
        waiting.push((visitor, seen));
    }
    waiting
}

/// AC-01, R-130, T-28: sixteen logins of one person that ask for a code at the same moment, at two instances, get no more mails out
/// of us than one after the other.
#[actix_web::test]
async fn codes_that_are_asked_for_at_once_keep_to_the_limit() {
    for on in BOTH {
        let world = World::new(on).await;
        let (second, _) = world.second().await;
        let asked = offered(&world, WAYS).await.into_iter().enumerate().map(|(number, (mut visitor, seen))| {
            let (address, fields) = seen.form("add-authenticator");
            let address = if number % 2 == 1 { format!("{second}{address}") } else { address };
            async move { visitor.once(reqwest::Method::POST, &address, Some(fields)).await.status }
        });
        let answers = join_all(asked).await;
        assert!(answers.iter().all(|status| *status == 303), "{on:?}: {answers:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM email_code").await, 5, "{on:?}");
        assert_eq!((world.events("code_sent").await, world.events("code_withheld").await), (5, 11), "{on:?}");
        world.stop().await;
    }
}

/// R-133, INV-5: ten wrong codes in a day lock enrollment, in however many logins and at however many instances they are typed at
/// the same moment.
#[actix_web::test]
async fn wrong_codes_of_several_logins_at_once_are_ten() {
    for on in BOTH {
        let world = World::new(on).await;
        let (second, _) = world.second().await;
        let mut pages = Vec::new();
        for (mut visitor, seen) in offered(&world, 5).await {
            let page = visitor.press(&seen, "add-authenticator", &[]).await;
            pages.push((visitor, page));
        }
        let tries = (0..20).filter_map(|number: usize| {
            let (visitor, page) = pages.get(number % 5)?;
            let (address, mut fields) = page.form("continue");
            fields.push(("code".to_owned(), "not it".to_owned()));
            let address = if number % 2 == 1 { format!("{second}{address}") } else { address };
            let mut tab = visitor.clone();
            Some(async move { tab.once(reqwest::Method::POST, &address, Some(fields)).await.status })
        });
        let answers = join_all(tries).await;
        assert!(answers.iter().all(|status| matches!(status, 200 | 303 | 403)), "{on:?}: {answers:?}");
        assert_eq!(world.events("code_rejected").await, 10, "{on:?}");
        assert_eq!(world.events("enrollment_locked").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// One first passcode makes one token, and one login gives one code (INV-10).
/// T-09, INV-10.
#[actix_web::test]
async fn one_enrollment_makes_one_token() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let seen = to_platforms(&world, &mut ada).await;
        let page = ada.press(&seen, "platform-oath_app", &[]).await;
        let secret = page.find("[data-activation-string]").unwrap().replace(' ', "");
        let code = crate::story::oathtool(&world, &secret, "--totp=sha1", "6");
        let answers = at_once(&ada, &page, "continue", &[("code", &code)]).await;
        assert!(answers.iter().all(|seen| seen.status < 500), "{on:?}");
        assert_eq!(world.events("token_enrolled").await, 1, "{on:?}");
        assert_eq!(world.events("login_completed").await, 1, "{on:?}");
        assert!(world.events("grant_issued").await <= 1, "{on:?}: a login is answered once");
        world.stop().await;
    }
}

/// AC-46, T-47: sixteen at the token endpoints of two instances with one code: one gets tokens, and then nothing is left of
/// them. PAR references, refresh tokens and device codes have their races beside their other tests.
#[actix_web::test]
async fn an_authorization_code_is_redeemed_once() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut linus = Visitor::new(&world.url);
        let seen = after_password(&world, &mut linus, "linus", "has a token already").await;
        let code = passcode_of_linus(&world);
        let seen = linus.press(&seen, "continue", &[("code", &code)]).await;
        let (code, _) = code_of(&seen);
        let (second, _) = world.second().await;
        let at = |number: usize| if number.is_multiple_of(2) { &world.url } else { &second };
        let answers = join_all((0..WAYS).map(|number| redeem_at(at(number), &code))).await;
        let good: Vec<_> = answers.iter().filter(|(status, _)| *status == 200).collect();
        assert_eq!(good.len(), 1, "{on:?}: {answers:?}");
        let refused = |told: &(u16, serde_json::Value)| told.0 == 400 && told.1["error"] == "invalid_grant";
        assert_eq!(answers.iter().filter(|told| refused(told)).count(), WAYS - 1, "{on:?}: {answers:?}");
        assert_eq!((world.events("grant_redeemed").await, world.events("grant_revoked").await), (1, 1), "{on:?}");
        let token = good[0].1["access_token"].as_str().unwrap();
        for at in [&world.url, &second] {
            let userinfo = reqwest::Client::new().get(format!("{at}/t/acme/oidc/userinfo")).bearer_auth(token);
            assert_eq!(userinfo.send().await.unwrap().status().as_u16(), 401, "{on:?}");
        }
        world.stop().await;
    }
}

/// One activation, sixteen devices: one of them confirms (AC-15, R-170).
/// AC-15, R-147, R-170.
#[actix_web::test]
async fn one_activation_is_for_one_device() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let seen = to_platforms(&world, &mut ada).await;
        let seen = ada.press(&seen, "platform-command_line", &[]).await;
        let string = seen.find("[data-activation-string]").unwrap();
        let devices = (0..4).map(|_| {
            let string = string.clone();
            tokio::task::spawn_blocking(move || {
                let store = tempfile::tempdir().unwrap();
                crate::story::app(store.path(), &["activate", &string]).0
            })
        });
        let exits: Vec<i32> = join_all(devices).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(exits.iter().filter(|exit| **exit == 0).count(), 1, "{on:?}: {exits:?}");
        assert_eq!(world.events("activation_confirmed").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// A login that begins at one instance goes on at the other: nothing lives in a process.
///
#[actix_web::test]
async fn a_login_goes_on_at_another_instance() {
    for on in BOTH {
        let world = World::new(on).await;
        let (second, _) = world.second().await;
        let mut linus = Visitor::new(&world.url);
        let seen = linus.get(&authorize(&world, "")).await;
        let (address, mut fields) = seen.form("continue");
        fields.push(("username".to_owned(), "linus".to_owned()));
        let elsewhere = linus.once(reqwest::Method::POST, &format!("{second}{address}"), Some(fields)).await;
        assert_eq!(elsewhere.status, 303, "{on:?}: {}", elsewhere.body);
        let seen = linus.get(&seen.url).await;
        assert_eq!(seen.title(), "Enter your password", "{on:?}");
        world.stop().await;
    }
}

/// R-500, T-34: sixteen copies of one SAML request at two instances: one login begins, and a session answers once.
/// R-500, T-34.
#[actix_web::test]
async fn one_saml_request_begins_one_login_and_has_one_answer() {
    for on in BOTH {
        let world = World::new(on).await;
        let (second, _) = world.second().await;
        let mut linus = Visitor::new(&world.url);
        let url = crate::door_saml::redirect(&world, &crate::door_saml::request(&world, "", ""));
        crate::door_saml::log_in(&world, &mut linus, &url).await;
        for (started, issued, visitor) in [(2, 1, Visitor::new(&world.url)), (2, 2, linus)] {
            let url = crate::door_saml::redirect(&world, &crate::door_saml::request(&world, "", ""));
            let copies = (0..WAYS).map(|number| {
                let mut visitor = visitor.clone();
                let at = if number % 2 == 0 { &world.url } else { &second };
                let url = url.replace(&world.url, at);
                async move { visitor.once(reqwest::Method::GET, &url, None).await }
            });
            let answers = join_all(copies).await;
            let good = answers.iter().filter(|seen| seen.status != 400).count();
            assert_eq!(good, 1, "{on:?}: {:?}", answers.iter().map(|seen| seen.status).collect::<Vec<_>>());
            assert_eq!(world.events("login_started").await, started, "{on:?}");
            assert_eq!(world.events("assertion_issued").await, issued, "{on:?}");
        }
        world.stop().await;
    }
}

/// keys that are rotated at two instances at the same moment have one next key of each kind; and where all are
/// replaced at once twice, one of each kind signs.
#[actix_web::test]
async fn keys_that_are_rotated_twice_at_once_have_one_next_key() {
    const TWICE: &str = "SELECT COUNT(*) AS n FROM (SELECT purpose, algorithm FROM signing_key WHERE status <> 'old' \
                         GROUP BY tenant_id, purpose, algorithm, status HAVING COUNT(*) > 1) kind";
    for on in BOTH {
        let world = World::new(on).await;
        let code: TenantCode = "acme".parse().unwrap();
        let desks = [world.desk("oona"), world.desk("olaf")];
        // Published, and a day later they sign.
        for _ in 0..2 {
            let turns = desks.iter().map(|desk| {
                let desk = Desk { now: world.clock_now(), ..desk.clone() };
                let code = &code;
                async move { keys::rotate(&desk, code, Overlap::default(), keys::Which::All).await.unwrap() }
            });
            let lines = join_all(turns).await.concat();
            assert_eq!(world.number(TWICE).await, 0, "{on:?}: {lines:?}");
            world.advance(86_400);
        }
        let rotated = "SELECT COUNT(*) AS n FROM audit_event WHERE action = 'key_rotated'";
        assert_eq!(world.number(rotated).await, 6, "{on:?}: each kind once");
        for done in join_all(desks.iter().map(|desk| keys::replace(desk, &code))).await {
            done.unwrap();
        }
        assert_eq!(world.number(TWICE).await, 0, "{on:?}");
        world.stop().await;
    }
}
