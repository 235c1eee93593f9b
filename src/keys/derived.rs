//! What is derived from the installation's root secret: keyed hashes and the key of access tokens.
//!
//! The root secret is 32 random octets, made once, kept sealed in the table `installation`. Rotating
//! the key-encryption key re-wraps it and changes nothing here: cookies, codes and client secrets
//! stay valid. Each use has a key of its own, derived by HKDF-SHA-256 with the name of the use, so a
//! value of one kind can never pass as another.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, RandomizedNonceKey, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::clock::Entropy;
use crate::domain::secret::SecretBytes;

const KEY_LENGTH: usize = 32;
const NONCE_LENGTH: usize = 12;

/// A keyed hash as stored: HMAC-SHA-256.
pub type Digest = [u8; 32];

/// Every key that is derived from the root secret. Made once at the start and shared.
#[derive(Debug)]
pub struct DerivedKeys {
    /// Codes that people type and authorization codes; the database holds only these hashes.
    pub codes: KeyedHash,
    /// Values of session and login cookies.
    pub cookies: KeyedHash,
    /// User names and addresses in counters of attempts, so that the counters name nobody.
    pub throttle: KeyedHash,
    /// Tokens in forms, bound to the cookie of their login.
    pub csrf: KeyedHash,
    /// Secrets of OpenID Connect clients and of the management API.
    pub client_secrets: KeyedHash,
    /// Activation secrets and other long random secrets of the device protocol.
    pub activation: KeyedHash,
    /// Identifiers that differ from one application to the next.
    pub pairwise: KeyedHash,
    /// Identifiers that count once, such as those of SAML requests.
    pub once: KeyedHash,
    /// Opaque access tokens.
    pub access_tokens: TokenSealer,
    /// Refresh tokens.
    pub refresh_tokens: TokenSealer,
    /// Identifiers of our logout requests, which say to us alone what they belong to (T-45).
    pub logout_requests: SteadySealer,
    /// What service providers call sessions, each in its own way (core 2.7.2).
    pub session_indexes: SteadySealer,
}

impl DerivedKeys {
    /// A new root secret for a new installation.
    #[must_use]
    pub fn new_root(entropy: &Entropy) -> SecretBytes {
        entropy.secret(KEY_LENGTH)
    }

    /// The keys that belong to `root`.
    #[must_use]
    pub fn from_root(root: &SecretBytes) -> Self {
        let hash = |purpose| KeyedHash::new(&derive(root, purpose));
        Self {
            codes: hash("codes"),
            cookies: hash("cookies"),
            throttle: hash("throttle"),
            csrf: hash("csrf"),
            client_secrets: hash("client secrets"),
            activation: hash("activation"),
            pairwise: hash("pairwise identifiers"),
            once: hash("used identifiers"),
            access_tokens: TokenSealer::new(&derive(root, "access tokens")),
            refresh_tokens: TokenSealer::new(&derive(root, "refresh tokens")),
            logout_requests: SteadySealer::new(&derive(root, "logout requests")),
            session_indexes: SteadySealer::new(&derive(root, "session indexes")),
        }
    }
}

/// HMAC-SHA-256 over a list of fields, each with its length, so that no two lists hash alike (T-64).
pub struct KeyedHash {
    key: hmac::Key,
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedHash")
    }
}

impl KeyedHash {
    fn new(key: &[u8; KEY_LENGTH]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// The hash of `fields`. Begin with what the value belongs to (tenant, row), end with the value.
    #[must_use]
    pub fn of(&self, fields: &[&[u8]]) -> Digest {
        let mut context = hmac::Context::with_key(&self.key);
        for field in fields {
            context.update(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(field);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.sign().as_ref());
        digest
    }

    /// Whether `digest` is the hash of `fields`; the time taken does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, fields: &[&[u8]], digest: &[u8]) -> bool {
        use subtle::ConstantTimeEq as _;
        self.of(fields).as_slice().ct_eq(digest).into()
    }
}

/// Seals short tokens that leave the house and come back, such as access tokens.
///
/// AES-256-GCM-SIV instead of AES-GCM: with random nonces the latter is good for 2^32 messages under
/// one key, which a busy installation could issue in months; the former tolerates far more, even
/// repeated nonces.
pub struct TokenSealer {
    key: RandomizedNonceKey,
}

impl fmt::Debug for TokenSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenSealer")
    }
}

impl TokenSealer {
    fn new(key: &[u8; KEY_LENGTH]) -> Self {
        let key = RandomizedNonceKey::new(&AES_256_GCM_SIV, key).expect("32 octets are a key of AES-256");
        Self { key }
    }

    /// Seals `content` for `context` (for instance a tenant): 28 octets longer than the content.
    ///
    /// # Panics
    /// Only if the content were longer than the 64 GiB that the cipher can seal.
    #[must_use]
    pub fn seal(&self, context: &[u8], content: &[u8]) -> Vec<u8> {
        let mut body = content.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(context), &mut body)
            .expect("AES-GCM-SIV seals everything shorter than 64 GiB");
        [nonce.as_ref().as_slice(), &body].concat()
    }

    /// Opens what was sealed for this `context`; `None` if it was altered or made for another one.
    #[must_use]
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LENGTH)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = body.to_vec();
        let plain = self.key.open_in_place(nonce, Aad::from(context), &mut body).ok()?;
        Some(plain.to_vec())
    }
}

/// Seals identifiers that others call something of ours by: the same content in the same context gives the same octets, so
/// that nothing has to be stored; nobody else can make them, or see that two of them are about the same.
///
/// AES-256-GCM-SIV with one nonce for all: then that equality is all that it tells (RFC 8452 1), and it is wanted.
pub struct SteadySealer {
    key: LessSafeKey,
}

