//! PINs (A11, A12): what the app asks for, and what the server asks for.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use vestibule::domain::activation::call::Call;

use crate::abuse::acme;
use crate::story::{PASSWORD, after_password, code_of, oathtool, to_platforms};
use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, On, World};

/// Runs the command-line authenticator with lines on its standard input: exit code and everything it said.
fn app(store: &Path, arguments: &[&str], lines: &[&str]) -> (i32, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vestibule-authenticator"))
        // The tests read English, whatever this machine speaks.
        .env("LC_ALL", "C")
        .arg("--store")
        .arg(store)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that does not want them may have ended already.
    drop(
        child
            .stdin
            .take()
            .unwrap()
            .write_all(lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes()),
    );
    let run = child.wait_with_output().unwrap();
    let out = [run.stdout, run.stderr].concat();
    (run.status.code().unwrap_or(-1), String::from_utf8_lossy(&out).into_owned())
}

/// Ada's command-line authenticator, activated with these lines on its standard input; the page then waits for the
/// first passcode.
async fn activated(world: &World, ada: &mut Visitor, store: &Path, lines: &'static [&str]) -> (i32, String) {
    let seen = to_platforms(world, ada).await;
    let seen = ada.press(&seen, "platform-command_line", &[]).await;
    let string = seen.find("[data-activation-string]").expect("an activation string");
    let store = store.to_owned();
    tokio::task::spawn_blocking(move || app(&store, &["activate", &string, "--name", "work", "--pin-stdin"], lines))
        .await
        .unwrap()
}

async fn desk_of_ada(world: &World, ada: &mut Visitor) -> Seen {
    let desk = ada.cookies.keys().find_map(|name| name.strip_prefix("vl-").map(str::to_owned));
    let desk = desk.expect("a login's cookie");
    ada.get(&format!("{}/login/{desk}", world.base())).await
}

fn passcode(out: &str) -> String {
    out.lines().next().unwrap_or_default().trim().to_owned()
}

/// the PIN of the app.
#[actix_web::test]
async fn the_app_obeys_the_template() {
    let world = World::at_this_time(On::Sqlite).await;
    world
        .apply(&acme(
            "[tenant.token_template.app]\npin_type = \"user_selected\"\nlength = 8\npin_min_length = 4\n\
             max_pin_attempts = 3\n",
        ))
        .await;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path();
    let mut ada = Visitor::new(&world.url);
    // without a PIN that keeps the rules there is no authenticator, and every rule is named.
    let (exit, out) = activated(&world, &mut ada, store, &["111"]).await;
    assert!(exit == 1 && out.contains("at least 4 characters") && out.contains("simple sequence"), "R-256: {out}");
    assert_eq!(app(store, &["list", "--json"], &[]).1.trim(), "[]", "R-225: nothing was stored");
    let mut ada = Visitor::new(&world.url);
    let (exit, out) = activated(&world, &mut ada, store, &["8432"]).await;
    assert_eq!(exit, 0, "{out}");
    let (exit, out) = app(store, &["passcode", "work"], &[]);
    assert!(exit == 1 && out.contains("--pin-stdin"), "R-223: {exit} {out}");
    let (exit, out) = app(store, &["passcode", "work", "--pin-stdin"], &["8432"]);
    assert_eq!(exit, 0, "{out}");
    let code = passcode(&out);
    assert_eq!(code.len(), 8);
    // the login form takes the passcode and nothing with the PIN in it; there is no PIN on the server.
    let seen = desk_of_ada(&world, &mut ada).await;
    assert_eq!(seen.title(), "One last step", "{}", seen.body);
    let seen = ada.press(&seen, "continue", &[("code", &format!("8432{code}"))]).await;
    assert!(seen.complaint().contains("8 characters"), "R-224: {}", seen.body);
    let seen = ada.press(&seen, "continue", &[("code", &code)]).await;
    assert!(!code_of(&seen).0.is_empty(), "R-224: {}", seen.body);
    // another PIN, which must keep the rules, too.
    let (exit, out) = app(store, &["pin", "work", "--pin-stdin"], &["8432", "4321"]);
    assert!(exit == 1 && out.contains("simple sequence"), "R-227: {out}");
    let (exit, out) = app(store, &["pin", "work", "--pin-stdin"], &["0000", "9946"]);
    assert!(exit == 5 && out.contains("2 tries left"), "R-226, R-620: {out}");
    let (exit, out) = app(store, &["pin", "work", "--pin-stdin"], &["8432", "9946"]);
    assert_eq!(exit, 0, "{out}");
    // a right PIN resets the counter, and each program is a new start of the app.
    for _ in 0..2 {
        assert_eq!(app(store, &["passcode", "work", "--pin-stdin"], &["8432"]).0, 5);
        assert_eq!(app(store, &["passcode", "work", "--pin-stdin"], &["8433"]).0, 5);
        assert_eq!(app(store, &["passcode", "work", "--pin-stdin"], &["9946"]).0, 0, "R-252");
    }
    // neither the log nor what is stored has a PIN in it.
    for file in std::fs::read_dir(store).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("8432") && !text.contains("9946"), "R-254: {text}");
    }
    // three in a row lock, and then no PIN helps; nothing of the secret is left.
    for left in ["2 tries left", "1 tries left"] {
        let (exit, out) = app(store, &["passcode", "work", "--pin-stdin"], &["7531"]);
        assert!(exit == 5 && out.contains(left), "{out}");
    }
    for pin in ["7531", "9946", "8432"] {
        assert_eq!(app(store, &["passcode", "work", "--pin-stdin"], &[pin]).0, 4, "R-251");
        assert_eq!(app(store, &["pin", "work", "--pin-stdin"], &[pin, "9147"]).0, 4, "R-251");
    }
    let (_, out) = app(store, &["info", "work"], &[]);
    assert!(out.contains("locked after too many wrong PINs"), "R-621: {out}");
    // whoever forgot the PIN is told, and the authenticator goes once that is confirmed.
    let (exit, out) = app(store, &["forgot-pin", "work"], &["n"]);
    assert!(exit == 1 && out.contains("add an authenticator anew"), "R-255: {out}");
    assert_eq!(app(store, &["forgot-pin", "work"], &["y"]).0, 0, "R-255");
    assert_eq!(app(store, &["list", "--json"], &[]).1.trim(), "[]");
    world.stop().await;
}

