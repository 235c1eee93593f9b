//! What people do with their own authenticators: rename, replace, add, lose and remove them in the portal, and renew them
//! when operators ask for it. On both databases.

use crate::abuse::{Device, acme};
use crate::relying_party::{self, Rp, SECRET, application};
use crate::story::{self, after_password, code_of, oathtool, passcode_of_linus, to_platforms};
use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, On, World};

const PASSWORD: &str = "has a token already";
const STATES: &str = "SELECT state AS it FROM token ORDER BY enrolled_at";

/// Logs Linus in to the portal.
pub async fn portal(world: &World, linus: &mut Visitor) -> Seen {
    let seen = linus.get(&format!("{}/", world.base())).await;
    let seen = linus.press(&seen, "continue", &[("username", "linus")]).await;
    let seen = linus.press(&seen, "continue", &[("password", PASSWORD)]).await;
    let seen = linus.press(&seen, "continue", &[("code", &passcode_of_linus(world))]).await;
    assert!(seen.body.contains("Your authenticators"), "{}", seen.body);
    seen
}

/// The page of the authenticator number `place` on a page of the portal.
async fn manage(linus: &mut Visitor, seen: &Seen, place: usize) -> Seen {
    let part = seen.body.split("href=\"").filter(|part| part.contains("/portal/tokens/")).nth(place).unwrap();
    linus.get(part.split('"').next().unwrap()).await
}

/// From the page that explains why another authenticator is added to its first passcode; gives its secret.
pub async fn enroll(world: &World, linus: &mut Visitor, seen: &Seen) -> (Seen, String) {
    let seen = linus.press(seen, "add-authenticator", &[]).await;
    assert!(seen.title().starts_with("Where do you want"), "no mailbox is asked for: {}", seen.title());
    let seen = linus.press(&seen, "platform-oath_app", &[]).await;
    let secret = seen.find("[data-activation-string]").unwrap().replace(' ', "");
    let code = oathtool(world, &secret, "--totp=sha1", "6");
    (linus.press(&seen, "continue", &[("code", &code)]).await, secret)
}

