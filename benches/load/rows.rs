//! The rows: what one operation is, and what it costs at least.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use clap::ValueEnum;
use vestibule::clock::Entropy;
use vestibule::demo::smtp::Mailbox;

use crate::client::{Browser, Seen};
use crate::drive::{Load, Progress};
use crate::saml::Peer;
use crate::server::{HELLO, Hello, Server};
use crate::world::{self, CALLBACK, PASSWORD, People, TENANT, VERIFIER};

/// How long a mail may take.
const LONGEST_MAIL: Duration = Duration::from_secs(20);

/// What is measured; the numbers are those of the table that we compare with (performance.md, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Row {
    /// W2: code and PKCE with password and passcode, then the tokens.
    FullLogin,
    /// W1: the same with a password only.
    PasswordLogin,
    /// W3: single sign-on again, ID token signed with RS256.
    SsoRs256,
    /// W3 with ES256.
    SsoEs256,
    /// W4: new tokens for a refresh token, ID token signed with RS256.
    Refresh,
    /// W5: UserInfo.
    Userinfo,
    /// W6: the discovery document and the key set; two requests.
    Metadata,
    /// W7: a SAML response from the session.
    Saml,
    /// W7 with the response signed as well as the assertion.
    SamlTwice,
    /// W7 for a request that is signed and verified.
    SamlSigned,
    /// W8: introspection of an access token.
    Introspection,
    /// W9 as we mean it: from the offer to the first passcode, with a real mail, a standard app.
    Provisioning,
}

/// Parts of a row's floor (performance.md, section 4).
#[derive(Debug, Clone, Copy, Default)]
pub struct Parts {
    pub requests: f64,
    pub commits: f64,
    pub lookups: f64,
    pub rs256: f64,
    pub es256: f64,
    pub hashes: f64,
    pub mails: f64,
    /// Milliseconds of what else must be done: reading XML, a passcode.
    pub else_ms: f64,
}

impl Row {
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullLogin => "W2 full login, password + passcode",
            Self::PasswordLogin => "W1 login, password only",
            Self::SsoRs256 => "W3 single sign-on again, RS256",
            Self::SsoEs256 => "W3 single sign-on again, ES256",
            Self::Refresh => "W4 refresh token, RS256",
            Self::Userinfo => "W5 UserInfo",
            Self::Metadata => "W6 discovery + JWKS",
            Self::Saml => "W7 SAML response from session",
            Self::SamlTwice => "W7 the same, two signatures",
            Self::SamlSigned => "W7 one, the request is signed",
            Self::Introspection => "W8 introspection",
            Self::Provisioning => "W9 self-provisioning, offer to passcode",
        }
    }

    /// The parts that the table's floor is made of. W9 is another operation than the table's, so its parts are ours:
    /// offer, mailed code, platform, first passcode, way back.
    pub const fn parts(self) -> Parts {
        let none = Parts {
            requests: 0.0,
            commits: 0.0,
            lookups: 0.0,
            rs256: 0.0,
            es256: 0.0,
            hashes: 0.0,
            mails: 0.0,
            else_ms: 0.0,
        };
        match self {
            Self::FullLogin => {
                Parts { requests: 5.0, commits: 4.0, lookups: 6.0, rs256: 1.0, hashes: 1.0, else_ms: 0.001, ..none }
            }
            Self::PasswordLogin => Parts { requests: 4.0, commits: 3.0, lookups: 6.0, rs256: 1.0, hashes: 1.0, ..none },
            Self::SsoRs256 => Parts { requests: 2.0, commits: 2.0, lookups: 5.0, rs256: 1.0, ..none },
            Self::SsoEs256 => Parts { requests: 2.0, commits: 2.0, lookups: 5.0, es256: 1.0, ..none },
            Self::Refresh => Parts { requests: 1.0, commits: 1.0, lookups: 2.0, rs256: 1.0, ..none },
            Self::Userinfo => Parts { requests: 1.0, lookups: 1.0, ..none },
            Self::Metadata => Parts { requests: 2.0, ..none },
            Self::Saml => Parts { requests: 1.0, lookups: 1.0, rs256: 1.0, else_ms: 0.02, ..none },
            Self::SamlTwice => Parts { requests: 1.0, lookups: 1.0, rs256: 2.0, else_ms: 0.02, ..none },
            Self::SamlSigned => Parts { requests: 1.0, lookups: 1.0, rs256: 1.0, else_ms: 0.03, ..none },
            Self::Introspection => Parts { requests: 1.0, lookups: 1.0, ..none },
            Self::Provisioning => {
                Parts { requests: 5.0, commits: 5.0, lookups: 10.0, mails: 1.0, else_ms: 0.001, ..none }
            }
        }
    }
}

