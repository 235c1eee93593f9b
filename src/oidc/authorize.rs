//! The authorization endpoint: a request comes in, is checked, and is answered at once or by a login.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::answer::ReturnAddress;
use super::claims::subject;
use super::client::{client_of, keys_for};
use super::code::NewCode;
use super::error::{AuthorizationError, AuthorizationErrorCode as Code, ShownError};
use super::id_token::read_hint;
use super::parameters::{ParameterError, Parameters};
use super::request::{self, AuthorizationRequest, RequestError};
use super::{consent, par, request_object, respond};
use crate::domain::application::Application;
use crate::domain::ids::ParkedId;
use crate::domain::login::origin::Origin;
use crate::domain::login::step::Step;
use crate::domain::login::wishes::Wishes;
use crate::domain::oidc_client::{Consent, OidcClient};
use crate::domain::secret::SecretString;
use crate::domain::session::Session;
use crate::flow::federation::{self, Asked, Proven, Silent};
use crate::flow::login::NewLogin;
use crate::flow::{pushed, session};
use crate::http::{Answer, Call, Fault, form, logins, parked};

/// What the door stores with a login, for the answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    /// The request, checked.
    pub request: AuthorizationRequest,
    /// The one person whom the application will take, by the `sub` that it knows (OIDC Core 3.1.2.1, 5.5.1).
    pub only_subject: Option<String>,
}

/// Why a request does not go on: shown to the person, or sent back to the application.
#[derive(Debug)]
enum Refused {
    Shown(Fault),
    SentBack(Box<ReturnAddress>, AuthorizationError),
}

/// `GET {base}/oidc/authorize`.
pub(super) async fn get(call: Call, request: HttpRequest) -> Answer {
    match read(&call, Parameters::parse(request.query_string().as_bytes())).await {
        Ok(stored) => start(&call, &request, &stored).await,
        Err(refused) => refuse(&call, refused),
    }
}

/// Checks a request, or takes one that was pushed for its one use (T-53).
async fn read(call: &Call, parameters: Result<Parameters, ParameterError>) -> Result<Stored, Refused> {
    let reference = parameters.as_ref().ok().and_then(|parameters| parameters.one("request_uri").ok().flatten());
    let Some(reference) = reference.and_then(|reference| reference.strip_prefix(par::URN)) else {
        return checked(call, parameters).await;
    };
    let reference = SecretString::from(reference.to_owned());
    let shown = |error: &ShownError| Refused::Shown(shown(call, error));
    let parameters = parameters.map_err(|error| shown(&error.into()))?;
    // Everything else stands in the pushed request; what the browser brings beside it counts for nothing (RFC 9126, 4).
    let client_id = request::client_id(&parameters).map_err(|error| shown(&error))?;
    let (application, _) = client_of(call, client_id).ok_or_else(|| shown(&ShownError::ClientUnknown))?;
    let (house, tenant) = (&call.site.house, call.realm.tenant());
    let taken = pushed::take(house, tenant, &call.visit, application.id, &reference).await;
    let kept = taken.map_err(|error| Refused::Shown(error.into()))?;
    serde_json::from_str(&kept).map_err(|error| Refused::Shown(Fault::Internal(error.to_string())))
}

/// `POST {base}/oidc/authorize` (OIDC Core 3.1.2.1: both must be there). The form comes from the application's page, so
/// browsers leave our `SameSite=Lax` cookies at home, and whoever is logged in would look like a stranger. So the
/// request is checked and put aside, and the browser is sent on to [`parked()`].
pub(super) async fn post(call: Call, request: HttpRequest, body: web::Bytes) -> Answer {
    if !form::is_form(request.headers()) {
        return Err(Fault::NotAForm);
    }
    let stored = match read(&call, Parameters::parse(&body)).await {
        Ok(stored) => stored,
        Err(refused) => return refuse(&call, refused),
    };
    told(&call, &stored.request.return_to, put_aside(&call, &stored).await)
}

async fn put_aside(call: &Call, stored: &Stored) -> Answer {
    let found = client_of(call, &stored.request.client_id);
    let (_, client) = found.ok_or_else(|| shown(call, &ShownError::ClientUnknown))?;
    // It was checked when it came, which for a pushed request is a while ago; an error of ours goes to that address, too.
    respond::leads_back(call, client, &stored.request.return_to)?;
    let door = format!("{}/oidc/authorize", call.site.urls.base(call.realm.code()));
    parked::put_aside(call, Origin::Oidc, &door, stored).await
}

/// `GET {base}/oidc/authorize/{parked}`: where the browser comes with its cookies after a posted request, among them the
/// one that the POST gave it.
pub(super) async fn parked(call: Call, request: HttpRequest, path: web::Path<(String, ParkedId)>) -> Answer {
    let kept = parked::waiting(&call, &request, Origin::Oidc, path.into_inner().1).await?;
    // A request of the same door, but to log out.
    let stored: Stored = serde_json::from_str(&kept).map_err(|_| Fault::NotThisBrowser)?;
    start(&call, &request, &stored).await
}

