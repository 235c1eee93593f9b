//! The doors of single logout: a request comes in, sessions end, everybody who heard of them is told, and the one that
//! asked is answered (profiles 4.4, R-497).

use std::collections::BTreeSet;

use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};

use super::door::{entity_id, fields, marks, names, provider_of, saml_providers, slo_address, soap_address, voice};
use super::incoming::{self, Incoming};
use super::logout::{self, Carried, End, LogoutRequest};
use super::message::{self, MessageError};
use super::name_id;
use super::notices::{self, About};
use super::response::Voice;
use super::soap::{self, Said};
use crate::domain::ids::{ApplicationId, LogoutId, ParkedId, SessionId, UserId};
use crate::domain::login::origin::Origin;
use crate::domain::logout::{Asker, Logout, Participant, Stop, Told};
use crate::domain::service_provider::{LogoutAddress, LogoutBinding, NameIdFormat, ServiceProvider};
use crate::domain::session::Session;
use crate::domain::user::User;
use crate::flow::federation::{self, Once};
use crate::flow::house::text;
use crate::flow::logout as flow;
use crate::flow::{parking, session};
use crate::http::post;
use crate::http::{Answer, Call, Fault, Form, cookies, form, logins, page, parked};
use crate::storage::{logouts, sessions, users};

/// `GET {base}/saml/slo`: by redirect.
pub(super) async fn by_redirect(call: Call, http: HttpRequest) -> Answer {
    let read = incoming::redirected(http.query_string(), |entity_id| provider_of(&call, entity_id));
    let incoming = read.map_err(|error| refused(&call, &error))?;
    if !incoming.is_request {
        return answered(&call, &http, incoming, false).await;
    }
    let request = logout::check_request(incoming, &slo_address(&call), call.visit.now);
    end(&call, &request.map_err(|error| refused(&call, &error))?, false).await
}

/// `POST {base}/saml/slo`: by form. As with logins, browsers keep our cookies from it: a request is put aside, and the
/// browser is sent on. An answer needs no cookies.
pub(super) async fn by_form(call: Call, http: HttpRequest, body: web::Bytes) -> Answer {
    if !form::is_form(http.headers()) {
        return Err(Fault::NotAForm);
    }
    let read = incoming::posted(&Form::parse(&body), |entity_id| provider_of(&call, entity_id));
    let incoming = read.map_err(|error| refused(&call, &error))?;
    if !incoming.is_request {
        return answered(&call, &http, incoming, true).await;
    }
    let request = logout::check_request(incoming, &slo_address(&call), call.visit.now);
    let request = request.map_err(|error| refused(&call, &error))?;
    parked::put_aside(&call, Origin::Saml, &slo_address(&call), &request).await
}

/// `GET {base}/saml/slo/{parked}`: where the browser comes with its cookies after a posted request.
pub(super) async fn from_form(call: Call, http: HttpRequest, path: web::Path<(String, ParkedId)>) -> Answer {
    let kept = parked::waiting(&call, &http, Origin::Saml, path.into_inner().1).await?;
    // A login's request that is put aside reads as something else.
    let request: LogoutRequest = serde_json::from_str(&kept).map_err(|_| Fault::shown("error-saml-logout"))?;
    end(&call, &request, true).await
}

/// `GET {base}/saml/logout/{logout}`: a logout goes on here that began at our portal, or that somebody has answered.
pub(super) async fn goes_on(call: Call, http: HttpRequest, path: web::Path<(String, LogoutId)>) -> Answer {
    let id = path.into_inner().1;
    if !is_its_browser(&call, &http, id) {
        return Ok(page::see(&call.site.urls.portal(call.realm.code())));
    }
    walk(&call, id).await
}

fn is_its_browser(call: &Call, http: &HttpRequest, id: LogoutId) -> bool {
    let cookie = cookies::value(http, &call.site.urls, cookies::Kind::Logout(id));
    flow::is_of(&call.site.house, &call.realm, id, cookie.as_ref())
}

