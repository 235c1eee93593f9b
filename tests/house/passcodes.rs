//! Passcodes of every kind: challenges, other alphabets, clocks that are off, forms that come twice, the portal's care.

use vestibule::domain::ids::UserId;
use vestibule::domain::oath::alphabet::Alphabet;
use vestibule::domain::oath::doctor::{PER_HOUR, Patient, examine};
use vestibule::domain::oath::ocra::{Input, Suite};
use vestibule::domain::oath::window::{Judged, Moving, Verdict, WindowSettings, judge};
use vestibule::domain::oath::{Algorithm, hotp, totp};
use vestibule::domain::secret::SecretBytes;
use vestibule::keys::sealing::Place;

use crate::story::{after_password, app, authorize, code_of, oathtool, to_platforms};
use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, On, World};

pub const PASSWORD: &str = "correct horse battery staple";
pub const BASE32: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
pub const OTHER32: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn secret(base32: &str) -> SecretBytes {
    SecretBytes::new(data_encoding::BASE32_NOPAD.decode(base32.as_bytes()).unwrap())
}

/// Somebody with these tokens; `settings` are tables of the virtual server.
pub async fn person(world: &World, name: &str, settings: &str, tokens: &[&str]) {
    let tokens: String =
        tokens.iter().map(|token| format!("[[tenant.user.token]]\ntype = \"oath_app\"\n{token}\n")).collect();
    let user =
        format!("[[tenant.user]]\nusername = \"{name}\"\nemail = \"{name}@acme.test\"\npassword = \"{PASSWORD}\"\n");
    world.apply(&format!("[[tenant]]\ncode = \"acme\"\n{settings}\n{user}{tokens}")).await;
}

pub fn token(base32: &str, more: &str) -> String {
    format!("secret_base32 = \"{base32}\"\n{more}")
}

async fn page_of(world: &World, visitor: &mut Visitor, name: &str) -> Seen {
    after_password(world, visitor, name, PASSWORD).await
}

/// The passcode of a time-based token with a clock that is off by so many seconds.
pub fn passcode(world: &World, base32: &str, off: i64) -> String {
    let at = vestibule::domain::timestamp::Timestamp::from_seconds(world.clock_now().seconds() + off);
    hotp::passcode(&secret(base32), Algorithm::Sha1, 6, totp::step_at(at, 30).unsigned_abs())
}

pub fn response(base32: &str, challenge: &str) -> String {
    let input = Input { question: challenge, ..Input::default() };
    Suite::of_token(Algorithm::Sha1, 6).response(&secret(base32), input).unwrap()
}

fn challenge_on(seen: &Seen) -> String {
    let challenge = seen.find("#challenge").unwrap_or_else(|| panic!("no challenge: {}", seen.body));
    assert!(challenge.len() == 8 && challenge.bytes().all(|b| b.is_ascii_digit()), "R-308: {challenge}");
    challenge
}

fn wrong(right: &str) -> &'static str {
    if right == "000000" { "000001" } else { "000000" }
}

