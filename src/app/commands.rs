//! What operators do at the shell, apart from serving. Each command gives the lines to print.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::{Nature, Schema, account, database, kek, open};
use crate::apply::export;
use crate::apply::plan::Prune;
use crate::apply::run::{self, Run};
use crate::clock::Clock;
use crate::config::{KeySource, Settings};
use crate::domain::audit::Actor;
use crate::domain::secret::ExposeSecret as _;
use crate::domain::service_provider::draft::bare;
use crate::domain::signing_key::{KeyStage, StoredSigningKey};
use crate::domain::tenant::TenantCode;
use crate::egress::Egress;
use crate::flow::administration::{Desk, applications, keys, reseal, restore};
use crate::http::Site;
use crate::keys::sealing::Place;
use crate::saml::described;
use crate::storage::{Db, installation, signing_keys, tenants};

/// The desk of whoever is at the shell; the audit trail names the system account.
#[must_use]
pub fn desk(site: &Site) -> Desk<'_> {
    Desk {
        house: &site.house,
        actor: Actor::Shell(account::name()),
        address: String::new(),
        now: site.house.clock.now(),
    }
}

/// The virtual server that a command is about: the named one, or the only one.
///
/// # Errors
/// If there is none with this code, or several and none is named.
pub async fn tenant(db: &Db, named: Option<&str>) -> anyhow::Result<TenantCode> {
    let codes = db.look(async |connection| tenants::codes(connection).await).await?;
    match (named, codes.as_slice()) {
        (Some(named), codes) => {
            let found = codes.iter().find(|code| code.as_ref() == named);
            found.cloned().with_context(|| format!("there is no tenant \"{named}\"; there are: {}", listed(codes)))
        }
        (None, [only]) => Ok(only.clone()),
        (None, []) => anyhow::bail!("there is no tenant yet; make one with `vestibule apply FILE`"),
        (None, several) => anyhow::bail!("name the tenant with --tenant; there are: {}", listed(several)),
    }
}

fn listed(codes: &[TenantCode]) -> String {
    codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// `vestibule apply`.
///
/// # Errors
/// Everything that is wrong in the files, or what the database says.
pub async fn apply(settings: &Settings, files: &[PathBuf], run: Run, prune: Prune) -> anyhow::Result<Vec<String>> {
    let schema = if run == Run::Dry { of_dry_run(settings).await? } else { Schema::Migrate };
    let site = open(settings, schema, Nature::default()).await?;
    let reports = run::files(&desk(&site), files, run, prune).await?;
    let mut lines = Vec::new();
    for report in reports {
        let code = &report.code;
        if report.changes.is_empty() {
            lines.push(format!("{code}: nothing to change"));
        }
        lines.extend(report.changes.iter().map(|change| format!("{code}: {change}")));
        lines.extend(report.cases.iter().map(|case| format!("{code}: {}", run::told(case))));
        lines.extend(report.warnings.iter().map(|warning| format!("{code}: warning: {warning}")));
    }
    if run == Run::Dry {
        lines.push("nothing was changed: --dry-run".to_owned());
    }
    site.house.db.close().await;
    Ok(lines)
}

/// What a dry run does about the schema: nothing. Only where there is none yet it is made, and then there is nothing that could be
/// changed.
async fn of_dry_run(settings: &Settings) -> anyhow::Result<Schema> {
    let db = Db::connect(settings.database.expose_secret()).await.context("the database cannot be opened")?;
    let (_, applied) = db.migrations().await?;
    db.close().await;
    Ok(if applied == 0 { Schema::Migrate } else { Schema::Expect })
}

/// `vestibule export`.
///
/// # Errors
/// If there is no such virtual server, or what the database says.
pub async fn export(settings: &Settings, code: Option<&str>) -> anyhow::Result<String> {
    let db = database(settings, Schema::Expect).await?;
    let code = tenant(&db, code).await?;
    let text = export::tenant(&db, &code).await?;
    text.with_context(|| format!("there is no tenant \"{code}\""))
}

/// `vestibule keys list`.
///
/// # Errors
/// If there is no such virtual server, or what the database says.
pub async fn list_keys(settings: &Settings, code: Option<&str>) -> anyhow::Result<Vec<String>> {
    let db = database(settings, Schema::Expect).await?;
    let code = tenant(&db, code).await?;
    let keys = db.look(async |connection| match tenants::config(connection, &code).await? {
        Some(config) => signing_keys::of_tenant(connection, config.tenant.id).await,
        None => Ok(Vec::new()),
    });
    let keys = keys.await?;
    db.close().await;
    let line = |key: &StoredSigningKey| {
        let until = match key.stage {
            KeyStage::Old { .. } if key.is_withdrawn() => ", replaced in an emergency".to_owned(),
            KeyStage::Old { published_until } => format!(", published until {}", published_until.rfc3339()),
            KeyStage::Next | KeyStage::Current => String::new(),
        };
        let (purpose, algorithm, stage) = (key.purpose.name(), key.algorithm.name(), key.stage.name());
        format!("{} {purpose} {algorithm} {stage}, made {}{until}", key.id, key.created_at.rfc3339())
    };
    Ok(keys.iter().map(line).collect())
}

/// `vestibule metadata`: what is understood of a service provider's metadata, before it is registered.
///
/// # Errors
/// If it cannot be read, or is not signed as it must be.
pub async fn metadata(
    settings: &Settings,
    place: &str,
    entity_id: Option<&str>,
    certificate: Option<&Path>,
) -> anyhow::Result<Vec<String>> {
    let now = Clock::System.now();
    let text = if place.starts_with("https://") || place.starts_with("http://") {
        let egress = Egress::new(settings.egress.clone());
        let fetched = applications::fetch(&egress, place).await;
        fetched.map_err(|words| anyhow::anyhow!("{place} {words}"))?
    } else {
        std::fs::read_to_string(place).with_context(|| format!("{place} cannot be read"))?
    };
    let described = match certificate {
        Some(path) => {
            let pem = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
            described::signed(&text, &bare(&pem), entity_id, now)
        }
        None => described::described(&text, entity_id, now),
    };
    let described = described.map_err(|error| anyhow::anyhow!("{place} {error}"))?;
    let mut lines = described::report(&described, now);
    lines.push(match certificate {
        Some(_) => "signature: good".to_owned(),
        None => "signature: not looked at; name the certificate of its signer with --certificate".to_owned(),
    });
    Ok(lines)
}

/// Which keys `vestibule keys rotate` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotate {
    /// Signing keys: one step.
    Signing,
    /// The key-encryption key: everything sealed under an older one is sealed under the first.
    Sealing,
    /// Signing keys, all at once and without overlap.
    Emergency,
}

