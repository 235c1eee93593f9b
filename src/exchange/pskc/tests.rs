//! Vectors of RFC 6030 (part G5), every fault that a container can have, and containers of our own read again.

use proptest::prelude::*;

use super::*;
use crate::clock::Entropy;
use crate::exchange::pskc::{key_of_hex, write};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const KEY: &str = "12345678901234567890123456789012";
const MAC_KEY: &str = "ESIzRFVmd4iZABEiM0RVZgKn6WjLaTC1sbeBMSvIhRejN9vJa2BOlSaMrR7I5wSX";
const SECRET: &str = "AAECAwQFBgcICQoLDA0OD+cIHItlB3Wra1DUpxVvOx2lef1VmNPCMl8jwZqIUqGv";
const VALUE_MAC: &str = "Su+NvtQfmvfJzF6bmQiJqoLRExc=";

/// The value of an encrypted element under AES-128.
fn sealed(value: &str) -> String {
    format!(
        "<xenc:EncryptionMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#aes128-cbc\"/>\
         <xenc:CipherData><xenc:CipherValue>\n  {value}\n</xenc:CipherValue></xenc:CipherData>"
    )
}

fn container(head: &str, packages: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<KeyContainer Version=\"1.0\" \
         xmlns=\"urn:ietf:params:xml:ns:keyprov:pskc\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" \
         xmlns:xenc=\"http://www.w3.org/2001/04/xmlenc#\" xmlns:xenc11=\"http://www.w3.org/2009/xmlenc11#\" \
         xmlns:pkcs5=\"http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#\">{head}{packages}</KeyContainer>"
    )
}

fn package(serial: &str, algorithm: &str, inside: &str) -> String {
    format!(
        "<KeyPackage><DeviceInfo><Manufacturer>Maker</Manufacturer><SerialNo>{serial}</SerialNo></DeviceInfo>\
         <Key Id=\"12345678\" Algorithm=\"urn:ietf:params:xml:ns:keyprov:pskc:{algorithm}\">{inside}</Key></KeyPackage>"
    )
}

const FORMAT: &str = "<AlgorithmParameters><ResponseFormat Length=\"8\" Encoding=\"DECIMAL\"/></AlgorithmParameters>";
const PLAIN: &str = "<Secret><PlainValue>MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=</PlainValue></Secret>";

fn pre_shared_head() -> String {
    format!(
        "<EncryptionKey><ds:KeyName>Pre-shared-key</ds:KeyName></EncryptionKey>\
         <MACMethod Algorithm=\"http://www.w3.org/2000/09/xmldsig#hmac-sha1\"><MACKey>{}</MACKey></MACMethod>",
        sealed(MAC_KEY)
    )
}

fn password_head(iterations: &str) -> String {
    format!(
        "<EncryptionKey><xenc11:DerivedKey><xenc11:KeyDerivationMethod \
         Algorithm=\"http://www.rsasecurity.com/rsalabs/pkcs/schemas/pkcs-5v2-0#pbkdf2\"><pkcs5:PBKDF2-params>\
         <Salt><Specified>Ej7/PEpyEpw=</Specified></Salt><IterationCount>{iterations}</IterationCount>\
         <KeyLength>16</KeyLength><PRF/></pkcs5:PBKDF2-params></xenc11:KeyDerivationMethod>\
         <xenc:ReferenceList><xenc:DataReference URI=\"#ED\"/></xenc:ReferenceList>\
         <xenc11:MasterKeyName>My Password 1</xenc11:MasterKeyName></xenc11:DerivedKey></EncryptionKey>\
         <MACMethod Algorithm=\"http://www.w3.org/2000/09/xmldsig#hmac-sha1\"><MACKey>{}</MACKey></MACMethod>",
        sealed("2GTTnLwM3I4e5IO5FkufoOEiOhNj91fhKRQBtBJYluUDsPOLTfUvoU2dStyOwYZx")
    )
}

fn encrypted_package(serial: &str, secret: &str, mac: &str) -> String {
    let data = format!(
        "{FORMAT}<Data><Secret><EncryptedValue>{}</EncryptedValue><ValueMAC>{mac}</ValueMAC></Secret>\
         <Counter><PlainValue>0</PlainValue></Counter></Data>",
        sealed(secret)
    );
    package(serial, "hotp", &data)
}

fn pre_shared() -> Protection {
    Protection::Key(key_of_hex(KEY.as_bytes()).expect("a key"))
}

