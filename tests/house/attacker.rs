//! Somebody who knows a password and not the mailbox does whatever comes to mind, in any order; then the same while
//! the owner of the account goes through the login. After every step the invariants of the login must hold.
//!
//! `VESTIBULE_WALK_STEPS` makes the walks longer (the default is for every change, a night takes 100 000), and
//! `VESTIBULE_WALK_SEED` repeats one: a failing walk prints its seed.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use vestibule::storage::Db;
use vestibule::storage::statement::Statement;

use crate::story::{self, PASSWORD, authorize};
use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, On, World};

/// Everything that a form of the login can be sent to.
const FORMS: [&str; 13] = [
    "username",
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

const PLATFORMS: [&str; 7] = ["ios", "android", "windows", "web", "command_line", "oath_app", "toaster"];

fn steps(fallback: usize) -> usize {
    std::env::var("VESTIBULE_WALK_STEPS").ok().and_then(|text| text.parse().ok()).unwrap_or(fallback)
}

fn seeds(fallback: &[u64]) -> Vec<u64> {
    let one = std::env::var("VESTIBULE_WALK_SEED").ok().and_then(|text| text.parse().ok());
    one.map_or_else(|| fallback.to_vec(), |seed| vec![seed])
}

/// The address of the login that a page belongs to.
fn desk_of(url: &str) -> Option<String> {
    let at = url.find("/login/")? + "/login/".len();
    url.get(..at + 26).map(str::to_owned)
}

/// A choice among `count`.
fn pick(rng: &mut StdRng, count: usize) -> usize {
    usize::try_from(rng.next_u64() % u64::try_from(count).unwrap()).unwrap()
}

/// Looks into the database behind the service's back.
struct Oracle {
    db: Db,
}

impl Oracle {
    async fn new(world: &World) -> Self {
        Self { db: Db::connect(&world.database).await.unwrap() }
    }

    async fn count(&self, question: &'static str) -> i64 {
        let row = self.db.read(async |connection| Statement::new(question).only(connection).await).await.unwrap();
        row.number("n").unwrap().unwrap()
    }

    /// What must hold whoever did what.
    async fn always(&self, note: &str) {
        for (invariant, question) in [
            (
                "INV-1: a session has a passcode's time only with an accepted passcode",
                "SELECT COUNT(*) AS n FROM sso_session WHERE otp_at IS NOT NULL AND NOT EXISTS \
                 (SELECT 1 FROM audit_event a WHERE a.tenant_id = sso_session.tenant_id AND a.action IN \
                 ('passcode_accepted', 'token_enrolled'))",
            ),
            (
                "INV-2: a token was enrolled in a login with a password, a mailbox and a passcode",
                "SELECT COUNT(*) AS n FROM enrollment e WHERE e.state = 'completed' AND (SELECT COUNT(DISTINCT v.kind) \
                 FROM evidence v WHERE v.tenant_id = e.tenant_id AND v.login_id = e.login_id) < 3",
            ),
            (
                "INV-2: nothing is activated before the mailbox is proven",
                "SELECT COUNT(*) AS n FROM enrollment e WHERE (e.activated = 1 OR e.platform IS NOT NULL) AND \
                 e.state = 'open' AND NOT EXISTS (SELECT 1 FROM email_code c WHERE c.tenant_id = e.tenant_id AND \
                 c.login_id = e.login_id AND c.state = 'verified')",
            ),
            (
                "INV-3: an activation belongs to the login and the person of its enrollment",
                "SELECT COUNT(*) AS n FROM activation a WHERE NOT EXISTS (SELECT 1 FROM enrollment e WHERE \
                 e.tenant_id = a.tenant_id AND e.id = a.enrollment_id AND e.login_id = a.login_id AND \
                 e.user_id = a.user_id)",
            ),
            ("INV-5: no code has more than five tries", "SELECT COUNT(*) AS n FROM email_code WHERE tries > 5"),
            (
                "INV-8: one event for every token that was enrolled",
                "SELECT ABS((SELECT COUNT(*) FROM token WHERE enrolled_by = 'self') - (SELECT COUNT(*) FROM audit_event \
                 WHERE action = 'token_enrolled')) AS n",
            ),
            (
                "INV-8: one event for every session",
                "SELECT ABS((SELECT COUNT(*) FROM sso_session) - (SELECT COUNT(*) FROM audit_event WHERE \
                 action = 'session_started')) AS n",
            ),
            (
                "INV-8: one event for every code that was sent",
                "SELECT ABS((SELECT COUNT(*) FROM email_code) - (SELECT COUNT(*) FROM audit_event WHERE \
                 action IN ('code_sent', 'code_resent'))) AS n",
            ),
            (
                "INV-9: a person has one active token at most",
                "SELECT COUNT(*) AS n FROM (SELECT user_id FROM token WHERE state = 'active' GROUP BY tenant_id, user_id \
                 HAVING COUNT(*) > 1) t",
            ),
            (
                "INV-10: a login that was answered has a session",
                "SELECT COUNT(*) AS n FROM login WHERE stage IN ('granted', 'answered') AND session_id IS NULL",
            ),
        ] {
            assert_eq!(self.count(question).await, 0, "{note}: {invariant}");
        }
    }
}

/// The attacker: a few browsers, everything they have seen, and the password.
struct Attacker {
    browsers: Vec<Visitor>,
    /// The pages that were seen last, and in which browser.
    pages: Vec<(usize, Seen)>,
    /// Addresses of logins, of whichever browser.
    desks: Vec<String>,
    /// Where browsers were sent outside of the service.
    prizes: Vec<String>,
}

impl Attacker {
    fn new(world: &World) -> Self {
        let browsers = (0..3).map(|_| Visitor::new(&world.url)).collect();
        Self { browsers, pages: Vec::new(), desks: Vec::new(), prizes: Vec::new() }
    }

    fn saw(&mut self, browser: usize, seen: Seen) {
        assert!(seen.status < 500 || seen.status == 503, "{} at {}", seen.status, seen.url);
        if let Some(target) = &seen.leaves_to
            && target.contains("code=")
        {
            self.prizes.push(target.clone());
        }
        if seen.body.contains("name=\"SAMLResponse\"") {
            self.prizes.push("a SAML response".to_owned());
        }
        if let Some(desk) = desk_of(&seen.url)
            && !self.desks.contains(&desk)
        {
            self.desks.push(desk);
        }
        // Pages with nothing to press are no use to anybody.
        if seen.status == 200 {
            self.pages.push((browser, seen));
        }
        if self.pages.len() > 6 {
            self.pages.remove(0);
        }
        if self.desks.len() > 8 {
            self.desks.remove(0);
        }
    }

    /// One thing that somebody without the mailbox can do.
    async fn step(&mut self, world: &World, rng: &mut StdRng) {
        let browser = pick(rng, self.browsers.len());
        let seen = match pick(rng, 36) {
            0 => self.browsers[browser].get(&authorize(world, "")).await,
            1 => {
                let more = ["&prompt=none", "&prompt=login", "&max_age=0", "&acr_values=urn:vestibule:acr:mfa"];
                self.browsers[browser].get(&authorize(world, more[pick(rng, more.len())])).await
            }
            2 | 3 => self.browsers[browser].get(&format!("{}/", world.base())).await,
            // A door's end of the login, before its time.
            4 | 5 if !self.desks.is_empty() => {
                let desk = &self.desks[pick(rng, self.desks.len())];
                let login = desk.rsplit('/').next().unwrap();
                let door = ["oidc", "saml", "portal"][pick(rng, 3)];
                let address = format!("{}/{door}/resume/{login}", world.base());
                self.browsers[browser].get(&address).await
            }
            6 | 7 if !self.desks.is_empty() => {
                let desk = self.desks[pick(rng, self.desks.len())].clone();
                self.browsers[browser].get(&desk).await
            }
            // The cookies of one browser in another.
            8 => {
                let other = self.browsers[pick(rng, self.browsers.len())].cookies.clone();
                self.browsers[browser].cookies.extend(other);
                return;
            }
            9 => {
                world.advance([1, 29, 61, 599, 901][pick(rng, 5)]);
                return;
            }
            // A device, with an activation that does not exist or is guessed.
            10 => {
                let call = ["claim", "confirm"][pick(rng, 2)];
                let address = format!("{}/api/authenticator/v1/activation/{call}", world.base());
                let body = serde_json::json!({ "version": 1, "activation": "a".repeat(26), "device_key": "AA", "nonce": "AA",
                    "platform": "ios", "os_version": "17", "app_version": "1", "device_name": "x", "mac": "AA" });
                let answer = reqwest::Client::new().post(address).json(&body).send().await.unwrap();
                assert!(answer.status().is_client_error(), "{}", answer.status());
                return;
            }
            // Any form of any page in any browser: with that page's token, another's, or none.
            _ => self.send_form(rng, browser).await,
        };
        self.saw(browser, seen);
    }

    async fn send_form(&mut self, rng: &mut StdRng, browser: usize) -> Seen {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let newest = pick(rng, 2) == 0;
        let page = if newest { self.pages.last() } else { self.pages.get(pick(rng, self.pages.len().max(1))) };
        let Some((seen_in, page)) = page else {
            return self.browsers[browser].get("/t/acme/").await;
        };
        // Mostly in the browser that has the page, so that walks come far.
        let browser = if pick(rng, 8) > 0 { *seen_in } else { browser };
        let token = scraper::Html::parse_document(&page.body)
            .select(&scraper::Selector::parse("input[name=csrf]").unwrap())
            .next()
            .and_then(|input| input.attr("value").map(str::to_owned));
        let mut fields = Vec::new();
        if pick(rng, 10) > 0 {
            fields.push(field("csrf", &token.unwrap_or_default()));
        }
        let any = |rng: &mut StdRng| (!self.desks.is_empty()).then(|| self.desks[pick(rng, self.desks.len())].clone());
        let desk = if pick(rng, 8) == 0 { any(rng) } else { desk_of(&page.url).or_else(|| any(rng)) };
        let Some(desk) = desk else { return self.browsers[browser].get("/t/acme/").await };
        // The way that leads on is taken more often, for the same reason.
        let form = match page.title().as_str() {
            "Log in" if pick(rng, 3) > 0 => "username",
            "Enter your password" if pick(rng, 3) > 0 => "password",
            "Add an authenticator" if pick(rng, 3) > 0 => "add-authenticator",
            _ => FORMS[pick(rng, FORMS.len())],
        };
        match form {
            "username" => fields.push(field("username", ["ada", "ada", "ADA", "barbara", "nobody"][pick(rng, 5)])),
            "password" => {
                fields.push(field("password", [PASSWORD, PASSWORD, PASSWORD, PASSWORD, "wrong", ""][pick(rng, 6)]))
            }
            "passcode" | "code" => {
                let guess = format!("{:06}", rng.next_u64() % 1_000_000);
                fields.push(field("code", ["000000", "", &guess, "' OR 1=1"][pick(rng, 4)]));
            }
            "platform" => fields.push(field("platform", PLATFORMS[pick(rng, PLATFORMS.len())])),
            _ => {}
        }
        // Fields that belong to another form, too.
        if pick(rng, 6) == 0 {
            fields.push(field("email_verified", "true"));
            fields.push(field("platform", "oath_app"));
        }
        self.browsers[browser].post(&format!("{desk}/{form}"), &fields).await
    }
}

/// T-01, T-02, AC-05: with the password and without the mailbox nothing is ever enrolled, and nobody arrives.
#[actix_web::test]
async fn with_the_password_alone_nobody_enrolls_or_arrives() {
    // INV-1, INV-2, INV-3, INV-5, INV-8, INV-9, INV-10.
    for on in BOTH {
        for seed in seeds(if on == On::Sqlite { &[1, 2, 3, 4] } else { &[5] }) {
            let world = World::new(on).await;
            let oracle = Oracle::new(&world).await;
            let mut rng = StdRng::seed_from_u64(seed);
            let mut attacker = Attacker::new(&world);
            let mut furthest = 0;
            for step in 0..steps(250) {
                let note = format!("{on:?}, seed {seed}, step {step}");
                attacker.step(&world, &mut rng).await;
                assert!(attacker.prizes.is_empty(), "{note}: {:?}", attacker.prizes);
                furthest = furthest.max(oracle.count("SELECT COUNT(*) AS n FROM email_code").await);
                for (what, question) in [
                    ("a token", "SELECT COUNT(*) AS n FROM token WHERE enrolled_by = 'self'"),
                    ("an activation", "SELECT COUNT(*) AS n FROM activation"),
                    ("a session", "SELECT COUNT(*) AS n FROM sso_session"),
                    ("a code for an application", "SELECT COUNT(*) AS n FROM oidc_grant"),
                    (
                        "a mailbox or a passcode as evidence",
                        "SELECT COUNT(*) AS n FROM evidence WHERE kind <> 'password'",
                    ),
                ] {
                    assert_eq!(oracle.count(question).await, 0, "{note}: {what}");
                }
                if step % 25 == 0 {
                    oracle.always(&note).await;
                }
            }
            // A walk that never came past the password would prove nothing.
            assert!(furthest > 0, "{on:?}, seed {seed}: no code was ever sent");
            let mails = world.mail.to("ada@acme.test").len();
            assert!(mails <= 60, "AC-09: {mails} mails");
            world.stop().await;
        }
    }
}

/// The owner, who does one honest thing at a time.
struct Owner {
    browser: Visitor,
    page: Option<Seen>,
    secret: Option<String>,
    codes_read: usize,
    arrived: u32,
}

impl Owner {
    async fn step(&mut self, world: &World) {
        let Some(page) = self.page.take() else {
            self.page = Some(self.browser.get(&authorize(world, "")).await);
            return;
        };
        if page.leaves_to.as_deref().is_some_and(|target| target.contains("code=")) {
            self.arrived += 1;
            return;
        }
        let next = match page.title().as_str() {
            "Log in" => self.browser.press(&page, "continue", &[("username", "ada")]).await,
            "Enter your password" => self.browser.press(&page, "continue", &[("password", PASSWORD)]).await,
            "Add an authenticator" => {
                self.codes_read = world.mail.to("ada@acme.test").len();
                self.browser.press(&page, "add-authenticator", &[]).await
            }
            "Enter the code from your email" => {
                // Reads the newest code; others may have caused mails in between, so each is tried.
                let mut next = page.clone();
                for _ in 0..40 {
                    if world.mail.to("ada@acme.test").len() > self.codes_read {
                        break;
                    }
                    tokio::time::sleep(std::time::Duration::from_millis(25)).await;
                }
                for mail in world.mail.to("ada@acme.test").iter().rev().take(3) {
                    let Some(code) = mail.code() else { continue };
                    if !next.has_action("continue") || next.title() != page.title() {
                        break;
                    }
                    next = self.browser.press(&next, "continue", &[("code", &code)]).await;
                }
                next
            }
            title if title.starts_with("Where do you want") => {
                self.browser.press(&page, "platform-oath_app", &[]).await
            }
            "Connect your authenticator app" => {
                let secret = page.find("[data-activation-string]").unwrap().replace(' ', "");
                let code = story::oathtool(world, &secret, "--totp=sha1", "6");
                self.secret = Some(secret);
                self.browser.press(&page, "continue", &[("code", &code)]).await
            }
            "Enter your passcode" => {
                world.advance(30);
                let secret = self.secret.clone().unwrap_or_default();
                if secret.is_empty() {
                    return;
                }
                let code = story::oathtool(world, &secret, "--totp=sha1", "6");
                self.browser.press(&page, "continue", &[("code", &code)]).await
            }
            // Anything else: begin again, as people do.
            _ => self.browser.get(&authorize(world, "&prompt=login")).await,
        };
        assert!(next.status < 500, "{} {}", next.status, next.url);
        self.page = Some(next);
    }
}

/// INV-2, INV-9, INV-11, INV-12, T-08, T-09: while the owner logs in and enrolls, a stranger with the password is busy
/// in browsers of his own. He never arrives, and the owner never has two tokens.
#[actix_web::test]
async fn a_stranger_with_the_password_gains_nothing_from_the_owners_login() {
    let mut arrivals = 0;
    for on in BOTH {
        for seed in seeds(if on == On::Sqlite { &[11, 12, 13] } else { &[14] }) {
            let world = World::new(on).await;
            let oracle = Oracle::new(&world).await;
            let mut rng = StdRng::seed_from_u64(seed);
            let mut attacker = Attacker::new(&world);
            let browser = Visitor::new(&world.url);
            let mut owner = Owner { browser, page: None, secret: None, codes_read: 0, arrived: 0 };
            for step in 0..steps(120) {
                let note = format!("{on:?}, seed {seed}, step {step}");
                if pick(&mut rng, 3) == 0 {
                    attacker.step(&world, &mut rng).await;
                } else {
                    owner.step(&world).await;
                }
                assert!(attacker.prizes.is_empty(), "{note}: {:?}", attacker.prizes);
                if step % 10 == 0 {
                    oracle.always(&note).await;
                }
            }
            oracle.always(&format!("{on:?}, seed {seed}, at the end")).await;
            arrivals += owner.arrived;
            world.stop().await;
        }
    }
    assert!(arrivals > 0, "the owner never arrived: the walks prove nothing");
}
