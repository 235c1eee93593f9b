//! The only place where everything is wired: database, keys, doors, background jobs, listeners.
//!
//! It defines no rules. [`open`] makes a [`Site`] of settings, [`doors`] registers every route, [`Service`]
//! listens and stops gracefully.

mod account;
pub mod audit;
pub mod commands;
mod doubt;
pub mod exchange;
pub mod explain;
pub mod feeds;
pub mod health;
pub mod helpdesk;
pub mod jobs;
pub mod kek;
pub mod metrics;
pub mod preflight;
pub mod provision;
pub mod provisioning;
pub mod recovery;
pub mod rollout;
pub mod syslog;
mod tls;
pub mod token_pin;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{ServerHandle, ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpServer, web};
use anyhow::Context as _;

use crate::clock::{Clock, Entropy};
use crate::config::{KeySource, Settings};
use crate::domain::secret::ExposeSecret as _;
use crate::egress::Egress;
use crate::flow::House;
use crate::http::key_sets::KeySets;
use crate::http::{Fault, HttpSettings, Outside, Site, assets, headers, tenant};
use crate::i18n::Texts;
use crate::keys::password::PasswordHasher;
use crate::mail::transport::Transport;
use crate::saml::described;
use crate::storage::{Db, installation};
use crate::urls::Urls;
use crate::{api, oidc, pages, saml};

use health::Health;
use metrics::Metrics;

/// The longest body of a request: forms are far shorter, and a SAML request may have some ten KiB.
const LONGEST_BODY: usize = 64 * 1024;
/// How long the head of a request may take to arrive.
const HEAD: Duration = Duration::from_secs(10);
/// How long a request may take until its answer begins; a body that trickles in ends here.
const ANSWER: Duration = Duration::from_secs(30);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Connections of one worker; more wait in the listener's queue.
const MOST_CONNECTIONS: usize = 8192;

/// What is done about a schema that is older than this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// It is brought up to date.
    Migrate,
    /// The service does not start: an operator migrates by hand.
    Expect,
}

/// Where time and randomness come from; tests bring their own.
#[derive(Debug)]
pub struct Nature {
    /// The time.
    pub clock: Clock,
    /// Randomness.
    pub entropy: Entropy,
}

impl Default for Nature {
    fn default() -> Self {
        Self { clock: Clock::System, entropy: Entropy::System }
    }
}

/// Connects to the database and brings its schema up to date, or expects that it is.
///
/// # Errors
/// If the database cannot be reached, or its schema is older or newer than this program.
pub async fn database(settings: &Settings, schema: Schema) -> anyhow::Result<Db> {
    let db = Db::connect(settings.database.expose_secret()).await.context("the database cannot be opened")?;
    match schema {
        Schema::Migrate => db.migrate().await.context("the database cannot be migrated")?,
        Schema::Expect => {
            let (known, applied) = db.migrations().await?;
            anyhow::ensure!(applied <= known, "the database's schema is of a newer version of this program");
            anyhow::ensure!(
                known == applied,
                "the database has {applied} of {known} migrations; run `vestibule migrate` first"
            );
        }
    }
    Ok(db)
}