/// One row against one running service.
#[derive(Debug)]
pub struct Driven<'a> {
    pub row: Row,
    pub server: &'a Server,
    pub people: &'a People,
    pub mail: &'a Mailbox,
    /// The service provider that signs.
    pub peer: &'a Peer,
    /// Enrollments that each client brings to the offer before the window.
    pub offers: usize,
}

/// What one client keeps.
pub struct Worker {
    client: reqwest::Client,
    /// Somebody who is logged in, for the rows that need it.
    browser: Browser,
    access_token: String,
    refresh_token: String,
    offers: Vec<(String, Browser, Seen)>,
    number: u64,
}

impl Load for Driven<'_> {
    type Worker = Worker;

    async fn prepare(&self) -> Result<Worker> {
        let client = client()?;
        let browser = Browser::new(&client, &self.server.url);
        // A SAML request is answered once, so no two workers count in the same range.
        let number = u64::from_be_bytes(Entropy::System.bytes()) >> 24;
        let (access_token, refresh_token) = (String::new(), String::new());
        let mut worker = Worker { client, browser, access_token, refresh_token, offers: Vec::new(), number };
        match self.row {
            Row::SsoRs256
            | Row::SsoEs256
            | Row::Saml
            | Row::SamlTwice
            | Row::SamlSigned
            | Row::Userinfo
            | Row::Introspection => {
                let (browser, code) = self.log_in(&worker, "notes").await?;
                worker.browser = browser;
                worker.access_token = self.redeem(&worker, "notes", &code).await?;
            }
            Row::Refresh => {
                let (_, code) = self.log_in(&worker, "mobile").await?;
                let (_, token) = self.tokens(&worker, "mobile", &exchange(&code)).await?;
                worker.refresh_token = token.context("no refresh token")?;
            }
            Row::Provisioning => {
                for _ in 0..self.offers {
                    let Some(name) = self.people.newcomer() else { break };
                    let (browser, seen) = self.after_password(&worker, "notes", &name).await?;
                    seen.expect("add-authenticator")?;
                    worker.offers.push((name, browser, seen));
                }
            }
            Row::FullLogin | Row::PasswordLogin | Row::Metadata => {}
        }
        Ok(worker)
    }

    async fn operate(&self, worker: &mut Worker) -> Result<Progress> {
        match self.row {
            Row::FullLogin => {
                let (_, code) = self.log_in(worker, "notes").await?;
                self.redeem(worker, "notes", &code).await?;
            }
            Row::PasswordLogin => {
                let (_, seen) = self.after_password(worker, "canteen", &self.people.anybody()).await?;
                self.redeem(worker, "canteen", &seen.sent("code")?).await?;
            }
            Row::SsoRs256 => self.again(worker, "notes").await?,
            Row::SsoEs256 => self.again(worker, "notes-es256").await?,
            Row::Refresh => self.refresh(worker).await?,
            Row::Userinfo => self.userinfo(worker).await?,
            Row::Introspection => self.introspect(worker).await?,
            Row::Metadata => self.metadata(worker).await?,
            Row::Saml | Row::SamlTwice | Row::SamlSigned => self.saml(worker).await?,
            Row::Provisioning => {
                let Some((name, browser, seen)) = worker.offers.pop() else { return Ok(Progress::UsedUp) };
                self.enroll(&name, browser, &seen).await?;
            }
        }
        Ok(Progress::Done)
    }

    fn cpu_seconds(&self) -> Result<f64> {
        self.server.cpu_seconds()
    }
}

