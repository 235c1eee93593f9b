//! Texts of a virtual server's own, in the place of ours: mails as a whole, and single texts of pages, each in one language
//!
//!
//! A text names values by tags, `{code}`. There is nothing else in it that would be carried out: no conditions, no calls, no
//! mark-up. What a value says is never looked at for tags (T-27).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::fault::Fault;

/// The longest subject, in characters.
pub const LONGEST_SUBJECT: usize = 150;
/// The longest mail, in characters.
pub const LONGEST_MAIL: usize = 8000;
/// The longest text of a page, in characters.
pub const LONGEST_TEXT: usize = 1000;
/// How many texts of its own a virtual server may have: every text of ours in every language would be some thousands.
pub const MOST: usize = 5000;

/// A name for a value, and what the value is.
pub type Tag = (&'static str, &'static str);

/// A kind of mail that can have words of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailKind {
    /// Its stable name: that of `Letter::kind`.
    pub id: &'static str,
    /// Its name for operators.
    pub title: &'static str,
    /// When it is sent.
    pub sent: &'static str,
    tags: &'static [Tag],
    needs: Option<Need>,
}

/// A tag that must be there, and why.
pub type Need = (&'static str, &'static str);

/// Values that every mail knows.
const ALWAYS: [Tag; 4] = [
    ("name", "the receiver's name"),
    ("account", "the user name of the account that it is about; empty where it is about nobody"),
    ("organization", "the organization's name"),
    ("help", "how to reach the help desk"),
];
const TIME: Tag = ("time", "when it happened, with its zone");
const ADDRESS: Tag = ("address", "the network address that it came from");
const INVITED: [Tag; 5] = [
    ("link", "the button that leads to the enrollment; alone on its line"),
    ("code", "the code that the page may ask for"),
    ("stop_date", "the last day on which the link works"),
    ("stop_time", "the time of that day, in UTC"),
    ("activation", "the activation string, where mails may show it; alone on its line"),
];
const GONE: [(&str, &str); 4] =
    [("device", "what the device is called"), ("serial", "the authenticator's serial number"), TIME, ADDRESS];
const NEEDS_LINK: Option<Need> = Some(("link", "without the link nobody can enroll"));

/// Every kind of mail, in the order of the console.
pub const MAILS: [MailKind; 18] = [
    MailKind {
        id: "verification_code",
        title: "Verification code",
        sent: "Proves a mailbox before an authenticator is added at the login.",
        tags: &[
            ("code", "the code; alone on its line it is shown large"),
            ("application", "the application that the person wants to reach"),
            ("minutes", "for how many minutes the code is valid"),
        ],
        needs: Some(("code", "without the code nobody can go on")),
    },
    MailKind {
        id: "enrolled",
        title: "Authenticator added",
        sent: "Tells the person that an authenticator was added, and how to stop it.",
        tags: &[
            ("device", "what the device is called, and where the authenticator lives"),
            ("serial", "the authenticator's serial number"),
            TIME,
            ADDRESS,
            ("link", "the button “This was not me”; alone on its line"),
        ],
        needs: Some(("link", "without the link nobody can stop an authenticator that a stranger added")),
    },
    MailKind {
        id: "removed_on_device",
        title: "Authenticator removed on the device",
        sent: "When somebody took the authenticator out of the app.",
        tags: &GONE,
        needs: None,
    },
    MailKind {
        id: "removed_in_portal",
        title: "Authenticator removed in the portal",
        sent: "When somebody removed an authenticator in the user portal.",
        tags: &GONE,
        needs: None,
    },
    MailKind {
        id: "lost_in_portal",
        title: "Authenticator reported lost",
        sent: "When somebody reported an authenticator lost in the user portal, which stops it.",
        tags: &GONE,
        needs: None,
    },
    MailKind {
        id: "enrollment",
        title: "Self-enrollment",
        sent: "Asks somebody to enroll: tasks and rules of provisioning.",
        tags: &INVITED,
        needs: NEEDS_LINK,
    },
    MailKind {
        id: "enrollment_reminder",
        title: "Enrollment reminder",
        sent: "Some days before the stop date of a task.",
        tags: &INVITED,
        needs: NEEDS_LINK,
    },
    MailKind {
        id: "account_locked",
        title: "Account locked",
        sent: "After too many wrong attempts.",
        tags: &[("until", "a sentence that says when the account unlocks, or who can unlock it")],
        needs: None,
    },
    MailKind {
        id: "account_unlocked",
        title: "Account unlocked",
        sent: "When a locked account works again.",
        tags: &[],
        needs: None,
    },
    MailKind {
        id: "passcode_reused",
        title: "Passcode used twice",
        sent: "When a passcode was tried again.",
        tags: &[("application", "the application at whose login it was tried"), TIME, ADDRESS],
        needs: None,
    },
    MailKind {
        id: "address_changed",
        title: "Mail address changed",
        sent: "To the address before.",
        tags: &[TIME],
        needs: None,
    },
    MailKind {
        id: "recovery_codes_made",
        title: "Recovery codes made",
        sent: "When somebody made new recovery codes.",
        tags: &[TIME, ADDRESS],
        needs: None,
    },
    MailKind {
        id: "recovery_code_used",
        title: "Recovery code used",
        sent: "When a recovery code was used.",
        tags: &[TIME, ADDRESS, ("left", "how many codes are left")],
        needs: None,
    },
    MailKind {
        id: "help_desk_code",
        title: "Help desk pass",
        sent: "When the help desk gave out a pass or temporary codes.",
        tags: &[TIME],
        needs: None,
    },
    MailKind {
        id: "alert",
        title: "Operator alert",
        sent: "To those who hear at once of what happens.",
        tags: &[
            ("alert", "what it is about, in a few words"),
            ("explanation", "what happened and what to do, in sentences"),
            ("person", "the user name of the person it is about; may be empty"),
            ("serial", "the authenticator's serial number; may be empty"),
            ("application", "the application; may be empty"),
            ("detail", "what else is known, in English; may be empty"),
            TIME,
            ADDRESS,
        ],
        needs: None,
    },
    MailKind {
        id: "alerts_gathered",
        title: "Operator alerts of a burst",
        sent: "When more alerts of a kind came in an hour than are told one by one.",
        tags: &[
            ("alert", "what they are about, in a few words"),
            ("count", "how many there were"),
            ("from", "when the first of them was"),
            ("until", "when the last of them was"),
            ("people", "the user names that are most often among them; may be empty"),
        ],
        needs: None,
    },
    MailKind {
        id: "report",
        title: "Scheduled report",
        sent: "To operators who want a report regularly. Its table is attached where the tenant wants that.",
        tags: &[
            ("report", "what the report is called"),
            ("from", "the beginning of its span"),
            ("until", "the end of its span"),
            ("rows", "how many rows it has"),
            ("link", "the button that leads to the report at the console; alone on its line"),
        ],
        needs: Some(("link", "without the link nobody finds the report")),
    },
    MailKind { id: "test", title: "Test", sent: "By an operator.", tags: &[], needs: None },
];

