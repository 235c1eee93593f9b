//! Forged signatures, thousands of them: a correctly signed request is taken apart, rearranged and put together
//! again. Whatever comes out is refused, or says exactly what was signed (T-31 to T-36, T-41).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rcgen::SigningKey as _;
use vestibule::saml::verify::{self, RawQuery, SignatureError};
use vestibule::saml::write::{ASSERTION, PROTOCOL, SIGNATURE, Tag as Written};
use vestibule::xml::Element;

use crate::door_saml::{ENTITY, destination, request, request_named};
use crate::saml_mutants::MUTATIONS;
use crate::saml_signer::Signer;
use crate::saml_tree::{Dice, Draft};
use crate::visitor::Visitor;
use crate::world::{ACME, On, World};

const MUTANTS: u64 = 6000;

/// The request that is forged. Its attributes are those that an attacker would like to change or to add.
fn genuine(id: &str) -> String {
    format!(
        "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" \
         ID=\"{id}\" Version=\"2.0\" IssueInstant=\"2027-01-15T08:00:00Z\" AssertionConsumerServiceURL=\"https://wiki.example.com/acs\">\
         <saml:Issuer>{ENTITY}</saml:Issuer><samlp:NameIDPolicy AllowCreate=\"true\"></samlp:NameIDPolicy>\
         <samlp:RequestedAuthnContext><saml:AuthnContextClassRef>https://refeds.org/profile/mfa</saml:AuthnContextClassRef>\
         </samlp:RequestedAuthnContext></samlp:AuthnRequest>"
    )
}

/// What the door would read as signed.
fn believed(xml: &str, certificates: &[String]) -> Option<Element> {
    match verify::posted(xml.as_bytes(), certificates) {
        Ok((root, true)) => Some(root),
        Ok((root, false)) => {
            assert_eq!(root.count("Signature"), 0, "read as unsigned: {xml}");
            None
        }
        Err(_) => None,
    }
}

/// T-31 to T-33, T-35, T-36, AC-40, AC-41, R-498: no rearrangement of a signed document is read as anything else.
/// T-31, T-32, T-33, T-35, T-36, R-498.
#[test]
fn a_mutant_is_refused_or_says_what_was_signed() {
    // Whoever follows an address in a document is seen here.
    let canary = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let address = format!("http://{}/canary", canary.local_addr().unwrap());
    let (signer, stranger) = (Signer::new(), Signer::new());
    let certificates = [signer.certificate.clone()];
    let signed = signer.signed(&genuine("_r1"), "_r1");
    let said = believed(&signed, &certificates).expect("the genuine one is believed");
    let foreign = stranger.signed(&genuine("_r1"), "_r1");
    assert_eq!(believed(&foreign, &certificates), None, "somebody else's key");
    let mut tally: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for seed in 0..MUTANTS {
        let mut dice = Dice::new(seed);
        let mut draft = Draft::of(&signed, &foreign, &address);
        let names: Vec<&str> = (0..=dice.below(3))
            .map(|_| {
                let (name, mutation) = MUTATIONS[dice.below(MUTATIONS.len())];
                mutation(&mut draft, &mut dice);
                name
            })
            .collect();
        let mutant = draft.text();
        let read = believed(&mutant, &certificates);
        if let Some(read) = &read {
            assert_eq!(*read, said, "seed {seed}, {names:?} is read as something else:\n{mutant}");
        }
        if let [name] = names.as_slice() {
            let (accepted, refused) = tally.entry(name).or_default();
            *(if read.is_some() { accepted } else { refused }) += 1;
        }
    }
    assert!(canary.accept().is_err(), "AC-41: an address in a document was followed");
    // Every way of forging was tried by itself, and they bite: where nothing but spelling changes, the signed
    // content is still read; where anything else changes, nothing is.
    assert_eq!(tally.len(), MUTATIONS.len(), "{tally:?}");
    for (name, (accepted, refused)) in tally {
        assert!(accepted + refused > 20, "{name}: {accepted} and {refused}");
        match name {
            "spelling" => assert_eq!(refused, 0, "{name}"),
            "key info" => assert!(accepted > 0, "{name}"),
            "attribute" | "text" | "wrap" | "doctype" | "reference" | "algorithm" | "second signature" => {
                assert_eq!(accepted, 0, "{name}");
            }
            _ => assert!(refused > 0, "{name}"),
        }
    }
}

