//! What a person would meet at a login, told beforehand, and held against the login itself (R-452).

use vestibule::domain::policy::access::Method;
use vestibule::domain::policy::draft::{PolicyDraft, Required};
use vestibule::domain::tenant::TenantConfig;
use vestibule::flow::administration::configuration::{self, Despite, Unsaved};
use vestibule::flow::administration::policies;
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

/// R-452: whatever the settings, what is told is what the login's page then shows, with the reason in words of the settings
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

const CASES: &str = r#"
[[tenant]]
code = "acme"
[[tenant.test_case]]
name = "Ada enrolls"
user = "ada"
application = "Notes"
require = ["password", "otp"]
enrollment = true
[[tenant.test_case]]
name = "Barbara does not"
user = "barbara"
application = "Notes"
require = ["otp", "password"]
enrollment = false
"#;

/// An apply file in a folder, given to a command.
fn applied(world: &World, name: &str, text: &str, more: &[&str]) -> (bool, String) {
    let path = world.folder().join(name);
    std::fs::write(&path, text).unwrap();
    let path = path.display().to_string();
    world.tried_with(&[&["apply", &path], more].concat(), "")
}

/// R-452: cases stand in the apply file; what would break one is shown by a dry run, is refused otherwise, and is done only
/// when it is said that it is meant. Nothing of what was refused, or only shown, is there.
#[actix_web::test]
async fn cases_are_looked_at_before_a_file_is_applied() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(CASES).await;
        let everybody = "[[tenant]]\ncode = \"acme\"\n[tenant.self_provisioning]\ntarget_users = \"all\"\n";
        let (good, said) = applied(&world, "all.toml", everybody, &["--dry-run"]);
        let broken = "test case \"Barbara does not\" does not hold: enrollment is offered, expected not offered";
        assert!(good && said.contains(broken) && !said.contains("Ada"), "{on:?}: {said}");
        let (good, said) = applied(&world, "all.toml", everybody, &[]);
        assert!(!good && said.contains(broken) && said.contains("--anyway"), "{on:?}: {said}");
        assert_eq!(told(&world, "barbara", "127.0.0.1").await.enrollment.reason, "not_targeted", "{on:?}");
        let (good, said) = applied(&world, "all.toml", everybody, &["--anyway"]);
        assert!(good && said.contains(broken), "{on:?}: {said}");
        assert!(told(&world, "barbara", "127.0.0.1").await.enrollment.offered, "{on:?}");
        // What did not hold before is said, and does not stop anything.
        let name = "[[tenant]]\ncode = \"acme\"\nname = \"Acme Inc.\"\n";
        let (good, said) = applied(&world, "name.toml", name, &[]);
        assert!(good && said.contains("does not hold, as before"), "{on:?}: {said}");
        // People count, too, and a case may be of somebody whom the same file makes.
        let moved = "[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"ada\"\nenabled = false\n\
                     [[tenant.user]]\nusername = \"dora\"\npassword = \"a new one of dora\"\nemail = \"dora@acme.test\"\n\
                     [[tenant.test_case]]\nname = \"Dora\"\nuser = \"dora\"\napplication = \"Wiki\"\n\
                     address = \"2001:db8::7\"\nrequire = [\"password\", \"otp\"]\nenrollment = true\n";
        let (good, said) = applied(&world, "moved.toml", moved, &[]);
        assert!(
            !good && said.contains("\"Ada enrolls\" does not hold") && !said.contains("\"Dora\""),
            "{on:?}: {said}"
        );
        let (good, said) = applied(&world, "moved.toml", &moved.replace("enabled = false\n", ""), &[]);
        assert!(good, "{on:?}: {said}");
        // What is exported is applied again without a change, cases too.
        let export = world.command(&["export"]);
        assert!(export.contains("[[tenant.test_case]]") && export.contains("2001:db8::7"), "{on:?}: {export}");
        let (good, said) = applied(&world, "export.toml", &export, &["--prune"]);
        assert!(good && said.contains("nothing to change"), "{on:?}: {said}");
        let (good, said) = applied(&world, "wrong.toml", &CASES.replace("\"barbara\"", "\"eve\""), &[]);
        assert!(!good && said.contains("test_case.user: there is no user \"eve\""), "{on:?}: {said}");
        world.stop().await;
    }
}

fn draft(name: &str, require: &[Method]) -> PolicyDraft {
    let require = require.iter().copied().map(Required::Plain).collect();
    PolicyDraft { name: Some(name.to_owned()), require, ..PolicyDraft::default() }
}

