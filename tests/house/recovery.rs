//! Whoever does not have the authenticator at hand: recovery codes, temporary codes, and the pass of the help desk for somebody
//! who has lost it. What an application is told is never more than was proven.

use futures_util::future::join_all;
use reqwest::Method;

use crate::abuse::Device;
use crate::gates::{self, enroll_from_offer, from_mail, set};
use crate::story::{PASSWORD, after_password, authorize, claims_of, code_of, oathtool, redeem};
use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, On, World};

const LINUS: &str = "has a token already";
const RECOVERY: &str = "urn:vestibule:amr:recovery";

/// The codes on a page that shows them.
fn codes_on(seen: &Seen) -> Vec<String> {
    let list = seen.find("[data-recovery-codes]").unwrap_or_else(|| panic!("no codes: {}", seen.body));
    list.split_whitespace().map(str::to_owned).collect()
}

/// ada enrolls and keeps her recovery codes; gives them and the secret of her authenticator.
async fn with_codes(world: &World, visitor: &mut Visitor) -> (Vec<String>, String) {
    set(world, "recovery_codes = true").await;
    let seen = after_password(world, visitor, "ada", PASSWORD).await;
    let (seen, secret) = enroll_from_offer(world, visitor, &seen).await;
    assert_eq!(seen.title(), "Keep your recovery codes", "{}", seen.body);
    let codes = codes_on(&seen);
    let seen = visitor.press(&seen, "continue", &[]).await;
    assert!(!code_of(&seen).0.is_empty(), "and on to the application: {}", seen.body);
    (codes, secret)
}

/// The page that takes a code, from the page that asks for a passcode.
async fn recovering(world: &World, name: &str, password: &str) -> (Visitor, Seen) {
    let mut visitor = Visitor::new(&world.url);
    let seen = after_password(world, &mut visitor, name, password).await;
    let seen = visitor.get(&format!("{}?recover=yes", seen.url)).await;
    (visitor, seen)
}

/// Recovery codes come with the authenticator, are shown once and kept as hashes; one lets in, once, and the application is
/// told the truth about it.
#[actix_web::test]
async fn a_recovery_code_lets_in_once_and_is_told_to_be_one() {
    for on in BOTH {
        let world = World::new(on).await;
        set(&world, "recovery_codes = true").await;
        let mut ada = Visitor::new(&world.url);
        let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
        let (seen, _) = enroll_from_offer(&world, &mut ada, &seen).await;
        let codes = codes_on(&seen);
        assert_eq!(codes.len(), 10, "{on:?}: {codes:?}");
        // A reload shows the same; the file has them, too; nothing of it is in the database in the clear.
        let again = ada.get(&seen.url).await;
        assert_eq!(codes_on(&again), codes, "{on:?}");
        let file = ada.get(&format!("{}/recovery-codes.txt", seen.url)).await;
        assert_eq!(file.headers["content-disposition"], "attachment; filename=\"recovery-codes.txt\"", "{on:?}");
        assert!(
            codes.iter().all(|code| file.body.contains(code)) && file.body.contains("ada"),
            "{on:?}: {}",
            file.body
        );
        for hash in world.column("SELECT code_hash AS it FROM recovery_code").await {
            assert!(codes.iter().all(|code| !hash.contains(&code.replace('-', ""))), "{on:?}");
        }
        let seen = ada.press(&again, "continue", &[]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM recovery_sheet").await, 0, "{on:?}: put away");
        // Without the authenticator.
        world.advance(31);
        let (mut away, page) = recovering(&world, "ada", PASSWORD).await;
        assert_eq!(page.title(), "Log in without your authenticator", "{on:?}: {}", page.body);
        let typed = codes[3].to_lowercase().replace('-', "");
        let seen = away.press(&page, "continue", &[("code", &typed)]).await;
        let (status, tokens) = redeem(&world, &code_of(&seen).0).await;
        assert_eq!(status, 200, "{on:?}: {tokens}");
        let claims = claims_of(&tokens);
        assert_eq!(claims["acr"], "urn:vestibule:acr:password", "{on:?}: {claims}");
        assert_eq!(claims["amr"], serde_json::json!(["pwd", RECOVERY]), "{on:?}: {claims}");
        assert_eq!(
            world.text("SELECT methods AS t FROM access_log ORDER BY at DESC LIMIT 1").await,
            "password recovery"
        );
        // It stood in for the passcode of that login only, and it is used up.
        let next = away.get(&authorize(&world, "")).await;
        assert_eq!(next.title(), "Enter your passcode", "{on:?}");
        let (mut again, page) = recovering(&world, "ada", PASSWORD).await;
        let seen = again.press(&page, "continue", &[("code", &codes[3])]).await;
        assert!(seen.complaint().contains("does not work"), "{on:?}: {}", seen.body);
        assert_eq!(seen.title(), "Log in without your authenticator", "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM recovery_code WHERE used_at IS NULL").await, 9, "{on:?}");
        for subject in ["New recovery codes", "A recovery code was used"] {
            assert_eq!(world.letters("ada@acme.test", subject).await, 1, "{on:?}: {subject}");
        }
        world.stop().await;
    }
}

