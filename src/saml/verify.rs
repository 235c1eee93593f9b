//! Signatures of service providers: over the query of a redirect, or inside a posted document.
//!
//! What is verified is what is read: both functions give back the only octets that anybody may look at
//! afterwards (T-31). Before a library sees a document, its signature has exactly the one shape that SAML
//! prescribes; otherwise references to files and addresses would be followed (T-36).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use samael::crypto::{
    AllowedSignatureAlgorithm, CertificateDer as SamaelCertificate, Crypto, CryptoProvider as _, ReduceMode,
};

use super::sign::{ECDSA_SHA256, RSA_SHA256};
use super::write::SIGNATURE;
use crate::keys::x509::{Certificate, Scheme};
use crate::xml::{Element, Limits, XmlError, root_of};

/// Why a signature is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A signature is demanded and there is none.
    #[error("the request is not signed, but the service provider is registered as signing its requests")]
    Missing,
    /// The signature has another shape than SAML prescribes, or is given in part or twice.
    #[error("the signature does not have the form that SAML prescribes")]
    Shape,
    /// An algorithm that is not believed any more, or never was.
    #[error("the signature's algorithm is not accepted; use RSA or ECDSA with SHA-256")]
    Algorithm,
    /// No registered certificate verifies it.
    #[error("the signature is not one of the service provider's registered certificates")]
    Wrong,
    /// The document cannot be read.
    #[error(transparent)]
    Xml(#[from] XmlError),
}

/// The parameters of a redirect, each at most once, still encoded as the browser sent them.
#[derive(Debug, Clone, Copy, Default)]
pub struct RawQuery<'a> {
    /// A request.
    pub request: Option<&'a str>,
    /// Or a response; never both.
    pub response: Option<&'a str>,
    /// What goes back unchanged.
    pub relay_state: Option<&'a str>,
    /// The algorithm.
    pub algorithm: Option<&'a str>,
    /// The signature.
    pub signature: Option<&'a str>,
    /// How the message is encoded, if that is said.
    pub encoding: Option<&'a str>,
}

impl<'a> RawQuery<'a> {
    /// Splits a query. A parameter that is there twice makes the whole query unusable (T-41).
    ///
    /// # Errors
    /// [`SignatureError::Shape`].
    pub fn split(query: &'a str) -> Result<Self, SignatureError> {
        let mut raw = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let place = match name {
                "SAMLRequest" => &mut raw.request,
                "SAMLResponse" => &mut raw.response,
                "RelayState" => &mut raw.relay_state,
                "SigAlg" => &mut raw.algorithm,
                "Signature" => &mut raw.signature,
                "SAMLEncoding" => &mut raw.encoding,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(SignatureError::Shape);
            }
        }
        if raw.request.is_some() && raw.response.is_some() { Err(SignatureError::Shape) } else { Ok(raw) }
    }

    /// The message with the name of its parameter.
    #[must_use]
    pub fn message(&self) -> Option<(&'static str, &'a str)> {
        let request = self.request.map(|message| ("SAMLRequest", message));
        request.or(self.response.map(|message| ("SAMLResponse", message)))
    }

    /// Whether the query is signed by one of `certificates`; `false` if it has no signature at all, or if there is no
    /// certificate to check one with.
    ///
    /// # Errors
    /// If it has one that is not good.
    pub fn is_signed(&self, certificates: &[String]) -> Result<bool, SignatureError> {
        let (algorithm, signature) = match (self.algorithm, self.signature) {
            (None, None) => return Ok(false),
            // Some sign always. Anybody could take the signature away, so it refuses nothing here, and says nothing.
            (Some(_), Some(_)) if certificates.is_empty() => return Ok(false),
            (Some(algorithm), Some(signature)) => (algorithm, signature),
            _ => return Err(SignatureError::Shape),
        };
        let named = decoded(algorithm)?;
        let scheme = scheme(&named).ok_or(SignatureError::Algorithm)?;
        let signature: String = decoded(signature)?.chars().filter(|c| !c.is_whitespace()).collect();
        let signature = STANDARD.decode(signature).map_err(|_| SignatureError::Shape)?;
        // XML Signature writes R and S side by side; some libraries write what their cryptography gives them, in DER.
        let in_der = (scheme == Scheme::EcdsaSha256).then(|| in_der(&signature)).flatten();
        let signature = in_der.unwrap_or(signature);
        // The octets as they came, in the order that the binding prescribes (bindings 3.4.4.1).
        let (name, encoded) = self.message().ok_or(SignatureError::Shape)?;
        let relay = self.relay_state.map(|state| format!("&RelayState={state}")).unwrap_or_default();
        let message = format!("{name}={encoded}{relay}&SigAlg={algorithm}");
        let read = certificates.iter().filter_map(|certificate| Certificate::of_base64(certificate));
        let good = read.into_iter().any(|certificate| certificate.verifies(scheme, message.as_bytes(), &signature));
        if good { Ok(true) } else { Err(SignatureError::Wrong) }
    }
}