/// The kind of mail with this stable name.
#[must_use]
pub fn mail(id: &str) -> Option<&'static MailKind> {
    MAILS.iter().find(|kind| kind.id == id)
}

/// A text that can be replaced: what its own words must be like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Its name: `mail.<kind>` or `page.<key>`.
    pub name: String,
    /// The tags that it may have, and what each stands for.
    pub tags: Vec<(String, String)>,
    /// The tag that it must have, and why.
    pub needs: Option<Need>,
    /// Whether it is a mail, which has a subject.
    pub is_mail: bool,
}

impl Slot {
    /// The slot of a kind of mail.
    #[must_use]
    pub fn of_mail(kind: &MailKind) -> Self {
        let tags = ALWAYS.iter().chain(kind.tags).map(|(tag, means)| ((*tag).to_owned(), (*means).to_owned()));
        Self { name: format!("mail.{}", kind.id), tags: tags.collect(), needs: kind.needs, is_mail: true }
    }

    /// The slot of the text `key` of pages, which mentions these values.
    #[must_use]
    pub fn of_page(key: &str, values: &[String]) -> Self {
        let tags = values.iter().map(|value| (value.clone(), String::new())).collect();
        Self { name: format!("page.{key}"), tags, needs: None, is_mail: false }
    }

    /// The kind of mail that it is; `None` for a text of a page.
    #[must_use]
    pub fn kind(&self) -> Option<&'static MailKind> {
        self.name.strip_prefix("mail.").and_then(mail)
    }

    fn knows(&self, tag: &str) -> bool {
        self.tags.iter().any(|(known, _)| known == tag)
    }

    /// What is wrong with words for it; `words` as they come out of [`Words::tidied`].
    #[must_use]
    pub fn faults(&self, words: &Words) -> Vec<Fault> {
        let mut faults = Vec::new();
        let (least, longest) = if self.is_mail { (1, LONGEST_MAIL) } else { (1, LONGEST_TEXT) };
        self.look_at("body", &words.body, least..=longest, &mut faults);
        if !self.is_mail {
            if !words.subject.is_empty() {
                faults.push(Fault::new("subject", "must be empty: only mails have one"));
            }
            if words.body.contains('\n') {
                faults.push(Fault::new("body", "must be one line"));
            }
            return faults;
        }
        self.look_at("subject", &words.subject, 1..=LONGEST_SUBJECT, &mut faults);
        if words.subject.contains('\n') {
            faults.push(Fault::new("subject", "must be one line"));
        }
        for tag in ["code", "link", "activation"] {
            if words.subject.contains(&format!("{{{tag}}}")) {
                // Lock screens show subjects to whoever looks.
                faults.push(Fault::new("subject", format!("must not have {{{tag}}}: subjects are seen by others")));
            }
        }
        for tag in ["link", "activation"] {
            let tag = format!("{{{tag}}}");
            if words.body.lines().any(|line| line.contains(&tag) && line.trim() != tag) {
                faults.push(Fault::new("body", format!("must have {tag} alone on its line: it becomes a button")));
            }
        }
        if let Some((tag, why)) = self.needs
            && !words.body.contains(&format!("{{{tag}}}"))
        {
            faults.push(Fault::new("body", format!("must have {{{tag}}}: {why}")));
        }
        if self.name == "mail.verification_code" && has_link(&words.body) {
            let why = "must have no address: people learn that this mail has no link, so that a forged one is noticed";
            faults.push(Fault::new("body", why));
        }
        faults
    }

    fn look_at(&self, key: &str, text: &str, length: std::ops::RangeInclusive<usize>, faults: &mut Vec<Fault>) {
        if !length.contains(&text.chars().count()) {
            let words = format!("must have {} to {} characters", length.start(), length.end());
            faults.push(Fault::new(key, words));
        }
        if text.chars().any(|c| c.is_control() && c != '\n') {
            faults.push(Fault::new(key, "must have no control characters"));
        }
        match parts(text) {
            Err(at) => {
                let words =
                    "has a brace that does not belong to a tag; tags are written like {name}, nothing else has braces";
                faults.push(Fault::new(key, format!("{words}: “{at}”")));
            }
            Ok(parts) => {
                let unknown = parts.iter().filter_map(|part| match part {
                    Part::Tag(tag) if !self.knows(tag) => Some(*tag),
                    _ => None,
                });
                for tag in unknown {
                    let known: Vec<String> = self.tags.iter().map(|(tag, _)| format!("{{{tag}}}")).collect();
                    let known = if known.is_empty() { "there are none".to_owned() } else { known.join(", ") };
                    faults.push(Fault::new(key, format!("has an unknown tag {{{tag}}}: {known}")));
                }
            }
        }
    }
}

