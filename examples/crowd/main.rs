//! Fills a database with very many people, for measuring: `cargo run --release --example crowd -- --help`.
//!
//! The database is the one that the configuration names (VESTIBULE__DATABASE__URL and the rest); the virtual server must be
//! there. Nothing of it is meant for anything else than measuring.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks")]
#![expect(clippy::indexing_slicing, reason = "of lists that stand here, within their length")]

mod fill;

use std::process::ExitCode;

use vestibule::storage::{Db, tenants};

const HELP: &str = "crowd: fills a virtual server with people, authenticators and log entries, for measuring

    cargo run --release --example crowd -- DATABASE TENANT PEOPLE [ENTRIES]

    DATABASE   sqlite://file or mysql://user:password@host/database, migrated (`vestibule migrate`)
    TENANT     the code of a virtual server that is there (`vestibule apply`)
    PEOPLE     how many people; nine in ten have an authenticator
    ENTRIES    how many entries of the access log and of the audit trail each; as many as people, unless said otherwise";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, tenant, people, rest @ ..] = arguments.as_slice() else {
        println!("{HELP}");
        return ExitCode::from(2);
    };
    let (Ok(people), Ok(tenant)) = (people.parse::<usize>(), tenant.parse()) else {
        println!("{HELP}");
        return ExitCode::from(2);
    };
    let entries = rest.first().and_then(|text| text.parse().ok()).unwrap_or(people);
    let filled = async {
        let db = Db::connect(database).await?;
        let config = db.read(async |connection| tenants::config(connection, &tenant).await).await?;
        let Some(config) = config else { return Ok(false) };
        let now = vestibule::clock::Clock::System.now();
        fill::fill(&db, config.tenant.id, (people, entries), now, |done| println!("{done} of {people} people")).await?;
        db.close().await;
        Ok::<_, vestibule::storage::Error>(true)
    };
    match filled.await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("crowd: there is no such virtual server");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("crowd: {error}");
            ExitCode::FAILURE
        }
    }
}
