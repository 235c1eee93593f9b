//! Password hashes: Argon2id, bounded, and the same for people who do not exist.
//!
//! One hash costs about ten milliseconds of a core and 19 MiB, more than everything else in a login
//! together. So at most as many run as there are cores; who would wait longer than two seconds is
//! sent away with "busy" before the machine drowns (T-68); and a name without an account costs what
//! a known one does (T-19).

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Argon2, Params, Version};
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::argon2id::{Argon2id, Refused};
use crate::clock::Entropy;
use crate::domain::secret::{ExposeSecret as _, SecretString};

/// The longest password that is looked at, in octets: more would only burn the server's time.
pub const LONGEST: usize = 1024;

/// How passwords are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashingSettings {
    /// Memory of one hash in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Hashes at the same time; usually the number of cores.
    pub parallel: usize,
    /// How long somebody may wait for a turn.
    pub longest_wait: Duration,
}

impl Default for HashingSettings {
    /// RFC 9106's low-memory recommendation as OWASP states it, one hash for each core.
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            passes: 2,
            parallel: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            longest_wait: Duration::from_secs(2),
        }
    }
}

/// Too many passwords are being checked at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being checked at this moment")]
pub struct Busy;

/// What a check of a password says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The password is right.
    pub right: bool,
    /// It is right, but its hash was made with other settings: hash it anew.
    pub outdated: bool,
}

/// Hashes and checks passwords, a bounded number at a time.
#[derive(Debug)]
pub struct PasswordHasher {
    argon2id: Arc<Argon2id>,
    params: Params,
    turns: Arc<Semaphore>,
    settings: HashingSettings,
    /// Checked in place of a hash that does not exist.
    nobody: String,
}

impl PasswordHasher {
    /// A hasher with these settings.
    ///
    /// # Errors
    /// If Argon2 does not allow the memory or the passes.
    pub fn new(settings: HashingSettings, entropy: &Entropy) -> Result<Self, argon2::Error> {
        let params = Params::new(settings.memory_kib, settings.passes, 1, None)?;
        // Nobody knows a password for random octets, and checking one against them costs what it always does.
        let nobody = written(&params, &entropy.bytes(), &entropy.bytes::<32>());
        let turns = Arc::new(Semaphore::new(settings.parallel.max(1)));
        Ok(Self { argon2id: Arc::new(Argon2id::new()), params, turns, settings, nobody })
    }

    /// Checks what was typed against a stored PHC string. Without one, a hash of nobody's is checked, so
    /// that the time does not tell whether there is an account, and the answer is "wrong".
    ///
    /// # Errors
    /// [`Busy`], after the longest wait.
    pub async fn verify(&self, typed: &SecretString, stored: Option<&str>) -> Result<Verdict, Busy> {
        let known = stored.is_some();
        let stored = stored.unwrap_or(&self.nobody).to_owned();
        let current = (self.settings.memory_kib, self.settings.passes);
        let typed = normalized(typed);
        self.in_turn(move |argon2id| {
            // A password that is too long is wrong, but costs the same.
            let acceptable = typed.len() <= LONGEST;
            let candidate: &[u8] = if acceptable { typed.as_bytes() } else { b"" };
            let Ok(parsed) = PasswordHash::new(&stored) else { return Verdict { right: false, outdated: false } };
            let right = fits(argon2id, candidate, &parsed) && acceptable && known;
            let made_with = Params::try_from(&parsed).map(|p| (p.m_cost(), p.t_cost())).ok();
            Verdict { right, outdated: right && made_with != Some(current) }
        })
        .await
    }

    /// Hashes a new password to a PHC string.
    ///
    /// # Errors
    /// [`Busy`], after the longest wait.
    pub async fn hash(&self, password: &SecretString, entropy: &Entropy) -> Result<String, Busy> {
        let password = normalized(password);
        let (salt, params) = (entropy.bytes::<16>(), self.params.clone());
        self.in_turn(move |argon2id| {
            let tag = argon2id.hash(password.as_bytes(), &salt, &params);
            // There is no other cause left than a machine without memory; it may have some in a moment.
            tag.map(|tag| written(&params, &salt, &tag)).map_err(|Refused| Busy)
        })
        .await?
    }

    /// Gives memory back that hashing has not needed for a while; called now and then.
    pub fn rest(&self) {
        self.argon2id.rest();
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce(&Argon2id) -> T + Send + 'static) -> Result<T, Busy> {
        let turn = tokio::time::timeout(self.settings.longest_wait, Arc::clone(&self.turns).acquire_owned());
        let turn = turn.await.map_err(|_| Busy)?.map_err(|_| Busy)?;
        let argon2id = Arc::clone(&self.argon2id);
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&argon2id)
        })
        .await
        .map_err(|_| Busy)
    }
}

/// Whether `text` is a hash that [`PasswordHasher::verify`] can check: a PHC string of Argon2id.
#[must_use]
pub fn is_hash(text: &str) -> bool {
    let parsed = PasswordHash::new(text);
    text.len() <= 300 && parsed.is_ok_and(|hash| hash.algorithm.as_str() == "argon2id" && hash.hash.is_some())
}