/// sixteen programs that guess at the same moment have the tries of one.
#[actix_web::test]
async fn guesses_at_once_are_counted_one_by_one() {
    let world = World::at_this_time(On::Sqlite).await;
    world.apply(&acme("[tenant.token_template.app]\npin_type = \"user_selected\"\nmax_pin_attempts = 5\n")).await;
    let folder = tempfile::tempdir().unwrap();
    let mut ada = Visitor::new(&world.url);
    let (exit, out) = activated(&world, &mut ada, folder.path(), &["8432"]).await;
    assert_eq!(exit, 0, "{out}");
    let guesses = (0..16).map(|guess| {
        let store = folder.path().to_owned();
        tokio::task::spawn_blocking(move || app(&store, &["passcode", "--pin-stdin"], &[&format!("77{guess:02}")]).0)
    });
    let exits: Vec<i32> =
        futures_util::future::join_all(guesses).await.into_iter().map(std::result::Result::unwrap).collect();
    assert_eq!(exits.iter().filter(|exit| **exit == 5).count(), 4, "the fifth locks: {exits:?}");
    assert_eq!(exits.iter().filter(|exit| **exit == 4).count(), 12, "{exits:?}");
    assert_eq!(app(folder.path(), &["passcode", "--pin-stdin"], &["8432"]).0, 4, "R-251");
    world.stop().await;
}

/// the server hears of the lock, operators see it with its reason, and only revoking helps.
#[actix_web::test]
async fn the_app_tells_the_server_that_it_is_locked() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        world.apply(&acme("[tenant.token_template.app]\npin_type = \"user_selected\"\nmax_pin_attempts = 1\n")).await;
        let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut ada = Visitor::new(&world.url);
        let (exit, out) = activated(&world, &mut ada, folder.path(), &["8432"]).await;
        assert_eq!(exit, 0, "{out}");
        let (_, out) = app(folder.path(), &["passcode", "--pin-stdin"], &["8432"]);
        let seen = desk_of_ada(&world, &mut ada).await;
        let seen = ada.press(&seen, "continue", &[("code", &passcode(&out))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
        }
        let store = folder.path().to_owned();
        let locked = tokio::task::spawn_blocking(move || app(&store, &["passcode", "--pin-stdin"], &["7531"]).0);
        assert_eq!(locked.await.unwrap(), 4, "R-251");
        let mine = "SELECT lock_reason AS t FROM token WHERE enrolled_by = 'self'";
        assert_eq!(world.text(mine).await, "pin", "R-253 {on:?}: {}", app(folder.path(), &["log"], &[]).1);
        assert_eq!(world.events("token_locked").await, 1, "{on:?}");
        let serial = world.text("SELECT serial AS t FROM token WHERE enrolled_by = 'self'").await;
        let mut again = Visitor::new(&world.url);
        let seen = after_password(&world, &mut again, "ada", PASSWORD).await;
        assert_eq!(seen.title(), "Your authenticator cannot be used", "{on:?}: {}", seen.body);
        world.refused_command(&["token", "resume", &serial], "");
        // A store that was copied before has another counter; its report is taken, and changes nothing.
        let store = copy.path().to_owned();
        let locked = tokio::task::spawn_blocking(move || app(&store, &["passcode", "--pin-stdin"], &["7531"]).0);
        assert_eq!(locked.await.unwrap(), 4);
        let (_, log) = app(copy.path(), &["log"], &[]);
        assert!(log.contains("is locked") && !log.contains("not reported"), "{log}");
        assert_eq!(world.events("token_locked").await, 1, "{on:?}: once");
        world.command(&["token", "revoke", &serial]);
        world.stop().await;
    }
}

