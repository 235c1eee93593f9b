//! Whether what was granted is still good: the one place where a token is held against what happened since.

use std::collections::BTreeSet;
use std::time::Duration;

use super::target;
use crate::domain::application::Application;
use crate::domain::oidc_client::{OidcClient, Scope};
use crate::domain::session::SessionSettings;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::Status;
use crate::flow::Realm;
use crate::storage::grants::{Family, Standing};

/// Whether a grant to this application is still good: its code was redeemed, it was not taken back, and the account is
/// still the one that gave it. A password or an authenticator that was taken away raises the account's version (T-11, T-55).
#[must_use]
pub(super) fn is_good(standing: &Standing, application: &Application) -> bool {
    let redeemed = standing.grant.revoked_at.is_none() && standing.grant.redeemed_at.is_some();
    redeemed && is_unchanged(standing, application)
}

/// Whether the account is still the one that logged in, and may still use the application: nobody gets tokens with a
/// password or an authenticator that was taken away in the meantime (INV-11), nor where the application was taken away from
/// them (R-485, ASVS 8.3.2).
#[must_use]
pub(super) fn is_unchanged(standing: &Standing, application: &Application) -> bool {
    let member = &standing.member;
    let changed = standing.session.is_some_and(|session| session.security_version != member.user.security_version);
    member.user.status == Status::Enabled && !changed && application.assignment.includes(member.user.id, &member.groups)
}

/// What of the granted scopes the client may still have; `openid` is everybody's.
pub(super) fn still(scopes: &BTreeSet<Scope>, client: &OidcClient) -> BTreeSet<Scope> {
    scopes.iter().copied().filter(|scope| *scope == Scope::Openid || client.may_have(*scope)).collect()
}

/// What of the granted scopes of APIs there still is: those that one of the granted APIs has, as far as the client may still have
/// tokens for it.
pub(super) fn still_of_apis(
    scopes: &BTreeSet<String>,
    resources: &[String],
    realm: &Realm,
    client: &OidcClient,
) -> BTreeSet<String> {
    let apis = || resources.iter().filter_map(|identifier| target::resource(realm, client, identifier));
    scopes.iter().filter(|scope| apis().any(|api| api.scopes.contains(*scope))).cloned().collect()
}

/// Whether refresh tokens of this family may still be used. They end with the session, by logout or by its longest
/// time, unless they were granted to outlive it and the client may still have that (R-511, OIDC Core 11).
#[must_use]
pub(super) fn may_refresh(
    standing: &Standing,
    family: &Family,
    (application, client): (&Application, &OidcClient),
    settings: SessionSettings,
    now: Timestamp,
) -> bool {
    let longest = Duration::from_secs(u64::from(settings.longest_seconds));
    let in_session =
        standing.session.is_some_and(|session| session.ended_at.is_none() && now < session.started_at.plus(longest));
    let offline = family.offline && client.may_have(Scope::OfflineAccess);
    is_good(standing, application) && now < family.idle_until && now < family.ends_at && (offline || in_session)
}
