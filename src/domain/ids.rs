//! Typed identifiers: 128-bit numbers that name one row each, drawn at random.
//!
//! Keys are never counted up: a cluster needs no agreement on the next number, and an identifier
//! tells nothing about how many others there are. An identifier is a name, never a secret: knowing
//! one gives no right (security.md, T-08).
//!
//! What is made by the thousand, and forgotten (logins, sessions, events), gets identifiers that begin with the time, as
//! in a UUID of version 7 (RFC 9562 5.7): their rows lie side by side, and a database writes one page for several of them.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::timestamp::Timestamp;

/// A 128-bit random identifier of an `Of`, written as 26 lower-case base32 characters.
///
/// The type parameter keeps a user's identifier from being passed where a token's is wanted.
pub struct Id<Of> {
    bits: u128,
    of: PhantomData<fn() -> Of>,
}

impl<Of> Id<Of> {
    /// The identifier with these bits; callers draw them from [`crate::clock::Entropy`].
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self { bits, of: PhantomData }
    }

    /// The identifier of something that is made `at` a time: 48 bits of milliseconds since 1970, then 80 random bits.
    #[must_use]
    pub fn made(at: Timestamp, random: [u8; 10]) -> Self {
        let millis = u128::try_from(at.micros().max(0) / 1000).unwrap_or(0);
        Self::from_bits(random.iter().fold(millis, |bits, octet| (bits << 8) | u128::from(*octet)))
    }

    /// When it was [`made`](Self::made); any time for an identifier that was drawn at random.
    #[must_use]
    pub fn made_at(self) -> Timestamp {
        Timestamp::from_micros(i64::try_from(self.bits >> 80).unwrap_or(i64::MAX).saturating_mul(1000))
    }

    /// The 16 bytes of the identifier, for binding a sealed secret to its row.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.bits.to_be_bytes()
    }
}

// Written by hand because a derive would demand the same trait of the marker type.
impl<Of> Clone for Id<Of> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<Of> Copy for Id<Of> {}
impl<Of> PartialEq for Id<Of> {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}
impl<Of> Eq for Id<Of> {}
impl<Of> PartialOrd for Id<Of> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<Of> Ord for Id<Of> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.bits.cmp(&other.bits)
    }
}
impl<Of> std::hash::Hash for Id<Of> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.bits.hash(state);
    }
}

impl<Of> fmt::Display for Id<Of> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 26];
        BASE32_NOPAD.encode_mut(&self.bits.to_be_bytes(), &mut text);
        text.make_ascii_lowercase();
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl<Of> fmt::Debug for Id<Of> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not one of our identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier: 26 characters a to z and 2 to 7 are expected")]
pub struct NotAnId;

impl<Of> FromStr for Id<Of> {
    type Err = NotAnId;

    /// Accepts exactly what [`fmt::Display`] writes, so that one row never has two names.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let mut upper: [u8; 26] = text.as_bytes().try_into().map_err(|_| NotAnId)?;
        if upper.iter().any(u8::is_ascii_uppercase) {
            return Err(NotAnId);
        }
        upper.make_ascii_uppercase();
        let mut bytes = [0; 16];
        BASE32_NOPAD.decode_mut(&upper, &mut bytes).map_err(|_| NotAnId)?;
        Ok(Self::from_bits(u128::from_be_bytes(bytes)))
    }
}

impl<Of> Serialize for Id<Of> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, Of> Deserialize<'de> for Id<Of> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Marks what an [`Id`] names. No value of these types exists.
pub mod of {
    /// A virtual server.
    pub enum Tenant {}
    /// A person's account.
    pub enum User {}
    /// A group of users.
    pub enum Group {}
    /// A relying party, a service provider or one of our own doors.
    pub enum Application {}
    /// An access policy.
    pub enum Policy {}
    /// One login, from the application's request to its answer.
    pub enum Login {}
    /// A request that waits for its browser to come back with its cookies.
    pub enum Parked {}
    /// A single sign-on session.
    pub enum Session {}
    /// An enrolled authenticator.
    pub enum Token {}
    /// An export of tokens with their secrets.
    pub enum TokenExport {}
    /// A pending enrollment.
    pub enum Enrollment {}
    /// A code sent by mail.
    pub enum EmailCode {}
    /// An activation shown to a device.
    pub enum Activation {}
    /// A single logout on its way.
    pub enum Logout {}
    /// An OpenID Connect grant (authorization code and what was issued for it).
    pub enum Grant {}
    /// A key that signs.
    pub enum SigningKey {}
    /// A mail waiting to be sent.
    pub enum Mail {}
    /// An audit event.
    pub enum Event {}
    /// An alert to operators.
    pub enum Alert {}
    /// A person's place in a provisioning task.
    pub enum Reservation {}
    /// A link in a self-enrollment mail.
    pub enum Link {}
    /// A provisioning rule.
    pub enum Rule {}
    /// A case that policies are held against.
    pub enum TestCase {}
    /// A role that a virtual server made for its operators.
    pub enum Role {}
    /// A key to the management API.
    pub enum ApiKey {}
    /// A program of others that hears of alerts.
    pub enum Webhook {}
    /// Something on its way to a webhook.
    pub enum Delivery {}
    /// A report that is made again and again.
    pub enum Schedule {}
    /// Work on many people or tokens.
    pub enum Job {}
    /// A wave of the rollout.
    pub enum Wave {}
    /// All events of one login, as the user can quote it from an error page.
    pub enum Correlation {}
}

