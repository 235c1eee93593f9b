//! The operator console (D3, D4): pages for operators, in English, each with the permission that it needs.
//!
//! A page is a file here and a template of the same name; it registers its routes in [`table`] and has a line in [`menu`].
//! Pages read from storage and change through `flow::administration`, as the management API does.

mod alerts;
mod api_keys;
mod applications;
mod branding;
pub mod chart;
mod codes;
mod dashboard;
mod explain;
mod explained;
mod funnel;
mod groups;
mod jobs;
mod kept;
mod labels;
mod logs;
pub mod menu;
mod messages;
mod operators;
mod organization;
mod overview;
mod platforms;
mod policies;
mod preflight;
mod provisioning;
mod provisioning_rules;
mod report_schedules;
mod rollout;
mod saved;
mod self_provisioning;
mod settings;
pub mod shell;
mod sure;
mod token_exports;
mod tokens;
mod user;
mod users;
mod webhooks;

use actix_web::dev::Payload;
use actix_web::error::InternalError;
use actix_web::http::Method;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use futures_util::future::LocalBoxFuture;

use crate::domain::ids::LoginId;
use crate::domain::login::origin::Origin;
use crate::domain::login::step::Step;
use crate::domain::login::wishes::{Freshness, Wishes};
use crate::domain::operator::FRESH_SECONDS;
use crate::domain::policy::access::Method as Proof;
use crate::flow::federation::{self, Proven, Receipt};
use crate::flow::login::NewLogin;
use crate::flow::{self, case};
use crate::http::guard::{self, AFTER_LOGIN, LONGEST_FORM, Needs, Seat, Table, Unseated};
use crate::http::{Answer, Call, Fault, Form, cookies, logins, page};

/// Every route of the console, below `/t/{tenant}/operator`.
#[must_use]
pub fn table() -> Table {
    let mut table = Table::default();
    table.get("", Needs::Nothing, with_slash);
    table.get("/", Needs::Any, home);
    table.get("resume/{login}", Needs::Nothing, resume);
    table.post("logout", Needs::Any, log_out);
    applications::routes(&mut table);
    policies::routes(&mut table);
    explain::routes(&mut table);
    preflight::routes(&mut table);
    operators::routes(&mut table);
    api_keys::routes(&mut table);
    self_provisioning::routes(&mut table);
    platforms::routes(&mut table);
    settings::routes(&mut table);
    organization::routes(&mut table);
    branding::routes(&mut table);
    messages::routes(&mut table);
    alerts::routes(&mut table);
    webhooks::routes(&mut table);
    users::routes(&mut table);
    user::routes(&mut table);
    groups::routes(&mut table);
    tokens::routes(&mut table);
    token_exports::routes(&mut table);
    jobs::routes(&mut table);
    provisioning::routes(&mut table);
    provisioning_rules::routes(&mut table);
    rollout::routes(&mut table);
    funnel::routes(&mut table);
    dashboard::routes(&mut table);
    logs::routes(&mut table);
    report_schedules::routes(&mut table);
    table
}

/// Registers the routes below `/t/{tenant}`.
pub fn configure(config: &mut web::ServiceConfig) {
    let scope = web::scope("/operator").app_data(web::PayloadConfig::new(LONGEST_FORM));
    config.service(scope.configure(|config| table().register(config)));
}

impl FromRequest for Seat {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            match Self::take(&request).await {
                Ok(seat) => Ok(seat),
                Err(Unseated::Fault(fault)) => Err(fault.into()),
                Err(Unseated::Login(call)) => {
                    // What a form would have changed is not changed by a login; the person comes to a page that says so.
                    let is_get = request.method() == Method::GET;
                    let then = if is_get { wanted(&request, 1000) } else { after_form(&request) };
                    let answer = begin(&call, &request, Wishes::default(), then).await?;
                    Err(InternalError::from_response("a login must come first", answer).into())
                }
            }
        })
    }
}

/// The page of the console that was asked for, below `/operator/`, with its query if that is not longer than `longest` octets.
fn wanted(request: &HttpRequest, longest: usize) -> String {
    let page = request.path().split_once("/operator/").map_or("", |(_, page)| page);
    let query = request.query_string();
    let whole = if query.is_empty() { page.to_owned() } else { format!("{page}?{query}") };
    if whole.len() > longest { page.to_owned() } else { whole }
}

/// Where a form leads whose operator has to log in first: to its page, or to the start. Both say that nothing was done.
fn after_form(request: &HttpRequest) -> String {
    let page = request.path().split_once("/operator/").map_or("", |(_, page)| page);
    format!("{}?{AFTER_LOGIN}", if guard::has_page(request) { page } else { "" })
}

async fn with_slash(call: Call) -> HttpResponse {
    page::see(&guard::path(&call, ""))
}

/// `GET …/operator/`: the first page that the role may see.
async fn home(seat: Seat) -> Answer {
    match menu::first(&seat.seated.permissions) {
        Some(page) if seat.after_login => Ok(page::see(&format!("{}?{AFTER_LOGIN}", seat.path(page)))),
        Some(page) => Ok(page::see(&seat.path(page))),
        None => Err(Fault::Forbidden),
    }
}

/// Begins a login that leads to the page `then` of the console.
async fn begin(call: &Call, request: &HttpRequest, wishes: Wishes, then: String) -> Answer {
    let application = call.realm.config.console.id;
    let new = NewLogin { origin: Origin::Operator, application, wishes, request: then, once: None };
    logins::begin(call, request, &new).await
}

/// For deeds that want a fresh passcode: the login that asks for one, or `None` if there was one within five minutes. It
/// leads back to `page`, where the deed is asked for again: a login must not carry it out by itself.
///
/// # Errors
/// As beginning a login.
pub async fn step_up(seat: &Seat, request: &HttpRequest, page: &str) -> Result<Option<HttpResponse>, Fault> {
    if seat.seated.is_fresh(seat.call.visit.now) {
        return Ok(None);
    }
    let wishes = Wishes {
        freshness: Freshness::Within { seconds: FRESH_SECONDS },
        methods: vec![Proof::Otp],
        ..Wishes::default()
    };
    let joined = if page.contains('?') { '&' } else { '?' };
    begin(&seat.call, request, wishes, format!("{page}{joined}{AFTER_LOGIN}")).await.map(Some)
}

/// `GET …/operator/resume/{login}`: the end of a login for the console.
async fn resume(call: Call, path: web::Path<(String, LoginId)>) -> Answer {
    let id = path.into_inner().1;
    let (site, realm) = (&call.site, &call.realm);
    let seen = case::look(&site.house, realm, &call.visit, &call.browser, id).await?;
    if seen.login().origin != Origin::Operator {
        return Err(Fault::NotThisBrowser);
    }
    if seen.step == Step::Granted {
        let nothing = |_: &Proven, _: &str| Receipt::Nothing;
        let asked = (Origin::Operator, id);
        match federation::from_login(&site.house, realm, &call.visit, &call.browser, asked, nothing).await {
            Ok(_) | Err(flow::Error::WrongMoment) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // It was stored by `begin` and is a page of ours whatever it says.
    let mut response = page::see(&guard::path(&call, &seen.login().request));
    let gone = cookies::gone(&site.urls, cookies::Kind::Login(id));
    response.add_cookie(&gone).map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(response)
}

/// `POST …/operator/logout`.
async fn log_out(seat: Seat, form: Form) -> Answer {
    seat.check(&form)?;
    let portal = seat.call.site.urls.portal(seat.call.realm.code());
    logins::log_out(&seat.call, &seat.seated.session, Some(&portal)).await
}
