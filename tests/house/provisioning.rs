//! Enrollment by mail (A9): tasks, mails, the site without a login, rules.

use futures_util::future::join_all;
use vestibule::app::provisioning as job;
use vestibule::domain::audit::Actor;
use vestibule::domain::provisioning_task::{TaskNumber, TokenType};
use vestibule::domain::reservation::Reservation;
use vestibule::domain::user::User;
use vestibule::flow::administration::Desk;
use vestibule::flow::administration::provisioning::{self, Created, Order};
use vestibule::flow::administration::synchronize::synchronize;
use vestibule::storage::{reservations, tokens, users};

use crate::story::{self, PASSWORD, after_password, code_of, oathtool, to_platforms};
use crate::visitor::{Seen, Visitor};
use crate::world::{ACME, BOTH, On, World};

const DAY: u64 = 86_400;

/// What an operator orders, ten days from now.
async fn order(world: &World, names: &[&str], token_type: TokenType) -> Created {
    let house = &world.site.house;
    let realm = house.realm(&"acme".parse().unwrap()).await.unwrap().unwrap();
    let desk = Desk { house, actor: Actor::Shell("test".to_owned()), address: String::new(), now: world.clock_now() };
    let order = Order {
        token_type,
        stop_at: realm.config.settings.enrollment_mail.stop_at(desk.now, None),
        comment: "for the new floor".to_owned(),
        operator: "test".to_owned(),
        rule: None,
        issue_duplicates: false,
        number: None,
    };
    let mut chosen = Vec::new();
    for name in names {
        chosen.push(user(world, name).await);
    }
    let made = house
        .db
        .write(async |connection| provisioning::create(&desk, connection, &realm.config, &order, &chosen, None).await);
    let made = made.await.unwrap();
    house.mail_waits.notify_one();
    made
}

async fn user(world: &World, name: &str) -> User {
    let tenant = world.tenant().await;
    let found = world.site.house.db.read(async |connection| users::named(connection, tenant, name).await);
    found.await.unwrap().unwrap()
}

async fn place(world: &World, created: &Created) -> Reservation {
    let (tenant, id) = (world.tenant().await, created.people[0].id);
    let found = world.site.house.db.read(async |connection| reservations::with_id(tenant, id).ask(connection).await);
    found.await.unwrap().unwrap()
}

/// The link in the `number`-th mail to somebody: its page, and the code behind the `#`.
async fn link(world: &World, address: &str, number: usize) -> (String, String) {
    let mail = world.mail(address, number).await;
    link_in(&mail.text())
}

pub fn link_in(text: &str) -> (String, String) {
    let line = text.lines().map(str::trim).find(|line| line.contains("/enroll/"));
    let line = line.unwrap_or_else(|| panic!("no link: {text}"));
    let (page, code) = line.split_once('#').unwrap();
    (page.to_owned(), code.to_owned())
}

/// Opens a link in a browser of its own.
async fn opened(world: &World, (page, code): &(String, String)) -> (Visitor, Seen) {
    let mut visitor = Visitor::new(&world.url);
    let seen = visitor.get(page).await;
    let seen = visitor.press(&seen, "start", &[("code", code)]).await;
    (visitor, seen)
}

async fn activated(store: &std::path::Path, string: String) -> (i32, String) {
    let store = store.to_owned();
    tokio::task::spawn_blocking(move || story::app(&store, &["activate", &string, "--device", "Barbara's laptop"]))
        .await
        .unwrap()
}

/// The whole way with an app of our protocol: mail, link, platform, device, done; then the first login completes the task.
/// R-035 (whoever may not enroll at the login may by mail), R-174 to R-176, R-179, R-182 to R-184, R-186, R-345, U22.
#[actix_web::test]
async fn somebody_enrolls_by_mail_without_a_login() {
    for on in BOTH {
        let world = World::new(on).await;
        let created = order(&world, &["barbara"], TokenType::App).await;
        let mail = world.mail("barbara@acme.test", 1).await;
        assert_eq!(mail.subject(), "Set up your authenticator for Acme Corporation");
        assert!(mail.text().contains("2027-01-25, 08:00 UTC"), "R-186: {}", mail.text());
        assert!(!mail.text().contains("/activate") && !mail.html().contains("/activate"), "R-179: {}", mail.text());
        // R-182: until then she cannot log in.
        let seen = after_password(&world, &mut Visitor::new(&world.url), "barbara", "not in the rollout").await;
        assert_eq!(seen.title(), "You need an authenticator", "{}", seen.body);
        let link = link_in(&mail.text());
        let (mut barbara, seen) = opened(&world, &link).await;
        assert!(seen.title().starts_with("Where do you want"), "{on:?} {}", seen.body);
        assert!(
            seen.body.contains("Hello barbara!") && seen.body.contains("2027-01-25, 08:00 UTC"),
            "U22: {}",
            seen.body
        );
        assert!(seen.has_action("platform-ios") && !seen.has_action("platform-oath_app"), "the task is for our apps");
        let seen = barbara.press(&seen, "platform-command_line", &[]).await;
        let string = seen.find("[data-activation-string]").expect("an activation string");
        assert!(seen.body.contains("data-qr") && seen.body.contains("data-events"), "R-176: {}", seen.body);
        let store = tempfile::tempdir().unwrap();
        let (code, out) = activated(store.path(), string).await;
        assert_eq!(code, 0, "{out}");
        let seen = barbara.press(&seen, "check-now", &[]).await;
        assert_eq!(seen.title(), "Your authenticator is ready", "{on:?} {}", seen.body);
        assert!(seen.body.contains("Barbara’s laptop") || seen.body.contains("Barbara"), "{}", seen.body);
        let enrolled = place(&world, &created).await;
        assert!(enrolled.token.is_some() && enrolled.status.id() == "active", "R-184: not used yet: {enrolled:?}");
        let notice = world.mail("barbara@acme.test", 2).await;
        assert!(notice.subject().contains("authenticator was added"), "R-119: {}", notice.subject());
        // Nobody is logged in by a link: the portal asks for the name (R-143).
        let seen = barbara.get(&format!("{}/", world.base())).await;
        assert_eq!(seen.title(), "Log in", "{}", seen.body);
        // The first use completes the task.
        let mut login = Visitor::new(&world.url);
        let seen = after_password(&world, &mut login, "barbara", "not in the rollout").await;
        assert_eq!(seen.title(), "Enter your passcode");
        let passcode = story::from_store(&world, store.path());
        let seen = login.press(&seen, "continue", &[("code", &passcode)]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?} {}", seen.body);
        assert_eq!(place(&world, &created).await.status.id(), "completed", "R-184, R-345");
        // And the link is used.
        let (_, seen) = opened(&world, &link).await;
        assert!(seen.body.contains("has been set up already") && seen.body.contains("help@acme.test"), "{}", seen.body);
        world.stop().await;
    }
}

