//! Webhooks: programs of others that hear of alerts by a signed call.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::alert::Kind;
use super::fault::Fault;
use super::ids::WebhookId;
use super::name::{checked, key_of};
use super::timestamp::Timestamp;

/// So many there may be in a virtual server.
pub const MOST: usize = 20;
/// After so many tries, about 17 hours, a delivery is given up.
pub const MOST_TRIES: i64 = 10;
/// Nobody has answered well for this long when a delivery is given up: then the webhook is switched off.
pub const TOO_LONG: Duration = Duration::from_secs(12 * 3600);
/// So much of an answer is kept, in characters.
pub const ANSWER_KEPT: usize = 300;

/// A program that hears of alerts. Its secret is not here: it is opened where something is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its identifier.
    pub id: WebhookId,
    /// What it is.
    pub says: WebhookDraft,
    /// Grows with every change of what it is.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// The first failure after the last success.
    pub failing_since: Option<Timestamp>,
    /// When it was switched off because it failed too long; an operator may switch it on again.
    pub disabled_at: Option<Timestamp>,
    /// The last try.
    pub last: Option<Tried>,
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// When.
    pub at: Timestamp,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// What it said, or why there was none.
    pub answer: String,
}

impl Tried {
    /// An answer, or why there was none, as far as it is kept: one line, without control characters.
    #[must_use]
    pub fn new(at: Timestamp, status: Option<u16>, answer: &str) -> Self {
        let plain = answer.chars().map(|c| if c.is_control() { ' ' } else { c });
        Self { at, status, answer: plain.take(ANSWER_KEPT).collect::<String>().trim().to_owned() }
    }

    /// Whether it arrived.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }

    /// What is shown of it.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.status, self.answer.as_str()) {
            (Some(status), "") => format!("status {status}"),
            (Some(status), answer) => format!("status {status}: {answer}"),
            (None, answer) => answer.to_owned(),
        }
    }
}

/// What an operator types.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[schemars(rename = "WebhookDraft")]
#[serde(deny_unknown_fields)]
pub struct WebhookDraft {
    /// What it is called, 1 to 100 characters.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// Where it is: an address that begins with `https://`, at most 1000 characters.
    #[schemars(length(min = 1, max = 1000))]
    pub url: String,
    /// What it hears of.
    pub kinds: Vec<Kind>,
    /// Whether it is called at all.
    pub enabled: bool,
}

impl WebhookDraft {
    /// The same as it is stored: blanks around are gone, and each kind is there once, in the order of the list.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn check(&self) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let name = self.name.trim();
        match checked(name) {
            Ok(_) if name.chars().count() > 100 => faults.push(Fault::new("name", "has more than 100 characters")),
            Ok(_) => {}
            Err(wrong) => faults.push(Fault::new("name", wrong.to_string())),
        }
        let url = self.url.trim();
        if url.is_empty() || url.len() > 1000 || url.contains('#') || url.chars().any(char::is_whitespace) {
            let words =
                "must be an address such as https://hooks.example.com/vestibule, without # and at most 1000 characters";
            faults.push(Fault::new("url", words));
        }
        let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| self.kinds.contains(kind)).collect();
        if kinds.is_empty() {
            faults.push(Fault::new("kinds", "names nothing: choose at least one kind of alert"));
        }
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Self { name: name.to_owned(), url: url.to_owned(), kinds, enabled: self.enabled })
    }

    /// The form in which names are compared.
    #[must_use]
    pub fn name_key(&self) -> String {
        key_of(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// everything that is wrong is told at once.
    #[test]
    fn a_webhook_is_checked() {
        let keys = |draft: &WebhookDraft| match draft.check() {
            Ok(_) => Vec::new(),
            Err(faults) => faults.into_iter().map(|fault| fault.key).collect::<Vec<_>>(),
        };
        assert_eq!(keys(&WebhookDraft::default()), ["name", "url", "kinds"]);
        let good = WebhookDraft {
            name: " Watch ".to_owned(),
            url: "https://hooks.example.com/a".to_owned(),
            kinds: vec![Kind::WebhookDisabled, Kind::PasscodeReuse, Kind::WebhookDisabled],
            enabled: true,
        };
        let stored = good.check().expect("good");
        assert_eq!((stored.name.as_str(), stored.kinds), ("Watch", vec![Kind::PasscodeReuse, Kind::WebhookDisabled]));
        assert_eq!(keys(&WebhookDraft { url: "https://x.test/#y".to_owned(), ..good.clone() }), ["url"]);
        assert_eq!(keys(&WebhookDraft { name: "x\r\ny".to_owned(), ..good }), ["name"]);
    }

    #[test]
    fn an_answer_is_one_short_line() {
        let at = Timestamp::from_seconds(0);
        let tried = Tried::new(at, Some(503), &format!("a\r\nb{}", "x".repeat(1000)));
        assert!(!tried.is_good() && tried.answer.starts_with("a  b") && tried.answer.chars().count() == ANSWER_KEPT);
        assert_eq!(Tried::new(at, Some(204), "").words(), "status 204");
        assert!(!Tried::new(at, None, "no way").is_good());
    }
}
