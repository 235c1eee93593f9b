//! The doors: metadata, the request by redirect or form, the answer after the login.

use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::context::Done;
use super::logout::Marks;
use super::message::{self, LONGEST_RELAY_STATE};
use super::name_id::Names;
use super::request::{self, AuthnRequest, RequestError, Status};
use super::response::{self, ResponseError, Statement, Voice, new_id};
use super::sign::Signer;
use super::{incoming, metadata};
use crate::domain::application::{Application, Protocol};
use crate::domain::ids::ApplicationId;
use crate::domain::ids::{LoginId, ParkedId, SessionId, SigningKeyId};
use crate::domain::login::Login;
use crate::domain::login::origin::Origin;
use crate::domain::login::outcome::{Ending, Refusal, Unanswered};
use crate::domain::login::step::Step;
use crate::domain::policy::access::Method;
use crate::domain::release::Authenticator;
use crate::domain::service_provider::ServiceProvider;
use crate::domain::signing_key::SignatureAlgorithm;
use crate::domain::timestamp::Timestamp;
use crate::domain::user::User;
use crate::flow::case;
use crate::flow::federation::{self, Asked, Once, Proven, Receipt, Silent};
use crate::flow::house::text;
use crate::flow::login::NewLogin;
use crate::flow::realm::{Certificate, Realm};
use crate::flow::{parking, session};
use crate::http::post::{self, Content, Field};
use crate::http::{Answer, Call, Fault, Form, Site, cookies, form, logins, page, parked};
use crate::storage::users;
use crate::urls::desk_path;

/// Our addresses.
pub(super) fn entity_id(call: &Call) -> String {
    entity_id_of(&call.site, &call.realm)
}

pub(super) fn entity_id_of(site: &Site, realm: &Realm) -> String {
    format!("{}/saml/metadata", site.urls.base(realm.code()))
}

fn sso_address(call: &Call) -> String {
    format!("{}/saml/sso", call.site.urls.base(call.realm.code()))
}

/// How long signed metadata is served from memory: making it costs a signature.
const METADATA_KEPT: Duration = Duration::from_secs(60 * 60);

pub(super) fn slo_address(call: &Call) -> String {
    format!("{}/saml/slo", call.site.urls.base(call.realm.code()))
}

/// Where servers of service providers bring their logout requests.
pub(super) fn soap_address(call: &Call) -> String {
    format!("{}/soap", slo_address(call))
}

/// `GET {base}/saml/metadata`: for service providers that look again and again.
pub(super) async fn our_metadata(call: Call) -> Answer {
    let now = call.visit.now;
    let text = call.realm.metadata.get_or(now, METADATA_KEPT, || metadata_text(&call, Some(now)))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/samlmetadata+xml"))
        .insert_header(("cache-control", "public, max-age=3600"))
        .body(text.to_string()))
}

/// `GET {base}/saml/metadata/file`: the same to be put somewhere by hand. It does not expire: nobody would notice in
/// time, and people could not log in.
pub(super) async fn our_metadata_as_a_file(call: Call) -> Answer {
    let name = format!("attachment; filename=\"{}-metadata.xml\"", call.realm.code());
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/samlmetadata+xml"))
        .insert_header(("content-disposition", name))
        .body(metadata_text(&call, None)?))
}

fn metadata_text(call: &Call, fetched_at: Option<Timestamp>) -> Result<String, Fault> {
    let realm = &call.realm;
    let signer = signer(realm, SignatureAlgorithm::Rs256, None)?;
    // An ECDSA certificate is shown only where somebody gets such signatures: some service providers stumble over it.
    let algorithms: Vec<SignatureAlgorithm> = saml_providers(realm).map(|(_, provider)| provider.algorithm).collect();
    let wanted = |key: SigningKeyId| {
        let algorithm = realm.saml_keys.named(key).map(|key| key.algorithm());
        algorithm.is_some_and(|it| it == SignatureAlgorithm::Rs256 || algorithms.contains(&it))
    };
    let mut shown: Vec<&Certificate> = realm.certificates.iter().filter(|it| it.shown && wanted(it.key)).collect();
    // The one that signs now comes first: some service providers look at no other.
    shown.sort_by_key(|certificate| certificate.der != signer.certificate);
    let ders: Vec<&[u8]> = shown.iter().map(|certificate| certificate.der.as_slice()).collect();
    let tenant = &realm.config.tenant;
    let ours = metadata::Ours {
        entity_id: &entity_id(call),
        sso: &sso_address(call),
        slo: &slo_address(call),
        slo_soap: &soap_address(call),
        display_name: (&tenant.name, &tenant.default_language),
        certificates: &ders,
        fetched_at,
    };
    ours.signed(&signer, &new_id(&call.site.house.entropy)).map_err(|error| Fault::Internal(error.to_string()))
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
    if !form::is_form(request.headers()) {
        return Err(Fault::NotAForm);
    }
    let checked = match read_form(&call, &Form::parse(&body)) {
        Ok(checked) => checked,
        Err(error) => return reject(&call, error).await,
    };
    parked::put_aside(&call, Origin::Saml, &sso_address(&call), &checked).await
}

