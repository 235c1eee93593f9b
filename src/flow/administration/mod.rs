//! What operators do: virtual servers, applications, people, keys. Each change has its audit event in the
//! same transaction.

pub mod accounts;
pub mod applications;
pub mod branding;
pub mod configuration;
pub mod groups;
pub mod jobs;
pub mod keys;
pub mod lists;
pub mod log_stream;
pub mod messages;
pub mod operators;
pub mod organization;
pub mod people;
pub mod pins;
pub mod policies;
pub mod provisioning;
pub mod recovery;
pub mod reports;
pub mod reseal;
pub mod restore;
pub mod rollout;
pub mod rollout_told;
pub mod roster;
pub mod rules;
pub mod schedules;
pub mod settings;
pub mod stock;
pub mod synchronize;
pub mod tally;
pub mod templates;
pub mod tenants;
pub mod test_cases;
pub mod token_exports;
pub mod token_states;
pub mod webhooks;

use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::TenantId;
use crate::domain::timestamp::Timestamp;
use crate::flow::House;
use crate::storage::{self, Connection};

/// Who acts, from where and when.
#[derive(Debug, Clone)]
pub struct Desk<'a> {
    /// Everything that use cases need.
    pub house: &'a House,
    /// Who acts.
    pub actor: Actor,
    /// From which address; empty for the service itself and the shell.
    pub address: String,
    /// When.
    pub now: Timestamp,
}

impl Desk<'_> {
    /// The event of a deed, with time, operator and address.
    pub(super) fn event(&self, tenant: TenantId, action: Action) -> Event {
        Event::new(self.now, tenant, self.actor.clone(), action).from_address(&self.address)
    }

    /// The account that acts, by which two operators are told apart; `None` if it has no name. A key is nobody: whoever holds
    /// two of them, or one beside an account, is not two people.
    fn account(&self) -> Option<String> {
        match &self.actor {
            Actor::Shell(account) if !account.trim().is_empty() => Some(account.trim().to_lowercase()),
            Actor::Operator(_, username) => Some(username.trim().to_lowercase()),
            Actor::User(id) => Some(id.to_string()),
            _ => None,
        }
    }

    /// Writes down what was done.
    pub(super) async fn record(
        &self,
        connection: &mut Connection,
        tenant: TenantId,
        action: Action,
        object: (&'static str, String),
        detail: serde_json::Value,
    ) -> storage::Result<()> {
        let event = self.event(tenant, action).on(object.0, object.1).with(detail);
        self.house.record(connection, event).await
    }
}
