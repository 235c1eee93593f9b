//! Points in time, in UTC, as microseconds since 1970: the only form that is stored.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time with a resolution of one microsecond.
///
/// There is deliberately no `now()`: time is an argument (architecture.md), taken from
/// [`crate::clock::Clock`] once per request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time this many microseconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The time this many seconds after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since 1970, as stored.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down, as protocols want them.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This time and `span` later; stops at the end of time instead of overflowing.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros_of(span)))
    }

    /// This time and `span` earlier.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros_of(span)))
    }

    /// How long after `earlier` this is; zero if it is not after.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The time that a text tells: a day (its beginning), a day with hours and minutes, or RFC 3339; in UTC unless it says
    /// otherwise.
    #[must_use]
    pub fn parsed(text: &str) -> Option<Self> {
        let text = text.trim();
        let padded = match text.len() {
            10 => format!("{text}T00:00:00Z"),
            16 => format!("{text}:00Z"),
            19 => format!("{text}Z"),
            _ => text.to_owned(),
        };
        let time = time::OffsetDateTime::parse(&padded, &time::format_description::well_known::Rfc3339).ok()?;
        i64::try_from(time.unix_timestamp_nanos() / 1000).ok().map(Self)
    }

    /// The last second of a day that is written as `2027-02-28`, in UTC; `None` if there is no such day.
    #[must_use]
    pub fn end_of_day(day: &str) -> Option<Self> {
        let format = time::macros::format_description!(version = 2, "[year]-[month]-[day]");
        let day = time::Date::parse(day.trim(), format).ok()?;
        Some(Self::from_seconds(day.next_day()?.midnight().assume_utc().unix_timestamp() - 1))
    }

    /// RFC 3339 in UTC with whole seconds, such as `2026-11-24T08:15:00Z`, as SAML and logs want it.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let format = time::macros::format_description!(version = 2, "[year]-[month]-[day]T[hour]:[minute]:[second]Z");
        time::OffsetDateTime::from_unix_timestamp(self.seconds())
            .ok()
            .and_then(|t| t.format(format).ok())
            .unwrap_or_else(|| "9999-12-31T23:59:59Z".to_owned())
    }
}

/// A text that is no point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a time with its zone, such as 2026-12-01T08:00:00Z")]
pub struct NotATime;

impl std::str::FromStr for Timestamp {
    type Err = NotATime;
    /// Reads RFC 3339, in any zone.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let at = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339);
        at.map(|at| Self::from_seconds(at.unix_timestamp())).map_err(|_| NotATime)
    }
}

fn micros_of(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_reads_as_utc_and_never_wraps() {
        assert_eq!(Timestamp::from_seconds(0).rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_seconds(1_795_508_100).rfc3339(), "2026-11-24T08:15:00Z");
        let at = Timestamp::from_seconds(1_795_508_100);
        for text in ["2026-11-24T08:15", "2026-11-24T08:15:00", "2026-11-24T08:15:00Z", "2026-11-24T09:15:00+01:00"] {
            assert_eq!(Timestamp::parsed(text), Some(at), "{text}");
        }
        assert_eq!(Timestamp::parsed("2026-11-24"), Some(Timestamp::from_seconds(1_795_478_400)));
        for text in ["", "yesterday", "2026-13-01", "2026-11-24T25:00", "24.11.2026"] {
            assert_eq!(Timestamp::parsed(text), None, "{text}");
        }
        assert_eq!(
            Timestamp::end_of_day("2028-02-29").map(Timestamp::rfc3339).as_deref(),
            Some("2028-02-29T23:59:59Z")
        );
        assert!(["", "2027-02-29", "28.2.2027", "2027-2-1"].iter().all(|day| Timestamp::end_of_day(day).is_none()));
        let end = Timestamp::from_micros(i64::MAX);
        assert_eq!(end.plus(Duration::from_secs(1)), end);
        assert_eq!(Timestamp::from_seconds(1).since(Timestamp::from_seconds(2)), Duration::ZERO);
    }
}