/// `vestibule keys rotate`.
///
/// # Errors
/// If there is no such virtual server, a key cannot be made or opened, or what the database says.
pub async fn rotate(settings: &Settings, which: Rotate, code: Option<&str>) -> anyhow::Result<Vec<String>> {
    let site = open(settings, Schema::Expect, Nature::default()).await?;
    let db = &site.house.db;
    let desk = desk(&site);
    let mut lines = Vec::new();
    match which {
        Rotate::Sealing => {
            let moved = reseal::all(&desk).await?;
            let version = site.house.sealer.current_version();
            lines.push(format!("{moved} secrets were sealed anew under key-encryption key {version}"));
            lines.push("every secret is under it now; older keys may be removed once no backup needs them".to_owned());
        }
        Rotate::Signing | Rotate::Emergency => {
            let codes = match code {
                Some(code) => vec![tenant(db, Some(code)).await?],
                None => db.look(async |connection| tenants::codes(connection).await).await?,
            };
            for code in codes {
                let steps = match which {
                    Rotate::Emergency => keys::replace(&desk, &code).await?,
                    _ => keys::rotate(&desk, &code, settings.rotation.overlap, keys::Which::All).await?,
                };
                lines.extend(steps.into_iter().map(|line| format!("{code}: {line}")));
            }
        }
    }
    site.house.db.close().await;
    Ok(lines)
}

/// `vestibule migrate`.
///
/// # Errors
/// If the schema is newer than this program, or what the database says.
pub async fn migrate(settings: &Settings) -> anyhow::Result<String> {
    let db = database(settings, Schema::Migrate).await?;
    let (known, _) = db.migrations().await?;
    db.close().await;
    Ok(format!("the schema is up to date: {known} migrations"))
}

/// `vestibule backup`.
///
/// # Errors
/// If the engine is not SQLite, or the copy exists or cannot be written.
pub async fn backup(settings: &Settings, file: &Path) -> anyhow::Result<String> {
    anyhow::ensure!(
        settings.database.expose_secret().starts_with("sqlite:"),
        "only an SQLite database is copied by this program; use mariadb-dump --single-transaction"
    );
    anyhow::ensure!(!file.exists(), "{} exists already; name a new file", file.display());
    let db = database(settings, Schema::Expect).await?;
    // Under another name until it is whole: half a copy, because the disk was full, must not look like one.
    let part = with_tail(file, ".part");
    let path = part.to_str().context("the file's name is not valid UTF-8")?;
    drop(std::fs::remove_file(&part));
    let copied = db.copy_to(path).await;
    db.close().await;
    let whole = copied.map_err(anyhow::Error::from).and_then(|()| {
        std::fs::File::open(&part)?.sync_all()?;
        Ok(std::fs::rename(&part, file)?)
    });
    if let Err(error) = whole {
        drop(std::fs::remove_file(&part));
        drop(std::fs::remove_file(with_tail(&part, "-journal")));
        return Err(error.context(format!("{} was not written", file.display())));
    }
    let key = match &settings.key_encryption_keys {
        KeySource::File(key) => format!("keep {} with it, but elsewhere", key.display()),
        KeySource::Given(_) => "keep the key-encryption key too, but elsewhere".to_owned(),
    };
    Ok(format!("wrote {}; {key}: without it the copy cannot be opened", file.display()))
}

