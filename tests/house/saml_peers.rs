//! Service providers that others wrote, against the real server: pysaml2, python3-saml, node-saml, and Apache with
//! mod_auth_mellon in a browser (R-490, T-43, AC-45). They are installed by `scripts/prepare test` into `.cache/peers`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::{Chromium, DESKTOP, Running, answers, free_port};
use crate::door_saml::{log_in, posted};
use crate::saml_signer::Signer;
use crate::story::passcode_of_linus;
use crate::visitor::Visitor;
use crate::world::{ACME, On, World};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A service provider with a folder of its own.
struct Peer {
    folder: tempfile::TempDir,
    command: Vec<PathBuf>,
}

impl Peer {
    fn new(command: Vec<PathBuf>, signer: &Signer, host: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        let config =
            json!({ "entity": format!("{host}/sp"), "acs": format!("{host}/acs"), "slo": format!("{host}/slo") });
        write("config.json", &config.to_string());
        write("key.pem", &signer.pem());
        let lines: Vec<&str> =
            signer.certificate.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        write("cert.pem", &format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n")));
        Self { folder, command }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, action: &str, input: &Value) -> String {
        let (program, arguments) = self.command.split_first().unwrap();
        let mut child = Command::new(program)
            .args(arguments)
            .arg(self.folder.path())
            .arg(action)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; scripts/prepare test installs it", program.display()));
        child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{action}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    fn ask(&self, action: &str, input: &Value) -> Value {
        serde_json::from_str(&self.run(action, input)).unwrap()
    }
}

/// How a peer logs out.
#[derive(Clone, Copy, PartialEq)]
enum Out {
    /// The browser carries the request.
    ByBrowser,
    /// Its server asks ours.
    ByServer,
}

/// Logs in and out: the peer's own metadata is registered, its own request asks, its own code judges what we answer.
async fn in_and_out(command: Vec<PathBuf>, (algorithm, class): (&str, &str), out: Out) {
    let world = World::at_this_time(On::Sqlite).await;
    let signer = Signer::new();
    let peer = Peer::new(command, &signer, "https://peer.example.com");
    let metadata = peer.run("metadata", &json!({}));
    std::fs::write(peer.path("sp.xml"), &metadata).unwrap();
    let file = ACME.replace(
        "entity_id = \"https://wiki.example.com/sp\"\nacs_urls = [\"https://wiki.example.com/acs\"]",
        &format!(
            "metadata_file = \"{}\"\nsigned = \"both\"\nencrypt_assertions = true\nrequire_signed_requests = true\n\
             algorithm = \"{algorithm}\"",
            peer.path("sp.xml").display()
        ),
    );
    world.apply(&file).await;
    world.advance(3);
    let ours = reqwest::get(format!("{}/saml/metadata", world.base())).await.unwrap().text().await.unwrap();
    std::fs::write(peer.path("idp.xml"), ours).unwrap();

    let asked = peer.ask("login", &json!({}));
    let mut linus = Visitor::new(&world.url);
    let seen = log_in(&world, &mut linus, asked["url"].as_str().unwrap()).await;
    let (action, xml, relay) = posted(&seen);
    assert_eq!((action.as_str(), relay.as_str()), ("https://peer.example.com/acs", "deep"), "R-489");
    assert!(xml.contains("<saml:EncryptedAssertion") && !xml.contains("linus"), "{xml}");
    let (_, fields) = seen.form("continue");
    let response = &fields.iter().find(|(name, _)| name == "SAMLResponse").unwrap().1;
    let accepted = peer.ask("accept", &json!({ "SAMLResponse": response, "id": asked["id"] }));
    assert_eq!(accepted["name"].as_str().unwrap().len(), 52, "{accepted}");
    assert!(accepted["attributes"].to_string().contains("linus@acme.test"), "{accepted}");
    assert_eq!(accepted["class"], class, "{accepted}");

    if out == Out::ByServer {
        let ended = peer.ask("logout_by_server", &json!({}));
        assert_eq!((&ended["ok"], world.events("session_ended").await), (&json!(true), 1), "{ended}");
        world.stop().await;
        return;
    }
    let leaving = peer.ask("logout", &json!({}));
    let seen = linus.get(leaving["url"].as_str().unwrap()).await;
    // By redirect or by form, as its metadata says.
    let back = match &seen.leaves_to {
        Some(back) => {
            assert!(back.starts_with("https://peer.example.com/slo?SAMLResponse="), "{back}");
            json!({ "url": back, "id": leaving["id"] })
        }
        None => {
            let (action, fields) = seen.form("continue");
            assert_eq!(action, "https://peer.example.com/slo");
            let response = &fields.iter().find(|(name, _)| name == "SAMLResponse").unwrap().1;
            json!({ "SAMLResponse": response, "id": leaving["id"] })
        }
    };
    let ended = peer.ask("logged_out", &back);
    assert_eq!(ended["ok"], true);
    assert_eq!(world.events("session_ended").await, 1);
    world.stop().await;
}

fn python(script: &str) -> Vec<PathBuf> {
    vec![root().join(".cache/peers/venv/bin/python"), root().join("tests/peers").join(script)]
}

/// R-490, R-497, AC-45: pysaml2 with everything that it can ask for.
#[actix_web::test]
async fn pysaml2_logs_in_and_out() {
    let class = "urn:oasis:names:tc:SAML:2.0:ac:classes:MobileTwoFactorContract";
    in_and_out(python("pysaml2_sp.py"), ("RS256", class), Out::ByBrowser).await;
    in_and_out(python("pysaml2_sp.py"), ("RS256", class), Out::ByServer).await;
}

/// R-490, R-497, AC-45: python3-saml, strict.
#[actix_web::test]
async fn python3_saml_logs_in_and_out() {
    let class = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";
    in_and_out(python("python3_saml_sp.py"), ("RS256", class), Out::ByBrowser).await;
}

/// R-490, R-492, R-497, AC-45: node-saml, which asks for the multi-factor profile of REFEDS.
#[actix_web::test]
async fn node_saml_logs_in_and_out() {
    let peers: &Path = &root().join(".cache/peers");
    // The packages are looked for beside the script.
    let script = peers.join("node_saml_sp.js");
    std::fs::copy(root().join("tests/peers/node_saml_sp.js"), &script).unwrap();
    let class = "https://refeds.org/profile/mfa";
    in_and_out(vec![PathBuf::from("node"), script], ("RS256", class), Out::ByBrowser).await;
}

/// Apache with mod_auth_mellon, in a folder of its own.
struct Apache {
    base: String,
    folder: tempfile::TempDir,
    _running: Running,
}

const CONFIGURATION: &str = r##"
ServerRoot "FOLDER"
ServerName 127.0.0.1
Listen 127.0.0.1:PORT
User www-data
Group www-data
PidFile "FOLDER/pid"
DefaultRuntimeDir "FOLDER"
ErrorLog "FOLDER/error.log"
Mutex file:FOLDER default
LoadModule mpm_event_module MODULES/mod_mpm_event.so
LoadModule authn_core_module MODULES/mod_authn_core.so
LoadModule authz_core_module MODULES/mod_authz_core.so
LoadModule authz_user_module MODULES/mod_authz_user.so
LoadModule include_module MODULES/mod_include.so
LoadModule setenvif_module MODULES/mod_setenvif.so
LoadModule auth_mellon_module MODULES/mod_auth_mellon.so
DocumentRoot "FOLDER/www"
MellonLockFile "FOLDER/mellon.lock"
# Otherwise its cookie is SameSite=None, which browsers keep over HTTPS only.
SetEnvIf Request_URI "." MELLON_DISABLE_SAMESITE=1
<Location />
  MellonEnable info
  MellonEndpointPath /mellon
  MellonSPPrivateKeyFile "FOLDER/key.pem"
  MellonSPCertFile "FOLDER/cert.pem"
  MellonIdPMetadataFile "FOLDER/idp.xml"
  MellonSignatureMethod rsa-sha256
  MellonSecureCookie Off
  MellonSetEnv mail mail
</Location>
<Location /private>
  AuthType Mellon
  MellonEnable auth
  Require valid-user
  Options +Includes
  SetOutputFilter INCLUDES
</Location>
"##;

impl Apache {
    async fn new(metadata: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let signer = Signer::new();
        let peer = Peer::new(vec![PathBuf::from("apache2")], &signer, "");
        let folder = peer.folder;
        let at = |name: &str| folder.path().join(name);
        // The server gives its rights up after it has read its key.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir_all(at("www/private")).unwrap();
        let page =
            "<p id=\"user\"><!--#echo var=\"REMOTE_USER\" --></p><p id=\"mail\"><!--#echo var=\"MELLON_mail\" --></p>";
        std::fs::write(at("www/private/page.html"), page).unwrap();
        std::fs::write(at("www/bye.html"), "<p id=\"bye\">bye</p>").unwrap();
        std::fs::write(at("idp.xml"), metadata).unwrap();
        let port = free_port();
        let configuration = CONFIGURATION
            .replace("FOLDER", folder.path().to_str().unwrap())
            .replace("PORT", &port.to_string())
            .replace("MODULES", "/usr/lib/apache2/modules");
        std::fs::write(at("apache.conf"), configuration).unwrap();
        let child = Command::new("apache2")
            .args(["-D", "FOREGROUND", "-f"])
            .arg(at("apache.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("apache2-bin is installed by scripts/prepare test");
        let base = format!("http://127.0.0.1:{port}");
        let running = Running(child);
        answers(&format!("{base}/bye.html")).await;
        Self { base, folder, _running: running }
    }

    /// Waits for one of its pages; whatever else it shows has a reason in its log.
    async fn shows(&self, browser: &Chromium, id: &str) {
        for _ in 0..100 {
            let source = browser.client.source().await.unwrap();
            assert!(!source.contains("Bad Request") && !source.contains("Server Error"), "{}", self.log());
            if source.contains(&format!("id=\"{id}\"")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{}", self.log());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }
}

/// R-490, R-497, AC-45: a browser, a web server that protects a page with SAML, and we; in, and out again.
#[actix_web::test]
async fn mod_auth_mellon_protects_a_page_in_chromium() {
    let world = World::at_this_time(On::Sqlite).await;
    let ours = reqwest::get(format!("{}/saml/metadata", world.base())).await.unwrap().text().await.unwrap();
    let apache = Apache::new(&ours).await;
    let metadata = reqwest::get(format!("{}/mellon/metadata", apache.base)).await.unwrap().text().await.unwrap();
    std::fs::write(apache.folder.path().join("sp.xml"), &metadata).unwrap();
    let file = ACME.replace(
        "entity_id = \"https://wiki.example.com/sp\"\nacs_urls = [\"https://wiki.example.com/acs\"]",
        &format!(
            "metadata_file = \"{}\"\nrequire_signed_requests = true\nsigned = \"both\"",
            apache.folder.path().join("sp.xml").display()
        ),
    );
    world.apply(&file).await;
    world.advance(3);
    let browser = Chromium::new(DESKTOP).await;
    browser.go(&format!("{}/private/page.html", apache.base)).await;
    browser.fill("[autocomplete=username]", "linus").await;
    browser.press("continue").await;
    browser.fill("[autocomplete=current-password]", "has a token already").await;
    browser.press("continue").await;
    browser.fill("[autocomplete=one-time-code]", &passcode_of_linus(&world)).await;
    browser.press("continue").await;
    apache.shows(&browser, "mail").await;
    assert_eq!(browser.text("#mail").await, "linus@acme.test", "{}", apache.log());
    assert_eq!(browser.text("#user").await.len(), 41, "a transient name, as its metadata prefers");
    assert_eq!(world.events("assertion_issued").await, 1);
    browser.go(&format!("{0}/mellon/logout?ReturnTo={0}/bye.html", apache.base)).await;
    assert_eq!(browser.text("#bye").await, "bye", "{}", apache.log());
    assert_eq!(world.events("session_ended").await, 1);
    browser.go(&format!("{}/private/page.html", apache.base)).await;
    browser.wait("[autocomplete=username]").await;
    // In again, and out at our portal: Apache is told, and its session is over, too.
    browser.fill("[autocomplete=username]", "linus").await;
    browser.press("continue").await;
    browser.fill("[autocomplete=current-password]", "has a token already").await;
    browser.press("continue").await;
    world.advance(30);
    browser.fill("[autocomplete=one-time-code]", &passcode_of_linus(&world)).await;
    browser.press("continue").await;
    browser.wait("#mail").await;
    browser.go(&format!("{}/", world.base())).await;
    browser.press("log-out").await;
    browser.wait("[autocomplete=username]").await;
    assert_eq!(world.events("session_ended").await, 2);
    browser.go(&format!("{}/private/page.html", apache.base)).await;
    browser.wait("[autocomplete=username]").await;
    browser.close().await;
    world.stop().await;
}