/// R-040, R-442, R-443, R-450, R-452, R-455: one policy is changed at a time, what is wrong is told by field, nobody
/// overwrites anybody, a broken case is a question, and everything leaves an event with old and new.
#[actix_web::test]
async fn policies_are_changed_one_at_a_time() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(CASES).await;
        let (desk, code) = (world.desk("olga"), "acme".parse().unwrap());
        let (both, only) = ([Method::Password, Method::Otp], [Method::Password]);
        let config = || async { configuration::current(&desk, &code).await.unwrap() };

        let wrong = policies::create(&desk, &code, &draft(" ", &[]), Despite::Nothing).await;
        let Err(Unsaved::Wrong(faults)) = wrong else { panic!("{on:?}: {wrong:?}") };
        let keys: Vec<&str> = faults.iter().map(|fault| fault.key.as_str()).collect();
        assert_eq!(keys, ["name", "require"], "{on:?}");
        // A policy that asks less of everybody breaks the cases; one for the Wiki does not.
        let loose = policies::create(&desk, &code, &draft("Loose", &only), Despite::Nothing).await;
        let Err(Unsaved::Breaks(broken)) = loose else { panic!("{on:?}: {loose:?}") };
        assert_eq!(broken.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["Ada enrolls", "Barbara does not"]);
        assert!(config().await.policies.exceptions.is_empty(), "{on:?}: nothing was stored");
        let wiki = PolicyDraft { applications: vec!["wiki".to_owned()], ..draft("Wiki", &only) };
        let wiki = policies::create(&desk, &code, &wiki, Despite::Nothing).await.unwrap();
        let strict = policies::create(&desk, &code, &draft("Strict", &both), Despite::Nothing).await.unwrap();
        let taken = policies::create(&desk, &code, &draft("strict", &both), Despite::Nothing).await;
        assert!(matches!(taken, Err(Unsaved::Wrong(_))), "{on:?}: {taken:?}");

        // Two people read the same; the second one is told. Another policy is not in the way.
        let read = policies::mark(&wiki);
        let new = PolicyDraft { groups: vec!["pilot".to_owned()], ..draft("Wiki", &both) };
        policies::change(&desk, &code, (wiki.id, read), &new, Despite::Nothing).await.unwrap();
        let second = policies::change(&desk, &code, (wiki.id, read), &new, Despite::Nothing).await;
        assert!(matches!(second, Err(Unsaved::ChangedMeanwhile)), "{on:?}: {second:?}");
        let read = policies::mark(&strict);
        policies::change(&desk, &code, (strict.id, read), &draft("Stricter", &both), Despite::Nothing).await.unwrap();
        let order = policies::order_mark(&config().await.policies);
        policies::rank(&desk, &code, (strict.id, order), policies::Move::Up, Despite::Nothing).await.unwrap();
        let second = policies::rank(&desk, &code, (wiki.id, order), policies::Move::Up, Despite::Nothing).await;
        assert!(matches!(second, Err(Unsaved::ChangedMeanwhile)), "{on:?}: {second:?}");
        let names = |config: &TenantConfig| -> Vec<String> {
            config.policies.exceptions.iter().map(|policy| policy.name.clone()).collect()
        };
        assert_eq!(names(&config().await), ["Stricter", "Wiki"], "{on:?}");

        // The global one concerns everybody and stays.
        let global = config().await.policies.global;
        let mark = policies::mark(&global);
        let never = policies::remove(&desk, &code, (global.id, mark), Despite::BrokenCases).await;
        assert!(matches!(never, Err(Unsaved::Never(_))), "{on:?}: {never:?}");
        let scoped = PolicyDraft { name: None, groups: vec!["pilot".to_owned()], ..draft("", &both) };
        let wrong = policies::change(&desk, &code, (global.id, mark), &scoped, Despite::Nothing).await;
        assert!(matches!(wrong, Err(Unsaved::Wrong(_))), "{on:?}: {wrong:?}");
        let loose = PolicyDraft { name: None, ..draft("", &only) };
        policies::change(&desk, &code, (global.id, mark), &loose, Despite::Nothing).await.unwrap();
        // Now the first policy is what the cases rest on.
        let stricter = config().await.policies.exceptions[0].clone();
        let target = (stricter.id, policies::mark(&stricter));
        let broken = policies::remove(&desk, &code, target, Despite::Nothing).await;
        assert!(matches!(broken, Err(Unsaved::Breaks(_))), "{on:?}: {broken:?}");
        policies::remove(&desk, &code, target, Despite::BrokenCases).await.unwrap();
        let gone = policies::remove(&desk, &code, target, Despite::BrokenCases).await;
        assert!(matches!(gone, Err(Unsaved::Gone)), "{on:?}: {gone:?}");

        // One of the changes is the file's that made the virtual server.
        for (action, times) in [("policy_created", 2), ("policy_changed", 5), ("policy_removed", 1)] {
            assert_eq!(world.events(action).await, times, "{on:?}: {action}");
        }
        let detail = world.text("SELECT detail AS t FROM audit_event WHERE action = 'policy_removed'").await;
        let detail: serde_json::Value = serde_json::from_str(&detail).unwrap();
        assert_eq!(detail["old"]["name"], "Stricter", "{on:?}: {detail}");
        assert_eq!((&detail["old"]["require"][1], &detail["new"]), (&"otp".into(), &serde_json::Value::Null), "{on:?}");
        world.stop().await;
    }
}
