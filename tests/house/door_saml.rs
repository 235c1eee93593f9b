//! The SAML door, seen by libraries that we did not write: samael as a service provider, xmlsec1 on the
//! signature; and by somebody who means no good.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::str::FromStr as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use samael::metadata::EntityDescriptor;
use samael::service_provider::ServiceProvider;

use crate::saml_signer::Signer;
use crate::story::passcode_of_linus;
use crate::visitor::{Seen, Visitor};
use crate::world::{ACME, On, World};

pub const ENTITY: &str = "https://wiki.example.com/sp";
const ACS: &str = "https://wiki.example.com/acs";

/// A request as a service provider would write it, with the test's time and an ID that was never used.
pub fn request(world: &World, attributes: &str, inside: &str) -> String {
    static DRAWN: AtomicUsize = AtomicUsize::new(0);
    let id = format!("_r{}", DRAWN.fetch_add(1, Ordering::Relaxed));
    request_named(world, &id, attributes, inside)
}

pub fn request_named(world: &World, id: &str, attributes: &str, inside: &str) -> String {
    let now = world.clock_now().rfc3339();
    let now: String = now.chars().take(19).collect();
    format!(
        "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" \
         ID=\"{id}\" Version=\"2.0\" IssueInstant=\"{now}Z\" {attributes}><saml:Issuer>{ENTITY}</saml:Issuer>{inside}</samlp:AuthnRequest>"
    )
}

/// The attribute that a signed message must have (bindings 3.4.5.2).
pub fn destination(world: &World) -> String {
    format!("Destination=\"{}/saml/sso\"", world.base())
}

/// A message as a redirect carries it.
pub fn deflated(xml: &str) -> String {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(xml.as_bytes()).unwrap();
    STANDARD.encode(encoder.finish().unwrap())
}

pub fn redirect(world: &World, xml: &str) -> String {
    let message = deflated(xml);
    let mut url = url::Url::parse(&format!("{}/saml/sso", world.base())).unwrap();
    url.query_pairs_mut().append_pair("SAMLRequest", &message).append_pair("RelayState", "page=1&x=\"><script>");
    url.to_string()
}

pub async fn log_in(world: &World, visitor: &mut Visitor, url: &str) -> Seen {
    let seen = visitor.get(url).await;
    assert_eq!(seen.title(), "Log in", "{}", seen.body);
    let seen = visitor.press(&seen, "continue", &[("username", "linus")]).await;
    let seen = visitor.press(&seen, "continue", &[("password", "has a token already")]).await;
    let code = passcode_of_linus(world);
    visitor.press(&seen, "continue", &[("code", &code)]).await
}

/// The posted fields: response in XML, RelayState; and where they go.
pub fn posted(seen: &Seen) -> (String, String, String) {
    let (action, fields) = seen.form("continue");
    let of =
        |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default();
    let xml = String::from_utf8(STANDARD.decode(of("SAMLResponse")).unwrap()).unwrap();
    (action, xml, of("RelayState"))
}

async fn metadata(world: &World) -> EntityDescriptor {
    let text = reqwest::get(format!("{}/saml/metadata", world.base())).await.unwrap().text().await.unwrap();
    EntityDescriptor::from_str(&text).unwrap()
}

