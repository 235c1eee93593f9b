//! Signing keys as facts: what they are for, where they stand in their life, when that changes.
//!
//! Knows no cryptography; `keys::signing` turns a stored key into one that signs.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::ids::{SigningKeyId, TenantId};
use super::timestamp::Timestamp;

/// A signature algorithm by its name in RFC 7518, section 3.1 and RFC 8037.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256: the one that every relying party must know (OIDC Core 15.1).
    #[default]
    #[serde(rename = "RS256")]
    Rs256,
    /// ECDSA on P-256 with SHA-256: eighteen times cheaper for us.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl SignatureAlgorithm {
    /// All of them, in the order in which they are announced.
    pub const ALL: [Self; 3] = [Self::Rs256, Self::Es256, Self::EdDsa];

    /// The registered name, such as `RS256`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

impl FromStr for SignatureAlgorithm {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|a| a.name() == text).ok_or(UnknownWord)
    }
}

/// What a key signs. One key serves one protocol, so that replacing it disturbs only that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyPurpose {
    /// ID Tokens and whatever else is a JWT.
    Oidc,
    /// SAML responses, assertions and metadata.
    Saml,
    /// Checkpoints of the audit trail.
    Audit,
}

impl KeyPurpose {
    /// The word that is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::Saml => "saml",
            Self::Audit => "audit",
        }
    }
}

impl FromStr for KeyPurpose {
    type Err = UnknownWord;
    fn from_str(text: &str) -> Result<Self, UnknownWord> {
        [Self::Oidc, Self::Saml, Self::Audit].into_iter().find(|p| p.name() == text).ok_or(UnknownWord)
    }
}

/// Where a key stands in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStage {
    /// Published so that every relying party has it in its cache before it is used.
    Next,
    /// Signs.
    Current,
    /// Signs no more; stays published until what it signed has expired.
    Old {
        /// From this time on it is neither published nor believed.
        published_until: Timestamp,
    },
}

impl KeyStage {
    /// The word that is stored; the time of an old key has a column of its own.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Current => "current",
            Self::Old { .. } => "old",
        }
    }

    /// The stage from its stored word and time; `None` if the two do not fit each other.
    #[must_use]
    pub fn from_stored(word: &str, published_until: Option<Timestamp>) -> Option<Self> {
        match (word, published_until) {
            ("next", None) => Some(Self::Next),
            ("current", None) => Some(Self::Current),
            ("old", Some(published_until)) => Some(Self::Old { published_until }),
            _ => None,
        }
    }

    /// Whether the key is still shown to others, and signatures made with it are believed.
    #[must_use]
    pub fn is_published(self, now: Timestamp) -> bool {
        match self {
            Self::Next | Self::Current => true,
            Self::Old { published_until } => now < published_until,
        }
    }
}

/// A stored word that none of ours is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an unknown word")]
pub struct UnknownWord;

/// A signing key as it lies in the database: the private half sealed, the certificate public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSigningKey {
    /// Its identifier, and as text the `kid` under which it is published; never used again.
    pub id: SigningKeyId,
    /// Whose key it is.
    pub tenant: TenantId,
    /// What it signs.
    pub purpose: KeyPurpose,
    /// How it signs.
    pub algorithm: SignatureAlgorithm,
    /// Where it stands in its life.
    pub stage: KeyStage,
    /// When it was made.
    pub created_at: Timestamp,
    /// PKCS#8, sealed for `signing_key.private_sealed` and this row.
    pub private_key: Vec<u8>,
    /// X.509 in DER; SAML needs one, OpenID Connect does not.
    pub certificate: Option<Vec<u8>>,
}

impl StoredSigningKey {
    /// The stage that the key gets when it is replaced in an emergency: it is believed at no time of its life.
    #[must_use]
    pub fn withdrawn(&self, now: Timestamp) -> KeyStage {
        // A clock that was ahead when it was made does not keep it believed until then.
        KeyStage::Old { published_until: self.created_at.min(now) }
    }

    /// Whether it was replaced in an emergency.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        matches!(self.stage, KeyStage::Old { published_until } if published_until <= self.created_at)
    }
}

/// How long keys overlap when they are rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlap {
    /// How long a new key is published before it signs; not shorter than relying parties keep the key
    /// set in their caches. 24 hours unless configured otherwise.
    pub lead: Duration,
    /// How long an old key stays published; not shorter than the longest life of what it signed.
    pub trail: Duration,
}

impl Default for Overlap {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        Self { lead: DAY, trail: DAY.saturating_mul(2) }
    }
}

