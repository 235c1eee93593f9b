//! Fuzzing of everything that reads files which operators get from others: key containers, tables of tokens and of people
//! (security.md, fuzz target 11).
//!
//! As `fuzz_saml.rs`: a plain driver that changes a file of the corpus in a few of many ways, and holds what the code says
//! against what must be true of it. `VESTIBULE_FUZZ_SECONDS=3600 cargo test --release --test fuzz_import` runs each target
//! for an hour. What breaks something is written to `target/fuzz/`, and belongs into `tests/corpus/import/` from then on.

#![expect(clippy::unwrap_used, reason = "a test that goes wrong stops at once, and says where")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use vestibule::domain::secret::{SecretBytes, SecretString};
use vestibule::domain::timestamp::Timestamp;
use vestibule::exchange::pskc::{self, Protection, key_of_hex};
use vestibule::exchange::{csv, oath_csv, people};
use vestibule::xml::without_comments;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
/// The secret in every file of the corpus.
const SECRET: &[u8] = b"12345678901234567890";

fn file(name: &str) -> Vec<u8> {
    std::fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/import").join(name)).unwrap()
}

/// Pieces that have a meaning somewhere.
const WORDS: [&str; 36] = [
    "<!DOCTYPE x [<!ENTITY e \"x\">]>",
    "<!--",
    "-->",
    "<![CDATA[",
    "&e;",
    "&#65;",
    "</KeyPackage>",
    "<KeyPackage>",
    "<Key>",
    "<Data>",
    "<Secret><PlainValue>QUFBQUFBQUFBQUFBQUFBQQ==</PlainValue></Secret>",
    "<EncryptedValue>",
    "<ValueMAC></ValueMAC>",
    "<MACMethod Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#hmac-sha256\"/>",
    "<IterationCount>4294967295</IterationCount>",
    "aes256-cbc",
    "totp",
    "OCRA-1:HOTP-SHA1-6:QN08",
    "9223372036854775807",
    "-1",
    "0",
    " xmlns=\"urn:a\"",
    "\"",
    "\"\"",
    ",",
    ";",
    "\t",
    "\r\n",
    "\n",
    "\u{feff}",
    "\0",
    "'=",
    "=cmd|' /C calc'!A0",
    "\u{202e}",
    "serial,secret",
    "",
];

