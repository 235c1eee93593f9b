//! Sealing of secrets at rest: what lies in the database is useless without a key that does not.
//!
//! Owns the ring of key-encryption keys and the sealed form of one value. It knows neither which
//! tables hold secrets nor where the keys come from; it is told both.
//!
//! The choice made here: every secret is sealed *directly* under the key-encryption key, bound to
//! the tenant, table, column and row it belongs to. There is no layer of data keys in between, so
//! "rotation re-wraps all secrets" is a statement about rows that can be counted: a row is
//! either under the current key or it is not, [`version_of`] tells which, [`Sealer::reseal`] moves
//! one row, and a rotation that was killed in the middle simply goes on (K23). The one value that
//! must *not* change with a rotation, because cookies and stored hashes depend on it, is the
//! installation's root secret (see [`super::derived`]); it is a sealed row like the others.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::clock::Entropy;
use crate::domain::ids::{Id, TenantId};
use crate::domain::secret::{SecretBytes, SecretString};

/// The first octet of everything sealed here; another layout would get another number.
const FORMAT: u8 = 1;
const VERSION_LENGTH: usize = 4;
const HEADER_LENGTH: usize = 1 + VERSION_LENGTH;
const NONCE_LENGTH: usize = 12;
const TAG_LENGTH: usize = 16;
const KEY_LENGTH: usize = 32;

/// Where a sealed value belongs. It cannot be opened anywhere else (T-63): a value copied to another
/// row, column or tenant is refused like a forged one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    tenant: Option<TenantId>,
    table: &'static str,
    column: &'static str,
    row: [u8; 16],
}

impl Place {
    /// The cell `table.column` in the row `row` of `tenant`.
    #[must_use]
    pub const fn new<Of>(tenant: TenantId, table: &'static str, column: &'static str, row: Id<Of>) -> Self {
        Self { tenant: Some(tenant), table, column, row: row.to_bytes() }
    }

    /// A cell of the one row of the table `installation`, which belongs to no tenant.
    #[must_use]
    pub const fn installation(column: &'static str) -> Self {
        Self { tenant: None, table: "installation", column, row: [0; 16] }
    }

    /// The associated data. Each field carries its length, so that no two places read alike (T-64).
    fn bind(&self, header: &[u8]) -> Vec<u8> {
        let tenant = self.tenant.map(Id::to_bytes);
        let tenant = tenant.as_ref().map_or(&[][..], |bytes| bytes.as_slice());
        let mut bound = Vec::with_capacity(96);
        for field in [header, tenant, self.table.as_bytes(), self.column.as_bytes(), &self.row] {
            bound.extend_from_slice(&u32::try_from(field.len()).unwrap_or(u32::MAX).to_be_bytes());
            bound.extend_from_slice(field);
        }
        bound
    }
}

/// Which key-encryption key sealed a value: four octets derived from the key itself.
///
/// Derived, not counted: an operator never numbers keys by hand, two instances cannot disagree on a
/// number, and a wrong key is recognised before anything is tried with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KekVersion([u8; VERSION_LENGTH]);

impl fmt::Display for KekVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for KekVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KekVersion({self})")
    }
}

/// Why a text is not a list of key-encryption keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KekError {
    /// The text holds nothing but blanks.
    #[error("no key-encryption key was given; `openssl rand -base64 32` makes one")]
    Missing,
    /// A key is not base64.
    #[error("key-encryption key {position} is not base64")]
    NotBase64 {
        /// Which one, counted from 1.
        position: usize,
    },
    /// A key has another length than 32 octets.
    #[error("key-encryption key {position} has {length} octets; 32 are needed")]
    WrongLength {
        /// Which one, counted from 1.
        position: usize,
        /// The octets it has.
        length: usize,
    },
    /// One key stands in the list twice.
    #[error("key-encryption key {position} is given twice")]
    Twice {
        /// The second one, counted from 1.
        position: usize,
    },
}

/// Why a sealed value does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It is not something that [`Sealer::seal`] wrote.
    #[error("the value is not in a sealed form that is known here")]
    UnknownFormat,
    /// It was sealed under a key that is not configured (any more).
    #[error("the value was sealed under key-encryption key {0}, which is not configured")]
    UnknownKey(KekVersion),
    /// It was changed, or it belongs to another tenant, table, column or row.
    #[error("the sealed value was altered or belongs elsewhere")]
    Altered,
}

/// Seals under the current key-encryption key; opens under the current or an earlier one.
pub struct Sealer {
    current: Kek,
    earlier: Vec<Kek>,
}

struct Kek {
    version: KekVersion,
    key: RandomizedNonceKey,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({} and {} earlier)", self.current.version, self.earlier.len())
    }
}