/// R-506, RFC 9470: the passcode of the morning is no factor of a login in which a recovery code stood in for one, and none of a
/// login that was to be a new one.
#[actix_web::test]
async fn an_earlier_passcode_is_not_told_with_a_recovery_code() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let (codes, _) = with_codes(&world, &mut ada).await;
        let morning = world.clock_now().seconds();
        world.advance(1800);
        let seen = ada.get(&authorize(&world, "&prompt=login")).await;
        let seen = ada.press(&seen, "continue", &[("password", PASSWORD)]).await;
        let page = ada.get(&format!("{}?recover=yes", seen.url)).await;
        let seen = ada.press(&page, "continue", &[("code", &codes[0])]).await;
        let claims = claims_of(&redeem(&world, &code_of(&seen).0).await.1);
        assert_eq!(claims["acr"], "urn:vestibule:acr:password", "{on:?}: {claims}");
        assert_eq!(claims["amr"], serde_json::json!(["pwd", RECOVERY]), "{on:?}: {claims}");
        assert_eq!(claims["auth_time"], morning + 1800, "{on:?}: {claims}");
        assert_eq!(claims["authenticator"], serde_json::Value::Null, "{on:?}: {claims}");
        // The session has proven both, the older of them in the morning.
        let seen = ada.get(&authorize(&world, "&prompt=none")).await;
        let claims = claims_of(&redeem(&world, &code_of(&seen).0).await.1);
        assert_eq!(claims["acr"], "urn:vestibule:acr:mfa", "{on:?}: {claims}");
        assert!(claims["auth_time"].as_i64().expect("a time") <= morning, "{on:?}: {claims}");
        world.stop().await;
    }
}

/// Whoever has lost the authenticator adds another one with a recovery code, password and mailbox; the old one is suspended,
/// and what was open elsewhere ends (INV-11). The new one comes with new codes, and then the application is told of it.
#[actix_web::test]
async fn a_recovery_code_replaces_a_lost_authenticator() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut before = Visitor::new(&world.url);
        let (codes, old) = with_codes(&world, &mut before).await;
        world.advance(120);
        let (mut ada, page) = recovering(&world, "ada", PASSWORD).await;
        let mailed = world.codes("ada@acme.test").len();
        let seen = ada.press(&page, "replace", &[("code", &codes[0])]).await;
        let (seen, _) = from_mail(&world, &mut ada, &seen, mailed).await;
        assert_eq!(seen.title(), "Keep your recovery codes", "{on:?}: {}", seen.body);
        assert!(codes_on(&seen).iter().all(|code| !codes.contains(code)), "{on:?}: new ones");
        let seen = ada.press(&seen, "continue", &[]).await;
        let (_, tokens) = redeem(&world, &code_of(&seen).0).await;
        let claims = claims_of(&tokens);
        assert_eq!(claims["acr"], "urn:vestibule:acr:mfa", "{on:?}: {claims}");
        assert_eq!(claims["amr"], serde_json::json!(["pwd", "otp", RECOVERY, "mfa"]), "{on:?}: {claims}");
        assert_eq!(
            world.number("SELECT COUNT(*) AS n FROM token WHERE state = 'active' AND enrolled_by = 'self'").await,
            1
        );
        // Where the old one had opened a session, there is none any more; and its passcodes are worth nothing.
        let seen = before.get(&authorize(&world, "&prompt=none")).await;
        assert!(seen.leaves_to.expect("an answer").contains("error=login_required"), "{on:?}: T-11");
        world.advance(30);
        let mut thief = Visitor::new(&world.url);
        let seen = after_password(&world, &mut thief, "ada", PASSWORD).await;
        let stolen = oathtool(&world, &old, "--totp=sha1", "6");
        let seen = thief.press(&seen, "continue", &[("code", &stolen)]).await;
        assert!(seen.complaint().contains("was not accepted"), "{on:?}: {}", seen.body);
        world.stop().await;
    }
}