fn written(stored: &Stored) -> Result<String, Fault> {
    serde_json::to_string(stored).map_err(|error| Fault::Internal(error.to_string()))
}

/// Checks a request.
async fn checked(call: &Call, parameters: Result<Parameters, ParameterError>) -> Result<Stored, Refused> {
    let shown = |error: &ShownError| Refused::Shown(shown(call, error));
    let parameters = parameters.map_err(|error| shown(&error.into()))?;
    let client_id = request::client_id(&parameters).map_err(|error| shown(&error))?;
    let (_, client) = client_of(call, client_id).ok_or_else(|| shown(&ShownError::ClientUnknown))?;
    let back = |to: Box<ReturnAddress>, error: AuthorizationError| {
        tracing::info!(correlation = %call.visit.correlation, client_id, %error, "an authorization request is refused");
        Refused::SentBack(to, error)
    };
    let unsigned = request::return_address(&parameters, client);
    let has_object = parameters.one("request").is_ok_and(|object| object.is_some());
    let resources = &call.realm.config.settings.resources;
    let parameters = match unpacked(call, client, parameters.clone()).await {
        Ok(parameters) => parameters,
        // Only to an address that the client is registered with; the object itself cannot be believed.
        Err(why) => {
            let words = format!("the parameter request: {why}");
            let error = AuthorizationError::new(Code::InvalidRequestObject, words);
            return Err(match unsigned {
                Ok(to) => back(Box::new(to), error),
                Err(ShownError::RedirectUriMissing) => shown(&ShownError::RequestObject(why)),
                Err(unproven) => shown(&unproven),
            });
        }
    };
    match request::parse(&parameters, client, resources, false) {
        Ok(request) if client.require_signed_request_object && !has_object => {
            let why = "this client must sign its requests: the parameter request is missing";
            Err(back(Box::new(request.return_to), AuthorizationError::new(Code::InvalidRequest, why)))
        }
        Ok(request) => match only_subject(call, &request) {
            Ok(only_subject) => Ok(Stored { request, only_subject }),
            Err(error) => Err(back(Box::new(request.return_to), error)),
        },
        Err(RequestError::Shown(error)) => Err(shown(&error)),
        Err(RequestError::SentBack { to, error }) => Err(back(to, error)),
    }
}

/// The parameters of a request: those of its signed object, if it has one and its client a key (RFC 9101).
///
/// # Errors
/// What is wrong with the object.
pub(super) async fn unpacked(
    call: &Call,
    client: &OidcClient,
    parameters: Parameters,
) -> Result<Parameters, &'static str> {
    let Ok(Some(object)) = parameters.one("request") else { return Ok(parameters) };
    // Without a key nothing can be checked, and the answer says so: request_not_supported.
    if client.jwks.is_none() && client.jwks_uri.is_none() {
        return Ok(parameters);
    }
    let keys = keys_for(call, client, object).await.ok_or("the keys at jwks_uri cannot be fetched")?;
    let issuer = call.site.urls.base(call.realm.code());
    request_object::unpack(object, &client.client_id, &keys, &issuer, call.visit.now)
}

fn refuse(call: &Call, refused: Refused) -> Answer {
    match refused {
        Refused::Shown(fault) => Err(fault),
        Refused::SentBack(to, error) => respond::error(call, &to, &error),
    }
}

/// Answers a checked request.
async fn start(call: &Call, request: &HttpRequest, stored: &Stored) -> Answer {
    told(call, &stored.request.return_to, answered(call, request, stored).await)
}

/// An answer to a checked request. When we fail the application hears of it (RFC 6749, 4.1.2.1): it may be waiting in a frame
/// that nobody sees.
fn told(call: &Call, to: &ReturnAddress, answer: Answer) -> Answer {
    let (code, why) = match answer {
        Err(Fault::Busy) => (Code::TemporarilyUnavailable, "the server is busy; try again in some seconds"),
        Err(Fault::Internal(reason)) => {
            tracing::error!(correlation = %call.visit.correlation, reason, "an authorization request failed");
            (Code::ServerError, "the server failed; try again")
        }
        answer => return answer,
    };
    respond::error(call, to, &AuthorizationError::new(code, why))
}

/// Answers from the session, or begins a login.
async fn answered(call: &Call, request: &HttpRequest, stored: &Stored) -> Answer {
    let found = client_of(call, &stored.request.client_id);
    let (application, client) = found.ok_or_else(|| shown(call, &ShownError::ClientUnknown))?;
    // It was checked when it came, which for a pushed or posted request is a while ago.
    respond::leads_back(call, client, &stored.request.return_to)?;
    let prompt = stored.request.prompt;
    if !prompt.login
        && !prompt.select_account
        && !prompt.consent
        && let Some(answer) = at_once(call, application, client, stored).await?
    {
        return Ok(answer);
    }
    begin(call, request, application, stored.request.wishes(), written(stored)?).await
}