/// `vestibule restore`: puts a copy in the place of the database, and makes sure that nothing that was used or
/// ended since the copy was made works again.
///
/// # Errors
/// If the engine is not SQLite, a database is there and `replace` is not given, or the copy does not open.
pub async fn restore(settings: &Settings, file: &Path, replace: bool) -> anyhow::Result<Vec<String>> {
    let url = settings.database.expose_secret();
    let target = url.strip_prefix("sqlite://").context(
        "only an SQLite database is put in place by this program; load the dump with mariadb, then `vestibule restore --loaded`",
    )?;
    let target = PathBuf::from(target.split('?').next().unwrap_or(target));
    anyhow::ensure!(file.exists(), "there is no file {}", file.display());
    anyhow::ensure!(
        replace || !target.exists(),
        "{} is there; stop the service and give --replace to replace it",
        target.display()
    );
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let part = with_tail(&target, ".part");
    // What is left of a try that was ended must not be played into the copy.
    remove_logs(&part)?;
    std::fs::copy(file, &part).with_context(|| format!("{} cannot be copied", file.display()))?;
    // Everything that may fail happens to the copy: the database that is there stays as it is until then, and no copy stands in
    // its place whose sessions and passcodes still count.
    let suspended = match ready(settings, &part).await {
        Ok(suspended) => suspended,
        Err(error) => {
            drop(remove_logs(&part));
            drop(std::fs::remove_file(&part));
            return Err(error.context(format!("{} was not put in place", file.display())));
        }
    };
    // What the log of the old database holds must not be played into the new one.
    remove_logs(&target)?;
    std::fs::rename(&part, &target)?;
    let mut lines = vec![format!("{} is in place; every session, login and code of it has ended", target.display())];
    lines.extend(suspended);
    Ok(lines)
}

/// Makes a copy that lies beside the database ready to take its place.
async fn ready(settings: &Settings, copy: &Path) -> anyhow::Result<Option<String>> {
    opens(settings, copy).await?;
    let database = format!("sqlite://{}", copy.display()).into();
    let suspended = settled(&Settings { database, ..settings.clone() }).await?;
    // Closing moves the log into the file, unless the disk is full: what is still in it would not come along.
    anyhow::ensure!(!with_tail(copy, "-wal").exists(), "the copy could not be made whole; is the disk full?");
    std::fs::File::open(copy)?.sync_all()?;
    Ok(suspended)
}

/// `vestibule restore --loaded`: ends what a dump, loaded by hand, brought back.
///
/// # Errors
/// If the database fails, or its secrets do not open.
pub async fn loaded(settings: &Settings) -> anyhow::Result<Vec<String>> {
    let mut lines = vec!["every session, login and code that the dump brought back has ended".to_owned()];
    lines.extend(settled(settings).await?);
    Ok(lines)
}

/// Ends what an older copy brought back, and tells what somebody must look at.
async fn settled(settings: &Settings) -> anyhow::Result<Option<String>> {
    let site = open(settings, Schema::Migrate, Nature::default()).await?;
    let suspended = restore::settle(&desk(&site)).await?;
    site.house.db.close().await;
    Ok((suspended > 0).then(|| {
        format!(
            "{suspended} event-based authenticators are suspended: passcodes that were used since the copy was made \
             could not be told from new ones; `vestibule token reactivate` after looking at each"
        )
    }))
}

/// Whether the copy at `path` is one of ours and its secrets open with the configured keys.
async fn opens(settings: &Settings, path: &Path) -> anyhow::Result<()> {
    let sealer = kek::existing(&settings.key_encryption_keys)?;
    let db = Db::connect(&format!("sqlite://{}", path.display())).await?;
    let root = db.look(async |connection| installation::root_sealed(connection).await).await;
    db.close().await;
    let root = root.context("it is not a copy of a database of this program")?.context("it is empty")?;
    sealer.open(Place::installation("root_sealed"), &root).context("the key-encryption key is another one")?;
    Ok(())
}

/// Removes what SQLite keeps beside the database at `path`.
fn remove_logs(path: &Path) -> std::io::Result<()> {
    for tail in ["-wal", "-shm"] {
        match std::fs::remove_file(with_tail(path, tail)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn with_tail(path: &Path, tail: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(tail);
    name.into()
}