pub fn status_of(xml: &str) -> Vec<String> {
    xml.split("Value=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

/// R-490: the response is accepted by a service provider library and by xmlsec1, and says what it must.
/// R-487, R-488, R-489, R-490, R-493, T-43.
#[actix_web::test]
async fn others_verify_our_response() {
    let world = World::new(On::Sqlite).await;
    let mut linus = Visitor::new(&world.url);
    let seen = log_in(&world, &mut linus, &redirect(&world, &request_named(&world, "_r1", "", ""))).await;
    let (action, xml, relay) = posted(&seen);
    assert_eq!((action.as_str(), relay.as_str()), (ACS, "page=1&x=\"><script>"), "R-488, R-489");
    let policy = seen.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("form-action 'self' https: http://127.0.0.1:*"), "wherever the ACS leads on to: {policy}");
    for part in [
        "InResponseTo=\"_r1\"",
        "Recipient=\"https://wiki.example.com/acs\"",
        "<saml:Audience>https://wiki.example.com/sp</saml:Audience>",
        "NotOnOrAfter=",
        "NotBefore=",
        "SessionIndex=",
        "MobileTwoFactorContract",
        "linus@acme.test",
    ] {
        assert!(xml.contains(part), "{part}: {xml}");
    }
    // samael wants the time to be now; the test's clock is elsewhere, so it is told to be patient.
    let provider = ServiceProvider {
        entity_id: Some(ENTITY.to_owned()),
        acs_url: Some(ACS.to_owned()),
        idp_metadata: metadata(&world).await,
        max_clock_skew: samael_patience(),
        max_issue_delay: samael_patience(),
        ..ServiceProvider::default()
    };
    let assertion = provider.parse_base64_response(&STANDARD.encode(&xml), Some(&["_r1"])).expect("samael accepts it");
    assert_eq!(assertion.subject.unwrap().name_id.unwrap().value.len(), 52, "pairwise");
    // xmlsec1 with nothing but the published certificate.
    let folder = tempfile::tempdir().unwrap();
    let certificate = xml.split("<ds:X509Certificate>").nth(1).unwrap().split('<').next().unwrap();
    let published = reqwest::get(format!("{}/saml/metadata", world.base())).await.unwrap().text().await.unwrap();
    assert!(published.contains(certificate), "signed by the published key");
    let pem = format!("-----BEGIN CERTIFICATE-----\n{certificate}\n-----END CERTIFICATE-----\n");
    std::fs::write(folder.path().join("idp.pem"), pem).unwrap();
    let verifies = |xml: &str| {
        let mut child = Command::new("xmlsec1")
            .args(["--verify", "--id-attr:ID", "urn:oasis:names:tc:SAML:2.0:assertion:Assertion", "--pubkey-cert-pem"])
            .arg(folder.path().join("idp.pem"))
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("xmlsec1 is installed by ./test");
        child.stdin.take().unwrap().write_all(xml.as_bytes()).unwrap();
        child.wait().unwrap().success()
    };
    assert!(verifies(&xml), "xmlsec1 accepts it");
    assert!(!verifies(&xml.replace("linus@acme.test", "ada@acme.test")), "and notices a change");
    world.stop().await;
}

fn samael_patience() -> chrono::Duration {
    chrono::Duration::days(36_500)
}

/// T-39, R-487, R-498: bad requests are shown, never answered.
/// R-487, R-498, T-31, T-35, T-37, T-39, AC-44.
#[actix_web::test]
async fn bad_requests_are_never_answered() {
    let world = World::new(On::Sqlite).await;
    let good = request_named(&world, "_r1", "", "");
    let bomb = format!("<a>{}</a>", " ".repeat(10_000_000));
    for (name, xml) in [
        ("a foreign address", request(&world, "AssertionConsumerServiceURL=\"https://evil.example/acs\"", "")),
        (
            "an address that begins alike",
            request(&world, "AssertionConsumerServiceURL=\"https://wiki.example.com/acs/\"", ""),
        ),
        ("an unknown index", request(&world, "AssertionConsumerServiceIndex=\"9\"", "")),
        (
            "both",
            request(
                &world,
                "AssertionConsumerServiceIndex=\"0\" AssertionConsumerServiceURL=\"https://wiki.example.com/acs\"",
                "",
            ),
        ),
        ("an unknown issuer", good.replace(ENTITY, "https://evil.example/sp")),
        ("another destination", request(&world, "Destination=\"https://other.example/sso\"", "")),
        ("an old request", good.replace("IssueInstant=\"2027", "IssueInstant=\"2001")),
        ("another version", good.replace("Version=\"2.0\"", "Version=\"1.1\"")),
        ("no ID", good.replace("ID=\"_r1\"", "")),
        ("a document type", format!("<!DOCTYPE x>{good}")),
        (
            "an entity",
            format!("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>{}", good.replace(ENTITY, "&e;")),
        ),
        ("a comment in the issuer", good.replace(ENTITY, "https://wiki.example.com/sp<!-- x -->")),
        ("another root", good.replace("samlp:AuthnRequest", "samlp:LogoutRequest")),
        ("a bomb", bomb),
        ("nothing", String::new()),
    ] {
        let seen = Visitor::new(&world.url).get(&redirect(&world, &xml)).await;
        assert_eq!(seen.status, 400, "{name}: {}", seen.body);
        assert!(seen.title() == "This login request cannot be used" && !seen.body.contains("evil"), "{name}");
    }
    world.stop().await;
}

/// R-491, R-492, R-496: what can be answered is answered with a status.
/// R-491, R-492, R-496.
#[actix_web::test]
async fn refusals_have_their_status() {
    let world = World::new(On::Sqlite).await;
    let status = async |xml: String| {
        let seen = Visitor::new(&world.url).get(&redirect(&world, &xml)).await;
        let (action, xml, _) = posted(&seen);
        assert_eq!(action, ACS);
        assert!(!xml.contains("<saml:Assertion"), "{xml}");
        status_of(&xml).get(1).cloned().unwrap_or_default()
    };
    assert!(status(request(&world, "IsPassive=\"true\"", "")).await.ends_with(":NoPassive"));
    let odd = "<samlp:RequestedAuthnContext><saml:AuthnContextClassRef>urn:x:retina</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>";
    assert!(status(request(&world, "", odd)).await.ends_with(":NoAuthnContext"));
    let kerberos =
        "<samlp:NameIDPolicy Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos\"></samlp:NameIDPolicy>";
    assert!(status(request(&world, "", kerberos)).await.ends_with(":InvalidNameIDPolicy"));
    // Cancelled by the person.
    let mut linus = Visitor::new(&world.url);
    let seen = linus.get(&redirect(&world, &request(&world, "", ""))).await;
    let seen = linus.press(&seen, "cancel", &[]).await;
    let (_, xml, relay) = posted(&seen);
    assert!(status_of(&xml)[1].ends_with(":AuthnFailed") && relay.starts_with("page=1"), "{xml}");
    // ForceAuthn asks again although there is a session.
    let mut again = Visitor::new(&world.url);
    log_in(&world, &mut again, &redirect(&world, &request(&world, "", ""))).await;
    let silent = again.get(&redirect(&world, &request(&world, "IsPassive=\"true\"", ""))).await;
    assert!(posted(&silent).1.contains("<saml:Assertion"), "single sign-on");
    let forced = again.get(&redirect(&world, &request(&world, "ForceAuthn=\"true\"", ""))).await;
    assert_eq!(forced.title(), "Enter your password", "R-491: {}", forced.body);
    world.stop().await;
}

/// R-500, T-34: one request, one answer; and whoever presses reload finds the desk again.
/// R-321, R-500, T-34.
#[actix_web::test]
async fn a_request_is_answered_once() {
    let world = World::new(On::Sqlite).await;
    let url = redirect(&world, &request(&world, "", ""));
    let used = |seen: &Seen| (seen.status, seen.title()) == (400, "This login request was used already".to_owned());
    let mut linus = Visitor::new(&world.url);
    let first = linus.get(&url).await;
    // Reload and back: the same desk, not a second login.
    let second = linus.get(&url).await;
    assert_eq!((second.title().as_str(), &second.url), ("Log in", &first.url));
    assert_eq!(world.events("login_started").await, 1);
    // Somebody who has a copy, and somebody who has a copy and another login of the same application.
    let mut mallory = Visitor::new(&world.url);
    assert!(used(&mallory.get(&url).await), "a copy in another browser");
    mallory.get(&redirect(&world, &request(&world, "", ""))).await;
    assert!(used(&mallory.get(&url).await), "a copy beside another login");
    // The same name from the same service provider is the same request, whatever else is in it.
    let id = url::Url::parse(&url).unwrap();
    let id = id_in(&id);
    let other = redirect(&world, &request_named(&world, &id, "ForceAuthn=\"true\"", ""));
    assert!(used(&mallory.get(&other).await), "another request with the same ID");
    // A step up gives the login a new cookie; reload still finds it.
    let seen = linus.press(&second, "continue", &[("username", "linus")]).await;
    let seen = linus.press(&seen, "continue", &[("password", "has a token already")]).await;
    assert_eq!(linus.get(&url).await.title(), seen.title());
    let code = passcode_of_linus(&world);
    let seen = linus.press(&seen, "continue", &[("code", &code)]).await;
    assert!(posted(&seen).1.contains("<saml:Assertion"));
    // It has its answer: the session of this browser gives no second one, and no other browser gets one.
    assert!(used(&linus.get(&url).await), "a second answer from the session");
    assert!(used(&mallory.get(&url).await), "after the answer");
    assert_eq!(world.events("assertion_issued").await, 1);
    // A request that the session answers at once is used up as well, and so is one that is refused.
    for (attributes, answer) in [("", "<saml:Assertion"), ("IsPassive=\"true\" ForceAuthn=\"true\"", ":NoPassive")] {
        let url = redirect(&world, &request(&world, attributes, ""));
        assert!(posted(&linus.get(&url).await).1.contains(answer));
        assert!(used(&linus.get(&url).await), "{answer} twice");
    }
    // It is remembered for as long as it could pass for fresh, and then the janitor takes it away.
    let owner = world.site.house.entropy.id();
    world.advance(299);
    vestibule::app::jobs::purge_once(&world.site, owner).await.unwrap();
    assert!(used(&mallory.get(&url).await), "still fresh");
    world.advance(2);
    assert_eq!(mallory.get(&url).await.title(), "This login request cannot be used", "too old");
    world.advance(900 + 120);
    assert!(vestibule::app::jobs::purge_once(&world.site, owner).await.unwrap() >= 4);
    world.stop().await;
}

/// T-37, T-38, AC-43, R-489, R-498: what is larger than any message of SAML is refused at once, by a page that
/// says so; and what real service providers send is within the limits.
/// T-37, T-38, AC-43, R-489, R-498.
#[actix_web::test]
async fn everything_has_its_limit() {
    let world = World::new(On::Sqlite).await;
    let sso = format!("{}/saml/sso", world.base());
    let extensions = |inside: &str| request(&world, "", &format!("<samlp:Extensions>{inside}</samlp:Extensions>"));
    let nested = |depth: usize| extensions(&(("<x>").repeat(depth) + &"</x>".repeat(depth)));
    let wide = |many: usize| {
        let attributes: String = (0..many).map(|at| format!(" a{at}=\"\"")).collect();
        extensions(&format!("<x{attributes}/>"))
    };
    let named = |many: usize| {
        let names: String = (0..many).map(|at| format!(" xmlns:n{at}=\"urn:x\"")).collect();
        extensions(&format!("<x{names}/>"))
    };
    let long = |octets: usize| extensions(&"x y ".repeat(octets / 4));
    let both = async |xml: &str, relay: &str| {
        let mut url = url::Url::parse(&sso).unwrap();
        url.query_pairs_mut().append_pair("SAMLRequest", &deflated(xml)).append_pair("RelayState", relay);
        let redirected = Visitor::new(&world.url).get(url.as_str()).await;
        // Another ID: the same request would have been used.
        let xml = xml.replacen(" ID=\"_", " ID=\"_p", 1);
        let form = [("SAMLRequest".to_owned(), STANDARD.encode(xml)), ("RelayState".to_owned(), relay.to_owned())];
        let posted = Visitor::new(&world.url).post(&sso, &form).await;
        [redirected, posted].map(|seen| (seen.status, seen.title()))
    };
    let (good, bad) = ((200, "Log in".to_owned()), (400, "This login request cannot be used".to_owned()));
    let large = (413, "Too much data".to_owned());
    let way = "https://wiki.example.com/way?";
    for (name, xml, relay, expected) in [
        ("the 80 octets of the standard", long(4), "r".repeat(80), [&good, &good]),
        ("an address as service providers send it", long(4), format!("{way}{}", "q=%20&".repeat(200)), [&good, &good]),
        ("the longest RelayState", long(4), "ä".repeat(2048), [&good, &good]),
        ("a RelayState that is too long", long(4), format!("{}x", "ä".repeat(2048)), [&bad, &bad]),
        ("depth", nested(30), String::new(), [&good, &good]),
        ("too much depth", nested(31), String::new(), [&bad, &bad]),
        ("endless depth", nested(4000), String::new(), [&bad, &bad]),
        ("attributes", wide(64), String::new(), [&good, &good]),
        ("too many attributes", wide(65), String::new(), [&bad, &bad]),
        ("namespaces", named(14), String::new(), [&good, &good]),
        ("too many namespaces", named(15), String::new(), [&bad, &bad]),
        ("elements", extensions(&"<x/>".repeat(3990)), String::new(), [&bad, &good]),
        ("too many elements", extensions(&"<x/>".repeat(4000)), String::new(), [&bad, &bad]),
        // What repeats itself more than forty times is a bomb in an address, and only long in a form.
        ("length", long(44_000), String::new(), [&bad, &good]),
        ("too much length", long(66_000), String::new(), [&bad, &large]),
        ("an ID", request_named(&world, &format!("_{}", "i".repeat(254)), "", ""), String::new(), [&good, &good]),
        ("a long ID", request_named(&world, &format!("_{}", "i".repeat(256)), "", ""), String::new(), [&bad, &bad]),
    ] {
        assert_eq!(both(&xml, &relay).await.each_ref(), expected, "{name}");
    }
    // Twice is once too often: which of them would come back?
    let twice = [form_of(&long(4)).as_slice(), &[("RelayState".to_owned(), "other".to_owned())]].concat();
    assert_eq!(Visitor::new(&world.url).post(&sso, &twice).await.status, 400);
    // AC-43: as much as fits, inflating to a thousand times as much.
    let bomb = deflated(&format!("<a>{}</a>", " ".repeat(11_000_000)));
    assert!((12_000..16_384).contains(&bomb.len()), "{}", bomb.len());
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        let refused = vestibule::saml::message::inflated(&bomb);
        assert_eq!(refused, Err(vestibule::saml::message::MessageError::Decode("it is too long")));
    }
    assert!(begun.elapsed().as_millis() < 20 * 20, "T-37: {:?}", begun.elapsed());
    // Longer than anybody reads: still an answer, and never our fault.
    for octets in [20_000, 120_000, 300_000] {
        let url = format!("{sso}?SAMLRequest={}", "A".repeat(octets.min(60_000)));
        let client = reqwest::Client::new();
        let status = client.get(&url).send().await.unwrap().status().as_u16();
        assert!((400..500).contains(&status), "{octets} in an address: {status}");
        let form = [("SAMLRequest", "A".repeat(octets))];
        let status = client.post(&sso).form(&form).send().await.unwrap().status().as_u16();
        assert!(matches!(status, 400 | 413), "{octets} in a form: {status}");
    }
    world.stop().await;
}

