//! All the ways to change a signed document that have been used against other people's service providers
//! (security.md T-31 to T-36).

use crate::saml_tree::{Dice, Draft, Node, Tag};

/// One way to forge.
pub type Mutation = fn(&mut Draft, &mut Dice);

/// All of them, by name.
pub const MUTATIONS: [(&str, Mutation); 22] = [
    ("spelling", spelling),
    ("attribute", attribute),
    ("new attribute", new_attribute),
    ("text", text),
    ("copy", copy),
    ("move", moved),
    ("remove", removed),
    ("wrap", wrap),
    ("new root", new_root),
    ("duplicate id", duplicate_id),
    ("reference", reference),
    ("algorithm", algorithm),
    ("transforms", transforms),
    ("second signature", second_signature),
    ("foreign part", foreign_part),
    ("key info", key_info),
    ("comment", comment),
    ("doctype", doctype),
    ("type", typed),
    ("namespace", namespace),
    ("encoding", encoding),
    ("letters", letters),
];

/// The same document, written in another way: this is what the others are held against.
fn spelling(draft: &mut Draft, dice: &mut Dice) {
    match dice.below(6) {
        0 => {
            draft.prolog =
                dice.pick(&["<?xml version=\"1.0\"?>\n", "<?xml version=\"1.0\" encoding=\"utf-8\"?>", "\n"]).to_owned()
        }
        1 => draft.epilog.push_str("\n \t"),
        2 => draft.any(dice).attributes.reverse(),
        3 => draft.any(dice).quote = '\'',
        4 => draft.any(dice).blank = "\n  ",
        _ => draft.any(dice).short = true,
    }
}

const VALUES: [&str; 12] = [
    "",
    "true",
    "_r1",
    "_evil",
    "#_evil",
    "2.1",
    "https://evil.example/acs",
    "urn:evil",
    "0",
    "https://wiki.example.com/acs2",
    "2027-01-15T09:00:00Z",
    "urn:oasis:names:tc:SAML:2.0:bindings:PAOS",
];

fn attribute(draft: &mut Draft, dice: &mut Dice) {
    // Somewhere there is one.
    loop {
        let tag = draft.any(dice);
        if tag.attributes.is_empty() {
            continue;
        }
        let at = dice.below(tag.attributes.len());
        let old = tag.attributes[at].1.clone();
        let new = loop {
            let new = dice.pick(&VALUES);
            if new != old {
                break new;
            }
        };
        new.clone_into(&mut tag.attributes[at].1);
        return;
    }
}

fn new_attribute(draft: &mut Draft, dice: &mut Dice) {
    let name = dice.pick(&[
        "ForceAuthn",
        "IsPassive",
        "Destination",
        "AssertionConsumerServiceURL",
        "AssertionConsumerServiceIndex",
        "ID",
        "Id",
        "xml:id",
        "xml:lang",
        "xml:base",
        "xml:space",
        "saml:ID",
        "Format",
        "Comparison",
        "ProtocolBinding",
        "Encoding",
        "URI",
        "Type",
    ]);
    let value = dice.pick(&VALUES);
    draft.any(dice).attributes.push((name.to_owned(), value.to_owned()));
}

fn text(draft: &mut Draft, dice: &mut Dice) {
    let new =
        dice.pick(&["https://evil.example/sp", "evil", "&amp;", "&#x41;", "&unknown;", "]]>", " ", "AAAA", "\u{202e}"]);
    let places = ["saml:Issuer", "saml:AuthnContextClassRef", "ds:DigestValue"];
    let Some(tag) = draft.root.named(dice.pick(&places)) else { return };
    match dice.below(3) {
        0 => tag.inside = vec![Node::Raw(new.to_owned())],
        1 => tag.inside.push(Node::Raw(new.to_owned())),
        _ => tag.inside.insert(0, Node::Raw(new.to_owned())),
    }
}

fn copy(draft: &mut Draft, dice: &mut Dice) {
    let copied = draft.any(dice).clone();
    draft.any(dice).put(Node::Tag(copied), dice);
}

fn moved(draft: &mut Draft, dice: &mut Dice) {
    if let Some(taken) = draft.take(dice) {
        draft.any(dice).put(Node::Tag(taken), dice);
    }
}

fn removed(draft: &mut Draft, dice: &mut Dice) {
    draft.take(dice);
}

const AROUND: [&str; 9] = [
    "samlp:Extensions",
    "ds:Object",
    "samlp:AuthnRequest",
    "saml:Advice",
    "samlp:Response",
    "evil",
    "ds:Signature",
    "ds:Manifest",
    "saml:Issuer",
];

