//! A person's place in a provisioning task: an authenticator is reserved until the stop date (part B7).

use serde::Serialize;

use crate::domain::ids::{ReservationId, TenantId, TokenId, UserId};
use crate::domain::provisioning_task::{TaskNumber, TokenType};
use crate::domain::timestamp::Timestamp;

/// Where a person stands in a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// May still enroll, or has and was not seen with the authenticator yet.
    Active,
    /// Enrolled, and used it to authenticate at least once.
    Completed,
    /// Too many failed attempts.
    Locked,
    /// Not enrolled by the stop date.
    Expired,
    /// Taken out by an operator, or by a rule that stopped matching.
    Removed,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Active, Self::Completed, Self::Locked, Self::Expired, Self::Removed];

    /// The name in the database and in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Completed => "completed",
            Self::Locked => "locked",
            Self::Expired => "expired",
            Self::Removed => "removed",
        }
    }

    /// The status with this name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.id() == id)
    }
}

/// A person's place in a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its identifier.
    pub id: ReservationId,
    /// The virtual server.
    pub tenant: TenantId,
    /// The task.
    pub task: TaskNumber,
    /// The person.
    pub user: UserId,
    /// What is enrolled.
    pub token_type: TokenType,
    /// Where the person stands.
    pub status: Status,
    /// The address that the mail went to. Another address of the account makes the link worthless (T-03).
    pub emailed_to: String,
    /// When the last mail was written.
    pub sent_at: Timestamp,
    /// How many mails were sent, without reminders.
    pub sends: i64,
    /// Until when the person may enroll.
    pub stop_at: Timestamp,
    /// When the reminder was sent, or when there was decided that there will be none.
    pub reminded_at: Option<Timestamp>,
    /// Failed attempts.
    pub failed_count: i64,
    /// The authenticator, once it is enrolled.
    pub token: Option<TokenId>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why a link from a mail does not work (part D1, U22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// An authenticator was enrolled with it, or in the login meanwhile.
    Used,
    /// The stop date has passed.
    Expired,
    /// A newer mail replaces it, or it went to an address that is not the account's any more.
    Void,
    /// Too many failed attempts.
    Locked,
    /// An operator took it back.
    Removed,
}

impl Closed {
    /// Every reason, for tables in tests.
    pub const ALL: [Self; 5] = [Self::Used, Self::Expired, Self::Void, Self::Locked, Self::Removed];

    /// The stable name, in texts and in the audit trail.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Expired => "expired",
            Self::Void => "void",
            Self::Locked => "locked",
            Self::Removed => "removed",
        }
    }
}

impl Reservation {
    /// Whether the person may enroll at `now`, if the account's address is `email`; if not, why.
    ///
    /// # Errors
    /// [`Closed`].
    pub fn open(&self, email: Option<&str>, now: Timestamp) -> Result<(), Closed> {
        match self.status {
            Status::Completed => Err(Closed::Used),
            Status::Removed => Err(Closed::Removed),
            Status::Active | Status::Expired | Status::Locked if self.token.is_some() => Err(Closed::Used),
            Status::Locked => Err(Closed::Locked),
            Status::Expired => Err(Closed::Expired),
            Status::Active if now >= self.stop_at => Err(Closed::Expired),
            Status::Active if email != Some(self.emailed_to.as_str()) => Err(Closed::Void),
            Status::Active => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reservation(status: Status, token: Option<TokenId>) -> Reservation {
        Reservation {
            id: ReservationId::from_bits(1),
            tenant: TenantId::from_bits(1),
            task: TaskNumber::drawn(1),
            user: UserId::from_bits(1),
            token_type: TokenType::App,
            status,
            emailed_to: "ada@acme.test".to_owned(),
            sent_at: Timestamp::from_seconds(0),
            sends: 1,
            stop_at: Timestamp::from_seconds(100),
            reminded_at: None,
            failed_count: 0,
            token,
            created_at: Timestamp::from_seconds(0),
        }
    }

    /// part B7.
    #[test]
    fn a_link_says_why_it_does_not_work() {
        let token = Some(TokenId::from_bits(1));
        let ada = Some("ada@acme.test");
        for (status, token, email, now, expected) in [
            (Status::Active, None, ada, 99, Ok(())),
            (Status::Active, None, ada, 100, Err(Closed::Expired)),
            (Status::Active, token, ada, 99, Err(Closed::Used)),
            (Status::Active, None, Some("eve@acme.test"), 99, Err(Closed::Void)),
            (Status::Active, None, None, 99, Err(Closed::Void)),
            (Status::Completed, token, ada, 99, Err(Closed::Used)),
            (Status::Completed, None, ada, 99, Err(Closed::Used)),
            (Status::Locked, None, ada, 99, Err(Closed::Locked)),
            (Status::Expired, None, ada, 99, Err(Closed::Expired)),
            (Status::Removed, None, ada, 99, Err(Closed::Removed)),
        ] {
            let found = reservation(status, token).open(email, Timestamp::from_seconds(now));
            assert_eq!(found, expected, "{status:?} {token:?} {email:?} {now}");
        }
    }

    #[test]
    fn a_status_is_read_back_by_its_name() {
        for status in Status::ALL {
            assert_eq!(Status::named(status.id()), Some(status));
        }
    }
}
