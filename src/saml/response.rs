//! What goes back: a response with a signed assertion, or with a status that says why there is none.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::context;
use super::request::{AuthnRequest, Status};
use super::sign::signed;
use super::write::{ASSERTION, PROTOCOL, Tag};
use crate::clock::Entropy;
use crate::domain::ids::{TenantId, UserId};
use crate::domain::name::key_of;
use crate::domain::release::{self, Person};
use crate::domain::service_provider::{NameIdFormat, ServiceProvider, Signed};
use crate::domain::timestamp::Timestamp;
use crate::domain::user::{Member, User};
use crate::keys::derived::KeyedHash;
use crate::keys::signing::{SigningKey, SigningKeyError};

/// How long an assertion is good (T-43).
const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// How much clocks may differ.
const SKEW: Duration = Duration::from_secs(60);

/// What every response needs.
#[derive(Debug, Clone, Copy)]
pub struct Voice<'a> {
    /// Our entity ID.
    pub issuer: &'a str,
    /// The key.
    pub key: &'a SigningKey,
    /// Its certificate in DER.
    pub certificate: &'a [u8],
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
    /// Whether both factors were proven.
    pub multi: bool,
    /// When the person was authenticated.
    pub authenticated_at: Timestamp,
    /// The session.
    pub session: String,
}

/// A new identifier: 160 random bits after an underscore, because it must not begin with a digit.
#[must_use]
pub fn new_id(entropy: &Entropy) -> String {
    format!("_{}", data_encoding::HEXLOWER.encode(&entropy.bytes::<20>()))
}

/// The name identifier of a person for a service provider; `None` if the person has none in this format.
#[must_use]
pub fn name_id(
    format: NameIdFormat,
    provider: &ServiceProvider,
    member: &Member,
    tenant: TenantId,
    (pairwise, entropy): (&KeyedHash, &Entropy),
) -> Option<String> {
    match format {
        NameIdFormat::Persistent => Some(pairwise_id(pairwise, tenant, &provider.entity_id, member.user.id)),
        NameIdFormat::Transient => Some(new_id(entropy)),
        NameIdFormat::Email => member.user.email.clone(),
        NameIdFormat::Unspecified => Some(member.user.username.clone()),
    }
}

/// Whether `name`, which a service provider asks for, means this person: the user name, the mail address, or the
/// identifier that this service provider got for the person.
#[must_use]
pub fn means(name: &str, provider: &ServiceProvider, user: &User, (tenant, pairwise): (TenantId, &KeyedHash)) -> bool {
    let typed = key_of(name);
    typed == key_of(&user.username)
        || user.email.as_ref().is_some_and(|email| typed == key_of(email))
        || name == pairwise_id(pairwise, tenant, &provider.entity_id, user.id)
}

fn pairwise_id(pairwise: &KeyedHash, tenant: TenantId, entity_id: &str, user: UserId) -> String {
    let digest = pairwise.of(&[b"saml", &tenant.to_bytes(), entity_id.as_bytes(), &user.to_bytes()]);
    data_encoding::BASE32_NOPAD.encode(&digest).to_ascii_lowercase()
}

/// A response with an assertion, in base64 as a form carries it.
///
/// # Errors
/// If the key refuses.
pub fn success(
    voice: Voice<'_>,
    id: &str,
    request: &AuthnRequest,
    provider: &ServiceProvider,
    statement: &Statement<'_>,
) -> Result<String, SigningKeyError> {
    let assertion = assertion(voice, id, request, provider, statement);
    let assertion = match provider.signed {
        Signed::Assertion | Signed::Both => signed(assertion, id, voice.key, voice.certificate)?,
        Signed::Response => assertion.canonical(),
    };
    let response_id = new_id(voice.entropy);
    let status = Tag::new(PROTOCOL, "Status")
        .child(Tag::new(PROTOCOL, "StatusCode").with("Value", "urn:oasis:names:tc:SAML:2.0:status:Success"));
    let response = response(voice, &response_id, request).child(status).ready(assertion);
    let xml = match provider.signed {
        Signed::Response | Signed::Both => signed(response, &response_id, voice.key, voice.certificate)?,
        Signed::Assertion => response.canonical(),
    };
    Ok(STANDARD.encode(xml))
}

/// A signed response with a status, in base64.
///
/// # Errors
/// If the key refuses.
pub fn failure(voice: Voice<'_>, request: &AuthnRequest, status: Status, why: &str) -> Result<String, SigningKeyError> {
    let (first, second) = status.codes();
    let codes = Tag::new(PROTOCOL, "StatusCode")
        .with("Value", first)
        .child(Tag::new(PROTOCOL, "StatusCode").with("Value", second));
    let status = Tag::new(PROTOCOL, "Status").child(codes).child(Tag::new(PROTOCOL, "StatusMessage").text(why));
    let id = new_id(voice.entropy);
    let response = response(voice, &id, request).child(status);
    Ok(STANDARD.encode(signed(response, &id, voice.key, voice.certificate)?))
}

