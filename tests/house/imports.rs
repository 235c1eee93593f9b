//! Files that operators hand in do nothing that those operators could not do one by one, and jobs that cannot be done keep no
//! other waiting.

use reqwest::Method;
use serde_json::{Value, json};
use vestibule::domain::ids::JobId;
use vestibule::domain::job::{Import, Job, State, Work};
use vestibule::domain::operator::Role;
use vestibule::domain::user::{Status, User};
use vestibule::flow::administration::jobs::{self as work, NewRow};
use vestibule::flow::administration::roster::Line;
use vestibule::flow::administration::{accounts, people};
use vestibule::storage::jobs::JobRow;
use vestibule::storage::{jobs, users};

use crate::console::{call, call_with, key, staffed};
use crate::people_console::by_hand;
use crate::world::{BOTH, On, World};

/// A key with a role of its own that has these permissions.
pub async fn key_with(world: &World, everything: &str, name: &str, permissions: Value) -> String {
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

const REALLY: Import = Import { dry_run: false, update: false, make_groups: true, memberships: true };

/// A line of a table about somebody in these groups.
fn line(username: &str, groups: &[&str]) -> NewRow {
    let groups = Some(groups.iter().map(|name| (*name).to_owned()).collect());
    NewRow::line(&Line { username: username.to_owned(), groups, ..Line::default() })
}

async fn begun(world: &World, rows: &[NewRow]) -> JobId {
    let (tenant, desk) = (world.tenant().await, world.desk("operator"));
    work::begin(&desk, tenant, &Work::ImportPeople(REALLY), rows).await.unwrap()
}

async fn job(world: &World, id: JobId) -> (Job, Vec<JobRow>) {
    let tenant = world.tenant().await;
    let question = async |connection: &mut _| {
        let job = jobs::one(tenant, id).ask(connection).await?.unwrap();
        Ok((job, jobs::rows(connection, tenant, id, 0, 1000).await?))
    };
    world.site.house.db.read(question).await.unwrap()
}

/// a job that cannot be done keeps no other waiting, and has an end.
#[actix_web::test]
async fn a_job_that_cannot_be_done_keeps_no_other_waiting() {
    for on in BOTH {
        let world = World::new(on).await;
        by_hand(&world).await;
        let broken = begun(&world, &[line("broken", &[])]).await;
        world.execute("UPDATE job_row SET input = '{' WHERE name = ?", "broken").await;
        let unread = begun(&world, &[line("unread", &[])]).await;
        world.execute("UPDATE job SET options = '{}' WHERE id = ?", &unread.to_string()).await;
        for turn in 0..3 {
            let good = begun(&world, &[line(&format!("good{turn}"), &[])]).await;
            assert_eq!(work::round(&world.site.house).await.unwrap(), 1, "{on:?}");
            assert!(work::round(&world.site.house).await.is_err(), "{on:?}: nothing but failures is told");
            assert_eq!(job(&world, good).await.0.state, State::Done, "{on:?}: {turn}");
            let states = "SELECT COUNT(*) AS n FROM job WHERE state = 'running'";
            assert_eq!(world.number(states).await, 2, "{on:?}: {turn}");
            world.advance(240);
        }
        assert!(work::round(&world.site.house).await.is_err(), "{on:?}: ten minutes are over");
        let (seen, rows) = job(&world, broken).await;
        assert_eq!(seen.state, State::Stopped, "{on:?}");
        assert!(seen.error.unwrap().contains("again and again") && rows[0].input.is_none(), "{on:?}");
        assert_eq!(world.events("job_cancelled").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// a group that the database refuses is the failure of the row that names it, and of no other.
#[actix_web::test]
async fn a_group_that_cannot_be_made_fails_its_row() {
    for on in BOTH {
        let world = World::new(on).await;
        by_hand(&world).await;
        // As a table could have it before names were measured as they are compared: MariaDB's columns have a length.
        let long = "\u{fdfa}".repeat(12);
        let rows = [line("one", &["physics"]), line("two", &[&long]), line("three", &["chemistry"])];
        let id = begun(&world, &rows).await;
        worked(&world).await;
        let (seen, rows) = job(&world, id).await;
        let outcomes: Vec<&str> = rows.iter().filter_map(|row| row.outcome.as_deref()).collect();
        let second = if on == On::Sqlite { "created" } else { "failed" };
        assert_eq!(seen.state, State::Done, "{on:?}");
        assert_eq!(outcomes, ["created", second, "created"], "{on:?}");
        world.stop().await;
    }
}

/// A table of people, handed in by a key: status and answer.
async fn table(world: &World, key: &str, query: &str, csv: &str) -> (u16, Value) {
    let url = format!("{}/api/management/v1/import/users?{query}", world.base());
    let request = reqwest::Client::new().post(url).bearer_auth(key).header("content-type", "text/csv");
    let answer = request.body(csv.to_owned()).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// R-012, T-57: a table does nothing that its author could not do one by one: changing accounts, setting passwords and putting people
/// into groups want what they want elsewhere, when it is handed in and while it goes on.
#[actix_web::test]
async fn a_table_of_people_wants_what_it_does() {
    for on in BOTH {
        let world = staffed(on).await;
        by_hand(&world).await;
        let everything = key(&world, Role::Operator).await;
        let import = key_with(&world, &everything, "import", json!({ "users": ["access", "import"] })).await;
        let maker = key_with(&world, &everything, "maker", json!({ "users": ["access", "import", "add"] })).await;
        let permissions = json!({ "users": ["access", "import", "add", "edit"] });
        let editor = key_with(&world, &everything, "editor", permissions).await;
        let plain = "username,email\nada,new@acme.test\nnewton,newton@acme.test\n";
        let grouped = "username,groups\nada,pilot\n";
        for (key, query, csv, lacking) in [
            (&import, "existing=keep", plain, Some("Users, Add")),
            (&maker, "existing=update", plain, Some("Users, Edit")),
            (&maker, "existing=keep", grouped, Some("Groups, Edit")),
            (&editor, "existing=update", grouped, Some("Groups, Edit")),
            (&editor, "existing=update&groups=create", plain, Some("Groups, Add")),
            (&maker, "existing=keep", plain, None),
            (&editor, "existing=update", plain, None),
            (&everything, "existing=update&groups=create", grouped, None),
        ] {
            let (status, answer) = table(&world, key, query, csv).await;
            match lacking {
                None => assert_eq!(status, 202, "{on:?}: {query}: {answer}"),
                Some(lacking) => {
                    assert_eq!((status, &answer["code"]), (403, &json!("key.not_permitted")), "{on:?}: {answer}");
                    assert!(answer.to_string().contains(lacking), "{on:?}: {lacking}: {answer}");
                }
            }
        }
        worked(&world).await;

        // The permission to change accounts is taken away while the job waits for its turn.
        let (status, begun) = table(&world, &editor, "existing=update", "username,first_name\nada,Eve\n").await;
        assert_eq!(status, 202, "{on:?}: {begun}");
        let (_, roles) = call(&world, &everything, Method::GET, "roles", None).await;
        let role = roles["items"].as_array().unwrap().iter().find(|role| role["name"] == "editor").unwrap();
        let draft = json!({ "name": "editor", "permissions": { "users": ["access", "import", "add"] } });
        let path = format!("roles/{}", role["id"].as_str().unwrap());
        let (_, tag, _) = call_with(&world, &everything, Method::GET, &path, None, None).await;
        let (status, _, said) = call_with(&world, &everything, Method::PUT, &path, Some(draft), Some(&tag)).await;
        assert_eq!(status, 200, "{on:?}: {said}");
        worked(&world).await;
        let job = begun["job"].as_str().unwrap();
        let (_, seen) = call(&world, &everything, Method::GET, &format!("jobs/{job}"), None).await;
        assert_eq!(seen["state"], "stopped", "{on:?}: {seen}");
        world.stop().await;
    }
}

/// T-63, R-604: what was handed in does not stay behind when the service ends in the middle of it; and whoever began it need not wait.
#[actix_web::test]
async fn a_job_that_is_not_handed_in_to_its_end_is_stopped() {
    for on in BOTH {
        let world = World::new(on).await;
        by_hand(&world).await;
        let (tenant, desk) = (world.tenant().await, world.desk("operator"));
        let (lost, cancelled) = (begun(&world, &[line("lost", &[])]).await, begun(&world, &[line("gone", &[])]).await);
        // As the service leaves them that ends before the last rows are stored.
        for id in [lost, cancelled] {
            world.execute("UPDATE job SET state = 'loading' WHERE id = ?", &id.to_string()).await;
        }
        assert!(work::cancel(&desk, tenant, cancelled).await.unwrap(), "{on:?}");
        let (seen, rows) = job(&world, cancelled).await;
        assert_eq!((seen.state, &rows[0].input), (State::Cancelled, &None), "{on:?}");
        assert!(!work::cancel(&desk, tenant, cancelled).await.unwrap(), "{on:?}: once");

        for (minutes, state, ended) in [(10, State::Loading, 1), (6, State::Stopped, 2)] {
            world.advance(minutes * 60);
            vestibule::app::jobs::purge_once(&world.site, world.site.house.entropy.id()).await.unwrap();
            assert_eq!(job(&world, lost).await.0.state, state, "{on:?}");
            assert_eq!(world.events("job_cancelled").await, ended, "{on:?}");
        }
        let (seen, rows) = job(&world, lost).await;
        assert!(seen.error.unwrap().contains("not handed in") && rows[0].input.is_none(), "{on:?}");
        worked(&world).await;
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM user_account WHERE username = 'lost'").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// an import reads hundreds of accounts and then changes them; whoever is disabled meanwhile stays so.
#[actix_web::test]
async fn an_import_undoes_no_change_of_somebody_else() {
    for on in BOTH {
        let world = World::new(on).await;
        by_hand(&world).await;
        let (tenant, desk, db) = (world.tenant().await, world.desk("operator"), &world.site.house.db);
        let names: Vec<String> = (0..250).map(|at| format!("person{at}")).collect();
        begun(&world, &names.iter().map(|name| line(name, &[])).collect::<Vec<_>>()).await;
        worked(&world).await;
        let renamed = |name: &String| {
            NewRow::line(&Line { username: name.clone(), first_name: Some("New".to_owned()), ..Line::default() })
        };
        let rows: Vec<NewRow> = names.iter().map(renamed).collect();
        let how = Import { update: true, make_groups: false, memberships: false, ..REALLY };
        let id = work::begin(&desk, tenant, &Work::ImportPeople(how), &rows).await.unwrap();
        let disable = async {
            // From the end, towards the import, which goes from the beginning.
            for name in names.iter().rev().take(60) {
                let disable = async |connection: &mut _| {
                    let user = users::named(connection, tenant, name).await?.unwrap();
                    users::hold(connection, tenant, user.id).await?;
                    let user = users::named(connection, tenant, name).await?.unwrap();
                    accounts::set_status(&desk, connection, (&user, None), Status::Disabled).await
                };
                db.write(disable).await.unwrap().unwrap();
            }
        };
        tokio::join!(work::round(&world.site.house), disable).0.ok();
        while job(&world, id).await.0.state == State::Running {
            let _ = work::round(&world.site.house).await;
        }
        let (seen, _) = job(&world, id).await;
        assert_eq!((seen.state, seen.failed), (State::Done, 0), "{on:?}");
        let disabled = "SELECT COUNT(*) AS n FROM user_account WHERE status = 'disabled'";
        assert_eq!(world.number(disabled).await, 60, "{on:?}: R-040");
        let new = "SELECT COUNT(*) AS n FROM user_account WHERE first_name = 'New'";
        assert_eq!(world.number(new).await, 250, "{on:?}");
        world.stop().await;
    }
}

/// INV-11, R-040: a change of other fields does not bring back sessions that were ended since the account was read.
#[actix_web::test]
async fn a_change_does_not_take_back_the_security_version() {
    for on in BOTH {
        let world = World::new(on).await;
        let (tenant, desk, db) = (world.tenant().await, world.desk("operator"), &world.site.house.db);
        let config = world.site.house.realm(&"acme".parse().unwrap()).await.unwrap().unwrap().config.clone();
        let read = async |connection: &mut _| Ok(users::named(connection, tenant, "ada").await?.unwrap());
        let before = db.read(read).await.unwrap();
        db.write(async |connection| people::end_sessions(&desk, connection, &before).await).await.unwrap();
        let after = User { first_name: "Augusta".to_owned(), ..before.clone() };
        let change =
            async |connection: &mut _| people::change_if(&desk, connection, &config, (&before, None), &after).await;
        assert_eq!(db.write(change).await.unwrap(), Ok(true), "{on:?}");
        let seen = db.read(read).await.unwrap();
        assert_eq!(
            (seen.security_version, seen.first_name.as_str()),
            (before.security_version + 1, "Augusta"),
            "{on:?}"
        );
        world.stop().await;
    }
}
