//! What pages say when something is lacking or wrong: each message of part D1 of the requirements that belongs to these
//! pages, seen by somebody to whom it happens. That every language has them is for `tests/locales.rs`.

use vestibule::domain::activation::string::ActivationString;
use vestibule::domain::ids::ActivationId;
use vestibule::domain::secret::SecretBytes;

use crate::abuse::{Device, acme, person};
use crate::story::{PASSWORD, after_password, authorize, code_of, passcode_of_linus};
use crate::visitor::{Seen, Visitor};
use crate::world::{On, World};

const LINUS: &str = "has a token already";

/// The same with one row set behind the service's back.
async fn say(world: &World, name: &str, password: &str) -> (Visitor, Seen) {
    let mut visitor = Visitor::new(&world.url);
    let seen = after_password(world, &mut visitor, name, password).await;
    (visitor, seen)
}

/// The text is on the page, and the page says how to reach the help desk.
#[track_caller]
fn says(seen: &Seen, title: &str, text: &str) {
    let main = seen.find("main").unwrap_or_default();
    assert_eq!(seen.title(), title, "{main}");
    assert!(main.contains(text), "\"{text}\" is not on the page: {main}");
    assert!(seen.find(".help").is_some_and(|help| help.contains("help@acme.test")), "R-465, R-117");
}

/// A complaint stands above the field, is announced, and belongs to the field; what was typed stays unless
/// it is a secret.
#[track_caller]
fn complains(seen: &Seen, text: &str) {
    assert!(seen.complaint().contains(text), "\"{text}\": {}", seen.body);
    let page = scraper::Html::parse_document(&seen.body);
    let complaint = scraper::Selector::parse("#complaint[role=alert]").unwrap();
    assert_eq!(page.select(&complaint).count(), 1);
    let field = scraper::Selector::parse("main input[aria-describedby~=complaint][aria-invalid=true]").unwrap();
    let field = page.select(&field).next().unwrap_or_else(|| panic!("no field is said to be wrong: {}", seen.body));
    assert!(field.attr("autofocus").is_some() || field.attr("id") == Some("code"), "R-548: focus moves there");
    assert!(
        matches!(field.attr("value"), None | Some("")) || field.attr("id") == Some("username"),
        "a secret stays nowhere"
    );
}

/// As [`complains`], where it is no fault of what was typed: the field is told why, and not marked.
#[track_caller]
fn wants_patience(seen: &Seen, text: &str) {
    assert!(seen.complaint().contains(text), "\"{text}\": {}", seen.body);
    assert!(seen.find("#complaint[role=alert]").is_some(), "{}", seen.body);
    assert!(seen.find("main input[aria-describedby~=complaint]").is_some(), "{}", seen.body);
    assert!(seen.find("main input[aria-invalid]").is_none(), "a field is said to be wrong: {}", seen.body);
}

/// U1, U2, U18, R-323, R-458: name and password.
#[actix_web::test]
async fn name_and_password() {
    let world = World::new(On::Sqlite).await;
    let mut visitor = Visitor::new(&world.url);
    let seen = visitor.get(&authorize(&world, "")).await;
    assert!(seen.find("main").unwrap().contains("to continue to Notes"), "U1: what is to be reached");
    for empty in ["", "   ", "\t"] {
        complains(&visitor.press(&seen, "continue", &[("username", empty)]).await, "Enter your user name.");
    }
    let seen = visitor.press(&seen, "continue", &[("username", "linus")]).await;
    assert!(seen.find(".who").unwrap().contains("linus") && seen.has_action("switch-user"), "U2");
    complains(
        &visitor.press(&seen, "continue", &[("password", "wrong")]).await,
        "The user name or password is not right.",
    );
    complains(&visitor.press(&seen, "continue", &[("password", "")]).await, "The user name or password is not right.");
    visitor.press(&seen, "continue", &[("password", "wrong")]).await;
    // after some failures the next attempt has to wait, and the page says for how long.
    wants_patience(&visitor.press(&seen, "continue", &[("password", "wrong")]).await, "before you try again");
    world.advance(30);
    visitor.press(&seen, "continue", &[("password", "wrong")]).await;
    world.advance(30);
    let locked = visitor.press(&seen, "continue", &[("password", LINUS)]).await;
    says(&locked, "Your account is locked", "Wait a while and try again, or contact your help desk.");
    // Only an operator unlocks, where the tenant wants it so.
    world.advance(3600);
    world.apply(&acme("[tenant.lockout]\nthreshold = 0\nuntil_operator = true\n")).await;
    world.apply(&acme("[tenant.lockout]\nthreshold = 1\n")).await;
    for _ in 0..2 {
        say(&world, "linus", "wrong").await;
        world.advance(60);
    }
    let mut visitor = Visitor::new(&world.url);
    let seen = visitor.get(&authorize(&world, "")).await;
    let seen = visitor.press(&seen, "continue", &[("username", "linus")]).await;
    assert_eq!(seen.title(), "Enter your password", "R-332: a name alone is told nothing");
    let seen = visitor.press(&seen, "continue", &[("password", LINUS)]).await;
    says(&seen, "Your account is locked", "Only your help desk can unlock the account.");
    world.stop().await;
}

