//! The whole story in Chromium, with the demo: real mail, Notes and Wiki on other people's libraries, the
//! command-line authenticator; desktop and phone, light and dark, with scripts and without.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::json;

use crate::abuse::{self, Device};
use crate::door_saml;
use crate::passcodes;
use crate::relying_party::{Rp, SECRET, application};
use crate::story;
use crate::world::{ACME, On, World};

/// A program that ends with the test.
pub struct Running(pub Child);

impl Running {
    /// Ends it at once, as `kill -9` does.
    pub fn end(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

/// The demo, running.
struct Demo {
    service: String,
    outside: String,
    folder: tempfile::TempDir,
    _running: Running,
}

pub fn free_port() -> u16 {
    // The demo takes two ports in a row.
    loop {
        let one = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if one < u16::MAX && std::net::TcpListener::bind(("127.0.0.1", one + 1)).is_ok() {
            return one;
        }
    }
}

pub async fn answers(url: &str) {
    for _ in 0..300 {
        if reqwest::get(url).await.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{url} does not answer");
}

async fn demo() -> Demo {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let child = Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(["demo", "--listen", &format!("127.0.0.1:{port}"), "--data"])
        .arg(folder.path().join("demo"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let outside = format!("http://127.0.0.1:{}", port + 1);
    let running = Running(child);
    answers(&outside).await;
    Demo { service: format!("http://127.0.0.1:{port}"), outside, folder, _running: running }
}

/// How a browser looks at the pages.
#[derive(Clone, Copy)]
pub struct Eyes {
    name: &'static str,
    width: u32,
    height: u32,
    dark: bool,
    scripts: bool,
    language: &'static str,
    /// What the browser says it is; empty for the truth.
    agent: &'static str,
}

/// Whether an element is not on the page any more, in either way that the driver says so.
fn is_gone(error: &fantoccini::error::CmdError) -> bool {
    error.is_stale_element_reference() || error.to_string().contains("does not belong to the document")
}

impl Eyes {
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub const fn scripts(&self) -> bool {
        self.scripts
    }
}

pub const DESKTOP: Eyes =
    Eyes { name: "desktop", width: 1280, height: 1000, dark: false, scripts: true, language: "en", agent: "" };
pub const PHONE: Eyes =
    Eyes { name: "phone", width: 360, height: 780, dark: true, scripts: true, language: "de", agent: "" };
pub const PLAIN: Eyes =
    Eyes { name: "plain", width: 1024, height: 900, dark: false, scripts: false, language: "zh-TW", agent: "" };

pub struct Chromium {
    pub client: Client,
    eyes: Eyes,
    shots: Option<PathBuf>,
    shot: u32,
    _driver: Running,
}

impl Chromium {
    pub async fn new(eyes: Eyes) -> Self {
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromium-driver is installed by ./test");
        let driver = Running(driver);
        answers(&format!("http://127.0.0.1:{port}/status")).await;
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--hide-scrollbars".to_owned(),
            format!("--window-size={},{}", eyes.width, eyes.height),
            format!("--lang={}", eyes.language),
        ];
        if !eyes.agent.is_empty() {
            arguments.push(format!("--user-agent={}", eyes.agent));
        }
        if eyes.dark {
            arguments.push("--force-dark-mode".to_owned());
            arguments.push("--blink-settings=preferredColorScheme=0".to_owned());
        }
        let mut preferences = json!({ "intl.accept_languages": eyes.language });
        if !eyes.scripts {
            preferences["profile.managed_default_content_settings.javascript"] = json!(2);
        }
        let capabilities = json!({ "goog:chromeOptions": { "args": arguments, "prefs": preferences },
            "goog:loggingPrefs": { "browser": "ALL" } });
        let client = ClientBuilder::new(hyper_connector())
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        client.set_window_size(eyes.width, eyes.height).await.unwrap();
        // Where a person wants to look at the pages: VESTIBULE_SCREENSHOTS names a folder.
        let shots = std::env::var_os("VESTIBULE_SCREENSHOTS").map(PathBuf::from);
        Self { client, eyes, shots, shot: 0, _driver: driver }
    }

    /// Takes a picture, if somebody wants to look.
    pub async fn look(&mut self, what: &str) {
        let Some(folder) = &self.shots else { return };
        std::fs::create_dir_all(folder).unwrap();
        self.shot += 1;
        let name = format!("{}-{:02}-{what}.png", self.eyes.name, self.shot);
        std::fs::write(folder.join(name), self.client.screenshot().await.unwrap()).unwrap();
    }

    pub async fn go(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    pub async fn press(&self, action: &str) {
        let css = format!("[data-action={action}]");
        // The page may be replaced between finding and pressing: by the next one, or by itself.
        for _ in 0..50 {
            match self.wait(&css).await.click().await {
                Ok(()) => return,
                Err(error) if is_gone(&error) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => panic!("{action}: {error}"),
            }
        }
        panic!("{action} was never there long enough to be pressed");
    }

    pub async fn wait(&self, css: &str) -> fantoccini::elements::Element {
        let found = self.client.wait().at_most(Duration::from_secs(20)).for_element(Locator::Css(css)).await;
        match found {
            Ok(element) => element,
            Err(error) => panic!(
                "no {css} at {}: {error}\n{}",
                self.client.current_url().await.unwrap(),
                self.client.source().await.unwrap()
            ),
        }
    }

    pub async fn fill(&self, css: &str, text: &str) {
        for _ in 0..50 {
            let field = self.wait(css).await;
            let filled = match field.clear().await {
                Ok(()) => field.send_keys(text).await,
                Err(error) => Err(error),
            };
            match filled {
                Ok(()) => return,
                Err(error) if is_gone(&error) => tokio::time::sleep(Duration::from_millis(50)).await,
                Err(error) => panic!("{css}: {error}"),
            }
        }
        panic!("{css} was never there long enough to be filled in");
    }

    pub async fn text(&self, css: &str) -> String {
        self.wait(css).await.prop("textContent").await.unwrap().unwrap_or_default().trim().to_owned()
    }

    /// Nothing is wider than the window, and the page says in which language it is (WCAG 1.4.10, R-534).
    pub async fn is_well_made(&self) {
        if !self.eyes.scripts {
            return;
        }
        let measure = "return [document.documentElement.scrollWidth - window.innerWidth, document.documentElement.lang, \
                       document.title, document.querySelectorAll('h1').length]";
        let found = self.client.execute(measure, vec![]).await.unwrap();
        assert!(found[0].as_i64().unwrap() <= 0, "{} is too wide: {found}", self.client.current_url().await.unwrap());
        assert!(!found[1].as_str().unwrap().is_empty() && !found[2].as_str().unwrap().is_empty(), "{found}");
        assert_eq!(found[3], 1, "one heading of the first level: {found}");
        // what is pressed is large enough to be hit. R-544: and nothing forbids pasting.
        let small = "return [...document.querySelectorAll('button, select, input, summary, a.button')].filter(e => \
                     e.checkVisibility()).map(e => [e.outerHTML, e.getBoundingClientRect()]).filter(([, r]) => \
                     r.width < 24 || r.height < 24).map(([html]) => html)";
        let found = self.client.execute(small, vec![]).await.unwrap();
        assert_eq!(found, json!([]), "R-551 at {}", self.client.current_url().await.unwrap());
        let held = "return document.querySelectorAll('[onpaste], [autocomplete=off]').length";
        assert_eq!(self.client.execute(held, vec![]).await.unwrap(), 0, "R-544");
        self.is_accessible().await;
    }

    /// axe-core finds nothing (WCAG 2.2 A and AA, and its best practices): A29.
    async fn is_accessible(&self) {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/.cache/axe.min.js");
        let axe = std::fs::read_to_string(path).expect("scripts/prepare test fetches axe-core");
        self.client.execute(&axe, vec![]).await.unwrap();
        let run = "const done = arguments[arguments.length - 1]; \
                   axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }) \
                   .then(found => done([found.passes.length, found.violations.map(v => \
                   [v.id, v.help, v.nodes.map(n => n.html + ' ' + n.failureSummary)])]), error => done([0, String(error)]))";
        let found = self.client.execute_async(run, vec![]).await.unwrap();
        assert!(found[0].as_u64().unwrap() > 5, "axe-core ran: {found}");
        assert_eq!(found[1], json!([]), "{} at {}", self.eyes.name, self.client.current_url().await.unwrap());
    }

    pub async fn close(self) {
        self.client.close().await.unwrap();
    }
}

fn hyper_connector() -> hyper_util::client::legacy::connect::HttpConnector {
    hyper_util::client::legacy::connect::HttpConnector::new()
}

/// The newest code in the demo's inbox.
async fn code_in_inbox(demo: &Demo) -> String {
    for _ in 0..100 {
        let page = reqwest::get(format!("{}/inbox", demo.outside)).await.unwrap().text().await.unwrap();
        let page = scraper::Html::parse_document(&page);
        let code = scraper::Selector::parse("[data-code]").unwrap();
        if let Some(code) = page.select(&code).next() {
            return code.text().collect::<String>().trim().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no code in the inbox");
}

async fn log_in(browser: &mut Chromium, demo: &Demo, application: &str, name: &str, password: &str) {
    browser.go(&demo.outside).await;
    browser.look("start").await;
    browser.press(application).await;
    browser.fill("[autocomplete=username]", name).await;
    browser.is_well_made().await;
    browser.look("username").await;
    browser.press("continue").await;
    browser.fill("[autocomplete=current-password]", password).await;
    browser.is_well_made().await;
    browser.look("password").await;
    browser.press("continue").await;
}

async fn enroll_up_to_platforms(browser: &mut Chromium, demo: &Demo) {
    browser.wait("[data-action=add-authenticator]").await;
    browser.is_well_made().await;
    browser.look("offer").await;
    browser.press("add-authenticator").await;
    browser.wait("[autocomplete=one-time-code]").await;
    browser.is_well_made().await;
    browser.look("email").await;
    let code = code_in_inbox(demo).await;
    browser.fill("[autocomplete=one-time-code]", &code).await;
    browser.press("continue").await;
    browser.wait("[data-action=platform-ios]").await;
    browser.is_well_made().await;
    browser.look("platform").await;
}

/// The command-line authenticator does its part while the page waits.
async fn activate(demo: &Demo, string: String) -> PathBuf {
    let store = demo.folder.path().join("store");
    let path = store.clone();
    let (exit, out) = tokio::task::spawn_blocking(move || story::app(&path, &["activate", &string])).await.unwrap();
    assert_eq!(exit, 0, "{out}");
    store
}

async fn passcode(store: PathBuf) -> String {
    let (exit, out) = tokio::task::spawn_blocking(move || story::app(&store, &["passcode", "--json"])).await.unwrap();
    assert_eq!(exit, 0, "{out}");
    let json: serde_json::Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
    json["passcode"].as_str().unwrap().to_owned()
}

/// Notes (OpenID Connect) at a desk: the page moves on by itself when the device has confirmed.
///
#[actix_web::test]
async fn notes_at_a_desk_and_the_waiting_page_moves_on() {
    let demo = demo().await;
    let mut browser = Chromium::new(DESKTOP).await;
    log_in(&mut browser, &demo, "notes", "ada", "correct horse battery staple").await;
    enroll_up_to_platforms(&mut browser, &demo).await;
    browser.press("platform-command_line").await;
    let string = browser.text("[data-activation-string]").await;
    browser.is_well_made().await;
    browser.look("activation").await;
    // somebody else's program reads the picture that Chromium drew.
    let picture = demo.folder.path().join("qr.png");
    std::fs::write(&picture, browser.wait("[data-qr]").await.screenshot().await.unwrap()).unwrap();
    let read = Command::new("zbarimg").args(["-q", "--raw"]).arg(&picture).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&read.stdout).trim(), string, "R-156");
    let store = activate(&demo, string).await;
    // No click: server-sent events bring the next page.
    browser.wait("[autocomplete=one-time-code]").await;
    browser.is_well_made().await;
    browser.look("first-passcode").await;
    browser.fill("[autocomplete=one-time-code]", &passcode(store).await).await;
    browser.press("continue").await;
    assert_eq!(browser.text("[data-user]").await, "ada");
    let claims = browser.text("main").await;
    assert!(claims.contains("urn:vestibule:acr:mfa") && claims.contains("ada@acme.test"), "{claims}");
    browser.look("claims").await;
    // Wiki by single sign-on: nothing is asked.
    browser.go(&demo.outside).await;
    browser.press("wiki").await;
    assert_eq!(browser.text("[data-user]").await, "ada");
    browser.look("wiki").await;
    let log = browser.client.execute("return performance.getEntriesByType('navigation').length", vec![]).await;
    assert!(log.is_ok());
    browser.close().await;
}

/// Wiki (SAML) in a narrow, dark window in German, and with a standard app.
///
#[actix_web::test]
async fn wiki_on_a_narrow_dark_screen_in_german() {
    let demo = demo().await;
    let mut browser = Chromium::new(PHONE).await;
    log_in(&mut browser, &demo, "wiki", "grace", "grace hopper 1952").await;
    enroll_up_to_platforms(&mut browser, &demo).await;
    browser.press("platform-ios").await;
    browser.wait("[data-activation-string]").await;
    browser.is_well_made().await;
    browser.look("activation-ios").await;
    browser.press("change-platform").await;
    browser.press("platform-oath_app").await;
    let secret = browser.text("[data-activation-string]").await.replace(' ', "");
    browser.is_well_made().await;
    browser.look("standard-app").await;
    let run = Command::new("oathtool").args(["--totp=sha1", "-b", &secret]).output().unwrap();
    let code = String::from_utf8(run.stdout).unwrap();
    browser.fill("[autocomplete=one-time-code]", code.trim()).await;
    browser.press("continue").await;
    assert_eq!(browser.text("[data-user]").await, "grace");
    assert!(browser.text("main").await.contains("MobileTwoFactorContract"), "R-492");
    browser.look("wiki").await;
    browser.close().await;
}

/// The same without scripts: every step has a button.
///
#[actix_web::test]
async fn without_scripts_every_step_has_a_button() {
    let demo = demo().await;
    let mut browser = Chromium::new(PLAIN).await;
    log_in(&mut browser, &demo, "wiki", "ada", "correct horse battery staple").await;
    enroll_up_to_platforms(&mut browser, &demo).await;
    browser.press("platform-command_line").await;
    let string = browser.text("[data-activation-string]").await;
    browser.look("activation").await;
    let store = activate(&demo, string).await;
    browser.press("check-now").await;
    browser.fill("[autocomplete=one-time-code]", &passcode(store).await).await;
    browser.press("continue").await;
    // The answer to the application waits for its button.
    browser.look("post").await;
    browser.press("continue").await;
    assert_eq!(browser.text("[data-user]").await, "ada");
    browser.close().await;
}

pub const DARK: Eyes =
    Eyes { name: "dark", width: 1280, height: 900, dark: true, scripts: true, language: "en", agent: "" };
pub const NARROW: Eyes =
    Eyes { name: "narrow", width: 320, height: 700, dark: false, scripts: true, language: "zh-CN", agent: "" };

/// The pages beside the way: refusals, errors, the portal, links that are opened elsewhere (R-541, R-545, A29).
#[actix_web::test]
async fn the_pages_beside_the_way_are_well_made_too() {
    let demo = demo().await;
    for eyes in [DARK, NARROW] {
        let mut browser = Chromium::new(eyes).await;
        // Not in the rollout.
        log_in(&mut browser, &demo, "notes", "barbara", "not in the rollout").await;
        browser.wait("[data-action=cancel], h1").await;
        browser.is_well_made().await;
        browser.look("not-in-the-rollout").await;
        let desk = browser.client.current_url().await.unwrap();
        let service = format!("http://127.0.0.1:{}", desk.port().unwrap());
        for (what, path) in [
            ("not-found", "/nothing"),
            ("not-found-in-tenant", "/t/acme/nothing"),
            ("no-such-tenant", "/t/nobody/"),
            ("unknown-client", "/t/acme/oidc/authorize?client_id=nobody&response_type=code"),
            ("bad-saml", "/t/acme/saml/sso?SAMLRequest=x"),
            ("another-browser", &format!("/t/acme/login/{}", "a".repeat(26))),
            ("opened-activation", "/t/acme/activate#1.AAAA"),
            ("not-me-invalid", "/t/acme/not-me/nonsense"),
        ] {
            browser.go(&format!("{service}{path}")).await;
            browser.wait("h1").await;
            browser.is_well_made().await;
            browser.look(what).await;
        }
        // the selector is on every page and leads to the same page.
        browser.go(&format!("{service}/t/acme/oidc/authorize?client_id=nobody&state=%26x")).await;
        let choose = "const select = document.querySelector('select[name=language]'); select.value = 'fr'; \
                      select.dispatchEvent(new Event('change'))";
        browser.client.execute(choose, vec![]).await.unwrap();
        browser.wait("html[lang=fr]").await;
        let address = browser.client.current_url().await.unwrap();
        assert!(address.query().unwrap().contains("client_id=nobody&state=%26x&language=fr"), "{address}");
        browser.go(&format!("{service}/nothing")).await;
        assert!(browser.text("h1").await.contains("Page introuvable"), "the choice stays");
        browser.go(&format!("{service}/nothing?language={}", eyes.language)).await;
        // Wrong password, wrong passcode, then the portal.
        browser.go(&format!("{service}/t/acme/")).await;
        browser.fill("[autocomplete=username]", "linus").await;
        browser.press("continue").await;
        browser.fill("[autocomplete=current-password]", "wrong").await;
        browser.press("continue").await;
        browser.wait("#complaint").await;
        browser.is_well_made().await;
        browser.look("wrong-password").await;
        // the page came from the address of a form. Its own, another language, and what loads it again, are the desk.
        let path = browser.client.current_url().await.unwrap().path().to_owned();
        let reloads = "return document.querySelector('[data-expires]').dataset.desk";
        let desk = browser.client.execute(reloads, vec![]).await.unwrap();
        assert_eq!(desk.as_str(), Some(path.as_str()), "{path}");
        let own = if eyes.language == "zh-CN" { "zh-Hans" } else { eyes.language };
        for language in ["fr", own] {
            browser.client.execute(&choose.replace("'fr'", &format!("'{language}'")), vec![]).await.unwrap();
            browser.wait(&format!("html[lang={language}]")).await;
            browser.wait("[autocomplete=current-password]").await;
        }
        browser.fill("[autocomplete=current-password]", "linus has a token").await;
        browser.press("continue").await;
        browser.fill("[autocomplete=one-time-code]", "000000").await;
        browser.press("continue").await;
        browser.wait("#complaint").await;
        browser.is_well_made().await;
        browser.look("wrong-passcode").await;
        // A passcode counts once, and the other eyes may have used this one.
        let code = |at: u64| {
            let run = Command::new("oathtool")
                .args(["--totp", "-b", "-N", &format!("@{at}"), "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"])
                .output()
                .unwrap();
            String::from_utf8(run.stdout).unwrap().trim().to_owned()
        };
        let now = u64::try_from(vestibule::clock::Clock::System.now().seconds()).unwrap();
        let at = if eyes.name == "dark" { now } else { now + 30 };
        browser.fill("[autocomplete=one-time-code]", &code(at)).await;
        browser.press("continue").await;
        browser.wait("[data-action=log-out]").await;
        browser.is_well_made().await;
        browser.look("portal").await;
        browser.close().await;
    }
}

/// R-479 in a real browser: a page of another site posts a request, and the session is seen behind it. The silent
/// request makes sure: without the session's cookie it could only be refused.
///
#[actix_web::test]
async fn a_request_posted_by_another_site_sees_the_session() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let demo = demo().await;
    let mut browser = Chromium::new(PLAIN).await;
    log_in(&mut browser, &demo, "notes", "linus", "linus has a token").await;
    let run =
        Command::new("oathtool").args(["--totp=sha1", "-b", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"]).output().unwrap();
    let code = String::from_utf8(run.stdout).unwrap();
    browser.fill("[autocomplete=one-time-code]", code.trim()).await;
    browser.press("continue").await;
    assert_eq!(browser.text("[data-user]").await, "linus");
    let now = vestibule::clock::Clock::System.now().rfc3339();
    let xml = format!(
        "<p:AuthnRequest xmlns:p=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"_posted\" Version=\"2.0\" IssueInstant=\"{now}\" \
         IsPassive=\"true\"><a:Issuer xmlns:a=\"urn:oasis:names:tc:SAML:2.0:assertion\">{}/wiki/metadata</a:Issuer></p:AuthnRequest>",
        demo.outside
    );
    // A page with an origin of its own: as foreign to the service as a page can be.
    let page = format!(
        "<form method=post action=\"{}/t/acme/saml/sso\"><input name=SAMLRequest value=\"{}\"><button data-action=go>go</button></form>",
        demo.service,
        STANDARD.encode(xml)
    );
    browser.go(&format!("data:text/html;base64,{}", STANDARD.encode(page))).await;
    browser.press("go").await;
    let response = browser.wait("input[name=SAMLResponse]").await.attr("value").await.unwrap().unwrap();
    let response = String::from_utf8(STANDARD.decode(response).unwrap()).unwrap();
    assert!(response.contains("InResponseTo=\"_posted\"") && response.contains("<saml:Assertion"), "{response}");
    browser.close().await;
}

/// An application that takes its messages at one origin and lives at another: the address of the first, such as
/// `http://127.0.0.1:4711`, where whatever is posted answers with a redirect to the second.
fn lives_elsewhere() -> (String, [actix_web::rt::task::JoinHandle<std::io::Result<()>>; 2]) {
    use actix_web::{App, HttpResponse, HttpServer, web};
    let home = HttpServer::new(|| {
        let page = async || HttpResponse::Ok().content_type("text/html").body("<h1 data-arrived>here</h1>");
        App::new().route("/", web::get().to(page))
    });
    let home = home.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let far = format!("http://{}/", home.addrs()[0]);
    let door = HttpServer::new(move || {
        let far = far.clone();
        let on = move || {
            let far = far.clone();
            async move { HttpResponse::Found().insert_header(("location", far)).finish() }
        };
        App::new().default_service(web::to(on))
    });
    let door = door.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let near = format!("http://{}", door.addrs()[0]);
    (near, [actix_web::rt::spawn(home.run()), actix_web::rt::spawn(door.run())])
}

/// T-22: what our page posts arrives although the application leads on to another origin, which Chromium holds
/// against the policy of our page: an assertion, a message of a logout, and the answer of OpenID Connect by form.
#[actix_web::test]
async fn a_posted_answer_arrives_where_the_application_leads_on_to() {
    let world = World::new(On::Sqlite).await;
    let (near, servers) = lives_elsewhere();
    let lines = format!("name_id_format = \"persistent\"\nlogout_url = \"{near}/slo\"\nlogout_binding = \"post\"");
    let file = ACME
        .replace("https://wiki.example.com/acs", &format!("{near}/acs"))
        .replace("http://127.0.0.1:9000/callback", &format!("{near}/callback"))
        .replace("name_id_format = \"persistent\"", &lines);
    world.apply(&file).await;
    world.advance(3);
    let form_post = story::authorize(&world, "&response_mode=form_post")
        .replace("http%3A%2F%2F127.0.0.1%3A9000", &near.replace(':', "%3A").replace('/', "%2F"));
    for eyes in [DESKTOP, PLAIN] {
        let browser = Chromium::new(eyes).await;
        // Without scripts, every page of ours has a button.
        let arrives = async |what: &str| {
            for _ in 0..100 {
                if browser.client.find(Locator::Css("[data-arrived]")).await.is_ok() {
                    return;
                }
                let button = browser.client.find(Locator::Css("[data-answer] [data-action=continue]")).await;
                if let (false, Ok(button)) = (eyes.scripts(), button) {
                    let _ = button.click().await;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            panic!("{what} stays at {}", browser.client.source().await.unwrap());
        };
        browser.go(&door_saml::redirect(&world, &door_saml::request(&world, "", ""))).await;
        browser.fill("[autocomplete=username]", "linus").await;
        browser.press("continue").await;
        browser.fill("[autocomplete=current-password]", "has a token already").await;
        browser.press("continue").await;
        browser.fill("[autocomplete=one-time-code]", &story::passcode_of_linus(&world)).await;
        browser.press("continue").await;
        arrives("the assertion").await;
        browser.go(&form_post).await;
        arrives("the code").await;
        browser.go(&format!("{}/", world.base())).await;
        browser.press("log-out").await;
        arrives("the logout").await;
        browser.close().await;
        world.advance(60);
    }
    servers.iter().for_each(actix_web::rt::task::JoinHandle::abort);
    world.stop().await;
}

/// A phone in the hand: it cannot scan its own screen.
const ANDROID: Eyes = Eyes {
    name: "android",
    width: 412,
    height: 900,
    dark: true,
    scripts: true,
    language: "de",
    agent: "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
};
const IPHONE: Eyes = Eyes {
    name: "iphone",
    width: 390,
    height: 840,
    dark: false,
    scripts: true,
    language: "en",
    agent: "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 \
            Mobile/15E148 Safari/604.1",
};
const WINDOWS: Eyes = Eyes {
    name: "windows",
    width: 1280,
    height: 1000,
    dark: true,
    scripts: true,
    language: "de",
    agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
};

/// From the portal to the choice of a device, for somebody new; every page on the way is well made.
async fn to_choice(browser: &mut Chromium, world: &World, name: &str) {
    world.apply(&abuse::acme(&abuse::person(name))).await;
    browser.go(&format!("{}/", world.base())).await;
    browser.fill("[autocomplete=username]", name).await;
    browser.is_well_made().await;
    browser.press("continue").await;
    browser.fill("[autocomplete=current-password]", story::PASSWORD).await;
    browser.press("continue").await;
    browser.press("add-authenticator").await;
    browser.wait("[autocomplete=one-time-code]").await;
    let code = world.mail(&format!("{name}@acme.test"), 1).await.code().unwrap();
    browser.fill("[autocomplete=one-time-code]", &code).await;
    browser.press("continue").await;
    browser.wait("[data-action=platform-android]").await;
    browser.is_well_made().await;
    browser.look("platform").await;
}

impl Chromium {
    /// Whether something is there to be seen.
    pub async fn shows(&self, css: &str) -> bool {
        match self.client.find(Locator::Css(css)).await {
            Ok(element) => element.is_displayed().await.unwrap(),
            Err(_) => false,
        }
    }

    /// What somebody else's program reads off the QR code that is on the page.
    async fn scan(&self, folder: &std::path::Path) -> String {
        let picture = folder.join("qr.png");
        std::fs::write(&picture, self.wait("[data-qr]").await.screenshot().await.unwrap()).unwrap();
        let read = Command::new("zbarimg").args(["-q", "--raw"]).arg(&picture).output().unwrap();
        String::from_utf8(read.stdout).unwrap().trim().to_owned()
    }

    /// The whole of the page, also what stands in closed details.
    async fn source(&self) -> String {
        self.client.source().await.unwrap()
    }
}

/// Android in two steps, each with its own QR code, at a desk, in a narrow
/// Chinese window and without scripts; and on the phone itself, which shows buttons and no QR code. A device that speaks
/// the protocol does the rest, and the page moves on.
#[actix_web::test]
async fn android_is_installed_and_then_activated() {
    let world = World::new(On::Sqlite).await;
    let folder = tempfile::tempdir().unwrap();
    for eyes in [DESKTOP, NARROW, PLAIN, ANDROID] {
        let on_phone = eyes.name == "android";
        let mut browser = Chromium::new(eyes).await;
        let name = format!("droid-{}", eyes.name);
        to_choice(&mut browser, &world, &name).await;
        assert_eq!(browser.shows("[data-action=platform-android].here").await, on_phone, "{}: R-064", eyes.name);
        assert!(!browser.shows("[data-action=platform-ios].here").await, "R-064");
        browser.press("platform-android").await;
        let store = browser.wait("a[target=_blank]").await.attr("href").await.unwrap().unwrap();
        assert!(store.starts_with("https://play.google.com/store/apps/details?id="), "{store}");
        browser.is_well_made().await;
        browser.look("install").await;
        assert_eq!(browser.shows("[data-qr]").await, !on_phone, "{}: R-107", eyes.name);
        if !on_phone {
            assert_eq!(browser.scan(folder.path()).await, store, "{}: R-105, the way to the app", eyes.name);
        }
        assert!(
            !browser.source().await.contains("data-activation-string"),
            "{}: not before it is installed",
            eyes.name
        );
        browser.press("continue").await;
        browser.wait("[data-action=check-now]").await;
        browser.is_well_made().await;
        browser.look("activation").await;
        let string = browser.text("[data-activation-string]").await;
        assert_eq!(browser.shows("[data-qr]").await, !on_phone, "{}: R-107", eyes.name);
        if on_phone {
            // A button for the phone itself, and the QR code for another one behind a word.
            let open = browser.wait("[data-action=open-app]").await.attr("href").await.unwrap().unwrap();
            assert_eq!(open, string, "R-107");
            browser.wait("details summary").await.click().await.unwrap();
            browser.is_well_made().await;
            browser.look("activation-other-device").await;
        }
        // dark on light, in the dark, too; a program finds it there.
        assert_eq!(browser.scan(folder.path()).await, string, "{}: R-105, R-159", eyes.name);
        // The string is one click away, and is whole at any width.
        for summary in browser.client.find_all(Locator::Css("details:not([open]) > summary")).await.unwrap() {
            summary.click().await.unwrap();
        }
        assert!(browser.shows("[data-activation-string]").await, "{}: R-158", eyes.name);
        browser.is_well_made().await;
        browser.look("activation-by-hand").await;
        // wherever the page is, the app may be elsewhere.
        let device = Device::new(&string, "android");
        let (status, claimed) = device.claim().await;
        assert_eq!(status, 200, "{claimed}");
        let (status, secret) = device.confirm(&claimed).await;
        assert_eq!(status, 200);
        if !eyes.scripts {
            browser.press("check-now").await;
        }
        browser.wait("[autocomplete=one-time-code]").await;
        browser.is_well_made().await;
        browser.look("first-passcode").await;
        let code = story::oathtool(&world, &secret, "--totp=sha256", "6");
        browser.fill("[autocomplete=one-time-code]", &code).await;
        browser.press("continue").await;
        browser.wait("[data-action=log-out]").await;
        browser.is_well_made().await;
        browser.look("portal").await;
        browser.close().await;
    }
    world.stop().await;
}

/// an iPhone in the hand is asked to open the app, and shows no QR code that it could not
/// scan; at a desk the string and the link stand behind "can't scan?".
#[actix_web::test]
async fn an_iphone_opens_the_app_and_a_desk_shows_the_code() {
    let world = World::new(On::Sqlite).await;
    for eyes in [IPHONE, DARK] {
        let on_phone = eyes.name == "iphone";
        let mut browser = Chromium::new(eyes).await;
        to_choice(&mut browser, &world, &format!("apple-{}", eyes.name)).await;
        assert_eq!(browser.shows("[data-action=platform-ios].here").await, on_phone, "R-064");
        browser.press("platform-ios").await;
        browser.wait("[data-action=check-now]").await;
        browser.is_well_made().await;
        browser.look("activation-ios").await;
        assert_eq!(browser.shows("[data-action=open-app]").await, on_phone, "R-107");
        assert_eq!(browser.shows("[data-qr]").await, !on_phone, "R-107");
        let string = browser.text("[data-activation-string]").await;
        let source = browser.source().await;
        let links = scraper::Html::parse_document(&source);
        let links = links
            .select(&scraper::Selector::parse("a[href]").unwrap())
            .filter(|link| link.attr("href") == Some(&string))
            .count();
        assert_eq!(links, 1, "R-158: the link that opens the app, once");
        // A standard app on the phone is opened by its own link, too.
        browser.press("change-platform").await;
        browser.press("platform-oath_app").await;
        browser.wait("[autocomplete=one-time-code]").await;
        browser.is_well_made().await;
        browser.look("standard-app").await;
        assert_eq!(browser.shows("[data-qr]").await, !on_phone, "R-107");
        assert_eq!(browser.shows("[data-action=open-app]").await, on_phone, "R-107");
        browser.close().await;
    }
    world.stop().await;
}

/// the page for this computer in its three ways, light and dark, in
/// German and Chinese, wide and narrow, with scripts and without.
#[actix_web::test]
async fn windows_in_its_three_ways() {
    let world = World::new(On::Sqlite).await;
    let sum = "0123456789abcdef".repeat(4);
    let installer = "https://downloads.example.com/apps/Vestibule%20Setup.exe";
    for eyes in [DESKTOP, WINDOWS, NARROW, PLAIN] {
        let mut browser = Chromium::new(eyes).await;
        to_choice(&mut browser, &world, &format!("win-{}", eyes.name)).await;
        assert_eq!(browser.shows("[data-action=platform-windows].here").await, eyes.name == "windows", "R-064");
        for (way, setting, link) in [
            ("none", "windows_link = \"none\"".to_owned(), None),
            (
                "store",
                "windows_link = \"store\"\nstore_product_id = \"9NBLGGH4XYZ1\"".to_owned(),
                Some("ms-windows-store://pdp/?ProductId=9NBLGGH4XYZ1"),
            ),
            (
                "installer",
                format!("windows_link = \"installer\"\ninstaller_url = \"{installer}\"\ninstaller_sha256 = \"{sum}\""),
                Some(installer),
            ),
        ] {
            world.apply(&abuse::acme(&format!("[tenant.self_provisioning]\n{setting}\n"))).await;
            browser.press("platform-windows").await;
            browser.wait("[data-action=open-app]").await;
            browser.is_well_made().await;
            browser.look(&format!("windows-{way}")).await;
            assert!(!browser.source().await.contains("data-qr"), "nothing to scan: the app is on this computer");
            assert!(browser.shows("[data-activation-string]").await, "R-106, R-164");
            let string = browser.text("[data-activation-string]").await;
            let open = browser.wait("[data-action=open-app]").await.attr("href").await.unwrap().unwrap();
            assert_eq!(open, format!("vestibule-authenticator:{string}"), "R-164");
            assert_eq!(browser.shows("[data-action=get-app]").await, link.is_some(), "{way}: R-067");
            if let Some(link) = link {
                let get = browser.wait("[data-action=get-app]").await;
                assert_eq!(get.attr("href").await.unwrap().as_deref(), Some(link), "R-068, R-069, R-072, R-073");
                assert_eq!(get.attr("target").await.unwrap().as_deref(), Some("_blank"), "R-074");
            }
            let text = browser.text("main").await;
            assert_eq!(text.contains(&sum), way == "installer", "R-071");
            assert_eq!(text.contains("Vestibule Setup.exe"), way == "installer");
            assert_eq!(
                browser.source().await.contains("https://apps.microsoft.com/detail/9NBLGGH4XYZ1"),
                way == "store",
                "R-072"
            );
            browser.press("change-platform").await;
            browser.wait("[data-action=platform-windows]").await;
        }
        browser.close().await;
    }
    world.stop().await;
}

/// the whole way with the keyboard alone, in a window as narrow as 1280 pixels are at
/// 400 percent. What has the focus is always to be seen, and nothing moves for who asked for that.
#[actix_web::test]
async fn the_whole_way_by_keyboard() {
    const TAB: &str = "\u{e004}";
    const ENTER: &str = "\u{e007}";
    let world = World::new(On::Sqlite).await;
    world.apply(&abuse::acme(&abuse::person("keys"))).await;
    let mut browser = Chromium::new(Eyes { name: "keyboard", language: "en", ..NARROW }).await;
    browser.go(&format!("{}/", world.base())).await;
    // Types into what has the focus; the page puts it where one goes on.
    let type_in = async |browser: &Chromium, text: &str| {
        browser.client.active_element().await.unwrap().send_keys(text).await.unwrap();
    };
    let walk_to = async |browser: &Chromium, css: &str| {
        let look = "const e = document.activeElement, r = e.getBoundingClientRect(), s = getComputedStyle(e); \
                    return [e.matches(arguments[0]), r.width > 0 && r.bottom > 0 && r.top < innerHeight && r.left < innerWidth, \
                    s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2, e.outerHTML]";
        for _ in 0..30 {
            type_in(browser, TAB).await;
            let found = browser.client.execute(look, vec![json!(css)]).await.unwrap();
            assert_eq!((&found[1], &found[2]), (&json!(true), &json!(true)), "R-542: seen, with a frame: {found}");
            if found[0] == json!(true) {
                return;
            }
        }
        panic!("R-542: {css} cannot be reached with the keyboard");
    };
    browser.wait("[autocomplete=username]:focus").await;
    type_in(&browser, &format!("keys{ENTER}")).await;
    browser.wait("[autocomplete=current-password]:focus").await;
    type_in(&browser, &format!("wrong{ENTER}")).await;
    // the fault is said, and one goes on typing.
    browser.wait("#complaint[role=alert]").await;
    browser.wait("[autocomplete=current-password]:focus").await;
    type_in(&browser, &format!("{}{ENTER}", story::PASSWORD)).await;
    browser.wait("[data-action=add-authenticator]").await;
    walk_to(&browser, "[data-action=add-authenticator]").await;
    type_in(&browser, ENTER).await;
    browser.wait("[autocomplete=one-time-code]:focus").await;
    let code = world.mail("keys@acme.test", 1).await.code().unwrap();
    type_in(&browser, &format!("{code}{ENTER}")).await;
    browser.wait("[data-action=platform-oath_app]").await;
    walk_to(&browser, "[data-action=platform-oath_app]").await;
    type_in(&browser, ENTER).await;
    browser.wait("[data-activation-string]").await;
    // The key behind "can't scan?", too.
    walk_to(&browser, "summary").await;
    type_in(&browser, ENTER).await;
    assert!(browser.shows("[data-activation-string]").await, "R-158");
    let secret = browser.text("[data-activation-string]").await.replace(' ', "");
    walk_to(&browser, "[autocomplete=one-time-code]").await;
    let code = story::oathtool(&world, &secret, "--totp=sha1", "6");
    type_in(&browser, &format!("{code}{ENTER}")).await;
    browser.wait("[data-action=log-out]").await;
    browser.is_well_made().await;
    browser.look("portal").await;
    // whoever wants less motion gets none.
    let style = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/static/vestibule.css")).unwrap();
    let (_, calm) = style.split_once("@media (prefers-reduced-motion: reduce)").unwrap();
    assert!(calm.lines().next().unwrap().contains("animation: none !important"), "R-555");
    browser.close().await;
    world.stop().await;
}

/// A29: what an application's rights, a device and the end of a session ask a person is as well made as a login.
#[actix_web::test]
async fn the_questions_of_applications_are_well_made() {
    let world = World::new(On::Sqlite).await;
    world.apply(&application("app", &format!("{SECRET}consent = \"ask\"\n"))).await;
    let tv = "client_secret = \"a secret of the application\"\ndevice_authorization = true\n";
    world.apply(&application("tv", tv)).await;
    for eyes in [DARK, NARROW] {
        let mut browser = Chromium::new(eyes).await;
        let told = Rp::new(&world, "tv").post("device_authorization", &[("scope", "openid email")]).await;
        browser.go(&told.text("verification_uri")).await;
        browser.wait("#code").await;
        browser.is_well_made().await;
        browser.look("device").await;
        browser.fill("#code", "BCDF-BCDF").await;
        browser.press("continue").await;
        browser.wait("#complaint").await;
        browser.is_well_made().await;
        browser.fill("#code", &told.text("user_code")).await;
        browser.press("continue").await;
        browser.fill("[autocomplete=username]", "linus").await;
        browser.press("continue").await;
        browser.fill("[autocomplete=current-password]", "has a token already").await;
        browser.press("continue").await;
        browser.fill("[autocomplete=one-time-code]", &story::passcode_of_linus(&world)).await;
        browser.press("continue").await;
        world.advance(30);
        browser.wait("#mine").await;
        browser.is_well_made().await;
        browser.look("device-confirm").await;
        browser.client.find(Locator::Css("#mine")).await.unwrap().click().await.unwrap();
        browser.press("allow").await;
        browser.wait("h1").await;
        browser.is_well_made().await;
        browser.look("device-done").await;
        browser.go(&Rp::new(&world, "app").url("openid profile email", "")).await;
        browser.wait("[data-action=deny]").await;
        browser.is_well_made().await;
        browser.look("consent").await;
        browser.go(&format!("{}/oidc/logout", world.base())).await;
        browser.wait("[data-action=stay]").await;
        browser.is_well_made().await;
        browser.look("log-out").await;
        browser.press("log-out").await;
        browser.wait("main:not(:has([data-action=stay])) h1").await;
        browser.is_well_made().await;
        browser.look("logged-out").await;
        browser.close().await;
    }
    world.stop().await;
}

/// Enrollment by mail: the link from the mail, the QR code that Chromium drew, a device, and a login with its passcode;
/// at a desk, on a narrow dark screen in German, and without scripts, where the code is copied from the mail.
/// U22, A29.
#[actix_web::test]
async fn enrollment_by_mail_in_a_browser() {
    let world = World::at_this_time(On::Sqlite).await;
    let folder = tempfile::tempdir().unwrap();
    for eyes in [DESKTOP, PHONE, PLAIN] {
        let name = format!("mailed-{}", eyes.name);
        let address = format!("{name}@acme.test");
        world
            .apply(&format!(
                "[[tenant]]\ncode = \"acme\"\n[[tenant.user]]\nusername = \"{name}\"\nemail = \"{address}\"\n\
                 first_name = \"Barbara\"\npassword = \"not in the rollout\"\n"
            ))
            .await;
        let made = world.command(&["provision", "create", "--user", &name]);
        assert!(made.contains("mails on their way: 1"), "{made}");
        world.catch_up();
        let (page, code) = crate::provisioning::link_in(&world.mail(&address, 1).await.text());
        let mut browser = Chromium::new(eyes).await;
        browser.go(&format!("{page}#{code}")).await;
        browser.wait("[data-action=start]").await;
        browser.is_well_made().await;
        browser.look("mailed-landing").await;
        if eyes.scripts {
            assert!(!browser.shows("#code").await, "the code is filled in by itself");
        } else {
            browser.press("start").await;
            browser.wait("#complaint").await;
            browser.fill("#code", &code).await;
        }
        browser.press("start").await;
        browser.wait("[data-action=platform-command_line]").await;
        browser.is_well_made().await;
        browser.look("mailed-platform").await;
        browser.press("platform-command_line").await;
        let string = browser.text("[data-activation-string]").await;
        browser.is_well_made().await;
        browser.look("mailed-activation").await;
        assert_eq!(browser.scan(folder.path()).await, string, "R-176: {}", eyes.name);
        let store = folder.path().join(eyes.name);
        let path = store.clone();
        let (exit, out) = tokio::task::spawn_blocking(move || story::app(&path, &["activate", &string])).await.unwrap();
        assert_eq!(exit, 0, "{out}");
        if !eyes.scripts {
            browser.press("check-now").await;
        }
        browser.wait("[data-action=portal]").await;
        browser.is_well_made().await;
        browser.look("mailed-done").await;
        browser.press("portal").await;
        browser.fill("[autocomplete=username]", &name).await;
        browser.press("continue").await;
        browser.fill("[autocomplete=current-password]", "not in the rollout").await;
        browser.press("continue").await;
        world.catch_up();
        browser.fill("[autocomplete=one-time-code]", &passcode(store).await).await;
        browser.press("continue").await;
        browser.wait("[data-action=log-out]").await;
        browser.look("mailed-portal").await;
        // A link that is used says so.
        browser.go(&format!("{page}?again#{code}")).await;
        if !eyes.scripts {
            browser.fill("#code", &code).await;
        }
        browser.press("start").await;
        browser.wait(".reference").await;
        browser.is_well_made().await;
        browser.look("mailed-used").await;
        browser.close().await;
    }
}

/// A29: the challenge, and the portal's page of one authenticator, are as well made as the rest of a login.
#[actix_web::test]
async fn challenges_and_the_care_of_an_authenticator_are_well_made() {
    use passcodes::{BASE32, OTHER32, PASSWORD, passcode, person, response, token};
    let world = World::new(On::Sqlite).await;
    let (answers, shows) = (token(BASE32, "mode = \"challenge_response\"\nname = \"Answers\""), token(OTHER32, ""));
    person(&world, "grace", "", &[&answers, &shows]).await;
    for eyes in [DARK, NARROW] {
        let mut browser = Chromium::new(eyes).await;
        browser.go(&format!("{}/", world.base())).await;
        browser.fill("[autocomplete=username]", "grace").await;
        browser.press("continue").await;
        browser.fill("[autocomplete=current-password]", PASSWORD).await;
        browser.press("continue").await;
        browser.wait("[data-action=use-challenge]").await;
        browser.is_well_made().await;
        browser.look("passcode-or-challenge").await;
        browser.press("use-challenge").await;
        browser.fill("#response", "000000").await;
        browser.press("continue").await;
        browser.wait("#complaint").await;
        browser.is_well_made().await;
        browser.look("challenge").await;
        let challenge = browser.text("#challenge").await;
        browser.fill("#response", &response(BASE32, &challenge)).await;
        browser.press("continue").await;
        browser.wait("[data-action=care]").await;
        browser.is_well_made().await;
        browser.look("portal").await;
        // The one that shows passcodes is used last, and is offered first the next time.
        world.advance(1);
        for number in 1..=2 {
            let care = browser.wait(&format!("ul.tokens li:nth-child({number}) [data-action=care]")).await;
            care.click().await.unwrap();
            browser.wait("[data-action=test]").await;
            if browser.client.find(Locator::Css("#first")).await.is_ok() {
                browser.fill("#code", &passcode(&world, OTHER32, 0)).await;
                browser.press("test").await;
                browser.wait(".good").await;
                browser.fill("#first", "000000").await;
                browser.fill("#second", "000001").await;
                browser.press("synchronize").await;
                browser.wait("#complaint").await;
                browser.look("synchronize").await;
            } else {
                browser.look("portal-challenge").await;
            }
            browser.is_well_made().await;
            browser.client.find(Locator::Css("main p:last-child a")).await.unwrap().click().await.unwrap();
        }
        world.advance(60);
        browser.close().await;
    }
    world.stop().await;
}

/// A29: what people do with their own authenticators is as well made as the rest: the renewal that operators ask for, the
/// list of the portal, the page of one authenticator, and the page before its replacement.
#[actix_web::test]
async fn the_pages_of_ones_own_authenticators_are_well_made() {
    let world = World::new(On::Sqlite).await;
    let listed = world.command(&["token", "list", "--user", "linus"]);
    let serial = listed.split('\t').next().unwrap();
    for eyes in [DARK, NARROW] {
        world.command(&["template", "ask-again", serial]);
        world.advance(86_400);
        let mut browser = Chromium::new(eyes).await;
        browser.go(&format!("{}/", world.base())).await;
        browser.fill("[autocomplete=username]", "linus").await;
        browser.press("continue").await;
        browser.fill("[autocomplete=current-password]", "has a token already").await;
        browser.press("continue").await;
        browser.fill("[autocomplete=one-time-code]", &story::passcode_of_linus(&world)).await;
        browser.press("continue").await;
        browser.wait("[data-action=later]").await;
        browser.is_well_made().await;
        browser.look("renewal").await;
        browser.press("later").await;
        browser.wait("[data-action=manage]").await;
        browser.is_well_made().await;
        browser.look("portal-list").await;
        browser.press("activity").await;
        browser.wait("[data-action=dispute]").await;
        browser.is_well_made().await;
        browser.look("portal-activity").await;
        browser.press("dispute").await;
        browser.wait("[data-action=yes-dispute]").await;
        browser.is_well_made().await;
        browser.look("portal-dispute").await;
        browser.press("back").await;
        browser.wait("[data-action=dispute]").await;
        browser.press("home").await;
        browser.wait("[data-action=manage]").await;
        browser.press("manage").await;
        browser.wait("[data-action=rename]").await;
        browser.is_well_made().await;
        browser.look("portal-one").await;
        browser.press("lost").await;
        browser.wait("[data-action=yes-lost]").await;
        browser.is_well_made().await;
        browser.press("back").await;
        browser.wait("[data-action=rename]").await;
        world.advance(60);
        browser.press("replace").await;
        browser.fill("[autocomplete=current-password]", "has a token already").await;
        browser.press("continue").await;
        browser.fill("[autocomplete=one-time-code]", &story::passcode_of_linus(&world)).await;
        browser.press("continue").await;
        browser.wait("[data-action=add-authenticator]").await;
        browser.is_well_made().await;
        browser.look("replacement").await;
        browser.close().await;
    }
    world.stop().await;
}

/// whoever loads the answer to a form again sends nothing again, which would count as another wrong password.
#[actix_web::test]
async fn a_page_that_is_loaded_again_sends_nothing_again() {
    let world = World::new(On::Sqlite).await;
    let browser = Chromium::new(DESKTOP).await;
    browser.go(&story::authorize(&world, "")).await;
    browser.fill("[autocomplete=username]", "ada").await;
    browser.press("continue").await;
    browser.fill("[autocomplete=current-password]", "not hers").await;
    browser.press("continue").await;
    browser.wait("#complaint").await;
    for _ in 0..3 {
        browser.client.refresh().await.unwrap();
        browser.wait("[autocomplete=current-password]").await;
    }
    assert_eq!(world.events("password_rejected").await, 1);
    // WCAG 3.2.2: arrow keys go through the languages, and a button takes the one that is meant.
    for _ in 0..2 {
        browser.wait("#language").await.send_keys("\u{e015}").await.unwrap();
    }
    assert_eq!(browser.wait("html").await.attr("lang").await.unwrap().as_deref(), Some("en"));
    let meant = browser.wait("#language").await.prop("value").await.unwrap().unwrap();
    assert_ne!(meant, "en");
    browser.wait("form.languages button").await.click().await.unwrap();
    browser.wait(&format!("html[lang={meant}]")).await;
    browser.close().await;
    world.stop().await;
}
