//! Fuzzing of everything that reads what a stranger sends to the SAML doors (security.md, fuzz targets 1 to 5).
//!
//! A plain driver: it takes a message of the corpus, changes it in a few of many ways, and holds what the code says
//! against what must be true of it. It needs no other compiler than the one that builds the program. By itself each
//! target runs for a second or two; `VESTIBULE_FUZZ_SECONDS=3600 cargo test --release --test fuzz_saml` runs each for an
//! hour of the processor's time. What breaks something is written to `target/fuzz/`, and belongs into `tests/corpus/saml/` from then on: every
//! file there is tried first.

#![expect(clippy::unwrap_used, reason = "a test that goes wrong stops at once, and says where")]

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use vestibule::domain::application::{Application, Assignment, Protocol};
use vestibule::domain::ids::ApplicationId;
use vestibule::domain::service_provider::{ServiceProvider, ServiceProviderDraft};
use vestibule::domain::timestamp::Timestamp;
use vestibule::http::Form;
use vestibule::saml::verify::{self, RawQuery};
use vestibule::saml::{described, incoming, logout, request, soap};
use vestibule::xml::Element;

/// The moment of every message in the corpus.
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const SSO: &str = "https://login.example.com/sso";
const SLO: &str = "https://login.example.com/slo";

fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/saml");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
}

fn file(name: &str) -> String {
    let found = corpus().into_iter().find(|(known, _)| known == name).unwrap();
    String::from_utf8(found.1).unwrap().trim().to_owned()
}

/// The service provider of the corpus.
fn application() -> Application {
    let draft = ServiceProviderDraft {
        entity_id: Some("https://wiki.example.com/sp".to_owned()),
        acs_urls: vec!["https://wiki.example.com/acs".into()],
        certificates: vec![file("certificate.txt")],
        ..ServiceProviderDraft::default()
    };
    Application {
        id: ApplicationId::from_bits(1),
        name: "Wiki".to_owned(),
        active: true,
        launch_url: None,
        assignment: Assignment::Everyone,
        protocol: Protocol::Saml(Box::new(draft.check(None).unwrap())),
    }
}

fn provider(application: &Application) -> &ServiceProvider {
    let Protocol::Saml(provider) = &application.protocol else { panic!("it is one") };
    provider
}

/// Pieces that have a meaning somewhere.
const WORDS: [&str; 40] = [
    "<!DOCTYPE x [<!ENTITY e \"x\">]>",
    "<!--",
    "-->",
    "<![CDATA[",
    "]]>",
    "<?xml version=\"1.0\"?>",
    "&amp;",
    "&#x0;",
    "&e;",
    "</",
    "/>",
    "<a>",
    "</a>",
    " ID=\"_r1\"",
    " Id=\"_r1\"",
    " xml:id=\"_r1\"",
    " xmlns=\"urn:a\"",
    " xmlns:saml=\"urn:b\"",
    "<ds:Signature xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">",
    "</ds:Signature>",
    "<samlp:Extensions>",
    "</samlp:Extensions>",
    "<saml:Issuer>",
    "</saml:Issuer>",
    "https://evil.example/acs",
    "true",
    "0",
    "",
    "\u{feff}",
    "\0",
    "\u{202e}",
    "#_evil",
    "file:///etc/passwd",
    "2027-01-15T08:00:00Z",
    "urn:oasis:names:tc:SAML:2.0:protocol",
    "%00",
    "&",
    "=",
    "SAMLRequest=",
    "RelayState=",
];

/// Changes a message in one to four ways.
fn mutated(dice: &mut StdRng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = seeds.get(dice.random_range(0..seeds.len())).unwrap().clone();
    for _ in 0..dice.random_range(1..=4) {
        let length = octets.len();
        let at = dice.random_range(0..=length);
        let end = (at + dice.random_range(0..64)).min(length);
        match dice.random_range(0..10) {
            0 => octets.truncate(at),
            1 => drop(octets.drain(at..end)),
            2 => {
                let piece = octets.get(at..end).unwrap().to_vec();
                let to = dice.random_range(0..=octets.len());
                octets.splice(to..to, piece);
            }
            3 | 4 => {
                let word = WORDS.get(dice.random_range(0..WORDS.len())).unwrap();
                octets.splice(at..at, word.bytes());
            }
            5 => {
                let word = WORDS.get(dice.random_range(0..WORDS.len())).unwrap();
                octets.splice(at..end, word.bytes());
            }
            6 => {
                let other = seeds.get(dice.random_range(0..seeds.len())).unwrap();
                let from = dice.random_range(0..=other.len());
                octets.splice(at.., other.get(from..).unwrap().iter().copied());
            }
            7 => {
                let times = dice.random_range(1..200);
                let piece = octets.get(at..end).unwrap().repeat(times);
                octets.splice(at..at, piece);
            }
            _ => {
                if let Some(octet) = octets.get_mut(at) {
                    *octet = if dice.random() { dice.random() } else { *octet ^ (1 << dice.random_range(0..8)) };
                }
            }
        }
        octets.truncate(100_000);
    }
    octets
}