/// Whether there is something in the database already that only the key opens which it was made with.
async fn is_sealed(settings: &Settings) -> anyhow::Result<bool> {
    let db = Db::connect(settings.database.expose_secret()).await.context("the database cannot be opened")?;
    let root = db.look(async |connection| installation::root_sealed(connection).await).await;
    db.close().await;
    match root {
        Ok(root) => Ok(root.is_some()),
        Err(error) if error.is_no_table() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Opens everything that the doors need.
///
/// # Errors
/// If the database, the key-encryption key or the settings of password hashing cannot be used.
pub async fn open(settings: &Settings, schema: Schema, nature: Nature) -> anyhow::Result<Site> {
    let Nature { clock, entropy } = nature;
    let keys = &settings.key_encryption_keys;
    let lacking = matches!(keys, KeySource::File(path) if !path.exists()) && is_sealed(settings).await?;
    let sealer = Arc::new(if lacking { kek::existing(keys)? } else { kek::sealer(keys, &entropy)? });
    let db = database(settings, schema).await?;
    let passwords = PasswordHasher::new(settings.hashing, &entropy)
        .map_err(|error| anyhow::anyhow!("passwords: Argon2 refuses the settings: {error}"))?;
    let egress = Egress::new(settings.egress.clone());
    let house = House::open(db, sealer, passwords, clock, entropy, egress, settings.limits).await.context(
        "the installation's root secret does not open; is the key-encryption key the one that this database was made with?",
    )?;
    Ok(Site {
        house,
        urls: Urls::new(&settings.http.public_url),
        texts: Texts::default(),
        key_sets: KeySets::default(),
        settings: HttpSettings { trusted_proxies: settings.http.trusted_proxies.clone(), apps: settings.apps.clone() },
        reads_metadata: described::read_metadata,
        outside: outside(settings.clone()),
    })
}

/// What pages may ask of the roof.
fn outside(settings: Settings) -> Outside {
    let settings = Arc::new(settings);
    Outside::new(move |site, look| {
        let settings = Arc::clone(&settings);
        Box::pin(async move { preflight::look(&settings, site, look).await })
    })
}

/// Registers every route of the service.
pub fn doors(config: &mut web::ServiceConfig) {
    config
        .app_data(web::PayloadConfig::new(LONGEST_BODY))
        .app_data(web::FormConfig::default().limit(LONGEST_BODY))
        .app_data(web::JsonConfig::default().limit(LONGEST_BODY))
        .configure(health::configure)
        .service(
            web::scope(tenant::ABOVE)
                .wrap(from_fn(tenant::taken_out))
                .configure(oidc::configure)
                .configure(saml::configure)
                .configure(api::configure)
                .configure(pages::configure),
        )
        .configure(assets::configure)
        .configure(pages::association::configure)
        .configure(oidc::configure_above)
        .default_service(web::route().to(headers::nothing_here));
}

/// Ends a request whose answer does not begin in time.
async fn in_time(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    match tokio::time::timeout(ANSWER, next.call(request)).await {
        Ok(answer) => answer,
        Err(_) => Err(Fault::Busy.into()),
    }
}

/// The running service.
pub struct Service {
    /// Where it listens.
    pub address: SocketAddr,
    /// What its doors have at hand; tests look into the database through it.
    pub site: web::Data<Site>,
    health: web::Data<Health>,
    server: actix_web::dev::Server,
    jobs: Vec<actix_web::rt::task::JoinHandle<()>>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Service({})", self.address)
    }
}

impl Service {
    /// Opens everything, starts the background jobs and begins to answer on `listener`.
    ///
    /// # Errors
    /// Whatever keeps the service from starting.
    pub async fn start(
        settings: &Settings,
        listener: TcpListener,
        schema: Schema,
        nature: Nature,
    ) -> anyhow::Result<Self> {
        let transport = Transport::new(&settings.mail).context("mail")?;
        let certificate = settings.http.tls.as_ref().map(tls::Certificate::of).transpose()?;
        let address = listener.local_addr()?;
        let site = web::Data::new(open(settings, schema, nature).await?);
        let health = web::Data::new(Health::default());
        let metrics = web::Data::new(Metrics::default());
        let server = {
            let (site, health, metrics) = (site.clone(), health.clone(), metrics.clone());
            let factory = move || {
                App::new()
                    .app_data(site.clone())
                    .app_data(health.clone())
                    .app_data(metrics.clone())
                    .configure(doors)
                    .wrap(from_fn(in_time))
                    .wrap(from_fn(headers::around))
                    .wrap(from_fn(metrics::count))
            };
            HttpServer::new(factory)
        };
        let stopping = health.clone();
        let drain = settings.http.drain;
        let server = server
            .workers(settings.http.workers)
            .client_request_timeout(HEAD)
            .keep_alive(KEEP_ALIVE)
            .max_connections(MOST_CONNECTIONS)
            .tcp_nodelay(true)
            .shutdown_timeout(settings.http.shutdown.as_secs())
            .shutdown_signal(async move {
                told_to_stop().await;
                // Whoever distributes requests sees that no more are wanted before connections are refused.
                stopping.stop();
                tracing::info!("told to stop; finishing what runs");
                tokio::time::sleep(drain).await;
            });
        let server = match &certificate {
            Some(certificate) => server.listen_rustls_0_23(listener, certificate.clone().config()?)?,
            None => server.listen(listener)?,
        };
        let mut jobs = jobs::start(settings, &site, transport);
        if let Some(certificate) = certificate {
            let public = settings.http.public_url.clone();
            jobs.push(actix_web::rt::spawn(tls::watch(certificate, public, site.clone())));
        }
        if let Some(address) = settings.metrics {
            jobs.push(actix_web::rt::spawn(metrics::serve(address, site.clone(), metrics)?));
        }
        Ok(Self { address, site, health, server: server.run(), jobs })
    }

    /// Stops the service from another task.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        self.server.handle()
    }

    /// Answers until told to stop by SIGTERM, SIGINT or [`Service::handle`]; finishes what runs.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn run(self) -> anyhow::Result<()> {
        let result = self.server.await;
        self.health.stop();
        for job in self.jobs {
            job.abort();
            // Its connections are given back while the runtime still lives. That it was cancelled is what was wanted.
            let _ = job.await;
        }
        self.site.house.db.close().await;
        Ok(result?)
    }
}

/// Serves until told to stop: the command `vestibule serve`.
///
/// # Errors
/// Whatever keeps the service from starting.
pub async fn serve(settings: &Settings, schema: Schema) -> anyhow::Result<()> {
    let address = settings.http.listen;
    let listener = bind(address).with_context(|| format!("cannot listen on {address}"))?;
    let service = Service::start(settings, listener, schema, Nature::default()).await?;
    let (listen, public_url) = (service.address, &settings.http.public_url);
    let said = async { tracing::info!(%listen, %public_url, "ready") };
    // Signals are waited for before it says so: whoever reads that may tell it to stop at once.
    tokio::select! {
        biased;
        () = end_when_told_twice() => Ok(()),
        (done, ()) = async { tokio::join!(service.run(), said) } => done,
    }
}

