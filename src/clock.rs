//! Time and randomness: the only two places where they enter the program.
//!
//! Everything below the doors takes a [`Timestamp`] and an [`Entropy`] as arguments, so that a test
//! can hold the clock still and repeat a run (architecture.md, style rule 14).

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng, TryRng as _};

use crate::domain::ids::Id;
use crate::domain::secret::SecretBytes;
use crate::domain::timestamp::Timestamp;

/// Where the time comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock, in UTC.
    System,
    /// A clock that stands still until a test moves it.
    Test(TestClock),
}

impl Clock {
    /// The time now. Doors call this once per request and pass the answer down.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the one place where the machine's clock is read")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_micros(i64::try_from(since_1970.as_micros()).unwrap_or(i64::MAX))
            }
            Self::Test(clock) => Timestamp::from_micros(clock.0.load(Ordering::SeqCst)),
        }
    }
}

/// A clock in the hands of a test; clones show the same time.
#[derive(Debug, Clone)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.micros())))
    }

    /// Moves the clock forward by `span`.
    pub fn advance(&self, span: Duration) {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }

    /// Sets the clock back by `span`, as happens to a machine whose clock was wrong.
    pub fn set_back(&self, span: Duration) {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_sub(micros, Ordering::SeqCst);
    }
}

/// Where random octets come from.
#[derive(Debug)]
pub enum Entropy {
    /// The operating system's generator (T-65).
    System,
    /// A repeatable sequence, for tests only.
    Seeded(Box<Mutex<StdRng>>),
}

impl Entropy {
    /// A repeatable sequence that starts from `seed`. Never used by the service itself.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Box::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// Fills `buffer` with random octets.
    ///
    /// # Panics
    /// If the operating system cannot give randomness: nothing safe can be done without it.
    pub fn fill(&self, buffer: &mut [u8]) {
        match self {
            Self::System => {
                SysRng.try_fill_bytes(buffer).expect("the operating system's random generator answers");
            }
            Self::Seeded(generator) => generator
                .lock()
                .expect("a test's generator is never poisoned: filling does not panic")
                .fill_bytes(buffer),
        }
    }

    /// `N` random octets.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A secret of `length` random octets.
    #[must_use]
    pub fn secret(&self, length: usize) -> SecretBytes {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes);
        SecretBytes::new(bytes)
    }

    /// A new identifier.
    #[must_use]
    pub fn id<Of>(&self) -> Id<Of> {
        Id::from_bits(u128::from_be_bytes(self.bytes()))
    }

    /// A number from 0 to `bound - 1`, each equally likely: draws are rejected instead of folded (T-65).
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        assert!(bound > 0, "a range of numbers is not empty");
        let limit = u64::MAX - u64::MAX % bound;
        loop {
            let drawn = u64::from_be_bytes(self.bytes());
            if drawn < limit {
                return drawn % bound;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seeded_run_repeats_and_the_system_does_not() {
        assert_eq!(Entropy::seeded(7).bytes::<16>(), Entropy::seeded(7).bytes::<16>());
        assert_ne!(Entropy::System.bytes::<16>(), Entropy::System.bytes::<16>());
    }

    #[test]
    fn numbers_below_a_bound_are_spread_evenly() {
        let entropy = Entropy::seeded(1);
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            let drawn = usize::try_from(entropy.below(10)).expect("below ten");
            seen[drawn] += 1;
        }
        assert!(seen.iter().all(|count| (850..1150).contains(count)), "{seen:?}");
    }

    #[test]
    fn a_test_clock_moves_only_when_told() {
        let hands = TestClock::at(Timestamp::from_seconds(100));
        let clock = Clock::Test(hands.clone());
        assert_eq!(clock.now().seconds(), 100);
        hands.advance(Duration::from_secs(5));
        assert_eq!(clock.now().seconds(), 105);
    }
}
