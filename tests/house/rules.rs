//! The rules of the rollout, requirement by requirement: who is offered an authenticator and who is not, on which
//! device, for how long, and what stays afterwards.

use crate::abuse::Device;
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

/// where every attempt asks for a passcode, the portal and its pages are reached with the one that was given for them.
#[actix_web::test]
async fn the_portal_is_reached_where_every_attempt_asks() {
    for on in BOTH {
        let world = World::new(on).await;
        let policy = "[[tenant]]\ncode = \"acme\"\n[tenant.global_policy]\nrequire = [\"password\", { method = \"otp\", \
                      frequency = \"every_attempt\" }]\n";
        world.apply(policy).await;
        let mut linus = Visitor::new(&world.url);
        let seen = linus.get(&format!("{}/", world.base())).await;
        let seen = linus.press(&seen, "continue", &[("username", "linus")]).await;
        let seen = linus.press(&seen, "continue", &[("password", "has a token already")]).await;
        let code = passcode_of_linus(&world);
        let seen = linus.press(&seen, "continue", &[("code", &code)]).await;
        assert!(seen.has_action("log-out"), "{on:?}: {} {}", seen.url, seen.body);
        // An application is another attempt at once; the portal is one after five minutes.
        let seen = linus.get(&authorize(&world, "")).await;
        assert_eq!(seen.title(), "Enter your passcode", "{on:?}: {}", seen.body);
        for (seconds, asked) in [(299, false), (1, true)] {
            world.advance(seconds);
            let seen = linus.get(&format!("{}/", world.base())).await;
            assert_eq!(seen.title() == "Enter your passcode", asked, "{on:?} {seconds}: {}", seen.body);
        }
        world.stop().await;
    }
}

/// an app claims and confirms within a moment. A page that was made in between, and whose line opens only afterwards, hears of
/// it all the same.
#[actix_web::test]
async fn a_page_hears_of_what_happened_before_its_line_was_open() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let seen = to_platforms(&world, &mut ada).await;
        let waiting = ada.press(&seen, "platform-ios", &[]).await;
        let events = |seen: &Seen| {
            let rest = seen.body.split("data-events=\"").nth(1).unwrap_or_else(|| panic!("{}", seen.body));
            format!("{}{}", world.url, rest.split('"').next().unwrap())
        };
        let device = Device::new(&waiting.find("[data-activation-string]").unwrap(), "ios");
        let (status, claimed) = device.claim().await;
        assert_eq!(status, 200, "{on:?}: {claimed}");
        let connected = ada.get(&waiting.url).await;
        assert_ne!(events(&connected), events(&waiting), "{on:?}");
        assert_eq!(device.confirm(&claimed).await.0, 200, "{on:?}");
        let cookies: Vec<String> = ada.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for page in [&connected, &waiting] {
            let request = reqwest::Client::new().get(events(page)).header("cookie", cookies.join("; "));
            let mut line = request.send().await.unwrap();
            let mut told = String::new();
            let hear = async {
                while let Some(part) = line.chunk().await.unwrap() {
                    told += &String::from_utf8_lossy(&part);
                    if told.contains("event: changed") {
                        break;
                    }
                }
            };
            let heard = tokio::time::timeout(std::time::Duration::from_secs(20), hear).await;
            assert!(heard.is_ok(), "{on:?}: nothing was heard");
        }
        world.stop().await;
    }
}

