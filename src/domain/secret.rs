//! Secret values: types that do not print, do not compare by accident and are wiped when dropped.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use secrecy::{ExposeSecret, SecretString};

/// Secret octets: a key, an OTP secret, a cookie's value.
///
/// `Debug` shows the length only (T-74); there is no `Display` and no `Serialize`.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes over `bytes`; they are wiped when the value is dropped.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The octets. Call this only where they are used, never to keep them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether both are equal, in a time that depends on the lengths only.
    #[must_use]
    pub fn same_as(&self, other: &[u8]) -> bool {
        self.0.as_slice().ct_eq(other).into()
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// T-74.
    #[test]
    fn a_secret_does_not_print() {
        let secret = SecretBytes::new(b"CANARY-abc".to_vec());
        assert_eq!(format!("{secret:?}"), "SecretBytes(10 bytes)");
        assert!(secret.same_as(b"CANARY-abc") && !secret.same_as(b"CANARY-abd") && !secret.same_as(b"CANARY"));
    }
}
