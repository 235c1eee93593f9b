//! Keys that sign for a tenant, and what others need to check their signatures.
//!
//! All private-key operations are aws-lc's (constant time, T-66). A key has exactly one algorithm;
//! nothing a caller or a token says can make it use another (T-51).

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::der;
use super::sealing::{Place, SealError, Sealer};
use crate::domain::ids::{SigningKeyId, TenantId};
use crate::domain::secret::SecretBytes;
use crate::domain::signing_key::{SignatureAlgorithm, StoredSigningKey};

/// How strong a new key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RsaSize {
    /// 2048 bits: 112 bits of strength, what relying parties expect.
    #[default]
    Bits2048,
    /// 3072 bits: 128 bits of strength, three times the work.
    Bits3072,
}

/// Why a key cannot be made, read or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigningKeyError {
    /// The cryptographic library refused.
    #[error("the cryptographic library could not {0}")]
    Library(&'static str),
    /// The stored octets are not a private key of this algorithm.
    #[error("signing key {id} is not a private key for {algorithm}", algorithm = algorithm.name())]
    NotAKey {
        /// Which key.
        id: SigningKeyId,
        /// What it should be for.
        algorithm: SignatureAlgorithm,
    },
    /// The sealed private key does not open.
    #[error("signing key {id} cannot be unsealed: {cause}")]
    Sealed {
        /// Which key.
        id: SigningKeyId,
        /// Why.
        cause: SealError,
    },
}

/// A private key that is ready to sign.
pub struct SigningKey {
    id: SigningKeyId,
    algorithm: SignatureAlgorithm,
    pair: Pair,
    public: Vec<u8>,
    jwk: serde_json::Value,
    jwt_header: String,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} {})", self.algorithm.name(), self.id)
    }
}

