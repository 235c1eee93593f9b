//! Keys and signatures of others: the JWKs that clients register or show, and the JWTs that they sign.
//!
//! Everything here is strict, because every member of a JOSE header is written by whoever sends it (T-51, RFC 8725):
//! a key has a type that fits one algorithm only, a key is found by its exact name in the set that is registered and
//! nowhere else, and a header that points to keys of its own is refused instead of ignored.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// The most keys of one set that are looked at.
const MOST_KEYS: usize = 32;

/// How others may sign for us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwsAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl JwsAlgorithm {
    /// All of them, in the order in which they are announced.
    pub const ALL: [Self; 4] = [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    /// The registered name (RFC 7518 3.1, RFC 8037 3.1).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// Why a key or a token of somebody else is not taken. The words are for the developer on the other side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JoseFault(pub &'static str);

/// A public key of somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    kid: Option<String>,
    algorithm: Option<JwsAlgorithm>,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256 { x: [u8; 32], y: [u8; 32] },
    Ed25519([u8; 32]),
}

impl ForeignKey {
    /// Reads a JWK (RFC 7517). Private and symmetric keys are refused: whoever shows them has lost them.
    ///
    /// # Errors
    /// [`JoseFault`] with what is wrong.
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, JoseFault> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|name| jwk.contains_key(*name)) {
            return Err(JoseFault("a key has private or symmetric parts; only public keys belong here"));
        }
        if jwk.get("use").is_some_and(|it| it != "sig") {
            return Err(JoseFault("a key is not for signatures"));
        }
        let octets = |name: &str| {
            let text = text(name).ok_or(JoseFault("a key lacks a member that its type needs"))?;
            URL_SAFE_NO_PAD.decode(text).map_err(|_| JoseFault("a key has a member that is not base64url"))
        };
        let wrong_length = |_| JoseFault("a key has a member of the wrong length");
        let material = match (text("kty"), text("crv")) {
            (Some("RSA"), _) => rsa(octets("n")?, octets("e")?)?,
            (Some("EC"), Some("P-256")) => Material::P256 {
                x: octets("x")?.try_into().map_err(wrong_length)?,
                y: octets("y")?.try_into().map_err(wrong_length)?,
            },
            (Some("OKP"), Some("Ed25519")) => Material::Ed25519(octets("x")?.try_into().map_err(wrong_length)?),
            _ => return Err(JoseFault("a key is not RSA, EC on P-256 or OKP on Ed25519")),
        };
        let algorithm = match jwk.get("alg") {
            None => None,
            Some(name) => {
                let known = name.as_str().and_then(JwsAlgorithm::of_name);
                Some(known.ok_or(JoseFault("a key is for an algorithm that is not taken here"))?)
            }
        };
        let key = Self { kid: text("kid").map(str::to_owned), algorithm, material };
        if algorithm.is_some_and(|algorithm| !key.fits(algorithm)) {
            return Err(JoseFault("a key is for an algorithm that does not fit its type"));
        }
        Ok(key)
    }

    /// Whether the key's type and its own `alg` admit this algorithm: never two families for one key.
    fn fits(&self, algorithm: JwsAlgorithm) -> bool {
        let by_type = match self.material {
            Material::Rsa { .. } => matches!(algorithm, JwsAlgorithm::Rs256 | JwsAlgorithm::Ps256),
            Material::P256 { .. } => algorithm == JwsAlgorithm::Es256,
            Material::Ed25519(_) => algorithm == JwsAlgorithm::EdDsa,
        };
        by_type && self.algorithm.is_none_or(|own| own == algorithm)
    }

    fn verifies(&self, algorithm: JwsAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        let verified = match &self.material {
            Material::Rsa { n, e } => {
                let parameters = match algorithm {
                    JwsAlgorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                    _ => &RSA_PKCS1_2048_8192_SHA256,
                };
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            Material::P256 { x, y } => {
                let point = [&[4][..], x, y].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Material::Ed25519(x) => UnparsedPublicKey::new(&ED25519, x).verify(message, signature),
        };
        verified.is_ok()
    }

    /// The thumbprint by SHA-256 (RFC 7638), by which a token is bound to the key (`jkt`).
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let b64 = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let canonical = match &self.material {
            Material::Rsa { n, e } => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, b64(e), b64(n)),
            Material::P256 { x, y } => {
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, b64(x), b64(y))
            }
            Material::Ed25519(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, b64(x)),
        };
        b64(digest(&SHA256, canonical.as_bytes()).as_ref())
    }
}

