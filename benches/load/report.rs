//! The table: what was measured beside what it must cost at least.

use std::fmt::Write as _;

use crate::crypto::Bare;
use crate::drive::{Measured, quantile};
use crate::pieces::Pieces;
use crate::rows::{Parts, Row};
use crate::saml::Saml;
use crate::server::{Database, Memory};

/// Milliseconds that one commit of one row takes with MariaDB beyond what it takes with SQLite: client and server, where
/// the targets were set; it is not measured in the run.
const COMMIT_MARIADB: f64 = 0.08;

/// What things cost by themselves on this machine, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Costs {
    pub bare: Bare,
    pub pieces: Pieces,
    pub saml: Saml,
    pub request: f64,
}

impl Costs {
    /// The least that a row can cost: the table's floor, and with commits that survive a power cut.
    pub fn floors(&self, parts: Parts, database: Database) -> (f64, f64) {
        let cpu = parts.requests * self.request
            + parts.lookups * self.pieces.lookup
            + parts.rs256 * self.bare.rs256
            + parts.es256 * self.bare.es256
            + parts.hashes * self.bare.argon2id
            + parts.mails * self.pieces.mail
            + parts.else_ms;
        let durable = match database {
            Database::Sqlite => self.pieces.durable_commit,
            Database::MariaDb => self.pieces.commit + COMMIT_MARIADB,
        };
        (cpu + parts.commits * self.pieces.commit, cpu + parts.commits * durable)
    }
}

/// The repeats of one row.
#[derive(Debug)]
pub struct Line {
    pub row: Row,
    pub repeats: Vec<Measured>,
}

impl Line {
    pub fn errors(&self) -> usize {
        self.repeats.iter().map(|repeat| repeat.errors).sum()
    }

    fn sorted(&self, of: impl Fn(&Measured) -> f64) -> Vec<f64> {
        let mut all: Vec<f64> = self.repeats.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    fn median(&self, of: impl Fn(&Measured) -> f64) -> f64 {
        quantile(&self.sorted(of), 50)
    }
}

/// What was seen of the process apart from requests.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    pub memory: Memory,
    pub after: Memory,
    pub start_ms: f64,
    pub binary_mib: f64,
}

/// How a table is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Plain,
    Markdown,
}

const HEADS: [&str; 9] =
    ["row", "CPU ms/op (min–max)", "floor", "ratio", "durable floor", "ratio", "p50 / p99 ms", "ops/s", "errors / ops"];

/// The rows on one database.
pub fn rows(lines: &[Line], costs: &Costs, database: Database, style: Style) -> String {
    let mut table = vec![HEADS.map(str::to_owned).to_vec()];
    for line in lines {
        let cpu = line.sorted(|repeat| repeat.cpu_ms);
        let (floor, durable) = costs.floors(line.row.parts(), database);
        let median = quantile(&cpu, 50);
        let operations: usize = line.repeats.iter().map(|repeat| repeat.operations).sum();
        table.push(vec![
            line.row.name().to_owned(),
            format!("{median:.3} ({:.3}–{:.3})", quantile(&cpu, 0), quantile(&cpu, 100)),
            format!("{floor:.3}"),
            format!("{:.2}", median / floor),
            format!("{durable:.3}"),
            format!("{:.2}", median / durable),
            format!("{:.2} / {:.2}", line.median(|repeat| repeat.p50_ms), line.median(|repeat| repeat.p99_ms)),
            format!("{:.0}", line.median(|repeat| repeat.per_second)),
            format!("{}/{operations}", line.errors()),
        ]);
    }
    drawn(&table, style)
}

/// The bare costs and the idle process.
pub fn rest(costs: &Costs, idle: &Idle, style: Style) -> String {
    let Costs { bare, pieces, saml, request } = costs;
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let table = [
        line("beside it", "figure".to_owned()),
        line("Argon2id 19456 KiB, 2 passes, 1 lane", format!("{:.3} ms", bare.argon2id)),
        line("the same while every core makes one", format!("{:.3} ms", bare.argon2id_together)),
        line("RS256 signature, 2048 bits", format!("{:.4} ms", bare.rs256)),
        line("ES256 signature", format!("{:.4} ms", bare.es256)),
        line("SHA-256 of 600 octets", format!("{:.5} ms", bare.sha256)),
        line(
            "a row committed to SQLite, NORMAL / FULL",
            format!("{:.4} / {:.4} ms", pieces.commit, pieces.durable_commit),
        ),
        line("a row of SQLite by its key", format!("{:.4} ms", pieces.lookup)),
        line(
            "a signed SAML request read, by redirect / by form",
            format!("{:.4} / {:.4} ms", saml.read_redirect, saml.read_form),
        ),
        line(
            "8 threads against one: signing SAML / reading signed SAML",
            format!("{:.2} / {:.2} ×", saml.signing, saml.reading),
        ),
        line("a mail handed over", format!("{:.3} ms", pieces.mail)),
        line("a request to bare actix-web", format!("{request:.4} ms")),
        line("idle memory, PSS (RSS)", format!("{:.1} ({:.1}) MiB", idle.memory.pss, idle.memory.rss)),
        line("memory after the rows, PSS (RSS)", format!("{:.1} ({:.1}) MiB", idle.after.pss, idle.after.rss)),
        line("start to ready, median of 5", format!("{:.0} ms", idle.start_ms)),
        line("program", format!("{:.1} MiB", idle.binary_mib)),
    ];
    drawn(&table, style)
}

fn drawn(table: &[Vec<String>], style: Style) -> String {
    let columns = table.first().map_or(0, Vec::len);
    let width = |at: usize| table.iter().filter_map(|line| line.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for (number, line) in table.iter().enumerate() {
        let cells: Vec<String> = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        let written = match style {
            Style::Plain => writeln!(text, "{}", cells.join("  ").trim_end()),
            Style::Markdown => writeln!(text, "| {} |", cells.join(" | ")),
        };
        if written.is_ok() && number == 0 && style == Style::Markdown {
            let rule: Vec<&str> = widths.iter().map(|_| "---").collect();
            text = format!("{text}| {} |\n", rule.join(" | "));
        }
    }
    text
}
