//! Applications: what people log in to.

mod draft;

use serde::{Deserialize, Serialize};

use crate::domain::ids::{ApplicationId, GroupId, TenantId, UserId};
use crate::domain::login::origin::Origin;
use crate::domain::oidc_client::{ClientSecret, OidcClient};
use crate::domain::operator::Operator;
use crate::domain::service_provider::ServiceProvider;

pub use draft::{ApplicationDraft, AssignedTo, Chosen, Common, Everyone, Known};

/// An application behind the identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its identifier.
    pub id: ApplicationId,
    /// Its display name, unique in the virtual server.
    pub name: String,
    /// Whether people can log in to it. One that is not active is, for every door, not there.
    pub active: bool,
    /// Where the portal sends a person who picks it, if it is not started by a protocol of ours.
    pub launch_url: Option<String>,
    /// Who may use it at all.
    pub assignment: Assignment,
    /// How it speaks with us.
    pub protocol: Protocol,
}

impl Application {
    /// What is configured, as JSON, without anything that a secret could be guessed from: for the audit trail.
    #[must_use]
    pub fn without_secrets(&self) -> serde_json::Value {
        let mut protocol = serde_json::to_value(&self.protocol).unwrap_or_default();
        if let Some(client) = protocol.get_mut("oidc").and_then(serde_json::Value::as_object_mut) {
            client.insert("secrets".to_owned(), self.secrets().len().into());
        }
        serde_json::json!({
            "name": self.name,
            "active": self.active,
            "launch_url": self.launch_url,
            "assignment": self.assignment,
            "protocol": protocol,
        })
    }

    /// The client secrets, as they are stored.
    #[must_use]
    pub fn secrets(&self) -> &[ClientSecret] {
        match &self.protocol {
            Protocol::Oidc(client) => &client.secrets,
            Protocol::Saml(_) | Protocol::Portal | Protocol::Console => &[],
        }
    }

    /// The operator console of a virtual server, assigned to its operators. It has the identifier of its virtual server, so that
    /// logins that lead to it can name it.
    #[must_use]
    pub fn console(tenant: TenantId, operators: &[Operator]) -> Self {
        Self {
            id: ApplicationId::from_bits(u128::from_be_bytes(tenant.to_bytes())),
            name: "Operator console".to_owned(),
            active: true,
            launch_url: None,
            assignment: Assignment::Chosen {
                groups: Vec::new(),
                users: operators.iter().map(|operator| operator.user).collect(),
            },
            protocol: Protocol::Console,
        }
    }
}

/// Who may use an application at all; policies then say how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Assignment {
    /// Every user of the virtual server.
    Everyone,
    /// Members of these groups, and these users.
    Chosen {
        /// Any one membership suffices.
        groups: Vec<GroupId>,
        /// Single persons.
        users: Vec<UserId>,
    },
}

impl Assignment {
    /// Whether this person may use the application at all.
    #[must_use]
    pub fn includes(&self, user: UserId, groups: &[GroupId]) -> bool {
        match self {
            Self::Everyone => true,
            Self::Chosen { groups: chosen, users } => {
                users.contains(&user) || chosen.iter().any(|group| groups.contains(group))
            }
        }
    }
}

/// How an application speaks with us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// An OpenID Connect relying party.
    Oidc(Box<OidcClient>),
    /// A SAML service provider.
    Saml(Box<ServiceProvider>),
    /// Our own user portal; every virtual server has exactly one.
    Portal,
    /// Our own operator console; every virtual server has exactly one, and it is nowhere stored.
    Console,
}

impl Protocol {
    /// The door that logins for it come through.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        match self {
            Self::Oidc(_) => Origin::Oidc,
            Self::Saml(_) => Origin::Saml,
            Self::Portal => Origin::Portal,
            Self::Console => Origin::Operator,
        }
    }

    /// What must be unique in a virtual server: the client identifier or the entity ID.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Oidc(client) => format!("oidc:{}", client.client_id),
            Self::Saml(provider) => format!("saml:{}", provider.entity_id),
            Self::Portal => "portal".to_owned(),
            Self::Console => "console".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    ///
    #[test]
    fn an_application_is_for_everyone_or_for_the_chosen() {
        let (ada, grace) = (UserId::from_bits(1), UserId::from_bits(2));
        let pilot = GroupId::from_bits(3);
        let chosen = Assignment::Chosen { groups: vec![pilot], users: vec![ada] };
        assert!(Assignment::Everyone.includes(grace, &[]));
        assert!(chosen.includes(ada, &[]) && chosen.includes(grace, &[pilot]) && !chosen.includes(grace, &[]));
    }
}
