//! `passcode`: the reason why the app exists.

use vestibule::clock::Clock;
use vestibule::domain::authenticator::template::{PinType, Synchronization};
use vestibule::domain::oath::{hotp, totp};
use vestibule::domain::secret::SecretBytes;

use super::store::{Entry, Store};
use super::{Failure, Passcode, failed, pin};

/// Prints the passcode.
pub fn run(store: &Store, wanted: &Passcode, json: bool) -> Result<(), Failure> {
    let found = store.find(wanted.name.as_deref())?;
    if found.template.pin_type == PinType::UserSelected && !found.has_pin() {
        return Err(failed(format!("set a PIN first: vestibule-authenticator pin \"{}\" [pin.unset]", found.name)));
    }
    let pin = if found.has_pin() { Some(pin::ask(&found, wanted.pin_stdin)?) } else { None };
    store.alone(|| {
        // Another program may have counted a try or a passcode meanwhile.
        let mut entry = store.find(Some(&found.serial))?;
        let secret = entry.secret(store, pin.as_ref().map(|pin| pin.as_str()))?;
        show(store, &mut entry, &secret, json)
    })
}

fn show(store: &Store, entry: &mut Entry, secret: &SecretBytes, json: bool) -> Result<(), Failure> {
    let (algorithm, digits) = (entry.template.algorithm, entry.template.length);
    match entry.template.synchronization {
        Synchronization::Time => {
            let now = Clock::System.now();
            let step = entry.template.time_step_seconds.max(1);
            let counter = u64::try_from(totp::step_at(now, step)).unwrap_or_default();
            let code = hotp::passcode(secret, algorithm, digits, counter);
            let left = i64::from(step) - now.seconds().rem_euclid(i64::from(step));
            if json {
                println!("{}", serde_json::json!({ "passcode": code.to_string(), "seconds_left": left }));
            } else {
                println!("{code}");
                eprintln!("valid for {left} more seconds");
            }
        }
        Synchronization::Event => {
            let counter = entry.counter;
            // Stored before it is shown: a crash must not show the same passcode twice.
            entry.counter += 1;
            store.put(entry)?;
            let code = hotp::passcode(secret, algorithm, digits, counter);
            if json {
                println!("{}", serde_json::json!({ "passcode": code.to_string() }));
            } else {
                println!("{code}");
            }
        }
    }
    Ok(())
}