/// The authenticator that replaces a lost one may be our own app: a recovery code, and a pass, vouch for what the device claims
/// although the lost one still counts (T-09).
#[actix_web::test]
async fn our_own_app_replaces_a_lost_authenticator() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        let (codes, _) = with_codes(&world, &mut Visitor::new(&world.url)).await;
        world.advance(120);
        let (mut ada, page) = recovering(&world, "ada", PASSWORD).await;
        let mailed = world.codes("ada@acme.test").len();
        let seen = ada.press(&page, "replace", &[("code", &codes[0])]).await;
        let seen = gates::to_choice(&world, &mut ada, &seen, mailed).await;
        let seen = ada.press(&seen, "platform-command_line", &[]).await;
        let device = Device::new(&seen.find("[data-activation-string]").expect("a string"), "command_line");
        let (status, claimed) = device.claim().await;
        assert_eq!(status, 200, "{on:?}: {claimed}");
        let (status, secret) = device.confirm(&claimed).await;
        assert_eq!(status, 200, "{on:?}: {secret}");
        let seen = ada.get(&seen.url).await;
        let code = oathtool(&world, &secret, "--totp=sha256", "6");
        let seen = ada.press(&seen, "continue", &[("code", &code)]).await;
        assert_eq!(seen.title(), "Keep your recovery codes", "{on:?}: {}", seen.body);
        let states = world.column("SELECT state AS it FROM token WHERE enrolled_by = 'self' ORDER BY state").await;
        assert_eq!(states, ["active", "suspended"], "{on:?}");
        world.stop().await;
    }
}

/// An application that asks for the second factor by name gets a passcode or nothing: a recovery code leads to another
/// authenticator, and never to the level itself.
#[actix_web::test]
async fn an_application_that_names_a_level_is_not_content_with_a_recovery_code() {
    let world = World::new(On::Sqlite).await;
    let (codes, _) = with_codes(&world, &mut Visitor::new(&world.url)).await;
    world.advance(120);
    let mut ada = Visitor::new(&world.url);
    let seen = ada.get(&authorize(&world, "&acr_values=urn:vestibule:acr:mfa")).await;
    let seen = ada.press(&seen, "continue", &[("username", "ada")]).await;
    let seen = ada.press(&seen, "continue", &[("password", PASSWORD)]).await;
    let page = ada.get(&format!("{}?recover=yes", seen.url)).await;
    assert!(!page.has_action("continue") && page.has_action("replace"), "{}", page.body);
    let seen = ada.press(&page, "replace", &[("code", &codes[0]), ("then", "log-in")]).await;
    assert_eq!(seen.title(), "Enter the code from your email", "{}", seen.body);
    world.stop().await;
}

/// T-19, R-333, R-328: wrong codes lock like wrong passcodes, also at two doors and whoever tries; where the tenant gives out
/// no codes nobody is asked for one.
#[actix_web::test]
async fn wrong_codes_are_counted() {
    for on in BOTH {
        let world = World::new(on).await;
        let (_, page) = recovering(&world, "linus", LINUS).await;
        assert_eq!(page.title(), "Enter your passcode", "{on:?}: there are none");
        set(&world, "recovery_codes = true").await;
        let (mut visitor, page) = recovering(&world, "linus", LINUS).await;
        for _ in 0..4 {
            world.advance(31);
            visitor.press(&page, "continue", &[("code", "AAAAA-AAAAA")]).await;
        }
        assert_eq!(world.events("account_locked").await, 1, "{on:?}");
        assert_eq!(world.events("recovery_code_rejected").await, 4, "{on:?}");
        let empty = visitor.press(&page, "continue", &[("code", " ")]).await;
        assert_eq!(empty.title(), "Your account is locked", "{on:?}");
        world.stop().await;
    }
}

