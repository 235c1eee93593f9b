//! Argon2id with the fastest instructions of this machine, and with memory that is used again.
//!
//! A program for every x86-64 machine may not be compiled for AVX2 or AVX-512, so the library chooses when it runs; on
//! the same machine that takes two thirds of the time of one that does not, or half with AVX-512. The library is young.
//! So it gets nothing but numbers, a password and a salt, reads no stored text, and is asked at each start for known
//! hashes, which an older library computes as well. Should they differ on some machine, the older one does the work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use argon2::{Algorithm, Argon2, Params, Version};
use argon2_rust::params::{Memory, TagLen};
use zeroize::Zeroizing;

/// Computes hashes. As many at the same time as there are callers; the callers are bounded elsewhere.
pub(super) struct Argon2id {
    /// Memory between two hashes, wiped; one for each hash that ran at the same time.
    hashers: Mutex<Vec<argon2_rust::Hasher>>,
    /// Whether something was hashed since [`Argon2id::rest`].
    busy: AtomicBool,
    /// Whether the fast library gave the right answers.
    trusted: bool,
}

impl std::fmt::Debug for Argon2id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Argon2id({})", argon2_rust::detected_backend())
    }
}

impl Argon2id {
    /// Compares the two libraries.
    pub(super) fn new() -> Self {
        let mut new = Self { hashers: Mutex::default(), busy: AtomicBool::new(false), trusted: true };
        new.trusted = new.agrees();
        if !new.trusted {
            tracing::error!(backend = %argon2_rust::detected_backend(), "the fast Argon2id is wrong on this machine");
        }
        new
    }

    /// The hash of `password` with `salt`, as long as `params` say.
    ///
    /// # Errors
    /// If Argon2 does not allow the parameters or the length of an input, or the memory cannot be had.
    pub(super) fn hash(&self, password: &[u8], salt: &[u8], params: &Params) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let mut tag = Zeroizing::new(vec![0; params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN)]);
        if self.trusted {
            self.fast(password, salt, params, &mut tag)?
        } else {
            slow(password, salt, params, &mut tag)?
        }
        Ok(tag)
    }

    /// Gives the memory back if nothing was hashed since the last call.
    pub(super) fn rest(&self) {
        if !self.busy.swap(false, Ordering::Relaxed) {
            self.hashers().clear();
        }
    }

    fn fast(&self, password: &[u8], salt: &[u8], params: &Params, tag: &mut [u8]) -> Result<(), Refused> {
        let wanted = argon2_rust::Params::builder()
            .memory(Memory::kib(params.m_cost().into()))
            .passes(params.t_cost())
            .lanes(params.p_cost())
            .threads(1)
            .tag_len(TagLen::bytes(tag.len().try_into().map_err(|_| Refused)?))
            .build()
            .map_err(|_| Refused)?;
        let argon2 = argon2_rust::Argon2::new(argon2_rust::Algorithm::Argon2id, argon2_rust::Version::V0x13, wanted);
        let idle = self.hashers().pop();
        let mut hasher = idle.unwrap_or_else(|| argon2.hasher());
        hasher.set_argon2(argon2);
        let hashed = hasher.hash_into(password, salt, tag);
        self.hashers().push(hasher);
        self.busy.store(true, Ordering::Relaxed);
        hashed.map_err(|_| Refused)
    }

    /// Two passes use both ways of addressing memory; 64 KiB of it take a tenth of a millisecond.
    fn agrees(&self) -> bool {
        [(64, 2, 1), (64, 1, 1), (96, 3, 2)].into_iter().all(|(memory, passes, lanes)| {
            let Ok(params) = Params::new(memory, passes, lanes, Some(32)) else { return false };
            let (mut one, mut other) = ([0; 32], [1; 32]);
            let known = (b"a password", b"sixteen octets..");
            self.fast(known.0, known.1, &params, &mut one).is_ok()
                && slow(known.0, known.1, &params, &mut other).is_ok()
                && one == other
        })
    }

    fn hashers(&self) -> MutexGuard<'_, Vec<argon2_rust::Hasher>> {
        // A panic while it is held cannot leave half an entry: pushing and taking are single steps.
        self.hashers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Argon2 does not allow these parameters or inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Argon2 does not allow these parameters or inputs")]
pub(super) struct Refused;

fn slow(password: &[u8], salt: &[u8], params: &Params, tag: &mut [u8]) -> Result<(), Refused> {
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    argon2.hash_password_into(password, salt, tag).map_err(|_| Refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_libraries_agree_on_this_machine_and_memory_is_given_back() {
        let argon2id = Argon2id::new();
        assert!(argon2id.trusted);
        assert_eq!(argon2id.hashers().len(), 1, "one hash after the other uses the same memory");
        argon2id.rest();
        assert_eq!(argon2id.hashers().len(), 1, "it was just used");
        argon2id.rest();
        assert!(argon2id.hashers().is_empty());
    }

    /// RFC 9106 5.3 has a secret and associated data, which we do not use; this is the reference program's answer to
    /// `echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1`, from its own tests.
    #[test]
    fn the_reference_program_says_the_same() {
        let params = Params::new(65_536, 2, 1, Some(32)).expect("allowed");
        let tag = Argon2id::new().hash(b"password", b"somesalt", &params).expect("allowed");
        let text: String = tag.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(text, "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn both_libraries_compute_the_same(
            password in proptest::collection::vec(any::<u8>(), 0..1100),
            salt in proptest::collection::vec(any::<u8>(), 8..48),
            (memory, passes, lanes) in (32u32..400, 1u32..4, 1u32..4),
        ) {
            let params = Params::new(memory, passes, lanes, Some(32)).expect("allowed");
            let mut other = [0; 32];
            slow(&password, &salt, &params, &mut other).expect("allowed");
            let tag = Argon2id::new().hash(&password, &salt, &params).expect("allowed");
            prop_assert_eq!(tag.as_slice(), other);
        }
    }
}