/// R-357: an authenticator that is enrolled by mail has a name that none of its owner's others has, as in a login.
#[actix_web::test]
async fn an_authenticator_by_mail_gets_a_name_of_its_own() {
    for on in BOTH {
        let world = World::new(on).await;
        let named = "[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"barbara\"\n[[tenant.user.token]]\n\
                     type = \"oath_app\"\nname = \"barbara's LAPTOP\"\nsecret_base32 = \"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\"\n";
        world.apply(named).await;
        order(&world, &["barbara"], TokenType::App).await;
        let link = link(&world, "barbara@acme.test", 1).await;
        let (mut barbara, seen) = opened(&world, &link).await;
        let seen = barbara.press(&seen, "platform-command_line", &[]).await;
        let store = tempfile::tempdir().unwrap();
        let (code, out) = activated(store.path(), seen.find("[data-activation-string]").unwrap()).await;
        assert_eq!(code, 0, "{on:?} {out}");
        let name = world.text("SELECT name AS t FROM token WHERE enrolled_by = 'email'").await;
        assert_eq!(name, "Barbara's laptop (2)", "{on:?}");
        let notice = world.mail("barbara@acme.test", 2).await;
        assert!(notice.text().contains("Barbara's laptop (2)"), "{on:?}: {}", notice.text());
        world.stop().await;
    }
}

/// R-149: the link in a mail is good until the stop date, and an activation only for minutes from its page on.
#[actix_web::test]
async fn the_link_lives_for_days_and_its_activation_for_minutes() {
    for on in BOTH {
        let world = World::new(on).await;
        order(&world, &["barbara"], TokenType::App).await;
        let link = link(&world, "barbara@acme.test", 1).await;
        world.advance(9 * DAY);
        let (mut barbara, seen) = opened(&world, &link).await;
        let seen = barbara.press(&seen, "platform-command_line", &[]).await;
        let string = seen.find("[data-activation-string]").expect("an activation string");
        world.advance(10 * 60 + 1);
        let store = tempfile::tempdir().unwrap();
        let (code, out) = activated(store.path(), string.clone()).await;
        assert!(code != 0 && out.contains("act.expired"), "{on:?}: {out}");
        let late = barbara.get(&seen.url).await;
        let fresh = barbara.press(&late, "renew", &[]).await;
        let again = fresh.find("[data-activation-string]").expect("another one");
        assert_ne!(again, string, "{on:?}");
        let (code, out) = activated(store.path(), again).await;
        assert_eq!(code, 0, "{on:?}: {out}");
        world.stop().await;
    }
}

/// The same with any standard app: its first passcode is asked for on the page, and counts for no login.
/// R-173, R-182, R-184, R-315.
#[actix_web::test]
async fn a_standard_app_is_enrolled_by_mail() {
    for on in BOTH {
        let world = World::new(on).await;
        let created = order(&world, &["barbara"], TokenType::OathApp).await;
        let link = link(&world, "barbara@acme.test", 1).await;
        let (mut barbara, seen) = opened(&world, &link).await;
        let secret = seen.find("[data-activation-string]").expect("a key: there is one platform").replace(' ', "");
        let seen = barbara.press(&seen, "continue", &[("code", "000000")]).await;
        assert!(seen.complaint().contains("was not accepted"), "{on:?} {}", seen.body);
        assert_eq!(place(&world, &created).await.failed_count, 1, "R-190");
        let code = oathtool(&world, &secret, "--totp=sha1", "6");
        let seen = barbara.press(&seen, "continue", &[("code", &code)]).await;
        assert_eq!(seen.title(), "Your authenticator is ready", "{on:?} {}", seen.body);
        assert_eq!(place(&world, &created).await.status.id(), "active", "it was not used to log in yet");
        let mut login = Visitor::new(&world.url);
        let seen = after_password(&world, &mut login, "barbara", "not in the rollout").await;
        let seen = login.press(&seen, "continue", &[("code", &code)]).await;
        assert!(seen.complaint().contains("was not accepted"), "R-315: {}", seen.body);
        world.advance(30);
        let code = oathtool(&world, &secret, "--totp=sha1", "6");
        let seen = login.press(&seen, "continue", &[("code", &code)]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?} {}", seen.body);
        assert_eq!(place(&world, &created).await.status.id(), "completed");
        world.stop().await;
    }
}

