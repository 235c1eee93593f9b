//! The one gate: every message that comes in is read here, by redirect, by form or in an envelope. What comes out is who
//! sent it, and the only octets that anybody may look at afterwards (T-31).

use super::message::{self, MessageError};
use super::soap;
use super::verify::{self, RawQuery, SignatureError, decoded};
use crate::domain::application::Application;
use crate::domain::service_provider::ServiceProvider;
use crate::http::Form;
use crate::xml::Element;

/// A message of a registered service provider.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// The message, as it may be read.
    pub root: Element,
    /// Who sent it.
    pub application: &'a Application,
    /// Its registration.
    pub provider: &'a ServiceProvider,
    /// Whether its signature was checked; a wrong one never gets here.
    pub signed: bool,
    /// Goes back unchanged.
    pub relay_state: Option<String>,
    /// Whether it came as `SAMLRequest`, not as `SAMLResponse`.
    pub is_request: bool,
    /// Whether a server brought it, not a browser.
    pub by_server: bool,
}

/// A message in the query of an address. `find` knows the registered service providers by their entity IDs.
///
/// # Errors
/// See [`MessageError`].
pub fn redirected<'a>(
    query: &str,
    find: impl Fn(&str) -> Option<(&'a Application, &'a ServiceProvider)>,
) -> Result<Incoming<'a>, MessageError> {
    let raw = RawQuery::split(query)?;
    if raw.encoding.map(decoded).transpose()?.is_some_and(|named| named != message::DEFLATE) {
        return Err(MessageError::Decode("it is announced in an encoding that we do not know"));
    }
    let (name, encoded) = raw.message().ok_or(MessageError::Content("there is no message"))?;
    let root = Element::parse(&message::inflated(&decoded(encoded)?)?).map_err(SignatureError::Xml)?;
    // The signature of a redirect stands in the address; one inside must have been taken out (bindings 3.4.4.1), and
    // whoever leaves one in wants somebody to take it for good (AC-40).
    if root.count("Signature") > 0 {
        return Err(SignatureError::Shape.into());
    }
    let found = message::issuer(&root).and_then(find);
    let (application, provider) = found.ok_or(MessageError::Unknown)?;
    let signed = raw.is_signed(&provider.certificates)?;
    let relay_state = raw.relay_state.map(decoded).transpose()?;
    message::check_relay_state(relay_state.as_deref())?;
    Ok(Incoming {
        root,
        application,
        provider,
        signed,
        relay_state,
        is_request: name == "SAMLRequest",
        by_server: false,
    })
}

/// A message in a form that was posted.
///
/// # Errors
/// See [`MessageError`].
pub fn posted<'a>(
    form: &Form,
    find: impl Fn(&str) -> Option<(&'a Application, &'a ServiceProvider)>,
) -> Result<Incoming<'a>, MessageError> {
    // A field that is there twice would read as empty, and RelayState goes back unchanged or not at all.
    let names = ["SAMLRequest", "SAMLResponse"];
    if form.times("RelayState") > 1 || names.iter().map(|name| form.times(name)).sum::<usize>() > 1 {
        return Err(MessageError::Content("a parameter is there twice"));
    }
    let is_request = !form.has("SAMLResponse");
    let octets = message::base64(form.text(if is_request { "SAMLRequest" } else { "SAMLResponse" }))?;
    let relay_state = form.has("RelayState").then(|| form.text("RelayState").to_owned());
    message::check_relay_state(relay_state.as_deref())?;
    Ok(Incoming { relay_state, is_request, ..document(&octets, find)? })
}

/// A request that a server brought in an envelope (bindings 3.2).
///
/// # Errors
/// See [`MessageError`].
pub fn enveloped<'a>(
    octets: &[u8],
    find: impl Fn(&str) -> Option<(&'a Application, &'a ServiceProvider)>,
) -> Result<Incoming<'a>, MessageError> {
    let letter = soap::opened(octets).map_err(SignatureError::Xml)?;
    Ok(Incoming { by_server: true, ..document(letter.as_bytes(), find)? })
}

/// A request that may have a signature inside.
fn document<'a>(
    octets: &[u8],
    find: impl Fn(&str) -> Option<(&'a Application, &'a ServiceProvider)>,
) -> Result<Incoming<'a>, MessageError> {
    let unverified = Element::parse(octets).map_err(SignatureError::Xml)?;
    let found = message::issuer(&unverified).and_then(find);
    let (application, provider) = found.ok_or(MessageError::Unknown)?;
    let (root, signed) = verify::posted(octets, &provider.certificates)?;
    // The signed document is read anew; its issuer must be the one whose certificates were taken.
    if message::issuer(&root) != Some(provider.entity_id.as_str()) {
        return Err(MessageError::Unknown);
    }
    Ok(Incoming { root, application, provider, signed, relay_state: None, is_request: true, by_server: false })
}
