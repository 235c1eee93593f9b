//! A letter in words: subject, plain text and HTML, in the receiver's language.

use askama::Template;
use data_encoding::BASE32_NOPAD_NOCASE;

use crate::domain::activation::string::ActivationString;
use crate::domain::letter::{Envelope, Invitation, Letter};
use crate::domain::message::Words;
use crate::domain::policy::platform::Platform;
use crate::domain::provisioning_task::TokenType;
use crate::domain::secret::SecretBytes;
use crate::domain::tenant::TenantCode;
use crate::domain::timestamp::Timestamp;
use crate::i18n::{Language, Texts, Value};
use crate::urls::Urls;

mod own;
pub mod sample;

pub use own::{ours_for, preview};

pub use crate::domain::letter::Written as Rendered;

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct Text<'a> {
    letter: &'a Sheet,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'a> {
    letter: &'a Sheet,
}

/// A letter as it is drawn.
#[derive(Debug)]
pub struct Sheet {
    language: &'static str,
    organization: String,
    /// The subject: one line.
    pub subject: String,
    /// From top to bottom.
    pub blocks: Vec<Block>,
    /// Below everything.
    pub footer: String,
}

/// A piece of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// Lines that belong together.
    Paragraph(Vec<String>),
    /// A code, large.
    Code(String),
    /// Names and values.
    Facts(Vec<(String, String)>),
    /// The one link of the letter.
    Link {
        /// What it says.
        words: String,
        /// Where it leads.
        address: String,
    },
    /// What must be copied as it stands.
    Copy {
        /// What it is.
        words: String,
        /// The text.
        text: String,
    },
}

/// What a letter of ours is made of.
#[derive(Debug)]
struct Parts {
    subject: String,
    greeting: String,
    /// Paragraphs before the code or the facts.
    before: Vec<String>,
    /// The code, on a line of its own.
    code: Option<String>,
    /// Names and values.
    facts: Vec<(String, String)>,
    /// Paragraphs after them.
    after: Vec<String>,
    /// What the one link of the letter says, and where it leads.
    link: Option<(String, String)>,
    /// What must be copied as it stands, each with what it is.
    strings: Vec<(String, String)>,
}

impl Parts {
    fn blocks(self) -> Vec<Block> {
        let paragraph = |text| Block::Paragraph(vec![text]);
        let mut blocks = vec![paragraph(self.greeting)];
        blocks.extend(self.before.into_iter().map(paragraph));
        blocks.extend(self.code.map(Block::Code));
        if !self.facts.is_empty() {
            blocks.push(Block::Facts(self.facts));
        }
        blocks.extend(self.after.into_iter().map(paragraph));
        blocks.extend(self.link.map(|(words, address)| Block::Link { words, address }));
        blocks.extend(self.strings.into_iter().map(|(words, text)| Block::Copy { words, text }));
        blocks
    }
}

/// Writes the letter in `envelope`, in the words of the virtual server if it has `own` ones.
#[must_use]
pub fn render(texts: &Texts, urls: &Urls, envelope: &Envelope, own: Option<&Words>) -> Rendered {
    let sheet = sheet(texts, urls, envelope, own);
    Rendered {
        subject: one_line(&sheet.subject),
        // The templates are compiled in and write to memory.
        text: Text { letter: &sheet }.render().unwrap_or_default(),
        html: Html { letter: &sheet }.render().unwrap_or_default(),
        table: match &envelope.letter {
            Letter::Report { table, .. } => table.clone(),
            _ => None,
        },
    }
}

/// The letter as it is drawn, for a preview.
#[must_use]
pub fn sheet(texts: &Texts, urls: &Urls, envelope: &Envelope, own: Option<&Words>) -> Sheet {
    let language = Language::of_tag(&envelope.language).unwrap_or(Language::English);
    let words = Writer { texts, language };
    let parts = parts(&words, urls, envelope);
    let base = [("organization", Value::from(&envelope.organization))];
    let footer = if envelope.help_contact.is_empty() {
        words.say("mail-footer", &base)
    } else {
        words.say("mail-footer-help", &[base[0].clone(), ("contact", Value::from(&envelope.help_contact))])
    };
    let (subject, blocks) = match own {
        Some(own) => own::written(own, &parts, &own::values(&words, urls, envelope), &envelope.letter),
        None => (parts.subject.clone(), parts.blocks()),
    };
    Sheet { language: language.tag(), organization: envelope.organization.clone(), subject, blocks, footer }
}

