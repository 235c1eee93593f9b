//! What people see in the portal of their own logins, and what they do about it: sessions elsewhere, "this was not me", their
//! language. On both databases.

use crate::portal_tokens::{enroll, portal};
use crate::story::passcode_of_linus;
use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, On, World};

const LIVING: &str = "SELECT COUNT(*) AS n FROM sso_session WHERE ended_at IS NULL";
const PASSWORD: &str = "has a token already";

async fn activity(world: &World, linus: &mut Visitor) -> Seen {
    linus.get(&format!("{}/portal/activity", world.base())).await
}

/// R-481, T-11: people see where they are logged in, and end what they do not want; whoever sits there has to log in again, or was
/// about to, and this browser goes on.
#[actix_web::test]
async fn sessions_elsewhere_are_seen_and_ended() {
    for on in BOTH {
        let world = World::new(on).await;
        let browser = || Visitor::new(&world.url);
        let (mut office, mut home, mut phone) = (browser(), browser(), browser());
        for browser in [&mut office, &mut home, &mut phone] {
            portal(&world, browser).await;
            world.advance(31);
        }
        let page = portal_home(&world, &mut phone).await;
        let page = phone.get(&page.link("activity")).await;
        assert_eq!(page.title(), "Your logins", "{on:?}: {}", page.body);
        assert_eq!(page.body.matches("data-action=\"end-session\"").count(), 2, "{on:?}: not the one of this browser");
        assert_eq!(page.body.matches("this browser").count(), 1, "{on:?}");
        assert!(page.body.contains("from 127.0.0.1, since 2027-01-15"), "{on:?}: {}", page.body);
        let seen = phone.press(&page, "end-session", &[]).await;
        assert!(seen.body.contains("you are logged out there"), "{on:?}: {}", seen.body);
        // The one that was used last stands first.
        assert!(activity(&world, &mut home).await.title().starts_with("Log in"), "{on:?}");
        assert_eq!(activity(&world, &mut office).await.title(), "Your logins", "{on:?}");
        // Somebody has given the password and is asked for the passcode.
        world.advance(31);
        let mut under_way = Visitor::new(&world.url);
        let waiting = under_way.get(&format!("{}/", world.base())).await;
        let waiting = under_way.press(&waiting, "continue", &[("username", "linus")]).await;
        let waiting = under_way.press(&waiting, "continue", &[("password", PASSWORD)]).await;
        assert_eq!(waiting.title(), "Enter your passcode", "{on:?}");
        let seen = phone.press(&seen, "end-others", &[]).await;
        under_way.press(&waiting, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert!(!seen.has_action("end-others") && !seen.has_action("end-session"), "{on:?}: {}", seen.body);
        assert!(activity(&world, &mut office).await.title().starts_with("Log in"), "{on:?}");
        assert_eq!(activity(&world, &mut phone).await.title(), "Your logins", "{on:?}: this one goes on");
        assert_eq!((world.number(LIVING).await, world.events("session_ended").await), (1, 2), "{on:?}");
        world.stop().await;
    }
}

/// three months of one's own accesses, page by page, and nobody else's.
#[actix_web::test]
async fn people_see_their_own_history() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut linus = Visitor::new(&world.url);
        for _ in 0..27 {
            linus = Visitor::new(&world.url);
            portal(&world, &mut linus).await;
            world.advance(31);
        }
        let page = activity(&world, &mut linus).await;
        assert_eq!(page.body.matches("data-action=\"dispute\"").count(), 25, "{on:?}");
        assert!(page.body.contains("UTC · 127.0.0.1"), "{on:?}");
        let older = linus.get(&page.link("older")).await;
        assert_eq!(older.body.matches("data-action=\"dispute\"").count(), 2, "{on:?}");
        assert!(!older.has_action("older"), "{on:?}");
        // An address that names no place begins at the beginning.
        let odd = linus.get(&format!("{}/portal/activity?after=x", world.base())).await;
        assert_eq!((odd.status, odd.body.matches("data-action=\"dispute\"").count()), (200, 25), "{on:?}");
        let ada = world.text("SELECT id AS t FROM user_account WHERE username = 'ada'").await;
        world.execute("UPDATE access_log SET user_id = ?", &ada).await;
        // Looking is the first access that is left.
        let page = activity(&world, &mut linus).await;
        assert_eq!(page.body.matches("data-action=\"dispute\"").count(), 1, "{on:?}: of others nothing");
        world
            .execute("UPDATE access_log SET user_id = (SELECT id FROM user_account WHERE username = ?)", "linus")
            .await;
        world.advance(91 * 86_400);
        portal(&world, &mut linus).await;
        assert_eq!(activity(&world, &mut linus).await.body.matches("data-action=\"dispute\"").count(), 1, "{on:?}");
        world.stop().await;
    }
}