impl SigningKey {
    /// Makes a new key. The randomness is the library's own: a key pair must never be repeatable.
    ///
    /// # Errors
    /// [`SigningKeyError::Library`] if the library cannot.
    pub fn generate(id: SigningKeyId, algorithm: SignatureAlgorithm, size: RsaSize) -> Result<Self, SigningKeyError> {
        let failed = |_| SigningKeyError::Library("make a key pair");
        let pair = match algorithm {
            SignatureAlgorithm::Rs256 => Pair::Rsa(RsaKeyPair::generate(rsa_size(size)).map_err(failed)?),
            SignatureAlgorithm::Es256 => {
                Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?)
            }
            SignatureAlgorithm::EdDsa => Pair::Ed(Ed25519KeyPair::generate().map_err(failed)?),
        };
        Self::from_pair(id, pair)
    }

    /// Reads a PKCS#8 private key that must be for `algorithm`.
    ///
    /// # Errors
    /// [`SigningKeyError::NotAKey`] if it is not.
    pub fn from_pkcs8(
        id: SigningKeyId,
        algorithm: SignatureAlgorithm,
        pkcs8: &SecretBytes,
    ) -> Result<Self, SigningKeyError> {
        let not_a_key = |_| SigningKeyError::NotAKey { id, algorithm };
        let octets = pkcs8.expose();
        let pair = match algorithm {
            SignatureAlgorithm::Rs256 => Pair::Rsa(RsaKeyPair::from_pkcs8(octets).map_err(not_a_key)?),
            SignatureAlgorithm::Es256 => {
                Pair::Ec(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, octets).map_err(not_a_key)?)
            }
            SignatureAlgorithm::EdDsa => Pair::Ed(Ed25519KeyPair::from_pkcs8(octets).map_err(not_a_key)?),
        };
        Self::from_pair(id, pair)
    }

    /// Opens a key as it lies in the database.
    ///
    /// # Errors
    /// [`SigningKeyError`] if it does not unseal or is not a key.
    pub fn open(stored: &StoredSigningKey, sealer: &Sealer) -> Result<Self, SigningKeyError> {
        let id = stored.id;
        let pkcs8 = sealer
            .open(private_key_place(stored.tenant, id), &stored.private_key)
            .map_err(|cause| SigningKeyError::Sealed { id, cause })?;
        Self::from_pkcs8(id, stored.algorithm, &pkcs8)
    }

    /// The private key in PKCS#8, sealed for its row.
    ///
    /// # Errors
    /// [`SigningKeyError::Library`] if the library cannot encode it.
    pub fn sealed(&self, tenant: TenantId, sealer: &Sealer) -> Result<Vec<u8>, SigningKeyError> {
        Ok(sealer.seal(private_key_place(tenant, self.id), &self.to_pkcs8()?))
    }

    /// The identifier; its text is the `kid`.
    #[must_use]
    pub const fn id(&self) -> SigningKeyId {
        self.id
    }

    /// The only algorithm of this key.
    #[must_use]
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The public key as a JWK with `use`, `alg` and `kid` (RFC 7517).
    #[must_use]
    pub const fn public_jwk(&self) -> &serde_json::Value {
        &self.jwk
    }

    /// The signature of `message` in the form that JWS and XML signatures use (R and S side by side
    /// for ES256).
    ///
    /// # Errors
    /// [`SigningKeyError::Library`] if the library fails; there is no input that makes it.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningKeyError> {
        let failed = |_| SigningKeyError::Library("sign");
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Pair::Ec(pair) => Ok(pair.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref().to_vec()),
            Pair::Ed(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    /// A JWT of type `JWT` in compact form, with `claims` as its payload.
    ///
    /// # Errors
    /// [`SigningKeyError::Library`] if the library fails.
    pub fn sign_jwt(&self, claims: &[u8]) -> Result<String, SigningKeyError> {
        // 344 is the length of an RSA-2048 signature in base64; a longer one grows the string once.
        let mut jwt = String::with_capacity(self.jwt_header.len() + claims.len() / 3 * 4 + 4 + 344 + 2);
        jwt.push_str(&self.jwt_header);
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut jwt);
        let signature = self.sign(jwt.as_bytes())?;
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
        Ok(jwt)
    }

    /// A JWT of another type than `JWT`, such as `at+jwt`: each kind of token has its own, so that none passes as
    /// another (RFC 8725, 3.11).
    ///
    /// # Errors
    /// [`SigningKeyError::Library`] if the library fails.
    pub fn sign_typed(&self, typ: &str, claims: &[u8]) -> Result<String, SigningKeyError> {
        let header = json!({ "alg": self.algorithm.name(), "kid": self.id.to_string(), "typ": typ });
        let mut jwt = URL_SAFE_NO_PAD.encode(header.to_string());
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut jwt);
        let signature = self.sign(jwt.as_bytes())?;
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
        Ok(jwt)
    }

    /// Whether `signature` over `message` was made with this key.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.algorithm {
            SignatureAlgorithm::Rs256 => {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public).verify(message, signature)
            }
            SignatureAlgorithm::Es256 => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.public).verify(message, signature)
            }
            SignatureAlgorithm::EdDsa => UnparsedPublicKey::new(&ED25519, &self.public).verify(message, signature),
        };
        verified.is_ok()
    }

    /// The private key in PKCS#8, for sealing and for making its certificate.
    pub(super) fn to_pkcs8(&self) -> Result<SecretBytes, SigningKeyError> {
        let failed = |_| SigningKeyError::Library("encode a private key");
        let octets = match &self.pair {
            Pair::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map_err(failed)?.as_ref().to_vec(),
            Pair::Ec(pair) => pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec(),
            Pair::Ed(pair) => pair.to_pkcs8().map_err(failed)?.as_ref().to_vec(),
        };
        Ok(SecretBytes::new(octets))
    }

    fn from_pair(id: SigningKeyId, pair: Pair) -> Result<Self, SigningKeyError> {
        let (algorithm, public) = match &pair {
            Pair::Rsa(pair) => (SignatureAlgorithm::Rs256, pair.public_key().as_ref().to_vec()),
            Pair::Ec(pair) => (SignatureAlgorithm::Es256, pair.public_key().as_ref().to_vec()),
            Pair::Ed(pair) => (SignatureAlgorithm::EdDsa, pair.public_key().as_ref().to_vec()),
        };
        let jwk = public_jwk(id, algorithm, &public).ok_or(SigningKeyError::NotAKey { id, algorithm })?;
        let header = json!({ "alg": algorithm.name(), "kid": id.to_string(), "typ": "JWT" });
        let jwt_header = URL_SAFE_NO_PAD.encode(header.to_string());
        Ok(Self { id, algorithm, pair, public, jwk, jwt_header })
    }
}

const fn private_key_place(tenant: TenantId, id: SigningKeyId) -> Place {
    Place::new(tenant, "signing_key", "private_sealed", id)
}

const fn rsa_size(size: RsaSize) -> KeySize {
    match size {
        RsaSize::Bits2048 => KeySize::Rsa2048,
        RsaSize::Bits3072 => KeySize::Rsa3072,
    }
}

fn public_jwk(id: SigningKeyId, algorithm: SignatureAlgorithm, public: &[u8]) -> Option<serde_json::Value> {
    let b64 = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
    let mut jwk = match algorithm {
        SignatureAlgorithm::Rs256 => {
            let (n, e) = rsa_numbers(public)?;
            json!({ "kty": "RSA", "n": b64(n), "e": b64(e) })
        }
        SignatureAlgorithm::Es256 => {
            // SEC 1: an uncompressed point is 4, x, y.
            let (x, y) = public.strip_prefix(&[4])?.split_at_checked(32)?;
            json!({ "kty": "EC", "crv": "P-256", "x": b64(x), "y": b64(y) })
        }
        SignatureAlgorithm::EdDsa => json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(public) }),
    };
    let members = jwk.as_object_mut()?;
    members.insert("use".to_owned(), json!("sig"));
    members.insert("alg".to_owned(), json!(algorithm.name()));
    members.insert("kid".to_owned(), json!(id.to_string()));
    Some(jwk)
}