/// T-32, T-36, AC-41: a signature that hides from our own reading behind another spelling of its namespace would
/// reach the library unchecked, and the library follows its reference before it looks at the key.
/// T-32, T-36.
#[test]
fn no_signature_hides_from_the_check_of_its_shape() {
    let canary = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let signer = Signer::new();
    let signed = signer.signed(&genuine("_r1"), "_r1");
    let start = signed.find("<ds:Signature").unwrap();
    let end = signed.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
    let uri = format!("URI=\"http://{}/\"", canary.local_addr().unwrap());
    for spelling in
        ["xmldsig&#35;", "xmldsig&#x23;", "xmlds&#105;g#", "xmldsig#\n", " http://www.w3.org/2000/09/xmldsig#"]
    {
        let namespace = format!("http://www.w3.org/2000/09/{spelling}");
        let namespace = if spelling.starts_with(' ') { spelling } else { &namespace };
        let hidden = signed[start..end].replace("http://www.w3.org/2000/09/xmldsig#\">", &format!("{namespace}\">"));
        let hidden = hidden.replace("URI=\"#_r1\"", &uri);
        assert_ne!(hidden, signed[start..end]);
        let both = signed.replacen("<saml:Issuer>", &format!("{hidden}<saml:Issuer>"), 1);
        assert_eq!(believed(&both, std::slice::from_ref(&signer.certificate)), None, "{spelling}");
        assert!(canary.accept().is_err(), "{spelling}: an address in a document was followed");
    }
}

/// The same through the door: what a mutant begins, if it begins anything, is a login with the signed content.
/// T-31, AC-40, R-498.
#[actix_web::test]
async fn a_mutant_at_the_door_is_a_page_or_the_signed_request() {
    let world = World::new(On::Sqlite).await;
    let signer = Signer::new();
    signer.register(&world).await;
    let sso = format!("{}/saml/sso", world.base());
    let foreign = Signer::new().signed(&genuine("_r1"), "_r1");
    for seed in 0..240 {
        let mut dice = Dice::new(1_000_000 + seed);
        let id = format!("_door{seed}");
        let address = format!("{} AssertionConsumerServiceURL=\"https://wiki.example.com/acs\"", destination(&world));
        let xml = request_named(&world, &id, &address, "");
        let mut draft = Draft::of(&signer.signed(&xml, &id), &foreign, "http://127.0.0.1:1/");
        let (name, mutation) = MUTATIONS[usize::try_from(seed).unwrap() % MUTATIONS.len()];
        mutation(&mut draft, &mut dice);
        let form = [("SAMLRequest".to_owned(), STANDARD.encode(draft.text()))];
        let seen = Visitor::new(&world.url).post(&sso, &form).await;
        let shown = (seen.status, seen.title());
        let expected = [(200, "Log in"), (400, "This login request cannot be used")];
        assert!(expected.iter().any(|(status, title)| shown == (*status, (*title).to_owned())), "{name}: {shown:?}");
    }
    let requests = world.column("SELECT request AS it FROM login").await;
    assert!(requests.len() > 8, "some only spell differently: {}", requests.len());
    for request in requests {
        let request: serde_json::Value = serde_json::from_str(&request).unwrap();
        let id = request["id"].as_str().unwrap();
        let number: Result<u32, _> = id.strip_prefix("_door").unwrap_or("?").parse();
        assert!(number.is_ok_and(|number| number < 240), "{request}");
        let expected = serde_json::json!({ "id": id, "issuer": ENTITY, "acs": "https://wiki.example.com/acs", "relay_state": null,
            "force": false, "passive": false, "format": null, "wanted": { "comparison": "exact", "classes": [] }, "subject": null });
        assert_eq!(request, expected);
    }
    world.stop().await;
}

