//! The octets of the pictures on a virtual server's pages; what is known of them stands in the settings.

use super::row::Row;
use super::statement::{Question, Statement};
use super::{Connection, Result};
use crate::domain::branding::{Picture, Stored};
use crate::domain::ids::TenantId;
use crate::domain::timestamp::Timestamp;

/// Media type and octets of a picture; `None` if it is another one by now.
pub fn octets(tenant: TenantId, picture: Picture, digest: &str) -> Question<Option<(String, Vec<u8>)>> {
    let statement = Statement::new("SELECT kind, octets FROM picture WHERE tenant_id = ? AND name = ? AND digest = ?");
    Question::new(statement.shown(tenant).bind(picture.id()).bind(digest), |rows| {
        let read = |row| {
            let row = Row::of("picture", row);
            Ok((row.text("kind")?, row.bytes("octets")?))
        };
        rows.into_iter().next().map(read).transpose()
    })
}

/// Stores a picture in the place of the one that was there.
///
/// # Errors
/// If the database fails.
pub async fn put(
    connection: &mut Connection,
    tenant: TenantId,
    picture: Picture,
    (stored, octets): (&Stored, &[u8]),
    now: Timestamp,
) -> Result<()> {
    remove(connection, tenant, picture).await?;
    Statement::new("INSERT INTO picture (tenant_id, name, digest, kind, octets, updated_at) VALUES (?, ?, ?, ?, ?, ?)")
        .shown(tenant)
        .bind(picture.id())
        .bind(&stored.digest)
        .bind(&stored.kind)
        .bind(octets.to_vec())
        .bind(now.micros())
        .run(connection)
        .await
        .map(drop)
}

/// Removes a picture.
///
/// # Errors
/// If the database fails.
pub async fn remove(connection: &mut Connection, tenant: TenantId, picture: Picture) -> Result<()> {
    Statement::new("DELETE FROM picture WHERE tenant_id = ? AND name = ?")
        .shown(tenant)
        .bind(picture.id())
        .run(connection)
        .await
        .map(drop)
}
