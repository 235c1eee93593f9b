//! What all pages of a login have in common: the frame, the complaint, the way back to the desk.

use actix_web::HttpResponse;

use crate::domain::application::{Application, Protocol};
use crate::domain::authenticator::pin::Rule;
use crate::domain::ids::LoginId;
use crate::domain::login::complaint::Complaint;
use crate::domain::login::step::Step;
use crate::domain::policy::staging::{Later, Turn};
use crate::domain::secret::SecretString;
use crate::domain::timestamp::Timestamp;
use crate::flow::case::{self, Case};
use crate::flow::{self, Posted};
use crate::http::page::{self, Frame};
use crate::http::{Answer, Call, Fault, Form, cookies, form};
use crate::i18n::Value;
use crate::urls::desk_path;

/// A page of a login: its frame and what its forms need.
#[derive(Debug)]
pub struct Login {
    /// The frame.
    pub frame: Frame,
    /// The desk's path; forms post to paths below it.
    pub desk: String,
    /// What was wrong with what was entered, in words; empty if nothing was.
    pub complaint: String,
    /// Whether the field is marked with it.
    pub wrong: bool,
    /// What is to be reached.
    pub application: String,
    /// Who logs in, once named.
    pub username: String,
    /// Whether a passcode is asked for of an authenticator that was added elsewhere while this page waited for one.
    pub meanwhile: bool,
    /// The step that the person is at, from 1; 0 on pages that are no step of an enrollment.
    pub step: u64,
    /// Seconds until the page is too old.
    pub seconds_left: u64,
    /// Where an authenticator is asked for in a wave that lets people put it off: how long they may.
    pub later: Option<page::Marked>,
    /// Where a mail began it: the greeting with the stop date (U22).
    pub greeting: Option<page::Marked>,
}

/// How many steps an enrollment has on the page: mailbox, platform, activation, passcode.
const STEPS: u64 = 4;

impl Login {
    /// The page of `case`, titled by the text `title`.
    pub fn of(call: &Call, case: &Case, title: &str, step: u64, complaint: Option<Complaint>) -> Self {
        let id = case.login().id;
        let frame = Frame::of(call, title).with_csrf(token(call, id));
        Self {
            complaint: complaint.map(|complaint| words(call, complaint)).unwrap_or_default(),
            wrong: complaint.is_some_and(Complaint::is_of_the_field),
            desk: desk_path(call.realm.code(), id),
            application: case.application_name().to_owned(),
            username: case.login().named.clone().unwrap_or_default(),
            meanwhile: case.step == Step::Passcode && case.enrolled_elsewhere(),
            step,
            later: later(&frame, case),
            greeting: greeting(&frame, case),
            seconds_left: case.login().expires_at.min(case.login().absolute_expires_at).since(call.visit.now).as_secs(),
            frame: frame.at(desk_path(call.realm.code(), id)),
        }
    }

    /// "Step 2 of 4"; nothing on pages that are no step of an enrollment.
    pub fn progress(&self) -> Option<page::Marked> {
        (self.step > 0).then(|| self.frame.v2("step-of", ("step", &self.step), ("steps", &STEPS)))
    }

    /// The steps, for the picture of them.
    pub fn steps(&self) -> std::ops::RangeInclusive<u64> {
        1..=STEPS
    }
}

/// What is said beside the button with which the person puts it off.
fn later(frame: &Frame, case: &Case) -> Option<page::Marked> {
    let Turn::Asked { later: Some(Later { left, until }), .. } = case.turn else { return None };
    Some(match (left.map(u64::from), until.map(|until| time(frame, until))) {
        (Some(left), Some(time)) => frame.v2("later-number-and-date", ("left", &left), ("time", &time)),
        (Some(left), None) => frame.v("later-number", "left", left),
        (None, Some(time)) => frame.v("later-date", "time", time.as_str()),
        (None, None) => return None,
    })
}

/// The greeting of a person who followed a link from a mail, with the stop date of the task (U22, R-186).
fn greeting(frame: &Frame, case: &Case) -> Option<page::Marked> {
    let (place, member) = (case.reservation.as_ref()?, case.member.as_ref()?);
    let time = time(frame, place.stop_at);
    Some(frame.v2("enroll-greeting", ("name", &member.user.display_name()), ("time", &time)))
}

/// A time as people read it, with its zone.
pub fn time(frame: &Frame, at: Timestamp) -> String {
    let text = at.rfc3339();
    let (day, rest) = text.split_once('T').unwrap_or((&text, ""));
    let clock: String = rest.chars().take(5).collect();
    let values = [("day", Value::from(day)), ("time", Value::from(clock))];
    frame.texts().plain(frame.language, "mail-time", &values)
}

/// The hidden field of the forms of a login.
pub fn token(call: &Call, id: LoginId) -> String {
    form::token(&call.site, &[b"login", &call.realm.tenant().to_bytes(), &id.to_bytes()])
}

/// Checks that a form is one of this login's pages.
pub fn check(call: &Call, form: &Form, id: LoginId) -> Result<(), Fault> {
    form.check(&call.site, &[b"login", &call.realm.tenant().to_bytes(), &id.to_bytes()])
}

/// The login as it is now, and the language that follows from it.
pub async fn look(call: &mut Call, id: LoginId) -> Result<Case, Fault> {
    let case = case::look(&call.site.house, &call.realm, &call.visit, &call.browser, id).await?;
    call.speak_for(&case);
    Ok(case)
}

/// "See the desk", with the cookies that changed.
pub fn to_desk(call: &Call, id: LoginId) -> HttpResponse {
    page::see(&desk_path(call.realm.code(), id))
}