/// A request and a signature over it, both written by us in canonical form, so that any algorithm can be named
/// and any key can be used.
fn by_hand(algorithm: &str, digest: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    use sha2::Digest as _;
    let request = Written::new(PROTOCOL, "AuthnRequest")
        .with("ID", "_r1")
        .with("Version", "2.0")
        .with("IssueInstant", "2027-01-15T08:00:00Z")
        .child(Written::new(ASSERTION, "Issuer").text(ENTITY));
    let octets = request.canonical();
    let hash = if digest.ends_with("sha1") {
        sha1::Sha1::digest(&octets).to_vec()
    } else {
        sha2::Sha256::digest(&octets).to_vec()
    };
    let named = |name, algorithm: &str| Written::new(SIGNATURE, name).with("Algorithm", algorithm);
    let exclusive = "http://www.w3.org/2001/10/xml-exc-c14n#";
    let transforms = Written::new(SIGNATURE, "Transforms")
        .child(named("Transform", "http://www.w3.org/2000/09/xmldsig#enveloped-signature"))
        .child(named("Transform", exclusive));
    let reference = Written::new(SIGNATURE, "Reference")
        .with("URI", "#_r1")
        .child(transforms)
        .child(named("DigestMethod", digest))
        .child(Written::new(SIGNATURE, "DigestValue").text(STANDARD.encode(hash)));
    let info = Written::new(SIGNATURE, "SignedInfo")
        .child(named("CanonicalizationMethod", exclusive))
        .child(named("SignatureMethod", algorithm))
        .child(reference);
    let value = Written::new(SIGNATURE, "SignatureValue").text(STANDARD.encode(sign(info.canonical().as_bytes())));
    request.child(Written::new(SIGNATURE, "Signature").child(info).child(value)).canonical()
}

const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";
const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const RSA_SHA1: &str = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";

/// Signatures that are right, by algorithms that are not: SHA-1 by the right key, and a message authentication
/// code whose key everybody knows, because it is the certificate (T-32, security.md 3.4).
/// T-32, T-36.
#[test]
fn right_signatures_by_wrong_algorithms_are_refused() {
    use hmac::{KeyInit as _, Mac as _};
    let signer = Signer::new();
    let certificates = [signer.certificate.clone()];
    let by_key = |octets: &[u8]| signer.key.sign(octets).unwrap();
    assert!(believed(&by_hand(RSA_SHA256, SHA256, by_key), &certificates).is_some(), "the forger's tools work");
    let der = STANDARD.decode(&signer.certificate).unwrap();
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", signer.certificate);
    let mut known_keys = vec![Vec::new(), der, pem.into_bytes(), signer.certificate.clone().into_bytes()];
    known_keys
        .extend([signer.key.public_key_pem().into_bytes(), rcgen::PublicKeyData::subject_public_key_info(&signer.key)]);
    for key in known_keys {
        for algorithm in
            ["http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", "http://www.w3.org/2000/09/xmldsig#hmac-sha1"]
        {
            let by_hmac = |octets: &[u8]| {
                if algorithm.ends_with("sha1") {
                    hmac::Hmac::<sha1::Sha1>::new_from_slice(&key)
                        .unwrap()
                        .chain_update(octets)
                        .finalize()
                        .into_bytes()
                        .to_vec()
                } else {
                    hmac::Hmac::<sha2::Sha256>::new_from_slice(&key)
                        .unwrap()
                        .chain_update(octets)
                        .finalize()
                        .into_bytes()
                        .to_vec()
                }
            };
            let forged = by_hand(algorithm, SHA256, by_hmac);
            assert_eq!(verify::posted(forged.as_bytes(), &certificates), Err(SignatureError::Algorithm), "{algorithm}");
        }
    }
    let by_openssl = |octets: &[u8]| signer.sign_sha1(octets);
    for (algorithm, digest) in
        [(RSA_SHA1, SHA256), (RSA_SHA1, SHA1), (RSA_SHA256, SHA1), ("", SHA256), ("none", SHA256)]
    {
        let sign = |octets: &[u8]| if algorithm == RSA_SHA1 { by_openssl(octets) } else { by_key(octets) };
        let weak = by_hand(algorithm, digest, sign);
        assert_eq!(
            verify::posted(weak.as_bytes(), &certificates),
            Err(SignatureError::Algorithm),
            "{algorithm} {digest}"
        );
    }
    let nobody = by_hand(RSA_SHA256, SHA256, |_| Vec::new());
    assert_eq!(verify::posted(nobody.as_bytes(), &certificates), Err(SignatureError::Wrong), "an empty signature");
}