/// Whether mail programs would make a link of something in it.
fn has_link(text: &str) -> bool {
    let text = text.to_lowercase();
    text.contains("://") || text.contains("www.")
}

/// Words for a slot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// The subject of a mail; empty for texts of pages.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// The mail without greeting lines of ours and with none of our footer; or the text of the page.
    pub body: String,
}

impl Words {
    /// Without what nobody sees: blanks at the ends of lines, carriage returns, empty lines around and in a row.
    #[must_use]
    pub fn tidied(&self) -> Self {
        let mut body: Vec<&str> = Vec::new();
        for line in self.body.lines().map(str::trim_end) {
            if !(line.is_empty() && body.last().is_none_or(|before| before.is_empty())) {
                body.push(line);
            }
        }
        while body.last().is_some_and(|line| line.is_empty()) {
            body.pop();
        }
        Self { subject: self.subject.trim().to_owned(), body: body.join("\n") }
    }
}

/// Words of a virtual server's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The slot: `mail.<kind>` or `page.<key>`.
    pub name: String,
    /// The tag of the language.
    pub language: String,
    /// The words.
    pub words: Words,
    /// That of the configuration with which it was changed: it grows with each change, and none comes twice.
    pub version: i64,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Messages(BTreeMap<String, BTreeMap<String, Message>>);

impl Messages {
    /// The words for a slot in a language.
    #[must_use]
    pub fn get(&self, language: &str, name: &str) -> Option<&Message> {
        self.0.get(language)?.get(name)
    }

    /// The text of a page, with its values in place of its tags; `None` if there is no own one.
    #[must_use]
    pub fn page(&self, language: &str, key: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
        // Most have none: then this costs one look.
        let of_language = self.0.get(language)?;
        let message = of_language.get(&format!("page.{key}"))?;
        Some(filled(&message.words.body, value))
    }

    /// Every one, by language and name.
    pub fn iter(&self) -> impl Iterator<Item = &Message> {
        self.0.values().flat_map(BTreeMap::values)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }
}

impl FromIterator<Message> for Messages {
    fn from_iter<T: IntoIterator<Item = Message>>(messages: T) -> Self {
        let mut all: BTreeMap<String, BTreeMap<String, Message>> = BTreeMap::new();
        for message in messages {
            all.entry(message.language.clone()).or_default().insert(message.name.clone(), message);
        }
        Self(all)
    }
}

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Words as they stand.
    Words(&'a str),
    /// The name of a value.
    Tag(&'a str),
}

/// The pieces of a text.
///
/// # Errors
/// Where a brace stands that does not belong to a tag: some characters from there on.
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, String> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        let (words, from) = rest.split_at(at);
        let wrong = || from.chars().take(20).collect::<String>();
        let (tag, after) = from.strip_prefix('{').and_then(|inside| inside.split_once('}')).ok_or_else(wrong)?;
        let is_tag = !tag.is_empty() && tag.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if !is_tag {
            return Err(wrong());
        }
        if !words.is_empty() {
            parts.push(Part::Words(words));
        }
        parts.push(Part::Tag(tag));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Words(rest));
    }
    Ok(parts)
}

