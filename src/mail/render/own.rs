//! Letters in the words of a virtual server, and ours as such words, for whoever wants to change them.

use super::{Block, Parts, Rendered, Writer, activation_of, day_and_time, grouped, no_link, sample, sheet};
use crate::domain::letter::{Envelope, Letter};
use crate::domain::message::{MailKind, Slot, Words, filled, mail};
use crate::domain::tenant::TenantCode;
use crate::i18n::{Language, Texts};
use crate::urls::Urls;

/// Names and values of the tags of a letter.
pub(super) type Values = Vec<(&'static str, String)>;

/// The values of the tags of the letter in `envelope`; the addresses of links are not among them.
pub(super) fn values(words: &Writer<'_>, urls: &Urls, envelope: &Envelope) -> Values {
    // An alert goes to operators, and is about somebody else.
    let account = match &envelope.letter {
        Letter::Alert { person, .. } => person,
        _ => &envelope.account,
    };
    let mut values = vec![
        ("name", no_link(&envelope.name)),
        ("account", account.clone()),
        ("organization", envelope.organization.clone()),
        ("help", envelope.help_contact.clone()),
    ];
    match &envelope.letter {
        Letter::VerificationCode { code, application, valid_minutes, in_subject: _ } => values.extend([
            ("code", code.clone()),
            ("application", application.clone()),
            ("minutes", valid_minutes.to_string()),
        ]),
        Letter::Enrolled { device, platform, serial, at, address, undo: _ } => values.extend([
            ("device", words.device(device, *platform)),
            ("serial", serial.clone()),
            ("time", words.time(*at)),
            ("address", address.clone()),
        ]),
        Letter::Enrollment(invitation) | Letter::EnrollmentReminder(invitation) => {
            let (day, time) = day_and_time(invitation.until);
            let code: Option<TenantCode> = envelope.tenant_code.parse().ok();
            let activation = code.and_then(|code| activation_of(urls, &code, invitation)).unwrap_or_default();
            values.extend([
                ("code", grouped(&invitation.secret)),
                ("stop_date", day),
                ("stop_time", time),
                ("activation", activation),
            ]);
        }
        Letter::AccountLocked { until, hidden } => values.push(("until", words.until(*until, *hidden))),
        Letter::AccountUnlocked | Letter::Test => {}
        Letter::PasscodeReused { application, at, address } => values.extend([
            ("application", application.clone()),
            ("time", words.time(*at)),
            ("address", address.clone()),
        ]),
        Letter::AddressChanged { at } | Letter::HelpDeskCode { at } => values.push(("time", words.time(*at))),
        Letter::RecoveryCodesMade { at, address } => {
            values.extend([("time", words.time(*at)), ("address", address.clone())]);
        }
        Letter::RecoveryCodeUsed { at, address, left } => {
            values.extend([("time", words.time(*at)), ("address", address.clone()), ("left", left.to_string())]);
        }
        Letter::RemovedOnDevice { device, serial, at, address }
        | Letter::RemovedInPortal { device, serial, at, address }
        | Letter::LostInPortal { device, serial, at, address } => values.extend([
            ("device", no_link(device)),
            ("serial", serial.clone()),
            ("time", words.time(*at)),
            ("address", address.clone()),
        ]),
        Letter::AlertsGathered { kind, count, from, until, people } => values.extend([
            ("alert", words.say(&format!("alert-{}", kind.id().replace('_', "-")), &[])),
            ("count", count.to_string()),
            ("from", words.time(*from)),
            ("until", words.time(*until)),
            ("people", no_link(&people.join(", "))),
        ]),
        Letter::Report { name, from, until, rows, .. } => values.extend([
            ("report", no_link(name)),
            ("from", words.time(*from)),
            ("until", words.time(*until)),
            ("rows", rows.to_string()),
        ]),
        Letter::Alert { kind, at, person, serial, application, address, detail } => {
            let about = format!("alert-{}", kind.id().replace('_', "-"));
            values.extend([
                ("alert", words.say(&about, &[])),
                ("explanation", words.say(&format!("{about}-text"), &[])),
                ("person", person.clone()),
                ("serial", serial.clone()),
                ("application", application.clone()),
                ("detail", no_link(detail)),
                ("time", words.time(*at)),
                ("address", address.clone()),
            ]);
        }
    }
    values
}

/// Subject and blocks of a letter in these words; the link and what is to be copied are those of our own letter.
pub(super) fn written(own: &Words, ours: &Parts, values: &Values, letter: &Letter) -> (String, Vec<Block>) {
    // A line of an own mail stays one line, whatever a name in it says.
    let value = |tag: &str| {
        let found = values.iter().find(|(name, _)| *name == tag);
        found.map(|(_, value)| value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>())
    };
    let mut subject = filled(&own.subject, value);
    if let Letter::VerificationCode { code, in_subject: true, .. } = letter {
        subject = format!("{code} · {subject}");
    }
    let mut blocks = Vec::new();
    for paragraph in own.body.split("\n\n") {
        let mut lines = Vec::new();
        for line in paragraph.lines() {
            let special = match line.trim() {
                "{link}" => Some(ours.link.clone().map(|(words, address)| Block::Link { words, address })),
                "{code}" => Some(value("code").map(Block::Code)),
                "{activation}" => Some(ours.strings.first().cloned().map(|(words, text)| Block::Copy { words, text })),
                _ => None,
            };
            match special {
                Some(block) => {
                    if !lines.is_empty() {
                        blocks.push(Block::Paragraph(std::mem::take(&mut lines)));
                    }
                    blocks.extend(block);
                }
                None => lines.push(filled(line, value)),
            }
        }
        if !lines.is_empty() {
            blocks.push(Block::Paragraph(lines));
        }
    }
    (subject, blocks)
}

/// Our own words for a kind of mail, with tags: what an operator who wants other ones begins with.
#[must_use]
fn ours(texts: &Texts, urls: &Urls, kind: &MailKind, language: Language) -> Words {
    let envelope = sample::envelope(kind, language, &sample::unmistakable());
    let sheet = sheet(texts, urls, &envelope, None);
    let writer = Writer { texts, language };
    let mut values = values(&writer, urls, &envelope);
    values.retain(|(_, value)| !value.is_empty());
    // A value may stand in another one: the longer first.
    values.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
    let tagged = |text: &str| {
        values.iter().fold(text.to_owned(), |text, (tag, value)| text.replace(value.as_str(), &format!("{{{tag}}}")))
    };
    let body = sheet.blocks.iter().map(|block| match block {
        Block::Paragraph(lines) => lines.iter().map(|line| tagged(line)).collect::<Vec<_>>().join("\n"),
        Block::Code(_) => "{code}".to_owned(),
        Block::Facts(facts) => {
            facts.iter().map(|(name, value)| format!("{name} {}", tagged(value))).collect::<Vec<_>>().join("\n")
        }
        Block::Link { .. } => "{link}".to_owned(),
        Block::Copy { .. } => "{activation}".to_owned(),
    });
    Words { subject: tagged(&sheet.subject), body: body.collect::<Vec<_>>().join("\n\n") }
}

/// Our own words for whatever can have own ones: the mails and the texts of pages.
#[must_use]
pub fn ours_for(texts: &Texts, urls: &Urls, slot: &Slot, language: Language) -> Words {
    match slot.name.split_once('.') {
        Some(("mail", kind)) => mail(kind).map(|kind| ours(texts, urls, kind, language)).unwrap_or_default(),
        Some((_, key)) => Words { subject: String::new(), body: texts.ours(language, key) },
        None => Words::default(),
    }
}

/// A letter of this kind with values that could be real, in `own` words or in ours: for previews and test mails.
#[must_use]
pub fn preview(
    texts: &Texts,
    urls: &Urls,
    (kind, language): (&MailKind, Language),
    values: &sample::Values,
    own: Option<&Words>,
) -> (super::Sheet, Rendered) {
    let envelope = sample::envelope(kind, language, values);
    (sheet(texts, urls, &envelope, own), super::render(texts, urls, &envelope, own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::message::MAILS;

    fn urls() -> Urls {
        Urls::new(&"https://login.example.com".parse().expect("an address"))
    }

    /// our words, taken as somebody's own, are good words and make the same letter.
    #[test]
    fn our_words_make_our_letters() {
        let (texts, urls) = (Texts::default(), urls());
        for kind in &MAILS {
            for language in Language::ALL {
                let words = ours(&texts, &urls, kind, language);
                assert_eq!(Slot::of_mail(kind).faults(&words.tidied()), [], "{} {language}: {words:?}", kind.id);
                assert_eq!(words, words.tidied(), "{} {language}", kind.id);
                for values in [sample::plausible("Acme", "help@acme.test"), sample::unmistakable()] {
                    let (_, own) = preview(&texts, &urls, (kind, language), &values, Some(&words));
                    let (_, plain) = preview(&texts, &urls, (kind, language), &values, None);
                    assert_eq!((&own.subject, &own.text), (&plain.subject, &plain.text), "{} {language}", kind.id);
                }
            }
        }
    }

    /// AC-39, T-26, T-27: values are shown as they are, in one line, and never looked at for tags or mark-up.
    #[test]
    fn values_stay_values() {
        let evil = "{code} {{7*7}} <b>\r\nBcc: x@evil.example https://evil.example";
        let mut values = sample::plausible("Acme", "");
        evil.clone_into(&mut values.name);
        let own = Words { subject: "For {name}".to_owned(), body: "Dear {name},\n\n{code}".to_owned() };
        let kind = crate::domain::message::mail("verification_code").expect("a kind");
        let (_, written) = preview(&Texts::default(), &urls(), (kind, Language::English), &values, Some(&own));
        assert!(written.text.contains("Dear {code} {{7*7}} <b> Bcc: x@evil.example,"), "{}", written.text);
        assert!(written.html.contains("&#60;b&#62;") && !written.html.contains("<b>"), "{}", written.html);
        assert!(!written.subject.contains(['\r', '\n']) && written.subject.starts_with("For {code} {{7*7}}"));
        assert!(!written.text.contains("https://"), "T-30: {}", written.text);
    }

    /// an alert goes to operators; the account that it is about is the person's.
    #[test]
    fn the_account_of_an_alert_is_the_persons() {
        let own = Words { subject: "{alert}".to_owned(), body: "About {account}, {person}.".to_owned() };
        let kind = crate::domain::message::mail("alert").expect("a kind");
        let mut envelope = sample::envelope(kind, Language::English, &sample::plausible("Acme", ""));
        "operator".clone_into(&mut envelope.account);
        let Letter::Alert { person, .. } = &mut envelope.letter else { panic!("another letter") };
        "ada".clone_into(person);
        let written = super::super::render(&Texts::default(), &urls(), &envelope, Some(&own));
        assert!(written.text.contains("About ada, ada."), "{}", written.text);
    }

    /// the setting decides whether a subject shows the code, whoever wrote the words.
    #[test]
    fn the_setting_puts_the_code_into_the_subject() {
        let own = Words { subject: "Your code".to_owned(), body: "{code}".to_owned() };
        let kind = crate::domain::message::mail("verification_code").expect("a kind");
        let mut envelope = sample::envelope(kind, Language::English, &sample::plausible("Acme", ""));
        let subject =
            |envelope: &Envelope| super::super::render(&Texts::default(), &urls(), envelope, Some(&own)).subject;
        assert_eq!(subject(&envelope), "Your code");
        if let Letter::VerificationCode { in_subject, .. } = &mut envelope.letter {
            *in_subject = true;
        }
        assert_eq!(subject(&envelope), "314159 · Your code");
    }
}