/// A signed query, as the binding prescribes it.
fn signed_query(signer: &Signer, xml: &str, relay: &str) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let message = crate::door_saml::deflated(xml);
    let query = format!("SAMLRequest={}&RelayState={}&SigAlg={}", encode(&message), encode(relay), encode(RSA_SHA256));
    let signature = STANDARD.encode(signer.key.sign(query.as_bytes()).unwrap());
    format!("{query}&Signature={}", encode(&signature))
}

/// The parameters as a browser would send them, in pieces.
type Pairs = Vec<(String, String)>;

fn pairs_of(query: &str) -> Pairs {
    query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(a, b)| (a.into(), b.into())).collect()
}

/// One change to a query.
fn change(pairs: &mut Pairs, stranger: &Pairs, dice: &mut Dice) -> &'static str {
    let at = dice.below(pairs.len().max(1));
    let Some((name, value)) = pairs.get(at).cloned() else { return "nothing left" };
    let algorithms = [
        RSA_SHA1,
        "",
        "none",
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        "rsa-sha256",
    ];
    match dice.below(12) {
        0 => {
            let to = dice.below(pairs.len());
            pairs.swap(at, to);
            "order"
        }
        1 => {
            let to = dice.below(pairs.len() + 1);
            pairs.insert(to, (name, value));
            "twice the same"
        }
        2 => {
            let (other, foreign) = stranger[dice.below(stranger.len())].clone();
            pairs.insert(dice.below(pairs.len() + 1), (other, foreign));
            "twice, another one"
        }
        3 => {
            pairs.remove(at);
            "one is missing"
        }
        4 => {
            pairs[at].1 = pairs[at].1.to_ascii_lowercase();
            "lower case"
        }
        5 => {
            // The same octets, spelt differently: what is signed is the spelling.
            let plain = percent_decode_str(&value).decode_utf8_lossy().into_owned();
            pairs[at].1 = plain.replace('%', "%25").replace('&', "%26").replace('+', "%2b").replace(' ', "+");
            "another encoding"
        }
        6 => {
            let others = stranger.iter().filter(|(other, foreign)| *other == name && *foreign != value);
            pairs[at].1 = others.map(|(_, foreign)| foreign.clone()).next().unwrap_or_default();
            "a stranger's value"
        }
        7 => {
            pairs[at].1 = utf8_percent_encode(algorithms[dice.below(algorithms.len())], NON_ALPHANUMERIC).to_string();
            "an algorithm"
        }
        8 => {
            pairs[at].0 = name.replacen('S', "%53", 1).replacen('R', "%52", 1);
            "an encoded name"
        }
        9 => {
            let end = dice.below(value.len() + 1);
            pairs[at].1 = value.get(..end).unwrap_or_default().to_owned();
            "cut"
        }
        10 => {
            let more = [
                "x=1",
                "SAMLEncoding=urn%3Aoasis%3Anames%3Atc%3ASAML%3A2.0%3Abindings%3AURL-Encoding%3ADEFLATE",
                "",
                "=",
                "SAMLResponse=x",
                "saml_request=x",
                "RelayState[]=x",
            ];
            pairs.insert(dice.below(pairs.len() + 1), pairs_of(more[dice.below(more.len())]).remove(0));
            "something else beside"
        }
        _ => {
            pairs[at].1.push_str(["%00", "%0d%0a", "%26RelayState%3Devil", ";x", "#x", "%", "%zz", "="][dice.below(8)]);
            "something behind"
        }
    }
}

