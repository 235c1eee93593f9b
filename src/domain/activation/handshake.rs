//! The handshake of an activation: both sides' keys.
//!
//! Device and server agree by P-256 (secure enclaves, TPMs and WebCrypto all have it); the activation secret
//! salts what follows, so that whoever sits between them, even with a certificate that the device trusts,
//! gets nowhere without the QR code. Every key is bound to all that was said before.

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::{hkdf, hmac};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::authenticator::template::TokenTemplate;
use crate::domain::ids::ActivationId;
use crate::domain::secret::SecretBytes;

/// The version of the protocol.
pub const VERSION: u32 = 1;
/// Octets of an uncompressed P-256 point.
pub const PUBLIC_KEY_LENGTH: usize = 65;
/// Octets of a nonce.
pub const NONCE_LENGTH: usize = 32;
/// Octets of a MAC and of a transcript.
pub const MAC_LENGTH: usize = 32;

/// What a device says first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Which activation.
    pub activation: ActivationId,
    /// The device's public key, an uncompressed point.
    pub device_key: Vec<u8>,
    /// Random.
    pub nonce: Vec<u8>,
    /// Its platform, as in the platform matrix.
    pub platform: String,
    /// The version of its operating system.
    pub os_version: String,
    /// The version of the app.
    pub app_version: String,
    /// What the owner calls the device.
    pub device_name: String,
}

/// What the server answers, besides its key and nonce: one JSON text that both sides hash as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    /// The serial number that the authenticator will have.
    pub serial: String,
    /// What it will be like.
    pub template: TokenTemplate,
    /// The organization.
    pub organization: String,
    /// The account's user name.
    pub account: String,
    /// The server's clock, in seconds since 1970, so that the app can tell its owner when its own is off.
    pub server_time: i64,
}

/// Why a handshake fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The other side's key is not a point of the curve.
    #[error("the public key is not a point on P-256")]
    NotAKey,
    /// The other side does not have the keys: another activation secret, or somebody in between.
    #[error("the other side could not prove that it knows the activation secret")]
    NotConfirmed,
}

/// Octets that are hashed field by field, each with its length, so that no two lists hash alike.
struct Fields(Sha256);

impl Fields {
    fn new(base: &str) -> Self {
        Self(Sha256::new()).with(b"vestibule activation 1").with(base.as_bytes())
    }

    fn with(mut self, field: &[u8]) -> Self {
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
        self.0.update(length.to_be_bytes());
        self.0.update(field);
        self
    }

    fn hello(self, hello: &Hello) -> Self {
        self.with(&hello.activation.to_bytes())
            .with(&hello.device_key)
            .with(&hello.nonce)
            .with(hello.platform.as_bytes())
            .with(hello.os_version.as_bytes())
            .with(hello.app_version.as_bytes())
            .with(hello.device_name.as_bytes())
    }

    fn hash(self) -> [u8; MAC_LENGTH] {
        self.0.finalize().into()
    }
}

/// The MAC of a claim: shows that the device has the activation secret, which itself is never sent.
#[must_use]
pub fn claim_mac(base: &str, hello: &Hello, secret: &SecretBytes) -> [u8; MAC_LENGTH] {
    let key = derived(&[], secret.expose(), b"vestibule activation 1 claim", &[], MAC_LENGTH);
    mac(key.expose(), &Fields::new(base).hello(hello).hash())
}

/// Whether a claim's MAC is right; the time taken does not depend on where it is wrong.
#[must_use]
pub fn claim_is_right(base: &str, hello: &Hello, secret: &SecretBytes, sent: &[u8]) -> bool {
    use subtle::ConstantTimeEq as _;
    claim_mac(base, hello, secret).as_slice().ct_eq(sent).into()
}

/// What everybody said, as one hash.
#[must_use]
pub fn transcript(base: &str, hello: &Hello, server_key: &[u8], nonce: &[u8], parameters: &str) -> [u8; MAC_LENGTH] {
    Fields::new(base).hello(hello).with(server_key).with(nonce).with(parameters.as_bytes()).hash()
}

/// A key pair of one handshake.
pub struct Pair(PrivateKey);

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pair")
    }
}

impl Pair {
    /// The pair of 32 random octets; `None` for the few values that are no key (one in 2^32).
    #[must_use]
    pub fn of_random(octets: &[u8; 32]) -> Option<Self> {
        PrivateKey::from_private_key(&ECDH_P256, octets).ok().map(Self)
    }

    /// The public key, an uncompressed point.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        self.0.compute_public_key().map(|key| key.as_ref().to_vec()).unwrap_or_default()
    }

    /// The keys that both sides have when they said the same.
    ///
    /// # Errors
    /// [`HandshakeError::NotAKey`].
    pub fn keys(
        &self,
        other: &[u8],
        secret: &SecretBytes,
        transcript: &[u8; MAC_LENGTH],
        otp_length: usize,
    ) -> Result<Keys, HandshakeError> {
        let other = UnparsedPublicKey::new(&ECDH_P256, other);
        agree(&self.0, other, HandshakeError::NotAKey, |shared| {
            let key = |label: &[u8], length| derived(secret.expose(), shared, label, transcript, length);
            Ok(Keys {
                otp_secret: key(b"vestibule activation 1 otp secret", otp_length),
                device_confirms: key(b"vestibule activation 1 device confirms", MAC_LENGTH),
                server_confirms: key(b"vestibule activation 1 server confirms", MAC_LENGTH),
                calls: key(b"vestibule activation 1 calls", MAC_LENGTH),
            })
        })
    }
}

