//! Somebody who knows a password and not the mailbox does whatever comes to mind, in any order; then the same while
//! the owner of the account goes through the login. After every step the invariants of the login must hold.
//!
//! `VESTIBULE_WALK_STEPS` makes the walks longer (the default is for every change, a night takes 100 000), and
//! `VESTIBULE_WALK_SEED` repeats one: a failing walk prints its seed.

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use vestibule::storage::Db;
use vestibule::storage::statement::Statement;

use crate::story::{self, PASSWORD, authorize};
use crate::visitor::{Seen, Visitor};
use crate::world::{BOTH, On, World};

/// Everything that a form of the login can be sent to.
const FORMS: [&str; 20] = [
    "username",
    "forget-user",
    "password",
    "switch-user",
    "passcode",
    "new-pin",
    "add-authenticator",
    "code",
    "resend-code",
    "platform",
    "change-platform",
    "installed",
    "renew",
    "recovery-code",
    "codes-kept",
    "extend",
    "cancel",
    "response",
    "new-challenge",
    "later",
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

/// The mails that one person may get, whoever asks for them: three for a login, a minute apart, five in an hour and six
/// in a day. Whether more than that were sent is asked of every mail, with the mails before it.
const ALLOWED: [(&str, &str); 4] = [
    (
        "AC-10: three mails for a login",
        "SELECT COUNT(*) AS n FROM (SELECT login_id FROM email_code GROUP BY tenant_id, login_id HAVING COUNT(*) > 3) t",
    ),
    (
        "T-28: a minute between two mails of a login",
        "SELECT COUNT(*) AS n FROM email_code a JOIN email_code b ON a.tenant_id = b.tenant_id AND \
         a.login_id = b.login_id AND a.id <> b.id AND b.created_at >= a.created_at AND \
         b.created_at - a.created_at < 60000000",
    ),
    (
        "R-130: five mails in an hour",
        "SELECT COUNT(*) AS n FROM email_code a WHERE (SELECT COUNT(*) FROM email_code b WHERE b.tenant_id = a.tenant_id \
         AND b.user_id = a.user_id AND b.created_at <= a.created_at AND b.created_at > a.created_at - 3600000000) > 5",
    ),
    (
        "T-28: six mails in a day",
        "SELECT COUNT(*) AS n FROM email_code a WHERE (SELECT COUNT(*) FROM email_code b WHERE b.tenant_id = a.tenant_id \
         AND b.user_id = a.user_id AND b.created_at <= a.created_at AND b.created_at > a.created_at - 86400000000) > 6",
    ),
];

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
                 FROM evidence v WHERE v.tenant_id = e.tenant_id AND v.login_id = e.login_id AND v.kind IN \
                 ('password', 'mailbox', 'otp')) < 3",
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
    /// The forms that were sent with the token of a page of their login: the ones that can have an effect.
    sent: BTreeSet<&'static str>,
}

impl Attacker {
    fn new(world: &World) -> Self {
        let browsers = (0..3).map(|_| Visitor::new(&world.url)).collect();
        Self { browsers, pages: Vec::new(), desks: Vec::new(), prizes: Vec::new(), sent: BTreeSet::new() }
    }

    fn saw(&mut self, browser: usize, seen: Seen) {
        assert!(seen.status < 500 || seen.status == 503, "{} at {}", seen.status, seen.url);
        if seen.body.contains("data-activation-string") || seen.body.contains("/activate#") {
            self.prizes.push("an activation string".to_owned());
        }
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
                let more = ["", "?language=de", "?language=en", "?step=activate&platform=ios"][pick(rng, 4)];
                self.browsers[browser].get(&format!("{desk}{more}")).await
            }
            // The stream that a page waits at: its head is enough.
            11 if !self.desks.is_empty() => {
                let desk = self.desks[pick(rng, self.desks.len())].clone();
                let cookies = self.browsers[browser].cookies.iter();
                let cookies: Vec<String> = cookies.map(|(name, value)| format!("{name}={value}")).collect();
                let request = reqwest::Client::new().get(format!("{desk}/events"));
                let answer = request.header("cookie", cookies.join("; ")).send().await.unwrap();
                assert!(answer.status().as_u16() < 500, "{}", answer.status());
                return;
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
        let whole = pick(rng, 10) > 0 && token.is_some();
        if whole {
            fields.push(field("csrf", &token.unwrap_or_default()));
        }
        let any = |rng: &mut StdRng| (!self.desks.is_empty()).then(|| self.desks[pick(rng, self.desks.len())].clone());
        let desk = if pick(rng, 8) == 0 { any(rng) } else { desk_of(&page.url).or_else(|| any(rng)) };
        let Some(desk) = desk else { return self.browsers[browser].get("/t/acme/").await };
        // The way that leads on is taken more often, for the same reason.
        let onward = ["username", "password", "add-authenticator"];
        let onward = onward.into_iter().find(|form| page.body.contains(&format!("/{form}\"")));
        let form = onward.filter(|_| pick(rng, 3) > 0).unwrap_or_else(|| FORMS[pick(rng, FORMS.len())]);
        match form {
            "username" => fields.push(field("username", ["ada", "ada", "ADA", "barbara", "nobody"][pick(rng, 5)])),
            "password" => {
                fields.push(field("password", [PASSWORD, PASSWORD, PASSWORD, PASSWORD, "wrong", ""][pick(rng, 6)]))
            }
            "passcode" | "code" | "recovery-code" => {
                let guess = format!("{:06}", rng.next_u64() % 1_000_000);
                fields.push(field("code", ["000000", "", &guess, "' OR 1=1"][pick(rng, 4)]));
            }
            "response" => fields.push(field("response", ["000000", "", "12345678", "' OR 1=1"][pick(rng, 4)])),
            "platform" => fields.push(field("platform", PLATFORMS[pick(rng, PLATFORMS.len())])),
            _ => {}
        }
        // Fields that belong to another form, too.
        if pick(rng, 6) == 0 {
            fields.push(field("email_verified", "true"));
            fields.push(field("platform", "oath_app"));
        }
        if whole && desk_of(&page.url).as_ref() == Some(&desk) {
            self.sent.insert(form);
        }
        self.browsers[browser].post(&format!("{desk}/{form}"), &fields).await
    }
}

