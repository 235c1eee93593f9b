//! Two operators, or two instances, at the same thing: nobody undoes what the other one did without having seen it, and they do
//! not lock everybody out together.

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::domain::operator::Role;
use vestibule::storage::statement::Statement;
use vestibule::storage::{Db, tenants};

use crate::console::{at_console, call, call_at, call_with, console, key, staffed};
use crate::world::{ACME, BOTH, On, World};

/// an instance that remembers what was configured two seconds ago stores a provisioning rule for somebody who has seen more:
/// the rule, and nothing else of what it remembers.
#[actix_web::test]
async fn a_rule_takes_nothing_back_that_another_instance_has_stored() {
    for on in BOTH {
        let world = staffed(on).await;
        let (second, _) = world.second().await;
        let key = key(&world, Role::Operator).await;
        let at = async |server: &str, method: Method, path: &str, body: Option<Value>, tag: Option<&str>| {
            call_at(server, &key, method, path, body, tag).await
        };
        let (_, _, groups) = at(&second, Method::GET, "groups", None, None).await;
        let pilot = groups["items"][0]["id"].as_str().unwrap().to_owned();
        let rule = |name: &str| Some(json!({ "name": name, "enabled": true, "token_type": "app", "groups": [pilot] }));
        let threshold = async |value: u32| {
            // The clock stands still: the first instance goes on remembering what it reads here.
            let (status, ..) = at(&world.url, Method::GET, "me", None, None).await;
            assert_eq!(status, 200, "{on:?}");
            let (_, tag, _) = at(&second, Method::GET, "settings/lockout", None, None).await;
            let body = Some(json!({ "threshold": value }));
            let (status, _, told) = at(&second, Method::PATCH, "settings/lockout", body, Some(&tag)).await;
            assert_eq!((status, &told["threshold"]), (200, &json!(value)), "{on:?}: {told}");
            at(&second, Method::GET, "provisioning-rules", None, None).await
        };
        let kept = async |value: u32| {
            let (_, _, told) = at(&world.url, Method::GET, "settings/lockout", None, None).await;
            assert_eq!(told["threshold"], json!(value), "{on:?}: {told}");
        };
        let (_, tag, _) = threshold(7).await;
        let (status, _, made) = at(&world.url, Method::POST, "provisioning-rules", rule("Pilots"), Some(&tag)).await;
        assert_eq!(status, 201, "{on:?}: {made}");
        kept(7).await;
        let path = format!("provisioning-rules/{}", made["id"].as_str().unwrap());
        let (_, tag, _) = threshold(8).await;
        let (status, _, told) = at(&world.url, Method::PUT, &path, rule("All pilots"), Some(&tag)).await;
        assert_eq!((status, &told["name"]), (200, &json!("All pilots")), "{on:?}: {told}");
        kept(8).await;
        let (_, tag, _) = threshold(9).await;
        let (status, _, late) = at(&second, Method::PUT, &path, rule("Late"), Some("\"1\"")).await;
        assert_eq!((status, &late["code"]), (412, &json!("changed_meanwhile")), "{on:?}: {late}");
        let (status, ..) = at(&world.url, Method::DELETE, &path, None, Some(&tag)).await;
        assert_eq!(status, 204, "{on:?}");
        kept(9).await;
        let (_, _, rules) = at(&world.url, Method::GET, "provisioning-rules", None, None).await;
        assert_eq!(rules["items"], json!([]), "{on:?}");
        world.stop().await;
    }
}

