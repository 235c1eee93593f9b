//! PINs (A11, A12): what the app asks for, and what the server asks for.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::abuse::acme;
use crate::story::{code_of, to_platforms};
use crate::visitor::Visitor;
use crate::world::{On, World};

/// Runs the command-line authenticator with lines on its standard input: exit code and everything it said.
fn app(store: &Path, arguments: &[&str], lines: &[&str]) -> (i32, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vestibule-authenticator"))
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

async fn desk_of_ada(world: &World, ada: &mut Visitor) -> crate::visitor::Seen {
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