fn password(text: &str) -> Protection {
    Protection::Password(SecretString::from(text.to_owned()))
}

fn one(text: &str, protection: Option<&Protection>) -> Read<Described> {
    let mut container = read(text.as_bytes(), protection, NOW).expect("a container");
    assert_eq!(container.tokens.len(), 1);
    container.tokens.remove(0)
}

fn refused(text: &str, protection: Option<&Protection>) -> String {
    read(text.as_bytes(), protection, NOW).expect_err("no container").0
}

fn is_the_rfcs(token: &Described) {
    assert!(token.secret.same_as(b"12345678901234567890"));
    assert_eq!((token.length, token.alphabet), (8, Alphabet::Decimal));
    assert_eq!((&token.method, token.algorithm), (&Method::Event { counter: 0 }, Algorithm::Sha1));
}

/// R-363, part G5: section 4, plain.
#[test]
fn the_plain_example() {
    let inside =
        format!("<Issuer>Issuer-A</Issuer>{FORMAT}<Data>{PLAIN}<Counter><PlainValue>0</PlainValue></Counter></Data>");
    let text = container("", &package("", "hotp", &inside));
    let token = one(&text.replace("<SerialNo></SerialNo>", ""), None).expect("a token");
    is_the_rfcs(&token);
    assert_eq!(token.serial, "12345678", "a device without a serial number is known by its key");
}

/// R-363, part G5: section 6.1, under a pre-shared key.
#[test]
fn the_example_with_a_pre_shared_key() {
    let text = container(&pre_shared_head(), &encrypted_package("987654321", SECRET, VALUE_MAC));
    is_the_rfcs(&one(&text, Some(&pre_shared())).expect("a token"));
    assert!(refused(&text, None).contains("encrypted with a key"));
    assert!(refused(&text, Some(&password("qwerty"))).contains("a password was given"));
    let other = Protection::Key(SecretBytes::new(vec![1; 16]));
    let fault = refused(&text, Some(&other));
    assert!(fault.contains("the key or the password is wrong"), "{fault}");
    let long = Protection::Key(SecretBytes::new(vec![1; 32]));
    assert!(refused(&text, Some(&long)).contains("128 bits, not of 256"));
}

/// R-363, part G5: section 6.2, under a password.
#[test]
fn the_example_with_a_password() {
    let package = encrypted_package(
        "987654321",
        "oTvo+S22nsmS2Z/RtcoF8Hfh+jzMe0RkiafpoDpnoZTjPYZu6V+A4aEn032yCr4f",
        "LP6xMvjtypbfT9PdkJhBZ+D6O4w=",
    );
    let text = container(&password_head("1000"), &package);
    is_the_rfcs(&one(&text, Some(&password("qwerty"))).expect("a token"));
    for wrong in ["", "Qwerty", "qwerty "] {
        match read(text.as_bytes(), Some(&password(wrong)), NOW) {
            // One in some hundred wrong keys looks as if it opened the key of the MACs; then the MACs are wrong.
            Ok(container) => assert!(container.tokens.iter().all(Result::is_err)),
            Err(fault) => assert!(fault.0.contains("password is wrong"), "{fault}"),
        }
    }
    assert!(refused(&text, Some(&pre_shared())).contains("a key was given"));
    assert!(refused(&text, None).contains("encrypted with a password"));
}

/// T-68: a file cannot keep the machine busy.
#[test]
fn the_rounds_of_a_password_are_limited() {
    for iterations in ["0", "10000001", "4294967295", "99999999999", "-1", "x"] {
        let text = container(&password_head(iterations), &encrypted_package("1", SECRET, VALUE_MAC));
        let fault = refused(&text, Some(&password("qwerty")));
        assert!(fault.contains("rounds") || fault.contains("no number"), "{iterations}: {fault}");
    }
}

