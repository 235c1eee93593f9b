//! The rules of the rollout, requirement by requirement: who is offered an authenticator and who is not, on which
//! device, for how long, and what stays afterwards.

use crate::door_saml;
use crate::story::{self, PASSWORD, after_password, authorize, code_of, oathtool, passcode_of_linus, to_platforms};
use crate::visitor::{Seen, Visitor};
use crate::world::{ACME, BOTH, On, World};

/// The tenant with another text in place of one of its own.
fn acme(old: &str, new: &str) -> String {
    assert!(ACME.contains(old), "{old}");
    ACME.replace(old, new)
}

const TARGET: &str = "target_users = \"members_of\"\ngroups = [\"pilot\"]";

/// Goes through the whole enrollment with a standard app; gives the secret.
async fn enroll(world: &World, visitor: &mut Visitor) -> (Seen, String) {
    let seen = to_platforms(world, visitor).await;
    let seen = visitor.press(&seen, "platform-oath_app", &[]).await;
    let secret = seen.find("[data-activation-string]").expect("a key").replace(' ', "");
    let code = oathtool(world, &secret, "--totp=sha1", "6");
    (visitor.press(&seen, "continue", &[("code", &code)]).await, secret)
}

/// the four kinds of target users, each decided at the login itself.
#[actix_web::test]
async fn four_kinds_of_target_users() {
    let world = World::new(On::Sqlite).await;
    for (setting, ada, barbara) in [
        ("target_users = \"all\"", true, true),
        ("target_users = \"none\"", false, false),
        (TARGET, true, false),
        ("target_users = \"all_except\"\ngroups = [\"pilot\"]", false, true),
    ] {
        // No restart, no new login name: what was saved counts from the next login on.
        world.apply(&acme(TARGET, setting)).await;
        // Barbara needs an address, or she would be refused for another reason.
        for (name, password, offered) in [("ada", PASSWORD, ada), ("barbara", "not in the rollout", barbara)] {
            let seen = after_password(&world, &mut Visitor::new(&world.url), name, password).await;
            let expected = if offered { "Add an authenticator" } else { "You need an authenticator" };
            assert_eq!(seen.title(), expected, "{setting}: {name}");
        }
    }
    // Joining the group is enough.
    world
        .apply(&acme("password = \"not in the rollout\"", "password = \"not in the rollout\"\ngroups = [\"pilot\"]"))
        .await;
    let seen = after_password(&world, &mut Visitor::new(&world.url), "barbara", "not in the rollout").await;
    assert_eq!(seen.title(), "Add an authenticator");
    world.stop().await;
}

