//! What operators change is written down with what was there before, without secrets.

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::domain::operator::Role;
use vestibule::flow::administration::jobs;
use vestibule::flow::administration::roster::{self, Existing, Storing, Wanted};

use crate::console::{call, key, staffed};
use crate::world::{ACME, BOTH, World};

/// The detail of the newest event of one kind.
async fn detail(world: &World, question: &'static str) -> Value {
    serde_json::from_str(&world.column(question).await[0]).unwrap()
}

/// each change is recorded with old and new values, and no secret is among them.
#[actix_web::test]
async fn changes_are_recorded_with_old_and_new_values() {
    for on in BOTH {
        let world = World::new(on).await;
        world.advance(60);
        let file = ACME
            .replace("target_users = \"members_of\"", "target_users = \"all\"")
            .replace("http://127.0.0.1:9000/callback", "http://127.0.0.1:9000/other")
            .replace("\"a secret of notes\"", "\"another secret of notes\"")
            .replace("require = [\"password\", \"otp\"]", "require = [\"otp\"]");
        world.apply(&file).await;

        let changed = "SELECT detail AS it FROM audit_event WHERE action = 'application_changed' ORDER BY at DESC";
        let notes = detail(&world, changed).await;
        let uri = |side: &str| notes[side]["protocol"]["oidc"]["redirect_uris"][0].to_string();
        assert!(uri("old").contains("/callback") && uri("new").contains("/other"), "{on:?}: {notes}");
        assert_eq!(notes["secret_changed"], true, "{on:?}: {notes}");

        let policies = "SELECT detail AS it FROM audit_event WHERE action = 'policy_changed' ORDER BY at DESC";
        let policies = detail(&world, policies).await;
        let asks = |side: &str| policies[side]["global"]["verdict"]["grant"].as_array().unwrap().len();
        assert_eq!((asks("old"), asks("new")), (2, 1), "{on:?}: {policies}");

        let settings = "SELECT detail AS it FROM audit_event WHERE action = 'tenant_changed' ORDER BY at DESC";
        let settings = detail(&world, settings).await;
        assert_ne!(settings["old"]["self_provisioning"], settings["new"]["self_provisioning"], "{on:?}: {settings}");
        assert_eq!(settings["old"]["name"], "Acme Corporation", "{on:?}");

        // neither the secret nor what it is compared with stands anywhere in the trail.
        let application = world.text("SELECT protocol AS t FROM application WHERE name = 'Notes'").await;
        let application: Value = serde_json::from_str(&application).unwrap();
        let digest = application["oidc"]["secrets"][0]["digest"].to_string();
        assert!(digest.len() > 20, "{on:?}: {application}");
        for text in world.column("SELECT detail AS it FROM audit_event").await {
            assert!(!text.contains("secret of notes") && !text.contains(&digest), "{on:?}: {text}");
        }
        world.stop().await;
    }
}

/// the event of an account that comes from a table tells its groups, and that it has a password.
#[actix_web::test]
async fn an_imported_account_tells_its_groups_and_that_it_has_a_password() {
    for on in BOTH {
        let world = World::new(on).await;
        let realm = world.site.house.realm(&"acme".parse().unwrap()).await.unwrap().unwrap();
        let group = realm.config.groups[0].id;
        let (hash, groups) = (Some("a hash".to_owned()), Some(vec![group]));
        let newton = Wanted { username: "newton".to_owned(), groups, hash, ..Wanted::default() };
        let wanted = [newton, Wanted { username: "leibniz".to_owned(), ..Wanted::default() }];
        let desk = world.desk("operator");
        let made = world.site.house.db.write(async |connection| {
            let how = (Existing::Keep, Storing::Really);
            roster::import(&desk, connection, &realm.config, &wanted, how).await
        });
        made.await.unwrap();
        let of = "SELECT detail AS it FROM audit_event WHERE action = 'user_created' AND detail LIKE '%newton%'";
        let told = json!({ "username": "newton", "by": "import", "groups": [group.to_string()], "password": true });
        assert_eq!(detail(&world, of).await, told, "{on:?}");
        let of = "SELECT detail AS it FROM audit_event WHERE action = 'user_created' AND detail LIKE '%leibniz%'";
        assert_eq!(detail(&world, of).await, json!({ "username": "leibniz", "by": "import" }), "{on:?}");
        world.stop().await;
    }
}

