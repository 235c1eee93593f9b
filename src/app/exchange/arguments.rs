//! What is typed for files of other systems.

#![expect(missing_docs, reason = "a part that several commands share is documented where it stands")]

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// A key or a password of a container.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub struct Keys {
    /// The pre-shared key of the container: 128, 192 or 256 bits, in hexadecimal digits or as they are.
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Read the password of the container from standard input, one line.
    #[arg(long)]
    pub password_stdin: bool,
}

/// What a file of tokens is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A key container (RFC 6030).
    Pskc,
    /// A table.
    Csv,
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Listed {
    /// A table; no spreadsheet calculates with what stands in it.
    Csv,
    /// JSON.
    Json,
}

/// `vestibule token import`.
#[derive(Debug, Clone, Args)]
pub struct TokenImport {
    /// The file; - for standard input.
    pub file: PathBuf,
    /// What it is; by itself it is told from its first character.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    #[command(flatten)]
    pub keys: Keys,
    /// Look at everything, and store nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Give tokens to the people whom the file names: in a table in this column (or whichever is known: username, upn,
    /// user), in a key container in UserId. Without this, all go into the inventory.
    #[arg(long, value_name = "COLUMN", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub assign_column: Option<String>,
    /// Only reserve tokens for their people; `vestibule token activate` follows when they have them.
    #[arg(long, requires = "assign_column")]
    pub reserve: bool,
    /// Take tokens back that were revoked and come with a new secret.
    #[arg(long)]
    pub reinitialize: bool,
    #[command(flatten)]
    pub common: Common,
}

/// `vestibule token export`.
#[derive(Debug, Clone, Args)]
pub struct TokenExport {
    /// How the list is written.
    #[arg(long, value_enum, default_value = "csv")]
    pub format: Listed,
    /// Only tokens in this state.
    #[arg(long, value_name = "STATE")]
    pub state: Option<String>,
    /// Only tokens of this kind: app, oath_app or oath.
    #[arg(long, value_name = "KIND", visible_alias = "type")]
    pub kind: Option<String>,
    /// Only tokens whose serial numbers begin so.
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub serial: String,
    /// Only tokens of this person.
    #[arg(long, value_name = "USERNAME")]
    pub user: Option<String>,
    /// With their secrets: asks for it, and prints the number of the request. Another operator approves it; see --request.
    #[arg(long)]
    pub secrets: bool,
    /// Carry out an approved request: writes an encrypted key container (RFC 6030).
    #[arg(long, value_name = "ID", requires = "secrets", requires = "output",
        conflicts_with_all = ["state", "kind", "user"])]
    pub request: Option<String>,
    #[command(flatten)]
    pub keys: Keys,
    /// Where to; must not exist.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The code of the virtual server; not needed where there is only one.
    #[arg(long, value_name = "CODE")]
    pub tenant: Option<String>,
    /// The list, and what is said of requests, as JSON.
    #[arg(long)]
    pub json: bool,
}

/// `vestibule token approve-export`.
#[derive(Debug, Clone, Args)]
pub struct ApproveExport {
    /// The number of the request.
    pub id: String,
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
    /// The code of the virtual server; not needed where there is only one.
    #[arg(long, value_name = "CODE")]
    pub tenant: Option<String>,
}

/// `vestibule user import`.
#[derive(Debug, Clone, Args)]
pub struct UserImport {
    /// The table; - for standard input.
    pub file: PathBuf,
    /// Look at everything, and store nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// What is done with groups that are not there.
    #[arg(long, value_enum, default_value = "refuse")]
    pub groups: MissingGroups,
    /// What is done with accounts that are there.
    #[arg(long, value_enum, default_value = "update")]
    pub existing: Existing,
    /// Print lines of what was refused only.
    #[arg(long)]
    pub quiet: bool,
    #[command(flatten)]
    pub common: Common,
}

/// `vestibule user export`.
#[derive(Debug, Clone, Args)]
pub struct UserExport {
    /// How the list is written.
    #[arg(long, value_enum, default_value = "csv")]
    pub format: Listed,
    /// The same as --format json.
    #[arg(long)]
    pub json: bool,
    /// Where to; must not exist.
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The code of the virtual server; not needed where there is only one.
    #[arg(long, value_name = "CODE")]
    pub tenant: Option<String>,
}

/// What every import has.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Tell on standard error how far it is, also where that is no terminal.
    #[arg(long)]
    pub progress: bool,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
    /// The code of the virtual server; not needed where there is only one.
    #[arg(long, value_name = "CODE")]
    pub tenant: Option<String>,
}

/// What is done with groups that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MissingGroups {
    /// Whoever is in one is refused.
    Refuse,
    /// They are made.
    Create,
}

/// What is done with accounts that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Existing {
    /// They become what the table says; empty fields change nothing.
    Update,
    /// They stay as they are.
    Keep,
}
