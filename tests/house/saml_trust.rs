//! Whom we speak to, and who can speak for us (T-39, T-42, T-44, R-484).

use crate::door_saml::{log_in, posted, redirect, request, status_of};
use crate::story::passcode_of_linus;
use crate::visitor::{Seen, Visitor};
use crate::world::{ACME, On, World};

/// The wiki for these people only.
fn assigned_to(whom: &str) -> String {
    ACME.replace("name = \"Wiki\"\n", &format!("name = \"Wiki\"\nassigned_to = {whom}\n"))
}

/// what lacks an address, a name or a key cannot be registered, and what is assigned to nobody lets nobody in.
#[actix_web::test]
async fn an_application_is_complete_and_assigned_or_lets_nobody_in() {
    let world = World::new(On::Sqlite).await;
    for (lacking, with) in [
        ("acs_urls = [\"https://wiki.example.com/acs\"]", ""),
        ("entity_id = \"https://wiki.example.com/sp\"", ""),
        ("name_id_format = \"persistent\"", "require_signed_requests = true"),
        ("name_id_format = \"persistent\"", "encrypt_assertions = true"),
        ("acs_urls = [\"https://wiki.example.com/acs\"]", "acs_urls = [\"javascript:alert(1)\"]"),
    ] {
        assert!(ACME.contains(lacking));
        let refused = world.try_apply(&ACME.replace(lacking, with)).await;
        assert!(refused.is_err(), "{lacking} → {with}");
    }
    for whom in ["{ groups = [], users = [] }", "{ users = [\"ada\"] }"] {
        world.apply(&assigned_to(whom)).await;
        world.advance(3);
        let mut linus = Visitor::new(&world.url);
        let seen = linus.get(&redirect(&world, &request(&world, "", ""))).await;
        let seen = linus.press(&seen, "continue", &[("username", "linus")]).await;
        let seen = linus.press(&seen, "continue", &[("password", "has a token already")]).await;
        let xml = posted(&linus.press(&seen, "return", &[]).await).1;
        assert!(status_of(&xml)[1].ends_with(":RequestDenied") && !xml.contains("Assertion>"), "{whom}: {xml}");
    }
    world.apply(&assigned_to("{ groups = [\"pilot\"] }")).await;
    world.advance(33);
    let seen = log_in(&world, &mut Visitor::new(&world.url), &redirect(&world, &request(&world, "", ""))).await;
    assert!(posted(&seen).1.contains("<saml:Assertion"));
    world.stop().await;
}

/// T-42: an application that is taken away from somebody gives no assertion, whatever their login had reached; not even
/// where everything was proven already.
#[actix_web::test]
async fn what_is_taken_away_is_taken_away_in_the_middle_of_a_login() {
    for taken_at in 0..4 {
        let world = World::new(On::Sqlite).await;
        let mut linus = Visitor::new(&world.url);
        let take = async |step: usize| {
            if step == taken_at {
                world.apply(&assigned_to("{ users = [\"ada\"] }")).await;
            }
        };
        take(0).await;
        let seen = linus.get(&redirect(&world, &request(&world, "", ""))).await;
        take(1).await;
        let seen = linus.press(&seen, "continue", &[("username", "linus")]).await;
        take(2).await;
        let seen = linus.press(&seen, "continue", &[("password", "has a token already")]).await;
        let seen = match taken_at {
            3 => {
                take(3).await;
                linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await
            }
            // A refusal is told as soon as the password is right.
            _ => seen,
        };
        assert!(!seen.body.contains("name=\"SAMLResponse\""), "{taken_at}: {}", seen.body);
        let xml = posted(&linus.press(&seen, "return", &[]).await).1;
        assert!(status_of(&xml)[1].ends_with(":RequestDenied") && !xml.contains("Assertion>"), "{taken_at}: {xml}");
        world.stop().await;
    }
}

/// R-496, INV-11, T-42: whoever has proven everything, and is locked out before the application is told, is refused in its own
/// words; no browser is sent round and round.
#[actix_web::test]
async fn whoever_is_locked_out_before_the_answer_is_refused() {
    for (denied, status, told) in
        [(false, ":AuthnFailed", "failure account_changed"), (true, ":RequestDenied", "denied unassigned")]
    {
        let world = World::new(On::Sqlite).await;
        let mut linus = Visitor::new(&world.url);
        let seen = linus.get(&redirect(&world, &request(&world, "", ""))).await;
        let seen = linus.press(&seen, "continue", &[("username", "linus")]).await;
        let seen = linus.press(&seen, "continue", &[("password", "has a token already")]).await;
        let (address, mut fields) = seen.form("continue");
        fields.push(("code".to_owned(), passcode_of_linus(&world)));
        let to = |seen: &Seen| seen.headers["location"].to_str().unwrap().to_owned();
        let desk = to(&linus.once(reqwest::Method::POST, &address, Some(fields)).await);
        let resume = to(&linus.once(reqwest::Method::GET, &desk, None).await);
        assert!(resume.contains("/saml/resume/"), "{resume}");
        match denied {
            true => world.apply(&assigned_to("{ users = [\"ada\"] }")).await,
            false => drop(world.command(&["user", "disable", "linus"])),
        }
        let seen = linus.get(&resume).await;
        assert_eq!(seen.status, 200, "{denied}: {:?}", seen.headers.get("location"));
        let xml = posted(&seen).1;
        assert!(status_of(&xml)[1].ends_with(status) && !xml.contains("Assertion>"), "{denied}: {xml}");
        assert_eq!((world.events("assertion_issued").await, world.events("login_ended").await), (0, 1), "{denied}");
        let row = "SELECT result || ' ' || reason AS t FROM access_log ORDER BY at DESC, id DESC LIMIT 1";
        assert_eq!(world.text(row).await, told, "R-564");
        world.stop().await;
    }
}