/// without a network the app locks all the same, and tells it later.
#[actix_web::test]
async fn an_app_without_a_network_locks_all_the_same() {
    let world = World::at_this_time(On::Sqlite).await;
    world.apply(&acme("[tenant.token_template.app]\npin_type = \"user_selected\"\nmax_pin_attempts = 1\n")).await;
    let folder = tempfile::tempdir().unwrap();
    let mut ada = Visitor::new(&world.url);
    let (exit, out) = activated(&world, &mut ada, folder.path(), &["8432"]).await;
    assert_eq!(exit, 0, "{out}");
    world.stop().await;
    let store = folder.path().to_owned();
    let locked = tokio::task::spawn_blocking(move || app(&store, &["passcode", "--pin-stdin"], &["7531"]).0);
    assert_eq!(locked.await.unwrap(), 4, "R-251");
    assert!(app(folder.path(), &["log"], &[]).1.contains("not reported yet"), "R-253");
}

/// R-253, T-19: calls are made by the device alone, once each, and tell a stranger nothing.
#[actix_web::test]
async fn nobody_else_locks_an_authenticator() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let seen = to_platforms(&world, &mut ada).await;
        let seen = ada.press(&seen, "platform-command_line", &[]).await;
        let device = crate::abuse::Device::new(&seen.find("[data-activation-string]").unwrap(), "command_line");
        let (_, claimed) = device.claim().await;
        let (status, secret) = device.confirm(&claimed).await;
        assert_eq!(status, 200);
        let seen = ada.press(&seen, "check-now", &[]).await;
        let seen = ada.press(&seen, "continue", &[("code", &oathtool(&world, &secret, "--totp=sha256", "6"))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        let parameters: serde_json::Value = serde_json::from_str(claimed["parameters"].as_str().unwrap()).unwrap();
        let serial = parameters["serial"].as_str().unwrap();
        let right = Call {
            base: world.base(),
            path: "token/pin-locked",
            serial: serial.to_owned(),
            counter: 5,
            request: "{\"wrong_pins\":5}".to_owned(),
        };
        let key = device.keys(&claimed).0.calls;
        let call = async |call: &Call, mac: &[u8]| {
            use base64::Engine as _;
            let mac = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(mac);
            let body = serde_json::json!({ "serial": call.serial, "counter": call.counter, "request": call.request, "mac": mac });
            let address = format!("{}/api/authenticator/v1/token/pin-locked", world.base());
            let answer = reqwest::Client::new().post(address).json(&body).send().await.unwrap();
            (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap())
        };
        let mac = right.mac(&key);
        let stranger = call(&Call { serial: "VT00000000".to_owned(), ..right.clone() }, &mac).await;
        assert_eq!(stranger.0, 403, "{on:?}: {stranger:?}");
        for forged in [
            Call { counter: 6, ..right.clone() },
            Call { request: "{\"wrong_pins\":6}".to_owned(), ..right.clone() },
            Call { serial: "VT00000001".to_owned(), ..right.clone() },
        ] {
            assert_eq!(call(&forged, &mac).await, stranger, "{on:?}: {forged:?}");
        }
        let elsewhere = Call { base: "https://evil.example.com/t/acme".to_owned(), ..right.clone() };
        assert_eq!(call(&right, &elsewhere.mac(&key)).await, stranger, "{on:?}: bound to the server");
        for (body, status) in [("{}", 400), ("[]", 400), ("{\"wrong_pins\":-1}", 400)] {
            let odd = Call { request: body.to_owned(), ..right.clone() };
            assert_eq!(call(&odd, &odd.mac(&key)).await.0, status, "{on:?} {body}");
        }
        let state = "SELECT state AS t FROM token WHERE enrolled_by = 'self'";
        assert_eq!(world.text(state).await, "active", "{on:?}");
        // Sixteen copies of one call: one is made.
        let copies = futures_util::future::join_all((0..16).map(|_| call(&right, &mac))).await;
        assert_eq!(copies.iter().filter(|(status, _)| *status == 200).count(), 1, "{on:?}: {copies:?}");
        assert!(copies.iter().all(|(status, _)| matches!(status, 200 | 409)), "{on:?}: {copies:?}");
        assert_eq!(world.text(state).await, "locked", "{on:?}");
        let late = call(&right, &mac).await;
        assert_eq!((late.0, late.1["last_counter"].as_i64()), (409, Some(5)), "{on:?}: {late:?}");
        let next = Call { counter: 6, ..right.clone() };
        assert_eq!(call(&next, &next.mac(&key)).await.1["state"], "locked", "{on:?}: told twice");
        assert_eq!(world.events("token_locked").await, 1, "{on:?}");
        world.command(&["token", "revoke", serial]);
        let next = Call { counter: 7, ..right };
        assert_eq!(call(&next, &next.mac(&key)).await.1["state"], "revoked", "R-349 {on:?}");
        world.stop().await;
    }
}

