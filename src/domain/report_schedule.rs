//! Reports that are mailed again and again: which, narrowed by what, how often, to whom; and which span each is about.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fault::Fault;
use super::ids::{ApiKeyId, ScheduleId, UserId};
use super::name::{checked, key_of};
use super::operator::{Deed, Module, Permissions};
use super::report::Kind;
use super::timestamp::Timestamp;

/// So many there may be in a virtual server.
pub const MOST: usize = 100;

/// A report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "ReportName")]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// Access attempts.
    AccessLog,
    /// Credentials that were shown.
    AuthenticationLog,
    /// Every event.
    AuditLog,
    /// Enrollments that somebody began.
    EnrollmentHistory,
    /// Tokens by type and state, as they are then.
    TokenCounts,
    /// What operators and keys did.
    OperatorActivity,
}

impl Report {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::AccessLog,
        Self::AuthenticationLog,
        Self::AuditLog,
        Self::EnrollmentHistory,
        Self::TokenCounts,
        Self::OperatorActivity,
    ];

    /// The published name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::AccessLog => "access_log",
            Self::AuthenticationLog => "authentication_log",
            Self::AuditLog => "audit_log",
            Self::EnrollmentHistory => "enrollment_history",
            Self::TokenCounts => "token_counts",
            Self::OperatorActivity => "operator_activity",
        }
    }

    /// The report with this name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|report| report.id() == id)
    }

    /// What it is called at the console.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::AccessLog => "Access logs",
            Self::AuthenticationLog => "Authentication log",
            Self::AuditLog => "Audit log",
            Self::EnrollmentHistory => "Enrollment history",
            Self::TokenCounts => "Tokens by type and state",
            Self::OperatorActivity => "What operators did",
        }
    }

    /// The table that it is a part of; `None` for counts.
    #[must_use]
    pub const fn table(self) -> Option<Kind> {
        match self {
            Self::AccessLog => Some(Kind::Access),
            Self::AuthenticationLog => Some(Kind::Authentication),
            Self::AuditLog => Some(Kind::Audit),
            Self::EnrollmentHistory => Some(Kind::Enrollment),
            Self::TokenCounts | Self::OperatorActivity => None,
        }
    }

    /// The module whose permissions count for it.
    #[must_use]
    pub const fn module(self) -> Module {
        match self {
            Self::AccessLog | Self::AuthenticationLog => Module::AccessLog,
            Self::AuditLog => Module::AuditLog,
            Self::EnrollmentHistory => Module::EnrollmentHistory,
            Self::TokenCounts | Self::OperatorActivity => Module::Reports,
        }
    }

    /// Its page at the console.
    #[must_use]
    pub const fn page(self) -> &'static str {
        match self {
            Self::AccessLog => "access-log",
            Self::AuthenticationLog => "authentication-log",
            Self::AuditLog => "audit-log",
            Self::EnrollmentHistory => "enrollment-history",
            Self::TokenCounts | Self::OperatorActivity => "reports",
        }
    }

    /// Whether whoever holds these permissions may get it; as a file, if `file` says so.
    #[must_use]
    pub fn is_for(self, permissions: &Permissions, file: bool) -> bool {
        let may = |deed| permissions.may(self.module().needs(deed));
        may(Deed::Access) && (!file || may(Deed::Export))
    }
}

/// How often. Days begin at midnight in UTC, weeks on Monday.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "ReportInterval")]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// Each day, about the day before.
    #[default]
    Day,
    /// Each Monday, about the week before.
    Week,
    /// Each first of a month, about the month before.
    Month,
}

