//! The desk: one exhaustive match on what is lacking.

use actix_web::web;

use super::view::{self, form_targets};
use super::{
    activation, addition, challenge, email, mailed, new_pin, offer, password, platform, recovery, refused,
    second_factor, username,
};
use crate::domain::ids::LoginId;
use crate::domain::login::complaint::Complaint;
use crate::domain::login::step::Step;
use crate::flow::case::Case;
use crate::flow::challenge::was_last;
use crate::flow::{self, login};
use crate::http::{Answer, Call, Fault, Form, cookies, page};
use crate::i18n::Language;

/// What the language selector asks for.
#[derive(Debug, serde::Deserialize)]
pub struct Choice {
    language: Option<String>,
    /// Another mailed code was asked for, see [`email::AGAIN`].
    again: Option<String>,
    /// The person does not have the authenticator at hand, see [`recovery::RECOVER`].
    recover: Option<String>,
    /// Which of two ways, see [`challenge::WITH`].
    with: Option<String>,
}

/// `GET /t/{tenant}/login/{login}`: shows what is lacking, or passes on to the door that asked.
pub async fn show(mut call: Call, path: web::Path<(String, LoginId)>, choice: web::Query<Choice>) -> Answer {
    let id = path.into_inner().1;
    if let Some(language) = choice.language.as_deref().and_then(Language::of_tag) {
        login::set_language(&call.site.house, &call.realm, &call.visit, &call.browser, id, language.tag()).await?;
        return Ok(view::to_desk(&call, id));
    }
    let mut case = view::look(&mut call, id).await?;
    if flow::rollout::is_due(&case) {
        // The day's places are counted exactly: whoever gets none goes on as before.
        flow::rollout::admit(&call.site.house, &call.realm, &call.visit, &call.browser, id).await?;
        case = view::look(&mut call, id).await?;
    }
    flow::rollout::tell_asked(&call.site.house, &call.realm, &call.visit, &case, call.language.tag()).await?;
    let again = login::cookie_again(&call.site.house, &call.realm, &call.visit, &case).await?;
    let response = asked(&call, &case, &choice).await?;
    view::with_cookie(&call, id, again.as_ref(), response)
}

/// The page that the address asks for, if it is one of the step that the login is at; the page of the step otherwise.
async fn asked(call: &Call, case: &Case, choice: &Choice) -> Answer {
    if choice.again.is_some() && case.step == Step::EmailCode {
        return email::page(call, case, None, true).await;
    }
    if choice.recover.is_some() && recovery::is_open(call, case).await? {
        let response = recovery::page(call, case, None)?;
        return Ok(page::leading_to(response, form_targets(case.application.as_ref())));
    }
    let way = choice.with.as_deref();
    let challenged = way == Some(challenge::WITH) || way.is_none() && was_last(case);
    if challenged && case.step == Step::Passcode {
        let response = challenge::page(call, case, None).await?;
        return Ok(page::leading_to(response, form_targets(case.application.as_ref())));
    }
    page_of(call, case, None).await
}

/// The page of the step that the login is at.
pub async fn page_of(call: &Call, case: &Case, complaint: Option<Complaint>) -> Answer {
    if let Some(place) = &case.reservation
        && mailed::is_an_end(case.step)
    {
        return mailed::page(call, case, place).await;
    }
    let response = match case.step {
        Step::Identify => username::page(call, case, complaint)?,
        Step::Password => password::page(call, case, complaint)?,
        Step::Passcode => second_factor::page(call, case, complaint, None).await?,
        Step::NewPin(due) => new_pin::page(call, case, due, complaint)?,
        Step::FirstPasscode(platform) => second_factor::page(call, case, complaint, Some(platform)).await?,
        Step::Offer => offer::page(call, case, complaint).await?,
        Step::Pass(gate) => {
            flow::recovery::tell_withheld(&call.site.house, &call.realm, &call.visit, case).await?;
            recovery::gate_page(call, case, gate, complaint)?
        }
        Step::Addition(why) => addition::page(call, case, why, complaint)?,
        Step::EmailCode => email::page(call, case, complaint, false).await?,
        Step::ChoosePlatform => platform::page(call, case, complaint)?,
        Step::Install(platform) => activation::install_page(call, case, platform, complaint)?,
        Step::Activate(platform) => activation::page(call, case, platform, complaint).await?,
        Step::RecoveryCodes => recovery::codes_page(call, case).await?,
        Step::Complete => return complete(call, case).await,
        Step::Granted | Step::Ended(_) if refused::passes_on(case) => return Ok(on_to_the_door(call, case)),
        Step::Refused(_) | Step::LinkClosed(_) | Step::Expired | Step::Ended(_) | Step::Answered | Step::Granted => {
            flow::recovery::tell_withheld(&call.site.house, &call.realm, &call.visit, case).await?;
            refused::page(call, case).await?
        }
    };
    Ok(page::leading_to(response, form_targets(case.application.as_ref())))
}

/// Completes the login and passes on. Another tab may be faster; then the desk shows what became of it.
async fn complete(call: &Call, case: &Case) -> Answer {
    let id = case.login().id;
    let completed = match login::complete(&call.site.house, &call.realm, &call.visit, &call.browser, id).await {
        Ok(completed) => completed,
        Err(flow::Error::WrongMoment) => return Ok(view::to_desk(call, id)),
        Err(error) => return Err(error.into()),
    };
    let mut response = on_to_the_door(call, case);
    let code = call.realm.code();
    for (kind, value) in
        [(cookies::Kind::Session(code), &completed.session), (cookies::Kind::Known(code), &completed.known)]
    {
        let cookie = cookies::secret(&call.site.urls, kind, value);
        response.add_cookie(&cookie).map_err(|error| Fault::Internal(error.to_string()))?;
    }
    Ok(response)
}

fn on_to_the_door(call: &Call, case: &Case) -> actix_web::HttpResponse {
    page::see(&call.site.urls.resume(case.login().origin, call.realm.code(), case.login().id))
}

/// `POST …/extend`: more time.
pub async fn extend(call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let result = login::extend(&call.site.house, &call.realm, &call.visit, &call.browser, id).await;
    view::done(&call, id, result)
}

/// `POST …/cancel`: ends the login without access.
pub async fn cancel(call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let result = login::leave(&call.site.house, &call.realm, &call.visit, &call.browser, id).await;
    view::done(&call, id, result)
}