fn refused(call: &Call, error: &MessageError) -> Fault {
    tracing::info!(correlation = %call.visit.correlation, %error, "a logout message is refused");
    Fault::shown("error-saml-logout")
}

/// `POST {base}/saml/slo/soap`: a server brings a request, and waits for the answer (profiles 4.4.3.2). Whoever can be
/// told by browsers only is not told, which makes the logout a partial one.
pub(super) async fn by_soap(call: Call, http: HttpRequest, body: web::Bytes) -> Answer {
    let kind = http.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // The first is right for SOAP 1.1; the second is that of SOAP 1.2, which pysaml2 puts on its envelopes of 1.1.
    if !["text/xml", "application/soap+xml"].iter().any(|known| kind.to_ascii_lowercase().starts_with(known)) {
        return Ok(envelope(StatusCode::UNSUPPORTED_MEDIA_TYPE, soap::fault("the request is not text/xml")));
    }
    let read = incoming::enveloped(&body, |entity_id| provider_of(&call, entity_id));
    let request = read.and_then(|incoming| logout::check_request(incoming, &soap_address(&call), call.visit.now));
    let refused = |why: &str| {
        tracing::info!(correlation = %call.visit.correlation, error = why, "a logout request is refused");
        // Bindings 3.2.3.3: who refuses to talk says so with this status.
        Ok(envelope(StatusCode::FORBIDDEN, soap::fault(why)))
    };
    let request = match request {
        Ok(request) => request,
        Err(error) => return refused(&error.to_string()),
    };
    let Some((application, provider)) = provider_of(&call, &request.issuer) else {
        return refused(&MessageError::Unknown.to_string());
    };
    let end = match ended_by_server(&call, &request, (application.id, provider)).await {
        Err(Fault::Used) => return refused("the request was used before"),
        end => end?,
    };
    let issuer = entity_id(&call);
    let voice = voice(&call, provider, &issuer)?;
    let id = logout::answer_id(voice);
    // No address: it goes back the way that the request came.
    let answer = soap::enveloped(voice, logout::response(voice, &id, None, &request.id, end), &id);
    Ok(envelope(StatusCode::OK, answer.map_err(|error| Fault::Internal(error.to_string()))?))
}

fn envelope(status: StatusCode, text: String) -> HttpResponse {
    HttpResponse::build(status).insert_header((CONTENT_TYPE, soap::CONTENT_TYPE)).body(text)
}

/// Ends the sessions that a server's request means, once, and tells other servers.
async fn ended_by_server(
    call: &Call,
    request: &LogoutRequest,
    (application, provider): (ApplicationId, &ServiceProvider),
) -> Result<End, Fault> {
    let (house, realm) = (&call.site.house, &call.realm);
    let named = match request.sessions.is_empty() {
        true => sessions_named(call, request, application).await?,
        false => Vec::new(),
    };
    let (asks, once) = ((application, provider), once(call, request));
    let Some(ended) = meant(call, request, asks, named).await? else {
        federation::spend(house, realm, &once).await?;
        return Ok(End::UnknownPrincipal);
    };
    let asker = Asker { application, request: request.id.clone(), relay_state: None, by_form: false };
    match flow::begin(house, realm, &call.visit, &ended, flow::End::Answer(&asker, &once)).await? {
        Some(begun) => by_servers(call, begun.id).await,
        None => Ok(End::Complete),
    }
}

/// How a logout ends that goes through no browser.
async fn by_servers(call: &Call, id: LogoutId) -> Result<End, Fault> {
    let (house, realm) = (&call.site.house, &call.realm);
    let Some((version, mut logout)) = flow::look(house, realm, &call.visit, id).await? else {
        return Ok(End::Partial);
    };
    tell_servers(call, id, &mut logout).await?;
    flow::advance(house, realm, id, version, &logout).await?;
    Ok(if logout.is_partial() { End::Partial } else { End::Complete })
}

