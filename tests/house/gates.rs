//! The gates of enrollment at first login (T-01): who has a stolen password and even the mailbox gets nowhere where one is
//! closed; the help desk opens it.

use vestibule::domain::audit::Actor;
use vestibule::flow::administration::Desk;
use vestibule::flow::administration::recovery::{self, Nameless, confirm_pass};
use vestibule::storage::{Connection, tenants, users};

use crate::story::{PASSWORD, after_password, code_of, oathtool};
use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, On, World};

/// Settings of self-provisioning on top of those of the story's tenant.
pub async fn set(world: &World, keys: &str) {
    world.apply(&format!("[[tenant]]\ncode = \"acme\"\n[tenant.self_provisioning]\n{keys}\n")).await;
}

const DAY: u64 = 86_400;

/// The page after ada's password, in a new browser.
async fn ada(world: &World) -> (Visitor, Seen) {
    let mut visitor = Visitor::new(&world.url);
    let seen = after_password(world, &mut visitor, "ada", PASSWORD).await;
    (visitor, seen)
}

/// Goes on from the offer to the end with a standard app; gives its secret.
pub async fn enroll_from_offer(world: &World, visitor: &mut Visitor, seen: &Seen) -> (Seen, String) {
    let before = world.codes("ada@acme.test").len();
    let seen = visitor.press(seen, "add-authenticator", &[]).await;
    from_mail(world, visitor, &seen, before).await
}

/// From the page that asks for the mailed code to the choice of a device.
pub async fn to_choice(world: &World, visitor: &mut Visitor, seen: &Seen, before: usize) -> Seen {
    assert_eq!(seen.title(), "Enter the code from your email", "{}", seen.body);
    let code = world.code("ada@acme.test", before).await;
    visitor.press(seen, "continue", &[("code", &code)]).await
}

/// The same, from the page that asks for the mailed code; `before` mails with codes had come before it.
pub async fn from_mail(world: &World, visitor: &mut Visitor, seen: &Seen, before: usize) -> (Seen, String) {
    let seen = to_choice(world, visitor, seen, before).await;
    let seen = visitor.press(&seen, "platform-oath_app", &[]).await;
    let secret = seen.find("[data-activation-string]").expect("a key").replace(' ', "");
    let code = oathtool(world, &secret, "--totp=sha1", "6");
    (visitor.press(&seen, "continue", &[("code", &code)]).await, secret)
}

/// AC-02, T-01: an account that nobody has used for 31 days is not offered anything; the page names the help desk, one event
/// says why, and neither a mail nor an enrollment comes of it. An operator opens it again.
#[actix_web::test]
async fn a_dormant_account_is_not_offered_anything() {
    for on in BOTH {
        let world = World::new(on).await;
        set(&world, "dormant_days = 30").await;
        let (_, seen) = ada(&world).await;
        assert_eq!(seen.title(), "Add an authenticator", "{on:?}: a new account is not dormant");
        world.advance(31 * DAY);
        let (mut visitor, seen) = ada(&world).await;
        assert_eq!(seen.title(), "You need an authenticator", "{on:?}");
        for said in
            ["Nobody has logged in with your account for a long time", "Contact your help desk", "help@acme.test"]
        {
            assert!(seen.body.contains(said), "{on:?}: {said}: {}", seen.body);
        }
        // AC-04: posting the form of the offer anyway is refused, and looking again writes nothing new.
        let (address, fields) = seen.form("return");
        let refused = visitor.post(&address.replace("/cancel", "/add-authenticator"), &fields).await;
        assert_eq!(refused.status, 403, "{on:?}: {}", refused.body);
        visitor.get(&seen.url).await;
        assert_eq!(world.events("enrollment_withheld").await, 1, "{on:?}");
        let detail = world.text("SELECT detail AS t FROM audit_event WHERE action = 'enrollment_withheld'").await;
        assert!(detail.contains("\"reason\":\"dormant\"") && detail.contains("no login since"), "{on:?}: {detail}");
        assert!(world.mail.to("ada@acme.test").is_empty(), "{on:?}");
        assert_eq!(world.events("enrollment_started").await, 0, "{on:?}");
        // Away from the page, the application hears of it, and the reason is read back.
        let seen = visitor.press(&seen, "return", &[]).await;
        assert!(seen.leaves_to.expect("back").contains("error=access_denied"), "{on:?}");
        let explained = world.command(&["user", "explain", "ada"]);
        assert!(explained.contains("ada: account enabled"), "{on:?}: {explained}");
        world.stop().await;
    }
}

