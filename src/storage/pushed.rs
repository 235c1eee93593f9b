//! Authorization requests that applications have pushed (RFC 9126). Each is used once.

use super::row::Row;
use super::statement::{Question, Statement};
use super::{Connection, Result};
use crate::domain::ids::{ApplicationId, TenantId};
use crate::domain::timestamp::Timestamp;

/// A pushed request.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// The application that pushed it.
    pub application: ApplicationId,
    /// The door's own request, checked.
    pub request: String,
    /// Until when the browser may come.
    pub expires_at: Timestamp,
}

/// The statement that keeps a request under the keyed hash of its reference.
pub fn insertion(tenant: TenantId, reference_hash: &str, pushed: &Pushed) -> Statement {
    Statement::new(
        "INSERT INTO oidc_pushed (tenant_id, reference_hash, application_id, request, expires_at) VALUES (?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(reference_hash)
    .shown(pushed.application)
    .shown(&pushed.request)
    .bind(pushed.expires_at.micros())
}

/// The request with this reference, if it has not been used.
pub fn with_reference(tenant: TenantId, reference_hash: &str) -> Question<Option<Pushed>> {
    let statement = Statement::new(
        "SELECT application_id, request, expires_at FROM oidc_pushed WHERE tenant_id = ? AND reference_hash = ?",
    );
    Question::new(statement.shown(tenant).shown(reference_hash), |rows| {
        let row = rows.into_iter().next().map(|row| Row::of("oidc_pushed", row));
        row.map(|row| {
            let application = row.parsed("application_id")?;
            Ok(Pushed { application, request: row.text("request")?, expires_at: row.time("expires_at")? })
        })
        .transpose()
    })
}

/// Uses a request up. Says `false` if another browser was faster.
pub async fn take(connection: &mut Connection, tenant: TenantId, reference_hash: &str) -> Result<bool> {
    let taken = Statement::new("DELETE FROM oidc_pushed WHERE tenant_id = ? AND reference_hash = ?");
    Ok(taken.shown(tenant).shown(reference_hash).run(connection).await? == 1)
}
