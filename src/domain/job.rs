//! Work on many people or tokens at once: imports, and actions on a selection. It goes on by itself, shows how
//! far it is, and keeps what became of each.

use serde::{Deserialize, Serialize};

use crate::domain::audit::Actor;
use crate::domain::authenticator::lifecycle::Disposition;
use crate::domain::ids::{GroupId, JobId, TenantId};
use crate::domain::operator::{Deed, Module, Permission, Permissions};
use crate::domain::provisioning_task::TokenType;
use crate::domain::timestamp::Timestamp;

/// The most people or tokens that an action is for.
pub const LARGEST_SELECTION: usize = 10_000;

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "work", rename_all = "snake_case")]
pub enum Work {
    /// Accounts are made and changed, as a table says.
    ImportPeople(Import),
    /// Something is done to accounts.
    People(PeopleDeed),
    /// Something is done to authenticators.
    Tokens(TokenDeed),
    /// People get a mail with which they enroll an authenticator.
    Provision(Provision),
    /// Authenticators come from a maker's file.
    ImportTokens(ImportTokens),
}

/// How authenticators are imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportTokens {
    /// Nothing is stored; it is only looked what would be.
    pub dry_run: bool,
    /// People whom the file names get theirs.
    #[serde(default)]
    pub assign: bool,
    /// Those of named people are only reserved for them, and do not work yet.
    pub reserve: bool,
    /// Those that were revoked and come back with a new secret are taken.
    pub reinitialize: bool,
    /// What is to be said of the file as a whole.
    pub notes: Vec<String>,
}

/// A provisioning task that is being filled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provision {
    /// Its number, drawn before it is made.
    pub number: i64,
    /// What is enrolled.
    pub token_type: TokenType,
    /// Until when, in microseconds since 1970.
    pub stop_at: i64,
    /// What the operator noted.
    pub comment: String,
    /// Whether people get one who have an authenticator of that type.
    pub issue_duplicates: bool,
}

/// How people are imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// Nothing is stored; it is only looked what would be.
    pub dry_run: bool,
    /// Accounts that are there become what the table says; else they stay as they are.
    pub update: bool,
    /// Groups that are not there are made; else whoever is in one is rejected.
    pub make_groups: bool,
    /// The table says of somebody which groups they are in.
    #[serde(default)]
    pub memberships: bool,
}

/// What is done to accounts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
pub enum PeopleDeed {
    /// Failures are forgotten.
    Unlock,
    /// They may be used.
    Enable,
    /// They may not be used.
    Disable,
    /// Every session ends.
    EndSessions,
    /// They enter a group.
    Enter {
        /// The group.
        group: GroupId,
    },
    /// They leave a group.
    Leave {
        /// The group.
        group: GroupId,
    },
    /// Enrollment mails are sent again.
    Resend,
}

impl PeopleDeed {
    /// The name in addresses, forms and reports.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        match self {
            Self::Unlock => "unlock",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::EndSessions => "end_sessions",
            Self::Enter { .. } => "enter",
            Self::Leave { .. } => "leave",
            Self::Resend => "resend",
        }
    }
}

/// What is done to authenticators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenDeed {
    /// What.
    #[serde(flatten)]
    pub step: TokenStep,
    /// Why, as an operator says.
    pub reason: String,
}

/// See [`TokenDeed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "deed", rename_all = "snake_case")]
pub enum TokenStep {
    /// They are stopped for a while.
    Suspend,
    /// Those that were suspended work again.
    Reactivate,
    /// Those that were locked work again.
    Unlock,
    /// They are ended for ever.
    Revoke {
        /// What became of them.
        #[serde(with = "disposition")]
        disposition: Disposition,
    },
}

impl TokenStep {
    /// The name in addresses, forms and reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Suspend => "suspend",
            Self::Reactivate => "reactivate",
            Self::Unlock => "unlock",
            Self::Revoke { .. } => "revoke",
        }
    }
}

