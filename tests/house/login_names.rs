//! what people may type to say who they are at the login.

use futures_util::future::join;
use reqwest::Method;
use serde_json::json;
use vestibule::domain::operator::Role;
use vestibule::domain::user::User;
use vestibule::storage::users;

use crate::console::{at_console, call, call_with, console, key, staffed};
use crate::story::{PASSWORD, after_password, authorize, code_of, passcode_of_linus};
use crate::visitor::Visitor;
use crate::world::{BOTH, World};

const LINUS: &str = "has a token already";
const WRONG: &str = "The user name or password is not right.";

async fn names(world: &World, keys: &str) {
    world.apply(&format!("[[tenant]]\ncode = \"acme\"\n[tenant.login]\n{keys}\n")).await;
}

/// What the page calls the field.
async fn label(world: &World) -> String {
    let seen = Visitor::new(&world.url).get(&authorize(world, "")).await;
    assert_eq!(seen.find_value("#username").unwrap_or_default(), "", "{}", seen.body);
    assert!(seen.find("#username[autocomplete=username]").is_some(), "{}", seen.body);
    seen.find("label[for=username]").unwrap_or_default()
}

/// Whether name and password are right together, for somebody whom nobody knows.
async fn are_right(world: &World, name: &str, password: &str) -> bool {
    world.advance(61);
    let before = world.events("password_accepted").await;
    let seen = after_password(world, &mut Visitor::new(&world.url), name, password).await;
    let right = seen.complaint() != WRONG;
    assert_eq!(world.events("password_accepted").await - before, i64::from(right), "{name}: {}", seen.body);
    right
}

/// an address is taken where the tenant says so and nowhere else; what was typed stays on the page and is what the
/// browser remembers.
#[actix_web::test]
async fn an_address_is_a_name_where_the_tenant_says_so() {
    for on in BOTH {
        let world = World::new(on).await;
        assert_eq!(label(&world).await, "User name", "{on:?}");
        assert!(!are_right(&world, "linus@acme.test", LINUS).await, "{on:?}: not unless it is enabled");
        names(&world, "email = true").await;
        assert_eq!(label(&world).await, "User name or email address", "{on:?}");
        assert!(are_right(&world, "linus", LINUS).await, "{on:?}: a user name is taken as before");
        let mut linus = Visitor::new(&world.url);
        let seen = linus.get(&authorize(&world, "")).await;
        let typed = [("username", " Linus@ACME.test "), ("remember", "yes")];
        let seen = linus.press(&seen, "continue", &typed).await;
        assert!(seen.body.contains("Linus@ACME.test"), "{on:?}: {}", seen.body);
        let seen = linus.press(&seen, "continue", &[("password", LINUS)]).await;
        assert_eq!(seen.title(), "Enter your passcode", "{on:?}: {}", seen.body);
        let seen = linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}");
        linus.cookies.remove("vs-acme");
        let again = linus.get(&authorize(&world, "")).await;
        assert_eq!(again.find_value("#username").as_deref(), Some("Linus@ACME.test"), "{on:?}");

        names(&world, "username = false").await;
        assert_eq!(label(&world).await, "Email address", "{on:?}");
        assert!(!are_right(&world, "ada", PASSWORD).await, "{on:?}");
        assert!(are_right(&world, "ada@acme.test", PASSWORD).await, "{on:?}");
        world.stop().await;
    }
}

