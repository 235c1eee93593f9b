//! Languages are complete (A28): what a translator or an author of a new page forgot is named here.

#![expect(clippy::unwrap_used, reason = "a test that goes wrong stops at once, and says where")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use vestibule::i18n::Language;

/// The texts of a language: key to words, as they stand in its files.
fn texts(tag: &str) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("locales").join(tag);
    for file in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = file.unwrap().path();
        assert_eq!(path.extension().and_then(|name| name.to_str()), Some("ftl"), "{}", path.display());
        let mut key = String::new();
        for line in fs::read_to_string(&path).unwrap().lines() {
            match line.split_once(" = ") {
                Some((name, words))
                    if name.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit()) =>
                {
                    key = name.to_owned();
                    let earlier = texts.insert(key.clone(), words.to_owned());
                    assert!(earlier.is_none(), "{key} stands twice in {tag}");
                }
                _ if line.is_empty() || line.starts_with('#') => {}
                _ => {
                    let words = texts.get_mut(&key).unwrap_or_else(|| panic!("{}: {line}", path.display()));
                    words.push('\n');
                    words.push_str(line);
                }
            }
        }
    }
    texts
}

fn variables(words: &str) -> BTreeSet<&str> {
    let names = words.split('$').skip(1);
    names.map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default()).collect()
}

///
#[test]
fn every_language_has_every_text_with_every_variable() {
    let english = texts("en");
    assert!(english.len() > 150, "the files were read");
    let mut faults = Vec::new();
    for language in Language::ALL {
        let own = texts(language.tag());
        for (key, words) in &english {
            match own.get(key) {
                None => faults.push(format!("{language}: {key} is missing")),
                Some(own) if own.trim().is_empty() => faults.push(format!("{language}: {key} is empty")),
                Some(own) if variables(own) != variables(words) => {
                    faults.push(format!("{language}: {key} mentions {:?}, not {:?}", variables(own), variables(words)));
                }
                Some(_) => {}
            }
        }
        faults.extend(
            own.keys().filter(|key| !english.contains_key(*key)).map(|key| format!("{language}: {key} is nobody's")),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A translation that is word for word the English one was forgotten, apart from names and a few short words.
///
#[test]
fn no_language_is_english_in_disguise() {
    let english = texts("en");
    for language in Language::ALL.into_iter().filter(|language| *language != Language::English) {
        let own = texts(language.tag());
        let same: Vec<_> =
            own.iter().filter(|(key, words)| words.len() > 24 && english.get(*key) == Some(words)).collect();
        assert!(same.is_empty(), "{language}: {same:?}");
    }
}

/// Fluent itself can read and say each of them: plural forms and variables too.
///
#[test]
fn every_text_can_be_said() {
    let all = vestibule::i18n::Texts::default();
    for language in Language::ALL {
        for (key, words) in texts(language.tag()) {
            for number in [0_u64, 1, 2, 5, 21] {
                let names = variables(&words);
                let values: Vec<(&'static str, vestibule::i18n::Value)> =
                    ["seconds", "minutes", "hours", "left", "digits", "step", "steps", "most", "count"]
                        .into_iter()
                        .map(|name| (name, number.into()))
                        .chain(
                            [
                                "contact",
                                "application",
                                "email",
                                "server",
                                "name",
                                "organization",
                                "time",
                                "day",
                                "address",
                                "account",
                                "serial",
                                "file",
                                "error",
                                "state",
                                "status",
                                "rules",
                            ]
                            .into_iter()
                            .map(|name| (name, "Würze".into())),
                        )
                        .collect();
                let unknown = names.iter().find(|name| !values.iter().any(|(known, _)| known == *name));
                assert_eq!(unknown, None, "{key}: this test does not know the variable");
                let said = all.exact(language, &key, &values);
                let said = said.unwrap_or_else(|| panic!("{language}: {key} cannot be said"));
                assert!(!said.contains(['{', '}']), "{language}: {key}: {said}");
            }
        }
    }
}

/// what templates ask for exists: a mistyped key would be shown to people as a key.
///
#[test]
fn every_text_that_a_template_names_exists() {
    let english = texts("en");
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")];
    let mut named = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for call in ["frame.t(\"", "frame.v(\"", "frame.v2(\"", "frame.plain(\""] {
                for rest in text.split(call).skip(1) {
                    let key = rest.split('"').next().unwrap();
                    assert!(english.contains_key(key), "{}: {key}", path.display());
                    named += 1;
                }
            }
        }
    }
    assert!(named > 60, "the templates were read: {named}");
}

/// what the app says exists, and nothing is translated that it does not say.
#[test]
fn every_text_of_the_app_is_said_by_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/vestibule-authenticator");
    let mut said = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let source = fs::read_to_string(file.unwrap().path()).unwrap();
        let keys = source.split("\"app-").skip(1).map(|rest| format!("app-{}", rest.split('"').next().unwrap()));
        said.extend(keys);
    }
    let english: BTreeSet<String> = texts("en").into_keys().filter(|key| key.starts_with("app-")).collect();
    assert!(english.len() > 90, "the files were read: {}", english.len());
    assert_eq!(said, english);
}
