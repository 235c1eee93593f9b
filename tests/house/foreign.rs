//! Relying parties that others wrote, against the real service: openid-client, Authlib, oidc-client-ts in Chromium, and
//! Apache with mod_auth_openidc. Versions are in docs/compatibility.md.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::{Chromium, DESKTOP, Running, answers, free_port};
use crate::relying_party::{application, linus};
use crate::visitor::Visitor;
use crate::world::{On, World};

const CALLBACK: &str = "http://127.0.0.1:9/cb";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A program that asks for addresses to be visited.
struct Program(Child);

impl Program {
    fn start(world: &World, command: &mut Command, id: &str) -> Self {
        let arguments = [world.base(), id.to_owned(), "a secret of the application".to_owned(), CALLBACK.to_owned()];
        let child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Self(child.expect("./test installs what the relying parties need"))
    }

    /// Lets it run, with this browser; what it found.
    async fn with(mut self, browser: &mut Visitor) -> Value {
        let mut lines = BufReader::new(self.0.stdout.take().unwrap());
        let mut answers = self.0.stdin.take().unwrap();
        loop {
            // Reading waits for the program, which waits for the service in another thread.
            let (back, line) = tokio::task::spawn_blocking(move || {
                let mut line = String::new();
                lines.read_line(&mut line).unwrap();
                (lines, line)
            })
            .await
            .unwrap();
            lines = back;
            let said: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("the program ended: {line}"));
            if let Some(found) = said.get("done") {
                self.0.wait().unwrap();
                return found.clone();
            }
            let seen = browser.get(said["visit"].as_str().unwrap()).await;
            let to = seen.leaves_to.unwrap_or_else(|| panic!("{} {}", seen.status, seen.body));
            writeln!(answers, "{to}").unwrap();
        }
    }
}

/// A service whose clock shows the real time, since others look at their own.
async fn world(name: &str) -> World {
    let world = World::at_this_time(On::Sqlite).await;
    let table = format!(
        "client_secret = \"a secret of the application\"\nrefresh_tokens = true\nredirect_uris = [\"{CALLBACK}\"]\n\
         post_logout_redirect_uris = [\"{CALLBACK}\"]\n"
    );
    world.apply(&application(name, &table)).await;
    world
}

fn check(found: &Value, world: &World) {
    assert_eq!(found["claims"]["iss"], world.base(), "{found}");
    assert_eq!(found["userinfo"]["email"], "linus@acme.test", "{found}");
    assert_eq!(found["userinfo"]["sub"], found["claims"]["sub"], "{found}");
    assert_eq!(found["introspected"]["active"], true, "{found}");
    assert_eq!(found["revoked"], json!({ "active": false }), "{found}");
}

/// openid-client (npm): login, UserInfo, refresh, introspection, revocation, PAR, DPoP with nonces, logout.
#[actix_web::test]
async fn openid_client_speaks_with_us() {
    let world = world("node").await;
    let mut linus = linus(&world).await;
    let script = root().join(".cache/foreign/openid_client.mjs");
    let found = Program::start(&world, Command::new("node").arg(script), "node").with(&mut linus).await;
    check(&found, &world);
    assert_eq!(found["renewed"], found["claims"]["sub"], "{found}");
    assert_eq!(found["refused"], "login_required", "{found}");
    assert_eq!(found["pushed"], found["claims"]["sub"], "{found}");
    assert_eq!(found["bound"].as_str().map(str::to_lowercase).as_deref(), Some("dpop"), "{found}");
    assert_eq!(found["boundUserinfo"]["sub"], found["claims"]["sub"], "{found}");
    let out = linus.get(found["logout"].as_str().unwrap()).await;
    assert_eq!(out.leaves_to.as_deref(), Some(CALLBACK), "{}", out.body);
    world.stop().await;
}

/// Authlib (PyPI): login with its own check of the ID Token, UserInfo, refresh, introspection, revocation.
#[actix_web::test]
async fn authlib_speaks_with_us() {
    let world = world("python").await;
    let mut linus = linus(&world).await;
    let python = root().join(".cache/venv/bin/python");
    let script = root().join("tests/foreign/authlib_rp.py");
    let found = Program::start(&world, Command::new(python).arg(script), "python").with(&mut linus).await;
    check(&found, &world);
    assert_eq!(found["renewed"], true, "{found}");
    world.stop().await;
}

/// Serves the files of the single-page application.
async fn serve_spa() -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", socket.local_addr().unwrap());
    let library = root().join(".cache/foreign/node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js");
    let library = std::fs::read_to_string(library).expect("./test installs oidc-client-ts");
    let page = std::fs::read_to_string(root().join("tests/foreign/spa.html")).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            let mut head = [0; 4096];
            let read = stream.read(&mut head).await.unwrap_or(0);
            let (kind, body) = match String::from_utf8_lossy(&head[..read]).contains("GET /oidc-client-ts.js") {
                true => ("text/javascript", &library),
                false => ("text/html", &page),
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
        }
    });
    address
}

