//! The life of tokens as the help desk moves it, templates and their versions, on both databases.

use std::process::Output;

use futures_util::future::join_all;
use serde_json::Value;
use vestibule::clock::Entropy;
use vestibule::domain::audit::Actor;
use vestibule::domain::authenticator::lifecycle::{Disposition, Kind, LockReason, Move, State};
use vestibule::domain::authenticator::template::TokenTemplate;
use vestibule::domain::ids::Id;
use vestibule::domain::policy::platform::Platform;
use vestibule::flow::administration::Desk;
use vestibule::flow::lifecycle::{self, By, Ending};
use vestibule::storage::tokens::{self, Filter, Moved, Name, Token};
use vestibule::storage::{Connection, users};

use crate::story::{PASSWORD, after_password, authorize, code_of, oathtool, passcode_of_linus, to_platforms};
use crate::visitor::Visitor;
use crate::world::{BOTH, On, World};

/// What a command prints, as JSON.
pub fn json(world: &World, arguments: &[&str]) -> Value {
    let all = [arguments, &["--json"]].concat();
    serde_json::from_str(&world.command(&all)).unwrap()
}

/// A command that fails: its exit code, standard output and standard error.
fn failed(output: &Output) -> (Option<i32>, String, String) {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn serial_of(world: &World, user: &str) -> String {
    json(world, &["token", "list", "--user", user])["tokens"][0]["serial"].as_str().unwrap().to_owned()
}

/// The details of the newest audit event of a kind.
async fn newest(world: &World, action: &'static str) -> Value {
    let question = match action {
        "token_suspended" => "SELECT detail AS it FROM audit_event WHERE action = 'token_suspended' ORDER BY at",
        "token_revoked" => "SELECT detail AS it FROM audit_event WHERE action = 'token_revoked' ORDER BY at",
        "user_changed" => "SELECT detail AS it FROM audit_event WHERE action = 'user_changed' ORDER BY at",
        "template_changed" => "SELECT detail AS it FROM audit_event WHERE action = 'template_changed' ORDER BY at",
        other => panic!("{other} is not asked for here"),
    };
    serde_json::from_str(world.column(question).await.last().unwrap()).unwrap()
}

/// part B2: every state as the help desk reaches it, what it prints, and its audit event.
#[actix_web::test]
async fn the_help_desk_moves_a_token_through_its_life() {
    for on in BOTH {
        let world = World::new(on).await;
        let serial = serial_of(&world, "LINUS");
        assert_eq!(json(&world, &["token", "show", &serial])["provisioning"], "pending", "R-345 {on:?}");
        let mut linus = Visitor::new(&world.url);
        let page = after_password(&world, &mut linus, "linus", "has a token already").await;
        linus.press(&page, "continue", &[("code", &passcode_of_linus(&world))]).await;
        let shown = json(&world, &["token", "show", &serial]);
        assert_eq!((&shown["provisioning"], &shown["state"]), (&"completed".into(), &"active".into()), "{on:?}");
        for (command, state) in [
            (&["suspend"][..], "suspended"),
            (&["reactivate"], "active"),
            (&["lock"], "locked"),
            (&["unlock"], "active"),
            (&["lock"], "locked"),
            (&["resume"], "active"),
            (&["suspend", "--reason", "left in a taxi"], "suspended"),
        ] {
            let all = [&["token"], command, &[&serial]].concat();
            let told = json(&world, &all);
            assert_eq!(told["results"][0]["state"], state, "{on:?} {command:?}");
            assert_eq!(told["done"], 1);
        }
        let event = newest(&world, "token_suspended").await;
        assert_eq!((&event["reason"], &event["from"]), (&"left in a taxi".into(), &"active".into()), "{on:?}");
        assert_eq!(json(&world, &["token", "show", &serial])["state_reason"], "left in a taxi");
        world.command(&["token", "revoke", &serial, "--disposition", "lost"]);
        let shown = json(&world, &["token", "show", &serial]);
        assert_eq!((&shown["state"], &shown["disposition"]), (&"revoked".into(), &"lost".into()), "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM token WHERE secret_sealed IS NOT NULL").await, 0, "R-347");
        assert_eq!(newest(&world, "token_revoked").await["disposition"], "lost");
        assert_eq!(json(&world, &["user", "show", "linus"])["may_enroll_again"], false, "T-01: lost is recovery");
        let states = json(&world, &["token", "states"]);
        assert_eq!(states["states"][0]["count"], 1, "R-356: {states}");
        world.stop().await;
    }
}

