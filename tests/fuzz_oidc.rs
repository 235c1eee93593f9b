//! Fuzzing of what a stranger sends to the authorization and token endpoints (security.md, fuzz targets 6 and 7).
//!
//! By itself each target runs for a second; `VESTIBULE_FUZZ_SECONDS=3600 cargo test --release --test fuzz_oidc --
//! --nocapture` runs each for an hour of the processor's time. What breaks something is written to `target/fuzz/`, and
//! belongs into `tests/corpus/oidc/` from then on: every file there is tried first. Signed tokens cannot stand in a corpus
//! without their keys, so it has claims and headers, and the drivers sign them.

#![expect(clippy::unwrap_used, reason = "a test that goes wrong stops at once, and says where")]

mod fuzzing;

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fuzzing::{Fuzzer, corpus};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use vestibule::domain::ids::{ApplicationId, GrantId, Id, SigningKeyId, TenantId, UserId};
use vestibule::domain::oidc_client::{OidcClient, OidcClientDraft, Scope};
use vestibule::domain::resource::Resource;
use vestibule::domain::secret::SecretBytes;
use vestibule::domain::signing_key::{KeyStage, SignatureAlgorithm};
use vestibule::domain::timestamp::Timestamp;
use vestibule::keys::derived::DerivedKeys;
use vestibule::keys::jose::{Jws, KeySet};
use vestibule::keys::ring::KeyRing;
use vestibule::keys::signing::{RsaSize, SigningKey};
use vestibule::oidc::access_token::{AccessToken, read_jwt};
use vestibule::oidc::answer::Answer;
use vestibule::oidc::client::{self, Measure};
use vestibule::oidc::id_token::read_hint;
use vestibule::oidc::parameters::Parameters;
use vestibule::oidc::refresh_token::RefreshToken;
use vestibule::oidc::request::{self, RequestError};
use vestibule::oidc::request_object;
use vestibule::oidc::token_request::GrantRequest;

/// The moment of every message in the corpus.
const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const ISSUER: &str = "https://login.example/t/acme";
const TENANT: TenantId = TenantId::from_bits(1);
const SECRET: &str = "a secret of the application";
/// The registered addresses.
const ADDRESSES: [&str; 2] = ["https://rp.example/cb", "http://127.0.0.1:9000/cb?a=b"];

/// Pieces that have a meaning somewhere.
const WORDS: &[&str] = &[
    "&",
    "=",
    "%",
    "%00",
    "%ff",
    "%26",
    "%23",
    "%0d%0a",
    "+",
    "#",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "&client_id=app",
    "&state=1",
    "&scope=openid",
    "&redirect_uri=https%3A%2F%2Fevil.example%2F",
    "@evil.example",
    ".evil.example",
    "https://rp.example/cb",
    "http://127.0.0.1:1/cb?a=b",
    "&prompt=none",
    "&max_age=0",
    "&response_mode=form_post",
    "&response_type=token",
    "&code_challenge_method=plain",
    "&request=e30.e30.e30",
    "&grant_type=refresh_token",
    "&client_secret=x",
    "openid",
    "offline_access",
    "\"",
    "{",
    "}",
    "[",
    "null",
    ":",
    "\"exp\":9999999999,",
    "\"exp\":\"1800000060\"",
    "\"aud\":\"https://login.example/t/blue\"",
    "\"iss\":\"app\",",
    "\"sub\":\"app\",",
    "\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"},",
    "\"kid\":null,",
    "\"crit\":[\"exp\"],",
    "\"alg\":\"none\"",
    "1e308",
    "-1",
    "18446744073709551616",
    ".",
    "..",
    "e30",
    "vat_",
    "vrt_",
    "Basic ",
];

fn fuzzer() -> Fuzzer {
    Fuzzer { corpus: corpus("oidc").into_iter().map(|(_, octets)| octets).collect(), words: WORDS }
}