/// an address of several accounts means none of them, and a user name stays its account's, whosever address is written
/// like it.
#[actix_web::test]
async fn an_address_of_several_is_nobodys_name() {
    for on in BOTH {
        let world = World::new(on).await;
        names(&world, "email = true").await;
        world
            .apply(
                "[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"twin\"\nemail = \"linus@acme.test\"\n\
                 password = \"the password of twin\"\n[[tenant.user]]\nusername = \"ada@acme.test\"\n\
                 password = \"a password of their own\"\n",
            )
            .await;
        assert!(!are_right(&world, "linus@acme.test", LINUS).await, "{on:?}");
        assert!(!are_right(&world, "linus@acme.test", "the password of twin").await, "{on:?}");
        assert!(are_right(&world, "linus", LINUS).await && are_right(&world, "twin", "the password of twin").await);
        assert!(are_right(&world, "ada@acme.test", "a password of their own").await, "{on:?}");
        assert!(!are_right(&world, "ada@acme.test", PASSWORD).await, "{on:?}");
        world.stop().await;
    }
}

/// however somebody is named, wrong passwords add up to one lock, and then nothing that is right counts by any
/// name. No page says so: the mail to the owner does. The help desk opens all names.
#[actix_web::test]
async fn all_names_of_an_account_have_one_lock() {
    for on in BOTH {
        let world = World::new(on).await;
        world.command(&["user", "alias", "ada", "Countess"]);
        names(&world, "email = true\nalias = true").await;
        for name in ["ada", "ada@acme.test", "COUNTESS", "Ada@ACME.test"] {
            assert!(!are_right(&world, name, "certainly not").await, "{on:?} {name}");
        }
        assert_eq!(world.events("account_locked").await, 1, "{on:?}");
        assert_eq!(
            world.number("SELECT COUNT(*) AS n FROM account_lock WHERE username_key = 'ada'").await,
            1,
            "{on:?}: the list of people shows it"
        );
        for name in ["ada", "ada@acme.test", "countess"] {
            assert!(!are_right(&world, name, PASSWORD).await, "{on:?} {name}");
        }
        assert_eq!((world.events("account_locked").await, world.events("password_ignored").await), (1, 3), "{on:?}");
        let letter = world.mail("ada@acme.test", 1).await;
        let words = letter.text().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("may say that your password or passcode is wrong although it is right"),
            "{on:?}: {words}"
        );
        world.command(&["user", "unlock", "ada"]);
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM failure").await, 0, "{on:?}");
        for name in ["ada", "ada@acme.test", "countess"] {
            assert!(are_right(&world, name, PASSWORD).await, "{on:?} {name}");
        }
        world.stop().await;
    }
}

/// what makes an account wait by one name makes no page of another name wait, and nothing counts there until it is over;
/// what was tried meanwhile was no try at the account.
#[actix_web::test]
async fn an_account_waits_by_all_of_its_names() {
    for on in BOTH {
        let world = World::new(on).await;
        names(&world, "email = true\n[tenant.lockout]\nthreshold = 6").await;
        let wrong = async || after_password(&world, &mut Visitor::new(&world.url), "linus", "certainly not").await;
        for _ in 0..5 {
            world.advance(31);
            assert_eq!(wrong().await.complaint(), WRONG, "{on:?}");
        }
        assert_eq!(wrong().await.complaint(), "Wait 4 seconds before you try again.", "{on:?}");
        let mut linus = Visitor::new(&world.url);
        let seen = after_password(&world, &mut linus, "linus@acme.test", LINUS).await;
        assert_eq!((seen.complaint().as_str(), world.events("password_ignored").await), (WRONG, 1), "{on:?}");
        assert_eq!(world.number("SELECT MAX(failed_total) AS n FROM failure").await, 5, "{on:?}");
        world.advance(4);
        let seen = linus.press(&seen, "continue", &[("password", LINUS)]).await;
        assert_eq!(seen.title(), "Enter your passcode", "{on:?}: {}", seen.body);
        world.stop().await;
    }
}

