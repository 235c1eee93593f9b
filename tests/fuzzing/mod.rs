//! The engine of the fuzz drivers: it takes an input of a corpus, changes it in a few of many ways, and holds what the
//! code says against what must be true of it. It needs no other compiler than the one that builds the program.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

/// The files of a folder below `tests/corpus/`, by name.
pub fn corpus(folder: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
}

/// What a driver fuzzes with.
pub struct Fuzzer {
    /// Every file of the corpus; each is tried first.
    pub corpus: Vec<Vec<u8>>,
    /// Pieces that have a meaning somewhere.
    pub words: &'static [&'static str],
}

impl Fuzzer {
    /// Changes an input in one to four ways.
    fn mutated(&self, dice: &mut StdRng, seeds: &[Vec<u8>]) -> Vec<u8> {
        let one_of = |dice: &mut StdRng| seeds.get(dice.random_range(0..seeds.len())).unwrap();
        let word = |dice: &mut StdRng| self.words.get(dice.random_range(0..self.words.len())).unwrap().bytes();
        let mut octets = one_of(dice).clone();
        for _ in 0..dice.random_range(1..=4) {
            let at = dice.random_range(0..=octets.len());
            let end = (at + dice.random_range(0..64)).min(octets.len());
            match dice.random_range(0..10) {
                0 => octets.truncate(at),
                1 => drop(octets.drain(at..end)),
                2 => {
                    let piece = octets.get(at..end).unwrap().to_vec();
                    let to = dice.random_range(0..=octets.len());
                    octets.splice(to..to, piece);
                }
                3 | 4 => drop(octets.splice(at..at, word(dice))),
                5 => drop(octets.splice(at..end, word(dice))),
                6 => {
                    let other = one_of(dice);
                    let from = dice.random_range(0..=other.len());
                    octets.splice(at.., other.get(from..).unwrap().iter().copied());
                }
                7 => {
                    let piece = octets.get(at..end).unwrap().repeat(dice.random_range(1..200));
                    octets.splice(at..at, piece);
                }
                _ => {
                    if let Some(octet) = octets.get_mut(at) {
                        *octet = if dice.random() { dice.random() } else { *octet ^ (1 << dice.random_range(0..8)) };
                    }
                }
            }
            octets.truncate(100_000);
        }
        octets
    }

    /// Runs a target on the corpus and on `seeds`, and then on what is made of the seeds, for as many seconds of the
    /// processor's time as `VESTIBULE_FUZZ_SECONDS` says, or one. An input that breaks something is written down.
    pub fn run(&self, name: &str, seeds: &[Vec<u8>], target: impl Fn(&[u8])) {
        let seconds = std::env::var("VESTIBULE_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
        // An unoptimised build is a good deal slower.
        let slow = Duration::from_millis(if cfg!(debug_assertions) { 1000 } else { 50 });
        let seed: u64 = rand::random();
        let mut dice = StdRng::seed_from_u64(seed);
        let begun = worked();
        let end = begun + Duration::from_secs(seconds);
        let (mut runs, mut slowest, mut over) = (0_u64, Duration::ZERO, false);
        let mut tried: Vec<Vec<u8>> = self.corpus.iter().chain(seeds).cloned().collect();
        while !over || runs < 200 {
            if runs.is_multiple_of(64) {
                over = worked() >= end;
            }
            let input = tried.pop().unwrap_or_else(|| self.mutated(&mut dice, seeds));
            let timed = || {
                let begun = Instant::now();
                let result = catch_unwind(AssertUnwindSafe(|| target(&input)));
                (result, begun.elapsed())
            };
            let (mut result, mut took) = timed();
            // The machine does other things as well: only what takes the processor that long every time is slow.
            for _ in 0..5 {
                if result.is_ok() && took > slow {
                    let before = worked();
                    result = timed().0;
                    took = took.min(worked() - before);
                }
            }
            slowest = slowest.max(took);
            runs += 1;
            if result.is_err() || took > slow {
                let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
                std::fs::create_dir_all(&folder).unwrap();
                let path = folder.join(format!("{name}-{seed}-{runs}"));
                std::fs::write(&path, &input).unwrap();
                panic!("{name}: {} after {took:?}, seed {seed}, run {runs}", path.display());
            }
        }
        println!("{name}: {runs} runs in {:?}, the slowest {slowest:?}, seed {seed}", worked() - begun);
    }
}

/// How long the processor has worked for this thread.
fn worked() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(told.split(' ').next().unwrap().parse().unwrap())
}
