//! Calls of a device after its activation: each has a MAC under the key that both sides got in the handshake, and a counter
//! that grows (part E, device protocol).

use aws_lc_rs::hmac;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::handshake::MAC_LENGTH;
use crate::domain::secret::SecretBytes;

/// One call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The address of the virtual server, without a slash at its end.
    pub base: String,
    /// What is called, such as `token/pin-locked`.
    pub path: &'static str,
    /// The serial number of the authenticator.
    pub serial: String,
    /// Higher than that of any call of it before.
    pub counter: u64,
    /// What is said, as a JSON text that both sides hash as it is.
    pub request: String,
}

impl Call {
    /// The MAC that shows that the device of the authenticator makes the call, and that nobody changed it.
    #[must_use]
    pub fn mac(&self, key: &SecretBytes) -> [u8; MAC_LENGTH] {
        self.mac_of(key, b"vestibule call 1", &self.request)
    }

    /// The MAC that shows that the server of the authenticator answers this call so, and no call before it: an app that
    /// throws a secret away because of an answer must not take anybody's word for it.
    #[must_use]
    pub fn answer_mac(&self, key: &SecretBytes, answer: &str) -> [u8; MAC_LENGTH] {
        self.mac_of(key, b"vestibule answer 1", answer)
    }

    fn mac_of(&self, key: &SecretBytes, what: &[u8], said: &str) -> [u8; MAC_LENGTH] {
        let mut hash = Sha256::new();
        let counter = self.counter.to_be_bytes();
        for field in
            [what, self.base.as_bytes(), self.path.as_bytes(), self.serial.as_bytes(), &counter, said.as_bytes()]
        {
            hash.update(u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
            hash.update(field);
        }
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()), &hash.finalize());
        let mut out = [0; MAC_LENGTH];
        out.copy_from_slice(tag.as_ref());
        out
    }

    /// Whether `sent` is that MAC; the time taken does not depend on where it differs.
    #[must_use]
    pub fn is_right(&self, key: &SecretBytes, sent: &[u8]) -> bool {
        self.mac(key).as_slice().ct_eq(sent).into()
    }

    /// Whether `sent` is the MAC of an answer to this call.
    #[must_use]
    pub fn is_answer(&self, key: &SecretBytes, answer: &str, sent: &[u8]) -> bool {
        self.answer_mac(key, answer).as_slice().ct_eq(sent).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call {
            base: "https://login.example.com/t/acme".to_owned(),
            path: "token/pin-locked",
            serial: "VT7KQ2M4XA".to_owned(),
            counter: 7,
            request: r#"{"wrong_pins":5}"#.to_owned(),
        }
    }

    /// The example of `docs/activation-protocol.md`, computed by another program.
    #[test]
    fn the_example_of_the_document() {
        let mac = call().mac(&SecretBytes::new((0..32).collect()));
        let hex: String = mac.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hex, "fce7859a7b79cec8f20977d74df181bc08da62ffc885959769b1966afd3b11e6");
    }

    #[test]
    fn the_example_of_an_answer() {
        let key = SecretBytes::new((0..32).collect());
        let call = Call { path: "token/status", counter: 8, request: "{}".to_owned(), ..call() };
        let hex = |mac: [u8; MAC_LENGTH]| mac.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        assert_eq!(hex(call.mac(&key)), "913840454a45d7867019a68215d92d1f6976edbbf87a6f5a2ae0ddb2bae0b434");
        let answer = r#"{"state":"revoked","server_time":1800000000}"#;
        let mac = call.answer_mac(&key, answer);
        assert_eq!(hex(mac), "1b834b1804b4c01f1a79480411ae583b17c434ebb615c4caf159151b4dabd662");
        assert!(call.is_answer(&key, answer, &mac));
        // Neither another state, nor the answer to another call, nor the call itself.
        assert!(!call.is_answer(&key, &answer.replace("revoked", "active"), &mac));
        assert!(!Call { counter: 9, ..call.clone() }.is_answer(&key, answer, &mac));
        assert!(!Call { serial: "VT7KQ2M4XB".to_owned(), ..call.clone() }.is_answer(&key, answer, &mac));
        assert!(!call.is_answer(&key, answer, &call.mac(&key)));
        assert!(!call.is_answer(&SecretBytes::new(vec![8; 32]), answer, &mac));
    }

    #[test]
    fn every_part_is_bound() {
        let key = SecretBytes::new(vec![7; 32]);
        let mac = call().mac(&key);
        assert!(call().is_right(&key, &mac) && !call().is_right(&key, &mac[..31]));
        for other in [
            Call { base: "https://login.example.com/t/other".to_owned(), ..call() },
            Call { path: "token/removed", ..call() },
            Call { serial: "VT7KQ2M4XB".to_owned(), ..call() },
            Call { counter: 8, ..call() },
            Call { request: "{}".to_owned(), ..call() },
        ] {
            assert!(!other.is_right(&key, &mac), "{other:?}");
        }
        assert!(!call().is_right(&SecretBytes::new(vec![8; 32]), &mac));
    }
}