/// Modulus and exponent of a DER `RSAPublicKey` (RFC 8017, A.1.1), without leading zeros as RFC 7518,
/// 6.3.1.1 wants them. The library offers them only with a feature that would pull in one crate more.
fn rsa_numbers(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sequence, _) = der::value(der, 0x30)?;
    let (modulus, rest) = der::value(sequence, 0x02)?;
    let (exponent, _) = der::value(rest, 0x02)?;
    let positive = |number| <[u8]>::strip_prefix(number, &[0]).unwrap_or(number);
    Some((positive(modulus), positive(exponent)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use openidconnect::JsonWebKey as _;
    use openidconnect::core::{CoreJsonWebKey, CoreJwsSigningAlgorithm};

    fn generate(algorithm: SignatureAlgorithm) -> SigningKey {
        SigningKey::generate(SigningKeyId::from_bits(5), algorithm, RsaSize::Bits2048).expect("generates")
    }

    /// another library reads our JWK and accepts our signature, and no altered one.
    #[test]
    fn another_library_verifies_what_each_algorithm_signs() {
        for algorithm in SignatureAlgorithm::ALL {
            let key = generate(algorithm);
            let jwk: CoreJsonWebKey = serde_json::from_value(key.public_jwk().clone()).expect("a JWK");
            let name: CoreJwsSigningAlgorithm = serde_json::from_value(json!(algorithm.name())).expect("known");
            let signature = key.sign(b"message").expect("signs");
            assert!(jwk.verify_signature(&name, b"message", &signature).is_ok(), "{algorithm:?}");
            assert!(jwk.verify_signature(&name, b"massage", &signature).is_err(), "{algorithm:?}");
            assert!(key.verifies(b"message", &signature) && !key.verifies(b"massage", &signature));
        }
    }

    #[test]
    fn a_key_survives_its_sealed_form_and_opens_only_as_itself() {
        let sealer = Sealer::parse(&Sealer::new_key(&crate::clock::Entropy::seeded(1))).expect("a key");
        let tenant = TenantId::from_bits(1);
        for algorithm in SignatureAlgorithm::ALL {
            let key = generate(algorithm);
            let stored = StoredSigningKey {
                id: key.id(),
                tenant,
                purpose: crate::domain::signing_key::KeyPurpose::Oidc,
                algorithm,
                stage: crate::domain::signing_key::KeyStage::Current,
                created_at: crate::domain::timestamp::Timestamp::from_seconds(0),
                private_key: key.sealed(tenant, &sealer).expect("encodes"),
                certificate: None,
            };
            let again = SigningKey::open(&stored, &sealer).expect("opens");
            assert_eq!(again.public_jwk(), key.public_jwk());
            assert!(key.verifies(b"m", &again.sign(b"m").expect("signs")));
            let moved = StoredSigningKey { tenant: TenantId::from_bits(2), ..stored.clone() };
            assert!(matches!(SigningKey::open(&moved, &sealer), Err(SigningKeyError::Sealed { .. })));
            let other = SignatureAlgorithm::ALL.into_iter().find(|a| *a != algorithm).expect("three");
            let confused = StoredSigningKey { algorithm: other, ..stored };
            assert!(matches!(SigningKey::open(&confused, &sealer), Err(SigningKeyError::NotAKey { .. })));
        }
    }

    /// JWKS-02, JWKS-03: nothing private, 2048 bits or more, no leading zero, 32-octet coordinates.
    #[test]
    fn a_published_key_has_exactly_the_public_members() {
        let members = |algorithm| {
            let key = generate(algorithm);
            key.public_jwk().as_object().expect("an object").keys().cloned().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(members(SignatureAlgorithm::Rs256), "alg e kid kty n use");
        assert_eq!(members(SignatureAlgorithm::Es256), "alg crv kid kty use x y");
        assert_eq!(members(SignatureAlgorithm::EdDsa), "alg crv kid kty use x");
        let rsa = generate(SignatureAlgorithm::Rs256);
        let n = URL_SAFE_NO_PAD.decode(rsa.public_jwk()["n"].as_str().expect("text")).expect("base64");
        assert!(n.len() == 256 && n[0] & 0x80 != 0);
        assert_eq!(rsa.public_jwk()["e"], "AQAB");
    }

    #[test]
    fn broken_der_is_refused_and_does_not_panic() {
        for der in [&[][..], &[0x30], &[0x30, 0x82, 1], &[0x30, 3, 2, 5, 1], &[0x30, 0x84, 0, 0, 0, 1], &[0x31, 0]] {
            assert_eq!(rsa_numbers(der), None, "{der:?}");
        }
    }
}
