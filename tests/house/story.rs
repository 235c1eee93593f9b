//! The main job: from an application's login to an enrolled authenticator and back.

use std::process::Command;

use vestibule::domain::oath::uri::OtpAuth;
use vestibule::domain::oath::{hotp, totp};
use vestibule::domain::timestamp::Timestamp;

use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, On, World};

pub const PASSWORD: &str = "correct horse battery staple";
const VERIFIER: &str = "a-verifier-that-is-long-enough-for-the-rules-of-rfc-7636";

/// An authorization request of Notes.
pub fn authorize(world: &World, more: &str) -> String {
    authorize_at(&world.base(), more)
}

/// The same to the service at `base`.
pub fn authorize_at(base: &str, more: &str) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    let challenge = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(VERIFIER));
    format!(
        "{base}/oidc/authorize?client_id=notes&response_type=code&scope=openid%20email%20profile&state=xyz&nonce=n-1\
         &redirect_uri=http%3A%2F%2F127.0.0.1%3A9000%2Fcallback&code_challenge={challenge}&code_challenge_method=S256{more}"
    )
}

/// Goes as far as the page after the password.
pub async fn after_password(world: &World, visitor: &mut Visitor, name: &str, password: &str) -> Seen {
    let seen = visitor.get(&authorize(world, "")).await;
    assert_eq!(seen.title(), "Log in", "{}", seen.body);
    let seen = visitor.press(&seen, "continue", &[("username", name)]).await;
    assert_eq!(seen.title(), "Enter your password", "{}", seen.body);
    visitor.press(&seen, "continue", &[("password", password)]).await
}

/// Adds an authenticator by the offer and the mailed code; ends at the choice of a platform.
pub async fn to_platforms(world: &World, visitor: &mut Visitor) -> Seen {
    let before = world.codes("ada@acme.test").len();
    let seen = after_password(world, visitor, "ada", PASSWORD).await;
    assert_eq!(seen.title(), "Add an authenticator", "R-100: {}", seen.body);
    assert!(seen.body.contains("a…@acme.test") && !seen.body.contains("ada@acme.test"), "R-134");
    let seen = visitor.press(&seen, "add-authenticator", &[]).await;
    assert_eq!(seen.title(), "Enter the code from your email", "{}", seen.body);
    let code = world.code("ada@acme.test", before).await;
    visitor.press(&seen, "continue", &[("code", &code)]).await
}

/// The code in the answer to Notes, and its state.
pub fn code_of(seen: &Seen) -> (String, String) {
    let url =
        url::Url::parse(seen.leaves_to.as_deref().unwrap_or_else(|| panic!("no redirect: {}", seen.body))).unwrap();
    assert!(url.as_str().starts_with("http://127.0.0.1:9000/callback?"), "{url}");
    let of = |name: &str| {
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
    };
    (of("code"), of("state"))
}

/// Redeems a code as Notes.
pub async fn redeem(world: &World, code: &str) -> (u16, serde_json::Value) {
    redeem_at(&world.url, code).await
}

/// The same at one of several instances.
pub async fn redeem_at(instance: &str, code: &str) -> (u16, serde_json::Value) {
    let answer = reqwest::Client::new()
        .post(format!("{instance}/t/acme/oidc/token"))
        .basic_auth("notes", Some("a%20secret%20of%20notes"))
        .form(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", "http://127.0.0.1:9000/callback"),
            ("code_verifier", VERIFIER),
        ])
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// A passcode by `oathtool`, which others wrote, at the test's time.
pub fn oathtool(world: &World, secret_base32: &str, mode: &str, digits: &str) -> String {
    oathtool_at(world.clock_now(), secret_base32, mode, digits)
}

/// The same at another time.
pub fn oathtool_at(now: Timestamp, secret_base32: &str, mode: &str, digits: &str) -> String {
    let at = format!("@{}", now.seconds());
    let run = Command::new("oathtool").args([mode, "-b", "-d", digits, "-N", &at, secret_base32]).output();
    let run = run.expect("oathtool is installed by ./test");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    String::from_utf8(run.stdout).unwrap().trim().to_owned()
}

