//! XML that comes in: a strict reading into a small tree. What neither SAML nor key containers need is refused, because
//! every oddity that two parsers could read differently has been an attack (T-31 to T-38).

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{NamespaceError, PrefixDeclaration, ResolveResult};

/// The longest document, in octets.
pub const LONGEST: usize = 64 * 1024;
const DEEPEST: usize = 32;
const MOST_ATTRIBUTES: usize = 64;

/// How large a document may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    octets: usize,
    elements: usize,
    namespaces: usize,
}

/// What is done with a child of the root: taken, or given back to stand in the tree. The root is as far as it was read.
type Taker<'a> = &'a mut dyn FnMut(&Element, Element) -> Option<Element>;

impl Limits {
    /// A message: it comes from anybody.
    pub const MESSAGE: Self = Self { octets: LONGEST, elements: 4000, namespaces: 16 };
    /// Metadata: an operator hands it in, and it may describe many.
    pub const METADATA: Self = Self { octets: 4 * 1024 * 1024, elements: 200_000, namespaces: 64 };
    /// A container with the keys of tokens (RFC 6030): an operator hands it in, and it may hold very many. Its elements
    /// are counted anew for each that is taken out, see [`Element::parse_apart`].
    pub const KEYS: Self = Self { octets: 256 * 1024 * 1024, elements: 1000, namespaces: 64 };
}

/// An element.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    /// Its namespace; empty for none.
    pub namespace: String,
    /// Its local name.
    pub name: String,
    /// Attributes without a namespace, namespace declarations left out.
    pub attributes: Vec<(String, String)>,
    /// Child elements.
    pub children: Vec<Element>,
    /// All character data directly inside, joined.
    pub text: String,
}

/// Why a document is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Longer than its [`Limits`].
    #[error("the document is too long")]
    TooLong,
    /// Not UTF-8, or declared as something else.
    #[error("the document is not UTF-8")]
    Encoding,
    /// Deeper, wider or with more elements than its [`Limits`].
    #[error("the document is deeper or has more elements than is taken")]
    TooMuch,
    /// A document type, a processing instruction, a comment inside or behind the root or a CDATA section.
    #[error("the document has a document type, comment, processing instruction or CDATA section")]
    Forbidden,
    /// Not well-formed.
    #[error("the document is not well-formed XML")]
    Malformed,
    /// Two elements have one ID.
    #[error("two elements of the document have the same ID")]
    DuplicateId,
}

impl Element {
    /// Reads a message.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(octets: &[u8]) -> Result<Self, XmlError> {
        Self::parse_within(octets, Limits::MESSAGE)
    }

    /// Reads a document that is not larger than `limits`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse_within(octets: &[u8], limits: Limits) -> Result<Self, XmlError> {
        let root = Self::parse_apart(octets, limits, &mut |_, child| Some(child))?;
        let mut ids = Vec::new();
        root.collect_ids(&mut ids);
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair.first() == pair.get(1)) {
            return Err(XmlError::DuplicateId);
        }
        Ok(root)
    }

    /// Reads a document and hands each child of its root to `take` as soon as it has ended, together with the root as
    /// far as it was read. What `take` does not give back is not in the tree, so that the largest document needs no more
    /// memory than its largest part. Identifiers are not compared.
    ///
    /// # Errors
    /// What is wrong with it; children before the fault were handed over by then.
    pub fn parse_apart(octets: &[u8], limits: Limits, take: Taker<'_>) -> Result<Self, XmlError> {
        if octets.len() > limits.octets {
            return Err(XmlError::TooLong);
        }
        let text = std::str::from_utf8(octets).map_err(|_| XmlError::Encoding)?;
        if !text.chars().all(is_xml) {
            return Err(XmlError::Malformed);
        }
        Reading { open: Vec::new(), root: None, elements: 0, limits, take }.read(text)
    }

    /// The value of the attribute `name`.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether it is this element.
    #[must_use]
    pub fn is(&self, namespace: &str, name: &str) -> bool {
        self.namespace == namespace && self.name == name
    }

    /// The children with this name.
    pub fn all<'a>(&'a self, namespace: &'a str, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.is(namespace, name))
    }

    /// The one child with this name; `None` if there is none or more than one.
    #[must_use]
    pub fn one(&self, namespace: &str, name: &str) -> Option<&Self> {
        let mut found = self.children.iter().filter(|child| child.is(namespace, name));
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }

    /// How many elements there are with this local name, this one and everything in it, in whatever namespace.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        usize::from(self.name == name) + self.children.iter().map(|child| child.count(name)).sum::<usize>()
    }

    fn collect_ids<'a>(&'a self, ids: &mut Vec<&'a str>) {
        for name in ["ID", "Id", "id"] {
            ids.extend(self.attribute(name));
        }
        self.children.iter().for_each(|child| child.collect_ids(ids));
    }
}