/// what an operator or a program does has the address it came from: settings, the life of a token and rows of a job; what
/// the shell and the service do has none. The list and the file show it.
#[actix_web::test]
async fn deeds_of_operators_have_an_address() {
    const HERE: &str = "127.0.0.1";
    for on in BOTH {
        let world = staffed(on).await;
        let key = key(&world, Role::Operator).await;
        let serials = "SELECT serial AS it FROM token JOIN user_account ON user_account.id = token.user_id \
             WHERE username = 'audra'";
        let serial = world.column(serials).await.remove(0);
        let tenant = world.tenant().await;
        let found = async |connection: &mut _| vestibule::storage::users::named(connection, tenant, "linus").await;
        let linus = world.site.house.db.read(found).await.unwrap().unwrap().id;
        let post = async |path: &str, body: Value| {
            let (status, said) = call(&world, &key, Method::POST, path, Some(body)).await;
            assert!(status < 300, "{on:?}: {path}: {status} {said}");
            said
        };
        post("groups", json!({ "name": "Navy" })).await;
        post(&format!("tokens/{serial}/suspend"), json!({ "reason": "lost?" })).await;
        post("user-jobs/disable", json!({ "users": [linus] })).await;
        while jobs::round(&world.site.house).await.unwrap() > 0 {}

        let without = "SELECT action AS it FROM audit_event WHERE actor_kind IN ('operator', 'api_key') \
             AND address <> '127.0.0.1'";
        assert_eq!(world.column(without).await, [""; 0], "{on:?}");
        for action in ["api_key_created", "group_created", "token_suspended", "job_started", "user_changed"] {
            let (status, page) = call(&world, &key, Method::GET, &format!("audit-log?action={action}"), None).await;
            assert_eq!((status, &page["items"][0]["address"]), (200, &json!(HERE)), "{on:?}: {action}: {page}");
        }
        let (_, file) = call(&world, &key, Method::GET, "audit-log/export/csv?action=token_suspended", None).await;
        assert!(file.as_str().unwrap().contains(HERE), "{on:?}: {file}");
        let others = "SELECT action AS it FROM audit_event WHERE actor_kind IN ('shell', 'system') AND address <> ''";
        assert_eq!(world.column(others).await, [""; 0], "{on:?}");
        world.stop().await;
    }
}

/// every reason of the access log, and every action of the authentication log with what it means, stands in the published
/// list.
#[test]
fn reasons_are_published() {
    use vestibule::domain::audit::authentication;
    use vestibule::domain::login::outcome::{Ending, Refusal, Unanswered};
    let paper = include_str!("../../docs/audit.md");
    let endings =
        [Ending::Cancelled, Ending::TooManyCodes, Ending::AccountChanged, Ending::Enrolled].map(Ending::reason);
    let unanswered = Unanswered::ALL.map(Unanswered::reason);
    let refusals = Refusal::all().map(Refusal::reason);
    let reasons: Vec<&str> = endings.into_iter().chain(refusals).chain(unanswered).chain(["granted"]).collect();
    assert!(reasons.len() > 20, "{reasons:?}");
    for reason in reasons {
        assert!(paper.contains(&format!("\n| `{reason}` | ")), "docs/audit.md does not tell what {reason} means");
    }
    for (action, outcome, credential, message) in authentication::ALL {
        let line = format!("| `{}` | {} | {} | {message} |", action.text(), outcome.id(), credential.id());
        assert!(paper.contains(&line), "docs/audit.md lacks: {line}");
    }
}
