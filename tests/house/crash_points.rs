//! The crash points K11 to K16 of an enrollment, each exactly there: the real program is killed with the signal that nobody
//! can catch, and started again on the same database.
//!
//! What stops the program where it is to be killed is not in the program. Inside a transaction it is the database: a trigger
//! that does not come back stands at one statement, and everything before it is written and not committed. On the wire it
//! is a proxy that keeps a request, or an answer, to itself.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use vestibule::clock::Clock;

use crate::abuse::Device;
use crate::browser::Running;
use crate::mariadb;
use crate::process::Service;
use crate::story::{PASSWORD, authorize_at, code_of, oathtool_at, redeem_at};
use crate::visitor::{Seen, Visitor};
use crate::world::{ACME, BOTH, On};

const LINUS: &str = "has a token already";
const SECRET_OF_LINUS: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
/// How many tokens somebody has enrolled.
const TOKENS: &str = "SELECT COUNT(*) AS n FROM token WHERE enrolled_by <> 'import'";

/// Hands on what goes between those outside and the service.
struct Proxy {
    port: u16,
    mode: Arc<AtomicU8>,
    kept: Arc<AtomicU32>,
}

const PASS: u8 = 0;
/// The next request does not arrive; then nothing passes any more.
const KEEP_REQUEST: u8 = 1;
/// The next answer does not arrive; then nothing passes any more.
const KEEP_ANSWER: u8 = 2;
const CLOSED: u8 = 3;

impl Proxy {
    /// One whose service is at the port that is told later.
    async fn new(to: Arc<OnceLock<u16>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (mode, kept) = (Arc::new(AtomicU8::new(PASS)), Arc::new(AtomicU32::new(0)));
        let (its_mode, its_kept) = (Arc::clone(&mode), Arc::clone(&kept));
        tokio::task::spawn_local(async move {
            while let Ok((outside, _)) = listener.accept().await {
                let (mode, kept, to) = (Arc::clone(&its_mode), Arc::clone(&its_kept), Arc::clone(&to));
                tokio::task::spawn_local(async move {
                    let Ok(inside) = TcpStream::connect(("127.0.0.1", *to.get().unwrap())).await else { return };
                    let ((mut out_read, mut out_write), (mut in_read, mut in_write)) =
                        (outside.into_split(), inside.into_split());
                    let there = hand_on(&mut out_read, &mut in_write, &mode, &kept, KEEP_REQUEST);
                    let back = hand_on(&mut in_read, &mut out_write, &mode, &kept, KEEP_ANSWER);
                    // When one way ends, the connection does.
                    tokio::select! { () = there => {} () = back => {} }
                });
            }
        });
        Self { port, mode, kept }
    }

    fn set(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }

