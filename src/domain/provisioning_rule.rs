//! Provisioning rules: who enters a group gets an authenticator reserved and a mail.

use serde::{Deserialize, Serialize};

use crate::domain::ids::{GroupId, RuleId};
use crate::domain::provisioning_task::TokenType;

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisioningRule {
    /// Its identifier.
    pub id: RuleId,
    /// Unique in the virtual server.
    pub name: String,
    /// Whether it is looked at; one that is not neither issues nor revokes.
    pub enabled: bool,
    /// What is issued.
    pub token_type: TokenType,
    /// Whom it is about: everybody in any of these groups; at least one.
    pub groups: Vec<GroupId>,
    /// Whether somebody gets one who has an authenticator of that type already.
    pub issue_duplicates: bool,
    /// Whether its authenticator is revoked when its owner leaves the groups.
    pub auto_revoke: bool,
}

impl ProvisioningRule {
    /// Whether somebody in `groups` is meant.
    #[must_use]
    pub fn matches(&self, groups: &[GroupId]) -> bool {
        self.groups.iter().any(|group| groups.contains(group))
    }
}

/// What a rule has done for somebody who is in its groups. It is kept until the person leaves them: an authenticator that
/// is revoked later is not replaced by the rule, because then the mailbox alone would replace it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A mail was sent.
    Provisioned,
    /// The person had an authenticator of that type, or one was reserved already.
    HasOne,
    /// The account has no mail address; one that is added changes that.
    NoAddress,
}

impl Outcome {
    /// The name in the database and in reports.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Provisioned => "provisioned",
            Self::HasOne => "has_one",
            Self::NoAddress => "no_address",
        }
    }

    /// The outcome with this name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        [Self::Provisioned, Self::HasOne, Self::NoAddress].into_iter().find(|outcome| outcome.id() == id)
    }
}

/// What is known about a person whom a rule may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Whether the person is in one of its groups.
    pub matches: bool,
    /// Whether the account may be used.
    pub enabled: bool,
    /// Whether it has a mail address.
    pub has_address: bool,
    /// Whether there is an authenticator of that type, or a reservation for one.
    pub has_one: bool,
    /// What the rule has done before.
    pub before: Option<Outcome>,
}

/// What a rule does about a person now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Nothing,
    /// A mail is sent, and that is noted.
    Provision,
    /// Nothing is sent, and why is noted.
    Note(Outcome),
    /// The person left the groups: what was noted is forgotten, and with auto revoke what was issued ends.
    Leave,
}

/// Decides.
#[must_use]
pub const fn decide(rule: &ProvisioningRule, facts: Facts) -> Verdict {
    if !rule.enabled {
        return Verdict::Nothing;
    }
    match (facts.matches, facts.before) {
        (false, None) => Verdict::Nothing,
        (false, Some(_)) => Verdict::Leave,
        (true, Some(Outcome::Provisioned | Outcome::HasOne)) => Verdict::Nothing,
        // Whoever is disabled is looked at again once that is over.
        (true, None | Some(Outcome::NoAddress)) if !facts.enabled => Verdict::Nothing,
        (true, None | Some(Outcome::NoAddress)) if facts.has_one && !rule.issue_duplicates => {
            Verdict::Note(Outcome::HasOne)
        }
        (true, None | Some(Outcome::NoAddress)) if facts.has_address => Verdict::Provision,
        (true, None) => Verdict::Note(Outcome::NoAddress),
        (true, Some(Outcome::NoAddress)) => Verdict::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> ProvisioningRule {
        ProvisioningRule {
            id: RuleId::from_bits(1),
            name: "Everybody in Finance".to_owned(),
            enabled: true,
            token_type: TokenType::App,
            groups: vec![GroupId::from_bits(7)],
            issue_duplicates: false,
            auto_revoke: true,
        }
    }

    ///
    #[test]
    fn a_rule_acts_when_somebody_enters_or_leaves_and_only_then() {
        let entering = Facts { matches: true, enabled: true, has_address: true, has_one: false, before: None };
        let rule = rule();
        let twice = ProvisioningRule { issue_duplicates: true, ..rule.clone() };
        let off = ProvisioningRule { enabled: false, ..rule.clone() };
        for (rule, facts, verdict) in [
            (&rule, entering, Verdict::Provision),
            (&rule, Facts { before: Some(Outcome::Provisioned), ..entering }, Verdict::Nothing),
            // An authenticator that is gone is not replaced by mail.
            (&rule, Facts { before: Some(Outcome::HasOne), ..entering }, Verdict::Nothing),
            (&rule, Facts { has_one: true, ..entering }, Verdict::Note(Outcome::HasOne)),
            (&twice, Facts { has_one: true, ..entering }, Verdict::Provision),
            (&rule, Facts { has_address: false, ..entering }, Verdict::Note(Outcome::NoAddress)),
            (&rule, Facts { before: Some(Outcome::NoAddress), has_address: false, ..entering }, Verdict::Nothing),
            (&rule, Facts { before: Some(Outcome::NoAddress), ..entering }, Verdict::Provision),
            (&rule, Facts { enabled: false, ..entering }, Verdict::Nothing),
            (&rule, Facts { matches: false, ..entering }, Verdict::Nothing),
            (&rule, Facts { matches: false, before: Some(Outcome::Provisioned), ..entering }, Verdict::Leave),
            (&off, entering, Verdict::Nothing),
            (&off, Facts { matches: false, before: Some(Outcome::Provisioned), ..entering }, Verdict::Nothing),
        ] {
            assert_eq!(decide(rule, facts), verdict, "{facts:?}");
        }
    }

    #[test]
    fn an_outcome_is_read_back_by_its_name() {
        for outcome in [Outcome::Provisioned, Outcome::HasOne, Outcome::NoAddress] {
            assert_eq!(Outcome::named(outcome.id()), Some(outcome));
        }
    }
}