/// A parameter's value, decoded once.
pub(super) fn decoded(value: &str) -> Result<String, SignatureError> {
    let spaced = value.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map(std::borrow::Cow::into_owned).map_err(|_| SignatureError::Shape)
}

/// A P-256 signature of 64 octets as a DER sequence of two numbers; `None` if it has another length.
fn in_der(signature: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = signature.split_at_checked(32).filter(|(_, s)| s.len() == 32)?;
    let number = |octets: &[u8]| {
        let zeros = octets.iter().take(31).take_while(|octet| **octet == 0).count();
        let mut value = octets.get(zeros..).unwrap_or_default().to_vec();
        if value.first().is_some_and(|first| first & 0x80 != 0) {
            value.insert(0, 0);
        }
        let mut out = vec![0x02, u8::try_from(value.len()).unwrap_or_default()];
        out.append(&mut value);
        out
    };
    let inside = [number(r), number(s)].concat();
    Some([vec![0x30, u8::try_from(inside.len()).ok()?], inside].concat())
}

/// The algorithms that are believed; SHA-1 and everything with a shared key is not among them.
fn scheme(uri: &str) -> Option<Scheme> {
    match uri {
        RSA_SHA256 => Some(Scheme::RsaSha256),
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512" => Some(Scheme::RsaSha512),
        ECDSA_SHA256 => Some(Scheme::EcdsaSha256),
        _ => None,
    }
}

/// The document as it may be read: the signed part if it has a signature, all of it if it has none or if there is no
/// certificate to check one with, and whether it was signed.
///
/// # Errors
/// If it has a signature that is not good.
pub fn posted(octets: &[u8], certificates: &[String]) -> Result<(Element, bool), SignatureError> {
    let root = Element::parse(octets)?;
    let text = std::str::from_utf8(octets).map_err(|_| XmlError::Encoding)?;
    let signed = match signed_octets(&root, text, certificates)? {
        Some(signed) => Element::parse(signed.as_bytes())?,
        None => return Ok((root, false)),
    };
    same(&root, &signed).map(|()| (signed, true))
}

/// Metadata as it may be read: what is signed of it by one of `certificates`, which must be all. `bare` is without its
/// comments, which stand in metadata for people and are no part of what is signed.
///
/// # Errors
/// If it has no signature, or one that is not good.
pub fn metadata(bare: &str, certificates: &[String]) -> Result<String, SignatureError> {
    let root = Element::parse_within(bare.as_bytes(), Limits::METADATA)?;
    let signed = signed_octets(&root, bare, certificates)?.ok_or(SignatureError::Missing)?;
    same(&root, &Element::parse_within(signed.as_bytes(), Limits::METADATA)?).map(|()| signed)
}

/// Whether the signed octets are the root's own, with nothing but the signature taken away.
fn same(root: &Element, signed: &Element) -> Result<(), SignatureError> {
    let same = signed.name == root.name && signed.namespace == root.namespace && signed.attributes == root.attributes;
    if same { Ok(()) } else { Err(SignatureError::Shape) }
}