/// The operator's choice whether somebody may enroll again, and what each disposition means without one (T-01, AC-03). The trail tells
/// what it was and what it is.
#[actix_web::test]
async fn revoking_says_whether_the_person_may_enroll_again() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        let tenant = world.tenant().await;
        let house = &world.site.house;
        let linus = house.db.read(async |connection| users::named(connection, tenant, "linus").await).await;
        let linus = linus.unwrap().unwrap().id;
        for (number, (more, expected)) in [
            (&["--disposition", "returned"][..], Value::Null),
            (&["--disposition", "lost"], false.into()),
            (&["--disposition", "faulty", "--allow-enrollment"], true.into()),
            (&["--disposition", "for_cause"], false.into()),
            (&["--disposition", "lost", "--allow-enrollment"], true.into()),
            (&["--no-enrollment"], false.into()),
        ]
        .into_iter()
        .enumerate()
        {
            let serial = format!("HW{number}");
            let token = Token {
                user: Some(linus),
                state: State::Active,
                ..Token::blank(Entropy::System.id(), tenant, Kind::Oath, serial.clone(), TokenTemplate::oath())
            };
            house.db.write(async |connection| tokens::insert(connection, &token).await).await.unwrap();
            world.command(&[&["token", "revoke", &serial], more].concat());
            assert_eq!(json(&world, &["user", "show", "linus"])["may_enroll_again"], expected, "{on:?} {more:?}");
        }
        world.command(&["user", "enrollment", "linus", "--again", "default"]);
        assert_eq!(json(&world, &["user", "show", "linus"])["may_enroll_again"], Value::Null, "{on:?}");
        let written = newest(&world, "user_changed").await;
        let word = |allowed: Option<bool>| serde_json::json!({ "may_enroll_again": allowed });
        assert_eq!((&written["old"], &written["new"]), (&word(Some(false)), &word(None)), "{on:?}: {written}");
        assert_eq!(written["username"], "linus", "{on:?}");
        world.stop().await;
    }
}

