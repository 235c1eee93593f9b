//! The root secret of the installation, sealed.

use super::row::Row;
use super::statement::Statement;
use super::{Connection, Result, inserted};
use crate::domain::timestamp::Timestamp;

/// The sealed root secret, if the installation has one yet.
///
/// # Errors
/// If the database fails.
pub async fn root_sealed(connection: &mut Connection) -> Result<Option<Vec<u8>>> {
    let row = Statement::new("SELECT root_sealed FROM installation WHERE id = 1").first(connection).await?;
    row.map(|row| Row::of("installation", row).bytes("root_sealed")).transpose()
}

/// Stores the first root secret. Says `false` if another instance was faster; then that one's counts.
///
/// # Errors
/// If the database fails.
pub async fn insert_root(connection: &mut Connection, sealed: &[u8], now: Timestamp) -> Result<bool> {
    let insert = Statement::new("INSERT INTO installation (id, root_sealed, created_at) VALUES (1, ?, ?)")
        .bind(sealed.to_vec())
        .bind(now.micros())
        .run(connection)
        .await;
    inserted(insert)
}

/// Replaces the root secret's sealed form after the key-encryption key was rotated.
///
/// # Errors
/// If the database fails.
pub async fn rewrap_root(connection: &mut Connection, sealed: &[u8]) -> Result<()> {
    Statement::new("UPDATE installation SET root_sealed = ? WHERE id = 1")
        .bind(sealed.to_vec())
        .run(connection)
        .await?;
    Ok(())
}