/// T-01: the window begins with the account, with a change of groups or of the settings, and when an operator opens it
/// again; a change that moves nobody opens nothing.
#[actix_web::test]
async fn the_window_of_enrollment() {
    for on in BOTH {
        let world = World::new(on).await;
        set(&world, "enrollment_window_days = 14").await;
        let (_, seen) = ada(&world).await;
        assert_eq!(seen.title(), "Add an authenticator", "{on:?}");
        world.advance(15 * DAY);
        let (_, seen) = ada(&world).await;
        assert!(seen.body.contains("The time in which you could add one by yourself is over"), "{on:?}: {}", seen.body);
        // The settings name another group, which ada is not in; then ada comes into it, too.
        let file = "[[tenant]]\ncode = \"acme\"\n[[tenant.group]]\nname = \"sales\"\n[tenant.self_provisioning]\n\
                    target_users = \"members_of\"\ngroups = [\"pilot\", \"sales\"]\n";
        world.apply(file).await;
        let in_groups = |groups: &str| {
            format!("[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"ada\"\ngroups = [{groups}]\n")
        };
        world.apply(&in_groups("\"pilot\", \"sales\"")).await;
        let (_, seen) = ada(&world).await;
        assert_eq!(seen.title(), "You need an authenticator", "{on:?}: she was in the rollout all the time");
        world.apply(&in_groups("")).await;
        world.advance(60);
        world.apply(&in_groups("\"sales\"")).await;
        let (_, seen) = ada(&world).await;
        assert_eq!(seen.title(), "Add an authenticator", "{on:?}: out and in again");
        world.advance(15 * DAY);
        let (_, seen) = ada(&world).await;
        assert_eq!(seen.title(), "You need an authenticator", "{on:?}");
        // From members of groups to everybody but them, and back to her groups: she comes in anew.
        set(&world, "target_users = \"none\"").await;
        world.advance(60);
        set(&world, "target_users = \"members_of\"").await;
        let (_, seen) = ada(&world).await;
        assert_eq!(seen.title(), "Add an authenticator", "{on:?}: the settings moved her");
        world.stop().await;
    }
}

/// T-01: enrollment from the networks that the settings name, and from nowhere else.
#[actix_web::test]
async fn known_networks_only() {
    let world = World::new(On::Sqlite).await;
    set(&world, "enrollment_networks = [\"10.0.0.0/8\", \"2001:db8::/32\"]").await;
    let (_, seen) = ada(&world).await;
    assert!(seen.body.contains("only from your organization’s network"), "{}", seen.body);
    set(&world, "enrollment_networks = [\"127.0.0.0/8\"]").await;
    let (_, seen) = ada(&world).await;
    assert_eq!(seen.title(), "Add an authenticator");
    // What is wrong is named with its key, and what the service writes down cannot be given.
    for (keys, fault) in [
        ("enrollment_networks = [\"everywhere\"]", "enrollment_networks"),
        ("enrollment_window_days = 366", "must be from 0 to 365"),
        ("dormant_days = 3651", "must be from 0 to 3650"),
        ("help_desk_pass_minutes = 0", "must be from 1 to 120"),
        ("help_desk_pass = \"always\"", "unknown variant `always`"),
        ("earlier = []", "unknown field `earlier`"),
    ] {
        let file = format!("[[tenant]]\ncode = \"acme\"\n[tenant.self_provisioning]\n{keys}\n");
        let said = world.try_apply(&file).await.expect_err(keys);
        assert!(said.contains(fault), "{keys}: {said}");
    }
    let written = world.command(&["export"]);
    for key in ["enrollment_window_days = 0", "enrollment_networks = [\"127.0.0.0/8\"]", "help_desk_pass = \"none\""] {
        assert!(written.contains(key), "{key}: {written}");
    }
    assert!(!written.contains("earlier"), "{written}");
    world.apply(&written).await;
    world.stop().await;
}

