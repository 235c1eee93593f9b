//! The abuse cases of the threat model, each done to a running service: what must not work does not, and leaves
//! nothing behind.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use reqwest::Method;
use vestibule::apply::plan::Prune;
use vestibule::apply::run::{Run, text};
use vestibule::domain::activation::handshake::{Hello, Keys, Pair, claim_mac, transcript};
use vestibule::domain::activation::string::ActivationString;
use vestibule::domain::audit::Actor;
use vestibule::domain::oath::{Algorithm, hotp};
use vestibule::domain::secret::SecretBytes;
use vestibule::flow::administration::Desk;
use vestibule::flow::house::window_start;
use vestibule::storage::Connection;
use vestibule::storage::statement::Statement;

use crate::story::{PASSWORD, after_password, authorize, code_of, oathtool, passcode_of_linus, redeem};
use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, On, World};

const LINUS: &str = "has a token already";

/// Every form of a login.
const FORMS: [&str; 14] = [
    "username",
    "forget-user",
    "password",
    "switch-user",
    "passcode",
    "add-authenticator",
    "code",
    "resend-code",
    "platform",
    "change-platform",
    "installed",
    "renew",
    "extend",
    "cancel",
];

/// The forms of an enrollment.
const ENROLLMENT: [&str; 7] =
    ["add-authenticator", "code", "resend-code", "platform", "change-platform", "installed", "renew"];

/// What must not move when something is refused.
const ROWS: [&str; 12] = [
    "SELECT COUNT(*) AS n FROM login",
    "SELECT COUNT(*) AS n FROM login WHERE stage = 'open'",
    "SELECT COUNT(*) AS n FROM evidence",
    "SELECT COUNT(*) AS n FROM email_code",
    "SELECT COUNT(*) AS n FROM email_code WHERE tries > 0 OR state <> 'pending'",
    "SELECT COUNT(*) AS n FROM enrollment",
    "SELECT COUNT(*) AS n FROM enrollment WHERE platform IS NOT NULL OR state <> 'open'",
    "SELECT COUNT(*) AS n FROM activation",
    "SELECT COUNT(*) AS n FROM token",
    "SELECT COUNT(*) AS n FROM sso_session",
    "SELECT COUNT(*) AS n FROM oidc_grant",
    "SELECT COUNT(*) AS n FROM failure",
];

async fn rows(world: &World) -> Vec<i64> {
    let mut counts = Vec::new();
    for question in ROWS {
        counts.push(world.number(question).await);
    }
    counts
}

async fn count(world: &World, question: &'static str) -> i64 {
    world.number(question).await
}

fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The hidden field of the page's forms.
fn csrf(seen: &Seen) -> String {
    let page = scraper::Html::parse_document(&seen.body);
    let input = scraper::Selector::parse("input[name=csrf]").unwrap();
    page.select(&input).next().and_then(|input| input.attr("value")).unwrap_or_default().to_owned()
}

/// The path of the login that a page belongs to.
fn desk(seen: &Seen) -> String {
    let at = seen.url.find("/t/").unwrap();
    let path = seen.url[at..].split('?').next().unwrap();
    path.split('/').take(5).collect::<Vec<_>>().join("/")
}

/// Sends `fields` and the page's own token to one form of the page's login.
async fn send(visitor: &mut Visitor, seen: &Seen, form: &str, fields: &[(&str, &str)]) -> Seen {
    let mut all = vec![field("csrf", &csrf(seen))];
    all.extend(fields.iter().map(|(name, value)| field(name, value)));
    visitor.post(&format!("{}/{form}", desk(seen)), &all).await
}

/// One request with this visitor's cookies, without following redirects.
async fn raw(
    visitor: &Visitor,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> reqwest::Response {
    let cookies: Vec<String> = visitor.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut request = client.request(method, url).header("cookie", cookies.join("; ")).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

/// A configuration that must be refused; what is said about it.
async fn refused(world: &World, file: &str) -> String {
    let desk = Desk {
        house: &world.site.house,
        actor: Actor::Shell("test".to_owned()),
        address: String::new(),
        now: world.clock_now(),
    };
    let done = text(&desk, ("test.toml", file), std::path::Path::new("."), Run::Real, Prune::Keep).await;
    done.map(|_| ()).map_err(|error| format!("{error:#}")).expect_err("a fault")
}

/// Part of the tenant `acme`.
pub fn acme(more: &str) -> String {
    format!("[[tenant]]\ncode = \"acme\"\n{more}")
}

/// A person in the rollout.
pub fn person(name: &str) -> String {
    format!(
        "[[tenant.user]]\nusername = \"{name}\"\nemail = \"{name}@acme.test\"\npassword = \"{PASSWORD}\"\n\
         groups = [\"pilot\"]\n"
    )
}

/// A wrong code of six digits.
fn other_than(right: &str) -> &'static str {
    if right == "000000" { "000001" } else { "000000" }
}

/// As far as the page that asks for the mailed code; the code.
async fn to_code(world: &World, visitor: &mut Visitor, name: &str) -> (Seen, String) {
    let address = format!("{name}@acme.test");
    let before = world.codes(&address).len();
    let seen = after_password(world, visitor, name, PASSWORD).await;
    let seen = visitor.press(&seen, "add-authenticator", &[]).await;
    assert_eq!(seen.title(), "Enter the code from your email", "{}", seen.body);
    (seen, world.code(&address, before).await)
}

async fn to_choice(world: &World, visitor: &mut Visitor, name: &str) -> Seen {
    let (seen, code) = to_code(world, visitor, name).await;
    let seen = visitor.press(&seen, "continue", &[("code", &code)]).await;
    assert!(seen.title().starts_with("Where do you want"), "{}", seen.body);
    seen
}

async fn to_standard_app(world: &World, visitor: &mut Visitor, name: &str) -> (Seen, String) {
    let seen = to_choice(world, visitor, name).await;
    let seen = visitor.press(&seen, "platform-oath_app", &[]).await;
    let secret = seen.find("[data-activation-string]").expect("a key").replace(' ', "");
    (seen, secret)
}

async fn to_activation(world: &World, visitor: &mut Visitor, name: &str) -> (Seen, String) {
    let seen = to_choice(world, visitor, name).await;
    let seen = visitor.press(&seen, "platform-command_line", &[]).await;
    let string = seen.find("[data-activation-string]").expect("an activation string");
    (seen, string)
}

/// Logs linus in, all the way to a code for Notes.
async fn linus_in(world: &World, visitor: &mut Visitor) -> String {
    let seen = after_password(world, visitor, "linus", LINUS).await;
    let code = passcode_of_linus(world);
    let seen = visitor.press(&seen, "continue", &[("code", &code)]).await;
    code_of(&seen).0
}

fn wrong_passcode(world: &World) -> &'static str {
    // Neither of the two is likely to be in the window, and one of them certainly is not the current one.
    other_than(&passcode_of_linus(world))
}

/// A device that speaks the protocol as it likes.
pub struct Device {
    pair: Pair,
    pub hello: Hello,
    secret: SecretBytes,
    base: String,
}

impl Device {
    pub fn new(string: &str, platform: &str) -> Self {
        let string = ActivationString::parse(string).unwrap();
        let pair = (0..8).find_map(|_| Pair::of_random(&rand::random())).unwrap();
        let hello = Hello {
            activation: string.id,
            device_key: pair.public(),
            nonce: rand::random::<[u8; 32]>().to_vec(),
            platform: platform.to_owned(),
            os_version: "99".to_owned(),
            app_version: "1".to_owned(),
            device_name: "A device".to_owned(),
        };
        Self { pair, hello, secret: string.secret, base: string.base }
    }

    async fn call(&self, what: &str, body: &serde_json::Value) -> (u16, serde_json::Value) {
        let address = format!("{}/api/authenticator/v1/activation/{what}", self.base);
        // A device repeats what was not answered (K13, K14); a service that is not killed answers at once.
        for _ in 0..300 {
            if let Ok(answer) = reqwest::Client::new().post(&address).json(body).send().await {
                let status = answer.status().as_u16();
                if let Ok(body) = answer.json().await {
                    return (status, body);
                }
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{address} does not answer")
    }

    pub async fn claim(&self) -> (u16, serde_json::Value) {
        let hello = &self.hello;
        let mac = claim_mac(&self.base, hello, &self.secret);
        let body = serde_json::json!({ "version": 1, "activation": hello.activation.to_string(),
            "device_key": URL_SAFE_NO_PAD.encode(&hello.device_key), "nonce": URL_SAFE_NO_PAD.encode(&hello.nonce),
            "platform": hello.platform, "os_version": hello.os_version, "app_version": hello.app_version,
            "device_name": hello.device_name, "mac": URL_SAFE_NO_PAD.encode(mac) });
        self.call("claim", &body).await
    }

    /// The keys that follow from what the server answered, and all that was said.
    pub fn keys(&self, claimed: &serde_json::Value) -> (Keys, [u8; 32]) {
        let octets = |name: &str| URL_SAFE_NO_PAD.decode(claimed[name].as_str().unwrap()).unwrap();
        let (key, nonce) = (octets("server_key"), octets("nonce"));
        let said = transcript(&self.base, &self.hello, &key, &nonce, claimed["parameters"].as_str().unwrap());
        let parameters: serde_json::Value = serde_json::from_str(claimed["parameters"].as_str().unwrap()).unwrap();
        let length = if parameters["template"]["algorithm"] == "SHA512" { 64 } else { 32 };
        (self.pair.keys(&key, &self.secret, &said, length).unwrap(), said)
    }

    /// Confirms what was claimed; what the server answers.
    pub async fn confirmed(&self, claimed: &serde_json::Value) -> (u16, serde_json::Value) {
        let (keys, said) = self.keys(claimed);
        let mac = URL_SAFE_NO_PAD.encode(keys.device_mac(&said));
        let body = serde_json::json!({ "activation": self.hello.activation.to_string(), "mac": mac });
        self.call("confirm", &body).await
    }

    /// With what a server answers a confirmation that has the same keys.
    pub fn server_mac(&self, claimed: &serde_json::Value) -> String {
        let (keys, said) = self.keys(claimed);
        URL_SAFE_NO_PAD.encode(keys.server_mac(&said))
    }

    /// Confirms what was claimed; the OTP secret in base32.
    pub async fn confirm(&self, claimed: &serde_json::Value) -> (u16, String) {
        let (status, _) = self.confirmed(claimed).await;
        let (keys, _) = self.keys(claimed);
        (status, data_encoding::BASE32_NOPAD.encode(keys.otp_secret.expose()))
    }
}

/// `act.used` and the like.
fn why(answer: &(u16, serde_json::Value)) -> &str {
    answer.1["code"].as_str().unwrap_or_default()
}

/// AC-07, T-03: whatever address a request names, the mail goes to the address of record.
#[actix_web::test]
async fn a_code_goes_to_the_address_of_record() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let offer = after_password(&world, &mut ada, "ada", PASSWORD).await;
        let evil = [
            ("email", "evil@evil.test"),
            ("email", "evil2@evil.test"),
            ("email[]", "evil@evil.test"),
            ("to", "evil@evil.test"),
            ("recipient", "ada@acme.test,evil@evil.test"),
            ("user", "barbara"),
            ("username", "barbara"),
        ];
        // A list in JSON is no form at all.
        let address = format!("{}{}/add-authenticator", world.url, desk(&offer));
        let json = serde_json::json!({ "csrf": csrf(&offer), "email": ["ada@acme.test", "evil@evil.test"] });
        let kind = ("content-type", "application/json");
        let answer = raw(&ada, Method::POST, &address, &[kind], json.to_string()).await;
        assert_eq!(answer.status(), 415, "{on:?}");
        assert_eq!(count(&world, "SELECT COUNT(*) AS n FROM email_code").await, 0, "{on:?}");
        let page = send(&mut ada, &offer, "add-authenticator", &evil).await;
        assert_eq!(page.title(), "Enter the code from your email", "{on:?}");
        let first = world.mail("ada@acme.test", 1).await.code().unwrap();
        world.advance(61);
        let body = format!("csrf={}&email=evil%40evil.test", csrf(&page));
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-email", "evil@evil.test"),
            ("x-forwarded-email", "evil@evil.test"),
            ("to", "evil@evil.test"),
        ];
        let address = format!("{}{}/resend-code", world.url, desk(&page));
        assert_eq!(raw(&ada, Method::POST, &address, &headers, body).await.status(), 303, "{on:?}");
        let second = world.mail("ada@acme.test", 2).await.code().unwrap();
        let to: BTreeSet<String> = world.mail.all().iter().map(|mail| mail.to.clone()).collect();
        assert_eq!(to, BTreeSet::from(["ada@acme.test".to_owned()]), "{on:?}");
        // And what the form says about the person does not change whose login it is.
        let seen = send(&mut ada, &page, "code", &[("code", &second), ("user", "barbara")]).await;
        assert!(seen.title().starts_with("Where do you want"), "{on:?} {first}: {}", seen.body);
        assert!(world.mail.to("barbara@acme.test").is_empty());
        world.stop().await;
    }
}

/// AC-08, T-03: an accent, a dotless i or a blank inside makes another name, on every database; letter case does not.
#[actix_web::test]
async fn look_alike_names_are_other_people() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&acme(&person("julian"))).await;
        for name in ["jülian", "jul\u{131}an", "julian.", "ju lian", "julia\u{301}n", "julian\u{200b}", "%", "juli_n"]
        {
            let seen = after_password(&world, &mut Visitor::new(&world.url), name, PASSWORD).await;
            assert_eq!(seen.complaint(), "The user name or password is not right.", "{on:?} {name:?}");
        }
        for name in ["julian", "JULIAN", " Julian ", "\u{ff4a}ulian"] {
            let seen = after_password(&world, &mut Visitor::new(&world.url), name, PASSWORD).await;
            assert_eq!(seen.title(), "Add an authenticator", "{on:?} {name:?}");
        }
        assert_eq!(world.events("password_accepted").await, 4, "{on:?}");
        world.stop().await;
    }
}

/// AC-12, T-04, T-08: a code is good in the login that asked for it, and only the newest one is.
#[actix_web::test]
async fn a_code_is_good_in_its_own_login_and_until_the_next_one() {
    for on in BOTH {
        let world = World::new(on).await;
        let (mut first, mut second) = (Visitor::new(&world.url), Visitor::new(&world.url));
        let (page, mine) = to_code(&world, &mut first, "ada").await;
        world.advance(61);
        let (_, others) = to_code(&world, &mut second, "ada").await;
        assert_ne!(mine, others, "one chance in a million");
        let seen = first.press(&page, "continue", &[("code", &others)]).await;
        assert!(seen.complaint().contains("4 more times"), "{on:?}: {}", seen.complaint());
        world.advance(61);
        let seen = first.press(&page, "resend-code", &[]).await;
        assert_eq!(seen.complaint(), "", "{on:?}");
        let newest = world.mail("ada@acme.test", 3).await.code().unwrap();
        assert_ne!(mine, newest, "one chance in a million");
        let seen = first.press(&seen, "continue", &[("code", &mine)]).await;
        assert!(seen.complaint().contains("4 more times"), "{on:?}: the older one counts: {}", seen.complaint());
        assert_eq!(world.events("code_rejected").await, 2, "{on:?}");
        assert_eq!(world.events("code_verified").await, 0, "{on:?}");
        let seen = first.press(&seen, "continue", &[("code", &newest)]).await;
        assert!(seen.title().starts_with("Where do you want"), "{on:?}: {}", seen.body);
        world.stop().await;
    }
}

