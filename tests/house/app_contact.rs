//! What an app and its server tell each other after the activation: how an authenticator is, and that it was removed on the
//! device; and one app with authenticators of many accounts and servers. With the command-line authenticator.

use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use vestibule::domain::activation::call::Call;
use vestibule::domain::activation::string::ActivationString;
use vestibule::domain::enrollment::Brought;
use vestibule::domain::secret::SecretBytes;
use vestibule::storage::enrollment_history::{self, Filter};

use crate::abuse::{Device, acme, person};
use crate::process::Service;
use crate::story::{PASSWORD, after_password, app, code_of, oathtool, to_platforms};
use crate::visitor::{Seen, Visitor};
use crate::world::{ACME, BOTH, On, World};

const MINE: &str = "SELECT serial AS t FROM token WHERE enrolled_by = 'self'";
const STATE: &str = "SELECT state AS t FROM token WHERE enrolled_by = 'self'";

/// The last JSON value that a command printed.
fn json(out: &str) -> serde_json::Value {
    let line = out.lines().find(|line| line.starts_with(['{', '['])).unwrap_or_else(|| panic!("no JSON: {out}"));
    serde_json::from_str(line).unwrap()
}

/// The passcode that the app shows.
fn passcode(store: &Path, name: &str) -> String {
    let (exit, out) = app(store, &["passcode", name, "--json"]);
    assert_eq!(exit, 0, "{out}");
    json(&out)["passcode"].as_str().unwrap().to_owned()
}

/// From the page with the activation string to the application, with the command-line authenticator.
async fn activated(world: &World, visitor: &mut Visitor, seen: &Seen, store: &Path, name: &str) {
    let seen = visitor.press(seen, "platform-command_line", &[]).await;
    let string = seen.find("[data-activation-string]").expect("an activation string");
    let (exit, out) = app(store, &["activate", &string, "--name", name]);
    assert_eq!(exit, 0, "{out}");
    let seen = visitor.press(&seen, "check-now", &[]).await;
    // The app goes by the clock of this machine, which has gone on.
    world.catch_up();
    let seen = visitor.press(&seen, "continue", &[("code", &passcode(store, name))]).await;
    assert!(!code_of(&seen).0.is_empty(), "{}", seen.body);
}

/// Runs the command-line authenticator on a device with this environment: exit code, what it printed, and what it complained.
fn on_device(store: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule-authenticator"));
    for name in ["LC_ALL", "LC_MESSAGES", "LANG"] {
        command.env_remove(name);
    }
    let run = command.envs(environment.iter().copied()).arg("--store").arg(store).args(arguments).output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap().trim_end().to_owned();
    (run.status.code().unwrap_or(-1), text(run.stdout), text(run.stderr))
}