fn declared(name: &str, inside: Vec<Node>) -> Tag {
    Tag::new(name, inside)
        .with("xmlns:samlp", "urn:oasis:names:tc:SAML:2.0:protocol")
        .with("xmlns:saml", "urn:oasis:names:tc:SAML:2.0:assertion")
        .with("xmlns:ds", "http://www.w3.org/2000/09/xmldsig#")
}

fn wrap(draft: &mut Draft, dice: &mut Dice) {
    let name = dice.pick(&AROUND);
    let tag = draft.any(dice);
    let inner = tag.clone();
    *tag = declared(name, vec![Node::Tag(inner)]);
}

/// The shapes that gave the attack its name: a forged root, and the signed one somewhere inside it, with the
/// signature where it was, around it, or at the forged root (T-31, AC-40).
fn new_root(draft: &mut Draft, dice: &mut Dice) {
    let mut signed = draft.root.clone();
    let mut forged = draft.root.clone();
    for (name, value) in &mut forged.attributes {
        match name.as_str() {
            "ID" => *value = dice.pick(&["_evil", "_r1", ""]).to_owned(),
            "AssertionConsumerServiceURL" => *value = "https://evil.example/acs".to_owned(),
            _ => {}
        }
    }
    let is_signature = |node: &Node| matches!(node, Node::Tag(tag) if tag.name == "ds:Signature");
    let at = signed.inside.iter().position(is_signature);
    let signature = at.map(|at| match dice.below(2) {
        0 => signed.inside.remove(at),
        _ => signed.inside[at].clone(),
    });
    forged.inside.retain(|node| !is_signature(node));
    let name = dice.pick(&AROUND);
    let kept = match dice.below(3) {
        0 => Node::Tag(signed),
        1 => Node::Tag(declared(name, vec![Node::Tag(signed)])),
        _ => Node::Tag(declared("ds:Object", vec![Node::Tag(declared(name, vec![Node::Tag(signed)]))])),
    };
    match (signature, dice.below(3)) {
        (Some(Node::Tag(mut signature)), 0) => {
            // The signed one inside the signature of the forged one.
            signature.inside.push(kept);
            forged.put(Node::Tag(signature), dice);
        }
        (Some(signature), 1) => {
            forged.put(signature, dice);
            forged.put(kept, dice);
        }
        _ => forged.put(kept, dice),
    }
    draft.root = forged;
}

fn duplicate_id(draft: &mut Draft, dice: &mut Dice) {
    let (name, value) =
        (dice.pick(&["ID", "Id", "id", "xml:id", "AssertionID"]), dice.pick(&["_r1", "_r1 ", "_R1", "_evil"]));
    draft.any(dice).attributes.push((name.to_owned(), value.to_owned()));
}

fn reference(draft: &mut Draft, dice: &mut Dice) {
    let uri = match dice.below(12) {
        0 => format!("{}/reference", draft.address),
        at => [
            "",
            "#",
            "#_evil",
            "_r1",
            "file:///etc/passwd",
            "#xpointer(/)",
            "#xpointer(id('_r1'))",
            "#_r1#_r1",
            "#element(/1)",
            " #_r1",
            "http://127.0.0.1:1/#_r1",
        ][at - 1]
            .to_owned(),
    };
    let Some(reference) = draft.root.named("ds:Reference") else { return };
    if dice.below(8) == 0 {
        reference.attributes.clear();
    } else {
        reference.attributes = vec![("URI".to_owned(), uri)];
    }
}

const ALGORITHMS: [&str; 20] = [
    "",
    "none",
    "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
    "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
    "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
    "http://www.w3.org/2000/09/xmldsig#sha1",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
    "http://www.w3.org/2001/04/xmldsig-more#md5",
    "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    "http://www.w3.org/2001/04/xmlenc#sha512",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "http://www.w3.org/2006/12/xml-c14n11",
    "http://www.w3.org/TR/1999/REC-xslt-19991116",
    "http://www.w3.org/TR/1999/REC-xpath-19991116",
    "http://www.w3.org/2002/06/xmldsig-filter2",
    "http://www.w3.org/2000/09/xmldsig#base64",
    "http://www.w3.org/2001/04/xmldsig-more/xptr",
];

fn algorithm(draft: &mut Draft, dice: &mut Dice) {
    let places = ["ds:SignatureMethod", "ds:DigestMethod", "ds:CanonicalizationMethod", "ds:Transform"];
    let new = dice.pick(&ALGORITHMS);
    let Some(tag) = draft.root.named(dice.pick(&places)) else { return };
    tag.attributes = vec![("Algorithm".to_owned(), new.to_owned())];
}

