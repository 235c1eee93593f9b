//! The bare cryptography, with the functions that the house itself calls: what no request can go below.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use vestibule::clock::Entropy;
use vestibule::domain::ids::SigningKeyId;
use vestibule::domain::secret::SecretString;
use vestibule::domain::signing_key::SignatureAlgorithm;
use vestibule::keys::password::{HashingSettings, PasswordHasher};
use vestibule::keys::signing::{RsaSize, SigningKey};

use crate::drive::quantile;
use crate::world::PASSWORD;

/// How long each primitive runs in one repeat.
const LENGTH: Duration = Duration::from_millis(400);
/// The length of what is signed: an ID token.
const MESSAGE: [u8; 600] = [b'x'; 600];

/// Milliseconds of processor time of one operation each, the median of the repeats.
#[derive(Debug, Clone, Copy)]
pub struct Bare {
    pub argon2id: f64,
    /// The same hash while every other core makes one, too, as in a run: they share caches and memory.
    pub argon2id_together: f64,
    pub rs256: f64,
    pub es256: f64,
    pub sha256: f64,
}

/// Measures all of them. The hash of [`PASSWORD`] comes along, for the people of the bench.
pub fn measure(repeats: usize) -> Result<(Bare, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let hasher = PasswordHasher::new(HashingSettings::default(), &Entropy::System)?;
    let password = SecretString::from(PASSWORD.to_owned());
    let hash = runtime.block_on(hasher.hash(&password, &Entropy::System))?;
    let key = |algorithm| SigningKey::generate(SigningKeyId::from_bits(1), algorithm, RsaSize::Bits2048);
    let (rsa, ec) = (key(SignatureAlgorithm::Rs256)?, key(SignatureAlgorithm::Es256)?);
    let verify = || {
        let verdict = runtime.block_on(hasher.verify(&password, Some(&hash)));
        anyhow::ensure!(verdict?.right, "the bench's own password is wrong");
        Ok(())
    };
    let cores = HashingSettings::default().parallel;
    let together = || {
        let all = (0..cores).map(|_| hasher.verify(&password, Some(&hash)));
        for verdict in runtime.block_on(futures_util::future::join_all(all)) {
            anyhow::ensure!(verdict?.right, "the bench's own password is wrong");
        }
        Ok(())
    };
    let sign = |key: &SigningKey| {
        black_box(key.sign(black_box(&MESSAGE))?);
        Ok(())
    };
    let digest = || {
        black_box(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, black_box(&MESSAGE)));
        Ok(())
    };
    let bare = Bare {
        argon2id: median(repeats, verify)?,
        argon2id_together: median(repeats, together)? / cores as f64,
        rs256: median(repeats, || sign(&rsa))?,
        es256: median(repeats, || sign(&ec))?,
        sha256: median(repeats, digest)?,
    };
    Ok((bare, hash))
}

pub fn median(repeats: usize, work: impl Fn() -> Result<()>) -> Result<f64> {
    let mut all = (0..repeats).map(|_| one(&work)).collect::<Result<Vec<f64>>>()?;
    all.sort_by(f64::total_cmp);
    Ok(quantile(&all, 50))
}

fn one(work: &impl Fn() -> Result<()>) -> Result<f64> {
    work()?;
    let (begun, before) = (Instant::now(), own_cpu_ms()?);
    let mut done = 0.0;
    while begun.elapsed() < LENGTH {
        // The clock is looked at now and then only: it costs as much as a short digest.
        for _ in 0..16 {
            work()?;
        }
        done += 16.0;
    }
    Ok((own_cpu_ms()? - before) / done)
}

/// Processor time of this process so far, in nanoseconds' precision: of all its threads, for the hash is made on
/// another one.
fn own_cpu_ms() -> Result<f64> {
    let mut nanos = 0.0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        nanos += text.split_whitespace().next().context("schedstat is empty")?.parse::<f64>()?;
    }
    Ok(nanos / 1e6)
}
