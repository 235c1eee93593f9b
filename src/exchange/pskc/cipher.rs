//! The cryptography of key containers: AES in CBC mode (XML Encryption 5.2), HMAC (RFC 6030 section 6.1.1), and keys of
//! passwords (PBKDF2, RFC 8018).

use data_encoding::HEXLOWER_PERMISSIVE;
use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use openssl::symm::{Cipher, Crypter, Mode};

use super::{AES_128, AES_192, AES_256, HMAC_SHA1, PBKDF2, PBKDF2_DRAFT};
use crate::domain::secret::{ExposeSecret as _, SecretBytes, SecretString};

/// Rounds of PBKDF2 that are carried out at most: some seconds of work. A file must not keep a machine busy for a day.
pub const DERIVATIONS: u32 = 10_000_000;
/// Rounds of PBKDF2 with HMAC-SHA-1, the only one that all others know, in what we write.
pub const WRITTEN_ITERATIONS: u32 = 1_300_000;
/// Octets of a block of AES.
pub(super) const BLOCK: usize = 16;

/// What opens a container, or is to protect one.
#[derive(Debug, Clone)]
pub enum Protection {
    /// A pre-shared key: 16, 24 or 32 octets.
    Key(SecretBytes),
    /// A password.
    Password(SecretString),
}

/// The pre-shared key that a file holds: 32, 48 or 64 hexadecimal digits, or 16, 24 or 32 octets as they are.
#[must_use]
pub fn key_of_hex(octets: &[u8]) -> Option<SecretBytes> {
    let text =
        zeroize::Zeroizing::new(octets.iter().copied().filter(|c| !c.is_ascii_whitespace()).collect::<Vec<u8>>());
    let key = match HEXLOWER_PERMISSIVE.decode(&text) {
        Ok(key) if matches!(key.len(), 16 | 24 | 32) => key,
        _ => octets.to_vec(),
    };
    matches!(key.len(), 16 | 24 | 32).then(|| SecretBytes::new(key))
}

/// A cipher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Aes {
    /// Octets of its key.
    pub(super) key: usize,
    /// Its name.
    pub(super) uri: &'static str,
}

impl Aes {
    const ALL: [Self; 3] =
        [Self { key: 16, uri: AES_128 }, Self { key: 24, uri: AES_192 }, Self { key: 32, uri: AES_256 }];

    /// The cipher with this name.
    pub(super) fn named(uri: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|aes| aes.uri == uri).ok_or_else(|| {
            let name = uri.rsplit('#').next().unwrap_or(uri);
            format!("is encrypted with \"{name}\"; AES with 128, 192 or 256 bits in CBC mode is understood")
        })
    }

    /// The cipher for a key of so many octets.
    pub(super) fn of_key(key: &SecretBytes) -> Option<Self> {
        Self::ALL.into_iter().find(|aes| aes.key == key.expose().len())
    }

    fn cipher(self) -> Cipher {
        match self.key {
            16 => Cipher::aes_128_cbc(),
            24 => Cipher::aes_192_cbc(),
            _ => Cipher::aes_256_cbc(),
        }
    }

    /// Decrypts the initialization vector and blocks in `octets`. The padding's last octet says how long it is, the others
    /// are anything (XML Encryption 5.2); `None` if it is none, which a wrong key gives most of the time.
    pub(super) fn decrypt(self, key: &SecretBytes, octets: &[u8]) -> Result<Option<SecretBytes>, String> {
        if key.expose().len() != self.key {
            return Err(format!("needs a key of {} bits, not of {}", self.key * 8, key.expose().len() * 8));
        }
        let (iv, blocks) = octets.split_at_checked(BLOCK).ok_or("has an encrypted value that is too short")?;
        if blocks.is_empty() || !blocks.len().is_multiple_of(BLOCK) {
            return Err("has an encrypted value that is not in whole blocks".to_owned());
        }
        let plain = self.run(Mode::Decrypt, key, iv, blocks)?;
        let padding = usize::from(plain.expose().last().copied().unwrap_or_default());
        let length = plain.expose().len().checked_sub(padding).filter(|_| (1..=BLOCK).contains(&padding));
        Ok(length.and_then(|length| plain.expose().get(..length)).map(|octets| SecretBytes::new(octets.to_vec())))
    }

    /// Encrypts; the initialization vector stands in front. The padding is PKCS #7's, which is a valid one of XML
    /// Encryption, too.
    pub(super) fn encrypt(self, key: &SecretBytes, iv: [u8; BLOCK], plain: &[u8]) -> Result<Vec<u8>, String> {
        let padding = BLOCK - plain.len() % BLOCK;
        let mut padded = zeroize::Zeroizing::new(plain.to_vec());
        padded.resize(plain.len() + padding, u8::try_from(padding).unwrap_or_default());
        let blocks = self.run(Mode::Encrypt, key, &iv, &padded)?;
        Ok([&iv, blocks.expose()].concat())
    }

    fn run(self, mode: Mode, key: &SecretBytes, iv: &[u8], blocks: &[u8]) -> Result<SecretBytes, String> {
        let failed = |error: openssl::error::ErrorStack| format!("the cryptographic library failed: {error}");
        let mut crypter = Crypter::new(self.cipher(), mode, key.expose(), Some(iv)).map_err(failed)?;
        crypter.pad(false);
        let mut out = zeroize::Zeroizing::new(vec![0; blocks.len() + BLOCK]);
        let mut length = crypter.update(blocks, &mut out).map_err(failed)?;
        length += crypter.finalize(out.get_mut(length..).unwrap_or_default()).map_err(failed)?;
        Ok(SecretBytes::new(out.get(..length).unwrap_or_default().to_vec()))
    }
}

