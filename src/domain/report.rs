//! What operators read: access log, authentication log, audit trail and enrollment history as tables, with their columns and what
//! each is narrowed by.

use std::collections::BTreeMap;

/// Which table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One entry for each access attempt.
    Access,
    /// One entry for each credential that was shown.
    Authentication,
    /// Every event.
    Audit,
    /// Every enrollment that somebody began.
    Enrollment,
}

/// What a table is narrowed by, as it was typed: names of filters with their values. Empty ones do not count.
#[derive(Debug, Clone, Default)]
pub struct Asked(pub BTreeMap<String, String>);

/// What is wrong with a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Which.
    pub filter: &'static str,
    /// What is wrong, and what is right.
    pub message: String,
}

/// A filter of a table.
#[derive(Debug, Clone, Copy)]
pub struct FilterField {
    /// Its name.
    pub id: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// What it may be; empty for any text.
    pub choices: &'static [&'static str],
}

const fn field(id: &'static str, label: &'static str) -> FilterField {
    FilterField { id, label, choices: &[] }
}

const fn choice(id: &'static str, label: &'static str, choices: &'static [&'static str]) -> FilterField {
    FilterField { id, label, choices }
}

const FROM: FilterField = field("from", "From (UTC)");
const TO: FilterField = field("to", "Before (UTC)");
const LOGIN: FilterField = field("correlation", "Login (correlation)");

impl Kind {
    /// Its published name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Access => "access_log",
            Self::Authentication => "authentication_log",
            Self::Audit => "audit_log",
            Self::Enrollment => "enrollment_history",
        }
    }

    /// Its filters.
    #[must_use]
    pub const fn filters(self) -> &'static [FilterField] {
        match self {
            Self::Access => {
                const {
                    &[
                        FROM,
                        TO,
                        field("user", "User name"),
                        field("application", "Application"),
                        choice("result", "Result", &["success", "failure", "denied"]),
                        field("reason", "Reason"),
                        LOGIN,
                    ]
                }
            }
            Self::Authentication => {
                const {
                    &[
                        FROM,
                        TO,
                        field("user", "User name"),
                        choice("result", "Result", &["success", "failure"]),
                        choice(
                            "credential",
                            "Credential",
                            &["password", "passcode", "pin", "recovery_code", "temporary_code", "pass", "mailed_code"],
                        ),
                        LOGIN,
                    ]
                }
            }
            Self::Audit => {
                const {
                    &[
                        FROM,
                        TO,
                        choice("by", "By", &["operators", "user", "stranger", "device", "system"]),
                        field("subject", "User name or identifier"),
                        field("action", "Action"),
                        field("object", "Object"),
                        LOGIN,
                    ]
                }
            }
            Self::Enrollment => {
                const {
                    &[
                        FROM,
                        TO,
                        field("user", "User name"),
                        field("group", "Group"),
                        choice("result", "Result", &["completed", "open", "abandoned", "failed", "superseded"]),
                        choice("method", "Method", &["self_provisioning", "email_link", "portal"]),
                        field("platform", "Platform"),
                    ]
                }
            }
        }
    }

    /// Its columns: stable names, and what they are called.
    #[must_use]
    pub const fn columns(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Access => &[
                ("time", "Time"),
                ("user", "User"),
                ("email", "Email"),
                ("alias", "Alias"),
                ("application", "Application"),
                ("type", "Type"),
                ("result", "Result"),
                ("reason", "Reason"),
                ("policy", "Policy"),
                ("scenario", "Scenario"),
                ("credentials", "Credentials"),
                ("address", "Address"),
                ("correlation", "Login"),
            ],
            Self::Authentication => &[
                ("time", "Time"),
                ("user", "User"),
                ("serial", "Serial number"),
                ("credential", "Credential"),
                ("action", "Action"),
                ("result", "Result"),
                ("message", "Message"),
                ("address", "Address"),
                ("correlation", "Login"),
            ],
            Self::Audit => &[
                ("time", "Time"),
                ("by", "By"),
                ("actor", "Who"),
                ("action", "Action"),
                ("object", "Object"),
                ("object_id", "Identifier"),
                ("address", "Address"),
                ("old", "Before"),
                ("new", "After"),
                ("detail", "Detail"),
                ("correlation", "Login"),
                ("event", "Event"),
            ],
            Self::Enrollment => &[
                ("time", "Begun"),
                ("user", "User"),
                ("name", "Name"),
                ("method", "Method"),
                ("step", "Step reached"),
                ("result", "Result"),
                ("reason", "Reason"),
                ("platform", "Platform"),
                ("device", "Device"),
                ("app_version", "App version"),
                ("serial", "Serial number"),
                ("template_version", "Template version"),
                ("address", "Address"),
                ("application", "Application"),
                ("task", "Task"),
                ("rule", "Rule"),
                ("seconds", "Duration (seconds)"),
                ("correlation", "Login"),
                ("brought_by", "Activation brought by"),
            ],
        }
    }

    /// The stable names of its columns alone.
    #[must_use]
    pub const fn column_ids(self) -> &'static [&'static str] {
        match self {
            Self::Access => &[
                "time",
                "user",
                "email",
                "alias",
                "application",
                "type",
                "result",
                "reason",
                "policy",
                "scenario",
                "credentials",
                "address",
                "correlation",
            ],
            Self::Authentication => {
                &["time", "user", "serial", "credential", "action", "result", "message", "address", "correlation"]
            }
            Self::Audit => &[
                "time",
                "by",
                "actor",
                "action",
                "object",
                "object_id",
                "address",
                "old",
                "new",
                "detail",
                "correlation",
                "event",
            ],
            Self::Enrollment => &[
                "time",
                "user",
                "name",
                "method",
                "step",
                "result",
                "reason",
                "platform",
                "device",
                "app_version",
                "serial",
                "template_version",
                "address",
                "application",
                "task",
                "rule",
                "seconds",
                "correlation",
                "brought_by",
            ],
        }
    }
}

#[cfg(test)]
mod column_tests {
    use super::*;

    #[test]
    fn the_names_of_columns_are_those_of_the_columns() {
        for kind in [Kind::Access, Kind::Authentication, Kind::Audit, Kind::Enrollment] {
            let ids: Vec<&str> = kind.columns().iter().map(|(id, _)| *id).collect();
            assert_eq!(ids, kind.column_ids(), "{}", kind.id());
        }
    }
}
