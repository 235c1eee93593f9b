//! Recovery codes of people, and the sheet on which new ones are shown.

use super::row::Row;
use super::statement::{Question, Statement};
use super::{Connection, Result};
use crate::domain::ids::{Id, LoginId, TenantId, UserId};
use crate::domain::timestamp::Timestamp;

/// Makes these the only codes of a person.
pub async fn replace(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    hashes: &[String],
    now: Timestamp,
) -> Result<()> {
    void_of(tenant, user).run(&mut *connection).await?;
    for hash in hashes {
        Statement::new("INSERT INTO recovery_code (tenant_id, user_id, code_hash, created_at) VALUES (?, ?, ?, ?)")
            .shown(tenant)
            .shown(user)
            .bind(hash)
            .bind(now.micros())
            .run(&mut *connection)
            .await?;
    }
    Ok(())
}

/// Uses a code, once. Says `false` if there is none with this hash, or it was used before.
pub async fn take(
    connection: &mut Connection,
    tenant: TenantId,
    user: UserId,
    hash: &str,
    login: LoginId,
    now: Timestamp,
) -> Result<bool> {
    let done = Statement::new(
        "UPDATE recovery_code SET used_at = ?, login_id = ? \
         WHERE tenant_id = ? AND user_id = ? AND code_hash = ? AND used_at IS NULL",
    )
    .bind(now.micros())
    .shown(login)
    .shown(tenant)
    .shown(user)
    .bind(hash)
    .run(connection)
    .await?;
    Ok(done == 1)
}

/// How many codes of a person are left.
pub fn left(tenant: TenantId, user: UserId) -> Question<i64> {
    let statement = Statement::new(
        "SELECT COUNT(*) AS codes FROM recovery_code WHERE tenant_id = ? AND user_id = ? AND used_at IS NULL",
    );
    Question::new(statement.shown(tenant).shown(user), |rows| {
        rows.into_iter().next().map_or(Ok(0), |row| Row::of("recovery_code", row).integer("codes"))
    })
}

/// The statement that forgets all codes of a person.
pub fn void_of(tenant: TenantId, user: UserId) -> Statement {
    Statement::new("DELETE FROM recovery_code WHERE tenant_id = ? AND user_id = ?").shown(tenant).shown(user)
}

/// New codes on the page that shows them; the owner is the login or the session that may see them.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// Whose codes they are.
    pub user: UserId,
    /// The codes, sealed for the owner's row in table `recovery_sheet`.
    pub codes_sealed: Vec<u8>,
}

/// Puts new codes on the sheet of a login or session, in place of what was on it.
pub async fn show<Of>(
    connection: &mut Connection,
    tenant: TenantId,
    owner: Id<Of>,
    sheet: &Sheet,
    expires_at: Timestamp,
) -> Result<()> {
    put_away(tenant, owner).run(&mut *connection).await?;
    Statement::new(
        "INSERT INTO recovery_sheet (tenant_id, id, user_id, codes_sealed, expires_at) VALUES (?, ?, ?, ?, ?)",
    )
    .shown(tenant)
    .shown(owner)
    .shown(sheet.user)
    .bind(sheet.codes_sealed.clone())
    .bind(expires_at.micros())
    .run(connection)
    .await?;
    Ok(())
}

/// The sheet of a login or session.
pub fn sheet_of<Of>(tenant: TenantId, owner: Id<Of>, now: Timestamp) -> Question<Option<Sheet>> {
    let statement = Statement::new(
        "SELECT id, user_id, codes_sealed FROM recovery_sheet WHERE tenant_id = ? AND id = ? AND expires_at > ?",
    );
    Question::new(statement.shown(tenant).shown(owner).bind(now.micros()), |rows| {
        let Some(row) = rows.into_iter().next() else { return Ok(None) };
        let row = Row::of("recovery_sheet", row);
        Ok(Some(Sheet { user: row.parsed("user_id")?, codes_sealed: row.bytes("codes_sealed")? }))
    })
}

/// The statement that removes the sheet of a login or session.
pub fn put_away<Of>(tenant: TenantId, owner: Id<Of>) -> Statement {
    Statement::new("DELETE FROM recovery_sheet WHERE tenant_id = ? AND id = ?").shown(tenant).shown(owner)
}
