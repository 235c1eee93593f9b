//! Files of other systems at the shell: tokens (PSKC, CSV) and people (CSV), in and out (A17, A31).

pub mod arguments;
mod people;
mod tokens;

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::commands::{desk, tenant};
use super::helpdesk::Said;
use super::{Nature, Schema, open};
use crate::config::Settings;
use crate::domain::secret::SecretString;
use crate::domain::tenant::TenantConfig;
use crate::exchange::Rejected;
use crate::exchange::pskc::{Protection, key_of_hex};
use crate::flow::administration::Desk;
use crate::http::Site;
use crate::storage::{self, tenants};

pub use people::{export as export_people, import as import_people};
pub use tokens::{approve, export as export_tokens, import as import_tokens};

/// So many records are one transaction: others wait some hundredths of a second for their turn meanwhile.
const BATCH: usize = 250;
/// How often a batch is tried that another writer has crossed.
const TRIES: u32 = 3;

/// The virtual server that a command works in.
struct Place {
    site: Site,
    config: TenantConfig,
}

impl Place {
    async fn of(settings: &Settings, code: Option<&str>) -> anyhow::Result<Self> {
        let site = open(settings, Schema::Expect, Nature::default()).await?;
        let code = tenant(&site.house.db, code).await?;
        let config = site.house.db.look(async |connection| tenants::config(connection, &code).await).await?;
        let config = config.with_context(|| format!("there is no tenant \"{code}\""))?;
        Ok(Self { site, config })
    }

    fn desk(&self) -> Desk<'_> {
        desk(&self.site)
    }
}

/// Reads a file whole; `-` is standard input.
fn contents(file: &Path) -> anyhow::Result<Vec<u8>> {
    if file == Path::new("-") {
        let mut octets = Vec::new();
        std::io::stdin().lock().read_to_end(&mut octets).context("standard input cannot be read")?;
        return Ok(octets);
    }
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// What opens or protects a container, as the command line names it.
fn protection(keys: &arguments::Keys) -> anyhow::Result<Option<Protection>> {
    if let Some(file) = &keys.key_file {
        let octets = zeroize::Zeroizing::new(contents(file)?);
        let key = key_of_hex(&octets);
        let words = "must hold a key of 128, 192 or 256 bits, in hexadecimal digits or as it is";
        return Ok(Some(Protection::Key(key.with_context(|| format!("{} {words}", file.display()))?)));
    }
    if keys.password_stdin {
        let mut line = zeroize::Zeroizing::new(String::new());
        std::io::stdin().lock().read_line(&mut line).context("standard input cannot be read")?;
        let password = line.trim_end_matches(['\r', '\n']);
        anyhow::ensure!(!password.is_empty(), "standard input gave no password");
        return Ok(Some(Protection::Password(SecretString::from(password))));
    }
    Ok(None)
}

/// Writes to a file that must not be there yet, or to standard output.
fn write_out(file: Option<&Path>, text: String) -> anyhow::Result<Said> {
    let Some(file) = file else {
        let lines = text.lines().map(str::to_owned).collect();
        return Ok(Said::lines(lines));
    };
    let mut out = new_file(file)?;
    out.write_all(text.as_bytes()).with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(Said::line(format!("written to {}", file.display())))
}

/// A new file that only its owner may read; none is overwritten.
fn new_file(file: &Path) -> anyhow::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
    opened.with_context(|| format!("{} cannot be made; a file that is there is not overwritten", file.display()))
}

/// Tells on standard error how far a command is: in one line that changes, where somebody looks at a terminal.
struct Progress {
    shown: Shown,
    whole: usize,
    last: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    No,
    Terminal,
    Lines,
}

impl Progress {
    fn new(wanted: bool, whole: usize) -> Self {
        let shown = match (std::io::stderr().is_terminal(), wanted) {
            (true, _) => Shown::Terminal,
            (false, true) => Shown::Lines,
            (false, false) => Shown::No,
        };
        Self { shown, whole, last: None }
    }

    fn at(&mut self, done: usize) {
        let pause = Duration::from_millis(if self.shown == Shown::Terminal { 200 } else { 1000 });
        let over = done >= self.whole;
        if self.shown == Shown::No || (!over && self.last.is_some_and(|last| last.elapsed() < pause)) {
            return;
        }
        self.last = Some(Instant::now());
        let percent = done.saturating_mul(100).checked_div(self.whole).unwrap_or(100);
        let mut out = std::io::stderr().lock();
        // Nobody is stopped by a terminal that went away.
        let told = match self.shown {
            Shown::Terminal if over => writeln!(out, "\r{done} of {} records ({percent} %)", self.whole),
            Shown::Terminal => write!(out, "\r{done} of {} records ({percent} %)", self.whole),
            _ => writeln!(out, "{done} of {} records ({percent} %)", self.whole),
        };
        drop(told.and_then(|()| out.flush()));
    }
}

/// Runs a batch in one transaction; once more, if another writer has crossed it. Then it lets others have their turn:
/// SQLite serves whoever asks next, and that would be this command every time.
async fn batch<T>(
    db: &storage::Db,
    work: impl AsyncFn(&mut storage::Connection) -> storage::Result<T>,
) -> storage::Result<T> {
    let mut tries = 1;
    loop {
        let began = Instant::now();
        match db.write(&work).await {
            Err(error) if (error.is_duplicate() || error.is_passing()) && tries < TRIES => tries += 1,
            result => {
                tokio::time::sleep((began.elapsed() / 10).max(Duration::from_millis(1))).await;
                return result;
            }
        }
    }
}

/// A rejected record, for programs.
fn rejected(record: &Rejected) -> Value {
    json!({ "record": record.spot.to_string(), "name": record.name, "reason": record.reason })
}

fn printed(value: &Value) -> Vec<String> {
    vec![serde_json::to_string_pretty(value).unwrap_or_default()]
}
