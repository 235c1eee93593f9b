//! What we issue in all its variants, held against xmlsec1 (T-43, R-490 to R-495).

use std::process::Command;

use crate::door_saml::{log_in, posted, redirect, request, status_of};
use crate::saml_signer::Signer;
use crate::visitor::Visitor;
use crate::world::{ACME, On, World};

const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion:Assertion";
const RESPONSE: &str = "urn:oasis:names:tc:SAML:2.0:protocol:Response";

/// Registers the wiki with more lines.
async fn with(world: &World, lines: &str) {
    world
        .apply(&ACME.replace("name_id_format = \"persistent\"", &format!("name_id_format = \"persistent\"\n{lines}")))
        .await;
    world.advance(3);
}

async fn answer(world: &World, visitor: &mut Visitor, attributes: &str, inside: &str) -> String {
    let seen = visitor.get(&redirect(world, &request(world, attributes, inside))).await;
    posted(&seen).1
}

async fn metadata(world: &World) -> String {
    reqwest::get(format!("{}/saml/metadata", world.base())).await.unwrap().text().await.unwrap()
}

/// Runs xmlsec1 on a document; says what it wrote, if it was content.
fn xmlsec(arguments: &[&str], xml: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("message.xml");
    std::fs::write(&file, xml).unwrap();
    let run = Command::new("xmlsec1").args(arguments).arg(&file).output().expect("xmlsec1 is installed by ./test");
    run.status.success().then(|| String::from_utf8(run.stdout).unwrap())
}

