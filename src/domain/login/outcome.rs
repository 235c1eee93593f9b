//! How a login ends. Every door translates this into its own vocabulary.

use crate::domain::policy::provisioning;

/// Why a login ended without access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The person pressed Cancel.
    Cancelled,
    /// Too many wrong codes: the login is closed, a new one begins from the application (AC-09).
    TooManyCodes,
    /// The password, address, status or tokens of the account changed meanwhile (T-11, INV-11).
    AccountChanged,
    /// An authenticator was enrolled by mail; that was all that was wanted (A9).
    Enrolled,
    /// The person was told why there is no access and went back to the application.
    Refused(Refusal),
}

impl Ending {
    /// The stable name in the database and the logs.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::TooManyCodes => "too_many_codes",
            Self::AccountChanged => "account_changed",
            Self::Enrolled => "enrolled",
            Self::Refused(refusal) => refusal.reason(),
        }
    }

    /// The ending with this name.
    #[must_use]
    pub fn named(reason: &str) -> Option<Self> {
        [Self::Cancelled, Self::TooManyCodes, Self::AccountChanged, Self::Enrolled]
            .into_iter()
            .chain(Refusal::all().map(Self::Refused))
            .find(|ending| ending.reason() == reason)
    }
}

/// Why a person does not get access. Each has a page with a way on (part D1, U8, U17 to U19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The policy denies it.
    Denied,
    /// The application is not assigned to this person.
    Unassigned,
    /// The account is disabled.
    Disabled,
    /// Too many failed attempts; waiting helps.
    Locked,
    /// Locked until an operator acts.
    LockedByOperator,
    /// All authenticators are suspended or locked.
    AuthenticatorsBlocked,
    /// An authenticator is needed and enrollment is not offered.
    NotOffered(provisioning::Refusal),
}

impl Refusal {
    /// Every refusal, for tables in tests and for reading names back.
    pub fn all() -> impl Iterator<Item = Self> {
        let ours = [
            Self::Denied,
            Self::Unassigned,
            Self::Disabled,
            Self::Locked,
            Self::LockedByOperator,
            Self::AuthenticatorsBlocked,
        ];
        ours.into_iter().chain(provisioning::Refusal::ALL.into_iter().map(Self::NotOffered))
    }

    /// The stable name in the database and the logs.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Unassigned => "unassigned",
            Self::Disabled => "disabled",
            Self::Locked => "locked",
            Self::LockedByOperator => "locked_by_operator",
            Self::AuthenticatorsBlocked => "authenticators_blocked",
            Self::NotOffered(refusal) => refusal.reason(),
        }
    }
}

/// Why an application is told nothing of a person who logged in and may use it: what it asked for is another thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unanswered {
    /// It asked for one person, and another one logged in.
    AnotherPerson,
    /// The person has no name of the kind that it gets.
    NoName,
    /// What was proven cannot be told in the words that it asked for.
    Context,
    /// The person does not want it.
    Declined,
}

impl Unanswered {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::AnotherPerson, Self::NoName, Self::Context, Self::Declined];

    /// The stable name in the logs.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::AnotherPerson => "another_person",
            Self::NoName => "no_name_identifier",
            Self::Context => "context_not_reached",
            Self::Declined => "declined",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn every_ending_is_read_back_by_its_name() {
        for ending in [Ending::Cancelled, Ending::TooManyCodes, Ending::AccountChanged, Ending::Enrolled] {
            assert_eq!(Ending::named(ending.reason()), Some(ending));
        }
        for refusal in Refusal::all() {
            assert_eq!(Ending::named(refusal.reason()), Some(Ending::Refused(refusal)));
        }
        assert_eq!(Ending::named("granted"), None);
    }
}