/// T-19: a recovery code by another name, while the account is locked, is answered like a wrong one and not used up.
#[actix_web::test]
async fn a_recovery_code_does_not_count_by_another_name() {
    for on in BOTH {
        let world = World::new(on).await;
        let (codes, _) = with_codes(&world, &mut Visitor::new(&world.url)).await;
        let both = "[tenant.login]\nemail = true\n[tenant.global_policy]\nrequire = [\"otp\"]";
        world.apply(&format!("[[tenant]]\ncode = \"acme\"\n{both}\n")).await;
        let tried = async |name: &str, code: &str| {
            let mut visitor = Visitor::new(&world.url);
            let seen = visitor.get(&authorize(&world, "")).await;
            let seen = visitor.press(&seen, "continue", &[("username", name)]).await;
            let page = visitor.get(&format!("{}?recover=yes", seen.url)).await;
            visitor.press(&page, "continue", &[("code", code)]).await
        };
        let wrong = tried("ada", "AAAAA-AAAAA").await.complaint();
        for _ in 0..3 {
            world.advance(61);
            tried("ada", "AAAAA-AAAAA").await;
        }
        assert_eq!(world.events("account_locked").await, 1, "{on:?}");
        assert_eq!(tried("ada@acme.test", &codes[0]).await.complaint(), wrong, "{on:?}");
        assert!(!wrong.is_empty() && world.events("recovery_code_used").await == 0, "{on:?}: {wrong}");
        world.command(&["user", "unlock", "ada"]);
        tried("ada@acme.test", &codes[0]).await;
        assert_eq!(world.events("recovery_code_used").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// the help desk gives temporary codes to somebody whose authenticator is suspended, each good for one login, for some
/// hours; they add no authenticator, and whoever has one that works gets none.
#[actix_web::test]
async fn temporary_codes_stand_in_for_a_while() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        let refused = world.refused(&["user", "temporary-code", "linus"]);
        assert!(refused.contains("has an authenticator that works"), "{on:?}: {refused}");
        world.execute("UPDATE token SET state = ? WHERE enrolled_by = 'import'", "suspended").await;
        let made = world.command(&["user", "temporary-code", "linus", "--hours", "2", "--count", "3", "--json"]);
        let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
        let codes: Vec<&str> =
            made["codes"].as_array().expect("codes").iter().filter_map(|code| code.as_str()).collect();
        assert_eq!(codes.len(), 3, "{on:?}");
        let mut linus = Visitor::new(&world.url);
        let seen = after_password(&world, &mut linus, "linus", LINUS).await;
        assert_eq!(seen.title(), "Your authenticator cannot be used", "{on:?}");
        assert!(seen.has_action("recover"), "{on:?}: {}", seen.body);
        let page = linus.get(&format!("{}?recover=yes", seen.url)).await;
        assert!(page.has_action("continue") && !page.has_action("replace"), "{on:?}: {}", page.body);
        let seen = linus.press(&page, "continue", &[("code", codes[0])]).await;
        let (_, tokens) = redeem(&world, &code_of(&seen).0).await;
        assert_eq!(claims_of(&tokens)["amr"], serde_json::json!(["pwd", RECOVERY]), "{on:?}");
        assert_eq!(world.events("temporary_code_used").await, 1, "{on:?}: R-360");
        // Void, too late, or used: none of them works.
        world.advance(3 * 3600);
        let (mut late, page) = recovering(&world, "linus", LINUS).await;
        assert_eq!(page.title(), "Your authenticator cannot be used", "{on:?}: nothing is asked for any more");
        let (address, mut fields) = page.form("return");
        fields.push(("code".to_owned(), codes[1].to_owned()));
        let seen = late.post(&address.replace("/cancel", "/recovery-code"), &fields).await;
        assert!(seen.leaves_to.is_none() && seen.status < 500, "{on:?}: {}", seen.body);
        let again = world.command(&["user", "temporary-code", "linus"]);
        world.command(&["user", "void-codes", "linus"]);
        fields.retain(|(name, _)| name != "code");
        fields.push(("code".to_owned(), again.lines().next().expect("a code").to_owned()));
        let seen = late.post(&address.replace("/cancel", "/recovery-code"), &fields).await;
        assert!(seen.leaves_to.is_none(), "{on:?}");
        assert_eq!(world.events("temporary_code_used").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// AC-03, T-09: somebody who has an authenticator and lost it gets another one with the pass of the help desk, and not with
/// the mailbox alone.
#[actix_web::test]
async fn a_pass_replaces_a_lost_authenticator_and_the_mailbox_alone_does_not() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        set(&world, "help_desk_pass = \"opens_gates\"").await;
        let mut ada = Visitor::new(&world.url);
        let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
        let (seen, _) = enroll_from_offer(&world, &mut ada, &seen).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}");
        world.advance(120);
        let (mut lost, page) = recovering(&world, "ada", PASSWORD).await;
        let (address, fields) = page.form("continue");
        let sneaky = lost.post(&address.replace("/recovery-code", "/add-authenticator"), &fields).await;
        assert_eq!(sneaky.status, 403, "{on:?}: AC-22: {}", sneaky.body);
        let seen = lost.press(&page, "continue", &[("code", &gates::pass(&world))]).await;
        assert_eq!(seen.title(), "Add an authenticator", "{on:?}: {}", seen.body);
        let (seen, _) = enroll_from_offer(&world, &mut lost, &seen).await;
        let (_, tokens) = redeem(&world, &code_of(&seen).0).await;
        assert_eq!(claims_of(&tokens)["amr"], serde_json::json!(["pwd", "otp", "mfa"]), "{on:?}");
        let states = world.column("SELECT state AS it FROM token WHERE enrolled_by = 'self' ORDER BY state").await;
        assert_eq!(states, ["active", "suspended"], "{on:?}");
        world.stop().await;
    }
}

/// at the portal one sees how many codes are left, and makes new ones with a passcode of the last minutes. R-535: the mail about
/// them speaks the person's own language.
#[actix_web::test]
async fn new_codes_at_the_portal_take_a_fresh_passcode() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let (codes, secret) = with_codes(&world, &mut ada).await;
        let portal = ada.get(&format!("{}/", world.base())).await;
        assert!(portal.has_action("recovery-codes"), "{on:?}: {}", portal.body);
        world.advance(600);
        let page = ada.get(&format!("{}/portal/recovery-codes", world.base())).await;
        assert!(page.body.contains("You have 10 codes left."), "{on:?}: {}", page.body);
        let seen = ada.press(&page, "new-codes", &[]).await;
        assert_eq!(seen.title(), "Enter your password", "{on:?}: step up: {}", seen.body);
        let seen = ada.press(&seen, "continue", &[("password", PASSWORD)]).await;
        assert_eq!(seen.title(), "Enter your passcode", "{on:?}: {}", seen.body);
        // A recovery code is no passcode here.
        let other = ada.get(&format!("{}?recover=yes", seen.url)).await;
        assert!(!other.has_action("continue"), "{on:?}: {}", other.body);
        let code = oathtool(&world, &secret, "--totp=sha1", "6");
        let page = ada.press(&seen, "continue", &[("code", &code)]).await;
        assert_eq!(page.title(), "Recovery codes", "{on:?}: and back: {}", page.body);
        world.execute("UPDATE user_account SET language = ? WHERE username = 'ada'", "de").await;
        let page = ada.press(&page, "new-codes", &[]).await;
        assert_eq!(world.letters("ada@acme.test", "Neue Wiederherstellungscodes").await, 1, "{on:?}");
        world.execute("UPDATE user_account SET language = ? WHERE username = 'ada'", "en").await;
        let fresh = codes_on(&page);
        assert!(fresh.len() == 10 && fresh.iter().all(|code| !codes.contains(code)), "{on:?}");
        let file = ada.get(&format!("{}/portal/recovery-codes.txt", world.base())).await;
        assert!(fresh.iter().all(|code| file.body.contains(code)), "{on:?}: {}", file.body);
        let page = ada.press(&page, "continue", &[]).await;
        assert!(page.has_action("new-codes") && !page.body.contains(&fresh[0]), "{on:?}: put away");
        let (mut away, page) = recovering(&world, "ada", PASSWORD).await;
        let seen = away.press(&page, "continue", &[("code", &codes[0])]).await;
        assert!(seen.complaint().contains("does not work"), "{on:?}: the old ones are void");
        world.advance(5);
        let seen = away.press(&seen, "continue", &[("code", &fresh[0])]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        // Somebody else's browser sees nothing.
        let stranger = Visitor::new(&world.url).get(&format!("{}/portal/recovery-codes", world.base())).await;
        assert_eq!(stranger.title(), "Log in", "{on:?}");
        world.stop().await;
    }
}