/// AC-13, T-04: a code that is too old is answered alike, right or wrong, and does not count as a try.
#[actix_web::test]
async fn an_old_code_is_answered_alike_right_or_wrong() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let (page, code) = to_code(&world, &mut ada, "ada").await;
        world.advance(601);
        let right = ada.press(&page, "continue", &[("code", &code)]).await;
        let wrong = ada.press(&page, "continue", &[("code", other_than(&code))]).await;
        assert_eq!(right.complaint(), "This code no longer works. Send a new one.", "{on:?}");
        let masked = |seen: &Seen| without(&seen.body, &["data-expires=\"", "value=\""]);
        assert_eq!(masked(&right), masked(&wrong), "{on:?}");
        assert_eq!(world.events("code_verified").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// `body` with what follows each of the marks, up to the next quotation mark, left out.
fn without(body: &str, marks: &[&str]) -> String {
    let mut text = body.to_owned();
    for mark in marks {
        let mut parts = text.split(mark);
        let first = parts.next().unwrap().to_owned();
        let rest: String = parts.map(|part| part.split_once('"').map_or(part, |(_, rest)| rest)).collect();
        text = first + &rest;
    }
    text
}

/// AC-10, T-04, T-28: the fourth mail of a login is not sent, the page does not tell, and new codes forgive nothing:
/// the tenth wrong code of a person in a day ends enrollment for the day.
#[actix_web::test]
async fn new_codes_do_not_buy_new_tries() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let (mut page, mut code) = to_code(&world, &mut ada, "ada").await;
        for number in [2, 3] {
            for _ in 0..4 {
                page = ada.press(&page, "continue", &[("code", other_than(&code))]).await;
            }
            world.advance(61);
            page = ada.press(&page, "resend-code", &[]).await;
            assert_eq!(page.complaint(), "", "{on:?}");
            code = world.mail("ada@acme.test", number).await.code().unwrap();
        }
        world.advance(61);
        let before = page.clone();
        page = ada.press(&page, "resend-code", &[]).await;
        assert_eq!((page.title(), page.complaint()), (before.title(), before.complaint()), "{on:?}");
        assert_eq!(world.events("code_withheld").await, 1, "{on:?}");
        // Eight were wrong: the ninth is taken, the tenth is the last.
        page = ada.press(&page, "continue", &[("code", other_than(&code))]).await;
        assert!(page.complaint().contains("4 more times"), "{on:?}: {}", page.complaint());
        ada.press(&page, "continue", &[("code", other_than(&code))]).await;
        let late = ada.press(&page, "continue", &[("code", &code)]).await;
        assert_eq!((late.status, world.events("code_verified").await), (403, 0), "{on:?}: {}", late.body);
        let again = after_password(&world, &mut Visitor::new(&world.url), "ada", PASSWORD).await;
        assert!(again.body.contains("There were too many wrong codes"), "{on:?}: {}", again.body);
        assert_eq!(world.events("enrollment_locked").await, 1, "{on:?}");
        assert_eq!(world.mail.to("ada@acme.test").len(), 3, "{on:?}");
        world.stop().await;
    }
}

/// T-28: login after login gets six mails out of us in a day, and no page tells when it is over.
#[actix_web::test]
async fn nobody_is_bombed_with_mail() {
    for on in BOTH {
        let world = World::new(on).await;
        for number in 0..24 {
            let mut ada = Visitor::new(&world.url);
            let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
            let seen = ada.press(&seen, "add-authenticator", &[]).await;
            assert_eq!(seen.title(), "Enter the code from your email", "{on:?} {number}");
            if number < 6 {
                world.mail("ada@acme.test", number + 1).await;
            }
            world.advance(25 * 60);
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert_eq!(world.mail.to("ada@acme.test").len(), 6, "{on:?}");
        assert_eq!(count(&world, "SELECT COUNT(*) AS n FROM email_code").await, 6, "{on:?}");
        assert_eq!(world.events("code_withheld").await, 18, "{on:?}");
        world.stop().await;
    }
}

/// R-131, T-28: codes by mail are limited for an address and for the virtual server; no page tells, the operators hear of it
/// once, and an hour later it is over.
#[actix_web::test]
async fn codes_are_limited_for_everybody_together() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply("[[tenant]]\ncode = \"acme\"\n[tenant.alerts]\nrecipients = [\"soc@acme.test\"]\n").await;
        let (house, tenant) = (&world.site.house, world.tenant().await);
        let octets = tenant.to_bytes();
        let of_address: [&[u8]; 3] = [&octets, b"codes", &[127, 0, 0, 1]];
        let of_all: [&[u8]; 3] = [b"codes of all", &octets, &[7]];
        for (number, (subject, most)) in [(of_address, 5000), (of_all, 20_000)].into_iter().enumerate() {
            let subject = URL_SAFE_NO_PAD.encode(house.derived.throttle.of(&subject));
            let hour = window_start(world.clock_now(), 3600);
            // One code went already in the second of these hours, perhaps counted in this very row.
            let before = most - 1 - i64::try_from(number).unwrap();
            let count = async |connection: &mut Connection| {
                let more =
                    "UPDATE throttle SET hits = hits + ? WHERE tenant_id = ? AND subject = ? AND window_start = ?";
                let more = Statement::new(more).bind(before).shown(tenant).bind(subject.as_str()).bind(hour.micros());
                if more.run(connection).await? == 0 {
                    let row = "INSERT INTO throttle (hits, tenant_id, subject, window_start) VALUES (?, ?, ?, ?)";
                    let row = Statement::new(row).bind(before).shown(tenant).bind(subject.as_str()).bind(hour.micros());
                    row.run(connection).await?;
                }
                Ok(())
            };
            house.db.write(count).await.unwrap();
            let mails = world.mail.to("ada@acme.test").len();
            for _ in 0..3 {
                let mut ada = Visitor::new(&world.url);
                let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
                let seen = ada.press(&seen, "add-authenticator", &[]).await;
                assert_eq!((seen.title().as_str(), seen.complaint().as_str()), ("Enter the code from your email", ""));
            }
            world.mail("ada@acme.test", mails + 1).await;
            assert_eq!(world.events("code_withheld").await, 2 * (i64::try_from(number).unwrap() + 1), "{on:?}");
            let told = world.mail("soc@acme.test", number + 1).await;
            assert!(told.subject().starts_with("Codes by mail are withheld"), "{on:?}: {}", told.subject());
            assert_eq!(told.text().contains("127.0.0.1"), number == 0, "{on:?}: {}", told.text());
            world.advance(3600);
            let mut ada = Visitor::new(&world.url);
            let seen = after_password(&world, &mut ada, "ada", PASSWORD).await;
            ada.press(&seen, "add-authenticator", &[]).await;
            world.mail("ada@acme.test", mails + 2).await;
            assert_eq!(world.mail.to("ada@acme.test").len(), mails + 2, "{on:?}");
        }
        world.stop().await;
    }
}

/// AC-05, T-02, T-24: no form of a login takes another method, another kind of body, or nothing at all.
#[actix_web::test]
async fn forms_take_forms_only() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let (page, _) = to_code(&world, &mut ada, "ada").await;
        let token = csrf(&page);
        let before = rows(&world).await;
        for form in FORMS {
            let url = format!("{}{}/{form}", world.url, desk(&page));
            let encoded = format!("csrf={token}&code=123456&username=ada&password=x&platform=oath_app");
            for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
                let kind = ("content-type", "application/x-www-form-urlencoded");
                let answer = raw(&ada, method.clone(), &format!("{url}?{encoded}"), &[kind], encoded.clone()).await;
                assert!(matches!(answer.status().as_u16(), 404 | 405), "{on:?} {method} {form}: {}", answer.status());
            }
            // The override headers and fields of other frameworks mean nothing.
            for method in ["POST", "PUT"] {
                let override_ = ("x-http-method-override", method);
                let answer = raw(&ada, Method::GET, &format!("{url}?_method=POST&{encoded}"), &[override_], "").await;
                assert!(matches!(answer.status().as_u16(), 404 | 405), "{on:?} {form}: {}", answer.status());
            }
            let json = serde_json::json!({ "csrf": token, "code": "123456" }).to_string();
            let part = format!("--x\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{token}\r\n--x--\r\n");
            for (kind, body) in [
                ("application/json", json.clone()),
                ("text/plain", encoded.clone()),
                ("text/plain", json),
                ("multipart/form-data; boundary=x", part),
                ("application/xml", "<csrf/>".to_owned()),
                ("", encoded.clone()),
            ] {
                let headers = [("content-type", kind)];
                let answer = raw(&ada, Method::POST, &url, if kind.is_empty() { &[] } else { &headers }, body).await;
                assert_eq!(answer.status(), 415, "{on:?} {form} {kind}");
            }
            for body in
                [String::new(), "csrf=".to_owned(), format!("csrf={token}&csrf={token}"), format!("csrf[]={token}")]
            {
                let kind = ("content-type", "application/x-www-form-urlencoded");
                let answer = raw(&ada, Method::POST, &url, &[kind], body.clone()).await;
                assert_eq!(answer.status(), 403, "{on:?} {form} {body:?}");
            }
        }
        let unknown = send(&mut ada, &page, "approve", &[]).await;
        assert_eq!(unknown.status, 404, "{on:?}");
        assert_eq!(rows(&world).await, before, "{on:?}");
        world.stop().await;
    }
}