/// What both sides have in the end.
#[derive(Debug)]
pub struct Keys {
    /// The OTP secret. It never crossed the wire.
    pub otp_secret: SecretBytes,
    device_confirms: SecretBytes,
    server_confirms: SecretBytes,
    /// Authenticates the device's later calls.
    pub calls: SecretBytes,
}

impl Keys {
    /// What the device sends to show that it has the keys.
    #[must_use]
    pub fn device_mac(&self, transcript: &[u8; MAC_LENGTH]) -> [u8; MAC_LENGTH] {
        mac(self.device_confirms.expose(), transcript)
    }

    /// What the server answers to show the same.
    #[must_use]
    pub fn server_mac(&self, transcript: &[u8; MAC_LENGTH]) -> [u8; MAC_LENGTH] {
        mac(self.server_confirms.expose(), transcript)
    }
}

fn mac(key: &[u8], message: &[u8]) -> [u8; MAC_LENGTH] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut out = [0; MAC_LENGTH];
    out.copy_from_slice(tag.as_ref());
    out
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA-256 (RFC 5869); `length` is 64 at most, far below what it can give.
fn derived(salt: &[u8], input: &[u8], label: &[u8], bound_to: &[u8], length: usize) -> SecretBytes {
    let mut out = vec![0; length];
    hkdf::Salt::new(hkdf::HKDF_SHA256, salt)
        .extract(input)
        .expand(&[label, &[0], bound_to], Length(length))
        .and_then(|okm| okm.fill(&mut out))
        .expect("HKDF-SHA-256 gives up to 8160 octets");
    SecretBytes::new(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://login.example.com/t/acme";

    fn hello(device: &Pair) -> Hello {
        Hello {
            activation: ActivationId::from_bits(7),
            device_key: device.public(),
            nonce: vec![1; NONCE_LENGTH],
            platform: "command_line".to_owned(),
            os_version: "12".to_owned(),
            app_version: "1".to_owned(),
            device_name: "laptop".to_owned(),
        }
    }

    ///
    #[test]
    fn both_sides_get_the_same_keys_and_confirm() {
        let device = Pair::of_random(&[3; 32]).expect("a key");
        let server = Pair::of_random(&[5; 32]).expect("a key");
        let secret = SecretBytes::new((0..16).collect());
        let hello = hello(&device);
        let transcript = transcript(BASE, &hello, &server.public(), &[2; 32], "{}");
        let one = device.keys(&server.public(), &secret, &transcript, 32).expect("keys");
        let two = server.keys(&device.public(), &secret, &transcript, 32).expect("keys");
        assert!(one.otp_secret.same_as(two.otp_secret.expose()));
        assert_eq!(one.device_mac(&transcript), two.device_mac(&transcript));
        assert_ne!(one.device_mac(&transcript), one.server_mac(&transcript), "no mirror");
        let other = SecretBytes::new(vec![9; 16]);
        let three = server.keys(&device.public(), &other, &transcript, 32).expect("keys");
        assert!(!one.otp_secret.same_as(three.otp_secret.expose()), "another activation secret");
        assert_ne!(one.server_mac(&transcript), three.server_mac(&transcript));
    }

    /// T-29.
    #[test]
    fn every_field_counts_in_the_claim() {
        let device = Pair::of_random(&[3; 32]).expect("a key");
        let secret = SecretBytes::new(vec![7; 16]);
        let hello = hello(&device);
        let mac = claim_mac(BASE, &hello, &secret);
        assert!(claim_is_right(BASE, &hello, &secret, &mac));
        assert!(!claim_is_right("https://evil.example/t/acme", &hello, &secret, &mac));
        assert!(!claim_is_right(BASE, &hello, &secret, &mac[..31]));
        for change in [
            Hello { platform: "ios".to_owned(), ..hello.clone() },
            Hello { os_version: "1".to_owned(), app_version: "21".to_owned(), ..hello.clone() },
            Hello { nonce: vec![2; 32], ..hello.clone() },
            Hello { device_name: String::new(), ..hello.clone() },
        ] {
            assert!(!claim_is_right(BASE, &change, &secret, &mac), "{change:?}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let device = Pair::of_random(&[3; 32]).expect("a key");
        assert!(Pair::of_random(&[0; 32]).is_none() && Pair::of_random(&[0xff; 32]).is_none());
        for bad in [&[][..], &[4; 65], &[0; 65], &device.public()[..64]] {
            let keys = device.keys(bad, &SecretBytes::new(vec![1; 16]), &[0; 32], 20);
            assert_eq!(keys.err(), Some(HandshakeError::NotAKey));
        }
    }
}
