//! Log entries as syslog messages (RFC 5424). What is said stands in the message as one JSON object of ASCII characters, so that
//! no receiver has to guess an encoding; there is no structured data, because we have no enterprise number.

use super::timestamp::Timestamp;

/// Which part of a system a message is from (RFC 5424 6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facility(u8);

impl Facility {
    /// The facility with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "auth" => Some(Self(4)),
            "authpriv" => Some(Self(10)),
            "audit" => Some(Self(13)),
            _ => {
                let number = name.strip_prefix("local")?.parse::<u8>().ok()?;
                (number <= 7 && name.len() == 6).then_some(Self(16 + number))
            }
        }
    }
}

/// How grave a message is (RFC 5424 6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Something failed.
    Warning,
    /// Something was changed.
    Notice,
    /// Everyday business.
    Informational,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// From which part.
    pub facility: Facility,
    /// How grave.
    pub severity: Severity,
    /// When it happened.
    pub at: Timestamp,
    /// The host of the service.
    pub host: &'a str,
    /// Which log it is from: the MSGID.
    pub log: &'a str,
    /// What is said: a JSON object.
    pub says: &'a serde_json::Value,
}

impl Message<'_> {
    /// The message as it is sent, without the framing of the transport.
    #[must_use]
    pub fn text(&self) -> String {
        let severity = match self.severity {
            Severity::Warning => 4,
            Severity::Notice => 5,
            Severity::Informational => 6,
        };
        let priority = self.facility.0 * 8 + severity;
        let (host, log) = (name(self.host, 255), name(self.log, 32));
        format!("<{priority}>1 {} {host} vestibule - {log} - {}", stamp(self.at), ascii(&self.says.to_string()))
    }
}

/// A header field: printable ASCII without blanks, or `-` (RFC 5424 6).
fn name(text: &str, most: usize) -> String {
    let plain: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if plain.is_empty() { "-".to_owned() } else { plain }
}

/// A time with microseconds (RFC 5424 6.2.3).
fn stamp(at: Timestamp) -> String {
    let seconds = Timestamp::from_seconds(at.seconds()).rfc3339();
    let whole = seconds.get(..19).unwrap_or(&seconds);
    format!("{whole}.{:06}Z", at.micros().rem_euclid(1_000_000))
}

/// JSON with everything beyond ASCII, and DEL, written as escapes; it means the same.
fn ascii(json: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// R-566, RFC 5424 6.
    #[test]
    fn a_message_is_as_the_standard_has_it() {
        let says = json!({ "user": "Zoë \u{1f600}\n<13>1 x", "result": "success" });
        let facility = Facility::named("authpriv").expect("known");
        let at = Timestamp::from_micros(1_800_000_000_000_042);
        let (host, log) = ("login.example.com", "access");
        let message = Message { facility, severity: Severity::Informational, at, host, log, says: &says };
        let text = message.text();
        let head = "<86>1 2027-01-15T08:00:00.000042Z login.example.com vestibule - access - {";
        assert!(text.starts_with(head) && text.is_ascii() && !text.contains('\n'), "{text}");
        let (_, json) = text.split_once(" - access - ").expect("a message");
        assert_eq!(serde_json::from_str::<serde_json::Value>(json).expect("JSON"), says);
        assert_eq!(name("", 10), "-");
        assert_eq!(name("a b\u{e9}c", 10), "abc");
    }

    #[test]
    fn facilities_have_names() {
        for (name, number) in [("auth", 4), ("audit", 13), ("local0", 16), ("local7", 23)] {
            assert_eq!(Facility::named(name), Some(Facility(number)), "{name}");
        }
        for name in ["", "local8", "local07", "local-1", "kern", "Local0"] {
            assert_eq!(Facility::named(name), None, "{name}");
        }
    }
}
