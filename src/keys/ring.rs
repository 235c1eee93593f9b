//! The keys of one tenant and purpose that are in use: which one signs, which ones others may see.

use std::sync::Arc;

use super::sealing::Sealer;
use super::signing::{SigningKey, SigningKeyError};
use crate::domain::ids::SigningKeyId;
use crate::domain::signing_key::{KeyStage, SignatureAlgorithm, StoredSigningKey};
use crate::domain::timestamp::Timestamp;

/// The keys in use, at one moment. Replaced as a whole when a row changes.
#[derive(Debug, Default)]
pub struct KeyRing {
    keys: Vec<(KeyStage, Arc<SigningKey>)>,
    jwks: Vec<u8>,
}

impl KeyRing {
    /// Opens the keys of one tenant and purpose. Old keys whose time is over at `now` are left out, unless they are
    /// `pinned`: somebody cannot part with them yet.
    ///
    /// # Errors
    /// The first key that does not open: a tenant that silently loses a key would confuse everybody.
    pub fn open(
        stored: &[StoredSigningKey],
        pinned: &[SigningKeyId],
        sealer: &Sealer,
        now: Timestamp,
    ) -> Result<Self, SigningKeyError> {
        let mut keys = Vec::with_capacity(stored.len());
        for row in stored.iter().filter(|row| row.stage.is_published(now) || pinned.contains(&row.id)) {
            keys.push((row.stage, Arc::new(SigningKey::open(row, sealer)?)));
        }
        Ok(Self::of(keys))
    }

    /// A ring of keys that are open already.
    #[must_use]
    pub fn of(mut keys: Vec<(KeyStage, Arc<SigningKey>)>) -> Self {
        // The signing keys first: some relying parties try the published keys in turn.
        keys.sort_by_key(|(stage, key)| (rank(*stage), key.algorithm(), key.id()));
        let public: Vec<_> = keys.iter().map(|(_, key)| key.public_jwk()).collect();
        let jwks = serde_json::json!({ "keys": public }).to_string().into_bytes();
        Self { keys, jwks }
    }

    /// The key that signs with `algorithm` now, if the tenant has one.
    #[must_use]
    pub fn signing(&self, algorithm: SignatureAlgorithm) -> Option<&Arc<SigningKey>> {
        self.keys
            .iter()
            .find(|(stage, key)| *stage == KeyStage::Current && key.algorithm() == algorithm)
            .map(|(_, key)| key)
    }

    /// The published key named `id`, if it may be believed at `now`.
    #[must_use]
    pub fn published(&self, id: SigningKeyId, now: Timestamp) -> Option<&Arc<SigningKey>> {
        self.keys.iter().find(|(stage, key)| key.id() == id && stage.is_published(now)).map(|(_, key)| key)
    }

    /// The key named `id`, whatever its stage.
    #[must_use]
    pub fn named(&self, id: SigningKeyId) -> Option<&Arc<SigningKey>> {
        self.keys.iter().find(|(_, key)| key.id() == id).map(|(_, key)| key)
    }

    /// All keys with their stages, the signing ones first.
    pub fn keys(&self) -> impl Iterator<Item = (KeyStage, &Arc<SigningKey>)> {
        self.keys.iter().map(|(stage, key)| (*stage, key))
    }

    /// The algorithms that can sign now, in the order of [`SignatureAlgorithm::ALL`].
    #[must_use]
    pub fn algorithms(&self) -> Vec<SignatureAlgorithm> {
        SignatureAlgorithm::ALL.into_iter().filter(|algorithm| self.signing(*algorithm).is_some()).collect()
    }

    /// The JWK set as it is served (RFC 7517, section 5).
    #[must_use]
    pub fn jwks(&self) -> &[u8] {
        &self.jwks
    }
}

const fn rank(stage: KeyStage) -> u8 {
    match stage {
        KeyStage::Current => 0,
        KeyStage::Next => 1,
        KeyStage::Old { .. } => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::signing::RsaSize;

    fn key(id: u128, algorithm: SignatureAlgorithm) -> Arc<SigningKey> {
        let key = SigningKey::generate(SigningKeyId::from_bits(id), algorithm, RsaSize::Bits2048);
        Arc::new(key.expect("generates"))
    }

    ///
    #[test]
    fn next_and_old_keys_are_published_but_only_the_current_one_signs() {
        let until = Timestamp::from_seconds(10);
        let ring = KeyRing::of(vec![
            (KeyStage::Old { published_until: until }, key(1, SignatureAlgorithm::Es256)),
            (KeyStage::Next, key(2, SignatureAlgorithm::Es256)),
            (KeyStage::Current, key(3, SignatureAlgorithm::Es256)),
            (KeyStage::Next, key(4, SignatureAlgorithm::EdDsa)),
        ]);
        assert_eq!(ring.signing(SignatureAlgorithm::Es256).map(|key| key.id()), Some(SigningKeyId::from_bits(3)));
        assert!(ring.signing(SignatureAlgorithm::EdDsa).is_none());
        assert_eq!(ring.algorithms(), [SignatureAlgorithm::Es256]);
        let jwks: serde_json::Value = serde_json::from_slice(ring.jwks()).expect("JSON");
        assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(4));
        assert_eq!(jwks["keys"][0]["kid"], SigningKeyId::from_bits(3).to_string());
        assert!(ring.published(SigningKeyId::from_bits(1), Timestamp::from_seconds(9)).is_some());
        assert!(ring.published(SigningKeyId::from_bits(1), until).is_none(), "its time is over");
        assert!(ring.published(SigningKeyId::from_bits(9), until).is_none());
    }
}
