//! Use cases: one function, one transaction, a list of duties in order. Every write of the house goes
//! through here, so that no write escapes its audit event.

pub mod activation;
pub mod administration;
pub mod alerts;
pub mod app_calls;
mod attempts;
pub mod audit_trail;
pub mod care;
pub mod case;
pub mod certificates;
pub mod challenge;
pub mod client_secrets;
mod clock_doctor;
pub mod consent;
pub mod console;
pub mod device;
pub mod enrollment;
pub mod explain;
pub mod federation;
pub mod house;
mod letters;
pub mod lifecycle;
pub mod login;
pub mod logout;
pub mod mailed;
pub mod notices;
pub mod owner;
pub mod parking;
pub mod preflight;
pub mod pushed;
pub mod realm;
pub mod recovery;
pub mod refresh;
pub mod registration;
pub mod repeats;
pub mod rollout;
pub mod round;
pub mod second_factor;
pub mod self_service;
pub mod server_pin;
pub mod session;
pub mod test_cases;
pub mod undo;
pub mod watch;
pub mod webhooks;

pub use house::{House, HouseSettings};
pub use realm::Realm;

use std::net::IpAddr;

use crate::domain::ids::CorrelationId;
use crate::domain::login::complaint::Complaint;
use crate::domain::secret::SecretString;
use crate::domain::timestamp::Timestamp;
use crate::{keys, storage};

/// What is known about a request before anything in it is looked at.
#[derive(Debug, Clone)]
pub struct Visit {
    /// When it came.
    pub now: Timestamp,
    /// From where; forwarded headers are believed only from our own proxies.
    pub address: IpAddr,
    /// What the browser calls itself, at most 300 characters, without control characters.
    pub user_agent: String,
    /// The language of the answer, as a tag; letters are written in it, those of a login as that login is spoken to.
    pub language: String,
    /// Whether the person has chosen it in this browser.
    pub chosen: bool,
    /// Joins its log entries until a login gives a better one.
    pub correlation: CorrelationId,
}

/// The cookies that a browser sent, as far as the flows care.
#[derive(Debug, Clone, Default)]
pub struct Browser {
    /// The value that binds a login to its browser (INV-12).
    pub login: Option<SecretString>,
    /// The value that finds a single sign-on session.
    pub session: Option<SecretString>,
    /// The value that tells a browser in which somebody logged in before (T-17).
    pub known: Option<SecretString>,
}

/// What became of something a person entered.
#[derive(Debug, Clone, Default)]
pub struct Posted {
    /// What was wrong with it; `None` if it was accepted.
    pub complaint: Option<Complaint>,
    /// The new value of the login's cookie after a step up.
    pub login_cookie: Option<SecretString>,
}

impl Posted {
    /// Accepted, with the login's new cookie.
    fn stepped_up(house: &House, visit: &Visit, case: &case::Case) -> Self {
        Self { complaint: None, login_cookie: Some(case.next_cookie(house, visit)) }
    }

    /// Accepted, nothing else to do.
    #[must_use]
    pub fn accepted() -> Self {
        Self::default()
    }

    /// Not accepted.
    #[must_use]
    pub const fn complaint(complaint: Complaint) -> Self {
        Self { complaint: Some(complaint), login_cookie: None }
    }
}

/// Why a use case could not be carried out at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database failed.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// A stored secret does not open: another key-encryption key, or a row that was tampered with (T-63).
    #[error("a stored secret does not open: {0}")]
    Sealed(#[from] keys::sealing::SealError),
    /// A signing key cannot be used.
    #[error("a signing key cannot be used: {0}")]
    SigningKey(#[from] keys::signing::SigningKeyError),
    /// Too many passwords are being checked; come back in a moment (T-68).
    #[error("too many passwords are being checked at this moment")]
    Busy,
    /// There is no such login, or it belongs to another browser. Both read alike (T-08).
    #[error("no such login in this browser")]
    NotThisBrowser,
    /// What was asked for does not fit the step that the login is at; the desk shows the right page.
    #[error("not at this step of the login")]
    WrongMoment,
    /// The application's request has begun a login or was answered before.
    #[error("the request was used before")]
    Used,
    /// The person may not do this at all (AC-04, AC-22).
    #[error("not allowed")]
    Forbidden,
}

impl From<keys::password::Busy> for Error {
    fn from(_: keys::password::Busy) -> Self {
        Self::Busy
    }
}

/// The result of a use case.
pub type Result<T> = std::result::Result<T, Error>;
