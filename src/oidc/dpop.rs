//! Proof of possession (DPoP, RFC 9449): a token that is bound to a key is worth nothing to whoever steals it.
//!
//! Every proof carries a nonce of ours, so that none can be made in advance by somebody who has the key for a moment,
//! and every proof counts once.

use std::time::Duration;

use actix_web::HttpRequest;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use url::Url;

use crate::domain::ids::TenantId;
use crate::domain::timestamp::Timestamp;
use crate::flow::{House, federation};
use crate::http::{Call, Fault};
use crate::keys::jose::{Jws, NumericDate, present};

/// The request header with the proof.
pub(super) const PROOF: &str = "DPoP";
/// The response header with the nonce for the next proof.
pub(super) const NONCE: &str = "DPoP-Nonce";
/// How long a nonce is given out; it is taken twice as long.
const NONCE_SECONDS: i64 = 300;
/// How far a proof's time may be off. The nonce says how old it is; this only catches clocks that are wrong.
const LEEWAY: Duration = Duration::from_secs(300);
/// The longest proof that is looked at, in octets.
const LONGEST: usize = 8 * 1024;

/// Why a proof is not taken.
#[derive(Debug)]
pub(super) enum DpopError {
    /// It has no nonce of ours, or an old one; the answer brings the new one.
    Nonce,
    /// It is wrong.
    Proof(&'static str),
    /// We failed.
    Failed(Fault),
}

/// The key that a request proves to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProvenKey {
    /// Its thumbprint (RFC 7638).
    pub jkt: String,
}

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: NumericDate,
    #[serde(default, deserialize_with = "present")]
    nonce: Option<String>,
    #[serde(default, deserialize_with = "present")]
    ath: Option<String>,
}

/// The nonce that is given out now.
pub(super) fn nonce(house: &House, tenant: TenantId, now: Timestamp) -> String {
    nonce_of(house, tenant, now.seconds().div_euclid(NONCE_SECONDS))
}

/// Nothing of a nonce is stored: it is a keyed hash of the time it is for, the same at every instance.
fn nonce_of(house: &House, tenant: TenantId, period: i64) -> String {
    let hash = house.derived.once.of(&[b"dpop nonce", &tenant.to_bytes(), &period.to_be_bytes()]);
    URL_SAFE_NO_PAD.encode(hash.get(..16).unwrap_or_default())
}

/// The key whose possession a request proves; `None` if it has no proof at all. `token` is the access token that comes
/// with it, if one does.
pub(super) async fn proven(
    call: &Call,
    request: &HttpRequest,
    token: Option<&str>,
) -> Result<Option<ProvenKey>, DpopError> {
    let mut headers = request.headers().get_all(PROOF);
    let Some(proof) = headers.next() else { return Ok(None) };
    if headers.next().is_some() {
        return Err(DpopError::Proof("there is more than one DPoP header"));
    }
    let proof = proof.to_str().map_err(|_| DpopError::Proof("the DPoP header is not ASCII"))?;
    let jws = Jws::split(proof, LONGEST).map_err(|fault| DpopError::Proof(fault.0))?;
    if jws.typ().as_deref() != Some("dpop+jwt") {
        return Err(DpopError::Proof("the proof's typ is not dpop+jwt"));
    }
    let (key, claims): (_, Claims) = jws.self_signed().map_err(|fault| DpopError::Proof(fault.0))?;
    let ours = format!("{}{}", call.site.urls.public(), request.path());
    check(&claims, request.method().as_str(), &ours, token, call.visit.now).map_err(DpopError::Proof)?;
    let (house, tenant, now) = (&call.site.house, call.realm.tenant(), call.visit.now);
    let period = now.seconds().div_euclid(NONCE_SECONDS);
    let fresh = [period, period - 1].map(|period| nonce_of(house, tenant, period));
    if !claims.nonce.is_some_and(|nonce| fresh.contains(&nonce)) {
        return Err(DpopError::Nonce);
    }
    let jkt = key.thumbprint();
    // A nonce is taken for ten minutes, so the proof is remembered as long.
    let until = now.plus(Duration::from_secs(2 * 300));
    let fields: [&[u8]; 4] = [b"dpop", &tenant.to_bytes(), jkt.as_bytes(), claims.jti.as_bytes()];
    match federation::first_use(house, tenant, &fields, until).await {
        Ok(true) => Ok(Some(ProvenKey { jkt })),
        Ok(false) => Err(DpopError::Proof("the proof's jti was used before")),
        Err(error) => Err(DpopError::Failed(error.into())),
    }
}

fn check(
    claims: &Claims,
    method: &str,
    address: &str,
    token: Option<&str>,
    now: Timestamp,
) -> Result<(), &'static str> {
    if claims.htm != method {
        return Err("the proof's htm is not the method of the request");
    }
    // Compared after normalization, without query and fragment (RFC 9449, 4.3).
    let plain = |text: &str| {
        let mut url = Url::parse(text).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        Some(url)
    };
    if plain(&claims.htu).is_none_or(|htu| Some(htu) != plain(address)) {
        return Err("the proof's htu is not the address of the request");
    }
    let issued = Timestamp::from_seconds(claims.iat.seconds());
    if issued > now.plus(LEEWAY) || issued.plus(LEEWAY) < now {
        return Err("the proof's iat is too far from now");
    }
    if !(1..=255).contains(&claims.jti.len()) {
        return Err("the proof's jti must have 1 to 255 octets");
    }
    if let Some(token) = token {
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, token.as_bytes()));
        if claims.ath.as_deref() != Some(hash.as_str()) {
            return Err("the proof's ath is not the hash of the access token");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9449, 4.3.
    #[test]
    fn a_proof_is_for_one_request() {
        let now = Timestamp::from_seconds(1000);
        let address = "https://login.example/t/acme/oidc/token";
        let judged = |text: &str, token| {
            let claims: Claims = serde_json::from_str(text).expect("claims");
            check(&claims, "POST", address, token, now)
        };
        let good = r#"{"jti":"1","htm":"POST","htu":"https://login.example/t/acme/oidc/token","iat":1000}"#;
        assert_eq!(judged(good, None), Ok(()));
        for same in ["HTTPS://LOGIN.example:443/t/acme/oidc/token", "https://login.example/t/acme/oidc/token?x#y"] {
            assert_eq!(judged(&good.replace(address, same), None), Ok(()), "{same}");
        }
        assert!(judged(good, Some("token")).is_err(), "no ath");
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, b"token"));
        let with = good.replace("\"iat\"", &format!("\"ath\":\"{hash}\",\"iat\""));
        assert_eq!(judged(&with, Some("token")), Ok(()));
        assert!(judged(&with, Some("other")).is_err());
        for bad in [
            good.replace("POST", "GET"),
            good.replace("POST", "post"),
            good.replace("/t/acme", "/t/blue"),
            good.replace("https", "http"),
            good.replace("\"iat\":1000", "\"iat\":600"),
            good.replace("\"iat\":1000", "\"iat\":1400"),
            good.replace("\"jti\":\"1\"", "\"jti\":\"\""),
        ] {
            assert!(judged(&bad, None).is_err(), "{bad}");
        }
        for broken in [good.replace("1000", "\"1000\""), good.replace("\"1\"", "1"), "{}".to_owned()] {
            assert!(serde_json::from_str::<Claims>(&broken).is_err(), "{broken}");
        }
    }
}
