//! How the application wants the login to be, in one vocabulary for both protocols.
//!
//! OpenID Connect says `prompt`, `max_age`, `acr_values`, `login_hint`, `ui_locales`; SAML says
//! ForceAuthn, IsPassive, RequestedAuthnContext and Subject. The doors translate; the login knows
//! only these words.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::policy::access::Method;

/// What an application asks of a login.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wishes {
    /// No page may be shown: `prompt=none`, IsPassive.
    pub silent: bool,
    /// How recent the proofs must be.
    pub freshness: Freshness,
    /// Methods that must be proven beyond what the policy asks: an essential `acr`, a
    /// RequestedAuthnContext. Never fewer than the policy's.
    pub methods: Vec<Method>,
    /// What would do instead of these, most wanted first, for a person who cannot prove them: further contexts of a
    /// RequestedAuthnContext.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub otherwise: Vec<Vec<Method>>,
    /// The user name to fill in: `login_hint`, a SAML Subject.
    pub hint: Option<String>,
    /// Languages of ours that the application asks for, most wanted first: `ui_locales`.
    pub languages: Vec<String>,
    /// The person shall be able to pick another account: `prompt=select_account`.
    pub choose_account: bool,
}

impl Wishes {
    /// The sets of methods of which one must be proven, most wanted first.
    pub fn ways(&self) -> impl Iterator<Item = &[Method]> {
        std::iter::once(&self.methods).chain(&self.otherwise).map(Vec::as_slice)
    }
}

/// How recent proofs must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// As the policy says.
    #[default]
    Any,
    /// Not older than this many seconds: `max_age`.
    Within {
        /// Seconds; 0 means the same as [`Freshness::ThisLogin`].
        seconds: u64,
    },
    /// Given in this very login: `prompt=login`, ForceAuthn.
    ThisLogin,
}

impl Freshness {
    /// The longest age that a proof from an earlier login may have; `Some(0)` if none counts.
    #[must_use]
    pub fn longest_age(self) -> Option<Duration> {
        match self {
            Self::Any => None,
            Self::Within { seconds } => Some(Duration::from_secs(seconds)),
            Self::ThisLogin => Some(Duration::ZERO),
        }
    }
}