/// Standard apps whose PIN the server asks for, and a lockout that stays out of the way.
const SERVER_SIDE: &str = "[tenant.token_template.oath_app]\npin_type = \"server_side\"\nlength = 8\n\
                           [tenant.lockout]\nthreshold = 0\n";

/// Somebody at the last page of an enrollment: the secret of the app and the PIN that the page shows.
async fn to_first_passcode(world: &World, visitor: &mut Visitor) -> (Seen, String, String) {
    let seen = to_platforms(world, visitor).await;
    let seen = visitor.press(&seen, "platform-oath_app", &[]).await;
    let secret = seen.find("[data-activation-string]").expect("a key").replace(' ', "");
    let pin = seen.find("[data-pin]").expect("R-272: the initial PIN");
    (seen, secret, pin)
}

fn now(world: &World, secret: &str) -> String {
    oathtool(world, secret, "--totp=sha1", "8")
}

/// Ada with an authenticator and a PIN of her own.
async fn ada_with(world: &World, pin: &str) -> String {
    let mut ada = Visitor::new(&world.url);
    let (seen, secret, initial) = to_first_passcode(world, &mut ada).await;
    let seen = ada.press(&seen, "continue", &[("code", &format!("{initial}{}", now(world, &secret)))]).await;
    assert_eq!(seen.title(), "Choose a new PIN", "{}", seen.body);
    let seen = ada.press(&seen, "continue", &[("pin", pin), ("again", pin)]).await;
    assert_eq!(seen.title(), "Enter your passcode", "{}", seen.body);
    world.advance(30);
    let seen = ada.press(&seen, "continue", &[("code", &format!("{pin}{}", now(world, &secret)))]).await;
    assert!(!code_of(&seen).0.is_empty());
    world.advance(30);
    secret
}

/// At the page that asks for the passcode, in a browser of its own.
async fn at_passcode(world: &World) -> (Visitor, Seen) {
    let mut ada = Visitor::new(&world.url);
    let seen = after_password(world, &mut ada, "ada", PASSWORD).await;
    assert_eq!(seen.title(), "Enter your passcode", "{}", seen.body);
    (ada, seen)
}