fn file(name: &str) -> String {
    let found = corpus("oidc").into_iter().find(|(known, _)| known == name).unwrap();
    String::from_utf8(found.1).unwrap().trim().to_owned()
}

/// The corpus' files whose names begin so.
fn files(beginning: &str) -> Vec<Vec<u8>> {
    let all = corpus("oidc").into_iter().filter(|(name, _)| name.starts_with(beginning));
    all.map(|(_, octets)| octets.trim_ascii_end().to_vec()).collect()
}

fn keys() -> DerivedKeys {
    DerivedKeys::from_root(&SecretBytes::new(vec![1; 32]))
}

fn signing_key() -> SigningKey {
    SigningKey::generate(SigningKeyId::from_bits(1), SignatureAlgorithm::Es256, RsaSize::Bits2048).unwrap()
}

fn client(table: &str) -> OidcClient {
    let draft: OidcClientDraft = toml::from_str(table).unwrap();
    draft.check(|id, secret| client::secret_digest(&keys().client_secrets, TENANT, id, secret)).unwrap()
}

fn app() -> OidcClient {
    client(&format!(
        "client_id = \"app\"\nclient_secret = \"{SECRET}\"\nredirect_uris = [\"{}\", \"{}\"]\n\
         scopes = [\"openid\", \"email\"]\nresources = [\"https://api.example/\"]\n\
         token_endpoint_auth_method = \"client_secret_post\"",
        ADDRESSES[0], ADDRESSES[1]
    ))
}

fn apis() -> Vec<Resource> {
    vec![toml::from_str("identifier = \"https://api.example/\"\nscopes = [\"read\", \"write\"]").unwrap()]
}

/// A token with this header and payload, whatever they are.
fn signed(key: &SigningKey, header: &[u8], payload: &[u8]) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).unwrap()))
}

fn header_of(key: &SigningKey, name: &str) -> String {
    file(name).replace("KID", &key.id().to_string())
}

/// Reads a document that the program has read. Where it has passed over a number that is larger than any that can be held
/// there is nothing to compare with; the document is one all the same (RFC 8259, 6).
fn json(octets: &[u8]) -> Option<Value> {
    match serde_json::from_slice(octets) {
        Ok(value) => Some(value),
        Err(error) => {
            assert!(error.to_string().contains("number out of range"), "what is believed is no JSON: {error}");
            None
        }
    }
}

/// Whether an address is a registered one, told in another way than the program does.
fn is_registered(address: &str) -> bool {
    if address == ADDRESSES[0] {
        return true;
    }
    let Some(rest) = address.strip_prefix("http://127.0.0.1") else { return false };
    let Some(port) = rest.strip_suffix("/cb?a=b") else { return false };
    port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok_and(|n| n.to_string() == port))
}

/// Reads a form as another crate does; `None` where that would have to guess.
fn read_elsewhere(octets: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(octets).into_owned().collect()
}

