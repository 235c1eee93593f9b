//! An application as an operator types it: `[[tenant.application]]` of an apply file, the form of the console, the document
//! of the management API.

use serde::{Deserialize, Serialize};

use super::{Application, Assignment, Protocol};
use crate::domain::fault::Faults;
use crate::domain::ids::{GroupId, UserId};
use crate::domain::name::{Names, checked};
use crate::domain::oidc_client::OidcClientDraft;
use crate::domain::service_provider::ServiceProviderDraft;
use crate::domain::tenant::TenantConfig;

/// An application.
#[derive(Debug, Clone, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApplicationDraft {
    /// Unique in the virtual server; required.
    pub name: String,
    /// Whether people can log in to it; they can unless it is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Who may use it; everyone unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_to: Option<AssignedTo>,
    /// Where the portal sends a person who picks it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch_url: Option<String>,
    /// An OpenID Connect relying party.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcClientDraft>,
    /// A SAML service provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub saml: Option<ServiceProviderDraft>,
}

/// Who may use an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "must be \"everyone\" or { groups = […], users = […] }")]
pub enum AssignedTo {
    /// Every user.
    Everyone(Everyone),
    /// These.
    Chosen(Chosen),
}

/// The word for every user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Everyone {
    /// Every user.
    Everyone,
}

/// Groups and users by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Chosen {
    /// Names of groups.
    pub groups: Vec<String>,
    /// Names of users.
    pub users: Vec<String>,
}

/// The names that applications refer to.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Groups.
    pub groups: &'a Names<GroupId>,
    /// People.
    pub users: &'a Names<UserId>,
}

/// What every application has, whatever it speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    /// Its name.
    pub name: String,
    /// See [`Application::active`].
    pub active: bool,
    /// See [`Application::launch_url`].
    pub launch_url: Option<String>,
    /// See [`Application::assignment`].
    pub assignment: Assignment,
}

impl ApplicationDraft {
    /// Reads what every application has; what is not given stays as it is in `before`.
    #[must_use]
    pub fn common(&self, before: Option<&Application>, known: Known<'_>, faults: &mut Faults) -> Common {
        let name = match checked(&self.name) {
            Ok(name) => name.to_owned(),
            Err(error) => {
                faults.add("name", error.to_string());
                String::new()
            }
        };
        let launch_url = self.launch_url.clone().filter(|address| !address.trim().is_empty());
        let good = |address: &String| {
            url::Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "https" | "http") && url.has_host())
        };
        if launch_url.as_ref().is_some_and(|address| !good(address)) {
            faults.add("launch_url", "must be an absolute https or http address");
        }
        let assignment = match &self.assigned_to {
            None => before.map_or(Assignment::Everyone, |before| before.assignment.clone()),
            Some(AssignedTo::Everyone(Everyone::Everyone)) => Assignment::Everyone,
            Some(AssignedTo::Chosen(chosen)) => Assignment::Chosen {
                groups: known.groups.find_all(faults, "assigned_to", "group", &chosen.groups),
                users: known.users.find_all(faults, "assigned_to", "user", &chosen.users),
            },
        };
        let active = self.active.unwrap_or_else(|| before.is_none_or(|before| before.active));
        Common { name, active, launch_url, assignment }
    }

    /// What is there as it would be typed, without secrets. `user` tells the names of people.
    #[must_use]
    pub fn of(application: &Application, config: &TenantConfig, user: impl Fn(UserId) -> Option<String>) -> Self {
        let assigned_to = match &application.assignment {
            Assignment::Everyone => AssignedTo::Everyone(Everyone::Everyone),
            Assignment::Chosen { groups, users } => AssignedTo::Chosen(Chosen {
                groups: config.group_names(groups).map(str::to_owned).collect(),
                users: users.iter().filter_map(|id| user(*id)).collect(),
            }),
        };
        let (oidc, saml) = match &application.protocol {
            Protocol::Oidc(client) => (Some(OidcClientDraft::of(client)), None),
            Protocol::Saml(provider) => (None, Some(ServiceProviderDraft::of(provider))),
            Protocol::Portal | Protocol::Console => (None, None),
        };
        Self {
            name: application.name.clone(),
            active: Some(application.active),
            assigned_to: Some(assigned_to),
            launch_url: application.launch_url.clone(),
            oidc,
            saml,
        }
    }
}