/// U4, U19: passcodes.
#[actix_web::test]
async fn passcodes() {
    let world = World::new(On::Sqlite).await;
    let (mut linus, seen) = say(&world, "linus", LINUS).await;
    let main = seen.find("main").unwrap();
    assert!(
        main.contains("Trouble logging in?") && main.contains("Your authenticator works without a network."),
        "{main}"
    );
    complains(
        &linus.press(&seen, "continue", &[("code", "")]).await,
        "Enter the passcode that your authenticator shows.",
    );
    complains(&linus.press(&seen, "continue", &[("code", "1234567")]).await, "The passcode has 6 characters.");
    complains(&linus.press(&seen, "continue", &[("code", "12345")]).await, "The passcode has 6 characters.");
    let wrong = if passcode_of_linus(&world) == "000000" { "000001" } else { "000000" };
    complains(
        &linus.press(&seen, "continue", &[("code", wrong)]).await,
        "That passcode was not accepted. Wait for the next one and enter it exactly as shown.",
    );
    // Some minutes off: the next one in a row is asked for, and will do.
    let old = passcode_of_linus(&world);
    world.advance(4 * 30);
    complains(
        &linus.press(&seen, "continue", &[("code", &old)]).await,
        "Almost. Enter the next passcode that your authenticator shows.",
    );
    for (state, action) in [("suspended", "switch-user"), ("locked", "return")] {
        world.execute("UPDATE token SET state = ? WHERE enrolled_by <> 'self'", state).await;
        let (_, seen) = say(&world, "linus", LINUS).await;
        says(
            &seen,
            "Your authenticator cannot be used",
            "Your authenticator is suspended or locked. Contact your help desk",
        );
        assert!(seen.has_action(action), "{state}");
    }
    world.stop().await;
}

