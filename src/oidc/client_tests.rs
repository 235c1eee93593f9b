use super::*;
use crate::domain::ids::SigningKeyId;
use crate::domain::oidc_client::OidcClientDraft;
use crate::domain::secret::SecretBytes;
use crate::domain::signing_key::SignatureAlgorithm;
use crate::keys::derived::DerivedKeys;
use crate::keys::signing::{RsaSize, SigningKey};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp::from_seconds(1_000_000);
const TENANT: TenantId = TenantId::from_bits(1);
const ISSUER: &str = "https://login.example/t/acme";

fn keys() -> DerivedKeys {
    DerivedKeys::from_root(&SecretBytes::new(vec![1; 32]))
}

fn client(id: &str, secret: Option<&str>, method: &str) -> OidcClient {
    let mut table = toml::Table::new();
    table.insert("client_id".into(), id.into());
    table.insert("redirect_uris".into(), vec!["https://rp.example/cb"].into());
    table.insert("token_endpoint_auth_method".into(), method.into());
    if let Some(secret) = secret {
        table.insert("client_secret".into(), secret.into());
    }
    let draft: OidcClientDraft = table.try_into().expect("a draft");
    draft.check(|id, secret| secret_digest(&keys().client_secrets, TENANT, id, secret)).expect("a client")
}

fn header(id: &str, secret: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(id), encode(secret))))
}

fn judged(client: &OidcClient, authorization: Option<&str>, body: &str) -> Result<Option<Assertion>, Code> {
    let parameters = Parameters::parse(body.as_bytes()).expect("UTF-8");
    let presented = presented(authorization, &parameters).map_err(|error| error.error)?;
    let (keys, audiences) = (keys(), [ISSUER.to_owned(), format!("{ISSUER}/oidc/token")]);
    let measure = Measure { tenant: TENANT, secrets: &keys.client_secrets, audiences: &audiences, now: NOW };
    let set = client.jwks.as_deref().map(|set| KeySet::parse(set).expect("a set")).unwrap_or_default();
    check(&presented, client, &set, &measure).map_err(|error| error.error)
}

fn is_itself(client: &OidcClient, authorization: Option<&str>, body: &str) -> Result<(), Code> {
    judged(client, authorization, body).map(|_| ())
}

/// TOK-03, TOK-04, TOK-07 to TOK-10, R-510.
#[test]
fn a_client_proves_itself_in_its_own_way_only() {
    let (id, secret) = ("conf:special client/a+b", "s%3A+p e&c=ial/:\"x~-0123456789");
    let basic = client(id, Some(secret), "client_secret_basic");
    assert_eq!(is_itself(&basic, Some(&header(id, secret)), ""), Ok(()));
    assert_eq!(is_itself(&basic, Some(&header(id, "wrong")), ""), Err(Code::InvalidClient));
    assert_eq!(is_itself(&basic, Some(&header("other", secret)), ""), Err(Code::InvalidClient));
    assert_eq!(
        is_itself(&basic, None, "client_id=conf%3Aspecial+client%2Fa%2Bb"),
        Err(Code::InvalidClient),
        "no proof"
    );
    assert_eq!(is_itself(&basic, None, ""), Err(Code::InvalidClient));
    for bad in ["Basic", "Basic %%%", "Basic YQ==", "Bearer YTpi", "basic"] {
        assert_eq!(is_itself(&basic, Some(bad), ""), Err(Code::InvalidClient), "{bad}");
    }
    let post = client("post", Some("a long secret"), "client_secret_post");
    assert_eq!(is_itself(&post, None, "client_id=post&client_secret=a+long+secret"), Ok(()));
    assert_eq!(is_itself(&post, None, "client_id=post&client_secret=a+long+secreT"), Err(Code::InvalidClient));
    assert_eq!(is_itself(&post, Some(&header("post", "a long secret")), ""), Err(Code::InvalidClient), "not its way");
    let both = "client_id=post&client_secret=a+long+secret";
    assert_eq!(is_itself(&post, Some(&header("post", "a long secret")), both), Err(Code::InvalidRequest), "two ways");
    let public = client("spa", None, "none");
    assert_eq!(is_itself(&public, None, "client_id=spa"), Ok(()));
    assert_eq!(is_itself(&public, None, "client_id=spa&client_secret=x"), Err(Code::InvalidClient));
}

///
#[test]
fn both_secrets_work_while_one_replaces_the_other() {
    let mut notes = client("notes", Some("the old secret"), "client_secret_post");
    let new = SecretString::from("the new secret".to_owned());
    let digest = secret_digest(&keys().client_secrets, TENANT, "notes", &new);
    notes.replace_secret(digest, Duration::from_secs(60), NOW);
    for secret in ["the+old+secret", "the+new+secret"] {
        assert_eq!(is_itself(&notes, None, &format!("client_id=notes&client_secret={secret}")), Ok(()));
    }
    notes.replace_secret(digest, Duration::ZERO, NOW);
    assert_eq!(is_itself(&notes, None, "client_id=notes&client_secret=the+old+secret"), Err(Code::InvalidClient));
}