/// The living sessions in which a service provider got the name of a request.
async fn sessions_named(
    call: &Call,
    request: &LogoutRequest,
    application: ApplicationId,
) -> Result<Vec<Session>, Fault> {
    let (db, tenant) = (&call.site.house.db, call.realm.tenant());
    let found = db.read(async |connection| {
        let mut found = Vec::new();
        for id in logouts::sessions_named(tenant, application, &request.name).ask(connection).await? {
            found.extend(sessions::with_id(connection, tenant, id).await?);
        }
        Ok(found)
    });
    Ok(found.await?)
}

/// Ends the sessions that a request names, once, and goes on with whoever else is to be told. `by_form` says how the browser
/// brought it.
async fn end(call: &Call, request: &LogoutRequest, by_form: bool) -> Answer {
    let gone = || Fault::shown("error-saml-logout");
    let (application, provider) = provider_of(call, &request.issuer).ok_or_else(gone)?;
    let (house, realm, once) = (&call.site.house, &call.realm, once(call, request));
    let refused = |error: crate::flow::Error| match error {
        crate::flow::Error::Used => gone(),
        error => Fault::from(error),
    };
    let (id, relay_state) = (request.id.clone(), request.relay_state.clone());
    let asker = Asker { application: application.id, request: id, relay_state, by_form };
    let mine = session::current(house, realm, &call.visit, &call.browser).await?;
    // Without a session, it is about the person at this browser, or, if nobody of that name is logged in here, elsewhere.
    let at_hand = mine.clone().filter(|_| request.sessions.is_empty());
    let asks = (application.id, provider);
    let mut ended = meant(call, request, asks, at_hand.into_iter().collect()).await?;
    if request.sessions.is_empty() && ended.as_ref().is_none_or(Vec::is_empty) {
        let named = sessions_named(call, request, application.id).await?;
        if !named.is_empty() {
            ended = meant(call, request, asks, named).await?;
        }
    }
    let Some(ended) = ended else {
        federation::spend(house, realm, &once).await.map_err(refused)?;
        return report(call, provider, &asker, (End::UnknownPrincipal, false));
    };
    let mine = mine.filter(|mine| ended.iter().any(|session| session.id == mine.id));
    // Relying parties that hear it from the browser hear it before the browser goes its way.
    let frames = match &mine {
        Some(mine) => logins::frames(call, mine).await?,
        None => Vec::new(),
    };
    let begun = flow::begin(house, realm, &call.visit, &ended, flow::End::Answer(&asker, &once)).await;
    let begun = begun.map_err(refused)?;
    let mut answer = match (begun, ended.first()) {
        (Some(begun), Some(session)) => {
            // The service provider may have brought its request itself, and our requests to others have their names for the
            // person in them: only a browser of that person is sent there (T-45).
            if mine.is_some() || flow::knows(house, realm, &call.browser, session.user).await? {
                let way = call.site.urls.single_logout(realm.code(), begun.id);
                let mut answer = if frames.is_empty() {
                    walk(call, begun.id).await?
                } else {
                    logins::after(call, Some(&way), &frames)?
                };
                logins::on_its_way(call, &mut answer, &begun)?;
                answer
            } else {
                let end = by_servers(call, begun.id).await?;
                report(call, provider, &asker, (end, false))?
            }
        }
        _ => report(call, provider, &asker, (End::Complete, false))?,
    };
    if mine.is_some() {
        let cookie = cookies::gone(&call.site.urls, cookies::Kind::Session(realm.code()));
        answer.add_cookie(&cookie).map_err(|error| Fault::Internal(error.to_string()))?;
    }
    Ok(answer)
}

/// A logout request counts once, as every request (T-34, T-45).
fn once(call: &Call, request: &LogoutRequest) -> Once {
    let (tenant, house) = (call.realm.tenant().to_bytes(), &call.site.house);
    let fields: [&[u8]; 4] = [b"saml logout", &tenant, request.issuer.as_bytes(), request.id.as_bytes()];
    let until = call.visit.now.plus(message::LIFETIME * 3 + parking::LIFETIME);
    Once { subject: text(&house.derived.once.of(&fields)), until }
}

