//! Logging out: on behalf of an application, told to the others by the server and by the browser.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use vestibule::domain::user::Status;
use vestibule::flow::administration::people;
use vestibule::storage::{Connection, logout_notices, sessions, users};

use crate::relying_party::{Rp, SECRET, answer, application, encoded, linus};
use crate::visitor::Visitor;
use crate::world::{BOTH, On, World};

/// Texts that two tasks share.
type Texts = Arc<Mutex<Vec<String>>>;

/// Somebody who listens at an address of this machine and writes down what comes.
pub struct Listener {
    pub address: String,
    heard: Texts,
    answers: Texts,
}

impl Listener {
    pub async fn at(ip: &str) -> Self {
        let socket = tokio::net::TcpListener::bind((ip, 0)).await.unwrap();
        let address = format!("http://{}", socket.local_addr().unwrap());
        let (heard, answers) = (Texts::default(), Texts::default());
        let (kept, said) = (heard.clone(), answers.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = socket.accept().await {
                let mut text = Vec::new();
                let mut part = [0; 4096];
                while let Ok(read) = stream.read(&mut part).await {
                    text.extend_from_slice(&part[..read]);
                    let whole = String::from_utf8_lossy(&text).into_owned();
                    let length = whole
                        .to_ascii_lowercase()
                        .split("content-length: ")
                        .nth(1)
                        .map(|rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
                    let body = whole.split_once("\r\n\r\n").map(|(_, body)| body.len());
                    if read == 0 || body.is_some_and(|body| body >= length.unwrap_or(0)) {
                        break;
                    }
                }
                let answer =
                    { said.lock().unwrap().pop().unwrap_or_else(|| "200 OK\r\ncontent-length: 0\r\n\r\n".to_owned()) };
                kept.lock().unwrap().push(String::from_utf8_lossy(&text).into_owned());
                let _ = stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await;
            }
        });
        Self { address, heard, answers }
    }

    /// The next answer, as status line and what follows.
    pub fn will_say(&self, answer: impl Into<String>) {
        self.answers.lock().unwrap().push(answer.into());
    }

    pub fn count(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    /// Waits for the `number`-th request.
    pub async fn heard(&self, number: usize) -> String {
        for _ in 0..200 {
            if let Some(text) = self.heard.lock().unwrap().get(number - 1) {
                return text.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("there is no request number {number}");
    }
}

/// The claims and the header of the logout token in a request.
fn token_in(request: &str) -> (Value, Value) {
    use base64::Engine as _;
    let body = request.split("\r\n\r\n").nth(1).unwrap();
    let jwt = form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "logout_token").unwrap().1.into_owned();
    let part = |at: usize| {
        let octets = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(jwt.split('.').nth(at).unwrap()).unwrap();
        serde_json::from_slice::<Value>(&octets).unwrap()
    };
    (part(0), part(1))
}

const AFTER: &str = "post_logout_redirect_uris = [\"https://rp.example/out\", \"https://rp.example/out?a=b\"]\n";

fn logout(world: &World, query: &str) -> String {
    format!("{}/oidc/logout?{query}", world.base())
}

async fn alive(app: &Rp<'_>, visitor: &mut Visitor) -> bool {
    !answer(&visitor.get(&app.url("openid", "&prompt=none")).await, "code").is_empty()
}

/// R-513, RP-Initiated Logout 2 and 3: with a hint at once and back with state; without one only after a question.
#[actix_web::test]
async fn an_application_logs_a_person_out() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&application("app", &format!("{SECRET}{AFTER}"))).await;
        let (app, out) = (Rp::new(&world, "app"), encoded("https://rp.example/out"));
        let mut linus = linus(&world).await;
        let tokens = app.tokens(&mut linus, "openid", "").await;
        let hint = tokens.text("id_token");
        let seen = linus
            .get(&logout(&world, &format!("id_token_hint={hint}&post_logout_redirect_uri={out}&state=a+%26b")))
            .await;
        assert_eq!(seen.leaves_to.as_deref(), Some("https://rp.example/out?state=a%20%26b"), "{on:?}");
        assert!(!alive(&app, &mut linus).await, "{on:?}");
        assert_eq!(app.userinfo(&tokens.text("access_token")).await.status, 401, "{on:?}: LOGO-09");
        // Twice does no harm: nobody is logged in, and the way back is the same.
        let again = linus.get(&logout(&world, &format!("id_token_hint={hint}&post_logout_redirect_uri={out}"))).await;
        assert_eq!(again.leaves_to.as_deref(), Some("https://rp.example/out"), "{on:?}");
        // Without a hint the person is asked, and may stay.
        let mut linus = crate::relying_party::linus(&world).await;
        for query in ["", &format!("client_id=app&post_logout_redirect_uri={out}&state=c")] {
            let page = linus.get(&logout(&world, query)).await;
            assert_eq!((page.title().as_str(), page.leaves_to.clone()), ("Log out?", None), "{on:?} {query}");
            assert!(alive(&app, &mut linus).await, "{on:?}: asking ends nothing");
        }
        let page = linus.get(&logout(&world, &format!("client_id=app&post_logout_redirect_uri={out}&state=c"))).await;
        assert!(page.body.contains("app asks to log you out"), "{}", page.body);
        // T-45, T-18: no other page can press the button.
        let (action, mut fields) = page.form("log-out");
        let good = fields.clone();
        fields.retain(|(name, _)| name != "csrf");
        assert_eq!(linus.clone().post(&action, &fields).await.status, 403, "{on:?}");
        assert!(alive(&app, &mut linus).await, "{on:?}");
        let seen = linus.post(&action, &good).await;
        assert_eq!(seen.leaves_to.as_deref(), Some("https://rp.example/out?state=c"), "{on:?}");
        assert!(!alive(&app, &mut linus).await, "{on:?}");
        let page = linus.get(&logout(&world, "")).await;
        assert_eq!(page.title(), "You are logged out", "{on:?}");
        world.stop().await;
    }
}

