//! Moves every secret to the current key-encryption key.

use std::collections::BTreeMap;

use serde_json::json;

use super::Desk;
use crate::domain::audit::Action;
use crate::domain::ids::TenantId;
use crate::flow;
use crate::keys::sealing::Place;
use crate::storage::sealed::{self, COLUMNS, Cell, Column};
use crate::storage::{self, Connection, audit_chain, installation};

/// Seals everything anew that is not under the current key. Says how many values were moved. Old and new values
/// can be read at any moment in between, so this may be interrupted and run again (K23).
///
/// # Errors
/// If the database fails, or a value does not open under any of the configured keys: then nothing else is lost,
/// and the missing key must be added.
pub async fn all(desk: &Desk<'_>) -> flow::Result<u64> {
    let mut moved = root(desk).await?;
    for column in COLUMNS {
        let mut after = String::new();
        loop {
            let cells = desk.house.db.look(async |connection| sealed::page(connection, column, &after).await).await?;
            let Some(last) = cells.last() else { break };
            after = last.row.to_string();
            moved += page(desk, column, &cells).await?;
        }
    }
    tracing::info!(moved, version = %desk.house.sealer.current_version(), "secrets were sealed anew");
    Ok(moved)
}

async fn root(desk: &Desk<'_>) -> flow::Result<u64> {
    let (db, place) = (&desk.house.db, Place::installation("root_sealed"));
    let Some(root) = db.look(async |connection| installation::root_sealed(connection).await).await? else {
        return Ok(0);
    };
    let Some(resealed) = desk.house.sealer.reseal(place, &root)? else { return Ok(0) };
    let work = async |connection: &mut Connection| {
        installation::rewrap_root(connection, &resealed).await?;
        // It belongs to no virtual server, and what every one of them derives its keys from hangs on it.
        for tenant in audit_chain::tenants().ask(connection).await? {
            record(desk, connection, tenant, "installation.root_sealed", 1).await?;
        }
        Ok(())
    };
    db.write(work).await?;
    Ok(1)
}

/// Writes down how many secrets of a kind are under the current key from now on.
async fn record(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    kind: &str,
    moved: u64,
) -> storage::Result<()> {
    let object = ("key_encryption_key", desk.house.sealer.current_version().to_string());
    desk.record(connection, tenant, Action::KeyRotated, object, json!({ "sealed": kind, "moved": moved })).await
}

/// One transaction for each page: a lock that is held for all rows would stop every login meanwhile.
async fn page(desk: &Desk<'_>, column: Column, cells: &[Cell]) -> flow::Result<u64> {
    let mut due = Vec::new();
    for cell in cells {
        let place = Place::new(cell.tenant, column.table, column.column, cell.row);
        if let Some(resealed) = desk.house.sealer.reseal(place, &cell.sealed)? {
            due.push((cell, resealed));
        }
    }
    if due.is_empty() {
        return Ok(0);
    }
    let kind = format!("{}.{}", column.table, column.column);
    let work = async |connection: &mut Connection| {
        let mut moved: BTreeMap<TenantId, u64> = BTreeMap::new();
        for (cell, resealed) in &due {
            if sealed::replace(connection, column, cell, resealed).await? {
                *moved.entry(cell.tenant).or_default() += 1;
            }
        }
        for (tenant, moved) in &moved {
            record(desk, connection, *tenant, &kind, *moved).await?;
        }
        Ok(moved.values().sum::<u64>())
    };
    Ok(desk.house.db.write(work).await?)
}
