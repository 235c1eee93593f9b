//! The configuration: as an operator types it, and as the service needs it.
//!
//! Three layers: `config/default.toml`, which is compiled in and documents every key; a file; and
//! environment variables. Unknown keys are faults, and all faults are reported at once.

pub mod document;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use toml::de::{DeTable, DeValue};
use url::{Host, Url};

use self::document::{Document, Fault, Faults};
use crate::domain::report::Kind;
use crate::domain::secret::{ExposeSecret as _, SecretString};
use crate::domain::signing_key::Overlap;
use crate::domain::syslog::Facility;
use crate::flow::HouseSettings;
use crate::flow::administration::log_stream::LOGS;
use crate::http::Apps;
use crate::keys::password::HashingSettings;
use crate::mail::transport::{MailSettings, Route};
use crate::telemetry::{Format, Level, TelemetrySettings};

/// Every key with its default and its documentation.
pub const DEFAULTS: &str = include_str!("../config/default.toml");

const PREFIX: &str = "VESTIBULE__";

/// The settings of the service, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen and how to be reached.
    pub http: Http,
    /// Networks beside public addresses that the service itself may call.
    pub egress: Vec<IpNet>,
    /// The database; may hold a password.
    pub database: SecretString,
    /// Where mail goes.
    pub mail: MailSettings,
    /// Where the key-encryption keys are.
    pub key_encryption_keys: KeySource,
    /// How signing keys are replaced.
    pub rotation: Rotation,
    /// How passwords are hashed.
    pub hashing: HashingSettings,
    /// Limits of the service as a whole.
    pub limits: HouseSettings,
    /// The authenticator apps that pages send people to.
    pub apps: Apps,
    /// The log.
    pub telemetry: TelemetrySettings,
    /// Where metrics are read.
    pub metrics: Option<SocketAddr>,
    /// Where logs are sent by syslog, if they are.
    pub syslog: Option<SyslogSettings>,
}

/// Where logs are sent by syslog, and how.
#[derive(Debug, Clone)]
pub struct SyslogSettings {
    /// How messages travel.
    pub way: SyslogWay,
    /// The name or address of the server.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// Which logs.
    pub logs: Vec<Kind>,
    /// From which part of the system the messages say that they are.
    pub facility: Facility,
    /// The host that the messages say they are from: that of `http.public_url`.
    pub host: String,
}

/// How syslog messages travel.
#[derive(Debug, Clone)]
pub enum SyslogWay {
    /// Encrypted, to a server that proves who it is (RFC 5425).
    Tls(SyslogTls),
    /// In clear, over a connection (RFC 6587).
    Tcp,
    /// In clear, in datagrams (RFC 5426).
    Udp,
}

/// Files in PEM for syslog over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyslogTls {
    /// The authorities that certify the server.
    pub authorities: PathBuf,
    /// Our own certificate and key, where the server asks for them.
    pub own: Option<TlsFiles>,
}

/// Where to listen and how to be reached.
#[derive(Debug, Clone)]
pub struct Http {
    /// Address and port.
    pub listen: SocketAddr,
    /// Where browsers reach the service; https, or http on a loopback name or in development.
    pub public_url: Url,
    /// Our own proxies.
    pub trusted_proxies: Vec<IpNet>,
    /// Certificate chain and key, where the service speaks TLS itself.
    pub tls: Option<TlsFiles>,
    /// Threads that answer requests; at least one.
    pub workers: usize,
    /// How long requests are still taken after a signal to stop, while `/readyz` says that no more are wanted.
    pub drain: Duration,
    /// How long running requests may take after that.
    pub shutdown: Duration,
}

/// Files in PEM for serving HTTPS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that sign it, in order.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Where the key-encryption keys come from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// The keys themselves, from the environment.
    Given(SecretString),
    /// A file that holds them; made with a new key when it is missing.
    File(PathBuf),
}