/// A header is one line: whatever a name in it says, it cannot begin another header (T-26).
fn one_line(subject: &str) -> String {
    subject.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

/// A name without the words of it that mail programs would make a link of: nobody sends people elsewhere in our name
/// (T-30).
fn no_link(name: &str) -> String {
    let link = |word: &str| word.contains("://") || word.to_ascii_lowercase().contains("www.");
    name.split_whitespace().filter(|word| !link(word)).collect::<Vec<_>>().join(" ")
}

/// Day and time of day, in UTC.
fn day_and_time(at: Timestamp) -> (String, String) {
    let text = at.rfc3339();
    let (day, rest) = text.split_once('T').unwrap_or((&text, ""));
    (day.to_owned(), rest.chars().take(5).collect())
}

struct Writer<'a> {
    texts: &'a Texts,
    language: Language,
}

impl Writer<'_> {
    fn say(&self, key: &str, values: &[(&'static str, Value)]) -> String {
        self.texts.plain(self.language, key, values)
    }

    /// A time as people read it, with its zone.
    fn time(&self, at: Timestamp) -> String {
        let (day, clock) = day_and_time(at);
        self.say("mail-time", &[("day", day.into()), ("time", clock.into())])
    }

    /// What a device is called, and where the authenticator lives.
    fn device(&self, name: &str, platform: Platform) -> String {
        let platform = self.say(&platform.text("name"), &[]);
        let name = no_link(name);
        if name.is_empty() { platform } else { format!("{name} ({platform})") }
    }

    /// When an account unlocks, or who can unlock it, and what the login page does not say until then.
    fn until(&self, until: Option<Timestamp>, hidden: bool) -> String {
        let when = match until {
            Some(until) => self.say("mail-account-locked-until", &[("time", self.time(until).into())]),
            None => self.say("mail-account-locked-operator", &[]),
        };
        if hidden { format!("{when} {}", self.say("mail-account-locked-hidden", &[])) } else { when }
    }
}

fn parts(words: &Writer<'_>, urls: &Urls, envelope: &Envelope) -> Parts {
    let organization = Value::from(&envelope.organization);
    let base = [("organization", organization.clone())];
    let kind = envelope.letter.kind().replace('_', "-");
    let key = |part: &str| format!("mail-{kind}-{part}");
    let count = match &envelope.letter {
        Letter::AlertsGathered { count, .. } => Some(("count", Value::Number(*count))),
        _ => None,
    };
    let of_subject: Vec<_> = base.iter().cloned().chain(count).collect();
    let mut parts = Parts {
        subject: words.say(&key("subject"), &of_subject),
        greeting: words.say("mail-greeting", &[("name", Value::from(no_link(&envelope.name)))]),
        before: Vec::new(),
        code: None,
        facts: Vec::new(),
        after: Vec::new(),
        link: None,
        strings: Vec::new(),
    };
    match &envelope.letter {
        Letter::Alert { kind, at, person, serial, application, address, detail } => {
            let about = format!("alert-{}", kind.id().replace('_', "-"));
            parts.subject = format!("{} · {}", words.say(&about, &[]), parts.subject);
            parts.before.push(words.say(&format!("{about}-text"), &[]));
            let known = [
                ("mail-alert-person", person.clone()),
                ("mail-serial", serial.clone()),
                ("mail-alert-application", application.clone()),
                ("mail-when", words.time(*at)),
                ("mail-address", address.clone()),
                ("mail-alert-detail", no_link(detail)),
            ];
            let known: Vec<_> = known.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            parts.facts = facts(words, &known);
            parts.after.push(words.say(&key("after"), &[]));
        }
        Letter::AlertsGathered { kind, count, from, until, people } => {
            let about = words.say(&format!("alert-{}", kind.id().replace('_', "-")), &[]);
            parts.subject = format!("{about} · {}", parts.subject);
            parts.before.push(words.say(&key("before"), &[("count", Value::Number(*count))]));
            let known = [
                ("mail-alerts-gathered-first", words.time(*from)),
                ("mail-alerts-gathered-last", words.time(*until)),
                ("mail-alerts-gathered-people", no_link(&people.join(", "))),
            ];
            let known: Vec<_> = known.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            parts.facts = facts(words, &known);
            parts.after.push(words.say(&key("after"), &[]));
        }
        Letter::VerificationCode { code, application, valid_minutes, in_subject } => {
            let values = [("application", Value::from(application)), base[0].clone()];
            parts.before.push(words.say(&key("before"), &values));
            parts.code = Some(code.clone());
            parts.after.push(words.say(&key("after"), &[("minutes", Value::Number(*valid_minutes))]));
            if *in_subject {
                parts.subject = format!("{code} · {}", parts.subject);
            }
        }
        Letter::Enrolled { device, platform, serial, at, address, undo } => {
            parts.before.push(words.say(&key("before"), &base));
            let device = words.device(device, *platform);
            parts.facts = facts(
                words,
                &[
                    ("mail-device", device),
                    ("mail-serial", serial.clone()),
                    ("mail-when", words.time(*at)),
                    ("mail-address", address.clone()),
                ],
            );
            parts.after.push(words.say(&key("after"), &[]));
            let code: Option<TenantCode> = envelope.tenant_code.parse().ok();
            parts.link = code.map(|code| (words.say(&key("link"), &[]), urls.not_me(&code, undo)));
        }
        Letter::RemovedOnDevice { device, serial, at, address }
        | Letter::RemovedInPortal { device, serial, at, address }
        | Letter::LostInPortal { device, serial, at, address } => {
            parts.before.push(words.say(&key("before"), &base));
            let known = [
                ("mail-device", no_link(device)),
                ("mail-serial", serial.clone()),
                ("mail-when", words.time(*at)),
                ("mail-address", address.clone()),
            ];
            let known: Vec<_> = known.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            parts.facts = facts(words, &known);
            parts.after.push(words.say(&key("after"), &[]));
        }
        Letter::AccountLocked { until, hidden } => {
            parts.before.push(words.say(&key("before"), &base));
            parts.before.push(words.until(*until, *hidden));
            parts.after.push(words.say(&key("after"), &[]));
        }
        Letter::Enrollment(invitation) | Letter::EnrollmentReminder(invitation) => {
            parts.before.push(words.say(&key("before"), &base));
            invite(words, urls, envelope, invitation, &mut parts);
        }
        Letter::AccountUnlocked | Letter::Test => {
            parts.before.push(words.say(&key("before"), &base));
        }
        Letter::AddressChanged { at } | Letter::HelpDeskCode { at } => {
            parts.before.push(words.say(&key("before"), &base));
            parts.facts = facts(words, &[("mail-when", words.time(*at))]);
            parts.after.push(words.say(&key("after"), &[]));
        }
        Letter::Report { name, page, from, until, rows, table, too_long } => {
            parts.subject = format!("{} · {}", no_link(name), parts.subject);
            parts.before.push(words.say(&key("before"), &[]));
            parts.facts = facts(
                words,
                &[
                    ("mail-report-name", no_link(name)),
                    ("mail-report-from", words.time(*from)),
                    ("mail-report-until", words.time(*until)),
                    ("mail-report-rows", rows.to_string()),
                ],
            );
            if table.is_some() {
                parts.after.push(words.say(&key("attached"), &[]));
            } else if *too_long {
                parts.after.push(words.say(&key("too-long"), &[]));
            }
            parts.after.push(words.say(&key("after"), &[]));
            let code: Option<TenantCode> = envelope.tenant_code.parse().ok();
            parts.link =
                code.map(|code| (words.say(&key("link"), &[]), format!("{}/operator/{page}", urls.base(&code))));
        }
        Letter::RecoveryCodesMade { at, address } => {
            parts.before.push(words.say(&key("before"), &base));
            parts.facts = facts(words, &[("mail-when", words.time(*at)), ("mail-address", address.clone())]);
            parts.after.push(words.say(&key("after"), &[]));
        }
        Letter::RecoveryCodeUsed { at, address, left } => {
            parts.before.push(words.say(&key("before"), &base));
            parts.facts = facts(words, &[("mail-when", words.time(*at)), ("mail-address", address.clone())]);
            parts.after.push(words.say(&key("left"), &[("left", Value::Number(*left))]));
            parts.after.push(words.say(&key("after"), &[]));
        }
        Letter::PasscodeReused { application, at, address } => {
            parts.before.push(words.say(&key("before"), &[("application", Value::from(application))]));
            parts.facts = facts(words, &[("mail-when", words.time(*at)), ("mail-address", address.clone())]);
            parts.after.push(words.say(&key("after"), &[]));
        }
    }
    parts
}

/// How to enroll: by opening the link, by scanning or by copying.
fn invite(words: &Writer<'_>, urls: &Urls, envelope: &Envelope, invitation: &Invitation, parts: &mut Parts) {
    let say = |key: &str| words.say(key, &[]);
    let Ok(code) = envelope.tenant_code.parse::<TenantCode>() else { return };
    if invitation.again {
        parts.before.push(say("mail-enrollment-again"));
    }
    let string = activation_of(urls, &code, invitation);
    if invitation.token_type == TokenType::OathApp {
        parts.before.push(say("mail-enrollment-standard"));
    } else {
        let copy = if string.is_some() { "mail-enrollment-copy-here" } else { "mail-enrollment-copy" };
        parts.before.extend(["mail-enrollment-app", "mail-enrollment-qr", copy].map(say));
    }
    parts.facts = facts(
        words,
        &[
            ("mail-enrollment-until", words.time(invitation.until)),
            ("mail-enrollment-code", grouped(&invitation.secret)),
        ],
    );
    parts.after.push(say("mail-enrollment-after"));
    let address = urls.enroll(&code, invitation.link, &invitation.secret);
    parts.link = Some((say("mail-enrollment-link"), address));
    parts.strings.extend(string.map(|string| (say("mail-enrollment-string"), string)));
}

/// The activation itself, where mails may show it.
fn activation_of(urls: &Urls, code: &TenantCode, invitation: &Invitation) -> Option<String> {
    let (id, secret) = invitation.activation.as_ref()?;
    let secret = BASE32_NOPAD_NOCASE.decode(secret.as_bytes()).ok()?;
    let activation = ActivationString { base: urls.base(code), id: *id, secret: SecretBytes::new(secret) };
    Some(activation.to_link())
}

/// A code in groups of four, which are easier to copy.
fn grouped(code: &str) -> String {
    let groups = code.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part).into_owned());
    groups.collect::<Vec<_>>().join("-")
}

