//! Access tokens: opaque to applications, sealed so that UserInfo need not look them up.
//!
//! A token says which grant it comes from; whether the grant was taken back is asked of the database
//! (at most two seconds stale). It is no JWT on purpose: nobody shall be tempted to read it, and an ID
//! Token can never pass as one (T-51).

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::ids::{ApplicationId, GrantId, Id, TenantId, UserId};
use crate::domain::oidc_client::Scope;
use crate::domain::timestamp::Timestamp;
use crate::keys::derived::TokenSealer;

/// How long an access token lives: long enough to call UserInfo after a login, short enough to lose.
pub const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// Lets secret scanners and people recognise a leaked one.
const PREFIX: &str = "vat_";
/// Another layout would get another number.
const FORMAT: u8 = 2;
/// Format, grant, application, user, scopes, issue, expiry.
const LENGTH: usize = 1 + 16 + 16 + 16 + 1 + 8 + 8;
/// In characters, with the 28 octets that sealing adds.
const TEXT_LENGTH: usize = PREFIX.len() + ((LENGTH + 28) * 4).div_ceil(3);

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The grant that it was issued for.
    pub grant: GrantId,
    /// The application that it was issued to.
    pub application: ApplicationId,
    /// The person.
    pub user: UserId,
    /// What it opens.
    pub scopes: BTreeSet<Scope>,
    /// When it was made.
    pub issued_at: Timestamp,
    /// From then on it opens nothing.
    pub expires_at: Timestamp,
}

impl AccessToken {
    /// The token as it is given to the application.
    #[must_use]
    pub fn seal(&self, tenant: TenantId, sealer: &TokenSealer) -> String {
        let mut content = Vec::with_capacity(LENGTH);
        content.push(FORMAT);
        content.extend(self.grant.to_bytes());
        content.extend(self.application.to_bytes());
        content.extend(self.user.to_bytes());
        content.push(bits_of(&self.scopes));
        content.extend(self.issued_at.micros().to_be_bytes());
        content.extend(self.expires_at.micros().to_be_bytes());
        let mut text = String::with_capacity(TEXT_LENGTH);
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(sealer.seal(&tenant.to_bytes(), &content), &mut text);
        text
    }

    /// Reads a token of `tenant` that has not expired at `now`. `None` for everything else: shorter,
    /// longer, altered, another tenant's, expired (T-54).
    #[must_use]
    pub fn open(text: &str, tenant: TenantId, sealer: &TokenSealer, now: Timestamp) -> Option<Self> {
        if text.len() != TEXT_LENGTH {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let content: [u8; LENGTH] = sealer.open(&tenant.to_bytes(), &sealed)?.try_into().ok()?;
        let (format, rest) = content.split_first()?;
        let (grant, rest) = id(rest)?;
        let (application, rest) = id(rest)?;
        let (user, rest) = id(rest)?;
        let (bits, rest) = rest.split_first()?;
        let (issue, expiry) = rest.split_first_chunk::<8>()?;
        let token = Self {
            grant,
            application,
            user,
            scopes: scopes_of(*bits),
            issued_at: Timestamp::from_micros(i64::from_be_bytes(*issue)),
            expires_at: Timestamp::from_micros(i64::from_be_bytes(expiry.try_into().ok()?)),
        };
        (*format == FORMAT && now < token.expires_at).then_some(token)
    }
}

fn id<Of>(octets: &[u8]) -> Option<(Id<Of>, &[u8])> {
    let (id, rest) = octets.split_first_chunk::<16>()?;
    Some((Id::from_bits(u128::from_be_bytes(*id)), rest))
}

/// The bit of each scope; appended to, never renumbered while tokens are out.
const fn bit_of(scope: Scope) -> u8 {
    match scope {
        Scope::Openid => 1,
        Scope::Profile => 2,
        Scope::Email => 4,
        Scope::Groups => 8,
        Scope::OfflineAccess => 16,
    }
}

fn bits_of(scopes: &BTreeSet<Scope>) -> u8 {
    scopes.iter().fold(0, |bits, scope| bits | bit_of(*scope))
}

fn scopes_of(bits: u8) -> BTreeSet<Scope> {
    Scope::ALL.into_iter().filter(|scope| bits & bit_of(*scope) != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::SecretBytes;
    use crate::keys::derived::DerivedKeys;
    use proptest::prelude::*;

    const TENANT: TenantId = TenantId::from_bits(1);
    const NOW: Timestamp = Timestamp::from_seconds(1000);

    fn token() -> AccessToken {
        AccessToken {
            grant: GrantId::from_bits(2),
            application: ApplicationId::from_bits(3),
            user: UserId::from_bits(4),
            scopes: BTreeSet::from([Scope::Openid, Scope::Groups]),
            issued_at: NOW,
            expires_at: NOW.plus(LIFETIME),
        }
    }

    fn keys() -> DerivedKeys {
        DerivedKeys::from_root(&SecretBytes::new(vec![1; 32]))
    }

    #[test]
    fn a_token_says_what_it_was_sealed_with_in_its_tenant_and_time_only() {
        let sealer = &keys().access_tokens;
        let text = token().seal(TENANT, sealer);
        assert_eq!(text.len(), TEXT_LENGTH);
        assert_eq!(AccessToken::open(&text, TENANT, sealer, NOW), Some(token()));
        assert_eq!(AccessToken::open(&text, TenantId::from_bits(2), sealer, NOW), None, "T-56");
        assert_eq!(AccessToken::open(&text, TENANT, sealer, NOW.plus(LIFETIME)), None, "expired");
    }

    proptest! {
        /// T-54: any edit, truncation or extension is refused.
        #[test]
        fn no_other_text_is_a_token(at in 0usize..TEXT_LENGTH, other in "[A-Za-z0-9_=-]", cut in 0usize..TEXT_LENGTH) {
            let sealer = &keys().access_tokens;
            let text = token().seal(TENANT, sealer);
            let mut edited = text.clone();
            edited.replace_range(at..=at, &other);
            prop_assume!(edited != text);
            prop_assert_eq!(AccessToken::open(&edited, TENANT, sealer, NOW), None);
            prop_assert_eq!(AccessToken::open(&text[..cut], TENANT, sealer, NOW), None);
            prop_assert_eq!(AccessToken::open(&format!("{text}A"), TENANT, sealer, NOW), None);
        }
    }
}