/// the app speaks the language of the device; programs and the log read the same everywhere.
#[test]
fn the_app_speaks_the_language_of_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path();
    let english = "There is no authenticator yet. Add one with: vestibule-authenticator activate STRING";
    let german =
        "Es gibt noch keinen Authenticator. Fügen Sie einen hinzu mit: vestibule-authenticator activate STRING";
    for (environment, words) in [
        (&[("LANG", "de_DE.UTF-8")][..], german),
        (&[], english),
        (&[("LANG", "zh_TW.UTF-8")], "還沒有驗證器。新增方法：vestibule-authenticator activate STRING"),
        (&[("LANG", "zh_CN.UTF-8")], "还没有身份验证器。添加方法：vestibule-authenticator activate STRING"),
        (&[("LANG", "fr_FR.UTF-8"), ("LC_MESSAGES", "de_AT.UTF-8")], german),
        (&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")], english),
        (&[("LANG", "tlh_QO.UTF-8")], english),
    ] {
        assert_eq!(on_device(store, environment, &["list"]), (0, words.to_owned(), String::new()), "{environment:?}");
        assert_eq!(on_device(store, environment, &["list", "--json"]).1, "[]");
    }

    // An account of another system, whose address says everything.
    let german = [("LANG", "de_DE.UTF-8")];
    let address = "otpauth://totp/Else:ada?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Else";
    let (exit, out, complaint) = on_device(store, &german, &["activate", address, "--name", "Büro"]);
    assert_eq!((exit, complaint.as_str()), (0, ""));
    assert_eq!(out, "Büro ist bereit. Einen Passcode erhalten Sie mit: vestibule-authenticator passcode");
    let (_, out, _) = on_device(store, &german, &["info"]);
    assert!(out.contains("Seriennummer   OTP") && out.contains("Zustand        aktiv"), "{out}");
    let (_, out, _) = on_device(store, &[], &["info"]);
    assert!(out.contains("Serial number  OTP") && out.contains("State          active"), "{out}");
    let (_, out, _) = on_device(store, &german, &["status", "--json"]);
    assert!(out.contains("there is no server to ask") && out.contains("\"active\""), "{out}");
    let (_, out, _) = on_device(store, &german, &["status"]);
    assert_eq!(out, "Büro (aktiv): es gibt keinen Server, der gefragt werden kann");
    let complained = on_device(store, &german, &["passcode", "--challenge", "12345678"]);
    let words = "dieser Authenticator hat Passcodes und beantwortet keine Challenges";
    assert_eq!(complained, (1, String::new(), words.to_owned()));
    let (_, log, _) = on_device(store, &german, &["log"]);
    assert!(log.contains("this authenticator has passcodes and answers no challenges"), "{log}");
}

/// operators see how an activation came to the device.
#[actix_web::test]
async fn the_history_tells_how_an_activation_was_brought() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        world.apply(&acme(&(person("grace") + &person("mary") + &person("rosa")))).await;
        let folder = tempfile::tempdir().unwrap();
        for (who, brought) in [("grace", "copied"), ("mary", "link"), ("rosa", "typed")] {
            let mut visitor = Visitor::new(&world.url);
            let seen = after_password(&world, &mut visitor, who, PASSWORD).await;
            let seen = visitor.press(&seen, "add-authenticator", &[]).await;
            let code = world.code(&format!("{who}@acme.test"), 0).await;
            let seen = visitor.press(&seen, "continue", &[("code", &code)]).await;
            let seen = visitor.press(&seen, "platform-command_line", &[]).await;
            let string = seen.find("[data-activation-string]").expect("an activation string");
            let (base, short) = (world.base(), ActivationString::parse(&string).unwrap().to_short());
            let link = format!("vestibule-authenticator:{string}");
            let arguments = match brought {
                "copied" => vec!["activate", string.as_str()],
                "link" => vec!["activate", link.as_str()],
                _ => vec!["activate", short.as_str(), "--server", base.as_str()],
            };
            let (exit, out) = app(folder.path(), &[&arguments[..], &["--name", who]].concat());
            assert_eq!(exit, 0, "{out}");
            let seen = visitor.press(&seen, "check-now", &[]).await;
            world.catch_up();
            let seen = visitor.press(&seen, "continue", &[("code", &passcode(folder.path(), who))]).await;
            assert!(!code_of(&seen).0.is_empty(), "{}", seen.body);
        }
        let (tenant, now) = (world.tenant().await, world.clock_now());
        let all = Filter::default();
        let asked = async |connection: &mut _| enrollment_history::page(connection, tenant, &all, None, 10, now).await;
        let page = world.site.house.db.read(asked).await.unwrap();
        let mut told: Vec<_> = page.rows.iter().map(|row| (row.username.as_deref().unwrap(), row.brought)).collect();
        told.sort_by_key(|(who, _)| *who);
        let expected =
            [("grace", Some(Brought::Copied)), ("mary", Some(Brought::Link)), ("rosa", Some(Brought::Typed))];
        assert_eq!(told, expected, "{on:?}");
        world.stop().await;
    }
}

/// Changes a member of the file of an authenticator.
fn set(store: &Path, serial: &str, member: &str, value: serde_json::Value) {
    let path = store.join(format!("{serial}.json"));
    let mut entry: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    entry[member] = value;
    std::fs::write(&path, entry.to_string()).unwrap();
}