/// What must be true of a request that is taken, and of one that is sent back.
fn judge(parameters: &Parameters, app: &OidcClient, apis: &[Resource], pushed: bool) {
    let to_registered = |answer: Answer, state: Option<&str>| {
        let (address, fields) = match answer {
            Answer::Redirect(location) => {
                assert!(location.is_ascii() && !location.contains(char::is_whitespace), "T-46: {location}");
                let base = ADDRESSES[0].to_owned() + "?";
                assert!(location.starts_with(&base) || location.starts_with("http://127.0.0.1"), "T-46: {location}");
                let (address, query) = location.split_once('?').unwrap();
                let fields = read_elsewhere(query.as_bytes());
                (address.to_owned(), fields)
            }
            Answer::Form { action, fields } => {
                let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
                assert!(is_registered(&action), "T-46: {action}");
                (action.split('?').next().unwrap().to_owned(), fields.collect())
            }
        };
        assert!(is_registered(&address) || is_registered(&format!("{address}?a=b")), "T-46: {address}");
        let of = |name: &str| {
            let found = fields.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
            found.collect::<Vec<_>>()
        };
        assert_eq!(of("iss"), [ISSUER], "T-49");
        assert_eq!(of("state"), state.into_iter().collect::<Vec<_>>(), "the state comes back unchanged");
    };
    match request::parse(parameters, app, apis, pushed) {
        Ok(request) => {
            assert!(is_registered(request.return_to.redirect_uri()), "T-46");
            assert_eq!(parameters.one("response_type"), Ok(Some("code")), "R-503");
            let scopes: BTreeSet<Scope> = [Scope::Openid, Scope::Email].into();
            assert!(
                request.scopes.contains(&Scope::Openid) && request.scopes.is_subset(&scopes),
                "more than it may have"
            );
            assert_eq!(request.code_challenge.as_ref().map(String::len), Some(43), "T-48");
            assert_eq!(parameters.one("code_challenge_method"), Ok(Some("S256")), "T-48");
            assert!(request.resources.iter().all(|one| one == "https://api.example/"), "RFC 8707");
            assert!(request.more_scopes.iter().all(|one| one == "read" || one == "write"));
            assert!(request.more_scopes.is_empty() || !request.resources.is_empty());
            assert!(request.nonce.as_ref().is_none_or(|nonce| nonce.len() <= 512));
            let prompt = request.prompt;
            assert!(!(prompt.none && (prompt.login || prompt.consent || prompt.select_account)));
            for unsupported in ["request", "request_uri", "registration"] {
                assert_eq!(parameters.one(unsupported), Ok(None), "T-52");
            }
            let stored = serde_json::to_string(&request).unwrap();
            assert_eq!(serde_json::from_str::<request::AuthorizationRequest>(&stored).unwrap(), request);
            let _ = request.wishes();
            to_registered(request.return_to.code(ISSUER, "c"), parameters.one("state").unwrap());
        }
        Err(RequestError::SentBack { to, error }) => {
            let words = error.description.as_ref();
            // RFC 6749, 4.1.2.1: these characters and no others.
            assert!(words.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)), "{words}");
            let state = parameters.one("state").ok().flatten();
            to_registered(to.error(ISSUER, &error), state);
        }
        Err(RequestError::Shown(_)) => {
            let address = parameters.one("redirect_uri");
            assert!(!matches!(address, Ok(Some(address)) if is_registered(address)), "it could have been sent back");
        }
    }
}

/// Target 6: the query of the authorization endpoint.
/// T-46, T-48, T-49, T-52.
#[test]
fn an_authorization_request() {
    let (app, apis) = (app(), apis());
    fuzzer().run("authorize", &files("authorize"), |octets| {
        let Ok(parameters) = Parameters::parse(octets) else { return };
        for (name, value) in read_elsewhere(octets) {
            assert!(value.is_empty() || parameters.all(&name).contains(&value.as_str()), "{name} reads otherwise");
        }
        let _ = request::client_id(&parameters);
        judge(&parameters, &app, &apis, false);
        judge(&parameters, &app, &apis, true);
    });
}

