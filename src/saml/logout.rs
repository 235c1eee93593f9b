//! Logout messages: requests and answers, read and written (core 3.7, profiles 4.4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::incoming::Incoming;
use super::message::{self, LIFETIME, MessageError, instant, written};
use super::response::{BEHIND_ISSUER, SUCCESS, Voice, new_id, status};
use super::verify::SignatureError;
use super::write::{ASSERTION, PROTOCOL, Tag};
use crate::domain::ids::{LogoutId, SessionId};
use crate::domain::service_provider::LogoutBinding;
use crate::domain::timestamp::Timestamp;
use crate::keys::signing::SigningKeyError;
use crate::xml::Element;

const PARTIAL: &str = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout";
const REQUESTER: &str = "urn:oasis:names:tc:SAML:2.0:status:Requester";
const UNKNOWN_PRINCIPAL: &str = "urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal";
/// The longest name identifier that is looked at, in octets.
const LONGEST_NAME: usize = 1024;
/// Sessions that one request can name.
const MOST_SESSIONS: usize = 64;

/// A request to end sessions, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogoutRequest {
    /// Its identifier.
    pub id: String,
    /// The service provider.
    pub issuer: String,
    /// Goes back unchanged.
    pub relay_state: Option<String>,
    /// Whose sessions.
    pub name: String,
    /// Which of them; all, if it names none (core 3.7.1).
    pub sessions: Vec<String>,
}

/// Checks a request. It must be signed, whoever sends it: otherwise everybody could log out everybody (T-45).
///
/// # Errors
/// The first check that fails.
pub fn check_request(incoming: Incoming<'_>, destination: &str, now: Timestamp) -> Result<LogoutRequest, MessageError> {
    let content = MessageError::Content;
    let Incoming { root, provider, signed, relay_state, is_request, .. } = incoming;
    if !signed {
        return Err(SignatureError::Missing.into());
    }
    if !is_request {
        return Err(content("a response was sent where requests are taken"));
    }
    let id = message::head(&root, "LogoutRequest", (destination, signed), now)?;
    let until = root.attribute("NotOnOrAfter");
    if until.is_some_and(|text| instant(text).is_none_or(|at| at.plus(LIFETIME) <= now)) {
        return Err(content("the logout request has expired"));
    }
    let name = root.one(ASSERTION.1, "NameID").map(|name| name.text.trim()).filter(|name| !name.is_empty());
    let name = name.filter(|name| name.len() <= LONGEST_NAME);
    let name = name.ok_or(content("the logout request names nobody in a way that is supported"))?;
    let sessions: Vec<String> =
        root.all(PROTOCOL.1, "SessionIndex").map(|index| index.text.trim().to_owned()).collect();
    if sessions.len() > MOST_SESSIONS {
        return Err(content("the logout request names too many sessions"));
    }
    Ok(LogoutRequest {
        id: id.to_owned(),
        issuer: provider.entity_id.clone(),
        relay_state,
        name: name.to_owned(),
        sessions,
    })
}

/// What a service provider answered to our request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// Which logout.
    pub logout: LogoutId,
    /// Which of its stops.
    pub at: usize,
    /// Whether it says that it has ended its sessions, and signs that.
    pub done: bool,
}

/// Checks an answer.
///
/// # Errors
/// The first check that fails.
pub fn check_response(incoming: &Incoming<'_>, destination: &str, now: Timestamp) -> Result<Answered, MessageError> {
    let root = &incoming.root;
    message::head(root, "LogoutResponse", (destination, incoming.signed), now)?;
    let asked = root.attribute("InResponseTo").and_then(stop_of_id);
    let (logout, at) = asked.ok_or(MessageError::Content("the logout response is not to a request of ours"))?;
    Ok(Answered { logout, at, done: incoming.signed && is_success(root) })
}

/// Whether the status says that all went well, and nothing less.
fn is_success(root: &Element) -> bool {
    let code = root.one(PROTOCOL.1, "Status").and_then(|status| status.one(PROTOCOL.1, "StatusCode"));
    code.is_some_and(|code| code.attribute("Value") == Some(SUCCESS) && code.children.is_empty())
}

/// The identifier of our request to a stop of a logout. It cannot be guessed: the logout's cannot.
#[must_use]
pub fn id_of_stop(logout: LogoutId, at: usize) -> String {
    format!("_{logout}.{at}")
}

fn stop_of_id(id: &str) -> Option<(LogoutId, usize)> {
    let (logout, at) = id.strip_prefix('_')?.split_once('.')?;
    Some((logout.parse().ok()?, at.parse().ok()?))
}

/// SessionIndex, as assertions and logout requests have it.
#[must_use]
pub fn session_index(session: SessionId) -> String {
    format!("_{session}")
}

/// The session that a SessionIndex means.
#[must_use]
pub fn session_of_index(index: &str) -> Option<SessionId> {
    index.strip_prefix('_')?.parse().ok()
}

/// Our request to end sessions.
#[must_use]
pub fn request(voice: Voice<'_>, id: &str, destination: &str, name_id: Tag, sessions: &[SessionId]) -> Tag {
    let index = |session: &SessionId| Tag::new(PROTOCOL, "SessionIndex").text(session_index(*session));
    Tag::new(PROTOCOL, "LogoutRequest")
        .with("ID", id)
        .with("Version", "2.0")
        .with("IssueInstant", written(voice.now))
        .with("NotOnOrAfter", written(voice.now.plus(LIFETIME)))
        .with("Destination", destination)
        .child(Tag::new(ASSERTION, "Issuer").text(voice.issuer))
        .child(name_id)
        .children(sessions.iter().map(index))
}

