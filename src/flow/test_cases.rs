//! Holds cases against a configuration, stored or not: what operators expect of policies and self-provisioning, and what
//! comes out. Nothing is written.
//!
//! A case asks about the configuration, not about what people have done: enrollment is judged as for somebody without any
//! authenticator, so that a case does not fail because its person has enrolled one.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::Serialize;

use super::House;
use super::explain::{Asked, Outlook, Person};
use crate::domain::ids::{TestCaseId, UserId};
use crate::domain::policy::draft::Decides;
use crate::domain::policy::test_case::{Expected, TestCase};
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::storage::{self, Connection, test_cases};

/// What came out of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Outcome {
    /// The case.
    #[schemars(with = "String")]
    pub id: TestCaseId,
    /// Its name.
    pub name: String,
    /// Whether what is expected comes out.
    pub holds: bool,
    /// Whether it did before the change; `None` where there is no change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_before: Option<bool>,
    /// What comes out, unless the person or the application is not there.
    pub found: Option<Found>,
    /// In what that is something else than is expected.
    pub differs: Vec<String>,
}

/// What comes out of a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Found {
    /// Decision, methods and enrollment.
    #[serde(flatten)]
    pub result: Expected,
    /// The policy that decided.
    pub policy: String,
    /// The scenario of it that decided, if one did.
    pub scenario: Option<String>,
}

impl Outcome {
    /// Whether the change is what breaks it.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        !self.holds && self.held_before != Some(false)
    }
}

/// Looks at `cases` with the configuration `after`, and with the one before where a change is judged.
///
/// # Errors
/// If the database fails.
pub async fn judge(
    house: &House,
    connection: &mut Connection,
    cases: &[TestCase],
    before: Option<&TenantConfig>,
    after: &TenantConfig,
    at: Timestamp,
) -> storage::Result<Vec<Outcome>> {
    let mut people: HashMap<UserId, Option<Person>> = HashMap::new();
    let mut outcomes = Vec::with_capacity(cases.len());
    for case in cases {
        let user = case.says.user;
        let person = match people.entry(user) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(Person::of(house, connection, after, user).await?),
        };
        let person = person.as_ref();
        let (found, differs) = held(connection, case, person, after, at).await?;
        let held_before = match before {
            Some(before) => Some(held(connection, case, person, before, at).await?.1.is_empty()),
            None => None,
        };
        let (id, name) = (case.id, case.name.clone());
        outcomes.push(Outcome { id, name, holds: differs.is_empty(), held_before, found, differs });
    }
    Ok(outcomes)
}

/// As [`judge`], with the stored cases and outside a transaction; only those that the change breaks. For whoever saves
/// policies, applications or self-provisioning.
///
/// # Errors
/// If the database fails.
pub async fn broken(
    house: &House,
    before: &TenantConfig,
    after: &TenantConfig,
    at: Timestamp,
) -> storage::Result<Vec<Outcome>> {
    house
        .db
        .read(async |connection| {
            let cases = test_cases::all(after.tenant.id).ask(connection).await?;
            let outcomes = judge(house, connection, &cases, Some(before), after, at).await?;
            Ok(outcomes.into_iter().filter(Outcome::is_broken).collect())
        })
        .await
}

async fn held(
    connection: &mut Connection,
    case: &TestCase,
    person: Option<&Person>,
    config: &TenantConfig,
    at: Timestamp,
) -> storage::Result<(Option<Found>, Vec<String>)> {
    let says = &case.says;
    let Some(person) = person else { return Ok((None, vec!["the person is not there any more".to_owned()])) };
    let Some(application) = config.application(says.application) else {
        return Ok((None, vec!["the application is not there any more".to_owned()]));
    };
    let asked = Asked { config, application, address: says.address, at };
    let outlook = Outlook::of(connection, asked, person).await?;
    let decision = &outlook.decision;
    let result = Expected {
        decision: Decides::of(&decision.verdict),
        require: decision.verdict.requirements().iter().map(|requirement| requirement.method).collect(),
        enrollment: Some(outlook.offered()),
    };
    let differs = says.expects.differences(&result);
    let (policy, scenario) = (decision.policy_name.clone(), decision.scenario.clone());
    Ok((Some(Found { result, policy, scenario }), differs))
}