fn form_of(xml: &str) -> [(String, String); 2] {
    [("SAMLRequest".to_owned(), STANDARD.encode(xml)), ("RelayState".to_owned(), "page=2&y".to_owned())]
}

/// R-479: behind a posted request single sign-on works, although the browser posts without our cookies.
/// R-479, R-487, R-491, T-21.
#[actix_web::test]
async fn a_posted_request_sees_the_session() {
    let world = World::new(On::Sqlite).await;
    let sso = format!("{}/saml/sso", world.base());
    let mut linus = Visitor::new(&world.url);
    // Nobody is logged in.
    let silent = linus.post_from_elsewhere(&sso, &form_of(&request(&world, "IsPassive=\"true\"", ""))).await;
    assert!(posted(&silent).1.contains(":NoPassive"));
    let xml = request(&world, "", "");
    let seen = linus.post_from_elsewhere(&sso, &form_of(&xml)).await;
    assert_eq!(seen.title(), "Log in", "{}", seen.body);
    // Back to the application's form, and once more: the same desk.
    let again = linus.post_from_elsewhere(&sso, &form_of(&xml)).await;
    assert_eq!((again.title(), &again.url), (seen.title(), &seen.url));
    let seen = linus.press(&seen, "continue", &[("username", "linus")]).await;
    let seen = linus.press(&seen, "continue", &[("password", "has a token already")]).await;
    let seen = linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
    assert!(posted(&seen).1.contains("<saml:Assertion") && posted(&seen).2 == "page=2&y", "R-489");
    // Now somebody is: nothing is asked, silently or not; and ForceAuthn asks all the same.
    for attributes in ["", "IsPassive=\"true\""] {
        let xml = request(&world, attributes, "");
        let seen = linus.post_from_elsewhere(&sso, &form_of(&xml)).await;
        assert!(posted(&seen).1.contains("<saml:Assertion"), "{}", seen.body);
        let again = linus.post_from_elsewhere(&sso, &form_of(&xml)).await;
        assert_eq!((again.status, again.title().as_str()), (400, "This login request was used already"), "R-500");
    }
    let forced = linus.post_from_elsewhere(&sso, &form_of(&request(&world, "ForceAuthn=\"true\"", ""))).await;
    assert_eq!(forced.title(), "Enter your password", "R-491");
    world.stop().await;
}

