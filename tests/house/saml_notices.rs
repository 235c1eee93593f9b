//! Logouts from server to server: service providers are told where no browser is, and bring their requests themselves
//! (R-497, T-45).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vestibule::domain::ids::SessionId;
use vestibule::domain::timestamp::Timestamp;
use vestibule::saml::{soap, verify};
use vestibule::storage::{Connection, saml_notices};

use crate::door_saml::status_of;
use crate::saml_logout::{SHOP, WIKI, both, by, certificate, file_of, id_of, lives, message, register, subject};
use crate::saml_signer::Signer;
use crate::visitor::Visitor;
use crate::world::{ACME, BOTH, On, World};

/// The server of a service provider: what it hears, and what it says.
struct Server {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
    /// The status that it answers with; an empty one is a failure of its own.
    says: Arc<Mutex<&'static str>>,
    running: actix_web::rt::task::JoinHandle<std::io::Result<()>>,
}

impl Server {
    fn new() -> Self {
        let (heard, says): (Arc<Mutex<Vec<String>>>, _) = (Arc::default(), Arc::new(Mutex::new("Success")));
        let both = (Arc::clone(&heard), Arc::clone(&says));
        let server = HttpServer::new(move || {
            let (heard, says) = both.clone();
            let heard = move |body: String| {
                let (heard, says) = (Arc::clone(&heard), *says.lock().unwrap());
                async move {
                    let said = answer(&id_of(&body), says);
                    heard.lock().unwrap().push(body);
                    match says {
                        "" => HttpResponse::InternalServerError().finish(),
                        _ => HttpResponse::Ok().content_type("text/xml").body(said),
                    }
                }
            };
            App::new().route("/soap", web::post().to(heard))
        });
        let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/soap", server.addrs()[0]);
        Self { address, heard, says, running: actix_web::rt::spawn(server.run()) }
    }