/// state PIN_CHANGE of B1.
#[actix_web::test]
async fn the_first_login_with_a_server_side_pin() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&acme(SERVER_SIDE)).await;
        let mut ada = Visitor::new(&world.url);
        let (seen, secret, initial) = to_first_passcode(&world, &mut ada).await;
        assert!(initial.len() == 4 && initial.chars().all(|c| c.is_ascii_digit()), "R-260, R-264: {initial}");
        assert!(seen.find("#pin-hint").unwrap().contains("PIN first"), "U4");
        // The page may be looked at again, and shows the same.
        let again = ada.get(&seen.url.replace("/passcode", "")).await;
        assert_eq!(again.find("[data-pin]").as_deref(), Some(initial.as_str()));
        // Without the PIN, with another one, on the other side: no.
        let code = now(&world, &secret);
        let seen = ada.press(&seen, "continue", &[("code", &code)]).await;
        assert!(seen.complaint().contains("PIN and the passcode together"), "{on:?} {}", seen.complaint());
        for typed in [format!("0000{code}"), format!("{code}{initial}")] {
            let seen = ada.press(&seen, "continue", &[("code", &typed)]).await;
            assert!(seen.complaint().contains("was not accepted"), "{on:?} {typed} {}", seen.complaint());
        }
        assert_eq!(world.events("token_enrolled").await, 0, "{on:?}");
        let seen = ada.press(&seen, "continue", &[("code", &format!("{initial} {code}"))]).await;
        assert_eq!(seen.title(), "Choose a new PIN", "R-259 {on:?}: {}", seen.body);
        assert!(seen.body.contains("was made for you"), "U7: the reason");
        assert!(!seen.body.contains(&initial), "R-272: once");
        // What is proven by a PIN that is due opens nothing: neither this login nor single sign-on.
        let mut aside = ada.clone();
        let desk = aside.get(&seen.url).await;
        assert_eq!((desk.title().as_str(), world.events("login_completed").await), ("Choose a new PIN", 0), "R-259");
        // every rule that is broken is named; R-267: the present one is no new one.
        let change = async |ada: &mut Visitor, seen: &Seen, pin: &str, again: &str| {
            ada.press(seen, "continue", &[("pin", pin), ("again", again)]).await
        };
        let seen = change(&mut ada, &seen, "8432", "8433").await;
        assert!(seen.complaint().contains("differ"), "{}", seen.complaint());
        let seen = change(&mut ada, &seen, "aa\u{e9}", "aa\u{e9}").await;
        assert!(seen.complaint().contains("A to Z") && seen.complaint().contains("at least 4"), "R-256");
        for (pin, why) in
            [("4321", "simple sequence"), ("7777", "repeated"), (initial.as_str(), "had before"), ("", "at least 4")]
        {
            let seen = change(&mut ada, &seen, pin, pin).await;
            assert!(seen.complaint().contains(why), "{on:?} {pin} {}", seen.complaint());
        }
        assert_eq!(world.events("pin_changed").await, 0, "{on:?}");
        let seen = change(&mut ada, &seen, "i6gfaa", "i6gfaa").await;
        assert_eq!(seen.title(), "Enter your passcode", "R-270 {on:?}: {}", seen.body);
        assert!(seen.body.contains("Your PIN is changed"), "R-270");
        // a fresh passcode. The one of before is used up, and so is the old PIN.
        let seen = ada.press(&seen, "continue", &[("code", &format!("i6gfaa{code}"))]).await;
        assert!(seen.complaint().contains("was not accepted"), "{on:?} {}", seen.complaint());
        world.advance(30);
        let seen = ada.press(&seen, "continue", &[("code", &format!("{initial}{}", now(&world, &secret)))]).await;
        assert!(seen.complaint().contains("was not accepted"), "{on:?} {}", seen.complaint());
        world.advance(30);
        let seen = ada.press(&seen, "continue", &[("code", &format!("i6gfaa{}", now(&world, &secret)))]).await;
        assert!(!code_of(&seen).0.is_empty(), "R-229 {on:?}: {}", seen.body);
        assert_eq!((world.events("pin_changed").await, world.events("token_enrolled").await), (1, 1), "{on:?}");
        // The next login asks for nothing new.
        world.advance(30);
        let (mut later, seen) = at_passcode(&world).await;
        let seen = later.press(&seen, "continue", &[("code", &format!("i6gfaa{}", now(&world, &secret)))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        world.stop().await;
    }
}

/// a right passcode with a wrong PIN is used up, counts, and is answered like a wrong passcode; so is one
/// whose token has lost its PIN.
#[actix_web::test]
async fn a_wrong_pin_uses_up_the_passcode_and_tells_nothing() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&acme(SERVER_SIDE)).await;
        let secret = ada_with(&world, "9946").await;
        let failed = "SELECT failed_count AS n FROM token WHERE failed_count >= 0 AND enrolled_by = 'self'";
        let (mut ada, seen) = at_passcode(&world).await;
        let code = now(&world, &secret);
        let wrong = ada.press(&seen, "continue", &[("code", "994600000000")]).await;
        let before = world.number(failed).await;
        let other = ada.press(&wrong, "continue", &[("code", &format!("9947{code}"))]).await;
        assert_eq!((wrong.status, wrong.complaint()), (other.status, other.complaint()), "R-273 {on:?}");
        assert_eq!(world.events("pin_rejected").await, 1, "{on:?}");
        assert_eq!(world.number(failed).await, before + 1, "R-328 {on:?}");
        let used = ada.press(&other, "continue", &[("code", &format!("9946{code}"))]).await;
        assert_eq!(used.complaint(), wrong.complaint(), "R-273: used up {on:?}");
        // A passcode that is right but far off is none of a stranger's business, either.
        world.advance(60);
        let far = oathtool_at(&world, &secret, 5 * 30);
        let seen = ada.press(&used, "continue", &[("code", &format!("0001{far}"))]).await;
        assert_eq!(seen.complaint(), wrong.complaint(), "{on:?}");
        world.advance(180);
        let seen = ada.press(&seen, "continue", &[("code", &format!("9946{}", now(&world, &secret)))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        world.advance(60);
        world.execute("DELETE FROM token_server_pin WHERE tenant_id <> ?", "nobody's").await;
        let (mut ada, seen) = at_passcode(&world).await;
        let seen = ada.press(&seen, "continue", &[("code", &format!("9946{}", now(&world, &secret)))]).await;
        assert_eq!(seen.complaint(), wrong.complaint(), "{on:?}");
        world.stop().await;
    }
}

