//! Languages and texts (A28): which language a person reads, and every text of pages, mails and the app in it.
//!
//! Texts live in `locales/<language>/*.ftl` and are compiled in. A text that is missing in a language is
//! shown in English and marked as English, never as a key.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, LazyLock, OnceLock};

use fluent_templates::StaticLoader;
use fluent_templates::fluent_bundle::FluentValue;
use unic_langid::{LanguageIdentifier, langid};

use crate::domain::message::{MAILS, Messages, Slot, mail};

fluent_templates::static_loader! {
    static LOCALES = {
        locales: "./locales",
        fallback_language: "en",
        // Isolating marks are for mixed directions; in mail subjects and HTML attributes they are noise, and
        // HTML isolates by itself.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// A language that Vestibule speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// English.
    English,
    /// German.
    German,
    /// French.
    French,
    /// Italian.
    Italian,
    /// Dutch.
    Dutch,
    /// Spanish.
    Spanish,
    /// Chinese in simplified characters.
    SimplifiedChinese,
    /// Chinese in traditional characters.
    TraditionalChinese,
}

impl Language {
    /// Every language, in the order of the selector.
    pub const ALL: [Self; 8] = [
        Self::German,
        Self::English,
        Self::Spanish,
        Self::French,
        Self::Italian,
        Self::Dutch,
        Self::SimplifiedChinese,
        Self::TraditionalChinese,
    ];

    /// The tag in `lang` attributes, cookies, apply files and folder names (BCP 47).
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::German => "de",
            Self::French => "fr",
            Self::Italian => "it",
            Self::Dutch => "nl",
            Self::Spanish => "es",
            Self::SimplifiedChinese => "zh-Hans",
            Self::TraditionalChinese => "zh-Hant",
        }
    }

    /// Its own name for itself, as the selector shows it.
    #[must_use]
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
            Self::French => "Français",
            Self::Italian => "Italiano",
            Self::Dutch => "Nederlands",
            Self::Spanish => "Español",
            Self::SimplifiedChinese => "简体中文",
            Self::TraditionalChinese => "繁體中文",
        }
    }

    /// The language of a tag that a browser, an application or an operator wrote: the region is ignored, but
    /// tells the two ways of writing Chinese apart.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let mut parts = tag.trim().split(['-', '_']);
        let language = parts.next()?;
        if language.eq_ignore_ascii_case("zh") {
            let traditional = |part: &str| ["hant", "tw", "hk", "mo"].iter().any(|of| part.eq_ignore_ascii_case(of));
            return Some(if parts.any(traditional) { Self::TraditionalChinese } else { Self::SimplifiedChinese });
        }
        Self::ALL.into_iter().find(|known| language.eq_ignore_ascii_case(known.tag()))
    }

    const fn identifier(self) -> LanguageIdentifier {
        match self {
            Self::English => langid!("en"),
            Self::German => langid!("de"),
            Self::French => langid!("fr"),
            Self::Italian => langid!("it"),
            Self::Dutch => langid!("nl"),
            Self::Spanish => langid!("es"),
            Self::SimplifiedChinese => langid!("zh-Hans"),
            Self::TraditionalChinese => langid!("zh-Hant"),
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag())
    }
}

/// A tag of a language that Vestibule does not speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a language of ours: use en, de, fr, it, nl, es, zh-Hans or zh-Hant")]
pub struct NotALanguage;

impl FromStr for Language {
    type Err = NotALanguage;
    fn from_str(tag: &str) -> Result<Self, NotALanguage> {
        Self::of_tag(tag).ok_or(NotALanguage)
    }
}

/// What is known about the language that a person reads, most telling first.
#[derive(Debug, Clone, Default)]
pub struct Preferences<'a> {
    /// Chosen on a page of ours, in this browser or in this login.
    pub chosen: Option<&'a str>,
    /// The person's own, once the person has proven to be that person: asked for earlier, it would tell a
    /// stranger that there is such an account.
    pub of_user: Option<&'a str>,
    /// What the application asks for: `ui_locales`.
    pub of_application: &'a [String],
    /// The browser's `Accept-Language` header.
    pub of_browser: Option<&'a str>,
    /// The virtual server's.
    pub of_tenant: Option<&'a str>,
}