/// Whoever is asked to enroll again may do it tomorrow, where operators allow it; then the new authenticator replaces the
/// old one on its first passcode, in the login.
#[actix_web::test]
async fn an_authenticator_is_renewed_in_a_login() {
    for on in BOTH {
        let world = World::new(on).await;
        let listed = world.command(&["token", "list", "--user", "linus"]);
        let serial = listed.split('\t').next().unwrap();
        world.command(&["template", "ask-again", serial]);
        world.advance(1);
        let mut linus = Visitor::new(&world.url);
        let page = after_password(&world, &mut linus, "linus", PASSWORD).await;
        let seen = linus.press(&page, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert_eq!(seen.title(), "Renew your authenticator", "{on:?}");
        let seen = linus.press(&seen, "later", &[]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        assert_eq!(world.events("renewal_postponed").await, 1);
        // Not again on the same day.
        world.advance(3600);
        let mut linus = Visitor::new(&world.url);
        let page = after_password(&world, &mut linus, "linus", PASSWORD).await;
        let seen = linus.press(&page, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        // The day after, and now it may not wait.
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.tokens]\nrenewal_may_wait = false\n").await;
        world.advance(86_400);
        let mut linus = Visitor::new(&world.url);
        let page = after_password(&world, &mut linus, "linus", PASSWORD).await;
        let seen = linus.press(&page, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert_eq!(seen.title(), "Renew your authenticator", "{on:?}");
        assert!(!seen.has_action("later"), "{on:?}");
        let (address, fields) = seen.form("add-authenticator");
        let later = address.replace("add-authenticator", "later");
        assert_eq!(linus.post(&later, &fields).await.status, 403, "{on:?}: nor by asking for its address");
        // Until the new one has given its first passcode the old one is as it was.
        assert_eq!(world.column(STATES).await, ["active"], "{on:?}");
        let (seen, secret) = enroll(&world, &mut linus, &seen).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        assert_eq!(world.column(STATES).await, ["revoked", "active"], "{on:?}");
        assert_eq!(world.text("SELECT state_reason AS t FROM token WHERE state = 'revoked'").await, "replaced");
        assert_eq!(world.text("SELECT enrolled_by AS t FROM token WHERE state = 'active'").await, "portal", "R-355");
        // The new one works and is not to be renewed.
        world.advance(30);
        let mut linus = Visitor::new(&world.url);
        let page = after_password(&world, &mut linus, "linus", PASSWORD).await;
        let code = oathtool(&world, &secret, "--totp=sha1", "6");
        let seen = linus.press(&page, "continue", &[("code", &code)]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        world.stop().await;
    }
}

/// names are the owner's, and unique; somebody else's token is not to be found.
#[actix_web::test]
async fn an_authenticator_gets_a_name() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut linus = Visitor::new(&world.url);
        let home = portal(&world, &mut linus).await;
        let page = manage(&mut linus, &home, 0).await;
        let seen = linus.press(&page, "rename", &[("name", " Blue key ")]).await;
        assert!(seen.body.contains("The name is saved") && seen.body.contains("<h1>Blue key</h1>"), "{}", seen.body);
        let seen = linus.press(&page, "rename", &[("name", "  ")]).await;
        assert!(seen.complaint().contains("1 to 200"), "{on:?}: {}", seen.complaint());
        let seen = linus.press(&page, "rename", &[("name", "<b>&amp;")]).await;
        assert!(!seen.body.contains("<b>"), "{on:?}: a name is text");
        assert_eq!(world.text("SELECT name AS t FROM token").await, "<b>&amp;", "{on:?}");
        let (address, fields) = page.form("rename");
        let foreign = address.replace("/rename", "x/rename");
        let seen = linus.post(&foreign, &[fields, vec![("name".to_owned(), "mine".to_owned())]].concat()).await;
        assert!(seen.status >= 400, "{on:?}: not an identifier");
        let id = address.split('/').rev().nth(1).unwrap();
        let foreign = address.replace(id, &"a".repeat(26));
        let (_, fields) = page.form("rename");
        linus.post(&foreign, &[fields, vec![("name".to_owned(), "mine".to_owned())]].concat()).await;
        assert_eq!(world.text("SELECT name AS t FROM token").await, "<b>&amp;", "{on:?}");
        let old = "SELECT COUNT(*) AS n FROM audit_event WHERE action = 'token_renamed'";
        assert_eq!(world.number(old).await, 2, "{on:?}");
        world.stop().await;
    }
}

/// who looks at the pages of the portal has logged in once; with another session it is once more.
#[actix_web::test]
async fn looking_around_in_the_portal_is_one_access() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut linus = Visitor::new(&world.url);
        let home = portal(&world, &mut linus).await;
        for _ in 0..3 {
            manage(&mut linus, &home, 0).await;
            linus.get(&format!("{}/", world.base())).await;
        }
        let entries = "SELECT COUNT(*) AS n FROM access_log WHERE result = 'success'";
        assert_eq!(world.number(entries).await, 1, "{on:?}");
        // Whoever has the cookie and comes from elsewhere is seen.
        let cookies: Vec<String> = linus.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let afar = reqwest::Client::builder().local_address(std::net::IpAddr::from([127, 0, 0, 2])).build().unwrap();
        let seen = afar.get(format!("{}/", world.base())).header("cookie", cookies.join("; ")).send().await.unwrap();
        assert!(seen.text().await.unwrap().contains("Your authenticators"), "{on:?}");
        assert_eq!(world.number(entries).await, 2, "{on:?}");
        world.advance(31);
        portal(&world, &mut Visitor::new(&world.url)).await;
        assert_eq!(world.number(entries).await, 3, "{on:?}");
        world.stop().await;
    }
}

