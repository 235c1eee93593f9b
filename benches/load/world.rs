//! The virtual server that is driven: applications, policies, and people who are not used up.
//!
//! A passcode counts once (T-13), so nobody can log in twice within one time step. There are therefore many people,
//! handed out in turn; who comes round again within the same step waits for the next one, between operations. A
//! self-provisioning needs somebody without an authenticator, so those are handed out once in the whole run.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::Digest as _;
use vestibule::domain::oath::hotp;
use vestibule::domain::oath::uri::OtpAuth;

use crate::saml;

/// The tenant's code.
pub const TENANT: &str = "bench";
/// Everybody's password; one hash of it is made once and given to everybody, so that setting up is quick.
pub const PASSWORD: &str = "correct horse battery staple";
/// What proves that the browser that began a login ends it (RFC 7636).
pub const VERIFIER: &str = "a-verifier-that-is-long-enough-for-the-rules-of-rfc-7636";
/// Where the applications live; nothing listens there.
pub const CALLBACK: &str = "http://127.0.0.1:9000/callback";
/// The SAML service provider.
pub const ENTITY: &str = "https://wiki.example.com/sp";
/// One that gets the response signed as well.
pub const ENTITY_TWICE: &str = "https://twice.example.com/sp";
/// One that signs its requests.
pub const ENTITY_SIGNS: &str = "https://signs.example.com/sp";
/// The secret of everybody's authenticator.
const SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
/// Seconds of a time step.
const STEP: u64 = 30;

/// How many people there are of each kind.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub with_authenticator: usize,
    pub without: usize,
}

/// People, handed out.
#[derive(Debug)]
pub struct People {
    sizes: Sizes,
    /// The last time step that each person with an authenticator used.
    used: Mutex<Vec<u64>>,
    next: AtomicUsize,
    next_new: AtomicUsize,
}

impl People {
    pub fn new(sizes: Sizes) -> Self {
        Self {
            sizes,
            used: Mutex::new(vec![0; sizes.with_authenticator]),
            next: AtomicUsize::new(0),
            next_new: AtomicUsize::new(0),
        }
    }

    /// The next person with an authenticator, whatever step it was used in.
    pub fn anybody(&self) -> String {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.sizes.with_authenticator;
        format!("person{at:05}")
    }

