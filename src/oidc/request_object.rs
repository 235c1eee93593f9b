//! Signed request objects, by value (RFC 9101, OpenID Connect Core 6.1): an authorization request that nobody on the way
//! can change, and that only its application can have made. Nothing is fetched from an address in a request (T-52).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::parameters::Parameters;
use crate::domain::timestamp::Timestamp;
use crate::keys::jose::{Audience, Jws, KeySet, NumericDate, present};

/// How much clocks may differ.
const LEEWAY: Duration = Duration::from_secs(60);
/// The longest object that is looked at, in octets.
const LONGEST: usize = 24 * 1024;

/// The parameters that are read, besides `client_id`.
const KNOWN: [&str; 18] = [
    "acr_values",
    "claims",
    "code_challenge",
    "code_challenge_method",
    "dpop_jkt",
    "id_token_hint",
    "login_hint",
    "max_age",
    "nonce",
    "prompt",
    "redirect_uri",
    "registration",
    "resource",
    "response_mode",
    "response_type",
    "scope",
    "state",
    "ui_locales",
];

/// What of the object is about itself.
#[derive(Deserialize)]
struct Claims {
    #[serde(default, deserialize_with = "present")]
    iss: Option<String>,
    #[serde(default, deserialize_with = "present")]
    sub: Option<String>,
    #[serde(default, deserialize_with = "present")]
    aud: Option<Audience>,
    #[serde(default, deserialize_with = "present")]
    exp: Option<NumericDate>,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<NumericDate>,
    #[serde(default, deserialize_with = "present")]
    iat: Option<NumericDate>,
    client_id: String,
    #[serde(flatten)]
    others: Others,
}

/// The parameters of the request. A name that comes twice could be read in two ways, so it is an error (RFC 8725, 2.4).
struct Others(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for Others {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Others;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Others, A::Error> {
                let mut others = BTreeMap::new();
                while let Some((name, value)) = members.next_entry::<String, Value>()? {
                    if others.insert(name, value).is_some() {
                        return Err(A::Error::custom("a parameter is there twice"));
                    }
                }
                Ok(Others(others))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// The parameters in a request object of `client_id`. What stands beside the object counts for nothing (RFC 9101, 6.3).
///
/// # Errors
/// What is wrong, for the developer.
pub fn unpack(
    object: &str,
    client_id: &str,
    keys: &KeySet,
    issuer: &str,
    now: Timestamp,
) -> Result<Parameters, &'static str> {
    let jws = Jws::split(object, LONGEST).map_err(|fault| fault.0)?;
    if !matches!(jws.typ().as_deref(), None | Some("jwt" | "oauth-authz-req+jwt")) {
        return Err("its typ is that of another kind of token");
    }
    let claims: Claims = jws.claims(keys).map_err(|fault| fault.0)?;
    if claims.client_id != client_id || claims.iss.as_deref() != Some(client_id) {
        return Err("its iss and client_id must both be the client_id of the request");
    }
    // An assertion of the client has its own name as the subject; it must not pass as a request (RFC 9101, 10.8).
    if claims.sub.is_some_and(|sub| sub == client_id) {
        return Err("its sub must not be the client_id");
    }
    if !claims.aud.is_some_and(|audience| audience.has(issuer)) {
        return Err("its aud must be the issuer");
    }
    let at = |time: NumericDate| Timestamp::from_seconds(time.seconds());
    if claims.exp.is_some_and(|exp| at(exp).plus(LEEWAY) <= now) {
        return Err("it has expired");
    }
    if [claims.nbf, claims.iat].into_iter().flatten().any(|time| at(time) > now.plus(LEEWAY)) {
        return Err("it is from the future");
    }
    if claims.others.0.contains_key("request") || claims.others.0.contains_key("request_uri") {
        return Err("it must not contain another request");
    }
    let mut pairs = vec![("client_id".to_owned(), claims.client_id)];
    for (name, value) in claims.others.0 {
        let texts = texts(&name, value)?;
        pairs.extend(texts.into_iter().map(|text| (name.clone(), text)));
    }
    Ok(Parameters::of(pairs))
}

/// The values of a parameter as a form would have them. A text is a JSON string (RFC 9101, 4), and nothing else passes as one.
fn texts(name: &str, value: Value) -> Result<Vec<String>, &'static str> {
    let text = |value: Value| match value {
        Value::String(text) => Ok(text),
        _ => Err("a parameter in it has the wrong JSON type"),
    };
    match (name, value) {
        // Several resources are written as a list; nothing else is one (RFC 8707, 2.1).
        ("resource", Value::Array(list)) => list.into_iter().map(text).collect(),
        ("max_age", Value::Number(number)) => Ok(vec![number.to_string()]),
        ("claims" | "registration", Value::Object(object)) => Ok(vec![Value::Object(object).to_string()]),
        (known, value) if KNOWN.contains(&known) => text(value).map(|text| vec![text]),
        // What nobody reads is ignored, whatever it is (RFC 6749, 3.1).
        _ => Ok(Vec::new()),
    }
}
