//! The user portal (D2): the applications that one may use, and one's own authenticators.

mod activity;
mod care;
mod pin;
mod recovery;
mod tokens;

use actix_web::{HttpResponse, web};
use askama::Template;

use crate::domain::application::{Application, Protocol};
use crate::domain::authenticator::lifecycle::State;
use crate::domain::ids::{ApplicationId, LoginId, UserId};
use crate::domain::login::addition::Intent;
use crate::domain::login::origin::Origin;
use crate::domain::login::step::Step;
use crate::domain::login::wishes::Wishes;
use crate::domain::policy::platform::Platform;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::User;
use crate::flow::federation::{self, Asked, Proven, Receipt, Silent};
use crate::flow::login::NewLogin;
use crate::flow::{case, consent, server_pin, session};
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, cookies, form, head, logins, page};
use crate::i18n::Language;
use crate::storage::tokens::{self as stored, Token};
use crate::storage::{Connection, consents, grants, users};

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/", web::get().to(home))
        .route("", web::get().to(with_slash))
        .route("/portal/resume/{login}", web::get().to(resume))
        .route("/portal/pin/{token}", web::get().to(pin::show))
        .route("/portal/pin/{token}", web::post().to(pin::change))
        .route("/portal/consents/{application}/withdraw", web::post().to(withdraw))
        .route("/portal/authenticators/{token}", web::get().to(care::show))
        .route("/portal/authenticators/{token}/test", web::post().to(care::test))
        .route("/portal/authenticators/{token}/synchronize", web::post().to(care::synchronize))
        .route("/portal/logout", web::post().to(log_out));
    activity::configure(config);
    recovery::configure(config);
    self::tokens::configure(config);
    // Whoever is not logged in is led to a login by each of them.
    for path in [
        "/",
        "",
        "/portal/resume/{login}",
        "/portal/authenticators/{token}",
        "/portal/activity",
        "/portal/recovery-codes",
        "/portal/recovery-codes.txt",
        "/portal/tokens/{token}",
    ] {
        config.route(path, head::refused("GET"));
    }
    for path in [
        "/portal/pin/{token}",
        "/portal/activity/dispute/access/{place}",
        "/portal/activity/dispute/enrollment/{enrollment}",
        "/portal/tokens/{token}/lost",
        "/portal/tokens/{token}/remove",
    ] {
        config.route(path, head::refused("GET, POST"));
    }
}

#[derive(Template)]
#[template(path = "portal/home.html")]
struct HomePage {
    frame: Frame,
    name: String,
    username: String,
    applications: Vec<Entry>,
    tokens: Vec<TokenEntry>,
    /// Where another authenticator is added, if that is allowed.
    add: Option<String>,
    /// How many authenticators somebody may have, if the person has as many.
    limit: Option<String>,
    consents: Vec<ConsentEntry>,
    logout: String,
    pin_changed: bool,
    /// Where the recovery codes are; empty where there are none.
    recovery: String,
    /// Where the person's logins are.
    activity: String,
    /// Where the person's language is stored.
    speak: String,
    /// The language that is stored, or that of the page.
    spoken: Language,
}

/// An application that the person has allowed to learn something, or that has access while they are not logged in.
struct ConsentEntry {
    name: String,
    /// The key of the text that says since when.
    since: &'static str,
    day: String,
    withdraw: String,
}

struct Entry {
    name: String,
    address: String,
}

struct TokenEntry {
    name: String,
    serial: String,
    state: &'static str,
    platform: &'static str,
    last_used: String,
    /// Where its PIN is changed; empty if there is none to change.
    pin: String,
    page: String,
    /// Where it can be tried out; empty if it is stopped.
    care: String,
}

impl TokenEntry {
    /// The key of the name of its platform.
    fn kind(&self) -> String {
        format!("platform-{}-name", self.platform.replace('_', "-"))
    }

    /// The key of the name of its state.
    fn state_key(&self) -> String {
        format!("token-{}", self.state)
    }
}

async fn with_slash(call: Call) -> HttpResponse {
    page::see(&call.site.urls.portal(call.realm.code()))
}

