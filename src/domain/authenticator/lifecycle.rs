//! The life of a token (part B2): its kinds, its states, and every way from one state to another.
//!
//! There is no other way than the table [`EDGES`] (INV-10): whatever moves a token names a [`Move`], and storage writes the
//! state that follows on condition that the one before is still there.

use std::fmt;
use std::str::FromStr;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// An app that speaks our activation protocol.
    App,
    /// A standard TOTP app, by an `otpauth://` QR code.
    OathApp,
    /// A hardware or other OATH token that was imported with its secret.
    Oath,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::App, Self::OathApp, Self::Oath];

    /// The name in the database, in apply files, on the command line and in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::OathApp => "oath_app",
            Self::Oath => "oath",
        }
    }
}

/// Where a token is in its life. "Lost" and "faulty" are revoked tokens with that [`Disposition`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Nobody's: free to be given out. Only imported tokens are.
    Inventory,
    /// Reserved for a person, and not given out yet.
    Assigned,
    /// It works.
    Active,
    /// Stopped by an operator, its owner or the device.
    Suspended,
    /// Stopped after too many failures, or by an operator; [`LockReason`] says which.
    Locked,
    /// Ended for ever; its secret is erased.
    Revoked,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Inventory, Self::Assigned, Self::Active, Self::Suspended, Self::Locked, Self::Revoked];

    /// The name in the database, on the command line and in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::Assigned => "assigned",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Locked => "locked",
            Self::Revoked => "revoked",
        }
    }

    /// Whether its owner "has a token": then nothing is offered to enroll.
    #[must_use]
    pub const fn counts(self) -> bool {
        matches!(self, Self::Active | Self::Suspended | Self::Locked)
    }
}

/// Why a token is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LockReason {
    /// Its owner's account is locked. Never stored: it is shown for as long as that lasts.
    Account,
    /// Too many wrong passcodes in a row.
    Attempts,
    /// Too many wrong PINs, as the device reports: only enrolling anew helps.
    Pin,
    /// An operator locked it.
    Operator,
}

impl LockReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Account, Self::Attempts, Self::Pin, Self::Operator];

    /// The name in the database, on the command line and in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Attempts => "attempts",
            Self::Pin => "pin",
            Self::Operator => "operator",
        }
    }
}

/// What became of a revoked token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disposition {
    /// It came back.
    Returned,
    /// It is lost or was stolen.
    Lost,
    /// It does not work.
    Faulty,
    /// Its owner must not have it any more.
    ForCause,
}

impl Disposition {
    /// Every disposition.
    pub const ALL: [Self; 4] = [Self::Returned, Self::Lost, Self::Faulty, Self::ForCause];

    /// The name in the database, on the command line and in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Lost => "lost",
            Self::Faulty => "faulty",
            Self::ForCause => "for_cause",
        }
    }

    /// Whether the person may enroll again by self-provisioning, where the operator does not say: somebody else may have
    /// what was lost, and the mailbox with it, so that is a recovery and takes an operator (T-01). `None` leaves it to the
    /// rules of the virtual server.
    #[must_use]
    pub const fn may_enroll_again(self) -> Option<bool> {
        match self {
            Self::Returned | Self::Faulty => None,
            Self::Lost | Self::ForCause => Some(false),
        }
    }
}

/// How a token came to its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnrolledBy {
    /// By its owner, at a login, with the code that was mailed.
    Itself,
    /// By its owner, from an enrollment mail.
    Email,
    /// By its owner, with another token.
    Portal,
    /// By an operator.
    Operator,
    /// By a provisioning rule.
    Rule,
    /// Brought along from another system.
    Import,
}

impl EnrolledBy {
    /// Every way.
    pub const ALL: [Self; 6] = [Self::Itself, Self::Email, Self::Portal, Self::Operator, Self::Rule, Self::Import];

    /// The name in the database, on the command line and in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Itself => "self",
            Self::Email => "email",
            Self::Portal => "portal",
            Self::Operator => "operator",
            Self::Rule => "rule",
            Self::Import => "import",
        }
    }

    /// Whether the mailbox, beside a password, was all that vouched for the person.
    #[must_use]
    pub const fn by_mailbox(self) -> bool {
        matches!(self, Self::Itself | Self::Email)
    }
}

