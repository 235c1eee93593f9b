//! `vestibule token import`, `token export`, `token approve-export`.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::arguments::{ApproveExport, Format, Listed, TokenExport, TokenImport};
use super::{BATCH, Place, Progress, Said, batch, contents, new_file, printed, protection, rejected, write_out};
use crate::config::Settings;
use crate::domain::authenticator::template::{Mode, Synchronization};
use crate::domain::ids::TokenExportId;
use crate::exchange::csv::Written;
use crate::exchange::token::Described;
use crate::exchange::{Read, Rejected, Spot, oath_csv, pskc};
use crate::flow::administration::roster::Storing;
use crate::flow::administration::stock::{self, How, Outcome, Wanted};
use crate::flow::administration::token_exports;
use crate::http::{handout, intake};
use crate::storage::Connection;
use crate::storage::tokens::{Filter, Listed as Entry};

/// What became of a record: the name it goes by and the outcome, or why it is rejected.
type Told = (Spot, Result<(String, Outcome), Rejected>);

/// `vestibule token import`.
///
/// # Errors
/// If the file cannot be read or opened, or what the database says; what was stored until then stays.
pub async fn import(settings: &Settings, asked: &TokenImport) -> anyhow::Result<Said> {
    let place = Place::of(settings, asked.common.tenant.as_deref()).await?;
    let (records, mut notes) = records(asked, &place)?;
    let mut others = 0;
    let whole = records.len();
    let how = How {
        storing: if asked.dry_run { Storing::Dry } else { Storing::Really },
        active: !asked.reserve,
        reinitialize: asked.reinitialize,
        most: i64::from(place.config.settings.tokens.max_per_user),
    };
    let mut told: Vec<Told> = Vec::with_capacity(whole);
    let mut wanted: Vec<(Spot, Wanted)> = Vec::with_capacity(whole);
    let mut seen: HashMap<String, Spot> = HashMap::new();
    for record in records {
        match record.and_then(|token| intake::token(token, asked.assign_column.is_some(), &mut seen)) {
            Ok(it) => {
                others += usize::from(!it.1.template.alphabet.is_decimal());
                wanted.push(it);
            }
            Err(rejected) => told.push((rejected.spot, Err(rejected))),
        }
    }
    if others > 0 {
        notes.push(format!(
            "{others} have passcodes that are no decimal digits; no standard says how those come about: try one of them \
             with \"vestibule token resync\" before you give them to people"
        ));
    }
    let mut progress = Progress::new(asked.common.progress, wanted.len());
    let (db, mut done) = (&place.site.house.db, 0);
    for some in wanted.chunks(BATCH) {
        let tokens: Vec<Wanted> = some.iter().map(|(_, it)| it.clone()).collect();
        let (desk, tenant) = (place.desk(), place.config.tenant.id);
        let work = async |connection: &mut Connection| stock::import(&desk, connection, tenant, &tokens, how).await;
        let outcomes = match how.storing {
            Storing::Really => batch(db, work).await?,
            Storing::Dry => db.look(work).await?,
        };
        for ((spot, it), outcome) in some.iter().zip(outcomes) {
            let result = match outcome {
                Outcome::Refused(reason) => Err(Rejected::new(*spot, &it.serial, reason)),
                outcome => Ok((it.serial.clone(), outcome)),
            };
            told.push((*spot, result));
        }
        done += some.len();
        progress.at(done);
    }
    db.close().await;
    told.sort_by_key(|(spot, _)| *spot);
    Ok(report(asked, &told, notes))
}

/// The records of the file, and what is to be said of the whole.
fn records(asked: &TokenImport, place: &Place) -> anyhow::Result<(Vec<Read<Described>>, Vec<String>)> {
    let name = asked.file.display();
    anyhow::ensure!(
        asked.file != Path::new("-") || !asked.keys.password_stdin,
        "standard input cannot be both the file and the password"
    );
    let octets = zeroize::Zeroizing::new(contents(&asked.file)?);
    let start = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&octets);
    let looks = match start.iter().find(|octet| !octet.is_ascii_whitespace()) {
        Some(b'<') => Format::Pskc,
        _ => Format::Csv,
    };
    let protection = protection(&asked.keys)?;
    match asked.format.unwrap_or(looks) {
        Format::Pskc => {
            anyhow::ensure!(
                asked.assign_column.as_deref().is_none_or(str::is_empty),
                "a key container has no columns: leave out the name behind --assign-column"
            );
            let now = place.site.house.clock.now();
            let read =
                pskc::read(start, protection.as_ref(), now).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
            Ok((read.tokens, read.notes))
        }
        Format::Csv => {
            anyhow::ensure!(protection.is_none(), "a table is not encrypted; leave out the key and the password");
            let column = asked.assign_column.as_deref().filter(|name| !name.is_empty());
            let read = oath_csv::read(&octets, column).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
            Ok((read, Vec::new()))
        }
    }
}