/// Changes a file in one to four ways.
fn mutated(dice: &mut StdRng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = seeds.get(dice.random_range(0..seeds.len())).unwrap().clone();
    for _ in 0..dice.random_range(1..=4) {
        let at = dice.random_range(0..=octets.len());
        let end = (at + dice.random_range(0..64)).min(octets.len());
        let word = WORDS.get(dice.random_range(0..WORDS.len())).unwrap();
        match dice.random_range(0..8) {
            0 => octets.truncate(at),
            1 => drop(octets.drain(at..end)),
            2 => {
                let piece = octets.get(at..end).unwrap().repeat(dice.random_range(1..100));
                octets.splice(at..at, piece);
            }
            3 => drop(octets.splice(at..at, word.bytes())),
            4 => drop(octets.splice(at..end, word.bytes())),
            5 => {
                let other = seeds.get(dice.random_range(0..seeds.len())).unwrap();
                let from = dice.random_range(0..=other.len());
                octets.splice(at.., other.get(from..).unwrap().iter().copied());
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

/// Runs a target on `seeds`, and then on what is made of them, until its time is over.
fn fuzz(name: &str, seeds: &[Vec<u8>], target: impl Fn(&[u8])) {
    let seconds = std::env::var("VESTIBULE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    // An unoptimised build is a good deal slower.
    let slow = Duration::from_millis(if cfg!(debug_assertions) { 2000 } else { 100 });
    let seed: u64 = rand::random();
    let mut dice = StdRng::seed_from_u64(seed);
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut runs, mut slowest) = (0_u64, Duration::ZERO);
    let mut tried = seeds.to_vec();
    while Instant::now() < end || runs < 200 {
        let input = tried.pop().unwrap_or_else(|| mutated(&mut dice, seeds));
        let timed = || {
            let begun = Instant::now();
            let result = catch_unwind(AssertUnwindSafe(|| target(&input)));
            (result, begun.elapsed())
        };
        let (mut result, mut took) = timed();
        // The machine does other things as well: only what is slow every time is slow.
        for _ in 0..5 {
            if result.is_ok() && took > slow {
                let (again, less) = timed();
                (result, took) = (again, took.min(less));
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
    println!("{name}: {runs} runs, the slowest {slowest:?}, seed {seed}");
}

/// Whether a secret came out that is neither the one of the corpus nor one that stands plain in the file.
fn is_forged(secret: &SecretBytes, octets: &[u8]) -> bool {
    let text = without_comments(&String::from_utf8_lossy(octets)).replace("&#65;", "A");
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    !secret.same_as(SECRET) && !text.contains(&STANDARD.encode(secret.expose()))
}

/// Whatever is done to a container whose secrets have MACs, no other secret comes out of an encrypted value.
#[test]
fn key_containers_under_a_key() {
    let seeds = [file("pre-shared.pskc.xml"), file("plain.pskc.xml")];
    let protection = Protection::Key(key_of_hex(b"12345678901234567890123456789012").unwrap());
    fuzz("pskc-key", &seeds, |octets| {
        let Ok(container) = pskc::read(octets, Some(&protection), NOW) else { return };
        assert!(!container.tokens.iter().flatten().any(|token| is_forged(&token.secret, octets)), "another secret");
    });
}

/// The same under a password.
#[test]
fn key_containers_under_a_password() {
    let seeds = [file("password.pskc.xml")];
    let protection = Protection::Password(SecretString::from("qwerty"));
    fuzz("pskc-password", &seeds, |octets| {
        // Millions of rounds are allowed, and take their seconds: that is no finding.
        if !String::from_utf8_lossy(octets).contains("<IterationCount>1000</IterationCount>") {
            return;
        }
        let Ok(container) = pskc::read(octets, Some(&protection), NOW) else { return };
        assert!(!container.tokens.iter().flatten().any(|token| is_forged(&token.secret, octets)), "another secret");
    });
}

/// Tables: whatever comes out is within the limits that the database has, and no reason tells a secret.
#[test]
fn tables_of_tokens() {
    let seeds = [file("oath.csv"), file("bare.csv")];
    fuzz("oath-csv", &seeds, |octets| {
        for token in oath_csv::read(octets, None).unwrap_or_default() {
            match token {
                Ok(token) => {
                    assert!((1..=64).contains(&token.serial.len()) && token.serial.is_ascii());
                    assert!((10..=128).contains(&token.secret.expose().len()));
                }
                Err(rejected) => {
                    assert!(rejected.name.len() <= 256 && !rejected.reason.contains("GEZDGNBVGY3TQOJQGEZDG"));
                }
            }
        }
    });
}

/// Tables of people: no name or address can end a line or a header (T-26), and what is exported is no formula (T-73).
#[test]
fn tables_of_people() {
    let seeds = [file("people.csv")];
    fuzz("people-csv", &seeds, |octets| {
        for person in people::read(octets).unwrap_or_default().into_iter().flatten() {
            let texts = [Some(person.username), person.email, person.first_name, person.last_name];
            for text in texts.into_iter().flatten() {
                assert!(!text.chars().any(char::is_control), "{text:?}");
                assert!(!csv::safe(&text).trim_start().starts_with(['=', '+', '-', '@']), "{text:?}");
                assert_eq!(csv::plain(&csv::safe(&text)), text);
            }
        }
    });
}

/// The corpus is what it says.
#[test]
fn the_corpus_is_good() {
    let key = Protection::Key(key_of_hex(b"12345678901234567890123456789012").unwrap());
    let password = Protection::Password(SecretString::from("qwerty"));
    for (name, protection) in
        [("plain.pskc.xml", None), ("pre-shared.pskc.xml", Some(&key)), ("password.pskc.xml", Some(&password))]
    {
        let container = pskc::read(&file(name), protection, NOW).unwrap();
        assert!(container.tokens.iter().flatten().all(|token| token.secret.same_as(SECRET)), "{name}");
        assert!(container.tokens.iter().all(Result::is_ok), "{name}");
    }
    for name in ["oath.csv", "bare.csv"] {
        let tokens = oath_csv::read(&file(name), None).unwrap();
        assert!(tokens.len() == 2 && tokens.iter().flatten().count() == 2, "{name}");
    }
    assert_eq!(people::read(&file("people.csv")).unwrap().iter().flatten().count(), 2);
}