/// whichever door somebody comes by, nothing is handed out before the first passcode, and
/// nobody else has to do anything.
#[actix_web::test]
async fn every_door_offers_it_and_hands_out_nothing_before() {
    for on in BOTH {
        let world = World::new(on).await;
        let wiki = door_saml::redirect(&world, &door_saml::request(&world, "", ""));
        for door in [authorize(&world, ""), wiki, format!("{}/", world.base())] {
            let mut ada = Visitor::new(&world.url);
            let seen = ada.get(&door).await;
            let seen = ada.press(&seen, "continue", &[("username", "ada")]).await;
            let seen = ada.press(&seen, "continue", &[("password", PASSWORD)]).await;
            assert_eq!(seen.title(), "Add an authenticator", "{on:?} {door}");
            for origin in ["oidc", "saml", "portal"] {
                let login = seen.url.split("/login/").nth(1).unwrap()[..26].to_owned();
                let early = ada.get(&format!("{}/{origin}/resume/{login}", world.base())).await;
                assert!(early.leaves_to.is_none() && !early.body.contains("SAMLResponse"), "{on:?} {origin}");
            }
            let silent = ada.get(&authorize(&world, "&prompt=none")).await;
            assert!(silent.leaves_to.unwrap().contains("error=login_required"), "{on:?}: R-080");
        }
        assert_eq!(world.events("session_started").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// a token that is suspended or locked counts as one; after the last was revoked, it is offered.
#[actix_web::test]
async fn what_counts_as_having_a_token() {
    let world = World::new(On::Sqlite).await;
    let (seen, _) = enroll(&world, &mut Visitor::new(&world.url)).await;
    assert!(!code_of(&seen).0.is_empty());
    for (state, title) in [
        ("suspended", "Your authenticator cannot be used"),
        ("locked", "Your authenticator cannot be used"),
        ("active", "Enter your passcode"),
        ("revoked", "Add an authenticator"),
    ] {
        world.execute("UPDATE token SET state = ? WHERE enrolled_by = 'self'", state).await;
        let seen = after_password(&world, &mut Visitor::new(&world.url), "ada", PASSWORD).await;
        assert_eq!(seen.title(), title, "{state}");
    }
    world.stop().await;
}

/// an account that is disabled or locked is offered nothing, and a policy without a password cannot be
/// saved.
#[actix_web::test]
async fn who_cannot_log_in_is_offered_nothing() {
    let world = World::new(On::Sqlite).await;
    let mut visitor = Visitor::new(&world.url);
    let seen = after_password(&world, &mut visitor, "ada", PASSWORD).await;
    assert_eq!(seen.title(), "Add an authenticator");
    world.execute("UPDATE user_account SET status = ? WHERE username = 'ada'", "disabled").await;
    // In the middle of it, too.
    let middle = visitor.press(&seen, "add-authenticator", &[]).await;
    assert_ne!(middle.title(), "Enter the code from your email", "{}", middle.body);
    let seen = after_password(&world, &mut Visitor::new(&world.url), "ada", PASSWORD).await;
    assert_ne!(seen.title(), "Add an authenticator");
    assert!(world.mail.to("ada@acme.test").is_empty());
    world.stop().await;
}

/// what is saved is checked, and leaves its event; an unknown group is named.
#[actix_web::test]
async fn settings_are_checked_and_audited() {
    let world = World::new(On::Sqlite).await;
    let wrong = acme(TARGET, "target_users = \"members_of\"\ngroups = [\"pilot\", \"marketing\"]");
    let before = world.number("SELECT COUNT(*) AS n FROM audit_event").await;
    let error = world.try_apply(&wrong).await.unwrap_err();
    assert!(error.contains("marketing"), "R-030: {error}");
    let after = world.number("SELECT COUNT(*) AS n FROM audit_event").await;
    assert_eq!(before, after, "R-036: all of it or nothing");
    let (tenants, policies) = (world.events("tenant_changed").await, world.events("policy_changed").await);
    world
        .apply(&acme(TARGET, "target_users = \"all\"\nwindows_link = \"store\"\nstore_product_id = \"9NBLGGH4XYZ1\""))
        .await;
    assert_eq!(world.events("tenant_changed").await, tenants + 1, "R-037, R-077");
    let detail =
        world.text("SELECT detail AS t FROM audit_event WHERE action = 'tenant_changed' ORDER BY at DESC").await;
    assert!(
        detail.contains("members_of") && detail.contains("all") && detail.contains("store"),
        "old and new: {detail}"
    );
    world.apply(&acme("require = [\"password\", \"otp\"]", "require = [\"password\"]")).await;
    assert_eq!(world.events("policy_changed").await, policies + 1, "R-455");
    // a policy that asks for nothing is refused.
    let error = world.try_apply(&acme("require = [\"password\", \"otp\"]", "require = []")).await.unwrap_err();
    assert!(error.contains("require"), "R-450: {error}");
    world.stop().await;
}

/// what an application needs is decided at each attempt; a session with the password only
/// steps up, or enrolls, when another application needs a passcode.
#[actix_web::test]
async fn a_session_steps_up_where_a_policy_wants_it() {
    let world = World::new(On::Sqlite).await;
    let exception = "[[tenant.access_policy]]\nname = \"Notes by password\"\napplications = [\"Notes\"]\n\
                     decision = \"grant\"\nrequire = [\"password\"]\n\n[tenant.self_provisioning]";
    world.apply(&acme("[tenant.self_provisioning]", exception)).await;
    let mut ada = Visitor::new(&world.url);
    let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
    assert!(!code_of(&seen).0.is_empty(), "Notes needs a password only");
    let cookies = ada.cookies.clone();
    let seen = ada.get(&format!("{}/", world.base())).await;
    assert_eq!(seen.title(), "Add an authenticator", "R-480: the portal needs a passcode: {}", seen.body);
    let mut linus = Visitor::new(&world.url);
    let seen = after_password(&world, &mut linus, "linus", "has a token already").await;
    assert!(!code_of(&seen).0.is_empty());
    let before = linus.cookies.clone();
    let seen = linus.get(&format!("{}/", world.base())).await;
    assert_eq!(seen.title(), "Enter your passcode", "R-480");
    let seen = linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
    assert!(seen.title().starts_with("Hello"), "{}", seen.body);
    // the session's cookie is another one than before the step up, and the old one is worth nothing.
    assert_ne!(before.get("vs-acme"), linus.cookies.get("vs-acme"));
    let mut old = Visitor::new(&world.url);
    old.cookies = before;
    let seen = old.get(&authorize(&world, "&prompt=none")).await;
    assert!(seen.leaves_to.unwrap().contains("error=login_required"), "R-470");
    assert!(cookies.contains_key("vs-acme"));
    world.stop().await;
}

/// only what is allowed is shown and taken, at every moment; who has enrolled stays.
#[actix_web::test]
async fn the_platform_matrix_counts_at_every_step() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let page = to_platforms(&world, &mut ada).await;
        let groups: Vec<usize> = ["platform-ios", "platform-android", "platform-windows", "platform-command_line"]
            .iter()
            .map(|action| page.body.find(&format!("data-action=\"{action}\"")).unwrap())
            .collect();
        assert!(groups.is_sorted(), "R-062: phones first, then computers");
        // A platform that is not offered is not taken either.
        let (address, mut fields) = page.form("platform-ios");
        fields.retain(|(name, _)| name != "platform");
        fields.push(("platform".to_owned(), "web".to_owned()));
        let refused = ada.post(&address, &fields).await;
        assert!(refused.complaint().contains("not allowed"), "{on:?} R-047: {}", refused.body);
        // Chosen, then forbidden while the page is open: the device is refused.
        let seen = ada.press(&page, "platform-command_line", &[]).await;
        let string = seen.find("[data-activation-string]").unwrap();
        let off = "[tenant.platforms.command_line]\nallowed = true";
        world.apply(&acme(off, "[tenant.platforms.command_line]\nallowed = false")).await;
        let (exit, out) = activate(string).await;
        assert!(exit == 3 && out.contains("act.platform"), "{on:?} R-051: {exit} {out}");
        // With the platform back, everything goes on; and once enrolled, forbidding it takes nothing away.
        world.apply(ACME).await;
        let (seen, secret) = enroll(&world, &mut Visitor::new(&world.url)).await;
        assert!(!code_of(&seen).0.is_empty());
        let off = "[tenant.platforms.oath_app]\nallowed = true";
        world.apply(&acme(off, "[tenant.platforms.oath_app]\nallowed = false")).await;
        world.advance(60);
        let mut again = Visitor::new(&world.url);
        let seen = after_password(&world, &mut again, "ada", PASSWORD).await;
        let code = oathtool(&world, &secret, "--totp=sha1", "6");
        let seen = again.press(&seen, "continue", &[("code", &code)]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?} R-052");
        world.stop().await;
    }
}

async fn activate(string: String) -> (i32, String) {
    let run = move || {
        let store = tempfile::tempdir().unwrap();
        story::app(store.path(), &["activate", &string])
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// the link of the Windows page, in its three ways, in a tab of its own.
#[actix_web::test]
async fn the_windows_link_in_its_three_ways() {
    let world = World::new(On::Sqlite).await;
    for (setting, link) in [
        ("windows_link = \"none\"", None),
        (
            "windows_link = \"store\"\nstore_product_id = \"9NBLGGH4XYZ1\"",
            Some("ms-windows-store://pdp/?ProductId=9NBLGGH4XYZ1"),
        ),
        (
            "windows_link = \"installer\"\ninstaller_url = \"https://downloads.example.com/setup.exe\"",
            Some("https://downloads.example.com/setup.exe"),
        ),
    ] {
        world.apply(&acme(TARGET, &format!("{TARGET}\n{setting}"))).await;
        let mut ada = Visitor::new(&world.url);
        let page = to_platforms(&world, &mut ada).await;
        let seen = ada.press(&page, "platform-windows", &[]).await;
        assert_eq!(seen.title(), "Connect your authenticator");
        match link {
            Some(link) => {
                let whole = format!("href=\"{link}\" rel=\"noopener noreferrer\" target=\"_blank\"");
                assert!(seen.body.contains(&whole), "R-068, R-074: {}", seen.body);
            }
            None => assert!(!seen.body.contains("target=\"_blank\""), "R-067: {}", seen.body),
        }
        // The app itself is opened by its own scheme, and the string stands there in any case.
        assert!(seen.body.contains("href=\"vestibule-authenticator:http"), "{}", seen.body);
        assert!(seen.find("[data-activation-string]").is_some());
    }
    // In a tenant that has neither yet: what a file does not name stays as it is.
    world.stop().await;
    let world = World::new(On::Sqlite).await;
    for (bad, key) in [
        ("windows_link = \"store\"", "store_product_id"),
        ("windows_link = \"installer\"", "installer_url"),
        ("windows_link = \"installer\"\ninstaller_url = \"http://x.test/setup.exe\"", "installer_url"),
        ("windows_link = \"floppy\"", "windows_link"),
    ] {
        let error = world.try_apply(&acme(TARGET, &format!("{TARGET}\n{bad}"))).await.unwrap_err();
        assert!(error.contains(key), "R-066: {bad}: {error}");
    }
    world.stop().await;
}

/// the code belongs to its login, is kept as a hash, and its faults say
/// what to do.
#[actix_web::test]
async fn a_mail_code_belongs_to_its_login() {
    for on in BOTH {
        let world = World::new(on).await;
        let (mut one, mut two) = (Visitor::new(&world.url), Visitor::new(&world.url));
        let seen = after_password(&world, &mut one, "ada", PASSWORD).await;
        let first = one.press(&seen, "add-authenticator", &[]).await;
        let code_one = world.mail("ada@acme.test", 1).await.code().unwrap();
        let seen = after_password(&world, &mut two, "ada", PASSWORD).await;
        let second = two.press(&seen, "add-authenticator", &[]).await;
        let code_two = world.mail("ada@acme.test", 2).await.code().unwrap();
        assert_ne!(code_one, code_two);
        let crossed = two.press(&second, "continue", &[("code", &code_one)]).await;
        assert!(crossed.complaint().contains("not right"), "{on:?} R-126: {}", crossed.body);
        let empty = one.press(&first, "continue", &[("code", "")]).await;
        assert!(empty.complaint().contains("Enter the code"), "{on:?} R-140: {}", empty.body);
        // neither the codes nor the audit has them in clear.
        let stored = world.text("SELECT code_hash AS t FROM email_code").await;
        assert!(stored.len() == 43 && !stored.contains(&code_one), "{on:?} R-127");
        for action in ["code_sent", "code_rejected"] {
            assert!(world.events(action).await > 0, "{on:?} R-144: {action}");
        }
        let details = world.text("SELECT GROUP_CONCAT(detail) AS t FROM audit_event").await;
        assert!(!details.contains(&code_one) && !details.contains(&code_two), "{on:?} R-144");
        // no field of ours takes an address.
        assert!(!second.body.contains("name=\"email\"") && !second.body.contains("ada@acme.test"), "{on:?}");
        // Too late (R-125, AC-13).
        world.advance(10 * 60 + 1);
        let late = one.press(&first, "continue", &[("code", &code_one)]).await;
        assert_ne!(late.title(), "Where do you want the authenticator?", "{on:?} AC-13");
        // wrong codes lock no account: who has a token logs in as ever.
        assert_eq!(world.events("account_locked").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// a mail server that is away is said on the page, and the way goes on when it is back.
#[actix_web::test]
async fn a_mail_server_that_refuses_is_said() {
    let world = World::new(On::Sqlite).await;
    world.mail.refuse(true);
    let mut ada = Visitor::new(&world.url);
    let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
    let mut page = ada.press(&seen, "add-authenticator", &[]).await;
    for _ in 0..60 {
        if page.body.contains("could not be sent") || page.body.contains("mail server is slow") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        page = ada.get(&page.url).await;
    }
    assert!(page.body.contains("could not be sent") || page.body.contains("mail server is slow"), "{}", page.body);
    world.mail.refuse(false);
    world.advance(61);
    let mut seen = ada.press(&page, "resend-code", &[]).await;
    // The refused letter may have been tried again meanwhile; only the newest code is good, and it may come last.
    let mut tried = Vec::new();
    for _ in 0..200 {
        let mut codes = world.mail.to("ada@acme.test").into_iter().filter_map(|mail| mail.code());
        if let Some(code) = codes.rfind(|code| !tried.contains(code)) {
            seen = ada.press(&seen, "continue", &[("code", &code)]).await;
            tried.push(code);
        }
        if seen.title().starts_with("Where do you want") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(seen.title(), "Where do you want the authenticator?", "{}", seen.body);
    world.stop().await;
}

/// the activation on its page, in its time, and what is
/// kept of the device.
#[actix_web::test]
async fn an_activation_from_its_page_to_its_end() {
    let world = World::new(On::Sqlite).await;
    let mut ada = Visitor::new(&world.url);
    let page = to_platforms(&world, &mut ada).await;
    let page = ada.press(&page, "platform-ios", &[]).await;
    let string = page.find("[data-activation-string]").unwrap();
    let (link, fragment) = string.split_once('#').unwrap();
    assert_eq!(link, format!("{}/activate", world.base()), "R-156, R-171: the secret stands behind the #");
    assert!(fragment.len() > 40, "R-146: 128 bits and more");
    assert!(page.body.contains("<svg") && !page.body.contains("<img src=\"http"), "R-157");
    let svg = page.body.split("<svg").find(|part| part.contains("data-qr")).expect("the QR code");
    assert!(svg.contains("aria-label") || svg.contains("<title>"), "R-158: {}", &svg[..200]);
    assert!(page.body.contains("scan the code") || page.body.contains("scan?"), "R-158");
    assert!(page.body.contains("can be read by other apps"), "R-165");
    // Nine minutes and more: the page offers a new one, and the mailbox is not proven again.
    world.advance(10 * 60 + 1);
    let late = ada.get(&page.url).await;
    if late.has_action("renew") {
        let mails = world.mail.to("ada@acme.test").len();
        let fresh = ada.press(&late, "renew", &[]).await;
        let renewed = fresh.find("[data-activation-string]").expect("a new one");
        assert_ne!(renewed, string, "R-148");
        assert_eq!(world.mail.to("ada@acme.test").len(), mails, "R-148: no code again");
    } else {
        assert_eq!(late.title(), "This page was open too long", "{}", late.body);
    }
    let (exit, out) = activate(string).await;
    assert_eq!(exit, 3, "R-148: {out}");
    world.stop().await;
}

/// a link that is opened without the app shows where to get it, and a scan enrolls nothing.
#[actix_web::test]
async fn a_link_without_the_app_is_harmless() {
    let world = World::new(On::Sqlite).await;
    let seen = Visitor::new(&world.url).get(&format!("{}/activate", world.base())).await;
    assert_eq!((seen.status, seen.title().as_str()), (200, "Open this link on your device"));
    assert!(seen.body.contains("apps.apple.com") && seen.body.contains("play.google.com"), "R-160");
    assert!(seen.body.contains("data-hand-over=\"vestibule-authenticator\""), "R-160, R-164");
    assert_eq!(seen.headers["referrer-policy"], "no-referrer", "R-171");
    assert_eq!(world.events("activation_claimed").await, 0, "R-167");
    for (path, word) in [("apple-app-site-association", "applinks"), ("assetlinks.json", "[]")] {
        let seen = Visitor::new(&world.url).get(&format!("/.well-known/{path}")).await;
        assert_eq!((seen.status, &seen.headers["content-type"]), (200, &"application/json".parse().unwrap()), "R-161");
        assert!(seen.body.contains(word), "R-162: {}", seen.body);
    }
    world.stop().await;
}

/// passcodes of somebody with two authenticators; each counts once.
#[actix_web::test]
async fn passcodes_of_two_authenticators() {
    for on in BOTH {
        let world = World::new(on).await;
        let second = "[[tenant.user.token]]\ntype = \"oath_app\"\nsecret_base32 = \"KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU\"\n\
                      algorithm = \"SHA1\"\ndigits = 8\nperiod_seconds = 60\n\n[[tenant.application]]\nname = \"Notes\"";
        world.apply(&acme("[[tenant.application]]\nname = \"Notes\"", second)).await;
        let mut linus = Visitor::new(&world.url);
        let seen = after_password(&world, &mut linus, "linus", "has a token already").await;
        assert_eq!(seen.body.matches("· Active</li>").count(), 2, "{on:?} R-463: {}", seen.body);
        let at = format!("@{}", world.clock_now().seconds());
        let run = std::process::Command::new("oathtool")
            .args(["--totp", "-b", "-d", "8", "-s", "60", "-N", &at, "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"])
            .output()
            .unwrap();
        let code = String::from_utf8(run.stdout).unwrap().trim().to_owned();
        assert_eq!(code.len(), 8, "R-313");
        let answer = linus.press(&seen, "continue", &[("code", &code)]).await;
        assert!(!code_of(&answer).0.is_empty(), "{on:?} R-299: {}", answer.body);
        // Used once; a wrong one and a used one get the same words, and the audit knows which it was.
        let mut again = Visitor::new(&world.url);
        let seen = after_password(&world, &mut again, "linus", "has a token already").await;
        let wrong = again.press(&seen, "continue", &[("code", "00000000")]).await;
        let used = again.press(&seen, "continue", &[("code", &code)]).await;
        assert_eq!(wrong.complaint(), used.complaint(), "{on:?} R-301");
        assert_eq!(world.events("passcode_reused").await, 1, "{on:?} R-317");
        assert_eq!(world.events("passcode_rejected").await, 1, "{on:?} R-299: a failure counts once");
        world.execute("UPDATE token SET state = ? WHERE template LIKE '%\"length\":8%'", "suspended").await;
        let seen = again.get(&seen.url.replace("/passcode", "").replace("/password", "")).await;
        assert!(seen.body.contains("· Suspended</li>"), "{on:?} R-463: {}", seen.body);
        world.stop().await;
    }
}

/// failures lock, a success forgets them, and waiting opens the lock again.
#[actix_web::test]
async fn failures_lock_and_a_success_forgets_them() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut linus = Visitor::new(&world.url);
        let page = after_password(&world, &mut linus, "linus", "has a token already").await;
        let wrong =
            async |visitor: &mut Visitor, page: &Seen| visitor.press(page, "continue", &[("code", "111111")]).await;
        for _ in 0..2 {
            wrong(&mut linus, &page).await;
        }
        let seen = linus.press(&page, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert!(!code_of(&seen).0.is_empty());
        let failed = world.number("SELECT COUNT(*) AS n FROM failure WHERE failed_count > 0").await;
        assert_eq!(failed, 0, "{on:?} R-327");
        world.advance(60);
        let mut other = Visitor::new(&world.url);
        let page = after_password(&world, &mut other, "linus", "has a token already").await;
        let mut locked = 0;
        for round in 1..=40 {
            wrong(&mut other, &page).await;
            locked = world.events("account_locked").await;
            if locked > 0 {
                assert!(round >= 3, "{on:?}: not after {round} failures");
                break;
            }
            // A growing delay between failures is part of it.
            world.advance(40);
        }
        assert_eq!(locked, 1, "{on:?} R-326");
        let seen = other.press(&page, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert!(seen.leaves_to.is_none(), "{on:?}: locked is locked");
        let tokens = world.command(&["token", "list", "--user", "linus"]);
        assert!(tokens.contains("\tlocked (account)\t"), "{on:?} R-336: {tokens}");
        assert!(world.command(&["user", "list"]).contains("linus\tlocked\t"), "{on:?}");
        world.command(&["user", "unlock", "linus"]);
        let tokens = world.command(&["token", "list", "--user", "linus"]);
        assert!(tokens.contains("\tactive\t"), "{on:?} R-336: {tokens}");
        world.advance(60);
        let mut after = Visitor::new(&world.url);
        let page = after_password(&world, &mut after, "linus", "has a token already").await;
        let seen = after.press(&page, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?} R-331: unlocked at once");
        assert!(world.events("account_unlocked").await > 0, "{on:?} R-331");
        world.stop().await;
    }
}

/// what every login page is like.
#[actix_web::test]
async fn what_every_login_page_is_like() {
    let world = World::new(On::Sqlite).await;
    let mut linus = Visitor::new(&world.url);
    let name = linus.get(&authorize(&world, "&redirect_uri=https%3A%2F%2Fevil.example")).await;
    assert_eq!(name.status, 400, "R-471: two return addresses are none");
    let name = linus.get(&authorize(&world, "")).await;
    assert!(name.body.contains("Notes") && name.body.contains("Acme Corporation"), "R-457");
    let password = linus.press(&name, "continue", &[("username", "linus")]).await;
    assert!(password.body.contains("autocomplete=\"current-password\""), "R-461, R-546");
    assert!(!password.body.contains("onpaste") && password.body.contains("value=\"linus\""), "R-461, R-550");
    let passcode = linus.press(&password, "continue", &[("password", "has a token already")]).await;
    assert!(passcode.body.contains("clock of your device"), "R-466");
    assert_eq!(passcode.body.matches("name=\"code\"").count(), 1, "R-554: one field");
    let mut titles = Vec::new();
    for page in [&name, &password, &passcode] {
        assert_eq!(page.headers["x-frame-options"], "DENY", "R-468");
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "R-468: {policy}");
        assert!(!policy.contains("unsafe"), "R-468: {policy}");
        let forms = page.body.matches("<form method=\"post\"").count();
        assert_eq!(forms, page.body.matches("name=\"csrf\"").count(), "R-469");
        let title = page.find("title").unwrap();
        assert!(title.ends_with("· Acme Corporation"), "R-556: {title}");
        titles.push(title);
        let visible = page.body.matches("<label ").count();
        assert!(visible >= 2, "R-549: a label for the field and one for the language");
    }
    titles.dedup();
    assert_eq!(titles.len(), 3, "R-556: each step has its own");
    let done = linus.press(&passcode, "continue", &[("code", &passcode_of_linus(&world))]).await;
    assert!(done.leaves_to.unwrap().starts_with("http://127.0.0.1:9000/callback?"), "R-471");
    world.stop().await;
}

/// a session ends by itself, with the browser, and by the portal's button.
#[actix_web::test]
async fn how_a_session_ends() {
    let world = World::new(On::Sqlite).await;
    let mut linus = Visitor::new(&world.url);
    let seen = after_password(&world, &mut linus, "linus", "has a token already").await;
    let code = passcode_of_linus(&world);
    let (address, mut fields) = seen.form("continue");
    fields.push(("code".to_owned(), code));
    let mut answer = linus.once(reqwest::Method::POST, &address, Some(fields)).await;
    let mut session = None;
    for _ in 0..5 {
        let set = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
        if let Some(cookie) =
            set.into_iter().find(|cookie| cookie.starts_with("vs-acme=") && !cookie.contains("Max-Age=0"))
        {
            session = Some(cookie.to_owned());
        }
        let Some(next) = answer.headers.get("location").map(|value| value.to_str().unwrap().to_owned()) else { break };
        if next.contains("/callback") {
            break;
        }
        answer = linus.once(reqwest::Method::GET, &next, None).await;
    }
    let session = session.expect("a session cookie");
    assert!(!session.contains("Expires") && !session.contains("Max-Age"), "R-475: it ends with the browser: {session}");
    assert!(session.contains("HttpOnly") && session.contains("SameSite=Lax"), "R-478: {session}");
    let portal = linus.get(&format!("{}/", world.base())).await;
    assert!(portal.has_action("log-out"), "R-476: {}", portal.body);
    linus.press(&portal, "log-out", &[]).await;
    let seen = linus.get(&authorize(&world, "&prompt=none")).await;
    assert!(seen.leaves_to.unwrap().contains("error=login_required"), "R-476");
    world.stop().await;
}

/// an event-based authenticator of our app gives a new passcode at each press, without a network; what
/// the server has accepted is void, and so is everything before it.
#[actix_web::test]
async fn an_event_based_authenticator_gives_a_new_passcode_at_each_press() {
    for on in BOTH {
        let world = World::new(on).await;
        let template = "[tenant.token_template.app]\nsynchronization = \"event\"\nlength = 8\n\n[tenant.global_policy]";
        world.apply(&acme("[tenant.global_policy]", template)).await;
        let mut ada = Visitor::new(&world.url);
        let page = to_platforms(&world, &mut ada).await;
        let page = ada.press(&page, "platform-command_line", &[]).await;
        let string = page.find("[data-activation-string]").unwrap();
        let store = tempfile::tempdir().unwrap();
        let path = store.path().to_owned();
        let (exit, out) = tokio::task::spawn_blocking(move || story::app(&path, &["activate", &string])).await.unwrap();
        assert_eq!(exit, 0, "{on:?}: {out}");
        let press = || {
            let (exit, out) = story::app(store.path(), &["passcode", "--json"]);
            assert_eq!(exit, 0, "{out}");
            let json: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
            json["passcode"].as_str().unwrap().to_owned()
        };
        let (first, second, third) = (press(), press(), press());
        assert!(first.len() == 8 && first != second && second != third, "{on:?} R-286: {first} {second} {third}");
        let seen = ada.press(&page, "check-now", &[]).await;
        assert_eq!(seen.title(), "One last step");
        let seen = ada.press(&seen, "continue", &[("code", &second)]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: one press ahead is within the window: {}", seen.body);
        let mut again = Visitor::new(&world.url);
        let page = after_password(&world, &mut again, "ada", PASSWORD).await;
        for void in [&first, &second] {
            let seen = again.press(&page, "continue", &[("code", void)]).await;
            assert!(seen.complaint().contains("was not accepted"), "{on:?} R-286: {}", seen.body);
        }
        // No time limit: the third is good a day later.
        world.advance(24 * 3600);
        let mut late = Visitor::new(&world.url);
        let page = after_password(&world, &mut late, "ada", PASSWORD).await;
        let seen = late.press(&page, "continue", &[("code", &third)]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?} R-286: {}", seen.body);
        world.stop().await;
    }
}

/// INV-11, T-11: whoever had an access token has nothing any more once the password is another one.
#[actix_web::test]
async fn a_changed_password_takes_access_tokens_back() {
    let world = World::new(On::Sqlite).await;
    let mut linus = Visitor::new(&world.url);
    let seen = after_password(&world, &mut linus, "linus", "has a token already").await;
    let seen = linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
    let (status, tokens) = story::redeem(&world, &code_of(&seen).0).await;
    assert_eq!(status, 200, "{tokens}");
    let person = async || {
        let token = tokens["access_token"].as_str().unwrap();
        let url = format!("{}/oidc/userinfo", world.base());
        reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap().status().as_u16()
    };
    assert_eq!(person().await, 200);
    world.apply(&acme("password = \"has a token already\"", "password = \"another one entirely\"")).await;
    assert_eq!(person().await, 401);
    world.stop().await;
}
