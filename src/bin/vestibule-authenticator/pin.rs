//! The PIN: asked from a terminal or standard input, never an argument; its tries are counted (A11).

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use vestibule::clock::Entropy;
use vestibule::domain::authenticator::pin::{Rule, Rules};
use vestibule::domain::authenticator::template::{PinType, TokenTemplate};
use vestibule::domain::secret::SecretBytes;
use zeroize::Zeroizing;

use super::store::{Entry, Kept, Store};
use super::words::{of_rule, said};
use super::{Change, Failure, Forgot, complaint, confirmed, failed, report, say};

/// Reads a PIN: the next line of standard input, or typed at the terminal without being shown.
pub fn read(from_stdin: bool, prompt: &str) -> Result<Zeroizing<String>, Failure> {
    if !from_stdin {
        return rpassword::prompt_password(prompt)
            .map(Zeroizing::new)
            .map_err(|error| complaint("app-pin-no-terminal", [("error", error.to_string().into())]));
    }
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().read_line(&mut line).map_err(failed)?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Reads the PIN of `entry`, telling how many tries are left.
pub fn ask(entry: &Entry, from_stdin: bool) -> Result<Zeroizing<String>, Failure> {
    match entry.tries_left() {
        0 => Err(Failure::Locked),
        left if left < entry.tries() => {
            read(from_stdin, &format!("{} ", said("app-pin-prompt-left", [("left", left.into())]).here()))
        }
        _ => read(from_stdin, &format!("{} ", said("app-pin-prompt", []).here())),
    }
}

/// Reads a new PIN, twice where somebody types it, and holds it against the rules that came with the authenticator: all
/// that are broken are named.
pub fn choose(from_stdin: bool, template: &TokenTemplate) -> Result<Zeroizing<String>, Failure> {
    let rules = Rules::of_template(template);
    if !from_stdin {
        // What nobody can be told too often: people at a terminal, not scripts.
        eprintln!("{}", said("pin-reminder", []).here());
        eprintln!("{}", said("app-pin-rules", []).here());
        for rule in rules.all() {
            eprintln!("  - {}", of_rule(rule).here());
        }
    }
    let chosen = read(from_stdin, &format!("{} ", said("app-pin-new", []).here()))?;
    let broken: Vec<Rule> = rules.broken_by(&chosen).rules().collect();
    if !broken.is_empty() {
        return Err(Failure::PinRules(broken));
    }
    if !from_stdin && read(false, &format!("{} ", said("app-pin-again", []).here()))? != chosen {
        return Err(complaint("app-pin-differ", []));
    }
    Ok(chosen)
}

/// `pin`: another PIN, or the first one of an authenticator that has none yet.
pub fn change(store: &Store, wanted: &Change, json: bool) -> Result<(), Failure> {
    let entry = store.find(wanted.name.as_deref())?;
    match entry.template.pin_type {
        PinType::UserSelected => {}
        PinType::ServerSide => {
            return Err(complaint("app-pin-of-server", [("server", (&entry.server).into())]));
        }
        PinType::None => return Err(complaint("app-pin-of-nobody", [])),
    }
    let current = if entry.has_pin() { Some(ask(&entry, wanted.pin_stdin)?) } else { None };
    // The old one first: whoever does not know it learns nothing about what a new one must be like.
    let secret = store.alone(|| {
        let mut entry = store.find(Some(&entry.serial))?;
        entry.secret(store, current.as_ref().map(|pin| pin.as_str()))
    })?;
    let chosen = choose(wanted.pin_stdin, &entry.template)?;
    let kept = seal(&chosen, &secret)?;
    store.alone(|| {
        let mut entry = store.find(Some(&entry.serial))?;
        if entry.tries_left() == 0 {
            return Err(Failure::Locked);
        }
        entry.secret = kept.clone();
        store.put(&entry)
    })?;
    store.log(&format!("changed the PIN of {}", entry.serial));
    say(json, &serde_json::json!({ "changed": entry.serial }), &said("app-pin-changed", []));
    Ok(())
}

/// `forgot-pin`: what to do, and the removal, once it is confirmed.
pub fn forgot(store: &Store, wanted: &Forgot, json: bool) -> Result<(), Failure> {
    let entry = store.find(wanted.name.as_deref())?;
    match entry.template.pin_type {
        PinType::UserSelected => {}
        PinType::ServerSide => return Err(complaint("app-pin-help-desk", [])),
        PinType::None => return Err(complaint("app-pin-of-nobody", [])),
    }
    let values = [("name", (&entry.name).into()), ("serial", (&entry.serial).into())];
    eprintln!("{}", said("app-pin-forgotten", values).here());
    if !wanted.yes && !confirmed(&entry)? {
        return Err(complaint("app-not-removed", []));
    }
    report::remove(store, &entry, json)
}

fn key(pin: &str, salt: &[u8]) -> Result<RandomizedNonceKey, Failure> {
    let params = Params::new(65_536, 3, 1, Some(32)).map_err(failed)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(pin.as_bytes(), salt, key.as_mut_slice())
        .map_err(failed)?;
    RandomizedNonceKey::new(&AES_256_GCM_SIV, key.as_slice()).map_err(|_| failed("the cipher refuses the key"))
}

/// Seals a secret under a PIN.
pub fn seal(pin: &str, secret: &SecretBytes) -> Result<Kept, Failure> {
    let salt = Entropy::System.bytes::<16>();
    let mut body = secret.expose().to_vec();
    let nonce =
        key(pin, &salt)?.seal_in_place_append_tag(Aad::empty(), &mut body).map_err(|_| failed("sealing failed"))?;
    let body = [nonce.as_ref().as_slice(), &body].concat();
    Ok(Kept::Sealed { salt: URL_SAFE_NO_PAD.encode(salt), body: URL_SAFE_NO_PAD.encode(body) })
}

/// Opens a sealed secret. The try is written down before it is made, so that pulling the plug wins nothing; whoever calls
/// this is alone with the store, so that tries at the same moment are counted one by one. The last one that is
/// wrong locks: then the secret is erased, and only enrolling again helps.
pub fn open(entry: &mut Entry, store: &Store, salt: &str, body: &str, typed: &str) -> Result<SecretBytes, Failure> {
    if entry.tries_left() == 0 {
        return lock(entry, store);
    }
    entry.wrong_pins += 1;
    store.put(entry)?;
    let (salt, body) = (URL_SAFE_NO_PAD.decode(salt).map_err(failed)?, URL_SAFE_NO_PAD.decode(body).map_err(failed)?);
    let broken = || complaint("app-file-broken", []);
    let (nonce, sealed) = body.split_at_checked(12).ok_or_else(broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
    let mut sealed = Zeroizing::new(sealed.to_vec());
    let Ok(secret) = key(typed, &salt)?.open_in_place(nonce, Aad::empty(), &mut sealed) else {
        return match entry.tries_left() {
            0 => lock(entry, store),
            left => Err(Failure::WrongPin { left }),
        };
    };
    let secret = SecretBytes::new(secret.to_vec());
    entry.wrong_pins = 0;
    store.put(entry)?;
    Ok(secret)
}

fn lock(entry: &mut Entry, store: &Store) -> Result<SecretBytes, Failure> {
    entry.secret = Kept::Erased;
    store.put(entry)?;
    Err(Failure::Locked)
}