/// Ends the program at once when it is told to stop a second time: whoever says it again does not want to wait for what runs. That is
/// tried again by whoever asked, as after a crash.
async fn end_when_told_twice() {
    told_to_stop().await;
    told_to_stop().await;
    tracing::warn!("told to stop a second time; what runs is not finished");
    std::process::exit(1);
}

/// A listener that takes over the address of one that has just ended.
fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Waits for SIGTERM or SIGINT.
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupted = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminated) => tokio::select! {
            _ = terminated.recv() => {}
            _ = interrupted => {}
        },
        Err(_) => drop(interrupted.await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(folder: &tempfile::TempDir, listener: &TcpListener) -> Settings {
        let file = format!(
            "[http]\npublic_url = \"http://{1}\"\nworkers = 1\ndrain_seconds = 0\nshutdown_seconds = 2\n\
             [database]\nurl = \"sqlite://{0}/v.db\"\n[keys]\nkey_encryption_key_file = \"{0}/kek\"\n\
             [mail]\nurl = \"file://{0}/mail\"\n[passwords]\nmemory_kib = 64\npasses = 1\n",
            folder.path().display(),
            listener.local_addr().expect("an address"),
        );
        Settings::read(Some(("v.toml", &file)), []).expect("valid")
    }

    /// ready, limited, neutral about what is not there, and stopping cleanly.
    ///
    #[actix_web::test]
    async fn a_service_starts_answers_and_stops() {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let settings = settings(&folder, &listener);
        let service = Service::start(&settings, listener, Schema::Migrate, Nature::default()).await.expect("starts");
        let (base, handle, health) = (format!("http://{}", service.address), service.handle(), service.health.clone());
        let running = actix_web::rt::spawn(service.run());
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let status =
            async |path: &str| client.get(format!("{base}{path}")).send().await.expect("an answer").status().as_u16();
        assert_eq!((status("/healthz").await, status("/readyz").await), (200, 200));
        assert_eq!((status("/t/nobody/").await, status("/etc/passwd").await), (404, 404));
        // Where the virtual server's code should stand is nothing, or not an address that has one.
        let long = format!("/t/{}/oidc/jwks", "x".repeat(60_000));
        for path in ["/t", "/t/", "/t//", "/t//oidc/jwks", "/tea/oidc/jwks", "/oidc/jwks", long.as_str()] {
            assert_eq!(status(path).await, 404, "{path}");
        }
        let foreign = client.get(format!("{base}/t/acme/")).header("host", "evil.example").send().await;
        assert_eq!(foreign.expect("an answer").status().as_u16(), 421, "T-25");
        let long = client.get(format!("{base}/{}", "x".repeat(200_000))).send().await;
        assert!(long.is_err() || long.is_ok_and(|answer| answer.status().is_client_error()), "R-602");
        health.stop();
        assert_eq!((status("/healthz").await, status("/readyz").await), (200, 503));
        handle.stop(true).await;
        running.await.expect("ends").expect("without a fault");
    }

    /// numbers for Prometheus are read at an address of their own, and nowhere else.
    #[actix_web::test]
    async fn numbers_are_served_on_a_private_port() {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let private = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let settings = Settings { metrics: Some(private), ..settings(&folder, &listener) };
        let service = Service::start(&settings, listener, Schema::Migrate, Nature::default()).await.expect("starts");
        let (base, handle) = (format!("http://{}", service.address), service.handle());
        let running = actix_web::rt::spawn(service.run());
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        let public = client.get(format!("{base}/metrics")).send().await.expect("an answer");
        assert_eq!(public.status().as_u16(), 404);
        let told = client.get(format!("http://{private}/metrics")).send().await.expect("an answer");
        assert_eq!(told.headers()["content-type"], "text/plain; version=0.0.4");
        let text = told.text().await.expect("text");
        for line in ["# TYPE vestibule_requests_total counter", "vestibule_requests_total{status=\"4xx\"} 1"] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        assert!(text.contains("vestibule_request_seconds_bucket{le=\"+Inf\"} 1"), "{text}");
        handle.stop(true).await;
        running.await.expect("ends").expect("without a fault");
    }

    ///
    #[actix_web::test]
    async fn an_older_schema_is_refused_where_migrating_is_not_wanted() {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let settings = settings(&folder, &listener);
        let error = open(&settings, Schema::Expect, Nature::default()).await.expect_err("refused").to_string();
        assert!(error.contains("vestibule migrate"), "{error}");
    }

    #[test]
    fn certificate_and_key_must_belong_together() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let write = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path
        };
        let certificate = write("cert.pem", key.cert.pem());
        let right = write("key.pem", key.signing_key.serialize_pem());
        let wrong = write("other.pem", other.signing_key.serialize_pem());
        let files = |key| crate::config::TlsFiles { certificate: certificate.clone(), key };
        assert!(tls::Certificate::of(&files(right)).is_ok());
        let error = format!("{:#}", tls::Certificate::of(&files(wrong)).expect_err("another key"));
        assert!(error.contains("do not belong together"), "{error}");
        assert!(tls::Certificate::of(&files(folder.path().join("missing"))).is_err());
    }
}
