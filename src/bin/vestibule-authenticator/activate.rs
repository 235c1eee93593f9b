//! `activate`: claim, keys, confirm, store.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use vestibule::clock::{Clock, Entropy};
use vestibule::domain::activation::handshake::{Hello, NONCE_LENGTH, Pair, Parameters, VERSION, claim_mac, transcript};
use vestibule::domain::activation::string::{ActivationString, NotAnActivationString};
use vestibule::domain::authenticator::template::{PinType, Synchronization, TokenTemplate};
use vestibule::domain::enrollment::Brought;
use vestibule::domain::oath::uri::{Kind, NotOtpAuth, OtpAuth};
use vestibule::domain::secret::SecretBytes;

use super::store::{Entry, Kept, Store};
use super::words::{Said, said};
use super::{Activate, Failure, clock, complaint, failed, pin, say};

/// How often a request is tried when the network fails: the server gives the same answer again.
const TRIES: u32 = 3;

/// Adds an authenticator.
pub fn run(store: &Store, wanted: &Activate, json: bool) -> Result<(), Failure> {
    let text = text_of(wanted)?;
    let mut brought = if wanted.qr.is_some() { Brought::Qr } else { Brought::Copied };
    // A link of the app's own scheme, `vestibule-authenticator:https://…`, as "Open the app" hands it over.
    let text = match text.split_once(':') {
        Some((_, inner)) if inner.starts_with("http") => {
            brought = Brought::Link;
            inner.to_owned()
        }
        _ => text,
    };
    let entry = if text.starts_with("otpauth://") {
        standard(store, &text, wanted)?
    } else {
        let string = match &wanted.server {
            Some(server) if !text.contains("/activate#") => {
                brought = Brought::Typed;
                ActivationString::parse_short(server.trim_end_matches('/'), &text)
            }
            _ => ActivationString::parse(&text),
        };
        let string = string.map_err(no_string)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        runtime.block_on(ours(store, (&string, brought), wanted))?
    };
    store.put(&entry)?;
    store.log(&format!("added {} of {} at {}", entry.serial, entry.account, entry.organization));
    say(json, &entry.public(), &said("app-ready", [("name", (&entry.name).into())]));
    Ok(())
}

fn no_string(error: NotAnActivationString) -> Failure {
    let key = match error {
        NotAnActivationString::NotALink => "app-string-link",
        NotAnActivationString::NotSecure => "app-string-secure",
        NotAnActivationString::Version => "app-string-version",
        NotAnActivationString::Length => "app-string-length",
        NotAnActivationString::Checksum => "app-string-checksum",
    };
    complaint(key, [])
}

fn no_address(error: NotOtpAuth) -> Failure {
    let key = match error {
        NotOtpAuth::Scheme => "app-address-scheme",
        NotOtpAuth::Secret => "app-address-secret",
        NotOtpAuth::Algorithm => "app-address-algorithm",
        NotOtpAuth::Digits => "app-address-digits",
        NotOtpAuth::Period => "app-address-period",
        NotOtpAuth::Counter => "app-address-counter",
    };
    complaint(key, [])
}

fn text_of(wanted: &Activate) -> Result<String, Failure> {
    match (&wanted.qr, wanted.string.as_deref()) {
        (Some(path), _) => from_picture(path),
        (None, Some("-")) => {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map_err(failed)?;
            Ok(line.trim().to_owned())
        }
        (None, Some(text)) => Ok(text.trim().to_owned()),
        (None, None) => Err(complaint("app-string-needed", [])),
    }
}

fn from_picture(path: &Path) -> Result<String, Failure> {
    let picture = image::open(path).map_err(|error| failed(format!("{}: {error} [qr.unreadable]", path.display())))?;
    let mut prepared = rqrr::PreparedImage::prepare(picture.to_luma8());
    let codes = prepared.detect_grids();
    let texts: Vec<String> = codes.iter().filter_map(|code| code.decode().ok()).map(|(_, text)| text).collect();
    let ours = texts.iter().find(|text| text.contains("/activate#") || text.starts_with("otpauth://"));
    ours.cloned().ok_or_else(|| match texts.is_empty() {
        true => complaint("app-qr-none", [("file", path.display().to_string().into())]),
        false => complaint("app-qr-other", []),
    })
}

