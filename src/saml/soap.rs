//! The SOAP binding (bindings 3.2): messages from server to server, in an envelope.

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};

use super::logout::{REQUESTER, is_success};
use super::response::{BEHIND_ISSUER, Voice};
use super::write::{PROTOCOL, Tag};
use crate::keys::signing::SigningKeyError;
use crate::xml::{Element, XmlError, unmarked};

/// SOAP 1.1, which is what the binding speaks.
const ENVELOPE: (&str, &str) = ("soap", "http://schemas.xmlsoap.org/soap/envelope/");
/// What an envelope is.
pub const CONTENT_TYPE: &str = "text/xml; charset=utf-8";
/// What some servers want to read before they open one (bindings 3.2.3.1).
pub const ACTION: &str = "\"http://www.oasis-open.org/committees/security\"";

/// Signs a message for a server, and puts it into an envelope.
///
/// # Errors
/// If the key refuses.
pub fn enveloped(voice: Voice<'_>, tag: Tag, id: &str) -> Result<String, SigningKeyError> {
    let body = Tag::new(ENVELOPE, "Body").ready(voice.signer.signed(&tag, id, BEHIND_ISSUER)?);
    Ok(Tag::new(ENVELOPE, "Envelope").child(body).canonical())
}

/// The envelope that says that nothing came of a request, and why; it is whoever sent it that can change something.
#[must_use]
pub fn fault(why: &str) -> String {
    // Neither of the two is in a namespace (SOAP 1.1, 4.4).
    let inside =
        format!("<faultcode>soap:Client</faultcode><faultstring>{}</faultstring>", quick_xml::escape::escape(why));
    let body = Tag::new(ENVELOPE, "Body").child(Tag::new(ENVELOPE, "Fault").ready(inside));
    Tag::new(ENVELOPE, "Envelope").child(body).canonical()
}

/// What a server said to our request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It has ended its sessions.
    Done,
    /// It will never do it, however often it is asked: it does not know the person, or does not like the request.
    Never,
    /// Nothing of that; it may be another time.
    Nothing,
}

/// Reads what a server answered to our request with the identifier `asked`. Its signature is not looked at: we called it,
/// and its certificate told who it is (profiles 4.4.4.2 wants one only where a browser carries the answer).
#[must_use]
pub fn said(octets: &[u8], asked: &str) -> Said {
    let Ok(root) = Element::parse(octets) else { return Said::Nothing };
    let body = root.one(ENVELOPE.1, "Body").filter(|_| root.is(ENVELOPE.1, "Envelope"));
    let answer = body.and_then(|body| body.one(PROTOCOL.1, "LogoutResponse"));
    let Some(answer) = answer.filter(|answer| answer.attribute("InResponseTo") == Some(asked)) else {
        return Said::Nothing;
    };
    let code = answer.one(PROTOCOL.1, "Status").and_then(|status| status.one(PROTOCOL.1, "StatusCode"));
    match code.and_then(|code| code.attribute("Value")) {
        _ if is_success(answer) => Said::Done,
        Some(REQUESTER) => Said::Never,
        _ => Said::Nothing,
    }
}

/// The one message in an envelope, as a document of its own. Nothing but what it needs to be read goes with it: namespaces
/// that the envelope declares, which a signature may be made with. Whether it is signed is seen afterwards, and of
/// everything around it nobody hears any more (T-31).
///
/// # Errors
/// What is wrong with the envelope.
pub fn opened(octets: &[u8]) -> Result<String, XmlError> {
    // The gate first: from here on, it is a tree of a sensible size without anything odd in it.
    let root = Element::parse(octets)?;
    let parts: Vec<&str> = root.children.iter().map(|part| part.name.as_str()).collect();
    let is_ours = root.children.iter().all(|part| part.namespace == ENVELOPE.1) && root.is(ENVELOPE.1, "Envelope");
    if !is_ours || !matches!(parts.as_slice(), ["Body"] | ["Header", "Body"]) {
        return Err(XmlError::Malformed);
    }
    let text = std::str::from_utf8(octets).map_err(|_| XmlError::Encoding)?;
    letter(unmarked(text)).ok_or(XmlError::Malformed)
}

