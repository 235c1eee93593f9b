//! `vestibule user import`, `vestibule user export`.

use std::collections::HashMap;

use serde_json::json;

use super::arguments::{Existing, Listed, MissingGroups, UserExport, UserImport};
use super::{BATCH, Place, Progress, Said, batch, contents, printed, rejected, write_out};
use crate::config::Settings;
use crate::domain::group::Group;
use crate::domain::ids::GroupId;
use crate::domain::name::key_of;
use crate::domain::user::Status;
use crate::exchange::csv::Written;
use crate::exchange::people::COLUMNS;
use crate::exchange::{Read, Rejected, Spot};
use crate::flow::administration::roster::{self, Line, Outcome, Storing, Wanted};
use crate::flow::administration::tenants;
use crate::http::intake;
use crate::storage::{self, Connection, users};

/// What became of a record: the name it goes by and the outcome, or why it is rejected.
type Told = (Spot, Result<(String, Outcome), Rejected>);

/// `vestibule user import`: makes and changes accounts by their names; the same file again changes nothing.
///
/// # Errors
/// If the file cannot be read, or what the database says; what was stored until then stays.
pub async fn import(settings: &Settings, asked: &UserImport) -> anyhow::Result<Said> {
    let rows = intake::people(&contents(&asked.file)?);
    let rows = rows.map_err(|error| anyhow::anyhow!("{}: {error}", asked.file.display()))?;
    let place = Place::of(settings, asked.common.tenant.as_deref()).await?;
    let storing = if asked.dry_run { Storing::Dry } else { Storing::Really };
    let existing = match asked.existing {
        Existing::Update => roster::Existing::Update,
        Existing::Keep => roster::Existing::Keep,
    };
    let (groups, made) = groups(&place, &rows, asked.groups, storing).await?;
    let mut told: Vec<Told> = Vec::with_capacity(rows.len());
    let mut wanted: Vec<(Spot, Wanted)> = Vec::with_capacity(rows.len());
    let mut seen = HashMap::new();
    for row in rows {
        match row.and_then(|(spot, line)| checked(spot, &line, &groups, &mut seen).map(|wanted| (spot, wanted))) {
            Ok(it) => wanted.push(it),
            Err(rejected) => told.push((rejected.spot, Err(rejected))),
        }
    }
    let mut progress = Progress::new(asked.common.progress, wanted.len());
    let (db, mut done) = (&place.site.house.db, 0);
    for some in wanted.chunks(BATCH) {
        let people: Vec<Wanted> = some.iter().map(|(_, it)| it.clone()).collect();
        let desk = place.desk();
        let work = async |connection: &mut Connection| {
            roster::import(&desk, connection, &place.config, &people, (existing, storing)).await
        };
        let outcomes = match storing {
            Storing::Really => batch(db, work).await?,
            Storing::Dry => db.look(work).await?,
        };
        told.extend(some.iter().zip(outcomes).map(|((spot, it), outcome)| match outcome {
            Outcome::Refused(why) => (*spot, Err(Rejected::new(*spot, &it.username, why))),
            outcome => (*spot, Ok((it.username.clone(), outcome))),
        }));
        done += some.len();
        progress.at(done);
    }
    place.site.house.mail_waits.notify_one();
    db.close().await;
    told.sort_by_key(|(spot, _)| *spot);
    Ok(report(asked, &told, &made))
}

/// Every group that there is, with the missing ones that are made for the import; those by name, too.
async fn groups(
    place: &Place,
    rows: &[Read<(Spot, Line)>],
    missing: MissingGroups,
    storing: Storing,
) -> anyhow::Result<(HashMap<String, GroupId>, Vec<String>)> {
    let mut known: HashMap<String, GroupId> =
        place.config.groups.iter().map(|group| (key_of(&group.name), group.id)).collect();
    let mut new: Vec<Group> = Vec::new();
    if missing == MissingGroups::Create {
        for name in rows.iter().flatten().flat_map(|(_, line)| line.groups.iter().flatten()) {
            known.entry(key_of(name)).or_insert_with(|| {
                let group = Group { id: place.site.house.entropy.id(), name: name.clone() };
                new.push(group.clone());
                group.id
            });
        }
    }
    if storing == Storing::Really && !new.is_empty() {
        let (desk, tenant) = (place.desk(), place.config.tenant.id);
        let work = async |connection: &mut Connection| {
            for group in &new {
                tenants::add_group(&desk, connection, tenant, group).await?;
            }
            storage::tenants::raise_version(connection, tenant, desk.now).await
        };
        match place.site.house.db.write(work).await {
            Err(error) if error.is_duplicate() => {
                anyhow::bail!("somebody else made one of the groups at the same moment; run the command again")
            }
            result => result?,
        }
    }
    Ok((known, new.into_iter().map(|group| group.name).collect()))
}