/// AC-05, AC-06, T-02: the body of a later step does nothing at an earlier one, and a new login begins at the beginning.
#[actix_web::test]
async fn no_step_is_skipped() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let later = [
            ("code", "123456"),
            ("platform", "oath_app"),
            ("email_verified", "true"),
            ("stage", "granted"),
            ("activated", "1"),
        ];
        let named = ada.get(&authorize(&world, "")).await;
        let named = ada.press(&named, "continue", &[("username", "ada")]).await;
        let before = rows(&world).await;
        for form in ENROLLMENT {
            let seen = send(&mut ada, &named, form, &later).await;
            assert_eq!(seen.status, 403, "{on:?} {form}");
        }
        let seen = send(&mut ada, &named, "passcode", &later).await;
        assert_eq!(seen.title(), "Enter your password", "{on:?}");
        assert_eq!(rows(&world).await, before, "{on:?}: before the password");

        let offer = ada.press(&named, "continue", &[("password", PASSWORD)]).await;
        let before = rows(&world).await;
        for form in ["code", "resend-code", "platform", "change-platform", "installed", "renew", "passcode", "username"]
        {
            let seen = send(&mut ada, &offer, form, &later).await;
            assert_eq!(seen.title(), "Add an authenticator", "{on:?} {form}");
        }
        let seen = ada.get(&format!("{}/oidc/resume/{}", world.base(), desk(&offer).rsplit('/').next().unwrap())).await;
        assert_eq!((seen.title().as_str(), seen.leaves_to), ("Add an authenticator", None), "{on:?}");
        assert_eq!(rows(&world).await, before, "{on:?}: at the offer");

        let page = ada.press(&offer, "add-authenticator", &[]).await;
        let code = world.mail("ada@acme.test", 1).await.code().unwrap();
        let before = rows(&world).await;
        for form in ["platform", "change-platform", "installed", "renew", "passcode", "password"] {
            let seen = send(&mut ada, &page, form, &[("platform", "oath_app"), ("password", PASSWORD)]).await;
            assert_eq!(seen.title(), "Enter the code from your email", "{on:?} {form}");
        }
        for empty in ["", " ", "-", "\u{a0}"] {
            let seen = send(&mut ada, &page, "code", &[("code", empty)]).await;
            assert_eq!(seen.complaint(), "Enter the code from the email.", "{on:?}");
        }
        assert_eq!(rows(&world).await, before, "{on:?}: at the code");

        // AC-06: again from the application, in the same browser, with everything that the first login had.
        let fresh = ada.get(&authorize(&world, "")).await;
        assert_eq!(fresh.title(), "Log in", "{on:?}");
        let fresh = ada.press(&fresh, "continue", &[("username", "ada")]).await;
        let fresh = ada.press(&fresh, "continue", &[("password", PASSWORD)]).await;
        assert_eq!(fresh.title(), "Add an authenticator", "{on:?}");
        // And whoever says to be somebody else has proven nothing of the one before.
        let choice = ada.press(&page, "continue", &[("code", &code)]).await;
        assert!(choice.title().starts_with("Where do you want"), "{on:?}");
        let other = send(&mut ada, &choice, "switch-user", &[]).await;
        let other = ada.press(&other, "continue", &[("username", "ada")]).await;
        assert_eq!(other.title(), "Enter your password", "{on:?}");
        let other = ada.press(&other, "continue", &[("password", PASSWORD)]).await;
        assert_eq!(other.title(), "Add an authenticator", "{on:?}: the mailbox must be proven again");
        assert_eq!(world.events("login_completed").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// INV-2, T-02, T-03, T-08: what somebody proved of themselves counts for nobody else, whatever way the name is changed. A
/// password that only the session proved leads back to the password's page, which takes another name as well.
#[actix_web::test]
async fn what_one_person_proved_counts_for_nobody_else() {
    for on in BOTH {
        let world = World::new(on).await;
        let portal =
            "[[tenant.access_policy]]\nname = \"Portal\"\napplications = [\"Portal\"]\nrequire = [\"password\"]\n";
        world.apply(&acme(&format!("{}{}{portal}", person("mallory"), person("victim")))).await;
        let mut mallory = Visitor::new(&world.url);
        let seen = mallory.get(&format!("{}/", world.base())).await;
        let seen = mallory.press(&seen, "continue", &[("username", "mallory")]).await;
        let inside = mallory.press(&seen, "continue", &[("password", PASSWORD)]).await;
        assert!(inside.url.ends_with("/t/acme/"), "{on:?}: {}", inside.url);

        let offer = mallory.get(&authorize(&world, "")).await;
        assert_eq!(offer.title(), "Add an authenticator", "{on:?}");
        let page = mallory.press(&offer, "add-authenticator", &[]).await;
        let code = world.mail("mallory@acme.test", 1).await.code().unwrap();
        let choice = mallory.press(&page, "continue", &[("code", &code)]).await;
        assert!(choice.title().starts_with("Where do you want"), "{on:?}");

        // Without the session nothing says that the password was typed: its page is there again.
        mallory.cookies.retain(|name, _| !name.ends_with("vs-acme"));
        let seen = send(&mut mallory, &choice, "username", &[("username", "victim")]).await;
        assert_eq!(seen.title(), "Enter your password", "{on:?}");
        assert_eq!(count(&world, "SELECT COUNT(*) AS n FROM evidence WHERE kind = 'mailbox'").await, 0, "{on:?}");
        assert_eq!(count(&world, "SELECT COUNT(*) AS n FROM enrollment WHERE state = 'open'").await, 0, "{on:?}");
        let seen = mallory.press(&seen, "continue", &[("password", PASSWORD)]).await;
        assert_eq!(seen.title(), "Add an authenticator", "{on:?}: the victim's mailbox is not proven");
        for form in ["platform", "code", "installed", "renew", "passcode"] {
            let fields = [("platform", "oath_app"), ("code", code.as_str())];
            assert_eq!(send(&mut mallory, &seen, form, &fields).await.title(), "Add an authenticator", "{on:?} {form}");
        }
        assert_eq!(world.events("login_completed").await, 1, "{on:?}: the portal's");
        world.stop().await;
    }
}

/// AC-04, AC-22, T-09, T-10: who has an authenticator, or is not in the rollout, gets nothing from any form of an
/// enrollment.
#[actix_web::test]
async fn who_has_a_token_or_no_right_cannot_enroll() {
    for on in BOTH {
        let world = World::new(on).await;
        for (name, password) in [("linus", LINUS), ("barbara", "not in the rollout")] {
            let mut person = Visitor::new(&world.url);
            let page = after_password(&world, &mut person, name, password).await;
            let before = rows(&world).await;
            let secret = world.column("SELECT serial AS it FROM token").await;
            for form in ENROLLMENT {
                let seen = send(&mut person, &page, form, &[("code", "123456"), ("platform", "oath_app")]).await;
                assert_eq!(seen.status, 403, "{on:?} {name} {form}: {}", seen.body);
            }
            assert_eq!(rows(&world).await, before, "{on:?} {name}");
            assert_eq!(world.column("SELECT serial AS it FROM token").await, secret, "{on:?}");
        }
        assert_eq!(world.mail.all().len(), 0, "{on:?}");
        // Nor after the passcode, when the login is done.
        let mut linus = Visitor::new(&world.url);
        let page = after_password(&world, &mut linus, "linus", LINUS).await;
        let code = passcode_of_linus(&world);
        code_of(&linus.press(&page, "continue", &[("code", &code)]).await);
        let before = rows(&world).await;
        for form in FORMS {
            let seen = send(&mut linus, &page, form, &[("code", "123456"), ("platform", "oath_app")]).await;
            assert_eq!((seen.status, &seen.leaves_to), (400, &None), "{on:?} {form}: {}", seen.title());
        }
        assert_eq!(rows(&world).await, before, "{on:?}: after the login");
        world.stop().await;
    }
}

/// T-10: a kind of device that is not allowed any more is not allowed at any later step either.
#[actix_web::test]
async fn a_platform_that_is_withdrawn_is_withdrawn_at_every_step() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&acme(&["u0", "u1", "u2", "u3", "u4"].map(person).concat())).await;
        let mut browsers = [(); 5].map(|()| Visitor::new(&world.url));
        let [u0, u1, u2, u3, u4] = &mut browsers;
        let choice = to_choice(&world, u0, "u0").await;
        let (standard, secret) = to_standard_app(&world, u1, "u1").await;
        let (_, string) = to_activation(&world, u2, "u2").await;
        let install = to_choice(&world, u3, "u3").await;
        let install = u3.press(&install, "platform-android", &[]).await;
        assert_eq!(install.title(), "Install the app");
        let (connected, confirmed) = to_activation(&world, u4, "u4").await;
        let early = Device::new(&confirmed, "command_line");
        let (status, claimed) = early.claim().await;
        assert_eq!(status, 200, "{claimed}");
        let (status, early_secret) = early.confirm(&claimed).await;
        assert_eq!(status, 200);
        let connected = u4.press(&connected, "check-now", &[]).await;
        assert_eq!(connected.title(), "One last step");

        let off = "[tenant.platforms.oath_app]\nallowed = false\n[tenant.platforms.command_line]\nallowed = false\n\
                   [tenant.platforms.android]\nallowed = false\n";
        world.apply(&acme(off)).await;

        let seen = u0.press(&choice, "platform-oath_app", &[]).await;
        assert_eq!(seen.complaint(), "This kind of device is not allowed. Choose another one.", "{on:?}");
        let answer = Device::new(&string, "command_line").claim().await;
        assert_eq!((answer.0, why(&answer)), (403, "act.platform"), "{on:?}");
        let seen = u3.press(&install, "continue", &[]).await;
        assert!(seen.title().starts_with("Where do you want"), "{on:?}: {}", seen.body);
        let code = oathtool(&world, &secret, "--totp=sha1", "6");
        let seen = u1.press(&standard, "continue", &[("code", &code)]).await;
        assert!(seen.title().starts_with("Where do you want"), "{on:?}: a standard app: {}", seen.body);
        let code = oathtool(&world, &early_secret, "--totp=sha256", "6");
        let seen = u4.press(&connected, "continue", &[("code", &code)]).await;
        assert!(seen.title().starts_with("Where do you want"), "{on:?}: a device that was connected: {}", seen.body);
        assert!(!seen.has_action("platform-command_line") && seen.has_action("platform-ios"), "{on:?}");
        assert_eq!(world.events("token_enrolled").await, 0, "{on:?}");
        assert_eq!(world.events("login_completed").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// Where a login is when something about its person changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Password,
    Offer,
    Code,
    Choice,
    StandardApp,
    Connected,
}

const PLACES: [At; 6] = [At::Password, At::Offer, At::Code, At::Choice, At::StandardApp, At::Connected];

/// A login that waits somewhere: its page, and the form, field and value that would lead on.
struct Waiting {
    browser: Visitor,
    page: Seen,
    next: (&'static str, &'static str, String),
}

impl Waiting {
    async fn new(world: &World, at: At, name: &str) -> Self {
        let mut browser = Visitor::new(&world.url);
        let (page, next) = match at {
            At::Password => {
                let seen = browser.get(&authorize(world, "")).await;
                let seen = browser.press(&seen, "continue", &[("username", name)]).await;
                (seen, ("password", "password", PASSWORD.to_owned()))
            }
            At::Offer => {
                let seen = after_password(world, &mut browser, name, PASSWORD).await;
                (seen, ("add-authenticator", "none", String::new()))
            }
            At::Code => {
                let (seen, code) = to_code(world, &mut browser, name).await;
                (seen, ("code", "code", code))
            }
            At::Choice => (to_choice(world, &mut browser, name).await, ("platform", "platform", "oath_app".to_owned())),
            At::StandardApp => {
                let (seen, secret) = to_standard_app(world, &mut browser, name).await;
                (seen, ("passcode", "code", oathtool(world, &secret, "--totp=sha1", "6")))
            }
            At::Connected => {
                let (seen, string) = to_activation(world, &mut browser, name).await;
                let device = Device::new(&string, "command_line");
                let (status, claimed) = device.claim().await;
                assert_eq!(status, 200, "{claimed}");
                let (status, secret) = device.confirm(&claimed).await;
                assert_eq!(status, 200);
                (seen, ("passcode", "code", oathtool(world, &secret, "--totp=sha256", "6")))
            }
        };
        Self { browser, page, next }
    }

    async fn go_on(&mut self) -> Seen {
        let (form, name, value) = &self.next;
        send(&mut self.browser, &self.page, form, &[(name, value)]).await
    }
}