    /// The next person whose passcode of this time step is fresh; waits for the next step where all are used.
    pub async fn with_fresh_step(&self) -> String {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.sizes.with_authenticator;
        loop {
            let now = step();
            let last = self.used.lock().unwrap_or_else(PoisonError::into_inner).get(at).copied().unwrap_or_default();
            if last < now {
                return format!("person{at:05}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The passcode of this moment; notes down that its step is used.
    pub fn passcode_of(&self, name: &str) -> Result<String> {
        let now = step();
        let at: usize = name.trim_start_matches("person").parse()?;
        if let Some(last) = self.used.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at) {
            *last = now;
        }
        passcode(SECRET, now)
    }

    /// Somebody who has no authenticator yet; `None` once everybody had a turn.
    pub fn newcomer(&self) -> Option<String> {
        let at = self.next_new.fetch_add(1, Ordering::Relaxed);
        (at < self.sizes.without).then(|| format!("new{at:05}"))
    }

    /// The apply file: the whole virtual server.
    pub fn apply_file(&self, password_hash: &str, certificate: &str) -> Result<String> {
        let mut file = SERVER.replace("CERTIFICATE", certificate);
        for at in 0..self.sizes.with_authenticator {
            let person = format!("person{at:05}");
            write!(
                file,
                "\n[[tenant.user]]\nusername = \"{person}\"\nemail = \"{person}@bench.test\"\nfirst_name = \"Person\"\n\
                 last_name = \"{at}\"\npassword_hash = \"{password_hash}\"\ngroups = [\"staff\"]\n\
                 [[tenant.user.token]]\ntype = \"oath_app\"\nsecret_base32 = \"{SECRET}\"\n"
            )?;
        }
        for at in 0..self.sizes.without {
            let person = format!("new{at:05}");
            write!(
                file,
                "\n[[tenant.user]]\nusername = \"{person}\"\nemail = \"{person}@bench.test\"\n\
                 password_hash = \"{password_hash}\"\ngroups = [\"staff\", \"rollout\"]\n"
            )?;
        }
        Ok(file)
    }
}

/// The TOTP code of the time step `step` for a secret in base32 (RFC 6238).
pub fn passcode(secret_base32: &str, step: u64) -> Result<String> {
    let read = OtpAuth::parse(&format!("otpauth://totp/x?secret={secret_base32}")).context("a secret")?;
    Ok(hotp::passcode(&read.secret, read.algorithm, 6, step))
}

/// The time step of this moment.
pub fn step() -> u64 {
    now_seconds() / STEP
}

#[expect(clippy::disallowed_methods, reason = "the server that is measured has the system's clock, so has the driver")]
fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// An authorization request of `client`, with PKCE.
pub fn authorize(client: &str) -> String {
    let challenge = URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(VERIFIER));
    format!(
        "/t/{TENANT}/oidc/authorize?client_id={client}&response_type=code&scope=openid%20email%20profile&state=xyz\
         &nonce=n-1&redirect_uri=http%3A%2F%2F127.0.0.1%3A9000%2Fcallback&code_challenge={challenge}\
         &code_challenge_method=S256"
    )
}

/// An authentication request of a service provider, by redirect.
pub fn saml_request(entity: &str, number: u64) -> Result<String> {
    Ok(format!("/t/{TENANT}/saml/sso?{}", saml::query(entity, number)?))
}

const SERVER: &str = r#"
[[tenant]]
code = "bench"
name = "Bench Corporation"
default_language = "en"
help_contact = "help@bench.test"

[[tenant.group]]
name = "staff"
[[tenant.group]]
name = "rollout"

[[tenant.application]]
name = "Notes"
assigned_to = "everyone"
[tenant.application.oidc]
client_id = "notes"
client_secret = "a secret of notes"
redirect_uris = ["http://127.0.0.1:9000/callback"]
id_token_signed_response_alg = "RS256"

[[tenant.application]]
name = "Notes with ES256"
assigned_to = "everyone"
[tenant.application.oidc]
client_id = "notes-es256"
client_secret = "a secret of notes"
redirect_uris = ["http://127.0.0.1:9000/callback"]
id_token_signed_response_alg = "ES256"

[[tenant.application]]
name = "Mobile"
assigned_to = "everyone"
[tenant.application.oidc]
client_id = "mobile"
client_secret = "a secret of notes"
redirect_uris = ["http://127.0.0.1:9000/callback"]
id_token_signed_response_alg = "RS256"
refresh_tokens = true

[[tenant.application]]
name = "Canteen"
assigned_to = "everyone"
[tenant.application.oidc]
client_id = "canteen"
client_secret = "a secret of notes"
redirect_uris = ["http://127.0.0.1:9000/callback"]
id_token_signed_response_alg = "RS256"

[[tenant.application]]
name = "Wiki"
assigned_to = "everyone"
[tenant.application.saml]
entity_id = "https://wiki.example.com/sp"
acs_urls = ["https://wiki.example.com/acs"]
name_id_format = "persistent"
attributes = [{ name = "mail", source = "email" }, { name = "uid", source = "username" }]

[[tenant.application]]
name = "Wiki, signed twice"
assigned_to = "everyone"
[tenant.application.saml]
entity_id = "https://twice.example.com/sp"
acs_urls = ["https://twice.example.com/acs"]
name_id_format = "persistent"
attributes = [{ name = "mail", source = "email" }, { name = "uid", source = "username" }]
signed = "both"

[[tenant.application]]
name = "Wiki, which signs"
assigned_to = "everyone"
[tenant.application.saml]
entity_id = "https://signs.example.com/sp"
acs_urls = ["https://signs.example.com/acs"]
name_id_format = "persistent"
attributes = [{ name = "mail", source = "email" }, { name = "uid", source = "username" }]
certificates = ["CERTIFICATE"]
require_signed_requests = true

[tenant.global_policy]
require = ["password", "otp"]

[[tenant.access_policy]]
name = "The canteen needs a password only"
applications = ["Canteen"]
require = ["password"]

[tenant.self_provisioning]
target_users = "members_of"
groups = ["rollout"]

[tenant.platforms.android]
allowed = true
[tenant.platforms.command_line]
allowed = true
[tenant.platforms.oath_app]
allowed = true
"#;
