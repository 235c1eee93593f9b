//! Settings tables of the apply file: each key replaces one value of the settings, the others stay.
//!
//! The keys are those of the domain's own types, so a setting that is added there can be applied at once.

use std::ops::RangeInclusive;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::document::Document;

/// The numbers that the types alone would not refuse: table, key, range.
const RANGES: [(&str, &str, RangeInclusive<i64>); 22] = [
    ("email_code", "length", 6..=8),
    ("email_code", "lifetime_seconds", 120..=600),
    ("lockout", "threshold", 0..=100),
    ("lockout", "lock_seconds", 1..=2_592_000),
    ("session", "idle_seconds", 60..=28_800),
    ("session", "longest_seconds", 60..=86_400),
    ("windows", "time_steps", 0..=3),
    ("windows", "outer_time_steps", 0..=100),
    ("windows", "event_look_ahead", 1..=25),
    ("windows", "outer_event_look_ahead", 1..=250),
    ("token_template", "length", 6..=8),
    ("server_side_pin", "min_length", 3..=15),
    ("server_side_pin", "max_length", 4..=16),
    ("server_side_pin", "generated_length", 3..=16),
    ("server_side_pin", "change_every_days", 0..=3650),
    ("server_side_pin", "history", 1..=10),
    ("tokens", "max_per_user", 1..=50),
    ("enrollment_mail", "days", 1..=90),
    ("enrollment_mail", "reminder_days", 0..=30),
    ("enrollment_mail", "attempts", 3..=100),
    ("logs", "audit_days", 30..=3650),
    ("logs", "access_days", 7..=3650),
];

/// `base` with the entries of `table` laid over it; `path` is the table's place in the document.
pub(super) fn overlaid<T: Serialize + DeserializeOwned + Clone>(
    document: &mut Document<'_>,
    path: &str,
    base: &T,
    table: &toml::Table,
) -> T {
    let Ok(Value::Object(mut values)) = serde_json::to_value(base) else { return base.clone() };
    let mut result = base.clone();
    let known: Vec<String> = values.keys().map(|key| format!("`{key}`")).collect();
    for (key, entry) in table {
        let place = format!("{path}.{key}");
        if !values.contains_key(key) {
            document.fault(&place, format!("unknown field `{key}`, expected one of {}", known.join(", ")));
            continue;
        }
        if let Some(range) = range(path, key).filter(|range| entry.as_integer().is_none_or(|n| !range.contains(&n))) {
            document.fault(&place, format!("must be from {} to {}", range.start(), range.end()));
            continue;
        }
        let Ok(entry) = serde_json::to_value(entry) else { continue };
        let before = values.insert(key.clone(), entry);
        match serde_json::from_value(Value::Object(values.clone())) {
            Ok(value) => result = value,
            Err(error) => {
                document.fault(&place, error.to_string());
                values.insert(key.clone(), before.unwrap_or_default());
            }
        }
    }
    result
}

fn range(path: &str, key: &str) -> Option<RangeInclusive<i64>> {
    let found = RANGES.iter().find(|(table, name, _)| *name == key && path.split('.').any(|step| step == *table));
    found.map(|(_, _, range)| range.clone())
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
