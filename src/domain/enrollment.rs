//! A pending enrollment: its own expiring record, never a token (architecture.md, rule 7).
//!
//! It counts for nothing until the device has confirmed and the first passcode has been accepted in
//! the login that began it. That one rule defeats a scanned-over-the-shoulder QR code, a swapped
//! device and an attacker who finishes elsewhere (T-06, T-08).

use std::time::Duration;

use crate::domain::ids::{EnrollmentId, LoginId, ReservationId, TenantId, TokenId, UserId};
use crate::domain::policy::platform::Platform;
use crate::domain::timestamp::Timestamp;

/// How long the proof of the mailbox counts for an enrollment (part B5).
pub const MAILBOX_COUNTS_FOR: Duration = Duration::from_secs(20 * 60);

/// A pending enrollment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrollment {
    /// Its identifier.
    pub id: EnrollmentId,
    /// The virtual server.
    pub tenant: TenantId,
    /// The login that began it, and that alone can finish it.
    pub login: LoginId,
    /// The place in a provisioning task that it is for, if a mail began it (A9).
    pub reservation: Option<ReservationId>,
    /// The person.
    pub user: UserId,
    /// Whether it is still open.
    pub state: State,
    /// Where the authenticator shall live, once chosen.
    pub platform: Option<Platform>,
    /// Whether the page that tells how to install was left by "I have installed it".
    pub installed: bool,
    /// Whether a device has confirmed, or a standard app's secret is waiting for its first passcode.
    pub activated: bool,
    /// Whether its person has tokens already and proved one in the login.
    pub beside: bool,
    /// The token that ends when the new one begins.
    pub replaces: Option<TokenId>,
    /// When it began.
    pub created_at: Timestamp,
}

/// The life cycle of a pending enrollment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Going on.
    Open,
    /// A token was made of it.
    Completed,
    /// The person cancelled, or finished in another browser.
    Cancelled,
}

impl State {
    /// The name in the database.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state with this name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        [Self::Open, Self::Completed, Self::Cancelled].into_iter().find(|state| state.id() == id)
    }
}

/// The furthest step that an enrollment has reached, for its history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reached {
    /// It was begun.
    Started,
    /// The mailbox was proven.
    Mailbox,
    /// A platform was chosen.
    Platform,
    /// The app is installed, as the person said.
    Installed,
    /// A standard app was shown its secret.
    Secret,
    /// A device has confirmed its keys.
    Activated,
    /// There is a token.
    Completed,
}

impl Reached {
    /// All of them, in their order.
    pub const ALL: [Self; 7] =
        [Self::Started, Self::Mailbox, Self::Platform, Self::Installed, Self::Secret, Self::Activated, Self::Completed];

    /// The number in the database.
    #[must_use]
    pub const fn number(self) -> i64 {
        self as i64
    }

    /// The published name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Mailbox => "mailbox_proven",
            Self::Platform => "platform_chosen",
            Self::Installed => "app_installed",
            Self::Secret => "secret_shown",
            Self::Activated => "activated",
            Self::Completed => "completed",
        }
    }
}

/// How far an enrollment is, as the next step asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// See [`Enrollment::platform`].
    pub platform: Option<Platform>,
    /// See [`Enrollment::installed`].
    pub installed: bool,
    /// See [`Enrollment::activated`].
    pub activated: bool,
}

impl Enrollment {
    /// How far it is.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        Progress { platform: self.platform, installed: self.installed, activated: self.activated }
    }
}

/// Whether the mailbox was proven, recently enough, at `proven`.
#[must_use]
pub fn mailbox_proven(proven: Option<Timestamp>, now: Timestamp) -> bool {
    proven.is_some_and(|at| now.since(at) < MAILBOX_COUNTS_FOR)
}

/// How an activation came to the device, as its app says. Nothing depends on it: it tells operators which way their
/// people take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brought {
    /// The QR code was scanned.
    Qr,
    /// The link or button of the page or the mail opened the app.
    Link,
    /// The string was copied.
    Copied,
    /// The short form was typed.
    Typed,
}

impl Brought {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Qr, Self::Link, Self::Copied, Self::Typed];

    /// The word in the protocol, in the database and in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Qr => "qr",
            Self::Link => "link",
            Self::Copied => "copied",
            Self::Typed => "typed",
        }
    }

    /// What is called so.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.id() == id)
    }
}