/// The link in the mail about a new authenticator, once ada has as many mails.
async fn not_me_link(world: &World, mails: usize) -> String {
    world.mail("ada@acme.test", mails).await;
    let texts: Vec<String> = world.mail.to("ada@acme.test").iter().map(|mail| mail.text()).collect();
    let mut lines = texts.iter().flat_map(|text| text.lines());
    lines.find(|line| line.contains("/not-me/")).expect("a link").trim().to_owned()
}

/// R-120, INV-11: the link stops an authenticator that is locked as well: the lock has ended nothing, and an operator would take it
/// away again.
#[actix_web::test]
async fn an_authenticator_that_is_locked_is_stopped_by_the_link() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut thief = Visitor::new(&world.url);
        let seen = after_password(&world, &mut thief, "ada", PASSWORD).await;
        let (seen, _) = enroll_from_offer(&world, &mut thief, &seen).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        let lock = "UPDATE token SET state = 'locked', lock_reason = ? WHERE enrolled_by = 'self'";
        world.execute(lock, "attempts").await;
        let living = "SELECT COUNT(*) AS n FROM sso_session WHERE ended_at IS NULL";
        assert_eq!(world.number(living).await, 1, "{on:?}");
        let mut ada = Visitor::new(&world.url);
        let question = ada.get(&not_me_link(&world, 2).await).await;
        let done = ada.press(&question, "not-me", &[]).await;
        assert!(done.body.contains("The authenticator is stopped"), "{on:?}: {}", done.body);
        assert_eq!(world.number(living).await, 0, "{on:?}");
        let state = "SELECT state AS t FROM token WHERE enrolled_by = 'self'";
        assert_eq!(
            (world.text(state).await.as_str(), world.events("token_suspended").await),
            ("suspended", 1),
            "{on:?}"
        );
        world.stop().await;
    }
}