/// U "M8", "M9": suspended, working again, revoked: the app says so at its next contact. One that is
/// revoked gives no more passcodes, with or without a network, and can be deleted.
#[actix_web::test]
async fn the_app_learns_that_its_authenticator_is_revoked() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path();
        let mut ada = Visitor::new(&world.url);
        let seen = to_platforms(&world, &mut ada).await;
        activated(&world, &mut ada, &seen, store, "work").await;
        let serial = world.text(MINE).await;
        world.catch_up();
        let (exit, out) = app(store, &["status"]);
        assert!(exit == 0 && out.contains("work works."), "{on:?}: {out}");

        world.command(&["token", "suspend", &serial, "--reason", "a question"]);
        // What is not asked is not known: passcodes do not wait for a network.
        assert_eq!(app(store, &["passcode"]).0, 0, "{on:?}, R-284");
        let (exit, out) = app(store, &["status", "--json"]);
        assert_eq!((exit, json(&out)[0]["state"].as_str()), (0, Some("suspended")), "{on:?}: {out}");
        assert!(app(store, &["list"]).1.contains("[suspended]"), "{on:?}");
        let (exit, out) = app(store, &["passcode"]);
        assert!(exit == 4 && out.contains("token.suspended"), "{on:?}: {exit} {out}");
        world.command(&["token", "reactivate", &serial]);
        // It is asked again before it says no.
        assert_eq!(app(store, &["passcode"]).0, 0, "{on:?}");
        assert_eq!(json(&app(store, &["list", "--json"]).1)[0]["state"], "active", "{on:?}");

        world.command(&["token", "revoke", &serial, "--disposition", "lost"]);
        // Once a day it is asked by itself, at the end of any command.
        assert!(!app(store, &["list"]).1.contains("revoked"), "{on:?}: not on the same day");
        set(store, &serial, "asked", 0.into());
        let (_, out) = app(store, &["list"]);
        assert!(out.contains("token.revoked"), "{on:?}: {out}");
        let file = std::fs::read_to_string(store.join(format!("{serial}.json"))).unwrap();
        assert!(file.contains("\"secret\": \"erased\""), "{on:?}: the secret is gone: {file}");
        let (exit, out) = app(store, &["passcode"]);
        assert!(exit == 4 && out.contains("remove \"work\""), "{on:?}: {exit} {out}");
        let (_, out) = app(store, &["info", "--json"]);
        let info = json(&out);
        assert_eq!((info["state"].as_str(), info["locked"].as_bool()), (Some("revoked"), Some(false)), "{on:?}: {out}");
        let (exit, out) = app(store, &["remove", "work", "--yes", "--json"]);
        let removed = json(&out);
        assert_eq!((exit, removed["removed"].as_str()), (0, Some(serial.as_str())), "{on:?}: {out}");
        assert_eq!(removed["server_waits"], false, "{on:?}: it knows: {out}");
        assert_eq!(json(&app(store, &["list", "--json"]).1), serde_json::json!([]), "{on:?}");
        assert_eq!(world.text("SELECT disposition AS t FROM token WHERE state = 'revoked'").await, "lost", "{on:?}");
        world.stop().await;
    }
}

