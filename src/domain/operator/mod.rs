//! Operators: who administers a virtual server, and what each may do (A1).
//!
//! A role is a set of [`Permission`]s; three are built in and cannot be changed. Nobody gives more than they have (T-57), and
//! the last operator with every permission stays (AC-51): that is decided here and checked where it is stored.

mod permission;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use permission::{Deed, Module, Part, Permission, Permissions};

use crate::domain::ids::{RoleId, UserId};
use crate::domain::timestamp::Timestamp;

/// How long ago the passcode may be for deeds that want a fresh one, in seconds.
pub const FRESH_SECONDS: u64 = 300;

/// A set of permissions with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Role {
    /// Everything.
    Operator,
    /// Looks people up, unlocks, sends enrollment mails again, suspends and revokes authenticators.
    HelpDesk,
    /// Reads reports and logs, and changes nothing.
    Auditor,
    /// A role of the virtual server's own.
    Own(RoleId),
}

impl Role {
    /// The roles that every virtual server has.
    pub const BUILT_IN: [Self; 3] = [Self::Operator, Self::HelpDesk, Self::Auditor];

    /// The name of a built-in role, as the apply file has it.
    #[must_use]
    pub const fn built_in_name(self) -> Option<&'static str> {
        match self {
            Self::Operator => Some("Operator"),
            Self::HelpDesk => Some("Help desk"),
            Self::Auditor => Some("Auditor"),
            Self::Own(_) => None,
        }
    }

    /// What a built-in role may do.
    #[must_use]
    pub fn built_in(self) -> Option<Permissions> {
        match self {
            Self::Operator => Some(Permissions::all()),
            Self::HelpDesk => Some(Permissions::of(&[
                (Module::Users, &[Deed::Access]),
                (Module::AccountCare, &[Deed::Access, Deed::Edit]),
                (Module::Tokens, &[Deed::Access]),
                (Module::TokenStates, &[Deed::Access, Deed::Edit]),
                (Module::Provisioning, &[Deed::Access, Deed::Edit]),
                (Module::EnrollmentHistory, &[Deed::Access]),
            ])),
            Self::Auditor => Some(Permissions::of(&[
                (Module::Dashboard, &[Deed::Access]),
                (Module::Funnel, &[Deed::Access, Deed::Export]),
                (Module::AccessLog, &[Deed::Access, Deed::ViewLog, Deed::Export]),
                (Module::AuditLog, &[Deed::Access, Deed::ViewLog, Deed::Export]),
                (Module::EnrollmentHistory, &[Deed::Access, Deed::ViewLog, Deed::Export]),
                (Module::Reports, &[Deed::Access, Deed::ViewLog, Deed::Export]),
            ])),
            Self::Own(_) => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::HelpDesk => f.write_str("help_desk"),
            Self::Auditor => f.write_str("auditor"),
            Self::Own(id) => id.fmt(f),
        }
    }
}

/// A text that names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a role: `operator`, `help_desk`, `auditor` or the identifier of an own role is expected")]
pub struct NotARole;

impl FromStr for Role {
    type Err = NotARole;
    fn from_str(text: &str) -> Result<Self, NotARole> {
        let built_in = Self::BUILT_IN.into_iter().find(|role| role.to_string() == text);
        built_in.map_or_else(|| text.parse().map(Self::Own).map_err(|_| NotARole), Ok)
    }
}

impl TryFrom<String> for Role {
    type Error = NotARole;
    fn try_from(text: String) -> Result<Self, NotARole> {
        text.parse()
    }
}

impl From<Role> for String {
    fn from(role: Role) -> Self {
        role.to_string()
    }
}

/// A role that a virtual server made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnRole {
    /// Its identifier.
    pub id: RoleId,
    /// Its name, unique in the virtual server and unlike the built-in ones.
    pub name: String,
    /// What it may do.
    pub permissions: Permissions,
}

/// Somebody who operates a virtual server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The account.
    pub user: UserId,
    /// The user name, for lists.
    pub username: String,
    /// What they may do.
    pub role: Role,
    /// Since when.
    pub since: Timestamp,
}

/// Why a change of operators, roles or keys is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Whoever gives a role must hold all of it (T-57).
    #[error("nobody gives more permissions than they have themselves")]
    BeyondOwn,
    /// Changing the role of an operator is one thing, making somebody an operator another.
    #[error("making somebody an operator wants the permission Operators, Add")]
    MayNotAdd,
    /// Somebody must be left who may do everything (AC-51).
    #[error("this is the last operator with the role Operator: make another one first")]
    LastOperator,
    /// The built-in roles are as they are.
    #[error("the built-in roles can be neither changed nor removed")]
    BuiltIn,
    /// Somebody holds the role, or a key does.
    #[error("the role is in use: give its operators and keys another one first")]
    InUse,
    /// Another role has the name.
    #[error("there is a role of this name already")]
    NameTaken,
    /// Somebody else changed the role since it was read.
    #[error("somebody else changed it meanwhile")]
    Overtaken,
    /// There is no such operator, role, user or key.
    #[error("there is none like this")]
    Unknown,
}

/// Whether operators with `held` may bring about the change from `before` to `after`: neither may hold anything that they do not
/// hold themselves, or somebody could first take a stronger role's place and then its rights (T-57).
///
/// # Errors
/// [`Refused::BeyondOwn`].
pub fn may_give(held: &Permissions, before: Option<&Permissions>, after: Option<&Permissions>) -> Result<(), Refused> {
    let within = |one: Option<&Permissions>| one.is_none_or(|one| one.within(held));
    if within(before) && within(after) { Ok(()) } else { Err(Refused::BeyondOwn) }
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn built_in_roles_are_what_they_are() {
        let [all, desk, auditor] = Role::BUILT_IN.map(|role| role.built_in().expect("built in"));
        assert!(desk.within(&all) && auditor.within(&all) && !all.within(&desk));
        assert!(desk.may(Module::TokenStates.needs(Deed::Edit)) && !desk.may(Module::Users.needs(Deed::Edit)));
        assert!(!desk.may(Module::AuditLog.needs(Deed::Access)) && !desk.may(Module::TokenCare.needs(Deed::Edit)));
        let changes = [Deed::Edit, Deed::Delete, Deed::Add, Deed::Import];
        assert!(Module::ALL.iter().all(|module| changes.iter().all(|deed| !auditor.may(module.needs(*deed)))));
        for role in Role::BUILT_IN {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert_eq!("root".parse::<Role>(), Err(NotARole));
    }

    /// T-57, AC-51: no sequence of allowed changes raises one's own rights: what is given is within what is held, so the union
    /// of everything that a person and their creatures hold never grows beyond what the person held.
    #[test]
    fn nobody_gives_more_than_they_have() {
        let [all, desk, auditor] = Role::BUILT_IN.map(|role| role.built_in().expect("built in"));
        for (held, before, after, allowed) in [
            (&all, None, Some(&all), true),
            (&desk, None, Some(&desk), true),
            (&desk, None, Some(&auditor), false),
            (&desk, Some(&all), Some(&desk), false),
            (&desk, Some(&all), None, false),
            (&auditor, None, Some(&all), false),
        ] {
            assert_eq!(may_give(held, before, after).is_ok(), allowed);
        }
    }
}
