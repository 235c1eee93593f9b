//! Telling servers what they should know of an authenticator, as soon as they can be reached.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use vestibule::domain::activation::call::Call;
use vestibule::domain::secret::SecretBytes;

use super::store::{Entry, Store};
use super::{Failure, failed};

/// How long a server may take: nobody waits for this.
const PATIENCE: Duration = Duration::from_secs(5);

/// Tells the servers of all authenticators that are locked, and were not reported yet. Whatever goes wrong is tried again
/// with the next command.
pub fn locks(store: &Store) {
    let Ok(entries) = store.all() else { return };
    for entry in entries.iter().filter(|entry| entry.locked() && !entry.reported && entry.calls.is_some()) {
        match told(store, entry) {
            Ok(true) => store.log(&format!("told {} that {} is locked", entry.server, entry.serial)),
            Ok(false) => {
                store.log(&format!("{} does not take the report that {} is locked", entry.server, entry.serial))
            }
            Err(failure) => store.log(&format!("the lock of {} is not reported yet: {failure}", entry.serial)),
        }
    }
}

/// Tells one server. `false` if it will never listen.
fn told(store: &Store, entry: &Entry) -> Result<bool, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    runtime.block_on(async {
        // A server that knows a higher counter than a store that was restored says so; then the next one is right.
        for _ in 0..2 {
            let (counter, key) = store.alone(|| next_call(store, &entry.serial))?;
            let call = Call {
                base: entry.server.clone(),
                path: "token/pin-locked",
                serial: entry.serial.clone(),
                counter,
                request: serde_json::json!({ "wrong_pins": entry.wrong_pins }).to_string(),
            };
            let body = serde_json::json!({ "serial": call.serial, "counter": call.counter, "request": call.request,
                "mac": URL_SAFE_NO_PAD.encode(call.mac(&key)) });
            let address = format!("{}/api/authenticator/v1/token/pin-locked", entry.server);
            let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(failed)?;
            let answer = client.post(&address).json(&body).send().await.map_err(failed)?;
            let status = answer.status().as_u16();
            if status == 409 {
                let problem: serde_json::Value = answer.json().await.map_err(failed)?;
                let last = problem.get("last_counter").and_then(serde_json::Value::as_u64);
                let last = last.ok_or_else(|| failed("the server's answer is malformed"))?;
                store.alone(|| {
                    let mut entry = store.find(Some(&entry.serial))?;
                    entry.call_counter = entry.call_counter.max(last);
                    store.put(&entry)
                })?;
                continue;
            }
            if status >= 500 || status == 429 {
                return Err(failed(format!("{address} answers {status}")));
            }
            store.alone(|| {
                let mut entry = store.find(Some(&entry.serial))?;
                entry.reported = true;
                store.put(&entry)
            })?;
            return Ok(status == 200);
        }
        Err(failed("the server does not accept the counter"))
    })
}

/// The next counter, written down before it is used, and the key.
fn next_call(store: &Store, serial: &str) -> Result<(u64, SecretBytes), Failure> {
    let mut entry = store.find(Some(serial))?;
    entry.call_counter += 1;
    store.put(&entry)?;
    let key = entry.calls.as_ref().ok_or_else(|| failed("there is no key for calls"))?;
    Ok((entry.call_counter, SecretBytes::new(URL_SAFE_NO_PAD.decode(key).map_err(failed)?)))
}
