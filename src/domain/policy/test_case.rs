//! What operators expect of access policies and self-provisioning, written down as cases that are looked at before a change
//! is saved.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::access::Method;
use super::draft::Decides;
use crate::domain::fault::{Fault, Faults};
use crate::domain::ids::{ApplicationId, TestCaseId, UserId};
use crate::domain::name::{Names, checked};

/// The most cases that a virtual server may have: all of them are looked at before each save.
pub const MOST: usize = 200;

/// A case: somebody, somewhere, wants to reach something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestCase {
    /// Its identifier.
    pub id: TestCaseId,
    /// Unique in the virtual server.
    pub name: String,
    /// Who, what, from where, and what is expected.
    pub says: Says,
    /// Grows with every change.
    pub version: i64,
}

/// What a case says, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Says {
    /// Who.
    pub user: UserId,
    /// What.
    pub application: ApplicationId,
    /// From where.
    pub address: IpAddr,
    /// What must come out.
    pub expects: Expected,
}

/// What comes out, or must.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Expected {
    /// Whether the policies grant access.
    pub decision: Decides,
    /// What must be proven, the password first; nothing where access is denied.
    pub require: Vec<Method>,
    /// Whether adding an authenticator is offered to somebody who has none; `None` does not care.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrollment: Option<bool>,
}

impl Expected {
    /// In what `found` is something else, one sentence each.
    #[must_use]
    pub fn differences(&self, found: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        if self.decision != found.decision {
            differences.push(format!("decision is {}, expected {}", found.decision.id(), self.decision.id()));
        } else if self.require != found.require {
            differences.push(format!("require is {}, expected {}", listed(&found.require), listed(&self.require)));
        }
        if self.enrollment.is_some() && self.enrollment != found.enrollment {
            let word = |offered: Option<bool>| if offered == Some(true) { "offered" } else { "not offered" };
            differences.push(format!("enrollment is {}, expected {}", word(found.enrollment), word(self.enrollment)));
        }
        differences
    }
}

fn listed(methods: &[Method]) -> String {
    let words: Vec<&str> = methods.iter().map(|method| method.id()).collect();
    format!("[{}]", words.join(", "))
}

/// A case as it is typed: `[[tenant.test_case]]` of an apply file, the form of the console, the document of the API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TestCaseDraft {
    /// Unique in the virtual server; required.
    pub name: String,
    /// A user name; required.
    pub user: String,
    /// The name of an application; required.
    pub application: String,
    /// An IPv4 or IPv6 address; this machine's own unless given.
    pub address: Option<String>,
    /// Grant unless given.
    pub decision: Decides,
    /// What must be proven where access is granted.
    pub require: Vec<Method>,
    /// Whether adding an authenticator is offered to the person without one; not looked at unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enrollment: Option<bool>,
}

/// The names that cases refer to.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// People.
    pub users: &'a Names<UserId>,
    /// Applications.
    pub applications: &'a Names<ApplicationId>,
}

impl TestCaseDraft {
    /// The case that is meant.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn check(&self, known: Known<'_>) -> Result<(String, Says), Vec<Fault>> {
        let mut faults = Faults::default();
        let name = checked(&self.name).map_err(|error| faults.add("name", error.to_string()));
        let user = known.users.find(&self.user);
        if user.is_none() {
            faults.add("user", format!("there is no user \"{}\"", self.user));
        }
        let application = known.applications.find(&self.application);
        if application.is_none() {
            faults.add("application", format!("there is no application \"{}\"", self.application));
        }
        let address = match self.address.as_deref().map(str::trim) {
            None | Some("") => Ok(IpAddr::from([127, 0, 0, 1])),
            Some(text) => text.parse(),
        };
        if address.is_err() {
            faults.add("address", "is not an address such as 192.0.2.7 or 2001:db8::7");
        }
        let mut require = self.require.clone();
        require.sort_unstable();
        require.dedup();
        match self.decision {
            Decides::Deny if !require.is_empty() => {
                faults.add("require", "must not be given together with decision = \"deny\"");
            }
            Decides::Deny if self.enrollment == Some(true) => {
                faults.add("enrollment", "cannot be offered where access is denied");
            }
            Decides::Grant if require.is_empty() => {
                faults.add("require", "must name at least one of \"password\", \"otp\"");
            }
            Decides::Grant | Decides::Deny => {}
        }
        match (name, user, application, address) {
            (Ok(name), Some(user), Some(application), Ok(address)) if faults.0.is_empty() => {
                let expects = Expected { decision: self.decision, require, enrollment: self.enrollment };
                Ok((name.to_owned(), Says { user, application, address, expects }))
            }
            _ => Err(faults.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(draft: &TestCaseDraft) -> Result<(String, Says), Vec<String>> {
        let users: Names<_> = [("ada", UserId::from_bits(1))].into_iter().collect();
        let applications: Names<_> = [("Notes", ApplicationId::from_bits(2))].into_iter().collect();
        let checked = draft.check(Known { users: &users, applications: &applications });
        checked.map_err(|faults| faults.into_iter().map(|fault| fault.key).collect())
    }

    ///
    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let wrong = TestCaseDraft { address: Some("here".to_owned()), ..TestCaseDraft::default() };
        assert_eq!(check(&wrong).expect_err("wrong"), ["name", "user", "application", "address", "require"]);
        let good = TestCaseDraft {
            name: "Ada enrolls".to_owned(),
            user: "Ada".to_owned(),
            application: "notes".to_owned(),
            require: vec![Method::Otp, Method::Password],
            enrollment: Some(true),
            ..TestCaseDraft::default()
        };
        let (_, says) = check(&good).expect("good");
        assert_eq!(says.expects.require, [Method::Password, Method::Otp]);
        let denied = TestCaseDraft { decision: Decides::Deny, ..good.clone() };
        assert_eq!(check(&denied).expect_err("wrong"), ["require"]);
        let denied = TestCaseDraft { require: vec![], ..denied };
        assert_eq!(check(&denied).expect_err("wrong"), ["enrollment"]);
        // What comes out differs in one thing, in another, or in nothing that the case looks at.
        let found = |decision, require: &[Method], enrollment| {
            says.expects.differences(&Expected { decision, require: require.to_vec(), enrollment: Some(enrollment) })
        };
        let both = [Method::Password, Method::Otp];
        assert_eq!(found(Decides::Grant, &both, true), Vec::<String>::new());
        let less = found(Decides::Grant, &[Method::Password], false);
        let expected =
            ["require is [password], expected [password, otp]", "enrollment is not offered, expected offered"];
        assert_eq!(less, expected);
        assert_eq!(found(Decides::Deny, &[], true), ["decision is deny, expected grant"]);
    }
}
