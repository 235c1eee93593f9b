//! The `vestibule` command: arguments in, one call out.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand, ValueEnum};
use vestibule::app::commands::{self, Rotate};
use vestibule::app::helpdesk::arguments::{OfTenant, Operators, Template, Token, User};
use vestibule::app::helpdesk::{self, Said};
use vestibule::app::provision::arguments::{self as provision, Provision};
use vestibule::app::rollout::{self, arguments::Rollout};
use vestibule::app::{self, Schema, audit, recovery};
use vestibule::apply::plan::Prune;
use vestibule::apply::run::Run;
use vestibule::config::Settings;
use vestibule::demo;
use vestibule::domain::oidc_client::OidcClient;
use vestibule::domain::preflight::Light;
use vestibule::domain::timestamp::Timestamp;
use vestibule::telemetry;

/// Less of the processor for every request than the system's allocator, for what is Rust (docs/performance.md).
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Identity provider and self-provisioning portal.
#[derive(Debug, Parser)]
#[command(name = "vestibule", version, about, max_term_width = 100)]
struct Arguments {
    /// The configuration file; without one, defaults and environment variables count.
    #[arg(long, global = true, value_name = "FILE", env = "VESTIBULE_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the service; brings the database's schema up to date first.
    Serve {
        /// Refuse to start on an older schema instead of migrating it.
        #[arg(long)]
        no_migrate: bool,
    },
    /// Run the whole thing for a first look: a demo tenant, two applications, an inbox for the mails.
    Demo {
        /// Where the service listens; the applications and the inbox listen at the next port.
        #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
        listen: SocketAddr,
        /// The folder of the embedded database.
        #[arg(long, default_value = "var/demo", value_name = "DIR")]
        data: PathBuf,
    },
    /// Create or update virtual servers from apply files; prints what changes.
    Apply {
        /// The files; each virtual server is one transaction.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Show what would change, and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Remove groups, users, applications, policies, test cases, own roles and own texts that the files do not name;
        /// operators, too, where they name any.
        #[arg(long)]
        prune: bool,
        /// Change it even where a test case that held before does not hold any more.
        #[arg(long, conflicts_with = "dry_run")]
        anyway: bool,
    },
    /// Write an apply file of a virtual server, without secrets.
    Export {
        #[command(flatten)]
        tenant: OfTenant,
    },
    /// Show the last changes of a table of a virtual server's settings, such as `lockout`.
    Changes {
        /// The table, as apply files name it.
        #[arg(default_value = "lockout", value_name = "TABLE")]
        table: String,
        /// How many.
        #[arg(long, default_value_t = 5, value_name = "NUMBER")]
        count: u8,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        tenant: OfTenant,
    },
    /// Look whether everything is right before people come: configuration, keys, database, mail, certificates, clock, the
    /// public address, and each virtual server; one line for each.
    Check {
        /// Send a test mail to this address, and say what the mail server answers.
        #[arg(long, value_name = "ADDRESS")]
        mail_to: Option<String>,
        /// Print one JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Tell what a person would meet at a login, and why: policy, methods, enrollment, and what would change it.
    Explain {
        /// The person.
        #[arg(long, value_name = "NAME")]
        user: String,
        /// What the person wants to reach.
        #[arg(long, value_name = "NAME")]
        application: String,
        /// Where the person comes from.
        #[arg(long, default_value = "127.0.0.1", value_name = "IP")]
        address: std::net::IpAddr,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        tenant: OfTenant,
    },
    /// Show what is understood of a service provider's metadata, before it is registered.
    Metadata {
        /// A file, or an https address.
        place: String,
        /// Which of several service providers.
        #[arg(long, value_name = "ENTITY_ID")]
        entity_id: Option<String>,
        /// The certificate of the key that signs the metadata, in PEM; then its signature must be good.
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
    },
    /// Bring the database's schema up to date.
    Migrate,
    /// Signing keys and the key-encryption key.
    #[command(subcommand)]
    Keys(Keys),
    /// Copy an SQLite database, consistently, while the service runs.
    Backup {
        /// The copy; must not exist.
        file: PathBuf,
    },
    /// Put a copy made by `backup` in the place of the database, or end what a dump brought back; stop the service first.
    Restore {
        /// The copy, with SQLite.
        #[arg(required_unless_present = "loaded")]
        file: Option<PathBuf>,
        /// Replace a database that is there.
        #[arg(long, conflicts_with = "loaded")]
        replace: bool,
        /// A dump was loaded by hand, as MySQL and MariaDB need it: end what it brought back.
        #[arg(long, conflicts_with = "file")]
        loaded: bool,
    },
    /// Help desk: accounts.
    #[command(subcommand)]
    User(User),
    /// Help desk: authenticators.
    #[command(subcommand)]
    Token(Token),
    /// Token templates: what new authenticators are like.
    #[command(subcommand)]
    Template(Template),
    /// Operators: who may use the operator console, and as what.
    #[command(subcommand)]
    Operator(Operators),
    /// Applications that register themselves.
    #[command(subcommand)]
    Client(Client),
    /// What operators were to hear of at once.
    #[command(subcommand)]
    Alert(Alert),
    /// The audit trail: exported with signed checkpoints, and checked.
    #[command(subcommand)]
    Audit(Audit),
    /// Enrollment by mail: tasks, their people, and rules.
    #[command(subcommand)]
    Provision(Provision),
    /// The rollout: waves, their effect in numbers, pause and resume, and how far people come.
    #[command(subcommand)]
    Rollout(Rollout),
}

#[derive(Debug, Subcommand)]
enum Keys {
    /// List the signing keys of a virtual server.
    List {
        #[command(flatten)]
        tenant: OfTenant,
    },
    /// Move signing keys on by one step, or seal every secret under the first key-encryption key.
    Rotate {
        /// Which keys.
        #[arg(value_enum, default_value = "signing")]
        which: WhichKeys,
        /// A signing key may be stolen: replace all of them at once, without overlap. Applications must fetch the new
        /// key set, and service providers the new metadata.
        #[arg(long)]
        emergency: bool,
        /// Signing keys of this virtual server only.
        #[arg(long, value_name = "CODE")]
        tenant: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum WhichKeys {
    /// Publish the next keys; after the lead time, sign with them.
    Signing,
    /// Seal every secret anew under the first key-encryption key.
    Sealing,
}

#[derive(Debug, Subcommand)]
enum Client {
    /// Print a token with which applications register themselves (RFC 7591). Without one nobody can.
    Permit {
        /// How many applications may register with it.
        #[arg(long, default_value_t = 1, value_name = "NUMBER")]
        uses: u32,
        /// For how many days.
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=365), value_name = "DAYS")]
        days: u32,
        #[command(flatten)]
        tenant: OfTenant,
    },
    /// Make a new secret for an OpenID Connect application and print it, once. The one before stays valid for a day.
    Secret {
        /// The application's client_id.
        client_id: String,
        /// The secret before may be stolen: it ends at once.
        #[arg(long)]
        at_once: bool,
        #[command(flatten)]
        tenant: OfTenant,
    },
}