    fn count(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    /// Waits for the `number`-th request.
    async fn heard(&self, number: usize) -> String {
        for _ in 0..200 {
            if let Some(request) = self.heard.lock().unwrap().get(number - 1) {
                return request.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nobody was told");
    }

    fn says(&self, status: &'static str) {
        *self.says.lock().unwrap() = status;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

fn answer(to: &str, status: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><p:LogoutResponse \
         xmlns:p=\"urn:oasis:names:tc:SAML:2.0:protocol\" InResponseTo=\"{to}\"><p:Status><p:StatusCode \
         Value=\"urn:oasis:names:tc:SAML:2.0:status:{status}\"/></p:Status></p:LogoutResponse></s:Body></s:Envelope>"
    )
}

/// Lets the time pass, and the worker look.
async fn later(world: &World, seconds: u64) {
    world.advance(seconds);
    world.site.house.saml_notices_wait.notify_one();
}

/// Waits until nobody is to be told any more.
async fn all_told(world: &World) {
    for _ in 0..100 {
        if world.number("SELECT COUNT(*) AS n FROM saml_notice").await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("somebody is still to be told");
}

/// R-497, INV-11: an operator ends sessions, no browser is near; who offers it is told by its server, until it says that it
/// has done it, by the name that it got, even if the person has another one since.
#[actix_web::test]
async fn whoever_ends_a_session_service_providers_are_told() {
    for on in BOTH {
        let world = World::new(on).await;
        let (signer, server) = (Signer::new(), Server::new());
        let shop = format!("logout_soap_url = \"{}\"", server.address);
        register(&world, &signer, &by("redirect", WIKI), &shop).await;
        let mut linus = Visitor::new(&world.url);
        let (_, at_shop) = both(&world, &mut linus).await;
        server.says("");
        world.command(&["user", "disable", "linus"]);
        later(&world, 1).await;
        let (name, index) = subject(&at_shop);
        let letter = soap::opened(server.heard(1).await.as_bytes()).expect("an envelope");
        let (read, signed) = verify::posted(letter.as_bytes(), &[certificate(&world).await]).expect("ours");
        assert!(signed && read.is("urn:oasis:names:tc:SAML:2.0:protocol", "LogoutRequest"), "{on:?} {letter}");
        assert!(letter.contains(&index) && letter.contains(name.split('>').nth(1).unwrap()), "{on:?} {letter}");
        assert_eq!(read.attribute("Destination"), Some(server.address.as_str()));
        // It failed: again after a pause, not before; "not now" is not the end either.
        server.says("Responder");
        later(&world, 2).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(server.count(), 1, "{on:?}");
        later(&world, 5).await;
        server.heard(2).await;
        server.says("Success");
        later(&world, 16).await;
        let last = soap::opened(server.heard(3).await.as_bytes()).expect("an envelope");
        assert_ne!(id_of(&last), id_of(&letter), "each request has a name of its own");
        all_told(&world).await;
        let ends = (world.events("logout_delivered").await, world.events("logout_undelivered").await);
        assert_eq!(ends, (1, 0), "{on:?}: the wiki cannot be told without a browser");
        later(&world, 3600).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(server.count(), 3, "{on:?}: once is enough");

        // Another mail address ends sessions, too; the service provider knows the old one.
        world.command(&["user", "enable", "linus"]);
        let file = ACME.replace("name_id_format = \"persistent\"", &format!("name_id_format = \"email\"\n{shop}"));
        world.apply(&file).await;
        world.advance(3);
        // Nobody is told of what was over by its age long before; but of what is idle here, where an application goes on.
        both(&world, &mut Visitor::new(&world.url)).await;
        world.advance(9 * 3600 + 60);
        let mut linus = Visitor::new(&world.url);
        both(&world, &mut linus).await;
        world.advance(3 * 3600);
        server.says("Requester");
        world.apply(&file.replace("linus@acme.test", "linus@new.test")).await;
        later(&world, 1).await;
        let request = (server.heard(4).await, server.heard(5).await);
        assert!([request.0, request.1].iter().any(|text| text.contains(">linus@acme.test</saml:NameID>")), "{on:?}");
        all_told(&world).await;
        assert_eq!(world.events("logout_undelivered").await, 2, "{on:?}: both say that they never will");
        world.stop().await;
    }
}

/// at the portal, servers are told at once if the browser goes on, and a little later if it does not.
#[actix_web::test]
async fn a_browser_that_never_comes_back_keeps_nobody_from_being_told() {
    let world = World::new(On::Sqlite).await;
    let (signer, server) = (Signer::new(), Server::new());
    register(&world, &signer, "", &format!("logout_soap_url = \"{}\"", server.address)).await;
    let mut linus = Visitor::new(&world.url);
    both(&world, &mut linus).await;
    let portal = linus.get(&format!("{}/", world.base())).await;
    linus.press(&portal, "log-out", &[]).await;
    assert_eq!(server.count(), 1);
    all_told(&world).await;
    later(&world, 60).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.count(), 1, "it has been told");
    // This one closes the window.
    both(&world, &mut linus).await;
    let portal = linus.get(&format!("{}/", world.base())).await;
    let (address, fields) = portal.form("log-out");
    linus.once(reqwest::Method::POST, &address, Some(fields)).await;
    later(&world, 1).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!((server.count(), world.events("session_ended").await), (1, 2), "the browser may still come");
    later(&world, 31).await;
    server.heard(2).await;
    all_told(&world).await;
    world.stop().await;
}

/// What our SOAP address answers: its status, and the body.
async fn bring(world: &World, kind: &str, body: String) -> (u16, String) {
    let request = reqwest::Client::new().post(format!("{}/saml/slo/soap", world.base())).header("content-type", kind);
    let answer = request.body(body).send().await.unwrap();
    let (status, kind) = (answer.status().as_u16(), answer.headers()["content-type"].to_str().unwrap().to_owned());
    assert!(kind.starts_with("text/xml"), "{kind}");
    (status, answer.text().await.unwrap())
}

fn enveloped(message: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:x=\"urn:x\"><s:Header/><s:Body>\n{message}\n</s:Body></s:Envelope>"
    )
}

/// R-497, T-31, T-45: a server brings a signed request; sessions end, other servers are told, and it is answered. Whatever is
/// not signed by it, in the one place where a signature belongs, ends nothing.
#[actix_web::test]
async fn a_server_brings_a_logout_request() {
    for on in BOTH {
        let world = World::new(on).await;
        let (signer, stranger, server) = (Signer::new(), Signer::new(), Server::new());
        register(&world, &signer, "", &format!("logout_soap_url = \"{}\"", server.address)).await;
        let mut linus = Visitor::new(&world.url);
        let (wiki, shop) = both(&world, &mut linus).await;
        let ((name, index), (shops_name, shops_index)) = (subject(&wiki), subject(&shop));
        let xml = |id: &str, inside: &str| {
            message(&world, "LogoutRequest", WIKI, id, "", inside).replace("/saml/slo\"", "/saml/slo/soap\"")
        };
        let good = |id: &str| xml(id, &format!("{name}{index}"));
        let signed = |id: &str| signer.signed(&good(id), id);
        let kind = "text/xml; charset=utf-8";
        let first = signed("_b0");
        let inner = first.replace("ID=\"_b0\"", "ID=\"_evil\"");
        let signature = &first[first.find("<ds:Signature").unwrap()..first.find("</ds:Signature>").unwrap() + 15];
        for (what, body) in [
            ("unsigned", enveloped(&good("_b1"))),
            ("a stranger's", enveloped(&stranger.signed(&good("_b2"), "_b2"))),
            ("elsewhere", enveloped(&signer.signed(&good("_b3").replace("/slo/soap", "/slo"), "_b3"))),
            ("old", enveloped(&signer.signed(&good("_b4").replace("Instant=\"2027", "Instant=\"2026"), "_b4"))),
            ("changed", enveloped(&signed("_b5").replace(&index, &index.replace("Index>_", "Index>_a")))),
            ("nobody's", enveloped(&signer.signed(&good("_b6").replace(WIKI, "https://nobody.example"), "_b6"))),
            ("a login", enveloped(&signer.signed(&good("_b7").replace("LogoutRequest", "AuthnRequest"), "_b7"))),
            ("not in an envelope", signed("_b8")),
            ("two", enveloped(&format!("{}{}", signed("_b9"), good("_b10")))),
            (
                "wrapped",
                enveloped(&good("_b11").replace("</samlp:LogoutRequest>", &format!("{first}</samlp:LogoutRequest>"))),
            ),
            ("around it", enveloped(&inner.replace(signature, &format!("{signature}<x:o>{first}</x:o>")))),
            (
                "in the header",
                enveloped(&good("_b12")).replace("<s:Header/>", &format!("<s:Header>{first}</s:Header>")),
            ),
            (
                "signed outside",
                enveloped(&good("_b0")).replace("<s:Header/>", &format!("<s:Header>{signature}</s:Header>")),
            ),
            ("an entity", enveloped(&signed("_b13")).replace("?>\n", "?>\n<!DOCTYPE a [<!ENTITY e \"x\">]>")),
            (
                "must be understood",
                enveloped(&signed("_b14")).replace("<s:Header/>", "<s:Header><x:h s:mustUnderstand=\"1\"/></s:Header>"),
            ),
            ("nothing", String::new()),
        ] {
            let (status, text) = bring(&world, kind, body).await;
            assert!(status == 403 && text.contains("<soap:Fault>"), "{on:?} {what}: {status} {text}");
        }
        assert_eq!(bring(&world, "application/x-www-form-urlencoded", enveloped(&signed("_b15"))).await.0, 415);
        // Somebody else's name for the person, and a name without a session that says not to whom it speaks.
        let anothers = xml("_b20", &format!("{shops_name}{index}"));
        let (status, text) = bring(&world, kind, enveloped(&signer.signed(&anothers, "_b20"))).await;
        assert_eq!(status, 200, "{text}");
        assert!(status_of(&text)[1].ends_with(":UnknownPrincipal"), "{text}");
        let anywhere = xml("_b21", &name).replace("Destination", "Consent");
        assert_eq!(bring(&world, kind, enveloped(&signer.signed(&anywhere, "_b21"))).await.0, 403);
        assert!(lives(&world, &mut linus).await && server.count() == 0, "{on:?}");

        // Now the real one. It says to whom it speaks, or not.
        let real = signer.signed(&good("_l1").replace("Destination", "Consent"), "_l1");
        let (status, text) = bring(&world, kind, enveloped(&real)).await;
        assert_eq!(status, 200, "{text}");
        let letter = soap::opened(text.as_bytes()).expect("an envelope");
        let (said, is_signed) = verify::posted(letter.as_bytes(), &[certificate(&world).await]).expect("ours");
        assert!(is_signed && said.attribute("InResponseTo") == Some("_l1"), "{text}");
        assert_eq!(status_of(&text).len(), 1, "{on:?}: complete: {text}");
        assert!(server.heard(1).await.contains(&shops_index) && !lives(&world, &mut linus).await);
        assert_eq!(bring(&world, kind, enveloped(&real)).await.0, 403, "once");

        // By the name alone, and with somebody whose server does not do it: partial, and it is told again.
        let mut linus = Visitor::new(&world.url);
        both(&world, &mut linus).await;
        server.says("Responder");
        let (_, text) = bring(&world, kind, enveloped(&signer.signed(&xml("_l2", &name), "_l2"))).await;
        assert!(status_of(&text)[1].ends_with(":PartialLogout"), "{on:?} {text}");
        assert!(!lives(&world, &mut linus).await);
        server.says("Success");
        later(&world, 31).await;
        server.heard(3).await;
        all_told(&world).await;
        // Whoever takes logouts by browsers only cannot be told.
        register(&world, &signer, "", &by("redirect", SHOP)).await;
        let mut linus = Visitor::new(&world.url);
        let (wiki, _) = both(&world, &mut linus).await;
        let xml = xml("_l3", &[subject(&wiki).0, subject(&wiki).1].concat());
        let (_, text) = bring(&world, kind, enveloped(&signer.signed(&xml, "_l3"))).await;
        assert!(status_of(&text)[1].ends_with(":PartialLogout"), "{on:?} {text}");
        world.stop().await;
    }
}

/// R-497, core 3.7.3.2: a service provider that was deactivated may hold a session all the same. The logout is a partial one, and
/// it is on record that nobody was told, with a browser and without.
#[actix_web::test]
async fn whoever_was_deactivated_makes_a_logout_partial() {
    for on in BOTH {
        let world = World::new(on).await;
        let (signer, server) = (Signer::new(), Server::new());
        let (wiki, shop) = (by("redirect", WIKI), format!("logout_soap_url = \"{}\"", server.address));
        let file = file_of(&signer, ("persistent", &wiki), ("transient", &shop));
        let apply = async |active: bool| {
            world.apply(&file.replace("name = \"Shop\"\n", &format!("name = \"Shop\"\nactive = {active}\n"))).await;
            world.advance(3);
        };
        apply(true).await;
        let mut linus = Visitor::new(&world.url);
        let (name, index) = subject(&both(&world, &mut linus).await.0);
        apply(false).await;
        let xml = message(&world, "LogoutRequest", WIKI, "_l1", "", &format!("{name}{index}"));
        let xml = xml.replace("/saml/slo\"", "/saml/slo/soap\"");
        let (status, text) = bring(&world, "text/xml", enveloped(&signer.signed(&xml, "_l1"))).await;
        assert_eq!(status, 200, "{on:?} {text}");
        let second = status_of(&text).get(1).cloned().unwrap_or_default();
        assert!(second.ends_with(":PartialLogout"), "{on:?} {text}");
        assert_eq!(world.events("logout_undelivered").await, 1, "{on:?}");

        apply(true).await;
        both(&world, &mut Visitor::new(&world.url)).await;
        apply(false).await;
        let gone = file.replace("name = \"Shop\"\n", "name = \"Shop\"\nactive = false\n");
        world.apply(&gone.replace("linus@acme.test", "linus@new.test")).await;
        later(&world, 1).await;
        all_told(&world).await;
        assert_eq!((world.events("logout_undelivered").await, server.count()), (2, 0), "{on:?}");
        world.stop().await;
    }
}

/// two end one session at the same time, and the second finds what the first has noted; that is no fault.
#[actix_web::test]
async fn what_is_noted_already_keeps_no_session_from_ending() {
    const NOTE: &str = "INSERT INTO saml_notice (tenant_id, session_id, application_id, name_format, name, tries, next_try_at) \
        SELECT tenant_id, session_id, application_id, name_format, ?, 1, 4102444800000000 FROM session_participant";
    for on in BOTH {
        let world = World::new(on).await;
        let (signer, server) = (Signer::new(), Server::new());
        let shop = format!("logout_soap_url = \"{}\"", server.address);
        register(&world, &signer, "", &shop).await;
        let living = "SELECT COUNT(*) AS n FROM sso_session WHERE ended_at IS NULL";
        let mut linus = Visitor::new(&world.url);
        both(&world, &mut linus).await;
        // One session by itself, before anybody is due to be told.
        let session: SessionId = world.text("SELECT id AS t FROM sso_session").await.parse().unwrap();
        let (tenant, due) = (world.tenant().await, Timestamp::from_seconds(4_102_444_800));
        let twice = async |connection: &mut Connection| {
            let first = saml_notices::of_session(connection.engine(), tenant, session, due).run(connection).await?;
            let second = saml_notices::of_session(connection.engine(), tenant, session, due).run(connection).await?;
            Ok((first, second))
        };
        assert_eq!(world.site.house.db.write(twice).await.unwrap(), (2, 0), "{on:?}");
        world.execute("DELETE FROM saml_notice WHERE name <> ?", "x").await;
        world.execute(NOTE, "").await;
        let file = file_of(&signer, ("persistent", ""), ("transient", &shop));
        world.apply(&file.replace("linus@acme.test", "linus@new.test")).await;
        world.advance(3);
        assert_eq!(world.number(living).await, 0, "{on:?}");
        world.execute("DELETE FROM saml_notice WHERE name <> ?", "x").await;
        both(&world, &mut linus).await;
        world.execute(NOTE, "").await;
        let portal = linus.get(&format!("{}/", world.base())).await;
        let seen = linus.press(&portal, "log-out", &[]).await;
        assert_eq!((seen.status, world.number(living).await), (200, 0), "{on:?}: {}", seen.body);
        world.stop().await;
    }
}

/// our metadata says where servers bring their requests.
#[actix_web::test]
async fn our_metadata_offers_it() {
    let world = World::new(On::Sqlite).await;
    let text = reqwest::get(format!("{}/saml/metadata", world.base())).await.unwrap().text().await.unwrap();
    let offered = format!(
        "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:SOAP\" Location=\"{}/saml/slo/soap\">",
        world.base()
    );
    assert!(text.contains(&offered), "{text}");
    assert!(STANDARD.decode(certificate(&world).await).is_ok());
    world.stop().await;
}