/// The elements that are open, while a document is read.
struct Reading<'a> {
    open: Vec<Element>,
    root: Option<Element>,
    elements: usize,
    limits: Limits,
    take: Taker<'a>,
}

impl Reading<'_> {
    fn read(mut self, text: &str) -> Result<Element, XmlError> {
        let mut reader = NsReader::from_str(text);
        let config = reader.config_mut();
        config.check_end_names = true;
        config.allow_unmatched_ends = false;
        config.allow_dangling_amp = false;
        config.check_comments = true;
        reader.resolver_mut().set_max_namespace_bindings(self.limits.namespaces);
        let mut first = true;
        loop {
            let event = reader.read_event().map_err(refused)?;
            match event {
                Event::Start(tag) => self.start(&reader, &tag)?,
                Event::Empty(tag) => {
                    self.start(&reader, &tag)?;
                    self.end()?;
                }
                Event::End(_) => self.end()?,
                Event::Text(text) if text.contains("]]>") => return Err(XmlError::Malformed),
                Event::Text(text) => self.text(&text.xml10_content())?,
                Event::GeneralRef(reference) => {
                    let resolved = match reference.resolve_char_ref().map_err(|_| XmlError::Malformed)? {
                        Some(character) if is_xml(character) => character.to_string(),
                        Some(_) => return Err(XmlError::Malformed),
                        None => predefined(&reference)?.to_owned(),
                    };
                    self.text(&resolved)?;
                }
                Event::Decl(declaration) if first => {
                    if !is_declaration(&declaration) {
                        return Err(XmlError::Malformed);
                    }
                    if declaration.version().map_err(|_| XmlError::Malformed)? != "1.0" {
                        return Err(XmlError::Forbidden);
                    }
                    let encoding = declaration.encoding().transpose().map_err(|_| XmlError::Malformed)?;
                    if encoding.is_some_and(|name| !name.eq_ignore_ascii_case("utf-8")) {
                        return Err(XmlError::Encoding);
                    }
                }
                // Before the root there is nothing that a comment could cut in two, and some service providers sign
                // their messages with their name there. Inside, it is an attack (T-33); behind the root stands nothing.
                Event::Comment(_) if self.open.is_empty() && self.root.is_none() => {}
                Event::Decl(_) | Event::DocType(_) | Event::PI(_) | Event::Comment(_) | Event::CData(_) => {
                    return Err(XmlError::Forbidden);
                }
                Event::Eof => break,
            }
            first = false;
        }
        if self.open.is_empty() { self.root.ok_or(XmlError::Malformed) } else { Err(XmlError::Malformed) }
    }

    fn start(&mut self, reader: &NsReader<&[u8]>, tag: &BytesStart<'_>) -> Result<(), XmlError> {
        self.elements += 1;
        if self.root.is_some() {
            return Err(XmlError::Malformed);
        }
        if self.open.len() >= DEEPEST || self.elements > self.limits.elements {
            return Err(XmlError::TooMuch);
        }
        let (namespace, local) = reader.resolver().resolve_element(tag.name());
        let mut element =
            Element { namespace: bound(&namespace)?, name: local.as_ref().to_owned(), ..Element::default() };
        let mut named = vec![tag.name().as_ref().to_owned()];
        let mut foreign = Vec::new();
        for (at, attribute) in tag.attributes().enumerate() {
            if at >= MOST_ATTRIBUTES {
                return Err(XmlError::TooMuch);
            }
            let attribute = attribute.map_err(|_| XmlError::Malformed)?;
            named.push(attribute.key.as_ref().to_owned());
            if let Some(declaration) = attribute.key.as_namespace_binding() {
                declared(&declaration, &attribute.value)?;
                continue;
            }
            let (namespace, local) = reader.resolver().resolve_attribute(attribute.key);
            let (namespace, local) = (bound(&namespace)?, local.as_ref().to_owned());
            let value = unescaped(&attribute.value)?;
            match namespace.as_str() {
                "" => element.attributes.push((local, value)),
                // An identifier that only some parsers know, and another base for addresses (T-31, T-36).
                XML if !matches!(local.as_str(), "lang" | "space") => return Err(XmlError::Forbidden),
                // Attributes of other namespaces mean nothing to us, but each may be there once.
                _ => foreign.push((namespace, local)),
            }
        }
        foreign.sort_unstable();
        if foreign.windows(2).any(|pair| pair.first() == pair.get(1)) || !named.iter().all(|name| is_name(name)) {
            return Err(XmlError::Malformed);
        }
        // Their order means nothing; sorted, two readings of one element are equal.
        element.attributes.sort_unstable();
        self.open.push(element);
        Ok(())
    }

    fn end(&mut self) -> Result<(), XmlError> {
        let done = self.open.pop().ok_or(XmlError::Malformed)?;
        match self.open.as_mut_slice() {
            [] => self.root = Some(done),
            [root] => match (self.take)(root, done) {
                Some(kept) => root.children.push(kept),
                None => self.elements = 0,
            },
            [.., parent] => parent.children.push(done),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), XmlError> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.chars().all(|c| c.is_ascii_whitespace()) => {}
            None => return Err(XmlError::Malformed),
        }
        Ok(())
    }
}

