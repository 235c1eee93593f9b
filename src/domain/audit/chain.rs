//! The chain over the audit trail: what is hashed, and how a chain is checked row by row (T-61).
//!
//! An event is written in the transaction of what it tells of, without a number: a number that is counted up would be every
//! login's turn. A little later one instance *seals* it: it gives it the next number of its virtual server and two hashes.
//! The *content* is over the row as it lies in the database; the *link* is over the link before, the number, the time of
//! sealing and the content. Signed checkpoints name a number and its link. Whoever has one of them can tell whether anything
//! up to there was changed, removed, added or put into another order.
//!
//! What is hashed is a row of netstrings (the number of octets, a colon, the octets, a comma; nothing at all is a `-,`), so
//! that no two rows look the same and everybody can compute it with a few lines of any language.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;

use crate::domain::ids::TenantId;

/// The name of this form of the chain, in the first link and in exports.
pub const FORM: &str = "vestibule audit chain 1";
/// The type in the header of a signed checkpoint.
pub const CHECKPOINT_TYPE: &str = "audit-checkpoint+jwt";
/// The type in the header of a signed note of rows whose personal data was removed.
pub const REMOVAL_TYPE: &str = "audit-removal+jwt";
/// The published name of the event that carries such a note.
pub const REMOVAL_ACTION: &str = "audit_pseudonymized";
/// How long after its time an event is still taken into the chain, in microseconds: a transaction may be long, an import of
/// many people is one event after the other with the time at which it began, and clocks differ. Rows that come even later are
/// told to be no events of ours.
pub const LATEST: i64 = 6 * 60 * 60 * 1_000_000;

/// A SHA-256 value; its text is base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let octets = URL_SAFE_NO_PAD.decode(text).ok().and_then(|octets| octets.try_into().ok());
        octets.map(Self).ok_or_else(|| serde::de::Error::custom("not a SHA-256 value in base64url"))
    }
}

/// Netstrings, hashed as they come.
struct Netstrings(Sha256);

impl Netstrings {
    fn new() -> Self {
        Self(Sha256::new())
    }

    fn add(mut self, octets: &[u8]) -> Self {
        self.0.update(format!("{}:", octets.len()));
        self.0.update(octets);
        self.0.update(b",");
        self
    }

    fn add_if(self, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.add(text.as_bytes()),
            None => Self(self.0.chain_update(b"-,")),
        }
    }

    fn number(self, number: i64) -> Self {
        self.add(number.to_string().as_bytes())
    }

    fn hash(self) -> Hash {
        Hash(self.0.finalize().into())
    }
}

/// An event as it lies in the database: every column, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its identifier.
    pub id: String,
    /// When, in microseconds since 1970.
    pub at: i64,
    /// What kind of actor.
    pub actor_kind: String,
    /// The actor's name or identifier.
    pub actor: String,
    /// What the actor was called.
    #[serde(default)]
    pub actor_name: Option<String>,
    /// From where.
    pub address: String,
    /// What happened.
    pub action: String,
    /// What it happened to.
    pub object: String,
    /// Its identifier.
    pub object_id: String,
    /// The login in which it happened.
    #[serde(default)]
    pub correlation_id: Option<String>,
    /// The rest: the text of a JSON document, octet by octet as it is stored.
    pub detail: String,
}

impl Entry {
    /// The hash over all of it and the virtual server it belongs to.
    #[must_use]
    pub fn content(&self, tenant: TenantId) -> Hash {
        Netstrings::new()
            .add(b"vestibule audit event 1")
            .add(tenant.to_string().as_bytes())
            .add(self.id.as_bytes())
            .number(self.at)
            .add(self.actor_kind.as_bytes())
            .add(self.actor.as_bytes())
            .add_if(self.actor_name.as_deref())
            .add(self.address.as_bytes())
            .add(self.action.as_bytes())
            .add(self.object.as_bytes())
            .add(self.object_id.as_bytes())
            .add_if(self.correlation_id.as_deref())
            .add(self.detail.as_bytes())
            .hash()
    }
}

/// What the chain holds of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its number, from 1 on without gaps.
    pub number: i64,
    /// When it was sealed, in microseconds since 1970.
    pub sealed_at: i64,
    /// The hash over the event as it was then.
    pub content: Hash,
    /// The hash over all before and this.
    pub hash: Hash,
}

/// Where a chain stands: the last number and its link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The last number; 0 before the first event.
    pub number: i64,
    /// Its link.
    pub hash: Hash,
}

impl Head {
    /// Before the first event of a virtual server.
    #[must_use]
    pub fn beginning(tenant: TenantId) -> Self {
        let hash = Netstrings::new().add(FORM.as_bytes()).add(tenant.to_string().as_bytes()).hash();
        Self { number: 0, hash }
    }

    /// The link of the next event.
    #[must_use]
    pub fn next(self, sealed_at: i64, content: Hash) -> Link {
        let number = self.number.saturating_add(1);
        let hash = Netstrings::new().add(&self.hash.0).number(number).number(sealed_at).add(&content.0).hash();
        Link { number, sealed_at, content, hash }
    }
}