fn report(asked: &TokenImport, told: &[Told], notes: Vec<String>) -> Said {
    let good = told.iter().filter_map(|(_, it)| it.as_ref().ok());
    let stocked = good.clone().filter(|(_, outcome)| *outcome == Outcome::Stocked).count();
    let given = good.count() - stocked;
    let refused: Vec<&Rejected> = told.iter().filter_map(|(_, it)| it.as_ref().err()).collect();
    if asked.common.json {
        let value = json!({ "dry_run": asked.dry_run, "inventory": stocked, "assigned": given,
            "rejected": refused.len(), "notes": notes,
            "results": refused.iter().map(|record| rejected(record)).collect::<Vec<_>>() });
        return Said { good: refused.is_empty(), ..Said::lines(printed(&value)) };
    }
    let mut lines: Vec<String> = refused.iter().map(|record| format!("rejected: {record}")).collect();
    lines.extend(notes.into_iter().map(|note| format!("note: {note}")));
    lines.push(format!("{stocked} into the inventory, {given} to people, {} rejected", refused.len()));
    if asked.dry_run {
        lines.push("nothing was changed: --dry-run".to_owned());
    }
    Said { good: refused.is_empty(), ..Said::lines(lines) }
}

/// `vestibule token export`: the list without secrets; with them, in three steps.
///
/// # Errors
/// If nothing may be exported, the file is there, or what the database says.
pub async fn export(settings: &Settings, asked: &TokenExport) -> anyhow::Result<Said> {
    anyhow::ensure!(
        asked.request.is_some() || (asked.keys.key_file.is_none() && !asked.keys.password_stdin),
        "a key or a password belongs to an approved request: --secrets --request ID"
    );
    let place = Place::of(settings, asked.tenant.as_deref()).await?;
    if let Some(id) = &asked.request {
        return carry_out(&place, asked, id).await;
    }
    let scope = json!({ "state": asked.state, "kind": asked.kind, "serial": asked.serial, "user": asked.user });
    let filter = handout::filter(&scope)?;
    if !asked.secrets {
        return list(&place, asked, &filter).await;
    }
    let count = handout::movable(&place.site.house, place.config.tenant.id, &scope).await?;
    anyhow::ensure!(count > 0, "none of these tokens has a secret that can be exported; those of our apps have none");
    let desk = place.desk();
    let tenant = place.config.tenant.id;
    let work = async |connection: &mut Connection| token_exports::ask(&desk, connection, tenant, &scope).await;
    let id = place.site.house.db.write(work).await??;
    place.site.house.db.close().await;
    if asked.json {
        return Ok(Said::lines(printed(&json!({ "request": id.to_string(), "tokens": count }))));
    }
    let lines = vec![
        format!("request {id}: {count} tokens with their secrets"),
        format!("another operator approves it within a day: vestibule token approve-export {id}"),
        format!(
            "then, within an hour: vestibule token export --secrets --request {id} --key-file FILE --output FILE \
             (or --password-stdin)"
        ),
    ];
    Ok(Said::lines(lines))
}

/// `vestibule token approve-export`.
///
/// # Errors
/// If there is no such request, whoever asked approves it, or what the database says.
pub async fn approve(settings: &Settings, asked: &ApproveExport) -> anyhow::Result<Said> {
    let place = Place::of(settings, asked.tenant.as_deref()).await?;
    let (desk, tenant, id) = (place.desk(), place.config.tenant.id, request(&asked.id)?);
    let work = async |connection: &mut Connection| token_exports::approve(&desk, connection, tenant, id).await;
    let export = place.site.house.db.write(work).await??;
    let count = handout::movable(&place.site.house, tenant, &export.scope).await?;
    place.site.house.db.close().await;
    let until = export.expires_at.rfc3339();
    if asked.json {
        let whole = json!({ "request": id.to_string(), "asked_by": export.asked_by, "tokens": count, "until": until });
        return Ok(Said::lines(printed(&whole)));
    }
    let line =
        format!("approved: {} may export {count} tokens with their secrets, once, until {until}", export.asked_by);
    Ok(Said::line(line))
}