/// R-184, R-188, R-345: whatever shows that the authenticator works completes the task: the response to a challenge, and the help
/// desk that synchronizes it.
#[actix_web::test]
async fn every_first_use_completes_the_task() {
    for on in BOTH {
        let world = World::new(on).await;
        world
            .apply(
                "[[tenant]]\ncode = \"acme\"\n[tenant.token_template.app]\nmode = \"challenge_response\"\nlength = 8\n",
            )
            .await;
        let created = order(&world, &["barbara"], TokenType::App).await;
        let (mut barbara, seen) = opened(&world, &link(&world, "barbara@acme.test", 1).await).await;
        let seen = barbara.press(&seen, "platform-command_line", &[]).await;
        let store = tempfile::tempdir().unwrap();
        let (code, out) = activated(store.path(), seen.find("[data-activation-string]").expect("a string")).await;
        assert_eq!(code, 0, "{out}");
        assert_eq!(place(&world, &created).await.status.id(), "active", "{on:?}");
        let mut login = Visitor::new(&world.url);
        let seen = after_password(&world, &mut login, "barbara", "not in the rollout").await;
        let (path, challenge) = (store.path().to_owned(), seen.find("#challenge").expect("a challenge"));
        let answer = move || story::app(&path, &["passcode", "--challenge", &challenge]);
        let (code, out) = tokio::task::spawn_blocking(answer).await.unwrap();
        assert_eq!(code, 0, "{out}");
        let seen = login.press(&seen, "continue", &[("response", out.trim())]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?} {}", seen.body);
        assert_eq!(place(&world, &created).await.status.id(), "completed", "{on:?} R-184: a challenge");
        world.stop().await;

        let world = World::new(on).await;
        let created = order(&world, &["barbara"], TokenType::OathApp).await;
        let (mut barbara, seen) = opened(&world, &link(&world, "barbara@acme.test", 1).await).await;
        let secret = seen.find("[data-activation-string]").expect("a key").replace(' ', "");
        let code = oathtool(&world, &secret, "--totp=sha1", "6");
        let seen = barbara.press(&seen, "continue", &[("code", &code)]).await;
        assert_eq!(seen.title(), "Your authenticator is ready", "{on:?} {}", seen.body);
        world.advance(60);
        let first = oathtool(&world, &secret, "--totp=sha1", "6");
        world.advance(30);
        let second = oathtool(&world, &secret, "--totp=sha1", "6");
        let (tenant, owner) = (world.tenant().await, user(&world, "barbara").await.id);
        let db = &world.site.house.db;
        let tokens = db.read(async |connection| tokens::of_user(tenant, owner).ask(connection).await).await.unwrap();
        let realm = world.site.house.realm(&"acme".parse().unwrap()).await.unwrap().unwrap();
        let desk = world.desk("olga");
        let done = synchronize(&desk, &realm.config, &tokens[0], (&first, &second)).await.unwrap();
        assert!(done, "{on:?}");
        assert_eq!(place(&world, &created).await.status.id(), "completed", "{on:?} R-184: the help desk");
        world.stop().await;
    }
}

/// A mail scanner fetches the link, again and again, presses the button, and runs no script: nothing is used up.
/// T-24, T-25, T-29, AC-37.
#[actix_web::test]
async fn a_scanner_uses_nothing_up() {
    for on in BOTH {
        let world = World::new(on).await;
        order(&world, &["barbara"], TokenType::App).await;
        let (page, code) = link(&world, "barbara@acme.test", 1).await;
        let mut scanner = Visitor::new(&world.url);
        let mut first = String::new();
        for _ in 0..5 {
            let seen = scanner.get(&page).await;
            assert_eq!(seen.status, 200, "{}", seen.body);
            assert_eq!(seen.headers["cache-control"], "no-store", "T-24");
            assert_eq!(seen.headers["referrer-policy"], "no-referrer");
            assert!(!seen.body.contains(&code), "the code is not in what a server sees");
            first = seen.body;
        }
        let seen = scanner.get(&page).await;
        let pressed = scanner.press(&seen, "start", &[]).await;
        assert!(pressed.complaint().contains("Enter the code"), "{}", pressed.body);
        assert_eq!(world.events("link_opened").await, 0, "{on:?}: T-29");
        // One that runs scripts opens it, and that uses nothing up either.
        opened(&world, &(page.clone(), code.clone())).await;
        let (_, seen) = opened(&world, &(page.clone(), code.clone())).await;
        assert!(seen.title().starts_with("Where do you want"), "{}", seen.body);
        // A link that does not exist looks the same, and is answered like one with a wrong code.
        let nowhere = page.rsplit_once('/').map(|(before, _)| format!("{before}/{}", "a".repeat(26))).unwrap();
        let seen = scanner.get(&nowhere).await;
        let bare =
            |body: &str| body.lines().filter(|line| !line.contains("csrf") && !line.contains("/enroll/")).count();
        assert_eq!(bare(&seen.body), bare(&first));
        let unknown = scanner.press(&seen, "start", &[("code", &code)]).await;
        let seen = scanner.get(&page).await;
        let wrong = scanner.press(&seen, "start", &[("code", "aaaa-bbbb")]).await;
        assert_eq!(unknown.complaint(), wrong.complaint(), "no oracle");
        assert!(wrong.complaint().contains("does not belong to this link"), "{}", wrong.body);
        // Upper case, blanks and hyphens do not matter; another tenant does (AC-16).
        let typed = format!(" {} ", code.to_uppercase());
        let seen = scanner.get(&page).await;
        let seen = scanner.press(&seen, "start", &[("code", &typed)]).await;
        assert!(seen.title().starts_with("Where do you want"), "{}", seen.body);
        // AC-37: another Host is refused, so no link can ever be made for it.
        let answer = reqwest::Client::new().get(&page).header("host", "evil.test").send().await.unwrap();
        assert_eq!(answer.status(), 421, "T-25");
        world.stop().await;
    }
}