/// whoever deletes an authenticator in the app cannot be asked for its passcodes any more: it is suspended, its
/// owner gets a letter, its sessions end, and an operator decides how the person enrolls again (T-01).
#[actix_web::test]
async fn an_authenticator_that_is_deleted_in_the_app_is_suspended() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path();
        let mut ada = Visitor::new(&world.url);
        let seen = to_platforms(&world, &mut ada).await;
        activated(&world, &mut ada, &seen, store, "work").await;
        let serial = world.text(MINE).await;
        let sessions = "SELECT COUNT(*) AS n FROM sso_session WHERE ended_at IS NULL";
        assert_eq!(world.number(sessions).await, 1, "{on:?}");
        let (exit, out) = app(store, &["remove", "work", "--yes"]);
        assert!(exit == 0 && out.contains("has suspended it"), "{on:?}: {out}");
        assert!(!store.join(format!("{serial}.json")).exists(), "{on:?}");
        assert_eq!(world.text(STATE).await, "suspended", "{on:?}");
        let reason = "SELECT state_reason AS t FROM token WHERE enrolled_by = 'self'";
        assert_eq!(world.text(reason).await, "removed on device", "{on:?}");
        assert_eq!(world.events("token_suspended").await, 1, "{on:?}");
        let who = "SELECT actor_kind AS t FROM audit_event WHERE action = 'token_suspended'";
        assert_eq!(world.text(who).await, "device", "{on:?}");
        assert_eq!(world.number(sessions).await, 0, "{on:?}: what it opened is closed");
        assert_eq!(world.letters("ada@acme.test", "was removed in its app").await, 1, "{on:?}");
        // The mailbox alone brings nobody in.
        let mut again = Visitor::new(&world.url);
        let seen = after_password(&world, &mut again, "ada", PASSWORD).await;
        assert_eq!(seen.title(), "Your authenticator cannot be used", "{on:?}: {}", seen.body);
        // An operator who has spoken with her lets her begin anew.
        world.command(&["token", "revoke", &serial, "--allow-enrollment"]);
        let mut anew = Visitor::new(&world.url);
        let seen = after_password(&world, &mut anew, "ada", PASSWORD).await;
        assert_eq!(seen.title(), "Add an authenticator", "{on:?}: {}", seen.body);
        world.stop().await;
    }
}

/// without a network the secret is gone at once, and the server hears of it later.
#[actix_web::test]
async fn a_removal_without_a_network_is_told_later() {
    for on in BOTH {
        let service = Service::new(on);
        service.apply(ACME);
        let mut running = service.start().await;
        service.run(&["provision", "create", "--user", "barbara"]);
        let (page, code) = service.link_to("barbara@acme.test").await;
        let mut barbara = Visitor::new(&service.url());
        let seen = barbara.get(&page).await;
        let seen = barbara.press(&seen, "start", &[("code", &code)]).await;
        let seen = barbara.press(&seen, "platform-command_line", &[]).await;
        let string = seen.find("[data-activation-string]").unwrap_or_else(|| panic!("{}", seen.body));
        let folder = tempfile::tempdir().unwrap();
        let (exit, out) = app(folder.path(), &["activate", &string, "--name", "work"]);
        assert_eq!(exit, 0, "{out}");
        running.end();
        let (exit, out) = app(folder.path(), &["remove", "work", "--yes", "--json"]);
        assert_eq!((exit, json(&out)["server_waits"].as_bool()), (0, Some(true)), "{on:?}: {out}");
        assert_eq!(json(&app(folder.path(), &["list", "--json"]).1), serde_json::json!([]), "{on:?}: it is not shown");
        let left: String = std::fs::read_dir(folder.path())
            .unwrap()
            .filter_map(|file| std::fs::read_to_string(file.unwrap().path()).ok())
            .collect();
        assert!(left.contains("\"secret\": \"erased\""), "{on:?}: {left}");
        let suspended = "SELECT COUNT(*) AS n FROM token WHERE state_reason = 'removed on device'";
        assert_eq!(service.number(suspended).await, 0, "{on:?}");
        running = service.start().await;
        app(folder.path(), &["list"]);
        assert_eq!(service.number(suspended).await, 1, "{on:?}: {}", app(folder.path(), &["log"]).1);
        let files = std::fs::read_dir(folder.path()).unwrap();
        let names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        assert!(names.iter().all(|name| !name.ends_with(".json")), "{on:?}: nothing is left: {names:?}");
        running.end();
    }
}

