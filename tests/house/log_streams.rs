//! Logs for other systems: streams of JSON by the management API, and syslog.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use vestibule::app::syslog;
use vestibule::config::{SyslogSettings, SyslogTls, SyslogWay};
use vestibule::domain::operator::Role;
use vestibule::domain::syslog::Facility;
use vestibule::flow::administration::log_stream::LOGS;

use crate::console::{call, key, staffed};
use crate::story::{after_password, passcode_of_linus};
use crate::visitor::Visitor;
use crate::world::{BOTH, On, World};

const LINUS: &str = "has a token already";

/// Logs linus in; gives the passcode.
async fn login(world: &World) -> String {
    world.advance(31);
    let code = passcode_of_linus(world);
    let mut visitor = Visitor::new(&world.url);
    let page = after_password(world, &mut visitor, "linus", LINUS).await;
    let seen = visitor.press(&page, "continue", &[("code", &code)]).await;
    assert!(seen.leaves_to.is_some(), "{}", seen.body);
    code
}

/// Lets everything settle that happened: entries become a minute old, and events are sealed.
async fn settle(world: &World) {
    world.advance(62);
    world.seal().await;
}

/// A page of a stream: the entries, where to go on, and whether there is more.
async fn page(world: &World, key: &str, log: &str, query: &str) -> (Vec<Value>, String, bool) {
    let url = format!("{}/api/management/v1/logs/{log}?{query}", world.base());
    let answer = reqwest::Client::new().get(url).bearer_auth(key).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let text = answer.text().await.unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.pop().unwrap();
    (lines, last["next"].as_str().unwrap().to_owned(), last["more"].as_bool().unwrap())
}

/// A stream from a cursor to its end, in pages of `limit`.
async fn rest(world: &World, key: &str, log: &str, after: Option<String>, limit: usize) -> (Vec<Value>, String) {
    let (mut all, mut after) = (Vec::new(), after);
    loop {
        let place = after.as_ref().map(|after| format!("&after={after}")).unwrap_or_default();
        let (lines, next, more) = page(world, key, log, &format!("limit={limit}{place}")).await;
        assert!(lines.len() <= limit);
        all.extend(lines);
        if !more {
            return (all, next);
        }
        assert!(after.as_ref() != Some(&next), "it goes on");
        after = Some(next);
    }
}

fn cursors(lines: &[Value]) -> Vec<String> {
    lines.iter().map(|line| line["cursor"].as_str().unwrap().to_owned()).collect()
}

/// a stream is read in pages of any length, while more happens, and from every cursor on: each entry comes once, in
/// order, and nothing secret is in it.
#[actix_web::test]
async fn a_stream_has_neither_gaps_nor_doubles() {
    for on in BOTH {
        let world = staffed(on).await;
        let key = key(&world, Role::Auditor).await;
        let mut codes = vec![login(&world).await, login(&world).await];
        settle(&world).await;
        for log in ["access", "authentication", "audit"] {
            let (whole, end) = rest(&world, &key, log, None, 1000).await;
            assert!(whole.len() >= 2, "{on:?} {log}: {whole:?}");
            for limit in [1, 3, 7] {
                // What reading itself writes down is sealed later than what is compared here.
                let (again, _) = rest(&world, &key, log, None, limit).await;
                assert_eq!(again[..whole.len()], whole[..], "{on:?} {log} {limit}");
            }
            for (at, cursor) in cursors(&whole).into_iter().enumerate() {
                let (tail, _) = rest(&world, &key, log, Some(cursor), 5).await;
                assert_eq!(tail[..whole.len() - at - 1], whole[at + 1..], "{on:?} {log} {at}");
            }
            // More happens: whoever goes on where they were gets it, and nothing else.
            codes.push(login(&world).await);
            settle(&world).await;
            let (later, _) = rest(&world, &key, log, Some(end), 4).await;
            let (all, _) = rest(&world, &key, log, None, 1000).await;
            assert!(!later.is_empty(), "{on:?} {log}");
            let joined: Vec<Value> = whole.iter().chain(&later).cloned().collect();
            assert_eq!(joined[..], all[..joined.len()], "{on:?} {log}");
            let distinct: BTreeSet<String> = cursors(&all).into_iter().collect();
            assert_eq!(distinct.len(), all.len(), "{on:?} {log}: no doubles");
            let text = serde_json::to_string(&all).unwrap();
            for secret in codes.iter().map(String::as_str).chain([LINUS, "JBSWY3DPEHPK3PXP", "vbk_"]) {
                assert!(!text.contains(&format!("\"{secret}")), "R-563 {on:?} {log}: {secret}");
            }
        }
        let (access, _) = rest(&world, &key, "access", None, 1000).await;
        let entries = world.number("SELECT COUNT(*) AS n FROM access_log").await;
        assert_eq!(i64::try_from(access.len()).unwrap(), entries, "{on:?}: all of it");
        let (audit, _) = rest(&world, &key, "audit", None, 1000).await;
        let numbers: Vec<i64> = cursors(&audit).iter().map(|cursor| cursor.parse().unwrap()).collect();
        assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1), "{on:?}: the numbers of the chain, without gaps");
        assert!(audit.iter().any(|event| event["detail"].is_object()), "{on:?}: details are JSON");
        world.stop().await;
    }
}