/// AC-16: a link of one virtual server says nothing in another.
#[actix_web::test]
async fn a_link_belongs_to_its_virtual_server() {
    for on in BOTH {
        let world = World::new(on).await;
        world
            .apply(&ACME.replace("code = \"acme\"", "code = \"blue\"").replace("wiki.example.com", "wiki.example.org"))
            .await;
        order(&world, &["barbara"], TokenType::App).await;
        let (page, code) = link(&world, "barbara@acme.test", 1).await;
        let elsewhere = page.replace("/t/acme/", "/t/blue/");
        let (_, seen) = opened(&world, &(elsewhere, code.clone())).await;
        assert!(seen.complaint().contains("does not belong to this link"), "{on:?} {}", seen.body);
        let (_, seen) = opened(&world, &(page, code)).await;
        assert!(seen.title().starts_with("Where do you want"), "{}", seen.body);
        world.stop().await;
    }
}

async fn resend(world: &World, created: &Created) {
    let house = &world.site.house;
    let realm = house.realm(&"acme".parse().unwrap()).await.unwrap().unwrap();
    let desk = Desk { house, actor: Actor::Shell("test".to_owned()), address: String::new(), now: world.clock_now() };
    let current = place(world, created).await;
    let stop_at = realm.config.settings.enrollment_mail.stop_at(desk.now, None);
    let sent = house
        .db
        .write(async |connection| provisioning::resend(&desk, connection, &realm.config, &current, stop_at).await);
    sent.await.unwrap().unwrap();
    house.mail_waits.notify_one();
}

/// Each way in which a link ends has its own words and the help desk's address; another mail opens it again (part B7).
/// R-180, R-184 to R-186, R-189, R-190, T-03, U22.
#[actix_web::test]
async fn links_end_and_say_why() {
    for on in BOTH {
        let world = World::new(on).await;
        world
            .apply(&tenant(
                "[tenant.enrollment_mail]\nattempts = 3\n[tenant.alerts]\nrecipients = [\"ops@acme.test\"]\n",
            ))
            .await;
        let created = order(&world, &["barbara"], TokenType::App).await;
        let first = link(&world, "barbara@acme.test", 1).await;
        let (mut barbara, seen) = opened(&world, &first).await;
        let begun = barbara.press(&seen, "platform-command_line", &[]).await;
        let string = begun.find("[data-activation-string]").unwrap();
        let says = async |link: &(String, String), words: &str| {
            let (_, seen) = opened(&world, link).await;
            assert!(seen.body.contains(words) && seen.body.contains("help@acme.test"), "{on:?} {words}: {}", seen.body);
        };
        // A newer mail: the older link, and what was begun with it, are over.
        resend(&world, &created).await;
        says(&first, "A newer email replaces this one").await;
        let seen = barbara.press(&begun, "check-now", &[]).await;
        assert_eq!(seen.title(), "Not set up yet", "{}", seen.body);
        let store = tempfile::tempdir().unwrap();
        assert_ne!(activated(store.path(), string).await.0, 0, "AC-18");
        let second = link(&world, "barbara@acme.test", 2).await;
        assert!(world.mail("barbara@acme.test", 2).await.text().contains("replaces the one before"), "R-180");
        // Too many wrong codes.
        for _ in 0..3 {
            opened(&world, &(second.0.clone(), "wrong".to_owned())).await;
        }
        says(&second, "too many failed attempts").await;
        assert_eq!(place(&world, &created).await.status.id(), "locked", "R-190");
        assert!(world.mail("ops@acme.test", 1).await.text().contains("barbara"), "R-190: an alert");
        resend(&world, &created).await;
        let third = link(&world, "barbara@acme.test", 3).await;
        let (_, seen) = opened(&world, &third).await;
        assert!(seen.title().starts_with("Where do you want"), "B7: Locked → Active: {}", seen.body);
        // Another address: the link went to somebody else (T-03).
        let moved = tenant("").replace("barbara@acme.test", "b@acme.test");
        world.apply(&moved).await;
        says(&third, "A newer email replaces this one").await;
        resend(&world, &created).await;
        let fourth = link(&world, "b@acme.test", 1).await;
        // The stop date.
        world.advance(10 * DAY);
        says(&fourth, "has expired").await;
        assert_eq!(job::round(&world.site).await.unwrap().expired, 1, "R-186");
        assert_eq!(place(&world, &created).await.status.id(), "expired");
        assert!(world.mail("ops@acme.test", 2).await.text().contains("barbara"), "R-189: an alert");
        assert_eq!(job::round(&world.site).await.unwrap().expired, 0, "once");
        says(&fourth, "has expired").await;
        resend(&world, &created).await;
        let fifth = link(&world, "b@acme.test", 2).await;
        // The operator removes the task.
        let number = created.task.as_ref().unwrap().number;
        remove(&world, number).await;
        says(&fifth, "has taken this email back").await;
        assert_eq!(place(&world, &created).await.status.id(), "removed", "R-185");
        world.stop().await;
    }
}