/// R-141, part B5: a mail that the mail server refused counts for no limit: whoever asks again and again while it is away gets
/// a code when it is back, and the codes that never left are worth nothing.
#[actix_web::test]
async fn a_mail_that_was_refused_counts_for_no_limit() {
    for on in BOTH {
        let world = World::new(on).await;
        world.mail.refuse(true);
        let mut ada = Visitor::new(&world.url);
        let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
        let mut page = ada.press(&seen, "add-authenticator", &[]).await;
        for refused in 1..=7 {
            for _ in 0..200 {
                page = ada.get(&page.url).await;
                if page.body.contains("could not be sent") {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            assert!(page.body.contains("could not be sent"), "{on:?} {refused}: {}", page.body);
            let unsent = world.number("SELECT COUNT(*) AS n FROM email_code WHERE state = 'unsent'").await;
            assert_eq!(unsent, refused, "{on:?}");
            let seen = ada.press(&page, "continue", &[("code", "000000")]).await;
            assert!(seen.complaint().contains("no longer works"), "{on:?}: {}", seen.body);
            world.advance(1);
            world.mail.refuse(refused < 7);
            page = ada.press(&page, "resend-code", &[]).await;
        }
        assert_eq!(world.events("code_withheld").await, 0, "{on:?} R-141");
        let code = world.code("ada@acme.test", 0).await;
        let seen = ada.press(&page, "continue", &[("code", &code)]).await;
        assert_eq!(seen.title(), "Where do you want the authenticator?", "{on:?}: {}", seen.body);
        world.stop().await;
    }
}

/// K03, R-114, R-121, R-470, INV-9: an answer to a step up that was lost strands nobody: the page that is loaded again brings the
/// new cookie, the same one to every tab. Who has the old cookie of a login whose new one has arrived has nothing.
#[actix_web::test]
async fn a_lost_answer_to_a_step_up_strands_nobody() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
        let page = ada.press(&seen, "add-authenticator", &[]).await;
        let code = world.code("ada@acme.test", 0).await;
        let (address, mut fields) = page.form("continue");
        fields.retain(|(name, _)| name != "code");
        fields.push(("code".to_owned(), code));
        let old = ada.cookies.clone();
        let answer = ada.once(reqwest::Method::POST, &address, Some(fields.clone())).await;
        assert_eq!((answer.status, ada.cookies == old), (303, false), "{on:?} R-470");
        // The answer is lost. A second tab of the same browser asks at the same moment.
        ada.cookies = old.clone();
        let mut tab = ada.clone();
        world.advance(20);
        // Somebody else who has the cookie from before gets no other one for it, and sees nothing (T-21, AC-35).
        let cookies: Vec<String> = old.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let another = reqwest::Client::builder().user_agent("another browser");
        let from_afar = reqwest::Client::builder().local_address(std::net::IpAddr::from([127, 0, 0, 2]));
        for elsewhere in [another, from_afar] {
            let elsewhere = elsewhere.build().unwrap().get(&page.url).header("cookie", cookies.join("; "));
            let seen = elsewhere.send().await.unwrap();
            let given = seen.headers().get_all("set-cookie").iter().any(|it| it.to_str().unwrap().starts_with("vl-"));
            assert_eq!((seen.status().as_u16(), given), (400, false), "{on:?}");
        }
        let again = ada.post(&address, &fields).await;
        let shown = tab.get(&page.url).await;
        assert_eq!(again.title(), "Where do you want the authenticator?", "{on:?}: {}", again.body);
        assert_eq!(shown.title(), again.title(), "{on:?}");
        assert!(ada.cookies != old && ada.cookies == tab.cookies, "{on:?}: one cookie for both");
        let mut thief = ada.clone();
        thief.cookies = old.clone();
        world.advance(20);
        assert_eq!(thief.get(&page.url).await.status, 400, "{on:?}: the old one has had its time");
        let seen = ada.press(&again, "platform-oath_app", &[]).await;
        let secret = seen.find("[data-activation-string]").expect("a key").replace(' ', "");
        let old = ada.cookies.clone();
        let code = oathtool(&world, &secret, "--totp=sha1", "6");
        let (address, mut fields) = seen.form("continue");
        fields.retain(|(name, _)| name != "code");
        fields.push(("code".to_owned(), code));
        let answer = ada.once(reqwest::Method::POST, &address, Some(fields)).await;
        assert_eq!(answer.status, 303, "{on:?}: {}", answer.body);
        ada.cookies = old;
        world.advance(20);
        assert!(!code_of(&ada.get(&page.url).await).0.is_empty(), "{on:?} R-114");
        // The new cookie has arrived: the old one opens nothing any more.
        let mut linus = Visitor::new(&world.url);
        let page = linus.get(&authorize(&world, "")).await;
        let page = linus.press(&page, "continue", &[("username", "linus")]).await;
        let mut thief = linus.clone();
        let page = linus.press(&page, "continue", &[("password", "has a token already")]).await;
        assert_eq!(page.title(), "Enter your passcode", "{on:?}: {}", page.body);
        assert_eq!(thief.get(&page.url).await.status, 400, "{on:?}");
        world.advance(31);
        assert_eq!(linus.get(&page.url).await.title(), "Enter your passcode", "{on:?}");
        world.stop().await;
    }
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

/// R-582, AC-23: a changed address is told to the one before, ends what is under way, is in the audit, and keeps
/// enrollment waiting for as long as the settings say: by default not at all.
#[actix_web::test]
async fn a_changed_address_is_told_to_the_old_one() {
    for on in BOTH {
        let world = World::new(on).await;
        let moved = |to: &str| acme("email = \"ada@acme.test\"", &format!("email = \"{to}\"\nlanguage = \"de\""));
        let mut ada = Visitor::new(&world.url);
        let under_way = after_password(&world, &mut ada, "ada", PASSWORD).await;
        world.apply(&moved("ada@elsewhere.test")).await;
        let letter = world.mail("ada@acme.test", 1).await;
        assert_eq!(letter.subject(), "Die E-Mail-Adresse Ihres Kontos wurde geändert", "{on:?}");
        let text = letter.text();
        assert!(text.contains("Acme Corporation") && text.contains("help@acme.test"), "{on:?}: {text}");
        assert!(!text.contains("elsewhere"), "{on:?}: the new address is nobody else's business: {text}");
        assert!(world.mail.to("ada@elsewhere.test").is_empty(), "{on:?}");
        let details = world.column("SELECT detail AS it FROM audit_event WHERE action = 'user_changed'").await;
        assert_eq!(
            details.iter().filter(|detail| detail.contains("\"email_changed\":true")).count(),
            1,
            "{on:?}: {details:?}"
        );
        let known = ["ada@acme.test", "ada@elsewhere.test"].iter().any(|address| details.concat().contains(address));
        assert!(!known, "{on:?}: no address in the audit that is not masked: {details:?}");
        let ended = ada.press(&under_way, "add-authenticator", &[]).await;
        assert_ne!(ended.title(), "Enter the code from your email", "{on:?}");
        // The same file again changes nothing and tells nobody.
        world.apply(&moved("ada@elsewhere.test")).await;
        // Without a wait, the new address can enroll at once.
        ada.language = Some("en");
        let seen = after_password(&world, &mut Visitor::new(&world.url), "ada", PASSWORD).await;
        assert!(seen.has_action("add-authenticator"), "{on:?}: {}", seen.body);
        // With one, it must wait, to the second; from the moment at which the setting is saved.
        let wait = format!("{TARGET}\nwait_after_address_change_seconds = 3600");
        world.apply(&moved("ada@elsewhere.test").replace(TARGET, &wait)).await;
        for (seconds, offered) in [(0, false), (3599, false), (1, true)] {
            world.advance(seconds);
            let mut visitor = Visitor::new(&world.url);
            let seen = after_password(&world, &mut visitor, "ada", PASSWORD).await;
            assert_eq!(seen.has_action("add-authenticator"), offered, "{on:?} {seconds}: {}", seen.body);
            if !offered {
                assert!(seen.body.contains("vor Kurzem geändert"), "{on:?}: {}", seen.body);
            }
        }
        assert_eq!(world.mail.to("ada@acme.test").len(), 1, "{on:?}: one letter for one change");
        let late = acme("email = \"ada@acme.test\"", "email = \"\"");
        world.apply(&late).await;
        assert!(
            world.mail("ada@elsewhere.test", 1).await.subject().contains("geändert"),
            "{on:?}: taking it away is told, too"
        );
        let error =
            world.try_apply(&acme(TARGET, &format!("{TARGET}\nwait_after_address_change_seconds = 2592001"))).await;
        assert!(error.unwrap_err().contains("wait_after_address_change_seconds"), "{on:?}");
        world.stop().await;
    }
}

/// R-598, AC-12, AC-18: clocks of two instances differ. What was voided by an instance whose clock is ahead looks younger
/// than what replaced it, and must not hide it.
#[actix_web::test]
async fn a_clock_that_is_ahead_hides_nothing() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
        let page = ada.press(&seen, "add-authenticator", &[]).await;
        let first = world.mail("ada@acme.test", 1).await.code().unwrap();
        world.advance(61);
        let page = ada.press(&page, "resend-code", &[]).await;
        let second = world.mail("ada@acme.test", 2).await.code().unwrap();
        world.execute("UPDATE email_code SET created_at = created_at + 300000000 WHERE state = ?", "void").await;
        if first != second {
            let old = ada.press(&page, "continue", &[("code", &first)]).await;
            assert!(old.complaint().contains("not right"), "{on:?} AC-12: {}", old.body);
        }
        let seen = ada.press(&page, "continue", &[("code", &second)]).await;
        assert!(seen.title().starts_with("Where do you want"), "{on:?}: {}", seen.body);
        let seen = ada.press(&seen, "platform-command_line", &[]).await;
        let old = seen.find("[data-activation-string]").unwrap();
        let seen = ada.press(&seen, "change-platform", &[]).await;
        world.execute("UPDATE activation SET created_at = created_at + 300000000 WHERE state = ?", "void").await;
        let seen = ada.press(&seen, "platform-command_line", &[]).await;
        let new = seen.find("[data-activation-string]").unwrap_or_else(|| panic!("{on:?}: {}", seen.body));
        assert_ne!(old, new, "{on:?}");
        // going back cancelled the first one.
        let (exit, out) = activate(old).await;
        assert!(exit == 3, "{on:?} R-115: {exit} {out}");
        let (exit, out) = activate(new).await;
        assert!(exit == 0, "{on:?}: {exit} {out}");
        world.stop().await;
    }
}