fn oathtool_at(world: &World, secret: &str, later: i64) -> String {
    let at = format!("@{}", world.clock_now().seconds() + later);
    let run = Command::new("oathtool").args(["--totp=sha1", "-b", "-d", "8", "-N", &at, secret]).output().unwrap();
    String::from_utf8(run.stdout).unwrap().trim().to_owned()
}

/// the vectors of part G4 at the login form, in both orders, with a PIN that an operator gave.
#[actix_web::test]
async fn the_order_is_the_policys() {
    for on in BOTH {
        let world = World::new(on).await;
        let policy = "[tenant.server_side_pin]\nforce_random = false\nchange_on_first_use = false\n\
                      allow_trivial_pins = true\n";
        world.apply(&acme(&format!("{SERVER_SIDE}{policy}"))).await;
        let mut ada = Visitor::new(&world.url);
        let (seen, secret, initial) = to_first_passcode(&world, &mut ada).await;
        assert!(seen.body.contains("is not shown again"), "R-272");
        // where the policy does not ask for it, the initial PIN is good for the login.
        let seen = ada.press(&seen, "continue", &[("code", &format!("{initial}{}", now(&world, &secret)))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        let serial = world.text("SELECT serial AS t FROM token WHERE enrolled_by = 'self'").await;
        let given = world.command_with(&["token", "new-pin", &serial, "--pin-stdin", "--tenant", "acme"], "ABCD\n");
        assert!(given.contains(&serial) && !given.contains("ABCD"), "{given}");
        for (order, right, wrong) in [("prepend", 0, 1), ("append", 1, 0)] {
            world.apply(&acme(&format!("[tenant.server_side_pin]\norder = \"{order}\"\n"))).await;
            world.advance(60);
            let code = now(&world, &secret);
            let both = [format!("ABCD{code}"), format!("{code}ABCD")];
            let (mut ada, seen) = at_passcode(&world).await;
            for typed in [&both[wrong], &format!("abcd{code}"), &code] {
                let seen = ada.press(&seen, "continue", &[("code", typed)]).await;
                assert!(!seen.complaint().is_empty(), "R-230 {on:?} {order} {typed}");
            }
            world.advance(60);
            let code = now(&world, &secret);
            let both = [format!("ABCD{code}"), format!("{code}ABCD")];
            let seen = ada.press(&seen, "continue", &[("code", &both[right])]).await;
            assert!(!code_of(&seen).0.is_empty(), "R-230 {on:?} {order}: {}", seen.body);
        }
        world.stop().await;
    }
}

/// a PIN grows old, and the one after it is none of the last three.
#[actix_web::test]
async fn a_pin_grows_old_and_does_not_come_back() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&acme(&format!("{SERVER_SIDE}[tenant.server_side_pin]\nchange_every_days = 30\n"))).await;
        let secret = ada_with(&world, "9946").await;
        let mut present = "9946";
        for (next, barred) in [("8432", vec!["9946"]), ("7531", vec!["8432", "9946"]), ("9946", vec!["7531", "8432"])] {
            world.advance(30 * 86_400);
            let (mut ada, seen) = at_passcode(&world).await;
            let seen = ada.press(&seen, "continue", &[("code", &format!("{present}{}", now(&world, &secret)))]).await;
            assert_eq!(seen.title(), "Choose a new PIN", "R-265 {on:?}: {}", seen.body);
            assert!(seen.body.contains("for a long time"), "U7: the reason");
            if next == "9946" {
                // The third before is the last that is barred.
                let seen = ada.press(&seen, "continue", &[("pin", "9946"), ("again", "9946")]).await;
                assert!(seen.complaint().contains("had before"), "R-267 {on:?}");
                break;
            }
            for pin in barred {
                let seen = ada.press(&seen, "continue", &[("pin", pin), ("again", pin)]).await;
                assert!(seen.complaint().contains("had before"), "R-267 {on:?} {pin}: {}", seen.body);
            }
            let seen = ada.press(&seen, "continue", &[("pin", next), ("again", next)]).await;
            world.advance(30);
            let seen = ada.press(&seen, "continue", &[("code", &format!("{next}{}", now(&world, &secret)))]).await;
            assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
            present = next;
        }
        world.stop().await;
    }
}

/// R-273, T-13, INV-4: the same PIN and passcode in sixteen logins, half of them at another instance: one gets in.
#[actix_web::test]
async fn one_pin_and_passcode_open_one_login() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&acme(SERVER_SIDE)).await;
        let secret = ada_with(&world, "9946").await;
        let (second, _) = world.second().await;
        let mut waiting = Vec::new();
        for number in 0..16 {
            let (ada, seen) = at_passcode(&world).await;
            waiting.push((ada, seen, number % 2 == 1));
        }
        let before = world.events("passcode_accepted").await;
        let typed = format!("9946{}", now(&world, &secret));
        let tries = waiting.into_iter().map(|(mut ada, seen, elsewhere)| {
            let (typed, second) = (typed.clone(), second.clone());
            async move {
                let (address, mut fields) = seen.form("continue");
                fields.push(("code".to_owned(), typed));
                let address = if elsewhere { format!("{second}{address}") } else { address };
                ada.once(reqwest::Method::POST, &address, Some(fields)).await.status
            }
        });
        let answers = futures_util::future::join_all(tries).await;
        assert!(answers.iter().all(|status| matches!(status, 200 | 303 | 503)), "{on:?}: {answers:?}");
        assert_eq!(world.events("passcode_accepted").await, before + 1, "{on:?}: INV-4");
        world.stop().await;
    }
}