/// Cuts out the only child of the body.
fn letter(text: &str) -> Option<String> {
    let mut reader = NsReader::from_str(text);
    let mut open = Vec::new();
    let mut around = Vec::new();
    let (mut begun, mut found) = (0, None);
    loop {
        let before = usize::try_from(reader.buffer_position()).ok()?;
        let (tag, is_empty) = match reader.read_event().ok()? {
            Event::Start(tag) => (tag, false),
            Event::Empty(tag) => (tag, true),
            Event::End(_) => {
                open.pop()?;
                if open.as_slice() == ["Envelope", "Body"] && found.is_none() {
                    let after = usize::try_from(reader.buffer_position()).ok()?;
                    found = Some(text.get(begun..after)?.to_owned());
                }
                continue;
            }
            Event::Eof => return Some(with(&found?, &around)),
            _ => continue,
        };
        must_be_understood(&reader, &tag, &open)?;
        let name = tag.local_name().as_ref().to_owned();
        match open.as_slice() {
            [] => declared(&tag, &mut around)?,
            [envelope] if envelope == "Envelope" && name == "Body" => declared(&tag, &mut around)?,
            [_, body] if body == "Body" => {
                // A message cannot be empty, and there is one.
                if is_empty || found.is_some() {
                    return None;
                }
                begun = before;
            }
            _ => {}
        }
        if !is_empty {
            open.push(name);
        }
    }
}

/// `None` if the tag is an entry of the header that must be understood: we understand none (SOAP 1.1, 4.2.3).
fn must_be_understood(reader: &NsReader<&[u8]>, tag: &BytesStart<'_>, open: &[String]) -> Option<()> {
    if !matches!(open, [_, header] if header == "Header") {
        return Some(());
    }
    for attribute in tag.attributes() {
        let attribute = attribute.ok()?;
        let (namespace, name) = reader.resolver().resolve_attribute(attribute.key);
        let is_soap = matches!(namespace, quick_xml::name::ResolveResult::Bound(bound) if bound.as_ref() == ENVELOPE.1);
        if is_soap && name.as_ref() == "mustUnderstand" && attribute.value.trim() != "0" {
            return None;
        }
    }
    Some(())
}

/// Remembers the namespaces that a tag declares: names of attributes and their values, as they are written.
fn declared(tag: &BytesStart<'_>, around: &mut Vec<(String, String)>) -> Option<()> {
    for attribute in tag.attributes() {
        let attribute = attribute.ok()?;
        if attribute.key.as_namespace_binding().is_some() {
            let name = attribute.key.as_ref().to_owned();
            around.retain(|(known, _)| *known != name);
            around.push((name, attribute.value.to_string()));
        }
    }
    Some(())
}