/// A text that names nothing of the kind; it holds what does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {0}")]
pub struct Unknown(&'static str);

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Kind {
    type Err = Unknown;
    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|kind| kind.id() == text).ok_or(Unknown("app, oath_app or oath"))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for State {
    type Err = Unknown;
    fn from_str(text: &str) -> Result<Self, Unknown> {
        const STATES: &str = "inventory, assigned, active, suspended, locked or revoked";
        Self::ALL.into_iter().find(|state| state.id() == text).ok_or(Unknown(STATES))
    }
}

impl FromStr for LockReason {
    type Err = Unknown;
    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|reason| reason.id() == text).ok_or(Unknown("account, attempts, pin or operator"))
    }
}

impl FromStr for Disposition {
    type Err = Unknown;
    fn from_str(text: &str) -> Result<Self, Unknown> {
        const DISPOSITIONS: &str = "returned, lost, faulty or for_cause";
        Self::ALL.into_iter().find(|disposition| disposition.id() == text).ok_or(Unknown(DISPOSITIONS))
    }
}

impl FromStr for EnrolledBy {
    type Err = Unknown;
    fn from_str(text: &str) -> Result<Self, Unknown> {
        Self::ALL.into_iter().find(|by| by.id() == text).ok_or(Unknown("self, email, portal, operator, rule or import"))
    }
}

/// What is done to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Move {
    /// It is reserved for a person.
    Assign,
    /// The reservation ends.
    Release,
    /// The person has it.
    Activate,
    /// It is stopped for a while.
    Suspend,
    /// A suspended token works again; its failures are forgotten.
    Reactivate,
    /// It is locked.
    Lock(LockReason),
    /// A locked token works again; its failures are forgotten. Not after too many wrong PINs.
    Unlock,
    /// It is ended for ever.
    Revoke(Disposition),
    /// A revoked imported token gets a new secret, by importing it again, and is nobody's.
    Reinitialize,
}

/// Every way from one state to another. A lock's reason and a disposition do not change where a move leads, but
/// [`after`] refuses what depends on them.
pub const EDGES: [(State, Step, State); 18] = [
    (State::Inventory, Step::Assign, State::Assigned),
    (State::Inventory, Step::Revoke, State::Revoked),
    (State::Assigned, Step::Release, State::Inventory),
    (State::Assigned, Step::Activate, State::Active),
    (State::Assigned, Step::Revoke, State::Revoked),
    (State::Active, Step::Suspend, State::Suspended),
    (State::Active, Step::Lock, State::Locked),
    (State::Active, Step::Release, State::Inventory),
    (State::Active, Step::Revoke, State::Revoked),
    (State::Suspended, Step::Reactivate, State::Active),
    (State::Suspended, Step::Lock, State::Locked),
    (State::Suspended, Step::Release, State::Inventory),
    (State::Suspended, Step::Revoke, State::Revoked),
    (State::Locked, Step::Suspend, State::Suspended),
    (State::Locked, Step::Lock, State::Locked),
    (State::Locked, Step::Unlock, State::Active),
    (State::Locked, Step::Revoke, State::Revoked),
    (State::Revoked, Step::Reinitialize, State::Inventory),
];

/// A [`Move`] without its reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the move of the same name")]
pub enum Step {
    Assign,
    Release,
    Activate,
    Suspend,
    Reactivate,
    Lock,
    Unlock,
    Revoke,
    Reinitialize,
}

impl Move {
    /// The move without its reasons.
    #[must_use]
    pub const fn step(self) -> Step {
        match self {
            Self::Assign => Step::Assign,
            Self::Release => Step::Release,
            Self::Activate => Step::Activate,
            Self::Suspend => Step::Suspend,
            Self::Reactivate => Step::Reactivate,
            Self::Lock(_) => Step::Lock,
            Self::Unlock => Step::Unlock,
            Self::Revoke(_) => Step::Revoke,
            Self::Reinitialize => Step::Reinitialize,
        }
    }
}