async fn remove(world: &World, number: TaskNumber) {
    let house = &world.site.house;
    let desk = Desk { house, actor: Actor::Shell("test".to_owned()), address: String::new(), now: world.clock_now() };
    let tenant = world.tenant().await;
    let removed = house.db.write(async |connection| provisioning::remove(&desk, connection, tenant, number).await);
    assert_eq!(removed.await.unwrap(), Some(1));
}

/// `ACME` with more in it.
fn tenant(more: &str) -> String {
    format!("{ACME}{more}")
}

/// Whoever is in a task and in the rollout may go either way; the one that is done closes the other.
/// R-094, R-196.
#[actix_web::test]
async fn either_way_closes_the_other() {
    for on in BOTH {
        let world = World::new(on).await;
        // By the login: the link is used, and what was begun with it is over.
        let created = order(&world, &["ada"], TokenType::App).await;
        let first = link(&world, "ada@acme.test", 1).await;
        let (mut mailed, seen) = opened(&world, &first).await;
        let begun = mailed.press(&seen, "platform-command_line", &[]).await;
        let string = begun.find("[data-activation-string]").unwrap();
        let mut ada = Visitor::new(&world.url);
        let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
        let seen = ada.press(&seen, "add-authenticator", &[]).await;
        let code = world.mail("ada@acme.test", 2).await.code().unwrap();
        let seen = ada.press(&seen, "continue", &[("code", &code)]).await;
        let seen = ada.press(&seen, "platform-oath_app", &[]).await;
        let secret = seen.find("[data-activation-string]").unwrap().replace(' ', "");
        let passcode = oathtool(&world, &secret, "--totp=sha1", "6");
        let seen = ada.press(&seen, "continue", &[("code", &passcode)]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?} {}", seen.body);
        assert_eq!(place(&world, &created).await.status.id(), "completed", "R-196");
        let store = tempfile::tempdir().unwrap();
        assert_ne!(activated(store.path(), string).await.0, 0, "{on:?}: the activation is over");
        let seen = mailed.press(&begun, "check-now", &[]).await;
        assert!(seen.body.contains("has been set up already"), "{}", seen.body);
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM token WHERE enrolled_by IN ('self', 'email')").await, 1);
        world.stop().await;

        // By mail: the login that stood in the middle asks for a passcode of the new authenticator.
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let seen = to_platforms(&world, &mut ada).await;
        let waiting = ada.press(&seen, "platform-command_line", &[]).await;
        let old = waiting.find("[data-activation-string]").unwrap();
        order(&world, &["ada"], TokenType::App).await;
        let link = link(&world, "ada@acme.test", 2).await;
        let (mut mailed, seen) = opened(&world, &link).await;
        let seen = mailed.press(&seen, "platform-command_line", &[]).await;
        let store = tempfile::tempdir().unwrap();
        let (code, out) = activated(store.path(), seen.find("[data-activation-string]").unwrap()).await;
        assert_eq!(code, 0, "{on:?} {out}");
        let other = tempfile::tempdir().unwrap();
        assert_ne!(activated(other.path(), old).await.0, 0, "{on:?}: the login's own activation is over");
        let seen = ada.press(&waiting, "check-now", &[]).await;
        assert_eq!(seen.title(), "Enter your passcode", "{on:?} {}", seen.body);
        world.stop().await;
    }
}

/// Sixteen browsers at two instances finish the same task at once: one authenticator comes of it.
/// R-196, R-598, AC-15, T-07, INV-10.
#[actix_web::test]
async fn one_task_makes_one_authenticator() {
    for on in BOTH {
        let world = World::new(on).await;
        let (second, _) = world.second().await;
        let created = order(&world, &["barbara"], TokenType::OathApp).await;
        let link = link(&world, "barbara@acme.test", 1).await;
        let mut waiting = Vec::new();
        for number in 0..16 {
            let (visitor, seen) = opened(&world, &link).await;
            let secret = seen.find("[data-activation-string]").unwrap().replace(' ', "");
            waiting.push((visitor, seen, oathtool(&world, &secret, "--totp=sha1", "6"), number % 2 == 1));
        }
        let tries = waiting.into_iter().map(|(mut visitor, seen, code, elsewhere)| {
            let second = second.clone();
            async move {
                let (address, mut fields) = seen.form("continue");
                fields.push(("code".to_owned(), code));
                let address = if elsewhere { format!("{second}{address}") } else { address };
                visitor.once(reqwest::Method::POST, &address, Some(fields)).await.status
            }
        });
        let answers = join_all(tries).await;
        assert!(answers.iter().all(|status| *status < 500), "{on:?}: {answers:?}");
        assert_eq!(
            world.number("SELECT COUNT(*) AS n FROM token WHERE enrolled_by IN ('email', 'rule')").await,
            1,
            "{on:?}"
        );
        assert!(place(&world, &created).await.token.is_some());
        world.stop().await;
    }
}