/// What one run of `keys rotate` does to the keys of one tenant, purpose and algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationStep {
    /// There is no key at all: make one that signs at once, since nobody can hold an older one.
    CreateCurrent,
    /// Make the next key; it will sign after the lead time.
    CreateNext,
    /// The next key was published long enough: it signs from now on, the current one becomes old.
    Promote {
        /// The key that signs from now on.
        next: SigningKeyId,
        /// The key that does not any more, if there was one.
        current: Option<SigningKeyId>,
        /// How long the latter stays published.
        published_until: Timestamp,
    },
    /// A next key exists, but some relying parties may not have seen it yet.
    Wait {
        /// When it may sign.
        until: Timestamp,
    },
}

/// The next step of a rotation. Run it again and again: each run moves the keys on by one stage and
/// never lets a key sign that was not published for the lead time.
#[must_use]
pub fn next_rotation_step(keys: &[StoredSigningKey], overlap: Overlap, now: Timestamp) -> RotationStep {
    let current = keys.iter().find(|key| key.stage == KeyStage::Current).map(|key| key.id);
    let next = keys.iter().find(|key| key.stage == KeyStage::Next);
    match (current, next) {
        (None, None) => RotationStep::CreateCurrent,
        (Some(_), None) => RotationStep::CreateNext,
        (current, Some(next)) => {
            let ready_at = next.created_at.plus(overlap.lead);
            // Without a current key nothing can be signed; waiting would only prolong the outage.
            if current.is_some() && now < ready_at {
                RotationStep::Wait { until: ready_at }
            } else {
                RotationStep::Promote { next: next.id, current, published_until: now.plus(overlap.trail) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: u128, stage: KeyStage, created: i64) -> StoredSigningKey {
        StoredSigningKey {
            id: SigningKeyId::from_bits(id),
            tenant: TenantId::from_bits(1),
            purpose: KeyPurpose::Oidc,
            algorithm: SignatureAlgorithm::Rs256,
            stage,
            created_at: Timestamp::from_seconds(created),
            private_key: Vec::new(),
            certificate: None,
        }
    }

    ///
    #[test]
    fn a_key_signs_only_after_it_was_published_for_the_lead_time() {
        let overlap = Overlap { lead: Duration::from_secs(100), trail: Duration::from_secs(50) };
        let at = Timestamp::from_seconds;
        assert_eq!(next_rotation_step(&[], overlap, at(0)), RotationStep::CreateCurrent);
        let current = key(1, KeyStage::Current, 0);
        assert_eq!(next_rotation_step(std::slice::from_ref(&current), overlap, at(0)), RotationStep::CreateNext);
        let both = [current, key(2, KeyStage::Next, 10)];
        assert_eq!(next_rotation_step(&both, overlap, at(109)), RotationStep::Wait { until: at(110) });
        let promote = RotationStep::Promote {
            next: SigningKeyId::from_bits(2),
            current: Some(SigningKeyId::from_bits(1)),
            published_until: at(160),
        };
        assert_eq!(next_rotation_step(&both, overlap, at(110)), promote);
    }

    /// T-44, T-67: what was replaced in an emergency is told from what is old.
    #[test]
    fn a_key_that_was_replaced_in_an_emergency_is_known() {
        let made = Timestamp::from_seconds(100);
        let key = StoredSigningKey {
            id: SigningKeyId::from_bits(1),
            tenant: TenantId::from_bits(1),
            purpose: KeyPurpose::Saml,
            algorithm: SignatureAlgorithm::Rs256,
            stage: KeyStage::Old { published_until: Timestamp::from_seconds(500) },
            created_at: made,
            private_key: Vec::new(),
            certificate: None,
        };
        assert!(!key.is_withdrawn());
        let gone = StoredSigningKey { stage: key.withdrawn(made), ..key };
        assert!(gone.is_withdrawn() && !gone.stage.is_published(made));
    }

    #[test]
    fn an_old_key_is_published_until_its_time_and_stored_words_must_fit() {
        let until = Timestamp::from_seconds(5);
        let old = KeyStage::Old { published_until: until };
        assert!(old.is_published(Timestamp::from_seconds(4)) && !old.is_published(until));
        for stage in [KeyStage::Next, KeyStage::Current, old] {
            let time = matches!(stage, KeyStage::Old { .. }).then_some(until);
            assert_eq!(KeyStage::from_stored(stage.name(), time), Some(stage));
        }
        assert_eq!(KeyStage::from_stored("old", None), None);
        assert_eq!(KeyStage::from_stored("current", Some(until)), None);
        assert_eq!("RS256".parse(), Ok(SignatureAlgorithm::Rs256));
        assert_eq!("none".parse::<SignatureAlgorithm>(), Err(UnknownWord));
    }
}