/// Names a virtual server.
pub type TenantId = Id<of::Tenant>;
/// Names a user account.
pub type UserId = Id<of::User>;
/// Names a group.
pub type GroupId = Id<of::Group>;
/// Names an application.
pub type ApplicationId = Id<of::Application>;
/// Names an access policy.
pub type PolicyId = Id<of::Policy>;
/// Names a login.
pub type LoginId = Id<of::Login>;
/// Names a request that waits for its browser.
pub type ParkedId = Id<of::Parked>;
/// Names a single sign-on session.
pub type SessionId = Id<of::Session>;
/// Names an enrolled authenticator.
pub type TokenId = Id<of::Token>;
/// Names an export of tokens with their secrets.
pub type TokenExportId = Id<of::TokenExport>;
/// Names a pending enrollment.
pub type EnrollmentId = Id<of::Enrollment>;
/// Names a mailed verification code.
pub type EmailCodeId = Id<of::EmailCode>;
/// Names an activation.
pub type ActivationId = Id<of::Activation>;
/// Names a single logout on its way.
pub type LogoutId = Id<of::Logout>;
/// Names an OpenID Connect grant.
pub type GrantId = Id<of::Grant>;
/// Names a signing key.
pub type SigningKeyId = Id<of::SigningKey>;
/// Names a mail in the outbox.
pub type MailId = Id<of::Mail>;
/// Names an audit event.
pub type EventId = Id<of::Event>;
/// Names an alert to operators.
pub type AlertId = Id<of::Alert>;
/// Names a person's place in a provisioning task.
pub type ReservationId = Id<of::Reservation>;
/// Names a link in a self-enrollment mail.
pub type LinkId = Id<of::Link>;
/// Names a provisioning rule.
pub type RuleId = Id<of::Rule>;
/// Names a case that policies are held against.
pub type TestCaseId = Id<of::TestCase>;
/// Names a role of operators.
pub type RoleId = Id<of::Role>;
/// Names a key to the management API.
pub type ApiKeyId = Id<of::ApiKey>;
/// Names a program of others that hears of alerts.
pub type WebhookId = Id<of::Webhook>;
/// Names something on its way to a webhook.
pub type DeliveryId = Id<of::Delivery>;
/// Names a report that is made again and again.
pub type ScheduleId = Id<of::Schedule>;
/// Names work on many people or tokens.
pub type JobId = Id<of::Job>;
/// Names a wave of the rollout.
pub type WaveId = Id<of::Wave>;
/// Names everything that one login caused.
pub type CorrelationId = Id<of::Correlation>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_survives_its_text_and_nothing_else_is_one() {
        let id = UserId::from_bits(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
        assert_eq!(id.to_string().parse::<UserId>(), Ok(id));
        for bad in ["", "a", &id.to_string().to_uppercase(), &format!("{id}a"), "01234567890123456789012345"] {
            assert_eq!(bad.parse::<UserId>(), Err(NotAnId), "{bad}");
        }
        // The last character holds three bits only; another one with the same three would be a second name.
        assert!("aaaaaaaaaaaaaaaaaaaaaaaaab".parse::<UserId>().is_err());
    }

    /// RFC 9562 5.7 in spirit: the time in front, so that what is made together lies together; 80 random bits behind.
    #[test]
    fn an_identifier_of_something_made_now_begins_with_the_time() {
        let at = Timestamp::from_micros(0x0123_4567_89ab * 1000 + 999);
        let id = UserId::made(at, [0xff, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(id, UserId::from_bits(0x0123_4567_89ab_ff00_0000_0000_0000_0001));
        assert_eq!(id.made_at(), Timestamp::from_micros(0x0123_4567_89ab * 1000));
        let (early, late) =
            (UserId::made(at, [0xff; 10]), UserId::made(at.plus(std::time::Duration::from_millis(1)), [0; 10]));
        assert!(early < late);
    }
}