/// T-08, T-21: the address behind a posted request is good in the browser that posted, for as long as a redirect
/// takes; and nothing has begun before that browser comes.
/// R-479, T-08, T-21.
#[actix_web::test]
async fn a_posted_request_belongs_to_its_browser() {
    let world = World::new(On::Sqlite).await;
    let sso = format!("{}/saml/sso", world.base());
    let fields = form_of(&request(&world, "", ""));
    let mut mallory = Visitor::new(&world.url);
    let parked = mallory.once(reqwest::Method::POST, &sso, Some(fields.to_vec())).await;
    assert_eq!((parked.status, mallory.cookies.len()), (303, 1), "{}", parked.body);
    let cookie = parked.headers["set-cookie"].to_str().unwrap();
    for flag in ["HttpOnly", "SameSite=Lax", "Max-Age=300"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    let address = parked.headers["location"].to_str().unwrap().to_owned();
    assert!(address.starts_with(&format!("{sso}/")) && address.len() == sso.len() + 27, "{address}");
    // The address alone, with a made-up cookie, and with the cookie of another posted request.
    let mut victim = Visitor::new(&world.url);
    assert_eq!(victim.get(&address).await.title(), "This login is not open in this browser");
    let name = mallory.cookies.keys().next().unwrap().clone();
    victim.cookies.insert(name.clone(), "A".repeat(43));
    assert_eq!(victim.get(&address).await.status, 400);
    let mut other = Visitor::new(&world.url);
    other.once(reqwest::Method::POST, &sso, Some(form_of(&request(&world, "", "")).to_vec())).await;
    let value = other.cookies.values().next().unwrap().clone();
    victim.cookies.insert(name, value);
    assert_eq!(victim.get(&address).await.status, 400);
    for odd in ["x", "aaaaaaaaaaaaaaaaaaaaaaaaaa", "../sso", "%00"] {
        assert!(matches!(victim.get(&format!("{sso}/{odd}")).await.status, 400 | 404), "{odd}");
    }
    assert_eq!(world.events("login_started").await, 0, "nothing has begun");
    assert_eq!(mallory.clone().get(&address).await.title(), "Log in");
    // Whoever comes too late starts again.
    world.advance(301);
    assert_eq!(mallory.get(&address).await.title(), "This login is not open in this browser");
    world.stop().await;
}

/// The ID of the request in an address.
fn id_in(url: &url::Url) -> String {
    use std::io::Read as _;
    let message = url.query_pairs().find(|(name, _)| name == "SAMLRequest").unwrap().1.into_owned();
    let message = STANDARD.decode(message).unwrap();
    let mut xml = String::new();
    flate2::read::DeflateDecoder::new(message.as_slice()).read_to_string(&mut xml).unwrap();
    xml.split(" ID=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

/// Core 3.4.1: a service provider that asks for one person never hears of another.
/// R-491, R-496.
#[actix_web::test]
async fn a_wanted_person_is_answered_for_or_nobody() {
    let world = World::new(On::Sqlite).await;
    let wanted = |name: &str, format: &str, attributes: &str| {
        let format = format!("urn:oasis:names:tc:SAML:2.0:nameid-format:{format}");
        let subject = format!("<saml:Subject><saml:NameID Format=\"{format}\">{name}</saml:NameID></saml:Subject>");
        redirect(&world, &request(&world, attributes, &subject))
    };
    let mut linus = Visitor::new(&world.url);
    let seen = log_in(&world, &mut linus, &wanted("Linus@acme.test", "x", "")).await;
    let (_, xml, _) = posted(&seen);
    assert!(xml.contains("<saml:Assertion"), "{xml}");
    let pairwise = xml.split("</saml:NameID>").next().unwrap().rsplit('>').next().unwrap().to_owned();
    for name in ["linus", &pairwise] {
        let seen = linus.get(&wanted(name, "persistent", "IsPassive=\"true\"")).await;
        assert!(posted(&seen).1.contains("<saml:Assertion"), "{name}");
    }
    // Somebody else: silently not at all, and otherwise the person logs in who was asked for.
    let seen = linus.get(&wanted("ada", "x", "IsPassive=\"true\"")).await;
    assert!(posted(&seen).1.contains(":NoPassive"));
    let seen = linus.get(&wanted("ada", "x", "")).await;
    assert_eq!(seen.title(), "Log in");
    assert!(seen.body.contains("value=\"ada\""), "the name is filled in: {}", seen.body);
    world.advance(30);
    let mut other = Visitor::new(&world.url);
    let seen = log_in(&world, &mut other, &wanted("someone-else", "persistent", "")).await;
    let (_, xml, _) = posted(&seen);
    assert!(status_of(&xml)[1].ends_with(":UnknownPrincipal") && !xml.contains("<saml:Assertion"), "{xml}");
    let sealed = request(&world, "", "<saml:Subject><saml:EncryptedID></saml:EncryptedID></saml:Subject>");
    assert!(posted(&linus.get(&redirect(&world, &sealed)).await).1.contains(":UnknownPrincipal"));
    world.stop().await;
}

/// Core 3.4.1: whoever is asked for by the name that we gave is known by it, of whatever kind it is.
/// R-491, R-493.
#[actix_web::test]
async fn a_person_is_known_by_every_name_that_we_gave() {
    let world = World::new(On::Sqlite).await;
    let lines = "name_id_format = \"unspecified\"\nname_id_source = \"first_name\"";
    let file = ACME.replace("name_id_format = \"persistent\"", lines);
    world.apply(&file.replace("email = \"linus@", "first_name = \"Benedict\"\nemail = \"linus@")).await;
    world.advance(3);
    let format = |kind: &str| format!("urn:oasis:names:tc:SAML:2.0:nameid-format:{kind}");
    let policy = format!("<samlp:NameIDPolicy Format=\"{}\"></samlp:NameIDPolicy>", format("transient"));
    let named = |xml: &str| xml.split("</saml:NameID>").next().unwrap().rsplit('>').next().unwrap().to_owned();
    let mut linus = Visitor::new(&world.url);
    let seen = log_in(&world, &mut linus, &redirect(&world, &request(&world, "", &policy))).await;
    let transient = named(&posted(&seen).1);
    let made = named(&posted(&linus.get(&redirect(&world, &request(&world, "", ""))).await).1);
    assert!(transient.len() == 41 && made == "Benedict", "{transient} {made}");
    let wanted = |name: &str, kind: &str, attributes: &str| {
        let name = format!("<saml:NameID Format=\"{}\">{name}</saml:NameID>", format(kind));
        redirect(&world, &request(&world, attributes, &format!("<saml:Subject>{name}</saml:Subject>")))
    };
    for (name, kind) in [(&transient, "transient"), (&made, "unspecified")] {
        let seen = linus.get(&wanted(name, kind, "IsPassive=\"true\"")).await;
        assert!(posted(&seen).1.contains("<saml:Assertion"), "{name}: {}", seen.body);
    }
    // Asked again, the session goes on and with it the name.
    world.advance(30);
    let seen = linus.get(&wanted(&transient, "transient", "ForceAuthn=\"true\"")).await;
    let seen = linus.press(&seen, "continue", &[("password", "has a token already")]).await;
    let seen = linus.press(&seen, "continue", &[("code", &passcode_of_linus(&world))]).await;
    assert!(posted(&seen).1.contains("<saml:Assertion"), "{}", seen.body);
    // In another session the name means nobody.
    world.advance(30);
    let mut other = Visitor::new(&world.url);
    let xml = posted(&log_in(&world, &mut other, &wanted(&transient, "transient", "")).await).1;
    assert!(status_of(&xml)[1].ends_with(":UnknownPrincipal"), "{xml}");
    world.stop().await;
}

/// T-31: a request that samael signed is believed; wrapped, moved or altered it is not.
/// T-31, T-36, T-42, R-501.
#[actix_web::test]
async fn signed_requests_are_believed_and_wrapped_ones_are_not() {
    let world = World::new(On::Sqlite).await;
    let signer = Signer::new();
    signer.register(&world).await;
    let unsigned = Visitor::new(&world.url).get(&redirect(&world, &request(&world, "", ""))).await;
    assert_eq!(unsigned.status, 400, "T-42: {}", unsigned.body);
    let signed = signer.signed(&request_named(&world, "_r1", &destination(&world), ""), "_r1");
    let post = async |xml: &str| {
        let form = [("SAMLRequest".to_owned(), STANDARD.encode(xml))];
        Visitor::new(&world.url).post(&format!("{}/saml/sso", world.base()), &form).await
    };
    let seen = post(&signed).await;
    assert_eq!(seen.title(), "Log in", "{}", seen.body);
    let signature = {
        let start = signed.find("<ds:Signature").unwrap();
        let end = signed.find("</ds:Signature>").unwrap() + "</ds:Signature>".len();
        &signed[start..end]
    };
    let evil = request_named(&world, "_evil", &destination(&world), "");
    let with = |inside: &str| evil.replace("</samlp:AuthnRequest>", &format!("{inside}</samlp:AuthnRequest>"));
    for (name, xml) in [
        ("altered", signed.replace("Version=\"2.0\"", "Version=\"2.0\" ForceAuthn=\"true\"")),
        ("nested in extensions", with(&format!("<samlp:Extensions>{signed}</samlp:Extensions>"))),
        ("signature moved to another root", with(signature)),
        ("two signatures", signed.replace("</samlp:AuthnRequest>", &format!("{signature}</samlp:AuthnRequest>"))),
        (
            "the original inside the signature",
            with(&signature.replace("</ds:Signature>", &format!("<ds:Object>{signed}</ds:Object></ds:Signature>"))),
        ),
        ("an empty reference", signed.replace("URI=\"#_r1\"", "URI=\"\"")),
        ("a file", signed.replace("URI=\"#_r1\"", "URI=\"file:///etc/passwd\"")),
        ("an address", signed.replace("URI=\"#_r1\"", "URI=\"http://127.0.0.1:1/x\"")),
        (
            "a weaker algorithm",
            signed.replace("xmldsig-more#rsa-sha256", "xmldsig#rsa-sha1").replace("2001/04/xmldsig", "2000/09/xmldsig"),
        ),
        ("another transform", signed.replace("xmldsig#enveloped-signature", "xmldsig#base64")),
        ("a duplicate ID", signed.replace("<saml:Issuer>", "<saml:Issuer ID=\"_r1\">")),
        ("a comment", signed.replace("</saml:Issuer>", "<!-- x --></saml:Issuer>")),
        (
            "another document in the declaration",
            format!("<?xml version=\"1.0\" encoding=\"utf-8\" >{signed} ?>{signed}"),
        ),
        ("signed for somebody", signer.signed(&request_named(&world, "_r2", "", ""), "_r2")),
    ] {
        let seen = post(&xml).await;
        // Not "used already": that would mean that it was read.
        let shown = (seen.status, seen.title());
        assert_eq!(shown, (400, "This login request cannot be used".to_owned()), "{name}: {}", seen.body);
    }
    world.stop().await;
}

/// R-487: signatures are checked where a certificate is configured. Where none is, one makes a request neither better nor
/// worse: many service providers sign whatever was agreed. What it must look like stays (T-31, T-41), and no logout is
/// believed (T-45).
#[actix_web::test]
async fn without_a_certificate_a_signature_says_nothing() {
    let world = World::new(On::Sqlite).await;
    let signer = Signer::new();
    let sso = format!("{}/saml/sso", world.base());
    let post = async |xml: &str| {
        let form = [("SAMLRequest".to_owned(), STANDARD.encode(xml))];
        Visitor::new(&world.url).post(&sso, &form).await
    };
    let get = async |query: &str| Visitor::new(&world.url).get(&format!("{sso}?{query}")).await;
    let addressed = |id: &str| request_named(&world, id, &destination(&world), "");
    let query = |id: &str| signer.query("SAMLRequest", &addressed(id), "r");
    let signed = |id: &str| signer.signed(&addressed(id), id);
    let weak = |text: &str| text.replace("2001/04/xmldsig-more#rsa-sha256", "2000/09/xmldsig#rsa-sha1");
    let weak_query =
        query("_q2").replace("2001%2F04%2Fxmldsig%2Dmore%23rsa%2Dsha256", "2000%2F09%2Fxmldsig%23rsa%2Dsha1");
    assert!(weak_query != query("_q2") && weak(&signed("_p2")).contains("rsa-sha1"));
    for (what, seen) in [
        ("a redirect", get(&query("_q1")).await),
        ("a redirect with SHA-1", get(&weak_query).await),
        ("a form", post(&signed("_p1")).await),
        ("a form with SHA-1", post(&weak(&signed("_p2"))).await),
        (
            "altered, as if it were not signed",
            post(&signed("_p3").replace("Version=", "IsPassive=\"false\" Version=")).await,
        ),
    ] {
        assert_eq!(seen.title(), "Log in", "{what}: {}", seen.body);
    }
    let (twice, alone) =
        (format!("{0}&{0}", query("_q4")), query("_q5").split("&Signature=").next().unwrap().to_owned());
    let away = signed("_p4").replace("URI=\"#_p4\"", "URI=\"http://127.0.0.1:1/x\"");
    let elsewhere = request_named(&world, "_p5", "Destination=\"https://other.example/sso\"", "");
    let logout = addressed("_o1").replace("AuthnRequest", "LogoutRequest").replace("/saml/sso", "/saml/slo");
    let logout = logout.replace("</saml:Issuer>", "</saml:Issuer><saml:NameID>linus</saml:NameID>");
    let slo = format!("{}/saml/slo?{}", world.base(), signer.query("SAMLRequest", &logout, "r"));
    for (what, seen) in [
        ("twice", get(&twice).await),
        ("half of it", get(&alone).await),
        ("a reference to somewhere else", post(&away).await),
        ("signed for somebody else", post(&signer.signed(&elsewhere, "_p5")).await),
        ("a logout", Visitor::new(&world.url).get(&slo).await),
    ] {
        assert_eq!(seen.status, 400, "{what}: {}", seen.body);
    }
    world.stop().await;
}
