//! Delivers an answer to the application: by a redirect, or by a form that the browser posts.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};

use super::answer::{Answer, ReturnAddress};
use super::authorize::Stored;
use super::claims::subject;
use super::code::NewCode;
use super::error::{AuthorizationError, AuthorizationErrorCode as Code};
use crate::domain::application::Protocol;
use crate::domain::ids::LoginId;
use crate::domain::login::origin::Origin;
use crate::domain::login::outcome::Ending;
use crate::domain::login::step::Step;
use crate::domain::secret::ExposeSecret as _;
use crate::flow::case::{self, Case};
use crate::flow::federation::{self, Proven, Receipt};
use crate::http::post::{self, Field};
use crate::http::{self, Call, Fault, cookies, page};
use crate::urls::desk_path;

/// The answer that carries a code.
pub(super) fn code(call: &Call, to: &ReturnAddress, new: &NewCode) -> http::Answer {
    deliver(call, to.code(&call.site.urls.base(call.realm.code()), new.code.expose_secret()))
}

/// The answer that carries an error.
pub(super) fn error(call: &Call, to: &ReturnAddress, error: &AuthorizationError) -> http::Answer {
    deliver(call, to.error(&call.site.urls.base(call.realm.code()), error))
}

fn deliver(call: &Call, answer: Answer) -> http::Answer {
    match answer {
        Answer::Redirect(location) => Ok(HttpResponse::SeeOther().insert_header((LOCATION, location)).finish()),
        Answer::Form { action, fields } => {
            let fields = fields.into_iter().map(|(name, value)| Field { name, value }).collect();
            post::page(call, action, fields)
        }
    }
}

/// `GET {base}/oidc/resume/{login}`: the end of a login; the desk sends browsers here.
pub(super) async fn resume(call: Call, path: web::Path<(String, LoginId)>) -> http::Answer {
    let id = path.into_inner().1;
    let (site, realm) = (&call.site, &call.realm);
    let case = case::look(&site.house, realm, &call.visit, &call.browser, id).await?;
    if case.login().origin != Origin::Oidc {
        return Err(Fault::NotThisBrowser);
    }
    let stored: Stored = serde_json::from_str(&case.login().request)
        .map_err(|error| Fault::Internal(format!("a stored request does not read: {error}")))?;
    let mut response = match case.step {
        Step::Granted => match granted(&call, id, &case, &stored).await? {
            Some(response) => response,
            None => return Ok(page::see(&desk_path(realm.code(), id))),
        },
        Step::Ended(ending) => {
            let why = match ending {
                Ending::Cancelled => "the person cancelled the login",
                Ending::TooManyCodes => "too many wrong codes",
                Ending::AccountChanged => "the account changed during the login",
                Ending::Refused(_) => "the person has no access",
            };
            error(&call, &stored.request.return_to, &AuthorizationError::new(Code::AccessDenied, why))?
        }
        _ => return Ok(page::see(&desk_path(realm.code(), id))),
    };
    let gone = cookies::gone(&site.urls, cookies::Kind::Login(id));
    response.add_cookie(&gone).map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(response)
}

/// Gives out the code of a granted login; `None` if another request was faster.
async fn granted(call: &Call, id: LoginId, case: &Case, stored: &Stored) -> Result<Option<HttpResponse>, Fault> {
    let (site, realm) = (&call.site, &call.realm);
    let new = NewCode::draw(call);
    let wanted = is_wanted(call, case, stored);
    let receipt = |proven: &Proven, _: &str| {
        if wanted { new.receipt(call, &stored.request, proven) } else { Receipt::Nothing }
    };
    let asked = (Origin::Oidc, id);
    match federation::from_login(&site.house, realm, &call.visit, &call.browser, asked, receipt).await {
        Ok(_) if wanted => code(call, &stored.request.return_to, &new).map(Some),
        Ok(_) => {
            let why = "another person logged in than the application asked for";
            error(call, &stored.request.return_to, &AuthorizationError::new(Code::LoginRequired, why)).map(Some)
        }
        Err(crate::flow::Error::WrongMoment) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the person is the one that the application asked for, if it asked for one (OIDC Core 3.1.2.1).
fn is_wanted(call: &Call, case: &Case, stored: &Stored) -> bool {
    let Some(only) = &stored.only_subject else { return true };
    let (Some(user), Some(application)) = (case.user(), &case.application) else { return false };
    let Protocol::Oidc(client) = &application.protocol else { return false };
    subject(client, call.realm.tenant(), user, &call.site.house.derived.pairwise) == *only
}