/// A message with the declarations around it that it does not make itself.
fn with(message: &str, around: &[(String, String)]) -> String {
    let mut own = Vec::new();
    if let Ok(Event::Start(tag) | Event::Empty(tag)) = NsReader::from_str(message).read_event() {
        own.extend(tag.attributes().flatten().map(|attribute| attribute.key.as_ref().to_owned()));
    }
    let behind_name =
        message.find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/')).unwrap_or(message.len());
    let (name, rest) = message.split_at(behind_name);
    let inherited = around.iter().filter(|(known, value)| !own.contains(known) && !value.is_empty());
    // The values were seen by the gate: no quotation mark can be in them.
    let declarations: String = inherited.map(|(known, value)| format!(" {known}=\"{value}\"")).collect();
    format!("{name}{declarations}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saml::response::SUCCESS;

    const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";

    ///
    #[test]
    fn a_server_says_that_it_has_done_it_or_it_has_not() {
        let answer = |status: &str, to: &str| {
            format!(
                "<s:Envelope xmlns:s=\"{SOAP}\"><s:Body><p:LogoutResponse \
                 xmlns:p=\"urn:oasis:names:tc:SAML:2.0:protocol\" InResponseTo=\"{to}\"><p:Status>{status}</p:Status>\
                 </p:LogoutResponse></s:Body></s:Envelope>"
            )
        };
        let success = format!("<p:StatusCode Value=\"{SUCCESS}\"/>");
        assert_eq!(said(answer(&success, "_1").as_bytes(), "_1"), Said::Done);
        assert_eq!(said(answer(&success, "_2").as_bytes(), "_1"), Said::Nothing, "another one's");
        let partial = success.replace("/>", "><p:StatusCode Value=\"urn:x\"/></p:StatusCode>");
        assert_eq!(said(answer(&partial, "_1").as_bytes(), "_1"), Said::Nothing);
        let requester = success.replace(":Success", ":Requester");
        assert_eq!(said(answer(&requester, "_1").as_bytes(), "_1"), Said::Never);
        assert_eq!((said(b"<html/>", "_1"), said(b"", "_1")), (Said::Nothing, Said::Nothing));
    }

    /// R-497, T-31.
    #[test]
    fn an_envelope_is_opened_and_gives_one_message() {
        for (envelope, message) in [
            (
                "<s:Envelope xmlns:s=\"S\"><s:Body><a ID=\"1\">x</a></s:Body></s:Envelope>",
                Some("<a xmlns:s=\"S\" ID=\"1\">x</a>"),
            ),
            (
                "<?xml version=\"1.0\"?>\n<Envelope xmlns=\"S\" xmlns:p=\"urn:p\"><Header><x xmlns=\"urn:x\"/></Header>\n\
                 <Body xmlns:p=\"urn:q\" xmlns:r=\"urn:r\">\n<p:a xmlns:r=\"urn:own\"><Body/><p:a/></p:a>\n</Body></Envelope>",
                Some("<p:a xmlns=\"S\" xmlns:p=\"urn:q\" xmlns:r=\"urn:own\"><Body/><p:a/></p:a>"),
            ),
            (
                "<s:Envelope xmlns:s=\"S\"><s:Body xmlns=\"urn:a\"><a xmlns=\"\"><b/></a></s:Body></s:Envelope>",
                Some("<a xmlns:s=\"S\" xmlns=\"\"><b/></a>"),
            ),
            (
                "<Envelope xmlns=\"S\" xmlns:s=\"S\"><s:Body xmlns=\"\"><a>x</a></s:Body></Envelope>",
                Some("<a xmlns:s=\"S\">x</a>"),
            ),
            (
                "<s:Envelope xmlns:s=\"S\"><s:Header><a s:mustUnderstand=\"0\" xmlns=\"urn:a\"/></s:Header><s:Body><a>x</a></s:Body></s:Envelope>",
                Some("<a xmlns:s=\"S\">x</a>"),
            ),
            (
                "<s:Envelope xmlns:s=\"S\"><s:Header><a s:mustUnderstand=\"1\" xmlns=\"urn:a\"/></s:Header><s:Body><a>x</a></s:Body></s:Envelope>",
                None,
            ),
            ("<s:Envelope xmlns:s=\"S\"><s:Body><a>x</a><a>y</a></s:Body></s:Envelope>", None),
            ("<s:Envelope xmlns:s=\"S\"><s:Body><a/></s:Body></s:Envelope>", None),
            ("<s:Envelope xmlns:s=\"S\"><s:Body></s:Body></s:Envelope>", None),
            ("<s:Envelope xmlns:s=\"S\"><s:Body/></s:Envelope>", None),
            ("<s:Envelope xmlns:s=\"S\"><s:Body><a>x</a></s:Body><s:Body><a>x</a></s:Body></s:Envelope>", None),
            ("<s:Envelope xmlns:s=\"S\"><s:Body><a>x</a></s:Body><s:Header/></s:Envelope>", None),
            ("<s:Envelope xmlns:s=\"S\"><b:Body xmlns:b=\"urn:b\"><a>x</a></b:Body></s:Envelope>", None),
            ("<Envelope xmlns=\"urn:other\"><Body><a>x</a></Body></Envelope>", None),
            ("<a>x</a>", None),
            ("", None),
        ] {
            let envelope = envelope.replace("\"S\"", &format!("\"{SOAP}\""));
            let message = message.map(|message| message.replace("\"S\"", &format!("\"{SOAP}\"")));
            assert_eq!(opened(envelope.as_bytes()).ok(), message, "{envelope}");
            let marked = format!("\u{feff}{envelope}");
            assert_eq!(opened(marked.as_bytes()).ok(), message, "with a byte order mark: {envelope}");
        }
        assert_eq!(opened(b"<!DOCTYPE a><a/>"), Err(XmlError::Forbidden));
    }

    #[test]
    fn a_fault_is_one() {
        let text = fault("a < b");
        let root = Element::parse(text.as_bytes()).expect("a tree");
        let fault = root.one(SOAP, "Body").and_then(|body| body.one(SOAP, "Fault")).expect("a fault");
        assert_eq!(fault.one("", "faultstring").map(|why| why.text.as_str()), Some("a < b"));
        assert_eq!(fault.one("", "faultcode").map(|code| code.text.as_str()), Some("soap:Client"));
    }
}