/// Target 6: the same request as a signed object. What was not signed counts for nothing; what was is checked all the same.
/// T-51, T-52.
#[test]
fn a_request_object() {
    let (key, app, apis) = (signing_key(), app(), apis());
    let set = KeySet::parse(&serde_json::json!({ "keys": [key.public_jwk()] }).to_string()).unwrap();
    let unpack = |object: &str| request_object::unpack(object, "app", &set, ISSUER, NOW);
    let header = header_of(&key, "header.json");
    let good = signed(&key, header.as_bytes(), file("object.json").as_bytes());
    assert!(unpack(&good).is_ok(), "the corpus is good");
    let message = good.rsplit_once('.').unwrap().0.to_owned();
    let seeds = [good.into_bytes(), file("object.json").into_bytes(), file("assertion.json").into_bytes()];
    fuzzer().run("request-object", &seeds, |octets| {
        if let Ok(text) = std::str::from_utf8(octets)
            && unpack(text).is_ok()
        {
            assert_eq!(text.rsplit_once('.').unwrap().0, message, "nobody has signed this");
        }
        let Ok(parameters) = unpack(&signed(&key, header.as_bytes(), octets)) else { return };
        let Some(claims) = json(octets) else { return };
        assert_eq!((&claims["iss"], &claims["client_id"]), (&Value::from("app"), &Value::from("app")), "RFC 9101, 6.3");
        let aud = &claims["aud"];
        assert!(*aud == ISSUER || aud.as_array().is_some_and(|all| all.iter().any(|one| one == ISSUER)), "{aud}");
        assert!(claims["sub"] != "app", "an assertion is no request");
        for (name, least, most) in
            [("exp", 1_799_999_940.0, f64::MAX), ("nbf", -1.0, 1_800_000_061.0), ("iat", -1.0, 1_800_000_061.0)]
        {
            let time = &claims[name];
            assert!(time.is_null() || time.as_f64().is_some_and(|time| time > least && time < most), "{name}: {time}");
        }
        judge(&parameters, &app, &apis, false);
    });
}

/// The one value of a parameter, as another crate reads it.
fn only(pairs: &[(String, String)], name: &str) -> Option<String> {
    let mut found = pairs.iter().filter(|(other, _)| other == name).map(|(_, value)| value.clone());
    found.next().filter(|value| !value.is_empty()).filter(|_| found.next().is_none())
}

/// Target 7: the form of the token endpoint, and the header with it.
/// R-510, T-48.
#[test]
fn a_token_request() {
    let (app, derived, audiences) = (app(), keys(), [ISSUER.to_owned()]);
    let basic =
        client(&format!("client_id = \"app\"\nclient_secret = \"{SECRET}\"\nredirect_uris = [\"{}\"]", ADDRESSES[0]));
    let measure = Measure { tenant: TENANT, secrets: &derived.client_secrets, audiences: &audiences, now: NOW };
    let mut seeds = files("token");
    seeds.push(file("basic.txt").into_bytes());
    let good = Parameters::parse(seeds.iter().find(|seed| seed.starts_with(b"grant_type=auth")).unwrap()).unwrap();
    let presented = client::presented(None, &good).unwrap();
    assert!(client::check(&presented, &app, &KeySet::default(), &measure).is_ok(), "the corpus is good");
    fuzzer().run("token", &seeds, |octets| {
        if let Ok(header) = std::str::from_utf8(octets)
            && let Ok(presented) = client::presented(Some(header), &Parameters::of(Vec::new()))
            && client::check(&presented, &basic, &KeySet::default(), &measure).is_ok()
        {
            let encoded = header.split_once(' ').unwrap().1.trim();
            let decoded = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
            let (id, secret) = decoded.split_once(':').unwrap();
            let decode =
                |text: &str| read_elsewhere(format!("x={}", text.replace('&', "%26")).as_bytes()).pop().unwrap().1;
            assert_eq!((decode(id), decode(secret)), ("app".to_owned(), SECRET.to_owned()), "R-510");
        }
        let Ok(parameters) = Parameters::parse(octets) else { return };
        let pairs = read_elsewhere(octets);
        if let Ok(presented) = client::presented(None, &parameters) {
            for (client, posts) in [(&app, true), (&basic, false)] {
                if client::check(&presented, client, &KeySet::default(), &measure).is_ok() {
                    assert_eq!(only(&pairs, "client_id").as_deref(), Some("app"), "R-510");
                    assert_eq!(only(&pairs, "client_secret").as_deref(), Some(SECRET), "R-510");
                    assert_eq!(only(&pairs, "client_assertion"), None, "RFC 6749, 2.3: one way");
                    assert!(posts, "not in the way it is registered with");
                }
            }
        }
        if let Ok(asked) = GrantRequest::parse(&parameters) {
            let kind = only(&pairs, "grant_type").unwrap();
            assert!(GrantRequest::TYPES.contains(&kind.as_str()), "R-503: {kind}");
            let needed = match asked {
                GrantRequest::AuthorizationCode { .. } => "code",
                GrantRequest::RefreshToken { .. } => "refresh_token",
                GrantRequest::DeviceCode { .. } => "device_code",
                GrantRequest::ClientCredentials { .. } => "grant_type",
            };
            assert!(only(&pairs, needed).is_some(), "{needed} is not there once");
        }
    });
}