/// The sessions that are meant; `None` if the name is not one that this service provider got for their person, which
/// it must be for every single one of them (T-45). Sessions that nobody knows any more have ended. A request that names no
/// session means all of the person whose sessions are `at_hand`.
async fn meant(
    call: &Call,
    request: &LogoutRequest,
    (application, provider): (ApplicationId, &ServiceProvider),
    at_hand: Vec<Session>,
) -> Result<Option<Vec<Session>>, Fault> {
    let (db, tenant) = (&call.site.house.db, call.realm.tenant());
    let session = |index: &String| marks(call).session_of_index(&provider.entity_id, index);
    let wanted: Vec<SessionId> = request.sessions.iter().filter_map(session).collect();
    let (found, person, got) = db
        .read(async |connection| {
            let mut found = Vec::new();
            let people: BTreeSet<UserId> = at_hand.iter().map(|session| session.user).collect();
            for user in people {
                found.extend(sessions::living_of(tenant, user).ask(connection).await?);
            }
            for id in &wanted {
                found.extend(sessions::with_id(connection, tenant, *id).await?);
            }
            let person = match found.first() {
                Some(session) => users::with_id(connection, tenant, session.user).await?,
                None => None,
            };
            // The name that it got may be another one than the person has now.
            let mut got = BTreeSet::new();
            for session in &found {
                let participants = logouts::participants(tenant, session.id).ask(connection).await?;
                let is_named = |one: &Participant| one.application == application && one.name == request.name;
                got.extend(participants.iter().any(is_named).then_some(session.id));
            }
            Ok((found, person, got))
        })
        .await?;
    let Some(person) = person else { return Ok(Some(Vec::new())) };
    let same_person = found.iter().all(|session| session.user == person.id);
    let is_named =
        |session: &&Session| got.contains(&session.id) || is_named(call, request, provider, &person, session);
    let named = found.iter().filter(is_named).count();
    // By name alone, the session at hand must be one that it knows; the person's others are ended with it.
    let enough = if wanted.is_empty() { named > 0 } else { named == found.len() };
    // What is over by its age since long tells whom the name means, and its end is news to nobody.
    let earliest = call.realm.config.settings.session.earliest(call.visit.now);
    let is_news = |session: &Session| wanted.contains(&session.id) || !session.is_long_over(earliest);
    Ok((same_person && enough).then(|| found.into_iter().filter(is_news).collect()))
}

fn is_named(call: &Call, request: &LogoutRequest, provider: &ServiceProvider, user: &User, session: &Session) -> bool {
    let name = |format| names(call).of(format, provider, user, session.id);
    let mut formats = NameIdFormat::ALL.into_iter().map(|(format, _)| format);
    formats.any(|format| provider.may_ask_for(format) && name(format).is_some_and(|name| name == request.name))
}

/// An answer of somebody who was told. It may be the server itself that brings it, so it settles this one stop and no more:
/// only the browser goes on. Behind a form of another site it comes without its cookie, and is sent to where it brings it.
async fn answered(call: &Call, http: &HttpRequest, incoming: Incoming<'_>, by_form: bool) -> Answer {
    let said = logout::check_response(&incoming, &slo_address(call), call.visit.now);
    let said = said.map_err(|error| refused(call, &error))?;
    let not_ours = || Fault::shown("error-saml-logout");
    let (id, at) = marks(call).stop_of_id(&said.request).ok_or_else(not_ours)?;
    let (house, realm) = (&call.site.house, &call.realm);
    for _ in 0..3 {
        let found = flow::look(house, realm, &call.visit, id).await?;
        let (version, mut logout) = found.ok_or_else(not_ours)?;
        let stop = logout.stops.get(at).filter(|stop| stop.application == incoming.application.id);
        let stop = stop.ok_or_else(not_ours)?;
        // Without a signature it can only say that the browser is back from there.
        if stop.told == Told::Waiting && !said.signed && logout.next().is_none_or(|(next, _)| next != at) {
            return Err(not_ours());
        }
        if let Some(asker) = &mut logout.asker {
            asker.by_form |= by_form;
        }
        if !logout.settle(at, said.done) || flow::advance(house, realm, id, version, &logout).await? {
            break;
        }
    }
    match is_its_browser(call, http, id) {
        true => walk(call, id).await,
        false => Ok(page::see(&call.site.urls.single_logout(realm.code(), id))),
    }
}

