//! Somebody who has a token enrolls another one, in a login in which the older one was proven (T-09): because an operator
//! asks for it, or because the person wants it in the portal.

use crate::domain::ids::TokenId;
use crate::domain::login::Login;
use crate::domain::login::origin::Origin;

/// Why another token is enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addition {
    /// The token that was used was enrolled with an older template than operators want to see.
    Renewal {
        /// The token, which ends when the new one begins.
        of: TokenId,
        /// Whether the person may do it another day.
        may_wait: bool,
    },
    /// The person wants another device instead of a token's.
    Replacement {
        /// The token, which ends when the new one begins.
        of: TokenId,
    },
    /// The person wants one more.
    Another,
}

impl Addition {
    /// The token that ends when the new one begins.
    #[must_use]
    pub const fn replaces(self) -> Option<TokenId> {
        match self {
            Self::Renewal { of, .. } | Self::Replacement { of } => Some(of),
            Self::Another => None,
        }
    }
}

/// What the portal wants of a login that it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Intent {
    /// To see the portal.
    #[default]
    None,
    /// To see the page of a token, with proofs that are fresh.
    Show(TokenId),
    /// To enroll one more token.
    Add,
    /// To enroll a token in the place of this one.
    Replace(TokenId),
}

impl Intent {
    /// As the login's request holds it.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Show(token) => format!("show {token}"),
            Self::Add => "add".to_owned(),
            Self::Replace(token) => format!("replace {token}"),
        }
    }

    /// The intent of a login; only the portal's have one.
    #[must_use]
    pub fn of(login: &Login) -> Self {
        if login.origin != Origin::Portal {
            return Self::None;
        }
        match login.request.split_once(' ') {
            None if login.request == "add" => Self::Add,
            Some(("show", token)) => token.parse().map(Self::Show).unwrap_or_default(),
            Some(("replace", token)) => token.parse().map(Self::Replace).unwrap_or_default(),
            _ => Self::None,
        }
    }
}
