//! The PIN: asked from a terminal or standard input, never an argument; its tries are counted.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use vestibule::clock::Entropy;
use vestibule::domain::authenticator::template::TokenTemplate;
use vestibule::domain::secret::SecretBytes;

use super::store::{Entry, Kept, Store};
use super::{Failure, failed};

/// Reads a PIN: the first line of standard input, or typed at the terminal without being shown.
pub fn read(from_stdin: bool, prompt: &str) -> Result<String, Failure> {
    if !from_stdin {
        return rpassword::prompt_password(prompt)
            .map_err(|error| failed(format!("a PIN is needed, and there is no terminal ({error}); use --pin-stdin")));
    }
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).map_err(failed)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Checks a new PIN against the rules that came with the authenticator.
pub fn check(pin: &str, template: &TokenTemplate) -> Result<(), Failure> {
    let faults = vestibule::domain::authenticator::pin::faults(pin, template);
    faults.first().map_or(Ok(()), |fault| Err(failed(fault)))
}

fn key(pin: &str, salt: &[u8]) -> Result<RandomizedNonceKey, Failure> {
    let params = Params::new(65_536, 3, 1, Some(32)).map_err(failed)?;
    let mut key = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(pin.as_bytes(), salt, &mut key)
        .map_err(failed)?;
    RandomizedNonceKey::new(&AES_256_GCM_SIV, &key).map_err(|_| failed("the cipher refuses the key"))
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

/// Opens a sealed secret. The try is written down before it is made, so that pulling the plug wins nothing.
pub fn open(
    entry: &mut Entry,
    store: &Store,
    salt: &str,
    body: &str,
    typed: impl FnOnce() -> Result<String, Failure>,
) -> Result<SecretBytes, Failure> {
    let most = u32::from(entry.template.max_pin_attempts.max(1));
    if entry.wrong_pins >= most {
        return Err(Failure::Locked);
    }
    let pin = typed()?;
    entry.wrong_pins += 1;
    store.put(entry)?;
    let (salt, body) = (URL_SAFE_NO_PAD.decode(salt).map_err(failed)?, URL_SAFE_NO_PAD.decode(body).map_err(failed)?);
    let broken = || failed("the file of this authenticator is broken");
    let (nonce, sealed) = body.split_at_checked(12).ok_or_else(broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| broken())?;
    let mut sealed = sealed.to_vec();
    let Ok(secret) = key(&pin, &salt)?.open_in_place(nonce, Aad::empty(), &mut sealed) else {
        let left = most - entry.wrong_pins;
        return Err(if left == 0 { Failure::Locked } else { Failure::WrongPin { left } });
    };
    entry.wrong_pins = 0;
    store.put(entry)?;
    Ok(SecretBytes::new(secret.to_vec()))
}
