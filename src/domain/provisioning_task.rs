//! Provisioning tasks: an operator's order that these people enroll by mail until a stop date (A9).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::authenticator::lifecycle::Kind;
use crate::domain::ids::{RuleId, TenantId};
use crate::domain::policy::platform::{Platform, PlatformMatrix};
use crate::domain::timestamp::Timestamp;

const DAY: u64 = 86_400;

/// The number of a task, as operators quote it: eight digits, drawn and not counted up, so that instances of a cluster
/// need not agree on the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct TaskNumber(i64);

impl TaskNumber {
    /// How many numbers there are.
    pub const COUNT: u64 = 90_000_000;
    const FIRST: i64 = 10_000_000;

    /// The number that is drawn as `index`, from 0 to [`Self::COUNT`] - 1.
    #[must_use]
    pub fn drawn(index: u64) -> Self {
        Self(Self::FIRST + i64::try_from(index % Self::COUNT).unwrap_or(0))
    }

    /// The number as it is stored.
    #[must_use]
    pub const fn value(self) -> i64 {
        self.0
    }
}

impl fmt::Display for TaskNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is no number of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not the number of a provisioning task: eight digits are expected")]
pub struct NotATaskNumber;

impl FromStr for TaskNumber {
    type Err = NotATaskNumber;
    fn from_str(text: &str) -> Result<Self, NotATaskNumber> {
        let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse().ok().filter(|number| digits && *number >= Self::FIRST);
        number.map(Self).ok_or(NotATaskNumber)
    }
}

/// What kind of authenticator a task is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum TokenType {
    /// An app that speaks our activation protocol.
    #[default]
    App,
    /// A standard TOTP app.
    OathApp,
}

impl TokenType {
    /// The name in the database, in files and on the command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::OathApp => "oath_app",
        }
    }

    /// The type with this name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        [Self::App, Self::OathApp].into_iter().find(|kind| kind.id() == id)
    }

    /// The kind of token that comes of it.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::App => Kind::App,
            Self::OathApp => Kind::OathApp,
        }
    }

    const fn fits(self, platform: Platform) -> bool {
        platform.speaks_our_protocol() == matches!(self, Self::App)
    }

    /// The platforms on which somebody may enroll one now (U22).
    #[must_use]
    pub fn platforms(self, allowed: &PlatformMatrix) -> Vec<Platform> {
        allowed.allowed().into_iter().filter(|platform| self.fits(*platform)).collect()
    }
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its number.
    pub number: TaskNumber,
    /// The virtual server.
    pub tenant: TenantId,
    /// What is enrolled.
    pub token_type: TokenType,
    /// Who made it: an operator's name, or the name of a rule.
    pub operator: String,
    /// What the operator noted.
    pub comment: String,
    /// The rule that made it, if it was none of us.
    pub rule: Option<RuleId>,
    /// When it was made.
    pub started_at: Timestamp,
    /// Until when its people may enroll; of one person it may be another time, see
    /// [`crate::domain::reservation::Reservation::stop_at`].
    pub stop_at: Timestamp,
    /// When it was removed.
    pub removed_at: Option<Timestamp>,
}

/// How enrollment by mail goes on in a virtual server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EnrollmentMail {
    /// Days until a task stops, unless the operator says otherwise: 1 to 90.
    pub days: u32,
    /// How many days before the stop date people are reminded: 0 (never) to 30.
    pub reminder_days: u32,
    /// Failed attempts that lock one person's enrollment: 3 to 100.
    pub attempts: u32,
    /// Whether mails show the activation string itself. NIST SP 800-63B does not accept binding codes that are sent by
    /// mail: whoever reads the mailbox gets the authenticator.
    pub activation_codes_in_mail: bool,
}

impl Default for EnrollmentMail {
    fn default() -> Self {
        Self { days: 10, reminder_days: 2, attempts: 10, activation_codes_in_mail: false }
    }
}

impl EnrollmentMail {
    /// The days that a task may take.
    pub const DAYS: std::ops::RangeInclusive<u32> = 1..=90;

    /// The stop date of a task that is made at `now` for so many days, or for the usual number of them.
    #[must_use]
    pub fn stop_at(&self, now: Timestamp, days: Option<u32>) -> Timestamp {
        let days = days.unwrap_or(self.days).clamp(*Self::DAYS.start(), *Self::DAYS.end());
        now.plus(Duration::from_secs(u64::from(days) * DAY))
    }

    /// How long before the stop date people are reminded; `None` if they are not.
    #[must_use]
    pub fn reminder(&self) -> Option<Duration> {
        (self.reminder_days > 0).then(|| Duration::from_secs(u64::from(self.reminder_days) * DAY))
    }

    /// Whether a reminder of something that stops at `stop_at` would come at once, and so be none.
    #[must_use]
    pub fn reminder_is_past(&self, stop_at: Timestamp, now: Timestamp) -> bool {
        self.reminder().is_none_or(|before| stop_at.minus(before) <= now)
    }

    /// What is allowed and still unwise.
    #[must_use]
    pub fn warnings(&self) -> Vec<(&'static str, &'static str)> {
        let mut found = Vec::new();
        if self.activation_codes_in_mail {
            found.push((
                "activation_codes_in_mail",
                "puts activation codes into mails: NIST SP 800-63B does not accept binding codes sent by email, because \
                 whoever reads the mailbox gets the authenticator; leave it off where you can",
            ));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn a_number_has_eight_digits_and_survives_its_text() {
        for index in [0, 1, 4_711, TaskNumber::COUNT - 1] {
            let number = TaskNumber::drawn(index);
            assert_eq!(number.to_string().len(), 8);
            assert_eq!(number.to_string().parse(), Ok(number));
        }
        for bad in ["", "0", "01234567", "123456789", "-1234567", "1234567a", " 12345678", "+1234567"] {
            assert_eq!(bad.parse::<TaskNumber>(), Err(NotATaskNumber), "{bad}");
        }
    }

    ///
    #[test]
    fn a_task_stops_after_ten_days_unless_somebody_says_otherwise() {
        let now = Timestamp::from_seconds(1_000_000);
        let day = |days: u64| now.plus(Duration::from_secs(days * DAY));
        let mail = EnrollmentMail::default();
        for (days, stop) in [(None, 10), (Some(1), 1), (Some(90), 90), (Some(91), 90), (Some(0), 1)] {
            assert_eq!(mail.stop_at(now, days), day(stop), "{days:?}");
        }
        assert!(mail.reminder_is_past(day(2), now) && !mail.reminder_is_past(day(3), now));
        let never = EnrollmentMail { reminder_days: 0, ..mail };
        assert!(never.reminder_is_past(day(90), now), "no reminder is due, ever");
    }

    /// off unless somebody turns it on, and then the reason against it is said.
    #[test]
    fn activation_codes_stay_out_of_mails_unless_somebody_insists() {
        let mail = EnrollmentMail::default();
        assert!(!mail.activation_codes_in_mail && mail.warnings().is_empty());
        let warned = EnrollmentMail { activation_codes_in_mail: true, ..mail }.warnings();
        assert!(warned.iter().any(|(_, words)| words.contains("NIST SP 800-63B")), "{warned:?}");
    }
}