/// several at a time, with a summary; what cannot be done is told and does not keep the rest from being done.
#[actix_web::test]
async fn several_serials_end_in_a_summary() {
    let world = World::new(On::Sqlite).await;
    let serial = serial_of(&world, "linus");
    let run = world.tried(&["token", "suspend", &serial, "VENOWHERE", &serial]);
    let (code, out, err) = failed(&run);
    assert_eq!(code, Some(1));
    assert_eq!(out, format!("{serial} is suspended\n1 done, 2 failed\n"));
    assert!(err.contains("there is no authenticator VENOWHERE") && err.contains("is suspended; that cannot"), "{err}");
    let run = world.tried(&["token", "revoke", &serial, "VENOWHERE", "--json"]);
    assert_eq!(run.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!((&told["done"], &told["failed"]), (&1.into(), &1.into()), "{told}");
    assert_eq!(told["results"][1]["done"], false);
    let (code, _, err) = failed(&world.tried(&["token", "unlock", &serial]));
    assert!(code == Some(1) && err.contains("is revoked; that cannot be done to it"), "INV-10: {err}");
    let (code, _, err) = failed(&world.tried(&["token", "list", "--state", "sleeping"]));
    assert!(code == Some(2) && err.contains("inventory, assigned, active"), "{err}");
    world.stop().await;
}

/// after too many wrong PINs only a new enrollment helps, and the command says so. R-336: a locked account shows so.
#[actix_web::test]
async fn locks_have_reasons() {
    for on in BOTH {
        let world = World::new(on).await;
        let serial = serial_of(&world, "linus");
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.lockout]\nthreshold = 1\n").await;
        for number in 0..2 {
            let mut visitor = Visitor::new(&world.url);
            after_password(&world, &mut visitor, "linus", &format!("wrong {number}")).await;
        }
        let shown = json(&world, &["token", "show", &serial]);
        assert_eq!((&shown["state"], &shown["locked_by"]), (&"locked".into(), &"account".into()), "R-336 {on:?}");
        world.command(&["user", "unlock", "linus"]);
        assert_eq!(json(&world, &["token", "show", &serial])["state"], "active", "R-336 {on:?}");
        let (house, tenant) = (&world.site.house, world.tenant().await);
        let desk = Desk { house, actor: Actor::System, address: String::new(), now: world.clock_now() };
        let by = By::desk(&desk);
        let token = house.db.read(async |connection| tokens::with_serial(connection, tenant, &serial).await).await;
        let token = token.unwrap().unwrap();
        let step = (Move::Lock(LockReason::Pin), "the device says so");
        let moved = house
            .db
            .write(async |connection| lifecycle::carry_out(connection, house, &by, &token, step, Ending::All).await)
            .await;
        assert_eq!(moved.unwrap(), Moved::To(State::Locked));
        let (code, _, err) = failed(&world.tried(&["token", "unlock", &serial]));
        assert!(code == Some(1) && err.contains("too many wrong PINs"), "{on:?}: {err}");
        assert_eq!(json(&world, &["token", "show", &serial])["locked_by"], "pin", "{on:?}");
        world.command(&["token", "revoke", &serial]);
        world.stop().await;
    }
}

/// INV-10: of sixteen that move a token at once, one does, whatever the others want.
#[actix_web::test]
async fn a_token_is_moved_once_at_a_time() {
    for on in BOTH {
        let world = World::new(on).await;
        let (_, second) = world.second().await;
        let (serial, tenant) = (serial_of(&world, "linus"), world.tenant().await);
        let first = &world.site.house;
        let token = first.db.read(async |connection| tokens::with_serial(connection, tenant, &serial).await).await;
        let token = token.unwrap().unwrap();
        let moves = [Move::Suspend, Move::Lock(LockReason::Operator), Move::Revoke(Disposition::Faulty)];
        let tries = (0..16).map(|number| {
            let (house, token) = (if number % 2 == 0 { first } else { &second.house }, &token);
            let by = By::desk(&Desk { house, actor: Actor::System, address: String::new(), now: world.clock_now() });
            let step = moves[number % moves.len()];
            async move {
                let work = async |connection: &mut Connection| {
                    lifecycle::carry_out(connection, house, &by, token, (step, "race"), Ending::All).await
                };
                house.db.write(work).await.unwrap()
            }
        });
        let moved = join_all(tries).await;
        assert_eq!(moved.iter().filter(|moved| moved.done()).count(), 1, "{on:?}: {moved:?}");
        assert!(moved.iter().all(|moved| moved.done() || *moved == Moved::Overtaken), "{on:?}: {moved:?}");
        let events = world.events("token_suspended").await
            + world.events("token_locked").await
            + world.events("token_revoked").await;
        assert_eq!(events, 1, "{on:?}: one move, one event (INV-8)");
        world.stop().await;
    }
}