/// T-41, AC-42: whatever becomes of the query of a redirect, what it says is read as signed only if it was.
/// T-41, AC-42.
#[test]
fn a_redirect_is_signed_as_it_stands_or_not_at_all() {
    let (signer, stranger) = (Signer::new(), Signer::new());
    let certificates = [signer.certificate.clone()];
    let genuine = signed_query(&signer, &genuine("_r1"), "page=1&x=ä +%41\"");
    let evil = pairs_of(&signed_query(&stranger, &genuine_evil(), "evil"));
    let said = RawQuery::split(&genuine).unwrap();
    assert_eq!(said.is_signed(&certificates), Ok(true));
    assert_eq!(
        RawQuery::split(&genuine).unwrap().is_signed(std::slice::from_ref(&stranger.certificate)),
        Err(SignatureError::Wrong)
    );
    let mut tally: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    for seed in 0..MUTANTS {
        let mut dice = Dice::new(seed);
        let mut pairs = pairs_of(&genuine);
        let changes: Vec<&str> = (0..=dice.below(3)).map(|_| change(&mut pairs, &evil, &mut dice)).collect();
        let query = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let raw = RawQuery::split(&query);
        let verdict = raw.as_ref().map_err(|error| *error).and_then(|raw| raw.is_signed(&certificates));
        if verdict == Ok(true) {
            let raw = raw.unwrap();
            assert_eq!((raw.request, raw.relay_state), (said.request, said.relay_state), "{changes:?}: {query}");
        } else if verdict == Ok(false) {
            assert!(!query.contains("&SigAlg=") && !query.contains("&Signature="), "{changes:?}: {query}");
        }
        if let [change] = changes.as_slice() {
            let (accepted, refused) = tally.entry(change).or_default();
            *(if verdict == Ok(true) { accepted } else { refused }) += 1;
        }
    }
    assert_eq!(tally.len(), 12, "{tally:?}");
    assert!(tally["order"].0 > 0 && tally["order"].1 == 0, "the order in the address means nothing: {tally:?}");
    for change in ["twice the same", "one is missing", "a stranger's value", "an encoded name", "an algorithm"] {
        assert_eq!(tally[change].0, 0, "{change}: {tally:?}");
    }
}

fn genuine_evil() -> String {
    genuine("_evil").replace("https://wiki.example.com/acs", "https://evil.example/acs")
}

/// The same through the door, with the ways that are known by name: a clean page, never a login.
/// T-41, AC-42.
#[actix_web::test]
async fn altered_redirects_are_shown_a_page() {
    let world = World::new(On::Sqlite).await;
    let (signer, stranger) = (Signer::new(), Signer::new());
    signer.register(&world).await;
    let ask = async |query: &str| Visitor::new(&world.url).get(&format!("{}/saml/sso?{query}", world.base())).await;
    let fresh = || signed_query(&signer, &request(&world, &destination(&world), ""), "rs-1");
    let seen = ask(&fresh()).await;
    assert_eq!(seen.title(), "Log in", "{}", seen.body);
    // Signed in the prescribed order, sent in another one (bindings 3.4.4.1).
    let mut turned = pairs_of(&fresh());
    turned.reverse();
    let turned: Vec<String> = turned.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(ask(&turned.join("&")).await.title(), "Log in");
    let evil = signed_query(&stranger, &request(&world, &destination(&world), ""), "rs-1");
    let (unsigned, signature) = evil.split_once("&SigAlg").unwrap();
    let without = |name: &str| {
        let kept: Vec<String> = fresh().split('&').filter(|pair| !pair.starts_with(name)).map(str::to_owned).collect();
        kept.join("&")
    };
    for (name, query) in [
        ("a stranger's signature", evil.clone()),
        ("no signature", unsigned.to_owned()),
        ("no algorithm", without("SigAlg")),
        ("an algorithm alone", without("Signature")),
        ("no request", without("SAMLRequest")),
        ("no RelayState", without("RelayState")),
        ("another RelayState", fresh().replace("rs%2D1", "rs%2D2")),
        ("a RelayState spelt differently", fresh().replace("rs%2D1", "rs-1")),
        ("lower-case percent encoding", fresh().replace("%2D", "%2d")),
        (
            "a stranger's request under our signature",
            format!("{unsigned}&SigAlg{}", fresh().split_once("&SigAlg").unwrap().1),
        ),
        (
            "our request under a stranger's signature",
            format!("{}&SigAlg{signature}", fresh().split_once("&SigAlg").unwrap().0),
        ),
        ("two requests", format!("{}&{unsigned}", fresh())),
        ("two requests, the other way round", format!("{unsigned}&{}", fresh())),
        ("two signatures", format!("{}&Signature=x", fresh())),
        ("two algorithms", format!("{}&SigAlg=none", fresh())),
        (
            "SHA-1",
            fresh().replace(
                &utf8_percent_encode(RSA_SHA256, NON_ALPHANUMERIC).to_string(),
                "http%3A%2F%2Fwww.w3.org%2F2000%2F09%2Fxmldsig%23rsa-sha1",
            ),
        ),
        ("not percent encoding", fresh().replace("Signature=", "Signature=%zz")),
        ("not UTF-8", fresh().replace("RelayState=", "RelayState=%ff")),
        ("not the encoding that was announced", format!("{}&SAMLEncoding=urn%3Ax", fresh())),
    ] {
        let seen = ask(&query).await;
        assert_eq!((seen.status, seen.title().as_str()), (400, "This login request cannot be used"), "{name}: {query}");
    }
    assert_eq!(world.events("login_started").await, 2);
    world.stop().await;
}