#[derive(Debug, Subcommand)]
enum Alert {
    /// List the newest alerts.
    List {
        /// How many.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "NUMBER")]
        most: u32,
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        tenant: OfTenant,
    },
}

#[derive(Debug, Subcommand)]
enum Audit {
    /// Write the audit trail to standard output, a JSON object on each line, with what `verify` needs.
    Export {
        /// Events from this time on: a day, or RFC 3339.
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: Option<Timestamp>,
        /// Events before this time.
        #[arg(long, value_name = "TIME", value_parser = time)]
        to: Option<Timestamp>,
        #[command(flatten)]
        tenant: OfTenant,
    },
    /// Check exports without database and configuration; without a file, the database itself. Names the first row that was
    /// changed, deleted, inserted or moved.
    Verify {
        /// Exports; `-` is standard input.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Check the database of this tenant, too, against what the files say.
        #[arg(long, value_name = "CODE")]
        tenant: Option<String>,
        /// The keys that sign, as `keys` prints them, kept elsewhere: then no others are believed.
        #[arg(long, value_name = "FILE")]
        keys: Option<PathBuf>,
    },
    /// Print the public keys that sign checkpoints, to be kept where nobody who can change the database can change them.
    Keys {
        #[command(flatten)]
        tenant: OfTenant,
    },
}