impl Every {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// The published name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|every| every.id() == id)
    }

    /// What it is called at the console.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Day => "Every day, about the day before",
            Self::Week => "Every Monday, about the week before",
            Self::Month => "Every first of a month, about the month before",
        }
    }

    /// The beginning of the span that `at` is in.
    fn begin(self, at: Timestamp) -> time::Date {
        let day = time::OffsetDateTime::from_unix_timestamp(at.seconds()).map_or(time::Date::MIN, |at| at.date());
        match self {
            Self::Day => day,
            Self::Week => day.saturating_sub(time::Duration::days(day.weekday().number_days_from_monday().into())),
            Self::Month => day.replace_day(1).unwrap_or(day),
        }
    }

    /// The span that a report is about that is made at a time: the last whole one before.
    #[must_use]
    pub fn span(self, at: Timestamp) -> (Timestamp, Timestamp) {
        let end = self.begin(at);
        let last = end.previous_day().unwrap_or(end);
        (midnight(self.begin(midnight(last))), midnight(end))
    }

    /// When the next report is due after a time: `hour` o'clock at the beginning of a span.
    #[must_use]
    pub fn next(self, after: Timestamp, hour: u8) -> Timestamp {
        let hours = std::time::Duration::from_secs(u64::from(hour.min(23)) * 3600);
        let mut begin = self.begin(after);
        // Two steps are enough: the one that `after` is in may be over, the one after it is not.
        for _ in 0..2 {
            let due = midnight(begin).plus(hours);
            if due > after {
                return due;
            }
            begin = match self {
                Self::Day => begin.saturating_add(time::Duration::days(1)),
                Self::Week => begin.saturating_add(time::Duration::days(7)),
                Self::Month => self.begin(midnight(begin.saturating_add(time::Duration::days(31)))).to_owned(),
            };
        }
        midnight(begin).plus(hours)
    }
}

fn midnight(day: time::Date) -> Timestamp {
    Timestamp::from_seconds(day.midnight().assume_utc().unix_timestamp())
}

/// Who set a report up: it is made as long as they may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// An operator.
    Operator(UserId),
    /// A key to the management API.
    Key(ApiKeyId),
}

impl Author {
    /// The kind, as stored.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Operator(_) => "operator",
            Self::Key(_) => "api_key",
        }
    }

    /// The identifier, as stored.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Operator(id) => id.to_string(),
            Self::Key(id) => id.to_string(),
        }
    }

    /// Who is stored so.
    #[must_use]
    pub fn stored(kind: &str, name: &str) -> Option<Self> {
        match kind {
            "operator" => name.parse().ok().map(Self::Operator),
            "api_key" => name.parse().ok().map(Self::Key),
            _ => None,
        }
    }
}

/// What a schedule is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Says {
    /// Which report.
    pub report: Report,
    /// What it is narrowed by; the time is that of the span.
    pub filters: BTreeMap<String, String>,
    /// How often.
    pub every: Every,
    /// At which hour, in UTC.
    pub hour: u8,
    /// Whether the table is attached.
    pub attach: bool,
    /// The operators who get it.
    pub receivers: Vec<UserId>,
}

impl Says {
    /// The page of the console that shows this for a span, below `/operator/`.
    #[must_use]
    pub fn page(&self, (from, to): (Timestamp, Timestamp)) -> String {
        if self.report.table().is_none() {
            return self.report.page().to_owned();
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (id, value) in &self.filters {
            query.append_pair(id, value);
        }
        query.append_pair("from", &from.rfc3339()).append_pair("to", &to.rfc3339());
        format!("{}?{}", self.report.page(), query.finish())
    }
}

/// A report that is mailed again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its identifier.
    pub id: ScheduleId,
    /// Its name, unique in the virtual server.
    pub name: String,
    /// What it is.
    pub says: Says,
    /// Who set it up, or changed it last.
    pub author: Author,
    /// What they were called then.
    pub author_name: String,
    /// Why it is not made at the moment; empty if it is.
    pub paused: String,
    /// When it is due.
    pub next_at: Timestamp,
    /// Grows with every change of what it is.
    pub version: i64,
}

