//! The doors: metadata, the request by redirect or form, the answer after the login.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::request::{self, AuthnRequest, RequestError, Status};
use super::response::{self, Statement, Voice, new_id};
use super::tree::Element;
use super::verify::{self, RawQuery, SignatureError, decoded};
use super::{context, metadata};
use crate::domain::application::{Application, Protocol};
use crate::domain::ids::{LoginId, ParkedId};
use crate::domain::login::Login;
use crate::domain::login::origin::Origin;
use crate::domain::login::outcome::Ending;
use crate::domain::login::step::Step;
use crate::domain::service_provider::ServiceProvider;
use crate::domain::signing_key::{KeyStage, SignatureAlgorithm};
use crate::domain::user::User;
use crate::flow::case;
use crate::flow::federation::{self, Asked, Once, Proven, Receipt, Silent};
use crate::flow::house::text;
use crate::flow::login::{self, NewLogin};
use crate::flow::{parking, session};
use crate::http::post::{self, Field};
use crate::http::{Answer, Call, Fault, Form, cookies, page};
use crate::storage::users;
use crate::urls::desk_path;

/// Our addresses.
fn entity_id(call: &Call) -> String {
    format!("{}/saml/metadata", call.site.urls.base(call.realm.code()))
}

fn sso_address(call: &Call) -> String {
    format!("{}/saml/sso", call.site.urls.base(call.realm.code()))
}

/// `GET {base}/saml/metadata`.
pub(super) async fn our_metadata(call: Call) -> HttpResponse {
    let mut certificates: Vec<_> = call.realm.certificates.iter().collect();
    // The one that signs now comes first: some service providers look at no other.
    certificates.sort_by_key(|certificate| certificate.stage != KeyStage::Current);
    let ders: Vec<&[u8]> = certificates.iter().map(|certificate| certificate.der.as_slice()).collect();
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/samlmetadata+xml"))
        .insert_header(("cache-control", "public, max-age=3600"))
        .body(metadata::ours(&entity_id(&call), &sso_address(&call), &ders))
}

/// `GET {base}/saml/sso`: HTTP-Redirect binding.
pub(super) async fn by_redirect(call: Call, request: HttpRequest) -> Answer {
    match read_redirect(&call, request.query_string()) {
        Ok(checked) => start(&call, &request, &checked).await,
        Err(error) => reject(&call, error).await,
    }
}

/// `POST {base}/saml/sso`: HTTP-POST binding. It comes from another site by design, so there is no token of
/// ours in it, and no cookie of ours with it: browsers keep `SameSite=Lax` cookies from such a request. Whoever
/// is logged in would look like a stranger here. So the request is checked and put aside, and the browser is
/// sent on to [`from_form`].
pub(super) async fn by_form(call: Call, request: HttpRequest, body: web::Bytes) -> Answer {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return Err(Fault::NotAForm);
    }
    let checked = match read_form(&call, &Form::parse(&body)) {
        Ok(checked) => checked,
        Err(error) => return reject(&call, error).await,
    };
    let kept = serde_json::to_string(&checked).map_err(|error| Fault::Internal(error.to_string()))?;
    let (site, realm) = (&call.site, &call.realm);
    let parked = parking::park(&site.house, realm, &call.visit, Origin::Saml, &kept).await?;
    let mut answer = page::see(&format!("{}/{}", sso_address(&call), parked.id));
    let cookie = cookies::secret(&site.urls, cookies::Kind::Parked(parked.id), &parked.cookie);
    answer.add_cookie(&cookie).map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(answer)
}

/// `GET {base}/saml/sso/{parked}`: where the browser comes with its cookies after a posted request. It must bring
/// the cookie that the POST gave it: somebody who posts a request and passes this address on plants nothing in
/// another browser, which is less than a link of the redirect binding can do.
pub(super) async fn from_form(call: Call, request: HttpRequest, path: web::Path<(String, ParkedId)>) -> Answer {
    let id = path.into_inner().1;
    let (site, realm) = (&call.site, &call.realm);
    let cookie = cookies::value(&request, &site.urls, cookies::Kind::Parked(id));
    let kept = parking::parked(&site.house, realm, &call.visit, Origin::Saml, id, cookie.as_ref()).await?;
    start(&call, &request, &stored(&kept)?).await
}

fn provider_of<'a>(call: &'a Call, entity_id: &str) -> Option<(&'a Application, &'a ServiceProvider)> {
    call.realm.config.applications.iter().find_map(|application| match &application.protocol {
        Protocol::Saml(provider) if provider.entity_id == entity_id => Some((application, provider.as_ref())),
        _ => None,
    })
}

