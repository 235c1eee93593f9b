//! The `vestibule` command: arguments in, one call out.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use vestibule::app::{self, Schema};
use vestibule::config::Settings;
use vestibule::telemetry;

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
    /// Bring the database's schema up to date.
    Migrate,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let settings = Settings::load(arguments.config.as_deref(), std::env::vars())?;
    telemetry::start(settings.telemetry);
    actix_web::rt::System::new().block_on(carry_out(arguments.command, settings))
}

async fn carry_out(command: Command, settings: Settings) -> anyhow::Result<()> {
    match command {
        Command::Serve { no_migrate } => {
            let schema = if no_migrate { Schema::Expect } else { Schema::Migrate };
            app::serve(&settings, schema).await
        }
        Command::Migrate => {
            let db = app::database(&settings, Schema::Migrate).await?;
            let (known, _) = db.migrations().await?;
            println!("the schema is up to date: {known} migrations");
            Ok(())
        }
    }
}