/// A text with its values in place of its tags. What is no tag, or a tag without a value, stays as it stands: it is never
/// looked at a second time.
#[must_use]
pub fn filled(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let Ok(parts) = parts(text) else { return text.to_owned() };
    let fill = |part| match part {
        Part::Words(words) => words.to_owned(),
        Part::Tag(tag) => value(tag).unwrap_or_else(|| format!("{{{tag}}}")),
    };
    parts.into_iter().map(fill).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(subject: &str, body: &str) -> Words {
        Words { subject: subject.to_owned(), body: body.to_owned() }.tidied()
    }

    fn told(kind: &str, subject: &str, body: &str) -> String {
        let faults = Slot::of_mail(mail(kind).expect("a kind")).faults(&words(subject, body));
        faults.into_iter().map(|fault| format!("{} {}", fault.key, fault.words)).collect::<Vec<_>>().join("; ")
    }

    ///
    #[test]
    fn a_mail_has_known_tags_and_what_it_is_for() {
        for (kind, subject, body, expected) in [
            ("enrollment", "Welcome", "Hello {name},\n\n{link}", ""),
            ("enrollment", "Welcome", "Hello {name}", "body must have {link}"),
            ("enrollment", "Welcome", "Press {link} now", "alone on its line"),
            ("enrollment", "Welcome", "{link}\n{colour}", "unknown tag {colour}: {name}, {account}"),
            ("enrollment", "Welcome {code}", "{link}", "subject must not have {code}"),
            ("enrollment", "", "{link}", "subject must have 1 to 150 characters"),
            ("enrollment", "a\u{7}", "{link}", "no control characters"),
            ("verification_code", "Code", "{code}", ""),
            ("verification_code", "Code", "Now", "body must have {code}"),
            ("verification_code", "Code", "{code} https://evil.example", "must have no address"),
            ("enrolled", "New", "{device}", "body must have {link}"),
            ("test", "Test", "", "body must have 1 to 8000"),
        ] {
            let told = told(kind, subject, body);
            assert!(if expected.is_empty() { told.is_empty() } else { told.contains(expected) }, "{body}: {told}");
        }
        let page = Slot::of_page("login-title", &["application".to_owned()]);
        assert!(page.faults(&words("", "To {application}")).is_empty());
        for (subject, body) in [("x", "a"), ("", "a\nb"), ("", ""), ("", "{organization}")] {
            assert!(!page.faults(&words(subject, body)).is_empty(), "{subject} {body}");
        }
    }

    /// AC-39, T-27: what other template languages would carry out stays as it is, or is refused.
    #[test]
    fn nothing_is_carried_out() {
        for text in ["{{7*7}}", "${7*7}", "#{7*7}", "{%x%}", "{ name }", "{}", "{name", "name}", "{Name}", "{{name}}"] {
            assert!(told("test", "Test", text).contains("brace"), "{text}");
            assert_eq!(filled(text, |_| Some("49".to_owned())), text, "{text}");
        }
        for text in ["<%= 7*7 %>", "[[7*7]]", "<script>alert(7*7)</script>", "$(7*7)", "`7*7`"] {
            assert_eq!(told("test", "Test", text), "", "{text}");
            assert_eq!(filled(text, |_| Some("49".to_owned())), text, "{text}");
        }
        // A value is not looked at for tags.
        let name = |tag: &str| (tag == "name").then(|| "{code} {{7*7}}".to_owned());
        assert_eq!(filled("Hello {name}, {code}", name), "Hello {code} {{7*7}}, {code}");
    }

    #[test]
    fn blanks_that_nobody_sees_are_left_out() {
        let tidy = words(" A ", "\r\n\r\nHello  \r\n\r\n\r\n\r\nyou\r\n\r\n");
        assert_eq!((tidy.subject.as_str(), tidy.body.as_str()), ("A", "Hello\n\nyou"));
        assert_eq!(tidy, tidy.tidied());
    }

    #[test]
    fn each_kind_of_mail_is_named_once() {
        let mut ids: Vec<&str> = MAILS.iter().map(|kind| kind.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), MAILS.len());
        for kind in &MAILS {
            assert!(kind.needs.is_none_or(|(tag, _)| Slot::of_mail(kind).knows(tag)), "{}", kind.id);
        }
    }
}
