//! A service provider that signs what it asks.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::world::{ACME, World};

const TEMPLATE: &str = "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:SignedInfo>\
    <ds:CanonicalizationMethod Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></ds:CanonicalizationMethod>\
    <ds:SignatureMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\"></ds:SignatureMethod>\
    <ds:Reference URI=\"#ID\"><ds:Transforms><ds:Transform Algorithm=\"http://www.w3.org/2000/09/xmldsig#enveloped-signature\"></ds:Transform>\
    <ds:Transform Algorithm=\"http://www.w3.org/2001/10/xml-exc-c14n#\"></ds:Transform></ds:Transforms>\
    <ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"></ds:DigestMethod><ds:DigestValue></ds:DigestValue></ds:Reference>\
    </ds:SignedInfo><ds:SignatureValue></ds:SignatureValue></ds:Signature>";

/// A key and its certificate.
pub struct Signer {
    pub key: rcgen::KeyPair,
    /// The certificate, in base64 of DER.
    pub certificate: String,
    pkcs1: Vec<u8>,
}

impl Signer {
    pub fn new() -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let certificate =
            rcgen::CertificateParams::new(vec!["wiki.example.com".to_owned()]).unwrap().self_signed(&key).unwrap();
        let arguments = ["rsa", "-inform", "DER", "-outform", "DER", "-traditional"];
        let pkcs1 = openssl(&arguments, key.serialized_der());
        Self { certificate: STANDARD.encode(certificate.der()), key, pkcs1 }
    }

    /// Makes the Wiki of the test's tenant one that signs, with this certificate.
    pub async fn register(&self, world: &World) {
        let file = ACME.replace(
            "name_id_format = \"persistent\"",
            &format!(
                "name_id_format = \"persistent\"\nrequire_signed_requests = true\ncertificates = [\"{}\"]",
                self.certificate
            ),
        );
        world.apply(&file).await;
        world.advance(3);
    }

    /// `xml`, whose root has the ID `id`, with a signature behind its issuer, made by samael and xmlsec.
    pub fn signed(&self, xml: &str, id: &str) -> String {
        use samael::crypto::{Crypto, CryptoProvider as _};
        let template = TEMPLATE.replace("#ID", &format!("#{id}"));
        let xml = xml.replacen("</saml:Issuer>", &format!("</saml:Issuer>{template}"), 1);
        let signed = Crypto::sign_xml(xml, &self.pkcs1).expect("samael signs");
        let (_, root) = signed.split_once("?>").unwrap_or(("", &signed));
        root.trim().to_owned()
    }

    /// The query that carries `xml` as the parameter `name`, signed as a redirect is.
    pub fn query(&self, name: &str, xml: &str, relay_state: &str) -> String {
        use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
        use rcgen::SigningKey as _;
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let message = encoded(&crate::door_saml::deflated(xml));
        let algorithm = encoded("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256");
        let query = format!("{name}={message}&RelayState={}&SigAlg={algorithm}", encoded(relay_state));
        let signature = encoded(&STANDARD.encode(self.key.sign(query.as_bytes()).unwrap()));
        format!("{query}&Signature={signature}")
    }

    /// The private key in PEM, for programs.
    pub fn pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// A signature with SHA-1, which no library of ours makes any more.
    pub fn sign_sha1(&self, octets: &[u8]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key.der");
        std::fs::write(&key, &self.pkcs1).unwrap();
        openssl(&["dgst", "-sha1", "-keyform", "DER", "-sign", key.to_str().unwrap()], octets)
    }
}

/// What `openssl` makes of `input`.
fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut run = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("openssl is installed by ./test");
    run.stdin.take().unwrap().write_all(input).unwrap();
    let output = run.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    output.stdout
}
