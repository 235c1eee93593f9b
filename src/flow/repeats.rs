//! Values that an application draws anew for each request, the PKCE challenge and the nonce: whoever sends the same each time has
//! lost what they protect from (RFC 9700, 2.1.1). Nobody is refused for it. It is written down for the operators, who can tell the
//! application's makers.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::{House, Realm, Visit};
use crate::domain::application::Application;
use crate::domain::audit::{Action, Actor, Event};
use crate::domain::ids::{ApplicationId, TenantId};

/// So many codes one after the other with one value come from no page that was loaded again.
const MANY: u32 = 3;

/// A parameter of an application.
type Of = (TenantId, ApplicationId, &'static str);

/// The last value of each, and how often it came, in the memory of this instance.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<HashMap<Of, (String, u32)>>);

impl Repeats {
    /// Remembers a value. Says whether it has just come too often; that is said once.
    fn is_too_often(&self, of: Of, value: &str) -> bool {
        // A panic while it is held cannot leave half an entry that would matter: it only counts.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, times) = all.entry(of).or_default();
        if last.as_str() != value {
            value.clone_into(last);
            *times = 0;
        }
        *times = times.saturating_add(1);
        *times == MANY
    }
}

/// Looks at the values of a request whose code was redeemed, by the names of their parameters. What comes again and again is an
/// audit event; the application goes on all the same, also if that cannot be written.
pub async fn seen(
    house: &House,
    realm: &Realm,
    visit: &Visit,
    application: &Application,
    values: [(&'static str, Option<&str>); 2],
) {
    for (name, value) in values {
        let of = (realm.tenant(), application.id, name);
        let repeated = value.is_some_and(|value| house.repeats.is_too_often(of, value));
        if !repeated {
            continue;
        }
        tracing::warn!(correlation = %visit.correlation, application = application.name, parameter = name,
            "an application sends the same value with every request");
        let written = house.db.write_soon(async |connection| {
            let event = Event::new(visit.now, realm.tenant(), Actor::System, Action::ParameterRepeated);
            let event = event.on("application", application.id).with(json!({ "parameter": name }));
            house.record(connection, event).await
        });
        if let Err(error) = written.await {
            tracing::error!(%error, parameter = name, "a repeated value cannot be written down");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9700, 2.1.1.
    #[test]
    fn a_value_that_comes_again_and_again_is_noticed_once() {
        let repeats = Repeats::default();
        let of = |tenant, application, name| (TenantId::from_bits(tenant), ApplicationId::from_bits(application), name);
        let noticed = |of: Of, values: &[&str]| -> Vec<bool> {
            values.iter().map(|value| repeats.is_too_often(of, value)).collect()
        };
        assert_eq!(noticed(of(1, 1, "nonce"), &["a", "a", "a", "a"]), [false, false, true, false]);
        for other in [of(1, 2, "nonce"), of(2, 1, "nonce"), of(1, 1, "code_challenge")] {
            assert_eq!(noticed(other, &["a", "a"]), [false, false], "each by itself: {other:?}");
        }
        let again = noticed(of(3, 1, "nonce"), &["a", "b", "a", "a", "b"]);
        assert_eq!(again, [false; 5], "a page that was loaded again");
    }
}
