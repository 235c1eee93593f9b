//! How much of the processor one login takes: `cargo bench --bench load`. See docs/performance.md.
//!
//! The release program runs as a child process on the loopback interface; clients in threads of this program drive it
//! as browsers and applications would. What counts is the time that the *server's* processes take, as the kernel
//! counts it, divided by the operations: it holds on a busy machine, where throughput and latency do not. Beside it, in
//! the same run, the bare cryptography, bare rows, a bare mail and a bare web server are measured: together they are the
//! floor.

mod client;
mod crypto;
mod drive;
mod pieces;
mod report;
mod rows;
mod saml;
mod server;
mod world;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Parser, ValueEnum};
use vestibule::demo::smtp::{self, Mailbox};

use drive::{Window, quantile};
use report::{Costs, Idle, Line, Style};
use rows::{Driven, Row};
use saml::Peer;
use server::{Database, Hello, Server};
use world::{People, Sizes};

/// Logins that can be made within one time step; a machine that makes more waits for the next step.
const PEOPLE: usize = 4000;
/// Self-provisionings that each client prepares for one window.
const OFFERS: usize = 120;
/// How long the service is left alone before its memory is read.
const IDLE: Duration = Duration::from_secs(3);
/// Starts of which the median is told.
const STARTS: usize = 5;
const WARM_UP: Duration = Duration::from_secs(1);

/// Measures the processor time that the service takes for each operation.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Arguments {
    /// The database.
    #[arg(long, value_enum, default_value = "sqlite")]
    database: Databases,
    /// The length of each window.
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// Windows of each row; the median counts.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// Clients at the same time.
    #[arg(long, default_value_t = 4)]
    clients: usize,
    /// Only this row; may be given more than once.
    #[arg(long, value_enum)]
    only: Vec<Row>,
    /// Measure another build of the service's program, to compare two of them in one sitting.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Draw the tables in Markdown.
    #[arg(long)]
    markdown: bool,
    /// Be the bare web server at this address; for this program's own use.
    #[arg(long, hide = true)]
    hello: Option<String>,
    /// What cargo passes along.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Databases {
    Sqlite,
    Mariadb,
    Both,
}

impl Arguments {
    fn databases(&self) -> &'static [Database] {
        match self.database {
            Databases::Sqlite => &[Database::Sqlite],
            Databases::Mariadb => &[Database::MariaDb],
            Databases::Both => &[Database::Sqlite, Database::MariaDb],
        }
    }

    fn rows(&self) -> Vec<Row> {
        let wanted = |row: &Row| self.only.is_empty() || self.only.contains(row);
        Row::value_variants().iter().copied().filter(wanted).collect()
    }

    fn window(&self) -> Window {
        Window { clients: self.clients, warm_up: WARM_UP, length: Duration::from_secs(self.seconds) }
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(address) = &arguments.hello {
        return Hello::serve(address);
    }
    ensure!(arguments.repeats > 0 && arguments.clients > 0 && arguments.seconds > 0, "nothing to do");
    let style = if arguments.markdown { Style::Markdown } else { Style::Plain };
    let (bare, hash) = crypto::measure(arguments.repeats)?;
    let mail = mail_server()?;
    let pieces = pieces::measure(arguments.repeats, mail.0)?;
    let costs = Costs { bare, pieces, saml: saml::measure(arguments.repeats)?, request: bare_request(&arguments)? };
    let mut errors = 0;
    for database in arguments.databases() {
        errors += measured(&arguments, *database, &costs, &hash, &mail, style)?;
    }
    ensure!(errors == 0, "{errors} operations failed");
    Ok(())
}

/// Processor milliseconds of one request to a web server that does nothing.
fn bare_request(arguments: &Arguments) -> Result<f64> {
    let hello = Hello::start()?;
    let window = Window { length: Duration::from_secs(2), ..arguments.window() };
    let repeats = (0..arguments.repeats).map(|_| drive::run(&hello, window).map(|measured| measured.cpu_ms));
    let mut all = repeats.collect::<Result<Vec<f64>>>()?;
    all.sort_by(f64::total_cmp);
    Ok(quantile(&all, 50))
}

/// Measures everything on one database and prints it; gives the number of failed operations.
fn measured(
    arguments: &Arguments,
    database: Database,
    costs: &Costs,
    hash: &str,
    (mail_at, mail): &(SocketAddr, Mailbox),
    style: Style,
) -> Result<usize> {
    let without = OFFERS * arguments.clients * arguments.repeats;
    let people = People::new(Sizes { with_authenticator: PEOPLE, without });
    let mut server = Server::new(database, *mail_at, arguments.program.as_deref())?;
    let peer = Peer::new()?;
    server.apply(&people.apply_file(hash, &peer.certificate())?)?;
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(server.start()?.as_secs_f64() * 1000.0);
        server.stop();
    }
    starts.sort_by(f64::total_cmp);
    server.start()?;
    std::thread::sleep(IDLE);
    let memory = server.memory()?;
    let mut lines = Vec::new();
    for row in arguments.rows() {
        let driven = Driven { row, server: &server, people: &people, mail, peer: &peer, offers: OFFERS };
        let line = repeated(arguments, &driven)?;
        lines.push(line);
    }
    let idle =
        Idle { memory, after: server.memory()?, start_ms: quantile(&starts, 50), binary_mib: server.program_mib()? };
    println!("\n{}, {} clients, {} × {} s\n", database.name(), arguments.clients, arguments.repeats, arguments.seconds);
    println!("{}", report::rows(&lines, costs, database, style));
    println!("{}", report::rest(costs, &idle, style));
    server.end()?;
    Ok(lines.iter().map(Line::errors).sum())
}

fn repeated(arguments: &Arguments, driven: &Driven<'_>) -> Result<Line> {
    let mut line = Line { row: driven.row, repeats: Vec::new() };
    for number in 1..=arguments.repeats {
        let repeat = drive::run(driven, arguments.window()).with_context(|| driven.row.name())?;
        eprintln!(
            "{} {number}: {:.3} ms/op, {} operations, {} errors",
            driven.row.name(),
            repeat.cpu_ms,
            repeat.operations,
            repeat.errors
        );
        if let Some(error) = &repeat.first_error {
            eprintln!("  the first error: {error}");
            let log = driven.server.log();
            let last = log.lines().rfind(|line| line.contains("ERROR") || line.contains("WARN"));
            eprintln!("  the service's last word: {}", last.unwrap_or("none"));
        }
        line.repeats.push(repeat);
    }
    Ok(line)
}

/// The mail server, in a thread of its own.
fn mail_server() -> Result<(SocketAddr, Mailbox)> {
    let (tell, started) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let started = smtp::start().await;
            if tell.send(started).is_ok() {
                std::future::pending::<()>().await;
            }
        });
        std::io::Result::Ok(())
    });
    started.recv()?.context("the mail server does not start")
}