/// An account of somebody else's system, by its otpauth:// address.
fn standard(store: &Store, text: &str, wanted: &Activate) -> Result<Entry, Failure> {
    let app = OtpAuth::parse(text).map_err(no_address)?;
    let (synchronization, period, counter) = match app.kind {
        Kind::Totp { period } => (Synchronization::Time, period, 0),
        Kind::Hotp { counter } => (Synchronization::Event, 30, counter),
    };
    let template = TokenTemplate {
        algorithm: app.algorithm,
        length: app.digits,
        synchronization,
        time_step_seconds: period,
        ..TokenTemplate::oath_app()
    };
    let organization = if app.issuer.is_empty() { said("app-other-account", []).here() } else { app.issuer.clone() };
    Ok(Entry {
        name: store.free_name(wanted.name.as_deref().unwrap_or(&organization), None)?,
        serial: format!("OTP{}", data_encoding::BASE32_NOPAD.encode(&Entropy::System.bytes::<10>())),
        organization,
        account: app.account.clone(),
        server: "otpauth".to_owned(),
        template,
        counter,
        added: Clock::System.now().rfc3339(),
        secret: Kept::Plain(URL_SAFE_NO_PAD.encode(app.secret.expose())),
        wrong_pins: 0,
        calls: None,
        call_counter: 0,
        reported: false,
        stopped: None,
        asked: 0,
        removed: false,
    })
}

#[derive(Deserialize)]
struct Claimed {
    server_key: String,
    nonce: String,
    parameters: String,
}

#[derive(Deserialize)]
struct Confirmed {
    mac: String,
}

#[derive(Deserialize)]
struct Problem {
    title: String,
    code: String,
}

/// An authenticator by our own protocol.
async fn ours(store: &Store, string: (&ActivationString, Brought), wanted: &Activate) -> Result<Entry, Failure> {
    let pair =
        (0..8).find_map(|_| Pair::of_random(&Entropy::System.bytes())).ok_or_else(|| failed("no key could be made"))?;
    let mut tried = 1;
    loop {
        match agreed(store, string, wanted, &pair).await {
            // An operator has changed the template meanwhile: claim again, with what it says now.
            Err(Failure::Refused { code, .. }) if code == "act.template_changed" && tried < TRIES => tried += 1,
            result => return result,
        }
    }
}