/// One new PIN, sixteen tabs: it is changed once.
#[actix_web::test]
async fn a_pin_is_changed_once() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&acme(SERVER_SIDE)).await;
        let mut ada = Visitor::new(&world.url);
        let (seen, secret, initial) = to_first_passcode(&world, &mut ada).await;
        let page = ada.press(&seen, "continue", &[("code", &format!("{initial}{}", now(&world, &secret)))]).await;
        assert_eq!(page.title(), "Choose a new PIN", "{}", page.body);
        let tabs = (0..16).map(|number| {
            let (mut tab, page) = (ada.clone(), page.clone());
            let pin = format!("84{number:02}");
            async move { tab.press(&page, "continue", &[("pin", &pin), ("again", &pin)]).await.status }
        });
        let answers = futures_util::future::join_all(tabs).await;
        assert!(answers.iter().all(|status| matches!(status, 200 | 303 | 503)), "{on:?}: {answers:?}");
        assert_eq!(world.events("pin_changed").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// in the portal, after a step-up, one's own and nobody else's.
#[actix_web::test]
async fn a_pin_is_changed_in_the_portal() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&acme(SERVER_SIDE)).await;
        let secret = ada_with(&world, "9946").await;
        let (mut ada, seen) = at_passcode(&world).await;
        ada.press(&seen, "continue", &[("code", &format!("9946{}", now(&world, &secret)))]).await;
        world.advance(600);
        let home = ada.get(&format!("{}/", world.base())).await;
        let link = home.link("change-pin");
        // The proofs of ten minutes ago are too old for this.
        let seen = ada.get(&link).await;
        assert_eq!(seen.title(), "Enter your password", "R-523 {on:?}: {}", seen.body);
        let seen = ada.press(&seen, "continue", &[("password", PASSWORD)]).await;
        let seen = ada.press(&seen, "continue", &[("code", &format!("9946{}", now(&world, &secret)))]).await;
        assert_eq!(seen.title(), "Choose a new PIN", "{on:?}: {}", seen.body);
        let seen = ada.press(&seen, "continue", &[("pin", "1111"), ("again", "1111")]).await;
        assert!(seen.complaint().contains("repeated"), "{on:?}: {}", seen.body);
        let form = seen.clone();
        let seen = ada.press(&seen, "continue", &[("pin", "8432"), ("again", "8432")]).await;
        assert!(seen.body.contains("Your PIN is changed"), "{on:?}: {}", seen.body);
        // Somebody else's token is nobody's; a form without its field is refused.
        let mut linus = Visitor::new(&world.url);
        let seen = after_password(&world, &mut linus, "linus", "has a token already").await;
        linus.press(&seen, "continue", &[("code", &crate::story::passcode_of_linus(&world))]).await;
        assert_eq!(linus.get(&link).await.status, 404, "{on:?}");
        let (address, fields) = form.form("continue");
        let mut forged = fields;
        forged.extend([("pin".to_owned(), "7531".to_owned()), ("again".to_owned(), "7531".to_owned())]);
        assert!(matches!(linus.post(&address, &forged).await.status, 403 | 404), "{on:?}");
        world.advance(60);
        let (mut ada, seen) = at_passcode(&world).await;
        let seen = ada.press(&seen, "continue", &[("code", &format!("8432{}", now(&world, &secret)))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        assert_eq!(world.events("pin_changed").await, 2, "{on:?}");
        world.stop().await;
    }
}

