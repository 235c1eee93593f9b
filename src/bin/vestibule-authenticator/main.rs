//! The command-line authenticator: the reference app of the activation protocol.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the server refused, 4 the authenticator is locked,
//! suspended or revoked, 5 the PIN is wrong.

mod activate;
mod clock;
mod passcode;
mod pin;
mod report;
mod store;
mod words;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use store::{Entry, Store};
use vestibule::domain::authenticator::pin::Rule;
use vestibule::domain::authenticator::template::PinType;
use vestibule::i18n::{Language, Value};
use words::{Said, device, of_rule, said};

/// Authenticator for the command line.
#[derive(Debug, Parser)]
#[command(
    name = "vestibule-authenticator",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the server refused, 4 locked, \
                  suspended or revoked, 5 wrong PIN."
)]
struct Arguments {
    /// The folder that holds the authenticators.
    #[arg(long, global = true, value_name = "DIR", env = "VESTIBULE_AUTHENTICATOR_STORE")]
    store: Option<PathBuf>,
    /// Print JSON for programs.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add an authenticator with the activation string or link that the login page shows.
    Activate(Activate),
    /// Print the passcode.
    Passcode(Passcode),
    /// Compare the clock of this device with the server's.
    Clock {
        /// Its name or serial number; not needed if there is one only.
        name: Option<String>,
    },
    /// Ask the servers whether authenticators still work, and offer to remove those that have ended.
    Status {
        /// Its name or serial number; all if none is given.
        name: Option<String>,
    },
    /// List the authenticators.
    List,
    /// Show what is known about an authenticator.
    Info {
        /// Its name or serial number; not needed if there is one only.
        name: Option<String>,
    },
    /// Give an authenticator another name.
    Rename {
        /// Its name or serial number.
        name: String,
        /// The new name.
        new: String,
    },
    /// Remove an authenticator, and tell its server. You will need a new activation to log in.
    Remove {
        /// Its name or serial number.
        name: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Change the PIN: asks for the present one, and for the new one twice.
    Pin(Change),
    /// Tell what to do when the PIN is forgotten, and remove the authenticator.
    ForgotPin(Forgot),
    /// Show what happened, with codes, without secrets.
    Log,
}

/// Where the activation comes from.
#[derive(Debug, Args)]
struct Activate {
    /// The activation string, the link, or an otpauth:// address; - reads it from standard input.
    #[arg(required_unless_present = "qr")]
    string: Option<String>,
    /// A picture with the QR code.
    #[arg(long, value_name = "IMAGE", conflicts_with = "string")]
    qr: Option<PathBuf>,
    /// The server's address, for the short form that is typed by hand.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// What to call it.
    #[arg(long)]
    name: Option<String>,
    /// What to call this device.
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Read the PIN from the first line of standard input.
    #[arg(long)]
    pin_stdin: bool,
}

#[derive(Debug, Args)]
struct Passcode {
    /// Its name or serial number; not needed if there is one only.
    name: Option<String>,
    /// Answer this challenge, the eight digits that the login page shows.
    #[arg(long, value_name = "DIGITS")]
    challenge: Option<String>,
    /// Read the PIN from the first line of standard input.
    #[arg(long)]
    pin_stdin: bool,
}

#[derive(Debug, Args)]
struct Change {
    /// Its name or serial number; not needed if there is one only.
    name: Option<String>,
    /// Read the present PIN from the first line of standard input and the new one from the second.
    #[arg(long)]
    pin_stdin: bool,
}

#[derive(Debug, Args)]
struct Forgot {
    /// Its name or serial number; not needed if there is one only.
    name: Option<String>,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
}

/// Why a command ends without success, with its exit code.
#[derive(Debug)]
enum Failure {
    /// 1.
    Failed(Said),
    /// 1: a new PIN breaks these rules.
    PinRules(Vec<Rule>),
    /// 3.
    Refused {
        /// What the server says.
        message: Said,
        /// Its code.
        code: String,
    },
    /// 4.
    Locked,
    /// 4.
    Stopped {
        /// What its server says.
        state: store::State,
        /// What it is called here.
        name: String,
    },
    /// 5.
    WrongPin {
        /// Tries that are left.
        left: u32,
    },
}

impl Failure {
    fn exit(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) | Self::PinRules(_) => 1,
            Self::Refused { .. } => 3,
            Self::Locked | Self::Stopped { .. } => 4,
            Self::WrongPin { .. } => 5,
        })
    }

    /// What to tell a person who reads this language.
    fn words(&self, language: Language) -> String {
        match self {
            Self::Failed(words) => words.words(language),
            Self::PinRules(rules) => {
                let rules: Vec<String> = rules.iter().map(|rule| of_rule(*rule).words(language)).collect();
                said("app-pin-refused", [("rules", rules.join("; ").into())]).words(language)
            }
            Self::Refused { message, code } => format!("{} [{code}]", message.words(language)),
            Self::Locked => said("app-locked", []).words(language),
            Self::Stopped { state, name } => stopped(*state, name).words(language),
            Self::WrongPin { left } => said("app-pin-wrong", [("left", (*left).into())]).words(language),
        }
    }
}

/// In English, for the log and for programs.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(Language::English))
    }
}

