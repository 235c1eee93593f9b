//! The authentication request: from octets to something that can be trusted (core 3.4, profiles 4.1.4.1).

use std::io::Read as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::tree::{Element, LONGEST};
use super::verify::SignatureError;
use super::write::{ASSERTION, PROTOCOL};
use crate::domain::login::wishes::{Freshness, Wishes};
use crate::domain::policy::access::Method;
use crate::domain::service_provider::{NameIdFormat, ServiceProvider};
use crate::domain::timestamp::Timestamp;

/// The one encoding of a redirect (bindings 3.4.4.1).
pub const DEFLATE: &str = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE";
/// The longest message in an address, in characters, decoded from percent encoding (T-37).
const LONGEST_REDIRECTED: usize = 16 * 1024;
/// The longest message in a form, in characters; no form is longer as a whole.
const LONGEST_POSTED: usize = LONGEST;
/// How much larger a message may get when it is inflated (T-37).
const MOST_RATIO: usize = 40;
/// The longest name identifier that is looked at, in octets; ours are shorter (core 8.3.7: 256 characters).
const LONGEST_NAME: usize = 1024;
/// How old a request may be, and how far clocks may differ.
pub const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// The longest RelayState, in octets. The bindings say 80 (3.4.3, 3.5.3), and many service providers put the
/// address into it that the person came from, or a sealed state of their own: more than a thousand octets are
/// common. It goes back unchanged or not at all: cut short, it would break the service provider's own
/// check of it, and people would not get to where they wanted.
pub const LONGEST_RELAY_STATE: usize = 4096;

/// A request that passed every check; stored with the login until it is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthnRequest {
    /// Its identifier, for `InResponseTo`; none if the login began at our portal.
    pub id: Option<String>,
    /// The service provider.
    pub issuer: String,
    /// Where the answer goes.
    pub acs: String,
    /// Goes back unchanged.
    pub relay_state: Option<String>,
    /// The person authenticates again.
    pub force: bool,
    /// No page may be shown.
    pub passive: bool,
    /// The format of the name identifier, if one was asked for.
    pub format: Option<NameIdFormat>,
    /// The wanted authentication contexts.
    pub contexts: Vec<String>,
    /// About whom the answer must be, if the service provider says so (core 3.4.1).
    #[serde(default)]
    pub subject: Option<Subject>,
}

/// The one person about whom a service provider wants to hear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The name identifier.
    pub name: String,
    /// Whether it is one that people do not know, and cannot type.
    pub opaque: bool,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not base64, not deflated, too long.
    #[error("the message cannot be decoded: {0}")]
    Decode(&'static str),
    /// The signature is not good.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It is not an authentication request of ours to answer.
    #[error("{0}")]
    Content(&'static str),
    /// Nobody with this entity ID is registered.
    #[error("no service provider is registered under the entity ID of the request")]
    Unknown,
    /// The address of the answer is not registered (T-39).
    #[error("the AssertionConsumerService of the request is not registered for the service provider")]
    Acs,
    /// It can be answered, with this status.
    #[error("{why}")]
    Answered {
        /// The second-level status code.
        status: Status,
        /// Why.
        why: &'static str,
        /// To whom.
        request: Box<AuthnRequest>,
    },
}

/// Second-level status codes (core 3.2.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The person could not be authenticated, or cancelled.
    AuthnFailed,
    /// A page would be needed.
    NoPassive,
    /// The wanted authentication context cannot be reached.
    NoAuthnContext,
    /// The wanted name identifier cannot be given.
    InvalidNameIdPolicy,
    /// The person has no access.
    RequestDenied,
    /// The person is not the wanted one.
    UnknownPrincipal,
    /// Another binding was wanted for the answer.
    UnsupportedBinding,
}

impl Status {
    /// The top-level code and this one.
    #[must_use]
    pub const fn codes(self) -> (&'static str, &'static str) {
        const RESPONDER: &str = "urn:oasis:names:tc:SAML:2.0:status:Responder";
        const REQUESTER: &str = "urn:oasis:names:tc:SAML:2.0:status:Requester";
        match self {
            Self::AuthnFailed => (RESPONDER, "urn:oasis:names:tc:SAML:2.0:status:AuthnFailed"),
            Self::NoPassive => (RESPONDER, "urn:oasis:names:tc:SAML:2.0:status:NoPassive"),
            Self::NoAuthnContext => (RESPONDER, "urn:oasis:names:tc:SAML:2.0:status:NoAuthnContext"),
            Self::InvalidNameIdPolicy => (REQUESTER, "urn:oasis:names:tc:SAML:2.0:status:InvalidNameIDPolicy"),
            Self::RequestDenied => (RESPONDER, "urn:oasis:names:tc:SAML:2.0:status:RequestDenied"),
            Self::UnknownPrincipal => (RESPONDER, "urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal"),
            Self::UnsupportedBinding => (REQUESTER, "urn:oasis:names:tc:SAML:2.0:status:UnsupportedBinding"),
        }
    }
}

