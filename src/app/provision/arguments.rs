//! What operators type: `vestibule provision …`.

#![expect(missing_docs, reason = "the help texts of what is flattened stand where it is defined")]

use clap::{Args, Subcommand, ValueEnum};

use crate::app::helpdesk::arguments::OfTenant;
use crate::config::Settings;
use crate::domain::provisioning_task::{TaskNumber, TokenType};

/// `vestibule provision …`.
#[derive(Debug, Subcommand)]
pub enum Provision {
    /// Send people a mail with which they enroll an authenticator.
    Create {
        /// A user name; may be given several times.
        #[arg(long = "user", value_name = "USERNAME")]
        users: Vec<String>,
        /// Everybody in a group; may be given several times.
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// Days until they must have enrolled; 10 unless the virtual server says otherwise.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=90), value_name = "DAYS")]
        days: Option<u32>,
        /// A note for other operators.
        #[arg(long, default_value = "", value_name = "TEXT")]
        comment: String,
        /// An app that speaks our protocol, or any standard TOTP app.
        #[arg(long = "type", value_enum, default_value = "app")]
        kind: Kind,
        /// Also for people who have an authenticator of that type already.
        #[arg(long)]
        issue_duplicates: bool,
        #[command(flatten)]
        how: How,
    },
    /// List tasks that are not done.
    List {
        /// Completed and removed ones, too.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        how: How,
    },
    /// Show a task and where everybody in it stands.
    Show {
        #[command(flatten)]
        task: OfTask,
    },
    /// Send the mail again; the links before it stop working.
    Resend {
        #[command(flatten)]
        task: OfTask,
        /// To this person only; may be given several times. To everybody who has not enrolled unless given.
        #[arg(long = "user", value_name = "USERNAME")]
        users: Vec<String>,
        /// Days until they must have enrolled.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=90), value_name = "DAYS")]
        days: Option<u32>,
    },
    /// Give a task another stop date.
    StopDate {
        #[command(flatten)]
        task: OfTask,
        /// So many days from now.
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=90), value_name = "DAYS")]
        days: u32,
    },
    /// Remove a task: nobody in it who has not completed can enroll any more.
    Remove {
        #[command(flatten)]
        task: OfTask,
    },
    /// List provisioning rules, what they have done and whom they skip.
    Rules {
        /// Look at everybody now, without waiting for the service.
        #[arg(long)]
        run: bool,
        #[command(flatten)]
        how: How,
    },
}

/// Where, and how it is printed.
#[derive(Debug, Args)]
pub struct How {
    /// Print one JSON document.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub tenant: OfTenant,
}

/// Which task, and how it is printed.
#[derive(Debug, Args)]
pub struct OfTask {
    /// The number of the task.
    pub number: TaskNumber,
    #[command(flatten)]
    pub how: How,
}

/// What is enrolled.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Kind {
    /// An app that speaks our activation protocol.
    App,
    /// A standard TOTP app.
    #[value(name = "oath_app")]
    OathApp,
}

/// Carries a command out; the lines to print.
///
/// # Errors
/// What the command says.
pub async fn run(settings: &Settings, command: Provision) -> anyhow::Result<Vec<String>> {
    let (how, report) = match command {
        Provision::Create { users, groups, days, comment, kind, issue_duplicates, how } => {
            let token_type = match kind {
                Kind::App => TokenType::App,
                Kind::OathApp => TokenType::OathApp,
            };
            let wanted = super::Wanted { users, groups, days, comment, token_type, issue_duplicates };
            let report = super::create(settings, how.tenant.tenant.as_deref(), &wanted).await?;
            (how, report)
        }
        Provision::List { all, how } => {
            let report = super::list(settings, how.tenant.tenant.as_deref(), all).await?;
            (how, report)
        }
        Provision::Rules { run, how } => {
            let report = super::list_rules(settings, how.tenant.tenant.as_deref(), run).await?;
            (how, report)
        }
        Provision::Show { task } => {
            let report = super::show(settings, task.how.tenant.tenant.as_deref(), task.number).await?;
            (task.how, report)
        }
        Provision::Resend { task, users, days } => {
            let tenant = task.how.tenant.tenant.as_deref();
            let report = super::resend(settings, tenant, task.number, &users, days).await?;
            (task.how, report)
        }
        Provision::StopDate { task, days } => {
            let report = super::stop_date(settings, task.how.tenant.tenant.as_deref(), task.number, days).await?;
            (task.how, report)
        }
        Provision::Remove { task } => {
            let report = super::remove(settings, task.how.tenant.tenant.as_deref(), task.number).await?;
            (task.how, report)
        }
    };
    Ok(report.printed(how.json))
}