fn signed(key: &SigningKey, header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes()).expect("signs")))
}

/// AC-49, T-51, R-510: the corpus of assertions. Each differs from the good one in one thing.
#[test]
fn an_assertion_is_right_in_every_claim_or_refused() {
    let key = SigningKey::generate(SigningKeyId::from_bits(1), SignatureAlgorithm::Es256, RsaSize::Bits2048);
    let key = key.expect("generates");
    let mut robot = client("robot", None, "private_key_jwt");
    assert!(!robot.is_complete(), "a key must be registered");
    robot.jwks = Some(json!({ "keys": [key.public_jwk()] }).to_string());
    assert!(robot.is_complete());
    let now = NOW.seconds();
    let good_header = json!({ "alg": "ES256", "kid": key.id().to_string() });
    let good = json!({ "iss": "robot", "sub": "robot", "aud": ISSUER, "exp": now + 60, "iat": now, "jti": "1" });
    let try_it = |header: &Value, claims: &Value| {
        let assertion = signed(&key, header, claims);
        let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
        judged(&robot, None, &format!("client_assertion_type={kind}&client_assertion={assertion}"))
    };
    let until = Timestamp::from_seconds(now + 120);
    assert_eq!(try_it(&good_header, &good), Ok(Some(Assertion { jti: "1".to_owned(), until })));
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    for aud in [json!([ISSUER]), json!(format!("{ISSUER}/oidc/token")), json!(["x", ISSUER])] {
        assert!(try_it(&good_header, &with("aud", aud)).is_ok());
    }
    let mut wrong: Vec<Value> = Vec::new();
    for name in ["iss", "sub", "aud", "exp", "jti"] {
        let mut without = good.clone();
        without.as_object_mut().expect("an object").remove(name);
        wrong.push(without);
        for value in [Value::Null, json!(true), json!({}), json!([[]]), json!("x"), json!("")] {
            if name != "jti" || value != "x" {
                wrong.push(with(name, value));
            }
        }
    }
    for (name, value) in [
        ("iss", json!("other")),
        ("sub", json!(["robot"])),
        ("aud", json!("https://login.example/t/blue")),
        ("aud", json!([ISSUER, 1])),
        ("aud", json!(format!("{ISSUER}/"))),
        ("exp", json!(now - 61)),
        ("exp", json!(now + 7200)),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("exp", json!((now + 60).to_string())),
        ("exp", json!([now + 60])),
        ("nbf", json!(now + 300)),
        ("nbf", json!("0")),
        ("nbf", Value::Null),
        ("iat", json!(now + 300)),
        ("iat", json!("0")),
        ("iat", json!({})),
        ("jti", json!(1)),
        ("jti", json!("x".repeat(256))),
    ] {
        wrong.push(with(name, value));
    }
    assert!(wrong.len() > 45, "{}", wrong.len());
    for claims in wrong {
        assert!(try_it(&good_header, &claims).is_err(), "{claims}");
    }
    let name = key.id().to_string();
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "HS256", "kid": name }),
        json!({ "alg": "RS256", "kid": name }),
        json!({ "alg": "ES256", "kid": "../../dev/null" }),
        json!({ "alg": "ES256", "kid": name, "jku": "https://evil.example" }),
        json!({ "alg": "ES256", "kid": name, "jwk": key.public_jwk() }),
        json!({ "alg": "ES256", "kid": name, "crit": [] }),
        json!({ "alg": "ES256", "kid": name, "typ": "dpop+jwt" }),
        json!({ "alg": "ES256", "kid": name, "typ": "at+jwt" }),
    ] {
        assert!(try_it(&header, &good).is_err(), "{header}");
    }
    let assertion = signed(&key, &good_header, &good);
    let kind = "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
    for body in [
        format!("client_assertion={assertion}"),
        format!("client_assertion_type={kind}"),
        format!("client_assertion_type=x&client_assertion={assertion}"),
        format!("client_assertion_type={kind}&client_assertion={assertion}&client_id=other"),
        format!("client_assertion_type={kind}&client_assertion={assertion}&client_secret=x"),
        format!("client_assertion_type={kind}&client_assertion={assertion}A"),
        format!("client_assertion_type={kind}&client_assertion=e30.e30."),
        format!("client_assertion_type={kind}&client_assertion={}", "a".repeat(9000)),
    ] {
        assert!(is_itself(&robot, None, &body).is_err(), "{body}");
    }
}