/// a virtual server that is switched off has not heard of a removal, and hears of it when it is back.
#[actix_web::test]
async fn a_removal_is_told_again_to_a_server_that_was_closed() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path();
        let mut ada = Visitor::new(&world.url);
        let seen = to_platforms(&world, &mut ada).await;
        activated(&world, &mut ada, &seen, store, "work").await;
        world.execute("UPDATE tenant SET status = ? WHERE code = 'acme'", "disabled").await;
        world.site.house.forget_realms();
        let (exit, out) = app(store, &["remove", "work", "--yes", "--json"]);
        let removed = json(&out);
        assert_eq!((exit, removed["server_waits"].as_bool()), (0, Some(true)), "{on:?}: {out}");
        assert_eq!(world.text(STATE).await, "active", "{on:?}");
        world.execute("UPDATE tenant SET status = ? WHERE code = 'acme'", "enabled").await;
        world.site.house.forget_realms();
        app(store, &["list"]);
        assert_eq!(world.text(STATE).await, "suspended", "{on:?}: {}", app(store, &["log"]).1);
        world.stop().await;
    }
}

/// One call to the service.
async fn call(world: &World, call: &Call, mac: &[u8]) -> (u16, serde_json::Value) {
    let body = serde_json::json!({ "serial": call.serial, "counter": call.counter, "request": call.request,
        "mac": URL_SAFE_NO_PAD.encode(mac) });
    let address = format!("{}/api/authenticator/v1/{}", call.base, call.path);
    let address = if call.base.starts_with(&world.url) {
        address
    } else {
        format!("{}/api/authenticator/v1/{}", world.base(), call.path)
    };
    let answer = reqwest::Client::new().post(address).json(&body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Ada's token on a device that speaks the protocol as it likes: its serial number and its key for calls.
async fn device_of_ada(world: &World) -> (String, SecretBytes) {
    let mut ada = Visitor::new(&world.url);
    let seen = to_platforms(world, &mut ada).await;
    let seen = ada.press(&seen, "platform-command_line", &[]).await;
    let device = Device::new(&seen.find("[data-activation-string]").unwrap(), "command_line");
    let (_, claimed) = device.claim().await;
    let (_, secret) = device.confirm(&claimed).await;
    let seen = ada.press(&seen, "check-now", &[]).await;
    let seen = ada.press(&seen, "continue", &[("code", &oathtool(world, &secret, "--totp=sha256", "6"))]).await;
    assert!(!code_of(&seen).0.is_empty(), "{}", seen.body);
    (world.text(MINE).await, device.keys(&claimed).0.calls)
}

/// R-353, T-17, T-19: nobody but the device suspends a token by these calls, no call counts twice, not even after an operator
/// has let the token work again, and the answers show that they are the server's.
#[actix_web::test]
async fn nobody_else_removes_an_authenticator() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply("[[tenant]]\ncode = \"blue\"\nname = \"Blue\"\n").await;
        let (serial, key) = device_of_ada(&world).await;
        let right = Call {
            base: world.base(),
            path: "token/removed",
            serial: serial.clone(),
            counter: 5,
            request: "{}".to_owned(),
        };
        let mac = right.mac(&key);
        let stranger = call(&world, &Call { serial: "VT00000000".to_owned(), ..right.clone() }, &mac).await;
        assert_eq!((stranger.0, stranger.1["code"].as_str()), (403, Some("call.denied")), "{on:?}");
        let other = SecretBytes::new(vec![7; 32]);
        for (forged, mac) in [
            (Call { counter: 6, ..right.clone() }, mac),
            (right.clone(), right.mac(&other)),
            (right.clone(), right.answer_mac(&key, "{}")),
            // What was said to another address, or asked, removes nothing.
            (right.clone(), Call { path: "token/status", ..right.clone() }.mac(&key)),
            (right.clone(), Call { path: "token/pin-locked", ..right.clone() }.mac(&key)),
            (Call { request: "{ }".to_owned(), ..right.clone() }, mac),
            (Call { base: format!("{}/t/blue", world.url), ..right.clone() }, mac),
        ] {
            assert_eq!(call(&world, &forged, &mac).await, stranger, "{on:?}: {forged:?}");
        }
        for request in ["[]", "", "null", "{", "7"] {
            let odd = Call { request: request.to_owned(), ..right.clone() };
            let answer = call(&world, &odd, &odd.mac(&key)).await;
            assert_eq!((answer.0, answer.1["code"].as_str()), (400, Some("call.malformed")), "{on:?} {request:?}");
        }
        assert_eq!(world.text(STATE).await, "active", "{on:?}");
        // The device asks, and the answer is to this question.
        let asks = Call { path: "token/status", counter: 2, ..right.clone() };
        let (status, told) = call(&world, &asks, &asks.mac(&key)).await;
        assert_eq!(status, 200, "{on:?}: {told}");
        let (answer, sent) = (told["answer"].as_str().unwrap(), told["mac"].as_str().unwrap());
        assert!(asks.is_answer(&key, answer, &URL_SAFE_NO_PAD.decode(sent).unwrap()), "{on:?}: {told}");
        let said: serde_json::Value = serde_json::from_str(answer).unwrap();
        let now = world.clock_now().seconds();
        assert_eq!((said["state"].as_str(), said["server_time"].as_i64()), (Some("active"), Some(now)), "{on:?}");
        // Sixteen copies of the removal: one is made.
        let copies = futures_util::future::join_all((0..16).map(|_| call(&world, &right, &mac))).await;
        assert_eq!(copies.iter().filter(|(status, _)| *status == 200).count(), 1, "{on:?}: {copies:?}");
        assert_eq!((world.text(STATE).await.as_str(), world.events("token_suspended").await), ("suspended", 1));
        // Somebody has kept it, and an operator lets the token work again.
        world.command(&["token", "reactivate", &serial, "--tenant", "acme"]);
        let late = call(&world, &right, &mac).await;
        assert_eq!((late.0, late.1["last_counter"].as_i64()), (409, Some(5)), "{on:?}: {late:?}");
        assert_eq!(world.text(STATE).await, "active", "{on:?}");
        // What is locked after wrong PINs, or revoked, is not made lighter by a removal.
        let locked =
            Call { path: "token/pin-locked", counter: 6, request: "{\"wrong_pins\":5}".to_owned(), ..right.clone() };
        assert_eq!(call(&world, &locked, &locked.mac(&key)).await.1["state"], "locked", "{on:?}");
        let next = Call { counter: 7, ..right.clone() };
        let told = call(&world, &next, &next.mac(&key)).await;
        assert!(told.1["answer"].as_str().unwrap().contains("\"locked\""), "{on:?}: {told:?}");
        world.command(&["token", "revoke", &serial, "--tenant", "acme"]);
        let next = Call { counter: 8, ..right.clone() };
        let told = call(&world, &next, &next.mac(&key)).await;
        assert!(told.1["answer"].as_str().unwrap().contains("\"revoked\""), "{on:?}, R-349: {told:?}");
        assert_eq!(world.letters("ada@acme.test", "was removed in its app").await, 1, "{on:?}: one letter");
        // Guessing ends, for the address; whoever asks rightly does not count.
        world.advance(600);
        for counter in 20..100 {
            let next = Call { path: "token/status", counter, ..right.clone() };
            assert_eq!(call(&world, &next, &next.mac(&key)).await.0, 200, "{on:?}: as many devices as there are");
        }
        let mut guesses = Vec::new();
        for counter in 100..170 {
            guesses.push(call(&world, &Call { counter, ..right.clone() }, &mac).await.0);
        }
        assert_eq!((guesses.first(), guesses.last()), (Some(&403), Some(&429)), "{on:?}: {guesses:?}");
        world.stop().await;
    }
}