/// with any standard TOTP app: the shortest way.
/// without a PIN the passcode alone is enough; R-462: the local password.
#[actix_web::test]
async fn a_new_user_adds_a_standard_app_and_arrives() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let seen = to_platforms(&world, &mut ada).await;
        assert!(seen.title().starts_with("Where do you want"), "{}", seen.body);
        for platform in ["ios", "android", "windows", "command_line", "oath_app"] {
            assert!(seen.has_action(&format!("platform-{platform}")), "R-103: {platform}");
        }
        assert!(!seen.has_action("platform-web"), "R-050: not allowed");
        let seen = ada.press(&seen, "platform-oath_app", &[]).await;
        let secret = seen.find("[data-activation-string]").expect("a key").replace(' ', "");
        assert!(seen.body.contains("data-qr"), "{}", seen.body);
        let seen = ada.press(&seen, "continue", &[("code", "000000")]).await;
        assert!(seen.complaint().contains("was not accepted"), "{on:?} {}", seen.body);
        let code = oathtool(&world, &secret, "--totp=sha1", "6");
        let seen = ada.press(&seen, "continue", &[("code", &code)]).await;
        let (code, state) = code_of(&seen);
        assert_eq!(state, "xyz", "R-112");
        let (status, tokens) = redeem(&world, &code).await;
        assert_eq!(status, 200, "{tokens}");
        let claims = claims_of(&tokens);
        assert_eq!((claims["nonce"].as_str(), claims["acr"].as_str()), (Some("n-1"), Some("urn:vestibule:acr:mfa")));
        assert!(!claims["amr"].as_array().unwrap().iter().any(|amr| amr == "email"), "R-143");
        let notice = world.mail("ada@acme.test", 2).await;
        assert!(notice.subject().contains("authenticator was added"), "R-119: {}", notice.subject());
        assert!(notice.text().contains("/t/acme/not-me/"), "R-120");
        // The second login asks for a passcode, and the one that was used is refused.
        let mut again = Visitor::new(&world.url);
        let seen = after_password(&world, &mut again, "ada", PASSWORD).await;
        assert_eq!(seen.title(), "Enter your passcode", "R-081");
        let used = oathtool(&world, &secret, "--totp=sha1", "6");
        let seen = again.press(&seen, "continue", &[("code", &used)]).await;
        assert!(seen.complaint().contains("was not accepted"), "R-315 {}", seen.body);
        world.advance(30);
        let fresh = oathtool(&world, &secret, "--totp=sha1", "6");
        let seen = again.press(&seen, "continue", &[("code", &fresh)]).await;
        assert!(!code_of(&seen).0.is_empty());
        // And single sign-on needs nothing at all.
        let seen = again.get(&authorize(&world, "&prompt=none")).await;
        assert!(!code_of(&seen).0.is_empty(), "R-472");
        world.stop().await;
    }
}

/// The claims of an ID Token, without checking it; others check signatures elsewhere.
pub fn claims_of(tokens: &serde_json::Value) -> serde_json::Value {
    use base64::Engine as _;
    let body = tokens["id_token"].as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}

/// The same with the reference app and our own protocol, by its string, on Android with its two pages.
///
#[actix_web::test]
async fn the_reference_app_is_activated_by_its_string() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let seen = to_platforms(&world, &mut ada).await;
        let seen = ada.press(&seen, "platform-android", &[]).await;
        assert_eq!(seen.title(), "Install the app", "R-105");
        let seen = ada.press(&seen, "change-platform", &[]).await;
        let seen = ada.press(&seen, "platform-command_line", &[]).await;
        assert_eq!(seen.title(), "Connect your authenticator", "{}", seen.body);
        let string = seen.find("[data-activation-string]").expect("an activation string");
        assert!(string.starts_with(&format!("{}/activate#1.", world.base())), "R-154: {string}");
        let store = tempfile::tempdir().unwrap();
        let app = |arguments: &[&str]| app(store.path(), arguments);
        // Activating runs while the page is open: the service must answer meanwhile.
        let activated = tokio::task::spawn_blocking({
            let (store, string) = (store.path().to_owned(), string.clone());
            move || crate::story::app(&store, &["activate", &string, "--device", "Ada's laptop"])
        });
        let (code, out) = activated.await.unwrap();
        assert_eq!(code, 0, "{out}");
        let (code, out) = app(&["list"]);
        assert!(code == 0 && out.contains("ada at Acme Corporation"), "{out}");
        let seen = ada.press(&seen, "check-now", &[]).await;
        assert_eq!(seen.title(), "One last step", "R-110: {}", seen.body);
        let passcode = from_store(&world, store.path());
        let seen = ada.press(&seen, "continue", &[("code", &passcode)]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        // The string was used: a second device gets nowhere.
        let other = tempfile::tempdir().unwrap();
        let again = tokio::task::spawn_blocking({
            let (store, string) = (other.path().to_owned(), string.clone());
            move || crate::story::app(&store, &["activate", &string])
        });
        let (code, out) = again.await.unwrap();
        assert!(code == 3 && out.contains("act.used"), "R-147: {code} {out}");
        world.stop().await;
    }
}