fn bound(result: &ResolveResult<'_>) -> Result<String, XmlError> {
    match result {
        ResolveResult::Bound(namespace) => Ok(namespace.as_ref().to_owned()),
        ResolveResult::Unbound => Ok(String::new()),
        ResolveResult::Unknown(_) => Err(XmlError::Malformed),
    }
}

/// The namespace of the prefix `xml`.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// Checks a declaration of a namespace. Its name must be spelt out: our reader compares what is written, another
/// one resolves references and white space first, and an element that only the other one knows would pass all
/// checks here (T-32). A relative name means something else to every reader.
fn declared(declaration: &PrefixDeclaration<'_>, name: &str) -> Result<(), XmlError> {
    let spelt = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$()*+,;=%".contains(c);
    let absolute = name.split_once(':').is_some_and(|(scheme, rest)| {
        !rest.is_empty() && scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && !scheme.contains(['/', '?', '#'])
    });
    match declaration {
        PrefixDeclaration::Default if name.is_empty() => Ok(()),
        _ if absolute && name.chars().all(spelt) => Ok(()),
        _ => Err(XmlError::Malformed),
    }
}

/// Whether it is a name, with a prefix or without one. SAML's are all ASCII, and so are those of its extensions.
fn is_name(name: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    };
    match name.split_once(':') {
        Some((prefix, local)) => is_part(prefix) && is_part(local),
        None => is_part(name),
    }
}

/// Whether XML may hold the character (XML 1.0, 2.2).
const fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// What our parser refuses by itself.
fn refused(error: quick_xml::Error) -> XmlError {
    match error {
        quick_xml::Error::Namespace(NamespaceError::TooManyBindings(_)) => XmlError::TooMuch,
        _ => XmlError::Malformed,
    }
}

/// Takes comments out; whatever looks like one inside a value cannot stand there in well-formed XML.
#[must_use]
pub fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<!--") {
        out.push_str(before);
        rest = after.split_once("-->").map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    out
}

/// Whether it is all that a declaration may hold (XML 1.0, production 23), which stands between `<?` and `?>`. Our parser looks
/// at the attributes that it is asked for and skips the rest; another one ends the declaration at the first `>`, and takes what
/// follows for the document: a second one, which nobody has looked at (T-32, T-36).
fn is_declaration(content: &str) -> bool {
    let blank = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r');
    let Some(mut rest) = content.strip_prefix("xml") else { return false };
    for (name, needed) in [("version", true), ("encoding", false), ("standalone", false)] {
        let Some(after) = rest.trim_start_matches(blank).strip_prefix(name) else {
            if needed {
                return false;
            }
            continue;
        };
        let Some(after) = after.trim_start_matches(blank).strip_prefix('=') else { return false };
        let after = after.trim_start_matches(blank);
        let Some(quote) = after.chars().next().filter(|quote| matches!(quote, '"' | '\'')) else { return false };
        let Some((value, after)) = after.get(1..).and_then(|after| after.split_once(quote)) else { return false };
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !rest.starts_with(blank) || value.is_empty() || !value.chars().all(plain) {
            return false;
        }
        rest = after;
    }
    rest.chars().all(blank)
}