/// `GET {base}/saml/sso/{parked}`: where the browser comes with its cookies after a posted request. It must bring
/// the cookie that the POST gave it: somebody who posts a request and passes this address on plants nothing in
/// another browser, which is less than a link of the redirect binding can do.
pub(super) async fn from_form(call: Call, request: HttpRequest, path: web::Path<(String, ParkedId)>) -> Answer {
    let kept = parked::waiting(&call, &request, Origin::Saml, path.into_inner().1).await?;
    // A logout's request that is put aside reads as something else.
    let kept = serde_json::from_str(&kept).map_err(|_| Fault::shown("error-saml-request"))?;
    start(&call, &request, &kept).await
}

/// Every service provider that is registered.
pub(super) fn saml_providers(realm: &Realm) -> impl Iterator<Item = (&Application, &ServiceProvider)> {
    realm.config.applications.iter().filter_map(|application| match &application.protocol {
        Protocol::Saml(provider) => Some((application, provider.as_ref())),
        Protocol::Oidc(_) | Protocol::Portal | Protocol::Console => None,
    })
}

pub(super) fn provider_of<'a>(call: &'a Call, entity_id: &str) -> Option<(&'a Application, &'a ServiceProvider)> {
    saml_providers(&call.realm).find(|(_, provider)| provider.entity_id == entity_id)
}

/// Whose request it is, if answers still go where this one would: the registration may have changed while the request waited for
/// its browser or its login (T-39, T-42).
fn answerable<'a>(call: &'a Call, request: &AuthnRequest) -> Result<(&'a Application, &'a ServiceProvider), Fault> {
    let known = provider_of(call, &request.issuer);
    let known = known.filter(|(_, provider)| provider.acs.iter().any(|endpoint| endpoint.url == request.acs));
    known.ok_or_else(|| Fault::shown("error-saml-request"))
}

fn read_redirect(call: &Call, query: &str) -> Result<AuthnRequest, RequestError> {
    let incoming = incoming::redirected(query, |entity_id| provider_of(call, entity_id))?;
    request::check(incoming, &sso_address(call), call.visit.now)
}

fn read_form(call: &Call, form: &Form) -> Result<AuthnRequest, RequestError> {
    let incoming = incoming::posted(form, |entity_id| provider_of(call, entity_id))?;
    request::check(incoming, &sso_address(call), call.visit.now)
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
    let (application, provider) = answerable(call, request)?;
    let (site, realm) = (&call.site, &call.realm);
    let (mut wishes, once) = (request.wishes(), once(call, request));
    // Somebody else than the wanted person is logged in here: the wanted one may be at the keyboard all the same.
    wishes.choose_account = is_another(call, request, provider).await?;
    let id = new_id(&site.house.entropy);
    let receipt = |proven: &Proven| receipt(call, request, provider, proven, &id);
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
    logins::begin(call, http, &new).await
}

/// Whether a person is wanted, and another one is logged in at this browser (core 3.4.1).
async fn is_another(call: &Call, request: &AuthnRequest, provider: &ServiceProvider) -> Result<bool, Fault> {
    if request.subject.is_none() {
        return Ok(false);
    }
    let (house, realm) = (&call.site.house, &call.realm);
    let Some(session) = session::current(house, realm, &call.visit, &call.browser).await? else { return Ok(false) };
    let user = house.db.read(async |connection| users::with_id(connection, realm.tenant(), session.user).await).await?;
    Ok(!user.is_some_and(|user| is_wanted(call, request, provider, &user, session.id)))
}

fn is_wanted(call: &Call, request: &AuthnRequest, provider: &ServiceProvider, user: &User, session: SessionId) -> bool {
    request.subject.as_ref().is_none_or(|subject| names(call).means(&subject.name, provider, user, session))
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
    let until = call.visit.now.plus(message::LIFETIME * 3 + parking::LIFETIME);
    Some(Once { subject: text(&house.derived.once.of(&fields)), until })
}

