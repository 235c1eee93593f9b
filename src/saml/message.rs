//! What is true of every message that comes in: how it is encoded, and what its root must say (core 3.2.1, 3.2.2).

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Decompress, FlushDecompress, Status};

use super::verify::SignatureError;
use super::write::{ASSERTION, PROTOCOL};
use crate::domain::timestamp::Timestamp;
use crate::xml::{Element, LONGEST};

/// The one encoding of a redirect (bindings 3.4.4.1).
pub const DEFLATE: &str = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE";
/// The HTTP-POST binding.
pub const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";
/// The HTTP-Redirect binding.
pub const REDIRECT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect";
/// The SOAP binding.
pub const SOAP: &str = "urn:oasis:names:tc:SAML:2.0:bindings:SOAP";
/// The longest message in an address, in characters, decoded from percent encoding (T-37).
const LONGEST_REDIRECTED: usize = 16 * 1024;
/// The longest message in a form, in characters; no form is longer as a whole.
const LONGEST_POSTED: usize = LONGEST;
/// How much larger a message may get when it is inflated (T-37).
const MOST_RATIO: usize = 40;
/// How old a message may be, and how far clocks may differ.
pub const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// The longest RelayState, in octets. The bindings say 80 (3.4.3, 3.5.3), and many service providers put the
/// address into it that the person came from, or a sealed state of their own: more than a thousand octets are
/// common. It goes back unchanged or not at all: cut short, it would break the service provider's own
/// check of it, and people would not get to where they wanted.
pub const LONGEST_RELAY_STATE: usize = 4096;
/// The format of an issuer that is an entity ID (core 8.3.6).
const ENTITY: &str = "urn:oasis:names:tc:SAML:2.0:nameid-format:entity";

/// Octets of most messages, inflated.
const USUAL: usize = 4096;

thread_local! {
    /// Some forty kilobytes, which are not made anew for each message.
    static INFLATING: RefCell<Decompress> = RefCell::new(Decompress::new(false));
}

/// Why a message cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not base64, not deflated, too long.
    #[error("the message cannot be decoded: {0}")]
    Decode(&'static str),
    /// The signature is not good.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// It is not a message of ours to answer.
    #[error("{0}")]
    Content(&'static str),
    /// Nobody with this entity ID is registered.
    #[error("no service provider is registered under the entity ID of the message")]
    Unknown,
}

/// Undoes the encoding of a redirect: base64, then deflate, with hard limits (T-37).
///
/// # Errors
/// [`MessageError::Decode`].
pub fn inflated(encoded: &str) -> Result<Vec<u8>, MessageError> {
    if encoded.len() > LONGEST_REDIRECTED {
        return Err(MessageError::Decode("it is too long"));
    }
    let packed = base64(encoded)?;
    let most = LONGEST.min(packed.len().saturating_mul(MOST_RATIO)).saturating_add(1);
    INFLATING.with_borrow_mut(|state| unpacked(state, &packed, most))
}

/// What `packed` holds, if that is less than `most` octets. Where it ends in the middle, so does the document.
fn unpacked(state: &mut Decompress, packed: &[u8], most: usize) -> Result<Vec<u8>, MessageError> {
    let mut out = Vec::with_capacity(USUAL.min(most));
    state.reset(false);
    let mut rest = packed;
    while out.len() < most {
        let before = (state.total_in(), state.total_out());
        let status = state.decompress_vec(rest, &mut out, FlushDecompress::None);
        if status.map_err(|_| MessageError::Decode("it is not deflated"))? == Status::StreamEnd {
            break;
        }
        if out.len() == out.capacity() {
            out.reserve_exact(out.len().min(most - out.len()));
        } else if before == (state.total_in(), state.total_out()) {
            break;
        }
        rest = usize::try_from(state.total_in()).ok().and_then(|read| packed.get(read..)).unwrap_or_default();
    }
    if out.len() >= most { Err(MessageError::Decode("it is too long")) } else { Ok(out) }
}

/// Undoes the encoding of a form.
///
/// # Errors
/// [`MessageError::Decode`].
pub fn base64(encoded: &str) -> Result<Vec<u8>, MessageError> {
    if encoded.len() > LONGEST_POSTED {
        return Err(MessageError::Decode("it is too long"));
    }
    let plain = if encoded.bytes().any(|octet| octet.is_ascii_whitespace()) {
        Cow::Owned(encoded.chars().filter(|c| !c.is_ascii_whitespace()).collect())
    } else {
        Cow::Borrowed(encoded)
    };
    STANDARD.decode(plain.as_bytes()).map_err(|_| MessageError::Decode("it is not base64"))
}

/// Who sent the message; needed to know whose certificates count. Nothing else may be read before the signature is
/// checked.
#[must_use]
pub fn issuer(root: &Element) -> Option<&str> {
    let issuer = root.one(ASSERTION.1, "Issuer")?;
    let is_entity = issuer.attribute("Format").is_none_or(|format| format == ENTITY);
    Some(issuer.text.trim()).filter(|text| is_entity && !text.is_empty())
}

/// Checks what the root of every message says, and gives its ID. `destination` is the address that it was sent to; a
/// signed message must name it, because otherwise it could have been made for somebody else (bindings 3.4.5.2, 3.5.5.2).
///
/// # Errors
/// [`MessageError::Content`] with the first check that fails.
pub fn head<'a>(
    root: &'a Element,
    kind: &str,
    (destination, must_be_addressed): (&str, bool),
    now: Timestamp,
) -> Result<&'a str, MessageError> {
    let content = MessageError::Content;
    if !root.is(PROTOCOL.1, kind) || root.attribute("Version") != Some("2.0") {
        return Err(content("it is not the message of SAML 2.0 that is expected here"));
    }
    let id = root.attribute("ID").filter(|id| is_id(id)).ok_or(content("the message has no usable ID"))?;
    match root.attribute("Destination") {
        Some(named) if named == destination => {}
        None if !must_be_addressed => {}
        None => return Err(content("the message is signed and names no Destination")),
        Some(_) => return Err(content("the Destination of the message is another address")),
    }
    let issued =
        root.attribute("IssueInstant").and_then(instant).ok_or(content("IssueInstant is missing or malformed"))?;
    if now.since(issued) > LIFETIME || issued.since(now) > LIFETIME {
        return Err(content("the message is too old, or the clock of the service provider is wrong"));
    }
    // What the schema knows once and is there twice would be overlooked by one reader and read by another (T-32).
    let mut seen = BTreeSet::new();
    let once = root.children.iter().filter(|child| child.name != "SessionIndex");
    if !once.map(|child| (&child.namespace, &child.name)).all(|name| seen.insert(name)) {
        return Err(content("an element of the message is there twice"));
    }
    Ok(id)
}