impl From<Link> for Head {
    fn from(link: Link) -> Self {
        Self { number: link.number, hash: link.hash }
    }
}

/// What a checkpoint says and its signature covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Whose chain.
    pub tenant: String,
    /// Up to this number …
    pub number: i64,
    /// … whose link is this.
    pub hash: Hash,
    /// When it was signed, in microseconds since 1970.
    pub at: i64,
}

/// What a note of removed personal data says and its signature covers: the rows, and what they look like now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// Whose chain.
    pub tenant: String,
    /// The rows by their numbers, with the hash over what is left of each.
    pub rows: BTreeMap<i64, Hash>,
}

/// The detail of the event that carries a [`Removal`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovalNote {
    /// How many rows.
    pub rows: usize,
    /// The signed [`Removal`].
    pub note: String,
}

/// One line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Line {
    /// The first line.
    Head {
        /// [`FORM`].
        form: String,
        /// The virtual server's identifier.
        tenant: String,
        /// Its code in addresses.
        code: String,
        /// Where the chain stands before the first line that follows.
        after: Head,
        /// The checkpoint for that, signed; none at the very beginning of a chain.
        checkpoint: Option<String>,
        /// The public keys that signed the checkpoints, a JWK set.
        keys: serde_json::Value,
    },
    /// An event with its link.
    Event {
        /// The link.
        #[serde(flatten)]
        link: Link,
        /// The event.
        event: Entry,
    },
    /// A link whose event is not part of the export: it is outside of the time that was asked for.
    Link(Link),
    /// A signed checkpoint: a JWT with a [`Checkpoint`].
    Checkpoint {
        /// The number it is for.
        number: i64,
        /// The JWT.
        jwt: String,
    },
    /// The last line.
    End {
        /// The last number.
        number: i64,
        /// How many events stand above.
        events: u64,
    },
}

/// What is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// The event is not what was sealed.
    Edited,
    /// The event is not there.
    Missing,
    /// This number and perhaps more are not there, or stand elsewhere.
    Gap {
        /// The number that stands here instead.
        found: i64,
    },
    /// The number was there before.
    Again,
    /// The link does not follow from the one before: number, time of sealing or hash were changed, or a row was put here.
    Unlinked,
    /// There is such an event, and the chain knows nothing of it.
    Inserted,
    /// A signature that is not one of the virtual server's keys, or not over this.
    BadSignature,
    /// The checkpoint was signed over another chain: everything since the checkpoint before was rewritten.
    Rewritten {
        /// The last number that a good checkpoint stands for.
        since: i64,
    },
    /// What a good checkpoint has seen is gone: the end was cut off.
    CutOff,
    /// A line that is none of an export.
    NoLine,
}

/// The first bad row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its number; the number that it should have, where it has none.
    pub number: i64,
    /// The event's identifier, where there is one.
    pub event: Option<String>,
    /// What is wrong.
    pub wrong: Wrong,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        write!(f, "row {number}")?;
        if let Some(event) = &self.event {
            write!(f, " (event {event})")?;
        }
        match &self.wrong {
            Wrong::Edited => f.write_str(": the event was changed after it was sealed"),
            Wrong::Missing => f.write_str(": the event was deleted"),
            Wrong::Gap { found } => write!(f, ": is missing here; row {found} stands in its place"),
            Wrong::Again => f.write_str(": stands here a second time"),
            Wrong::Unlinked => f.write_str(": does not follow from the row before; it was put here, or changed"),
            Wrong::Inserted => f.write_str(": was added behind the service's back; the chain does not know it"),
            Wrong::BadSignature => f.write_str(": is signed by none of the virtual server's keys"),
            Wrong::Rewritten { since } => {
                write!(f, ": the checkpoint was signed over something else; what follows row {since} was written anew")
            }
            Wrong::CutOff => f.write_str(": the chain ends before it; what was sealed last was deleted"),
            Wrong::NoLine => f.write_str(": the line that should hold it is no line of an export"),
        }
    }
}

/// What a good chain holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The first number that was looked at.
    pub first: i64,
    /// The last one.
    pub last: i64,
    /// How many events were compared with their hashes.
    pub events: u64,
    /// How many signed checkpoints were good.
    pub checkpoints: u64,
    /// The number of the last of them, up to which nothing can have been rewritten without the key.
    pub signed: i64,
    /// How many events had personal data removed later, as signed notes say.
    pub removed: u64,
    /// How many events were sealed more than a minute after their time.
    pub late: u64,
}

/// More rows that differ from what was sealed are not remembered: something else is wrong then.
const MOST_OPEN: usize = 100_000;

/// Checks a chain row by row. Whoever reads the rows feeds it; `opened` tells what a signed text of a type says, if its
/// signature is good.
pub struct Verifier<'a> {
    tenant: TenantId,
    head: Head,
    found: Found,
    /// Events that are not what was sealed, until a note tells that personal data was removed from them.
    open: BTreeMap<i64, (String, Hash)>,
    /// The first checkpoint that does not fit, told only if no row before it is bad.
    opened: &'a dyn Fn(&str, &str) -> Option<serde_json::Value>,
}