/// A document without the byte order mark before it, which says nothing in UTF-8. Our parser reads over it, and does not count it.
#[must_use]
pub fn unmarked(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The root element of a document that [`Element::parse`] has read, as it stands there: without declaration, comments and
/// blanks before it, and without blanks behind it. What is not handed on cannot be read otherwise by somebody else.
#[must_use]
pub fn root_of(text: &str) -> &str {
    let mut rest = unmarked(text);
    if rest.starts_with("<?") {
        rest = rest.split_once("?>").map_or("", |(_, rest)| rest);
    }
    rest = rest.trim_ascii();
    while let Some(comment) = rest.strip_prefix("<!--") {
        rest = comment.split_once("-->").map_or("", |(_, rest)| rest).trim_ascii();
    }
    rest
}

/// The five entities that XML itself has; all others need a document type, which is refused.
fn predefined(name: &str) -> Result<&'static str, XmlError> {
    match name {
        "amp" => Ok("&"),
        "lt" => Ok("<"),
        "gt" => Ok(">"),
        "quot" => Ok("\""),
        "apos" => Ok("'"),
        _ => Err(XmlError::Malformed),
    }
}

/// An attribute's value: references resolved, white space as blanks (XML 1.0, 3.3.3).
fn unescaped(value: &str) -> Result<String, XmlError> {
    let spaced: String = value.chars().map(|c| if matches!(c, '\t' | '\n' | '\r') { ' ' } else { c }).collect();
    if spaced.contains('<') {
        return Err(XmlError::Malformed);
    }
    let value = quick_xml::escape::unescape(&spaced).map_err(|_| XmlError::Malformed)?;
    if value.chars().all(is_xml) { Ok(value.into_owned()) } else { Err(XmlError::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_a_tree() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- by a tool -->\n<a:r xmlns:a=\"urn:a\" ID=\"x\" v=\"1 &amp; 2\"><a:c>t&#233;&lt;x</a:c><d/></a:r>\n";
        let root = Element::parse(text.as_bytes()).expect("a tree");
        assert!(root.is("urn:a", "r"));
        assert_eq!((root.attribute("v"), root.attribute("ID")), (Some("1 & 2"), Some("x")));
        assert_eq!(root.one("urn:a", "c").map(|child| child.text.as_str()), Some("té<x"));
        assert!(root.one("", "d").is_some());
    }

    /// T-38: a document with very many parts is read part by part, and each part has its limit.
    #[test]
    fn parts_of_the_root_are_taken_out_one_by_one() {
        let text = format!("<r><k/>{}</r>", "<p><a/><b>x</b></p>".repeat(2000));
        let mut parts = 0;
        let take = &mut |root: &Element, child: Element| {
            assert_eq!(root.children.len(), usize::from(parts > 0 || child.name == "p"));
            if child.name == "k" {
                return Some(child);
            }
            assert_eq!(child.one("", "b").map(|b| b.text.as_str()), Some("x"));
            parts += 1;
            None
        };
        let root = Element::parse_apart(text.as_bytes(), Limits::KEYS, take).expect("a tree");
        assert_eq!((parts, root.children.len()), (2000, 1));
        let heavy = format!("<r><p>{}</p></r>", "<a/>".repeat(1000));
        let taken = Element::parse_apart(heavy.as_bytes(), Limits::KEYS, &mut |_, _| None);
        assert_eq!(taken, Err(XmlError::TooMuch));
    }

    /// T-32, T-36: what stands in a declaration beside what belongs there is another document for another parser.
    #[test]
    fn a_declaration_is_nothing_but_a_declaration() {
        for good in [
            "<?xml version=\"1.0\"?><a/>",
            "<?xml version='1.0' ?><a/>",
            "<?xml\n version = \"1.0\"\tencoding='UTF-8'\r\nstandalone=\"no\" ?>\n<a/>",
        ] {
            let read = Element::parse(good.as_bytes()).map(|root| root.name);
            assert_eq!((read.as_deref(), root_of(good)), (Ok("a"), "<a/>"), "{good}");
        }
        for bad in [
            "<?xml version=\"1.0\" encoding=\"utf-8\" ><evil/> ?><a/>",
            "<?xml version=\"1.0\"><evil/><x y=\"?><a/>",
            "<?xml version=\"1.0\" <!-- ?><a/>",
            "<?xml version=\"1.0\" other=\"1\"?><a/>",
            "<?xml version=\"1.0\" encoding=\"utf-8\" encoding=\"utf-16\"?><a/>",
            "<?xml version=\"1.0\" standalone=\"yes\" encoding=\"utf-8\"?><a/>",
            "<?xml version=\"1.0\"encoding=\"utf-8\"?><a/>",
            "<?xml version=\"1.0'?><a/>",
            "<?xml version=\"1.0\" encoding=\"\"?><a/>",
            "<?xml encoding=\"utf-8\"?><a/>",
            "<?xmlversion=\"1.0\"?><a/>",
            "<?xml?><a/>",
        ] {
            assert!(Element::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_root_stands_alone() {
        for text in [
            "<a><b/></a>",
            " \n<a><b/></a>\n",
            "<?xml version='1.0'?><!-- <c> --> <!----><a><b/></a> ",
            "\u{feff}<?xml version='1.0'?>\n<a><b/></a>",
        ] {
            assert!(Element::parse(text.as_bytes()).is_ok(), "{text}");
            assert_eq!(root_of(text), "<a><b/></a>");
        }
    }

    /// T-33, T-35, T-38, R-498.
    #[test]
    fn whatever_saml_does_not_need_is_refused() {
        for (text, fault) in [
            ("<!DOCTYPE a><a/>", XmlError::Forbidden),
            ("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", XmlError::Forbidden),
            ("<a><!-- c --></a>", XmlError::Forbidden),
            ("<!-- c -- c --><a/>", XmlError::Malformed),
            ("<!-- c --><?xml version=\"1.0\"?><a/>", XmlError::Forbidden),
            ("<a><?pi x?></a>", XmlError::Forbidden),
            ("<a><![CDATA[x]]></a>", XmlError::Forbidden),
            ("<a>&nbsp;</a>", XmlError::Malformed),
            ("<a x=\"&nbsp;\"/>", XmlError::Malformed),
            ("<a/><b/>", XmlError::Malformed),
            ("<a/>junk", XmlError::Malformed),
            ("<a/><!-- c -->", XmlError::Forbidden),
            ("<a/><?pi x?>", XmlError::Forbidden),
            ("<a></b>", XmlError::Malformed),
            ("<a>", XmlError::Malformed),
            ("", XmlError::Malformed),
            ("<x:a/>", XmlError::Malformed),
            ("<a x=\"1\" x=\"2\"/>", XmlError::Malformed),
            ("<?xml version=\"1.0\" encoding=\"UTF-16\"?><a/>", XmlError::Encoding),
            ("<a>]]></a>", XmlError::Malformed),
            ("<a>\0</a>", XmlError::Malformed),
            ("<a>&#0;</a>", XmlError::Malformed),
            ("<a>&#x1;</a>", XmlError::Malformed),
            ("<a x=\"&#xFFFF;\"/>", XmlError::Malformed),
            ("<a:b:c xmlns:a=\"urn:a\"/>", XmlError::Malformed),
            ("<1a/>", XmlError::Malformed),
            ("<ä/>", XmlError::Malformed),
            ("<a a:x=\"1\" b:x=\"2\" xmlns:a=\"urn:a\" xmlns:b=\"urn:a\"/>", XmlError::Malformed),
            ("<a xmlns=\"relative\"/>", XmlError::Malformed),
            ("<a xmlns=\"urn:&#97;\"/>", XmlError::Malformed),
            ("<a xmlns=\"urn:a\n\"/>", XmlError::Malformed),
            ("<a xmlns:b=\"\"/>", XmlError::Malformed),
            ("<a xmlns:xml=\"urn:a\"/>", XmlError::Malformed),
            ("<a xml:id=\"b\"/>", XmlError::Forbidden),
            ("<a xml:base=\"http://a/\"/>", XmlError::Forbidden),
            ("<?xml version=\"1.1\"?><a/>", XmlError::Forbidden),
            ("<a ID=\"1\"><b ID=\"1\"/></a>", XmlError::DuplicateId),
            ("<a ID=\"1\"><b Id=\"1\"/></a>", XmlError::DuplicateId),
        ] {
            assert_eq!(Element::parse(text.as_bytes()), Err(fault), "{text}");
        }
        assert_eq!(Element::parse(&[b'a'; LONGEST + 1]), Err(XmlError::TooLong));
        assert_eq!(Element::parse(b"\xff\xfe<\0a\0"), Err(XmlError::Encoding));
        let deep = "<a>".repeat(40) + &"</a>".repeat(40);
        assert_eq!(Element::parse(deep.as_bytes()), Err(XmlError::TooMuch));
        let many: String = (0..20).map(|n| format!(" xmlns:a{n}=\"urn:x\"")).collect();
        assert_eq!(Element::parse(format!("<a{many}/>").as_bytes()), Err(XmlError::TooMuch));
        let wide: String = (0..100).map(|n| format!(" a{n}=\"\"")).collect();
        assert_eq!(Element::parse(format!("<a{wide}/>").as_bytes()), Err(XmlError::TooMuch));
    }
}