fn read_redirect(call: &Call, query: &str) -> Result<AuthnRequest, RequestError> {
    let raw = RawQuery::split(query)?;
    if raw.encoding.map(decoded).transpose()?.is_some_and(|named| named != request::DEFLATE) {
        return Err(RequestError::Decode("it is announced in an encoding that we do not know"));
    }
    let message = decoded(raw.request.ok_or(RequestError::Content("SAMLRequest is missing"))?)?;
    let root = Element::parse(&request::inflated(&message)?).map_err(SignatureError::Xml)?;
    let (_, provider) =
        request::issuer(&root).and_then(|issuer| provider_of(call, issuer)).ok_or(RequestError::Unknown)?;
    let signed = raw.is_signed(&provider.certificates)?;
    let relay_state = raw.relay_state.map(decoded).transpose()?;
    demand(provider, signed)?;
    request::check(&root, provider, relay_state, &sso_address(call), call.visit.now)
}

fn read_form(call: &Call, form: &Form) -> Result<AuthnRequest, RequestError> {
    let octets = request::base64(form.text("SAMLRequest"))?;
    let unverified = Element::parse(&octets).map_err(SignatureError::Xml)?;
    let named = request::issuer(&unverified).and_then(|issuer| provider_of(call, issuer));
    let (_, provider) = named.ok_or(RequestError::Unknown)?;
    let (root, signed) = verify::posted(&octets, &provider.certificates)?;
    // The signed document is read anew; its issuer must be the one whose certificates were taken.
    if request::issuer(&root) != Some(provider.entity_id.as_str()) {
        return Err(RequestError::Unknown);
    }
    demand(provider, signed)?;
    // A field that is there twice would read as empty, and RelayState goes back unchanged or not at all.
    if form.times("RelayState") > 1 || form.times("SAMLRequest") > 1 {
        return Err(RequestError::Content("a parameter is there twice"));
    }
    let relay_state = form.has("RelayState").then(|| form.text("RelayState").to_owned());
    request::check(&root, provider, relay_state, &sso_address(call), call.visit.now)
}

fn demand(provider: &ServiceProvider, signed: bool) -> Result<(), RequestError> {
    if provider.require_signed_requests && !signed { Err(SignatureError::Missing.into()) } else { Ok(()) }
}

/// Shows that a request cannot be used, or answers it with a status where it is safe to answer at all.
async fn reject(call: &Call, error: RequestError) -> Answer {
    tracing::info!(correlation = %call.visit.correlation, %error, "an authentication request is refused");
    let RequestError::Answered { status, why, request } = error else {
        return Err(Fault::shown("error-saml-request"));
    };
    refuse_once(call, &request, status, why).await
}

/// A request that this door stored.
fn stored(kept: &str) -> Result<AuthnRequest, Fault> {
    serde_json::from_str(kept).map_err(|error| Fault::Internal(format!("a stored request does not read: {error}")))
}

/// Answers a request, once; or sends its browser to where it was with it.
async fn start(call: &Call, http: &HttpRequest, request: &AuthnRequest) -> Answer {
    match begin(call, http, request).await {
        Err(Fault::Used) => again(call, http, request).await,
        answer => answer,
    }
}

/// Answers from the session, refuses a silent request, or begins a login.
async fn begin(call: &Call, http: &HttpRequest, request: &AuthnRequest) -> Answer {
    let Some((application, provider)) = provider_of(call, &request.issuer) else {
        return Err(Fault::shown("error-saml-request"));
    };
    let (site, realm) = (&call.site, &call.realm);
    let (mut wishes, once) = (request.wishes(), once(call, request));
    // Somebody else than the wanted person is logged in here: the wanted one may be at the keyboard all the same.
    wishes.choose_account = is_another(call, request, provider).await?;
    let id = new_id(&site.house.entropy);
    let receipt = |_: &Proven| Receipt::Assertion { id: id.clone() };
    if !request.force && !wishes.choose_account {
        let asked = Asked { application: application.id, wishes: &wishes, once: once.as_ref() };
        match federation::from_session(&site.house, realm, &call.visit, &call.browser, asked, receipt).await? {
            Silent::Complete(proven) => return assert(call, request, provider, &proven, &id),
            Silent::Lacking(_) => {}
        }
    }
    if request.passive {
        return refuse_once(call, request, Status::NoPassive, "a page would have to be shown").await;
    }
    let kept = serde_json::to_string(request).map_err(|error| Fault::Internal(error.to_string()))?;
    let new = NewLogin { origin: Origin::Saml, application: application.id, wishes, request: kept, once };
    let begun = login::begin(&site.house, realm, &call.visit, &call.browser, &new).await?;
    let mut answer = page::see(&site.urls.desk(realm.code(), begun.login));
    let cookie = cookies::secret(&site.urls, cookies::Kind::Login(begun.login), &begun.cookie);
    for cookie in cookies::surplus(http, &site.urls).into_iter().chain([cookie]) {
        answer.add_cookie(&cookie).map_err(|error| Fault::Internal(error.to_string()))?;
    }
    Ok(answer)
}