/// Goes on with a logout: servers first, then one browser address after the other, then the one that asked.
async fn walk(call: &Call, id: LogoutId) -> Answer {
    let (house, realm) = (&call.site.house, &call.realm);
    let Some((mut version, mut logout)) = flow::look(house, realm, &call.visit, id).await? else {
        return Ok(page::see(&call.site.urls.portal(realm.code())));
    };
    if !logout.servers_told {
        tell_servers(call, id, &mut logout).await?;
        version += i64::from(flow::advance(house, realm, id, version, &logout).await?);
    }
    while let Some((at, stop)) = logout.next() {
        if let Some((provider, front, name)) = browser_stop(call, stop).await? {
            return ask(call, (id, at), stop, (provider, front, &name), wants_a_page(call, &logout));
        }
        // Removed or changed since the logout began, it keeps nobody behind it from being told.
        logout.settle(at, false);
        version += i64::from(flow::advance(house, realm, id, version, &logout).await?);
    }
    let end = if logout.is_partial() { End::Partial } else { End::Complete };
    match &logout.asker {
        Some(asker) => {
            let provider = provider_with(call, asker.application).ok_or(Fault::NotFound)?;
            report(call, provider, asker, (end, wants_a_page(call, &logout)))
        }
        None => Ok(page::see(&logout.then.unwrap_or_else(|| call.site.urls.portal(realm.code())))),
    }
}

/// Whether the browser needs a page in between: it comes by way of a form, or has come a long way.
fn wants_a_page(call: &Call, logout: &Logout) -> bool {
    logout.wants_a_page() || behind_a_form(call, logout)
}

/// Whether the browser may come here by way of a form: at the portal, or one that carried a message.
fn behind_a_form(call: &Call, logout: &Logout) -> bool {
    let posts = |provider: &ServiceProvider| {
        provider.logout.front.as_ref().is_some_and(|front| front.binding == LogoutBinding::Post)
    };
    logout.asker.as_ref().is_none_or(|asker| asker.by_form)
        || logout.stops.iter().any(|stop| provider_with(call, stop.application).is_some_and(posts))
}

fn provider_with(call: &Call, application: ApplicationId) -> Option<&ServiceProvider> {
    saml_providers(&call.realm).find(|(known, _)| known.id == application).map(|(_, provider)| provider)
}

/// Where the browser has to go for a stop, and with whose name; `None` for those that can be told by their servers only, and
/// for whoever was removed meanwhile.
async fn browser_stop<'a>(
    call: &'a Call,
    stop: &Stop,
) -> Result<Option<(&'a ServiceProvider, &'a LogoutAddress, String)>, Fault> {
    let Some(provider) = provider_with(call, stop.application) else { return Ok(None) };
    let name = name_of(call, stop, provider).await?;
    Ok(provider.logout.front.as_ref().zip(name).map(|(front, name)| (provider, front, name)))
}

/// What a service provider calls a person: the name that it got, which need not be the one that it would get now. It was
/// not always kept; then it is computed once more, if the person is still there.
async fn name_of(call: &Call, stop: &Stop, provider: &ServiceProvider) -> Result<Option<String>, Fault> {
    if !stop.name.is_empty() {
        return Ok(Some(stop.name.clone()));
    }
    let (tenant, user) = (call.realm.tenant(), stop.user);
    let user = call.site.house.db.read(async |connection| users::with_id(connection, tenant, user).await).await?;
    let of = |(user, session): (User, &SessionId)| names(call).of(stop.format, provider, &user, *session);
    Ok(user.zip(stop.sessions.first()).and_then(of))
}