/// R-358, T-09: a device is replaced after a passcode of the old one, in a login of its own; sessions go on.
#[actix_web::test]
async fn a_device_is_replaced_in_the_portal() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut linus = Visitor::new(&world.url);
        let home = portal(&world, &mut linus).await;
        let page = manage(&mut linus, &home, 0).await;
        world.advance(30);
        let seen = linus.press(&page, "replace", &[]).await;
        assert_eq!(seen.title(), "Enter your password", "{on:?}: who is here is proven anew");
        let seen = linus.press(&seen, "continue", &[("password", PASSWORD)]).await;
        let seen = linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert_eq!(seen.title(), "Replace your device", "{on:?}");
        let (seen, _) = enroll(&world, &mut linus, &seen).await;
        assert!(seen.body.contains("Your authenticators"), "{on:?}: back in the portal: {}", seen.body);
        assert_eq!(world.column(STATES).await, ["revoked", "active"], "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM sso_session WHERE ended_at IS NULL").await, 1, "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM token WHERE secret_sealed IS NOT NULL").await, 1);
        world.mail("linus@acme.test", 1).await;
        world.stop().await;
    }
}

/// one more authenticator after a passcode of an old one, up to two, each with a name of its own.
#[actix_web::test]
async fn another_authenticator_is_added_up_to_the_limit() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut linus = Visitor::new(&world.url);
        let home = portal(&world, &mut linus).await;
        world.advance(30);
        let seen = linus.press(&home, "add", &[]).await;
        let seen = linus.press(&seen, "continue", &[("password", PASSWORD)]).await;
        let page = linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert_eq!(page.title(), "Add another authenticator", "{on:?}");
        let (home, _) = enroll(&world, &mut linus, &page).await;
        assert_eq!(world.column(STATES).await, ["active", "active"], "{on:?}");
        assert!(home.body.contains("at most 2 authenticators") && !home.has_action("add"), "{on:?}: {}", home.body);
        // A second login that was begun before the limit was reached.
        world.execute("UPDATE token SET state = ? WHERE enrolled_by = 'portal'", "suspended").await;
        let page = linus.get(&format!("{}/", world.base())).await;
        assert!(!page.has_action("add"), "{on:?}: a stopped one counts");
        world.command(&["token", "list"]);
        world.stop().await;
    }
}

/// a standard app says no name of its own. Two of them are not told apart by a number without a name, and pages say what
/// they are.
#[actix_web::test]
async fn standard_apps_need_no_name() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&acme("[tenant.tokens]\nmax_per_user = 3\n")).await;
        let mut linus = Visitor::new(&world.url);
        let mut home = portal(&world, &mut linus).await;
        for number in 1..=2 {
            world.advance(30);
            let seen = linus.press(&home, "add", &[]).await;
            let asked = linus.press(&seen, "continue", &[("password", PASSWORD)]).await;
            let listed = asked.find(".plan").unwrap_or_default();
            assert_eq!(listed.contains("Another authenticator app"), number == 2, "{on:?}: {}", asked.body);
            let page = linus.press(&asked, "continue", &[("code", &passcode_of_linus(&world))]).await;
            (home, _) = enroll(&world, &mut linus, &page).await;
        }
        let names = world.column("SELECT name AS it FROM token WHERE enrolled_by = 'portal'").await;
        assert_eq!(names, ["", ""], "{on:?}");
        assert!(!home.body.contains("(2)"), "{on:?}: {}", home.body);
        world.stop().await;
    }
}

/// The mail about an authenticator that is gone says which, when, from where, and what to do; there is one, in the
/// person's own language.
async fn is_told(world: &World, subject: &str, name: &str) {
    assert_eq!(world.letters("linus@acme.test", subject).await, 1, "{subject}");
    let mail = world.mail.to("linus@acme.test").into_iter().find(|mail| mail.subject() == subject).unwrap();
    let serial = world.text("SELECT serial AS t FROM token WHERE state <> 'active'").await;
    for text in [mail.text(), mail.html()] {
        for part in [name, &serial, &world.clock_now().rfc3339()[..10], "127.0.0.1", "help@acme.test", "Helpdesk"] {
            assert!(text.contains(part), "{subject}: {part} is not in it: {text}");
        }
    }
}

