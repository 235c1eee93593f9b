//! The authorization endpoint: a request comes in, is checked, and is answered at once or by a login.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::claims::subject;
use super::code::{self, NewCode};
use super::error::{AuthorizationError, AuthorizationErrorCode as Code, ShownError};
use super::id_token::read_hint;
use super::parameters::{ParameterError, Parameters};
use super::request::{self, AuthorizationRequest, RequestError};
use super::respond;
use crate::domain::application::{Application, Protocol};
use crate::domain::login::origin::Origin;
use crate::domain::login::step::Step;
use crate::domain::oidc_client::OidcClient;
use crate::flow::federation::{self, Asked, Proven, Silent};
use crate::flow::login::{self, NewLogin};
use crate::http::{Answer, Call, Fault, cookies, page};

/// What the door stores with a login, for the answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Stored {
    /// The request, checked.
    pub request: AuthorizationRequest,
    /// The one person whom the application will take, by the `sub` that it knows (OIDC Core 3.1.2.1, 5.5.1).
    pub only_subject: Option<String>,
}

/// `GET {base}/oidc/authorize`.
pub(super) async fn get(call: Call, request: HttpRequest) -> Answer {
    let parameters = Parameters::parse(request.query_string().as_bytes());
    authorize(call, &request, parameters).await
}

/// `POST {base}/oidc/authorize` (OIDC Core 3.1.2.1: both must be there).
pub(super) async fn post(call: Call, request: HttpRequest, body: web::Bytes) -> Answer {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return Err(Fault::NotAForm);
    }
    authorize(call, &request, Parameters::parse(&body)).await
}

async fn authorize(call: Call, request: &HttpRequest, parameters: Result<Parameters, ParameterError>) -> Answer {
    let parameters = parameters.map_err(|error| shown(&call, &error.into()))?;
    let client_id = request::client_id(&parameters).map_err(|error| shown(&call, &error))?;
    let found = client_of(&call, client_id).ok_or_else(|| shown(&call, &ShownError::ClientUnknown))?;
    let (application, client) = found;
    let checked = match request::parse(&parameters, client) {
        Ok(checked) => checked,
        Err(RequestError::Shown(error)) => return Err(shown(&call, &error)),
        Err(RequestError::SentBack { to, error }) => {
            tracing::info!(correlation = %call.visit.correlation, client_id, %error, "an authorization request is refused");
            return respond::error(&call, &to, &error);
        }
    };
    let stored = Stored { only_subject: only_subject(&call, &checked), request: checked };
    if !stored.request.prompt.login
        && !stored.request.prompt.select_account
        && let Some(answer) = at_once(&call, application, client, &stored).await?
    {
        return Ok(answer);
    }
    begin(&call, request, application, &stored).await
}

/// An error that is only shown; the reason is in the log, for whoever connects an application.
fn shown(call: &Call, error: &ShownError) -> Fault {
    tracing::info!(correlation = %call.visit.correlation, %error, "an authorization request is refused");
    Fault::shown(match error {
        ShownError::Parameters(_) | ShownError::ClientMissing | ShownError::ClientUnknown => "error-oidc-client",
        ShownError::RedirectUriMissing | ShownError::RedirectUriUnknown => "error-oidc-redirect",
    })
}

/// The application with this `client_id`.
pub(super) fn client_of<'a>(call: &'a Call, client_id: &str) -> Option<(&'a Application, &'a OidcClient)> {
    call.realm.config.applications.iter().find_map(|application| match &application.protocol {
        Protocol::Oidc(client) if client.client_id == client_id => Some((application, client.as_ref())),
        _ => None,
    })
}

/// Whom the application will take: the subject that `claims` demands, or the one of a hint that we signed.
fn only_subject(call: &Call, request: &AuthorizationRequest) -> Option<String> {
    let issuer = call.site.urls.base(call.realm.code());
    let hinted =
        request.id_token_hint.as_deref().and_then(|jwt| read_hint(jwt, &issuer, &call.realm.oidc_keys, call.visit.now));
    let hinted = hinted.filter(|hint| hint.aud == request.client_id).map(|hint| hint.sub);
    request.subject.clone().or(hinted)
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
    if wishes.choose_account {
        return Ok(None);
    }
    let new = NewCode::draw(call);
    if let Some(only) = &stored.only_subject
        && !is_logged_in(call, client, only).await?
    {
        return refuse_if_silent(call, stored, Code::LoginRequired, "another person is logged in, or nobody");
    }
    let receipt = |proven: &Proven| new.receipt(call, &stored.request, proven);
    let asked = Asked { application: application.id, wishes: &wishes, once: None };
    match federation::from_session(&site.house, realm, &call.visit, &call.browser, asked, receipt).await? {
        Silent::Complete(_) => respond::code(call, &stored.request.return_to, &new).map(Some),
        Silent::Lacking(Step::Identify | Step::Password) => {
            refuse_if_silent(call, stored, Code::LoginRequired, "nobody is logged in, or not recently enough")
        }
        Silent::Lacking(_) => {
            refuse_if_silent(call, stored, Code::InteractionRequired, "the person must do something first")
        }
    }
}

/// Whether the person of the session is the one that the client knows as `subject`.
async fn is_logged_in(call: &Call, client: &OidcClient, only: &str) -> Result<bool, Fault> {
    let session = crate::flow::session::current(&call.site.house, &call.realm, &call.visit, &call.browser).await?;
    let pairwise = &call.site.house.derived.pairwise;
    Ok(session.is_some_and(|session| subject(client, call.realm.tenant(), session.user, pairwise) == only))
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
async fn begin(call: &Call, request: &HttpRequest, application: &Application, stored: &Stored) -> Answer {
    let kept = serde_json::to_string(stored).map_err(|error| Fault::Internal(error.to_string()))?;
    let wishes = stored.request.wishes();
    let new = NewLogin { origin: Origin::Oidc, application: application.id, wishes, request: kept, once: None };
    let begun = login::begin(&call.site.house, &call.realm, &call.visit, &call.browser, &new).await?;
    let urls = &call.site.urls;
    let mut response = page::see(&urls.desk(call.realm.code(), begun.login));
    let cookie = cookies::secret(urls, cookies::Kind::Login(begun.login), &begun.cookie);
    for cookie in cookies::surplus(request, urls).into_iter().chain([cookie]) {
        response.add_cookie(&cookie).map_err(|error| Fault::Internal(error.to_string()))?;
    }
    Ok(response)
}

/// What of a code is remembered, for the token endpoint.
pub(super) use code::Details;