/// What to answer to a form: the desk, or the same page with the complaint.
pub async fn answer(call: &mut Call, id: LoginId, posted: flow::Result<Posted>) -> Answer {
    let posted = match posted {
        Ok(posted) => posted,
        Err(flow::Error::WrongMoment) => return Ok(to_desk(call, id)),
        Err(error) => return Err(error.into()),
    };
    let Some(complaint) = posted.complaint else {
        return with_cookie(call, id, posted.login_cookie.as_ref(), to_desk(call, id));
    };
    let case = look(call, id).await?;
    super::desk::page_of(call, &case, Some(complaint)).await
}

/// The response, with the login's new cookie if there is one.
pub fn with_cookie(call: &Call, id: LoginId, cookie: Option<&SecretString>, mut response: HttpResponse) -> Answer {
    if let Some(cookie) = cookie {
        let cookie = cookies::secret(&call.site.urls, cookies::Kind::Login(id), cookie);
        response.add_cookie(&cookie).map_err(|error| Fault::Internal(error.to_string()))?;
    }
    Ok(response)
}

/// The desk after something that has no complaint.
pub fn done(call: &Call, id: LoginId, result: flow::Result<()>) -> Answer {
    match result {
        Ok(()) | Err(flow::Error::WrongMoment) => Ok(to_desk(call, id)),
        Err(error) => Err(error.into()),
    }
}

/// A complaint in words (part D1).
pub fn words(call: &Call, complaint: Complaint) -> String {
    let (key, value) = match complaint {
        Complaint::PinRules(broken) => {
            let rules: Vec<String> = broken.rules().map(|rule| rule_words(call, rule)).collect();
            return rules.join(" ");
        }
        Complaint::PinMissing => ("complaint-pin-missing", None),
        Complaint::PinMismatch => ("complaint-pin-mismatch", None),
        Complaint::NameEmpty => ("complaint-name-empty", None),
        Complaint::PasswordWrong => ("complaint-password-wrong", None),
        Complaint::Wait { seconds } if seconds > 90 => {
            ("complaint-wait-minutes", Some(("minutes", seconds.div_ceil(60))))
        }
        Complaint::Wait { seconds } => ("complaint-wait", Some(("seconds", seconds))),
        Complaint::PasscodeWrong => ("complaint-passcode-wrong", None),
        Complaint::PasscodeEmpty => ("complaint-passcode-empty", None),
        Complaint::PasscodeLength { expected } => ("complaint-passcode-length", Some(("digits", expected.into()))),
        Complaint::PasscodeNext => ("complaint-passcode-next", None),
        Complaint::ClockOff { minutes, ahead } => {
            let hours = minutes >= 120;
            let key = match (ahead, hours) {
                (true, true) => "complaint-clock-ahead-hours",
                (true, false) => "complaint-clock-ahead",
                (false, true) => "complaint-clock-behind-hours",
                (false, false) => "complaint-clock-behind",
            };
            (key, Some(if hours { ("hours", (minutes + 30) / 60) } else { ("minutes", minutes) }))
        }
        Complaint::ResponseEmpty => ("complaint-response-empty", None),
        Complaint::ResponseWrong => ("complaint-response-wrong", None),
        Complaint::ChallengeExpired => ("complaint-challenge-expired", None),
        Complaint::ChallengeLimit => ("complaint-challenge-limit", None),
        Complaint::CodeWrong { left } => ("complaint-code-wrong", Some(("left", left.into()))),
        Complaint::CodeEmpty => ("complaint-code-empty", None),
        Complaint::CodeExpired => ("complaint-code-expired", None),
        Complaint::CodeCooldown { seconds } => ("complaint-code-cooldown", Some(("seconds", seconds))),
        Complaint::RecoveryCodeWrong => ("complaint-recovery-wrong", None),
        Complaint::RecoveryCodeEmpty => ("complaint-recovery-empty", None),
        Complaint::PlatformNotAllowed => ("complaint-platform", None),
        Complaint::StillWaiting => ("complaint-still-waiting", None),
    };
    let values: Vec<(&'static str, Value)> =
        value.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
    call.texts().plain(call.language, key, &values)
}

/// The rules that a new server-side PIN must keep, in words.
pub fn pin_rules(call: &Call) -> Vec<String> {
    let rules = call.realm.config.settings.server_side_pin.rules();
    rules.all().into_iter().map(|rule| rule_words(call, rule)).collect()
}

/// A rule for PINs in words.
fn rule_words(call: &Call, rule: Rule) -> String {
    let (key, value) = match rule {
        Rule::Characters => ("pin-rule-characters", None),
        Rule::AtLeast(least) => ("pin-rule-least", Some(least)),
        Rule::AtMost(most) => ("pin-rule-most", Some(most)),
        Rule::NotTrivial => ("pin-rule-trivial", None),
        Rule::LetterAndDigit => ("pin-rule-letter-digit", None),
        Rule::Strong => ("pin-rule-strong", None),
        Rule::NotUsedBefore => ("pin-rule-new", None),
    };
    let values: Vec<(&'static str, Value)> =
        value.into_iter().map(|value| ("digits", Value::from(u64::from(value)))).collect();
    call.texts().plain(call.language, key, &values)
}

/// Where the redirects after a form of this login may lead: the application's return addresses. Browsers hold
/// the whole chain of redirects against the page's policy.
pub fn form_targets(application: Option<&Application>) -> Vec<String> {
    let Some(application) = application else { return Vec::new() };
    let addresses: Vec<String> = match &application.protocol {
        Protocol::Oidc(client) => client.redirect_uris.iter().map(ToString::to_string).collect(),
        Protocol::Saml(_) | Protocol::Portal | Protocol::Console => Vec::new(),
    };
    let mut targets: Vec<String> = addresses.iter().filter_map(|address| page::policy_source(address)).collect();
    targets.sort();
    targets.dedup();
    targets
}
