//! Tells applications, server to server, that a session is over (OpenID Connect Back-Channel Logout 1.0). What is to be
//! told waits in the database since the session ended, so nothing is forgotten by a crash; a call that fails is tried
//! again with growing pauses.

use std::time::Duration;

use serde_json::json;

use super::claims::subject;
use crate::domain::application::Protocol;
use crate::domain::audit::Action;
use crate::domain::oidc_client::OidcClient;
use crate::flow::{Realm, notices};
use crate::http::Site;
use crate::storage;
use crate::storage::logout_notices::{self, Notice};

/// How often the worker looks when nobody wakes it.
const EVERY: Duration = Duration::from_secs(5);
/// Notices that are taken at once.
const BATCH: i64 = 20;
/// How long a logout token is good; it is read at once.
const LIFETIME: Duration = Duration::from_secs(120);
/// What the token is about (Back-Channel Logout 2.4).
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// Tells until the task is aborted.
pub async fn run(site: &Site) {
    loop {
        match round(site).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::error!(%error, "ends of sessions cannot be told"),
        }
        let _ = tokio::time::timeout(EVERY, site.house.notices_wait.notified()).await;
    }
}

/// Tells those who are due. Says how many were told or given up.
///
/// # Errors
/// If the database fails.
pub async fn round(site: &Site) -> Result<usize, crate::flow::Error> {
    let now = site.house.clock.now();
    let due = site.house.db.read(async |connection| logout_notices::due(now, BATCH).ask(connection).await).await?;
    let told = due.iter().map(|notice| tell(site, notice));
    let mut done = 0;
    // At the same time: one application that does not answer keeps nobody else waiting.
    for outcome in futures_util::future::join_all(told).await {
        done += usize::from(outcome?);
    }
    Ok(done)
}

/// Tells one application. Says whether that is over and done with.
async fn tell(site: &Site, notice: &Notice) -> Result<bool, crate::flow::Error> {
    let house = &site.house;
    let (now, db) = (house.clock.now(), &house.db);
    let again = now.plus(notices::pause(notice.tries));
    if !db.write(async |connection| logout_notices::take(connection, notice, again).await).await? {
        return Ok(false);
    }
    let realm = match db.read(async |connection| storage::tenants::code_of(notice.tenant).ask(connection).await).await?
    {
        Some(code) => house.realm(&code).await?,
        None => None,
    };
    let wanted = realm.as_deref().and_then(|realm| Some((realm, listener(realm, notice)?)));
    let Some((realm, (client, address))) = wanted else {
        db.write(async |connection| logout_notices::done(notice).run(connection).await).await?;
        return Ok(true);
    };
    let outcome = match token(site, realm, client, notice) {
        Some(token) => match house.egress.post(address, &[("logout_token", &token)]).await {
            Ok(200..=299) => Ok(()),
            Ok(status) => Err(format!("status {status}")),
            Err(error) => Err(error.to_string()),
        },
        None => Err("there is no key to sign with".to_owned()),
    };
    let last = notice.tries + 1 >= i64::from(notices::MOST_TRIES);
    match outcome {
        Ok(()) => notices::told(house, notice, Action::LogoutDelivered, None).await?,
        Err(reason) if last => {
            tracing::warn!(
                client_id = client.client_id,
                address,
                reason,
                "an application cannot be told of a logout; given up"
            );
            notices::told(house, notice, Action::LogoutUndelivered, Some(&reason)).await?;
        }
        Err(reason) => {
            tracing::info!(
                client_id = client.client_id,
                address,
                reason,
                "an application cannot be told of a logout; again later"
            );
            return Ok(false);
        }
    }
    Ok(true)
}

/// The client that is to be told, and where.
fn listener<'a>(realm: &'a Realm, notice: &Notice) -> Option<(&'a OidcClient, &'a str)> {
    match &realm.config.application(notice.application)?.protocol {
        Protocol::Oidc(client) => Some((client, client.backchannel_logout_uri.as_deref()?)),
        _ => None,
    }
}

/// The logout token (2.4): signed as the client's ID Tokens are, and of a type that nothing else has (T-51).
fn token(site: &Site, realm: &Realm, client: &OidcClient, notice: &Notice) -> Option<String> {
    let now = site.house.clock.now();
    let claims = json!({
        "iss": site.urls.base(realm.code()),
        "aud": client.client_id,
        "sub": subject(client, notice.tenant, notice.user, &site.house.derived.pairwise),
        "sid": notice.session.to_string(),
        "iat": now.seconds(),
        "exp": now.plus(LIFETIME).seconds(),
        "jti": site.house.entropy.id::<()>().to_string(),
        "events": { EVENT: {} },
    });
    realm.oidc_keys.signing(client.id_token_algorithm)?.sign_typed("logout+jwt", claims.to_string().as_bytes()).ok()
}
