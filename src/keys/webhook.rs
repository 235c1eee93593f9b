//! What proves a call to a webhook: HMAC-SHA-256 over identifier, time and body, as "Standard Webhooks" has it, so that
//! receivers find libraries for it. A body cannot be changed, and one that is sent again is known by its identifier and its time.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::clock::Entropy;
use crate::domain::secret::{SecretBytes, SecretString};
use crate::domain::timestamp::Timestamp;

/// What precedes a secret, so that libraries and scanners of leaked secrets know it.
const PREFIX: &str = "whsec_";
const LENGTH: usize = 32;

/// A new secret.
#[must_use]
pub fn new_secret(entropy: &Entropy) -> SecretBytes {
    entropy.secret(LENGTH)
}

/// A secret as it is shown, once, to whoever sets the receiver up.
#[must_use]
pub fn shown(secret: &SecretBytes) -> SecretString {
    SecretString::from(format!("{PREFIX}{}", STANDARD.encode(secret.expose())))
}

/// The headers of a call: `webhook-id`, `webhook-timestamp` in seconds since 1970, and `webhook-signature`.
#[must_use]
pub fn headers(secret: &SecretBytes, id: &str, at: Timestamp, body: &str) -> [(&'static str, String); 3] {
    let seconds = at.seconds().to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
    let tag = hmac::sign(&key, format!("{id}.{seconds}.{body}").as_bytes());
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", seconds),
        ("webhook-signature", format!("v1,{}", STANDARD.encode(tag))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// the example that the libraries for webhooks are tested with.
    #[test]
    fn the_signature_is_what_receivers_expect() {
        let secret = SecretBytes::new(STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").expect("base64"));
        let at = Timestamp::from_seconds(1_614_265_330);
        let [id, time, signature] = headers(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, "{\"test\": 2432232314}");
        assert_eq!((id.1.as_str(), time.1.as_str()), ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330"));
        assert_eq!(signature.1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        use crate::domain::secret::ExposeSecret as _;
        assert_eq!(shown(&secret).expose_secret(), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    }
}
