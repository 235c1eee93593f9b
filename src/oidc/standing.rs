//! Whether what was granted is still good: the one place where a token is held against what happened since.

use std::time::Duration;

use crate::domain::session::SessionSettings;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::Status;
use crate::storage::grants::{Family, Standing};

/// Whether a grant is still good: its code was redeemed, it was not taken back, and the account is still the one that
/// gave it. A password or an authenticator that was taken away raises the account's version (T-11, T-55).
#[must_use]
pub(super) fn is_good(standing: &Standing) -> bool {
    standing.grant.revoked_at.is_none() && standing.grant.redeemed_at.is_some() && is_unchanged(standing)
}

/// Whether the account is still the one that logged in: nobody gets tokens with a password or an authenticator that was
/// taken away in the meantime (INV-11).
#[must_use]
pub(super) fn is_unchanged(standing: &Standing) -> bool {
    let user = &standing.member.user;
    let changed = standing.session.is_some_and(|session| session.security_version != user.security_version);
    user.status == Status::Enabled && !changed
}

/// Whether refresh tokens of this family may still be used. They end with the session, by logout or by its longest
/// time, unless they were granted to outlive it (R-511, OIDC Core 11).
#[must_use]
pub(super) fn may_refresh(standing: &Standing, family: &Family, settings: SessionSettings, now: Timestamp) -> bool {
    let longest = Duration::from_secs(u64::from(settings.longest_seconds));
    let in_session =
        standing.session.is_some_and(|session| session.ended_at.is_none() && now < session.started_at.plus(longest));
    is_good(standing) && now < family.idle_until && now < family.ends_at && (family.offline || in_session)
}