/// INV-11: whatever stopped the authenticator before, the link ends what is open and voids the codes, as the page says:
/// whoever enrolled it may have stopped it, and the codes would count with the next one.
#[actix_web::test]
async fn the_link_does_the_rest_where_something_else_stopped_the_authenticator() {
    const STOPPED: [(&str, &str, &str); 3] = [
        ("UPDATE token SET state = 'locked', lock_reason = ? WHERE enrolled_by = 'self'", "pin", "locked"),
        ("UPDATE token SET state = 'suspended', state_reason = ? WHERE enrolled_by = 'self'", "lost", "suspended"),
        (
            "UPDATE token SET state = 'revoked', secret_sealed = NULL, disposition = ? WHERE enrolled_by = 'self'",
            "returned",
            "revoked",
        ),
    ];
    for on in BOTH {
        for (stop, why, state) in STOPPED {
            let world = World::new(on).await;
            with_codes(&world, &mut Visitor::new(&world.url)).await;
            let link = not_me_link(&world, 3).await;
            world.execute(stop, why).await;
            let living = "SELECT COUNT(*) AS n FROM sso_session WHERE ended_at IS NULL";
            let left = "SELECT COUNT(*) AS n FROM recovery_code";
            assert_eq!((world.number(living).await, world.number(left).await), (1, 10), "{on:?} {state}");
            let mut ada = Visitor::new(&world.url);
            let question = ada.get(&link).await;
            let done = ada.press(&question, "not-me", &[]).await;
            assert!(done.body.contains("everybody who was logged in"), "{on:?} {state}: {}", done.body);
            assert_eq!((world.number(living).await, world.number(left).await), (0, 0), "{on:?} {state}");
            assert_eq!(world.text("SELECT state AS t FROM token WHERE enrolled_by = 'self'").await, state, "{on:?}");
            let written = (world.events("access_disputed").await, world.events("recovery_codes_voided").await);
            assert_eq!(written, (1, 1), "{on:?} {state}");
            world.stop().await;
        }
    }
}

