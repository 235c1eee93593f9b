//! Devices without a browser (RFC 8628), and the pages on which a person lets them in.
//!
//! The danger is a code that somebody sends to a victim, who types it and lets the sender's device in. So there is no
//! link that carries the code, the code is good for ten minutes only, the page tells where the device is and what may be
//! behind a request of somebody else, and the person must say that the device stands in front of them (5.4).

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::{Deserialize, Serialize};

use super::authorize::begin;
use super::client::authenticate;
use super::code::{self, Details};
use super::endpoint::{broken, failed, invalid, json, one, read, refusal};
use super::error::{TokenError, TokenErrorCode as Code};
use super::respond::application_of;
use super::{access_token, consent, request};
use crate::domain::application::{Application, Protocol};
use crate::domain::ids::LoginId;
use crate::domain::login::origin::Origin;
use crate::domain::login::outcome::Unanswered;
use crate::domain::login::step::Step;
use crate::domain::login::wishes::Wishes;
use crate::domain::secret::ExposeSecret as _;
use crate::flow::case::{self, Case};
use crate::flow::federation::{Proven, Receipt};
use crate::flow::{self, device};
use crate::http::page::{Frame, Marked};
use crate::http::{Answer, Call, Fault, Form, cookies, form, page};
use crate::storage::devices::Device;
use crate::urls::desk_path;

/// What a device asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Asked {
    scopes: std::collections::BTreeSet<crate::domain::oidc_client::Scope>,
    more_scopes: std::collections::BTreeSet<String>,
    resources: Vec<String>,
}

impl Asked {
    fn wanted(&self, call: &Call) -> consent::Wanted {
        consent::Wanted::of(call, self.scopes.iter().copied(), &self.resources, &self.more_scopes)
    }
}

/// What is stored with the login of the person who lets a device in.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceLogin {
    device: String,
}

#[derive(Serialize)]
struct Begun {
    device_code: String,
    user_code: String,
    verification_uri: String,
    expires_in: u64,
    interval: i64,
}

/// `POST {base}/oidc/device_authorization` (RFC 8628, 3.1).
pub(super) async fn authorization(call: Call, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    match start(&call, &request, &body).await {
        Ok(begun) => json(StatusCode::OK).json(begun),
        Err(error) => refusal(&call, &request, &error),
    }
}

async fn start(call: &Call, http: &HttpRequest, body: &[u8]) -> Result<Begun, TokenError> {
    let (presented, parameters) = read(http, body)?;
    let (application, client) = authenticate(call, &presented).await?;
    if !client.device_authorization {
        let why = "this client may not use the device authorization grant";
        return Err(TokenError::new(Code::UnauthorizedClient, why));
    }
    one(&parameters, "scope")?;
    let (scopes, resources, more_scopes) = request::granted(&parameters, client, &call.realm.config.settings.resources)
        .map_err(|error| {
            let code = match error.code.name() {
                "invalid_scope" => Code::InvalidScope,
                "invalid_target" => Code::InvalidTarget,
                _ => return invalid(error.description),
            };
            TokenError::new(code, error.description)
        })?;
    let asked = serde_json::to_string(&Asked { scopes, more_scopes, resources }).map_err(broken)?;
    let begun = device::begin(&call.site.house, &call.realm, &call.visit, application.id, asked);
    let begun = begun.await.map_err(failed)?;
    Ok(Begun {
        device_code: begun.device_code.expose_secret().to_owned(),
        user_code: begun.user_code,
        verification_uri: format!("{}/oidc/device", call.site.urls.base(call.realm.code())),
        expires_in: device::LIFETIME.as_secs(),
        interval: device::INTERVAL,
    })
}

#[derive(Template)]
#[template(path = "oidc/device.html")]
struct CodePage {
    frame: Frame,
    action: String,
    complaint: Option<&'static str>,
}

fn code_page(call: &Call, complaint: Option<&'static str>) -> Answer {
    let path = format!("/t/{}/oidc/device", call.realm.code());
    let csrf = form::token(&call.site, &[b"device", &call.realm.tenant().to_bytes()]);
    let frame = Frame::of(call, "device-title").with_csrf(csrf).at(path.clone());
    page::page(&CodePage { frame, action: path, complaint })
}

/// `GET {base}/oidc/device`: where the person types the code.
pub(super) async fn enter(call: Call) -> Answer {
    code_page(&call, None)
}

/// `POST {base}/oidc/device`: the code; a login follows, or single sign-on.
pub(super) async fn typed(call: Call, request: HttpRequest, form: Form) -> Answer {
    form.check(&call.site, &[b"device", &call.realm.tenant().to_bytes()])?;
    let found = match device::find(&call.site.house, &call.realm, &call.visit, form.text("code")).await {
        Err(flow::Error::Forbidden) => return Err(Fault::TooMany { seconds: 600 }),
        found => found?,
    };
    let Some(device) = found else { return code_page(&call, Some("device-unknown")) };
    let application = call.realm.config.application(device.application);
    let may =
        |application: &&Application| matches!(&application.protocol, Protocol::Oidc(it) if it.device_authorization);
    let Some(application) = application.filter(may) else {
        return code_page(&call, Some("device-unknown"));
    };
    let kept = serde_json::to_string(&DeviceLogin { device: device.device_hash })
        .map_err(|error| Fault::Internal(error.to_string()))?;
    let wishes = Wishes::default();
    begin(&call, &request, application, wishes, kept).await
}

/// Whether a login is one that lets a device in, and which.
fn device_of(case: &Case) -> Option<String> {
    let login = case.login();
    let stored = serde_json::from_str::<DeviceLogin>(&login.request).ok()?;
    (login.origin == Origin::Oidc).then_some(stored.device)
}