/// a name is remembered in the browser that was asked to, for thirty days, and nobody can put one there.
#[actix_web::test]
async fn a_user_name_is_remembered_where_it_was_asked_for() {
    let world = World::new(On::Sqlite).await;
    let mut ada = Visitor::new(&world.url);
    let field = "[autocomplete=username]";
    let value = |seen: &Seen| {
        let page = scraper::Html::parse_document(&seen.body);
        let field = scraper::Selector::parse(field).unwrap();
        page.select(&field).next().unwrap().attr("value").unwrap_or_default().to_owned()
    };
    let seen = ada.get(&authorize(&world, "")).await;
    assert!(value(&seen).is_empty() && !seen.has_action("forget-user"));
    assert!(seen.find("#remember-hint").unwrap().contains("others"), "a hint, not for shared devices");
    // Not asked for: not remembered.
    ada.press(&seen, "continue", &[("username", "ada")]).await;
    assert!(!ada.cookies.contains_key("vn-acme"));
    let seen = ada.get(&authorize(&world, "")).await;
    // Asked for; whether there is such an account makes no difference.
    let (address, mut fields) = seen.form("continue");
    fields.extend([("username".to_owned(), "nobody".to_owned()), ("remember".to_owned(), "yes".to_owned())]);
    let raw = ada.once(reqwest::Method::POST, &address, Some(fields)).await;
    let cookie = raw.headers.get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap());
    let cookie = cookie.filter(|cookie| cookie.starts_with("vn-acme=")).collect::<Vec<_>>();
    assert!(cookie.len() == 1 && cookie[0].contains("Max-Age=2592000") && cookie[0].contains("HttpOnly"), "{cookie:?}");
    let seen = ada.get(&authorize(&world, "")).await;
    assert_eq!(value(&seen), "nobody");
    // What the application says counts more, and is not remembered by itself.
    let hinted = ada.get(&authorize(&world, "&login_hint=linus")).await;
    assert_eq!(value(&hinted), "linus");
    // A cookie that we did not sign, or that is of another tenant, names nobody.
    let ours = ada.cookies["vn-acme"].clone();
    let mut mallory = ada.clone();
    let (_, signature) = ours.split_once('.').unwrap();
    for planted in [
        format!("bWFsbG9yeQ.{signature}"),
        "bWFsbG9yeQ".to_owned(),
        "bWFsbG9yeQ.".to_owned(),
        ".".to_owned(),
        "%00".to_owned(),
    ] {
        mallory.cookies.insert("vn-acme".to_owned(), planted.clone());
        assert!(value(&mallory.get(&authorize(&world, "")).await).is_empty(), "{planted}");
    }
    world
        .apply("[[tenant]]\ncode = \"blue\"\nname = \"Blue\"\n[tenant.global_policy]\nrequire = [\"password\"]\n")
        .await;
    ada.cookies.insert("vn-blue".to_owned(), ours);
    let blue = ada.get(&format!("{}/t/blue/", world.url)).await;
    assert!(value(&blue).is_empty(), "{}", blue.body);
    // "Forget me", and the box that is not ticked any more.
    let forgotten = ada.clone().press(&seen, "forget-user", &[]).await;
    assert!(value(&forgotten).is_empty() && !forgotten.has_action("forget-user"), "{}", forgotten.body);
    ada.press(&seen, "continue", &[("username", "ada")]).await;
    assert!(!ada.cookies.contains_key("vn-acme"));
    world.stop().await;
}

