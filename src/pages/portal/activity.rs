//! P4, P6 and P7: where one is logged in, what was done with one's account, "this was not me", and one's language.

use actix_web::web;
use askama::Template;

use super::tokens::{here, home, posting};
use super::{csrf, speak};
use crate::domain::ids::{EnrollmentId, SessionId};
use crate::domain::login::wishes::Freshness;
use crate::domain::policy::platform::Platform;
use crate::domain::session::browser_called;
use crate::flow::federation::Proven;
use crate::flow::self_service::{self, Disputed, Which};
use crate::http::page::{Frame, Marked};
use crate::http::{Answer, Call, Fault, Form, cookies, page};
use crate::i18n::Language;
use crate::pages::login::view::time;
use crate::storage::access_log::{self, Filter, Told};
use crate::storage::audit_list::{Place, place_of, place_text};
use crate::storage::enrollment_history;
use crate::storage::sessions;

/// Accesses on one page.
const ACCESSES: usize = 25;
/// The text that names an authenticator of which no platform is known.
const HARDWARE: &str = "platform-hardware-name";

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/portal/activity", web::get().to(show))
        .route("/portal/activity/end-others", web::post().to(end_others))
        .route("/portal/activity/sessions/{session}/end", web::post().to(end))
        .route("/portal/activity/dispute/access/{place}", web::get().to(ask_of_access))
        .route("/portal/activity/dispute/access/{place}", web::post().to(dispute_access))
        .route("/portal/activity/dispute/enrollment/{enrollment}", web::get().to(ask_of_enrollment))
        .route("/portal/activity/dispute/enrollment/{enrollment}", web::post().to(dispute_enrollment))
        .route("/portal/language", web::post().to(store_language));
}

/// The path of the page.
pub fn path(call: &Call) -> String {
    format!("/t/{}/portal/activity", call.realm.code())
}

#[derive(Template)]
#[template(path = "portal/activity.html")]
struct ActivityPage {
    frame: Frame,
    /// What was just done; the key of a text, or empty.
    good: &'static str,
    sessions: Vec<SessionEntry>,
    enrollments: Vec<EnrollmentEntry>,
    accesses: Vec<AccessEntry>,
    /// Where the list goes on; empty at its end.
    older: String,
    path: String,
    home: String,
}

impl ActivityPage {
    /// From where and since when somebody is logged in.
    fn begun(&self, session: &SessionEntry) -> Marked {
        self.frame.v2("activity-session", ("address", &session.address), ("time", &session.since))
    }
}

struct SessionEntry {
    browser: String,
    address: String,
    since: String,
    seen: String,
    /// Whether it is the one of this browser.
    here: bool,
    /// Where it is ended; empty for the one of this browser, which has its own way out.
    end: String,
}

struct EnrollmentEntry {
    /// The key of the name of the platform.
    what: String,
    time: String,
    address: String,
    serial: String,
    dispute: String,
}

struct AccessEntry {
    application: String,
    let_in: bool,
    time: String,
    address: String,
    /// Where somebody says that it was not them; empty where nobody has proven to be anybody.
    dispute: String,
}

/// The question before somebody says that it was not them, and what follows afterwards.
#[derive(Template)]
#[template(path = "portal/dispute.html")]
struct DisputePage {
    frame: Frame,
    /// Whether it is the question.
    asked: bool,
    what: String,
    time: String,
    address: String,
    /// Whether an authenticator stops with it.
    enrolled: bool,
    /// Whether there are recovery codes here, which stop working with it.
    codes: bool,
    path: String,
    back: String,
}

/// What a page of the list begins after.
#[derive(Debug, serde::Deserialize)]
struct Query {
    after: Option<String>,
}

/// `GET …/portal/activity`.
async fn show(mut call: Call, query: web::Query<Query>) -> Answer {
    let Some(proven) = here(&call, Freshness::Any).await? else { return home(&call) };
    speak(&mut call, &proven);
    shown(&call, &proven, query.after.as_deref().and_then(place_of), "").await
}

