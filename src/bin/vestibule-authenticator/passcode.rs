//! `passcode`: the reason why the app exists.

use vestibule::clock::Clock;
use vestibule::domain::authenticator::template::{Mode, PinType, Synchronization};
use vestibule::domain::oath::ocra::{Input, Suite};
use vestibule::domain::oath::{hotp, totp};
use vestibule::domain::secret::SecretBytes;

use super::store::{Entry, State, Store};
use super::words::{device, said};
use super::{Failure, Passcode, complaint, failed, pin, report};

/// Prints the passcode.
pub fn run(store: &Store, wanted: &Passcode, json: bool) -> Result<(), Failure> {
    let mut found = store.find(wanted.name.as_deref())?;
    let mut unknown = false;
    if matches!(found.stopped, Some(State::Suspended | State::Locked)) {
        // It may work again by now. Whoever has no network gets a passcode all the same: the server has the last word.
        match report::ask(store, &found) {
            Ok(asked) => found = asked,
            Err(failure) => {
                let (error, state) = (failure.words(device()), found.state_in_words().here());
                eprintln!("{}", said("app-asked-in-vain", [("error", error.into()), ("state", state.into())]).here());
                unknown = true;
            }
        }
    }
    if let Some(state) = found.stopped.filter(|state| !unknown || *state == State::Revoked) {
        return Err(Failure::Stopped { state, name: found.name });
    }
    let challenge = match (&wanted.challenge, found.template.mode) {
        (Some(typed), Mode::ChallengeResponse) => Some(digits_of(typed)?),
        (None, Mode::ChallengeResponse) => {
            return Err(complaint("app-challenge-needed", []));
        }
        (Some(_), Mode::QuickLog) => return Err(complaint("app-challenge-not", [])),
        (None, Mode::QuickLog) => None,
    };
    if found.template.pin_type == PinType::UserSelected && !found.has_pin() {
        return Err(complaint("app-pin-unset", [("name", (&found.name).into())]));
    }
    let pin = if found.has_pin() { Some(pin::ask(&found, wanted.pin_stdin)?) } else { None };
    store.alone(|| {
        // Another program may have counted a try or a passcode meanwhile.
        let mut entry = store.find(Some(&found.serial))?;
        let secret = entry.secret(store, pin.as_ref().map(|pin| pin.as_str()))?;
        show(store, &mut entry, &secret, challenge.as_deref(), json)
    })
}

fn show(
    store: &Store,
    entry: &mut Entry,
    secret: &SecretBytes,
    challenge: Option<&str>,
    json: bool,
) -> Result<(), Failure> {
    let (algorithm, digits) = (entry.template.algorithm, entry.template.length);
    if let Some(challenge) = challenge {
        let input = Input { question: challenge, ..Input::default() };
        let response = Suite::of_token(algorithm, digits).response(secret, input).map_err(failed)?;
        if json {
            println!("{}", serde_json::json!({ "response": response }));
        } else {
            println!("{response}");
        }
        return Ok(());
    }
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
                eprintln!("{}", said("app-valid", [("left", left.unsigned_abs().into())]).here());
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

/// The eight digits of a challenge, with or without blanks between them.
fn digits_of(typed: &str) -> Result<String, Failure> {
    let digits: String = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    if digits.len() == 8 && digits.bytes().all(|b| b.is_ascii_digit()) {
        Ok(digits)
    } else {
        Err(complaint("app-challenge-digits", []))
    }
}
