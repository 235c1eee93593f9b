//! Makes a database with very many people, for measuring: `cargo run --release --example crowd -- --help`.
//!
//! Nothing of it is meant for anything else: the three operators of the virtual server that it makes have passwords and
//! secrets that everybody can read in `acme.toml`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks")]

mod chance;
mod fill;

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use vestibule::app::{Nature, Schema, open};
use vestibule::apply::plan::Prune;
use vestibule::apply::run::{self, Run};
use vestibule::config::Settings;
use vestibule::domain::audit::Actor;
use vestibule::flow::administration::Desk;
use vestibule::flow::audit_trail;
use vestibule::storage::tenants;

const HELP: &str = "crowd: makes a database with very many people, for measuring

    cargo run --release --example crowd -- FOLDER [PEOPLE [SEED [DATABASE]]]

    FOLDER     where the key file `kek` and, with SQLite, the database `crowd.db` are made
    PEOPLE     how many people there are; 1000000 unless said otherwise
    SEED       the same seed makes the same crowd, but for the time; 1 unless said otherwise
    DATABASE   mysql://user:password@host/database, empty; SQLite unless said otherwise

A million people take some three gigabytes. The virtual server is `acme`; its operators are in examples/crowd/acme.toml.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, otherwise: u64| arguments.get(at).map_or(Some(otherwise), |text| text.parse().ok());
    let asked = (arguments.first(), number(1, 1_000_000), number(2, 1));
    let (Some(folder), Some(people), Some(seed)) = asked else {
        println!("{HELP}");
        return ExitCode::from(2);
    };
    if folder.starts_with('-') || arguments.len() > 4 || people == 0 {
        println!("{HELP}");
        return ExitCode::from(2);
    }
    let made = actix_web::rt::System::new().block_on(make(folder, people, seed, arguments.get(3)));
    match made {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crowd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The file that makes the virtual server: what stands in `acme.toml`, and what there are many of.
fn file(now: vestibule::domain::timestamp::Timestamp) -> String {
    let mut text = include_str!("acme.toml").to_owned();
    let day = |days: u64| now.minus(Duration::from_secs(days * 86_400)).rfc3339();
    let (pilot, tenth, rest) = (day(60), day(30), now.plus(Duration::from_secs(30 * 86_400)).rfc3339());
    let _ = write!(
        text,
        "\n[tenant.self_provisioning]\ntarget_users = \"all\"\nrollout = \"waves\"\n\
         [[tenant.self_provisioning.wave]]\nname = \"Pilot\"\nstarts_at = {pilot}\ngroups = [\"{}\"]\n\
         [[tenant.self_provisioning.wave]]\nname = \"A quarter\"\nstarts_at = {tenth}\npercent = 25\n\
         [[tenant.self_provisioning.wave]]\nname = \"Everybody else\"\nstarts_at = {rest}\n",
        fill::department(1)
    );
    for number in 0..fill::APPLICATIONS {
        let _ = write!(
            text,
            "\n[[tenant.application]]\nname = \"Application {number:02}\"\nassigned_to = \"everyone\"\n\
             [tenant.application.oidc]\nclient_id = \"application-{number}\"\n\
             client_secret = \"the secret of application {number}\"\n\
             redirect_uris = [\"https://application-{number}.example.com/callback\"]\n"
        );
    }
    for number in 0..fill::DEPARTMENTS {
        let _ = write!(text, "\n[[tenant.group]]\nname = \"{}\"\n", fill::department(number));
    }
    for name in fill::LARGE {
        let _ = write!(text, "\n[[tenant.group]]\nname = \"{name}\"\n");
    }
    text
}

async fn make(folder: &str, people: u64, seed: u64, database: Option<&String>) -> anyhow::Result<()> {
    let folder = Path::new(folder);
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let database = database.map_or_else(|| format!("sqlite://{}", folder.join("crowd.db").display()), Clone::clone);
    let values = [
        ("VESTIBULE__DATABASE__URL", database.clone()),
        ("VESTIBULE__KEYS__KEY_ENCRYPTION_KEY_FILE", folder.join("kek").display().to_string()),
    ];
    let settings = Settings::load(None, values.map(|(name, value)| (name.to_owned(), value)))?;
    let site = open(&settings, Schema::Migrate, Nature::default()).await?;
    let house = &site.house;
    let code = "acme".parse().context("a code")?;
    if house.db.read(async |connection| tenants::config(connection, &code).await).await?.is_some() {
        anyhow::bail!("there is a virtual server in this database already; make a new one");
    }
    let began = Instant::now();
    let desk = Desk { house, actor: Actor::Shell("crowd".to_owned()), address: String::new(), now: house.clock.now() };
    run::text(&desk, ("acme.toml", &file(desk.now)), folder, Run::Real, Prune::Keep).await?;
    let config = house.db.read(async |connection| tenants::config(connection, &code).await).await?;
    let config = config.context("the virtual server is there")?;
    let told = |what: &str, done: u64, of: u64| {
        let seconds = began.elapsed().as_secs();
        eprintln!("{seconds:>5} s  {what}: {done} of {of}");
    };
    fill::Crowd { db: &house.db, config: &config, people, seed, now: desk.now }.fill(&told).await?;
    eprintln!("{:>5} s  the audit trail is sealed", began.elapsed().as_secs());
    let sealed = audit_trail::seal_until(house, config.tenant.id, desk.now, desk.now).await?;
    told("sealed events", sealed, sealed);
    house.db.close().await;
    println!("{database}: {people} people in {} seconds", began.elapsed().as_secs());
    Ok(())
}
