//! Who hears of alerts: operators by their role, webhooks by signed calls; bursts are gathered, failures end.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::Sha256;
use vestibule::domain::operator::Role;
use vestibule::flow::administration::accounts;
use vestibule::flow::{alerts, audit_trail, watch};
use vestibule::storage::users;

use crate::console::{at_console, call, call_with, console, key, staffed, step_up};
use crate::oidc_logout::Listener;
use crate::story::{after_password, passcode_of_linus};
use crate::visitor::Visitor;
use crate::world::{BOTH, On, World};

const LINUS: &str = "has a token already";

/// Tries to log linus in with this passcode, in a browser of its own.
async fn attempt(world: &World, code: &str) {
    let mut visitor = Visitor::new(&world.url);
    let page = after_password(world, &mut visitor, "linus", LINUS).await;
    visitor.press(&page, "continue", &[("code", code)]).await;
}

/// A passcode of linus that was accepted, tried again `times` times.
async fn reuse(world: &World, times: usize) -> String {
    world.advance(31);
    let code = passcode_of_linus(world);
    attempt(world, &code).await;
    for _ in 0..times {
        attempt(world, &code).await;
    }
    code
}

/// Lays values over the section of alerts.
async fn settings(world: &World, key: &str, values: Value) -> (u16, Value) {
    let (_, tag, _) = call_with(world, key, Method::GET, "settings/alerts", None, None).await;
    let (status, _, body) = call_with(world, key, Method::PATCH, "settings/alerts", Some(values), Some(&tag)).await;
    (status, body)
}

/// What a call to a webhook consists of: headers in lower case, and the body.
fn taken_apart(request: &str) -> (String, String) {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

fn header(request: &str, name: &str) -> String {
    let head = request.split_once("\r\n\r\n").unwrap().0;
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("{name}: ")));
    line.unwrap_or_else(|| panic!("no {name} in {head}")).split_once(": ").unwrap().1.to_owned()
}