/// LOGO-03 to LOGO-06, T-20, AC-34: nobody is sent to an address that is not registered, whatever the request says.
#[actix_web::test]
async fn a_bad_request_to_log_out_leads_nowhere() {
    let world = World::new(On::Sqlite).await;
    world.apply(&application("app", &format!("{SECRET}{AFTER}"))).await;
    world
        .apply(&application("other", &format!("{SECRET}post_logout_redirect_uris = [\"https://other.example/out\"]\n")))
        .await;
    let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
    let tokens = app.tokens(&mut linus, "openid", "").await;
    let hint = tokens.text("id_token");
    let (message, _) = hint.rsplit_once('.').unwrap();
    let good = encoded("https://rp.example/out");
    for query in [
        format!("id_token_hint={hint}&post_logout_redirect_uri={}", encoded("https://evil.example/")),
        format!("id_token_hint={hint}&post_logout_redirect_uri={}", encoded("https://rp.example/out/")),
        format!("id_token_hint={hint}&post_logout_redirect_uri={}", encoded("https://rp.example/out?x")),
        format!("id_token_hint={hint}&post_logout_redirect_uri={}", encoded("https://rp.example/cb")),
        format!("id_token_hint={hint}&post_logout_redirect_uri={}", encoded("https://other.example/out")),
        format!("id_token_hint={hint}&post_logout_redirect_uri={}", encoded("javascript:alert(1)")),
        format!("id_token_hint={hint}&client_id=other&post_logout_redirect_uri={good}"),
        format!("id_token_hint={message}.AAAA&post_logout_redirect_uri={good}"),
        format!("id_token_hint=garbage&post_logout_redirect_uri={good}"),
        format!("id_token_hint={}&post_logout_redirect_uri={good}", tokens.text("access_token")),
        format!("post_logout_redirect_uri={good}"),
        format!("client_id=nobody&post_logout_redirect_uri={good}"),
        format!("client_id=app&client_id=app&post_logout_redirect_uri={good}"),
        format!("client_id=app&post_logout_redirect_uri={good}&state={}", "x".repeat(5000)),
        "%ff=1&state=%ff".to_owned(),
    ] {
        let seen = linus.get(&logout(&world, &query)).await;
        assert_eq!((seen.status, seen.leaves_to.clone()), (400, None), "{query}");
        assert_eq!(seen.title(), "You cannot be logged out this way");
        assert!(alive(&app, &mut linus).await, "{query}");
    }
    // An ID Token of another person's session is no permission to end this one.
    let mut ada = Visitor::new(&world.url);
    let seen = crate::story::after_password(&world, &mut ada, "barbara", "not in the rollout").await;
    assert!(!seen.body.is_empty());
    let page = ada.get(&logout(&world, &format!("id_token_hint={hint}"))).await;
    assert_eq!(page.title(), "You are logged out", "nobody is logged in there");
    // T-21: what waits for a browser is taken where it belongs: a request to log out is none to log in, nor the other way round.
    for (from, to) in [("logout", "authorize"), ("authorize", "logout")] {
        let mut browser = linus.clone();
        let query = if from == "authorize" { app.query("openid", "") } else { String::new() };
        let fields = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let parked = browser.once(reqwest::Method::POST, &format!("{}/oidc/{from}", world.base()), Some(fields)).await;
        let location = parked.headers["location"].to_str().unwrap().to_owned();
        let seen = browser.get(&location.replace(&format!("/{from}/"), &format!("/{to}/"))).await;
        assert_eq!((seen.status, seen.leaves_to.clone()), (400, None), "{from}: {}", seen.body);
        assert!(alive(&app, &mut linus).await, "{from}");
    }
    // By POST from the application's page, which comes without our cookies.
    let fields = [
        ("id_token_hint".to_owned(), hint),
        ("post_logout_redirect_uri".to_owned(), "https://rp.example/out?a=b".to_owned()),
    ];
    let seen = linus.post_from_elsewhere(&format!("{}/oidc/logout", world.base()), &fields).await;
    assert_eq!(seen.leaves_to.as_deref(), Some("https://rp.example/out?a=b"));
    assert!(!alive(&app, &mut linus).await);
    world.stop().await;
}

