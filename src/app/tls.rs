//! HTTPS without a proxy: certificate and key from files, TLS 1.2 and 1.3 as rustls has them.

use std::sync::Arc;

use anyhow::Context as _;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::TlsFiles;

/// The configuration of the listener.
///
/// # Errors
/// If a file cannot be read, or certificate and key do not belong together.
pub(super) fn config(files: &TlsFiles) -> anyhow::Result<ServerConfig> {
    let name = files.certificate.display();
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .with_context(|| format!("http.tls_certificate_file {name} cannot be read"))?;
    anyhow::ensure!(!chain.is_empty(), "http.tls_certificate_file {name} holds no certificate");
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .with_context(|| format!("http.tls_key_file {} cannot be read", files.key.display()))?;
    // Named here: with several cryptographic libraries linked, rustls would not choose one by itself.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("http.tls_certificate_file and http.tls_key_file do not belong together")
}
