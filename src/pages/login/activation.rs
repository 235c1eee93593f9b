//! U12 to U15 and U23: install the app, activate it, wait until it has.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::second_factor::Beside;
use super::view::{self, Login};
use crate::domain::activation::string::ActivationString;
use crate::domain::ids::LoginId;
use crate::domain::login::complaint::Complaint;
use crate::domain::policy::platform::{Place, Platform};
use crate::domain::policy::provisioning::WindowsLink;
use crate::flow::activation::{OLD_SYSTEM, WRONG_DEVICE};
use crate::flow::case::Case;
use crate::flow::enrollment;
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, page, qr};
use crate::storage::activations::State;

#[derive(Template)]
#[template(path = "login/install.html")]
struct InstallPage {
    frame: Frame,
    login: Login,
    store: String,
    qr: String,
    on_phone: bool,
}

/// U13: how to install the app, before the activation.
pub fn install_page(
    call: &Call,
    case: &Case,
    _platform: Platform,
    complaint: Option<Complaint>,
) -> Result<HttpResponse, Fault> {
    let store = call.site.settings.apps.android_store_url.clone();
    let login = Login::of(call, case, "install-title", 3, complaint);
    let qr = qr::svg(&store, &login.frame.plain("install-qr")).unwrap_or_default();
    page::page(&InstallPage { frame: login.frame.clone(), qr, store, on_phone: on_phone(call), login })
}

/// What the page of an app on this or another device shows.
#[derive(Template)]
#[template(path = "login/activation.html")]
struct ActivationPage {
    frame: Frame,
    login: Login,
    platform: Platform,
    link: String,
    /// What "Open the app" leads to: the link itself on a phone, the app's own scheme on a computer.
    open: String,
    short: String,
    server: String,
    qr: String,
    phase: Phase,
    /// What the page shows, in the word by which it asks for news.
    seen: String,
    /// The key of the words about a device that came and was refused; empty if none did.
    refused: &'static str,
    on_phone: bool,
    /// Whether the app is on the computer that shows the page: it is opened, there is nothing to scan.
    here: bool,
    windows: Option<Link>,
    store: String,
}

/// What a standard app needs; the first passcode is taken on the same page.
#[derive(Template)]
#[template(path = "login/standard_app.html")]
struct StandardAppPage {
    frame: Frame,
    login: Login,
    link: String,
    secret: String,
    qr: String,
    on_phone: bool,
    digits: u8,
    pin: Beside,
}

/// How far the device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Connected,
    Over,
}

/// Where the Windows app comes from.
struct Link {
    address: String,
    /// The Store's page on the web, for where the Store itself does not open.
    page: String,
    /// The installer's file name, so that people recognise it among their downloads.
    file: String,
    sha256: String,
}

/// U12, U14, U15: the activation, and the wait for the device.
pub async fn page(
    call: &Call,
    case: &Case,
    platform: Platform,
    complaint: Option<Complaint>,
) -> Result<HttpResponse, Fault> {
    if !platform.speaks_our_protocol() {
        return standard_app(call, case, complaint).await;
    }
    let login = Login::of(call, case, "activation-title", 3, complaint);
    let base = call.site.urls.base(call.realm.code());
    let shown = enrollment::shown(&call.site.house, &call.realm, case).await?;
    let usable = shown.filter(|shown| matches!(shown.state, State::Issued | State::Claimed));
    let usable = usable.filter(|shown| call.visit.now < shown.expires_at);
    let phase = match &usable {
        Some(shown) if shown.state == State::Claimed => Phase::Connected,
        Some(_) => Phase::Waiting,
        None => Phase::Over,
    };
    let refused = match usable.as_ref().and_then(|shown| shown.refused.as_deref()) {
        Some(WRONG_DEVICE) => "activation-refused-platform",
        Some(OLD_SYSTEM) => "activation-refused-version",
        _ => "",
    };
    let seen = usable.as_ref().map(|shown| super::events::word(shown.id, shown.state, shown.refused.as_deref(), false));
    let string = usable.map(|shown| ActivationString { base: base.clone(), id: shown.id, secret: shown.secret });
    let link = string.as_ref().map(ActivationString::to_link).unwrap_or_default();
    page::page(&ActivationPage {
        frame: login.frame.clone(),
        qr: qr::svg(&link, &login.frame.plain("activation-qr")).unwrap_or_default(),
        short: string.as_ref().map(ActivationString::to_short).unwrap_or_default(),
        server: base,
        open: if platform.place() == Place::Phone {
            link.clone()
        } else {
            format!("{}:{link}", call.site.settings.apps.custom_scheme)
        },
        link,
        platform,
        phase,
        seen: seen.unwrap_or_default(),
        refused,
        on_phone: on_phone(call) && platform.place() == Place::Phone,
        here: matches!(platform, Platform::Windows | Platform::Web),
        windows: (platform == Platform::Windows).then(|| windows_link(call)).flatten(),
        store: if platform == Platform::Ios { call.site.settings.apps.ios_store_url.clone() } else { String::new() },
        login,
    })
}

