//! Every sealed cell of the database, for the rotation of the key-encryption key.

use super::row::Row;
use super::statement::Statement;
use super::{Connection, Result};
use crate::domain::ids::{Id, TenantId, of};

/// A column with sealed values, in a table whose rows have a tenant and an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// The table, as the place of the sealed values names it.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    page: &'static str,
    replace: &'static str,
}

/// A row that some identifier names; which table it is in, the [`Column`] tells.
pub type RowId = Id<of::Event>;

/// One sealed value.
#[derive(Debug, Clone)]
pub struct Cell {
    /// The virtual server.
    pub tenant: TenantId,
    /// The row.
    pub row: RowId,
    /// The sealed value.
    pub sealed: Vec<u8>,
}

/// Every column with sealed values but the installation's root. A test holds this list against the migrations.
pub const COLUMNS: [Column; 10] = [
    Column {
        table: "webhook",
        column: "secret_sealed",
        page: "SELECT tenant_id, id, secret_sealed AS sealed FROM webhook WHERE id > ? ORDER BY id LIMIT 500",
        replace: "UPDATE webhook SET secret_sealed = ? WHERE tenant_id = ? AND id = ? AND secret_sealed = ?",
    },
    Column {
        table: "recovery_sheet",
        column: "codes_sealed",
        page: "SELECT tenant_id, id, codes_sealed AS sealed FROM recovery_sheet \
               WHERE codes_sealed IS NOT NULL AND id > ? ORDER BY id LIMIT 500",
        replace: "UPDATE recovery_sheet SET codes_sealed = ? WHERE tenant_id = ? AND id = ? AND codes_sealed = ?",
    },
    Column {
        table: "signing_key",
        column: "private_sealed",
        page: "SELECT tenant_id, id, private_sealed AS sealed FROM signing_key \
               WHERE private_sealed IS NOT NULL AND id > ? ORDER BY id LIMIT 500",
        replace: "UPDATE signing_key SET private_sealed = ? WHERE tenant_id = ? AND id = ? AND private_sealed = ?",
    },
    Column {
        table: "enrollment",
        column: "secret_sealed",
        page: "SELECT tenant_id, id, secret_sealed AS sealed FROM enrollment \
               WHERE secret_sealed IS NOT NULL AND id > ? ORDER BY id LIMIT 500",
        replace: "UPDATE enrollment SET secret_sealed = ? WHERE tenant_id = ? AND id = ? AND secret_sealed = ?",
    },
    Column {
        table: "activation",
        column: "secret_sealed",
        page: "SELECT tenant_id, id, secret_sealed AS sealed FROM activation \
               WHERE secret_sealed IS NOT NULL AND id > ? ORDER BY id LIMIT 500",
        replace: "UPDATE activation SET secret_sealed = ? WHERE tenant_id = ? AND id = ? AND secret_sealed = ?",
    },
    Column {
        table: "activation",
        column: "handshake_sealed",
        page: "SELECT tenant_id, id, handshake_sealed AS sealed FROM activation \
               WHERE handshake_sealed IS NOT NULL AND id > ? ORDER BY id LIMIT 500",
        replace: "UPDATE activation SET handshake_sealed = ? WHERE tenant_id = ? AND id = ? AND handshake_sealed = ?",
    },
    Column {
        table: "token",
        column: "secret_sealed",
        page: "SELECT tenant_id, id, secret_sealed AS sealed FROM token \
               WHERE secret_sealed IS NOT NULL AND id > ? ORDER BY id LIMIT 500",
        replace: "UPDATE token SET secret_sealed = ? WHERE tenant_id = ? AND id = ? AND secret_sealed = ?",
    },
    Column {
        table: "token_call_key",
        column: "key_sealed",
        page: "SELECT tenant_id, id, key_sealed AS sealed FROM token_call_key WHERE id > ? ORDER BY id LIMIT 500",
        replace: "UPDATE token_call_key SET key_sealed = ? WHERE tenant_id = ? AND id = ? AND key_sealed = ?",
    },
    Column {
        table: "token_server_pin",
        column: "pin_sealed",
        page: "SELECT tenant_id, id, pin_sealed AS sealed FROM token_server_pin WHERE id > ? ORDER BY id LIMIT 500",
        replace: "UPDATE token_server_pin SET pin_sealed = ? WHERE tenant_id = ? AND id = ? AND pin_sealed = ?",
    },
    Column {
        table: "outbox",
        column: "body_sealed",
        page: "SELECT tenant_id, id, body_sealed AS sealed FROM outbox \
               WHERE body_sealed IS NOT NULL AND id > ? ORDER BY id LIMIT 500",
        replace: "UPDATE outbox SET body_sealed = ? WHERE tenant_id = ? AND id = ? AND body_sealed = ?",
    },
];

/// At most 500 sealed values of a column, of all tenants, with identifiers after `after`.
///
/// # Errors
/// If the database fails.
// every tenant's: there is one key-encryption key for all
pub async fn page(connection: &mut Connection, column: Column, after: &str) -> Result<Vec<Cell>> {
    let rows = Statement::new(column.page).bind(after).rows(connection).await?;
    rows.into_iter()
        .map(|row| {
            let row = Row::of(column.table, row);
            Ok(Cell { tenant: row.parsed("tenant_id")?, row: row.parsed("id")?, sealed: row.bytes("sealed")? })
        })
        .collect()
}

/// Replaces a sealed value, provided that it is still `cell`'s. Says whether it was.
///
/// # Errors
/// If the database fails.
pub async fn replace(connection: &mut Connection, column: Column, cell: &Cell, sealed: &[u8]) -> Result<bool> {
    let done = Statement::new(column.replace)
        .bind(sealed.to_vec())
        .shown(cell.tenant)
        .shown(cell.row)
        .bind(cell.sealed.clone())
        .run(connection)
        .await?;
    Ok(done == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// a sealed column that is forgotten here could not be opened after the old key is thrown away.
    ///
    #[test]
    fn every_sealed_column_of_the_schema_is_known_here() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
        let mut found = Vec::new();
        for file in std::fs::read_dir(folder).expect("a folder").flatten() {
            let text = std::fs::read_to_string(file.path()).expect("a migration");
            let mut table = String::new();
            for line in text.lines() {
                if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
                    table = rest.trim_start_matches("IF NOT EXISTS ").trim_end_matches(" (").to_owned();
                }
                if let Some(column) = line.split_whitespace().next().filter(|word| word.ends_with("_sealed")) {
                    found.push(format!("{table}.{column}"));
                }
            }
        }
        let mut known: Vec<String> = COLUMNS.iter().map(|it| format!("{}.{}", it.table, it.column)).collect();
        known.push("installation.root_sealed".to_owned());
        found.sort();
        // A table that was made anew stands in two steps.
        found.dedup();
        known.sort();
        assert_eq!(found, known);
    }
}