/// Whether a receiver that knows the secret would believe the call.
fn is_signed(request: &str, secret: &str) -> bool {
    let secret = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signed = format!(
        "{}.{}.{}",
        header(request, "webhook-id"),
        header(request, "webhook-timestamp"),
        taken_apart(request).1
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
    mac.update(signed.as_bytes());
    header(request, "webhook-signature") == format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

async fn made(world: &World, key: &str, url: &str, kinds: &[&str]) -> (String, String) {
    let draft = json!({ "name": "Watch", "url": url, "kinds": kinds, "enabled": true });
    let (status, body) = call(world, key, Method::POST, "webhooks", Some(draft)).await;
    assert_eq!(status, 201, "{body}");
    (body["id"].as_str().unwrap().to_owned(), body["secret"].as_str().unwrap().to_owned())
}

/// the operators of a role, a fixed address and a webhook hear of what they asked for, and nobody else does; the
/// call is signed over its identifier, its time and its body; nothing secret is in it, and the secret of the webhook is sealed.
#[actix_web::test]
async fn whoever_asked_hears_of_it_in_the_way_they_asked_for() {
    for on in BOTH {
        let world = staffed(on).await;
        let key = key(&world, Role::Operator).await;
        let roles = json!({ "Help desk": ["passcode_reuse"], "Auditor": ["token_lockout"] });
        let values = json!({ "roles": roles, "recipients": ["soc@acme.test"], "kinds": ["account_lockout"] });
        assert_eq!(settings(&world, &key, values).await.0, 200, "{on:?}");
        let (watch, deaf) = (Listener::at("127.0.0.1").await, Listener::at("127.0.0.1").await);
        let (id, secret) = made(&world, &key, &format!("{}/hook", watch.address), &["passcode_reuse"]).await;
        let other = json!({ "name": "Other", "url": deaf.address, "kinds": ["token_lockout"], "enabled": true });
        assert_eq!(call(&world, &key, Method::POST, "webhooks", Some(other)).await.0, 201, "{on:?}");
        world.advance(3);

        let code = reuse(&world, 1).await;
        let mail = world.mail("hedy@acme.test", 1).await;
        assert!(mail.subject().starts_with("A passcode was tried a second time"), "{on:?} {}", mail.subject());
        let request = watch.heard(1).await;
        let (head, body) = taken_apart(&request);
        assert!(head.starts_with("post /hook http/1.1\r\n") && is_signed(&request, &secret), "{on:?} {request}");
        let told: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            (&told["type"], &told["kind"], &told["username"]),
            (&json!("alert"), &json!("passcode_reuse"), &json!("linus"))
        );
        assert!(!body.contains(&code) && !body.contains(&secret), "R-563 {on:?}: {body}");
        for silent in ["audra@acme.test", "soc@acme.test", "oona@acme.test"] {
            assert_eq!(world.mail.to(silent).len(), 0, "{on:?}: {silent}");
        }
        assert_eq!(deaf.count(), 0, "{on:?}");

        // What came of it is told, and the secret is nowhere.
        for _ in 0..200 {
            if world.number("SELECT COUNT(*) AS n FROM webhook_delivery WHERE state = 'delivered'").await == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (_, sent) = call(&world, &key, Method::GET, &format!("webhooks/{id}/deliveries"), None).await;
        assert_eq!(
            (&sent["items"][0]["state"], &sent["items"][0]["status"]),
            (&json!("delivered"), &json!(200)),
            "{sent}"
        );
        let (_, shown) = call(&world, &key, Method::GET, &format!("webhooks/{id}"), None).await;
        assert!(shown["last"]["arrived"] == true && !shown.to_string().contains(&secret), "{on:?}: {shown}");
        let (_, listed) = call(&world, &key, Method::GET, "alerts?limit=1", None).await;
        assert_eq!(
            (&listed["items"][0]["kind"], &listed["items"][0]["told"]),
            (&json!("passcode_reuse"), &json!("mailed"))
        );
        // What is over and done with needs its body no more, and whoever is erased stands in no alert.
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM webhook_delivery WHERE body <> ''").await, 0, "{on:?}");
        let (house, tenant) = (&world.site.house, world.tenant().await);
        let linus =
            house.db.read(async |connection| users::named(connection, tenant, "linus").await).await.unwrap().unwrap();
        let about = "SELECT COUNT(*) AS n FROM alert WHERE username = 'linus' OR address <> ''";
        assert!(world.number(about).await > 0, "{on:?}");
        accounts::erase(&world.desk("oona"), &linus).await.unwrap().unwrap();
        assert_eq!(world.number(about).await, 0, "{on:?}");
        for detail in world.column("SELECT detail AS it FROM audit_event").await {
            assert!(!detail.contains("whsec_"), "R-563 {on:?}: {detail}");
        }
        world.stop().await;
    }
}

/// a burst is told once and then together, however many instances look, and never twice.
#[actix_web::test]
async fn a_burst_is_gathered() {
    for on in BOTH {
        let world = staffed(on).await;
        let key = key(&world, Role::Operator).await;
        let watch = Listener::at("127.0.0.1").await;
        made(&world, &key, &watch.address, &["passcode_reuse"]).await;
        let values = json!({ "roles": { "Help desk": ["passcode_reuse"] } });
        assert_eq!(settings(&world, &key, values).await.0, 200, "{on:?}");
        world.advance(3);
        reuse(&world, 3).await;
        world.mail("hedy@acme.test", 1).await;
        watch.heard(1).await;
        let (house, now) = (&world.site.house, world.clock_now());
        assert_eq!(alerts::gather(house, now).await.unwrap(), 0, "{on:?}: the hour is not over");
        world.advance(3600);
        let now = world.clock_now();
        let both = futures_util::future::join(alerts::gather(house, now), alerts::gather(house, now)).await;
        // The job of the service may have been faster than both.
        assert!(both.0.unwrap() + both.1.unwrap() <= 2, "{on:?}");
        assert_eq!(world.letters("hedy@acme.test", "Further alerts: 2").await, 1, "{on:?}");
        let told: Value = serde_json::from_str(&taken_apart(&watch.heard(2).await).1).unwrap();
        assert_eq!((&told["type"], &told["count"]), (&json!("alerts_gathered"), &json!(2)), "{told}");
        assert_eq!(told["usernames"], json!(["linus"]), "{on:?}");
        assert_eq!(alerts::gather(house, world.clock_now()).await.unwrap(), 0, "{on:?}: once");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM alert WHERE told = 'gathered'").await, 2, "{on:?}");
        assert_eq!(world.events("alerts_gathered").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// a virtual server whose settings cannot be read keeps no operator of another from hearing.
#[actix_web::test]
async fn what_cannot_be_read_keeps_no_other_from_hearing() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply("[[tenant]]\ncode = \"beta\"\nname = \"Beta\"\n").await;
        // The first of them, in whatever order they are looked at.
        let first = world.text("SELECT MIN(id) AS t FROM tenant").await;
        world.execute("UPDATE tenant SET settings = '{' WHERE id = ?", &first).await;
        let (house, now) = (&world.site.house, world.clock_now());
        let mails = "INSERT INTO outbox (tenant_id, id, kind, domain, state, tries, next_try_at, useful_until, leased_until, error, \
                     created_at) SELECT id, id, 'verification_code', 'acme.test', 'failed', 1, \
                     CASE WHEN settings = '{' THEN 1 ELSE 2 END, 0, 0, '550 no', ? FROM tenant";
        world.execute(mails, &now.micros().to_string()).await;
        let alerts = "INSERT INTO alert (tenant_id, id, at, kind, username, serial, application, address, told, mails) \
                      SELECT id, id, ?, 'passcode_reuse', '', '', '', '', 'withheld', '[]' FROM tenant";
        world.execute(alerts, &now.micros().to_string()).await;
        world.advance(2 * 3600);
        assert!(watch::mail(house, world.clock_now()).await.is_err(), "{on:?}: the fault is told");
        assert_eq!(world.events("mail_failed").await, 1, "{on:?}");
        assert!(alerts::gather(house, world.clock_now()).await.is_err(), "{on:?}: the fault is told");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM alert WHERE told = 'gathered'").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// a call that fails is made again with the same identifier and a new time; a webhook that fails too long is switched off,
/// and operators hear of it by mail; switched on again, it works.
#[actix_web::test]
async fn a_webhook_that_fails_is_tried_again_and_switched_off() {
    for on in BOTH {
        let world = staffed(on).await;
        let api = key(&world, Role::Operator).await;
        let watch = Listener::at("127.0.0.1").await;
        for _ in 0..10 {
            watch.will_say("500 Oh dear\r\ncontent-length: 6\r\n\r\nbroken");
        }
        let (id, secret) = made(&world, &api, &watch.address, &["passcode_reuse"]).await;
        world.advance(3);
        reuse(&world, 1).await;
        for number in 1..=10 {
            let request = watch.heard(number).await;
            assert!(is_signed(&request, &secret), "{on:?} {number}: {request}");
            let first = watch.heard(1).await;
            assert_eq!(header(&request, "webhook-id"), header(&first, "webhook-id"), "{on:?}: one delivery");
            assert!(
                number == 1 || header(&request, "webhook-timestamp") != header(&first, "webhook-timestamp"),
                "{on:?}"
            );
            // Not before the answer was written down: the pause begins with it.
            for _ in 0..200 {
                let done = "SELECT COUNT(*) AS n FROM webhook_delivery WHERE answer IS NOT NULL AND tries >= 1";
                if world.number(done).await == 1
                    && world.number("SELECT MAX(tries) AS n FROM webhook_delivery").await == number as i64
                {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            world.advance(6 * 3600 + 1);
        }
        assert_eq!(world.letters("oona@acme.test", "A webhook was switched off").await, 1, "{on:?}");
        let mail = world.mail.to("oona@acme.test").pop().unwrap().text();
        assert!(mail.contains("Watch") && mail.contains("status 500: broken"), "{on:?}: {mail}");
        assert_eq!(world.events("webhook_disabled").await, 1, "{on:?}");
        // Two days later the session is over, and so is the silence of the webhook.
        let (status, tag, shown) = call_with(&world, &api, Method::GET, &format!("webhooks/{id}"), None, None).await;
        assert!(status == 200 && shown["enabled"] == false && shown["disabled_at"].is_string(), "{on:?}: {shown}");
        let again = json!({ "name": "Watch", "url": watch.address, "kinds": ["passcode_reuse"], "enabled": true });
        let path = format!("webhooks/{id}");
        let (status, _, shown) = call_with(&world, &api, Method::PUT, &path, Some(again.clone()), Some(&tag)).await;
        assert!(status == 200 && shown["disabled_at"].is_null() && shown["failing_since"].is_null(), "{on:?}: {shown}");
        assert_eq!(
            call_with(&world, &api, Method::PUT, &path, Some(again.clone()), Some(&tag)).await.0,
            412,
            "R-040 {on:?}"
        );
        assert_eq!(call_with(&world, &api, Method::PUT, &path, Some(again), None).await.0, 428, "R-040 {on:?}");
        reuse(&world, 1).await;
        watch.heard(11).await;
        // Whoever says that it is gone is believed at once.
        watch.will_say("410 Gone\r\ncontent-length: 0\r\n\r\n");
        world.advance(3600);
        reuse(&world, 1).await;
        watch.heard(12).await;
        for _ in 0..200 {
            if world.events("webhook_disabled").await == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(world.events("webhook_disabled").await, 2, "{on:?}");
        world.stop().await;
    }
}

/// a webhook whose secret does not open has failed like one that does not answer; that is written down, and ends some time.
#[actix_web::test]
async fn a_webhook_whose_secret_does_not_open_has_failed() {
    for on in BOTH {
        let world = staffed(on).await;
        let key = key(&world, Role::Operator).await;
        let watch = Listener::at("127.0.0.1").await;
        made(&world, &key, &watch.address, &["passcode_reuse"]).await;
        world.execute("UPDATE webhook SET secret_sealed = X'00' WHERE name = ?", "Watch").await;
        world.advance(3);
        reuse(&world, 1).await;
        let written = "SELECT COUNT(*) AS n FROM webhook_delivery WHERE answer LIKE 'its secret does not open%'";
        for _ in 0..200 {
            if world.number(written).await == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(world.number(written).await, 1, "{on:?}");
        let failing = "SELECT COUNT(*) AS n FROM webhook WHERE failing_since IS NOT NULL";
        assert_eq!(world.number(failing).await, 1, "{on:?}");
        assert_eq!(watch.count(), 0, "{on:?}");
        world.stop().await;
    }
}

/// R-569, T-52, T-57: at the console an operator makes a webhook, sees its secret once, tries it and sees the answer; what is wrong
/// is told beside its field, and what was typed stays. Auditors and the help desk see nothing of it.
#[actix_web::test]
async fn webhooks_and_subscriptions_at_the_console() {
    let world = staffed(On::Sqlite).await;
    let (mut oona, page) = at_console(&world, "oona", "alerts").await;
    assert_eq!(page.title(), "Alerts", "{}", page.body);
    let recipients = ("recipients", "soc\nboss@acme.test");
    let wrong = oona
        .press(&page, "save-alerts", &[recipients, ("most_per_hour", "0"), ("role-Help desk", "passcode_reuse")])
        .await;
    assert!(wrong.body.contains("Mail addresses: ") && wrong.body.contains("must be from 1 to 100"), "{}", wrong.body);
    assert!(wrong.body.contains("soc\nboss@acme.test"), "what was typed stays: {}", wrong.body);
    let recipients = ("recipients", "boss@acme.test");
    let fields =
        [recipients, ("most_per_hour", "5"), ("role-Help desk", "passcode_reuse"), ("kinds", "account_lockout")];
    let saved = oona.press(&wrong, "save-alerts", &fields).await;
    assert!(saved.body.contains("Saved."), "{}", saved.body);
    assert!(oona.get(&console(&world, "alerts/log")).await.body.contains("most_per_hour"), "R-037");
    // Somebody else has saved meanwhile: the old page does not overwrite it.
    let late = oona.press(&page, "save-alerts", &[recipients, ("most_per_hour", "7")]).await;
    assert!(late.body.contains("somebody else changed this meanwhile"), "R-040: {}", late.body);

    let new = oona.get(&console(&world, "webhooks/new")).await;
    let wrong = oona.press(&new, "save-webhook", &[("name", ""), ("url", "http://hooks.example.com/x")]).await;
    for words in
        ["Name: is empty.", "Address: cannot be called", "does not begin with https://", "choose at least one kind"]
    {
        assert!(wrong.body.contains(words), "{words}: {}", wrong.body);
    }
    assert!(wrong.body.contains("http://hooks.example.com/x"), "what was typed stays: {}", wrong.body);
    let inside = [("name", "x"), ("url", "https://[::1]/"), ("kinds", "token_lockout")];
    let wrong = oona.press(&wrong, "save-webhook", &inside).await;
    assert!(wrong.body.contains("is not public"), "T-52: {}", wrong.body);
    let watch = Listener::at("127.0.0.1").await;
    let good = [("name", "Watch"), ("url", watch.address.as_str()), ("kinds", "token_lockout"), ("enabled", "yes")];
    let made = oona.press(&wrong, "save-webhook", &good).await;
    let secret = made.find("[data-webhook-secret]").unwrap_or_else(|| panic!("no secret: {}", made.body));
    watch.will_say("503 Busy\r\ncontent-length: 9\r\n\r\n<b>no</b>");
    let tried = oona.press(&made, "test-webhook", &[]).await;
    assert!(
        tried.body.contains("The test did not arrive: status 503") && !tried.body.contains("<b>no"),
        "{}",
        tried.body
    );
    let tried = oona.press(&tried, "test-webhook", &[]).await;
    assert!(tried.body.contains("The test arrived: status 200."), "{}", tried.body);
    assert!(is_signed(&watch.heard(2).await, &secret) && !tried.body.contains(&secret));
    let twice = oona.get(&console(&world, "webhooks/new")).await;
    let twice = oona.press(&twice, "save-webhook", &good).await;
    assert!(twice.body.contains("is another webhook"), "{}", twice.body);
    // With a new secret the one before signs nothing any more.
    let renewed = oona.press(&tried, "new-secret", &[]).await;
    let second = renewed.find("[data-webhook-secret]").unwrap();
    oona.press(&renewed, "test-webhook", &[]).await;
    let request = watch.heard(3).await;
    assert!(second != secret && is_signed(&request, &second) && !is_signed(&request, &secret));
    let question = oona.press(&tried, "remove-webhook", &[]).await;
    assert_eq!(question.title(), "Remove the webhook Watch?", "it is asked first: {}", question.body);
    assert!(question.body.contains(&watch.address), "it says what is lost: {}", question.body);
    assert_eq!(oona.get(&question.link("back")).await.title(), "Webhook Watch", "and is still there");
    let stale = oona.press(&question, "sure", &[]).await;
    assert!(stale.body.contains("somebody else changed this meanwhile"), "R-040: {}", stale.body);
    let question = oona.press(&renewed, "remove-webhook", &[]).await;
    let removed = oona.press(&question, "sure", &[]).await;
    assert!(removed.title() == "Alerts" && !removed.body.contains(&watch.address), "{}", removed.body);
    assert!(removed.body.contains("The webhook was removed"), "R-569: {}", removed.body);
    for (action, events) in
        [("webhook_created", 1), ("webhook_tested", 3), ("webhook_changed", 1), ("webhook_removed", 1)]
    {
        assert_eq!(world.events(action).await, events, "{action}");
    }
    for name in ["hedy", "audra"] {
        assert_eq!(at_console(&world, name, "alerts").await.1.title(), "Not allowed", "{name}");
    }
    world.stop().await;
}

/// what is ticked for a role stays with that role, whatever roles somebody else makes meanwhile.
#[actix_web::test]
async fn alerts_are_ticked_for_roles_and_not_for_places() {
    let world = staffed(On::Sqlite).await;
    let key = key(&world, Role::Operator).await;
    let role = async |name: &str| {
        let draft = json!({ "name": name, "permissions": { "operators": ["access"] } });
        let (status, made) = call(&world, &key, Method::POST, "roles", Some(draft)).await;
        assert_eq!(status, 201, "{made}");
    };
    role("Watch").await;
    let (mut oona, page) = at_console(&world, "oona", "alerts").await;
    let name = {
        let page = scraper::Html::parse_document(&page.body);
        let boxes = scraper::Selector::parse("input[value=passcode_reuse][aria-label$='the role Watch']").unwrap();
        page.select(&boxes).next().unwrap().attr("name").unwrap().to_owned()
    };
    role("Night watch").await;
    let ticked = [("most_per_hour", "5"), (name.as_str(), "passcode_reuse")];
    let saved = oona.press(&page, "save-alerts", &ticked).await;
    assert!(saved.body.contains("Saved."), "{}", saved.body);
    let (status, told) = call(&world, &key, Method::GET, "settings/alerts", None).await;
    assert_eq!((status, &told["roles"]), (200, &json!({ "Watch": ["passcode_reuse"] })), "{told}");
    world.stop().await;
}

/// what else the service notices by itself: somebody becomes an operator, mail is given up, the audit trail was tampered
/// with. Each is told once.
#[actix_web::test]
async fn what_the_service_notices_is_told_once() {
    for on in BOTH {
        let world = staffed(on).await;
        let api = key(&world, Role::Operator).await;
        let kinds = ["operator_changed", "mail_failure", "audit_chain_broken"];
        assert_eq!(settings(&world, &api, json!({ "roles": { "Auditor": kinds } })).await.0, 200, "{on:?}");
        let (status, wrong) = settings(&world, &api, json!({ "roles": { "King": kinds } })).await;
        assert!(status == 422 && wrong.to_string().contains("there is no role"), "{on:?}: {wrong}");
        world.advance(3);
        let (mut oona, seen) = at_console(&world, "oona", "operators").await;
        let seen = oona.press(&seen, "add-operator", &[("username", "ada"), ("role", "auditor")]).await;
        let seen =
            if seen.title() == "Operators and roles" { seen } else { step_up(&world, &mut oona, &seen, "oona").await };
        assert!(seen.body.contains("ada"), "{on:?}: {}", seen.body);
        assert_eq!(world.letters("audra@acme.test", "An operator was changed").await, 1, "{on:?}");
        let text = world.mail.to("audra@acme.test").pop().unwrap().text();
        assert!(text.contains("no operator before, Auditor now; by oona") && text.contains("ada"), "{on:?}: {text}");

        // A mail that the mail server refuses, written by an enrollment. Ada hears of the change, too, and that is not the one.
        world.mail("ada@acme.test", 1).await;
        world.mail.refuse(true);
        let mut ada = Visitor::new(&world.url);
        let seen = after_password(&world, &mut ada, "ada", "correct horse battery staple").await;
        ada.press(&seen, "add-authenticator", &[]).await;
        for _ in 0..800 {
            let lost = "SELECT COUNT(*) AS n FROM outbox WHERE state = 'failed' AND kind = 'verification_code'";
            if world.number(lost).await == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        world.mail.refuse(false);
        let house = &world.site.house;
        for _ in 0..2 {
            watch::mail(house, world.clock_now()).await.unwrap();
        }
        assert_eq!(world.letters("audra@acme.test", "Mail does not arrive").await, 1, "{on:?}");
        let mails = world.mail.to("audra@acme.test");
        let text = mails.iter().find(|mail| mail.subject().starts_with("Mail does")).unwrap().text();
        assert!(text.contains("verification_code to acme.test") && text.contains("550"), "{on:?}: {text}");
        assert_eq!(world.events("mail_failed").await, 1, "{on:?}: once");

        // Somebody changes the trail behind the service's back.
        world.advance(3);
        let tenant = world.tenant().await;
        world.seal().await;
        let before = world.mail.to("audra@acme.test").len();
        world.execute("UPDATE audit_event SET address = '198.51.100.1' WHERE action = ?", "webhook_never").await;
        world.execute("UPDATE audit_event SET detail = '{}' WHERE action = ?", "operator_created").await;
        for _ in 0..2 {
            let verdict =
                audit_trail::verify_and_remember(house, tenant, audit_trail::Pace::Quick, world.clock_now()).await;
            assert!(verdict.unwrap().is_err(), "{on:?}");
        }
        assert_eq!(world.letters("audra@acme.test", "The audit trail was tampered with").await, 1, "{on:?}");
        assert_eq!(world.mail.to("audra@acme.test").len(), before + 1, "{on:?}: once");
        world.stop().await;
    }
}

/// too many wrong codes at a login lock enrollment, and operators hear of it; a role that is renamed keeps what it
/// hears of.
#[actix_web::test]
async fn a_renamed_role_hears_of_a_locked_enrollment() {
    let world = staffed(On::Sqlite).await;
    let file = "[[tenant]]\ncode = \"acme\"\n[[tenant.role]]\nname = \"Watch\"\npermissions = { dashboard = [\"access\"] }\n\
                [[tenant.operator]]\nusername = \"linus\"\nrole = \"Watch\"\n[tenant.alerts]\n\
                roles = { watch = [\"enrollment_lockout\"] }\n";
    world.apply(file).await;
    let wrong = world.try_apply(&file.replace("roles = { watch", "roles = { witch")).await.unwrap_err();
    assert!(wrong.contains("there is no role \"witch\""), "{wrong}");
    let api = key(&world, Role::Operator).await;
    let (_, roles) = call(&world, &api, Method::GET, "roles", None).await;
    let id = roles["items"].as_array().unwrap().iter().find(|role| role["name"] == "Watch").unwrap()["id"].clone();
    let (mut oona, seen) = at_console(&world, "oona", &format!("roles/{}", id.as_str().unwrap())).await;
    let renamed = oona.press(&seen, "save-role", &[("name", "Night watch"), ("permission", "dashboard.access")]).await;
    assert!(renamed.status == 200, "{}", renamed.body);
    world.advance(3);
    let (_, section) = call(&world, &api, Method::GET, "settings/alerts", None).await;
    assert_eq!(section["roles"]["Night watch"], json!(["enrollment_lockout"]), "{section}");
    for round in 0..2 {
        let mut ada = Visitor::new(&world.url);
        let mut seen = after_password(&world, &mut ada, "ada", "correct horse battery staple").await;
        if !seen.has_action("add-authenticator") {
            break;
        }
        seen = ada.press(&seen, "add-authenticator", &[]).await;
        world.code("ada@acme.test", round).await;
        for _ in 0..5 {
            if !seen.has_action("continue") {
                break;
            }
            seen = ada.press(&seen, "continue", &[("code", "999999")]).await;
        }
        world.advance(120);
    }
    let heard = world.number("SELECT COUNT(*) AS n FROM alert WHERE kind = 'enrollment_lockout'").await;
    assert_eq!(heard, 1);
    assert_eq!(world.letters("linus@acme.test", "Enrollment is locked").await, 1);
    world.stop().await;
}
