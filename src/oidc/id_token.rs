//! ID Tokens: written for a client, and read back as a hint.
//!
//! A JWT is written directly here, not by the types of the `openidconnect` crate: it is one JSON
//! object, a ready header and a signature. The crate's types would add seven type parameters and a copy
//! of the key for each token, and say nothing more. Its verifier is what the tests check ours against.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::ids::SigningKeyId;
use crate::domain::release::Authenticator;
use crate::domain::signing_key::SignatureAlgorithm;
use crate::domain::timestamp::Timestamp;
use crate::keys::ring::KeyRing;
use crate::keys::signing::{SigningKey, SigningKeyError};

/// How long an ID Token is good. It is read once, at the end of a login.
pub const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// The longest hint that is looked at, in octets.
const LONGEST_HINT: usize = 8 * 1024;

/// The story of the authenticator, a claim of our own: an application can be careful with a login right after an
/// enrollment, which proves a password and a mailbox and no more (R-143).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct AuthenticatorClaim {
    /// Since when it is the person's, in seconds.
    pub enrolled_at: i64,
    /// How long that was when the token was made, in seconds.
    pub age: u64,
    /// `mailbox`: the person enrolled it alone; `operator`: it was brought along from another system.
    pub bound_by: &'static str,
}

impl From<Authenticator> for AuthenticatorClaim {
    fn from(it: Authenticator) -> Self {
        Self { enrolled_at: it.enrolled_at.seconds(), age: it.age_seconds(), bound_by: it.bound_by() }
    }
}

/// The claims of an ID Token (OIDC Core 2, R-506). Members that are `None` are left out.
#[derive(Debug, Clone, Serialize)]
pub struct IdTokenClaims<'a> {
    /// The issuer, exactly as in the discovery document.
    pub iss: &'a str,
    /// The person, as this client knows them.
    pub sub: &'a str,
    /// The client; always exactly one, so there is no `azp`.
    pub aud: &'a str,
    /// When the token ends, in seconds.
    pub exp: i64,
    /// When it was made, in seconds.
    pub iat: i64,
    /// When the person was last authenticated, in seconds: never later than the oldest proof.
    pub auth_time: i64,
    /// As in the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    /// The level that was reached.
    pub acr: &'a str,
    /// What was done.
    pub amr: &'a [&'static str],
    /// The authenticator that gave the passcode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticator: Option<AuthenticatorClaim>,
    /// The session, by which a logout will name it.
    pub sid: &'a str,
    /// Binds the access token to this token.
    pub at_hash: String,
    /// Claims asked for by name.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

impl IdTokenClaims<'_> {
    /// The signed token.
    ///
    /// # Errors
    /// If the cryptographic library fails.
    pub fn sign(&self, key: &SigningKey) -> Result<String, SigningKeyError> {
        let claims = serde_json::to_vec(self).map_err(|_| SigningKeyError::Library("write claims"))?;
        key.sign_jwt(&claims)
    }
}

/// The left half of the hash of an access token (OIDC Core 3.1.3.6): SHA-256, or SHA-512 for Ed25519,
/// whose own hash it is.
#[must_use]
pub fn at_hash(access_token: &str, algorithm: SignatureAlgorithm) -> String {
    let hash = match algorithm {
        SignatureAlgorithm::Rs256 | SignatureAlgorithm::Es256 => &aws_lc_rs::digest::SHA256,
        SignatureAlgorithm::EdDsa => &aws_lc_rs::digest::SHA512,
    };
    let digest = aws_lc_rs::digest::digest(hash, access_token.as_bytes());
    let half = digest.as_ref().len() / 2;
    URL_SAFE_NO_PAD.encode(digest.as_ref().get(..half).unwrap_or_default())
}

/// What an ID Token that comes back as a hint says. It proves nothing about who sends it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Hint {
    /// The issuer: us, this tenant.
    iss: String,
    /// The person.
    pub sub: String,
    /// The client that it was made for.
    pub aud: String,
    /// The session.
    pub sid: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// Reads a hint: a token that this tenant signed with a key that is still published. It may have
/// expired (OIDC Core 3.1.2.1; RP-Initiated Logout 2). `None` for everything else (T-51): the header is
/// exactly the one we write, the algorithm is the key's, the key is found by its name in our ring only.
#[must_use]
pub fn read_hint(jwt: &str, issuer: &str, ring: &KeyRing, now: Timestamp) -> Option<Hint> {
    let hint: Hint = serde_json::from_slice(&verified(jwt, "JWT", ring, now)?).ok()?;
    (hint.iss == issuer).then_some(hint)
}