/// How a logout ended, for the one that asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everybody has been told and has done it.
    Complete,
    /// The sessions here have ended, but somebody else may still hold one.
    Partial,
    /// Nobody is known by that name; nothing was done.
    UnknownPrincipal,
}

/// Our answer to a request.
#[must_use]
pub fn response(voice: Voice<'_>, id: &str, destination: &str, asked: &str, end: End) -> Tag {
    let second = |top: &str, code: &str| {
        let code = Tag::new(PROTOCOL, "StatusCode").with("Value", code);
        Tag::new(PROTOCOL, "Status").child(Tag::new(PROTOCOL, "StatusCode").with("Value", top).child(code))
    };
    let status = match end {
        End::Complete => status(SUCCESS),
        End::Partial => second(SUCCESS, PARTIAL),
        End::UnknownPrincipal => second(REQUESTER, UNKNOWN_PRINCIPAL),
    };
    Tag::new(PROTOCOL, "LogoutResponse")
        .with("ID", id)
        .with("Version", "2.0")
        .with("IssueInstant", written(voice.now))
        .with("Destination", destination)
        .with("InResponseTo", asked)
        .child(Tag::new(ASSERTION, "Issuer").text(voice.issuer))
        .child(status)
}

/// A message that a browser shall carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// To this address.
    Redirect(String),
    /// In a form with this one field, in base64, beside RelayState.
    Form(String),
}

/// Signs a message for a browser to carry to `address`, as the parameter `name`.
///
/// # Errors
/// If the key refuses.
pub fn carried(
    voice: Voice<'_>,
    (tag, id): (Tag, &str),
    name: &str,
    (binding, address): (LogoutBinding, &str),
    relay_state: Option<&str>,
) -> Result<Carried, SigningKeyError> {
    match binding {
        LogoutBinding::Redirect => {
            let query = voice.signer.query(name, &tag.canonical(), relay_state)?;
            let mark = if address.contains('?') { '&' } else { '?' };
            Ok(Carried::Redirect(format!("{address}{mark}{query}")))
        }
        LogoutBinding::Post => {
            let xml = voice.signer.signed(tag, id, BEHIND_ISSUER)?;
            Ok(Carried::Form(STANDARD.encode(xml)))
        }
    }
}

/// Signs a request for a server, in the envelope of the SOAP binding (bindings 3.2).
///
/// # Errors
/// If the key refuses.
pub fn enveloped(voice: Voice<'_>, tag: Tag, id: &str) -> Result<String, SigningKeyError> {
    let body = Tag::new(ENVELOPE, "Body").ready(voice.signer.signed(tag, id, BEHIND_ISSUER)?);
    Ok(Tag::new(ENVELOPE, "Envelope").child(body).canonical())
}

const ENVELOPE: (&str, &str) = ("soap", "http://schemas.xmlsoap.org/soap/envelope/");

/// Whether what a server answered says that it has ended its sessions. Its signature is not looked at: we called it,
/// and its certificate told who it is (profiles 4.4.4.2 wants one only where a browser carries the answer).
#[must_use]
pub fn says_done(octets: &[u8], asked: &str) -> bool {
    let Ok(root) = Element::parse(octets) else { return false };
    let body = root.one(ENVELOPE.1, "Body").filter(|_| root.is(ENVELOPE.1, "Envelope"));
    let answer = body.and_then(|body| body.one(PROTOCOL.1, "LogoutResponse"));
    answer.is_some_and(|answer| answer.attribute("InResponseTo") == Some(asked) && is_success(answer))
}

/// A fresh identifier for an answer.
#[must_use]
pub fn answer_id(voice: Voice<'_>) -> String {
    new_id(voice.entropy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_lead_back() {
        let logout = LogoutId::from_bits(77);
        assert_eq!(stop_of_id(&id_of_stop(logout, 3)), Some((logout, 3)));
        let session = SessionId::from_bits(78);
        assert_eq!(session_of_index(&session_index(session)), Some(session));
        for odd in ["", "_", "_.", "_x.1", &logout.to_string(), &format!("_{logout}"), &format!("_{logout}.-1")] {
            assert_eq!(stop_of_id(odd), None, "{odd}");
        }
    }

    ///
    #[test]
    fn a_server_says_that_it_has_done_it_or_it_has_not() {
        let answer = |status: &str, to: &str| {
            format!(
                "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><p:LogoutResponse \
                 xmlns:p=\"urn:oasis:names:tc:SAML:2.0:protocol\" InResponseTo=\"{to}\"><p:Status>{status}</p:Status>\
                 </p:LogoutResponse></s:Body></s:Envelope>"
            )
        };
        let success = format!("<p:StatusCode Value=\"{SUCCESS}\"/>");
        assert!(says_done(answer(&success, "_1").as_bytes(), "_1"));
        assert!(!says_done(answer(&success, "_2").as_bytes(), "_1"), "another one's");
        let partial = format!("<p:StatusCode Value=\"{SUCCESS}\"><p:StatusCode Value=\"{PARTIAL}\"/></p:StatusCode>");
        assert!(!says_done(answer(&partial, "_1").as_bytes(), "_1"));
        assert!(!says_done(b"<html/>", "_1") && !says_done(b"", "_1"));
    }
}