impl fmt::Debug for Verifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("head", &self.head).finish_non_exhaustive()
    }
}

impl<'a> Verifier<'a> {
    /// A verifier that begins after `head`. `opened(type, text)` gives the claims of a signed text whose signature is good.
    #[must_use]
    pub fn new(tenant: TenantId, head: Head, opened: &'a dyn Fn(&str, &str) -> Option<serde_json::Value>) -> Self {
        let found = Found { first: head.number + 1, last: head.number, signed: head.number, ..Found::default() };
        Self { tenant, head, found, open: BTreeMap::new(), opened }
    }

    /// Where it stands.
    #[must_use]
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The next link.
    ///
    /// # Errors
    /// If it does not follow.
    pub fn link(&mut self, link: Link) -> Result<(), Fault> {
        let expected = self.head.number + 1;
        let fault = |number, wrong| Err(Fault { number, event: None, wrong });
        if link.number > expected {
            return fault(expected, Wrong::Gap { found: link.number });
        }
        if link.number < expected {
            return fault(link.number, Wrong::Again);
        }
        if self.head.next(link.sealed_at, link.content) != link {
            return fault(expected, Wrong::Unlinked);
        }
        self.head = link.into();
        self.found.last = link.number;
        Ok(())
    }

    /// The next link with its event, or without one if the event is not there.
    ///
    /// # Errors
    /// If the link does not follow, or there is no event.
    pub fn event(&mut self, link: Link, event: Option<&Entry>) -> Result<(), Fault> {
        let id = event.map(|event| event.id.clone());
        self.link(link).map_err(|fault| match fault.wrong {
            // It is another row that is bad.
            Wrong::Gap { .. } => fault,
            _ => Fault { event: id, ..fault },
        })?;
        let Some(event) = event else {
            return Err(Fault { number: link.number, event: None, wrong: Wrong::Missing });
        };
        let content = event.content(self.tenant);
        if content != link.content {
            if self.open.len() < MOST_OPEN {
                self.open.insert(link.number, (event.id.clone(), content));
            } else {
                return Err(self.first_open().unwrap_or(Fault {
                    number: link.number,
                    event: Some(event.id.clone()),
                    wrong: Wrong::Edited,
                }));
            }
        } else if event.action == REMOVAL_ACTION {
            self.settle(&event.detail);
        }
        self.found.events += 1;
        self.found.late += u64::from(link.sealed_at.saturating_sub(event.at) > 60_000_000);
        Ok(())
    }

    /// A note tells of rows whose personal data was removed: where it is signed, and they look as it says, they are good.
    fn settle(&mut self, detail: &str) {
        let Ok(RemovalNote { note, .. }) = serde_json::from_str(detail) else { return };
        let Some(claims) = (self.opened)(REMOVAL_TYPE, &note) else { return };
        let Ok(removal) = serde_json::from_value::<Removal>(claims) else { return };
        if removal.tenant != self.tenant.to_string() {
            return;
        }
        for (number, left) in removal.rows {
            if self.open.get(&number).is_some_and(|(_, content)| *content == left) {
                self.open.remove(&number);
                self.found.removed += 1;
            }
        }
    }

    /// A signed checkpoint for the row that came last.
    ///
    /// # Errors
    /// If it was not signed by one of the keys, or over something else.
    pub fn checkpoint(&mut self, jwt: &str) -> Result<(), Fault> {
        let number = self.head.number;
        let fault = |wrong| Fault { number, event: None, wrong };
        let claims = (self.opened)(CHECKPOINT_TYPE, jwt).ok_or_else(|| fault(Wrong::BadSignature))?;
        let checkpoint: Checkpoint = serde_json::from_value(claims).map_err(|_| fault(Wrong::BadSignature))?;
        if checkpoint.tenant != self.tenant.to_string() {
            return Err(fault(Wrong::BadSignature));
        }
        let signed = Head { number: checkpoint.number, hash: checkpoint.hash };
        if signed != self.head {
            let since = self.found.signed;
            return Err(self.first_open().unwrap_or_else(|| fault(Wrong::Rewritten { since })));
        }
        self.found.checkpoints += 1;
        self.found.signed = number;
        Ok(())
    }

    fn first_open(&self) -> Option<Fault> {
        let (number, (event, _)) = self.open.first_key_value()?;
        Some(Fault { number: *number, event: Some(event.clone()), wrong: Wrong::Edited })
    }

    /// What was wrong earlier than `fault`, if anything was: events that differ are told only when no note explains them.
    #[must_use]
    pub fn earliest(&self, fault: Fault) -> Fault {
        self.first_open().filter(|open| open.number < fault.number).unwrap_or(fault)
    }

    /// The end was reached.
    ///
    /// # Errors
    /// The first event that differs from what was sealed without a note that explains it.
    pub fn end(self) -> Result<Found, Fault> {
        match self.first_open() {
            Some(fault) => Err(fault),
            None => Ok(self.found),
        }
    }
}

#[cfg(test)]
#[path = "chain_tests.rs"]
mod tests;