fn rsa(n: Vec<u8>, e: Vec<u8>) -> Result<Material, JoseFault> {
    let leading = n.first().copied().unwrap_or_default();
    let bits = (n.len() * 8).saturating_sub(leading.leading_zeros() as usize);
    if leading == 0 || !(2048..=8192).contains(&bits) {
        return Err(JoseFault("an RSA key has 2048 to 8192 bits, written without leading zeros"));
    }
    let odd = e.last().is_some_and(|last| last & 1 == 1);
    if !(1..=4).contains(&e.len()) || !odd || e == [1] || e.first() == Some(&0) {
        return Err(JoseFault("an RSA key has an exponent that is not a small odd number"));
    }
    Ok(Material::Rsa { n, e })
}

/// The public keys of somebody else (RFC 7517, 5).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet(Vec<ForeignKey>);

impl KeySet {
    /// Reads a set of which every key must be usable: for what an operator registers.
    ///
    /// # Errors
    /// [`JoseFault`] with what is wrong.
    pub fn parse(text: &str) -> Result<Self, JoseFault> {
        let keys = Self::members(text)?;
        let keys = keys.iter().map(ForeignKey::from_jwk).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(JoseFault("there is no key in the set")) } else { Ok(Self(keys)) }
    }

    /// Reads a set that others publish for many purposes: keys of other kinds are passed over (RFC 7517, 5).
    ///
    /// # Errors
    /// [`JoseFault`] if it is not a set at all.
    pub fn parse_published(text: &str) -> Result<Self, JoseFault> {
        let keys = Self::members(text)?;
        Ok(Self(keys.iter().filter_map(|key| ForeignKey::from_jwk(key).ok()).collect()))
    }

    fn members(text: &str) -> Result<Vec<Map<String, Value>>, JoseFault> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Map<String, Value>>,
        }
        let set: Set = serde_json::from_str(text).map_err(|_| JoseFault("it is not a JSON Web Key Set"))?;
        if set.keys.len() > MOST_KEYS {
            return Err(JoseFault("there are more than 32 keys in the set"));
        }
        Ok(set.keys)
    }

    /// The thumbprints of the keys (RFC 7638).
    #[must_use]
    pub fn thumbprints(&self) -> Vec<String> {
        self.0.iter().map(ForeignKey::thumbprint).collect()
    }

    /// Whether one of the keys is named so.
    #[must_use]
    pub fn has(&self, kid: &str) -> bool {
        self.0.iter().any(|key| key.kid.as_deref() == Some(kid))
    }
}

/// The header of a JWS as far as it is understood; the rest is ignored, unless it would change the meaning. A member that
/// is `null` is of the wrong type, not absent (T-51).
#[derive(Debug, Deserialize)]
struct Header {
    alg: String,
    #[serde(default, deserialize_with = "present")]
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    jwk: Option<Map<String, Value>>,
    #[serde(default, deserialize_with = "present")]
    jku: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    x5u: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    x5c: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    zip: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    b64: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    enc: Option<Value>,
}

