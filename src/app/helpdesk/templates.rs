//! `vestibule template …`.

use serde_json::{Value, json};

use super::arguments::{OfKind, OfTenant, Part, Shape, Template as Asked};
use super::tokens::{locked_accounts, told_list};
use super::{Place, Said, told};
use crate::config::Settings;
use crate::domain::authenticator::lifecycle::Kind;
use crate::flow::administration::templates;
use crate::storage::tokens::{self, Page};
use crate::storage::{Connection, template_changes};

/// Carries out a command.
///
/// # Errors
/// If there is no such virtual server, type or authenticator, or what the database says.
pub async fn run(settings: &Settings, asked: Asked) -> anyhow::Result<Said> {
    match asked {
        Asked::Show(of) => show(settings, &of).await,
        Asked::History { of, limit } => history(settings, &of, limit).await,
        Asked::Restore { kind, yes: true, tenant, shape } => restore(settings, kind, &tenant, shape).await,
        Asked::Restore { kind, .. } => {
            anyhow::bail!("the template {kind} would get the values it was shipped with; say --yes if that is meant")
        }
        Asked::Outdated { of, part } => outdated(settings, &of, &part).await,
        Asked::AskAgain { serials, kind, off, tenant, shape } => {
            ask_again(settings, &serials, kind, off, &tenant, shape).await
        }
    }
}

fn kinds(kind: Option<Kind>) -> Vec<Kind> {
    kind.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind])
}

async fn show(settings: &Settings, of: &OfKind) -> anyhow::Result<Said> {
    let place = Place::of(settings, of.tenant.tenant.as_deref()).await?;
    let templates = &place.config.settings.token_templates;
    let whole: serde_json::Map<String, Value> = kinds(of.kind)
        .into_iter()
        .map(|kind| {
            let template = templates.of_kind(kind);
            let idle: Vec<&str> = template.idle().into_iter().map(|(key, _)| key).collect();
            let mut told = json!(template);
            if let Some(members) = told.as_object_mut() {
                members.insert("not_applied".to_owned(), json!(idle));
            }
            (kind.id().to_owned(), told)
        })
        .collect();
    let whole = Value::Object(whole);
    Ok(Said::lines(if of.shape.json { told::printed(&whole) } else { told::lines(&whole) }))
}

///
async fn history(settings: &Settings, of: &OfKind, limit: u32) -> anyhow::Result<Said> {
    let place = Place::of(settings, of.tenant.tenant.as_deref()).await?;
    let mut all = Vec::new();
    for kind in kinds(of.kind) {
        let question = async |connection: &mut Connection| {
            template_changes::last_of(place.tenant, kind, limit).ask(connection).await
        };
        all.extend(place.site.house.db.look(question).await?.into_iter().map(|change| (kind, change)));
    }
    if of.shape.json {
        let changes: Vec<Value> = all
            .iter()
            .map(|(kind, change)| {
                json!({ "type": kind.id(), "version": change.version, "at": change.at.rfc3339(),
                    "by": change.actor, "changed": change.changed })
            })
            .collect();
        return Ok(Said::lines(told::printed(&json!({ "changes": changes }))));
    }
    let lines = all.iter().map(|(kind, change)| {
        let changed = change.changed.iter().map(|(key, pair)| format!("{key} {} -> {}", pair.old, pair.new));
        let changed = changed.collect::<Vec<_>>().join(", ");
        format!("{kind}\tversion {}\t{}\t{}\t{changed}", change.version, change.at.rfc3339(), change.actor)
    });
    Ok(Said::lines(lines.collect()))
}

///
async fn restore(settings: &Settings, kind: Kind, tenant: &OfTenant, shape: Shape) -> anyhow::Result<Said> {
    let place = Place::of(settings, tenant.tenant.as_deref()).await?;
    let desk = place.desk();
    let work = async |connection: &mut Connection| templates::restore(&desk, connection, &place.config, kind).await;
    let version = match place.site.house.db.write(work).await {
        Err(crate::storage::Error::Contended) => {
            anyhow::bail!("somebody else changed the virtual server at the same moment; run the command again")
        }
        result => result?,
    };
    if shape.json {
        let whole = json!({ "type": kind.id(), "changed": version.is_some(), "version": version });
        return Ok(Said::lines(told::printed(&whole)));
    }
    Ok(Said::line(match version {
        Some(version) => format!("the template {kind} has the values it was shipped with; it is version {version} now"),
        None => format!("the template {kind} has the values it was shipped with already"),
    }))
}

