//! Which API an access token is for (RFC 8707).

use super::error::{TokenError, TokenErrorCode as Code};
use crate::domain::oidc_client::OidcClient;
use crate::domain::resource::Resource;
use crate::flow::Realm;

/// The API with this identifier, if the client may have tokens for it.
#[must_use]
pub(super) fn resource<'a>(realm: &'a Realm, client: &OidcClient, identifier: &str) -> Option<&'a Resource> {
    let known = realm.config.settings.resources.iter().find(|resource| resource.identifier == identifier);
    known.filter(|_| client.resources.iter().any(|allowed| allowed == identifier))
}

/// The API that one token is for: one of those `granted`, named or the only one. `None`: UserInfo, which the issuer's own
/// name stands for as well.
///
/// # Errors
/// `invalid_target`.
pub(super) fn chosen<'a>(
    realm: &'a Realm,
    client: &OidcClient,
    issuer: &str,
    granted: &[String],
    asked: &[&str],
) -> Result<Option<&'a Resource>, TokenError> {
    let wrong = |why: &'static str| TokenError::new(Code::InvalidTarget, why);
    let identifier = match (asked, granted) {
        ([], []) => return Ok(None),
        ([], [only]) => only.as_str(),
        ([], _) => return Err(wrong("several resources were granted: name the one that the token is for")),
        ([one], _) if *one == issuer => return Ok(None),
        ([one], _) if granted.iter().any(|granted| granted == one) => *one,
        ([_], _) => return Err(wrong("the resource was not granted")),
        _ => return Err(wrong("a token is for one resource: ask for one after the other")),
    };
    let gone = wrong("the resource is not there any more, or the client may not have tokens for it");
    resource(realm, client, identifier).map(Some).ok_or(gone)
}