/// `GET /t/{tenant}/`: the portal, or the login that leads to it.
async fn home(mut call: Call, request: actix_web::HttpRequest) -> Answer {
    let application = portal(&call)?.id;
    let wishes = Wishes::default();
    let nothing = |_: &Proven| Receipt::Nothing;
    let (site, realm) = (&call.site, &call.realm);
    let asked = Asked { application, wishes: &wishes, once: None };
    let silent = federation::from_session(&site.house, realm, &call.visit, &call.browser, asked, nothing).await?;
    let Silent::Complete(proven) = silent else {
        return begin(&call, &request, application, wishes, String::new()).await;
    };
    speak(&mut call, &proven);
    show(&call, &proven, request.query_string() == "pin=changed").await
}

/// Uses the person's own language, unless another was chosen.
fn speak(call: &mut Call, proven: &Proven) {
    speak_as(call, &proven.member.user);
}

/// As [`speak`], where no more than the session of the person is known.
async fn speak_to(call: &mut Call, person: UserId) -> Result<(), Fault> {
    let tenant = call.realm.tenant();
    let question = async |connection: &mut Connection| users::with_id(connection, tenant, person).await;
    let user = call.site.house.db.read(question).await?;
    if let Some(user) = user {
        speak_as(call, &user);
    }
    Ok(())
}

fn speak_as(call: &mut Call, user: &User) {
    if let Some(tag) = user.language.as_deref().filter(|_| call.chosen.is_none()) {
        call.language = Language::of_tag(tag).unwrap_or(call.language);
    }
}

/// The portal's own entry among the applications.
fn portal(call: &Call) -> Result<&Application, Fault> {
    let found = call.realm.config.applications.iter().find(|application| application.protocol == Protocol::Portal);
    found.ok_or(Fault::NotFound)
}

/// Begins a login that leads to the portal, or to the page of it that `then` names.
async fn begin(
    call: &Call,
    request: &actix_web::HttpRequest,
    application: crate::domain::ids::ApplicationId,
    wishes: Wishes,
    then: String,
) -> Answer {
    let new = NewLogin { origin: Origin::Portal, application, wishes, request: then, once: None };
    logins::begin(call, request, &new).await
}

async fn show(call: &Call, proven: &Proven, pin_changed: bool) -> Answer {
    let (realm, user) = (&call.realm, &proven.member.user);
    let tenant = realm.tenant();
    let found = call.site.house.db.read(async |connection| {
        let tokens = stored::of_user(tenant, user.id).ask(connection).await?;
        let consents = consents::of_user(tenant, user.id).ask(connection).await?;
        Ok((tokens, consents, grants::outliving(tenant, user.id, call.visit.now).ask(connection).await?))
    });
    let frame = Frame::of(call, "portal-title").with_csrf(csrf(call, proven.session));
    let applications = realm.config.applications.iter().filter_map(|application| {
        if !application.assignment.includes(user.id, &proven.member.groups) {
            return None;
        }
        let address = address(call, application)?;
        Some(Entry { name: application.name.clone(), address })
    });
    let (tokens, consents, outliving) = found.await?;
    // Where the organization consents there is no word of the person's, but there may be access that outlives the session.
    let silent = outliving.iter().filter(|(id, _)| !consents.iter().any(|consent| consent.application == *id));
    let silent = silent.map(|(id, at)| (*id, "portal-access-since", *at));
    let given = consents.iter().map(|consent| (consent.application, "portal-consent-since", consent.given_at));
    let consents = given.chain(silent).filter_map(|(id, since, at)| {
        let name = realm.config.application(id)?.name.clone();
        let withdraw = format!("/t/{}/portal/consents/{id}/withdraw", realm.code());
        Some(ConsentEntry { name, since, day: day(at), withdraw })
    });
    let rules = realm.config.settings.tokens;
    let full = tokens.len() >= usize::from(rules.max_per_user);
    let may_add = rules.add_in_portal && tokens.iter().any(|token| token.state == State::Active);
    page::page(&HomePage {
        add: (may_add && !full).then(|| format!("/t/{}/portal/tokens/add", realm.code())),
        limit: (may_add && full).then(|| rules.max_per_user.to_string()),
        name: user.display_name(),
        username: user.username.clone(),
        applications: applications.collect(),
        tokens: tokens.iter().filter(|token| token.state.counts()).map(|token| entry(call, token)).collect(),
        pin_changed,
        consents: consents.collect(),
        recovery: if realm.config.settings.self_provisioning.recovery_codes {
            recovery::path(call)
        } else {
            String::new()
        },
        logout: format!("/t/{}/portal/logout", realm.code()),
        activity: activity::path(call),
        speak: format!("/t/{}/portal/language", realm.code()),
        spoken: user.language.as_deref().and_then(Language::of_tag).unwrap_or(call.language),
        frame,
    })
}