/// Whether a RelayState is of a length that can be given back.
///
/// # Errors
/// [`MessageError::Content`].
pub fn check_relay_state(relay_state: Option<&str>) -> Result<(), MessageError> {
    match relay_state {
        Some(state) if state.len() > LONGEST_RELAY_STATE => Err(MessageError::Content("RelayState is too long")),
        _ => Ok(()),
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

/// A point in time in whole seconds, as the oldest service providers read it.
#[must_use]
pub fn written(at: Timestamp) -> String {
    Timestamp::from_seconds(at.seconds()).rfc3339().chars().take(19).collect::<String>() + "Z"
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// T-37: a message is read whole or refused, however long it is; and what was wrong with one is forgotten with the next.
    #[test]
    fn a_message_is_inflated_whole_or_refused() {
        let encoded = |octets: &[u8]| {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(octets).expect("memory");
            encoder.finish().expect("memory")
        };
        // Each octet sixteen times: far from what no message may be inflated to, and short enough for an address.
        let random = crate::clock::Entropy::seeded(7);
        let text: Vec<u8> = (0..=LONGEST / 16).flat_map(|_| [random.bytes::<1>()[0]; 16]).collect();
        for length in [0, 1, USUAL - 1, USUAL, USUAL + 1, 2 * USUAL, 20_000, LONGEST] {
            let packed = encoded(&text[..length]);
            assert!(inflated(&STANDARD.encode(&packed)).as_deref() == Ok(&text[..length]), "{length}");
            let lines =
                STANDARD.encode(&packed).as_bytes().chunks(76).map(|line| [line, b"\r\n"].concat()).collect::<Vec<_>>();
            let lines = String::from_utf8(lines.concat()).expect("ASCII");
            assert!(inflated(&lines).as_deref() == Ok(&text[..length]), "{length}");
            let garbled = inflated(&STANDARD.encode([7; 40]));
            assert_eq!(garbled, Err(MessageError::Decode("it is not deflated")));
            let half = inflated(&STANDARD.encode(&packed[..packed.len() / 2])).expect("a part");
            assert!(text.starts_with(&half) && (length < 2 || half.len() < length), "{length}");
        }
        let longer = inflated(&STANDARD.encode(encoded(&text[..=LONGEST])));
        assert_eq!(longer, Err(MessageError::Decode("it is too long")));
        let dense = inflated(&STANDARD.encode(encoded(&[b' '; LONGEST])));
        assert_eq!(dense, Err(MessageError::Decode("it is too long")));
    }

    /// T-38: anybody may send as many elements as a message may have, and looking for one that is there twice takes less than it
    /// takes to read them.
    #[test]
    fn very_many_elements_are_looked_at_once() {
        let message = |children: &str| {
            format!(
                "<p:AuthnRequest xmlns:p=\"{}\" ID=\"_1\" Version=\"2.0\" IssueInstant=\"2027-01-15T08:00:00Z\">{children}\
                 </p:AuthnRequest>",
                PROTOCOL.1
            )
        };
        let now = instant("2027-01-15T08:00:00Z").expect("a time");
        let looked_at = |root: &Element| head(root, "AuthnRequest", ("", false), now).map(str::to_owned);
        let many: String = (1000..4990).map(|number| format!("<x{number}/>")).collect();
        let text = message(&many);
        let root = Element::parse(text.as_bytes()).expect("a tree");
        assert_eq!(looked_at(&root).as_deref(), Ok("_1"));
        let quickest = |work: &dyn Fn()| {
            let times = (0..3).map(|_| {
                let begun = std::time::Instant::now();
                work();
                begun.elapsed()
            });
            times.min().expect("a time")
        };
        let reading = quickest(&|| assert!(Element::parse(text.as_bytes()).is_ok()));
        let looking = quickest(&|| assert!(looked_at(&root).is_ok()));
        assert!(looking < reading * 5, "{looking:?} beside {reading:?}");
        // Two of a kind are one too many, but for what may be there more than once.
        let read = |children: &str| Element::parse(message(children).as_bytes()).map(|root| looked_at(&root).is_ok());
        assert_eq!(read(&format!("{many}<x1000/>")), Ok(false));
        assert_eq!(read("<p:SessionIndex>a</p:SessionIndex><p:SessionIndex>b</p:SessionIndex>"), Ok(true));
        assert_eq!(read("<x/><x xmlns=\"urn:x\"/>"), Ok(true));
    }
}