/// with `--keep-sessions` a session that another proof opened stays; without, every session ends.
#[actix_web::test]
async fn sessions_end_with_a_token_as_the_operator_wants() {
    for on in BOTH {
        let world = World::new(on).await;
        let serial = serial_of(&world, "linus");
        let mut linus = Visitor::new(&world.url);
        let page = after_password(&world, &mut linus, "linus", "has a token already").await;
        let seen = linus.press(&page, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert!(!code_of(&seen).0.is_empty());
        let living = "SELECT COUNT(*) AS n FROM sso_session WHERE ended_at IS NULL";
        assert_eq!(world.number(living).await, 1);
        // A session that some other token opened.
        world.execute("UPDATE sso_session SET token_id = ?", &Id::<u8>::from_bits(7).to_string()).await;
        world.command(&["token", "suspend", &serial, "--keep-sessions"]);
        assert_eq!(world.number(living).await, 1, "{on:?}");
        world.command(&["token", "reactivate", &serial]);
        world.command(&["token", "suspend", &serial]);
        assert_eq!(world.number(living).await, 0, "{on:?}");
        world.stop().await;
    }
}

/// INV-11: a passcode of a token that was stopped since counts for nothing in a login that goes on.
#[actix_web::test]
async fn a_stopped_token_proves_nothing_in_an_open_login() {
    for on in BOTH {
        let world = World::new(on).await;
        let serial = serial_of(&world, "linus");
        let mut linus = Visitor::new(&world.url);
        let page = after_password(&world, &mut linus, "linus", "has a token already").await;
        let code = passcode_of_linus(&world);
        // The proof is there, the answer is not: the token is stopped between the two.
        let (address, mut fields) = page.form("continue");
        fields.push(("code".to_owned(), code));
        let accepted = linus.once(reqwest::Method::POST, &address, Some(fields)).await;
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM evidence WHERE kind = 'otp'").await, 1, "{on:?}");
        world.command(&["token", "suspend", &serial, "--keep-sessions"]);
        let seen = linus.get(accepted.headers["location"].to_str().unwrap()).await;
        assert!(seen.leaves_to.is_none(), "{on:?}: {:?}", seen.leaves_to);
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM oidc_grant").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// searched by each field, a page at a time, nothing twice and nothing left out.
#[actix_web::test]
async fn the_list_is_searched_and_goes_on_where_it_ended() {
    for on in BOTH {
        let world = World::new(on).await;
        let (house, tenant) = (&world.site.house, world.tenant().await);
        let ada = house.db.read(async |connection| users::named(connection, tenant, "ada").await).await;
        let ada = ada.unwrap().unwrap().id;
        let made: Vec<Token> = (0..30_u32)
            .map(|number| {
                let kind = Kind::ALL[number as usize % 3];
                let blank = Token::blank(
                    Entropy::System.id(),
                    tenant,
                    kind,
                    format!("HW{number:03}"),
                    TokenTemplate::shipped(kind),
                );
                Token {
                    user: (number % 5 == 0).then_some(ada),
                    state: if number % 2 == 0 { State::Active } else { State::Suspended },
                    platform: (kind == Kind::App).then_some(Platform::Ios),
                    ..blank
                }
            })
            .collect();
        let work = async |connection: &mut Connection| {
            for token in &made {
                tokens::insert(connection, token).await?;
            }
            Ok(())
        };
        house.db.write(work).await.unwrap();
        let begins = |name: &str| Some(Name::Begins(name.to_owned()));
        for (filter, expected) in [
            (Filter::default(), 31),
            (Filter { serial: "HW01".to_owned(), ..Filter::default() }, 10),
            (Filter { state: Some(State::Suspended), ..Filter::default() }, 15),
            (Filter { kind: Some(Kind::Oath), ..Filter::default() }, 10),
            (Filter { platform: Some(Platform::Ios), ..Filter::default() }, 10),
            (Filter { state: Some(State::Active), kind: Some(Kind::App), ..Filter::default() }, 5),
            (Filter { state: Some(State::Active), platform: Some(Platform::Ios), ..Filter::default() }, 5),
            (Filter { kind: Some(Kind::Oath), platform: Some(Platform::Ios), ..Filter::default() }, 0),
            (Filter { user: begins("A"), ..Filter::default() }, 6),
            (Filter { user: begins(""), ..Filter::default() }, 7),
            (Filter { user: Some(Name::Is("ADA".to_owned())), kind: Some(Kind::App), ..Filter::default() }, 2),
            (Filter { user: Some(Name::Is("nobody".to_owned())), ..Filter::default() }, 0),
        ] {
            for limit in [1, 4, 100] {
                let (mut serials, mut next) = (Vec::new(), None);
                loop {
                    let after: Option<String> = next.take();
                    let question = async |connection: &mut Connection| {
                        tokens::search(connection, tenant, &filter, after.as_deref(), limit).await
                    };
                    let page = house.db.read(question).await.unwrap();
                    serials.extend(page.entries.iter().map(|listed| listed.token.serial.clone()));
                    next = page.next;
                    if next.is_none() {
                        break;
                    }
                }
                assert_eq!(serials.len(), expected, "{on:?} {filter:?} {limit}");
                serials.sort();
                serials.dedup();
                assert_eq!(serials.len(), expected, "{on:?} {filter:?} {limit}: nothing twice");
            }
        }
        let part = json(&world, &["token", "list", "--state", "suspended", "--limit", "3"]);
        assert_eq!(part["tokens"].as_array().unwrap().len(), 3);
        let after = part["next"].as_str().unwrap();
        let part = json(&world, &["token", "list", "--state", "suspended", "--limit", "3", "--after", after]);
        assert_eq!(part["tokens"][0]["serial"], "HW007", "{on:?}");
        let people = json(&world, &["user", "list", "--name", "a", "--limit", "1"]);
        assert_eq!((&people["users"][0]["username"], &people["next"]), (&"ada".into(), &Value::Null), "{on:?}");
        let people = json(&world, &["user", "list", "--limit", "2"]);
        assert_eq!(people["next"], "barbara", "{on:?}");
        world.stop().await;
    }
}

/// Imported tokens are given out, taken back and given to somebody else, within the limit of tokens for one person.
#[actix_web::test]
async fn imported_tokens_are_given_out_and_taken_back() {
    for on in BOTH {
        let world = World::new(on).await;
        for wrong in [0, 11] {
            let file = format!("[[tenant]]\ncode = \"acme\"\n[tenant.tokens]\nmax_per_user = {wrong}\n");
            assert!(world.try_apply(&file).await.unwrap_err().contains("max_per_user"), "{on:?}: R-096: {wrong}");
        }
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.tokens]\nmax_per_user = 1\n").await;
        let (house, tenant) = (&world.site.house, world.tenant().await);
        let blank = Token::blank(Entropy::System.id(), tenant, Kind::Oath, "HW1".to_owned(), TokenTemplate::oath());
        house.db.write(async |connection| tokens::insert(connection, &blank).await).await.unwrap();
        let told = json(&world, &["token", "assign", "HW1", "ada", "--reserve"]);
        assert_eq!(told["state"], "assigned", "{on:?}");
        let mut ada = Visitor::new(&world.url);
        let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
        assert!(seen.has_action("add-authenticator"), "R-082: a reservation is no token: {}", seen.body);
        world.command(&["token", "activate", "HW1"]);
        assert_eq!(json(&world, &["user", "show", "ada"])["active_authenticators"], 1, "{on:?}");
        world.command(&["token", "release", "HW1"]);
        let shown = json(&world, &["token", "show", "HW1"]);
        assert_eq!((&shown["state"], &shown["user"]), (&"inventory".into(), &Value::Null), "{on:?}");
        world.command(&["token", "assign", "HW1", "barbara"]);
        assert_eq!(json(&world, &["token", "list", "--user", "barbara"])["tokens"][0]["state"], "active", "{on:?}");
        let other = Token::blank(Entropy::System.id(), tenant, Kind::Oath, "HW2".to_owned(), TokenTemplate::oath());
        house.db.write(async |connection| tokens::insert(connection, &other).await).await.unwrap();
        let (code, _, err) = failed(&world.tried(&["token", "assign", "HW2", "barbara"]));
        assert!(code == Some(1) && err.contains("as many as anybody may have"), "{on:?}: {err}");
        let (code, _, err) = failed(&world.tried(&["token", "assign", "HW1", "ada"]));
        assert!(code == Some(1) && err.contains("HW1 is active"), "{on:?}: {err}");
        world.stop().await;
    }
}

/// whoever is deleted leaves no token and no activation that works behind. R-352: disabling touches no token.
#[actix_web::test]
async fn accounts_end_with_everything_that_is_theirs() {
    for on in BOTH {
        let world = World::new(on).await;
        let serial = serial_of(&world, "linus");
        world.command(&["user", "disable", "linus"]);
        assert_eq!(json(&world, &["token", "show", &serial])["state"], "active", "R-352 {on:?}");
        assert_eq!(json(&world, &["token", "show", &serial])["user_status"], "disabled");
        world.command(&["user", "enable", "linus"]);
        let mut ada = Visitor::new(&world.url);
        let page = to_platforms(&world, &mut ada).await;
        ada.press(&page, "platform-command_line", &[]).await;
        let (code, _, err) = failed(&world.tried(&["user", "delete", "ada"]));
        assert!(code == Some(1) && err.contains("--yes"), "{err}");
        world.command(&["user", "delete", "ada", "--yes"]);
        world.command(&["user", "delete", "linus", "--yes"]);
        let open = "SELECT COUNT(*) AS n FROM activation WHERE state IN ('issued', 'claimed')";
        assert_eq!(world.number(open).await, 0, "R-351 {on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM enrollment WHERE state = 'open'").await, 0, "R-351 {on:?}");
        let shown = json(&world, &["token", "show", &serial]);
        assert_eq!((&shown["state"], &shown["user"]), (&"revoked".into(), &Value::Null), "R-351, R-344 {on:?}");
        world.stop().await;
    }
}

/// versions grow by what changes something; each change is in the history and in the audit
/// trail; the shipped values come back by command.
#[actix_web::test]
async fn a_template_has_a_history() {
    for on in BOTH {
        let world = World::new(on).await;
        let app = |rest: &str| format!("[[tenant]]\ncode = \"acme\"\n[tenant.token_template.app]\n{rest}\n");
        world.apply(&app("length = 8\ntime_step_seconds = 60")).await;
        world.apply(&app("length = 8")).await;
        world.advance(1);
        world.apply(&app("pin_type = \"user_selected\"")).await;
        let shown = json(&world, &["template", "show", "app"]);
        assert_eq!((&shown["app"]["version"], &shown["app"]["length"]), (&3.into(), &8.into()), "R-202 {on:?}");
        assert_eq!(shown["app"]["not_applied"], serde_json::json!(["event_window"]), "R-212 {on:?}");
        let history = json(&world, &["template", "history", "app"]);
        let changes = history["changes"].as_array().unwrap();
        assert_eq!(changes.len(), 2, "R-217 {on:?}: {history}");
        assert_eq!(changes[0]["changed"]["pin_type"]["new"], "user_selected");
        assert_eq!(changes[1]["changed"]["length"], serde_json::json!({ "old": 6, "new": 8 }));
        assert_eq!(changes[1]["by"], "shell test");
        let event = newest(&world, "template_changed").await;
        assert_eq!((&event["version"], &event["type"]), (&3.into(), &"app".into()), "R-218 {on:?}");
        assert_eq!(world.tried(&["template", "restore", "app"]).status.code(), Some(1), "not without --yes");
        assert_eq!(json(&world, &["template", "restore", "app", "--yes"])["version"], 4, "R-220 {on:?}");
        assert_eq!(json(&world, &["template", "restore", "app", "--yes"])["changed"], false, "R-220 {on:?}");
        let shown = json(&world, &["template", "show", "app"]);
        assert_eq!((&shown["app"]["version"], &shown["app"]["length"]), (&4.into(), &6.into()), "R-220 {on:?}");
        world.stop().await;
    }
}

/// a token says which version it was enrolled with; those of older versions are listed.
#[actix_web::test]
async fn tokens_of_older_template_versions_are_listed() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let page = to_platforms(&world, &mut ada).await;
        let seen = ada.press(&page, "platform-oath_app", &[]).await;
        let secret = seen.find("[data-activation-string]").unwrap().replace(' ', "");
        let seen = ada.press(&seen, "continue", &[("code", &oathtool(&world, &secret, "--totp=sha1", "6"))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{}", seen.body);
        assert_eq!(json(&world, &["template", "outdated"])["tokens"], serde_json::json!([]), "{on:?}");
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.token_template.oath_app]\ntime_step_seconds = 60\n").await;
        let old = json(&world, &["template", "outdated"]);
        assert_eq!(old["tokens"].as_array().unwrap().len(), 1, "{on:?}: what was imported is of no version: {old}");
        assert_eq!((&old["tokens"][0]["user"], &old["tokens"][0]["template_version"]), (&"ada".into(), &1.into()));
        assert_eq!(json(&world, &["template", "ask-again"])["changed"], 1, "{on:?}");
        assert_eq!(json(&world, &["template", "ask-again"])["changed"], 0, "{on:?}: asked already");
        let serial = old["tokens"][0]["serial"].as_str().unwrap();
        assert_eq!(json(&world, &["token", "show", serial])["asked_to_renew"], true, "{on:?}");
        assert_eq!(world.events("renewal_asked").await, 1, "{on:?}");
        world.command(&["template", "ask-again", "--off"]);
        assert_eq!(json(&world, &["token", "show", serial])["asked_to_renew"], false, "{on:?}");
        world.stop().await;
    }
}