/// a file that is applied while an operator's change is about to be committed waits for it, and undoes nothing of it. SQLite
/// has one writer at a time anyway.
#[actix_web::test]
async fn a_file_does_not_undo_what_an_operator_is_about_to_store() {
    let world = World::new(On::MariaDb).await;
    let (tenant, now) = (world.tenant().await, world.clock_now());
    let version = world.number("SELECT version AS n FROM tenant WHERE code = 'acme'").await;
    let db = Db::connect(&world.database).await.unwrap();
    let taken = tokio::sync::Notify::new();
    let name = world.database.rsplit('/').next().unwrap();
    let waits: &'static str = format!(
        "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE db = '{name}' AND info LIKE 'UPDATE tenant SET version%'"
    )
    .leak();
    let stop = db.write(async |connection| {
        assert!(tenants::take_version(connection, tenant, version, now).await?);
        Statement::new("UPDATE application SET active = 0 WHERE name = 'Notes'").run(connection).await?;
        taken.notify_one();
        // The file was compared with what was there before, and waits.
        let begun = std::time::Instant::now();
        while world.number(waits).await == 0 {
            assert!(begun.elapsed().as_secs() < 4, "the file waits for nobody: {waits}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Ok(())
    });
    let file = ACME.replace("a secret of notes", "another secret of notes");
    let apply = async {
        taken.notified().await;
        world.try_apply(&file).await
    };
    let (stopped, applied) = tokio::join!(stop, apply);
    stopped.unwrap();
    let refused = applied.unwrap_err();
    assert!(refused.contains("somebody else changed it at the same moment"), "{refused}");
    assert_eq!(world.number("SELECT active AS n FROM application WHERE name = 'Notes'").await, 0);
    db.close().await;
    world.stop().await;
}

/// T-57: a permission that was taken out of a role does not come back with a page, or a call, that was read before.
#[actix_web::test]
async fn a_permission_that_was_taken_away_does_not_come_back_with_an_old_page() {
    for on in BOTH {
        let world = staffed(on).await;
        let key = key(&world, Role::Operator).await;
        let may = |more: &[&str]| {
            let deeds = [&["access"][..], more].concat();
            json!({ "tokens": deeds })
        };
        let draft = |more: &[&str]| Some(json!({ "name": "Support", "permissions": may(more) }));
        let (status, made) = call(&world, &key, Method::POST, "roles", draft(&["export"])).await;
        assert_eq!(status, 201, "{on:?}: {made}");
        let path = format!("roles/{}", made["id"].as_str().unwrap());
        let (status, old, seen) = call_with(&world, &key, Method::GET, &path, None, None).await;
        assert_eq!((status, &seen), (200, &made), "{on:?}");
        let (mut oona, page) = at_console(&world, "oona", &path).await;
        // Somebody else takes it away.
        assert_eq!(call(&world, &key, Method::PUT, &path, draft(&[])).await.0, 428, "{on:?}");
        let (status, new, _) = call_with(&world, &key, Method::PUT, &path, draft(&[]), Some(&old)).await;
        assert_eq!(status, 200, "{on:?}");
        let stays = async || {
            let (_, tag, told) = call_with(&world, &key, Method::GET, &path, None, None).await;
            assert_eq!((&told["permissions"], &tag), (&may(&[]), &new), "{on:?}: {told}");
        };
        let (status, _, late) =
            call_with(&world, &key, Method::PUT, &path, draft(&["export", "edit"]), Some(&old)).await;
        assert_eq!((status, &late["code"]), (412, &json!("changed_meanwhile")), "{on:?}: {late}");
        stays().await;
        let typed = [("name", "First line"), ("permission", "tokens.access"), ("permission", "tokens.export")];
        let told = oona.press(&page, "save-role", &typed).await;
        assert!(told.body.contains("somebody else changed this meanwhile"), "{on:?}: {}", told.body);
        assert!(told.body.contains("value=\"First line\""), "{on:?}: what was typed stays");
        stays().await;
        // It is not stored by saving once more, but by opening it again.
        let again = oona.press(&told, "save-role", &typed).await;
        assert!(again.body.contains("somebody else changed this meanwhile"), "{on:?}");
        stays().await;
        let page = oona.get(&console(&world, &path)).await;
        let saved = oona.press(&page, "save-role", &typed).await;
        assert!(saved.body.contains("The role was saved"), "{on:?}: {}", saved.body);
        // What is gone is not made again.
        let (_, tag, _) = call_with(&world, &key, Method::GET, &path, None, None).await;
        assert_eq!(call(&world, &key, Method::DELETE, &path, None).await.0, 204, "{on:?}");
        assert_eq!(call_with(&world, &key, Method::PUT, &path, draft(&[]), Some(&tag)).await.0, 404, "{on:?}");
        world.stop().await;
    }
}

/// The address of an account in the API.
async fn account(world: &World, name: &str) -> String {
    let tenant = world.tenant().await;
    let found = async |connection: &mut _| vestibule::storage::users::named(connection, tenant, name).await;
    format!("users/{}", world.site.house.db.read(found).await.unwrap().unwrap().id)
}

/// Enables or disables an account at an instance.
async fn set(server: &str, key: &str, account: &str, enabled: bool) -> (u16, Value) {
    let (path, body) = (format!("{account}/status"), json!({ "enabled": enabled }));
    let (status, _, told) = call_at(server, key, Method::POST, &path, Some(body), None).await;
    (status, told)
}

/// AC-51, D4: an operator who is disabled is none of those who are left, whichever way the last one would go; and of two who are
/// disabled at the same moment at two instances one stays.
#[actix_web::test]
async fn somebody_who_can_log_in_stays_operator() {
    for on in BOTH {
        let world = staffed(on).await;
        let (second, _) = world.second().await;
        let key = key(&world, Role::Operator).await;
        let (oona, linus) = (account(&world, "oona").await, account(&world, "linus").await);
        let role = |user: &str| user.replace("users/", "operators/");
        let (status, told) = call(&world, &key, Method::PUT, &role(&linus), Some(json!({ "role": "operator" }))).await;
        assert_eq!(status, 204, "{on:?}: {told}");
        assert_eq!(set(&world.url, &key, &linus, false).await.0, 204, "{on:?}");
        // Linus cannot log in: Oona is the last.
        let (status, told) = set(&world.url, &key, &oona, false).await;
        assert_eq!((status, &told["code"]), (409, &json!("user.protected")), "{on:?}: {told}");
        let (status, told) = call(&world, &key, Method::DELETE, &oona, None).await;
        assert_eq!((status, &told["code"]), (409, &json!("user.protected")), "{on:?}: {told}");
        let auditor = Some(json!({ "role": "auditor" }));
        for (method, body) in [(Method::PUT, auditor), (Method::DELETE, None)] {
            let (status, told) = call(&world, &key, method, &role(&oona), body).await;
            assert_eq!((status, &told["code"]), (409, &json!("operator.last")), "{on:?}: {told}");
        }
        // Linus is enabled again: then either may go, but not both.
        assert_eq!(set(&world.url, &key, &linus, true).await.0, 204, "{on:?}");
        for _ in 0..8 {
            let (one, other) = tokio::join!(set(&world.url, &key, &oona, false), set(&second, &key, &linus, false));
            let mut both = [one.0, other.0];
            both.sort_unstable();
            assert_eq!(both, [204, 409], "{on:?}: {} {}", one.1, other.1);
            for user in [&oona, &linus] {
                assert_eq!(set(&world.url, &key, user, true).await.0, 204, "{on:?}");
            }
        }
        world.stop().await;
    }
}

/// AC-51, D4: nor does the last operator go by a table of people or by a command.
#[actix_web::test]
async fn the_last_operator_goes_neither_by_a_table_nor_by_a_command() {
    let world = staffed(On::Sqlite).await;
    let table = world.folder().join("people.csv");
    std::fs::write(&table, "username,enabled,last_name\nada,no,Byron\noona,no,Byron\n").unwrap();
    for more in [&["--dry-run"][..], &[]] {
        let arguments = [&["user", "import", table.to_str().unwrap()], more].concat();
        let told = world.tried(&arguments);
        let told = String::from_utf8(told.stdout).unwrap();
        assert!(told.contains("(oona): rejected: is the last operator"), "{more:?}: {told}");
        assert!(told.contains("1 changed") && told.contains("1 rejected"), "{more:?}: {told}");
    }
    let count =
        "SELECT COUNT(*) AS n FROM user_account WHERE username = 'oona' AND status = 'enabled' AND last_name = ''";
    assert_eq!(world.number(count).await, 1, "nothing of the line is stored");
    assert!(world.refused(&["user", "disable", "oona"]).contains("oona is the last operator"));
    assert!(world.refused(&["user", "delete", "oona", "--yes"]).contains("oona is the last operator"));
    // A job says so of the row, and goes on with the others.
    let key = key(&world, Role::Operator).await;
    let sent = reqwest::Client::new()
        .post(format!("{}/api/management/v1/import/users?dry_run=false", world.base()))
        .bearer_auth(&key)
        .header("content-type", "text/csv")
        .body(std::fs::read(&table).unwrap());
    let begun: Value = sent.send().await.unwrap().json().await.unwrap();
    let job = format!("jobs/{}", begun["job"].as_str().unwrap_or_else(|| panic!("{begun}")));
    for _ in 0..200 {
        vestibule::flow::administration::jobs::round(&world.site.house).await.unwrap();
        if call(&world, &key, Method::GET, &job, None).await.1["state"] != "running" {
            break;
        }
    }
    let (_, results) = call(&world, &key, Method::GET, &format!("{job}/results"), None).await;
    assert!(results.to_string().contains("is the last operator with the role Operator"), "{results}");
    assert_eq!(world.number(count).await, 1, "{results}");
    world.stop().await;
}