/// the MAC is compared before anything is decrypted, and a container without one is not trusted.
#[test]
fn altered_values_are_refused_one_by_one() {
    let altered = SECRET.replace("AAEC", "AAED");
    let packages = [
        encrypted_package("A1", SECRET, VALUE_MAC),
        encrypted_package("A2", &altered, VALUE_MAC),
        encrypted_package("A3", SECRET, "Su+NvtQfmvfJzF6bmQiJqoLRExd="),
        encrypted_package("A4", SECRET, "Su+NvtQfmvfJzF6b"),
        encrypted_package("A5", SECRET, VALUE_MAC).replace("<ValueMAC>Su+NvtQfmvfJzF6bmQiJqoLRExc=</ValueMAC>", ""),
        encrypted_package("A6", "AAEC", VALUE_MAC),
        encrypted_package("A7", SECRET, VALUE_MAC),
    ];
    let text = container(&pre_shared_head(), &packages.concat());
    let read = read(text.as_bytes(), Some(&pre_shared()), NOW).expect("a container");
    let good: Vec<bool> = read.tokens.iter().map(Result::is_ok).collect();
    assert_eq!(good, [true, false, false, false, false, false, true]);
    let told: Vec<String> =
        read.tokens.iter().filter_map(|token| token.as_ref().err()).map(ToString::to_string).collect();
    assert!(told[0].starts_with("record 2 (A2): has a wrong MAC"), "{}", told[0]);
    assert!(told[3].contains("has no MAC"), "{}", told[3]);
    // Without any method for MACs nothing is believed, though it would decrypt.
    let head = "<EncryptionKey><ds:KeyName>k</ds:KeyName></EncryptionKey>";
    let text = container(head, &encrypted_package("A1", SECRET, VALUE_MAC));
    assert!(one(&text, Some(&pre_shared())).expect_err("no MAC").reason.contains("no MAC"));
    let weak = pre_shared_head().replace("hmac-sha1", "hmac-md5");
    assert!(refused(&container(&weak, &packages[0]), Some(&pre_shared())).contains("hmac-md5"));
}

#[test]
fn every_kind_of_token_is_understood() {
    let totp = "<AlgorithmParameters><Suite>HMAC-SHA256</Suite><ResponseFormat Length=\"6\" Encoding=\"DECIMAL\"/>\
        </AlgorithmParameters>";
    let times = "<Time><PlainValue>0</PlainValue></Time><TimeInterval><PlainValue>60</PlainValue></TimeInterval>\
        <TimeDrift><PlainValue>-4</PlainValue></TimeDrift>";
    let inside = format!("{totp}<Data>{PLAIN}{times}</Data><UserId>CN=x, UID=j\\,smith,DC=example</UserId>");
    let token = one(&container("", &package("t-1", "totp", &inside)), None).expect("a token");
    assert_eq!(token.method, Method::Time { step_seconds: 60, drift_steps: -4 });
    assert_eq!((token.algorithm, token.serial.as_str()), (Algorithm::Sha256, "T-1"));
    assert_eq!((token.user.as_deref(), token.manufacturer.as_deref()), (Some("j,smith"), Some("Maker")));

    let suite = "OCRA-1:HOTP-SHA512-8:C-QN08";
    let ocra = format!(
        "<AlgorithmParameters><Suite>{suite}</Suite><ChallengeFormat Encoding=\"DECIMAL\" Min=\"8\" Max=\"8\"/>\
         <ResponseFormat Length=\"8\" Encoding=\"DECIMAL\"/></AlgorithmParameters><Data>{PLAIN}<Counter><PlainValue>7\
         </PlainValue></Counter></Data><Policy><KeyUsage>CR</KeyUsage></Policy>"
    );
    for name in ["OCRA-1".to_owned(), "ocra".to_owned()] {
        let token = one(&container("", &package("o1", &name, &ocra)), None).expect("a token");
        assert_eq!(token.method, Method::Challenge { suite: suite.to_owned(), counter: 7 });
    }
    let bare = format!("{FORMAT}<Data>{PLAIN}</Data>");
    let token = one(&container("", &package("o1", suite, &bare)), None).expect("a token");
    assert_eq!(token.method, Method::Challenge { suite: suite.to_owned(), counter: 0 });

    let letters = FORMAT.replace("DECIMAL", "HEXADECIMAL");
    let hex = one(&container("", &package("h1", "hotp", &format!("{letters}<Data>{PLAIN}</Data>"))), None);
    assert_eq!(hex.expect("a token").alphabet, Alphabet::Hexadecimal);
    // RFC 6030 section 4.3.4.2: every encoding that it knows, and one that it does not.
    for (named, expected) in [
        ("HEXADECIMAL", Ok(Alphabet::Hexadecimal)),
        ("ALPHANUMERIC", Ok(Alphabet::Base32)),
        ("BASE64", Ok(Alphabet::Base64)),
        ("BINARY", Err("nobody can type")),
        ("MORSE", Err("RFC 6030 does not know: MORSE")),
    ] {
        let format = FORMAT.replace("DECIMAL", named);
        let read = one(&container("", &package("e1", "hotp", &format!("{format}<Data>{PLAIN}</Data>"))), None);
        match (read, expected) {
            (Ok(token), Ok(expected)) => assert_eq!(token.alphabet, expected, "{named}"),
            (Err(rejected), Err(words)) => assert!(rejected.reason.contains(words), "{named}: {rejected}"),
            (read, _) => panic!("{named}: {read:?}"),
        }
    }
    // As drafts had it, and with a comment of somebody.
    let draft = container("<!-- ours -->", &package("d1", "hotp", &bare))
        .replace("keyprov:pskc\"", "keyprov:pskc:1.0\"")
        .replace("urn:ietf:params:xml:ns:keyprov:pskc:hotp", "http://www.ietf.org/keyprov/pskc#hotp");
    assert!(one(&draft, None).is_ok());
}

