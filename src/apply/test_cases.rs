//! The test cases of an apply file.

use super::change::Change;
use super::file;
use crate::clock::Entropy;
use crate::config::document::Document;
use crate::domain::name::key_of;
use crate::domain::policy::test_case::{Known, MOST, TestCase};

/// The changes that make the cases of the file be there; with `prune`, only those.
pub(super) fn plan(
    document: &mut Document<'_>,
    path: &str,
    typed: &file::Tenant,
    current: &[TestCase],
    known: Known<'_>,
    entropy: &Entropy,
    prune: bool,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut named: Vec<String> = Vec::new();
    for (index, draft) in typed.test_case.iter().enumerate() {
        let place = format!("{path}.test_case[{index}]");
        let (name, says) = match draft.check(known) {
            Ok(read) => read,
            Err(faults) => {
                document.faults(&place, faults);
                continue;
            }
        };
        if named.contains(&key_of(&name)) {
            document.fault(&format!("{place}.name"), format!("\"{name}\" is given twice"));
            continue;
        }
        named.push(key_of(&name));
        let before = current.iter().find(|case| key_of(&case.name) == key_of(&name));
        let (id, version) = before.map_or_else(|| (entropy.id(), 1), |before| (before.id, before.version));
        let case = TestCase { id, name, says, version };
        if before != Some(&case) {
            let (case, draft) = (Box::new(case), Box::new(draft.clone()));
            changes.push(Change::PutTestCase { case, draft, new: before.is_none() });
        }
    }
    let others = current.iter().filter(|case| !named.contains(&key_of(&case.name)));
    if prune {
        changes.extend(others.map(|case| Change::RemoveTestCase(Box::new(case.clone()))));
    } else if named.len() + others.count() > MOST {
        document.fault(&format!("{path}.test_case"), format!("would be more than {MOST}, with those that are there"));
    }
    changes
}