/// Whether a person is wanted, and another one is logged in at this browser (core 3.4.1).
async fn is_another(call: &Call, request: &AuthnRequest, provider: &ServiceProvider) -> Result<bool, Fault> {
    if request.subject.is_none() {
        return Ok(false);
    }
    let (house, realm) = (&call.site.house, &call.realm);
    let Some(session) = session::current(house, realm, &call.visit, &call.browser).await? else { return Ok(false) };
    let user = house.db.read(async |connection| users::with_id(connection, realm.tenant(), session.user).await).await?;
    Ok(!user.is_some_and(|user| is_wanted(call, request, provider, &user)))
}

fn is_wanted(call: &Call, request: &AuthnRequest, provider: &ServiceProvider, user: &User) -> bool {
    let ours = (call.realm.tenant(), &call.site.house.derived.pairwise);
    request.subject.as_ref().is_none_or(|subject| response::means(&subject.name, provider, user, ours))
}

/// A request that was used before. Whoever presses reload or back on the way here has its login open in this
/// very browser, which the login's cookie proves, and goes on where they were: a person is not left without
/// help, and still only one login with this request can be answered. Everybody else has a copy of somebody's
/// request, or asks for a second answer, and gets neither a login nor an assertion (T-34).
async fn again(call: &Call, http: &HttpRequest, request: &AuthnRequest) -> Answer {
    let same = |kept: AuthnRequest| kept.issuer == request.issuer && kept.id == request.id;
    let wanted = |login: &Login| login.origin == Origin::Saml && serde_json::from_str(&login.request).is_ok_and(same);
    let mine = cookies::logins(http, &call.site.urls);
    match case::unanswered(&call.site.house, &call.realm, &call.visit, &mine, wanted).await? {
        Some(login) => Ok(page::see(&desk_path(call.realm.code(), login))),
        None => Err(Fault::Used),
    }
}

/// The place of a request among those that were used; none if it began at our portal. An identifier is unique
/// only for its service provider (core 1.3.4), so both names count.
fn once(call: &Call, request: &AuthnRequest) -> Option<Once> {
    let (tenant, house) = (call.realm.tenant().to_bytes(), &call.site.house);
    let fields: [&[u8]; 4] = [b"saml request", &tenant, request.issuer.as_bytes(), request.id.as_ref()?.as_bytes()];
    // A copy is fresh until one lifetime after IssueInstant, which may be one lifetime ahead of our clock; the third
    // is for instances whose clocks differ. A copy that was posted while it was fresh may then wait for its browser.
    let until = call.visit.now.plus(request::LIFETIME * 3 + parking::LIFETIME);
    Some(Once { subject: text(&house.derived.once.of(&fields)), until })
}

/// What the portal asks for.
#[derive(Debug, Deserialize)]
pub(super) struct Start {
    application: crate::domain::ids::ApplicationId,
}

/// `GET {base}/saml/start?application=…`: a login that begins at the portal.
pub(super) async fn from_portal(call: Call, http: HttpRequest, query: web::Query<Start>) -> Answer {
    let application = call.realm.config.application(query.application).ok_or(Fault::NotFound)?;
    let Protocol::Saml(provider) = &application.protocol else { return Err(Fault::NotFound) };
    let request = AuthnRequest::unsolicited(provider).ok_or(Fault::NotFound)?;
    start(&call, &http, &request).await
}