/// Runs a target on the corpus, and then on what is made of `seeds`, until its time is over.
fn fuzz(name: &str, seeds: &[Vec<u8>], target: impl Fn(&[u8])) {
    let seconds = std::env::var("VESTIBULE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    // An unoptimised build is a good deal slower.
    let slow = Duration::from_millis(if cfg!(debug_assertions) { 1000 } else { 50 });
    let seed: u64 = rand::random();
    let mut dice = StdRng::seed_from_u64(seed);
    let end = worked() + Duration::from_secs(seconds);
    let (mut runs, mut slowest, mut over) = (0_u64, Duration::ZERO, false);
    let mut tried: Vec<Vec<u8>> = corpus().into_iter().map(|(_, octets)| octets).chain(seeds.iter().cloned()).collect();
    while !over || runs < 200 {
        if runs % 64 == 0 {
            over = worked() >= end;
        }
        if seconds >= 60 && runs % 1_000_000 == 0 {
            println!("{name}: {runs} runs in {:?}, the slowest {slowest:?}, seed {seed}", worked());
        }
        let input = tried.pop().unwrap_or_else(|| mutated(&mut dice, seeds));
        let timed = || {
            let begun = Instant::now();
            let result = catch_unwind(AssertUnwindSafe(|| target(&input)));
            (result, begun.elapsed())
        };
        let (mut result, mut took) = timed();
        // The machine does other things as well: only what takes the processor that long every time is slow.
        for _ in 0..5 {
            if result.is_ok() && took > slow {
                let before = worked();
                let again = timed().0;
                (result, took) = (again, took.min(worked() - before));
            }
        }
        slowest = slowest.max(took);
        runs += 1;
        if result.is_err() || took > slow {
            let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
            std::fs::create_dir_all(&folder).unwrap();
            let path = folder.join(format!("{name}-{seed}-{runs}"));
            std::fs::write(&path, &input).unwrap();
            panic!("{name}: {} after {took:?}, seed {seed}, run {runs}", path.display());
        }
    }
    println!("{name}: {runs} runs in {:?}, the slowest {slowest:?}, seed {seed}", worked());
}

/// How long the processor has worked for this thread. An hour of fuzzing is an hour of that.
fn worked() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(told.split(' ').next().unwrap().parse().unwrap())
}

