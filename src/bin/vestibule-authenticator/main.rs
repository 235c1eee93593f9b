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

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use store::{Entry, Store};
use vestibule::domain::authenticator::template::PinType;

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
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// 1.
    #[error("{0}")]
    Failed(String),
    /// 3.
    #[error("{message} [{code}]")]
    Refused {
        /// What the server says.
        message: String,
        /// Its code.
        code: String,
    },
    /// 4.
    #[error(
        "this authenticator is locked after too many wrong PINs [token.locked]: it gives no passcodes any more. Ask your \
         help desk to revoke it, remove it here, and add a new one at your next login"
    )]
    Locked,
    /// 4.
    #[error("{}", stopped(*.state, name))]
    Stopped {
        /// What its server says.
        state: store::State,
        /// What it is called here.
        name: String,
    },
    /// 5.
    #[error("the PIN is wrong [pin.wrong]: {left} tries left")]
    WrongPin {
        /// Tries that are left.
        left: u32,
    },
}

impl Failure {
    fn exit(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Failed(_) => 1,
            Self::Refused { .. } => 3,
            Self::Locked | Self::Stopped { .. } => 4,
            Self::WrongPin { .. } => 5,
        })
    }
}

/// What it means that a server says so, and what to do.
fn stopped(state: store::State, name: &str) -> String {
    let again = "Ask your help desk; its server is asked again with the next passcode";
    match state {
        store::State::Suspended => format!("{name} is suspended [token.suspended]: it cannot be used now. {again}."),
        store::State::Locked => {
            format!("{name} is locked on its server [token.locked]: it cannot be used now. {again}.")
        }
        store::State::Revoked => format!(
            "{name} is revoked [token.revoked]: it gives no passcodes any more. Remove it with: \
             vestibule-authenticator remove \"{name}\", and add a new one at your next login"
        ),
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
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
            eprintln!("{failure}");
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
                &format!("It is called {} now.", entry.name),
            );
            Ok(())
        }
        Command::Remove { name, yes } => {
            let entry = store.find(Some(name))?;
            if !yes && !confirmed(&entry)? {
                return Err(failed("nothing was removed"));
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
    eprint!("Remove {}? You will need a new activation to log in. [y/N] ", entry.name);
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Prints JSON for programs or words for people.
fn say(json: bool, value: &serde_json::Value, words: &str) {
    if json { println!("{value}") } else { println!("{words}") }
}

/// Said where there is nothing to show.
const NONE: &str = "There is no authenticator yet. Add one with: vestibule-authenticator activate STRING";

fn list(store: &Store, json: bool) -> Result<(), Failure> {
    let entries = store.all()?;
    if json {
        let values: Vec<_> = entries.iter().map(Entry::public).collect();
        println!("{}", serde_json::Value::Array(values));
    } else if entries.is_empty() {
        println!("{NONE}");
    } else {
        for entry in entries {
            let badge = if entry.state() == "active" { String::new() } else { format!("  [{}]", entry.state()) };
            println!("{}  ({} at {}, {}){badge}", entry.name, entry.account, entry.organization, entry.serial);
        }
    }
    Ok(())
}

fn pin_in_words(entry: &Entry) -> String {
    if entry.locked() {
        return "locked after too many wrong PINs".to_owned();
    }
    let biometric = if entry.template.allow_biometric_pin {
        ", always typed: fingerprint and face are not available on the command line"
    } else {
        ""
    };
    match entry.template.pin_type {
        PinType::None => "none".to_owned(),
        PinType::ServerSide => "typed with the passcode when you log in; checked by the server".to_owned(),
        PinType::UserSelected => format!("asked for by this app, {} tries left{biometric}", entry.tries_left()),
    }
}

fn info(entry: &Entry, json: bool) -> Result<(), Failure> {
    if json {
        println!("{}", entry.public());
        return Ok(());
    }
    let rows = [
        ("Name", entry.name.clone()),
        ("Organization", entry.organization.clone()),
        ("Account", entry.account.clone()),
        ("Server", entry.server.clone()),
        ("Serial number", entry.serial.clone()),
        ("Passcode", entry.kind_in_words()),
        ("PIN", pin_in_words(entry)),
        ("State", entry.state().to_owned()),
        ("Added", entry.added.clone()),
        ("App", concat!("vestibule-authenticator ", env!("CARGO_PKG_VERSION")).to_owned()),
    ];
    for (name, value) in rows {
        println!("{name:<14} {value}");
    }
    Ok(())
}