/// Where a token is after `step`, or `None` if that cannot be done to it.
///
/// Only imported tokens are ever nobody's: an app's secret belongs to one device of one person. A lock after wrong PINs is
/// left by revoking only, and is not made lighter by another lock or a suspension.
#[must_use]
pub fn after(kind: Kind, state: State, lock: Option<LockReason>, step: Move) -> Option<State> {
    let (_, _, to) = EDGES.into_iter().find(|(from, edge, _)| *from == state && *edge == step.step())?;
    let pin = state == State::Locked && lock == Some(LockReason::Pin);
    let allowed = match step {
        Move::Assign | Move::Release | Move::Activate | Move::Reinitialize => kind == Kind::Oath,
        Move::Lock(LockReason::Account) => false,
        // What is locked already may only be locked for good.
        Move::Lock(reason) => state != State::Locked || (reason == LockReason::Pin && !pin),
        Move::Suspend | Move::Unlock => !pin,
        Move::Reactivate | Move::Revoke(_) => true,
    };
    allowed.then_some(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOVES: [Move; 9] = [
        Move::Assign,
        Move::Release,
        Move::Activate,
        Move::Suspend,
        Move::Reactivate,
        Move::Lock(LockReason::Operator),
        Move::Unlock,
        Move::Revoke(Disposition::Lost),
        Move::Reinitialize,
    ];

    /// Part B2, INV-10: every pair of state and move, for an imported token; a dot is a refusal.
    #[test]
    fn the_whole_table() {
        let initial = |state: State| match state {
            State::Inventory => 'I',
            State::Assigned => 'G',
            State::Active => 'A',
            State::Suspended => 'S',
            State::Locked => 'L',
            State::Revoked => 'R',
        };
        let rows: Vec<String> = State::ALL
            .into_iter()
            .map(|state| {
                let cells = MOVES.into_iter().map(|step| after(Kind::Oath, state, None, step).map_or('.', initial));
                cells.collect()
            })
            .collect();
        // Columns: assign, release, activate, suspend, reactivate, lock, unlock, revoke, reinitialize.
        assert_eq!(
            rows,
            [
                "G......R.", // inventory
                ".IA....R.", // assigned
                ".I.S.L.R.", // active
                ".I..AL.R.", // suspended
                "...S..AR.", // locked
                "........I", // revoked
            ]
        );
        assert_eq!(EDGES.len(), 18, "each edge stands in the rows above, a second lock after wrong PINs beside them");
    }

    /// an app's token is its owner's from birth to its end.
    #[test]
    fn an_app_is_never_nobodys() {
        for kind in [Kind::App, Kind::OathApp] {
            for state in State::ALL {
                for step in [Move::Assign, Move::Release, Move::Activate, Move::Reinitialize] {
                    assert_eq!(after(kind, state, None, step), None, "{kind} {state} {step:?}");
                }
            }
            assert_eq!(after(kind, State::Active, None, Move::Suspend), Some(State::Suspended));
        }
    }

    ///
    #[test]
    fn a_lock_after_wrong_pins_is_left_by_revoking_only() {
        for step in MOVES {
            let to = after(Kind::App, State::Locked, Some(LockReason::Pin), step);
            assert_eq!(to, matches!(step, Move::Revoke(_)).then_some(State::Revoked), "{step:?}");
        }
        for reason in [LockReason::Attempts, LockReason::Operator] {
            assert_eq!(after(Kind::App, State::Locked, Some(reason), Move::Unlock), Some(State::Active));
            let worse = Move::Lock(LockReason::Pin);
            assert_eq!(after(Kind::App, State::Locked, Some(reason), worse), Some(State::Locked));
        }
    }

    ///
    #[test]
    fn an_account_lock_is_no_state_and_a_reservation_is_no_token() {
        for state in State::ALL {
            assert_eq!(after(Kind::App, state, None, Move::Lock(LockReason::Account)), None, "{state}");
        }
        let counting: Vec<_> = State::ALL.into_iter().filter(|state| state.counts()).collect();
        assert_eq!(counting, [State::Active, State::Suspended, State::Locked]);
    }

    #[test]
    fn every_name_reads_back() {
        for state in State::ALL {
            assert_eq!(state.id().parse(), Ok(state));
        }
        for kind in Kind::ALL {
            assert_eq!(kind.id().parse(), Ok(kind));
        }
        for reason in LockReason::ALL {
            assert_eq!(reason.id().parse(), Ok(reason));
        }
        for disposition in Disposition::ALL {
            assert_eq!(disposition.id().parse(), Ok(disposition));
        }
        for by in EnrolledBy::ALL {
            assert_eq!(by.id().parse(), Ok(by));
        }
        assert!("Active".parse::<State>().is_err());
    }
}