/// Makes a pass as an operator; gives the code.
pub fn pass(world: &World) -> String {
    let said = world.command(&["user", "pass", "ada"]);
    said.lines().next().expect("a pass").to_owned()
}

/// T-01, AC-02: the pass of the help desk opens the gate in one login, once, for minutes; a wrong one is counted.
#[actix_web::test]
async fn a_pass_opens_the_gate_of_one_login() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        set(&world, "enrollment_networks = [\"10.0.0.0/8\"]\nhelp_desk_pass = \"opens_gates\"").await;
        let (mut visitor, gate) = ada(&world).await;
        assert_eq!(gate.title(), "You need an authenticator", "{on:?}");
        assert!(gate.body.contains("Pass from your help desk"), "{on:?}: {}", gate.body);
        let seen = visitor.press(&gate, "continue", &[("code", "12345-67890")]).await;
        assert!(seen.complaint().contains("does not work"), "{on:?}: {}", seen.body);
        assert_eq!(seen.title(), "You need an authenticator", "{on:?}: on the same page");
        let code = pass(&world);
        assert!(code.len() == 11 && code.chars().all(|c| c.is_ascii_digit() || c == '-'), "{on:?}: {code}");
        // Typed as people type, and once: another login of hers meets the gate again.
        let seen = visitor.press(&seen, "continue", &[("code", &code.replace('-', " "))]).await;
        assert_eq!(seen.title(), "Add an authenticator", "{on:?}: {}", seen.body);
        let (mut other, again) = ada(&world).await;
        let refused = other.press(&again, "continue", &[("code", &code)]).await;
        assert!(refused.complaint().contains("does not work"), "{on:?}: single use: {}", refused.body);
        let (seen, _) = enroll_from_offer(&world, &mut visitor, &seen).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        for (event, count) in [("help_desk_pass_made", 1), ("help_desk_pass_used", 1), ("recovery_code_rejected", 2)] {
            assert_eq!(world.events(event).await, count, "{on:?}: {event}");
        }
        let kept = world.text("SELECT code_hash AS t FROM help_desk_code").await;
        assert!(!kept.contains(&code.replace('-', "")), "{on:?}: it is kept as a hash");
        // The command put the letter into the outbox, by its own clock; the service looks there every few seconds.
        world.advance(120);
        assert!(world.letters("ada@acme.test", "has given out a code").await > 0, "{on:?}: she is told");
        world.stop().await;
    }
}

/// T-01: a pass is short-lived; a new one voids the one before; where nobody enrolls without one, everybody needs one; where
/// there are none, none is made.
#[actix_web::test]
async fn a_pass_is_short_lived() {
    let world = World::at_this_time(On::Sqlite).await;
    let refused = world.refused(&["user", "pass", "ada"]);
    assert!(refused.contains("passes are not taken here"), "{refused}");
    set(&world, "help_desk_pass = \"required\"\nhelp_desk_pass_minutes = 5").await;
    let refused = world.refused(&["user", "pass", "barbara"]);
    assert!(refused.contains("a pass would not help barbara") && refused.contains("not_targeted"), "{refused}");
    let (mut visitor, gate) = ada(&world).await;
    assert!(gate.body.contains("you need a pass from your help desk"), "{}", gate.body);
    let (first, second) = (pass(&world), pass(&world));
    let seen = visitor.press(&gate, "continue", &[("code", &first)]).await;
    assert!(seen.complaint().contains("does not work"), "the second one voids it: {}", seen.body);
    world.advance(5 * 60 + 30);
    let (mut visitor, gate) = ada(&world).await;
    let seen = visitor.press(&gate, "continue", &[("code", &second)]).await;
    assert!(seen.complaint().contains("does not work"), "too late: {}", seen.body);
    world.stop().await;
}