/// The language to speak, in the order of R-531.
#[must_use]
pub fn negotiate(preferences: &Preferences<'_>) -> Language {
    let browser = || preferences.of_browser.map(accepted).unwrap_or_default();
    preferences
        .chosen
        .into_iter()
        .chain(preferences.of_user)
        .chain(preferences.of_application.iter().map(String::as_str))
        .find_map(Language::of_tag)
        .or_else(|| browser().into_iter().chain(preferences.of_tenant).find_map(Language::of_tag))
        .unwrap_or(Language::English)
}

/// The tags of an `Accept-Language` header, most wanted first; those with weight 0 are not wanted at all
/// (RFC 9110 12.5.4).
fn accepted(header: &str) -> Vec<&str> {
    let weight = |text: &str| -> Option<u32> {
        let weight: f32 = text.trim().strip_prefix("q=")?.trim().parse().ok()?;
        // Non-negative floats sort like their bits; those that are no numbers are left out first.
        (weight > 0.0 && weight <= 1.0).then(|| weight.to_bits())
    };
    let mut tags: Vec<(u32, &str)> = header
        .split(',')
        .take(40)
        .filter_map(|entry| {
            let (tag, rest) = entry.split_once(';').unwrap_or((entry, "q=1"));
            let weight = weight(rest)?;
            (!tag.trim().is_empty()).then(|| (weight, tag.trim()))
        })
        .collect();
    tags.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    tags.into_iter().map(|(_, tag)| tag).collect()
}

/// A value that a text mentions.
#[derive(Debug, Clone)]
pub enum Value {
    /// A name, an address, anything that is shown as it is.
    Text(String),
    /// A number; the text chooses singular or plural by it.
    Number(u64),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Number(number.into())
    }
}

/// A text in a language, or in English where that language does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The text.
    pub text: String,
    /// Whether it is English although another language was asked for.
    pub fallback: bool,
}

/// Every text: ours, and in the place of some of them those of a virtual server.
#[derive(Clone)]
pub struct Texts {
    loader: &'static StaticLoader,
    own: Arc<Messages>,
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Texts")
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self { loader: &LOCALES, own: Arc::default() }
    }
}

impl Texts {
    /// Ours, but for those that a virtual server has its own words for.
    #[must_use]
    pub fn with(&self, own: &Arc<Messages>) -> Self {
        Self { loader: self.loader, own: Arc::clone(own) }
    }