/// a challenge is answered once, in its own login, within five minutes; a wrong response counts and
/// brings another challenge, and so does whoever asks for one, five times.
#[actix_web::test]
async fn a_challenge_is_answered_once_and_in_its_own_login() {
    for on in BOTH {
        let world = World::new(on).await;
        let answers = token(BASE32, "mode = \"challenge_response\"");
        person(&world, "grace", "[tenant.lockout]\nthreshold = 0\n", &[&answers]).await;
        let (mut grace, mut thief) = (Visitor::new(&world.url), Visitor::new(&world.url));
        let page = page_of(&world, &mut grace, "grace").await;
        assert_eq!(page.title(), "Answer the challenge", "{on:?}: {}", page.body);
        let first = challenge_on(&page);
        assert_eq!(challenge_on(&grace.get(&page.url).await), first, "the page shows the same one again");
        let theirs = page_of(&world, &mut thief, "grace").await;
        let other = challenge_on(&theirs);
        assert_ne!(first, other);
        // The response to the challenge of another login is none, whatever the form says.
        let seen = thief.press(&theirs, "continue", &[("response", &response(BASE32, &first))]).await;
        assert!(seen.complaint().contains("response was not accepted"), "{on:?}: {}", seen.body);
        assert_ne!(challenge_on(&seen), other, "a wrong response brings another challenge");
        let fields = [("response", response(BASE32, &first)), ("challenge", first.clone())];
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let seen = thief.press(&seen, "continue", &fields).await;
        assert!(seen.complaint().contains("too old or has been replaced"), "{on:?}: {}", seen.body);
        assert_eq!(world.events("passcode_rejected").await, 1, "what answers an old challenge is no attempt");
        // Another challenge makes the one before it void; there are five of them.
        let mut renewed = page.clone();
        for _ in 0..5 {
            renewed = grace.press(&renewed, "new-challenge", &[]).await;
            assert_eq!(renewed.title(), "Answer the challenge", "{on:?}");
        }
        assert!(!renewed.has_action("new-challenge"), "{on:?} R-311");
        let sixth = grace.press(&page, "new-challenge", &[]).await;
        assert!(sixth.complaint().contains("no more new challenges"), "{on:?}: {}", sixth.body);
        let last = challenge_on(&sixth);
        assert_ne!(last, first);
        let seen = grace.press(&page, "continue", &[("response", &response(BASE32, &first))]).await;
        assert!(seen.complaint().contains("too old or has been replaced"), "{on:?}: {}", seen.body);
        // Five minutes.
        world.advance(300);
        let seen = grace.press(&sixth, "continue", &[("response", &response(BASE32, &last))]).await;
        assert!(seen.complaint().contains("too old or has been replaced"), "{on:?} R-308: {}", seen.body);
        let fresh = challenge_on(&seen);
        let done = grace.press(&seen, "continue", &[("response", &response(BASE32, &fresh))]).await;
        assert!(!code_of(&done).0.is_empty(), "{on:?}: {}", done.body);
        assert_eq!(world.events("passcode_accepted").await, 1, "{on:?}");
        // A passcode is not what such a token has.
        let mut other = Visitor::new(&world.url);
        let page = page_of(&world, &mut other, "grace").await;
        let (address, mut fields) = page.form("continue");
        fields.push(("code".to_owned(), passcode(&world, BASE32, 0)));
        let seen = other.post(&address.replace("/response", "/passcode"), &fields).await;
        assert_eq!(seen.title(), "Answer the challenge", "{on:?}");
        assert_eq!(world.events("passcode_accepted").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// T-19: a right response by another name, while the account is locked, is answered like a wrong one.
#[actix_web::test]
async fn a_response_does_not_count_by_another_name() {
    for on in BOTH {
        let world = World::new(on).await;
        let settings = "[tenant.login]\nemail = true\n[tenant.global_policy]\nrequire = [\"otp\"]\n";
        person(&world, "grace", settings, &[&token(BASE32, "mode = \"challenge_response\"")]).await;
        let tried = async |name: &str, right: bool| {
            let mut visitor = Visitor::new(&world.url);
            let seen = visitor.get(&authorize(&world, "")).await;
            let seen = visitor.press(&seen, "continue", &[("username", name)]).await;
            let told = response(BASE32, &challenge_on(&seen));
            let told = if right { told.as_str() } else { wrong(&told) };
            visitor.press(&seen, "continue", &[("response", told)]).await
        };
        for _ in 0..4 {
            world.advance(61);
            tried("grace", false).await;
        }
        assert_eq!(world.events("account_locked").await, 1, "{on:?}");
        let seen = tried("grace@acme.test", true).await;
        assert!(seen.complaint().contains("response was not accepted"), "{on:?}: {}", seen.body);
        assert_eq!(world.events("passcode_accepted").await, 0, "{on:?}");
        world.command(&["user", "unlock", "grace"]);
        let seen = tried("grace@acme.test", true).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        world.stop().await;
    }
}

/// of two browsers' tabs and two instances that answer one challenge at once one succeeds.
#[actix_web::test]
async fn one_response_opens_one_login_once() {
    for on in BOTH {
        let world = World::new(on).await;
        let (second, _) = world.second().await;
        let answers = token(BASE32, "mode = \"challenge_response\"");
        person(&world, "grace", "", &[&answers]).await;
        let mut grace = Visitor::new(&world.url);
        let page = page_of(&world, &mut grace, "grace").await;
        let (address, mut fields) = page.form("continue");
        fields.push(("response".to_owned(), response(BASE32, &challenge_on(&page))));
        let attempts = (0..6).map(|number| {
            let (mut tab, fields) = (grace.clone(), fields.clone());
            let server = if number % 2 == 0 { world.url.clone() } else { second.clone() };
            let url = format!("{server}{address}");
            async move { tab.once(reqwest::Method::POST, &url, Some(fields)).await }
        });
        futures_util::future::join_all(attempts).await;
        assert_eq!(world.events("passcode_accepted").await, 1, "{on:?}");
        assert_eq!(world.events("passcode_rejected").await, 0, "{on:?}: the others are too late, not wrong");
        world.stop().await;
    }
}

/// AC-25: somebody with authenticators of both kinds takes either, and finds first what was used last.
#[actix_web::test]
async fn passcode_or_challenge_whichever_is_at_hand() {
    let world = World::new(On::Sqlite).await;
    let (plain, answers) = (token(OTHER32, ""), token(BASE32, "mode = \"challenge_response\""));
    person(&world, "grace", "", &[&plain, &answers]).await;
    for way in ["passcode", "challenge"] {
        let failed = "UPDATE token SET failed_count = 7 \
            WHERE user_id = (SELECT id FROM user_account WHERE username = ?)";
        world.execute(failed, "grace").await;
        let mut grace = Visitor::new(&world.url);
        let page = page_of(&world, &mut grace, "grace").await;
        assert_eq!(page.title(), "Enter your passcode");
        let asked = grace.press(&page, "use-challenge", &[]).await;
        let asked = grace.get(&format!("{}?with=challenge", asked.url)).await;
        let challenge = challenge_on(&asked);
        assert!(asked.has_action("use-passcode"));
        let seen = if way == "passcode" {
            grace.press(&page, "continue", &[("code", &passcode(&world, OTHER32, 0))]).await
        } else {
            let seen = grace.press(&asked, "continue", &[("response", wrong(&response(BASE32, &challenge)))]).await;
            assert_eq!(seen.title(), "Answer the challenge", "whoever answers stays at the challenge");
            grace.press(&seen, "continue", &[("response", &response(BASE32, &challenge_on(&seen)))]).await
        };
        assert!(!code_of(&seen).0.is_empty(), "{way}: {}", seen.body);
        // AC-25: the one that works clears the other one, by whatever it has shown that.
        let most = "SELECT MAX(failed_count) AS n FROM token \
            WHERE user_id = (SELECT id FROM user_account WHERE username = 'grace')";
        assert_eq!(world.number(most).await, 0, "{way}");
        world.advance(1);
    }
    // what was used last is offered first.
    let mut grace = Visitor::new(&world.url);
    let page = page_of(&world, &mut grace, "grace").await;
    assert_eq!(page.title(), "Answer the challenge");
    assert!(page.has_action("use-passcode"));
    let page = grace.get(&format!("{}?with=passcode", page.url)).await;
    assert_eq!(page.title(), "Enter your passcode");
    // The passcode of the one that answers challenges is none.
    world.advance(30);
    let seen = grace.press(&page, "continue", &[("code", &passcode(&world, BASE32, 0))]).await;
    assert!(seen.complaint().contains("was not accepted"), "{}", seen.body);
    world.stop().await;
}

/// where a passcode is asked for first, the page and its answers are the same for a name with an account and
/// for one without: nothing is proven yet, so nothing is said about authenticators, and everything counts.
#[actix_web::test]
async fn a_passcode_asked_for_first_tells_nothing_about_anybody() {
    for on in BOTH {
        let world = World::new(on).await;
        let first = "[tenant.global_policy]\nrequire = [\"otp\"]\n[tenant.lockout]\nthreshold = 0\n";
        let challenges = format!("{first}[tenant.token_template.app]\nmode = \"challenge_response\"\n");
        let (one, two) = (token(BASE32, "name = \"Ada's iPhone\""), token(OTHER32, "name = \"Hex\"\ndigits = 8"));
        let answers = token(OTHER32, "mode = \"challenge_response\"");
        let said = |seen: &Seen, name: &str| {
            let own = |part: &&str| !part.contains(name) && !part.contains("csrf") && !part.contains("nonce");
            let kept: Vec<_> = seen.body.lines().filter(own).filter(|part| !part.contains("/login/")).collect();
            (seen.status, seen.title(), seen.complaint(), kept.join("\n"))
        };
        for (settings, name, tokens) in [
            (first, "grace", vec![one.as_str()]),
            (first, "margaret", vec![one.as_str(), two.as_str()]),
            (&challenges, "joan", vec![one.as_str(), answers.as_str()]),
            (&challenges, "kathleen", vec![answers.as_str()]),
        ] {
            person(&world, name, settings, &tokens).await;
            let mut shown = Vec::new();
            for who in [name, "nobody-at-all"] {
                let mut visitor = Visitor::new(&world.url);
                let page = visitor.get(&authorize(&world, "")).await;
                let page = visitor.press(&page, "continue", &[("username", who)]).await;
                assert_eq!(page.title(), "Enter your passcode", "{on:?} {who}: {}", page.body);
                let short = visitor.press(&page, "continue", &[("code", "1")]).await;
                assert!(short.complaint().contains("was not accepted"), "{on:?} {who}: {}", short.body);
                world.advance(120);
                let asked = visitor.get(&format!("{}?with=challenge", page.url)).await;
                let challenge = asked.find("#challenge").unwrap_or_default();
                let answered = if challenge.is_empty() {
                    asked.clone()
                } else {
                    visitor.press(&asked, "continue", &[("response", "1")]).await
                };
                let other = answered.find("#challenge").unwrap_or_default();
                let masked = |seen: &Seen| {
                    let mut said = said(seen, who);
                    for digits in [&challenge, &other].into_iter().filter(|digits| !digits.is_empty()) {
                        said.3 = said.3.replace(digits.as_str(), "");
                    }
                    said
                };
                shown.push([masked(&page), masked(&short), masked(&asked), masked(&answered)]);
                world.advance(120);
            }
            assert_eq!(shown[0], shown[1], "{on:?} {name}: R-093");
            assert!(shown[0].iter().all(|page| !page.3.contains("iPhone")), "{on:?} {name}");
        }
        let rejected = world.events("passcode_rejected").await;
        assert_eq!(rejected, 4 * 2 + 2 * 2, "{on:?}: each was an attempt");
        // Whoever has only what answers challenges gets in.
        let mut kathleen = Visitor::new(&world.url);
        let page = kathleen.get(&authorize(&world, "")).await;
        let page = kathleen.press(&page, "continue", &[("username", "kathleen")]).await;
        let page = kathleen.get(&format!("{}?with=challenge", page.url)).await;
        let seen = kathleen.press(&page, "continue", &[("response", &response(OTHER32, &challenge_on(&page)))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        world.stop().await;
    }
}

/// from the login to a connected authenticator that answers challenges, with the reference app. R-558: the history
/// of the enrollment tells of a response that was wrong.
#[actix_web::test]
async fn an_authenticator_that_answers_challenges_is_enrolled() {
    for on in BOTH {
        let world = World::new(on).await;
        world
            .apply(
                "[[tenant]]\ncode = \"acme\"\n[tenant.token_template.app]\nmode = \"challenge_response\"\nlength = 8\n",
            )
            .await;
        let mut ada = Visitor::new(&world.url);
        let seen = to_platforms(&world, &mut ada).await;
        let seen = ada.press(&seen, "platform-command_line", &[]).await;
        let string = seen.find("[data-activation-string]").expect("an activation string");
        let store = tempfile::tempdir().unwrap();
        let run = |arguments: Vec<String>| {
            let path = store.path().to_owned();
            tokio::task::spawn_blocking(move || app(&path, &arguments.iter().map(String::as_str).collect::<Vec<_>>()))
        };
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let (code, out) = run(owned(&["activate", &string])).await.unwrap();
        assert_eq!(code, 0, "{out}");
        let page = ada.press(&seen, "check-now", &[]).await;
        assert_eq!(page.title(), "One last step", "{on:?}: {}", page.body);
        let (code, out) = run(owned(&["passcode"])).await.unwrap();
        assert!(code == 1 && out.contains("--challenge"), "{code} {out}");
        let answer = async |challenge: &str| {
            let (code, out) = run(owned(&["passcode", "--challenge", challenge])).await.unwrap();
            assert_eq!(code, 0, "{out}");
            out.trim().to_owned()
        };
        let of_another = answer("12345678").await;
        let seen = ada.press(&page, "continue", &[("response", &of_another)]).await;
        assert!(seen.complaint().contains("response was not accepted"), "{on:?}: {}", seen.body);
        assert_eq!(world.events("token_enrolled").await, 0, "{on:?}");
        let reason = world.text("SELECT reason AS t FROM enrollment WHERE state = 'open'").await;
        assert_eq!(reason, "passcode_rejected", "{on:?} R-558");
        let right = answer(&challenge_on(&seen)).await;
        assert_eq!(right.len(), 8);
        let seen = ada.press(&seen, "continue", &[("response", &right)]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        assert_eq!(world.events("token_enrolled").await, 1, "{on:?}");
        // And the next login.
        let mut ada = Visitor::new(&world.url);
        let page = after_password(&world, &mut ada, "ada", PASSWORD).await;
        let seen = ada.press(&page, "continue", &[("response", &answer(&challenge_on(&page)).await)]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        let (_, out) = run(owned(&["clock"])).await.unwrap();
        assert!(out.contains("good enough"), "no clock matters here: {out}");
        world.stop().await;
    }
}

/// passcodes of imported tokens in other alphabets, and the virtual server's word on small letters.
#[actix_web::test]
async fn imported_tokens_write_in_other_alphabets() {
    let world = World::new(On::Sqlite).await;
    for (name, alphabet) in [("hex", Alphabet::Hexadecimal), ("base32", Alphabet::Base32), ("base64", Alphabet::Base64)]
    {
        let word = serde_json::to_value(alphabet).unwrap();
        let more = format!("alphabet = {word}\ndigits = 8\ncounter = 0");
        let of = |counter| alphabet.passcode(&secret(BASE32), Algorithm::Sha1, 8, counter);
        // The first two passcodes with a small letter in them would be something else in capital letters.
        let cased: Vec<u64> = (0..20).filter(|n| of(*n).bytes().any(|b| b.is_ascii_alphabetic())).take(2).collect();
        person(&world, name, "[tenant.windows]\nignore_case = false\n", &[&token(BASE32, &more)]).await;
        let swapped = |text: &str| -> String {
            text.chars()
                .map(|c| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
                .collect()
        };
        let mut visitor = Visitor::new(&world.url);
        let page = page_of(&world, &mut visitor, name).await;
        let seen = visitor.press(&page, "continue", &[("code", &swapped(&of(cased[0])))]).await;
        assert!(seen.complaint().contains("was not accepted"), "R-215 {name}: {}", seen.body);
        let seen = visitor.press(&seen, "continue", &[("code", &of(cased[0]))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{name}: {}", seen.body);
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.windows]\nignore_case = true\n").await;
        let mut visitor = Visitor::new(&world.url);
        let page = page_of(&world, &mut visitor, name).await;
        let seen = visitor.press(&page, "continue", &[("code", &swapped(&of(cased[1])))]).await;
        assert_eq!(seen.leaves_to.is_some(), alphabet != Alphabet::Base64, "R-215 {name}: {}", seen.body);
    }
    world.stop().await;
}

/// The clock doctor: a device that is behind is told of at once, one that is ahead with the second passcode, and neither
/// passcode is ever accepted.
#[actix_web::test]
async fn a_clock_that_is_off_is_told_of() {
    for on in BOTH {
        let world = World::new(on).await;
        person(&world, "grace", "[tenant.lockout]\nthreshold = 0\n", &[&token(BASE32, "")]).await;
        let mut grace = Visitor::new(&world.url);
        let page = page_of(&world, &mut grace, "grace").await;
        let seen = grace.press(&page, "continue", &[("code", &passcode(&world, BASE32, -3600))]).await;
        assert!(seen.complaint().contains("about 60 minutes behind"), "{on:?}: {}", seen.complaint());
        // Ahead: the first passcode says nothing, nor does it typed again later; the next one does.
        for (wait, off, told) in [(31, 7200, false), (31, 7170, false), (31, 7200, true)] {
            world.advance(wait);
            let seen = grace.press(&page, "continue", &[("code", &passcode(&world, BASE32, off))]).await;
            assert_eq!(seen.complaint().contains("about 2 hours ahead"), told, "{on:?} {off}: {}", seen.complaint());
        }
        // Four times in an hour, then the ordinary words.
        world.advance(31);
        let seen = grace.press(&page, "continue", &[("code", &passcode(&world, BASE32, -3600))]).await;
        assert!(seen.complaint().contains("Wait for the next one"), "{on:?}: {}", seen.complaint());
        assert_eq!(world.events("clock_off").await, 2, "{on:?}: operators find both in the audit trail");
        let detail =
            world.text("SELECT detail AS t FROM audit_event WHERE action = 'clock_off' ORDER BY at DESC").await;
        assert!(detail.contains("\"minutes_ahead\":120"), "{detail}");
        assert_eq!(world.events("passcode_accepted").await, 0, "{on:?}");
        assert_eq!(world.events("passcode_rejected").await, 5, "{on:?}: every one of them counts");
        world.stop().await;
    }
}

/// The clock doctor is no oracle: it says nothing of what was used or is older, nothing without the password, nothing to
/// names that nobody has, and nothing of the passcodes of another token.
#[actix_web::test]
async fn the_clock_doctor_tells_nothing_else() {
    let world = World::new(On::Sqlite).await;
    let rules = "[tenant.lockout]\nthreshold = 0\n[[tenant.access_policy]]\nname = \"no password\"\napplications = \
                 [\"Notes\"]\nrequire = [\"otp\"]\n";
    person(&world, "grace", "[tenant.lockout]\nthreshold = 0\n", &[&token(BASE32, "")]).await;
    let mut grace = Visitor::new(&world.url);
    let page = page_of(&world, &mut grace, "grace").await;
    let (earlier, used) = (passcode(&world, BASE32, -600), passcode(&world, BASE32, 0));
    let seen = grace.press(&page, "continue", &[("code", &used)]).await;
    assert!(!code_of(&seen).0.is_empty(), "{}", seen.body);
    world.advance(1200);
    let mut thief = Visitor::new(&world.url);
    let page = page_of(&world, &mut thief, "grace").await;
    let ordinary = thief.press(&page, "continue", &[("code", "000000")]).await.complaint();
    for typed in [&used, &earlier, &passcode(&world, OTHER32, -600)] {
        world.advance(31);
        let seen = thief.press(&page, "continue", &[("code", typed)]).await;
        assert_eq!(seen.complaint(), ordinary, "{typed}");
    }
    // Without a password nothing is told, to anybody.
    world.apply(&format!("[[tenant]]\ncode = \"acme\"\n{rules}")).await;
    world.advance(3600);
    for name in ["grace", "nobody"] {
        let mut visitor = Visitor::new(&world.url);
        let page = visitor.get(&authorize(&world, "")).await;
        let page = visitor.press(&page, "continue", &[("username", name)]).await;
        assert_eq!(page.title(), "Enter your passcode", "{}", page.body);
        let seen = visitor.press(&page, "continue", &[("code", &passcode(&world, BASE32, -900))]).await;
        assert_eq!(seen.complaint(), ordinary, "{name}");
    }
    assert_eq!(world.events("clock_off").await, 0);
    world.stop().await;
}

/// A phone with a wrong clock is what most often keeps a standard app from being connected: it is told, too.
#[actix_web::test]
async fn a_wrong_clock_is_told_of_at_the_enrollment() {
    let world = World::new(On::Sqlite).await;
    let mut ada = Visitor::new(&world.url);
    let seen = to_platforms(&world, &mut ada).await;
    let page = ada.press(&seen, "platform-oath_app", &[]).await;
    let base32 = page.find("[data-activation-string]").unwrap().replace(' ', "");
    let seen = ada.press(&page, "continue", &[("code", &passcode(&world, &base32, -1800))]).await;
    assert!(seen.complaint().contains("about 30 minutes behind"), "{}", seen.complaint());
    let seen = ada.press(&seen, "continue", &[("code", &oathtool(&world, &base32, "--totp=sha1", "6"))]).await;
    assert!(!code_of(&seen).0.is_empty(), "{}", seen.body);
    world.stop().await;
}

/// the same form sent twice within ten seconds is one attempt and no alarm; later, or with another passcode, it is
/// another attempt.
#[actix_web::test]
async fn a_form_that_comes_twice_is_one_attempt() {
    for on in BOTH {
        let world = World::new(on).await;
        person(&world, "grace", "[tenant.lockout]\nthreshold = 0\n", &[&token(BASE32, "")]).await;
        // Twice at once, and right: one login, and nothing else to tell of.
        let mut grace = Visitor::new(&world.url);
        let page = page_of(&world, &mut grace, "grace").await;
        let code = passcode(&world, BASE32, 0);
        let (address, mut fields) = page.form("continue");
        assert!(fields.iter().any(|(name, value)| name == "nonce" && value.len() == 26), "{fields:?}");
        fields.push(("code".to_owned(), code.clone()));
        let twice = (0..2).map(|_| {
            let (mut tab, fields, address) = (grace.clone(), fields.clone(), address.clone());
            async move { tab.once(reqwest::Method::POST, &address, Some(fields)).await }
        });
        futures_util::future::join_all(twice).await;
        assert_eq!(world.events("passcode_accepted").await, 1, "{on:?}");
        assert_eq!(world.events("passcode_reused").await + world.events("passcode_rejected").await, 0, "{on:?}");
        // Used already, by somebody else's page: told of once, however often this form is sent within ten seconds.
        let mut thief = Visitor::new(&world.url);
        let page = page_of(&world, &mut thief, "grace").await;
        for _ in 0..3 {
            let seen = thief.press(&page, "continue", &[("code", &code)]).await;
            assert!(seen.complaint().contains("was not accepted"), "{on:?} R-301: {}", seen.body);
        }
        assert_eq!(world.events("passcode_reused").await, 1, "{on:?}");
        thief.press(&page, "continue", &[("code", wrong(&code))]).await;
        assert_eq!(world.events("passcode_rejected").await, 1, "{on:?}: another passcode is another attempt");
        world.advance(21);
        thief.press(&page, "continue", &[("code", &code)]).await;
        assert_eq!(world.events("passcode_reused").await, 2, "{on:?}: later it is another attempt");
        world.stop().await;
    }
}

/// in the portal an authenticator is tried out and synchronized, under the limits of a login.
#[actix_web::test]
async fn the_portal_tries_out_and_synchronizes() {
    for on in BOTH {
        let world = World::new(on).await;
        let (clocked, answers) = (token(BASE32, "name = \"Clock\""), token(OTHER32, "mode = \"challenge_response\""));
        person(&world, "grace", "", &[&clocked, &answers]).await;
        let mut grace = Visitor::new(&world.url);
        let page = grace.get(&format!("{}/", world.base())).await;
        let page = grace.press(&page, "continue", &[("username", "grace")]).await;
        let page = grace.press(&page, "continue", &[("password", PASSWORD)]).await;
        let home = grace.press(&page, "continue", &[("code", &passcode(&world, BASE32, 0))]).await;
        assert_eq!(home.title(), "Hello, grace", "{on:?}: {}", home.body);
        let cares: Vec<String> = home
            .body
            .split("href=\"")
            .filter(|part| part.contains("/portal/authenticators/"))
            .map(|part| part.split('"').next().unwrap().to_owned())
            .collect();
        assert_eq!(cares.len(), 2, "{}", home.body);
        let mut page = grace.get(&cares[0]).await;
        let mut other = grace.get(&cares[1]).await;
        if page.find("#challenge").is_some() {
            std::mem::swap(&mut page, &mut other);
        }
        assert!(page.body.contains("Clock"), "{}", page.body);
        // Used at the login: refused here, too, and written down as what it is; but nobody is alarmed.
        let seen = grace.press(&page, "test", &[("code", &passcode(&world, BASE32, 0))]).await;
        assert!(seen.complaint().contains("was not accepted"), "{on:?}: {}", seen.body);
        assert_eq!((world.events("passcode_reused").await, world.events("alert_raised").await), (1, 0), "{on:?}");
        world.advance(30);
        let right = passcode(&world, BASE32, 0);
        let works = grace.press(&seen, "test", &[("code", &right)]).await;
        assert!(works.body.contains("It works."), "{on:?}: {}", works.body);
        let again = grace.press(&seen, "test", &[("code", &right)]).await;
        assert!(again.complaint().contains("was not accepted"), "R-319: {}", again.body);
        assert_eq!(world.events("passcode_reused").await, 1, "{on:?} R-319: the same form again is no attempt");
        // What was used up here opens no login.
        let mut thief = Visitor::new(&world.url);
        let login = page_of(&world, &mut thief, "grace").await;
        let seen = thief.press(&login, "continue", &[("code", &right)]).await;
        assert!(seen.complaint().contains("was not accepted"), "{on:?} R-315: {}", seen.body);
        // Ten minutes ahead: told to synchronize, which two passcodes in a row do.
        world.advance(60);
        let page = grace.get(&page.url).await;
        let seen = grace.press(&page, "test", &[("code", &passcode(&world, BASE32, 240))]).await;
        assert!(seen.complaint().contains("Synchronize it below"), "{on:?}: {}", seen.body);
        let pair = |first: i64, second: i64| [passcode(&world, BASE32, first), passcode(&world, BASE32, second)];
        let [first, second] = pair(600, 630);
        let seen = grace.press(&seen, "synchronize", &[("first", &second), ("second", &first)]).await;
        assert!(seen.complaint().contains("was not accepted"), "{on:?}: {}", seen.body);
        world.advance(5);
        let seen = grace.press(&seen, "synchronize", &[("first", &first), ("second", &second)]).await;
        assert!(seen.body.contains("It is synchronized."), "{on:?}: {}", seen.body);
        assert_eq!(world.events("token_synchronized").await, 1, "{on:?}");
        world.advance(60);
        let mut later = Visitor::new(&world.url);
        let login = page_of(&world, &mut later, "grace").await;
        let seen = later.press(&login, "continue", &[("code", &passcode(&world, BASE32, 630))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: the drift is remembered: {}", seen.body);
        // The other one answers a challenge.
        let other = grace.get(&other.url).await;
        let seen = grace.press(&other, "test", &[("response", &response(OTHER32, &challenge_on(&other)))]).await;
        assert!(seen.body.contains("It works."), "{on:?}: {}", seen.body);
        // Somebody else's authenticator is nobody's business.
        let mut linus = Visitor::new(&world.url);
        assert_eq!(linus.get(&other.url).await.title(), "Log in", "without a session there is the login");
        world.stop().await;
    }
}

/// wrong passcodes in the portal lock the account as they do at the login.: page and
/// mail speak the person's own language there, too.
#[actix_web::test]
async fn guessing_in_the_portal_locks_the_account() {
    let world = World::new(On::Sqlite).await;
    person(&world, "grace", "", &[&token(BASE32, "")]).await;
    let mut grace = Visitor::new(&world.url);
    let page = grace.get(&format!("{}/", world.base())).await;
    let page = grace.press(&page, "continue", &[("username", "grace")]).await;
    let page = grace.press(&page, "continue", &[("password", PASSWORD)]).await;
    let home = grace.press(&page, "continue", &[("code", &passcode(&world, BASE32, 0))]).await;
    let care = home.body.split("href=\"").find(|part| part.contains("/portal/authenticators/")).unwrap();
    world.execute("UPDATE user_account SET language = ? WHERE username = 'grace'", "de").await;
    let mut page = grace.get(care.split('"').next().unwrap()).await;
    assert!(page.body.contains("<html lang=\"de\""), "R-525: {}", page.body);
    for _ in 0..4 {
        world.advance(35);
        page = grace.press(&page, "test", &[("code", wrong(&passcode(&world, BASE32, 0)))]).await;
    }
    assert_eq!(world.events("account_locked").await, 1);
    let letters = world.number("SELECT COUNT(*) AS n FROM outbox WHERE kind = 'account_locked'").await;
    let listed = world.number("SELECT COUNT(*) AS n FROM account_lock WHERE username_key = 'grace'").await;
    assert_eq!((letters, listed), (1, 1), "R-329, R-336, R-578: told and found as a lock at the login is");
    assert_eq!(world.letters("grace@acme.test", "Ihr Konto ist gesperrt").await, 1, "R-535");
    let seen = grace.press(&page, "test", &[("code", &passcode(&world, BASE32, 0))]).await;
    assert_eq!(seen.complaint(), "Ihr Konto ist gesperrt", "R-323: {}", seen.body);
    let mut other = Visitor::new(&world.url);
    let page = other.get(&authorize(&world, "")).await;
    let page = other.press(&page, "continue", &[("username", "grace")]).await;
    // a lock is told to whoever has given a password; after so many failures nobody gives one at once.
    world.advance(35);
    let page = other.press(&page, "continue", &[("password", PASSWORD)]).await;
    assert_eq!(page.title(), "Your account is locked");
    world.stop().await;
}

/// an imported token is as far ahead as the virtual server's own window says, and one press more needs a second passcode.
#[actix_web::test]
async fn the_window_of_imported_counters_is_the_virtual_servers() {
    let world = World::new(On::Sqlite).await;
    let at = |counter| hotp::passcode(&secret(BASE32), Algorithm::Sha1, 6, counter);
    let mut next = 0;
    for window in [1, 5] {
        let settings = format!("[tenant.windows]\nevent_look_ahead = {window}\n");
        person(&world, "grace", &settings, &[&token(BASE32, "counter = 0")]).await;
        for (skipped, taken) in [(window, false), (window - 1, true)] {
            let mut grace = Visitor::new(&world.url);
            let page = page_of(&world, &mut grace, "grace").await;
            let seen = grace.press(&page, "continue", &[("code", &at(next + skipped))]).await;
            assert_eq!(seen.leaves_to.is_some(), taken, "{window}, {skipped}: {}", seen.body);
            if taken {
                next += skipped + 1;
            } else {
                assert!(seen.complaint().starts_with("Almost."), "{window}, {skipped}: {}", seen.complaint());
            }
        }
    }
    world.stop().await;
}

/// the help desk synchronizes with two passcodes that the owner reads out.
#[actix_web::test]
async fn the_help_desk_synchronizes_a_token() {
    for on in BOTH {
        let world = World::new(on).await;
        person(&world, "grace", "", &[&token(BASE32, "counter = 0")]).await;
        let serial = world
            .text(
                "SELECT serial AS t FROM token WHERE user_id = (SELECT id FROM user_account WHERE username = 'grace')",
            )
            .await;
        let at = |counter| hotp::passcode(&secret(BASE32), Algorithm::Sha1, 6, counter);
        let resync = |typed: String| {
            let (world, serial) = (&world, serial.clone());
            async move { world.tried_with(&["token", "resync", &serial, "--tenant", "acme"], &typed) }
        };
        let (good, said) = resync(format!("{}\n{}\n", at(500), at(502))).await;
        assert!(!good && said.contains("one after the other"), "{on:?}: {said}");
        let (good, said) = resync(format!("{}\n", at(500))).await;
        assert!(!good && said.contains("the second passcode is missing"), "{on:?}: {said}");
        let (good, said) = resync(format!("{}\n{}\n", at(500), at(501))).await;
        assert!(good && said.contains("is synchronized"), "{on:?}: {said}");
        let (good, said) = resync(format!("{}\n{}\n", at(500), at(501))).await;
        assert!(!good && said.contains("neither used"), "{on:?}: {said}");
        let mut grace = Visitor::new(&world.url);
        let page = page_of(&world, &mut grace, "grace").await;
        let seen = grace.press(&page, "continue", &[("code", &at(502))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        assert_eq!(world.events("token_synchronized").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// What checking costs beside the commit, in time of a processor: a secret opened, every candidate of the windows computed and
/// compared. In a release build, `cargo test --release --test house what_a_passcode_costs -- --ignored --nocapture`.
#[actix_web::test]
#[ignore = "a measurement"]
async fn what_a_passcode_costs() {
    let world = World::new(On::Sqlite).await;
    let (sealer, tenant, now) = (&world.site.house.sealer, world.tenant().await, world.clock_now());
    let place = || Place::new(tenant, "token", "secret_sealed", UserId::from_bits(1));
    let sealed = sealer.seal(place(), &SecretBytes::new(vec![7; 32]));
    let settings = WindowSettings::default();
    let time = Moving::Time { step_seconds: 30, drift_steps: 0 };
    let event = Moving::Event { look_ahead: Some(10) };
    for (what, algorithm, moving) in [
        ("TOTP, SHA-1, 21 candidates", Algorithm::Sha1, time),
        ("TOTP, SHA-256, 21 candidates", Algorithm::Sha256, time),
        ("HOTP, SHA-1, 111 candidates", Algorithm::Sha1, event),
        ("HOTP, SHA-256, 111 candidates", Algorithm::Sha256, event),
    ] {
        let each = each_micros(2000, || {
            let secret = sealer.open(place(), &sealed).unwrap();
            let alphabet = Alphabet::Decimal;
            let judged =
                Judged { secret: &secret, algorithm, digits: 6, alphabet, moving, last_position: 1000, pending: None };
            assert_ne!(judge(judged, settings, "000000", now), Verdict::OutOfSync { position: -1 });
        });
        println!("{what}: {each:.1} µs");
    }
    let suite = Suite::of_token(Algorithm::Sha256, 6);
    let each = each_micros(2000, || {
        let secret = sealer.open(place(), &sealed).unwrap();
        let _ = suite.response(&secret, Input { question: "12345678", ..Input::default() }).unwrap();
    });
    println!("OCRA, SHA-256: {each:.1} µs");
    let patient = Patient {
        secret: SecretBytes::new(vec![7; 32]),
        algorithm: Algorithm::Sha256,
        length: 6,
        alphabet: Alphabet::Decimal,
        step_seconds: 30,
        last_position: -1,
    };
    let each = each_micros(20, || {
        let _ = examine(&patient, "000000", false, now);
    });
    println!("clock doctor, SHA-256, 5760 candidates, at most {PER_HOUR} times an hour and person: {each:.0} µs");
    world.stop().await;
}

/// Microseconds of this thread on a processor, whatever else the machine does meanwhile.
fn each_micros(times: u32, mut work: impl FnMut()) -> f64 {
    let spent = || {
        let told = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells what a thread has used");
        told.split(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let before = spent();
    for _ in 0..times {
        work();
    }
    (spent() - before) / 1e3 / f64::from(times)
}
