//! Logs to a syslog server: RFC 5424 messages over TLS (RFC 5425) or TCP (RFC 6587), counted in octets, or over UDP
//! (RFC 5426). How far each log was sent stands in the database, so a restart goes on where it was, and whoever switches this on
//! is not flooded with what was before.
//!
//! Syslog knows no receipts. So a connection is made for each batch, ended by us, and the batch counts as sent when the server has
//! ended it, too: then it has read everything. What is not certain is sent again; over UDP nothing is certain.

use std::io::Write;
use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use actix_web::{rt, web};
use anyhow::Context as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use crate::config::{SyslogSettings, SyslogWay};
use crate::domain::ids::{CorrelationId, TenantId};
use crate::domain::syslog::{Message, Severity};
use crate::domain::timestamp::Timestamp;
use crate::flow::administration::log_stream::{self, Line, Lines};
use crate::flow::administration::reports::Kind;
use crate::http::Site;
use crate::storage::{self, Connection, leases, log_positions, tenants};

/// How often it is looked whether there is something to send.
const EVERY: Duration = Duration::from_secs(2);
/// How long an instance sends before another may.
const SHIFT: Duration = Duration::from_secs(60);
/// Entries of one log in one batch.
const BATCH: usize = 500;
/// How long connecting, writing and waiting for the end may take, each.
const LONGEST: Duration = Duration::from_secs(10);
/// The longest message over a connection, and in a datagram: more is not sure to arrive (RFC 5426 3.2).
const LONGEST_MESSAGE: usize = 64 * 1024;
const LONGEST_DATAGRAM: usize = 2048;
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// Sends until the task is aborted.
pub(super) async fn forever(site: web::Data<Site>, owner: CorrelationId, settings: SyslogSettings) {
    let mut failures: u32 = 0;
    loop {
        match once(&site, owner, &settings).await {
            Ok(sent) => {
                if failures > 0 && sent > 0 {
                    tracing::info!("the syslog server takes messages again");
                    failures = 0;
                }
                if sent == 0 {
                    rt::time::sleep(EVERY).await;
                }
            }
            Err(error) => {
                let pause = (EVERY * 2_u32.saturating_pow(failures.min(10))).min(LONGEST_PAUSE);
                failures = failures.saturating_add(1);
                let (error, seconds) = (format!("{error:#}"), pause.as_secs());
                tracing::warn!(error, seconds, "the syslog server does not take messages; again after a pause");
                rt::time::sleep(pause).await;
            }
        }
    }
}

/// A part of a log that is to be sent.
struct Part {
    tenant: TenantId,
    kind: Kind,
    from: String,
    to: String,
}

/// Sends what there is, if no other instance does. Says how many messages.
///
/// # Errors
/// If the database fails or the server cannot be reached; then all of it is sent again.
pub async fn once(site: &Site, owner: CorrelationId, settings: &SyslogSettings) -> anyhow::Result<usize> {
    let house = &site.house;
    let now = house.clock.now();
    let mine = async |connection: &mut Connection| leases::acquire(connection, "syslog", owner, now, SHIFT).await;
    if !house.db.write_soon(mine).await? {
        return Ok(0);
    }
    let (mut parts, mut messages) = (Vec::new(), Vec::new());
    for code in house.db.look(async |connection| tenants::codes(connection).await).await? {
        let Some(config) = house.db.look(async |connection| tenants::config(connection, &code).await).await? else {
            continue;
        };
        let tenant = config.tenant.id;
        for kind in &settings.logs {
            let kind = *kind;
            let Some((from, Lines { lines, next, .. })) = waiting(site, &config, kind, now).await? else { continue };
            messages.extend(lines.iter().map(|line| message(settings, code.as_ref(), kind, line)));
            if from != next {
                parts.push(Part { tenant, kind, from, to: next });
            }
        }
    }
    let sent = messages.len();
    if sent > 0 {
        let settings = settings.clone();
        web::block(move || send(&settings, &messages)).await??;
    }
    if !parts.is_empty() {
        let moved = async |connection: &mut Connection| {
            for Part { tenant, kind, from, to } in &parts {
                log_positions::moved(*tenant, kind.id(), from, to, now).run(&mut *connection).await?;
            }
            Ok(())
        };
        house.db.write(moved).await?;
    }
    Ok(sent)
}

/// What waits of a log, and from where on; `None` if it begins only now.
async fn waiting(
    site: &Site,
    config: &crate::domain::tenant::TenantConfig,
    kind: Kind,
    now: Timestamp,
) -> storage::Result<Option<(String, Lines)>> {
    let (db, tenant) = (&site.house.db, config.tenant.id);
    let known = db.look(async |connection| log_positions::of(tenant, kind.id()).ask(connection).await).await?;
    let Some(from) = known else {
        let begin = async |connection: &mut Connection| {
            let end = log_stream::end(connection, tenant, kind, now).await?;
            log_positions::begin(connection, tenant, kind.id(), &end, now).await
        };
        db.write(begin).await?;
        return Ok(None);
    };
    let place = (Some(from.as_str()), None);
    let read = async |connection: &mut Connection| log_stream::read(connection, config, kind, place, BATCH, now).await;
    // A position is one that was written here.
    Ok(db.look(read).await?.ok().map(|lines| (from, lines)))
}

