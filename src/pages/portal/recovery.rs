//! Recovery codes at the portal: how many are left, and new ones for whoever has just given a passcode.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::{begin, csrf, portal};
use crate::domain::login::wishes::{Freshness, Wishes};
use crate::domain::policy::access::Method;
use crate::flow::federation::{self, Asked, Proven, Receipt, Silent};
use crate::flow::{self, recovery, session};
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, page};
use crate::i18n::Language;
use crate::pages::login::recovery::text_of;
use crate::storage::recovery_codes;

/// What the portal's own login request says when it shall lead back here.
pub const REQUEST: &str = "recovery-codes";

#[derive(Template)]
#[template(path = "portal/recovery.html")]
struct RecoveryPage {
    frame: Frame,
    left: u64,
    /// The new codes, as long as they are not put away.
    codes: Vec<String>,
    path: String,
    home: String,
}

impl RecoveryPage {
    /// For the template, which would pass a reference.
    fn codes_left(&self) -> u64 {
        self.left
    }
}

/// Registers the routes.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .route("/portal/recovery-codes", web::get().to(show))
        .route("/portal/recovery-codes.txt", web::get().to(file))
        .route("/portal/recovery-codes/new", web::post().to(renew))
        .route("/portal/recovery-codes/kept", web::post().to(kept));
}

/// The path of the page.
pub fn path(call: &Call) -> String {
    format!("/t/{}/portal/recovery-codes", call.realm.code())
}

/// The person at the portal, or `None` if a login must come first.
async fn somebody(call: &mut Call) -> Result<Option<Proven>, Fault> {
    if !call.realm.config.settings.self_provisioning.recovery_codes {
        return Err(Fault::NotFound);
    }
    let application = portal(call)?.id;
    let wishes = Wishes::default();
    let asked = Asked { application, wishes: &wishes, once: None };
    let (site, realm) = (&call.site, &call.realm);
    let nothing = |_: &Proven| Receipt::Nothing;
    let silent = federation::from_session(&site.house, realm, &call.visit, &call.browser, asked, nothing).await?;
    let Silent::Complete(proven) = silent else { return Ok(None) };
    if let Some(tag) = proven.member.user.language.as_deref().filter(|_| call.chosen.is_none()) {
        call.language = Language::of_tag(tag).unwrap_or(call.language);
    }
    Ok(Some(*proven))
}

/// `GET …/portal/recovery-codes`.
async fn show(mut call: Call, request: HttpRequest) -> Answer {
    let Some(proven) = somebody(&mut call).await? else {
        let application = portal(&call)?.id;
        return begin(&call, &request, application, Wishes::default(), REQUEST.to_owned()).await;
    };
    let (tenant, user) = (call.realm.tenant(), proven.member.user.id);
    let codes = recovery::sheet(&call.site.house, &call.realm, &call.visit, Some(user), proven.session).await?;
    let left = call.site.house.db.read(async |connection| recovery_codes::left(tenant, user).ask(connection).await);
    let left = left.await.map_err(flow::Error::from)?;
    page::page(&RecoveryPage {
        frame: Frame::of(&call, "portal-recovery-title").with_csrf(csrf(&call, proven.session)),
        left: u64::try_from(left).unwrap_or_default(),
        codes: codes.unwrap_or_default(),
        path: path(&call),
        home: format!("/t/{}/", call.realm.code()),
    })
}

/// `GET …/portal/recovery-codes.txt`: the new codes as a file.
async fn file(mut call: Call) -> Answer {
    let Some(proven) = somebody(&mut call).await? else { return Ok(page::see(&path(&call))) };
    let user = &proven.member.user;
    let sheet = recovery::sheet(&call.site.house, &call.realm, &call.visit, Some(user.id), proven.session).await?;
    Ok(match sheet {
        Some(codes) => text_of(&call, &user.username, &codes),
        None => page::see(&path(&call)),
    })
}

/// `POST …/portal/recovery-codes/new`: new codes, or first a passcode.
async fn renew(call: Call, request: HttpRequest, form: Form) -> Answer {
    let Some(session) = session::current(&call.site.house, &call.realm, &call.visit, &call.browser).await? else {
        return Ok(back(&call));
    };
    form.check(&call.site, &[b"session", &call.realm.tenant().to_bytes(), &session.id.to_bytes()])?;
    if !recovery::is_fresh(&session, call.visit.now) {
        let wishes = Wishes {
            freshness: Freshness::Within { seconds: recovery::STEP_UP_SECONDS },
            methods: vec![Method::Otp],
            ..Wishes::default()
        };
        let application = portal(&call)?.id;
        return begin(&call, &request, application, wishes, REQUEST.to_owned()).await;
    }
    recovery::renew(&call.site.house, &call.realm, &call.visit, &session).await?;
    Ok(back(&call))
}

/// `POST …/portal/recovery-codes/kept`: the new codes are not shown any more.
async fn kept(call: Call, form: Form) -> Answer {
    if let Some(session) = session::current(&call.site.house, &call.realm, &call.visit, &call.browser).await? {
        form.check(&call.site, &[b"session", &call.realm.tenant().to_bytes(), &session.id.to_bytes()])?;
        recovery::put_away(&call.site.house, &call.realm, &call.visit, &session).await?;
    }
    Ok(back(&call))
}

fn back(call: &Call) -> HttpResponse {
    page::see(&path(call))
}