/// Target 7: the assertion of a client: by its key alone, for us, in time, and with every claim in its type.
/// AC-49, T-51.
#[test]
fn a_client_assertion() {
    let (key, derived, audiences) = (signing_key(), keys(), [ISSUER.to_owned()]);
    let set = serde_json::json!({ "keys": [key.public_jwk()] }).to_string();
    let mut robot = client(
        "client_id = \"robot\"\nredirect_uris = [\"https://rp.example/cb\"]\ntoken_endpoint_auth_method = \"private_key_jwt\"",
    );
    robot.jwks = Some(set.clone());
    let set = KeySet::parse(&set).unwrap();
    let measure = Measure { tenant: TENANT, secrets: &derived.client_secrets, audiences: &audiences, now: NOW };
    let form = file("token-assertion.txt");
    let believed = |assertion: &str| {
        let escaped = utf8_percent_encode(assertion, NON_ALPHANUMERIC).to_string();
        let Ok(parameters) = Parameters::parse(form.replace("ASSERTION", &escaped).as_bytes()) else { return false };
        let presented = client::presented(None, &parameters);
        presented.and_then(|presented| client::check(&presented, &robot, &set, &measure)).is_ok()
    };
    let (header, claims) = (header_of(&key, "header.json"), file("assertion.json"));
    let good = signed(&key, header.as_bytes(), claims.as_bytes());
    assert!(believed(&good), "the corpus is good");
    let message = good.rsplit_once('.').unwrap().0.to_owned();
    let mut seeds: Vec<Vec<u8>> =
        vec![good.into_bytes(), claims.clone().into_bytes(), file("object.json").into_bytes()];
    for bad in ["header-none.json", "header-hs256.json", "header-elsewhere.json"] {
        let header = header_of(&key, bad);
        assert!(!believed(&signed(&key, header.as_bytes(), claims.as_bytes())), "{bad}");
        seeds.push(header.into_bytes());
    }
    seeds.push(header.clone().into_bytes());
    fuzzer().run("assertion", &seeds, |octets| {
        if let Ok(text) = std::str::from_utf8(octets)
            && believed(text)
        {
            assert_eq!(text.rsplit_once('.').unwrap().0, message, "AC-49: nobody has signed this");
        }
        // Another header over good claims.
        if believed(&signed(&key, octets, claims.as_bytes()))
            && let Some(header) = json(octets)
        {
            assert_eq!(header["alg"], "ES256", "T-51");
            let kid = header.get("kid");
            assert!(kid.is_none_or(|kid| *kid == key.id().to_string()), "T-51: {kid:?}");
            for forbidden in ["jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc"] {
                assert!(header.get(forbidden).is_none(), "T-51: {forbidden}");
            }
        }
        // A good header over other claims.
        if believed(&signed(&key, header.as_bytes(), octets))
            && let Some(claims) = json(octets)
        {
            assert_eq!((&claims["iss"], &claims["sub"]), (&Value::from("robot"), &Value::from("robot")));
            let aud = &claims["aud"];
            assert!(*aud == ISSUER || aud.as_array().is_some_and(|all| all.iter().any(|one| one == ISSUER)), "{aud}");
            let exp = claims["exp"].as_f64().unwrap();
            assert!((1_799_999_940.0..=1_800_003_601.0).contains(&exp), "{exp}");
            assert!(claims["jti"].as_str().is_some_and(|jti| (1..=255).contains(&jti.len())));
            for name in ["nbf", "iat"] {
                let time = claims.get(name);
                assert!(time.is_none_or(|time| time.as_f64().is_some_and(|time| time < 1_800_000_061.0)), "{name}");
            }
        }
    });
}

