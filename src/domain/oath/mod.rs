//! One-time passcodes: RFC 4226 (HOTP), RFC 6238 (TOTP) and the windows in which a server accepts them.

pub mod alphabet;
pub mod doctor;
pub mod hotp;
pub mod ocra;
pub mod totp;
pub mod uri;
pub mod window;

use serde::{Deserialize, Serialize};

/// The hash function of a passcode's HMAC (RFC 6238 section 1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// HMAC-SHA-1, what standard apps understand.
    #[serde(rename = "SHA1")]
    Sha1,
    /// HMAC-SHA-256, what our own apps use.
    #[serde(rename = "SHA256")]
    Sha256,
    /// HMAC-SHA-512.
    #[serde(rename = "SHA512")]
    Sha512,
}

impl Algorithm {
    /// The name in `otpauth://` addresses and apply files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }
}
