//! Single logout as service providers see it (R-497, T-45).

use std::sync::{Arc, Mutex};

use actix_web::{App, HttpResponse, HttpServer, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vestibule::flow::administration::people;
use vestibule::saml::logout::Marks;
use vestibule::saml::message::inflated;
use vestibule::saml::verify::{self, RawQuery};
use vestibule::storage::statement::Statement;
use vestibule::storage::{Connection, Db, users};

use crate::door_saml::{deflated, log_in, posted, redirect, request, status_of};
use crate::mariadb;
use crate::relying_party::{Rp, SECRET, application, encoded};
use crate::saml_signer::Signer;
use crate::visitor::{Seen, Visitor};
use crate::world::{ACME, BOTH, On, World};

pub const WIKI: &str = "https://wiki.example.com";
pub const SHOP: &str = "https://shop.example.com";

/// Wiki and shop, both with this certificate, and with these lines about their logout.
pub async fn register(world: &World, signer: &Signer, wiki: &str, shop: &str) {
    register_as(world, signer, ("persistent", wiki), ("transient", shop)).await;
}

/// The same with the formats of the names that they get.
async fn register_as(world: &World, signer: &Signer, wiki: (&str, &str), shop: (&str, &str)) {
    world.apply(&file_of(signer, wiki, shop)).await;
    world.advance(3);
}

/// The apply file of that.
pub fn file_of(signer: &Signer, (at_wiki, wiki): (&str, &str), (at_shop, shop): (&str, &str)) -> String {
    let certificate = format!("certificates = [\"{}\"]", signer.certificate);
    let file = ACME
        .replace("name_id_format = \"persistent\"", &format!("name_id_format = \"{at_wiki}\"\n{certificate}\n{wiki}"));
    let shop = format!(
        "[[tenant.application]]\nname = \"Shop\"\n[tenant.application.saml]\nentity_id = \"{SHOP}/sp\"\n\
         acs_urls = [\"{SHOP}/acs\"]\nname_id_format = \"{at_shop}\"\n{certificate}\n{shop}\n\n[tenant.global_policy]"
    );
    file.replace("[tenant.global_policy]", &shop)
}

pub fn by(binding: &str, at: &str) -> String {
    format!("logout_url = \"{at}/slo\"\nlogout_binding = \"{binding}\"")
}

/// NameID and SessionIndex of an assertion, as elements of a logout request.
pub fn subject(xml: &str) -> (String, String) {
    let name = &xml[xml.find("<saml:NameID").unwrap()..xml.find("</saml:NameID>").unwrap()];
    let index = xml.split("SessionIndex=\"").nth(1).unwrap().split('"').next().unwrap();
    (format!("{name}</saml:NameID>"), format!("<samlp:SessionIndex>{index}</samlp:SessionIndex>"))
}

pub fn message(world: &World, kind: &str, issuer: &str, id: &str, attributes: &str, inside: &str) -> String {
    let now: String = world.clock_now().rfc3339().chars().take(19).collect();
    format!(
        "<samlp:{kind} xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" \
         ID=\"{id}\" Version=\"2.0\" IssueInstant=\"{now}Z\" Destination=\"{}/saml/slo\" {attributes}>\
         <saml:Issuer>{issuer}/sp</saml:Issuer>{inside}</samlp:{kind}>",
        world.base()
    )
}

fn success(status: &str) -> String {
    format!(
        "<samlp:Status><samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:{status}\"></samlp:StatusCode></samlp:Status>"
    )
}

pub fn id_of(xml: &str) -> String {
    xml.split(" ID=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// Logs in at the wiki and, without being asked anything, at the shop; gives both assertions.
pub async fn both(world: &World, visitor: &mut Visitor) -> (String, String) {
    let wiki = posted(&log_in(world, visitor, &redirect(world, &request(world, "", ""))).await).1;
    let shop = request(world, "", "").replace(WIKI, SHOP);
    let shop = posted(&visitor.get(&redirect(world, &shop)).await).1;
    assert!(shop.contains("<saml:Assertion"), "{shop}");
    world.advance(30);
    (wiki, shop)
}

/// Whether somebody is still logged in here.
pub async fn lives(world: &World, visitor: &mut Visitor) -> bool {
    let silent = visitor.get(&redirect(world, &request(world, "IsPassive=\"true\"", ""))).await;
    posted(&silent).1.contains("<saml:Assertion")
}

/// The certificate of our metadata.
pub async fn certificate(world: &World) -> String {
    let metadata = reqwest::get(format!("{}/saml/metadata", world.base())).await.unwrap().text().await.unwrap();
    metadata.split("<ds:X509Certificate>").nth(1).unwrap().split('<').next().unwrap().to_owned()
}

/// The message in an address, whose signature must be ours.
async fn sent(world: &World, address: &str) -> (String, Option<String>) {
    let query = address.split_once('?').unwrap().1;
    let raw = RawQuery::split(query).unwrap();
    assert_eq!(raw.is_signed(&[certificate(world).await]), Ok(true), "{address}");
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let of = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let message = of("SAMLRequest").or_else(|| of("SAMLResponse")).unwrap();
    (String::from_utf8(inflated(&message).unwrap()).unwrap(), of("RelayState"))
}

/// R-476, R-497: the request of one ends the session, the other one is told by its own name, and the first is answered.
#[actix_web::test]
async fn a_logout_goes_around_and_comes_back() {
    for on in BOTH {
        let world = World::new(on).await;
        let signer = Signer::new();
        register(&world, &signer, &by("redirect", WIKI), &by("redirect", SHOP)).await;
        let slo = format!("{}/saml/slo", world.base());
        let mut linus = Visitor::new(&world.url);
        let (wiki, shop) = both(&world, &mut linus).await;
        let (name, index) = subject(&wiki);
        let xml = message(&world, "LogoutRequest", WIKI, "_l1", "", &format!("{name}{index}"));
        let address = format!("{slo}?{}", signer.query("SAMLRequest", &xml, "page=7&x"));
        let seen = linus.get(&address).await;
        let to_shop = seen.leaves_to.clone().unwrap_or_else(|| panic!("{on:?} {}", seen.body));
        assert!(to_shop.starts_with(&format!("{SHOP}/slo?SAMLRequest=")), "{to_shop}");
        let (asked, _) = sent(&world, &to_shop).await;
        let (shops_name, shops_index) = subject(&shop);
        assert!(
            asked.contains(
                &shops_name
                    .replace(" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"", "")
                    .split('>')
                    .nth(1)
                    .unwrap()
                    .to_owned()
            ),
            "{asked}"
        );
        assert!(asked.contains(&shops_index) && asked.contains("NotOnOrAfter="), "{asked}");
        assert!(!lives(&world, &mut linus).await, "{on:?}: the session has ended at once");
        // The shop answers, the wiki is answered.
        let answer = message(
            &world,
            "LogoutResponse",
            SHOP,
            "_a1",
            &format!("InResponseTo=\"{}\"", id_of(&asked)),
            &success("Success"),
        );
        let seen = linus.get(&format!("{slo}?{}", signer.query("SAMLResponse", &answer, ""))).await;
        let (said, relay) = sent(&world, &seen.leaves_to.unwrap()).await;
        assert!(
            said.contains("InResponseTo=\"_l1\"") && said.contains(&format!("Destination=\"{WIKI}/slo\"")),
            "{said}"
        );
        assert_eq!((status_of(&said).len(), relay.as_deref()), (1, Some("page=7&x")), "{said}");
        // Once more is once too often.
        let again = linus.get(&address).await;
        assert_eq!((again.status, again.title().as_str()), (400, "This logout request cannot be used"), "T-45");
        assert_eq!(world.events("session_ended").await, 1);
        world.stop().await;
    }
}

/// R-497, T-45: a request that came to nothing because the database failed is not used up.
#[actix_web::test]
async fn a_request_is_used_up_by_what_it_ends() {
    let world = World::new(On::MariaDb).await;
    let signer = Signer::new();
    register(&world, &signer, &by("redirect", WIKI), "").await;
    let mut linus = Visitor::new(&world.url);
    let (name, index) = subject(&both(&world, &mut linus).await.0);
    let xml = message(&world, "LogoutRequest", WIKI, "_l1", "", &format!("{name}{index}"));
    let address = format!("{}/saml/slo?{}", world.base(), signer.query("SAMLRequest", &xml, ""));
    mariadb::run_in(&world.database, "RENAME TABLE saml_logout TO away");
    assert_eq!(linus.get(&address).await.status, 500);
    assert!(lives(&world, &mut linus).await);
    mariadb::run_in(&world.database, "RENAME TABLE away TO saml_logout");
    let back = linus.get(&address).await.leaves_to.expect("an answer");
    assert!(back.starts_with(&format!("{WIKI}/slo?SAMLResponse=")) && !lives(&world, &mut linus).await, "{back}");
    world.stop().await;
}

/// Waits until somebody waits for the row of a session, as for one who is about to commit a change of it.
async fn somebody_waits(world: &World) {
    let name = world.database.rsplit('/').next().unwrap();
    let waits: &'static str = format!(
        "SELECT COUNT(*) AS n FROM information_schema.processlist WHERE db = '{name}' AND info LIKE 'UPDATE sso_session%'"
    )
    .leak();
    let begun = std::time::Instant::now();
    while world.number(waits).await == 0 {
        assert!(begun.elapsed().as_secs() < 4, "nobody waits");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// INV-11, R-497, R-605: a session that somebody is about to end at another instance gives no answer, of whose receiver nobody would
/// be told. SQLite has one writer at a time anyway.
#[actix_web::test]
async fn a_session_that_is_about_to_end_gives_no_answer() {
    let world = World::new(On::MariaDb).await;
    let mut linus = Visitor::new(&world.url);
    log_in(&world, &mut linus, &redirect(&world, &request(&world, "", ""))).await;
    let address = redirect(&world, &request(&world, "IsPassive=\"true\"", ""));
    let db = Db::connect(&world.database).await.unwrap();
    let ended = tokio::sync::Notify::new();
    let ends = db.write(async |connection| {
        let end = Statement::new("UPDATE sso_session SET ended_at = 1, end_reason = 'logout' WHERE ended_at IS NULL");
        end.run(connection).await?;
        ended.notify_one();
        somebody_waits(&world).await;
        Ok(())
    });
    let asks = async {
        ended.notified().await;
        linus.get(&address).await
    };
    let (done, seen) = tokio::join!(ends, asks);
    done.unwrap();
    assert!(posted(&seen).1.contains(":NoPassive"), "{}", seen.body);
    assert_eq!(world.events("assertion_issued").await, 1);
    db.close().await;
    world.stop().await;
}

/// What an instance does that is about to give an answer to the shop in the sessions in which the wiki got one.
async fn answers_the_shop(connection: &mut Connection) -> vestibule::storage::Result<()> {
    Statement::new("UPDATE sso_session SET last_seen_at = last_seen_at WHERE ended_at IS NULL").run(connection).await?;
    let heard = Statement::new(
        "INSERT INTO session_participant (tenant_id, session_id, application_id, name_format, name, first_at) \
         SELECT tenant_id, session_id, (SELECT id FROM application WHERE name = 'Shop'), name_format, name, first_at \
         FROM session_participant",
    );
    heard.run(connection).await?;
    Ok(())
}

/// INV-11, R-497, R-605: whoever ends a session while another instance gives an answer in it waits for that, and tells of the end
/// whoever got it: a service provider by the browser, and where an operator ends it, by its server.
#[actix_web::test]
async fn whoever_is_answered_while_a_session_ends_is_told() {
    let world = World::new(On::MariaDb).await;
    let signer = Signer::new();
    let db = Db::connect(&world.database).await.unwrap();
    let heard = tokio::sync::Notify::new();
    let answer = async || {
        let done = db.write(async |connection| {
            answers_the_shop(connection).await?;
            heard.notify_one();
            somebody_waits(&world).await;
            Ok(())
        });
        done.await.unwrap();
    };
    register(&world, &signer, &by("redirect", WIKI), &by("redirect", SHOP)).await;
    let mut linus = Visitor::new(&world.url);
    let wiki = posted(&log_in(&world, &mut linus, &redirect(&world, &request(&world, "", ""))).await).1;
    let (name, index) = subject(&wiki);
    let xml = message(&world, "LogoutRequest", WIKI, "_l1", "", &format!("{name}{index}"));
    let address = format!("{}/saml/slo?{}", world.base(), signer.query("SAMLRequest", &xml, ""));
    let ends = async {
        heard.notified().await;
        linus.get(&address).await
    };
    let ((), seen) = tokio::join!(answer(), ends);
    let to_shop = seen.leaves_to.clone().unwrap_or_else(|| panic!("{}", seen.body));
    assert!(to_shop.starts_with(&format!("{SHOP}/slo?SAMLRequest=")), "{to_shop}");

    register(&world, &signer, &by("redirect", WIKI), "logout_soap_url = \"http://127.0.0.1:9/soap\"").await;
    world.execute("DELETE FROM session_participant WHERE name <> ?", "").await;
    world.advance(30);
    let mut linus = Visitor::new(&world.url);
    log_in(&world, &mut linus, &redirect(&world, &request(&world, "", ""))).await;
    let tenant = world.tenant().await;
    let user = db.read(async |connection| users::named(connection, tenant, "linus").await).await.unwrap().unwrap();
    let ends = async {
        heard.notified().await;
        let (desk, here) = (world.desk("test"), &world.site.house.db);
        here.write(async |connection| people::end_sessions(&desk, connection, &user).await).await.unwrap();
    };
    tokio::join!(answer(), ends);
    let noted = "SELECT COUNT(*) AS n FROM saml_notice JOIN application ON application.id = saml_notice.application_id \
        WHERE application.name = 'Shop'";
    assert_eq!(world.number(noted).await, 1);
    db.close().await;
    world.stop().await;
}

/// T-45: whatever is not the service provider's own, signed and fresh, ends nothing.
#[actix_web::test]
async fn a_logout_of_somebody_else_does_nothing() {
    let world = World::new(On::Sqlite).await;
    let (signer, stranger) = (Signer::new(), Signer::new());
    register(&world, &signer, &by("redirect", WIKI), &by("redirect", SHOP)).await;
    let slo = format!("{}/saml/slo", world.base());
    let mut linus = Visitor::new(&world.url);
    let (wiki, shop) = both(&world, &mut linus).await;
    let (name, index) = subject(&wiki);
    let (shops_name, shops_index) = subject(&shop);
    let good = |id: &str| message(&world, "LogoutRequest", WIKI, id, "", &format!("{name}{index}"));
    let refused = |seen: &Seen| (seen.status, seen.title()) == (400, "This logout request cannot be used".to_owned());
    for (what, query) in [
        (
            "unsigned",
            format!(
                "SAMLRequest={}",
                url::form_urlencoded::byte_serialize(deflated(&good("_1")).as_bytes()).collect::<String>()
            ),
        ),
        ("foreign", stranger.query("SAMLRequest", &good("_2"), "")),
        (
            "expired",
            signer.query(
                "SAMLRequest",
                &good("_3").replace(" Version", " NotOnOrAfter=\"2027-01-01T00:00:00Z\" Version"),
                "",
            ),
        ),
        ("elsewhere", signer.query("SAMLRequest", &good("_4").replace("/saml/slo", "/saml/sso"), "")),
        ("nowhere", signer.query("SAMLRequest", &good("_5").replace("Destination", "X"), "")),
        ("old", signer.query("SAMLRequest", &good("_6").replace("IssueInstant=\"2027", "IssueInstant=\"2026"), "")),
        ("nobody", signer.query("SAMLRequest", &good("_7").replace(&name, ""), "")),
        ("a login", signer.query("SAMLRequest", &good("_8").replace("LogoutRequest", "AuthnRequest"), "")),
        ("a response", signer.query("SAMLResponse", &good("_9"), "")),
        (
            "an answer to nothing",
            signer.query(
                "SAMLResponse",
                &message(&world, "LogoutResponse", SHOP, "_10", "InResponseTo=\"_x\"", &success("Success")),
                "",
            ),
        ),
        ("nothing", String::new()),
    ] {
        let seen = linus.get(&format!("{slo}?{query}")).await;
        assert!(refused(&seen), "{what}: {} {}", seen.status, seen.body);
    }
    // Another name, the name of another service provider, a session of nobody's with a name of somebody's.
    let evil = name.replace("</saml:NameID>", "x</saml:NameID>");
    for (id, name) in [("_20", &evil), ("_21", &shops_name)] {
        let xml = message(&world, "LogoutRequest", WIKI, id, "", &format!("{name}{index}"));
        let seen = linus.get(&format!("{slo}?{}", signer.query("SAMLRequest", &xml, ""))).await;
        let (said, _) = sent(&world, &seen.leaves_to.unwrap()).await;
        assert!(status_of(&said)[1].ends_with(":UnknownPrincipal"), "{said}");
    }
    assert!(lives(&world, &mut linus).await);
    // Nobody's session: it has ended, as far as anybody knows.
    let xml = message(
        &world,
        "LogoutRequest",
        WIKI,
        "_22",
        "",
        &format!("{name}<samlp:SessionIndex>_aaaaaaaaaaaaaaaaaaaaaaaaaa</samlp:SessionIndex>"),
    );
    let seen = linus.get(&format!("{slo}?{}", signer.query("SAMLRequest", &xml, ""))).await;
    assert_eq!(status_of(&sent(&world, &seen.leaves_to.unwrap()).await.0).len(), 1);
    assert!(lives(&world, &mut linus).await);
    // Somebody else cannot answer for the shop.
    let xml = message(&world, "LogoutRequest", SHOP, "_30", "", &format!("{shops_name}{shops_index}"));
    let seen = linus.get(&format!("{slo}?{}", signer.query("SAMLRequest", &xml, ""))).await;
    let (asked, _) = sent(&world, &seen.leaves_to.unwrap()).await;
    let to = format!("InResponseTo=\"{}\"", id_of(&asked));
    let answer = message(&world, "LogoutResponse", SHOP, "_31", &to, &success("Success"));
    assert!(refused(&linus.get(&format!("{slo}?{}", signer.query("SAMLResponse", &answer, ""))).await));
    world.stop().await;
}

/// T-45, R-497: a service provider learns of its own part only. It cannot answer for another one, and its server is not sent on
/// to the next one with that one's name for the person: that is for the person's browser.
#[actix_web::test]
async fn a_logout_goes_through_its_browser_only() {
    let world = World::new(On::Sqlite).await;
    let signer = Signer::new();
    register(&world, &signer, &by("redirect", WIKI), &by("redirect", SHOP)).await;
    let slo = format!("{}/saml/slo", world.base());
    let signed = |xml: &str| format!("{slo}?{}", signer.query("SAMLResponse", xml, ""));
    let answer = |issuer: &str, id: &str, to: &str| {
        message(&world, "LogoutResponse", issuer, id, &format!("InResponseTo=\"{to}\""), &success("Success"))
    };
    let mut linus = Visitor::new(&world.url);
    both(&world, &mut linus).await;
    let portal = linus.get(&format!("{}/", world.base())).await;
    let seen = linus.press(&portal, "log-out", &[]).await;
    let first = seen.link("continue");
    let (asked, _) = sent(&world, &first).await;
    let (this, other) = if first.starts_with(WIKI) { (WIKI, SHOP) } else { (SHOP, WIKI) };
    // Unsigned, in the name of the other one, to what its request may be called.
    let marks = Marks { tenant: world.tenant().await, keys: &world.site.house.derived };
    let (logout, at) = marks.stop_of_id(&id_of(&asked)).unwrap();
    assert_eq!(at, 0);
    let guessed = answer(other, "_g1", &marks.id_of_stop(logout, 1));
    let unsigned = url::form_urlencoded::byte_serialize(deflated(&guessed).as_bytes()).collect::<String>();
    let refused = linus.clone().get(&format!("{slo}?SAMLResponse={unsigned}")).await;
    assert_eq!((refused.status, refused.title().as_str()), (400, "This logout request cannot be used"));
    // Its own answer, brought by its server instead of the browser, by either binding.
    let own = answer(this, "_a1", &id_of(&asked));
    let mut server = Visitor::new(&world.url);
    let form = [("SAMLResponse".to_owned(), STANDARD.encode(signer.signed(&own, "_a1")))];
    for seen in [server.get(&signed(&own)).await, server.post_from_elsewhere(&slo, &form).await] {
        assert_eq!((seen.leaves_to.as_deref(), seen.title().as_str()), (None, "Log in"), "{}", seen.body);
        assert!(!seen.body.contains("SAMLRequest"), "{}", seen.body);
    }
    // The browser comes with the same answer, and goes on.
    let seen = linus.get(&signed(&own)).await;
    let second = seen.link("continue");
    assert!(second.starts_with(&format!("{other}/slo?SAMLRequest=")), "{second}");
    let (asked, _) = sent(&world, &second).await;
    let seen = linus.get(&signed(&answer(other, "_a2", &id_of(&asked)))).await;
    assert_eq!(seen.title(), "Log in", "home again: {}", seen.body);

    // A request that the wiki's server brings: the session ends, and the shop would have to be told by the browser.
    let asks = |wiki: &str, id: &str| {
        let (name, index) = subject(wiki);
        let xml = message(&world, "LogoutRequest", WIKI, id, "", &format!("{name}{index}"));
        format!("{slo}?{}", signer.query("SAMLRequest", &xml, ""))
    };
    let (wiki, _) = both(&world, &mut linus).await;
    let seen = Visitor::new(&world.url).get(&asks(&wiki, "_s1")).await;
    let back = seen.leaves_to.unwrap();
    assert!(back.starts_with(&format!("{WIKI}/slo?SAMLResponse=")), "{back}");
    assert!(status_of(&sent(&world, &back).await.0)[1].ends_with(":PartialLogout"));
    assert!(!lives(&world, &mut linus).await);
    // A browser that the person is known in goes on, although it was closed meanwhile.
    let (wiki, _) = both(&world, &mut linus).await;
    linus.cookies.retain(|name, _| !name.starts_with("vs-"));
    let seen = linus.get(&asks(&wiki, "_s2")).await;
    let to_shop = seen.leaves_to.unwrap();
    assert!(to_shop.starts_with(&format!("{SHOP}/slo?SAMLRequest=")), "{to_shop}");
    world.stop().await;
}

/// R-497, T-42: a service provider that is deactivated while the browser is on its way is not told, and those behind it are.
#[actix_web::test]
async fn whoever_is_gone_keeps_nobody_behind_it_from_being_told() {
    const FORUM: &str = "https://forum.example.com";
    let world = World::new(On::Sqlite).await;
    let signer = Signer::new();
    let forum = format!(
        "[[tenant.application]]\nname = \"Forum\"\n[tenant.application.saml]\nentity_id = \"{FORUM}/sp\"\n\
         acs_urls = [\"{FORUM}/acs\"]\ncertificates = [\"{}\"]\n{}\n\n[tenant.global_policy]",
        signer.certificate,
        by("redirect", FORUM)
    );
    let file = file_of(&signer, ("persistent", &by("redirect", WIKI)), ("transient", &by("redirect", SHOP)));
    let file = file.replace("[tenant.global_policy]", &forum);
    world.apply(&file).await;
    world.advance(3);
    let mut linus = Visitor::new(&world.url);
    both(&world, &mut linus).await;
    let xml = posted(&linus.get(&redirect(&world, &request(&world, "", "").replace(WIKI, FORUM))).await).1;
    assert!(xml.contains("<saml:Assertion"), "{xml}");
    let way = "SELECT application.name AS it FROM application JOIN session_participant \
        ON session_participant.application_id = application.id ORDER BY application.id";
    let way = world.column(way).await;
    let at = |step: usize| match way[step].as_str() {
        "Wiki" => WIKI,
        "Shop" => SHOP,
        _ => FORUM,
    };
    let portal = linus.get(&format!("{}/", world.base())).await;
    let to = linus.press(&portal, "log-out", &[]).await.link("continue");
    assert!(way.len() == 3 && to.starts_with(at(0)), "{way:?} {to}");
    let named = format!("name = \"{}\"\n", way[1]);
    world.apply(&file.replace(&named, &format!("{named}active = false\n"))).await;
    let asked = format!("InResponseTo=\"{}\"", id_of(&sent(&world, &to).await.0));
    let answer = message(&world, "LogoutResponse", at(0), "_a1", &asked, &success("Success"));
    let seen = linus.get(&format!("{}/saml/slo?{}", world.base(), signer.query("SAMLResponse", &answer, ""))).await;
    let to = seen.link("continue");
    assert!(to.starts_with(&format!("{}/slo?SAMLRequest=", at(2))), "{way:?} {to}");
    // What it answers without a signature is that the browser is back from there, and nothing is left to be told.
    let asked = format!("InResponseTo=\"{}\"", id_of(&sent(&world, &to).await.0));
    let answer = message(&world, "LogoutResponse", at(2), "_a2", &asked, &success("Success"));
    let unsigned = url::form_urlencoded::byte_serialize(deflated(&answer).as_bytes()).collect::<String>();
    let seen = linus.get(&format!("{}/saml/slo?SAMLResponse={unsigned}", world.base())).await;
    assert_eq!(seen.title(), "Log in", "home again: {}", seen.body);
    world.stop().await;
}

/// Core 2.7.2, R-493, R-497: two service providers cannot find out by the SessionIndex that they speak of one session; what one
/// of them got is nothing to the other, and one that was given out before, the same for all, is still understood.
#[actix_web::test]
async fn each_service_provider_has_its_own_session_index() {
    let world = World::new(On::Sqlite).await;
    let signer = Signer::new();
    register(&world, &signer, &by("redirect", WIKI), "").await;
    let mut linus = Visitor::new(&world.url);
    let (wiki, shop) = both(&world, &mut linus).await;
    let ((name, index), (_, at_shop)) = (subject(&wiki), subject(&shop));
    assert_ne!(index, at_shop);
    let again = posted(&linus.get(&redirect(&world, &request(&world, "", ""))).await).1;
    assert_eq!(subject(&again).1, index, "the same as long as the session");
    let id = world.text("SELECT id AS t FROM sso_session WHERE ended_at IS NULL").await;
    assert!(!wiki.contains(&id) && !shop.contains(&id), "{wiki}");
    let before = format!("<samlp:SessionIndex>_{id}</samlp:SessionIndex>");
    for (id, index, lives_on) in [("_l1", &at_shop, true), ("_l2", &before, false)] {
        let xml = message(&world, "LogoutRequest", WIKI, id, "", &format!("{name}{index}"));
        let query = signer.query("SAMLRequest", &xml, "");
        linus.get(&format!("{}/saml/slo?{query}", world.base())).await;
        assert_eq!(lives(&world, &mut linus).await, lives_on, "{index}");
    }
    world.stop().await;
}

/// R-497: who does not do it, does not sign it or cannot be told at all makes the logout a partial one.
#[actix_web::test]
async fn a_partial_logout_says_so() {
    for (shop, answer, partial) in [
        (by("redirect", SHOP), Some("Success"), false),
        (by("redirect", SHOP), Some("Responder"), true),
        (String::new(), None, true),
    ] {
        let world = World::new(On::Sqlite).await;
        let signer = Signer::new();
        register(&world, &signer, &by("redirect", WIKI), &shop).await;
        let slo = format!("{}/saml/slo", world.base());
        let mut linus = Visitor::new(&world.url);
        let (wiki, _) = both(&world, &mut linus).await;
        let (name, _) = subject(&wiki);
        // Without a SessionIndex: all sessions of the person.
        let xml = message(&world, "LogoutRequest", WIKI, "_l1", "", &name);
        let mut seen = linus.get(&format!("{slo}?{}", signer.query("SAMLRequest", &xml, ""))).await;
        if let Some(status) = answer {
            let (asked, _) = sent(&world, &seen.leaves_to.unwrap()).await;
            let to = format!("InResponseTo=\"{}\"", id_of(&asked));
            let answer = message(&world, "LogoutResponse", SHOP, "_a1", &to, &success(status));
            seen = linus.get(&format!("{slo}?{}", signer.query("SAMLResponse", &answer, ""))).await;
        }
        let (said, _) = sent(&world, &seen.leaves_to.unwrap()).await;
        let second = status_of(&said).get(1).cloned().unwrap_or_default();
        assert_eq!(second.ends_with(":PartialLogout"), partial, "{said}");
        assert!(!lives(&world, &mut linus).await);
        world.stop().await;
    }
}

/// R-497, core 3.7: each request has the name in it that the service provider got, also where two sessions have two names, and
/// where the person has another one since.
#[actix_web::test]
async fn everybody_is_told_by_the_name_that_it_got() {
    for on in BOTH {
        let world = World::new(on).await;
        let signer = Signer::new();
        register(&world, &signer, &by("redirect", WIKI), &by("redirect", SHOP)).await;
        let slo = format!("{}/saml/slo", world.base());
        let (mut here, mut there) = (Visitor::new(&world.url), Visitor::new(&world.url));
        let sessions = [both(&world, &mut here).await, both(&world, &mut there).await];
        let xml = message(&world, "LogoutRequest", WIKI, "_l1", "", &subject(&sessions[0].0).0);
        let mut seen = here.get(&format!("{slo}?{}", signer.query("SAMLRequest", &xml, ""))).await;
        let text = |element: &str| element.split('>').nth(1).unwrap().split('<').next().unwrap().to_owned();
        let mut told = Vec::new();
        for step in 0..2 {
            let (asked, _) = sent(&world, &seen.leaves_to.unwrap()).await;
            let elements = |name: &'static str| asked.split(name).skip(1).map(&text).filter(|text| !text.is_empty());
            let indexes: Vec<String> = elements("<samlp:SessionIndex").collect();
            told.push((elements("<saml:NameID").next().unwrap(), indexes.join(" ")));
            let to = format!("InResponseTo=\"{}\"", id_of(&asked));
            let answer = message(&world, "LogoutResponse", SHOP, &format!("_a{step}"), &to, &success("Success"));
            seen = here.get(&format!("{slo}?{}", signer.query("SAMLResponse", &answer, ""))).await;
        }
        let mut got =
            sessions.map(|(_, shop)| subject(&shop)).map(|(name, index)| (text(&name), text(&index))).to_vec();
        told.sort();
        got.sort();
        assert_eq!(told, got, "{on:?}: one transient name for each session");
        assert_eq!(status_of(&sent(&world, &seen.leaves_to.unwrap()).await.0).len(), 1, "{on:?}");
        assert!(!lives(&world, &mut there).await);

        // Another user name ends no session.
        register_as(&world, &signer, ("unspecified", &by("redirect", WIKI)), ("unspecified", &by("redirect", SHOP)))
            .await;
        let (wiki, _) = both(&world, &mut here).await;
        world.execute("UPDATE user_account SET username = ? WHERE username = 'linus'", "benedict").await;
        let (name, index) = subject(&wiki);
        assert_eq!(text(&name), "linus");
        let xml = message(&world, "LogoutRequest", WIKI, "_l2", "", &format!("{name}{index}"));
        let seen = here.get(&format!("{slo}?{}", signer.query("SAMLRequest", &xml, ""))).await;
        let (asked, _) = sent(&world, &seen.leaves_to.unwrap()).await;
        assert!(asked.contains("<samlp:LogoutRequest") && asked.contains(">linus</saml:NameID>"), "{on:?} {asked}");
        assert!(!lives(&world, &mut here).await, "{on:?}");

        // Whoever has heard the other name in the same session is told by that.
        world.execute("UPDATE user_account SET username = ? WHERE username = 'benedict'", "linus").await;
        let (wiki, _) = both(&world, &mut here).await;
        world.execute("UPDATE user_account SET username = ? WHERE username = 'linus'", "benedict").await;
        let shop = posted(&here.get(&redirect(&world, &request(&world, "", "").replace(WIKI, SHOP))).await).1;
        assert_eq!(text(&subject(&shop).0), "benedict", "{on:?}");
        let xml = message(&world, "LogoutRequest", WIKI, "_l3", "", &format!("{name}{}", subject(&wiki).1));
        let seen = here.get(&format!("{slo}?{}", signer.query("SAMLRequest", &xml, ""))).await;
        let (asked, _) = sent(&world, &seen.leaves_to.unwrap()).await;
        assert!(asked.contains(">benedict</saml:NameID>"), "{on:?} {asked}");
        world.stop().await;
    }
}

/// R-497: browsers follow twenty redirects, so there is a page after every fourth stop; and a session that was over by
/// itself long before is no stop at all.
#[actix_web::test]
async fn a_long_way_has_pages_in_it_and_no_stops_for_what_was_over() {
    for on in BOTH {
        let world = World::new(on).await;
        let signer = Signer::new();
        register(&world, &signer, &by("redirect", WIKI), &by("redirect", SHOP)).await;
        let slo = format!("{}/saml/slo", world.base());
        both(&world, &mut Visitor::new(&world.url)).await;
        world.advance(9 * 3600 + 60);
        let mut here = Visitor::new(&world.url);
        let (wiki, _) = both(&world, &mut here).await;
        for _ in 0..5 {
            both(&world, &mut Visitor::new(&world.url)).await;
        }
        let xml = message(&world, "LogoutRequest", WIKI, "_l1", "", &subject(&wiki).0);
        let mut seen = here.get(&format!("{slo}?{}", signer.query("SAMLRequest", &xml, ""))).await;
        let mut pages = Vec::new();
        for step in 0..6 {
            pages.push(seen.leaves_to.is_none());
            let to_shop = seen.leaves_to.clone().unwrap_or_else(|| seen.link("continue"));
            assert!(to_shop.starts_with(&format!("{SHOP}/slo?")), "{on:?} {step}: {to_shop}");
            let (asked, _) = sent(&world, &to_shop).await;
            let to = format!("InResponseTo=\"{}\"", id_of(&asked));
            let answer = message(&world, "LogoutResponse", SHOP, &format!("_a{step}"), &to, &success("Success"));
            seen = here.get(&format!("{slo}?{}", signer.query("SAMLResponse", &answer, ""))).await;
        }
        assert_eq!(pages, [false, false, false, false, true, false], "{on:?}");
        let back = seen.leaves_to.unwrap();
        assert!(back.starts_with(&format!("{WIKI}/slo?SAMLResponse=")), "{on:?}: six sessions were alive: {back}");
        assert_eq!(status_of(&sent(&world, &back).await.0).len(), 1, "{on:?}");
        world.stop().await;
    }
}

/// R-497, core 3.7.1, 3.7.3.2: a request without a SessionIndex ends the person's sessions, although nobody is logged in at
/// the browser that brings it.
#[actix_web::test]
async fn a_name_alone_ends_the_sessions_of_other_browsers() {
    for on in BOTH {
        let world = World::new(on).await;
        let signer = Signer::new();
        register(&world, &signer, &by("redirect", WIKI), "").await;
        let mut linus = Visitor::new(&world.url);
        let (name, _) =
            subject(&posted(&log_in(&world, &mut linus, &redirect(&world, &request(&world, "", ""))).await).1);
        for (id, name, lives_on) in [("_l1", name.replace("</", "x</"), true), ("_l2", name, false)] {
            let xml = message(&world, "LogoutRequest", WIKI, id, "", &name);
            let query = signer.query("SAMLRequest", &xml, "");
            let seen = Visitor::new(&world.url).get(&format!("{}/saml/slo?{query}", world.base())).await;
            let (said, _) = sent(&world, &seen.leaves_to.unwrap()).await;
            assert_eq!(status_of(&said).len(), 1, "{on:?} {said}");
            assert_eq!(lives(&world, &mut linus).await, lives_on, "{on:?}: success means that they have ended");
        }
        world.stop().await;
    }
}

/// R-479, R-497: the same by forms, which browsers post without our cookies; and from our own portal.
#[actix_web::test]
async fn a_logout_by_forms_and_from_the_portal() {
    let world = World::new(On::Sqlite).await;
    let signer = Signer::new();
    register(&world, &signer, &by("post", WIKI), &by("post", SHOP)).await;
    let slo = format!("{}/saml/slo", world.base());
    let mut linus = Visitor::new(&world.url);
    let (wiki, _) = both(&world, &mut linus).await;
    let (name, _) = subject(&wiki);
    let xml = signer.signed(&message(&world, "LogoutRequest", WIKI, "_l1", "", &name), "_l1");
    let form =
        |field: &str, xml: &str| [(field.to_owned(), STANDARD.encode(xml)), ("RelayState".to_owned(), "r".to_owned())];
    let seen = linus.post_from_elsewhere(&slo, &form("SAMLRequest", &xml)).await;
    let (action, fields) = seen.form("continue");
    assert_eq!((action, seen.title().as_str()), (format!("{SHOP}/slo"), "You are being logged out"), "{}", seen.body);
    let asked = STANDARD.decode(&fields.iter().find(|(name, _)| name == "SAMLRequest").unwrap().1).unwrap();
    assert!(verify::posted(&asked, &[certificate(&world).await]).unwrap().1, "signed");
    let asked = String::from_utf8(asked).unwrap();
    assert!(!lives(&world, &mut linus).await);
    let to = format!("InResponseTo=\"{}\"", id_of(&asked));
    let answer = signer.signed(&message(&world, "LogoutResponse", SHOP, "_a1", &to, &success("Success")), "_a1");
    let seen = linus.post_from_elsewhere(&slo, &form("SAMLResponse", &answer)).await;
    let (action, xml, relay) = posted(&seen);
    assert_eq!((action, relay.as_str(), status_of(&xml).len()), (format!("{WIKI}/slo"), "r", 1), "{xml}");

    // From the portal: both are told, and nobody is answered.
    let (_, _) = both(&world, &mut linus).await;
    let portal = linus.get(&format!("{}/", world.base())).await;
    let seen = linus.press(&portal, "log-out", &[]).await;
    let mut told = Vec::new();
    let mut seen = seen;
    for step in 0..2 {
        let (action, fields) = seen.form("continue");
        let asked = STANDARD.decode(&fields.iter().find(|(name, _)| name == "SAMLRequest").unwrap().1).unwrap();
        let asked = String::from_utf8(asked).unwrap();
        let at = action.strip_suffix("/slo").unwrap().to_owned();
        let to = format!("InResponseTo=\"{}\"", id_of(&asked));
        let id = format!("_p{step}");
        let answer = signer.signed(&message(&world, "LogoutResponse", &at, &id, &to, &success("Success")), &id);
        told.push(at);
        seen = linus.post_from_elsewhere(&slo, &form("SAMLResponse", &answer)).await;
    }
    told.sort();
    assert_eq!(told, [SHOP, WIKI]);
    assert_eq!(seen.title(), "Log in", "home again: {}", seen.body);
    world.stop().await;
}

/// R-479, T-45: a logout's request that waits for its browser is none of a login, and a login's is none of a logout: whoever takes
/// one to the other's address sees a page, and nothing is broken.
#[actix_web::test]
async fn a_request_that_waits_is_read_by_its_own_door() {
    let world = World::new(On::Sqlite).await;
    let signer = Signer::new();
    register(&world, &signer, &by("post", WIKI), "").await;
    let [sso, slo] = ["sso", "slo"].map(|door| format!("{}/saml/{door}", world.base()));
    let mut linus = Visitor::new(&world.url);
    let name = "<saml:NameID>linus</saml:NameID>";
    let logout = signer.signed(&message(&world, "LogoutRequest", WIKI, "_l1", "", name), "_l1");
    for (from, to, xml, title) in [
        (&slo, &sso, logout, "This login request cannot be used"),
        (&sso, &slo, request(&world, "", ""), "This logout request cannot be used"),
    ] {
        let form = [("SAMLRequest".to_owned(), STANDARD.encode(xml))];
        let parked = linus.once(reqwest::Method::POST, from, Some(form.to_vec())).await;
        assert_eq!(parked.status, 303, "{from}: {}", parked.body);
        let seen = linus.get(&parked.headers["location"].to_str().unwrap().replace(from, to)).await;
        assert_eq!((seen.status, seen.title().as_str()), (400, title), "{from}");
    }
    world.stop().await;
}

/// R-479, R-497: browsers hold what comes after a form against the policy of the page that it stood on, also where service providers
/// post what they are registered to take by redirect: a page in between begins anew, on the way on and on the way back.
#[actix_web::test]
async fn behind_a_posted_message_there_is_a_page() {
    let world = World::new(On::Sqlite).await;
    let signer = Signer::new();
    register(&world, &signer, &by("redirect", WIKI), &by("redirect", SHOP)).await;
    let slo = format!("{}/saml/slo", world.base());
    for (asks_by_form, answers_by_form) in [(true, false), (false, true)] {
        let mut linus = Visitor::new(&world.url);
        let (name, index) = subject(&both(&world, &mut linus).await.0);
        let mut bring = async |field: &str, xml: &str, id: &str, by_form: bool| match by_form {
            true => {
                linus.post_from_elsewhere(&slo, &[(field.to_owned(), STANDARD.encode(signer.signed(xml, id)))]).await
            }
            false => linus.get(&format!("{slo}?{}", signer.query(field, xml, ""))).await,
        };
        let (first, second) = (format!("_l{asks_by_form}"), format!("_a{asks_by_form}"));
        let xml = message(&world, "LogoutRequest", WIKI, &first, "", &format!("{name}{index}"));
        let seen = bring("SAMLRequest", &xml, &first, asks_by_form).await;
        assert_eq!(seen.leaves_to.is_none(), asks_by_form, "{}", seen.body);
        let to_shop = seen.leaves_to.clone().unwrap_or_else(|| seen.link("continue"));
        let to = format!("InResponseTo=\"{}\"", id_of(&sent(&world, &to_shop).await.0));
        let answer = message(&world, "LogoutResponse", SHOP, &second, &to, &success("Success"));
        let seen = bring("SAMLResponse", &answer, &second, answers_by_form).await;
        let back = seen.link("continue");
        assert!(back.starts_with(&format!("{WIKI}/slo?SAMLResponse=")), "{back}");
    }
    world.stop().await;
}

/// R-497, R-513: a relying party that logs somebody out by OpenID Connect logs out the service providers, too, and is where
/// the browser ends.
#[actix_web::test]
async fn a_relying_party_logs_service_providers_out() {
    let world = World::new(On::Sqlite).await;
    let signer = Signer::new();
    register(&world, &signer, &by("post", WIKI), &by("post", SHOP)).await;
    let out = "post_logout_redirect_uris = [\"https://rp.example/out\"]\n";
    world.apply(&application("app", &format!("{SECRET}{out}"))).await;
    let app = Rp::new(&world, "app");
    let mut linus = Visitor::new(&world.url);
    both(&world, &mut linus).await;
    let tokens = app.tokens(&mut linus, "openid", "").await;
    let query = format!(
        "id_token_hint={}&post_logout_redirect_uri={}&state=s",
        tokens.text("id_token"),
        encoded("https://rp.example/out")
    );
    let mut seen = linus.get(&format!("{}/oidc/logout?{query}", world.base())).await;
    let mut told = Vec::new();
    for step in 0..2 {
        let (action, fields) = seen.form("continue");
        let asked = STANDARD.decode(&fields.iter().find(|(name, _)| name == "SAMLRequest").unwrap().1).unwrap();
        let at = action.strip_suffix("/slo").unwrap().to_owned();
        let to = format!("InResponseTo=\"{}\"", id_of(&String::from_utf8(asked).unwrap()));
        let id = format!("_r{step}");
        let answer = signer.signed(&message(&world, "LogoutResponse", &at, &id, &to, &success("Success")), &id);
        told.push(at);
        let form = [("SAMLResponse".to_owned(), STANDARD.encode(answer))];
        seen = linus.post_from_elsewhere(&format!("{}/saml/slo", world.base()), &form).await;
    }
    told.sort();
    assert_eq!(told, [SHOP, WIKI]);
    assert_eq!(seen.leaves_to.as_deref(), Some("https://rp.example/out?state=s"), "{}", seen.body);
    assert!(!lives(&world, &mut linus).await);
    world.stop().await;
}

/// R-497, Front-Channel Logout 2: a service provider logs somebody out; relying parties that listen in the browser hear of it, and
/// then the logout goes its way.
#[actix_web::test]
async fn a_service_provider_logs_relying_parties_out() {
    let world = World::new(On::Sqlite).await;
    let signer = Signer::new();
    register(&world, &signer, &by("redirect", WIKI), &by("redirect", SHOP)).await;
    let table = format!("{SECRET}frontchannel_logout_uri = \"https://rp.example/fcl\"\n");
    world.apply(&application("app", &table)).await;
    let mut linus = Visitor::new(&world.url);
    let (wiki, _) = both(&world, &mut linus).await;
    Rp::new(&world, "app").tokens(&mut linus, "openid", "").await;
    let (name, index) = subject(&wiki);
    let xml = message(&world, "LogoutRequest", WIKI, "_l1", "", &format!("{name}{index}"));
    let address = format!("{}/saml/slo?{}", world.base(), signer.query("SAMLRequest", &xml, ""));
    let seen = linus.get(&address).await;
    assert!(seen.body.contains("<iframe src=\"https://rp.example/fcl?iss="), "{}", seen.body);
    assert!(!lives(&world, &mut linus).await);
    let seen = linus.get(&seen.link("continue")).await;
    let to_shop = seen.leaves_to.clone().unwrap_or_else(|| panic!("{}", seen.body));
    assert!(to_shop.starts_with(&format!("{SHOP}/slo?SAMLRequest=")), "{to_shop}");
    world.stop().await;
}

/// R-497, T-52: a service provider that offers it is told by its server; the browser does not see it.
#[actix_web::test]
async fn servers_are_told_behind_the_browsers_back() {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let kept = Arc::clone(&heard);
    let server = HttpServer::new(move || {
        let kept = Arc::clone(&kept);
        App::new().route(
            "/soap",
            web::post().to(move |body: String| {
                let kept = Arc::clone(&kept);
                async move {
                    let answer = format!(
                        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><p:LogoutResponse \
                         xmlns:p=\"urn:oasis:names:tc:SAML:2.0:protocol\" InResponseTo=\"{}\"><p:Status><p:StatusCode \
                         Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></p:Status></p:LogoutResponse></s:Body></s:Envelope>",
                        id_of(&body)
                    );
                    kept.lock().unwrap().push(body);
                    HttpResponse::Ok().content_type("text/xml").body(answer)
                }
            }),
        )
    });
    let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}/soap", server.addrs()[0]);
    let running = actix_web::rt::spawn(server.run());
    for (soap, partial) in [(at.as_str(), false), ("http://127.0.0.1:9/soap", true)] {
        let world = World::new(On::Sqlite).await;
        let signer = Signer::new();
        register(&world, &signer, &by("redirect", WIKI), &format!("logout_soap_url = \"{soap}\"")).await;
        let mut linus = Visitor::new(&world.url);
        let (wiki, shop) = both(&world, &mut linus).await;
        let (name, index) = subject(&wiki);
        let xml = message(&world, "LogoutRequest", WIKI, "_l1", "", &format!("{name}{index}"));
        let query = signer.query("SAMLRequest", &xml, "");
        let seen = linus.get(&format!("{}/saml/slo?{query}", world.base())).await;
        let (said, _) = sent(&world, &seen.leaves_to.unwrap()).await;
        assert_eq!(status_of(&said).len() == 2, partial, "{said}");
        if !partial {
            let asked = heard.lock().unwrap().pop().unwrap();
            assert!(asked.contains(&subject(&shop).1) && asked.contains("<ds:Signature "), "{asked}");
        }
        world.stop().await;
    }
    running.abort();
}