fn time(text: &str) -> Result<Timestamp, String> {
    let words = "must be a day such as 2026-11-24, or a time such as 2026-11-24T08:15:00Z";
    Timestamp::parsed(text).ok_or_else(|| words.to_owned())
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return wrong_usage(&error),
    };
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("vestibule: {}", told(&error)));
            ExitCode::FAILURE
        }
    }
}

/// The error and its causes, each said once: some repeat what they were caused by.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// Help and version go to standard output; anything else is one line on standard error and exit code 2.
fn wrong_usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        say(&error.render().to_string());
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
    let line = first.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => "a command is missing",
        _ => line.as_str(),
    };
    complain(&format!("vestibule: {line}; `vestibule --help` and `vestibule COMMAND --help` tell more"));
    ExitCode::from(2)
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    if let Command::Demo { listen, data } = &arguments.command {
        // The demo brings its own settings: whatever else is configured on this machine stays untouched.
        telemetry::start(Settings::load(None, std::iter::empty())?.telemetry);
        actix_web::rt::System::new().block_on(demo::run(*listen, data))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Command::Audit(Audit::Verify { files, tenant: None, keys }) = &arguments.command
        && !files.is_empty()
    {
        // Nothing of this machine is looked at but the files.
        return Ok(told_by(audit::offline::verify(files, keys.as_deref())));
    }
    // A variable that is not text cannot be one of ours.
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let settings = Settings::load(arguments.config.as_deref(), variables)?;
    telemetry::start(settings.telemetry);
    // Boxed and without its type: as itself it would be compiled three times, a tenth of a megabyte each.
    let work: Pin<Box<dyn Future<Output = anyhow::Result<ExitCode>>>> =
        Box::pin(carry_out(arguments.command, settings));
    actix_web::rt::System::new().block_on(work)
}

