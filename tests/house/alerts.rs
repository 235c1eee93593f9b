//! Alerts to operators.

use crate::story::{after_password, passcode_of_linus};
use crate::visitor::Visitor;
use crate::world::{BOTH, World};

const LINUS: &str = "has a token already";
const ALERTS: &str =
    "[[tenant]]\ncode = \"acme\"\n[tenant.alerts]\nrecipients = [\"soc@acme.test\", \"boss@acme.test\"]\n";

/// Tries to log linus in with this passcode, in a browser of its own.
pub async fn attempt(world: &World, code: &str) -> crate::visitor::Seen {
    let mut visitor = Visitor::new(&world.url);
    let page = after_password(world, &mut visitor, "linus", LINUS).await;
    visitor.press(&page, "continue", &[("code", code)]).await
}

/// the operators hear of a passcode that is tried again, with everything that they need, in one mail however
/// often it is tried; a wrong one is nothing to hear of.
#[actix_web::test]
async fn operators_hear_of_a_passcode_that_is_tried_again() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(ALERTS).await;
        let code = passcode_of_linus(&world);
        attempt(&world, &code).await;
        attempt(&world, if code == "000000" { "000001" } else { "000000" }).await;
        assert_eq!(world.events("alert_raised").await, 0, "{on:?}: a wrong passcode is everyday business");
        for _ in 0..2 {
            world.advance(1);
            let seen = attempt(&world, &code).await;
            assert!(seen.complaint().contains("was not accepted"), "{on:?} R-301: {}", seen.body);
        }
        let serial = world.text("SELECT serial AS t FROM token").await;
        for recipient in ["soc@acme.test", "boss@acme.test"] {
            let mail = world.mail(recipient, 1).await;
            assert!(mail.subject().starts_with("A passcode was tried a second time"), "{}", mail.subject());
            let text = mail.text();
            for fact in [serial.as_str(), "linus", "Notes", "127.0.0.1", "UTC"] {
                assert!(text.contains(fact), "{on:?} {fact}: {text}");
            }
            assert!(!text.contains(&code), "R-563: {text}");
        }
        // Both are written down; one mail tells of them.
        let listed = world.command(&["alert", "list", "--tenant", "acme", "--json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let told: Vec<_> = (0..2).map(|n| listed[n]["told"].as_str().unwrap()).collect();
        assert_eq!(told, ["withheld", "mailed"], "{on:?} {listed}");
        assert_eq!((&listed[1]["kind"], &listed[1]["serial"]), (&"passcode_reuse".into(), &serial.clone().into()));
        assert!(world.command(&["alert", "list"]).contains("\tpasscode_reuse\tlinus\t"), "{on:?}");
        assert_eq!(world.mail.to("soc@acme.test").len(), 1, "{on:?}");
        world.stop().await;
    }
}

/// who is told of what is for the virtual server to say, and a mistake in it is named.
#[actix_web::test]
async fn nobody_is_told_who_did_not_ask() {
    let world = World::new(crate::world::On::Sqlite).await;
    for (wrong, words) in [
        ("recipients = [\"soc\"]", "is not a mail address"),
        ("kinds = [\"passcode_reuse\", \"rain\"]", "unknown variant `rain`"),
        ("recipient = []", "unknown field `recipient`"),
    ] {
        let file = format!("[[tenant]]\ncode = \"acme\"\n[tenant.alerts]\n{wrong}\n");
        let fault = world.try_apply(&file).await.unwrap_err();
        assert!(fault.contains(words), "{fault}");
    }
    world.apply(&format!("{ALERTS}kinds = [\"account_lockout\"]\n")).await;
    let code = passcode_of_linus(&world);
    attempt(&world, &code).await;
    for _ in 0..4 {
        attempt(&world, &code).await;
        world.advance(5);
    }
    let mail = world.mail("soc@acme.test", 1).await;
    assert!(mail.subject().starts_with("An account is locked"), "{}", mail.subject());
    let kinds = world.column("SELECT kind || ' ' || told AS it FROM alert ORDER BY at, kind").await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "passcode_reuse nobody").count(), 4, "{kinds:?}");
    assert!(kinds.contains(&"account_lockout mailed".to_owned()), "{kinds:?}");
    world.stop().await;
}
