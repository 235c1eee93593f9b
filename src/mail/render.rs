//! A letter in words: subject, plain text and HTML, in the receiver's language.

use askama::Template;
use data_encoding::BASE32_NOPAD_NOCASE;

use crate::domain::activation::string::ActivationString;
use crate::domain::letter::{Envelope, Invitation, Letter};
use crate::domain::provisioning_task::TokenType;
use crate::domain::secret::SecretBytes;
use crate::domain::tenant::TenantCode;
use crate::domain::timestamp::Timestamp;
use crate::i18n::{Language, Texts, Value};
use crate::urls::Urls;

/// A letter, ready to be sent.
#[derive(Debug, Clone)]
pub struct Rendered {
    /// The subject: one line.
    pub subject: String,
    /// The plain text.
    pub text: String,
    /// The same in HTML, without pictures and without anything to load.
    pub html: String,
}

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct Text<'a> {
    letter: &'a Parts,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'a> {
    letter: &'a Parts,
}

/// What every letter is made of.
#[derive(Debug)]
struct Parts {
    language: &'static str,
    organization: String,
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
    footer: String,
}

/// Writes the letter in `envelope`.
#[must_use]
pub fn render(texts: Texts, urls: &Urls, envelope: &Envelope) -> Rendered {
    let language = Language::of_tag(&envelope.language).unwrap_or(Language::English);
    let words = Writer { texts, language };
    let parts = parts(&words, urls, envelope);
    Rendered {
        subject: one_line(&parts.subject),
        // The templates are compiled in and write to memory.
        text: Text { letter: &parts }.render().unwrap_or_default(),
        html: Html { letter: &parts }.render().unwrap_or_default(),
    }
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

struct Writer {
    texts: Texts,
    language: Language,
}

impl Writer {
    fn say(&self, key: &str, values: &[(&'static str, Value)]) -> String {
        self.texts.plain(self.language, key, values)
    }

    /// A time as people read it, with its zone.
    fn time(&self, at: Timestamp) -> String {
        let text = at.rfc3339();
        let (day, rest) = text.split_once('T').unwrap_or((&text, ""));
        let clock: String = rest.chars().take(5).collect();
        self.say("mail-time", &[("day", day.into()), ("time", clock.into())])
    }
}

fn parts(words: &Writer, urls: &Urls, envelope: &Envelope) -> Parts {
    let organization = Value::from(&envelope.organization);
    let base = [("organization", organization.clone())];
    let kind = envelope.letter.kind().replace('_', "-");
    let key = |part: &str| format!("mail-{kind}-{part}");
    let mut parts = Parts {
        language: words.language.tag(),
        organization: envelope.organization.clone(),
        subject: words.say(&key("subject"), &base),
        greeting: words.say("mail-greeting", &[("name", Value::from(no_link(&envelope.name)))]),
        before: Vec::new(),
        code: None,
        facts: Vec::new(),
        after: Vec::new(),
        link: None,
        strings: Vec::new(),
        footer: if envelope.help_contact.is_empty() {
            words.say("mail-footer", &base)
        } else {
            words.say("mail-footer-help", &[base[0].clone(), ("contact", Value::from(&envelope.help_contact))])
        },
    };
    match &envelope.letter {
        Letter::Alert { kind, at, person, serial, application, address } => {
            let about = format!("alert-{}", kind.id().replace('_', "-"));
            parts.subject = format!("{} · {}", words.say(&about, &[]), parts.subject);
            parts.before.push(words.say(&format!("{about}-text"), &[]));
            let known = [
                ("mail-alert-person", person.clone()),
                ("mail-serial", serial.clone()),
                ("mail-alert-application", application.clone()),
                ("mail-when", words.time(*at)),
                ("mail-address", address.clone()),
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
            let platform = words.say(&platform.text("name"), &[]);
            let device = no_link(device);
            let device = if device.is_empty() { platform } else { format!("{device} ({platform})") };
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
        Letter::AccountLocked { until } => {
            parts.before.push(words.say(&key("before"), &base));
            parts.before.push(match until {
                Some(until) => words.say(&key("until"), &[("time", words.time(*until).into())]),
                None => words.say(&key("operator"), &[]),
            });
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
fn invite(words: &Writer, urls: &Urls, envelope: &Envelope, invitation: &Invitation, parts: &mut Parts) {
    let say = |key: &str| words.say(key, &[]);
    let Ok(code) = envelope.tenant_code.parse::<TenantCode>() else { return };
    if invitation.again {
        parts.before.push(say("mail-enrollment-again"));
    }
    let string = invitation.activation.as_ref().and_then(|(id, secret)| {
        let secret = BASE32_NOPAD_NOCASE.decode(secret.as_bytes()).ok()?;
        let activation = ActivationString { base: urls.base(&code), id: *id, secret: SecretBytes::new(secret) };
        Some(activation.to_link())
    });
    if invitation.token_type == TokenType::OathApp {
        parts.before.push(say("mail-enrollment-standard"));
    } else {
        let copy = if string.is_some() { "mail-enrollment-copy-here" } else { "mail-enrollment-copy" };
        parts.before.extend(["mail-enrollment-app", "mail-enrollment-qr", copy].map(say));
    }
    let grouped: Vec<String> =
        invitation.secret.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    parts.facts = facts(
        words,
        &[("mail-enrollment-until", words.time(invitation.until)), ("mail-enrollment-code", grouped.join("-"))],
    );
    parts.after.push(say("mail-enrollment-after"));
    let address = urls.enroll(&code, invitation.link, &invitation.secret);
    parts.link = Some((say("mail-enrollment-link"), address));
    parts.strings.extend(string.map(|string| (say("mail-enrollment-string"), string)));
}

fn facts(words: &Writer, facts: &[(&str, String)]) -> Vec<(String, String)> {
    facts.iter().map(|(key, value)| (words.say(key, &[]), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::Kind;
    use crate::domain::ids::{ActivationId, LinkId};
    use crate::domain::policy::platform::Platform;

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
            Letter::AccountLocked { until: Some(at) },
            Letter::AccountLocked { until: None },
            Letter::AccountUnlocked,
            Letter::PasscodeReused { application: "Notes".to_owned(), at, address: "192.0.2.7".to_owned() },
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
            language: language.tag().to_owned(),
            tenant_code: "acme".to_owned(),
            organization: "Acme\r\nX: y".to_owned(),
            help_contact: "help@acme.test".to_owned(),
            letter,
        };
        let urls = Urls::new(&"https://login.example.com".parse().expect("an address"));
        render(Texts::default(), &urls, &envelope)
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
