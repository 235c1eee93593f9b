//! Delivers an answer to the application: by a redirect, or by a form that the browser posts.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};

use super::answer::{Answer, ReturnAddress};
use super::authorize::{Stored, shown};
use super::claims::subject;
use super::code::NewCode;
use super::error::{AuthorizationError, AuthorizationErrorCode as Code, ShownError};
use super::{consent, device};
use crate::domain::application::{Application, Protocol};
use crate::domain::ids::LoginId;
use crate::domain::login::origin::Origin;
use crate::domain::login::outcome::{Ending, Unanswered};
use crate::domain::login::step::{Step, counted};
use crate::domain::oidc_client::OidcClient;
use crate::domain::secret::ExposeSecret as _;
use crate::flow::case::{self, Case};
use crate::flow::federation::{self, Proven, Receipt};
use crate::http::post::{self, Content, Field};
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
            let fields = fields.into_iter().map(|(name, value)| Field { name, value: Content::Text(value) }).collect();
            post::page(call, action, fields)
        }
    }
}

/// An answer that follows on forms of ours. Chromium and WebKit hold every redirect that the application makes behind its
/// address against the policy of the page with the form, which names the application's own addresses and no others (T-22): an
/// application that leads on to another host would leave the person on our last page. A page in between begins anew. Programs
/// on the person's own device, and pages that keep no secret, get their answer at once: what opens them by an address wants the
/// person's touch behind it, and they lead on nowhere.
fn behind_forms(call: &Call, client: Option<&OidcClient>, title: &str, answer: Answer) -> http::Answer {
    match answer {
        Answer::Redirect(to) if to.starts_with("https://") && client.is_some_and(|client| !client.is_public()) => {
            post::passage(call, (title, "post-text"), &to)
        }
        answer => deliver(call, answer),
    }
}

/// As [`error`], behind forms of ours.
fn late_error(
    call: &Call,
    client: Option<&OidcClient>,
    to: &ReturnAddress,
    error: &AuthorizationError,
) -> http::Answer {
    let issuer = call.site.urls.base(call.realm.code());
    behind_forms(call, client, "post-back-title", to.error(&issuer, error))
}

/// The login with this identifier, if it is this door's and this browser's, and what was asked for.
pub(super) async fn login_of(call: &Call, id: LoginId) -> Result<(Case, Stored), Fault> {
    let case = case::look(&call.site.house, &call.realm, &call.visit, &call.browser, id).await?;
    let stored = stored_of(&case)?;
    Ok((case, stored))
}

fn stored_of(case: &Case) -> Result<Stored, Fault> {
    if case.login().origin != Origin::Oidc {
        return Err(Fault::NotThisBrowser);
    }
    serde_json::from_str(&case.login().request)
        .map_err(|error| Fault::Internal(format!("a stored request does not read: {error}")))
}

/// The application of a login, and its side of the protocol.
pub(super) fn application_of(case: &Case) -> Option<(&Application, &OidcClient)> {
    let application = case.application.as_ref()?;
    match &application.protocol {
        Protocol::Oidc(client) => Some((application, client)),
        _ => None,
    }
}

/// Whether the address is still the application's. Nothing is sent to one that an operator took away while the person logged in
/// (R-514, ASVS 8.3.2).
///
/// # Errors
/// The page that says so.
pub(super) fn leads_back(call: &Call, client: &OidcClient, to: &ReturnAddress) -> Result<(), Fault> {
    match client.redirect_uri(to.redirect_uri()) {
        Some(_) => Ok(()),
        None => Err(shown(call, &ShownError::RedirectUriUnknown)),
    }
}

/// `GET {base}/oidc/resume/{login}`: the end of a login; the desk sends browsers here.
pub(super) async fn resume(mut call: Call, path: web::Path<(String, LoginId)>) -> http::Answer {
    let id = path.into_inner().1;
    let case = case::look(&call.site.house, &call.realm, &call.visit, &call.browser, id).await?;
    if let Some(response) = device::resume(&mut call, &case).await? {
        return Ok(response);
    }
    let stored = stored_of(&case)?;
    if let Some((_, client)) = application_of(&case) {
        leads_back(&call, client, &stored.request.return_to)?;
    }
    match case.step {
        Step::Granted => {
            // Deactivated or removed since, it gets nothing any more, and the desk would send the browser back here.
            let (Some(user), Some((application, client))) = (case.user(), application_of(&case)) else {
                return Err(Fault::shown("error-oidc-client"));
            };
            // Whoever the application does not want, or not with these proofs, is not asked what it may learn.
            let wanted = is_wanted(&call, &case, &stored) && is_enough(&call, &case, &stored);
            if wanted && consent::is_lacking(&call, application, client, user, &stored.request).await? {
                call.speak_for(&case);
                return consent::page(&call, &case, client, &stored.request);
            }
            call.speak_for(&case);
            finish(&call, id, &case, &stored).await
        }
        Step::Ended(ending) => {
            let why = match ending {
                Ending::Cancelled => "the person cancelled the login",
                Ending::TooManyCodes => "too many wrong codes",
                Ending::AccountChanged => "the account changed during the login",
                Ending::Refused(_) | Ending::Enrolled => "the person has no access",
            };
            // Deactivated or removed since, it hears nothing any more: nobody has looked whether the address is still its own.
            let Some((_, client)) = application_of(&case) else { return Err(Fault::shown("error-oidc-client")) };
            call.speak_for(&case);
            let error = AuthorizationError::new(Code::AccessDenied, why);
            let response = late_error(&call, Some(client), &stored.request.return_to, &error)?;
            done(&call, id, response)
        }
        _ => Ok(page::see(&desk_path(call.realm.code(), id))),
    }
}