/// A login that does not begin with a request of the service provider.
#[derive(Debug, Deserialize)]
pub(super) struct Start {
    /// Which, by our identifier: the portal's links.
    application: Option<ApplicationId>,
    /// Which, by its entity ID: links that people write.
    sp: Option<String>,
    /// RelayState.
    relay: Option<String>,
}

/// `GET {base}/saml/start?application=…` or `?sp=…`: a login that begins at the portal or with a link. Only for
/// service providers that are registered as taking such answers: to the others, an answer without a question is what
/// somebody plants who wants to be the one that is logged in (checklist 3.4).
pub(super) async fn unsolicited(call: Call, http: HttpRequest, query: web::Query<Start>) -> Answer {
    let Start { application, sp, relay } = query.into_inner();
    let found = match (application, sp) {
        (Some(id), None) => call.realm.config.application(id),
        (None, Some(entity_id)) => provider_of(&call, &entity_id).map(|(application, _)| application),
        _ => None,
    };
    let application = found.ok_or(Fault::NotFound)?;
    let Protocol::Saml(provider) = &application.protocol else { return Err(Fault::NotFound) };
    if !provider.idp_initiated || relay.as_ref().is_some_and(|state| state.len() > LONGEST_RELAY_STATE) {
        return Err(Fault::shown("error-saml-unsolicited"));
    }
    let request = AuthnRequest::unsolicited(provider, relay).ok_or(Fault::NotFound)?;
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
    let (_, provider) = answerable(&call, &request)?;
    let desk = || page::see(&desk_path(realm.code(), id));
    let mut answer = match case.step {
        Step::Granted => {
            let assertion = new_id(&site.house.entropy);
            let receipt = |proven: &Proven, _: &str| receipt(&call, &request, provider, proven, &assertion);
            let asked = (Origin::Saml, id);
            match federation::from_login(&site.house, realm, &call.visit, &call.browser, asked, receipt).await {
                Ok((proven, _)) => assert(&call, &request, provider, &proven, &assertion)?,
                Err(crate::flow::Error::WrongMoment) => return Ok(desk()),
                Err(error) => return Err(error.into()),
            }
        }
        Step::Ended(Ending::Cancelled) => {
            refuse(&call, &request, Status::AuthnFailed, "the person cancelled the login")?
        }
        // Nothing but the request asks for a passcode, and the person cannot have an authenticator (core 3.3.2.2.1).
        Step::Ended(Ending::Refused(Refusal::AuthenticatorsBlocked | Refusal::NotOffered(_)))
            if !case.decision.verdict.requires(Method::Otp) =>
        {
            refuse(
                &call,
                &request,
                Status::NoAuthnContext,
                "the person cannot reach the wanted authentication context",
            )?
        }
        Step::Ended(Ending::Refused(_)) => refuse(&call, &request, Status::RequestDenied, "the person has no access")?,
        Step::Ended(_) => refuse(&call, &request, Status::AuthnFailed, "the login has ended")?,
        _ => return Ok(desk()),
    };
    let gone = cookies::gone(&site.urls, cookies::Kind::Login(id));
    answer.add_cookie(&gone).map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(answer)
}

/// A key that signs: the current one of an algorithm, or the one that a service provider cannot part with yet.
fn signer(realm: &Realm, algorithm: SignatureAlgorithm, pinned: Option<SigningKeyId>) -> Result<Signer<'_>, Fault> {
    let keys = &realm.saml_keys;
    let key = pinned.and_then(|id| keys.named(id)).or_else(|| keys.signing(algorithm));
    let key = key.ok_or_else(|| Fault::Internal("the virtual server has no such SAML key".to_owned()))?;
    let certificate = realm.certificates.iter().find(|certificate| certificate.key == key.id());
    let certificate = certificate.ok_or_else(|| Fault::Internal("the SAML key has no certificate".to_owned()))?;
    Ok(Signer { key, certificate: &certificate.der })
}

pub(super) fn voice<'a>(call: &'a Call, provider: &ServiceProvider, issuer: &'a str) -> Result<Voice<'a>, Fault> {
    voice_of((&call.site, &call.realm), provider, issuer, call.visit.now)
}

/// How a virtual server speaks to a service provider.
pub(super) fn voice_of<'a>(
    (site, realm): (&'a Site, &'a Realm),
    provider: &ServiceProvider,
    issuer: &'a str,
    now: Timestamp,
) -> Result<Voice<'a>, Fault> {
    let signer = signer(realm, provider.algorithm, provider.signing_key)?;
    Ok(Voice { issuer, signer, now, entropy: &site.house.entropy })
}

pub(super) fn names(call: &Call) -> Names<'_> {
    names_of(&call.site, &call.realm)
}