/// groups that the settings name are kept while they are not asked for, and cannot go while they
/// are named. Membership of internal groups is what counts here.
#[actix_web::test]
async fn groups_that_settings_name_stay() {
    let world = World::new(On::Sqlite).await;
    let offered = async |name: &str, password: &str| {
        after_password(&world, &mut Visitor::new(&world.url), name, password).await.has_action("add-authenticator")
    };
    let set = async |text: &str| {
        world.apply(&format!("[[tenant]]\ncode = \"acme\"\n[tenant.self_provisioning]\n{text}\n")).await;
    };
    set("target_users = \"all\"").await;
    assert!(offered("barbara", "not in the rollout").await, "R-031: the groups are not asked for");
    set("target_users = \"members_of\"").await;
    assert!(!offered("barbara", "not in the rollout").await, "R-031: they were kept");
    assert!(offered("ada", PASSWORD).await, "R-033");
    set("target_users = \"none\"").await;
    let gone = ACME.replace("[[tenant.group]]\nname = \"pilot\"\n", "").replace("groups = [\"pilot\"]\n", "");
    let desk = vestibule::flow::administration::Desk {
        house: &world.site.house,
        actor: vestibule::domain::audit::Actor::Shell("test".to_owned()),
        address: String::new(),
        now: world.clock_now(),
    };
    use vestibule::apply::plan::Prune;
    use vestibule::apply::run::{Run, text};
    let remove =
        async |file: &str| text(&desk, ("test.toml", file), std::path::Path::new("."), Run::Real, Prune::Remove).await;
    let error = format!(
        "{:#}",
        remove(&gone.replace("target_users = \"members_of\"", "target_users = \"none\"")).await.unwrap_err()
    );
    assert!(error.contains("pilot") && error.contains("settings refer to it"), "R-041: {error}");
    // An application that a policy names cannot go either.
    let named = "[[tenant.access_policy]]\nname = \"Wiki\"\napplications = [\"Wiki\"]\ndecision = \"deny\"\n\n[tenant.self_provisioning]";
    world.apply(&acme("[tenant.self_provisioning]", named)).await;
    let file = acme("[tenant.self_provisioning]", named);
    let (before, rest) = file.split_once("[[tenant.application]]\nname = \"Wiki\"").unwrap();
    let (_, after) = rest.split_once("\n\n").unwrap();
    let error = format!("{:#}", remove(&format!("{before}{after}")).await.unwrap_err());
    assert!(error.contains("Wiki"), "R-453: {error}");
    world.stop().await;
}

/// one platform is not asked for; the matrix has its rows and no others; a Windows
/// link is shown only to who wants one; what is unwise is said and done.
#[actix_web::test]
async fn what_is_not_asked_and_what_is_said() {
    let world = World::empty(On::Sqlite).await;
    let rows = ["ios", "android", "windows_mobile", "windows", "web", "command_line", "oath_app"];
    let row = |name: &str| format!("[tenant.platforms.{name}]\nallowed = {}\n", name == "windows");
    let one = ACME.split_once("[tenant.platforms.ios]").unwrap().0;
    world.apply(&format!("{one}{}", rows.map(row).concat())).await;
    let mut ada = Visitor::new(&world.url);
    let seen = to_platforms(&world, &mut ada).await;
    assert_eq!(seen.title(), "Connect your authenticator", "R-063: {}", seen.body);
    assert!(!seen.has_action("get-app") && seen.has_action("open-app"), "R-075: no link unless one is wanted");
    for row in ["toaster", "windows_11", "macos", "linux"] {
        let error = world.try_apply(&format!("{ACME}[tenant.platforms.{row}]\nallowed = true\n")).await.unwrap_err();
        assert!(
            error.contains("use ios, android, windows_mobile, windows, web, command_line or oath_app"),
            "R-046: {error}"
        );
    }
    let unwise = "[tenant.lockout]\nthreshold = 7\n[tenant.self_provisioning]\nwindows_link = \"installer\"\n\
                  installer_url = \"https://example.com/get\"\n";
    let desk = vestibule::flow::administration::Desk {
        house: &world.site.house,
        actor: vestibule::domain::audit::Actor::Shell("test".to_owned()),
        address: String::new(),
        now: world.clock_now(),
    };
    let file = format!("[[tenant]]\ncode = \"acme\"\n{unwise}");
    use vestibule::apply::plan::Prune;
    use vestibule::apply::run::{Run, text};
    let reports = text(&desk, ("test.toml", &file), std::path::Path::new("."), Run::Real, Prune::Keep).await.unwrap();
    let said = reports[0].warnings.join("\n");
    assert!(said.contains("lockout.threshold is more than 6"), "R-339: {said}");
    assert!(said.contains("self_provisioning.installer_url does not end in .exe or .msi"), "R-070: {said}");
    assert_eq!(reports[0].changes.len(), 1, "and it is done: {:?}", reports[0].changes);
    world.stop().await;
}

