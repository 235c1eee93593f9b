//! Keys that sign for a tenant; their private parts arrive sealed.

use super::row::Row;
use super::statement::Statement;
use super::{Connection, Result};
use crate::domain::ids::{SigningKeyId, TenantId};
use crate::domain::signing_key::{KeyStage, StoredSigningKey};
use crate::domain::timestamp::Timestamp;

fn published_until(stage: KeyStage) -> Option<i64> {
    match stage {
        KeyStage::Old { published_until } => Some(published_until.micros()),
        KeyStage::Next | KeyStage::Current => None,
    }
}

/// Every key of a tenant, oldest first.
pub async fn of_tenant(connection: &mut Connection, tenant: TenantId) -> Result<Vec<StoredSigningKey>> {
    let rows = Statement::new(
        "SELECT id, purpose, algorithm, status, private_sealed, certificate, created_at, published_until \
         FROM signing_key WHERE tenant_id = ? ORDER BY created_at, id",
    )
    .shown(tenant)
    .rows(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let row = Row::of("signing_key", row);
            let until: Option<Timestamp> = row.time_or_none("published_until")?;
            Ok(StoredSigningKey {
                id: row.parsed("id")?,
                tenant,
                purpose: row.parsed("purpose")?,
                algorithm: row.parsed("algorithm")?,
                stage: row.named("status", |word| KeyStage::from_stored(word, until))?,
                created_at: row.time("created_at")?,
                private_key: row.bytes("private_sealed")?,
                certificate: row.bytes_or_none("certificate")?,
            })
        })
        .collect()
}

/// Stores a new key.
pub async fn insert(connection: &mut Connection, key: &StoredSigningKey) -> Result<()> {
    Statement::new(
        "INSERT INTO signing_key (tenant_id, id, purpose, algorithm, status, private_sealed, certificate, created_at, \
         published_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .shown(key.tenant)
    .shown(key.id)
    .bind(key.purpose.name())
    .bind(key.algorithm.name())
    .bind(key.stage.name())
    .bind(key.private_key.clone())
    .bind(key.certificate.clone())
    .bind(key.created_at.micros())
    .bind(published_until(key.stage))
    .run(connection)
    .await?;
    Ok(())
}

/// Moves a key to another stage, provided that it is still in `from`: two rotations at once move it once.
pub async fn set_stage(
    connection: &mut Connection,
    tenant: TenantId,
    id: SigningKeyId,
    from: KeyStage,
    to: KeyStage,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE signing_key SET status = ?, published_until = ? WHERE tenant_id = ? AND id = ? AND status = ?",
    )
    .bind(to.name())
    .bind(published_until(to))
    .shown(tenant)
    .shown(id)
    .bind(from.name())
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// Stores the private part sealed anew, after the key-encryption key was rotated.
pub async fn reseal(connection: &mut Connection, tenant: TenantId, id: SigningKeyId, sealed: &[u8]) -> Result<()> {
    Statement::new("UPDATE signing_key SET private_sealed = ? WHERE tenant_id = ? AND id = ?")
        .bind(sealed.to_vec())
        .shown(tenant)
        .shown(id)
        .run(connection)
        .await?;
    Ok(())
}
