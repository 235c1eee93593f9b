//! What SAML is made of besides signatures: reading a signed request, by redirect and by form. And whether many threads can
//! sign and read at once, or wait for each other at some lock.

use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use vestibule::clock::Entropy;
use vestibule::domain::application::{Application, Assignment, Protocol};
use vestibule::domain::ids::{ApplicationId, SigningKeyId};
use vestibule::domain::service_provider::{AcsUrl, ServiceProviderDraft};
use vestibule::domain::signing_key::SignatureAlgorithm;
use vestibule::domain::timestamp::Timestamp;
use vestibule::http::Form;
use vestibule::keys::certificate;
use vestibule::keys::signing::{RsaSize, SigningKey};
use vestibule::saml::sign::Signer;
use vestibule::saml::write::{ASSERTION, PROTOCOL, Tag};
use vestibule::saml::{incoming, request};

use crate::crypto::median;

/// Requests at the same time.
const THREADS: usize = 8;
/// How long each number of threads works.
const LENGTH: Duration = Duration::from_millis(800);
/// Where requests go to when only their reading is measured.
const NOWHERE: &str = "http://127.0.0.1/sso";

/// A service provider that signs its requests.
#[derive(Debug)]
pub struct Peer {
    key: SigningKey,
    certificate: Vec<u8>,
}

impl Peer {
    pub fn new() -> Result<Self> {
        let key = SigningKey::generate(SigningKeyId::from_bits(9), SignatureAlgorithm::Rs256, RsaSize::Bits2048)?;
        let certificate = certificate::self_signed(&key, "bench", now()?, &Entropy::System)?;
        Ok(Self { key, certificate })
    }

    /// Its certificate, in base64 of DER.
    pub fn certificate(&self) -> String {
        STANDARD.encode(&self.certificate)
    }

    fn signer(&self) -> Signer<'_> {
        Signer { key: &self.key, certificate: &self.certificate }
    }

    /// The signed query of its request `number` to `destination`.
    pub fn query(&self, entity: &str, destination: &str, number: u64) -> Result<String> {
        let xml = asked(entity, number)?.with("Destination", destination).canonical();
        Ok(self.signer().query("SAMLRequest", &xml, None)?)
    }

    /// The same as a form, with the signature inside.
    fn form(&self, entity: &str, destination: &str, number: u64) -> Result<String> {
        let tag = asked(entity, number)?.with("Destination", destination);
        let xml = self.signer().signed(&tag, &format!("_r{number}"), 1)?;
        Ok(format!("SAMLRequest={}", utf8_percent_encode(&STANDARD.encode(xml), NON_ALPHANUMERIC)))
    }
}

/// The query of a request that nobody signed.
pub fn query(entity: &str, number: u64) -> Result<String> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(asked(entity, number)?.canonical().as_bytes())?;
    let message = STANDARD.encode(encoder.finish()?);
    Ok(form_urlencoded::Serializer::new(String::new()).append_pair("SAMLRequest", &message).finish())
}

fn asked(entity: &str, number: u64) -> Result<Tag> {
    let instant: String = now()?.rfc3339().chars().take(19).collect();
    let request = Tag::new(PROTOCOL, "AuthnRequest").with("ID", format!("_r{number}")).with("Version", "2.0");
    let issuer = Tag::new(ASSERTION, "Issuer").text(entity);
    Ok(request.with("IssueInstant", instant + "Z").child(issuer))
}

#[expect(clippy::disallowed_methods, reason = "the server that is measured has the system's clock, so has the driver")]
fn now() -> Result<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Timestamp::from_seconds(i64::try_from(since.as_secs())?))
}

/// Milliseconds of processor time, the median of the repeats; and how much more several threads do than one.
#[derive(Debug, Clone, Copy)]
pub struct Saml {
    pub read_redirect: f64,
    pub read_form: f64,
    pub signing: f64,
    pub reading: f64,
}

/// Measures all of them.
pub fn measure(repeats: usize) -> Result<Saml> {
    let peer = Arc::new(Peer::new()?);
    let entity = "https://wiki.example.com/sp";
    let application = Arc::new(application(entity, &peer)?);
    let query: Arc<str> = peer.query(entity, NOWHERE, 1)?.into();
    let form: Arc<str> = peer.form(entity, NOWHERE, 1)?.into();
    let signing = {
        let peer = Arc::clone(&peer);
        move || {
            let xml = peer.signer().signed(&asked("x", 1)?, "_r1", 1)?;
            black_box(xml);
            Ok(())
        }
    };
    let reading = {
        let (application, form) = (Arc::clone(&application), Arc::clone(&form));
        move || read(&application, None, &form)
    };
    Ok(Saml {
        read_redirect: median(repeats, || read(&application, Some(&query), ""))?,
        read_form: median(repeats, || read(&application, None, &form))?,
        signing: at_once(signing)?,
        reading: at_once(reading)?,
    })
}

fn application(entity: &str, peer: &Peer) -> Result<Application> {
    let draft = ServiceProviderDraft {
        entity_id: Some(entity.to_owned()),
        acs_urls: vec![AcsUrl::Plain("https://wiki.example.com/acs".to_owned())],
        certificates: vec![peer.certificate()],
        require_signed_requests: Some(true),
        ..ServiceProviderDraft::default()
    };
    let provider = draft.check(None).map_err(|faults| anyhow::anyhow!("{faults:?}"))?;
    Ok(Application {
        id: ApplicationId::from_bits(1),
        name: "Wiki".to_owned(),
        active: true,
        launch_url: None,
        assignment: Assignment::Everyone,
        protocol: Protocol::Saml(Box::new(provider)),
    })
}

/// Reads a signed request as the door does, and is content with it.
fn read(application: &Application, query: Option<&str>, form: &str) -> Result<()> {
    let Protocol::Saml(provider) = &application.protocol else { anyhow::bail!("it is one") };
    let find = |id: &str| (id == provider.entity_id).then_some((application, provider.as_ref()));
    let incoming = match query {
        Some(query) => incoming::redirected(query, find)?,
        None => incoming::posted(&Form::parse(form.as_bytes()), find)?,
    };
    ensure!(incoming.signed, "it is signed");
    black_box(request::check(incoming, NOWHERE, now()?)?);
    Ok(())
}

/// How much more work several threads do at the same time than one does: about as much as there are processors, unless they
/// wait for each other.
fn at_once(work: impl Fn() -> Result<()> + Send + Sync + 'static) -> Result<f64> {
    let work = Arc::new(work);
    let of = |threads: usize| -> Result<f64> {
        let (over, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let begun = Instant::now();
        let running: Vec<_> = (0..threads)
            .map(|_| {
                let (work, over, done) = (Arc::clone(&work), Arc::clone(&over), Arc::clone(&done));
                std::thread::spawn(move || -> Result<()> {
                    while !over.load(Ordering::Relaxed) {
                        work()?;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        std::thread::sleep(LENGTH);
        over.store(true, Ordering::Relaxed);
        for thread in running {
            thread.join().ok().context("a thread failed")??;
        }
        let done = u32::try_from(done.load(Ordering::Relaxed))?;
        Ok(f64::from(done) / begun.elapsed().as_secs_f64())
    };
    let one = of(1)?;
    Ok(of(THREADS)? / one)
}
