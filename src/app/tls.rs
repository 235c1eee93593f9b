//! HTTPS without a proxy: certificate and key from files, TLS 1.2 and 1.3 as rustls has them. Files that are renewed are
//! taken without a restart, and a certificate that browsers will not like is said in the log.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix_web::web;
use anyhow::Context as _;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::x509::X509;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use url::Url;
use webpki::EndEntityCert;

use crate::config::TlsFiles;
use crate::domain::timestamp::Timestamp;
use crate::flow::certificates::Dated;
use crate::flow::watch;
use crate::http::Site;

/// How long before its end a certificate is said to expire.
const SOON: i64 = 21 * 86_400;

/// The certificate that the listener shows, which may be another one after the files were renewed.
#[derive(Debug)]
pub(super) struct Certificate {
    files: TlsFiles,
    current: RwLock<Arc<CertifiedKey>>,
}

/// What [`Certificate::renew`] found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    /// The same certificate as before.
    Same,
    /// Another one, which is shown from now on.
    Taken,
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// If a file cannot be read, or certificate and key do not belong together.
    pub(super) fn of(files: &TlsFiles) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self { files: files.clone(), current: RwLock::new(Arc::new(read(files)?)) }))
    }

    /// The configuration of the listener.
    ///
    /// # Errors
    /// If the TLS library refuses its own defaults.
    pub(super) fn config(self: Arc<Self>) -> anyhow::Result<ServerConfig> {
        Ok(ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self))
    }

    /// Reads the files again. Connections that begin from now on see what is in them.
    ///
    /// # Errors
    /// As [`Certificate::of`]; the certificate before stays.
    pub(super) fn renew(&self) -> anyhow::Result<Renewal> {
        let fresh = read(&self.files)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.cert == fresh.cert {
            return Ok(Renewal::Same);
        }
        *current = Arc::new(fresh);
        Ok(Renewal::Taken)
    }

    /// What browsers will not like about it, see [`worries`].
    pub(super) fn worries(&self, public: &Url, now: Timestamp) -> Vec<String> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        current.cert.first().map(|leaf| worries(leaf, public, now)).unwrap_or_default()
    }
}

impl Certificate {
    /// Until when it says it is good.
    fn dated(&self) -> Option<Dated> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        let not_after = seconds(X509::from_der(current.cert.first()?).ok()?.not_after())?;
        let what = "the TLS certificate that browsers are shown".to_owned();
        Some(Dated { what, not_after: Timestamp::from_seconds(not_after) })
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// Named here: with several cryptographic libraries linked, rustls would not choose one by itself.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn read(files: &TlsFiles) -> anyhow::Result<CertifiedKey> {
    let name = files.certificate.display();
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .with_context(|| format!("http.tls_certificate_file {name} cannot be read"))?;
    anyhow::ensure!(!chain.is_empty(), "http.tls_certificate_file {name} holds no certificate");
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("http.tls_key_file {} cannot be read", files.key.display()))?;
    CertifiedKey::from_der(chain, key, &provider())
        .context("http.tls_certificate_file and http.tls_key_file do not belong together")
}

/// What browsers will not like about a certificate at `now`, each as the end of a sentence that begins with "the TLS
/// certificate": that it expires within 21 days, is not valid yet, is self-signed, or is for another host (R-594).
pub(super) fn worries(leaf: &CertificateDer<'_>, public: &Url, now: Timestamp) -> Vec<String> {
    let (Ok(parsed), Ok(webpki)) = (X509::from_der(leaf), EndEntityCert::try_from(leaf)) else {
        return vec!["cannot be read as an X.509 certificate".to_owned()];
    };
    let mut worries = Vec::new();
    let (Some(begins), Some(ends)) = (seconds(parsed.not_before()), seconds(parsed.not_after())) else {
        return vec!["has a validity that cannot be read".to_owned()];
    };
    let left = ends - now.seconds();
    if left <= 0 {
        worries.push(format!("expired at {}", Timestamp::from_seconds(ends).rfc3339()));
    } else if left <= SOON {
        worries.push(format!("expires at {}, in {} days", Timestamp::from_seconds(ends).rfc3339(), left / 86_400));
    }
    if now.seconds() < begins {
        worries.push(format!("is not valid before {}", Timestamp::from_seconds(begins).rfc3339()));
    }
    if webpki.issuer() == webpki.subject() {
        worries.push("is self-signed: browsers and authenticator apps refuse it".to_owned());
    }
    let host = public.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let suits = |name| webpki.verify_is_valid_for_subject_name(&name).is_ok();
    if !ServerName::try_from(host).is_ok_and(suits) {
        worries.push(format!("is not for {host}, the host of http.public_url"));
    }
    worries
}

/// A certificate's time in seconds since 1970.
fn seconds(time: &Asn1TimeRef) -> Option<i64> {
    let since = Asn1Time::from_unix(0).ok()?.diff(time).ok()?;
    Some(i64::from(since.days) * 86_400 + i64::from(since.secs))
}

/// How often the files are read again.
const LOOK: Duration = Duration::from_secs(60);
/// How many looks make a day: then what is worrying is said again.
const DAY: u32 = 24 * 60;

