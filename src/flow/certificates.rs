//! Certificates that run out: nobody notices before it is too late, so `vestibule check` and the log tell in time. And
//! metadata that has, although it is fetched again and again.

use std::time::Duration;

use crate::domain::application::Protocol;
use crate::domain::signing_key::{KeyPurpose, KeyStage};
use crate::domain::tenant::TenantConfig;
use crate::domain::timestamp::Timestamp;
use crate::keys::x509::Certificate;
use crate::storage::{self, Connection, signing_keys};

/// How long before its end a certificate is told of.
const WARNING: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A certificate or metadata that somebody relies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// Which, in words.
    pub what: String,
    /// Until when it says it is good.
    pub not_after: Timestamp,
}

impl Dated {
    /// Whether it has run out, or will soon.
    #[must_use]
    pub fn is_ending(&self, now: Timestamp) -> bool {
        self.not_after <= now.plus(WARNING)
    }

    /// Which, and what is to be said of it.
    #[must_use]
    pub fn words(&self, now: Timestamp) -> String {
        let day: String = self.not_after.rfc3339().chars().take(10).collect();
        let state = if self.not_after <= now { "expired on" } else { "expires on" };
        format!("{} {state} {day}", self.what)
    }
}

/// Every certificate of a virtual server, and metadata that has run out.
///
/// # Errors
/// If the database fails.
pub async fn of_tenant(
    connection: &mut Connection,
    config: &TenantConfig,
    now: Timestamp,
) -> storage::Result<Vec<Dated>> {
    let mut found = Vec::new();
    for key in signing_keys::of_tenant(connection, config.tenant.id).await? {
        let shown = key.purpose == KeyPurpose::Saml && key.stage.is_published(now);
        let read = key.certificate.as_deref().filter(|_| shown).and_then(Certificate::of_der);
        let stage = if key.stage == KeyStage::Current { "our" } else { "our other" };
        let what = format!("{stage} SAML {} certificate", key.algorithm.name());
        found.extend(read.map(|read| Dated { what, not_after: read.not_after }));
    }
    for application in &config.applications {
        let Protocol::Saml(provider) = &application.protocol else { continue };
        let name = &application.name;
        let signing = provider.certificates.iter().map(|text| ("signing", text));
        let encryption = provider.encryption.iter().map(|it| ("encryption", &it.certificate));
        let feed = provider.feed.iter().map(|it| ("metadata", &it.certificate));
        for (purpose, text) in signing.chain(encryption).chain(feed) {
            let what = format!("the {purpose} certificate of {name}");
            let read = Certificate::of_base64(text);
            found.extend(read.map(|read| Dated { what, not_after: read.not_after }));
        }
        // Only when it is over: until then it is good for days at a time, and the next look brings more. Logins go on: what
        // these keys vouch for is small, since answers go to registered addresses only.
        let over = provider.feed.as_ref().and_then(|feed| feed.valid_until).filter(|until| *until <= now);
        found.extend(over.map(|not_after| Dated { what: format!("the metadata of {name}"), not_after }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_time_enough_to_do_something() {
        let at = |days: i64| Timestamp::from_seconds(1_800_000_000 + days * 86_400);
        let dated = Dated { what: "acme: the signing certificate of Wiki".to_owned(), not_after: at(0) };
        assert!(!dated.is_ending(at(-31)) && dated.is_ending(at(-30)) && dated.is_ending(at(5)));
        assert_eq!(dated.words(at(-30)), "acme: the signing certificate of Wiki expires on 2027-01-15");
        assert_eq!(dated.words(at(1)), "acme: the signing certificate of Wiki expired on 2027-01-15");
    }
}
