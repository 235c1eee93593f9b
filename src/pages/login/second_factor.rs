//! U4 and U16: the passcode, of an authenticator that exists or the first one of a new authenticator.

use actix_web::{HttpResponse, web};
use askama::Template;

use super::view::{self, Login};
use super::{challenge, recovery};
use crate::domain::authenticator::server_pin::Order;
use crate::domain::authenticator::template::{PinType, TokenTemplate};
use crate::domain::ids::{LoginId, of};
use crate::domain::login::complaint::Complaint;
use crate::domain::policy::platform::Platform;
use crate::domain::secret::ExposeSecret as _;
use crate::flow::case::Case;
use crate::flow::challenge::{Ways, answers, ways};
use crate::flow::second_factor::{self, Entered};
use crate::flow::server_pin;
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, page};
use crate::storage::enrollments;
use crate::storage::tokens::{State, Token};

#[derive(Template)]
#[template(path = "login/second_factor.html")]
struct Page {
    frame: Frame,
    login: Login,
    name: String,
    /// Where there are several: their names, and the key of the text of their state. Any passcode of an active one
    /// will do, so nothing need be chosen first.
    several: Vec<(String, String)>,
    first: bool,
    pin: Beside,
    /// Whether there is a way without the authenticator.
    recover: bool,
    /// Makes this page one of its own: sent twice, it is one attempt.
    nonce: String,
    /// Whether another authenticator answers a challenge.
    or_challenge: bool,
    /// Whether passcodes are digits, so that phones show the keys for them.
    digits: bool,
}

/// The PIN that is typed beside the passcode, as the page tells of it.
#[derive(Debug, Default)]
pub struct Beside {
    /// The key of the label of the one field for both; empty if no PIN is typed here.
    pub label: &'static str,
    /// The key of the words that say where the PIN goes.
    pub hint: &'static str,
    /// The initial PIN, on the last page of an enrollment only.
    pub initial: String,
    /// Whether it must be changed in the next step.
    pub change: bool,
    /// Whether it was just changed.
    pub changed: bool,
}

impl Beside {
    /// No PIN, as far as one can tell.
    pub fn is_none(&self) -> bool {
        self.label.is_empty()
    }

    /// The one that a new authenticator begins with.
    pub async fn of_enrollment(call: &Call, case: &Case) -> Result<Self, Fault> {
        let Some(pin) = server_pin::shown(&call.site.house, &call.realm, case).await? else {
            return Ok(Self::default());
        };
        let change = call.realm.config.settings.server_side_pin.change_on_first_use;
        Ok(Self { initial: pin.expose_secret().to_owned(), change, ..Self::at(call, true) })
    }

    /// The one of the authenticators that there are. Before anything is proven nothing is said about somebody's own: then
    /// the virtual server's templates tell whether there may be one.
    fn of_login(call: &Call, case: &Case) -> Self {
        let has_pin = |template: &TokenTemplate| template.pin_type == PinType::ServerSide;
        let templates = &call.realm.config.settings.token_templates;
        let common = has_pin(&templates.app) || has_pin(&templates.oath_app);
        if case.evidence.password.is_none() {
            return if common { Self::at(call, false) } else { Self::default() };
        }
        let shows = |token: &&Token| token.state == State::Active && !answers(&token.template);
        let active = case.tokens.iter().filter(shows);
        let with = active.clone().filter(|token| has_pin(&token.template)).count();
        let beside = match active.count() {
            _ if with == 0 => Self::default(),
            all => Self::at(call, all == with),
        };
        Self { changed: case.evidence.old_pin.is_some(), ..beside }
    }

    fn at(call: &Call, certain: bool) -> Self {
        let (label, sure, perhaps) = match call.realm.config.settings.server_side_pin.order {
            Order::Prepend => ("pin-label-before", "pin-hint-before", "pin-hint-some-before"),
            Order::Append => ("pin-label-after", "pin-hint-after", "pin-hint-some-after"),
        };
        let label = if certain { label } else { "passcode-label" };
        Self { label, hint: if certain { sure } else { perhaps }, ..Self::default() }
    }
}

/// The page. After an enrollment it says that the authenticator is connected.
pub async fn page(
    call: &Call,
    case: &Case,
    complaint: Option<Complaint>,
    first: Option<Platform>,
) -> Result<HttpResponse, Fault> {
    if challenged(call, case, first.is_some()).await? {
        return challenge::page(call, case, complaint).await;
    }
    let or_challenge = ways(&call.realm, case).challenge;
    // Before anything is proven the page is everybody's: whose authenticators there are tells that there is somebody.
    let told = first.is_some() || case.evidence.of_anybody();
    let owned = || case.tokens.iter().filter(|_| told);
    let mut active = owned().filter(|token| token.state == State::Active && !answers(&token.template));
    // With several authenticators any of them will do, and none is named.
    let name = match (active.next(), active.next()) {
        (Some(only), None) => only.name.clone(),
        _ => String::new(),
    };
    let counting = owned().filter(|token| token.state.counts());
    let mut several: Vec<_> =
        counting.map(|token| (called(call, token), format!("token-{}", token.state.id()))).collect();
    if several.len() < 2 || first.is_some() {
        several.clear();
    }
    let (title, step) = if first.is_some() { ("first-passcode-title", 4) } else { ("passcode-title", 0) };
    let pin = if first.is_some() { Beside::of_enrollment(call, case).await? } else { Beside::of_login(call, case) };
    let login = Login::of(call, case, title, step, complaint);
    let recover = first.is_none() && recovery::is_open(call, case).await?;
    // A keyboard without letters is for whoever is known to need none.
    let digits = told && owned().all(|token| token.template.alphabet.is_decimal());
    let nonce = call.site.house.entropy.id::<of::Login>().to_string();
    page::page(&Page {
        frame: login.frame.clone(),
        login,
        name,
        several,
        first: first.is_some(),
        nonce,
        or_challenge,
        digits,
        pin,
        recover,
    })
}

/// What a token is called in a list: its name or, without one, what it is.
fn called(call: &Call, token: &Token) -> String {
    if !token.name.is_empty() {
        return token.name.clone();
    }
    let kind = token.platform.map_or_else(|| "platform-hardware-name".to_owned(), |platform| platform.text("name"));
    call.texts().plain(call.language, &kind, &[])
}

/// Whether only a response to a challenge will do: of the new authenticator, or of all that there are.
async fn challenged(call: &Call, case: &Case, first: bool) -> Result<bool, Fault> {
    let Some(enrollment) = case.enrollment.as_ref().filter(|_| first) else {
        return Ok(!first && ways(&call.realm, case) == (Ways { passcode: false, challenge: true }));
    };
    let tenant = call.realm.tenant();
    let read = call.site.house.db.read(async |connection| enrollments::ready(connection, tenant, enrollment.id).await);
    Ok(read.await?.is_some_and(|ready| answers(&ready.template)))
}

/// `POST …/passcode`.
pub async fn post(mut call: Call, path: web::Path<(String, LoginId)>, form: Form) -> Answer {
    let id = path.into_inner().1;
    view::check(&call, &form, id)?;
    let entered = Entered { passcode: form.text("code"), nonce: form.text("nonce") };
    let posted = second_factor::submit(&call.site.house, &call.realm, &call.visit, &call.browser, id, entered).await;
    view::answer(&mut call, id, posted).await
}