impl Sealer {
    /// Reads the keys as an operator writes them: base64 of 32 octets each, separated by blanks or
    /// line ends. The first seals; the others still open what they sealed before a rotation.
    ///
    /// # Errors
    /// [`KekError`] names the first key that is unusable.
    pub fn parse(text: &SecretString) -> Result<Self, KekError> {
        use crate::domain::secret::ExposeSecret as _;
        let mut keys: Vec<Kek> = Vec::new();
        for (index, word) in text.expose_secret().split_whitespace().enumerate() {
            let position = index + 1;
            let octets = STANDARD.decode(word).map_err(|_| KekError::NotBase64 { position })?;
            let octets = SecretBytes::new(octets);
            let length = octets.expose().len();
            let key = Kek::new(&octets).ok_or(KekError::WrongLength { position, length })?;
            if keys.iter().any(|k| k.version == key.version) {
                return Err(KekError::Twice { position });
            }
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        let current = keys.next().ok_or(KekError::Missing)?;
        Ok(Self { current, earlier: keys.collect() })
    }

    /// A new key-encryption key in the form that [`Sealer::parse`] reads.
    #[must_use]
    pub fn new_key(entropy: &Entropy) -> SecretString {
        SecretString::from(STANDARD.encode(entropy.secret(KEY_LENGTH).expose()))
    }

    /// The version that new values are sealed under.
    #[must_use]
    pub const fn current_version(&self) -> KekVersion {
        self.current.version
    }

    /// Seals `secret` for `place`. Sealing the same secret twice gives different octets.
    ///
    /// The nonce comes from the library, not from an [`Entropy`]: a repeated nonce would break
    /// AES-GCM, and no seeded generator may ever be able to cause that.
    ///
    /// # Panics
    /// Only if the secret were longer than the 64 GiB that AES-GCM can seal.
    #[must_use]
    pub fn seal(&self, place: Place, secret: &SecretBytes) -> Vec<u8> {
        let header = header(self.current.version);
        let mut body = Vec::with_capacity(secret.expose().len() + TAG_LENGTH);
        body.extend_from_slice(secret.expose());
        let nonce = self
            .current
            .key
            .seal_in_place_append_tag(Aad::from(place.bind(&header)), &mut body)
            .expect("AES-GCM seals everything shorter than 64 GiB");
        [header.as_slice(), nonce.as_ref(), &body].concat()
    }

    /// Opens what was sealed for this very `place`.
    ///
    /// # Errors
    /// [`SealError`]: a foreign form, an unknown key, or a value that was altered or moved.
    pub fn open(&self, place: Place, sealed: &[u8]) -> Result<SecretBytes, SealError> {
        let version = version_of(sealed)?;
        let key = self.key(version).ok_or(SealError::UnknownKey(version))?;
        let (header, rest) = sealed.split_at_checked(HEADER_LENGTH).ok_or(SealError::UnknownFormat)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LENGTH).ok_or(SealError::UnknownFormat)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError::UnknownFormat)?;
        let mut body = zeroize::Zeroizing::new(body.to_vec());
        let plain =
            key.key.open_in_place(nonce, Aad::from(place.bind(header)), &mut body).map_err(|_| SealError::Altered)?;
        Ok(SecretBytes::new(plain.to_vec()))
    }

    /// Moves a value to the current key; `None` if it is there already, so that a rotation can be
    /// repeated until nothing is left to do (R-600, K23).
    ///
    /// # Errors
    /// As [`Sealer::open`].
    pub fn reseal(&self, place: Place, sealed: &[u8]) -> Result<Option<Vec<u8>>, SealError> {
        if version_of(sealed)? == self.current.version {
            return Ok(None);
        }
        let secret = self.open(place, sealed)?;
        Ok(Some(self.seal(place, &secret)))
    }

    fn key(&self, version: KekVersion) -> Option<&Kek> {
        std::iter::once(&self.current).chain(&self.earlier).find(|key| key.version == version)
    }
}

/// The key version that a sealed value names; nothing is proven by it.
///
/// # Errors
/// [`SealError::UnknownFormat`] if the octets are not a sealed value.
pub fn version_of(sealed: &[u8]) -> Result<KekVersion, SealError> {
    if sealed.len() < HEADER_LENGTH + NONCE_LENGTH + TAG_LENGTH {
        return Err(SealError::UnknownFormat);
    }
    match sealed {
        [FORMAT, a, b, c, d, ..] => Ok(KekVersion([*a, *b, *c, *d])),
        _ => Err(SealError::UnknownFormat),
    }
}

impl Kek {
    /// `None` if the key has not 32 octets.
    fn new(octets: &SecretBytes) -> Option<Self> {
        if octets.expose().len() != KEY_LENGTH {
            return None;
        }
        let key = RandomizedNonceKey::new(&AES_256_GCM, octets.expose()).ok()?;
        let mut version = [0; VERSION_LENGTH];
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"vestibule key-encryption key")
            .extract(octets.expose())
            .expand(&[b"version"], VersionLength)
            .ok()?
            .fill(&mut version)
            .ok()?;
        Some(Self { version: KekVersion(version), key })
    }
}