/// oidc-client-ts in Chromium: a public client across origins, renewed by a refresh token, logged out again.
#[actix_web::test]
async fn a_single_page_application_speaks_with_us() {
    use fantoccini::Locator;
    let world = World::at_this_time(On::Sqlite).await;
    let spa = serve_spa().await;
    let table = format!(
        "token_endpoint_auth_method = \"none\"\nrefresh_tokens = true\nredirect_uris = [\"{spa}/\"]\n\
         post_logout_redirect_uris = [\"{spa}/?out\"]\n"
    );
    world.apply(&application("spa", &table)).await;
    let chromium = Chromium::new(DESKTOP).await;
    let client = &chromium.client;
    client.goto(&format!("{spa}/?issuer={}", world.base())).await.unwrap();
    let passcode = crate::story::passcode_of_linus(&world);
    for (field, text) in [("username", "linus"), ("password", "has a token already"), ("code", &passcode)] {
        let css = format!("input[name={field}]");
        let input = client.wait().at_most(Duration::from_secs(20)).for_element(Locator::Css(&css)).await;
        input.unwrap().send_keys(text).await.unwrap();
        client.find(Locator::Css("[data-action=continue]")).await.unwrap().click().await.unwrap();
    }
    let said = said(client).await;
    assert_eq!((said["email"].clone(), said["renewed"].clone()), (json!("linus@acme.test"), json!(true)), "{said}");
    client.execute("window.leave()", vec![]).await.unwrap();
    for _ in 0..100 {
        if serde_json::from_str::<Value>(&client.title().await.unwrap()).is_ok_and(|said| said["out"] == true) {
            chromium.client.clone().close().await.unwrap();
            world.stop().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("not logged out: {} {}", client.current_url().await.unwrap(), client.title().await.unwrap());
}

async fn said(client: &fantoccini::Client) -> Value {
    for _ in 0..200 {
        if let Ok(said) = serde_json::from_str::<Value>(&client.title().await.unwrap()) {
            return said;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the application says nothing: {}", client.current_url().await.unwrap());
}

/// Apache, with its configuration in a folder of its own.
fn apache(folder: &Path, port: u16, issuer: &str) -> Running {
    let modules = Path::new("/usr/lib/apache2/modules");
    let load = ["mpm_event", "authn_core", "authz_core", "authz_user", "dir", "auth_openidc"];
    let load =
        load.map(|name| format!("LoadModule {name}_module {}\n", modules.join(format!("mod_{name}.so")).display()));
    std::fs::create_dir_all(folder.join("htdocs/secure")).unwrap();
    std::fs::write(folder.join("htdocs/secure/index.html"), "the secret page").unwrap();
    std::fs::write(folder.join("htdocs/out.html"), "logged out").unwrap();
    let folder = folder.display();
    let configuration = format!(
        "{}ServerName 127.0.0.1\nServerRoot {folder}\nListen 127.0.0.1:{port}\nPidFile {folder}/pid\nErrorLog {folder}/log\n\
         DocumentRoot {folder}/htdocs\nDirectoryIndex index.html\n\
         OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration\nOIDCClientID apache\n\
         OIDCClientSecret \"a secret of the application\"\nOIDCRedirectURI http://127.0.0.1:{port}/secure/redirect\n\
         OIDCCryptoPassphrase something\nOIDCScope \"openid email\"\nOIDCPKCEMethod S256\nOIDCRemoteUserClaim email\n\
         OIDCPassClaimsAs headers\nOIDCSessionType server-cache\nOIDCCookieSameSite On\n\
         <Location /secure>\nAuthType openid-connect\nRequire valid-user\n</Location>\n",
        load.concat()
    );
    let file = format!("{folder}/httpd.conf");
    std::fs::write(&file, configuration).unwrap();
    let child = Command::new("apache2").args(["-X", "-f", &file]).stderr(Stdio::null()).spawn();
    Running(child.expect("apache2 is installed by ./test"))
}

/// Apache with mod_auth_openidc (Debian): login, and the end of its session told server to server.
#[actix_web::test]
async fn mod_auth_openidc_speaks_with_us() {
    let world = World::at_this_time(On::Sqlite).await;
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let home = format!("http://127.0.0.1:{port}");
    let table = format!(
        "client_secret = \"a secret of the application\"\nredirect_uris = [\"{home}/secure/redirect\"]\n\
         backchannel_logout_uri = \"{home}/secure/redirect?logout=backchannel\"\n"
    );
    world.apply(&application("apache", &table)).await;
    let _running = apache(folder.path(), port, &world.base());
    answers(&format!("{home}/out.html")).await;
    let (mut linus, mut there) = (linus(&world).await, Visitor::new(&home));
    let sent = there.get(&format!("{home}/secure/")).await;
    let back = linus.get(sent.leaves_to.as_deref().unwrap_or_else(|| panic!("{} {}", sent.status, sent.body))).await;
    let page = there.get(back.leaves_to.as_deref().unwrap_or_else(|| panic!("{} {}", back.status, back.body))).await;
    let log = || std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!((page.status, page.body.as_str()), (200, "the secret page"), "{}", log());
    assert_eq!(there.get(&format!("{home}/secure/")).await.body, "the secret page");
    let portal = linus.get(&format!("{}/", world.base())).await;
    linus.press(&portal, "log-out", &[]).await;
    for _ in 0..100 {
        if there.clone().get(&format!("{home}/secure/")).await.leaves_to.is_some() {
            world.stop().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("Apache was not told: {}", log());
}