/// where a passcode is asked for first, a right one does not count either while the account is locked by another name,
/// and is not used up.
#[actix_web::test]
async fn a_passcode_does_not_count_by_another_name() {
    for on in BOTH {
        let world = World::new(on).await;
        names(&world, "email = true\n[tenant.global_policy]\nrequire = [\"otp\"]").await;
        let tried = async |name: &str, code: &str| {
            let mut visitor = Visitor::new(&world.url);
            let seen = visitor.get(&authorize(&world, "")).await;
            let seen = visitor.press(&seen, "continue", &[("username", name)]).await;
            visitor.press(&seen, "continue", &[("code", code)]).await
        };
        for _ in 0..4 {
            world.advance(61);
            tried("linus", "1").await;
        }
        assert_eq!(world.events("account_locked").await, 1, "{on:?}");
        let code = passcode_of_linus(&world);
        let seen = tried("linus@acme.test", &code).await;
        assert!(seen.complaint().contains("was not accepted"), "{on:?}: {}", seen.body);
        world.command(&["user", "unlock", "linus"]);
        assert!(!code_of(&tried("linus@acme.test", &code).await).0.is_empty(), "{on:?}");
        world.stop().await;
    }
}

/// R-460, T-17: strangers who lock an account by one name do not keep its owner out of a browser that the owner has used before, by
/// whichever name; and a success elsewhere forgets the failures of all names.
#[actix_web::test]
async fn a_known_browser_is_known_by_every_name() {
    for on in BOTH {
        let world = World::new(on).await;
        names(&world, "email = true").await;
        let log_in = async |visitor: &mut Visitor, name: &str| {
            world.advance(61);
            let seen = after_password(&world, visitor, name, LINUS).await;
            let seen = visitor.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
            assert!(!code_of(&seen).0.is_empty(), "{on:?} {name}: {}", seen.body);
            visitor.cookies.remove("vs-acme");
        };
        let mut linus = Visitor::new(&world.url);
        log_in(&mut linus, "linus@acme.test").await;
        for _ in 0..4 {
            world.advance(61);
            after_password(&world, &mut Visitor::new(&world.url), "linus", "certainly not").await;
        }
        assert_eq!(world.events("account_locked").await, 1, "{on:?}");
        for name in ["linus@acme.test", "linus"] {
            log_in(&mut linus, name).await;
        }
        assert!(!are_right(&world, "linus@acme.test", LINUS).await, "{on:?}: elsewhere it is locked as before");
        world.advance(900);
        log_in(&mut Visitor::new(&world.url), "linus@acme.test").await;
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM failure").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// where user names are not taken, whoever guesses at one does not lock the account that is called so.
#[actix_web::test]
async fn a_name_that_is_not_taken_locks_nobody() {
    for on in BOTH {
        let world = World::new(on).await;
        names(&world, "username = false\nemail = true").await;
        for _ in 0..4 {
            world.advance(61);
            after_password(&world, &mut Visitor::new(&world.url), "ada", "certainly not").await;
        }
        assert_eq!(world.events("account_locked").await, 1, "{on:?}: what was typed is locked, as any name is");
        assert!(are_right(&world, "ada@acme.test", PASSWORD).await, "{on:?}");
        world.stop().await;
    }
}

/// the setting in the apply file and its export, in the management API and at the console; nothing at all cannot be
/// taken. Settings that were stored before there was a choice take user names and nothing else.
#[actix_web::test]
async fn the_setting_goes_through_every_door() {
    for on in BOTH {
        let world = staffed(on).await;
        let exported: toml::Table = world.command(&["export", "--tenant", "acme"]).parse().unwrap();
        let login = &exported["tenant"][0]["login"];
        assert_eq!((login["username"].as_bool(), login["email"].as_bool()), (Some(true), Some(false)), "{login}");
        let refused = world.try_apply("[[tenant]]\ncode = \"acme\"\n[tenant.login]\nusername = false\n").await;
        assert!(refused.is_err_and(|words| words.contains("login.username: must be on")), "{on:?}");
        let all = key(&world, Role::Operator).await;
        let (status, tag, values) = call_with(&world, &all, Method::GET, "settings/login", None, None).await;
        assert_eq!((status, &values["username"], &values["email"]), (200, &json!(true), &json!(false)), "{on:?}");
        let patch = |body| call_with(&world, &all, Method::PATCH, "settings/login", Some(body), Some(&tag));
        let (status, _, body) = patch(json!({ "username": false })).await;
        assert_eq!((status, &body["errors"][0]["field"]), (422, &json!("username")), "{on:?}: {body}");
        let (status, _, body) = patch(json!({ "email": true })).await;
        assert_eq!(status, 200, "{on:?}: {body}");
        let export = world.command(&["export", "--tenant", "acme"]);
        let exported: toml::Table = export.parse().unwrap();
        assert_eq!(exported["tenant"][0]["login"]["email"], toml::Value::Boolean(true), "{on:?}: {export}");
        assert_eq!(label(&world).await, "User name or email address", "{on:?}");

        let (mut oona, seen) = at_console(&world, "oona", "user-policies").await;
        assert!(seen.body.contains("Users may type their mail address"), "{on:?}: {}", seen.body);
        let form = oona.get(&console(&world, "user-policies/login")).await;
        let (address, mut fields) = form.form("save");
        fields.retain(|(name, _)| name != "username" && name != "email");
        let refused = oona.post(&address, &fields).await;
        assert!(refused.body.contains("must be on where nothing else is taken"), "{on:?}: {}", refused.body);
        let (_, sections) = call(&world, &all, Method::GET, "settings", None).await;
        assert_eq!(sections["login"]["username"], true, "{on:?}: {sections}");
        world.stop().await;
    }
}

/// an alias is taken where the tenant says so, the page says what may be typed, and what is one account's alias and another
/// one's address finds neither.
#[actix_web::test]
async fn an_alias_is_a_name_where_the_tenant_says_so() {
    for on in BOTH {
        let world = World::new(on).await;
        let said = world.command(&["user", "alias", "ada", " Countess "]);
        assert!(said.contains("ada has the alias Countess"), "{on:?}: {said}");
        world.command(&["user", "alias", "linus", "barbara@acme.test"]);
        assert!(!are_right(&world, "countess", PASSWORD).await, "{on:?}: not unless it is enabled");
        names(&world, "alias = true").await;
        assert_eq!(label(&world).await, "User name or alias", "{on:?}");
        assert!(are_right(&world, "COUNTESS", PASSWORD).await, "{on:?}");
        assert!(are_right(&world, "ada", PASSWORD).await, "{on:?}");
        assert!(are_right(&world, "barbara@acme.test", LINUS).await, "{on:?}: addresses are not looked at");
        names(&world, "email = true").await;
        assert_eq!(label(&world).await, "User name, alias or email address", "{on:?}");
        for password in [LINUS, "not in the rollout"] {
            assert!(
                !are_right(&world, "barbara@acme.test", password).await,
                "{on:?}: one's alias, another one's address"
            );
        }
        names(&world, "username = false").await;
        assert_eq!(label(&world).await, "Alias or email address", "{on:?}");
        assert!(!are_right(&world, "ada", PASSWORD).await, "{on:?}");
        assert!(are_right(&world, "countess", PASSWORD).await, "{on:?}");
        world.command(&["user", "alias", "ada", "--none"]);
        assert!(!are_right(&world, "countess", PASSWORD).await, "{on:?}");
        world.stop().await;
    }
}

/// nobody's alias is somebody else's user name or alias, by whatever door it comes; it is shown where the account
/// is, and every change is in the audit trail.
#[actix_web::test]
async fn an_alias_is_nobody_elses_name() {
    for on in BOTH {
        let world = staffed(on).await;
        let of = |user: &str, keys: &str| {
            format!("[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"{user}\"\n{keys}\n")
        };
        for (file, told) in [
            (of("ada", "alias = \"LINUS\""), "alias: is another account's user name or alias"),
            (of("ada", "alias = \"ADA\""), "alias: is the user name of the same account"),
            (of("ada", "alias = \"a\\u0007\""), "alias: has a control character"),
        ] {
            let refused = world.try_apply(&file).await;
            assert!(refused.as_ref().is_err_and(|words| words.contains(told)), "{on:?}: {refused:?}");
        }
        let all = key(&world, Role::Operator).await;
        let (_, found) = call(&world, &all, Method::GET, "users?username=ada", None).await;
        let path = format!("users/{}", found["items"][0]["id"].as_str().unwrap());
        let (_, tag, _) = call_with(&world, &all, Method::GET, &path, None, None).await;
        let put = |alias: &str| {
            let body = json!({ "username": "ada", "email": "ada@acme.test", "first_name": "Ada", "last_name": "Lovelace",
                "alias": alias });
            call_with(&world, &all, Method::PUT, &path, Some(body), Some(&tag))
        };
        let (status, _, body) = put("LINUS").await;
        assert_eq!((status, &body["errors"][0]["field"]), (422, &json!("alias")), "{on:?}: {body}");
        let (status, _, body) = put("Countess").await;
        assert_eq!((status, &body["alias"]), (200, &json!("Countess")), "{on:?}: {body}");
        let told = "SELECT COUNT(*) AS n FROM audit_event WHERE action = 'user_changed' \
                    AND detail LIKE '%\"new\":{\"alias\":\"Countess\"}%' AND detail LIKE '%\"old\":{\"alias\":null}%'";
        assert_eq!(world.number(told).await, 1, "{on:?}: R-561");

        let new = json!({ "username": "COUNTESS", "email": "c@acme.test", "first_name": "C", "last_name": "C" });
        let (status, body) = call(&world, &all, Method::POST, "users", Some(new)).await;
        assert_eq!((status, &body["errors"][0]["field"]), (422, &json!("username")), "{on:?}: {body}");
        let refused = world.try_apply(&of("countess", "")).await;
        assert!(refused.is_err_and(|words| words.contains("username: is another account's alias")), "{on:?}");
        let refused = world.refused(&["user", "alias", "linus", "countess"]);
        assert!(refused.contains("the alias is taken"), "{on:?}: {refused}");
        let table = world.folder().join("people.csv");
        let lines = "username,alias\ncountess,\nlinus,Countess\nada,countess\nbarbara,twin\nnewton,Twin\nhooke,micro\n";
        std::fs::write(&table, lines).unwrap();
        let run = world.tried(&["user", "import", table.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&run.stdout);
        for words in [
            "line 2 (countess): rejected: has a user name that is another account's alias",
            "line 3 (linus): rejected: has an alias that is another account's user name or alias",
            "line 4 (ada): changed: alias",
            "line 5 (barbara): changed: alias",
            "line 6 (newton): rejected: has an alias that is another account's user name or alias",
            "line 7 (hooke): created",
        ] {
            assert!(said.contains(words), "{on:?}: {words}: {said}");
        }
        assert!(world.command(&["user", "export"]).contains("pilot,countess"), "{on:?}");
        assert!(world.command(&["export"]).contains("alias = \"countess\""), "{on:?}");
        let (mut oona, _) = at_console(&world, "oona", "users").await;
        let seen = oona.get(&console(&world, &path)).await;
        assert_eq!(seen.find_value("#alias").as_deref(), Some("countess"), "{on:?}: {}", seen.body);
        let typed = [("username", "ada"), ("first_name", "Ada"), ("last_name", "Lovelace"), ("email", "ada@acme.test")];
        let refused = oona.press(&seen, "save-user", &[typed.as_slice(), &[("alias", "hooke")]].concat()).await;
        assert!(
            refused.find("#alias-fault").is_some_and(|words| words.contains("is taken")),
            "{on:?}: {}",
            refused.body
        );

        // Whoever goes, or gives a name up, leaves it to others.
        world.command(&["user", "delete", "hooke", "--yes"]);
        world.apply(&of("ada", "alias = \"Micro\"")).await;
        world.apply(&of("ada", "alias = \"\"")).await;
        world.apply(&of("micro", "alias = \"countess\"")).await;
        world.stop().await;
    }
}

/// one file may hand an alias on, in whatever order the people stand in it.
#[actix_web::test]
async fn a_file_hands_an_alias_on() {
    for on in BOTH {
        let world = World::new(on).await;
        names(&world, "alias = true").await;
        let of = |user: &str, alias: &str| format!("[[tenant.user]]\nusername = \"{user}\"\nalias = \"{alias}\"\n");
        let acme = |users: String| format!("[[tenant]]\ncode = \"acme\"\n{users}");
        world.apply(&acme(of("ada", "countess") + &of("linus", "penguin"))).await;
        world.apply(&acme(of("ada", "PENGUIN") + &of("linus", "Countess"))).await;
        assert!(are_right(&world, "penguin", PASSWORD).await && are_right(&world, "countess", LINUS).await, "{on:?}");
        // Written otherwise it is the same name.
        world.apply(&acme(of("countess one", "linux") + &of("ada", "Penguin") + &of("linus", ""))).await;
        assert!(are_right(&world, "penguin", PASSWORD).await, "{on:?}");
        world.apply(&acme(of("countess", "") + &of("newton", "penguin") + &of("ada", ""))).await;
        assert!(!are_right(&world, "penguin", PASSWORD).await, "{on:?}");
        assert!(world.try_apply(&acme(of("ada", "linux"))).await.is_err(), "{on:?}: that is still somebody's");
        world.stop().await;
    }
}

/// so may one table, to a new account, too; whoever cannot have the new alias keeps the old one, and nobody else gets it.
#[actix_web::test]
async fn a_table_hands_an_alias_on() {
    for on in BOTH {
        let world = World::new(on).await;
        names(&world, "alias = true").await;
        let table = world.folder().join("people.csv");
        let imported = |lines: &str, more: &[&str]| {
            std::fs::write(&table, format!("username,alias\n{lines}")).unwrap();
            let run = world.tried(&[&["user", "import", table.to_str().unwrap()][..], more].concat());
            String::from_utf8(run.stdout).unwrap()
        };
        imported("ada,countess\nlinus,penguin\n", &[]);
        for more in [&["--dry-run"][..], &[]] {
            assert!(are_right(&world, "countess", PASSWORD).await, "{on:?}: {more:?}");
            let said = imported("ada,PENGUIN\nlinus,Countess\n", more);
            for words in ["line 2 (ada): changed: alias", "line 3 (linus): changed: alias"] {
                assert!(said.contains(words), "{on:?} {more:?}: {words}: {said}");
            }
        }
        assert!(are_right(&world, "penguin", PASSWORD).await && are_right(&world, "countess", LINUS).await, "{on:?}");
        let said = imported("hooke,penguin\nada,micro\n", &[]);
        assert!(said.contains("line 2 (hooke): created") && said.contains("line 3 (ada): changed: alias"), "{said}");
        // One after the other cannot go, since the last one cannot.
        let said = imported("newton,countess\nlinus,micro\nada,barbara\n", &[]);
        for words in ["line 2 (newton): rejected", "line 3 (linus): rejected", "line 4 (ada): rejected"] {
            assert!(said.contains(words), "{on:?}: {words}: {said}");
        }
        assert!(are_right(&world, "micro", PASSWORD).await && are_right(&world, "countess", LINUS).await, "{on:?}");
        world.stop().await;
    }
}

/// an instance of before there were aliases, which is still there during an update, removes and renames accounts without
/// leaving their names. Somebody else can be called so all the same.
#[actix_web::test]
async fn a_name_that_was_left_by_an_older_instance_is_free() {
    for on in BOTH {
        let world = World::new(on).await;
        let acme = |users: &str| format!("[[tenant]]\ncode = \"acme\"\n{users}");
        let user = |name: &str| format!("[[tenant.user]]\nusername = \"{name}\"\n");
        world
            .apply(&acme(&(user("gone") + "alias = \"goner\"\n" + &user("lost") + &user("mary") + &user("jane"))))
            .await;
        for name in ["gone", "lost"] {
            world.execute("DELETE FROM user_account WHERE username = ?", name).await;
        }
        let renamed = "UPDATE user_account SET username = 'married', username_key = 'married' WHERE username = ?";
        world.execute(renamed, "mary").await;
        world.apply(&acme(&(user("gone") + &user("jane") + "alias = \"Goner\"\n"))).await;
        let table = world.folder().join("people.csv");
        std::fs::write(&table, "username,alias\nlost,\nhooke,Mary\n").unwrap();
        let said = world.command(&["user", "import", table.to_str().unwrap()]);
        assert!(said.contains("line 2 (lost): created") && said.contains("line 3 (hooke): created"), "{on:?}: {said}");
        assert!(world.refused(&["user", "alias", "jane", "married"]).contains("the alias is taken"), "{on:?}");
        world.stop().await;
    }
}

/// two who want one name at the same moment, at two instances, do not get it both.
#[actix_web::test]
async fn two_do_not_get_one_name() {
    for on in BOTH {
        let world = World::new(on).await;
        let (_, other) = world.second().await;
        let (tenant, now, house) = (world.tenant().await, world.clock_now(), &world.site.house);
        let found = async |connection: &mut _| users::named(connection, tenant, "ada").await;
        let ada = house.db.read(found).await.unwrap().unwrap();
        for number in 0..10 {
            let name = format!("wanted {number}");
            let called = User { alias: Some(name.clone()), ..ada.clone() };
            let made =
                User { id: house.entropy.id(), username: name.to_uppercase(), email: None, alias: None, ..ada.clone() };
            let alias = async |connection: &mut _| users::update(connection, &called, (None, false), now).await;
            let account = async |connection: &mut _| users::insert(connection, &made, now).await;
            let (alias, account) = join(house.db.write(alias), other.house.db.write(account)).await;
            match (alias, account) {
                (Ok(true), Err(error)) | (Err(error), Ok(())) => assert!(error.is_duplicate(), "{on:?}: {error}"),
                both => panic!("{on:?}, {name}: {both:?}"),
            }
        }
        world.stop().await;
    }
}

/// whoever changes an alias at the same moment as somebody else, at another instance, leaves no name behind that an account had
/// for a moment only: it would still find the account at the login.
#[actix_web::test]
async fn an_account_keeps_no_name_that_it_has_not() {
    for on in BOTH {
        let world = World::new(on).await;
        let (_, other) = world.second().await;
        let (tenant, now, house) = (world.tenant().await, world.clock_now(), &world.site.house);
        let found = async |connection: &mut _| users::named(connection, tenant, "ada").await;
        let ada = house.db.read(found).await.unwrap().unwrap();
        let left = "SELECT COUNT(*) AS n FROM login_name JOIN user_account ON user_account.id = login_name.user_id \
                    WHERE login_name.kind = 'alias' AND user_account.alias <> login_name.name_key";
        for number in 0..20 {
            let [one, two] = ["one", "two"].map(|word| User { alias: Some(format!("{word} {number}")), ..ada.clone() });
            let first = async |connection: &mut _| users::update(connection, &one, (None, false), now).await;
            let second = async |connection: &mut _| users::update(connection, &two, (None, false), now).await;
            let (first, second) = join(house.db.write(first), other.house.db.write(second)).await;
            assert!(first.unwrap() && second.unwrap(), "{on:?}, {number}");
            assert_eq!(world.number("SELECT COUNT(*) AS n FROM login_name WHERE kind = 'alias'").await, 1, "{on:?}");
            assert_eq!(world.number(left).await, 0, "{on:?}, {number}");
        }
        world.stop().await;
    }
}