/// Where the portal sends a person who picks an application: to itself, or straight to its service provider
/// if that takes answers it did not ask for. Whatever has neither cannot be begun from here.
fn address(call: &Call, application: &Application) -> Option<String> {
    let begun_by_us = matches!(&application.protocol, Protocol::Saml(provider) if provider.idp_initiated);
    let start = || call.site.urls.saml_start(call.realm.code(), application.id);
    application.launch_url.clone().or_else(|| begun_by_us.then(start))
}

fn day(at: Timestamp) -> String {
    at.rfc3339().chars().take(10).collect()
}

fn entry(call: &Call, token: &Token) -> TokenEntry {
    let care = format!("/t/{}/portal/authenticators/{}", call.realm.code(), token.id);
    TokenEntry {
        page: self::tokens::path_of(call, token.id),
        care: if token.state == State::Active { care } else { String::new() },
        name: token.name.clone(),
        serial: token.serial.clone(),
        state: token.state.id(),
        platform: token.platform.map_or("hardware", Platform::id),
        last_used: token.last_used_at.map(day).unwrap_or_default(),
        pin: if server_pin::can_change(token) { pin::path(call, token.id) } else { String::new() },
    }
}

fn csrf(call: &Call, session: crate::domain::ids::SessionId) -> String {
    form::token(&call.site, &[b"session", &call.realm.tenant().to_bytes(), &session.to_bytes()])
}

/// `GET …/portal/resume/{login}`: the end of a login for the portal.
async fn resume(call: Call, path: web::Path<(String, LoginId)>) -> Answer {
    let id = path.into_inner().1;
    let (site, realm) = (&call.site, &call.realm);
    let seen = case::look(&site.house, realm, &call.visit, &call.browser, id).await?;
    if seen.step == Step::Granted {
        let nothing = |_: &Proven, _: &str| Receipt::Nothing;
        let answer =
            federation::from_login(&site.house, realm, &call.visit, &call.browser, (Origin::Portal, id), nothing).await;
        match answer {
            Ok(_) | Err(crate::flow::Error::WrongMoment) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let request = seen.login().request.as_str();
    let of_pin = request.strip_prefix("pin/").and_then(|token| token.parse().ok());
    let next = match (of_pin, Intent::of(seen.login())) {
        (Some(token), _) => pin::path(&call, token),
        (None, Intent::Show(token)) => self::tokens::path_of(&call, token),
        (None, _) if request == recovery::REQUEST => recovery::path(&call),
        _ => site.urls.portal(realm.code()),
    };
    let mut response = page::see(&next);
    let gone = cookies::gone(&site.urls, cookies::Kind::Login(id));
    response.add_cookie(&gone).map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(response)
}

/// `POST …/portal/consents/{application}/withdraw`: the application learns nothing more, and what it was granted ends.
async fn withdraw(call: Call, path: web::Path<(String, ApplicationId)>, form: Form) -> Answer {
    let (site, realm, application) = (&call.site, &call.realm, path.into_inner().1);
    if let Some(session) = session::current(&site.house, realm, &call.visit, &call.browser).await? {
        form.check(site, &[b"session", &realm.tenant().to_bytes(), &session.id.to_bytes()])?;
        consent::withdraw(&site.house, realm, &call.visit, session.user, application).await?;
    }
    Ok(page::see(&site.urls.portal(realm.code())))
}

/// `POST …/portal/logout`.
async fn log_out(call: Call, form: Form) -> Answer {
    let site = &call.site;
    let portal = site.urls.portal(call.realm.code());
    let Some(session) = session::current(&site.house, &call.realm, &call.visit, &call.browser).await? else {
        return logins::logged_out(&call, Some(&portal), &[]);
    };
    form.check(site, &[b"session", &call.realm.tenant().to_bytes(), &session.id.to_bytes()])?;
    logins::log_out(&call, &session, Some(&portal)).await
}