    /// Waits until what was to be kept is kept.
    async fn has_kept(&self) {
        let begun = Instant::now();
        while self.kept.swap(0, Ordering::SeqCst) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing came that could be kept");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn hand_on(
    from: &mut tokio::net::tcp::OwnedReadHalf,
    to: &mut tokio::net::tcp::OwnedWriteHalf,
    mode: &AtomicU8,
    kept: &AtomicU32,
    keeps: u8,
) {
    let mut buffer = vec![0; 65_536];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if mode.compare_exchange(keeps, CLOSED, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            kept.fetch_add(1, Ordering::SeqCst);
            return;
        }
        if mode.load(Ordering::SeqCst) == CLOSED || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// The statements at which the database can stop the program.
#[derive(Debug, Clone, Copy)]
enum At {
    /// The first of a device's call: its transaction has written nothing yet.
    FirstOfCall,
    /// An activation was claimed or has ended.
    Activation,
    /// A token was made.
    NewToken,
    /// A token's last accepted position was moved.
    Accepted,
    /// The evidence of a login was written.
    Evidence,
    /// A code for the application was made.
    Grant,
}

impl At {
    /// The statement that makes the trigger.
    fn trigger(self, on: On) -> String {
        let when = match self {
            Self::FirstOfCall => "BEFORE INSERT ON throttle",
            Self::Activation => "AFTER UPDATE ON activation",
            Self::NewToken => "AFTER INSERT ON token",
            Self::Accepted => "AFTER UPDATE ON token",
            Self::Evidence => "AFTER INSERT ON evidence",
            Self::Grant => "AFTER INSERT ON oidc_grant",
        };
        match on {
            On::Sqlite => format!(
                "CREATE VIEW crash_wait AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                 SELECT COUNT(*) AS n FROM n WHERE i < 0; \
                 CREATE TRIGGER crash_here {when} BEGIN SELECT n FROM crash_wait; END;"
            ),
            On::MariaDb => format!("CREATE TRIGGER crash_here {when} FOR EACH ROW DO SLEEP(120)"),
        }
    }
}

/// A service that is killed.
struct Crash {
    on: On,
    service: Service,
    proxy: Proxy,
    running: Running,
}

impl Crash {
    async fn new(on: On) -> Self {
        let port = Arc::new(OnceLock::new());
        let proxy = Proxy::new(Arc::clone(&port)).await;
        let service = Service::behind(on, proxy.port);
        port.set(service.port()).unwrap();
        service.apply(ACME);
        let running = service.start().await;
        Self { on, service, proxy, running }
    }

    fn sql(&self, text: &str) {
        match self.on {
            On::Sqlite => {
                let file = self.service.database.strip_prefix("sqlite://").unwrap();
                let database = rusqlite::Connection::open(file).unwrap();
                database.busy_timeout(Duration::from_secs(20)).unwrap();
                database.execute_batch(text).unwrap();
            }
            On::MariaDb => mariadb::run_in(&self.service.database, text),
        }
    }

    /// From now on the program stops there.
    fn stop_at(&self, at: At) {
        self.sql(&at.trigger(self.on));
    }

    /// Waits until the program stands there, and kills it.
    async fn kill_there(&mut self) {
        let begun = Instant::now();
        match self.on {
            On::Sqlite => {
                // Nothing else that the program does keeps the turn to write for as long.
                let file = self.service.database.strip_prefix("sqlite://").unwrap();
                let database = rusqlite::Connection::open(file).unwrap();
                database.busy_timeout(Duration::ZERO).unwrap();
                let mut held_since = None;
                loop {
                    if database.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok() {
                        held_since = None;
                    } else if held_since.get_or_insert_with(Instant::now).elapsed() > Duration::from_millis(1500) {
                        break;
                    }
                    assert!(begun.elapsed() < Duration::from_secs(60), "the program does not come here");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                self.running.end();
            }
            On::MariaDb => {
                let sleeping = loop {
                    let found = mariadb::sleeping_in(&self.service.database);
                    if !found.is_empty() {
                        break found;
                    }
                    assert!(begun.elapsed() < Duration::from_secs(60), "the program does not come here");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                };
                self.running.end();
                // The server looks only when the statement ends whether somebody is still there; then it rolls back.
                for id in sleeping {
                    mariadb::end(id);
                }
            }
        }
        let view = if self.on == On::Sqlite { "; DROP VIEW crash_wait" } else { "" };
        self.sql(&format!("DROP TRIGGER crash_here{view}"));
    }

    /// Kills it once the proxy has kept what it should.
    async fn kill_when_kept(&mut self) {
        self.proxy.has_kept().await;
        self.running.end();
    }

    async fn start_again(&mut self) {
        self.running = self.service.start().await;
        self.proxy.set(PASS);
    }

    /// Ada's way to the page with the activation string; the visitor, the page, the string.
    async fn to_activation(&self, platform: &str) -> (Visitor, Seen, String) {
        let url = self.service.url();
        let mut ada = Visitor::new(&url);
        let seen = ada.get(&authorize_at(&format!("{url}/t/acme"), "")).await;
        let seen = ada.press(&seen, "continue", &[("username", "ada")]).await;
        let seen = ada.press(&seen, "continue", &[("password", PASSWORD)]).await;
        let seen = ada.press(&seen, "add-authenticator", &[]).await;
        let code = self.service.code_to("ada@acme.test").await;
        let seen = ada.press(&seen, "continue", &[("code", &code)]).await;
        let seen = ada.press(&seen, &format!("platform-{platform}"), &[]).await;
        let string = seen.find("[data-activation-string]").unwrap_or_else(|| panic!("{}", seen.body));
        (ada, seen, string)
    }

    /// Somebody's way to the page that asks for a passcode.
    async fn to_passcode(&self, name: &str, password: &str) -> (Visitor, Seen) {
        let url = self.service.url();
        let mut visitor = Visitor::new(&url);
        let seen = visitor.get(&authorize_at(&format!("{url}/t/acme"), "")).await;
        let seen = visitor.press(&seen, "continue", &[("username", name)]).await;
        let seen = visitor.press(&seen, "continue", &[("password", password)]).await;
        assert_eq!(seen.title(), "Enter your passcode", "{}", seen.body);
        (visitor, seen)
    }

    /// The application gets what it came for, once.
    async fn arrives(&self, seen: &Seen, what: &str) {
        let (code, _) = code_of(seen);
        let (status, tokens) = redeem_at(&self.service.url(), &code).await;
        assert_eq!(status, 200, "{:?}, {what}: {tokens}", self.on);
        assert_eq!(crate::story::claims_of(&tokens)["acr"], "urn:vestibule:acr:mfa", "{what}");
    }
}

/// A passcode of now.
fn passcode(secret: &str, mode: &str) -> String {
    oathtool_at(Clock::System.now(), secret, mode, "6")
}

/// One form of a page that is sent while the program is killed: nobody gets an answer.
fn unanswered(visitor: &Visitor, seen: &Seen, action: &str, fields: &[(&str, &str)]) -> tokio::task::JoinHandle<()> {
    let (mut visitor, (address, mut all)) = (visitor.clone(), seen.form(action));
    all.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    tokio::task::spawn_local(async move {
        let answer = visitor.try_post(&address, &all).await;
        assert!(answer.is_err(), "the program is killed before it answers: {answer:?}");
    })
}

/// A call of a device that is made while the program is killed.
fn claim_of(device: &Arc<Device>) -> tokio::task::JoinHandle<(u16, serde_json::Value)> {
    let device = Arc::clone(device);
    tokio::task::spawn_local(async move { device.claim().await })
}

/// K11, K13 (claim): the device's call is there and nothing is done; or it is claimed and the device does not know.
/// K12 (claim): in between. The device repeats its call and gets the same answer, another device gets none.
/// K11, K12, K13, AC-15.
#[actix_web::test]
async fn a_service_is_killed_while_a_device_claims() {
    for on in BOTH {
        let mut crash = Crash::new(on).await;
        let (mut ada, page, string) = crash.to_activation("command_line").await;
        let device = Arc::new(Device::new(&string, "command_line"));
        const CLAIMED: &str = "SELECT COUNT(*) AS n FROM activation WHERE state = 'claimed'";
        for (at, name) in [(At::FirstOfCall, "K11"), (At::Activation, "K12")] {
            crash.stop_at(at);
            let call = claim_of(&device);
            crash.kill_there().await;
            call.abort();
            assert_eq!(crash.service.number(CLAIMED).await, 0, "{on:?}, {name}: nothing of it is there");
            crash.start_again().await;
        }
        // K13: it is committed, and the answer is lost with the service.
        crash.proxy.set(KEEP_ANSWER);
        let call = claim_of(&device);
        crash.kill_when_kept().await;
        assert_eq!(crash.service.number(CLAIMED).await, 1, "{on:?}, K13: it is claimed");
        crash.start_again().await;
        // The device asks again by itself, and once more.
        let (status, claimed) = call.await.unwrap();
        assert_eq!(status, 200, "{on:?}, K13: {claimed}");
        assert_eq!(device.claim().await, (200, claimed.clone()), "{on:?}, K13: the same answer");
        let other = Device::new(&string, "command_line");
        assert_eq!(other.claim().await.1["code"], "act.used", "{on:?}, K13: another device");
        // And so it goes on to its end.
        let (status, secret) = device.confirm(&claimed).await;
        assert_eq!(status, 200, "{on:?}");
        let seen = ada.get(&page.url).await;
        let seen = ada.press(&seen, "continue", &[("code", &passcode(&secret, "--totp=sha256"))]).await;
        crash.arrives(&seen, "K13").await;
        assert_eq!(crash.service.number(TOKENS).await, 1, "{on:?}: one token");
    }
}

/// K14: the device has stored its secret, and its confirmation, or the answer to it, is lost. Confirming again says the same.
/// K13, K14.
#[actix_web::test]
async fn a_service_is_killed_while_a_device_confirms() {
    for on in BOTH {
        for mode in [KEEP_REQUEST, KEEP_ANSWER] {
            let mut crash = Crash::new(on).await;
            let (mut ada, page, string) = crash.to_activation("command_line").await;
            let device = Arc::new(Device::new(&string, "command_line"));
            let (status, claimed) = device.claim().await;
            assert_eq!(status, 200, "{on:?}: {claimed}");
            crash.proxy.set(mode);
            let (its, said) = (Arc::clone(&device), claimed.clone());
            let call = tokio::task::spawn_local(async move { its.confirmed(&said).await });
            crash.kill_when_kept().await;
            let done = crash.service.number("SELECT COUNT(*) AS n FROM activation WHERE state = 'completed'").await;
            assert_eq!(done, i64::from(mode == KEEP_ANSWER), "{on:?}, K14: as far as it came");
            crash.start_again().await;
            let (status, answer) = call.await.unwrap();
            assert_eq!(status, 200, "{on:?}, K14: {answer}");
            assert_eq!(device.confirmed(&claimed).await, (200, answer.clone()), "{on:?}, K14: as often as it likes");
            assert_eq!(answer["mac"], device.server_mac(&claimed), "{on:?}, K14: with the same keys");
            assert_eq!(crash.service.number(TOKENS).await, 0, "{on:?}: no token without a passcode");
            let (_, secret) = device.confirm(&claimed).await;
            let seen = ada.get(&page.url).await;
            let seen = ada.press(&seen, "continue", &[("code", &passcode(&secret, "--totp=sha256"))]).await;
            crash.arrives(&seen, "K14").await;
            assert_eq!(crash.service.number(TOKENS).await, 1, "{on:?}: one token");
        }
    }
}

/// K12: the token is made and the activation is not ended, in the mail's way, where the device's confirmation makes the token,
/// and in the login's, where the first passcode does. Both are undone, and the same thing done again makes one token.
#[actix_web::test]
async fn a_service_is_killed_while_a_token_is_made() {
    for on in BOTH {
        let mut crash = Crash::new(on).await;
        crash.service.run(&["provision", "create", "--user", "barbara"]);
        let (page, code) = crash.service.link_to("barbara@acme.test").await;
        let mut barbara = Visitor::new(&crash.service.url());
        let seen = barbara.get(&page).await;
        let seen = barbara.press(&seen, "start", &[("code", &code)]).await;
        let seen = barbara.press(&seen, "platform-command_line", &[]).await;
        let string = seen.find("[data-activation-string]").unwrap_or_else(|| panic!("{}", seen.body));
        let device = Arc::new(Device::new(&string, "command_line"));
        let (status, claimed) = device.claim().await;
        assert_eq!(status, 200, "{on:?}: {claimed}");
        crash.stop_at(At::NewToken);
        let (its, said) = (Arc::clone(&device), claimed.clone());
        let call = tokio::task::spawn_local(async move { its.confirmed(&said).await });
        crash.kill_there().await;
        assert_eq!(crash.service.number(TOKENS).await, 0, "{on:?}, K12: rolled back together");
        let open = "SELECT COUNT(*) AS n FROM activation WHERE state = 'claimed'";
        assert_eq!(crash.service.number(open).await, 1, "{on:?}, K12: the activation as well");
        crash.start_again().await;
        let (status, answer) = call.await.unwrap();
        assert_eq!((status, answer["mac"].as_str()), (200, Some(device.server_mac(&claimed).as_str())), "{on:?}, K12");
        assert_eq!(device.confirmed(&claimed).await, (200, answer), "{on:?}, K14: once more");
        assert_eq!(crash.service.number(TOKENS).await, 1, "{on:?}, K12: one token");

        let (mut ada, page, secret) = crash.to_activation("oath_app").await;
        let secret = secret.replace(' ', "");
        crash.stop_at(At::NewToken);
        let typed = passcode(&secret, "--totp=sha1");
        let sent = unanswered(&ada, &page, "continue", &[("code", &typed)]);
        crash.kill_there().await;
        sent.await.unwrap();
        assert_eq!(crash.service.number(TOKENS).await, 1, "{on:?}, K12: none of hers");
        crash.start_again().await;
        // The same passcode, in the same browser: it was not used up.
        let seen = ada.press(&page, "continue", &[("code", &typed)]).await;
        crash.arrives(&seen, "K12").await;
        assert_eq!(crash.service.number(TOKENS).await, 2, "{on:?}: one each");
    }
}

/// K15: the position of a passcode is taken and the login does not know of it: both are there or neither is. What was not
/// committed may be typed again; what was may not.
/// K15, T-13.
#[actix_web::test]
async fn a_service_is_killed_while_it_takes_a_passcode() {
    for on in BOTH {
        let mut crash = Crash::new(on).await;
        let (mut linus, page) = crash.to_passcode("linus", LINUS).await;
        let typed = passcode(SECRET_OF_LINUS, "--totp=sha1");
        const TAKEN: &str = "SELECT last_position AS n FROM token WHERE enrolled_by = 'import'";
        for at in [At::Accepted, At::Evidence] {
            let before = crash.service.number("SELECT COUNT(*) AS n FROM evidence").await;
            crash.stop_at(at);
            let sent = unanswered(&linus, &page, "continue", &[("code", &typed)]);
            crash.kill_there().await;
            sent.await.unwrap();
            assert_eq!(crash.service.number(TAKEN).await, -1, "{on:?}, K15, {at:?}: the passcode is not used up");
            let after = crash.service.number("SELECT COUNT(*) AS n FROM evidence").await;
            assert_eq!(after, before, "{on:?}, K15, {at:?}: and the login proves nothing");
            crash.start_again().await;
        }
        let seen = linus.press(&page, "continue", &[("code", &typed)]).await;
        crash.arrives(&seen, "K15").await;
        assert!(crash.service.number(TAKEN).await > 0, "{on:?}, K15: now it is");
        // Killed after all of it: the passcode stays used.
        crash.running.end();
        crash.start_again().await;
        let (mut again, page) = crash.to_passcode("linus", LINUS).await;
        let seen = again.press(&page, "continue", &[("code", &typed)]).await;
        assert!(seen.complaint().contains("was not accepted"), "{on:?}, T-13: {}", seen.body);
    }
}

/// K16: the token works and the application has no code yet. The same browser gets it without another passcode while the
/// account is as it was, and not after a change to it; a browser that is not the same gets nothing.
#[actix_web::test]
async fn a_service_is_killed_before_it_issues_a_code() {
    for on in BOTH {
        for changed in [false, true] {
            let mut crash = Crash::new(on).await;
            let (ada, page, secret) = crash.to_activation("oath_app").await;
            let secret = secret.replace(' ', "");
            crash.stop_at(At::Grant);
            // The passcode is taken; on the way that its answer shows, the code is made and never sent.
            let mut follows = ada.clone();
            let (address, mut fields) = page.form("continue");
            fields.push(("code".to_owned(), passcode(&secret, "--totp=sha1")));
            let accepted = follows.once(reqwest::Method::POST, &address, Some(fields)).await;
            assert_eq!(accepted.status, 303, "{on:?}: {}", accepted.body);
            let mut next = accepted.headers["location"].to_str().unwrap().to_owned();
            let after = follows.clone();
            let desk = next.clone();
            let way = tokio::task::spawn_local(async move {
                // Redirects within the service, until one is not answered.
                while let Ok(seen) = follows.try_get(&next).await {
                    assert!(seen.status == 303 && seen.headers.contains_key("location"), "{seen:?}");
                    next = seen.headers["location"].to_str().unwrap().to_owned();
                }
            });
            crash.kill_there().await;
            way.await.unwrap();
            assert_eq!(crash.service.number(TOKENS).await, 1, "{on:?}, K16: the token is active");
            assert_eq!(crash.service.number("SELECT COUNT(*) AS n FROM oidc_grant").await, 0, "{on:?}, K16: no code");
            crash.start_again().await;
            if changed {
                crash.service.run(&["user", "disable", "ada"]);
                crash.service.run(&["user", "enable", "ada"]);
            }
            let mut stranger = Visitor::new(&crash.service.url());
            assert!(stranger.get(&desk).await.leaves_to.is_none(), "{on:?}, K16: not without the cookie");
            let mut same = after;
            let seen = same.get(&desk).await;
            if changed {
                let told = seen.leaves_to.unwrap_or_default();
                assert!(told.contains("error=access_denied") && !told.contains("code="), "{on:?}, K16: {told}");
                let (_, page) = crash.to_passcode("ada", PASSWORD).await;
                assert_eq!(page.title(), "Enter your passcode", "{on:?}, K16: a login like any other");
            } else {
                crash.arrives(&seen, "K16").await;
            }
            assert_eq!(crash.service.number(TOKENS).await, 1, "{on:?}: one token");
        }
    }
}