mod disposition {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use super::Disposition;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(disposition: &Disposition, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(disposition.id())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Disposition, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Work {
    /// The name in the database and in reports.
    #[must_use]
    pub const fn id(&self) -> &'static str {
        match self {
            Self::ImportPeople(_) => "import_people",
            Self::People(_) => "people",
            Self::Tokens(_) => "tokens",
            Self::Provision(_) => "provision",
            Self::ImportTokens(_) => "import_tokens",
        }
    }

    /// Where the permission to see it is found.
    #[must_use]
    pub const fn module(&self) -> Module {
        match self {
            Self::ImportPeople(_) | Self::People(_) => Module::Users,
            Self::Tokens(_) | Self::ImportTokens(_) => Module::Tokens,
            Self::Provision(_) => Module::Provisioning,
        }
    }

    /// What whoever begins it must be permitted, and for as long as it goes on.
    #[must_use]
    pub fn needs(&self) -> Vec<Permission> {
        match self {
            Self::ImportPeople(how) => {
                // A table does nothing that its author could not do one by one.
                let also = [
                    (how.update, Module::Users.needs(Deed::Edit)),
                    (how.make_groups, Module::Groups.needs(Deed::Add)),
                    (how.memberships, Module::Groups.needs(Deed::Edit)),
                ];
                let also = also.into_iter().filter_map(|(wanted, permission)| wanted.then_some(permission));
                [Deed::Import, Deed::Add].map(|deed| Module::Users.needs(deed)).into_iter().chain(also).collect()
            }
            Self::People(deed) => vec![match deed {
                PeopleDeed::Unlock | PeopleDeed::EndSessions => Module::AccountCare.needs(Deed::Edit),
                PeopleDeed::Enable | PeopleDeed::Disable => Module::Users.needs(Deed::Edit),
                PeopleDeed::Enter { .. } | PeopleDeed::Leave { .. } => Module::Groups.needs(Deed::Edit),
                PeopleDeed::Resend => Module::Provisioning.needs(Deed::Edit),
            }],
            Self::Tokens(_) => vec![Module::TokenStates.needs(Deed::Edit)],
            Self::Provision(_) => vec![Module::Provisioning.needs(Deed::Add)],
            Self::ImportTokens(how) => {
                let owners = how.assign.then(|| Module::Tokens.needs(Deed::Edit));
                std::iter::once(Module::Tokens.needs(Deed::Import)).chain(owners).collect()
            }
        }
    }

    /// The first permission that it needs and that is not in `held`.
    #[must_use]
    pub fn lacking(&self, held: &Permissions) -> Option<Permission> {
        self.needs().into_iter().find(|permission| !held.may(*permission))
    }

    /// What is done, in words.
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self {
            Self::ImportPeople(Import { dry_run: true, .. }) => "Import of people (dry run)",
            Self::ImportPeople(_) => "Import of people",
            Self::People(deed) => match deed {
                PeopleDeed::Unlock => "Unlock accounts",
                PeopleDeed::Enable => "Enable accounts",
                PeopleDeed::Disable => "Disable accounts",
                PeopleDeed::EndSessions => "End sessions",
                PeopleDeed::Enter { .. } => "Add people to a group",
                PeopleDeed::Leave { .. } => "Remove people from a group",
                PeopleDeed::Resend => "Send enrollment mails again",
            },
            Self::Provision(_) => "Send enrollment mails",
            Self::ImportTokens(ImportTokens { dry_run: true, .. }) => "Import of tokens (dry run)",
            Self::ImportTokens(_) => "Import of tokens",
            Self::Tokens(deed) => match deed.step {
                TokenStep::Suspend => "Suspend authenticators",
                TokenStep::Reactivate => "Reactivate authenticators",
                TokenStep::Unlock => "Unlock authenticators",
                TokenStep::Revoke { .. } => "Revoke authenticators",
            },
        }
    }
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Its rows are still being stored.
    Loading,
    /// It waits for its turn, or goes on.
    Running,
    /// Every row is done.
    Done,
    /// An operator stopped it; what was done stays.
    Cancelled,
    /// Whoever began it may not do it any more, or it cannot be done: it was stopped by the service, and what was done stays.
    Stopped,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Loading, Self::Running, Self::Done, Self::Cancelled, Self::Stopped];

    /// The name in the database and in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::Stopped => "stopped",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.id() == id)
    }
}

/// A job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its identifier.
    pub id: JobId,
    /// The virtual server.
    pub tenant: TenantId,
    /// What is done.
    pub work: Work,
    /// Who began it.
    pub actor: Actor,
    /// From where.
    pub address: String,
    /// Where it is.
    pub state: State,
    /// How many rows there are.
    pub total: i64,
    /// The number of the last row that was looked at.
    pub position: i64,
    /// How many are done.
    pub done: i64,
    /// How many of those failed.
    pub failed: i64,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why the service stopped it.
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a table of people wants the permissions for what it does, and the built-in role Operator has them.
    #[test]
    fn a_table_wants_what_its_deeds_want() {
        let table = |update, make_groups, memberships| {
            Work::ImportPeople(Import { dry_run: false, update, make_groups, memberships })
        };
        let held = Permissions::of(&[(Module::Users, &[Deed::Access, Deed::Import, Deed::Add])]);
        assert_eq!(table(false, false, false).lacking(&held), None);
        for (work, lacking) in [
            (table(true, false, false), Module::Users.needs(Deed::Edit)),
            (table(false, true, false), Module::Groups.needs(Deed::Add)),
            (table(false, false, true), Module::Groups.needs(Deed::Edit)),
        ] {
            assert_eq!(work.lacking(&held), Some(lacking));
            assert_eq!(work.lacking(&Permissions::all()), None);
        }
        let import = Permissions::of(&[(Module::Users, &[Deed::Access, Deed::Import])]);
        assert_eq!(table(false, false, false).lacking(&import), Some(Module::Users.needs(Deed::Add)));
    }

    #[test]
    fn work_reads_back() {
        let group = GroupId::from_bits(7);
        let revoke = TokenDeed { step: TokenStep::Revoke { disposition: Disposition::Lost }, reason: "x".to_owned() };
        for work in [
            Work::ImportPeople(Import { dry_run: true, update: false, make_groups: true, memberships: true }),
            Work::People(PeopleDeed::Unlock),
            Work::People(PeopleDeed::Enter { group }),
            Work::Tokens(revoke),
        ] {
            let text = serde_json::to_string(&work).expect("a document");
            assert_eq!(serde_json::from_str::<Work>(&text).expect("a document"), work, "{text}");
        }
    }
}