/// U8, U17: who is not let on, and why.
#[actix_web::test]
async fn refusals() {
    let world = World::new(On::Sqlite).await;
    world.apply(&acme(&person("eve"))).await;
    let (_, seen) = say(&world, "barbara", "not in the rollout").await;
    says(
        &seen,
        "You need an authenticator",
        "Your administrator sends you an email to set it up. Contact your help desk",
    );
    world.apply(&acme("[[tenant.user]]\nusername = \"ada\"\nemail = \"\"\n")).await;
    let (_, seen) = say(&world, "ada", PASSWORD).await;
    says(&seen, "You need an authenticator", "has no email address that we could write to. Contact your help desk.");
    let rows = ["ios", "android", "windows", "command_line", "oath_app"];
    let rows = |allowed: bool| rows.map(|row| format!("[tenant.platforms.{row}]\nallowed = {allowed}\n")).concat();
    world.apply(&acme(&rows(false))).await;
    let (_, seen) = say(&world, "eve", PASSWORD).await;
    says(&seen, "You need an authenticator", "no kind of device is allowed at present. Contact your help desk.");
    world.apply(&acme(&rows(true))).await;
    // Assigned to others, denied by a policy, disabled: each has its own words, and a way back to the application.
    let oidc = "[tenant.application.oidc]\nclient_id = \"notes\"\nclient_secret = \"a secret of notes\"\n\
                redirect_uris = [\"http://127.0.0.1:9000/callback\"]\n";
    let notes = "[[tenant.application]]\nname = \"Notes\"\nassigned_to = ";
    for (file, text) in [
        (
            format!("{notes}{{ groups = [], users = [\"linus\"] }}\n{oidc}"),
            "The application Notes is not assigned to you.",
        ),
        (format!("{notes}\"everyone\"\n{oidc}"), ""),
        (
            "[[tenant.access_policy]]\nname = \"Not from here\"\napplications = [\"Notes\"]\ndecision = \"deny\"\n"
                .to_owned(),
            "You do not have access to Notes from here.",
        ),
    ] {
        world.apply(&acme(&file)).await;
        let (_, seen) = say(&world, "eve", PASSWORD).await;
        if text.is_empty() {
            assert!(seen.has_action("add-authenticator"), "{}", seen.body);
            continue;
        }
        says(&seen, "No access", text);
        assert!(seen.has_action("return"), "{}", seen.body);
        assert!(seen.find(".reference code").is_some_and(|id| id.len() >= 8), "U17: a correlation ID");
    }
    world.apply(&acme("[[tenant.user]]\nusername = \"eve\"\nenabled = false\n")).await;
    let (mut eve, seen) = say(&world, "eve", PASSWORD).await;
    says(&seen, "No access", "Your account is disabled, so you cannot log in to Notes. Contact your help desk.");
    let seen = eve.press(&seen, "return", &[]).await;
    assert!(seen.leaves_to.is_some_and(|url| url.contains("error=access_denied")), "R-116");
    world.stop().await;
}

/// U8, U9: the mailed code.
#[actix_web::test]
async fn mailed_codes() {
    let world = World::new(On::Sqlite).await;
    let (mut ada, offer) = say(&world, "ada", PASSWORD).await;
    let text = offer.find("main").unwrap();
    assert!(text.contains("Notes asks for a one-time passcode") && text.contains("a…@acme.test"), "U8: {text}");
    let page = ada.press(&offer, "add-authenticator", &[]).await;
    says(&page, "Enter the code from your email", "We sent a code to a…@acme.test.");
    let first = world.mail("ada@acme.test", 1).await.code().unwrap();
    let wrong = if first == "000000" { "000001" } else { "000000" };
    complains(&ada.press(&page, "continue", &[("code", "")]).await, "Enter the code from the email.");
    complains(
        &ada.press(&page, "continue", &[("code", wrong)]).await,
        "That code is not right. You can try 4 more times.",
    );
    wants_patience(&ada.press(&page, "resend-code", &[]).await, "You can send another code in 60 seconds.");
    world.advance(59);
    wants_patience(&ada.press(&page, "resend-code", &[]).await, "You can send another code in 1 second.");
    world.advance(2);
    // ec.resent; and the fourth time, when nothing is sent any more, it looks the same (AC-10).
    const RESENT: &str = "A new code is on its way. The one before it no longer works.";
    for number in [2, 3, 4] {
        let seen = ada.press(&page, "resend-code", &[]).await;
        says(&seen, "Enter the code from your email", RESENT);
        assert!(seen.complaint().is_empty(), "{}", seen.complaint());
        world.advance(61);
        assert_eq!(world.events("code_withheld").await, i64::from(number == 4));
    }
    // It is not said again to somebody who comes back, and not in the middle of something else.
    let seen = ada.get(page.url.split('?').next().unwrap()).await;
    assert!(!seen.body.contains(RESENT));
    world.advance(600);
    complains(&ada.press(&page, "continue", &[("code", &first)]).await, "This code no longer works. Send a new one.");
    // ec.used_up: five wrong ones end the login.
    world.apply(&acme(&person("eve"))).await;
    let (mut eve, offer) = say(&world, "eve", PASSWORD).await;
    let page = eve.press(&offer, "add-authenticator", &[]).await;
    let right = world.mail("eve@acme.test", 1).await.code().unwrap();
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for _ in 0..4 {
        eve.press(&page, "continue", &[("code", wrong)]).await;
    }
    let seen = eve.press(&page, "continue", &[("code", wrong)]).await;
    says(
        &seen,
        "This login has ended",
        "There were too many wrong codes. For your safety this login was closed. Start again from Notes.",
    );
    // enroll.locked: ten in a day.
    let (mut eve, offer) = say(&world, "eve", PASSWORD).await;
    let page = eve.press(&offer, "add-authenticator", &[]).await;
    for _ in 0..5 {
        eve.press(&page, "continue", &[("code", wrong)]).await;
    }
    let (_, seen) = say(&world, "eve", PASSWORD).await;
    says(
        &seen,
        "You need an authenticator",
        "There were too many wrong codes, so no authenticator can be added for now.",
    );
    world.stop().await;
}