/// What is signed of `text`, whose tree is `root`; `None` if there is no signature in it, or no certificate.
fn signed_octets(root: &Element, text: &str, certificates: &[String]) -> Result<Option<String>, SignatureError> {
    // By their local names: whatever the library might take for a signature or a reference is counted, also where
    // it would read a namespace that we do not. It would follow the reference before it looks at the key.
    match (root.count("Signature"), root.count("Reference")) {
        (0, _) => return Ok(None),
        (1, 1) => {}
        _ => return Err(SignatureError::Shape),
    }
    let shape = root.one(SIGNATURE.1, "Signature").ok_or(SignatureError::Shape)?;
    match check_shape(shape, root.attribute("ID").ok_or(SignatureError::Shape)?) {
        // Some sign always. Without a certificate nothing of it is believed, so no algorithm is too weak either.
        Ok(()) | Err(SignatureError::Algorithm) if certificates.is_empty() => return Ok(None),
        checked => checked?,
    }
    let allowed = [
        AllowedSignatureAlgorithm::RsaSha256,
        AllowedSignatureAlgorithm::RsaSha512,
        AllowedSignatureAlgorithm::EcdsaSha256,
    ];
    // The library reads the text once more, by another parser and with more patience: it gets nothing but what was read here.
    let text = root_of(text);
    let ders = certificates.iter().filter_map(|certificate| STANDARD.decode(certificate).ok());
    for der in ders {
        let certificate = [SamaelCertificate::from(der)];
        let reduced = Crypto::reduce_xml_to_signed_with_allowed_algorithms(
            text,
            &certificate,
            ReduceMode::PreDigest,
            Some(&allowed),
        );
        if let Ok(signed) = reduced {
            return Ok(Some(signed));
        }
    }
    Err(SignatureError::Wrong)
}

const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// The one shape of a signature that SAML has (core 5.4): one reference, to the root, with the two transforms, and
/// nothing beside what the schema names. A library that gets more than that to see can be made to do more.
fn check_shape(signature: &Element, root_id: &str) -> Result<(), SignatureError> {
    let shape = SignatureError::Shape;
    // What stands in KeyInfo is not signed and is not looked at: keys come from the registration alone.
    let info = match parts(signature).as_slice() {
        [("SignedInfo", info), ("SignatureValue", _)]
        | [("SignedInfo", info), ("SignatureValue", _), ("KeyInfo", _)] => *info,
        _ => return Err(shape),
    };
    let [("CanonicalizationMethod", canonical), ("SignatureMethod", method), ("Reference", reference)] =
        parts(info)[..]
    else {
        return Err(shape);
    };
    if root_id.is_empty() || reference.attribute("URI") != Some(format!("#{root_id}").as_str()) {
        return Err(shape);
    }
    let [("Transforms", transforms), ("DigestMethod", digest), ("DigestValue", value)] = parts(reference)[..] else {
        return Err(shape);
    };
    let [("Transform", first), ("Transform", second)] = parts(transforms)[..] else { return Err(shape) };
    let named = |element: &Element, algorithm| element.attribute("Algorithm") == Some(algorithm);
    if !named(first, ENVELOPED) || ![canonical, second].into_iter().all(is_exclusive) {
        return Err(shape);
    }
    if [first, method, digest, value].iter().any(|element| !element.children.is_empty()) {
        return Err(shape);
    }
    let strong = ["http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmlenc#sha512"];
    let believed = scheme(method.attribute("Algorithm").unwrap_or_default()).is_some();
    if believed && strong.iter().any(|algorithm| named(digest, algorithm)) {
        Ok(())
    } else {
        Err(SignatureError::Algorithm)
    }
}

/// What is inside an element of a signature, by name; what is not of a signature has none.
fn parts(element: &Element) -> Vec<(&str, &Element)> {
    let children = element.children.iter();
    children.map(|part| (if part.namespace == SIGNATURE.1 { part.name.as_str() } else { "" }, part)).collect()
}

/// Whether it names exclusive canonicalization, with or without prefixes that are kept.
fn is_exclusive(method: &Element) -> bool {
    let inside = method.children.as_slice();
    method.attribute("Algorithm") == Some(EXCLUSIVE)
        && (inside.is_empty() || matches!(inside, [one] if one.is(EXCLUSIVE, "InclusiveNamespaces")))
}