/// Tells all those that offer it from server to server, at the same time. Who cannot be reached so is told by the
/// browser, if it offers that as well.
async fn tell_servers(call: &Call, id: LogoutId, logout: &mut Logout) -> Result<(), Fault> {
    let mut calls = Vec::new();
    let mut settled = Vec::new();
    for (at, stop) in logout.stops.iter().enumerate() {
        let Some(provider) = provider_with(call, stop.application) else {
            settled.push((at, false));
            continue;
        };
        let Some(name) = name_of(call, stop, provider).await? else {
            settled.push((at, false));
            continue;
        };
        let by_browser = provider.logout.front.is_some();
        let Some(url) = &provider.logout.soap else { continue };
        let asked = marks(call).id_of_stop(id, at);
        calls.push(async move {
            let about = About { name: &name, format: stop.format, sessions: &stop.sessions };
            let said = notices::ask(&call.site, &call.realm, (provider, url), &about, &asked).await;
            if let Err(error) = &said {
                tracing::warn!(entity_id = provider.entity_id, error, "a service provider was not told of a logout");
            }
            let done = said == Ok(Said::Done);
            (done || !by_browser).then_some((at, done))
        });
    }
    settled.extend(futures_util::future::join_all(calls).await.into_iter().flatten());
    for (at, done) in settled {
        logout.settle(at, done);
    }
    logout.servers_are_told();
    Ok(())
}

/// Sends the browser to a service provider with our request.
fn ask(
    call: &Call,
    (id, at): (LogoutId, usize),
    stop: &Stop,
    (provider, front, name): (&ServiceProvider, &LogoutAddress, &str),
    by_a_page: bool,
) -> Answer {
    let issuer = entity_id(call);
    let voice = voice(call, provider, &issuer)?;
    let name = name_id::element(stop.format, name, &issuer, provider);
    let asked = marks(call).id_of_stop(id, at);
    let index = |session: &SessionId| marks(call).session_index(&provider.entity_id, *session);
    let sessions: Vec<String> = stop.sessions.iter().map(index).collect();
    let request = logout::request(voice, &asked, &front.url, name, &sessions);
    send(call, voice, (request, &asked), ("SAMLRequest", by_a_page), (front, &front.url), None)
}

/// Answers the one that asked; it is told where it takes answers, or the browser goes home.
fn report(call: &Call, provider: &ServiceProvider, asker: &Asker, (end, by_a_page): (End, bool)) -> Answer {
    let Some(front) = &provider.logout.front else {
        return Ok(page::see(&call.site.urls.portal(call.realm.code())));
    };
    let issuer = entity_id(call);
    let voice = voice(call, provider, &issuer)?;
    let (id, address) = (logout::answer_id(voice), front.for_responses());
    let response = logout::response(voice, &id, Some(address), &asker.request, end);
    let name = ("SAMLResponse", by_a_page || asker.by_form);
    send(call, voice, (response, &id), name, (front, address), asker.relay_state.as_deref())
}

/// The words of a page in between.
const WORDS: (&str, &str) = ("post-logout-title", "post-logout-text");

fn send(
    call: &Call,
    voice: Voice<'_>,
    message: (super::write::Tag, &str),
    (name, by_a_page): (&'static str, bool),
    (front, address): (&LogoutAddress, &str),
    relay_state: Option<&str>,
) -> Answer {
    let carried = logout::carried(voice, message, name, (front.binding, address), relay_state);
    match carried.map_err(|error| Fault::Internal(error.to_string()))? {
        Carried::Redirect(url) if by_a_page => post::passage(call, WORDS, &url),
        Carried::Redirect(url) => Ok(page::see(&url)),
        Carried::Form(xml) => post::page_with(call, WORDS, address.to_owned(), fields(name, xml, relay_state)),
    }
}