/// A message authentication code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mac {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Mac {
    /// The one with this name (XML Signature 6.3.1, RFC 9231 section 2.2.2).
    pub(super) fn named(uri: &str) -> Result<Self, String> {
        const MORE: &str = "http://www.w3.org/2001/04/xmldsig-more#hmac-";
        if uri == HMAC_SHA1 {
            return Ok(Self::Sha1);
        }
        match uri.strip_prefix(MORE) {
            Some("sha224") => Ok(Self::Sha224),
            Some("sha256") => Ok(Self::Sha256),
            Some("sha384") => Ok(Self::Sha384),
            Some("sha512") => Ok(Self::Sha512),
            _ => {
                let name = uri.rsplit('#').next().unwrap_or(uri);
                Err(format!("the MAC is made by \"{name}\"; HMAC with SHA-1 or SHA-2 is understood"))
            }
        }
    }

    fn digest(self) -> MessageDigest {
        match self {
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha224 => MessageDigest::sha224(),
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }

    /// The code of `octets`.
    pub(super) fn of(self, key: &SecretBytes, octets: &[u8]) -> Result<Vec<u8>, String> {
        let failed = |error: openssl::error::ErrorStack| format!("the cryptographic library failed: {error}");
        let key = PKey::hmac(key.expose()).map_err(failed)?;
        let mut signer = Signer::new(self.digest(), &key).map_err(failed)?;
        signer.sign_oneshot_to_vec(octets).map_err(failed)
    }

    /// Whether `code` is the code of `octets`, whole; compared in constant time.
    pub(super) fn fits(self, key: &SecretBytes, octets: &[u8], code: &[u8]) -> Result<bool, String> {
        use subtle::ConstantTimeEq as _;
        Ok(self.of(key, octets)?.as_slice().ct_eq(code).into())
    }
}

/// How a key comes of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Derivation {
    pub(super) salt: Vec<u8>,
    pub(super) iterations: u32,
    /// Octets of the key, where the file tells.
    pub(super) length: Option<usize>,
    pub(super) mac: Mac,
}

impl Derivation {
    /// Whether this names PBKDF2.
    pub(super) fn is_known(uri: &str) -> bool {
        uri == PBKDF2 || uri == PBKDF2_DRAFT
    }

    /// The pseudo-random function with this name: a URI of RFC 9231, an identifier of RFC 8018, or nothing for the default.
    pub(super) fn prf(name: Option<&str>) -> Result<Mac, String> {
        match name.map(str::trim).unwrap_or_default() {
            "" | "hmac-sha1" | "id-hmacWithSHA1" | "1.2.840.113549.2.7" => Ok(Mac::Sha1),
            "1.2.840.113549.2.8" => Ok(Mac::Sha224),
            "1.2.840.113549.2.9" => Ok(Mac::Sha256),
            "1.2.840.113549.2.10" => Ok(Mac::Sha384),
            "1.2.840.113549.2.11" => Ok(Mac::Sha512),
            uri => Mac::named(uri),
        }
    }

    /// Derives a key of so many octets.
    pub(super) fn key(&self, password: &SecretString, length: usize) -> Result<SecretBytes, String> {
        let mut key = zeroize::Zeroizing::new(vec![0; length]);
        let rounds = usize::try_from(self.iterations).unwrap_or(usize::MAX);
        pbkdf2_hmac(password.expose_secret().as_bytes(), &self.salt, rounds, self.mac.digest(), &mut key)
            .map_err(|error| format!("the cryptographic library failed: {error}"))?;
        Ok(SecretBytes::new(key.to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_is_told_from_its_digits() {
        let octets = [0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12];
        assert!(key_of_hex(b"12345678901234567890123456789012\n").expect("a key").same_as(&octets));
        assert!(key_of_hex(&octets).expect("a key").same_as(&octets));
        assert!(key_of_hex(b"").is_none() && key_of_hex(b"1234").is_none() && key_of_hex(&[b'a'; 33]).is_none());
    }

    /// XML Encryption 5.2: only the last octet of the padding counts, and it must name one to sixteen.
    #[test]
    fn any_padding_of_xml_encryption_is_taken() {
        let aes = Aes::named(AES_128).expect("known");
        let key = SecretBytes::new(vec![7; 16]);
        for (last, length) in [(1, Some(15)), (16, Some(0)), (5, Some(11)), (0, None), (17, None), (255, None)] {
            let mut block = [0xaa; 16];
            block[15] = last;
            let sealed = aes.run(Mode::Encrypt, &key, &[0; 16], &block).expect("encrypted");
            let opened = aes.decrypt(&key, &[&[0; 16], sealed.expose()].concat()).expect("in whole blocks");
            assert_eq!(opened.map(|plain| plain.expose().len()), length, "{last}");
        }
        for bad in [&[0; 0][..], &[0; 16], &[0; 17], &[0; 40]] {
            assert!(aes.decrypt(&key, bad).is_err());
        }
        assert!(Aes::named(AES_256).expect("known").decrypt(&key, &[0; 32]).is_err(), "another length of key");
    }

    proptest! {
        #[test]
        fn what_is_encrypted_is_decrypted(plain in proptest::collection::vec(any::<u8>(), 0..70), at in 0_usize..3) {
            let aes = Aes::ALL[at];
            let key = SecretBytes::new(vec![9; aes.key]);
            let sealed = aes.encrypt(&key, [3; 16], &plain).expect("encrypted");
            let opened = aes.decrypt(&key, &sealed).expect("whole blocks").expect("a padding");
            prop_assert_eq!(opened.expose(), plain.as_slice());
        }
    }
}