/// whatever is not understood is refused, and says so.
#[test]
fn what_is_not_understood_is_refused() {
    let inside = |before: &str, data: &str, behind: &str| format!("{before}<Data>{data}</Data>{behind}");
    let policy = |policy: &str| inside(FORMAT, PLAIN, &format!("<Policy>{policy}</Policy>"));
    for (algorithm, text, words) in [
        ("securid", inside(FORMAT, PLAIN, ""), "another algorithm"),
        ("hotp", FORMAT.to_owned(), "no data"),
        ("hotp", inside(FORMAT, "", ""), "no secret"),
        ("hotp", inside(FORMAT, &PLAIN.repeat(2), ""), "more than one Secret"),
        ("hotp", inside(FORMAT, "<Secret/>", ""), "neither plain nor encrypted"),
        ("hotp", inside(FORMAT, "<Secret><PlainValue>!</PlainValue></Secret>", ""), "not base64"),
        ("hotp", inside(FORMAT, "<Secret><PlainValue>MTIz</PlainValue></Secret>", ""), "3 octets"),
        ("hotp", inside(FORMAT, &PLAIN.replace("Nzg5", "<ValueMAC/>Nzg5"), ""), "not base64"),
        ("hotp", inside(FORMAT, &format!("{PLAIN}<Counter><PlainValue>1<x/>2</PlainValue></Counter>"), ""), "Counter"),
        ("hotp", inside(FORMAT, &format!("{PLAIN}<Counter><PlainValue>-1</PlainValue></Counter>"), ""), "negative"),
        ("hotp", inside(FORMAT, &format!("{PLAIN}<Counter><PlainValue>x</PlainValue></Counter>"), ""), "Counter"),
        ("totp", inside(FORMAT, &format!("{PLAIN}<Time><PlainValue>5</PlainValue></Time>"), ""), "1970"),
        (
            "totp",
            inside(FORMAT, &format!("{PLAIN}<TimeInterval><PlainValue>-30</PlainValue></TimeInterval>"), ""),
            "step",
        ),
        ("totp", inside(FORMAT, &format!("{PLAIN}<TimeDrift><PlainValue>5000</PlainValue></TimeDrift>"), ""), "1000"),
        ("ocra", inside(FORMAT, PLAIN, ""), "no suite"),
        ("hotp", inside(&FORMAT.replace("DECIMAL", "BINARY"), PLAIN, ""), "nobody can type"),
        ("hotp", inside(&FORMAT.replace("Length", "CheckDigits=\"true\" Length"), PLAIN, ""), "check digit"),
        ("hotp", inside(&FORMAT.replace("\"8\"", "\"eight\""), PLAIN, ""), "length"),
        ("hotp", policy("<PINPolicy PINUsageMode=\"Append\"/>"), "PIN"),
        ("hotp", policy("<NumberOfTransactions>5</NumberOfTransactions>"), "number of times"),
        ("hotp", policy("<KeyUsage>Encrypt</KeyUsage>"), "other purposes"),
        ("hotp", policy("<OnlyOnSundays/>"), "OnlyOnSundays"),
        ("hotp", policy("<ExpiryDate>2020-01-01T00:00:00Z</ExpiryDate>"), "expired"),
        ("hotp", policy("<StartDate>2099-01-01T00:00:00</StartDate>"), "before"),
        ("hotp", policy("<StartDate>soon</StartDate>"), "no date"),
    ] {
        let rejected = one(&container("", &package("S1", algorithm, &text)), None).expect_err(&text);
        assert!(rejected.reason.contains(words), "{text}: {rejected}");
        assert_eq!(rejected.name, "S1");
    }
    let encrypted = encrypted_package("S1", SECRET, VALUE_MAC);
    assert!(one(&container("", &encrypted), None).expect_err("encrypted").reason.contains("neither a key"));
    for (text, words) in [
        ("<a/>".to_owned(), "no key container"),
        (container("", ""), "holds no key"),
        ("<!DOCTYPE x><KeyContainer/>".to_owned(), "document type"),
        (container("<EncryptionKey><ds:X509Data/></EncryptionKey>", &encrypted), "certificate"),
        ("<KeyContainer xmlns=\"urn:other\"><KeyPackage/></KeyContainer>".to_owned(), "no key container"),
        (container("", &encrypted).replace("</KeyContainer>", ""), "well-formed"),
    ] {
        let fault = refused(&text, None);
        assert!(fault.contains(words), "{text}: {fault}");
    }
    let fine = policy("<ExpiryDate>2099-01-01T00:00:00+01:00</ExpiryDate><KeyUsage>OTP</KeyUsage>");
    let fine = read(container("", &package("S1", "hotp", &fine)).as_bytes(), None, NOW).expect("a container");
    assert!(fine.tokens[0].is_ok() && fine.notes[0].contains("end at a date"), "{:?}", fine.notes);
}