/// The walks know every form that a login has: one that is added to the service must be walked over, too.
#[test]
fn the_attacker_knows_every_form_of_a_login() {
    let routes = include_str!("../../src/pages/login/mod.rs");
    // The routes of a login are told apart from the one beside them by their place in the scope.
    let of_login = routes.split("web::scope(\"/login/{login}\")").nth(1).expect("the scope of a login");
    let posted = of_login.split(".route(\"/").skip(1);
    let posted = posted.filter_map(|rest| rest.split_once("\", web::post()").map(|(form, _)| form));
    let posted: BTreeSet<&str> = posted.filter(|form| !form.contains('"')).collect();
    assert_eq!(posted, BTreeSet::from(FORMS), "AC-01");
}

/// AC-01, T-01, T-02, AC-05: with the password and without the mailbox, whatever endpoint is walked over in whatever
/// order, no activation string is ever shown, nothing is enrolled, nobody arrives, and the owner of the mailbox gets
/// the allowed mails and no more.
#[actix_web::test]
async fn with_the_password_alone_nobody_enrolls_or_arrives() {
    // INV-1, INV-2, INV-3, INV-5, INV-8, INV-9, INV-10.
    let mut walked = BTreeSet::new();
    for on in BOTH {
        for seed in seeds(if on == On::Sqlite { &[1, 6, 7] } else { &[6] }) {
            let world = World::new(on).await;
            let oracle = Oracle::new(&world).await;
            let mut rng = StdRng::seed_from_u64(seed);
            let mut attacker = Attacker::new(&world);
            let mut furthest = 0;
            for step in 0..steps(300) {
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
                        "SELECT COUNT(*) AS n FROM evidence WHERE kind NOT IN ('password', 'knocked')",
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
            for (what, question) in ALLOWED {
                assert_eq!(oracle.count(question).await, 0, "AC-01: {on:?}, seed {seed}: {what}");
            }
            // Every mail belongs to a code that was counted; the outbox sends none of its own accord.
            let mails = world.mail.all().iter().filter(|mail| mail.code().is_some()).count();
            let codes = oracle.count("SELECT COUNT(*) AS n FROM email_code").await;
            assert!(i64::try_from(mails).unwrap() <= codes, "AC-01: {mails} mails, {codes} codes");
            walked.extend(attacker.sent);
            world.stop().await;
        }
    }
    assert_eq!(walked, BTreeSet::from(FORMS), "AC-01: every form was walked over, in earnest");
}

/// AC-01, AC-02, T-01: where a gate is closed, password and mailbox together are not enough: no mail is ever sent, nothing is
/// begun, and nobody arrives, whatever is tried at whichever gate.
#[actix_web::test]
async fn at_a_closed_gate_nobody_enrolls_with_the_mailbox_either() {
    let gates = [
        ("dormant_days = 30\nhelp_desk_pass = \"opens_gates\"", 40 * 86_400, "dormant"),
        ("enrollment_window_days = 14\nrecovery_codes = true", 15 * 86_400, "window_closed"),
        ("enrollment_networks = [\"10.0.0.0/8\"]", 0, "unknown_network"),
        ("help_desk_pass = \"required\"", 0, "pass_needed"),
    ];
    for (number, (keys, later, reason)) in gates.into_iter().enumerate() {
        let on = BOTH[number % 2];
        for seed in seeds(&[21 + u64::try_from(number).unwrap()]) {
            let world = World::new(on).await;
            crate::gates::set(&world, keys).await;
            world.advance(later);
            let oracle = Oracle::new(&world).await;
            let mut rng = StdRng::seed_from_u64(seed);
            let mut attacker = Attacker::new(&world);
            for step in 0..steps(150) {
                let note = format!("{on:?}, {reason}, seed {seed}, step {step}");
                attacker.step(&world, &mut rng).await;
                assert!(attacker.prizes.is_empty(), "{note}: {:?}", attacker.prizes);
                for (what, question) in [
                    ("a mailed code", "SELECT COUNT(*) AS n FROM email_code"),
                    ("an enrollment", "SELECT COUNT(*) AS n FROM enrollment"),
                    ("a session", "SELECT COUNT(*) AS n FROM sso_session"),
                    (
                        "evidence of more than the password",
                        "SELECT COUNT(*) AS n FROM evidence WHERE kind NOT IN ('password', 'knocked')",
                    ),
                ] {
                    assert_eq!(oracle.count(question).await, 0, "{note}: {what}");
                }
            }
            oracle.always(reason).await;
            assert!(world.events("enrollment_withheld").await > 0, "{reason}: the walk never came to the gate");
            world.stop().await;
        }
    }
}

/// AC-01, T-01, issue 6: the rollout opens nothing to whoever has a password alone. In a wave that has begun, and in one that the
/// brake has paused after the person was asked, nobody enrolls or arrives; where people are only observed somebody arrives with what
/// was proven, and with no more than that.
#[actix_web::test]
async fn the_rollout_gives_a_stolen_password_no_more_than_it_is_worth() {
    const BEGUN: &str = "rollout = \"waves\"\n[[tenant.self_provisioning.wave]]\nname = \"All\"\n\
                         starts_at = 2027-01-01T00:00:00Z\nmost_per_day = 100\n";
    let stages: [(&str, bool, &[u64]); 3] =
        [(BEGUN, false, &[31, 33]), (BEGUN, true, &[32]), ("rollout = \"observe\"\n", false, &[34])];
    for (number, (keys, paused, of_stage)) in stages.into_iter().enumerate() {
        let on = BOTH[number % 2];
        for seed in seeds(of_stage) {
            let world = World::new(on).await;
            crate::gates::set(&world, keys).await;
            if paused {
                // She was asked, and then the brake was pulled.
                let mut ada = Visitor::new(&world.url);
                let seen = story::after_password(&world, &mut ada, "ada", PASSWORD).await;
                assert_eq!(seen.title(), "Add an authenticator");
                let site = &world.site;
                let realm = site.house.realm(&"acme".parse().unwrap()).await.unwrap().unwrap();
                let wave = realm.config.settings.self_provisioning.staging.wave[0].clone();
                let desk = world.desk("test");
                let pause = async |connection: &mut vestibule::storage::Connection| {
                    vestibule::flow::administration::rollout::pause(&desk, connection, realm.tenant(), &wave, false)
                        .await
                };
                assert!(site.house.db.write(pause).await.unwrap());
            }
            let oracle = Oracle::new(&world).await;
            let mut rng = StdRng::seed_from_u64(seed);
            let mut attacker = Attacker::new(&world);
            let observed = keys.contains("observe");
            let mut arrived = false;
            for step in 0..steps(150) {
                let note = format!("{on:?}, stage {number}, seed {seed}, step {step}");
                attacker.step(&world, &mut rng).await;
                arrived |= attacker.prizes.iter().any(|prize| prize.contains("code="));
                attacker.prizes.retain(|prize| !observed || !prize.contains("code="));
                assert!(attacker.prizes.is_empty(), "{note}: {:?}", attacker.prizes);
                for (what, question) in [
                    ("a token", "SELECT COUNT(*) AS n FROM token WHERE enrolled_by = 'self'"),
                    ("an activation", "SELECT COUNT(*) AS n FROM activation"),
                    ("a session with a passcode", "SELECT COUNT(*) AS n FROM sso_session WHERE otp_at IS NOT NULL"),
                    ("two factors told", "SELECT COUNT(*) AS n FROM oidc_grant WHERE details LIKE '%acr:mfa%'"),
                    (
                        "somebody else let in than those who are observed",
                        "SELECT COUNT(*) AS n FROM sso_session s JOIN user_account u ON u.tenant_id = s.tenant_id \
                         AND u.id = s.user_id WHERE u.username <> 'ada'",
                    ),
                ] {
                    assert_eq!(oracle.count(question).await, 0, "{note}: {what}");
                }
                if !observed {
                    assert_eq!(oracle.count("SELECT COUNT(*) AS n FROM sso_session").await, 0, "{note}: a session");
                }
            }
            oracle.always(&format!("stage {number}")).await;
            // A walk that never came past the password would prove nothing.
            let asked = oracle.count("SELECT COUNT(*) AS n FROM rollout_attempt").await;
            assert!(
                if observed { arrived } else { asked > 0 },
                "{on:?}, stage {number}, seed {seed}: it never came far"
            );
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
