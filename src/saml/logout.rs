//! Logout messages: requests and answers, read and written (core 3.7, profiles 4.4).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::incoming::Incoming;
use super::message::{self, LIFETIME, MessageError, instant, written};
use super::response::{BEHIND_ISSUER, SUCCESS, Voice, new_id, status};
use super::verify::SignatureError;
use super::write::{ASSERTION, PROTOCOL, Tag};
use crate::domain::ids::{LogoutId, SessionId, TenantId};
use crate::domain::service_provider::LogoutBinding;
use crate::domain::timestamp::Timestamp;
use crate::keys::derived::DerivedKeys;
use crate::keys::signing::SigningKeyError;
use crate::xml::Element;

pub(super) const PARTIAL: &str = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout";
pub(super) const REQUESTER: &str = "urn:oasis:names:tc:SAML:2.0:status:Requester";
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
    let Incoming { root, provider, signed, relay_state, is_request, by_server, .. } = incoming;
    if !signed {
        return Err(SignatureError::Missing.into());
    }
    if !is_request {
        return Err(content("a response was sent where requests are taken"));
    }
    let sessions: Vec<String> =
        root.all(PROTOCOL.1, "SessionIndex").map(|index| index.text.trim().to_owned()).collect();
    // From server to server, nobody has to say where he speaks to (bindings 3.2.3.1), and some do not. Only we know the
    // sessions, but a name may be known at other places as well: without a session, the request could be for another one.
    let must_be_addressed = !by_server || sessions.is_empty();
    let id = message::head(&root, "LogoutRequest", (destination, must_be_addressed), now)?;
    let until = root.attribute("NotOnOrAfter");
    if until.is_some_and(|text| instant(text).is_none_or(|at| at.plus(LIFETIME) <= now)) {
        return Err(content("the logout request has expired"));
    }
    let name = root.one(ASSERTION.1, "NameID").map(|name| name.text.trim()).filter(|name| !name.is_empty());
    let name = name.filter(|name| name.len() <= LONGEST_NAME);
    let name = name.ok_or(content("the logout request names nobody in a way that is supported"))?;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The identifier of our request.
    pub request: String,
    /// Whether it is signed, as an answer by browser must be (profiles 4.4.4.2).
    pub signed: bool,
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
    let request =
        root.attribute("InResponseTo").ok_or(MessageError::Content("the logout response is not to a request"))?;
    Ok(Answered { request: request.to_owned(), signed: incoming.signed, done: incoming.signed && is_success(root) })
}

/// Whether the status says that all went well, and nothing less.
pub(super) fn is_success(root: &Element) -> bool {
    let code = root.one(PROTOCOL.1, "Status").and_then(|status| status.one(PROTOCOL.1, "StatusCode"));
    code.is_some_and(|code| code.attribute("Value") == Some(SUCCESS) && code.children.is_empty())
}

/// Identifiers that go to a service provider and come back from it, and say nothing to it.
#[derive(Debug, Clone, Copy)]
pub struct Marks<'a> {
    /// The virtual server.
    pub tenant: TenantId,
    /// What they are sealed with.
    pub keys: &'a DerivedKeys,
}