/// who tries a used passcode again is refused every time, and the owner is told once in an hour; a
/// button that is pressed twice is no attack.
#[actix_web::test]
async fn a_reuse_is_told_once_in_an_hour() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut linus = Visitor::new(&world.url);
        let page = after_password(&world, &mut linus, "linus", "has a token already").await;
        let code = passcode_of_linus(&world);
        let first = linus.press(&page, "continue", &[("code", &code)]).await;
        assert!(!code_of(&first).0.is_empty());
        // The same button, the same browser: the answer to it is on its way already.
        let second = linus.press(&page, "continue", &[("code", &code)]).await;
        assert!(second.complaint().is_empty(), "{on:?} R-319: {}", second.body);
        assert_eq!(world.events("passcode_reused").await, 0, "{on:?} R-319");
        let letters = async || {
            // The outbox tells what was written, whether it has arrived or not.
            world.number("SELECT COUNT(*) AS n FROM outbox WHERE kind = 'passcode_reused'").await
        };
        let reuse = async |expected: i64| {
            let mut thief = Visitor::new(&world.url);
            let page = after_password(&world, &mut thief, "linus", "has a token already").await;
            let used = passcode_of_linus(&world);
            thief.press(&page, "continue", &[("code", &used)]).await;
            let mut thief = Visitor::new(&world.url);
            let page = after_password(&world, &mut thief, "linus", "has a token already").await;
            let seen = thief.press(&page, "continue", &[("code", &used)]).await;
            assert!(seen.complaint().contains("was not accepted"), "{on:?} R-315: {}", seen.body);
            assert_eq!(letters().await, expected, "{on:?} R-318");
        };
        world.advance(30);
        reuse(1).await;
        world.advance(30);
        reuse(1).await;
        // Within the hour, however the hour falls.
        world.advance(3600 - 61);
        reuse(1).await;
        world.advance(2 * 3600);
        reuse(2).await;
        assert_eq!(world.events("passcode_reused").await, 4, "{on:?}: each is in the audit");
        world.stop().await;
    }
}

/// the portal shows what may be used and begins it, also at a service provider that has no
/// address to begin at.
#[actix_web::test]
async fn the_portal_begins_what_it_shows() {
    for on in BOTH {
        let world = World::new(on).await;
        let private = "[[tenant.application]]\nname = \"Payroll\"\nassigned_to = { groups = [], users = [\"ada\"] }\n\
                       [tenant.application.saml]\nentity_id = \"https://pay.example.com\"\nacs_urls = [\"https://pay.example.com/acs\"]\n\n\
                       [tenant.global_policy]";
        let file = acme("[tenant.global_policy]", private);
        let wiki = "name_id_format = \"persistent\"";
        world.apply(&file.replace(wiki, &format!("{wiki}\nidp_initiated = true"))).await;
        world.advance(3);
        let mut linus = Visitor::new(&world.url);
        let seen = linus.get(&format!("{}/", world.base())).await;
        let seen = linus.press(&seen, "continue", &[("username", "linus")]).await;
        let seen = linus.press(&seen, "continue", &[("password", "has a token already")]).await;
        let portal = linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert!(portal.has_action("log-out"), "{on:?}: {}", portal.body);
        assert!(!portal.body.contains("Payroll"), "{on:?}: what is somebody else's is not shown");
        assert!(portal.find(".tokens").unwrap().contains("Active"), "{on:?} R-519");
        let page = scraper::Html::parse_document(&portal.body);
        let links = scraper::Selector::parse(".tiles a").unwrap();
        let links: Vec<(String, String)> = page
            .select(&links)
            .map(|link| (link.text().collect::<String>(), link.attr("href").unwrap().to_owned()))
            .collect();
        assert_eq!(links.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["Wiki"], "{on:?}");
        drop(page);
        let seen = linus.get(&links[0].1).await;
        let (_, response, _) = door_saml::posted(&seen);
        assert!(response.contains("Destination=\"https://wiki.example.com/acs\""), "{on:?}: {response}");
        assert!(!response.contains("InResponseTo"), "{on:?}: nobody asked: {response}");
        // Somebody who has not logged in yet does so on the way; an address that was guessed begins nothing.
        let mut stranger = Visitor::new(&world.url);
        assert_eq!(stranger.get(&links[0].1).await.title(), "Log in", "{on:?}");
        let wrong = links[0].1.replace("application=", "application=a");
        assert!(matches!(stranger.get(&wrong).await.status, 400 | 404), "{on:?}");
        world.stop().await;
    }
}

/// every page of a tenant shows how to reach the help desk, in the same place: at the end.
#[actix_web::test]
async fn help_is_in_the_same_place_everywhere() {
    let world = World::new(On::Sqlite).await;
    let mut ada = Visitor::new(&world.url);
    let mut pages = vec![
        ada.get(&authorize(&world, "")).await,
        after_password(&world, &mut ada, "barbara", "not in the rollout").await,
        ada.get(&format!("{}/activate", world.base())).await,
        ada.get(&format!("{}/not-me/x", world.base())).await,
        // Pages that say what went wrong are where help is needed most.
        ada.get(&format!("{}/login/aaaaaaaaaaaaaaaaaaaaaaaaaa", world.base())).await,
        ada.get(&format!("{}/saml/sso", world.base())).await,
    ];
    let mut ada = Visitor::new(&world.url);
    let seen = to_platforms(&world, &mut ada).await;
    pages.push(seen.clone());
    pages.push(ada.press(&seen, "platform-oath_app", &[]).await);
    for page in pages {
        let help =
            page.find("footer .help").unwrap_or_else(|| panic!("no help on \"{}\" at {}", page.title(), page.url));
        assert!(help.contains("help@acme.test"), "{help}");
        let (card, _) = page.body.split_once("class=\"help\"").unwrap();
        assert!(card.contains("</main>"), "at the end of the page: {}", page.title());
    }
    world.stop().await;
}