/// A genuine signed request inside a forged root, or beside it, in an address: with and without the signature of the
/// address, for one that must sign and for one that need not.
/// T-31, AC-40.
#[actix_web::test]
async fn a_wrapped_request_in_an_address_is_refused() {
    for must_sign in [true, false] {
        let world = World::new(On::Sqlite).await;
        let signer = Signer::new();
        signer.register(&world).await;
        if !must_sign {
            let lines = format!(
                "name_id_format = \"persistent\"\ncertificates = [\"{}\"]\nrequire_signed_requests = false",
                signer.certificate
            );
            world.apply(&ACME.replace("name_id_format = \"persistent\"", &lines)).await;
            world.advance(3);
        }
        let genuine = signer.signed(&request_named(&world, "_r1", &destination(&world), ""), "_r1");
        let start = genuine.find("<ds:Signature").unwrap();
        let signature = &genuine[start..genuine.find("</ds:Signature>").unwrap() + "</ds:Signature>".len()];
        let forged = request_named(&world, "_evil", &destination(&world), "");
        let with = |inside: &str| forged.replace("</samlp:AuthnRequest>", &format!("{inside}</samlp:AuthnRequest>"));
        for (name, xml) in [
            ("inside extensions", with(&format!("<samlp:Extensions>{genuine}</samlp:Extensions>"))),
            (
                "inside an object",
                with(
                    &signature.replace("</ds:Signature>", &format!("<ds:Object>{genuine}</ds:Object></ds:Signature>")),
                ),
            ),
            ("its signature alone", with(signature)),
            ("the genuine one", genuine.clone()),
            ("around it", genuine.replacen("<saml:Issuer>", &format!("{forged}<saml:Issuer>"), 1)),
        ] {
            let plain =
                format!("SAMLRequest={}", utf8_percent_encode(&crate::door_saml::deflated(&xml), NON_ALPHANUMERIC));
            let queries =
                [plain.clone(), format!("{plain}&SigAlg=x&Signature=x"), signer.query("SAMLRequest", &xml, "r")];
            for query in queries {
                let seen = Visitor::new(&world.url).get(&format!("{}/saml/sso?{query}", world.base())).await;
                let shown = (seen.status, seen.title());
                assert_eq!(shown, (400, "This login request cannot be used".to_owned()), "{must_sign} {name}: {query}");
            }
        }
        assert_eq!(world.events("login_started").await, 0);
        world.stop().await;
    }
}