/// Transforms that run programs, fetch documents, or make the digest one of nothing (T-32, T-36).
fn transforms(draft: &mut Draft, dice: &mut Dice) {
    let address = draft.address.clone();
    let Some(transforms) = draft.root.named("ds:Transforms") else { return };
    match dice.below(4) {
        0 => transforms.inside.reverse(),
        1 => {
            transforms.inside.pop();
        }
        2 => {
            let more = Tag::new("ds:Transform", Vec::new()).with("Algorithm", dice.pick(&ALGORITHMS));
            transforms.put(Node::Tag(more), dice);
        }
        _ => {
            let sheet = format!(
                "<xsl:stylesheet xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\" version=\"1.0\"><xsl:template match=\"/\">\
                 <xsl:copy-of select=\"document('{address}/xslt')\"/></xsl:template></xsl:stylesheet>"
            );
            let path = "<ds:XPath>not(ancestor-or-self::*)</ds:XPath>".to_owned();
            let (algorithm, inside) = match dice.below(2) {
                0 => ("http://www.w3.org/TR/1999/REC-xslt-19991116", sheet),
                _ => ("http://www.w3.org/TR/1999/REC-xpath-19991116", path),
            };
            let more = Tag::new("ds:Transform", vec![Node::Raw(inside)]).with("Algorithm", algorithm);
            transforms.put(Node::Tag(more), dice);
        }
    }
}

fn second_signature(draft: &mut Draft, dice: &mut Dice) {
    let from = if dice.below(2) == 0 { &mut draft.root } else { &mut draft.foreign };
    let Some(second) = from.named("ds:Signature").cloned() else { return };
    draft.any(dice).put(Node::Tag(second), dice);
}

/// A part of a document that somebody else signed, beside ours or in its place.
fn foreign_part(draft: &mut Draft, dice: &mut Dice) {
    let name = dice.pick(&["ds:SignedInfo", "ds:SignatureValue", "ds:Reference", "ds:DigestValue", "ds:Signature"]);
    let Some(part) = draft.foreign.named(name).cloned() else { return };
    match draft.root.named(name) {
        Some(ours) if dice.below(2) == 0 => *ours = part,
        _ => draft.any(dice).put(Node::Tag(part), dice),
    }
}

/// What stands in KeyInfo is not signed, and must not matter: keys of strangers, and where to fetch some.
fn key_info(draft: &mut Draft, dice: &mut Dice) {
    let address = draft.address.clone();
    let inside = match dice.below(5) {
        0 => format!("<ds:RetrievalMethod URI=\"{address}/key\" Type=\"http://www.w3.org/2000/09/xmldsig#rawX509Certificate\"/>"),
        1 => "<ds:RetrievalMethod URI=\"file:///etc/passwd\" Type=\"http://www.w3.org/2000/09/xmldsig#X509Data\"/>".to_owned(),
        2 => "<ds:KeyName>evil</ds:KeyName>".to_owned(),
        3 => "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus><ds:Exponent>AQ==</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>".to_owned(),
        _ => "<ds:X509Data><ds:X509Certificate>AAAA</ds:X509Certificate></ds:X509Data>".to_owned(),
    };
    let Some(signature) = draft.root.named("ds:Signature") else { return };
    let info = Node::Tag(Tag::new("ds:KeyInfo", vec![Node::Raw(inside)]));
    if dice.below(4) == 0 { signature.put(info, dice) } else { signature.inside.push(info) }
}

/// T-33: a comment inside a value is where parsers disagree.
fn comment(draft: &mut Draft, dice: &mut Dice) {
    let markup = dice.pick(&[
        "<!-- x -->",
        "<!---->",
        "<?x y?>",
        "<![CDATA[x]]>",
        "<![CDATA[]]>",
        "<!-- </saml:Issuer> -->",
        "<?xml version=\"1.0\"?>",
    ]);
    let tag = draft.any(dice);
    let split = tag.inside.iter().position(|node| matches!(node, Node::Raw(text) if text.len() > 2));
    match (split, dice.below(4)) {
        (_, 0) => draft.prolog.push_str(markup),
        (_, 1) => draft.epilog.push_str(markup),
        (Some(at), _) => {
            let Node::Raw(text) = tag.inside[at].clone() else { return };
            let (before, after) = text.split_at(1 + dice.below(text.len() - 1));
            tag.inside[at] = Node::Raw(format!("{before}{markup}{after}"));
        }
        _ => tag.put(Node::Raw(markup.to_owned()), dice),
    }
}

