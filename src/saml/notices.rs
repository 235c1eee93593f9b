//! Tells service providers, server to server, that sessions are over which no browser brought to their end: an operator
//! ended them, the person said "this was not me", or the browser never came back. What is to be told waits in the
//! database since the session ended; a call that fails is tried again with growing pauses.

use std::time::Duration;

use super::door::{entity_id_of, marks_of, names_of, voice_of};
use super::soap::{self, Said};
use super::{logout, name_id};
use crate::domain::application::Protocol;
use crate::domain::audit::Action;
use crate::domain::ids::SessionId;
use crate::domain::service_provider::{NameIdFormat, ServiceProvider};
use crate::flow::notices::{self, MOST_TRIES, pause};
use crate::flow::{Error, Realm};
use crate::http::Site;
use crate::storage::saml_notices::{self, Notice};
use crate::storage::{sessions, tenants, users};

/// How often the worker looks when nobody wakes it.
const EVERY: Duration = Duration::from_secs(5);
/// Notices that are taken at once.
const BATCH: i64 = 20;

/// Tells until the task is aborted.
pub async fn run(site: &Site) {
    loop {
        match round(site).await {
            Ok(0) => {}
            Ok(_) => continue,
            Err(error) => tracing::error!(%error, "ends of sessions cannot be told to service providers"),
        }
        let _ = tokio::time::timeout(EVERY, site.house.saml_notices_wait.notified()).await;
    }
}

/// Tells those who are due. Says how many were told or given up.
///
/// # Errors
/// If the database fails.
pub async fn round(site: &Site) -> Result<usize, Error> {
    let now = site.house.clock.now();
    let due = site.house.db.read(async |connection| saml_notices::due(now, BATCH).ask(connection).await).await?;
    let told = due.iter().map(|notice| tell(site, notice));
    let mut done = 0;
    // At the same time: one that does not answer keeps nobody else waiting.
    for outcome in futures_util::future::join_all(told).await {
        done += usize::from(outcome?);
    }
    Ok(done)
}

/// Tells one service provider. Says whether that is over and done with.
async fn tell(site: &Site, notice: &Notice) -> Result<bool, Error> {
    let house = &site.house;
    let (db, participant) = (&house.db, &notice.participant);
    let again = house.clock.now().plus(pause(notice.tries));
    if !db.write(async |connection| saml_notices::take(connection, notice, again).await).await? {
        return Ok(false);
    }
    let code = db.read(async |connection| tenants::code_of(notice.tenant).ask(connection).await).await?;
    let realm = match code {
        Some(code) => house.realm(&code).await?,
        None => None,
    };
    if realm.as_deref().is_some_and(|realm| realm.config.application(participant.application).is_none()) {
        notices::told_by_saml(house, notice, Action::LogoutUndelivered, Some(notices::GONE)).await?;
        return Ok(true);
    }
    let wanted = realm.as_deref().and_then(|realm| Some((realm, listener(realm, notice)?)));
    let name = match &wanted {
        Some((realm, (provider, _))) => name_of(site, realm, provider, notice).await?,
        None => None,
    };
    let Some(((realm, (provider, address)), name)) = wanted.zip(name) else {
        let about = (participant.application, participant.format);
        db.write(async |connection| saml_notices::done(notice.tenant, notice.session, about).run(connection).await)
            .await?;
        return Ok(true);
    };
    let id = super::response::new_id(&house.entropy);
    let about = About { name: &name, format: participant.format, sessions: &[notice.session] };
    let said = ask(site, realm, (provider, address), &about, &id).await;
    if said == Ok(Said::Done) {
        notices::told_by_saml(house, notice, Action::LogoutDelivered, None).await?;
        return Ok(true);
    }
    let over = said == Ok(Said::Never) || notice.tries + 1 >= i64::from(MOST_TRIES);
    let reason = said.err().unwrap_or_else(|| "it did not say that it has done it".to_owned());
    tracing::warn!(
        entity_id = provider.entity_id,
        address,
        reason,
        over,
        "a service provider cannot be told of a logout"
    );
    if over {
        notices::told_by_saml(house, notice, Action::LogoutUndelivered, Some(&reason)).await?;
    }
    Ok(over)
}

/// The service provider that is to be told, and where; `None` if it cannot be told without a browser.
fn listener<'a>(realm: &'a Realm, notice: &Notice) -> Option<(&'a ServiceProvider, &'a str)> {
    match &realm.config.application(notice.participant.application)?.protocol {
        Protocol::Saml(provider) => Some((provider, provider.logout.soap.as_deref()?)),
        _ => None,
    }
}

/// What the service provider calls the person. It was not always kept; then it is computed once more, if the person is
/// still there.
async fn name_of(
    site: &Site,
    realm: &Realm,
    provider: &ServiceProvider,
    notice: &Notice,
) -> Result<Option<String>, Error> {
    if !notice.participant.name.is_empty() {
        return Ok(Some(notice.participant.name.clone()));
    }
    let tenant = notice.tenant;
    let user =
        site.house.db.read(async |connection| match sessions::with_id(connection, tenant, notice.session).await? {
            Some(session) => users::with_id(connection, tenant, session.user).await,
            None => Ok(None),
        });
    let of = |user| names_of(site, realm).of(notice.participant.format, provider, &user, notice.session);
    Ok(user.await?.and_then(of))
}

/// Whose sessions have ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    /// What the service provider calls the person.
    pub(super) name: &'a str,
    /// The kind of that name.
    pub(super) format: NameIdFormat,
    /// The sessions.
    pub(super) sessions: &'a [SessionId],
}

/// Asks the server of a service provider to end sessions, in a request with the identifier `id`. The reason why not is for
/// the log and the audit trail.
pub(super) async fn ask(
    site: &Site,
    realm: &Realm,
    (provider, address): (&ServiceProvider, &str),
    about: &About<'_>,
    id: &str,
) -> Result<Said, String> {
    let issuer = entity_id_of(site, realm);
    let now = site.house.clock.now();
    let voice = voice_of((site, realm), provider, &issuer, now).map_err(|fault| fault.to_string())?;
    let name = name_id::element(about.format, about.name, &issuer, provider);
    let index = |session: &SessionId| marks_of(site, realm).session_index(&provider.entity_id, *session);
    let sessions: Vec<String> = about.sessions.iter().map(index).collect();
    let request = logout::request(voice, id, address, name, &sessions);
    let body = soap::enveloped(voice, request, id).map_err(|error| error.to_string())?;
    let headers = [("content-type", soap::CONTENT_TYPE), ("soapaction", soap::ACTION)];
    let answer = site.house.egress.exchange(address, &headers, body).await;
    answer.map(|text| soap::said(text.as_bytes(), id)).map_err(|error| error.to_string())
}
