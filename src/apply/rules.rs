//! The provisioning rules of an apply file.

use super::file;
use super::plan::find_all;
use crate::clock::Entropy;
use crate::config::document::Document;
use crate::domain::ids::GroupId;
use crate::domain::name::{Names, checked, key_of};
use crate::domain::provisioning_rule::ProvisioningRule;

/// The rules afterwards: those of the file where it names any, or those that are there. A rule that has a name of before
/// is the same rule, and knows what it has done.
pub(super) fn wanted(
    document: &mut Document<'_>,
    path: &str,
    typed: &file::Tenant,
    current: &[ProvisioningRule],
    groups: &Names<GroupId>,
    entropy: &Entropy,
) -> Vec<ProvisioningRule> {
    let Some(entries) = &typed.provisioning_rule else { return current.to_vec() };
    let mut rules: Vec<ProvisioningRule> = Vec::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        let place = format!("{path}.provisioning_rule[{index}]");
        let name = match checked(&entry.name) {
            Ok(name) => name.to_owned(),
            Err(error) => {
                document.fault(&format!("{place}.name"), error.to_string());
                continue;
            }
        };
        if rules.iter().any(|other| key_of(&other.name) == key_of(&name)) {
            document.fault(&format!("{place}.name"), format!("\"{name}\" is given twice"));
            continue;
        }
        if entry.groups.is_empty() {
            document.fault(&format!("{place}.groups"), "must name at least one group");
        }
        let before = current.iter().find(|other| key_of(&other.name) == key_of(&name));
        rules.push(ProvisioningRule {
            id: before.map_or_else(|| entropy.id(), |before| before.id),
            name,
            enabled: entry.enabled.unwrap_or(true),
            token_type: entry.token_type,
            groups: find_all(document, groups, &format!("{place}.groups"), "group", &entry.groups),
            issue_duplicates: entry.issue_duplicates,
            auto_revoke: entry.auto_revoke,
        });
    }
    rules
}