/// what operators do to a PIN, and what the policy does not let them do.
#[actix_web::test]
async fn operators_give_pins_and_do_not_choose_them() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&acme(&format!("{SERVER_SIDE}[tenant.server_side_pin]\ngenerated_length = 6\n"))).await;
        let secret = ada_with(&world, "994612").await;
        let serial = world.text("SELECT serial AS t FROM token WHERE enrolled_by = 'self'").await;
        let refused = world.refused_command(&["token", "new-pin", &serial, "--pin-stdin"], "8432\n");
        assert!(refused.contains("force_random"), "R-260 {on:?}: {refused}");
        let linus = world.text("SELECT serial AS t FROM token WHERE enrolled_by = 'import'").await;
        let refused = world.refused_command(&["token", "new-pin", &linus], "");
        assert!(refused.contains("has no server-side PIN"), "{on:?}: {refused}");
        let said: serde_json::Value =
            serde_json::from_str(&world.command(&["token", "new-pin", &serial, "--json"])).unwrap();
        let pin = said["pin"].as_str().unwrap();
        assert_eq!((pin.len(), said["must_change"].as_bool()), (6, Some(true)), "R-259, R-264: {said}");
        // The old one is good for nothing any more, the new one for choosing another.
        let (mut ada, seen) = at_passcode(&world).await;
        let seen = ada.press(&seen, "continue", &[("code", &format!("994612{}", now(&world, &secret)))]).await;
        assert!(seen.complaint().contains("was not accepted"), "{on:?}");
        world.advance(60);
        let seen = ada.press(&seen, "continue", &[("code", &format!("{pin}{}", now(&world, &secret)))]).await;
        assert_eq!(seen.title(), "Choose a new PIN", "R-259 {on:?}: {}", seen.body);
        let seen = ada.press(&seen, "continue", &[("pin", "994612"), ("again", "994612")]).await;
        assert!(seen.complaint().contains("had before"), "R-267 {on:?}");
        assert_eq!(world.events("pin_reset").await, 1, "{on:?}");
        // A revoked authenticator leaves nothing behind.
        world.command(&["token", "revoke", &serial]);
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM token_server_pin").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// every number has its range, and lengths fit together.
#[actix_web::test]
async fn the_policy_has_its_ranges() {
    let world = World::new(On::Sqlite).await;
    for (line, why) in [
        ("min_length = 2", "3 to 15"),
        ("min_length = 16", "3 to 15"),
        ("max_length = 3", "4 to 16"),
        ("max_length = 17", "4 to 16"),
        ("min_length = 8\nmax_length = 7\ngenerated_length = 8", "must not be less than min_length"),
        ("min_length = 6", "must be from min_length to max_length"),
        ("generated_length = 16\nmax_length = 12", "must be from min_length to max_length"),
        ("change_every_days = -1", "0 to 3650"),
        ("history = 0", "1 to 10"),
        ("complexity = \"hard\"", "alphanumeric"),
        ("order = \"middle\"", "prepend"),
    ] {
        let refused = world.try_apply(&acme(&format!("[tenant.server_side_pin]\n{line}\n"))).await.expect_err(line);
        assert!(refused.contains(why), "{line}: {refused}");
    }
    world
        .try_apply(&acme(
            "[tenant.server_side_pin]\nmin_length = 3\nmax_length = 16\ngenerated_length = 16\nhistory = 10\n\
             complexity = \"alphanumeric\"\norder = \"append\"\nchange_every_days = 3650\n",
        ))
        .await
        .unwrap();
    world.stop().await;
}

/// a PIN that the server checks is kept as an Argon2id hash with a salt of its own, sealed.
#[actix_web::test]
async fn a_pin_is_kept_as_a_memory_hard_hash() {
    use vestibule::keys::sealing::Place;
    use vestibule::storage::{server_pins, tokens};
    for on in BOTH {
        let world = World::new(on).await;
        let policy = "[tenant.server_side_pin]\nforce_random = false\n";
        world.apply(&acme(&format!("{SERVER_SIDE}{policy}"))).await;
        ada_with(&world, "7391").await;
        let serial = world.text("SELECT serial AS t FROM token WHERE enrolled_by = 'self'").await;
        let (house, tenant) = (&world.site.house, world.tenant().await);
        let mut kept = Vec::new();
        for pin in ["7391", "8264"] {
            if pin != "7391" {
                world.command_with(&["token", "new-pin", &serial, "--pin-stdin", "--tenant", "acme"], "8264\n");
            }
            let read = house.db.read(async |connection| {
                let token = tokens::with_serial(connection, tenant, &serial).await?.unwrap();
                Ok((token.id, server_pins::of(tenant, token.id).ask(connection).await?.unwrap()))
            });
            let (token, stored) = read.await.unwrap();
            let place = Place::new(tenant, "token_server_pin", "pin_sealed", token);
            let open = house.sealer.open(place, &stored.sealed).unwrap();
            let content: serde_json::Value = serde_json::from_slice(open.expose()).unwrap();
            let hash = content["hash"].as_str().unwrap().to_owned();
            assert!(hash.starts_with("$argon2id$v=19$m=") && !hash.contains(pin), "{on:?}: {hash}");
            assert!(!stored.sealed.windows(4).any(|part| part == pin.as_bytes()), "{on:?}");
            kept.push(hash.split('$').nth(4).unwrap().to_owned());
        }
        assert_ne!(kept[0], kept[1], "{on:?}: salted");
        world.stop().await;
    }
}