fn facts(words: &Writer<'_>, facts: &[(&str, String)]) -> Vec<(String, String)> {
    facts.iter().map(|(key, value)| (words.say(key, &[]), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::Kind;
    use crate::domain::ids::{ActivationId, LinkId};

    fn letters() -> Vec<Letter> {
        let at = Timestamp::from_seconds(1_800_000_000);
        vec![
            Letter::VerificationCode {
                code: "314159".to_owned(),
                application: "Notes".to_owned(),
                valid_minutes: 10,
                in_subject: false,
            },
            Letter::Enrolled {
                device: "Ada's phone".to_owned(),
                platform: Platform::Ios,
                serial: "VEABCDEFGHIJ".to_owned(),
                at,
                address: "192.0.2.7".to_owned(),
                undo: "c3RhdGVtZW50".to_owned(),
            },
            Letter::AccountLocked { until: Some(at), hidden: false },
            Letter::AccountLocked { until: None, hidden: true },
            Letter::AccountUnlocked,
            Letter::PasscodeReused { application: "Notes".to_owned(), at, address: "192.0.2.7".to_owned() },
            Letter::RemovedOnDevice {
                device: "Ada's phone".to_owned(),
                serial: "VEABCDEFGHIJ".to_owned(),
                at,
                address: "192.0.2.7".to_owned(),
            },
            Letter::RemovedInPortal {
                device: "Ada's phone".to_owned(),
                serial: "VEABCDEFGHIJ".to_owned(),
                at,
                address: "192.0.2.7".to_owned(),
            },
            Letter::LostInPortal {
                device: String::new(),
                serial: "VEABCDEFGHIJ".to_owned(),
                at,
                address: "192.0.2.7".to_owned(),
            },
            Letter::AddressChanged { at },
            Letter::RecoveryCodesMade { at, address: "192.0.2.7".to_owned() },
            Letter::RecoveryCodeUsed { at, address: "192.0.2.7".to_owned(), left: 9 },
            Letter::HelpDeskCode { at },
            Letter::Enrollment(invitation(TokenType::App)),
            Letter::Enrollment(Invitation { activation: activation(), again: true, ..invitation(TokenType::App) }),
            Letter::Enrollment(invitation(TokenType::OathApp)),
            Letter::EnrollmentReminder(invitation(TokenType::App)),
            Letter::Test,
        ]
        .into_iter()
        .chain(Kind::ALL.map(|kind| Letter::Alert {
            kind,
            at,
            person: "ada".to_owned(),
            serial: "VEABCDEFGHIJ".to_owned(),
            application: "Notes".to_owned(),
            address: String::new(),
            detail: "550 no such user".to_owned(),
        }))
        .chain([Letter::AlertsGathered {
            kind: Kind::PasscodeReuse,
            count: 31,
            from: at,
            until: at,
            people: vec!["ada".to_owned()],
        }])
        .chain([(true, false), (false, true), (false, false)].map(|(attached, too_long)| Letter::Report {
            name: "Failures https://evil.example".to_owned(),
            page: "access-log?result=failure".to_owned(),
            from: at,
            until: at,
            rows: 7,
            table: attached.then(|| ("failures.csv".to_owned(), "time,user\r\n".to_owned())),
            too_long,
        }))
        .collect()
    }

    fn invitation(token_type: TokenType) -> Invitation {
        let (link, secret) = (LinkId::from_bits(1), "abcd2345efgh".to_owned());
        let until = Timestamp::from_seconds(1_800_000_000);
        Invitation { link, secret, until, token_type, again: false, activation: None }
    }

    fn activation() -> Option<(ActivationId, String)> {
        Some((ActivationId::from_bits(7), data_encoding::BASE32_NOPAD.encode(&[7; 16])))
    }

    /// one link, its secret as the fragment, and the activation string only where it is wanted.
    #[test]
    fn an_enrollment_mail_has_one_link_and_keeps_the_activation_out() {
        let plain = rendered(Language::English, Letter::Enrollment(invitation(TokenType::App)));
        let address = format!("https://login.example.com/t/acme/enroll/{}#abcd2345efgh", LinkId::from_bits(1));
        for text in [&plain.text, &plain.html] {
            assert_eq!(text.matches("https://").count(), 1, "{text}");
            assert!(text.contains(&address) && text.contains("abcd-2345-efgh"), "{text}");
            assert!(text.contains("2027-01-15") && !text.contains("/activate"), "R-179: {text}");
        }
        for way in ["Automatically:", "With a QR code:", "By copying:"] {
            assert!(plain.text.contains(way), "R-174: {way}");
        }
        let with = Invitation { activation: activation(), ..invitation(TokenType::App) };
        let with = rendered(Language::English, Letter::Enrollment(with));
        assert!(with.text.contains("https://login.example.com/t/acme/activate#1."), "R-178: {}", with.text);
        assert!(with.html.contains("/activate#1."), "R-175: {}", with.html);
    }

    fn rendered(language: Language, letter: Letter) -> Rendered {
        let envelope = Envelope {
            to: "ada@acme.test".to_owned(),
            name: "Ada\r\nBcc: evil@example.com <b>".to_owned(),
            account: "ada".to_owned(),
            language: language.tag().to_owned(),
            tenant_code: "acme".to_owned(),
            organization: "Acme\r\nX: y".to_owned(),
            help_contact: "help@acme.test".to_owned(),
            letter,
        };
        let urls = Urls::new(&"https://login.example.com".parse().expect("an address"));
        render(&Texts::default(), &urls, &envelope, None)
    }

    /// T-26.
    #[test]
    fn every_letter_is_written_in_every_language() {
        for language in Language::ALL {
            for letter in letters() {
                let name = format!("{letter:?} in {language}");
                let written = rendered(language, letter);
                assert!(!written.subject.contains(['\r', '\n']), "{name}: {}", written.subject);
                for text in [&written.subject, &written.text, &written.html] {
                    assert!(!text.is_empty() && !text.contains("mail-") && !text.contains("{ $"), "{name}: {text}");
                }
                assert!(!written.html.contains("<b>") && !written.html.contains("src="), "{name}");
            }
        }
    }

    /// a time says its zone, in every language.
    #[test]
    fn a_time_in_a_letter_says_its_zone() {
        for language in Language::ALL {
            for letter in letters().into_iter().filter(|letter| format!("{letter:?}").contains("address_changed")) {
                let text = rendered(language, letter).text;
                assert!(
                    text.contains("2027-01-15") && text.contains("08:00") && text.contains("UTC"),
                    "{language}: {text}"
                );
            }
        }
    }

    ///
    #[test]
    fn a_code_stands_alone_and_there_is_no_link() {
        let code = letters().remove(0);
        let written = rendered(Language::English, code);
        assert!(written.text.lines().any(|line| line.trim() == "314159"), "{}", written.text);
        assert!(written.text.contains("Notes") && written.text.contains("10 minutes"), "{}", written.text);
        assert!(!written.text.contains("http") && !written.html.contains("href"), "{}", written.html);
        assert!(!written.subject.contains("314159"), "R-137");
    }
}
