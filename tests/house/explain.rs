//! What a person would meet at a login, told beforehand, and held against the login itself.

use vestibule::flow::explain::{Asked, Explanation, Person, explain};
use vestibule::storage::{Connection, tenants};

use crate::gates::set;
use crate::story::{PASSWORD, after_password};
use crate::visitor::Visitor;
use crate::world::{BOTH, World};

/// What is told of a login of `user` at Notes from `address`, at the time of the world's clock.
async fn told(world: &World, user: &str, address: &str) -> Explanation {
    let house = &world.site.house;
    let question = async |connection: &mut Connection| {
        let config = tenants::config(connection, &"acme".parse().unwrap()).await?.unwrap();
        let application = config.applications.iter().find(|it| it.name == "Notes").unwrap();
        let person = Person::named(house, connection, &config, user).await?.unwrap();
        let asked = Asked { config: &config, application, address: address.parse().unwrap(), at: world.clock_now() };
        explain(connection, asked, &person).await
    };
    house.db.read(question).await.unwrap()
}

/// The title of the page that comes after the password.
async fn met(world: &World, name: &str, password: &str) -> String {
    let mut visitor = Visitor::new(&world.url);
    after_password(world, &mut visitor, name, password).await.title()
}

fn says(lines: &[String], words: &str) -> bool {
    lines.iter().any(|line| line.contains(words))
}

/// whatever the settings, what is told is what the login's page then shows, with the reason in words of the settings
/// and what would change it; and telling it writes nothing.
#[actix_web::test]
async fn what_is_told_is_what_is_met() {
    for on in BOTH {
        let world = World::new(on).await;
        let events = world.number("SELECT COUNT(*) AS n FROM audit_event").await;
        let here = "127.0.0.1";
        let ada = told(&world, "ada", here).await;
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM audit_event").await, events, "{on:?}: nothing is written");
        assert_eq!(met(&world, "ada", PASSWORD).await, "Add an authenticator", "{on:?}");
        assert!(ada.enrollment.offered && ada.advice.is_empty(), "{on:?}: {ada:?}");
        assert!(says(&ada.enrollment.because, "target_users is members_of; ada is in pilot"), "{on:?}: {ada:?}");
        assert!(says(&ada.steps, "adding one is offered"), "{on:?}: {ada:?}");
        let methods: Vec<&str> = ada.methods.iter().map(|needed| needed.method.as_str()).collect();
        assert_eq!((ada.decision.as_str(), ada.policy.as_str()), ("grant", "Global policy"), "{on:?}");
        assert_eq!(methods, ["password", "otp"], "{on:?}");

        let barbara = told(&world, "barbara", here).await;
        assert_eq!(met(&world, "barbara", "not in the rollout").await, "You need an authenticator", "{on:?}");
        assert_eq!((barbara.enrollment.offered, barbara.enrollment.reason.as_str()), (false, "not_targeted"), "{on:?}");
        let because = &barbara.enrollment.because;
        assert!(says(because, "target_users is members_of; barbara is in none of the groups pilot"), "{because:?}");
        assert_eq!(barbara.advice, ["add barbara to the group pilot"], "{on:?}");

        let linus = told(&world, "linus", here).await;
        assert_eq!(met(&world, "linus", "has a token already").await, "Enter your passcode", "{on:?}");
        assert_eq!(
            (linus.enrollment.offered, linus.enrollment.reason.as_str()),
            (false, "has_authenticator"),
            "{on:?}"
        );
        assert!(linus.enrollment.offered_without_authenticator, "{on:?}");
        assert_eq!(linus.authenticators[0].state, "active", "{on:?}");

        // A gate, a policy with conditions, a scenario.
        set(&world, "enrollment_networks = [\"192.0.2.0/24\"]").await;
        let ada = told(&world, "ada", here).await;
        assert_eq!(met(&world, "ada", PASSWORD).await, "You need an authenticator", "{on:?}");
        assert_eq!(ada.enrollment.reason, "unknown_network", "{on:?}");
        assert!(says(&ada.advice, "add a network with 127.0.0.1 to enrollment_networks"), "{on:?}: {ada:?}");
        assert!(told(&world, "ada", "192.0.2.9").await.enrollment.offered, "{on:?}");
        let policies = "[[tenant]]\ncode = \"acme\"\n[[tenant.access_policy]]\nname = \"Pilot\"\ngroups = [\"pilot\"]\n\
                        require = [\"password\", \"otp\"]\n[[tenant.access_policy.scenario]]\nname = \"From here\"\n\
                        inside_networks = [\"127.0.0.0/8\"]\ndecision = \"deny\"\n";
        world.apply(policies).await;
        let ada = told(&world, "ada", here).await;
        assert_eq!(met(&world, "ada", PASSWORD).await, "No access", "{on:?}");
        assert_eq!((ada.policy.as_str(), ada.scenario.as_deref()), ("Pilot", Some("From here")), "{on:?}");
        assert_eq!((ada.decision.as_str(), ada.enrollment.reason.as_str()), ("deny", "denied"), "{on:?}");
        let [pilot] = ada.policies.as_slice() else { panic!("{on:?}: {ada:?}") };
        assert!(pilot.applies && pilot.conditions[0].holds && pilot.scenarios[0].applies, "{on:?}: {pilot:?}");
        assert_eq!(pilot.scenarios[0].conditions[0].asks, "127.0.0.1 is in one of 127.0.0.0/8", "{on:?}");
        let barbara = told(&world, "barbara", here).await;
        let [pilot, global] = barbara.policies.as_slice() else { panic!("{on:?}: {barbara:?}") };
        assert!(!pilot.applies && !pilot.conditions[0].holds && global.applies, "{on:?}: {barbara:?}");

        // Told at the shell, by a program of its own.
        let said = world.command(&["explain", "--user", "Barbara", "--application", "notes", "--address", "192.0.2.9"]);
        for line in ["policy \"Pilot\" does not apply", "no  barbara is in one of the groups pilot", "decision: grant"]
        {
            assert!(said.contains(line), "{on:?}: {line}: {said}");
        }
        let json = world.command(&["explain", "--user", "ada", "--application", "Wiki", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["decision"], &json["scenario"]), (&"deny".into(), &"From here".into()), "{on:?}");
        for (user, application, words) in
            [("eve", "Notes", "no user"), ("ada", "Nots", "there are: Notes, Portal, Wiki")]
        {
            let refused = world.refused(&["explain", "--user", user, "--application", application]);
            assert!(refused.contains(words), "{on:?}: {refused}");
        }
        world.execute("UPDATE user_account SET status = 'disabled' WHERE username = ?", "barbara").await;
        let barbara = told(&world, "barbara", here).await;
        assert_eq!((barbara.account.state.as_str(), barbara.enrollment.reason.as_str()), ("disabled", "disabled"));
        assert!(says(&barbara.advice, "enable the account of barbara"), "{on:?}: {barbara:?}");
        world.stop().await;
    }
}