/// a cursor of another log and a length that cannot be are refused; a stream needs the permission to take files out.
#[actix_web::test]
async fn a_stream_refuses_what_it_does_not_understand() {
    let world = staffed(On::Sqlite).await;
    let auditor = key(&world, Role::Auditor).await;
    settle(&world).await;
    for query in ["after=x", "after=-1", "limit=0", "limit=10001", "limit=x", "from=yesterday", "beginning=1"] {
        for log in ["access", "authentication", "audit"] {
            let (status, body) = call(&world, &auditor, Method::GET, &format!("logs/{log}?{query}"), None).await;
            assert_eq!((status, &body["code"]), (400, &Value::from("malformed")), "{log} {query}: {body}");
        }
    }
    let (lines, ..) = page(&world, &auditor, "audit", "from=2100-01-01").await;
    assert!(lines.is_empty(), "{lines:?}");
    let (lines, ..) = page(&world, &auditor, "audit", "from=2000-01-01&limit=2").await;
    assert_eq!(lines.len(), 2);
    let desk = key(&world, Role::HelpDesk).await;
    assert_eq!(call(&world, &desk, Method::GET, "logs/access", None).await.0, 403);
    // That somebody has begun to take it out is written down, once.
    let before = world.events("audit_exported").await;
    let (_, next, _) = page(&world, &auditor, "access", "").await;
    page(&world, &auditor, "access", &format!("after={next}")).await;
    assert_eq!(world.events("audit_exported").await, before + 1);
    world.stop().await;
}

/// A syslog server of our own, which reads as strictly as the standards allow.
struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
    /// How many connections it breaks off instead of reading them.
    breaks: Arc<Mutex<u32>>,
}

impl Server {
    fn start(tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").unwrap(), tls)
    }

    fn at(listener: TcpListener, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let (heard, breaks) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<u32>>::default());
        let port = listener.local_addr().unwrap().port();
        let (kept, broken) = (heard.clone(), breaks.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                {
                    let mut broken = broken.lock().unwrap();
                    if *broken > 0 {
                        *broken -= 1;
                        // What was not read makes the end of the connection a reset.
                        std::thread::sleep(Duration::from_millis(100));
                        continue;
                    }
                }
                let mut octets = Vec::new();
                match &tls {
                    None => drop(stream.read_to_end(&mut octets)),
                    Some(config) => {
                        let server = rustls::ServerConnection::new(config.clone()).unwrap();
                        let mut stream = rustls::StreamOwned::new(server, stream);
                        if stream.read_to_end(&mut octets).is_err() {
                            continue;
                        }
                        stream.conn.send_close_notify();
                        drop(stream.flush());
                    }
                }
                kept.lock().unwrap().extend(frames(&octets));
            }
        });
        Self { port, heard, breaks }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// Messages with their lengths in front (RFC 6587 3.4.1).