async fn carry_out(command: Command, settings: Settings) -> anyhow::Result<ExitCode> {
    let settings = &settings;
    let lines = match command {
        Command::Serve { no_migrate } => {
            let schema = if no_migrate { Schema::Expect } else { Schema::Migrate };
            app::serve(settings, schema).await?;
            Vec::new()
        }
        Command::Demo { .. } => Vec::new(),
        Command::Apply { files, dry_run, prune, anyway } => {
            let run = match (dry_run, anyway) {
                (true, _) => Run::Dry,
                (false, true) => Run::Anyway,
                (false, false) => Run::Real,
            };
            let prune = if prune { Prune::Remove } else { Prune::Keep };
            commands::apply(settings, &files, run, prune).await?
        }
        Command::Export { tenant } => {
            say(&commands::export(settings, tenant.tenant.as_deref()).await?);
            Vec::new()
        }
        Command::Changes { table, count, json, tenant } => {
            recovery::changes(settings, tenant.tenant.as_deref(), &table, count).await?.printed(json)
        }
        Command::Check { mail_to, json } => {
            let checked = app::preflight::check(settings, mail_to.as_deref()).await;
            if json {
                let all: Vec<serde_json::Value> = checked.iter().map(app::preflight::Checked::json).collect();
                say(&format!("{}\n", serde_json::to_string_pretty(&all)?));
            } else {
                print(checked.iter().map(app::preflight::Checked::line));
            }
            let good = checked.iter().all(|it| it.finding.light != Light::Red);
            return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Explain { user, application, address, json, tenant } => {
            let tenant = tenant.tenant.as_deref();
            let asked = (user.as_str(), application.as_str());
            return Ok(told_by(app::explain::run(settings, tenant, asked, address, json).await?));
        }
        Command::Metadata { place, entity_id, certificate } => {
            commands::metadata(settings, &place, entity_id.as_deref(), certificate.as_deref()).await?
        }
        Command::Keys(Keys::List { tenant }) => commands::list_keys(settings, tenant.tenant.as_deref()).await?,
        Command::Migrate => vec![commands::migrate(settings).await?],
        Command::Keys(Keys::Rotate { which: WhichKeys::Sealing, emergency, tenant })
            if emergency || tenant.is_some() =>
        {
            // A key that may be stolen would stay, and whoever typed this would think that it does not.
            let words = "--emergency and --tenant are for signing keys, not for sealing; `vestibule keys rotate --help` tells more";
            complain(&format!("vestibule: {words}"));
            return Ok(ExitCode::from(2));
        }
        Command::Keys(Keys::Rotate { which, emergency, tenant }) => {
            let which = match which {
                WhichKeys::Signing if emergency => Rotate::Emergency,
                WhichKeys::Signing => Rotate::Signing,
                WhichKeys::Sealing => Rotate::Sealing,
            };
            commands::rotate(settings, which, tenant.as_deref()).await?
        }
        Command::Backup { file } => vec![commands::backup(settings, &file).await?],
        Command::Restore { file: Some(file), replace, .. } => commands::restore(settings, &file, replace).await?,
        Command::Restore { file: None, .. } => commands::loaded(settings).await?,
        Command::User(user) => return Ok(told_by(helpdesk::users::run(settings, user).await?)),
        Command::Token(token) => return Ok(told_by(helpdesk::tokens::run(settings, token).await?)),
        Command::Operator(command) => return Ok(told_by(helpdesk::operators::run(settings, command).await?)),
        Command::Template(template) => return Ok(told_by(helpdesk::templates::run(settings, template).await?)),
        Command::Rollout(command) => return Ok(told_by(rollout::run(settings, command).await?)),
        Command::Alert(Alert::List { most, json, tenant }) => {
            helpdesk::alerts::list(settings, tenant.tenant.as_deref(), most, json).await?
        }
        Command::Client(Client::Permit { uses, days, tenant }) => {
            helpdesk::permit_registration(settings, tenant.tenant.as_deref(), uses, days).await?
        }
        Command::Client(Client::Secret { client_id, at_once, tenant }) => {
            let grace = if at_once { Duration::ZERO } else { OidcClient::SECRET_GRACE };
            helpdesk::new_client_secret(settings, tenant.tenant.as_deref(), &client_id, grace).await?
        }
        Command::Audit(Audit::Export { from, to, tenant }) => {
            audit::export(settings, tenant.tenant.as_deref(), (from, to)).await?;
            Vec::new()
        }
        Command::Audit(Audit::Verify { files, tenant, keys }) => {
            return Ok(told_by(audit::verify(settings, tenant.as_deref(), &files, keys.as_deref()).await?));
        }
        Command::Audit(Audit::Keys { tenant }) => vec![audit::keys(settings, tenant.tenant.as_deref()).await?],
        Command::Provision(command) => provision::run(settings, command).await?,
    };
    print(lines);
    Ok(ExitCode::SUCCESS)
}

/// Prints what a help desk command says; its exit code is 1 unless all was done.
fn told_by(said: Said) -> ExitCode {
    print(said.lines);
    for note in said.notes {
        complain(&note);
    }
    if said.good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(lines: impl IntoIterator<Item = String>) {
    say(&lines.into_iter().map(|line| line + "\n").collect::<String>());
}

/// Writes to standard output. Whoever reads it may stop in the middle (`| head`); that is no error.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    drop(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Writes a line to standard error, which may be closed as well.
fn complain(line: &str) {
    drop(writeln!(std::io::stderr(), "{line}"));
}