/// The answer, and with it the end of the login's cookie.
fn done(call: &Call, id: LoginId, mut response: HttpResponse) -> http::Answer {
    let gone = cookies::gone(&call.site.urls, cookies::Kind::Login(id));
    response.add_cookie(&gone).map_err(|error| Fault::Internal(error.to_string()))?;
    Ok(response)
}

/// Gives out the code of a granted login; to the desk, if another request was faster.
pub(super) async fn finish(call: &Call, id: LoginId, case: &Case, stored: &Stored) -> http::Answer {
    let new = NewCode::draw(call);
    let wanted = is_wanted(call, case, stored);
    let refused = Receipt::Refused(Unanswered::AnotherPerson);
    let receipt = |proven: &Proven| if wanted { new.receipt(call, &stored.request, proven) } else { refused.clone() };
    let Some(proven) = answered(call, id, receipt).await? else {
        return Ok(page::see(&desk_path(call.realm.code(), id)));
    };
    let client = application_of(case).map(|(_, client)| client);
    let to = &stored.request.return_to;
    let response = if !wanted {
        let why = "another person logged in than the application asked for";
        late_error(call, client, to, &AuthorizationError::new(Code::LoginRequired, why))?
    } else if stored.request.is_satisfied_by(proven.password, proven.otp) {
        let answer = to.code(&call.site.urls.base(call.realm.code()), new.code.expose_secret());
        behind_forms(call, client, "post-title", answer)?
    } else {
        late_error(call, client, to, &unmet())?
    };
    done(call, id, response)
}

/// The error where what was proven does not satisfy an essential `acr` (OIDC Core 5.5.1.1).
pub(super) fn unmet() -> AuthorizationError {
    let why = "what was proven is none of the essential acr values";
    AuthorizationError::new(Code::UnmetAuthenticationRequirements, why)
}

/// Answers a granted login with the person's no.
pub(super) async fn denied(call: &Call, id: LoginId, case: &Case, stored: &Stored) -> http::Answer {
    if answered(call, id, |_| Receipt::Refused(Unanswered::Declined)).await?.is_none() {
        return Ok(page::see(&desk_path(call.realm.code(), id)));
    }
    let why = "the person does not want the application to learn this";
    let client = application_of(case).map(|(_, client)| client);
    let error = AuthorizationError::new(Code::AccessDenied, why);
    let response = late_error(call, client, &stored.request.return_to, &error)?;
    done(call, id, response)
}

/// Takes a granted login for its one answer, and gives what was proven in it. `None` if another request was faster.
async fn answered(call: &Call, id: LoginId, receipt: impl Fn(&Proven) -> Receipt) -> Result<Option<Proven>, Fault> {
    let (site, realm) = (&call.site, &call.realm);
    let asked = (Origin::Oidc, id);
    let receipt = |proven: &Proven, _: &str| receipt(proven);
    match federation::from_login(&site.house, realm, &call.visit, &call.browser, asked, receipt).await {
        Ok((proven, _)) => Ok(Some(proven)),
        Err(crate::flow::Error::WrongMoment) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the person is the one that the application asked for, if it asked for one (OIDC Core 3.1.2.1).
fn is_wanted(call: &Call, case: &Case, stored: &Stored) -> bool {
    let Some(only) = &stored.only_subject else { return true };
    let (Some(user), Some((_, client))) = (case.user(), application_of(case)) else { return false };
    subject(client, call.realm.tenant(), user, &call.site.house.derived.pairwise) == *only
}

/// Whether what was proven is what the application insists on.
fn is_enough(call: &Call, case: &Case, stored: &Stored) -> bool {
    let evidence = counted(case.login(), case.evidence, call.visit.now);
    stored.request.is_satisfied_by(evidence.password.is_some(), evidence.otp.is_some())
}
