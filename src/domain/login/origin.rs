//! The doors that begin a login.

use std::fmt;
use std::str::FromStr;

/// The door that asked for a login, and that answers at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// An OpenID Connect relying party.
    Oidc,
    /// A SAML service provider.
    Saml,
    /// The user portal.
    Portal,
    /// The operator console.
    Operator,
    /// A link in a self-enrollment mail. Nobody logs in: it ends with an authenticator and without a session (A9).
    Mail,
}

impl Origin {
    /// The name in the database and in the resume address.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::Saml => "saml",
            Self::Portal => "portal",
            Self::Operator => "operator",
            Self::Mail => "mail",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// A text that names no door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not an origin of logins")]
pub struct NotAnOrigin;

impl FromStr for Origin {
    type Err = NotAnOrigin;
    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        [Self::Oidc, Self::Saml, Self::Portal, Self::Operator, Self::Mail]
            .into_iter()
            .find(|origin| origin.id() == text)
            .ok_or(NotAnOrigin)
    }
}