/// Target 7: tokens that are shown to us: those that we made, and nothing that is near one.
/// T-51, T-54, T-56.
#[test]
fn a_shown_token() {
    let (key, derived) = (std::sync::Arc::new(signing_key()), keys());
    let ring = KeyRing::of(vec![(KeyStage::Current, std::sync::Arc::clone(&key))]);
    let access = AccessToken {
        id: Id::from_bits(9),
        grant: Some(GrantId::from_bits(2)),
        application: ApplicationId::from_bits(3),
        user: Some(UserId::from_bits(4)),
        scopes: BTreeSet::from([Scope::Openid, Scope::Phone]),
        more_scopes: BTreeSet::from(["read".to_owned()]),
        resource: None,
        jkt: None,
        issued_at: NOW,
        expires_at: Timestamp::from_seconds(1_800_000_900),
    };
    let opaque = access.seal(TENANT, &derived.access_tokens);
    let refresh = RefreshToken { grant: GrantId::from_bits(2), generation: 7, jkt: None };
    let refresh = refresh.seal(TENANT, &derived.refresh_tokens);
    let hint = key.sign_jwt(file("id-token.json").as_bytes()).unwrap();
    let jwt = key.sign_typed("at+jwt", file("access-token.json").as_bytes()).unwrap();
    let application = |id: &str| (id == "app").then_some(ApplicationId::from_bits(3));
    assert!(read_hint(&hint, ISSUER, &ring, NOW).is_some(), "the corpus is good");
    assert!(read_jwt(&jwt, ISSUER, &ring, NOW, application).is_some(), "the corpus is good");
    let message = |text: &str| text.rsplit_once('.').unwrap().0.to_owned();
    let seeds = [&opaque, &refresh, &hint, &jwt].map(|text| text.clone().into_bytes());
    let proof = file("dpop.json");
    let shown = |jwk: &Value| serde_json::json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": jwk }).to_string();
    let own = signed(&key, shown(key.public_jwk()).as_bytes(), proof.as_bytes());
    assert!(Jws::split(&own, 8192).unwrap().self_signed::<Value>().is_ok(), "the corpus is good");
    let seeds: Vec<Vec<u8>> = seeds.into_iter().chain([own.clone().into_bytes()]).collect();
    fuzzer().run("shown-token", &seeds, |octets| {
        let Ok(text) = std::str::from_utf8(octets) else { return };
        if AccessToken::open(text, TENANT, &derived.access_tokens, NOW).is_some() {
            assert_eq!(text, opaque, "T-54");
        }
        if RefreshToken::open(text, TENANT, &derived.refresh_tokens).is_some() {
            assert_eq!(text, refresh, "T-54");
        }
        if read_hint(text, ISSUER, &ring, NOW).is_some() {
            assert_eq!(message(text), message(&hint), "T-51");
        }
        if read_jwt(text, ISSUER, &ring, NOW, application).is_some() {
            assert_eq!(message(text), message(&jwt), "T-51");
        }
        if let Ok(jws) = Jws::split(text, 8192)
            && jws.self_signed::<Value>().is_ok()
        {
            assert_eq!(message(text), message(&own), "nobody else has a key");
        }
        // What is ours in one virtual server is nothing in another (T-56).
        let blue = TenantId::from_bits(2);
        assert!(AccessToken::open(text, blue, &derived.access_tokens, NOW).is_none());
        assert!(RefreshToken::open(text, blue, &derived.refresh_tokens).is_none());
    });
}