fn described(serial: &str, method: Method, secret: Vec<u8>) -> Described {
    Described {
        spot: Spot::Record(1),
        serial: serial.to_owned(),
        user: Some("o'brien, \"x\" <ü>".to_owned()),
        method,
        algorithm: Algorithm::Sha512,
        length: 8,
        alphabet: Alphabet::Decimal,
        secret: SecretBytes::new(secret),
        manufacturer: Some("oath.VE".to_owned()),
        model: Some("A & B".to_owned()),
    }
}

/// what is written is encrypted, and is read again with the same key or password only.
#[test]
fn what_is_written_is_read_again() {
    let secret = b"CANARY-secret-of-a-token".to_vec();
    let tokens = [
        described("A1", Method::Time { step_seconds: 60, drift_steps: 3 }, secret.clone()),
        described("A2", Method::Event { counter: 9 }, secret.clone()),
        Described {
            algorithm: Algorithm::Sha1,
            ..described(
                "A3",
                Method::Challenge { suite: "OCRA-1:HOTP-SHA1-6:QN08".to_owned(), counter: 0 },
                secret.clone(),
            )
        },
    ];
    let entropy = Entropy::seeded(7);
    for protection in [
        password("correct horse"),
        Protection::Key(entropy.secret(16)),
        Protection::Key(entropy.secret(24)),
        Protection::Key(entropy.secret(32)),
    ] {
        let text = write(&tokens, &protection, &entropy).expect("written");
        assert!(
            !text.contains("CANARY") && !text.contains(&STANDARD.encode(&secret)) && !text.contains("<Secret><Plain")
        );
        let again = read(text.as_bytes(), Some(&protection), NOW).expect("a container");
        for (token, before) in again.tokens.iter().zip(&tokens) {
            let token = token.as_ref().expect("a token");
            assert!(token.secret.same_as(&secret));
            assert_eq!((&token.serial, &token.user, &token.model), (&before.serial, &before.user, &before.model));
            assert_eq!((&token.method, token.algorithm, token.length), (&before.method, before.algorithm, 8));
        }
        assert_eq!(again.tokens.len(), tokens.len());
    }
    assert!(write(&tokens, &Protection::Key(entropy.secret(20)), &entropy).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// an octet changed anywhere in an encrypted container never gives another secret.
    #[test]
    fn a_changed_octet_gives_no_other_secret(at in 0_usize..2000, with in any::<u8>()) {
        let text = container(&pre_shared_head(), &encrypted_package("A1", SECRET, VALUE_MAC));
        let mut octets = text.into_bytes();
        let at = at % octets.len();
        octets[at] = with;
        if let Ok(container) = read(&octets, Some(&pre_shared()), NOW) {
            for token in container.tokens.into_iter().flatten() {
                prop_assert!(token.secret.same_as(b"12345678901234567890"));
            }
        }
    }
}