fn frames(mut octets: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    while !octets.is_empty() {
        let blank = octets.iter().position(|octet| *octet == b' ').expect("a length");
        let length = std::str::from_utf8(&octets[..blank]).unwrap();
        assert!(!length.starts_with('0'), "MSG-LEN begins with a digit that is not zero: {length}");
        let length: usize = length.parse().unwrap();
        found.push(String::from_utf8(octets[blank + 1..blank + 1 + length].to_vec()).unwrap());
        octets = &octets[blank + 1 + length..];
    }
    found
}

/// Takes a message apart as RFC 5424 6 has it: the log, and what it says.
fn parsed(message: &str) -> (String, Value) {
    let (priority, rest) = message.strip_prefix('<').unwrap().split_once('>').unwrap();
    let priority: u8 = priority.parse().unwrap();
    assert!((80..=87).contains(&priority), "authpriv: {message}");
    let fields: Vec<&str> = rest.splitn(8, ' ').collect();
    let [version, time, host, app, process, id, data, says] = fields[..] else { panic!("{message}") };
    assert_eq!((version, host, app, process, data), ("1", "login.example.com", "vestibule", "-", "-"), "{message}");
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let (day, clock) = time.strip_suffix('Z').unwrap().split_once('T').unwrap();
    let (clock, fraction) = clock.split_once('.').unwrap();
    assert!(day.split('-').map(str::len).eq([4, 2, 2]) && day.split('-').all(digits), "{message}");
    assert!(clock.split(':').map(str::len).eq([2, 2, 2]) && fraction.len() == 6 && digits(fraction), "{message}");
    assert!(says.is_ascii() && !says.contains(|c: char| c.is_ascii_control()), "{message}");
    (id.to_owned(), serde_json::from_str(says).unwrap())
}

fn settings(port: u16, way: SyslogWay) -> SyslogSettings {
    SyslogSettings {
        way,
        server: "127.0.0.1".to_owned(),
        port,
        logs: LOGS.to_vec(),
        facility: Facility::named("authpriv").unwrap(),
        host: "login.example.com".to_owned(),
    }
}

/// what happened is sent once and in order, nothing of before; what the server was away for is sent when it is back,
/// and what it did not read to the end is sent again.
#[actix_web::test]
async fn syslog_loses_nothing_and_repeats_nothing() {
    for on in BOTH {
        let world = staffed(on).await;
        login(&world).await;
        settle(&world).await;
        let (server, owner) = (Server::start(None), world.site.house.entropy.id());
        let way = settings(server.port, SyslogWay::Tcp);
        assert_eq!(syslog::once(&world.site, owner, &way).await.unwrap(), 0, "{on:?}: nothing of before");
        let code = login(&world).await;
        settle(&world).await;
        let sent = syslog::once(&world.site, owner, &way).await.unwrap();
        let heard: Vec<(String, Value)> = server.heard().iter().map(|message| parsed(message)).collect();
        assert!(sent > 5 && heard.len() == sent, "{on:?}: {sent} {heard:?}");
        let says = |log: &str, column: &str, value: &str| {
            heard.iter().any(|(of, says)| of == log && says[column] == value && says["tenant"] == "acme")
        };
        assert!(says("access", "user", "linus") && says("access", "result", "success"), "{on:?}: {heard:?}");
        assert!(says("authentication", "action", "passcode_accepted"), "{on:?}: {heard:?}");
        assert!(says("audit", "action", "login_completed"), "{on:?}: {heard:?}");
        let text = server.heard().join("\n");
        for secret in [code.as_str(), LINUS, "JBSWY3DPEHPK3PXP"] {
            assert!(!text.contains(&format!("\"{secret}")), "R-563 {on:?}: {secret}");
        }
        assert_eq!(syslog::once(&world.site, owner, &way).await.unwrap(), 0, "{on:?}: once");

        // It does not read what it is sent, and then it is away; what was sent before is not sent again.
        login(&world).await;
        settle(&world).await;
        *server.breaks.lock().unwrap() = 1;
        assert!(syslog::once(&world.site, owner, &way).await.is_err(), "{on:?}: it broke off");
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let away = settings(nobody, SyslogWay::Tcp);
        assert!(syslog::once(&world.site, owner, &away).await.is_err(), "{on:?}: it is away");
        let before = server.heard().len();
        let sent = syslog::once(&world.site, owner, &way).await.unwrap();
        assert!(sent > 5 && server.heard().len() == before + sent, "{on:?}");
        let all: Vec<(String, Value)> = server.heard().iter().map(|message| parsed(message)).collect();
        let distinct: BTreeSet<(String, String)> =
            all.iter().map(|(log, says)| (log.clone(), says["cursor"].to_string())).collect();
        assert_eq!(distinct.len(), all.len(), "{on:?}: nothing twice");
        let numbers: Vec<i64> = all
            .iter()
            .filter(|(log, _)| log == "audit")
            .map(|(_, says)| says["cursor"].as_str().unwrap().parse().unwrap())
            .collect();
        assert!(numbers.windows(2).all(|two| two[1] == two[0] + 1), "{on:?}: nothing is missing: {numbers:?}");
        // Another instance, as after a restart, goes on where this one was.
        world.advance(120);
        let other = world.site.house.entropy.id();
        assert_eq!(syslog::once(&world.site, other, &way).await.unwrap(), 0, "{on:?}");
        assert_eq!(syslog::once(&world.site, owner, &way).await.unwrap(), 0, "{on:?}: one instance at a time");
        world.stop().await;
    }
}