/// Whether the signature of the element `id_of` (qualified by its namespace) is good under a published certificate.
fn verifies(xml: &str, element: &str, certificate: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let pem = folder.path().join("idp.pem");
    std::fs::write(&pem, format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n")).unwrap();
    let name = element.rsplit(':').next().unwrap();
    let node = format!("//*[local-name()='{name}']/*[local-name()='Signature']");
    let pem = pem.to_str().unwrap();
    xmlsec(&["--verify", "--id-attr:ID", element, "--node-xpath", &node, "--pubkey-cert-pem", pem], xml).is_some()
}

fn certificates(metadata: &str) -> Vec<String> {
    let descriptors = metadata.split("<md:KeyDescriptor").skip(1);
    descriptors
        .map(|part| part.split("<ds:X509Certificate>").nth(1).unwrap().split('<').next().unwrap().to_owned())
        .collect()
}

/// R-490, T-43, AC-45: each part that can be signed verifies, with RSA and with ECDSA, and no changed one does.
#[actix_web::test]
async fn xmlsec_verifies_every_kind_of_signature() {
    let world = World::new(On::Sqlite).await;
    let mut linus = Visitor::new(&world.url);
    log_in(&world, &mut linus, &redirect(&world, &request(&world, "", ""))).await;
    for algorithm in ["RS256", "ES256"] {
        for (signed, parts) in
            [("assertion", &[ASSERTION][..]), ("response", &[RESPONSE]), ("both", &[ASSERTION, RESPONSE])]
        {
            with(&world, &format!("signed = \"{signed}\"\nalgorithm = \"{algorithm}\"")).await;
            let certificates = certificates(&metadata(&world).await);
            assert_eq!(
                certificates.len(),
                if algorithm == "ES256" { 2 } else { 1 },
                "an ECDSA key is shown where it is used"
            );
            let certificate = if algorithm == "ES256" { &certificates[1] } else { &certificates[0] };
            let xml = answer(&world, &mut linus, "", "").await;
            assert_eq!(xml.matches("<ds:Signature ").count(), parts.len(), "{signed}: {xml}");
            let method = if algorithm == "ES256" { "xmldsig-more#ecdsa-sha256" } else { "xmldsig-more#rsa-sha256" };
            assert!(xml.contains(method), "{algorithm}: {xml}");
            for part in parts {
                assert!(verifies(&xml, part, certificate), "{algorithm} {signed} {part}: {xml}");
                assert!(!verifies(&xml.replace("linus@acme.test", "ada@acme.test"), part, certificate), "a change");
            }
        }
    }
    world.stop().await;
}

/// R-490: xmlsec1 decrypts what was encrypted with each cipher, and finds a signed assertion; nothing of it can be read
/// before.
#[actix_web::test]
async fn xmlsec_decrypts_what_is_encrypted() {
    let world = World::new(On::Sqlite).await;
    let signer = Signer::new();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    std::fs::write(&key, signer.pem()).unwrap();
    let mut linus = Visitor::new(&world.url);
    log_in(&world, &mut linus, &redirect(&world, &request(&world, "", ""))).await;
    for content in ["aes256_gcm", "aes128_gcm"] {
        let lines = format!(
            "encryption_certificate = \"{}\"\nencryption_content = \"{content}\"\nsigned = \"both\"",
            signer.certificate
        );
        with(&world, &lines).await;
        let xml = answer(&world, &mut linus, "", "").await;
        for secret in ["linus", "<saml:Assertion", "Audience"] {
            assert!(!xml.contains(secret), "{content}: {secret} can be read: {xml}");
        }
        let certificate = &certificates(&metadata(&world).await)[0];
        assert!(verifies(&xml, RESPONSE, certificate), "{content}: the response is signed around it");
        let plain = xmlsec(&["--decrypt", "--privkey-pem", key.to_str().unwrap()], &xml).expect("xmlsec1 decrypts it");
        assert!(plain.contains("linus@acme.test") && verifies(&plain, ASSERTION, certificate), "{content}: {plain}");
    }
    // A certificate that nothing can be encrypted to is said at once.
    let refused = world
        .try_apply(&ACME.replace("name_id_format = \"persistent\"", "encryption_certificate = \"MIIB\""))
        .await
        .unwrap_err();
    assert!(refused.contains("encryption_certificate") && refused.contains("2048"), "{refused}");
    world.stop().await;
}

/// R-492, R-494, T-43: what was done is told in the words that were asked for, or not at all; attributes have their kinds
/// of names; a new authenticator can be told from an old one.
#[actix_web::test]
async fn contexts_attributes_and_names_are_true() {
    let world = World::new(On::Sqlite).await;
    let lines = "preset = \"edu_person\"\nidp_initiated = true\nrelay_state = \"home\"";
    let file = ACME.replace("name_id_format = \"persistent\"", lines).replace(
        "{ name = \"uid\", source = \"username\" }]",
        "{ name = \"uid\", source = \"username\", name_format = \"unspecified\", friendly_name = \"Name & <so>\" }, \
         { name = \"new\", source = \"authenticator_age\" }, { name = \"since\", source = \"authenticator_enrolled_at\" }]",
    );
    world.apply(&file).await;
    world.advance(3);
    let mut linus = Visitor::new(&world.url);
    let xml = posted(&log_in(&world, &mut linus, &redirect(&world, &request(&world, "", ""))).await).1;
    for part in [
        "<saml:Attribute FriendlyName=\"Name &amp; &lt;so>\" Name=\"uid\" NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified\">",
        "<saml:Attribute FriendlyName=\"isMemberOf\" Name=\"urn:oid:1.3.6.1.4.1.5923.1.5.1.1\" NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:uri\"><saml:AttributeValue>pilot<",
        "Name=\"new\" NameFormat=\"urn:oasis:names:tc:SAML:2.0:attrname-format:basic\"><saml:AttributeValue>3<",
        "Name=\"since\"",
        "2027-01-15T08:00:00Z</saml:AttributeValue>",
    ] {
        assert!(xml.contains(part), "{part}: {xml}");
    }
    let context = |comparison: &str, class: &str| {
        format!(
            "<samlp:RequestedAuthnContext Comparison=\"{comparison}\"><saml:AuthnContextClassRef>{class}</saml:AuthnContextClassRef>\
             </samlp:RequestedAuthnContext>"
        )
    };
    let classes = "urn:oasis:names:tc:SAML:2.0:ac:classes:";
    for (comparison, class, claimed) in [
        ("exact", "https://refeds.org/profile/mfa".to_owned(), "https://refeds.org/profile/mfa".to_owned()),
        ("exact", format!("{classes}TimeSyncToken"), format!("{classes}TimeSyncToken")),
        ("exact", format!("{classes}PasswordProtectedTransport"), format!("{classes}PasswordProtectedTransport")),
        ("minimum", format!("{classes}TimeSyncToken"), format!("{classes}TimeSyncToken")),
        ("better", format!("{classes}PasswordProtectedTransport"), format!("{classes}MobileTwoFactorContract")),
        ("maximum", format!("{classes}PasswordProtectedTransport"), format!("{classes}PasswordProtectedTransport")),
    ] {
        let xml = answer(&world, &mut linus, "IsPassive=\"true\"", &context(comparison, &class)).await;
        assert!(xml.contains(&format!("<saml:AuthnContextClassRef>{claimed}<")), "{comparison} {class}: {xml}");
    }
    for (comparison, class) in
        [("better", "https://refeds.org/profile/mfa"), ("minimum", "urn:x"), ("maximum", "urn:x"), ("worse", "urn:x")]
    {
        let xml = answer(&world, &mut linus, "", &context(comparison, class)).await;
        assert!(status_of(&xml)[1].ends_with(":NoAuthnContext"), "{comparison}: {xml}");
    }
    // Transient names last as long as the session, and are another one in the next.
    let policy =
        |format: &str| format!("<samlp:NameIDPolicy Format=\"urn:oasis:names:tc:SAML:{format}\"></samlp:NameIDPolicy>");
    let name = |xml: &str| xml.split("</saml:NameID>").next().unwrap().rsplit('>').next().unwrap().to_owned();
    let transient = policy("2.0:nameid-format:transient");
    let first = name(&answer(&world, &mut linus, "", &transient).await);
    assert_eq!(first, name(&answer(&world, &mut linus, "", &transient).await));
    world.advance(30);
    let mut other = Visitor::new(&world.url);
    let seen = log_in(&world, &mut other, &redirect(&world, &request(&world, "", &transient))).await;
    assert_ne!(first, name(&posted(&seen).1));
    let xml = answer(&world, &mut linus, "", &policy("1.1:nameid-format:unspecified")).await;
    assert_eq!(name(&xml).len(), 52, "as you like: {xml}");
    let affiliation = "<samlp:NameIDPolicy SPNameQualifier=\"urn:others\"></samlp:NameIDPolicy>";
    assert!(status_of(&answer(&world, &mut linus, "", affiliation).await)[1].ends_with(":InvalidNameIDPolicy"));
    world.stop().await;
}

/// R-495: answers that nobody asked for go to those that want them, from the portal or by a link.
#[actix_web::test]
async fn a_login_may_begin_here_where_that_is_wanted() {
    let world = World::new(On::Sqlite).await;
    let link = format!("{}/saml/start?sp=https%3A%2F%2Fwiki.example.com%2Fsp&relay=deep%26link", world.base());
    let mut linus = Visitor::new(&world.url);
    let seen = linus.get(&link).await;
    assert_eq!((seen.status, seen.title().as_str()), (400, "This application cannot be opened from here"));
    with(&world, "idp_initiated = true\nrelay_state = \"home\"").await;
    let seen = log_in(&world, &mut linus, &link).await;
    let (action, xml, relay) = posted(&seen);
    assert_eq!((action.as_str(), relay.as_str()), ("https://wiki.example.com/acs", "deep&link"));
    assert!(xml.contains("<saml:Assertion") && !xml.contains("InResponseTo"), "{xml}");
    let portal = linus.get(&format!("{}/", world.base())).await;
    let address = portal.body.split("href=\"").map(|rest| rest.split('"').next().unwrap());
    let address = address.into_iter().find(|link| link.contains("/saml/start")).unwrap().to_owned();
    let (_, xml, relay) = posted(&linus.get(&address).await);
    assert!(xml.contains("<saml:Assertion") && relay == "home", "{xml}");
    for odd in ["sp=urn%3Ax", "application=aaaaaaaaaaaaaaaaaaaaaaaaaa", "", "sp=a&application=b"] {
        let seen = linus.get(&format!("{}/saml/start?{odd}", world.base())).await;
        assert!((400..500).contains(&seen.status), "{odd}: {}", seen.status);
    }
    world.stop().await;
}

/// R-486, R-499: while keys roll over, metadata shows both; one that lags behind keeps its key for as long as it needs,
/// and its certificate stays where it can be seen.
#[actix_web::test]
async fn keys_roll_over_and_one_may_lag_behind() {
    use vestibule::domain::audit::Actor;
    use vestibule::domain::signing_key::Overlap;
    use vestibule::flow::administration::{Desk, keys};
    let world = World::new(On::Sqlite).await;
    let mut linus = Visitor::new(&world.url);
    log_in(&world, &mut linus, &redirect(&world, &request(&world, "", ""))).await;
    let rotate = async || {
        let desk = Desk {
            house: &world.site.house,
            actor: Actor::Shell("test".to_owned()),
            address: String::new(),
            now: world.clock_now(),
        };
        keys::rotate(&desk, &"acme".parse().unwrap(), Overlap::default(), keys::Which::All).await.unwrap();
        world.advance(3);
    };
    let signs = async |visitor: &mut Visitor| {
        let xml = answer(&world, visitor, "", "").await;
        let certificate = xml.split("<ds:X509Certificate>").nth(1).unwrap().split('<').next().unwrap().to_owned();
        assert!(verifies(&xml, ASSERTION, &certificate));
        certificate
    };
    let old = certificates(&metadata(&world).await);
    assert_eq!((old.len(), signs(&mut linus).await), (1, old[0].clone()));
    let pinned = world.text("SELECT id AS t FROM signing_key WHERE purpose = 'saml' AND algorithm = 'RS256'").await;
    rotate().await;
    let both = certificates(&metadata(&world).await);
    assert_eq!((both.len(), &both[0], signs(&mut linus).await), (2, &old[0], old[0].clone()), "published ahead");
    world.advance(86_400);
    rotate().await;
    let turned = certificates(&metadata(&world).await);
    assert_eq!((turned.len(), &turned[0], &turned[1]), (2, &both[1], &both[0]), "the one that signs comes first");
    world.advance(30);
    let mut linus = Visitor::new(&world.url);
    log_in(&world, &mut linus, &redirect(&world, &request(&world, "", ""))).await;
    assert_eq!(signs(&mut linus).await, both[1], "nobody noticed");
    with(&world, &format!("signing_key = \"{pinned}\"")).await;
    assert_eq!(signs(&mut linus).await, old[0], "one lags behind");
    // Long after everybody else forgot the old key.
    world.advance(4 * 86_400);
    world.site.house.forget_realms();
    let mut linus = Visitor::new(&world.url);
    log_in(&world, &mut linus, &redirect(&world, &request(&world, "", ""))).await;
    assert_eq!(signs(&mut linus).await, old[0], "and still does");
    assert!(certificates(&metadata(&world).await).contains(&old[0]));
    // A key that may be stolen goes on for it, too, and whoever replaces it is told (T-67).
    let printed = world.command(&["keys", "rotate", "--emergency"]);
    assert!(printed.contains("application \"Wiki\": still gets signatures of the old key"), "{printed}");
    world.site.house.forget_realms();
    let both = [String::new(), certificates(&metadata(&world).await)[0].clone()];
    with(&world, "").await;
    world.site.house.forget_realms();
    assert_eq!(signs(&mut linus).await, both[1]);
    assert!(!certificates(&metadata(&world).await).contains(&old[0]), "its time is over");
    world.stop().await;
}

/// T-44, T-67, R-499: a key that may be stolen signs for the one that believes no other, and stands in no metadata, where everybody
/// would go on believing it. Nor does it come back there with the file.
#[actix_web::test]
async fn nobody_is_shown_a_stolen_key() {
    let world = World::new(On::Sqlite).await;
    let mut linus = Visitor::new(&world.url);
    log_in(&world, &mut linus, &redirect(&world, &request(&world, "", ""))).await;
    let pinned = world.text("SELECT id AS t FROM signing_key WHERE purpose = 'saml' AND algorithm = 'RS256'").await;
    let lines = format!("signing_key = \"{pinned}\"");
    with(&world, &lines).await;
    let stolen = certificates(&metadata(&world).await).remove(0);
    let printed = world.command(&["keys", "rotate", "--emergency", "--tenant", "acme"]);
    assert!(printed.contains("saml RS256: replaced"), "{printed}");
    for applied_again in [false, true] {
        if applied_again {
            with(&world, &lines).await;
        }
        world.advance(3);
        let shown = metadata(&world).await;
        assert!(!shown.contains(&stolen) && certificates(&shown).len() == 1, "{applied_again}: {shown}");
        assert!(answer(&world, &mut linus, "", "").await.contains(&stolen), "{applied_again}");
    }
    let listed = world.command(&["keys", "list", "--tenant", "acme"]);
    let line = listed.lines().find(|line| line.starts_with(&pinned)).expect("it is known");
    assert!(line.ends_with("replaced in an emergency"), "{listed}");
    world.stop().await;
}

/// R-499: a key that is none of this virtual server's, as in a file that was exported elsewhere, or one that signs no SAML, is
/// refused by its name: any other would sign, and the next rotation would surprise whoever is held to it.
#[actix_web::test]
async fn nobody_is_held_to_a_key_that_there_is_not() {
    let world = World::new(On::Sqlite).await;
    let ours = world.text("SELECT id AS t FROM signing_key WHERE purpose = 'saml' AND algorithm = 'RS256'").await;
    let another = world.text("SELECT id AS t FROM signing_key WHERE purpose = 'oidc' AND algorithm = 'RS256'").await;
    for unknown in [world.tenant().await.to_string(), another] {
        let line = format!("name_id_format = \"persistent\"\nsigning_key = \"{unknown}\"");
        let said = world.apply_says(&ACME.replace("name_id_format = \"persistent\"", &line)).await;
        let fault = format!("tenant.application.saml.signing_key: \"{unknown}\" is no SAML key of this virtual server");
        assert!(said.contains(&fault) && said.contains(&format!("{ours} (RS256, current)")), "{said}");
        assert!(said.contains("line "), "{said}");
    }
    with(&world, &format!("signing_key = \"{ours}\"")).await;
    world.stop().await;
}

/// R-483, T-39, T-42, T-52: metadata at an address is fetched again; a new key in it counts, an unsigned or foreign one
/// does not, and what is written down makes nothing weaker.
#[actix_web::test]
async fn metadata_at_an_address_is_followed_if_it_is_signed() {
    use std::sync::{Arc, Mutex};
    let [served, beside]: [Arc<Mutex<String>>; 2] = Default::default();
    let shown = [Arc::clone(&served), Arc::clone(&beside)];
    let server = actix_web::HttpServer::new(move || {
        let text = |shown: &Arc<Mutex<String>>| {
            let shown = Arc::clone(shown);
            move || {
                let shown = Arc::clone(&shown);
                async move { shown.lock().unwrap().clone() }
            }
        };
        let app = actix_web::App::new().route("/md", actix_web::web::get().to(text(&shown[0])));
        app.route("/md2", actix_web::web::get().to(text(&shown[1])))
    });
    let server = server.workers(1).disable_signals().bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/md", server.addrs()[0]);
    let running = actix_web::rt::spawn(server.run());
    let (federation, stranger) = (Signer::new(), Signer::new());
    let (first, second) = (Signer::new(), Signer::new());
    let describe = |certificate: &str, acs: &str| {
        format!(
            "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" \
             ID=\"_m\" entityID=\"https://wiki.example.com/sp\"><md:Extensions><saml:Issuer>x</saml:Issuer></md:Extensions>\
             <md:SPSSODescriptor AuthnRequestsSigned=\"true\" protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">\
             <md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"><ds:X509Data>\
             <ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>\
             <md:AssertionConsumerService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" Location=\"{acs}\" index=\"0\"></md:AssertionConsumerService>\
             </md:SPSSODescriptor></md:EntityDescriptor>"
        )
    };
    // The signature belongs before everything else; the test's signer puts it behind an issuer.
    let signed = |signer: &Signer, xml: &str| {
        let xml =
            xml.replace("<md:Extensions><saml:Issuer>x</saml:Issuer></md:Extensions>", "<saml:Issuer></saml:Issuer>");
        signer.signed(&xml, "_m")
    };
    let good = describe(&first.certificate, "https://wiki.example.com/acs");
    *served.lock().unwrap() = signed(&federation, &good);
    let second_of = |xml: &str| xml.replace("wiki.example.com/sp", "second.example.com/sp");
    *beside.lock().unwrap() = signed(&federation, &second_of(&good));
    let world = World::new(On::Sqlite).await;
    let file = |certificate: &str| {
        ACME.replace(
            "entity_id = \"https://wiki.example.com/sp\"\nacs_urls = [\"https://wiki.example.com/acs\"]",
            &format!("metadata_url = \"{url}\"\nmetadata_certificate = \"{certificate}\""),
        ) + &format!(
            "\n[[tenant.application]]\nname = \"Second\"\nassigned_to = \"everyone\"\n[tenant.application.saml]\n\
             metadata_url = \"{url}2\"\nmetadata_certificate = \"{certificate}\"\n"
        )
    };
    let refused = world.try_apply(&file(&stranger.certificate)).await.unwrap_err();
    assert!(refused.contains("not signed with the key"), "{refused}");
    world.try_apply(&file(&federation.certificate)).await.unwrap();
    let owner = world.site.house.entropy.id();
    let known = async || world.text("SELECT protocol AS t FROM application WHERE name = 'Wiki'").await;
    let look = async || {
        world.advance(7 * 3600);
        vestibule::app::jobs::look_once(&world.site, owner).await.unwrap();
    };
    assert!(known().await.contains(&first.certificate));
    for (what, text) in [
        ("unsigned", describe(&second.certificate, "https://evil.example/acs")),
        ("foreign", signed(&stranger, &describe(&second.certificate, "https://evil.example/acs"))),
        ("changed", signed(&federation, &good).replace("wiki.example.com/acs", "evil.example.com/acs")),
        ("nothing", String::new()),
        ("a script", signed(&federation, &describe(&second.certificate, "javascript:alert(1)"))),
        ("somebody else", signed(&federation, &good.replace("wiki.example.com/sp", "other.example.com/sp"))),
        ("no certificate", signed(&federation, &describe("MIIB", "https://wiki.example.com/acs"))),
    ] {
        *served.lock().unwrap() = text;
        look().await;
        let known = known().await;
        assert!(known.contains(&first.certificate) && !known.contains("evil"), "{what}: {known}");
    }
    let newer =
        describe(&second.certificate, "https://wiki.example.com/acs2").replace("AuthnRequestsSigned=\"true\" ", "");
    *served.lock().unwrap() = signed(&federation, &newer);
    *beside.lock().unwrap() = signed(&federation, &second_of(&newer));
    look().await;
    let other = world.text("SELECT protocol AS t FROM application WHERE name = 'Second'").await;
    assert!(other.contains(&second.certificate), "both are stored in one round: {other}");
    let known = known().await;
    assert!(known.contains(&second.certificate) && known.contains("acs2"), "{known}");
    assert!(known.contains("\"require_signed_requests\":true"), "T-42: {known}");
    // Metadata 2.3.1: what is fetched is good until it says; when nothing newer comes, somebody is told, and logins go on.
    let over = async || {
        let realm = world.site.house.realm(&"acme".parse().unwrap()).await.unwrap().unwrap();
        let (db, now) = (&world.site.house.db, world.clock_now());
        let all = db
            .read(async |connection| vestibule::flow::certificates::of_tenant(connection, &realm.config, now).await)
            .await
            .unwrap();
        all.iter().any(|dated| dated.what == "the metadata of Wiki" && dated.is_ending(now))
    };
    let until = world.clock_now().plus(std::time::Duration::from_secs(3 * 86_400)).rfc3339();
    *served.lock().unwrap() =
        signed(&federation, &newer.replace("ID=\"_m\"", &format!("ID=\"_m\" validUntil=\"{until}\"")));
    look().await;
    assert!(!over().await);
    world.advance(3 * 86_400);
    look().await;
    assert!(over().await);
    let told = "SELECT COUNT(*) AS n FROM alert WHERE detail LIKE '%metadata of Wiki expired on%'";
    assert_eq!(world.number(told).await, 1);
    let query = second.query("SAMLRequest", &request(&world, &crate::door_saml::destination(&world), ""), "r");
    let seen = Visitor::new(&world.url).get(&format!("{}/saml/sso?{query}", world.base())).await;
    assert_eq!(seen.title(), "Log in", "{}", seen.body);
    running.abort();
    world.stop().await;
}

/// R-492: where the context that is wanted most cannot be reached, another one of the request is; and none else.
#[actix_web::test]
async fn a_context_that_cannot_be_reached_gives_way_to_another_that_was_asked_for() {
    const REFEDS: &str = "https://refeds.org/profile/mfa";
    const PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";
    let world = World::new(On::Sqlite).await;
    world.apply(&ACME.replace("require = [\"password\", \"otp\"]", "require = [\"password\"]")).await;
    world.advance(3);
    let wanted = |comparison: &str, classes: &[&str]| {
        let class = |name: &&str| format!("<saml:AuthnContextClassRef>{name}</saml:AuthnContextClassRef>");
        let classes: String = classes.iter().map(class).collect();
        format!("<samlp:RequestedAuthnContext Comparison=\"{comparison}\">{classes}</samlp:RequestedAuthnContext>")
    };
    let claims = |xml: &str, class: &str| xml.contains(&format!(">{class}</saml:AuthnContextClassRef>"));
    // Barbara has no authenticator, and may not have one.
    for (comparison, classes, class) in [
        ("exact", &[REFEDS, PASSWORD][..], Some(PASSWORD)),
        ("minimum", &[REFEDS, PASSWORD], Some(PASSWORD)),
        ("maximum", &[REFEDS], Some(PASSWORD)),
        ("exact", &[REFEDS], None),
        ("minimum", &[REFEDS], None),
        ("better", &[PASSWORD], None),
    ] {
        let mut barbara = Visitor::new(&world.url);
        let seen = barbara.get(&redirect(&world, &request(&world, "", &wanted(comparison, classes)))).await;
        let seen = barbara.press(&seen, "continue", &[("username", "barbara")]).await;
        let seen = barbara.press(&seen, "continue", &[("password", "not in the rollout")]).await;
        match class {
            Some(class) => assert!(claims(&posted(&seen).1, class), "{comparison} {classes:?}: {}", seen.body),
            None => {
                let xml = posted(&barbara.press(&seen, "return", &[]).await).1;
                assert!(status_of(&xml)[1].ends_with(":NoAuthnContext"), "{comparison} {classes:?}: {xml}");
            }
        }
    }
    // Linus has one: he is asked, unless nothing may be asked.
    let mut linus = Visitor::new(&world.url);
    let seen = linus.get(&redirect(&world, &request(&world, "", ""))).await;
    let seen = linus.press(&seen, "continue", &[("username", "linus")]).await;
    let seen = linus.press(&seen, "continue", &[("password", "has a token already")]).await;
    assert!(claims(&posted(&seen).1, PASSWORD), "{}", seen.body);
    let both = wanted("exact", &[REFEDS, PASSWORD]);
    assert!(claims(&answer(&world, &mut linus, "IsPassive=\"true\"", &both).await, PASSWORD));
    let seen = linus.get(&redirect(&world, &request(&world, "", &both))).await;
    let code = crate::story::passcode_of_linus(&world);
    let seen = linus.press(&seen, "continue", &[("code", &code)]).await;
    assert!(claims(&posted(&seen).1, REFEDS), "{}", seen.body);
    // And now that it was done, it is told wherever it is wanted most.
    for (comparison, classes, class) in [
        ("exact", &[REFEDS, PASSWORD][..], REFEDS),
        ("exact", &[PASSWORD, REFEDS], PASSWORD),
        ("maximum", &[PASSWORD], PASSWORD),
        ("better", &[PASSWORD], "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract"),
    ] {
        let xml = answer(&world, &mut linus, "IsPassive=\"true\"", &wanted(comparison, classes)).await;
        assert!(claims(&xml, class), "{comparison} {classes:?}: {xml}");
    }
    world.stop().await;
}