async fn outdated(settings: &Settings, of: &OfKind, part: &Part) -> anyhow::Result<Said> {
    let place = Place::of(settings, of.tenant.tenant.as_deref()).await?;
    let mut page = Page { next: part.after.clone(), ..Page::default() };
    let wanted = if part.all { usize::MAX } else { usize::try_from(part.limit).unwrap_or(usize::MAX) };
    let mut rest = kinds(of.kind).into_iter();
    let mut kind = rest.next();
    // The place names the kind as well, where several are listed.
    if let (None, Some((named, serial))) = (of.kind, page.next.clone().as_deref().and_then(|it| it.split_once(':'))) {
        while kind.is_some_and(|kind| kind.id() != named) {
            kind = rest.next();
        }
        page.next = Some(serial.to_owned());
    }
    while let Some(this) = kind {
        let version = place.config.settings.token_templates.of_kind(this).version;
        let limit = u32::try_from(wanted - page.entries.len()).unwrap_or(u32::MAX).min(tokens::LONGEST_PAGE);
        let question = async |connection: &mut Connection| {
            tokens::outdated(place.tenant, (this, version), page.next.as_deref(), limit).ask(connection).await
        };
        let found = place.site.house.db.look(question).await?;
        let whole = found.len() < usize::try_from(limit).unwrap_or(usize::MAX);
        page.next = found.last().map(|last| last.token.serial.clone());
        page.entries.extend(found);
        if whole {
            page.next = None;
            kind = rest.next();
        } else if page.entries.len() >= wanted {
            break;
        }
    }
    let next = match (of.kind, kind) {
        (None, Some(kind)) => page.next.map(|serial| format!("{}:{serial}", kind.id())),
        _ => page.next,
    };
    let locked = locked_accounts(&place, &page.entries).await?;
    Ok(told_list(&page.entries, &locked, next, of.shape))
}

async fn ask_again(
    settings: &Settings,
    serials: &[String],
    kind: Option<Kind>,
    off: bool,
    tenant: &OfTenant,
    shape: Shape,
) -> anyhow::Result<Said> {
    let place = Place::of(settings, tenant.tenant.as_deref()).await?;
    let (desk, db) = (place.desk(), &place.site.house.db);
    let templates = &place.config.settings.token_templates;
    let mut asked = 0;
    if serials.is_empty() {
        for kind in kinds(kind) {
            let version = templates.of_kind(kind).version;
            let mut after = None;
            // A part at a time: no transaction is long.
            loop {
                let question = async |connection: &mut Connection| {
                    let part = tokens::LONGEST_PAGE;
                    tokens::outdated(place.tenant, (kind, version), after.as_deref(), part).ask(connection).await
                };
                let found = db.look(question).await?;
                let Some(last) = found.last() else { break };
                after = Some(last.token.serial.clone());
                let tokens: Vec<_> = found.into_iter().map(|listed| listed.token).collect();
                let before = if off { 0 } else { version };
                let work = async |connection: &mut Connection| {
                    templates::ask_again(&desk, connection, place.tenant, &tokens, before).await
                };
                asked += db.write(work).await?;
            }
        }
    } else {
        let mut tokens = Vec::with_capacity(serials.len());
        for serial in serials {
            let token = place.token(serial).await?;
            anyhow::ensure!(
                token.state.counts(),
                "{} is {}; its owner has nothing to renew",
                token.serial,
                token.state
            );
            anyhow::ensure!(
                token.kind != Kind::Oath,
                "{} is an imported token; whoever has it cannot enroll it again",
                token.serial
            );
            tokens.push(token);
        }
        for token in &tokens {
            // Whoever is asked by name is asked whatever the version is.
            let before = if off { 0 } else { templates.of_kind(token.kind).version.max(token.template.version + 1) };
            let work = async |connection: &mut Connection| {
                templates::ask_again(&desk, connection, place.tenant, std::slice::from_ref(token), before).await
            };
            asked += db.write(work).await?;
        }
    }
    if shape.json {
        return Ok(Said::lines(told::printed(&json!({ "changed": asked, "asked": !off }))));
    }
    Ok(Said::line(if off {
        format!("{asked} authenticators: their owners are not asked any more")
    } else {
        format!("{asked} authenticators: their owners are asked to enroll again at their next login")
    }))
}