/// What an operator types.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "ReportScheduleDraft")]
#[serde(deny_unknown_fields)]
pub struct ScheduleDraft {
    /// What it is called, 1 to 100 characters.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// Which report: `access_log`, `authentication_log`, `audit_log`, `enrollment_history`, `token_counts` or `operator_activity`.
    pub report: String,
    /// What it is narrowed by, as the list is; `from` and `to` are those of the span.
    #[serde(default)]
    pub filters: BTreeMap<String, String>,
    /// How often.
    #[serde(default)]
    pub every: Every,
    /// At which hour it is made, in UTC, 0 to 23.
    #[serde(default = "six")]
    #[schemars(range(min = 0, max = 23))]
    pub hour: u8,
    /// Whether the table is attached as CSV; the virtual server must allow it (`report_attachments` in the section `logs`).
    #[serde(default)]
    pub attach: bool,
    /// The user names of the operators who get it.
    pub receivers: Vec<String>,
}

const fn six() -> u8 {
    6
}

/// What a draft is checked against.
#[derive(Debug)]
pub struct Known<'a> {
    /// Every operator: user name, account, and what they may do.
    pub operators: &'a [(String, UserId, Permissions)],
    /// What the author may do.
    pub author: &'a Permissions,
    /// Whether the virtual server allows attachments.
    pub attachments: bool,
}

impl ScheduleDraft {
    /// The name and what is stored.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn check(&self, known: &Known<'_>) -> Result<(String, Says), Vec<Fault>> {
        let mut faults = Vec::new();
        let name = self.name.trim();
        match checked(name) {
            Ok(_) if name.chars().count() > 100 => faults.push(Fault::new("name", "has more than 100 characters")),
            Ok(_) => {}
            Err(wrong) => faults.push(Fault::new("name", wrong.to_string())),
        }
        let Some(report) = Report::named(self.report.trim()) else {
            let all = Report::ALL.map(Report::id).join(", ");
            faults.push(Fault::new("report", format!("must be one of {all}")));
            return Err(faults);
        };
        if !report.is_for(known.author, self.attach) {
            let words =
                if self.attach { "is none that you may take out as a file" } else { "is none that you may see" };
            faults.push(Fault::new("report", words));
        }
        let filters = self.filters(report, &mut faults);
        if self.hour > 23 {
            faults.push(Fault::new("hour", "must be from 0 to 23"));
        }
        if self.attach && !known.attachments {
            faults.push(Fault::new(
                "attach",
                "is not allowed here: it is switched on in the settings, under retention of logs",
            ));
        }
        let receivers = self.receivers(report, known, &mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        let says = Says { report, filters, every: self.every, hour: self.hour, attach: self.attach, receivers };
        Ok((name.to_owned(), says))
    }

    fn filters(&self, report: Report, faults: &mut Vec<Fault>) -> BTreeMap<String, String> {
        let mut kept = BTreeMap::new();
        for (id, value) in &self.filters {
            let value = value.trim();
            let field = report.table().and_then(|kind| kind.filters().iter().find(|field| field.id == id));
            let key = format!("filters.{id}");
            match field {
                _ if value.is_empty() => {}
                Some(_) if matches!(id.as_str(), "from" | "to" | "correlation") => {
                    faults.push(Fault::new(key, "cannot be given: each report is about the span before it"));
                }
                None => faults.push(Fault::new(key, "is no filter of this report")),
                Some(field) if !field.choices.is_empty() && !field.choices.contains(&value) => {
                    faults.push(Fault::new(key, format!("must be one of {}", field.choices.join(", "))));
                }
                Some(_) if value.chars().count() > 200 => faults.push(Fault::new(key, "has more than 200 characters")),
                Some(_) => {
                    kept.insert(id.clone(), value.to_owned());
                }
            }
        }
        kept
    }