/// what is lost stops at once, and the page says where to go; whoever has lost it is logged out everywhere. Its owner
/// gets a mail: a stolen session could have said so (NIST SP 800-63B 4.6).
#[actix_web::test]
async fn a_lost_authenticator_stops_at_once() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut linus = Visitor::new(&world.url);
        let home = portal(&world, &mut linus).await;
        let page = manage(&mut linus, &home, 0).await;
        let page = linus.press(&page, "rename", &[("name", "Blue key")]).await;
        assert!(page.body.contains("The help desk can let it work again"), "R-359 {on:?}");
        let question = linus.get(&page.link("lost")).await;
        assert_eq!(question.title(), "Have you lost this authenticator?", "{on:?}: it is asked first");
        assert!(question.body.contains("you are logged out everywhere"), "{on:?}: {}", question.body);
        assert!(question.body.contains("only authenticator that works"), "{on:?}: {}", question.body);
        let back = linus.get(&question.link("back")).await;
        assert!(back.has_action("rename"), "{on:?}: {}", back.body);
        assert_eq!(world.column(STATES).await, ["active"], "{on:?}: nothing was done yet");
        world.execute("UPDATE user_account SET language = ? WHERE username = 'linus'", "de").await;
        let seen = linus.press(&question, "yes-lost", &[]).await;
        assert!(seen.body.contains("Der Authenticator ist gestoppt"), "{on:?}: {}", seen.body);
        is_told(&world, "Ein Authenticator wurde als verloren gemeldet", "Blue key").await;
        assert_eq!(linus.get(&seen.link("home")).await.title(), "Log in", "{on:?}");
        assert_eq!(world.column(STATES).await, ["suspended"], "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM sso_session WHERE ended_at IS NULL").await, 0, "{on:?}");
        let seen = after_password(&world, &mut Visitor::new(&world.url), "linus", PASSWORD).await;
        assert!(!seen.has_action("add-authenticator") && seen.body.contains("help@acme.test"), "R-083 {on:?}");
        world.stop().await;
    }
}

/// P2, R-521: what cannot be undone wants fresh proofs; the only authenticator is removed with a warning, and its owner gets a mail
/// (NIST SP 800-63B 4.6). R-511, INV-11: what was granted with its passcodes ends with it, also what was to outlive the session,
/// and of a session that is over.
#[actix_web::test]
async fn an_authenticator_is_removed_with_fresh_proofs_only() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&application("app", &format!("{SECRET}refresh_tokens = true\n"))).await;
        let app = Rp::new(&world, "app");
        let mut earlier = relying_party::linus(&world).await;
        let over = app.tokens(&mut earlier, "openid offline_access", "").await.text("refresh_token");
        let seen = earlier.get(&format!("{}/", world.base())).await;
        earlier.press(&seen, "log-out", &[]).await;
        let mut linus = Visitor::new(&world.url);
        let home = portal(&world, &mut linus).await;
        let away = app.tokens(&mut linus, "openid offline_access", "").await.text("refresh_token");
        let page = manage(&mut linus, &home, 0).await;
        assert!(page.body.contains("only authenticator that works"), "{on:?}");
        let early = linus.get(&page.link("remove")).await;
        world.advance(601);
        let seen = linus.press(&early, "yes-remove", &[]).await;
        assert_eq!(seen.title(), "Enter your password", "{on:?}");
        let seen = linus.get(&page.link("remove")).await;
        assert_eq!(seen.title(), "Enter your password", "{on:?}: the question comes after the proofs");
        assert_eq!(world.column(STATES).await, ["active"], "{on:?}");
        let seen = linus.press(&seen, "continue", &[("password", PASSWORD)]).await;
        let page = linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert!(page.has_action("remove"), "{on:?}: back at the page: {}", page.body);
        let (over, away) = (app.refresh(&over).await, app.refresh(&away).await);
        assert_eq!((over.status, away.status), (200, 200), "{on:?}: {} {}", over.text, away.text);
        let question = linus.get(&page.link("remove")).await;
        assert_eq!(question.title(), "Remove this authenticator?", "{on:?}");
        assert!(question.body.contains("only authenticator that works"), "{on:?}: {}", question.body);
        assert_eq!(world.column(STATES).await, ["active"], "{on:?}: nothing was done yet");
        world.execute("UPDATE user_account SET language = ? WHERE username = 'linus'", "de").await;
        let seen = linus.press(&question, "yes-remove", &[]).await;
        assert!(seen.body.contains("Der Authenticator ist entfernt"), "{on:?}: {}", seen.body);
        assert_eq!(world.column(STATES).await, ["revoked"], "{on:?}");
        is_told(&world, "Ein Authenticator wurde aus Ihrem Konto entfernt", "").await;
        for tokens in [over, away] {
            assert_eq!(app.refresh(&tokens.text("refresh_token")).await.error(), "invalid_grant", "{on:?}");
            assert_eq!(app.userinfo(&tokens.text("access_token")).await.status, 401, "{on:?}");
        }
        world.stop().await;
    }
}