/// a lock is told when it happens and when it is over, each once, and only where the tenant wants it.
#[actix_web::test]
async fn a_lock_is_told_at_its_beginning_and_its_end() {
    for (wanted, letters) in [(true, 1), (false, 0)] {
        let world = World::new(On::Sqlite).await;
        world
            .apply(&format!(
                "[[tenant]]\ncode = \"acme\"\n[tenant.lockout]\nthreshold = 2\nlock_seconds = 60\nalert_on_lock = {wanted}\n\
                 alert_on_unlock = {wanted}\n"
            ))
            .await;
        let counted = async |kind: &'static str| match kind {
            "locked" => world.number("SELECT COUNT(*) AS n FROM outbox WHERE kind = 'account_locked'").await,
            _ => world.number("SELECT COUNT(*) AS n FROM outbox WHERE kind = 'account_unlocked'").await,
        };
        for _ in 0..3 {
            after_password(&world, &mut Visitor::new(&world.url), "linus", "wrong").await;
            world.advance(10);
        }
        assert_eq!((counted("locked").await, counted("unlocked").await), (letters, 0), "R-329");
        world.advance(120);
        assert_eq!(counted("unlocked").await, 0, "R-330: not when the time is over");
        let mut linus = Visitor::new(&world.url);
        let seen = after_password(&world, &mut linus, "linus", "has a token already").await;
        let seen = linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{}", seen.body);
        assert_eq!(
            (counted("locked").await, counted("unlocked").await),
            (letters, letters),
            "R-330: at the next success"
        );
        world.stop().await;
    }
}

/// somebody else goes on with the same request, and what the first one proved is forgotten.
#[actix_web::test]
async fn switching_the_user_keeps_the_request() {
    let world = World::new(On::Sqlite).await;
    let mut browser = Visitor::new(&world.url);
    let offer = after_password(&world, &mut browser, "ada", PASSWORD).await;
    let seen = browser.press(&offer, "switch-user", &[]).await;
    assert_eq!(seen.title(), "Log in", "{}", seen.body);
    let seen = browser.press(&seen, "continue", &[("username", "linus")]).await;
    assert_eq!(seen.title(), "Enter your password", "what ada proved is not linus's: {}", seen.body);
    let seen = browser.press(&seen, "continue", &[("password", "has a token already")]).await;
    let seen = browser.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
    assert_eq!(code_of(&seen).1, "xyz", "the state of the first request");
    world.stop().await;
}

/// the template's values are copied into each token when its device completes, and a
/// changed template changes no token.
#[actix_web::test]
async fn a_template_counts_from_the_next_token_on() {
    let world = World::new(On::Sqlite).await;
    let (seen, first) = enroll(&world, &mut Visitor::new(&world.url)).await;
    assert!(!code_of(&seen).0.is_empty());
    let eight = "[tenant.token_template.oath_app]\nlength = 8\n[tenant.token_template.app]\nlength = 8\n";
    world.apply(&format!("[[tenant]]\ncode = \"acme\"\n{eight}")).await;
    world.advance(30);
    let mut ada = Visitor::new(&world.url);
    let page = after_password(&world, &mut ada, "ada", PASSWORD).await;
    let code = oathtool(&world, &first, "--totp=sha1", "6");
    let seen = ada.press(&page, "continue", &[("code", &code)]).await;
    assert!(!code_of(&seen).0.is_empty(), "R-200: {}", seen.body);
    // The next token has eight digits from the beginning. (The letters about the tokens are mails, too.)
    world.mail("ada@acme.test", 2).await;
    world.execute("UPDATE token SET state = ? WHERE enrolled_by = 'self'", "revoked").await;
    world.advance(61);
    let mut ada = Visitor::new(&world.url);
    let page = to_platforms(&world, &mut ada).await;
    let seen = ada.press(&page, "platform-oath_app", &[]).await;
    let secret = seen.find("[data-activation-string]").unwrap().replace(' ', "");
    let short = ada.press(&seen, "continue", &[("code", "123456")]).await;
    assert!(short.complaint().contains('8'), "R-207: {}", short.complaint());
    let code = oathtool(&world, &secret, "--totp=sha1", "8");
    let seen = ada.press(&seen, "continue", &[("code", &code)]).await;
    assert!(!code_of(&seen).0.is_empty(), "R-199: {}", seen.body);
    world.mail("ada@acme.test", 4).await;
    // An activation that is open while the template changes: what counts is the moment at which the device completes it.
    world.execute("UPDATE token SET state = ? WHERE enrolled_by = 'self'", "revoked").await;
    world.advance(61);
    let mut ada = Visitor::new(&world.url);
    let page = to_platforms(&world, &mut ada).await;
    let seen = ada.press(&page, "platform-command_line", &[]).await;
    let string = seen.find("[data-activation-string]").unwrap();
    world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.token_template.app]\nlength = 6\n").await;
    let (exit, out) = activate(string).await;
    assert_eq!(exit, 0, "{out}");
    let seen = ada.press(&seen, "check-now", &[]).await;
    let long = ada.press(&seen, "continue", &[("code", "12345678")]).await;
    assert!(long.complaint().contains('6'), "R-201: {}", long.complaint());
    world.stop().await;
}