/// The tenant may want two operators for a pass: the one who made it cannot confirm it.
#[actix_web::test]
async fn a_second_operator_confirms_a_pass() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        set(&world, "help_desk_pass = \"required\"\nhelp_desk_pass_confirmed = true").await;
        let (mut visitor, gate) = ada(&world).await;
        let made = world.command(&["user", "pass", "ada", "--json"]);
        let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
        assert_eq!(made["waits"], true, "{on:?}: {made}");
        let code = made["pass"].as_str().expect("a pass");
        let seen = visitor.press(&gate, "continue", &[("code", code)]).await;
        assert!(seen.complaint().contains("does not work"), "{on:?}: not yet: {}", seen.body);
        let refused = world.refused(&["user", "confirm-pass", "ada"]);
        assert!(refused.contains("or you made it yourself"), "{on:?}: {refused}");
        let henry = world.desk("henry");
        let confirm = async || {
            let work = async |connection: &mut Connection| {
                let config = tenants::config(connection, &"acme".parse().unwrap()).await?.unwrap();
                let ada = users::named(connection, config.tenant.id, "ada").await?.unwrap();
                confirm_pass(&henry, connection, &config, &ada).await
            };
            world.site.house.db.write(work).await.unwrap().unwrap()
        };
        assert!(confirm().await.is_some(), "{on:?}");
        assert!(confirm().await.is_none(), "{on:?}: nothing waits any more");
        let seen = visitor.press(&seen, "continue", &[("code", code)]).await;
        assert_eq!(seen.title(), "Add an authenticator", "{on:?}: {}", seen.body);
        let by = world.text("SELECT confirmed_by AS t FROM help_desk_code").await;
        assert_eq!((by.as_str(), world.events("help_desk_pass_confirmed").await), ("henry", 1), "{on:?}");
        world.stop().await;
    }
}

/// T-62: where a pass takes two operators, a key and an account without a name are neither of them: not in its making, and not in
/// its confirmation. One name is one person, at the shell and at the console. Nor does one alone let somebody
/// enroll again after a loss.
#[actix_web::test]
async fn a_key_is_no_second_operator() {
    for on in BOTH {
        let world = crate::console::staffed(on).await;
        let key = crate::console::key(&world, vestibule::domain::operator::Role::Operator).await;
        let tenant = world.tenant().await;
        let found = async |connection: &mut Connection| {
            let (ada, oona) =
                (users::named(connection, tenant, "ada").await?, users::named(connection, tenant, "oona"));
            Ok((ada.unwrap(), oona.await?.unwrap()))
        };
        let (ada, oona) = world.site.house.db.read(found).await.unwrap();
        let post = async |what: &str| {
            let path = format!("users/{}/{what}", ada.id);
            crate::console::call(&world, &key, reqwest::Method::POST, &path, None).await
        };
        set(&world, "help_desk_pass = \"required\"").await;
        assert_eq!(post("pass").await.0, 201, "{on:?}: one is enough");
        let again = async |word: &str| {
            let (path, body) = (format!("users/{}/enroll-again", ada.id), serde_json::json!({ "again": word }));
            crate::console::call(&world, &key, reqwest::Method::POST, &path, Some(body)).await
        };
        let allowed = "SELECT COUNT(*) AS n FROM user_account WHERE username = 'ada' AND may_enroll_again = 1";
        for (word, number) in [("forbid", 0), ("allow", 1), ("default", 0)] {
            assert_eq!(again(word).await.0, 204, "{on:?}: {word}");
            assert_eq!(world.number(allowed).await, number, "{on:?}: {word}");
        }
        assert_eq!(again("perhaps").await.0, 400, "{on:?}");
        let written = "SELECT COUNT(*) AS n FROM audit_event WHERE action = 'user_changed' AND actor_kind = 'api_key'";
        assert_eq!(world.number(written).await, 3, "{on:?}: R-561");
        set(&world, "help_desk_pass = \"required\"\nhelp_desk_pass_confirmed = true").await;
        let (status, said) = post("pass").await;
        assert_eq!((status, &said["code"]), (409, &serde_json::json!("pass.two_operators")), "{on:?}: {said}");
        assert_eq!(world.events("help_desk_pass_made").await, 1, "{on:?}");
        let (status, said) = again("allow").await;
        assert_eq!((status, &said["code"]), (409, &serde_json::json!("enrollment.two_operators")), "{on:?}: {said}");
        assert_eq!(again("forbid").await.0, 204, "{on:?}: that lets nobody in");

        let config = async |connection: &mut Connection| tenants::config(connection, &"acme".parse().unwrap()).await;
        let config = world.site.house.db.read(config).await.unwrap().unwrap();
        let by = |actor: Actor| Desk { actor, ..world.desk("") };
        let at_console = by(Actor::Operator(oona.id, "oona".to_owned()));
        let make = async |connection: &mut Connection| recovery::pass(&at_console, connection, &config, &ada).await;
        assert!(world.site.house.db.write(make).await.unwrap().unwrap().waits, "{on:?}");
        let (status, said) = post("pass-confirmation").await;
        assert_eq!((status, &said["code"]), (409, &serde_json::json!("pass.two_operators")), "{on:?}: {said}");
        for (actor, expected) in [
            (Actor::Shell(" ".to_owned()), Err(Nameless)),
            (Actor::System, Err(Nameless)),
            (Actor::Shell("Oona".to_owned()), Ok(false)),
            (Actor::Shell("henry".to_owned()), Ok(true)),
        ] {
            let desk = by(actor);
            let confirm = async |connection: &mut Connection| confirm_pass(&desk, connection, &config, &ada).await;
            let done = world.site.house.db.write(confirm).await.unwrap();
            assert_eq!(done.map(|until| until.is_some()), expected, "{on:?}: {:?}", desk.actor);
        }
        world.stop().await;
    }
}