/// whoever says that it was not them is asked whether it is meant; then everybody is logged out, and operators hear of it,
/// once, with everything that they need.
#[actix_web::test]
async fn what_was_not_the_person_ends_sessions_and_alerts_operators() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.alerts]\nrecipients = [\"soc@acme.test\"]\n").await;
        let (mut linus, mut thief) = (Visitor::new(&world.url), Visitor::new(&world.url));
        portal(&world, &mut thief).await;
        world.advance(31);
        portal(&world, &mut linus).await;
        let page = activity(&world, &mut linus).await;
        let question = linus.get(&page.link("dispute")).await;
        assert_eq!(question.title(), "Was this not you?", "{on:?}: {}", question.body);
        assert_eq!((world.number(LIVING).await, world.events("access_disputed").await), (2, 0), "{on:?}: only asked");
        // T-18: nobody else's page does it.
        let (address, fields) = question.form("yes-dispute");
        assert_eq!(linus.post(&address, &[("csrf".to_owned(), "AAAA".to_owned())]).await.status, 403, "{on:?}");
        // What is somebody else's, or not there, is not to be found.
        let ada = world.text("SELECT id AS t FROM user_account WHERE username = 'ada'").await;
        world.execute("UPDATE access_log SET user_id = ?", &ada).await;
        assert_eq!(linus.get(&address).await.status, 404, "{on:?}");
        assert_eq!(linus.post(&address, &fields).await.status, 404, "{on:?}");
        world
            .execute("UPDATE access_log SET user_id = (SELECT id FROM user_account WHERE username = ?)", "linus")
            .await;
        assert_eq!((world.number(LIVING).await, world.events("access_disputed").await), (2, 0), "{on:?}");
        let seen = linus.press(&question, "yes-dispute", &[]).await;
        assert!(seen.body.contains("your organization has been told"), "{on:?}: {}", seen.body);
        assert_eq!((world.number(LIVING).await, world.events("access_disputed").await), (0, 1), "{on:?}");
        for browser in [&mut linus, &mut thief] {
            assert!(activity(&world, browser).await.title().starts_with("Log in"), "{on:?}");
        }
        let mail = world.mail("soc@acme.test", 1).await;
        assert!(mail.subject().starts_with("A user says that a login was not theirs"), "{on:?}: {}", mail.subject());
        for fact in ["linus", "127.0.0.1", "UTC"] {
            assert!(mail.text().contains(fact), "{on:?} {fact}: {}", mail.text());
        }
        assert_eq!(
            world.text("SELECT state AS t FROM token").await,
            "active",
            "{on:?}: a login stops no authenticator"
        );
        world.stop().await;
    }
}

/// an authenticator that somebody else has added stops, and the person's own one goes on.
#[actix_web::test]
async fn an_authenticator_that_was_not_the_person_stops() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut linus = Visitor::new(&world.url);
        let home = portal(&world, &mut linus).await;
        assert!(!activity(&world, &mut linus).await.has_action("dispute-enrollment"), "{on:?}: imported");
        world.advance(30);
        let seen = linus.press(&home, "add", &[]).await;
        let seen = linus.press(&seen, "continue", &[("password", PASSWORD)]).await;
        let page = linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
        enroll(&world, &mut linus, &page).await;
        let page = activity(&world, &mut linus).await;
        let question = linus.get(&page.link("dispute-enrollment")).await;
        assert!(question.body.contains("The authenticator stops working"), "{on:?}: {}", question.body);
        let seen = linus.press(&question, "yes-dispute", &[]).await;
        assert!(seen.body.contains("your organization has been told"), "{on:?}: {}", seen.body);
        let states = "SELECT state AS it FROM token ORDER BY enrolled_at";
        assert_eq!(world.column(states).await, ["active", "suspended"], "{on:?}");
        assert_eq!(world.number(LIVING).await, 0, "{on:?}");
        assert_eq!(world.events("access_disputed").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// the language that somebody stores is the language of every browser that has not chosen another.
#[actix_web::test]
async fn people_store_their_language() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut linus = Visitor::new(&world.url);
        let home = portal(&world, &mut linus).await;
        let seen = linus.press(&home, "speak", &[("preferred", "nl")]).await;
        assert!(seen.body.contains("<html lang=\"nl\""), "{on:?}: {}", seen.body);
        let stored = "SELECT language AS t FROM user_account WHERE username = 'linus'";
        assert_eq!(world.text(stored).await, "nl", "{on:?}");
        linus.press(&seen, "speak", &[("preferred", "nl")]).await;
        let stores = "SELECT COUNT(*) AS n FROM audit_event WHERE action = 'user_changed' AND actor_kind = 'user'";
        assert_eq!(world.number(stores).await, 1, "{on:?}: the same again is no change");
        let seen = linus.press(&seen, "speak", &[("preferred", "xx")]).await;
        assert!((400..500).contains(&seen.status), "{on:?}: {}", seen.status);
        assert_eq!(world.text(stored).await, "nl", "{on:?}");
        world.advance(31);
        let mut fresh = Visitor::new(&world.url);
        portal_in(&world, &mut fresh, "Uw authenticators").await;
        world.stop().await;
    }
}

async fn portal_in(world: &World, linus: &mut Visitor, words: &str) {
    let seen = linus.get(&format!("{}/", world.base())).await;
    let seen = linus.press(&seen, "continue", &[("username", "linus")]).await;
    let seen = linus.press(&seen, "continue", &[("password", PASSWORD)]).await;
    let seen = linus.press(&seen, "continue", &[("code", &passcode_of_linus(world))]).await;
    assert!(seen.body.contains(words), "{}", seen.body);
}

async fn portal_home(world: &World, linus: &mut Visitor) -> Seen {
    linus.get(&format!("{}/", world.base())).await
}

/// T-18: no form of these pages is taken without its proof.
#[actix_web::test]
async fn forms_about_sessions_are_ours() {
    let world = World::new(On::Sqlite).await;
    let (mut linus, mut other) = (Visitor::new(&world.url), Visitor::new(&world.url));
    portal(&world, &mut other).await;
    world.advance(31);
    let home = portal(&world, &mut linus).await;
    let page = activity(&world, &mut linus).await;
    for (seen, action) in [(&page, "end-session"), (&page, "end-others"), (&home, "speak")] {
        let (address, _) = seen.form(action);
        let forged = linus.post(&address, &[("csrf".to_owned(), "AAAA".to_owned())]).await;
        assert_eq!(forged.status, 403, "{action}");
    }
    assert_eq!(world.number(LIVING).await, 2);
    world.stop().await;
}
