//! Calls to servers after the activation (docs/activation-protocol.md, section 9): telling them what they should know of an
//! authenticator as soon as they can be reached, and asking them how it is.

use std::io::IsTerminal as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use vestibule::clock::Clock;
use vestibule::domain::activation::call::Call;
use vestibule::domain::secret::SecretBytes;
use vestibule::i18n::Language;

use super::store::{Entry, Kept, State, Store};
use super::words::{device, said};
use super::{Failure, clock, complaint, confirmed, failed, say};

/// How long a server may take: nobody waits for this.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a server is asked by itself, in seconds.
const DAILY: i64 = 86_400;

/// What a server said of a call.
enum Answer {
    /// It was accepted; what is said, where the call has an answer with a MAC.
    Accepted(Option<Status>),
    /// It will never be.
    Refused(String),
}

/// How an authenticator is, as its server says.
#[derive(serde::Deserialize)]
struct Status {
    state: String,
    server_time: i64,
}

#[derive(serde::Deserialize)]
struct Told {
    answer: String,
    mac: String,
}

/// What there is to tell and to ask, at the end of a command. Whatever goes wrong is tried again with the next one.
pub fn settle(store: &Store) {
    let Ok(entries) = store.files() else { return };
    let now = Clock::System.now().seconds();
    for entry in entries.iter().filter(|entry| entry.has_server()) {
        if entry.removed {
            removal(store, entry);
        } else if entry.locked() && !entry.reported {
            lock(store, entry);
        } else if !entry.revoked() && (now - entry.asked).abs() >= DAILY {
            daily(store, entry);
        }
    }
}

/// Tells the server that an authenticator is locked here.
fn lock(store: &Store, entry: &Entry) {
    let request = serde_json::json!({ "wrong_pins": entry.wrong_pins }).to_string();
    match made(store, entry, "token/pin-locked", &request) {
        Ok(answer) => {
            match answer {
                Answer::Accepted(_) => store.log(&format!("told {} that {} is locked", entry.server, entry.serial)),
                Answer::Refused(_) => {
                    store.log(&format!("{} does not take the report that {} is locked", entry.server, entry.serial));
                }
            }
            let noted = change(store, &entry.serial, |entry| entry.reported = true);
            if let Err(failure) = noted {
                store.log(&failure.to_string());
            }
        }
        Err(failure) => store.log(&format!("the lock of {} is not reported yet: {failure}", entry.serial)),
    }
}

/// Tells the server that an authenticator was removed here, and forgets it then. Says whether the server knows.
fn removal(store: &Store, entry: &Entry) -> bool {
    let answer = match made(store, entry, "token/removed", "{}") {
        Ok(answer) => answer,
        Err(failure) => {
            store.log(&format!("the removal of {} is not reported yet: {failure}", entry.serial));
            return false;
        }
    };
    let known = match answer {
        Answer::Accepted(_) => {
            store.log(&format!("told {} that {} is removed", entry.server, entry.serial));
            true
        }
        Answer::Refused(why) => {
            store.log(&format!("{} does not take the report that {} is removed: {why}", entry.server, entry.serial));
            false
        }
    };
    if let Err(failure) = store.remove(entry) {
        store.log(&failure.to_string());
    }
    known
}

/// Asks by itself, once a day; an attempt without a network counts, so that nobody waits for it with every command.
fn daily(store: &Store, entry: &Entry) {
    match ask(store, entry) {
        Ok(entry) if entry.stopped.is_some() => eprintln!("{}", words(&entry)),
        Ok(_) => {}
        Err(failure) => {
            store.log(&format!("{} could not be asked how {} is: {failure}", entry.server, entry.serial));
            drop(change(store, &entry.serial, |entry| entry.asked = Clock::System.now().seconds()));
        }
    }
}