/// The passcode of the only authenticator in a store, at the test's time.
pub fn from_store(world: &World, store: &std::path::Path) -> String {
    use base64::Engine as _;
    let file = std::fs::read_dir(store)
        .unwrap()
        .map(|file| file.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "json"));
    let entry: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(file.unwrap()).unwrap()).unwrap();
    let secret =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(entry["secret"]["plain"].as_str().unwrap()).unwrap();
    let base32 = data_encoding::BASE32_NOPAD.encode(&secret);
    assert_eq!(entry["template"]["algorithm"], "SHA256", "R-216");
    oathtool(world, &base32, "--totp=sha256", "6")
}

/// Runs the command-line authenticator.
pub fn app(store: &std::path::Path, arguments: &[&str]) -> (i32, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_vestibule-authenticator"))
        // The tests read English, whatever this machine speaks.
        .env("LC_ALL", "C")
        .arg("--store")
        .arg(store)
        .args(arguments)
        .output()
        .unwrap();
    let out = [run.stdout, run.stderr].concat();
    (run.status.code().unwrap_or(-1), String::from_utf8_lossy(&out).into_owned())
}

/// whoever is not in the rollout is told so, and goes back with an error.
/// AC-04.
#[actix_web::test]
async fn whoever_is_not_in_the_rollout_is_told() {
    let world = World::new(On::Sqlite).await;
    let mut barbara = Visitor::new(&world.url);
    let seen = after_password(&world, &mut barbara, "barbara", "not in the rollout").await;
    assert_eq!(seen.title(), "You need an authenticator", "{}", seen.body);
    assert!(seen.body.contains("help@acme.test"), "R-117");
    // AC-04: posting the enrollment's form anyway is refused.
    let (address, fields) = seen.form("return");
    let sneaky = address.replace("/cancel", "/add-authenticator");
    let refused = barbara.post(&sneaky, &fields).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let seen = barbara.press(&seen, "return", &[]).await;
    let url = seen.leaves_to.expect("back to Notes");
    assert!(url.contains("error=access_denied") && url.contains("state=xyz"), "{url}");
    world.stop().await;
}

/// The way to a login with an authenticator that was brought along, and what the application learns.
///
#[actix_web::test]
async fn an_imported_token_logs_in_and_a_wrong_password_tells_nothing() {
    let world = World::new(On::Sqlite).await;
    let mut linus = Visitor::new(&world.url);
    let unknown = after_password(&world, &mut linus.clone(), "nobody", "wrong").await;
    let known = after_password(&world, &mut linus.clone(), "linus", "wrong").await;
    assert_eq!((unknown.status, unknown.complaint()), (known.status, known.complaint()), "R-093");
    let seen = after_password(&world, &mut linus, "linus", "has a token already").await;
    let code = passcode_of_linus(&world);
    let seen = linus.press(&seen, "continue", &[("code", &code)]).await;
    let (code, _) = code_of(&seen);
    let (status, tokens) = redeem(&world, &code).await;
    assert_eq!(status, 200, "{tokens}");
    let (status, error) = redeem(&world, &code).await;
    assert_eq!((status, error["error"].as_str()), (400, Some("invalid_grant")), "a code is good once (T-47)");
    let person: serde_json::Value = reqwest::Client::new()
        .get(format!("{}/oidc/userinfo", world.base()))
        .bearer_auth(tokens["access_token"].as_str().unwrap())
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap_or_default();
    assert!(person.is_null(), "the second use took everything back (RFC 6749 4.1.2): {person}");
    world.stop().await;
}