/// An error that is only shown; the reason is in the log, for whoever connects an application.
pub(super) fn shown(call: &Call, error: &ShownError) -> Fault {
    tracing::info!(correlation = %call.visit.correlation, %error, "an authorization request is refused");
    Fault::shown(match error {
        ShownError::ClientUnknown => "error-oidc-client",
        ShownError::RedirectUriUnknown => "error-oidc-redirect",
        ShownError::Parameters(_)
        | ShownError::ClientMissing
        | ShownError::RedirectUriMissing
        | ShownError::RequestObject(_) => "error-oidc-request",
    })
}

/// Whom the application will take, if it names somebody: the subject that `claims` demands, or the one of a hint that we
/// signed for it.
///
/// # Errors
/// `login_required` where nobody can be the one who is named: a hint that is not ours, or another application's, must not let
/// somebody else in as if it had not been there (OIDC Core 3.1.2.1 and 3.1.2.2).
pub(super) fn only_subject(call: &Call, request: &AuthorizationRequest) -> Result<Option<String>, AuthorizationError> {
    let nobody = |why: &'static str| AuthorizationError::new(Code::LoginRequired, why);
    let Some(jwt) = request.id_token_hint.as_deref() else { return Ok(request.subject.clone()) };
    let issuer = call.site.urls.base(call.realm.code());
    let hint = read_hint(jwt, &issuer, &call.realm.oidc_keys, call.visit.now);
    let hint = hint.filter(|hint| hint.aud == request.client_id);
    let hint = hint.ok_or_else(|| nobody("id_token_hint is not an ID Token that was issued here to this client"))?;
    if request.subject.as_ref().is_some_and(|subject| *subject != hint.sub) {
        return Err(nobody("id_token_hint and claims ask for different people"));
    }
    Ok(Some(hint.sub))
}

/// Answers from the session alone, or refuses a request that allows no page. `None`: a login must begin.
async fn at_once(
    call: &Call,
    application: &Application,
    client: &OidcClient,
    stored: &Stored,
) -> Result<Option<HttpResponse>, Fault> {
    let (site, realm) = (&call.site, &call.realm);
    let wishes = stored.request.wishes();
    if stored.only_subject.is_some() || client.consent == Consent::Ask {
        let session = session::current(&site.house, realm, &call.visit, &call.browser).await?;
        if let Some(only) = &stored.only_subject
            && !is(call, client, session.as_ref(), only)
        {
            return refuse_if_silent(call, stored, Code::LoginRequired, "another person is logged in, or nobody");
        }
        // Whether somebody who must prove more would consent is asked when that is done.
        if let Some(session) = &session
            && consent::is_lacking(call, application, client, session.user, &stored.request).await?
        {
            return refuse_if_silent(call, stored, Code::ConsentRequired, "the person must be asked for consent");
        }
    }
    let new = NewCode::draw(call);
    let receipt = |proven: &Proven| new.receipt(call, &stored.request, proven);
    let asked = Asked { application: application.id, wishes: &wishes, once: None };
    match federation::from_session(&site.house, realm, &call.visit, &call.browser, asked, receipt).await? {
        Silent::Complete(proven) if !stored.request.is_satisfied_by(proven.password, proven.otp) => {
            respond::error(call, &stored.request.return_to, &respond::unmet()).map(Some)
        }
        Silent::Complete(_) => respond::code(call, &stored.request.return_to, &new).map(Some),
        Silent::Lacking(Step::Identify | Step::Password) => {
            refuse_if_silent(call, stored, Code::LoginRequired, "nobody is logged in, or not recently enough")
        }
        Silent::Lacking(_) => {
            refuse_if_silent(call, stored, Code::InteractionRequired, "the person must do something first")
        }
    }
}

/// Whether the person of the session is the one that the client knows as `only`.
fn is(call: &Call, client: &OidcClient, session: Option<&Session>, only: &str) -> bool {
    let pairwise = &call.site.house.derived.pairwise;
    session.is_some_and(|session| subject(client, call.realm.tenant(), session.user, pairwise) == only)
}

fn refuse_if_silent(
    call: &Call,
    stored: &Stored,
    code: Code,
    why: &'static str,
) -> Result<Option<HttpResponse>, Fault> {
    if !stored.request.prompt.none {
        return Ok(None);
    }
    respond::error(call, &stored.request.return_to, &AuthorizationError::new(code, why)).map(Some)
}

/// Begins a login, bound to this browser by a cookie, and sends the browser to the desk.
pub(super) async fn begin(
    call: &Call,
    request: &HttpRequest,
    application: &Application,
    wishes: Wishes,
    kept: String,
) -> Answer {
    let new = NewLogin { origin: Origin::Oidc, application: application.id, wishes, request: kept, once: None };
    logins::begin(call, request, &new).await
}
