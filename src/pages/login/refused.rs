//! U8, U17 to U19 and the ends: no access, and the way on.

use actix_web::HttpResponse;
use askama::Template;

use super::recovery::{self, RECOVER, gate_text};
use super::view::Login;
use crate::domain::login::origin::Origin;
use crate::domain::login::outcome::{Ending, Refusal};
use crate::domain::login::step::Step;
use crate::flow::case::Case;
use crate::http::page::Frame;
use crate::http::{Call, Fault, page};

#[derive(Template)]
#[template(path = "login/refused.html")]
struct Page {
    frame: Frame,
    login: Login,
    text: &'static str,
    /// Only the help desk helps.
    gate: bool,
    /// The page's address for people without their authenticator; empty where there is none.
    recover: String,
    /// Only an authenticator is lacking, and it may wait.
    later: bool,
    can_leave: bool,
    can_switch: bool,
    start_again: String,
}

/// Whether the door that asked answers now: granted, cancelled or refused. Ends that the person must read
/// first are shown.
pub fn passes_on(case: &Case) -> bool {
    match case.step {
        Step::Granted => true,
        Step::Ended(Ending::Cancelled | Ending::Refused(_)) => true,
        Step::Ended(Ending::AccountChanged) => matches!(case.login().stage, crate::domain::login::Stage::Ended(_)),
        _ => false,
    }
}

/// The page.
pub async fn page(call: &Call, case: &Case) -> Result<HttpResponse, Fault> {
    let (title, text) = keys(case.step);
    let open = matches!(case.step, Step::Refused(_) | Step::Ended(Ending::AccountChanged));
    let launch = case.application.as_ref().and_then(|application| application.launch_url.clone());
    let portal = call.site.urls.portal(call.realm.code());
    let login = Login::of(call, case, title, 0, None);
    let recover = if recovery::is_open(call, case).await? { format!("{}{RECOVER}", login.desk) } else { String::new() };
    page::page(&Page {
        frame: login.frame.clone(),
        login,
        text,
        gate: matches!(case.step, Step::Refused(Refusal::NotOffered(refusal)) if refusal.is_a_gate()),
        recover,
        later: matches!(case.step, Step::Refused(Refusal::NotOffered(_))),
        can_leave: open && case.login().origin != Origin::Portal,
        can_switch: matches!(case.step, Step::Refused(_)),
        start_again: launch.unwrap_or(portal),
    })
}

const fn keys(step: Step) -> (&'static str, &'static str) {
    match step {
        Step::Refused(refusal) => match refusal {
            Refusal::Denied => ("denied-title", "denied-text"),
            Refusal::Unassigned => ("denied-title", "unassigned-text"),
            Refusal::Disabled => ("denied-title", "disabled-text"),
            Refusal::Locked => ("locked-title", "locked-text"),
            Refusal::LockedByOperator => ("locked-title", "locked-operator-text"),
            Refusal::AuthenticatorsBlocked => ("blocked-title", "blocked-text"),
            Refusal::NotOffered(refusal) => ("not-offered-title", gate_text(refusal)),
        },
        Step::Ended(Ending::TooManyCodes) => ("ended-title", "too-many-codes-text"),
        Step::Ended(Ending::AccountChanged) => ("ended-title", "account-changed-text"),
        Step::Answered => ("answered-title", "answered-text"),
        _ => ("expired-title", "expired-text"),
    }
}
