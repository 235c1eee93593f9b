//! Logging out on behalf of an application (RP-Initiated Logout 1.0), and telling the others by the browser (Front-Channel
//! Logout 1.0).
//!
//! An application that shows an ID Token of the session ends it at once. Whoever cannot show one could be any page of
//! the web, so the person is asked (ASVS 10.6.2, T-45). And nobody is sent anywhere but to a registered address.

use actix_web::{HttpRequest, web};
use askama::Template;
use serde::{Deserialize, Serialize};

use super::answer::with_query;
use super::claims::subject;
use super::client::client_of;
use super::id_token::{Hint, read_hint};
use super::parameters::{ParameterError, Parameters};
use crate::domain::ids::ParkedId;
use crate::domain::login::origin::Origin;
use crate::domain::session::Session;
use crate::flow::session;
use crate::http::page::Frame;
use crate::http::{Answer, Call, Fault, Form, form, logins, page, parked};

/// The longest state, in octets; it is given back in an address.
const LONGEST_STATE: usize = 4096;

/// A request to log out, read and not checked.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    id_token_hint: Option<String>,
    client_id: Option<String>,
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
}

/// A request that was checked.
struct Checked<'a> {
    asked: &'a Asked,
    hint: Option<Hint>,
    /// The name of the application that asks.
    application: Option<&'a str>,
    client_id: Option<&'a str>,
    /// Where to go afterwards.
    target: Option<String>,
}

impl Asked {
    fn read(parameters: &Parameters) -> Result<Self, ParameterError> {
        let one = |name| Ok(parameters.one(name)?.map(str::to_owned));
        Ok(Self {
            id_token_hint: one("id_token_hint")?,
            client_id: one("client_id")?,
            post_logout_redirect_uri: one("post_logout_redirect_uri")?,
            state: one("state")?,
        })
    }

    fn checked<'a>(&'a self, call: &'a Call) -> Result<Checked<'a>, &'static str> {
        let issuer = call.site.urls.base(call.realm.code());
        let hint = match &self.id_token_hint {
            None => None,
            Some(jwt) => {
                let hint = read_hint(jwt, &issuer, &call.realm.oidc_keys, call.visit.now);
                Some(hint.ok_or("id_token_hint is not an ID Token of ours")?)
            }
        };
        let named = hint.as_ref().map(|hint| hint.aud.as_str());
        if self.client_id.as_deref().is_some_and(|id| named.is_some_and(|named| named != id)) {
            return Err("client_id is not the one that id_token_hint was issued to");
        }
        let client = match self.client_id.as_deref().or(named) {
            None => None,
            Some(id) => Some(client_of(call, id).ok_or("no application is registered under this client_id")?),
        };
        if self.state.as_ref().is_some_and(|state| state.len() > LONGEST_STATE) {
            return Err("state is too long");
        }
        let target = match (&self.post_logout_redirect_uri, client) {
            (None, _) => None,
            (Some(_), None) => return Err("post_logout_redirect_uri needs id_token_hint or client_id"),
            (Some(address), Some((_, client))) => {
                if !client.post_logout_redirect_uris.iter().any(|uri| uri.admits(address)) {
                    return Err("post_logout_redirect_uri is not registered for the application");
                }
                let state = self.state.iter().map(|state| ("state", state.clone())).collect::<Vec<_>>();
                Some(if state.is_empty() { address.clone() } else { with_query(address, &state) })
            }
        };
        let (application, client_id) = match client {
            Some((application, client)) => (Some(application.name.as_str()), Some(client.client_id.as_str())),
            None => (None, None),
        };
        Ok(Checked { asked: self, hint, application, client_id, target })
    }
}

fn refused(call: &Call, why: impl std::fmt::Display) -> Fault {
    tracing::info!(correlation = %call.visit.correlation, %why, "a request to log out is refused");
    Fault::shown("error-oidc-logout")
}

/// `GET {base}/oidc/logout`.
pub(super) async fn get(call: Call, request: HttpRequest) -> Answer {
    let parameters = Parameters::parse(request.query_string().as_bytes());
    let asked = parameters.and_then(|parameters| Asked::read(&parameters)).map_err(|error| refused(&call, error))?;
    start(&call, &asked).await
}

