//! The test vectors of `docs/activation-protocol.md`: the code is held to the file that outsiders test with.
//!
//! The values are computed a second time here from the page alone, with other libraries where there are some:
//! a fault that code and vectors share would be found.

#![expect(clippy::unwrap_used, reason = "a test that goes wrong stops at once, and says where")]

use serde_json::{Value, json};
use vestibule::domain::activation::handshake::{Hello, Pair, claim_mac, transcript};
use vestibule::domain::activation::string::ActivationString;
use vestibule::domain::authenticator::template::TokenTemplate;
use vestibule::domain::ids::ActivationId;
use vestibule::domain::oath::{Algorithm, hotp};
use vestibule::domain::secret::SecretBytes;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/activation-v1.json");
const BASE: &str = "https://login.example.com/t/acme";

fn hex(octets: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(octets)
}

fn of_hex(value: &Value) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

/// One activation from beginning to end, with everything that is random fixed.
fn vector(name: &str, algorithm: Algorithm, length: u8, seed: u8) -> Value {
    let filled = |first: u8, count: u8| (0..count).map(|at| first.wrapping_add(at)).collect::<Vec<u8>>();
    let secret = SecretBytes::new(filled(seed, 16));
    let id = ActivationId::from_bits(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
    let string = ActivationString { base: BASE.to_owned(), id, secret: SecretBytes::new(filled(seed, 16)) };
    let device_private: [u8; 32] = filled(0x30 + seed, 32).try_into().unwrap();
    let server_private: [u8; 32] = filled(0x80 + seed, 32).try_into().unwrap();
    let (device, server) = (Pair::of_random(&device_private).unwrap(), Pair::of_random(&server_private).unwrap());
    let hello = Hello {
        activation: id,
        device_key: device.public(),
        nonce: filled(0x40, 32),
        platform: "android".to_owned(),
        os_version: "15".to_owned(),
        app_version: "2.1.0".to_owned(),
        device_name: "Adas Telefon ü".to_owned(),
    };
    let template = TokenTemplate { algorithm, length, ..TokenTemplate::app() };
    let parameters = json!({
        "serial": "VE7K2MQ4XN", "template": template, "organization": "Acme", "account": "ada",
        "server_time": 1_800_000_000,
    })
    .to_string();
    let server_nonce = filled(0xa0, 32);
    let transcript = transcript(BASE, &hello, &server.public(), &server_nonce, &parameters);
    let keys = device.keys(&server.public(), &secret, &transcript, template.secret_length()).unwrap();
    let passcodes: Vec<String> = [0, 1, 60_000_000]
        .iter()
        .map(|counter| hotp::passcode(&keys.otp_secret, algorithm, length, *counter))
        .collect();
    json!({
        "name": name,
        "base": BASE,
        "id": id.to_string(),
        "id_octets": hex(&id.to_bytes()),
        "secret": hex(secret.expose()),
        "activation_string": string.to_link(),
        "short_form": string.to_short(),
        "device_private_key": hex(&device_private),
        "device_key": hex(&hello.device_key),
        "device_nonce": hex(&hello.nonce),
        "platform": hello.platform,
        "os_version": hello.os_version,
        "app_version": hello.app_version,
        "device_name": hello.device_name,
        "claim_mac": hex(&claim_mac(BASE, &hello, &secret)),
        "server_private_key": hex(&server_private),
        "server_key": hex(&server.public()),
        "server_nonce": hex(&server_nonce),
        "parameters": parameters,
        "transcript": hex(&transcript),
        "otp_secret": hex(keys.otp_secret.expose()),
        "calls": hex(keys.calls.expose()),
        "device_mac": hex(&keys.device_mac(&transcript)),
        "server_mac": hex(&keys.server_mac(&transcript)),
        "passcodes_at_counters_0_1_60000000": passcodes,
    })
}

fn vectors() -> Value {
    json!({
        "description": "Test vectors of the Vestibule activation protocol, version 1; see docs/activation-protocol.md. \
                        Octets are hexadecimal.",
        "vectors": [
            vector("SHA-256, 6 digits", Algorithm::Sha256, 6, 0),
            vector("SHA-1, 8 digits", Algorithm::Sha1, 8, 1),
            vector("SHA-512, 6 digits", Algorithm::Sha512, 6, 2),
        ],
    })
}

/// `VESTIBULE_WRITE_VECTORS=1` writes the file; a version of the protocol that was published never changes.
///
#[test]
fn the_code_gives_the_published_vectors() {
    let made = vectors();
    if std::env::var_os("VESTIBULE_WRITE_VECTORS").is_some() {
        std::fs::write(FILE, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let published: Value = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    assert_eq!(made, published);
}

/// The page, followed step by step with the RustCrypto crates instead of the library that the service uses.
///
#[test]
fn the_page_alone_leads_to_the_vectors() {
    use hmac::{KeyInit as _, Mac as _};
    use sha2::{Digest as _, Sha256};

    fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
        let mut mac = hmac::Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    }
    /// RFC 5869 by hand.
    fn hkdf(salt: &[u8], input: &[u8], info: &[u8], length: usize) -> Vec<u8> {
        let key = mac(salt, input);
        let (mut out, mut block) = (Vec::new(), Vec::new());
        for count in 1.. {
            block = mac(&key, &[block.as_slice(), info, &[count]].concat());
            out.extend_from_slice(&block);
            if out.len() >= length {
                break;
            }
        }
        out.truncate(length);
        out
    }
    let field = |octets: &[u8]| [&u32::try_from(octets.len()).unwrap().to_be_bytes()[..], octets].concat();

    let published: Value = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    let all = published["vectors"].as_array().unwrap();
    assert_eq!(all.len(), 3);
    for vector in all {
        let text = |name: &str| vector[name].as_str().unwrap().as_bytes().to_vec();
        let (id, secret) = (of_hex(&vector["id_octets"]), of_hex(&vector["secret"]));
        let sum =
            Sha256::new().chain_update("vestibule activation 1").chain_update(&id).chain_update(&secret).finalize();
        let body = data_encoding::BASE64URL_NOPAD.encode(&[&id[..], &secret[..], &sum[..3]].concat());
        assert_eq!(vector["activation_string"], format!("{BASE}/activate#1.{body}"));

        let mut hello = field(b"vestibule activation 1");
        for part in [BASE.as_bytes().to_vec(), id, of_hex(&vector["device_key"]), of_hex(&vector["device_nonce"])] {
            hello.extend(field(&part));
        }
        for name in ["platform", "os_version", "app_version", "device_name"] {
            hello.extend(field(&text(name)));
        }
        let key = hkdf(b"", &secret, b"vestibule activation 1 claim\0", 32);
        assert_eq!(vector["claim_mac"], hex(&mac(&key, &Sha256::digest(&hello))));

        let mut said = hello;
        for part in [of_hex(&vector["server_key"]), of_hex(&vector["server_nonce"]), text("parameters")] {
            said.extend(field(&part));
        }
        let transcript = Sha256::digest(&said);
        assert_eq!(vector["transcript"], hex(&transcript));

        let private = openssl_private(&of_hex(&vector["device_private_key"]), &of_hex(&vector["device_key"]));
        let shared = openssl_agree(&private, &of_hex(&vector["server_key"]));
        let derived = |label: &str, length| {
            hkdf(&secret, &shared, &[label.as_bytes(), b"\0", transcript.as_slice()].concat(), length)
        };
        let otp = of_hex(&vector["otp_secret"]);
        assert_eq!(otp, derived("vestibule activation 1 otp secret", otp.len()));
        assert_eq!(of_hex(&vector["calls"]), derived("vestibule activation 1 calls", 32));
        for (side, name) in [("device", "device_mac"), ("server", "server_mac")] {
            let key = derived(&format!("vestibule activation 1 {side} confirms"), 32);
            assert_eq!(vector[name], hex(&mac(&key, &transcript)), "{name}");
        }
    }
}

/// A P-256 key in the form that `openssl` reads (SEC 1, RFC 5915).
fn openssl_private(scalar: &[u8], public: &[u8]) -> Vec<u8> {
    let mut der = data_encoding::HEXLOWER.decode(b"30770201010420").unwrap();
    der.extend_from_slice(scalar);
    der.extend(data_encoding::HEXLOWER.decode(b"a00a06082a8648ce3d030107a144034200").unwrap());
    der.extend_from_slice(public);
    der
}

/// ECDH by the `openssl` command: nothing that the service is built from.
fn openssl_agree(private: &[u8], other: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("own.der"), private).unwrap();
    // SubjectPublicKeyInfo of a P-256 point.
    let mut der = data_encoding::HEXLOWER.decode(b"3059301306072a8648ce3d020106082a8648ce3d030107034200").unwrap();
    der.extend_from_slice(other);
    std::fs::write(path("other.der"), der).unwrap();
    let done = std::process::Command::new("openssl")
        .args(["pkeyutl", "-derive", "-keyform", "DER", "-peerform", "DER"])
        .arg("-inkey")
        .arg(path("own.der"))
        .arg("-peerkey")
        .arg(path("other.der"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}