/// R-513, Back-Channel Logout 2: every application of the session is told, again if it does not answer, whoever ended it.
#[actix_web::test]
async fn applications_are_told_server_to_server() {
    for on in BOTH {
        let world = World::new(on).await;
        let (listener, canary) = (Listener::at("127.0.0.1").await, Listener::at("::1").await);
        for (name, address) in [("app", &listener.address), ("inside", &canary.address)] {
            let table = format!("{SECRET}backchannel_logout_uri = \"{address}/bcl\"\n");
            world.apply(&application(name, &table)).await;
        }
        world.apply(&application("silent", SECRET)).await;
        let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
        let claims = app.tokens(&mut linus, "openid", "").await.claims();
        for other in ["inside", "silent"] {
            Rp::new(&world, other).tokens(&mut linus, "openid", "").await;
        }
        listener.will_say("500 Oh dear\r\ncontent-length: 0\r\n\r\n");
        let portal = linus.get(&format!("{}/", world.base())).await;
        linus.press(&portal, "log-out", &[]).await;
        let (header, token) = token_in(&listener.heard(1).await);
        assert_eq!(header["typ"], "logout+jwt", "T-51");
        for name in ["iss", "aud", "sub", "sid"] {
            assert_eq!(token[name], claims[name], "{on:?}: {name}");
        }
        assert_eq!(token["events"], json!({ "http://schemas.openid.net/event/backchannel-logout": {} }));
        assert!(token["jti"].is_string() && token["nonce"].is_null() && token["exp"].is_i64(), "{token}");
        // It said 500, so it is told again, once, after a pause.
        world.advance(6);
        let (_, again) = token_in(&listener.heard(2).await);
        assert_eq!(again["sid"], token["sid"], "{on:?}");
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(world.events("logout_delivered").await, 1, "{on:?}");
        world.advance(20);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(listener.count(), 2, "{on:?}");
        // T-52: an address that is not public and not allowed is never called.
        assert_eq!(canary.count(), 0, "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM logout_notice").await, 1, "{on:?}: only the canary's waits");
        // An operator ends sessions as well.
        let mut linus = crate::relying_party::linus(&world).await;
        app.tokens(&mut linus, "openid", "").await;
        world.command(&["user", "disable", "linus"]);
        world.advance(6);
        listener.heard(3).await;
        world.stop().await;
    }
}

/// R-513, T-11: an operator disables an account while its owner's logout is being written down: both note whom to tell, and
/// neither fails by the other.
#[actix_web::test]
async fn a_logout_at_the_same_moment_does_not_save_an_account() {
    for on in BOTH {
        let world = World::new(on).await;
        world.apply(&application("app", SECRET)).await;
        let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
        app.tokens(&mut linus, "openid", "").await;
        let (db, tenant, now) = (&world.site.house.db, world.tenant().await, world.clock_now());
        let found = async |connection: &mut Connection| {
            let user = users::named(connection, tenant, "linus").await?.unwrap();
            let living = sessions::living_of(tenant, user.id).ask(connection).await?;
            Ok((user, living))
        };
        let (user, living) = db.read(found).await.unwrap();
        let (session, noted) = (living[0].id, tokio::sync::Notify::new());
        let logout = async |connection: &mut Connection| {
            assert!(sessions::end(connection, tenant, session, "logout", now).await?);
            let notices = logout_notices::of_session(connection.engine(), tenant, user.id, session, now);
            assert_eq!(notices.run(connection).await?, 1);
            // Whoever ends the same session finds it noted, and that is no fault.
            let again = logout_notices::of_session(connection.engine(), tenant, user.id, session, now);
            assert_eq!(again.run(connection).await?, 0);
            noted.notify_one();
            tokio::time::sleep(Duration::from_millis(500)).await;
            Ok(())
        };
        let desk = world.desk("operator");
        let disable =
            async |connection: &mut Connection| people::set_status(&desk, connection, &user, Status::Disabled).await;
        let disabled = async {
            noted.notified().await;
            db.write(disable).await
        };
        let (logged_out, disabled) = tokio::join!(db.write(logout), disabled);
        logged_out.unwrap();
        assert_eq!(disabled.unwrap(), Ok(()), "{on:?}");
        assert_eq!(world.number("SELECT COUNT(*) AS n FROM sso_session WHERE ended_at IS NULL").await, 0, "{on:?}");
        let status = world.text("SELECT status AS t FROM user_account WHERE username = 'linus'").await;
        assert_eq!(status, "disabled", "{on:?}");
        world.stop().await;
    }
}