    fn receivers(&self, report: Report, known: &Known<'_>, faults: &mut Vec<Fault>) -> Vec<UserId> {
        let mut found = Vec::new();
        for name in self.receivers.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
            match known.operators.iter().find(|(username, ..)| key_of(username) == key_of(name)) {
                None => faults.push(Fault::new("receivers", format!("\"{name}\" is no operator"))),
                Some((.., permissions)) if !report.is_for(permissions, self.attach) => {
                    let what = if self.attach { "take this report out as a file" } else { "see this report" };
                    faults.push(Fault::new("receivers", format!("\"{name}\" may not {what}")));
                }
                Some((_, user, _)) if !found.contains(user) => found.push(*user),
                Some(_) => {}
            }
        }
        if found.is_empty() && !faults.iter().any(|fault| fault.key == "receivers") {
            faults.push(Fault::new("receivers", "names nobody: choose at least one operator"));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::operator::Role;

    fn at(text: &str) -> Timestamp {
        Timestamp::parsed(text).expect("a time")
    }

    /// each report is about the whole span before it, across months, years and leap days.
    #[test]
    fn spans_follow_each_other() {
        for (every, now, from, to, next) in [
            (Every::Day, "2026-11-26T06:00", "2026-11-25", "2026-11-26", "2026-11-27T06:00"),
            (Every::Day, "2028-03-01T05:59", "2028-02-29", "2028-03-01", "2028-03-01T06:00"),
            (Every::Week, "2026-11-26T06:00", "2026-11-16", "2026-11-23", "2026-11-30T06:00"),
            (Every::Week, "2026-11-30T06:00", "2026-11-23", "2026-11-30", "2026-12-07T06:00"),
            (Every::Month, "2026-01-31T23:59", "2025-12-01", "2026-01-01", "2026-02-01T06:00"),
            (Every::Month, "2026-12-01T06:00", "2026-11-01", "2026-12-01", "2027-01-01T06:00"),
        ] {
            assert_eq!(every.span(at(now)), (at(from), at(to)), "{every:?} {now}");
            assert_eq!(every.next(at(now), 6), at(next), "{every:?} {now}");
        }
    }

    /// only whoever may see a report gets it, and everything that is wrong is told at once.
    #[test]
    fn a_schedule_is_checked() {
        let role = |role: Role| role.built_in().expect("built in");
        let operators = [
            ("hedy".to_owned(), UserId::from_bits(1), role(Role::HelpDesk)),
            ("audra".to_owned(), UserId::from_bits(2), role(Role::Auditor)),
        ];
        let author = role(Role::Auditor);
        let known = Known { operators: &operators, author: &author, attachments: false };
        let keys = |draft: &ScheduleDraft| match draft.check(&known) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.into_iter().map(|fault| fault.key).collect::<Vec<_>>(),
        };
        let filters =
            |list: &[(&str, &str)]| list.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect();
        let good = ScheduleDraft {
            name: "Failures".to_owned(),
            report: "access_log".to_owned(),
            filters: filters(&[("result", "failure"), ("user", " ")]),
            receivers: vec!["Audra".to_owned(), "audra".to_owned()],
            ..ScheduleDraft::default()
        };
        let (_, says) = good.check(&known).expect("good");
        assert_eq!((says.receivers.len(), says.filters.len()), (1, 1));
        let bad = ScheduleDraft {
            name: String::new(),
            filters: filters(&[("result", "perhaps"), ("from", "2026-01-01"), ("colour", "red")]),
            hour: 24,
            attach: true,
            receivers: vec!["hedy".to_owned(), "nobody".to_owned()],
            ..good.clone()
        };
        let wrong =
            ["name", "filters.colour", "filters.from", "filters.result", "hour", "attach", "receivers", "receivers"];
        assert_eq!(keys(&bad), wrong);
        assert_eq!(keys(&ScheduleDraft { report: "weather".to_owned(), ..good.clone() }), ["report"]);
        assert_eq!(keys(&ScheduleDraft { receivers: Vec::new(), ..good }), ["receivers"]);
    }
}