/// AC-03, R-084, T-01: somebody whose last authenticator was revoked is offered another one, unless the operator who revoked
/// it said that it takes help: then there is the recovery path, and not first enrollment.
#[actix_web::test]
async fn who_had_an_authenticator_is_recovering() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        set(&world, "enrollment_window_days = 14").await;
        world.execute("UPDATE token SET state = ? WHERE enrolled_by = 'import'", "revoked").await;
        let page = async || {
            let mut linus = Visitor::new(&world.url);
            let seen = after_password(&world, &mut linus, "linus", "has a token already").await;
            (linus, seen)
        };
        assert_eq!(page().await.1.title(), "Add an authenticator", "{on:?}: R-084");
        world.execute("UPDATE user_account SET may_enroll_again = ? WHERE username = 'linus'", "0").await;
        let (mut linus, seen) = page().await;
        assert!(seen.body.contains("The one that you had was removed"), "{on:?}: AC-03: {}", seen.body);
        let (address, fields) = seen.form("return");
        let refused = linus.post(&address.replace("/cancel", "/add-authenticator"), &fields).await;
        assert_eq!(refused.status, 403, "{on:?}: {}", refused.body);
        let detail = world.text("SELECT detail AS t FROM audit_event WHERE action = 'enrollment_withheld'").await;
        assert!(detail.contains("\"reason\":\"recovery_needed\""), "{on:?}: {detail}");
        assert_eq!(
            world.number("SELECT COUNT(*) AS n FROM alert WHERE kind = 'enrollment_withheld'").await,
            1,
            "{on:?}"
        );
        set(&world, "help_desk_pass = \"opens_gates\"").await;
        let (mut linus, seen) = page().await;
        let made = world.command(&["user", "pass", "linus"]);
        let code = made.lines().next().expect("a pass");
        let seen = linus.press(&seen, "continue", &[("code", code)]).await;
        assert_eq!(seen.title(), "Add an authenticator", "{on:?}: {}", seen.body);
        world.stop().await;
    }
}