/// Takes renewed files, and says once a day what is worrying about the certificate. Ends when its task is aborted.
pub(super) async fn watch(certificate: Arc<Certificate>, public: Url, site: web::Data<Site>) {
    let house = &site.house;
    let say = async || {
        let now = house.clock.now();
        for worry in certificate.worries(&public, now) {
            tracing::warn!(file = %certificate.files.certificate.display(), "the TLS certificate {worry}");
        }
        // Whoever does not read the log gets an alert.
        if let Some(dated) = certificate.dated()
            && let Err(error) = watch::own_certificate(house, &dated, now).await
        {
            tracing::warn!(%error, "operators cannot be told of the TLS certificate");
        }
    };
    let mut broken = false;
    say().await;
    loop {
        for _ in 0..DAY {
            actix_web::rt::time::sleep(LOOK).await;
            match certificate.renew() {
                Ok(Renewal::Same) => broken = false,
                Ok(Renewal::Taken) => {
                    broken = false;
                    tracing::info!(file = %certificate.files.certificate.display(), "took a renewed TLS certificate");
                    say().await;
                }
                // Certificate and key are two files: between the two, they do not belong together.
                Err(error) if !broken => {
                    broken = true;
                    tracing::warn!(
                        error = format!("{error:#}"),
                        "the TLS files cannot be used; the certificate before stays"
                    );
                }
                Err(_) => {}
            }
        }
        say().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    const NOW: i64 = 1_800_000_000;

    fn issued(host: &str, days: i64, own: bool) -> (String, String) {
        issued_at(NOW, host, days, own)
    }

    /// A certificate for `host` that is valid from a day before `now` to some days after, and its key; signed by an
    /// authority unless it is self-signed.
    fn issued_at(now: i64, host: &str, days: i64, own: bool) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([host.to_owned()]).expect("parameters");
        params.distinguished_name.push(rcgen::DnType::CommonName, "the service");
        let at = |seconds| time::OffsetDateTime::from_unix_timestamp(seconds).expect("a time");
        (params.not_before, params.not_after) = (at(now - 86_400), at(now + days * 86_400));
        if own {
            return (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem());
        }
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(rcgen::DnType::CommonName, "an authority");
        let issuer = Issuer::new(authority, KeyPair::generate().expect("a key"));
        (params.signed_by(&key, &issuer).expect("a certificate").pem(), key.serialize_pem())
    }

    fn leaf(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
    }

    /// each of the worries by itself, at its border, and none where all is well.
    #[test]
    fn what_browsers_will_not_like_is_said() {
        let public: Url = "https://login.example.com/".parse().expect("an address");
        let of = |pem: &str, at: i64| worries(&leaf(pem), &public, Timestamp::from_seconds(at));
        let good = issued("login.example.com", 90, false).0;
        assert_eq!(of(&good, NOW), Vec::<String>::new());
        assert_eq!(of(&good, NOW + 69 * 86_400 - 1), Vec::<String>::new());
        for (pem, at, word) in [
            (&good, NOW + 69 * 86_400, "expires at 2027-04-15T08:00:00Z, in 21 days"),
            (&good, NOW + 90 * 86_400, "expired at 2027-04-15T08:00:00Z"),
            (&good, NOW - 2 * 86_400, "is not valid before"),
            (&issued("login.example.com", 90, true).0, NOW, "is self-signed"),
            (&issued("www.example.com", 90, false).0, NOW, "is not for login.example.com"),
            (&issued("example.com", 90, false).0, NOW, "is not for login.example.com"),
        ] {
            let found = of(pem, at);
            assert!(found.len() == 1 && found.iter().all(|worry| worry.starts_with(word)), "{word}: {found:?}");
        }
        assert_eq!(of(&issued("*.example.com", 90, false).0, NOW), Vec::<String>::new(), "a wildcard suits");
        let local: Url = "https://127.0.0.1:8443/".parse().expect("an address");
        let address = issued("127.0.0.1", 90, false).0;
        assert_eq!(worries(&leaf(&address), &local, Timestamp::from_seconds(NOW)), Vec::<String>::new());
    }

    /// renewed files are shown to whoever connects next; files that do not belong together change nothing.
    #[actix_web::test]
    async fn renewed_files_are_taken_without_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = TlsFiles { certificate: folder.path().join("c.pem"), key: folder.path().join("k.pem") };
        let write = |(certificate, key): &(String, String)| {
            std::fs::write(&files.certificate, certificate).expect("written");
            std::fs::write(&files.key, key).expect("written");
        };
        // The client below looks at the clock on the wall.
        let fresh = || issued_at(crate::clock::Clock::System.now().seconds(), "localhost", 90, true);
        let (first, second) = (fresh(), fresh());
        write(&first);
        let certificate = Certificate::of(&files).expect("read");
        let config = Arc::new(certificate.clone().config().expect("a configuration"));
        let shown = || certificate.current.read().expect("there").cert.first().cloned().expect("a certificate");
        assert_eq!((certificate.renew().expect("read"), shown()), (Renewal::Same, leaf(&first.0)));
        // The certificate is there already, its key not yet.
        std::fs::write(&files.certificate, &second.0).expect("written");
        assert!(certificate.renew().is_err());
        assert_eq!(shown(), leaf(&first.0));
        write(&second);
        assert_eq!((certificate.renew().expect("read"), shown()), (Renewal::Taken, leaf(&second.0)));
        // And a client that trusts only the second certificate comes through, with the configuration made before.
        let mut roots = rustls::RootCertStore::empty();
        roots.add(leaf(&second.0)).expect("a root");
        let client = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").expect("a name");
        let mut client = rustls::ClientConnection::new(Arc::new(client), name).expect("a client");
        let mut server = rustls::ServerConnection::new(config).expect("a server");
        for _ in 0..4 {
            let mut wire = Vec::new();
            client.write_tls(&mut wire).expect("written");
            server.read_tls(&mut wire.as_slice()).expect("read");
            server.process_new_packets().expect("the server agrees");
            let mut wire = Vec::new();
            server.write_tls(&mut wire).expect("written");
            client.read_tls(&mut wire.as_slice()).expect("read");
            client.process_new_packets().expect("the client trusts what it is shown");
        }
        assert!(!client.is_handshaking() && !server.is_handshaking());
    }
}