/// T-39, T-42: an address that was taken out of the registration while somebody logged in gets no answer, neither an assertion nor
/// a refusal.
#[actix_web::test]
async fn an_address_that_is_not_registered_any_more_gets_no_answer() {
    for cancels in [false, true] {
        let world = World::new(On::Sqlite).await;
        let mut linus = Visitor::new(&world.url);
        let seen = linus.get(&redirect(&world, &request(&world, "", ""))).await;
        let seen = linus.press(&seen, "continue", &[("username", "linus")]).await;
        let seen = linus.press(&seen, "continue", &[("password", "has a token already")]).await;
        let file = ACME.replace("https://wiki.example.com/acs", "https://wiki.example.com/new");
        assert_ne!(file, ACME);
        world.apply(&file).await;
        let seen = match cancels {
            true => linus.press(&seen, "cancel", &[]).await,
            false => linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await,
        };
        assert_eq!(seen.title(), "This login request cannot be used", "{cancels}: {}", seen.body);
        assert!(!seen.body.contains("SAMLResponse"), "{cancels}: {}", seen.body);
        assert_eq!(world.events("assertion_issued").await, 0);
        world.stop().await;
    }
}

/// T-44: no private key stands in the database or in anything that is given out, and an assertion that we made can be told
/// from one that somebody else made with a stolen key: ours is in the audit trail.
#[actix_web::test]
async fn keys_are_sealed_and_assertions_are_on_record() {
    let world = World::new(On::Sqlite).await;
    let seen = log_in(&world, &mut Visitor::new(&world.url), &redirect(&world, &request(&world, "", ""))).await;
    let xml = posted(&seen).1;
    let id = xml.split("<saml:Assertion").nth(1).unwrap().split("ID=\"").nth(1).unwrap().split('"').next().unwrap();
    let known = world.column("SELECT object_id AS it FROM audit_event WHERE action = 'assertion_issued'").await;
    assert_eq!(known, [id]);
    // How an RSA key begins in PKCS #8, and an elliptic one: what names it, and then an OCTET STRING.
    let beginnings: [&[u8]; 2] = [
        &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00, 0x04],
        &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04],
    ];
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let holds = |octets: &[u8], beginning: &[u8]| octets.windows(beginning.len()).any(|window| window == beginning);
    assert!(holds(key.serialized_der(), beginnings[0]), "a key would be found");
    let mut read = 0;
    for file in std::fs::read_dir(world.folder()).unwrap() {
        let octets = std::fs::read(file.unwrap().path()).unwrap();
        assert!(beginnings.iter().all(|beginning| !holds(&octets, beginning)));
        read += octets.len();
    }
    assert!(read > 100_000, "the database was looked at");
    for path in ["saml/metadata", "saml/metadata/file", "oidc/jwks", ".well-known/openid-configuration"] {
        let text = reqwest::get(format!("{}/{path}", world.base())).await.unwrap().text().await.unwrap();
        assert!(!text.contains("PRIVATE KEY") && !text.contains("\"d\":"), "{path}");
    }
    let told = world.command(&["export", "--tenant", "acme"]) + &world.command(&["keys", "list", "--tenant", "acme"]);
    assert!(told.contains("Wiki") && !told.contains("PRIVATE KEY"), "{told}");
    world.stop().await;
}

/// T-44, R-564: an answer that is none is not on record as one. Who asked about somebody else hears of nobody, and is told of
/// no logout afterwards.
#[actix_web::test]
async fn what_is_refused_is_not_recorded_as_given() {
    let world = World::new(On::Sqlite).await;
    let last = async || {
        let row = "SELECT result || ' ' || reason AS t FROM access_log ORDER BY at DESC, id DESC LIMIT 1";
        world.advance(1);
        world.text(row).await
    };
    let heard = async || {
        (world.events("assertion_issued").await, world.number("SELECT COUNT(*) AS n FROM session_participant").await)
    };
    let wanted = "<saml:Subject><saml:NameID>someone-else</saml:NameID></saml:Subject>";
    let mut linus = Visitor::new(&world.url);
    let xml = posted(&log_in(&world, &mut linus, &redirect(&world, &request(&world, "", wanted))).await).1;
    assert!(status_of(&xml)[1].ends_with(":UnknownPrincipal"), "{xml}");
    assert_eq!((last().await.as_str(), heard().await), ("denied another_person", (0, 0)));
    // The same from the session: a name of a kind that the person does not have.
    let file =
        ACME.replace("name_id_format = \"persistent\"", "name_id_format = \"unspecified\"\nname_id_source = \"phone\"");
    assert_ne!(file, ACME);
    world.apply(&file).await;
    world.advance(3);
    let xml = posted(&linus.get(&redirect(&world, &request(&world, "", ""))).await).1;
    assert!(status_of(&xml)[1].ends_with(":InvalidNameIDPolicy"), "{xml}");
    assert_eq!((last().await.as_str(), heard().await), ("denied no_name_identifier", (0, 0)));
    world.apply(ACME).await;
    world.advance(3);
    let xml = posted(&linus.get(&redirect(&world, &request(&world, "", ""))).await).1;
    assert!(xml.contains("<saml:Assertion"), "{xml}");
    assert_eq!((last().await.as_str(), heard().await), ("success granted", (1, 1)));
    world.stop().await;
}