struct VersionLength;

impl hkdf::KeyType for VersionLength {
    fn len(&self) -> usize {
        VERSION_LENGTH
    }
}

fn header(version: KekVersion) -> [u8; HEADER_LENGTH] {
    let [a, b, c, d] = version.0;
    [FORMAT, a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{TokenId, UserId};
    use proptest::prelude::*;

    const TENANT: TenantId = TenantId::from_bits(1);

    fn place() -> Place {
        Place::new(TENANT, "token", "otp_secret", TokenId::from_bits(7))
    }

    fn key(seed: u64) -> SecretString {
        Sealer::new_key(&Entropy::seeded(seed))
    }

    fn ring(seeds: &[u64]) -> Sealer {
        use crate::domain::secret::ExposeSecret as _;
        let text: Vec<String> = seeds.iter().map(|s| key(*s).expose_secret().to_owned()).collect();
        Sealer::parse(&SecretString::from(text.join("\n"))).expect("keys from new_key are keys")
    }

    /// R-291, T-63.
    #[test]
    fn a_sealed_secret_opens_in_its_place_and_nowhere_else() {
        let sealer = ring(&[1]);
        let sealed = sealer.seal(place(), &SecretBytes::new(b"CANARY-secret".to_vec()));
        assert!(!sealed.windows(6).any(|w| w == b"CANARY"));
        assert!(sealer.open(place(), &sealed).expect("its place").same_as(b"CANARY-secret"));
        let elsewhere = [
            Place::new(TenantId::from_bits(2), "token", "otp_secret", TokenId::from_bits(7)),
            Place::new(TENANT, "user", "otp_secret", TokenId::from_bits(7)),
            Place::new(TENANT, "token", "pin", TokenId::from_bits(7)),
            Place::new(TENANT, "token", "otp_secret", UserId::from_bits(8)),
            // The same letters, cut at another border (T-64).
            Place::new(TENANT, "tokenotp", "_secret", TokenId::from_bits(7)),
            Place::installation("otp_secret"),
        ];
        for other in elsewhere {
            assert_eq!(sealer.open(other, &sealed).err(), Some(SealError::Altered), "{other:?}");
        }
    }

    #[test]
    fn the_same_secret_never_looks_the_same_twice() {
        let sealer = ring(&[1]);
        let secret = SecretBytes::new(vec![7; 20]);
        assert_ne!(sealer.seal(place(), &secret), sealer.seal(place(), &secret));
    }

    /// R-600, K23.
    #[test]
    fn rotation_reads_the_old_key_writes_the_new_one_and_ends() {
        let secret = SecretBytes::new(b"seed".to_vec());
        let sealed = ring(&[1]).seal(place(), &secret);
        let rotating = ring(&[2, 1]);
        let moved = rotating.reseal(place(), &sealed).expect("opens").expect("moves");
        assert_eq!(version_of(&moved), Ok(rotating.current_version()));
        assert_eq!(rotating.reseal(place(), &moved), Ok(None), "a second run has nothing to do");
        let rotated = ring(&[2]);
        assert!(rotated.open(place(), &moved).expect("new key alone").same_as(b"seed"));
        let old = ring(&[1]).current_version();
        assert_eq!(rotated.open(place(), &sealed).err(), Some(SealError::UnknownKey(old)));
    }

    ///
    #[test]
    fn an_unusable_key_is_named_by_its_position() {
        use crate::domain::secret::ExposeSecret as _;
        let good = key(1).expose_secret().to_owned();
        let cases = [
            (" \n ".to_owned(), KekError::Missing),
            ("not base64!".to_owned(), KekError::NotBase64 { position: 1 }),
            (format!("{good} AAAA"), KekError::WrongLength { position: 2, length: 3 }),
            (format!("{good}\n{good}\n"), KekError::Twice { position: 2 }),
        ];
        for (text, error) in cases {
            assert_eq!(Sealer::parse(&SecretString::from(text)).err(), Some(error));
        }
        assert!(Sealer::parse(&SecretString::from(format!("{good}\n"))).is_ok());
    }

    proptest! {
        /// T-63: whatever is changed, cut off or added, the value does not open; nothing panics.
        #[test]
        fn an_altered_value_never_opens(at in 0usize..60, bit in 0u8..8, cut in 0usize..60, extra in proptest::collection::vec(any::<u8>(), 1..4)) {
            let sealer = ring(&[1]);
            let sealed = sealer.seal(place(), &SecretBytes::new(vec![9; 27]));
            let mut flipped = sealed.clone();
            let at = at % sealed.len();
            flipped[at] ^= 1 << bit;
            prop_assert!(sealer.open(place(), &flipped).is_err());
            prop_assert!(sealer.open(place(), &sealed[..cut.min(sealed.len() - 1)]).is_err());
            prop_assert!(sealer.open(place(), &[sealed, extra].concat()).is_err());
        }
    }
}