/// whoever cancels an activation in one tab sees the other tab move on by itself, and the device
/// that comes too late is refused.
#[actix_web::test]
async fn a_cancelled_activation_is_gone_on_every_page_at_once() {
    for on in BOTH {
        let world = World::new(on).await;
        for action in ["change-platform", "cancel"] {
            let mut ada = Visitor::new(&world.url);
            let page = to_platforms(&world, &mut ada).await;
            let seen = ada.press(&page, "platform-command_line", &[]).await;
            let string = seen.find("[data-activation-string]").unwrap();
            let address = scraper::Html::parse_document(&seen.body)
                .select(&scraper::Selector::parse("[data-events]").unwrap())
                .next()
                .and_then(|waiting| waiting.attr("data-events").map(str::to_owned))
                .unwrap();
            let cookies: Vec<String> = ada.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let other =
                reqwest::Client::new().get(format!("{}{address}", world.url)).header("cookie", cookies.join("; "));
            let mut events = other.send().await.unwrap();
            // The other tab waits, and hears nothing for as long as nothing happens.
            let quiet = tokio::time::timeout(std::time::Duration::from_millis(1500), events.chunk()).await;
            assert!(quiet.is_err() || quiet.unwrap().unwrap().unwrap().starts_with(b":"), "{on:?}");
            ada.press(&seen, action, &[]).await;
            let heard = tokio::time::timeout(std::time::Duration::from_secs(5), async {
                while let Some(part) = events.chunk().await.unwrap() {
                    if part.starts_with(b"event: changed") {
                        return true;
                    }
                }
                false
            });
            assert!(heard.await.unwrap_or(false), "{on:?} R-166: {action}");
            let (exit, out) = activate(string).await;
            assert!(exit == 3 && !out.contains("act.used"), "{on:?} R-115, R-116: {action}: {exit} {out}");
            world.advance(61);
        }
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM token WHERE enrolled_by = 'self'").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// Waits at the page's line for news, at most four seconds.
async fn hears_of(world: &World, visitor: &Visitor, page: &Seen, meanwhile: impl AsyncFnOnce()) -> bool {
    let address = scraper::Html::parse_document(&page.body)
        .select(&scraper::Selector::parse("[data-events]").unwrap())
        .next()
        .and_then(|waiting| waiting.attr("data-events").map(str::to_owned))
        .expect("a page that waits");
    let cookies: Vec<String> = visitor.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let line = reqwest::Client::new().get(format!("{}{address}", world.url)).header("cookie", cookies.join("; "));
    let mut events = line.send().await.unwrap();
    meanwhile().await;
    let heard = tokio::time::timeout(std::time::Duration::from_secs(4), async {
        while let Some(part) = events.chunk().await.unwrap() {
            if part.starts_with(b"event: changed") {
                return true;
            }
        }
        false
    });
    heard.await.unwrap_or(false)
}

/// U12: the page that waits moves on when its activation was replaced in another tab, and when it is over.
#[actix_web::test]
async fn the_page_hears_that_its_activation_is_over() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let page = to_platforms(&world, &mut ada).await;
        let page = ada.press(&page, "platform-ios", &[]).await;
        let string = page.find("[data-activation-string]").unwrap();
        assert!(!hears_of(&world, &ada, &page, async || {}).await, "{on:?}: nothing happens");
        let expires = async || world.advance(10 * 60 + 1);
        assert!(hears_of(&world, &ada, &page, expires).await, "{on:?} R-148: the end");
        let over = ada.get(&page.url).await;
        assert!(over.has_action("renew") && over.find("[data-events]").is_none(), "{on:?}: {}", over.body);
        let fresh = ada.press(&over, "renew", &[]).await;
        assert_ne!(fresh.find("[data-activation-string]"), Some(string), "{on:?}");
        // Another tab asks for a new one while this one shows the one before.
        world.advance(1);
        let replaced = ada.press(&over, "renew", &[]).await;
        assert!(hears_of(&world, &ada, &fresh, async || {}).await, "{on:?} R-166: replaced");
        assert!(!hears_of(&world, &ada, &replaced, async || {}).await, "{on:?}: nothing happens");
        world.stop().await;
    }
}

/// What is kept of the handshake of the only activation; `None` if nothing is.
async fn kept_of_handshake(world: &World) -> Option<serde_json::Value> {
    use vestibule::keys::sealing::Place;
    let sealed =
        world.column("SELECT HEX(handshake_sealed) AS it FROM activation WHERE handshake_sealed IS NOT NULL").await;
    let sealed = data_encoding::HEXUPPER.decode(sealed.first()?.as_bytes()).unwrap();
    let id = world.text("SELECT id AS t FROM activation").await.parse().unwrap();
    let id: vestibule::domain::ids::ActivationId = id;
    let place = Place::new(world.tenant().await, "activation", "handshake_sealed", id);
    let opened = world.site.house.sealer.open(place, &sealed).unwrap();
    Some(serde_json::from_slice(opened.expose()).unwrap())
}

/// R-347, part B2, K13: the secret of an authenticator is nowhere but in its token. What the server keeps to repeat an answer
/// has no OTP secret once the device has confirmed, no key for calls once the token is born, and is gone once it is void.
#[actix_web::test]
async fn an_activation_keeps_no_secret_of_its_token() {
    for on in BOTH {
        for cancelled in [false, true] {
            let world = World::new(on).await;
            let mut ada = Visitor::new(&world.url);
            let page = to_platforms(&world, &mut ada).await;
            let page = ada.press(&page, "platform-command_line", &[]).await;
            let device = Device::new(&page.find("[data-activation-string]").unwrap(), "command_line");
            let (status, claimed) = device.claim().await;
            assert_eq!(status, 200, "{claimed}");
            let kept = kept_of_handshake(&world).await.expect("the answer, to be repeated");
            assert_eq!(kept["otp_secret"].as_array().unwrap().len(), 32, "{on:?}");
            if cancelled {
                ada.press(&page, "cancel", &[]).await;
                assert_eq!(kept_of_handshake(&world).await, None, "{on:?}");
                assert_eq!(device.confirmed(&claimed).await.1["code"], "act.expired", "{on:?}");
                world.stop().await;
                continue;
            }
            let (status, secret) = device.confirm(&claimed).await;
            assert_eq!(status, 200, "{on:?}");
            let kept = kept_of_handshake(&world).await.unwrap();
            let empty = |name: &str| kept[name].as_array().unwrap().is_empty();
            assert_eq!((empty("otp_secret"), empty("calls")), (true, false), "{on:?} R-347");
            let seen = ada.get(&page.url).await;
            let code = oathtool(&world, &secret, "--totp=sha256", "6");
            let seen = ada.press(&seen, "continue", &[("code", &code)]).await;
            assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
            let kept = kept_of_handshake(&world).await.unwrap();
            assert!(["otp_secret", "calls"].iter().all(|name| kept[*name].as_array().unwrap().is_empty()), "{on:?}");
            assert_eq!(world.number("SELECT COUNT(*) AS n FROM token_call_key").await, 1, "{on:?}");
            let (status, answer) = device.confirmed(&claimed).await;
            assert_eq!((status, answer["mac"].as_str()), (200, Some(&*device.server_mac(&claimed))), "{on:?} K13");
            world.stop().await;
        }
    }
}

