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
        // Several resources are written as a list; nothing else is one (RFC 8707, 2.1).
        match value {
            Value::Array(list) if name == "resource" => {
                pairs.extend(list.iter().filter_map(Value::as_str).map(|one| (name.clone(), one.to_owned())));
            }
            Value::String(text) => pairs.push((name, text)),
            Value::Number(number) => pairs.push((name, number.to_string())),
            Value::Object(object) => pairs.push((name, Value::Object(object).to_string())),
            Value::Null | Value::Bool(_) | Value::Array(_) => {
                return Err("a parameter in it is neither a text nor a number nor an object");
            }
        }
    }
    Ok(Parameters::of(pairs))
}