/// T-09, R-520, R-083: where the portal asks for a password alone, that is not enough to get rid of an authenticator, whether it
/// works or is stopped: an application that asks for a passcode would then offer to enroll another one with the mailbox.
#[actix_web::test]
async fn a_password_alone_removes_no_authenticator() {
    for on in BOTH {
        let world = World::new(on).await;
        let policy =
            "[[tenant.access_policy]]\nname = \"Portal\"\napplications = [\"Portal\"]\nrequire = [\"password\"]\n";
        world.apply(&acme(policy)).await;
        let mut thief = Visitor::new(&world.url);
        for (state, lacking) in [("active", "Enter your passcode"), ("suspended", "Your authenticator cannot be used")]
        {
            let seen = thief.get(&format!("{}/", world.base())).await;
            let seen = if state == "active" {
                thief.press(&seen, "continue", &[("username", "linus")]).await
            } else {
                world.execute("UPDATE token SET state = ?", state).await;
                seen
            };
            let home = match seen.title().as_str() {
                "Enter your password" => thief.press(&seen, "continue", &[("password", PASSWORD)]).await,
                _ => seen,
            };
            assert!(home.body.contains("Your authenticators"), "{on:?}: {}", home.body);
            let page = manage(&mut thief, &home, 0).await;
            let (address, fields) = page.form("rename");
            let posted = thief.post(&address.replace("/rename", "/remove"), &fields).await;
            assert_eq!(posted.title(), "Enter your password", "{on:?} {state}: {}", posted.body);
            let asked = thief.get(&page.link("remove")).await;
            assert_eq!(asked.title(), "Enter your password", "{on:?} {state}: {}", asked.body);
            let asked = thief.press(&asked, "continue", &[("password", PASSWORD)]).await;
            assert_eq!(asked.title(), lacking, "{on:?} {state}: {}", asked.body);
            assert_eq!(world.column(STATES).await, [state], "{on:?}");
        }
        world.execute("UPDATE token SET state = ?", "active").await;
        // With a passcode it is removed.
        let home = thief.get(&format!("{}/", world.base())).await;
        let page = manage(&mut thief, &home, 0).await;
        let seen = thief.get(&page.link("remove")).await;
        let seen = thief.press(&seen, "continue", &[("password", PASSWORD)]).await;
        let page = thief.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
        let question = thief.get(&page.link("remove")).await;
        let seen = thief.press(&question, "yes-remove", &[]).await;
        assert!(seen.body.contains("The authenticator is removed"), "{on:?}: {}", seen.body);
        assert_eq!(world.column(STATES).await, ["revoked"], "{on:?}");
        world.stop().await;
    }
}

