//! How a person stands with authenticators, in one word: by the best that one of them can do.

use std::fmt;
use std::str::FromStr;

use super::lifecycle::State;

/// From worst to best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// There is none, or every one is revoked.
    None,
    /// One is reserved.
    Assigned,
    /// None works; one is suspended.
    Suspended,
    /// None works; one is locked.
    Locked,
    /// One works.
    Active,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 5] = [Self::None, Self::Assigned, Self::Suspended, Self::Locked, Self::Active];

    /// The name in the database, in addresses and in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Assigned => "assigned",
            Self::Suspended => "suspended",
            Self::Locked => "locked",
            Self::Active => "active",
        }
    }

    /// The standing of whoever has authenticators in these states.
    #[must_use]
    pub fn of(states: impl IntoIterator<Item = State>) -> Self {
        let one = |state| match state {
            State::Active => Self::Active,
            State::Locked => Self::Locked,
            State::Suspended => Self::Suspended,
            State::Assigned => Self::Assigned,
            State::Inventory | State::Revoked => Self::None,
        };
        states.into_iter().map(one).max().unwrap_or(Self::None)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// A text that names no standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be none, assigned, suspended, locked or active")]
pub struct Unknown;

impl FromStr for Standing {
    type Err = Unknown;
    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|standing| standing.id() == text).ok_or(Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn the_best_authenticator_counts() {
        assert_eq!(Standing::of([]), Standing::None);
        assert_eq!(Standing::of([State::Revoked]), Standing::None);
        assert_eq!(Standing::of([State::Revoked, State::Assigned]), Standing::Assigned);
        assert_eq!(Standing::of([State::Suspended, State::Locked]), Standing::Locked);
        assert_eq!(Standing::of([State::Locked, State::Active, State::Suspended]), Standing::Active);
        for standing in Standing::ALL {
            assert_eq!(standing.id().parse(), Ok(standing));
        }
    }
}