/// Asks the server how an authenticator is, and writes it down. The secret of one that is revoked is erased.
///
/// # Errors
/// If the server cannot be reached, or does not know the authenticator.
pub fn ask(store: &Store, entry: &Entry) -> Result<Entry, Failure> {
    let status = match made(store, entry, "token/status", "{}")? {
        Answer::Accepted(Some(status)) => status,
        Answer::Accepted(None) => return Err(complaint("app-answer-malformed", [])),
        Answer::Refused(code) => {
            let values = [("server", (&entry.server).into()), ("serial", (&entry.serial).into())];
            return Err(Failure::Refused { message: said("app-not-known-there", values), code });
        }
    };
    let now = Clock::System.now().seconds();
    if let Some(words) = clock::warning(now - status.server_time, &entry.template) {
        eprintln!("{}", words.here());
    }
    let stopped = match status.state.as_str() {
        "active" => None,
        "suspended" => Some(State::Suspended),
        "revoked" => Some(State::Revoked),
        // Whatever a later server says: it does not work.
        _ => Some(State::Locked),
    };
    if stopped != entry.stopped {
        store.log(&format!("{} says that {} is {}", entry.server, entry.serial, status.state));
    }
    change(store, &entry.serial, |entry| {
        entry.asked = now;
        entry.stopped = stopped;
        if stopped == Some(State::Revoked) {
            entry.secret = Kept::Erased;
        }
    })
}

/// What the state of an authenticator means, and what to do, in the language of the device.
pub fn words(entry: &Entry) -> String {
    match entry.stopped {
        Some(state) => Failure::Stopped { state, name: entry.name.clone() }.words(device()),
        None if entry.locked() => Failure::Locked.words(device()),
        None => said("app-works", [("name", (&entry.name).into())]).here(),
    }
}

/// `status`: asks the servers, and offers to remove what has ended.
pub fn status(store: &Store, name: Option<&str>, json: bool) -> Result<(), Failure> {
    let entries = match name {
        Some(_) => vec![store.find(name)?],
        None => store.all()?,
    };
    if entries.is_empty() && !json {
        println!("{}", said("app-none", []).here());
    }
    let language = if json { Language::English } else { device() };
    let (mut values, mut fault) = (Vec::new(), None);
    for entry in entries {
        let (entry, reached) = if !entry.has_server() {
            (entry, Err(said("app-no-server", []).words(language)))
        } else {
            match ask(store, &entry) {
                Ok(entry) => (entry, Ok(())),
                Err(failure) => {
                    let why = failure.words(language);
                    fault = Some(failure);
                    (entry, Err(why))
                }
            }
        };
        values.push(serde_json::json!({ "serial": entry.serial, "name": entry.name, "state": entry.state(),
            "asked": reached.is_ok(), "error": reached.as_ref().err() }));
        if json {
            continue;
        }
        match reached {
            Ok(()) => println!("{}", words(&entry)),
            Err(why) => println!("{} ({}): {why}", entry.name, entry.state_in_words().here()),
        }
        if entry.revoked() && std::io::stdin().is_terminal() && confirmed(&entry)? {
            store.remove(&entry)?;
            println!("{}", said("app-removed", [("name", (&entry.name).into())]).here());
        }
    }
    if json {
        println!("{}", serde_json::Value::Array(values));
    }
    fault.map_or(Ok(()), Err)
}

/// `remove`: erases the secret and tells the server, now or as soon as it can be reached.
pub fn remove(store: &Store, entry: &Entry, json: bool) -> Result<(), Failure> {
    store.log(&format!("removed {}", entry.serial));
    let told = if !entry.has_server() || entry.revoked() {
        store.remove(entry)?;
        None
    } else {
        let gone = change(store, &entry.serial, |entry| {
            entry.removed = true;
            entry.secret = Kept::Erased;
        })?;
        Some(removal(store, &gone))
    };
    let waits = store.with_serial(&entry.serial).is_ok();
    let key = match told {
        Some(true) => "app-removed-known",
        Some(false) if waits => "app-removed-waits",
        Some(false) => "app-removed-unknown",
        None => "app-removed",
    };
    say(
        json,
        &serde_json::json!({ "removed": entry.serial, "server_knows": told == Some(true), "server_waits": waits }),
        &said(key, [("name", (&entry.name).into())]),
    );
    Ok(())
}