/// U10, U12, U14, U15, U16, U23: the device.
#[actix_web::test]
async fn devices() {
    let world = World::new(On::Sqlite).await;
    world.apply(&acme("[tenant.platforms.android]\nallowed = true\nminimum_os = \"14\"\n")).await;
    let mut ada = Visitor::new(&world.url);
    let choice = crate::story::to_platforms(&world, &mut ada).await;
    let (address, mut fields) = choice.form("platform-ios");
    fields.retain(|(name, _)| name != "platform");
    fields.push(("platform".to_owned(), "toaster".to_owned()));
    let seen = ada.post(&address, &fields).await;
    assert_eq!(seen.complaint(), "This kind of device is not allowed. Choose another one.");
    let seen = ada.press(&choice, "platform-android", &[]).await;
    says(&seen, "Install the app", "Install the authenticator on your Android device first.");
    let page = ada.press(&seen, "continue", &[]).await;
    says(&page, "Connect your authenticator", "Waiting for your device …");
    let string = page.find("[data-activation-string]").unwrap();
    // act.rejected_version and act.rejected_platform: said by the app, and by the page that waits for it.
    let mut old = Device::new(&string, "android");
    old.hello.os_version = "13".to_owned();
    assert_eq!(old.claim().await.1["code"], "act.os_old");
    let seen = ada.get(&page.url).await;
    says(&seen, "Connect your authenticator", "its operating system is too old. Update it and scan the code again.");
    assert_eq!(seen.find("[data-activation-string]"), Some(string.clone()), "the same code is still good");
    assert_eq!(Device::new(&string, "ios").claim().await.1["code"], "act.platform");
    let seen = ada.get(&page.url).await;
    says(
        &seen,
        "Connect your authenticator",
        "this kind of device is not allowed here, or it is not the one that you chose.",
    );
    // Somebody who does not know the secret says nothing on the page.
    let parsed = ActivationString::parse(&string).unwrap();
    let wrong = ActivationString { secret: SecretBytes::new(vec![7; 16]), ..parsed }.to_link();
    let mut stranger = Device::new(&wrong, "android");
    stranger.hello.os_version = "1".to_owned();
    assert_eq!(stranger.claim().await.1["code"], "act.secret");
    assert!(ada.get(&page.url).await.body.contains("not the one that you chose"), "as before");
    // act.claimed, then enroll.done.
    let device = Device::new(&string, "android");
    let (status, claimed) = device.claim().await;
    assert_eq!(status, 200, "{claimed}");
    says(&ada.get(&page.url).await, "Connect your authenticator", "Your device has connected. Follow the steps on it.");
    assert_eq!(device.confirm(&claimed).await.0, 200);
    let seen = ada.get(&page.url).await;
    says(&seen, "One last step", "Your authenticator is connected.");
    // act.used, from another device.
    assert_eq!(Device::new(&string, "android").claim().await.1["code"], "act.used");
    // Another one, which nobody takes in time: act.expired, and a new one without a new mail.
    let seen = ada.press(&seen, "change-platform", &[]).await;
    let seen = ada.press(&seen, "platform-ios", &[]).await;
    let late = seen.find("[data-activation-string]").unwrap();
    world.advance(9 * 60);
    let seen = ada.press(&seen, "extend", &[]).await;
    world.advance(2 * 60);
    let seen = ada.get(&seen.url).await;
    says(&seen, "Connect your authenticator", "This code has expired. Get a new one.");
    assert_eq!(Device::new(&late, "ios").claim().await.1["code"], "act.expired");
    let seen = ada.press(&seen, "renew", &[]).await;
    let fresh = seen.find("[data-activation-string]").unwrap();
    assert_ne!(fresh, late);
    assert_eq!(world.mail.to("ada@acme.test").len(), 1, "R-148");
    // act.unknown, for what was never issued.
    let never =
        ActivationString { id: ActivationId::from_bits(7), ..ActivationString::parse(&fresh).unwrap() }.to_link();
    assert_eq!(Device::new(&never, "ios").claim().await.1["code"], "act.unknown");
    // U15: what to do when nothing opens.
    let seen = ada.press(&seen, "change-platform", &[]).await;
    let seen = ada.press(&seen, "platform-windows", &[]).await;
    says(
        &seen,
        "Connect your authenticator",
        "If nothing happens, install the app first, or copy the activation string into it.",
    );
    // U23.
    let opened = Visitor::new(&world.url).get(&format!("{}/activate", world.base())).await;
    says(&opened, "Open this link on your device", "The app is not on this device yet, or it did not open by itself.");
    world.stop().await;
}