#[derive(Template)]
#[template(path = "oidc/device_confirm.html")]
struct ConfirmPage {
    frame: Frame,
    application: String,
    username: String,
    address: String,
    minutes: u64,
    elsewhere: bool,
    learns: Vec<String>,
    may: Vec<consent::Api>,
    action: String,
    complaint: Option<&'static str>,
}

impl ConfirmPage {
    /// Where the device is, and since when it waits.
    fn place(&self) -> Marked {
        self.frame.v2("device-confirm-where", ("address", &self.address), ("minutes", &self.minutes))
    }
}

fn purpose(call: &Call, id: LoginId) -> [Vec<u8>; 3] {
    [b"device confirm".to_vec(), call.realm.tenant().to_bytes().to_vec(), id.to_bytes().to_vec()]
}

fn confirm_page(call: &Call, case: &Case, device: &Device, complaint: Option<&'static str>) -> Answer {
    let id = case.login().id;
    let purpose = purpose(call, id);
    let csrf = form::token(&call.site, &purpose.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let asked: Asked = serde_json::from_str(&device.request).map_err(|error| Fault::Internal(error.to_string()))?;
    let (learns, may) = asked.wanted(call).told();
    page::page(&ConfirmPage {
        frame: Frame::of(call, "device-confirm-title").with_csrf(csrf).at(String::new()),
        application: case.application_name().to_owned(),
        username: case.member.as_ref().map(|member| member.user.username.clone()).unwrap_or_default(),
        minutes: call.visit.now.since(device.created_at).as_secs().div_ceil(60).max(1),
        elsewhere: device.address != call.visit.address.to_string(),
        address: device.address.clone(),
        learns,
        may,
        action: format!("/t/{}/oidc/device/confirm/{id}", call.realm.code()),
        complaint,
    })
}

#[derive(Template)]
#[template(path = "oidc/device_done.html")]
struct DonePage {
    frame: Frame,
    text: &'static str,
}

fn done_page(call: &Call, id: LoginId, connected: bool) -> Answer {
    let (title, text) = if connected {
        ("device-connected-title", "device-connected-text")
    } else {
        ("device-refused-title", "device-refused-text")
    };
    let mut response = page::page(&DonePage { frame: Frame::of(call, title).at(String::new()), text })?;
    let gone = cookies::gone(&call.site.urls, cookies::Kind::Login(id));
    response.add_cookie(&gone).map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(response)
}

/// The end of a login that lets a device in; `None` if it is another login.
pub(super) async fn resume(call: &mut Call, case: &Case) -> Result<Option<HttpResponse>, Fault> {
    let Some(hash) = device_of(case) else { return Ok(None) };
    let id = case.login().id;
    call.speak_for(case);
    match case.step {
        Step::Granted => {
            let device = device::waiting(&call.site.house, &call.realm, &hash, call.visit.now).await?;
            match device {
                Some(device) => confirm_page(call, case, &device, None).map(Some),
                None => done_page(call, id, false).map(Some),
            }
        }
        Step::Ended(_) => done_page(call, id, false).map(Some),
        _ => Ok(Some(page::see(&desk_path(call.realm.code(), id)))),
    }
}

/// `POST {base}/oidc/device/confirm/{login}`: yes or no.
pub(super) async fn confirm(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    let purpose = purpose(&call, id);
    form.check(&call.site, &purpose.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
    let case = case::look(&call.site.house, &call.realm, &call.visit, &call.browser, id).await?;
    let hash = device_of(&case).ok_or(Fault::NotThisBrowser)?;
    call.speak_for(&case);
    let (Step::Granted, Some(_)) = (&case.step, application_of(&case)) else {
        return Ok(page::see(&desk_path(call.realm.code(), id)));
    };
    let (house, realm) = (&call.site.house, &call.realm);
    let Some(device) = device::waiting(house, realm, &hash, call.visit.now).await? else {
        return done_page(&call, id, false);
    };
    let allowed = form.text("answer") == "allow";
    if allowed && form.text("mine") != "yes" {
        return confirm_page(&call, &case, &device, Some("device-mine-missing"));
    }
    let asked: Asked = serde_json::from_str(&device.request).map_err(|error| Fault::Internal(error.to_string()))?;
    let grant = device.grant;
    // Whoever says yes in the last second has said it in time: the device gets a minute to hear of it.
    let expires_at = device.expires_at.max(call.visit.now.plus(code::LIFETIME));
    let receipt = |proven: &Proven, _: &str| {
        if !allowed {
            return Receipt::Refused(Unanswered::Declined);
        }
        let details = details(proven, &asked);
        Receipt::Code {
            id: grant,
            hash: hash.clone(),
            details: serde_json::to_string(&details).unwrap_or_default(),
            expires_at,
            ends_at: expires_at.plus(access_token::LIFETIME),
        }
    };
    let words = allowed.then(|| asked.wanted(&call).words());
    let said = (&device, words.as_ref());
    match device::decide(house, realm, &call.visit, (&call.browser, id), said, receipt).await {
        // What was proven may have become too old at this page: it is proven once more, and this is asked again.
        Err(flow::Error::WrongMoment) if allowed => Ok(page::see(&desk_path(call.realm.code(), id))),
        Err(flow::Error::WrongMoment) => done_page(&call, id, false),
        given => {
            let given = given?;
            done_page(&call, id, allowed && given)
        }
    }
}

/// What the token endpoint needs of a device's grant.
fn details(proven: &Proven, asked: &Asked) -> Details {
    Details {
        scopes: asked.scopes.clone(),
        resources: asked.resources.clone(),
        more_scopes: asked.more_scopes.clone(),
        ..code::details_of(proven, &[])
    }
}