/// Both ways end at the same moment, at two instances, again and again: one of them wins, never both.
/// R-196, T-09.
#[actix_web::test]
async fn both_ways_at_once_make_one_authenticator() {
    for on in BOTH {
        let world = World::new(on).await;
        let (second, _) = world.second().await;
        for round in 1..=4 {
            let name = format!("race{round}");
            let person = format!(
                "\n[[tenant.user]]\nusername = \"{name}\"\nemail = \"{name}@acme.test\"\npassword = \"{PASSWORD}\"\n\
                 groups = [\"pilot\"]\n"
            );
            world.apply(&format!("[[tenant]]\ncode = \"acme\"\n{person}")).await;
            order(&world, &[&name], TokenType::OathApp).await;
            let address = format!("{name}@acme.test");
            let link = link(&world, &address, 1).await;
            let (mailed, by_mail) = opened(&world, &link).await;
            let mut login = Visitor::new(&world.url);
            let seen = after_password(&world, &mut login, &name, PASSWORD).await;
            let seen = login.press(&seen, "add-authenticator", &[]).await;
            let code = world.mail(&address, 2).await.code().unwrap();
            let seen = login.press(&seen, "continue", &[("code", &code)]).await;
            let by_login = login.press(&seen, "platform-oath_app", &[]).await;
            let both = [(mailed, by_mail, true), (login, by_login, false)].map(|(mut visitor, seen, elsewhere)| {
                let secret = seen.find("[data-activation-string]").unwrap().replace(' ', "");
                let code = oathtool(&world, &secret, "--totp=sha1", "6");
                let (address, mut fields) = seen.form("continue");
                fields.push(("code".to_owned(), code));
                let address = if elsewhere { format!("{second}{address}") } else { address };
                async move { visitor.once(reqwest::Method::POST, &address, Some(fields)).await.status }
            });
            let answers = join_all(both).await;
            assert!(answers.iter().all(|status| *status < 500), "{on:?}: {answers:?}");
            let tokens = world.number("SELECT COUNT(*) AS n FROM token WHERE enrolled_by IN ('self', 'email')").await;
            assert_eq!(tokens, round, "{on:?}: one for each round");
        }
        let open = world.number("SELECT COUNT(*) AS n FROM reservation WHERE token_id IS NULL").await;
        assert_eq!(open, 0, "{on:?}: nothing stays open");
        world.stop().await;
    }
}

/// Reminders: two days before the stop date, once, whatever number of instances looks, and never after completion. Both
/// links work.
/// R-187, R-598.
#[actix_web::test]
async fn people_are_reminded_once() {
    for on in BOTH {
        let world = World::new(on).await;
        let (_, other) = world.second().await;
        let done = order(&world, &["ada"], TokenType::OathApp).await;
        let created = order(&world, &["barbara"], TokenType::App).await;
        let (mut ada, seen) = opened(&world, &link(&world, "ada@acme.test", 1).await).await;
        let secret = seen.find("[data-activation-string]").unwrap().replace(' ', "");
        ada.press(&seen, "continue", &[("code", &oathtool(&world, &secret, "--totp=sha1", "6"))]).await;
        assert!(place(&world, &done).await.token.is_some());
        world.advance(8 * DAY - 60);
        assert_eq!(job::round(&world.site).await.unwrap(), job::Done::default(), "{on:?}: not yet");
        world.advance(120);
        let rounds = join_all((0..8).map(|n| job::round(if n % 2 == 0 { &world.site } else { &other }))).await;
        let reminded: usize = rounds.into_iter().map(|round| round.unwrap().reminded).sum();
        assert_eq!(reminded, 1, "{on:?}: Barbara, once");
        let reminder = world.mail("barbara@acme.test", 2).await;
        assert!(reminder.subject().starts_with("Reminder:"), "{}", reminder.subject());
        for number in [1, 2] {
            let (_, seen) = opened(&world, &link(&world, "barbara@acme.test", number).await).await;
            assert!(seen.title().starts_with("Where do you want"), "{on:?}: link {number}: {}", seen.body);
        }
        // One instance does a round in a minute.
        let (one, two) = (world.site.house.entropy.id(), other.house.entropy.id());
        assert!(job::once(&world.site, one).await.is_ok() && job::once(&other, two).await.is_ok());
        assert_eq!(place(&world, &created).await.sends, 1, "a reminder is no new mail");
        world.stop().await;
    }
}

/// With the operators' word the mail holds the activation itself: for any allowed device, until the stop date, once.
/// R-178, R-179, AC-15, part B3.
#[actix_web::test]
async fn a_string_in_the_mail_works_until_the_stop_date() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&tenant("[tenant.enrollment_mail]\nactivation_codes_in_mail = true\n")).await;
        let created = order(&world, &["ada", "barbara"], TokenType::App).await;
        let string = async |address: &str| {
            let text = world.mail(address, 1).await.text();
            let line = text.lines().map(str::trim).find(|line| line.contains("/activate#"));
            line.unwrap_or_else(|| panic!("R-178: {text}")).to_owned()
        };
        let (ada, barbara) = (string("ada@acme.test").await, string("barbara@acme.test").await);
        // Days later, after the purge has run, too.
        world.advance(9 * DAY);
        vestibule::app::jobs::purge_once(&world.site, world.site.house.entropy.id()).await.unwrap();
        let stores: Vec<_> = (0..8).map(|_| tempfile::tempdir().unwrap()).collect();
        let devices = join_all(stores.iter().map(|store| activated(store.path(), ada.clone()))).await;
        let enrolled = devices.iter().filter(|(code, _)| *code == 0).count();
        assert_eq!(enrolled, 1, "{on:?} AC-15: {devices:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM token WHERE enrolled_by IN ('email', 'rule')").await, 1);
        assert_eq!(
            world.text("SELECT platform AS t FROM token WHERE enrolled_by IN ('email', 'rule')").await,
            "command_line"
        );
        // And then it is over.
        world.advance(DAY);
        let late = tempfile::tempdir().unwrap();
        let (code, out) = activated(late.path(), barbara).await;
        assert!(code != 0 && out.contains("act.expired"), "{on:?} R-186: {out}");
        assert_eq!(created.people.len(), 2);
        world.stop().await;
    }
}