/// Undoes the encoding of a redirect: base64, then deflate, with hard limits (T-37).
///
/// # Errors
/// [`RequestError::Decode`].
pub fn inflated(encoded: &str) -> Result<Vec<u8>, RequestError> {
    if encoded.len() > LONGEST_REDIRECTED {
        return Err(RequestError::Decode("it is too long"));
    }
    let packed = base64(encoded)?;
    let most = LONGEST.min(packed.len().saturating_mul(MOST_RATIO)).saturating_add(1);
    let mut out = Vec::new();
    let mut reader = flate2::read::DeflateDecoder::new(packed.as_slice()).take(u64::try_from(most).unwrap_or(u64::MAX));
    reader.read_to_end(&mut out).map_err(|_| RequestError::Decode("it is not deflated"))?;
    if out.len() >= most { Err(RequestError::Decode("it is too long")) } else { Ok(out) }
}

/// Undoes the encoding of a form.
///
/// # Errors
/// [`RequestError::Decode`].
pub fn base64(encoded: &str) -> Result<Vec<u8>, RequestError> {
    if encoded.len() > LONGEST_POSTED {
        return Err(RequestError::Decode("it is too long"));
    }
    let plain: String = encoded.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(plain).map_err(|_| RequestError::Decode("it is not base64"))
}

/// Who sent the document; needed to know whose certificates count. Nothing else may be read before the
/// signature is checked.
#[must_use]
pub fn issuer(root: &Element) -> Option<&str> {
    root.one(ASSERTION.1, "Issuer").map(|issuer| issuer.text.trim())
}

/// Checks a request of `provider`. `destination` is the address that it was sent to.
///
/// # Errors
/// The first check that fails, see [`RequestError`].
pub fn check(
    root: &Element,
    provider: &ServiceProvider,
    relay_state: Option<String>,
    destination: &str,
    now: Timestamp,
) -> Result<AuthnRequest, RequestError> {
    let content = RequestError::Content;
    if !root.is(PROTOCOL.1, "AuthnRequest") || root.attribute("Version") != Some("2.0") {
        return Err(content("the message is not an AuthnRequest of SAML 2.0"));
    }
    let id = root.attribute("ID").filter(|id| is_id(id)).ok_or(content("the request has no usable ID"))?;
    if root.attribute("Destination").is_some_and(|named| named != destination) {
        return Err(content("the Destination of the request is another address"));
    }
    let issued =
        root.attribute("IssueInstant").and_then(instant).ok_or(content("IssueInstant is missing or malformed"))?;
    if now.since(issued) > LIFETIME || issued.since(now) > LIFETIME {
        return Err(content("the request is too old, or the clock of the service provider is wrong"));
    }
    if relay_state.as_ref().is_some_and(|state| state.len() > LONGEST_RELAY_STATE) {
        return Err(content("RelayState is too long"));
    }
    let index = match root.attribute("AssertionConsumerServiceIndex").map(str::parse) {
        None => None,
        Some(Ok(index)) => Some(index),
        Some(Err(_)) => return Err(RequestError::Acs),
    };
    let acs = provider.acs(root.attribute("AssertionConsumerServiceURL"), index).ok_or(RequestError::Acs)?;
    let truth = |name| matches!(root.attribute(name), Some("true" | "1"));
    let mut request = AuthnRequest {
        id: Some(id.to_owned()),
        issuer: provider.entity_id.clone(),
        acs: acs.url.clone(),
        relay_state,
        force: truth("ForceAuthn"),
        passive: truth("IsPassive"),
        format: None,
        contexts: Vec::new(),
        subject: None,
    };
    let binding = root.attribute("ProtocolBinding");
    if binding.is_some_and(|binding| binding != "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST") {
        let why = "answers are given by HTTP-POST only";
        return Err(RequestError::Answered { status: Status::UnsupportedBinding, why, request: Box::new(request) });
    }
    subject(root, &mut request)?;
    name_id_policy(root, &mut request)?;
    contexts(root, &mut request)?;
    Ok(request)
}

