//! The characters that passcodes are written in. Apps show decimal digits; tokens of other makers that are
//! imported may show others.

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, HEXUPPER};
use serde::{Deserialize, Serialize};

use super::{Algorithm, hotp};
use crate::domain::secret::SecretBytes;

/// The characters of a token's passcodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alphabet {
    /// 0 to 9, as RFC 4226 has it.
    #[default]
    Decimal,
    /// 0 to 9 and A to F.
    Hexadecimal,
    /// A to Z and 2 to 7 (RFC 4648).
    Base32,
    /// A to Z, a to z, 0 to 9, + and / (RFC 4648). Capital and small letters always differ.
    Base64,
}

impl Alphabet {
    /// The name in apply files and tables.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Decimal => "decimal",
            Self::Hexadecimal => "hexadecimal",
            Self::Base32 => "base32",
            Self::Base64 => "base64",
        }
    }

    /// Whether passcodes are decimal, as all but imported ones are.
    #[must_use]
    pub const fn is_decimal(&self) -> bool {
        matches!(self, Self::Decimal)
    }

    /// The passcode at a position, of `length` characters. Decimal ones are RFC 4226's; no RFC says how others come about:
    /// they are the first characters of the whole HMAC, written in the alphabet.
    #[must_use]
    pub fn passcode(self, secret: &SecretBytes, algorithm: Algorithm, length: u8, position: u64) -> String {
        let digest = || hotp::digest(secret, algorithm, &position.to_be_bytes());
        let mut text = match self {
            Self::Decimal => return hotp::passcode(secret, algorithm, length, position),
            Self::Hexadecimal => HEXUPPER.encode(&digest()),
            Self::Base32 => BASE32_NOPAD.encode(&digest()),
            Self::Base64 => BASE64_NOPAD.encode(&digest()),
        };
        text.truncate(usize::from(length));
        text
    }

    /// What was typed, as it is compared: surrounding white space and one group separator are dropped; then exactly
    /// `length` characters of the alphabet are left, or it is no passcode (R-300, AC-27). Small letters count as capital
    /// ones if `ignore_case`, and only where capital and small letters do not differ.
    #[must_use]
    pub fn normalized(self, typed: &str, length: u8, ignore_case: bool) -> Option<String> {
        let mut text = typed.trim().replacen([' ', '-'], "", 1);
        if ignore_case && matches!(self, Self::Hexadecimal | Self::Base32) {
            text.make_ascii_uppercase();
        }
        let known = |b: u8| match self {
            Self::Decimal => b.is_ascii_digit(),
            Self::Hexadecimal => matches!(b, b'0'..=b'9' | b'A'..=b'F'),
            Self::Base32 => matches!(b, b'A'..=b'Z' | b'2'..=b'7'),
            Self::Base64 => b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'),
        };
        (text.len() == usize::from(length) && text.bytes().all(known)).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// an independent program gives the same: the HMAC-SHA-1 of counter 0 is in RFC 4226, appendix D.
    #[test]
    fn other_alphabets_write_the_whole_hmac() {
        let secret = SecretBytes::new(b"12345678901234567890".to_vec());
        let code = |alphabet: Alphabet, length| alphabet.passcode(&secret, Algorithm::Sha1, length, 0);
        assert_eq!(code(Alphabet::Decimal, 6), "755224");
        assert_eq!(code(Alphabet::Hexadecimal, 8), "CC93CF18");
        // cc93cf1850 in fives of bits: 11001 10010 01001 11100 11110 00110 00010 10000.
        assert_eq!(code(Alphabet::Base32, 8), "ZSJ46GCQ");
        // cc93cf18508d in sixes of bits.
        assert_eq!(code(Alphabet::Base64, 8), "zJPPGFCN");
        assert_eq!(code(Alphabet::Base64, 6), "zJPPGF");
    }

    /// the virtual server decides, but never for base64.
    #[test]
    fn case_counts_unless_the_virtual_server_says_otherwise() {
        for (alphabet, typed, strict, lax) in [
            (Alphabet::Hexadecimal, "cc93-CF18", None, Some("CC93CF18")),
            (Alphabet::Hexadecimal, "CC93CF18", Some("CC93CF18"), Some("CC93CF18")),
            (Alphabet::Base32, "zsj46gcq", None, Some("ZSJ46GCQ")),
            (Alphabet::Base32, "ZSJ46GC1", None, None),
            (Alphabet::Base64, "zJPP GFCN", Some("zJPPGFCN"), Some("zJPPGFCN")),
            (Alphabet::Base64, "a+/Z0bcd", Some("a+/Z0bcd"), Some("a+/Z0bcd")),
            (Alphabet::Base64, "a-_Z0bcd", None, None),
            (Alphabet::Decimal, "1234567a", None, None),
        ] {
            assert_eq!(alphabet.normalized(typed, 8, false).as_deref(), strict, "{typed}");
            assert_eq!(alphabet.normalized(typed, 8, true).as_deref(), lax, "{typed}");
        }
    }

    /// R-300, AC-27.
    #[test]
    fn only_the_exact_digits_are_a_passcode() {
        for (typed, expected) in [
            ("123456", Some("123456")),
            (" 123456\n", Some("123456")),
            ("123 456", Some("123456")),
            ("123-456", Some("123456")),
            ("1 2 3456", None),
            ("1", None),
            ("1234567", None),
            ("１２３４５６", None),
            ("123456\0", None),
            ("12345a", None),
            ("", None),
        ] {
            assert_eq!(Alphabet::Decimal.normalized(typed, 6, true).as_deref(), expected, "{typed:?}");
        }
    }
}
