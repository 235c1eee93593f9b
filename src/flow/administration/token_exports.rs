//! Exports of tokens with their secrets: nobody has them alone. One operator asks, another approves within a day,
//! and within an hour the first carries it out, once. Each of the three stands in the audit trail.

use std::time::Duration;

use serde_json::{Value, json};

use super::Desk;
use crate::domain::audit::Action;
use crate::domain::ids::{TenantId, TokenExportId};
use crate::storage::token_exports::{self, Export};
use crate::storage::{self, Connection};

/// How long somebody may approve.
pub const TO_APPROVE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long an approved export may be carried out.
pub const TO_CARRY_OUT: Duration = Duration::from_secs(60 * 60);

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Whoever acts has no name, so that nobody could tell two of them apart.
    #[error("nobody knows which account this is; run the command from a login of your own, or with sudo from it")]
    Nameless,
    /// There is none.
    #[error("there is no such request, or its time is over")]
    Missing,
    /// Whoever asked approves.
    #[error("{0} asked for it; another operator must approve it")]
    Own(String),
    /// Somebody approved it before.
    #[error("it was approved before")]
    Approved,
    /// Nobody approved it so far.
    #[error("no other operator has approved it so far; `vestibule token approve-export` does")]
    NotApproved,
    /// It was carried out before.
    #[error("it was carried out before; an approval is good for one export")]
    Used,
    /// Somebody else asked for it.
    #[error("{0} asked for it, and must carry it out")]
    Foreign(String),
}

/// The account that acts.
fn name(desk: &Desk<'_>) -> Result<String, Refusal> {
    desk.account().ok_or(Refusal::Nameless)
}

async fn record(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    action: Action,
    id: TokenExportId,
    detail: Value,
) -> storage::Result<()> {
    desk.record(connection, tenant, action, ("token_export", id.to_string()), detail).await
}

/// Asks for an export of the tokens that `scope` tells.
///
/// # Errors
/// If the database fails.
pub async fn ask(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    scope: &Value,
) -> storage::Result<Result<TokenExportId, Refusal>> {
    let asked_by = match name(desk) {
        Ok(name) => name,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let export = Export {
        id: desk.house.entropy.id(),
        scope: scope.clone(),
        asked_by,
        asked_at: desk.now,
        approved_by: None,
        used_at: None,
        expires_at: desk.now.plus(TO_APPROVE),
    };
    token_exports::insert(connection, tenant, &export).await?;
    record(desk, connection, tenant, Action::TokenExportRequested, export.id, json!({ "scope": scope })).await?;
    Ok(Ok(export.id))
}

/// Approves an export that somebody else asked for.
///
/// # Errors
/// If the database fails.
pub async fn approve(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    id: TokenExportId,
) -> storage::Result<Result<Export, Refusal>> {
    let by = match name(desk) {
        Ok(name) => name,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Some(export) = found(desk, connection, tenant, id).await? else { return Ok(Err(Refusal::Missing)) };
    let times = (desk.now, desk.now.plus(TO_CARRY_OUT));
    if !token_exports::approve(connection, tenant, id, &by, times).await? {
        return Ok(Err(if export.asked_by == by { Refusal::Own(by) } else { Refusal::Approved }));
    }
    let detail = json!({ "scope": export.scope, "asked_by": export.asked_by });
    record(desk, connection, tenant, Action::TokenExportApproved, id, detail).await?;
    Ok(Ok(Export { approved_by: Some(by), expires_at: times.1, ..export }))
}

/// Uses an approval up; what it allows is handed out only after this was committed.
///
/// # Errors
/// If the database fails.
pub async fn consume(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    id: TokenExportId,
) -> storage::Result<Result<Export, Refusal>> {
    let by = match name(desk) {
        Ok(name) => name,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Some(export) = found(desk, connection, tenant, id).await? else { return Ok(Err(Refusal::Missing)) };
    if !token_exports::consume(connection, tenant, id, &by, desk.now).await? {
        return Ok(Err(match export {
            Export { used_at: Some(_), .. } => Refusal::Used,
            Export { asked_by, .. } if asked_by != by => Refusal::Foreign(asked_by),
            Export { approved_by: None, .. } => Refusal::NotApproved,
            // Another command used it at the same moment.
            Export { .. } => Refusal::Used,
        }));
    }
    let detail = json!({ "scope": export.scope, "approved_by": export.approved_by });
    record(desk, connection, tenant, Action::TokensExported, id, detail).await?;
    Ok(Ok(export))
}

/// The export, as long as its time is not over.
async fn found(
    desk: &Desk<'_>,
    connection: &mut Connection,
    tenant: TenantId,
    id: TokenExportId,
) -> storage::Result<Option<Export>> {
    let export = token_exports::with_id(tenant, id).ask(connection).await?;
    Ok(export.filter(|export| export.expires_at > desk.now))
}