fn response(voice: Voice<'_>, id: &str, request: &AuthnRequest) -> Tag {
    Tag::new(PROTOCOL, "Response")
        .with("ID", id)
        .with("Version", "2.0")
        .with("IssueInstant", instant(voice.now))
        .with("Destination", &request.acs)
        .with_some("InResponseTo", request.id.as_deref())
        .child(Tag::new(ASSERTION, "Issuer").text(voice.issuer))
}

/// A point in time in whole seconds, as the oldest service providers read it.
fn instant(at: Timestamp) -> String {
    Timestamp::from_seconds(at.seconds()).rfc3339().chars().take(19).collect::<String>() + "Z"
}

fn assertion(
    voice: Voice<'_>,
    id: &str,
    request: &AuthnRequest,
    provider: &ServiceProvider,
    statement: &Statement<'_>,
) -> Tag {
    let until = instant(voice.now.plus(LIFETIME));
    let confirmation = Tag::new(ASSERTION, "SubjectConfirmationData")
        .with("NotOnOrAfter", &until)
        .with("Recipient", &request.acs)
        .with_some("InResponseTo", request.id.as_deref());
    let subject = Tag::new(ASSERTION, "Subject").child(name_id_tag(voice, provider, statement)).child(
        Tag::new(ASSERTION, "SubjectConfirmation")
            .with("Method", "urn:oasis:names:tc:SAML:2.0:cm:bearer")
            .child(confirmation),
    );
    let audience =
        Tag::new(ASSERTION, "AudienceRestriction").child(Tag::new(ASSERTION, "Audience").text(&provider.entity_id));
    let conditions = Tag::new(ASSERTION, "Conditions")
        .with("NotBefore", instant(voice.now.minus(SKEW)))
        .with("NotOnOrAfter", &until)
        .child(audience);
    let class = context::claimed(&request.contexts, statement.multi);
    let authn = Tag::new(ASSERTION, "AuthnStatement")
        .with("AuthnInstant", instant(statement.authenticated_at))
        .with("SessionIndex", &statement.session)
        .child(Tag::new(ASSERTION, "AuthnContext").child(Tag::new(ASSERTION, "AuthnContextClassRef").text(class)));
    let assertion = Tag::new(ASSERTION, "Assertion")
        .with("ID", id)
        .with("Version", "2.0")
        .with("IssueInstant", instant(voice.now))
        .child(Tag::new(ASSERTION, "Issuer").text(voice.issuer))
        .child(subject)
        .child(conditions)
        .child(authn);
    assertion.children(attributes(provider, statement))
}

fn name_id_tag(voice: Voice<'_>, provider: &ServiceProvider, statement: &Statement<'_>) -> Tag {
    let tag = Tag::new(ASSERTION, "NameID").with("Format", statement.format.urn()).text(&statement.name_id);
    match statement.format {
        // A pairwise identifier is one only together with both names (core 8.3.7).
        NameIdFormat::Persistent => {
            tag.with("NameQualifier", voice.issuer).with("SPNameQualifier", &provider.entity_id)
        }
        _ => tag,
    }
}

/// The attributes that the service provider gets; none at all if nothing has a value.
fn attributes(provider: &ServiceProvider, statement: &Statement<'_>) -> Option<Tag> {
    let user = &statement.member.user;
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (first, last) = (given(&user.first_name), given(&user.last_name));
    let person = Person {
        username: &user.username,
        email: user.email.as_deref(),
        first_name: first.as_deref(),
        last_name: last.as_deref(),
        display_name: None,
        language: user.language.as_deref(),
        groups: statement.groups,
    };
    let attributes: Vec<Tag> = provider
        .attributes
        .iter()
        .filter_map(|rule| {
            let values = release::values(&rule.source, &person);
            let format = if rule.name.contains(':') { "uri" } else { "basic" };
            (!values.is_empty()).then(|| {
                Tag::new(ASSERTION, "Attribute")
                    .with("Name", &rule.name)
                    .with("NameFormat", format!("urn:oasis:names:tc:SAML:2.0:attrname-format:{format}"))
                    .children(values.into_iter().map(|value| Tag::new(ASSERTION, "AttributeValue").text(value)))
            })
        })
        .collect();
    (!attributes.is_empty()).then(|| Tag::new(ASSERTION, "AttributeStatement").children(attributes))
}
