//! Lockout and throttling (A16): who waits, who is locked, who is not, and what the operator sees and does about it.

use vestibule::flow::house::{text, window_start};
use vestibule::storage::{throttle, users};

use crate::story::{PASSWORD, after_password, authorize, code_of, passcode_of_linus};
use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, On, World};

const LINUS: &str = "has a token already";

async fn lockout(world: &World, keys: &str) {
    world.apply(&format!("[[tenant]]\ncode = \"acme\"\n[tenant.lockout]\n{keys}\n")).await;
}

/// A login of linus to the end.
async fn linus_in(world: &World, visitor: &mut Visitor) {
    let seen = after_password(world, visitor, "linus", LINUS).await;
    let seen = visitor.press(&seen, "continue", &[("code", &passcode_of_linus(world))]).await;
    assert!(!code_of(&seen).0.is_empty(), "{}", seen.body);
}

/// somebody who locked the account in the own browser is let in again by the operator, too.
#[actix_web::test]
async fn an_operator_unlocks_every_browser() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut linus = Visitor::new(&world.url);
        linus_in(&world, &mut linus).await;
        linus.cookies.remove("vs-acme");
        let mut page = after_password(&world, &mut linus, "linus", "wrong").await;
        for _ in 0..3 {
            world.advance(31);
            page = linus.press(&page, "continue", &[("password", "wrong")]).await;
        }
        assert_eq!(world.events("account_locked").await, 1, "{on:?}");
        world.advance(30);
        let locked = linus.press(&page, "switch-user", &[]).await;
        let locked = linus.press(&locked, "continue", &[("username", "linus")]).await;
        let locked = if locked.has_action("continue") {
            linus.press(&locked, "continue", &[("password", LINUS)]).await
        } else {
            locked
        };
        assert_eq!(locked.title(), "Your account is locked", "{on:?}");
        world.command(&["user", "unlock", "linus"]);
        linus_in(&world, &mut linus).await;
        world.stop().await;
    }
}

/// whatever the settings say, a hundred wrong passwords in a row are all there are; each of them is one try,
/// and none of them makes the owner wait.
#[actix_web::test]
async fn a_hundred_wrong_passwords_are_the_most_there_are() {
    let world = World::new(On::Sqlite).await;
    lockout(&world, "count_passwords = false").await;
    let mut thief = Visitor::new(&world.url);
    let mut page = after_password(&world, &mut thief, "ada", "wrong").await;
    for number in 2..=100 {
        assert_eq!(page.complaint(), "The user name or password is not right.", "{number}");
        page = thief.press(&page, "continue", &[("password", "wrong")]).await;
    }
    assert_eq!(world.events("account_locked").await, 1);
    let seen = after_password_or_lock(&world, "ada", PASSWORD).await;
    assert_eq!(seen.title(), "Your account is locked");
    assert!(seen.body.contains("Only your help desk can unlock the account."), "{}", seen.body);
    let tries =
        "SELECT COUNT(*) AS n FROM audit_event WHERE action = 'password_rejected' AND detail NOT LIKE '%locked%'";
    assert_eq!(world.number(tries).await, 100, "what came after them was no try");
    world.command(&["user", "unlock", "ada"]);
    let seen = after_password(&world, &mut Visitor::new(&world.url), "ada", PASSWORD).await;
    assert_eq!(seen.title(), "Add an authenticator");
    world.stop().await;
}

/// The page after a password, or the lock that is told before it is asked for.
async fn after_password_or_lock(world: &World, name: &str, password: &str) -> Seen {
    let mut visitor = Visitor::new(&world.url);
    let seen = visitor.get(&authorize(world, "")).await;
    let seen = visitor.press(&seen, "continue", &[("username", name)]).await;
    if seen.title() == "Enter your password" {
        visitor.press(&seen, "continue", &[("password", password)]).await
    } else {
        seen
    }
}