/// The claims of a token of this type that is signed with a key of `ring` that is still published.
#[must_use]
pub(super) fn verified(jwt: &str, typ: &str, ring: &KeyRing, now: Timestamp) -> Option<Vec<u8>> {
    if jwt.len() > LONGEST_HINT {
        return None;
    }
    let (message, signature) = jwt.rsplit_once('.')?;
    let (header, payload) = message.split_once('.')?;
    let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
    let key = ring.published(header.kid.parse::<SigningKeyId>().ok()?, now)?;
    if header.alg != key.algorithm().name() || header.typ != typ {
        return None;
    }
    if !key.verifies(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?) {
        return None;
    }
    URL_SAFE_NO_PAD.decode(payload).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::signing_key::KeyStage;
    use crate::keys::signing::RsaSize;
    use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
    use openidconnect::{AccessToken, AccessTokenHash, ClientId, IssuerUrl, Nonce};
    use std::sync::Arc;

    const ISSUER: &str = "https://login.example/t/acme";
    const NOW: Timestamp = Timestamp::from_seconds(1_795_508_100);

    fn ring(algorithm: SignatureAlgorithm, id: u128) -> KeyRing {
        let key = SigningKey::generate(SigningKeyId::from_bits(id), algorithm, RsaSize::Bits2048).expect("generates");
        KeyRing::of(vec![(KeyStage::Current, Arc::new(key))])
    }

    fn token(ring: &KeyRing, algorithm: SignatureAlgorithm) -> String {
        let claims = IdTokenClaims {
            iss: ISSUER,
            sub: "subject",
            aud: "notes",
            exp: NOW.plus(LIFETIME).seconds(),
            iat: NOW.seconds(),
            auth_time: NOW.seconds() - 5,
            nonce: Some("n"),
            acr: crate::oidc::acr::MULTI_FACTOR,
            amr: &["pwd", "otp", "mfa"],
            authenticator: None,
            sid: "session",
            at_hash: at_hash("vat_x", algorithm),
            others: Map::from_iter([("groups".to_owned(), Value::from(vec!["pilot"]))]),
        };
        claims.sign(ring.signing(algorithm).expect("a key")).expect("signs")
    }

    /// R-506, IDT-01, IDT-03: a relying party's library accepts the token, its nonce and its hash.
    #[test]
    fn another_library_verifies_our_tokens_in_every_algorithm() {
        for (algorithm, name) in [
            (SignatureAlgorithm::Rs256, CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256),
            (SignatureAlgorithm::Es256, CoreJwsSigningAlgorithm::EcdsaP256Sha256),
            (SignatureAlgorithm::EdDsa, CoreJwsSigningAlgorithm::EdDsa),
        ] {
            let ring = ring(algorithm, 1);
            let text = token(&ring, algorithm);
            let keys: CoreJsonWebKeySet = serde_json::from_slice(ring.jwks()).expect("a key set");
            let issuer = IssuerUrl::new(ISSUER.to_owned()).expect("a URL");
            let verifier = CoreIdTokenVerifier::new_public_client(ClientId::new("notes".to_owned()), issuer, keys)
                .set_allowed_algs([name])
                .set_time_fn(|| {
                    std::time::UNIX_EPOCH
                        .checked_add(Duration::from_secs(1_795_508_101))
                        .map(Into::into)
                        .expect("a time")
                });
            let parsed: CoreIdToken = serde_json::from_value(Value::String(text)).expect("a token");
            let claims = parsed.claims(&verifier, &Nonce::new("n".to_owned())).expect("verifies");
            assert_eq!(claims.subject().as_str(), "subject");
            let alg = parsed.signing_alg().expect("an algorithm");
            let key = parsed.signing_key(&verifier).expect("a key");
            let hash = AccessTokenHash::from_token(&AccessToken::new("vat_x".to_owned()), alg, key).expect("hashes");
            assert_eq!(claims.access_token_hash(), Some(&hash), "{algorithm:?}");
        }
    }

    #[test]
    fn our_own_token_is_a_hint_and_nothing_else_is_t_51_logo_05() {
        let algorithm = SignatureAlgorithm::Es256;
        let (ours, foreign) = (ring(algorithm, 1), ring(algorithm, 1));
        let good = token(&ours, algorithm);
        let hint = read_hint(&good, ISSUER, &ours, NOW).expect("a hint");
        assert_eq!((hint.sub.as_str(), hint.aud.as_str(), hint.sid.as_str()), ("subject", "notes", "session"));
        assert_eq!(read_hint(&good, "https://login.example/t/blue", &ours, NOW), None, "T-56");
        assert_eq!(read_hint(&good, ISSUER, &foreign, NOW), None, "another key under the same name");
        let payload = good.split('.').nth(1).expect("three parts").to_owned();
        let kid = SigningKeyId::from_bits(1).to_string();
        for header in [
            r#"{"alg":"none"}"#.to_owned(),
            format!(r#"{{"alg":"none","kid":"{kid}","typ":"JWT"}}"#),
            format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"JWT"}}"#),
            format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"JWT","jku":"https://evil.example"}}"#),
            r#"{"alg":"ES256","kid":"../../etc/passwd","typ":"JWT"}"#.to_owned(),
            format!(r#"{{"alg":["ES256"],"kid":"{kid}","typ":"JWT"}}"#),
        ] {
            let header = URL_SAFE_NO_PAD.encode(&header);
            for signature in ["", "AAAA", good.rsplit('.').next().expect("a signature")] {
                assert_eq!(read_hint(&format!("{header}.{payload}.{signature}"), ISSUER, &ours, NOW), None, "{header}");
            }
        }
        for garbage in ["", ".", "..", "a.b.c", "garbage", &format!("{good}."), &format!("{good}A"), &"a".repeat(9000)]
        {
            assert_eq!(read_hint(garbage, ISSUER, &ours, NOW), None, "{garbage}");
        }
    }

    #[test]
    fn a_key_that_is_no_longer_published_is_no_longer_believed() {
        let algorithm = SignatureAlgorithm::Es256;
        let key = SigningKey::generate(SigningKeyId::from_bits(1), algorithm, RsaSize::Bits2048).expect("generates");
        let key = Arc::new(key);
        let jwt = token(&KeyRing::of(vec![(KeyStage::Current, key.clone())]), algorithm);
        let old = KeyRing::of(vec![(KeyStage::Old { published_until: NOW }, key)]);
        assert!(read_hint(&jwt, ISSUER, &old, NOW.minus(Duration::from_secs(1))).is_some());
        assert!(read_hint(&jwt, ISSUER, &old, NOW).is_none());
    }
}
