//! What the help desk types: `vestibule token …`, `vestibule user …`, `vestibule template …`.

#![expect(missing_docs, reason = "the help texts of what is flattened stand where it is defined")]

use clap::{Args, Subcommand};

use crate::app::exchange::arguments as exchange;

use crate::domain::authenticator::lifecycle::{Disposition, Kind, State};
use crate::domain::policy::platform::Platform;

/// Which virtual server.
#[derive(Debug, Clone, Args)]
pub struct OfTenant {
    /// The code of the virtual server; not needed where there is only one.
    #[arg(long, value_name = "CODE")]
    pub tenant: Option<String>,
}

/// How the answer looks.
#[derive(Debug, Clone, Copy, Args)]
pub struct Shape {
    /// Print JSON, for programs.
    #[arg(long)]
    pub json: bool,
}

/// Which part of a list.
#[derive(Debug, Clone, Args)]
pub struct Part {
    /// At most so many, up to 1000.
    #[arg(long, default_value_t = 100, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limit: u32,
    /// Go on after this place, which an earlier part of the list gave.
    #[arg(long, value_name = "PLACE")]
    pub after: Option<String>,
    /// The whole list.
    #[arg(long, conflicts_with_all = ["limit", "after"])]
    pub all: bool,
}

/// `vestibule operator …`.
#[derive(Debug, Subcommand)]
pub enum Operators {
    /// List who operates a virtual server.
    List {
        #[command(flatten)]
        tenant: OfTenant,
        #[command(flatten)]
        shape: Shape,
    },
    /// Make an account an operator, or give an operator another role. The first operator is made this way.
    Add {
        /// The user name.
        username: String,
        /// The name of the role: "Operator", "Help desk", "Auditor" or one of your own.
        #[arg(long, default_value = "Operator", value_name = "ROLE")]
        role: String,
        #[command(flatten)]
        tenant: OfTenant,
        #[command(flatten)]
        shape: Shape,
    },
    /// Take the status of an operator away; the account stays.
    Remove {
        /// The user name.
        username: String,
        #[command(flatten)]
        tenant: OfTenant,
        #[command(flatten)]
        shape: Shape,
    },
}

/// `vestibule token …`.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// List and search authenticators.
    List(List),
    /// Show everything about an authenticator.
    Show(One),
    /// Count authenticators by type and state.
    States {
        #[command(flatten)]
        tenant: OfTenant,
        #[command(flatten)]
        shape: Shape,
    },
    /// Stop authenticators for a while.
    Suspend(Several),
    /// Let suspended or locked authenticators work again.
    #[command(alias = "resume")]
    Reactivate(Several),
    /// Lock authenticators.
    Lock(Several),
    /// Let locked authenticators work again.
    Unlock(Several),
    /// End authenticators for ever; their secrets are erased.
    Revoke(Revoke),
    /// Give an authenticator another name.
    Rename {
        #[command(flatten)]
        one: One,
        /// As its owner is to see it.
        name: String,
    },
    /// Give an imported authenticator to a person.
    Assign {
        #[command(flatten)]
        one: One,
        /// The user name.
        username: String,
        /// Only reserve it; `vestibule token activate` follows when the person has it.
        #[arg(long)]
        reserve: bool,
    },
    /// Let reserved authenticators work: their owners have them now.
    Activate(Several),
    /// Give an authenticator whose PIN the server checks a new one, and print it.
    NewPin {
        #[command(flatten)]
        one: One,
        /// Read the PIN from the first line of standard input; only where the policy lets operators choose.
        #[arg(long)]
        pin_stdin: bool,
        /// Have it changed at the next login, whatever the policy says.
        #[arg(long)]
        must_change: bool,
    },
    /// Synchronize an authenticator: reads two passcodes, one a line, that it shows one after the other.
    Resync(One),
    /// Take imported authenticators back into the inventory; they keep their secrets and can be given to somebody else.
    Release(Several),
    /// Take hardware tokens from their maker's file: a key container (PSKC) or a table.
    Import(exchange::TokenImport),
    /// Write a list of authenticators; with their secrets only after another operator has approved it.
    Export(exchange::TokenExport),
    /// Approve that another operator exports authenticators with their secrets.
    ApproveExport(exchange::ApproveExport),
}

/// `vestibule token list`.
#[derive(Debug, Args)]
pub struct List {
    /// Of this person; with * at the end, of everybody whose user name begins so.
    #[arg(long, value_name = "USERNAME")]
    pub user: Option<String>,
    /// In this state: inventory, assigned, active, suspended, locked or revoked.
    #[arg(long, value_name = "STATE")]
    pub state: Option<State>,
    /// Of this type: app, oath_app or oath.
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<Kind>,
    /// Enrolled on this platform: ios, android, windows_mobile, windows, web, command_line or oath_app.
    #[arg(long, value_name = "PLATFORM")]
    pub platform: Option<Platform>,
    /// Whose serial number begins so.
    #[arg(long, value_name = "SERIAL")]
    pub serial: Option<String>,
    #[command(flatten)]
    pub part: Part,
    #[command(flatten)]
    pub tenant: OfTenant,
    #[command(flatten)]
    pub shape: Shape,
}

/// One authenticator.
#[derive(Debug, Args)]
pub struct One {
    /// The serial number.
    pub serial: String,
    #[command(flatten)]
    pub tenant: OfTenant,
    #[command(flatten)]
    pub shape: Shape,
}

