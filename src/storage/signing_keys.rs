//! Keys that sign for a tenant; their private parts arrive sealed.

use super::row::{Row, micros};
use super::{Connection, Result};
use crate::domain::ids::{SigningKeyId, TenantId};
use crate::domain::timestamp::Timestamp;

/// A stored signing key. The words in `purpose`, `algorithm` and `status` belong to `keys::signing`.
#[derive(Debug, Clone)]
pub struct SigningKeyRow {
    /// Its identifier, the kid.
    pub id: SigningKeyId,
    /// `oidc` or `saml`.
    pub purpose: String,
    /// `RS256`, `ES256` or `EdDSA`.
    pub algorithm: String,
    /// `next`, `current` or `old`.
    pub status: String,
    /// PKCS#8, sealed for this row in table `signing_key`, column `private_sealed`.
    pub private_sealed: Vec<u8>,
    /// X.509 in DER, for SAML.
    pub certificate: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// An old key is published and verifies until then.
    pub published_until: Option<Timestamp>,
}

/// Every key of a tenant, oldest first.
pub async fn of_tenant(connection: &mut Connection, tenant: TenantId) -> Result<Vec<SigningKeyRow>> {
    let rows = sqlx::query(
        "SELECT id, purpose, algorithm, status, private_sealed, certificate, created_at, published_until \
         FROM signing_key WHERE tenant_id = ? ORDER BY created_at, id",
    )
    .bind(tenant.to_string())
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let row = Row::of("signing_key", row);
            Ok(SigningKeyRow {
                id: row.parsed("id")?,
                purpose: row.text("purpose")?,
                algorithm: row.text("algorithm")?,
                status: row.text("status")?,
                private_sealed: row.bytes("private_sealed")?,
                certificate: row.bytes_or_none("certificate")?,
                created_at: row.time("created_at")?,
                published_until: row.time_or_none("published_until")?,
            })
        })
        .collect()
}

/// Stores a new key.
pub async fn insert(connection: &mut Connection, tenant: TenantId, key: &SigningKeyRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO signing_key (tenant_id, id, purpose, algorithm, status, private_sealed, certificate, created_at, \
         published_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(tenant.to_string())
    .bind(key.id.to_string())
    .bind(&key.purpose)
    .bind(&key.algorithm)
    .bind(&key.status)
    .bind(key.private_sealed.clone())
    .bind(key.certificate.clone())
    .bind(key.created_at.micros())
    .bind(micros(key.published_until))
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves a key to another status.
pub async fn set_status(
    connection: &mut Connection,
    tenant: TenantId,
    id: SigningKeyId,
    status: &str,
    published_until: Option<Timestamp>,
) -> Result<()> {
    sqlx::query("UPDATE signing_key SET status = ?, published_until = ? WHERE tenant_id = ? AND id = ?")
        .bind(status)
        .bind(micros(published_until))
        .bind(tenant.to_string())
        .bind(id.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

/// Removes a key that is published no more.
pub async fn remove(connection: &mut Connection, tenant: TenantId, id: SigningKeyId) -> Result<()> {
    sqlx::query("DELETE FROM signing_key WHERE tenant_id = ? AND id = ?")
        .bind(tenant.to_string())
        .bind(id.to_string())
        .execute(connection)
        .await?;
    Ok(())
}
