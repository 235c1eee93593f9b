//! what people may type to say who they are at the login.

use reqwest::Method;
use serde_json::json;
use vestibule::domain::operator::Role;

use crate::console::{at_console, call, call_with, console, key, staffed};
use crate::story::{PASSWORD, after_password, authorize, code_of, passcode_of_linus};
use crate::visitor::Visitor;
use crate::world::{BOTH, On, World};

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

/// however somebody is named, there is one counter and one lock, and the help desk opens it.
#[actix_web::test]
async fn all_names_of_an_account_have_one_counter() {
    for on in BOTH {
        let world = World::new(on).await;
        names(&world, "email = true").await;
        for name in ["ada", "ada@acme.test", "ADA", "Ada@ACME.test"] {
            world.advance(61);
            after_password(&world, &mut Visitor::new(&world.url), name, "certainly not").await;
        }
        assert_eq!(world.events("account_locked").await, 1, "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM failure").await, 1, "{on:?}");
        assert_eq!(
            world.number("SELECT COUNT(*) AS n FROM account_lock WHERE username_key = 'ada'").await,
            1,
            "{on:?}: the list of people shows it"
        );
        world.command(&["user", "unlock", "ada"]);
        assert!(are_right(&world, "ada@acme.test", PASSWORD).await, "{on:?}");
        world.stop().await;
    }
}

/// the setting in the apply file and its export, in the management API and at the console; nothing at all cannot be
/// taken.
#[actix_web::test]
async fn the_setting_goes_through_every_door() {
    for on in BOTH {
        let world = staffed(on).await;
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

/// settings that were stored before there was a choice take user names and nothing else.
#[actix_web::test]
async fn nothing_changes_for_anybody_who_did_not_ask() {
    let world = World::new(On::Sqlite).await;
    let export = world.command(&["export", "--tenant", "acme"]);
    let exported: toml::Table = export.parse().unwrap();
    let login = &exported["tenant"][0]["login"];
    assert_eq!((login["username"].as_bool(), login["email"].as_bool()), (Some(true), Some(false)), "{export}");
    world.stop().await;
}