pub fn passcode_of_linus(world: &World) -> String {
    let address = "otpauth://totp/x?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    let secret = OtpAuth::parse(address).unwrap();
    let counter = u64::try_from(totp::step_at(world.clock_now(), 30)).unwrap();
    hotp::passcode(&secret.secret, secret.algorithm, 6, counter)
}

/// R-128, AC-09: five wrong codes close the login; the right one then does nothing.
/// R-128, AC-09, AC-12.
#[actix_web::test]
async fn five_wrong_codes_close_the_login() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
        let page = ada.press(&seen, "add-authenticator", &[]).await;
        let right = world.mail("ada@acme.test", 1).await.code().unwrap();
        let wrong = if right == "000000" { "000001" } else { "000000" };
        for left in [4, 3, 2, 1] {
            let seen = ada.press(&page, "continue", &[("code", wrong)]).await;
            let complaint = seen.complaint();
            assert!(
                complaint.contains(&left.to_string()) || (left == 1 && complaint.contains("once more")),
                "{complaint}"
            );
        }
        let seen = ada.press(&page, "continue", &[("code", wrong)]).await;
        assert_eq!(seen.title(), "This login has ended", "{}", seen.body);
        let seen = ada.press(&page, "continue", &[("code", &right)]).await;
        assert_eq!(seen.title(), "This login has ended", "the right code comes too late");
        world.stop().await;
    }
}

/// AC-08: a login belongs to its browser; a stolen address is worth nothing.
/// T-08, T-18.
#[actix_web::test]
async fn a_login_belongs_to_its_browser() {
    let world = World::new(On::Sqlite).await;
    let mut ada = Visitor::new(&world.url);
    let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
    let mut thief = Visitor::new(&world.url);
    assert_eq!(thief.get(&seen.url).await.status, 400);
    let (address, fields) = seen.form("add-authenticator");
    assert_eq!(thief.post(&address, &fields).await.status, 400, "the form without the cookie");
    let forged: Vec<(String, String)> = vec![("csrf".to_owned(), "AAAA".to_owned())];
    assert_eq!(ada.post(&address, &forged).await.status, 403, "the cookie without the form's token");
    assert_eq!(ada.post(&address, &[]).await.status, 403);
    assert!(world.mail.to("ada@acme.test").is_empty(), "nothing happened");
    world.stop().await;
}

/// closing the browser in the middle leaves nothing behind and locks nobody out. Whichever button is pressed there when another
/// browser was faster, the page says so and asks for a passcode of the new authenticator.
///
#[actix_web::test]
async fn whoever_leaves_in_the_middle_comes_back() {
    let world = World::new(On::Sqlite).await;
    let mut first = Visitor::new(&world.url);
    let seen = to_platforms(&world, &mut first).await;
    let waiting = first.press(&seen, "platform-command_line", &[]).await;
    let stale = waiting.find("[data-activation-string]").unwrap();
    // Another device, the same person, all the way.
    world.advance(1);
    let mut second = Visitor::new(&world.url);
    let seen = to_platforms(&world, &mut second).await;
    let seen = second.press(&seen, "platform-oath_app", &[]).await;
    let secret = seen.find("[data-activation-string]").unwrap().replace(' ', "");
    let code = oathtool(&world, &secret, "--totp=sha1", "6");
    let seen = second.press(&seen, "continue", &[("code", &code)]).await;
    assert!(!code_of(&seen).0.is_empty());
    // The first one's activation is worth nothing now.
    let store = tempfile::tempdir().unwrap();
    let path = store.path().to_owned();
    let (exit, out) = tokio::task::spawn_blocking(move || app(&path, &["activate", &stale])).await.unwrap();
    assert_eq!(exit, 3, "{out}");
    for button in ["check-now", "change-platform"] {
        let seen = first.press(&waiting, button, &[]).await;
        assert_eq!(seen.title(), "Enter your passcode", "R-094, {button}: {}", seen.body);
        assert!(seen.body.contains("was added to your account meanwhile"), "R-094, {button}: {}", seen.body);
    }
    // Whoever begins now has had it all along.
    world.advance(30);
    let seen = after_password(&world, &mut Visitor::new(&world.url), "ada", PASSWORD).await;
    assert_eq!(seen.title(), "Enter your passcode", "{}", seen.body);
    assert!(!seen.body.contains("meanwhile"), "{}", seen.body);
    world.stop().await;
}