/// The form that is hashed: NFKC, so that a password typed on another keyboard is the same (NIST SP 800-63B).
fn normalized(password: &SecretString) -> Zeroizing<String> {
    Zeroizing::new(password.expose_secret().nfkc().collect())
}

/// Whether `password` has this hash.
fn fits(argon2id: &Argon2id, password: &[u8], stored: &PasswordHash) -> bool {
    let (Ok(params), Some(salt), Some(hash)) = (Params::try_from(stored), &stored.salt, &stored.hash) else {
        return false;
    };
    let ours = stored.algorithm == ARGON2ID_IDENT && stored.version == Some(Version::V0x13.into());
    if !ours || !params.keyid().is_empty() || !params.data().is_empty() {
        // Brought along from elsewhere, in a form that we never write.
        return Argon2::default().verify_password(password, stored).is_ok();
    }
    argon2id.hash(password, salt, &params).is_ok_and(|tag| tag.ct_eq(hash.as_bytes()).into())
}

/// A hash as it is stored: a PHC string.
fn written(params: &Params, salt: &[u8; 16], tag: &[u8]) -> String {
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).expect("three numbers are parameters"),
        salt: Some(Salt::new(salt).expect("16 octets are a salt")),
        hash: Some(Output::new(tag).expect("32 octets are a hash")),
    };
    hash.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick(parallel: usize, longest_wait: Duration) -> PasswordHasher {
        let settings = HashingSettings { memory_kib: 64, passes: 1, parallel, longest_wait };
        PasswordHasher::new(settings, &Entropy::seeded(1)).expect("settings that Argon2 allows")
    }

    /// T-64.
    #[tokio::test]
    async fn a_password_is_right_or_wrong_in_all_its_octets() {
        let hasher = quick(2, Duration::from_secs(5));
        for length in [1, 8, 64, 72, 73, 1024] {
            let password = SecretString::from("x".repeat(length - 1) + "a");
            let stored = hasher.hash(&password, &Entropy::seeded(2)).await.expect("not busy");
            let verdict = hasher.verify(&password, Some(&stored)).await.expect("not busy");
            assert_eq!(verdict, Verdict { right: true, outdated: false });
            let other = SecretString::from("x".repeat(length - 1) + "b");
            assert!(!hasher.verify(&other, Some(&stored)).await.expect("not busy").right, "{length}");
        }
        let long = SecretString::from("x".repeat(1025));
        let stored = hasher.hash(&SecretString::from(""), &Entropy::seeded(2)).await.expect("not busy");
        assert!(!hasher.verify(&long, Some(&stored)).await.expect("not busy").right);
    }

    /// T-19.
    #[tokio::test]
    async fn nobody_has_no_right_password_and_old_settings_are_noticed() {
        let hasher = quick(2, Duration::from_secs(5));
        assert!(!hasher.verify(&SecretString::from(""), None).await.expect("not busy").right);
        assert!(!hasher.verify(&SecretString::from("x"), Some("$2b$10$abc")).await.expect("not busy").right);
        let other = HashingSettings { memory_kib: 128, passes: 1, ..HashingSettings::default() };
        let other = PasswordHasher::new(other, &Entropy::seeded(1)).expect("settings that Argon2 allows");
        let stored = other.hash(&SecretString::from("pw"), &Entropy::seeded(3)).await.expect("not busy");
        let verdict = hasher.verify(&SecretString::from("pw"), Some(&stored)).await.expect("not busy");
        assert_eq!(verdict, Verdict { right: true, outdated: true });
    }

    /// Hashes that the other library wrote, also with parameters that we never choose, are checked as ever.
    #[tokio::test]
    async fn what_another_library_wrote_is_understood() {
        use argon2::password_hash::PasswordHasher as _;
        let hasher = quick(2, Duration::from_secs(5));
        let algorithms = [argon2::Algorithm::Argon2id, argon2::Algorithm::Argon2i];
        for (algorithm, version) in algorithms.into_iter().zip([Version::V0x13, Version::V0x10]) {
            let other = Argon2::new(algorithm, version, Params::new(96, 3, 2, Some(24)).expect("allowed"));
            let stored = other.hash_password_with_salt(b"pw", b"twelve octet").expect("hashed").to_string();
            let verdict = hasher.verify(&SecretString::from("pw"), Some(&stored)).await.expect("not busy");
            assert_eq!(verdict, Verdict { right: true, outdated: true }, "{stored}");
            assert!(!hasher.verify(&SecretString::from("PW"), Some(&stored)).await.expect("not busy").right);
        }
    }

    /// T-68.
    #[tokio::test]
    async fn a_full_queue_is_busy_instead_of_endless() {
        let hasher = quick(1, Duration::from_millis(20));
        let _taken = Arc::clone(&hasher.turns).acquire_owned().await.expect("open");
        assert_eq!(hasher.verify(&SecretString::from("x"), None).await, Err(Busy));
    }
}
