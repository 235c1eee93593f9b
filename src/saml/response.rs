//! What goes back: a response with a signed assertion, or with a status that says why there is none.

use std::time::Duration;

use super::encrypt::{self, EncryptionError};
use super::message::written;
use super::name_id;
use super::request::{AuthnRequest, Status};
use super::sign::Signer;
use super::write::{ASSERTION, PROTOCOL, Tag};
use crate::clock::Entropy;
use crate::domain::release::{self, Authenticator, Person};
use crate::domain::service_provider::{NameIdFormat, ServiceProvider, Signed};
use crate::domain::timestamp::Timestamp;
use crate::domain::user::Member;
use crate::keys::signing::SigningKeyError;

/// How long an assertion is good (T-43).
const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// How much clocks may differ.
const SKEW: Duration = Duration::from_secs(60);

/// What every response needs.
#[derive(Debug, Clone, Copy)]
pub struct Voice<'a> {
    /// Our entity ID.
    pub issuer: &'a str,
    /// The key that signs for this service provider.
    pub signer: Signer<'a>,
    /// Now.
    pub now: Timestamp,
    /// Randomness for identifiers.
    pub entropy: &'a Entropy,
}

/// What an assertion says about a person.
#[derive(Debug)]
pub struct Statement<'a> {
    /// The person and the groups' names.
    pub member: &'a Member,
    /// The groups' names.
    pub groups: &'a [String],
    /// The name identifier.
    pub name_id: String,
    /// Its format.
    pub format: NameIdFormat,
    /// The authentication context.
    pub class: &'a str,
    /// The authenticator that was used, where the service provider is told of it.
    pub authenticator: Option<Authenticator>,
    /// When the person was authenticated.
    pub authenticated_at: Timestamp,
    /// The session.
    pub session: String,
}

