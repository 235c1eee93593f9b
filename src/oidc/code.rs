//! Authorization codes: random, stored under their hash, with what the token endpoint needs.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::access_token;
use super::acr;
use super::request::{AuthorizationRequest, RequestedClaims};
use crate::domain::ids::{GrantId, TenantId};
use crate::domain::login::outcome::Unanswered;
use crate::domain::oidc_client::Scope;
use crate::domain::release::Authenticator;
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::timestamp::Timestamp;
use crate::flow::House;
use crate::flow::federation::{Proven, Receipt};
use crate::flow::house::text;
use crate::http::Call;

/// How long a code is good: the application fetches its tokens at once (RFC 6749 4.1.2 allows ten minutes).
pub const LIFETIME: Duration = Duration::from_secs(60);

/// What was granted with a code. What is not there is not written: a grant is a row that every login writes and every question
/// about its tokens reads, and a quarter of most would say that nothing was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Details {
    /// Must be repeated at the token endpoint.
    pub redirect_uri: String,
    /// The PKCE challenge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code_challenge: Option<String>,
    /// For the ID Token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Granted.
    pub scopes: BTreeSet<Scope>,
    /// For the ID Token.
    pub acr: String,
    /// Whether the password was proven.
    pub password: bool,
    /// Whether a passcode was proven.
    pub otp: bool,
    /// Whether a recovery code stood in for a passcode.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub recovery: bool,
    /// When the person was authenticated.
    pub auth_time: Timestamp,
    /// Claims asked for one by one.
    #[serde(default, skip_serializing_if = "RequestedClaims::is_empty")]
    pub claims: RequestedClaims,
    /// The APIs that access tokens may be for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// What they may open there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub more_scopes: BTreeSet<String>,
    /// The authenticator that gave the passcode: since when it is the person's, in seconds, and whether the person
    /// enrolled it alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticator: Option<(i64, bool)>,
    /// The key that must be proven with the code (RFC 9449, 10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dpop_jkt: Option<String>,
}

impl Details {
    /// The authenticator that gave the passcode, as applications are told of it at `now`.
    pub fn authenticator(&self, now: Timestamp) -> Option<Authenticator> {
        let (enrolled_at, by_mailbox) = self.authenticator?;
        Some(Authenticator { enrolled_at: Timestamp::from_seconds(enrolled_at), by_mailbox, now })
    }
}

/// A code that was drawn but not given out yet.
#[derive(Debug)]
pub(super) struct NewCode {
    id: GrantId,
    /// The code itself.
    pub code: SecretString,
}

impl NewCode {
    /// Draws a code of 256 random bits. In front of them stands the grant's identifier, which finds it.
    pub fn draw(call: &Call) -> Self {
        let house = &call.site.house;
        let id: GrantId = house.new_id(call.visit.now);
        let octets = [id.to_bytes().as_slice(), &house.entropy.bytes::<32>()].concat();
        Self { id, code: SecretString::from(URL_SAFE_NO_PAD.encode(octets)) }
    }

    /// What is stored when the code is given out; nothing, where what was proven is not what the request insists on.
    pub fn receipt(&self, call: &Call, request: &AuthorizationRequest, proven: &Proven) -> Receipt {
        if !request.is_satisfied_by(proven.password, proven.otp) {
            return Receipt::Refused(Unanswered::Context);
        }
        let details = Details {
            redirect_uri: request.return_to.redirect_uri().to_owned(),
            code_challenge: request.code_challenge.clone(),
            nonce: request.nonce.clone(),
            scopes: request.scopes.clone(),
            claims: request.claims.clone(),
            resources: request.resources.clone(),
            more_scopes: request.more_scopes.clone(),
            dpop_jkt: request.dpop_jkt.clone(),
            ..details_of(proven, &request.acr_values)
        };
        let expires_at = call.visit.now.plus(LIFETIME);
        Receipt::Code {
            id: self.id,
            hash: hash(&call.site.house, call.realm.tenant(), &self.code),
            details: serde_json::to_string(&details).unwrap_or_default(),
            expires_at,
            ends_at: expires_at.plus(access_token::LIFETIME),
        }
    }
}

/// What is granted by what was proven alone; `acr_values` are the wanted levels. The rest is the request's.
pub(super) fn details_of(proven: &Proven, acr_values: &[String]) -> Details {
    Details {
        redirect_uri: String::new(),
        code_challenge: None,
        nonce: None,
        scopes: BTreeSet::new(),
        acr: acr::claimed(acr_values, proven.password, proven.otp).to_owned(),
        password: proven.password,
        otp: proven.otp,
        recovery: proven.recovery,
        auth_time: proven.authenticated_at,
        authenticator: proven.authenticator.map(|it| (it.enrolled_at.seconds(), it.by_mailbox)),
        claims: RequestedClaims::default(),
        resources: Vec::new(),
        more_scopes: BTreeSet::new(),
        dpop_jkt: None,
    }
}

/// The grant that a code names; `None` for what is no code of ours. Whether it is the code of that grant, its hash tells.
pub(super) fn grant_of(code: &SecretString) -> Option<GrantId> {
    let octets = URL_SAFE_NO_PAD.decode(code.expose_secret()).ok()?;
    let (id, secret) = octets.split_first_chunk::<16>()?;
    (secret.len() == 32).then(|| GrantId::from_bits(u128::from_be_bytes(*id)))
}

/// The hash under which a code is stored and found (R-516 in spirit: no code can be read from a backup).
pub(super) fn hash(house: &House, tenant: TenantId, code: &SecretString) -> String {
    text(&house.derived.codes.of(&[b"oidc", &tenant.to_bytes(), code.expose_secret().as_bytes()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an older version of this program has stored is read, and is written shorter.
    #[test]
    fn what_is_not_there_is_not_written() {
        let long = r#"{"redirect_uri":"https://app.example/cb","code_challenge":null,"nonce":null,"scopes":["openid"],"acr":"a",
            "password":true,"otp":false,"recovery":false,"auth_time":1795810529387554,"claims":{"userinfo":[],"id_token":[]},
            "resources":[],"more_scopes":[],"authenticator":null,"dpop_jkt":null}"#;
        let short = r#"{"redirect_uri":"https://app.example/cb","scopes":["openid"],"acr":"a","password":true,"otp":false,"auth_time":1795810529387554}"#;
        for text in [long, short] {
            let details: Details = serde_json::from_str(text).expect("it reads");
            assert_eq!(serde_json::to_string(&details).expect("it writes"), short);
        }
        let full = r#"{"redirect_uri":"https://app.example/cb","code_challenge":"c","nonce":"n","scopes":["openid"],"acr":"a","password":true,"otp":true,"recovery":true,"auth_time":1795810529387554,"claims":{"userinfo":["email"],"id_token":[]},"resources":["https://api.example"],"more_scopes":["read"],"authenticator":[1795810525,true],"dpop_jkt":"k"}"#;
        let details: Details = serde_json::from_str(full).expect("it reads");
        assert_eq!(serde_json::to_string(&details).expect("it writes"), full);
    }
}