/// One authenticator or several.
#[derive(Debug, Args)]
pub struct Several {
    /// The serial numbers.
    #[arg(required = true, value_name = "SERIAL")]
    pub serials: Vec<String>,
    /// Why; it stands in the audit trail.
    #[arg(long, default_value = "operator", value_name = "TEXT")]
    pub reason: String,
    /// End only the sessions that these authenticators opened, not every session of their owners.
    #[arg(long)]
    pub keep_sessions: bool,
    #[command(flatten)]
    pub tenant: OfTenant,
    #[command(flatten)]
    pub shape: Shape,
}

/// `vestibule token revoke`.
#[derive(Debug, Args)]
pub struct Revoke {
    #[command(flatten)]
    pub several: Several,
    /// What became of them: returned, lost, faulty or for_cause.
    #[arg(long, default_value = "returned", value_name = "DISPOSITION")]
    pub disposition: Disposition,
    /// Their owners may enroll again at the login.
    #[arg(long, conflicts_with = "no_enrollment")]
    pub allow_enrollment: bool,
    /// Their owners may not enroll again at the login. So it is anyway where they are lost or were taken for cause.
    #[arg(long)]
    pub no_enrollment: bool,
}

/// `vestibule user …`.
#[derive(Debug, Subcommand)]
pub enum User {
    /// List and search accounts.
    List {
        /// Whose user name begins so.
        #[arg(long, value_name = "USERNAME")]
        name: Option<String>,
        #[command(flatten)]
        part: Part,
        #[command(flatten)]
        tenant: OfTenant,
        #[command(flatten)]
        shape: Shape,
    },
    /// Show everything about an account.
    Show(Named),
    /// Forget an account's failures.
    Unlock(Named),
    /// Let an account be used again.
    Enable(Named),
    /// Stop an account and end its sessions.
    Disable(Named),
    /// Remove an account for ever: its authenticators are revoked, its sessions and enrollments end.
    Delete {
        #[command(flatten)]
        named: Named,
        /// Yes, remove it.
        #[arg(long)]
        yes: bool,
    },
    /// Tell what a person would meet at a login that asks for a passcode, and why.
    Explain {
        /// The address that the person would come from.
        #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
        address: std::net::IpAddr,
        #[command(flatten)]
        named: Named,
    },
    /// Open enrollment at the login again: the window begins anew, and the account is not dormant.
    ReopenEnrollment(Named),
    /// Print a pass that opens enrollment for one login, for a few minutes.
    Pass(Named),
    /// Confirm a pass that another operator has made.
    ConfirmPass(Named),
    /// Print codes that stand in for passcodes, for somebody whose authenticator is gone.
    TemporaryCode {
        /// For how many hours.
        #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=72), value_name = "HOURS")]
        hours: u8,
        /// How many; each works once.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=20), value_name = "NUMBER")]
        count: u8,
        #[command(flatten)]
        named: Named,
    },
    /// Void the recovery codes, temporary codes and passes of a person.
    VoidCodes(Named),
    /// Decide whether an account may enroll an authenticator at the login after it had one.
    Enrollment {
        #[command(flatten)]
        named: Named,
        /// allow, forbid, or default to leave it to the rules of the virtual server.
        #[arg(long, value_name = "WORD", value_parser = ["allow", "forbid", "default"])]
        again: String,
    },
    /// Give an account a second name for the login, or take it away.
    Alias {
        #[command(flatten)]
        named: Named,
        /// The second name; nobody else's user name or alias.
        #[arg(required_unless_present = "none")]
        alias: Option<String>,
        /// Take the alias away.
        #[arg(long, conflicts_with = "alias")]
        none: bool,
    },
    /// Make and change accounts from a table (CSV).
    Import(exchange::UserImport),
    /// Write a table of all accounts, without passwords.
    Export(exchange::UserExport),
}

/// One account.
#[derive(Debug, Args)]
pub struct Named {
    /// The user name.
    pub username: String,
    #[command(flatten)]
    pub tenant: OfTenant,
    #[command(flatten)]
    pub shape: Shape,
}

/// `vestibule template …`.
#[derive(Debug, Subcommand)]
pub enum Template {
    /// Show the token templates.
    Show(OfKind),
    /// Show the last changes of a template: when, who, what.
    History {
        #[command(flatten)]
        of: OfKind,
        /// So many at most.
        #[arg(long, default_value_t = 5, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=100))]
        limit: u32,
    },
    /// Give a template the values it was shipped with.
    Restore {
        /// app, oath_app or oath.
        #[arg(value_name = "TYPE")]
        kind: Kind,
        /// Yes, restore it.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        tenant: OfTenant,
        #[command(flatten)]
        shape: Shape,
    },
    /// List authenticators that were enrolled with an older version of their template.
    Outdated {
        #[command(flatten)]
        of: OfKind,
        #[command(flatten)]
        part: Part,
    },
    /// Ask owners of such authenticators to enroll again at their next login.
    AskAgain {
        /// These authenticators; without any, all that are outdated.
        #[arg(value_name = "SERIAL")]
        serials: Vec<String>,
        /// Of this type: app, oath_app or oath.
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<Kind>,
        /// Do not ask any more.
        #[arg(long)]
        off: bool,
        #[command(flatten)]
        tenant: OfTenant,
        #[command(flatten)]
        shape: Shape,
    },
}

/// Templates of a type, or of all.
#[derive(Debug, Args)]
pub struct OfKind {
    /// app, oath_app or oath; without one, all.
    #[arg(value_name = "TYPE")]
    pub kind: Option<Kind>,
    #[command(flatten)]
    pub tenant: OfTenant,
    #[command(flatten)]
    pub shape: Shape,
}