/// Whoever presses buttons makes no mail go out: only an operator does (R-181), and what a stranger does to the account
/// does not keep its owner from enrolling (T-17).
/// R-181, T-08, T-17, T-28.
#[actix_web::test]
async fn strangers_send_no_mail_and_stop_nobody() {
    for on in BOTH {
        let world = World::new(on).await;
        order(&world, &["barbara"], TokenType::App).await;
        let link = link(&world, "barbara@acme.test", 1).await;
        for _ in 0..12 {
            let mut stranger = Visitor::new(&world.url);
            let seen = stranger.get(&story::authorize(&world, "")).await;
            let seen = stranger.press(&seen, "continue", &[("username", "barbara")]).await;
            if seen.title() == "Your account is locked" {
                break;
            }
            stranger.press(&seen, "continue", &[("password", "wrong")]).await;
            world.advance(30);
        }
        assert_eq!(world.events("account_locked").await, 1, "{on:?}");
        let before = world.number("SELECT COUNT(*) AS n FROM outbox").await;
        let (mut barbara, seen) = opened(&world, &link).await;
        assert!(seen.title().starts_with("Where do you want"), "{on:?} T-17: {}", seen.body);
        let desk = seen.url.clone();
        let seen = barbara.press(&seen, "platform-android", &[]).await;
        let seen = barbara.press(&seen, "change-platform", &[]).await;
        let seen = barbara.press(&seen, "platform-ios", &[]).await;
        let seen = barbara.press(&seen, "cancel", &[]).await;
        assert_eq!(seen.title(), "Not set up yet", "{}", seen.body);
        for _ in 0..5 {
            opened(&world, &link).await;
        }
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM outbox").await, before, "{on:?} R-181");
        // Another browser has nothing of it (T-08), and no form makes somebody else of it.
        let seen = Visitor::new(&world.url).get(&desk).await;
        assert_eq!(seen.status, 400, "{}", seen.body);
        assert!(!seen.title().starts_with("Where do you want"), "T-08: {}", seen.body);
        world.stop().await;
    }
}

const RULE: &str = r#"
[[tenant.provisioning_rule]]
name = "Pilots"
groups = ["pilot"]
auto_revoke = true
"#;

async fn put_into(world: &World, name: &str, groups: &[&str]) {
    let listed: Vec<String> = groups.iter().map(|group| format!("\"{group}\"")).collect();
    let user = format!("\n[[tenant.user]]\nusername = \"{name}\"\ngroups = [{}]\n", listed.join(", "));
    world.apply(&format!("[[tenant]]\ncode = \"acme\"\n{user}")).await;
}

/// Rules: entering a group sends a mail, leaving it takes back what came of it; who has one or no address gets none.
/// R-192 to R-195, R-191.
#[actix_web::test]
async fn rules_follow_the_groups() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&format!("[[tenant]]\ncode = \"acme\"\n{RULE}")).await;
        // Those who are in the group already are found by the job, those who enter at once.
        assert_eq!(
            job::round(&world.site).await.unwrap().provisioned,
            2,
            "{on:?}: Ada and Linus, who has another type"
        );
        assert_eq!(job::round(&world.site).await.unwrap().provisioned, 0, "{on:?}: once");
        world.mail("ada@acme.test", 1).await;
        put_into(&world, "barbara", &["pilot"]).await;
        let first = link(&world, "barbara@acme.test", 1).await;
        let (mut barbara, seen) = opened(&world, &first).await;
        let seen = barbara.press(&seen, "platform-command_line", &[]).await;
        let store = tempfile::tempdir().unwrap();
        let (code, out) = activated(store.path(), seen.find("[data-activation-string]").unwrap()).await;
        assert_eq!(code, 0, "{out}");
        let count = "SELECT COUNT(*) AS n FROM token WHERE enrolled_by IN ('email', 'rule') AND state = 'active'";
        assert_eq!(world.number(count).await, 1, "{on:?}");
        // Out again: auto revoke (R-194).
        put_into(&world, "barbara", &[]).await;
        assert_eq!(world.number(count).await, 0, "{on:?} R-194");
        // In again: another mail, because she entered again.
        put_into(&world, "barbara", &["pilot"]).await;
        world.mail("barbara@acme.test", 3).await;
        // Without an address she would be skipped and listed (R-195).
        world
            .apply("[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"nobody\"\ngroups = [\"pilot\"]\n")
            .await;
        let noted = world.number("SELECT COUNT(*) AS n FROM rule_member WHERE outcome = 'no_address'").await;
        assert_eq!(noted, 1, "{on:?} R-195");
        world
            .apply("[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"nobody\"\nemail = \"n@acme.test\"\n")
            .await;
        world.mail("n@acme.test", 1).await;
        world.stop().await;
    }
}