/// A JWS in compact form (RFC 7515, 7.1), taken apart and not believed yet.
#[derive(Debug)]
pub struct Jws<'a> {
    header: Header,
    algorithm: JwsAlgorithm,
    message: &'a str,
    payload: String,
    signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes a token apart. `longest` is in octets.
    ///
    /// # Errors
    /// [`JoseFault`] if it is not a signed token by an algorithm that is taken here.
    pub fn split(text: &'a str, longest: usize) -> Result<Self, JoseFault> {
        if text.len() > longest {
            return Err(JoseFault("the token is too long"));
        }
        let form = JoseFault("the token is not a JWS in compact form");
        let (message, signature) = text.rsplit_once('.').ok_or(form.clone())?;
        let (header, payload) = message.split_once('.').ok_or(form.clone())?;
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| form.clone());
        // All of it is text, also what is ignored (RFC 8725, 3.7).
        let text = |part: &str| String::from_utf8(decoded(part)?).map_err(|_| JoseFault("the token is not UTF-8"));
        let header: Header = serde_json::from_str(&text(header)?)
            .map_err(|_| JoseFault("the token's header is not what RFC 7515 describes"))?;
        let algorithm = JwsAlgorithm::of_name(&header.alg)
            .ok_or(JoseFault("the token is not signed by RS256, PS256, ES256 or EdDSA"))?;
        if header.crit.is_some() || header.zip.is_some() || header.b64.is_some() || header.enc.is_some() {
            return Err(JoseFault("the token's header asks for an extension that is not supported"));
        }
        if header.jku.is_some() || header.x5u.is_some() || header.x5c.is_some() {
            return Err(JoseFault(
                "the token's header brings keys of its own (jku, x5u, x5c); only registered keys count",
            ));
        }
        Ok(Self { algorithm, message, payload: text(payload)?, signature: decoded(signature)?, header })
    }

    /// The type in the header, as compared: in lower case and without `application/`.
    #[must_use]
    pub fn typ(&self) -> Option<String> {
        let typ = self.header.typ.as_ref()?.to_ascii_lowercase();
        Some(typ.strip_prefix("application/").map(str::to_owned).unwrap_or(typ))
    }

    /// The name of the key that the header gives.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// The claims, if one of `keys` signed them: the one that the header names, or, without a name, any that fits.
    ///
    /// # Errors
    /// [`JoseFault`] if no key did, or the claims are not a `T`.
    pub fn claims<T: for<'de> Deserialize<'de>>(&self, keys: &KeySet) -> Result<T, JoseFault> {
        if self.header.jwk.is_some() {
            return Err(JoseFault("the token's header brings a key of its own (jwk); only registered keys count"));
        }
        let named = |key: &&ForeignKey| match (self.header.kid.as_deref(), key.kid.as_deref()) {
            (Some(wanted), Some(kid)) => wanted == kid,
            // A key without a name is asked in either case: sets of one key are often registered so.
            _ => true,
        };
        let signed = |key: &ForeignKey| key.verifies(self.algorithm, self.message.as_bytes(), &self.signature);
        if !keys.0.iter().filter(named).any(signed) {
            return Err(JoseFault("no registered key fits the token's kid, algorithm and signature"));
        }
        self.read()
    }

    /// The claims and the key, where the token shows its own key and proves to have it (DPoP, RFC 9449).
    ///
    /// # Errors
    /// [`JoseFault`] if there is no such key, it did not sign, or the claims are not a `T`.
    pub fn self_signed<T: for<'de> Deserialize<'de>>(&self) -> Result<(ForeignKey, T), JoseFault> {
        let jwk = self.header.jwk.as_ref().ok_or(JoseFault("the token's header has no jwk"))?;
        let key = ForeignKey::from_jwk(jwk)?;
        if !key.verifies(self.algorithm, self.message.as_bytes(), &self.signature) {
            return Err(JoseFault("the token was not signed with the key in its header"));
        }
        Ok((key, self.read()?))
    }

    fn read<T: for<'de> Deserialize<'de>>(&self) -> Result<T, JoseFault> {
        serde_json::from_str(&self.payload)
            .map_err(|_| JoseFault("a claim is missing, is there twice or has the wrong JSON type"))
    }
}

/// A time in seconds (RFC 7519, 2), which may have a fraction. Anything but a number is an error, never "absent".
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumericDate(f64);

impl NumericDate {
    /// In whole seconds.
    #[must_use]
    pub fn seconds(self) -> i64 {
        // The range was checked when it was read.
        #[expect(clippy::cast_possible_truncation, reason = "below 10^12")]
        let seconds = self.0 as i64;
        seconds
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(deserializer)?;
        if (0.0..1e12).contains(&number) { Ok(Self(number)) } else { Err(D::Error::custom("not a time")) }
    }
}