/// `GET {base}/saml/resume/{login}`: the end of a login.
pub(super) async fn resume(call: Call, path: web::Path<(String, LoginId)>) -> Answer {
    let id = path.into_inner().1;
    let (site, realm) = (&call.site, &call.realm);
    let case = case::look(&site.house, realm, &call.visit, &call.browser, id).await?;
    if case.login().origin != Origin::Saml {
        return Err(Fault::NotThisBrowser);
    }
    let request = stored(&case.login().request)?;
    let desk = || page::see(&desk_path(realm.code(), id));
    let mut answer = match case.step {
        Step::Granted => {
            let assertion = new_id(&site.house.entropy);
            let receipt = |_: &Proven, _: &str| Receipt::Assertion { id: assertion.clone() };
            let asked = (Origin::Saml, id);
            match federation::from_login(&site.house, realm, &call.visit, &call.browser, asked, receipt).await {
                Ok((proven, _)) => {
                    let Protocol::Saml(provider) = &proven.application.protocol else { return Err(Fault::NotFound) };
                    assert(&call, &request, provider, &proven, &assertion)?
                }
                Err(crate::flow::Error::WrongMoment) => return Ok(desk()),
                Err(error) => return Err(error.into()),
            }
        }
        Step::Ended(Ending::Cancelled) => {
            refuse(&call, &request, Status::AuthnFailed, "the person cancelled the login")?
        }
        Step::Ended(Ending::Refused(_)) => refuse(&call, &request, Status::RequestDenied, "the person has no access")?,
        Step::Ended(_) => refuse(&call, &request, Status::AuthnFailed, "the login has ended")?,
        _ => return Ok(desk()),
    };
    let gone = cookies::gone(&site.urls, cookies::Kind::Login(id));
    answer.add_cookie(&gone).map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(answer)
}

fn voice<'a>(call: &'a Call, issuer: &'a str) -> Result<Voice<'a>, Fault> {
    let key = call.realm.saml_keys.signing(SignatureAlgorithm::Rs256);
    let key = key.ok_or_else(|| Fault::Internal("the virtual server has no SAML key".to_owned()))?;
    let certificate = call.realm.certificates.iter().find(|certificate| certificate.key == key.id());
    let certificate = certificate.ok_or_else(|| Fault::Internal("the SAML key has no certificate".to_owned()))?;
    Ok(Voice { issuer, key, certificate: &certificate.der, now: call.visit.now, entropy: &call.site.house.entropy })
}

fn assert(call: &Call, request: &AuthnRequest, provider: &ServiceProvider, proven: &Proven, id: &str) -> Answer {
    let house = &call.site.house;
    let issuer = entity_id(call);
    let voice = voice(call, &issuer)?;
    if !is_wanted(call, request, provider, &proven.member.user) {
        return refuse(call, request, Status::UnknownPrincipal, "the person is not the one who was asked for");
    }
    let format = request.format.unwrap_or(provider.name_id_format);
    let sources = (&house.derived.pairwise, &house.entropy);
    let Some(name_id) = response::name_id(format, provider, &proven.member, call.realm.tenant(), sources) else {
        return refuse(call, request, Status::InvalidNameIdPolicy, "the person has no name identifier in this format");
    };
    let statement = Statement {
        member: &proven.member,
        groups: &proven.groups,
        name_id,
        format,
        multi: proven.password && proven.otp,
        authenticated_at: proven.authenticated_at,
        session: format!("_{}", proven.session),
    };
    let stepped_up = request.contexts.first().and_then(|class| context::level_of(class)) == Some(true);
    if stepped_up && !statement.multi {
        return refuse(call, request, Status::NoAuthnContext, "the wanted authentication context was not reached");
    }
    let xml = response::success(voice, id, request, provider, &statement)
        .map_err(|error| Fault::Internal(error.to_string()))?;
    post(call, request, xml)
}

/// As [`refuse`], for a request that comes in: a refusal is the one answer to it as well.
async fn refuse_once(call: &Call, request: &AuthnRequest, status: Status, why: &str) -> Answer {
    if let Some(once) = once(call, request) {
        federation::spend(&call.site.house, &call.realm, &once).await?;
    }
    refuse(call, request, status, why)
}

fn refuse(call: &Call, request: &AuthnRequest, status: Status, why: &str) -> Answer {
    let issuer = entity_id(call);
    let xml = response::failure(voice(call, &issuer)?, request, status, why)
        .map_err(|error| Fault::Internal(error.to_string()))?;
    post(call, request, xml)
}

fn post(call: &Call, request: &AuthnRequest, xml: String) -> Answer {
    let relay = request.relay_state.clone().map(|value| Field { name: "RelayState", value });
    let fields = [Field { name: "SAMLResponse", value: xml }].into_iter().chain(relay).collect();
    post::page(call, request.acs.clone(), fields)
}