/// An authenticator that is revoked is not replaced by a rule: the mailbox alone would replace it then.
/// R-193, issue 5 part 5.
#[actix_web::test]
async fn a_rule_replaces_no_authenticator() {
    for on in BOTH {
        let world = World::new(on).await;
        let rule = RULE.replace("auto_revoke = true", "token_type = \"oath_app\"");
        world.apply(&format!("[[tenant]]\ncode = \"acme\"\n{rule}")).await;
        assert_eq!(job::round(&world.site).await.unwrap().provisioned, 1, "{on:?} R-193: Ada; Linus has one");
        let linus = user(&world, "linus").await;
        let house = &world.site.house;
        let desk =
            Desk { house, actor: Actor::Shell("test".to_owned()), address: String::new(), now: world.clock_now() };
        revoke_all(&desk, &linus).await;
        assert_eq!(job::round(&world.site).await.unwrap().provisioned, 0, "{on:?}: not by mail alone");
        assert!(world.mail.to("linus@acme.test").is_empty());
        world.stop().await;
    }
}

async fn revoke_all(desk: &Desk<'_>, user: &User) {
    use vestibule::domain::authenticator::lifecycle::{Disposition, Move};
    use vestibule::flow::lifecycle::{self, By, Ending};
    use vestibule::storage::tokens;
    let work = async |connection: &mut vestibule::storage::Connection| {
        for token in tokens::of_user(user.tenant, user.id).ask(connection).await? {
            let step = (Move::Revoke(Disposition::Lost), "lost");
            lifecycle::carry_out(connection, desk.house, &By::desk(desk), &token, step, Ending::All).await?;
        }
        Ok::<_, vestibule::storage::Error>(())
    };
    desk.house.db.write(work).await.unwrap();
}

/// The commands, with `--json`, and what they refuse.
/// R-180, R-183, R-185, R-186, R-188, R-191, R-195, R-197.
#[actix_web::test]
async fn operators_provision_from_the_shell() {
    let world = World::at_this_time(On::Sqlite).await;
    world.apply("[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"nobody\"\ngroups = [\"pilot\"]\n").await;
    let json = |arguments: &[&str]| -> serde_json::Value {
        let mut all = vec!["provision"];
        all.extend(arguments);
        all.push("--json");
        serde_json::from_str(&world.command(&all)).unwrap()
    };
    let made = json(&["create", "--group", "pilot", "--user", "barbara", "--days", "3", "--comment", "new floor"]);
    let number = made["task"].to_string();
    let names = |list: &serde_json::Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|it| it["username"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&made["provisioned"]), ["barbara", "ada", "linus"], "{made}");
    assert_eq!(made["skipped"], serde_json::json!([{ "username": "nobody", "reason": "no_address" }]), "R-191");
    world.catch_up();
    world.mail("ada@acme.test", 1).await;
    let again = json(&["create", "--user", "ada"]);
    assert_eq!((&again["task"], &again["skipped"][0]["reason"]), (&serde_json::Value::Null, &"reserved".into()));
    let type_of_linus = json(&["create", "--user", "linus", "--type", "oath_app"]);
    assert_eq!(type_of_linus["skipped"][0]["reason"], "has_one", "R-193");
    world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.tokens]\nmax_per_user = 1\n").await;
    let full = json(&["create", "--user", "linus", "--user", "ada", "--issue-duplicates"]);
    let reasons: Vec<&str> =
        full["skipped"].as_array().unwrap().iter().map(|it| it["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["limit", "limit"], "what is owned and what is reserved count: {full}");
    let shown = json(&["show", &number]);
    assert_eq!((&shown["comment"], shown["people"].as_array().unwrap().len()), (&"new floor".into(), 3), "R-197");
    assert_eq!(shown["people"][0]["status"], "active", "R-184");
    let listed = json(&["list"]);
    assert_eq!(listed["tasks"][0]["statuses"]["active"], 3, "{listed}");
    let sent = json(&["resend", &number, "--user", "ada", "--days", "5"]);
    assert_eq!(sent["sent"], serde_json::json!(["ada"]), "R-180: {sent}");
    world.catch_up();
    world.mail("ada@acme.test", 2).await;
    assert_eq!(json(&["stop-date", &number, "--days", "7"])["people"], 3, "R-186");
    assert_eq!(json(&["remove", &number])["people"], 3, "R-185");
    assert_eq!(json(&["list"])["tasks"], serde_json::json!([]), "R-188");
    assert_eq!(json(&["list", "--all"])["tasks"][0]["statuses"]["removed"], 3, "R-188");
    world.apply(&format!("[[tenant]]\ncode = \"acme\"\n{RULE}")).await;
    let rules = json(&["rules", "--run"]);
    assert_eq!(rules["rules"][0]["skipped_without_address"], serde_json::json!(["nobody"]), "R-195: {rules}");
    // Lines for people say the same.
    assert!(world.command(&["provision", "rules"]).contains("skips nobody: has no email address"));
    assert!(world.command(&["provision", "show", &number]).contains("removed"));
    world.stop().await;
}

/// R-179: whoever wants activation codes in mails is told what is wrong with that.
#[test]
fn activation_codes_in_mails_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let text =
        "[[tenant]]\ncode = \"acme\"\nname = \"Acme\"\n[tenant.enrollment_mail]\nactivation_codes_in_mail = true\n";
    std::fs::write(file("acme.toml"), text).unwrap();
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(["apply", &file("acme.toml")])
        .env("VESTIBULE__DATABASE__URL", format!("sqlite://{}", file("v.db")))
        .env("VESTIBULE__KEYS__KEY_ENCRYPTION_KEY_FILE", file("kek"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success() && said.contains("warning: enrollment_mail.activation_codes_in_mail"), "{said}");
    assert!(said.contains("NIST SP 800-63B"), "{said}");
}