/// R-349, AC-13: somebody in between who has a certificate that the device trusts cannot have it throw its secret away.
#[actix_web::test]
async fn a_false_server_revokes_nothing() {
    let world = World::at_this_time(On::Sqlite).await;
    let folder = tempfile::tempdir().unwrap();
    let mut ada = Visitor::new(&world.url);
    let seen = to_platforms(&world, &mut ada).await;
    activated(&world, &mut ada, &seen, folder.path(), "work").await;
    let serial = world.text(MINE).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let false_one = format!("http://{}/t/acme", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The whole request, head and body.
            let (mut heard, mut part) = (String::new(), [0; 4096]);
            while !heard.split_once("\r\n\r\n").is_some_and(|(_, body)| body.ends_with('}')) {
                let length = stream.read(&mut part).unwrap();
                heard.push_str(&String::from_utf8_lossy(&part[..length]));
                if length == 0 {
                    break;
                }
            }
            let answer = "{\"state\":\"revoked\",\"server_time\":1800000000}";
            let body = serde_json::json!({ "answer": answer, "mac": URL_SAFE_NO_PAD.encode([0; 32]) }).to_string();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            )
            .unwrap();
        }
    });
    set(folder.path(), &serial, "server", false_one.into());
    let (exit, out) = app(folder.path(), &["status"]);
    assert!(exit == 1 && out.contains("could not show that it is the server"), "{exit} {out}");
    set(folder.path(), &serial, "server", world.base().into());
    assert!(app(folder.path(), &["status"]).1.contains("work works"), "nothing is lost");
    passcode(folder.path(), "work");
    world.stop().await;
}