/// U1, U20, U21: ends and errors; R-118 as the security model has it: nothing half is left behind.
#[actix_web::test]
async fn ends_and_errors() {
    let world = World::new(On::Sqlite).await;
    // login.expired, also after the device was connected: no token, and the way to begin again.
    let mut ada = Visitor::new(&world.url);
    let choice = crate::story::to_platforms(&world, &mut ada).await;
    let page = ada.press(&choice, "platform-ios", &[]).await;
    let device = Device::new(&page.find("[data-activation-string]").unwrap(), "ios");
    let (_, claimed) = device.claim().await;
    assert_eq!(device.confirm(&claimed).await.0, 200);
    world.advance(9 * 3600);
    let seen = ada.get(&page.url).await;
    says(&seen, "This page was open too long", "For your safety this login was closed. Start again from Notes.");
    assert!(seen.has_action("start-again"));
    assert_eq!(world.number("SELECT COUNT(*) AS n FROM token WHERE enrolled_by = 'self'").await, 0, "R-118, T-06");
    let (_, seen) = say(&world, "ada", PASSWORD).await;
    assert!(seen.has_action("add-authenticator"), "begins anew: {}", seen.body);
    // U20: a page says how long it is good for, and asks in time.
    let page = scraper::Html::parse_document(&seen.body);
    let dialog = scraper::Selector::parse("[data-expires] [role=alertdialog]").unwrap();
    assert_eq!(page.select(&dialog).count(), 1);
    drop(page);
    // login.cookies: another browser, or none that keeps cookies.
    let seen = Visitor::new(&world.url).get(&seen.url).await;
    assert_eq!(seen.title(), "This login is not open in this browser");
    assert!(seen.find("main").unwrap().contains("Allow cookies and start again from your application."));
    // Done already: the page of a login that was answered.
    let (mut linus, page) = say(&world, "linus", LINUS).await;
    let seen = linus.press(&page, "continue", &[("code", &passcode_of_linus(&world))]).await;
    assert!(!code_of(&seen).0.is_empty());
    // err.oidc_client, err.oidc_redirect, login.bad_request, err.saml_request, err.generic.
    for (path, title) in [
        ("/oidc/authorize?client_id=nobody", "This login request cannot be used"),
        (
            "/oidc/authorize?client_id=notes&response_type=code&redirect_uri=https%3A%2F%2Fevil.test%2F",
            "This login request cannot be used",
        ),
        ("/saml/sso?SAMLRequest=x", "This login request cannot be used"),
        ("/saml/sso", "This login request cannot be used"),
        ("/nothing", "Page not found"),
    ] {
        let seen = Visitor::new(&world.url).get(&format!("{}{path}", world.base())).await;
        assert_eq!(seen.title(), title, "{path}: {}", seen.body);
        assert!(seen.find(".reference").unwrap().contains("Reference for your help desk:"), "{path}");
        assert!((400..500).contains(&seen.status), "{path}: {}", seen.status);
        assert!(seen.find(".reference code").is_some_and(|id| id.len() >= 8), "R-607: {path}");
    }
    world.stop().await;
}
