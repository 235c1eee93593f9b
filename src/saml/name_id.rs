//! Name identifiers: how a service provider knows a person (core 8.3, R-493). All of them are computed from what is
//! known anyway, so none has to be stored, and the same one is found again when somebody logs out.

use super::write::{ASSERTION, Tag};
use crate::domain::ids::{SessionId, TenantId};
use crate::domain::name::key_of;
use crate::domain::release::{self, Person, Source};
use crate::domain::service_provider::{NameIdFormat, ServiceProvider};
use crate::domain::user::User;
use crate::keys::derived::KeyedHash;

/// What identifiers are computed with.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The virtual server.
    pub tenant: TenantId,
    /// The keyed hash of pairwise identifiers.
    pub pairwise: &'a KeyedHash,
}

impl Names<'_> {
    /// The identifier of a person for a service provider in a session; `None` if the person has none in this format.
    ///
    /// A transient one lasts as long as the session: whoever gets it cannot join two sessions, and can still say
    /// which one has ended.
    #[must_use]
    pub fn of(
        &self,
        format: NameIdFormat,
        provider: &ServiceProvider,
        user: &User,
        session: SessionId,
    ) -> Option<String> {
        let made_of = |default| {
            let source = provider.name_id_source.as_ref().unwrap_or(&default);
            release::values(source, &Person::of(user, &[], None)).into_iter().next()
        };
        match format {
            NameIdFormat::Persistent => Some(self.persistent(provider, user)),
            NameIdFormat::Transient => {
                let fields: [&[u8]; 5] = [
                    b"saml transient",
                    &self.tenant.to_bytes(),
                    provider.entity_id.as_bytes(),
                    &user.id.to_bytes(),
                    &session.to_bytes(),
                ];
                let digest = self.pairwise.of(&fields);
                Some(format!("_{}", data_encoding::HEXLOWER.encode(digest.get(..20).unwrap_or(&digest))))
            }
            NameIdFormat::Email => made_of(Source::Email),
            NameIdFormat::Unspecified => made_of(Source::Username),
        }
    }

    fn persistent(&self, provider: &ServiceProvider, user: &User) -> String {
        let fields: [&[u8]; 4] = [b"saml", &self.tenant.to_bytes(), provider.entity_id.as_bytes(), &user.id.to_bytes()];
        data_encoding::BASE32_NOPAD.encode(&self.pairwise.of(&fields)).to_ascii_lowercase()
    }

    /// Whether `name`, which a service provider asks for, means this person: the user name, the mail address, or any
    /// identifier that this service provider gets for the person in this session (core 3.4.1).
    #[must_use]
    pub fn means(&self, name: &str, provider: &ServiceProvider, user: &User, session: SessionId) -> bool {
        let typed = key_of(name);
        let given = |(format, _): &(NameIdFormat, _)| {
            let ours = self.of(*format, provider, user, session).filter(|_| provider.may_ask_for(*format));
            ours.is_some_and(|ours| ours == name)
        };
        typed == key_of(&user.username)
            || user.email.as_ref().is_some_and(|email| typed == key_of(email))
            || NameIdFormat::ALL.iter().any(given)
    }
}

/// The element, in the words of core 2.2.3.
#[must_use]
pub fn element(format: NameIdFormat, name: &str, issuer: &str, provider: &ServiceProvider) -> Tag {
    let tag = Tag::new(ASSERTION, "NameID").with("Format", format.urn()).text(name);
    match format {
        // A pairwise identifier is one only together with both names (core 8.3.7).
        NameIdFormat::Persistent | NameIdFormat::Transient => {
            tag.with("NameQualifier", issuer).with("SPNameQualifier", &provider.entity_id)
        }
        NameIdFormat::Email | NameIdFormat::Unspecified => tag,
    }
}
