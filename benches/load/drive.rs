//! Drives one row: clients that begin together, a warm-up that counts nothing, a window that counts.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// How a row is driven.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub clients: usize,
    pub warm_up: Duration,
    pub length: Duration,
}

/// Whether a client goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// One operation was done.
    Done,
    /// There is nobody left to do it with; the window closes.
    UsedUp,
}

/// What is driven.
pub trait Load: Sync {
    /// What one client keeps from one operation to the next.
    type Worker;
    /// Everything that must be there before the first operation; not measured.
    async fn prepare(&self) -> Result<Self::Worker>;
    /// One operation, with every answer checked.
    async fn operate(&self, worker: &mut Self::Worker) -> Result<Progress>;
    /// Processor seconds that the measured processes have taken so far.
    fn cpu_seconds(&self) -> Result<f64>;
}

/// One repeat of one row.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    pub operations: usize,
    pub cpu_ms: f64,
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub errors: usize,
    pub first_error: Option<String>,
}

/// What one client did: when each operation ended and how long it took.
#[derive(Debug, Default)]
struct Log {
    ended: Vec<(Instant, Duration)>,
    errors: usize,
    first_error: Option<String>,
}

/// Whether clients go on, and how many have nothing left.
#[derive(Debug, Default)]
struct Switch {
    off: AtomicBool,
    used_up: AtomicUsize,
}

/// Drives `load` through one window.
pub fn run(load: &impl Load, window: Window) -> Result<Measured> {
    let gate = Barrier::new(window.clients + 1);
    let switch = Switch::default();
    std::thread::scope(|scope| {
        let client = || scope.spawn(|| one_client(load, &gate, &switch));
        let clients: Vec<_> = (0..window.clients).map(|_| client()).collect();
        gate.wait();
        std::thread::sleep(window.warm_up);
        let edges = edges(load, window.length, &switch);
        switch.off.store(true, Ordering::Relaxed);
        let logs: Result<Vec<Log>> =
            clients.into_iter().map(|client| client.join().ok().context("a client panicked")?).collect();
        let (logs, (begun, ended, cpu_seconds)) = (logs?, edges?);
        Ok(summed(&logs, (begun, ended), cpu_seconds))
    })
}

/// Waits for the window's length, or until a client has nothing left; what the processor did is read at both edges.
fn edges(load: &impl Load, length: Duration, switch: &Switch) -> Result<(Instant, Instant, f64)> {
    let (begun, before) = (Instant::now(), load.cpu_seconds()?);
    while begun.elapsed() < length && switch.used_up.load(Ordering::Relaxed) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let (ended, after) = (Instant::now(), load.cpu_seconds()?);
    Ok((begun, ended, after - before))
}

fn one_client(load: &impl Load, gate: &Barrier, switch: &Switch) -> Result<Log> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let worker = load.prepare().await;
        gate.wait();
        let mut worker = worker.inspect_err(|_| {
            switch.used_up.fetch_add(1, Ordering::Relaxed);
        })?;
        let mut log = Log::default();
        while !switch.off.load(Ordering::Relaxed) {
            let begun = Instant::now();
            match load.operate(&mut worker).await {
                Ok(Progress::Done) => log.ended.push((Instant::now(), begun.elapsed())),
                Ok(Progress::UsedUp) => {
                    switch.used_up.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Err(error) => {
                    log.errors += 1;
                    log.first_error.get_or_insert_with(|| format!("{error:#}"));
                }
            }
        }
        Ok(log)
    })
}

/// An operation counts when it ends inside the window; errors count whenever they happen.
fn summed(logs: &[Log], (begun, ended): (Instant, Instant), cpu_seconds: f64) -> Measured {
    let inside = logs.iter().flat_map(|log| &log.ended).filter(|(at, _)| (begun..=ended).contains(at));
    let mut times: Vec<f64> = inside.map(|(_, took)| took.as_secs_f64() * 1000.0).collect();
    times.sort_by(f64::total_cmp);
    let operations = times.len();
    let count = f64::from(u32::try_from(operations).unwrap_or(u32::MAX));
    Measured {
        operations,
        cpu_ms: cpu_seconds * 1000.0 / count,
        per_second: count / (ended - begun).as_secs_f64(),
        p50_ms: quantile(&times, 50),
        p99_ms: quantile(&times, 99),
        errors: logs.iter().map(|log| log.errors).sum(),
        first_error: logs.iter().find_map(|log| log.first_error.clone()),
    }
}

/// The value below which `percent` of the sorted values lie.
pub fn quantile(sorted: &[f64], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(f64::NAN)
}