async fn standard_app(call: &Call, case: &Case, complaint: Option<Complaint>) -> Result<HttpResponse, Fault> {
    let login = Login::of(call, case, "standard-app-title", 3, complaint);
    let app = enrollment::standard_app_of(&call.site.house, &call.realm, case).await?;
    let Some(app) = app else { return Err(Fault::Internal("a standard app has no secret".to_owned())) };
    let link = app.to_uri();
    let secret = data_encoding::BASE32_NOPAD.encode(app.secret.expose());
    let groups: Vec<String> = secret.as_bytes().chunks(4).map(|g| String::from_utf8_lossy(g).into_owned()).collect();
    page::page(&StandardAppPage {
        frame: login.frame.clone(),
        qr: qr::svg(&link, &login.frame.plain("activation-qr")).unwrap_or_default(),
        secret: groups.join(" "),
        link,
        on_phone: on_phone(call),
        digits: app.digits,
        pin: Beside::of_enrollment(call, case).await?,
        login,
    })
}

/// Whether the page is looked at on a phone, which cannot scan its own screen. A wrong guess costs
/// nothing: both ways stand on the page, in another order.
fn on_phone(call: &Call) -> bool {
    ["iPhone", "iPad", "Android", "Mobile"].iter().any(|word| call.visit.user_agent.contains(word))
}

/// The link of the Windows page, as the operator configured it.
fn windows_link(call: &Call) -> Option<Link> {
    let settings = &call.realm.config.settings.self_provisioning;
    match settings.windows_link {
        WindowsLink::None => None,
        WindowsLink::Store => settings.store_product_id.as_ref().map(|id| Link {
            // The form that the Store documents; names of packages are deprecated.
            address: format!("ms-windows-store://pdp/?ProductId={id}"),
            page: format!("https://apps.microsoft.com/detail/{id}"),
            file: String::new(),
            sha256: String::new(),
        }),
        WindowsLink::Installer => settings.installer_url.as_ref().map(|url| Link {
            address: url.clone(),
            page: String::new(),
            file: file_name(url),
            sha256: settings.installer_sha256.clone().unwrap_or_default(),
        }),
    }
}

/// The last part of an address, as a person reads it; empty if there is none.
fn file_name(address: &str) -> String {
    let url = url::Url::parse(address).ok();
    let last = url.as_ref().and_then(|url| url.path_segments()?.next_back()).unwrap_or_default();
    percent_encoding::percent_decode_str(last).decode_utf8_lossy().into_owned()
}

/// `POST …/installed`.
pub async fn installed(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let posted = enrollment::confirm_installed(&call.site.house, &call.realm, &call.visit, &call.browser, id).await;
    view::answer(&mut call, id, posted).await
}

/// `POST …/renew`.
pub async fn renew(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let posted = enrollment::renew(&call.site.house, &call.realm, &call.visit, &call.browser, id).await;
    view::answer(&mut call, id, posted).await
}

#[derive(Template)]
#[template(path = "login/opened.html")]
struct OpenedPage {
    frame: Frame,
    ios: String,
    android: String,
    scheme: String,
}

/// U23: an activation link that was opened in a browser, because the app is not there. The server does not
/// see the activation: it stands behind the `#`.
pub async fn opened(call: Call) -> Answer {
    let apps = &call.site.settings.apps;
    let frame = Frame::of(&call, "opened-title");
    page::page(&OpenedPage {
        frame,
        ios: apps.ios_store_url.clone(),
        android: apps.android_store_url.clone(),
        scheme: apps.custom_scheme.clone(),
    })
}