async fn shown(call: &Call, proven: &Proven, after: Option<Place>, good: &'static str) -> Answer {
    let (realm, user, now) = (&call.realm, proven.member.user.id, call.visit.now);
    let filter = Filter { user: Some(user), from: Some(self_service::history_from(now)), ..Filter::default() };
    let found = call.site.house.db.look(async |connection| {
        let described = sessions::described_of(realm.tenant(), user).ask(connection).await?;
        let accesses = access_log::page(connection, realm.tenant(), &filter, after.as_ref(), ACCESSES).await?;
        Ok((described, accesses, self_service::enrollments(connection, realm, user, now).await?))
    });
    let (mut described, accesses, enrollments) = found.await?;
    let version = proven.member.user.security_version;
    described.retain(|one| one.session.alive(realm.config.settings.session, version, now));
    // This browser's first, then the one that was used last.
    described.sort_by_key(|one| (one.session.id != proven.session, std::cmp::Reverse(one.session.last_seen_at)));
    let path = path(call);
    let frame = Frame::of(call, "activity-title").with_csrf(csrf(call, proven.session)).at(path.clone());
    let sessions = described.into_iter().map(|one| {
        let here = one.session.id == proven.session;
        SessionEntry {
            browser: Some(browser_called(&one.user_agent))
                .filter(|it| !it.is_empty())
                .unwrap_or_else(|| one.address.clone()),
            address: one.address,
            since: time(&frame, one.session.started_at),
            seen: time(&frame, one.session.last_seen_at),
            here,
            end: if here { String::new() } else { format!("{path}/sessions/{}/end", one.session.id) },
        }
    });
    let first = after.is_none();
    let enrollments = enrollments.into_iter().filter(|_| first).map(|told| enrollment(&frame, &path, told));
    let older = accesses.next.as_ref().map(|place| format!("{path}?after={}", place_text(place)));
    page::page(&ActivityPage {
        good,
        sessions: sessions.collect(),
        enrollments: enrollments.collect(),
        accesses: accesses.rows.into_iter().map(|told| access(call, &frame, told)).collect(),
        older: older.unwrap_or_default(),
        home: call.site.urls.portal(realm.code()),
        path,
        frame,
    })
}

fn enrollment(frame: &Frame, path: &str, told: enrollment_history::Told) -> EnrollmentEntry {
    EnrollmentEntry {
        what: platform_key(told.platform),
        time: time(frame, told.begun_at),
        address: told.address,
        serial: told.serial.unwrap_or_default(),
        dispute: format!("{path}/dispute/enrollment/{}", told.id),
    }
}

fn platform_key(platform: Option<Platform>) -> String {
    platform.map_or_else(|| HARDWARE.to_owned(), |it| format!("platform-{}-name", it.id().replace('_', "-")))
}

fn access(call: &Call, frame: &Frame, told: Told) -> AccessEntry {
    AccessEntry {
        application: application_called(call, &told),
        let_in: told.result == "success",
        time: time(frame, told.at),
        address: told.address.clone(),
        dispute: if self_service::is_disputable(&told) {
            format!("{}/dispute/access/{}", path(call), place_text(&(told.at.micros(), told.id)))
        } else {
            String::new()
        },
    }
}

/// What the application of an access is called, also where it is gone.
fn application_called(call: &Call, told: &Told) -> String {
    let application = call.realm.config.application(told.application);
    let gone = || call.texts().plain(call.language, "activity-gone", &[]);
    application.map_or_else(gone, |application| application.name.clone())
}