/// A person with the groups that there are.
fn checked(
    spot: Spot,
    line: &Line,
    groups: &HashMap<String, GroupId>,
    seen: &mut HashMap<String, Spot>,
) -> Result<Wanted, Rejected> {
    let wanted = line.wanted(groups).map_err(|name| {
        let words = format!("there is no group \"{name}\"; --groups create makes it");
        Rejected::new(spot, &line.username, words)
    })?;
    intake::once(seen, spot, &line.username).map(|()| wanted)
}

fn report(asked: &UserImport, told: &[Told], made: &[String]) -> Said {
    let count = |name: &str| told.iter().filter(|(_, it)| it.as_ref().is_ok_and(|(_, it)| it.id() == name)).count();
    let refused = told.iter().filter(|(_, it)| it.is_err()).count();
    let good = refused == 0;
    let counts = ["created", "changed", "unchanged", "kept"].map(|name| (name, count(name)));
    if asked.common.json {
        let results: Vec<_> = told
            .iter()
            .filter(|(_, it)| !asked.quiet || it.is_err())
            .map(|(spot, it)| match it {
                Ok((name, outcome)) => {
                    let fields = if let Outcome::Changed(fields) = outcome { fields.as_slice() } else { &[] };
                    json!({ "record": spot.to_string(), "name": name, "result": outcome.id(), "changed": fields })
                }
                Err(record) => {
                    let mut value = rejected(record);
                    if let Some(members) = value.as_object_mut() {
                        members.insert("result".to_owned(), json!("rejected"));
                    }
                    value
                }
            })
            .collect();
        let [created, changed, unchanged, kept] = counts.map(|(_, count)| count);
        let value = json!({ "dry_run": asked.dry_run, "created": created, "changed": changed, "unchanged": unchanged,
            "kept": kept, "rejected": refused, "groups_created": made, "results": results });
        return Said { good, ..Said::lines(printed(&value)) };
    }
    let mut lines: Vec<String> = made.iter().map(|name| format!("group {name}: created")).collect();
    for (spot, it) in told {
        match it {
            Ok(_) if asked.quiet => {}
            Ok((name, Outcome::Changed(fields))) => {
                lines.push(format!("{spot} ({name}): changed: {}", fields.join(", ")));
            }
            Ok((name, outcome)) => lines.push(format!("{spot} ({name}): {}", outcome.id())),
            Err(record) => lines.push(format!("{} ({}): rejected: {}", record.spot, record.name, record.reason)),
        }
    }
    let counts = counts.map(|(name, count)| format!("{count} {name}")).join(", ");
    lines.push(format!("{counts}, {refused} rejected"));
    if asked.dry_run {
        lines.push("nothing was changed: --dry-run".to_owned());
    }
    Said { good, ..Said::lines(lines) }
}

/// `vestibule user export`: everybody, as `vestibule user import` reads it, without passwords.
///
/// # Errors
/// If the file is there, or what the database says.
pub async fn export(settings: &Settings, asked: &UserExport) -> anyhow::Result<Said> {
    let place = Place::of(settings, asked.tenant.as_deref()).await?;
    let tenant = place.config.tenant.id;
    let question = async |connection: &mut Connection| {
        Ok((users::all(connection, tenant).await?, users::memberships(connection, tenant).await?))
    };
    let (people, memberships) = place.site.house.db.look(question).await?;
    let mut names: HashMap<_, Vec<&str>> = HashMap::new();
    for (user, group) in memberships {
        names.entry(user).or_default().extend(place.config.group_name(group));
    }
    let groups_of = |id| {
        let mut groups = names.get(id).cloned().unwrap_or_default();
        groups.sort_unstable();
        groups
    };
    let text = match asked.format {
        Listed::Csv if !asked.json => {
            // What the hash of a password is, is nobody's business.
            let head: Vec<&str> = COLUMNS.into_iter().filter(|name| *name != "password_hash").collect();
            let mut table = Written::new(&head);
            for user in &people {
                let enabled = if user.status == Status::Enabled { "yes" } else { "no" };
                let groups = groups_of(&user.id).join(";");
                let (email, language) = (user.email.as_deref(), user.language.as_deref());
                table.row([
                    user.username.as_str(),
                    email.unwrap_or_default(),
                    &user.first_name,
                    &user.last_name,
                    language.unwrap_or_default(),
                    enabled,
                    &groups,
                    user.alias.as_deref().unwrap_or_default(),
                ]);
            }
            table.text()
        }
        _ => {
            let all: Vec<_> = people
                .iter()
                .map(|user| {
                    json!({ "username": user.username, "email": user.email, "alias": user.alias,
                        "first_name": user.first_name, "last_name": user.last_name, "language": user.language,
                        "enabled": user.status == Status::Enabled, "groups": groups_of(&user.id) })
                })
                .collect();
            serde_json::to_string_pretty(&all)? + "\n"
        }
    };
    place.site.house.db.close().await;
    write_out(asked.output.as_deref(), text)
}