impl Driven<'_> {
    /// A new browser, as far as the page after the password.
    async fn after_password(&self, worker: &Worker, application: &str, name: &str) -> Result<(Browser, Seen)> {
        let mut browser = Browser::new(&worker.client, &self.server.url);
        let seen = browser.get(&world::authorize(application)).await?;
        let seen = browser.press(&seen, "continue", &[("username", name)]).await?;
        ensure!(seen.body.contains("type=\"password\""), "no password is asked for: {}", seen.told());
        let seen = browser.press(&seen, "continue", &[("password", PASSWORD)]).await?;
        Ok((browser, seen))
    }

    /// A whole login with password and passcode in a new browser; gives the code.
    async fn log_in(&self, worker: &Worker, application: &str) -> Result<(Browser, String)> {
        let name = self.people.with_fresh_step().await;
        let (mut browser, seen) = self.after_password(worker, application, &name).await?;
        let passcode = self.people.passcode_of(&name)?;
        let seen = browser.press(&seen, "continue", &[("code", &passcode)]).await?;
        Ok((browser, seen.sent("code")?))
    }

    /// Redeems a code; gives the access token.
    async fn redeem(&self, worker: &Worker, client_id: &str, code: &str) -> Result<String> {
        let fields = exchange(code);
        Ok(self.tokens(worker, client_id, &fields).await?.0)
    }

    /// The access token and the refresh token, if there is one, that the token endpoint gives.
    async fn tokens(
        &self,
        worker: &Worker,
        client_id: &str,
        fields: &[(&str, &str)],
    ) -> Result<(String, Option<String>)> {
        let (status, body) = text(self.by_client(worker, "token", client_id).form(fields)).await?;
        let tokens: serde_json::Value = serde_json::from_str(&body).with_context(|| body.clone())?;
        let of = |name: &str| tokens.get(name).and_then(serde_json::Value::as_str);
        match (status, of("id_token"), of("access_token")) {
            (200, Some(id_token), Some(access_token)) if id_token.split('.').count() == 3 => {
                Ok((access_token.to_owned(), of("refresh_token").map(str::to_owned)))
            }
            _ => bail!("no tokens: {status} {body}"),
        }
    }

    /// A request of a client that proves itself.
    fn by_client(&self, worker: &Worker, endpoint: &str, client_id: &str) -> reqwest::RequestBuilder {
        let request = worker.client.post(format!("{}/t/{TENANT}/oidc/{endpoint}", self.server.url));
        request.basic_auth(client_id, Some("a%20secret%20of%20notes"))
    }

    async fn refresh(&self, worker: &mut Worker) -> Result<()> {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", worker.refresh_token.as_str())];
        let (_, next) = self.tokens(worker, "mobile", &fields).await?;
        worker.refresh_token = next.context("no refresh token")?;
        Ok(())
    }

    async fn introspect(&self, worker: &Worker) -> Result<()> {
        let request = self.by_client(worker, "introspect", "notes").form(&[("token", &worker.access_token)]);
        let (status, body) = text(request).await?;
        ensure!(status == 200 && body.contains("\"active\":true"), "{status} {body}");
        Ok(())
    }

    async fn again(&self, worker: &mut Worker, application: &str) -> Result<()> {
        let seen = worker.browser.get(&world::authorize(application)).await?;
        self.redeem(worker, application, &seen.sent("code")?).await.map(drop)
    }

    async fn userinfo(&self, worker: &Worker) -> Result<()> {
        let request = worker.client.get(format!("{}/t/{TENANT}/oidc/userinfo", self.server.url));
        let (status, body) = text(request.bearer_auth(&worker.access_token)).await?;
        ensure!(status == 200 && body.contains("\"sub\"") && body.contains("@bench.test"), "{status} {body}");
        Ok(())
    }

    async fn metadata(&self, worker: &Worker) -> Result<()> {
        for (path, part) in [(".well-known/openid-configuration", "\"jwks_uri\""), ("oidc/jwks", "\"keys\"")] {
            let request = worker.client.get(format!("{}/t/{TENANT}/{path}", self.server.url));
            let (status, body) = text(request).await?;
            ensure!(status == 200 && body.contains(part), "{path}: {status} {body}");
        }
        Ok(())
    }

    async fn saml(&self, worker: &mut Worker) -> Result<()> {
        worker.number += 1;
        let request = match self.row {
            Row::SamlSigned => {
                let address = format!("{}/t/{TENANT}/saml/sso", self.server.url);
                format!("/t/{TENANT}/saml/sso?{}", self.peer.query(world::ENTITY_SIGNS, &address, worker.number)?)
            }
            Row::SamlTwice => world::saml_request(world::ENTITY_TWICE, worker.number)?,
            _ => world::saml_request(world::ENTITY, worker.number)?,
        };
        let seen = worker.browser.get(&request).await?;
        let response = seen.field("SAMLResponse").with_context(|| format!("no response: {}", seen.told()))?;
        let xml = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(response)?)?;
        for part in ["<saml:Assertion", "SignatureValue", &format!("InResponseTo=\"_r{}\"", worker.number)] {
            ensure!(xml.contains(part), "no {part} in {xml}");
        }
        let signatures = if self.row == Row::SamlTwice { 2 } else { 1 };
        ensure!(xml.matches("<ds:Signature ").count() == signatures, "not {signatures} signatures in {xml}");
        Ok(())
    }

    /// From the offer to the first passcode, and back to the application.
    async fn enroll(&self, name: &str, mut browser: Browser, offer: &Seen) -> Result<()> {
        let seen = browser.press(offer, "add-authenticator", &[]).await?;
        seen.expect("resend-code")?;
        let code = self.mailed_code(&format!("{name}@bench.test")).await?;
        let seen = browser.press(&seen, "continue", &[("code", &code)]).await?;
        let seen = browser.press(&seen, "platform-oath_app", &[]).await?;
        let secret = seen.text_at("data-activation-string").with_context(|| seen.told())?.replace(' ', "");
        let passcode = world::passcode(&secret, world::step())?;
        let seen = browser.press(&seen, "continue", &[("code", &passcode)]).await?;
        seen.sent("code").map(drop)
    }

    async fn mailed_code(&self, address: &str) -> Result<String> {
        let begun = Instant::now();
        loop {
            if let Some(code) = self.mail.to(address).first().and_then(vestibule::demo::smtp::Mail::code) {
                return Ok(code);
            }
            ensure!(begun.elapsed() < LONGEST_MAIL, "no mail to {address}");
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
}

/// What the token endpoint wants for a code.
const fn exchange(code: &str) -> [(&str, &str); 4] {
    [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)]
}

/// The bare web server under the same clients: what one request costs.
impl Load for Hello {
    type Worker = reqwest::Client;

    async fn prepare(&self) -> Result<reqwest::Client> {
        client()
    }

    async fn operate(&self, client: &mut reqwest::Client) -> Result<Progress> {
        let (status, body) = text(client.get(&self.url)).await?;
        ensure!(status == 200 && body.len() == HELLO.len(), "{status}");
        Ok(Progress::Done)
    }

    fn cpu_seconds(&self) -> Result<f64> {
        Self::cpu_seconds(self)
    }
}

/// A client with a connection of its own that is kept.
fn client() -> Result<reqwest::Client> {
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    Ok(builder.pool_max_idle_per_host(1).tcp_nodelay(true).build()?)
}

async fn text(request: reqwest::RequestBuilder) -> Result<(u16, String)> {
    let answer = request.send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}
