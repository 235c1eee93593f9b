//! Tests of the authorization request, as tables: one good request, and what each change does to it.

use super::*;
use crate::domain::oidc_client::{ClientSecret, OidcClientDraft, SecretDigest};
use crate::domain::policy::access::Method;

const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

fn parse(parameters: &Parameters, client: &OidcClient) -> Result<AuthorizationRequest, RequestError> {
    super::parse(parameters, client, &[], false)
}

fn client() -> OidcClient {
    let draft: OidcClientDraft = toml::from_str(
        r#"client_id = "notes"
        redirect_uris = ["https://rp.example/cb", "https://rp.example/cb?tenant=a"]
        scopes = ["openid", "profile", "email"]"#,
    )
    .expect("a draft");
    let mut client = draft.check(|_, _| SecretDigest([0; 32])).expect("a client");
    client.secrets = vec![ClientSecret { digest: SecretDigest([0; 32]), expires_at: None }];
    client
}

/// A good request with some parameters set to other values; an empty value takes one away.
fn request(changes: &[(&str, &str)]) -> Parameters {
    let mut pairs = vec![
        ("client_id", "notes"),
        ("redirect_uri", "https://rp.example/cb"),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("state", "s"),
        ("nonce", "n"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        pairs.retain(|(other, _)| other != name);
        pairs.push((name, value));
    }
    encode(&pairs)
}

fn encode(pairs: &[(&str, &str)]) -> Parameters {
    let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Parameters::parse(encoded.as_bytes()).expect("UTF-8")
}

fn accepted(changes: &[(&str, &str)]) -> AuthorizationRequest {
    parse(&request(changes), &client()).expect("accepted")
}

/// The error that is sent back, with the address and state it goes to.
fn sent_back(parameters: &Parameters, client: &OidcClient) -> (ReturnAddress, Code) {
    match parse(parameters, client) {
        Err(RequestError::SentBack { to, error }) => (*to, error.code),
        other => panic!("{other:?}"),
    }
}

/// R-503, R-507.
#[test]
fn a_good_request_is_taken_as_it_is() {
    let request = accepted(&[]);
    assert_eq!(request.client_id, "notes");
    assert_eq!(request.return_to.redirect_uri(), "https://rp.example/cb");
    assert_eq!(request.return_to.state.as_deref(), Some("s"));
    assert_eq!(request.scopes, BTreeSet::from([Scope::Openid, Scope::Email]));
    assert_eq!(request.nonce.as_deref(), Some("n"));
    assert_eq!(request.code_challenge.as_deref(), Some(CHALLENGE));
    assert_eq!((request.prompt, request.max_age_seconds, request.essential_level), (Prompt::default(), None, None));
    let stored = serde_json::to_string(&request).expect("JSON");
    assert_eq!(serde_json::from_str::<AuthorizationRequest>(&stored).expect("reads back"), request);
}

/// R-514, T-46.
#[test]
fn without_a_proven_address_an_error_is_only_shown() {
    let shown = |changes: &[(&str, &str)]| match parse(&request(changes), &client()) {
        Err(RequestError::Shown(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(shown(&[("redirect_uri", "")]), ShownError::RedirectUriMissing);
    assert_eq!(shown(&[("redirect_uri", "https://evil.example/cb")]), ShownError::RedirectUriUnknown);
    assert_eq!(shown(&[("redirect_uri", "https://rp.example/cb?x=1")]), ShownError::RedirectUriUnknown);
    // Everything else may be wrong as well; the address decides.
    assert_eq!(
        shown(&[("redirect_uri", "https://rp.example/"), ("response_type", "x")]),
        ShownError::RedirectUriUnknown
    );
    let twice = encode(&[("redirect_uri", "https://rp.example/cb"), ("redirect_uri", "https://evil.example/")]);
    assert!(matches!(parse(&twice, &client()), Err(RequestError::Shown(ShownError::Parameters(_)))));
    assert_eq!(client_id(&request(&[("client_id", "")])), Err(ShownError::ClientMissing));
    assert_eq!(client_id(&request(&[])), Ok("notes"));
    assert!(client_id(&encode(&[("client_id", "a"), ("client_id", "a")])).is_err());
}

#[test]
fn every_later_error_goes_back_with_its_code_and_state_auth_03_to_auth_31() {
    let long = "s".repeat(5000);
    let cases: &[(&[(&str, &str)], Code)] = &[
        (&[("response_type", "")], Code::InvalidRequest),
        (&[("response_type", "token")], Code::UnsupportedResponseType),
        (&[("response_type", "code id_token")], Code::UnsupportedResponseType),
        (&[("response_mode", "fragment")], Code::InvalidRequest),
        (&[("response_mode", "web_message")], Code::InvalidRequest),
        (&[("scope", "")], Code::InvalidScope),
        (&[("scope", "profile")], Code::InvalidScope),
        (&[("scope", "OPENID")], Code::InvalidScope),
        (&[("request", "e30.e30.")], Code::RequestNotSupported),
        (&[("request_uri", "http://127.0.0.1/x")], Code::RequestUriNotSupported),
        (&[("registration", "{}")], Code::RegistrationNotSupported),
        (&[("nonce", &long)], Code::InvalidRequest),
        (&[("prompt", "none login")], Code::InvalidRequest),
        (&[("prompt", "create")], Code::InvalidRequest),
        (&[("max_age", "abc")], Code::InvalidRequest),
        (&[("max_age", "-1")], Code::InvalidRequest),
        (&[("max_age", "+1")], Code::InvalidRequest),
        (&[("claims", "{")], Code::InvalidRequest),
        (&[("claims", "[]")], Code::InvalidRequest),
        (&[("claims", "null")], Code::InvalidRequest),
        (&[("claims", r#"{"userinfo": 1}"#)], Code::InvalidRequest),
        (&[("claims", r#"{"id_token":{"acr":{"essential":"yes"}}}"#)], Code::InvalidRequest),
        (&[("claims", r#"{"id_token":{"sub":{"values":["a","b"]}}}"#)], Code::InvalidRequest),
        (&[("claims", r#"{"id_token":{"sub":{"value":5}}}"#)], Code::InvalidRequest),
        (&[("claims", r#"{"userinfo":{"sub":{"values":["a",null]}}}"#)], Code::InvalidRequest),
        (&[("claims", r#"{"id_token":{"acr":{"essential":true,"values":[5]}}}"#)], Code::InvalidRequest),
        (
            &[("claims", r#"{"id_token":{"acr":{"essential":true,"values":["urn:x"]}}}"#)],
            Code::UnmetAuthenticationRequirements,
        ),
    ];
    for (changes, code) in cases {
        let (to, found) = sent_back(&request(changes), &client());
        assert_eq!(found, *code, "{changes:?}");
        assert_eq!(to.state.as_deref(), Some("s"), "{changes:?}");
    }
    let (_, code) = sent_back(&request(&[("state", &long)]), &client());
    assert_eq!(code, Code::InvalidRequest);
}

#[test]
fn a_parameter_given_twice_is_refused_auth_13() {
    for name in [
        "scope",
        "state",
        "nonce",
        "response_type",
        "response_mode",
        "prompt",
        "max_age",
        "claims",
        "code_challenge",
        "code_challenge_method",
        "acr_values",
        "login_hint",
        "id_token_hint",
        "ui_locales",
        "request",
        "request_uri",
    ] {
        let mut pairs = vec![
            ("redirect_uri", "https://rp.example/cb"),
            ("response_type", "code"),
            ("scope", "openid"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        pairs.push((name, "x"));
        pairs.push((name, "x"));
        assert_eq!(sent_back(&encode(&pairs), &client()).1, Code::InvalidRequest, "{name}");
    }
}

/// T-48, AC-47: every combination of challenge and method, for clients with and without the duty.
#[test]
fn pkce_cannot_be_left_out_or_weakened() {
    let mut relaxed = client();
    relaxed.require_pkce = false;
    for (challenge, method, required, free) in [
        (CHALLENGE, "S256", true, true),
        (CHALLENGE, "plain", false, false),
        (CHALLENGE, "", false, false),
        (CHALLENGE, "s256", false, false),
        ("", "S256", false, false),
        ("", "plain", false, false),
        ("", "", false, true),
        ("short", "S256", false, false),
        (&CHALLENGE.replace('-', "+"), "S256", false, false),
    ] {
        let changes = [("code_challenge", challenge), ("code_challenge_method", method)];
        assert_eq!(parse(&request(&changes), &client()).is_ok(), required, "{changes:?}");
        assert_eq!(parse(&request(&changes), &relaxed).is_ok(), free, "{changes:?}");
    }
}

/// R-507.
#[test]
fn the_wishes_of_a_request_are_kept() {
    let request = accepted(&[
        ("prompt", "login select_account"),
        ("max_age", "0"),
        ("login_hint", "ada@acme.test"),
        ("ui_locales", "fr-CH de <script>"),
        ("acr_values", "1 urn:vestibule:acr:mfa"),
        ("display", "popup"),
        ("response_mode", "form_post"),
        (
            "claims",
            r#"{"id_token":{"acr":{"essential":true,"values":["https://refeds.org/profile/mfa"]},"email":null,"sub":{"value":"x"}},"userinfo":{"groups":{"essential":true}},"other":1}"#,
        ),
    ]);
    assert_eq!(request.prompt, Prompt { login: true, select_account: true, ..Prompt::default() });
    assert_eq!(request.max_age_seconds, Some(0));
    assert_eq!(request.login_hint.as_deref(), Some("ada@acme.test"));
    assert_eq!(request.ui_locales, ["fr-CH", "de"]);
    assert_eq!(request.acr_values, [acr::REFEDS_MULTI_FACTOR, acr::MULTI_FACTOR]);
    assert_eq!(request.essential_level, Some(Level::MultiFactor));
    assert_eq!(request.subject.as_deref(), Some("x"));
    assert_eq!(request.return_to.mode, ResponseMode::FormPost);
    assert!(request.claims.userinfo.contains("groups") && request.claims.id_token.contains("email"));
    assert!(accepted(&[("prompt", "none")]).prompt.none);
    // Essential without values: whatever level is reached will be told (IDT-08).
    assert_eq!(accepted(&[("claims", r#"{"id_token":{"acr":{"essential":true}}}"#)]).essential_level, None);
}

/// R-509.
#[test]
fn scopes_are_limited_to_what_the_client_may_have() {
    let scopes = accepted(&[("scope", "openid groups profile unknown <x>")]).scopes;
    assert_eq!(scopes, BTreeSet::from([Scope::Openid, Scope::Profile]));
}

#[test]
fn useless_hints_and_unknown_parameters_are_ignored_auth_12_auth_27() {
    let long = "a".repeat(400);
    assert_eq!(accepted(&[("login_hint", &long), ("x-unknown", "1"), ("foo[bar]", "%%")]).login_hint, None);
    assert_eq!(accepted(&[("login_hint", "a\u{0}b")]).login_hint, None);
}

/// R-507.
#[test]
fn a_login_is_told_what_the_request_wishes() {
    assert_eq!(accepted(&[]).wishes(), Wishes::default());
    let wishes = accepted(&[("prompt", "none"), ("max_age", "60"), ("acr_values", acr::MULTI_FACTOR)]).wishes();
    assert!(wishes.silent && wishes.freshness == Freshness::Within { seconds: 60 });
    assert_eq!(wishes.methods, [Method::Password, Method::Otp]);
    for changes in [[("prompt", "login")], [("prompt", "select_account")], [("max_age", "0")]] {
        assert_eq!(accepted(&changes).wishes().freshness, Freshness::ThisLogin, "{changes:?}");
    }
    assert!(accepted(&[("acr_values", acr::PASSWORD)]).wishes().methods.is_empty(), "the policy may ask for more");
    assert_eq!(accepted(&[("acr_values", acr::PASSCODE)]).wishes().methods, [Method::Otp]);
    let essential = r#"{"id_token":{"acr":{"essential":true,"value":"urn:vestibule:acr:password"}}}"#;
    assert_eq!(accepted(&[("claims", essential)]).wishes().methods, [Method::Password], "no passcode satisfies it");
    assert_eq!(accepted(&[("login_hint", "ada"), ("ui_locales", "de")]).wishes().hint.as_deref(), Some("ada"));
}

/// OIDC Core 5.5.1.1: whoever takes either factor names none, in whatever order, and gets nothing where neither was proven.
#[test]
fn either_factor_is_a_condition_that_names_no_method() {
    let asked = |values: &str| {
        let claims = format!(r#"{{"id_token":{{"acr":{{"essential":true,"values":{values}}}}}}}"#);
        accepted(&[("claims", &claims), ("acr_values", acr::MULTI_FACTOR)])
    };
    let (password, passcode) = ("\"urn:vestibule:acr:password\"", "\"urn:vestibule:acr:otp\"");
    for values in [format!("[{password},{passcode}]"), format!("[{passcode},{password}]")] {
        let request = asked(&values);
        assert_eq!((request.essential_level, request.essential_either), (None, true), "{values}");
        assert!(request.wishes().methods.is_empty(), "{values}");
        let enough = [(true, false), (false, true), (true, true), (false, false)]
            .map(|(password, passcode)| request.is_satisfied_by(password, passcode));
        assert_eq!(enough, [true, true, true, false], "{values}");
    }
    let request = asked(&format!("[{passcode}]"));
    assert_eq!((request.essential_level, request.essential_either), (Some(Level::Passcode), false));
    assert!(request.is_satisfied_by(false, true) && !request.is_satisfied_by(true, false));
    assert!(accepted(&[]).is_satisfied_by(false, false));
    // A request that was stored by an instance from before reads as it was meant then.
    let mut stored = serde_json::to_value(&request).expect("JSON");
    stored.as_object_mut().expect("an object").remove("essential_either");
    assert_eq!(serde_json::from_value::<AuthorizationRequest>(stored).expect("reads back"), request);
}
