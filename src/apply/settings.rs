//! Settings tables of the apply file: each key replaces one value of the settings, the others stay.
//!
//! The keys are those of the domain's own types, so a setting that is added there can be applied at once.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::config::document::Document;
use crate::domain::settings;

/// `base` with the entries of `table` laid over it; `path` is the table's place in the document.
pub(super) fn overlaid<T: Serialize + DeserializeOwned + Clone>(
    document: &mut Document<'_>,
    path: &str,
    base: &T,
    table: &toml::Table,
) -> T {
    let entries = table.iter().filter_map(|(key, entry)| Some((key.clone(), serde_json::to_value(entry).ok()?)));
    let name = path.split('.').find(|step| *step == "token_template").or(path.rsplit('.').next());
    let (result, faults) = settings::overlaid(name.unwrap_or_default(), base, &entries.collect());
    for fault in faults {
        document.fault(&format!("{path}.{}", fault.key), fault.words);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::email_code::EmailCodeSettings;

    ///
    #[test]
    fn a_key_replaces_one_value_and_every_fault_is_named() {
        let text =
            "[email_code]\nlength = 8\nlifetime_seconds = 9\nformat = \"runes\"\nlenght = 1\nin_subject = true\n";
        let mut document = Document::parse("a.toml", text);
        let table: toml::Table = text.parse().expect("TOML");
        let table = table["email_code"].as_table().expect("a table");
        let settings = overlaid(&mut document, "email_code", &EmailCodeSettings::default(), table);
        assert_eq!((settings.length, settings.lifetime_seconds, settings.in_subject), (8, 600, true));
        let faults = document.finish().expect_err("three").to_string();
        for expected in [
            "a.toml, line 3: email_code.lifetime_seconds: must be from 120 to 600",
            "a.toml, line 4: email_code.format: unknown variant `runes`, expected `digits` or `alphanumeric`",
            "a.toml, line 5: email_code.lenght: unknown field `lenght`, expected one of `format`",
        ] {
            assert!(faults.contains(expected), "{expected}\n{faults}");
        }
    }
}