/// The pages speak the browser's language, and the mail does, too.
///
#[actix_web::test]
async fn pages_and_mail_speak_the_browsers_language() {
    let world = World::new(On::Sqlite).await;
    let mut ada = Visitor::new(&world.url);
    ada.language = Some("de-AT, en;q=0.5");
    let seen = ada.get(&authorize(&world, "")).await;
    assert!(seen.body.contains("<html lang=\"de\""), "{}", seen.body);
    let seen = ada.get(&format!("{}?language=fr", seen.url)).await;
    assert!(seen.body.contains("<html lang=\"fr\""), "the choice wins (R-528): {}", seen.body);
    assert_eq!(seen.headers["cache-control"], "no-store", "R-539");
    world.stop().await;
}

/// letters of a login speak as its pages do: as was chosen, else as the person is written to, else as the
/// application asks, else as the browser does.
#[actix_web::test]
async fn letters_speak_the_language_of_their_login() {
    let world = World::new(On::Sqlite).await;
    for (more, own, choice, page, subject) in [
        ("", false, "", "en", "Your code"),
        ("&ui_locales=xx%20fr-CH", false, "", "fr", "Votre code"),
        ("&ui_locales=xx%20fr-CH", true, "", "de", "Ihr Code"),
        ("", true, "?language=it", "it", "Il Suo codice"),
    ] {
        if own {
            world.execute("UPDATE user_account SET language = ? WHERE username = 'ada'", "de").await;
        }
        let before = world.codes("ada@acme.test").len();
        let mut ada = Visitor::new(&world.url);
        ada.language = Some("en");
        let seen = ada.get(&authorize(&world, more)).await;
        let seen = if choice.is_empty() { seen } else { ada.get(&format!("{}{choice}", seen.url)).await };
        let seen = ada.press(&seen, "continue", &[("username", "ada")]).await;
        let seen = ada.press(&seen, "continue", &[("password", PASSWORD)]).await;
        assert!(seen.body.contains(&format!("<html lang=\"{page}\"")), "{page}: {}", seen.body);
        ada.press(&seen, "add-authenticator", &[]).await;
        world.code("ada@acme.test", before).await;
        let mails = world.mail.to("ada@acme.test");
        let mail = mails.iter().rfind(|mail| mail.code().is_some()).unwrap();
        assert!(mail.subject().contains(subject), "{page}: {}", mail.subject());
        world.advance(3601);
    }
    world.stop().await;
}

/// "This was not me" stops the authenticator and everybody who came in with it.
///
#[actix_web::test]
async fn this_was_not_me_stops_the_authenticator() {
    let world = World::new(On::Sqlite).await;
    let mut ada = Visitor::new(&world.url);
    let seen = to_platforms(&world, &mut ada).await;
    let seen = ada.press(&seen, "platform-oath_app", &[]).await;
    let secret = seen.find("[data-activation-string]").unwrap().replace(' ', "");
    let code = oathtool(&world, &secret, "--totp=sha1", "6");
    ada.press(&seen, "continue", &[("code", &code)]).await;
    let mail = world.mail("ada@acme.test", 2).await.text();
    let link = mail.lines().find(|line| line.contains("/not-me/")).expect("a link").trim().to_owned();
    let mut owner = Visitor::new(&world.url);
    let asked = owner.get(&link).await;
    let again = ada.get(&authorize(&world, "&prompt=none")).await;
    assert!(!code_of(&again).0.is_empty(), "looking at the link changes nothing: scanners do that");
    let done = owner.press(&asked, "not-me", &[]).await;
    assert!(done.find(".good").is_some(), "{}", done.body);
    let after = ada.get(&authorize(&world, "&prompt=none")).await;
    assert!(after.leaves_to.unwrap().contains("error=login_required"), "INV-11");
    assert!(owner.get(&format!("{link}x")).await.find(".complaint").is_some(), "an altered link");
    world.stop().await;
}