/// `POST {base}/oidc/logout`: from the application's page, which comes without our cookies and is sent on to
/// [`parked()`].
pub(super) async fn post(call: Call, request: HttpRequest, body: web::Bytes) -> Answer {
    if !form::is_form(request.headers()) {
        return Err(Fault::NotAForm);
    }
    let parameters = Parameters::parse(&body);
    let asked = parameters.and_then(|parameters| Asked::read(&parameters)).map_err(|error| refused(&call, error))?;
    asked.checked(&call).map_err(|why| refused(&call, why))?;
    let door = format!("{}/oidc/logout", call.site.urls.base(call.realm.code()));
    parked::put_aside(&call, Origin::Oidc, &door, &asked).await
}

/// `GET {base}/oidc/logout/{parked}`.
pub(super) async fn parked(call: Call, request: HttpRequest, path: web::Path<(String, ParkedId)>) -> Answer {
    let kept = parked::waiting(&call, &request, Origin::Oidc, path.into_inner().1).await?;
    // A request of the same door, but to log in.
    let asked = serde_json::from_str(&kept).map_err(|_| Fault::NotThisBrowser)?;
    start(&call, &asked).await
}

async fn start(call: &Call, asked: &Asked) -> Answer {
    let checked = asked.checked(call).map_err(|why| refused(call, why))?;
    let Some(session) = session::current(&call.site.house, &call.realm, &call.visit, &call.browser).await? else {
        return logins::after(call, checked.target.as_deref(), &[]);
    };
    if is_about(call, &checked, &session) {
        logins::log_out(call, &session, checked.target.as_deref()).await
    } else {
        ask(call, &checked, &session)
    }
}

/// Whether the application has shown that it knows this session or at least its person.
fn is_about(call: &Call, checked: &Checked<'_>, session: &Session) -> bool {
    let Some(hint) = &checked.hint else { return false };
    let same = |id: &str| {
        let (_, client) = client_of(call, id)?;
        Some(subject(client, call.realm.tenant(), session.user, &call.site.house.derived.pairwise) == hint.sub)
    };
    hint.sid == session.id.to_string() || checked.client_id.and_then(same).unwrap_or(false)
}

#[derive(Template)]
#[template(path = "oidc/logout.html")]
struct LogoutPage<'a> {
    frame: Frame,
    application: &'a str,
    asked: &'a Asked,
    action: String,
    stay: String,
}

fn purpose<'a>(call: &Call, session: &Session, parts: &'a mut [Vec<u8>; 3]) -> Vec<&'a [u8]> {
    *parts = [b"logout".to_vec(), call.realm.tenant().to_bytes().to_vec(), session.id.to_bytes().to_vec()];
    parts.iter().map(Vec::as_slice).collect()
}

/// The question whether the person wants this.
fn ask(call: &Call, checked: &Checked<'_>, session: &Session) -> Answer {
    let mut parts = Default::default();
    let csrf = form::token(&call.site, &purpose(call, session, &mut parts));
    let response = page::page(&LogoutPage {
        frame: Frame::of(call, "logout-title").with_csrf(csrf).at(String::new()),
        application: checked.application.unwrap_or_default(),
        asked: checked.asked,
        action: format!("/t/{}/oidc/logout/confirm", call.realm.code()),
        stay: call.site.urls.portal(call.realm.code()),
    })?;
    // Browsers hold what the application does behind its address against this policy, and service providers that are told on
    // the way may lead anywhere. There is no secret on the page.
    let target = checked.target.as_deref().and_then(page::policy_source);
    Ok(page::leading_to(response, target.into_iter().chain(["https:".to_owned()]).collect()))
}

/// `POST {base}/oidc/logout/confirm`: the person wants it.
pub(super) async fn confirm(call: Call, form: Form) -> Answer {
    let text = |name: &str| Some(form.text(name)).filter(|text| !text.is_empty()).map(str::to_owned);
    let asked = Asked {
        id_token_hint: text("id_token_hint"),
        client_id: text("client_id"),
        post_logout_redirect_uri: text("post_logout_redirect_uri"),
        state: text("state"),
    };
    let checked = asked.checked(&call).map_err(|why| refused(&call, why))?;
    let Some(session) = session::current(&call.site.house, &call.realm, &call.visit, &call.browser).await? else {
        return logins::after(&call, checked.target.as_deref(), &[]);
    };
    let mut parts = Default::default();
    form.check(&call.site, &purpose(&call, &session, &mut parts))?;
    logins::log_out(&call, &session, checked.target.as_deref()).await
}