impl fmt::Debug for SteadySealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SteadySealer")
    }
}

impl SteadySealer {
    fn new(key: &[u8; KEY_LENGTH]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM_SIV, key).expect("32 octets are a key of AES-256");
        Self { key: LessSafeKey::new(key) }
    }

    /// Seals `content` for `context`: 16 octets longer than the content.
    ///
    /// # Panics
    /// As [`TokenSealer::seal`].
    #[must_use]
    pub fn seal(&self, context: &[u8], content: &[u8]) -> Vec<u8> {
        let mut body = content.to_vec();
        self.key
            .seal_in_place_append_tag(Self::nonce(), Aad::from(context), &mut body)
            .expect("AES-GCM-SIV seals everything shorter than 64 GiB");
        body
    }

    /// Opens what was sealed for this `context`; `None` if it was altered or made for another one.
    #[must_use]
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let mut body = sealed.to_vec();
        let plain = self.key.open_in_place(Self::nonce(), Aad::from(context), &mut body).ok()?;
        Some(plain.to_vec())
    }

    fn nonce() -> Nonce {
        Nonce::assume_unique_for_key([0; NONCE_LENGTH])
    }
}

struct KeyLength;

impl hkdf::KeyType for KeyLength {
    fn len(&self) -> usize {
        KEY_LENGTH
    }
}

fn derive(root: &SecretBytes, purpose: &str) -> Zeroizing<[u8; KEY_LENGTH]> {
    let mut key = Zeroizing::new([0; KEY_LENGTH]);
    hkdf::Salt::new(hkdf::HKDF_SHA256, b"vestibule root secret")
        .extract(root.expose())
        .expand(&[purpose.as_bytes()], KeyLength)
        .and_then(|okm| okm.fill(key.as_mut_slice()))
        .expect("HKDF-SHA-256 gives 32 octets for every input");
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> DerivedKeys {
        DerivedKeys::from_root(&SecretBytes::new(vec![1; 32]))
    }

    #[test]
    fn each_purpose_has_its_own_key_and_the_root_decides() {
        let keys = keys();
        let fields: &[&[u8]] = &[b"acme", b"123456"];
        let all = [
            &keys.codes,
            &keys.cookies,
            &keys.throttle,
            &keys.csrf,
            &keys.client_secrets,
            &keys.activation,
            &keys.pairwise,
            &keys.once,
        ];
        let mut digests: Vec<Digest> = all.iter().map(|hash| hash.of(fields)).collect();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), all.len());
        let other = DerivedKeys::from_root(&SecretBytes::new(vec![2; 32]));
        assert_ne!(other.codes.of(fields), keys.codes.of(fields));
        assert!(keys.codes.matches(fields, &keys.codes.of(fields)));
        assert!(!keys.codes.matches(fields, b"") && !keys.codes.matches(&[b"acme"], &keys.codes.of(fields)));
    }

    /// T-54.
    #[test]
    fn a_token_opens_in_its_context_only() {
        let keys = keys();
        let sealed = keys.access_tokens.seal(b"acme", b"content");
        assert_eq!(keys.access_tokens.open(b"acme", &sealed).as_deref(), Some(&b"content"[..]));
        assert_eq!(keys.access_tokens.open(b"blue", &sealed), None);
        assert_eq!(keys.access_tokens.open(b"acme", b"short"), None);
    }

    /// T-45.
    #[test]
    fn a_steady_seal_is_the_same_again_and_differs_elsewhere() {
        let sealer = &keys().logout_requests;
        let sealed = sealer.seal(b"acme", b"content");
        assert_eq!(sealed, sealer.seal(b"acme", b"content"));
        assert_eq!(sealer.open(b"acme", &sealed).as_deref(), Some(&b"content"[..]));
        for other in [sealer.seal(b"blue", b"content"), sealer.seal(b"acme", b"consent")] {
            assert!(sealed.iter().zip(&other).filter(|(one, other)| one == other).count() < 8, "nothing in common");
        }
        let mut altered = sealed.clone();
        altered[0] ^= 1;
        for (context, sealed) in
            [(&b"blue"[..], &sealed[..]), (b"acme", &altered), (b"acme", &sealed[1..]), (b"acme", b"")]
        {
            assert_eq!(sealer.open(context, sealed), None);
        }
    }

    proptest! {
        /// T-64: two different lists of fields never hash alike, however their octets are cut.
        #[test]
        fn different_lists_have_different_hashes(
            a in proptest::collection::vec(proptest::collection::vec(0u8..3, 0..4), 0..4),
            b in proptest::collection::vec(proptest::collection::vec(0u8..3, 0..4), 0..4),
        ) {
            let keys = keys();
            let hash = |list: &[Vec<u8>]| {
                let fields: Vec<&[u8]> = list.iter().map(Vec::as_slice).collect();
                keys.codes.of(&fields)
            };
            prop_assert_eq!(a == b, hash(&a) == hash(&b));
        }

        /// T-54: any edit, truncation or extension of a token is refused.
        #[test]
        fn an_altered_token_never_opens(at in 0usize..35, bit in 0u8..8, cut in 0usize..35) {
            let keys = keys();
            let sealed = keys.access_tokens.seal(b"acme", b"content");
            let mut flipped = sealed.clone();
            flipped[at] ^= 1 << bit;
            prop_assert!(keys.access_tokens.open(b"acme", &flipped).is_none());
            prop_assert!(keys.access_tokens.open(b"acme", &sealed[..cut]).is_none());
            prop_assert!(keys.access_tokens.open(b"acme", &[&sealed[..], b"x"].concat()).is_none());
        }
    }
}