/// Why a response cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// The key refuses.
    #[error(transparent)]
    Key(#[from] SigningKeyError),
    /// Nothing can be encrypted for the service provider.
    #[error("encryption: {0}")]
    Encryption(#[from] EncryptionError),
}

/// A new identifier: 160 random bits after an underscore, because it must not begin with a digit.
#[must_use]
pub fn new_id(entropy: &Entropy) -> String {
    format!("_{}", data_encoding::HEXLOWER.encode(&entropy.bytes::<20>()))
}

/// A response with an assertion.
///
/// # Errors
/// If the key refuses, or the service provider's certificate.
pub fn success(
    voice: Voice<'_>,
    id: &str,
    request: &AuthnRequest,
    provider: &ServiceProvider,
    statement: &Statement<'_>,
) -> Result<String, ResponseError> {
    let assertion = assertion(voice, id, request, provider, statement);
    let assertion = match provider.signed {
        Signed::Assertion | Signed::Both => voice.signer.signed(&assertion, id, BEHIND_ISSUER)?,
        Signed::Response => assertion.canonical(),
    };
    let response_id = new_id(voice.entropy);
    let response = response(voice, &response_id, request).child(status(SUCCESS));
    let response = match &provider.encryption {
        Some(encryption) => response.child(encrypt::encrypted(&assertion, encryption, voice.entropy)?),
        None => response.ready(assertion),
    };
    Ok(match provider.signed {
        Signed::Response | Signed::Both => voice.signer.signed(&response, &response_id, BEHIND_ISSUER)?,
        Signed::Assertion => response.canonical(),
    })
}

/// The status of everything that went well.
pub const SUCCESS: &str = "urn:oasis:names:tc:SAML:2.0:status:Success";
/// Signatures stand behind the issuer, which comes first (core 2.3.3, 3.2.2).
pub const BEHIND_ISSUER: usize = 1;

/// A status of one level.
#[must_use]
pub fn status(code: &str) -> Tag {
    Tag::new(PROTOCOL, "Status").child(Tag::new(PROTOCOL, "StatusCode").with("Value", code))
}

/// A signed response with a status.
///
/// # Errors
/// If the key refuses.
pub fn failure(voice: Voice<'_>, request: &AuthnRequest, status: Status, why: &str) -> Result<String, ResponseError> {
    let (first, second) = status.codes();
    let codes = Tag::new(PROTOCOL, "StatusCode")
        .with("Value", first)
        .child(Tag::new(PROTOCOL, "StatusCode").with("Value", second));
    let status = Tag::new(PROTOCOL, "Status").child(codes).child(Tag::new(PROTOCOL, "StatusMessage").text(why));
    let id = new_id(voice.entropy);
    let response = response(voice, &id, request).child(status);
    Ok(voice.signer.signed(&response, &id, BEHIND_ISSUER)?)
}

fn response(voice: Voice<'_>, id: &str, request: &AuthnRequest) -> Tag {
    Tag::new(PROTOCOL, "Response")
        .with("ID", id)
        .with("Version", "2.0")
        .with("IssueInstant", written(voice.now))
        .with("Destination", &request.acs)
        .with_some("InResponseTo", request.id.as_deref())
        .child(Tag::new(ASSERTION, "Issuer").text(voice.issuer))
}

fn assertion(
    voice: Voice<'_>,
    id: &str,
    request: &AuthnRequest,
    provider: &ServiceProvider,
    statement: &Statement<'_>,
) -> Tag {
    let until = written(voice.now.plus(LIFETIME));
    let confirmation = Tag::new(ASSERTION, "SubjectConfirmationData")
        .with("NotOnOrAfter", &until)
        .with("Recipient", &request.acs)
        .with_some("InResponseTo", request.id.as_deref());
    let name = name_id::element(statement.format, &statement.name_id, voice.issuer, provider);
    let subject = Tag::new(ASSERTION, "Subject").child(name).child(
        Tag::new(ASSERTION, "SubjectConfirmation")
            .with("Method", "urn:oasis:names:tc:SAML:2.0:cm:bearer")
            .child(confirmation),
    );
    let audience =
        Tag::new(ASSERTION, "AudienceRestriction").child(Tag::new(ASSERTION, "Audience").text(&provider.entity_id));
    let conditions = Tag::new(ASSERTION, "Conditions")
        .with("NotBefore", written(voice.now.minus(SKEW)))
        .with("NotOnOrAfter", &until)
        .child(audience);
    let authn = Tag::new(ASSERTION, "AuthnStatement")
        .with("AuthnInstant", written(statement.authenticated_at))
        .with("SessionIndex", &statement.session)
        .child(
            Tag::new(ASSERTION, "AuthnContext")
                .child(Tag::new(ASSERTION, "AuthnContextClassRef").text(statement.class)),
        );
    let assertion = Tag::new(ASSERTION, "Assertion")
        .with("ID", id)
        .with("Version", "2.0")
        .with("IssueInstant", written(voice.now))
        .child(Tag::new(ASSERTION, "Issuer").text(voice.issuer))
        .child(subject)
        .child(conditions)
        .child(authn);
    assertion.children(attributes(provider, statement))
}

/// The attributes that the service provider gets; none at all if nothing has a value.
fn attributes(provider: &ServiceProvider, statement: &Statement<'_>) -> Option<Tag> {
    let person = Person::of(&statement.member.user, statement.groups, statement.authenticator);
    let attributes: Vec<Tag> = provider
        .attributes
        .iter()
        .filter_map(|attribute| {
            let values = release::values(&attribute.source, &person);
            (!values.is_empty()).then(|| {
                Tag::new(ASSERTION, "Attribute")
                    .with_some("FriendlyName", attribute.friendly_name.as_deref())
                    .with("Name", &attribute.name)
                    .with("NameFormat", attribute.format().urn())
                    .children(values.into_iter().map(|value| Tag::new(ASSERTION, "AttributeValue").text(value)))
            })
        })
        .collect();
    (!attributes.is_empty()).then(|| Tag::new(ASSERTION, "AttributeStatement").children(attributes))
}