/// whoever else was there may have made the recovery codes, or read them. Once the person says so, in the portal or by the
/// link in the mail, none of them works any more.
#[actix_web::test]
async fn no_code_works_once_somebody_says_that_it_was_not_them() {
    for on in BOTH {
        for by_mail in [false, true] {
            let world = World::new(on).await;
            let mut ada = Visitor::new(&world.url);
            let (codes, _) = with_codes(&world, &mut ada).await;
            let (question, action) = if by_mail {
                (ada.get(&not_me_link(&world, 3).await).await, "not-me")
            } else {
                let page = ada.get(&format!("{}/portal/activity", world.base())).await;
                (ada.get(&page.link("dispute")).await, "yes-dispute")
            };
            assert!(question.body.contains("Your recovery codes stop working"), "{on:?}: {}", question.body);
            let left = "SELECT COUNT(*) AS n FROM recovery_code";
            let voided = "recovery_codes_voided";
            assert_eq!((world.number(left).await, world.events(voided).await), (10, 0), "{on:?} {by_mail}: asked");
            ada.press(&question, action, &[]).await;
            assert_eq!((world.number(left).await, world.events(voided).await), (0, 1), "{on:?} {by_mail}");
            // The authenticator that was not disputed works, so codes would be taken.
            if !by_mail {
                let (mut thief, page) = recovering(&world, "ada", PASSWORD).await;
                let seen = thief.press(&page, "continue", &[("code", &codes[0])]).await;
                assert!(seen.complaint().contains("does not work"), "{on:?}: {}", seen.body);
            }
            world.stop().await;
        }
    }
}

/// T-07: sixteen logins at two instances with one recovery code, and with one pass: one of them gets on.
#[actix_web::test]
async fn one_code_and_one_pass_are_good_for_one_login() {
    for on in BOTH {
        let world = World::at_this_time(on).await;
        let (codes, _) = with_codes(&world, &mut Visitor::new(&world.url)).await;
        world.advance(120);
        let (second, _) = world.second().await;
        set(&world, "help_desk_pass = \"opens_gates\"").await;
        tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
        for (code, event) in [(codes[0].clone(), "recovery_code_used"), (gates::pass(&world), "help_desk_pass_used")] {
            let mut waiting = Vec::new();
            for number in 0..16 {
                let (visitor, page) = recovering(&world, "ada", PASSWORD).await;
                waiting.push((visitor, page, number % 2 == 1));
            }
            let tries = waiting.into_iter().map(|(mut visitor, page, elsewhere)| {
                let (code, second) = (code.clone(), second.clone());
                async move {
                    let (address, mut fields) = page.form("continue");
                    fields.push(("code".to_owned(), code));
                    let address = if elsewhere { format!("{second}{address}") } else { address };
                    visitor.once(Method::POST, &address, Some(fields)).await.status
                }
            });
            let answers = join_all(tries).await;
            assert!(answers.iter().all(|status| matches!(status, 200 | 303)), "{on:?}: {answers:?}");
            assert_eq!(world.events(event).await, 1, "{on:?}: {event}");
            // The wrong tries of the race locked the name; that is another story.
            world.command(&["user", "unlock", "ada"]);
        }
        world.stop().await;
    }
}