fn deflated(octets: &[u8]) -> String {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(octets).unwrap();
    STANDARD.encode(encoder.finish().unwrap())
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn form(field: &str, octets: &[u8]) -> Form {
    Form::parse(format!("{field}={}&RelayState=r", encoded(&STANDARD.encode(octets))).as_bytes())
}

/// Target 1: the message of a redirect, through base64, inflating and the gate.
/// T-32, T-35, T-37, T-38.
#[test]
fn a_redirected_request() {
    let application = application();
    let find = |id: &str| (id == provider(&application).entity_id).then(|| (&application, provider(&application)));
    let seeds = [file("authn.xml").into_bytes(), file("authn-signed.xml").into_bytes()];
    fuzz("redirect", &seeds, |octets| {
        for message in [deflated(octets), STANDARD.encode(octets), String::from_utf8_lossy(octets).into_owned()] {
            let query = format!("SAMLRequest={}", encoded(&message));
            let Ok(incoming) = incoming::redirected(&query, find) else { continue };
            assert!(!incoming.signed, "nothing is signed here");
            if let Ok(request) = request::check(incoming, SSO, NOW) {
                assert_eq!(request.acs, "https://wiki.example.com/acs", "T-39");
            }
        }
    });
}

/// Target 2: a posted request, from octets to what is believed: it says exactly what was signed.
/// T-31, T-32, T-33, T-36.
#[test]
fn a_posted_request() {
    let application = application();
    let find = |id: &str| (id == provider(&application).entity_id).then(|| (&application, provider(&application)));
    let signed = file("authn-signed.xml");
    let certificates = [file("certificate.txt")];
    let (said, true) = verify::posted(signed.as_bytes(), &certificates).unwrap() else { panic!("it is signed") };
    let seeds = [signed.into_bytes(), file("authn.xml").into_bytes()];
    fuzz("post", &seeds, |octets| {
        let Ok(incoming) = incoming::posted(&form("SAMLRequest", octets), find) else { return };
        if incoming.signed {
            let known = [file("logout-signed.xml"), file("answer-signed.xml")];
            let others = known.iter().map(|text| verify::posted(text.as_bytes(), &certificates).unwrap().0);
            let true_one = std::iter::once(said.clone()).chain(others).any(|known| known == incoming.root);
            assert!(true_one, "something that was not signed is believed");
        }
        if let Ok(request) = request::check(incoming, SSO, NOW) {
            assert_eq!(request.acs, "https://wiki.example.com/acs", "T-39");
        }
    });
}

/// Target 3: metadata of a service provider, read, told and registered.
/// T-40, T-42.
#[test]
fn metadata() {
    let names = ["metadata-pysaml2.xml", "metadata-python3-saml.xml", "metadata-node-saml.xml"];
    let seeds = names.map(|name| file(name).into_bytes());
    fuzz("metadata", &seeds, |octets| {
        let Ok(text) = std::str::from_utf8(octets) else { return };
        let Ok(described) = described::described(text, None, NOW) else { return };
        let _ = described::report(&described, NOW);
        let draft = ServiceProviderDraft { require_signed_requests: Some(true), ..ServiceProviderDraft::default() };
        let Ok(provider) = draft.check(Some(&described)) else { return };
        assert!(provider.require_signed_requests && !provider.certificates.is_empty(), "T-42");
        let logout = provider.logout.front.iter().map(|front| &front.url).chain(&provider.logout.soap);
        for url in provider.acs.iter().map(|endpoint| &endpoint.url).chain(logout) {
            assert!(url.trim_start().to_ascii_lowercase().starts_with("http"), "T-40: {url}");
        }
    });
}

/// Target 4: logout requests and answers, by form, by redirect and in an envelope: unsigned ones count for nothing.
/// T-45.
#[test]
fn a_logout_message() {
    let application = application();
    let find = |id: &str| (id == provider(&application).entity_id).then(|| (&application, provider(&application)));
    let names = ["logout.xml", "logout-signed.xml", "answer.xml", "answer-signed.xml", "envelope.txt"];
    let seeds = names.map(|name| file(name).into_bytes());
    fuzz("logout", &seeds, |octets| {
        let redirected = incoming::redirected(&format!("SAMLRequest={}", encoded(&deflated(octets))), find);
        if let Ok(incoming) = redirected {
            assert!(logout::check_request(incoming, SLO, NOW).is_err(), "nobody has signed it");
        }
        for field in ["SAMLRequest", "SAMLResponse"] {
            let Ok(incoming) = incoming::posted(&form(field, octets), find) else { continue };
            let signed = incoming.signed;
            if let Ok(answer) = logout::check_response(&incoming, SLO, NOW) {
                assert!(signed || !answer.done, "an unsigned answer counts as done");
            }
            if let Ok(request) = logout::check_request(incoming, SLO, NOW) {
                assert!(signed && request.name == "ada", "an unsigned request counts: {request:?}");
            }
        }
        let _ = soap::said(octets, "_a1");
        if let Ok(incoming) = incoming::enveloped(octets, find) {
            let signed = incoming.signed;
            if let Ok(request) = logout::check_request(incoming, SLO, NOW) {
                assert!(signed && request.name == "ada", "an unsigned request counts: {request:?}");
            }
        }
    });
}

/// Target 5: the signature of a query is good for exactly the octets that were signed.
/// T-41.
#[test]
fn a_signed_query() {
    let certificates = [file("certificate.txt")];
    let names = ["authn-query.txt", "logout-query.txt"];
    let seeds = names.map(|name| file(name).into_bytes());
    let signed: Vec<String> = seeds.iter().map(|query| covered(std::str::from_utf8(query).unwrap())).collect();
    fuzz("query", &seeds, |octets| {
        let Ok(query) = std::str::from_utf8(octets) else { return };
        let Ok(raw) = RawQuery::split(query) else { return };
        if raw.is_signed(&certificates) == Ok(true) {
            assert!(signed.contains(&covered(query)), "another query is believed: {query}");
            let message = raw.message().unwrap().1;
            assert!(seeds.iter().any(|seed| std::str::from_utf8(seed).unwrap().contains(message)));
        }
    });
}

/// What a signature covers, cut out of a query.
fn covered(query: &str) -> String {
    let of = |name: &str| query.split('&').find(|pair| pair.split('=').next() == Some(name)).unwrap_or_default();
    ["SAMLRequest", "SAMLResponse", "RelayState", "SigAlg"].map(of).join("&")
}

/// The corpus is what it says: each signed message is believed, and each of them is a tree.
#[test]
fn the_corpus_is_good() {
    let certificates = [file("certificate.txt")];
    for (name, octets) in corpus().iter().filter(|(name, _)| name.ends_with(".xml") && !name.starts_with("metadata")) {
        assert!(Element::parse(octets).is_ok(), "{name}");
        assert_eq!(verify::posted(octets, &certificates).unwrap().1, name.ends_with("-signed.xml"), "{name}");
    }
    let letter = soap::opened(file("envelope.txt").as_bytes()).unwrap();
    assert!(verify::posted(letter.as_bytes(), &certificates).unwrap().1, "the letter is signed");
    for name in ["authn-query.txt", "logout-query.txt"] {
        let query = file(name);
        assert_eq!(RawQuery::split(&query).unwrap().is_signed(&certificates), Ok(true), "{name}");
    }
}