/// What it means that a server says so, and what to do.
fn stopped(state: store::State, name: &str) -> Said {
    let key = match state {
        store::State::Suspended => "app-suspended",
        store::State::Locked => "app-locked-there",
        store::State::Revoked => "app-revoked",
    };
    said(key, [("name", name.into())])
}

/// A failure in somebody else's words.
fn failed(error: impl fmt::Display) -> Failure {
    Failure::Failed(Said::Theirs(error.to_string()))
}

/// A failure in words of ours.
fn complaint<const N: usize>(key: &'static str, values: [(&'static str, Value); N]) -> Failure {
    Failure::Failed(said(key, values))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = Store::open(arguments.store.clone()).and_then(|store| {
        let result = carry_out(&arguments, &store);
        if let Err(failure) = &result {
            store.log(&failure.to_string());
        }
        report::settle(&store);
        result
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{}", failure.words(device()));
            failure.exit()
        }
    }
}

fn carry_out(arguments: &Arguments, store: &Store) -> Result<(), Failure> {
    match &arguments.command {
        Command::Activate(wanted) => activate::run(store, wanted, arguments.json),
        Command::Passcode(wanted) => passcode::run(store, wanted, arguments.json),
        Command::Clock { name } => clock::run(&store.find(name.as_deref())?, arguments.json),
        Command::Status { name } => report::status(store, name.as_deref(), arguments.json),
        Command::List => list(store, arguments.json),
        Command::Info { name } => info(&store.find(name.as_deref())?, arguments.json),
        Command::Rename { name, new } => {
            // Another program may count a passcode or a try at this moment.
            let entry = store.alone(|| {
                let mut entry = store.find(Some(name))?;
                entry.name = store.free_name(new, Some(&entry.serial))?;
                store.put(&entry)?;
                Ok(entry)
            })?;
            say(
                arguments.json,
                &serde_json::json!({ "name": entry.name }),
                &said("app-renamed", [("name", (&entry.name).into())]),
            );
            Ok(())
        }
        Command::Remove { name, yes } => {
            let entry = store.find(Some(name))?;
            if !yes && !confirmed(&entry)? {
                return Err(complaint("app-not-removed", []));
            }
            report::remove(store, &entry, arguments.json)
        }
        Command::Pin(wanted) => pin::change(store, wanted, arguments.json),
        Command::ForgotPin(wanted) => pin::forgot(store, wanted, arguments.json),
        Command::Log => {
            print!("{}", store.read_log()?);
            Ok(())
        }
    }
}

fn confirmed(entry: &Entry) -> Result<bool, Failure> {
    eprint!("{} [y/N] ", said("app-remove", [("name", (&entry.name).into())]).here());
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Prints JSON for programs or words for people.
fn say(json: bool, value: &serde_json::Value, words: &Said) {
    if json { println!("{value}") } else { println!("{}", words.here()) }
}

fn list(store: &Store, json: bool) -> Result<(), Failure> {
    let entries = store.all()?;
    if json {
        let values: Vec<_> = entries.iter().map(Entry::public).collect();
        println!("{}", serde_json::Value::Array(values));
    } else if entries.is_empty() {
        println!("{}", said("app-none", []).here());
    } else {
        for entry in entries {
            let state = entry.state_in_words().here();
            let badge = if entry.state() == "active" { String::new() } else { format!("  [{state}]") };
            let row = [
                ("name", (&entry.name).into()),
                ("account", (&entry.account).into()),
                ("organization", (&entry.organization).into()),
                ("serial", (&entry.serial).into()),
            ];
            println!("{}{badge}", said("app-list-row", row).here());
        }
    }
    Ok(())
}

fn pin_in_words(entry: &Entry) -> Said {
    if entry.locked() {
        return said("app-pin-locked", []);
    }
    let asked = if entry.template.allow_biometric_pin { "app-pin-app-typed" } else { "app-pin-app" };
    match entry.template.pin_type {
        PinType::None => said("app-pin-none", []),
        PinType::ServerSide => said("app-pin-server", []),
        PinType::UserSelected => said(asked, [("left", entry.tries_left().into())]),
    }
}

/// How many columns of a terminal a text takes: Chinese characters take two.
fn columns(text: &str) -> usize {
    text.chars().map(|c| if c >= '\u{2e80}' { 2 } else { 1 }).sum()
}

fn info(entry: &Entry, json: bool) -> Result<(), Failure> {
    if json {
        println!("{}", entry.public());
        return Ok(());
    }
    let rows = [
        ("app-row-name", entry.name.clone()),
        ("app-row-organization", entry.organization.clone()),
        ("app-row-account", entry.account.clone()),
        ("app-row-server", entry.server.clone()),
        ("app-row-serial", entry.serial.clone()),
        ("app-row-passcode", entry.kind_in_words().here()),
        ("app-row-pin", pin_in_words(entry).here()),
        ("app-row-state", entry.state_in_words().here()),
        ("app-row-added", entry.added.clone()),
        ("app-row-app", concat!("vestibule-authenticator ", env!("CARGO_PKG_VERSION")).to_owned()),
    ];
    let rows = rows.map(|(key, value)| (said(key, []).here(), value));
    let widest = rows.iter().map(|(name, _)| columns(name)).max().unwrap_or_default().max(14);
    for (name, value) in &rows {
        println!("{name}{} {value}", " ".repeat(widest.saturating_sub(columns(name))));
    }
    Ok(())
}