/// The person whom the answer must be about. One who is named in a way that we cannot read cannot be found.
fn subject(root: &Element, request: &mut AuthnRequest) -> Result<(), RequestError> {
    let Some(subject) = root.one(ASSERTION.1, "Subject") else { return Ok(()) };
    let unreadable = ["EncryptedID", "BaseID"].iter().any(|kind| subject.all(ASSERTION.1, kind).next().is_some());
    let name = subject.one(ASSERTION.1, "NameID");
    if unreadable || name.is_some_and(|name| name.text.len() > LONGEST_NAME) {
        let (status, why) = (Status::UnknownPrincipal, "the wanted person is named in a way that is not supported");
        return Err(RequestError::Answered { status, why, request: Box::new(request.clone()) });
    }
    let format = |name: &Element| name.attribute("Format").and_then(NameIdFormat::of_urn);
    request.subject = name.map(|name| Subject {
        name: name.text.trim().to_owned(),
        opaque: matches!(format(name), Some(NameIdFormat::Persistent | NameIdFormat::Transient)),
    });
    Ok(())
}

fn name_id_policy(root: &Element, request: &mut AuthnRequest) -> Result<(), RequestError> {
    let policy = root.one(PROTOCOL.1, "NameIDPolicy");
    let Some(urn) = policy.and_then(|policy| policy.attribute("Format")) else { return Ok(()) };
    // "Unspecified" in a request means: as you like (core 8.3.1).
    if urn == NameIdFormat::Unspecified.urn() || urn == "urn:oasis:names:tc:SAML:2.0:nameid-format:unspecified" {
        return Ok(());
    }
    request.format = NameIdFormat::of_urn(urn);
    if request.format.is_none() {
        let why = "the wanted format of the name identifier is not supported";
        return Err(RequestError::Answered {
            status: Status::InvalidNameIdPolicy,
            why,
            request: Box::new(request.clone()),
        });
    }
    Ok(())
}

/// The authentication contexts, as far as we can reach them (core 3.3.2.2.1).
fn contexts(root: &Element, request: &mut AuthnRequest) -> Result<(), RequestError> {
    let Some(wanted) = root.one(PROTOCOL.1, "RequestedAuthnContext") else { return Ok(()) };
    let refs: Vec<String> =
        wanted.all(ASSERTION.1, "AuthnContextClassRef").map(|class| class.text.trim().to_owned()).collect();
    let comparison = wanted.attribute("Comparison").unwrap_or("exact");
    let mut known: Vec<String> = Vec::new();
    for class in refs.iter().filter(|class| super::context::level_of(class).is_some()) {
        // Each once: they are stored with the login, and there could be thousands.
        if !known.contains(class) {
            known.push(class.clone());
        }
    }
    // "maximum" and "better" of something are met by what we have; only unknown classes alone are not.
    let unmet = !refs.is_empty() && known.is_empty();
    let better = comparison == "better" && known.iter().all(|class| super::context::level_of(class) == Some(true));
    if unmet || (better && !known.is_empty()) || !matches!(comparison, "exact" | "minimum" | "maximum" | "better") {
        let why = "the wanted authentication context cannot be reached";
        return Err(RequestError::Answered { status: Status::NoAuthnContext, why, request: Box::new(request.clone()) });
    }
    request.contexts = if comparison == "better" { vec![super::context::MULTI_FACTOR.to_owned()] } else { known };
    Ok(())
}

impl AuthnRequest {
    /// A login that begins at our portal, for a service provider that did not ask.
    #[must_use]
    pub fn unsolicited(provider: &ServiceProvider) -> Option<Self> {
        Some(Self {
            id: None,
            issuer: provider.entity_id.clone(),
            acs: provider.acs.first()?.url.clone(),
            relay_state: None,
            force: false,
            passive: false,
            format: None,
            contexts: Vec::new(),
            subject: None,
        })
    }

    /// What the request wishes, in the words of the login.
    #[must_use]
    pub fn wishes(&self) -> Wishes {
        // The first class is the most wanted; a multi-factor class steps the login up.
        let multi = self.contexts.first().and_then(|class| super::context::level_of(class)) == Some(true);
        Wishes {
            silent: self.passive,
            freshness: if self.force { Freshness::ThisLogin } else { Freshness::Any },
            methods: if multi { vec![Method::Password, Method::Otp] } else { Vec::new() },
            hint: self.subject.as_ref().filter(|subject| !subject.opaque).map(|subject| subject.name.clone()),
            languages: Vec::new(),
            choose_account: false,
        }
    }
}

/// An XML identifier, of a sensible length.
fn is_id(id: &str) -> bool {
    let starts = id.starts_with(|c: char| c.is_alphabetic() || c == '_');
    starts && id.len() <= 256 && id.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// A point in time as SAML writes it (core 1.3.3): in UTC.
#[must_use]
pub fn instant(text: &str) -> Option<Timestamp> {
    let at = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
    Some(Timestamp::from_seconds(at.unix_timestamp()))
}