impl Marks<'_> {
    /// The identifier of our request to a stop of a logout. Whoever gets one learns none of another stop: it could answer for
    /// the others, or go on in the place of the browser (T-45).
    #[must_use]
    pub fn id_of_stop(&self, logout: LogoutId, at: usize) -> String {
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let content = [logout.to_bytes().as_slice(), &at.to_be_bytes()].concat();
        written_mark(&self.keys.logout_requests.seal(&self.tenant.to_bytes(), &content))
    }

    /// SessionIndex, as assertions and logout requests for a service provider have it. Another one gets another for the same
    /// session, so that they cannot find out that it is one (core 2.7.2).
    #[must_use]
    pub fn session_index(&self, entity_id: &str, session: SessionId) -> String {
        written_mark(&self.keys.session_indexes.seal(&self.of_provider(entity_id), &session.to_bytes()))
    }

    /// The session that a service provider means by a SessionIndex. It was the same for all of them once, and living sessions
    /// may have that still.
    #[must_use]
    pub fn session_of_index(&self, entity_id: &str, index: &str) -> Option<SessionId> {
        let sealed = read_mark(index);
        let opened = sealed.and_then(|sealed| self.keys.session_indexes.open(&self.of_provider(entity_id), &sealed));
        match opened {
            Some(session) => Some(SessionId::from_bits(u128::from_be_bytes(session.try_into().ok()?))),
            None => index.strip_prefix('_')?.parse().ok(),
        }
    }

    fn of_provider(&self, entity_id: &str) -> Vec<u8> {
        [self.tenant.to_bytes().as_slice(), entity_id.as_bytes()].concat()
    }

    /// The logout and its stop that a request with this identifier went to.
    #[must_use]
    pub fn stop_of_id(&self, id: &str) -> Option<(LogoutId, usize)> {
        let content = self.keys.logout_requests.open(&self.tenant.to_bytes(), &read_mark(id)?)?;
        let (logout, at) = content.split_first_chunk::<16>()?;
        let at = u32::from_be_bytes(at.try_into().ok()?);
        Some((LogoutId::from_bits(u128::from_be_bytes(*logout)), usize::try_from(at).ok()?))
    }
}

/// An identifier must not begin with a digit.
fn written_mark(sealed: &[u8]) -> String {
    format!("_{}", URL_SAFE_NO_PAD.encode(sealed))
}

fn read_mark(mark: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(mark.strip_prefix('_')?).ok()
}

/// Our request to end sessions, of which the service provider knows these indexes.
#[must_use]
pub fn request(voice: Voice<'_>, id: &str, destination: &str, name_id: Tag, sessions: &[String]) -> Tag {
    let index = |session: &String| Tag::new(PROTOCOL, "SessionIndex").text(session);
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
pub fn response(voice: Voice<'_>, id: &str, destination: Option<&str>, asked: &str, end: End) -> Tag {
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
        .with_some("Destination", destination)
        .with("InResponseTo", asked)
        .child(Tag::new(ASSERTION, "Issuer").text(voice.issuer))
        .child(status)
}

/// A message that a browser shall carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// To this address.
    Redirect(String),
    /// This XML in a form with one field, beside RelayState.
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
        LogoutBinding::Post => Ok(Carried::Form(voice.signer.signed(&tag, id, BEHIND_ISSUER)?)),
    }
}

/// A fresh identifier for an answer.
#[must_use]
pub fn answer_id(voice: Voice<'_>) -> String {
    new_id(voice.entropy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::secret::SecretBytes;

    /// T-45.
    #[test]
    fn identifiers_lead_back_and_tell_nothing_of_each_other() {
        let keys = DerivedKeys::from_root(&SecretBytes::new(vec![1; 32]));
        let of = |tenant| Marks { tenant: TenantId::from_bits(tenant), keys: &keys };
        let (marks, logout) = (of(1), LogoutId::from_bits(77));
        let id = marks.id_of_stop(logout, 3);
        assert_eq!((id.as_str(), id.len()), (marks.id_of_stop(logout, 3).as_str(), 49));
        assert_eq!(marks.stop_of_id(&id), Some((logout, 3)));
        assert_eq!(of(2).stop_of_id(&id), None, "another virtual server");
        let next = marks.id_of_stop(logout, 4);
        assert!(id.chars().zip(next.chars()).filter(|(one, other)| one == other).count() < 12, "{id} {next}");
        let session = SessionId::from_bits(78);
        let (index, at_shop) = (marks.session_index("wiki", session), marks.session_index("shop", session));
        assert_eq!((index.as_str(), index.len()), (marks.session_index("wiki", session).as_str(), 44));
        assert!(
            index.chars().zip(at_shop.chars()).filter(|(one, other)| one == other).count() < 12,
            "{index} {at_shop}"
        );
        assert_eq!(marks.session_of_index("wiki", &index), Some(session));
        assert_eq!(marks.session_of_index("wiki", &at_shop), None);
        assert_eq!(marks.session_of_index("wiki", &format!("_{session}")), Some(session), "as it was written once");
        for odd in ["", "_", "_.", &id[1..], &id[..48], &format!("_{logout}"), &format!("_{logout}.1")] {
            assert_eq!(marks.stop_of_id(odd), None, "{odd}");
        }
    }
}