/// R-333, T-17: while somebody guesses at the whole virtual server from many addresses, whoever was wrong once waits at once,
/// an address has fewer tries; whoever is right does not notice, nor does a known browser.
#[actix_web::test]
async fn an_attack_on_everybody_slows_down_guesses_and_nobody_else() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut known = Visitor::new(&world.url);
        linus_in(&world, &mut known).await;
        known.cookies.remove("vs-acme");
        let (tenant, house) = (world.tenant().await, &world.site.house);
        let start = window_start(world.clock_now(), 600);
        let parts: [&[u8]; 3] = [b"wrong secrets of all", &tenant.to_bytes(), &[3]];
        let subject = text(&house.derived.throttle.of(&parts));
        let many = async |connection: &mut _| {
            for _ in 0..3000 {
                throttle::hit(connection, tenant, &subject, start).await?;
            }
            Ok::<(), vestibule::storage::Error>(())
        };
        house.db.write(many).await.expect("counted");
        let mut guesser = Visitor::new(&world.url);
        let page = after_password(&world, &mut guesser, "ada", "wrong").await;
        assert_eq!(page.complaint(), "The user name or password is not right.", "{on:?}");
        let page = guesser.press(&page, "continue", &[("password", "wrong")]).await;
        assert_eq!(page.complaint(), "Wait 2 seconds before you try again.", "{on:?}");
        // Somebody who is right at once, in a browser that nobody knows.
        let seen = after_password(&world, &mut Visitor::new(&world.url), "linus", LINUS).await;
        assert_eq!(seen.title(), "Enter your passcode", "{on:?}");
        // A known browser has its own allowance.
        let page = after_password(&world, &mut known, "linus", "wrong").await;
        let page = known.press(&page, "continue", &[("password", "wrong")]).await;
        assert_eq!(page.complaint(), "The user name or password is not right.", "{on:?}");
        world.stop().await;
    }
}

/// the last changes of the lockout policy, with who made them, what was before and after.
#[actix_web::test]
async fn the_policy_shows_its_last_changes() {
    let world = World::new(On::Sqlite).await;
    for threshold in 1..=6 {
        world.advance(60);
        lockout(&world, &format!("threshold = {threshold}")).await;
    }
    world.apply("[[tenant]]\ncode = \"acme\"\nhelp_contact = \"desk@acme.test\"\n").await;
    let said = world.command(&["changes"]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 5, "{said}");
    assert!(lines[0].ends_with("\ttest\tthreshold: 5 -> 6") && lines[4].ends_with("threshold: 1 -> 2"), "{said}");
    let json: serde_json::Value =
        serde_json::from_str(&world.command(&["changes", "lockout", "--count", "1", "--json"])).expect("JSON");
    assert_eq!(json["changes"][0]["new"]["threshold"], 6, "{json}");
    world.stop().await;
}

/// INV-11, T-11: a hash that is made anew at a login never brings back a password that was replaced meanwhile.
#[actix_web::test]
async fn a_new_hash_replaces_only_the_one_it_was_made_from() {
    for on in BOTH {
        let world = World::new(on).await;
        let tenant = world.tenant().await;
        let user = world.text("SELECT id AS t FROM user_account WHERE username = 'ada'").await.parse().unwrap();
        let old = world.text(
            "SELECT hash AS t FROM password WHERE user_id = (SELECT id FROM user_account WHERE username = 'ada')",
        );
        let old = old.await;
        let db = &world.site.house.db;
        let replaced = async |hashes: (&str, &str)| {
            db.write(async |connection| users::rehash_password(connection, tenant, user, hashes).await).await.unwrap()
        };
        assert!(replaced((&old, "set meanwhile")).await, "{on:?}");
        assert!(!replaced((&old, "the old password again")).await, "{on:?}");
        let now = db.read(async |connection| users::password_hash(connection, tenant, user).await).await.unwrap();
        assert_eq!(now.as_deref(), Some("set meanwhile"), "{on:?}");
        world.stop().await;
    }
}
