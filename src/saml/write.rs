//! XML that goes out, written in exclusive canonical form from the start, so that what is hashed is what is
//! sent: start and end tags, the namespace first, attributes in order, one way to escape (xml-exc-c14n).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The namespaces that we write, with their prefixes.
pub const PROTOCOL: (&str, &str) = ("samlp", "urn:oasis:names:tc:SAML:2.0:protocol");
/// See [`PROTOCOL`].
pub const ASSERTION: (&str, &str) = ("saml", "urn:oasis:names:tc:SAML:2.0:assertion");
/// See [`PROTOCOL`].
pub const SIGNATURE: (&str, &str) = ("ds", "http://www.w3.org/2000/09/xmldsig#");
/// See [`PROTOCOL`].
pub const ENCRYPTION: (&str, &str) = ("xenc", "http://www.w3.org/2001/04/xmlenc#");
/// See [`PROTOCOL`].
pub const METADATA: (&str, &str) = ("md", "urn:oasis:names:tc:SAML:2.0:metadata");

/// An element that is being written.
#[derive(Debug, Clone)]
pub struct Tag {
    namespace: (&'static str, &'static str),
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    inside: Vec<Part>,
}

#[derive(Debug, Clone)]
enum Part {
    Tag(Tag),
    Text(String),
    /// Canonical already, for instance a signature; its namespaces declare themselves.
    Ready(String),
}

impl Part {
    fn write(&self, out: &mut String, declared: &mut Vec<&'static str>) {
        match self {
            Self::Tag(tag) => tag.write(out, declared, None),
            Self::Text(text) => escape(out, text, false),
            Self::Ready(xml) => out.push_str(xml),
        }
    }
}

impl Tag {
    /// An empty element.
    #[must_use]
    pub const fn new(namespace: (&'static str, &'static str), name: &'static str) -> Self {
        Self { namespace, name, attributes: Vec::new(), inside: Vec::new() }
    }

    /// With an attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// With an attribute, if there is a value.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// With a child.
    #[must_use]
    pub fn child(mut self, child: Self) -> Self {
        self.inside.push(Part::Tag(child));
        self
    }

    /// With several children.
    #[must_use]
    pub fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.inside.extend(children.into_iter().map(Part::Tag));
        self
    }

    /// With a text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.inside.push(Part::Text(text.into()));
        self
    }

    /// With octets in base64. It has nothing that would have to be escaped, so that is not looked for.
    #[must_use]
    pub fn octets(self, octets: &[u8]) -> Self {
        self.ready(STANDARD.encode(octets))
    }

    /// With XML that is canonical by itself, at the end of what is inside.
    #[must_use]
    pub fn ready(mut self, xml: String) -> Self {
        self.inside.push(Part::Ready(xml));
        self
    }

    /// The element as XML in canonical form, as the apex of a document subset.
    #[must_use]
    pub fn canonical(&self) -> String {
        self.canonical_with_place(0).0
    }

    /// As [`Tag::canonical`], and where in it something can be put in behind the first `position` children.
    #[must_use]
    pub fn canonical_with_place(&self, position: usize) -> (String, usize) {
        let mut out = String::with_capacity(8192);
        let mut place = 0;
        self.write(&mut out, &mut Vec::with_capacity(4), Some((position, &mut place)));
        (out, place)
    }

    /// Notes down in `wanted` where the children from its number on begin, and leaves `declared` as it was.
    fn write(&self, out: &mut String, declared: &mut Vec<&'static str>, wanted: Option<(usize, &mut usize)>) {
        let (prefix, uri) = self.namespace;
        out.push('<');
        self.name(out);
        let above = declared.len();
        if !declared.contains(&prefix) {
            out.push_str(" xmlns:");
            out.push_str(prefix);
            out.push_str("=\"");
            out.push_str(uri);
            out.push('"');
            declared.push(prefix);
        }
        let mut attributes: Vec<&(&str, String)> = self.attributes.iter().collect();
        attributes.sort_by_key(|(name, _)| *name);
        for (name, value) in attributes {
            out.push(' ');
            out.push_str(name);
            out.push_str("=\"");
            escape(out, value, true);
            out.push('"');
        }
        out.push('>');
        let (behind, place) = wanted.unzip();
        let first = behind.map_or(0, |behind| behind.min(self.inside.len()));
        let (before, after) = self.inside.split_at(first);
        for part in before {
            part.write(out, declared);
        }
        if let Some(place) = place {
            *place = out.len();
        }
        for part in after {
            part.write(out, declared);
        }
        declared.truncate(above);
        out.push_str("</");
        self.name(out);
        out.push('>');
    }

    fn name(&self, out: &mut String) {
        out.push_str(self.namespace.0);
        out.push(':');
        out.push_str(self.name);
    }
}

/// Escapes as canonical XML does; characters that XML cannot carry at all become U+FFFD.
fn escape(out: &mut String, text: &str, attribute: bool) {
    let mut rest = text;
    // Most texts need nothing: what lies between two characters that may is copied in one piece. U+FFFE and U+FFFF begin
    // with the octet 0xEF.
    let may = |octet| matches!(octet, b'&' | b'<' | b'>' | b'"' | 0..=0x1f | 0xef);
    while let Some((plain, from)) = rest.bytes().position(may).map(|at| rest.split_at(at)) {
        out.push_str(plain);
        let mut characters = from.chars();
        if let Some(c) = characters.next() {
            match escaped(c, attribute) {
                Some(written) => out.push_str(written),
                None => out.push(c),
            }
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
}

/// What stands for `c`, if it cannot stand for itself.
const fn escaped(c: char, attribute: bool) -> Option<&'static str> {
    Some(match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' if !attribute => "&gt;",
        '"' if attribute => "&quot;",
        '\t' if attribute => "&#x9;",
        '\n' if attribute => "&#xA;",
        '\r' => "&#xD;",
        '\t' | '\n' => return None,
        '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => "\u{fffd}",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_canonical() {
        let tag = Tag::new(PROTOCOL, "Response")
            .with("Version", "2.0")
            .with("ID", "_1\n")
            .child(Tag::new(ASSERTION, "Issuer").text("a & <b>\r"))
            .child(Tag::new(PROTOCOL, "Status"));
        let expected = "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_1&#xA;\" Version=\"2.0\">\
            <saml:Issuer xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">a &amp; &lt;b&gt;&#xD;</saml:Issuer>\
            <samlp:Status></samlp:Status></samlp:Response>";
        assert_eq!(tag.canonical(), expected);
    }

    #[test]
    fn what_cannot_be_carried_is_replaced_and_the_rest_is_kept() {
        let text = "\u{fffd}\u{ef}\u{fffe}ﬀ\u{10ffff}\u{ffff}<\0\t";
        let told = |attribute| {
            let mut out = String::new();
            escape(&mut out, text, attribute);
            out
        };
        assert_eq!(told(false), "\u{fffd}\u{ef}\u{fffd}ﬀ\u{10ffff}\u{fffd}&lt;\u{fffd}\t");
        assert_eq!(told(true), "\u{fffd}\u{ef}\u{fffd}ﬀ\u{10ffff}\u{fffd}&lt;\u{fffd}&#x9;");
    }

    /// T-22.
    #[test]
    fn names_cannot_become_markup() {
        let nasty = "\"><saml:Attribute>\0\u{1}]]>";
        let written = Tag::new(ASSERTION, "X").with("a", nasty).text(nasty).canonical();
        assert_eq!(written.matches("<saml:Attribute>").count(), 0);
        assert!(crate::xml::Element::parse(written.as_bytes()).is_ok(), "{written}");
    }
}