    /// The text `key` in `language`, or in English. A key that does not exist at all is loud in the log and
    /// shown as it is: `tests/locales.rs` keeps that from happening.
    #[must_use]
    pub fn words(&self, language: Language, key: &str, values: &[(&'static str, Value)]) -> Words {
        if let Some(text) = self.exact(language, key, values) {
            return Words { text, fallback: false };
        }
        let english = self.exact(Language::English, key, values);
        if english.is_none() {
            tracing::error!(key, "a text does not exist");
        }
        Words { text: english.unwrap_or_else(|| key.to_owned()), fallback: true }
    }

    /// As [`Texts::words`], for places where the language cannot be marked: attributes, subjects, plain text.
    #[must_use]
    pub fn plain(&self, language: Language, key: &str, values: &[(&'static str, Value)]) -> String {
        self.words(language, key, values).text
    }

    /// The text `key` in exactly this language.
    #[must_use]
    pub fn exact(&self, language: Language, key: &str, values: &[(&'static str, Value)]) -> Option<String> {
        let value = |tag: &str| values.iter().find(|(name, _)| *name == tag).map(|(_, value)| value.to_string());
        if let Some(own) = self.own.page(language.tag(), key, value) {
            return Some(own);
        }
        if let Some(text) = values.is_empty().then(|| ready(language, key)).flatten() {
            return Some(text.to_owned());
        }
        let values: HashMap<Cow<'static, str>, FluentValue<'_>> = values
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    Value::Text(text) => FluentValue::from(text.as_str()),
                    Value::Number(number) => FluentValue::from(*number),
                };
                (Cow::Borrowed(*name), value)
            })
            .collect();
        self.loader.lookup_single_language(&language.identifier(), key, Some(&values)).ok()
    }
}

/// The English files of the texts of pages: what operators can replace one by one. Mails are replaced as a whole; what the
/// authenticator app says is said on a device, which may have authenticators of many virtual servers.
const PAGES: [&str; 13] = [
    include_str!("../locales/en/common.ftl"),
    include_str!("../locales/en/login.ftl"),
    include_str!("../locales/en/passcode.ftl"),
    include_str!("../locales/en/enrollment.ftl"),
    include_str!("../locales/en/mailed.ftl"),
    include_str!("../locales/en/pin.ftl"),
    include_str!("../locales/en/recovery.ftl"),
    include_str!("../locales/en/portal.ftl"),
    include_str!("../locales/en/tokens.ftl"),
    include_str!("../locales/en/protocols.ftl"),
    include_str!("../locales/en/saml.ftl"),
    include_str!("../locales/en/complaint.ftl"),
    include_str!("../locales/en/error.ftl"),
];

/// Every text of pages that can be replaced, in the order of the way through a login: its key, and the values that it mentions.
static CATALOG: LazyLock<Vec<(String, Vec<String>)>> = LazyLock::new(|| {
    let mut catalog: Vec<(String, Vec<String>)> = Vec::new();
    for line in PAGES.iter().flat_map(|file| file.lines()) {
        let begins = line.split_once(" = ").filter(|(key, _)| {
            key.starts_with(|c: char| c.is_ascii_lowercase())
                && key.chars().all(|c| c == '-' || c.is_ascii_alphanumeric())
        });
        if let Some((key, _)) = begins {
            catalog.push((key.to_owned(), Vec::new()));
        }
        let Some((_, values)) = catalog.last_mut() else { continue };
        for after in line.split('$').skip(1) {
            let value: String = after.chars().take_while(char::is_ascii_alphanumeric).collect();
            if !value.is_empty() && !values.contains(&value) {
                values.push(value);
            }
        }
    }
    catalog.retain(|(key, _)| !key.starts_with("mail-"));
    catalog
});

/// A text of pages that mentions no value, made once for each language that somebody reads: a page has dozens of them, and to
/// make one takes as long as to find a row.
fn ready(language: Language, key: &str) -> Option<&'static str> {
    static READY: [OnceLock<HashMap<&'static str, String>>; Language::ALL.len()] =
        [const { OnceLock::new() }; Language::ALL.len()];
    let place = Language::ALL.iter().position(|other| *other == language)?;
    let texts = READY.get(place)?.get_or_init(|| {
        let plain = CATALOG.iter().filter(|(_, values)| values.is_empty());
        let text = |key: &str| LOCALES.lookup_single_language::<&str>(&language.identifier(), key, None).ok();
        plain.filter_map(|(key, _)| Some((key.as_str(), text(key)?))).collect()
    });
    texts.get(key).map(String::as_str)
}

/// The names of everything that can have own words: the mails, and then the texts of pages.
pub fn slot_names() -> impl Iterator<Item = String> {
    let pages = CATALOG.iter().map(|(key, _)| format!("page.{key}"));
    MAILS.iter().map(|kind| format!("mail.{}", kind.id)).chain(pages)
}

/// What own words with this name, `mail.<kind>` or `page.<key>`, must be like; `None` if there is no such text.
#[must_use]
pub fn slot(name: &str) -> Option<Slot> {
    match name.split_once('.')? {
        ("mail", kind) => mail(kind).map(Slot::of_mail),
        ("page", key) => CATALOG.iter().find(|(known, _)| known == key).map(|(key, values)| Slot::of_page(key, values)),
        _ => None,
    }
}

impl Texts {
    /// Our own text `key` in `language`, with tags in the place of its values.
    #[must_use]
    pub fn ours(&self, language: Language, key: &str) -> String {
        let known = CATALOG.iter().find(|(known, _)| known == key);
        let tag = |value: &'static String| (value.as_str(), Value::from(format!("{{{value}}}")));
        let tags: Vec<(&'static str, Value)> =
            known.map(|(_, values)| values.iter().map(tag).collect()).unwrap_or_default();
        let ours = Self { loader: self.loader, own: Arc::default() };
        ours.plain(language, key, &tags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// what is kept ready is what the files say, in every language.
    #[test]
    fn what_is_kept_ready_is_the_text() {
        let texts = Texts::default();
        let mut ready_ones = 0;
        for (key, values) in CATALOG.iter() {
            for language in Language::ALL {
                let made = LOCALES.lookup_single_language::<&str>(&language.identifier(), key, None).ok();
                if values.is_empty() {
                    assert_eq!(texts.exact(language, key, &[]), made, "{language} {key}");
                    ready_ones += usize::from(ready(language, key).is_some());
                } else {
                    assert_eq!(ready(language, key), None, "{language} {key} mentions {values:?}");
                }
            }
        }
        assert!(ready_ones > 8 * 300, "{ready_ones}");
        assert_eq!(ready(Language::German, "no-such-text"), None);
    }

    ///
    #[test]
    fn chinese_is_told_apart_by_script_and_region() {
        for (tag, language) in [
            ("zh-TW", Some(Language::TraditionalChinese)),
            ("zh-HK", Some(Language::TraditionalChinese)),
            ("zh-Hant", Some(Language::TraditionalChinese)),
            ("zh-Hant-HK", Some(Language::TraditionalChinese)),
            ("zh", Some(Language::SimplifiedChinese)),
            ("zh-CN", Some(Language::SimplifiedChinese)),
            ("zh-SG", Some(Language::SimplifiedChinese)),
            ("zh_Hans", Some(Language::SimplifiedChinese)),
            ("de-AT", Some(Language::German)),
            ("EN-us", Some(Language::English)),
            ("tlh", None),
            ("", None),
        ] {
            assert_eq!(Language::of_tag(tag), language, "{tag}");
        }
    }

    ///
    #[test]
    fn the_order_of() {
        let application = ["nl".to_owned()];
        let everything = Preferences {
            chosen: Some("it"),
            of_user: Some("fr"),
            of_application: &application,
            of_browser: Some("es"),
            of_tenant: Some("de"),
        };
        assert_eq!(negotiate(&everything), Language::Italian);
        let everything = Preferences { chosen: Some("tlh"), ..everything };
        assert_eq!(negotiate(&everything), Language::French);
        let everything = Preferences { of_user: None, ..everything };
        assert_eq!(negotiate(&everything), Language::Dutch);
        let everything = Preferences { of_application: &[], ..everything };
        assert_eq!(negotiate(&everything), Language::Spanish);
        let everything = Preferences { of_browser: Some("tlh"), ..everything };
        assert_eq!(negotiate(&everything), Language::German);
        assert_eq!(negotiate(&Preferences::default()), Language::English);
    }

    ///
    #[test]
    fn the_header_has_weights_and_may_be_nonsense() {
        for (header, tags) in [
            ("de-AT, en;q=0.5, fr;q=0.9", &["de-AT", "fr", "en"][..]),
            ("de;q=0, en;q=0.001", &["en"]),
            ("fr;q=NaN, de;q=2, it;q=-1, es;q=inf, en", &["en"]),
            (", ;q=1,,", &[]),
            ("*", &["*"]),
        ] {
            assert_eq!(accepted(header), tags, "{header}");
        }
    }

    #[test]
    fn a_key_that_does_not_exist_never_stops_a_page() {
        let words = Texts::default().words(Language::German, "there-is-no-such-text", &[]);
        assert_eq!(words, Words { text: "there-is-no-such-text".to_owned(), fallback: true });
    }

    /// every text of pages can be replaced, and ours is a good text in its own place.
    #[test]
    fn every_text_of_pages_can_be_replaced() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("locales/en");
        let files = std::fs::read_dir(folder).expect("a folder").count();
        assert_eq!(files, PAGES.len() + 4, "all but mail, alert and report, which are of letters, and app");
        // What the app says on a device is no text of a virtual server.
        assert_eq!(slot("page.app-locked"), None, "R-538");
        let texts = Texts::default();
        assert!(CATALOG.len() > 300);
        for (key, _) in CATALOG.iter() {
            let slot = slot(&format!("page.{key}")).expect("a slot");
            for language in Language::ALL {
                let ours = crate::domain::message::Words { subject: String::new(), body: texts.ours(language, key) };
                let shown = ours.body.replace('\n', " ");
                let words = crate::domain::message::Words { body: shown, ..ours };
                assert_eq!(slot.faults(&words.tidied()), [], "{language} {key}: {words:?}");
            }
        }
    }

    /// in that language and nowhere else.
    #[test]
    fn own_words_take_the_place_of_ours() {
        use crate::domain::message::{Message, Words};
        let message = Message {
            name: "page.language-apply".to_owned(),
            language: "de".to_owned(),
            words: Words { subject: String::new(), body: "Los".to_owned() },
            version: 1,
        };
        let texts = Texts::default().with(&Arc::new([message].into_iter().collect()));
        assert_eq!(texts.plain(Language::German, "language-apply", &[]), "Los");
        let english = Texts::default().plain(Language::English, "language-apply", &[]);
        assert_eq!(texts.plain(Language::English, "language-apply", &[]), english);
        assert_ne!(texts.ours(Language::German, "language-apply"), "Los");
    }
}