/// Claims the activation with this key, and confirms it.
async fn agreed(
    store: &Store,
    (string, brought): (&ActivationString, Brought),
    wanted: &Activate,
    pair: &Pair,
) -> Result<Entry, Failure> {
    let base = string.base.as_str();
    let hello = Hello {
        activation: string.id,
        device_key: pair.public(),
        nonce: Entropy::System.bytes::<NONCE_LENGTH>().to_vec(),
        platform: "command_line".to_owned(),
        os_version: os_version(),
        app_version: env!("CARGO_PKG_VERSION").to_owned(),
        device_name: wanted.device.clone().unwrap_or_else(host_name),
    };
    let client = reqwest::Client::builder().timeout(std::time::Duration::from_secs(20)).build().map_err(failed)?;
    let mac = claim_mac(base, &hello, &string.secret);
    let claim = serde_json::json!({
        "version": VERSION, "activation": string.id.to_string(), "device_key": URL_SAFE_NO_PAD.encode(&hello.device_key),
        "nonce": URL_SAFE_NO_PAD.encode(&hello.nonce), "platform": hello.platform, "os_version": hello.os_version,
        "app_version": hello.app_version, "device_name": hello.device_name, "mac": URL_SAFE_NO_PAD.encode(mac),
        "brought_by": brought.id(),
    });
    let claimed: Claimed = call(&client, &format!("{base}/api/authenticator/v1/activation/claim"), &claim).await?;
    let octets = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| complaint("app-answer-malformed", []));
    let (server_key, nonce) = (octets(&claimed.server_key)?, octets(&claimed.nonce)?);
    let parameters: Parameters = serde_json::from_str(&claimed.parameters).map_err(failed)?;
    warn_about_clock(&parameters);
    let transcript = transcript(base, &hello, &server_key, &nonce, &claimed.parameters);
    let length = parameters.template.secret_length();
    let keys = pair.keys(&server_key, &string.secret, &transcript, length).map_err(failed)?;
    // The PIN comes before the confirmation: whoever stops here leaves nothing half done.
    let secret = kept(&keys.otp_secret, &parameters.template, wanted)?;
    let confirm = serde_json::json!({ "activation": string.id.to_string(),
        "mac": URL_SAFE_NO_PAD.encode(keys.device_mac(&transcript)) });
    let confirmed: Confirmed =
        call(&client, &format!("{base}/api/authenticator/v1/activation/confirm"), &confirm).await?;
    if octets(&confirmed.mac)? != keys.server_mac(&transcript) {
        return Err(complaint("app-not-proven", []));
    }
    Ok(Entry {
        name: store.free_name(wanted.name.as_deref().unwrap_or(&parameters.organization), None)?,
        serial: parameters.serial,
        organization: parameters.organization,
        account: parameters.account,
        server: base.to_owned(),
        template: parameters.template,
        counter: 0,
        added: Clock::System.now().rfc3339(),
        secret,
        wrong_pins: 0,
        calls: Some(URL_SAFE_NO_PAD.encode(keys.calls.expose())),
        call_counter: 0,
        reported: false,
        stopped: None,
        asked: Clock::System.now().seconds(),
        removed: false,
    })
}

/// The secret as it is kept: under a PIN where the template wants one.
fn kept(secret: &SecretBytes, template: &TokenTemplate, wanted: &Activate) -> Result<Kept, Failure> {
    if template.pin_type != PinType::UserSelected {
        return Ok(Kept::Plain(URL_SAFE_NO_PAD.encode(secret.expose())));
    }
    let chosen = pin::choose(wanted.pin_stdin, template)?;
    pin::seal(&chosen, secret)
}

/// A clock that is off by more than a time step makes passcodes that are refused.
fn warn_about_clock(parameters: &Parameters) {
    let off = Clock::System.now().seconds() - parameters.server_time;
    if let Some(words) = clock::warning(off, &parameters.template) {
        eprintln!("{} [act.clock]", words.here());
    }
}

async fn call<T: serde::de::DeserializeOwned>(
    client: &reqwest::Client,
    address: &str,
    body: &serde_json::Value,
) -> Result<T, Failure> {
    let mut tried = 1;
    let answer = loop {
        match client.post(address).json(body).send().await {
            Ok(answer) => break answer,
            Err(error) if (error.is_connect() || error.is_timeout()) && tried < TRIES => tried += 1,
            Err(error) => {
                let values = [("address", address.into()), ("error", error.to_string().into())];
                return Err(complaint("app-no-connection", values));
            }
        }
    };
    if answer.status().is_success() {
        let answer = answer.json().await;
        return answer.map_err(|error| complaint("app-answer-unreadable", [("error", error.to_string().into())]));
    }
    let status = answer.status();
    match answer.json::<Problem>().await {
        Ok(problem) => Err(Failure::Refused { message: Said::Theirs(problem.title), code: problem.code }),
        Err(_) => {
            let values = [("address", address.into()), ("status", status.to_string().into())];
            Err(complaint("app-not-vestibule", values))
        }
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/etc/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "command line".to_owned() } else { name.to_owned() }
}

fn os_version() -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    pretty.map_or_else(|| std::env::consts::OS.to_owned(), |name| name.trim_matches('"').to_owned())
}