/// Front-Channel Logout 2: the browser opens the applications' addresses, with issuer and session, and nothing else.
#[actix_web::test]
async fn applications_are_told_by_the_browser() {
    let world = World::new(On::Sqlite).await;
    let table = format!("{SECRET}{AFTER}frontchannel_logout_uri = \"https://rp.example/fcl?x=1\"\n");
    world.apply(&application("app", &table)).await;
    let (app, mut linus) = (Rp::new(&world, "app"), linus(&world).await);
    let tokens = app.tokens(&mut linus, "openid", "").await;
    let sid = tokens.claims()["sid"].as_str().unwrap().to_owned();
    let out = encoded("https://rp.example/out");
    let query = format!("id_token_hint={}&post_logout_redirect_uri={out}&state=s", tokens.text("id_token"));
    let page = linus.get(&logout(&world, &query)).await;
    assert_eq!(page.title(), "You are logged out");
    let frame = format!("https://rp.example/fcl?x=1&amp;iss={}&amp;sid={sid}", encoded(&world.base()));
    let escaped = frame.replace("&amp;", "&#38;");
    assert!(page.body.contains(&escaped) || page.body.contains(&frame), "{}", page.body);
    assert!(page.body.contains("https://rp.example/out?state=s") && page.has_action("continue"), "{}", page.body);
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("frame-src https://rp.example"), "{policy}");
    let other = linus.get(&logout(&world, "")).await;
    assert!(!other.headers["content-security-policy"].to_str().unwrap().contains("frame-src"));
    world.stop().await;
}

/// Front-Channel Logout 2, R-513: whoever ends the session in the browser, in the portal or at the console, the applications hear
/// of it there; where none wants to, nothing stands in the way.
#[actix_web::test]
async fn applications_are_told_by_the_browser_whoever_logs_out() {
    for on in BOTH {
        let world = crate::console::staffed(on).await;
        world
            .apply(&application("app", &format!("{SECRET}frontchannel_logout_uri = \"https://rp.example/fcl\"\n")))
            .await;
        let app = Rp::new(&world, "app");
        let portal = format!("{}/", world.base());
        for place in ["portal", "console"] {
            let at = if place == "portal" { portal.clone() } else { crate::console::console(&world, "operators") };
            let (mut oona, _) = crate::console::at_console(&world, "oona", "operators").await;
            let sid = app.tokens(&mut oona, "openid", "").await.claims()["sid"].as_str().unwrap().to_owned();
            let seen = oona.get(&at).await;
            let seen = oona.press(&seen, "log-out", &[]).await;
            assert_eq!(seen.title(), "You are logged out", "{on:?} {place}: {}", seen.body);
            let frame = format!("<iframe src=\"https://rp.example/fcl?iss={}&", encoded(&world.base()));
            assert!(seen.body.contains(&frame) && seen.body.contains(&sid), "{on:?} {place}: {}", seen.body);
            assert_eq!(seen.link("continue"), portal, "{on:?} {place}");
            let policy = seen.headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("frame-src https://rp.example"), "{policy}");
            assert_eq!(seen.headers["clear-site-data"], "\"cache\"", "T-24");
            assert!(!alive(&app, &mut oona).await, "{on:?} {place}");
        }
        let mut linus = linus(&world).await;
        let seen = linus.get(&portal).await;
        let seen = linus.press(&seen, "log-out", &[]).await;
        assert_eq!(seen.title(), "Log in", "{on:?}: {}", seen.body);
        world.stop().await;
    }
}