/// `POST …/sessions/{session}/end`.
async fn end(call: Call, path: web::Path<(String, SessionId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    end_sessions(call, &form, |_| Which::One(id)).await
}

/// `POST …/end-others`.
async fn end_others(call: Call, form: Form) -> Answer {
    end_sessions(call, &form, |proven| Which::AllBut(proven.session)).await
}

async fn end_sessions(mut call: Call, form: &Form, which: impl Fn(&Proven) -> Which) -> Answer {
    let Some(proven) = posting(&call, form, Freshness::Any).await? else { return home(&call) };
    speak(&mut call, &proven);
    let (site, user) = (&call.site, proven.member.user.id);
    self_service::end_sessions(&site.house, &call.realm, &call.visit, user, which(&proven)).await?;
    shown(&call, &proven, None, "activity-ended").await
}

/// `GET …/dispute/access/{place}`: whether it is meant.
async fn ask_of_access(mut call: Call, path: web::Path<(String, String)>) -> Answer {
    let Some(proven) = here(&call, Freshness::Any).await? else { return home(&call) };
    speak(&mut call, &proven);
    let place = place_of(&path.into_inner().1).ok_or(Fault::NotFound)?;
    let (tenant, user) = (call.realm.tenant(), proven.member.user.id);
    let question = access_log::of_user_at(tenant, user, &place);
    let told = call.site.house.db.look(async |connection| question.ask(connection).await).await?;
    let told = told.filter(self_service::is_disputable).ok_or(Fault::NotFound)?;
    ask(&call, &proven, application_called(&call, &told), (told.at, told.address), false)
}

/// `GET …/dispute/enrollment/{enrollment}`: whether it is meant.
async fn ask_of_enrollment(mut call: Call, path: web::Path<(String, EnrollmentId)>) -> Answer {
    let Some(proven) = here(&call, Freshness::Any).await? else { return home(&call) };
    speak(&mut call, &proven);
    let (id, user, now) = (path.into_inner().1, proven.member.user.id, call.visit.now);
    let realm = &call.realm;
    let all = call.site.house.db.look(async |connection| self_service::enrollments(connection, realm, user, now).await);
    let told = all.await?.into_iter().find(|told| told.id == id).ok_or(Fault::NotFound)?;
    let what = call.texts().plain(call.language, &platform_key(told.platform), &[]);
    ask(&call, &proven, what, (told.begun_at, told.address), true)
}

fn ask(
    call: &Call,
    proven: &Proven,
    what: String,
    (at, address): (crate::domain::timestamp::Timestamp, String),
    enrolled: bool,
) -> Answer {
    let frame = Frame::of(call, "not-me-title").with_csrf(csrf(call, proven.session));
    page::page(&DisputePage {
        asked: true,
        what,
        time: time(&frame, at),
        address,
        enrolled,
        codes: call.realm.config.settings.self_provisioning.recovery_codes,
        path: call.path.clone(),
        back: path(call),
        frame,
    })
}

/// `POST …/dispute/access/{place}`.
async fn dispute_access(call: Call, path: web::Path<(String, String)>, form: Form) -> Answer {
    let place = place_of(&path.into_inner().1).ok_or(Fault::NotFound)?;
    dispute(call, &form, &Disputed::Access(place)).await
}

/// `POST …/dispute/enrollment/{enrollment}`.
async fn dispute_enrollment(call: Call, path: web::Path<(String, EnrollmentId)>, form: Form) -> Answer {
    dispute(call, &form, &Disputed::Enrollment(path.into_inner().1)).await
}

async fn dispute(mut call: Call, form: &Form, what: &Disputed) -> Answer {
    let Some(proven) = posting(&call, form, Freshness::Any).await? else { return home(&call) };
    speak(&mut call, &proven);
    if !self_service::dispute(&call.site.house, &call.realm, &call.visit, &proven.member.user, what).await? {
        return Err(Fault::NotFound);
    }
    // The session has ended: the portal would be a login that says nothing of what was done.
    page::page(&DisputePage {
        frame: Frame::of(&call, "not-me-title").at(format!("/t/{}/", call.realm.code())),
        asked: false,
        what: String::new(),
        time: String::new(),
        address: String::new(),
        enrolled: false,
        codes: false,
        path: String::new(),
        back: String::new(),
    })
}

/// `POST …/portal/language`: from then on mails are in it, and pages in every browser that has not chosen another.
async fn store_language(call: Call, form: Form) -> Answer {
    let Some(proven) = posting(&call, &form, Freshness::Any).await? else { return home(&call) };
    let language = Language::of_tag(form.text("preferred")).ok_or(Fault::NotFound)?;
    let (site, user) = (&call.site, &proven.member.user);
    self_service::speak(&site.house, &call.realm, &call.visit, user, language.tag()).await?;
    let mut answer = page::see(&site.urls.portal(call.realm.code()));
    // What was chosen here before would be stronger, and is not meant any more.
    let cookie = cookies::set(&site.urls, cookies::Kind::Language, language.tag());
    answer.add_cookie(&cookie).map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(answer)
}
