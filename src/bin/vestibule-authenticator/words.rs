//! What the app says: the texts of `locales/<language>/app.ftl`, in the language of the device. The log, and what is
//! printed for programs, is in English wherever the device is.

use std::fmt;
use std::sync::LazyLock;

use vestibule::domain::authenticator::pin::Rule;
use vestibule::i18n::{Language, Texts, Value};

/// A language does not change while the program runs.
static DEVICE: LazyLock<Language> = LazyLock::new(|| of_device(|name| std::env::var(name).ok()));

/// The language of the device.
pub fn device() -> Language {
    *DEVICE
}

/// The language that the environment names: the first of these variables that is not empty counts, also where it names none
/// of ours. Then it is English, as for `C` and `POSIX`.
fn of_device(variable: impl Fn(&str) -> Option<String>) -> Language {
    let mut named = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable);
    let named = named.find(|value| !value.is_empty()).unwrap_or_default();
    // `de_AT.UTF-8@euro`: what stands behind tells nothing of the language.
    let tag = named.split(['.', '@']).next().unwrap_or_default();
    Language::of_tag(tag).unwrap_or(Language::English)
}

/// Something that is said.
#[derive(Debug, Clone)]
pub enum Said {
    /// A text of ours, and the values that it mentions.
    Ours(&'static str, Vec<(&'static str, Value)>),
    /// What a server, the system or a library says, in its own words.
    Theirs(String),
}

/// The text `key` with the values that it mentions.
pub fn said<const N: usize>(key: &'static str, values: [(&'static str, Value); N]) -> Said {
    Said::Ours(key, Vec::from(values))
}

impl Said {
    /// In a language; what is missing in it is in English, as on the pages.
    pub fn words(&self, language: Language) -> String {
        match self {
            Self::Ours(key, values) => Texts::default().plain(language, key, values),
            Self::Theirs(words) => words.clone(),
        }
    }

    /// In the language of the device.
    pub fn here(&self) -> String {
        self.words(device())
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(Language::English))
    }
}

/// What a rule of PINs asks for.
pub fn of_rule(rule: Rule) -> Said {
    let digits = |count: u8| [("digits", Value::from(u32::from(count)))];
    match rule {
        Rule::Characters => said("app-rule-characters", []),
        Rule::AtLeast(least) => said("app-rule-least", digits(least)),
        Rule::AtMost(most) => said("app-rule-most", digits(most)),
        Rule::NotTrivial => said("app-rule-trivial", []),
        Rule::LetterAndDigit => said("app-rule-letter-digit", []),
        Rule::Strong => said("app-rule-strong", []),
        Rule::NotUsedBefore => said("app-rule-new", []),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn the_environment_names_the_language() {
        for (all, messages, lang, language) in [
            (None, None, Some("de_DE.UTF-8"), Language::German),
            (None, None, Some("fr_CA.ISO-8859-1"), Language::French),
            (None, None, Some("nl_BE@euro"), Language::Dutch),
            (None, None, Some("it"), Language::Italian),
            (None, None, Some("zh_TW.UTF-8"), Language::TraditionalChinese),
            (None, None, Some("zh_HK.Big5-HKSCS"), Language::TraditionalChinese),
            (None, None, Some("zh_MO"), Language::TraditionalChinese),
            (None, None, Some("zh_CN.GB18030"), Language::SimplifiedChinese),
            (None, None, Some("zh_SG.UTF-8"), Language::SimplifiedChinese),
            (None, None, Some("C.UTF-8"), Language::English),
            (None, None, Some("POSIX"), Language::English),
            (None, None, Some("tlh_QO.UTF-8"), Language::English),
            (None, None, Some(".UTF-8"), Language::English),
            (None, None, None, Language::English),
            (None, Some("es_ES"), Some("de_DE"), Language::Spanish),
            (Some("fr_FR"), Some("es_ES"), Some("de_DE"), Language::French),
            (Some(""), Some(""), Some("de_DE"), Language::German),
            (Some("C"), Some("es_ES"), Some("de_DE"), Language::English),
        ] {
            let variable = |name: &str| match name {
                "LC_ALL" => all.map(str::to_owned),
                "LC_MESSAGES" => messages.map(str::to_owned),
                "LANG" => lang.map(str::to_owned),
                _ => None,
            };
            assert_eq!(of_device(variable), language, "{all:?} {messages:?} {lang:?}");
        }
    }

    /// The log and programs read what the domain says in English.
    #[test]
    fn rules_are_the_same_in_english() {
        for rule in [
            Rule::Characters,
            Rule::AtLeast(4),
            Rule::AtMost(16),
            Rule::NotTrivial,
            Rule::LetterAndDigit,
            Rule::Strong,
            Rule::NotUsedBefore,
        ] {
            assert_eq!(of_rule(rule).to_string(), rule.to_string());
            assert_ne!(of_rule(rule).words(Language::German), rule.to_string());
        }
    }
}