/// How signing keys are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// After this time; never by itself, if none.
    pub every: Option<Duration>,
    /// How long old and new keys overlap.
    pub overlap: Overlap,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Typed {
    http: TypedHttp,
    egress: TypedEgress,
    database: TypedDatabase,
    mail: TypedMail,
    keys: TypedKeys,
    passwords: TypedPasswords,
    limits: TypedLimits,
    apps: TypedApps,
    telemetry: TypedTelemetry,
    syslog: TypedSyslog,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TypedHttp {
    listen: String,
    public_url: String,
    development: bool,
    trusted_proxies: Vec<String>,
    tls_certificate_file: Option<PathBuf>,
    tls_key_file: Option<PathBuf>,
    workers: i64,
    drain_seconds: i64,
    shutdown_seconds: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TypedEgress {
    allow: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TypedDatabase {
    url: SecretString,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TypedMail {
    url: SecretString,
    from: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TypedKeys {
    key_encryption_key_file: PathBuf,
    key_encryption_key: Option<SecretString>,
    rotate_after_days: i64,
    publish_ahead_hours: i64,
    publish_after_hours: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TypedPasswords {
    memory_kib: i64,
    passes: i64,
    parallel: i64,
    longest_wait_seconds: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TypedLimits {
    wrong_secrets_per_address: i64,
    wrong_secrets_per_tenant: i64,
    claims_per_address: i64,
    codes_per_address: i64,
    codes_per_tenant: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TypedApps {
    ios_store_url: String,
    android_store_url: String,
    custom_scheme: String,
    ios_app_ids: Vec<String>,
    android_apps: Vec<TypedAndroidApp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TypedAndroidApp {
    package: String,
    certificates: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TypedTelemetry {
    format: String,
    level: String,
    personal_data: bool,
    metrics_listen: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TypedSyslog {
    url: String,
    logs: Vec<String>,
    facility: String,
    ca_file: Option<PathBuf>,
    certificate_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
}

impl Settings {
    /// Reads the settings from the file at `path`, if one is given, and `variables` of the environment.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place.
    pub fn load(
        path: Option<&std::path::Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Faults> {
        let Some(path) = path else { return Self::read(None, variables) };
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let words = format!("cannot be read: {error}");
            Faults(vec![Fault { place: name.clone(), key: String::new(), words }])
        })?;
        Self::read(Some((&name, &text)), variables)
    }

    /// Reads the settings from the text of a file, with its name, and `variables` of the environment.
    ///
    /// # Errors
    /// Everything that is wrong, each with its place.
    pub fn read(
        file: Option<(&str, &str)>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Faults> {
        let mut variables: Vec<(String, String)> = variables.into_iter().collect();
        variables.sort_unstable();
        let mut document = Document::parse("config/default.toml", DEFAULTS);
        if let Some((name, text)) = file {
            document.overlay(Document::parse(name, text));
        }
        for (name, value) in &variables {
            overlay_variable(&mut document, name, value);
        }
        let typed: Typed = document.read();
        let settings = Self::checked(&typed, &mut document);
        document.finish()?;
        settings.ok_or_else(|| Faults(Vec::new()))
    }

    /// `None` only together with a fault.
    fn checked(typed: &Typed, document: &mut Document<'_>) -> Option<Self> {
        let http = http(&typed.http, document);
        let egress = networks(document, "egress.allow", &typed.egress.allow);
        check_database(typed, document);
        let mail = mail(&typed.mail, document);
        let hours = |hours: u64| Duration::from_secs(hours * 3600);
        let days = number(document, "keys.rotate_after_days", typed.keys.rotate_after_days, 0, 3650);
        let lead = number(document, "keys.publish_ahead_hours", typed.keys.publish_ahead_hours, 1, 2160);
        let trail = number(document, "keys.publish_after_hours", typed.keys.publish_after_hours, 1, 2160);
        let rotation = Rotation {
            every: (days > 0).then(|| hours(days * 24)),
            overlap: Overlap { lead: hours(lead), trail: hours(trail) },
        };
        let key_encryption_keys = match &typed.keys.key_encryption_key {
            Some(text) => {
                if let Err(error) = crate::keys::sealing::Sealer::parse(text) {
                    document.fault("keys.key_encryption_key", error.to_string());
                }
                KeySource::Given(text.clone())
            }
            None => KeySource::File(typed.keys.key_encryption_key_file.clone()),
        };
        let hashing = hashing(&typed.passwords, document);
        let limits = &typed.limits;
        let wrong =
            number(document, "limits.wrong_secrets_per_address", limits.wrong_secrets_per_address, 1, 1_000_000);
        let of_tenant =
            number(document, "limits.wrong_secrets_per_tenant", limits.wrong_secrets_per_tenant, 1, 100_000_000);
        let claims = number(document, "limits.claims_per_address", limits.claims_per_address, 1, 1_000_000);
        let codes = number(document, "limits.codes_per_address", limits.codes_per_address, 1, 100_000_000);
        let codes_of_tenant = number(document, "limits.codes_per_tenant", limits.codes_per_tenant, 1, 100_000_000);
        let apps = apps(&typed.apps, document);
        let (telemetry, metrics) = telemetry(&typed.telemetry, document);
        let http = http?;
        let syslog = syslog(&typed.syslog, &http.public_url, document);
        Some(Self {
            http,
            egress,
            database: typed.database.url.clone(),
            mail: mail?,
            key_encryption_keys,
            rotation,
            hashing,
            limits: HouseSettings {
                wrong_secrets_per_address: i64::try_from(wrong).ok()?,
                wrong_secrets_per_tenant: i64::try_from(of_tenant).ok()?,
                claims_per_address: i64::try_from(claims).ok()?,
                codes_per_address: i64::try_from(codes).ok()?,
                codes_per_tenant: i64::try_from(codes_of_tenant).ok()?,
            },
            apps,
            telemetry: telemetry?,
            metrics,
            syslog,
        })
    }
}

/// Lays a variable of the environment over the document, if it is one of ours. The type of the default says how
/// its text is read: lists have commas between their entries.
fn overlay_variable<'a>(document: &mut Document<'a>, name: &'a str, value: &'a str) {
    let Some(path) = name.strip_prefix(PREFIX) else { return };
    let path = path.to_ascii_lowercase();
    let (section, key) = path.split_once("__").unwrap_or((path.as_str(), ""));
    let default = DeTable::parse(DEFAULTS).ok().and_then(|table| {
        let section = table.get_ref().get(section)?.get_ref().as_table()?;
        section.get(key).map(|value| value.get_ref().type_str())
    });
    let typed = match default {
        Some("array") => {
            let entries = value.trim().trim_start_matches('[').trim_end_matches(']').split(',');
            let entries = entries.map(|entry| entry.trim().trim_matches('"')).filter(|entry| !entry.is_empty());
            let spanned = |entry: &'a str| toml::Spanned::new(0..0, DeValue::String(entry.into()));
            Some(DeValue::Array(entries.map(spanned).collect()))
        }
        Some("boolean" | "integer") => DeValue::parse(value.trim())
            .ok()
            .map(toml::Spanned::into_inner)
            .filter(|value| value.is_bool() || value.is_integer()),
        _ => None,
    };
    let value = typed.unwrap_or_else(|| DeValue::String(value.into()));
    document.overlay_variable(name, section.to_owned(), key.to_owned(), value);
}

fn http(typed: &TypedHttp, document: &mut Document<'_>) -> Option<Http> {
    let listen = socket(document, "http.listen", &typed.listen);
    let public_url = public_url(typed, document);
    let trusted_proxies = networks(document, "http.trusted_proxies", &typed.trusted_proxies);
    let tls = match (&typed.tls_certificate_file, &typed.tls_key_file) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate: certificate.clone(), key: key.clone() }),
        (None, None) => None,
        (Some(_), None) => {
            document.fault("http.tls_key_file", "is missing, but tls_certificate_file is given");
            None
        }
        (None, Some(_)) => {
            document.fault("http.tls_certificate_file", "is missing, but tls_key_file is given");
            None
        }
    };
    let workers = number(document, "http.workers", typed.workers, 0, 256);
    let drain = number(document, "http.drain_seconds", typed.drain_seconds, 0, 300);
    let shutdown = number(document, "http.shutdown_seconds", typed.shutdown_seconds, 0, 300);
    Some(Http {
        listen: listen?,
        public_url: public_url?,
        trusted_proxies,
        tls,
        workers: or_processors(workers),
        drain: Duration::from_secs(drain),
        shutdown: Duration::from_secs(shutdown),
    })
}

fn public_url(typed: &TypedHttp, document: &mut Document<'_>) -> Option<Url> {
    const KEY: &str = "http.public_url";
    let Ok(url) = Url::parse(&typed.public_url) else {
        document.fault(KEY, "must be an absolute address such as https://login.example.com");
        return None;
    };
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if !bare || !url.username().is_empty() || url.password().is_some() {
        document.fault(KEY, "must be scheme, host and port only: no path, query, fragment or user");
        return None;
    }
    match url.scheme() {
        "https" => Some(url),
        "http" if typed.development || is_loopback(&url) => Some(url),
        "http" => {
            document.fault(
                KEY,
                "must be https; http is for loopback names (127.0.0.1, [::1], localhost) or development = true",
            );
            None
        }
        _ => {
            document.fault(KEY, "must begin with https://");
            None
        }
    }
}

/// Whether the host of `url` is this machine by definition (RFC 6761, 6.3).
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn check_database(typed: &Typed, document: &mut Document<'_>) {
    let url = typed.database.url.expose_secret();
    let sqlite = url.strip_prefix("sqlite://").is_some_and(|path| !path.is_empty());
    let mysql = Url::parse(url).is_ok_and(|url| url.scheme() == "mysql" && url.has_host() && url.path().len() > 1);
    if !sqlite && !mysql {
        document.fault("database.url", "must be sqlite://PATH or mysql://USER:PASSWORD@HOST/DATABASE");
    }
}

fn mail(typed: &TypedMail, document: &mut Document<'_>) -> Option<MailSettings> {
    let route = Route::parse(&typed.url).map_err(|words| document.fault("mail.url", words)).ok();
    let from = typed.from.parse().map_err(|_| {
        document
            .fault("mail.from", "must be a mail address, with or without a name: \"Vestibule <no-reply@example.com>\"");
    });
    Some(MailSettings { route: route?, from: from.ok()? })
}

fn hashing(typed: &TypedPasswords, document: &mut Document<'_>) -> HashingSettings {
    let mut checked =
        |key, value, least, most| u32::try_from(number(document, key, value, least, most)).unwrap_or(u32::MAX);
    let memory_kib = checked("passwords.memory_kib", typed.memory_kib, 8, 1_048_576);
    let passes = checked("passwords.passes", typed.passes, 1, 20);
    let parallel = checked("passwords.parallel", typed.parallel, 0, 1024);
    let wait = checked("passwords.longest_wait_seconds", typed.longest_wait_seconds, 1, 60);
    HashingSettings {
        memory_kib,
        passes,
        parallel: or_processors(parallel.into()),
        longest_wait: Duration::from_secs(wait.into()),
    }
}

fn apps(typed: &TypedApps, document: &mut Document<'_>) -> Apps {
    for (key, address) in
        [("apps.ios_store_url", &typed.ios_store_url), ("apps.android_store_url", &typed.android_store_url)]
    {
        if !Url::parse(address).is_ok_and(|url| url.scheme() == "https" && url.has_host()) {
            document.fault(key, "must be an https address");
        }
    }
    let word = |text: &str, more: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
    };
    if !typed.ios_app_ids.iter().all(|id| id.contains('.') && word(id, ".-")) {
        document.fault("apps.ios_app_ids", "must be application identifiers such as A1B2C3D4E5.com.example.app");
    }
    let good = |app: &TypedAndroidApp| {
        word(&app.package, "._")
            && !app.certificates.is_empty()
            && app.certificates.iter().all(|sum| is_fingerprint(sum))
    };
    if !typed.android_apps.iter().all(good) {
        let words = "must be { package = \"com.example.app\", certificates = [\"AB:CD:…\"] } with SHA-256 fingerprints";
        document.fault("apps.android_apps", words);
    }
    // RFC 3986, 3.1; a scheme that browsers treat in their own way would open something else than the app.
    let scheme = typed.custom_scheme.as_str();
    let known = ["http", "https", "ftp", "file", "data", "javascript", "blob", "about", "mailto", "tel", "ws", "wss"];
    if !scheme.starts_with(|c: char| c.is_ascii_lowercase())
        || !scheme.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c))
        || known.contains(&scheme)
    {
        document.fault("apps.custom_scheme", "must be a scheme of the app's own in small letters, such as example-app");
    }
    Apps {
        custom_scheme: typed.custom_scheme.clone(),
        ios_store_url: typed.ios_store_url.clone(),
        android_store_url: typed.android_store_url.clone(),
        ios_app_ids: typed.ios_app_ids.clone(),
        android_apps: typed.android_apps.iter().map(|app| (app.package.clone(), app.certificates.clone())).collect(),
    }
}

/// Whether a text is a SHA-256 fingerprint as build tools print it: 32 octets in hexadecimal with colons between them.
fn is_fingerprint(text: &str) -> bool {
    let octets: Vec<&str> = text.split(':').collect();
    octets.len() == 32 && octets.iter().all(|octet| octet.len() == 2 && octet.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn telemetry(typed: &TypedTelemetry, document: &mut Document<'_>) -> (Option<TelemetrySettings>, Option<SocketAddr>) {
    let format = typed.format.parse::<Format>().map_err(|error| document.fault("telemetry.format", error.to_string()));
    let level = typed.level.parse::<Level>().map_err(|error| document.fault("telemetry.level", error.to_string()));
    let metrics = if typed.metrics_listen.is_empty() {
        None
    } else {
        socket(document, "telemetry.metrics_listen", &typed.metrics_listen)
    };
    let personal_data = typed.personal_data;
    let settings =
        format.ok().zip(level.ok()).map(|(format, level)| TelemetrySettings { format, level, personal_data });
    (settings, metrics)
}

/// `None` where nothing is sent, and where something is wrong.
fn syslog(typed: &TypedSyslog, public: &Url, document: &mut Document<'_>) -> Option<SyslogSettings> {
    const ALLOWED: &str = "must be tls://HOST, tcp://HOST or udp://HOST, with :PORT where it is not 6514, 601 or 514";
    let mut logs = Vec::new();
    for name in &typed.logs {
        match LOGS.into_iter().find(|kind| kind.id().strip_suffix("_log") == Some(name)) {
            Some(kind) if logs.contains(&kind) => document.fault("syslog.logs", format!("names \"{name}\" twice")),
            Some(kind) => logs.push(kind),
            None => document.fault(
                "syslog.logs",
                format!("\"{name}\" is not a log: there are \"access\", \"authentication\" and \"audit\""),
            ),
        }
    }
    let facility = Facility::named(&typed.facility);
    if facility.is_none() {
        document.fault("syslog.facility", "must be \"auth\", \"authpriv\", \"audit\" or \"local0\" to \"local7\"");
    }
    let own = match (&typed.certificate_file, &typed.key_file) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate: certificate.clone(), key: key.clone() }),
        (None, None) => None,
        (Some(_), None) => {
            document.fault("syslog.key_file", "is missing, but certificate_file is given");
            None
        }
        (None, Some(_)) => {
            document.fault("syslog.certificate_file", "is missing, but key_file is given");
            None
        }
    };
    if typed.url.is_empty() {
        return None;
    }
    let url = Url::parse(&typed.url).ok().filter(|url| {
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        bare && url.username().is_empty() && url.password().is_none() && url.port() != Some(0)
    });
    let host = url.as_ref().and_then(Url::host_str).filter(|host| !host.is_empty());
    let (Some(url), Some(host)) = (&url, host) else {
        document.fault("syslog.url", ALLOWED);
        return None;
    };
    let (way, port) = match (url.scheme(), &typed.ca_file) {
        ("tls", Some(authorities)) => (SyslogWay::Tls(SyslogTls { authorities: authorities.clone(), own }), 6514),
        ("tls", None) => {
            document.fault("syslog.ca_file", "is missing: tls:// needs the authorities that certify the server");
            return None;
        }
        ("tcp", None) if own.is_none() => (SyslogWay::Tcp, 601),
        ("udp", None) if own.is_none() => (SyslogWay::Udp, 514),
        ("tcp" | "udp", _) => {
            document.fault("syslog.url", "must begin with tls:// where ca_file or certificate_file is given");
            return None;
        }
        _ => {
            document.fault("syslog.url", ALLOWED);
            return None;
        }
    };
    if logs.is_empty() {
        document.fault("syslog.logs", "names nothing: leave url empty to send nothing");
    }
    Some(SyslogSettings {
        way,
        server: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
        port: url.port().unwrap_or(port),
        logs,
        facility: facility?,
        host: public.host_str().unwrap_or_default().to_owned(),
    })
}

fn socket(document: &mut Document<'_>, key: &str, text: &str) -> Option<SocketAddr> {
    let parsed = text.parse().ok();
    if parsed.is_none() {
        document.fault(key, "must be an address and a port, such as 127.0.0.1:8080 or [::]:8080");
    }
    parsed
}

fn networks(document: &mut Document<'_>, key: &str, entries: &[String]) -> Vec<IpNet> {
    let mut networks = Vec::with_capacity(entries.len());
    for entry in entries {
        let parsed = entry.parse().or_else(|_| entry.parse::<std::net::IpAddr>().map(IpNet::from));
        match parsed {
            Ok(network) => networks.push(network),
            Err(_) => document.fault(key, format!("\"{entry}\" is not a network such as 10.0.0.0/8 or fd00::/8")),
        }
    }
    networks
}

/// The number, or `least` and a fault if it is not from `least` to `most`.
fn number(document: &mut Document<'_>, key: &str, value: i64, least: u64, most: u64) -> u64 {
    let number = u64::try_from(value).ok().filter(|number| (least..=most).contains(number));
    if number.is_none() {
        document.fault(key, format!("must be from {least} to {most}"));
    }
    number.unwrap_or(least)
}

/// The number, or that of the processors for 0.
fn or_processors(number: u64) -> usize {
    match usize::try_from(number) {
        Ok(0) | Err(_) => std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
        Ok(number) => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn faults(file: &str, variables: &[(&str, &str)]) -> String {
        Settings::read(Some(("v.toml", file)), with(variables)).expect_err("faults").to_string()
    }

    ///
    #[test]
    fn the_documented_defaults_are_valid_and_complete() {
        let settings = Settings::read(None, []).expect("the defaults are valid");
        assert_eq!(settings.http.listen.to_string(), "127.0.0.1:8080");
        assert_eq!((settings.hashing.memory_kib, settings.hashing.passes), (19_456, 2));
        assert_eq!(settings.rotation.overlap, Overlap::default());
        assert_eq!(settings.limits.claims_per_address, HouseSettings::default().claims_per_address);
        let codes = |limits: HouseSettings| (limits.codes_per_address, limits.codes_per_tenant);
        assert_eq!(codes(settings.limits), codes(HouseSettings::default()));
        // Optional keys stand there as comments; with all of them, every known key is documented.
        let optional = ["tls", "key_", "ca_", "certificate_"];
        let all = optional
            .iter()
            .fold(DEFAULTS.to_owned(), |all, key| all.replace(&format!("\n#{key}"), &format!("\n{key}")));
        let table: toml::Table = all.parse().expect("TOML");
        let unknown = faults(
            "[http]\nx = 1\n[egress]\nx = 1\n[database]\nx = 1\n[mail]\nx = 1\n[keys]\nx = 1\n\
            [passwords]\nx = 1\n[limits]\nx = 1\n[apps]\nx = 1\n[telemetry]\nx = 1\n[syslog]\nx = 1\n[x]\n",
            &[],
        );
        let known: Vec<&str> = unknown.split('`').skip(1).step_by(2).filter(|word| *word != "x").collect();
        assert_eq!(known.len(), 9 + 1 + 1 + 2 + 5 + 4 + 5 + 5 + 4 + 6 + 10, "{known:?}");
        for word in known {
            let there = table.contains_key(word) || table.values().any(|section| section.get(word).is_some());
            assert!(there, "{word} is not documented in config/default.toml");
        }
    }

    ///
    #[test]
    fn a_file_counts_more_than_the_defaults_and_a_variable_more_than_a_file() {
        let file = "[http]\nlisten = \"127.0.0.1:1\"\ntrusted_proxies = [\"10.0.0.0/8\"]\nworkers = 3\n";
        let variables = with(&[
            ("VESTIBULE__HTTP__LISTEN", "[::1]:2"),
            ("VESTIBULE__HTTP__WORKERS", "4"),
            ("VESTIBULE__HTTP__DEVELOPMENT", "true"),
            ("VESTIBULE__HTTP__PUBLIC_URL", "http://login.test"),
            ("VESTIBULE__EGRESS__ALLOW", "127.0.0.0/8, ::1"),
            ("PATH", "/bin"),
        ]);
        let settings = Settings::read(Some(("v.toml", file)), variables).expect("valid");
        assert_eq!(settings.http.listen.to_string(), "[::1]:2");
        assert_eq!((settings.http.workers, settings.http.trusted_proxies.len(), settings.egress.len()), (4, 1, 2));
    }

    ///
    #[test]
    fn all_faults_come_at_once_with_place_and_what_is_allowed() {
        let file = "[http]\nlisten = \"everywhere\"\npublic_url = \"http://login.example.com\"\nlisten_on = 1\n\
            tls_key_file = \"k\"\n[database]\nurl = \"postgres://x\"\n[mail]\nurl = \"ftp://x\"\n\
            [passwords]\npasses = 99\n[telemetry]\nformat = \"xml\"\n";
        let found = faults(file, &[("VESTIBULE__PASSWORDS__MEMORY_KIB", "lots"), ("VESTIBULE__NOTHING", "1")]);
        for expected in [
            "v.toml, line 2: http.listen: must be an address and a port",
            "v.toml, line 3: http.public_url: must be https;",
            "v.toml, line 4: http.listen_on: unknown field `listen_on`, expected one of `listen`,",
            "http.tls_certificate_file: is missing",
            "v.toml, line 7: database.url: must be sqlite://PATH or mysql://",
            "v.toml, line 9: mail.url: must be smtp://",
            "v.toml, line 11: passwords.passes: must be from 1 to 20",
            "v.toml, line 13: telemetry.format: must be \"text\" or \"json\"",
            "environment variable VESTIBULE__PASSWORDS__MEMORY_KIB: passwords.memory_kib: invalid type",
            "environment variable VESTIBULE__NOTHING: nothing",
        ] {
            assert!(found.contains(expected), "{expected}\n{found}");
        }
        assert!(!found.contains("login.example.com\""), "a value may be a secret and is not repeated: {found}");
    }

    ///
    #[test]
    fn where_logs_are_sent_is_checked_at_the_start() {
        for (bad, told) in [
            ("url = \"syslog.example.com\"", "line 2: syslog.url: must be tls://HOST"),
            ("url = \"http://syslog.example.com\"", "line 2: syslog.url: must be tls://HOST"),
            ("url = \"tcp://syslog.example.com/x\"", "line 2: syslog.url: must be tls://HOST"),
            ("url = \"tls://syslog.example.com\"", "syslog.ca_file: is missing"),
            ("url = \"tcp://h\"\nca_file = \"x\"", "line 2: syslog.url: must begin with tls://"),
            ("url = \"tcp://h\"\nlogs = [\"access\", \"mail\"]", "line 3: syslog.logs: \"mail\" is not a log"),
            ("url = \"tcp://h\"\nlogs = []", "line 3: syslog.logs: names nothing"),
            ("url = \"tcp://h\"\nfacility = \"kern\"", "line 3: syslog.facility: must be \"auth\""),
            ("key_file = \"k\"", "syslog.certificate_file: is missing"),
        ] {
            let found = faults(&format!("[syslog]\n{bad}\n"), &[]);
            assert!(found.contains(told), "{bad}: {found}");
        }
        let of =
            |text: &str| Settings::read(Some(("v.toml", &format!("[syslog]\n{text}\n"))), []).expect("valid").syslog;
        assert!(of("url = \"\"").is_none());
        let ports = ["tls://h\"\nca_file = \"c", "tcp://[::1]", "udp://h", "tcp://h:1514"].map(|url| {
            let settings = of(&format!("url = \"{url}\"")).expect("something is sent");
            (settings.server, settings.port, settings.logs.len())
        });
        let wanted = [("h", 6514), ("::1", 601), ("h", 514), ("h", 1514)];
        assert_eq!(ports, wanted.map(|(server, port)| (server.to_owned(), port, 3)));
    }

    ///
    #[test]
    fn what_apps_are_called_is_checked_at_the_start() {
        for (bad, key) in [
            ("ios_app_ids = [\"no team\"]", "apps.ios_app_ids"),
            ("android_apps = [{ package = \"com example\", certificates = [\"AB:CD\"] }]", "apps.android_apps"),
            ("android_apps = [{ package = \"com.example\", certificates = [] }]", "apps.android_apps"),
            ("android_apps = [{ package = \"com.example\", certificates = [\"AB:CD\"] }]", "apps.android_apps"),
            ("custom_scheme = \"java script\"", "apps.custom_scheme"),
            ("custom_scheme = \"https\"", "apps.custom_scheme"),
            ("ios_store_url = \"javascript:alert(1)\"", "apps.ios_store_url"),
            ("android_store_url = \"http://play.example.com/\"", "apps.android_store_url"),
        ] {
            let found = faults(&format!("[apps]\n{bad}\n"), &[]);
            assert!(found.contains(key), "{bad}: {found}");
        }
        let sum = ["AB"; 32].join(":");
        let file = format!(
            "[apps]\nios_app_ids = [\"A1B2C3D4E5.com.example.app\"]\ncustom_scheme = \"example-auth\"\n\
             android_apps = [{{ package = \"com.example.app\", certificates = [\"{sum}\"] }}]\n"
        );
        assert!(Settings::read(Some(("v.toml", &file)), []).is_ok());
    }

    ///
    #[test]
    fn http_is_for_loopback_names_or_development() {
        let public = |url: &str, development: bool| {
            let file = format!("[http]\npublic_url = \"{url}\"\ndevelopment = {development}\n");
            Settings::read(Some(("v.toml", &file)), []).is_ok()
        };
        for good in
            ["http://127.0.0.1:8080", "http://[::1]", "http://localhost:1", "http://acme.localhost", "https://x.test"]
        {
            assert!(public(good, false), "{good}");
        }
        for bad in [
            "http://x.test",
            "http://localhost.x.test",
            "https://x.test/path",
            "https://u:p@x.test",
            "ftp://x.test",
            "x",
        ] {
            assert!(!public(bad, false), "{bad}");
        }
        assert!(public("http://x.test", true));
    }

    /// T-74.
    #[test]
    fn passwords_in_the_configuration_do_not_print() {
        let file = "[database]\nurl = \"mysql://u:CANARY@h/d\"\n[mail]\nurl = \"smtps://u:CANARY@h\"\n";
        let settings = Settings::read(Some(("v.toml", file)), []).expect("valid");
        assert!(!format!("{settings:?}").contains("CANARY"));
    }
}