/// R-566, RFC 5425: over TLS only a server is told that an authority of ours certifies; RFC 5426: over UDP one message is one
/// datagram, and a long one is cut so that it arrives.
#[actix_web::test]
async fn syslog_over_tls_and_in_datagrams() {
    let world = staffed(On::Sqlite).await;
    let owner = world.site.house.entropy.id();
    let authority = |name: &str| -> (PathBuf, Arc<rustls::ServerConfig>) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let path = world.folder().join(name);
        std::fs::write(&path, made.cert.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let key = rustls_pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        (path, Arc::new(config))
    };
    let (ours, config) = authority("ours.pem");
    let (others, _) = authority("others.pem");
    let server = Server::start(Some(config));
    let tls = |authorities: &PathBuf| {
        settings(server.port, SyslogWay::Tls(SyslogTls { authorities: authorities.clone(), own: None }))
    };
    assert_eq!(syslog::once(&world.site, owner, &tls(&ours)).await.unwrap(), 0);
    login(&world).await;
    settle(&world).await;
    let refused = format!("{:#}", syslog::once(&world.site, owner, &tls(&others)).await.unwrap_err());
    assert!(refused.contains("certificate"), "{refused}");
    assert!(server.heard().is_empty());
    let sent = syslog::once(&world.site, owner, &tls(&ours)).await.unwrap();
    for _ in 0..100 {
        if server.heard().len() == sent {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(sent > 5 && server.heard().len() == sent, "{sent} {:?}", server.heard());
    server.heard().iter().for_each(|message| drop(parsed(message)));

    // A change of the settings has long values.
    let many: Vec<String> = (0..80).map(|n| format!("\"somebody.number.{n}@alerts.acme.test\"")).collect();
    let recipients = many.join(", ");
    world.apply(&format!("[[tenant]]\ncode = \"acme\"\n[tenant.alerts]\nrecipients = [{recipients}]\n")).await;
    settle(&world).await;
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let way = settings(socket.local_addr().unwrap().port(), SyslogWay::Udp);
    let sent = syslog::once(&world.site, owner, &way).await.unwrap();
    let mut cut = 0;
    for _ in 0..sent {
        let mut datagram = [0; 65_536];
        let length = socket.recv(&mut datagram).unwrap();
        assert!(length <= 2048, "{length}");
        let (_, says) = parsed(std::str::from_utf8(&datagram[..length]).unwrap());
        cut += usize::from(says["cut"] == true && says["action"] == "tenant_changed" && says.get("new").is_none());
    }
    assert_eq!(cut, 1);
    world.stop().await;
}