/// T-18: no form of these pages is taken without its proof.
#[actix_web::test]
async fn forms_about_authenticators_are_ours() {
    let world = World::new(On::Sqlite).await;
    let mut linus = Visitor::new(&world.url);
    let home = portal(&world, &mut linus).await;
    let page = manage(&mut linus, &home, 0).await;
    let lost = linus.get(&page.link("lost")).await;
    let remove = linus.get(&page.link("remove")).await;
    for (seen, action) in [(&page, "rename"), (&page, "replace"), (&lost, "yes-lost"), (&remove, "yes-remove")] {
        let (address, _) = seen.form(action);
        let forged = linus.post(&address, &[("csrf".to_owned(), "AAAA".to_owned())]).await;
        assert_eq!(forged.status, 403, "{action}");
    }
    let (address, _) = home.form("add");
    assert_eq!(linus.post(&address, &[("csrf".to_owned(), "AAAA".to_owned())]).await.status, 403);
    assert_eq!(world.column(STATES).await, ["active"]);
    world.stop().await;
}

/// K16: the token is there and the answer is not, and the process that made it is gone. Another one answers without another
/// passcode, as long as nothing about the account has changed; otherwise it is a login like any other, with a passcode.
#[actix_web::test]
async fn a_login_that_ended_after_the_token_goes_on_elsewhere() {
    for on in BOTH {
        for changed in [false, true] {
            let world = World::new(on).await;
            let mut ada = Visitor::new(&world.url);
            let seen = to_platforms(&world, &mut ada).await;
            let seen = ada.press(&seen, "platform-oath_app", &[]).await;
            let secret = seen.find("[data-activation-string]").unwrap().replace(' ', "");
            let (address, mut fields) = seen.form("continue");
            fields.push(("code".to_owned(), oathtool(&world, &secret, "--totp=sha1", "6")));
            let accepted = ada.once(reqwest::Method::POST, &address, Some(fields)).await;
            assert_eq!(world.number("SELECT COUNT(*) AS n FROM token WHERE enrolled_by = 'self'").await, 1, "{on:?}");
            let (second, _) = world.second().await;
            if changed {
                world.command(&["user", "disable", "ada"]);
                world.command(&["user", "enable", "ada"]);
            }
            let mut later = Visitor::new(&second);
            later.cookies.clone_from(&ada.cookies);
            let desk = accepted.headers["location"].to_str().unwrap().replace(&world.url, "");
            let seen = later.get(&desk).await;
            if changed {
                assert!(seen.leaves_to.is_none(), "{on:?}: {:?}", seen.leaves_to);
                world.advance(30);
                let mut ada = Visitor::new(&world.url);
                let page = after_password(&world, &mut ada, "ada", story::PASSWORD).await;
                let code = oathtool(&world, &secret, "--totp=sha1", "6");
                let seen = ada.press(&page, "continue", &[("code", &code)]).await;
                assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
            } else {
                assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
            }
            world.stop().await;
        }
    }
}

/// a device that has claimed an activation when an operator changes the template claims it anew, and gets what the
/// template says now; nobody else can claim it meanwhile. Asked again, because the answer was lost, it says the same.
#[actix_web::test]
async fn a_template_that_changes_in_mid_activation_counts() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let page = to_platforms(&world, &mut ada).await;
        let seen = ada.press(&page, "platform-command_line", &[]).await;
        let string = seen.find("[data-activation-string]").unwrap();
        let device = Device::new(&string, "command_line");
        let (status, first) = device.claim().await;
        assert_eq!(status, 200, "{on:?}: {first}");
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.token_template.app]\nlength = 8\n").await;
        for _ in 0..2 {
            let (status, told) = device.confirmed(&first).await;
            assert_eq!((status, &told["code"]), (409, &serde_json::json!("act.template_changed")), "{on:?}: {told}");
        }
        let other = Device::new(&string, "command_line");
        assert_eq!(other.claim().await.1["code"], "act.used", "{on:?}: another device");
        let (status, second) = device.claim().await;
        assert_eq!(status, 200, "{on:?}: {second}");
        assert!(second["parameters"].as_str().unwrap().contains("\"length\":8"), "{on:?}: {second}");
        assert_eq!(device.confirm(&second).await.0, 200, "{on:?}");
        assert!(world.text("SELECT template AS t FROM enrollment WHERE activated = 1").await.contains("\"length\":8"));
        world.stop().await;
    }
}