/// An entry as a message. Where it would be too long, values and details are left out: the log has them.
fn message(settings: &SyslogSettings, tenant: &str, kind: Kind, line: &Line) -> String {
    let (log, severity) = match kind {
        Kind::Access | Kind::Authentication => {
            let good = line.says.get("result").and_then(serde_json::Value::as_str) == Some("success");
            let severity = if good { Severity::Informational } else { Severity::Warning };
            (if kind == Kind::Access { "access" } else { "authentication" }, severity)
        }
        _ => ("audit", Severity::Notice),
    };
    let mut says = line.says.clone();
    if let Some(says) = says.as_object_mut() {
        says.insert("tenant".to_owned(), tenant.into());
        says.insert("cursor".to_owned(), line.cursor.clone().into());
    }
    let text = |says: &serde_json::Value| {
        let (facility, host) = (settings.facility, settings.host.as_str());
        Message { facility, severity, at: line.at, host, log, says }.text()
    };
    let most = if matches!(settings.way, SyslogWay::Udp) { LONGEST_DATAGRAM } else { LONGEST_MESSAGE };
    let whole = text(&says);
    if whole.len() <= most {
        return whole;
    }
    if let Some(says) = says.as_object_mut() {
        for column in ["old", "new", "detail"] {
            says.remove(column);
        }
        says.insert("cut".to_owned(), true.into());
    }
    text(&says)
}

/// Sends messages; blocks.
fn send(settings: &SyslogSettings, messages: &[String]) -> anyhow::Result<()> {
    let place = (settings.server.as_str(), settings.port);
    match &settings.way {
        SyslogWay::Udp => {
            let address = place.to_socket_addrs()?.next().context("the name of the syslog server has no address")?;
            let here = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(here)?;
            for message in messages {
                socket.send_to(message.as_bytes(), address).context("a datagram could not be sent")?;
            }
            Ok(())
        }
        SyslogWay::Tcp => {
            let mut stream = connect(place)?;
            write(&mut stream, messages)?;
            stream.shutdown(std::net::Shutdown::Write)?;
            wait_for_end(&mut stream)
        }
        SyslogWay::Tls(files) => {
            let name = ServerName::try_from(settings.server.clone()).context("syslog.url has no name of a server")?;
            let mut stream = StreamOwned::new(ClientConnection::new(tls(files)?, name)?, connect(place)?);
            write(&mut stream, messages)?;
            stream.conn.send_close_notify();
            stream.flush()?;
            stream.sock.shutdown(std::net::Shutdown::Write)?;
            wait_for_end(&mut stream)
        }
    }
}

fn connect(place: (&str, u16)) -> anyhow::Result<TcpStream> {
    let mut last = None;
    for address in place.to_socket_addrs().context("the name of the syslog server is not known")? {
        match TcpStream::connect_timeout(&address, LONGEST) {
            Ok(stream) => {
                stream.set_read_timeout(Some(LONGEST))?;
                stream.set_write_timeout(Some(LONGEST))?;
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.map_or_else(|| anyhow::anyhow!("its name has no address"), Into::into))
        .context("the syslog server does not answer")
}

/// Writes messages, each with the number of its octets in front (RFC 6587 3.4.1, RFC 5425 4.3).
fn write(stream: &mut impl Write, messages: &[String]) -> anyhow::Result<()> {
    let mut octets = Vec::new();
    for message in messages {
        octets.extend_from_slice(format!("{} {message}", message.len()).as_bytes());
    }
    stream.write_all(&octets).and_then(|()| stream.flush()).context("the syslog server stopped listening")
}

/// Waits until the other side ends the connection: it has read everything then.
fn wait_for_end(stream: &mut impl std::io::Read) -> anyhow::Result<()> {
    let mut part = [0; 512];
    loop {
        match stream.read(&mut part) {
            Ok(0) => return Ok(()),
            // Syslog servers have nothing to say; whatever it is, it is not for us.
            Ok(_) => {}
            // One that ends a connection without TLS's own farewell has ended it all the same.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error).context("it is not certain that the syslog server has read everything"),
        }
    }
}

/// How a server is believed, and how it may know us. The files are read anew for each batch: renewed ones count at once.
fn tls(files: &crate::config::SyslogTls) -> anyhow::Result<Arc<ClientConfig>> {
    let chain = |path: &std::path::Path| -> anyhow::Result<Vec<CertificateDer<'static>>> {
        let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
        found.with_context(|| format!("{} cannot be read", path.display()))
    };
    let mut roots = RootCertStore::empty();
    for authority in chain(&files.authorities)? {
        roots
            .add(authority)
            .with_context(|| format!("{} holds a certificate that is none", files.authorities.display()))?;
    }
    let builder = ClientConfig::builder_with_provider(super::tls::provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let config = match &files.own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::from_pem_file(&own.key)
                .with_context(|| format!("{} cannot be read", own.key.display()))?;
            builder.with_client_auth_cert(chain(&own.certificate)?, key)?
        }
    };
    Ok(Arc::new(config))
}