/// T-35: a document type in any form.
fn doctype(draft: &mut Draft, dice: &mut Dice) {
    let address = draft.address.clone();
    let inside = match dice.below(8) {
        0 => format!(" SYSTEM \"{address}/dtd\""),
        1 => " [<!ENTITY e SYSTEM \"file:///etc/passwd\">]".to_owned(),
        2 => format!(" [<!ENTITY % p SYSTEM \"{address}/entity\"> %p;]"),
        3 => " [<!ATTLIST saml:Issuer ID ID #FIXED \"_r1\">]".to_owned(),
        4 => " [<!ATTLIST samlp:AuthnRequest ForceAuthn CDATA \"true\">]".to_owned(),
        5 => " [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY e \"&b;&b;&b;&b;&b;&b;\">]"
            .to_owned(),
        6 => " PUBLIC \"x\" \"y\"".to_owned(),
        _ => String::new(),
    };
    if inside.contains("ENTITY e")
        && let Some(issuer) = draft.root.named("saml:Issuer")
    {
        issuer.inside.push(Node::Raw("&e;".to_owned()));
    }
    draft.prolog.push_str(&format!("<!DOCTYPE samlp:AuthnRequest{inside}>"));
}

fn typed(draft: &mut Draft, dice: &mut Dice) {
    let (name, value) =
        (dice.pick(&["xsi:type", "xsi:nil", "xsi:schemaLocation"]), dice.pick(&["xs:string", "true", "ds:ObjectType"]));
    let tag = draft.any(dice);
    if dice.below(4) > 0 {
        tag.attributes.push(("xmlns:xsi".to_owned(), "http://www.w3.org/2001/XMLSchema-instance".to_owned()));
    }
    tag.attributes.push((name.to_owned(), value.to_owned()));
}

/// T-32: prefixes that mean something else further inside, and other names for the same.
fn namespace(draft: &mut Draft, dice: &mut Dice) {
    const KNOWN: [(&str, &str); 3] = [
        ("samlp", "urn:oasis:names:tc:SAML:2.0:protocol"),
        ("saml", "urn:oasis:names:tc:SAML:2.0:assertion"),
        ("ds", "http://www.w3.org/2000/09/xmldsig#"),
    ];
    let (_, uri) = KNOWN[dice.below(KNOWN.len())];
    let (prefix, _) = KNOWN[dice.below(KNOWN.len())];
    let tag = draft.any(dice);
    match dice.below(5) {
        0 => tag.attributes.push((format!("xmlns:{prefix}"), "urn:evil".to_owned())),
        1 => tag.attributes.push(("xmlns".to_owned(), uri.to_owned())),
        2 => tag.attributes.push((format!("xmlns:{prefix}"), uri.to_owned())),
        3 => tag.attributes.push(("xmlns:xml".to_owned(), uri.to_owned())),
        _ => {
            tag.attributes.push(("xmlns:other".to_owned(), uri.to_owned()));
            let local = tag.name.split(':').next_back().unwrap_or_default().to_owned();
            tag.name = format!("other:{local}");
        }
    }
}

fn encoding(draft: &mut Draft, dice: &mut Dice) {
    draft.prolog = match dice.below(9) {
        0 => "\u{feff}".to_owned(),
        1 => "<?xml version=\"1.0\" encoding=\"UTF-16\"?>".to_owned(),
        2 => "<?xml version=\"1.0\" encoding=\"UTF-7\"?>".to_owned(),
        3 => "<?xml version=\"1.1\"?>".to_owned(),
        4 => "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>".to_owned(),
        // Another parser ends the declaration earlier, and reads a document that stands inside it.
        5 => "<?xml version=\"1.0\" encoding=\"utf-8\" ><a ID=\"_x\"/> ?>".to_owned(),
        6 => "<?xml version=\"1.0\" <!-- ?>".to_owned(),
        7 => "<?xml version=\"1.0\" encoding=\"utf-8\" encoding=\"utf-16\"?>".to_owned(),
        _ => "junk".to_owned(),
    };
}

fn letters(draft: &mut Draft, dice: &mut Dice) {
    let letter = ['\0', '<', '>', '&', '"', '=', ' ', 'A', '\u{85}', '\u{fffe}', '/', ':'][dice.below(12)];
    draft.late.push((dice.below(4), dice.below(100_000), letter));
}