/// Makes one call. An error is worth another try later.
fn made(store: &Store, entry: &Entry, path: &'static str, request: &str) -> Result<Answer, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        let address = format!("{}/api/authenticator/v1/{path}", entry.server);
        let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(failed)?;
        // A server that knows a higher counter than a store that was restored says so; then the next one is right.
        for _ in 0..2 {
            let (counter, key) = next_call(store, &entry.serial)?;
            let call = Call {
                base: entry.server.clone(),
                path,
                serial: entry.serial.clone(),
                counter,
                request: request.to_owned(),
            };
            let body = serde_json::json!({ "serial": call.serial, "counter": call.counter, "request": call.request,
                "mac": URL_SAFE_NO_PAD.encode(call.mac(&key)) });
            let answer = client.post(&address).json(&body).send().await;
            let answer = answer.map_err(|error| {
                complaint("app-no-connection", [("address", (&address).into()), ("error", error.to_string().into())])
            })?;
            let status = answer.status().as_u16();
            if status == 409 {
                let problem: serde_json::Value = answer.json().await.map_err(failed)?;
                let last = problem.get("last_counter").and_then(serde_json::Value::as_u64);
                let last = last.ok_or_else(|| complaint("app-answer-malformed", []))?;
                change(store, &entry.serial, |entry| entry.call_counter = entry.call_counter.max(last))?;
                continue;
            }
            if status >= 500 || status == 429 {
                return Err(answers(&address, &status.to_string()));
            }
            if status != 200 {
                let problem: serde_json::Value = answer.json().await.unwrap_or_default();
                let code = problem.get("code").and_then(serde_json::Value::as_str).unwrap_or_default();
                // Whatever else it is, a virtual server that is switched off or a proxy in between, says nothing of the call.
                if !code.starts_with("call.") {
                    return Err(answers(&address, &format!("{status} {code}")));
                }
                return Ok(Answer::Refused(code.to_owned()));
            }
            if path == "token/pin-locked" {
                return Ok(Answer::Accepted(None));
            }
            // Only the server that made the keys can have said it.
            let told: Told = answer.json().await.map_err(failed)?;
            let mac = URL_SAFE_NO_PAD.decode(&told.mac).map_err(failed)?;
            if !call.is_answer(&key, &told.answer, &mac) {
                return Err(complaint("app-not-the-server", [("address", (&address).into())]));
            }
            return serde_json::from_str(&told.answer).map(|status| Answer::Accepted(Some(status))).map_err(failed);
        }
        Err(complaint("app-no-counter", []))
    })
}

/// The server answers what is no answer to a call.
fn answers(address: &str, status: &str) -> Failure {
    complaint("app-answers", [("address", address.into()), ("status", status.into())])
}

/// Changes what is kept of an authenticator, alone with the store.
fn change(store: &Store, serial: &str, change: impl FnOnce(&mut Entry)) -> Result<Entry, Failure> {
    store.alone(|| {
        let mut entry = store.with_serial(serial)?;
        change(&mut entry);
        store.put(&entry)?;
        Ok(entry)
    })
}

/// The next counter, written down before it is used, and the key.
fn next_call(store: &Store, serial: &str) -> Result<(u64, SecretBytes), Failure> {
    let entry = change(store, serial, |entry| entry.call_counter += 1)?;
    let key = entry.calls.as_ref().ok_or_else(|| failed("there is no key for calls"))?;
    Ok((entry.call_counter, SecretBytes::new(URL_SAFE_NO_PAD.decode(key).map_err(failed)?)))
}