/// an activation that locks while a device is about to confirm forgets what was agreed with it, and nothing before.
#[actix_web::test]
async fn an_activation_that_locks_forgets_what_was_agreed() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let page = to_platforms(&world, &mut ada).await;
        let page = ada.press(&page, "platform-command_line", &[]).await;
        let device = Device::new(&page.find("[data-activation-string]").unwrap(), "command_line");
        let (status, claimed) = device.claim().await;
        assert_eq!(status, 200, "{on:?}: {claimed}");
        let address = format!("{}/api/authenticator/v1/activation/confirm", world.base());
        let guess = serde_json::json!({ "activation": device.hello.activation.to_string(), "mac": "A".repeat(43) });
        for number in 1..=10 {
            let answer = reqwest::Client::new().post(&address).json(&guess).send().await.unwrap();
            assert!(answer.status().is_client_error(), "{on:?} {number}: {}", answer.status());
            assert_eq!(kept_of_handshake(&world).await.is_some(), number < 10, "{on:?} {number}");
        }
        assert_eq!(world.events("activation_locked").await, 1, "{on:?}");
        assert_ne!(device.confirmed(&claimed).await.0, 200, "{on:?}: not with the right one either");
        world.stop().await;
    }
}

/// the short form that the page shows is typed as people type, with the server's name, and connects the same device.
#[actix_web::test]
async fn the_short_form_is_typed_by_hand() {
    let world = World::new(On::Sqlite).await;
    let mut ada = Visitor::new(&world.url);
    let page = to_platforms(&world, &mut ada).await;
    let seen = ada.press(&page, "platform-command_line", &[]).await;
    assert!(seen.find("main").unwrap().contains(&world.base()), "the server to type");
    let strings = scraper::Html::parse_document(&seen.body);
    let selector = scraper::Selector::parse("p.string:not([data-activation-string])").unwrap();
    let short: String = strings.select(&selector).next().unwrap().text().collect();
    drop(strings);
    assert!(short.split('-').all(|group| group.len() == 4) && short.len() == 69, "grouped: {short}");
    let typed = async |text: String| {
        let base = world.base();
        let run = move || {
            let store = tempfile::tempdir().unwrap();
            story::app(store.path(), &["activate", "--server", &base, &text])
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    };
    // One wrong character is found before anything is sent.
    let other = if short.starts_with('A') { 'C' } else { 'A' };
    let before = world.number("SELECT COUNT(*) AS n FROM throttle").await;
    let (exit, out) = typed(format!("{other}{}", &short[1..])).await;
    assert!(exit != 0, "{out}");
    assert_eq!(world.number("SELECT COUNT(*) AS n FROM throttle").await, before, "check characters: {out}");
    let (exit, out) = typed(short.to_lowercase().replace('-', " ")).await;
    assert_eq!(exit, 0, "{out}");
    world.stop().await;
}

/// wrong passwords and wrong passcodes have a switch each.
#[actix_web::test]
async fn each_kind_of_failure_has_its_switch() {
    for (passwords, passcodes) in [(true, false), (false, true)] {
        let world = World::new(On::Sqlite).await;
        world
            .apply(&format!(
                "[[tenant]]\ncode = \"acme\"\n[tenant.lockout]\nthreshold = 1\ncount_passwords = {passwords}\n\
                 count_passcodes = {passcodes}\n"
            ))
            .await;
        for _ in 0..2 {
            let mut linus = Visitor::new(&world.url);
            let seen = linus.get(&authorize(&world, "")).await;
            let seen = linus.press(&seen, "continue", &[("username", "linus")]).await;
            linus.press(&seen, "continue", &[("password", "wrong")]).await;
            world.advance(31);
        }
        assert_eq!(world.events("account_locked").await > 0, passwords, "wrong passwords");
        world.advance(3600);
        let locked = world.events("account_locked").await;
        let mut linus = Visitor::new(&world.url);
        let page = after_password(&world, &mut linus, "linus", "has a token already").await;
        for _ in 0..2 {
            let wrong = if passcode_of_linus(&world) == "000000" { "000001" } else { "000000" };
            linus.press(&page, "continue", &[("code", wrong)]).await;
            world.advance(31);
        }
        assert_eq!(world.events("account_locked").await > locked, passcodes, "wrong passcodes");
        world.stop().await;
    }
}

/// changes at the same moment do not get lost: each is made as it was asked for, or says that somebody else was first.
#[actix_web::test]
async fn changes_at_the_same_moment_do_not_get_lost() {
    for on in BOTH {
        let world = World::new(on).await;
        let before = world.events("tenant_changed").await;
        let wanted =
            (0..8).map(|n| format!("[[tenant]]\ncode = \"acme\"\nhelp_contact = \"desk {n}\"\n")).collect::<Vec<_>>();
        let done = futures_util::future::join_all(wanted.iter().map(|file| world.try_apply(file))).await;
        let made = done.iter().filter(|done| done.is_ok()).count();
        assert!(made > 0, "{on:?}: {done:?}");
        for error in done.iter().filter_map(|done| done.as_ref().err()) {
            assert!(error.contains("somebody else changed it at the same moment"), "{on:?}: {error}");
        }
        let events = world.events("tenant_changed").await - before;
        assert_eq!(events, i64::try_from(made).unwrap(), "{on:?}: one event for each that was made");
        world.stop().await;
    }
}