fn request(id: &str) -> anyhow::Result<TokenExportId> {
    id.trim().parse().map_err(|_| anyhow::anyhow!("\"{id}\" is no number of a request"))
}

/// The columns of the list.
const COLUMNS: [&str; 15] = [
    "serial",
    "kind",
    "state",
    "username",
    "name",
    "type",
    "digits",
    "period",
    "algorithm",
    "platform",
    "manufacturer",
    "model",
    "enrolled_at",
    "last_used_at",
    "encoding",
];

async fn list(place: &Place, asked: &TokenExport, filter: &Filter) -> anyhow::Result<Said> {
    let entries = handout::entries(&place.site.house, place.config.tenant.id, filter).await?;
    place.site.house.db.close().await;
    let rows = entries.iter().map(cells);
    let text = match asked.format {
        Listed::Csv if !asked.json => {
            let mut table = Written::new(&COLUMNS);
            rows.for_each(|row| table.row(row.iter().map(String::as_str)));
            table.text()
        }
        _ => {
            let all: Vec<Value> = rows
                .map(|row| {
                    let members = COLUMNS.iter().zip(row);
                    members.map(|(name, cell)| ((*name).to_owned(), Value::from(cell))).collect()
                })
                .collect();
            serde_json::to_string_pretty(&all)? + "\n"
        }
    };
    write_out(asked.output.as_deref(), text)
}

/// What the list shows of a token; no secret is among it.
fn cells(entry: &Entry) -> [String; 15] {
    let token = &entry.token;
    let template = &token.template;
    let device = |key: &str| token.device.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (method, period) = match (template.mode, template.synchronization) {
        (Mode::ChallengeResponse, _) => ("ocra", String::new()),
        (_, Synchronization::Event) => ("hotp", String::new()),
        (_, Synchronization::Time) => ("totp", template.time_step_seconds.to_string()),
    };
    [
        token.serial.clone(),
        token.kind.id().to_owned(),
        token.state.id().to_owned(),
        entry.username.clone().unwrap_or_default(),
        token.name.clone(),
        method.to_owned(),
        template.length.to_string(),
        period,
        template.algorithm.name().to_owned(),
        token.platform.map_or_else(String::new, |platform| platform.id().to_owned()),
        device("manufacturer"),
        device("model"),
        token.enrolled_at.rfc3339(),
        token.last_used_at.map_or_else(String::new, |at| at.rfc3339()),
        template.alphabet.id().to_owned(),
    ]
}

/// Writes an approved container. The approval is used up before anything is written, so that it is good for one at most.
async fn carry_out(place: &Place, asked: &TokenExport, id: &str) -> anyhow::Result<Said> {
    let protection = protection(&asked.keys)?;
    let protection = protection.context("secrets are exported encrypted only: give --key-file or --password-stdin")?;
    let file = asked.output.as_deref().context("--output is needed")?;
    let mut out = new_file(file)?;
    let (desk, tenant, id) = (place.desk(), place.config.tenant.id, request(id)?);
    let house = &place.site.house;
    let work = async |connection: &mut Connection| token_exports::consume(&desk, connection, tenant, id).await;
    let export = match house.db.write(work).await? {
        Ok(export) => export,
        Err(refusal) => {
            drop(std::fs::remove_file(file));
            return Err(refusal.into());
        }
    };
    let (text, count) = handout::container(house, tenant, &export.scope, &protection).await?;
    house.db.close().await;
    out.write_all(text.as_bytes()).and_then(|()| out.sync_all()).with_context(|| format!("{}", file.display()))?;
    if asked.json {
        let whole = json!({ "tokens": count, "file": file.display().to_string() });
        return Ok(Said::lines(printed(&whole)));
    }
    let line = format!("{count} tokens with their secrets are in {}, encrypted", file.display());
    Ok(Said::line(line))
}