/// one app with authenticators of several people, of two virtual servers, of two
/// servers, and of other companies, as many as anybody likes; each gives the passcodes of its own account.
#[actix_web::test]
async fn one_app_has_the_authenticators_of_many_accounts_and_servers() {
    let (one, two) = (World::at_this_time(On::Sqlite).await, World::at_this_time(On::MariaDb).await);
    one.apply(&acme(&person("grace"))).await;
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path();
    for (world, who, name) in [(&one, "ada", "Ada here"), (&one, "grace", "Grace here"), (&two, "ada", "Ada there")] {
        let mut visitor = Visitor::new(&world.url);
        let address = format!("{who}@acme.test");
        let seen = after_password(world, &mut visitor, who, PASSWORD).await;
        let seen = visitor.press(&seen, "add-authenticator", &[]).await;
        let code = world.code(&address, 0).await;
        let seen = visitor.press(&seen, "continue", &[("code", &code)]).await;
        activated(world, &mut visitor, &seen, store, name).await;
    }
    // Other people's servers, by the dozen.
    for number in 0..60 {
        let address = format!("otpauth://totp/Other{number}:me?secret=JBSWY3DPEHPK3PXP&issuer=Other{number}");
        let (exit, out) = app(store, &["activate", &address]);
        assert_eq!(exit, 0, "R-366: {out}");
    }
    let listed = json(&app(store, &["list", "--json"]).1);
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 63, "R-366: {names:?}");
    assert_eq!(&names[..3], ["Ada here", "Ada there", "Grace here"], "R-616: by name");
    let servers: std::collections::BTreeSet<&str> =
        listed.as_array().unwrap().iter().map(|entry| entry["server"].as_str().unwrap()).collect();
    assert_eq!(servers, [one.base().as_str(), two.base().as_str(), "otpauth"].into(), "R-365");
    // The same name twice is not possible.
    let (_, out) = app(store, &["rename", "Other0", "ada HERE", "--json"]);
    assert_eq!(json(&out)["name"], "ada HERE 2", "{out}");
    // Its own name is not another's.
    let (_, out) = app(store, &["rename", "ada HERE 2", "Ada here 2", "--json"]);
    assert_eq!(json(&out)["name"], "Ada here 2", "{out}");
    for world in [&one, &two] {
        // Times of passcodes go on; those of the enrollment are used up.
        world.advance(30);
    }
    let (exit, out) = app(store, &["status", "--json"]);
    assert_eq!(exit, 0, "{out}");
    let asked = json(&out).as_array().unwrap().iter().filter(|entry| entry["asked"] == true).count();
    assert_eq!(asked, 3, "R-642: each server is asked for its own: {out}");
    // One of them ends, and only that one.
    let serial = two.text(MINE).await;
    two.command(&["token", "revoke", &serial]);
    app(store, &["status"]);
    assert_eq!(app(store, &["passcode", "Ada there"]).0, 4);
    passcode(store, "Ada here");
    passcode(store, "Grace here");
    one.stop().await;
    two.stop().await;
}