/// AC-23, T-03, T-10, T-11, INV-11: whatever changes about a person in the middle of a login, at whatever step: the
/// login ends or is refused, and nothing comes of it.
#[actix_web::test]
async fn a_login_does_not_survive_a_change_of_its_account() {
    for on in BOTH {
        let world = World::new(on).await;
        let changes = [
            ("password", "password = \"a new one\""),
            ("email", "email = \"new@acme.test\""),
            ("disabled", "enabled = false"),
            ("group", "groups = []"),
        ];
        let all = PLACES.iter().flat_map(|at| changes.iter().map(move |(what, how)| (*at, *what, *how)));
        let all: Vec<_> = all.map(|(at, what, how)| (at, what, how, format!("{at:?}-{what}").to_lowercase())).collect();
        let people: String = all.iter().map(|(_, _, _, name)| person(name)).collect();
        world.apply(&acme(&format!("{people}{}", person("witness")))).await;
        let mut waiting = Vec::new();
        for (at, _, _, name) in &all {
            waiting.push(Waiting::new(&world, *at, name).await);
        }
        let mut witness = Waiting::new(&world, At::Connected, "witness").await;
        let changed: String =
            all.iter().map(|(_, _, how, name)| format!("[[tenant.user]]\nusername = \"{name}\"\n{how}\n")).collect();
        world.apply(&acme(&changed)).await;
        // The letter to an address that was replaced (R-582) is another matter.
        let mails = || {
            let all = world.mail.all();
            all.iter().filter(|mail| !mail.subject().contains("email address of your account")).count()
        };
        let before = mails();
        for ((at, what, _, name), waiting) in all.iter().zip(&mut waiting) {
            let seen = waiting.go_on().await;
            let told = waiting.browser.get(&format!("{}{}", world.url, desk(&waiting.page))).await;
            let note = format!("{on:?} {name}: {} / {}", seen.title(), told.title());
            let expected = match (*at, *what) {
                (At::Password, "password") => "Enter your password",
                (_, "group") => "You need an authenticator",
                _ => "This login has ended",
            };
            assert_eq!(told.title(), expected, "{note}");
            assert_eq!((&seen.leaves_to, &told.leaves_to), (&None, &None), "{note}");
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert_eq!(mails(), before, "{on:?}: no code, no notice");
        for table in ["SELECT COUNT(*) AS n FROM token WHERE enrolled_by = 'self'", ROWS[9], ROWS[10]] {
            assert_eq!(count(&world, table).await, 0, "{on:?}: {table}");
        }
        // That the others were stopped means something only if this one is not.
        assert!(!code_of(&witness.go_on().await).0.is_empty(), "{on:?}");
        world.stop().await;
    }
}

/// T-10, T-11: a policy that denies, or that takes enrollment away from everybody, holds for logins that are under way.
#[actix_web::test]
async fn a_changed_policy_holds_for_logins_under_way() {
    for (on, policy, title) in [
        (On::Sqlite, "[tenant.global_policy]\ndecision = \"deny\"\n", "No access"),
        (On::MariaDb, "[tenant.global_policy]\ndecision = \"deny\"\n", "No access"),
        (
            On::Sqlite,
            &["ios", "android", "windows", "command_line", "oath_app"]
                .map(|name| format!("[tenant.platforms.{name}]\nallowed = false\n"))
                .concat(),
            "You need an authenticator",
        ),
    ] {
        let world = World::new(on).await;
        let people: String = PLACES.iter().map(|at| person(&format!("{at:?}"))).collect();
        world.apply(&acme(&people)).await;
        let mut waiting = Vec::new();
        for at in PLACES {
            waiting.push((at, Waiting::new(&world, at, &format!("{at:?}").to_lowercase()).await));
        }
        let mut linus = Visitor::new(&world.url);
        let linus_page = after_password(&world, &mut linus, "linus", LINUS).await;
        world.apply(&acme(policy)).await;
        for (at, waiting) in &mut waiting {
            let seen = waiting.go_on().await;
            let told = waiting.browser.get(&format!("{}{}", world.url, desk(&waiting.page))).await;
            assert_eq!((told.title().as_str(), &seen.leaves_to), (title, &None), "{on:?} {at:?}: {}", seen.body);
        }
        if title == "No access" {
            let code = passcode_of_linus(&world);
            let seen = linus.press(&linus_page, "continue", &[("code", &code)]).await;
            assert_eq!(seen.title(), title, "{on:?}");
        }
        for table in ["SELECT COUNT(*) AS n FROM token WHERE enrolled_by = 'self'", ROWS[9], ROWS[10]] {
            assert_eq!(count(&world, table).await, 0, "{on:?}: {table}");
        }
        world.stop().await;
    }
}

/// T-11: between the passcode and the answer, and between the answer and the tokens, there is time for a change, too.
#[actix_web::test]
async fn a_change_after_the_passcode_still_counts() {
    for on in BOTH {
        let world = World::new(on).await;
        let changes = ["password = \"a new one\"", "enabled = false", "email = \"elsewhere@acme.test\""];
        for (number, change) in changes.iter().enumerate() {
            // Each change with a fresh name, and each name at three places.
            let names = ["posted", "granted", "coded"].map(|place| format!("{place}{number}"));
            let people: String = names
                .iter()
                .map(|name| {
                    person(name)
                        + "[[tenant.user.token]]\ntype = \"oath_app\"\n\
                           secret_base32 = \"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\"\nperiod_seconds = 30\n"
                })
                .collect();
            world.apply(&acme(&people)).await;
            let mut browsers = Vec::new();
            for name in &names {
                let mut browser = Visitor::new(&world.url);
                let page = after_password(&world, &mut browser, name, PASSWORD).await;
                assert_eq!(page.title(), "Enter your passcode");
                let fields = [field("csrf", &csrf(&page)), field("code", &passcode_of_linus(&world))];
                let url = format!("{}/passcode", desk(&page));
                let posted = browser.once(Method::POST, &url, Some(fields.to_vec())).await;
                assert_eq!(posted.status, 303, "{}", posted.body);
                browsers.push((browser, page));
            }
            let (granted, page) = &mut browsers[1];
            let resume = granted.once(Method::GET, &desk(page), None).await;
            let resume = resume.headers["location"].to_str().unwrap().to_owned();
            assert!(resume.contains("/oidc/resume/"), "{resume}");
            let (coded, page) = &mut browsers[2];
            let (code, _) = code_of(&coded.get(&desk(page)).await);
            assert!(!code.is_empty());

            let changed: String =
                names.iter().map(|name| format!("[[tenant.user]]\nusername = \"{name}\"\n{change}\n")).collect();
            world.apply(&acme(&changed)).await;
            let before = count(&world, ROWS[10]).await;
            let (posted, page) = &mut browsers[0];
            let seen = posted.get(&desk(page)).await;
            assert_eq!((seen.title().as_str(), seen.leaves_to), ("This login has ended", None), "{on:?} {change}");
            let (granted, _) = &mut browsers[1];
            let seen = granted.get(&resume).await;
            assert!(!seen.leaves_to.unwrap_or_default().contains("code="), "{on:?} {change}");
            let silent = granted.get(&authorize(&world, "&prompt=none")).await;
            assert!(silent.leaves_to.unwrap().contains("error=login_required"), "{on:?} {change}");
            assert_eq!(count(&world, ROWS[10]).await, before, "{on:?} {change}");
            let (status, tokens) = redeem(&world, &code).await;
            assert_eq!((status, tokens["error"].as_str()), (400, Some("invalid_grant")), "{on:?} {change}: {tokens}");
        }
        world.stop().await;
    }
}

/// AC-14, AC-16, AC-17, AC-18, T-05: an activation string is good once, for one device, in one tenant, as the newest,
/// and only whole.
#[actix_web::test]
async fn an_activation_string_is_good_for_one_thing_only() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply("[[tenant]]\ncode = \"blue\"\nname = \"Blue\"\n").await;
        let mut ada = Visitor::new(&world.url);
        let (page, old) = to_activation(&world, &mut ada, "ada").await;
        world.advance(1);
        let renewed = send(&mut ada, &page, "renew", &[]).await;
        let string = renewed.find("[data-activation-string]").unwrap();
        assert_ne!(old, string);

        let replaced = Device::new(&old, "command_line").claim().await;
        assert_eq!((replaced.0, why(&replaced)), (410, "act.expired"), "{on:?}: AC-18");

        // AC-16: another tenant answers as it answers to garbage.
        let elsewhere = string.replace("/t/acme/", "/t/blue/");
        let answer = Device::new(&elsewhere, "command_line").claim().await;
        let mut garbage = Device::new(&elsewhere, "command_line");
        garbage.hello.activation = vestibule::domain::ids::Id::from_bits(rand::random());
        assert_eq!(answer, garbage.claim().await, "{on:?}");
        assert_eq!(answer.0, 404, "{on:?}");

        // AC-17, and a platform that is none.
        for platform in ["windows", "ios", "oath_app", "COMMAND_LINE", "toaster", ""] {
            let answer = Device::new(&string, platform).claim().await;
            assert_eq!((answer.0, why(&answer)), (403, "act.platform"), "{on:?} {platform}");
        }
        // A flipped bit of the secret or of the identifier; the app's own checksum would notice before.
        for bit in [0, 64, 127] {
            let mut device = Device::new(&string, "command_line");
            let mut octets = device.secret.expose().to_vec();
            octets[bit / 8] ^= 1 << (bit % 8);
            device.secret = SecretBytes::new(octets);
            let answer = device.claim().await;
            assert_eq!((answer.0, why(&answer)), (403, "act.secret"), "{on:?} {bit}");
        }
        for broken in [&string[..string.len() - 1], &format!("{string}A"), &string.to_uppercase()] {
            assert!(ActivationString::parse(broken).is_err(), "{broken}");
        }
        // What the page shows is no code and no passcode, here or in another login.
        let seen = send(&mut ada, &renewed, "code", &[("code", &string)]).await;
        assert_eq!(seen.title(), "Connect your authenticator", "{on:?}");
        let seen = send(&mut ada, &renewed, "passcode", &[("code", &string)]).await;
        assert_eq!(seen.title(), "Connect your authenticator", "{on:?}");
        assert_eq!(world.events("activation_claimed").await, 0, "{on:?}");

        // AC-14: the right device, and then another one, at any time.
        let device = Device::new(&string, "command_line");
        let claimed = device.claim().await;
        assert_eq!(claimed.0, 200, "{on:?}: {}", claimed.1);
        assert_eq!(device.claim().await.1, claimed.1, "{on:?}: its own lost answer");
        let second = Device::new(&string, "command_line").claim().await;
        assert_eq!((second.0, why(&second)), (409, "act.used"), "{on:?}");
        let (status, secret) = device.confirm(&claimed.1).await;
        assert_eq!(status, 200, "{on:?}");
        let third = Device::new(&string, "command_line").claim().await;
        assert_eq!((third.0, why(&third)), (409, "act.used"), "{on:?}");
        assert_eq!(world.events("activation_reused").await, 2, "{on:?}");
        let code = oathtool(&world, &secret, "--totp=sha256", "6");
        let seen = send(&mut ada, &renewed, "passcode", &[("code", &code)]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}");
        assert_eq!(world.events("token_enrolled").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// T-05: ten failed presentations end an activation, and it is void with its login.
#[actix_web::test]
async fn an_activation_is_not_guessed_and_dies_with_its_login() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let (page, string) = to_activation(&world, &mut ada, "ada").await;
        let mut wrong = Device::new(&string, "command_line");
        let right = std::mem::replace(&mut wrong.secret, SecretBytes::new(vec![0; 16]));
        let answers = join_all((0..16).map(|_| wrong.claim())).await;
        let compared = answers.iter().filter(|answer| why(answer) == "act.secret").count();
        assert_eq!(compared, 10, "{on:?}: {answers:?}");
        wrong.secret = right;
        let late = wrong.claim().await;
        assert_eq!((late.0, why(&late)), (423, "act.locked"), "{on:?}");
        assert_eq!(world.events("activation_locked").await, 1, "{on:?}");
        assert_eq!(world.events("alert_raised").await, 1, "{on:?} R-168: the operators hear of it");
        // A new one, and then the person cancels.
        world.advance(1);
        let page = send(&mut ada, &page, "renew", &[]).await;
        let string = page.find("[data-activation-string]").unwrap();
        send(&mut ada, &page, "cancel", &[]).await;
        let answer = Device::new(&string, "command_line").claim().await;
        assert_eq!((answer.0, why(&answer)), (410, "act.expired"), "{on:?}");
        // Or time passes.
        world.advance(61);
        let (_, string) = to_activation(&world, &mut Visitor::new(&world.url), "ada").await;
        world.advance(601);
        let answer = Device::new(&string, "command_line").claim().await;
        assert_eq!((answer.0, why(&answer)), (410, "act.expired"), "{on:?}");
        assert_eq!(world.events("activation_claimed").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// R-647: an app that speaks another version hears so, whatever else its claim has or lacks.
#[actix_web::test]
async fn a_claim_of_another_version_is_told_the_version() {
    let world = World::new(On::Sqlite).await;
    let (_, string) = to_activation(&world, &mut Visitor::new(&world.url), "ada").await;
    let device = Device::new(&string, "command_line");
    let id = device.hello.activation.to_string();
    for (body, code) in [
        (serde_json::json!({ "version": 2, "activation": id, "hello": "2" }), "act.version"),
        (serde_json::json!({ "version": 0 }), "act.version"),
        (serde_json::json!({ "version": 1, "activation": id }), "act.malformed"),
        (serde_json::json!({ "activation": id }), "act.malformed"),
        (serde_json::json!({ "version": "1", "activation": id }), "act.malformed"),
        (serde_json::json!([1]), "act.malformed"),
    ] {
        let answer = device.call("claim", &body).await;
        assert_eq!((answer.0, why(&answer)), (400, code), "{body}");
    }
    assert_eq!(device.claim().await.0, 200, "none of them was a try");
    world.stop().await;
}

/// R-094, R-152: a device that confirms when its person has enrolled in another browser meanwhile is refused, and hears the same when
/// it asks again: it must never keep an authenticator that the server does not have.
#[actix_web::test]
async fn a_device_that_comes_too_late_is_told_so_each_time() {
    for on in BOTH {
        let world = World::new(on).await;
        let (_, string) = to_activation(&world, &mut Visitor::new(&world.url), "ada").await;
        let device = Device::new(&string, "command_line");
        let (status, claimed) = device.claim().await;
        assert_eq!(status, 200, "{on:?}: {claimed}");
        let mut other = Visitor::new(&world.url);
        let (page, secret) = to_standard_app(&world, &mut other, "ada").await;
        let code = oathtool(&world, &secret, "--totp=sha1", "6");
        let seen = other.press(&page, "continue", &[("code", &code)]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        for number in 1..=3 {
            let late = device.confirmed(&claimed).await;
            assert_eq!((late.0, why(&late)), (410, "act.expired"), "{on:?}: number {number}");
        }
        assert_eq!(world.events("activation_confirmed").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// AC-19, AC-20, T-06, INV-12: whoever scans over the shoulder has a device that counts for nothing, and the owner can
/// begin again at once.
#[actix_web::test]
async fn a_spy_who_scans_first_gains_nothing() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let (page, string) = to_activation(&world, &mut ada, "ada").await;
        let spy = Device::new(&string, "command_line");
        let (status, claimed) = spy.claim().await;
        assert_eq!(status, 200, "{claimed}");
        let (status, secret) = spy.confirm(&claimed).await;
        assert_eq!(status, 200);
        let victim = Device::new(&string, "command_line").claim().await;
        assert_eq!((victim.0, why(&victim)), (409, "act.used"), "{on:?}");

        let code = oathtool(&world, &secret, "--totp=sha256", "6");
        // Without the browser's cookie the passcode ends nothing,
        let mut stranger = Visitor::new(&world.url);
        let seen = send(&mut stranger, &page, "passcode", &[("code", &code)]).await;
        assert_eq!(seen.status, 400, "{on:?}");
        // and in a login of the spy's own, who knows the password, it is no passcode of ada's (AC-20).
        let offer = after_password(&world, &mut stranger, "ada", PASSWORD).await;
        assert_eq!(offer.title(), "Add an authenticator", "{on:?}");
        let seen = send(&mut stranger, &offer, "passcode", &[("code", &code)]).await;
        assert_eq!((seen.title().as_str(), seen.leaves_to), ("Add an authenticator", None), "{on:?}");
        assert_eq!(world.events("passcode_accepted").await + world.events("token_enrolled").await, 0, "{on:?}");

        // The owner has no passcode for what the spy connected: she changes the device and goes on.
        let seen = send(&mut ada, &page, "passcode", &[("code", other_than(&code))]).await;
        assert!(seen.complaint().contains("was not accepted"), "{on:?}");
        let seen = send(&mut ada, &seen, "change-platform", &[]).await;
        let seen = ada.press(&seen, "platform-oath_app", &[]).await;
        let own = seen.find("[data-activation-string]").unwrap().replace(' ', "");
        let spys = send(&mut ada, &seen, "passcode", &[("code", &code)]).await;
        assert!(spys.complaint().contains("was not accepted"), "{on:?}: what the spy has is forgotten");
        let code = oathtool(&world, &own, "--totp=sha1", "6");
        let seen = ada.press(&seen, "continue", &[("code", &code)]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        assert_eq!(count(&world, "SELECT COUNT(*) AS n FROM token WHERE enrolled_by = 'self'").await, 1, "{on:?}");
        let late = spy.confirm(&claimed).await;
        assert_ne!(late.0, 500, "{on:?}");
        assert_eq!(world.events("activation_confirmed").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// AC-21, T-08: a link into somebody else's login is worth nothing, and a session moves only logins of its own browser.
#[actix_web::test]
async fn a_login_is_not_handed_over() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply("[[tenant]]\ncode = \"blue\"\nname = \"Blue\"\n").await;
        let mut mallory = Visitor::new(&world.url);
        let trap = after_password(&world, &mut mallory, "linus", LINUS).await;
        let mut linus = Visitor::new(&world.url);
        linus_in(&world, &mut linus).await;
        let before = rows(&world).await;
        let id = desk(&trap).rsplit('/').next().unwrap().to_owned();
        for url in [
            trap.url.clone(),
            format!("{}?language=de", trap.url),
            format!("{}/events", trap.url),
            format!("{}/oidc/resume/{id}", world.base()),
            format!("{}/saml/resume/{id}", world.base()),
            format!("{}/portal/resume/{id}", world.base()),
        ] {
            let seen = linus.get(&url).await;
            assert_eq!((seen.status, seen.leaves_to), (400, None), "{on:?} {url}");
        }
        for form in FORMS {
            let seen = send(&mut linus, &trap, form, &[("code", "123456"), ("username", "linus")]).await;
            assert_eq!(seen.status, 400, "{on:?} {form}");
        }
        assert_eq!(rows(&world).await, before, "{on:?}");
        assert_eq!(mallory.get(&trap.url).await.title(), "Enter your passcode", "{on:?}: where it was");
        // The token of one login's forms opens no other, not even in the same browser.
        let other = mallory.get(&authorize(&world, "")).await;
        let url = format!("{}/username", desk(&other));
        let seen = mallory.post(&url, &[field("csrf", &csrf(&trap)), field("username", "ada")]).await;
        assert_eq!(seen.status, 403, "{on:?}");
        // A login of one tenant is none of another, whatever the cookie is called.
        let cookies = mallory.cookies.clone();
        let seen = mallory.get(&trap.url.replace("/t/acme/", "/t/blue/")).await;
        assert_eq!(seen.status, 400, "{on:?}");
        // And neither is a session.
        let session = linus.cookies.get("vs-acme").unwrap().clone();
        linus.cookies.remove("lang");
        linus.cookies.insert("vs-blue".to_owned(), session);
        let seen = linus.get(&format!("{}/t/blue/", world.url)).await;
        assert_eq!(seen.title(), "Log in", "{on:?}: {}", seen.body);
        assert!(!cookies.is_empty());
        world.stop().await;
    }
}

/// AC-27, T-14: what is not exactly the passcode is no passcode.
#[actix_web::test]
async fn sloppy_passcodes_are_refused() {
    for on in BOTH {
        let world = World::new(on).await;
        // What is tried here is more than the name alone would be given.
        world.apply(&acme("[tenant.lockout]\nthreshold = 0\n")).await;
        let mut linus = Visitor::new(&world.url);
        let mut page = after_password(&world, &mut linus, "linus", LINUS).await;
        let digit = |c: char, zero: u32| char::from_u32(zero + c.to_digit(10).unwrap()).unwrap();
        let right = passcode_of_linus(&world);
        let of = |zero: u32| right.chars().map(|c| digit(c, zero)).collect::<String>();
        let sloppy = [
            "1".to_owned(),
            right[..5].to_owned(),
            format!("0{right}"),
            format!("{right}0"),
            format!("+{right}"),
            format!("-{right}x"),
            format!("{right}\0"),
            format!("{right}\u{200b}"),
            format!("{right}.0"),
            of(0xff10),
            of(0x0660),
            of(0x1d7ce),
            format!("0x{:x}", right.parse::<u32>().unwrap()),
            format!("{right}' OR '1'='1"),
            "x".repeat(8000),
            "%".to_owned(),
            "......".to_owned(),
            "______".to_owned(),
            right.split("").collect::<Vec<_>>().join(" "),
        ];
        let check = |seen: &Seen, typed: &str| {
            assert_eq!((seen.status, seen.title().as_str()), (200, "Enter your passcode"), "{on:?} {typed:?}");
            assert!(!seen.complaint().is_empty(), "{on:?} {typed:?}");
        };
        for typed in &sloppy {
            page = linus.press(&page, "continue", &[("code", typed)]).await;
            check(&page, typed);
        }
        // A list of passcodes is none.
        for fields in [
            vec![("code", right.as_str()), ("code", right.as_str())],
            vec![("code", "000000"), ("code", right.as_str())],
            vec![("code[]", right.as_str())],
            vec![("code[0]", right.as_str())],
            vec![("Code", right.as_str())],
            vec![("code", "")],
            vec![],
        ] {
            page = send(&mut linus, &page, "passcode", &fields).await;
            check(&page, &format!("{fields:?}"));
        }
        assert_eq!(world.events("passcode_accepted").await, 0, "{on:?}");
        // The waits between wrong ones grow; after them the right one is still right.
        world.advance(60);
        let right = passcode_of_linus(&world);
        let seen = linus.press(&page, "continue", &[("code", &right)]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        world.stop().await;
    }
}

const EVENT_TOKEN: &str = "[[tenant.user.token]]\ntype = \"oath_app\"\ncounter = 5\n\
                           secret_base32 = \"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\"\n";

/// AC-24, T-13, INV-4: the counter of an event token only rises, at whichever instance, and one that is far ahead needs
/// two passcodes in a row.
#[actix_web::test]
async fn a_counter_only_rises() {
    for on in BOTH {
        let world = World::new(on).await;
        let (second, _) = world.second().await;
        world.apply(&acme(&format!("[tenant.lockout]\nthreshold = 0\n{}{EVENT_TOKEN}", person("grace")))).await;
        let secret = data_encoding::BASE32_NOPAD.decode(b"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP").unwrap();
        let secret = SecretBytes::new(secret);
        let at = |counter| hotp::passcode(&secret, Algorithm::Sha1, 6, counter);
        let position = "SELECT last_position AS n FROM token WHERE user_id = (SELECT id FROM user_account WHERE \
                        username = 'grace')";
        let mut grace = Visitor::new(&world.url);
        let page = after_password(&world, &mut grace, "grace", PASSWORD).await;
        let seen = grace.press(&page, "continue", &[("code", &at(5))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        assert_eq!(count(&world, position).await, 5, "{on:?}");

        // The same one and those before it, at both instances.
        let mut grace = Visitor::new(&world.url);
        let mut page = after_password(&world, &mut grace, "grace", PASSWORD).await;
        for (number, counter) in [5, 4, 0, 5].into_iter().enumerate() {
            world.advance(31);
            let fields = [field("csrf", &csrf(&page)), field("code", &at(counter))];
            let server = if number % 2 == 0 { &second } else { &world.url };
            let url = format!("{server}{}/passcode", desk(&page));
            let seen = grace.once(Method::POST, &url, Some(fields.to_vec())).await;
            assert!(seen.complaint().contains("was not accepted"), "{on:?} {counter}: {}", seen.body);
        }
        assert_eq!(count(&world, position).await, 5, "{on:?}");
        // Far ahead: one is not enough, one that is not the next is not, and something wrong in between begins anew.
        for (typed, almost) in [(at(40), true), (at(42), true), ("000000".to_owned(), false), (at(43), true)] {
            world.advance(31);
            page = grace.press(&page, "continue", &[("code", &typed)]).await;
            assert_eq!(page.complaint().starts_with("Almost."), almost, "{on:?} {typed}: {}", page.complaint());
            assert_eq!(count(&world, position).await, 5, "{on:?}");
        }
        // What one login began another does not finish.
        let mut other = Visitor::new(&world.url);
        let elsewhere = after_password(&world, &mut other, "grace", PASSWORD).await;
        let seen = other.press(&elsewhere, "continue", &[("code", &at(44))]).await;
        assert!(seen.complaint().starts_with("Almost."), "{on:?}: {}", seen.complaint());
        let seen = grace.press(&page, "continue", &[("code", &at(44))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        assert_eq!(count(&world, position).await, 44, "{on:?}");
        world.advance(31);
        let seen = other.press(&elsewhere, "continue", &[("code", &at(45))]).await;
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: the next one is the next one: {}", seen.body);
        assert_eq!(count(&world, position).await, 45, "{on:?}");
        world.stop().await;
    }
}

/// AC-24, T-13: a passcode that opened one login opens no other, before and after a restart of the other instance.
#[actix_web::test]
async fn a_passcode_is_used_up_everywhere() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut first = Visitor::new(&world.url);
        let code = passcode_of_linus(&world);
        linus_in(&world, &mut first).await;
        let (second, _) = world.second().await;
        for server in [&world.url, &second] {
            let mut thief = Visitor::new(&world.url);
            let page = after_password(&world, &mut thief, "linus", LINUS).await;
            let fields = [field("csrf", &csrf(&page)), field("code", &code)];
            let url = format!("{server}{}/passcode", desk(&page));
            let seen = thief.once(Method::POST, &url, Some(fields.to_vec())).await;
            assert!(seen.complaint().contains("was not accepted"), "{on:?}: {}", seen.body);
        }
        assert_eq!(world.events("passcode_reused").await, 2, "{on:?}");
        let warning = world.mail("linus@acme.test", 1).await;
        assert_eq!(warning.subject(), "A passcode was used twice", "{on:?}");
        world.stop().await;
    }
}

/// AC-25, T-12: a hundred wrong passcodes end a token, however patient somebody is and whatever the lockout says.
#[actix_web::test]
async fn a_hundred_wrong_passcodes_end_a_token() {
    let world = World::new(On::Sqlite).await;
    world.apply(&acme("[tenant.lockout]\nthreshold = 0\n")).await;
    let mut tries = 0;
    'logins: loop {
        let mut thief = Visitor::new(&world.url);
        world.advance(31);
        let page = thief.get(&authorize(&world, "")).await;
        let page = thief.press(&page, "continue", &[("username", "linus")]).await;
        if page.title() == "Your account is locked" {
            break;
        }
        let mut page = thief.press(&page, "continue", &[("password", LINUS)]).await;
        for _ in 0..15 {
            if page.title() != "Enter your passcode" {
                break 'logins;
            }
            world.advance(31);
            page = thief.press(&page, "continue", &[("code", wrong_passcode(&world))]).await;
            tries += 1;
        }
        assert!(tries < 200, "it never ends");
    }
    assert!((90..=101).contains(&tries), "{tries}");
    assert_eq!(world.events("token_locked").await, 1);
    world.advance(86_400);
    let mut linus = Visitor::new(&world.url);
    let page = linus.get(&authorize(&world, "")).await;
    let page = linus.press(&page, "continue", &[("username", "linus")]).await;
    let page = linus.press(&page, "continue", &[("password", LINUS)]).await;
    assert_eq!(page.title(), "Your account is locked", "only the help desk helps");
    let seen = send(&mut linus, &page, "passcode", &[("code", &passcode_of_linus(&world))]).await;
    assert_eq!(seen.leaves_to, None, "{}", seen.body);
    assert_eq!(world.events("passcode_accepted").await, 0);
    world.stop().await;
}

/// AC-25: only wrong passcodes one after the other count: an authenticator in a drawer does not collect those of a whole life.
#[actix_web::test]
async fn one_authenticator_that_works_clears_the_others() {
    for on in BOTH {
        let world = World::new(on).await;
        let same = "user_id, kind, name, state, state_reason, state_at, template, template_version, last_position, drift_steps, \
                    device, device_counter, enrolled_by, enrolled_address, enrolled_at, renew_before, updated_at";
        let drawer = format!(
            "INSERT INTO token (tenant_id, id, serial, failed_count, {same}) SELECT tenant_id, ?, 'DRAWER1', 99, {same} FROM token"
        );
        world.execute(drawer.leak(), "aaaaaaaaaaaaaaaaaaaaaaaaaa").await;
        let mut linus = Visitor::new(&world.url);
        let page = after_password(&world, &mut linus, "linus", LINUS).await;
        linus.press(&page, "continue", &[("code", &passcode_of_linus(&world))]).await;
        assert_eq!(world.events("passcode_accepted").await, 1, "{on:?}");
        assert_eq!(world.number("SELECT MAX(failed_count) AS n FROM token").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// AC-26, T-12: one counter for every entrance: what was wrong at one door counts at the others.
#[actix_web::test]
async fn every_door_counts_the_same_failures() {
    for on in BOTH {
        let world = World::new(on).await;
        let doors = [
            authorize(&world, ""),
            format!("{}/", world.base()),
            crate::door_saml::redirect(&world, &crate::door_saml::request(&world, "", "")),
            authorize(&world, "&prompt=login"),
        ];
        for (number, door) in doors.iter().enumerate() {
            let mut thief = Visitor::new(&world.url);
            world.advance(31);
            let page = thief.get(door).await;
            let page = thief.press(&page, "continue", &[("username", "linus")]).await;
            let page = thief.press(&page, "continue", &[("password", LINUS)]).await;
            assert_eq!(page.title(), "Enter your passcode", "{on:?} {door}: {}", page.body);
            world.advance(31);
            let seen = thief.press(&page, "continue", &[("code", wrong_passcode(&world))]).await;
            let locked = number == doors.len() - 1;
            assert_eq!(seen.title() == "Your account is locked", locked, "{on:?} {door}: {}", seen.title());
        }
        for door in [&doors[0], &doors[1]] {
            let mut thief = Visitor::new(&world.url);
            let page = thief.get(door).await;
            let page = thief.press(&page, "continue", &[("username", "linus")]).await;
            world.advance(31);
            let page = thief.press(&page, "continue", &[("password", LINUS)]).await;
            assert_eq!(page.title(), "Your account is locked", "{on:?} {door}");
        }
        assert_eq!(world.events("account_locked").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// AC-30, T-17, R-335: strangers lock a name, not its owner’s browser.
#[actix_web::test]
async fn strangers_do_not_lock_the_owner_out() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut linus = Visitor::new(&world.url);
        linus_in(&world, &mut linus).await;
        for _ in 0..4 {
            world.advance(31);
            let seen = after_password(&world, &mut Visitor::new(&world.url), "linus", "wrong").await;
            assert!(!seen.complaint().is_empty() || seen.title() == "Your account is locked", "{on:?}");
        }
        let mut stranger = Visitor::new(&world.url);
        let seen = stranger.get(&authorize(&world, "")).await;
        let seen = stranger.press(&seen, "continue", &[("username", "linus")]).await;
        assert_eq!(seen.title(), "Enter your password", "{on:?}: R-332: a name alone is told nothing");
        world.advance(31);
        let seen = stranger.press(&seen, "continue", &[("password", LINUS)]).await;
        assert_eq!(seen.title(), "Your account is locked", "{on:?}: even with the right password");
        // A cookie that was made up is no known browser.
        stranger.cookies.insert("vk-acme".to_owned(), "A".repeat(43));
        let seen = stranger.get(&authorize(&world, "")).await;
        let seen = stranger.press(&seen, "continue", &[("username", "linus")]).await;
        let seen = stranger.press(&seen, "continue", &[("password", LINUS)]).await;
        assert_eq!(seen.title(), "Your account is locked", "{on:?}");
        // The owner's browser, even after its session.
        world.advance(30);
        linus.cookies.remove("vs-acme");
        assert!(!linus_in(&world, &mut linus).await.is_empty(), "{on:?}");
        // That browser's knowledge is of linus, and of nobody else whom strangers locked.
        for _ in 0..4 {
            world.advance(31);
            after_password(&world, &mut Visitor::new(&world.url), "ada", "wrong").await;
        }
        linus.cookies.remove("vs-acme");
        let seen = linus.get(&authorize(&world, "&prompt=login")).await;
        let seen = send(&mut linus, &seen, "switch-user", &[]).await;
        let seen = linus.press(&seen, "continue", &[("username", "ada")]).await;
        world.advance(31);
        let seen = linus.press(&seen, "continue", &[("password", PASSWORD)]).await;
        assert_eq!(seen.title(), "Your account is locked", "{on:?}");
        world.stop().await;
    }
}

/// AC-11, T-04, INV-5: forty wrong codes at once at two instances are five tries, and the right one comes too late.
#[actix_web::test]
async fn codes_at_once_are_five_tries() {
    for on in BOTH {
        let world = World::new(on).await;
        let (second, _) = world.second().await;
        let mut ada = Visitor::new(&world.url);
        let (page, code) = to_code(&world, &mut ada, "ada").await;
        let tries = (0..40).map(|number| {
            let mut tab = ada.clone();
            let fields = vec![field("csrf", &csrf(&page)), field("code", other_than(&code))];
            let server = if number % 2 == 0 { &world.url } else { &second };
            let url = format!("{server}{}/code", desk(&page));
            async move { tab.once(Method::POST, &url, Some(fields)).await.status }
        });
        let answers = join_all(tries).await;
        assert!(answers.iter().all(|status| matches!(status, 200 | 303 | 503)), "{on:?}: {answers:?}");
        assert_eq!(world.events("code_rejected").await, 5, "{on:?}");
        let late = send(&mut ada, &page, "code", &[("code", &code)]).await;
        assert_eq!((late.title().as_str(), late.leaves_to), ("This login has ended", None), "{on:?}");
        assert_eq!(world.events("code_verified").await, 0, "{on:?}");
        world.stop().await;
    }
}

/// AC-26, T-07, T-12, INV-5: sixteen wrong secrets at once at two instances are no more tries than one
/// after the other: the lockout's.
#[actix_web::test]
async fn guesses_at_once_are_not_more_guesses() {
    for on in BOTH {
        let world = World::new(on).await;
        let (second, _) = world.second().await;
        for (name, form, key, action) in [
            ("linus", "passcode", "code", "passcode_rejected"),
            ("barbara", "password", "password", "password_rejected"),
            ("nobody", "password", "password", "password_rejected"),
        ] {
            let mut waiting = Vec::new();
            for _ in 0..16 {
                let mut thief = Visitor::new(&world.url);
                let page = if form == "passcode" {
                    after_password(&world, &mut thief, name, LINUS).await
                } else {
                    let seen = thief.get(&authorize(&world, "")).await;
                    thief.press(&seen, "continue", &[("username", name)]).await
                };
                waiting.push((thief, page));
            }
            let before = world.events(action).await;
            let tries = waiting.iter_mut().enumerate().map(|(number, (thief, page))| {
                let fields = vec![field("csrf", &csrf(page)), field(key, wrong_passcode(&world))];
                let server = if number % 2 == 0 { &world.url } else { &second };
                let url = format!("{server}{}/{form}", desk(page));
                async move { thief.once(Method::POST, &url, Some(fields)).await.status }
            });
            let answers = join_all(tries).await;
            assert!(answers.iter().all(|status| matches!(status, 200 | 303)), "{on:?} {name}: {answers:?}");
            let judged = world.events(action).await - before;
            // Who comes when three were counted already must wait, as one after the other would.
            assert!(matches!(judged, 3 | 4), "{on:?} {name}: three are forgiven and the fourth locks: {judged}");
        }
        world.stop().await;
    }
}

/// AC-31, T-18: a page of another site posts every form, with everything but our own page's token or origin.
#[actix_web::test]
async fn other_sites_post_nothing() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let (page, code) = to_code(&world, &mut ada, "ada").await;
        let mut linus = Visitor::new(&world.url);
        linus_in(&world, &mut linus).await;
        let portal = linus.get(&format!("{}/", world.base())).await;
        assert_eq!(portal.title(), "Hello, linus", "{}", portal.body);
        let before = rows(&world).await;
        let body = format!("csrf={}&code={code}&platform=oath_app", csrf(&page));
        for form in FORMS {
            let url = format!("{}{}/{form}", world.url, desk(&page));
            let kind = ("content-type", "application/x-www-form-urlencoded");
            for stranger in [
                ("origin", "https://evil.example"),
                ("origin", "http://127.0.0.1"),
                ("origin", "http://127.0.0.1:9000"),
                ("sec-fetch-site", "cross-site"),
                ("sec-fetch-site", "same-site"),
                ("sec-fetch-site", "none"),
            ] {
                let answer = raw(&ada, Method::POST, &url, &[kind, stranger], body.clone()).await;
                assert_eq!(answer.status(), 403, "{on:?} {form} {stranger:?}");
            }
        }
        // The portal's own form: another session's token, another purpose's, none; and by a link.
        let logout = format!("{}/portal/logout", world.base());
        for token in [String::new(), csrf(&page), "A".repeat(43)] {
            let seen = linus.post(&logout, &[field("csrf", &token)]).await;
            assert_eq!(seen.status, 403, "{on:?}");
        }
        assert!(matches!(linus.get(&logout).await.status, 404 | 405), "{on:?}");
        assert_eq!(rows(&world).await, before, "{on:?}");
        assert_eq!(linus.get(&format!("{}/", world.base())).await.title(), "Hello, linus", "{on:?}");
        world.stop().await;
    }
}

/// What an answer shows, without what is random in every one.
fn shape(seen: &Seen) -> (u16, String, BTreeSet<String>) {
    let mut body = without(&seen.body, &["data-expires=\"", "name=\"csrf\" value=\""]);
    if let Some(reference) = seen.find(".reference code") {
        body = body.replace(&reference, "REFERENCE");
    }
    body = body.replace(&desk(seen), "DESK");
    let headers = seen.headers.iter().filter(|(name, _)| *name != "date" && *name != "content-length");
    let headers = headers.map(|(name, value)| {
        let value = value.to_str().unwrap().replace(&desk(seen), "DESK");
        let value = if name == "set-cookie" {
            value.split('=').next().unwrap().replace(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit(), "")
        } else {
            value
        };
        format!("{name}: {value}")
    });
    (seen.status, body, headers.collect())
}

/// Somebody guesses at each of these names up to the lock and behind it, and is answered the same as at the first.
async fn nobody_differs(on: On, world: &World, names: &[&str], password: &str) {
    let mut seen_by: Vec<Vec<(u16, String, BTreeSet<String>)>> = vec![Vec::new(); names.len()];
    let mut browsers: Vec<(Visitor, Option<Seen>)> = names.iter().map(|_| (Visitor::new(&world.url), None)).collect();
    let masked = |seen: &Seen, name: &str| {
        let (status, body, headers) = shape(seen);
        (status, body.replace(name, "NAME"), headers)
    };
    for round in 0..7 {
        for ((name, (browser, page)), shapes) in names.iter().zip(&mut browsers).zip(&mut seen_by) {
            let next = match page.take() {
                None => {
                    let seen = browser.get(&authorize(world, "")).await;
                    let url = format!("{}/username", desk(&seen));
                    let fields = vec![field("csrf", &csrf(&seen)), field("username", name)];
                    let once = browser.once(Method::POST, &url, Some(fields)).await;
                    shapes.push(masked(&once, name));
                    browser.get(&desk(&seen)).await
                }
                Some(seen) if seen.has_action("continue") => {
                    browser.press(&seen, "continue", &[("password", password)]).await
                }
                Some(seen) => browser.get(&seen.url.replace("/password", "")).await,
            };
            shapes.push(masked(&next, name));
            *page = Some(next);
        }
        world.advance(if round == 3 { 0 } else { 31 });
    }
    let locked = seen_by[0].iter().filter(|(_, body, _)| body.contains("Your account is locked")).count();
    assert!(locked > 0, "{on:?}: the walk goes as far as the lock: {:?}", seen_by[0].last());
    for (name, shapes) in names.iter().zip(&seen_by) {
        for (number, (shape, reference)) in shapes.iter().zip(&seen_by[0]).enumerate() {
            assert_eq!(shape, reference, "{on:?} {name}, answer {number}");
        }
    }
}

/// AC-32, T-19: before the password is right nothing tells an account that exists from one that does not, is disabled,
/// has a token, has none, speaks another language or is not assigned anything, up to the lock and behind it.
#[actix_web::test]
async fn nothing_tells_who_exists() {
    for on in BOTH {
        let world = World::new(on).await;
        let off = person("qxoff").replace("groups", "enabled = false\ngroups");
        let french = person("qxfre").replace("groups", "language = \"fr\"\ngroups");
        let bare = "[[tenant.user]]\nusername = \"qxnop\"\nemail = \"qxnop@acme.test\"\n";
        let plain = person("qxpla");
        let owner = person("qxown")
            + "[[tenant.user.token]]\ntype = \"oath_app\"\nsecret_base32 = \"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP\"\n\
               period_seconds = 30\n";
        world.apply(&acme(&format!("{off}{french}{bare}{plain}{owner}"))).await;
        nobody_differs(on, &world, &["qxnob", "qxoff", "qxfre", "qxnop", "qxpla", "qxown"], "certainly not").await;
        // The counters do not tell either: as many rows for each name.
        assert_eq!(count(&world, "SELECT COUNT(*) AS n FROM failure").await, 6, "{on:?}");
        world.stop().await;
    }
}

/// R-460, AC-32, T-19: where addresses and aliases are names at the login, nothing tells one that is somebody's from one that is
/// nobody's, that of a disabled account, or of two.
#[actix_web::test]
async fn nothing_tells_whose_address_exists() {
    for on in BOTH {
        let world = World::new(on).await;
        let off = person("qxoff").replace("groups", "enabled = false\ngroups");
        let (one, two) = (person("qxone"), person("qxtwo").replace("qxtwo@", "qxone@"));
        let called = person("qxals").replace("groups", "alias = \"qxali@acme.test\"\ngroups");
        let names = "[tenant.login]\nemail = true\nalias = true\n";
        let people = format!("{off}{one}{two}{called}{}\n{names}", person("qxpla"));
        world.apply(&acme(&people)).await;
        let names = ["qxnob", "qxoff", "qxone", "qxpla", "qxali"].map(|name| format!("{name}@acme.test"));
        nobody_differs(on, &world, &names.each_ref().map(String::as_str), "certainly not").await;
        assert_eq!(count(&world, "SELECT COUNT(*) AS n FROM failure").await, 10, "{on:?}: of the name and the account");
        world.stop().await;
    }
}

/// R-460, AC-32, T-19: whoever has locked an account by its user name finds none of its other names locked, and even the right
/// password is answered there like any password for nobody's name, up to the lock of that name and behind it.
#[actix_web::test]
async fn a_lock_does_not_tell_whose_names_are_whose() {
    for on in BOTH {
        let world = World::new(on).await;
        let called = person("qxown").replace("groups", "alias = \"qxali@acme.test\"\ngroups");
        world.apply(&acme(&format!("{called}\n[tenant.login]\nemail = true\nalias = true\n"))).await;
        for _ in 0..4 {
            after_password(&world, &mut Visitor::new(&world.url), "qxown", "certainly not").await;
            world.advance(31);
        }
        assert_eq!(count(&world, "SELECT COUNT(*) AS n FROM account_lock").await, 1, "{on:?}");
        nobody_differs(on, &world, &["qxnob@acme.test", "qxali@acme.test", "qxown@acme.test"], PASSWORD).await;
        assert_eq!(world.events("password_accepted").await, 0, "{on:?}");
        let told = "SELECT COUNT(*) AS n FROM outbox WHERE kind = 'account_locked'";
        assert_eq!(count(&world, told).await, 1, "{on:?}: its owner is told once");
        // Time opens it for the names as for the account.
        world.advance(900);
        after_password(&world, &mut Visitor::new(&world.url), "qxali@acme.test", PASSWORD).await;
        assert_eq!(world.events("password_accepted").await, 1, "{on:?}");
        world.stop().await;
    }
}

/// AC-34, T-20, T-46: no text in any parameter or path makes us send a browser where no application is registered.
#[actix_web::test]
async fn nobody_is_redirected_to_a_stranger() {
    let world = World::new(On::Sqlite).await;
    let mut linus = Visitor::new(&world.url);
    linus_in(&world, &mut linus).await;
    let registered = "http://127.0.0.1:9000/callback";
    let mut corpus: Vec<String> = [
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https:evil.example",
        "https:/evil.example",
        "http:///evil.example",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        " https://evil.example",
        "\thttps://evil.example",
        "https://evil.example\r\nX: y",
        "%68ttps://evil.example",
        "..;/evil",
        "//",
        "/",
        "#",
        "?",
        "*",
        "null",
        "about:blank",
        "file:///etc/passwd",
        "blob:x",
        "http://[::1]:9000/callback",
        "http://0x7f000001:9000/callback",
        "http://2130706433:9000/callback",
        "http://127.1:9000/callback",
        "http://localhost:9000/callback",
        "https://127.0.0.1:9000/callback",
        "HTTP://127.0.0.1:9000/callback",
        "http://127.0.0.1:09000/callback",
        "http://evil.example\\@127.0.0.1:9000/callback",
        "http://127.0.0.1:9000@evil.example/callback",
        "http://127.0.0.1:9000\\@evil.example/callback",
        "http://evil.example#@127.0.0.1:9000/callback",
        "http://evil.example?@127.0.0.1:9000/callback",
        "http://evil.example%2f@127.0.0.1:9000/callback",
        "http://a@b@127.0.0.1:9000/callback",
        "http://ⓔvil.example/callback",
        "http://evil。example/callback",
        "http://127.0.0.1。evil.example:9000/callback",
        "http://xn--evil-5na.example/callback",
    ]
    .map(str::to_owned)
    .to_vec();
    for tail in [
        "/",
        "/..",
        "/../",
        "/..;/x",
        "%2f",
        "%00",
        "\0",
        "?x=1",
        "?",
        "#x",
        "#",
        ";x",
        "//",
        "/./",
        "%20",
        " ",
        "\t",
        ".evil",
        "@evil.example",
        "\r\nLocation: https://evil.example",
        "&redirect_uri=https://evil.example",
        "%0d%0aLocation:%20https://evil.example",
    ] {
        corpus.push(format!("{registered}{tail}"));
    }
    // Every character of the registered address: another case, percent-encoded, missing, doubled.
    for (at, letter) in registered.char_indices() {
        let (before, after) = (&registered[..at], &registered[at + 1..]);
        let other =
            if letter.is_ascii_lowercase() { letter.to_ascii_uppercase().to_string() } else { String::from("·") };
        for instead in [other, format!("%{:02X}", u32::from(letter)), String::new(), format!("{letter}{letter}")] {
            // Applications on the person's own machine may have any port there (RFC 8252, 7.3).
            if !(instead.is_empty()
                && letter.is_ascii_digit()
                && before.ends_with(|c: char| c == ':' || c.is_ascii_digit()))
            {
                corpus.push(format!("{before}{instead}{after}"));
            }
        }
    }
    // A stranger's host where some reader or other would look for it.
    for scheme in [
        "https://",
        "http://",
        "//",
        "/\\/",
        "\\\\",
        "https:///",
        "ftp://",
        "ws://",
        "https:\\\\",
        "https:/\\",
        "HTTPS://",
        "h\tttps://",
    ] {
        for host in [
            "127.0.0.1:9000.evil.example/callback",
            "127.0.0.1:9000@evil.example/callback",
            "127.0.0.1%3a9000@evil.example/callback",
            "evil.example/http://127.0.0.1:9000/callback",
            "evil.example?http://127.0.0.1:9000/callback",
            "evil.example#http://127.0.0.1:9000/callback",
            "evil.example\\.127.0.0.1:9000/callback",
            "evil.example:9000/callback",
        ] {
            corpus.push(format!("{scheme}{host}"));
        }
    }
    // What is trimmed by some and seen by none.
    for unseen in [
        "\0", "\u{1}", "\u{8}", "\n", "\r", "\u{a0}", "\u{ad}", "\u{200b}", "\u{200d}", "\u{202e}", "\u{2028}",
        "\u{feff}",
    ] {
        corpus.extend([
            format!("{unseen}{registered}"),
            format!("{registered}{unseen}"),
            format!("http:{unseen}//evil.example"),
        ]);
    }
    corpus.sort();
    corpus.dedup();
    assert!(corpus.len() >= 300, "AC-34: {}", corpus.len());
    for (number, bad) in corpus.iter().enumerate() {
        let encoded: String = form_urlencoded_of(bad);
        let good = "http%3A%2F%2F127.0.0.1%3A9000%2Fcallback";
        let url = authorize(&world, "").replace(good, &encoded);
        // Somebody who is logged in would be sent on at once.
        let seen = linus.get(&url).await;
        assert_eq!((seen.status, &seen.leaves_to), (400, &None), "{number} {bad:?}");
        let twice = linus.get(&format!("{}&redirect_uri={encoded}", authorize(&world, ""))).await;
        assert_eq!((twice.status, &twice.leaves_to), (400, &None), "twice {bad:?}");
        let out = format!("{}/oidc/logout?client_id=notes&post_logout_redirect_uri={encoded}", world.base());
        let out = Visitor::new(&world.url).get(&out).await;
        assert!(out.leaves_to.is_none() && out.status < 500, "logout {bad:?}: {} {:?}", out.status, out.leaves_to);
        // Parameters of other products, and the ones of ours that are shown.
        for place in ["/", "/activate", "/oidc/authorize"] {
            for name in
                ["next", "return_to", "returnUrl", "target", "RelayState", "post_logout_redirect_uri", "language"]
            {
                if number % 8 != 0 {
                    continue;
                }
                let seen = linus.get(&format!("{}{place}?{name}={encoded}", world.base())).await;
                assert!(seen.leaves_to.is_none() && seen.status < 500, "{place} {name} {bad:?}");
            }
        }
    }
    for path in [
        "//evil.example/",
        "//evil.example/..",
        "/\\evil.example",
        "/%2f%2fevil.example",
        "/t/acme//evil.example",
        "/t/acme/..//evil.example",
        "/t//evil.example",
        "/t/acme/login/..%2f..%2f%2fevil.example",
        "/t/%2e%2e/%2fevil.example",
    ] {
        let seen = Visitor::new(&world.url).once(Method::GET, &format!("{}{path}", world.url), None).await;
        let target = seen.headers.get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        assert!(!target.contains("evil"), "{path}: {target}");
        assert!(seen.status < 500, "{path}: {}", seen.status);
    }
    world.stop().await;
}

fn form_urlencoded_of(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// AC-35, T-21: every proof gives the login another cookie, every login the session another one; those before are worth
/// nothing, and neither is a value that somebody planted.
#[actix_web::test]
async fn cookies_change_with_every_proof() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut linus = Visitor::new(&world.url);
        let planted = "A".repeat(43);
        linus.cookies.insert("vs-acme".to_owned(), planted.clone());
        linus.cookies.insert("vk-acme".to_owned(), planted.clone());
        let seen = linus.get(&authorize(&world, "")).await;
        let cookie = format!("vl-{}", desk(&seen).rsplit('/').next().unwrap());
        let seen = linus.press(&seen, "continue", &[("username", "linus")]).await;
        let before = linus.clone();
        let seen = linus.press(&seen, "continue", &[("password", LINUS)]).await;
        let between = linus.clone();
        assert_ne!(before.cookies[&cookie], between.cookies[&cookie], "{on:?}: S2");
        world.advance(31);
        assert_eq!(before.clone().get(&desk(&seen)).await.status, 400, "{on:?}: the one before the password");
        let code = passcode_of_linus(&world);
        let seen = linus.press(&seen, "continue", &[("code", &code)]).await;
        assert!(!code_of(&seen).0.is_empty());
        let session = linus.cookies["vs-acme"].clone();
        assert!(session != planted && linus.cookies["vk-acme"] != planted, "{on:?}");
        assert_ne!(linus.cookies.get(&cookie), between.cookies.get(&cookie), "{on:?}: S9");
        let mut thief = Visitor::new(&world.url);
        thief.cookies.insert("vs-acme".to_owned(), planted);
        assert_eq!(thief.get(&format!("{}/", world.base())).await.title(), "Log in", "{on:?}: nothing was adopted");
        // Again with the password and a passcode: a new value, and the old one is nobody's.
        world.advance(31);
        let seen = linus.get(&authorize(&world, "&prompt=login")).await;
        let seen = linus.press(&seen, "continue", &[("password", LINUS)]).await;
        let seen = if seen.title() == "Enter your passcode" {
            let code = passcode_of_linus(&world);
            linus.press(&seen, "continue", &[("code", &code)]).await
        } else {
            seen
        };
        assert!(!code_of(&seen).0.is_empty(), "{on:?}: {}", seen.body);
        assert_ne!(linus.cookies["vs-acme"], session, "{on:?}: step-up");
        thief.cookies.insert("vs-acme".to_owned(), session);
        assert_eq!(thief.get(&format!("{}/", world.base())).await.title(), "Log in", "{on:?}: the old one");
        // Logging out is for good: the value that was copied before is dead.
        let portal = linus.get(&format!("{}/", world.base())).await;
        let copied = linus.clone();
        linus.press(&portal, "log-out", &[]).await;
        assert_eq!(copied.clone().get(&format!("{}/", world.base())).await.title(), "Log in", "{on:?}");
        // And time ends it: an hour without use.
        let mut idle = Visitor::new(&world.url);
        world.advance(31);
        linus_in(&world, &mut idle).await;
        world.advance(3601);
        assert_eq!(idle.get(&format!("{}/", world.base())).await.title(), "Log in", "{on:?}");
        world.stop().await;
    }
}

const SCRIPTS: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</title><svg/onload=alert(1)>",
    "javascript:alert(1)//{{7*7}}${7*7}<%= 7*7 %>{ $code }",
];

/// That a page has no element and no attribute that came out of a value.
fn clean(note: &str, body: &str) {
    let page = scraper::Html::parse_document(body);
    for element in page.root_element().descendants().filter_map(scraper::ElementRef::wrap) {
        let name = element.value().name();
        let inline = name == "script" && element.attr("src").is_none_or(|src| !src.starts_with("/static/"));
        assert!(!inline, "{note}: {}", element.html());
        for (attribute, value) in element.value().attrs() {
            assert!(!attribute.starts_with("on"), "{note}: {}", element.html());
            let link = matches!(attribute, "href" | "src" | "action" | "formaction");
            let value = value.trim().to_ascii_lowercase();
            assert!(!link || !value.starts_with("javascript:"), "{note}: {}", element.html());
            assert!(!link || value != "x", "{note}: {}", element.html());
        }
    }
    assert!(!body.contains("49{ $") && !body.contains("$49"), "{note}: a template was run");
}

/// AC-36, T-22, T-27: scripts and templates in every name that is stored or typed are text, on every page and in every
/// mail.
#[actix_web::test]
async fn names_are_text() {
    for payload in SCRIPTS {
        let world = World::new(On::Sqlite).await;
        let quoted = toml::Value::String(payload.to_owned()).to_string();
        let user = toml::Value::String(format!("u {payload}")).to_string();
        let file = format!(
            "[[tenant]]\ncode = \"acme\"\nname = {quoted}\nhelp_contact = {quoted}\n\
             [[tenant.user]]\nusername = {user}\nfirst_name = {quoted}\nlast_name = {quoted}\n\
             email = \"eve@acme.test\"\npassword = \"{PASSWORD}\"\ngroups = [\"pilot\"]\n\
             [[tenant.application]]\nname = {quoted}\nlaunch_url = \"https://app.example/\"\n\
             [tenant.application.oidc]\nclient_id = \"eve\"\nclient_secret = \"a secret of eve\"\n\
             redirect_uris = [\"http://127.0.0.1:9000/callback\"]\n"
        );
        world.apply(&file).await;
        let mut eve = Visitor::new(&world.url);
        let mut pages = Vec::new();
        let typed = form_urlencoded_of(payload);
        let request = authorize(&world, &format!("&login_hint={typed}&ui_locales={typed}&display={typed}"))
            .replace("client_id=notes", "client_id=eve")
            .replace("state=xyz", &format!("state={typed}"));
        pages.push(eve.get(&request).await);
        assert!(pages[0].title() == "Log in", "{}", pages[0].body);
        let page = pages[0].clone();
        pages.push(eve.press(&page, "continue", &[("username", payload)]).await);
        let page = send(&mut eve, &page, "switch-user", &[]).await;
        let page = eve.press(&page, "continue", &[("username", &format!("u {payload}"))]).await;
        pages.push(page.clone());
        pages.push(eve.press(&page, "continue", &[("password", payload)]).await);
        let page = eve.press(&page, "continue", &[("password", PASSWORD)]).await;
        assert_eq!(page.title(), "Add an authenticator", "{}", page.body);
        assert!(page.body.contains("7*7") || !payload.contains("7*7"), "it is shown at all");
        pages.push(page.clone());
        let page = eve.press(&page, "add-authenticator", &[]).await;
        pages.push(page.clone());
        pages.push(eve.press(&page, "continue", &[("code", payload)]).await);
        let code = world.mail("eve@acme.test", 1).await.code().unwrap();
        let page = eve.press(&page, "continue", &[("code", &code)]).await;
        pages.push(send(&mut eve, &page, "platform", &[("platform", payload)]).await);
        let page = eve.press(&page, "platform-command_line", &[]).await;
        pages.push(page.clone());
        let mut device = Device::new(&page.find("[data-activation-string]").unwrap(), "command_line");
        payload.clone_into(&mut device.hello.device_name);
        payload.clone_into(&mut device.hello.app_version);
        let (status, claimed) = device.claim().await;
        assert_eq!(status, 200, "{claimed}");
        let (_, secret) = device.confirm(&claimed).await;
        let page = eve.press(&page, "check-now", &[]).await;
        pages.push(page.clone());
        let done = eve.press(&page, "continue", &[("code", &oathtool(&world, &secret, "--totp=sha256", "6"))]).await;
        let (_, state) = code_of(&done);
        assert_eq!(state, payload, "the application gets its own back");
        let portal = eve.get(&format!("{}/", world.base())).await;
        assert!(portal.title().starts_with("Hello, "), "{}", portal.body);
        pages.push(portal);
        world.advance(31);
        let again = eve.get(&format!("{request}&prompt=login")).await;
        pages.push(again.clone());
        pages.push(eve.press(&again, "continue", &[("password", PASSWORD)]).await);
        for path in ["", "/t/acme/", "/t/acme/not-me/", "/t/acme/login/", "/t/"] {
            pages.push(eve.get(&format!("{}{path}/{typed}?x={typed}", world.url)).await);
        }
        pages.push(eve.get(&authorize(&world, "").replace("client_id=notes", &format!("client_id={typed}"))).await);
        for page in &pages {
            clean(&page.url, &page.body);
            assert!(!page.body.contains(payload) || !payload.contains('<'), "{payload} at {}", page.url);
            assert!(page.status < 500, "{} {}", page.status, page.url);
        }
        let notice = world.mail("eve@acme.test", 2).await;
        for mail in [world.mail("eve@acme.test", 1).await, notice] {
            clean("a mail", &mail.html());
            assert!(!mail.html().contains("<script") && !mail.html().contains("<img"), "{}", mail.html());
            assert!(!mail.subject().contains("49"), "{}", mail.subject());
        }
        world.stop().await;
    }
}

/// T-30: whatever somebody is called, a mail of ours has no links but ours.
#[actix_web::test]
async fn a_name_is_no_link_in_a_mail() {
    let world = World::new(On::Sqlite).await;
    let lure = "Click https://evil.example/win or www.evil.example now";
    world.apply(&acme(&format!("[[tenant.user]]\nusername = \"ada\"\nfirst_name = \"{lure}\"\n"))).await;
    let mut ada = Visitor::new(&world.url);
    let (page, string) = to_activation(&world, &mut ada, "ada").await;
    let mut device = Device::new(&string, "command_line");
    lure.clone_into(&mut device.hello.device_name);
    let (status, claimed) = device.claim().await;
    assert_eq!(status, 200);
    let (_, secret) = device.confirm(&claimed).await;
    let code = oathtool(&world, &secret, "--totp=sha256", "6");
    code_of(&send(&mut ada, &page, "passcode", &[("code", &code)]).await);
    let ours = format!("{}/not-me/", world.base());
    for (number, links) in [(1, 0), (2, 1)] {
        let mail = world.mail("ada@acme.test", number).await;
        for text in [mail.text(), mail.html()] {
            assert_eq!(text.matches("://").count(), links, "{text}");
            assert_eq!(text.matches(&ours).count(), links, "{text}");
            assert!(!text.contains("www."), "{text}");
        }
        assert!(!mail.subject().contains("evil"), "{}", mail.subject());
    }
    world.stop().await;
}

/// One request as octets; the first line of the answer and the rest.
async fn wire(world: &World, request: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = world.url.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let wait = std::time::Duration::from_secs(5);
    let _ = tokio::time::timeout(wait, stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// AC-37, T-25: no header of a stranger gets into a mail or a redirect; another host is no host of ours.
#[actix_web::test]
async fn headers_of_strangers_change_no_mail() {
    for on in BOTH {
        let world = World::new(on).await;
        let host = world.url.trim_start_matches("http://").to_owned();
        let mut ada = Visitor::new(&world.url);
        let (page, _) = to_code(&world, &mut ada, "ada").await;
        let cookies: Vec<String> = ada.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let post = |first: &str, headers: &str| {
            let body = format!("csrf={}", csrf(&page));
            format!(
                "POST {first}{}/resend-code HTTP/1.1\r\n{headers}Cookie: {}\r\nContent-Length: {}\r\nConnection: close\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}",
                desk(&page),
                cookies.join("; "),
                body.len()
            )
        };
        world.advance(61);
        for (first, headers) in [
            (String::new(), "Host: evil.test\r\n".to_owned()),
            (String::new(), format!("Host: {host}\r\nHost: evil.test\r\n")),
            (String::new(), format!("Host: evil.test\r\nHost: {host}\r\n")),
            (String::new(), format!("Host: {host}.evil.test\r\n")),
            (String::new(), format!("Host: evil.test:{}\r\n", host.rsplit(':').next().unwrap())),
            (String::new(), format!("Host: {host}@evil.test\r\n")),
            (String::new(), "Host: 127.0.0.1\r\n".to_owned()),
            ("http://evil.test".to_owned(), format!("Host: {host}\r\n")),
            (format!("http://{host}"), "Host: evil.test\r\n".to_owned()),
            (String::new(), String::new()),
        ] {
            let answer = wire(&world, &post(&first, &headers)).await;
            let status: u16 = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
            assert!(matches!(status, 400 | 421), "{on:?} {first} {headers}: {answer}");
            assert!(!answer.contains("evil.test"), "{on:?}: {answer}");
        }
        assert_eq!(count(&world, "SELECT COUNT(*) AS n FROM email_code").await, 1, "{on:?}: nothing was sent");
        let strangers = "X-Forwarded-Host: evil.test\r\nForwarded: host=evil.test;for=6.6.6.6;proto=https\r\n\
                         X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: gopher\r\nX-Original-Url: /evil.test\r\n\
                         X-Host: evil.test\r\nX-Rewrite-Url: /evil.test\r\nX-Real-Ip: 6.6.6.6\r\nReferer: http://evil.test/\r\n";
        let answer = wire(&world, &post("", &format!("Host: {host}\r\n{strangers}"))).await;
        assert!(answer.starts_with("HTTP/1.1 303") && !answer.contains("evil.test"), "{on:?}: {answer}");
        let (plain, poisoned) = (world.mail("ada@acme.test", 1).await, world.mail("ada@acme.test", 2).await);
        let of = |mail: &vestibule::demo::smtp::Mail| {
            let code = mail.code().unwrap();
            (mail.subject(), mail.text().replace(&code, "CODE"), mail.html().replace(&code, "CODE"))
        };
        assert_eq!(of(&plain), of(&poisoned), "{on:?}");
        assert!(!String::from_utf8_lossy(&poisoned.message).contains("evil"), "{on:?}");
        let addresses = world.column("SELECT DISTINCT address AS it FROM audit_event WHERE address <> ''").await;
        assert_eq!(addresses, ["127.0.0.1"], "{on:?}: nobody but our own proxies says where somebody is");
        let metadata = raw(
            &ada,
            Method::GET,
            &format!("{}/.well-known/openid-configuration", world.base()),
            &[("x-forwarded-host", "evil.test"), ("forwarded", "host=evil.test")],
            "",
        )
        .await;
        assert!(!metadata.text().await.unwrap().contains("evil"), "{on:?}");
        world.stop().await;
    }
}

/// AC-38, T-26: names that could begin another header are refused when they are stored, and look-alikes stay in theirs.
#[actix_web::test]
async fn a_name_is_one_line_of_one_header() {
    let world = World::new(On::Sqlite).await;
    for bad in ["Ada\\r\\nBcc: evil@evil.test", "Ada\\nBcc: x", "Ada\\u0000", "Ada\\u0085x", "\\u007f"] {
        for key in ["first_name", "last_name", "email"] {
            let at = if key == "email" { "@acme.test" } else { "" };
            let file = acme(&format!("[[tenant.user]]\nusername = \"ada\"\n{key} = \"{bad}{at}\"\n"));
            let said = refused(&world, &file).await;
            assert!(said.contains(key), "{key} {bad}: {said}");
        }
        refused(&world, &acme(&format!("[[tenant.user]]\nusername = \"{bad}\"\n"))).await;
        refused(&world, &acme(&format!("name = \"{bad}\"\n"))).await;
        refused(&world, &acme(&format!("[[tenant.group]]\nname = \"{bad}\"\n"))).await;
    }
    for bad in [
        "a@b@acme.test",
        "ada@acme.test, evil@evil.test",
        "<ada@acme.test>",
        "ada@acme.test>",
        "ada",
        "@acme.test",
        "ada@",
    ] {
        let said = refused(&world, &acme(&format!("[[tenant.user]]\nusername = \"ada\"\nemail = \"{bad}\"\n"))).await;
        assert!(said.contains("email"), "{bad}: {said}");
    }
    // What is no control character may be in a name; it stays in its place.
    let odd = "Ada, \\\"<evil@evil.test>\\\" \u{ff0d}\u{560a}\u{560d}Bcc: x \u{202e}";
    let named = format!("name = \"{odd}\"\n[[tenant.user]]\nusername = \"ada\"\nfirst_name = \"{odd}\"\n");
    world.apply(&acme(&named)).await;
    to_code(&world, &mut Visitor::new(&world.url), "ada").await;
    let mail = world.mail("ada@acme.test", 1).await;
    assert_eq!(world.mail.all().len(), 1);
    let parsed = mail_parser::MessageParser::default().parse(&mail.message).unwrap();
    let to: Vec<_> = parsed.to().unwrap().iter().filter_map(|to| to.address()).collect();
    assert_eq!((to, parsed.cc().is_none(), parsed.bcc().is_none()), (vec!["ada@acme.test"], true, true));
    let head = String::from_utf8_lossy(&mail.message).into_owned();
    let head = head.split("\r\n\r\n").next().unwrap().to_owned();
    let names: BTreeSet<String> = head
        .lines()
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split(':').next().unwrap().to_ascii_lowercase())
        .collect();
    for name in &names {
        let known = [
            "from",
            "to",
            "subject",
            "date",
            "message-id",
            "mime-version",
            "content-type",
            "auto-submitted",
            "content-language",
            "x-auto-response-suppress",
            "reply-to",
            "content-transfer-encoding",
        ];
        assert!(known.contains(&name.as_str()), "{name} in {head}");
    }
    world.stop().await;
}

/// T-29: whatever a scanner does with the links of our mails, nothing happens.
#[actix_web::test]
async fn scanners_may_follow_every_link() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut ada = Visitor::new(&world.url);
        let (page, secret) = to_standard_app(&world, &mut ada, "ada").await;
        let code_mail = world.mail("ada@acme.test", 1).await;
        assert!(!code_mail.text().contains("://") && !code_mail.html().contains("href"), "{on:?}");
        let code = oathtool(&world, &secret, "--totp=sha1", "6");
        code_of(&ada.press(&page, "continue", &[("code", &code)]).await);
        let mail = world.mail("ada@acme.test", 2).await.text();
        let link = mail.lines().find(|line| line.contains("/not-me/")).unwrap().trim().to_owned();
        let before = rows(&world).await;
        let mut robot = Visitor::new(&world.url);
        for method in [Method::GET, Method::HEAD, Method::GET, Method::OPTIONS, Method::PUT] {
            robot.once(method, &link, None).await;
        }
        for fields in
            [vec![], vec![field("csrf", "")], vec![field("csrf", &"A".repeat(43))], vec![field("csrf", &csrf(&page))]]
        {
            assert_eq!(robot.post(&link, &fields).await.status, 403, "{on:?}");
        }
        for at in 0..3 {
            let mut altered = link.clone();
            altered.truncate(link.len() - at - 1);
            let asked = robot.get(&altered).await;
            assert!(asked.find(".complaint").is_some() && !asked.has_action("not-me"), "{on:?}");
        }
        assert_eq!(rows(&world).await, before, "{on:?}");
        assert_eq!(world.column("SELECT DISTINCT state AS it FROM token").await, ["active"], "{on:?}");
        assert_eq!(ada.get(&format!("{}/", world.base())).await.title(), "Hello, Ada Lovelace", "{on:?}");
        world.stop().await;
    }
}

/// T-22, T-23, T-24: every answer forbids frames, foreign scripts and being kept, good or bad.
#[actix_web::test]
async fn every_answer_protects_itself() {
    let world = World::new(On::Sqlite).await;
    let mut ada = Visitor::new(&world.url);
    let offer = after_password(&world, &mut ada, "ada", PASSWORD).await;
    let mut answers = vec![offer.clone()];
    for path in [
        "/",
        "/nowhere",
        "/t/acme/",
        "/t/nobody/",
        "/t/acme/activate",
        "/t/acme/not-me/x",
        "/t/acme/oidc/authorize",
        "/t/acme/oidc/token",
        "/t/acme/oidc/userinfo",
        "/t/acme/saml/sso",
        "/t/acme/login/x",
        "/t/acme/api/authenticator/v1/info",
        "/t/acme/api/nothing",
        "/t/acme/portal/logout",
        &authorize(&world, "&prompt=none"),
    ] {
        answers.push(Visitor::new(&world.url).once(Method::GET, path, None).await);
        answers.push(Visitor::new(&world.url).once(Method::POST, path, Some(vec![])).await);
    }
    let url = format!("{}/password", desk(&offer));
    answers.push(ada.once(Method::POST, &url, Some(vec![])).await);
    answers.push(
        ada.once(Method::POST, &url, Some(vec![field("csrf", &csrf(&offer)), field("x", &"y".repeat(20_000))])).await,
    );
    assert_eq!(answers.last().unwrap().status, 413);
    for seen in &answers {
        let header = |name: &str| seen.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        let policy = header("content-security-policy");
        for part in [
            "default-src 'none'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "script-src 'self'",
            "form-action 'self'",
        ] {
            assert!(policy.contains(part), "{} {}: {policy}", seen.status, seen.url);
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*') || policy.contains("127.0.0.1:*"), "{policy}");
        assert_eq!(header("x-frame-options"), "DENY", "{}", seen.url);
        assert_eq!(header("referrer-policy"), "no-referrer", "{}", seen.url);
        assert_eq!(header("x-content-type-options"), "nosniff", "{}", seen.url);
        assert!(header("cache-control").contains("no-store"), "{} {}", seen.url, header("cache-control"));
        assert!(
            !seen.headers.contains_key("access-control-allow-origin") || seen.url.contains("/oidc/"),
            "{}",
            seen.url
        );
        assert!(seen.status < 500, "{} {}", seen.status, seen.url);
    }
    world.stop().await;
}

/// T-14, T-22, T-61: very long inputs are cut or refused; none is our fault.
#[actix_web::test]
async fn very_long_inputs_are_refused() {
    for on in BOTH {
        let world = World::new(on).await;
        let mut visitor = Visitor::new(&world.url);
        let long = "ä".repeat(2000);
        let page = visitor.get(&authorize(&world, "")).await;
        for name in [&long, &"\u{202e}".repeat(500), &"a\0b".to_owned(), &"\u{fdfa}".repeat(200)] {
            let seen = send(&mut visitor, &page, "username", &[("username", name)]).await;
            assert_eq!(seen.title(), "Enter your password", "{on:?}");
            let seen = visitor.press(&seen, "continue", &[("password", &long)]).await;
            assert_eq!(seen.complaint(), "The user name or password is not right.", "{on:?}");
        }
        for form in FORMS {
            let seen = send(&mut visitor, &page, form, &[("code", &"9".repeat(17_000))]).await;
            assert_eq!(seen.status, 413, "{on:?} {form}");
        }
        let more = [format!("&state={}", "x".repeat(8000)), format!("&login_hint={}", form_urlencoded_of(&long))];
        for more in more {
            let seen = visitor.get(&authorize(&world, &more)).await;
            assert!(seen.status < 500, "{on:?} {} {}", seen.status, more.len());
        }
        let agent = "x".repeat(4000);
        let url = authorize(&world, "");
        let headers =
            [("user-agent", agent.as_str()), ("accept-language", agent.as_str()), ("x-forwarded-for", agent.as_str())];
        let answer = raw(&Visitor::new(&world.url), Method::GET, &url, &headers, "").await;
        assert_eq!(answer.status(), 303, "{on:?}");
        for value in ["A".repeat(5000), "\"".to_owned(), "%00".to_owned(), ";;=;".to_owned()] {
            visitor.cookies.insert("vs-acme".to_owned(), value.clone());
            visitor.cookies.insert("vk-acme".to_owned(), value.clone());
            visitor.cookies.insert("lang".to_owned(), value.clone());
            let seen = visitor.get(&format!("{}/", world.base())).await;
            assert_eq!(seen.title(), "Log in", "{on:?}");
            visitor.cookies.retain(|name, _| !name.starts_with('v'));
        }
        world.stop().await;
    }
}

/// T-21, T-08: a browser keeps a handful of logins; the oldest go, and the newest works.
#[actix_web::test]
async fn a_browser_keeps_a_handful_of_logins() {
    let world = World::new(On::Sqlite).await;
    let mut linus = Visitor::new(&world.url);
    let first = linus.get(&authorize(&world, "")).await;
    let mut last = first.clone();
    for _ in 0..40 {
        last = linus.get(&authorize(&world, "")).await;
        let kept = linus.cookies.keys().filter(|name| name.starts_with("vl-")).count();
        assert!(kept <= 9, "{kept}");
    }
    let seen = linus.press(&last, "continue", &[("username", "linus")]).await;
    assert_eq!(seen.title(), "Enter your password");
    // Somebody sends a thousand made-up ones: they cost nothing and break nothing.
    for number in 0..60_u128 {
        let id: vestibule::domain::ids::LoginId = vestibule::domain::ids::Id::from_bits(number + 1);
        linus.cookies.insert(format!("vl-{id}"), "A".repeat(43));
    }
    let seen = linus.get(&authorize(&world, "")).await;
    assert_eq!(seen.title(), "Log in", "{}", seen.body);
    assert!(linus.cookies.keys().filter(|name| name.starts_with("vl-")).count() <= 9);
    world.stop().await;
}

/// T-12, T-17, T-25, T-60: one address has a limit, whatever it says about itself, and is written down as what it is; a device is
/// told when to come again.
#[actix_web::test]
async fn an_address_has_its_limits() {
    let world = World::new(On::Sqlite).await;
    let url = format!("{}/api/authenticator/v1/activation/claim", world.base());
    let body = serde_json::json!({ "version": 1, "activation": "a".repeat(26), "device_key": "AA", "nonce": "AA",
        "platform": "ios", "os_version": "17", "app_version": "1", "device_name": "x", "mac": "AA" });
    let nobody = Visitor::new(&world.url);
    let mut answers = Vec::new();
    for number in 0..64 {
        let liar = format!("10.0.0.{number}");
        let headers = [("content-type", "application/json"), ("x-forwarded-for", liar.as_str())];
        answers.push(raw(&nobody, Method::POST, &url, &headers, body.to_string()).await);
    }
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert!(statuses[..60].iter().all(|status| *status == 404), "{statuses:?}");
    assert!(statuses[60..].iter().all(|status| *status == 429), "{statuses:?}");
    assert_eq!(answers[63].headers()["retry-after"], "600");
    // Three hundred wrong passwords from one address, of a hundred names.
    let mut thief = Visitor::new(&world.url);
    let mut page = thief.get(&authorize(&world, "")).await;
    for name in 0..100 {
        page = send(&mut thief, &page, "username", &[("username", &format!("name{name}"))]).await;
        for _ in 0..3 {
            page = thief.press(&page, "continue", &[("password", "wrong")]).await;
            assert_eq!(page.complaint(), "The user name or password is not right.", "{name}");
        }
    }
    page = send(&mut thief, &page, "username", &[("username", "linus")]).await;
    let url = format!("{}{}/password", world.url, desk(&page));
    let form = format!("csrf={}&password={}", csrf(&page), form_urlencoded_of(LINUS));
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("x-forwarded-for", "10.9.9.9")];
    let answer = raw(&thief, Method::POST, &url, &headers, form).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.text().await.unwrap().contains("before you try again"), "even the right one waits");
    assert_eq!(world.events("password_accepted").await, 0);
    assert_eq!(world.number("SELECT COUNT(*) AS n FROM audit_event WHERE address LIKE '10.%'").await, 0);
    assert!(world.number("SELECT COUNT(*) AS n FROM audit_event WHERE address = '127.0.0.1'").await > 100);
    world.advance(601);
    let seen = after_password(&world, &mut Visitor::new(&world.url), "linus", LINUS).await;
    assert_eq!(seen.title(), "Enter your passcode", "ten minutes later it is forgotten");
    world.stop().await;
}

/// AC-33, R-142, T-19: a mail server that takes five seconds holds up no page: who has a mailbox waits no longer than
/// who has none, and the mail comes when it comes.
#[actix_web::test]
async fn a_slow_mail_server_holds_up_no_page() {
    const SLOW: Duration = Duration::from_secs(5);
    for on in BOTH {
        let world = World::new(on).await;
        let nobody = format!(
            "[[tenant.user]]\nusername = \"mute\"\npassword = \"{PASSWORD}\"\ngroups = [\"pilot\"]\n{}",
            person("slow")
        );
        world.apply(&acme(&nobody)).await;
        world.mail.think(SLOW);
        let (mut with, mut without) = (Visitor::new(&world.url), Visitor::new(&world.url));
        let offer = after_password(&world, &mut with, "slow", PASSWORD).await;
        assert!(offer.has_action("add-authenticator"), "{on:?} {}", offer.body);
        let refused = after_password(&world, &mut without, "mute", PASSWORD).await;
        assert_eq!(refused.title(), "You need an authenticator", "{on:?}");
        // The same form, sent by both at the same moment and each by themselves.
        let timed = async |visitor: &mut Visitor, seen: &Seen| {
            let began = Instant::now();
            let answer = send(visitor, seen, "add-authenticator", &[]).await;
            (began.elapsed(), answer)
        };
        let (mailed, page) = timed(&mut with, &offer).await;
        assert_eq!(page.title(), "Enter the code from your email", "{on:?} {}", page.body);
        let (silent, answer) = timed(&mut without, &refused).await;
        assert_eq!(answer.status, 403, "{on:?} {}", answer.body);
        assert!(world.mail.to("slow@acme.test").is_empty(), "{on:?}: the mail is still on its way");
        let slower = mailed.saturating_sub(silent);
        assert!(mailed < SLOW / 5 && slower < SLOW / 10, "{on:?}: {mailed:?} with a mailbox, {silent:?} without");
        // Neither do pages that ask how far the mail is, nor other people's logins.
        let began = Instant::now();
        let again = with.get(&page.url).await;
        assert!(began.elapsed() < SLOW / 5, "{on:?}: {:?}", began.elapsed());
        // A first try that is under way is not yet worth a word: it would stand on nearly every page.
        assert!(!again.body.contains("mail server is slow"), "{on:?} {}", again.body);
        let code = world.mail("slow@acme.test", 1).await.code().unwrap();
        let seen = with.press(&page, "continue", &[("code", &code)]).await;
        assert!(seen.title().starts_with("Where do you want"), "{on:?} {}", seen.body);
        world.stop().await;
    }
}