pub(super) fn names_of<'a>(site: &'a Site, realm: &Realm) -> Names<'a> {
    Names { tenant: realm.tenant(), pairwise: &site.house.derived.pairwise }
}

/// Identifiers that come back from service providers.
pub(super) fn marks(call: &Call) -> Marks<'_> {
    marks_of(&call.site, &call.realm)
}

pub(super) fn marks_of<'a>(site: &'a Site, realm: &Realm) -> Marks<'a> {
    Marks { tenant: realm.tenant(), keys: &site.house.derived }
}

/// What is left behind of an assertion, or of the refusal in its place: whether it is given is decided before anything says
/// so (T-44, R-564).
fn receipt(call: &Call, request: &AuthnRequest, provider: &ServiceProvider, proven: &Proven, id: &str) -> Receipt {
    match fitting(call, request, provider, proven) {
        Ok((name, _)) => Receipt::Assertion { id: id.to_owned(), format: request.name_id_format(provider), name },
        Err(unanswered) => Receipt::Refused(unanswered),
    }
}

/// The name identifier and the authentication context that a request gets, if it can have what it asks for.
fn fitting<'r>(
    call: &Call,
    request: &'r AuthnRequest,
    provider: &ServiceProvider,
    proven: &Proven,
) -> Result<(String, &'r str), Unanswered> {
    let user = &proven.member.user;
    if !is_wanted(call, request, provider, user, proven.session) {
        return Err(Unanswered::AnotherPerson);
    }
    let name = names(call).of(request.name_id_format(provider), provider, user, proven.session);
    let by_time = proven.authenticator.is_some_and(|authenticator| authenticator.by_time);
    let class = request.wanted.claimed(Done { password: proven.password, otp: proven.otp, by_time });
    Ok((name.ok_or(Unanswered::NoName)?, class.ok_or(Unanswered::Context)?))
}

fn assert(call: &Call, request: &AuthnRequest, provider: &ServiceProvider, proven: &Proven, id: &str) -> Answer {
    let (name_id, class) = match fitting(call, request, provider, proven) {
        Ok(fitting) => fitting,
        Err(unanswered) => {
            let (status, why) = match unanswered {
                Unanswered::AnotherPerson => (Status::UnknownPrincipal, "the person is not the one who was asked for"),
                Unanswered::NoName => (Status::InvalidNameIdPolicy, "the person has no name identifier in this format"),
                Unanswered::Declined => (Status::RequestDenied, "the person does not want it"),
                Unanswered::Context => (Status::NoAuthnContext, "the wanted authentication context was not reached"),
            };
            return refuse(call, request, status, why);
        }
    };
    let issuer = entity_id(call);
    let voice = voice(call, provider, &issuer)?;
    let statement = Statement {
        member: &proven.member,
        groups: &proven.groups,
        name_id,
        format: request.name_id_format(provider),
        class,
        authenticator: proven.authenticator.map(|used| Authenticator {
            enrolled_at: used.enrolled_at,
            by_mailbox: used.by_mailbox,
            now: call.visit.now,
        }),
        authenticated_at: proven.authenticated_at,
        session: marks(call).session_index(&provider.entity_id, proven.session),
    };
    let xml = response::success(voice, id, request, provider, &statement).map_err(internal)?;
    post(call, request, xml)
}

fn internal(error: ResponseError) -> Fault {
    Fault::Internal(error.to_string())
}

/// As [`refuse`], for a request that comes in: a refusal is the one answer to it as well.
async fn refuse_once(call: &Call, request: &AuthnRequest, status: Status, why: &str) -> Answer {
    if let Some(once) = once(call, request) {
        federation::spend(&call.site.house, &call.realm, &once).await?;
    }
    refuse(call, request, status, why)
}

fn refuse(call: &Call, request: &AuthnRequest, status: Status, why: &str) -> Answer {
    let (_, provider) = answerable(call, request)?;
    let issuer = entity_id(call);
    let xml = response::failure(voice(call, provider, &issuer)?, request, status, why).map_err(internal)?;
    post(call, request, xml)
}

fn post(call: &Call, request: &AuthnRequest, xml: String) -> Answer {
    post::page(call, request.acs.clone(), fields("SAMLResponse", xml, request.relay_state.as_deref()))
}

/// What the HTTP-POST binding has in a form (bindings 3.5.4).
pub(super) fn fields(name: &'static str, xml: String, relay_state: Option<&str>) -> Vec<Field> {
    let relay = relay_state.map(|value| Field { name: "RelayState", value: Content::Text(value.to_owned()) });
    [Field { name, value: Content::Octets(xml.into_bytes()) }].into_iter().chain(relay).collect()
}