/// Reads a member that may be missing, but may not be `null` or of another type.
///
/// # Errors
/// What reading a `T` reports.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// The claim `aud`: one text or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Audience {
    /// Whether `wanted` is among them.
    #[must_use]
    pub fn has(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Many(many) => many.iter().any(|one| one == wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::SigningKeyId;
    use crate::domain::signing_key::SignatureAlgorithm;
    use crate::keys::signing::{RsaSize, SigningKey};
    use proptest::prelude::*;

    fn signer(algorithm: SignatureAlgorithm) -> SigningKey {
        SigningKey::generate(SigningKeyId::from_bits(1), algorithm, RsaSize::Bits2048).expect("generates")
    }

    fn set(keys: &[&SigningKey]) -> String {
        serde_json::json!({ "keys": keys.iter().map(|key| key.public_jwk()).collect::<Vec<_>>() }).to_string()
    }

    fn signed(key: &SigningKey, header: &Value, payload: &str) -> String {
        let message =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(payload.as_bytes()));
        let signature = key.sign(message.as_bytes()).expect("signs");
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// T-51, AC-49, V9: headers and keys that try to be something else.
    #[test]
    fn only_a_registered_key_with_its_own_algorithm_counts() {
        for algorithm in SignatureAlgorithm::ALL {
            let key = signer(algorithm);
            let keys = KeySet::parse(&set(&[&key])).expect("a set");
            let (kid, name) = (key.id().to_string(), algorithm.name());
            let claims = |token: &str| Jws::split(token, 4096).and_then(|jws| jws.claims::<Value>(&keys));
            let good = serde_json::json!({ "alg": name, "kid": kid, "typ": "JWT", "x5t": "ignored" });
            assert!(claims(&signed(&key, &good, "{}")).is_ok(), "{name}");
            assert!(claims(&signed(&key, &serde_json::json!({ "alg": name }), "{}")).is_ok(), "without a kid");
            for bad in [
                serde_json::json!({ "alg": "none", "kid": kid }),
                serde_json::json!({ "alg": "HS256", "kid": kid }),
                serde_json::json!({ "alg": "RS384", "kid": kid }),
                serde_json::json!({ "alg": [name], "kid": kid }),
                serde_json::json!({ "alg": name.to_lowercase(), "kid": kid }),
                serde_json::json!({ "kid": kid }),
                serde_json::json!({ "alg": name, "kid": "../../etc/passwd" }),
                serde_json::json!({ "alg": name, "kid": "' OR 1=1" }),
                serde_json::json!({ "alg": name, "kid": format!("{kid}\0") }),
                serde_json::json!({ "alg": name, "kid": 1 }),
                serde_json::json!({ "alg": name, "kid": kid, "jku": "https://evil.example/jwks" }),
                serde_json::json!({ "alg": name, "kid": kid, "x5u": "https://evil.example/x" }),
                serde_json::json!({ "alg": name, "kid": kid, "x5c": [] }),
                serde_json::json!({ "alg": name, "kid": kid, "jwk": key.public_jwk() }),
                serde_json::json!({ "alg": name, "kid": kid, "crit": ["exp"] }),
                serde_json::json!({ "alg": name, "kid": kid, "b64": false }),
                serde_json::json!({ "alg": name, "kid": kid, "zip": "DEF" }),
                serde_json::json!({ "alg": name, "kid": null }),
                serde_json::json!({ "alg": name, "kid": kid, "jku": null }),
                serde_json::json!({ "alg": name, "kid": kid, "crit": null }),
            ] {
                assert!(claims(&signed(&key, &bad, "{}")).is_err(), "{bad}");
            }
            let other = signer(algorithm);
            assert!(claims(&signed(&other, &good, "{}")).is_err(), "another key under the same name");
            let token = signed(&key, &good, "{}");
            for bad in [format!("{token}="), format!("{token}A"), token.replace('.', ""), format!(".{token}")] {
                assert!(claims(&bad).is_err(), "{bad}");
            }
            assert!(Jws::split(&token, 10).is_err());
            // What is ignored is text as well: found by fuzzing.
            let octets = |header: &[u8], payload: &[u8]| {
                let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
                let signature = key.sign(message.as_bytes()).expect("signs");
                claims(&format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
            };
            let header = format!("{{\"alg\":\"{name}\",\"x\":\"?\"}}");
            let broken = |text: &str| text.bytes().map(|b| if b == b'?' { 0xf0 } else { b }).collect::<Vec<_>>();
            assert!(octets(header.as_bytes(), b"{\"x\":\"?\"}").is_ok());
            assert!(
                octets(&broken(&header), b"{}").is_err()
                    && octets(header.as_bytes(), &broken("{\"x\":\"?\"}")).is_err()
            );
        }
    }

    /// HMAC by the public key: the oldest trick (T-51).
    #[test]
    fn a_mac_keyed_by_the_public_key_is_no_signature() {
        let key = signer(SignatureAlgorithm::Rs256);
        let keys = KeySet::parse(&set(&[&key])).expect("a set");
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
        let message = format!("{header}.{}", URL_SAFE_NO_PAD.encode("{}"));
        let mac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, set(&[&key]).as_bytes());
        let tag = aws_lc_rs::hmac::sign(&mac, message.as_bytes());
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
        assert!(Jws::split(&token, 4096).and_then(|jws| jws.claims::<Value>(&keys)).is_err());
    }

    #[test]
    fn keys_that_are_weak_private_or_of_another_kind_are_refused() {
        let key = signer(SignatureAlgorithm::Es256);
        let good = key.public_jwk().as_object().expect("an object").clone();
        let with = |name: &str, value: Value| {
            let mut jwk = good.clone();
            jwk.insert(name.to_owned(), value);
            ForeignKey::from_jwk(&jwk)
        };
        assert!(ForeignKey::from_jwk(&good).is_ok());
        for (name, value) in [
            ("d", "AAAA".into()),
            ("k", "AAAA".into()),
            ("kty", "oct".into()),
            ("kty", Value::Null),
            ("crv", "P-521".into()),
            ("alg", "RS256".into()),
            ("alg", "none".into()),
            ("use", "enc".into()),
            ("x", "AAAA".into()),
            ("y", 1.into()),
        ] {
            assert!(with(name, value.clone()).is_err(), "{name} {value}");
        }
        for (n, e) in [(vec![0xff; 128], vec![1, 0, 1]), (vec![0xff; 256], vec![1]), (vec![0xff; 256], vec![2])] {
            assert!(rsa(n, e).is_err());
        }
        assert!(KeySet::parse("{\"keys\":[]}").is_err() && KeySet::parse("[]").is_err());
        let mixed = format!("{{\"keys\":[{{\"kty\":\"oct\",\"k\":\"AA\"}},{}]}}", key.public_jwk());
        assert!(KeySet::parse(&mixed).is_err());
        assert!(KeySet::parse_published(&mixed).expect("a set").has(&key.id().to_string()));
    }

    /// RFC 8037, appendix A.3; RFC 7638, 3.1.
    #[test]
    fn thumbprints_are_those_of_the_standards() {
        let jwk = |text: &str| {
            let value: Map<String, Value> = serde_json::from_str(text).expect("JSON");
            ForeignKey::from_jwk(&value).expect("a key").thumbprint()
        };
        let ed = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        assert_eq!(jwk(ed), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let rsa = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"}"#;
        assert_eq!(jwk(rsa), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }

    #[test]
    fn times_are_numbers_and_nothing_else() {
        #[derive(Debug, Deserialize)]
        struct Claims {
            exp: NumericDate,
            #[serde(default, deserialize_with = "present")]
            nbf: Option<NumericDate>,
        }
        let read = |text: &str| serde_json::from_str::<Claims>(text);
        assert_eq!(read(r#"{"exp":17.9}"#).expect("a time").exp.seconds(), 17);
        assert!(read(r#"{"exp":1,"nbf":2}"#).expect("times").nbf.is_some());
        for bad in [
            r#"{"exp":"17"}"#,
            r#"{"exp":null}"#,
            r#"{"exp":-1}"#,
            r#"{"exp":1e300}"#,
            r#"{"exp":[1]}"#,
            r#"{"exp":true}"#,
            r#"{"exp":1,"exp":2}"#,
            r#"{"exp":1,"nbf":null}"#,
            r#"{"exp":1,"nbf":"2"}"#,
            "{}",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        /// Fuzz target 6 of security.md 2.2 in small: no octets panic, and nothing unsigned is believed.
        #[test]
        fn nothing_made_up_is_believed(text in "[A-Za-z0-9_.{}\":-]{0,200}", octets in proptest::collection::vec(any::<u8>(), 0..60)) {
            let keys = KeySet::parse_published(r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#).expect("a set");
            prop_assert!(Jws::split(&text, 4096).and_then(|jws| jws.claims::<Value>(&keys)).is_err());
            let _ = KeySet::parse(&String::from_utf8_lossy(&octets));
            let made = format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA"}"#), URL_SAFE_NO_PAD.encode(&octets));
            prop_assert!(Jws::split(&made, 4096).and_then(|jws| jws.claims::<Value>(&keys)).is_err());
        }
    }
}