/// what cannot be is a fault; what does not apply is told.
#[actix_web::test]
async fn template_keys_that_do_not_apply_are_told() {
    let world = World::new(On::Sqlite).await;
    let file =
        |kind: &str, rest: &str| format!("[[tenant]]\ncode = \"acme\"\n[tenant.token_template.{kind}]\n{rest}\n");
    for (kind, rest, words) in [
        ("app", "length = 7", "must be 6 or 8"),
        ("app", "time_step_seconds = 35", "20 to 120 in steps of 10"),
        ("app", "event_window = 26", "must be 1 to 25"),
        ("app", "allow_biometric_pin = true", "needs pin_type"),
        ("oath_app", "mode = \"challenge_response\"", "standard apps know no challenges"),
        ("oath", "pin_type = \"user_selected\"", "only our own apps ask for a PIN"),
        ("watch", "length = 6", "expected `app`, `oath_app` or `oath`"),
    ] {
        let error = world.try_apply(&file(kind, rest)).await.unwrap_err();
        assert!(error.contains(words), "{kind} {rest}: {error}");
    }
    for (kind, rest, words) in [
        ("app", "event_window = 12", "token_template.app.event_window applies to event-based"),
        ("app", "max_pin_attempts = 3", "token_template.app.max_pin_attempts applies to PINs"),
        ("oath_app", "algorithm = \"SHA256\"", "token_template.oath_app.algorithm other than"),
    ] {
        std::fs::write(world.folder().join("a.toml"), file(kind, rest)).unwrap();
        let path = world.folder().join("a.toml").display().to_string();
        let told = world.command(&["apply", &path, "--dry-run"]);
        assert!(told.contains("warning") && told.contains(words), "{kind} {rest}: {told}");
    }
    world.stop().await;
}

/// T-09, AC-22: nobody who has a token is let into an enrollment by asking for its addresses.
#[actix_web::test]
async fn a_token_keeps_enrollment_closed() {
    let world = World::new(On::Sqlite).await;
    let mut linus = Visitor::new(&world.url);
    let seen = linus.get(&authorize(&world, "")).await;
    assert!(!seen.has_action("add-authenticator"));
    let seen = after_password(&world, &mut linus, "linus", "has a token already").await;
    assert!(!seen.has_action("add-authenticator") && seen.title().contains("asscode"), "{}", seen.title());
    world.stop().await;
}
