//! The authentication request: from octets to something that can be trusted (core 3.4, profiles 4.1.4.1).

use serde::{Deserialize, Serialize};

use super::context::{Comparison, Wanted};
use super::incoming::Incoming;
use super::message::{self, MessageError, POST};
use super::verify::SignatureError;
use super::write::{ASSERTION, PROTOCOL};
use crate::domain::login::wishes::{Freshness, Wishes};
use crate::domain::service_provider::{NameIdFormat, ServiceProvider};
use crate::domain::timestamp::Timestamp;
use crate::xml::Element;

/// The longest name identifier that is looked at, in octets; ours are shorter (core 8.3.7: 256 characters).
const LONGEST_NAME: usize = 1024;

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
    /// The wanted authentication context.
    #[serde(default)]
    pub wanted: Wanted,
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
    /// No message of a registered service provider, or not signed as it must be.
    #[error(transparent)]
    Message(#[from] MessageError),
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

/// Checks a request. `destination` is the address that it was sent to.
///
/// # Errors
/// The first check that fails, see [`RequestError`].
pub fn check(incoming: Incoming<'_>, destination: &str, now: Timestamp) -> Result<AuthnRequest, RequestError> {
    let Incoming { root, provider, signed, relay_state, is_request, .. } = incoming;
    let root = &root;
    if provider.require_signed_requests && !signed {
        return Err(MessageError::from(SignatureError::Missing).into());
    }
    if !is_request {
        return Err(MessageError::Content("a response was sent where requests are taken").into());
    }
    let id = message::head(root, "AuthnRequest", (destination, signed), now)?;
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
        wanted: Wanted::default(),
        subject: None,
    };
    if root.attribute("ProtocolBinding").is_some_and(|binding| binding != POST) {
        return Err(answered(Status::UnsupportedBinding, "answers are given by HTTP-POST only", &request));
    }
    subject(root, &mut request)?;
    name_id_policy(root, provider, &mut request)?;
    context(root, &mut request)?;
    Ok(request)
}

/// The person whom the answer must be about. One who is named in a way that we cannot read cannot be found.
fn subject(root: &Element, request: &mut AuthnRequest) -> Result<(), RequestError> {
    let Some(subject) = root.one(ASSERTION.1, "Subject") else { return Ok(()) };
    let unreadable = ["EncryptedID", "BaseID"].iter().any(|kind| subject.all(ASSERTION.1, kind).next().is_some());
    let name = subject.one(ASSERTION.1, "NameID");
    if unreadable || name.is_some_and(|name| name.text.len() > LONGEST_NAME) {
        let (status, why) = (Status::UnknownPrincipal, "the wanted person is named in a way that is not supported");
        return Err(answered(status, why, request));
    }
    let format = |name: &Element| name.attribute("Format").and_then(NameIdFormat::of_urn);
    request.subject = name.map(|name| Subject {
        name: name.text.trim().to_owned(),
        opaque: matches!(format(name), Some(NameIdFormat::Persistent | NameIdFormat::Transient)),
    });
    Ok(())
}

/// The wanted name identifier (core 3.4.1.1). `AllowCreate` needs no look: an identifier is computed, so each
/// person has one for each service provider, always.
fn name_id_policy(root: &Element, provider: &ServiceProvider, request: &mut AuthnRequest) -> Result<(), RequestError> {
    let Some(policy) = root.one(PROTOCOL.1, "NameIDPolicy") else { return Ok(()) };
    let invalid = Status::InvalidNameIdPolicy;
    if policy.attribute("SPNameQualifier").is_some_and(|name| !name.is_empty() && name != provider.entity_id) {
        return Err(answered(invalid, "name identifiers are made for the service provider itself only", request));
    }
    let urn = policy.attribute("Format").unwrap_or_default();
    // "Unspecified" in a request means: as you like (core 8.3.1).
    let any = ["", NameIdFormat::Unspecified.urn(), "urn:oasis:names:tc:SAML:2.0:nameid-format:unspecified"];
    if any.contains(&urn) {
        return Ok(());
    }
    let Some(format) = NameIdFormat::of_urn(urn) else {
        return Err(answered(invalid, "the wanted format of the name identifier is not supported", request));
    };
    if !provider.may_ask_for(format) {
        return Err(answered(invalid, "the service provider is not registered for this format", request));
    }
    request.format = Some(format);
    Ok(())
}

/// The wanted authentication context, as far as we can reach it (core 3.3.2.2.1). Declarations are a way to describe
/// contexts that nobody else understands; they are never met.
fn context(root: &Element, request: &mut AuthnRequest) -> Result<(), RequestError> {
    let Some(element) = root.one(PROTOCOL.1, "RequestedAuthnContext") else { return Ok(()) };
    let classes: Vec<&str> = element.all(ASSERTION.1, "AuthnContextClassRef").map(|class| class.text.trim()).collect();
    let comparison = Comparison::named(element.attribute("Comparison"));
    match comparison.and_then(|comparison| Wanted::new(comparison, &classes)) {
        Some(wanted) => request.wanted = wanted,
        None => {
            let why = "the wanted authentication context cannot be reached";
            return Err(answered(Status::NoAuthnContext, why, request));
        }
    }
    Ok(())
}

/// A refusal that the service provider hears of.
fn answered(status: Status, why: &'static str, request: &AuthnRequest) -> RequestError {
    RequestError::Answered { status, why, request: Box::new(request.clone()) }
}

impl AuthnRequest {
    /// The format of the name identifier of its answer.
    #[must_use]
    pub fn name_id_format(&self, provider: &ServiceProvider) -> NameIdFormat {
        self.format.unwrap_or(provider.name_id_format)
    }

    /// A login that begins at our portal or with a link, for a service provider that did not ask.
    #[must_use]
    pub fn unsolicited(provider: &ServiceProvider, relay_state: Option<String>) -> Option<Self> {
        Some(Self {
            id: None,
            issuer: provider.entity_id.clone(),
            acs: provider.acs.first()?.url.clone(),
            relay_state: relay_state.or_else(|| provider.relay_state.clone()),
            force: false,
            passive: false,
            format: None,
            wanted: Wanted::default(),
            subject: None,
        })
    }

    /// What the request wishes, in the words of the login.
    #[must_use]
    pub fn wishes(&self) -> Wishes {
        let mut ways = self.wanted.ways().into_iter();
        Wishes {
            silent: self.passive,
            freshness: if self.force { Freshness::ThisLogin } else { Freshness::Any },
            methods: ways.next().unwrap_or_default(),
            otherwise: ways.collect(),
            hint: self.subject.as_ref().filter(|subject| !subject.opaque).map(|subject| subject.name.clone()),
            languages: Vec::new(),
            choose_account: false,
        }
    }
}
