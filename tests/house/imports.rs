//! Files that operators hand in do nothing that those operators could not do one by one, and jobs that cannot be done keep no
//! other waiting.

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::domain::operator::Role;
use vestibule::flow::administration::jobs as work;

use crate::console::{call, key, staffed};
use crate::people_console::by_hand;
use crate::world::{BOTH, World};

/// A key with a role of its own that has these permissions.
async fn key_with(world: &World, everything: &str, name: &str, permissions: Value) -> String {
    let draft = json!({ "name": name, "permissions": permissions });
    let (status, role) = call(world, everything, Method::POST, "roles", Some(draft)).await;
    assert_eq!(status, 201, "{role}");
    let wanted = json!({ "name": name, "role": role["id"] });
    let (status, made) = call(world, everything, Method::POST, "api-keys", Some(wanted)).await;
    assert_eq!(status, 201, "{made}");
    world.site.house.forget_realms();
    made["key"].as_str().unwrap().to_owned()
}

/// Works on every job until none goes on.
async fn worked(world: &World) {
    while work::round(&world.site.house).await.unwrap() > 0 {}
}

/// What became of each row of a job: result and detail.
async fn results(world: &World, everything: &str, begun: &Value) -> Vec<(String, String)> {
    let job = begun["job"].as_str().unwrap_or_else(|| panic!("no job: {begun}"));
    let (_, seen) = call(world, everything, Method::GET, &format!("jobs/{job}/results"), None).await;
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    seen["items"].as_array().unwrap().iter().map(|row| (text(&row["result"]), text(&row["detail"]))).collect()
}

/// T-57: whoever imports tokens gives none to an operator with more permissions, whose second factor would be known then; not
/// when the file is handed in, and not when somebody becomes an operator afterwards. Giving tokens to people is changing them.
#[actix_web::test]
async fn imported_tokens_are_not_for_operators_with_more_permissions() {
    for on in BOTH {
        let world = staffed(on).await;
        by_hand(&world).await;
        let everything = key(&world, Role::Operator).await;
        let file = "serial,secret_hex,username\nX1,3132333435363738393031323334353637383930,oona\n\
                    X2,3132333435363738393031323334353637383930,ada\nX3,3132333435363738393031323334353637383930,barbara\n";
        let wanted = || Some(json!({ "file": file, "assign": true }));

        let narrow = key_with(&world, &everything, "narrow", json!({ "tokens": ["access", "import"] })).await;
        let (status, refused) = call(&world, &narrow, Method::POST, "import/tokens", wanted()).await;
        assert_eq!((status, &refused["code"]), (403, &json!("key.not_permitted")), "{on:?}: {refused}");

        let keeper = key_with(&world, &everything, "keeper", json!({ "tokens": ["access", "import", "edit"] })).await;
        let (status, begun) = call(&world, &keeper, Method::POST, "import/tokens", wanted()).await;
        assert_eq!(status, 202, "{on:?}: {begun}");
        world.command(&["operator", "add", "barbara"]);
        worked(&world).await;
        let told = results(&world, &everything, &begun).await;
        let outcomes: Vec<&str> = told.iter().map(|(result, _)| result.as_str()).collect();
        assert_eq!(outcomes, ["rejected", "given", "failed"], "{on:?}: {told:?}");
        assert!(told[0].1.contains("more permissions") && told[2].1.contains("more permissions"), "{on:?}: {told:?}");
        let given = "SELECT COUNT(*) AS n FROM token WHERE serial IN ('X1', 'X2', 'X3')";
        assert_eq!(world.number(given).await, 1, "{on:?}");

        // Into the inventory the import alone is enough; and whoever may do everything gives to everybody.
        let stock = Some(json!({ "file": file.replace(",X", ",Y"), "dry_run": true }));
        assert_eq!(call(&world, &narrow, Method::POST, "import/tokens", stock).await.0, 202, "{on:?}");
        let (_, begun) = call(&world, &everything, Method::POST, "import/tokens", wanted()).await;
        worked(&world).await;
        let told = results(&world, &everything, &begun).await;
        assert_eq!(told.iter().filter(|(result, _)| result == "given").count(), 2, "{on:?}: {told:?}");
        world.stop().await;
    }
}

/// T-57, R-362: who becomes an operator while a selection waits for its turn is left alone.
#[actix_web::test]
async fn a_selection_leaves_new_operators_alone() {
    for on in BOTH {
        let world = staffed(on).await;
        by_hand(&world).await;
        let everything = key(&world, Role::Operator).await;
        let permissions = json!({ "users": ["access", "edit"] });
        let keeper = key_with(&world, &everything, "keeper", permissions).await;
        let (_, seen) = call(&world, &everything, Method::GET, "users", None).await;
        let people = seen["items"].as_array().unwrap();
        let id = |name: &str| people.iter().find(|one| one["username"] == name).unwrap()["id"].clone();
        let wanted = json!({ "users": [id("ada"), id("barbara")] });
        let (status, begun) = call(&world, &keeper, Method::POST, "user-jobs/disable", Some(wanted)).await;
        assert_eq!(status, 202, "{on:?}: {begun}");
        world.command(&["operator", "add", "barbara"]);
        worked(&world).await;
        let told = results(&world, &everything, &begun).await;
        let outcomes: Vec<&str> = told.iter().map(|(result, _)| result.as_str()).collect();
        assert_eq!(outcomes, ["disabled", "failed"], "{on:?}: {told:?}");
        world.stop().await;
    }
}
